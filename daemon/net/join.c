#include "net/join.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

#include "net/conn.h"
#include "proto/address.h"

enum { LOOK_MS = 200 };

/* One attempt, at one address. */
struct attempt {
    const struct net_join *join;
    uint64_t deadline; /* loop time */
    uv_loop_t loop;
    uv_timer_t timer;
    uv_connect_t connect;
    struct conn_owner owner;
    struct conn *conn;
    struct tls_context *tls;
    bool trusted; /* the other side is the parent: what it says ends the search */
    bool answered;
    enum err err;
    struct errmsg why;
};

static void fail(struct attempt *attempt, enum err err, const char *text)
{
    if (attempt->err == ERR_OK && !attempt->answered) {
        attempt->err = err_fail(&attempt->why, err, "%s", text);
    }
}

static bool on_opened(void *ctx, struct conn *conn, const struct tls_peer *peer)
{
    struct attempt *attempt = ctx;
    const struct net_renewal *renewal = attempt->join->renewal;
    if (renewal != NULL && !hash_equal(&peer->key, &renewal->parent_key)) {
        fail(attempt, ERR_AUTH, "who answers there has another key than the office above");
        return false;
    }
    attempt->trusted = true;
    struct hash exporter;
    struct message message = {.type = MESSAGE_JOIN};
    enum err err = tls_exporter(conn->tls, &exporter, &attempt->why);
    err = err == ERR_OK
              ? attempt->join->fill(attempt->join->ctx, &exporter, &message.u.join, &attempt->why)
              : err;
    if (err != ERR_OK) {
        attempt->err = err;
        return false;
    }
    err = conn_send(conn, &message);
    if (err != ERR_OK) {
        fail(attempt, err, conn->why.text);
    }
    return err == ERR_OK;
}

static void on_message(void *ctx, struct conn *conn, struct message *message, struct arena *arena)
{
    struct attempt *attempt = ctx;
    const struct msg_joined *joined = &message->u.joined;
    if (message->type != MESSAGE_JOINED) {
        fail(attempt, ERR_PROTOCOL, "the parent answered with something else");
    } else if (joined->err != ERR_OK) {
        fail(attempt, joined->err, joined->text);
    } else {
        attempt->err = attempt->join->joined(attempt->join->ctx, joined, &attempt->why);
    }
    attempt->answered = true;
    arena_reset(arena);
    conn_close(conn, "answered");
}

static void on_closed(void *ctx, struct conn *conn, const char *why)
{
    struct attempt *attempt = ctx;
    (void)conn;
    attempt->conn = NULL;
    fail(attempt, attempt->trusted ? ERR_CLOSED : ERR_AUTH, why);
    uv_close((uv_handle_t *)&attempt->timer, NULL);
}

static void on_drained(void *ctx, struct conn *conn)
{
    (void)ctx;
    (void)conn;
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct attempt *attempt = connect->data;
    if (attempt->conn == NULL || attempt->conn->dead) {
        return;
    }
    enum tls_purpose purpose = attempt->join->renewal != NULL ? TLS_RENEW : TLS_JOIN;
    struct tls *tls = status == 0 ? tls_connect_new(attempt->tls, purpose) : NULL;
    if (tls == NULL) {
        fail(attempt, ERR_UNREACHABLE, status == 0 ? "no memory" : uv_strerror(status));
        conn_abort(attempt->conn, "not connected");
        return;
    }
    conn_start(attempt->conn, tls);
}

static void on_timer(uv_timer_t *timer)
{
    struct attempt *attempt = timer->data;
    const struct net_renewal *renewal = attempt->join->renewal;
    if (renewal != NULL && __atomic_load_n(renewal->stop, __ATOMIC_RELAXED)) {
        fail(attempt, ERR_CLOSED, "the process stops");
        attempt->trusted = true; /* no other address is tried */
    } else if (uv_now(&attempt->loop) >= attempt->deadline) {
        fail(attempt, ERR_UNREACHABLE, "no answer within thirty seconds");
    } else {
        return;
    }
    conn_abort(attempt->conn, "late");
}

static enum err start(struct attempt *attempt, const char *address)
{
    char host[ADDRESS_MAX_BYTES + 1];
    char service[16];
    int port;
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    TRY(address_parse(address, host, &port, &attempt->why));
    (void)snprintf(service, sizeof service, "%d", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        return err_fail(&attempt->why, ERR_UNREACHABLE, "%s", gai_strerror(code));
    }
    attempt->owner = (struct conn_owner){.ctx = attempt,
                                         .opened = on_opened,
                                         .message = on_message,
                                         .closed = on_closed,
                                         .drained = on_drained};
    attempt->conn = conn_new(&attempt->loop, false, &attempt->owner, 1);
    if (attempt->conn == NULL) {
        freeaddrinfo(found);
        return err_fail(&attempt->why, ERR_NO_MEMORY, "no memory");
    }
    (void)uv_timer_init(&attempt->loop, &attempt->timer);
    attempt->timer.data = attempt;
    attempt->connect.data = attempt;
    attempt->deadline = uv_now(&attempt->loop) + JOIN_ANSWER_MS;
    (void)uv_timer_start(&attempt->timer, on_timer, LOOK_MS, LOOK_MS);
    code = uv_tcp_connect(&attempt->connect, &attempt->conn->u.tcp, found->ai_addr, on_connected);
    freeaddrinfo(found);
    if (code != 0) {
        fail(attempt, ERR_UNREACHABLE, uv_strerror(code));
        conn_abort(attempt->conn, "not connected");
    }
    return ERR_OK;
}

static enum err try_address(struct attempt *attempt, const char *address, struct errmsg *msg)
{
    if (uv_loop_init(&attempt->loop) != 0) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    enum err err = start(attempt, address);
    (void)uv_run(&attempt->loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&attempt->loop);
    err = err == ERR_OK ? attempt->err : err;
    return err == ERR_OK ? ERR_OK : err_fail(msg, err, "%s", attempt->why.text);
}

static enum err make_context(const struct net_join *join, struct tls_context **out,
                             struct errmsg *msg)
{
    const struct net_renewal *renewal = join->renewal;
    return renewal == NULL
               ? tls_join_context(&join->token->root, out, msg)
               : tls_client_context(renewal->chain, renewal->key, renewal->root, out, msg);
}

static const char *remedy(enum err err)
{
    return err == ERR_UNREACHABLE ? "check that tallyd runs there and that this machine reaches it"
                                  : "who answers there is not the office that gave this "
                                    "invitation; check the address, "
                                    "or ask for a new one";
}

enum err net_join(const struct net_join *join, struct errmsg *msg)
{
    struct tls_context *tls = NULL;
    bool renews = join->renewal != NULL;
    size_t count = renews ? join->renewal->address_count : join->token->address_count;
    TRY(make_context(join, &tls, msg));
    enum err err = err_fail(msg, ERR_UNREACHABLE, "no address of the office above is known");
    for (size_t i = 0; i < count; i++) {
        struct attempt attempt = {.join = join, .tls = tls};
        const char *address = renews ? join->renewal->addresses[i] : join->token->addresses[i];
        err = try_address(&attempt, address, msg);
        if (err == ERR_OK || attempt.trusted) {
            break;
        }
        struct errmsg why = *msg;
        (void)err_fail(msg, err, "the office above, at %s: %.300s; %s", address, why.text,
                       remedy(err));
    }
    tls_context_free(tls);
    return err;
}

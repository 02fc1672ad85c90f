/* The way to the parent: resolve, connect, TLS, link; when it ends or fails, again after a delay
 * that doubles from DIAL_FIRST_MS to DIAL_LAST_MS, of which a random part between half and all is
 * waited, so that the children of a parent that comes back do not all knock at once. A link that
 * held for DIAL_STABLE_MS starts the delays anew. The parent's addresses take turns. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/sha256.h"
#include "net/server_internal.h"
#include "proto/address.h"

static void on_timer(uv_timer_t *timer);

static void again(struct server *server)
{
    struct dial *dial = &server->dial;
    if (server->stopping) {
        return;
    }
    unsigned doublings = dial->failures < 7 ? dial->failures : 7;
    uint64_t delay = (uint64_t)DIAL_FIRST_MS << doublings;
    delay = delay > DIAL_LAST_MS ? DIAL_LAST_MS : delay;
    uint16_t random;
    random_fill(&random, sizeof random);
    delay = delay / 2 + delay * random / UINT16_MAX / 2;
    dial->failures++;
    (void)uv_timer_start(&dial->timer, on_timer, delay, 0);
}

/* The reason goes to the node, which shows it until there is a link. */
static void failed(struct server *server, const char *why)
{
    struct dial *dial = &server->dial;
    struct event *event = event_new(EVENT_DIAL_FAILED, 0);
    (void)snprintf(dial->why, sizeof dial->why, "%s does not answer as it should: %s",
                   dial->address, why);
    if (event != NULL) {
        event->text = arena_str(&event->arena, dial->why);
        event_post(server, event);
    }
    log_line(LOG_LEVEL_INFO, "uplink=failed address=%s text=\"%s\"", dial->address, why);
    again(server);
}

static void on_connected(uv_connect_t *connect, int status)
{
    struct server *server = connect->data;
    struct dial *dial = &server->dial;
    dial->connecting = false;
    if (dial->peer == NULL || dial->peer->conn->dead) {
        return; /* its close is on the way, and dials again */
    }
    (void)uv_timer_stop(&dial->timer);
    if (status < 0) {
        conn_abort(dial->peer->conn, uv_strerror(status));
        return;
    }
    struct tls *tls = tls_connect_new(server->dialling, TLS_LINK);
    if (tls == NULL) {
        conn_abort(dial->peer->conn, "no memory");
        return;
    }
    tls_verify_at(tls, renew_now(server));
    conn_start(dial->peer->conn, tls);
}

static void connect_to(struct server *server, const struct sockaddr *address)
{
    struct dial *dial = &server->dial;
    struct peer *peer = peers_new(server, false, true);
    if (peer == NULL) {
        failed(server, "no memory, or too many connections");
        return;
    }
    (void)snprintf(peer->address, sizeof peer->address, "%.*s", PEER_ADDRESS_BYTES - 1,
                   dial->address);
    dial->peer = peer;
    int code = uv_tcp_connect(&dial->connect, &peer->conn->u.tcp, address, on_connected);
    if (code != 0) {
        conn_abort(peer->conn, uv_strerror(code));
        return;
    }
    dial->connecting = true;
    (void)uv_timer_start(&dial->timer, on_timer, DIAL_TIMEOUT_MS, 0);
}

/* A name may stand for several machines' addresses, such as one of each family: they take turns
 * too, one in each round over the parent's addresses. */
static const struct sockaddr *choose(const struct addrinfo *found, size_t round)
{
    size_t count = 0;
    for (const struct addrinfo *at = found; at != NULL; at = at->ai_next) {
        count++;
    }
    for (size_t i = round % count; i > 0; i--) {
        found = found->ai_next;
    }
    return found->ai_addr;
}

static void on_resolved(uv_getaddrinfo_t *resolve, int status, struct addrinfo *result)
{
    struct server *server = resolve->data;
    server->dial.resolving = false;
    if (!server->stopping) {
        if (status < 0) {
            failed(server, uv_strerror(status));
        } else {
            connect_to(server, choose(result, server->dial.round));
        }
    }
    uv_freeaddrinfo(result);
}

static void begin(struct server *server)
{
    struct dial *dial = &server->dial;
    const struct node_identity *identity = node_identity(server->config.node);
    char host[ADDRESS_MAX_BYTES + 1];
    char service[16];
    int port;
    struct errmsg why = {{0}};
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    if (identity->parent_address_count == 0) {
        (void)snprintf(dial->address, sizeof dial->address, "the parent");
        failed(server, "no address of it is known");
        return;
    }
    dial->round = dial->turn / identity->parent_address_count;
    (void)snprintf(dial->address, sizeof dial->address, "%s",
                   identity->parent_addresses[dial->turn++ % identity->parent_address_count]);
    if (address_parse(dial->address, host, &port, &why) != ERR_OK) {
        failed(server, why.text);
        return;
    }
    (void)snprintf(service, sizeof service, "%d", port);
    int code = uv_getaddrinfo(&server->loop, &dial->resolve, on_resolved, host, service, &hints);
    if (code != 0) {
        failed(server, uv_strerror(code));
        return;
    }
    dial->resolving = true;
}

/* Either it is time to dial, or a connection took too long. */
static void on_timer(uv_timer_t *timer)
{
    struct server *server = timer->data;
    if (server->dial.connecting) {
        conn_abort(server->dial.peer->conn, "no connection within ten seconds");
    } else if (server->dial.peer == NULL && !server->dial.resolving && !server->stopping) {
        begin(server);
    }
}

void dial_init(struct server *server)
{
    struct dial *dial = &server->dial;
    (void)uv_timer_init(&server->loop, &dial->timer);
    dial->timer.data = server;
    dial->resolve.data = server;
    dial->connect.data = server;
    if (!node_identity(server->config.node)->is_root) {
        (void)uv_timer_start(&dial->timer, on_timer, 0, 0);
    }
}

void dial_linked(struct server *server)
{
    server->dial.peer->since = uv_now(&server->loop);
}

void dial_closed(struct server *server, const struct peer *peer, const char *why)
{
    struct dial *dial = &server->dial;
    bool held = peer->told && uv_now(&server->loop) - peer->since >= DIAL_STABLE_MS;
    dial->peer = NULL;
    if (server->stopping) {
        return;
    }
    if (peer->conn->tls != NULL && !peer->conn->heard) {
        renew_after_silence(server);
    }
    if (!peer->told) {
        failed(server, why);
        return;
    }
    dial->failures = held ? 0 : dial->failures;
    again(server);
}

void dial_soon(struct server *server)
{
    struct dial *dial = &server->dial;
    dial->failures = 0;
    if (uv_is_active((uv_handle_t *)&dial->timer) && !dial->connecting) {
        (void)uv_timer_start(&dial->timer, on_timer, 0, 0);
    }
}

void dial_stop(struct server *server)
{
    struct dial *dial = &server->dial;
    (void)uv_timer_stop(&dial->timer);
    if (dial->resolving) {
        (void)uv_cancel((uv_req_t *)&dial->resolve);
    }
}

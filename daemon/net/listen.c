/* Listening, on TCP and on the local socket. A connection that finds too many others in their
 * handshake waits in the kernel's queue until one of them is through; the oldest makes room when it
 * dawdles. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/log.h"
#include "net/server_internal.h"

static void abort_dawdler(struct server *server)
{
    size_t at = 0;
    const void *key;
    void *value;
    struct peer *oldest = NULL;
    while (map_next(&server->peers, &at, &key, &value)) {
        struct peer *peer = *(struct peer **)value;
        bool stranger = peer->kind == PEER_STRANGER && !peer->dialled && !peer->conn->dead;
        oldest = stranger && (oldest == NULL || peer->since < oldest->since) ? peer : oldest;
    }
    if (oldest != NULL && uv_now(&server->loop) - oldest->since > STRANGER_PATIENCE_MS) {
        conn_abort(oldest->conn, "it made room for others");
    }
}

static void name_peer(struct peer *peer)
{
    struct sockaddr_storage from;
    int len = sizeof from;
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];
    if (uv_tcp_getpeername(&peer->conn->u.tcp, (struct sockaddr *)&from, &len) == 0 &&
        getnameinfo((struct sockaddr *)&from, (socklen_t)len, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        (void)snprintf(peer->address, sizeof peer->address, "%.64s:%.8s", host, port);
    }
}

static void accept_one(struct server *server, uv_stream_t *listener, bool local)
{
    struct peer *peer = peers_new(server, local, false);
    if (peer == NULL) {
        /* Taken and dropped, so that the listener goes on. */
        struct conn *conn = conn_new(&server->loop, local, &server->owner, 0);
        if (conn != NULL) {
            (void)uv_accept(listener, &conn->u.stream);
            conn_abort(conn, "too many connections");
        }
        log_line(LOG_LEVEL_WARN, "connection=refused text=\"too many connections\"");
        return;
    }
    int code = uv_accept(listener, &peer->conn->u.stream);
    if (code != 0) {
        conn_abort(peer->conn, uv_strerror(code));
        return;
    }
    struct tls *tls = NULL;
    if (!local) {
        name_peer(peer);
        tls = tls_accept_new(server->accepting);
        if (tls == NULL) {
            conn_abort(peer->conn, "no memory");
            return;
        }
        tls_verify_at(tls, renew_now(server));
    }
    conn_start(peer->conn, tls);
}

static void on_connection(uv_stream_t *listener, int status)
{
    struct server *server = listener->data;
    bool local = listener == (uv_stream_t *)&server->pipe;
    if (status < 0) {
        log_line(LOG_LEVEL_WARN, "connection=refused text=\"%s\"", uv_strerror(status));
        return;
    }
    if (!local && server->strangers >= STRANGERS_MAX) {
        server->accept_waits = true;
        return;
    }
    accept_one(server, listener, local);
}

void listen_retry(struct server *server)
{
    if (!server->accept_waits || server->stopping) {
        return;
    }
    if (server->strangers >= STRANGERS_MAX) {
        abort_dawdler(server);
        return;
    }
    server->accept_waits = false;
    accept_one(server, (uv_stream_t *)&server->tcp, false);
}

static enum err listen_tcp(struct server *server, struct errmsg *msg)
{
    const struct server_config *config = &server->config;
    char service[16];
    struct addrinfo *found = NULL;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    (void)snprintf(service, sizeof service, "%d", config->listen_port);
    int code = getaddrinfo(config->listen_host, service, &hints, &found);
    if (code != 0) {
        return err_fail(msg, ERR_REFUSED, "cannot listen on %s: %s; check \"listen\" in tally.yaml",
                        config->listen_host, gai_strerror(code));
    }
    code = uv_tcp_bind(&server->tcp, found->ai_addr, 0);
    code = code == 0 ? uv_listen((uv_stream_t *)&server->tcp, BACKLOG, on_connection) : code;
    freeaddrinfo(found);
    if (code != 0) {
        return err_fail(msg, code == UV_EADDRINUSE ? ERR_BUSY : ERR_REFUSED,
                        "cannot listen on %s port %d: %s; another program has it, or it is not "
                        "this machine's; change "
                        "\"listen\" in tally.yaml",
                        config->listen_host, config->listen_port, uv_strerror(code));
    }
    return ERR_OK;
}

/* The directory is this process's alone, so a socket that lies there is left from one that was
 * killed. */
static enum err listen_local(struct server *server, struct errmsg *msg)
{
    const char *path = server->config.socket_path;
    struct sockaddr_un limit;
    if (strlen(path) >= sizeof limit.sun_path) {
        return err_fail(
            msg, ERR_USAGE,
            "%s is too long for a socket's name (at most %zu bytes); use a shorter --data", path,
            sizeof limit.sun_path - 1);
    }
    if (unlink(path) != 0 && errno != ENOENT) {
        return err_fail(msg, ERR_REFUSED, "cannot replace %s: %s; take it away", path,
                        strerror(errno));
    }
    int code = uv_pipe_bind(&server->pipe, path);
    if (code == 0 && chmod(path, 0660) != 0) {
        code = -errno;
    }
    code = code == 0 ? uv_listen((uv_stream_t *)&server->pipe, BACKLOG, on_connection) : code;
    if (code != 0) {
        return err_fail(msg, ERR_REFUSED, "cannot listen on %s: %s", path, uv_strerror(code));
    }
    return ERR_OK;
}

enum err listen_start(struct server *server, struct errmsg *msg)
{
    server->tcp.data = server;
    server->pipe.data = server;
    TRY(listen_local(server, msg));
    return server->config.listen_host == NULL ? ERR_OK : listen_tcp(server, msg);
}

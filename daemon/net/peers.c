/* Connections from their start to their end.
 *
 * 1. Every TLS connection starts as a stranger. When its handshake ends, ALPN and certificate say
 * what it is: a child's link, a client, somebody who wants to join, or the parent that this side
 * dialled. A local connection is a client at once, known by its credentials.
 * 2. Messages become events for the node, queries go to the workers. A client has at most
 * REQUESTS_MAX requests unanswered; more are not read.
 *
 * Ends: whatever closes the connection, the node is told once if it knew of it. */
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "base/text.h"
#include "net/server_internal.h"

enum { PASSWD_BYTES = 4096, NODE_PREFIX_BYTES = 5, CLIENT_PREFIX_BYTES = 7 };

struct peer *peers_get(struct server *server, uint64_t id)
{
    struct peer **found = map_get(&server->peers, &id);
    return found == NULL ? NULL : *found;
}

struct peer *peers_new(struct server *server, bool local, bool dialled)
{
    uint64_t id = ++server->next_id;
    struct peer *peer = server->peers.count < PEERS_MAX ? calloc(1, sizeof *peer) : NULL;
    if (peer == NULL) {
        return NULL;
    }
    *peer = (struct peer){.server = server, .id = id, .kind = PEER_STRANGER, .dialled = dialled};
    peer->since = uv_now(&server->loop);
    peer->conn = conn_new(&server->loop, local, &server->owner, id);
    struct peer **slot = peer->conn == NULL ? NULL : map_put(&server->peers, &id, NULL);
    if (slot == NULL) {
        if (peer->conn != NULL) {
            conn_abort(peer->conn, "no memory");
        }
        free(peer);
        return NULL;
    }
    *slot = peer;
    peer->conn->data = peer;
    server->strangers++;
    return peer;
}

void peers_answered(struct peer *peer)
{
    if (peer->unanswered > 0 && --peer->unanswered == REQUESTS_MAX - 1) {
        conn_pause(peer->conn, false);
    }
}

void peers_resume(struct server *server)
{
    size_t at = 0;
    const void *key;
    void *value;
    server->paused = false;
    while (map_next(&server->peers, &at, &key, &value)) {
        struct peer *peer = *(struct peer **)value;
        if (peer->conn->paused && peer->unanswered < REQUESTS_MAX) {
            conn_pause(peer->conn, false);
        }
    }
}

void peers_close_all(struct server *server, const char *why)
{
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&server->peers, &at, &key, &value)) {
        struct peer *peer = *(struct peer **)value;
        if (peer->conn->ready) {
            conn_close(peer->conn, why);
        } else {
            conn_abort(peer->conn, why);
        }
    }
}

/* ---- who it is ---- */

/* Whoever owns this process, and root, may do everything; who else reaches the socket may record.
 */
static bool know_local(struct peer *peer)
{
    struct ucred cred;
    socklen_t len = sizeof cred;
    uv_os_fd_t fd;
    if (uv_fileno(&peer->conn->u.handle, &fd) != 0 ||
        getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) != 0) {
        return false;
    }
    struct passwd entry;
    struct passwd *found = NULL;
    char text[PASSWD_BYTES];
    peer->role = cred.uid == 0 || cred.uid == geteuid() ? NODE_ROLE_ADMIN : NODE_ROLE_RECORDER;
    if (getpwuid_r(cred.uid, &entry, text, sizeof text, &found) == 0 && found != NULL &&
        text_is_clean(found->pw_name, strlen(found->pw_name), false) &&
        strlen(found->pw_name) <= AUTHOR_MAX_BYTES) {
        (void)snprintf(peer->author, sizeof peer->author, "%s", found->pw_name);
    } else {
        (void)snprintf(peer->author, sizeof peer->author, "uid:%u", (unsigned)cred.uid);
    }
    (void)snprintf(peer->address, sizeof peer->address, "local:%.64s", peer->author);
    return true;
}

static bool same_tree(const struct server *server, const struct tls_peer *certificate)
{
    char tree[ID_HEX_BYTES];
    id_format(&node_identity(server->config.node)->tree, tree);
    return strcmp(tree, certificate->organisation) == 0;
}

/* Clients have certificates of this node's own CA. */
static const char *know_client(struct peer *peer, const struct tls_peer *certificate)
{
    static const struct {
        const char *name;
        enum node_role role;
    } ROLES[] = {
        {"reader", NODE_ROLE_READER}, {"recorder", NODE_ROLE_RECORDER}, {"admin", NODE_ROLE_ADMIN}};
    if (!hash_equal(&certificate->issuer_key, &peer->server->config.issuer_key) ||
        strncmp(certificate->common_name, "client:", CLIENT_PREFIX_BYTES) != 0) {
        return "its certificate is of no client of this node; the one in the node's own data "
               "directory is (--data)";
    }
    for (size_t i = 0; i < sizeof ROLES / sizeof ROLES[0]; i++) {
        if (strcmp(ROLES[i].name, certificate->role) == 0) {
            peer->role = ROLES[i].role;
        }
    }
    (void)snprintf(peer->author, sizeof peer->author, "%s",
                   certificate->common_name + CLIENT_PREFIX_BYTES);
    return peer->role == 0 ? "its certificate names no role" : NULL;
}

bool peers_node_of(const struct tls_peer *certificate, struct id *node)
{
    const char *name = certificate->common_name;
    return strncmp(name, "node:", NODE_PREFIX_BYTES) == 0 &&
           hex_decode(name + NODE_PREFIX_BYTES, node->b, ID_BYTES) == ERR_OK;
}

static const char *know_child(struct peer *peer, const struct tls_peer *certificate)
{
    peer->key = certificate->key;
    peer->number = certificate->number;
    peer->certified =
        hash_equal(&certificate->issuer_key, &peer->server->config.issuer_key) &&
        snprintf(peer->unit, sizeof peer->unit, "%s", certificate->role) < (int)sizeof peer->unit;
    return peers_node_of(certificate, &peer->node) ? NULL : "its certificate is not a node's";
}

/* By its key; or, with a new one, by its unit and those above, when its hosting is not one before
 * that of the machine known: it has taken that one's place. (As high a number comes twice when the
 * office that gives it was put back.) */
bool peers_is_parent(const struct server *server, const struct tls_peer *certificate)
{
    const struct node_identity *identity = node_identity(server->config.node);
    bool known = hash_equal(&certificate->key, &identity->parent_key);
    bool later = certificate->above && certificate->number > 0 &&
                 certificate->number >= identity->parent_number;
    return !identity->is_root && (known || later);
}

static const char *know_parent(struct peer *peer, const struct tls_peer *certificate)
{
    peer->key = certificate->key;
    peer->number = certificate->number;
    return peers_is_parent(peer->server, certificate)
               ? NULL
               : "the machine that answers there is not this node's parent (it has another key)";
}

/* NULL, or why the connection is refused. */
static const char *know(struct peer *peer, const struct tls_peer *certificate)
{
    struct server *server = peer->server;
    if (certificate == NULL) {
        peer->kind = PEER_CLIENT;
        return know_local(peer) ? NULL : "its credentials cannot be read";
    }
    if (!peer->dialled && certificate->purpose == TLS_JOIN) {
        peer->kind = PEER_JOINER;
        struct errmsg why;
        return tls_exporter(peer->conn->tls, &peer->exporter, &why) == ERR_OK ? NULL
                                                                              : "no exporter value";
    }
    if (!same_tree(server, certificate)) {
        return "its certificate is of another tree";
    }
    if (!peer->dialled && certificate->purpose == TLS_RENEW) {
        peer->kind = PEER_RENEWER;
        return know_child(peer, certificate);
    }
    if (peer->dialled) {
        peer->kind = PEER_PARENT;
        return know_parent(peer, certificate);
    }
    peer->kind = certificate->purpose == TLS_LINK ? PEER_CHILD : PEER_CLIENT;
    return peer->kind == PEER_CHILD ? know_child(peer, certificate)
                                    : know_client(peer, certificate);
}

static bool tell_opened(struct peer *peer)
{
    if (peer->kind != PEER_CHILD && peer->kind != PEER_PARENT) {
        peer->told = peer->kind == PEER_CLIENT;
        return true;
    }
    struct event *event =
        event_new(peer->kind == PEER_CHILD ? EVENT_CHILD : EVENT_PARENT, peer->id);
    if (event == NULL) {
        return false;
    }
    event->node = peer->node;
    event->joiner.node_key = peer->key;
    event->number = peer->number;
    event->text = arena_str(&event->arena, peer->address);
    event->unit = peer->certified ? arena_str(&event->arena, peer->unit) : NULL;
    peer->told = true;
    event_post(peer->server, event);
    return true;
}

/* A client is told why; whoever links or joins is no more than a stranger here. */
static void tell_refused(struct peer *peer, const char *no)
{
    struct server *server = peer->server;
    struct message message = {.type = MESSAGE_REFUSE};
    message.u.refuse =
        (struct msg_refuse){.code = server->stopping                ? REFUSAL_SHUTDOWN
                                    : server->clients > CLIENTS_MAX ? REFUSAL_BUSY
                                                                    : REFUSAL_UNKNOWN,
                            .text = no,
                            .protocol_min = PROTOCOL_MIN,
                            .protocol_max = PROTOCOL_MAX};
    /* A failure has closed the connection. */
    enum err sent = conn_send(peer->conn, &message);
    (void)sent;
}

static bool on_opened(void *ctx, struct conn *conn, const struct tls_peer *certificate)
{
    struct server *server = ctx;
    struct peer *peer = conn->data;
    const char *no = server->stopping ? "the process stops" : know(peer, certificate);
    server->strangers -= 1;
    if (peer->kind == PEER_STRANGER) {
        peer->kind = PEER_JOINER; /* no longer in its handshake; the node never hears of it */
    }
    server->clients += peer->kind == PEER_CLIENT ? 1 : 0;
    if (no == NULL && server->clients > CLIENTS_MAX) {
        no = "too many clients";
    }
    if (no != NULL) {
        (void)err_fail(&conn->why, ERR_AUTH, "%s", no);
        log_line(LOG_LEVEL_WARN, "connection=refused peer=%s text=\"%s\"", peer->address, no);
        if (peer->kind == PEER_CLIENT) {
            tell_refused(peer, no);
        }
        return false;
    }
    if (peer->dialled) {
        dial_linked(server);
    }
    return tell_opened(peer);
}

/* ---- messages ---- */

void peers_refuse(struct peer *peer, const struct msg_request *request, enum err err,
                  const char *text)
{
    struct message message = {.type = MESSAGE_REPLY};
    message.u.reply =
        (struct msg_reply){.id = request->id, .type = request->type, .err = err, .text = text};
    /* A failure has closed the connection. */
    enum err sent = conn_send(peer->conn, &message);
    (void)sent;
    peers_answered(peer);
}

static void take_request(struct peer *peer, const struct message *message, struct arena *arena)
{
    struct server *server = peer->server;
    struct msg_request request = message->u.request;
    if (++peer->unanswered >= REQUESTS_MAX) {
        conn_pause(peer->conn, true);
    }
    if (request.type == 0) {
        arena_reset(arena);
        peers_refuse(peer, &request, ERR_PROTOCOL,
                     "this daemon does not know that request; its release is older");
        return;
    }
    if (query_wants(request.type)) {
        if (!workers_query(server, peer, message, arena)) {
            peers_refuse(peer, &request, ERR_BUSY,
                         "the daemon is busy with other queries; try again in a moment");
        }
        return;
    }
    if (request.type == REQUEST_BACKUP) {
        arena_reset(arena);
        backup_ask(server, peer, &request);
        return;
    }
    if (request.type == REQUEST_BUNDLE_WRITE || request.type == REQUEST_BUNDLE_READ) {
        bundle_ask(server, peer, message);
        arena_reset(arena);
        return;
    }
    struct event *event = event_new(EVENT_REQUEST, peer->id);
    if (event == NULL) {
        arena_reset(arena);
        peers_refuse(peer, &request, ERR_NO_MEMORY,
                     "the daemon has no memory for this request now; try again");
        return;
    }
    event->message = *message;
    event->arena = *arena;
    event->role = peer->role;
    event->text = arena_str(&event->arena, peer->author);
    event_post(server, event);
}

static void refuse_join(struct peer *peer, const char *text)
{
    struct message message = {.type = MESSAGE_JOINED};
    message.u.joined = (struct msg_joined){.err = ERR_REFUSED, .text = text};
    if (conn_send(peer->conn, &message) == ERR_OK) {
        conn_close(peer->conn, text);
    }
}

static void take_join(struct peer *peer, const struct message *message, struct arena *arena)
{
    struct server *server = peer->server;
    struct event *event = peer->told ? NULL : event_new(EVENT_JOIN, peer->id);
    if (event == NULL) {
        arena_reset(arena);
        conn_abort(peer->conn, "a second join on one connection, or no memory");
        return;
    }
    peer->told = true;
    event->message = *message;
    event->arena = *arena;
    event->joiner.exporter = peer->exporter;
    event->joiner.address = peer->address;
    event->node = peer->node;
    struct errmsg why = {{0}};
    enum err err = server->config.request_keys(server->config.ctx, &event->message.u.join,
                                               &event->joiner, &why);
    if (err == ERR_OK && peer->kind == PEER_RENEWER) {
        event->type = EVENT_RENEW;
        err = hash_equal(&event->joiner.node_key, &peer->key)
                  ? ERR_OK
                  : err_fail(&why, ERR_REFUSED, "a renewal asks for the key that the node has");
    }
    if (err != ERR_OK) {
        refuse_join(peer, why.text);
        arena_reset(&event->arena);
        free(event);
        return;
    }
    event_post(server, event);
}

static void take_link_message(struct peer *peer, const struct message *message, struct arena *arena)
{
    struct event *event = event_new(EVENT_MESSAGE, peer->id);
    if (event == NULL) {
        arena_reset(arena);
        conn_abort(peer->conn, "no memory");
        return;
    }
    event->message = *message;
    event->arena = *arena;
    event_post(peer->server, event);
}

static void on_message(void *ctx, struct conn *conn, struct message *message, struct arena *arena)
{
    (void)ctx;
    struct peer *peer = conn->data;
    bool link = peer->kind == PEER_CHILD || peer->kind == PEER_PARENT;
    bool link_message = message->type >= MESSAGE_HELLO && message->type <= MESSAGE_PING;
    if (peer->kind == PEER_CLIENT && message->type == MESSAGE_REQUEST) {
        take_request(peer, message, arena);
    } else if ((peer->kind == PEER_JOINER || peer->kind == PEER_RENEWER) &&
               message->type == MESSAGE_JOIN) {
        take_join(peer, message, arena);
    } else if (link && link_message) {
        take_link_message(peer, message, arena);
    } else {
        arena_reset(arena);
        (void)err_fail(&conn->why, ERR_PROTOCOL,
                       "the peer sent a %s message, which is not its to send",
                       message_name(message->type));
        conn_abort(conn, "protocol");
    }
}

/* ---- the end ---- */

static void tell_closed(struct server *server, const struct peer *peer, const char *why)
{
    bool link = peer->kind == PEER_CHILD || peer->kind == PEER_PARENT;
    if (!peer->told || (!link && peer->kind != PEER_CLIENT)) {
        return;
    }
    struct event *event = event_new(link ? EVENT_LINK_DOWN : EVENT_CLIENT_GONE, peer->id);
    if (event == NULL) {
        /* The node would wait for a dead link for ever: start again from what is on disk. */
        server->failed = ERR_NO_MEMORY;
        (void)err_fail(&server->failure, ERR_NO_MEMORY, "no memory");
        uv_stop(&server->loop);
        return;
    }
    event->text = arena_str(&event->arena, why);
    event_post(server, event);
}

static void on_closed(void *ctx, struct conn *conn, const char *why)
{
    struct server *server = ctx;
    struct peer *peer = conn->data;
    if (peer == NULL) {
        return; /* it never became a peer */
    }
    enum log_level level = peer->kind == PEER_CLIENT ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
    log_line(level, "connection=closed peer=%s text=\"%s\"", peer->address, why);
    server->strangers -= peer->kind == PEER_STRANGER ? 1 : 0;
    server->clients -= peer->kind == PEER_CLIENT ? 1 : 0;
    workers_peer_gone(server, peer->id);
    map_remove(&server->peers, &peer->id);
    tell_closed(server, peer, why);
    if (peer->dialled) {
        dial_closed(server, peer, why);
    }
    free(peer);
}

static void on_drained(void *ctx, struct conn *conn)
{
    const struct peer *peer = conn->data;
    if (peer != NULL && peer->kind == PEER_CLIENT) {
        workers_pump(ctx);
    }
}

void peers_init(struct server *server)
{
    map_init(&server->peers, sizeof(uint64_t), sizeof(struct peer *));
    server->owner = (struct conn_owner){.ctx = server,
                                        .opened = on_opened,
                                        .message = on_message,
                                        .closed = on_closed,
                                        .drained = on_drained};
}

/* The network around a node: libuv's loop, TCP and local sockets, TLS, frames, limits, deadlines.
 * It turns what arrives into events for the node, a batch at a time, and does what the node's
 * effects say. It knows bytes and certificates, not totals. One thread; queries run in libuv's pool
 * on readers that the caller opens. */
#ifndef TALLY_NET_SERVER_H
#define TALLY_NET_SERVER_H

#include "node/node.h"
#include "tls/tls.h"

struct server;

/* The parent of a node that renews its certificates; copies. */
struct server_parent {
    bool none; /* the node is the root */
    struct hash key;
    char addresses[ADDRESSES_MAX][ADDRESS_MAX_BYTES + 1];
    size_t address_count;
    bool stop; /* set atomically when the process stops */
};

/* What the server needs from outside. All pointers live as long as the server. */
struct server_config {
    struct node *node;
    const char *socket_path;
    const char *listen_host; /* NULL: no TCP */
    int listen_port;
    struct bytes chain; /* PEM, as for tls_server_context */
    struct bytes key;
    struct bytes root;
    struct hash issuer_key; /* of the own CA: client certificates must be signed by it */

    void *ctx;
    /* Opens a reader for queries; called in the loop's thread. */
    enum err (*open_reader)(void *ctx, struct query **out, struct errmsg *msg);
    void (*close_reader)(void *ctx, struct query *query);
    /* Checks a join's requests and gives their keys. */
    enum err (*request_keys)(void *ctx, const struct msg_join *join, struct node_joiner *joiner,
                             struct errmsg *msg);
    /* Certifies as of `now`: fills the chains of `joined` (owned by ctx until the next call). */
    enum err (*issue)(void *ctx, const struct msg_join *join, struct wall now,
                      struct msg_joined *joined, struct errmsg *msg);
    /* Whether own certificates are past two thirds of their life. */
    bool (*certificates_age)(void *ctx, struct wall now);
    /* Gets new ones, from the parent or, at the root, from the own CA, and keeps them aside; says
     * how far the parent's clock is ahead. Called in a worker's thread, one at a time. */
    enum err (*renew)(void *ctx, const struct server_parent *parent, struct wall now,
                      int64_t *ahead_ms, struct errmsg *msg);
    /* Puts those into force, in the loop's thread; gives the new chain. */
    enum err (*renewed)(void *ctx, struct bytes *chain, struct errmsg *msg);
    /* A backup, in slices in the loop's thread: begun, made (of `size` bytes up to `at`), read part
     * by part (none behind its end; until the next call), let go. */
    enum err (*backup_begin)(void *ctx, struct errmsg *msg);
    enum err (*backup_step)(void *ctx, bool *done, int64_t *at, int64_t *size, struct errmsg *msg);
    enum err (*backup_read)(void *ctx, int64_t at, struct bytes *part, int64_t *size,
                            struct errmsg *msg);
    void (*backup_end)(void *ctx);
    /* A bundle, one at a time, in the loop's thread. Written: begun for a node's key; each message,
     * then NULL, gives what the file goes on with (until the next call). Read: kept part by part,
     * judged, then read message by message (until the next call; NULL at the end). Let go. */
    enum err (*bundle_write_begin)(void *ctx, const struct hash *recipient, struct errmsg *msg);
    enum err (*bundle_write)(void *ctx, const struct message *message, struct bytes *ready,
                             struct errmsg *msg);
    enum err (*bundle_take_begin)(void *ctx, struct errmsg *msg);
    enum err (*bundle_take)(void *ctx, struct bytes part, struct errmsg *msg);
    enum err (*bundle_judge)(void *ctx, struct tls_peer *sender, struct errmsg *msg);
    enum err (*bundle_read)(void *ctx, const struct message **out, struct errmsg *msg);
    void (*bundle_end)(void *ctx);
    /* SIGHUP, readiness after listening, the end. */
    void (*reload)(void *ctx);
    void (*ready)(void *ctx);
    /* About once a second; an error ends the run with it. */
    enum err (*alive)(void *ctx, struct errmsg *msg);
};

/* Listens on both. ERR_BUSY with the address when a port or socket is in use, ERR_USAGE for an
 * address that is none. */
enum err server_new(const struct server_config *config, struct server **out, struct errmsg *msg)
    MUST_CHECK;

/* Runs until SIGTERM or SIGINT, then drains and returns ERR_OK; ERR_IO when the disk cannot be
 * trusted any more. */
enum err server_run(struct server *server, struct errmsg *msg) MUST_CHECK;

void server_free(struct server *server);

#endif

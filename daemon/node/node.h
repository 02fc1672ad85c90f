/* The node as a state machine: events in, effects out. It knows no socket, thread, clock, random
 * source, file or log; time comes in with every batch, randomness and signatures through struct
 * node_env, and everything it wants done comes out as effects. It runs on one thread, a batch at a
 * time:
 *
 *     node_begin(now); any number of node_on_...(); node_commit(); every node_effect()
 *
 * Effects are only handed out after the commit is durable, so nothing can be acknowledged before.
 * When the commit fails, nothing of the batch has happened: the effects then are error replies to
 * its requests and the closing of its links. All pointers passed in need to live until node_commit
 * returns; those in effects live until the next node_begin. */
#ifndef TALLY_NODE_H
#define TALLY_NODE_H

#include "proto/message.h"
#include "proto/token.h"

struct store;

struct node;

/* What the node asks of the world. `sign` uses the node's own key. `root_verify` is not needed:
 * `verify` takes any key. */
struct node_env {
    void *ctx;
    void (*random)(void *ctx, void *out, size_t len);
    enum err (*sign)(void *ctx, struct bytes data, struct signature *out);
    bool (*verify)(void *ctx, const struct hash *key, struct bytes data,
                   const struct signature *signature);
};

/* Who recorded, and what that person may do. */
enum node_role { NODE_ROLE_READER = 1, NODE_ROLE_RECORDER = 2, NODE_ROLE_ADMIN = 3 };
struct node_client {
    uint64_t id; /* the connection */
    enum node_role role;
    const char *author;
};

enum effect_type {
    EFFECT_SEND = 1, /* message to link */
    EFFECT_CLOSE,    /* close link after what was sent; `text` says why */
    EFFECT_REPLY,    /* reply to client `link` */
    EFFECT_ISSUE,  /* certify who asks on `link` and send it `joined`, which lacks chains and clock
                    */
    EFFECT_LOG,    /* one line */
    EFFECT_BUNDLE, /* message into the bundle that is written */
};

struct effect {
    enum effect_type type;
    uint64_t link;
    const struct message *message;   /* send, reply, bundle */
    const struct msg_joined *joined; /* issue */
    const char *text;                /* close, log */
    struct hash key;                 /* bundle: of the node that it is for */
    bool warn;                       /* log */
};

/* ---- making a node; both leave a database that node_open takes ---- */

struct node_root {
    const char *unit;
    const char *name;
    const char *level;
    struct id tree;
    struct id node;
    struct id origin;
    struct hash key;                   /* of the node */
    const struct catalogue *catalogue; /* or NULL */
    struct node_env env;
    struct now now;
    const char *author;
};

enum err node_make_root(struct store *store, const struct node_root *root, struct errmsg *msg)
    MUST_CHECK;
enum err node_make_child(struct store *store, const struct msg_joined *joined,
                         const struct hash *key, struct errmsg *msg) MUST_CHECK;

/* Whose database that is. */
struct node_owner {
    struct id tree;
    struct id origin;
    bool is_root;
    char unit[CODE_MAX_BYTES + 1];
};
enum err node_owner(struct store *store, struct node_owner *out, struct errmsg *msg) MUST_CHECK;

/* The database of a node that has joined again, with its data: it goes on under the new identity.
 * Who it was to others is forgotten (sessions, what the parent had of its feed); its ledger and all
 * else it knows stays. Doing it twice changes nothing more. */
enum err node_rejoin(struct store *store, const struct msg_joined *joined, const struct hash *key,
                     struct errmsg *msg) MUST_CHECK;

/* The database is a backup that was put back: the node does not know any more what it has decided
 * since, and leaves room for it. */
enum err node_put_back(struct store *store, struct errmsg *msg) MUST_CHECK;

/* Who a node is and where it stands, as canonical bytes, appended: what must be kept outside its
 * file to make that anew. */
enum err node_identity_bytes(struct store *store, struct buf *out) MUST_CHECK;
/* ERR_INVALID for what are no such bytes. */
enum err node_identity_look(struct bytes bytes, bool *is_root, struct errmsg *msg) MUST_CHECK;

/* The file that a new one takes the place of: its name, and what people are told of it. */
struct node_aside {
    const char *name;
    const char *text;
    struct wall at;
};
/* The file of a node below another, anew: its parent gives back its ledger, its children theirs.
 * An alarm tells of the old one until a verify has shown it. ERR_REFUSED for a root. */
enum err node_make_again(struct store *store, struct bytes identity, const struct hash *key,
                         const struct node_aside *aside, struct errmsg *msg) MUST_CHECK;

/* ---- running ---- */

/* Takes the store but does not own it. Stores a new session name, so it writes. */
enum err node_open(struct store *store, const struct node_env *env, struct now now,
                   struct node **out, struct errmsg *msg) MUST_CHECK;
void node_close(struct node *node);

/* Addresses that invitations name, copied; at most ADDRESSES_MAX. And the root certificate's
 * SHA-256 for them. */
void node_set_addresses(struct node *node, const char *const *addresses, size_t count,
                        const struct hash *root);

struct node_identity {
    struct id tree;
    struct id node;
    const char *unit;
    bool is_root;
    struct hash parent_key; /* unless root */
    int64_t parent_number;  /* of its hosting, from its certificate; 0: not known */
    const char *const *parent_addresses;
    size_t parent_address_count;
};
/* Valid until the node is closed; what it points to, until the next batch begins: the parent's part
 * may be replaced by a welcome, all of it after a batch that failed. */
const struct node_identity *node_identity(const struct node *node);

void node_begin(struct node *node, struct now now);

/* The key of who answers where the parent was, and the number of its hosting, from its verified
 * certificate: kept once it has welcomed this node. Before node_on_uplink. */
void node_on_parent(struct node *node, const struct hash *key, int64_t number);
/* The link to the parent is up, its certificate verified against the root and its key equal to the
 * identity's. */
void node_on_uplink(struct node *node, uint64_t link);
/* No link could be made; `why` is shown until there is one. */
void node_on_uplink_failed(struct node *node, const char *why);
/* Who is at the other end of a child's link, from its verified certificate. */
struct node_peer {
    struct id node; /* from the name in it */
    struct hash key;
    const char *address; /* of the machine, or NULL */
    bool certified;      /* this node's own CA made it: the next two are an act of this node */
    const char *unit;
    int64_t number; /* of the hosting; 0: it says none */
};
/* A child's link is up. */
void node_on_downlink(struct node *node, uint64_t link, const struct node_peer *peer);
void node_on_link_down(struct node *node, uint64_t link, const char *why);
void node_on_message(struct node *node, uint64_t link, const struct message *message);

/* A stranger asks to join; the exporter value of its TLS session, and the keys of its two requests
 * (already checked). */
struct node_joiner {
    struct hash exporter;
    struct hash node_key;
    struct hash ca_key;
    const char *address;
};
void node_on_join(struct node *node, uint64_t link, const struct msg_join *join,
                  const struct node_joiner *joiner);

/* A node below, known by its certificate, asks for new ones. */
void node_on_renew(struct node *node, uint64_t link, const struct id *node_id,
                   const struct hash *key);

/* A request that writes, waits, or asks for the node's own state. Queries go to node_query. */
void node_on_request(struct node *node, const struct node_client *client,
                     const struct msg_request *request);
void node_on_client_gone(struct node *node, uint64_t client);

/* Bundles, one at a time. Writing begins with the request for it (node_on_request); while no reply
 * has come, node_on_bundle_next in a batch of its own gives more messages, one or two a batch. */
void node_on_bundle_next(struct node *node);

/* Who has signed a bundle that was read: the key of its certificate, which leads to this tree's
 * root, and the node that it names. */
struct node_bundle_sender {
    struct hash key;
    struct id node;
    bool is_parent; /* it may speak as this node's parent does */
    int64_t number; /* of its hosting */
};
/* Reading: who it is from, then its messages in order, each in a batch of its own, then the end. A
 * reply comes at the end, or before when nothing more of it is taken. */
void node_on_bundle_read(struct node *node, const struct node_client *client, uint64_t request,
                         const struct node_bundle_sender *sender);
void node_on_bundle_message(struct node *node, const struct message *message);
void node_on_bundle_end(struct node *node);
/* Whoever wanted it is gone: what was read so far stays. */
void node_on_bundle_gone(struct node *node);

/* Somebody was shown the result of a verify: alarms whose cause is mended have been seen. */
void node_on_verified(struct node *node);

/* A query has met a part of the file that cannot be read; what this node itself reads may come from
 * memory still. */
void node_on_unreadable(struct node *node);

/* At least once a second. */
void node_on_tick(struct node *node);

/* ERR_OK, or why nothing of the batch has happened. ERR_IO: the process must stop, the disk cannot
 * be trusted. */
enum err node_commit(struct node *node, struct errmsg *msg) MUST_CHECK;

/* The effects one after the other; NULL at the end. */
const struct effect *node_effect(struct node *node);

/* Whether a tick would find work now: the audit after the start has slices left. */
bool node_wants_tick(const struct node *node);

/* Whether the file cannot be kept up with how links stand: a batch failed (the disk is full, say),
 * and none has been committed since. Queries are to be told. */
bool node_is_behind(const struct node *node);

/* Whether the disk is full: new entries and decisions are refused and nothing is taken in from
 * children, so that what room is left serves what is to go up. Known from the next tick on. */
void node_set_full(struct node *node, bool full);

/* Why the file had better be made anew, when that is so: parts of it cannot be used, or are damaged
 * so that they cannot be put right row by row, and all that is in it is at the neighbours too. NULL
 * else, and always at the root. Between batches; lives until the next one begins. */
const char *node_wants_new_file(struct node *node);

/* ---- queries: on a reader, in any thread; several may run at the same time, each with its own
 * reader ---- */

struct query;
struct query *query_new(struct store *reader);
void query_free(struct query *query);

/* For the next runs: the file is behind (node_is_behind), and no link is called exact. */
void query_set_behind(struct query *query, bool behind);

/* Whether the request is a query. */
bool query_wants(enum request_type type);

/* Runs one and gives its replies, one or more, in order. `sink` returning false ends it early.
 * Replies live until it returns. */
typedef bool (*query_sink_fn)(void *ctx, const struct message *reply);
void query_run(struct query *query, const struct msg_request *request, struct now now,
               query_sink_fn sink, void *ctx);

#endif

/* What the files of the server share. */
#ifndef TALLY_NET_SERVER_INTERNAL_H
#define TALLY_NET_SERVER_INTERNAL_H

#include <uv.h>

#include "base/map.h"
#include "net/conn.h"
#include "net/server.h"

enum {
    PEERS_MAX = 4096,              /* connections at the same time */
    STRANGERS_MAX = 128,           /* of them, still in their handshake */
    STRANGER_PATIENCE_MS = 3000,   /* older ones make room when there are too many */
    CLIENTS_MAX = 256,             /* of them, clients */
    REQUESTS_MAX = 8,              /* of one client, unanswered */
    QUERIES_MAX = 64,              /* waiting for a reader */
    READERS = 2,                   /* queries that run at the same time */
    REPLY_CHUNK_BYTES = 1 << 20,   /* of one query, not yet given to its connection */
    REPLY_WAITING_BYTES = 4 << 20, /* of one connection, not yet sent */
    REPLY_PATIENCE_MS =
        30000, /* a client that reads nothing of its answer for so long is cut off */
    EVENTS_PER_BATCH = 512,
    EVENTS_BYTES_MAX = 32 << 20, /* waiting events; more pauses whoever sends */
    LINK_EVENTS_MAX = 64,        /* waiting events of one connection */
    TICK_MS = 500,
    TICK_SOON_MS = 2, /* while the node has slices of work left */
    DIAL_FIRST_MS = 100,
    DIAL_LAST_MS = 10000,
    DIAL_TIMEOUT_MS = 10000,
    DIAL_STABLE_MS = 5000, /* a link that held for so long starts the delays anew */
    DRAIN_MS = 6000,
    RENEW_FIRST_MS = 1000,       /* from the start to the first look at the own certificates */
    RENEW_LOOK_MS = 3600 * 1000, /* between two looks */
    RENEW_AGAIN_MS = 20 * 1000,  /* between two renewals because links do not come about */
    BACKLOG = 512,
    PEER_ADDRESS_BYTES = 80,
};

enum peer_kind {
    PEER_STRANGER = 1,
    PEER_CLIENT,
    PEER_CHILD,
    PEER_JOINER,
    PEER_RENEWER, /* a child that wants new certificates */
    PEER_PARENT
};

struct peer {
    struct server *server;
    struct conn *conn;
    uint64_t id;
    enum peer_kind kind;
    enum node_role role;
    char author[AUTHOR_MAX_BYTES + 1];
    char address[PEER_ADDRESS_BYTES];
    struct id node;                /* of a child, from its certificate */
    struct hash key;               /* of a child or the parent */
    int64_t number;                /* of the parent's hosting, or of a child's */
    bool certified;                /* a child, by this node's own CA */
    char unit[CODE_MAX_BYTES + 1]; /* of a child, from its certificate */
    struct hash exporter;          /* of a joiner */
    bool told;                     /* the node knows it */
    bool dialled;                  /* by this side */
    size_t unanswered;             /* requests */
    size_t events;                 /* waiting */
    uint64_t since;                /* loop time of its start */
};

enum event_type {
    EVENT_MESSAGE = 1,
    EVENT_REQUEST,
    EVENT_JOIN,
    EVENT_RENEW,
    EVENT_CHILD,
    EVENT_PARENT,
    EVENT_LINK_DOWN,
    EVENT_CLIENT_GONE,
    EVENT_DIAL_FAILED,
    EVENT_VERIFIED,
    EVENT_UNREADABLE,
    EVENT_TICK,
};

/* Owns its arena, in which message, author and text lie. */
struct event {
    struct event *next;
    enum event_type type;
    uint64_t peer;
    enum node_role role;
    const char *text; /* author, address or reason */
    struct id node;
    int64_t number;
    const char *unit; /* of a child that this node's own CA has certified, else NULL */
    struct node_joiner joiner;
    struct message message;
    struct arena arena;
};

struct job;

struct workers {
    uv_async_t async;
    struct query *readers[READERS];
    bool busy[READERS];
    struct job *running;
    struct job *waiting;
    size_t waiting_count;
};

struct dial {
    uv_timer_t timer;
    uv_getaddrinfo_t resolve;
    uv_connect_t connect;
    bool resolving;
    struct peer *peer; /* while connecting or linked */
    bool connecting;
    size_t turn;  /* which address is next */
    size_t round; /* over all of them, of the one at hand */
    unsigned failures;
    char address[ADDRESS_MAX_BYTES + 1];
    char why[ERRMSG_MAX_BYTES];
};

/* Own certificates: new ones come from a worker's thread. */
struct renewal {
    uv_work_t work;
    bool running;
    uint64_t look_at;  /* loop time */
    uint64_t again_at; /* loop time before which no broken link makes another one */
    struct server_parent parent;
    struct wall now;
    int64_t ahead_ms;
    enum err err;
    struct errmsg why;
};

/* The backup that is under way, for one client. */
struct backup_job {
    uv_timer_t timer;
    bool running;
    bool made; /* the copy is whole, and is being sent */
    uint64_t peer;
    uint64_t request;
    int64_t at; /* bytes copied, then bytes sent */
    int64_t size;
    uint64_t said_at; /* loop time */
};

/* The bundle that is under way, for one client. */
enum bundle_phase {
    BUNDLE_PHASE_NONE = 0,
    BUNDLE_PHASE_WRITE, /* the node gives messages */
    BUNDLE_PHASE_SENT,  /* it has given all; what is sealed goes out, then its reply */
    BUNDLE_PHASE_TAKE,  /* parts come from the client */
    BUNDLE_PHASE_READ,  /* the node takes messages */
};

struct bundle_job {
    uv_timer_t timer;
    enum bundle_phase phase;
    bool sealing; /* written: the file has been begun */
    uint64_t peer;
    uint64_t request;       /* the last one */
    int64_t at;             /* bytes */
    uint64_t moved_at;      /* loop time when something last went on */
    uint64_t said_at;       /* read: the client last heard that it goes on */
    struct buf ready;       /* sealed, not sent yet */
    struct msg_reply reply; /* written: the node's, when all has been sent */
    char unit[CODE_MAX_BYTES + 1];
    enum err err; /* why it failed; and in words */
    struct errmsg why;
};

struct server {
    struct server_config config;
    uv_loop_t loop;
    uv_tcp_t tcp;
    uv_pipe_t pipe;
    uv_signal_t signals[3];
    uv_timer_t tick;
    uv_check_t check;
    uv_prepare_t prepare;
    uv_idle_t more; /* keeps the loop from sleeping while events wait */
    uv_timer_t drain;
    size_t handles; /* of the above, open */
    bool accept_waits;
    struct tls_context *accepting;
    struct tls_context *dialling;
    struct conn_owner owner;
    struct map peers; /* id -> struct peer * */
    uint64_t next_id;
    size_t strangers;
    size_t clients;
    struct event *events;
    struct event **events_end;
    size_t event_count;
    size_t event_bytes;
    bool paused; /* somebody is */
    struct workers workers;
    struct dial dial;
    struct renewal renewal;
    struct backup_job backup;
    struct bundle_job bundle;
    int64_t ahead_ms; /* the parent's clock, when certificates last came from it */
    uint64_t alive_at;
    bool stopping;
    enum err failed;
    struct errmsg failure;
};

/* ---- peers.c ---- */

struct peer *peers_get(struct server *server, uint64_t id);
/* A new connection, started by the caller; NULL when memory ends or there are too many. */
struct peer *peers_new(struct server *server, bool local, bool dialled);
void peers_init(struct server *server);
/* All connections send what waits and close. */
void peers_close_all(struct server *server, const char *why);
/* Whether who has that certificate may speak as this node's parent. */
bool peers_is_parent(const struct server *server, const struct tls_peer *certificate);
/* The node that it names; false: it is not a node's. */
bool peers_node_of(const struct tls_peer *certificate, struct id *node);
/* Answers a request with a refusal. */
void peers_refuse(struct peer *peer, const struct msg_request *request, enum err err,
                  const char *text);
/* One request of the client was answered. */
void peers_answered(struct peer *peer);
/* Whoever was paused for too many events reads on. */
void peers_resume(struct server *server);

/* ---- backup.c ---- */

void backup_init_job(struct server *server);
void backup_ask(struct server *server, struct peer *peer, const struct msg_request *request);
void backup_stop(struct server *server);

/* ---- bundle.c ---- */

void bundle_init_job(struct server *server);
void bundle_ask(struct server *server, struct peer *peer, const struct message *message);
/* What the node says of the bundle: a message of it, or the reply. */
void bundle_put(struct server *server, const struct effect *effect);
void bundle_replied(struct server *server, const struct msg_reply *reply);
void bundle_stop(struct server *server);

/* ---- listen.c ---- */

enum err listen_start(struct server *server, struct errmsg *msg) MUST_CHECK;
/* Takes a connection that had to wait for room. */
void listen_retry(struct server *server);

/* ---- batch.c ---- */

/* An empty event to be filled and posted; NULL when memory ends. */
struct event *event_new(enum event_type type, uint64_t peer);
void event_post(struct server *server, struct event *event);
void batch_run(struct server *server);
/* A batch of one thing that is told to the node; in no other one's midst. */
typedef void (*batch_tell_fn)(struct node *node, void *ctx);
void batch_alone(struct server *server, batch_tell_fn tell, void *ctx);
void batch_forget(struct server *server);

/* ---- workers.c ---- */

void workers_init(struct server *server);
/* Takes the message with its arena, also when it fails. False: too busy. */
bool workers_query(struct server *server, struct peer *peer, const struct message *message,
                   struct arena *arena);
void workers_pump(struct server *server);
void workers_peer_gone(struct server *server, uint64_t peer);
void workers_stop(struct server *server);
bool workers_idle(const struct server *server);

/* ---- dial.c ---- */

void dial_init(struct server *server);
void dial_linked(struct server *server);
void dial_closed(struct server *server, const struct peer *peer, const char *why);
void dial_stop(struct server *server);
/* What kept links from coming about may be gone: dials at once. */
void dial_soon(struct server *server);

/* ---- renew.c ---- */

void renew_init(struct server *server);
/* From time to time: looks whether the certificates grow old. */
void renew_tick(struct server *server);
/* A connection to the parent ended before anything was heard on it: perhaps a certificate has
 * expired, or a clock is wrong. */
void renew_after_silence(struct server *server);
void renew_stop(struct server *server);
/* This machine's clock, put right by what is known of the parent's. */
struct wall renew_now(const struct server *server);

#endif

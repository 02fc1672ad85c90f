/* layer: node store codec */
/* A simulated world: hosts (a machine with a disk, a clock and one real node), the lines between
 * them, and virtual time. It is what the daemon's net/ and the operating system are to a real node,
 * and nothing more; what people do and what goes wrong is in plan.h, what must hold in checks.h.
 *
 * One heap of events, keyed by (time, order of making), drives everything; a run is a function of
 * the seed. Files from the bottom up: chance, copy, disk, model; world.c (time, trace), lines.c
 * (the network), hosts.c (machines and batches), tree.c (making trees); offers.c (what people ask
 * for and what becomes of it), checks.c (invariants), plan.c (what happens in a run), people.c and
 * faults.c (doing it), run.c (a whole run), shrink.c. */
#ifndef TALLY_SIM_WORLD_H
#define TALLY_SIM_WORLD_H

#include <stdio.h>

#include "base/map.h"
#include "chance.h"
#include "codec/codec.h"
#include "disk.h"
#include "model.h"
#include "node/internal.h"
#include "proto/token.h"

enum {
    SECOND_US = 1000000,
    MS_US = 1000,
    LINE_PACKETS_MAX =
        256, /* on one line in one direction: more would be a queue without a limit */
    TEXT_BYTES = 480,
    CODE_BYTES = 24,
};

#define HOST_DATABASE "tally.db"

struct world;
struct host;

/* ---- the network ---- */

enum { CHILD_END = 0, PARENT_END = 1 };

/* A message on its way; `hang_up`: the other end has closed. */
struct packet {
    struct packet *next;
    int64_t due_us;
    bool hang_up;
    struct arena arena;     /* of the message */
    struct message message; /* unless the world speaks in bytes */
    uint8_t *bytes;
    size_t len;
};

/* A connection from a child to its parent. */
struct line {
    uint64_t id;
    struct host *end[2];
    bool told[2]; /* the node at that end knows of it */
    bool gone[2]; /* nothing arrives there any more */
    bool over[2]; /* there is nobody at that end any more, or its node has been told */
    struct codec *codec[2];
    struct frames *frames[2];
    struct packet *first[2]; /* on their way to that end */
    struct packet **last[2];
    size_t packets[2];
    int64_t free_at_us[2];     /* the line towards that end is busy until then */
    struct packet *kept[2][2]; /* a batch and an acknowledgement of before, to come again */
    uint64_t session;          /* of the child, as its family numbers them */
    struct host *rival;        /* linked when the child said hello, and able to answer; or NULL */
    uint64_t rival_session;
    struct map covered; /* segment -> how much of it the parent has, or has on its way */
};

/* How the way from a host to its parent is at the moment. */
struct route {
    int64_t latency_us;
    int64_t bytes_per_s;         /* 0: no limit */
    int64_t blocked_until_us[2]; /* nothing arrives at that end before */
    int64_t apart_until_us;      /* no connection can be made before */
    unsigned twice_percent;      /* of messages come twice */
    unsigned again_percent;      /* of batches bring an older one with them */
};

/* ---- hosts ---- */

enum host_state {
    HOST_DOWN, /* no process */
    HOST_UP,
    HOST_OFF,   /* people have switched it off */
    HOST_BROKEN /* its database cannot be opened: stays down */
};

struct offer;
struct joining;
struct book;
struct family;

enum item_kind {
    ITEM_UPLINK,
    ITEM_DOWNLINK,
    ITEM_MESSAGE,
    ITEM_LINK_DOWN,
    ITEM_REQUEST,
    ITEM_JOIN,
    ITEM_DIAL_FAILED,
    ITEM_TICK,
};

/* What waits for a node's next batch. */
struct item {
    struct item *next;
    enum item_kind kind;
    uint64_t line;
    struct packet *packet; /* owned */
    struct offer *offer;
    struct joining *joining;
};

struct host {
    struct world *world;
    int number;
    char code[CODE_BYTES];
    char level[CODE_BYTES];
    struct host *parent;
    int depth;
    struct chance chance;
    struct disk *disk;
    struct store *store;
    struct node *node;
    struct store *reader;
    struct query *query;
    enum host_state state;
    struct hash key;
    struct hash certified; /* the key in its certificate, and the number of its hosting there */
    int64_t number_certified;
    struct id node_id;
    struct id origin;
    /* time */
    int64_t wall_offset_ms;
    int64_t drift_ppm;
    int64_t drift_from_us;
    int64_t mono_offset_ms;
    int32_t today;     /* of the batch under way */
    int64_t wall_ms;   /* the same, by this machine's clock */
    int64_t newest_ms; /* by that clock, the latest recording that was confirmed */
    struct map walls;  /* wall_ms of every batch so far */
    /* work */
    struct item *items;
    struct item **items_end;
    size_t item_count;
    bool turn_due;
    int64_t busy_until_us;
    int64_t op_us;                 /* what an operation of the disk takes */
    int64_t sync_us;               /* what a sync takes */
    uint64_t process;              /* how often it was started */
    enum disk_damage damage;       /* what its next stop leaves */
    struct disk_fault after_fault; /* becomes the next one when its disk has stopped */
    struct disk_fault next_fault;  /* set when its process starts the next time */
    enum disk_damage next_damage;
    bool starts_again; /* a start is due */
    bool ticks;
    /* the way up */
    struct route route;
    struct line *up;
    bool dial_due;
    /* for the checks */
    int own;   /* origin in the model, as this host sees itself */
    int shown; /* as others see it */
    int *was;  /* as they may have seen it before it lost entries, or had them back */
    size_t was_count;
    bool healing;          /* its parent gives back what it has lost */
    int64_t healed_length; /* of its ledger, when the book was held against it last */
    bool healed;           /* it has had something back */
    int64_t rank;
    struct map marks; /* revisions that it has called the head of its feed */
    bool exact_above; /* its parent calls it exact, after the parent's last batch */
    bool may_lose;    /* its disk has lied or was put back: what is missing there has a reason */
    bool loses;       /* and its next start may find less than was confirmed */
    bool put_back;    /* and its parent has turned it away for it */
    bool in_line;     /* so has another one, above or below it: nobody may have them any more */
    bool doubtful;    /* bits of its file were flipped, or its disk lied */
    bool bitten;      /* they were flipped: a text may be another one until that is noticed */
    bool spoiled;     /* rows of it were changed */
    bool gave_up;     /* and its process has stopped for it, when nothing else was wrong */
    bool lost;        /* its file is gone, or cannot be used */
    bool unknown;     /* its parent, whose data is of an older time, has turned it away */
    bool copied;      /* a copy of its file lies beside it */
    int64_t escrow_acked; /* entries of its ledger that its parent has acknowledged */
    int64_t up_since_us;
    struct map counts; /* highest count seen of each cell of this file */
    struct book *book; /* what is in its ledger for good, see offers.h */
    /* of a machine with the data of a node that others have, too: see clones.h */
    struct family *family; /* NULL: there are no others */
    bool aside;            /* another one counts */
    bool superseded;       /* the identity was issued anew to another one */
    bool fenced;           /* turned away, or its identity ended; nothing has gone up since */
    int64_t fenced_us;
    bool rests;          /* nobody records on it until another machine is turned away for it */
    bool asked;          /* whether it is to get a new identity in the end */
    size_t gathered;     /* facts that it had when it counted last */
    int64_t generation;  /* of its identity */
    uint64_t session;    /* number of the name of its process */
    struct map knows;    /* the names that its file knows */
    struct chance alike; /* what it draws from in the process of that number, as another one does */
    uint64_t alike_process;
    uint64_t alike_session;
};

/* A node that is being made below `parent`. */
struct joining {
    struct joining *next;
    struct host *parent;
    struct host *again; /* a machine that gets a new identity; NULL: a new one */
    struct offer *invite;
    char code[CODE_BYTES];
    char level[CODE_BYTES];
    char token[TOKEN_MAX_BYTES];
    struct hash key;
    uint64_t line;
    bool asked; /* a join is on its way */
    bool done;
    int unit; /* in the model; -1: made with the invitation */
};

/* ---- time ---- */

enum event_kind {
    EVENT_TURN,
    EVENT_TICK,
    EVENT_ARRIVE,
    EVENT_DIAL,
    EVENT_START,
    EVENT_STEP,
    EVENT_JOIN,
    EVENT_CALL,
};

struct event {
    int64_t at_us;
    uint64_t order;
    enum event_kind kind;
    struct host *host;
    uint64_t number; /* line and end, step, process */
};

/* The first violation at a host that a damaged file may be the reason of: it counts unless the
 * damage is named in the end. */
struct doubt {
    bool is;
    char check[CODE_BYTES];
    char text[TEXT_BYTES];
};

struct world {
    uint64_t seed;
    int64_t now_us;
    uint64_t order;
    struct event *events; /* a heap */
    size_t event_count;
    size_t event_cap;
    struct host **hosts;
    size_t host_count;
    size_t host_cap;
    struct map lines; /* id -> struct line * */
    uint64_t next_line;
    struct joining *joinings;
    struct family *families;
    bool join_due;
    struct id tree;
    struct hash root_key;
    int64_t wall_base_ms;
    bool in_bytes;       /* every message goes through the codec and the framing */
    size_t window;       /* no batch is larger, in bytes; 0: as large as the nodes make them */
    bool hard_questions; /* they meet the faults of disks and memory, too */
    bool light;          /* large: what was confirmed is kept, and only the end is looked at */
    int64_t tick_us;     /* between two ticks of a node */
    bool healing;        /* nothing goes wrong any more */
    bool flipped;        /* a file was damaged: what its host, and what lies above and below it, say
                            is looked at in the end only */
    bool in_line;        /* two nodes in a line have lost entries: what the model has of them nobody
                            can say, and the line is held against itself in the end */
    int64_t least; /* what the root's cells of one measure, raised, come to at least in the end */
    bool spoiled;  /* rows were changed that can be put right: at the end all of them are */
    bool ending;   /* this is the end */
    bool keeps_history;
    struct disk *empty; /* with a new database to be copied; NULL: each node makes its own */
    struct model *model;
    struct offers *offers;
    struct checks *checks;
    const struct plan *plan;
    void (*on_step)(struct world *world, uint64_t step);
    /* Sees what a node says to that end; may change it, or return false to lose it. May be NULL. */
    bool (*tap)(struct world *world, struct line *line, int to, struct message *message);
    /* what happened */
    uint64_t trace; /* a hash over all of it */
    uint64_t batches;
    uint64_t messages;
    uint64_t faults;
    FILE *out;              /* where the trace is written in words, or NULL */
    bool violated;          /* and the run ends */
    char check[CODE_BYTES]; /* the invariant that was violated */
    char text[TEXT_BYTES];
    struct host *current; /* whose turn it is, or who is looked at; NULL: nobody */
    struct doubt doubt;
    bool excused; /* there was a doubt, and it is explained */
};

/* ---- world.c ---- */
struct world *world_new(uint64_t seed, bool keeps_history);
void world_free(struct world *world);
void world_event(struct world *world, int64_t at_us, enum event_kind kind, struct host *host,
                 uint64_t number);
/* Until that time, or the first violation. */
void world_run_until(struct world *world, int64_t until_us);
/* The first violation is kept; the run ends, unless damage may be the reason. */
void world_violate(struct world *world, const char *check, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Goes into the hash, and in words to `out`. */
void world_trace(struct world *world, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void world_note(struct world *world, uint64_t value); /* into the hash only */

/* ---- lines.c ---- */
struct line *line_open(struct world *world, struct host *child);
struct line *line_find(struct world *world, uint64_t id);
int line_end(const struct line *line, const struct host *host);
void line_send(struct world *world, struct line *line, int to, const struct message *message);
/* This end closes after what was sent. */
void line_close(struct world *world, struct line *line, int end);
/* The connection breaks. `silent`: the parent's end does not hear of it. */
void line_break(struct world *world, struct line *line, bool silent);
/* The process at this end is gone; the other end hears of it unless `silent`. */
void line_end_died(struct world *world, struct line *line, int end, bool silent);
void line_arrive(struct world *world, uint64_t number);
/* The node at this end has been told that the link is down. */
void line_over(struct world *world, struct line *line, int end);
void line_packet_free(struct packet *packet);
/* Gives a packet that arrived to the node of that end, inside a batch. */
void line_deliver(struct world *world, struct line *line, int end, struct packet *packet);
/* After ways were opened: what waits is looked at. */
void lines_go_on(struct world *world);
void lines_free(struct world *world);
void host_dial(struct world *world, struct host *host);
void host_dial_later(struct world *world, struct host *host, int64_t in_us);

/* ---- hosts.c ---- */
/* True while the code under test runs: allocations may fail then, and only then. */
extern volatile bool host_inside;
struct host *host_new(struct world *world, const char *code, const char *level,
                      struct host *parent);
void host_free(struct host *host);
struct now host_now(const struct world *world, const struct host *host);
struct node_env host_env(struct host *host);
void host_give(struct world *world, struct host *host, struct item item);
void host_turn(struct world *world, struct host *host);
/* Starts the process. On a failure it is tried again, or the host is broken. */
void host_start(struct world *world, struct host *host);
/* Ends it: clean, as by SIGTERM; else as the host's disk and `damage` say. */
void host_stop(struct world *world, struct host *host, bool clean);
/* Killed between two batches. */
void host_kill(struct world *world, struct host *host, enum disk_damage damage, bool silent);
void host_start_later(struct world *world, struct host *host, int64_t in_us);
/* Its disk lies, or its file is put back: its next start may find less than was confirmed. */
void host_may_lose(struct host *host);

/* ---- questions.c ---- */
/* Runs a query on the host's reader. ERR_OK, or why it could not be asked. */
enum err host_query(struct world *world, struct host *host, const struct msg_request *request,
                    query_sink_fn sink, void *ctx);
struct host *host_of_origin(const struct world *world, const struct id *origin);
/* Whether `host` is `top` or lies below it. */
bool host_within(const struct host *host, const struct host *top);
/* Whether a file that was damaged may be the reason of what this host says: its own, one above it
 * or one below it. */
bool host_near_damage(const struct host *host);

/* ---- tree.c ---- */
enum { CATALOGUES = 3 };
/* Version 1, 2, 3: each has more measures than the one before, the last a new category too. */
const struct catalogue *tree_catalogue(int version);
/* Which of them a node has, by what is in it; 0 for none. */
int tree_version(const struct catalogue *catalogue);
/* A root with catalogue `version` (0: none), running, and known to the model. */
struct host *tree_root(struct world *world, const char *code, const char *level, int version);
/* A node below another, made at once (the parent runs and nothing fails), and started. */
struct host *tree_child(struct world *world, struct host *parent, const char *code,
                        const char *level);
/* A unit without a node, made at once. */
int tree_unit(struct world *world, struct host *host, const char *code, const char *level,
              const char *parent);
/* From here on new nodes' databases begin as copies of one, which saves a tenth of a run. */
void tree_keep_empty(struct world *world);
/* Makes the database of a host that has joined. False when its disk fails. */
bool tree_make_database(struct world *world, struct host *host, const struct msg_joined *joined);
/* The message of a join that shows a token's secret. */
bool tree_join_message(const char *text, const struct hash *key, struct msg_join *join);

#endif

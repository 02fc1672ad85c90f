/* Inside the node: its state, and what its files ask of each other. Files from the bottom up: view
 * (units, catalogue), state (caches, effects, alarms), cells (roll-up), ledger (own entries), rows
 * (rows of the feed), feed (batches out), refuse and receive (batches in), giveback and heal (what
 * a child has lost), ranges and compare (cells that differ),
 * uplink, downlink with hello and mark (sessions), bundle (the same as a file), request with
 * record, correct, admin, wait and join (requests), audit, open, node (dispatch). */
#ifndef TALLY_NODE_INTERNAL_H
#define TALLY_NODE_INTERNAL_H

#include "node/link.h"
#include "node/node.h"
#include "node/texts.h"
#include "node/view.h"
#include "proto/act.h"

enum {
    LINKS_MAX = 20000,          /* live links of one node */
    WAITERS_MAX = 4096,         /* clients that wait for a revision */
    HELD_ROWS_MAX = 100000,     /* held cells of one node */
    REFUSED_ROWS_KEPT = 100000, /* refused rows remembered */
    ORIGINS_MAX = 250000,       /* origins known */
    HOMELESS_MAX = 1000,        /* origins from below that no act gave a unit */
    ALARMS_MAX = 1000,          /* alarms kept */
    FORKED_KEPT = 32,           /* sessions remembered that two processes have */
    EFFECTS_ARENA_BYTES = 256 << 20,
    PING_EVERY_MS = 5000,    /* said when nothing else was */
    SILENCE_MS = 20000,      /* a link that heard nothing for so long is closed */
    WINDOW_MIN_BYTES = 4096, /* of a batch; adapts between these */
    WINDOW_START_BYTES = 65536,
    WINDOW_MAX_BYTES = 512 * 1024,
    DAY_MS = 86400 * 1000,
    REVISION_NONE = 0,
};

#define NODE_FULL "the disk is full; nothing of this was recorded; free some room and try again"
#define NODE_FULL_HERE "the disk of this office is full: it takes nothing in until there is room"

/* Why a node with `unsound` takes nothing in that must be looked up first. */
#define NODE_UNSOUND "a table of this file is damaged; " STORE_KEEP_ASIDE

/* A client that waits until the parent or the root holds a revision. */
struct waiter {
    uint64_t client;
    uint64_t request;
    enum wait_level level;
    int64_t revision; /* INT64_MAX: all up to the flush of its batch */
    int64_t entries;  /* place in the own ledger that must be in escrow too */
    struct mono deadline;
    bool fresh;    /* asked for in the batch under way */
    bool answered; /* in the batch under way */
};

/* ---- the transaction under way ---- */

struct cached_origin {
    struct store_origin row;
    bool dirty;
    int64_t coming;  /* entries that cells taken in since the last flush count more than before */
    bool room_later; /* among them is one that takes the place of a damaged row */
    bool marked;     /* nothing of it changed since the last mark went up */
    bool signs_well; /* the last signed heads of it were, by its key, and no alarm says else */
    bool fits;       /* what was last said of its heads fits, and no alarm says else */
    uint64_t stood;  /* hash of the heads that its cells stand for, as written; 0: not known */
};

/* How the heads stated for an origin stand against those known. */
enum heads_standing { HEADS_COVER = 1, HEADS_BEHIND, HEADS_FORK };
struct stated_heads {
    enum heads_standing standing;
    int64_t length; /* entries that its counts may add up to */
};

struct pending_cell {
    struct store_cell old;
    struct store_cell now;
    bool there;    /* whether the file has a row */
    bool damaged;  /* which is not what was written: nothing is worked out from it */
    bool named;    /* and an alarm says so */
    bool restored; /* `now` was had again from its origin */
    bool gone;     /* restored to nothing: the row is taken out */
};

struct total_key {
    int64_t unit;
    int64_t measure;
    int64_t category;
    int64_t period;
};

struct total_delta {
    wide value;
    int64_t entries;
};

struct effect_node {
    struct effect effect;
    struct effect_node *next;
};

/* A total or cell found wrong by the audit, to be mended at the next mark. */
struct damage {
    struct store_cell_key key; /* origin 0: a total */
};
enum { DAMAGES_MAX = 1000 };
enum { AUDIT_EVERY_MS = DAY_MS, AUDIT_AGAIN_MS = 10000, AUDIT_REST_FACTOR = 10 };

/* Rows whose revisions, not acknowledged yet, gave way to later ones: see revision.c. */
struct moved {
    int64_t from; /* the lowest and the highest that gave way; 0: none did */
    int64_t last;
    int64_t to; /* the highest that came instead */
};

struct audit;

struct node {
    struct store *store;
    struct node_env env;
    struct now now;
    struct view view;
    struct node_identity identity;
    struct arena identity_arena;
    char *addresses[ADDRESSES_MAX];
    size_t address_count;
    struct hash root_fingerprint;

    struct id origin;
    int64_t own_origin;
    int64_t hosting;      /* own hosting number */
    struct hash root_key; /* of the root node: verifies the catalogue */
    struct id session;    /* this process */

    /* the feed */
    int64_t head;          /* last revision given */
    int64_t cells_read_up; /* highest revision of a cell that may be above, or on its way there */
    int64_t cells_read_down;
    int64_t rows_read_up; /* the same of a status */
    struct moved moved_in_flight;
    struct moved moved;
    int64_t down_head; /* last revision of a row that may go down */
    int64_t stored_head;
    int64_t saved_head; /* at the savepoint */
    int64_t saved_down_head;

    /* own ledger */
    struct store_segment segment; /* id 0: none begun by this process */
    bool segment_dirty;
    int64_t ledger_length; /* entries in all own segments */
    int64_t signed_length; /* at which the heads were last signed */
    struct wall newest_recording;
    bool met; /* who answers where the parent was: kept when it welcomes */
    struct hash met_key;
    int64_t met_number;
    int64_t healed;    /* facts that came back, ever */
    int64_t meanwhile; /* facts recorded while others were missing, ever */
    int64_t
        heal_floor; /* places up to here were given anew: cells wait until all of them went up */
    bool merged;    /* lines of it have parted and met again: merge.h says what they come to */
    bool has_bases; /* entries of it stand for lost ones: lost.h */
    bool bases_due; /* cells that have such a base are not what the ledger comes to */
    bool seal_due; /* what is known above of lost entries has come, and nothing is made of it yet */
    struct mono seal_after;   /* not before: after an attempt that failed */
    int64_t parent_offset_ms; /* the parent's clock minus ours */
    bool parent_clock_known;

    /* the batch */
    struct arena arena; /* messages and effects of the batch */
    struct effect_node *effects;
    struct effect_node **effects_end;
    struct effect_node *effect_at;
    struct effect_node *requests; /* replies to give if the commit fails, as effects */
    bool in_transaction;
    enum err failed;
    struct errmsg failure;
    bool lacks_row; /* the failure is that a row is missing, not that a part cannot be read */
    bool tree_changed;
    bool recheck_held;
    struct buf scratch;

    struct map cells;     /* store_cell_key -> pending_cell */
    struct map totals;    /* total_key -> total_delta */
    struct map origins;   /* number -> cached_origin */
    struct map stated;    /* origin's number -> stated_heads: what this batch said of its heads */
    int64_t held_rows;    /* held cells in the store and pending */
    int64_t held_above;   /* rows of this link that the parent holds */
    int64_t refused_rows; /* refused rows remembered */
    bool links_unsaid;    /* a batch failed: the file may still call links exact that are gone */
    struct id forked[FORKED_KEPT]; /* sessions of children that two processes turned out to have */
    size_t forked_count;           /* all there ever were; the newest are kept */
    int64_t homeless;              /* origins from below that no act gave a unit */
    struct map symbols;            /* 64-bit hash of a text -> its number; proved by the text */
    struct texts texts;            /* numbers to texts; both are forgotten when they grow large */

    /* links */
    struct link **links;
    size_t link_count;
    size_t link_cap;
    struct link *uplink;          /* one of them, or NULL */
    struct feed_mark acked;       /* what the parent was last known to have */
    struct feed_mark parent_have; /* what this file has of the parent's feed */
    uint64_t uplink_said;         /* hash of what status says of the link up; 0: not known */
    int64_t root_revision;        /* own revisions up to here are at the root */
    bool differs_above;           /* at the last mark something was not equal at the parent */
    int64_t entries_acked;        /* place in the own ledger up to which the escrow holds it */

    struct waiter *waiters;
    size_t waiter_count;

    struct bundle *bundle; /* the one under way, or NULL */
    int64_t bundled;       /* revisions up to here may be in bundles that are on their way */

    struct audit *audit;  /* the recomputation under way, or NULL */
    size_t audit_found;   /* by the last one */
    bool audit_ran;       /* in the batch under way */
    bool audit_failed;    /* and the batch failed with it */
    size_t begun_damages; /* when the batch began */
    size_t saved_damages; /* at the savepoint */
    struct mono audit_due;
    struct mono audit_rest; /* not before: whoever causes audits gets a tenth of the time */
    bool unsound;           /* the last audit found rows that cannot be found by their keys */
    bool places_damaged;    /* it found rows that the tree is made of: totals wait for them */
    bool ledger_damaged;    /* the last time that own cells were to be made from it */
    struct map doubted;     /* origins below whose rows were not what their sum says, until equal */
    bool fetch_again;       /* rows that came from the parent were: until the next hello */
    struct map known_whole; /* children whose file knew, at their last hello, the session that this
                               one had last had with them -> whether they were turned away since */
    int64_t
        audit_wait_ms; /* until what the last one found is looked at again; 0: it found nothing */
    struct damage *damages;
    size_t damage_count;
    bool full;                     /* the disk */
    bool full_said;                /* an alarm says so */
    bool file_broken;              /* a batch failed on a part that cannot be used */
    bool file_lacks;               /* or on a row that is missing */
    char file_why[TEXT_MAX_BYTES]; /* why the file had better be made anew; "" */
    bool fenced;                   /* the parent's last word: another line of this data goes on */
    bool welcomed;                 /* by the parent, since the start, with nothing to heal */
    int64_t number_floor;          /* hosting numbers given from now on are not below; 0: any */
    int64_t version_floor;         /* versions of the catalogue: the same */
};

/* ---- state.c ---- */
/* Remembers the first failure; the rest of the batch is skipped and the commit rolls back. */
void node_fail(struct node *node, enum err err, const char *what);
/* The same, unless it is ERR_OK. */
void node_check(struct node *node, enum err err, const char *what);
struct effect *node_emit(struct node *node, enum effect_type type, uint64_t link);
struct message *node_message(struct node *node, enum message_type type);
/* A copy for an effect. What the tree and the table of texts hold goes when a part of the batch is
 * taken back; effects stay. */
const char *node_keep(struct node *node, const char *text);
void node_send(struct node *node, struct link *link, struct message *message);
/* A ping or the answer to one. Whichever it is, a child says whether it stands at a mark: when both
 * sides are idle, one of them always asks first. */
void node_ping(struct node *node, struct link *link, bool answer, uint64_t nonce);
void node_log(struct node *node, bool warn, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void node_close_link(struct node *node, struct link *link, const char *why);
enum err node_write(struct node *node) MUST_CHECK; /* opens the transaction when it is not open */
enum err node_symbol(struct node *node, const char *text, int64_t *id) MUST_CHECK;
enum err node_text(struct node *node, int64_t id, const char **text) MUST_CHECK;
enum err node_origin(struct node *node, int64_t id, struct cached_origin **out) MUST_CHECK;
enum err node_origin_named(struct node *node, const struct id *name, struct cached_origin **out)
    MUST_CHECK;
enum err node_origin_ensure(struct node *node, const struct id *name, int64_t via, int64_t scope,
                            struct cached_origin **out) MUST_CHECK;
enum err node_alarm(struct node *node, const char *code, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5))) MUST_CHECK;
/* The alarm about an origin's name, if it stands, says how it is over; *was: it stood. It may be
 * from before a start, and goes when a verify has shown it. */
enum err node_alarm_over(struct node *node, const char *code, const char *origin, const char *how,
                         bool *was) MUST_CHECK;
/* A part of the transaction that may be taken back: what was flushed before it stays. */
enum err node_savepoint(struct node *node) MUST_CHECK;
enum err node_savepoint_end(struct node *node, bool undo) MUST_CHECK;
struct link *node_link(struct node *node, uint64_t id);
void link_free(struct link *link); /* downlink.c; not its place in the node */
/* Whether this file gave that place in its feed: it knows the session, and the revision is not
 * beyond the session's end. Revision 0 without a session always is. */
enum err node_gave(struct node *node, const struct feed_mark *mark, bool *gave) MUST_CHECK;

/* ---- revision.c ---- */
int64_t node_next_revision(struct node *node);
/* The revision of a cell or status that changes: the one it has while it waits unread, else the
 * next.
 */
int64_t revision_of_cell(struct node *node, int64_t current, int64_t scope);
int64_t revision_of_status(struct node *node, int64_t current);
/* The sender has read up to there. */
void revision_read(struct node *node, const struct link *link);
/* The parent has acknowledged, or says at its welcome, that it has so much. */
void revision_acked(struct node *node);
void revision_welcomed(struct node *node);
/* An answer says that it had so much, some time: what was sent since may be there all the same. */
void revision_told(struct node *node);
/* What a wait for that revision is to wait for. */
int64_t revision_to_wait_for(const struct node *node, int64_t revision);
/* The root is known to have so much of this node's feed; less than before when it was put back. */
void revision_at_root(struct node *node, int64_t revision);
/* What the root has of this child's feed is followed from here on. */
void revision_probe(struct node *node, struct link *link);

/* ---- cells.c ---- */
/* The cell as this batch has it so far, which may be changed until the flush. A row that is not
 * what was written raises an alarm; an own one is made again from the own ledger, or ERR_REFUSED
 * when that is damaged too; any other waits for its origin's word, and no change of it is kept. */
enum err cells_touch(struct node *node, const struct store_cell_key *key, struct pending_cell **out)
    MUST_CHECK;
/* The same without looking after a damaged row. */
enum err cells_load(struct node *node, const struct store_cell_key *key, struct pending_cell **out)
    MUST_CHECK;
enum err cells_flush(struct node *node) MUST_CHECK;
/* The own entries of a cell: those of its unit, measure, category, and of the days of its period.
 */
struct store_stock_span cells_span(const struct store_cell_key *key, const struct measure *measure);
enum err cells_message(struct node *node, const struct store_cell *cell, struct cell *out)
    MUST_CHECK;
enum err cells_hash(struct node *node, const struct store_cell *cell, struct id *out) MUST_CHECK;
/* The standing cell among those of one period, or NULL. */
const struct store_cell *cells_standing(const struct store_cell *cells, size_t count);

/* ---- hold.c ---- */
/* Why a cell of that origin with the text of its category is held back, or HOLD_NONE. */
enum hold_reason hold_reason(const struct view *view, const struct store_cell *cell,
                             const struct store_origin *origin, const char *category);
/* Sets `held` of the cell. */
enum err hold_cell(struct node *node, struct store_cell *cell) MUST_CHECK;
/* Takes held cells in whose reason is gone, when something changed that may be one. */
enum err hold_settle(struct node *node) MUST_CHECK;

/* ---- open.c: what memory keeps of the file, read again ---- */
enum err open_load(struct node *node, struct errmsg *msg) MUST_CHECK;
/* Parts of it: the tree and what points into it, origins, the segment under way. */
enum err open_load_view(struct node *node, struct errmsg *msg) MUST_CHECK;
enum err open_load_origins(struct node *node) MUST_CHECK;
enum err open_load_own_segment(struct node *node) MUST_CHECK;
/* Children that the file calls linked and that have no link are offline. */
enum err open_reset_statuses(struct node *node) MUST_CHECK;

/* ---- identity.c ---- */
/* The sum over the facts of who this node is, after one of them has changed. */
enum err identity_seal(struct store *store) MUST_CHECK;
/* ERR_CORRUPT when they are not what was written; a file of an earlier release is not sealed. */
enum err identity_check(struct store *store, bool *sealed, struct errmsg *msg) MUST_CHECK;

/* ---- anew.c: when the file had better be made anew ---- */
void anew_broken(struct node *node, const char *why);
void anew_lacks(struct node *node, const char *why);
void anew_damaged(struct node *node, const char *why);
/* An audit begins: what it finds counts, not what the last one did. */
void anew_look_again(struct node *node);
/* At a child's hello, and when it is turned away for what its data seems to be. */
enum err anew_child_said(struct node *node, const struct store_child *child,
                         const struct msg_hello *hello) MUST_CHECK;
void anew_child_refused(struct node *node, int64_t unit);

/* ---- ledger.c ---- */
struct ledger_texts {
    const char *unit;
    const char *measure;
    const char *category;
    const char *author;
};
enum err ledger_append(struct node *node, struct store_entry *entry,
                       const struct ledger_texts *texts, int64_t *place) MUST_CHECK;
/* Begins this process's segment anew: it continues those heads. */
enum err ledger_begin(struct node *node, const struct head *heads, size_t count) MUST_CHECK;
enum err ledger_act(struct node *node, const struct act *act, const char *author) MUST_CHECK;
enum err ledger_flush(struct node *node) MUST_CHECK;
enum err ledger_frontier(struct node *node, int64_t origin, struct head **heads, size_t *count)
    MUST_CHECK;
enum err ledger_entry_message(struct texts *texts, const struct store_entry *row,
                              const struct id *segment, struct entry *out) MUST_CHECK;
/* The row of an entry that came from elsewhere, hashed behind `before`. */
enum err ledger_entry_row(struct node *node, const struct store_segment *segment,
                          const struct hash *before, const struct entry *entry,
                          struct store_entry *out) MUST_CHECK;
enum err ledger_segment_name(struct node *node, int64_t segment, struct id *out) MUST_CHECK;
enum err heads_encode(const struct head *heads, size_t count, struct buf *out) MUST_CHECK;
enum err heads_decode(struct bytes bytes, struct arena *arena, struct head **heads, size_t *count)
    MUST_CHECK;
/* Without the origin, beside which they are kept. */
enum err signed_heads_encode(const struct signed_heads *heads, struct buf *out) MUST_CHECK;
enum err signed_heads_decode(struct bytes bytes, struct arena *arena, const struct id *origin,
                             struct signed_heads *out) MUST_CHECK;

/* ---- rows.c: units, hostings, statuses as this node decides or learns them ---- */
enum err rows_put_unit(struct node *node, struct store_unit *row, const char *code) MUST_CHECK;
enum err rows_put_hosting(struct node *node, struct store_hosting *row) MUST_CHECK;
enum err rows_put_status(struct node *node, struct store_status *row) MUST_CHECK;
enum err rows_set_state(struct node *node, struct link *link, enum link_state state) MUST_CHECK;

/* ---- feed.c ---- */
/* Sends the next batch of the feed over the link if there is one to send. */
enum err feed_pump(struct node *node, struct link *link) MUST_CHECK;
/* The next batch for a bundle, whatever was acknowledged; *over with the last one. */
enum err feed_bundle(struct node *node, struct link *link, bool *over) MUST_CHECK;
void feed_start(struct node *node, struct sender *out, struct feed_mark have);
/* Whether a row about that unit goes to that child; the row of a unit. */
bool feed_goes_down(const struct node *node, const struct link *link, int64_t unit_id,
                    int64_t scope);
enum err feed_unit_row(struct node *node, const struct store_unit *row, struct unit_row *out)
    MUST_CHECK;

/* ---- refuse.c: rows that are not taken in ---- */
struct receiver {
    struct node *node;
    struct link *link;
    const struct msg_batch *batch;
    int child; /* the child's unit in the tree; TREE_NONE on an uplink */
};

enum err refuse_cell(struct receiver *r, enum refuse_reason reason, const struct cell *cell,
                     int64_t origin) MUST_CHECK; /* origin: its number, 0 for none that is kept */
/* What is said of a unit, or with "" of a ledger. */
enum err refuse_unit(struct receiver *r, enum refuse_reason reason, const char *unit,
                     const struct id *decider) MUST_CHECK;
/* Who is at the other end of a link, for people. */
const char *refuse_sender(struct node *node, const struct link *link);

/* ---- receive.c ---- */
/* *again: it came before and nothing of it is looked at. ERR_PROTOCOL for what cannot be. */
enum err receive_batch(struct node *node, struct link *link, const struct msg_batch *batch,
                       bool *again) MUST_CHECK;
/* Units alone, from above, ahead of acts about them. */
enum err receive_units(struct receiver *r) MUST_CHECK;
/* The origin, known or new, if it may come over this link; else *out NULL. Anybody can make up
 * origins, so of those whose place is not known only so many are kept. */
enum err receive_origin(struct receiver *r, const struct id *name, struct cached_origin **out)
    MUST_CHECK;
/* How far an origin is said to reach; what comes after goes by it. */
enum err receive_heads(struct receiver *r, const struct origin_heads *heads) MUST_CHECK;
/* Alarms about ledgers that came from this child: what it says from now on is of another file. */
enum err receive_forks_over(struct node *node, int64_t child) MUST_CHECK;
/* Whether a bundle has something of the origin that goes on from what is not here: its entries
 * and its cells come with a later one. */
bool receive_waits(const struct receiver *r, int64_t origin);
/* Whether a unit (by code; TREE_NONE: no) lies where this link may speak of it. */
bool receive_place(const struct receiver *r, int unit);

/* ---- receive_cells.c ---- */
enum err receive_cell(struct receiver *r, const struct cell *cell) MUST_CHECK;
/* Whether a cell can be one at all. */
bool receive_cell_sound(const struct cell *cell);

/* ---- uplink.c, downlink.c ---- */
void uplink_message(struct node *node, struct link *link, const struct message *message);
void uplink_start(struct node *node, struct link *link);
/* False when the acknowledgement is of no batch that is under way: one that came again. */
bool sender_acked(struct node *node, struct sender *out, const struct msg_ack *ack);
void uplink_down(struct node *node, struct link *link);
enum err uplink_hello(struct node *node, struct msg_hello *hello) MUST_CHECK;
/* Who has answered in the parent's place is the parent from now on: see node_on_parent. */
enum err uplink_keep_parent(struct node *node) MUST_CHECK;
/* Lengths of own segments in the escrow, by name: those stated are put into the map; *ours is false
 * for another history, or more of it than is here. */
enum err uplink_escrow(struct node *node, const struct head *heads, size_t count,
                       struct map *lengths, bool *ours) MUST_CHECK;
/* How much of an own segment is in an escrow with those lengths, segment by segment in their order.
 * Those that the hello had no room for, *unsaid at first, are the oldest and were there long ago.
 */
int64_t uplink_there(const struct map *lengths, const struct store_segment *segment,
                     size_t *unsaid);
enum err uplink_unsaid(struct node *node, size_t *unsaid) MUST_CHECK;
/* The place in the own ledger up to which an escrow with those lengths has everything. */
enum err uplink_place(struct node *node, const struct map *lengths, int64_t *place) MUST_CHECK;
void uplink_refused_state(struct node *node, enum uplink_state state, const char *text);
void downlink_message(struct node *node, struct link *link, const struct message *message);
void downlink_down(struct node *node, struct link *link, const char *why);
/* Ends the link; with _child, for a reason that is kept with the child and shown; break_off: for
 * what no child says. */
void downlink_refuse(struct node *node, struct link *link, enum refusal_code code,
                     const char *text);
void downlink_refuse_child(struct node *node, struct link *link, enum refusal_code code,
                           const char *text);
void downlink_break_off(struct node *node, struct link *link, const char *what);
/* The child with that key and name becomes that of the link; *known is false, and why says why,
 * when there is none, or no longer. */
enum err downlink_know(struct node *node, struct link *link, const struct id *node_id, bool *known,
                       enum refusal_code *code, const char **why) MUST_CHECK;
/* Another link of the child with that unit, or NULL; of several, whichever. */
struct link *downlink_of_unit(struct node *node, int64_t unit, const struct link *but);
/* That which is live, or NULL: there is one at most. */
struct link *downlink_live_of_unit(struct node *node, int64_t unit);
/* After the flush of a batch: acknowledgements, mark comparison, next batches. */
enum err downlink_settle(struct node *node, struct link *link) MUST_CHECK;
enum err uplink_settle(struct node *node, struct link *link) MUST_CHECK;
void waiters_wake(struct node *node);
/* After the commit, or when it failed: those that were answered are forgotten, or wait on; those of
 * a batch that failed have had their answer. */
void waiters_settle(struct node *node, bool committed);

/* ---- bundle.c: a feed, or the answer to one, into a file; bundle_read.c: and out of it ---- */
/* NULL when another one is under way, or memory ends. */
struct bundle *bundle_new(struct node *node, const struct node_client *client, uint64_t request,
                          enum request_type type);
/* Ends the one under way with a reply: what is in its `reply`, or why not. */
void bundle_finish(struct node *node, enum err err, const char *why);
void bundle_forget(struct node *node);
/* After the flush of a batch. */
enum err bundle_settle(struct node *node) MUST_CHECK;
/* A link that is none of the node's; NULL when memory ends. */
struct link *link_new(struct node *node, uint64_t id); /* downlink.c */

/* ---- hello.c, mark.c: of a child ---- */
void hello_receive(struct node *node, struct link *link, const struct msg_hello *hello);
/* What the child's file knows of that session of it; NULL for nothing. */
const struct feed_mark *hello_knows(const struct msg_hello *hello, const struct id *session);
/* Holds the child's heads against its escrow: *lost when the escrow has more, *forked when it has
 * others. */
enum err hello_check_escrow(struct node *node, const struct link *link,
                            const struct msg_hello *hello, bool *lost, bool *forked) MUST_CHECK;
/* Two processes have the memory, and so the session, of one: a machine went on twice from one
 * state. The one that is linked does not give way to the other then, as it would to a new link of
 * its own. */
void hello_forked(struct node *node, const struct id *session);
bool hello_is_forked(const struct node *node, const struct id *session);
/* Whether its file knows a session that has ended. */
enum err hello_has_ended(struct node *node, const struct link *link, const struct msg_hello *hello,
                         bool *ended) MUST_CHECK;
/* What makes a hello one that is turned away; 0: nothing. */
enum refusal_code hello_check_peer(struct node *node, const struct link *link,
                                   const struct msg_hello *hello, char *text, size_t size);
/* What the child is told: what is here of its feed and its ledger. */
enum err hello_welcome(struct node *node, const struct link *link, const struct msg_hello *hello,
                       const struct store_child *child, struct msg_welcome *out) MUST_CHECK;
/* When the child's catalogue is older. */
enum err hello_send_catalogue(struct node *node, struct link *link) MUST_CHECK;
/* The ancestors that a child is told of: this node. */
enum err hello_ancestors(struct node *node, const struct ancestor **list, size_t *count) MUST_CHECK;
enum err mark_settle(struct node *node, struct link *link) MUST_CHECK;
/* The same for a mark in a bundle: *equal when nothing differs. */
enum err mark_bundle(struct node *node, struct link *link, bool *equal) MUST_CHECK;

/* ---- ranges.c: cells of an origin in the order that both ends of a link share ---- */
enum { RANGE_PAGE = 128 };
struct range_cell {
    const struct store_cell *row; /* until the next one */
    struct cell_key key;
    struct id hash; /* of its content; of a damaged row, one that no cell has */
};
struct range_walk {
    struct node *node;
    int64_t origin;
    struct id name;
    int given; /* the unit that an act gave the origin, in the tree */
    int64_t unit;
    const char *unit_text;
    struct store_symbol symbols[RANGE_PAGE]; /* the next ones that may be units */
    size_t symbol_count;
    size_t symbol_at;
    struct range_series *series; /* of the unit */
    size_t series_count;
    size_t series_at;
    const struct range_series *page; /* that the cells are of */
    int64_t from;                    /* the period at which its next page begins */
    struct store_cell cells[RANGE_PAGE];
    size_t cell_count;
    size_t cell_at;
    size_t looks;
};
/* Texts in the key last as long as the walk. ERR_NOT_FOUND when one is lost; ERR_LIMIT. */
enum err range_walk_begin(struct range_walk *walk, struct node *node,
                          const struct cached_origin *origin, const struct cell_key *after)
    MUST_CHECK;
enum err range_walk_next(struct range_walk *walk, struct range_cell *out, bool *there) MUST_CHECK;
/* Like strcmp; origins are not looked at. */
int range_key_compare(const struct cell_key *a, const struct cell_key *b);

/* ---- compare.c: which cells differ ---- */
/* The parent: over a link whose child compares, when no other comparison is under way. */
enum err compare_begin(struct link *link, int64_t origin) MUST_CHECK;
/* What came with a mark; before the digests are looked at. */
enum err compare_settle(struct node *node, struct link *link, const struct ranges *answer)
    MUST_CHECK;
/* A cell that is to be sent again; ERR_LIMIT when there are too many of them. */
enum err compare_again(struct node *node, struct link *link, const struct cell_key *key) MUST_CHECK;
/* Puts into the acknowledgement what is asked for. */
enum err compare_ask(struct node *node, struct link *link, struct msg_ack *ack) MUST_CHECK;
void compare_stop(struct link *link);
/* The child: what the parent asks for, and the answer for a mark. */
enum err compare_asked(struct node *node, struct link *link, const struct range_ask *ask)
    MUST_CHECK;
enum err compare_answer(struct node *node, struct link *link, struct ranges *out, bool *answered)
    MUST_CHECK;

/* ---- request.c, record.c, correct.c, admin.c, wait.c, bundle.c: requests ---- */
struct request {
    const struct node_client *client;
    const struct msg_request *msg;
};
void record_request(struct node *node, const struct request *request);
void correct_request(struct node *node, const struct request *request);
void wait_request(struct node *node, const struct request *request);
void apply_request(struct node *node, const struct request *request);
void units_request(struct node *node, const struct request *request);
void invite_request(struct node *node, const struct request *request);
void bundle_request(struct node *node, const struct request *request);
struct msg_reply *request_reply(struct node *node, const struct request *request);
void request_refuse(struct node *node, const struct request *request, enum err err, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));

/* ---- codes.c: codes of units by a pattern; for the time of one request ---- */
struct codes {
    struct node *node;
    const char *pattern;
    struct map parents;
    struct map names;
    bool looked; /* at all units */
};
void codes_begin(struct codes *codes, struct node *node, const char *pattern);
void codes_end(struct codes *codes);
/* ERR_REFUSED for what is no pattern. */
enum err codes_check(const char *pattern, struct errmsg *msg) MUST_CHECK;
/* The code for a unit without one: a new one, or that of the unit that it is already. */
enum err codes_issue(struct codes *codes, const struct unit_new *wanted,
                     char out[CODE_MAX_BYTES + 1], struct errmsg *msg) MUST_CHECK;
/* A unit was made under that parent; its code may be one of the pattern. */
enum err codes_added(struct codes *codes, const struct unit_new *unit, int parent) MUST_CHECK;

/* Whether the client has that role; refuses the request when not. */
bool request_may(struct node *node, const struct request *request, enum node_role role);
/* Whether an error is about what was asked, not about this node. */
bool request_is_refusal(enum err err);

/* Takes a catalogue as the current one: stores it, loads it, looks at held rows again. */
enum err admin_adopt_catalogue(struct node *node, uint64_t version, struct bytes content,
                               const struct signature *signature) MUST_CHECK;

/* Checks formulas and what the published catalogue allows; lists the changes. */
enum err admin_check_catalogue(struct node *node, const struct catalogue *next, struct errmsg *msg)
    MUST_CHECK;

/* ---- audit.c: looking at the file ---- */
enum err audit_step(struct node *node) MUST_CHECK;
void audit_stop(struct node *node);
/* Not later than in that time, or when the last one has rested. */
void audit_soon(struct node *node, int64_t ms);
/* After a batch that failed: the audit that was under way begins anew soon; when it was itself the
 * reason, each time less soon. */
void audit_take_back(struct node *node);
/* What the alarms say: which origins are not what their sums say, whether tables are unsound. */
enum err audit_load_doubts(struct node *node) MUST_CHECK;
/* Whether rows of that origin come from the parent. */
enum err audit_is_from_above(struct node *node, int64_t id, bool *above) MUST_CHECK;
/* Names a damaged row; the audit, which comes soon then, mends it. */
enum err audit_report_cell(struct node *node, const struct store_cell *row) MUST_CHECK;
/* One entry against the one before it: *whole is false, and an alarm raised, when its hash does not
 * stand for it. */
enum err audit_check_entry(struct node *node, const struct store_segment *segment,
                           const struct store_entry *entry, bool *whole) MUST_CHECK;
/* An own record and its corrections: *whole is false, and an alarm raised, when the record is not
 * what was recorded, or the ledger that tells of its corrections is damaged; else live and
 * now_value are what they say. */
enum err audit_check_record(struct node *node, const struct store_segment *segment,
                            struct store_entry *record, bool *whole) MUST_CHECK;

/* ---- mend.c: putting right what was found ---- */
/* Cells and totals (origin 0) that were found damaged, DAMAGES_MAX at most. */
enum err mend_remember(struct node *node, const struct store_cell_key *key) MUST_CHECK;
bool mend_is_remembered(const struct node *node, const struct store_cell_key *key);
/* An alarm about damage that has been repaired: it goes when a verify has shown it. */
enum err mend_alarm(struct node *node, const char *subject, const char *what) MUST_CHECK;
/* The row of a unit's node that this node has decided, from the acts in its ledger; *done false
 * when it has none. */
enum err mend_hosting(struct node *node, int64_t unit, bool *done) MUST_CHECK;
/* A damaged cell that is about to be built upon, or an own one that is lost: see cells_touch. */
enum err mend_touched_cell(struct node *node, struct pending_cell *pending) MUST_CHECK;
/* The total by its key, made of its cells; when one of them is damaged, later. */
enum err mend_total_of(struct node *node, struct store_total *total) MUST_CHECK;
/* The parent is about to send all it has for this node: what is damaged of it gives way. */
enum err mend_from_above(struct node *node) MUST_CHECK;
/* Damaged rows of the origin that come to exactly what it has too much here, as its digest shows,
 * were never its own: they are taken out. */
enum err mend_strays(struct node *node, int64_t origin, const struct id *excess, bool *taken)
    MUST_CHECK;
enum err mend_own_cells(struct node *node) MUST_CHECK;
/* All that can be put right now; totals only when no cell is missing. */
enum err mend_all(struct node *node) MUST_CHECK;

#endif

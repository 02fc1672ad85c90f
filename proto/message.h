/* Every message that two processes say to each other, as plain structs. The codec (proto/codec)
 * turns them into frames and back; the node and the client see only these. Strings in a decoded
 * message are never NULL (the empty string stands for "none"), clean UTF-8 within the limits of
 * limits.h; arrays with count 0 may be NULL. All memory of a decoded message belongs to the arena
 * that it was decoded into; a message to be encoded borrows whatever it points to. */
#ifndef TALLY_PROTO_MESSAGE_H
#define TALLY_PROTO_MESSAGE_H

#include <stdbool.h>

#include "base/wide.h"
#include "proto/catalogue.h"
#include "proto/entry.h"
#include "proto/ranges.h"

enum { PROTOCOL_MIN = 1, PROTOCOL_MAX = 1 };

/* ---- rows of the feed ---- */

/* What one origin has recorded about one unit, measure, period, category. `count` is the version.
 * For a stock, value, hosting and day are those of the standing entry. */
struct cell {
    struct id origin;
    const char *unit;
    const char *measure;
    const char *category;
    int32_t period; /* index in the measure's frequency */
    int64_t value;
    int64_t count;   /* ledger entries behind it */
    int64_t live;    /* of them, records that are neither voided nor duplicates */
    int64_t hosting; /* 0 for flows */
    int32_t day;     /* 0 for flows */
};

/* An edge of the tree: `parent` from day `from` (DAY_NONE: always) up to and with day `to`
 * (DAY_NONE: open). */
struct unit_edge {
    const char *parent;
    int32_t from;
    int32_t to;
};

/* A unit, as decided by one origin; `count` is that origin's number of acts on the unit, and so the
 * version. */
struct unit_row {
    const char *code;
    const char *name;
    const char *level;
    const struct unit_edge *edges;
    size_t edge_count;
    struct id decider;
    int64_t count;
};

/* Which node hosts a unit, as decided by one origin. `number` is the hosting number. A revoked node
 * has no key that counts any more. */
struct hosting_row {
    const char *unit;
    struct id node;
    struct id origin;
    struct hash key;
    int64_t number;
    bool revoked;
    struct id decider;
    int64_t count;
};

enum link_state {
    LINK_NEVER = 0,       /* has not linked yet */
    LINK_OFFLINE = 1,     /* no link now */
    LINK_CATCHING_UP = 2, /* linked, no mark since */
    LINK_EXACT = 3,       /* linked, and equal at the last mark */
    LINK_REFUSED = 4,     /* linked and turned away, with a reason */
    LINK_FENCED = 5,
};

/* How a node stands with its parent, as its parent sees it. */
struct status_row {
    const char *unit;
    struct id node;
    enum link_state state;
    struct wall exact_as_of; /* 0: never */
    int64_t held;            /* rows held that came over this link */
};

/* The heads that an origin's ledger has reached: those segments that no other one continues
 * (normally one). */
struct origin_heads {
    struct id origin;
    const struct head *heads;
    size_t head_count;
};

/* Heads with the node's Ed25519 signature over signed_heads_bytes (message.c). */
struct signed_heads {
    struct origin_heads heads;
    struct wall at;
    struct hash key;
    struct signature signature;
};

/* Equality of an origin's cells at a mark: the sum of the cells' hashes modulo 2^128, and of their
 * counts. */
struct digest {
    struct id origin;
    struct id sum;
    int64_t count;
};

/* ---- link messages ---- */

/* How far one file has another's feed: the session name under which the revision was given, and the
 * revision. */
struct feed_mark {
    struct id session;
    int64_t revision;
};

/* Child to parent, first on the link. */
struct msg_hello {
    uint32_t protocol_min;
    uint32_t protocol_max;
    const char *software;
    struct id tree;
    struct id node;
    struct id origin;
    uint64_t catalogue_version;
    const struct feed_mark *sessions; /* of this file, oldest first, each with the last revision of
                                       * it that is known here; the last one is this process */
    size_t session_count;
    const struct head *heads; /* every segment of its own ledger; the parent needs those it knows */
    size_t head_count;
    struct feed_mark remembered; /* what the child believes the parent has of its feed */
    struct feed_mark have;       /* what the child has of the parent's feed */
    struct unit_row unit;        /* what it has of where it stands, as it was decided above */
    struct hosting_row hosting;  /* both without a code: it does not say */
};

/* A node on the way to the root, nearest first. */
struct ancestor {
    const char *unit;
    struct id node;
    struct hash key;
    const char **addresses;
    size_t address_count;
};

/* Parent to child, the answer. */
struct msg_welcome {
    uint32_t protocol;
    const char *software;
    struct id tree;
    struct id node;
    struct id session; /* of the parent's process */
    const char *unit;  /* where the child stands */
    const char *unit_name;
    const char *unit_level;
    uint64_t catalogue_version;
    struct feed_mark have; /* what the parent's file has of the child's feed */
    const struct head *escrow;
    size_t escrow_count;
    const struct origin_heads
        *known; /* highest heads known of the origins below the child, and of ancestors */
    size_t known_count;
    const struct ancestor *ancestors;
    size_t ancestor_count;
    struct wall now;
    int64_t root_revision; /* of the child's feed, known to have reached the root */
    bool heal; /* the child's ledger lacks entries of its escrow: they come, and nothing else, and
                  the child says hello again */
    int64_t heal_entries; /* so many */
    bool takes_back;      /* units that were decided above, and a newer catalogue, may go up */
};

enum refusal_code {
    REFUSAL_PROTOCOL = 1,  /* no common protocol version */
    REFUSAL_TREE = 2,      /* another tree */
    REFUSAL_UNKNOWN = 3,   /* no such node here, or its key is not the one on record */
    REFUSAL_REVOKED = 4,   /* the key was revoked */
    REFUSAL_LOST_TAIL = 5, /* the child's ledger is shorter than its escrow */
    REFUSAL_FORK = 6,      /* same place in a segment, another hash */
    REFUSAL_SESSION = 7,   /* the file does not know a session name that the other side has seen */
    REFUSAL_BUSY = 8,      /* too many at once; try again later */
    REFUSAL_BROKEN = 9,    /* broke the protocol */
    REFUSAL_SHUTDOWN = 10, /* the process stops */
};

/* Either way: this link ends, and why. */
struct msg_refuse {
    enum refusal_code code;
    const char *text;
    uint32_t protocol_min;
    uint32_t protocol_max;
    struct wall retry_after; /* ms to wait before the next attempt; 0: as usual */
};

/* Rows of the sender's feed, either way. Up: everything. Down: units, hostings, segments and cells
 * that concern the child's subtree. Rows apply in the order of the fields. `upto` is the revision
 * up to which, with this batch applied, the receiver has everything of the feed or newer. */
struct msg_batch {
    uint64_t number; /* 1.. on each link and direction: what comes again is known by it */
    struct feed_mark upto;
    const struct unit_row *units;
    size_t unit_count;
    const struct hosting_row *hostings;
    size_t hosting_count;
    const struct status_row *statuses;
    size_t status_count;
    const struct opening *openings;
    size_t opening_count;
    const struct signed_heads *signed_heads;
    size_t signed_heads_count;
    const struct entry
        *entries; /* own entries for the escrow: runs of consecutive numbers of one segment */
    size_t entry_count;
    const struct origin_heads
        *heads; /* for each origin with a cell here: the heads its cells stand for */
    size_t heads_count;
    const struct cell *cells;
    size_t cell_count;
    bool mark; /* the read reached the head of the feed */
    struct wall marked_at;
    const struct digest *digests; /* at a mark: of origins that changed since the last one */
    size_t digest_count;
    const struct ranges *ranges; /* at a mark: what the parent asked for; one at most */
    size_t range_count;
    bool compares; /* at a mark: the sender can be asked for ranges */
};

enum hold_reason {
    HOLD_NONE = 0,
    HOLD_UNKNOWN_UNIT = 1,
    HOLD_UNKNOWN_MEASURE = 2,
    HOLD_UNKNOWN_CATEGORY = 3,
    HOLD_ORIGIN_BEHIND = 4,  /* its heads do not cover what is known of the origin */
    HOLD_UNKNOWN_ORIGIN = 5, /* no act is known that gave this origin a unit */
    HOLD_CONFLICT = 6,       /* same count, another value */
    HOLD_COUNT = 7,          /* counts beyond the ledger's length */
    HOLD_DUPLICATE_UNIT = 8, /* another office already has a unit of that code */
    HOLD_NOT_ITS_UNIT = 9,   /* the unit came to be, and no act gave it to this origin */
    HOLD_REASON_COUNT
};

/* Rows that are not taken in at all. */
enum refuse_reason {
    REFUSE_NOT_ROUTED = 1,   /* the origin does not come through this child */
    REFUSE_NOT_ITS_UNIT = 2, /* no act gave that origin the unit */
    REFUSE_RANGE = 3,        /* counts or values that cannot be */
    REFUSE_CHAIN = 4,        /* entries that do not continue the escrow */
    REFUSE_LIMIT = 5,        /* too many held rows */
    REFUSE_CONFLICT = 6,     /* same count as the one held, another value */
    REFUSE_BEHIND = 7,       /* its heads do not cover what is known of the origin */
    REFUSE_DUPLICATE = 8,    /* another office already has a unit of that code */
    REFUSE_REASON_COUNT
};

struct refused_row {
    enum refuse_reason reason;
    struct id origin;
    const char *unit;
    const char *measure;
    const char *category;
    int32_t period;
    int64_t count;
};

struct msg_ack {
    uint64_t number; /* of the batch; 0 when unasked */
    struct feed_mark upto;
    const struct head *escrow; /* segments that grew */
    size_t escrow_count;
    const struct refused_row *refused; /* at most REFUSED_ROWS_MAX */
    size_t refused_count;
    int64_t refused_total; /* all refused rows of the batch */
    int64_t held;          /* rows of this link held now */
    int64_t root_revision;
    const struct id
        *unequal; /* origins whose digests differ; the child sends all their cells again */
    size_t unequal_count;
    bool unasked; /* acknowledges no batch: only what differs is news */
    bool differs; /* of a mark: not all is equal, whether it is asked for now or later */
    const struct range_ask *compare; /* the next mark has these sums; one at most */
    size_t compare_count;
    const struct cell_key *again; /* these cells are sent again */
    size_t again_count;
};

/* Parent to child. */
struct msg_catalogue {
    uint64_t version;
    struct bytes content;       /* canonical bytes */
    struct signature signature; /* by the root's key over version (8 bytes, big-endian) ‖ content */
};

/* Both ways, whenever nothing else was said for a while; every ping is answered. */
struct msg_ping {
    bool answer;
    uint64_t nonce;
    struct wall now;
    bool at_head; /* child: nothing of mine waits */
    struct feed_mark upto;
    int64_t root_revision; /* parent: as in ack */
};

/* ---- join ---- */

/* Also the request of a renewal, without invite and proof: the connection's certificate says who it
 * is, and its times are not looked at. */
struct msg_join {
    struct id invite;
    struct hash proof; /* HMAC-SHA-256(secret, TLS exporter ‖ node request ‖ ca request) */
    struct bytes node_request; /* PKCS#10, DER: for the node's certificate */
    struct bytes
        ca_request; /* PKCS#10, DER: for the certificate with which it signs its own children's */
    const char *address; /* where it will listen; may be empty */
    struct id origin;    /* whose ledger the machine has already; zero: none */
};

struct msg_joined {
    enum err err; /* when not ERR_OK, only text holds */
    const char *text;
    struct id tree;
    struct id node;
    struct id origin;
    const char *unit;
    const char *unit_name;
    const char *unit_level;
    int64_t hosting;
    struct hash root_key;    /* the root node's public key: the trust anchor of signed acts */
    struct bytes node_chain; /* PEM: node certificate, then the issuing CAs up to the root's */
    struct bytes ca_chain;   /* PEM: its CA certificate, then the issuing CAs up to the root's */
    const struct ancestor *ancestors; /* the parent first */
    size_t ancestor_count;
    struct wall now; /* the parent's clock */
};

/* ---- client requests ---- */

enum request_type {
    REQUEST_RECORD = 1, /* record and import */
    REQUEST_CORRECT,    /* amend and void */
    REQUEST_WAIT,       /* until what is recorded so far is at the parent or the root */
    REQUEST_TOTAL,
    REQUEST_LOG,
    REQUEST_STATUS,
    REQUEST_TREE,
    REQUEST_VERIFY,
    REQUEST_APPLY,
    REQUEST_UNITS, /* unit add and import */
    REQUEST_UNIT_LIST,
    REQUEST_INVITE,
    REQUEST_BACKUP, /* a copy of the whole node, in parts, in order */
    REQUEST_TYPE_COUNT
};

struct record_row {
    uint32_t line; /* of the file, for refusals; 0 for a single record */
    const char *unit;
    const char *measure;
    int32_t day; /* DAY_NONE: today */
    const char *category;
    const char *value; /* decimal text; the daemon knows the measure's decimals */
    const char *key;
    const char *note;
};

struct req_record {
    const struct record_row *rows;
    size_t row_count;
    bool check_only; /* say what would be refused; record nothing */
    bool partial; /* record the good rows of a batch that has bad ones; else a batch with a bad row
                     records none */
};

struct req_correct {
    const char *entry;
    bool is_void;
    const char *value; /* amend */
    const char *key;
    const char *note;
};

enum wait_level { WAIT_NONE = 0, WAIT_PARENT = 1, WAIT_ROOT = 2 };

struct req_wait {
    enum wait_level level;
    int64_t revision; /* as returned by a record; 0: everything so far */
    int64_t timeout_ms;
};

enum total_by { BY_NONE = 0, BY_CHILD, BY_LEVEL, BY_PERIOD, BY_CATEGORY };

struct req_total {
    const char *unit; /* "": the node's own */
    const char **measures;
    size_t measure_count;
    bool has_period;
    struct period period; /* else this year */
    enum total_by by;
    const char *level;
    int32_t tree_as_of; /* DAY_NONE: the tree as it is now */
};

struct req_log {
    const char *unit; /* "": all */
    const char *key;  /* "": all; else the entry with this key */
    bool healed;      /* only what was healed, and what was recorded while that was missing */
};

struct req_apply {
    struct bytes catalogue; /* canonical bytes; the version in them is ignored */
    bool dry_run;
};

struct unit_new {
    uint32_t line;
    const char *code;
    const char *name;
    const char *level;
    const char *parent; /* "": the node's own unit */
};

struct req_units {
    const struct unit_new *units;
    size_t unit_count;
    bool check_only;
};

struct req_invite {
    const char *unit;
    const char *name;   /* "" with an existing unit */
    const char *level;  /* "" with an existing unit */
    int64_t expires_ms; /* from now */
    bool replace;
    bool reissue; /* a replacement by a machine that has the data, to end a fork */
};

struct msg_request {
    uint64_t id; /* the client's; comes back in replies */
    enum request_type type;
    union {
        struct req_record record;
        struct req_correct correct;
        struct req_wait wait;
        struct req_total total;
        struct req_log log;
        struct req_apply apply;
        struct req_units units;
        struct req_invite invite;
    } u;
};

/* ---- client replies: one or more frames with the request's id; all but the last have `more` ----
 */

struct recorded_row {
    struct id segment;
    uint64_t seq;
    bool known; /* the key had been seen with the same content */
};

struct refused_line {
    uint32_t line;
    const char *reason;
};

/* Of record, correct, units. `rows` has one element a row for requests of one row, and is empty for
 * more. */
struct rep_recorded {
    const struct recorded_row *rows;
    size_t row_count;
    int64_t recorded;
    int64_t known;
    const struct refused_line *refused; /* at most REFUSED_ROWS_MAX */
    size_t refused_count;
    int64_t refused_total;
    int64_t revision; /* for req_wait */
};

struct stale_source {
    const char *unit;
    struct wall exact_as_of; /* 0: never */
};

struct total_row {
    const char *unit;
    const char *measure;
    const char *name; /* of the measure or indicator */
    const char *period;
    const char *category;
    bool category_null;
    bool own;
    bool indicator;
    const char *indicator_value; /* decimal text; "" for no value */
    wide value;
    bool overflow; /* beyond 128 bits: value is 0 */
    int decimals;
    int64_t entries;
    int64_t reported;
    int64_t expected;
};

struct rep_total {
    const char *unit;
    const char *unit_name;
    const char *period;
    struct wall as_of;
    uint64_t catalogue_version;
    int64_t nodes;
    int64_t exact;
    int64_t held;
    int64_t refused;                  /* rows that were not taken in */
    const struct stale_source *stale; /* in the first frame */
    size_t stale_count;
    const struct total_row *rows;
    size_t row_count;
};

struct log_row {
    struct entry entry;
    bool live;
    int decimals;          /* of the measure, for showing the value; 0 when unknown */
    struct wall healed_at; /* 0: nothing was missing while it was recorded, and it never was */
    bool meanwhile;        /* it was not missing, but recorded while what came back then was */
};

struct rep_log {
    const struct log_row *rows;
    size_t row_count;
};

struct child_status {
    const char *unit;
    enum link_state state;
    struct wall exact_as_of;
    int64_t held;
    const char *text; /* reason when refused */
};

struct alarm_row {
    const char *code;
    const char *text;
    struct wall since;
};

enum uplink_state {
    UPLINK_NONE = 0,
    UPLINK_LINKED,
    UPLINK_CONNECTING,
    UPLINK_FENCED,
    UPLINK_REFUSED
};

struct rep_status {
    const char *unit;
    const char *unit_name;
    const char *level;
    struct id node;
    struct id origin;
    struct id tree;
    const char *software;
    enum uplink_state uplink; /* UPLINK_NONE at the root */
    const char *uplink_text;  /* why connecting or refused */
    int64_t pending_rows;
    int64_t unescrowed_entries;
    int64_t held_above; /* rows from here that the parent holds */
    struct wall exact_as_of;
    struct wall unescrowed_since; /* recording of the first of those entries; 0 for none */
    int64_t healed_entries;       /* that were lost and came back */
    int64_t meanwhile_entries;    /* that were recorded while those were missing */
    struct wall healed_at;        /* the last time */
    const struct child_status *children;
    size_t child_count;
    int64_t ledger_entries;
    int64_t held;
    const struct alarm_row *alarms;
    size_t alarm_count;
    uint64_t catalogue_version;
};

struct tree_row {
    const char *unit;
    const char *name;
    const char *level;
    const char *parent;
    bool node;
    bool self; /* the answering node's own unit */
    enum link_state state;
    struct wall exact_as_of;
    int32_t from; /* DAY_NONE: always */
    int32_t to;
};

struct rep_tree {
    const struct tree_row *rows;
    size_t row_count;
};

struct verify_count {
    const char *check;
    int64_t examined;
};

struct rep_verify {
    bool ok;
    const struct verify_count *checked;
    size_t checked_count;
    const char **faults; /* at most REFUSED_ROWS_MAX */
    size_t fault_count;
    int64_t fault_total;
};

struct rep_apply {
    uint64_t version; /* after it */
    const char **changes;
    size_t change_count;
};

struct rep_invite {
    const char *token;
};

/* A part of the copy; with `size` and no content yet: how much of it has been made of so much. */
struct rep_backup {
    int64_t at; /* bytes */
    int64_t size;
    struct bytes content; /* at most BACKUP_PART_BYTES */
};

struct msg_reply {
    uint64_t id;
    enum request_type type;
    enum err err; /* when not ERR_OK, `text` says why and what to do, and nothing else holds */
    const char *text;
    bool more;
    union {
        struct rep_recorded recorded;
        struct rep_total total;
        struct rep_log log;
        struct rep_status status;
        struct rep_tree tree; /* tree and unit list */
        struct rep_verify verify;
        struct rep_apply apply;
        struct rep_invite invite;
        struct rep_backup backup;
    } u;
};

/* ---- all of them ---- */

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_WELCOME,
    MESSAGE_REFUSE,
    MESSAGE_BATCH,
    MESSAGE_ACK,
    MESSAGE_CATALOGUE,
    MESSAGE_PING,
    MESSAGE_JOIN,
    MESSAGE_JOINED,
    MESSAGE_REQUEST,
    MESSAGE_REPLY,
    MESSAGE_TYPE_COUNT
};

struct message {
    enum message_type type;
    union {
        struct msg_hello hello;
        struct msg_welcome welcome;
        struct msg_refuse refuse;
        struct msg_batch batch;
        struct msg_ack ack;
        struct msg_catalogue catalogue;
        struct msg_ping ping;
        struct msg_join join;
        struct msg_joined joined;
        struct msg_request request;
        struct msg_reply reply;
    } u;
};

const char *message_name(enum message_type type);
const char *request_name(enum request_type type);
const char *link_state_name(enum link_state state);
const char *hold_reason_text(enum hold_reason reason);
const char *refuse_reason_text(enum refuse_reason reason);

/* The bytes that a signature over heads covers. */
void signed_heads_bytes(const struct signed_heads *heads, struct buf *out);

/* The hash of a cell that digests add up. */
struct id cell_hash(const struct cell *cell, struct buf *scratch);

#endif

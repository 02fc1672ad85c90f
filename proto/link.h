/* What two nodes say to each other, on a link, in a join and in bundles: see message.h. */
#ifndef TALLY_PROTO_LINK_H
#define TALLY_PROTO_LINK_H

#include <stdbool.h>

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
    int64_t lost;            /* entries of its ledger that are lost, and count by their cells */
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

/* Instead of a revision: the session is none of the file, which has only been told of it. */
enum { SESSION_HEARD_OF = -1 };

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
    /* Down: instead of rows of the feed, what is known above of one origin whose heads stay behind
     * it, in several batches: openings of its segments, a head of each in heads[0], cells; with the
     * last of them heads[1], those that no segment continues, and heads[2], up to which the cells
     * count. */
    bool returned;
    bool returned_first;
    bool returned_last;
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

/* ---- bundles ---- */

enum bundle_kind {
    BUNDLE_FEED = 1,   /* of a child, for its parent: a hello and batches, the last one a mark */
    BUNDLE_ANSWER = 2, /* of a parent: a welcome, the catalogue, entries to heal, batches */
};

/* The first message of a bundle: what it is, whose, and where it goes on from. */
struct msg_bundle {
    enum bundle_kind kind;
    struct id tree;
    struct id node;         /* that wrote it */
    const char *unit;       /* of the child, whichever wrote it */
    struct feed_mark after; /* of the writer's feed: what is up to there is not in the bundle */
    struct id seen;         /* answer: the last session name of the child that its parent knows */
    struct wall written_at;
    struct head
        entries_after; /* feed: of the segment in which its entries begin, so many are not in
                        * it; nor are those of the segments before. None: it has no entries */
};

#endif

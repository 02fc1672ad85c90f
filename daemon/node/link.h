/* What the node keeps of one link, and of the bundle that is said in the place of one. Of its part
 * of internal.h. */
#ifndef TALLY_NODE_LINK_H
#define TALLY_NODE_LINK_H

#include "base/map.h"
#include "node/node.h"
#include "proto/ranges.h"

/* ---- one link ---- */

/* Sessions, on either side of a link. The child's side (uplink.c):
 *
 *   DOWN --link up, hello sent--> HELLO --welcome--> LIVE --link down, refuse--> DOWN
 *
 * The parent's side (downlink.c):
 *
 *   HELLO --hello accepted, welcome sent--> LIVE --link down--> (gone)
 *   HELLO --hello refused, refuse sent--> CLOSING --link down--> (gone)
 *
 * On both sides, when the child has lost entries (heal.c, giveback.c):
 *
 *   HELLO --welcome that says so--> HEALING --all given back, hello again--> HELLO
 */
enum session_state { SESSION_DOWN, SESSION_HELLO, SESSION_HEALING, SESSION_LIVE, SESSION_CLOSING };

/* One direction of the feed on a link, seen by the sender. */
struct sender {
    struct feed_mark acked; /* what the receiver has */
    int64_t
        rows_read; /* units, hostings, statuses, segments, signed heads sent up to this revision */
    int64_t cells_read;   /* cells sent up to this revision */
    int64_t entries_read; /* place in the own ledger up to which entries were sent (upwards only) */
    int64_t entries_acked;
    uint64_t number; /* of the last batch sent */
    bool in_flight;  /* one batch waits for its acknowledgement */
    bool in_flight_mark;
    struct mono sent_at;
    size_t window_bytes;
    bool marked; /* the receiver has had a mark since anything was sent */
};

/* When an origin whose rows are not equal was last asked for. */
enum { ASK_FIRST_MS = 5000, ASK_LAST_MS = 3600000 }; /* between askings for the same */
struct ask_state {
    struct mono until; /* not again before */
    int64_t wait_ms;
    uint64_t round;  /* of the last mark at which they were not equal */
    bool narrowed;   /* the cells that differ have been looked for */
    uint64_t by_key; /* of the mark at which cells of it were asked for by their keys */
};

/* A cell by its key but for the origin. */
struct range_place {
    char unit[CODE_MAX_BYTES + 1];
    char measure[CODE_MAX_BYTES + 1];
    char category[CATEGORY_MAX_BYTES + 1];
    int32_t period;
};

/* Two sets of cells held against each other: see compare.c. At the child, what was asked for. */
struct narrowing {
    int64_t origin;
    struct range_place after;
    struct range_place upto;
    bool to_end;                    /* there is no `upto` */
    bool fine;                      /* cell by cell */
    bool due;                       /* to be asked for with the next acknowledgement */
    size_t ranges;                  /* that differed */
    size_t cells;                   /* that differed */
    char names[TEXT_MAX_BYTES / 2]; /* of the first of them */
};

/* An origin whose heads are behind what is known here, or above, where something is kept of it. */
struct due {
    bool behind;
    bool kept;
    bool told; /* what is known of it */
};

/* What is known here of an origin, on its way down: see returned.c. */
struct telling {
    int64_t origin; /* 0: none */
    bool begun;
    bool kept;       /* of what came from above; else of what is here */
    bool damaged;    /* a row of it is: it is not told to the end */
    int64_t segment; /* number of the last one told */
    bool cells;      /* all segments are told */
    struct told_cell {
        int64_t unit;
        int64_t measure;
        int64_t category;
        int64_t period;
    } cell; /* the last one told */
};

enum { CONTESTS = 2 };

/* A machine is asked whether it is there, since another one has come in its place. */
struct contest {
    uint64_t nonce; /* of the ping; 0: not asked */
    struct id by;   /* the newcomer's session */
    struct mono at;
    bool answered;
};

struct link {
    uint64_t id;
    bool up; /* to the parent; else to a child */
    enum session_state state;
    struct mono heard_at;
    struct mono spoke_at;
    struct sender out;
    /* what came in and must be acknowledged once the batch is flushed */
    bool ack_due;
    bool ack_asked;            /* for a batch; else only damage is to be told */
    struct feed_mark received; /* upto of what was applied */
    uint64_t received_number;  /* of the last batch applied */
    bool mark_due;
    struct wall marked_at;
    const struct digest *digests;
    size_t digest_count;
    const struct ranges *ranges; /* of the mark that came; NULL: none */
    bool compares;               /* the child can be asked for ranges */
    struct narrowing *narrowing; /* allocated: the one under way, or NULL */
    struct cell_key *again;      /* cells to be sent again; in the batch arena */
    size_t again_count;
    struct refused_row *refused; /* in the batch arena */
    size_t refused_count;
    int64_t refused_total;
    struct head escrow_head; /* of the child's segment that grew last; length 0: none grew */
    int64_t escrow_facts;    /* entries of the child's own ledger in escrow that are no acts */
    int64_t escrow_lost;     /* lost ones that some of those stand for */
    struct map unequal;      /* origins whose digests differed at the last mark that named them */
    const struct id *ask_again; /* of them, those to be sent again; in the batch arena */
    size_t ask_again_count;
    /* healing; up: */
    int64_t heal_left; /* entries still to come */
    bool hello_due;    /* all has come: hello again */
    /* healing; down: */
    struct map stated;   /* segments of the escrow that the hello stated -> length there */
    struct head *beyond; /* allocated: segments stated of which the escrow has less, and how much */
    size_t beyond_count;
    int64_t give_units;   /* revision of the last unit given */
    int64_t give_segment; /* number of the last segment given whole, then the place in the next */
    int64_t give_seq;
    bool gave_all;
    int heals;        /* on this link */
    bool from_start;  /* up: the hello asked for all that the parent has */
    bool unconserved; /* at the last mark the counts did not add up to the ledger */
    bool differs;     /* at the mark of this batch something was not equal */
    struct map asked; /* origin -> struct ask_state */
    uint64_t ask_round;
    /* the child, on a downlink */
    int64_t unit; /* symbol */
    struct id node;
    struct hash key;
    int64_t origin;      /* its own origin's number */
    const char *address; /* allocated; of a child that is known: the code of its unit */
    const char *peer;    /* allocated, or NULL: where the machine is */
    struct map sessions; /* that its hello stated, at most SESSIONS_MAX */
    struct id session;   /* of them, that of its process */
    struct contest contests[CONTESTS]; /* by one that does not know its session; by one that does */
    struct wall exact_as_of;
    bool exact;
    bool midway;         /* the file says so of the child */
    int64_t probe_child; /* child's revision that is at the root once ours is */
    int64_t probe_own;
    int64_t root_revision;
    int64_t told_root_revision;
    uint64_t catalogue_told;
    int64_t claimed; /* number in the certificate of one whose row is lost; no `unit` until hello */
    bool takes_back; /* up: the parent takes what it may have lost */
    struct map returns; /* down: origins that are behind -> struct due */
    bool returned_all;  /* there is none any more: what an idle child has may be equal now */
    struct telling telling;
    int64_t returning; /* up: the origin that the parent tells of; 0: none */
    int64_t returned_rows;
    struct bundle *bundle; /* what is said goes into a file, or came out of one; or NULL */
};

/* The bundle that is written or read, one at a time: see bundle.c, bundle_read.c. Its link is none
 * of the node's links. */
struct bundle {
    struct link *link;
    struct node_client client;
    uint64_t request;
    enum request_type type;
    bool fresh;                       /* asked for in the batch under way */
    struct node_bundle_sender sender; /* written: whom it is for */
    bool begun;                       /* its first message has come */
    bool told;                        /* and the second, which says what the other side has */
    bool fed;                         /* written: nothing is left of the feed */
    bool over;                        /* nor of what is known of lost entries */
    struct feed_mark base;
    struct head entries_after;
    size_t digests_given;
    char unit[CODE_MAX_BYTES + 1];
    char refused[TEXT_MAX_BYTES]; /* why nothing more of it is taken in; "" */
    /* reading a feed */
    bool joined;     /* what is up to `base` is here */
    bool later;      /* and its writer knows of the last session that was heard of */
    struct map gaps; /* origins of which it goes on from what is not here */
    bool behind;     /* its writer has less of its ledger than is here: nothing is taken in */
    bool news;       /* something of the feed was not here */
    bool brought;    /* an entry or a cell of it was not here */
    struct feed_mark had;
    /* reading an answer */
    bool heals;        /* entries that may have been lost come */
    bool healed;       /* and some were */
    bool linked;       /* there is a link to the parent, which knows better */
    struct map escrow; /* segments of the own ledger -> their lengths at the parent */
    struct rep_bundle reply;
};

#endif

/* What a client asks a node, and is answered: see message.h. */
#ifndef TALLY_PROTO_REQUEST_H
#define TALLY_PROTO_REQUEST_H

#include "base/wide.h"
#include "proto/link.h"
#include "proto/period.h"

/* ---- client requests ---- */

enum request_type {
    REQUEST_RECORD = 1, /* record and import */
    REQUEST_CORRECT,    /* amend and void */
    REQUEST_WAIT,       /* until what is recorded so far is at the parent or the root; for news */
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
    REQUEST_BUNDLE_WRITE,
    REQUEST_BUNDLE_READ, /* one for each part of the file, in order; the last reply tells */
    REQUEST_MISSING,
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
    bool check_only; /* say what would be recorded, known, refused; record nothing */
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

/* WAIT_NEWS: until anything has changed here since `revision`, or the time is over, which is no
 * error then. */
enum wait_level { WAIT_NONE = 0, WAIT_PARENT = 1, WAIT_ROOT = 2, WAIT_NEWS = 3 };

struct req_wait {
    enum wait_level level;
    int64_t revision; /* as returned by a record; 0: everything so far */
    int64_t timeout_ms;
};

enum total_by { BY_NONE = 0, BY_CHILD, BY_LEVEL, BY_PERIOD, BY_CATEGORY };

/* Which period before a row's it is held against. */
enum total_against { AGAINST_NONE = 0, AGAINST_PREVIOUS, AGAINST_YEAR_BEFORE, AGAINST_PERIOD };

struct req_total {
    const char *unit; /* "": the node's own */
    const char **measures;
    size_t measure_count;
    bool has_period;
    struct period period; /* else this year */
    enum total_by by;
    const char *level;
    int32_t tree_as_of; /* DAY_NONE: the tree as it is now */
    bool targets;       /* what is wanted beside what is; not by category */
    bool has_last;      /* a row for each period from `period` to this one, of the same length */
    int32_t last_period;
    enum total_against against;
    struct period against_period; /* with AGAINST_PERIOD: of the length of `period` */
    const char *category; /* "", or some dimensions with a value each: sums of those alone, of
                           * measures that are named; rows say it back */
};

struct req_missing {
    const char *unit;   /* "": the node's own */
    const char **codes; /* of data sets or measures; none: all data sets, or all measures where
                         * there are none */
    size_t code_count;
    bool has_period;
    struct period period; /* else of each the last that has ended */
    bool has_last;        /* each period from `period` to this one, of the same length */
    int32_t last_period;
};

struct req_log {
    const char *unit;      /* "": all */
    const char *key;       /* "": all; else the entry with this key */
    bool healed;           /* only what was healed, and what was recorded while that was missing */
    const char **measures; /* none: all */
    size_t measure_count;
    bool has_days; /* only what counts for these days */
    int32_t first_day;
    int32_t last_day;
    const char *author;   /* "": all */
    enum entry_kind kind; /* 0: all */
};

struct req_apply {
    struct bytes catalogue; /* canonical bytes; the version in them is ignored */
    bool dry_run;
};

struct unit_new {
    uint32_t line;
    const char *code; /* "" with a pattern: one is issued */
    const char *name;
    const char *level;
    const char *parent; /* "": the node's own unit */
};

struct req_units {
    const struct unit_new *units;
    size_t unit_count;
    bool check_only;
    const char *pattern; /* "", or of the codes of units that have none: "{parent}.##" */
};

struct req_invite {
    const char *unit;
    const char *name;   /* "" with an existing unit */
    const char *level;  /* "" with an existing unit */
    int64_t expires_ms; /* from now */
    bool replace;
    bool reissue; /* a replacement by a machine that has the data, to end a fork */
};

struct req_bundle_write {
    const char *unit; /* "": the feed, for the office above; else the answer to that unit's */
    bool whole;       /* all of it, whatever the other side is known to have */
};

struct req_bundle_read {
    int64_t at;           /* bytes */
    struct bytes content; /* at most BUNDLE_PART_BYTES */
    bool last;
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
        struct req_missing missing;
        struct req_apply apply;
        struct req_units units;
        struct req_invite invite;
        struct req_bundle_write bundle_write;
        struct req_bundle_read bundle_read;
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
    const char *
        *codes; /* of units with a pattern: of all of them, in their order; "" of refused ones */
    size_t code_count;
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
    /* When targets were asked for; decimal texts with the row's decimals, "" without a target. */
    const char *target;
    const char *target_period; /* that of the row lies in it */
    const char *reached;       /* since its begin, up to the end of the row's period */
    const char *percent;       /* of the target, one decimal; "" also where it is no number */
    const char *due;           /* expected by today, or by the end of the row's period */
    /* When it is held against a period before; decimal texts likewise, "" where there is none. */
    const char *against; /* that period */
    const char *before;
    const char *change;
    const char *change_percent; /* one decimal */
    const char *unit_name;
    const char *counted_in; /* unit of measurement */
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
    int64_t lost;                     /* entries that are lost, and counted by their cells */
    int64_t revision;                 /* what all answers of one state have in common */
    const struct stale_source *stale; /* in the first frame */
    size_t stale_count;
    const struct total_row *rows;
    size_t row_count;
};

/* A data set or a measure; behind it, with a unit each, those who have not reported all of it. */
struct missing_row {
    const char *code;
    const char *name;
    const char *period;
    bool set;         /* a data set */
    int32_t due;      /* the last day of its deadline; DAY_NONE: it has none */
    int64_t expected; /* units that are open at the end of the period */
    int64_t reported; /* of them, those that have reported all of it */
    const char *unit; /* "": none, the row is of all */
    const char *unit_name;
    const char **lacks; /* measures, the first LACKS_MAX */
    size_t lacks_count;
    int64_t lacks_total;
    bool exact;              /* what the unit's office has is here */
    struct wall exact_as_of; /* 0: never */
};

struct rep_missing {
    const char *unit;
    const char *unit_name;
    struct wall as_of;
    int64_t nodes;
    int64_t exact;
    const struct missing_row *rows;
    size_t row_count;
    int64_t revision; /* as of a total */
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
    int64_t lost;     /* entries of its ledger */
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
    int64_t lost; /* own ones that nobody has any more */
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

enum bundle_outcome {
    BUNDLE_TAKEN = 1,
    BUNDLE_OLD = 2,    /* nothing in it that is not here */
    BUNDLE_BEHIND = 3, /* a feed whose writer has less of its ledger than is known here, or is of a
                        * line that has ended: it is an old bundle, or a machine that has lost
                        * entries; its own entries are kept, and the answer brings back what it
                        * lacks */
    BUNDLE_GAP = 4, /* it goes on from what is not here: what could be was taken in, but the writer
                     * is not told that it is here */
};

/* Written: parts with content, then what is in it. Read: what came of it. */
struct rep_bundle {
    struct bytes content; /* at most BUNDLE_PART_BYTES */
    enum bundle_kind kind;
    const char *unit; /* whom it is for, or from */
    struct wall written_at;
    int64_t entries; /* written: in it; read: of them new here */
    int64_t cells;
    int64_t refused; /* rows that were not taken in */
    int64_t lacks;   /* entries that the writer has lost */
    int64_t healed;  /* own entries that came back */
    enum bundle_outcome outcome;
    bool exact; /* both sides have the same now, but for what came after it was written */
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
        struct rep_bundle bundle;
        struct rep_missing missing;
    } u;
};

#endif

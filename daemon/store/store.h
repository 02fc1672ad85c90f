/* The store: one SQLite database per node, and every SQL statement of the project, behind functions
 * named after what they do. It keeps rows; what they mean is decided in node/. Texts that come
 * again (codes, categories, authors) are kept once as symbols, origins and segments under local
 * numbers; the ids in these structs are those numbers and mean nothing outside this file.
 *
 * Exactly one store opened with STORE_WRITE exists for a file: it writes and checkpoints. Others
 * are opened with STORE_READ after it, in their own thread if need be, and keep no read transaction
 * for longer than a slice. Outputs are written only on ERR_OK. An error other than ERR_NOT_FOUND
 * and ERR_EXISTS means that the transaction must be rolled back; its sentence is in store_error().
 */
#ifndef TALLY_STORE_H
#define TALLY_STORE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/wide.h"

struct store;

enum store_mode { STORE_CREATE, STORE_WRITE, STORE_READ };

enum { STORE_SCHEMA_VERSION = 8 };

/* Opens a database. Create: the file must not exist (ERR_EXISTS). Write: migrates to the newest
 * schema in one transaction, then makes a full checkpoint, so that what is answered from here on is
 * in the synced database. ERR_NEWER for a schema of a newer release, ERR_NOT_FOUND without a file.
 */
enum err store_open(const char *path, enum store_mode mode, struct store **out, struct errmsg *msg)
    MUST_CHECK;
void store_close(struct store *store);
/* Whether the file can be used at all: the form of its tables, its pages and trees. ERR_CORRUPT
 * with what was found. It reads all of the file. */
enum err store_check(struct store *store, struct errmsg *msg) MUST_CHECK;
const char *store_error(const struct store *store);
#define STORE_KEEP_ASIDE "keep this file aside, and put a good copy in its place"
/* `why`, with the file's path and, when it is damaged, what to do about it. */
enum err store_unusable(const struct store *store, enum err err, const char *why,
                        struct errmsg *msg);

/* One write transaction, or one read transaction on a reader. Commit returns only after the commit
 * is durable. A reader has nothing to lose: it ends each transaction by a rollback, which works
 * also when SQLite has ended it by itself, and begins anew whatever has become of the last one. */
enum err store_begin(struct store *store) MUST_CHECK;
enum err store_commit(struct store *store) MUST_CHECK;
void store_rollback(struct store *store);

/* A part of the write transaction that can be taken back; parts do not nest. */
enum err store_savepoint(struct store *store) MUST_CHECK;
enum err store_savepoint_end(struct store *store, bool undo) MUST_CHECK;

/* ---- facts about this file, by name ---- */
enum err store_fact_set_int(struct store *store, const char *name, int64_t value) MUST_CHECK;
enum err store_fact_set_blob(struct store *store, const char *name, const void *data, size_t len)
    MUST_CHECK;
/* `fallback` when it was never set. */
enum err store_fact_int(struct store *store, const char *name, int64_t fallback, int64_t *out)
    MUST_CHECK;
/* Copies into the arena; ERR_NOT_FOUND when it was never set. */
enum err store_fact_blob(struct store *store, const char *name, struct arena *arena,
                         struct bytes *out) MUST_CHECK;
/* Exactly `len` bytes, ERR_NOT_FOUND when never set, ERR_CORRUPT for another length. */
enum err store_fact_fixed(struct store *store, const char *name, void *out, size_t len) MUST_CHECK;

/* ---- symbols ---- */
/* The number of a text, made if it is new. */
enum err store_symbol_put(struct store *store, const char *text, int64_t *id) MUST_CHECK;
enum err store_symbol_find(struct store *store, const char *text, int64_t *id)
    MUST_CHECK; /* ERR_NOT_FOUND */
enum err store_symbol_text(struct store *store, int64_t id, struct arena *arena, const char **text)
    MUST_CHECK;
/* In order of the text's bytes, those after `after`. */
struct store_symbol {
    int64_t id;
    const char *text;
};
enum err store_symbols_after(struct store *store, const char *after, struct arena *arena,
                             struct store_symbol *out, size_t cap, size_t *count) MUST_CHECK;
/* What SQLite finds wrong with a table and its indexes, "ok" when nothing. In the arena. */
enum err store_table_check(struct store *store, const char *table, struct arena *arena,
                           const char **found) MUST_CHECK;
/* How many symbols the table and its index by text do not agree on. */
enum err store_symbols_torn(struct store *store, int64_t *count) MUST_CHECK;
/* How many segments are of an origin that is not there. */
enum err store_segments_astray(struct store *store, int64_t *count) MUST_CHECK;

/* ---- origins ---- */
enum { SCOPE_BELOW = 0, SCOPE_OWN = 1, SCOPE_ABOVE = 2 };

struct store_origin {
    int64_t id;
    struct id name;
    int64_t unit; /* symbol of the unit that an act gave it; 0: no act is known */
    int64_t
        via; /* symbol of the direct child's unit through which it comes; 0: own or from above */
    int64_t scope;      /* SCOPE_ */
    struct id digest;   /* sum of the hashes of its cells modulo 2^128 */
    int64_t cell_count; /* sum of the counts of its cells */
    int64_t rev;        /* of its signed heads; 0: none */
};

enum err store_origin_find(struct store *store, const struct id *name, struct store_origin *out)
    MUST_CHECK;
enum err store_origin_get(struct store *store, int64_t id, struct store_origin *out) MUST_CHECK;
enum err store_origin_add(struct store *store, struct store_origin *origin)
    MUST_CHECK; /* sets id */
enum err store_origin_set(struct store *store, const struct store_origin *origin) MUST_CHECK;
/* Those after `after` by number, at most `cap`. */
enum err store_origins(struct store *store, int64_t after, struct store_origin *out, size_t cap,
                       size_t *count) MUST_CHECK;
enum err store_origin_signed_set(struct store *store, int64_t id, const void *data, size_t len,
                                 int64_t rev) MUST_CHECK;
enum err store_origin_signed(struct store *store, int64_t id, struct arena *arena,
                             struct bytes *out) MUST_CHECK;

/* The heads that its cells here stand for, as encoded. ERR_NOT_FOUND. */
enum err store_origin_stood_set(struct store *store, int64_t id, struct bytes heads) MUST_CHECK;
enum err store_origin_stood(struct store *store, int64_t id, struct arena *arena, struct bytes *out)
    MUST_CHECK;

/* ---- segments and entries ---- */
struct store_segment {
    int64_t id;
    struct id name;
    int64_t origin;
    int64_t number;   /* order of arrival within the origin, 1.. */
    int64_t length;   /* highest length known */
    struct hash hash; /* at that length */
    int64_t held;     /* entries of it in this file */
    struct hash held_hash;
    int64_t base;      /* own ledger: entries in the segments before */
    int64_t continued; /* 0: no segment continues it; else 1 more than the length that one did */
    int64_t rev;
    int64_t clock; /* own ledger: see struct store_placed; set when it is added */
    bool sound;    /* the row is what was written, number and rev aside; what is not stays so until
                      `sound` is set */
};

/* `continues` is the canonical bytes of the heads that it continues. */
enum err store_segment_add(struct store *store, struct store_segment *segment,
                           struct bytes continues) MUST_CHECK;
enum err store_segment_set(struct store *store, const struct store_segment *segment) MUST_CHECK;
/* Its place in the own ledger alone. */
enum err store_segment_base_set(struct store *store, int64_t id, int64_t base) MUST_CHECK;
/* It becomes the last of its origin in order of number. */
enum err store_segment_move_last(struct store *store, int64_t id) MUST_CHECK;
enum err store_segment_find(struct store *store, const struct id *name, struct store_segment *out)
    MUST_CHECK;
enum err store_segment_get(struct store *store, int64_t id, struct store_segment *out) MUST_CHECK;
/* Of one origin in order of number, those after `after`. */
enum err store_segments(struct store *store, int64_t origin, int64_t after,
                        struct store_segment *out, size_t cap, size_t *count) MUST_CHECK;
enum err store_segments_count(struct store *store, int64_t origin, size_t *count) MUST_CHECK;
/* Of all, by name range, for identities typed by people: names from `low` to `high`. */
enum err store_segments_between(struct store *store, const struct id *low, const struct id *high,
                                struct store_segment *out, size_t cap, size_t *count) MUST_CHECK;
/* Segments that no other one continues to their end. */
enum err store_segments_frontier(struct store *store, int64_t origin, struct store_segment *out,
                                 size_t cap, size_t *count) MUST_CHECK;
enum err store_segment_continues(struct store *store, int64_t id, struct arena *arena,
                                 struct bytes *out) MUST_CHECK;
/* Sum of the known and of the held lengths of an origin's ledger. */
enum err store_ledger_length(struct store *store, int64_t origin, int64_t *known, int64_t *held)
    MUST_CHECK;
/* Of an origin: held entries that are facts, not acts. */
enum err store_ledger_facts(struct store *store, int64_t origin, int64_t *facts) MUST_CHECK;
/* Of an origin: entries that held ones stand for, which are lost. */
enum err store_ledger_lost(struct store *store, int64_t origin, int64_t *lost) MUST_CHECK;
/* The same of the own ledger, at once. */
enum err store_own_lost(struct store *store, int64_t *lost) MUST_CHECK;

struct store_entry {
    int64_t segment;
    int64_t seq;
    int64_t kind; /* enum entry_kind */
    int64_t unit;
    int64_t measure;
    int64_t category;
    int32_t day;
    int64_t value;
    int64_t hosting;
    struct id refers_segment;
    int64_t refers_seq;
    const char *key;  /* "" for none */
    const char *note; /* "" for none */
    int64_t author;
    struct wall recorded_at;
    struct bytes act;
    struct hash hash;
    bool own;
    bool live;             /* own records: neither voided nor a duplicate */
    int64_t now_value;     /* own records: after amends */
    struct wall healed_at; /* own: when it came back from the parent; 0: it never was missing */
    bool meanwhile;        /* own: not that, but recorded while what came back then was missing */
};

/* An own entry with its place in the order of the ledger: by `clock`, then by the name of its
 * segment. The clock of an entry is that of its segment and its number in it; a segment's is that
 * of the last entry that it continues (L. Lamport, Time, Clocks, and the Ordering of Events in a
 * Distributed System, 1978). So what knew of another comes after it, and the rest is put in one
 * order for good. */
struct store_placed {
    struct store_entry entry;
    int64_t clock;
    struct id segment;
};

enum err store_entry_add(struct store *store, const struct store_entry *entry) MUST_CHECK;
/* Strings and blobs go into the arena. ERR_NOT_FOUND. */
enum err store_entry_get(struct store *store, int64_t segment, int64_t seq, struct arena *arena,
                         struct store_entry *out) MUST_CHECK;
/* Of the own entries with this key, the one of that rank in the order of the ledger, 0 the first.
 * ERR_NOT_FOUND. */
enum err store_entry_by_key(struct store *store, const char *key, int64_t rank, struct arena *arena,
                            struct store_placed *out) MUST_CHECK;
/* Of one segment, those after `after`, in order. */
enum err store_entries(struct store *store, int64_t segment, int64_t after, struct arena *arena,
                       struct store_entry *out, size_t cap, size_t *count) MUST_CHECK;
/* Acts of the own origin about a unit, behind the one at `after`, in the order of their places;
 * looks at every own entry. */
enum err store_acts_about(struct store *store, int64_t origin, int64_t unit,
                          const struct store_entry *after, struct arena *arena,
                          struct store_entry *out, size_t cap, size_t *count) MUST_CHECK;
/* Own facts of that segment after `after` were recorded while others were missing, which have come
 * back at that time; *count of them. Those of which it was said before stay as they are. */
enum err store_entries_meanwhile(struct store *store, int64_t segment, int64_t after,
                                 struct wall at, int64_t *count) MUST_CHECK;
enum err store_entry_state_set(struct store *store, int64_t segment, int64_t seq, bool live,
                               int64_t now_value) MUST_CHECK;
/* Own stock records of one unit, measure, category with days from first to last. */
struct store_stock_span {
    int64_t unit;
    int64_t measure;
    int64_t category;
    int32_t first_day;
    int32_t last_day;
};
/* Of the own corrections of that entry, the one of that rank in the order of the ledger, 0 the
 * last, with its texts. ERR_NOT_FOUND. */
enum err store_entry_correction(struct store *store, const struct id *segment, int64_t seq,
                                int64_t rank, struct arena *arena, struct store_placed *out)
    MUST_CHECK;
/* Of all, live or not, the one of that rank (highest hosting, day, ledger order), 0 the highest. */
enum err store_entry_ranked(struct store *store, const struct store_stock_span *span, int64_t rank,
                            struct store_placed *out) MUST_CHECK;

/* Own entries that stand for lost ones (enum entry_kind), in order of unit, measure, category, day,
 * segment, number: those after that one (zeros: from the start). With texts. */
enum err store_entries_lost(struct store *store, const struct store_entry *after,
                            struct arena *arena, struct store_placed *out, size_t cap,
                            size_t *count) MUST_CHECK;
/* The last of them in the order of the ledger with those days. ERR_NOT_FOUND. */
enum err store_entry_lost(struct store *store, const struct store_stock_span *span,
                          struct arena *arena, struct store_placed *out) MUST_CHECK;

/* Healed entries that are not in any cell yet, because their measure is not known. */
struct store_unsettled {
    int64_t segment;
    int64_t seq;
};
enum err store_unsettled_add(struct store *store, int64_t segment, int64_t seq) MUST_CHECK;
enum err store_unsettled_delete(struct store *store, int64_t segment, int64_t seq) MUST_CHECK;
/* In order, those after `after`. */
enum err store_unsettled(struct store *store, const struct store_unsettled *after,
                         struct store_unsettled *out, size_t cap, size_t *count) MUST_CHECK;

/* ---- cells, totals ---- */
struct store_cell_key {
    int64_t unit;
    int64_t measure;
    int64_t category;
    int64_t period;
    int64_t origin;
};

struct store_cell {
    struct store_cell_key key;
    int64_t value;
    int64_t count;
    int64_t live;
    int64_t hosting;
    int64_t day;
    int64_t held;  /* enum hold_reason */
    int64_t scope; /* SCOPE_ of its origin */
    int64_t last;  /* own: place in the own ledger of the last entry that it counts */
    int64_t rev;
    struct id hash;
};

enum err store_cell_get(struct store *store, const struct store_cell_key *key,
                        struct store_cell *out) MUST_CHECK;
enum err store_cell_put(struct store *store, const struct store_cell *cell) MUST_CHECK;
enum err store_cell_delete(struct store *store, const struct store_cell_key *key) MUST_CHECK;
/* In order of key, those after `after` (all zero: from the start). */
enum err store_cells(struct store *store, const struct store_cell_key *after,
                     struct store_cell *out, size_t cap, size_t *count) MUST_CHECK;
/* Of one unit, measure, category with periods from..to, in order of period, origin. */
enum err store_cells_series(struct store *store, const struct store_cell_key *series, int64_t from,
                            int64_t to, struct store_cell *out, size_t cap, size_t *count)
    MUST_CHECK;
/* Of one unit, measure, category and origin with periods from `key->period` on, in their order. */
enum err store_cells_in_series(struct store *store, const struct store_cell_key *key,
                               struct store_cell *out, size_t cap, size_t *count) MUST_CHECK;
/* The measure and category, next after those of the key, of which the unit has cells: put into the
 * key. ERR_NOT_FOUND. */
enum err store_series_after(struct store *store, struct store_cell_key *key) MUST_CHECK;
/* Stocks: the nearest period before / after with a live, counted cell. ERR_NOT_FOUND. */
enum err store_period_before(struct store *store, const struct store_cell_key *series,
                             int64_t period, int64_t *out) MUST_CHECK;
enum err store_period_after(struct store *store, const struct store_cell_key *series,
                            int64_t period, int64_t *out) MUST_CHECK;
/* Whether the unit has a live counted cell of the measure, in any category, with a period from..to.
 */
enum err store_unit_reported(struct store *store, int64_t unit, int64_t measure, int64_t from,
                             int64_t to, bool *out) MUST_CHECK;
/* Whether any cell has this measure. */
enum err store_measure_used(struct store *store, int64_t measure, bool *out) MUST_CHECK;
/* Held cells in order of key, those after `after`. */
enum err store_cells_held(struct store *store, const struct store_cell_key *after,
                          struct store_cell *out, size_t cap, size_t *count) MUST_CHECK;
enum err store_cells_held_count(struct store *store, int64_t *out) MUST_CHECK;
/* Of them, those whose origin comes through that child. */
enum err store_cells_held_via(struct store *store, int64_t via, int64_t *out) MUST_CHECK;
/* The cell, if there is one, gets the revision `head` + 1; `head` is moved on. ERR_NOT_FOUND. */
enum err store_cell_requeue(struct store *store, const struct store_cell_key *key, int64_t *head)
    MUST_CHECK;
/* Of one origin in order of unit, measure, category, period: those after that key. */
enum err store_cells_of_origin(struct store *store, const struct store_cell_key *after,
                               struct store_cell *out, size_t cap, size_t *count) MUST_CHECK;
/* All cells of an origin get revisions from `head` + 1 on; `head` is moved on. */
enum err store_cells_requeue(struct store *store, int64_t origin, int64_t *head) MUST_CHECK;

struct store_total {
    int64_t unit;
    int64_t measure;
    int64_t category;
    int64_t period;
    wide value; /* flows: the sum; stocks: the change against the period before */
    int64_t entries;
};

/* Adds to a total, making it. */
enum err store_total_add(struct store *store, const struct store_total *delta) MUST_CHECK;
enum err store_total_set(struct store *store, const struct store_total *total) MUST_CHECK;
enum err store_total_get(struct store *store, struct store_total *total)
    MUST_CHECK; /* by its key; zeros when absent */
/* In order of key after `after`. */
enum err store_totals(struct store *store, const struct store_total *after, struct store_total *out,
                      size_t cap, size_t *count) MUST_CHECK;
/* The sums of one unit and measure by category: values of the periods from..to, or with `standing`
 * (stocks) of all periods up to `to`; entries of the periods from..to. Categories that have no
 * total up to `to` are left out. ERR_LIMIT beyond `cap` categories. */
struct store_span {
    int64_t unit;
    int64_t measure;
    int64_t from;
    int64_t to;
    bool standing;
};
enum err store_total_sums(struct store *store, const struct store_span *span,
                          struct store_total *out, size_t cap, size_t *count) MUST_CHECK;

/* ---- the feed: rows with a revision above `after`, oldest first ---- */
enum err store_feed_cells_up(struct store *store, int64_t after, struct store_cell *out, size_t cap,
                             size_t *count) MUST_CHECK;
enum err store_feed_cells_down(struct store *store, int64_t after, struct store_cell *out,
                               size_t cap, size_t *count) MUST_CHECK;
enum err store_feed_pending(struct store *store, int64_t after, int64_t *rows) MUST_CHECK;

/* ---- units, hostings, statuses ---- */
struct store_unit {
    int64_t code; /* symbol */
    const char *name;
    const char *level;
    struct bytes edges; /* canonical bytes, see node/tree.c */
    struct id decider;
    int64_t count;
    int64_t scope; /* of the decider */
    int64_t rev;
    struct id hash; /* of all that, as it was written; ignored by store_unit_put */
};

/* What the content of a row hashes to; ERR_NO_MEMORY. */
enum err store_unit_hash(const struct store_unit *unit, struct id *out) MUST_CHECK;

enum err store_unit_put(struct store *store, const struct store_unit *unit) MUST_CHECK;
enum err store_unit_get(struct store *store, int64_t code, struct arena *arena,
                        struct store_unit *out) MUST_CHECK;
/* In order of code number, after `after`; and by revision. */
enum err store_units(struct store *store, int64_t after, struct arena *arena,
                     struct store_unit *out, size_t cap, size_t *count) MUST_CHECK;
enum err store_feed_units(struct store *store, int64_t after, struct arena *arena,
                          struct store_unit *out, size_t cap, size_t *count) MUST_CHECK;

struct store_hosting {
    int64_t unit;
    struct id node;
    struct id origin;
    struct hash key;
    int64_t number;
    bool revoked;
    struct id decider;
    int64_t count;
    int64_t scope;
    int64_t rev;
    struct id hash; /* as of a unit */
};

enum err store_hosting_hash(const struct store_hosting *hosting, struct id *out) MUST_CHECK;
enum err store_hosting_put(struct store *store, const struct store_hosting *hosting) MUST_CHECK;
enum err store_hosting_get(struct store *store, int64_t unit, struct store_hosting *out) MUST_CHECK;
/* Of those that this origin decided: what others say of a key is not asked. */
enum err store_hosting_by_key(struct store *store, const struct hash *key, const struct id *decider,
                              struct store_hosting *out) MUST_CHECK;
enum err store_hostings(struct store *store, int64_t after, struct store_hosting *out, size_t cap,
                        size_t *count) MUST_CHECK;
enum err store_feed_hostings(struct store *store, int64_t after, struct store_hosting *out,
                             size_t cap, size_t *count) MUST_CHECK;

struct store_status {
    int64_t unit;
    struct id node;
    int64_t state; /* enum link_state */
    struct wall exact_as_of;
    int64_t held;
    int64_t lost; /* entries of its ledger that others stand for */
    bool direct;  /* of a direct child, written here */
    int64_t rev;
};

enum err store_status_put(struct store *store, const struct store_status *status) MUST_CHECK;
enum err store_status_get(struct store *store, int64_t unit, struct store_status *out) MUST_CHECK;
enum err store_statuses(struct store *store, int64_t after, struct store_status *out, size_t cap,
                        size_t *count) MUST_CHECK;
enum err store_feed_statuses(struct store *store, int64_t after, struct store_status *out,
                             size_t cap, size_t *count) MUST_CHECK;
/* Origins with signed heads, and segments, by revision. */
enum err store_feed_origins(struct store *store, int64_t after, struct store_origin *out,
                            size_t cap, size_t *count) MUST_CHECK;
enum err store_feed_segments(struct store *store, int64_t after, struct store_segment *out,
                             size_t cap, size_t *count) MUST_CHECK;

/* ---- what is known above of an origin whose heads are behind, told down ---- */
struct store_returned {
    bool whole;            /* all has come */
    struct bytes frontier; /* the heads that no segment continues, as encoded */
    struct bytes stood;    /* those that its cells stand for */
};
enum err store_returned_set(struct store *store, int64_t origin, const struct store_returned *row)
    MUST_CHECK;
/* ERR_NOT_FOUND. */
enum err store_returned_get(struct store *store, int64_t origin, struct arena *arena,
                            struct store_returned *out) MUST_CHECK;
enum err store_returned_origins(struct store *store, int64_t after, int64_t *out, size_t cap,
                                size_t *count) MUST_CHECK;
/* With its segments and cells. */
enum err store_returned_delete(struct store *store, int64_t origin) MUST_CHECK;
struct store_returned_segment {
    int64_t number; /* in the order in which they came, 1.. */
    struct id name;
    int64_t length;
    struct hash hash;
    struct bytes continues; /* as encoded */
};
enum err store_returned_segment_add(struct store *store, int64_t origin,
                                    const struct store_returned_segment *segment) MUST_CHECK;
enum err store_returned_segments(struct store *store, int64_t origin, int64_t after,
                                 struct arena *arena, struct store_returned_segment *out,
                                 size_t cap, size_t *count) MUST_CHECK;
/* Key, value, count, live, hosting, day. */
enum err store_returned_cell_put(struct store *store, const struct store_cell *cell) MUST_CHECK;
enum err store_returned_cells(struct store *store, const struct store_cell_key *after,
                              struct store_cell *out, size_t cap, size_t *count) MUST_CHECK;

/* ---- children, invitations, sessions ---- */
struct store_child {
    int64_t unit;
    struct id node;
    struct id session;      /* the last session name seen */
    struct id have_session; /* what this file has of its feed */
    int64_t have_revision;
    const char *text; /* why it was refused last; "" */
    bool midway;      /* what came of it last was no mark, or its sums differed there */
};

enum err store_child_put(struct store *store, const struct store_child *child) MUST_CHECK;
enum err store_child_get(struct store *store, int64_t unit, struct arena *arena,
                         struct store_child *out) MUST_CHECK;

/* What a child's last bundle said that it has: of its parent's feed, of its own ledger (`heads`, as
 * encoded), and of the catalogue. */
struct store_bundle {
    int64_t unit;
    struct id have_session;
    int64_t have_revision;
    int64_t catalogue;
    struct bytes heads;
    struct bytes beyond; /* of those, what was new then, and where it began */
};
enum err store_bundle_put(struct store *store, const struct store_bundle *bundle) MUST_CHECK;
/* `heads` and `beyond` go into the arena. */
enum err store_bundle_get(struct store *store, int64_t unit, struct arena *arena,
                          struct store_bundle *out) MUST_CHECK;

/* The units of the children that are midway. */
enum err store_children_midway(struct store *store, int64_t after, int64_t *units, size_t cap,
                               size_t *count) MUST_CHECK;

/* A session name of that child that has ended: who comes with it is a copy of a line of that
 * machine that goes on without it. The newest `keep` are kept. */
enum err store_ended_add(struct store *store, int64_t unit, const struct id *name, size_t keep)
    MUST_CHECK;
enum err store_ended_find(struct store *store, int64_t unit, const struct id *name, bool *ended)
    MUST_CHECK;

/* What this file has of the child's feed (unit 0: of all children's): nothing. */
enum err store_child_forget(struct store *store, int64_t unit) MUST_CHECK;

struct store_invite {
    struct id name;
    int64_t unit;
    uint8_t secret[16];
    struct wall expires;
    bool used;
    bool replace;
    struct hash key; /* of the node that used it */
};

enum err store_invite_put(struct store *store, const struct store_invite *invite) MUST_CHECK;
enum err store_invite_get(struct store *store, const struct id *name, struct store_invite *out)
    MUST_CHECK;

/* Own session names, oldest first; the newest `keep` are kept, and those that the facts
 * acked_session, said_session and welcomed_session name. `head` is the feed's last revision when
 * the session began. */
enum err store_session_add(struct store *store, const struct id *name, int64_t head, size_t keep)
    MUST_CHECK;
/* The feed's last revision when the session after this one began, which is the last that this one
 * can have given; INT64_MAX for the newest. ERR_NOT_FOUND when the file does not know the name. */
enum err store_session_end(struct store *store, const struct id *name, int64_t *head) MUST_CHECK;
struct store_session {
    struct id name;
    int64_t end; /* as above */
};
enum err store_sessions(struct store *store, struct store_session *out, size_t cap, size_t *count)
    MUST_CHECK;
/* All of them: this file is another node's now. */
enum err store_sessions_forget(struct store *store) MUST_CHECK;

/* ---- refused rows, alarms ---- */
struct store_refused {
    struct store_cell_key key;
    int64_t reason;
    int64_t count;
    struct id hash;
};

enum err store_refused_put(struct store *store, const struct store_refused *refused) MUST_CHECK;
/* *was: there was one. */
enum err store_refused_delete(struct store *store, const struct store_cell_key *key, bool *was)
    MUST_CHECK;
/* All of one origin. */
enum err store_refused_forget(struct store *store, int64_t origin) MUST_CHECK;
/* Those of it that were refused for that reason; how many they were. */
enum err store_refused_forget_for(struct store *store, int64_t origin, int64_t reason,
                                  int64_t *gone) MUST_CHECK;
/* How many of each unit, in order of unit, those after `after`. */
struct store_refused_unit {
    int64_t unit;
    int64_t rows;
};
enum err store_refused_units(struct store *store, int64_t after, struct store_refused_unit *out,
                             size_t cap, size_t *count) MUST_CHECK;
/* Of one origin: number, sum of counts; and of hashes, each less that of the cell here that it
 * would have replaced, so that added to the origin's digest it gives the digest of the origin's
 * own. */
enum err store_refused_sum(struct store *store, int64_t origin, int64_t *rows, int64_t *counts,
                           struct id *hashes) MUST_CHECK;
enum err store_refused_total(struct store *store, int64_t *rows) MUST_CHECK;

struct store_alarm {
    const char *code;
    const char *subject;
    const char *text;
    struct wall since;
    bool mended; /* what it tells of has been repaired; goes when a verify has shown it */
};

enum err store_alarm_put(struct store *store, const struct store_alarm *alarm)
    MUST_CHECK; /* keeps the first `since`; one too many (1000) is dropped, the log has it */
/* Nothing when there is no such alarm or it is mended already. */
enum err store_alarm_mend(struct store *store, const char *code, const char *subject,
                          const char *text) MUST_CHECK;
enum err store_alarm_delete(struct store *store, const char *code, const char *subject) MUST_CHECK;
enum err store_alarms_delete_mended(struct store *store) MUST_CHECK;
/* What is not settled first, then in order of time. */
enum err store_alarms(struct store *store, struct arena *arena, struct store_alarm *out, size_t cap,
                      size_t *count) MUST_CHECK;
/* Those with that code that are not settled, whose subject begins so. */
enum err store_alarms_about(struct store *store, const char *code, const char *subject,
                            struct arena *arena, struct store_alarm *out, size_t cap, size_t *count)
    MUST_CHECK;

#endif

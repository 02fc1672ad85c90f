/* What the files of the auditor share: its state, and one step function for each phase. */
#ifndef TALLY_NODE_AUDITOR_INTERNAL_H
#define TALLY_NODE_AUDITOR_INTERNAL_H

#include "node/audit.h"
#include "node/internal.h"
#include "node/lost.h"

enum { SLICE_ROWS = 2000, FINDING_TEXT_BYTES = 400, SERIES_CELLS_MAX = 256 };

/* In this order: what a phase takes for granted has been checked by those before it. */
enum phase {
    PHASE_TABLES,
    PHASE_STATE,
    PHASE_UNITS,
    PHASE_HOSTINGS,
    PHASE_CELLS,
    PHASE_CHAINS,
    PHASE_LEDGER,
    PHASE_SUMS,
    PHASE_TOTALS,
    PHASE_DIGESTS,
    PHASE_END
};

/* What a total, or one unit's part of it, comes to. */
struct sums {
    wide value;
    int64_t entries;
};

struct auditor {
    struct store *store;
    const struct view *view;
    audit_finding_fn finding;
    void *ctx;
    enum phase phase;
    int64_t examined[AUDIT_COUNT];
    struct arena arena; /* of one slice */
    struct texts texts;
    enum err unread; /* a text of this slice could not be read */
    struct buf scratch;
    struct store_cell series[SERIES_CELLS_MAX];
    int64_t own_origin;
    int64_t own_length; /* entries of the own ledger, known at the cells */
    enum err begun;     /* whether that is known */

    size_t table_at;
    bool unsound; /* rows cannot be found by their keys: nothing else is looked at, or mended */

    int64_t place_at; /* symbol of the last unit looked at */

    /* cells, totals */
    struct store_cell_key cell_at;
    struct store_total total_at;
    struct map totals; /* total_key -> sums, computed from cells */
    size_t total_slot;
    struct map origins; /* origin -> what its cells add up to */

    /* chains, own ledger */
    int64_t origin_at;
    int64_t segment_number;
    struct store_segment segment; /* id 0: between two */
    int64_t seq;
    struct hash hash;
    bool own_chain_broken;
    bool merged;      /* own ledger: lines of it have parted and met again */
    bool only_whole;  /* totals: of rows that are what was written */
    bool only_own;    /* chains: of the own origin only */
    struct lost lost; /* own ledger: bases of cells, loaded when its walk begins */
    bool lost_loaded;
    struct map ledger;    /* store_cell_key -> struct ledger_cell */
    struct map plain;     /* the same of cells with a base, without it */
    struct map corrected; /* struct entry_place -> struct corrected */
};

/* The text of a symbol, "?" when it is not there. When it cannot be read, `unread` says so. */
const char *auditor_text(struct auditor *a, int64_t symbol);
/* Hands a finding over, unless a text that it rests on could not be read. */
enum err auditor_report(struct auditor *a, const struct audit_finding *finding) MUST_CHECK;
/* Reports a cell, or a total, and what is wrong with it. */
enum err auditor_found(struct auditor *a, enum audit_check check, const struct store_cell_key *key,
                       const char *what) MUST_CHECK;

/* ---- auditor_units.c ---- */
enum err auditor_step_tables(struct auditor *a) MUST_CHECK;
enum err auditor_step_state(struct auditor *a) MUST_CHECK;
enum err auditor_step_units(struct auditor *a) MUST_CHECK;
enum err auditor_step_hostings(struct auditor *a) MUST_CHECK;

/* ---- auditor_cells.c ---- */
enum err auditor_step_cells(struct auditor *a) MUST_CHECK;
enum err auditor_check_cell(struct auditor *a, const struct store_cell *row) MUST_CHECK;
enum err auditor_step_sums(struct auditor *a) MUST_CHECK;
enum err auditor_step_totals(struct auditor *a) MUST_CHECK;
enum err auditor_step_digests(struct auditor *a) MUST_CHECK;
/* The total of a unit: its own part and those of all units under it. */
enum err auditor_recompute(struct auditor *a, const struct store_total *total, struct sums *out)
    MUST_CHECK;

/* ---- auditor_ledger.c ---- */
enum err auditor_step_chains(struct auditor *a) MUST_CHECK;
enum err auditor_step_ledger(struct auditor *a) MUST_CHECK;
/* One entry of that segment against the one before. */
enum err auditor_check_entry(struct auditor *a, const struct store_segment *segment,
                             const struct store_entry *row) MUST_CHECK;
void auditor_ledger_init(struct auditor *a);
void auditor_ledger_deinit(struct auditor *a);
/* The own cell with that key as the ledger has it, once the walk is over. */
enum err auditor_ledger_cell(struct auditor *a, const struct store_cell_key *key,
                             struct store_cell *out) MUST_CHECK;

/* What the corrections leave of an own record, once the walk is over. */
enum err auditor_ledger_record(const struct auditor *a, struct store_entry *record) MUST_CHECK;

#endif

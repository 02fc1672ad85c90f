/* The slices. Each phase walks one table in order of its key; what it finds different it computes
 * again from scratch within the same slice, so that a reader sees one state of the file.
 *
 *   cells    every row's hash against its content; own cells against the own ledger
 *   totals   every total against the cells of the units under it
 *   chains   every held entry's hash against the one before and its content (own ledger and escrow)
 *   digests  every origin's sum and count against its cells */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"
#include "node/internal.h"

enum { SLICE_ROWS = 2000, TEXT_BYTES = 400, SERIES_CELLS_MAX = 256 };

/* clang-format off */
enum phase { PHASE_CELLS, PHASE_LEDGER, PHASE_SUMS, PHASE_TOTALS, PHASE_CHAINS, PHASE_DIGESTS, PHASE_END };
/* clang-format on */

struct sums {
    wide value;
    int64_t entries;
};

struct origin_sum {
    struct id digest;
    int64_t count;
};

struct auditor {
    struct store *store;
    const struct view *view;
    audit_finding_fn finding;
    void *ctx;
    enum phase phase;
    int64_t examined[AUDIT_COUNT];
    struct arena arena;
    struct buf scratch;
    struct store_cell_key cell_at;
    struct store_total total_at;
    struct map totals;  /* total_key -> sums, computed from cells */
    struct map origins; /* origin -> origin_sum */
    struct map ledger;  /* store_cell_key -> store_cell, from own entries */
    int64_t own_origin;
    int64_t origin_at;
    int64_t segment_number;
    struct store_segment segment;
    int64_t seq;
    struct hash hash;
    size_t total_slot;
};

const char *audit_check_name(enum audit_check check)
{
    static const char *const NAMES[] = {"totals", "cells", "ledger", "chains", "digests", "escrow"};
    return NAMES[check];
}

int64_t auditor_examined(const struct auditor *auditor, enum audit_check check)
{
    return auditor->examined[check];
}

struct auditor *auditor_new(struct store *store, const struct view *view, audit_finding_fn finding,
                            void *ctx)
{
    struct auditor *a = calloc(1, sizeof *a);
    struct id origin;
    struct store_origin own;
    if (a == NULL) {
        return NULL;
    }
    a->store = store;
    a->view = view;
    a->finding = finding;
    a->ctx = ctx;
    arena_init(&a->arena, (size_t)64 << 20);
    buf_init(&a->scratch, FRAME_MAX_BYTES);
    map_init(&a->totals, sizeof(struct total_key), sizeof(struct sums));
    map_init(&a->origins, sizeof(int64_t), sizeof(struct origin_sum));
    map_init(&a->ledger, sizeof(struct store_cell_key), sizeof(struct store_cell));
    if (store_fact_fixed(store, "origin", origin.b, ID_BYTES) == ERR_OK &&
        store_origin_find(store, &origin, &own) == ERR_OK) {
        a->own_origin = own.id;
    }
    return a;
}

void auditor_free(struct auditor *a)
{
    if (a != NULL) {
        arena_reset(&a->arena);
        buf_deinit(&a->scratch);
        map_deinit(&a->totals);
        map_deinit(&a->origins);
        map_deinit(&a->ledger);
        free(a);
    }
}

static const char *text_of(struct auditor *a, int64_t symbol)
{
    const char *text;
    return store_symbol_text(a->store, symbol, &a->arena, &text) == ERR_OK ? text : "?";
}

static void period_text(struct auditor *a, const struct store_cell_key *key,
                        char out[PERIOD_TEXT_BYTES])
{
    const struct measure *measure = view_measure(a->view, key->measure);
    if (measure != NULL && period_index_valid(measure->frequency, (int32_t)key->period)) {
        period_format((struct period){measure->frequency, (int32_t)key->period}, out);
    } else {
        (void)snprintf(out, PERIOD_TEXT_BYTES, "#%" PRId64, key->period);
    }
}

static enum err found(struct auditor *a, enum audit_check check, const struct store_cell_key *key,
                      const char *what)
{
    char period[PERIOD_TEXT_BYTES];
    char text[TEXT_BYTES];
    period_text(a, key, period);
    const char *category = text_of(a, key->category);
    (void)snprintf(text, sizeof text, "%s of unit %s, measure %s, period %s%s%s: %s",
                   check == AUDIT_TOTALS ? "total" : "cell", text_of(a, key->unit),
                   text_of(a, key->measure), period, category[0] == '\0' ? "" : ", ", category,
                   what);
    struct audit_finding finding = {.check = check, .key = *key, .text = text};
    return a->finding(a->ctx, &finding);
}

/* ---- cells: hash against content, sums for origins and totals ---- */

static enum err cell_content_hash(struct auditor *a, const struct store_cell *row, struct id *out)
{
    struct store_origin origin;
    TRY(store_origin_get(a->store, row->key.origin, &origin));
    struct cell cell = {.origin = origin.name,
                        .unit = text_of(a, row->key.unit),
                        .measure = text_of(a, row->key.measure),
                        .category = text_of(a, row->key.category),
                        .period = (int32_t)row->key.period,
                        .value = row->value,
                        .count = row->count,
                        .live = row->live,
                        .hosting = row->hosting,
                        .day = (int32_t)row->day};
    buf_clear(&a->scratch);
    *out = cell_hash(&cell, &a->scratch);
    return ERR_OK;
}

static enum err check_cell(struct auditor *a, const struct store_cell *row)
{
    struct id hash;
    char what[TEXT_BYTES];
    a->examined[AUDIT_CELLS]++;
    TRY(cell_content_hash(a, row, &hash));
    if (id_equal(&hash, &row->hash)) {
        return ERR_OK;
    }
    (void)snprintf(what, sizeof what,
                   "its content (value %" PRId64 ", count %" PRId64 ") is not what was written",
                   row->value, row->count);
    return found(a, AUDIT_CELLS, &row->key, what);
}

static enum err step_cells(struct auditor *a)
{
    struct store_cell *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
    size_t n;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_cells(a->store, &a->cell_at, rows, SLICE_ROWS, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(check_cell(a, &rows[i]));
        a->cell_at = rows[i].key;
    }
    if (n < SLICE_ROWS) {
        a->phase = PHASE_LEDGER;
        a->segment_number = 0;
        a->segment.id = 0;
    }
    return ERR_OK;
}

/* ---- totals ---- */

/* What one unit's own cells add to the total of its (measure, category, period): a flow's sum, a
 * stock's change. */
static enum err own_part(struct auditor *a, const struct store_cell_key *key, bool stock,
                         struct sums *out)
{
    struct store_cell *rows = arena_array(&a->arena, SERIES_CELLS_MAX, sizeof *rows);
    size_t n;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_cells_series(a->store, key, key->period, key->period, rows, SERIES_CELLS_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        if (rows[i].held == HOLD_NONE) {
            out->entries += rows[i].count;
            out->value += stock ? 0 : rows[i].value;
        }
    }
    const struct store_cell *standing = cells_standing(rows, n);
    if (!stock || standing == NULL) {
        return ERR_OK;
    }
    int64_t now = standing->value;
    int64_t before = 0;
    int64_t period;
    enum err err = store_period_before(a->store, key, key->period, &period);
    if (err == ERR_OK) {
        TRY(store_cells_series(a->store, key, period, period, rows, SERIES_CELLS_MAX, &n));
        const struct store_cell *previous = cells_standing(rows, n);
        before = previous == NULL ? 0 : previous->value;
    } else if (err != ERR_NOT_FOUND) {
        return err;
    }
    out->value += (wide)now - before;
    return ERR_OK;
}

/* The total of a unit: its own part and those of all units under it. */
static enum err recompute(struct auditor *a, const struct store_total *total, struct sums *out)
{
    const struct view *view = a->view;
    int top = view_unit(view, total->unit);
    const struct measure *measure = view_measure(view, total->measure);
    *out = (struct sums){.value = 0};
    for (size_t i = 0; top != TREE_NONE && i < view->tree.count; i++) {
        if (view_within(view, (int)i, top)) {
            struct store_cell_key key = {view->tree.units[i].id, total->measure, total->category,
                                         total->period, 0};
            TRY(own_part(a, &key, measure != NULL && measure->kind == MEASURE_STOCK, out));
        }
    }
    return ERR_OK;
}

/* Adds one unit's part for every key of its cells into the table of all totals. */
static enum err add_up(struct auditor *a, const struct store_cell_key *key)
{
    const struct measure *measure = view_measure(a->view, key->measure);
    struct sums part = {.value = 0};
    int unit = view_unit(a->view, key->unit);
    TRY(own_part(a, key, measure != NULL && measure->kind == MEASURE_STOCK, &part));
    for (int depth = 0; unit != TREE_NONE && depth <= TREE_DEPTH_MAX; depth++) {
        struct total_key at = {a->view->tree.units[unit].id, key->measure, key->category,
                               key->period};
        struct sums *sums = map_put(&a->totals, &at, NULL);
        if (sums == NULL) {
            return ERR_NO_MEMORY;
        }
        sums->value += part.value;
        sums->entries += part.entries;
        unit = unit == a->view->self ? TREE_NONE : a->view->tree.units[unit].parent;
    }
    return ERR_OK;
}

static bool same_group(const struct store_cell_key *a, const struct store_cell_key *b)
{
    return a->unit == b->unit && a->measure == b->measure && a->category == b->category &&
           a->period == b->period;
}

/* First walk: the sums of all cells. Second: each stored total against them. */
static enum err step_sums(struct auditor *a)
{
    struct store_cell *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
    size_t n;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_cells(a->store, &a->cell_at, rows, SLICE_ROWS, &n));
    for (size_t i = 0; i < n; i++) {
        if (!same_group(&rows[i].key, &a->cell_at)) {
            TRY(add_up(a, &rows[i].key));
        }
        a->cell_at = rows[i].key;
    }
    if (n < SLICE_ROWS) {
        a->phase = PHASE_TOTALS;
    }
    return ERR_OK;
}

static enum err check_total(struct auditor *a, const struct store_total *row)
{
    struct total_key key = {row->unit, row->measure, row->category, row->period};
    struct sums *sums = map_get(&a->totals, &key);
    struct sums want = sums == NULL ? (struct sums){.value = 0} : *sums;
    a->examined[AUDIT_TOTALS]++;
    if (sums != NULL) {
        sums->entries = INT64_MIN; /* seen */
    }
    if (want.value == row->value && want.entries == row->entries) {
        return ERR_OK;
    }
    struct store_total again = *row;
    TRY(recompute(a, row, &want));
    TRY(store_total_get(a->store, &again));
    if (want.value == again.value && want.entries == again.entries) {
        return ERR_OK;
    }
    char stored[WIDE_TEXT_BYTES];
    char right[WIDE_TEXT_BYTES];
    char what[TEXT_BYTES];
    wide_format(again.value, 0, stored);
    wide_format(want.value, 0, right);
    (void)snprintf(what, sizeof what,
                   "stored %s (%" PRId64 " entries), the cells come to %s (%" PRId64 " entries)",
                   stored, again.entries, right, want.entries);
    struct store_cell_key at = {row->unit, row->measure, row->category, row->period, 0};
    return found(a, AUDIT_TOTALS, &at, what);
}

static enum err step_stored_totals(struct auditor *a)
{
    struct store_total *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
    size_t n;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_totals(a->store, &a->total_at, rows, SLICE_ROWS, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(check_total(a, &rows[i]));
        a->total_at = rows[i];
    }
    if (n == SLICE_ROWS) {
        return ERR_OK;
    }
    /* What the cells come to and no row has. */
    const void *key;
    void *value;
    while (map_next(&a->totals, &a->total_slot, &key, &value)) {
        const struct total_key *total = key;
        const struct sums *sums = value;
        if (sums->entries != INT64_MIN && (sums->value != 0 || sums->entries != 0)) {
            struct store_total row = {.unit = total->unit,
                                      .measure = total->measure,
                                      .category = total->category,
                                      .period = total->period};
            TRY(store_total_get(a->store, &row));
            TRY(check_total(a, &row));
        }
    }
    map_clear(&a->totals);
    a->phase = PHASE_CHAINS;
    a->origin_at = 0;
    return ERR_OK;
}

/* ---- own cells from the own ledger ---- */

static enum err ledger_entry(struct auditor *a, const struct store_entry *entry)
{
    const struct measure *measure = view_measure(a->view, entry->measure);
    if (entry->kind == ENTRY_ACT || measure == NULL) {
        return ERR_OK;
    }
    struct store_cell_key key = {.unit = entry->unit,
                                 .measure = entry->measure,
                                 .category = entry->category,
                                 .origin = a->own_origin};
    key.period = period_of_day(measure->frequency, entry->day).index;
    struct store_cell *made = map_put(&a->ledger, &key, NULL);
    if (made == NULL) {
        return ERR_NO_MEMORY;
    }
    struct store_cell *cell = made;
    cell->count++;
    if (entry->kind != ENTRY_RECORD || !entry->live) {
        return ERR_OK;
    }
    bool stands = cell->live == 0 || entry->hosting > cell->hosting ||
                  (entry->hosting == cell->hosting && entry->day >= cell->day);
    cell->live++;
    if (measure->kind == MEASURE_FLOW) {
        cell->value += entry->now_value;
    } else if (stands) {
        cell->value = entry->now_value;
        cell->hosting = entry->hosting;
        cell->day = entry->day;
    }
    return ERR_OK;
}

static enum err check_ledger_cells(struct auditor *a)
{
    const void *key;
    void *value;
    size_t at = 0;
    while (map_next(&a->ledger, &at, &key, &value)) {
        const struct store_cell *want = value;
        struct store_cell row = {.count = 0};
        enum err err = store_cell_get(a->store, key, &row);
        if (err != ERR_OK && err != ERR_NOT_FOUND) {
            return err;
        }
        a->examined[AUDIT_LEDGER]++;
        bool newer = row.count > want->count; /* recorded since this walk began */
        struct store_cell again = *want;
        /* Corrected between the slice of a record and that of its correction? */
        TRY(newer || cells_same(&row, want)
                ? ERR_OK
                : audit_recompute_own_cell(a->store, a->view, key, &again));
        if (!newer && !cells_same(&row, &again)) {
            char what[TEXT_BYTES];
            (void)snprintf(what, sizeof what,
                           "stored %" PRId64 " (%" PRId64
                           " entries), the own ledger comes to %" PRId64 " (%" PRId64 " entries)",
                           row.value, row.count, again.value, again.count);
            TRY(found(a, AUDIT_LEDGER, key, what));
        }
    }
    map_clear(&a->ledger);
    return ERR_OK;
}

/* ---- chains ---- */

static enum err chain_fault(struct auditor *a, int64_t seq, const char *what)
{
    char id[ENTRY_ID_MAX_BYTES];
    char text[TEXT_BYTES];
    entry_id_format(&a->segment.name, (uint64_t)seq, id);
    bool own = a->segment.origin == a->own_origin;
    struct store_origin origin;
    const char *unit = store_origin_get(a->store, a->segment.origin, &origin) == ERR_OK
                           ? text_of(a, origin.unit)
                           : "?";
    (void)snprintf(text, sizeof text, "%s entry %s of unit %s: %s", own ? "ledger" : "escrow", id,
                   unit, what);
    struct audit_finding finding = {.check = own ? AUDIT_CHAINS : AUDIT_ESCROW, .text = text};
    return a->finding(a->ctx, &finding);
}

static enum err check_entry(struct auditor *a, const struct store_entry *row)
{
    struct entry entry;
    bool own = a->segment.origin == a->own_origin;
    a->examined[own ? AUDIT_CHAINS : AUDIT_ESCROW]++;
    if (row->seq != a->seq + 1) {
        TRY(chain_fault(a, a->seq + 1, "it is missing"));
    }
    enum err err = ledger_entry_message(a->store, &a->arena, row, &a->segment.name, &entry);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    struct hash hash = a->hash;
    if (err == ERR_OK) {
        hash = entry_hash(&a->hash, &entry, &a->scratch);
    }
    if (!hash_equal(&hash, &row->hash)) {
        TRY(chain_fault(a, row->seq, "its content is not what its hash stands for"));
    }
    a->hash = row->hash; /* goes on from what is stored, so that one changed entry is named once */
    a->seq = row->seq;
    return ERR_OK;
}

static enum err begin_chain(struct auditor *a)
{
    struct bytes continues;
    struct head *heads;
    struct store_origin origin;
    struct opening opening = {.segment = a->segment.name};
    TRY(store_origin_get(a->store, a->segment.origin, &origin));
    opening.origin = origin.name;
    TRY(store_segment_continues(a->store, a->segment.id, &a->arena, &continues));
    TRY(heads_decode(continues, &a->arena, &heads, &opening.continue_count));
    opening.continues = heads;
    a->hash = opening_hash(&opening, &a->scratch);
    a->seq = 0;
    return ERR_OK;
}

static enum err end_chain(struct auditor *a)
{
    struct store_segment now;
    TRY(store_segment_get(a->store, a->segment.id, &now));
    bool whole = a->seq > now.held || (a->seq == now.held && hash_equal(&a->hash, &now.held_hash));
    a->segment.id = 0;
    if (whole || now.held > a->seq + SLICE_ROWS) {
        return ERR_OK;
    }
    a->segment = now;
    enum err err = a->seq < now.held
                       ? chain_fault(a, a->seq + 1, "it is missing at the end of its segment")
                       : chain_fault(a, a->seq, "its hash is not the head of its segment");
    a->segment.id = 0;
    return err;
}

/* Moves on to the next segment; false when the origins have no more. */
static enum err next_segment(struct auditor *a, int64_t only_origin, bool *there)
{
    for (;;) {
        size_t n = 0;
        if (a->origin_at != 0) {
            TRY(store_segments(a->store, a->origin_at, a->segment_number, &a->segment, 1, &n));
        }
        if (n == 1) {
            a->segment_number = a->segment.number;
            *there = true;
            return begin_chain(a);
        }
        struct store_origin origin;
        TRY(store_origins(a->store, a->origin_at, &origin, 1, &n));
        if (only_origin != 0) {
            n = a->origin_at == only_origin ? 0 : 1;
            origin.id = only_origin;
        }
        if (n == 0) {
            *there = false;
            return ERR_OK;
        }
        a->origin_at = origin.id;
        a->segment_number = 0;
    }
}

/* Walks held entries: of the own ledger to recompute cells, of all to check chains. */
static enum err step_entries(struct auditor *a, bool chains)
{
    size_t n;
    if (a->segment.id == 0) {
        bool there;
        TRY(next_segment(a, chains ? 0 : a->own_origin, &there));
        if (!there) {
            TRY(chains ? ERR_OK : check_ledger_cells(a));
            a->phase = chains ? PHASE_DIGESTS : PHASE_SUMS;
            a->cell_at = (struct store_cell_key){0};
            a->origin_at = 0;
            return ERR_OK;
        }
    }
    struct store_entry *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_entries(a->store, a->segment.id, a->seq, &a->arena, rows, SLICE_ROWS, &n));
    for (size_t i = 0; i < n; i++) {
        if (chains) {
            TRY(check_entry(a, &rows[i]));
        } else {
            TRY(ledger_entry(a, &rows[i]));
            a->seq = rows[i].seq;
        }
    }
    if (n == SLICE_ROWS) {
        return ERR_OK;
    }
    if (chains) {
        return end_chain(a);
    }
    a->segment.id = 0;
    return ERR_OK;
}

/* ---- digests: in one slice, so that they are of one state ---- */

static enum err step_digests(struct auditor *a)
{
    struct store_cell_key at = {0};
    struct store_cell *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
    size_t n = SLICE_ROWS;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    while (n == SLICE_ROWS) {
        TRY(store_cells(a->store, &at, rows, SLICE_ROWS, &n));
        for (size_t i = 0; i < n; i++) {
            struct origin_sum *sum = map_put(&a->origins, &rows[i].key.origin, NULL);
            if (sum == NULL) {
                return ERR_NO_MEMORY;
            }
            id_sum_add(&sum->digest, &rows[i].hash);
            sum->count += rows[i].count;
            at = rows[i].key;
        }
    }
    struct store_origin origin;
    for (int64_t after = 0;; after = origin.id) {
        TRY(store_origins(a->store, after, &origin, 1, &n));
        if (n == 0) {
            break;
        }
        const struct origin_sum *sum = map_get(&a->origins, &origin.id);
        struct origin_sum want = sum == NULL ? (struct origin_sum){.count = 0} : *sum;
        a->examined[AUDIT_DIGESTS]++;
        if (!id_equal(&want.digest, &origin.digest) || want.count != origin.cell_count) {
            char text[TEXT_BYTES];
            (void)snprintf(text, sizeof text,
                           "digest of the cells of unit %s: the rows come to %" PRId64
                           " entries, the origin's sum says %" PRId64
                           ", or a row was changed, added or taken away",
                           text_of(a, origin.unit), want.count, origin.cell_count);
            struct audit_finding finding = {.check = AUDIT_DIGESTS,
                                            .key = {.origin = origin.id},
                                            .text = text,
                                            .sum = want.digest,
                                            .count = want.count};
            TRY(a->finding(a->ctx, &finding));
        }
    }
    a->phase = PHASE_END;
    return ERR_OK;
}

enum err auditor_step(struct auditor *a, bool *done)
{
    enum err err = ERR_OK;
    arena_reset(&a->arena);
    switch (a->phase) {
    case PHASE_CELLS:
        err = step_cells(a);
        break;
    case PHASE_LEDGER:
        err = step_entries(a, false);
        break;
    case PHASE_SUMS:
        err = step_sums(a);
        break;
    case PHASE_TOTALS:
        err = step_stored_totals(a);
        break;
    case PHASE_CHAINS:
        err = step_entries(a, true);
        break;
    case PHASE_DIGESTS:
        err = step_digests(a);
        break;
    case PHASE_END:
        break;
    }
    *done = a->phase == PHASE_END;
    return err;
}

/* ---- single values, for mending ---- */

static enum err nobody_listens(void *ctx, const struct audit_finding *finding)
{
    (void)ctx;
    (void)finding;
    return ERR_OK;
}

enum err audit_recompute_total(struct store *store, const struct view *view,
                               struct store_total *total)
{
    struct sums sums;
    struct auditor *a = auditor_new(store, view, nobody_listens, NULL);
    enum err err = a == NULL ? ERR_NO_MEMORY : recompute(a, total, &sums);
    if (err == ERR_OK) {
        total->value = sums.value;
        total->entries = sums.entries;
    }
    auditor_free(a);
    return err;
}

enum err audit_recompute_own_cell(struct store *store, const struct view *view,
                                  const struct store_cell_key *key, struct store_cell *out)
{
    struct auditor *a = auditor_new(store, view, nobody_listens, NULL);
    enum err err = a == NULL ? ERR_NO_MEMORY : ERR_OK;
    while (err == ERR_OK) {
        bool there = true;
        size_t n = 0;
        struct store_entry *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
        err = rows == NULL         ? ERR_NO_MEMORY
              : a->segment.id == 0 ? next_segment(a, a->own_origin, &there)
                                   : ERR_OK;
        if (err != ERR_OK || !there) {
            break;
        }
        err = store_entries(store, a->segment.id, a->seq, &a->arena, rows, SLICE_ROWS, &n);
        for (size_t i = 0; i < n && err == ERR_OK; i++) {
            err = ledger_entry(a, &rows[i]);
            a->seq = rows[i].seq;
        }
        a->segment.id = n == SLICE_ROWS ? a->segment.id : 0;
        arena_reset(&a->arena);
    }
    const struct store_cell *cell = err == ERR_OK ? map_get(&a->ledger, key) : NULL;
    if (err == ERR_OK) {
        *out = cell == NULL ? (struct store_cell){.count = 0} : *cell;
    }
    auditor_free(a);
    return err;
}

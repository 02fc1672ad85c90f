/* Rows against each other: cells against their hashes, totals against cells, the sums of origins
 * against cells. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/auditor_internal.h"

/* ---- cells: hash against content, sums for origins and totals ---- */

static enum err cell_content_hash(struct auditor *a, const struct store_cell *row,
                                  const struct store_origin *origin, struct id *out)
{
    struct cell cell = {.origin = origin->name,
                        .unit = auditor_text(a, row->key.unit),
                        .measure = auditor_text(a, row->key.measure),
                        .category = auditor_text(a, row->key.category),
                        .period = (int32_t)row->key.period,
                        .value = row->value,
                        .count = row->count,
                        .live = row->live,
                        .hosting = row->hosting,
                        .day = (int32_t)row->day};
    buf_clear(&a->scratch);
    *out = cell_hash(&cell, &a->scratch);
    return a->scratch.failed ? ERR_NO_MEMORY : ERR_OK;
}

enum err auditor_check_cell(struct auditor *a, const struct store_cell *row)
{
    struct id hash;
    struct store_origin origin = {.id = 0};
    char what[FINDING_TEXT_BYTES];
    a->examined[AUDIT_CELLS]++;
    enum err err = store_origin_get(a->store, row->key.origin, &origin);
    if (err == ERR_NOT_FOUND) {
        return auditor_found(a, AUDIT_CELLS, &row->key, "whose it is cannot be found");
    }
    TRY(err);
    TRY(cell_content_hash(a, row, &origin, &hash));
    if (id_equal(&hash, &row->hash)) {
        bool held = row->held != HOLD_NONE;
        enum hold_reason reason =
            hold_reason(a->view, row, &origin, auditor_text(a, row->key.category));
        /* A measure may be retired that somebody recorded meanwhile; units are never taken back. */
        bool lost = !held && reason == HOLD_UNKNOWN_UNIT;
        bool free = held && reason == HOLD_NONE;
        bool own = row->key.origin == a->own_origin;
        bool apart = row->scope != origin.scope || (own && row->last > a->own_length);
        if (apart) {
            return auditor_found(a, AUDIT_CELLS, &row->key,
                                 "where it goes is not what was written");
        }
        return lost   ? auditor_found(a, AUDIT_CELLS, &row->key, "its unit is not known any more")
               : free ? auditor_found(a, AUDIT_CELLS, &row->key, "it is held back without a reason")
                      : ERR_OK;
    }
    (void)snprintf(what, sizeof what,
                   "its content (value %" PRId64 ", count %" PRId64 ") is not what was written",
                   row->value, row->count);
    return auditor_found(a, AUDIT_CELLS, &row->key, what);
}

enum err auditor_step_cells(struct auditor *a)
{
    struct store_cell *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
    size_t n;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    int64_t known;
    TRY(store_ledger_length(a->store, a->own_origin, &known, &a->own_length));
    TRY(store_cells(a->store, &a->cell_at, rows, SLICE_ROWS, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(auditor_check_cell(a, &rows[i]));
        a->cell_at = rows[i].key;
    }
    if (n < SLICE_ROWS) {
        a->phase = PHASE_CHAINS;
    }
    return ERR_OK;
}

/* ---- totals ---- */

/* ERR_REFUSED when one of them is not what was written. */
static enum err all_whole(struct auditor *a, const struct store_cell *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct store_origin origin;
        struct id hash;
        enum err err = store_origin_get(a->store, rows[i].key.origin, &origin);
        TRY(err == ERR_NOT_FOUND ? ERR_REFUSED : err);
        TRY(cell_content_hash(a, &rows[i], &origin, &hash));
        TRY(id_equal(&hash, &rows[i].hash) ? ERR_OK : ERR_REFUSED);
    }
    return ERR_OK;
}

/* What one unit's own cells add to the total of its (measure, category, period): a flow's sum, a
 * stock's change. */
static enum err own_part(struct auditor *a, const struct store_cell_key *key, bool stock,
                         struct sums *out)
{
    struct store_cell *rows = a->series;
    size_t n;
    TRY(store_cells_series(a->store, key, key->period, key->period, rows, SERIES_CELLS_MAX, &n));
    TRY(a->only_whole ? all_whole(a, rows, n) : ERR_OK);
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
        TRY(a->only_whole ? all_whole(a, rows, n) : ERR_OK);
        const struct store_cell *previous = cells_standing(rows, n);
        before = previous == NULL ? 0 : previous->value;
    } else if (err != ERR_NOT_FOUND) {
        return err;
    }
    out->value += (wide)now - before;
    return ERR_OK;
}

enum err auditor_recompute(struct auditor *a, const struct store_total *total, struct sums *out)
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
enum err auditor_step_sums(struct auditor *a)
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
    TRY(auditor_recompute(a, row, &want));
    TRY(store_total_get(a->store, &again));
    if (want.value == again.value && want.entries == again.entries) {
        return ERR_OK;
    }
    char stored[WIDE_TEXT_BYTES];
    char right[WIDE_TEXT_BYTES];
    char what[FINDING_TEXT_BYTES];
    wide_format(again.value, 0, stored);
    wide_format(want.value, 0, right);
    (void)snprintf(what, sizeof what,
                   "stored %s (%" PRId64 " entries), the cells come to %s (%" PRId64 " entries)",
                   stored, again.entries, right, want.entries);
    struct store_cell_key at = {row->unit, row->measure, row->category, row->period, 0};
    return auditor_found(a, AUDIT_TOTALS, &at, what);
}

enum err auditor_step_totals(struct auditor *a)
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
    a->phase = PHASE_DIGESTS;
    return ERR_OK;
}

/* ---- digests ---- */

struct origin_sum {
    struct id digest;
    int64_t count;
};

/* Adds the next cells to the sums of their origins; *last after the end. */
static enum err sum_origins(struct auditor *a, struct store_cell_key *at, struct map *sums,
                            struct store_cell *rows, bool *last)
{
    size_t n;
    TRY(store_cells(a->store, at, rows, SLICE_ROWS, &n));
    for (size_t i = 0; i < n; i++) {
        struct origin_sum *sum = map_put(sums, &rows[i].key.origin, NULL);
        if (sum == NULL) {
            return ERR_NO_MEMORY;
        }
        id_sum_add(&sum->digest, &rows[i].hash);
        sum->count += rows[i].count;
        *at = rows[i].key;
    }
    *last = n < SLICE_ROWS;
    return ERR_OK;
}

static enum err found_digest(struct auditor *a, const struct store_origin *origin,
                             const struct origin_sum *want)
{
    char text[FINDING_TEXT_BYTES];
    (void)snprintf(text, sizeof text,
                   "digest of the cells of unit %s: the rows come to %" PRId64
                   " entries, the origin's sum says %" PRId64
                   ", or a row was changed, added or taken away",
                   auditor_text(a, origin->unit), want->count, origin->cell_count);
    struct audit_finding finding = {.check = AUDIT_DIGESTS,
                                    .key = {.origin = origin->id},
                                    .text = text,
                                    .sum = want->digest,
                                    .count = want->count};
    return auditor_report(a, &finding);
}

/* Holds the sums against what each origin's row says: reports what differs, or only counts it. */
static enum err compare_origins(struct auditor *a, const struct map *sums, bool report,
                                size_t *unequal)
{
    struct store_origin origin;
    size_t n = 1;
    *unequal = 0;
    for (int64_t after = 0; n == 1; after = origin.id) {
        TRY(store_origins(a->store, after, &origin, 1, &n));
        if (n == 0) {
            break;
        }
        const struct origin_sum *sum = map_get(sums, &origin.id);
        struct origin_sum want = sum == NULL ? (struct origin_sum){.count = 0} : *sum;
        a->examined[AUDIT_DIGESTS] += report ? 0 : 1;
        if (!id_equal(&want.digest, &origin.digest) || want.count != origin.cell_count) {
            (*unequal)++;
            TRY(report ? found_digest(a, &origin, &want) : ERR_OK);
        }
    }
    return ERR_OK;
}

/* All cells within this one slice, so that they are of one state. */
static enum err compare_at_once(struct auditor *a, struct store_cell *rows)
{
    struct map sums;
    struct store_cell_key at = {0};
    bool last = false;
    size_t unequal;
    enum err err = ERR_OK;
    map_init(&sums, sizeof(int64_t), sizeof(struct origin_sum));
    while (err == ERR_OK && !last) {
        err = sum_origins(a, &at, &sums, rows, &last);
    }
    err = err == ERR_OK ? compare_origins(a, &sums, true, &unequal) : err;
    map_deinit(&sums);
    return err;
}

/* Walks slice by slice; only when something differs then, perhaps because it changed on the way, is
 * everything added up again at once. */
enum err auditor_step_digests(struct auditor *a)
{
    struct store_cell *rows = arena_array(&a->arena, SLICE_ROWS, sizeof *rows);
    bool last;
    size_t unequal;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    if (a->origins.value_size == 0) {
        map_init(&a->origins, sizeof(int64_t), sizeof(struct origin_sum));
        a->cell_at = (struct store_cell_key){0};
    }
    TRY(sum_origins(a, &a->cell_at, &a->origins, rows, &last));
    if (!last) {
        return ERR_OK;
    }
    TRY(compare_origins(a, &a->origins, false, &unequal));
    a->phase = PHASE_END;
    return unequal == 0 ? ERR_OK : compare_at_once(a, rows);
}

/* Cells and totals. */
#include <string.h>

#include "store/internal.h"

static enum err read_cell(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_cell *cell = element;
    int64_t *const fields[] = {&cell->key.unit,   &cell->key.measure, &cell->key.category,
                               &cell->key.period, &cell->key.origin,  &cell->value,
                               &cell->count,      &cell->live,        &cell->hosting,
                               &cell->day,        &cell->held,        &cell->scope,
                               &cell->last,       &cell->rev};
    for (int i = 0; i < 14; i++) {
        *fields[i] = sqlite3_column_int64(stmt, i);
    }
    store_column_fixed(stmt, 14, cell->hash.b, sizeof cell->hash.b);
    return ERR_OK;
}

enum err store_cell_get(struct store *store, const struct store_cell_key *key,
                        struct store_cell *out)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_CELL_GET, "iiiii", key->unit, key->measure,
                                    key->category, key->period, key->origin);
    return store_read_one(store, stmt, read_cell, NULL, out);
}

enum err store_cell_put(struct store *store, const struct store_cell *cell)
{
    const struct store_cell_key *key = &cell->key;
    return store_run(store,
                     store_bind(store, STMT_CELL_PUT, "iiiiiiiiiiiiiib", key->unit, key->measure,
                                key->category, key->period, key->origin, cell->value, cell->count,
                                cell->live, cell->hosting, cell->day, cell->held, cell->scope,
                                cell->last, cell->rev, cell->hash.b, sizeof cell->hash.b));
}

enum err store_cell_delete(struct store *store, const struct store_cell_key *key)
{
    return store_run(store, store_bind(store, STMT_CELL_DELETE, "iiiii", key->unit, key->measure,
                                       key->category, key->period, key->origin));
}

static enum err list_after(struct store *store, enum store_stmt which,
                           const struct store_cell_key *after, struct store_cell *out, size_t cap,
                           size_t *count)
{
    sqlite3_stmt *stmt = store_bind(store, which, "iiiiii", after->unit, after->measure,
                                    after->category, after->period, after->origin, (int64_t)cap);
    return store_list(store, stmt, read_cell, NULL, out, sizeof *out, cap, count);
}

enum err store_cells(struct store *store, const struct store_cell_key *after,
                     struct store_cell *out, size_t cap, size_t *count)
{
    return list_after(store, STMT_CELLS, after, out, cap, count);
}

enum err store_cells_held(struct store *store, const struct store_cell_key *after,
                          struct store_cell *out, size_t cap, size_t *count)
{
    return list_after(store, STMT_CELLS_HELD, after, out, cap, count);
}

static enum err list_of_origin(struct store *store, enum store_stmt which,
                               const struct store_cell_key *after, struct store_cell *out,
                               size_t cap, size_t *count)
{
    sqlite3_stmt *stmt = store_bind(store, which, "iiiiii", after->origin, after->unit,
                                    after->measure, after->category, after->period, (int64_t)cap);
    return store_list(store, stmt, read_cell, NULL, out, sizeof *out, cap, count);
}

enum err store_cells_of_origin(struct store *store, const struct store_cell_key *after,
                               struct store_cell *out, size_t cap, size_t *count)
{
    return list_of_origin(store, STMT_CELLS_OF_ORIGIN, after, out, cap, count);
}

enum err store_returned_cells(struct store *store, const struct store_cell_key *after,
                              struct store_cell *out, size_t cap, size_t *count)
{
    return list_of_origin(store, STMT_RETURNED_CELLS, after, out, cap, count);
}

enum err store_cells_series(struct store *store, const struct store_cell_key *series, int64_t from,
                            int64_t to, struct store_cell *out, size_t cap, size_t *count)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_CELLS_SERIES, "iiiiii", series->unit,
                                    series->measure, series->category, from, to, (int64_t)cap);
    return store_list(store, stmt, read_cell, NULL, out, sizeof *out, cap, count);
}

enum err store_cells_in_series(struct store *store, const struct store_cell_key *key,
                               struct store_cell *out, size_t cap, size_t *count)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_CELLS_IN_SERIES, "iiiiii", key->unit, key->measure,
                                    key->category, key->period, key->origin, (int64_t)cap);
    return store_list(store, stmt, read_cell, NULL, out, sizeof *out, cap, count);
}

static enum err read_series(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_cell_key *key = element;
    key->measure = sqlite3_column_int64(stmt, 0);
    key->category = sqlite3_column_int64(stmt, 1);
    return ERR_OK;
}

enum err store_series_after(struct store *store, struct store_cell_key *key)
{
    sqlite3_stmt *stmt =
        store_bind(store, STMT_SERIES_AFTER, "iii", key->unit, key->measure, key->category);
    return store_read_one(store, stmt, read_series, NULL, key);
}

static enum err read_int(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    *(int64_t *)element = sqlite3_column_int64(stmt, 0);
    return ERR_OK;
}

enum err store_period_before(struct store *store, const struct store_cell_key *series,
                             int64_t period, int64_t *out)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_PERIOD_BEFORE, "iiii", series->unit,
                                    series->measure, series->category, period);
    return store_read_one(store, stmt, read_int, NULL, out);
}

enum err store_period_after(struct store *store, const struct store_cell_key *series,
                            int64_t period, int64_t *out)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_PERIOD_AFTER, "iiii", series->unit, series->measure,
                                    series->category, period);
    return store_read_one(store, stmt, read_int, NULL, out);
}

static enum err exists(struct store *store, sqlite3_stmt *stmt, bool *out)
{
    int64_t one;
    enum err err = store_read_one(store, stmt, read_int, NULL, &one);
    if (err == ERR_OK || err == ERR_NOT_FOUND) {
        *out = err == ERR_OK;
        return ERR_OK;
    }
    return err;
}

enum err store_unit_reported(struct store *store, int64_t unit, int64_t measure, int64_t from,
                             int64_t to, bool *out)
{
    return exists(store, store_bind(store, STMT_UNIT_REPORTED, "iiii", unit, measure, from, to),
                  out);
}

enum err store_measure_used(struct store *store, int64_t measure, bool *out)
{
    return exists(store, store_bind(store, STMT_MEASURE_USED, "i", measure), out);
}

enum err store_cells_held_count(struct store *store, int64_t *out)
{
    return store_read_one(store, store_bind(store, STMT_CELLS_HELD_COUNT, ""), read_int, NULL, out);
}

enum err store_cells_held_via(struct store *store, int64_t via, int64_t *out)
{
    return store_read_one(store, store_bind(store, STMT_CELLS_HELD_VIA, "i", via), read_int, NULL,
                          out);
}

static enum err set_revision(struct store *store, const struct store_cell_key *key, int64_t rev)
{
    return store_run(store, store_bind(store, STMT_CELL_REV_SET, "iiiiii", key->unit, key->measure,
                                       key->category, key->period, key->origin, rev));
}

enum err store_cell_requeue(struct store *store, const struct store_cell_key *key, int64_t *head)
{
    TRY(set_revision(store, key, *head + 1));
    if (sqlite3_changes(store->db) == 0) {
        return ERR_NOT_FOUND;
    }
    *head += 1;
    return ERR_OK;
}

enum err store_cells_requeue(struct store *store, int64_t origin, int64_t *head)
{
    enum { CHUNK = 128 };
    struct store_cell cells[CHUNK];
    struct store_cell_key after = {0};
    int64_t next = *head;
    size_t n = CHUNK;
    while (n == CHUNK) {
        after.origin = origin;
        TRY(store_cells_of_origin(store, &after, cells, CHUNK, &n));
        for (size_t i = 0; i < n; i++) {
            TRY(set_revision(store, &cells[i].key, ++next));
        }
        after = n > 0 ? cells[n - 1].key : after;
    }
    *head = next;
    return ERR_OK;
}

enum err store_feed_cells_up(struct store *store, int64_t after, struct store_cell *out, size_t cap,
                             size_t *count)
{
    return store_list(store, store_bind(store, STMT_FEED_CELLS_UP, "ii", after, (int64_t)cap),
                      read_cell, NULL, out, sizeof *out, cap, count);
}

enum err store_feed_cells_down(struct store *store, int64_t after, struct store_cell *out,
                               size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_FEED_CELLS_DOWN, "ii", after, (int64_t)cap),
                      read_cell, NULL, out, sizeof *out, cap, count);
}

enum err store_feed_pending(struct store *store, int64_t after, int64_t *rows)
{
    return store_read_one(store, store_bind(store, STMT_FEED_PENDING, "i", after), read_int, NULL,
                          rows);
}

static enum err read_total(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_total *total = element;
    total->unit = sqlite3_column_int64(stmt, 0);
    total->measure = sqlite3_column_int64(stmt, 1);
    total->category = sqlite3_column_int64(stmt, 2);
    total->period = sqlite3_column_int64(stmt, 3);
    total->value =
        wide_join(sqlite3_column_int64(stmt, 4), (uint64_t)sqlite3_column_int64(stmt, 5));
    total->entries = sqlite3_column_int64(stmt, 6);
    return ERR_OK;
}

enum err store_total_get(struct store *store, struct store_total *total)
{
    struct store_total found = *total;
    enum err err = store_read_one(store,
                                  store_bind(store, STMT_TOTAL_GET, "iiii", total->unit,
                                             total->measure, total->category, total->period),
                                  read_total, NULL, &found);
    if (err == ERR_NOT_FOUND) {
        found.value = 0;
        found.entries = 0;
        err = ERR_OK;
    }
    if (err == ERR_OK) {
        *total = found;
    }
    return err;
}

enum err store_total_set(struct store *store, const struct store_total *total)
{
    return store_run(store,
                     store_bind(store, STMT_TOTAL_PUT, "iiiiiii", total->unit, total->measure,
                                total->category, total->period, wide_high(total->value),
                                (int64_t)wide_low(total->value), total->entries));
}

enum err store_total_add(struct store *store, const struct store_total *delta)
{
    struct store_total total = *delta;
    TRY(store_total_get(store, &total));
    if (wide_add_overflows(total.value, delta->value, &total.value)) {
        return ERR_OVERFLOW;
    }
    total.entries += delta->entries;
    return store_total_set(store, &total);
}

enum err store_totals(struct store *store, const struct store_total *after, struct store_total *out,
                      size_t cap, size_t *count)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_TOTALS, "iiiii", after->unit, after->measure,
                                    after->category, after->period, (int64_t)cap);
    return store_list(store, stmt, read_total, NULL, out, sizeof *out, cap, count);
}

enum err store_total_sums(struct store *store, const struct store_span *span,
                          struct store_total *out, size_t cap, size_t *count)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_TOTALS_OF_UNIT, "iiii", span->unit, span->measure,
                                    (int64_t)0, (int64_t)INT64_MIN);
    size_t n = 0;
    for (;;) {
        bool row = false;
        struct store_total total;
        TRY(store_step(store, stmt, &row));
        if (!row) {
            break;
        }
        (void)read_total(stmt, NULL, &total);
        if (total.period > span->to || (!span->standing && total.period < span->from)) {
            continue;
        }
        if (n == 0 || out[n - 1].category != total.category) {
            if (n == cap) {
                (void)sqlite3_reset(stmt);
                return ERR_LIMIT;
            }
            out[n] = (struct store_total){
                .unit = span->unit, .measure = span->measure, .category = total.category};
            n++;
        }
        out[n - 1].value += total.value;
        out[n - 1].entries += total.period >= span->from ? total.entries : 0;
    }
    *count = n;
    return ERR_OK;
}

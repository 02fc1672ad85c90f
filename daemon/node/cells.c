/* Cells and the totals above them: the roll-up.
 *
 * 1. During a batch, changed cells are kept in memory, each loaded on its first touch
 * (cells_touch).
 * 2. cells_flush takes them one by one: hash, digest and counts of the origin, revision for the
 * feed, row; and works out by how much the totals of the unit and of each unit above it change.
 * Those changes are added up in memory too.
 * 3. At the end every total that changed is read and written once.
 *
 * A flow's total is the sum of its cells. A stock's is kept as changes: in a period with a live
 * cell, the standing value there minus the standing value before. So a stock cell may change its
 * own period and the next one that has a cell. */
#include <string.h>

#include "base/sha256.h"
#include "node/audit.h"
#include "node/internal.h"

enum { PERIOD_CELLS_MAX = 256 };

enum err cells_load(struct node *node, const struct store_cell_key *key, struct pending_cell **out)
{
    bool made;
    struct pending_cell *pending = map_put(&node->cells, key, &made);
    if (pending == NULL) {
        return ERR_NO_MEMORY;
    }
    if (made) {
        struct id hash = {{0}};
        enum err err = store_cell_get(node->store, key, &pending->old);
        pending->there = err == ERR_OK;
        if (err == ERR_NOT_FOUND) {
            pending->old = (struct store_cell){.key = *key};
            err = ERR_OK;
        }
        TRY(err);
        pending->now = pending->old;
        err = pending->there ? cells_hash(node, &pending->old, &hash) : ERR_OK;
        bool nameless = err == ERR_NOT_FOUND; /* its origin, or one of its texts, is lost */
        TRY(nameless ? ERR_OK : err);
        pending->damaged = pending->there && (nameless || !id_equal(&hash, &pending->old.hash));
    }
    *out = pending;
    return ERR_OK;
}

enum err cells_touch(struct node *node, const struct store_cell_key *key, struct pending_cell **out)
{
    TRY(cells_load(node, key, out));
    if ((*out)->damaged && !(*out)->named) {
        TRY(mend_touched_cell(node, *out)); /* refused each time that it cannot be made again */
        (*out)->named = true;
    }
    return ERR_OK;
}

enum err cells_message(struct node *node, const struct store_cell *cell, struct cell *out)
{
    struct cached_origin *origin;
    TRY(node_origin(node, cell->key.origin, &origin));
    out->origin = origin->row.name;
    TRY(node_text(node, cell->key.unit, &out->unit));
    TRY(node_text(node, cell->key.measure, &out->measure));
    TRY(node_text(node, cell->key.category, &out->category));
    out->period = (int32_t)cell->key.period;
    out->value = cell->value;
    out->count = cell->count;
    out->live = cell->live;
    out->hosting = cell->hosting;
    out->day = (int32_t)cell->day;
    return ERR_OK;
}

enum err cells_hash(struct node *node, const struct store_cell *cell, struct id *out)
{
    struct cell message;
    TRY(cells_message(node, cell, &message));
    buf_clear(&node->scratch);
    *out = cell_hash(&message, &node->scratch);
    return node->scratch.failed ? ERR_NO_MEMORY : ERR_OK;
}

struct store_stock_span cells_span(const struct store_cell_key *key, const struct measure *measure)
{
    struct period period = {measure->frequency, (int32_t)key->period};
    return (struct store_stock_span){.unit = key->unit,
                                     .measure = key->measure,
                                     .category = key->category,
                                     .first_day = period_first_day(period),
                                     .last_day = period_last_day(period)};
}

const struct store_cell *cells_standing(const struct store_cell *cells, size_t count)
{
    const struct store_cell *best = NULL;
    for (size_t i = 0; i < count; i++) {
        const struct store_cell *cell = &cells[i];
        if (cell->live == 0 || cell->held != HOLD_NONE) {
            continue;
        }
        bool better = best == NULL || cell->hosting > best->hosting ||
                      (cell->hosting == best->hosting && cell->day > best->day);
        best = better ? cell : best;
    }
    return best;
}

/* The standing value of the cells in exactly that period; *there false when none lives. */
static enum err standing_at(struct node *node, const struct store_cell_key *key, int64_t period,
                            bool *there, int64_t *value)
{
    struct store_cell cells[PERIOD_CELLS_MAX];
    size_t n;
    TRY(store_cells_series(node->store, key, period, period, cells, PERIOD_CELLS_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        struct id hash;
        enum err err = cells_hash(node, &cells[i], &hash);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        if (err == ERR_NOT_FOUND || !id_equal(&hash, &cells[i].hash)) {
            audit_soon(node, 0); /* the totals made with it are mended then */
        }
    }
    const struct store_cell *best = cells_standing(cells, n);
    *there = best != NULL;
    *value = best == NULL ? 0 : best->value;
    return ERR_OK;
}

static enum err add_delta(struct node *node, const struct store_cell_key *key, int64_t period,
                          wide value, int64_t entries)
{
    int unit = view_unit(&node->view, key->unit);
    for (int depth = 0;
         unit != TREE_NONE && depth <= TREE_DEPTH_MAX && (value != 0 || entries != 0); depth++) {
        struct total_key at = {node->view.tree.units[unit].id, key->measure, key->category, period};
        struct total_delta *delta = map_put(&node->totals, &at, NULL);
        if (delta == NULL) {
            return ERR_NO_MEMORY;
        }
        delta->value += value;
        delta->entries = (int64_t)((uint64_t)delta->entries + (uint64_t)entries);
        unit = unit == node->view.self ? TREE_NONE : node->view.tree.units[unit].parent;
    }
    return ERR_OK;
}

/* A stock's standing value in one period went from `before` to `after` (each possibly absent). */
struct standing_change {
    bool was;
    int64_t before;
    bool is;
    int64_t after;
};

static enum err add_stock_deltas(struct node *node, const struct store_cell_key *key,
                                 const struct standing_change *change)
{
    int64_t previous = 0;
    bool there = false;
    int64_t period;
    enum err err = store_period_before(node->store, key, key->period, &period);
    if (err == ERR_OK) {
        err = standing_at(node, key, period, &there, &previous);
    } else if (err == ERR_NOT_FOUND) {
        err = ERR_OK;
    }
    TRY(err);
    wide then = change->was ? (wide)change->before - previous : 0;
    wide now = change->is ? (wide)change->after - previous : 0;
    TRY(add_delta(node, key, key->period, now - then, 0));
    err = store_period_after(node->store, key, key->period, &period);
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    wide base_then = change->was ? change->before : previous;
    wide base_now = change->is ? change->after : previous;
    return add_delta(node, key, period, base_then - base_now, 0);
}

static int64_t counted(const struct store_cell *cell, int64_t field)
{
    return cell->held == HOLD_NONE ? field : 0;
}

/* Writes the row and adds what that changes above it. */
static enum err write_cell(struct node *node, const struct pending_cell *pending)
{
    const struct store_cell *old = &pending->old;
    const struct store_cell *now = &pending->now;
    const struct measure *measure = view_measure(&node->view, now->key.measure);
    int64_t entries = (int64_t)((uint64_t)counted(now, now->count) -
                                (uint64_t)counted(old, old->count)); /* of damage: any number */
    if (measure == NULL || measure->kind == MEASURE_FLOW) {
        TRY(store_cell_put(node->store, now));
        return add_delta(node, &now->key, now->key.period,
                         (wide)counted(now, now->value) - counted(old, old->value), entries);
    }
    struct standing_change change;
    TRY(standing_at(node, &now->key, now->key.period, &change.was, &change.before));
    TRY(store_cell_put(node->store, now));
    TRY(standing_at(node, &now->key, now->key.period, &change.is, &change.after));
    if (change.was != change.is || change.before != change.after) {
        TRY(add_stock_deltas(node, &now->key, &change));
    }
    return add_delta(node, &now->key, now->key.period, 0, entries);
}

static enum err flush_cell(struct node *node, struct pending_cell *pending)
{
    struct store_cell *now = &pending->now;
    const struct store_cell *old = &pending->old;
    bool changed = memcmp(now, old, sizeof *now) != 0;
    if (pending->damaged ? !pending->restored : !changed) {
        return ERR_OK; /* a new hash would hide the damage */
    }
    struct cached_origin *origin;
    TRY(node_origin(node, now->key.origin, &origin));
    if (pending->there) {
        id_sum_sub(&origin->row.digest, &old->hash);
    }
    if (!pending->gone) {
        TRY(cells_hash(node, now, &now->hash));
        id_sum_add(&origin->row.digest, &now->hash);
    }
    int64_t count = pending->gone ? 0 : now->count;
    origin->row.cell_count = (int64_t)((uint64_t)origin->row.cell_count + (uint64_t)count -
                                       (uint64_t)old->count); /* of damage: any number */
    origin->coming = 0;                                       /* all cells of a flush go together */
    origin->room_later = false;
    origin->dirty = true;
    origin->marked = false;
    if (pending->gone) {
        return store_cell_delete(node->store, &old->key);
    }
    now->scope = origin->row.scope;
    now->rev = revision_of_cell(node, old->rev, now->scope);
    node->down_head = now->scope != SCOPE_BELOW ? node->head : node->down_head;
    return write_cell(node, pending);
}

static enum err flush_totals(struct node *node)
{
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&node->totals, &at, &key, &value)) {
        const struct total_key *total = key;
        const struct total_delta *delta = value;
        struct store_total row = {.unit = total->unit,
                                  .measure = total->measure,
                                  .category = total->category,
                                  .period = total->period,
                                  .value = delta->value,
                                  .entries = delta->entries};
        if (delta->value != 0 || delta->entries != 0) {
            TRY(store_total_add(node->store, &row));
        }
    }
    map_clear(&node->totals);
    return ERR_OK;
}

/* The difference to a damaged row is no difference: the totals above it are added up anew. */
static enum err renew_totals(struct node *node, const struct store_cell_key *key)
{
    const struct measure *measure = view_measure(&node->view, key->measure);
    int64_t periods[2] = {key->period, key->period};
    enum err err = ERR_NOT_FOUND;
    if (measure != NULL && measure->kind == MEASURE_STOCK) {
        err = store_period_after(node->store, key, key->period, &periods[1]);
    }
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    int unit = view_unit(&node->view, key->unit);
    for (int depth = 0; unit != TREE_NONE && depth <= TREE_DEPTH_MAX; depth++) {
        for (int i = 0; i < (err == ERR_OK ? 2 : 1); i++) {
            struct store_total total = {.unit = node->view.tree.units[unit].id,
                                        .measure = key->measure,
                                        .category = key->category,
                                        .period = periods[i]};
            TRY(mend_total_of(node, &total));
        }
        unit = unit == node->view.self ? TREE_NONE : node->view.tree.units[unit].parent;
    }
    return ERR_OK;
}

static enum err flush_cells(struct node *node)
{
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&node->cells, &at, &key, &value)) {
        TRY(flush_cell(node, value));
    }
    TRY(flush_totals(node));
    for (at = 0; map_next(&node->cells, &at, &key, &value);) {
        const struct pending_cell *pending = value;
        TRY(pending->restored && pending->damaged ? renew_totals(node, key) : ERR_OK);
    }
    map_clear(&node->cells);
    return ERR_OK;
}

enum err cells_flush(struct node *node)
{
    if (node->cells.count > 0) {
        TRY(node_write(node));
        TRY(flush_cells(node));
    }
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&node->origins, &at, &key, &value)) {
        struct cached_origin *origin = value;
        if (origin->dirty) {
            TRY(node_write(node));
            TRY(store_origin_set(node->store, &origin->row));
            origin->dirty = false;
        }
    }
    return ERR_OK;
}

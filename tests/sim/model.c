/* layer: proto */
/* What was recorded. Every cell keeps its state after each of its entries, so a state is looked up
 * and an entry is taken away by forgetting the last one. */
#include "model_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct model *model_new(void)
{
    struct model *model = calloc(1, sizeof *model);
    INSIST(model != NULL);
    return model;
}

static void free_units(struct model *model)
{
    for (size_t i = 0; i < model->unit_count; i++) {
        struct unit_data *unit = &model->units[i];
        for (size_t at = 0; at < unit->row_count; at++) {
            free(unit->rows[at].cells);
        }
        free(unit->rows);
        free(unit->code);
        free(unit->level);
    }
    free(model->units);
    model_finder_free(&model->unit_finder);
}

void model_free(struct model *model)
{
    if (model == NULL) {
        return;
    }
    free_units(model);
    for (size_t i = 0; i < model->measure_count; i++) {
        free(model->measures[i].code);
        free(model->measures[i].level);
    }
    for (size_t i = 0; i < model->origin_count; i++) {
        free(model->origins[i].entries);
    }
    for (size_t i = 0; i < model->cell_count; i++) {
        free(model->cells[i]->states);
        free(model->cells[i]->category);
        free(model->cells[i]);
    }
    free(model->measures);
    free(model->origins);
    free(model->cells);
    model_finder_free(&model->measure_finder);
    model_finder_free(&model->cell_finder);
    free(model);
}

/* ---- units ---- */

int model_unit(const struct model *model, const char *code)
{
    const struct model_finder *finder = &model->unit_finder;
    int at = model_finder_first(finder, model_hash_text(MODEL_HASH_START, code));
    while (at >= 0 && strcmp(model->units[at].code, code) != 0) {
        at = model_finder_next(finder, at);
    }
    return at;
}

int model_unit_count(const struct model *model)
{
    return (int)model->unit_count;
}

static bool is_unit(const struct model *model, int unit)
{
    return unit >= 0 && (size_t)unit < model->unit_count;
}

int model_unit_add(struct model *model, const char *code, const char *level, int parent)
{
    REQUIRE(parent == -1 || is_unit(model, parent));
    REQUIRE(model_unit(model, code) < 0);
    int number = (int)model->unit_count;
    model->units =
        model_grow(model->units, model->unit_count, &model->unit_cap, sizeof *model->units);
    model->units[model->unit_count++] = (struct unit_data){.code = model_copy(code),
                                                           .level = model_copy(level),
                                                           .parent = parent,
                                                           .first_child = -1,
                                                           .next_sibling = -1};
    if (parent >= 0) {
        model->units[number].next_sibling = model->units[parent].first_child;
        model->units[parent].first_child = number;
    }
    model_finder_add(&model->unit_finder, model_hash_text(MODEL_HASH_START, code));
    return number;
}

const char *model_unit_code(const struct model *model, int unit)
{
    REQUIRE(is_unit(model, unit));
    return model->units[unit].code;
}

int model_unit_parent(const struct model *model, int unit)
{
    REQUIRE(is_unit(model, unit));
    return model->units[unit].parent;
}

bool model_within(const struct model *model, int unit, int top)
{
    REQUIRE(is_unit(model, unit) && is_unit(model, top));
    while (unit >= 0 && unit != top) {
        unit = model->units[unit].parent;
    }
    return unit == top;
}

/* ---- measures ---- */

int model_measure(const struct model *model, const char *code)
{
    const struct model_finder *finder = &model->measure_finder;
    int at = model_finder_first(finder, model_hash_text(MODEL_HASH_START, code));
    while (at >= 0 && strcmp(model->measures[at].code, code) != 0) {
        at = model_finder_next(finder, at);
    }
    return at;
}

/* Which categories a measure may have is not asked here: an entry's category is taken as it is. */
void model_publish(struct model *model, const struct catalogue *catalogue)
{
    for (size_t i = 0; i < catalogue->measure_count; i++) {
        const struct measure *from = &catalogue->measures[i];
        if (model_measure(model, from->code) >= 0) {
            continue;
        }
        model->measures = model_grow(model->measures, model->measure_count, &model->measure_cap,
                                     sizeof *model->measures);
        model->measures[model->measure_count++] =
            (struct measure_data){.code = model_copy(from->code),
                                  .level = model_copy(from->level),
                                  .kind = from->kind,
                                  .frequency = from->frequency};
        model_finder_add(&model->measure_finder, model_hash_text(MODEL_HASH_START, from->code));
    }
}

/* ---- cells ---- */

static uint64_t cell_hash(const struct model_cell_key *key)
{
    uint64_t hash = model_hash_text(MODEL_HASH_START, key->measure);
    hash = model_hash_text(hash, key->category);
    hash = model_hash_number(hash, key->origin);
    hash = model_hash_number(hash, key->unit);
    return model_hash_number(hash, key->period);
}

static bool same_key(const struct model_cell_key *a, const struct model_cell_key *b)
{
    return a->origin == b->origin && a->unit == b->unit && a->period == b->period &&
           strcmp(a->measure, b->measure) == 0 && strcmp(a->category, b->category) == 0;
}

static struct cell_data *cell_find(const struct model *model, const struct model_cell_key *key)
{
    const struct model_finder *finder = &model->cell_finder;
    int at = model_finder_first(finder, cell_hash(key));
    while (at >= 0 && !same_key(&model->cells[at]->key, key)) {
        at = model_finder_next(finder, at);
    }
    return at < 0 ? NULL : model->cells[at];
}

static struct cell_row *row_of(struct unit_data *unit, int measure)
{
    if (unit->row_count <= (size_t)measure) {
        size_t count = (size_t)measure + 1;
        unit->rows = realloc(unit->rows, count * sizeof *unit->rows);
        INSIST(unit->rows != NULL);
        memset(unit->rows + unit->row_count, 0, (count - unit->row_count) * sizeof *unit->rows);
        unit->row_count = count;
    }
    return &unit->rows[measure];
}

static bool row_before(const struct cell_data *a, const struct cell_data *b)
{
    int order = strcmp(a->category, b->category);
    return order != 0 ? order < 0 : a->key.period > b->key.period;
}

static void row_insert(struct cell_row *row, struct cell_data *cell)
{
    row->cells = model_grow(row->cells, row->count, &row->cap, sizeof(struct cell_data *));
    size_t at = row->count++;
    for (; at > 0 && row_before(cell, row->cells[at - 1]); at--) {
        row->cells[at] = row->cells[at - 1];
    }
    row->cells[at] = cell;
}

/* The cell of a record, made when it is the first one. */
static struct cell_data *cell_of_record(struct model *model, const struct model_entry *record)
{
    int measure = model_measure(model, record->measure);
    REQUIRE(measure >= 0);
    REQUIRE(is_unit(model, record->unit));
    struct period period = period_of_day(model->measures[measure].frequency, record->day);
    struct model_cell_key key = {.origin = record->origin,
                                 .unit = record->unit,
                                 .measure = model->measures[measure].code,
                                 .category = record->category,
                                 .period = period.index};
    struct cell_data *cell = cell_find(model, &key);
    if (cell != NULL) {
        return cell;
    }
    cell = malloc(sizeof *cell);
    INSIST(cell != NULL);
    *cell = (struct cell_data){
        .key = key, .measure = measure, .category = model_copy(record->category)};
    cell->key.category = cell->category;
    model->cells =
        model_grow(model->cells, model->cell_count, &model->cell_cap, sizeof(struct cell_data *));
    model->cells[model->cell_count++] = cell;
    model_finder_add(&model->cell_finder, cell_hash(&cell->key));
    row_insert(row_of(&model->units[key.unit], measure), cell);
    return cell;
}

int64_t model_cell_count(const struct model *model, const struct model_cell_key *key)
{
    const struct cell_data *cell = cell_find(model, key);
    return cell == NULL ? 0 : (int64_t)cell->count;
}

bool model_cell_at(const struct model *model, const struct model_cell_key *key, int64_t count,
                   struct model_cell *out)
{
    const struct cell_data *cell = cell_find(model, key);
    if (count < 0 || count > (cell == NULL ? 0 : (int64_t)cell->count)) {
        return false;
    }
    *out = (struct model_cell){.count = count};
    if (count > 0) {
        const struct cell_state *state = &cell->states[count - 1];
        out->value = state->value;
        out->live = state->live;
        out->day = state->day;
    }
    return true;
}

/* In the order of the origins, and of their ledgers by each cell's first entry. */
void model_cells(const struct model *model, model_cell_fn each, void *ctx)
{
    for (size_t i = 0; i < model->origin_count; i++) {
        const struct origin_data *origin = &model->origins[i];
        for (size_t place = 0; place < origin->count; place++) {
            const struct cell_data *cell = origin->entries[place].cell;
            if (cell->states[0].place == place) {
                each(ctx, &cell->key, (int64_t)cell->count);
            }
        }
    }
}

/* ---- origins and entries ---- */

static struct origin_data *origin_of(const struct model *model, int origin)
{
    REQUIRE(origin >= 0 && (size_t)origin < model->origin_count);
    return &model->origins[origin];
}

int model_origin_add(struct model *model, int64_t rank)
{
    model->origins =
        model_grow(model->origins, model->origin_count, &model->origin_cap, sizeof *model->origins);
    model->origins[model->origin_count] = (struct origin_data){.rank = rank};
    return (int)model->origin_count++;
}

int model_origin_branch(struct model *model, int origin, size_t entries)
{
    REQUIRE(entries <= origin_of(model, origin)->count);
    int branch = model_origin_add(model, origin_of(model, origin)->rank);
    for (size_t i = 0; i < entries; i++) {
        const struct entry_data *from = &origin_of(model, origin)->entries[i];
        struct model_entry entry = {.kind = from->kind,
                                    .origin = branch,
                                    .unit = from->cell->key.unit,
                                    .measure = from->cell->key.measure,
                                    .category = from->cell->key.category,
                                    .day = from->day,
                                    .value = from->value,
                                    .generation = from->generation,
                                    .refers = from->record};
        (void)model_entry_add(model, &entry);
    }
    return branch;
}

static bool stands_over(const struct origin_data *origin, size_t place, size_t other)
{
    const struct entry_data *a = &origin->entries[place];
    const struct entry_data *b = &origin->entries[other];
    return a->generation != b->generation ? a->generation > b->generation : a->day >= b->day;
}

/* Of the cell's live records the one with the latest day, of these the last one. */
static size_t standing_record(const struct origin_data *origin, const struct cell_data *cell)
{
    size_t standing = MODEL_NOWHERE;
    for (size_t i = 0; i < cell->count; i++) {
        size_t place = cell->states[i].place;
        const struct entry_data *entry = &origin->entries[place];
        if (entry->kind == MODEL_RECORD && entry->live &&
            (standing == MODEL_NOWHERE || stands_over(origin, place, standing))) {
            standing = place;
        }
    }
    return standing;
}

static void set_standing(const struct origin_data *origin, struct cell_state *state,
                         size_t standing)
{
    state->standing = standing;
    state->value = standing == MODEL_NOWHERE ? 0 : origin->entries[standing].amended;
    state->day = standing == MODEL_NOWHERE ? 0 : origin->entries[standing].day;
}

static int64_t counts_as(int64_t amended, bool live)
{
    return live ? amended : 0;
}

/* The cell's state after the entry at `place`; `before` is what its record came to before it. */
static void push_state(const struct model *model, const struct origin_data *origin, size_t place,
                       const struct entry_data *before)
{
    const struct entry_data *record = &origin->entries[origin->entries[place].record];
    struct cell_data *cell = record->cell;
    cell->states = model_grow(cell->states, cell->count, &cell->cap, sizeof *cell->states);
    struct cell_state *state = &cell->states[cell->count];
    *state = cell->count > 0 ? state[-1] : (struct cell_state){.standing = MODEL_NOWHERE};
    cell->count++;
    state->place = place;
    state->live += record->live - before->live;
    if (model->measures[cell->measure].kind == MEASURE_FLOW) {
        wide sum = (wide)state->value + counts_as(record->amended, record->live) -
                   counts_as(before->amended, before->live);
        REQUIRE(wide_fits_i64(sum));
        state->value = (int64_t)sum;
        return;
    }
    size_t standing = state->standing;
    switch (origin->entries[place].kind) {
    case MODEL_RECORD:
        standing =
            standing == MODEL_NOWHERE || stands_over(origin, place, standing) ? place : standing;
        break;
    case MODEL_AMEND:
    case MODEL_AGAIN:
        break;
    case MODEL_VOID:
        standing = standing_record(origin, cell);
        break;
    }
    set_standing(origin, state, standing);
}

size_t model_entry_add(struct model *model, const struct model_entry *entry)
{
    struct origin_data *origin = origin_of(model, entry->origin);
    size_t place = origin->count;
    origin->entries =
        model_grow(origin->entries, origin->count, &origin->cap, sizeof *origin->entries);
    struct entry_data *made = &origin->entries[place];
    if (entry->kind == MODEL_RECORD) {
        *made = (struct entry_data){.kind = MODEL_RECORD,
                                    .cell = cell_of_record(model, entry),
                                    .record = place,
                                    .day = entry->day,
                                    .value = entry->value,
                                    .generation = entry->generation,
                                    .amended = entry->value,
                                    .live = true};
        origin->count++;
        push_state(model, origin, place, &(struct entry_data){.live = false});
        return place;
    }
    REQUIRE(entry->refers < place && origin->entries[entry->refers].kind == MODEL_RECORD);
    struct entry_data *record = &origin->entries[entry->refers];
    *made = *record;
    made->kind = entry->kind;
    made->value = entry->value;
    if (entry->kind == MODEL_AMEND) {
        record->amended = entry->value;
    } else if (entry->kind == MODEL_VOID) {
        record->live = false;
    }
    origin->count++;
    push_state(model, origin, place, made);
    return place;
}

size_t model_ledger_length(const struct model *model, int origin)
{
    return origin_of(model, origin)->count;
}

void model_ledger_cut(struct model *model, int origin, size_t length)
{
    struct origin_data *from = origin_of(model, origin);
    while (from->count > length) {
        const struct entry_data *last = &from->entries[--from->count];
        struct cell_data *cell = last->cell;
        INSIST(cell->count > 0 && cell->states[cell->count - 1].place == from->count);
        cell->count--;
        if (last->kind != MODEL_RECORD) {
            from->entries[last->record].amended = last->amended;
            from->entries[last->record].live = last->live;
        }
    }
}

/* The cells of one origin in the order that both ends of a link share: by the texts of unit,
 * measure, category, byte by byte, then by period. The file has them by numbers of its own, so:
 *
 * 1. Units come in order of their codes, from the index of symbols. Where an act gave the origin a
 * unit, units that lie elsewhere have none of its cells, and are passed over in memory.
 * 2. What a unit has of measures and categories is looked up series by series, and sorted.
 * 3. The cells of a series come page by page in order of period.
 *
 * The way may begin behind any cell, so that no step need go through all of them. ERR_NOT_FOUND
 * when a text is lost, ERR_LIMIT for what no sound file has: nobody is answered then. */
#include <stdlib.h>
#include <string.h>

#include "node/internal.h"

enum {
    SERIES_MAX = 4096,  /* of one unit */
    LOOKS_MAX = 100000, /* into the file, in one walk */
};

struct range_series {
    int64_t measure;
    int64_t category;
    const char *measure_text;
    const char *category_text;
};

int range_key_compare(const struct cell_key *a, const struct cell_key *b)
{
    int order = strcmp(a->unit, b->unit);
    order = order != 0 ? order : strcmp(a->measure, b->measure);
    order = order != 0 ? order : strcmp(a->category, b->category);
    return order != 0 ? order : (a->period > b->period) - (a->period < b->period);
}

static int compare_series(const void *a, const void *b)
{
    const struct range_series *x = a;
    const struct range_series *y = b;
    int order = strcmp(x->measure_text, y->measure_text);
    return order != 0 ? order : strcmp(x->category_text, y->category_text);
}

static enum err load_series(struct range_walk *walk, int64_t unit, const char *text)
{
    struct node *node = walk->node;
    struct store_cell_key at = {.unit = unit, .measure = INT64_MIN, .category = INT64_MIN};
    walk->unit = unit;
    walk->unit_text = text;
    walk->series_at = walk->series_count = 0;
    walk->from = INT64_MIN;
    for (;;) {
        enum err err = store_series_after(node->store, &at);
        if (err == ERR_NOT_FOUND) {
            break;
        }
        TRY(err);
        if (walk->series_count == SERIES_MAX || walk->looks++ > LOOKS_MAX) {
            return ERR_LIMIT;
        }
        struct range_series *series = &walk->series[walk->series_count++];
        *series = (struct range_series){.measure = at.measure, .category = at.category};
        TRY(node_text(node, at.measure, &series->measure_text));
        TRY(node_text(node, at.category, &series->category_text));
    }
    qsort(walk->series, walk->series_count, sizeof *walk->series, compare_series);
    return ERR_OK;
}

/* Behind a cell of that unit: the series before it are over, its own goes on. */
static void pass_over(struct range_walk *walk, const struct cell_key *after)
{
    struct range_series last = {.measure_text = after->measure, .category_text = after->category};
    while (walk->series_at < walk->series_count &&
           compare_series(&walk->series[walk->series_at], &last) < 0) {
        walk->series_at++;
    }
    if (walk->series_at < walk->series_count &&
        compare_series(&walk->series[walk->series_at], &last) == 0) {
        walk->from = (int64_t)after->period + 1;
    }
}

enum err range_walk_begin(struct range_walk *walk, struct node *node,
                          const struct cached_origin *origin, const struct cell_key *after)
{
    int64_t unit;
    *walk = (struct range_walk){.node = node,
                                .origin = origin->row.id,
                                .name = origin->row.name,
                                .given = view_unit(&node->view, origin->row.unit),
                                .unit_text = after->unit};
    walk->series = arena_array(&node->arena, SERIES_MAX, sizeof *walk->series);
    TRY(walk->series == NULL ? ERR_NO_MEMORY : ERR_OK);
    enum err err = store_symbol_find(node->store, after->unit, &unit);
    if (err == ERR_NOT_FOUND || after->unit[0] == '\0') {
        return err == ERR_NOT_FOUND ? ERR_OK : err;
    }
    TRY(err);
    TRY(load_series(walk, unit, after->unit));
    pass_over(walk, after);
    return ERR_OK;
}

/* Whether cells of the origin may be in that unit. One that is not known here may be held. */
static bool may_have(const struct range_walk *walk, int64_t symbol)
{
    int unit = view_unit(&walk->node->view, symbol);
    return unit == TREE_NONE || walk->given == TREE_NONE ||
           view_within(&walk->node->view, unit, walk->given);
}

static enum err next_unit(struct range_walk *walk, bool *there)
{
    struct node *node = walk->node;
    *there = false;
    for (;;) {
        if (walk->symbol_at == walk->symbol_count) {
            const char *last = walk->symbol_count > 0 ? walk->symbols[walk->symbol_count - 1].text
                                                      : walk->unit_text;
            TRY(store_symbols_after(node->store, last, &node->arena, walk->symbols, RANGE_PAGE,
                                    &walk->symbol_count));
            walk->symbol_at = 0;
            if (walk->symbol_count == 0) {
                return ERR_OK;
            }
        }
        const struct store_symbol *symbol = &walk->symbols[walk->symbol_at++];
        if (may_have(walk, symbol->id)) {
            *there = true;
            return load_series(walk, symbol->id, symbol->text);
        }
    }
}

static enum err next_page(struct range_walk *walk, bool *there)
{
    *there = true;
    walk->cell_at = walk->cell_count = 0;
    if (walk->series_at == walk->series_count) {
        return next_unit(walk, there);
    }
    const struct range_series *series = &walk->series[walk->series_at];
    struct store_cell_key key = {walk->unit, series->measure, series->category, walk->from,
                                 walk->origin};
    TRY(walk->looks++ > LOOKS_MAX ? ERR_LIMIT : ERR_OK);
    TRY(store_cells_in_series(walk->node->store, &key, walk->cells, RANGE_PAGE, &walk->cell_count));
    walk->page = series;
    bool full = walk->cell_count == RANGE_PAGE;
    walk->from = full ? walk->cells[RANGE_PAGE - 1].key.period + 1 : INT64_MIN;
    walk->series_at += full ? 0 : 1;
    return ERR_OK;
}

enum err range_walk_next(struct range_walk *walk, struct range_cell *out, bool *there)
{
    *there = true;
    while (walk->cell_at == walk->cell_count && *there) {
        TRY(next_page(walk, there));
    }
    if (!*there) {
        return ERR_OK;
    }
    const struct store_cell *row = &walk->cells[walk->cell_at++];
    *out = (struct range_cell){.row = row,
                               .key = {walk->name, walk->unit_text, walk->page->measure_text,
                                       walk->page->category_text, (int32_t)row->key.period}};
    TRY(cells_hash(walk->node, row, &out->hash));
    if (!id_equal(&out->hash, &row->hash)) {
        memset(out->hash.b, 0xff, sizeof out->hash.b); /* damaged: equal to nothing */
    }
    return ERR_OK;
}

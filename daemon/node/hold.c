/* Cells that are held back: which, why, and until when. */
#include <string.h>

#include "node/internal.h"

enum { HELD_PAGE = 256 };

/* Whether an act gave the origin the unit, or one above it. A cell that came before its unit was
 * known is judged here for the first time. What is recorded above about units here comes from the
 * parent, who knows whose it is. */
static bool given(const struct view *view, const struct store_origin *origin, int unit)
{
    int top = view_unit(view, origin->unit);
    return origin->scope == SCOPE_ABOVE || (top != TREE_NONE && view_within(view, unit, top));
}

enum hold_reason hold_reason(const struct view *view, const struct store_cell *cell,
                             const struct store_origin *origin, const char *category)
{
    int unit = view_unit(view, cell->key.unit);
    if (unit == TREE_NONE) {
        return HOLD_UNKNOWN_UNIT;
    }
    if (origin->unit == 0 && origin->scope != SCOPE_ABOVE) {
        return HOLD_UNKNOWN_ORIGIN;
    }
    if (!given(view, origin, unit)) {
        return HOLD_NOT_ITS_UNIT;
    }
    /* A period that its frequency does not have: no measure that is known can be meant. */
    const struct measure *measure = view_measure(view, cell->key.measure);
    if (measure == NULL || !period_index_valid(measure->frequency, (int32_t)cell->key.period)) {
        return HOLD_UNKNOWN_MEASURE;
    }
    char in_order[CATEGORY_MAX_BYTES + 1];
    if (catalogue_category(&view->catalogue, measure, category, in_order, NULL) != ERR_OK ||
        strcmp(in_order, category) != 0) {
        return HOLD_UNKNOWN_CATEGORY;
    }
    return HOLD_NONE;
}

enum err hold_cell(struct node *node, struct store_cell *cell)
{
    struct cached_origin *origin;
    const char *category;
    TRY(node_origin(node, cell->key.origin, &origin));
    TRY(node_text(node, cell->key.category, &category));
    cell->held = hold_reason(&node->view, cell, &origin->row, category);
    return ERR_OK;
}

static enum err look_again(struct node *node)
{
    struct store_cell page[HELD_PAGE];
    struct store_cell_key after = {0};
    size_t n = HELD_PAGE;
    while (n == HELD_PAGE) {
        TRY(store_cells_held(node->store, &after, page, HELD_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct pending_cell *pending;
            TRY(cells_load(node, &page[i].key, &pending));
            TRY(pending->damaged ? ERR_OK : hold_cell(node, &pending->now));
            after = page[i].key;
        }
    }
    return cells_flush(node);
}

enum err hold_settle(struct node *node)
{
    if (!node->recheck_held) {
        return ERR_OK;
    }
    node->recheck_held = false;
    TRY(look_again(node));
    return store_cells_held_count(node->store, &node->held_rows);
}

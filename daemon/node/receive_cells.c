/* A cell coming in: refused, held, or taken, by what it says and by the heads that were stated with
 * it. The count is the version: a higher one is taken, a lower one is old, and an equal one with
 * other content is a history that somebody has changed. */
#include <inttypes.h>

#include "base/text.h"
#include "node/internal.h"

bool receive_cell_sound(const struct cell *cell)
{
    bool counts =
        cell->count > 0 && cell->count <= COUNT_MAX && cell->live >= 0 && cell->live <= cell->count;
    wide bound = counts ? (wide)cell->count * VALUE_MAX : 0;
    bool value = cell->value <= bound && cell->value >= -bound;
    return counts && value && cell->hosting >= 0 && cell->hosting <= COUNT_MAX &&
           cell->day >= DAY_MIN && cell->day <= DAY_MAX &&
           text_is_code(cell->unit, CODE_MAX_BYTES) && text_is_code(cell->measure, CODE_MAX_BYTES);
}

/* The reason to refuse the cell, or 0. */
static int cell_refusal(const struct receiver *r, const struct cell *cell,
                        const struct cached_origin *origin, int unit)
{
    const struct node *node = r->node;
    if (unit != TREE_NONE) {
        int given = origin->row.unit == 0 ? TREE_NONE : view_unit(&node->view, origin->row.unit);
        bool given_it = r->link->up || origin->row.unit == 0 ||
                        (given != TREE_NONE && view_within(&node->view, unit, given));
        if (!receive_place(r, unit) || !given_it) {
            return REFUSE_NOT_ITS_UNIT;
        }
        if (!r->link->up && cell->hosting > view_hosting_bound(&node->view, unit)) {
            return REFUSE_RANGE;
        }
    }
    const struct stated_heads *stated = map_get(&node->stated, &origin->row.id);
    if (stated == NULL || stated->standing == HEADS_FORK) {
        return REFUSE_CHAIN;
    }
    return cell->count > stated->length ? REFUSE_RANGE : 0;
}

static bool same_content(const struct store_cell *a, const struct cell *b)
{
    return a->value == b->value && a->live == b->live && a->hosting == b->hosting &&
           a->day == b->day;
}

static void take_content(struct store_cell *cell, const struct cell *from)
{
    cell->value = from->value;
    cell->count = from->count;
    cell->live = from->live;
    cell->hosting = from->hosting;
    cell->day = from->day;
}

/* Same count, other content, and the row here is whole: somebody changed history. */
static enum err settle_equal_count(struct receiver *r, const struct cell *cell,
                                   struct pending_cell *pending)
{
    struct node *node = r->node;
    if (same_content(&pending->now, cell)) {
        return ERR_OK;
    }
    TRY(node_alarm(node, "conflict", r->link->address == NULL ? "parent" : r->link->address,
                   "a cell of unit %s, measure %s came from %s with count %" PRId64
                   " and value %" PRId64 "; the one known with this count has value %" PRId64,
                   cell->unit, cell->measure, refuse_sender(node, r->link), cell->count,
                   cell->value, pending->now.value));
    return refuse_cell(r, REFUSE_CONFLICT, cell, pending->now.key.origin);
}

/* What was refused of an origin comes again with its next mark. */
static enum err forget_refused(struct node *node, struct cached_origin *origin)
{
    TRY(store_refused_forget(node->store, origin->row.id));
    return store_refused_total(node->store, &node->refused_rows);
}

/* A cell that is news and admitted: taken, held, or refused for what it would come to. */
static enum err take_cell(struct receiver *r, const struct cell *cell, struct pending_cell *pending)
{
    struct node *node = r->node;
    struct cached_origin *origin;
    struct store_cell next = pending->now;
    TRY(node_origin(node, next.key.origin, &origin));
    const struct stated_heads *stated = map_get(&node->stated, &next.key.origin);
    const struct measure *measure = view_measure(&node->view, next.key.measure);
    wide more = (wide)cell->count - next.count; /* of damage: any number */
    take_content(&next, cell);
    TRY(hold_cell(node, &next));
    if (stated->standing == HEADS_BEHIND) {
        return refuse_cell(r, REFUSE_BEHIND, cell, next.key.origin);
    }
    if ((wide)origin->row.cell_count + origin->coming + more > stated->length ||
        (measure != NULL && !period_index_valid(measure->frequency, cell->period))) {
        TRY(refuse_cell(r, REFUSE_RANGE, cell, next.key.origin));
        return origin->room_later ? forget_refused(node, origin) : ERR_OK;
    }
    if (next.held != HOLD_NONE && node->held_rows >= HELD_ROWS_MAX) {
        return refuse_cell(r, REFUSE_LIMIT, cell, next.key.origin);
    }
    origin->coming += pending->damaged ? 0 : (int64_t)more;
    node->held_rows += (next.held != HOLD_NONE) - (pending->now.held != HOLD_NONE);
    pending->now = next;
    pending->restored = true;
    if (r->link->bundle != NULL) {
        r->link->bundle->brought = true;
    }
    if (pending->damaged) { /* what has had, or has, no room beside it is asked for */
        origin->room_later = true;
        return forget_refused(node, origin);
    }
    bool was = false;
    TRY(node->refused_rows > 0 ? store_refused_delete(node->store, &next.key, &was) : ERR_OK);
    node->refused_rows -= was ? 1 : 0;
    return ERR_OK;
}

enum err receive_cell(struct receiver *r, const struct cell *cell)
{
    struct node *node = r->node;
    struct cached_origin *origin;
    struct pending_cell *pending;
    struct store_cell_key key = {.period = cell->period};
    TRY(receive_origin(r, &cell->origin, &origin));
    if (origin == NULL || !receive_cell_sound(cell)) {
        return r->link->up ? ERR_OK
                           : refuse_cell(r, origin == NULL ? REFUSE_NOT_ROUTED : REFUSE_RANGE, cell,
                                         origin == NULL ? 0 : origin->row.id);
    }
    if (receive_waits(r, origin->row.id)) {
        return ERR_OK;
    }
    int unit = view_unit_by_code(&node->view, cell->unit);
    int refusal = cell_refusal(r, cell, origin, unit);
    if (refusal != 0) {
        return refuse_cell(r, (enum refuse_reason)refusal, cell, origin->row.id);
    }
    key.origin = origin->row.id;
    TRY(node_symbol(node, cell->unit, &key.unit));
    TRY(node_symbol(node, cell->measure, &key.measure));
    TRY(node_symbol(node, cell->category, &key.category));
    TRY(cells_touch(node, &key, &pending));
    if (cell->count > pending->now.count || (pending->damaged && !pending->restored)) {
        return take_cell(r, cell, pending); /* instead of a damaged row, whatever it says */
    }
    const struct stated_heads *stated = map_get(&node->stated, &key.origin);
    bool same_count = cell->count == pending->now.count;
    if (same_count && stated->standing == HEADS_BEHIND) { /* of another line of its ledger, maybe */
        return same_content(&pending->now, cell)
                   ? ERR_OK
                   : refuse_cell(r, REFUSE_BEHIND, cell, origin->row.id);
    }
    return same_count ? settle_equal_count(r, cell, pending) : ERR_OK;
}

/* Rows that are not taken in: counted, told back, an alarm that says whose they are. A refused cell
 * is remembered with its hash, so that digests still compare. */
#include "node/internal.h"

const char *refuse_sender(struct node *node, const struct link *link)
{
    const char *name =
        link->address == NULL ? NULL : arena_printf(&node->arena, "unit %s", link->address);
    return name == NULL ? "the office above" : name;
}

/* What a refused row is about, for people. */
static const char *row_name(struct node *node, const struct refused_row *row)
{
    const char *name =
        row->unit[0] == '\0' ? "a piece of a ledger"
        : row->measure[0] == '\0'
            ? arena_printf(&node->arena, "what it says of unit %s", row->unit)
            : arena_printf(&node->arena, "a cell of unit %s, measure %s", row->unit, row->measure);
    return name == NULL ? "a row" : name;
}

static enum err refuse_row(struct receiver *r, enum refuse_reason reason,
                           const struct refused_row *row)
{
    struct node *node = r->node;
    struct link *link = r->link;
    if (link->refused == NULL) {
        link->refused = arena_array(&node->arena, REFUSED_ROWS_MAX, sizeof *link->refused);
        if (link->refused == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    link->refused_total++;
    if (link->refused_count < REFUSED_ROWS_MAX) {
        link->refused[link->refused_count] = *row;
        link->refused[link->refused_count++].reason = reason;
    }
    if (link->refused_total > 1) {
        return ERR_OK;
    }
    return node_alarm(node, "refused-rows", link->address == NULL ? "parent" : link->address,
                      "refused rows from %s; the first of the last batch: %s: %s",
                      refuse_sender(node, link), row_name(node, row), refuse_reason_text(reason));
}

enum err refuse_cell(struct receiver *r, enum refuse_reason reason, const struct cell *cell,
                     int64_t origin)
{
    struct node *node = r->node;
    struct refused_row row = {.origin = cell->origin,
                              .unit = cell->unit,
                              .measure = cell->measure,
                              .category = cell->category,
                              .period = cell->period,
                              .count = cell->count};
    TRY(refuse_row(r, reason, &row));
    if (origin == 0 || node->refused_rows >= REFUSED_ROWS_KEPT) {
        return ERR_OK;
    }
    struct store_refused kept = {
        .key = {.period = cell->period, .origin = origin}, .reason = reason, .count = cell->count};
    buf_clear(&node->scratch);
    kept.hash = cell_hash(cell, &node->scratch);
    TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    TRY(node_symbol(node, cell->unit, &kept.key.unit));
    TRY(node_symbol(node, cell->measure, &kept.key.measure));
    TRY(node_symbol(node, cell->category, &kept.key.category));
    bool again;
    TRY(node_write(node));
    TRY(store_refused_delete(node->store, &kept.key, &again));
    node->refused_rows += again ? 0 : 1;
    return store_refused_put(node->store, &kept);
}

enum err refuse_unit(struct receiver *r, enum refuse_reason reason, const char *unit,
                     const struct id *decider)
{
    struct refused_row row = {.origin = *decider, .unit = unit, .measure = "", .category = ""};
    return refuse_row(r, reason, &row);
}

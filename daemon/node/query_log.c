/* `log`: the own ledger, or what of it is asked for. */
#include <string.h>

#include "node/query_internal.h"

enum { PAGE = 500, LOG_PART_BYTES = 8 << 20 };

static enum err log_row(struct query *q, const struct store_entry *row, const struct id *segment,
                        struct log_row *out)
{
    const struct measure *measure = view_measure(&q->view, row->measure);
    out->live = row->kind == ENTRY_RECORD && row->live;
    out->decimals = measure == NULL ? 0 : measure->decimals;
    out->healed_at = row->healed_at;
    out->meanwhile = row->meanwhile;
    return ledger_entry_message(&q->texts, row, segment, &out->entry);
}

struct log_walk {
    struct query *q;
    const struct req_log *asked;
    int only; /* unit and those under it, or TREE_NONE for all */
    struct log_row *rows;
    size_t count;
};

static bool measure_wanted(const struct log_walk *walk, int64_t measure)
{
    const struct req_log *asked = walk->asked;
    const char *code = asked->measure_count == 0 ? "" : query_symbol(walk->q, measure);
    for (size_t i = 0; i < asked->measure_count; i++) {
        if (strcmp(asked->measures[i], code) == 0) {
            return true;
        }
    }
    return asked->measure_count == 0;
}

static bool log_wanted(const struct log_walk *walk, const struct store_entry *row)
{
    const struct req_log *asked = walk->asked;
    const struct view *view = &walk->q->view;
    bool wanted = row->kind != ENTRY_ACT && (asked->kind == 0 || row->kind == asked->kind);
    wanted = wanted && (asked->key[0] == '\0' || strcmp(asked->key, row->key) == 0);
    wanted = wanted && (asked->author[0] == '\0' ||
                        strcmp(asked->author, query_symbol(walk->q, row->author)) == 0);
    wanted = wanted && (!asked->healed || row->healed_at.ms != 0);
    wanted = wanted &&
             (!asked->has_days || (row->day >= asked->first_day && row->day <= asked->last_day));
    wanted = wanted && measure_wanted(walk, row->measure);
    return wanted &&
           (walk->only == TREE_NONE || view_within(view, view_unit(view, row->unit), walk->only));
}

/* Gives what was found so far. The ledger only grows, so the next part may see a later state; no
 * read transaction is open while the client takes its time. */
static enum err log_part(struct log_walk *walk)
{
    struct query *q = walk->q;
    struct message reply = {.u.reply.u.log = {.rows = walk->rows, .row_count = walk->count}};
    store_rollback(q->store);
    if (walk->count > 0) {
        (void)query_send(q, &reply, true);
    }
    arena_reset(&q->arena);
    walk->count = 0;
    walk->rows = arena_array(&q->arena, REPLY_ROWS_MAX, sizeof *walk->rows);
    if (walk->rows == NULL) {
        return ERR_NO_MEMORY;
    }
    return store_begin(q->store);
}

static enum err log_segment(struct log_walk *walk, const struct store_segment *segment)
{
    struct query *q = walk->q;
    size_t n = PAGE;
    for (int64_t after = 0; n == PAGE && !q->stopped;) {
        struct store_entry *page = arena_array(&q->arena, PAGE, sizeof *page);
        if (page == NULL) {
            return ERR_NO_MEMORY;
        }
        TRY(store_entries(q->store, segment->id, after, &q->arena, page, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            if (log_wanted(walk, &page[i])) {
                TRY(log_row(q, &page[i], &segment->name, &walk->rows[walk->count++]));
            }
            after = page[i].seq;
        }
        if (walk->count + PAGE > REPLY_ROWS_MAX / 2 || q->arena.taken_bytes > LOG_PART_BYTES) {
            TRY(log_part(walk));
        }
    }
    return ERR_OK;
}

enum err query_log(struct query *q, struct errmsg *msg)
{
    const struct req_log *log = &q->request->u.log;
    struct log_walk walk = {.q = q, .asked = log, .only = TREE_NONE};
    struct store_segment segment;
    size_t n = 1;
    if (log->unit[0] != '\0') {
        TRY(query_find_unit(q, log->unit, &walk.only, msg));
    }
    for (size_t i = 0; i < log->measure_count; i++) {
        TRY(query_find_measure(q, log->measures[i], msg));
    }
    walk.rows = arena_array(&q->arena, REPLY_ROWS_MAX, sizeof *walk.rows);
    if (walk.rows == NULL) {
        return ERR_NO_MEMORY;
    }
    for (int64_t after = 0; n == 1 && !q->stopped; after = segment.number) {
        TRY(store_segments(q->store, q->own_origin, after, &segment, 1, &n));
        TRY(n == 1 ? log_segment(&walk, &segment) : ERR_OK);
    }
    struct message reply = {.u.reply.u.log = {.rows = walk.rows, .row_count = walk.count}};
    (void)query_send(q, &reply, false);
    return ERR_OK;
}

/* What is known above of an origin whose heads stay behind it, on its way down.
 *
 * 1. At a mark a child states heads of an origin that do not cover those known here: entries of it
 * may be lost everywhere below. What this office has of it is told down: every segment, with its
 * opening and head, and all cells. The child may be the one that stands between: what it has of
 * the origin itself may be as old as the origin's own.
 * 2. It is kept apart, whole or not at all, and told on at the next mark of the child through which
 * the origin comes, until the heads that come from there cover it: the node may be offline, and
 * have all its entries.
 * 3. The node whose origin it is seals it (sealing.c). */
#include <inttypes.h>
#include <string.h>

#include "node/sealing.h"

enum { TELL_SEGMENTS = 256, TELL_CELLS = 1000, ORIGINS_PAGE = 64 };
enum { EACH_SEGMENTS = 64, EACH_ARENA_BYTES = 16 << 20 };
enum { SEGMENT_BYTES = 192, CELL_BYTES = 96 }; /* in a batch, about */

/* ---- the parent ---- */

enum err returned_each(struct node *node, int64_t origin, returned_fn each, void *ctx)
{
    struct store_returned_segment page[EACH_SEGMENTS];
    struct arena arena;
    enum err err = ERR_OK;
    size_t n = EACH_SEGMENTS;
    arena_init(&arena, EACH_ARENA_BYTES);
    for (int64_t after = 0; err == ERR_OK && n == EACH_SEGMENTS;) {
        arena_reset(&arena);
        err = store_returned_segments(node->store, origin, after, &arena, page, EACH_SEGMENTS, &n);
        for (size_t i = 0; err == ERR_OK && i < n; i++) {
            err = each(ctx, &page[i], &arena);
            after = page[i].number;
        }
    }
    arena_reset(&arena);
    return err;
}

static enum err covers(void *ctx, const struct store_returned_segment *kept, struct arena *arena)
{
    struct store_segment segment;
    (void)arena;
    enum err err = store_segment_find(ctx, &kept->name, &segment);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    bool covered = err == ERR_OK && segment.length >= kept->length;
    return covered ? ERR_OK : ERR_REFUSED; /* the others need not be looked at */
}

/* Whether all that came from above of the origin is known here by now. */
static enum err is_covered(struct node *node, int64_t origin, bool *covered)
{
    enum err err = returned_each(node, origin, covers, node->store);
    *covered = err == ERR_OK;
    return err == ERR_REFUSED ? ERR_OK : err;
}

/* Not `whole` when nothing is kept, either. */
static enum err get_kept(struct node *node, int64_t origin, struct store_returned *kept)
{
    kept->whole = false;
    enum err err = store_returned_get(node->store, origin, &node->arena, kept);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The origin is behind what is known here, or above, and that is news. */
static enum err note(struct link *link, int64_t origin, bool kept)
{
    struct due *due = map_put(&link->returns, &origin, NULL);
    TRY(due == NULL ? ERR_NO_MEMORY : ERR_OK);
    bool *why = kept ? &due->kept : &due->behind;
    due->told = due->told && *why;
    *why = true;
    return ERR_OK;
}

static void tell_anew(struct link *link, int64_t origin)
{
    if (link->telling.origin == origin) {
        link->telling = (struct telling){.origin = 0};
    }
}

/* It is not, or not any more. */
static void forget(struct link *link, int64_t origin, bool kept)
{
    struct due *due = map_get(&link->returns, &origin);
    if (due == NULL) {
        return;
    }
    *(kept ? &due->kept : &due->behind) = false;
    if (due->kept || due->behind) {
        return;
    }
    map_remove(&link->returns, &origin);
    tell_anew(link, origin);
    link->returned_all = link->returns.count == 0;
}

static enum err forget_kept(struct node *node, struct link *link, int64_t origin)
{
    if (link != NULL) {
        tell_anew(link, origin);
        forget(link, origin, true);
    }
    return store_returned_delete(node->store, origin);
}

static enum err note_kept(struct node *node, struct link *link)
{
    int64_t page[ORIGINS_PAGE];
    size_t n = ORIGINS_PAGE;
    for (int64_t after = 0; n == ORIGINS_PAGE;) {
        TRY(store_returned_origins(node->store, after, page, ORIGINS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct cached_origin *origin;
            struct store_returned kept;
            bool covered = false;
            after = page[i];
            enum err err = node_origin(node, page[i], &origin);
            TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
            if (err != ERR_OK || origin->row.via != link->unit) {
                continue;
            }
            TRY(get_kept(node, page[i], &kept));
            TRY(kept.whole ? is_covered(node, page[i], &covered) : ERR_OK);
            TRY(kept.whole && covered ? forget_kept(node, link, page[i]) : ERR_OK);
            TRY(kept.whole && !covered ? note(link, page[i], true) : ERR_OK);
        }
    }
    return ERR_OK;
}

enum err returned_kept(struct node *node, struct link *link)
{
    return note_kept(node, link);
}

bool returned_left(const struct link *link)
{
    const void *key;
    void *value;
    bool left = false;
    for (size_t at = 0; map_next(&link->returns, &at, &key, &value);) {
        left = left || !((const struct due *)value)->told;
    }
    return left;
}

enum err returned_note(struct node *node, struct link *link, bool *behind)
{
    const void *key;
    void *value;
    for (size_t at = 0; map_next(&node->stated, &at, &key, &value);) {
        const struct stated_heads *stated = value;
        int64_t id = *(const int64_t *)key;
        struct cached_origin *origin;
        /* What a child lacks of its own entries comes from the escrow, at its next hello. */
        bool lacks = stated->standing == HEADS_BEHIND && id != link->origin;
        TRY(node_origin(node, id, &origin));
        if (stated->standing == HEADS_COVER) {
            forget(link, id, false);
        }
        TRY(lacks && origin->row.via == link->unit ? note(link, id, false) : ERR_OK);
    }
    TRY(note_kept(node, link));
    *behind = link->returns.count > 0;
    link->returned_all = false;
    return ERR_OK;
}

/* A batch under way to the child. */
struct teller {
    struct node *node;
    struct link *link;
    struct msg_batch *batch;
    struct origin_heads *heads;
    struct cached_origin *origin;
    struct store_returned kept; /* what came from above; else what is here is told */
    bool damaged;               /* a row of it */
};

static enum err tell_segment(struct teller *t, const struct store_returned_segment *segment,
                             struct opening *opening, struct head *head)
{
    struct head *continues;
    *opening = (struct opening){.origin = t->origin->row.name, .segment = segment->name};
    TRY(heads_decode(segment->continues, &t->node->arena, &continues, &opening->continue_count));
    opening->continues = continues;
    *head = (struct head){segment->name, (uint64_t)segment->length, segment->hash};
    return ERR_OK;
}

/* How many rows of that size a batch has room for: as many as an acknowledgement may wait for. */
static size_t page_of(const struct teller *t, size_t row_bytes, size_t most)
{
    size_t fit = t->link->out.window_bytes / row_bytes + 1;
    return fit < most ? fit : most;
}

/* The next segments, as what came from above has them. */
static enum err read_segments(struct teller *t, struct store_returned_segment *out, size_t cap,
                              size_t *count)
{
    struct node *node = t->node;
    int64_t after = t->link->telling.segment;
    int64_t id = t->origin->row.id;
    if (t->kept.whole) {
        return store_returned_segments(node->store, id, after, &node->arena, out, cap, count);
    }
    struct store_segment *rows = arena_array(&node->arena, TELL_SEGMENTS, sizeof *rows);
    TRY(rows == NULL ? ERR_NO_MEMORY : ERR_OK);
    TRY(store_segments(node->store, id, after, rows, cap, count));
    for (size_t i = 0; i < *count; i++) {
        out[i] = (struct store_returned_segment){.number = rows[i].number,
                                                 .name = rows[i].name,
                                                 .length = rows[i].length,
                                                 .hash = rows[i].hash};
        TRY(store_segment_continues(node->store, rows[i].id, &node->arena, &out[i].continues));
    }
    return ERR_OK;
}

static enum err tell_segments(struct teller *t)
{
    struct node *node = t->node;
    struct store_returned_segment *rows = arena_array(&node->arena, TELL_SEGMENTS, sizeof *rows);
    struct opening *openings = arena_array(&node->arena, TELL_SEGMENTS, sizeof *openings);
    struct head *heads = arena_array(&node->arena, TELL_SEGMENTS, sizeof *heads);
    size_t n;
    TRY(rows == NULL || openings == NULL || heads == NULL ? ERR_NO_MEMORY : ERR_OK);
    size_t page = page_of(t, SEGMENT_BYTES, TELL_SEGMENTS);
    TRY(read_segments(t, rows, page, &n));
    for (size_t i = 0; i < n; i++) {
        TRY(tell_segment(t, &rows[i], &openings[i], &heads[i]));
        t->link->telling.segment = rows[i].number;
    }
    t->batch->openings = openings;
    t->batch->opening_count = n;
    t->heads[0].heads = heads;
    t->heads[0].head_count = n;
    t->link->telling.cells = n < page;
    return ERR_OK;
}

/* *over after the last. With a damaged row it is not told to the end: whoever has only a part of it
 * makes nothing of that. */
static enum err tell_cells(struct teller *t, bool *over)
{
    struct node *node = t->node;
    struct store_cell *rows = arena_array(&node->arena, TELL_CELLS, sizeof *rows);
    struct cell *cells = arena_array(&node->arena, TELL_CELLS, sizeof *cells);
    struct told_cell *last = &t->link->telling.cell;
    struct store_cell_key after = {last->unit, last->measure, last->category, last->period,
                                   t->origin->row.id};
    size_t n;
    TRY(rows == NULL || cells == NULL ? ERR_NO_MEMORY : ERR_OK);
    size_t page = page_of(t, CELL_BYTES, TELL_CELLS);
    TRY(t->kept.whole ? store_returned_cells(node->store, &after, rows, page, &n)
                      : store_cells_of_origin(node->store, &after, rows, page, &n));
    t->batch->cells = cells;
    for (size_t i = 0; i < n; i++) {
        struct id hash;
        enum err err = cells_message(node, &rows[i], &cells[t->batch->cell_count]);
        err = err == ERR_OK ? cells_hash(node, &rows[i], &hash) : err;
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        bool whole = err == ERR_OK && (t->kept.whole || id_equal(&hash, &rows[i].hash));
        t->damaged = t->damaged || !whole;
        t->batch->cell_count += whole ? 1 : 0;
        const struct store_cell_key *key = &rows[i].key;
        *last = (struct told_cell){key->unit, key->measure, key->category, key->period};
    }
    *over = n < page;
    return ERR_OK;
}

/* The heads that the cells here stand for; of a file from before these were kept, all. */
static enum err stood_here(struct teller *t, struct origin_heads *out)
{
    struct bytes bytes;
    struct head *heads;
    int64_t id = t->origin->row.id;
    enum err err = store_origin_stood(t->node->store, id, &t->node->arena, &bytes);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    TRY(err == ERR_OK ? heads_decode(bytes, &t->node->arena, &heads, &out->head_count)
                      : ledger_frontier(t->node, id, &heads, &out->head_count));
    out->heads = heads;
    return ERR_OK;
}

/* The heads that no segment continues, and those that the cells stand for. */
static enum err tell_frontier(struct teller *t)
{
    struct arena *arena = &t->node->arena;
    struct head *frontier;
    struct head *stood;
    struct origin_heads *ends = &t->heads[1];
    struct origin_heads *stand = &t->heads[2];
    ends->origin = stand->origin = t->origin->row.name;
    if (t->kept.whole) {
        TRY(heads_decode(t->kept.frontier, arena, &frontier, &ends->head_count));
        TRY(heads_decode(t->kept.stood, arena, &stood, &stand->head_count));
        stand->heads = stood;
    } else {
        TRY(ledger_frontier(t->node, t->origin->row.id, &frontier, &ends->head_count));
        TRY(stood_here(t, stand));
    }
    ends->heads = frontier;
    return ERR_OK;
}

static enum err tell(struct teller *t)
{
    struct telling *telling = &t->link->telling;
    bool over = false;
    t->batch->returned = true;
    t->batch->returned_first = !telling->begun;
    t->batch->heads = t->heads;
    t->batch->heads_count = 1;
    t->heads[0].origin = t->origin->row.name;
    telling->begun = true;
    TRY(telling->cells ? tell_cells(t, &over) : tell_segments(t));
    telling->damaged = telling->damaged || t->damaged;
    if (over) {
        struct due *due = map_put(&t->link->returns, &t->origin->row.id, NULL);
        TRY(due == NULL ? ERR_NO_MEMORY : tell_frontier(t));
        due->told = true;
        t->batch->heads_count = t->link->telling.damaged ? 1 : 3;
        t->batch->returned_last = !t->link->telling.damaged;
        *telling = (struct telling){.origin = 0};
    }
    return ERR_OK;
}

/* The origin that is told, or the next one; *out NULL for none. */
static enum err next_origin(struct node *node, struct link *link, struct cached_origin **out)
{
    const void *key;
    void *value;
    *out = NULL;
    for (size_t at = 0; link->telling.origin == 0 && map_next(&link->returns, &at, &key, &value);) {
        if (!((const struct due *)value)->told) {
            link->telling = (struct telling){.origin = *(const int64_t *)key};
        }
    }
    return link->telling.origin == 0 ? ERR_OK : node_origin(node, link->telling.origin, out);
}

enum err returned_tidy(struct node *node)
{
    int64_t page[ORIGINS_PAGE];
    size_t n = ORIGINS_PAGE;
    for (int64_t after = 0; n == ORIGINS_PAGE;) {
        TRY(store_returned_origins(node->store, after, page, ORIGINS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct store_returned kept;
            after = page[i];
            TRY(get_kept(node, page[i], &kept));
            TRY(kept.whole ? ERR_OK : store_returned_delete(node->store, page[i]));
        }
    }
    return ERR_OK;
}

enum err returned_pump(struct node *node, struct link *link)
{
    struct sender *out = &link->out;
    struct teller t = {.node = node, .link = link};
    if (link->state != SESSION_LIVE || out->in_flight || link->returns.count == 0) {
        return ERR_OK;
    }
    TRY(next_origin(node, link, &t.origin));
    if (t.origin == NULL) {
        return ERR_OK;
    }
    struct message *message = node_message(node, MESSAGE_BATCH);
    t.heads = arena_array(&node->arena, 3, sizeof *t.heads);
    TRY(message == NULL || t.heads == NULL ? ERR_NO_MEMORY : ERR_OK);
    t.batch = &message->u.batch;
    TRY(get_kept(node, t.origin->row.id, &t.kept));
    if (link->telling.begun && link->telling.kept != t.kept.whole) { /* it would be half of each */
        link->telling = (struct telling){.origin = t.origin->row.id};
    }
    link->telling.kept = t.kept.whole;
    TRY(tell(&t));
    t.batch->upto = (struct feed_mark){node->session, out->acked.revision};
    t.batch->number = ++out->number;
    out->in_flight = true;
    out->in_flight_mark = false;
    out->sent_at = node->now.mono;
    node_send(node, link, message);
    return ERR_OK;
}

/* ---- the child ---- */

static enum err keep_segments(struct node *node, int64_t origin, const struct msg_batch *batch)
{
    const struct origin_heads *heads = &batch->heads[0];
    struct buf continues;
    TRY(heads->head_count == batch->opening_count ? ERR_OK : ERR_PROTOCOL);
    buf_init(&continues, 1 << 16);
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < batch->opening_count; i++) {
        const struct opening *opening = &batch->openings[i];
        const struct head *head = &heads->heads[i];
        bool sound = id_equal(&opening->origin, &heads->origin) &&
                     id_equal(&opening->segment, &head->segment) &&
                     head->length <= (uint64_t)COUNT_MAX;
        buf_clear(&continues);
        err = sound ? heads_encode(opening->continues, opening->continue_count, &continues)
                    : ERR_PROTOCOL;
        struct store_returned_segment segment = {.name = head->segment,
                                                 .length = (int64_t)head->length,
                                                 .hash = head->hash,
                                                 .continues = buf_bytes(&continues)};
        err = err == ERR_OK ? store_returned_segment_add(node->store, origin, &segment) : err;
    }
    buf_deinit(&continues);
    return err;
}

static enum err keep_cells(struct node *node, int64_t origin, const struct msg_batch *batch)
{
    for (size_t i = 0; i < batch->cell_count; i++) {
        const struct cell *cell = &batch->cells[i];
        struct store_cell row = {.key = {.period = cell->period, .origin = origin},
                                 .value = cell->value,
                                 .count = cell->count,
                                 .live = cell->live,
                                 .hosting = cell->hosting,
                                 .day = cell->day};
        if (!receive_cell_sound(cell) || !id_equal(&cell->origin, &batch->heads[0].origin)) {
            return ERR_PROTOCOL;
        }
        TRY(node_symbol(node, cell->unit, &row.key.unit));
        TRY(node_symbol(node, cell->measure, &row.key.measure));
        TRY(node_symbol(node, cell->category, &row.key.category));
        TRY(store_returned_cell_put(node->store, &row));
    }
    return ERR_OK;
}

static enum err keep_end(struct node *node, int64_t origin, const struct msg_batch *batch)
{
    struct buf frontier;
    struct buf stood;
    const struct origin_heads *heads = batch->heads;
    for (size_t i = 1; i < 3; i++) {
        TRY(id_equal(&heads[i].origin, &heads[0].origin) ? ERR_OK : ERR_PROTOCOL);
        for (size_t j = 0; j < heads[i].head_count; j++) {
            TRY(heads[i].heads[j].length <= (uint64_t)COUNT_MAX ? ERR_OK : ERR_PROTOCOL);
        }
    }
    buf_init(&frontier, 1 << 20);
    buf_init(&stood, 1 << 20);
    enum err err = heads_encode(heads[1].heads, heads[1].head_count, &frontier);
    err = err == ERR_OK ? heads_encode(heads[2].heads, heads[2].head_count, &stood) : err;
    struct store_returned row = {true, buf_bytes(&frontier), buf_bytes(&stood)};
    err = err == ERR_OK ? store_returned_set(node->store, origin, &row) : err;
    buf_deinit(&frontier);
    buf_deinit(&stood);
    return err;
}

/* All of it has come. */
static enum err take_whole(struct node *node, struct cached_origin *origin)
{
    int64_t id = origin->row.id;
    if (id == node->own_origin) {
        node->seal_due = true;
        node->seal_after = node->now.mono;
        return sealing_seal(node);
    }
    struct link *link = downlink_live_of_unit(node, origin->row.via);
    bool covered;
    TRY(is_covered(node, id, &covered));
    if (covered) {
        return forget_kept(node, link, id);
    }
    if (link == NULL) {
        return ERR_OK;
    }
    TRY(note(link, id, true));
    struct due *due = map_get(&link->returns, &id);
    due->told = false;
    link->exact = false;
    tell_anew(link, id);
    return rows_set_state(node, link, LINK_CATCHING_UP);
}

/* What comes over a link and what comes in a bundle are not mixed. */
static void stop_others(struct node *node, const struct link *link, int64_t origin)
{
    struct link *ways[] = {node->uplink, node->bundle == NULL ? NULL : node->bundle->link};
    for (size_t i = 0; i < 2; i++) {
        if (ways[i] != NULL && ways[i] != link && ways[i]->returning == origin) {
            ways[i]->returning = 0;
        }
    }
}

enum err returned_take(struct node *node, struct link *link, const struct msg_batch *batch)
{
    struct cached_origin *origin;
    TRY(batch->heads_count == (batch->returned_last ? 3 : 1) ? ERR_OK : ERR_PROTOCOL);
    enum err err = node_origin_named(node, &batch->heads[0].origin, &origin);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && origin->row.scope == SCOPE_ABOVE)) {
        return ERR_OK; /* it comes again when it is known, if it is behind then */
    }
    TRY(err);
    int64_t id = origin->row.id;
    TRY(node_write(node));
    if (batch->returned_first) {
        stop_others(node, link, id);
        link->returning = id;
        link->returned_rows = 0;
        struct link *below = downlink_live_of_unit(node, origin->row.via);
        if (below != NULL) {
            tell_anew(below, id);
            forget(below, id, true);
        }
        TRY(store_returned_delete(node->store, id));
        TRY(store_returned_set(node->store, id, &(struct store_returned){.whole = false}));
    }
    if (link->returning != id) {
        return ERR_OK;
    }
    link->returned_rows += (int64_t)(batch->opening_count + batch->cell_count);
    if (link->returned_rows > RETURNED_ROWS_MAX) {
        link->returning = 0;
        TRY(store_returned_delete(node->store, id));
        return node_alarm(node, "entries-lost", "limit",
                          "entries of a node below are lost, and what is known of it above is more "
                          "than %d rows: it is not taken over",
                          RETURNED_ROWS_MAX);
    }
    TRY(keep_segments(node, id, batch));
    TRY(keep_cells(node, id, batch));
    if (!batch->returned_last) {
        return ERR_OK;
    }
    link->returning = 0;
    TRY(keep_end(node, id, batch));
    return take_whole(node, origin);
}

/* The feed going out: one batch at a time on each link, read from the store in short reads after
 * the flush of a batch.
 *
 * 1. Rows about places and chains (units, hostings, statuses, segment openings, signed heads) go
 * ahead of everything, in order of revision, until none is left: cells never come to a parent that
 * could not know their unit or origin.
 * 2. Upwards, own entries follow, in the order of the own ledger.
 * 3. Then cells in order of revision. An own cell waits until the entries that it counts were sent,
 * and the cells behind it wait too; every batch brings those entries nearer.
 * 4. When all three have reached the end, the batch carries the mark.
 *
 * `upto` of a batch is the revision up to which the receiver has everything once it has applied
 * this and the batches before. It only moves when the rows of step 1 have been read to the end. A
 * lost link loses nothing: the next session starts from what the receiver says it has. */
#include <string.h>

#include "node/internal.h"

enum { ROWS_PAGE = 128, ENTRIES_PAGE = 256, CELLS_PAGE = 2000, ROW_ROOM_BYTES = 96 };

struct builder {
    struct node *node;
    struct link *link;
    struct msg_batch *batch;
    size_t bytes;
    size_t room;
    int64_t rows_end; /* rows of step 1 go up to this revision in this batch */
    bool rows_done;
    bool entries_done;
    bool cells_done;
    bool digests_done;
    struct map origin_seen; /* origins whose heads this batch states */
    struct origin_heads *heads;
};

void feed_start(struct node *node, struct sender *out, struct feed_mark have)
{
    /* The numbers go on where healing left them: a batch of then that comes twice is known by its.
     */
    *out = (struct sender){.acked = have,
                           .number = out->number,
                           .rows_read = have.revision,
                           .cells_read = have.revision,
                           .window_bytes = WINDOW_START_BYTES};
    (void)node;
}

bool feed_goes_down(const struct node *node, const struct link *link, int64_t unit_id,
                    int64_t scope)
{
    int unit = view_unit(&node->view, unit_id);
    int child = view_unit(&node->view, link->unit);
    return scope != SCOPE_BELOW && unit != TREE_NONE && child != TREE_NONE &&
           view_within(&node->view, unit, child);
}

enum err feed_unit_row(struct node *node, const struct store_unit *row, struct unit_row *out)
{
    *out = (struct unit_row){
        .name = row->name, .level = row->level, .decider = row->decider, .count = row->count};
    TRY(node_text(node, row->code, &out->code));
    return edges_decode(row->edges, &node->arena, &out->edges, &out->edge_count);
}

static bool room_left(const struct builder *b)
{
    return b->bytes < b->room;
}

/* How many rows of the least size the batch has room for; at least one. */
static size_t rows_that_fit(const struct builder *b)
{
    size_t fit = (b->room - b->bytes) / ROW_ROOM_BYTES + 1;
    return fit < BATCH_ROWS_MAX ? fit : BATCH_ROWS_MAX;
}

/* Whether a row about this unit goes over the link. Up goes all that was not learned from above;
 * down goes what was not learned from below and lies at or under the child. */
static bool wanted(const struct builder *b, int64_t unit_id, int64_t scope)
{
    return b->link->up ? scope != SCOPE_ABOVE : feed_goes_down(b->node, b->link, unit_id, scope);
}

/* A unit below the own one that was decided above goes back there: it may have been lost. */
static bool tells_back(const struct builder *b, const struct store_unit *row)
{
    const struct unit *self = &b->node->view.tree.units[b->node->view.self];
    return b->link->up && b->link->takes_back && row->scope == SCOPE_ABOVE && row->code != self->id;
}

/* How many rows of one kind are read at once. */
static size_t rows_page(const struct builder *b)
{
    size_t fit = room_left(b) ? rows_that_fit(b) : 1;
    return fit < ROWS_PAGE ? fit : ROWS_PAGE;
}

static enum err add_units(struct builder *b, int64_t *last)
{
    struct node *node = b->node;
    size_t page = rows_page(b);
    struct store_unit *rows = arena_array(&node->arena, page, sizeof *rows);
    struct unit_row *out = arena_array(&node->arena, page, sizeof *out);
    size_t n;
    if (rows == NULL || out == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_feed_units(node->store, b->link->out.rows_read, &node->arena, rows, page, &n));
    b->batch->units = out;
    for (size_t i = 0; i < n; i++) {
        bool goes = wanted(b, rows[i].code, rows[i].scope) || tells_back(b, &rows[i]);
        if (rows[i].rev <= b->rows_end && goes) {
            TRY(feed_unit_row(node, &rows[i], &out[b->batch->unit_count++]));
            b->bytes += ROW_ROOM_BYTES + strlen(rows[i].name);
        }
    }
    *last = n == page ? rows[n - 1].rev : INT64_MAX;
    return ERR_OK;
}

static enum err add_hostings(struct builder *b, int64_t *last)
{
    struct node *node = b->node;
    size_t page = rows_page(b);
    struct store_hosting *rows = arena_array(&node->arena, page, sizeof *rows);
    struct hosting_row *out = arena_array(&node->arena, page, sizeof *out);
    size_t n;
    if (rows == NULL || out == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_feed_hostings(node->store, b->link->out.rows_read, rows, page, &n));
    b->batch->hostings = out;
    for (size_t i = 0; i < n; i++) {
        if (rows[i].rev <= b->rows_end && wanted(b, rows[i].unit, rows[i].scope)) {
            struct hosting_row *row = &out[b->batch->hosting_count++];
            *row = (struct hosting_row){.node = rows[i].node,
                                        .origin = rows[i].origin,
                                        .key = rows[i].key,
                                        .number = rows[i].number,
                                        .revoked = rows[i].revoked,
                                        .decider = rows[i].decider,
                                        .count = rows[i].count};
            TRY(node_text(node, rows[i].unit, &row->unit));
            b->bytes += 2 * ROW_ROOM_BYTES;
        }
    }
    *last = n == page ? rows[n - 1].rev : INT64_MAX;
    return ERR_OK;
}

static enum err add_statuses(struct builder *b, int64_t *last)
{
    struct node *node = b->node;
    size_t page = rows_page(b);
    struct store_status *rows = arena_array(&node->arena, page, sizeof *rows);
    struct status_row *out = arena_array(&node->arena, page, sizeof *out);
    size_t n;
    if (rows == NULL || out == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_feed_statuses(node->store, b->link->out.rows_read, rows, page, &n));
    b->batch->statuses = out;
    for (size_t i = 0; i < n && b->link->up && rows[i].rev <= b->rows_end; i++) {
        struct status_row *row = &out[b->batch->status_count++];
        *row = (struct status_row){.node = rows[i].node,
                                   .state = (enum link_state)rows[i].state,
                                   .exact_as_of = rows[i].exact_as_of,
                                   .held = rows[i].held,
                                   .lost = rows[i].lost};
        TRY(node_text(node, rows[i].unit, &row->unit));
        b->bytes += ROW_ROOM_BYTES;
    }
    *last = n == page ? rows[n - 1].rev : INT64_MAX;
    return ERR_OK;
}

static enum err add_openings(struct builder *b, int64_t *last)
{
    struct node *node = b->node;
    size_t page = rows_page(b);
    struct store_segment *rows = arena_array(&node->arena, page, sizeof *rows);
    struct opening *out = arena_array(&node->arena, page, sizeof *out);
    size_t n;
    if (rows == NULL || out == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_feed_segments(node->store, b->link->out.rows_read, rows, page, &n));
    b->batch->openings = out;
    for (size_t i = 0; i < n; i++) {
        struct cached_origin *origin;
        struct bytes continues;
        struct head *heads;
        TRY(node_origin(node, rows[i].origin, &origin));
        bool goes =
            b->link->up ? origin->row.scope != SCOPE_ABOVE : origin->row.scope != SCOPE_BELOW;
        if (!goes || rows[i].rev > b->rows_end) {
            continue;
        }
        struct opening *row = &out[b->batch->opening_count++];
        row->origin = origin->row.name;
        row->segment = rows[i].name;
        TRY(store_segment_continues(node->store, rows[i].id, &node->arena, &continues));
        TRY(heads_decode(continues, &node->arena, &heads, &row->continue_count));
        row->continues = heads;
        b->bytes += ROW_ROOM_BYTES * (1 + row->continue_count);
    }
    *last = n == page ? rows[n - 1].rev : INT64_MAX;
    return ERR_OK;
}

/* Heads that a key before this one signed can be held against nothing above any more, where the row
 * with this one comes first. */
static enum err signed_by_its_node(struct node *node, const struct store_origin *origin,
                                   const struct signed_heads *heads, bool *is)
{
    struct store_hosting hosting;
    enum err err = origin->id == node->own_origin
                       ? ERR_NOT_FOUND
                       : store_hosting_get(node->store, origin->unit, &hosting);
    *is = err == ERR_NOT_FOUND || (err == ERR_OK && hash_equal(&hosting.key, &heads->key));
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err add_signed_heads(struct builder *b, int64_t *last)
{
    struct node *node = b->node;
    size_t page = rows_page(b);
    struct store_origin *rows = arena_array(&node->arena, page, sizeof *rows);
    struct signed_heads *out = arena_array(&node->arena, page, sizeof *out);
    size_t n;
    if (rows == NULL || out == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_feed_origins(node->store, b->link->out.rows_read, rows, page, &n));
    b->batch->signed_heads = out;
    for (size_t i = 0; i < n && b->link->up && rows[i].rev <= b->rows_end; i++) {
        struct bytes bytes;
        if (rows[i].scope != SCOPE_ABOVE &&
            store_origin_signed(node->store, rows[i].id, &node->arena, &bytes) == ERR_OK) {
            struct signed_heads *heads = &out[b->batch->signed_heads_count];
            bool goes;
            TRY(signed_heads_decode(bytes, &node->arena, &rows[i].name, heads));
            TRY(signed_by_its_node(node, &rows[i], heads, &goes));
            b->batch->signed_heads_count += goes ? 1 : 0;
            b->bytes += goes ? 3 * ROW_ROOM_BYTES : 0;
        }
    }
    *last = n == page ? rows[n - 1].rev : INT64_MAX;
    return ERR_OK;
}

/* Step 1: reads all five kinds from where the last batch ended. A kind that was cut says how far
 * those after it go, so that no hosting is ahead of its unit; what those before it have beyond that
 * is sent again, which changes nothing. */
static enum err add_rows(struct builder *b)
{
    typedef enum err (*add_fn)(struct builder *, int64_t *);
    static const add_fn KINDS[] = {add_units, add_hostings, add_statuses, add_openings,
                                   add_signed_heads};
    int64_t least = INT64_MAX;
    if (b->link->out.rows_read >= b->node->head) {
        b->rows_done = true;
        return ERR_OK;
    }
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        int64_t last;
        b->rows_end = least;
        TRY(KINDS[i](b, &last));
        least = last < least ? last : least;
    }
    b->rows_done = least == INT64_MAX;
    b->link->out.rows_read = b->rows_done ? b->node->head : least;
    return ERR_OK;
}

static size_t entry_bytes(const struct entry *entry)
{
    return ROW_ROOM_BYTES + strlen(entry->key) + strlen(entry->note) + entry->act.len;
}

/* Entries as they are taken: `out` has room for `cap`, `rows` for one page. */
struct entry_list {
    struct entry *out;
    size_t cap;
    struct store_entry *rows;
};

/* One page of one segment; *stop when there is no room left. */
static enum err add_segment_page(struct builder *b, const struct store_segment *segment,
                                 const struct entry_list *list, bool *stop)
{
    struct node *node = b->node;
    struct sender *sender = &b->link->out;
    int64_t after = sender->entries_read - segment->base;
    struct store_entry *rows = list->rows;
    size_t n;
    TRY(store_entries(node->store, segment->id, after, &node->arena, rows, ENTRIES_PAGE, &n));
    for (size_t i = 0; i < n; i++) {
        if (!room_left(b) || b->batch->entry_count >= list->cap) {
            *stop = true;
            return ERR_OK;
        }
        struct entry *entry = &list->out[b->batch->entry_count];
        const struct store_entry *row = &rows[i];
        TRY(ledger_entry_message(&node->texts, row, &segment->name, entry));
        b->batch->entry_count++;
        b->bytes += entry_bytes(entry);
        sender->entries_read = segment->base + row->seq;
    }
    *stop = n == 0;
    return ERR_OK;
}

/* Step 2. */
static enum err add_entries(struct builder *b)
{
    enum { SEGMENTS = 64 };
    struct node *node = b->node;
    struct sender *sender = &b->link->out;
    if (sender->entries_read >= node->ledger_length) {
        b->entries_done = true;
        return ERR_OK;
    }
    int64_t pending = node->ledger_length - sender->entries_read;
    struct entry_list list = {.cap = rows_that_fit(b)};
    list.cap = (int64_t)list.cap < pending ? list.cap : (size_t)pending;
    list.out = arena_array(&node->arena, list.cap, sizeof *list.out);
    list.rows = arena_array(&node->arena, ENTRIES_PAGE, sizeof *list.rows);
    struct store_segment segments[SEGMENTS];
    size_t n = SEGMENTS;
    if (list.out == NULL || list.rows == NULL) {
        return ERR_NO_MEMORY;
    }
    b->batch->entries = list.out;
    bool stop = false;
    for (int64_t after = 0; n == SEGMENTS && room_left(b); after = segments[n - 1].number) {
        TRY(store_segments(node->store, node->own_origin, after, segments, SEGMENTS, &n));
        for (size_t i = 0; i < n; i++) {
            stop = false;
            while (!stop && sender->entries_read < segments[i].base + segments[i].length &&
                   sender->entries_read >= segments[i].base) {
                TRY(add_segment_page(b, &segments[i], &list, &stop));
            }
        }
        if (n == 0) {
            break;
        }
    }
    b->entries_done = sender->entries_read >= node->ledger_length;
    return ERR_OK;
}

/* States the heads that cells and digests of this batch stand for, once per origin. */
static enum err note_origin(struct builder *b, int64_t number)
{
    bool made;
    struct cached_origin *origin;
    struct head *heads;
    if (map_put(&b->origin_seen, &number, &made) == NULL) {
        return ERR_NO_MEMORY;
    }
    if (!made) {
        return ERR_OK;
    }
    struct origin_heads *out = &b->heads[b->batch->heads_count];
    TRY(node_origin(b->node, number, &origin));
    TRY(ledger_frontier(b->node, number, &heads, &out->head_count));
    out->origin = origin->row.name;
    out->heads = heads;
    b->batch->heads_count++;
    b->bytes += ROW_ROOM_BYTES * (1 + out->head_count);
    return ERR_OK;
}

/* A damaged row does not go on; had again from its origin, it is new and goes then. */
static enum err put_cell(struct node *node, const struct store_cell *row, struct cell *out,
                         bool *whole)
{
    enum err err = cells_message(node, row, out);
    struct id hash = {{0}};
    if (err == ERR_OK) {
        buf_clear(&node->scratch);
        hash = cell_hash(out, &node->scratch);
        err = node->scratch.failed ? ERR_NO_MEMORY : ERR_OK;
    }
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err); /* its origin, or one of its texts, is lost */
    *whole = err == ERR_OK && id_equal(&hash, &row->hash);
    return *whole ? ERR_OK : audit_report_cell(node, row);
}

/* The place of the last entry that an own cell counts; where places were given anew since, that of
 * the last of them. */
static int64_t last_entry(const struct node *node, const struct store_cell *cell)
{
    return cell->last <= node->heal_floor ? node->heal_floor : cell->last;
}

static enum err take_cells(struct builder *b, const struct store_cell *rows, size_t n, size_t page)
{
    struct node *node = b->node;
    struct sender *sender = &b->link->out;
    struct cell *out = arena_array(&node->arena, n, sizeof *out);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    b->batch->cells = out;
    b->cells_done = n < page;
    for (size_t i = 0; i < n; i++) {
        bool goes = b->link->up || wanted(b, rows[i].key.unit, rows[i].scope);
        bool waits = b->link->up && rows[i].scope == SCOPE_OWN &&
                     last_entry(node, &rows[i]) > sender->entries_read;
        if (!room_left(b) || waits) {
            b->cells_done = false;
            return ERR_OK;
        }
        if (goes) {
            bool whole;
            TRY(put_cell(node, &rows[i], &out[b->batch->cell_count], &whole));
            b->batch->cell_count += whole ? 1 : 0;
            TRY(whole ? note_origin(b, rows[i].key.origin) : ERR_OK);
            b->bytes += ROW_ROOM_BYTES;
        }
        sender->cells_read = rows[i].rev;
    }
    return ERR_OK;
}

/* Step 3. */
static enum err add_cells(struct builder *b)
{
    struct node *node = b->node;
    struct sender *sender = &b->link->out;
    if (sender->cells_read >= node->head) {
        b->cells_done = true;
        return ERR_OK;
    }
    int64_t pending = node->head - sender->cells_read; /* at most: a revision is of one row */
    size_t page = rows_that_fit(b) < CELLS_PAGE ? rows_that_fit(b) : CELLS_PAGE;
    page = pending < (int64_t)page ? (size_t)pending + 1 : page;
    struct store_cell *rows = arena_array(&node->arena, page, sizeof *rows);
    size_t n;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(b->link->up ? store_feed_cells_up(node->store, sender->cells_read, rows, page, &n)
                    : store_feed_cells_down(node->store, sender->cells_read, rows, page, &n));
    TRY(take_cells(b, rows, n, page));
    sender->cells_read = b->cells_done ? node->head : sender->cells_read;
    return ERR_OK;
}

static enum err sign_own_heads(struct node *node)
{
    struct signed_heads heads = {.heads = {.origin = node->origin}, .at = node->now.wall};
    struct head *frontier;
    struct buf bytes;
    TRY(ledger_frontier(node, node->own_origin, &frontier, &heads.heads.head_count));
    heads.heads.heads = frontier;
    struct store_hosting hosting;
    TRY(store_hosting_get(node->store, node->view.tree.units[node->view.self].id, &hosting));
    heads.key = hosting.key;
    buf_clear(&node->scratch);
    signed_heads_bytes(&heads, &node->scratch);
    TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    TRY(node->env.sign(node->env.ctx, buf_bytes(&node->scratch), &heads.signature));
    TRY(node_write(node));
    buf_init(&bytes, 1 << 16);
    enum err err = signed_heads_encode(&heads, &bytes);
    if (err == ERR_OK) {
        struct cached_origin *own;
        err = node_origin(node, node->own_origin, &own);
        if (err == ERR_OK) {
            own->row.rev = node_next_revision(node);
            err = store_origin_signed_set(node->store, node->own_origin, bytes.data, bytes.len,
                                          own->row.rev);
        }
    }
    buf_deinit(&bytes);
    node->signed_length = node->ledger_length;
    return err;
}

/* Children whose last batch was no mark, linked or not: of what comes through them entries may be
 * here whose cells are not, or cells of one time beside those of another. */
static enum err note_those_midway(struct node *node, struct map *units)
{
    int64_t page[CELLS_PAGE];
    int64_t after = 0;
    size_t n = CELLS_PAGE;
    while (n == CELLS_PAGE) {
        TRY(store_children_midway(node->store, after, page, CELLS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            after = page[i];
            TRY(map_put(units, &page[i], NULL) == NULL ? ERR_NO_MEMORY : ERR_OK);
        }
    }
    return ERR_OK;
}

/* Digests of the origins that changed since the last mark; those of children that are midway wait
 * for their next mark. */
static enum err add_digests(struct builder *b, const struct map *midway)
{
    struct node *node = b->node;
    struct digest *out = arena_array(&node->arena, node->origins.count + 1, sizeof *out);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t at = 0;
    size_t seen = 0; /* by a bundle, which has those of all origins */
    struct bundle *bundle = b->link->bundle;
    const void *key;
    void *value;
    while (map_next(&node->origins, &at, &key, &value)) {
        struct cached_origin *origin = value;
        bool waits = map_get(midway, &origin->row.via) != NULL;
        bool given = bundle != NULL ? ++seen <= bundle->digests_given : origin->marked;
        if (origin->row.scope != SCOPE_ABOVE && !given && !waits) {
            if (!room_left(b) || b->batch->digest_count >= BATCH_ROWS_MAX) {
                b->digests_done = false;
                break;
            }
            out[b->batch->digest_count++] =
                (struct digest){origin->row.name, origin->row.digest, origin->row.cell_count};
            if (bundle != NULL) {
                bundle->digests_given = seen;
            } else {
                origin->marked = true;
            }
            b->bytes += ROW_ROOM_BYTES;
            TRY(note_origin(b, origin->row.id));
        }
    }
    b->batch->digests = out;
    return ERR_OK;
}

/* What the parent asked for, to find cells that differ: at a mark, and like a digest not of an
 * origin that comes through a child that is midway. */
static enum err add_ranges(struct builder *b, const struct map *midway)
{
    struct narrowing *asked = b->link->narrowing;
    struct cached_origin *origin;
    struct ranges *out = arena_array(&b->node->arena, 1, sizeof *out);
    bool answered;
    TRY(out == NULL ? ERR_NO_MEMORY : ERR_OK);
    b->batch->compares = true;
    if (asked == NULL) {
        return ERR_OK;
    }
    int64_t id = asked->origin;
    TRY(node_origin(b->node, id, &origin));
    if (map_get(midway, &origin->row.via) != NULL) {
        return ERR_OK;
    }
    TRY(compare_answer(b->node, b->link, out, &answered));
    b->batch->ranges = out;
    b->batch->range_count = answered ? 1 : 0;
    return note_origin(b, id);
}

/* Step 4. Digests for which there is no room have a mark of their own after this one. */
static enum err add_mark(struct builder *b)
{
    struct map midway;
    map_init(&midway, sizeof(int64_t), 1);
    enum err err = note_those_midway(b->node, &midway);
    err = err == ERR_OK ? add_ranges(b, &midway) : err;
    err = err == ERR_OK ? add_digests(b, &midway) : err;
    map_deinit(&midway);
    b->batch->mark = true;
    b->batch->marked_at = b->node->now.wall;
    return err;
}

/* Rows that do not go over this link move the feed on too: the receiver is told, so that what it
 * has is known to be all of it. */
static bool nothing_to_say(const struct builder *b)
{
    const struct msg_batch *batch = b->batch;
    bool empty = batch->unit_count + batch->hosting_count + batch->status_count +
                     batch->opening_count + batch->signed_heads_count + batch->entry_count +
                     batch->cell_count ==
                 0;
    bool moved = batch->upto.revision > b->link->out.acked.revision;
    return empty && !moved && (!batch->mark || b->link->out.marked);
}

static enum err build(struct builder *b)
{
    struct node *node = b->node;
    struct sender *out = &b->link->out;
    bool up = b->link->up;
    b->entries_done = !up;
    b->digests_done = true;
    b->heads = arena_array(&node->arena, CELLS_PAGE + node->origins.count + 1, sizeof *b->heads);
    if (b->heads == NULL) {
        return ERR_NO_MEMORY;
    }
    b->batch->heads = b->heads;
    TRY(add_rows(b));
    if (b->rows_done && up && room_left(b)) {
        TRY(add_entries(b));
    }
    if (b->rows_done && room_left(b)) {
        TRY(add_cells(b));
    }
    b->batch->upto.session = node->session;
    b->batch->upto.revision = b->rows_done ? out->cells_read : out->acked.revision;
    if (b->rows_done && b->entries_done && b->cells_done && up) {
        TRY(add_mark(b));
    }
    return ERR_OK;
}

/* Puts the next batch together; it is not sent yet. */
static enum err next_batch(struct node *node, struct link *link, struct builder *b,
                           struct message **out)
{
    if (link->up && node->signed_length != node->ledger_length) {
        TRY(sign_own_heads(node));
    }
    struct message *message = node_message(node, MESSAGE_BATCH);
    if (message == NULL) {
        return ERR_NO_MEMORY;
    }
    *b = (struct builder){
        .node = node, .link = link, .batch = &message->u.batch, .room = link->out.window_bytes};
    map_init(&b->origin_seen, sizeof(int64_t), 1);
    enum err err = build(b);
    map_deinit(&b->origin_seen);
    TRY(err);
    revision_read(node, link);
    *out = message;
    return ERR_OK;
}

enum err feed_bundle(struct node *node, struct link *link, bool *over)
{
    struct message *message;
    struct builder b;
    TRY(next_batch(node, link, &b, &message));
    *over = b.rows_done && b.entries_done && b.cells_done && b.digests_done;
    b.batch->compares = false; /* nobody is there to be asked */
    b.batch->number = ++link->out.number;
    link->bundle->reply.entries += (int64_t)b.batch->entry_count;
    link->bundle->reply.cells += (int64_t)b.batch->cell_count;
    node_send(node, link, message);
    return ERR_OK;
}

enum err feed_pump(struct node *node, struct link *link)
{
    struct sender *out = &link->out;
    int64_t head = link->up ? node->head : node->down_head;
    bool behind = out->rows_read < head || out->cells_read < head ||
                  (link->up && out->entries_read < node->ledger_length);
    if (link->state != SESSION_LIVE || out->in_flight || (!behind && out->marked)) {
        return ERR_OK;
    }
    struct message *message;
    struct builder b;
    TRY(next_batch(node, link, &b, &message));
    bool silent = nothing_to_say(&b);
    out->marked = b.rows_done && b.entries_done && b.cells_done && b.digests_done;
    if (!silent) {
        b.batch->number = ++out->number;
        out->in_flight = true;
        out->in_flight_mark = b.batch->mark;
        out->sent_at = node->now.mono;
        node_send(node, link, message);
    }
    return ERR_OK;
}

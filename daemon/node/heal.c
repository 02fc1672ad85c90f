/* The child's side of healing: its own ledger has lost entries that the parent keeps in escrow (a
 * power cut with a disk that lies, a backup put back, a new disk).
 *
 * 1. A welcome says that entries are lacking, and how many. The segment under way is closed: what
 * is recorded from here on begins another one, so that nothing collides.
 * 2. Batches bring what is lacking, in an order in which whatever an entry knew of comes before it;
 * first the units below that were decided above, which acts may be about.
 * Each is one transaction: the entries, continued hash by hash, and the cells that count them
 * (merge.h says what they come to beside those recorded meanwhile). What stops in between goes on
 * from there at the next hello.
 * 3. The last batch is a mark. What the parent does not have yet goes behind all that it has, every
 * segment gets its place, and the child says hello again on the same link.
 *
 * Entries of a measure that is not known yet are kept, and counted when the catalogue comes. A
 * batch that does not continue what is here ends the link: nothing of it is kept. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/heal.h"
#include "node/merge.h"
#include "node/sealing.h"

enum { SEGMENTS_PAGE = 64, UNSETTLED_PAGE = 256 };

enum err heal_begin(struct node *node, struct link *link, const struct msg_welcome *welcome)
{
    char text[TEXT_MAX_BYTES];
    link->state = SESSION_HEALING;
    link->heal_left = welcome->heal_entries;
    (void)snprintf(text, sizeof text,
                   "%" PRId64 " entries that this machine has lost come back from the office above",
                   welcome->heal_entries);
    node_log(node, true, "uplink=healing entries=%" PRId64, welcome->heal_entries);
    uplink_refused_state(node, UPLINK_CONNECTING, text);
    return ERR_OK;
}

/* ---- what a fact comes to ---- */

/* The key of the cell that counts an entry. */
static enum err cell_of(struct node *node, const struct store_entry *row,
                        const struct measure *measure, struct pending_cell **out)
{
    struct store_cell_key key = {.unit = row->unit,
                                 .measure = row->measure,
                                 .category = row->category,
                                 .origin = node->own_origin};
    key.period = period_of_day(measure->frequency, row->day).index;
    return cells_touch(node, &key, out);
}

/* The highest-ranking record that lives, of those days. */
static enum err look_for_standing(struct node *node, const struct store_stock_span *span,
                                  struct store_cell *cell)
{
    struct store_placed found = {.clock = 0};
    enum err err = ERR_OK;
    for (int64_t rank = 0; err == ERR_OK && !found.entry.live; rank++) {
        err = store_entry_ranked(node->store, span, rank, &found);
    }
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    bool stands = err == ERR_OK;
    cell->value = stands ? found.entry.now_value : 0;
    cell->hosting = stands ? found.entry.hosting : 0;
    cell->day = stands ? found.entry.day : 0;
    return ERR_OK;
}

/* What a stock's cell comes to with one more entry, about `record`, by which `live` more live. One
 * that is about less than what stands changes nothing, and a new one about more stands itself: a
 * ledger is not gone through again for each of its entries. */
static enum err stand(struct node *node, const struct store_entry *record, bool is_new,
                      int64_t live, const struct merge_fact *fact, const struct measure *measure,
                      struct store_cell *cell)
{
    struct store_stock_span span = cells_span(&cell->key, measure);
    bool alone = is_new ? live == 1 : record->key[0] == '\0'; /* no other record changes with it */
    int order = (record->hosting > cell->hosting) - (record->hosting < cell->hosting);
    order = order != 0 ? order : (record->day > cell->day) - (record->day < cell->day);
    bool any = cell->live - live > 0; /* something stood */
    if (alone && any && order < 0) {
        return ERR_OK;
    }
    if (alone && is_new && (!any || order > 0)) {
        cell->value = fact->value;
        cell->hosting = record->hosting;
        cell->day = record->day;
        return ERR_OK;
    }
    if (alone && is_new) {
        span.first_day = span.last_day = record->day;
    }
    return look_for_standing(node, &span, cell);
}

/* Whether the cell that counts the entry has a base, or gets one with it: it is made again when all
 * has come. */
static enum err has_base(struct node *node, const struct store_entry *row,
                         const struct measure *measure, const struct store_cell_key *key,
                         bool *based)
{
    struct store_stock_span span = cells_span(key, measure);
    struct store_placed base;
    struct entry_lost said;
    *based = row->kind == ENTRY_LOST;
    node->has_bases = node->has_bases || *based;
    if (*based || !node->has_bases) {
        return ERR_OK;
    }
    enum err err = store_entry_lost(node->store, &span, &node->arena, &base);
    *based = err == ERR_OK && entry_lost_decode(base.entry.act, &said) == ERR_OK;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* An entry that is in the ledger and in no cell yet is counted, and its fact settled. */
static enum err count(struct node *node, const struct store_entry *row, const struct id *segment,
                      const struct measure *measure, struct pending_cell *pending)
{
    struct store_entry record = *row;
    struct id name = *segment;
    wide value = 0;
    int64_t live = 0;
    enum err err = ERR_OK;
    if (row->kind != ENTRY_RECORD) {
        err = merge_corrected(node->store, row, &node->arena, &record, &name);
    }
    struct merge_fact fact = {.live = false};
    bool known = err == ERR_OK; /* else it corrects what is not here: only counted */
    bool based;
    TRY(has_base(node, row, measure, &pending->now.key, &based));
    if (known) {
        TRY(merge_fact_of(node->store, &record, &name, &fact));
        TRY(merge_settle(node->store, &record, &fact, &value, &live));
    }
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    node->bases_due = node->bases_due || based;
    if (based) {
        return ERR_OK;
    }
    struct store_cell *cell = &pending->now;
    cell->count++;
    cell->live += live;
    if (measure->kind == MEASURE_STOCK) {
        bool is_new = row->kind == ENTRY_RECORD;
        TRY(known ? stand(node, &record, is_new, live, &fact, measure, cell) : ERR_OK);
    } else {
        value += cell->value;
        TRY(wide_fits_i64(value) ? ERR_OK : ERR_LIMIT);
        cell->value = (int64_t)value;
    }
    return hold_cell(node, cell);
}

enum err heal_unsettled(struct node *node)
{
    struct store_unsettled page[UNSETTLED_PAGE];
    struct store_unsettled after = {0};
    size_t n = UNSETTLED_PAGE;
    while (n == UNSETTLED_PAGE) {
        TRY(store_unsettled(node->store, &after, page, UNSETTLED_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct store_entry row;
            struct store_segment segment;
            struct pending_cell *pending;
            after = page[i];
            TRY(store_segment_get(node->store, page[i].segment, &segment));
            TRY(store_entry_get(node->store, segment.id, page[i].seq, &node->arena, &row));
            const struct measure *measure = view_measure(&node->view, row.measure);
            if (measure == NULL) {
                continue;
            }
            TRY(cell_of(node, &row, measure, &pending));
            TRY(count(node, &row, &segment.name, measure, pending));
            TRY(store_unsettled_delete(node->store, segment.id, page[i].seq));
        }
    }
    return ERR_OK;
}

/* ---- acts ---- */

/* What this node had decided holds again, unless it has decided anew since. */
static enum err heal_unit(struct node *node, const struct act *act, int64_t id)
{
    struct store_unit row = {.count = 0};
    enum err err = store_unit_get(node->store, id, &node->arena, &row);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    bool known = err == ERR_OK;
    if (known && !id_equal(&row.decider, &node->origin)) {
        return ERR_OK;
    }
    struct unit_edge edge = {.parent = act->parent, .from = act->day, .to = DAY_NONE};
    struct buf edges;
    buf_init(&edges, 4096);
    edges_encode(&edge, 1, &edges);
    err = edges.failed ? ERR_NO_MEMORY : ERR_OK;
    if (!known) {
        row = (struct store_unit){.code = id,
                                  .name = act->name,
                                  .level = act->level,
                                  .edges = {edges.data, edges.len},
                                  .decider = node->origin,
                                  .scope = SCOPE_OWN};
    }
    row.count++;
    err = err == ERR_OK ? rows_put_unit(node, &row, act->unit) : err;
    buf_deinit(&edges);
    return err;
}

static enum err heal_host(struct node *node, const struct act *act, int64_t id)
{
    struct store_hosting row = {.count = 0};
    struct cached_origin *origin;
    enum err err = store_hosting_get(node->store, id, &row);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    bool known = err == ERR_OK;
    if (known && !id_equal(&row.decider, &node->origin)) {
        return ERR_OK;
    }
    if (!known || row.number < (int64_t)act->number) {
        struct store_status status = {
            .unit = id, .node = act->node, .state = LINK_NEVER, .direct = true};
        row = (struct store_hosting){.unit = id,
                                     .node = act->node,
                                     .origin = act->origin,
                                     .key = act->key,
                                     .number = (int64_t)act->number,
                                     .decider = node->origin,
                                     .count = row.count,
                                     .scope = SCOPE_OWN};
        TRY(node_origin_ensure(node, &act->origin, id, SCOPE_BELOW, &origin));
        origin->row.unit = id;
        origin->row.via = id;
        origin->dirty = true;
        TRY(rows_put_status(node, &status));
    }
    row.count++;
    return rows_put_hosting(node, &row);
}

/* Whether this node can have decided that: about a unit below its own. */
static bool act_sound(const struct node *node, const struct act *act, const char *unit)
{
    const struct view *view = &node->view;
    if (strcmp(act->unit, unit) != 0 || act->number > (uint64_t)COUNT_MAX) {
        return false;
    }
    if (act->kind == ACT_UNIT) {
        int parent = view_unit_by_code(view, act->parent);
        return text_is_code(act->unit, CODE_MAX_BYTES) &&
               text_is_code(act->level, CODE_MAX_BYTES) &&
               text_is_clean(act->name, strlen(act->name), false) && parent != TREE_NONE &&
               view_within(view, parent, view->self) &&
               view_unit_by_code(view, act->unit) != view->self;
    }
    int place = view_unit_by_code(view, act->unit);
    bool below = place != TREE_NONE && place != view->self && view_within(view, place, view->self);
    return act->kind != ACT_HOST || (below && !id_equal(&act->origin, &node->origin));
}

static enum err heal_act(struct node *node, const struct store_entry *row, const char *unit)
{
    struct act act;
    enum err err = act_decode(row->act, &node->arena, &act);
    TRY(err == ERR_INVALID ? ERR_PROTOCOL : err);
    if (!act_sound(node, &act, unit)) {
        return ERR_PROTOCOL;
    }
    if (act.kind == ACT_UNIT) {
        return heal_unit(node, &act, row->unit);
    }
    return act.kind == ACT_HOST ? heal_host(node, &act, row->unit) : ERR_OK;
}

/* ---- entries ---- */

static enum err heal_entry(struct node *node, struct store_segment *segment,
                           const struct entry *entry)
{
    struct store_entry row;
    struct pending_cell *pending = NULL;
    TRY(ledger_entry_row(node, segment, &segment->hash, entry, &row));
    row.own = true;
    row.healed_at = node->now.wall;
    const struct measure *measure =
        row.kind == ENTRY_ACT ? NULL : view_measure(&node->view, row.measure);
    if (measure != NULL) { /* before the entry is there, or a damaged one would be made with it */
        TRY(cell_of(node, &row, measure, &pending));
    }
    TRY(store_entry_add(node->store, &row));
    segment->length = segment->held = row.seq;
    segment->hash = segment->held_hash = row.hash;
    node->ledger_length++;
    node->healed += row.kind == ENTRY_ACT ? 0 : 1;
    if (row.recorded_at.ms > node->newest_recording.ms) {
        node->newest_recording = row.recorded_at;
    }
    if (row.kind == ENTRY_ACT) {
        return heal_act(node, &row, entry->unit);
    }
    return measure != NULL ? count(node, &row, &segment->name, measure, pending)
                           : store_unsettled_add(node->store, row.segment, row.seq);
}

enum err heal_opening(struct node *node, const struct opening *opening)
{
    struct store_segment segment = {.origin = node->own_origin};
    struct buf continues;
    enum err err = store_segment_find(node->store, &opening->segment, &segment);
    if (err != ERR_NOT_FOUND) {
        TRY(err);
        return segment.origin == node->own_origin ? ERR_OK : ERR_PROTOCOL;
    }
    segment = (struct store_segment){
        .name = opening->segment, .origin = node->own_origin, .base = node->ledger_length};
    for (size_t i = 0; i < opening->continue_count; i++) {
        const struct head *head = &opening->continues[i];
        struct store_segment before;
        err = store_segment_find(node->store, &head->segment, &before);
        bool known = err == ERR_OK && before.origin == node->own_origin &&
                     head->length <= (uint64_t)COUNT_MAX; /* its entries may be on their way */
        TRY(err == ERR_NOT_FOUND || (err == ERR_OK && !known) ? ERR_PROTOCOL : err);
        int64_t clock = before.clock + (int64_t)head->length;
        segment.clock = clock > segment.clock ? clock : segment.clock;
        int64_t continued = (int64_t)head->length + 1;
        before.continued = continued > before.continued ? continued : before.continued;
        TRY(store_segment_set(node->store, &before));
    }
    segment.hash = segment.held_hash = opening_hash(opening, &node->scratch);
    TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    segment.rev = node_next_revision(node);
    buf_init(&continues, 1 << 16);
    err = heads_encode(opening->continues, opening->continue_count, &continues);
    err = err == ERR_OK ? store_segment_add(node->store, &segment, buf_bytes(&continues)) : err;
    buf_deinit(&continues);
    return err;
}

static enum err heal_entries(struct node *node, const struct msg_batch *batch)
{
    struct store_segment segment = {.id = 0};
    struct errmsg why;
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (segment.id == 0 || !id_equal(&segment.name, &entry->segment)) {
            TRY(segment.id == 0 ? ERR_OK : store_segment_set(node->store, &segment));
            enum err err = store_segment_find(node->store, &entry->segment, &segment);
            bool own = err == ERR_OK && segment.origin == node->own_origin;
            TRY(err == ERR_NOT_FOUND || (err == ERR_OK && !own) ? ERR_PROTOCOL : err);
        }
        if ((int64_t)entry->seq <= segment.length) {
            continue;
        }
        if ((int64_t)entry->seq != segment.length + 1 || entry_check(entry, &why) != ERR_OK) {
            return ERR_PROTOCOL;
        }
        TRY(heal_entry(node, &segment, entry));
    }
    return segment.id == 0 ? ERR_OK : store_segment_set(node->store, &segment);
}

/* ---- the end ---- */

enum err heal_place(struct node *node)
{
    struct store_segment page[SEGMENTS_PAGE];
    size_t n = SEGMENTS_PAGE;
    int64_t base = 0;
    for (int64_t after = 0; n == SEGMENTS_PAGE; after = n == 0 ? 0 : page[n - 1].number) {
        TRY(store_segments(node->store, node->own_origin, after, page, SEGMENTS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            if (page[i].base != base) {
                TRY(store_segment_base_set(node->store, page[i].id, base));
            }
            base += page[i].length;
        }
    }
    node->heal_floor = node->ledger_length;
    TRY(store_fact_set_int(node->store, "heal_floor", node->heal_floor));
    TRY(sealing_settle(node));
    return store_fact_set_int(node->store, "heal_open", 0);
}

/* A segment of which the parent has less than is here. */
struct part {
    int64_t segment;
    int64_t there; /* how many of its entries the parent has */
    int64_t clock; /* higher than that of any that it continues */
};

/* What is there in part goes on first; then each behind those that it knew of. */
static int compare_parts(const void *left, const void *right)
{
    const struct part *a = left;
    const struct part *b = right;
    int order = (a->there == 0) - (b->there == 0);
    return order != 0 ? order : (a->clock > b->clock) - (a->clock < b->clock);
}

/* In the order in which the parts lie. *ordered: nothing that the parent has lies behind one of
 * them, and none before one that it should follow. ERR_LIMIT when there are more of them. */
static enum err list_parts(struct node *node, const struct map *lengths, struct part *parts,
                           size_t max, size_t *count, bool *ordered)
{
    struct store_segment page[SEGMENTS_PAGE];
    size_t n = SEGMENTS_PAGE;
    size_t unsaid;
    *count = 0;
    *ordered = true;
    TRY(uplink_unsaid(node, &unsaid));
    for (int64_t after = 0; n == SEGMENTS_PAGE; after = n == 0 ? 0 : page[n - 1].number) {
        TRY(store_segments(node->store, node->own_origin, after, page, SEGMENTS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct part part = {page[i].id, uplink_there(lengths, &page[i], &unsaid),
                                page[i].clock};
            if (part.there >= page[i].length) {
                *ordered = *ordered && (*count == 0 || page[i].length == 0);
                continue;
            }
            TRY(*count == max ? ERR_LIMIT : ERR_OK);
            *ordered = *ordered && (*count == 0 || compare_parts(&parts[*count - 1], &part) <= 0);
            parts[(*count)++] = part;
        }
    }
    return ERR_OK;
}

enum err heal_order(struct node *node, const struct map *lengths)
{
    enum { PARTS_MAX = 64 };
    struct part parts[PARTS_MAX];
    size_t count;
    bool ordered;
    enum err err = list_parts(node, lengths, parts, PARTS_MAX, &count, &ordered);
    if (err != ERR_OK || ordered) {
        return err == ERR_LIMIT ? ERR_OK : err; /* all in the old order, some of it once more */
    }
    if (node->audit != NULL) {
        audit_stop(node);
        audit_soon(node, AUDIT_AGAIN_MS);
    }
    TRY(node_write(node));
    qsort(parts, count, sizeof *parts, compare_parts);
    for (size_t i = 0; i < count; i++) {
        int64_t marked;
        TRY(store_entries_meanwhile(node->store, parts[i].segment, parts[i].there, node->now.wall,
                                    &marked));
        node->meanwhile += marked;
        TRY(store_segment_move_last(node->store, parts[i].segment));
    }
    TRY(store_fact_set_int(node->store, "meanwhile", node->meanwhile));
    node->segment = (struct store_segment){.id = 0}; /* its place is another one now */
    return heal_place(node);
}

/* What the parent has less of than is here was recorded while the rest was missing: it is marked as
 * that, for people, and goes up after all that the parent has. */
static enum err heal_end(struct node *node, struct link *link, const struct msg_batch *batch)
{
    for (size_t i = 0; i < batch->heads_count; i++) {
        for (size_t j = 0; j < batch->heads[i].head_count; j++) {
            const struct head *head = &batch->heads[i].heads[j];
            struct store_segment segment;
            int64_t count;
            enum err err = store_segment_find(node->store, &head->segment, &segment);
            TRY(err == ERR_NOT_FOUND ? ERR_PROTOCOL : err);
            TRY(segment.origin == node->own_origin ? ERR_OK : ERR_PROTOCOL);
            TRY(head->length <= (uint64_t)COUNT_MAX ? ERR_OK : ERR_PROTOCOL);
            TRY(store_entries_meanwhile(node->store, segment.id, (int64_t)head->length,
                                        node->now.wall, &count));
            node->meanwhile += count;
            TRY(store_segment_move_last(node->store, segment.id));
        }
    }
    TRY(store_fact_set_int(node->store, "meanwhile", node->meanwhile));
    link->hello_due = true;
    node_log(node, true, "uplink=healed entries=%" PRId64, node->healed);
    return heal_place(node);
}

static enum err take_batch(struct node *node, struct link *link, const struct msg_batch *batch)
{
    TRY(ledger_flush(node));
    node->segment = (struct store_segment){.id = 0}; /* what comes next knows of what came now */
    struct receiver r = {.node = node, .link = link, .batch = batch, .child = TREE_NONE};
    TRY(receive_units(&r));
    for (size_t i = 0; i < batch->opening_count; i++) {
        TRY(id_equal(&batch->openings[i].origin, &node->origin) ? ERR_OK : ERR_PROTOCOL);
        TRY(heal_opening(node, &batch->openings[i]));
    }
    TRY(heal_entries(node, batch));
    node->merged = true;
    node->segment_dirty = false;
    TRY(store_fact_set_int(node->store, "merged", 1));
    TRY(store_fact_set_int(node->store, "healed", node->healed));
    TRY(store_fact_set_int(node->store, "healed_at", node->now.wall.ms));
    TRY(store_fact_set_int(node->store, "newest_recording", node->newest_recording.ms));
    TRY(store_fact_set_int(node->store, "heal_open", 1));
    return batch->mark ? heal_end(node, link, batch) : ERR_OK;
}

static void say_what_is_left(struct node *node, struct link *link, const struct msg_batch *batch)
{
    char text[TEXT_MAX_BYTES];
    int64_t came = (int64_t)batch->entry_count;
    link->heal_left = came < link->heal_left ? link->heal_left - came : 0;
    (void)snprintf(text, sizeof text,
                   "%" PRId64 " entries that this machine has lost are still to come back from the "
                   "office above",
                   link->heal_left);
    uplink_refused_state(node, UPLINK_CONNECTING, text);
}

/* All of the batch, or nothing of it. */
static enum err take_whole(struct node *node, struct link *link, const struct msg_batch *batch)
{
    if (node->audit != NULL) { /* it would count what it has passed, or pass it twice */
        audit_stop(node);
        audit_soon(node, AUDIT_AGAIN_MS);
    }
    TRY(node_savepoint(node));
    enum err err = node->unsound ? ERR_REFUSED : take_batch(node, link, batch);
    bool undo = err == ERR_REFUSED || err == ERR_LIMIT || err == ERR_PROTOCOL;
    TRY(err == ERR_OK || undo ? node_savepoint_end(node, undo) : err);
    return err;
}

enum err heal_batch(struct node *node, struct link *link, const struct msg_batch *batch)
{
    if (batch->number <= link->received_number) {
        return batch->number == 0 ? ERR_PROTOCOL : ERR_OK;
    }
    if (batch->number != link->received_number + 1 || link->hello_due) {
        return ERR_PROTOCOL;
    }
    link->received_number = batch->number;
    enum err err = take_whole(node, link, batch);
    if (err == ERR_REFUSED || err == ERR_LIMIT) {
        TRY(node_alarm(node, "uplink-refused", "parent",
                       "entries that this machine has lost cannot come back: %s",
                       err == ERR_LIMIT ? "the sum of a period would pass 64 bits"
                                        : "its file is damaged; " STORE_KEEP_ASIDE));
        return ERR_PROTOCOL; /* nothing of this batch is kept */
    }
    TRY(err);
    say_what_is_left(node, link, batch);
    link->ack_due = true;
    link->received = batch->upto;
    return ERR_OK;
}

enum err heal_lacks(struct node *node, const struct msg_batch *batch, bool *lacks)
{
    struct store_segment segment = {.id = 0};
    *lacks = false;
    for (size_t i = 0; i < batch->unit_count; i++) {
        *lacks = *lacks || view_unit_by_code(&node->view, batch->units[i].code) == TREE_NONE;
    }
    for (size_t i = 0; i < batch->opening_count && !*lacks; i++) {
        enum err err = store_segment_find(node->store, &batch->openings[i].segment, &segment);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        *lacks = err == ERR_NOT_FOUND;
    }
    segment = (struct store_segment){.id = 0};
    for (size_t i = 0; i < batch->entry_count && !*lacks; i++) {
        const struct entry *entry = &batch->entries[i];
        enum err err = ERR_OK;
        if (segment.id == 0 || !id_equal(&segment.name, &entry->segment)) {
            err = store_segment_find(node->store, &entry->segment, &segment);
            TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        }
        *lacks = err == ERR_NOT_FOUND || (int64_t)entry->seq > segment.length;
    }
    return ERR_OK;
}

enum err heal_bundle(struct node *node, struct link *link, const struct msg_batch *batch)
{
    return take_whole(node, link, batch);
}

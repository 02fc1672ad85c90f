/* A batch coming in, each once and in its turn on the link, which its number tells; in the order of
 * its fields: places, chains, escrow, heads, cells. Everything
 * lands in one transaction with the revision that the batch ends at.
 *
 * Admission. From a child: a unit, hosting, chain or cell only when its origin (or decider) comes
 * through this child and the unit lies under it, and a cell only when an act gave its origin the
 * unit or one above. From the parent: what lies in the own subtree and was not made at or below
 * this node. A row that is not admitted is refused: counted, remembered with its hash (so that
 * digests still compare), told back. An origin's counts add up to no more than the length of its
 * ledger. A row that cannot be judged yet is held: kept with its reason,
 * part of the digest, not of any total. Neither stops the rows behind it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "node/admit.h"
#include "node/sealing.h"

/* ---- who may say what ---- */

/* The origin, known or new, if it may come over this link; else *out NULL. */
static enum err route_origin(struct receiver *r, const struct id *name, struct cached_origin **out)
{
    struct node *node = r->node;
    int64_t via = r->link->up ? 0 : r->link->unit;
    int64_t scope = r->link->up ? SCOPE_ABOVE : SCOPE_BELOW;
    struct cached_origin *origin;
    enum err err = node_origin_named(node, name, &origin);
    if (err == ERR_NOT_FOUND && node->origins.count >= ORIGINS_MAX) {
        *out = NULL;
        return ERR_OK;
    }
    if (err == ERR_NOT_FOUND) {
        err = node_origin_ensure(node, name, via, scope, &origin);
        node->homeless += r->link->up ? 0 : 1;
    }
    TRY(err);
    *out = origin->row.scope == scope && origin->row.via == via ? origin : NULL;
    return ERR_OK;
}

enum err receive_origin(struct receiver *r, const struct id *name, struct cached_origin **out)
{
    if (!r->link->up && r->node->homeless >= HOMELESS_MAX) {
        enum err err = node_origin_named(r->node, name, out);
        if (err == ERR_NOT_FOUND) {
            *out = NULL;
            return ERR_OK;
        }
    }
    return route_origin(r, name, out);
}

bool receive_waits(const struct receiver *r, int64_t origin)
{
    return r->link->bundle != NULL && map_get(&r->link->bundle->gaps, &origin) != NULL;
}

/* What a bundle has of that origin goes on from what is not here. */
static enum err note_gap(struct receiver *r, int64_t origin)
{
    return map_put(&r->link->bundle->gaps, &origin, NULL) == NULL ? ERR_NO_MEMORY : ERR_OK;
}

bool receive_place(const struct receiver *r, int unit)
{
    const struct view *view = &r->node->view;
    if (unit == TREE_NONE) {
        return false;
    }
    return view_within(view, unit, r->link->up ? view->self : r->child);
}

/* ---- places ---- */

static bool unit_row_sound(const struct unit_row *row)
{
    return text_is_code(row->code, CODE_MAX_BYTES) && row->edge_count > 0 &&
           row->edge_count <= EDGES_MAX && row->count >= 0 && row->count <= COUNT_MAX;
}

static enum err store_unit_row(struct receiver *r, const struct unit_row *row, int64_t id)
{
    struct node *node = r->node;
    struct buf edges;
    buf_init(&edges, 1 << 16);
    edges_encode(row->edges, row->edge_count, &edges);
    struct store_unit unit = {.code = id,
                              .name = row->name,
                              .level = row->level,
                              .edges = {edges.data, edges.len},
                              .decider = row->decider,
                              .count = row->count,
                              .scope = r->link->up ? SCOPE_ABOVE : SCOPE_BELOW};
    enum err err = edges.failed ? ERR_NO_MEMORY : rows_put_unit(node, &unit, row->code);
    buf_deinit(&edges);
    return err;
}

/* Whether the tree stays a tree of its depth with `unit` (TREE_NONE: a new one) below `parent`. */
static bool may_lie_below(const struct view *view, int unit, int parent)
{
    for (int depth = 1; depth < TREE_DEPTH_MAX; depth++) {
        if (parent == TREE_NONE || (unit != TREE_NONE && parent == unit)) {
            return parent == TREE_NONE;
        }
        parent = view->tree.units[parent].parent;
    }
    return false;
}

/* Whether this link may say that a unit lies there. */
static bool admit_unit(const struct receiver *r, int unit, int parent)
{
    const struct view *view = &r->node->view;
    if (r->link->up) {
        return (unit != TREE_NONE && unit == view->self) || receive_place(r, parent);
    }
    return receive_place(r, parent) && unit != r->child && may_lie_below(view, unit, parent);
}

static enum err receive_unit(struct receiver *r, const struct unit_row *row)
{
    struct node *node = r->node;
    struct cached_origin *decider;
    struct store_unit old;
    int64_t id;
    bool told;
    if (!unit_row_sound(row)) {
        return refuse_unit(r, REFUSE_RANGE, row->code, &row->decider);
    }
    TRY(admit_told_unit(r, row, &told));
    if (told) {
        return ERR_OK;
    }
    TRY(receive_origin(r, &row->decider, &decider));
    if (decider == NULL) {
        return refuse_unit(r, REFUSE_NOT_ROUTED, row->code, &row->decider);
    }
    int self = view_unit_by_code(&node->view, row->code);
    int parent = view_unit_by_code(&node->view, row->edges[row->edge_count - 1].parent);
    if (!admit_unit(r, self, parent)) {
        return refuse_unit(r, REFUSE_NOT_ITS_UNIT, row->code, &row->decider);
    }
    if (self == TREE_NONE && node->view.tree.count >= UNITS_MAX) {
        return refuse_unit(r, REFUSE_LIMIT, row->code, &row->decider);
    }
    TRY(node_symbol(node, row->code, &id));
    enum err err = store_unit_get(node->store, id, &node->arena, &old);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    bool known = err == ERR_OK;
    struct id hash = {{0}};
    TRY(known ? store_unit_hash(&old, &hash) : ERR_OK);
    bool whole = known && id_equal(&hash, &old.hash); /* else nothing of it counts */
    bool kept = whole ? old.count > 0 : known && !r->link->up && !receive_place(r, self);
    if (kept && !id_equal(&old.decider, &row->decider)) {
        return refuse_unit(r, REFUSE_DUPLICATE, row->code, &row->decider);
    }
    bool moves = self != TREE_NONE && node->view.tree.units[self].parent != parent;
    if (moves && !r->link->up && (whole || !known)) { /* totals would not follow it */
        return refuse_unit(r, REFUSE_NOT_ITS_UNIT, row->code, &row->decider);
    }
    if (!whole && (moves || (known && node->places_damaged))) {
        audit_soon(node, 0); /* totals waited for it, or were made where the damage had put it */
    }
    return whole && old.count >= row->count && old.count > 0 ? ERR_OK : store_unit_row(r, row, id);
}

static enum err receive_hosting(struct receiver *r, const struct hosting_row *row)
{
    struct node *node = r->node;
    struct cached_origin *decider;
    struct cached_origin *origin;
    struct store_hosting old = {0};
    int unit = view_unit_by_code(&node->view, row->unit);
    TRY(receive_origin(r, &row->decider, &decider));
    if (decider == NULL || !receive_place(r, unit) || (!r->link->up && unit == r->child)) {
        return refuse_unit(r, decider == NULL ? REFUSE_NOT_ROUTED : REFUSE_NOT_ITS_UNIT, row->unit,
                           &row->decider);
    }
    if (row->count <= 0 || row->count > COUNT_MAX || row->number <= 0 || row->number > COUNT_MAX) {
        return refuse_unit(r, REFUSE_RANGE, row->unit, &row->decider);
    }
    int64_t id = node->view.tree.units[unit].id;
    enum err err = store_hosting_get(node->store, id, &old);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    struct id hash = {{0}};
    TRY(err == ERR_OK ? store_hosting_hash(&old, &hash) : ERR_OK);
    bool whole = err == ERR_OK && id_equal(&hash, &old.hash);
    if (whole && old.count >= row->count && old.count > 0) {
        return ERR_OK;
    }
    if (unit == node->view.self) {
        node->hosting = row->number;
        TRY(node_write(node));
        TRY(store_fact_set_int(node->store, "hosting", row->number));
        TRY(identity_seal(node->store));
    } else {
        TRY(route_origin(r, &row->origin, &origin));
        if (origin == NULL) {
            return refuse_unit(r, REFUSE_NOT_ROUTED, row->unit, &row->decider);
        }
        node->homeless -= origin->row.unit == 0 && !r->link->up ? 1 : 0;
        origin->row.unit = id;
        origin->dirty = true;
    }
    if (!whole && old.count > 0 && node->places_damaged) {
        audit_soon(node, 0);
    }
    struct store_hosting hosting = {.unit = id,
                                    .node = row->node,
                                    .origin = row->origin,
                                    .key = row->key,
                                    .number = row->number,
                                    .revoked = row->revoked,
                                    .decider = row->decider,
                                    .count = row->count,
                                    .scope = r->link->up ? SCOPE_ABOVE : SCOPE_BELOW};
    return rows_put_hosting(node, &hosting);
}

static enum err receive_status(struct receiver *r, const struct status_row *row)
{
    int unit = view_unit_by_code(&r->node->view, row->unit);
    if (r->link->up || unit == TREE_NONE || unit == r->child || !receive_place(r, unit)) {
        return ERR_OK; /* says nothing about figures; what cannot be placed is not shown */
    }
    struct store_status status = {.unit = r->node->view.tree.units[unit].id,
                                  .node = row->node,
                                  .state = row->state,
                                  .exact_as_of = row->exact_as_of,
                                  .held = row->held,
                                  .lost = row->lost < 0 || row->lost > COUNT_MAX ? 0 : row->lost};
    return rows_put_status(r->node, &status);
}

/* ---- chains ---- */

static enum err continue_segments(struct node *node, const struct opening *opening, int64_t origin)
{
    for (size_t i = 0; i < opening->continue_count; i++) {
        struct store_segment before;
        enum err err = store_segment_find(node->store, &opening->continues[i].segment, &before);
        if (err == ERR_NOT_FOUND || (err == ERR_OK && before.origin != origin)) {
            continue;
        }
        TRY(err);
        if ((int64_t)opening->continues[i].length > before.length) {
            before.length = (int64_t)opening->continues[i].length;
            before.hash = opening->continues[i].hash;
        }
        int64_t continued = (int64_t)opening->continues[i].length + 1;
        before.continued = continued > before.continued ? continued : before.continued;
        TRY(store_segment_set(node->store, &before));
    }
    return ERR_OK;
}

/* Whether all that it continues is known: on a link what was begun before comes before. */
static enum err continues_known(struct node *node, const struct opening *opening, int64_t origin,
                                bool *known)
{
    *known = true;
    for (size_t i = 0; i < opening->continue_count && *known; i++) {
        struct store_segment before;
        enum err err = store_segment_find(node->store, &opening->continues[i].segment, &before);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        *known = err == ERR_OK && before.origin == origin;
    }
    return ERR_OK;
}

static enum err receive_opening(struct receiver *r, const struct opening *opening)
{
    struct node *node = r->node;
    struct cached_origin *origin;
    struct store_segment segment;
    TRY(receive_origin(r, &opening->origin, &origin));
    if (origin == NULL) {
        return refuse_unit(r, REFUSE_NOT_ROUTED, "", &opening->origin);
    }
    int64_t origin_id = origin->row.id;
    enum err err = store_segment_find(node->store, &opening->segment, &segment);
    if (err != ERR_NOT_FOUND) {
        return err == ERR_OK && segment.origin != origin_id
                   ? refuse_unit(r, REFUSE_CONFLICT, "", &opening->origin)
                   : err;
    }
    for (size_t i = 0; i < opening->continue_count; i++) {
        if (opening->continues[i].length > (uint64_t)COUNT_MAX) {
            return refuse_unit(r, REFUSE_RANGE, "", &opening->origin);
        }
    }
    bool known = true;
    TRY(r->link->bundle != NULL ? continues_known(node, opening, origin_id, &known) : ERR_OK);
    if (!known) {
        return note_gap(r, origin_id);
    }
    struct buf continues;
    TRY(node_write(node));
    segment = (struct store_segment){.name = opening->segment, .origin = origin_id};
    segment.hash = opening_hash(opening, &node->scratch);
    TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    segment.held_hash = segment.hash;
    segment.rev = node_next_revision(node);
    origin->marked = false; /* its cells may stand for other heads now, though they are the same */
    TRY(continue_segments(node, opening, origin_id));
    buf_init(&continues, 1 << 16);
    err = heads_encode(opening->continues, opening->continue_count, &continues);
    err = err == ERR_OK ? store_segment_add(node->store, &segment, buf_bytes(&continues)) : err;
    buf_deinit(&continues);
    return err;
}

/* What was signed badly may have come from a damaged row. */
static enum err signed_well(struct node *node, struct cached_origin *origin, const char *name)
{
    bool was;
    TRY(origin->signs_well ? ERR_OK
                           : node_alarm_over(node, "bad-signature", name, "they are now", &was));
    origin->signs_well = true;
    return ERR_OK;
}

static enum err receive_signed_heads(struct receiver *r, const struct signed_heads *heads)
{
    struct node *node = r->node;
    struct cached_origin *origin;
    struct store_hosting hosting;
    struct buf bytes;
    if (heads->heads.head_count > CONTINUES_MAX) {
        return refuse_unit(r, REFUSE_RANGE, "", &heads->heads.origin);
    }
    TRY(receive_origin(r, &heads->heads.origin, &origin));
    if (origin == NULL || r->link->up || origin->row.unit == 0) {
        return ERR_OK;
    }
    enum err err = store_hosting_get(node->store, origin->row.unit, &hosting);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    buf_clear(&node->scratch);
    signed_heads_bytes(heads, &node->scratch);
    TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    char name[ID_HEX_BYTES];
    id_format(&heads->heads.origin, name);
    bool good =
        err == ERR_OK && hash_equal(&hosting.key, &heads->key) &&
        node->env.verify(node->env.ctx, &heads->key, buf_bytes(&node->scratch), &heads->signature);
    if (!good) {
        origin->signs_well = false;
        return node_alarm(node, "bad-signature", name,
                          "heads that came from %s are not signed by the key of the node that "
                          "they belong to",
                          refuse_sender(node, r->link));
    }
    TRY(signed_well(node, origin, name));
    buf_init(&bytes, 1 << 16);
    err = signed_heads_encode(heads, &bytes);
    if (err == ERR_OK) {
        origin->row.rev = node_next_revision(node);
        err = node_write(node);
        err = err == ERR_OK ? store_origin_signed_set(node->store, origin->row.id, bytes.data,
                                                      bytes.len, origin->row.rev)
                            : err;
    }
    buf_deinit(&bytes);
    return err;
}

/* ---- escrow ---- */

static enum err append_escrow(struct receiver *r, struct store_segment *segment,
                              const struct entry *entry)
{
    struct node *node = r->node;
    struct store_entry row;
    uint64_t lost = entry->kind == ENTRY_LOST ? entry->refers_seq : 0;
    TRY(lost > (uint64_t)(COUNT_MAX - r->link->escrow_lost) ? ERR_PROTOCOL : ERR_OK);
    TRY(ledger_entry_row(node, segment, &segment->held_hash, entry, &row));
    TRY(store_entry_add(node->store, &row));
    segment->held = row.seq;
    segment->held_hash = row.hash;
    if (segment->held >= segment->length) {
        segment->length = segment->held;
        segment->hash = row.hash;
    }
    r->link->escrow_facts += entry->kind == ENTRY_ACT ? 0 : 1;
    r->link->escrow_lost += (int64_t)lost;
    r->link->escrow_head = (struct head){segment->name, (uint64_t)segment->held, row.hash};
    return ERR_OK;
}

/* One entry in its turn; what the escrow has already is skipped. ERR_PROTOCOL when it does not
 * continue its segment. */
static enum err take_entry(struct receiver *r, struct store_segment *segment,
                           const struct entry *entry)
{
    struct errmsg why;
    if (segment->id == 0 || !id_equal(&segment->name, &entry->segment)) {
        struct store_segment next;
        TRY(segment->id == 0 ? ERR_OK : store_segment_set(r->node->store, segment));
        enum err err = store_segment_find(r->node->store, &entry->segment, &next);
        if (err == ERR_NOT_FOUND && r->link->bundle != NULL) {
            *segment = (struct store_segment){.id = 0};
            return note_gap(r, r->link->origin);
        }
        if (err == ERR_NOT_FOUND || (err == ERR_OK && next.origin != r->link->origin)) {
            return ERR_PROTOCOL;
        }
        TRY(err);
        *segment = next;
    }
    if ((int64_t)entry->seq <= segment->held) {
        return ERR_OK;
    }
    if ((int64_t)entry->seq > segment->held + 1 && r->link->bundle != NULL) {
        return note_gap(r, r->link->origin);
    }
    if ((int64_t)entry->seq != segment->held + 1 || entry_check(entry, &why) != ERR_OK) {
        return ERR_PROTOCOL;
    }
    return append_escrow(r, segment, entry);
}

/* The escrow of a child may grow by its link and by a bundle of it in turn: both count it. */
static void count_escrow(const struct receiver *r, int64_t more, int64_t lost)
{
    struct bundle *bundle = r->node->bundle;
    bool in_bundle = r->link->bundle != NULL;
    struct link *other = in_bundle        ? downlink_live_of_unit(r->node, r->link->unit)
                         : bundle == NULL ? NULL
                                          : bundle->link;
    if (other != NULL && !other->up && other->unit == r->link->unit) {
        other->escrow_facts += more;
        other->escrow_lost += lost;
    }
}

static enum err say_lost(const struct receiver *r)
{
    const struct link *link = r->link;
    return sealing_tell(r->node, link->address == NULL ? "child" : link->address,
                        "%" PRId64 " entries of the ledger of %s are lost: no office has them any "
                        "more; what they had come to goes on to count",
                        link->escrow_lost, refuse_sender(r->node, link));
}

/* The entries are a run of one or more segments, each from the escrow's end on. Where a run breaks
 * off, what came before the break is in the escrow, as rows and as length. */
static enum err receive_entries(struct receiver *r)
{
    struct node *node = r->node;
    struct store_segment segment = {0};
    int64_t before = r->link->escrow_facts;
    int64_t lost = r->link->escrow_lost;
    const struct msg_batch *batch = r->batch;
    enum err err = ERR_OK;
    if (batch->entry_count > 0 && r->link->up) {
        return ERR_PROTOCOL;
    }
    TRY(batch->entry_count > 0 ? node_write(node) : ERR_OK);
    for (size_t i = 0; i < batch->entry_count && err == ERR_OK; i++) {
        err = take_entry(r, &segment, &batch->entries[i]);
    }
    if (segment.id != 0 && (err == ERR_OK || err == ERR_PROTOCOL)) {
        struct cached_origin *origin;
        TRY(store_segment_set(node->store, &segment));
        TRY(node_origin(node, segment.origin, &origin));
        origin->marked = false; /* no cell may have changed: what is told above are heads */
    }
    count_escrow(r, r->link->escrow_facts - before, r->link->escrow_lost - lost);
    return err == ERR_OK && r->link->escrow_lost > lost ? say_lost(r) : err;
}

/* ---- all of it ---- */

enum err receive_units(struct receiver *r)
{
    for (size_t i = 0; i < r->batch->unit_count; i++) {
        TRY(receive_unit(r, &r->batch->units[i]));
    }
    return ERR_OK;
}

static enum err receive_places(struct receiver *r)
{
    const struct msg_batch *batch = r->batch;
    TRY(receive_units(r));
    for (size_t i = 0; i < batch->hosting_count; i++) {
        TRY(receive_hosting(r, &batch->hostings[i]));
    }
    for (size_t i = 0; i < batch->status_count; i++) {
        TRY(receive_status(r, &batch->statuses[i]));
    }
    return ERR_OK;
}

static enum err receive_chains(struct receiver *r)
{
    const struct msg_batch *batch = r->batch;
    for (size_t i = 0; i < batch->opening_count; i++) {
        TRY(receive_opening(r, &batch->openings[i]));
    }
    for (size_t i = 0; i < batch->signed_heads_count; i++) {
        TRY(receive_signed_heads(r, &batch->signed_heads[i]));
    }
    TRY(receive_entries(r));
    for (size_t i = 0; i < batch->heads_count; i++) {
        TRY(receive_heads(r, &batch->heads[i]));
    }
    return ERR_OK;
}

enum err receive_batch(struct node *node, struct link *link, const struct msg_batch *batch,
                       bool *again)
{
    *again = batch->number <= link->received_number;
    if (*again) {
        return batch->number == 0 ? ERR_PROTOCOL : ERR_OK;
    }
    if (batch->number != link->received_number + 1) {
        return ERR_PROTOCOL;
    }
    link->received_number = batch->number;
    if (batch->returned) {
        return link->up ? returned_take(node, link, batch) : ERR_PROTOCOL;
    }
    struct receiver r = {.node = node, .link = link, .batch = batch, .child = TREE_NONE};
    if (!link->up) {
        r.child = view_unit(&node->view, link->unit);
        if (r.child == TREE_NONE) {
            return ERR_PROTOCOL;
        }
    }
    TRY(node_write(node));
    TRY(receive_places(&r));
    TRY(receive_chains(&r));
    for (size_t i = 0; i < batch->cell_count; i++) {
        TRY(receive_cell(&r, &batch->cells[i]));
    }
    return ERR_OK;
}

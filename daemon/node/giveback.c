/* The parent's side of healing: what a child has lost of its ledger goes back to it from the
 * escrow.
 *
 * 1. A hello stated less than the escrow has. The welcome says so, and how many entries will come.
 * Units of its subtree that were decided here or above go first: acts of it may be about them.
 * 2. The escrow's segments go in the order in which they came, which is one in which whatever a
 * segment continues is before it: the opening of each that was not stated, and its entries from the
 * stated length on. One batch at a time, each after the acknowledgement of the one before; each
 * entry is held against its hash first, so that damage here does not become the child's history.
 * 3. The last batch is a mark, and names the segments of which the child has more than the escrow.
 * The child says hello again; what it then lacks, if anything, is given again, HEALS_MAX times a
 * link. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/heal.h"

enum {
    GIVE_UNITS = 256,
    GIVE_ENTRIES = 500,
    GIVE_BYTES = 128 * 1024,
    GIVE_ROOM_BYTES = 96,
    HEALS_MAX = 8
};

/* The length of the segment at the child; -1 when it did not state it. */
static int64_t stated_length(const struct link *link, const struct store_segment *segment)
{
    const int64_t *length = map_get(&link->stated, &segment->id);
    return length == NULL ? -1 : *length;
}

static enum err count_lacking(struct node *node, const struct link *link, int64_t *entries)
{
    struct store_segment segment;
    size_t n = 1;
    *entries = 0;
    for (int64_t after = 0; n == 1; after = segment.number) {
        TRY(store_segments(node->store, link->origin, after, &segment, 1, &n));
        if (n == 1) {
            int64_t has = stated_length(link, &segment);
            has = has < 0 ? 0 : has;
            *entries += segment.held > has ? segment.held - has : 0;
        }
    }
    return ERR_OK;
}

enum err giveback_begin(struct node *node, struct link *link, const struct msg_hello *hello,
                        struct msg_welcome *welcome)
{
    struct head *beyond = realloc(link->beyond, (hello->head_count + 1) * sizeof *beyond);
    if (beyond == NULL) {
        return ERR_NO_MEMORY;
    }
    link->beyond = beyond;
    link->beyond_count = 0;
    map_clear(&link->stated);
    for (size_t i = 0; i < hello->head_count; i++) {
        const struct head *head = &hello->heads[i];
        struct store_segment segment = {.held = 0};
        enum err err = store_segment_find(node->store, &head->segment, &segment);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        if (err == ERR_OK) {
            int64_t *length = map_put(&link->stated, &segment.id, NULL);
            TRY(length == NULL ? ERR_NO_MEMORY : ERR_OK);
            *length = (int64_t)head->length;
        }
        if ((int64_t)head->length > segment.held) {
            beyond[link->beyond_count++] =
                (struct head){head->segment, (uint64_t)segment.held, segment.held_hash};
        }
    }
    link->give_units = 0;
    link->give_segment = 0;
    link->give_seq = 0;
    link->gave_all = false;
    welcome->heal = true;
    TRY(count_lacking(node, link, &welcome->heal_entries));
    node_log(node, true, "link=%" PRIu64 " unit=%s heals entries=%" PRId64, link->id, link->address,
             welcome->heal_entries);
    link->state = SESSION_HEALING;
    link->heals++;
    return ERR_OK;
}

enum err giveback_beyond(struct node *node, struct link *link, struct bytes heads)
{
    struct head *list;
    size_t count;
    TRY(heads_decode(heads, &node->arena, &list, &count));
    struct head *beyond = realloc(link->beyond, (count + 1) * sizeof *beyond);
    if (beyond == NULL) {
        return ERR_NO_MEMORY;
    }
    link->beyond = beyond;
    link->beyond_count = count;
    for (size_t i = 0; i < count; i++) {
        beyond[i] = list[i];
    }
    return ERR_OK;
}

bool giveback_may_begin(const struct link *link)
{
    return link->heals < HEALS_MAX;
}

/* ---- batches ---- */

struct giver {
    struct node *node;
    struct link *link;
    struct msg_batch *batch;
    struct opening *openings;
    struct entry *entries;
    size_t bytes;
};

static bool full(const struct giver *g)
{
    return g->batch->entry_count >= GIVE_ENTRIES || g->batch->opening_count >= GIVE_ENTRIES ||
           g->bytes >= GIVE_BYTES;
}

static enum err opening_of(struct giver *g, const struct store_segment *segment,
                           struct opening *out)
{
    struct bytes continues;
    struct head *heads;
    struct cached_origin *origin;
    TRY(node_origin(g->node, segment->origin, &origin));
    *out = (struct opening){.origin = origin->row.name, .segment = segment->name};
    TRY(store_segment_continues(g->node->store, segment->id, &g->node->arena, &continues));
    TRY(heads_decode(continues, &g->node->arena, &heads, &out->continue_count));
    out->continues = heads;
    return ERR_OK;
}

/* The hash after `seq` entries of the segment. */
static enum err hash_at(struct giver *g, const struct store_segment *segment, int64_t seq,
                        struct hash *out)
{
    struct opening opening;
    struct store_entry entry;
    if (seq > 0) {
        enum err err = store_entry_get(g->node->store, segment->id, seq, &g->node->arena, &entry);
        *out = entry.hash;
        return err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    }
    TRY(opening_of(g, segment, &opening));
    *out = opening_hash(&opening, &g->node->scratch);
    return g->node->scratch.failed ? ERR_NO_MEMORY : ERR_OK;
}

/* Entries of one segment behind `seq`; *seq is moved on. ERR_CORRUPT for one that is not what was
 * taken in. */
static enum err give_entries(struct giver *g, const struct store_segment *segment, int64_t *seq)
{
    struct node *node = g->node;
    struct store_entry *rows = arena_array(&node->arena, GIVE_ENTRIES, sizeof *rows);
    struct hash hash;
    size_t n;
    size_t cap = GIVE_ENTRIES - g->batch->entry_count;
    TRY(rows == NULL ? ERR_NO_MEMORY : ERR_OK);
    TRY(hash_at(g, segment, *seq, &hash));
    TRY(store_entries(node->store, segment->id, *seq, &node->arena, rows, cap, &n));
    TRY(n == 0 ? ERR_CORRUPT : ERR_OK);
    for (size_t i = 0; i < n && !full(g); i++) {
        struct entry *entry = &g->entries[g->batch->entry_count];
        enum err err = ledger_entry_message(&node->texts, &rows[i], &segment->name, entry);
        TRY(err == ERR_NOT_FOUND ? ERR_CORRUPT : err);
        hash = entry_hash(&hash, entry, &node->scratch);
        TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
        TRY(hash_equal(&hash, &rows[i].hash) && rows[i].seq == *seq + 1 ? ERR_OK : ERR_CORRUPT);
        g->batch->entry_count++;
        g->bytes += GIVE_ROOM_BYTES + strlen(entry->key) + strlen(entry->note) + entry->act.len;
        *seq = rows[i].seq;
    }
    return ERR_OK;
}

/* A page of those behind the last revision given, in that order: a unit was decided after the one
 * it lies under. *over after the last one. */
static enum err give_units(struct giver *g, bool *over)
{
    struct node *node = g->node;
    struct store_unit *rows = arena_array(&node->arena, GIVE_UNITS, sizeof *rows);
    struct unit_row *out = arena_array(&node->arena, GIVE_UNITS, sizeof *out);
    size_t n;
    TRY(rows == NULL || out == NULL ? ERR_NO_MEMORY : ERR_OK);
    TRY(store_feed_units(node->store, g->link->give_units, &node->arena, rows, GIVE_UNITS, &n));
    g->batch->units = out;
    for (size_t i = 0; i < n; i++) {
        g->link->give_units = rows[i].rev;
        bool below = rows[i].code != g->link->unit;
        if (below && feed_goes_down(node, g->link, rows[i].code, rows[i].scope)) {
            TRY(feed_unit_row(node, &rows[i], &out[g->batch->unit_count++]));
        }
    }
    *over = n < GIVE_UNITS;
    return ERR_OK;
}

/* Goes on from where the last batch ended; *over after the last segment. */
static enum err give(struct giver *g, bool *over)
{
    struct link *link = g->link;
    *over = false;
    while (!full(g)) {
        struct store_segment segment;
        size_t n;
        TRY(store_segments(g->node->store, link->origin, link->give_segment, &segment, 1, &n));
        *over = n == 0;
        if (n == 0) {
            return ERR_OK;
        }
        int64_t has = stated_length(link, &segment);
        if (has < 0 && link->give_seq == 0) {
            TRY(opening_of(g, &segment, &g->openings[g->batch->opening_count]));
            g->batch->opening_count++;
            g->bytes += GIVE_ROOM_BYTES;
        }
        int64_t seq = link->give_seq > has ? link->give_seq : has;
        seq = seq < 0 ? 0 : seq;
        if (seq < segment.held) {
            TRY(give_entries(g, &segment, &seq));
        }
        bool ends = seq >= segment.held;
        link->give_segment = ends ? segment.number : link->give_segment;
        link->give_seq = ends ? 0 : seq;
    }
    return ERR_OK;
}

/* Segments of which the child had more than the escrow, in its order, as the escrow has them. */
static enum err name_those_beyond(struct giver *g)
{
    struct link *link = g->link;
    struct head *heads = arena_array(&g->node->arena, link->beyond_count + 1, sizeof *heads);
    struct origin_heads *list = arena_array(&g->node->arena, 1, sizeof *list);
    struct cached_origin *origin;
    TRY(heads == NULL || list == NULL ? ERR_NO_MEMORY : ERR_OK);
    TRY(node_origin(g->node, link->origin, &origin));
    for (size_t i = 0; i < link->beyond_count; i++) {
        heads[i] = link->beyond[i];
    }
    *list = (struct origin_heads){
        .origin = origin->row.name, .heads = heads, .head_count = link->beyond_count};
    g->batch->heads = list;
    g->batch->heads_count = 1;
    return ERR_OK;
}

enum err giveback_pump(struct node *node, struct link *link)
{
    if (link->out.in_flight || link->gave_all) {
        return ERR_OK;
    }
    struct message *message = node_message(node, MESSAGE_BATCH);
    struct giver g = {.node = node,
                      .link = link,
                      .openings = arena_array(&node->arena, GIVE_ENTRIES, sizeof *g.openings),
                      .entries = arena_array(&node->arena, GIVE_ENTRIES, sizeof *g.entries)};
    if (message == NULL || g.openings == NULL || g.entries == NULL) {
        return ERR_NO_MEMORY;
    }
    g.batch = &message->u.batch;
    g.batch->openings = g.openings;
    g.batch->entries = g.entries;
    bool units_over;
    TRY(give_units(&g, &units_over));
    enum err err = units_over ? give(&g, &g.batch->mark) : ERR_OK;
    if (err == ERR_CORRUPT) {
        audit_soon(node, 0); /* which names it */
        downlink_refuse_child(node, link, REFUSAL_LOST_TAIL,
                              "the machine of this unit has lost entries, and the copy of its "
                              "ledger kept here is damaged: nothing of it is given back");
        return ERR_OK;
    }
    TRY(err);
    TRY(g.batch->mark ? name_those_beyond(&g) : ERR_OK);
    link->gave_all = g.batch->mark;
    g.batch->number = ++link->out.number;
    link->out.in_flight = true;
    link->out.sent_at = node->now.mono;
    node_send(node, link, message);
    return ERR_OK;
}

/* The own ledger: entries are appended to one segment per process, which is begun with the first
 * entry. */
#include <string.h>

#include "node/internal.h"

enum { HEADS_BLOB_MAX_BYTES = 1 << 20, FRONTIER_MAX = CONTINUES_MAX };

enum err heads_encode(const struct head *heads, size_t count, struct buf *out)
{
    buf_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_put_id(out, &heads[i].segment);
        buf_put_u64(out, heads[i].length);
        buf_put_hash(out, &heads[i].hash);
    }
    return out->failed ? ERR_NO_MEMORY : ERR_OK;
}

static enum err heads_read(struct cur *cur, struct arena *arena, struct head **heads, size_t *count)
{
    size_t n = cur_u32(cur);
    if (n > HEADS_MAX) {
        return ERR_CORRUPT;
    }
    struct head *out = arena_array(arena, n, sizeof *out);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        out[i].segment = cur_id(cur);
        out[i].length = cur_u64(cur);
        out[i].hash = cur_hash(cur);
    }
    *heads = out;
    *count = n;
    return cur->failed ? ERR_CORRUPT : ERR_OK;
}

enum err heads_decode(struct bytes bytes, struct arena *arena, struct head **heads, size_t *count)
{
    struct cur cur = cur_over(bytes.data, bytes.len);
    TRY(heads_read(&cur, arena, heads, count));
    return cur_done(&cur) ? ERR_OK : ERR_CORRUPT;
}

enum err signed_heads_encode(const struct signed_heads *heads, struct buf *out)
{
    TRY(heads_encode(heads->heads.heads, heads->heads.head_count, out));
    buf_put_i64(out, heads->at.ms);
    buf_put_hash(out, &heads->key);
    buf_put_blob(out, heads->signature.b, sizeof heads->signature.b);
    return out->failed ? ERR_NO_MEMORY : ERR_OK;
}

enum err signed_heads_decode(struct bytes bytes, struct arena *arena, const struct id *origin,
                             struct signed_heads *out)
{
    struct cur cur = cur_over(bytes.data, bytes.len);
    struct head *heads;
    *out = (struct signed_heads){.heads = {.origin = *origin}};
    TRY(heads_read(&cur, arena, &heads, &out->heads.head_count));
    out->heads.heads = heads;
    out->at.ms = cur_i64(&cur);
    out->key = cur_hash(&cur);
    struct bytes signature = cur_blob(&cur);
    if (!cur_done(&cur) || signature.len != SIGNATURE_BYTES) {
        return ERR_CORRUPT;
    }
    memcpy(out->signature.b, signature.data, SIGNATURE_BYTES);
    return ERR_OK;
}

enum err ledger_frontier(struct node *node, int64_t origin, struct head **heads, size_t *count)
{
    struct store_segment segments[FRONTIER_MAX];
    size_t n;
    TRY(store_segments_frontier(node->store, origin, segments, FRONTIER_MAX, &n));
    struct head *out = arena_array(&node->arena, n + 1, sizeof *out);
    if (out == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        bool current = node->segment.id != 0 && segments[i].id == node->segment.id;
        const struct store_segment *segment = current ? &node->segment : &segments[i];
        out[i] = (struct head){segment->name, (uint64_t)segment->length, segment->hash};
    }
    *heads = out;
    *count = n;
    return ERR_OK;
}

enum err ledger_begin(struct node *node, const struct head *heads, size_t count)
{
    struct buf continues;
    struct store_segment segment = {.origin = node->own_origin, .base = node->ledger_length};
    node->env.random(node->env.ctx, segment.name.b, sizeof segment.name.b);
    struct opening opening = {.origin = node->origin,
                              .segment = segment.name,
                              .continues = heads,
                              .continue_count = count};
    segment.hash = opening_hash(&opening, &node->scratch);
    TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    segment.held_hash = segment.hash;
    segment.rev = node_next_revision(node);
    for (size_t i = 0; i < count; i++) {
        struct store_segment before;
        TRY(store_segment_find(node->store, &heads[i].segment, &before));
        int64_t clock = before.clock + (int64_t)heads[i].length;
        segment.clock = clock > segment.clock ? clock : segment.clock;
        int64_t continued = (int64_t)heads[i].length + 1;
        before.continued = continued > before.continued ? continued : before.continued;
        TRY(store_segment_set(node->store, &before));
    }
    buf_init(&continues, HEADS_BLOB_MAX_BYTES);
    enum err err = heads_encode(heads, count, &continues);
    if (err == ERR_OK) {
        err = store_segment_add(node->store, &segment, buf_bytes(&continues));
    }
    buf_deinit(&continues);
    if (err == ERR_OK) {
        node->segment = segment;
    }
    return err;
}

/* This process's segment continues the heads of the ledger so far. */
static enum err begin_segment(struct node *node)
{
    struct head *heads;
    size_t count;
    TRY(ledger_frontier(node, node->own_origin, &heads, &count));
    return ledger_begin(node, heads, count);
}

enum err ledger_entry_row(struct node *node, const struct store_segment *segment,
                          const struct hash *before, const struct entry *entry,
                          struct store_entry *out)
{
    *out = (struct store_entry){.segment = segment->id,
                                .seq = (int64_t)entry->seq,
                                .kind = entry->kind,
                                .day = entry->day,
                                .value = entry->value,
                                .hosting = entry->hosting,
                                .refers_segment = entry->refers_segment,
                                .refers_seq = (int64_t)entry->refers_seq,
                                .key = entry->key,
                                .note = entry->note,
                                .recorded_at = entry->recorded_at,
                                .act = entry->act,
                                .hash = entry_hash(before, entry, &node->scratch)};
    TRY(node->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    TRY(node_symbol(node, entry->unit, &out->unit));
    TRY(node_symbol(node, entry->measure, &out->measure));
    TRY(node_symbol(node, entry->category, &out->category));
    return node_symbol(node, entry->author, &out->author);
}

enum err ledger_append(struct node *node, struct store_entry *entry,
                       const struct ledger_texts *texts, int64_t *place)
{
    TRY(node_write(node));
    if (node->segment.id == 0) {
        TRY(begin_segment(node));
    }
    entry->segment = node->segment.id;
    entry->seq = node->segment.length + 1;
    entry->own = true;
    entry->recorded_at = node->now.wall;
    TRY(node_symbol(node, texts->author, &entry->author));
    struct entry message = {
        .segment = node->segment.name,
        .seq = (uint64_t)entry->seq,
        .kind = (enum entry_kind)entry->kind,
        .unit = texts->unit,
        .measure = texts->measure,
        .category = texts->category,
        .day = entry->day,
        .value = entry->value,
        .hosting = entry->hosting,
        .refers_segment = entry->refers_segment,
        .refers_seq = (uint64_t)entry->refers_seq,
        .key = entry->key,
        .note = entry->note,
        .author = texts->author,
        .recorded_at = entry->recorded_at,
        .act = entry->act,
    };
    entry->hash = entry_hash(&node->segment.hash, &message, &node->scratch);
    if (node->scratch.failed) {
        return ERR_NO_MEMORY;
    }
    TRY(store_entry_add(node->store, entry));
    node->segment.length = entry->seq;
    node->segment.held = entry->seq;
    node->segment.hash = entry->hash;
    node->segment.held_hash = entry->hash;
    node->segment_dirty = true;
    node->ledger_length = node->segment.base + entry->seq;
    if (entry->recorded_at.ms > node->newest_recording.ms) {
        node->newest_recording = entry->recorded_at;
    }
    *place = node->ledger_length;
    return ERR_OK;
}

enum err ledger_act(struct node *node, const struct act *act, const char *author)
{
    struct buf bytes;
    buf_init(&bytes, CATALOGUE_MAX_BYTES);
    act_encode(act, &bytes);
    struct store_entry entry = {
        .kind = ENTRY_ACT, .key = "", .note = "", .act = {bytes.data, bytes.len}};
    struct ledger_texts texts = {
        .unit = act->unit, .measure = "", .category = "", .author = author};
    int64_t place;
    enum err err = bytes.failed ? ERR_NO_MEMORY : node_symbol(node, act->unit, &entry.unit);
    err = err == ERR_OK ? node_symbol(node, "", &entry.measure) : err;
    entry.category = entry.measure;
    err = err == ERR_OK ? ledger_append(node, &entry, &texts, &place) : err;
    buf_deinit(&bytes);
    return err;
}

enum err ledger_flush(struct node *node)
{
    if (node->segment_dirty) {
        TRY(store_segment_set(node->store, &node->segment));
        TRY(store_fact_set_int(node->store, "newest_recording", node->newest_recording.ms));
        node->segment_dirty = false;
    }
    return ERR_OK;
}

enum err ledger_entry_message(struct texts *texts, const struct store_entry *row,
                              const struct id *segment, struct entry *out)
{
    *out = (struct entry){
        .segment = *segment,
        .seq = (uint64_t)row->seq,
        .kind = (enum entry_kind)row->kind,
        .day = row->day,
        .value = row->value,
        .hosting = row->hosting,
        .refers_segment = row->refers_segment,
        .refers_seq = (uint64_t)row->refers_seq,
        .key = row->key,
        .note = row->note,
        .recorded_at = row->recorded_at,
        .act = row->act,
    };
    TRY(texts_get(texts, row->unit, &out->unit));
    TRY(texts_get(texts, row->measure, &out->measure));
    TRY(texts_get(texts, row->category, &out->category));
    return texts_get(texts, row->author, &out->author);
}

enum err ledger_segment_name(struct node *node, int64_t id, struct id *out)
{
    struct store_segment segment;
    TRY(store_segment_get(node->store, id, &segment));
    *out = segment.name;
    return ERR_OK;
}

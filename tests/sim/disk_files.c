/* layer: base */
/* The contents of files: what programs see, what is durable, and the changes between the two.
 *
 * 1. A write or truncation changes `now` and is added to the list of changes.
 * 2. A sync carries the changes out on `safe`, in their order, and forgets them: it costs what has
 * changed, not what the file holds.
 * 3. A power cut carries out some of them (disk.c says which), and `now` becomes what `safe` is.
 *
 * Contents without history have `now` alone. Memory that ends is a fault of the test: it aborts. */
#include "disk_internal.h"

#include <stdlib.h>

#include "base/check.h"

enum { ROOM_KEPT_BYTES = 1 << 16 };

volatile int disk_works;

static void buffer_move(struct disk_buffer *buffer, size_t cap)
{
    if (cap == 0) {
        free(buffer->at);
        *buffer = (struct disk_buffer){0};
        return;
    }
    disk_works++;
    uint8_t *at = realloc(buffer->at, cap);
    disk_works--;
    INSIST(at != NULL);
    buffer->at = at;
    buffer->cap = cap;
}

void disk_buffer_size(struct disk_buffer *buffer, size_t len)
{
    if (len > buffer->cap) {
        buffer_move(buffer, (len + len / 4 + 4095) / 4096 * 4096);
    }
    if (len > buffer->len) {
        memset(buffer->at + buffer->len, 0, len - buffer->len);
    }
    buffer->len = len;
    if (buffer->cap > 2 * len + ROOM_KEPT_BYTES) {
        buffer_move(buffer, len);
    }
}

void disk_buffer_put(struct disk_buffer *buffer, uint64_t offset, const void *data, size_t len)
{
    size_t at = (size_t)offset;
    if (len == 0) {
        return;
    }
    if (at + len > buffer->len) {
        if (at > buffer->len) {
            disk_buffer_size(buffer, at);
        }
        if (at + len > buffer->cap) {
            buffer_move(buffer, (at + len + (at + len) / 4 + 4095) / 4096 * 4096);
        }
        buffer->len = at + len;
    }
    memcpy(buffer->at + at, data, len);
}

void disk_buffer_copy(struct disk_buffer *to, const struct disk_buffer *from)
{
    buffer_move(to, from->len);
    to->len = from->len;
    if (from->len > 0) {
        memcpy(to->at, from->at, from->len);
    }
}

struct disk_content *disk_content_new(bool history)
{
    disk_works++;
    struct disk_content *content = calloc(1, sizeof *content);
    disk_works--;
    INSIST(content != NULL);
    content->refs = 1;
    content->history = history;
    return content;
}

void disk_content_unref(struct disk_content *content)
{
    if (--content->refs > 0) {
        return;
    }
    disk_content_drop_shared(content);
    free(content->now.at);
    free(content->safe.at);
    free(content->changes);
    free(content->changed.at);
    free(content);
}

struct disk_content *disk_content_take(struct disk_content *content)
{
    struct disk_content *taken = disk_content_new(content->history);
    taken->named = content->named;
    taken->made = content->made;
    taken->now = content->now;
    taken->safe = content->safe;
    taken->changes = content->changes;
    taken->change_count = content->change_count;
    taken->change_cap = content->change_cap;
    taken->changed = content->changed;
    content->now = content->safe = content->changed = (struct disk_buffer){0};
    content->changes = NULL;
    content->change_count = content->change_cap = 0;
    disk_content_unref(content);
    return taken;
}

/* ---- changes ---- */

static void add_change(struct disk *disk, struct disk_content *content, struct disk_change change,
                       const void *data)
{
    if (content->change_count == content->change_cap) {
        size_t cap = content->change_cap == 0 ? 16 : content->change_cap * 2;
        disk_works++;
        struct disk_change *changes = realloc(content->changes, cap * sizeof *changes);
        disk_works--;
        INSIST(changes != NULL);
        content->changes = changes;
        content->change_cap = cap;
    }
    change.order = ++disk->order;
    change.at = content->changed.len;
    content->changes[content->change_count++] = change;
    if (!change.truncates) {
        disk_buffer_put(&content->changed, change.at, data, change.len);
    }
}

void disk_content_apply(struct disk_content *content, const struct disk_change *change)
{
    if (change->truncates) {
        disk_buffer_size(&content->safe, (size_t)change->offset);
    } else {
        disk_buffer_put(&content->safe, change->offset, content->changed.at + change->at,
                        change->len);
    }
}

void disk_content_forget_changes(struct disk_content *content)
{
    content->change_count = 0;
    if (content->changed.cap > ROOM_KEPT_BYTES) {
        buffer_move(&content->changed, 0);
        free(content->changes);
        content->changes = NULL;
        content->change_cap = 0;
    }
    content->changed.len = 0;
}

void disk_content_settle(struct disk_content *content)
{
    content->named = true;
    for (size_t i = 0; i < content->change_count; i++) {
        disk_content_apply(content, &content->changes[i]);
    }
    disk_content_forget_changes(content);
}

/* How many bytes of a write are done under this fate: up to a border between sectors. */
static size_t part_done(struct disk *disk, enum disk_fate fate, size_t len, uint64_t offset)
{
    enum { NONE, PART, WHOLE };
    if (fate == FATE_WELL || fate == FATE_DEAD) {
        return fate == FATE_WELL ? len : 0;
    }
    uint64_t drawn = chance_below(&disk->chance, fate == FATE_FULL ? WHOLE : WHOLE + 1);
    if (drawn != PART) {
        return drawn == NONE ? 0 : len;
    }
    uint64_t first = offset / DISK_SECTOR_BYTES;
    uint64_t borders = (offset + len - 1) / DISK_SECTOR_BYTES - first;
    uint64_t border = first + 1 + chance_below(&disk->chance, borders);
    return borders == 0 ? 0 : (size_t)(border * DISK_SECTOR_BYTES - offset);
}

void disk_content_write(struct disk *disk, struct disk_content *content, enum disk_fate fate,
                        const void *data, size_t len, uint64_t offset)
{
    size_t done = len == 0 ? 0 : part_done(disk, fate, len, offset);
    if (done == 0) {
        return;
    }
    disk_buffer_put(&content->now, offset, data, done);
    if (content->history) {
        add_change(disk, content, (struct disk_change){.offset = offset, .len = done}, data);
    }
}

void disk_content_truncate(struct disk *disk, struct disk_content *content, enum disk_fate fate,
                           uint64_t size)
{
    if (!disk_happens(disk, fate)) {
        return;
    }
    disk_buffer_size(&content->now, (size_t)size);
    if (content->history) {
        add_change(disk, content, (struct disk_change){.offset = size, .truncates = true}, NULL);
    }
}

/* ---- shared memory ---- */

void *disk_content_grow(struct disk_content *content, size_t bytes)
{
    disk_works++;
    uint8_t **pieces = realloc(content->pieces, (content->piece_count + 1) * sizeof *pieces);
    INSIST(pieces != NULL);
    content->pieces = pieces;
    pieces[content->piece_count] = calloc(1, bytes);
    disk_works--;
    INSIST(pieces[content->piece_count] != NULL);
    content->piece_bytes += bytes;
    return pieces[content->piece_count++];
}

void disk_content_drop_shared(struct disk_content *content)
{
    for (size_t i = 0; i < content->piece_count; i++) {
        free(content->pieces[i]);
    }
    free(content->pieces);
    content->pieces = NULL;
    content->piece_count = content->piece_bytes = 0;
    memset(content->slots, 0, sizeof content->slots);
}

size_t disk_content_memory(const struct disk_content *content)
{
    return sizeof *content + content->now.cap + content->safe.cap + content->changed.cap +
           content->change_cap * sizeof *content->changes + content->piece_bytes;
}

#include "base/map.h"

#include <stdlib.h>
#include <string.h>

enum { CAP_MIN = 64, CAP_KEPT = 65536 };

/* A slot is: the key, one byte "used", padding to 16 (the alignment of any type), the value. */
static size_t value_at(const struct map *map)
{
    return (1 + map->key_size + 15) / 16 * 16;
}

static size_t slot_size(const struct map *map)
{
    return (value_at(map) + map->value_size + 15) / 16 * 16;
}

uint64_t map_hash(const void *key, size_t len)
{
    const uint8_t *b = key;
    uint64_t h = 0x9e3779b97f4a7c15u ^ len;
    while (len >= 8) {
        uint64_t w;
        memcpy(&w, b, 8);
        h = (h ^ w) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
        b += 8;
        len -= 8;
    }
    uint64_t tail = 0;
    memcpy(&tail, b, len);
    h = (h ^ tail) * 0xc4ceb9fe1a85ec53u;
    return h ^ (h >> 29);
}

void map_init(struct map *map, size_t key_size, size_t value_size)
{
    *map = (struct map){.key_size = key_size, .value_size = value_size};
}

void map_deinit(struct map *map)
{
    free(map->slots);
    map->slots = NULL;
    map->cap = 0;
    map->count = 0;
}

void map_clear(struct map *map)
{
    if (map->cap > CAP_KEPT) {
        map_deinit(map);
    } else if (map->cap > 0 && map->count > 0) {
        memset(map->slots, 0, map->cap * slot_size(map));
        map->count = 0;
    }
}

/* The slot of the key, or the free one where it would stand. */
static uint8_t *find(const struct map *map, const void *key)
{
    size_t size = slot_size(map);
    size_t i = (size_t)map_hash(key, map->key_size) & (map->cap - 1);
    for (;;) {
        uint8_t *slot = map->slots + i * size;
        if (slot[map->key_size] == 0 || memcmp(slot, key, map->key_size) == 0) {
            return slot;
        }
        i = (i + 1) & (map->cap - 1);
    }
}

void *map_get(const struct map *map, const void *key)
{
    if (map->count == 0) {
        return NULL;
    }
    uint8_t *slot = find(map, key);
    return slot[map->key_size] == 0 ? NULL : slot + value_at(map);
}

static bool grow(struct map *map)
{
    struct map wider = *map;
    wider.cap = map->cap == 0 ? CAP_MIN : map->cap * 2;
    wider.slots = calloc(wider.cap, slot_size(map));
    if (wider.slots == NULL) {
        return false;
    }
    size_t size = slot_size(map);
    for (size_t i = 0; i < map->cap; i++) {
        const uint8_t *old = map->slots + i * size;
        if (old[map->key_size] != 0) {
            memcpy(find(&wider, old), old, size);
        }
    }
    free(map->slots);
    *map = wider;
    return true;
}

void *map_put(struct map *map, const void *key, bool *made)
{
    if ((map->count + 1) * 4 > map->cap * 3 && !grow(map)) {
        return NULL;
    }
    uint8_t *slot = find(map, key);
    bool fresh = slot[map->key_size] == 0;
    if (fresh) {
        slot[map->key_size] = 1;
        memcpy(slot, key, map->key_size);
        map->count++;
    }
    if (made != NULL) {
        *made = fresh;
    }
    return slot + value_at(map);
}

/* Closes the gap: later keys of the same run move up when they may stand there (Knuth, vol. 3, 6.4,
 * algorithm R). */
void map_remove(struct map *map, const void *key)
{
    uint8_t *gap = map->count == 0 ? NULL : find(map, key);
    if (gap == NULL || gap[map->key_size] == 0) {
        return;
    }
    size_t size = slot_size(map);
    size_t mask = map->cap - 1;
    size_t hole = (size_t)(gap - map->slots) / size;
    for (size_t i = (hole + 1) & mask; map->slots[i * size + map->key_size] != 0;
         i = (i + 1) & mask) {
        size_t home = (size_t)map_hash(map->slots + i * size, map->key_size) & mask;
        if (((i - home) & mask) >= ((i - hole) & mask)) {
            memcpy(map->slots + hole * size, map->slots + i * size, size);
            hole = i;
        }
    }
    memset(map->slots + hole * size, 0, size);
    map->count--;
}

bool map_next(const struct map *map, size_t *at, const void **key, void **value)
{
    size_t size = slot_size(map);
    while (*at < map->cap) {
        uint8_t *slot = map->slots + (*at)++ * size;
        if (slot[map->key_size] != 0) {
            *key = slot;
            *value = slot + value_at(map);
            return true;
        }
    }
    return false;
}

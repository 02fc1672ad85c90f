/* A hash map from fixed-size keys to fixed-size values, open addressing, for use inside one thread.
 * Keys are compared byte by byte, so a key struct has its padding zeroed. Pointers to values hold
 * until the next put. */
#ifndef TALLY_BASE_MAP_H
#define TALLY_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map {
    size_t key_size;
    size_t value_size;
    size_t count;
    size_t cap; /* slots, a power of two, or 0 */
    uint8_t *slots;
};

void map_init(struct map *map, size_t key_size, size_t value_size);
void map_deinit(struct map *map);

/* Forgets all and keeps the memory unless it has grown large. */
void map_clear(struct map *map);

/* The value of `key`, or NULL. */
void *map_get(const struct map *map, const void *key);

/* The value of `key`, made zeroed when absent (`*made` says so; may be NULL); NULL when memory
 * ends. */
void *map_put(struct map *map, const void *key, bool *made);

/* Forgets the key, if it is there. Pointers to values hold no longer. */
void map_remove(struct map *map, const void *key);

/* Iterates in no stated order: `*at` starts at 0; false at the end. */
bool map_next(const struct map *map, size_t *at, const void **key, void **value);

/* The 64-bit hash that the map uses, for other tables. */
uint64_t map_hash(const void *key, size_t len);

#endif

/* An arena: memory that is taken piece by piece and given back as a whole, with a hard cap on what
 * it may take from the heap. One arena holds one decoded message, or the effects of one batch. Not
 * thread-safe. */
#ifndef TALLY_BASE_ARENA_H
#define TALLY_BASE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *blocks;
    size_t taken_bytes;
    size_t max_bytes;
};

void arena_init(struct arena *arena, size_t max_bytes);

/* Gives everything back; the arena may be used again. */
void arena_reset(struct arena *arena);

/* Zeroed memory aligned for any type, or NULL at the cap or when the heap is empty. Size 0 yields a
 * valid pointer. */
void *arena_alloc(struct arena *arena, size_t size);

/* The same, not zeroed: for what is written over at once. */
void *arena_alloc_raw(struct arena *arena, size_t size);

/* `count` elements; NULL also when the product overflows. */
void *arena_array(struct arena *arena, size_t count, size_t size);

/* Copies; NULL as arena_alloc. */
void *arena_copy(struct arena *arena, const void *data, size_t len);
char *arena_str(struct arena *arena, const char *text);
char *arena_strn(struct arena *arena, const char *text, size_t len);
char *arena_printf(struct arena *arena, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif

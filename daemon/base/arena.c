#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_MIN_BYTES = 4096, BLOCK_MAX_BYTES = 64 * 1024, ALIGN_BYTES = 16 };

struct arena_block {
    struct arena_block *next;
    size_t cap;
    size_t used;
    size_t pad; /* keeps `data` aligned */
    uint8_t data[];
};

void arena_init(struct arena *arena, size_t max_bytes)
{
    *arena = (struct arena){.max_bytes = max_bytes};
}

void arena_reset(struct arena *arena)
{
    struct arena_block *block = arena->blocks;
    while (block != NULL) {
        struct arena_block *next = block->next;
        free(block);
        block = next;
    }
    arena->blocks = NULL;
    arena->taken_bytes = 0;
}

static struct arena_block *grow(struct arena *arena, size_t size)
{
    size_t cap = arena->blocks == NULL ? BLOCK_MIN_BYTES : arena->blocks->cap * 2;
    cap = cap > BLOCK_MAX_BYTES ? BLOCK_MAX_BYTES : cap;
    cap = cap < size ? size : cap;
    size_t room = arena->max_bytes - arena->taken_bytes;
    if (size > room) {
        return NULL;
    }
    cap = cap > room ? room : cap;
    struct arena_block *block = malloc(sizeof *block + cap);
    if (block == NULL) {
        return NULL;
    }
    *block = (struct arena_block){.next = arena->blocks, .cap = cap};
    arena->blocks = block;
    arena->taken_bytes += cap;
    return block;
}

void *arena_alloc_raw(struct arena *arena, size_t size)
{
    if (size > SIZE_MAX - ALIGN_BYTES) {
        return NULL;
    }
    size = (size + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
    struct arena_block *block = arena->blocks;
    if (block == NULL || block->cap - block->used < size || size == 0) {
        block = size == 0 && block != NULL ? block : grow(arena, size);
    }
    if (block == NULL) {
        return NULL;
    }
    void *at = block->data + block->used;
    block->used += size;
    return at;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    void *at = arena_alloc_raw(arena, size);
    if (at != NULL) {
        memset(at, 0, size);
    }
    return at;
}

void *arena_array(struct arena *arena, size_t count, size_t size)
{
    return size != 0 && count > SIZE_MAX / size ? NULL : arena_alloc(arena, count * size);
}

void *arena_copy(struct arena *arena, const void *data, size_t len)
{
    void *at = arena_alloc_raw(arena, len);
    if (at != NULL && len > 0) {
        memcpy(at, data, len);
    }
    return at;
}

char *arena_strn(struct arena *arena, const char *text, size_t len)
{
    char *at = len == SIZE_MAX ? NULL : arena_alloc_raw(arena, len + 1);
    if (at != NULL) {
        at[len] = '\0';
    }
    if (at != NULL && len > 0) {
        memcpy(at, text, len);
    }
    return at;
}

char *arena_str(struct arena *arena, const char *text)
{
    return arena_strn(arena, text, strlen(text));
}

char *arena_printf(struct arena *arena, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    char *at = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
    if (at != NULL) {
        (void)vsnprintf(at, (size_t)len + 1, fmt, again);
    }
    va_end(again);
    return at;
}

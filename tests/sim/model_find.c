/* layer: proto */
#include "model_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

struct model_link {
    uint64_t hash;
    int next; /* with the same head; -1 for none */
};

void *model_grow(void *array, size_t count, size_t *cap, size_t size)
{
    if (count < *cap) {
        return array;
    }
    *cap = *cap == 0 ? 4 : *cap * 2;
    void *grown = realloc(array, *cap * size);
    INSIST(grown != NULL);
    return grown;
}

char *model_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    INSIST(copy != NULL);
    memcpy(copy, text, size);
    return copy;
}

static uint64_t hash_byte(uint64_t hash, unsigned byte)
{
    return (hash ^ byte) * UINT64_C(1099511628211); /* FNV-1a */
}

uint64_t model_hash_text(uint64_t hash, const char *text)
{
    for (; *text != '\0'; text++) {
        hash = hash_byte(hash, (unsigned char)*text);
    }
    return hash_byte(hash, 0);
}

uint64_t model_hash_number(uint64_t hash, int64_t number)
{
    for (int shift = 0; shift < 64; shift += 8) {
        hash = hash_byte(hash, (unsigned)((uint64_t)number >> shift) & 0xff);
    }
    return hash;
}

static int *head_of(const struct model_finder *finder, uint64_t hash)
{
    return &finder->heads[(hash ^ hash >> 32) & (finder->head_count - 1)];
}

static void link_in(struct model_finder *finder, size_t number)
{
    int *head = head_of(finder, finder->links[number].hash);
    finder->links[number].next = *head;
    *head = (int)number;
}

static void more_heads(struct model_finder *finder)
{
    finder->head_count = finder->head_count == 0 ? 64 : finder->head_count * 4;
    free(finder->heads);
    finder->heads = malloc(finder->head_count * sizeof *finder->heads);
    INSIST(finder->heads != NULL);
    for (size_t i = 0; i < finder->head_count; i++) {
        finder->heads[i] = -1;
    }
    for (size_t i = 0; i < finder->count; i++) {
        link_in(finder, i);
    }
}

void model_finder_add(struct model_finder *finder, uint64_t hash)
{
    if (finder->count == finder->head_count) {
        more_heads(finder);
    }
    finder->links = model_grow(finder->links, finder->count, &finder->cap, sizeof *finder->links);
    finder->links[finder->count].hash = hash;
    link_in(finder, finder->count++);
}

static int with_hash(const struct model_finder *finder, int at, uint64_t hash)
{
    while (at >= 0 && finder->links[at].hash != hash) {
        at = finder->links[at].next;
    }
    return at;
}

int model_finder_first(const struct model_finder *finder, uint64_t hash)
{
    return finder->head_count == 0 ? -1 : with_hash(finder, *head_of(finder, hash), hash);
}

int model_finder_next(const struct model_finder *finder, int at)
{
    return with_hash(finder, finder->links[at].next, finder->links[at].hash);
}

void model_finder_free(struct model_finder *finder)
{
    free(finder->links);
    free(finder->heads);
}

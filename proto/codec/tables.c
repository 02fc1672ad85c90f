#include "codec/tables.h"

#include <stdlib.h>
#include <string.h>

enum { INDEX_MIN = 64 };

void tables_init(struct tables *tables)
{
    *tables = (struct tables){0};
    arena_init(&tables->arena, 2 * TABLE_TEXT_BYTES_MAX + 16 * TABLE_TEXTS_MAX);
    map_init(&tables->origin_numbers, sizeof(struct id), sizeof(uint32_t));
}

void tables_restart(struct tables *tables)
{
    arena_reset(&tables->arena);
    free(tables->texts);
    free(tables->origins);
    free(tables->index);
    map_deinit(&tables->origin_numbers);
    tables_init(tables);
}

void tables_deinit(struct tables *tables)
{
    tables_restart(tables);
}

bool tables_full(const struct tables *tables)
{
    return tables->text_count > TABLE_TEXTS_RESTART ||
           tables->text_bytes > TABLE_TEXT_BYTES_RESTART ||
           tables->origin_count > TABLE_ORIGINS_RESTART;
}

enum err tables_add_text(struct tables *tables, const char *text)
{
    size_t len = strlen(text);
    if (tables->text_count >= TABLE_TEXTS_MAX || tables->text_bytes + len > TABLE_TEXT_BYTES_MAX ||
        len > TABLE_ONE_TEXT_MAX_BYTES) {
        return ERR_LIMIT;
    }
    if (tables->text_count == tables->text_cap) {
        size_t cap = tables->text_cap == 0 ? INDEX_MIN : tables->text_cap * 2;
        char **grown = realloc(tables->texts, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NO_MEMORY;
        }
        tables->texts = grown;
        tables->text_cap = cap;
    }
    char *copy = arena_strn(&tables->arena, text, len);
    if (copy == NULL) {
        return ERR_NO_MEMORY;
    }
    tables->texts[tables->text_count++] = copy;
    tables->text_bytes += len;
    return ERR_OK;
}

enum err tables_add_origin(struct tables *tables, const struct id *origin)
{
    if (tables->origin_count >= TABLE_ORIGINS_MAX) {
        return ERR_LIMIT;
    }
    if (tables->origin_count == tables->origin_cap) {
        size_t cap = tables->origin_cap == 0 ? INDEX_MIN : tables->origin_cap * 2;
        struct id *grown = realloc(tables->origins, cap * sizeof *grown);
        if (grown == NULL) {
            return ERR_NO_MEMORY;
        }
        tables->origins = grown;
        tables->origin_cap = cap;
    }
    tables->origins[tables->origin_count++] = *origin;
    return ERR_OK;
}

/* The slot of a text in the index (which holds numbers, 0 for none): its own, or the free one where
 * it belongs. */
static uint32_t *slot_of(const struct tables *tables, const char *text)
{
    size_t at = (size_t)map_hash(text, strlen(text)) & (tables->index_cap - 1);
    while (tables->index[at] != 0 && strcmp(tables->texts[tables->index[at] - 1], text) != 0) {
        at = (at + 1) & (tables->index_cap - 1);
    }
    return &tables->index[at];
}

static enum err grow_index(struct tables *tables)
{
    if (tables->index_cap > tables->text_count * 2) {
        return ERR_OK;
    }
    size_t cap = tables->index_cap == 0 ? INDEX_MIN : tables->index_cap * 4;
    uint32_t *grown = calloc(cap, sizeof *grown);
    if (grown == NULL) {
        return ERR_NO_MEMORY;
    }
    free(tables->index);
    tables->index = grown;
    tables->index_cap = cap;
    for (size_t i = 0; i < tables->text_count; i++) {
        *slot_of(tables, tables->texts[i]) = (uint32_t)i + 1;
    }
    return ERR_OK;
}

enum err tables_text_number(struct tables *tables, const char *text, uint32_t *out)
{
    if (text == NULL || text[0] == '\0') {
        *out = 0;
        return ERR_OK;
    }
    TRY(grow_index(tables));
    uint32_t *slot = slot_of(tables, text);
    if (*slot == 0) {
        TRY(tables_add_text(tables, text));
        *slot = (uint32_t)tables->text_count;
    }
    *out = *slot;
    return ERR_OK;
}

enum err tables_origin_number(struct tables *tables, const struct id *origin, uint32_t *out)
{
    bool made = false;
    uint32_t *number = map_put(&tables->origin_numbers, origin, &made);
    if (number == NULL) {
        return ERR_NO_MEMORY;
    }
    if (made) {
        *number = (uint32_t)tables->origin_count;
        TRY(tables_add_origin(tables, origin));
    }
    *out = *number;
    return ERR_OK;
}

/* The tables of a connection: texts and origins that batches name by number. Text 0 is the empty
 * one; all others get numbers in the order in which they are announced. The sender starts both
 * tables anew before they reach their limits. */
#ifndef TALLY_CODEC_TABLES_H
#define TALLY_CODEC_TABLES_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/ids.h"
#include "base/map.h"
#include "proto/limits.h"

enum {
    TABLE_TEXTS_MAX = 262144,
    TABLE_TEXT_BYTES_MAX = 8 << 20,
    TABLE_ORIGINS_MAX = 65536,
    TABLE_ONE_TEXT_MAX_BYTES = CATEGORY_MAX_BYTES, /* the longest of what is announced */
    /* A sender with more than this starts anew; one batch never announces as much as is left then.
     */
    TABLE_TEXTS_RESTART = 65536,
    TABLE_TEXT_BYTES_RESTART = 2 << 20,
    TABLE_ORIGINS_RESTART = 16384,
};

struct tables {
    struct arena arena; /* the texts */
    char **texts;
    size_t text_count;
    size_t text_cap;
    size_t text_bytes;
    struct id *origins;
    size_t origin_count;
    size_t origin_cap;
    /* The sender's way from a text or origin to its number; empty at the receiver. */
    uint32_t *index;
    size_t index_cap;
    struct map origin_numbers;
};

void tables_init(struct tables *tables);
void tables_deinit(struct tables *tables);
void tables_restart(struct tables *tables);

/* Whether the sender should start anew before the next batch. */
bool tables_full(const struct tables *tables);

/* The number of a text or origin, announced if it is new. ERR_LIMIT, ERR_NO_MEMORY. */
enum err tables_text_number(struct tables *tables, const char *text, uint32_t *out) MUST_CHECK;
enum err tables_origin_number(struct tables *tables, const struct id *origin, uint32_t *out)
    MUST_CHECK;

/* Appends what was announced by the other side. ERR_LIMIT, ERR_NO_MEMORY. */
enum err tables_add_text(struct tables *tables, const char *text) MUST_CHECK;
enum err tables_add_origin(struct tables *tables, const struct id *origin) MUST_CHECK;

#endif

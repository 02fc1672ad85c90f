/* The texts of symbols (codes, categories, authors), each read once from a store and kept until
 * there are too many. The node has one table, every auditor and every query its own. */
#ifndef TALLY_NODE_TEXTS_H
#define TALLY_NODE_TEXTS_H

#include "base/map.h"
#include "store/store.h"

struct texts {
    struct store *store; /* not owned */
    struct map by_id;    /* symbol -> const char *, in arena */
    struct arena arena;
};

void texts_init(struct texts *texts, struct store *store);
void texts_deinit(struct texts *texts);

/* Forgets all: texts that were given hold no longer. */
void texts_clear(struct texts *texts);

/* To be called where no text that was given is used any more: forgets all when they take more
 * memory than they should. */
void texts_trim(struct texts *texts);

/* The text of a symbol, valid until the next clear or trim. ERR_NOT_FOUND, or an error of the
 * store. */
enum err texts_get(struct texts *texts, int64_t symbol, const char **out) MUST_CHECK;

#endif

/* Names as people look for them: without regard to capitals and diacritics, so that "ha tinh" finds
 * Hà Tĩnh. Letters are folded after Unicode (case folding, canonical decomposition), by
 * libunistring; the Vietnamese đ, which Unicode does not decompose, is a d. */
#ifndef TALLY_CLIENT_SEARCH_H
#define TALLY_CLIENT_SEARCH_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

enum { SEARCH_WORDS_MAX = 16, SEARCH_BYTES = 1024 };

struct search {
    char text[SEARCH_BYTES]; /* the words, folded */
    const char *words[SEARCH_WORDS_MAX];
    size_t word_count;
};

/* What is looked for: each argument may hold several words. ERR_USAGE when they are too long, too
 * many, or not UTF-8. */
enum err search_init(struct search *search, const char *const *texts, size_t count,
                     struct errmsg *msg) MUST_CHECK;

/* Whether every word stands somewhere in the code or the name. */
bool search_finds(const struct search *search, const char *code, const char *name);

#endif

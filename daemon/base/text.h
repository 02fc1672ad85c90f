/* Text from outside: UTF-8 checks, and the nearest names for a mistyped one. */
#ifndef TALLY_BASE_TEXT_H
#define TALLY_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms) without NUL or other C0 control
 * characters; with `lines`, tab, CR and LF are allowed. */
bool text_is_clean(const char *text, size_t len, bool lines);

/* Puts '?' for every byte that keeps the text from being clean: control characters, and what is
 * left of a character that was cut. */
void text_mend(char *text);

/* Codes name units, measures, categories and levels: 1..max bytes of clean text without white
 * space, quotes, commas, slashes or '='. */
bool text_is_code(const char *text, size_t max_bytes);

/* Edits (insert, delete, replace, swap of neighbours) between two words, at most `limit` + 1. Words
 * over 64 bytes count as far apart. Optimal string alignment distance (Damerau 1964, restricted
 * form). */
int text_distance(const char *a, const char *b, int limit);

/* Collects the nearest of the names offered to a wanted one. */
enum { NEAREST_MAX = 3, NEAREST_NAME_BYTES = 96 };
struct nearest {
    const char *wanted;
    int limit;
    size_t count;
    int distance[NEAREST_MAX];
    char name[NEAREST_MAX][NEAREST_NAME_BYTES];
};
void nearest_init(struct nearest *nearest, const char *wanted);
void nearest_offer(struct nearest *nearest, const char *name);

/* "; did you mean a, b or c?" or an empty string; `out` of `size` bytes. */
void nearest_format(const struct nearest *nearest, char *out, size_t size);

#endif

#include "client/search.h"

#include <stdlib.h>
#include <string.h>

#include <unicase.h>
#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

#include "base/bytes.h"

/* Folds into `out`; false when it does not fit or is not UTF-8. */
static bool fold(const char *text, char *out, size_t size)
{
    const uint8_t *bytes = (const uint8_t *)text;
    size_t len = strlen(text);
    size_t folded_len = 0;
    uint8_t *folded = u8_check(bytes, len) != NULL
                          ? NULL
                          : u8_casefold(bytes, len, NULL, UNINORM_NFD, NULL, &folded_len);
    size_t used = 0;
    bool fits = folded != NULL;
    for (size_t at = 0; fits && at < folded_len;) {
        ucs4_t letter;
        int n = u8_mbtoucr(&letter, folded + at, folded_len - at);
        const uint8_t *from = folded + at;
        size_t put = n > 0 ? (size_t)n : 1;
        at += put;
        if (uc_is_general_category(letter, UC_NON_SPACING_MARK)) {
            continue;
        }
        if (letter == 0x111) { /* đ */
            from = (const uint8_t *)"d";
            put = 1;
        }
        fits = used + put < size;
        if (fits) {
            memcpy(out + used, from, put);
            used += put;
        }
    }
    out[fits ? used : 0] = '\0';
    free(folded);
    return fits;
}

enum err search_init(struct search *search, const char *const *texts, size_t count,
                     struct errmsg *msg)
{
    size_t used = 0;
    search->word_count = 0;
    for (size_t i = 0; i < count; i++) {
        char *at = search->text + used;
        char *rest;
        if (!fold(texts[i], at, sizeof search->text - used)) {
            return err_fail(msg, ERR_USAGE, "\"%.40s\" is too long to look for, or not UTF-8",
                            texts[i]);
        }
        used += strlen(at) + 1;
        for (char *word = strtok_r(at, " ", &rest); word != NULL;
             word = strtok_r(NULL, " ", &rest)) {
            if (search->word_count == SEARCH_WORDS_MAX) {
                return err_fail(msg, ERR_USAGE, "more than %d words to look for", SEARCH_WORDS_MAX);
            }
            search->words[search->word_count++] = word;
        }
        if (used >= sizeof search->text) {
            return err_fail(msg, ERR_USAGE, "the words to look for are too long");
        }
    }
    return ERR_OK;
}

bool search_finds(const struct search *search, const char *code, const char *name)
{
    char here[2][SEARCH_BYTES];
    if (search->word_count == 0) {
        return true;
    }
    bool read = fold(code, here[0], SEARCH_BYTES) && fold(name, here[1], SEARCH_BYTES);
    for (size_t i = 0; read && i < search->word_count; i++) {
        read =
            strstr(here[0], search->words[i]) != NULL || strstr(here[1], search->words[i]) != NULL;
    }
    return read;
}

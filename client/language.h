/* The language in which people are spoken to: sentences through gettext, numbers and dates as it
 * writes them. Vietnamese and English; what machines read (JSON, CSV) is in none.
 *
 * The locale of the environment decides (LC_ALL, LC_MESSAGES, LANG); it need not be installed. In
 * the locale C, or none, sentences are English, and tables have numbers without groups. */
#ifndef TALLY_CLIENT_LANGUAGE_H
#define TALLY_CLIENT_LANGUAGE_H

#include <libintl.h>
#include <stdint.h>

#include "client/number.h"
#include "proto/link.h"
#include "proto/period.h"

#define _(text) gettext(text)
#define N_(text) (text)

enum { LANGUAGE_TEXT_BYTES = 160 };

struct language {
    const char *code; /* "en" or "vi" */
    struct number_style numbers;
    bool plain; /* the locale is C */
};

/* Once, before anything is printed. */
void language_init(void);

/* ERR_USAGE for a language that is not spoken here. */
enum err language_choose(const char *code, struct errmsg *msg) MUST_CHECK;

const struct language *language_now(void);

/* The state of a child's link. */
const char *language_state(enum link_state state);

/* "as of 2026-11-28T04:47:44Z, 37 of 40 nodes exact" */
void language_sources(char *out, size_t size, const char *as_of, int64_t exact, int64_t nodes);

/* "the first half of 2023", "6 tháng đầu năm 2023"; what is no period as it is. */
const char *language_period(const char *period, char out[LANGUAGE_TEXT_BYTES]);

/* "18 June 2023", "18/6/2023". */
const char *language_day(int32_t day, char out[LANGUAGE_TEXT_BYTES]);

#endif

/* The command line: words and options in any order. One table holds every option of every command,
 * so that an option may stand before the command's name; which ones a command takes is its own
 * affair (a set of bits). `--opt=value`, `--opt value`, `-m value` and `-mvalue` are the same; a
 * number is never an option (`-5`), and behind `--` nothing is. Nothing is copied: texts belong to
 * argv. */
#ifndef TALLY_CLIENT_OPTIONS_H
#define TALLY_CLIENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/err.h"
#include "proto/limits.h"

enum option {
    OPTION_DATA,
    OPTION_NODE,
    OPTION_CERT,
    OPTION_CERT_KEY,
    OPTION_ROOT,
    OPTION_JSON,
    OPTION_CSV,
    OPTION_HELP,
    OPTION_VERSION,
    OPTION_DRY_RUN,
    OPTION_NAME,
    OPTION_LEVEL,
    OPTION_PARENT,
    OPTION_EXPIRES,
    OPTION_REPLACE,
    OPTION_HEALED,
    OPTION_AUTHOR,
    OPTION_KIND,
    OPTION_DATE,
    OPTION_CATEGORY,
    OPTION_KEY,
    OPTION_NOTE,
    OPTION_WAIT,
    OPTION_TIMEOUT,
    OPTION_PARTIAL,
    OPTION_ERRORS,
    OPTION_MEASURE,
    OPTION_PERIOD,
    OPTION_BY,
    OPTION_TREE_AS_OF,
    OPTION_TARGETS,
    OPTION_AGAINST,
    OPTION_TO,
    OPTION_WHOLE,
    OPTION_LANG,
    OPTION_PATTERN,
    OPTION_COUNT
};

enum { OPTIONS_WORDS_MAX = 16 };

#define OPTION_BIT(option) (UINT64_C(1) << (option))

/* What every command takes. */
#define OPTIONS_COMMON                                                                 \
    (OPTION_BIT(OPTION_DATA) | OPTION_BIT(OPTION_NODE) | OPTION_BIT(OPTION_CERT) |     \
     OPTION_BIT(OPTION_CERT_KEY) | OPTION_BIT(OPTION_ROOT) | OPTION_BIT(OPTION_JSON) | \
     OPTION_BIT(OPTION_HELP) | OPTION_BIT(OPTION_VERSION))

struct options {
    uint64_t given;                           /* bits */
    const char *values[OPTION_COUNT];         /* of those that take one; NULL when not given */
    const char *measures[MEASURES_ASKED_MAX]; /* every --measure, as written */
    size_t measure_count;
    const char *words[OPTIONS_WORDS_MAX]; /* what is no option */
    size_t word_count;
};

/* ERR_USAGE for an unknown option (with the nearest ones), one twice, a value missing or too many,
 * too many words. */
enum err options_parse(int argc, char *const argv[], struct options *out, struct errmsg *msg)
    MUST_CHECK;

/* ERR_USAGE when an option was given that is not in the set; `command` is for the sentence. */
enum err options_check(const struct options *options, uint64_t allowed, const char *command,
                       struct errmsg *msg) MUST_CHECK;

bool options_has(const struct options *options, enum option option);

/* The value, or "" when it was not given. */
const char *options_text(const struct options *options, enum option option);

/* One line for each option of the set, for --help. */
void options_print(uint64_t set, FILE *out);

#endif

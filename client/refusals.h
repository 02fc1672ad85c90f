/* The rows of a file that are wrong, by the client's or the daemon's word: kept up to a limit,
 * counted beyond it, shown in the order of the file. */
#ifndef TALLY_CLIENT_REFUSALS_H
#define TALLY_CLIENT_REFUSALS_H

#include <jansson.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"

enum { REFUSALS_KEPT_MAX = 10000, REFUSALS_SHOWN_MAX = 20 };

struct refusal {
    uint32_t line;
    uint32_t column; /* 0: the whole row */
    const char *reason;
};

struct refusals {
    struct arena arena;
    struct refusal kept[REFUSALS_KEPT_MAX];
    size_t kept_count;
    int64_t total;
};

void refusals_init(struct refusals *refusals);
void refusals_deinit(struct refusals *refusals);

void refusals_add(struct refusals *refusals, uint32_t line, size_t column, const char *reason);

/* Some that were counted elsewhere and whose lines are not told. */
void refusals_count(struct refusals *refusals, int64_t more);

/* One line "tally: FILE:LINE: reason; consequence" when one row is wrong; else "tally: FILE:LINE:
 * reason" for the first ones, a count of the rest, and the consequence. On standard error. */
void refusals_print(struct refusals *refusals, const char *file, const char *consequence);

/* The same into a new file as CSV (line, column, reason), as many as are kept. Fails as
 * outfile_open does. */
enum err refusals_write(struct refusals *refusals, const char *path, struct errmsg *msg) MUST_CHECK;

/* [{"line": ..., "reason": ...}] */
json_t *refusals_json(struct refusals *refusals);

#endif

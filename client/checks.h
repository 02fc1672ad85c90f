/* What can be checked of a command line or a row without asking the daemon. Each sentence names the
 * thing; the error is ERR_USAGE. */
#ifndef TALLY_CLIENT_CHECKS_H
#define TALLY_CLIENT_CHECKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A code of a unit, measure or level; `what` is "unit". */
enum err checks_code(const char *what, const char *text, struct errmsg *msg) MUST_CHECK;

/* A text of at most `max_bytes`, UTF-8 without control characters; with `lines`, line breaks too.
 */
enum err checks_text(const char *what, const char *text, size_t max_bytes, bool lines,
                     struct errmsg *msg) MUST_CHECK;

/* A date; empty text is DAY_NONE. */
enum err checks_day(const char *text, int32_t *out, struct errmsg *msg) MUST_CHECK;

/* "90s", "30m", "24h", "7d" between a second and a year. */
enum err checks_duration(const char *text, int64_t *out_ms, struct errmsg *msg) MUST_CHECK;

#endif

/* Values as people write them: "12", "-5", "3.25". A value is stored as an integer number of the
 * measure's smallest steps, so text is exact or refused. */
#ifndef TALLY_PROTO_DECIMAL_H
#define TALLY_PROTO_DECIMAL_H

#include <stdint.h>

#include "base/err.h"

enum { DECIMALS_MAX = 9 };

/* Reads a value with at most `decimals` digits behind the point (zeros beyond are allowed).
 * ERR_USAGE when the text is no number at all; ERR_REFUSED when it is finer than the measure or
 * over 10^15 smallest steps in absolute value. */
enum err decimal_parse(const char *text, int decimals, int64_t *out, struct errmsg *msg) MUST_CHECK;

/* Whether the text has the shape of a value for some number of decimals: ERR_USAGE otherwise. */
enum err decimal_check(const char *text, struct errmsg *msg) MUST_CHECK;

#endif

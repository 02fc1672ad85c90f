/* Indicator formulas: + - * / and parentheses over measures and constants, in units (not smallest
 * steps), computed in exact fractions and rounded once, half away from zero. */
#ifndef TALLY_NODE_FORMULA_H
#define TALLY_NODE_FORMULA_H

#include "base/wide.h"
#include "proto/catalogue.h"

enum { FORMULA_STEPS_MAX = 64, FORMULA_DEPTH_MAX = 16, FRACTION_TEXT_BYTES = 64 };

struct fraction {
    wide over;
    wide under; /* > 0 */
};

enum formula_op {
    FORMULA_MEASURE,
    FORMULA_CONSTANT,
    FORMULA_ADD,
    FORMULA_SUB,
    FORMULA_MUL,
    FORMULA_DIV,
    FORMULA_NEGATE
};

struct formula_step {
    enum formula_op op;
    size_t measure; /* place in the catalogue */
    struct fraction constant;
};

/* In reverse Polish order. */
struct formula {
    struct formula_step steps[FORMULA_STEPS_MAX];
    size_t count;
};

/* ERR_REFUSED with the place in the text and the reason: an unknown measure (the nearest are
 * named), a missing parenthesis, too long. */
enum err formula_parse(const char *text, const struct catalogue *catalogue, struct formula *out,
                       struct errmsg *msg) MUST_CHECK;

/* Gives the total of a measure in smallest steps. */
typedef enum err (*formula_value_fn)(void *ctx, size_t measure, wide *value);

/* *there false: no value (division by zero, or a number beyond 128 bits on the way). */
enum err formula_compute(const struct formula *formula, const struct catalogue *catalogue,
                         formula_value_fn value, void *ctx, bool *there, struct fraction *out)
    MUST_CHECK;

/* Decimal text with that many decimals, rounded half away from zero; false when it does not fit. */
bool fraction_format(const struct fraction *fraction, int decimals, char out[FRACTION_TEXT_BYTES]);

#endif

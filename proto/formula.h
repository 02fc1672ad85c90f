/* Formulas: + - * / (also written − × ÷) and parentheses over constants, measures and
 * indicators of a catalogue, in units (not smallest steps), computed in exact fractions and rounded
 * once, half away from zero. A measure may be followed by the categories that count, as in
 * members[group=cadre]; without them all do. An indicator stands for its own formula times its own
 * factor, before rounding. */
#ifndef TALLY_PROTO_FORMULA_H
#define TALLY_PROTO_FORMULA_H

#include "base/wide.h"
#include "proto/catalogue.h"

enum { FORMULA_STEPS_MAX = 128, FORMULA_DEPTH_MAX = 16, FRACTION_TEXT_BYTES = 64 };

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
    size_t measure;                    /* place in the catalogue */
    uint16_t picks[CATEGORY_DIMS_MAX]; /* by dimension of the measure: place of the value that
                                          counts, from 1; 0: all of them */
    bool picky;                        /* there is one */
    struct fraction constant;
};

/* In reverse Polish order. */
struct formula {
    struct formula_step steps[FORMULA_STEPS_MAX];
    size_t count;
};

/* Whether the text alone can be read, without looking into the indicators that it names.
 * ERR_REFUSED with the place in the text and the reason: an unknown code (the nearest are named), a
 * category that the measure does not have, a missing parenthesis, too long, too deep. */
enum err formula_check(const char *text, const struct catalogue *catalogue, struct errmsg *msg)
    MUST_CHECK;

/* The formula of an indicator, with its factor. ERR_REFUSED also for one that comes to itself. */
enum err formula_of_indicator(const struct indicator *indicator, const struct catalogue *catalogue,
                              struct formula *out, struct errmsg *msg) MUST_CHECK;

/* Whether what was recorded under this category, in catalogue order ("" without one), counts. */
bool formula_takes(const struct formula_step *step, const struct catalogue *catalogue,
                   const char *category);

/* The coarsest frequency among the measures: no finer period has a meaning. */
enum frequency formula_frequency(const struct formula *formula, const struct catalogue *catalogue);

/* Gives the total of a step's measure in smallest steps, over the categories that it takes;
 * *there false: beyond 128 bits. */
typedef enum err (*formula_value_fn)(void *ctx, const struct formula_step *step, bool *there,
                                     wide *value);

/* *there false: no value (division by zero, or a number beyond 128 bits on the way). */
enum err formula_compute(const struct formula *formula, const struct catalogue *catalogue,
                         formula_value_fn value, void *ctx, bool *there, struct fraction *out)
    MUST_CHECK;

/* ---- fractions ---- */

/* `value` in smallest steps of 10^-decimals. */
struct fraction fraction_of(wide value, int decimals);

/* a + b, a - b, a * b, a / b; false when it is beyond 128 bits, or nothing is divided by. */
bool fraction_apply(enum formula_op op, struct fraction a, struct fraction b, struct fraction *out);

/* Decimal text with that many decimals, rounded half away from zero; false when it does not fit. */
bool fraction_format(const struct fraction *fraction, int decimals, char out[FRACTION_TEXT_BYTES]);

#endif

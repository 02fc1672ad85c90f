/* Numbers as people write them. What the daemon sends is an exact decimal text with a point,
 * "-39545000000.5"; it is cut and grouped as text, so nothing is lost on the way to a reader, and
 * rounded only where that is asked for. */
#ifndef TALLY_CLIENT_NUMBER_H
#define TALLY_CLIENT_NUMBER_H

#include <stdbool.h>

#include "base/err.h"

enum { NUMBER_TEXT_BYTES = 400, NUMBER_DIGITS_MAX = 18, NUMBER_MARK_BYTES = 8 };

/* "" for `group` writes no groups; groups are of three digits. */
struct number_style {
    char group[NUMBER_MARK_BYTES];
    char point[NUMBER_MARK_BYTES];
};

struct number_form {
    int shift;    /* digits that the point moves to the left: 9 writes billions */
    int digits;   /* behind the point, rounded half away from zero; -1: all there are */
    bool shorter; /* leaves out zeros at the end behind the point */
    bool sign;    /* a plus, too */
};

/* Digits, perhaps with a minus before and a point and digits behind them: what number_format
 * takes. Texts that are no number ("", "overflow") are not. */
bool number_is(const char *text);

/* ERR_USAGE for what is no number, or too long. */
enum err number_format(const struct number_style *style, const struct number_form *form,
                       const char *text, char out[NUMBER_TEXT_BYTES]) MUST_CHECK;

#endif

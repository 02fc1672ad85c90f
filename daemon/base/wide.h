/* 128-bit signed integers for totals: they add without overflow for any number of cells that could
 * be stored, and are shown as decimal text. */
#ifndef TALLY_BASE_WIDE_H
#define TALLY_BASE_WIDE_H

#include <stdbool.h>
#include <stdint.h>

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

enum { WIDE_TEXT_BYTES = 44 };

wide wide_join(int64_t high, uint64_t low);
int64_t wide_high(wide v);
uint64_t wide_low(wide v);
bool wide_fits_i64(wide v);

/* Decimal text with `decimals` digits behind a point (0 to 18) and a final NUL. */
void wide_format(wide v, int decimals, char out[WIDE_TEXT_BYTES]);

/* a * b and a + b, or true when the exact result does not fit. */
bool wide_mul_overflows(wide a, wide b, wide *out);
bool wide_add_overflows(wide a, wide b, wide *out);

#endif

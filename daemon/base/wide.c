#include "base/wide.h"

#include <string.h>

wide wide_join(int64_t high, uint64_t low)
{
    return (wide)((uwide)(uint64_t)high << 64 | low);
}

int64_t wide_high(wide v)
{
    return (int64_t)(uint64_t)((uwide)v >> 64);
}

uint64_t wide_low(wide v)
{
    return (uint64_t)(uwide)v;
}

bool wide_fits_i64(wide v)
{
    return v >= INT64_MIN && v <= INT64_MAX;
}

void wide_format(wide v, int decimals, char out[WIDE_TEXT_BYTES])
{
    char reversed[WIDE_TEXT_BYTES];
    uwide rest = v < 0 ? -(uwide)v : (uwide)v;
    int n = 0;
    do {
        if (n == decimals && decimals > 0) {
            reversed[n++] = '.';
            decimals = -1;
        }
        reversed[n++] = (char)('0' + (int)(rest % 10));
        rest /= 10;
    } while (rest > 0 || (decimals >= 0 && n <= decimals));
    char *at = out;
    if (v < 0) {
        *at++ = '-';
    }
    while (n > 0) {
        *at++ = reversed[--n];
    }
    *at = '\0';
}

bool wide_mul_overflows(wide a, wide b, wide *out)
{
    return __builtin_mul_overflow(a, b, out);
}

bool wide_add_overflows(wide a, wide b, wide *out)
{
    return __builtin_add_overflow(a, b, out);
}

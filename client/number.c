#include "client/number.h"

#include <string.h>

#include "base/check.h"

enum { TEXT_MAX = 64, PLACES = TEXT_MAX + 2 * NUMBER_DIGITS_MAX + 2 };

/* The number as digits 0 to 9, `whole` of them before the point. */
struct digits {
    bool negative;
    int count;
    int whole;
    unsigned char at[PLACES];
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

bool number_is(const char *text)
{
    size_t at = text[0] == '-' ? 1 : 0;
    size_t whole = strspn(text + at, "0123456789");
    at += whole;
    if (whole == 0 || text[at] == '\0') {
        return whole > 0;
    }
    size_t behind = strspn(text + at + 1, "0123456789");
    return text[at] == '.' && behind > 0 && text[at + 1 + behind] == '\0';
}

static void take_apart(const char *text, struct digits *out)
{
    *out = (struct digits){.negative = text[0] == '-'};
    const char *point = strchr(text, '.');
    for (const char *at = text; *at != '\0'; at++) {
        if (is_digit(*at)) {
            out->at[out->count++] = (unsigned char)(*at - '0');
            out->whole += point == NULL || at < point ? 1 : 0;
        }
    }
}

/* Zeros in front until at least one digit stands before the point. */
static void move_point(struct digits *d, int shift)
{
    d->whole -= shift;
    int lacking = 1 - d->whole;
    if (lacking > 0) {
        memmove(d->at + lacking, d->at, (size_t)d->count);
        memset(d->at, 0, (size_t)lacking);
        d->count += lacking;
        d->whole += lacking;
    }
}

/* So many digits behind the point, half away from zero. */
static void round_to(struct digits *d, int behind)
{
    int wanted = d->whole + behind;
    for (; d->count < wanted; d->count++) {
        d->at[d->count] = 0;
    }
    bool up = wanted < d->count && d->at[wanted] >= 5;
    d->count = wanted;
    for (int i = wanted - 1; up && i >= 0; i--) {
        up = d->at[i] == 9;
        d->at[i] = up ? 0 : (unsigned char)(d->at[i] + 1);
    }
    if (up) {
        memmove(d->at + 1, d->at, (size_t)d->count);
        d->at[0] = 1;
        d->count++;
        d->whole++;
    }
}

static void shorten(struct digits *d)
{
    while (d->count > d->whole && d->at[d->count - 1] == 0) {
        d->count--;
    }
}

static bool is_zero(const struct digits *d)
{
    for (int i = 0; i < d->count; i++) {
        if (d->at[i] != 0) {
            return false;
        }
    }
    return true;
}

static void put(char **to, const char *text)
{
    size_t len = strlen(text);
    memcpy(*to, text, len);
    *to += len;
}

static void write_out(const struct number_style *style, const struct digits *d, bool sign,
                      char *out)
{
    char *to = out;
    int from = 0;
    while (from < d->whole - 1 && d->at[from] == 0) {
        from++;
    }
    if (!is_zero(d)) { /* a nought has no sign */
        put(&to, d->negative ? "-" : sign ? "+" : "");
    }
    for (int i = from; i < d->count; i++) {
        int left = d->whole - i;
        if (left == 0) {
            put(&to, style->point);
        } else if (left > 0 && left % 3 == 0 && i > from) {
            put(&to, style->group);
        }
        *to++ = (char)('0' + d->at[i]);
    }
    *to = '\0';
}

enum err number_format(const struct number_style *style, const struct number_form *form,
                       const char *text, char out[NUMBER_TEXT_BYTES])
{
    struct digits d;
    REQUIRE(form->shift >= 0 && form->shift <= NUMBER_DIGITS_MAX);
    REQUIRE(form->digits >= -1 && form->digits <= NUMBER_DIGITS_MAX);
    if (!number_is(text) || strlen(text) > TEXT_MAX) {
        return ERR_USAGE;
    }
    take_apart(text, &d);
    move_point(&d, form->shift);
    if (form->digits >= 0) {
        round_to(&d, form->digits);
    }
    if (form->shorter) {
        shorten(&d);
    }
    write_out(style, &d, form->sign, out);
    return ERR_OK;
}

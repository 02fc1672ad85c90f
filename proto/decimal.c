#include "proto/decimal.h"

#include <stdbool.h>
#include <string.h>

#include "proto/limits.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

enum err decimal_check(const char *text, struct errmsg *msg)
{
    const char *at = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    size_t whole = strspn(at, "0123456789");
    const char *rest = at + whole;
    size_t behind = rest[0] == '.' ? strspn(rest + 1, "0123456789") : 0;
    bool shaped = whole > 0 && (rest[0] == '\0' || (behind > 0 && rest[1 + behind] == '\0'));
    if (!shaped || strlen(text) >= VALUE_TEXT_MAX_BYTES) {
        return err_fail(msg, ERR_USAGE,
                        "value \"%.40s\" is not a number like 1200, -5 or 3.25 (no spaces, no "
                        "thousands separators)",
                        text);
    }
    return ERR_OK;
}

enum err decimal_parse(const char *text, int decimals, int64_t *out, struct errmsg *msg)
{
    enum err err = decimal_check(text, msg);
    if (err != ERR_OK) {
        return err;
    }
    bool negative = text[0] == '-';
    const char *at = text[0] == '-' || text[0] == '+' ? text + 1 : text;
    int64_t value = 0;
    int left = decimals;
    bool behind = false;
    for (; *at != '\0'; at++) {
        if (*at == '.') {
            behind = true;
            continue;
        }
        if (behind && left == 0 && *at != '0') {
            return err_fail(msg, ERR_REFUSED,
                            "value %s is finer than the measure, which has %d decimal%s", text,
                            decimals, decimals == 1 ? "" : "s");
        }
        if (behind && left == 0) {
            continue;
        }
        left -= behind ? 1 : 0;
        value = is_digit(*at) && value <= VALUE_MAX ? value * 10 + (*at - '0') : value;
    }
    for (; left > 0 && value <= VALUE_MAX; left--) {
        value *= 10;
    }
    if (value > VALUE_MAX) {
        return err_fail(msg, ERR_REFUSED,
                        "value %s is out of range: at most 10^15 smallest steps of the measure",
                        text);
    }
    *out = negative ? -value : value;
    return ERR_OK;
}

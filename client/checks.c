#include "client/checks.h"

#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "proto/limits.h"

#define SECOND_MS INT64_C(1000)
#define MINUTE_MS INT64_C(60000)

enum { DURATION_DIGITS_MAX = 6, DAYS_MAX = 365 };

enum err checks_code(const char *what, const char *text, struct errmsg *msg)
{
    if (text[0] == '\0') {
        return err_fail(msg, ERR_USAGE, "the %s is empty", what);
    }
    if (!text_is_code(text, CODE_MAX_BYTES)) {
        return err_fail(
            msg, ERR_USAGE,
            "%s \"%.70s\" is no code: at most %d bytes, without spaces, quotes, commas, "
            "slashes or \"=\"",
            what, text, CODE_MAX_BYTES);
    }
    return ERR_OK;
}

enum err checks_text(const char *what, const char *text, size_t max_bytes, bool lines,
                     struct errmsg *msg)
{
    size_t len = strlen(text);
    if (len > max_bytes) {
        return err_fail(msg, ERR_USAGE, "the %s is longer than %zu bytes", what, max_bytes);
    }
    if (!text_is_clean(text, len, lines)) {
        return err_fail(msg, ERR_USAGE, "the %s is not UTF-8, or has a control character", what);
    }
    return ERR_OK;
}

enum err checks_day(const char *text, int32_t *out, struct errmsg *msg)
{
    if (text[0] == '\0') {
        *out = DAY_NONE;
        return ERR_OK;
    }
    return day_parse(text, out, msg);
}

enum err checks_duration(const char *text, int64_t *out_ms, struct errmsg *msg)
{
    size_t digits = strspn(text, "0123456789");
    char unit = text[digits];
    int64_t unit_ms = unit == 's'   ? SECOND_MS
                      : unit == 'm' ? MINUTE_MS
                      : unit == 'h' ? 60 * MINUTE_MS
                      : unit == 'd' ? 24 * 60 * MINUTE_MS
                                    : 0;
    bool shaped =
        digits > 0 && digits <= DURATION_DIGITS_MAX && unit_ms > 0 && text[digits + 1] == '\0';
    int64_t number = 0;
    for (size_t i = 0; shaped && i < digits; i++) {
        number = number * 10 + (text[i] - '0');
    }
    if (!shaped || number == 0 || number * unit_ms > DAYS_MAX * 24 * 60 * MINUTE_MS) {
        return err_fail(msg, ERR_USAGE,
                        "\"%.40s\" is no time like 90s, 30m, 24h or 7d, of at most %d days", text,
                        DAYS_MAX);
    }
    *out_ms = number * unit_ms;
    return ERR_OK;
}

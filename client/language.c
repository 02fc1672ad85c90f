#include "client/language.h"

#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/text.h"

#define DOMAIN "tally"

struct speech {
    struct language language;
    void (*period)(struct period period, int year, int part, char *out);
    void (*day)(int year, int month, int day, char *out);
};

/* ---- English ---- */

static const char *const MONTHS[12] = {"January",   "February", "March",    "April",
                                       "May",       "June",     "July",     "August",
                                       "September", "October",  "November", "December"};
static const char *const ORDINALS[4] = {"first", "second", "third", "fourth"};

static void english_day(int year, int month, int day, char *out)
{
    (void)snprintf(out, LANGUAGE_TEXT_BYTES, "%d %s %d", day, MONTHS[month - 1], year);
}

static void english_period(struct period period, int year, int part, char *out)
{
    if (period.frequency == FREQUENCY_HALF || period.frequency == FREQUENCY_QUARTER) {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "the %s %s of %d", ORDINALS[part - 1],
                       frequency_name(period.frequency), year);
    } else if (period.frequency == FREQUENCY_MONTH) {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "%s %d", MONTHS[part - 1], year);
    } else {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "%d", year);
    }
}

/* ---- Vietnamese ---- */

static void vietnamese_day(int year, int month, int day, char *out)
{
    (void)snprintf(out, LANGUAGE_TEXT_BYTES, "%d/%d/%d", day, month, year);
}

static void vietnamese_period(struct period period, int year, int part, char *out)
{
    if (period.frequency == FREQUENCY_HALF) {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "6 tháng %s năm %d", part == 1 ? "đầu" : "cuối",
                       year);
    } else if (period.frequency == FREQUENCY_QUARTER) {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "quý %d năm %d", part, year);
    } else if (period.frequency == FREQUENCY_MONTH) {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "tháng %d năm %d", part, year);
    } else {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "năm %d", year);
    }
}

/* ---- which one ---- */

static const struct speech PLAIN = {{"en", {"", "."}, true}, english_period, english_day};
static const struct speech SPEECHES[] = {
    {{"en", {",", "."}, false}, english_period, english_day},
    {{"vi", {".", ","}, false}, vietnamese_period, vietnamese_day},
};

static const struct speech *now = &PLAIN;

static const struct speech *find(const char *code)
{
    for (size_t i = 0; i < sizeof SPEECHES / sizeof *SPEECHES; i++) {
        size_t len = strlen(SPEECHES[i].language.code);
        bool ends = strncmp(code, SPEECHES[i].language.code, len) == 0 &&
                    (code[len] == '\0' || strchr("_.@", code[len]) != NULL);
        if (ends) {
            return &SPEECHES[i];
        }
    }
    return NULL;
}

static const char *wanted_locale(void)
{
    static const char *const NAMES[] = {"LC_ALL", "LC_MESSAGES", "LANG"};
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *value = getenv(NAMES[i]);
        if (value != NULL && value[0] != '\0') {
            return value;
        }
    }
    return "C";
}

/* Beside the program: it may be run from where it was built. */
static void bind_catalogues(void)
{
    static char path[PATH_MAX + sizeof "/../share/locale"];
    ssize_t len = readlink("/proc/self/exe", path, PATH_MAX - 1);
    char *slash = len <= 0 ? NULL : memrchr(path, '/', (size_t)len);
    if (slash != NULL) {
        memcpy(slash, "/../share/locale", sizeof "/../share/locale");
        (void)bindtextdomain(DOMAIN, path);
    }
    (void)bind_textdomain_codeset(DOMAIN, "UTF-8");
    (void)textdomain(DOMAIN);
}

/* gettext looks nothing up in the locale C, and in every other one first in the language that
 * LANGUAGE names: that one need not be installed. */
static void speak(const struct speech *speech)
{
    now = speech;
    if (setlocale(LC_MESSAGES, "") == NULL || strcmp(setlocale(LC_MESSAGES, NULL), "C") == 0 ||
        strcmp(setlocale(LC_MESSAGES, NULL), "POSIX") == 0) {
        (void)setlocale(LC_MESSAGES, "C.UTF-8");
    }
    (void)setenv("LANGUAGE", speech->language.code, 1);
}

void language_init(void)
{
    const char *locale = wanted_locale();
    const struct speech *speech = find(locale);
    bind_catalogues();
    if (speech != NULL) {
        speak(speech);
    }
}

enum err language_choose(const char *code, struct errmsg *msg)
{
    const struct speech *speech = find(code);
    if (speech == NULL || strcmp(code, speech->language.code) != 0) {
        return err_fail(msg, ERR_USAGE, "--lang is vi or en, not \"%.20s\"", code);
    }
    speak(speech);
    return ERR_OK;
}

const struct language *language_now(void)
{
    return &now->language;
}

const char *language_period(const char *text, char out[LANGUAGE_TEXT_BYTES])
{
    struct period period;
    if (period_parse(text, &period, NULL) != ERR_OK) {
        (void)snprintf(out, LANGUAGE_TEXT_BYTES, "%s", text);
        return out;
    }
    if (period.frequency == FREQUENCY_DAY) {
        return language_day(period.index, out);
    }
    int year;
    int month;
    int day;
    struct period year_of;
    day_to_civil(period_first_day(period), &year, &month, &day);
    year_of = period_of_day(FREQUENCY_YEAR, period_first_day(period));
    int32_t first;
    int32_t last;
    (void)period_range(year_of, period.frequency, &first, &last);
    now->period(period, year, period.index - first + 1, out);
    return out;
}

const char *language_day(int32_t day, char out[LANGUAGE_TEXT_BYTES])
{
    int year;
    int month;
    int of_month;
    day_to_civil(day, &year, &month, &of_month);
    now->day(year, month, of_month, out);
    return out;
}

const char *language_state(enum link_state state)
{
    static const char *const NAMES[] = {N_("never"), N_("offline"), N_("catching up"),
                                        N_("exact"), N_("refused"), N_("fenced")};
    return (unsigned)state <= LINK_FENCED ? _(NAMES[state]) : "?";
}

void language_sources(char *out, size_t size, const char *as_of, int64_t exact, int64_t nodes)
{
    (void)snprintf(out, size,
                   ngettext("as of %s, %lld of %lld node exact",
                            "as of %s, %lld of %lld nodes exact", (unsigned long)nodes),
                   as_of, (long long)exact, (long long)nodes);
}

#include "proto/period.h"

#include <stdio.h>
#include <string.h>

static const char *const NAMES[FREQUENCY_COUNT] = {"year", "half", "quarter", "month", "day"};
static const int PER_YEAR[FREQUENCY_COUNT] = {1, 2, 4, 12, 0};

const char *frequency_name(enum frequency frequency)
{
    return NAMES[frequency];
}

enum err frequency_parse(const char *text, enum frequency *out)
{
    for (int i = 0; i < FREQUENCY_COUNT; i++) {
        if (strcmp(text, NAMES[i]) == 0) {
            *out = (enum frequency)i;
            return ERR_OK;
        }
    }
    return ERR_USAGE;
}

static bool two_digits(const char *text, int *out)
{
    if (text[0] < '0' || text[0] > '9' || text[1] < '0' || text[1] > '9') {
        return false;
    }
    *out = (text[0] - '0') * 10 + (text[1] - '0');
    return true;
}

/* The part behind the year: "", "H1", "Q2" or "-06". */
static bool part_parse(const char *rest, int year, struct period *out)
{
    size_t len = strlen(rest);
    int number = 0;
    if (len == 0) {
        *out = (struct period){FREQUENCY_YEAR, year};
        return true;
    }
    if (len == 2 && rest[0] == 'H' && (rest[1] == '1' || rest[1] == '2')) {
        *out = (struct period){FREQUENCY_HALF, year * 2 + (rest[1] - '1')};
        return true;
    }
    if (len == 2 && rest[0] == 'Q' && rest[1] >= '1' && rest[1] <= '4') {
        *out = (struct period){FREQUENCY_QUARTER, year * 4 + (rest[1] - '1')};
        return true;
    }
    if (len == 3 && rest[0] == '-' && two_digits(rest + 1, &number) && number >= 1 &&
        number <= 12) {
        *out = (struct period){FREQUENCY_MONTH, year * 12 + number - 1};
        return true;
    }
    return false;
}

enum err period_parse(const char *text, struct period *out, struct errmsg *msg)
{
    if (strlen(text) == 10) {
        int32_t day;
        enum err err = day_parse(text, &day, msg);
        if (err == ERR_OK) {
            *out = (struct period){FREQUENCY_DAY, day};
        }
        return err;
    }
    int century;
    int of_century;
    bool shaped =
        strlen(text) >= 4 && two_digits(text, &century) && two_digits(text + 2, &of_century);
    if (!shaped || century * 100 + of_century < 1 ||
        !part_parse(text + 4, century * 100 + of_century, out)) {
        return err_fail(msg, ERR_USAGE,
                        "\"%.40s\" is no period; write 2023, 2023H1, 2023Q2, 2023-06 or 2023-06-18",
                        text);
    }
    return ERR_OK;
}

struct period period_year_before(struct period period)
{
    if (period.frequency != FREQUENCY_DAY) {
        return (struct period){period.frequency, period.index - PER_YEAR[period.frequency]};
    }
    int year;
    int month;
    int day;
    day_to_civil(period.index, &year, &month, &day);
    day = month == 2 && day == 29 ? 28 : day;
    return (struct period){FREQUENCY_DAY, day_from_civil(year - 1, month, day)};
}

enum err period_span_parse(const char *text, struct period_span *out, struct errmsg *msg)
{
    const char *dots = strstr(text, "..");
    size_t len = dots == NULL ? strlen(text) : (size_t)(dots - text);
    char begin[PERIOD_TEXT_BYTES];
    struct period first;
    struct period last;
    if (dots == NULL || len >= sizeof begin) {
        TRY(period_parse(text, &first, msg));
        *out = (struct period_span){first.frequency, first.index, first.index};
        return ERR_OK;
    }
    memcpy(begin, text, len);
    begin[len] = '\0';
    TRY(period_parse(begin, &first, msg));
    TRY(period_parse(dots + 2, &last, msg));
    if (first.frequency != last.frequency) {
        return err_fail(msg, ERR_USAGE,
                        "\"%.70s\" goes from a %s to a %s; write both ends of the same length",
                        text, frequency_name(first.frequency), frequency_name(last.frequency));
    }
    if (last.index < first.index) {
        return err_fail(msg, ERR_USAGE, "\"%.70s\" ends before it begins", text);
    }
    *out = (struct period_span){first.frequency, first.index, last.index};
    return ERR_OK;
}

void period_format(struct period period, char out[PERIOD_TEXT_BYTES])
{
    if (period.frequency == FREQUENCY_DAY) {
        day_format(period.index, out);
        return;
    }
    int per_year = PER_YEAR[period.frequency];
    int year = period.index / per_year % 10000;
    int part = period.index % per_year + 1;
    switch (period.frequency) {
    case FREQUENCY_YEAR:
        (void)snprintf(out, PERIOD_TEXT_BYTES, "%04d", year);
        break;
    case FREQUENCY_HALF:
        (void)snprintf(out, PERIOD_TEXT_BYTES, "%04dH%d", year, part);
        break;
    case FREQUENCY_QUARTER:
        (void)snprintf(out, PERIOD_TEXT_BYTES, "%04dQ%d", year, part);
        break;
    case FREQUENCY_MONTH:
        (void)snprintf(out, PERIOD_TEXT_BYTES, "%04d-%02d", year, part);
        break;
    case FREQUENCY_DAY:
    case FREQUENCY_COUNT:
        break;
    }
}

struct period period_of_day(enum frequency frequency, int32_t day)
{
    int year;
    int month;
    int of_month;
    if (frequency == FREQUENCY_DAY) {
        return (struct period){frequency, day};
    }
    day_to_civil(day, &year, &month, &of_month);
    int per_year = PER_YEAR[frequency];
    return (struct period){frequency, year * per_year + (month - 1) / (12 / per_year)};
}

/* The first day of the period with this index; also of the one after the last. */
static int32_t first_day(enum frequency frequency, int32_t index)
{
    if (frequency == FREQUENCY_DAY) {
        return index;
    }
    int per_year = PER_YEAR[frequency];
    return day_from_civil(index / per_year, index % per_year * (12 / per_year) + 1, 1);
}

int32_t period_first_day(struct period period)
{
    return first_day(period.frequency, period.index);
}

int32_t period_last_day(struct period period)
{
    return first_day(period.frequency, period.index + 1) - 1;
}

bool period_range(struct period period, enum frequency frequency, int32_t *first, int32_t *last)
{
    if (frequency < period.frequency) {
        return false;
    }
    *first = period_of_day(frequency, period_first_day(period)).index;
    *last = period_of_day(frequency, period_last_day(period)).index;
    return true;
}

bool period_index_valid(enum frequency frequency, int32_t index)
{
    if (frequency == FREQUENCY_DAY) {
        return index >= DAY_MIN && index <= DAY_MAX;
    }
    return index >= PER_YEAR[frequency] && index < 10000 * PER_YEAR[frequency];
}

#include "base/clock.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static bool leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int month_length(int year, int month)
{
    static const int LENGTHS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && leap(year) ? 29 : LENGTHS[month - 1];
}

/* Counts from 1 March of year 0, so that the leap day ends its year: the months from March on have
 * a fixed pattern of 153 days in five. */
int32_t day_from_civil(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = (y >= 0 ? y : y - 399) / 400;
    int in_era = y - era * 400;
    int shifted = month > 2 ? month - 3 : month + 9;
    int in_year = (153 * shifted + 2) / 5 + day - 1;
    int day_of_era = in_era * 365 + in_era / 4 - in_era / 100 + in_year;
    return era * 146097 + day_of_era - 719468;
}

void day_to_civil(int32_t day, int *year, int *month, int *day_of_month)
{
    int z = day + 719468;
    int era = (z >= 0 ? z : z - 146096) / 146097;
    int of_era = z - era * 146097;
    int in_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int in_year = of_era - (365 * in_era + in_era / 4 - in_era / 100);
    int shifted = (5 * in_year + 2) / 153;
    *day_of_month = in_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = in_era + era * 400 + (*month <= 2 ? 1 : 0);
}

static bool digits(const char *text, size_t from, size_t count, int *out)
{
    int value = 0;
    for (size_t i = from; i < from + count; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (text[i] - '0');
    }
    *out = value;
    return true;
}

enum err day_parse(const char *text, int32_t *out, struct errmsg *msg)
{
    int year;
    int month;
    int day;
    bool shaped = strlen(text) == 10 && text[4] == '-' && text[7] == '-' &&
                  digits(text, 0, 4, &year) && digits(text, 5, 2, &month) &&
                  digits(text, 8, 2, &day);
    if (!shaped) {
        return err_fail(msg, ERR_USAGE, "date \"%.40s\" is not of the form 2023-06-18", text);
    }
    if (year < 1 || month < 1 || month > 12 || day < 1 || day > month_length(year, month)) {
        return err_fail(msg, ERR_USAGE, "date \"%s\" is not in the calendar", text);
    }
    *out = day_from_civil(year, month, day);
    return ERR_OK;
}

void day_format(int32_t day, char out[DAY_TEXT_BYTES])
{
    int year;
    int month;
    int of_month;
    day_to_civil(day < DAY_MIN ? DAY_MIN : day > DAY_MAX ? DAY_MAX : day, &year, &month, &of_month);
    (void)snprintf(out, DAY_TEXT_BYTES, "%04u-%02u-%02u", (unsigned)year % 10000u,
                   (unsigned)month % 100u, (unsigned)of_month % 100u);
}

void wall_format(struct wall wall, char out[WALL_TEXT_BYTES])
{
    int64_t seconds = wall.ms / 1000 - (wall.ms % 1000 < 0 ? 1 : 0);
    int64_t days = seconds / 86400 - (seconds % 86400 < 0 ? 1 : 0);
    int64_t rest = seconds - days * 86400;
    char day[DAY_TEXT_BYTES];
    day_format(days < DAY_MIN ? DAY_MIN : days > DAY_MAX ? DAY_MAX : (int32_t)days, day);
    (void)snprintf(out, WALL_TEXT_BYTES, "%sT%02d:%02d:%02dZ", day, (int)(rest / 3600),
                   (int)(rest / 60 % 60), (int)(rest % 60));
}

struct now clock_read(void)
{
    struct timespec mono;
    struct timespec wall;
    (void)clock_gettime(CLOCK_MONOTONIC, &mono);
    (void)clock_gettime(CLOCK_REALTIME, &wall);
    struct tm local;
    time_t seconds = wall.tv_sec;
    struct now now = {.mono = {mono.tv_sec * 1000 + mono.tv_nsec / 1000000},
                      .wall = {wall.tv_sec * 1000 + wall.tv_nsec / 1000000}};
    if (localtime_r(&seconds, &local) != NULL && local.tm_year >= -1899 && local.tm_year <= 8099) {
        now.today = day_from_civil(local.tm_year + 1900, local.tm_mon + 1, local.tm_mday);
    } else {
        now.today = (int32_t)(wall.tv_sec / 86400);
    }
    return now;
}

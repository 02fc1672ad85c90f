/* Typed time. Wall time is shown to people and never orders anything; the monotonic clock drives
 * timers. A day is the number of days since 1970-01-01 in the proleptic Gregorian calendar. */
#ifndef TALLY_BASE_CLOCK_H
#define TALLY_BASE_CLOCK_H

#include <stdint.h>

#include "base/err.h"

struct wall {
    int64_t ms; /* since 1970-01-01T00:00:00Z */
};

struct mono {
    int64_t ms; /* since some start; never goes back */
};

/* The three readings that come with every event. */
struct now {
    struct mono mono;
    struct wall wall;
    int32_t today; /* the day in the machine's time zone */
};

enum {
    DAY_TEXT_BYTES = 16,
    WALL_TEXT_BYTES = 32,
    DAY_MIN = -719162,
    DAY_MAX = 2932896
}; /* 0001-01-01 .. 9999-12-31 */

#define DAY_NONE INT32_MIN

/* Days of the calendar; month 1..12. day_from_civil wants a real date. */
int32_t day_from_civil(int year, int month, int day);
void day_to_civil(int32_t day, int *year, int *month, int *day_of_month);
int month_length(int year, int month);

/* "2023-06-18"; ERR_USAGE when it is no date, with the reason. */
enum err day_parse(const char *text, int32_t *out, struct errmsg *msg) MUST_CHECK;
void day_format(int32_t day, char out[DAY_TEXT_BYTES]);

/* "2023-07-18T13:09:00Z". */
void wall_format(struct wall wall, char out[WALL_TEXT_BYTES]);

/* Reads the machine's clocks. */
struct now clock_read(void);

#endif

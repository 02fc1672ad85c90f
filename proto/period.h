/* Periods: years, halves, quarters, months and days. A measure has one frequency, and its cells lie
 * in periods of that length; a period of a frequency is one integer (year, year*2+half-1,
 * year*4+quarter-1, year*12+month-1, day number), so that a longer period is a range of shorter
 * ones. */
#ifndef TALLY_PROTO_PERIOD_H
#define TALLY_PROTO_PERIOD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/err.h"

/* From coarse to fine. */
enum frequency {
    FREQUENCY_YEAR,
    FREQUENCY_HALF,
    FREQUENCY_QUARTER,
    FREQUENCY_MONTH,
    FREQUENCY_DAY,
    FREQUENCY_COUNT
};

enum { PERIOD_TEXT_BYTES = 32 };

struct period {
    enum frequency frequency;
    int32_t index;
};

const char *frequency_name(enum frequency frequency);
enum err frequency_parse(const char *text, enum frequency *out) MUST_CHECK;

/* "2023", "2023H1", "2023Q2", "2023-06", "2023-06-18"; ERR_USAGE with the forms otherwise. */
enum err period_parse(const char *text, struct period *out, struct errmsg *msg) MUST_CHECK;
void period_format(struct period period, char out[PERIOD_TEXT_BYTES]);

/* The same part of the year before; of 29 February the 28th. */
struct period period_year_before(struct period period);

/* One period or several in a row, all of one length: "2023H1", "2022H1..2023H1". */
struct period_span {
    enum frequency frequency;
    int32_t first;
    int32_t last;
};

/* ERR_USAGE, with the reason, also when the ends are not of one length or the second one comes
 * before the first. */
enum err period_span_parse(const char *text, struct period_span *out, struct errmsg *msg)
    MUST_CHECK;

/* The period of that frequency in which the day lies; its first and last day. */
struct period period_of_day(enum frequency frequency, int32_t day);
int32_t period_first_day(struct period period);
int32_t period_last_day(struct period period);

/* The range of periods of a finer (or the same) frequency that make up `period`; false when
 * `frequency` is coarser. */
bool period_range(struct period period, enum frequency frequency, int32_t *first, int32_t *last);

/* Whether the index is one that a day of years 1 to 9999 can have. */
bool period_index_valid(enum frequency frequency, int32_t index);

#endif

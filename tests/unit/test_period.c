/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/period.h"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum frequency frequency;
        int32_t index;
        const char *first, *last;
    } ROWS[] = {
        {"2023", FREQUENCY_YEAR, 2023, "2023-01-01", "2023-12-31"},
        {"2023H1", FREQUENCY_HALF, 4046, "2023-01-01", "2023-06-30"},
        {"2023H2", FREQUENCY_HALF, 4047, "2023-07-01", "2023-12-31"},
        {"2023Q1", FREQUENCY_QUARTER, 8092, "2023-01-01", "2023-03-31"},
        {"2023Q2", FREQUENCY_QUARTER, 8093, "2023-04-01", "2023-06-30"},
        {"2023Q3", FREQUENCY_QUARTER, 8094, "2023-07-01", "2023-09-30"},
        {"2023Q4", FREQUENCY_QUARTER, 8095, "2023-10-01", "2023-12-31"},
        {"2023-01", FREQUENCY_MONTH, 24276, "2023-01-01", "2023-01-31"},
        {"2023-02", FREQUENCY_MONTH, 24277, "2023-02-01", "2023-02-28"},
        {"2024-02", FREQUENCY_MONTH, 24289, "2024-02-01", "2024-02-29"},
        {"2023-12", FREQUENCY_MONTH, 24287, "2023-12-01", "2023-12-31"},
        {"2023-06-18", FREQUENCY_DAY, 19526, "2023-06-18", "2023-06-18"},
        {"0001", FREQUENCY_YEAR, 1, "0001-01-01", "0001-12-31"},
        {"0001H1", FREQUENCY_HALF, 2, "0001-01-01", "0001-06-30"},
        {"9999", FREQUENCY_YEAR, 9999, "9999-01-01", "9999-12-31"},
        {"9999H2", FREQUENCY_HALF, 19999, "9999-07-01", "9999-12-31"},
        {"9999Q4", FREQUENCY_QUARTER, 39999, "9999-10-01", "9999-12-31"},
        {"9999-12", FREQUENCY_MONTH, 119999, "9999-12-01", "9999-12-31"},
        {"9999-12-31", FREQUENCY_DAY, DAY_MAX, "9999-12-31", "9999-12-31"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct period period;
        struct errmsg msg = {{0}};
        char text[PERIOD_TEXT_BYTES], day[DAY_TEXT_BYTES];
        assert_int_equal(period_parse(ROWS[i].text, &period, &msg), ERR_OK);
        assert_int_equal(period.frequency, ROWS[i].frequency);
        assert_int_equal(period.index, ROWS[i].index);
        assert_true(period_index_valid(period.frequency, period.index));
        period_format(period, text);
        assert_string_equal(text, ROWS[i].text);
        day_format(period_first_day(period), day);
        assert_string_equal(day, ROWS[i].first);
        day_format(period_last_day(period), day);
        assert_string_equal(day, ROWS[i].last);
    }
}

static void test_bad_forms(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",         "2",        "202",        "20233",      "0000",        "0000H1",     "2023H",
        "2023H0",   "2023H3",   "2023h1",     "2023H11",    "2023Q0",      "2023Q5",     "2023q1",
        "2023Q",    "2023-",    "2023-1",     "2023-00",    "2023-13",     "2023-1x",    "2023-123",
        "2023-06-", "2023-6-1", "2023-06-31", "2023-02-29", "2023W01",     " 2023",      "2023 ",
        "-2023",    "+2023",    "2023.5",     "2023/06",    "202x",        "x023",       "H1",
        "2023-H1",  "2023 H1",  "2023H1 ",    "0000-06-18", "2023-06-18T", "2023-0\xc4", "2023M06"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct period period = {FREQUENCY_DAY, 77};
        struct errmsg msg = {{0}};
        if (period_parse(BAD[i], &period, &msg) != ERR_USAGE || msg.text[0] == '\0') {
            fail_msg("\"%s\" was taken", BAD[i]);
        }
        assert_true(period.frequency == FREQUENCY_DAY && period.index == 77);
    }
}

static void test_frequencies(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"year", "half", "quarter", "month", "day"};
    for (int i = 0; i < FREQUENCY_COUNT; i++) {
        enum frequency out = FREQUENCY_COUNT;
        assert_string_equal(frequency_name((enum frequency)i), NAMES[i]);
        assert_int_equal(frequency_parse(NAMES[i], &out), ERR_OK);
        assert_int_equal(out, i);
    }
    static const char *const BAD[] = {"", "Year", "years", "week", "mont", "day "};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        enum frequency out = FREQUENCY_DAY;
        assert_int_equal(frequency_parse(BAD[i], &out), ERR_USAGE);
        assert_int_equal(out, FREQUENCY_DAY);
    }
}

/* Over leap and common years, the first and the last ones: periods of a frequency follow each other
 * without a gap, and every day lies in the period whose days are around it. */
static void test_days(void **state)
{
    (void)state;
    static const int YEARS[] = {1, 4, 100, 400, 1899, 1900, 1969, 2000, 2023, 2024, 9996, 9999};
    for (size_t i = 0; i < sizeof YEARS / sizeof YEARS[0]; i++) {
        int32_t first = day_from_civil(YEARS[i], 1, 1);
        int32_t last = day_from_civil(YEARS[i], 12, 31);
        for (int f = 0; f < FREQUENCY_COUNT; f++) {
            struct period before = period_of_day((enum frequency)f, first);
            assert_int_equal(period_first_day(before), first);
            for (int32_t day = first; day <= last; day++) {
                struct period period = period_of_day((enum frequency)f, day);
                bool begins = period_first_day(period) == day;
                bool same = period.index == before.index;
                bool next = period.index == before.index + 1;
                if (day < period_first_day(period) || day > period_last_day(period) ||
                    !(day == first || (begins ? next : same))) {
                    fail_msg("day %d, frequency %d", day, f);
                }
                before = period;
            }
            assert_int_equal(period_last_day(before), last);
        }
    }
}

/* A period as a range of finer ones: how many they are, that they begin and end where it does, and
 * that those next to the range lie outside. */
static void test_ranges(void **state)
{
    (void)state;
    static const int COUNTS[FREQUENCY_COUNT][FREQUENCY_COUNT] = {
        {1, 2, 4, 12, 366}, {0, 1, 2, 6, 182}, {0, 0, 1, 3, 91}, {0, 0, 0, 1, 29}, {0, 0, 0, 0, 1}};
    int32_t day = day_from_civil(2024, 2, 29);
    for (int f = 0; f < FREQUENCY_COUNT; f++) {
        struct period period = period_of_day((enum frequency)f, day);
        for (int g = 0; g < FREQUENCY_COUNT; g++) {
            int32_t first = 77, last = 78;
            bool there = period_range(period, (enum frequency)g, &first, &last);
            assert_int_equal(there, g >= f);
            if (!there) {
                assert_true(first == 77 && last == 78);
                continue;
            }
            assert_int_equal(last - first + 1, COUNTS[f][g]);
            struct period a = {(enum frequency)g, first}, b = {(enum frequency)g, last};
            assert_int_equal(period_first_day(a), period_first_day(period));
            assert_int_equal(period_last_day(b), period_last_day(period));
        }
    }
}

static void test_valid_indexes(void **state)
{
    (void)state;
    for (int f = 0; f < FREQUENCY_COUNT; f++) {
        enum frequency frequency = (enum frequency)f;
        int32_t low = period_of_day(frequency, DAY_MIN).index;
        int32_t high = period_of_day(frequency, DAY_MAX).index;
        assert_true(period_index_valid(frequency, low) && period_index_valid(frequency, high));
        assert_false(period_index_valid(frequency, low - 1));
        assert_false(period_index_valid(frequency, high + 1));
        assert_false(period_index_valid(frequency, INT32_MIN));
        assert_false(period_index_valid(frequency, INT32_MAX));
    }
}

static void test_spans(void **state)
{
    (void)state;
    struct period_span span;
    struct errmsg msg;
    assert_int_equal(period_span_parse("2023H1", &span, &msg), ERR_OK);
    assert_true(span.frequency == FREQUENCY_HALF && span.first == 4046 && span.last == 4046);
    assert_int_equal(period_span_parse("2022H1..2023H1", &span, &msg), ERR_OK);
    assert_true(span.frequency == FREQUENCY_HALF && span.first == 4044 && span.last == 4046);
    assert_int_equal(period_span_parse("2023-02-28..2023-03-01", &span, &msg), ERR_OK);
    assert_true(span.frequency == FREQUENCY_DAY && span.last - span.first == 1);
    static const struct {
        const char *text, *part;
    } BAD[] = {{"2022..2023H1", "from a year to a half"},
               {"2023H2..2023H1", "ends before it begins"},
               {"2022..", "\"\" is no period"},
               {"..2022", "\"\" is no period"},
               {"2022...2023", "\".2023\" is no period"},
               {"2022..2023..2024", "\"2023..2024\" is not of the form"},
               {"2022-2023", "is no period"},
               {"a word that is longer than any period can be..2022", "is no period"}};
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        msg.text[0] = '\0';
        assert_int_equal(period_span_parse(BAD[i].text, &span, &msg), ERR_USAGE);
        if (strstr(msg.text, BAD[i].part) == NULL) {
            fail_msg("%s: %s", BAD[i].text, msg.text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),       cmocka_unit_test(test_bad_forms),
        cmocka_unit_test(test_frequencies), cmocka_unit_test(test_days),
        cmocka_unit_test(test_ranges),      cmocka_unit_test(test_valid_indexes),
        cmocka_unit_test(test_spans)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

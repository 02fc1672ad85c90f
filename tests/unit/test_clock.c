/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

/* The rule in other words than those of the code. */
static int days_of_month(int year, int month)
{
    bool leap = year % 400 == 0 || (year % 4 == 0 && year % 100 != 0);
    switch (month) {
    case 2:
        return leap ? 29 : 28;
    case 4:
    case 6:
    case 9:
    case 11:
        return 30;
    default:
        return 31;
    }
}

/* Walks the calendar from the first day to the last, one day at a time, and compares every one. */
static void test_every_day(void **state)
{
    (void)state;
    int32_t day = DAY_MIN;
    for (int year = 1; year <= 9999; year++) {
        for (int month = 1; month <= 12; month++) {
            int length = days_of_month(year, month);
            assert_int_equal(month_length(year, month), length);
            for (int of_month = 1; of_month <= length; of_month++, day++) {
                int y, m, d;
                day_to_civil(day, &y, &m, &d);
                if (day_from_civil(year, month, of_month) != day || y != year || m != month ||
                    d != of_month) {
                    fail_msg("%04d-%02d-%02d", year, month, of_month);
                }
            }
        }
    }
    assert_int_equal(day, DAY_MAX + 1);
}

static void test_known_days(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int32_t day;
    } ROWS[] = {{"1970-01-01", 0},       {"1969-12-31", -1},      {"2000-01-01", 10957},
                {"2000-02-29", 11016},   {"2000-03-01", 11017},   {"2023-06-18", 19526},
                {"0001-01-01", DAY_MIN}, {"9999-12-31", DAY_MAX}, {"1900-03-01", -25508},
                {"2024-02-29", 19782}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        int32_t day = 0;
        char text[DAY_TEXT_BYTES];
        assert_int_equal(day_parse(ROWS[i].text, &day, NULL), ERR_OK);
        assert_int_equal(day, ROWS[i].day);
        day_format(day, text);
        assert_string_equal(text, ROWS[i].text);
    }
}

static void test_bad_dates(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",           "2023",       "2023-6-18",  "2023-06-1",   "2023-06-180", "2023/06/18",
        "2023-06/18", "2023-00-10", "2023-13-10", "2023-06-00",  "2023-06-31",  "2023-04-31",
        "2023-02-29", "1900-02-29", "2100-02-29", "0000-01-01",  "-001-01-01",  "2023-06-1x",
        "x023-06-18", "2023-0x-18", " 2023-06-1", "2023-06-18 ", "+023-06-18",  "2023-06-3\xb0",
        "18-06-2023", "2023-06--1"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        int32_t day = 42;
        struct errmsg msg = {{0}};
        if (day_parse(BAD[i], &day, &msg) != ERR_USAGE) {
            fail_msg("\"%s\" was taken", BAD[i]);
        }
        assert_int_equal(day, 42);
        assert_non_null(strstr(msg.text, "date \""));
    }
}

/* A day outside the calendar is shown as its nearest end. */
static void test_day_clamped(void **state)
{
    (void)state;
    char text[DAY_TEXT_BYTES];
    day_format(DAY_NONE, text);
    assert_string_equal(text, "0001-01-01");
    day_format(INT32_MAX, text);
    assert_string_equal(text, "9999-12-31");
}

static void test_wall(void **state)
{
    (void)state;
    static const struct {
        int64_t ms;
        const char *text;
    } ROWS[] = {{0, "1970-01-01T00:00:00Z"},
                {999, "1970-01-01T00:00:00Z"},
                {1000, "1970-01-01T00:00:01Z"},
                {-1, "1969-12-31T23:59:59Z"},
                {-1000, "1969-12-31T23:59:59Z"},
                {-1001, "1969-12-31T23:59:58Z"},
                {-86400000, "1969-12-31T00:00:00Z"},
                {INT64_C(1689685740000), "2023-07-18T13:09:00Z"},
                {INT64_C(1709251199999), "2024-02-29T23:59:59Z"},
                {INT64_C(253402300799999), "9999-12-31T23:59:59Z"},
                {INT64_C(-62135596800000), "0001-01-01T00:00:00Z"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[WALL_TEXT_BYTES];
        wall_format((struct wall){ROWS[i].ms}, text);
        assert_string_equal(text, ROWS[i].text);
    }
    static const int64_t WILD[] = {INT64_MIN, INT64_MIN + 1, INT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        char text[WALL_TEXT_BYTES];
        wall_format((struct wall){WILD[i]}, text);
        assert_int_equal(strlen(text), 20);
    }
}

/* The machine's clocks: monotonic time does not go back, today is at most a day off UTC's. */
static void test_read(void **state)
{
    (void)state;
    struct now a = clock_read();
    struct now b = clock_read();
    assert_true(b.mono.ms >= a.mono.ms);
    int64_t utc = a.wall.ms / 86400000;
    assert_in_range(a.today - utc + 1, 0, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_day), cmocka_unit_test(test_known_days),
        cmocka_unit_test(test_bad_dates), cmocka_unit_test(test_day_clamped),
        cmocka_unit_test(test_wall),      cmocka_unit_test(test_read)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/wide.h"
#include "proto/decimal.h"
#include "proto/limits.h"

static void test_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int decimals;
        int64_t value;
    } ROWS[] = {{"0", 0, 0},
                {"-0", 0, 0},
                {"+0", 3, 0},
                {"12", 0, 12},
                {"+12", 0, 12},
                {"-5", 0, -5},
                {"007", 0, 7},
                {"3.25", 2, 325},
                {"3.25", 3, 3250},
                {"-3.25", 2, -325},
                {"3.2", 2, 320},
                {"3", 2, 300},
                {"0.05", 2, 5},
                {"-0.05", 2, -5},
                {"3.250", 2, 325},
                {"3.000000000000", 0, 3},
                {"0.000000001", 9, 1},
                {"1000000000000000", 0, VALUE_MAX},
                {"-1000000000000000", 0, -VALUE_MAX},
                {"1000000", 9, VALUE_MAX},
                {"-1000000.000000000", 9, -VALUE_MAX},
                {"999999.999999999", 9, VALUE_MAX - 1},
                {"10000000000000.00", 2, VALUE_MAX},
                {"000000000000000000000000000000000000001", 0, 1}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        int64_t value = 77;
        struct errmsg msg = {{0}};
        if (decimal_parse(ROWS[i].text, ROWS[i].decimals, &value, &msg) != ERR_OK ||
            value != ROWS[i].value) {
            fail_msg("%s with %d decimals: %s", ROWS[i].text, ROWS[i].decimals, msg.text);
        }
        assert_int_equal(decimal_check(ROWS[i].text, NULL), ERR_OK);
    }
}

/* Numbers that are well written and not allowed: nothing is rounded, nothing is cut. */
static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int decimals;
        const char *why;
    } ROWS[] = {{"0.5", 0, "finer"},
                {"3.255", 2, "finer"},
                {"-0.001", 2, "finer"},
                {"1.0000000001", 9, "finer"},
                {"0.10000000000000000000000000000001", 1, "finer"},
                {"1000000000000001", 0, "range"},
                {"-1000000000000001", 0, "range"},
                {"10000000000000000", 0, "range"},
                {"1000000.000000001", 9, "range"},
                {"1000001", 9, "range"},
                {"10000000000000.01", 2, "range"},
                {"9223372036854775807", 0, "range"},
                {"9223372036854775808", 0, "range"},
                {"-9223372036854775809", 0, "range"},
                {"18446744073709551616", 0, "range"},
                {"18446744073709551617", 0, "range"},
                {"340282366920938463463374607431768211457", 0, "range"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        int64_t value = 77;
        struct errmsg msg = {{0}};
        if (decimal_parse(ROWS[i].text, ROWS[i].decimals, &value, &msg) != ERR_REFUSED) {
            fail_msg("%s with %d decimals is %lld", ROWS[i].text, ROWS[i].decimals,
                     (long long)value);
        }
        assert_true(value == 77);
        assert_non_null(strstr(msg.text, ROWS[i].why));
        assert_int_equal(decimal_check(ROWS[i].text, NULL), ERR_OK);
    }
}

static void test_no_numbers(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",        "-",     "+",    ".",
        "-.",      "1.",    ".5",   "-.5",
        "1..2",    "1.2.3", "1,5",  "1 000",
        "1.000,5", "1e3",   "0x10", "--1",
        "+-1",     "- 1",   " 1",   "1 ",
        "1-",      "1a",    "a1",   "NaN",
        "inf",     "1_000", "1\n",  "１",
        "1'000",   "1.5-",  "1.-5", "0000000000000000000000000000000000000001"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        int64_t value = 77;
        struct errmsg msg = {{0}};
        if (decimal_check(BAD[i], &msg) != ERR_USAGE ||
            decimal_parse(BAD[i], 2, &value, &msg) != ERR_USAGE) {
            fail_msg("\"%s\" was taken", BAD[i]);
        }
        assert_true(value == 77);
        assert_non_null(strstr(msg.text, "is not a number"));
    }
}

/* What is shown can be typed again. */
static void test_there_and_back(void **state)
{
    (void)state;
    static const int64_t VALUES[] = {
        0, 1, -1, 9, -10, 99999, 123456789, -987654321, VALUE_MAX - 1, VALUE_MAX, -VALUE_MAX};
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0]; i++) {
        for (int decimals = 0; decimals <= DECIMALS_MAX; decimals++) {
            char text[WIDE_TEXT_BYTES];
            int64_t value = 77;
            wide_format(VALUES[i], decimals, text);
            assert_int_equal(decimal_parse(text, decimals, &value, NULL), ERR_OK);
            assert_true(value == VALUES[i]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_numbers), cmocka_unit_test(test_there_and_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

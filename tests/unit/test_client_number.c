/* layer: client */
/* Numbers are written exactly, or rounded where that is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/number.h"

static const struct number_style VIETNAMESE = {".", ","};
static const struct number_style PLAIN = {"", "."};

static const char *shown(const char *text, struct number_form form)
{
    static char out[NUMBER_TEXT_BYTES];
    assert_int_equal(number_format(&VIETNAMESE, &form, text, out), ERR_OK);
    return out;
}

static const struct number_form WHOLE = {.digits = -1};

static void test_groups(void **state)
{
    (void)state;
    assert_string_equal(shown("0", WHOLE), "0");
    assert_string_equal(shown("999", WHOLE), "999");
    assert_string_equal(shown("1000", WHOLE), "1.000");
    assert_string_equal(shown("-1000", WHOLE), "-1.000");
    assert_string_equal(shown("39545000000", WHOLE), "39.545.000.000");
    assert_string_equal(shown("-123456.05", WHOLE), "-123.456,05");
    assert_string_equal(shown("170141183460469231731687303715884105727", WHOLE),
                        "170.141.183.460.469.231.731.687.303.715.884.105.727");
    assert_string_equal(shown("00012", WHOLE), "12");
}

static void test_scales(void **state)
{
    (void)state;
    struct number_form billions = {.shift = 9, .digits = -1, .shorter = true};
    assert_string_equal(shown("39545000000", billions), "39,545");
    assert_string_equal(shown("91918000000", billions), "91,918");
    assert_string_equal(shown("1000000000", billions), "1");
    assert_string_equal(shown("1", billions), "0,000000001");
    assert_string_equal(shown("-20", billions), "-0,00000002");
    assert_string_equal(shown("0", billions), "0");
    assert_string_equal(shown("1234567890123.5", billions), "1.234,5678901235");
}

static void test_rounding(void **state)
{
    (void)state;
    struct number_form one = {.digits = 1};
    struct number_form none = {.digits = 0};
    struct number_form millions = {.shift = 6, .digits = 1};
    assert_string_equal(shown("0.05", one), "0,1");
    assert_string_equal(shown("-0.05", one), "-0,1");
    assert_string_equal(shown("0.04", one), "0,0");
    assert_string_equal(shown("-0.04", one), "0,0"); /* a nought has no sign */
    assert_string_equal(shown("9.95", one), "10,0");
    assert_string_equal(shown("999.5", none), "1.000");
    assert_string_equal(shown("-999.49", none), "-999");
    assert_string_equal(shown("7", one), "7,0");
    assert_string_equal(shown("2612349999", millions), "2.612,3");
    assert_string_equal(shown("49999", millions), "0,0");
    assert_string_equal(shown("50000", millions), "0,1");
}

static void test_signs(void **state)
{
    (void)state;
    struct number_form sign = {.digits = -1, .sign = true};
    assert_string_equal(shown("12", sign), "+12");
    assert_string_equal(shown("-12", sign), "-12");
    assert_string_equal(shown("0.0", sign), "0,0");
}

/* Every value to two decimals between -20 and 20, in whole numbers, against integer arithmetic. */
static void test_against_integers(void **state)
{
    (void)state;
    struct number_form one = {.digits = 1, .sign = false};
    char out[NUMBER_TEXT_BYTES];
    for (int hundredths = -2000; hundredths <= 2000; hundredths++) {
        char text[32];
        char wanted[32];
        int size = hundredths < 0 ? -hundredths : hundredths;
        int tenths = (size + 5) / 10;
        (void)snprintf(text, sizeof text, "%s%d.%02d", hundredths < 0 ? "-" : "", size / 100,
                       size % 100);
        (void)snprintf(wanted, sizeof wanted, "%s%d.%d", hundredths < 0 && tenths > 0 ? "-" : "",
                       tenths / 10, tenths % 10);
        assert_int_equal(number_format(&PLAIN, &one, text, out), ERR_OK);
        assert_string_equal(out, wanted);
    }
}

static void test_no_numbers(void **state)
{
    (void)state;
    static const char *const TEXTS[] = {"", "-", ".", "1.", ".5", "1e3", "1,5", "overflow", "--1"};
    char out[NUMBER_TEXT_BYTES];
    char digits[80];
    for (size_t i = 0; i < sizeof TEXTS / sizeof *TEXTS; i++) {
        assert_false(number_is(TEXTS[i]));
        assert_int_equal(number_format(&PLAIN, &WHOLE, TEXTS[i], out), ERR_USAGE);
    }
    memset(digits, '9', sizeof digits);
    digits[65] = '\0';
    assert_int_equal(number_format(&PLAIN, &WHOLE, digits, out), ERR_USAGE);
    digits[64] = '\0';
    struct number_form most = {.shift = NUMBER_DIGITS_MAX, .digits = NUMBER_DIGITS_MAX};
    assert_int_equal(number_format(&PLAIN, &most, digits, out), ERR_OK);
    assert_int_equal(strlen(out), 65);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),     cmocka_unit_test(test_scales),
        cmocka_unit_test(test_rounding),   cmocka_unit_test(test_signs),
        cmocka_unit_test(test_no_numbers), cmocka_unit_test(test_against_integers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/wide.h"

static const wide MAX = (wide)(~(uwide)0 >> 1);
#define MIN (-MAX - 1)

static void test_halves(void **state)
{
    (void)state;
    wide values[] = {0, 1, -1, INT64_MAX, INT64_MIN, (wide)1 << 64, -((wide)1 << 64), MAX, MIN};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        assert_true(wide_join(wide_high(values[i]), wide_low(values[i])) == values[i]);
    }
    assert_true(wide_join(0, UINT64_MAX) == ((wide)1 << 64) - 1);
    assert_true(wide_join(-1, 0) == -((wide)1 << 64));
    assert_true(wide_high(-1) == -1 && wide_low(-1) == UINT64_MAX);
    assert_true(wide_high((wide)5 << 64) == 5 && wide_low((wide)5 << 64) == 0);
}

static void test_fits(void **state)
{
    (void)state;
    assert_true(wide_fits_i64(INT64_MAX) && wide_fits_i64(INT64_MIN) && wide_fits_i64(0));
    assert_false(wide_fits_i64((wide)INT64_MAX + 1) || wide_fits_i64((wide)INT64_MIN - 1));
    assert_false(wide_fits_i64(MAX) || wide_fits_i64(MIN) || wide_fits_i64((wide)1 << 64));
}

static void test_format(void **state)
{
    (void)state;
    const struct {
        wide value;
        int decimals;
        const char *text;
    } rows[] = {
        {0, 0, "0"},
        {0, 3, "0.000"},
        {7, 0, "7"},
        {-7, 0, "-7"},
        {7, 1, "0.7"},
        {-7, 1, "-0.7"},
        {5, 2, "0.05"},
        {10, 1, "1.0"},
        {99, 2, "0.99"},
        {100, 2, "1.00"},
        {-1234567, 3, "-1234.567"},
        {1, 18, "0.000000000000000001"},
        {INT64_MAX, 0, "9223372036854775807"},
        {INT64_MIN, 0, "-9223372036854775808"},
        {INT64_MIN, 9, "-9223372036.854775808"},
        {MAX, 0, "170141183460469231731687303715884105727"},
        {MIN, 0, "-170141183460469231731687303715884105728"},
        {MAX, 18, "170141183460469231731.687303715884105727"},
        {MIN, 18, "-170141183460469231731.687303715884105728"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char out[WIDE_TEXT_BYTES];
        wide_format(rows[i].value, rows[i].decimals, out);
        assert_string_equal(out, rows[i].text);
    }
}

/* Every number of decimals at every power of ten, with the point where division puts it. */
static void test_format_points(void **state)
{
    (void)state;
    wide power = 1;
    for (int digits = 1; digits <= 38; digits++) {
        wide_format(power, 0, (char[WIDE_TEXT_BYTES]){0});
        for (int decimals = 1; decimals <= 18; decimals++) {
            char out[WIDE_TEXT_BYTES];
            wide_format(-power, decimals, out);
            const char *point = strchr(out, '.');
            assert_non_null(point);
            assert_int_equal(strlen(point + 1), decimals);
            int whole = digits > decimals ? digits - decimals : 1;
            assert_int_equal(point - out, whole + 1);
            assert_int_equal(out[1], digits > decimals ? '1' : '0');
        }
        power *= digits < 38 ? 10 : 1;
    }
}

static void test_add(void **state)
{
    (void)state;
    wide out = 0;
    assert_false(wide_add_overflows(MAX, 0, &out) || out != MAX);
    assert_false(wide_add_overflows(MAX - 1, 1, &out) || out != MAX);
    assert_false(wide_add_overflows(MIN, MAX, &out) || out != -1);
    assert_false(wide_add_overflows(MIN + 1, -1, &out) || out != MIN);
    assert_true(wide_add_overflows(MAX, 1, &out));
    assert_true(wide_add_overflows(MIN, -1, &out));
    assert_true(wide_add_overflows(MAX, MAX, &out));
    assert_true(wide_add_overflows(MIN, MIN, &out));
}

static void test_mul(void **state)
{
    (void)state;
    wide out = 0;
    wide half = (wide)1 << 63;
    assert_false(wide_mul_overflows(half, half, &out) || out != (wide)1 << 126);
    assert_false(wide_mul_overflows(-half * 2, half, &out) || out != MIN);
    assert_true(wide_mul_overflows(half * 2, half, &out));
    assert_true(wide_mul_overflows(MIN, -1, &out));
    assert_false(wide_mul_overflows(MAX, -1, &out) || out != MIN + 1);
    assert_false(wide_mul_overflows(MIN, 0, &out) || out != 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_halves), cmocka_unit_test(test_fits),
        cmocka_unit_test(test_format), cmocka_unit_test(test_format_points),
        cmocka_unit_test(test_add),    cmocka_unit_test(test_mul)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

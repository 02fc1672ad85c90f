/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/ids.h"
#include "base/wide.h"

static struct id id_of(uwide number)
{
    struct id id;
    for (int i = ID_BYTES - 1; i >= 0; i--) {
        id.b[i] = (uint8_t)number;
        number >>= 8;
    }
    return id;
}

static void test_hex(void **state)
{
    (void)state;
    static const uint8_t BYTES[] = {0x00, 0x0f, 0xa0, 0xff};
    char text[9];
    uint8_t back[4];
    hex_encode(BYTES, sizeof BYTES, text);
    assert_string_equal(text, "000fa0ff");
    assert_int_equal(hex_decode(text, back, 4), ERR_OK);
    assert_memory_equal(back, BYTES, 4);
    assert_int_equal(hex_decode("000Fa0fF", back, 4), ERR_OK);
    assert_memory_equal(back, BYTES, 4);
    hex_encode(BYTES, 0, text);
    assert_string_equal(text, "");
    assert_int_equal(hex_decode("", back, 0), ERR_OK);
}

/* What is no hexadecimal text of that length is refused and leaves the bytes alone. */
static void test_bad_hex(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",     "0",    "000",  "00000", "0g00", "g000",
                                      "000g", " 000", "0 00", "+000",  "0x00", "00\2000",
                                      "/000", ":000", "@000", "`000",  "[000"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        uint8_t out[2] = {7, 7};
        assert_int_equal(hex_decode(BAD[i], out, 2), ERR_INVALID);
        assert_true(out[0] == 7 && out[1] == 7);
    }
}

static void test_texts(void **state)
{
    (void)state;
    char text[ID_HEX_BYTES];
    char hash_text[HASH_HEX_BYTES];
    struct id id = id_of(0x1234);
    struct hash hash = {{0xfe}};
    id_format(&id, text);
    assert_string_equal(text, "00000000000000000000000000001234");
    hash_format(&hash, hash_text);
    assert_string_equal(hash_text,
                        "fe00000000000000000000000000000000000000000000000000000000000000");
}

/* Every single byte counts in the comparisons. */
static void test_compare(void **state)
{
    (void)state;
    struct id zero = {{0}};
    assert_true(id_is_zero(&zero));
    for (int i = 0; i < ID_BYTES; i++) {
        struct id id = {{0}};
        id.b[i] = 0x80;
        assert_false(id_is_zero(&id));
        assert_false(id_equal(&id, &zero));
        assert_true(id_compare(&id, &zero) > 0 && id_compare(&zero, &id) < 0);
        assert_int_equal(id_compare(&id, &id), 0);
    }
    for (int i = 0; i < HASH_BYTES; i++) {
        struct hash a = {{0}}, b = {{0}};
        assert_true(hash_equal(&a, &b));
        b.b[i] = 1;
        assert_false(hash_equal(&a, &b));
    }
    struct id low = id_of(0xffff), high = id_of(0x10000);
    assert_true(id_compare(&low, &high) < 0);
}

/* Sums agree with the compiler's 128-bit numbers, carries and wraps included. */
static void test_sums(void **state)
{
    (void)state;
    uwide max = ~(uwide)0;
    uwide values[] = {0,   1,       0xff,   0x100, (uwide)1 << 64, ((uwide)1 << 64) - 1,
                      max, max - 1, max / 3};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        for (size_t j = 0; j < sizeof values / sizeof values[0]; j++) {
            struct id sum = id_of(values[i]);
            struct id other = id_of(values[j]);
            struct id want = id_of(values[i] + values[j]);
            struct id first = sum;
            id_sum_add(&sum, &other);
            assert_true(id_equal(&sum, &want));
            id_sum_sub(&sum, &other);
            assert_true(id_equal(&sum, &first));
            want = id_of(values[i] - values[j]);
            id_sum_sub(&sum, &other);
            assert_true(id_equal(&sum, &want));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hex), cmocka_unit_test(test_bad_hex),
                                       cmocka_unit_test(test_texts), cmocka_unit_test(test_compare),
                                       cmocka_unit_test(test_sums)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

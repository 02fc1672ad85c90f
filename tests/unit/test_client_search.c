/* layer: client */
/* Names are found as people type them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/search.h"

static struct search search;

static bool finds(const char *text, const char *code, const char *name)
{
    assert_int_equal(search_init(&search, &text, 1, NULL), ERR_OK);
    return search_finds(&search, code, name);
}

static void test_letters(void **state)
{
    (void)state;
    assert_true(finds("ha tinh", "42", "Tỉnh Hà Tĩnh"));
    assert_true(finds("HÀ TĨNH", "42", "Tỉnh Hà Tĩnh"));
    assert_true(finds("hà tinh", "42", "Ha Tinh"));
    assert_true(finds("duc tho", "440", "Huyện Đức Thọ"));
    assert_true(finds("Đức", "440", "huyen duc tho"));
    assert_true(finds("nghe", "1", "Nghệ"));             /* one code point */
    assert_true(finds("nghe", "1", "Nghe\u0323\u0302")); /* three */
    assert_true(finds("uong", "1", "ƯƠNG"));
    assert_true(finds("strasse", "1", "Straße"));
    assert_false(finds("ha tinh", "42", "Hà Nội"));
    assert_false(finds("nghẹ an", "1", "Nghi An"));
}

static void test_words(void **state)
{
    (void)state;
    assert_true(finds("tinh ha", "42", "Hà Tĩnh"));
    assert_true(finds("436 thach", "436", "Thạch Hà"));
    assert_true(finds("", "436", "Thạch Hà"));
    assert_true(finds("  ", "436", "Thạch Hà"));
    assert_true(finds("x1.", "X1.7", "Tổ 7"));
    const char *two[] = {"thach", "43"};
    assert_int_equal(search_init(&search, two, 2, NULL), ERR_OK);
    assert_true(search_finds(&search, "436", "Thạch Hà"));
    assert_false(search_finds(&search, "521", "Thạch Hà"));
    assert_int_equal(search_init(&search, NULL, 0, NULL), ERR_OK);
    assert_true(search_finds(&search, "1", ""));
}

static void test_refused(void **state)
{
    (void)state;
    char text[2 * SEARCH_BYTES];
    const char *at = text;
    struct errmsg msg = {""};
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_int_equal(search_init(&search, &at, 1, &msg), ERR_USAGE);
    text[SEARCH_BYTES - 1] = '\0';
    assert_int_equal(search_init(&search, &at, 1, &msg), ERR_USAGE);
    text[SEARCH_BYTES - 2] = '\0';
    const char *both[] = {at, "y"};
    (void)(search_init(&search, both, 1, &msg) == ERR_OK);
    assert_int_equal(search_init(&search, both, 2, &msg), ERR_USAGE);
    at = "\xff";
    assert_int_equal(search_init(&search, &at, 1, &msg), ERR_USAGE);
    at = "a b c d e f g h i j k l m n o p q";
    assert_int_equal(search_init(&search, &at, 1, &msg), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_letters), cmocka_unit_test(test_words),
                                       cmocka_unit_test(test_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

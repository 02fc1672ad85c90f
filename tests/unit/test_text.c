/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* The copy ends where the text ends, so that valgrind sees a read behind it. */
static bool clean(const char *text, size_t len, bool lines)
{
    char *copy = malloc(len + (len == 0));
    memcpy(copy, text, len);
    bool is = text_is_clean(copy, len, lines);
    free(copy);
    return is;
}

/* Encodes by the table of RFC 3629, without its exceptions. */
static size_t encode(uint32_t code, size_t bytes, char out[4])
{
    static const uint8_t LEAD[] = {0, 0, 0xc0, 0xe0, 0xf0};
    for (size_t i = bytes; i-- > 1;) {
        out[i] = (char)(0x80 | (code & 0x3f));
        code >>= 6;
    }
    out[0] = (char)(bytes == 1 ? code : LEAD[bytes] | code);
    return bytes;
}

static size_t shortest(uint32_t code)
{
    return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/* Every code point in every length that could hold it: only the shortest form is clean, and no
 * surrogate, nothing above U+10FFFF, no control character. */
static void test_every_character(void **state)
{
    (void)state;
    static const uint32_t BELOW[] = {0, 0x80, 0x800, 0x10000, 0x200000};
    for (uint32_t code = 0; code < 0x200000; code += code < 0x11000 || code > 0x10ff00 ? 1 : 61) {
        for (size_t bytes = 1; bytes <= 4; bytes++) {
            char text[4];
            if (code >= BELOW[bytes]) {
                continue;
            }
            bool good = bytes == shortest(code) && code >= 0x20 && code != 0x7f &&
                        !(code >= 0xd800 && code <= 0xdfff) && code <= 0x10ffff;
            encode(code, bytes, text);
            if (text_is_clean(text, bytes, false) != good) {
                fail_msg("U+%04X in %zu bytes", (unsigned)code, bytes);
            }
        }
        code = code == 0x110200 ? 0x1fff00 : code;
    }
}

static void test_clean(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
        bool one_line;
        bool lines;
    } ROWS[] = {
        {"", 0, true, true},
        {"Hội Khuyến học Hà Tĩnh", sizeof "Hội Khuyến học Hà Tĩnh" - 1, true, true},
        {"a\tb", 3, false, true},
        {"a\nb", 3, false, true},
        {"a\rb", 3, false, true},
        {"a\0b", 3, false, false},
        {"\x1b[2J", 4, false, false},
        {"a\x0b", 2, false, false},
        {"\x7f", 1, false, false},
        {"\xc3", 1, false, false},         /* cut */
        {"\xe1\xbb", 2, false, false},     /* cut */
        {"\xf0\x9f\x98", 3, false, false}, /* cut */
        {"\x80", 1, false, false},         /* continuation alone */
        {"a\xbf", 2, false, false},
        {"\xc3(", 2, false, false}, /* lead and no continuation */
        {"\xe1\xbb(", 3, false, false},
        {"\xc0\xaf", 2, false, false}, /* "/" too long */
        {"\xe0\x80\xaf", 3, false, false},
        {"\xf0\x80\x80\xaf", 4, false, false},
        {"\xed\xa0\x80", 3, false, false}, /* surrogates */
        {"\xed\xbf\xbf", 3, false, false},
        {"\xf4\x90\x80\x80", 4, false, false}, /* above U+10FFFF */
        {"\xf5\x80\x80\x80", 4, false, false},
        {"\xfe", 1, false, false},
        {"\xff", 1, false, false},
        {"\xf8\x88\x80\x80\x80", 5, false, false},
        {"\xf4\x8f\xbf\xbf", 4, true, true},
        {"\xed\x9f\xbf\xee\x80\x80", 6, true, true},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (clean(ROWS[i].text, ROWS[i].len, false) != ROWS[i].one_line ||
            clean(ROWS[i].text, ROWS[i].len, true) != ROWS[i].lines) {
            fail_msg("row %zu", i);
        }
    }
}

/* What is clean stays as it is; of what is not, each byte becomes one '?'. */
static void test_mend(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } ROWS[] = {{"", ""},
                {"quỹ", "quỹ"},
                {"a\nb\tc\x7f", "a?b?c?"},
                {"qu\xe1\xbb", "qu??"},
                {"\xe1\xbb\" is", "??\" is"},
                {"\xed\xa0\x80", "???"},
                {"\xff\xc3\xbc", "?ü"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char text[16];
        (void)snprintf(text, sizeof text, "%s", ROWS[i].text);
        text_mend(text);
        assert_string_equal(text, ROWS[i].want);
        assert_true(text_is_clean(text, strlen(text), false));
    }
}

static void test_codes(void **state)
{
    (void)state;
    static const char *const GOOD[] = {"a", "42", "fund_raised", "H-1", "xã", "1234567890", "a.b"};
    static const char *const BAD[] = {"",     "a b", "a\tb", "a,b",         "a/b",  "a=b", "a\"",
                                      "it's", "a|b", "a;b",  "12345678901", "\xc3", "a\n"};
    for (size_t i = 0; i < sizeof GOOD / sizeof GOOD[0]; i++) {
        assert_true(text_is_code(GOOD[i], strcmp(GOOD[i], "fund_raised") == 0 ? 11 : 10));
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        if (text_is_code(BAD[i], 10)) {
            fail_msg("\"%s\" is no code", BAD[i]);
        }
    }
}

static void test_distance(void **state)
{
    (void)state;
    static const struct {
        const char *a, *b;
        int limit, want;
    } ROWS[] = {{"", "", 3, 0},
                {"abc", "abc", 3, 0},
                {"abc", "abd", 3, 1},
                {"abc", "acb", 3, 1},
                {"abc", "ab", 3, 1},
                {"ab", "abc", 3, 1},
                {"kitten", "sitting", 9, 3},
                {"kitten", "sitting", 2, 3},
                {"", "abc", 9, 3},
                {"abc", "", 9, 3},
                {"ca", "abc", 9, 3},
                {"abcd", "badc", 9, 2}};
    char word[70];
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        assert_int_equal(text_distance(ROWS[i].a, ROWS[i].b, ROWS[i].limit), ROWS[i].want);
        assert_int_equal(text_distance(ROWS[i].b, ROWS[i].a, ROWS[i].limit), ROWS[i].want);
    }
    memset(word, 'x', sizeof word);
    word[64] = '\0';
    assert_int_equal(text_distance(word, word, 5), 0);
    word[64] = 'x';
    word[65] = '\0';
    assert_int_equal(text_distance(word, word, 5), 6);
    assert_int_equal(text_distance("a", word, 5), 6);
}

static void suggest(const char *wanted, const char *const *names, char *out, size_t size)
{
    struct nearest nearest;
    nearest_init(&nearest, wanted);
    for (size_t i = 0; names[i] != NULL; i++) {
        nearest_offer(&nearest, names[i]);
    }
    nearest_format(&nearest, out, size);
}

static void test_nearest(void **state)
{
    (void)state;
    static const struct {
        const char *wanted;
        const char *names[6];
        const char *want;
    } ROWS[] = {
        {"acounts", {"accounts", "boards", NULL}, "; did you mean accounts?"},
        {"boards", {"fund", "spent", NULL}, ""},
        {"", {"a", "ab", NULL}, "; did you mean a?"},
        {"accounts", {NULL}, ""},
        {"recieved",
         {"received", "relieved", "deceived", NULL},
         "; did you mean received, relieved or deceived?"},
        {"abcd",
         {"abxx", "abcx", "abcd", "abdc", "abce", NULL},
         "; did you mean abcd, abcx or abdc?"},
    };
    char out[400];
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        suggest(ROWS[i].wanted, ROWS[i].names, out, sizeof out);
        assert_string_equal(out, ROWS[i].want);
    }
}

/* Names that are too long to keep are no suggestions, and a small buffer is not overrun. */
static void test_nearest_limits(void **state)
{
    (void)state;
    const char *const names[] = {"fund_spent", "fund_spend", "fund_spin", NULL};
    char whole[200];
    suggest("fund_spen", names, whole, sizeof whole);
    for (size_t size = 1; size < sizeof whole; size++) {
        char *out = malloc(size);
        suggest("fund_spen", names, out, size);
        assert_true(strlen(out) < size);
        assert_memory_equal(out, whole, strlen(out));
        free(out);
    }
    char name[NEAREST_NAME_BYTES + 1];
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const char *const too_long[] = {name, NULL};
    suggest(name, too_long, whole, sizeof whole);
    assert_string_equal(whole, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_character),
                                       cmocka_unit_test(test_clean),
                                       cmocka_unit_test(test_mend),
                                       cmocka_unit_test(test_codes),
                                       cmocka_unit_test(test_distance),
                                       cmocka_unit_test(test_nearest),
                                       cmocka_unit_test(test_nearest_limits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "base/text.h"

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        const char *name = err_name((enum err)i);
        assert_non_null(name);
        assert_true(text_is_code(name, 32));
        for (int j = 0; j < i; j++) {
            assert_string_not_equal(name, err_name((enum err)j));
        }
    }
    assert_string_equal(err_name(ERR_COUNT), "unknown");
    assert_string_equal(err_name((enum err) - 1), "unknown");
}

static void test_fail(void **state)
{
    (void)state;
    struct errmsg msg;
    assert_int_equal(err_fail(&msg, ERR_LIMIT, "%s of %d", "one", 2), ERR_LIMIT);
    assert_string_equal(msg.text, "one of 2");
    assert_int_equal(err_fail(NULL, ERR_IO, "%s", "nobody reads this"), ERR_IO);
    assert_int_equal(err_prefix(NULL, ERR_IO, "%s", "nor this"), ERR_IO);
}

static void test_prefix(void **state)
{
    (void)state;
    struct errmsg msg;
    (void)err_fail(&msg, ERR_INVALID, "no number");
    assert_int_equal(err_prefix(&msg, ERR_INVALID, "line %d", 7), ERR_INVALID);
    assert_string_equal(msg.text, "line 7: no number");
    assert_int_equal(err_prefix(&msg, ERR_INVALID, "f.csv"), ERR_INVALID);
    assert_string_equal(msg.text, "f.csv: line 7: no number");
}

/* A sentence that is too long is cut at its end; a prefix that leaves no room for it is left out.
 */
static void test_long(void **state)
{
    (void)state;
    char text[2 * ERRMSG_MAX_BYTES];
    struct errmsg msg;
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    (void)err_fail(&msg, ERR_LIMIT, "%s", text);
    assert_int_equal(strlen(msg.text), ERRMSG_MAX_BYTES - 1);
    (void)err_prefix(&msg, ERR_LIMIT, "head");
    assert_int_equal(strlen(msg.text), ERRMSG_MAX_BYTES - 1);
    assert_memory_equal(msg.text, "head: xxx", 9);
    (void)err_fail(&msg, ERR_LIMIT, "short");
    (void)err_prefix(&msg, ERR_LIMIT, "%s", text);
    assert_string_equal(msg.text, "short");
    for (size_t len = ERRMSG_MAX_BYTES - 8; len < ERRMSG_MAX_BYTES; len++) {
        (void)err_fail(&msg, ERR_LIMIT, "short");
        (void)err_prefix(&msg, ERR_LIMIT, "%.*s", (int)len, text);
        assert_true(strlen(msg.text) < ERRMSG_MAX_BYTES);
    }
}

/* A sentence goes to people and over the wire: whatever was put into it, and wherever it was cut,
 * it is one line of clean UTF-8. */
static void test_clean(void **state)
{
    (void)state;
    char name[2 * ERRMSG_MAX_BYTES] = "";
    struct errmsg msg;
    while (strlen(name) + 4 < sizeof name) {
        memcpy(name + strlen(name), "ỹ", sizeof "ỹ");
    }
    for (int pad = 0; pad < 3; pad++) {
        (void)err_fail(&msg, ERR_LIMIT, "%.*s%s", pad, "abc", name);
        assert_true(text_is_clean(msg.text, strlen(msg.text), false));
        assert_in_range(strlen(msg.text), ERRMSG_MAX_BYTES - 4, ERRMSG_MAX_BYTES - 1);
        (void)err_prefix(&msg, ERR_LIMIT, "%.*s", pad + 1, "abcd");
        assert_true(text_is_clean(msg.text, strlen(msg.text), false));
        (void)err_fail(&msg, ERR_LIMIT, "unit \"%.*s\" is unknown", 64 + pad, name);
        assert_true(text_is_clean(msg.text, strlen(msg.text), false));
        assert_non_null(strstr(msg.text, "\" is unknown"));
    }
    (void)err_fail(&msg, ERR_LIMIT, "a%sb%sc%sd", "\x1b[2J", "\n", "\xff");
    assert_string_equal(msg.text, "a?[2Jb?c?d");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_fail),
                                       cmocka_unit_test(test_prefix), cmocka_unit_test(test_long),
                                       cmocka_unit_test(test_clean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

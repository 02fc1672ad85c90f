/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.h"

enum { LINE_BYTES = 8192 };

/* What one call writes to standard error. */
static void said(char out[LINE_BYTES], enum log_level level, const char *text)
{
    int ends[2];
    int kept = dup(STDERR_FILENO);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    log_line(level, "%s", text);
    assert_true(dup2(kept, STDERR_FILENO) >= 0);
    ssize_t n = read(ends[0], out, LINE_BYTES - 1);
    out[n < 0 ? 0 : n] = '\0';
    (void)close(kept);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void test_levels(void **state)
{
    (void)state;
    char out[LINE_BYTES];
    said(out, LOG_LEVEL_DEBUG, "x=1");
    assert_string_equal(out, "");
    said(out, LOG_LEVEL_INFO, "x=1");
    assert_string_equal(out, "<6>info x=1\n");
    log_set_level(LOG_LEVEL_ERROR);
    said(out, LOG_LEVEL_WARN, "x=1");
    assert_string_equal(out, "");
    said(out, LOG_LEVEL_ERROR, "x=1");
    assert_string_equal(out, "<3>error x=1\n");
    log_set_level(LOG_LEVEL_DEBUG);
    said(out, LOG_LEVEL_DEBUG, "x=1");
    assert_string_equal(out, "<7>debug x=1\n");
}

/* Nobody forges a second line or drives a terminal with what stands in a name. */
static void test_one_line(void **state)
{
    (void)state;
    char out[LINE_BYTES];
    said(out, LOG_LEVEL_ERROR, "name=a\nlevel=b\r\x1b[2J\tquỹ");
    assert_string_equal(out, "<3>error name=a?level=b??[2J?quỹ\n");
    char text[5000];
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    said(out, LOG_LEVEL_ERROR, text);
    size_t len = strlen(out);
    assert_in_range(len, 1000, 2048);
    assert_int_equal(out[len - 1], '\n');
    assert_int_equal(out[len - 2], 'x');
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels),
                                       cmocka_unit_test(test_one_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

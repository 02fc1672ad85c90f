/* layer: client */
/* The command line: words and options in any order, and what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/options.h"

enum { ARGS_MAX = 24 };

/* Cuts at spaces; "_" stands for an empty argument. */
static enum err parse(const char *line, struct options *out, struct errmsg *msg)
{
    static char texts[ARGS_MAX][64];
    char *argv[ARGS_MAX] = {"tally"};
    int argc = 1;
    while (line[0] != '\0') {
        size_t len = strcspn(line, " ");
        assert_true(argc < ARGS_MAX && len < sizeof texts[0]);
        memcpy(texts[argc], line, len);
        texts[argc][len] = '\0';
        if (strcmp(texts[argc], "_") == 0) {
            texts[argc][0] = '\0';
        }
        argv[argc] = texts[argc];
        argc++;
        line += len + (line[len] == ' ' ? 1 : 0);
    }
    return options_parse(argc, argv, out, msg);
}

static struct options good(const char *line)
{
    struct options options;
    struct errmsg msg = {""};
    enum err err = parse(line, &options, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    return options;
}

static void bad(const char *line, const char *part)
{
    struct options options;
    struct errmsg msg = {""};
    assert_int_equal(parse(line, &options, &msg), ERR_USAGE);
    if (strstr(msg.text, part) == NULL) {
        fail_msg("\"%s\": wanted \"%s\" in \"%s\"", line, part, msg.text);
    }
}

static void test_anywhere(void **state)
{
    (void)state;
    static const char *const LINES[] = {
        "record U M 5 --data D --json --key K",
        "--data D --json --key K record U M 5",
        "--data=D record --key=K U --json M 5",
        "record U --key K M --data D 5 --json",
    };
    for (size_t i = 0; i < sizeof LINES / sizeof *LINES; i++) {
        struct options options = good(LINES[i]);
        assert_int_equal(options.word_count, 4);
        assert_string_equal(options.words[0], "record");
        assert_string_equal(options.words[3], "5");
        assert_string_equal(options_text(&options, OPTION_DATA), "D");
        assert_string_equal(options_text(&options, OPTION_KEY), "K");
        assert_true(options_has(&options, OPTION_JSON));
        assert_false(options_has(&options, OPTION_CSV));
        assert_string_equal(options_text(&options, OPTION_NOTE), "");
    }
}

static void test_numbers_are_words(void **state)
{
    (void)state;
    struct options options = good("record U M -5 --note -7");
    assert_int_equal(options.word_count, 4);
    assert_string_equal(options.words[3], "-5");
    assert_string_equal(options_text(&options, OPTION_NOTE), "-7");
    options = good("record U M -.5");
    assert_string_equal(options.words[3], "-.5");
    options = good("import -");
    assert_string_equal(options.words[1], "-");
}

static void test_end_of_options(void **state)
{
    (void)state;
    struct options options = good("record -- --json -x --");
    assert_int_equal(options.word_count, 4);
    assert_string_equal(options.words[1], "--json");
    assert_string_equal(options.words[3], "--");
    assert_int_equal(options.given, 0);
}

static void test_values(void **state)
{
    (void)state;
    struct options options = good("total -m a,b -mc --measure=d --measure e -p2023 --by=level=x");
    assert_int_equal(options.measure_count, 4);
    assert_string_equal(options.measures[0], "a,b");
    assert_string_equal(options.measures[1], "c");
    assert_string_equal(options.measures[3], "e");
    assert_string_equal(options_text(&options, OPTION_PERIOD), "2023");
    assert_string_equal(options_text(&options, OPTION_BY), "level=x");
    options = good("x --note= --key _");
    assert_true(options_has(&options, OPTION_NOTE));
    assert_string_equal(options_text(&options, OPTION_NOTE), "");
    assert_true(options_has(&options, OPTION_KEY));
    options = good("x -p=2023");
    assert_string_equal(options_text(&options, OPTION_PERIOD), "2023");
    options = good("x --note=--json");
    assert_string_equal(options_text(&options, OPTION_NOTE), "--json");
    options = good("x --json --json -h");
    assert_true(options_has(&options, OPTION_HELP));
}

static void test_wrong(void **state)
{
    (void)state;
    bad("record --jsn", "unknown option --jsn; did you mean --json?");
    bad("record --noet x", "did you mean --note");
    bad("record --xyzzyplugh", "unknown option --xyzzyplugh; --help lists the options");
    bad("record -x", "unknown option -x");
    bad("record -hx", "unknown option -hx");
    bad("record --json=yes", "--json takes no value");
    bad("record --key", "--key needs a value: --key KEY");
    bad("record --date --wait root", "--date needs a value");
    bad("record --key --", "--key needs a value");
    bad("record --key a --key b", "--key is given twice");
    bad("a b c d e f g h i j k l m n o p q r", "too many words from \"q\" on");
}

static void test_what_a_command_takes(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    uint32_t set = OPTIONS_COMMON | OPTION_BIT(OPTION_CSV);
    struct options options = good("log --csv --data D");
    assert_int_equal(options_check(&options, set, "log", &msg), ERR_OK);
    options = good("log --key K");
    assert_int_equal(options_check(&options, set, "log", &msg), ERR_USAGE);
    assert_string_equal(msg.text, "log takes no --key; see tally log --help");
    options = good("log --csv --json");
    assert_int_equal(options_check(&options, set, "log", &msg), ERR_USAGE);
    assert_string_equal(msg.text, "--json and --csv exclude each other");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_anywhere),       cmocka_unit_test(test_numbers_are_words),
        cmocka_unit_test(test_end_of_options), cmocka_unit_test(test_values),
        cmocka_unit_test(test_wrong),          cmocka_unit_test(test_what_a_command_takes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: config */
/* The catalogue file: what is read, the defaults, and where a complaint points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"

enum { ARENA_MAX_BYTES = 8 << 20 };

static char folder[] = "/tmp/tally-catalogue-XXXXXX";
static char path[64];
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/catalog.yaml", folder);
    arena_init(&arena, ARENA_MAX_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_reset(&arena);
    (void)unlink(path);
    return rmdir(folder);
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static struct catalogue load(const char *text)
{
    struct catalogue catalogue = {0};
    struct errmsg msg = {""};
    write_text(text);
    enum err err = config_catalogue_load(path, &arena, &catalogue, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    return catalogue;
}

/* The text is refused at `place` ("LINE:COLUMN"), and the reason has `part`. */
static void refuse(const char *text, const char *place, const char *part)
{
    struct catalogue catalogue;
    struct errmsg msg = {""};
    char head[128];
    write_text(text);
    assert_int_equal(config_catalogue_load(path, &arena, &catalogue, &msg), ERR_INVALID);
    (void)snprintf(head, sizeof head, "%s:%s: ", path, place);
    if (strncmp(msg.text, head, strlen(head)) != 0 || strstr(msg.text, part) == NULL) {
        fail_msg("wanted \"%s...%s\", got \"%s\"", head, part, msg.text);
    }
}

static void test_everything(void **state)
{
    (void)state;
    struct catalogue c =
        load("levels: [province, commune]\n"
             "categories:\n"
             "  - {code: group, values: [cadre, other]}\n"
             "measures:\n"
             "  - {code: fund, name: Quỹ, unit: VND, kind: flow, decimals: 2,\n"
             "     frequency: quarter, level: commune, categories: [group],\n"
             "     strict: true}\n"
             "  - {code: members, name: Members, unit: person, kind: stock,\n"
             "     level: province}\n"
             "indicators:\n"
             "  - {code: mean, name: Mean, unit: VND, formula: fund / members,\n"
             "     decimals: 1}\n"
             "  - {code: share, formula: \"fund[group=cadre] / fund\", factor: 100}\n"
             "targets:\n"
             "  - {unit: \"042\", measure: members, period: 2023H1, value: 60000}\n"
             "  - {level: commune, measure: share, period: 2023, value: 30}\n");
    assert_int_equal(c.version, 0);
    assert_int_equal(c.level_count, 2);
    assert_string_equal(c.levels[1], "commune");
    assert_int_equal(c.dimension_count, 1);
    assert_string_equal(c.dimensions[0].values[1], "other");
    assert_int_equal(c.measure_count, 2);
    assert_string_equal(c.measures[0].name, "Quỹ");
    assert_int_equal(c.measures[0].kind, MEASURE_FLOW);
    assert_int_equal(c.measures[0].decimals, 2);
    assert_int_equal(c.measures[0].frequency, FREQUENCY_QUARTER);
    assert_true(c.measures[0].strict);
    assert_int_equal(c.measures[0].dimension_count, 1);
    assert_string_equal(c.measures[0].dimensions[0], "group");
    assert_int_equal(c.measures[1].kind, MEASURE_STOCK);
    assert_int_equal(c.measures[1].decimals, 0);
    assert_int_equal(c.measures[1].frequency, FREQUENCY_MONTH);
    assert_false(c.measures[1].strict);
    assert_int_equal(c.indicator_count, 2);
    assert_string_equal(c.indicators[0].formula, "fund / members");
    assert_string_equal(c.indicators[0].factor, "1");
    assert_string_equal(c.indicators[1].factor, "100");
    assert_int_equal(c.target_count, 2);
    assert_string_equal(c.targets[0].level, "");
    assert_string_equal(c.targets[1].unit, "");
    assert_string_equal(c.targets[1].level, "commune");
    assert_string_equal(c.targets[0].unit, "042");
    assert_int_equal(c.targets[0].period.frequency, FREQUENCY_HALF);
    assert_string_equal(c.targets[0].value, "60000");
}

static void test_least(void **state)
{
    (void)state;
    struct catalogue c = load("levels: [only]\nmeasures:\n- {code: m, kind: flow, level: only}\n");
    assert_int_equal(c.measure_count, 1);
    assert_string_equal(c.measures[0].name, "m");
    assert_string_equal(c.measures[0].unit, "");
}

static void test_example(void **state)
{
    (void)state;
    const char *example = "../config/examples/catalog.yaml";
    struct catalogue c;
    struct errmsg msg = {""};
    enum err err = config_catalogue_load(example, &arena, &c, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    assert_int_equal(c.measure_count, 6);
}

static void test_form(void **state)
{
    (void)state;
    refuse("levels: [a]\nmeasuers: []\n", "2:1",
           "unknown key \"measuers\"; did you mean measures?");
    refuse("measures: []\n", "1:1", "the key \"levels\" is missing");
    refuse("levels: []\n", "1:9", "levels is an empty list");
    refuse("levels: [a]\nmeasures:\n  - {code: x, knid: flow, level: a}\n", "3:15",
           "unknown key \"knid\"; did you mean kind");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flwo, level: a}\n", "3:21",
           "kind is one of flow, stock, not \"flwo\"; did you mean flow?");
    refuse("levels: [a]\nmeasures:\n  - {code: x, level: a}\n", "3:5",
           "the key \"kind\" is missing");
    refuse("levels: [a]\nmeasures:\n  - {}\n", "3:5", "the key \"code\" is missing");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a}\n"
           "  - {code: y, kind: flow, level: a, level: a}\n",
           "4:37", "the key \"level\" stands here for the second time");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a, strict: ture}\n", "3:45",
           "strict is one of true, false");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a, frequency: week}\n", "3:48",
           "frequency is one of day, month, quarter, half, year");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a, decimals: 1.5}\n", "3:47",
           "decimals is a whole number from 0 to 9, not \"1.5\"");
    refuse("levels: [a]\nindicators:\n  - {code: x, formula: y, decimals: 10}\n", "3:37",
           "decimals is a whole number");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: }\n", "3:34",
           "level is empty");
    refuse("levels: [a]\nmeasures: {code: x}\n", "2:11", "expected a list here, found a mapping");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow\n", "4:1", "did not find expected");
    refuse("levels: [a]\ntargets:\n  - {unit: u, measure: m, period: 2023H3, value: 1}\n", "3:35",
           "no period");
    refuse("levels: [a]\ntargets:\n  - {unit: u, measure: m, period: 2023, value: 1k}\n", "3:48",
           "not a number");
}

/* What only catalogue_check knows. */
static void test_meaning(void **state)
{
    (void)state;
    refuse("levels: [a, b, a]\n", "1:16", "level a stands twice");
    refuse("levels: [a]\nmeasures:\n"
           "  - {code: x, kind: flow, level: a}\n"
           "  - {code: y, kind: flow, level: a}\n"
           "  - {code: x, kind: flow, level: a}\n",
           "5:5", "measure x stands twice");
    refuse("levels: [commune]\nmeasures:\n"
           "  - {code: x, kind: flow, level: commune}\n"
           "  - {code: y, kind: flow, level: comune}\n",
           "4:34", "comune");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a, categories: [nix]}\n",
           "3:50", "nix");
    refuse("levels: [a]\nmeasures:\n  - {code: \"x y\", kind: flow, level: a}\n", "3:12", "x y");
    refuse("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a}\nindicators:\n"
           "  - {code: x, formula: x}\n",
           "5:5", "indicator x: the code stands twice");
    refuse("levels: [a]\ntargets:\n  - {unit: u, measure: nix, period: 2023, value: 1}\n", "3:24",
           "nix");
    const char *start = "levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a}\n";
    char text[1000];
    (void)snprintf(text, sizeof text,
                   "%sindicators:\n  - {code: p, formula: q * 2}\n"
                   "  - {code: q, formula: x / p}\n",
                   start);
    refuse(text, "5:5", "indicator p: formula \"x / p\": indicator p names itself, by way of q");
    (void)snprintf(text, sizeof text,
                   "%sindicators:\n  - {code: p, formula: q * 2}\n"
                   "  - {code: q, formula: x / y}\n",
                   start);
    refuse(text, "6:24",
           "indicator q: formula \"x / y\": measure y is not in the catalogue; did you mean x, p "
           "or q?");
    (void)snprintf(text, sizeof text, "%sindicators:\n  - {code: p, formula: x, factor: 1.2.3}\n",
                   start);
    refuse(text, "5:35", "indicator p: factor \"1.2.3\" is no number above 0");
    (void)snprintf(text, sizeof text,
                   "%stargets:\n  - {unit: u, measure: x, period: 2023-01-01, value: 1}\n", start);
    refuse(text, "5:35",
           "target of unit u: x is kept by the month, and \"2023-01-01\" is finer than that");
    (void)snprintf(text, sizeof text,
                   "%stargets:\n  - {unit: u, measure: x, period: 2023, value: 1}\n"
                   "  - {level: a, measure: x, period: 2023, value: 1}\n"
                   "  - {unit: u, measure: x, period: 2023, value: 2}\n",
                   start);
    refuse(text, "7:5", "target of unit u: that of x in 2023 stands twice");
}

/* What only a node can know is found by what its sentence quotes. */
static void test_place(void **state)
{
    (void)state;
    static const struct {
        const char *sentence;
        const char *place; /* "": none is found */
    } ROWS[] = {{"target of unit \"u\" in \"2024\": no", "6:12:"},
                {"target of unit \"u\": no", "5:12:"},
                {"measure \"x\" is published", "3:12:"},
                {"unit \"v\" is not there", ""},
                {"the catalogue is \"x", ""},
                {"no", ""}};
    write_text("levels: [a]\nmeasures:\n  - {code: x, kind: flow, level: a}\ntargets:\n"
               "  - {unit: u, measure: x, period: 2023, value: 1}\n"
               "  - {unit: u, measure: x, period: 2024, value: 1}\n");
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct errmsg msg;
        char wanted[400];
        (void)snprintf(msg.text, sizeof msg.text, "%s", ROWS[i].sentence);
        config_catalogue_place(path, &msg);
        (void)snprintf(wanted, sizeof wanted, "%s%s%s%s%s", ROWS[i].place[0] == '\0' ? "" : path,
                       ROWS[i].place[0] == '\0' ? "" : ":", ROWS[i].place,
                       ROWS[i].place[0] == '\0' ? "" : " ", ROWS[i].sentence);
        assert_string_equal(msg.text, wanted);
    }
    struct errmsg msg = {"target of unit \"u\""};
    config_catalogue_place("nowhere.yaml", &msg);
    assert_string_equal(msg.text, "target of unit \"u\"");
}

static void test_no_room(void **state)
{
    (void)state;
    struct catalogue catalogue;
    struct arena small;
    struct errmsg msg = {""};
    arena_init(&small, 64);
    write_text("levels: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]\n");
    assert_int_equal(config_catalogue_load(path, &small, &catalogue, &msg), ERR_NO_MEMORY);
    arena_reset(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_everything), cmocka_unit_test(test_least),
        cmocka_unit_test(test_example),    cmocka_unit_test(test_form),
        cmocka_unit_test(test_meaning),    cmocka_unit_test(test_place),
        cmocka_unit_test(test_no_room),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

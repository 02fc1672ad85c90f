/* layer: proto */
/* Formulas in exact fractions, and their text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "proto/formula.h"

static wide values[4];

/* What was recorded of the measures e and e-mail, by category. */
static const struct {
    const char *category;
    wide value;
} PARTS[] = {
    {"", 1000}, {"group=cadre,sex=f", 1}, {"group=cadre,sex=m", 20}, {"group=other,sex=f", 300}};

static enum err value_of(void *ctx, const struct formula_step *step, bool *there, wide *value)
{
    (void)there;
    *value = step->measure < 4 ? values[step->measure] : 0;
    for (size_t i = 0; i < 4 && step->measure >= 4; i++) {
        *value += formula_takes(step, ctx, PARTS[i].category) ? PARTS[i].value : 0;
    }
    return ERR_OK;
}

/* Measures a, b without decimals, c with two, "d_9" with nine; e and "e-mail" with categories.
 * Indicators that are made of each other, and two that go round. */
static const struct catalogue *catalogue(void)
{
    static const char *groups[] = {"cadre", "other"};
    static const char *sexes[] = {"f", "m"};
    static const char *both[] = {"group", "sex"};
    static struct dimension dimensions[] = {{"group", groups, 2}, {"sex", sexes, 2}};
    static struct measure measures[] = {
        {.code = "a", .frequency = FREQUENCY_DAY},
        {.code = "b", .frequency = FREQUENCY_MONTH},
        {.code = "c", .decimals = 2, .frequency = FREQUENCY_DAY},
        {.code = "d_9", .decimals = 9, .frequency = FREQUENCY_YEAR},
        {.code = "e", .dimensions = both, .dimension_count = 2, .frequency = FREQUENCY_DAY},
        {.code = "e-mail", .dimensions = both, .dimension_count = 2, .frequency = FREQUENCY_DAY}};
    static struct indicator indicators[] = {
        {.code = "share", .formula = "a / b", .factor = "100"},
        {.code = "two.shares", .formula = "share + share", .factor = "0.5"},
        {.code = "2x", .formula = "a * 2", .factor = "1"},
        {.code = "self", .formula = "1 + self", .factor = "1"},
        {.code = "there", .formula = "back * 2", .factor = "1"},
        {.code = "back", .formula = "a + there", .factor = "1"},
        {.code = "bad", .formula = "a +", .factor = "1"}};
    static const struct catalogue c = {.dimensions = dimensions,
                                       .dimension_count = 2,
                                       .measures = measures,
                                       .measure_count = 6,
                                       .indicators = indicators,
                                       .indicator_count = 7};
    return &c;
}

static enum err parse(const char *text, struct formula *out, struct errmsg *msg)
{
    struct indicator it = {.code = "it", .formula = text, .factor = "1"};
    return formula_of_indicator(&it, catalogue(), out, msg);
}

/* The result as text; "none" without a value, "long" when it does not fit. */
static const char *result(const char *text, int decimals)
{
    static char out[FRACTION_TEXT_BYTES];
    struct formula formula;
    struct fraction fraction;
    struct errmsg msg = {{0}};
    bool there;
    enum err err = parse(text, &formula, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    assert_int_equal(
        formula_compute(&formula, catalogue(), value_of, (void *)catalogue(), &there, &fraction),
        ERR_OK);
    if (!there) {
        return "none";
    }
    return fraction_format(&fraction, decimals, out) ? out : "long";
}

static void test_precedence(void **state)
{
    (void)state;
    values[0] = 6;
    values[1] = 4;
    values[2] = 250; /* 2.50 */
    values[3] = 1;
    assert_string_equal(result("a + b * 2", 0), "14");
    assert_string_equal(result("(a + b) * 2", 0), "20");
    assert_string_equal(result("a - b - 1", 0), "1");
    assert_string_equal(result("a - (b - 1)", 0), "3");
    assert_string_equal(result("a / b / 2", 2), "0.75");
    assert_string_equal(result("a / (b / 2)", 2), "3.00");
    assert_string_equal(result("-a + b", 0), "-2");
    assert_string_equal(result("--a", 0), "6");
    assert_string_equal(result("a*-b", 0), "-24");
    assert_string_equal(result(" a\t*\tb ", 0), "24");
    assert_string_equal(result("c * b", 1), "10.0");
    assert_string_equal(result("c + 0.25", 2), "2.75");
    assert_string_equal(result("d_9", 9), "0.000000001");
    assert_string_equal(result("1 / 3 * 3", 0), "1"); /* exact on the way */
    assert_string_equal(result("100 * a / b", 1), "150.0");
}

static void test_no_value(void **state)
{
    (void)state;
    values[0] = 6;
    values[1] = 0;
    assert_string_equal(result("a / b", 2), "none");
    assert_string_equal(result("b / b", 2), "none");
    assert_string_equal(result("1 + a / (b * 5)", 2), "none");
    assert_string_equal(result("b / a", 2), "0.00");
    assert_string_equal(result("a / 0", 0), "none");
}

static void test_rounding(void **state)
{
    (void)state;
    static const struct {
        int over;
        const char *tenth; /* of over / 100, to one decimal */
        const char *whole;
    } CASES[] = {{5, "0.1", "0"},     {-5, "-0.1", "0"},   {4, "0.0", "0"},   {-4, "0.0", "0"},
                 {15, "0.2", "0"},    {-15, "-0.2", "0"},  {49, "0.5", "0"},  {50, "0.5", "1"},
                 {-50, "-0.5", "-1"}, {149, "1.5", "1"},   {150, "1.5", "2"}, {-150, "-1.5", "-2"},
                 {250, "2.5", "3"},   {-249, "-2.5", "-2"}};
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        values[0] = CASES[i].over;
        assert_string_equal(result("a / 100", 1), CASES[i].tenth);
        assert_string_equal(result("a / 100", 0), CASES[i].whole);
        values[0] = -CASES[i].over;
        assert_string_equal(result("a / -100", 1), CASES[i].tenth);
    }
    values[0] = 2;
    assert_string_equal(result("a / 3", 9), "0.666666667");
}

/* Beyond 128 bits there is no value, on either side, and never a wrong one. */
static void test_overflow(void **state)
{
    (void)state;
    char text[FRACTION_TEXT_BYTES];
    values[0] = (wide)(((uwide)1 << 127) - 1);
    values[1] = -values[0];
    assert_string_equal(result("a", 0), "170141183460469231731687303715884105727");
    assert_string_equal(result("b", 0), "-170141183460469231731687303715884105727");
    assert_string_equal(result("a + 1", 0), "none");
    assert_string_equal(result("b - 2", 0), "none");
    assert_string_equal(result("a * 2", 0), "none");
    assert_string_equal(result("a - 1 + 1", 0), "170141183460469231731687303715884105727");
    assert_string_equal(result("a", 1), "long");
    assert_string_equal(result("a / b", 3), "-1.000");
    values[0] = (wide)1 << 126;
    values[1] = -2;
    /* The least number of 128 bits has no opposite. */
    assert_string_equal(result("-(a * b)", 0), "none");
    assert_string_equal(result("0 - a * b", 0), "none");
    assert_string_equal(result("1 / (a * b)", 0), "none");
    assert_string_equal(result("(a - 1) * b", 0), "-170141183460469231731687303715884105726");
    struct fraction least = {(wide)((uwide)1 << 127), 1};
    assert_false(fraction_format(&least, 0, text));
    assert_false(fraction_format(&least, 2, text));
}

/* Only what lies under the named categories counts; what has no category lies under none. */
static void test_categories(void **state)
{
    (void)state;
    values[0] = 5;
    assert_string_equal(result("e", 0), "1321");
    assert_string_equal(result("e[group=cadre]", 0), "21");
    assert_string_equal(result("e[sex=f]", 0), "301");
    assert_string_equal(result("e[ sex = m , group=cadre ]", 0), "20");
    assert_string_equal(result("e[sex=m,group=other]", 0), "0");
    assert_string_equal(result("e[group=cadre] / e[group=other]", 2), "0.07");
    assert_string_equal(result("e[group=cadre] / e[sex=m,group=other]", 2), "none");
    assert_string_equal(result("e-mail[sex=f] - e", 0), "-1020");
    assert_string_equal(result("e-mail-e", 0), "0");
    assert_string_equal(result("a-e", 0), "-1316");
}

/* The signs of print are the same as those of keyboards. */
static void test_signs(void **state)
{
    (void)state;
    values[0] = 6;
    values[1] = 4;
    assert_string_equal(result("a \u2212 b", 0), "2");
    assert_string_equal(result("a\u00d7b\u00f7a", 0), "4");
    assert_string_equal(result("\u2212a", 0), "-6");
}

/* An indicator stands for its formula times its factor, unrounded. */
static void test_indicators(void **state)
{
    (void)state;
    struct formula formula;
    struct fraction fraction;
    struct errmsg msg;
    char text[FRACTION_TEXT_BYTES];
    bool there;
    values[0] = 1;
    values[1] = 3;
    assert_string_equal(result("share", 3), "33.333");
    assert_string_equal(result("share * 3", 0), "100");
    assert_string_equal(result("two.shares", 3), "33.333");
    assert_string_equal(result("2x + 2", 0), "4");
    assert_string_equal(result("1 - 2x", 0), "-1");
    const struct indicator *share = catalogue_indicator(catalogue(), "share");
    assert_int_equal(formula_of_indicator(share, catalogue(), &formula, &msg), ERR_OK);
    assert_int_equal(
        formula_compute(&formula, catalogue(), value_of, (void *)catalogue(), &there, &fraction),
        ERR_OK);
    assert_true(there && fraction_format(&fraction, 1, text));
    assert_string_equal(text, "33.3");
    assert_int_equal(formula_frequency(&formula, catalogue()), FREQUENCY_MONTH);
    values[1] = 0;
    assert_string_equal(result("share * 0", 0), "none");
}

static void refused(const char *text, const char *why)
{
    struct formula formula;
    struct errmsg msg = {{0}};
    assert_int_equal(parse(text, &formula, &msg), ERR_REFUSED);
    if (strstr(msg.text, why) == NULL) {
        fail_msg("\"%s\" says \"%s\", not \"%s\"", text, msg.text, why);
    }
}

static void test_refused_formulas(void **state)
{
    (void)state;
    char text[600];
    refused("", "character 1");
    refused("a +", "character 4");
    refused("(a + b", ") is wanted here");
    refused("a b", "an operator is wanted here");
    refused("a ? b", "an operator is wanted here");
    refused("nope / a", "measure nope is not in the catalogue");
    refused("d_8", "did you mean d_9");
    refused("1.2.3", "character 4");
    refused("1234567890123456789", "18 digits");
    refused(". + 1", "is wanted here");
    refused("self", "indicator self names itself, and so has no value");
    refused("there", "indicator there names itself, by way of back");
    refused("back + 1", "indicator back names itself, by way of there");
    refused("bad", "formula \"a +\", at character 4");
    refused("share[group=cadre]", "only measures have categories");
    refused("a[group=cadre]", "measure a has no category group=cadre");
    refused("e[group=nobody]", "measure e has no category group=nobody");
    refused("e[nothing=f]", "measure e has no category nothing=f");
    refused("e[group]", "character 3: a category is wanted here");
    refused("e[]", "a category is wanted here");
    refused("e[sex=f", "] is wanted here");
    refused("e[sex=f,sex=m]", "character 9: this category stands here for the second time");
    refused("e[sex=f group=cadre]", "] is wanted here");
    refused("a \u2212 \u00f7 b", "character 5");
    memset(text, '(', 100);
    text[100] = '\0';
    refused(text, "too deep");
    memset(text, '-', 100);
    refused(text, "too deep");
    text[0] = 'a';
    for (size_t i = 1; i < 400; i += 2) {
        text[i] = '+';
        text[i + 1] = 'a';
    }
    text[401] = '\0';
    refused(text, "too long");
    memset(text, ' ', 500);
    text[0] = 'a';
    memcpy(text + 495, "+ nix", 6);
    refused(text, "...\": measure nix is not in the catalogue"); /* the reason is not cut off */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_precedence), cmocka_unit_test(test_no_value),
        cmocka_unit_test(test_rounding),   cmocka_unit_test(test_overflow),
        cmocka_unit_test(test_categories), cmocka_unit_test(test_signs),
        cmocka_unit_test(test_indicators), cmocka_unit_test(test_refused_formulas)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

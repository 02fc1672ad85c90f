/* layer: node */
/* Formulas in exact fractions, their text, and the tree in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "node/formula.h"
#include "node/view.h"
#include "store/store.h"

static wide values[4];

static enum err value_of(void *ctx, size_t measure, wide *value)
{
    (void)ctx;
    *value = values[measure];
    return ERR_OK;
}

/* Measures a, b without decimals, c with two, "d_9" with nine. */
static const struct catalogue *catalogue(void)
{
    static struct measure measures[] = {
        {.code = "a"}, {.code = "b"}, {.code = "c", .decimals = 2}, {.code = "d_9", .decimals = 9}};
    static const struct catalogue c = {.measures = measures, .measure_count = 4};
    return &c;
}

/* The result as text; "none" without a value, "long" when it does not fit. */
static const char *result(const char *text, int decimals)
{
    static char out[FRACTION_TEXT_BYTES];
    struct formula formula;
    struct fraction fraction;
    struct errmsg msg = {{0}};
    bool there;
    enum err err = formula_parse(text, catalogue(), &formula, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    assert_int_equal(formula_compute(&formula, catalogue(), value_of, NULL, &there, &fraction),
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

static void refused(const char *text, const char *why)
{
    struct formula formula;
    struct errmsg msg = {{0}};
    assert_int_equal(formula_parse(text, catalogue(), &formula, &msg), ERR_REFUSED);
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
}

/* ---- the tree ---- */

static struct store *store;
static struct view view;

static void put_unit(int64_t code, const char *text, const char *parent, int32_t from, int32_t to)
{
    struct unit_edge edge = {parent, from, to};
    struct buf edges;
    buf_init(&edges, 1000);
    edges_encode(&edge, 1, &edges);
    struct store_unit row = {
        .code = code, .name = text, .level = "l", .edges = {edges.data, edges.len}};
    assert_int_equal(store_unit_put(store, &row), ERR_OK);
    assert_int_equal(view_put_unit(&view, &row, text), ERR_OK);
    buf_deinit(&edges);
}

static int64_t symbol(const char *text)
{
    int64_t id;
    assert_int_equal(store_symbol_put(store, text, &id), ERR_OK);
    return id;
}

/* Children that come before their parent find it when it comes; a loop ends every walk; codes that
 * begin alike lie in different places. */
static void test_tree(void **state)
{
    (void)state;
    assert_int_equal(store_open(":memory:", STORE_CREATE, &store, NULL), ERR_OK);
    view_init(&view, store);
    int64_t deep = symbol("421");
    int64_t middle = symbol("42");
    int64_t top = symbol("4");
    int64_t x = symbol("x");
    int64_t y = symbol("y");
    put_unit(deep, "421", "42", DAY_NONE, DAY_NONE);
    assert_false(view_within(&view, view_unit(&view, deep), view_unit(&view, top)));
    put_unit(top, "4", "", DAY_NONE, DAY_NONE);
    put_unit(middle, "42", "4", 100, 200);
    put_unit(x, "x", "y", DAY_NONE, 100);
    put_unit(y, "y", "x", 100, DAY_NONE);
    assert_int_equal(view_unit_by_code(&view, "42"), view_unit(&view, middle));
    assert_int_equal(view_unit_by_code(&view, "nowhere"), TREE_NONE);
    assert_int_equal(view_unit(&view, 12345), TREE_NONE);
    assert_true(view_within(&view, view_unit(&view, deep), view_unit(&view, top)));
    assert_false(view_within(&view, view_unit(&view, top), view_unit(&view, deep)));
    assert_false(view_within(&view, view_unit(&view, x), view_unit(&view, top)));
    assert_false(view_within(&view, TREE_NONE, view_unit(&view, top)));
    assert_int_equal(view_host(&view, view_unit(&view, x)), TREE_NONE);
    struct store_hosting hosting = {.unit = top, .number = 1};
    view_put_hosting(&view, &hosting);
    assert_int_equal(view_host(&view, view_unit(&view, deep)), view_unit(&view, top));
    hosting.unit = middle;
    view_put_hosting(&view, &hosting);
    assert_int_equal(view_host(&view, view_unit(&view, deep)), view_unit(&view, middle));
    hosting.revoked = true;
    view_put_hosting(&view, &hosting);
    assert_int_equal(view_host(&view, view_unit(&view, deep)), view_unit(&view, top));
    const struct unit *dated = &view.tree.units[view_unit(&view, middle)];
    assert_false(view_open(dated, 99));
    assert_true(view_open(dated, 100) && view_open(dated, 200));
    assert_false(view_open(dated, 201));
    assert_true(view_open(&view.tree.units[view_unit(&view, x)], -100000));
    assert_true(view_open(&view.tree.units[view_unit(&view, y)], 100000));
    view_deinit(&view);
    store_close(store);
}

static void test_edges(void **state)
{
    (void)state;
    struct unit_edge edges[EDGES_MAX + 1];
    const struct unit_edge *out;
    struct arena arena;
    struct buf bytes;
    size_t n;
    for (int i = 0; i <= EDGES_MAX; i++) {
        edges[i] = (struct unit_edge){i % 2 == 0 ? "p" : "", -i, i};
    }
    arena_init(&arena, 1 << 16);
    buf_init(&bytes, 1 << 16);
    edges_encode(edges, EDGES_MAX, &bytes);
    assert_int_equal(edges_decode((struct bytes){bytes.data, bytes.len}, &arena, &out, &n), ERR_OK);
    assert_int_equal(n, EDGES_MAX);
    for (int i = 0; i < EDGES_MAX; i++) {
        assert_string_equal(out[i].parent, edges[i].parent);
        assert_int_equal(out[i].from, -i);
        assert_int_equal(out[i].to, i);
    }
    for (size_t len = 0; len < bytes.len; len += 7) {
        assert_int_equal(edges_decode((struct bytes){bytes.data, len}, &arena, &out, &n),
                         ERR_CORRUPT);
        arena_reset(&arena);
    }
    buf_clear(&bytes);
    edges_encode(edges, EDGES_MAX + 1, &bytes);
    assert_int_equal(edges_decode((struct bytes){bytes.data, bytes.len}, &arena, &out, &n),
                     ERR_CORRUPT);
    buf_deinit(&bytes);
    arena_reset(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_precedence),
                                       cmocka_unit_test(test_no_value),
                                       cmocka_unit_test(test_rounding),
                                       cmocka_unit_test(test_overflow),
                                       cmocka_unit_test(test_refused_formulas),
                                       cmocka_unit_test(test_tree),
                                       cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: node */
/* The tree in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "node/view.h"
#include "store/store.h"

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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_tree), cmocka_unit_test(test_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

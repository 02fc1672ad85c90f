/* layer: node store codec */
/* The feed with much in it: pages, windows, cells that change while they wait. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *middle;
static struct world_node *leaf;

static int set_up(void **state)
{
    (void)state;
    tree_begin(23);
    root = tree_root("4", tree_catalogue(1));
    middle = tree_child(root, "42", "district");
    leaf = tree_child(middle, "421", "commune");
    tree_connect_all();
    world_settle();
    return 0;
}

/* A node joins that is never run. */
static void join_nobody(struct world_node *parent, const char *unit)
{
    struct node_joiner joiner = {.address = ""};
    struct msg_request request = {
        .type = REQUEST_INVITE,
        .u.invite = {.unit = unit, .name = "", .level = "", .expires_ms = 100000}};
    assert_int_equal(world_ask(parent, &request)->err, ERR_OK);
    world_fill(NULL, joiner.node_key.b, HASH_BYTES);
    struct msg_join join = tree_join_message(world.token, &joiner.exporter);
    world_begin(parent);
    node_on_join(parent->node, 777, &join, &joiner);
    assert_int_equal(node_commit(parent->node, NULL), ERR_OK);
}

/* More places than a page, the units first and their nodes later: no hosting row comes to a parent
 * that does not have its unit yet. */
static void test_more_places_than_a_page(void **state)
{
    (void)state;
    enum { UNITS = 300, NODES = 140 };
    char code[16];
    world_cut(middle, false);
    world_settle();
    for (int i = 0; i < UNITS; i++) {
        (void)snprintf(code, sizeof code, "u%d", i);
        assert_int_equal(tree_unit(middle, code, "commune", "")->err, ERR_OK);
    }
    for (int i = UNITS - NODES; i < UNITS; i++) {
        (void)snprintf(code, sizeof code, "u%d", i);
        join_nobody(middle, code);
    }
    tree_relink();
    assert_int_equal(root->node->view.tree.count, 3 + UNITS);
    assert_int_equal(tree_total(root, "4", "raised", "2025").nodes, 3 + NODES);
    assert_false(state_alarm(root, "").there);
    assert_false(state_alarm(middle, "").there);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
}

static void import_days(struct world_node *n, int from, int count)
{
    enum { ROWS = 500 };
    static struct record_row rows[ROWS];
    static char keys[ROWS][24];
    int32_t first = day_from_civil(2020, 1, 1);
    for (int i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "key-%d", from + i);
        rows[i] = (struct record_row){.unit = n->unit,
                                      .measure = "visits",
                                      .day = first + from + i,
                                      .category = "",
                                      .value = "1",
                                      .key = keys[i],
                                      .note = "a note that takes its room in every message"};
    }
    struct msg_request request = {
        .type = REQUEST_RECORD,
        .u.record = {.rows = rows, .row_count = (size_t)count, .partial = true}};
    assert_int_equal(world_ask(n, &request)->recorded, count);
}

static int64_t total_at_root(const char *measure)
{
    int64_t sum = 0;
    for (int year = 2020; year < 2030; year++) {
        char period[16];
        (void)snprintf(period, sizeof period, "%d", year);
        sum += (int64_t)tree_total(root, "4", measure, period).value;
    }
    return sum;
}

/* A backlog of many windows, with the link cut again and again on the way: what has been
 * acknowledged is not sent twice, and at no time is a total above more than what escrow proves. */
static void test_long_backlog(void **state)
{
    (void)state;
    enum { ENTRIES = 3000 };
    world_cut(leaf, false);
    world_settle();
    for (int i = 0; i < ENTRIES; i += 500) {
        import_days(leaf, i, 500);
    }
    for (int round = 0; round < 12; round++) {
        (void)world_connect(leaf);
        for (int i = 0; i < 3 + round; i++) {
            (void)world_turn(leaf, 1);
            (void)world_turn(middle, 1);
            struct state_counts counts = state_counts(middle, leaf);
            assert_true(counts.cells <= counts.facts);
        }
        world_cut(leaf, round % 2 == 0);
        (void)world_turn(leaf, 1);
    }
    tree_relink();
    assert_int_equal(total_at_root("visits"), ENTRIES);
    assert_int_equal(state_status(leaf, "").unescrowed, 0);
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
    assert_false(state_alarm(middle, "").there);
    assert_true(state_verify(middle).ok);
}

/* One cell changes with every batch while a backlog drains: neither waits for the other. */
static void test_cell_that_never_rests(void **state)
{
    (void)state;
    int recorded = 0;
    world_cut(middle, false);
    world_settle();
    for (int i = 0; i < 3000; i += 500) {
        import_days(middle, i, 500);
    }
    (void)world_connect(middle);
    assert_int_equal(world_record(leaf, "421", "raised", "1000", "2025-02-03")->err, ERR_OK);
    bool leaf_there = false;
    bool hot_there = false;
    for (int i = 0; i < 400 && !(leaf_there && hot_there); i++) {
        assert_int_equal(world_record(middle, "42", "raised", "1", "2025-02-03")->err, ERR_OK);
        recorded++;
        for (size_t j = 0; j < world.count; j++) {
            (void)world_turn(&world.nodes[j], 1);
        }
        int64_t there = total_at_root("raised");
        leaf_there = there >= 1000;
        hot_there = there % 1000 > 0;
    }
    assert_true(leaf_there);
    assert_true(hot_there);
    world_settle();
    assert_int_equal(total_at_root("raised"), 1000 + recorded);
    assert_int_equal(total_at_root("visits"), 3000);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
}

/* A row that changes after one link has read it and before another does: both get the newest. */
static void test_row_read_by_one_link_only(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(world_record(middle, "421", "visits", "1", "2025-02-03")->err, ERR_OK);
        (void)world_turn(middle, 1);
        if (i % 3 == 0) {
            world_cut(i % 2 == 0 ? leaf : middle, i % 4 == 0);
        }
        for (size_t j = world_below(3); j > 0; j--) {
            (void)world_turn(&world.nodes[world_below(world.count)], 1);
        }
        tree_connect_all();
    }
    tree_relink();
    tree_relink();
    assert_int_equal(tree_total(root, "421", "visits", "2025").value, 20);
    assert_int_equal(tree_total(leaf, "421", "visits", "2025").value, 20);
    assert_int_equal(state_origin(leaf, middle).cell_count, 20);
    assert_int_equal(state_origin(root, middle).cell_count, 20);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_more_places_than_a_page), CASE(test_long_backlog),
                                       CASE(test_cell_that_never_rests),
                                       CASE(test_row_read_by_one_link_only)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: node store codec */
/* What a client may ask although no command of ours would: values out of their range on the wire,
 * a tree that is no longer, a clock that went back; and what a request that is taken back leaves.
 */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *office;

static int set_up(void **state)
{
    (void)state;
    tree_begin(11);
    root = tree_root("4", tree_catalogue(1));
    office = tree_child(root, "42", "district");
    tree_relink();
    return 0;
}

static enum err record_on(struct world_node *n, int32_t day)
{
    struct record_row row = world_row(n->unit, "raised", "5", "2025-02-03");
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    row.day = day;
    return world_ask(n, &request)->err;
}

/* An entry of such a day would break every link that it goes over. */
static void test_days_of_no_calendar(void **state)
{
    (void)state;
    static const int32_t DAYS[] = {DAY_MIN - 1, DAY_MAX + 1, INT32_MAX, INT32_MIN + 1};
    for (size_t i = 0; i < sizeof DAYS / sizeof *DAYS; i++) {
        assert_int_equal(record_on(office, DAYS[i]), ERR_REFUSED);
    }
    assert_int_equal(record_on(office, DAY_MIN), ERR_OK);
    assert_int_equal(record_on(office, DAY_MAX), ERR_OK);
    world_settle();
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
}

static void test_invitations_for_ever(void **state)
{
    (void)state;
    static const int64_t SPANS[] = {0, -1, INT64_MAX, INT64_MIN, INT64_C(366) * DAY_MS};
    for (size_t i = 0; i < sizeof SPANS / sizeof *SPANS; i++) {
        struct msg_request request = {
            .type = REQUEST_INVITE,
            .u.invite = {.unit = "43", .name = "N", .level = "district", .expires_ms = SPANS[i]}};
        assert_int_equal(world_ask(root, &request)->err, ERR_REFUSED);
    }
    assert_int_equal(view_unit_by_code(&root->node->view, "43"), TREE_NONE);
}

static struct tree_total total_of(struct period period, int32_t tree_as_of)
{
    struct tree_total out = {.value = 0};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = "",
                                              .has_period = true,
                                              .period = period,
                                              .level = "",
                                              .tree_as_of = tree_as_of}};
    tree_query(root, &request, tree_keep_total, &out);
    return out;
}

static void test_periods_of_no_calendar(void **state)
{
    (void)state;
    static const int32_t PLACES[] = {INT32_MAX, INT32_MIN, -1, 10000 * 12};
    for (int f = FREQUENCY_YEAR; f <= FREQUENCY_DAY; f++) {
        for (size_t i = 0; i < 2; i++) {
            struct tree_total out =
                total_of((struct period){(enum frequency)f, PLACES[i]}, DAY_NONE);
            assert_non_null(strstr(out.error, "period"));
        }
    }
    for (size_t i = 2; i < 4; i++) {
        struct tree_total out = total_of((struct period){FREQUENCY_MONTH, PLACES[i]}, DAY_NONE);
        assert_non_null(strstr(out.error, "period"));
    }
}

/* ---- the tree of another day ---- */

/* Writes edges into the file, as a later release will: under the root until the end of 2024, then
 * under the office. */
static void move_unit(const char *code)
{
    struct unit_edge edges[2] = {{.parent = "4", .from = DAY_NONE}, {.parent = "42"}};
    struct store_unit row;
    struct arena arena;
    struct buf bytes;
    int64_t id;
    edges[0].to = day_from_civil(2024, 12, 31);
    edges[1].from = edges[0].to + 1;
    edges[1].to = DAY_NONE;
    arena_init(&arena, 1 << 16);
    buf_init(&bytes, 1 << 16);
    edges_encode(edges, 2, &bytes);
    assert_int_equal(store_begin(root->store), ERR_OK);
    assert_int_equal(store_symbol_find(root->store, code, &id), ERR_OK);
    assert_int_equal(store_unit_get(root->store, id, &arena, &row), ERR_OK);
    row.edges = (struct bytes){bytes.data, bytes.len};
    assert_int_equal(store_unit_put(root->store, &row), ERR_OK);
    assert_int_equal(store_commit(root->store), ERR_OK);
    buf_deinit(&bytes);
    arena_reset(&arena);
}

static void test_tree_of_another_day(void **state)
{
    (void)state;
    struct period year = {FREQUENCY_YEAR, 2025};
    int32_t before = day_from_civil(2024, 6, 1);
    assert_string_equal(tree_unit(root, "49", "district", "")->text, "");
    assert_string_equal(total_of(year, before).error, "");
    move_unit("49");
    assert_non_null(strstr(total_of(year, before).error, "unit 49 lay under 4 on 2024-06-01"));
    assert_string_equal(total_of(year, day_from_civil(2025, 6, 1)).error, "");
    assert_string_equal(total_of(year, DAY_NONE).error, "");
}

/* ---- clocks ---- */

/* A day that is named does not make the clock right, nor does a new start. */
static void test_a_clock_that_went_back(void **state)
{
    (void)state;
    assert_int_equal(record_on(root, DAY_NONE), ERR_OK);
    root->skew_ms = -(int64_t)10 * DAY_MS;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(record_on(root, DAY_NONE), ERR_REFUSED);
        assert_int_equal(record_on(root, day_from_civil(2025, 2, 3)), ERR_OK);
        assert_int_equal(record_on(root, DAY_NONE), ERR_REFUSED);
        tree_restart(root);
    }
    root->skew_ms = 0;
    assert_int_equal(record_on(root, DAY_NONE), ERR_OK);
}

/* ---- what is taken back ---- */

static bool welcomed;

static bool look_at_welcome(struct world_link *link, int to, struct message *message)
{
    (void)link;
    if (to == END_CHILD && message->type == MESSAGE_WELCOME) {
        const struct msg_welcome *welcome = &message->u.welcome;
        assert_string_equal(welcome->unit, "42");
        assert_string_equal(welcome->unit_level, "district");
        assert_int_equal(welcome->ancestor_count, 1);
        assert_string_equal(welcome->ancestors[0].unit, "4");
        welcomed = true;
    }
    return true;
}

/* A hello and units that are only checked, in one batch: what is taken back loads the tree anew,
 * and the welcome has been made before. */
static void test_welcome_beside_what_is_taken_back(void **state)
{
    (void)state;
    struct unit_new unit = {.code = "49", .name = "N", .level = "district", .parent = ""};
    struct msg_request request = {.type = REQUEST_UNITS,
                                  .u.units = {.units = &unit, .unit_count = 1, .check_only = true}};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    world_cut(office, false);
    world_settle();
    struct world_link *link = world_connect(office);
    assert_true(world_turn(office, SIZE_MAX));
    welcomed = false;
    world.tap = look_at_welcome;
    world_begin(root);
    assert_true(world_deliver(link, END_PARENT, SIZE_MAX, &arena));
    (void)world_ask_in(root, &request);
    assert_int_equal(world_commit(root), ERR_OK);
    assert_true(welcomed);
    arena_reset(&arena);
    world_settle();
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_days_of_no_calendar),    CASE(test_invitations_for_ever),
        CASE(test_periods_of_no_calendar), CASE(test_tree_of_another_day),
        CASE(test_a_clock_that_went_back), CASE(test_welcome_beside_what_is_taken_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

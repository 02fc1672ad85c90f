/* layer: node store codec */
/* Lines of one ledger that part and meet again, seen from above: what every office on the way must
 * hear of them for its totals to be right. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *district;
static struct world_node *commune;

static int set_up(void **state)
{
    (void)state;
    tree_begin(20);
    root = tree_root("4", tree_catalogue(1));
    district = tree_child(root, "42", "district");
    tree_relink();
    commune = tree_child(district, "421", "commune");
    tree_relink();
    return 0;
}

static void records(int count)
{
    for (int i = 0; i < count; i++) {
        assert_int_equal(world_record(commune, "421", "raised", "1", "2025-02-03")->err, ERR_OK);
    }
}

/* The file as it is now, in the middle of a segment. */
static void copy_running(char copy[WORLD_PATH_BYTES + 8])
{
    (void)snprintf(copy, WORLD_PATH_BYTES + 8, "%s.copy", commune->path);
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(commune->store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
        SQLITE_OK);
    tree_copy_file(commune->path, copy);
}

static void put_back(const char *copy)
{
    tree_close(commune);
    tree_copy_file(copy, commune->path);
    tree_open(commune);
}

static void check_all(int64_t value)
{
    struct world_node *all[] = {root, district, commune};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        assert_true(tree_total(all[i], all[i]->unit, "raised", "2025").value == value);
        assert_false(state_alarm(all[i], "").there);
    }
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_int_equal(state_of_child(district, "421"), LINK_EXACT);
    assert_int_equal(state_counts(root, commune).refused, 0);
    assert_int_equal(state_counts(root, commune).cells, value);
}

/* The root has heard of three entries of a segment when a new one continues it there; then the
 * machine has back the rest of the first, which the root has never heard of. */
static void part(int lost)
{
    char copy[WORLD_PATH_BYTES + 8];
    records(3);
    world_settle();
    copy_running(copy);
    world_cut(district, false);
    records(lost);
    world_settle();
    put_back(copy);
    records(1);
    (void)world_connect(commune);
    world_settle();
    assert_true(tree_total(district, "42", "raised", "2025").value == 4 + lost);
}

static void test_segment_grows_behind_its_continuation(void **state)
{
    (void)state;
    part(4);
    tree_relink();
    check_all(8);
    records(2);
    world_settle();
    check_all(10);
}

/* After a start the next segment continues both lines. */
static void test_both_lines_are_continued(void **state)
{
    (void)state;
    part(4);
    tree_restart(commune);
    tree_restart(district);
    records(1);
    tree_relink();
    check_all(9);
    struct store_segment frontier[4];
    size_t lines;
    assert_int_equal(
        store_segments_frontier(root->store, state_origin(root, commune).id, frontier, 4, &lines),
        ERR_OK);
    assert_int_equal(lines, 1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_segment_grows_behind_its_continuation),
                                       CASE(test_both_lines_are_continued)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

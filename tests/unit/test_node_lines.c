/* layer: node store codec */
/* Lines of one ledger that part and meet again, seen from above: what every office on the way must
 * hear of them for its totals to be right. */
#include "proto/act.h"
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
static void copy_running(struct world_node *n, char copy[WORLD_PATH_BYTES + 8])
{
    (void)snprintf(copy, WORLD_PATH_BYTES + 8, "%s.copy", n->path);
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(n->store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
        SQLITE_OK);
    tree_copy_file(n->path, copy);
}

static void put_back(struct world_node *n, const char *copy)
{
    tree_close(n);
    tree_copy_file(copy, n->path);
    tree_open(n);
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
    copy_running(commune, copy);
    world_cut(district, false);
    records(lost);
    world_settle();
    put_back(commune, copy);
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

/* ---- a parent that lies about what was lost ---- */

enum lie { NO_ACT, OTHER_UNIT, OWN_UNIT, NOT_BELOW, NO_CODE, OWN_ORIGIN, LIES };
static enum lie lie;
static size_t lies_told;

static struct act lie_about(struct act act)
{
    switch (lie) {
    case OTHER_UNIT:
        act.unit = "421";
        break;
    case OWN_UNIT:
        act.unit = "42";
        act.parent = "4";
        break;
    case NOT_BELOW:
        act.parent = "4";
        break;
    case NO_CODE:
        act.unit = "a b";
        break;
    case OWN_ORIGIN:
        act.kind = ACT_HOST;
        act.unit = "421";
        act.origin = district->origin;
        act.number = 9;
        break;
    case NO_ACT:
    case LIES:
        break;
    }
    return act;
}

/* The first act that comes back to the district is made into another, which it cannot have decided.
 */
static bool tell_lies(struct world_link *link, int to, struct message *message)
{
    static struct entry entries[8];
    static uint8_t bytes[1024];
    struct arena arena;
    struct buf buf;
    struct act act;
    const struct msg_batch *batch = &message->u.batch;
    if (to != END_CHILD || link->end[END_CHILD] != district || message->type != MESSAGE_BATCH ||
        batch->entry_count == 0) {
        return true;
    }
    assert_in_range(batch->entry_count, 1, 8);
    memcpy(entries, batch->entries, batch->entry_count * sizeof *entries);
    message->u.batch.entries = entries;
    arena_init(&arena, 1 << 16);
    buf_init(&buf, sizeof bytes);
    assert_int_equal(act_decode(entries[0].act, &arena, &act), ERR_OK);
    act = lie_about(act);
    act_encode(&act, &buf);
    memcpy(bytes, buf.data, buf.len);
    entries[0].act = (struct bytes){bytes, lie == NO_ACT ? 3 : buf.len};
    entries[0].unit = lie == OWN_UNIT     ? "42"
                      : lie == OWN_ORIGIN ? "421"
                      : lie == NO_CODE    ? "a b"
                                          : entries[0].unit;
    buf_deinit(&buf);
    arena_reset(&arena);
    lies_told++;
    return true;
}

static void test_acts_that_cannot_be(void **state)
{
    (void)state;
    char copy[WORLD_PATH_BYTES + 8];
    copy_running(district, copy);
    assert_int_equal(tree_unit(district, "c9", "commune", "42")->err, ERR_OK);
    world_settle();
    for (lie = NO_ACT; lie < LIES; lie++) {
        put_back(district, copy);
        int64_t ledger = state_status(district, "").ledger;
        lies_told = 0;
        world.tap = tell_lies;
        (void)world_connect(district);
        world_settle();
        world.tap = NULL;
        assert_int_equal(lies_told, 1);
        assert_null(district->up);
        assert_int_equal(state_status(district, "").ledger, ledger);
        assert_int_equal(view_unit_by_code(&district->node->view, "c9"), TREE_NONE);
    }
    tree_relink();
    assert_int_not_equal(view_unit_by_code(&district->node->view, "c9"), TREE_NONE);
    records(1);
    world_settle();
    check_all(1);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_segment_grows_behind_its_continuation),
                                       CASE(test_both_lines_are_continued),
                                       CASE(test_acts_that_cannot_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

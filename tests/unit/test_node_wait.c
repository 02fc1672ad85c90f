/* layer: node store codec */
/* Waiting until what was recorded is at the parent, or at the root: answered when it is durable
 * there and not before, and honestly when the time is over. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *middle;
static struct world_node *leaf;

static int set_up(void **state)
{
    (void)state;
    tree_begin(3);
    root = tree_root("4", tree_catalogue(1));
    middle = tree_child(root, "42", "district");
    leaf = tree_child(middle, "421", "commune");
    tree_connect_all();
    world_settle();
    return 0;
}

static uint64_t ask_wait(struct world_node *n, enum wait_level level, int64_t revision,
                         int64_t timeout_ms)
{
    struct msg_request wait = {
        .type = REQUEST_WAIT,
        .u.wait = {.level = level, .revision = revision, .timeout_ms = timeout_ms}};
    (void)world_ask(n, &wait);
    return wait.id;
}

static int64_t record_one(struct world_node *n)
{
    const struct world_reply *reply = world_record(n, n->unit, "raised", "5", "2025-02-03");
    assert_string_equal(reply->text, "");
    return reply->revision;
}

static int64_t total_at(struct world_node *n)
{
    return (int64_t)tree_total(n, n->unit, "raised", "2025").value;
}

/* After every batch of any node: whoever has been told that it is there finds it there. */
static void run_and_watch(uint64_t at_parent, uint64_t at_root)
{
    bool did = true;
    while (did) {
        did = false;
        for (size_t i = world.count; i > 0; i--) {
            did = world_turn(&world.nodes[i - 1], 1) || did;
            assert_true(world_reply_to(at_parent) == NULL || total_at(middle) == 5);
            assert_true(world_reply_to(at_root) == NULL || total_at(root) == 5);
        }
    }
}

static void test_parent_and_root(void **state)
{
    (void)state;
    world_cut(middle, false);
    world_cut(leaf, false);
    world_settle();
    int64_t revision = record_one(leaf);
    uint64_t at_parent = ask_wait(leaf, WAIT_PARENT, revision, 600000);
    uint64_t at_root = ask_wait(leaf, WAIT_ROOT, revision, 600000);
    (void)world_connect(leaf);
    run_and_watch(at_parent, at_root);
    assert_non_null(world_reply_to(at_parent));
    assert_int_equal(world_reply_to(at_parent)->err, ERR_OK);
    assert_null(world_reply_to(at_root));
    (void)world_connect(middle);
    run_and_watch(at_parent, at_root);
    assert_non_null(world_reply_to(at_root));
    assert_int_equal(world_reply_to(at_root)->err, ERR_OK);
}

/* The middle restarts and links come and go between: nobody waits for ever. */
static void test_root_after_restarts(void **state)
{
    (void)state;
    world_cut(middle, false);
    world_settle();
    (void)record_one(leaf);
    world_settle();
    tree_restart(middle);
    tree_relink();
    world_pass(6000);
    uint64_t at_root = ask_wait(leaf, WAIT_ROOT, 0, 600000);
    world_settle();
    world_pass(6000);
    assert_non_null(world_reply_to(at_root));
    assert_int_equal(world_reply_to(at_root)->err, ERR_OK);
    assert_int_equal(total_at(root), 5);
}

static void test_timeout(void **state)
{
    (void)state;
    world_cut(leaf, false);
    world_settle();
    int64_t revision = record_one(leaf);
    uint64_t parent = ask_wait(leaf, WAIT_PARENT, revision, 5000);
    uint64_t far = ask_wait(leaf, WAIT_ROOT, revision, 7000);
    world_pass(4000);
    assert_null(world_reply_to(parent));
    world_pass(2000);
    assert_int_equal(world_reply_to(parent)->err, ERR_TIMEOUT);
    assert_non_null(strstr(world_reply_to(parent)->text, "not known to be at the parent"));
    assert_null(world_reply_to(far));
    world_pass(2000);
    assert_int_equal(world_reply_to(far)->err, ERR_TIMEOUT);
    assert_non_null(strstr(world_reply_to(far)->text, "not known to be at the root"));
    tree_relink();
    assert_int_equal(total_at(root), 5); /* the entry was kept */
}

static void test_root_waits_for_nobody(void **state)
{
    (void)state;
    uint64_t id = ask_wait(root, WAIT_ROOT, 0, 1000);
    assert_int_equal(world_reply_to(id)->err, ERR_OK);
}

/* What came down from above has moved the feed's head on, and there is nothing to send: all that is
 * here is at the parent. So it is for a key that is recorded again. */
static void test_nothing_left_to_send(void **state)
{
    (void)state;
    (void)record_one(leaf);
    world_settle();
    for (int i = 0; i < 2; i++) {
        assert_int_equal(world_record(root, "421", "visits", "1", "2025-02-03")->err, ERR_OK);
        world_settle();
    }
    assert_int_equal(tree_total(leaf, "421", "visits", "2025").value, 2);
    uint64_t parent = ask_wait(leaf, WAIT_PARENT, 0, 60000);
    uint64_t at_root = ask_wait(leaf, WAIT_ROOT, 0, 60000);
    world_settle();
    world_pass(6000);
    assert_non_null(world_reply_to(parent));
    assert_int_equal(world_reply_to(parent)->err, ERR_OK);
    assert_non_null(world_reply_to(at_root));
    assert_int_equal(world_reply_to(at_root)->err, ERR_OK);
}

/* "Everything so far" in the same batch as a record means that record too. */
static void test_wait_in_the_batch_of_a_record(void **state)
{
    (void)state;
    world_cut(middle, false);
    world_settle();
    struct record_row row = world_row("421", "raised", "5", "2025-02-03");
    struct msg_request record = {.type = REQUEST_RECORD,
                                 .u.record = {.rows = &row, .row_count = 1}};
    struct msg_request wait = {.type = REQUEST_WAIT,
                               .u.wait = {.level = WAIT_ROOT, .timeout_ms = 600000}};
    world_begin(leaf);
    (void)world_ask_in(leaf, &record);
    uint64_t id = world_ask_in(leaf, &wait);
    assert_int_equal(world_commit(leaf), ERR_OK);
    world_settle();
    assert_null(world_reply_to(id));
    (void)world_connect(middle);
    run_and_watch(0, id);
    assert_int_equal(world_reply_to(id)->err, ERR_OK);
}

static void test_client_that_goes(void **state)
{
    (void)state;
    world_cut(leaf, false);
    world_settle();
    (void)record_one(leaf);
    uint64_t id = ask_wait(leaf, WAIT_PARENT, 0, 600000);
    world_begin(leaf);
    node_on_client_gone(leaf->node, 7);
    assert_int_equal(world_commit(leaf), ERR_OK);
    tree_relink();
    assert_null(world_reply_to(id));
}

/* The cell that counts it was lost in the file before it went up: what is above then is not it,
 * until the cell has been made again. */
static void test_root_lacks_what_was_lost_here(void **state)
{
    (void)state;
    world_cut(leaf, false);
    world_settle();
    uint64_t at_root = ask_wait(leaf, WAIT_ROOT, record_one(leaf), 600000);
    state_change(leaf, "DELETE FROM cell WHERE value = 5");
    (void)world_connect(leaf);
    run_and_watch(0, at_root);
    assert_null(world_reply_to(at_root));
    for (int i = 0; i < 60 && world_reply_to(at_root) == NULL; i++) {
        world_pass(1000);
    }
    assert_non_null(world_reply_to(at_root));
    assert_int_equal(world_reply_to(at_root)->err, ERR_OK);
    assert_int_equal(total_at(root), 5);
}

/* News: an entry that arrives from below answers at once, nothing does when the time is over, and a
 * revision that this file never had is news. */
static void test_news(void **state)
{
    (void)state;
    uint64_t early = ask_wait(root, WAIT_NEWS, 0, 600000);
    world_settle();
    assert_int_equal(world_reply_to(early)->err, ERR_OK);
    int64_t revision = world_reply_to(early)->revision;
    assert_true(revision > 0);
    uint64_t patient = ask_wait(root, WAIT_NEWS, revision, 600000);
    uint64_t short_one = ask_wait(root, WAIT_NEWS, revision, 3000);
    world_pass(1000);
    assert_null(world_reply_to(patient));
    assert_null(world_reply_to(short_one));
    world_pass(6000);
    assert_null(world_reply_to(patient));
    assert_int_equal(world_reply_to(short_one)->err, ERR_OK);
    assert_int_equal(world_reply_to(short_one)->revision, revision);
    (void)record_one(leaf);
    world_settle();
    assert_int_equal(world_reply_to(patient)->err, ERR_OK);
    assert_true(world_reply_to(patient)->revision > revision);
    assert_int_equal(total_at(root), 5);
    uint64_t other = ask_wait(root, WAIT_NEWS, INT64_MAX, 600000);
    world_settle();
    assert_int_equal(world_reply_to(other)->err, ERR_OK);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_parent_and_root),
                                       CASE(test_root_after_restarts),
                                       CASE(test_timeout),
                                       CASE(test_root_waits_for_nobody),
                                       CASE(test_nothing_left_to_send),
                                       CASE(test_wait_in_the_batch_of_a_record),
                                       CASE(test_client_that_goes),
                                       CASE(test_root_lacks_what_was_lost_here),
                                       CASE(test_news)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

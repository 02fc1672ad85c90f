/* layer: node store codec */
/* Links as they come and go: marks, what "exact" may say and when, silence, replaced links. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *middle;
static struct world_node *leaf;

static int set_up(void **state)
{
    (void)state;
    tree_begin(7);
    root = tree_root("4", tree_catalogue(1));
    middle = tree_child(root, "42", "district");
    leaf = tree_child(middle, "421", "commune");
    tree_connect_all();
    world_settle();
    return 0;
}

static void record_one(struct world_node *n)
{
    const struct world_reply *reply = world_record(n, n->unit, "raised", "5", "2025-02-03");
    assert_string_equal(reply->text, "");
}

/* ---- taps ---- */

static bool mute(struct world_link *link, int to, struct message *message)
{
    (void)to;
    (void)message;
    return link->end[END_CHILD] != leaf;
}

static bool no_mark(struct world_link *link, int to, struct message *message)
{
    if (link->end[END_CHILD] == leaf && to == END_PARENT && message->type == MESSAGE_BATCH) {
        message->u.batch.mark = false;
    }
    return true;
}

/* ---- marks ---- */

static void test_exact_only_after_a_mark(void **state)
{
    (void)state;
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
    assert_int_equal(tree_total(root, "4", "raised", "2025").exact, 3);
    world_cut(leaf, false);
    world_settle();
    world.tap = no_mark;
    (void)world_connect(leaf);
    record_one(leaf);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_CATCHING_UP);
    struct tree_total total = tree_total(root, "4", "raised", "2025");
    assert_int_equal(total.value, 5); /* the figure is there, and nobody calls it exact */
    assert_int_equal(total.exact, 2);
    assert_string_equal(total.stale, "421");
    world.tap = NULL;
    record_one(leaf);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
    assert_int_equal(tree_total(root, "4", "raised", "2025").exact, 3);
}

static void test_not_exact_after_a_cut(void **state)
{
    (void)state;
    int64_t marked = state_status(middle, "421").of_child.exact_as_of;
    world_pass(120000);
    world_cut(leaf, false);
    int64_t cut = world.now.wall.ms;
    world_settle();
    world_pass(60000);
    assert_int_equal(state_of_child(middle, "421"), LINK_OFFLINE);
    struct tree_total total = tree_total(root, "4", "raised", "2025");
    assert_int_equal(total.exact, 2);
    assert_string_equal(total.stale, "421");
    /* Idle and linked, it was at a mark all the time up to the cut. */
    assert_true(total.as_of > marked && total.as_of <= cut);
    assert_true(cut - total.as_of < 70000);
}

/* A clock that is years off below says nothing about when a figure was exact above. */
static void test_as_of_is_the_receivers_clock(void **state)
{
    (void)state;
    leaf->skew_ms = -(int64_t)3 * 365 * DAY_MS;
    middle->skew_ms = (int64_t)2 * 365 * DAY_MS;
    record_one(leaf);
    world_settle();
    world_cut(leaf, false);
    world_cut(middle, false);
    world_settle();
    int64_t at_middle = state_status(middle, "421").of_child.exact_as_of;
    int64_t at_root = state_status(root, "42").of_child.exact_as_of;
    assert_true(llabs(at_middle - (world.now.wall.ms + middle->skew_ms)) < 120000);
    assert_true(llabs(at_root - world.now.wall.ms) < 120000);
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 5);
}

/* The heads that a node has signed at its last mark are at the root, up to the last entry. */
static void test_signed_heads_are_at_the_root(void **state)
{
    (void)state;
    struct arena arena;
    struct signed_heads heads;
    struct bytes bytes;
    arena_init(&arena, 1 << 16);
    for (uint64_t i = 1; i <= 3; i++) {
        record_one(leaf);
        world_settle();
        struct store_origin origin = state_origin(root, leaf);
        assert_int_equal(store_origin_signed(root->store, origin.id, &arena, &bytes), ERR_OK);
        assert_int_equal(signed_heads_decode(bytes, &arena, &leaf->origin, &heads), ERR_OK);
        assert_int_equal(heads.heads.head_count, 1);
        assert_int_equal(heads.heads.heads[0].length, i);
        assert_true(hash_equal(&heads.heads.heads[0].hash, &leaf->node->segment.hash));
    }
    arena_reset(&arena);
}

/* A unit gets a node of its own: what its new host says of a stock stands before what the old one
 * said, also when that has the later day; and the old one may say no more. */
static void test_stock_of_a_unit_that_changed_hands(void **state)
{
    (void)state;
    assert_string_equal(tree_unit(middle, "43", "commune", "")->text, "");
    assert_int_equal(world_record(middle, "43", "members", "10", "2025-02-20")->err, ERR_OK);
    struct world_node *own = tree_child(middle, "43", "");
    tree_relink();
    assert_int_equal(tree_total(own, "43", "members", "2025").value, 10);
    const struct world_reply *reply = world_record(middle, "43", "members", "9", "2025-02-25");
    assert_int_equal(reply->err, ERR_REFUSED);
    assert_non_null(strstr(reply->text, "that of unit 43"));
    assert_int_equal(world_record(own, "43", "members", "3", "2025-02-03")->err, ERR_OK);
    tree_relink();
    assert_int_equal(tree_total(own, "43", "members", "2025").value, 3);
    assert_int_equal(tree_total(middle, "42", "members", "2025").value, 3);
    assert_int_equal(tree_total(root, "4", "members", "2025").value, 3);
    assert_int_equal(tree_total(root, "4", "members", "2025").entries, 2);
    assert_true(state_verify(root).ok);
}

/* ---- links that end without a word ---- */

static void test_silence_is_noticed(void **state)
{
    (void)state;
    world.tap = mute;
    world_pass(40000);
    assert_int_equal(state_of_child(middle, "421"), LINK_OFFLINE);
    assert_int_not_equal(state_status(leaf, "").uplink, UPLINK_LINKED);
    assert_int_equal(tree_total(root, "4", "raised", "2025").exact, 2);
    world.tap = NULL;
    (void)world_connect(leaf);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
}

/* The child comes again before the parent has seen its old link end. */
static void test_newer_link_takes_over(void **state)
{
    (void)state;
    world_cut(leaf, true);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT); /* it cannot know yet */
    record_one(leaf);
    (void)world_connect(leaf);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 5);
    size_t open = 0;
    for (size_t i = 0; i < WORLD_LINKS; i++) {
        open += world.links[i].id != 0 ? 1 : 0;
    }
    assert_int_equal(open, 2);
}

/* A link that comes up and says nothing is no link: the child is away once the old one is. */
static void test_newer_link_that_says_nothing(void **state)
{
    (void)state;
    world_cut(leaf, true);
    world_settle();
    world.tap = mute;
    world_pass(10000);
    (void)world_connect(leaf);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT); /* it cannot know yet */
    world_pass(15000); /* the old one is given up, the new one waits */
    assert_int_equal(state_of_child(middle, "421"), LINK_OFFLINE);
    assert_int_equal(tree_total(root, "4", "raised", "2025").exact, 2);
    world.tap = NULL;
    world_pass(30000);
    (void)world_connect(leaf);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
}

/* Whoever of several says the hello takes over from all others: one link is live. */
static void test_one_link_of_several_is_live(void **state)
{
    (void)state;
    int64_t unit = 0;
    for (int i = 0; i < 3; i++) {
        world.tap = i < 2 ? mute : NULL;
        world_cut(leaf, true);
        world_settle();
        (void)world_connect(leaf);
        world_settle();
    }
    for (size_t i = 0; i < middle->node->link_count; i++) {
        unit = middle->node->links[i]->up ? unit : middle->node->links[i]->unit;
    }
    const struct link *live = downlink_live_of_unit(middle->node, unit);
    assert_non_null(live);
    assert_null(downlink_of_unit(middle->node, unit, live));
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
}

static void test_child_that_breaks_the_protocol(void **state)
{
    (void)state;
    struct message nonsense = {
        .type = MESSAGE_WELCOME,
        .u.welcome = {.software = "", .unit = "x", .unit_name = "x", .unit_level = "x"}};
    world_send(leaf->up, END_PARENT, &nonsense);
    world_settle();
    assert_null(leaf->up);
    assert_int_not_equal(state_of_child(middle, "421"), LINK_EXACT);
    assert_int_not_equal(state_status(leaf, "").uplink, UPLINK_LINKED);
    (void)world_connect(leaf);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
}

static void test_second_uplink_is_closed(void **state)
{
    (void)state;
    world_begin(leaf);
    node_on_uplink(leaf->node, 12345);
    bool closed = false;
    assert_int_equal(node_commit(leaf->node, NULL), ERR_OK);
    for (const struct effect *e = node_effect(leaf->node); e != NULL; e = node_effect(leaf->node)) {
        closed = closed || (e->type == EFFECT_CLOSE && e->link == 12345);
    }
    assert_true(closed);
}

/* What is said while no link can be made is kept. */
static void test_why_there_is_no_link(void **state)
{
    (void)state;
    world_cut(leaf, false);
    world_settle();
    world_begin(leaf);
    node_on_uplink_failed(leaf->node, "nobody answers at office:7000");
    assert_int_equal(world_commit(leaf), ERR_OK);
    struct state_status status = state_status(leaf, "");
    assert_int_equal(status.uplink, UPLINK_CONNECTING);
    assert_string_equal(status.uplink_text, "nobody answers at office:7000");
}

/* A whole audit after a start, in slices; before one of them an old record is amended and a new one
 * recorded in the batch of the slice. */
static void audit_once(const char *entry, int when)
{
    struct record_row row = world_row("421", "visits", "1", "2025-02-03");
    struct msg_request record = {.type = REQUEST_RECORD,
                                 .u.record = {.rows = &row, .row_count = 1}};
    char value[16];
    (void)snprintf(value, sizeof value, "%d", 100 + when);
    struct msg_request amend = {
        .type = REQUEST_CORRECT,
        .u.correct = {.entry = entry, .value = value, .key = "", .note = ""}};
    tree_restart(leaf);
    record_one(leaf); /* begins the segment that the amend goes into */
    world.now.mono.ms += 5000;
    for (int i = 0; i == 0 || node_wants_tick(leaf->node); i++) {
        assert_true(i < 100);
        if (i == when) {
            assert_int_equal(world_ask(leaf, &amend)->err, ERR_OK);
        }
        world_begin(leaf);
        if (i == when) {
            (void)world_ask_in(leaf, &record);
        }
        node_on_tick(leaf->node);
        assert_int_equal(world_commit(leaf), ERR_OK);
    }
}

/* What is recorded and corrected while the audit runs is no damage. */
static void test_audit_while_people_work(void **state)
{
    (void)state;
    char entry[ENTRY_ID_MAX_BYTES];
    const struct world_reply *reply = world_record(leaf, "421", "raised", "5", "2025-02-03");
    entry_id_format(&reply->row.segment, reply->row.seq, entry);
    for (int when = 0; when < 12; when++) {
        audit_once(entry, when);
        assert_string_equal(state_alarm(leaf, "").text, "");
    }
    assert_true(state_verify(leaf).ok);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_exact_only_after_a_mark),
                                       CASE(test_not_exact_after_a_cut),
                                       CASE(test_as_of_is_the_receivers_clock),
                                       CASE(test_signed_heads_are_at_the_root),
                                       CASE(test_stock_of_a_unit_that_changed_hands),
                                       CASE(test_silence_is_noticed),
                                       CASE(test_newer_link_takes_over),
                                       CASE(test_newer_link_that_says_nothing),
                                       CASE(test_one_link_of_several_is_live),
                                       CASE(test_child_that_breaks_the_protocol),
                                       CASE(test_second_uplink_is_closed),
                                       CASE(test_why_there_is_no_link),
                                       CASE(test_audit_while_people_work)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

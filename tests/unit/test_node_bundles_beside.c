/* layer: node store codec */
/* Bundles beside a link that is live, or that was: what comes by one of them is never taken for
 * what came by the other. */
#include "test_node_paper.h"

#define UNIT "421"

static struct world_node *root;
static struct world_node *office;
static struct world_node *unit;

static void record(const char *value, const char *day)
{
    const struct world_reply *reply = world_record(unit, UNIT, "raised", value, day);
    assert_string_equal(reply->text, "");
}

static int64_t value_at(struct world_node *n)
{
    struct tree_total total = tree_total(n, UNIT, "raised", "2025");
    assert_string_equal(total.error, "");
    return (int64_t)total.value;
}

static void carry(struct world_node *from, const char *to, struct world_node *at)
{
    struct paper paper;
    const struct world_reply *reply = paper_write(from, to, false, &paper, NULL);
    assert_string_equal(reply->text, "");
    reply = paper_read(at, &paper, SIZE_MAX);
    assert_non_null(reply);
    assert_string_equal(reply->text, "");
    paper_free(&paper);
}

static void begin(uint64_t seed)
{
    tree_begin(seed);
    root = tree_root("4", tree_catalogue(2));
    office = tree_child(root, "42", "district");
    unit = tree_child(office, UNIT, "commune");
    (void)world_connect(office);
    world_settle();
    carry(office, UNIT, unit);
}

/* Entries that the link would have brought come in a bundle: at the link's mark they are counted.
 */
static void before_the_link(void **state)
{
    (void)state;
    struct paper paper;
    begin(21);
    tree_relink();
    record("1", "2025-02-03");
    (void)paper_write(unit, "", false, &paper, NULL);
    (void)paper_read(office, &paper, SIZE_MAX);
    world_settle();
    record("2", "2025-03-03");
    world_settle();
    assert_int_equal(value_at(root), 3);
    assert_false(state_alarm(office, "conserved").there);
    paper_free(&paper);
    tree_end();
}

/* An answer from before the last link says less than is known: what went up by that link is still
 * up there, and what changes of it is new. */
static void old_answer(void **state)
{
    (void)state;
    struct paper paper;
    begin(22);
    record("1", "2025-02-03");
    carry(unit, "", office);
    (void)paper_write(office, UNIT, false, &paper, NULL);
    tree_relink();
    record("2", "2025-02-03");
    world_settle();
    world_cut(unit, false);
    world_settle();
    (void)paper_read(unit, &paper, SIZE_MAX);
    record("4", "2025-02-03");
    tree_relink();
    assert_int_equal(value_at(root), 7);
    assert_false(state_alarm(office, "digest").there);
    assert_false(state_alarm(office, "conserved").there);
    paper_free(&paper);
    tree_end();
}

static void record_and_settle(size_t read)
{
    if (read == 3) {
        record("4", "2025-03-03");
        world_settle();
    }
}

/* Entries of a line that was given up come while the unit's machine is linked, and the reading
 * breaks off: what it says meanwhile is not lost. */
static void last_words_beside(void **state)
{
    (void)state;
    struct paper paper;
    begin(23);
    record("1", "2025-02-03");
    tree_relink();
    world_cut(unit, false);
    world_settle();
    tree_keep(unit);
    record("2", "2025-02-03");
    (void)paper_write(unit, "", false, &paper, NULL);
    tree_put_back(unit);
    tree_relink();
    assert_true(paper.count == 3);
    paper.count++; /* it would go on */
    (void)paper_read_with(office, &paper, SIZE_MAX, record_and_settle);
    world_cut(unit, false);
    tree_relink();
    assert_int_equal(value_at(unit), 7);
    assert_int_equal(value_at(office), 7);
    assert_int_equal(value_at(root), 7);
    paper_free(&paper);
    tree_end();
}

static bool behind_once;

/* The next batch that has cells states heads that do not cover what is known. */
static bool put_heads_back(struct world_link *link, int to, struct message *message)
{
    static struct origin_heads heads;
    (void)link;
    if (to == END_PARENT && message->type == MESSAGE_BATCH && message->u.batch.cell_count > 0 &&
        behind_once) {
        heads = message->u.batch.heads[0];
        heads.head_count = 0;
        message->u.batch.heads = &heads;
        message->u.batch.heads_count = 1;
        message->u.batch.digest_count = 0;
        message->u.batch.mark = false;
        behind_once = false;
    }
    return true;
}

/* What was refused because its ledger was behind is asked for when it is not any more. */
static void refused_while_behind(void **state)
{
    (void)state;
    begin(24);
    world.tap = put_heads_back;
    record("1", "2025-02-03");
    tree_relink();
    behind_once = true;
    record("2", "2025-03-03");
    world_settle();
    assert_false(behind_once);
    assert_true(state_alarm(office, "refused-rows").there);
    record("4", "2025-04-03");
    tree_relink();
    assert_int_equal(value_at(office), 7);
    assert_int_equal(value_at(root), 7);
    tree_end();
}

/* A machine that has read of the session of the one that is linked is a newcomer all the same: the
 * linked one is asked, answers, and stays. */
static void heard_of_a_live_one(void **state)
{
    (void)state;
    struct paper paper;
    begin(25);
    record("1", "2025-02-03");
    struct world_node *twin = tree_add(UNIT);
    twin->key = unit->key;
    twin->parent = office;
    tree_close(unit);
    tree_copy_file(unit->path, twin->path);
    tree_open(unit);
    tree_open(twin);
    (void)world_connect(unit);
    world_settle();
    (void)paper_write(office, UNIT, false, &paper, NULL);
    assert_non_null(paper_read(twin, &paper, SIZE_MAX));
    for (int i = 0; i < 20; i++) {
        (void)world_connect(twin);
        world_pass(1000);
    }
    assert_int_equal(state_status(unit, "").uplink, UPLINK_LINKED);
    assert_int_equal(state_status(twin, "").uplink, UPLINK_FENCED);
    paper_free(&paper);
    tree_end();
}

static void batch_again(size_t read)
{
    struct message message = {.type = MESSAGE_BATCH};
    if (read == 3) {
        message.u.batch.number = 1;
        message.u.batch.upto = (struct feed_mark){unit->node->session, 1000};
        world_begin(office);
        node_on_bundle_message(office->node, &message);
        assert_int_equal(world_commit(office), ERR_OK);
    }
}

/* The number of a batch comes once in a bundle: what has it again is not taken for what it says. */
static void number_twice(void **state)
{
    (void)state;
    struct paper paper;
    begin(26);
    record("1", "2025-02-03");
    (void)paper_write(unit, "", false, &paper, NULL);
    const struct world_reply *reply = paper_read_with(office, &paper, SIZE_MAX, batch_again);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper_free(&paper);
    tree_end();
}

static void link_after_welcome(size_t read)
{
    if (read == 2) {
        (void)world_connect(unit);
        world_settle();
    }
}

/* A link that comes while an answer is read knows better than the rest of it. */
static void link_within_answer(void **state)
{
    (void)state;
    struct paper paper;
    begin(27);
    tree_keep(unit);
    record("1", "2025-02-03");
    carry(unit, "", office);
    tree_put_back(unit);
    record("2", "2025-02-03");
    carry(unit, "", office);
    (void)paper_write(office, UNIT, false, &paper, NULL);
    assert_int_equal(paper.said.lacks, 1);
    (void)paper_read_with(unit, &paper, SIZE_MAX, link_after_welcome);
    assert_int_equal(value_at(unit), 3);
    assert_int_equal(value_at(office), 3);
    assert_int_equal(state_status(unit, "").uplink, UPLINK_LINKED);
    assert_int_equal(state_status(unit, "").unescrowed, 0);
    assert_int_equal(state_status(unit, "").pending, 0);
    paper_free(&paper);
    tree_end();
}

static int64_t state_at_root(void)
{
    return state_number(root, "SELECT state FROM status WHERE unit=(SELECT id FROM symbol WHERE "
                              "text='" UNIT "')");
}

/* What an old bundle says of the machines below its writer is not news. */
static void old_states(void **state)
{
    (void)state;
    struct paper before;
    struct paper after;
    begin(28);
    world_cut(office, false);
    (void)world_connect(unit);
    world_settle();
    (void)paper_write(office, "", false, &before, NULL);
    world_cut(unit, false);
    world_settle();
    (void)paper_write(office, "", false, &after, NULL);
    (void)paper_read(root, &before, SIZE_MAX);
    assert_int_equal(state_at_root(), LINK_EXACT);
    (void)paper_read(root, &after, SIZE_MAX);
    assert_int_equal(state_at_root(), LINK_OFFLINE);
    (void)paper_read(root, &before, SIZE_MAX);
    assert_int_equal(state_at_root(), LINK_OFFLINE);
    paper_free(&before);
    paper_free(&after);
    tree_end();
}

/* A bundle of an earlier process, read again when one of a later is here, brings nothing. */
static void earlier_process(void **state)
{
    (void)state;
    struct paper before;
    begin(29);
    record("1", "2025-02-03");
    (void)paper_write(unit, "", false, &before, NULL);
    (void)paper_read(office, &before, SIZE_MAX);
    tree_restart(unit);
    carry(unit, "", office);
    assert_int_equal(state_number(office, "SELECT count(*) FROM child WHERE midway=1"), 0);
    const struct world_reply *reply = paper_read(office, &before, SIZE_MAX);
    assert_int_equal(reply->bundle.outcome, BUNDLE_OLD);
    assert_int_equal(state_number(office, "SELECT count(*) FROM child WHERE midway=1"), 0);
    paper_free(&before);
    tree_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(before_the_link, tree_end_always),
        cmocka_unit_test_teardown(old_answer, tree_end_always),
        cmocka_unit_test_teardown(last_words_beside, tree_end_always),
        cmocka_unit_test_teardown(refused_while_behind, tree_end_always),
        cmocka_unit_test_teardown(heard_of_a_live_one, tree_end_always),
        cmocka_unit_test_teardown(number_twice, tree_end_always),
        cmocka_unit_test_teardown(link_within_answer, tree_end_always),
        cmocka_unit_test_teardown(old_states, tree_end_always),
        cmocka_unit_test_teardown(earlier_process, tree_end_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

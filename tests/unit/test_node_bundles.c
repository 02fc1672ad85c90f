/* layer: node store codec */
/* A unit that is reached by files, as the network would reach it, and by both. First the plain
 * ways, then from seeds: bundles are written, read, lost, read twice and in another order, old ones
 * long after; answers too; links come and go, processes start anew, the unit's machine is put back
 * to an old state, and the office's. Every fact is a power of two, so that a total says which facts
 * are in it, and its number of entries whether each is in it once.
 *
 * Held at every step: no fact twice anywhere; none that the root had goes again, unless the office
 * was put back; nobody is turned away. At the end, with bundles alone: what the unit's machine has,
 * and all that ever came to the office, is in both, acknowledged, and equal.
 *
 * The seeds are new in every run and printed; TALLY_SEED=N runs one again, TALLY_LONG=1 many. */
#include "test_node_paper.h"

#define UNIT "421"

static struct world_node *root;
static struct world_node *office;
static struct world_node *unit;

static void record(const char *value)
{
    const struct world_reply *reply = world_record(unit, UNIT, "raised", value, "2025-02-03");
    assert_string_equal(reply->text, "");
}

static int64_t value_at(struct world_node *n)
{
    struct tree_total total = tree_total(n, UNIT, "raised", "2025");
    assert_string_equal(total.error, "");
    return (int64_t)total.value;
}

/* Writes at `from` (`to`: "" or the unit), reads at `at`; the outcome of the reading. */
static struct rep_bundle carry(struct world_node *from, const char *to, struct world_node *at)
{
    struct paper paper;
    const struct world_reply *reply = paper_write(from, to, false, &paper, NULL);
    assert_string_equal(reply->text, "");
    reply = paper_read(at, &paper, SIZE_MAX);
    assert_non_null(reply);
    assert_string_equal(reply->text, "");
    paper_free(&paper);
    return reply->bundle;
}

/* The catalogue comes in a bundle too. */
static void begin(uint64_t seed)
{
    tree_begin(seed);
    root = tree_root("4", tree_catalogue(2));
    office = tree_child(root, "42", "district");
    unit = tree_child(office, UNIT, "commune");
    (void)world_connect(office);
    world_settle();
    (void)carry(office, UNIT, unit);
}

static struct state_status status_of_unit(void)
{
    return state_status(unit, "");
}

/* ---- the plain ways ---- */

/* A feed goes up, its answer comes back: as after a link. */
static void there_and_back(void **state)
{
    (void)state;
    begin(11);
    record("5");
    record("7");
    struct rep_bundle read = carry(unit, "", office);
    assert_int_equal(read.outcome, BUNDLE_TAKEN);
    assert_int_equal(read.entries, 2);
    assert_true(read.exact);
    world_settle();
    assert_int_equal(value_at(office), 12);
    assert_int_equal(value_at(root), 12);
    struct state_status office_status = state_status(office, UNIT);
    assert_int_equal(office_status.of_child.state, LINK_OFFLINE);
    assert_true(office_status.of_child.exact_as_of > 0);
    assert_int_equal(status_of_unit().unescrowed, 2); /* it has not heard */

    read = carry(office, UNIT, unit);
    assert_true(read.exact);
    assert_int_equal(status_of_unit().unescrowed, 0);
    assert_int_equal(status_of_unit().pending, 0);
    assert_true(status_of_unit().exact_as_of > 0);
    assert_int_equal(unit->node->view.catalogue.version, 1);

    record("16");
    struct paper paper;
    (void)paper_write(unit, "", false, &paper, NULL);
    assert_int_equal(paper.said.entries, 1); /* it goes on from there */
    (void)paper_read(office, &paper, SIZE_MAX);
    paper_free(&paper);
    assert_int_equal(value_at(office), 28);
    tree_end();
}

/* Twice, an older one after a newer one, and then the network: nothing more. */
static void old_and_again(void **state)
{
    (void)state;
    struct paper first;
    struct paper second;
    begin(12);
    record("1");
    (void)paper_write(unit, "", false, &first, NULL);
    record("2");
    (void)paper_write(unit, "", false, &second, NULL);
    assert_int_equal(paper_read(office, &second, SIZE_MAX)->bundle.entries, 2);
    const struct world_reply *reply = paper_read(office, &second, SIZE_MAX);
    assert_int_equal(reply->bundle.outcome, BUNDLE_OLD);
    reply = paper_read(office, &first, SIZE_MAX);
    assert_string_equal(reply->text, "");
    assert_int_equal(reply->bundle.outcome, BUNDLE_BEHIND);
    assert_int_equal(reply->bundle.entries, 0);
    assert_int_equal(value_at(office), 3);
    tree_relink();
    assert_int_equal(value_at(root), 3);
    assert_int_equal(status_of_unit().uplink, UPLINK_LINKED);
    reply = paper_read(office, &first, SIZE_MAX);
    assert_string_equal(reply->text, "");
    world_settle();
    assert_int_equal(status_of_unit().uplink, UPLINK_LINKED);
    assert_int_equal(value_at(root), 3);
    assert_int_equal(status_of_unit().unescrowed, 0);
    paper_free(&first);
    paper_free(&second);
    tree_end();
}

/* What changes after it was put into a bundle is not taken for what is in it. */
static void changed_since(void **state)
{
    (void)state;
    struct paper paper;
    begin(13);
    record("1");
    (void)paper_write(unit, "", false, &paper, NULL);
    tree_relink();
    world_cut(unit, false);
    world_settle();
    tree_restart(unit);
    (void)world_connect(unit);
    world_settle();
    world_cut(unit, false);
    world_settle();
    record("2"); /* the same cell */
    (void)paper_read(office, &paper, SIZE_MAX);
    tree_relink();
    assert_int_equal(value_at(office), 3);
    assert_int_equal(state_alarm(office, "digest").there, false);
    paper_free(&paper);
    tree_end();
}

/* The unit's machine is put back to an old state, with entries typed since, and no network: the
 * answer to its bundle brings back what it lost. */
static void put_back(void **state)
{
    (void)state;
    begin(14);
    record("1");
    (void)carry(unit, "", office);
    tree_keep(unit);
    record("2");
    (void)carry(unit, "", office);
    assert_int_equal(value_at(office), 3);
    tree_put_back(unit);
    record("4");
    struct rep_bundle read = carry(unit, "", office);
    assert_int_equal(read.outcome, BUNDLE_BEHIND);
    assert_int_equal(read.entries, 1);
    assert_int_equal(value_at(office), 3);
    read = carry(office, UNIT, unit);
    assert_int_equal(read.healed, 1);
    assert_int_equal(value_at(unit), 7);
    read = carry(unit, "", office);
    assert_int_equal(value_at(office), 7);
    read = carry(office, UNIT, unit);
    assert_int_equal(status_of_unit().unescrowed, 0);
    read = carry(unit, "", office);
    assert_true(read.exact);
    read = carry(office, UNIT, unit);
    assert_true(read.exact);
    world_settle();
    assert_int_equal(value_at(root), 7);
    tree_relink();
    assert_int_equal(status_of_unit().uplink, UPLINK_LINKED);
    assert_int_equal(value_at(root), 7);
    tree_end();
}

/* A bundle of a line that was given up has entries that are nowhere else: they come home. */
static void last_words(void **state)
{
    (void)state;
    struct paper paper;
    begin(15);
    record("1");
    tree_relink();
    world_cut(unit, false);
    world_settle();
    tree_keep(unit);
    tree_relink(); /* the session is known above */
    world_cut(unit, false);
    world_settle();
    record("2");
    (void)paper_write(unit, "", false, &paper, NULL);
    tree_put_back(unit);
    record("4");
    tree_relink(); /* the session before has ended */
    assert_int_equal(value_at(root), 5);
    const struct world_reply *reply = paper_read(office, &paper, SIZE_MAX);
    assert_string_equal(reply->text, "");
    assert_int_equal(reply->bundle.outcome, BUNDLE_BEHIND);
    assert_int_equal(reply->bundle.entries, 1);
    tree_relink();
    assert_int_equal(value_at(unit), 7);
    assert_int_equal(value_at(root), 7);
    assert_int_equal(status_of_unit().uplink, UPLINK_LINKED);
    assert_int_equal(state_alarm(office, "conserved").there, false);
    paper_free(&paper);
    tree_end();
}

/* The office is put back: a bundle that goes on from what it has lost is not taken for all. */
static void office_put_back(void **state)
{
    (void)state;
    begin(16);
    record("1");
    (void)carry(unit, "", office);
    world_settle();
    tree_keep(office);
    record("2");
    (void)carry(unit, "", office);
    (void)carry(office, UNIT, unit);
    assert_int_equal(status_of_unit().unescrowed, 0);
    tree_put_back(office);
    (void)world_connect(office);
    world_settle();
    record("4");
    struct rep_bundle read = carry(unit, "", office);
    assert_int_equal(read.outcome, BUNDLE_GAP);
    assert_false(read.exact);
    (void)carry(office, UNIT, unit);
    assert_int_not_equal(status_of_unit().unescrowed, 0);
    read = carry(unit, "", office);
    assert_true(read.exact);
    assert_int_equal(value_at(office), 7);
    world_settle();
    assert_int_equal(value_at(root), 7);
    tree_end();
}

/* The office and the unit are both put back: what only the root knows of comes in the answer. */
static void both_put_back(void **state)
{
    (void)state;
    begin(17);
    record("1");
    (void)carry(unit, "", office);
    world_settle();
    (void)carry(office, UNIT, unit);
    tree_keep(unit);
    tree_keep(office);
    (void)world_connect(office);
    record("2");
    (void)carry(unit, "", office);
    world_settle();
    assert_int_equal(value_at(root), 3);
    tree_put_back(office);
    tree_put_back(unit);
    (void)world_connect(office);
    world_settle();
    record("4");
    for (int i = 0; i < 3; i++) {
        (void)carry(unit, "", office);
        world_settle();
        (void)carry(office, UNIT, unit);
    }
    assert_int_equal(value_at(unit), 7);
    assert_int_equal(value_at(office), 7);
    assert_int_equal(value_at(root), 7);
    struct rep_bundle read = carry(unit, "", office);
    assert_true(read.exact);
    assert_int_equal(status_of_unit().unescrowed, 0);
    tree_end();
}

static void refused(void **state)
{
    (void)state;
    struct paper paper;
    begin(17);
    struct world_node *other = tree_child(root, "43", "district");
    struct world_node *far = tree_child(other, "431", "commune");
    /* a root has nobody above */
    const struct world_reply *reply = paper_write(root, "", false, &paper, NULL);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper_free(&paper);
    /* an answer to a unit that is not this office's, or has no node, or is not there */
    reply = paper_write(root, UNIT, false, &paper, NULL);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper_free(&paper);
    reply = paper_write(root, "nowhere", false, &paper, NULL);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper_free(&paper);
    reply = paper_write(root, "4", false, &paper, NULL);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper_free(&paper);
    /* a unit of another office, though sealed for this one */
    (void)paper_write(far, "", false, &paper, NULL);
    paper.to = office->key;
    reply = paper_read(office, &paper, SIZE_MAX);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper_free(&paper);
    /* an answer of an office that is not above */
    (void)paper_write(other, "431", false, &paper, NULL);
    paper.to = unit->key;
    reply = paper_read(unit, &paper, SIZE_MAX);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper_free(&paper);
    /* a feed that stops before its hello */
    (void)paper_write(unit, "", false, &paper, NULL);
    struct paper head = paper;
    struct frame *rest = paper.frames->next;
    head.count = 1;
    head.frames->next = NULL;
    reply = paper_read(office, &head, 1);
    assert_int_equal(reply->err, ERR_REFUSED);
    paper.frames->next = rest;
    paper_free(&paper);
    tree_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(there_and_back, tree_end_always),
        cmocka_unit_test_teardown(old_and_again, tree_end_always),
        cmocka_unit_test_teardown(changed_since, tree_end_always),
        cmocka_unit_test_teardown(put_back, tree_end_always),
        cmocka_unit_test_teardown(last_words, tree_end_always),
        cmocka_unit_test_teardown(office_put_back, tree_end_always),
        cmocka_unit_test_teardown(both_put_back, tree_end_always),
        cmocka_unit_test_teardown(refused, tree_end_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

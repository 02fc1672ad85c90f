/* layer: node store codec */
/* Twenty thousand cells of one origin, of which few differ at the parent: only those go over the
 * link again, whatever it is that differs, and the alarm names them. What is counted is what a tap
 * on the link sees. */
#include "test_node_state.h"

enum { UNITS = 40, DAYS = 500, CELLS = UNITS * DAYS, ROUNDS = 6 };

static struct world_node *root;
static struct world_node *office;

/* ---- the tap ---- */

static struct {
    bool old_child;  /* says nothing of ranges */
    bool no_answers; /* of the child, to what it is asked */
    size_t cells;    /* sent by the child */
    size_t sums;
    size_t most_sums; /* in one batch */
    size_t questions;
    size_t again; /* cells asked for by their keys */
    size_t unequal;
} seen;

static bool count(struct world_link *link, int to, struct message *message)
{
    (void)link;
    if (to == END_PARENT && message->type == MESSAGE_BATCH) {
        struct msg_batch *batch = &message->u.batch;
        batch->compares = batch->compares && !seen.old_child;
        batch->range_count = seen.no_answers ? 0 : batch->range_count;
        size_t sums = batch->range_count > 0 ? batch->ranges[0].sum_count : 0;
        seen.cells += batch->cell_count;
        seen.sums += sums;
        seen.most_sums = sums > seen.most_sums ? sums : seen.most_sums;
    } else if (to == END_CHILD && message->type == MESSAGE_ACK) {
        seen.questions += message->u.ack.compare_count;
        seen.again += message->u.ack.again_count;
        seen.unequal += message->u.ack.unequal_count;
    }
    return true;
}

/* ---- the tree ---- */

static void record_all(void)
{
    static struct record_row rows[DAYS];
    int32_t first = world_row("42", "visits", "1", "2024-01-01").day;
    for (int unit = 0; unit < UNITS; unit++) {
        char code[16];
        (void)snprintf(code, sizeof code, "c%02d", unit);
        assert_string_equal(tree_unit(office, code, "commune", "42")->text, "");
        for (int day = 0; day < DAYS; day++) {
            rows[day] = world_row(code, "visits", "7", "2024-01-01");
            rows[day].day = first + day;
        }
        struct msg_request request = {.type = REQUEST_RECORD,
                                      .u.record = {.rows = rows, .row_count = DAYS}};
        assert_string_equal(world_ask(office, &request)->text, "");
    }
}

static int set_up(void **state)
{
    (void)state;
    tree_begin(43);
    root = tree_root("4", tree_catalogue(2));
    office = tree_child(root, "42", "district");
    tree_relink();
    record_all();
    tree_relink();
    memset(&seen, 0, sizeof seen);
    world.tap = count;
    assert_int_equal(state_number(root, "SELECT count(*) FROM cell"), CELLS);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    return 0;
}

#define SYMBOL(code) "(SELECT id FROM symbol WHERE text = '" code "')"
#define CELL(unit, day)                     \
    "unit = " SYMBOL(unit) " AND period = " \
                           "(SELECT min(period) FROM cell) + " #day

/* The file is changed behind the parent's back and looked at; then pings are exchanged. */
static void damage(const char *sql)
{
    state_change(root, sql);
    state_audit(root);
    for (int i = 0; i < ROUNDS; i++) {
        world_pass(7000);
        state_audit(root);
    }
}

static struct state_alarm said;

static void check_whole(void)
{
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_int_equal(state_number(root, "SELECT count(*) FROM cell"), CELLS);
    assert_int_equal(state_number(root, "SELECT sum(value) FROM cell"), 7 * CELLS);
    said = state_alarm(root, "digest");
    world_begin(root); /* what has been repaired has been shown, and goes */
    node_on_verified(root->node);
    assert_int_equal(world_commit(root), ERR_OK);
    assert_string_equal(state_verify(root).first, "");
    assert_true(seen.most_sums <= RANGES_MAX);
}

/* ---- one cell ---- */

static void test_a_lost_cell(void **state)
{
    (void)state;
    damage("DELETE FROM cell WHERE " CELL("c17", 123));
    check_whole();
    print_message("one cell of %d lost: %zu sent again, %zu sums, %zu questions\n", CELLS,
                  seen.cells, seen.sums, seen.questions);
    assert_int_equal(seen.cells, 1);
    assert_int_equal(seen.unequal, 0);
    assert_true(seen.sums < CELLS / 20);
    assert_true(said.mended);
    assert_non_null(strstr(said.text, "1 in all: cell of unit c17, measure visits, period 2024-"));
    assert_non_null(strstr(said.text, "they are equal now"));
}

/* The audit knows its key. */
static void test_a_changed_cell(void **state)
{
    (void)state;
    damage("UPDATE cell SET value = value + 1 WHERE " CELL("c17", 123));
    check_whole();
    print_message("one cell of %d changed: %zu sent again\n", CELLS, seen.cells);
    assert_int_equal(seen.cells, 1);
    assert_int_equal(seen.questions + seen.unequal, 0);
}

static void test_an_old_child(void **state)
{
    (void)state;
    seen.old_child = true;
    world_cut(office, false); /* what it said of itself before is forgotten */
    tree_relink();
    damage("DELETE FROM cell WHERE " CELL("c17", 123));
    check_whole();
    print_message("one cell of %d lost, the child knows no ranges: %zu sent again\n", CELLS,
                  seen.cells);
    assert_int_equal(seen.cells, CELLS);
    assert_int_equal(seen.questions + seen.again, 0);
}

/* ---- several ---- */

static void test_first_and_last(void **state)
{
    (void)state;
    damage("DELETE FROM cell WHERE (" CELL("c00", 0) ") OR (" CELL("c20", 7) ") OR (" CELL(
        "c39", 499) ")");
    check_whole();
    assert_int_equal(seen.cells, 3);
    assert_true(said.mended);
    assert_non_null(strstr(said.text, "3 in all"));
    assert_non_null(strstr(said.text, "unit c00"));
    assert_non_null(strstr(said.text, "unit c20"));
    assert_non_null(strstr(said.text, "unit c39"));
}

/* A row that the origin never had, behind its last one. */
static void test_a_stray_behind_the_last(void **state)
{
    (void)state;
    damage("INSERT INTO cell SELECT unit, measure, category, period + 1, origin, value, count, "
           "live, hosting, day, held, scope, last, rev, hash FROM cell WHERE " CELL("c39", 499));
    check_whole();
    assert_int_equal(seen.cells, 0);
    assert_int_equal(seen.unequal, 0);
    assert_non_null(strstr(said.text, "1 in all: cell of unit c39"));
}

/* One that it never had, amid others, in a range in which another one is lost. */
static void test_a_cell_in_anothers_place(void **state)
{
    (void)state;
    damage("UPDATE cell SET measure = " SYMBOL("raised") " WHERE " CELL("c17", 123));
    check_whole();
    assert_int_equal(seen.cells, 1);
    assert_int_equal(seen.unequal, 0);
    assert_non_null(strstr(said.text, "2 in all"));
}

/* Many that lie together: what the child has in the place of a range that is empty here. */
static void test_a_lost_stretch(void **state)
{
    (void)state;
    damage("DELETE FROM cell WHERE unit = " SYMBOL("c17") " AND period % 500 < 300");
    check_whole();
    assert_int_equal(seen.cells, 300);
    assert_int_equal(seen.unequal, 0);
    assert_non_null(strstr(said.text, "300 in all"));
    assert_non_null(strstr(said.text, "and others"));
}

/* ---- when it does not pay, or cannot be ---- */

static void test_damage_everywhere(void **state)
{
    (void)state;
    damage("DELETE FROM cell WHERE period % 100 = 0");
    check_whole();
    assert_true(seen.cells >= CELLS);
    assert_int_equal(seen.unequal, 1);
}

static void test_a_child_that_does_not_answer(void **state)
{
    (void)state;
    seen.no_answers = true;
    damage("DELETE FROM cell WHERE " CELL("c17", 123));
    check_whole();
    assert_int_equal(seen.cells, CELLS);
    assert_int_equal(seen.questions, 1);
    assert_int_equal(seen.unequal, 1);
}

/* Also at the child a verify says that something differs above, until it does not any more. */
static void test_the_child_knows(void **state)
{
    (void)state;
    bool told = false;
    seen.no_answers = true; /* it takes longer */
    assert_string_equal(state_verify(office).first, "");
    state_change(root, "DELETE FROM cell WHERE " CELL("c17", 123));
    state_audit(root);
    for (int i = 0; i < 10 && !told; i++) {
        world_pass(1000);
        const struct state_verify verify = state_verify(office);
        told = strstr(verify.first, "the office above has cells that differ") != NULL && !verify.ok;
    }
    assert_true(told);
    seen.no_answers = false;
    for (int i = 0; i < ROUNDS; i++) {
        world_pass(7000);
        state_audit(root);
    }
    check_whole();
    assert_string_equal(state_verify(office).first, "");
}

/* Figures go on coming while it is looked for. */
static void test_beside_new_entries(void **state)
{
    (void)state;
    state_change(root, "DELETE FROM cell WHERE " CELL("c17", 123));
    state_audit(root);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(world_record(office, "c05", "visits", "0", "2024-03-04")->err, ERR_OK);
        world_pass(2000);
    }
    for (int i = 0; i < ROUNDS; i++) {
        world_pass(7000);
        state_audit(root);
    }
    check_whole();
    assert_int_equal(seen.cells, 1 + 8);
    assert_non_null(strstr(said.text, "1 in all: cell of unit c17"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_a_lost_cell),
                                       CASE(test_a_changed_cell),
                                       CASE(test_an_old_child),
                                       CASE(test_first_and_last),
                                       CASE(test_a_stray_behind_the_last),
                                       CASE(test_a_cell_in_anothers_place),
                                       CASE(test_a_lost_stretch),
                                       CASE(test_damage_everywhere),
                                       CASE(test_a_child_that_does_not_answer),
                                       CASE(test_the_child_knows),
                                       CASE(test_beside_new_entries)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

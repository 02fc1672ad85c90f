/* layer: node store codec */
/* Damage that nothing may be built upon: tables in which rows cannot be found, units that were
 * moved behind the program's back, cells of a ledger that is broken itself. */
#include "base/text.h"
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *office;
static struct world_node *other;
static char entry_id[ENTRY_ID_MAX_BYTES]; /* of the record of 20 */

static int set_up(void **state)
{
    (void)state;
    tree_begin(43);
    root = tree_root("4", tree_catalogue(2));
    office = tree_child(root, "42", "district");
    other = tree_child(root, "43", "district");
    tree_relink();
    assert_string_equal(tree_unit(office, "421", "commune", "42")->text, "");
    assert_string_equal(tree_unit(office, "422", "commune", "42")->text, "");
    assert_string_equal(tree_unit(office, "b1", "branch", "421")->text, "");
    assert_string_equal(tree_unit(office, "b2", "branch", "422")->text, "");
    const struct world_reply *reply = world_record(office, "b1", "raised", "20", "2025-02-03");
    assert_string_equal(reply->text, "");
    entry_id_format(&reply->row.segment, reply->row.seq, entry_id);
    assert_string_equal(world_record(office, "b2", "raised", "3", "2025-02-03")->text, "");
    world_settle();
    return 0;
}

static wide raised(struct world_node *n, const char *unit)
{
    struct tree_total total = tree_total(n, unit, "raised", "2025");
    assert_string_equal(total.error, "");
    return total.value;
}

static const struct world_reply *correct(const char *value)
{
    struct msg_request request = {
        .type = REQUEST_CORRECT,
        .u.correct = {.entry = entry_id, .is_void = false, .value = value, .key = "", .note = ""}};
    return world_ask(office, &request);
}

static const struct world_reply *record_keyed(const char *key)
{
    struct record_row row = world_row("b1", "raised", "1", "2025-02-03");
    row.key = key;
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    return world_ask(office, &request);
}

static void tick(struct world_node *n)
{
    world_begin(n);
    node_on_tick(n->node);
    assert_int_equal(world_commit(n), ERR_OK);
}

/* ---- tables ---- */

/* The page of a table that nothing reads while the program runs says that it has more rows than
 * there is room for. */
static void damage_page(struct world_node *n, const char *table)
{
    char sql[128];
    (void)snprintf(sql, sizeof sql, "SELECT rootpage FROM sqlite_schema WHERE name='%s'", table);
    long page = (long)state_number(n, sql);
    long size = (long)state_number(n, "PRAGMA page_size");
    tree_close(n);
    FILE *file = fopen(n->path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (page - 1) * size + 3, SEEK_SET), 0);
    assert_int_equal(fwrite("\x02\x00", 1, 2, file), 2);
    assert_int_equal(fclose(file), 0);
    tree_open(n);
}

static void test_a_table_out_of_order(void **state)
{
    (void)state;
    assert_string_equal(record_keyed("k1")->text, "");
    world_settle();
    wide before = raised(office, "42");
    damage_page(office, "invite");
    tree_relink();
    state_audit(office);
    struct state_alarm alarm = state_alarm(office, "damage");
    assert_true(alarm.there && !alarm.mended);
    assert_non_null(strstr(alarm.text, "table invite: "));
    assert_non_null(strstr(alarm.text, "good copy"));
    assert_true(text_is_clean(alarm.text, strlen(alarm.text), false));
    (void)state_status(office, "4"); /* can be read */
    struct state_verify verify = state_verify(office);
    assert_false(verify.ok);
    assert_non_null(strstr(verify.first, "table invite: "));
    tree_restart(office); /* and what was known is still known */
    tree_relink();
    /* What must be looked up first is not taken in; all else is. */
    assert_non_null(strstr(record_keyed("k1")->text, "whether key k1 was used before"));
    assert_non_null(strstr(correct("21")->text, "what is corrected already cannot be told"));
    assert_true(raised(office, "42") == before);
    assert_string_equal(world_record(office, "b1", "raised", "4", "2025-02-03")->text, "");
    world_settle();
    assert_true(raised(office, "42") == before + 4);
    assert_true(raised(root, "42") == before + 4);
    tree_end();
}

/* Nothing is taken from an index of which a row is missing. */
static void test_an_own_cell_beside_a_table_out_of_order(void **state)
{
    (void)state;
    damage_page(office, "invite");
    tree_relink();
    state_audit(office);
    state_change(office, "UPDATE cell SET value=value+1");
    assert_int_equal(world_record(office, "b1", "raised", "4", "2025-02-03")->err, ERR_REFUSED);
    assert_int_equal(state_number(office, "SELECT count(*) FROM cell WHERE value IN (21, 4)"), 2);
    tree_end();
}

/* ---- units ---- */

/* The totals of a unit that was moved by damage are right again when it has moved back. */
static void test_a_unit_that_damage_moved(void **state)
{
    (void)state;
    state_change(root, "UPDATE unit SET edges=(SELECT edges FROM unit JOIN symbol ON id=code WHERE "
                       "text='b2') WHERE code=(SELECT id FROM symbol WHERE text='b1')");
    tree_restart(root);
    state_audit(root);
    tree_relink();
    tick(root);
    while (node_wants_tick(root->node)) {
        tick(root);
    }
    assert_true(raised(root, "421") == 20);
    assert_true(raised(root, "422") == 3);
    assert_true(raised(root, "42") == 23);
    tree_end();
}

/* While its row is damaged no total is made on a wrong tree, whoever else says a mark; and the
 * child that has it is asked, wherever the damage has put it. */
static void damaged_while_away(const char *edges_of)
{
    char sql[240];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE unit SET edges=(SELECT edges FROM unit JOIN symbol ON id=code WHERE "
                   "text='%s') WHERE code=(SELECT id FROM symbol WHERE text='b1')",
                   edges_of);
    world_cut(office, false);
    world_settle();
    state_change(root, sql);
    tree_restart(root);
    state_audit(root);
    for (int i = 0; i < 4; i++) {
        if (other->up == NULL) {
            assert_non_null(world_connect(other));
        }
        world_pass(7000);
        assert_string_equal(world_record(other, "43", "raised", "1", "2025-02-03")->text, "");
        world_settle();
        state_audit(root);
        assert_true(state_alarm(root, "damage").there);
        assert_int_equal(state_number(root, "SELECT low FROM total JOIN symbol ON id=unit WHERE "
                                            "text='421' LIMIT 1"),
                         20);
    }
    assert_int_equal(state_number(root,
                                  "SELECT have_revision FROM child WHERE unit=(SELECT id FROM "
                                  "symbol WHERE symbol.text='42')"),
                     0);
    tree_relink();
    while (node_wants_tick(root->node) || root->node->audit_due.ms <= world.now.mono.ms) {
        root->node->audit_rest = (struct mono){0};
        tick(root);
    }
    assert_true(raised(root, "421") == 20);
    assert_true(raised(root, "422") == 3);
    assert_true(raised(root, "42") == 23);
    assert_true(raised(root, "43") == 4);
}

static void test_a_unit_damaged_while_its_child_is_away(void **state)
{
    (void)state;
    damaged_while_away("b2");
    tree_end();
}

/* The damage has put it below another child. */
static void test_a_unit_damaged_to_be_anothers(void **state)
{
    (void)state;
    assert_string_equal(tree_unit(other, "b3", "branch", "43")->text, "");
    world_settle();
    damaged_while_away("b3");
    tree_end();
}

/* A unit whose row is damaged is not taken over by another child that has one of the same code. */
static void test_a_unit_is_not_taken_over(void **state)
{
    (void)state;
    assert_string_equal(tree_unit(other, "b1", "branch", "43")->text, "");
    world_settle();
    state_change(root,
                 "UPDATE unit SET hash=NULL WHERE code=(SELECT id FROM symbol WHERE text='b1')");
    state_change(root, "UPDATE child SET have_revision=0");
    tree_restart(root);
    assert_non_null(world_connect(other));
    world_settle();
    tree_relink();
    assert_true(raised(root, "42") == 23);
    assert_true(raised(root, "43") == 0);
    assert_true(raised(root, "421") == 20);
    for (int i = 0; i < 3; i++) {
        state_audit(root);
        world_pass(7000);
        tree_relink();
    }
    assert_true(raised(root, "42") == 23);
    assert_true(raised(root, "421") == 20);
    tree_end();
}

/* ---- ledgers ---- */

/* An own cell that is lost is not repaired as long as the ledger that it is made from is broken. */
static void test_a_lost_cell_of_a_broken_ledger(void **state)
{
    (void)state;
    state_change(office, "DELETE FROM cell WHERE value=20");
    state_change(office, "UPDATE entry SET note='x' WHERE value=3");
    assert_int_equal(correct("21")->err, ERR_REFUSED);
    for (int i = 0; i < 3; i++) {
        state_audit(office);
        assert_true(raised(office, "421") == 20);
        assert_true(state_alarm(office, "damage").there);
        assert_int_equal(
            state_number(office,
                         "SELECT count(*) FROM alarm WHERE mended=0 AND subject LIKE 'cell%'"),
            1);
    }
    tree_end();
}

/* What is refused for damage is looked at soon, and named. */
static void test_a_refusal_is_named(void **state)
{
    (void)state;
    state_audit(office);
    state_change(office, "UPDATE entry SET now_value=6 WHERE value=20");
    state_change(office, "UPDATE entry SET note='x' WHERE value=3");
    office->node->audit_rest = (struct mono){0};
    assert_int_equal(correct("21")->err, ERR_REFUSED);
    assert_true(office->node->audit_due.ms <= world.now.mono.ms);
    tree_end();
}

/* Batches that fail for other reasons do not put off an audit from day to day. */
static void test_failures_do_not_put_audits_off(void **state)
{
    (void)state;
    state_audit(office);
    world.may_fail = true;
    for (int i = 0; i < 30; i++) {
        office->node->audit_rest = (struct mono){0};
        audit_soon(office->node, 0);
        world_begin(office);
        node_on_tick(office->node);
        node_fail(office->node, ERR_DISK_FULL, "test");
        assert_int_equal(node_commit(office->node, NULL), ERR_DISK_FULL);
        world_effects(office);
    }
    assert_true(office->node->audit_due.ms <= office->node->now.mono.ms + AUDIT_AGAIN_MS);
    tree_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_table_out_of_order, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_an_own_cell_beside_a_table_out_of_order, set_up,
                                        tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_unit_that_damage_moved, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_unit_damaged_while_its_child_is_away, set_up,
                                        tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_unit_damaged_to_be_anothers, set_up,
                                        tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_unit_is_not_taken_over, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_lost_cell_of_a_broken_ledger, set_up,
                                        tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_refusal_is_named, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_failures_do_not_put_audits_off, set_up,
                                        tree_end_always)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: node store codec */
/* Rows that were changed, taken away or put in behind the program's back. Whatever it is, no figure
 * changes without an alarm; what can be had again is had again at the next mark. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *office;

static char entry_ids[4][ENTRY_ID_MAX_BYTES]; /* of the four records of 5 */

enum { FIGURES = 8 };

/* Every figure of the one measure, and how much is missing from it. */
struct figures {
    struct tree_total of[FIGURES];
    bool answered;
};

static struct figures figures_of(struct world_node *n)
{
    static const char *const UNITS[] = {"", "42", "421", "49"};
    static const char *const MEASURES[] = {"raised", "fund"};
    struct figures out;
    memset(&out, 0, sizeof out);
    out.answered = true;
    for (size_t i = 0; i < FIGURES; i++) {
        struct tree_total total = tree_total(n, UNITS[i / 2], MEASURES[i % 2], "2025");
        out.answered = out.answered && total.error[0] == '\0';
        memset(total.stale, 0, sizeof total.stale);
        total.exact = total.as_of = 0; /* a link that is down is not damage */
        out.of[i] = total;
    }
    return out;
}

static bool same_figures(const struct figures *a, const struct figures *b)
{
    bool same = a->answered == b->answered;
    for (size_t i = 0; i < FIGURES && same; i++) {
        same = a->of[i].value == b->of[i].value && a->of[i].entries == b->of[i].entries &&
               a->of[i].reported == b->of[i].reported && a->of[i].expected == b->of[i].expected;
    }
    return same;
}

static void record(struct world_node *n, const char *unit, const char *measure, const char *value)
{
    const struct world_reply *reply = world_record(n, unit, measure, value, "2025-02-03");
    assert_string_equal(reply->text, "");
}

static int set_up(void **state)
{
    (void)state;
    tree_begin(41);
    root = tree_root("4", tree_catalogue(2));
    office = tree_child(root, "42", "district");
    assert_string_equal(tree_unit(root, "49", "district", "")->text, "");
    tree_relink();
    assert_string_equal(tree_unit(office, "421", "commune", "42")->text, "");
    record(root, "49", "raised", "1000");
    record(root, "49", "fund", "70");
    for (int i = 0; i < 4; i++) {
        record(office, "421", "raised", "5");
        const struct recorded_row *row = &world_reply_to(world.next_request)->row;
        entry_id_format(&row->segment, row->seq, entry_ids[i]);
    }
    record(office, "421", "fund", "300");
    world_settle();
    return 0;
}

/* What is damaged comes again with the pings of idle links; then it is looked at again. */
static void mend(struct world_node *n)
{
    for (int i = 0; i < 3; i++) {
        tree_relink();
        world_pass(7000);
        tree_relink();
        state_audit(n);
    }
}

/* False when the node then refuses to open, and says why. */
static bool tamper(struct world_node *n, const char *sql)
{
    sqlite3 *db;
    char *text = NULL;
    struct errmsg msg = {{0}};
    struct node_env env = world_env(n);
    tree_close(n);
    assert_int_equal(sqlite3_open(n->path, &db), SQLITE_OK);
    (void)sqlite3_exec(db, sql, NULL, NULL, &text);
    if (text != NULL || sqlite3_total_changes(db) == 0) {
        fail_msg("%s: %s", sql, text != NULL ? text : "changes nothing");
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(store_open(n->path, STORE_WRITE, &n->store, &msg), ERR_OK);
    bool opens = node_open(n->store, &env, world_now(n), &n->node, &msg) == ERR_OK;
    if (opens) {
        tree_close(n);
        tree_open(n);
    } else {
        assert_true(strlen(msg.text) > strlen("the node's state cannot be read: "));
        store_close(n->store);
        n->node = NULL;
    }
    return opens;
}

/* An alarm that has not been settled; but what was refused on the way stays named in any case. */
static bool something_named(struct world_node *n)
{
    static struct store_alarm rows[ALARMS_MAX];
    struct arena arena;
    size_t count;
    bool named = false;
    arena_init(&arena, 1 << 20);
    assert_int_equal(store_alarms(n->store, &arena, rows, ALARMS_MAX, &count), ERR_OK);
    for (size_t i = 0; i < count; i++) {
        named = named || !(rows[i].mended || strncmp(rows[i].code, "refused-", 8) == 0);
    }
    arena_reset(&arena);
    return named;
}

/* ---- each damage by itself ---- */

enum { AT_ROOT, AT_OFFICE };

enum outcome {
    MENDED,  /* an alarm at once; after the next mark all is as it was */
    NAMED,   /* an alarm that stays, or a link that is refused */
    NOTHING, /* nothing that counts was lost, nothing is said */
    CLOSED   /* the node does not open, and says why */
};

struct damage_case {
    int at;
    enum outcome outcome;
    const char *sql;
};

#define COPY_CELL(hash)                                                                         \
    "INSERT INTO cell SELECT unit, measure, category, period + 1, origin, value, count, live, " \
    "hosting, day, held, scope, last, rev, " hash " FROM cell WHERE value = 20"
#define OF(code) "(SELECT id FROM symbol WHERE text = '" code "')"

static const struct damage_case CASES[] = {
    {AT_ROOT, MENDED, "DELETE FROM total WHERE low = 1020"},
    {AT_ROOT, MENDED, "DELETE FROM total"},
    {AT_ROOT, MENDED, "UPDATE total SET low = low + 1 WHERE low = 20"},
    {AT_ROOT, MENDED, "UPDATE total SET entries = entries + 1 WHERE low = 20"},
    {AT_ROOT, MENDED,
     "INSERT INTO total SELECT unit, measure, category, period + 1, high, low, entries FROM total "
     "WHERE low = 20"},
    {AT_ROOT, MENDED, "DELETE FROM cell WHERE value = 20"},
    {AT_ROOT, MENDED, "DELETE FROM cell WHERE value = 300"},
    {AT_ROOT, MENDED, "DELETE FROM cell WHERE value = 1000"},
    {AT_ROOT, MENDED, "DELETE FROM cell"},
    {AT_ROOT, MENDED, "UPDATE cell SET value = 21 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET value = 301 WHERE value = 300"},
    {AT_ROOT, MENDED, "UPDATE cell SET count = 5 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET count = 3 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET count = 0 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET live = 3 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET period = period + 1 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET period = period + 1 WHERE value = 300"},
    {AT_ROOT, MENDED, "UPDATE cell SET held = 1 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET held = 1 WHERE value = 300"},
    {AT_ROOT, MENDED, "UPDATE cell SET hash = zeroblob(16) WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET value = 1001 WHERE value = 1000"},
    {AT_ROOT, MENDED, "UPDATE cell SET count = 2 WHERE value = 1000"},
    {AT_ROOT, MENDED, COPY_CELL("hash")},
    {AT_ROOT, NAMED, COPY_CELL("zeroblob(16)")},
    {AT_ROOT, MENDED, "UPDATE origin SET digest = zeroblob(16)"},
    {AT_ROOT, MENDED, "UPDATE origin SET cell_count = cell_count + 1"},
    {AT_ROOT, NAMED, "UPDATE origin SET name = randomblob(16) WHERE cell_count = 5"},
    {AT_ROOT, NOTHING, "UPDATE origin SET via = via + 100 WHERE cell_count = 5"},
    {AT_ROOT, NAMED, "DELETE FROM origin WHERE cell_count = 5"},
    {AT_ROOT, NAMED, "DELETE FROM segment WHERE held > 5"},
    {AT_ROOT, NAMED, "UPDATE segment SET held = held + 1"},
    {AT_ROOT, NAMED, "UPDATE segment SET held = held - 1"},
    {AT_ROOT, NAMED, "UPDATE segment SET held_hash = zeroblob(32)"},
    {AT_ROOT, NAMED, "DELETE FROM entry WHERE own = 0 AND value = 300"},
    {AT_ROOT, NAMED, "DELETE FROM entry WHERE own = 0 AND seq = 3"},
    {AT_ROOT, NAMED, "DELETE FROM entry WHERE own = 0"},
    {AT_ROOT, NAMED, "DELETE FROM entry WHERE own = 1 AND value = 70"},
    {AT_ROOT, NAMED, "DELETE FROM entry WHERE own = 1 AND value = 1000"},
    {AT_ROOT, NAMED, "UPDATE entry SET own = 1 WHERE value = 300"},
    {AT_ROOT, NAMED, "DELETE FROM unit WHERE code = " OF("49")},
    {AT_ROOT, NAMED, "DELETE FROM unit WHERE code = " OF("421")},
    {AT_ROOT, NAMED, "UPDATE unit SET name = 'x' WHERE code = " OF("49")},
    {AT_ROOT, MENDED, "UPDATE unit SET name = 'x' WHERE code = " OF("421")},
    {AT_ROOT, MENDED, "UPDATE unit SET level = 'branch' WHERE code = " OF("421")},
    {AT_ROOT, MENDED, "UPDATE hosting SET number = 9 WHERE unit = " OF("42")},
    {AT_ROOT, NOTHING, "DELETE FROM hosting WHERE unit = " OF("42")}, /* its node tells it back */
    {AT_ROOT, NOTHING, "DELETE FROM status"},
    {AT_ROOT, NOTHING, "DELETE FROM child"},
    {AT_ROOT, NAMED, "UPDATE symbol SET text = 'x' WHERE text = '421'"},
    {AT_ROOT, CLOSED, "DELETE FROM symbol WHERE text = '421'"},
    {AT_ROOT, CLOSED, "DELETE FROM symbol WHERE text = 'raised'"},
    {AT_OFFICE, MENDED, "DELETE FROM total"},
    {AT_OFFICE, MENDED, "DELETE FROM cell WHERE value = 20"},
    {AT_OFFICE, MENDED, "DELETE FROM cell WHERE value = 300"},
    {AT_OFFICE, MENDED, "UPDATE cell SET value = 21 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET value = 301 WHERE value = 300"},
    {AT_OFFICE, MENDED, "UPDATE cell SET count = 5 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET live = 5 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET held = 2 WHERE value = 20"},
    {AT_OFFICE, NOTHING, "UPDATE cell SET rev = 1 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET scope = 2 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET last = 1000000 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET scope = 1 WHERE value = 20"},
    {AT_OFFICE, MENDED, COPY_CELL("hash")},
    {AT_OFFICE, MENDED, COPY_CELL("zeroblob(16)")},
    {AT_OFFICE, MENDED, "UPDATE origin SET digest = zeroblob(16)"},
    {AT_OFFICE, MENDED, "UPDATE origin SET cell_count = cell_count + 1"},
    {AT_OFFICE, NAMED, "DELETE FROM entry WHERE own = 1 AND value = 300"},
    {AT_OFFICE, NAMED, "DELETE FROM entry WHERE own = 1 AND value = 5 AND seq = 3"},
    {AT_OFFICE, NAMED, "UPDATE entry SET value = 301, now_value = 301 WHERE value = 300"},
    {AT_OFFICE, MENDED, "UPDATE entry SET live = 0 WHERE value = 300"},
    {AT_OFFICE, MENDED, "UPDATE entry SET now_value = 301 WHERE value = 300"},
    {AT_OFFICE, NAMED, "UPDATE entry SET own = 0 WHERE value = 300"},
    {AT_OFFICE, NAMED, "UPDATE entry SET key = 'k' WHERE value = 300"},
    {AT_OFFICE, NAMED, "UPDATE entry SET hosting = 99 WHERE value = 300"},
    {AT_OFFICE, NAMED, "UPDATE segment SET held = held + 1, length = length + 1"},
    {AT_OFFICE, NAMED, "UPDATE segment SET hash = zeroblob(32), held_hash = zeroblob(32)"},
    {AT_OFFICE, MENDED, "DELETE FROM segment"},
    {AT_OFFICE, MENDED, "UPDATE unit SET name = 'x' WHERE code = " OF("42")},
    {AT_OFFICE, MENDED, "UPDATE hosting SET number = 9 WHERE unit = " OF("42")},
    {AT_OFFICE, NAMED, "DELETE FROM unit WHERE code = " OF("421")},
    {AT_OFFICE, NOTHING, "DELETE FROM session"},
};

static int wrong; /* cases; all of them are run and named */

static void check_outcome(const struct damage_case *c, const struct figures before[2])
{
    struct figures after[2] = {figures_of(root), figures_of(office)};
    bool same = same_figures(&before[0], &after[0]) && same_figures(&before[1], &after[1]);
    bool named = something_named(root) || something_named(office);
    bool exact = state_of_child(root, "42") == LINK_EXACT;
    bool right = c->outcome == NAMED ? named : same && exact && !named;
    if (!right) {
        wrong++;
        print_error("%s: %s: figures %s, %s, child %s\n", c->at == AT_ROOT ? "root" : "office",
                    c->sql, same ? "same" : "differ", named ? "an alarm stays" : "no alarm stays",
                    exact ? "exact" : "not exact");
    }
}

static void run_case(const struct damage_case *c)
{
    assert_int_equal(set_up(NULL), 0);
    struct figures before[2] = {figures_of(root), figures_of(office)};
    struct world_node *n = c->at == AT_ROOT ? root : office;
    world.may_fail = true;
    assert_int_equal(tamper(n, c->sql), c->outcome != CLOSED);
    if (c->outcome != CLOSED) {
        state_audit(n);
        if (c->outcome == MENDED && !state_alarm(n, "damage").there) {
            wrong++;
            print_error("%s: nobody is told\n", c->sql);
        }
        mend(n);
        check_outcome(c, before);
    }
    tree_end();
}

static void test_each_damage(void **state)
{
    (void)state;
    wrong = 0;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        run_case(&CASES[i]);
    }
    assert_int_equal(wrong, 0);
}

/* ---- damage that is built upon before anybody looked ---- */

static const struct damage_case BUILT_UPON[] = {
    {AT_ROOT, MENDED, "UPDATE cell SET value = 21 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET value = 301 WHERE value = 300"},
    {AT_ROOT, MENDED, "UPDATE cell SET count = 9 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET count = 0 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET live = 3 WHERE value = 20"},
    {AT_ROOT, MENDED, "UPDATE cell SET hash = zeroblob(16)"},
    {AT_ROOT, MENDED, "DELETE FROM cell WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET value = 21 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET value = 301 WHERE value = 300"},
    {AT_OFFICE, MENDED, "UPDATE cell SET day = day + 1 WHERE value = 300"},
    {AT_OFFICE, MENDED, "UPDATE cell SET hosting = 99 WHERE value = 300"},
    {AT_OFFICE, MENDED, "UPDATE cell SET count = 9 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET count = 2 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET count = 0 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET live = 3 WHERE value = 20"},
    {AT_OFFICE, MENDED, "UPDATE cell SET hash = zeroblob(16)"},
    {AT_OFFICE, MENDED, "UPDATE entry SET now_value = 6 WHERE value = 5"},
    {AT_OFFICE, MENDED, "UPDATE entry SET live = 0 WHERE value = 5"},
    {AT_OFFICE, NAMED, "UPDATE entry SET value = 6 WHERE value = 5"},
    {AT_OFFICE, NAMED, "UPDATE entry SET value = 6, now_value = 6 WHERE value = 5"},
    {AT_OFFICE, NAMED, "UPDATE entry SET day = day + 40 WHERE value = 5"},
};

static enum err correct(const char *entry, const char *value)
{
    struct msg_request request = {
        .type = REQUEST_CORRECT,
        .u.correct = {
            .entry = entry, .is_void = value[0] == '\0', .value = value, .key = "", .note = ""}};
    return world_ask(office, &request)->err;
}

/* Records, amends and voids; what is refused for damage leaves the figures as they are. */
static void work(bool may_refuse)
{
    record(office, "421", "raised", "7");
    record(office, "421", "fund", "400");
    enum err err = correct(entry_ids[0], "8");
    err = err == ERR_OK ? correct(entry_ids[0], "9") : err;
    err = err == ERR_OK ? correct(entry_ids[1], "") : err;
    assert_true(err == ERR_OK || (may_refuse && err == ERR_REFUSED));
    world_settle();
}

static void run_built_upon(const struct damage_case *c)
{
    struct world_node *n = NULL;
    struct figures want[2];
    for (int damaged = 0; damaged < 2; damaged++) {
        assert_int_equal(set_up(NULL), 0);
        n = c->at == AT_ROOT ? root : office;
        world.may_fail = true;
        assert_true(damaged ? tamper(n, c->sql) : true);
        work(damaged && c->outcome == NAMED);
        tree_relink();
        if (!damaged) {
            want[0] = figures_of(root);
            want[1] = figures_of(office);
            assert_int_equal(want[0].of[0].value, 1000 + 9 + 5 + 5 + 7);
            tree_end();
        }
    }
    state_audit(n);
    mend(n);
    check_outcome(c, want);
    tree_end();
}

static void test_damage_that_is_built_upon(void **state)
{
    (void)state;
    wrong = 0;
    for (size_t i = 0; i < sizeof BUILT_UPON / sizeof *BUILT_UPON; i++) {
        run_built_upon(&BUILT_UPON[i]);
    }
    assert_int_equal(wrong, 0);
}

/* ---- what takes longer than one mark ---- */

/* A measure that is taken out of the catalogue while an office without a link records it: what was
 * recorded is no damage. */
static void test_a_measure_that_was_retired(void **state)
{
    (void)state;
    struct catalogue next = *tree_catalogue(2);
    assert_int_equal(set_up(NULL), 0);
    world_cut(office, false);
    world_settle();
    record(office, "421", "classes", "9");
    next.measure_count--;
    assert_string_equal(next.measures[next.measure_count].code, "classes");
    assert_string_equal(tree_apply(root, &next)->text, "");
    tree_relink();
    for (int i = 0; i < 2; i++) {
        state_audit(office);
        state_audit(root);
        world_pass(7000);
    }
    assert_false(something_named(office));
    assert_false(something_named(root));
    assert_int_equal(state_number(office, "SELECT count(*) FROM cell"), 3);
    assert_int_equal(state_number(root, "SELECT count(*) FROM cell WHERE held > 0"), 1);
    tree_end();
}

/* A row of a child that is away is lost: the total, which is right, stays, and the alarm too, until
 * the child has sent it again. */
static void test_a_lost_row_of_a_child_that_is_away(void **state)
{
    (void)state;
    assert_int_equal(set_up(NULL), 0);
    struct figures before = figures_of(root);
    world_cut(office, false);
    world_settle();
    state_change(root, "DELETE FROM cell WHERE value = 20");
    for (int i = 0; i < 4; i++) {
        struct figures now = figures_of(root);
        assert_true(now.of[0].value == before.of[0].value);
        if (i == 2) {
            tree_restart(root);
        }
        state_audit(root);
        assert_true(something_named(root));
    }
    mend(root);
    struct figures after = figures_of(root);
    assert_true(same_figures(&after, &before));
    assert_false(something_named(root));
    tree_end();
}

/* Nobody has to ask for the audit that shows it to be there again, nor wait for it until the next
 * day: also when the one before found nothing while the child was away once more. */
static void test_a_lost_row_is_looked_for_again(void **state)
{
    (void)state;
    assert_int_equal(set_up(NULL), 0);
    state_change(root, "DELETE FROM cell WHERE value = 20");
    for (int i = 0; i < 2; i++) {
        world_cut(office, false);
        world_settle();
        state_audit(root);
        assert_true(something_named(root));
        tree_relink();
    }
    assert_int_equal(state_number(root, "SELECT count(*) FROM cell WHERE value = 20"), 1);
    for (int i = 0; i < 12 && something_named(root); i++) {
        world_pass(7000);
    }
    assert_false(something_named(root));
    tree_end();
}

/* Nor does a second audit put that off when it finds less, with the row still away. */
static void test_a_lost_row_is_found_twice(void **state)
{
    (void)state;
    assert_int_equal(set_up(NULL), 0);
    world_cut(office, false);
    world_settle();
    state_change(root, "DELETE FROM cell WHERE value = 20");
    state_audit(root);
    state_audit(root);
    assert_true(something_named(root));
    assert_true(root->node->audit_due.ms <= world.now.mono.ms + AUDIT_AGAIN_MS);
    tree_end();
}

/* A row that was put in, found more than once before its child comes, is taken out when it does. */
static void test_a_stray_row_found_twice(void **state)
{
    (void)state;
    assert_int_equal(set_up(NULL), 0);
    world_cut(office, false);
    world_settle();
    state_change(root, COPY_CELL("hash"));
    state_audit(root);
    state_audit(root);
    mend(root);
    assert_int_equal(state_number(root, "SELECT count(*) FROM cell WHERE value = 20"), 1);
    assert_false(something_named(root));
    tree_end();
}

/* What stands after a void is worked out from the corrections, not from what is kept of them. */
static void test_a_stock_beside_a_damaged_record(void **state)
{
    (void)state;
    char id[ENTRY_ID_MAX_BYTES];
    assert_int_equal(set_up(NULL), 0);
    struct figures before[2] = {figures_of(root), figures_of(office)};
    record(office, "421", "fund", "400");
    const struct recorded_row *row = &world_reply_to(world.next_request)->row;
    entry_id_format(&row->segment, row->seq, id);
    state_change(office, "UPDATE entry SET now_value = 301 WHERE value = 300");
    assert_int_equal(correct(id, ""), ERR_OK);
    world_settle();
    struct figures after[2] = {figures_of(root), figures_of(office)};
    for (size_t i = 0; i < FIGURES; i++) {
        assert_true(after[0].of[i].value == before[0].of[i].value);
        assert_true(after[1].of[i].value == before[1].of[i].value);
    }
    tree_end();
}

/* Damage that cannot be mended does not break links, nor stop what is sound beside it. */
static void test_damage_does_not_break_links(void **state)
{
    (void)state;
    static const struct {
        int at;
        const char *first;
        const char *second;
    } cases[] = {
        {AT_OFFICE, "UPDATE cell SET value = 21 WHERE value = 20",
         "UPDATE entry SET note = 'x' WHERE seq = 2"},
        {AT_OFFICE, "UPDATE cell SET category = 99999 WHERE value = 20", ""},
        {AT_OFFICE, "UPDATE cell SET unit = 99999 WHERE value = 20", ""},
        {AT_ROOT, "UPDATE cell SET category = 99999 WHERE value = 20", ""},
        {AT_ROOT, "UPDATE cell SET measure = 99999 WHERE value = 20", ""},
        {AT_ROOT, "UPDATE cell SET origin = 99999 WHERE value = 20", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(set_up(NULL), 0);
        struct world_node *n = cases[i].at == AT_ROOT ? root : office;
        world_cut(office, false);
        record(office, "421", "raised", "0"); /* so that the cell waits to go up */
        state_change(n, cases[i].first);
        if (cases[i].second[0] != '\0') {
            state_change(n, cases[i].second);
        }
        tree_relink();
        struct world_link *link = office->up;
        for (int k = 0; k < 5; k++) {
            world_pass(7000);
            state_audit(n);
            record(office, "42", "raised", "1");
            world_settle();
            assert_non_null(office->up);
            assert_ptr_equal(office->up, link);
        }
        assert_int_equal(tree_total(root, "42", "raised", "2025").error[0], '\0');
        if (!something_named(n) && tree_total(n, "421", "raised", "2025").value != 20) {
            fail_msg("%s: nothing is said", cases[i].first);
        }
        tree_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_each_damage, tree_end_always),
        cmocka_unit_test_teardown(test_damage_that_is_built_upon, tree_end_always),
        cmocka_unit_test_teardown(test_a_measure_that_was_retired, tree_end_always),
        cmocka_unit_test_teardown(test_a_lost_row_of_a_child_that_is_away, tree_end_always),
        cmocka_unit_test_teardown(test_a_lost_row_is_looked_for_again, tree_end_always),
        cmocka_unit_test_teardown(test_a_lost_row_is_found_twice, tree_end_always),
        cmocka_unit_test_teardown(test_a_stray_row_found_twice, tree_end_always),
        cmocka_unit_test_teardown(test_a_stock_beside_a_damaged_record, tree_end_always),
        cmocka_unit_test_teardown(test_damage_does_not_break_links, tree_end_always)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

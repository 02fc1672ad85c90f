/* layer: node store codec */
/* What is wanted, and how far it is reached: of which row, since when, expected by which day. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "test_node_tree.h"

enum { ROWS_MAX = 64, TARGETS_MAX = 16 };

static struct world_node *root;
static struct target targets[TARGETS_MAX];
static struct indicator indicators[2];
static struct catalogue catalogue;

static int set_up(void **state)
{
    (void)state;
    tree_begin(5);
    catalogue = *tree_catalogue(2);
    indicators[0] = (struct indicator){.code = "share",
                                       .name = "Share",
                                       .unit = "%",
                                       .formula = "members[group=cadre] / members",
                                       .factor = "100",
                                       .decimals = 1};
    catalogue.indicators = indicators;
    catalogue.indicator_count = 1;
    catalogue.targets = targets;
    catalogue.target_count = 0;
    root = tree_root("4", &catalogue);
    assert_int_equal(tree_unit(root, "41", "district", "4")->err, ERR_OK);
    assert_int_equal(tree_unit(root, "42", "district", "4")->err, ERR_OK);
    assert_int_equal(tree_unit(root, "421", "commune", "42")->err, ERR_OK);
    return 0;
}

static void want(const char *unit, const char *level, const char *measure, const char *period,
                 const char *value)
{
    struct target *target = &targets[catalogue.target_count++];
    *target = (struct target){.unit = unit, .level = level, .measure = measure, .value = value};
    assert_int_equal(period_parse(period, &target->period, NULL), ERR_OK);
}

static void apply(void)
{
    const struct world_reply *reply = tree_apply(root, &catalogue);
    assert_string_equal(reply->text, "");
    assert_int_equal(reply->err, ERR_OK);
}

static void record(const char *measure, const char *category, const char *value, const char *day)
{
    struct record_row row = world_row("421", measure, value, day);
    row.category = category;
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    assert_int_equal(world_ask(root, &request)->err, ERR_OK);
}

static char said[4096]; /* "UNIT PERIOD: TARGET for PERIOD, REACHED, PERCENT, DUE; ..." */

static bool keep(void *ctx, const struct message *message)
{
    const struct msg_reply *reply = &message->u.reply;
    (void)ctx;
    assert_string_equal(reply->text, "");
    for (size_t i = 0; i < reply->u.total.row_count; i++) {
        const struct total_row *row = &reply->u.total.rows[i];
        size_t used = strlen(said);
        (void)snprintf(said + used, sizeof said - used, "%s%s%s %s: ", used == 0 ? "" : "; ",
                       row->unit, row->own ? "!" : "", row->period);
        used = strlen(said);
        if (row->target[0] == '\0') {
            (void)snprintf(said + used, sizeof said - used, "none");
        } else {
            (void)snprintf(said + used, sizeof said - used, "%s for %s, %s, %s%%, %s", row->target,
                           row->target_period, row->reached,
                           row->percent[0] == '\0' ? "-" : row->percent,
                           row->due[0] == '\0' ? "-" : row->due);
        }
    }
    return true;
}

static const char *ask(const char *unit, const char *measure, const char *period, enum total_by by)
{
    const char *measures[] = {measure};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = unit,
                                              .measures = measures,
                                              .measure_count = 1,
                                              .has_period = true,
                                              .by = by,
                                              .level = "",
                                              .targets = true,
                                              .tree_as_of = DAY_NONE}};
    said[0] = '\0';
    assert_int_equal(period_parse(period, &request.u.total.period, NULL), ERR_OK);
    tree_query(root, &request, keep, NULL);
    return said;
}

static void today(const char *day)
{
    int32_t number;
    assert_int_equal(day_parse(day, &number, NULL), ERR_OK);
    world.now.wall.ms += (int64_t)(number - world.now.today) * DAY_MS;
    world.now.today = number;
}

/* A flow grows from nothing over the days of the target's period; a row inside it says how far the
 * whole has come. */
static void test_flow(void **state)
{
    (void)state;
    want("42", "", "raised", "2025", "365");
    apply();
    record("raised", "", "100", "2025-01-15");
    record("raised", "", "46", "2025-03-31");
    today("2025-12-01");
    assert_string_equal(ask("42", "raised", "2025", BY_NONE),
                        "42 2025: 365 for 2025, 146, 40.0%, 335");
    assert_string_equal(ask("42", "raised", "2025Q1", BY_NONE),
                        "42 2025Q1: 365 for 2025, 146, 40.0%, 90");
    assert_string_equal(ask("42", "raised", "2025-03", BY_NONE),
                        "42 2025-03: 365 for 2025, 146, 40.0%, 90");
    assert_string_equal(ask("42", "raised", "2025-02", BY_NONE),
                        "42 2025-02: 365 for 2025, 100, 27.4%, 59");
    today("2025-12-31");
    assert_string_equal(ask("42", "raised", "2025", BY_NONE),
                        "42 2025: 365 for 2025, 146, 40.0%, 365");
    today("2026-07-01");
    assert_string_equal(ask("42", "raised", "2025", BY_NONE),
                        "42 2025: 365 for 2025, 146, 40.0%, 365");
    assert_string_equal(ask("42", "raised", "2026", BY_NONE), "42 2026: none");
    assert_string_equal(ask("421", "raised", "2025", BY_NONE), "421 2025: none");
}

/* A stock comes from where it stood when the period began. */
static void test_stock(void **state)
{
    (void)state;
    want("42", "", "members", "2025H2", "300");
    apply();
    record("members", "group=cadre", "60", "2025-02-01");
    record("members", "group=other", "56", "2025-02-01");
    record("members", "group=other", "150", "2025-08-01");
    today("2025-09-30"); /* 92 of 184 days */
    assert_string_equal(ask("42", "members", "2025H2", BY_NONE),
                        "42 2025H2: 300 for 2025H2, 210, 70.0%, 208");
    assert_string_equal(ask("42", "members", "2025-07", BY_NONE),
                        "42 2025-07: 300 for 2025H2, 116, 38.7%, 147");
    assert_string_equal(ask("42", "members", "2025", BY_NONE), "42 2025: none");
}

/* An indicator is computed anew for every span, from sums; without a value the line begins at 0. */
static void test_indicator(void **state)
{
    (void)state;
    want("4", "", "share", "2025", "50");
    apply();
    record("members", "group=cadre", "1", "2025-02-01");
    record("members", "group=other", "2", "2025-02-01");
    today("2025-07-02"); /* 183 of 365 days */
    assert_string_equal(ask("4", "share", "2025", BY_NONE),
                        "4 2025: 50.0 for 2025, 33.3, 66.7%, 25.1");
    today("2025-01-31");
    assert_string_equal(ask("4", "share", "2025-01", BY_NONE),
                        "4 2025-01: 50.0 for 2025, , -%, 4.2");
}

/* That of a unit before that of its level, then the shortest period; never for a unit's own row. */
static void test_which(void **state)
{
    (void)state;
    want("", "district", "raised", "2025", "10");
    want("", "district", "raised", "2025Q1", "20");
    want("42", "", "raised", "2025", "30");
    want("4", "", "raised", "2025", "40");
    want("4", "", "members", "2025", "50");
    apply();
    today("2025-12-31");
    assert_string_equal(ask("4", "raised", "2025-02", BY_CHILD),
                        "41 2025-02: 20 for 2025Q1, 0, 0.0%, 13; "
                        "42 2025-02: 30 for 2025, 0, 0.0%, 5; 4! 2025-02: none");
    assert_string_equal(ask("41", "raised", "2025-05", BY_NONE),
                        "41 2025-05: 10 for 2025, 0, 0.0%, 4");
    assert_string_equal(ask("42", "raised", "2025Q1", BY_PERIOD),
                        "42 2025-01: 30 for 2025, 0, 0.0%, 3; 42 2025-02: 30 for 2025, 0, 0.0%, 5; "
                        "42 2025-03: 30 for 2025, 0, 0.0%, 7");
}

/* No share of nothing; and a target below 0 is one. */
static void test_numbers(void **state)
{
    (void)state;
    want("4", "", "raised", "2025", "0");
    want("42", "", "raised", "2025", "-100");
    want("421", "", "raised", "2025", "1000000000000000");
    apply();
    record("raised", "", "-25", "2025-01-15");
    today("2025-12-31");
    assert_string_equal(ask("4", "raised", "2025", BY_NONE), "4 2025: 0 for 2025, -25, -%, 0");
    assert_string_equal(ask("42", "raised", "2025", BY_NONE),
                        "42 2025: -100 for 2025, -25, 25.0%, -100");
    assert_string_equal(ask("421", "raised", "2025", BY_NONE),
                        "421 2025: 1000000000000000 for 2025, -25, 0.0%, 1000000000000000");
}

/* It may come yet; whoever typed it wrong sees it. */
static void test_unknown_unit(void **state)
{
    (void)state;
    want("4Z", "", "raised", "2025", "1");
    apply();
    assert_int_equal(world.change_count, 2);
    assert_string_equal(world.last_change, "! target 4Z raised: there is no unit 4Z yet");
    apply();
    assert_int_equal(world.change_count, 0);
}

static void test_closed_unit(void **state)
{
    (void)state;
    struct view *view = &root->node->view;
    struct unit *unit = &view->tree.units[view_unit_by_code(view, "41")];
    struct unit_edge edge = {"4", DAY_NONE, 20088}; /* up to the end of 2024 */
    struct unit before = *unit;
    unit->edges = &edge;
    unit->edge_count = 1;
    want("41", "", "raised", "2025", "1");
    const struct world_reply *reply = tree_apply(root, &catalogue);
    assert_int_equal(reply->err, ERR_REFUSED);
    assert_non_null(strstr(reply->text, "target of unit \"41\" for \"raised\" in \"2025\""));
    assert_non_null(strstr(reply->text, "the unit is not open then"));
    assert_int_equal(view->catalogue.target_count, 0);
    edge.to++; /* up to the first day of 2025 */
    apply();
    *unit = before;
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_flow),    CASE(test_stock),        CASE(test_indicator),  CASE(test_which),
        CASE(test_numbers), CASE(test_unknown_unit), CASE(test_closed_unit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: store */
/* Cells, totals, places and what goes up or down, in order. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "store/internal.h"

static struct store *store;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 1 << 20);
    return store_open(":memory:", STORE_CREATE, &store, NULL) != ERR_OK;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    arena_reset(&arena);
    return 0;
}

static struct id id_of(int n)
{
    return (struct id){{(uint8_t)n, 7}};
}

#define OK(call) assert_int_equal((call), ERR_OK)
#define NOT_FOUND(call) assert_int_equal((call), ERR_NOT_FOUND)

static void put_cell(int64_t unit, int64_t period, int64_t origin, int64_t scope, int64_t rev)
{
    struct store_cell cell = {.key = {unit, 2, 3, period, origin},
                              .value = -period,
                              .count = 1,
                              .live = 1,
                              .scope = scope,
                              .rev = rev,
                              .hash = id_of((int)period)};
    OK(store_cell_put(store, &cell));
}

static void set_cell(int64_t unit, int64_t period, int64_t origin, int64_t live, int64_t held)
{
    struct store_cell cell;
    struct store_cell_key key = {unit, 2, 3, period, origin};
    OK(store_cell_get(store, &key, &cell));
    cell.live = live;
    cell.held = held;
    OK(store_cell_put(store, &cell));
}

static void test_cells(void **state)
{
    (void)state;
    struct store_cell rows[8];
    struct store_cell_key start = {0};
    struct store_cell_key key = {1, 2, 3, 50, 1};
    size_t n;
    bool yes;
    NOT_FOUND(store_cell_get(store, &key, &rows[0]));
    put_cell(1, 50, 1, SCOPE_OWN, 9);
    put_cell(1, 50, 2, SCOPE_BELOW, 3);
    put_cell(1, 40, 1, SCOPE_OWN, 5);
    put_cell(2, 60, 1, SCOPE_ABOVE, 7);
    OK(store_cell_get(store, &key, &rows[0]));
    assert_int_equal(rows[0].value, -50);
    assert_int_equal(rows[0].rev, 9);
    OK(store_cells(store, &start, rows, 2, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].key.period, 40);
    OK(store_cells(store, &rows[1].key, rows, 8, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].key.origin, 2);
    assert_int_equal(rows[1].key.unit, 2);
    OK(store_cells_series(store, &key, 45, 55, rows, 8, &n));
    assert_int_equal(n, 2);
    OK(store_cells_series(store, &key, 0, 100, rows, 8, &n));
    assert_int_equal(n, 3);
    OK(store_unit_reported(store, 1, 2, 45, 55, &yes));
    assert_true(yes);
    OK(store_unit_reported(store, 1, 2, 51, 55, &yes));
    assert_false(yes);
    set_cell(2, 60, 1, 0, 0);
    OK(store_unit_reported(store, 2, 2, 60, 60, &yes)); /* no live entry is not reported */
    assert_false(yes);
    OK(store_measure_used(store, 2, &yes));
    assert_true(yes);
    OK(store_measure_used(store, 3, &yes));
    assert_false(yes);
}

/* Periods without a live cell, or with a held one only, are not there. */
static void test_periods_before_and_after(void **state)
{
    (void)state;
    struct store_cell_key series = {1, 2, 3, 0, 0};
    int64_t period;
    static const int64_t PERIODS[] = {10, 20, 30, 40};
    for (size_t i = 0; i < 4; i++) {
        put_cell(1, PERIODS[i], 1, SCOPE_OWN, 1);
    }
    OK(store_period_before(store, &series, 30, &period));
    assert_int_equal(period, 20);
    OK(store_period_after(store, &series, 20, &period));
    assert_int_equal(period, 30);
    set_cell(1, 20, 1, 0, 0);
    set_cell(1, 30, 1, 1, 4);
    OK(store_period_before(store, &series, 40, &period));
    assert_int_equal(period, 10);
    OK(store_period_after(store, &series, 10, &period));
    assert_int_equal(period, 40);
    NOT_FOUND(store_period_before(store, &series, 10, &period));
    NOT_FOUND(store_period_after(store, &series, 40, &period));
}

static void test_held(void **state)
{
    (void)state;
    struct store_cell rows[4];
    struct store_cell_key start = {0};
    size_t n;
    int64_t count;
    for (int i = 1; i <= 5; i++) {
        put_cell(i, 10, 1, SCOPE_BELOW, i);
        set_cell(i, 10, 1, 1, i % 2);
    }
    OK(store_cells_held_count(store, &count));
    assert_int_equal(count, 3);
    OK(store_cells_held(store, &start, rows, 2, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[1].key.unit, 3);
    OK(store_cells_held(store, &rows[1].key, rows, 2, &n));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].key.unit, 5);
}

/* Up goes what is not from above, down what is not from below, each in order of revision. */
static void test_feed_of_cells(void **state)
{
    (void)state;
    struct store_cell rows[300];
    size_t n;
    int64_t pending;
    int64_t head = 100;
    put_cell(1, 1, 1, SCOPE_OWN, 30);
    put_cell(1, 2, 2, SCOPE_BELOW, 10);
    put_cell(1, 3, 3, SCOPE_ABOVE, 20);
    OK(store_feed_cells_up(store, 0, rows, 8, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].rev, 10);
    assert_int_equal(rows[1].rev, 30);
    OK(store_feed_cells_up(store, 10, rows, 8, &n));
    assert_int_equal(n, 1);
    OK(store_feed_cells_down(store, 0, rows, 1, &n));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].rev, 20);
    OK(store_feed_cells_down(store, 20, rows, 8, &n));
    assert_int_equal(n, 1);
    assert_int_equal(rows[0].rev, 30);
    OK(store_feed_pending(store, 15, &pending));
    assert_int_equal(pending, 1);
    for (int i = 0; i < 270; i++) {
        put_cell(2, i, 2, SCOPE_BELOW, 1);
    }
    OK(store_cells_requeue(store, 2, &head));
    assert_int_equal(head, 371);
    OK(store_feed_cells_up(store, 100, rows, 300, &n));
    assert_int_equal(n, 271);
    for (size_t i = 0; i < n; i++) {
        assert_int_equal(rows[i].key.origin, 2);
        assert_int_equal(rows[i].rev, 101 + (int64_t)i);
    }
}

static void test_totals(void **state)
{
    (void)state;
    struct store_total row = {.unit = 1, .measure = 2, .category = 3, .period = 1};
    struct store_total rows[4];
    struct store_total start = {.unit = 0};
    size_t n;
    OK(store_total_get(store, &row));
    assert_true(row.value == 0 && row.entries == 0);
    for (int64_t category = 3; category <= 4; category++) {
        for (int64_t period = 1; period <= 4; period++) {
            struct store_total delta = {1, 2, category, period, 10 * period, category};
            OK(store_total_add(store, &delta));
        }
    }
    OK(store_totals(store, &start, rows, 3, &n));
    assert_int_equal(n, 3);
    OK(store_totals(store, &rows[2], rows, 4, &n));
    assert_int_equal(n, 4);
    assert_int_equal(rows[0].period, 4);
    struct store_span span = {.unit = 1, .measure = 2, .from = 2, .to = 3};
    OK(store_total_sums(store, &span, rows, 4, &n));
    assert_int_equal(n, 2);
    assert_true(rows[0].value == 50 && rows[0].entries == 6);
    assert_true(rows[1].category == 4 && rows[1].entries == 8);
    span.standing = true;
    OK(store_total_sums(store, &span, rows, 4, &n));
    assert_true(rows[0].value == 60 && rows[0].entries == 6);
    assert_int_equal(store_total_sums(store, &span, rows, 1, &n), ERR_LIMIT);
    span.to = 0;
    OK(store_total_sums(store, &span, rows, 4, &n));
    assert_int_equal(n, 0);
}

/* ---- places ---- */

static void test_units(void **state)
{
    (void)state;
    struct store_unit row = {.code = 5,
                             .name = "Name",
                             .level = "commune",
                             .edges = {(const uint8_t *)"edges", 5},
                             .decider = id_of(1),
                             .count = 1,
                             .scope = SCOPE_OWN,
                             .rev = 20};
    struct store_unit rows[4];
    size_t n;
    NOT_FOUND(store_unit_get(store, 5, &arena, &rows[0]));
    OK(store_unit_put(store, &row));
    row.code = 4;
    row.rev = 30;
    OK(store_unit_put(store, &row));
    row.name = "New";
    row.count = 2;
    OK(store_unit_put(store, &row));
    OK(store_unit_get(store, 4, &arena, &rows[0]));
    assert_string_equal(rows[0].name, "New");
    assert_int_equal(rows[0].count, 2);
    assert_memory_equal(rows[0].edges.data, "edges", 5);
    OK(store_units(store, 0, &arena, rows, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].code, 4);
    OK(store_feed_units(store, 0, &arena, rows, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].code, 5);
    OK(store_feed_units(store, 20, &arena, rows, 4, &n));
    assert_int_equal(n, 1);
}

static void test_hostings_and_statuses(void **state)
{
    (void)state;
    struct store_hosting hosting = {
        .unit = 5, .node = id_of(1), .key = {{9}}, .number = 2, .rev = 8};
    struct store_hosting found[4];
    struct store_status status = {
        .unit = 5, .node = id_of(1), .state = 3, .direct = true, .rev = 6};
    struct store_status states[4];
    size_t n;
    NOT_FOUND(store_hosting_get(store, 5, &found[0]));
    OK(store_hosting_put(store, &hosting));
    hosting.revoked = true;
    OK(store_hosting_put(store, &hosting));
    OK(store_hosting_get(store, 5, &found[0]));
    assert_memory_equal(&found[0].node, &hosting.node, sizeof hosting.node);
    assert_true(found[0].revoked);
    OK(store_hosting_by_key(store, &hosting.key, &hosting.decider, &found[0]));
    assert_int_equal(found[0].unit, 5);
    hosting.key.b[0] = 1;
    NOT_FOUND(store_hosting_by_key(store, &hosting.key, &hosting.decider, &found[0]));
    OK(store_hostings(store, 4, found, 4, &n));
    assert_int_equal(n, 1);
    OK(store_feed_hostings(store, 8, found, 4, &n));
    assert_int_equal(n, 0);
    OK(store_feed_hostings(store, 7, found, 4, &n));
    assert_int_equal(n, 1);
    NOT_FOUND(store_status_get(store, 5, &states[0]));
    OK(store_status_put(store, &status));
    status.state = 1;
    OK(store_status_put(store, &status));
    OK(store_status_get(store, 5, &states[0]));
    assert_int_equal(states[0].state, 1);
    assert_true(states[0].direct);
    OK(store_statuses(store, 0, states, 4, &n));
    assert_int_equal(n, 1);
    OK(store_feed_statuses(store, 6, states, 4, &n));
    assert_int_equal(n, 0);
}

static void test_children_and_invitations(void **state)
{
    (void)state;
    struct store_child child = {.unit = 5,
                                .node = id_of(1),
                                .session = id_of(2),
                                .have_session = id_of(3),
                                .have_revision = 77,
                                .text = "why"};
    struct store_child found;
    NOT_FOUND(store_child_get(store, 5, &arena, &found));
    OK(store_child_put(store, &child));
    OK(store_child_get(store, 5, &arena, &found));
    assert_string_equal(found.text, "why");
    assert_int_equal(found.have_revision, 77);
    assert_true(id_equal(&found.have_session, &child.have_session));
    struct store_invite invite = {
        .name = id_of(4), .unit = 5, .secret = "123456789012345", .expires = {99}, .replace = true};
    struct store_invite kept;
    NOT_FOUND(store_invite_get(store, &invite.name, &kept));
    OK(store_invite_put(store, &invite));
    invite.used = true;
    invite.key.b[0] = 8;
    OK(store_invite_put(store, &invite));
    OK(store_invite_get(store, &invite.name, &kept));
    assert_memory_equal(kept.secret, invite.secret, sizeof kept.secret);
    assert_true(kept.used && kept.replace);
    assert_int_equal(kept.expires.ms, 99);
    assert_true(hash_equal(&kept.key, &invite.key));
}

/* ---- refused rows, alarms ---- */

static void test_refused(void **state)
{
    (void)state;
    struct store_refused row = {.key = {1, 2, 3, 4, 5}, .reason = 2, .count = 10, .hash = id_of(1)};
    int64_t rows;
    int64_t counts;
    struct id sum;
    struct id want = id_of(1);
    OK(store_refused_put(store, &row));
    OK(store_refused_put(store, &row)); /* the same row again is one row */
    row.key.period = 6;
    row.count = 20;
    row.hash = id_of(2);
    OK(store_refused_put(store, &row));
    row.key.origin = 9;
    OK(store_refused_put(store, &row));
    OK(store_refused_sum(store, 5, &rows, &counts, &sum));
    id_sum_add(&want, &row.hash);
    assert_int_equal(rows, 2);
    assert_int_equal(counts, 30);
    assert_true(id_equal(&sum, &want));
    OK(store_refused_total(store, &rows));
    assert_int_equal(rows, 3);
    struct store_refused_unit units[2];
    size_t n;
    bool was;
    OK(store_refused_units(store, 0, units, 2, &n));
    assert_int_equal(n, 1);
    assert_int_equal(units[0].unit, 1);
    assert_int_equal(units[0].rows, 3);
    OK(store_refused_delete(store, &row.key, &was));
    assert_true(was);
    OK(store_refused_delete(store, &row.key, &was));
    assert_false(was);
    OK(store_refused_total(store, &rows));
    assert_int_equal(rows, 2);
}

static void test_alarms(void **state)
{
    (void)state;
    struct store_alarm row = {.code = "damage", .subject = "a", .text = "first", .since = {5}};
    struct store_alarm rows[4];
    size_t n;
    OK(store_alarm_put(store, &row));
    row.text = "again";
    row.since.ms = 9;
    OK(store_alarm_put(store, &row)); /* keeps the first time */
    row.subject = "b";
    OK(store_alarm_put(store, &row));
    OK(store_alarms(store, &arena, rows, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].since.ms, 5);
    assert_string_equal(rows[0].text, "again");
    OK(store_alarm_mend(store, "damage", "a", "mended now"));
    OK(store_alarm_mend(store, "damage", "a", "a second time"));
    OK(store_alarm_mend(store, "damage", "nobody", "x"));
    OK(store_alarms(store, &arena, rows, 4, &n));
    assert_int_equal(n, 2);
    assert_false(rows[0].mended); /* what is not settled comes first */
    assert_true(rows[1].mended);
    assert_string_equal(rows[1].text, "mended now");
    OK(store_alarms_delete_mended(store));
    OK(store_alarms(store, &arena, rows, 4, &n));
    assert_int_equal(n, 1);
    OK(store_alarm_delete(store, "damage", "b"));
    OK(store_alarms(store, &arena, rows, 4, &n));
    assert_int_equal(n, 0);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_cells),
                                       CASE(test_periods_before_and_after),
                                       CASE(test_held),
                                       CASE(test_feed_of_cells),
                                       CASE(test_totals),
                                       CASE(test_units),
                                       CASE(test_hostings_and_statuses),
                                       CASE(test_children_and_invitations),
                                       CASE(test_refused),
                                       CASE(test_alarms)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

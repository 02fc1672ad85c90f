/* layer: proto */
/* The model against cases that are worked out by hand from the rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "model.h"

/* ---- one small tree: province 42, districts 441 and 442, communes c1 and c2 in 441, c3 in 442
 * ---- */

static struct measure measures[] = {
    {.code = "raised", .kind = MEASURE_FLOW, .frequency = FREQUENCY_MONTH, .level = "commune"},
    {.code = "fund", .kind = MEASURE_STOCK, .frequency = FREQUENCY_MONTH, .level = "commune"},
    {.code = "boards", .kind = MEASURE_STOCK, .frequency = FREQUENCY_HALF, .level = "district"},
    {.code = "visits", .kind = MEASURE_FLOW, .frequency = FREQUENCY_DAY, .level = "commune"},
    {.code = "people", .kind = MEASURE_STOCK, .frequency = FREQUENCY_YEAR, .level = "commune"},
};

enum { PROVINCE, D441, D442, C1, C2, C3 };

static struct model *small_tree(void)
{
    struct model *model = model_new();
    assert_int_equal(model_unit_add(model, "42", "province", -1), PROVINCE);
    assert_int_equal(model_unit_add(model, "441", "district", PROVINCE), D441);
    assert_int_equal(model_unit_add(model, "442", "district", PROVINCE), D442);
    assert_int_equal(model_unit_add(model, "c1", "commune", D441), C1);
    assert_int_equal(model_unit_add(model, "c2", "commune", D441), C2);
    assert_int_equal(model_unit_add(model, "c3", "commune", D442), C3);
    struct catalogue catalogue = {
        .version = 1, .measures = measures, .measure_count = sizeof measures / sizeof measures[0]};
    model_publish(model, &catalogue);
    return model;
}

static int32_t on(const char *text)
{
    int32_t day = 0;
    assert_int_equal(day_parse(text, &day, NULL), ERR_OK);
    return day;
}

static struct period in(const char *text)
{
    struct period period = {FREQUENCY_YEAR, 0};
    assert_int_equal(period_parse(text, &period, NULL), ERR_OK);
    return period;
}

static size_t record_of(struct model *model, int origin, int unit, const char *measure,
                        const char *category, const char *day, int64_t value)
{
    struct model_entry entry = {.kind = MODEL_RECORD,
                                .origin = origin,
                                .unit = unit,
                                .measure = measure,
                                .category = category,
                                .day = on(day),
                                .value = value};
    return model_entry_add(model, &entry);
}

static size_t record(struct model *model, int origin, int unit, const char *measure,
                     const char *day, int64_t value)
{
    return record_of(model, origin, unit, measure, "", day, value);
}

static size_t amend(struct model *model, int origin, size_t refers, int64_t value)
{
    struct model_entry entry = {
        .kind = MODEL_AMEND, .origin = origin, .refers = refers, .value = value};
    return model_entry_add(model, &entry);
}

static size_t withdraw(struct model *model, int origin, size_t refers)
{
    struct model_entry entry = {.kind = MODEL_VOID, .origin = origin, .refers = refers};
    return model_entry_add(model, &entry);
}

#define CELL(ORIGIN, UNIT, MEASURE, PERIOD) \
    (&(struct model_cell_key){(ORIGIN), (UNIT), (MEASURE), "", in(PERIOD).index})

static void check_cell(const struct model *model, const struct model_cell_key *key, int64_t count,
                       int64_t value, int64_t live, const char *day)
{
    struct model_cell cell = {-1, -1, -1, -1};
    assert_true(model_cell_at(model, key, count, &cell));
    assert_int_equal(cell.count, count);
    assert_int_equal(cell.value, value);
    assert_int_equal(cell.live, live);
    assert_int_equal(cell.day, day == NULL ? 0 : on(day));
}

static void check(struct model_total total, int64_t value, int64_t entries, int64_t reported,
                  int64_t expected)
{
    assert_true(wide_fits_i64(total.value));
    assert_int_equal((int64_t)total.value, value);
    assert_int_equal(total.entries, entries);
    assert_int_equal(total.reported, reported);
    assert_int_equal(total.expected, expected);
}

static struct model_total ask(const struct model *model, int unit, const char *measure,
                              const char *period)
{
    struct model_question question = {.unit = unit, .measure = measure, .period = in(period)};
    return model_total(model, &question, NULL);
}

/* ---- worked out by hand ---- */

static void test_units(void **state)
{
    (void)state;
    struct model *model = small_tree();
    assert_int_equal(model_unit_count(model), 6);
    assert_int_equal(model_unit(model, "c2"), C2);
    assert_int_equal(model_unit(model, "c"), -1);
    assert_string_equal(model_unit_code(model, D442), "442");
    assert_int_equal(model_unit_parent(model, C3), D442);
    assert_int_equal(model_unit_parent(model, PROVINCE), -1);
    assert_true(model_within(model, C1, PROVINCE));
    assert_true(model_within(model, C1, C1));
    assert_false(model_within(model, C1, D442));
    assert_false(model_within(model, D441, C1));
    assert_int_equal(model_unit_add(model, "c4", "commune", D442), 6);
    check(ask(model, D442, "raised", "2023"), 0, 0, 0, 2);
    model_free(model);
    model_free(NULL);
}

static void test_flow(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    int b = model_origin_add(model, 2);
    assert_int_equal(record(model, a, C1, "raised", "2023-01-31", 100), 0);
    assert_int_equal(record(model, a, C2, "raised", "2023-02-01", 20), 1);
    record(model, a, C1, "raised", "2023-07-01", 3);
    assert_int_equal(record(model, b, C1, "raised", "2023-01-01", -30),
                     0);                               /* negative correction */
    record(model, b, D441, "raised", "2023-02-28", 7); /* not of its level */
    record(model, b, C3, "raised", "2022-12-31", 1000);

    check(ask(model, PROVINCE, "raised", "2023"), 100, 5, 2, 3);
    check(ask(model, PROVINCE, "raised", "2023H1"), 97, 4, 2, 3);
    check(ask(model, PROVINCE, "raised", "2023Q3"), 3, 1, 1, 3);
    check(ask(model, PROVINCE, "raised", "2022"), 1000, 1, 1, 3);
    check(ask(model, D441, "raised", "2023-01"), 70, 2, 1, 2);
    check(ask(model, D441, "raised", "2023-02"), 27, 2, 1, 2);
    check(ask(model, C1, "raised", "2023-02"), 0, 0, 0, 1);
    check(ask(model, C1, "no-such", "2023"), 0, 0, 0, 0);
    check_cell(model, CELL(a, C1, "raised", "2023-01"), 1, 100, 1, NULL);
    check_cell(model, CELL(b, C1, "raised", "2023-01"), 1, -30, 1, NULL);
    check_cell(model, CELL(b, C2, "raised", "2023-01"), 0, 0, 0, NULL);

    struct model_question own = {
        .unit = D441, .measure = "raised", .period = in("2023"), .own_only = true};
    check(model_total(model, &own, NULL), 7, 1, 0, 0);
    own.unit = C1;
    check(model_total(model, &own, NULL), 73, 3, 1, 1);
    model_free(model);
}

static void test_flow_by_day(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    record(model, a, C1, "visits", "2024-02-29", 5);
    record(model, a, C1, "visits", "2024-03-01", 6);
    check(ask(model, C1, "visits", "2024-02"), 5, 1, 1, 1);
    check(ask(model, C1, "visits", "2024-03-01"), 6, 1, 1, 1);
    check(ask(model, C1, "visits", "2024Q1"), 11, 2, 1, 1);
    model_free(model);
}

static void test_corrections(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    size_t first = record(model, a, C1, "raised", "2023-03-05", 50);
    size_t other = record(model, a, C1, "raised", "2023-03-06", 5);
    amend(model, a, first, 60);
    amend(model, a, first, 61); /* the latest wins */
    withdraw(model, a, other);
    const struct model_cell_key *key = CELL(a, C1, "raised", "2023-03");
    assert_int_equal(model_cell_count(model, key), 5);
    check_cell(model, key, 1, 50, 1, NULL);
    check_cell(model, key, 2, 55, 2, NULL);
    check_cell(model, key, 3, 65, 2, NULL);
    check_cell(model, key, 4, 66, 2, NULL);
    check_cell(model, key, 5, 61, 1, NULL);
    struct model_cell cell;
    assert_false(model_cell_at(model, key, 6, &cell));
    assert_false(model_cell_at(model, key, -1, &cell));
    check(ask(model, PROVINCE, "raised", "2023"), 61, 5, 1, 3);

    /* A zero is reported; a void alone is not, though its entries are there. */
    amend(model, a, first, 0);
    check(ask(model, PROVINCE, "raised", "2023"), 0, 6, 1, 3);
    withdraw(model, a, first);
    check(ask(model, PROVINCE, "raised", "2023"), 0, 7, 0, 3);
    size_t zero = record(model, a, C2, "raised", "2023-03-06", 0);
    check(ask(model, PROVINCE, "raised", "2023"), 0, 8, 1, 3);
    withdraw(model, a, zero);
    check(ask(model, PROVINCE, "raised", "2023"), 0, 9, 0, 3);
    model_free(model);
}

static void test_stock_cell(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    const struct model_cell_key *key = CELL(a, C1, "fund", "2023-05");
    record(model, a, C1, "fund", "2023-05-20", 100);
    size_t early = record(model, a, C1, "fund", "2023-05-10", 200); /* later in the ledger only */
    check_cell(model, key, 2, 100, 2, "2023-05-20");
    size_t same_day = record(model, a, C1, "fund", "2023-05-20", 300);
    check_cell(model, key, 3, 300, 3, "2023-05-20");
    amend(model, a, early, 222); /* does not make the record a later one */
    check_cell(model, key, 4, 300, 3, "2023-05-20");
    amend(model, a, 0, 111);
    check_cell(model, key, 5, 300, 3, "2023-05-20");
    amend(model, a, same_day, -333);
    check_cell(model, key, 6, -333, 3, "2023-05-20");
    withdraw(model, a, same_day);
    check_cell(model, key, 7, 111, 2, "2023-05-20");
    withdraw(model, a, 0);
    check_cell(model, key, 8, 222, 1, "2023-05-10");
    withdraw(model, a, early);
    check_cell(model, key, 9, 0, 0, NULL);
    check(ask(model, C1, "fund", "2023"), 0, 9, 0, 1);
    check_cell(model, key, 6, -333, 3, "2023-05-20");
    model_free(model);
}

static void test_stock_stands(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    size_t march = record(model, a, C1, "fund", "2023-03-31", 100);
    size_t june = record(model, a, C1, "fund", "2023-06-01", 150);
    record(model, a, C3, "fund", "2022-01-01", 7);
    check(ask(model, PROVINCE, "fund", "2023-02"), 7, 0, 0, 3);
    check(ask(model, PROVINCE, "fund", "2023-03"), 107, 1, 1, 3);
    check(ask(model, PROVINCE, "fund", "2023-05"), 107, 0, 0, 3);
    check(ask(model, PROVINCE, "fund", "2023Q1"), 107, 1, 1, 3);
    check(ask(model, PROVINCE, "fund", "2023H1"), 157, 2, 1, 3); /* the last, not the sum */
    check(ask(model, PROVINCE, "fund", "2024"), 157, 0, 0, 3);
    check(ask(model, PROVINCE, "fund", "2022"), 7, 1, 1, 3);
    check(ask(model, PROVINCE, "fund", "2021"), 0, 0, 0, 3);
    withdraw(model, a, june);
    check(ask(model, D441, "fund", "2023"), 100, 3, 1, 2);
    check(ask(model, D441, "fund", "2023Q2"), 100, 2, 0, 2);
    withdraw(model, a, march);
    check(ask(model, D441, "fund", "2023"), 0, 4, 0, 2);

    record(model, a, D441, "boards", "2023-02-01", 9);
    check(ask(model, PROVINCE, "boards", "2023"), 9, 1, 1, 2);
    check(ask(model, C1, "boards", "2023"), 0, 0, 0, 0);
    model_free(model);
}

static void test_stock_ranks(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int before = model_origin_add(model, 1);
    int after = model_origin_add(model, 2);
    record(model, before, C1, "fund", "2023-05-31", 10);
    size_t taken_over = record(model, after, C1, "fund", "2023-05-02", 20);
    check(ask(model, C1, "fund", "2023-05"), 20, 2, 1, 1); /* the rank goes before the day */
    record(model, before, C1, "fund", "2023-06-01", 30);
    check(ask(model, C1, "fund", "2023-06"), 30, 1, 1, 1); /* the period goes before the rank */
    check(ask(model, C1, "fund", "2023-05"), 20, 2, 1, 1);
    withdraw(model, after, taken_over);
    check(ask(model, C1, "fund", "2023-05"), 10, 3, 1, 1);
    model_free(model);
}

static void test_categories(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    record_of(model, a, C1, "fund", "group=cadre", "2023-01-01", 1);
    record_of(model, a, C1, "fund", "group=other", "2023-02-01", 20);
    record_of(model, a, C1, "fund", "", "2023-02-01", 300);
    record_of(model, a, C2, "fund", "group=cadre", "2023-02-01", 4000);
    check(ask(model, D441, "fund", "2023"), 4321, 4, 2, 2); /* each stands by itself */
    struct model_question question = {
        .unit = D441, .measure = "fund", .period = in("2023"), .category = "group=cadre"};
    check(model_total(model, &question, NULL), 4001, 2, 2, 2);
    question.category = "group=other";
    check(model_total(model, &question, NULL), 20, 1, 1, 2);
    question.category = "";
    check(model_total(model, &question, NULL), 300, 1, 1, 2);
    question.category = "group";
    check(model_total(model, &question, NULL), 0, 0, 0, 2);
    model_free(model);
}

static bool knows_all_but(void *ctx, int unit)
{
    return unit != *(int *)ctx;
}

static void test_unknown_units(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    record(model, a, C1, "raised", "2023-01-01", 5);
    record(model, a, C2, "raised", "2023-01-01", 6);
    int unknown = C1;
    struct model_question question = {.unit = PROVINCE,
                                      .measure = "raised",
                                      .period = in("2023"),
                                      .knows_unit = knows_all_but,
                                      .ctx = &unknown};
    check(model_total(model, &question, NULL), 11, 2, 1,
          2); /* its figures are added all the same */
    unknown = C3;
    check(model_total(model, &question, NULL), 11, 2, 2, 2);
    unknown = D441; /* not of the level */
    check(model_total(model, &question, NULL), 11, 2, 2, 3);
    model_free(model);
}

static int64_t sees_two_of_first(void *ctx, const struct model_cell_key *key)
{
    (*(int *)ctx)++;
    return key->origin == 0 ? 2 : key->unit == C3 ? INT64_MAX : 0;
}

static void test_views(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    int b = model_origin_add(model, 2);
    size_t first = record(model, a, C1, "fund", "2023-01-01", 5);
    amend(model, a, first, 6);
    withdraw(model, a, first);
    record(model, b, C1, "fund", "2023-01-02", 70);
    record(model, b, C3, "fund", "2023-01-02", 800);
    record(model, a, C2, "raised", "2023-01-01", 1);
    int calls = 0;
    struct model_view view = {sees_two_of_first, &calls};
    struct model_question question = {.unit = PROVINCE, .measure = "fund", .period = in("2023")};
    check(model_total(model, &question, &view), 806, 3, 2, 3);
    assert_true(calls > 0);
    check(model_total(model, &question, NULL), 870, 5, 2, 3);
    question.measure = "raised";
    check(model_total(model, &question, &view), 1, 1, 1, 3);
    model_free(model);
}

static void test_branch(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 4);
    size_t first = record(model, a, C1, "raised", "2023-01-01", 5);
    amend(model, a, first, 6);
    record(model, a, C1, "raised", "2023-01-02", 10);
    int b = model_origin_branch(model, a, 2);
    assert_int_not_equal(a, b);
    assert_int_equal(model_ledger_length(model, a), 3);
    assert_int_equal(model_ledger_length(model, b), 2);
    check_cell(model, CELL(b, C1, "raised", "2023-01"), 1, 5, 1, NULL);
    check_cell(model, CELL(b, C1, "raised", "2023-01"), 2, 6, 1, NULL);
    assert_int_equal(record(model, b, C1, "raised", "2023-01-03", 100), 2);
    withdraw(model, b, first);
    check_cell(model, CELL(b, C1, "raised", "2023-01"), 4, 100, 1, NULL);
    check_cell(model, CELL(a, C1, "raised", "2023-01"), 3, 16, 2, NULL);
    check(ask(model, C1, "raised", "2023"), 116, 7, 1, 1);
    model_free(model);
}

static void count_cell(void *ctx, const struct model_cell_key *key, int64_t count)
{
    assert_string_equal(key->measure, "fund");
    *(int64_t *)ctx += count;
}

static void test_cut(void **state)
{
    (void)state;
    struct model *model = small_tree();
    int a = model_origin_add(model, 1);
    size_t first = record(model, a, C1, "fund", "2023-01-05", 5);
    amend(model, a, first, 6);
    amend(model, a, first, 7);
    withdraw(model, a, first);
    record(model, a, C1, "fund", "2023-01-01", 8);
    record(model, a, C2, "fund", "2023-01-01", 9);
    check(ask(model, D441, "fund", "2023"), 17, 6, 2, 2);
    model_ledger_cut(model, a, 9); /* it has no more than that */
    assert_int_equal(model_ledger_length(model, a), 6);
    model_ledger_cut(model, a, 3);
    check(ask(model, D441, "fund", "2023"), 7, 3, 1, 2);
    check_cell(model, CELL(a, C1, "fund", "2023-01"), 3, 7, 1, "2023-01-05");
    assert_int_equal(model_cell_count(model, CELL(a, C2, "fund", "2023-01")), 0);
    model_ledger_cut(model, a, 2);
    withdraw(model, a, record(model, a, C1, "fund", "2023-01-09", 1));
    check_cell(model, CELL(a, C1, "fund", "2023-01"), 4, 6, 1,
               "2023-01-05"); /* the record is back */
    model_ledger_cut(model, a, 2);
    assert_int_equal(amend(model, a, first, 70), 2);
    check_cell(model, CELL(a, C1, "fund", "2023-01"), 3, 70, 1, "2023-01-05");
    int64_t entries = 0;
    model_cells(model, count_cell, &entries);
    assert_int_equal(entries, 3);
    model_ledger_cut(model, a, 0);
    check(ask(model, PROVINCE, "fund", "2023"), 0, 0, 0, 3);
    model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_units),         cmocka_unit_test(test_flow),
        cmocka_unit_test(test_flow_by_day),   cmocka_unit_test(test_corrections),
        cmocka_unit_test(test_stock_cell),    cmocka_unit_test(test_stock_stands),
        cmocka_unit_test(test_stock_ranks),   cmocka_unit_test(test_categories),
        cmocka_unit_test(test_unknown_units), cmocka_unit_test(test_views),
        cmocka_unit_test(test_branch),        cmocka_unit_test(test_cut)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

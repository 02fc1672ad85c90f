/* layer: store */
/* Rows in and out: each function of the store does what its name says, and lists keep their order,
 * their caps and their places to go on from. */
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

/* ---- facts, symbols, sessions ---- */

static void test_facts(void **state)
{
    (void)state;
    int64_t number;
    struct bytes blob;
    uint8_t fixed[4] = {0};
    OK(store_fact_int(store, "n", 42, &number));
    assert_int_equal(number, 42);
    OK(store_fact_set_int(store, "n", INT64_MIN));
    OK(store_fact_int(store, "n", 42, &number));
    assert_true(number == INT64_MIN);
    NOT_FOUND(store_fact_blob(store, "b", &arena, &blob));
    NOT_FOUND(store_fact_fixed(store, "b", fixed, sizeof fixed));
    OK(store_fact_set_blob(store, "b", "a\0bc", 4));
    OK(store_fact_blob(store, "b", &arena, &blob));
    assert_int_equal(blob.len, 4);
    assert_memory_equal(blob.data, "a\0bc", 4);
    OK(store_fact_fixed(store, "b", fixed, sizeof fixed));
    assert_memory_equal(fixed, "a\0bc", 4);
    assert_int_equal(store_fact_fixed(store, "b", fixed, 3), ERR_CORRUPT);
    OK(store_fact_set_blob(store, "b", "", 0));
    OK(store_fact_blob(store, "b", &arena, &blob));
    assert_int_equal(blob.len, 0);
}

static void test_symbols(void **state)
{
    (void)state;
    int64_t a;
    int64_t b;
    int64_t again;
    const char *text;
    NOT_FOUND(store_symbol_find(store, "42", &a));
    OK(store_symbol_put(store, "42", &a));
    OK(store_symbol_put(store, "", &b));
    OK(store_symbol_put(store, "42", &again));
    assert_int_equal(a, again);
    assert_int_not_equal(a, b);
    OK(store_symbol_find(store, "42", &again));
    assert_int_equal(a, again);
    OK(store_symbol_text(store, b, &arena, &text));
    assert_string_equal(text, "");
    NOT_FOUND(store_symbol_text(store, 999, &arena, &text));
}

/* The newest are kept, and each but the newest ends where the next began. */
static void test_sessions(void **state)
{
    (void)state;
    struct store_session found[8];
    struct id names[1];
    size_t n;
    int64_t head;
    for (int i = 1; i <= 6; i++) {
        struct id name = id_of(i);
        OK(store_session_add(store, &name, i * 100, 4));
    }
    OK(store_sessions(store, found, 8, &n));
    assert_int_equal(n, 4);
    for (int i = 0; i < 4; i++) {
        struct id name = id_of(i + 3);
        assert_true(id_equal(&found[i].name, &name));
        assert_true(found[i].end == (i < 3 ? (i + 4) * 100 : INT64_MAX));
    }
    names[0] = id_of(2);
    NOT_FOUND(store_session_end(store, &names[0], &head));
    names[0] = id_of(5);
    OK(store_session_end(store, &names[0], &head));
    assert_int_equal(head, 600);
    names[0] = id_of(6);
    OK(store_session_end(store, &names[0], &head));
    assert_true(head == INT64_MAX);
    assert_int_equal(store_session_add(store, &names[0], 1, 4), ERR_EXISTS);
}

/* ---- origins and segments ---- */

static void test_origins(void **state)
{
    (void)state;
    struct store_origin rows[4];
    struct store_origin found;
    struct bytes blob;
    size_t n;
    for (int i = 0; i < 3; i++) {
        rows[i] = (struct store_origin){.name = id_of(i), .unit = i, .via = 9, .scope = SCOPE_OWN};
        OK(store_origin_add(store, &rows[i]));
        assert_true(rows[i].id > 0);
    }
    assert_int_equal(store_origin_add(store, &rows[0]), ERR_EXISTS);
    rows[1].cell_count = 5;
    rows[1].digest = id_of(77);
    rows[1].scope = SCOPE_BELOW;
    OK(store_origin_set(store, &rows[1]));
    OK(store_origin_find(store, &rows[1].name, &found));
    assert_int_equal(found.cell_count, 5);
    assert_int_equal(found.scope, SCOPE_BELOW);
    assert_true(id_equal(&found.digest, &rows[1].digest));
    OK(store_origin_get(store, rows[2].id, &found));
    assert_true(id_equal(&found.name, &rows[2].name));
    found.name = id_of(50);
    NOT_FOUND(store_origin_find(store, &found.name, &found));
    NOT_FOUND(store_origin_get(store, 12345, &found));
    OK(store_origins(store, rows[0].id, rows, 4, &n));
    assert_int_equal(n, 2);
    NOT_FOUND(store_origin_signed(store, rows[0].id, &arena, &blob));
    OK(store_origin_signed_set(store, rows[0].id, "signed", 6, 20));
    OK(store_origin_signed_set(store, rows[1].id, "later", 5, 10));
    OK(store_origin_signed(store, rows[0].id, &arena, &blob));
    assert_memory_equal(blob.data, "signed", 6);
    struct store_origin feed[4];
    OK(store_feed_origins(store, 0, feed, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(feed[0].rev, 10);
    assert_int_equal(feed[1].rev, 20);
    OK(store_feed_origins(store, 10, feed, 4, &n));
    assert_int_equal(n, 1);
}

static void add_segment_at(struct store_segment *row, int name, int64_t origin, int64_t rev,
                           int64_t clock)
{
    *row =
        (struct store_segment){.name = id_of(name), .origin = origin, .rev = rev, .clock = clock};
    OK(store_segment_add(store, row, (struct bytes){(const uint8_t *)"heads", 5}));
    assert_int_equal(row->clock, clock);
}

static void add_segment(struct store_segment *row, int name, int64_t origin, int64_t rev)
{
    add_segment_at(row, name, origin, rev, 0);
}

static void test_segments(void **state)
{
    (void)state;
    struct store_segment rows[3];
    struct store_segment found[4];
    struct bytes continues;
    size_t n;
    int64_t known;
    int64_t held;
    add_segment(&rows[0], 1, 1, 30);
    add_segment(&rows[1], 2, 1, 10);
    add_segment(&rows[2], 3, 2, 20);
    assert_int_equal(rows[0].number, 1);
    assert_int_equal(rows[1].number, 2);
    assert_int_equal(rows[2].number, 1);
    rows[0].length = 10;
    rows[0].held = 7;
    rows[0].continued = 11;
    OK(store_segment_set(store, &rows[0]));
    rows[1].length = 5;
    rows[1].held = 5;
    OK(store_segment_set(store, &rows[1]));
    OK(store_segment_find(store, &rows[0].name, &found[0]));
    assert_int_equal(found[0].length, 10);
    assert_int_equal(found[0].held, 7);
    assert_int_equal(found[0].continued, 11);
    OK(store_segment_get(store, rows[2].id, &found[0]));
    assert_true(id_equal(&found[0].name, &rows[2].name));
    NOT_FOUND(store_segment_get(store, 999, &found[0]));
    OK(store_segments(store, 1, 0, found, 4, &n));
    assert_int_equal(n, 2);
    OK(store_segments(store, 1, 1, found, 4, &n));
    assert_int_equal(n, 1);
    OK(store_segments_frontier(store, 1, found, 4, &n));
    assert_int_equal(n, 1);
    assert_int_equal(found[0].id, rows[1].id);
    rows[0].length = 11; /* longer than what continues it knew */
    OK(store_segment_set(store, &rows[0]));
    OK(store_segments_frontier(store, 1, found, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(found[0].id, rows[0].id);
    rows[0].length = 10;
    OK(store_segment_set(store, &rows[0]));
    OK(store_segments_between(store, &rows[0].name, &rows[1].name, found, 4, &n));
    assert_int_equal(n, 2);
    OK(store_feed_segments(store, 0, found, 4, &n));
    assert_int_equal(n, 3);
    assert_int_equal(found[0].rev, 10);
    assert_int_equal(found[2].rev, 30);
    OK(store_segment_continues(store, rows[1].id, &arena, &continues));
    assert_memory_equal(continues.data, "heads", 5);
    OK(store_ledger_length(store, 1, &known, &held));
    assert_int_equal(known, 15);
    assert_int_equal(held, 12);
    OK(store_ledger_length(store, 77, &known, &held));
    assert_int_equal(known + held, 0);
}

/* ---- entries ---- */

static struct store_entry record(int64_t segment, int64_t seq, int32_t day, int64_t hosting)
{
    return (struct store_entry){.segment = segment,
                                .seq = seq,
                                .kind = 1,
                                .unit = 4,
                                .measure = 5,
                                .category = 6,
                                .day = day,
                                .value = seq * 10,
                                .hosting = hosting,
                                .key = "",
                                .note = "",
                                .author = 1,
                                .recorded_at = {seq * 1000},
                                .own = true,
                                .live = true,
                                .now_value = seq * 10};
}

static void test_entries(void **state)
{
    (void)state;
    struct store_segment segment;
    struct store_entry rows[4];
    struct store_entry entry = record(1, 1, 100, 0);
    struct store_placed found;
    size_t n;
    int64_t facts;
    add_segment(&segment, 1, 1, 1);
    entry.key = "k";
    entry.note = "n";
    OK(store_entry_add(store, &entry));
    assert_int_equal(store_entry_add(store, &entry), ERR_EXISTS);
    entry = record(1, 2, 101, 0);
    entry.kind = 4;
    entry.act = (struct bytes){(const uint8_t *)"act", 3};
    entry.refers_seq = 1;
    entry.refers_segment = id_of(1);
    OK(store_entry_add(store, &entry));
    entry = record(1, 3, 101, 0);
    entry.own = false; /* escrow: its key is another office's */
    entry.key = "other";
    OK(store_entry_add(store, &entry));
    OK(store_entry_by_key(store, "k", 0, &arena, &found));
    assert_int_equal(found.entry.seq, 1);
    assert_string_equal(found.entry.note, "n");
    assert_int_equal(found.clock, 1);
    assert_true(id_equal(&found.segment, &segment.name));
    NOT_FOUND(store_entry_by_key(store, "k", 1, &arena, &found));
    NOT_FOUND(store_entry_by_key(store, "other", 0, &arena, &found));
    NOT_FOUND(store_entry_by_key(store, "", 0, &arena, &found));
    OK(store_entry_get(store, 1, 2, &arena, &entry));
    assert_memory_equal(entry.act.data, "act", 3);
    assert_int_equal(entry.refers_seq, 1);
    NOT_FOUND(store_entry_get(store, 1, 9, &arena, &entry));
    OK(store_entries(store, 1, 1, &arena, rows, 4, &n));
    assert_int_equal(n, 2);
    assert_int_equal(rows[0].seq, 2);
    OK(store_entry_state_set(store, 1, 1, false, 77));
    OK(store_entry_get(store, 1, 1, &arena, &entry));
    assert_false(entry.live);
    assert_int_equal(entry.now_value, 77);
    assert_int_equal(entry.value, 10);
    OK(store_ledger_facts(store, 1, &facts));
    assert_int_equal(facts, 2);
}

/* The highest hosting number, then the latest day, then the last in the ledger; only what lives, is
 * of that cell and of those days. */
static void test_ranked_entries(void **state)
{
    (void)state;
    struct store_segment rows[2];
    struct store_placed found;
    const struct store_stock_span span = {4, 5, 6, 100, 130};
    add_segment(&rows[0], 1, 1, 1);
    add_segment_at(&rows[1], 2, 1, 2, 10);
    const struct store_entry all[] = {record(rows[0].id, 1, 110, 2), record(rows[0].id, 2, 115, 2),
                                      record(rows[0].id, 3, 115, 2), record(rows[0].id, 4, 101, 3),
                                      record(rows[1].id, 1, 115, 2), record(rows[0].id, 5, 400, 9)};
    NOT_FOUND(store_entry_ranked(store, &span, 0, &found));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        OK(store_entry_add(store, &all[i]));
    }
    static const int64_t ORDER[][2] = {{0, 4}, {1, 1}, {0, 3}, {0, 2}, {0, 1}};
    for (size_t i = 0; i < sizeof ORDER / sizeof *ORDER; i++) {
        OK(store_entry_ranked(store, &span, (int64_t)i, &found));
        assert_int_equal(found.entry.segment, rows[ORDER[i][0]].id);
        assert_int_equal(found.entry.seq, ORDER[i][1]);
        OK(store_entry_state_set(store, found.entry.segment, found.entry.seq, false,
                                 0)); /* also then */
    }
    NOT_FOUND(store_entry_ranked(store, &span, 5, &found));
    OK(store_entry_ranked(store, &(struct store_stock_span){4, 5, 6, 100, 400}, 0, &found));
    NOT_FOUND(store_entry_ranked(store, &(struct store_stock_span){4, 5, 7, 100, 400}, 0, &found));
}

/* The last in ledger order, of amends and voids of that entry only. */
static void test_last_correction(void **state)
{
    (void)state;
    struct store_segment rows[2];
    struct store_placed found;
    add_segment(&rows[0], 1, 1, 1);
    add_segment_at(&rows[1], 2, 1, 2, 10);
    const int64_t places[][3] = {{0, 1, 2}, {1, 1, 3}, {0, 2, 2}};
    NOT_FOUND(store_entry_correction(store, &rows[0].name, 7, 0, &arena, &found));
    for (size_t i = 0; i < 3; i++) {
        struct store_entry entry = record(rows[places[i][0]].id, places[i][1], 110, 2);
        entry.kind = places[i][2];
        entry.refers_segment = rows[0].name;
        entry.refers_seq = 7;
        OK(store_entry_add(store, &entry));
    }
    OK(store_entry_correction(store, &rows[0].name, 7, 0, &arena, &found));
    assert_int_equal(found.entry.kind, 3);
    OK(store_entry_correction(store, &rows[0].name, 7, 2, &arena, &found));
    assert_int_equal(found.entry.seq, 1);
    assert_int_equal(found.entry.kind, 2);
    NOT_FOUND(store_entry_correction(store, &rows[0].name, 7, 3, &arena, &found));
    NOT_FOUND(store_entry_correction(store, &rows[0].name, 8, 0, &arena, &found));
    NOT_FOUND(store_entry_correction(store, &rows[1].name, 7, 0, &arena, &found));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_facts),          CASE(test_symbols),
                                       CASE(test_sessions),       CASE(test_origins),
                                       CASE(test_segments),       CASE(test_entries),
                                       CASE(test_ranked_entries), CASE(test_last_correction)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/sha256.h"
#include "proto/message.h"

static struct buf buf;

static int set_up(void **state)
{
    (void)state;
    buf_init(&buf, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&buf);
    return 0;
}

typedef const char *namer(int value);

static const char *of_message(int v)
{
    return message_name((enum message_type)v);
}
static const char *of_request(int v)
{
    return request_name((enum request_type)v);
}
static const char *of_state(int v)
{
    return link_state_name((enum link_state)v);
}
static const char *of_hold(int v)
{
    return hold_reason_text((enum hold_reason)v);
}
static const char *of_refuse(int v)
{
    return refuse_reason_text((enum refuse_reason)v);
}

/* Every value has a name of its own, and what is no value has "?". */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        namer *name;
        int first, count;
        const char *first_name, *last_name;
    } ROWS[] = {
        {of_message, MESSAGE_HELLO, MESSAGE_TYPE_COUNT, "hello", "bundle"},
        {of_request, REQUEST_RECORD, REQUEST_TYPE_COUNT, "record", "missing"},
        {of_state, LINK_NEVER, LINK_FENCED + 1, "never", "fenced"},
        {of_hold, HOLD_NONE, HOLD_REASON_COUNT, "not held", "no act gave its origin that unit"},
        {of_refuse, REFUSE_NOT_ROUTED, REFUSE_REASON_COUNT,
         "its origin does not come through this child", "another office has a unit of that code"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        assert_string_equal(ROWS[i].name(ROWS[i].first), ROWS[i].first_name);
        assert_string_equal(ROWS[i].name(ROWS[i].count - 1), ROWS[i].last_name);
        assert_string_equal(ROWS[i].name(ROWS[i].count), "?");
        assert_string_equal(ROWS[i].name(-1), "?");
        for (int a = ROWS[i].first; a < ROWS[i].count; a++) {
            assert_non_null(ROWS[i].name(a));
            assert_string_not_equal(ROWS[i].name(a), "?");
            for (int b = ROWS[i].first; b < a; b++) {
                assert_string_not_equal(ROWS[i].name(a), ROWS[i].name(b));
            }
        }
    }
    assert_string_equal(message_name(MESSAGE_CATALOGUE), "catalogue");
    assert_string_equal(request_name(REQUEST_UNIT_LIST), "unit-list");
    assert_string_equal(link_state_name(LINK_CATCHING_UP), "catching up");
}

/* A refusal carries any sentence of this program whole. */
static void test_sentences_fit(void **state)
{
    (void)state;
    assert_true(TEXT_MAX_BYTES >= ERRMSG_MAX_BYTES - 1);
}

/* The bytes of PROTOCOL.md, written out. */
static void test_signed_heads(void **state)
{
    (void)state;
    struct head heads[2] = {{{{3}}, 4, {{5}}}, {{{6}}, 7, {{8}}}};
    struct signed_heads signed_heads = {.heads = {.origin = {{9}}, .heads = heads, .head_count = 2},
                                        .at = {-2}};
    uint8_t want[1 + 16 + 4 + 2 * (16 + 8 + 32) + 8] = {1, 9};
    want[20] = 2;
    want[21] = 3;
    want[44] = 4;
    want[45] = 5;
    want[77] = 6;
    want[100] = 7;
    want[101] = 8;
    memset(want + 133, 0xff, 8);
    want[140] = 0xfe;
    signed_heads_bytes(&signed_heads, &buf);
    assert_int_equal(buf.len, sizeof want);
    assert_memory_equal(buf.data, want, sizeof want);
}

static struct cell sample(void)
{
    return (struct cell){.origin = {{1}},
                         .unit = "u",
                         .measure = "m",
                         .category = "c",
                         .period = -2,
                         .value = 3,
                         .count = 4,
                         .live = 5,
                         .hosting = 6,
                         .day = 7};
}

static struct id hash_of(const struct cell *cell)
{
    buf_clear(&buf);
    return cell_hash(cell, &buf);
}

/* Every field of a cell is in its hash. */
static void test_cell_hash(void **state)
{
    (void)state;
    enum { VARIANTS = 11 };
    struct cell cell[VARIANTS];
    struct id hash[VARIANTS];
    for (int i = 0; i < VARIANTS; i++) {
        cell[i] = sample();
    }
    cell[1].origin.b[15] = 1;
    cell[2].unit = "v";
    cell[3].measure = "n";
    cell[4].category = "";
    cell[5].period++;
    cell[6].value++;
    cell[7].count++;
    cell[8].live++;
    cell[9].hosting++;
    cell[10].day++;
    for (int i = 0; i < VARIANTS; i++) {
        hash[i] = hash_of(&cell[i]);
        for (int j = 0; j < i; j++) {
            assert_false(id_equal(&hash[i], &hash[j]));
        }
    }
    static const uint8_t WANT[] = {
        1,   0, 0, 0, 0, 0,   0, 0, 0, 0, 0,   0,    0,    0,    0,    0,    0,    0,    0,    1,
        'u', 0, 0, 0, 1, 'm', 0, 0, 0, 1, 'c', 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0,
        0,   0, 0, 0, 0, 0,   3, 0, 0, 0, 0,   0,    0,    0,    4,    0,    0,    0,    0,    0,
        0,   0, 5, 0, 0, 0,   0, 0, 0, 0, 6,   0,    0,    0,    0,    0,    0,    0,    7};
    struct hash want = sha256(WANT, sizeof WANT);
    assert_memory_equal(hash[0].b, want.b, ID_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names), cmocka_unit_test(test_sentences_fit),
        cmocka_unit_test_setup_teardown(test_signed_heads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cell_hash, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "proto/act.h"

static struct buf buf;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    buf_init(&buf, 1 << 16);
    arena_init(&arena, 1 << 16);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&buf);
    arena_reset(&arena);
    return 0;
}

static struct act sample(enum act_kind kind)
{
    struct act act = {.kind = kind,
                      .unit = "436",
                      .name = "Thạch Hà",
                      .level = "district",
                      .parent = "42",
                      .day = DAY_NONE,
                      .number = UINT64_MAX,
                      .expires = {INT64_C(1700000000000)}};
    memset(&act.node, 1, sizeof act.node);
    memset(&act.origin, 2, sizeof act.origin);
    memset(&act.key, 3, sizeof act.key);
    memset(&act.content, 4, sizeof act.content);
    return act;
}

static enum err decode(size_t len, struct act *out)
{
    return act_decode((struct bytes){buf.data, len}, &arena, out);
}

static void test_there_and_back(void **state)
{
    (void)state;
    for (int kind = ACT_UNIT; kind <= ACT_REVOKE; kind++) {
        struct act act = sample((enum act_kind)kind);
        struct act got;
        buf_clear(&buf);
        act_encode(&act, &buf);
        assert_int_equal(decode(buf.len, &got), ERR_OK);
        memset(buf.data, 0xff, buf.len); /* nothing of the answer lies in the bytes */
        assert_int_equal(got.kind, kind);
        assert_string_equal(got.unit, act.unit);
        assert_string_equal(got.name, act.name);
        assert_string_equal(got.level, act.level);
        assert_string_equal(got.parent, act.parent);
        assert_true(got.day == act.day && got.number == act.number &&
                    got.expires.ms == act.expires.ms);
        assert_true(id_equal(&got.node, &act.node) && id_equal(&got.origin, &act.origin));
        assert_true(hash_equal(&got.key, &act.key) && hash_equal(&got.content, &act.content));
    }
}

/* The bytes of PROTOCOL.md, in its order. */
static void test_form(void **state)
{
    (void)state;
    struct act act = sample(ACT_HOST);
    struct buf want;
    buf_init(&want, 1 << 16);
    buf_put_u8(&want, 1);
    buf_put_u8(&want, 2);
    buf_put_str(&want, "436");
    buf_put_str(&want, "Thạch Hà");
    buf_put_str(&want, "district");
    buf_put_str(&want, "42");
    buf_put_i64(&want, INT32_MIN);
    buf_put_id(&want, &act.node);
    buf_put_id(&want, &act.origin);
    buf_put_hash(&want, &act.key);
    buf_put_u64(&want, UINT64_MAX);
    buf_put_hash(&want, &act.content);
    buf_put_i64(&want, INT64_C(1700000000000));
    act_encode(&act, &buf);
    assert_int_equal(buf.len, want.len);
    assert_memory_equal(buf.data, want.data, want.len);
    buf_deinit(&want);
}

/* Every prefix is refused, and so is anything behind the end. */
static void test_cut(void **state)
{
    (void)state;
    struct act act = sample(ACT_UNIT), got = {.number = 7};
    act_encode(&act, &buf);
    for (size_t len = 0; len < buf.len; len++) {
        assert_int_equal(decode(len, &got), ERR_INVALID);
        arena_reset(&arena);
    }
    buf_put_u8(&buf, 0);
    assert_int_equal(decode(buf.len, &got), ERR_INVALID);
    assert_true(got.number == 7);
}

/* A byte changed anywhere is refused, or it is read as what it says: an act that encodes to exactly
 * the changed bytes. Nothing is read as if it were the original. */
static void test_changed(void **state)
{
    (void)state;
    struct act act = sample(ACT_UNIT);
    struct buf again;
    buf_init(&again, 1 << 16);
    act_encode(&act, &buf);
    for (size_t i = 0; i < buf.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct act got;
            buf.data[i] ^= (uint8_t)(1 << bit);
            if (decode(buf.len, &got) == ERR_OK) {
                buf_clear(&again);
                act_encode(&got, &again);
                assert_int_equal(again.len, buf.len);
                assert_memory_equal(again.data, buf.data, buf.len);
            }
            buf.data[i] ^= (uint8_t)(1 << bit);
            arena_reset(&arena);
        }
    }
    buf_deinit(&again);
}

static void test_bad_content(void **state)
{
    (void)state;
    struct act got;
    for (int kind = 0; kind < 256; kind++) {
        struct act act = sample((enum act_kind)kind);
        buf_clear(&buf);
        act_encode(&act, &buf);
        bool known = kind >= ACT_UNIT && kind <= ACT_REVOKE;
        assert_int_equal(decode(buf.len, &got), known ? ERR_OK : ERR_INVALID);
        arena_reset(&arena);
    }
    struct act act = sample(ACT_UNIT);
    buf_clear(&buf);
    act_encode(&act, &buf);
    buf.data[0] = 2; /* another form */
    assert_int_equal(decode(buf.len, &got), ERR_INVALID);
    buf.data[0] = 1;
    buf.data[7] = 0; /* a NUL in the unit */
    assert_int_equal(decode(buf.len, &got), ERR_INVALID);
    arena_reset(&arena);
    arena_init(&arena, 8); /* no room for the texts */
    buf.data[7] = '3';
    assert_int_equal(decode(buf.len, &got), ERR_INVALID);
}

#define WITH_BUF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_BUF(test_there_and_back), WITH_BUF(test_form),
                                       WITH_BUF(test_cut), WITH_BUF(test_changed),
                                       WITH_BUF(test_bad_content)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

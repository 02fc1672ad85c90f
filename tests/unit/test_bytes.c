/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"

/* Each kind of value in its written form, and back. */
static void test_forms(void **state)
{
    (void)state;
    const uint8_t want[] = {0xab, 1,    2,    3,    4,    1,    2,    3,    4, 5, 6, 7, 8,
                            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0, 0, 0, 3, 'a',
                            'b',  'c',  0,    0,    0,    0,    0,    0,    0, 2, 0, 9};
    struct buf buf;
    buf_init(&buf, 1000);
    buf_put_u8(&buf, 0xab);
    buf_put_u32(&buf, 0x01020304);
    buf_put_u64(&buf, UINT64_C(0x0102030405060708));
    buf_put_i64(&buf, -2);
    buf_put_str(&buf, "abc");
    buf_put_str(&buf, NULL);
    buf_put_blob(&buf, "\0\t", 2);
    assert_int_equal(buf.len, sizeof want);
    assert_memory_equal(buf.data, want, sizeof want);
    struct cur cur = cur_over(buf.data, buf.len);
    assert_int_equal(cur_u8(&cur), 0xab);
    assert_int_equal(cur_u32(&cur), 0x01020304);
    assert_true(cur_u64(&cur) == UINT64_C(0x0102030405060708));
    assert_true(cur_i64(&cur) == -2);
    struct bytes text = cur_blob(&cur);
    assert_int_equal(text.len, 3);
    assert_memory_equal(text.data, "abc", 3);
    assert_int_equal(cur_blob(&cur).len, 0);
    assert_false(cur_done(&cur));
    assert_int_equal(cur_blob(&cur).len, 2);
    assert_true(cur_done(&cur));
    buf_deinit(&buf);
}

static void test_extremes(void **state)
{
    (void)state;
    static const int64_t VALUES[] = {INT64_MIN, -1, 0, 1, INT64_MAX};
    struct buf buf;
    buf_init(&buf, 1000);
    for (size_t i = 0; i < 5; i++) {
        buf_clear(&buf);
        buf_put_i64(&buf, VALUES[i]);
        struct cur cur = cur_over(buf.data, buf.len);
        assert_true(cur_i64(&cur) == VALUES[i]);
    }
    struct id id;
    struct hash hash;
    memset(&id, 0xa5, sizeof id);
    memset(&hash, 0x5a, sizeof hash);
    buf_clear(&buf);
    buf_put_id(&buf, &id);
    buf_put_hash(&buf, &hash);
    assert_int_equal(buf.len, ID_BYTES + HASH_BYTES);
    struct cur cur = cur_over(buf.data, buf.len);
    struct id id_back = cur_id(&cur);
    struct hash hash_back = cur_hash(&cur);
    assert_true(id_equal(&id, &id_back) && hash_equal(&hash, &hash_back) && cur_done(&cur));
    buf_deinit(&buf);
}

/* A 32-bit number in a place of 64: the ends fit, what lies beyond is a failed read. */
static void test_narrow(void **state)
{
    (void)state;
    static const struct {
        int64_t value;
        bool fits;
    } ROWS[] = {{INT32_MIN, true},
                {INT32_MAX, true},
                {0, true},
                {INT64_C(-2147483649), false},
                {INT64_C(2147483648), false},
                {INT64_C(1) << 32, false},
                {INT64_MIN, false},
                {INT64_MAX, false}};
    struct buf buf;
    buf_init(&buf, 8);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        buf_clear(&buf);
        buf_put_i64(&buf, ROWS[i].value);
        struct cur cur = cur_over(buf.data, buf.len);
        int32_t got = cur_i32(&cur);
        assert_int_equal(cur_done(&cur), ROWS[i].fits);
        assert_true(got == (ROWS[i].fits ? ROWS[i].value : 0));
    }
    buf_deinit(&buf);
}

/* Up to the limit everything fits; the put that would pass it fails, and so does all behind it,
 * until the buffer is cleared. */
static void test_limit(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    for (int i = 0; i < 100; i++) {
        buf_put_u8(&buf, (uint8_t)i);
        assert_false(buf.failed);
    }
    buf_put(&buf, "", 0);
    assert_false(buf.failed);
    buf_put_u8(&buf, 1);
    assert_true(buf.failed);
    assert_int_equal(buf.len, 100);
    buf_clear(&buf);
    assert_false(buf.failed);
    assert_non_null(buf_extend(&buf, 99));
    assert_null(buf_extend(&buf, 2));
    assert_true(buf.failed);
    assert_null(buf_extend(&buf, 1));
    buf_put_u8(&buf, 1);
    assert_int_equal(buf.len, 99);
    buf_clear(&buf);
    buf_put(&buf, "x", SIZE_MAX);
    assert_true(buf.failed);
    buf_deinit(&buf);
    assert_int_equal(buf.max, 100);
    assert_null(buf.data);
}

/* A blob is written whole or the buffer says that it failed. */
static void test_blob_at_limit(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 8);
    buf_put_blob(&buf, "1234", 4);
    assert_false(buf.failed);
    buf_clear(&buf);
    buf_put_blob(&buf, "12345", 5);
    assert_true(buf.failed);
    buf_deinit(&buf);
}

/* Every reader at every length too short for it: it fails, yields zeros, reads nothing outside. */
static void test_short(void **state)
{
    (void)state;
    static const size_t NEEDS[] = {1, 4, 8, 8, 8, ID_BYTES, HASH_BYTES, 4 + 3};
    for (size_t kind = 0; kind < sizeof NEEDS / sizeof NEEDS[0]; kind++) {
        for (size_t len = 0; len <= NEEDS[kind]; len++) {
            uint8_t *data = malloc(len + 1); /* valgrind sees a read behind it */
            memset(data, 0, len);
            if (kind == 7 && len >= 4) {
                data[3] = 3;
            }
            struct cur cur = cur_over(data, len);
            switch (kind) {
            case 0:
                assert_int_equal(cur_u8(&cur), 0);
                break;
            case 1:
                assert_int_equal(cur_u32(&cur), 0);
                break;
            case 2:
                assert_int_equal(cur_u64(&cur), 0);
                break;
            case 3:
                assert_int_equal(cur_i64(&cur), 0);
                break;
            case 4:
                assert_int_equal(cur_i32(&cur), 0);
                break;
            case 5:
                (void)cur_id(&cur);
                break;
            case 6:
                (void)cur_hash(&cur);
                break;
            case 7:
                assert_int_equal(cur_blob(&cur).len, len == 7 ? 3 : 0);
                break;
            }
            assert_int_equal(cur.failed, len < NEEDS[kind]);
            assert_int_equal(cur_done(&cur), len == NEEDS[kind]);
            free(data);
        }
    }
}

/* A length beyond what is there, and once failed always failed. */
static void test_failed_stays(void **state)
{
    (void)state;
    const uint8_t data[] = {0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4};
    struct cur cur = cur_over(data, sizeof data);
    struct bytes blob = cur_blob(&cur);
    assert_null(blob.data);
    assert_int_equal(blob.len, 0);
    assert_int_equal(cur_u8(&cur), 0);
    assert_false(cur_done(&cur));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),         cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_narrow),        cmocka_unit_test(test_limit),
        cmocka_unit_test(test_blob_at_limit), cmocka_unit_test(test_short),
        cmocka_unit_test(test_failed_stays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

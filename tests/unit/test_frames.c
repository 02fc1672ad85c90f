/* layer: codec */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"

static struct frames *frames;

static int set_up(void **state)
{
    (void)state;
    frames = frames_new();
    return frames == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    frames_free(frames);
    return 0;
}

/* Appends a frame whose body has `len` bytes that tell where they stand. */
static size_t put(uint8_t *at, size_t len)
{
    uint8_t header[] = {(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8),
                        (uint8_t)len};
    memcpy(at, header, sizeof header);
    for (size_t i = 0; i < len; i++) {
        at[4 + i] = (uint8_t)(i * 31 + len);
    }
    return 4 + len;
}

static void push(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len + (len == 0)); /* what was pushed need not last */
    struct errmsg msg = {{0}};
    memcpy(copy, data, len);
    enum err err = frames_push(frames, copy, len, &msg);
    memset(copy, 0xff, len);
    free(copy);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
}

static void take(size_t len)
{
    struct bytes body;
    assert_true(frames_next(frames, &body));
    assert_int_equal(body.len, len);
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(body.data[i], (uint8_t)(i * 31 + len));
    }
}

static void take_nothing(void)
{
    struct bytes body;
    assert_false(frames_next(frames, &body));
    assert_false(frames_next(frames, &body));
}

/* Three frames in two pieces, divided at every place; taken out after each piece, or at the end. */
static void test_divided(void **state)
{
    (void)state;
    static const size_t SIZES[] = {1, 300, 7};
    uint8_t stream[400];
    size_t ends[3], len = 0;
    for (size_t i = 0; i < 3; i++) {
        len += put(stream + len, SIZES[i]);
        ends[i] = len;
    }
    for (int at_once = 0; at_once < 2; at_once++) {
        for (size_t cut = 0; cut <= len; cut++) {
            size_t taken = 0;
            push(stream, cut);
            while (at_once == 0 && taken < 3 && ends[taken] <= cut) {
                take(SIZES[taken++]);
            }
            if (at_once == 0) {
                take_nothing();
            }
            push(stream + cut, len - cut);
            while (taken < 3) {
                take(SIZES[taken++]);
            }
            take_nothing();
        }
    }
}

/* In pieces of every size, one byte at a time first. */
static void test_pieces(void **state)
{
    (void)state;
    static uint8_t stream[20000];
    size_t len = 0;
    for (size_t size = 1; size < 190; size++) {
        len += put(stream + len, size);
    }
    for (size_t piece = 1; piece < 600; piece += piece < 10 ? 1 : 97) {
        size_t next = 1;
        for (size_t at = 0; at < len; at += piece) {
            struct bytes body;
            push(stream + at, len - at < piece ? len - at : piece);
            while (frames_next(frames, &body)) {
                assert_int_equal(body.len, next);
                assert_int_equal(body.data[body.len - 1], (uint8_t)((next - 1) * 31 + next));
                next++;
            }
        }
        assert_int_equal(next, 190);
    }
}

/* Around each limit, by the header alone: nothing of the body has come yet. */
static void test_limits(void **state)
{
    (void)state;
    static const size_t LIMITS[] = {1, 1000, FRAME_MAX_BYTES_STRANGER, FRAME_MAX_BYTES};
    for (size_t i = 0; i < sizeof LIMITS / sizeof LIMITS[0]; i++) {
        size_t cases[] = {0,          1,         LIMITS[i] - 1,      LIMITS[i], LIMITS[i] + 1,
                          UINT32_MAX, 1u << 31u, LIMITS[i] + 65536u, 1u << 24u};
        for (size_t j = 0; j < sizeof cases / sizeof cases[0]; j++) {
            size_t size = cases[j];
            const uint8_t header[] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16),
                                      (uint8_t)(size >> 8), (uint8_t)size};
            struct errmsg msg = {{0}};
            struct frames *fresh = frames_new();
            frames_set_limit(fresh, LIMITS[i]);
            bool good = size > 0 && size <= LIMITS[i];
            assert_int_equal(frames_push(fresh, header, 3, &msg), ERR_OK);
            assert_int_equal(frames_push(fresh, header + 3, 1, &msg), good ? ERR_OK : ERR_PROTOCOL);
            assert_int_equal(msg.text[0] != '\0', !good);
            frames_free(fresh);
        }
    }
}

/* Whole frames at the stranger's limit, and beyond it once the limit is raised. */
static void test_raised(void **state)
{
    (void)state;
    uint8_t *stream = malloc(FRAME_MAX_BYTES + 5);
    size_t len = put(stream, FRAME_MAX_BYTES_STRANGER);
    push(stream, len);
    take(FRAME_MAX_BYTES_STRANGER);
    (void)put(stream, FRAME_MAX_BYTES_STRANGER + 1);
    frames_set_limit(frames, FRAME_MAX_BYTES);
    push(stream, FRAME_MAX_BYTES_STRANGER + 5);
    take(FRAME_MAX_BYTES_STRANGER + 1);
    len = put(stream, FRAME_MAX_BYTES);
    push(stream, len);
    take(FRAME_MAX_BYTES);
    (void)put(stream, 3);
    push(stream, 7);
    take(3);
    take_nothing();
    free(stream);
}

/* A bad header behind good frames is seen when it comes, in whatever piece. */
static void test_bad_behind_good(void **state)
{
    (void)state;
    uint8_t stream[64];
    size_t len = put(stream, 5);
    len += put(stream + len, 9);
    memset(stream + len, 0, 4);
    for (size_t cut = 0; cut <= len; cut++) {
        struct frames *fresh = frames_new();
        assert_int_equal(frames_push(fresh, stream, cut, NULL), ERR_OK);
        assert_int_equal(frames_push(fresh, stream + cut, len + 3 - cut, NULL), ERR_OK);
        assert_int_equal(frames_push(fresh, stream + len + 3, 1, NULL), ERR_PROTOCOL);
        frames_free(fresh);
    }
}

static void test_nothing(void **state)
{
    (void)state;
    take_nothing();
    assert_int_equal(frames_push(frames, "", 0, NULL), ERR_OK);
    take_nothing();
    frames_free(NULL);
}

#define WITH_FRAMES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FRAMES(test_divided), WITH_FRAMES(test_pieces),          WITH_FRAMES(test_limits),
        WITH_FRAMES(test_raised),  WITH_FRAMES(test_bad_behind_good), WITH_FRAMES(test_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

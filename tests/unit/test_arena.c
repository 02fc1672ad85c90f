/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/arena.h"

enum { CAP = 10000 };

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, CAP);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_reset(&arena);
    return 0;
}

static void assert_zero(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        assert_int_equal(at[i], 0);
    }
}

/* Pieces of every size up to 300 are zeroed, aligned, and do not overlap: what was written into one
 * is still there when the others are full. */
static void test_pieces(void **state)
{
    (void)state;
    enum { PIECES = 300 };
    uint8_t *piece[PIECES];
    arena_init(&arena, 1 << 20);
    for (size_t i = 0; i < PIECES; i++) {
        piece[i] = arena_alloc(&arena, i);
        assert_non_null(piece[i]);
        assert_int_equal((uintptr_t)piece[i] % _Alignof(max_align_t), 0);
        assert_zero(piece[i], i);
        memset(piece[i], (int)(i % 251) + 1, i);
    }
    for (size_t i = 0; i < PIECES; i++) {
        for (size_t j = 0; j < i; j++) {
            assert_int_equal(piece[i][j], i % 251 + 1);
        }
    }
}

/* The cap is reached to the last piece and never passed; after it, nothing. */
static void test_cap(void **state)
{
    (void)state;
    size_t taken = 0;
    while (arena_alloc(&arena, 16) != NULL) {
        taken += 16;
        assert_true(arena.taken_bytes <= CAP);
    }
    assert_in_range(taken, CAP - 16, CAP);
    assert_null(arena_alloc(&arena, 1));
    assert_non_null(arena_alloc(&arena, 0));
    assert_null(arena_str(&arena, "x"));
    assert_null(arena_printf(&arena, "%d", 1));
}

static void test_large(void **state)
{
    (void)state;
    assert_null(arena_alloc(&arena, CAP + 1));
    assert_non_null(arena_alloc(&arena, CAP));
    assert_null(arena_alloc(&arena, 1));
    arena_reset(&arena);
    assert_non_null(arena_alloc(&arena, 1));
    assert_null(arena_alloc(&arena, CAP));
}

/* Sizes whose sum or product would pass the range of size_t are refused, not wrapped. */
static void test_no_wrap(void **state)
{
    (void)state;
    for (size_t below = 0; below < 40; below++) {
        assert_null(arena_alloc(&arena, SIZE_MAX - below));
    }
    assert_null(arena_array(&arena, SIZE_MAX / 8 + 1, 8));
    assert_null(arena_array(&arena, 8, SIZE_MAX / 8 + 1));
    assert_null(arena_strn(&arena, "", SIZE_MAX));
    assert_non_null(arena_array(&arena, SIZE_MAX, 0));
    assert_non_null(arena_array(&arena, 0, SIZE_MAX));
    assert_int_equal(arena.taken_bytes <= CAP, 1);
}

static void test_reset(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        uint8_t *at = arena_alloc(&arena, CAP / 2);
        assert_non_null(at);
        assert_zero(at, CAP / 2);
        memset(at, 0xff, CAP / 2);
        arena_reset(&arena);
        assert_int_equal(arena.taken_bytes, 0);
    }
}

/* An arena that may take nothing gives nothing, but a place for nothing. */
static void test_empty(void **state)
{
    (void)state;
    arena_init(&arena, 0);
    assert_null(arena_alloc(&arena, 1));
    assert_non_null(arena_alloc(&arena, 0));
}

static void test_copies(void **state)
{
    (void)state;
    char text[] = "quỹ";
    char *whole = arena_str(&arena, text);
    char *part = arena_strn(&arena, text, 2);
    uint8_t *bytes = arena_copy(&arena, "a\0b", 3);
    char *printed = arena_printf(&arena, "%s-%d", text, 7);
    text[0] = 'x';
    assert_string_equal(whole, "quỹ");
    assert_string_equal(part, "qu");
    assert_memory_equal(bytes, "a\0b", 3);
    assert_string_equal(printed, "quỹ-7");
    assert_string_equal(arena_strn(&arena, NULL, 0), "");
    assert_non_null(arena_copy(&arena, NULL, 0));
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_ARENA(test_pieces), WITH_ARENA(test_cap),
                                       WITH_ARENA(test_large),  WITH_ARENA(test_no_wrap),
                                       WITH_ARENA(test_reset),  WITH_ARENA(test_empty),
                                       WITH_ARENA(test_copies)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/map.h"

enum { KEYS = 500, STEPS = 20000 };

/* Random puts and removes beside a plain array: the map has exactly what the array has, after every
 * step that can move slots. */
static void test_against_array(void **state)
{
    (void)state;
    struct map map;
    bool there[KEYS] = {false};
    uint64_t values[KEYS] = {0};
    size_t count = 0;
    unsigned seed = 12345;
    map_init(&map, sizeof(uint32_t), sizeof(uint64_t));
    for (int step = 0; step < STEPS; step++) {
        seed = seed * 1103515245u + 12345u;
        uint32_t key = seed >> 8 & 0xffff;
        key %= KEYS;
        if ((seed >> 28) % 2 == 0) {
            bool made;
            uint64_t *value = map_put(&map, &key, &made);
            assert_non_null(value);
            assert_int_equal(made, !there[key]);
            count += made ? 1 : 0;
            there[key] = true;
            *value = values[key] = (uint64_t)step;
        } else {
            map_remove(&map, &key);
            count -= there[key] ? 1 : 0;
            there[key] = false;
        }
        assert_int_equal(map.count, count);
    }
    for (uint32_t key = 0; key < KEYS; key++) {
        const uint64_t *value = map_get(&map, &key);
        assert_int_equal(value != NULL, there[key]);
        assert_true(value == NULL || *value == values[key]);
    }
    map_deinit(&map);
}

/* Values hold any type: 128-bit numbers want 16 bytes of alignment, keys of an iteration too. */
static void test_alignment(void **state)
{
    (void)state;
    struct map map;
    map_init(&map, sizeof(uint64_t), 24);
    for (uint64_t key = 0; key < 100; key++) {
        assert_int_equal((uintptr_t)map_put(&map, &key, NULL) % 16, 0);
    }
    size_t at = 0;
    const void *key;
    void *value;
    size_t n = 0;
    while (map_next(&map, &at, &key, &value)) {
        assert_int_equal((uintptr_t)key % 16, 0);
        n++;
    }
    assert_int_equal(n, 100);
    map_deinit(&map);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_against_array),
                                       cmocka_unit_test(test_alignment)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

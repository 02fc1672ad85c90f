/* layer: store */
/* SQLite rolls a transaction back by itself when a read fails, also that of a mere SELECT whose
 * error nobody minds. What the program does next must not be committed statement by statement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "disk.h"
#include "store/store.h"

enum { SYMBOLS = 4000 };

static struct disk *disk;
static struct store *store;

/* A table that is larger than what a connection keeps in memory, so that a read is a read. */
static int set_up(void **state)
{
    char path[DISK_PATH_BYTES];
    char text[64];
    int64_t id;
    (void)state;
    disk_register();
    disk = disk_new("undone", 1, true);
    (void)disk_path(disk, "x.db", path);
    bool good = store_open(path, STORE_CREATE, &store, NULL) == ERR_OK &&
                store_begin(store) == ERR_OK && store_fact_set_int(store, "before", 1) == ERR_OK;
    for (int i = 0; good && i < SYMBOLS; i++) {
        (void)snprintf(text, sizeof text, "symbol number %d of a long table", i);
        good = store_symbol_put(store, text, &id) == ERR_OK;
    }
    good = good && store_commit(store) == ERR_OK;
    store_close(store);
    store = NULL;
    return good && store_open(path, STORE_WRITE, &store, NULL) == ERR_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    disk_free(disk);
    return 0;
}

static int64_t fact(const char *name)
{
    int64_t value;
    assert_int_equal(store_fact_int(store, name, -1, &value), ERR_OK);
    return value;
}

static void fail_a_read(void)
{
    struct disk_fault fault = {.kind = DISK_FAIL, .ops = DISK_READ};
    struct arena arena;
    const char *text;
    arena_init(&arena, 1 << 16);
    disk_set_fault(disk, &fault);
    assert_int_equal(store_symbol_text(store, SYMBOLS / 2, &arena, &text), ERR_IO);
    disk_set_fault(disk, NULL);
    arena_reset(&arena);
}

static void test_nothing_follows_but_the_rollback(void **state)
{
    int64_t id;
    (void)state;
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "first", 1), ERR_OK);
    fail_a_read();
    assert_int_equal(store_fact_set_int(store, "second", 1), ERR_IO);
    assert_int_equal(store_symbol_put(store, "third", &id), ERR_IO);
    assert_int_equal(store_savepoint(store), ERR_IO);
    assert_int_equal(store_commit(store), ERR_IO);
    store_rollback(store);
    assert_int_equal(fact("before"), 1);
    assert_int_equal(fact("first"), -1);
    assert_int_equal(fact("second"), -1);
}

static void test_goes_on_after_it(void **state)
{
    (void)state;
    assert_int_equal(store_begin(store), ERR_OK);
    fail_a_read();
    store_rollback(store);
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "after", 1), ERR_OK);
    assert_int_equal(store_commit(store), ERR_OK);
    assert_int_equal(fact("after"), 1);
}

/* Without a transaction there is none to lose. */
static void test_a_read_by_itself(void **state)
{
    (void)state;
    fail_a_read();
    assert_int_equal(fact("before"), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_follows_but_the_rollback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_goes_on_after_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_read_by_itself, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: store */
/* A file of an old schema, brought to the newest one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <string.h>

#include "disk.h"
#include "old_schema.h"
#include "store/internal.h"

static struct disk *disk;
static struct store *store;
static char path[DISK_PATH_BYTES];

static int set_up(void **state)
{
    (void)state;
    disk_register();
    disk = disk_new("migration", 1, true);
    (void)disk_path(disk, "x.db", path);
    return store_open(path, STORE_CREATE, &store, NULL) == ERR_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(store);
    store = NULL;
    disk_free(disk);
    return 0;
}

/* The file is one of the first schema now, and closed. */
static void make_old(const char *sql)
{
    sqlite3 *db;
    store_close(store);
    store = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Own rows of before have the hashes of what is in them; others have none until they come again. */
static void assert_sealed(const struct store_unit *unit, const struct store_hosting *hosting)
{
    struct arena arena;
    struct store_unit kept_unit;
    struct store_hosting kept_hosting;
    struct id want;
    arena_init(&arena, 1 << 16);
    assert_int_equal(store_unit_get(store, unit->code, &arena, &kept_unit), ERR_OK);
    assert_int_equal(store_unit_hash(unit, &want), ERR_OK);
    assert_true(id_equal(&kept_unit.hash, &want));
    assert_int_equal(store_hosting_get(store, hosting->unit, &kept_hosting), ERR_OK);
    assert_true(id_is_zero(&kept_hosting.hash));
    assert_int_equal(kept_hosting.number, hosting->number);
    arena_reset(&arena);
}

/* A file of the first schema, with a session of which it did not keep where the feed stood. */
static void test_migration_from_1(void **state)
{
    (void)state;
    static const char BACK[] =
        OLD_SCHEMA_SQL "INSERT INTO session(name) VALUES(x'01010101010101010101010101010101')";
    struct id name;
    int64_t head;
    memset(&name, 1, sizeof name);
    struct store_unit unit = {.code = 1,
                              .name = "N",
                              .level = "commune",
                              .edges = {(const uint8_t *)"e", 1},
                              .scope = SCOPE_OWN,
                              .rev = 3};
    struct store_hosting hosting = {.unit = 1, .number = 2, .scope = SCOPE_BELOW, .rev = 4};
    struct store_child child = {.unit = 1, .have_revision = 7, .text = ""};
    struct arena arena;
    assert_int_equal(store_unit_put(store, &unit), ERR_OK);
    assert_int_equal(store_hosting_put(store, &hosting), ERR_OK);
    assert_int_equal(store_child_put(store, &child), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "parent_have_revision", 8), ERR_OK);
    make_old(BACK);
    assert_int_equal(store_open(path, STORE_WRITE, &store, NULL), ERR_OK);
    struct id next = {{2}};
    struct id last = {{3}};
    assert_int_equal(store_session_add(store, &next, 40, 64), ERR_OK);
    assert_int_equal(store_session_add(store, &last, 50, 64), ERR_OK);
    assert_int_equal(store_session_end(store, &name, &head), ERR_OK);
    assert_int_equal(head, 40);
    assert_int_equal(store_session_end(store, &next, &head), ERR_OK);
    assert_int_equal(head, 50);
    assert_sealed(&unit, &hosting);
    arena_init(&arena, 1 << 16);
    assert_int_equal(store_child_get(store, 1, &arena, &child), ERR_OK);
    assert_int_equal(child.have_revision, 0);
    assert_int_equal(store_fact_int(store, "parent_have_revision", 9, &head), ERR_OK);
    assert_int_equal(head, 0);
    arena_reset(&arena);
}

/* An error while a file is brought to a new schema is no damage, after which a start would set the
 * file aside, whichever operation it hits. */
static void test_error_in_between(void **state)
{
    enum { OPS_MAX = 2000 };
    struct disk_fault fault = {.kind = DISK_FAIL, .ops = DISK_ANY};
    bool hit = true;
    size_t failed = 0;
    int64_t x;
    (void)state;
    assert_int_equal(store_fact_set_int(store, "x", 1), ERR_OK);
    make_old(OLD_SCHEMA_SQL);
    assert_true(disk_copy(disk, "x.db", disk, "old.db"));
    for (fault.after = 0; hit && fault.after < OPS_MAX; fault.after++) {
        assert_true(disk_copy(disk, "old.db", disk, "x.db"));
        (void)disk_remove(disk, "x.db-wal");
        disk_set_fault(disk, &fault);
        enum err err = store_open(path, STORE_WRITE, &store, NULL);
        hit = disk_fault_hit(disk);
        disk_set_fault(disk, NULL);
        assert_int_not_equal(err, ERR_CORRUPT);
        failed += err == ERR_OK ? 0 : 1;
        if (err == ERR_OK) {
            store_close(store);
        }
        store = NULL;
        assert_int_equal(store_open(path, STORE_WRITE, &store, NULL), ERR_OK);
        assert_int_equal(store_fact_int(store, "x", 0, &x), ERR_OK);
        assert_int_equal(x, 1);
        store_close(store);
        store = NULL;
    }
    assert_false(hit);
    assert_true(failed > 10);
    print_message("%zu operations failed at\n", failed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_migration_from_1, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_error_in_between, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: store */
/* Looking a file over at a start: what cannot be used at all is told from what can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store/internal.h"

enum { ROWS = 500, PAGE_BYTES = 4096, FILE_MAX_BYTES = 4 << 20 };

static char folder[64];
static char path[80];
static uint8_t content[FILE_MAX_BYTES];

static int set_up(void **state)
{
    (void)state;
    struct errmsg msg;
    struct store *store;
    int64_t id;
    char text[32];
    (void)snprintf(folder, sizeof folder, "%s/tally-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/db", folder);
    enum err err = store_open(path, STORE_CREATE, &store, &msg);
    for (int i = 0; err == ERR_OK && i < ROWS; i++) {
        (void)snprintf(text, sizeof text, "code-%d", i);
        err = store_symbol_put(store, text, &id);
    }
    store_close(store);
    return err == ERR_OK ? 0 : 1;
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const TAILS[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof TAILS / sizeof *TAILS; i++) {
        char name[96];
        (void)snprintf(name, sizeof name, "%s%s", path, TAILS[i]);
        (void)unlink(name);
    }
    return rmdir(folder);
}

static void sql(const char *text)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static long number(const char *text)
{
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, text, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    long value = (long)sqlite3_column_int64(stmt, 0);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return value;
}

static void overwrite(long at, const void *data, size_t len)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

/* Where the text stands in the file; it stands there. */
static long find(const char *text)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t n = fread(content, 1, sizeof content, file);
    assert_int_equal(fclose(file), 0);
    const uint8_t *at = memmem(content, n, text, strlen(text));
    assert_non_null(at);
    return (long)(at - content);
}

/* As a start does. */
static enum err look(struct errmsg *msg)
{
    struct store *store;
    *msg = (struct errmsg){{0}};
    enum err err = store_open(path, STORE_WRITE, &store, msg);
    if (err == ERR_OK) {
        err = store_check(store, msg);
        store_close(store);
    }
    return err;
}

static void check_damaged(const char *word)
{
    struct errmsg msg;
    assert_int_equal(look(&msg), ERR_CORRUPT);
    assert_non_null(strstr(msg.text, path));
    if (strstr(msg.text, word) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", word, msg.text);
    }
}

static void check_sound(void)
{
    struct errmsg msg;
    enum err err = look(&msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
}

/* ---- what can be used ---- */

static void test_sound(void **state)
{
    (void)state;
    check_sound();
    check_sound(); /* it has changed nothing */
}

/* What people have added for themselves is not asked after; what a row holds neither. */
static void test_more_than_ours(void **state)
{
    (void)state;
    sql("CREATE TABLE mine(a); CREATE INDEX of_mine ON symbol(text); ANALYZE");
    check_sound();
    sql("PRAGMA ignore_check_constraints=1; INSERT INTO ended(unit,name) VALUES(1,x'00')");
    check_sound();
}

/* Files of earlier releases get the form of a new one, letter by letter, by their migrations. */
static void test_from_earlier_releases(void **state)
{
    (void)state;
    static const char *const BACK[] = {
        "ALTER TABLE segment DROP COLUMN row_hash; DROP TABLE returned; DROP TABLE "
        "returned_segment; DROP TABLE returned_cell; DROP INDEX "
        "entry_by_lost; ALTER TABLE status DROP COLUMN lost; ALTER TABLE origin DROP COLUMN stood; "
        "DROP TABLE bundle; DROP TABLE ended; DROP TABLE unsettled; ALTER TABLE segment DROP "
        "COLUMN clock; ALTER "
        "TABLE entry DROP COLUMN healed_at; ALTER TABLE child DROP COLUMN midway; PRAGMA "
        "user_version=4",
        "DROP INDEX entry_by_reference; PRAGMA user_version=3"};
    for (size_t i = 0; i < sizeof BACK / sizeof *BACK; i++) {
        for (size_t j = 0; j <= i; j++) {
            sql(BACK[j]);
        }
        check_sound();
    }
}

/* ---- what cannot ---- */

static void test_a_letter_of_the_schema(void **state)
{
    (void)state;
    overwrite(find("now_value INTEGER"), "now_valuf", 9); /* a statement would stumble over it */
    check_damaged("entry");
}

static void test_a_rule_of_the_schema(void **state)
{
    (void)state;
    overwrite(find("length(hash)=32"), "length(hash)=30", 15); /* no statement would mind */
    check_damaged("form");
}

static void test_an_index_less(void **state)
{
    (void)state;
    sql("DROP INDEX entry_by_stock");
    check_damaged("entry_by_stock");
}

static void test_a_page(void **state)
{
    (void)state;
    static const uint8_t NOTHING[PAGE_BYTES];
    long page = number("SELECT rootpage FROM sqlite_schema WHERE name='symbol'");
    overwrite((page - 1) * PAGE_BYTES, NOTHING, sizeof NOTHING);
    check_damaged("Page 3");
}

/* Of many rows that break a rule and one tree that is broken, the tree is what counts. */
static void test_a_page_behind_rows(void **state)
{
    (void)state;
    sql("PRAGMA ignore_check_constraints=1;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<40)"
        "INSERT INTO ended(unit,name) SELECT i,x'00' FROM n");
    check_sound();
    long page = number("SELECT rootpage FROM sqlite_schema WHERE name='symbol'");
    overwrite((page - 1) * PAGE_BYTES + 3, "\x02\x00", 2);
    check_damaged("tree page 3");
}

static void test_headers(void **state)
{
    (void)state;
    overwrite(18, "\x03", 1); /* of a later SQLite, that may only be read */
    check_damaged("may not be written");
    overwrite(18, "\x02", 1);
    check_sound();
    overwrite(44, "\x00\x00\x00\x09", 4); /* a form of schemas that there is none of */
    check_damaged("database");
    overwrite(44, "\x00\x00\x00\x04", 4);
    check_sound();
    overwrite(60, "\x00\x00\x00\x04", 4); /* an earlier schema, by what it says of itself */
    check_damaged("database");
    overwrite(60, "\x00\x00\x00\x00", 4);
    check_damaged("no schema");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sound, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_than_ours, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_from_earlier_releases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_letter_of_the_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_rule_of_the_schema, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_index_less, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_page, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_page_behind_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_headers, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: store */
/* Opening, transactions, a full disk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/internal.h"

static char folder[64];
static char path[80];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "%s/tally-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    (void)snprintf(path, sizeof path, "%s/db", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    char name[96];
    static const char *const TAILS[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < sizeof TAILS / sizeof *TAILS; i++) {
        (void)snprintf(name, sizeof name, "%s%s", path, TAILS[i]);
        (void)unlink(name);
    }
    return rmdir(folder);
}

static struct store *open_as(enum store_mode mode)
{
    struct store *store;
    struct errmsg msg = {{0}};
    enum err err = store_open(path, mode, &store, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    return store;
}

static int64_t fact(struct store *store, const char *name)
{
    int64_t value;
    assert_int_equal(store_fact_int(store, name, -1, &value), ERR_OK);
    return value;
}

static void write_file(const void *data, size_t len)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(data, 1, len, file), len);
    assert_int_equal(fclose(file), 0);
}

static int64_t pragma(struct store *store, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(store->db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return value;
}

static off_t wal_bytes(void)
{
    char name[96];
    struct stat about;
    (void)snprintf(name, sizeof name, "%s-wal", path);
    return stat(name, &about) == 0 ? about.st_size : 0;
}

/* ---- modes ---- */

static void test_modes(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct errmsg msg = {{0}};
    assert_int_equal(store_open(path, STORE_WRITE, &store, &msg), ERR_NOT_FOUND);
    assert_non_null(strstr(msg.text, path));
    assert_int_equal(store_open(path, STORE_READ, &store, &msg), ERR_NOT_FOUND);
    assert_null(store);
    store_close(open_as(STORE_CREATE));
    assert_int_equal(store_open(path, STORE_CREATE, &store, &msg), ERR_EXISTS);
    assert_non_null(strstr(msg.text, path));
    assert_null(store);
    store_close(open_as(STORE_WRITE));
    store_close(open_as(STORE_READ));
    store_close(NULL);
}

static void test_not_a_database(void **state)
{
    (void)state;
    char junk[8192];
    struct store *store = NULL;
    struct errmsg msg = {{0}};
    memset(junk, 'x', sizeof junk);
    write_file(junk, sizeof junk);
    assert_int_equal(store_open(path, STORE_WRITE, &store, &msg), ERR_CORRUPT);
    assert_non_null(strstr(msg.text, path));
    assert_null(store);
}

static void test_newer_schema(void **state)
{
    (void)state;
    char sql[64];
    char version[16];
    struct errmsg msg = {{0}};
    struct store *store = open_as(STORE_CREATE);
    (void)snprintf(sql, sizeof sql, "PRAGMA user_version=%d", STORE_SCHEMA_VERSION + 5);
    assert_int_equal(sqlite3_exec(store->db, sql, NULL, NULL, NULL), SQLITE_OK);
    store_close(store);
    store = NULL;
    assert_int_equal(store_open(path, STORE_WRITE, &store, &msg), ERR_NEWER);
    assert_null(store);
    (void)snprintf(version, sizeof version, "%d", STORE_SCHEMA_VERSION + 5);
    assert_non_null(strstr(msg.text, version));
    (void)snprintf(version, sizeof version, "%d", STORE_SCHEMA_VERSION);
    assert_non_null(strstr(msg.text, version));
}

static void test_schema_of_a_new_file(void **state)
{
    (void)state;
    struct store *store = open_as(STORE_CREATE);
    assert_int_equal(pragma(store, "PRAGMA user_version"), STORE_SCHEMA_VERSION);
    assert_int_equal(pragma(store, "SELECT count(*) FROM sqlite_schema WHERE type='table' AND "
                                   "name NOT LIKE 'sqlite_%' AND sql NOT LIKE '%STRICT%'"),
                     0);
    assert_true(pragma(store, "SELECT count(*) FROM sqlite_schema WHERE type='table'") > 10);
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "x", 7), ERR_OK);
    assert_int_equal(store_commit(store), ERR_OK);
    store_close(store);
    store = open_as(STORE_WRITE);
    assert_int_equal(fact(store, "x"), 7);
    store_close(store);
}

/* An emptied file must not become a new node's unseen. */
static void test_emptied(void **state)
{
    (void)state;
    struct store *store = NULL;
    struct errmsg msg = {{0}};
    write_file("", 0);
    assert_int_equal(store_open(path, STORE_WRITE, &store, &msg), ERR_CORRUPT);
    assert_non_null(strstr(msg.text, "emptied"));
    assert_null(store);
}

/* What a migration began and did not end leaves the file as it was. */
static void test_migration_is_whole(void **state)
{
    (void)state;
    struct store *store = NULL;
    sqlite3 *db;
    struct errmsg msg = {{0}};
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE alarm(x)", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_not_equal(store_open(path, STORE_WRITE, &store, &msg), ERR_OK);
    assert_null(store);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_schema", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_column_int64(stmt, 0), 1);
    (void)sqlite3_finalize(stmt);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void test_durable_settings(void **state)
{
    (void)state;
    struct store *store = open_as(STORE_CREATE);
    assert_int_equal(pragma(store, "PRAGMA synchronous"), 2);
    assert_int_equal(pragma(store, "SELECT count(*) FROM pragma_journal_mode WHERE "
                                   "journal_mode='wal'"),
                     1);
    store_close(store);
}

/* ---- transactions ---- */

static void test_transactions(void **state)
{
    (void)state;
    struct store *store = open_as(STORE_CREATE);
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "kept", 1), ERR_OK);
    assert_int_equal(store_commit(store), ERR_OK);
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "kept", 2), ERR_OK);
    store_rollback(store);
    assert_int_equal(fact(store, "kept"), 1);
    store_rollback(store); /* without a transaction it changes nothing */
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "before", 1), ERR_OK);
    assert_int_equal(store_savepoint(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "before", 2), ERR_OK);
    assert_int_equal(store_savepoint_end(store, true), ERR_OK);
    assert_int_equal(store_savepoint(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "within", 3), ERR_OK);
    assert_int_equal(store_savepoint_end(store, false), ERR_OK);
    assert_int_equal(store_commit(store), ERR_OK);
    store_close(store);
    store = open_as(STORE_WRITE);
    assert_int_equal(fact(store, "before"), 1);
    assert_int_equal(fact(store, "within"), 3);
    store_close(store);
}

static void test_second_writer_is_kept_out(void **state)
{
    (void)state;
    struct store *first = open_as(STORE_CREATE);
    struct store *second = open_as(STORE_WRITE);
    (void)sqlite3_busy_timeout(second->db, 0);
    assert_int_equal(store_begin(first), ERR_OK);
    assert_int_equal(store_begin(second), ERR_BUSY);
    assert_true(store_error(second)[0] != '\0');
    store_rollback(first);
    store_close(second);
    store_close(first);
}

/* ---- readers ---- */

/* A reader sees one state for a whole transaction, cannot write, and never checkpoints: not while
 * it reads and not when it closes, also as the last. */
static void test_readers(void **state)
{
    (void)state;
    int64_t value;
    struct store *writer = open_as(STORE_CREATE);
    assert_int_equal(store_fact_set_int(writer, "x", 1), ERR_OK);
    struct store *reader = open_as(STORE_READ);
    assert_int_equal(store_begin(reader), ERR_OK);
    assert_int_equal(fact(reader, "x"), 1);
    assert_int_equal(store_fact_set_int(writer, "x", 2), ERR_OK);
    assert_int_equal(fact(reader, "x"), 1);
    assert_int_equal(store_commit(reader), ERR_OK);
    assert_int_equal(store_fact_int(reader, "x", -1, &value), ERR_OK);
    assert_int_equal(value, 2);
    assert_int_not_equal(store_fact_set_int(reader, "x", 3), ERR_OK);
    off_t before = wal_bytes();
    assert_true(before > 0);
    store_close(reader);
    assert_int_equal(wal_bytes(), before);
    reader = open_as(STORE_READ);
    (void)sqlite3_db_config(writer->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    store_close(writer);
    store_close(reader);
    assert_int_equal(wal_bytes(), before);
    /* The next start of a writer does, before it answers anybody. */
    writer = open_as(STORE_WRITE);
    assert_int_equal(wal_bytes(), 0);
    assert_int_equal(fact(writer, "x"), 2);
    store_close(writer);
}

/* ---- a full disk ---- */

static void test_full_disk(void **state)
{
    (void)state;
    static uint8_t blob[64 * 1024];
    struct store *store = open_as(STORE_CREATE);
    assert_int_equal(store_fact_set_int(store, "x", 1), ERR_OK);
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count=1", NULL, NULL, NULL),
                     SQLITE_OK);
    int64_t rows = pragma(store, "SELECT count(*) FROM fact");
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_int(store, "x", 2), ERR_OK);
    assert_int_equal(store_fact_set_blob(store, "big", blob, sizeof blob), ERR_DISK_FULL);
    assert_non_null(strstr(store_error(store), "full"));
    store_rollback(store);
    assert_int_equal(fact(store, "x"), 1);
    assert_int_equal(pragma(store, "SELECT count(*) FROM fact"), rows);
    assert_int_equal(sqlite3_exec(store->db, "PRAGMA max_page_count=100000", NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(store_begin(store), ERR_OK);
    assert_int_equal(store_fact_set_blob(store, "big", blob, sizeof blob), ERR_OK);
    assert_int_equal(store_commit(store), ERR_OK);
    store_close(store);
}

/* ---- integers ---- */

/* A sum that passes 64 bits is an error of the statement; in no column can it become a float. */
static void test_strict(void **state)
{
    (void)state;
    struct store *store = open_as(STORE_CREATE);
    struct store_cell cell = {.key = {1, 1, 1, 1, 1}, .value = INT64_MAX, .count = 1};
    assert_int_equal(store_cell_put(store, &cell), ERR_OK);
    char *said = NULL;
    int code = sqlite3_exec(store->db, "UPDATE cell SET value=value+1", NULL, NULL, &said);
    assert_int_equal(code & 0xff, SQLITE_CONSTRAINT);
    assert_non_null(strstr(said, "REAL"));
    sqlite3_free(said);
    code = sqlite3_exec(store->db, "INSERT INTO total VALUES(1,1,1,1,1.5,0,0)", NULL, NULL, NULL);
    assert_int_equal(code & 0xff, SQLITE_CONSTRAINT);
    code = sqlite3_exec(store->db,
                        "SELECT sum(value) FROM (SELECT value FROM cell UNION ALL "
                        "SELECT value FROM cell)",
                        NULL, NULL, NULL);
    assert_int_equal(code & 0xff, SQLITE_ERROR);
    assert_int_equal(store_cell_get(store, &cell.key, &cell), ERR_OK);
    assert_true(cell.value == INT64_MAX);
    store_close(store);
}

static void test_totals_beyond_64_bits(void **state)
{
    (void)state;
    struct store *store = open_as(STORE_CREATE);
    for (int sign = -1; sign <= 1; sign += 2) {
        struct store_total delta = {
            .unit = 5 + sign, .measure = 2, .category = 3, .period = 4, .entries = 2};
        wide sum = 0;
        for (int i = 0; i < 5; i++) {
            delta.value = (wide)sign * INT64_MAX;
            sum += delta.value;
            assert_int_equal(store_total_add(store, &delta), ERR_OK);
            struct store_total row = delta;
            assert_int_equal(store_total_get(store, &row), ERR_OK);
            assert_true(row.value == sum);
            assert_int_equal(row.entries, 2 * (i + 1));
        }
        /* And back to the other side of zero. */
        delta.value = -sum - sign;
        assert_int_equal(store_total_add(store, &delta), ERR_OK);
        assert_int_equal(store_total_get(store, &delta), ERR_OK);
        assert_true(delta.value == -sign);
    }
    wide most = (wide)(((uwide)1 << 127) - 1);
    struct store_total big = {.unit = 9, .measure = 1, .category = 1, .period = 1, .value = most};
    assert_int_equal(store_total_set(store, &big), ERR_OK);
    big.value = 1;
    assert_int_equal(store_total_add(store, &big), ERR_OVERFLOW);
    assert_int_equal(store_total_get(store, &big), ERR_OK);
    assert_true(big.value == most);
    store_close(store);
}

/* So many commits of a page each, in turns under so many names. */
static enum err put_pages(struct store *store, int count, int names)
{
    enum { PAGE = 4096 };
    static uint8_t page[PAGE];
    enum err err = ERR_OK;
    for (int i = 0; err == ERR_OK && i < count; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "page%d", i % names);
        page[0] = (uint8_t)i;
        err = store_begin(store);
        err = err == ERR_OK ? store_fact_set_blob(store, name, page, sizeof page) : err;
        err = err == ERR_OK ? store_commit(store) : err;
    }
    return err;
}

/* A file that was cut is not made as long again by a checkpoint, with zeros in the hole. */
static void test_cut_short(void **state)
{
    (void)state;
    struct store *store = open_as(STORE_CREATE);
    struct stat info;
    assert_int_equal(put_pages(store, 1000, 1000), ERR_OK); /* checkpoints come and go */
    assert_int_equal(stat(path, &info), 0);
    off_t half = info.st_size / 2;
    assert_true(half > 1 << 20);
    assert_int_equal(truncate(path, half), 0);
    assert_int_equal(put_pages(store, 1000, 1), ERR_IO); /* which reads nothing of the other half */
    assert_non_null(strstr(store_error(store), "was cut short"));
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_size, half);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    store_close(store);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_modes),
                                       CASE(test_not_a_database),
                                       CASE(test_newer_schema),
                                       CASE(test_schema_of_a_new_file),
                                       CASE(test_emptied),
                                       CASE(test_migration_is_whole),
                                       CASE(test_durable_settings),
                                       CASE(test_transactions),
                                       CASE(test_second_writer_is_kept_out),
                                       CASE(test_readers),
                                       CASE(test_full_disk),
                                       CASE(test_cut_short),
                                       CASE(test_strict),
                                       CASE(test_totals_beyond_64_bits)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

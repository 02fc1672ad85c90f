/* layer: store */
/* SQLite on the disk: what it has committed survives every stop and every power cut, and what a
 * disk or a setting breaks is seen to be broken.
 *
 * The work is always the same: rows 1, 2, 3, ... are committed one by one, each with a second row
 * in a table that counts them; between them there are rollbacks, a transaction too large for the
 * cache, and checkpoints. Whatever happens, the rows found later must be 1..n, n being at least
 * what was committed and at most one more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "chance.h"
#include "disk.h"

enum { ROWS = 9, ROW_BYTES = 1500, CACHE_PAGES = 10, CODES = 16 };

static const char SETTINGS[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;";
static const char CARELESS[] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF;";

/* What a program knows of what it has done. */
struct known {
    int begun;     /* the last row whose commit was asked for */
    int committed; /* the last one that was said to be there */
    int code;      /* SQLITE_OK, or what it ended with */
};

static int set_up(void **state)
{
    (void)state;
    disk_register();
    return 0;
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

static int open_db(struct disk *disk, const char *file, sqlite3 **db)
{
    char path[DISK_PATH_BYTES];
    int code =
        sqlite3_open_v2(disk_path(disk, file, path), db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (code == SQLITE_OK) {
        (void)sqlite3_extended_result_codes(*db, 1);
        (void)sqlite3_busy_timeout(*db, 100);
        char sql[64];
        (void)snprintf(sql, sizeof sql, "PRAGMA cache_size=%d;", CACHE_PAGES);
        (void)run(*db, sql);
    }
    return code;
}

/* The first number of a query; -1 when there is none. */
static int64_t number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *stmt = NULL;
    int64_t value = -1;
    if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        value = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt);
    return value;
}

/* ---- the work ---- */

static int commit_row(sqlite3 *db, int row, struct known *known)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "BEGIN IMMEDIATE; INSERT INTO rows VALUES(%d, zeroblob(%d));"
                   " UPDATE total SET n = n + 1;",
                   row, ROW_BYTES * row);
    int code = run(db, sql);
    if (code == SQLITE_OK) {
        known->begun = row;
        code = run(db, "COMMIT");
    }
    if (code == SQLITE_OK) {
        known->committed = row;
    }
    return code;
}

/* More than the cache holds: uncommitted pages go to the WAL. */
static int roll_back(sqlite3 *db)
{
    int code = run(db, "BEGIN IMMEDIATE; UPDATE total SET n = n + 1000;"
                       " INSERT INTO rows VALUES(-1, zeroblob(120000)); ");
    int undone = run(db, "ROLLBACK");
    return code != SQLITE_OK ? code : undone;
}

static int work_on(sqlite3 *db, const char *settings, struct known *known)
{
    int code = run(db, settings);
    if (code == SQLITE_OK) {
        code =
            run(db, "BEGIN IMMEDIATE; CREATE TABLE IF NOT EXISTS rows(id INTEGER PRIMARY KEY, x);"
                    " CREATE TABLE IF NOT EXISTS total(n);"
                    " INSERT INTO total SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM total);"
                    " COMMIT");
    }
    for (int row = known->committed + 1; code == SQLITE_OK && row <= ROWS; row++) {
        code = commit_row(db, row, known);
        if (code == SQLITE_OK && row % 4 == 1) {
            code = roll_back(db);
        }
        if (code == SQLITE_OK && row % 3 == 0) {
            code = run(db, row == 3 ? "PRAGMA wal_checkpoint(TRUNCATE)"
                                    : "PRAGMA wal_checkpoint(RESTART)");
        }
    }
    return code;
}

static struct known work(struct disk *disk, const char *settings)
{
    struct known known = {0};
    sqlite3 *db = NULL;
    known.code = open_db(disk, "db", &db);
    if (known.code == SQLITE_OK) {
        known.code = work_on(db, settings, &known);
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return known;
}

/* The number of rows, or -1 when the database is not whole. */
static int rows_found(struct disk *disk)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(open_db(disk, "db", &db), SQLITE_OK);
    bool whole = sqlite3_prepare_v2(db, "PRAGMA integrity_check", -1, &stmt, NULL) == SQLITE_OK &&
                 sqlite3_step(stmt) == SQLITE_ROW &&
                 strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
    (void)sqlite3_finalize(stmt);
    int found = -1;
    if (whole && number(db, "SELECT count(*) FROM sqlite_master") == 0) {
        found = 0;
    } else if (whole) {
        int64_t count = number(db, "SELECT count(*) FROM rows");
        char sql[160];
        (void)snprintf(sql, sizeof sql,
                       "SELECT count(*) FROM rows WHERE id BETWEEN 1 AND %d"
                       " AND x = zeroblob(id * %d)",
                       (int)count, ROW_BYTES);
        bool right = number(db, sql) == count && number(db, "SELECT n FROM total") == count;
        found = right ? (int)count : -1;
    }
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return found;
}

static bool as_known(int found, const struct known *known)
{
    return found >= known->committed && found <= known->begun;
}

static void assert_as_known(struct disk *disk, const struct known *known, const char *what,
                            uint64_t at, int damage)
{
    int found = rows_found(disk);
    if (!as_known(found, known)) {
        fail_msg("%s at operation %llu, damage %d: %d rows; committed %d, begun %d (code %d)", what,
                 (unsigned long long)at, damage, found, known->committed, known->begun,
                 known->code);
    }
}

/* ---- stops ---- */

/* The machine stops at operation `at` of the work; once more while the next program opens the file.
 * False: the work was done before that. */
static bool stop_at(uint64_t at, int damage)
{
    struct disk *disk = disk_new("a", at * DISK_DAMAGE_COUNT + (uint64_t)damage, true);
    disk_random_seed(at);
    disk_set_fault(disk, &(struct disk_fault){DISK_STOP, DISK_ANY, at, false});
    struct known known = work(disk, SETTINGS);
    bool hit = disk_fault_hit(disk);
    assert_true(hit == disk_stopped(disk) || !hit);
    assert_true(hit || known.code == SQLITE_OK);
    disk_restart(disk, (enum disk_damage)damage);
    if (at % 3 == 0) {
        struct chance chance = chance_for(at, (uint64_t)damage);
        uint64_t again = chance_below(&chance, 60);
        disk_set_fault(disk, &(struct disk_fault){DISK_STOP, DISK_ANY, again, false});
        sqlite3 *db = NULL;
        if (open_db(disk, "db", &db) == SQLITE_OK) {
            (void)run(db, SETTINGS);
            (void)run(db, "PRAGMA wal_checkpoint(TRUNCATE)");
        }
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        disk_restart(disk, (enum disk_damage)damage);
    }
    assert_as_known(disk, &known, "stopped", at, damage);
    known = (struct known){.committed = rows_found(disk)};
    sqlite3 *db = NULL; /* and the work can go on from there */
    assert_int_equal(open_db(disk, "db", &db), SQLITE_OK);
    assert_int_equal(work_on(db, SETTINGS, &known), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    disk_restart(disk, DISK_LOST);
    if (rows_found(disk) != ROWS) {
        fail_msg("at %llu damage %d: %d", (unsigned long long)at, damage, rows_found(disk));
    }
    disk_free(disk);
    return hit;
}

static void test_stop_everywhere(void **state)
{
    (void)state;
    for (int damage = 0; damage < DISK_DAMAGE_COUNT; damage++) {
        uint64_t at = 0;
        while (stop_at(at, damage)) {
            at++;
        }
        assert_true(at > 300);
        print_message("damage %d: stopped at each of %llu operations\n", damage,
                      (unsigned long long)at);
    }
}

/* How many stops of the work, each followed by a power cut, lose what was committed or leave a
 * database that is not whole. */
static int losses(const char *settings, bool lying, enum disk_damage damage)
{
    int lost = 0;
    bool hit = true;
    for (uint64_t at = 0; hit; at += 5) {
        struct disk *disk = disk_new("a", at, true);
        disk_set_lying(disk, lying);
        disk_set_fault(disk, &(struct disk_fault){DISK_STOP, DISK_ANY, at, false});
        struct known known = work(disk, settings);
        hit = disk_fault_hit(disk);
        disk_restart(disk, damage);
        lost += as_known(rows_found(disk), &known) ? 0 : 1;
        disk_free(disk);
    }
    return lost;
}

/* The check above can fail. */
static void test_missing_syncs_are_seen(void **state)
{
    (void)state;
    for (int damage = DISK_LOST; damage < DISK_DAMAGE_COUNT; damage++) {
        int careful = losses(SETTINGS, false, (enum disk_damage)damage);
        int careless = losses(CARELESS, false, (enum disk_damage)damage);
        int lying = losses(SETTINGS, true, (enum disk_damage)damage);
        print_message("damage %d: losses %d; without syncs %d; on a lying disk %d\n", damage,
                      careful, careless, lying);
        assert_int_equal(careful, 0);
        assert_true(careless > 10);
        assert_true(lying > 10);
    }
    assert_int_equal(losses(CARELESS, false, DISK_KEPT), 0);
    assert_int_equal(losses(SETTINGS, true, DISK_KEPT), 0);
}

/* ---- failures ---- */

/* False: the fault was not hit. */
static bool fail_at(uint64_t at, bool persistent, int *unseen)
{
    struct disk *disk = disk_new("a", at, true);
    disk_random_seed(at);
    disk_set_fault(disk, &(struct disk_fault){DISK_FAIL, DISK_ANY, at, persistent});
    struct known known = work(disk, SETTINGS);
    bool hit = disk_fault_hit(disk);
    assert_true(hit || known.code == SQLITE_OK);
    *unseen += hit && known.code == SQLITE_OK ? 1 : 0;
    disk_set_fault(disk, NULL);
    assert_as_known(disk, &known, "failed", at, -1);
    disk_restart(disk, DISK_KEPT);
    assert_as_known(disk, &known, "failed", at, DISK_KEPT);
    disk_free(disk);
    return hit;
}

static void test_failure_everywhere(void **state)
{
    (void)state;
    for (int persistent = 0; persistent <= 1; persistent++) {
        uint64_t at = 0;
        int unseen = 0;
        while (fail_at(at, persistent == 1, &unseen)) {
            at++;
        }
        print_message("%s failure at each of %llu operations; %d did no harm\n",
                      persistent == 1 ? "lasting" : "single", (unsigned long long)at, unseen);
        assert_true(at > 300);
        assert_in_range(unseen, 0, at / 10);
    }
}

static void test_full(void **state)
{
    (void)state;
    uint64_t at = 0;
    for (bool hit = true; hit; at++) {
        struct disk *disk = disk_new("a", at, true);
        sqlite3 *db = NULL;
        struct known known = {0};
        assert_int_equal(open_db(disk, "db", &db), SQLITE_OK);
        disk_set_fault(disk, &(struct disk_fault){DISK_FULL, DISK_ANY, at, at % 2 == 0});
        known.code = work_on(db, SETTINGS, &known);
        hit = disk_fault_hit(disk);
        if (known.code != SQLITE_OK) {
            assert_true(hit);
            assert_true(known.code == SQLITE_FULL || known.code == SQLITE_IOERR_SHMSIZE ||
                        (known.code & 0xff) == SQLITE_IOERR);
            (void)run(db, "ROLLBACK");
        }
        disk_set_fault(disk, NULL); /* there is room again: the same program goes on */
        assert_int_equal(work_on(db, SETTINGS, &known), SQLITE_OK);
        assert_int_equal(known.committed, ROWS);
        assert_int_equal(sqlite3_close(db), SQLITE_OK);
        assert_int_equal(rows_found(disk), ROWS);
        disk_free(disk);
    }
    print_message("full at each of %llu writes\n", (unsigned long long)at);
    assert_true(at > 50);
}

/* ---- several connections ---- */

static void test_readers_and_writer(void **state)
{
    (void)state;
    struct disk *disk = disk_new("a", 1, true);
    struct known known = {0};
    sqlite3 *writer = NULL;
    sqlite3 *reader = NULL;
    sqlite3 *other = NULL;
    assert_int_equal(open_db(disk, "db", &writer), SQLITE_OK);
    assert_int_equal(work_on(writer, SETTINGS, &known), SQLITE_OK);
    assert_int_equal(open_db(disk, "db", &reader), SQLITE_OK);
    assert_int_equal(open_db(disk, "db", &other), SQLITE_OK);

    assert_int_equal(run(reader, "BEGIN"), SQLITE_OK);
    assert_int_equal(number(reader, "SELECT count(*) FROM rows"), ROWS);
    for (int row = ROWS + 1; row <= ROWS + 30; row++) {
        assert_int_equal(commit_row(writer, row, &known), SQLITE_OK);
        assert_int_equal(number(reader, "SELECT count(*) FROM rows"), ROWS); /* as it began */
        assert_int_equal(number(other, "SELECT count(*) FROM rows"), row);
    }
    assert_int_equal(run(writer, "BEGIN IMMEDIATE; DELETE FROM rows"), SQLITE_OK);
    assert_int_equal(run(other, "BEGIN IMMEDIATE"), SQLITE_BUSY);
    assert_int_equal(number(other, "SELECT count(*) FROM rows"), ROWS + 30);
    assert_int_equal(run(writer, "ROLLBACK"), SQLITE_OK);
    assert_int_equal(number(writer, "PRAGMA wal_checkpoint(TRUNCATE)"), 1); /* busy */
    assert_int_equal(run(reader, "COMMIT"), SQLITE_OK);
    assert_int_equal(number(writer, "PRAGMA wal_checkpoint(TRUNCATE)"), 0);
    assert_int_equal(disk_size(disk, "db-wal"), 0);

    assert_int_equal(sqlite3_close(writer), SQLITE_OK);
    assert_int_equal(run(other, "UPDATE total SET n = 1"), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_true(disk_exists(disk, "db-wal"));
    assert_int_equal(number(reader, "SELECT n FROM total"), 1);
    assert_int_equal(sqlite3_close(reader), SQLITE_OK);
    assert_false(disk_exists(disk, "db-wal")); /* the last one has cleaned up */
    disk_free(disk);
}

/* Without WAL, the locks of the file itself are at work. */
static void test_journal_mode_delete(void **state)
{
    (void)state;
    struct disk *disk = disk_new("a", 1, true);
    sqlite3 *a = NULL;
    sqlite3 *b = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(open_db(disk, "db", &a), SQLITE_OK);
    assert_int_equal(open_db(disk, "db", &b), SQLITE_OK);
    assert_int_equal(run(a, "CREATE TABLE t(x); INSERT INTO t VALUES(1), (2)"), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(b, "SELECT x FROM t", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(run(a, "BEGIN; INSERT INTO t VALUES(3)"), SQLITE_OK);
    assert_true(disk_exists(disk, "db-journal"));
    assert_int_equal(run(a, "COMMIT"), SQLITE_BUSY);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
    assert_int_equal(number(b, "SELECT count(*) FROM t"), -1); /* the writer waits for readers */
    assert_int_equal(run(a, "COMMIT"), SQLITE_OK);
    assert_int_equal(number(b, "SELECT count(*) FROM t"), 3);
    assert_int_equal(sqlite3_close(a), SQLITE_OK);
    assert_int_equal(sqlite3_close(b), SQLITE_OK);
    assert_false(disk_exists(disk, "db-journal"));
    disk_free(disk);
}

/* ---- behind the back, and from seeds ---- */

static void test_copies_and_flips(void **state)
{
    (void)state;
    struct disk *disk = disk_new("a", 1, true);
    struct known known = work(disk, SETTINGS);
    assert_int_equal(known.committed, ROWS);
    assert_true(disk_copy(disk, "db", disk, "copy"));
    sqlite3 *db = NULL;
    assert_int_equal(open_db(disk, "db", &db), SQLITE_OK);
    assert_int_equal(commit_row(db, ROWS + 1, &known), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(rows_found(disk), ROWS + 1);
    assert_true(disk_copy(disk, "copy", disk, "db"));
    assert_int_equal(rows_found(disk), ROWS);
    assert_true(disk_truncate(disk, "db", disk_size(disk, "db") / 2));
    assert_int_equal(rows_found(disk), -1);
    assert_true(disk_copy(disk, "copy", disk, "db"));
    assert_true(disk_flip(disk, "db", (uint64_t)(100 + 3) * 8)); /* cells of the first page */
    assert_int_equal(rows_found(disk), -1);
    assert_true(disk_remove(disk, "db"));
    assert_int_equal(rows_found(disk), 0);
    disk_free(disk);
}

static uint64_t hash_of(uint64_t sqlite_seed, uint64_t disk_seed)
{
    struct disk *disk = disk_new("a", disk_seed, true);
    disk_random_seed(sqlite_seed);
    disk_set_fault(disk, &(struct disk_fault){DISK_STOP, DISK_ANY, 200, false});
    (void)work(disk, SETTINGS);
    disk_restart(disk, DISK_GARBLED);
    uint64_t hash = disk_hash(disk);
    disk_free(disk);
    return hash;
}

static void test_seeds(void **state)
{
    (void)state;
    int differ[2] = {0};
    for (uint64_t seed = 1; seed <= 20; seed++) {
        uint64_t hash = hash_of(seed, seed);
        assert_true(hash == hash_of(seed, seed));
        differ[0] += hash != hash_of(seed + 1, seed) ? 1 : 0;
        differ[1] += hash != hash_of(seed, seed + 1) ? 1 : 0;
    }
    assert_true(differ[0] > 10 && differ[1] > 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_everywhere),    cmocka_unit_test(test_missing_syncs_are_seen),
        cmocka_unit_test(test_failure_everywhere), cmocka_unit_test(test_full),
        cmocka_unit_test(test_readers_and_writer), cmocka_unit_test(test_journal_mode_delete),
        cmocka_unit_test(test_copies_and_flips),   cmocka_unit_test(test_seeds),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

/* Whether a file can be used at all, looked at once, at a start. What single rows hold is not asked
 * here: the audit finds that, and mends it. */
#include <stdio.h>
#include <string.h>

#include "store/internal.h"

/* How SQLite begins to speak of pages and trees, not of rows. */
#define STRUCTURE "***"

static enum err fail(struct store *store, const char *why, struct errmsg *msg)
{
    (void)snprintf(store->error, sizeof store->error, "database: %s", why);
    return err_fail(msg, ERR_CORRUPT, "%s: %s", sqlite3_db_filename(store->db, "main"), why);
}

static enum err fail_sql(struct store *store, int code, struct errmsg *msg)
{
    enum err err = store_sql_error(store, code);
    err = (code & 0xff) == SQLITE_ERROR ? ERR_CORRUPT : err;
    return err_fail(msg, err, "%s: %s", sqlite3_db_filename(store->db, "main"), store->error);
}

/* One object of the schema; NULL text where SQLite made it by itself. */
static enum err check_object(struct store *store, sqlite3_stmt *want, sqlite3_stmt *have,
                             struct errmsg *msg)
{
    for (int i = 0; i < 3; i++) {
        const char *text = (const char *)sqlite3_column_text(want, i);
        int code = sqlite3_bind_text(have, i + 1, text, -1, SQLITE_STATIC);
        if (code != SQLITE_OK) {
            return fail_sql(store, code, msg);
        }
    }
    const char *sql = (const char *)sqlite3_column_text(want, 3);
    int code = sqlite3_step(have);
    const char *is = code == SQLITE_ROW ? (const char *)sqlite3_column_text(have, 0) : NULL;
    bool same = code == SQLITE_ROW && (sql == NULL) == (is == NULL) &&
                (sql == NULL || strcmp(sql, is) == 0);
    (void)sqlite3_reset(have);
    if (code != SQLITE_ROW && code != SQLITE_DONE) {
        return fail_sql(store, code, msg);
    }
    char why[STORE_ERROR_BYTES];
    (void)snprintf(why, sizeof why, "the form of its %.60s is not what was written",
                   (const char *)sqlite3_column_text(want, 1));
    return same ? ERR_OK : fail(store, why, msg);
}

/* The tables' forms are held against those of a new database, letter by letter: a statement would
 * stumble over a changed one, or not at all. */
static enum err check_schema(struct store *store, struct store *fresh, struct errmsg *msg)
{
    sqlite3_stmt *want = NULL;
    sqlite3_stmt *have = NULL;
    int code = sqlite3_prepare_v2(fresh->db, "SELECT type,name,tbl_name,sql FROM sqlite_schema", -1,
                                  &want, NULL);
    code = code == SQLITE_OK
               ? sqlite3_prepare_v2(store->db,
                                    "SELECT sql FROM sqlite_schema WHERE type=?1 AND name=?2 AND "
                                    "tbl_name=?3",
                                    -1, &have, NULL)
               : code;
    enum err err = code == SQLITE_OK ? ERR_OK : fail_sql(store, code, msg);
    bool any = false;
    while (err == ERR_OK && (code = sqlite3_step(want)) == SQLITE_ROW) {
        any = true;
        err = check_object(store, want, have, msg);
    }
    if (err == ERR_OK && (code != SQLITE_DONE || !any)) {
        err = err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    (void)sqlite3_finalize(want);
    (void)sqlite3_finalize(have);
    return err;
}

/* Pages and trees, of which SQLite speaks first. Rows that break a rule of their table are left to
 * the audit. */
static enum err check_pages(struct store *store, struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA quick_check(1)", -1, &stmt, NULL);
    enum err err = code == SQLITE_OK ? ERR_OK : fail_sql(store, code, msg);
    while (err == ERR_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *found = (const char *)sqlite3_column_text(stmt, 0);
        if (found == NULL) {
            err = err_fail(msg, ERR_NO_MEMORY, "no memory");
        } else if (strncmp(found, STRUCTURE, strlen(STRUCTURE)) == 0) {
            char why[STORE_ERROR_BYTES];
            const char *line = strchr(found, '\n');
            (void)snprintf(why, sizeof why, "%.200s", line == NULL ? found : line + 1);
            why[strcspn(why, "\n")] = '\0';
            err = fail(store, why, msg);
        }
    }
    if (err == ERR_OK && code != SQLITE_DONE) {
        err = fail_sql(store, code, msg);
    }
    (void)sqlite3_finalize(stmt);
    return err;
}

/* A flag in the file's first bytes says that it may only be read, when nothing else does. */
static bool forbids_writing(struct store *store)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    int may = 0;
    return sqlite3_db_readonly(store->db, "main") == 1 && vfs != NULL &&
           vfs->xAccess(vfs, sqlite3_db_filename(store->db, "main"), SQLITE_ACCESS_READWRITE,
                        &may) == SQLITE_OK &&
           may != 0;
}

enum err store_check(struct store *store, struct errmsg *msg)
{
    if (forbids_writing(store)) {
        return fail(store, "it says of itself that it may not be written", msg);
    }
    struct store fresh = {.mode = STORE_CREATE};
    int code =
        sqlite3_open_v2(":memory:", &fresh.db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    enum err err =
        code == SQLITE_OK ? store_migrate(&fresh, msg) : err_fail(msg, ERR_NO_MEMORY, "no memory");
    err = err == ERR_OK ? check_schema(store, &fresh, msg) : err;
    for (int i = 0; i < STMT_COUNT; i++) {
        (void)sqlite3_finalize(fresh.stmts[i]);
    }
    (void)sqlite3_close(fresh.db);
    return err == ERR_OK ? check_pages(store, msg) : err;
}

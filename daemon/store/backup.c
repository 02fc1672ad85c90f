/* Copying goes by SQLite's backup interface, some pages at a time, from the connection that writes:
 * pages that it changes meanwhile are changed in the copy as well. The copy is told from a node's
 * file, and from any other, by its application id. */
#include "store/backup.h"

#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

/* "Tlbk", in SQLite's header of the copy. */
#define KEPT_ID "1416389227"

struct store_backup {
    sqlite3 *source;
    sqlite3 *copy;
    sqlite3_backup *work;
    int64_t page_bytes;
    bool kept; /* files lie beside the rows */
    char path[STORE_PATH_BYTES];
};

struct store_kept {
    sqlite3 *db;
    char path[STORE_PATH_BYTES];
};

/* A sentence about a connection's last error. */
static enum err fail(sqlite3 *db, const char *path, struct errmsg *msg)
{
    int code = db == NULL ? SQLITE_NOMEM : sqlite3_errcode(db);
    enum err err = code == SQLITE_FULL                               ? ERR_DISK_FULL
                   : code == SQLITE_NOMEM                            ? ERR_NO_MEMORY
                   : code == SQLITE_CORRUPT || code == SQLITE_NOTADB ? ERR_INVALID
                                                                     : ERR_IO;
    return err_fail(msg, err, "%.400s: %s%s", path, db == NULL ? "no memory" : sqlite3_errmsg(db),
                    err == ERR_DISK_FULL ? "; free some room and try again" : "");
}

static enum err run(sqlite3 *db, const char *sql, const char *path, struct errmsg *msg)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK ? ERR_OK : fail(db, path, msg);
}

static enum err open_file(const char *path, int flags, sqlite3 **out, struct errmsg *msg)
{
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    if (sqlite3_open_v2(path, out, flags, NULL) == SQLITE_OK) {
        return ERR_OK;
    }
    enum err err = fail(*out, path, msg);
    (void)sqlite3_close(*out);
    *out = NULL;
    return err;
}

static enum err set_path(char out[STORE_PATH_BYTES], const char *path, struct errmsg *msg)
{
    size_t len = strlen(path);
    if (len >= STORE_PATH_BYTES) {
        return err_fail(msg, ERR_USAGE, "the name of the file is longer than %d bytes",
                        STORE_PATH_BYTES - 1);
    }
    memcpy(out, path, len + 1);
    return ERR_OK;
}

/* ---- making one ---- */

enum err store_backup_new(struct store *store, const char *path, struct store_backup **out,
                          struct errmsg *msg)
{
    struct store_backup *backup = calloc(1, sizeof *backup);
    if (backup == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    backup->source = store->db;
    enum err err = set_path(backup->path, path, msg);
    err = err == ERR_OK
              ? open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &backup->copy, msg)
              : err;
    /* A copy that is lost with the power is made again. */
    err = err == ERR_OK ? run(backup->copy, "PRAGMA synchronous=OFF", path, msg) : err;
    if (err == ERR_OK) {
        backup->work = sqlite3_backup_init(backup->copy, "main", backup->source, "main");
        err = backup->work == NULL ? fail(backup->copy, path, msg) : ERR_OK;
    }
    if (err != ERR_OK) {
        store_backup_free(backup);
        return err;
    }
    *out = backup;
    return ERR_OK;
}

static int64_t page_bytes(sqlite3 *db)
{
    sqlite3_stmt *stmt = NULL;
    int64_t bytes = 0;
    if (sqlite3_prepare_v2(db, "PRAGMA page_size", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        bytes = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt);
    return bytes;
}

enum err store_backup_step(struct store_backup *backup, int pages, bool *done, int64_t *left,
                           int64_t *size, struct errmsg *msg)
{
    int code = sqlite3_backup_step(backup->work, pages);
    *done = code == SQLITE_DONE;
    if (code != SQLITE_OK && code != SQLITE_DONE && code != SQLITE_BUSY && code != SQLITE_LOCKED) {
        enum err err = code == SQLITE_FULL ? ERR_DISK_FULL : ERR_IO;
        return err_fail(
            msg, err, "%.400s: %s%s", backup->path, sqlite3_errstr(code),
            err == ERR_DISK_FULL ? "; the copy needs as much room as the database; free some" : "");
    }
    if (backup->page_bytes == 0) {
        backup->page_bytes = page_bytes(backup->copy);
    }
    *left = sqlite3_backup_remaining(backup->work) * backup->page_bytes;
    *size = sqlite3_backup_pagecount(backup->work) * backup->page_bytes;
    return ERR_OK;
}

/* From here on the copy is a file like another. */
static enum err end_work(struct store_backup *backup, struct errmsg *msg)
{
    if (backup->work == NULL) {
        return ERR_OK;
    }
    int code = sqlite3_backup_finish(backup->work);
    backup->work = NULL;
    return code == SQLITE_OK ? ERR_OK : fail(backup->copy, backup->path, msg);
}

enum err store_backup_keep(struct store_backup *backup, const char *name, struct bytes content,
                           struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    TRY(end_work(backup, msg));
    TRY(run(backup->copy,
            "CREATE TABLE IF NOT EXISTS kept(name TEXT PRIMARY KEY, content BLOB NOT NULL) STRICT",
            backup->path, msg));
    backup->kept = true;
    bool good = sqlite3_prepare_v2(backup->copy, "INSERT INTO kept(name,content) VALUES(?1,?2)", -1,
                                   &stmt, NULL) == SQLITE_OK &&
                sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_bind_blob64(stmt, 2, content.data == NULL ? (const void *)"" : content.data,
                                    content.len, SQLITE_STATIC) == SQLITE_OK &&
                sqlite3_step(stmt) == SQLITE_DONE;
    enum err err = good ? ERR_OK : fail(backup->copy, backup->path, msg);
    (void)sqlite3_finalize(stmt);
    return err;
}

enum err store_backup_finish(struct store_backup *backup, struct errmsg *msg)
{
    TRY(end_work(backup, msg));
    TRY(run(backup->copy, "PRAGMA journal_mode=DELETE", backup->path, msg));
    return backup->kept ? run(backup->copy, "PRAGMA application_id=" KEPT_ID, backup->path, msg)
                        : ERR_OK;
}

void store_backup_free(struct store_backup *backup)
{
    if (backup == NULL) {
        return;
    }
    if (backup->work != NULL) {
        (void)sqlite3_backup_finish(backup->work);
    }
    (void)sqlite3_close(backup->copy);
    free(backup);
}

/* ---- the way back ---- */

static enum err one_number(struct store_kept *kept, const char *sql, int64_t *out,
                           struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    bool good = sqlite3_prepare_v2(kept->db, sql, -1, &stmt, NULL) == SQLITE_OK &&
                sqlite3_step(stmt) == SQLITE_ROW;
    *out = good ? sqlite3_column_int64(stmt, 0) : 0;
    enum err err = good ? ERR_OK : fail(kept->db, kept->path, msg);
    (void)sqlite3_finalize(stmt);
    return err;
}

static enum err fail_damaged(const struct store_kept *kept, const char *what, struct errmsg *msg)
{
    return err_fail(msg, ERR_INVALID,
                    "%.300s is damaged (%.100s); nothing was restored: use another backup, or join "
                    "the unit again with tally invite --replace",
                    kept->path, what);
}

static enum err check_whole(struct store_kept *kept, struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    bool read =
        sqlite3_prepare_v2(kept->db, "PRAGMA quick_check(1)", -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW;
    const char *found = read ? (const char *)sqlite3_column_text(stmt, 0) : NULL;
    bool whole = found != NULL && strcmp(found, "ok") == 0;
    enum err err =
        whole ? ERR_OK : fail_damaged(kept, found == NULL ? sqlite3_errmsg(kept->db) : found, msg);
    (void)sqlite3_finalize(stmt);
    return err;
}

static enum err check_kind(struct store_kept *kept, struct errmsg *msg)
{
    int64_t id;
    int64_t version;
    enum err err = one_number(kept, "PRAGMA application_id", &id, msg);
    bool other = err == ERR_OK ? id != strtoll(KEPT_ID, NULL, 10)
                               : sqlite3_errcode(kept->db) == SQLITE_NOTADB;
    if (err != ERR_OK && !other) {
        return err == ERR_INVALID ? fail_damaged(kept, sqlite3_errmsg(kept->db), msg) : err;
    }
    if (other) {
        return err_fail(msg, ERR_INVALID,
                        "%.300s is no backup: tally backup makes one; the database of a node alone "
                        "lacks its keys",
                        kept->path);
    }
    TRY(one_number(kept, "PRAGMA user_version", &version, msg));
    if (version > STORE_SCHEMA_VERSION) {
        return err_fail(msg, ERR_NEWER,
                        "%.300s has schema %lld and this program knows up to %d; restore it with "
                        "the release that made it, or a newer one",
                        kept->path, (long long)version, STORE_SCHEMA_VERSION);
    }
    return ERR_OK;
}

enum err store_kept_open(const char *path, struct store_kept **out, struct errmsg *msg)
{
    struct store_kept *kept = calloc(1, sizeof *kept);
    if (kept == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    enum err err = set_path(kept->path, path, msg);
    err = err == ERR_OK ? open_file(path, SQLITE_OPEN_READONLY, &kept->db, msg) : err;
    err = err == ERR_OK ? check_kind(kept, msg) : err;
    err = err == ERR_OK ? check_whole(kept, msg) : err;
    if (err != ERR_OK) {
        store_kept_free(kept);
        return err;
    }
    *out = kept;
    return ERR_OK;
}

enum err store_kept_files(struct store_kept *kept,
                          enum err (*take)(void *ctx, const char *name, struct bytes content,
                                           struct errmsg *msg),
                          void *ctx, struct errmsg *msg)
{
    sqlite3_stmt *stmt = NULL;
    enum err err = ERR_OK;
    int code = sqlite3_prepare_v2(kept->db, "SELECT name,content FROM kept ORDER BY name", -1,
                                  &stmt, NULL);
    while (code == SQLITE_OK || code == SQLITE_ROW) {
        code = sqlite3_step(stmt);
        if (code != SQLITE_ROW) {
            break;
        }
        const char *name = (const char *)sqlite3_column_text(stmt, 0);
        const void *data = sqlite3_column_blob(stmt, 1);
        struct bytes content = {data, (size_t)sqlite3_column_bytes(stmt, 1)};
        err = name == NULL ? err_fail(msg, ERR_NO_MEMORY, "no memory")
                           : take(ctx, name, content, msg);
        code = err == ERR_OK ? code : SQLITE_ABORT;
    }
    err = err == ERR_OK && code != SQLITE_DONE ? fail(kept->db, kept->path, msg) : err;
    (void)sqlite3_finalize(stmt);
    return err;
}

enum err store_kept_restore(struct store_kept *kept, const char *path, struct errmsg *msg)
{
    sqlite3 *db = NULL;
    TRY(open_file(path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, &db, msg));
    enum err err = run(db, "PRAGMA synchronous=FULL", path, msg);
    sqlite3_backup *work = err == ERR_OK ? sqlite3_backup_init(db, "main", kept->db, "main") : NULL;
    if (err == ERR_OK) {
        (void)sqlite3_backup_step(work, -1);
        err =
            work != NULL && sqlite3_backup_finish(work) == SQLITE_OK ? ERR_OK : fail(db, path, msg);
    }
    err = err == ERR_OK
              ? run(db, "PRAGMA secure_delete=ON; DROP TABLE kept; PRAGMA application_id=0", path,
                    msg)
              : err;
    if (sqlite3_close(db) != SQLITE_OK && err == ERR_OK) {
        err = err_fail(msg, ERR_IO, "%.400s cannot be closed", path);
    }
    return err;
}

void store_kept_free(struct store_kept *kept)
{
    if (kept != NULL) {
        (void)sqlite3_close(kept->db);
        free(kept);
    }
}

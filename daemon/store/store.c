/* Opening, transactions, and the helpers around statements.
 *
 * 1. A writer opens the file, sets WAL and synchronous=FULL, migrates in one transaction, and
 * checkpoints everything into the database file, which syncs it: what a damaged or unsynced WAL
 * would lose is lost before anybody is answered.
 * 2. begin / statements / commit; commit returns after the WAL is synced.
 * 3. The WAL goes into the database file when it has grown to WAL_PAGES, unless that file is
 * shorter than it was: somebody cut it, and a checkpoint would fill the hole with zeros.
 * 4. Readers open the same file read-only, never checkpoint, also not when they close.
 *
 * Failures: a full disk fails the statement or the commit; the caller rolls back and nothing has
 * changed. A failed sync is ERR_IO from commit: the caller must stop the process, because the
 * kernel may have dropped the pages. */
#include "store/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BUSY_WAIT_MS = 2000, CACHE_KIB = 1024, WAL_PAGES = 1000 };

enum err store_sql_error(struct store *store, int code)
{
    store->code = sqlite3_extended_errcode(store->db);
    (void)snprintf(store->error, sizeof store->error, "database: %s%s", sqlite3_errmsg(store->db),
                   store->cut ? ": its file was cut short while the node ran" : "");
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ERR_DISK_FULL;
    case SQLITE_NOMEM:
        return ERR_NO_MEMORY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_CONSTRAINT:
        return ERR_EXISTS;
    default:
        return ERR_IO;
    }
}

const char *store_error(const struct store *store)
{
    return store->error;
}

static enum err run_pragmas(struct store *store)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA cache_size=-%d; "
                   "PRAGMA journal_size_limit=8388608;",
                   CACHE_KIB);
    int code = sqlite3_exec(store->db, store->mode == STORE_READ ? "PRAGMA query_only=1;" : sql,
                            NULL, NULL, NULL);
    return code == SQLITE_OK ? ERR_OK : store_sql_error(store, code);
}

/* ---- checkpoints ---- */

/* 0 when it cannot be told. */
static int64_t file_size(sqlite3 *db)
{
    sqlite3_file *file = NULL;
    sqlite3_int64 size = 0;
    bool told = sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) == SQLITE_OK &&
                file != NULL && file->pMethods != NULL &&
                file->pMethods->xFileSize(file, &size) == SQLITE_OK;
    return told ? size : 0;
}

/* After each commit. One that other connections keep from ending goes on after a later one. */
static int checkpoint(void *ctx, sqlite3 *db, const char *name, int pages)
{
    struct store *store = ctx;
    if (pages < WAL_PAGES) {
        return SQLITE_OK;
    }
    int64_t size = file_size(db);
    store->cut = size != 0 && size < store->size;
    if (store->cut) {
        return SQLITE_IOERR_SHORT_READ;
    }
    (void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    size = file_size(db);
    store->size = size == 0 ? store->size : size;
    return SQLITE_OK;
}

static enum err first_checkpoint(struct store *store)
{
    int code = sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    store->size = file_size(store->db);
    (void)sqlite3_wal_hook(store->db, checkpoint, store);
    return code == SQLITE_OK ? ERR_OK : store_sql_error(store, code);
}

enum err store_unusable(const struct store *store, enum err err, const char *why,
                        struct errmsg *msg)
{
    bool damaged = err == ERR_CORRUPT || err == ERR_NOT_FOUND;
    return err_fail(msg, err, "%s: %s%s", sqlite3_db_filename(store->db, "main"), why,
                    damaged ? "; " STORE_KEEP_ASIDE : "");
}

/* What the statements of an opening stumble over when nothing else is wrong: a changed letter of
 * the schema. */
static bool shows_damage(const struct store *store)
{
    return store->code == SQLITE_ERROR;
}

/* What to do about a file that cannot be opened. */
static enum err fail_open(struct store *store, enum err err, struct errmsg *msg)
{
    err = err == ERR_IO && shows_damage(store) ? ERR_CORRUPT : err;
    /* The index of the WAL could not grow; only here, where nothing is under way, is that harmless.
     */
    bool full = err == ERR_IO && store->code == SQLITE_IOERR_SHMSIZE;
    err = full ? ERR_DISK_FULL : err;
    const char *remedy = err == ERR_DISK_FULL ? "; the disk is full: free some room and try again"
                         : err == ERR_CORRUPT ? "; " STORE_KEEP_ASIDE
                                              : "";
    return err_fail(msg, err, "%s%s", store->error, remedy);
}

static enum err prepare_file(struct store *store, struct errmsg *msg)
{
    (void)sqlite3_extended_result_codes(store->db, 1);
    (void)sqlite3_busy_timeout(store->db, BUSY_WAIT_MS);
    if (store->mode == STORE_READ) {
        (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    }
    enum err err = run_pragmas(store);
    if (err == ERR_OK && store->mode != STORE_READ) {
        err = store_migrate(store, msg);
        if (err == ERR_NEWER) {
            return err;
        }
    }
    if (err == ERR_OK && store->mode != STORE_READ) {
        err = first_checkpoint(store);
    }
    return err == ERR_OK ? ERR_OK : fail_open(store, err, msg);
}

/* Asked of SQLite's file system, which need not be the system's. For it an empty file does not
 * exist, but can be read and written. */
static enum err look_for(const char *path, bool *there, struct errmsg *msg)
{
    sqlite3_vfs *vfs = sqlite3_initialize() == SQLITE_OK ? sqlite3_vfs_find(NULL) : NULL;
    int exists = 0;
    int usable = 0;
    if (vfs == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    if (vfs->xAccess(vfs, path, SQLITE_ACCESS_EXISTS, &exists) != SQLITE_OK ||
        vfs->xAccess(vfs, path, SQLITE_ACCESS_READWRITE, &usable) != SQLITE_OK) {
        return err_fail(msg, ERR_IO, "%s cannot be looked at: the disk refused", path);
    }
    *there = exists != 0 || usable != 0;
    return ERR_OK;
}

enum err store_open(const char *path, enum store_mode mode, struct store **out, struct errmsg *msg)
{
    int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE;
    flags |= mode == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
    bool there = false;
    TRY(look_for(path, &there, msg));
    if (mode == STORE_CREATE && there) {
        return err_fail(msg, ERR_EXISTS, "%s exists already; a node is made once", path);
    }
    if (mode != STORE_CREATE && !there) {
        return err_fail(msg, ERR_NOT_FOUND,
                        "%s is not there or cannot be read; make a node with tallyd init or join",
                        path);
    }
    flags |= mode == STORE_CREATE ? SQLITE_OPEN_CREATE : 0;
    struct store *store = calloc(1, sizeof *store);
    if (store == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    store->mode = mode;
    enum err err;
    int code = sqlite3_open_v2(path, &store->db, flags, NULL);
    if (code != SQLITE_OK) {
        err = store->db == NULL ? ERR_NO_MEMORY : store_sql_error(store, code);
        (void)err_fail(msg, err, "%s: %s", path, store->error);
    } else {
        err = prepare_file(store, msg);
        err = err == ERR_OK ? ERR_OK : err_prefix(msg, err, "%s", path);
    }
    if (err != ERR_OK) {
        store_close(store);
        return err;
    }
    *out = store;
    return ERR_OK;
}

void store_close(struct store *store)
{
    if (store == NULL) {
        return;
    }
    for (int i = 0; i < STMT_COUNT; i++) {
        (void)sqlite3_finalize(store->stmts[i]);
    }
    (void)sqlite3_close(store->db);
    free(store);
}

sqlite3_stmt *store_bind(struct store *store, enum store_stmt which, const char *form, ...)
{
    sqlite3_stmt **slot = &store->stmts[which];
    int code = SQLITE_OK;
    if (*slot == NULL) {
        code = sqlite3_prepare_v3(store->db, store_sql(which), -1, SQLITE_PREPARE_PERSISTENT, slot,
                                  NULL);
    } else {
        (void)sqlite3_reset(*slot);
    }
    va_list args;
    va_start(args, form);
    for (int at = 1; code == SQLITE_OK && form[at - 1] != '\0'; at++) {
        switch (form[at - 1]) {
        case 'i':
            code = sqlite3_bind_int64(*slot, at, va_arg(args, int64_t));
            break;
        case 't':
            code = sqlite3_bind_text(*slot, at, va_arg(args, const char *), -1, SQLITE_STATIC);
            break;
        case 'b': {
            const void *data = va_arg(args, const void *);
            size_t len = va_arg(args, size_t);
            code = len == 0 ? sqlite3_bind_zeroblob(*slot, at, 0)
                            : sqlite3_bind_blob64(*slot, at, data, len, SQLITE_STATIC);
            break;
        }
        default:
            INSIST(form[at - 1] == 'n');
            code = sqlite3_bind_null(*slot, at);
            break;
        }
    }
    va_end(args);
    if (code != SQLITE_OK) {
        (void)store_sql_error(store, code);
        return NULL;
    }
    return *slot;
}

/* What a failed bind left behind; its code was translated then, so the connection's own last code
 * is asked again. */
static enum err bind_failed(struct store *store)
{
    enum err err = store_sql_error(store, sqlite3_errcode(store->db));
    return err == ERR_EXISTS ? ERR_IO : err;
}

enum err store_step(struct store *store, sqlite3_stmt *stmt, bool *row)
{
    if (stmt == NULL) {
        return bind_failed(store);
    }
    if (store->undone != ERR_OK && stmt != store->stmts[STMT_ROLLBACK]) {
        return store->undone;
    }
    int code = sqlite3_step(stmt);
    if (code == SQLITE_ROW) {
        *row = true;
        return ERR_OK;
    }
    enum err err = code == SQLITE_DONE ? ERR_OK : store_sql_error(store, code);
    (void)sqlite3_reset(stmt);
    if (err != ERR_OK && store->begun && sqlite3_get_autocommit(store->db) != 0) {
        store->undone = err;
    }
    if (err == ERR_OK) {
        *row = false;
    }
    return err;
}

enum err store_run(struct store *store, sqlite3_stmt *stmt)
{
    bool row = false;
    enum err err = store_step(store, stmt, &row);
    if (stmt != NULL) {
        (void)sqlite3_reset(stmt);
    }
    return err;
}

enum err store_one(struct store *store, sqlite3_stmt *stmt)
{
    bool row = false;
    TRY(store_step(store, stmt, &row));
    return row ? ERR_OK : ERR_NOT_FOUND;
}

void store_column_fixed(sqlite3_stmt *stmt, int column, void *out, size_t len)
{
    memset(out, 0, len);
    if ((size_t)sqlite3_column_bytes(stmt, column) == len) {
        const void *data = sqlite3_column_blob(stmt, column);
        if (data != NULL) {
            memcpy(out, data, len);
        }
    }
}

const char *store_column_text(sqlite3_stmt *stmt, int column, struct arena *arena)
{
    bool absent = sqlite3_column_type(stmt, column) == SQLITE_NULL;
    const char *text = absent ? "" : (const char *)sqlite3_column_text(stmt, column);
    return text == NULL ? NULL : arena_str(arena, text);
}

struct bytes store_column_blob(sqlite3_stmt *stmt, int column, struct arena *arena)
{
    const void *data = sqlite3_column_blob(stmt, column);
    size_t len = (size_t)sqlite3_column_bytes(stmt, column);
    return (struct bytes){len == 0 ? arena_alloc(arena, 0) : arena_copy(arena, data, len), len};
}

enum err store_list(struct store *store, sqlite3_stmt *stmt, store_read_fn read,
                    struct arena *arena, void *out, size_t element_size, size_t cap, size_t *count)
{
    size_t n = 0;
    bool row = true;
    while (n < cap) {
        TRY(store_step(store, stmt, &row));
        if (!row) {
            break;
        }
        enum err err = read(stmt, arena, (char *)out + n * element_size);
        if (err != ERR_OK) {
            (void)sqlite3_reset(stmt);
            return err;
        }
        n++;
    }
    if (stmt != NULL) {
        (void)sqlite3_reset(stmt);
    }
    *count = n;
    return ERR_OK;
}

enum err store_read_one(struct store *store, sqlite3_stmt *stmt, store_read_fn read,
                        struct arena *arena, void *out)
{
    TRY(store_one(store, stmt));
    enum err err = read(stmt, arena, out);
    (void)sqlite3_reset(stmt);
    return err;
}

enum err store_begin(struct store *store)
{
    bool left = store->undone != ERR_OK || sqlite3_get_autocommit(store->db) == 0;
    if (left && (!store->begun || store->mode == STORE_READ)) {
        store_rollback(store); /* again: it had no memory, or failed, when it was asked for */
    }
    store->error[0] = '\0';
    TRY(store_run(store,
                  store_bind(store, store->mode == STORE_READ ? STMT_BEGIN_READ : STMT_BEGIN, "")));
    store->begun = true;
    return ERR_OK;
}

enum err store_commit(struct store *store)
{
    TRY(store_run(store, store_bind(store, STMT_COMMIT, "")));
    store->begun = false;
    return ERR_OK;
}

void store_rollback(struct store *store)
{
    if (sqlite3_get_autocommit(store->db) == 0) { /* else SQLite has rolled back by itself */
        enum err ignored = store_run(store, store_bind(store, STMT_ROLLBACK, ""));
        (void)ignored;
    }
    store->begun = false;
    store->undone = ERR_OK;
}

enum err store_savepoint(struct store *store)
{
    return store_run(store, store_bind(store, STMT_SAVEPOINT, ""));
}

enum err store_savepoint_end(struct store *store, bool undo)
{
    if (undo) {
        TRY(store_run(store, store_bind(store, STMT_SAVEPOINT_UNDO, "")));
    }
    return store_run(store, store_bind(store, STMT_SAVEPOINT_END, ""));
}

/* Inside the store: the open database, the table of statements, and the helpers that bind, step and
 * read them. Only files of this folder include it. */
#ifndef TALLY_STORE_INTERNAL_H
#define TALLY_STORE_INTERNAL_H

#include <sqlite3.h>

#include "base/check.h"
#include "store/statements.h"
#include "store/store.h"

enum { STORE_ERROR_BYTES = 256 };

struct store {
    sqlite3 *db;
    enum store_mode mode;
    sqlite3_stmt *stmts[STMT_COUNT];
    char error[STORE_ERROR_BYTES];
    int code;        /* extended, of what failed last; a rollback after it has its own */
    bool begun;      /* a transaction */
    enum err undone; /* not ERR_OK: why SQLite has rolled it back by itself */
    int64_t size;    /* of the database file after the last checkpoint; it never shrinks */
    bool cut;        /* it has: what was in it is not there any more */
};

/* Remembers SQLite's sentence and translates its code. */
enum err store_sql_error(struct store *store, int code);

/* The statement, reset, with its parameters bound from the arguments that `form` names, a letter
 * each: i int64_t, t text (const char *), b blob (const void *, size_t), n NULL. Texts and blobs
 * are not copied: they must live until the statement is reset. NULL on error (store_error says
 * which). */
sqlite3_stmt *store_bind(struct store *store, enum store_stmt which, const char *form, ...);

/* Once an error has made SQLite roll back the transaction that was begun (no memory, a failed read:
 * also those of a mere SELECT), nothing runs any more but the rollback: what came next would
 * otherwise be committed by itself, statement by statement. */

/* Runs a bound statement that gives no rows. */
enum err store_run(struct store *store, sqlite3_stmt *stmt) MUST_CHECK;

/* Steps: *row says whether there is one; the statement is reset after the last. */
enum err store_step(struct store *store, sqlite3_stmt *stmt, bool *row) MUST_CHECK;

/* Steps to the one row that is wanted: ERR_NOT_FOUND without one. The caller reads its columns,
 * then resets. */
enum err store_one(struct store *store, sqlite3_stmt *stmt) MUST_CHECK;

/* Fixed-size blobs; zeros when the column has another size, which a check of the schema excludes.
 */
void store_column_fixed(sqlite3_stmt *stmt, int column, void *out, size_t len);

/* Copies of a text or blob column; NULL when there is no memory for one. */
const char *store_column_text(sqlite3_stmt *stmt, int column, struct arena *arena);
struct bytes store_column_blob(sqlite3_stmt *stmt, int column, struct arena *arena);

/* The list functions share one loop: `read` fills element `i` of `out` from the row. */
typedef enum err (*store_read_fn)(sqlite3_stmt *stmt, struct arena *arena, void *element);
enum err store_list(struct store *store, sqlite3_stmt *stmt, store_read_fn read,
                    struct arena *arena, void *out, size_t element_size, size_t cap, size_t *count)
    MUST_CHECK;
/* The same for one row. */
enum err store_read_one(struct store *store, sqlite3_stmt *stmt, store_read_fn read,
                        struct arena *arena, void *out) MUST_CHECK;

/* Schema, and its history. */
enum err store_migrate(struct store *store, struct errmsg *msg) MUST_CHECK;

#endif

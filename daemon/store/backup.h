/* A copy of a node's database while it is written, with files beside it that a node needs: the
 * copy is one SQLite file, which has one table more than a node's, `kept`. And the way back. */
#ifndef TALLY_STORE_BACKUP_H
#define TALLY_STORE_BACKUP_H

#include "store/store.h"

enum { STORE_PATH_BYTES = 4096 };

struct store_backup;

/* Begins a copy at `path`, in place of what is there. `store` is the one that writes: what it
 * commits while the copy is made is in the copy too, so that it is never begun anew. */
enum err store_backup_new(struct store *store, const char *path, struct store_backup **out,
                          struct errmsg *msg) MUST_CHECK;

/* Copies so many pages more; outside a transaction of the store. *done when nothing is left; sizes
 * in bytes. ERR_DISK_FULL, ERR_IO: of the copy, or of what is copied. */
enum err store_backup_step(struct store_backup *backup, int pages, bool *done, int64_t *left,
                           int64_t *size, struct errmsg *msg) MUST_CHECK;

/* Puts a file beside the rows, once all is copied. */
enum err store_backup_keep(struct store_backup *backup, const char *name, struct bytes content,
                           struct errmsg *msg) MUST_CHECK;

/* Makes the copy a file of its own, readable from a medium that cannot be written; without files
 * beside it, the database of a node. It is not synced. */
enum err store_backup_finish(struct store_backup *backup, struct errmsg *msg) MUST_CHECK;

/* Lets go of it; a copy that was not finished is none. NULL is allowed. */
void store_backup_free(struct store_backup *backup);

/* ---- the way back ---- */

struct store_kept;

/* Opens a copy and looks all of it over. ERR_INVALID for a file that is no such copy, or a damaged
 * one; ERR_NEWER; ERR_NOT_FOUND. */
enum err store_kept_open(const char *path, struct store_kept **out, struct errmsg *msg) MUST_CHECK;

/* Calls `take` for each file that was kept; ends with its error. */
enum err store_kept_files(struct store_kept *kept,
                          enum err (*take)(void *ctx, const char *name, struct bytes content,
                                           struct errmsg *msg),
                          void *ctx, struct errmsg *msg) MUST_CHECK;

/* Writes the database, as a node has it, to `path`, where nothing is; synced. */
enum err store_kept_restore(struct store_kept *kept, const char *path, struct errmsg *msg)
    MUST_CHECK;

void store_kept_free(struct store_kept *kept);

#endif

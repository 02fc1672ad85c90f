/* Whole small files: read into a buffer with its limit; written so that after a power cut the old
 * or the new content is there, never a part. Any thread. */
#ifndef TALLY_BASE_FILE_H
#define TALLY_BASE_FILE_H

#include "base/bytes.h"

/* Appends the file's content to `out`, whose limit holds. ERR_NOT_FOUND; ERR_IO (also for a
 * directory); ERR_LIMIT when it is larger. The sentence names the file. */
enum err file_read(const char *path, struct buf *out, struct errmsg *msg) MUST_CHECK;

/* The same from an open file; `name` is for the sentence. */
enum err file_read_open(int fd, const char *name, struct buf *out, struct errmsg *msg) MUST_CHECK;

/* Writes PATH.new, syncs it, renames it to PATH and syncs the folder. `mode` as for open(2).
 * ERR_DISK_FULL, ERR_IO. */
enum err file_write(const char *path, struct bytes content, unsigned mode, struct errmsg *msg)
    MUST_CHECK;

/* Makes names that were given, changed or removed in the file's folder last. */
enum err file_sync_folder(const char *path, struct errmsg *msg) MUST_CHECK;

#endif

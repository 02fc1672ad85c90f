/* A file that a command makes: it is written beside its place and gets its name when all of it is
 * on the disk. Nothing that is there already is overwritten. */
#ifndef TALLY_CLIENT_OUTFILE_H
#define TALLY_CLIENT_OUTFILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

enum { OUTFILE_PATH_BYTES = 4096 };

struct outfile {
    char path[OUTFILE_PATH_BYTES];
    char part[OUTFILE_PATH_BYTES];
    int fd;     /* -1: not open */
    int64_t at; /* bytes written */
};

/* Only its owner may read it. ERR_EXISTS, with `what` it would be, when there is something of that
 * name; ERR_USAGE for a name that cannot be; ERR_DISK_FULL; ERR_IO. */
enum err outfile_open(struct outfile *file, const char *path, const char *what, struct errmsg *msg)
    MUST_CHECK;
enum err outfile_write(struct outfile *file, struct bytes content, struct errmsg *msg) MUST_CHECK;
/* All was written: it is synced and gets its name. */
enum err outfile_name(struct outfile *file, struct errmsg *msg) MUST_CHECK;
/* What has no name yet goes. */
void outfile_close(struct outfile *file);

/* The sentence for an error of the system about a file. */
enum err outfile_failed(const char *path, struct errmsg *msg) MUST_CHECK;

#endif

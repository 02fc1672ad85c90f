/* A backup of a node that runs: its database, keys and settings in one file, made in the data
 * directory and handed out in parts. One at a time; in the loop's thread. */
#ifndef TALLY_BACKUP_H
#define TALLY_BACKUP_H

#include "daemon/home.h"
#include "store/backup.h"

struct backup {
    const struct home *home;
    struct store_backup *copy; /* while it is made */
    int fd;                    /* -1: not made */
    uint8_t *part;
};

void backup_init(struct backup *backup, const struct home *home);

/* Begins. ERR_DISK_FULL when there is no room for it beside the database. */
enum err backup_begin(struct backup *backup, struct store *store, struct errmsg *msg) MUST_CHECK;

/* A slice of the copying; *done when the file is whole. */
enum err backup_step(struct backup *backup, const char *unit, bool *done, int64_t *at,
                     int64_t *size, struct errmsg *msg) MUST_CHECK;

/* The part of the file from `at` on, until the next call; none at its end. */
enum err backup_read(struct backup *backup, int64_t at, struct bytes *part, int64_t *size,
                     struct errmsg *msg) MUST_CHECK;

/* Lets go of it, made or not. */
void backup_end(struct backup *backup);

/* What a start finds of one that was under way. */
void backup_sweep(const struct home *home);

/* ---- the way back ---- */

/* Files that a backup has beside the database: their names, NULL behind the last. */
extern const char *const BACKUP_FILES[];

/* What a backup says of itself: "UNIT, as of TIME,". */
#define BACKUP_ABOUT "about"

#endif

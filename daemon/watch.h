/* Looks whether the database of a node that runs is still the file that it opened: what is written
 * into a file that was deleted succeeds, and is gone with the process. */
#ifndef TALLY_WATCH_H
#define TALLY_WATCH_H

#include <sys/stat.h>

#include "daemon/home.h"
#include "store/backup.h"

enum { WATCH_FILES = 3 }; /* the database, its log, the index of that */

struct watch {
    const struct home *home;
    struct store *store;
    struct stat files[WATCH_FILES];
    bool known;
};

/* Right after the files were opened. */
void watch_begin(struct watch *watch, const struct home *home, struct store *store);

/* Cheap; about once a second. Not ERR_OK: the process must stop, without another write to the
 * database and without closing it. What it had is in the data directory then: in the place of a
 * deleted file, under a dated name beside one that was put in its place; the sentence says so. What
 * was cut off a file is lost to it. */
enum err watch_look(struct watch *watch, struct errmsg *msg) MUST_CHECK;

#endif

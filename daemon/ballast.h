/* A file of real bytes in the data directory, given up when the disk is full: what is there can
 * then go on up, be acknowledged and be checkpointed, while new entries are refused. Made again
 * when there is room. In the loop's thread. */
#ifndef TALLY_BALLAST_H
#define TALLY_BALLAST_H

#include "daemon/home.h"

#define BALLAST_FILE "ballast"

enum {
    BALLAST_BYTES = 8 << 20,        /* a log at its longest, and as much again in the database */
    BALLAST_LOW_BYTES = 1 << 20,    /* less than that is a full disk */
    BALLAST_AGAIN_BYTES = 10 << 20, /* so much room, and it is made again */
    BALLAST_FIRST_BYTES = 32 << 20, /* so much, and it is made; a smaller disk has none */
};

struct ballast {
    const struct home *home;
    bool kept;
    bool given_up; /* the file is there and empty: a start knows it too */
};

/* Before the database is opened: gives it up when that would find no room, and makes nothing.
 * Whether it is given up. */
bool ballast_begin(struct ballast *ballast, const struct home *home);

/* Cheap; about once a second. Whether the disk is full, and the file given up. It is made,
 * and made again, here. */
bool ballast_look(struct ballast *ballast);

#endif

/* A database that cannot be used any more: it is set aside under a dated name, never deleted, and
 * a new one takes its place, made of what the data directory keeps beside it: the keys, and who the
 * node is. What was in it comes back from the neighbours. In the loop's thread. */
#ifndef TALLY_ASIDE_H
#define TALLY_ASIDE_H

#include "daemon/home.h"

enum { ASIDE_MAX = 5 }; /* databases set aside in one directory; more is a disk that fails */

/* Keeps who the node is beside its database; cheap when nothing has changed since `last`, which is
 * what this process has kept so far. */
enum err aside_keep_identity(const struct home *home, struct store *store, struct buf *last,
                             struct errmsg *msg) MUST_CHECK;

/* The same for a node that has just been made. */
enum err aside_keep_first(const struct home *home, struct store *store, struct errmsg *msg)
    MUST_CHECK;

/* Decides that the database is to be set aside, which the next aside_finish does. Not ERR_OK when
 * it must stay where it is: it is a root's, or nothing says whose it is, or too many lie there; the
 * sentence says what people are to do. `why` is what is wrong with it. */
enum err aside_begin(const struct home *home, const char *why, struct errmsg *msg) MUST_CHECK;

/* Whether that was decided, by this process or one before. */
bool aside_begun(const struct home *home);

/* Sets it aside and makes the new one. Whatever stops it on its way, it goes on from there. */
enum err aside_finish(const struct home *home, struct errmsg *msg) MUST_CHECK;

#endif

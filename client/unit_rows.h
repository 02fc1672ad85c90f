/* The units of a file (code, name, level, parent), in an order in which every parent comes before
 * its children; or what is wrong with them: a code twice, a unit that lies below itself. Whether
 * the parents that are not in the file exist, only the daemon knows. */
#ifndef TALLY_CLIENT_UNIT_ROWS_H
#define TALLY_CLIENT_UNIT_ROWS_H

#include "base/arena.h"
#include "client/refusals.h"
#include "proto/message.h"

enum { UNIT_FILE_MAX_BYTES = 64 << 20, UNIT_ROWS_MAX = 200000, UNIT_ROW_NONE = -1 };

struct unit_rows {
    const char *name; /* of the file */
    bool issued;      /* units without a code will get one */
    struct arena arena;
    struct unit_new *units; /* in the order in which they are to be made */
    int32_t *parents;       /* for each: the place of its parent in `units`, or UNIT_ROW_NONE */
    size_t count;
};

/* Reads the file ("-": standard input); given back with unit_rows_close, also after an error.
 * ERR_USAGE when it cannot be read, ERR_INVALID with the place when it is malformed; rows that are
 * wrong by themselves go to `refusals`, and then the order is not made. */
enum err unit_rows_open(struct unit_rows *rows, const char *path, bool issued,
                        struct refusals *refusals, struct errmsg *msg) MUST_CHECK;
void unit_rows_close(struct unit_rows *rows);

/* The order alone, for units that are there already. */
enum err unit_rows_order(struct unit_rows *rows, struct refusals *refusals, struct errmsg *msg)
    MUST_CHECK;

#endif

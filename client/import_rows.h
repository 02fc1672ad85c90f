/* The rows of an import file: read, checked as far as that goes without asking anybody, and cut
 * into requests. The file is read through a window on every pass, so that its length takes no
 * memory; what comes from a pipe is kept in a file without a name. It knows nothing of the daemon.
 *
 * Two layouts. Long: a value in each row, in the column "value", of what the column "measure"
 * names. Wide: neither of these columns, but one for each measure, also of one category only, as
 * accounts[group=cadre]; an empty field there is no value. */
#ifndef TALLY_CLIENT_IMPORT_ROWS_H
#define TALLY_CLIENT_IMPORT_ROWS_H

#include <sys/stat.h>

#include "base/arena.h"
#include "base/map.h"
#include "client/csv.h"
#include "client/refusals.h"
#include "proto/message.h"

enum {
    IMPORT_FILE_VALUES_MAX = 20000000,
    IMPORT_REQUEST_BYTES = 512 * 1024, /* about, so that a request fits a frame */
};

struct import_rows {
    const char *name; /* of the file, as in messages */
    int fd;           /* -1: not open */
    struct stat opened;
    struct csv csv;
    struct csv_source source;
    bool wide;
    char key_stem[64];  /* of the keys that rows without one are given; empty: they get none */
    struct map repeats; /* values, by number, that say again what one before them says */
    int64_t number;     /* of the next value, from 0 */
    int64_t keys_per_pass;
};

/* One request's rows. */
struct import_batch {
    struct arena arena;
    struct record_row rows[IMPORT_ROWS_MAX];
    int64_t numbers[IMPORT_ROWS_MAX]; /* of each in the file */
    size_t count;
    int64_t passed;   /* values of the file read for it, wrong ones included */
    int64_t repeated; /* of them left out, as import_rows_repeats found */
    bool ended;       /* there are no more */
};

/* What is in the file. */
struct import_survey {
    int64_t rows; /* values, wrong ones included */
    int64_t requests;
    int64_t without_key;
};

/* Opens the file ("-": standard input) and reads its heading; given back with import_rows_close,
 * also after an error. ERR_USAGE when it cannot be read, ERR_INVALID with the place. */
enum err import_rows_open(struct import_rows *rows, const char *path, struct errmsg *msg)
    MUST_CHECK;
void import_rows_close(struct import_rows *rows);

/* Back to the first row. Fails as opening does, and when the file is not what it was. */
enum err import_rows_rewind(struct import_rows *rows, struct errmsg *msg) MUST_CHECK;

/* The next rows, as many as a request takes. Wrong ones go to `refusals` (may be NULL) and are
 * passed over. ERR_INVALID when the file is malformed (told to `refusals` too) or has too many;
 * ERR_USAGE when it cannot be read. */
enum err import_batch_fill(struct import_batch *batch, struct import_rows *rows,
                           struct refusals *refusals, struct errmsg *msg) MUST_CHECK;

void import_batch_init(struct import_batch *batch);
void import_batch_deinit(struct import_batch *batch);

/* A whole pass that counts and checks. */
enum err import_rows_survey(struct import_rows *rows, struct import_batch *batch,
                            struct refusals *refusals, struct import_survey *out,
                            struct errmsg *msg) MUST_CHECK;

/* From now on rows without a key get one made from the file's content and the line, so that the
 * same file can be given again. */
enum err import_rows_derive_keys(struct import_rows *rows, struct errmsg *msg) MUST_CHECK;

/* Whole passes, one for each `keys_per_pass` keys, that find keys which stand for two
 * different rows. With `repeats` the rows that say again, under the same key, what one before says
 * are left out of every batch from now on. */
enum { IMPORT_KEYS_PER_PASS = 300000 };
enum err import_rows_keys(struct import_rows *rows, struct import_batch *batch,
                          const struct import_survey *survey, bool repeats,
                          struct refusals *refusals, struct errmsg *msg) MUST_CHECK;

#endif

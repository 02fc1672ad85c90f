/* The rows of an import file: read, checked as far as that goes without asking anybody, and cut
 * into requests. The file is in memory as it stands and is read again on every pass, so that rows
 * beyond the current request take no memory. It knows nothing of the daemon. */
#ifndef TALLY_CLIENT_IMPORT_ROWS_H
#define TALLY_CLIENT_IMPORT_ROWS_H

#include "base/arena.h"
#include "client/csv.h"
#include "client/refusals.h"
#include "proto/message.h"

enum {
    IMPORT_FILE_MAX_BYTES = 256 << 20,
    IMPORT_FILE_ROWS_MAX = 2000000,
    IMPORT_REQUEST_BYTES = 512 * 1024, /* about, so that a request fits a frame */
};

struct import_rows {
    const char *name; /* of the file, as in messages */
    struct buf text;
    struct csv csv;
    struct csv_place first;
    char key_stem[64]; /* of the keys that rows without one are given; empty: they get none */
};

/* One request's rows. */
struct import_batch {
    struct arena arena;
    struct record_row rows[IMPORT_ROWS_MAX];
    size_t count;
    uint32_t passed; /* rows of the file read for it, wrong ones included */
};

/* What is in the file. */
struct import_survey {
    int64_t rows; /* wrong ones included */
    int64_t requests;
    int64_t without_key;
};

/* Reads the file ("-": standard input) and its heading; given back with import_rows_close, also
 * after an error. ERR_USAGE when it cannot be read, ERR_INVALID with the place. */
enum err import_rows_open(struct import_rows *rows, const char *path, struct errmsg *msg)
    MUST_CHECK;
void import_rows_close(struct import_rows *rows);

/* Back to the first row. */
void import_rows_rewind(struct import_rows *rows);

/* The next rows, as many as a request takes; none at the end. Wrong rows go to `refusals` (may be
 * NULL) and are passed over. ERR_INVALID when the file is malformed (told to `refusals` too) or has
 * too many rows. */
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
void import_rows_derive_keys(struct import_rows *rows);

/* A whole pass that finds keys which stand for two different rows. */
enum err import_rows_keys(struct import_rows *rows, struct import_batch *batch,
                          struct refusals *refusals, struct errmsg *msg) MUST_CHECK;

#endif

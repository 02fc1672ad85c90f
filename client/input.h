/* Whole files from the command line into memory. */
#ifndef TALLY_CLIENT_INPUT_H
#define TALLY_CLIENT_INPUT_H

#include "base/bytes.h"

/* Appends the file's content to `out` (made by the caller with its limit); "-" is standard input.
 * ERR_USAGE when it cannot be read, ERR_INVALID when it is larger than the limit. */
enum err input_read(const char *path, struct buf *out, struct errmsg *msg) MUST_CHECK;

/* What the file is called in messages. */
const char *input_name(const char *path);

#endif

/* What a question is about, as written behind --measure and --period. */
#ifndef TALLY_CLIENT_ASKED_H
#define TALLY_CLIENT_ASKED_H

#include "client/options.h"
#include "proto/period.h"

/* The codes of every --measure; the commas in --measure a,b,c are cut in copies that last as long
 * as this. Too large for the stack. */
struct measures_asked {
    const char *codes[MEASURES_ASKED_MAX];
    size_t count;
    char cut[MEASURES_ASKED_MAX][CODE_MAX_BYTES + 1];
};

/* An answer that is not of the categories that were asked for. */
#define ASKED_NO_CATEGORY "this node's release sums over all categories only; use --by category"

/* ERR_USAGE when one is no code, or there are too many. */
enum err asked_measures(const struct options *options, struct measures_asked *out,
                        struct errmsg *msg) MUST_CHECK;

#endif

/* Measures that were taken out of the catalogue. An office that is offline may have recorded them
 * under their old form, so a code that comes back must come back with it: the root keeps the form
 * of every measure that it takes out. */
#ifndef TALLY_NODE_RETIRED_H
#define TALLY_NODE_RETIRED_H

#include "node/internal.h"

/* ERR_REFUSED when a measure of `next` was taken out before and had another form. */
enum err retired_check(struct node *node, const struct catalogue *next, struct errmsg *msg)
    MUST_CHECK;

/* Keeps the forms of those that `next` takes out; inside the transaction that publishes it. */
enum err retired_keep(struct node *node, const struct catalogue *next) MUST_CHECK;

#endif

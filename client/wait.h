/* --wait and --timeout: until what was recorded has arrived at the parent or the root. */
#ifndef TALLY_CLIENT_WAIT_H
#define TALLY_CLIENT_WAIT_H

#include "client/client.h"

enum { WAIT_DEFAULT_S = 30, WAIT_MAX_S = 7 * 24 * 3600 };

struct wait_wish {
    enum wait_level level; /* WAIT_NONE: nothing to wait for */
    int64_t timeout_ms;
};

/* ERR_USAGE for an unknown level or a bad number. */
enum err wait_options(const struct options *options, struct wait_wish *out, struct errmsg *msg)
    MUST_CHECK;

/* Waits for the feed's `revision`; `what` begins the sentence of a failure ("the entry is"). Done
 * when the wish is none. */
enum exit_status wait_until(struct client *client, const struct wait_wish *wish, int64_t revision,
                            const char *what);

#endif

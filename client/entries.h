/* What record, amend and void have in common: one entry goes out, its identity comes back. */
#ifndef TALLY_CLIENT_ENTRIES_H
#define TALLY_CLIENT_ENTRIES_H

#include "client/client.h"

/* Sends a request that makes one entry and prints its identity (or JSON); `*revision` is what
 * --wait takes. Says what is known when the connection is lost. */
enum exit_status entries_make(struct client *client, struct msg_request *request,
                              int64_t *revision);

#endif

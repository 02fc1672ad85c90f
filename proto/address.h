/* Addresses as people write them: "host:port", "[v6]:port". */
#ifndef TALLY_PROTO_ADDRESS_H
#define TALLY_PROTO_ADDRESS_H

#include "base/err.h"
#include "proto/limits.h"

/* Port 1 to 65535. ERR_USAGE with the form otherwise. */
enum err address_parse(const char *text, char host[ADDRESS_MAX_BYTES + 1], int *port,
                       struct errmsg *msg) MUST_CHECK;

#endif

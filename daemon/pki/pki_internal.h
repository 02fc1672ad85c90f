/* Shared inside pki: errors of the library, random bytes. */
#ifndef TALLY_PKI_INTERNAL_H
#define TALLY_PKI_INTERNAL_H

#include "base/sha256.h"
#include "pki/pki.h"

/* The library's last error behind `what`; its queue is cleared. */
enum err pki_failed(struct errmsg *msg, enum err err, const char *what);

#endif

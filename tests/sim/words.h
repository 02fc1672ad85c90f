/* layer: proto */
/* A message in words, on one line: what a trace of a run is read by. Identities are left out (they
 * are random), what they stand for is shown. */
#ifndef TALLY_SIM_WORDS_H
#define TALLY_SIM_WORDS_H

#include "proto/message.h"

enum { WORDS_BYTES = 400 };

/* Cut at the end, with "...", when it is longer. */
void words_message(const struct message *message, char out[WORDS_BYTES]);

#endif

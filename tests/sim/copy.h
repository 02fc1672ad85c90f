/* layer: proto */
/* A message copied whole: what a node says lives only until its next batch, what is on its way
 * lives longer. Covers what links carry: hello, welcome, refuse, batch, ack, catalogue, ping. */
#ifndef TALLY_SIM_COPY_H
#define TALLY_SIM_COPY_H

#include "base/arena.h"
#include "proto/message.h"

/* Everything that `from` points to, copied into the arena. ERR_NO_MEMORY at the arena's cap;
 * ERR_PROTOCOL for a message that links do not carry. */
enum err copy_message(const struct message *from, struct arena *arena, struct message *out)
    MUST_CHECK;

/* About how many bytes it is on a wire. */
size_t copy_size(const struct message *message);

#endif

/* What a node has lost of its own ledger: given back by its parent, taken back by the child. */
#ifndef TALLY_NODE_HEAL_H
#define TALLY_NODE_HEAL_H

#include "node/internal.h"

/* ---- heal.c: own entries that were lost come back ---- */
enum err heal_begin(struct node *node, struct link *link, const struct msg_welcome *welcome)
    MUST_CHECK;
/* ERR_PROTOCOL: the link ends, and nothing of the batch is kept. */
enum err heal_batch(struct node *node, struct link *link, const struct msg_batch *batch) MUST_CHECK;
/* Gives every own segment its place, in order of number. */
enum err heal_place(struct node *node) MUST_CHECK;
/* Puts what the parent has less of than is here behind all that it has whole, if it is not: what
 * was recorded after the hello upon which entries came back. What it has in part goes first, then
 * each behind those that it continues. `lengths`: segment -> how many it has. */
enum err heal_order(struct node *node, const struct map *lengths) MUST_CHECK;
/* Counts healed entries whose measure has become known. */
enum err heal_unsettled(struct node *node) MUST_CHECK;
/* Of a bundle: whether anything in the batch is not here, and the same as heal_batch without the
 * session. */
enum err heal_lacks(struct node *node, const struct msg_batch *batch, bool *lacks) MUST_CHECK;
enum err heal_bundle(struct node *node, struct link *link, const struct msg_batch *batch)
    MUST_CHECK;

/* A segment of the own ledger that this file does not know: what it continues is known, or
 * ERR_PROTOCOL. */
enum err heal_opening(struct node *node, const struct opening *opening) MUST_CHECK;

/* ---- giveback.c: to a child that has lost entries ---- */
bool giveback_may_begin(const struct link *link);
enum err giveback_begin(struct node *node, struct link *link, const struct msg_hello *hello,
                        struct msg_welcome *welcome) MUST_CHECK;
/* Instead of what the hello has beyond the escrow: heads as they were kept. */
enum err giveback_beyond(struct node *node, struct link *link, struct bytes heads) MUST_CHECK;
enum err giveback_pump(struct node *node, struct link *link) MUST_CHECK;

#endif

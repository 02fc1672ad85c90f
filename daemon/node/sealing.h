/* What is known above of an origin whose heads stay behind it: told down to the node that may have
 * lost the entries (returned.c), and what that node makes of it (sealing.c). */
#ifndef TALLY_NODE_SEALING_H
#define TALLY_NODE_SEALING_H

#include "node/internal.h"

enum { RETURNED_ROWS_MAX = 2000000 }; /* segments and cells kept of one origin */

/* ---- returned.c ---- */
/* Calls with every segment that is kept of an origin, in the order in which they came, until one
 * fails. What is taken from the arena, the segment's own bytes too, lasts for the call. */
typedef enum err (*returned_fn)(void *ctx, const struct store_returned_segment *segment,
                                struct arena *arena);
enum err returned_each(struct node *node, int64_t origin, returned_fn each, void *ctx) MUST_CHECK;
/* The parent, at a mark: origins that come over the link and whose heads are behind what is known
 * here, or above, are told of it, once a link; *behind when there are any. */
enum err returned_note(struct node *node, struct link *link, bool *behind) MUST_CHECK;
/* Takes out what has not come whole; it comes again. */
enum err returned_tidy(struct node *node) MUST_CHECK;
/* For the answer to a bundle: what is kept is to be told; whether some of it is not told yet. */
enum err returned_kept(struct node *node, struct link *link) MUST_CHECK;
bool returned_left(const struct link *link);
/* The next batch of it, when nothing else waits. */
enum err returned_pump(struct node *node, struct link *link) MUST_CHECK;
/* The child: such a batch. */
enum err returned_take(struct node *node, struct link *link, const struct msg_batch *batch)
    MUST_CHECK;

/* ---- sealing.c ---- */
/* If all that is known above of the own origin has come, and the file is sound. Entries of which
 * more is known there than is here are lost: a new segment continues them, and its entries say what
 * their cells come to. */
enum err sealing_seal(struct node *node) MUST_CHECK;
/* An alarm about lost entries. There is nothing to mend: it goes when a verify has shown it. */
enum err sealing_tell(struct node *node, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 3, 4))) MUST_CHECK;
/* Cells with a base are made again, if that is due. */
enum err sealing_settle(struct node *node) MUST_CHECK;

#endif

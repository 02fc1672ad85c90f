/* What this office had decided and its file has lost, told back by the nodes below: children,
 * units, the catalogue; and numbers that leave room for what is lost for good. */
#ifndef TALLY_NODE_ADMIT_H
#define TALLY_NODE_ADMIT_H

#include "node/internal.h"

/* Why a node is turned away whose key is not in the table of children. */
#define NODE_UNKNOWN \
    "this office has no node with that key below it; join with an invitation of this office"

/* Whether a machine whose key is not in the table may say hello; `code` 0, or why not. */
enum err admit_claim(struct node *node, const struct link *link, enum refusal_code *code,
                     const char **why) MUST_CHECK;
/* Its hello: it is a child from here on, or refused (and the link closing). */
enum err admit_hello(struct node *node, struct link *link, const struct msg_hello *hello)
    MUST_CHECK;
/* A row from below of a unit that was decided here or above; not *settled: it is of another kind.
 */
enum err admit_told_unit(struct receiver *r, const struct unit_row *row, bool *settled) MUST_CHECK;
/* So many acts, and what follows from them: the row, the origin's place, the machine that had the
 * unit before turned away. */
enum err admit_host(struct node *node, struct store_hosting *next, int64_t acts, const char *author)
    MUST_CHECK;
/* Taken when it is newer and the root has signed it, from above and from below. */
enum err admit_catalogue(struct node *node, struct link *link,
                         const struct msg_catalogue *catalogue) MUST_CHECK;
/* ---- room.c ---- */
/* The number after `known`, with room for those that a file that was put back has lost. */
int64_t room_next(int64_t known, int64_t floor);
/* The file was put back: numbers given from now on leave room; `again`: also when they do so. */
enum err room_leave(struct node *node, bool again) MUST_CHECK;
/* The same at the start, when the file says so. */
enum err room_was_put_back(struct node *node) MUST_CHECK;

#endif

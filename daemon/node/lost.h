/* Own entries that nobody has any more. What a cell came to with them is known at an office above:
 * an entry of kind ENTRY_LOST in the own ledger says it from then on, the *base* of the cell, and
 * stands in the place of all entries of the cell that come before it: those that its segment
 * continues, one over the other, lost or not. Should lost ones come back after all, they are among
 * these, and count no more than before. Of several bases of one cell the last one holds.
 *
 * Once all that comes before the base is here, nothing is lost any more, and it is a base no
 * longer: the cell comes to what its entries come to.
 *
 * A cell with a base comes to: the base, and what its other entries come to; its count is that of
 * the base, one for the base's own entry, and one for each other entry. Of records that say one
 * fact, and of corrections, those that are about a record before the base change nothing.
 *
 * Works on the store, in whichever thread has it. */
#ifndef TALLY_NODE_LOST_H
#define TALLY_NODE_LOST_H

#include "base/map.h"
#include "node/view.h"
#include "proto/entry.h"

struct lost_base {
    int64_t segment; /* where its entry lies, and its place in the order of the ledger */
    int64_t seq;
    int64_t clock;
    struct id name;
    int64_t count;
    int64_t live;
    int64_t above; /* of that count, what the office above had counted */
    int64_t gone;  /* of that count, what was not in the ledger; only with those of all cells */
    int64_t value;
    int64_t hosting;
    int64_t day;
};

struct lost {
    struct store *store;
    int64_t origin; /* the own one */
    struct map bases;
    struct map whole; /* segment of a base -> bool: all that it continues is here */
    struct map
        before; /* (segment of a base, segment) -> the length of the latter that it continues */
};

void lost_init(struct lost *lost, struct store *store, int64_t own_origin);
void lost_deinit(struct lost *lost);
/* Those of all cells. */
enum err lost_load(struct lost *lost) MUST_CHECK;
/* That of one cell, if it has one. */
enum err lost_load_cell(struct lost *lost, const struct store_cell_key *key,
                        const struct measure *measure) MUST_CHECK;
/* Heads as if a base came after them, under the number 0: whether an entry is before them, or
 * continued by what they are heads of. */
enum err lost_add_heads(struct lost *lost, const struct head *heads, size_t count) MUST_CHECK;
bool lost_before_heads(const struct lost *lost, int64_t segment, int64_t seq);
/* NULL without one. */
const struct lost_base *lost_base(const struct lost *lost, const struct store_cell_key *key);
/* Whether the base is one: not all that comes before it is here. */
bool lost_stands(const struct lost *lost, const struct lost_base *base);
bool lost_before(const struct lost *lost, const struct lost_base *base, int64_t segment,
                 int64_t seq);
/* Of a stock: whether the base stands beside a record of that hosting and day, if one lives. */
bool lost_ranks_above(const struct lost_base *base, bool live, int64_t hosting, int64_t day);
/* Puts what the cell comes to by its base alone, the base's own entry counted. */
void lost_stand(const struct lost_base *base, struct store_cell *cell);

#endif

/* layer: node store codec */
/* The cells of a host's file, as the model names them: what an observer there has seen. */
#ifndef TALLY_SIM_CELLS_H
#define TALLY_SIM_CELLS_H

#include "world.h"

struct cells;

/* Reads all of them and holds each against its origin's history (the checks `states` and
 * `forward`); NULL when the file cannot be read or a check is violated. */
struct cells *cells_read(struct world *world, struct host *host);
void cells_free(struct cells *cells);

/* Entries of that cell that count at the host; held ones do not. */
int64_t cells_seen(void *cells, const struct model_cell_key *key);

/* A cell of the one host that the other lacks, or has in another state. */
struct cells_lack {
    int unit; /* in the model */
    int32_t period;
    int64_t below;
    int64_t above;
};
/* Whether all that goes up from `below` and has not changed since its revision `upto` is, held or
 * not, in the same state in `above`, or in a newer one; else *lack is the first that is not. */
bool cells_all_above(const struct cells *below, int64_t upto, const struct cells *above,
                     bool or_newer, struct cells_lack *lack);

#endif

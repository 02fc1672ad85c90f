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
size_t cells_count(const struct cells *cells);
size_t cells_held(const struct cells *cells);

#endif

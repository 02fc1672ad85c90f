/* layer: node store codec */
/* Single requests for scenes and scenarios, each given to a node's next batch. */
#ifndef TALLY_SIM_ACTS_H
#define TALLY_SIM_ACTS_H

#include "world.h"

/* So many rows in one request, keyed, about days of three months. The book's offer. */
struct offer *acts_record(struct world *world, struct host *host, const char *unit,
                          const char *measure, int rows);
/* An amend to 7, or a void, of the fact at that place of the host's ledger. */
void acts_correct(struct world *world, struct host *host, size_t place, bool is_void);
void acts_publish(struct world *world, int version);
/* A tap: no catalogue goes up. */
bool acts_no_catalogue(struct world *world, struct line *line, int to, struct message *message);
void acts_unit(struct world *world, struct host *host, const char *code);

#endif

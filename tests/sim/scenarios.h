/* layer: node store codec */
/* Small scenes, each about one thing that a node does: what went before, the act, and the host
 * whose disk is looked at. The crash loop plays each again and again, with a fault at every
 * operation. */
#ifndef TALLY_SIM_SCENARIOS_H
#define TALLY_SIM_SCENARIOS_H

#include "world.h"

struct scenario {
    const char *name;
    int victim; /* number of the host */
    void (*before)(struct world *world);
    void (*act)(struct world *world);
};

extern const struct scenario SCENARIOS[];
extern const size_t SCENARIO_COUNT;

/* Root 4, district 42, communes 421 and 422, linked; with what went before. */
struct world *scenario_world(const struct scenario *scenario, uint64_t seed);

#endif

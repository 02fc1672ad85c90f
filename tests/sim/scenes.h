/* layer: node store codec */
/* Scenes of two to four nodes for golden traces: who says what to whom, in each case of the
 * protocol. */
#ifndef TALLY_SIM_SCENES_H
#define TALLY_SIM_SCENES_H

#include "world.h"

struct scene {
    const char *name;
    const char *about;
    void (*play)(struct world *world);
};

extern const struct scene SCENES[];
extern const size_t SCENE_COUNT;

/* ---- scenes_lost.c ---- */
void scenes_entries_lost(struct world *world);
void scenes_lost_entries_back(struct world *world);

#endif

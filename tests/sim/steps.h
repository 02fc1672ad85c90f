/* layer: node store codec */
/* Doing what a plan says: people.c what people do, faults.c what goes wrong. */
#ifndef TALLY_SIM_STEPS_H
#define TALLY_SIM_STEPS_H

#include "plan.h"
#include "world.h"

void people_do(struct world *world, const struct step *step);
void faults_do(struct world *world, const struct step *step);
/* Nothing goes wrong any more: disks, lines and ways are sound, everything starts. */
void faults_heal(struct world *world);

/* How the tree of a plan is made: root, districts, communes, units without nodes; all of them run.
 */
void tree_plant(struct world *world, const struct plan *plan);

struct result {
    bool violated;
    char check[CODE_BYTES];
    char text[TEXT_BYTES];
    uint64_t trace;
    uint64_t faults;
    size_t hosts;
    uint64_t entries; /* in all ledgers */
    uint64_t batches;
    uint64_t messages;
    int64_t converged_ms; /* virtual time from the healing on */
    bool excused;         /* something that damage is the reason of is named, not right */
};

enum { CONVERGENCE_LIMIT_MS = 150000 };

/* A whole run: the tree, the steps, the healing, the end. The trace goes to `out` unless it is
 * NULL. */
void run_plan(const struct plan *plan, FILE *out, struct result *result);

/* From the healing on: convergence in the time that is given, and what must hold then. */
void run_end(struct world *world, struct result *result);

/* The same in a process of its own: one that aborts or does not end violates "abort" or "hang". */
void run_plan_apart(const struct plan *plan, struct result *result);

/* The smallest plan that was found to violate the same check; at most `limit` runs. */
void shrink_plan(const struct plan *plan, const struct result *found, int limit,
                 struct plan *smallest);

#endif

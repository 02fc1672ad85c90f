/* layer: node store codec */
/* Machines with the data of one node: its image is copied, and copies run beside each other or in
 * turns, until the office above issues the identity anew to one of them.
 *
 * The oracle: each machine has a book of its own, which begins as that of the machine it was copied
 * from. Who has which of the names that processes give themselves tells whom the office must turn
 * away: a name that the office has welcomed ends when a machine is welcomed that does not know it,
 * or is turned away with it, and who knows one that has ended is never welcomed again. One machine
 * at most is linked; it is the one that counts, and the others are aside: what they recorded since
 * stays on them, unless one of them is let in when the first is gone. One that has a new identity
 * has all that the office had, and all that it had itself, each once. */
#ifndef TALLY_SIM_CLONES_H
#define TALLY_SIM_CLONES_H

#include "plan.h"
#include "world.h"

enum { MACHINES_MAX = 4 };

struct family {
    struct family *next;
    struct host *machines[MACHINES_MAX];
    size_t count;
    struct host *last;  /* welcomed, since there are copies; or NULL */
    int64_t generation; /* how often an identity was issued anew */
    uint64_t sessions;  /* names so far, by number */
    uint64_t welcomed;  /* the last one; 0: one from before the first copy */
    struct map ended;
};

/* ---- what happens ---- */
/* False when there was nothing to do. */
bool clones_do(struct world *world, const struct step *step, struct chance *chance);
/* Nothing goes wrong any more: what was switched off starts, unless it is not needed. */
void clones_heal(struct world *world);
/* A machine that is aside and is to get a new identity in the end; NULL: no more. */
struct host *clones_to_reissue(struct world *world);
/* The office has issued it. */
void clones_reissued(struct world *world, struct host *machine, const struct msg_joined *joined,
                     const struct hash *key);
/* A record with a key that another machine has confirmed and this one does not know; or NULL. */
const struct fact *clones_paper(const struct host *host, struct chance *chance);
void clones_free(struct world *world);

/* ---- what is seen ---- */
/* Linked as the child of its office. */
bool clones_is_live(const struct host *host);
void clones_started(struct host *host);
/* Its heads and names go up on that line; they arrive; the office answers. */
void clones_says_hello(struct line *line, const struct host *host);
void clones_hello(struct world *world, struct line *line);
void clones_welcomed(struct world *world, struct line *line);
void clones_refused(struct world *world, struct host *by, struct line *line,
                    const struct msg_refuse *refuse);
/* A batch of it goes up. It may have been turned away before, under a name that the machine linked
 * then has, too, and be let in now that that one is gone: from here on all that it has counts. */
void clones_goes_up(struct host *host);
/* At any time. */
void clones_check(struct world *world);
/* Who counts, when all is quiet. */
void clones_settle(struct world *world);
/* All has converged: what has to be in the ledger of the machine that counts, and what has not. */
void clones_converged(struct world *world);

#endif

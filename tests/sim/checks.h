/* layer: node store codec */
/* The invariants, each a named check:
 *
 * - durable: what was confirmed is in the ledger after every start, in its order; nothing else is
 * - escrow: what a parent acknowledged is in its file after every start
 * - states: every cell anywhere is a state that its origin went through
 * - forward: no cell ever goes back to an earlier state
 * - mark: when a child turns exact, its parent has every cell of it in the state that the child has
 * - entries: no cell of a child's own is ahead of the entries in its escrow
 * - ahead: none is sent before the entries that it counts
 * - resent: no entry goes up that the parent has said it has, or that went on this line before
 * - sums: every total is what the cells of the same file come to
 * - honest: what a node calls exact lacks nothing older than the silence limit
 * - lines: where two nodes in a line have lost entries, all in it have the same in the end
 * - clock: since when a child is exact is told by the parent's clock; a clock that is days behind
 *   what it has dated dates nothing
 * - exact: when all is healed, every total everywhere is what the model has
 * - conserved: then the counts of an origin's cells are its ledger's length, and nothing is held
 * - live: then every link is up, every node exact, in the time that is given
 * - verify: then the nodes' own recomputation finds no fault
 * - alarms: then no alarm is there that no fault explains
 * - named: a node whose data is of an older time is turned away, and its parent names it
 * - fenced: of machines with the data of one node one is linked at most, and not one that came
 * later while the other answers, or was turned away before; nobody is turned away as a copy where
 *   nothing was copied; what one had that counted is in the ledger of the one that counts in the
 *   end, and what was recorded on one that was turned away is not, unless it has a new identity, or
 *   is let in later, when the other is gone
 * - bounded: queues and backlogs keep to their limits
 * - opens: a file that no fault explains opens
 * - offers: an answer fits its question; what must be taken is taken
 * - wire: every message survives the codec and the framing
 * - join: who is invited is let in
 * - silent: long after the last fault few messages go
 */
#ifndef TALLY_SIM_CHECKS_H
#define TALLY_SIM_CHECKS_H

#include "world.h"

/* Silence limit, with what is on its way, on each of the ways to the top. */
enum { HONEST_SLACK_US = 45 * SECOND_US };

/* What a host says, looked at on its way out. */
void checks_sent(struct world *world, struct host *host, struct line *line,
                 const struct message *message);
/* The child has turned exact at the host: what it had at its revision `upto` is there. */
void checks_mark(struct world *world, struct host *host, struct host *child, int64_t upto);
/* A host has started: what must have survived. */
void checks_started(struct world *world, struct host *host);
/* What must hold at any time, at one host. */
void checks_host(struct world *world, struct host *host);
/* Of it, what every cell and every ledger in escrow is held against. */
void checks_cells(struct world *world, struct host *host);
/* What a host says about times; between two looks at all of it. */
void checks_times(struct world *world, struct host *host);
/* Which hosts their parents have turned away, and may: they stand apart. */
void checks_settle_apart(struct world *world);
bool checks_apart(const struct host *host);
/* What must hold when all is healed; false when it does not hold yet (with the reason as text).
 * Without `near_damage`: of the hosts that a damaged file has nothing to do with. */
bool checks_converged(struct world *world, bool near_damage, char *why, size_t size);
/* Questions while disks and memory fail: an answer is an error, or right. */
void checks_hard_questions(struct world *world, struct host *host);
/* Everything that must hold at the end. */
void checks_end(struct world *world);
/* Whether anybody near a damaged file says that something is wrong: an alarm, a file that does not
 * open, a child that is turned away. Then a doubt is no violation; else it is one. */
void checks_doubt(struct world *world);
/* What the root's cells of the measure raised come to; -1 when they cannot be read. */
int64_t checks_raised(struct world *world);
/* How many checks were made so far, and how many figures compared. */
void checks_counts(uint64_t *checks, uint64_t *figures);

#endif

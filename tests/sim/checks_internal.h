/* layer: node store codec */
/* Between the checks of any time (checks.c) and those of the end (checks_end.c). */
#ifndef TALLY_SIM_CHECKS_INTERNAL_H
#define TALLY_SIM_CHECKS_INTERNAL_H

#include "checks.h"

enum { SOURCES_MAX = 200 };

struct sources {
    int64_t nodes;
    int64_t exact;
    int64_t held;
    size_t stale_count;
    char stale[SOURCES_MAX][CODE_BYTES];
};

struct asked {
    const char *unit;
    struct period period;
    enum total_by by;
};

/* ahead.c: what the parent has of the ledger of the child on this line, and whether a batch on its
 * way up has cells of its own that count more. */
void checks_welcomed(struct line *line, const struct msg_welcome *welcome);
void checks_ahead(struct world *world, struct host *host, struct line *line,
                  const struct msg_batch *batch);

struct asked checks_any_question(struct world *world, struct host *host, struct chance *chance);

/* All measures at one host, held against the model: `view` NULL for everything there is (`exact`),
 * else what has been seen there (`sums`). */
void checks_totals(struct world *world, struct host *host, const struct asked *asked,
                   const struct model_view *view, struct sources *sources);

/* Whether every node on the way from `host` up to `top` is called exact. */
bool checks_all_exact(const struct sources *sources, const struct host *host,
                      const struct host *top);

#endif

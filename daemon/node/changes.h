/* What differs between two catalogues, in words for who applies one: "+ measure prizes",
 * "~ category group", "- target 42 accounts 2023". Whether a change is allowed is not asked here.
 */
#ifndef TALLY_NODE_CHANGES_H
#define TALLY_NODE_CHANGES_H

#include "base/arena.h"
#include "proto/catalogue.h"

enum { CHANGES_MAX = 1000 };

struct changes {
    const char **lines; /* at most CHANGES_MAX; of more, the last one says how many */
    size_t count;
};

/* Lines in the arena. Two catalogues that differ in nothing but the order of their parts have one
 * line that says so; equal ones have none. ERR_NO_MEMORY. */
enum err changes_list(const struct catalogue *old, const struct catalogue *next,
                      struct arena *arena, struct changes *out) MUST_CHECK;

#endif

/* How the two ends of a link find the cells that differ: sums over ranges of the cells of one
 * origin. What they are for says node/compare.c. */
#ifndef TALLY_PROTO_RANGES_H
#define TALLY_PROTO_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

/* A cell by its key, in words that both ends of a link share. */
struct cell_key {
    struct id origin;
    const char *unit;
    const char *measure;
    const char *category;
    int32_t period;
};

/* What a parent asks for to find the cells that differ: sums, each of `grain` cells of the origin
 * at most, in order of (unit, measure, category, period), texts by their bytes. */
struct range_ask {
    struct cell_key after; /* those behind it; an empty unit: from the first on */
    struct cell_key upto;  /* the last one */
    bool to_end;           /* `upto` is not looked at: up to the last that there is */
    uint32_t grain;
};

struct range_sum {
    struct cell_key last;
    struct id sum; /* of the hashes of the cells behind the last one of the sum before */
};

struct ranges {
    struct range_ask asked;
    const struct range_sum *sums; /* at most RANGES_MAX */
    size_t sum_count;
    bool end; /* behind the last sum there is nothing more of what was asked */
};

#endif

/* layer: base */
/* Random numbers that follow from a seed alone (splitmix64: Steele, Lea, Flood, "Fast splittable
 * pseudorandom number generators", 2014). Whoever has a generator of its own is not disturbed by
 * what others draw. */
#ifndef TALLY_SIM_CHANCE_H
#define TALLY_SIM_CHANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct chance {
    uint64_t state;
};

static inline uint64_t chance_next(struct chance *chance)
{
    chance->state += 0x9e3779b97f4a7c15u;
    uint64_t z = chance->state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* A generator for one thing of many under one seed. */
static inline struct chance chance_for(uint64_t seed, uint64_t thing)
{
    struct chance chance = {seed};
    uint64_t first = chance_next(&chance);
    chance.state = first ^ (thing * 0xd1342543de82ef95u);
    (void)chance_next(&chance);
    return chance;
}

/* 0..n-1; 0 for n = 0. */
static inline uint64_t chance_below(struct chance *chance, uint64_t n)
{
    uint64_t drawn = chance_next(chance);
    return n == 0 ? 0 : drawn % n;
}

static inline bool chance_percent(struct chance *chance, unsigned percent)
{
    return chance_below(chance, 100) < percent;
}

/* low..high */
static inline int64_t chance_between(struct chance *chance, int64_t low, int64_t high)
{
    return low + (int64_t)chance_below(chance, (uint64_t)(high - low) + 1);
}

static inline void chance_fill(struct chance *chance, void *out, size_t len)
{
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t drawn = chance_next(chance);
        memcpy(bytes + i, &drawn, len - i < 8 ? len - i : 8);
    }
}

#endif

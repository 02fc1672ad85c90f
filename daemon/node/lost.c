#include "node/lost.h"

#include <stdlib.h>
#include <string.h>

#include "node/internal.h"

enum { LOST_PAGE = 256, LOST_ARENA_BYTES = 4 << 20 };

struct before_key {
    int64_t base;
    int64_t segment;
};

void lost_init(struct lost *lost, struct store *store, int64_t own_origin)
{
    *lost = (struct lost){.store = store, .origin = own_origin};
    map_init(&lost->bases, sizeof(struct store_cell_key), sizeof(struct lost_base));
    map_init(&lost->whole, sizeof(int64_t), sizeof(bool));
    map_init(&lost->before, sizeof(struct before_key), sizeof(int64_t));
}

void lost_deinit(struct lost *lost)
{
    map_deinit(&lost->bases);
    map_deinit(&lost->whole);
    map_deinit(&lost->before);
}

/* ---- what a segment continues ---- */

/* Segments still to be followed. */
struct trail {
    int64_t *segments;
    size_t count;
    size_t cap;
    bool whole; /* what was followed so far is here */
};

static enum err follow(struct trail *trail, int64_t segment)
{
    if (trail->count == trail->cap) {
        size_t cap = trail->cap == 0 ? 64 : 2 * trail->cap;
        int64_t *more = realloc(trail->segments, cap * sizeof *more);
        if (more == NULL) {
            return ERR_NO_MEMORY;
        }
        trail->segments = more;
        trail->cap = cap;
    }
    trail->segments[trail->count++] = segment;
    return ERR_OK;
}

static enum err add_heads(struct lost *lost, int64_t base, const struct head *heads, size_t count,
                          struct trail *trail)
{
    for (size_t i = 0; i < count; i++) {
        struct store_segment segment;
        bool made;
        enum err err = store_segment_find(lost->store, &heads[i].segment, &segment);
        if (err == ERR_NOT_FOUND || (err == ERR_OK && segment.origin != lost->origin)) {
            trail->whole = false;
            continue;
        }
        TRY(err);
        trail->whole = trail->whole && segment.length >= (int64_t)heads[i].length;
        struct before_key key = {base, segment.id};
        int64_t *length = map_put(&lost->before, &key, &made);
        TRY(length == NULL ? ERR_NO_MEMORY : ERR_OK);
        int64_t continued = (int64_t)heads[i].length;
        *length = !made && *length > continued ? *length : continued;
        TRY(made ? follow(trail, segment.id) : ERR_OK);
    }
    return ERR_OK;
}

/* All that these segments continue, and all that those do. */
static enum err follow_all(struct lost *lost, int64_t base, struct trail *trail)
{
    struct arena arena;
    enum err err = ERR_OK;
    arena_init(&arena, LOST_ARENA_BYTES);
    while (err == ERR_OK && trail->count > 0) {
        struct bytes continues;
        struct head *heads;
        size_t n;
        int64_t next = trail->segments[--trail->count];
        arena_reset(&arena);
        err = store_segment_continues(lost->store, next, &arena, &continues);
        err = err == ERR_OK ? heads_decode(continues, &arena, &heads, &n) : err;
        err = err == ERR_OK ? add_heads(lost, base, heads, n, trail) : err;
    }
    arena_reset(&arena);
    free(trail->segments);
    return err;
}

static enum err load_before(struct lost *lost, int64_t base)
{
    struct trail trail = {.whole = true};
    struct before_key self = {base, base};
    bool made;
    int64_t *none = map_put(&lost->before, &self, &made);
    TRY(none == NULL ? ERR_NO_MEMORY : ERR_OK);
    if (!made) {
        return ERR_OK;
    }
    TRY(follow(&trail, base));
    TRY(follow_all(lost, base, &trail));
    bool *whole = map_put(&lost->whole, &base, NULL);
    TRY(whole == NULL ? ERR_NO_MEMORY : ERR_OK);
    *whole = trail.whole;
    return ERR_OK;
}

enum err lost_add_heads(struct lost *lost, const struct head *heads, size_t count)
{
    struct trail trail = {.count = 0};
    enum err err = add_heads(lost, 0, heads, count, &trail);
    if (err != ERR_OK) {
        free(trail.segments);
        return err;
    }
    return follow_all(lost, 0, &trail);
}

/* ---- bases ---- */

static enum err add_base(struct lost *lost, const struct store_placed *placed)
{
    const struct store_entry *entry = &placed->entry;
    struct entry_lost said;
    bool made;
    if (entry_lost_decode(entry->act, &said) != ERR_OK) {
        return ERR_OK; /* damaged, which shows in its chain */
    }
    struct store_cell_key key = {entry->unit, entry->measure, entry->category, said.period,
                                 lost->origin};
    struct lost_base *base = map_put(&lost->bases, &key, &made);
    TRY(base == NULL ? ERR_NO_MEMORY : ERR_OK);
    bool later =
        made || placed->clock > base->clock ||
        (placed->clock == base->clock && memcmp(placed->segment.b, base->name.b, ID_BYTES) > 0);
    int64_t gone = (made ? 0 : base->gone) + entry->refers_seq;
    base->gone = gone;
    if (!later) {
        return ERR_OK;
    }
    *base = (struct lost_base){.segment = entry->segment,
                               .seq = entry->seq,
                               .clock = placed->clock,
                               .name = placed->segment,
                               .count = said.count,
                               .live = said.live,
                               .above = said.above,
                               .gone = gone,
                               .value = entry->value,
                               .hosting = entry->hosting,
                               .day = entry->hosting > 0 ? entry->day : 0};
    return load_before(lost, entry->segment);
}

enum err lost_load(struct lost *lost)
{
    struct store_placed *page = malloc(LOST_PAGE * sizeof *page);
    struct store_entry after = {.unit = 0, .day = INT32_MIN};
    struct arena arena;
    size_t n = LOST_PAGE;
    enum err err = page == NULL ? ERR_NO_MEMORY : ERR_OK;
    arena_init(&arena, LOST_ARENA_BYTES);
    while (err == ERR_OK && n == LOST_PAGE) {
        arena_reset(&arena);
        err = store_entries_lost(lost->store, &after, &arena, page, LOST_PAGE, &n);
        for (size_t i = 0; err == ERR_OK && i < n; i++) {
            after = page[i].entry;
            err = add_base(lost, &page[i]);
        }
    }
    arena_reset(&arena);
    free(page);
    return err;
}

enum err lost_load_cell(struct lost *lost, const struct store_cell_key *key,
                        const struct measure *measure)
{
    struct store_stock_span span = cells_span(key, measure);
    struct store_placed placed;
    struct arena arena;
    arena_init(&arena, LOST_ARENA_BYTES);
    enum err err = store_entry_lost(lost->store, &span, &arena, &placed);
    err = err == ERR_OK ? add_base(lost, &placed) : err == ERR_NOT_FOUND ? ERR_OK : err;
    arena_reset(&arena);
    return err;
}

const struct lost_base *lost_base(const struct lost *lost, const struct store_cell_key *key)
{
    return lost->bases.count == 0 ? NULL : map_get(&lost->bases, key);
}

bool lost_before(const struct lost *lost, const struct lost_base *base, int64_t segment,
                 int64_t seq)
{
    struct before_key key = {base->segment, segment};
    const int64_t *length = map_get(&lost->before, &key);
    return length != NULL && seq <= *length;
}

bool lost_before_heads(const struct lost *lost, int64_t segment, int64_t seq)
{
    const struct lost_base heads = {.segment = 0};
    return lost_before(lost, &heads, segment, seq);
}

bool lost_ranks_above(const struct lost_base *base, bool live, int64_t hosting, int64_t day)
{
    bool higher = base->hosting != hosting ? base->hosting > hosting : base->day > day;
    return base->live > 0 && (!live || higher);
}

bool lost_stands(const struct lost *lost, const struct lost_base *base)
{
    const bool *whole = map_get(&lost->whole, &base->segment);
    return whole == NULL || !*whole;
}

void lost_stand(const struct lost_base *base, struct store_cell *cell)
{
    cell->count = base->count + 1;
    cell->live = base->live;
    cell->value = base->value;
    cell->hosting = base->hosting;
    cell->day = base->day;
}

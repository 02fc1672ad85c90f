#include "cells.h"

#include <stdlib.h>

#include "clones.h"

enum { PAGE = 256 };

/* Texts by their hash: keys of the table are compared byte by byte. */
struct seen_key {
    int64_t origin;
    int64_t unit;
    int64_t period;
    uint64_t measure;
    uint64_t category;
};

struct seen {
    int64_t count;
    int64_t rev;
    bool held;
    bool goes_up;
};

struct cells {
    struct map seen; /* seen_key -> struct seen */
};

static struct seen_key seen_key(const struct model_cell_key *key)
{
    return (struct seen_key){.origin = key->origin,
                             .unit = key->unit,
                             .period = key->period,
                             .measure = map_hash(key->measure, strlen(key->measure)),
                             .category = map_hash(key->category, strlen(key->category))};
}

int64_t cells_seen(void *cells, const struct model_cell_key *key)
{
    struct seen_key at = seen_key(key);
    const struct seen *seen = map_get(&((struct cells *)cells)->seen, &at);
    return seen == NULL || seen->held ? 0 : seen->count;
}

bool cells_all_above(const struct cells *below, int64_t upto, const struct cells *above,
                     bool or_newer, struct cells_lack *lack)
{
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&below->seen, &at, &key, &value)) {
        const struct seen *seen = value;
        const struct seen *there = map_get(&above->seen, key);
        int64_t above_count = there == NULL ? 0 : there->count;
        bool good = or_newer ? above_count >= seen->count : above_count == seen->count;
        if (seen->goes_up && seen->rev <= upto && !good) {
            const struct seen_key *cell = key;
            *lack = (struct cells_lack){(int)cell->unit, (int32_t)cell->period, seen->count,
                                        there == NULL ? 0 : there->count};
            return false;
        }
    }
    return true;
}

void cells_free(struct cells *cells)
{
    if (cells != NULL) {
        map_deinit(&cells->seen);
        free(cells);
    }
}

/* No cell of a file goes back. */
static bool check_forward(struct world *world, struct host *host, const struct store_cell *row,
                          const struct model_cell_key *key)
{
    int64_t *highest = map_put(&host->counts, &row->key, NULL);
    if (highest == NULL) {
        abort();
    }
    if (row->count < *highest) {
        world_violate(world, "forward",
                      "at %s, a cell of unit %s, measure %s went from count %lld "
                      "back to %lld",
                      host->code, model_unit_code(world->model, key->unit), key->measure,
                      (long long)*highest, (long long)row->count);
        return false;
    }
    *highest = row->count;
    return true;
}

static bool is_state(const struct world *world, const struct store_cell *row,
                     const struct model_cell_key *key)
{
    struct model_cell want;
    return model_cell_at(world->model, key, row->count, &want) && want.value == row->value &&
           want.live == row->live && want.day == row->day;
}

/* Of which time of its author the row is: as it is now, else as it was last. */
static bool find_time(const struct world *world, const struct host *author,
                      const struct store_cell *row, struct model_cell_key *key)
{
    int now = key->origin = author->shown;
    for (size_t i = author->was_count; i > 0 && !is_state(world, row, key); i--) {
        key->origin = author->was[i - 1];
    }
    bool found = is_state(world, row, key);
    key->origin = found ? key->origin : now;
    return found;
}

/* Of machines with the data of one node, the one that was welcomed last comes first. */
static void find_machine(const struct world *world, const struct host *author,
                         const struct store_cell *row, struct model_cell_key *key)
{
    const struct family *family = author->family;
    bool found = family != NULL && family->last != NULL && find_time(world, family->last, row, key);
    for (size_t i = 0; family != NULL && i < family->count && !found; i++) {
        found = find_time(world, family->machines[i], row, key);
    }
    if (!found) {
        (void)find_time(world, author, row, key);
    }
}

static bool check_state(struct world *world, struct host *host, const struct store_cell *row,
                        const struct model_cell_key *key)
{
    struct model_cell want;
    if (!model_cell_at(world->model, key, row->count, &want)) {
        world_violate(world, "states",
                      "at %s, a cell of unit %s, measure %s, category '%s', period %d of origin %d "
                      "counts %lld entries; there are %lld",
                      host->code, model_unit_code(world->model, key->unit), key->measure,
                      key->category, key->period, key->origin, (long long)row->count,
                      (long long)model_cell_count(world->model, key));
        return false;
    }
    if (want.value != row->value || want.live != row->live || want.day != row->day) {
        world_violate(world, "states",
                      "at %s, a cell of unit %s, measure %s, category '%s', period %d of origin %d "
                      "has value %lld, live %lld, day %lld at count %lld; it was %lld, %lld, %d",
                      host->code, model_unit_code(world->model, key->unit), key->measure,
                      key->category, key->period, key->origin, (long long)row->value,
                      (long long)row->live, (long long)row->day, (long long)row->count,
                      (long long)want.value, (long long)want.live, want.day);
        return false;
    }
    return true;
}

/* One row in the model's words. False when nobody in this world can have made it. */
static bool name_row(struct world *world, struct host *host, const struct store_cell *row,
                     struct model_cell_key *key)
{
    struct store_origin origin;
    const char *unit;
    *key = (struct model_cell_key){.period = (int32_t)row->key.period};
    if (store_origin_get(host->store, row->key.origin, &origin) != ERR_OK ||
        node_text(host->node, row->key.unit, &unit) != ERR_OK ||
        node_text(host->node, row->key.measure, &key->measure) != ERR_OK ||
        node_text(host->node, row->key.category, &key->category) != ERR_OK) {
        world_violate(world, "opens", "a cell of %s cannot be read", host->code);
        return false;
    }
    const struct host *author =
        id_equal(&origin.name, &host->origin) ? host : host_of_origin(world, &origin.name);
    key->unit = model_unit(world->model, unit);
    if (author == NULL || key->unit < 0) {
        world_violate(world, "states", "at %s, a cell of unit %s has an origin that is nobody's",
                      host->code, unit);
        return false;
    }
    key->origin = host->own;
    if (author != host) {
        find_machine(world, author, row, key);
    }
    return true;
}

static bool take_row(struct world *world, struct host *host, const struct store_cell *row,
                     struct cells *cells)
{
    struct model_cell_key key;
    if (!name_row(world, host, row, &key) || !check_state(world, host, row, &key) ||
        !check_forward(world, host, row, &key)) {
        return false;
    }
    struct seen_key at = seen_key(&key);
    struct seen *seen = map_put(&cells->seen, &at, NULL);
    if (seen == NULL) {
        abort();
    }
    *seen = (struct seen){row->count, row->rev, row->held != HOLD_NONE, row->scope != SCOPE_ABOVE};
    return true;
}

struct cells *cells_read(struct world *world, struct host *host)
{
    struct cells *cells = calloc(1, sizeof *cells);
    struct store_cell *page = calloc(PAGE, sizeof *page);
    struct store_cell_key after = {0};
    bool good = cells != NULL && page != NULL;
    size_t n = PAGE;
    if (!good) {
        abort();
    }
    map_init(&cells->seen, sizeof(struct seen_key), sizeof(struct seen));
    disk_pause(host->disk, true);
    while (good && n == PAGE) {
        good = store_cells(host->store, &after, page, PAGE, &n) == ERR_OK;
        if (!good) {
            world_violate(world, "opens", "the cells of %s cannot be read", host->code);
        }
        for (size_t i = 0; good && i < n; i++) {
            good = take_row(world, host, &page[i], cells);
            after = page[i].key;
        }
    }
    disk_pause(host->disk, false);
    free(page);
    if (!good) {
        cells_free(cells);
        return NULL;
    }
    return cells;
}

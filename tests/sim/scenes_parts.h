/* layer: node store codec */
/* What scenes are made of. */
#ifndef TALLY_SIM_SCENES_PARTS_H
#define TALLY_SIM_SCENES_PARTS_H

#include "acts.h"
#include "offers.h"
#include "scenes.h"

enum { ROOT, CHILD, GRANDCHILD };
enum { SETTLE_US = 4 * SECOND_US };

/* ---- what the scenes are made of ---- */

static inline void pass(struct world *world, int64_t us)
{
    world_run_until(world, world->now_us + us);
}

/* A headline in the trace. */
static inline void say(struct world *world, const char *text)
{
    world_trace(world, "-- %s", text);
}

/* A root and a district, quiet; nothing of that is shown. */
static inline void two_nodes(struct world *world)
{
    FILE *out = world->out;
    world->out = NULL;
    struct host *root = tree_root(world, "4", "province", 1);
    (void)tree_child(world, root, "42", "district");
    pass(world, SETTLE_US);
    world->out = out;
}

static inline void three_nodes(struct world *world)
{
    FILE *out = world->out;
    world->out = NULL;
    struct host *root = tree_root(world, "4", "province", 1);
    struct host *district = tree_child(world, root, "42", "district");
    (void)tree_child(world, district, "421", "commune");
    pass(world, SETTLE_US);
    world->out = out;
}

static inline void quietly(struct world *world, void (*act)(struct world *world))
{
    FILE *out = world->out;
    world->out = NULL;
    act(world);
    pass(world, SETTLE_US);
    world->out = out;
}

static inline void one_record(struct world *world)
{
    (void)acts_record(world, world->hosts[CHILD], "42", "raised", 1);
}

static inline void cut_off(struct world *world, struct host *host, bool apart)
{
    host->route.apart_until_us = apart ? INT64_MAX : 0;
    if (apart && host->up != NULL) {
        line_break(world, host->up, false);
    }
}

/* From here on nothing is checked, but the trace says all. */
static inline void disturb(struct world *world)
{
    world->flipped = true;
    world->hosts[ROOT]->spoiled = true;
}

static inline void keep_copy(struct world *world, struct host *host)
{
    host_stop(world, host, true);
    (void)disk_copy(host->disk, HOST_DATABASE, host->disk, "copy.db");
    host_start(world, host);
}

static inline void put_back(struct world *world, struct host *host)
{
    host_stop(world, host, true);
    (void)disk_copy(host->disk, "copy.db", host->disk, HOST_DATABASE);
    host_may_lose(host);
    host_start(world, host);
}

static inline void restart(struct world *world, struct host *host)
{
    host_stop(world, host, true);
    host_start(world, host);
}

static inline bool show_total(void *ctx, const struct message *message)
{
    const struct rep_total *total = &message->u.reply.u.total;
    for (size_t i = 0; message->u.reply.err == ERR_OK && i < total->row_count; i++) {
        const struct total_row *row = &total->rows[i];
        if (row->indicator) {
            bool none = row->indicator_value[0] == '\0';
            world_trace(ctx, "   %s %s=%s", row->unit, row->measure,
                        none ? "none" : row->indicator_value);
        } else {
            world_trace(ctx, "   %s %s=%lld of %lld entries", row->unit, row->measure,
                        (long long)row->value, (long long)row->entries);
        }
    }
    return true;
}

static inline void ask_total(struct world *world, struct host *host)
{
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = host->code,
                                              .has_period = true,
                                              .period = {FREQUENCY_YEAR, 2025},
                                              .level = "",
                                              .tree_as_of = DAY_NONE}};
    world_trace(world, "%s is asked total", host->code);
    if (host_query(world, host, &request, show_total, world) != ERR_OK) {
        world_violate(world, "opens", "%s does not answer", host->code);
    }
}

#endif

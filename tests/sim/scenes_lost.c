/* Scenes of entries that neither their node nor its parent has any more. */
#include "scenes_parts.h"

static void record(struct world *world)
{
    (void)acts_record(world, world->hosts[GRANDCHILD], "421", "raised", 2);
    (void)acts_record(world, world->hosts[GRANDCHILD], "421", "members", 2);
}

static void lose_both(struct world *world)
{
    put_back(world, world->hosts[CHILD]);
    put_back(world, world->hosts[GRANDCHILD]);
}

/* The district and the commune are put back; only the root knows what there was. */
static void begin(struct world *world)
{
    three_nodes(world);
    quietly(world, record);
    keep_copy(world, world->hosts[CHILD]);
    keep_copy(world, world->hosts[GRANDCHILD]);
    quietly(world, record);
    ask_total(world, world->hosts[ROOT]);
    disturb(world);
}

void scenes_entries_lost(struct world *world)
{
    begin(world);
    say(world, "the files of the district and the commune are of before the last four entries");
    lose_both(world);
    (void)acts_record(world, world->hosts[GRANDCHILD], "421", "raised", 1);
    pass(world, 4 * SETTLE_US);
    ask_total(world, world->hosts[ROOT]);
    ask_total(world, world->hosts[GRANDCHILD]);
    say(world, "the commune goes on");
    record(world);
    pass(world, SETTLE_US);
    ask_total(world, world->hosts[ROOT]);
    say(world, "its file is lost once more: what stands for lost entries comes back");
    put_back(world, world->hosts[GRANDCHILD]);
    pass(world, 2 * SETTLE_US);
    ask_total(world, world->hosts[GRANDCHILD]);
}

void scenes_lost_entries_back(struct world *world)
{
    struct host *commune;
    begin(world);
    commune = world->hosts[GRANDCHILD];
    host_stop(world, commune, true);
    (void)disk_copy(commune->disk, HOST_DATABASE, commune->disk, "later.db");
    host_start(world, commune);
    quietly(world, lose_both);
    pass(world, 2 * SETTLE_US);
    say(world, "a copy of the commune's file turns up that has the lost entries");
    host_stop(world, commune, true);
    (void)disk_copy(commune->disk, "later.db", commune->disk, HOST_DATABASE);
    host_start(world, commune);
    pass(world, 2 * SETTLE_US);
    ask_total(world, world->hosts[ROOT]);
    ask_total(world, commune);
    (void)acts_record(world, commune, "421", "raised", 1);
    pass(world, SETTLE_US);
    ask_total(world, world->hosts[ROOT]);
}

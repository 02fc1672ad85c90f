#include "scenarios.h"

#include "acts.h"
#include "checks.h"
#include "offers.h"
#include "old_schema.h"
#include "steps.h"
#include "store/internal.h"

enum { ROOT, DISTRICT, COMMUNE, OTHER };
enum { SETTLE_US = 8 * SECOND_US, ROWS = 30, ROWS_MANY = 40, BATCHES_MANY = 40 };

static void settle(struct world *world, int64_t us)
{
    world_run_until(world, world->now_us + us);
}

static struct host *host_at(struct world *world, int number)
{
    return world->hosts[number];
}

/* ---- before ---- */

static void nothing(struct world *world)
{
    (void)world;
}

static void some_records(struct world *world)
{
    for (int i = 0; i < 4; i++) {
        (void)acts_record(world, host_at(world, COMMUNE), "421", i % 2 == 0 ? "raised" : "members",
                          1);
        settle(world, SECOND_US);
    }
    settle(world, SETTLE_US);
}

static void many_records(struct world *world)
{
    for (int i = 0; i < BATCHES_MANY; i++) {
        (void)acts_record(world, host_at(world, COMMUNE), "421", i % 2 == 0 ? "raised" : "visits",
                          ROWS_MANY);
        settle(world, SECOND_US / 4);
    }
    settle(world, SETTLE_US);
}

static void killed(struct world *world, int number)
{
    some_records(world);
    (void)acts_record(world, host_at(world, COMMUNE), "421", "raised", ROWS);
    settle(world, SECOND_US);
    host_kill(world, host_at(world, number), DISK_KEPT, false);
}

static void commune_killed(struct world *world)
{
    killed(world, COMMUNE);
}

static void district_killed(struct world *world)
{
    killed(world, DISTRICT);
}

static void backlog(struct world *world)
{
    struct host *host = host_at(world, COMMUNE);
    some_records(world);
    host->route.apart_until_us = INT64_MAX;
    if (host->up != NULL) {
        line_break(world, host->up, false);
    }
    (void)acts_record(world, host_at(world, COMMUNE), "421", "raised", ROWS);
    settle(world, SETTLE_US);
}

static void hosted_unit(struct world *world)
{
    (void)tree_unit(world, host_at(world, DISTRICT), "c1", "commune", "");
    (void)acts_record(world, host_at(world, DISTRICT), "c1", "members", 3);
    settle(world, SETTLE_US);
}

/* The root is put back to before a catalogue that the others have. */
static void root_behind(struct world *world)
{
    struct host *root = host_at(world, ROOT);
    some_records(world);
    host_stop(world, root, true);
    (void)disk_copy(root->disk, HOST_DATABASE, root->disk, "copy.db");
    host_start(world, root);
    acts_publish(world, 2);
    settle(world, SETTLE_US);
    (void)acts_record(world, host_at(world, COMMUNE), "421", "classes", 5);
    settle(world, SETTLE_US);
    host_stop(world, root, true);
    (void)disk_copy(root->disk, "copy.db", root->disk, HOST_DATABASE);
    host_may_lose(root);
}

static void root_lacks_a_measure(struct world *world)
{
    root_behind(world);
    host_start(world, host_at(world, ROOT));
    settle(world, SETTLE_US);
}

/* The commune is put back to before what its parent has had from it. */
static void commune_behind(struct world *world)
{
    struct host *host = host_at(world, COMMUNE);
    some_records(world);
    host_stop(world, host, true);
    (void)disk_copy(host->disk, HOST_DATABASE, host->disk, "copy.db");
    host_start(world, host);
    settle(world, SETTLE_US);
    (void)acts_record(world, host, "421", "raised", ROWS);
    acts_correct(world, host, 1, false);
    settle(world, SETTLE_US);
    host_stop(world, host, true);
    (void)disk_copy(host->disk, "copy.db", host->disk, HOST_DATABASE);
    host_may_lose(host);
}

/* The commune and its district are put back to before what only the root knows of now. */
static void line_behind(struct world *world)
{
    struct host *line[] = {host_at(world, COMMUNE), host_at(world, DISTRICT)};
    some_records(world);
    for (int i = 0; i < 2; i++) {
        host_stop(world, line[i], true);
        (void)disk_copy(line[i]->disk, HOST_DATABASE, line[i]->disk, "copy.db");
        host_start(world, line[i]);
    }
    settle(world, SETTLE_US);
    (void)acts_record(world, line[0], "421", "raised", ROWS);
    (void)acts_record(world, line[0], "421", "members", 2);
    settle(world, SETTLE_US);
    world->least = checks_raised(world);
    world->in_line = true;
    for (int i = 0; i < 2; i++) {
        host_stop(world, line[i], true);
        (void)disk_copy(line[i]->disk, "copy.db", line[i]->disk, HOST_DATABASE);
        host_may_lose(line[i]);
        line[i]->in_line = true;
    }
    host_start(world, line[1]);
    settle(world, SETTLE_US);
}

/* The commune's file is one of the release before. */
static void old_schema(struct world *world)
{
    struct host *host = host_at(world, COMMUNE);
    char path[DISK_PATH_BYTES];
    sqlite3 *db = NULL;
    some_records(world);
    host_stop(world, host, true);
    if (sqlite3_open(disk_path(host->disk, HOST_DATABASE, path), &db) != SQLITE_OK ||
        sqlite3_exec(db, OLD_SCHEMA_SQL, NULL, NULL, NULL) != SQLITE_OK) {
        world_violate(world, "opens", "the old file cannot be made: %s", sqlite3_errmsg(db));
    }
    (void)sqlite3_close(db);
}

/* ---- acts ---- */

static void records(struct world *world)
{
    (void)acts_record(world, host_at(world, COMMUNE), "421", "raised", 1);
}

static void imports(struct world *world)
{
    (void)acts_record(world, host_at(world, COMMUNE), "421", "raised", ROWS);
    (void)acts_record(world, host_at(world, COMMUNE), "421", "members", 2);
}

static void imports_at_both(struct world *world)
{
    imports(world);
    (void)acts_record(world, host_at(world, OTHER), "422", "raised", 5);
}

static void corrects(struct world *world)
{
    acts_correct(world, host_at(world, COMMUNE), 0, false);
    acts_correct(world, host_at(world, COMMUNE), 1, false);
    acts_correct(world, host_at(world, COMMUNE), 2, true);
}

static void starts(struct world *world)
{
    for (int number = ROOT; number <= OTHER; number++) {
        host_start(world, host_at(world, number));
    }
}

/* Somebody types before what was lost is back. */
static void starts_and_records(struct world *world)
{
    starts(world);
    (void)acts_record(world, host_at(world, COMMUNE), "421", "raised", 2);
}

static void stops(struct world *world)
{
    imports(world);
    settle(world, SECOND_US / 2);
    host_stop(world, host_at(world, COMMUNE), true);
    host_start_later(world, host_at(world, COMMUNE), SECOND_US);
}

static void opens_the_way(struct world *world)
{
    host_at(world, COMMUNE)->route.apart_until_us = 0;
}

static void invites(struct world *world)
{
    offers_invite(world, host_at(world, DISTRICT), "423", "commune", -1);
}

static void invites_hosted(struct world *world)
{
    offers_invite(world, host_at(world, DISTRICT), "c1", "commune", model_unit(world->model, "c1"));
}

static void publishes(struct world *world)
{
    acts_publish(world, 2);
}

static void adds_units(struct world *world)
{
    acts_unit(world, host_at(world, COMMUNE), "b1");
    acts_unit(world, host_at(world, COMMUNE), "b2");
    (void)acts_record(world, host_at(world, COMMUNE), "421", "visits", 2);
}

static void asks(struct world *world)
{
    checks_hard_questions(world, host_at(world, DISTRICT));
}

static void records_much(struct world *world)
{
    for (int i = 0; i < 12; i++) {
        (void)acts_record(world, host_at(world, COMMUNE), "421", "visits", ROWS_MANY);
    }
}

/* ---- all of them ---- */

const struct scenario SCENARIOS[] = {
    {"first-entry", COMMUNE, nothing, records},
    {"import", COMMUNE, some_records, imports},
    {"corrections", COMMUNE, some_records, corrects},
    {"escrow", DISTRICT, some_records, imports},
    {"roll-up", ROOT, some_records, imports_at_both},
    {"start", COMMUNE, commune_killed, starts},
    {"start-of-a-parent", DISTRICT, district_killed, starts},
    {"clean-stop", COMMUNE, some_records, stops},
    {"resume", COMMUNE, backlog, opens_the_way},
    {"resume-at-the-parent", DISTRICT, backlog, opens_the_way},
    {"join", DISTRICT, nothing, invites},
    {"late-node", DISTRICT, hosted_unit, invites_hosted},
    {"catalogue", ROOT, some_records, publishes},
    {"catalogue-below", DISTRICT, some_records, publishes},
    {"units", DISTRICT, some_records, adds_units},
    {"checkpoint", DISTRICT, many_records, records_much},
    {"parent-put-back", ROOT, root_behind, starts},
    {"held-rows", ROOT, root_lacks_a_measure, publishes},
    {"heal", COMMUNE, commune_behind, starts_and_records},
    {"give-back", DISTRICT, commune_behind, starts_and_records},
    {"seal", COMMUNE, line_behind, starts_and_records},
    {"tell-below", DISTRICT, line_behind, starts_and_records},
    {"migration", COMMUNE, old_schema, starts},
    {"questions", DISTRICT, some_records, asks},
};
const size_t SCENARIO_COUNT = sizeof SCENARIOS / sizeof *SCENARIOS;

static void no_step(struct world *world, uint64_t number)
{
    (void)world;
    (void)number;
}

struct world *scenario_world(const struct scenario *scenario, uint64_t seed)
{
    struct world *world = world_new(seed, true);
    world->on_step = no_step;
    struct host *root = tree_root(world, "4", "province", 1);
    struct host *district = world->violated ? root : tree_child(world, root, "42", "district");
    if (!world->violated) {
        (void)tree_child(world, district, "421", "commune");
    }
    if (!world->violated) {
        (void)tree_child(world, district, "422", "commune");
    }
    settle(world, SETTLE_US);
    if (!world->violated) {
        scenario->before(world);
    }
    return world;
}

/* What goes wrong: each kind of fault, and the end of all of them. */
#include "steps.h"

#include "cells.h"
#include "clones.h"
#include "offers.h"
#include "store/internal.h"

struct harm {
    struct world *world;
    struct host *host;
    struct chance chance;
    bool nothing; /* there was nobody, or nothing, to harm */
};

static int64_t some_us(struct harm *harm, int64_t low_ms, int64_t high_ms)
{
    return chance_between(&harm->chance, low_ms, high_ms) * MS_US;
}

static enum disk_damage some_damage(struct harm *harm)
{
    return (enum disk_damage)(DISK_LOST +
                              chance_below(&harm->chance, DISK_DAMAGE_COUNT - DISK_LOST));
}

static void start_soon(struct harm *harm, struct host *host)
{
    host_start_later(harm->world, host, some_us(harm, 300, 30000));
}

/* The process ends at one of the next operations of its disk. */
static void stop_at(struct harm *harm, enum disk_damage damage)
{
    static const unsigned OPS[] = {DISK_ANY, DISK_WRITE | DISK_SYNC, DISK_SYNC,
                                   DISK_WRITE | DISK_TRUNCATE | DISK_DELETE | DISK_SHARE};
    size_t which = (size_t)chance_below(&harm->chance, sizeof OPS / sizeof *OPS);
    struct disk_fault fault = {.kind = DISK_STOP, .ops = OPS[which], .persistent = true};
    fault.after = chance_below(&harm->chance, which == 0 ? 400 : which == 2 ? 6 : 60);
    harm->host->damage = damage;
    disk_set_fault(harm->host->disk, &fault);
}

static void disk_fault(struct harm *harm, enum disk_fault_kind kind, bool persistent)
{
    struct disk_fault fault = {.kind = kind, .persistent = persistent};
    fault.ops = kind == DISK_FULL ? DISK_WRITE | DISK_SHARE : DISK_ANY;
    fault.after = chance_below(&harm->chance, 150);
    disk_set_fault(harm->host->disk, &fault);
}

static void storm(struct harm *harm)
{
    harm->nothing = true;
    for (size_t i = 0; i < harm->world->host_count; i++) {
        struct host *host = harm->world->hosts[i];
        if (host_within(host, harm->host)) {
            enum disk_damage damage =
                chance_percent(&harm->chance, 50) ? DISK_KEPT : some_damage(harm);
            harm->nothing = harm->nothing && host->state != HOST_UP;
            host_kill(harm->world, host, damage, damage != DISK_KEPT);
            start_soon(harm, host);
        }
    }
}

static void block(struct harm *harm, bool child_end, bool parent_end)
{
    int64_t until = harm->world->now_us + some_us(harm, 500, 60000);
    int64_t *blocked = harm->host->route.blocked_until_us;
    if (child_end && blocked[CHILD_END] < until) {
        blocked[CHILD_END] = until;
    }
    if (parent_end && blocked[PARENT_END] < until) {
        blocked[PARENT_END] = until;
    }
}

static void set_apart(struct harm *harm, struct host *host, int64_t until, bool silent)
{
    host->route.apart_until_us = until;
    if (host->up != NULL) {
        line_break(harm->world, host->up, silent);
    }
}

static void partition(struct harm *harm)
{
    int64_t until = harm->world->now_us + some_us(harm, 1000, 120000);
    bool silent = chance_percent(&harm->chance, 50);
    for (size_t i = 0; i < harm->world->host_count; i++) {
        struct host *host = harm->world->hosts[i];
        if (host == harm->host ||
            (host->parent == harm->host && chance_percent(&harm->chance, 50))) {
            set_apart(harm, host, until, silent);
        }
    }
}

static void slow_line(struct harm *harm)
{
    harm->host->route.latency_us = some_us(harm, 1, 800);
    harm->host->route.bytes_per_s =
        chance_percent(&harm->chance, 50) ? chance_between(&harm->chance, 1000, 20000) : 0;
}

/* Whether the other one has lost entries, above or below: what both have lost, one above may know
 * and nobody have. */
static bool loses_in_line(const struct host *host, const struct host *other)
{
    return other != host && other->may_lose &&
           (host_within(host, other) || host_within(other, host));
}

static bool has_loser_in_line(const struct host *host)
{
    bool found = false;
    for (size_t i = 0; i < host->world->host_count && !found; i++) {
        found = loses_in_line(host, host->world->hosts[i]);
    }
    return found;
}

static void mark_losers_in_line(struct host *host)
{
    for (size_t i = 0; i < host->world->host_count; i++) {
        struct host *other = host->world->hosts[i];
        if (loses_in_line(host, other)) {
            host->world->in_line = host->in_line = other->in_line = true;
        }
    }
}

/* In the place of the file of a node that does not run: a new one, which knows who the node is and
 * nothing else. */
static bool make_anew(struct host *host, struct bytes identity)
{
    char path[DISK_PATH_BYTES];
    struct store *store = NULL;
    struct errmsg msg;
    struct node_aside aside = {.name = "aside", .text = "the old file was set aside"};
    (void)disk_remove(host->disk, HOST_DATABASE);
    enum err err =
        store_open(disk_path(host->disk, HOST_DATABASE, path), STORE_CREATE, &store, &msg);
    err = err == ERR_OK ? node_make_again(store, identity, &host->key, &aside, &msg) : err;
    err = err == ERR_OK ? store_begin(store) : err; /* somebody has asked for a verify */
    err = err == ERR_OK ? store_alarms_delete_mended(store) : err;
    err = err == ERR_OK ? store_commit(store) : err;
    store_close(store);
    return err == ERR_OK;
}

/* The file is copied the first time, while nobody uses it; later the copy is put in its place, or
 * the file is set aside and made anew. */
static void copy(struct harm *harm)
{
    struct host *host = harm->host;
    harm->nothing = host->state != HOST_UP ||
                    (has_loser_in_line(host) && !host->copied && chance_percent(&harm->chance, 50));
    if (harm->nothing) {
        return;
    }
    disk_set_fault(host->disk, NULL); /* a file that was not closed well is no copy */
    if (!host->copied) {
        host_stop(harm->world, host, true);
        host->copied = disk_copy(host->disk, HOST_DATABASE, host->disk, "copy.db");
        start_soon(harm, host);
        return;
    }
    for (size_t i = 0; i < harm->world->host_count; i++) { /* what they have, they are to keep */
        struct host *child = harm->world->hosts[i];
        if (child->parent == host && child->state == HOST_UP && !child->may_lose) {
            cells_free(cells_read(harm->world, child));
        }
    }
    struct buf identity;
    buf_init(&identity, FRAME_MAX_BYTES);
    bool anew = host->parent != NULL && chance_percent(&harm->chance, 40) &&
                node_identity_bytes(host->store, &identity) == ERR_OK;
    host_kill(harm->world, host, DISK_KEPT, false);
    (void)disk_remove(host->disk, HOST_DATABASE "-wal");
    anew = anew && make_anew(host, buf_bytes(&identity));
    if (!anew) {
        (void)disk_copy(host->disk, "copy.db", host->disk, HOST_DATABASE);
    }
    host->copied = !anew; /* the sessions of the copy end with the old file: who put it back would
                             be turned away */
    buf_deinit(&identity);
    host_may_lose(host);
    mark_losers_in_line(host);
    world_trace(harm->world, "%s is %s", host->code, anew ? "made anew" : "put back");
    start_soon(harm, host);
}

/* And so is that of the office above. */
static void copy_line(struct harm *harm)
{
    struct host *host = harm->host;
    harm->nothing = host->depth < 2 || host->parent->copied != host->copied;
    if (harm->nothing) {
        return;
    }
    copy(harm);
    harm->host = host->parent;
    copy(harm);
}

/* First the disk begins to lie; the next time its power is cut. */
static void lie(struct harm *harm)
{
    struct host *host = harm->host;
    harm->nothing = host->state != HOST_UP || has_loser_in_line(host);
    if (harm->nothing) {
        return;
    }
    if (!host->may_lose) {
        host_may_lose(host);
        disk_set_lying(host->disk, true);
        world_trace(harm->world, "the disk of %s lies from now on", host->code);
        return;
    }
    /* Mostly an earlier state that looks sound; else one that may be torn. */
    bool sound = chance_percent(&harm->chance, 70);
    enum disk_damage earlier = chance_percent(&harm->chance, 50) ? DISK_LOST : DISK_CUT_SHORT;
    host->doubtful = host->doubtful || !sound;
    harm->world->flipped = harm->world->flipped || !sound;
    host_kill(harm->world, host, sound ? earlier : some_damage(harm), true);
    disk_set_lying(host->disk, false);
    map_clear(&host->counts);
    start_soon(harm, host);
}

static void flip(struct harm *harm)
{
    struct host *host = harm->host;
    harm->nothing = host->state != HOST_UP;
    if (harm->nothing) {
        return;
    }
    host_stop(harm->world, host, true);
    for (int64_t n = chance_between(&harm->chance, 1, 3); n > 0; n--) {
        (void)disk_flip(host->disk, HOST_DATABASE, chance_next(&harm->chance));
    }
    host->doubtful = host->bitten = true;
    harm->world->flipped = true;
    world_trace(harm->world, "bits of %s are flipped", host->code);
    start_soon(harm, host);
}

/* What can be had again from elsewhere: from the ledger, from the cells, from the origin. */
static const char *const SPOILS[] = {
    "UPDATE cell SET value=value%+lld WHERE rev=(SELECT rev FROM cell ORDER BY rev %s LIMIT 1)",
    "UPDATE cell SET count=max(count%+lld,1) WHERE rev=(SELECT max(rev) FROM cell)%.0s",
    "UPDATE cell SET live=abs(live%+lld) WHERE rev=(SELECT rev FROM cell ORDER BY rev %s LIMIT 1)",
    "UPDATE cell SET hosting=abs(hosting%+lld) WHERE rev=(SELECT max(rev) FROM cell)%.0s",
    "UPDATE cell SET hash=zeroblob(16) WHERE value>%lld AND rev=(SELECT rev FROM cell ORDER BY rev "
    "%s LIMIT 1)",
    "UPDATE total SET low=low%+lld WHERE unit=(SELECT unit FROM total ORDER BY low %s LIMIT 1)",
    "UPDATE total SET entries=abs(entries%+lld)%.0s",
    "DELETE FROM total WHERE low>%lld%.0s",
    "DELETE FROM cell WHERE value>%lld AND rev=(SELECT rev FROM cell ORDER BY rev %s LIMIT 1)",
    "UPDATE entry SET now_value=now_value%+lld WHERE own=1 AND kind=1 AND seq=(SELECT seq FROM "
    "entry "
    "WHERE own=1 AND kind=1 ORDER BY recorded_at %s LIMIT 1)",
    "UPDATE entry SET live=1-live WHERE own=1 AND kind=1 AND now_value>%lld%.0s",
};

static void spoil(struct harm *harm)
{
    struct host *host = harm->host;
    char sql[320];
    long long by = chance_between(&harm->chance, 1, 9);
    const char *from = chance_percent(&harm->chance, 50) ? "ASC" : "DESC";
    const char *what = SPOILS[chance_below(&harm->chance, sizeof SPOILS / sizeof *SPOILS)];
    harm->nothing = host->state != HOST_UP;
    if (harm->nothing) {
        return;
    }
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)snprintf(sql, sizeof sql, what, chance_percent(&harm->chance, 50) ? by : -by, from);
#pragma GCC diagnostic pop
    disk_pause(host->disk, true);
    bool changed = sqlite3_exec(host->store->db, sql, NULL, NULL, NULL) == SQLITE_OK;
    disk_pause(host->disk, false);
    harm->world->flipped = harm->world->spoiled = host->spoiled = true;
    world_trace(harm->world, "%s at %s: %s", changed ? "changed" : "not changed", host->code, sql);
    if (chance_percent(&harm->chance, 50)) {
        host_stop(harm->world, host, true);
        start_soon(harm, host);
    }
}

static void lose_file(struct harm *harm)
{
    struct host *host = harm->host;
    harm->nothing = host->state != HOST_UP;
    if (harm->nothing) {
        return;
    }
    host_kill(harm->world, host, DISK_KEPT, false);
    (void)disk_remove(host->disk, HOST_DATABASE);
    (void)disk_remove(host->disk, HOST_DATABASE "-wal");
    host->lost = true;
    world_trace(harm->world, "the file of %s is gone", host->code);
    start_soon(harm, host);
}

static void harm_process(struct harm *harm, enum step_kind kind)
{
    struct world *world = harm->world;
    struct host *host = harm->host;
    harm->nothing = host->state != HOST_UP;
    if (kind == STEP_KILL) {
        host_kill(world, host, DISK_KEPT, false);
        start_soon(harm, host);
    } else if (kind == STEP_POWER) {
        host_kill(world, host, some_damage(harm), true);
        start_soon(harm, host);
    } else if (kind == STEP_RESTART) {
        host_stop(world, host, true);
        start_soon(harm, host);
    } else if (kind == STEP_STORM) {
        storm(harm);
    } else if (kind == STEP_KILL_AT) {
        stop_at(harm, DISK_KEPT);
    } else {
        stop_at(harm, some_damage(harm));
    }
}

static void harm_line(struct harm *harm, enum step_kind kind)
{
    struct host *host = harm->host;
    harm->nothing = host->parent == NULL && kind != STEP_PARTITION;
    if (kind == STEP_BREAK || kind == STEP_HALF_OPEN) {
        harm->nothing = host->up == NULL;
        if (host->up != NULL) {
            line_break(harm->world, host->up, kind == STEP_HALF_OPEN);
        }
    } else if (kind == STEP_STALL) {
        block(harm, true, true);
    } else if (kind == STEP_ONE_WAY) {
        bool down = chance_percent(&harm->chance, 50);
        block(harm, down, !down);
    } else if (kind == STEP_APART) {
        bool silent = chance_percent(&harm->chance, 50);
        set_apart(harm, host, harm->world->now_us + some_us(harm, 1000, 120000), silent);
    } else if (kind == STEP_PARTITION) {
        partition(harm);
    } else if (kind == STEP_SLOW_LINE) {
        slow_line(harm);
    } else {
        host->route.twice_percent = (unsigned)chance_below(&harm->chance, 40);
        host->route.again_percent = (unsigned)chance_below(&harm->chance, 30);
    }
}

static void harm_clock(struct harm *harm, enum step_kind kind)
{
    struct host *host = harm->host;
    int64_t now = host_now(harm->world, host).wall.ms;
    if (kind == STEP_CLOCK_JUMP) {
        host->wall_offset_ms +=
            chance_between(&harm->chance, -3 * (int64_t)DAY_MS, 3 * (int64_t)DAY_MS);
    } else if (kind == STEP_CLOCK_DRIFT) {
        bool stands = chance_percent(&harm->chance, 15);
        host->drift_ppm = stands ? -1000000 : chance_between(&harm->chance, -100000, 100000);
        host->drift_from_us = harm->world->now_us;
        host->wall_offset_ms += now - host_now(harm->world, host).wall.ms;
    } else {
        host->wall_offset_ms += chance_between(&harm->chance, -7000, 7000) * (int64_t)DAY_MS;
        if (host_now(harm->world, host).wall.ms < (int64_t)365 * DAY_MS) {
            host->wall_offset_ms = 0;
        }
    }
}

static void harm_disk(struct harm *harm, enum step_kind kind)
{
    struct host *host = harm->host;
    if (kind == STEP_SLOW_DISK) {
        host->op_us = chance_between(&harm->chance, 0, 3000);
        host->sync_us = some_us(harm, 5, 400);
    } else if (kind == STEP_DISK_ERROR) {
        disk_fault(harm, DISK_FAIL, false);
    } else if (kind == STEP_DISK_FULL) {
        disk_fault(harm, DISK_FULL, false);
    } else {
        disk_fault(harm, DISK_FULL, true);
    }
}

static void harm_file(struct harm *harm, enum step_kind kind)
{
    size_t others = harm->world->host_count - 1;
    if (kind != STEP_COPY_ROOT && kind != STEP_FLIP && kind != STEP_SPOIL) {
        size_t number = (size_t)harm->host->number;
        bool district = kind == STEP_COPY_CHILD && number % 2 == 0;
        harm->host = harm->world->hosts[1 + (district ? number / 2 % harm->world->plan->districts
                                                      : number % others)];
    }
    if (kind == STEP_COPY_ROOT) {
        harm->host = harm->world->hosts[0];
        copy(harm);
    } else if (kind == STEP_COPY_CHILD) {
        copy(harm);
    } else if (kind == STEP_COPY_LINE) {
        copy_line(harm);
    } else if (kind == STEP_LIE) {
        lie(harm);
    } else if (kind == STEP_FLIP) {
        flip(harm);
    } else if (kind == STEP_SPOIL) {
        spoil(harm);
    } else {
        lose_file(harm);
    }
}

void faults_do(struct world *world, const struct step *step)
{
    struct harm harm = {.world = world,
                        .host = world->hosts[step->host % world->host_count],
                        .chance = {step->draw}};
    world_trace(world, "fault: %s at %s", step_name(step->kind), harm.host->code);
    if (step->kind <= STEP_STORM) {
        harm_process(&harm, step->kind);
    } else if (step->kind <= STEP_DISK_STAYS_FULL) {
        harm_disk(&harm, step->kind);
    } else if (step->kind <= STEP_TWICE) {
        harm_line(&harm, step->kind);
    } else if (step->kind <= STEP_CLOCK_YEARS) {
        harm_clock(&harm, step->kind);
    } else if (step->kind < STEP_FIRST_COPY) {
        harm_file(&harm, step->kind);
    } else {
        harm.nothing = !clones_do(world, step, &harm.chance);
    }
    world->faults += harm.nothing ? 0 : 1;
}

void faults_heal(struct world *world)
{
    world->healing = true;
    clones_heal(world);
    for (size_t i = 0; i < world->host_count; i++) {
        struct host *host = world->hosts[i];
        disk_set_fault(host->disk, NULL);
        if (!host->may_lose) {
            disk_set_lying(host->disk, false);
        }
        host->op_us = 0;
        host->sync_us = 0;
        host->damage = DISK_KEPT;
        host->route = (struct route){.latency_us = 20 * MS_US};
        if (host->spoiled && host->state == HOST_UP) {
            host_stop(world, host, true); /* it looks at its file after a start, or once a day */
        }
        host_start_later(world, host, chance_between(&host->chance, 0, 2000) * MS_US);
    }
    lines_go_on(world);
}

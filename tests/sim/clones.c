#include "clones.h"

#include <stdlib.h>

#include "acts.h"
#include "checks.h"
#include "offers.h"

enum { TURN_PERCENT = 40, GATHER_PERCENT = 70 };

/* ---- machines ---- */

static struct family *family_of(struct world *world, struct host *host)
{
    if (host->family == NULL) {
        struct family *family = calloc(1, sizeof *family);
        if (family == NULL) {
            abort();
        }
        map_init(&family->ended, sizeof(uint64_t), 0);
        family->next = world->families;
        family->machines[family->count++] = host;
        world->families = family;
        host->family = family;
        map_init(&host->knows, sizeof(uint64_t), 0);
        host->may_lose = true; /* no: but its ledger is not one line any more */
    }
    return host->family;
}

void clones_free(struct world *world)
{
    while (world->families != NULL) {
        struct family *next = world->families->next;
        for (size_t i = 0; i < world->families->count; i++) {
            map_deinit(&world->families->machines[i]->knows);
        }
        map_deinit(&world->families->ended);
        free(world->families);
        world->families = next;
    }
}

static void add_number(struct map *to, uint64_t number)
{
    if (map_put(to, &number, NULL) == NULL) {
        abort();
    }
}

static void copy_numbers(const struct map *from, struct map *to)
{
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(from, &at, &key, &value)) {
        add_number(to, *(const uint64_t *)key);
    }
}

void clones_started(struct host *host)
{
    if (host->family == NULL) {
        return;
    }
    bool alike = host->process == host->alike_process; /* and so is the name of this process */
    host->session = alike ? host->alike_session : ++host->family->sessions;
    add_number(&host->knows, host->session);
}

/* ---- copies ---- */

static struct host *twin_of(struct world *world, struct host *from)
{
    struct family *family = family_of(world, from);
    struct host *twin = host_new(world, from->code, from->level, from->parent);
    twin->key = from->key;
    twin->node_id = from->node_id;
    twin->origin = from->origin;
    twin->rank = from->rank;
    twin->generation = from->generation;
    twin->superseded = from->superseded;
    twin->fenced = from->fenced;
    twin->fenced_us = from->fenced_us =
        world->now_us; /* what it has so far may come by way of both */
    twin->escrow_acked = from->escrow_acked;
    twin->newest_ms = from->newest_ms;
    twin->wall_offset_ms = from->wall_offset_ms;
    twin->may_lose = true;
    twin->family = family;
    map_init(&twin->knows, sizeof(uint64_t), 0);
    copy_numbers(&from->knows, &twin->knows);
    copy_numbers(&from->marks, &twin->marks);
    book_copy(from, twin);
    family->machines[family->count++] = twin;
    return twin;
}

/* Its process runs on, and from now on it has a number. */
static void number_process(struct family *family, struct host *host)
{
    host->session = ++family->sessions;
    add_number(&host->knows, host->session);
    if (host->up != NULL) {
        host->up->session = host->session;
    }
    family->welcomed = clones_is_live(host) ? host->session : 0;
}

/* The image of a machine, which runs on, or has stopped, or was killed; NULL when it cannot be had.
 */
static struct host *copy_image(struct world *world, struct host *from, bool running, bool clean)
{
    size_t at = 0;
    if (from->state != HOST_UP || (from->family != NULL && from->family->count == MACHINES_MAX)) {
        return NULL;
    }
    disk_set_fault(from->disk, NULL);
    if (running) {
        if (from->family == NULL) {
            number_process(family_of(world, from), from);
        }
    } else if (clean) {
        host_stop(world, from, true);
    } else {
        host_kill(world, from, DISK_KEPT, false);
    }
    if (offers_unsure(world, from, &at) != NULL) { /* the book does not know what it has */
        host_start_later(world, from, SECOND_US);
        return NULL;
    }
    struct host *twin = twin_of(world, from);
    (void)disk_copy(from->disk, HOST_DATABASE, twin->disk, HOST_DATABASE);
    (void)disk_copy(from->disk, HOST_DATABASE "-wal", twin->disk, HOST_DATABASE "-wal");
    world_trace(world, "the image of %s is copied: h%d from h%d", from->code, twin->number,
                from->number);
    return twin;
}

static void start_soon(struct world *world, struct host *host, struct chance *chance)
{
    host_start_later(world, host, chance_between(chance, 300, 30000) * MS_US);
}

static void switch_off(struct world *world, struct host *host)
{
    if (host->state == HOST_DOWN) {
        world_trace(world, "h%d of %s is off", host->number, host->code);
        host->state = HOST_OFF;
    }
}

static bool do_clone(struct world *world, struct host *from, bool running, struct chance *chance)
{
    struct host *twin = copy_image(world, from, running, chance_percent(chance, 50));
    if (twin == NULL) {
        return false;
    }
    if (chance_percent(chance, TURN_PERCENT)) {
        switch_off(world, chance_percent(chance, 50) ? from : twin);
    }
    start_soon(world, from, chance);
    start_soon(world, twin, chance);
    return true;
}

/* Both go on from one state of memory: with the same name, in the same segment, each with something
 * of its own, before they meet. */
static bool do_snapshot(struct world *world, struct host *from, bool rests, struct chance *chance)
{
    if (from->state != HOST_UP ||
        catalogue_measure(&from->node->view.catalogue, "raised") == NULL) {
        return false;
    }
    struct host *twin = copy_image(world, from, false, chance_percent(chance, 50));
    struct host *both[] = {from, twin};
    uint64_t seed = chance_next(chance);
    int64_t alone_us = world->now_us + chance_between(chance, 1000, 20000) * MS_US;
    if (twin == NULL) {
        return false;
    }
    uint64_t session = ++from->family->sessions;
    for (int i = 0; i < 2; i++) {
        struct host *host = both[i];
        host->alike = (struct chance){seed};
        host->alike_process = host->process + 1;
        host->alike_session = session;
        host->next_fault.kind = DISK_NO_FAULT;
        host->route.apart_until_us = alone_us;
        host_start(world, host);
        if (host->state == HOST_UP) {
            (void)acts_record(world, host, host->code, "raised", 1);
            host->rests = rests;
        }
    }
    return true;
}

static bool do_turns(struct world *world, struct host *host, struct chance *chance)
{
    bool clean = chance_percent(chance, 50);
    if (host->family == NULL) {
        return false;
    }
    if (host->state == HOST_OFF) {
        world_trace(world, "h%d of %s is switched on", host->number, host->code);
        host->state = HOST_DOWN;
        start_soon(world, host, chance);
        return true;
    }
    if (host->state == HOST_UP && clean) {
        host_stop(world, host, true);
    } else {
        host_kill(world, host, DISK_KEPT, false);
    }
    switch_off(world, host);
    return true;
}

/* ---- a new identity ---- */

static bool is_busy(const struct world *world, const struct family *family)
{
    for (const struct joining *joining = world->joinings; joining != NULL;
         joining = joining->next) {
        if (joining->again != NULL && joining->again->family == family && !joining->done) {
            return true;
        }
    }
    return false;
}

static bool contradict(const struct fact *a, const struct fact *b)
{
    return a->entry[0] != '\0' && strcmp(a->entry, b->entry) == 0 && strcmp(a->note, b->note) != 0;
}

/* The two have other entries in the same places: they never come together. */
static bool are_forked(const struct host *a, const struct host *b)
{
    for (size_t i = 0; i < offers_fact_count(a); i++) {
        for (size_t j = 0; j < offers_fact_count(b); j++) {
            if (contradict(offers_fact(a, i), offers_fact(b, j))) {
                return true;
            }
        }
    }
    return false;
}

static bool is_forked(const struct host *host)
{
    for (size_t i = 0; i < host->family->count; i++) {
        if (are_forked(host, host->family->machines[i])) {
            return true;
        }
    }
    return false;
}

static bool do_reissue(struct world *world, struct host *host)
{
    if (host->family == NULL || is_busy(world, host->family) || is_forked(host)) {
        return false;
    }
    offers_reissue(world, host);
    return true;
}

/* What it records from now on stays on it. One that went down in the middle of something may turn
 * out to have recorded it before. */
static void end_identity(struct host *host)
{
    size_t at = 0;
    host->superseded = true;
    if (!host->fenced && offers_unsure(host->world, host, &at) == NULL) {
        host->fenced = true;
        host->fenced_us = host->world->now_us;
    }
}

void clones_reissued(struct world *world, struct host *host, const struct msg_joined *joined,
                     const struct hash *key)
{
    char path[DISK_PATH_BYTES];
    struct store *store = NULL;
    struct errmsg msg = {{0}};
    disk_set_fault(host->disk, NULL);
    host_stop(world, host, true);
    enum err err =
        store_open(disk_path(host->disk, HOST_DATABASE, path), STORE_WRITE, &store, &msg);
    for (int64_t times = chance_between(&host->chance, 1, 2); err == ERR_OK && times > 0; times--) {
        err = node_rejoin(store, joined, key, &msg);
    }
    store_close(store);
    if (err != ERR_OK) {
        world_violate(world, "join", "%s does not take its new identity: %s", host->code, msg.text);
        return;
    }
    host->key = *key;
    host->node_id = joined->node;
    host->generation = ++host->family->generation;
    for (size_t i = 0; i < host->family->count; i++) {
        end_identity(host->family->machines[i]);
    }
    host->superseded = false;
    host->fenced = false;
    map_clear(&host->knows);
    world_trace(world, "h%d of %s has a new identity", host->number, host->code);
    host->state = host->state == HOST_OFF ? HOST_DOWN : host->state;
    host_start_later(world, host, chance_between(&host->chance, 100, 2000) * MS_US);
}

struct host *clones_to_reissue(struct world *world)
{
    for (struct family *family = world->families; family != NULL; family = family->next) {
        for (size_t i = 0; i < family->count; i++) {
            struct host *host = family->machines[i];
            bool wanted = host->aside && host->state == HOST_UP && !host->asked && !is_forked(host);
            host->asked = true;
            if (wanted && chance_percent(&host->chance, GATHER_PERCENT)) {
                return host;
            }
        }
    }
    return NULL;
}

/* ---- steps ---- */

bool clones_do(struct world *world, const struct step *step, struct chance *chance)
{
    const struct plan *plan = world->plan;
    size_t at = 1 + plan->districts + step->host % (plan->communes > 0 ? plan->communes : 1);
    if (at >= world->host_count || plan->communes == 0) {
        return false;
    }
    struct host *host = world->hosts[at];
    size_t which = (size_t)chance_below(chance, MACHINES_MAX);
    if (host->family != NULL) {
        host = host->family->machines[which % host->family->count];
    }
    if (step->kind == STEP_CLONE || step->kind == STEP_CLONE_RUNNING) {
        return do_clone(world, host, step->kind == STEP_CLONE_RUNNING, chance);
    }
    if (step->kind == STEP_SNAPSHOT || step->kind == STEP_FORK) {
        return do_snapshot(world, host, step->kind == STEP_SNAPSHOT, chance);
    }
    return step->kind == STEP_TURNS ? do_turns(world, host, chance) : do_reissue(world, host);
}

void clones_heal(struct world *world)
{
    for (struct family *family = world->families; family != NULL; family = family->next) {
        bool live = false;
        for (size_t i = 0; i < family->count; i++) {
            live = live || clones_is_live(family->machines[i]);
        }
        for (size_t i = 0; i < family->count; i++) {
            struct host *host = family->machines[i];
            bool stays = live && chance_percent(&host->chance, 30);
            host->state = host->state == HOST_OFF && !stays ? HOST_DOWN : host->state;
        }
    }
}

const struct fact *clones_paper(const struct host *host, struct chance *chance)
{
    const struct fact *found = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; host->family != NULL && i < host->family->count; i++) {
        const struct host *other = host->family->machines[i];
        for (size_t at = 0; at < offers_fact_count(other); at++) {
            const struct fact *fact = offers_fact(other, at);
            if (fact->kind == MODEL_RECORD && fact->key[0] != '\0' &&
                !offers_has_key(host, fact->key) && chance_below(chance, ++seen) == 0) {
                found = fact;
            }
        }
    }
    return found;
}

/* A host: what the daemon's net/ and the operating system are to a node.
 *
 * 1. Events wait; a batch takes all that wait, commits, and does what the effects say, as the
 * daemon's loop does. What operations of the disk take is added up: until then the host is busy,
 * and what it says leaves after that.
 * 2. A process ends cleanly, or at any operation of its disk (the disk has stopped: nothing of the
 * batch gets out), or by itself when the node says that the disk cannot be trusted. Then the other
 * ends of its connections hear of it, or not, and it is started again some time later. */
#include <stdio.h>
#include <stdlib.h>

#include "base/sha256.h"
#include "checks.h"
#include "clones.h"
#include "offers.h"
#include "world.h"

enum { RESTART_US = 1500000, ITEMS_MAX = 5000 };

volatile bool host_inside;

/* ---- what the node asks of its surroundings ---- */

static void fill(void *ctx, void *out, size_t len)
{
    struct host *host = ctx;
    bool alike = host->family != NULL && host->process == host->alike_process;
    chance_fill(alike ? &host->alike : &host->chance, out, len);
}

static struct signature signature_of(const struct hash *key, struct bytes data)
{
    struct signature out;
    struct hash half = hmac_sha256(key->b, sizeof key->b, data.data, data.len);
    memcpy(out.b, half.b, HASH_BYTES);
    memcpy(out.b + HASH_BYTES, half.b, HASH_BYTES);
    return out;
}

static enum err sign(void *ctx, struct bytes data, struct signature *out)
{
    *out = signature_of(&((struct host *)ctx)->key, data);
    return ERR_OK;
}

static bool verify(void *ctx, const struct hash *key, struct bytes data,
                   const struct signature *signature)
{
    (void)ctx;
    struct signature want = signature_of(key, data);
    return memcmp(want.b, signature->b, sizeof want.b) == 0;
}

struct node_env host_env(struct host *host)
{
    return (struct node_env){host, fill, sign, verify};
}

struct now host_now(const struct world *world, const struct host *host)
{
    int64_t ms = world->now_us / MS_US;
    int64_t drift = (ms - host->drift_from_us / MS_US) * host->drift_ppm / 1000000;
    struct now now = {.mono = {ms + host->mono_offset_ms},
                      .wall = {world->wall_base_ms + ms + drift + host->wall_offset_ms}};
    now.today = (int32_t)(now.wall.ms / DAY_MS);
    return now;
}

/* ---- hosts come and go ---- */

struct host *host_new(struct world *world, const char *code, const char *level, struct host *parent)
{
    struct host *host = calloc(1, sizeof *host);
    char name[CODE_BYTES];
    if (world->host_count == world->host_cap) {
        size_t cap = world->host_cap == 0 ? 32 : world->host_cap * 2;
        struct host **hosts = realloc(world->hosts, cap * sizeof(struct host *));
        if (hosts == NULL) {
            abort();
        }
        world->hosts = hosts;
        world->host_cap = cap;
    }
    if (host == NULL) {
        abort();
    }
    host->world = world;
    host->number = (int)world->host_count;
    world->hosts[world->host_count++] = host;
    host->chance = chance_for(world->seed, 1000 + (uint64_t)host->number);
    (void)snprintf(host->code, sizeof host->code, "%s", code);
    (void)snprintf(host->level, sizeof host->level, "%s", level);
    (void)snprintf(name, sizeof name, "h%d", host->number);
    host->parent = parent;
    host->depth = parent == NULL ? 0 : parent->depth + 1;
    host->disk = disk_new(name, chance_next(&host->chance), world->keeps_history);
    host->state = HOST_DOWN;
    host->items_end = &host->items;
    host->own = -1;
    host->shown = -1;
    host->mono_offset_ms = chance_between(&host->chance, 1000, 100000000);
    host->route.latency_us = 20 * MS_US;
    map_init(&host->counts, sizeof(struct store_cell_key), sizeof(int64_t));
    map_init(&host->walls, sizeof(int64_t), 0);
    map_init(&host->marks, sizeof(int64_t), 0);
    chance_fill(&host->chance, host->key.b, sizeof host->key.b);
    return host;
}

static void drop_items(struct host *host, struct item *items)
{
    (void)host;
    while (items != NULL) {
        struct item *next = items->next;
        if (items->offer != NULL) {
            offers_dropped(items->offer);
        }
        if (items->joining != NULL) {
            items->joining->asked = false;
        }
        line_packet_free(items->packet);
        free(items);
        items = next;
    }
}

static void forget_items(struct host *host)
{
    struct item *items = host->items;
    host->items = NULL;
    host->items_end = &host->items;
    host->item_count = 0;
    drop_items(host, items);
}

static void close_reader(struct host *host)
{
    query_free(host->query);
    store_close(host->reader);
    host->query = NULL;
    host->reader = NULL;
}

static void close_all(struct host *host)
{
    if (host->query != NULL) {
        close_reader(host);
    }
    node_close(host->node);
    store_close(host->store);
    host->node = NULL;
    host->store = NULL;
}

static void stop_disk(struct host *host)
{
    struct disk_fault stop = {.kind = DISK_STOP, .ops = DISK_ANY, .persistent = true};
    disk_set_fault(host->disk, &stop);
}

void host_free(struct host *host)
{
    stop_disk(host);
    close_all(host);
    forget_items(host);
    disk_free(host->disk);
    map_deinit(&host->counts);
    map_deinit(&host->walls);
    map_deinit(&host->marks);
    book_free(host);
    free(host->was);
    free(host);
}

bool host_within(const struct host *host, const struct host *top)
{
    while (host != NULL && host != top) {
        host = host->parent;
    }
    return host == top;
}

void host_may_lose(struct host *host)
{
    host->may_lose = true;
    host->loses = true;
    map_clear(&host->counts);
    if (host->state != HOST_UP) { /* else one may be on its way yet */
        map_clear(&host->marks);
    }
}

bool host_near_damage(const struct host *host)
{
    const struct world *world = host->world;
    for (size_t i = 0; (world->flipped || world->in_line) && i < world->host_count; i++) {
        const struct host *other = world->hosts[i];
        if ((other->doubtful || other->spoiled || other->in_line) &&
            (host_within(host, other) || host_within(other, host))) {
            return true;
        }
    }
    return false;
}

struct host *host_of_origin(const struct world *world, const struct id *origin)
{
    for (size_t i = 0; i < world->host_count; i++) {
        if (id_equal(&world->hosts[i]->origin, origin)) {
            return world->hosts[i];
        }
    }
    return NULL;
}

static struct host *host_of_node(const struct world *world, const struct id *node)
{
    for (size_t i = 0; i < world->host_count; i++) {
        if (id_equal(&world->hosts[i]->node_id, node)) {
            return world->hosts[i];
        }
    }
    return NULL;
}

static void end_lines(struct world *world, struct host *host, bool silent)
{
    size_t at = 0;
    const void *key;
    void *value;
    uint64_t *ids = malloc((world->lines.count + 1) * sizeof *ids);
    size_t count = 0;
    while (ids != NULL && map_next(&world->lines, &at, &key, &value)) {
        struct line *line = *(struct line **)value;
        if (line->end[CHILD_END] == host || line->end[PARENT_END] == host) {
            size_t place = count++;
            for (; place > 0 && ids[place - 1] > line->id; place--) {
                ids[place] = ids[place - 1];
            }
            ids[place] = line->id;
        }
    }
    for (size_t i = 0; i < count; i++) {
        struct line *line = line_find(world, ids[i]);
        if (line != NULL) {
            line_end_died(world, line, line_end(line, host), silent);
        }
    }
    free(ids);
    host->up = NULL;
}

/* What the disk leaves; a second fault may wait for the recovery. */
static void restart_disk(struct host *host, enum disk_damage damage)
{
    if (disk_stopped(host->disk) && host->after_fault.kind != DISK_NO_FAULT) {
        host->next_fault = host->after_fault;
        host->after_fault.kind = DISK_NO_FAULT;
    }
    if (disk_lies(host->disk) && damage != DISK_KEPT && damage != DISK_LOST &&
        damage != DISK_CUT_SHORT) {
        host->doubtful = host->world->flipped = true; /* no syncs hold it together */
    }
    disk_restart(host->disk, damage);
    host->damage = DISK_KEPT;
    if (host->may_lose && damage != DISK_KEPT) {
        map_clear(&host->counts); /* its cells may be earlier ones */
        map_clear(&host->marks);
    }
}

/* The process is gone: whatever it had in memory is gone with it. */
static void gone(struct world *world, struct host *host, enum disk_damage damage)
{
    bool power = damage != DISK_KEPT;
    world_trace(world, "%s is gone%s", host->code, power ? ", its power was cut" : "");
    host->state = HOST_DOWN;
    forget_items(host);
    if (!disk_stopped(host->disk)) {
        host->after_fault.kind = DISK_NO_FAULT;
        stop_disk(host);
    }
    close_all(host);
    restart_disk(host, damage);
    offers_host_gone(world, host);
    end_lines(world, host, power);
}

void host_stop(struct world *world, struct host *host, bool clean)
{
    if (host->state != HOST_UP) {
        return;
    }
    if (!clean) {
        gone(world, host, host->damage);
        return;
    }
    world_trace(world, "%s stops", host->code);
    host->state = HOST_DOWN;
    forget_items(host);
    close_all(host);
    restart_disk(host, disk_stopped(host->disk) ? host->damage : DISK_KEPT);
    offers_host_gone(world, host);
    end_lines(world, host, false);
}

void host_kill(struct world *world, struct host *host, enum disk_damage damage, bool silent)
{
    (void)silent;
    if (host->state == HOST_UP) {
        gone(world, host, damage);
    }
}

void host_start_later(struct world *world, struct host *host, int64_t in_us)
{
    if (host->state == HOST_DOWN) {
        host->starts_again = true;
        world_event(world, world->now_us + in_us, EVENT_START, host, host->process);
    }
}

/* ---- a start ---- */

static void effects(struct world *world, struct host *host);

static enum err open_node(struct world *world, struct host *host, struct errmsg *msg)
{
    static const char *const ADDRESSES[] = {"office:7000"};
    static const struct hash FINGERPRINT;
    char path[DISK_PATH_BYTES];
    struct node_env env = host_env(host);
    host_inside = true;
    enum err err =
        store_open(disk_path(host->disk, HOST_DATABASE, path), STORE_WRITE, &host->store, msg);
    if (err == ERR_OK) {
        err = node_open(host->store, &env, host_now(world, host), &host->node, msg);
    }
    host_inside = false;
    if (err == ERR_OK) {
        node_set_addresses(host->node, ADDRESSES, 1, &FINGERPRINT);
    }
    return err;
}

static void start_failed(struct world *world, struct host *host, enum err err, const char *why)
{
    world_trace(world, "%s does not start: %s: %s", host->code, err_name(err), why);
    if (disk_stopped(host->disk)) {
        close_all(host);
        restart_disk(host, host->damage);
        host_start_later(world, host, RESTART_US);
        return;
    }
    close_all(host);
    if (err == ERR_CORRUPT || err == ERR_NOT_FOUND || err == ERR_NEWER) {
        host->state = HOST_BROKEN;
        offers_host_broken(world, host);
        if (!host->doubtful && !host->lost && !host->may_lose) {
            world_violate(world, "opens",
                          "the file of %s cannot be opened, and no fault explains it: %s",
                          host->code, why);
        } else if (strstr(why, HOST_DATABASE) == NULL) {
            world_violate(world, "named", "%s does not start, and does not say for what file: %s",
                          host->code, why);
        }
        host->lost = true;
        return;
    }
    host_start_later(world, host, RESTART_US);
}

void host_start(struct world *world, struct host *host)
{
    struct errmsg msg = {{0}};
    if (host->state != HOST_DOWN) {
        return;
    }
    host->process++;
    if (host->next_fault.kind != DISK_NO_FAULT) {
        disk_set_fault(host->disk, &host->next_fault);
        host->damage = host->next_damage;
        host->next_fault.kind = DISK_NO_FAULT;
    }
    host->today = host_now(world, host).today;
    enum err err = open_node(world, host, &msg);
    if (err != ERR_OK || disk_stopped(host->disk)) {
        start_failed(world, host, err, msg.text);
        return;
    }
    world_trace(world, "%s starts", host->code);
    host->state = HOST_UP;
    host->busy_until_us = world->now_us;
    host->up_since_us = world->now_us;
    clones_started(host);
    effects(world, host);
    if (!host->ticks) {
        host->ticks = true;
        world_event(world, world->now_us + chance_between(&host->chance, 0, world->tick_us),
                    EVENT_TICK, host, 0);
    }
    if (!world->light) {
        offers_host_started(world, host);
        checks_started(world, host);
        host->loses = disk_lies(host->disk);
    }
    host_dial_later(world, host, chance_between(&host->chance, 10, 300) * MS_US);
}

/* ---- a batch ---- */

void host_give(struct world *world, struct host *host, struct item item)
{
    struct item *copy = malloc(sizeof *copy);
    if (copy == NULL) {
        abort();
    }
    *copy = item;
    copy->next = NULL;
    if (host->item_count >= ITEMS_MAX) {
        world_violate(host->world, "bounded", "more than %d things wait for %s", ITEMS_MAX,
                      host->code);
    }
    if (host->state != HOST_UP || host->item_count >= ITEMS_MAX) {
        drop_items(host, copy);
        return;
    }
    *host->items_end = copy;
    host->items_end = &copy->next;
    host->item_count++;
    if (!host->turn_due) {
        host->turn_due = true;
        world_event(world, host->busy_until_us, EVENT_TURN, host, 0);
    }
}

static void give_link(struct world *world, struct host *host, const struct item *item)
{
    struct line *line = line_find(world, item->line);
    int end = line == NULL ? 0 : line_end(line, host);
    if (item->kind == ITEM_LINK_DOWN) {
        node_on_link_down(host->node, item->line, "the connection is gone");
        if (line != NULL) {
            line_over(world, line, end);
        }
        return;
    }
    if (line == NULL || line->over[end]) {
        return;
    }
    if (item->kind == ITEM_MESSAGE) {
        if (line->told[end]) {
            line_deliver(world, line, end, item->packet);
        }
        return;
    }
    if (line->gone[end]) {
        line_over(world, line, end);
        return;
    }
    line->told[end] = true;
    if (item->kind == ITEM_UPLINK) {
        node_on_uplink(host->node, line->id);
    } else {
        const struct host *child = line->end[CHILD_END];
        struct node_peer peer = {.node = child->node_id,
                                 .key = child->key,
                                 .address = child->code,
                                 .certified = hash_equal(&child->certified, &child->key),
                                 .unit = child->code,
                                 .number = child->number_certified};
        node_on_downlink(host->node, line->id, &peer);
    }
}

static void give(struct world *world, struct host *host, const struct item *item)
{
    switch (item->kind) {
    case ITEM_UPLINK:
    case ITEM_DOWNLINK:
    case ITEM_MESSAGE:
    case ITEM_LINK_DOWN:
        give_link(world, host, item);
        break;
    case ITEM_REQUEST:
        offers_ask(world, host, item->offer);
        break;
    case ITEM_JOIN:
        offers_join(world, host, item->joining);
        break;
    case ITEM_DIAL_FAILED:
        node_on_uplink_failed(host->node, "the office above does not answer");
        break;
    case ITEM_TICK:
        node_on_tick(host->node);
        break;
    }
}

static void do_effect(struct world *world, struct host *host, const struct effect *effect)
{
    struct line *line = effect->type == EFFECT_SEND || effect->type == EFFECT_CLOSE
                            ? line_find(world, effect->link)
                            : NULL;
    switch (effect->type) {
    case EFFECT_SEND:
        if (effect->message->type == MESSAGE_JOINED) {
            offers_not_joined(world, effect->link, effect->message->u.joined.text);
        } else if (line != NULL && !line->gone[line_end(line, host)]) {
            checks_sent(world, host, line, effect->message);
            line_send(world, line, 1 - line_end(line, host), effect->message);
        }
        break;
    case EFFECT_CLOSE:
        if (line != NULL) {
            world_trace(world, "%s closes the link of %s: %s", host->code,
                        line->end[CHILD_END]->code, effect->text);
            line_close(world, line, line_end(line, host));
        }
        break;
    case EFFECT_REPLY:
        offers_reply(world, host, &effect->message->u.reply);
        break;
    case EFFECT_ISSUE:
        offers_joined(world, effect->link, effect->joined);
        break;
    case EFFECT_BUNDLE: /* none is asked for */
        break;
    case EFFECT_LOG:
        world_trace(world, "%s: %s", host->code, effect->text);
        break;
    }
}

static void effects(struct world *world, struct host *host)
{
    for (const struct effect *effect = node_effect(host->node); effect != NULL && !world->violated;
         effect = node_effect(host->node)) {
        do_effect(world, host, effect);
    }
}

/* The moment when a child turns exact is when that may be wrong. */
static void look_if_exact(struct world *world, struct host *host)
{
    bool turned = false;
    if (host->state != HOST_UP || world->light) {
        return;
    }
    for (size_t i = 0; i < host->node->link_count; i++) {
        const struct link *link = host->node->links[i];
        struct line *line = link->up ? NULL : line_find(world, link->id);
        struct host *child = line != NULL ? line->end[CHILD_END]
                             : link->up   ? NULL
                                          : host_of_node(world, &link->node);
        if (child == NULL) {
            continue;
        }
        bool same = link->state == SESSION_LIVE && child->up != NULL && child->up->id == link->id;
        bool now = same && link->exact && !child->exact_above;
        child->exact_above = same && link->exact;
        turned = turned || now;
        if (now && !world->violated) {
            checks_mark(world, host, child, link->received.revision);
        }
    }
    if (turned && world->plan != NULL && chance_percent(&host->chance, 10)) {
        checks_host(world, host);
    }
}

void host_turn(struct world *world, struct host *host)
{
    struct errmsg msg = {{0}};
    host->turn_due = false;
    if (host->state != HOST_UP || host->items == NULL) {
        return;
    }
    struct item *items = host->items;
    host->items = NULL;
    host->items_end = &host->items;
    host->item_count = 0;
    struct now now = host_now(world, host);
    uint64_t ops = disk_ops(host->disk, DISK_ANY);
    uint64_t syncs = disk_ops(host->disk, DISK_SYNC);
    host->today = now.today;
    host->wall_ms = now.wall.ms;
    if (!world->light && map_put(&host->walls, &now.wall.ms, NULL) == NULL) {
        abort();
    }
    world->batches++;
    host_inside = true;
    node_begin(host->node, now);
    for (struct item *item = items; item != NULL; item = item->next) {
        host_inside = true;
        give(world, host, item);
        item->offer = NULL; /* given: its reply, or its lack, decides */
    }
    host_inside = true;
    for (size_t i = 0; world->window > 0 && i < host->node->link_count; i++) {
        host->node->links[i]->out.window_bytes = world->window;
    }
    enum err err = node_commit(host->node, &msg);
    host_inside = false;
    host->busy_until_us = world->now_us +
                          (int64_t)(disk_ops(host->disk, DISK_ANY) - ops) * host->op_us +
                          (int64_t)(disk_ops(host->disk, DISK_SYNC) - syncs) * host->sync_us;
    if (disk_stopped(host->disk)) {
        drop_items(host, items);
        gone(world, host, host->damage);
        host_start_later(world, host, RESTART_US);
        return;
    }
    if (err != ERR_OK) {
        world_trace(world, "%s: batch failed: %s: %s", host->code, err_name(err), msg.text);
    }
    if (err == ERR_IO) {
        drop_items(host, items);
        gone(world, host, DISK_KEPT);
        host->gave_up = host->gave_up || (host->doubtful && world->healing);
        host_start_later(world, host, RESTART_US);
        return;
    }
    effects(world, host);
    drop_items(host, items);
    if (err == ERR_OK) {
        look_if_exact(world, host);
    }
    if (host->state == HOST_UP && node_wants_tick(host->node) && !host->turn_due) {
        host_give(world, host, (struct item){.kind = ITEM_TICK});
    }
}

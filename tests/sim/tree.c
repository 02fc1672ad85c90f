/* Trees: the catalogues that worlds use, a root, and nodes that are made at once. */
#include <stdlib.h>

#include "base/sha256.h"
#include "offers.h"
#include "world.h"

static void put_measure(struct catalogue *c, const char *code, enum measure_kind kind,
                        enum frequency frequency, const char *level, bool grouped)
{
    static const char *group[] = {"group"};
    c->measures[c->measure_count++] = (struct measure){.code = code,
                                                       .name = code,
                                                       .unit = "1",
                                                       .kind = kind,
                                                       .frequency = frequency,
                                                       .level = level,
                                                       .dimensions = group,
                                                       .dimension_count = grouped ? 1 : 0};
}

const struct catalogue *tree_catalogue(int version)
{
    static const char *levels[] = {"nation", "province", "district", "commune", "branch"};
    static const char *values[] = {"cadre", "other", "child"};
    static struct dimension dimension;
    static struct measure measures[8];
    static struct indicator share = {.code = "share",
                                     .name = "Cadres among the members",
                                     .unit = "%",
                                     .formula = "members[group=cadre] / members",
                                     .factor = "100",
                                     .decimals = 2};
    static struct target target = {.unit = "",
                                   .level = "commune",
                                   .measure = "raised",
                                   .period = {FREQUENCY_YEAR, 2025},
                                   .value = "1000"};
    static struct catalogue c;
    dimension = (struct dimension){"group", values, version >= 3 ? 3 : 2};
    c = (struct catalogue){.levels = levels,
                           .level_count = 5,
                           .dimensions = &dimension,
                           .dimension_count = 1,
                           .measures = measures,
                           .indicators = &share,
                           .indicator_count = 1,
                           .targets = &target,
                           .target_count = 1};
    put_measure(&c, "raised", MEASURE_FLOW, FREQUENCY_MONTH, "commune", true);
    put_measure(&c, "members", MEASURE_STOCK, FREQUENCY_MONTH, "commune", true);
    put_measure(&c, "visits", MEASURE_FLOW, FREQUENCY_DAY, "branch", false);
    if (version >= 2) {
        put_measure(&c, "fund", MEASURE_STOCK, FREQUENCY_QUARTER, "district", false);
        put_measure(&c, "classes", MEASURE_FLOW, FREQUENCY_HALF, "commune", false);
    }
    if (version >= 3) {
        put_measure(&c, "boards", MEASURE_STOCK, FREQUENCY_YEAR, "branch", false);
    }
    return &c;
}

int tree_version(const struct catalogue *catalogue)
{
    int version = CATALOGUES;
    while (version > 0 && tree_catalogue(version)->measure_count > catalogue->measure_count) {
        version--;
    }
    return version;
}

static void know(struct world *world, struct host *host)
{
    host->rank = host->number;
    host->own = model_origin_add(world->model, host->rank);
    host->shown = host->own;
}

struct host *tree_root(struct world *world, const char *code, const char *level, int version)
{
    struct host *host = host_new(world, code, level, NULL);
    char path[DISK_PATH_BYTES];
    struct store *store = NULL;
    struct errmsg msg = {{0}};
    chance_fill(&host->chance, host->node_id.b, sizeof host->node_id.b);
    chance_fill(&host->chance, host->origin.b, sizeof host->origin.b);
    struct node_root root = {.unit = code,
                             .name = code,
                             .level = level,
                             .tree = world->tree,
                             .node = host->node_id,
                             .origin = host->origin,
                             .key = host->key,
                             .catalogue = version == 0 ? NULL : tree_catalogue(version),
                             .env = host_env(host),
                             .now = host_now(world, host),
                             .author = "init"};
    enum err err =
        store_open(disk_path(host->disk, HOST_DATABASE, path), STORE_CREATE, &store, &msg);
    err = err == ERR_OK ? node_make_root(store, &root, &msg) : err;
    store_close(store);
    if (err != ERR_OK) {
        world_violate(world, "opens", "the root cannot be made: %s", msg.text);
        return host;
    }
    know(world, host);
    (void)model_unit_add(world->model, code, level, -1);
    if (version > 0) {
        offers_published(world, version);
    }
    host_start(world, host);
    return host;
}

void tree_keep_empty(struct world *world)
{
    char path[DISK_PATH_BYTES];
    struct store *store = NULL;
    struct disk *disk = disk_new("empty", world->seed, false);
    if (store_open(disk_path(disk, HOST_DATABASE, path), STORE_CREATE, &store, NULL) == ERR_OK) {
        world->empty = disk;
    } else {
        world_violate(world, "opens", "an empty database cannot be made");
        disk_free(disk);
    }
    store_close(store);
}

bool tree_make_database(struct world *world, struct host *host, const struct msg_joined *joined)
{
    char path[DISK_PATH_BYTES];
    struct store *store = NULL;
    struct errmsg msg = {{0}};
    bool copied = world->empty != NULL && !disk_exists(host->disk, HOST_DATABASE) &&
                  disk_copy(world->empty, HOST_DATABASE, host->disk, HOST_DATABASE);
    enum err err = store_open(disk_path(host->disk, HOST_DATABASE, path),
                              copied ? STORE_WRITE : STORE_CREATE, &store, &msg);
    err = err == ERR_OK ? node_make_child(store, joined, &host->key, &msg) : err;
    store_close(store);
    if (err != ERR_OK) {
        world_trace(world, "%s: %s", host->code, msg.text);
    }
    host->certified = host->key;
    host->number_certified = joined->hosting;
    return err == ERR_OK;
}

bool tree_join_message(const char *text, const struct hash *exporter, struct msg_join *join)
{
    static const uint8_t request[] = "request";
    struct token token;
    struct buf said;
    if (token_parse(text, &token, NULL) != ERR_OK) {
        return false;
    }
    *join = (struct msg_join){.invite = token.invite,
                              .node_request = {request, 4},
                              .ca_request = {request, 4},
                              .address = ""};
    buf_init(&said, FRAME_MAX_BYTES);
    buf_put_hash(&said, exporter);
    buf_put(&said, request, 4);
    buf_put(&said, request, 4);
    bool whole = !said.failed;
    join->proof = hmac_sha256(token.secret, sizeof token.secret, said.data, said.len);
    buf_deinit(&said);
    return whole;
}

/* Until nothing waits for this node any more; ticks are left to come in their time. */
static void turns(struct world *world, struct host *host)
{
    while (host->items != NULL && !world->violated) {
        host_turn(world, host);
    }
}

struct host *tree_child(struct world *world, struct host *parent, const char *code,
                        const char *level)
{
    size_t before = world->host_count;
    turns(world, parent);
    offers_invite(world, parent, code, level, -1);
    turns(world, parent);
    offers_join_again(world);
    turns(world, parent);
    if (world->host_count == before) {
        world_violate(world, "join", "%s does not come to be", code);
        return parent;
    }
    return world->hosts[before];
}

int tree_unit(struct world *world, struct host *host, const char *code, const char *level,
              const char *parent)
{
    struct offer *offer = offers_make(world, host, OFFER_UNIT);
    (void)snprintf(offer->code, sizeof offer->code, "%s", code);
    (void)snprintf(offer->level, sizeof offer->level, "%s", level);
    (void)snprintf(offer->parent, sizeof offer->parent, "%s", parent);
    offer->must = true;
    turns(world, host);
    offers_give(world, offer);
    turns(world, host);
    return model_unit(world->model, code);
}

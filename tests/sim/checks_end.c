/* What must hold when nothing goes wrong any more. A host whose data is of an older time, whose
 * file is gone, or that its parent has forgotten stands apart: of it and of what comes only through
 * it nothing is demanded but that it is named, and everything else must be complete. */
#include <stdlib.h>

#include "cells.h"
#include "checks_internal.h"
#include "clones.h"
#include "offers.h"
#include "store/internal.h"

static bool stands_apart(const struct host *host)
{
    return host->lost || host->put_back || host->unknown || host->doubtful;
}

bool checks_apart(const struct host *host)
{
    return stands_apart(host) || host->aside;
}

static bool turned_away(const struct host *host)
{
    int64_t state = UPLINK_NONE;
    disk_pause(host->disk, true);
    enum err err = store_fact_int(host->store, "uplink_state", UPLINK_NONE, &state);
    disk_pause(host->disk, false);
    return err == ERR_OK && (state == UPLINK_REFUSED || state == UPLINK_FENCED);
}

void checks_settle_apart(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct host *host = world->hosts[i];
        bool away = host->parent != NULL && host->state == HOST_UP && turned_away(host);
        host->put_back = away && host->may_lose && host->family == NULL;
        host->unknown = away && !host->may_lose && host->parent->may_lose;
    }
    clones_settle(world);
}

/* Whether what `host` has goes all the way up to `top`. */
static bool reaches(const struct host *host, const struct host *top)
{
    for (; host != top; host = host->parent) {
        if (host == NULL || checks_apart(host)) {
            return false;
        }
    }
    return !top->lost && !top->doubtful;
}

static bool any_apart(const struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        if (stands_apart(world->hosts[i])) {
            return true;
        }
    }
    return false;
}

/* ---- live ---- */

static bool link_is_exact(struct world *world, struct host *host, char *why, size_t size)
{
    struct host *parent = host->parent;
    struct node *node = host->node;
    struct store_status status = {0};
    int64_t rows = 0;
    if (host->state != HOST_UP || parent->state != HOST_UP) {
        (void)snprintf(why, size, "%s or %s is not up", host->code, parent->code);
        return false;
    }
    if (node->uplink == NULL || node->uplink->state != SESSION_LIVE) {
        (void)snprintf(why, size, "%s has no link", host->code);
        return false;
    }
    int unit = view_unit_by_code(&parent->node->view, host->code);
    disk_pause(host->disk, true);
    disk_pause(parent->disk, true);
    enum err err =
        unit == TREE_NONE
            ? ERR_NOT_FOUND
            : store_status_get(parent->store, parent->node->view.tree.units[unit].id, &status);
    err = err == ERR_OK ? store_feed_pending(host->store, node->acked.revision, &rows) : err;
    disk_pause(host->disk, false);
    disk_pause(parent->disk, false);
    (void)world;
    if (err != ERR_OK || status.state != LINK_EXACT) {
        (void)snprintf(why, size, "%s is not exact at %s (%s)", host->code, parent->code,
                       link_state_name((enum link_state)status.state));
        return false;
    }
    if (rows > 0 || node->entries_acked < node->ledger_length) {
        (void)snprintf(why, size, "%s has %lld rows and %lld entries that are not above",
                       host->code, (long long)rows,
                       (long long)(node->ledger_length - node->entries_acked));
        return false;
    }
    return true;
}

bool checks_converged(struct world *world, bool near_damage, char *why, size_t size)
{
    checks_settle_apart(world);
    if (!offers_quiet(world, near_damage)) {
        (void)snprintf(why, size, "a join is not through");
        return false;
    }
    for (size_t i = 0; i < world->host_count; i++) {
        struct host *host = world->hosts[i];
        if (!near_damage && host_near_damage(host)) {
            continue;
        }
        if (host->state != HOST_UP && !host->lost && !host->aside) {
            (void)snprintf(why, size, "%s is not up", host->code);
            return false;
        }
        bool wants = host->parent != NULL && !checks_apart(host) && !host->parent->lost &&
                     !host->parent->doubtful;
        if (wants && !link_is_exact(world, host, why, size)) {
            return false;
        }
        if (!host->lost && !host->doubtful && host->state == HOST_UP &&
            tree_version(&host->node->view.catalogue) < offers_version(world) &&
            reaches(host, world->hosts[0])) {
            (void)snprintf(why, size, "%s has an old catalogue", host->code);
            return false;
        }
    }
    return true;
}

/* ---- complete ---- */

struct completeness {
    struct world *world;
    struct host *host;
    struct cells *cells;
};

/* Every cell that comes all the way to this host must be there in its last state. */
static void check_complete(void *ctx, const struct model_cell_key *key, int64_t count)
{
    struct completeness *c = ctx;
    struct host *author = NULL;
    for (size_t i = 0; i < c->world->host_count && author == NULL; i++) {
        struct host *host = c->world->hosts[i];
        bool is =
            host == c->host ? host->own == key->origin : host->shown == key->origin && !host->aside;
        author = is ? host : NULL;
    }
    if (author == NULL || c->world->violated) {
        return;
    }
    int unit = key->unit;
    int here = model_unit(c->world->model, c->host->code);
    bool up = author == c->host || (host_within(author, c->host) && reaches(author, c->host));
    bool down = !host_within(author, c->host) && host_within(c->host, author) &&
                reaches(c->host, author) && !author->put_back &&
                model_within(c->world->model, unit, here);
    /* A host that stands apart may lack the catalogue too: there the row is held. */
    bool may_hold = tree_version(&c->host->node->view.catalogue) < offers_version(c->world);
    if ((up || down) && !may_hold && cells_seen(c->cells, key) != count) {
        world_violate(c->world, "exact",
                      "at %s, the cell of %s about unit %s, measure %s, category '%s', period %d "
                      "counts %lld of %lld entries",
                      c->host->code, author->code, model_unit_code(c->world->model, unit),
                      key->measure, key->category, key->period,
                      (long long)cells_seen(c->cells, key), (long long)count);
    }
}

static void check_sources(struct world *world, struct host *host, const struct sources *sources)
{
    int64_t nodes = 0;
    for (size_t i = 0; i < world->host_count; i++) {
        nodes += host_within(world->hosts[i], host) && !world->hosts[i]->aside;
    }
    if (sources->nodes != nodes || sources->exact != nodes || sources->held != 0) {
        world_violate(world, "live",
                      "%s counts %lld nodes, %lld exact, %lld rows held; there are "
                      "%lld nodes",
                      host->code, (long long)sources->nodes, (long long)sources->exact,
                      (long long)sources->held, (long long)nodes);
    }
}

/* Every total says what is missing from it, and nothing else. */
static void check_missing(struct world *world, struct host *host, const struct sources *sources)
{
    for (size_t i = 0; i < world->host_count && sources->stale_count < SOURCES_MAX; i++) {
        const struct host *below = world->hosts[i];
        const struct host *unsure = below; /* not known there, or perhaps not damaged at all */
        while (unsure != NULL && !unsure->unknown && !unsure->doubtful) {
            unsure = unsure->parent;
        }
        if (below == host || !host_within(below, host) || unsure != NULL || below->aside) {
            continue;
        }
        bool there = reaches(below, host);
        if (checks_all_exact(sources, below, host) != there) {
            world_violate(world, "named", "%s %s %s", host->code,
                          there ? "says that something is missing of"
                                : "does not say what is "
                                  "missing of",
                          below->code);
        }
    }
}

static void check_figures(struct world *world, struct host *host, bool apart)
{
    struct cells *cells = cells_read(world, host);
    struct sources sources = {.nodes = 0};
    if (cells == NULL) {
        return;
    }
    struct model_view view = {cells_seen, cells};
    struct completeness c = {world, host, cells};
    const struct model_view *seen = apart ? &view : NULL;
    model_cells(world->model, check_complete, &c);
    struct asked all = {.unit = host->code, .period = {FREQUENCY_YEAR, 2024}, .by = BY_CHILD};
    if (!world->violated) {
        checks_totals(world, host, &all, seen, &sources);
    }
    all = (struct asked){.unit = host->code, .period = {FREQUENCY_YEAR, 2025}, .by = BY_CATEGORY};
    if (!world->violated) {
        checks_totals(world, host, &all, seen, NULL);
    }
    for (int i = 0; i < 2 && !world->violated; i++) {
        struct asked asked = checks_any_question(world, host, &host->chance);
        checks_totals(world, host, &asked, seen, NULL);
    }
    if (!world->violated && !apart) {
        check_sources(world, host, &sources);
    } else if (!world->violated) {
        check_missing(world, host, &sources);
    }
    cells_free(cells);
}

/* ---- verify, alarms, conserved ---- */

static bool see_verify(void *ctx, const struct message *message)
{
    struct host *host = ctx;
    const struct msg_reply *reply = &message->u.reply;
    const struct rep_verify *verify = &reply->u.verify;
    if (reply->err != ERR_OK) {
        world_violate(host->world, "verify", "%s cannot verify: %s", host->code, reply->text);
    } else if (!verify->ok) {
        world_violate(host->world, "verify", "at %s: %s", host->code,
                      verify->fault_count > 0 ? verify->faults[0] : "not ok");
    }
    return true;
}

static bool see_status(void *ctx, const struct message *message)
{
    struct host *host = ctx;
    const struct msg_reply *reply = &message->u.reply;
    if (reply->err != ERR_OK && !host->may_lose) {
        world_violate(host->world, "opens", "%s does not say its status: %s", host->code,
                      reply->text);
    }
    return true;
}

/* An alarm about a child that stands apart is what must be there; near such a host others may be.
 */
static bool explained(const struct world *world, const struct host *host,
                      const struct store_alarm *alarm)
{
    bool refused = strcmp(alarm->code, "child-refused") == 0;
    if (strcmp(alarm->code, "uplink-refused") == 0 &&
        (host->put_back || host->unknown || host->aside)) {
        return true;
    }
    for (size_t i = 0; i < world->host_count; i++) {
        const struct host *other = world->hosts[i];
        if (!checks_apart(other)) {
            continue;
        }
        if (refused && other->parent == host && strcmp(alarm->subject, other->code) == 0) {
            return true;
        }
    }
    return host_near_damage(host) && !world->spoiled;
}

static void check_alarms(struct world *world, struct host *host)
{
    struct store_alarm *rows = calloc(ALARMS_MAX, sizeof *rows);
    struct arena arena;
    size_t count = 0;
    if (rows == NULL) {
        abort();
    }
    arena_init(&arena, 1 << 20);
    if (store_alarms(host->store, &arena, rows, ALARMS_MAX, &count) != ERR_OK) {
        world_violate(world, "opens", "the alarms of %s cannot be read", host->code);
    }
    for (size_t i = 0; i < count && !world->violated; i++) {
        /* Found, and put right; beside damaged counts there may have been no room for others, and a
         * cell that was lost began again with a count that is known. */
        bool settled = (world->flipped && rows[i].mended) ||
                       (world->spoiled && (strncmp(rows[i].code, "refused-", 8) == 0 ||
                                           strcmp(rows[i].code, "conflict") == 0));
        if (!settled && !explained(world, host, &rows[i])) {
            world_violate(world, "alarms", "at %s: %s %s: %s", host->code, rows[i].code,
                          rows[i].subject, rows[i].text);
        }
    }
    arena_reset(&arena);
    free(rows);
}

/* The counts of the own cells add up to the ledger. */
static void check_conserved(struct world *world, struct host *host)
{
    struct store_origin origin;
    int64_t facts = 0;
    bool good = store_origin_find(host->store, &host->origin, &origin) == ERR_OK &&
                store_ledger_facts(host->store, origin.id, &facts) == ERR_OK;
    if (!good || origin.cell_count != facts ||
        facts != (int64_t)model_ledger_length(world->model, host->own)) {
        world_violate(world, "conserved", "%s has %zu facts, %lld in its ledger, %lld in its cells",
                      host->code, model_ledger_length(world->model, host->own), (long long)facts,
                      (long long)origin.cell_count);
    }
}

/* What is in escrow is the child's ledger, whole. */
static void check_escrow(struct world *world, struct host *host)
{
    for (size_t i = 0; i < world->host_count && !world->violated; i++) {
        struct host *child = world->hosts[i];
        struct store_origin origin;
        int64_t facts = -1;
        if (child->parent != host || !reaches(child, host) || child->state != HOST_UP) {
            continue;
        }
        bool good = store_origin_find(host->store, &child->origin, &origin) == ERR_OK &&
                    store_ledger_facts(host->store, origin.id, &facts) == ERR_OK;
        int64_t recorded = (int64_t)model_ledger_length(world->model, child->own);
        if (!good || facts != recorded || origin.cell_count != facts) {
            world_violate(world, "conserved",
                          "%s has recorded %lld facts; %s has %lld of them in escrow, and %lld in "
                          "cells",
                          child->code, (long long)recorded, host->code, (long long)facts,
                          good ? (long long)origin.cell_count : 0);
        }
    }
}

/* A host that stands apart is turned away by its parent, which says so. */
static void check_named(struct world *world, struct host *host)
{
    struct host *parent = host->parent;
    struct store_status status = {0};
    if (parent == NULL || parent->state != HOST_UP || checks_apart(parent) || host->unknown ||
        host->aside) {
        return;
    }
    int unit = view_unit_by_code(&parent->node->view, host->code);
    enum err err =
        unit == TREE_NONE
            ? ERR_NOT_FOUND
            : store_status_get(parent->store, parent->node->view.tree.units[unit].id, &status);
    bool silent = status.state == LINK_OFFLINE || status.state == LINK_NEVER;
    bool again = status.state == LINK_CATCHING_UP; /* welcomed, and about to say so */
    bool named =
        host->lost ? silent || status.state == LINK_REFUSED : status.state == LINK_REFUSED || again;
    if (err == ERR_OK && !named && !host->doubtful) {
        world_violate(world, "named", "%s stands apart, and %s calls it %s", host->code,
                      parent->code, link_state_name((enum link_state)status.state));
    }
}

static void check_one(struct world *world, struct host *host, bool apart)
{
    struct msg_request request = {.type = REQUEST_STATUS};
    offers_compare_ledger(world, host);
    if (!world->violated && host_query(world, host, &request, see_status, host) != ERR_OK) {
        world_violate(world, "opens", "%s cannot be asked for its status", host->code);
    }
    disk_pause(host->disk, true);
    if (world->flipped && store_alarms_delete_mended(host->store) != ERR_OK) {
        world_violate(world, "opens", "the alarms of %s cannot be written", host->code);
    }
    if (!world->violated) {
        check_conserved(world, host);
    }
    if (!world->violated) {
        check_escrow(world, host);
    }
    if (!world->violated) {
        check_alarms(world, host);
    }
    disk_pause(host->disk, false);
    if (!world->violated) {
        check_figures(world, host, apart);
    }
    request.type = REQUEST_VERIFY;
    if (!world->violated && host_query(world, host, &request, see_verify, host) != ERR_OK) {
        world_violate(world, "verify", "%s cannot be asked", host->code);
    }
}

/* An alarm about what is not as it should be now. */
static bool has_alarm(struct host *host)
{
    struct store_alarm *rows = calloc(ALARMS_MAX, sizeof *rows);
    struct arena arena;
    size_t count = 0;
    arena_init(&arena, 1 << 20);
    bool found =
        rows == NULL || store_alarms(host->store, &arena, rows, ALARMS_MAX, &count) != ERR_OK;
    for (size_t i = 0; i < count && !found; i++) {
        found = !rows[i].mended;
    }
    arena_reset(&arena);
    free(rows);
    return found;
}

void checks_doubt(struct world *world)
{
    bool known = world->in_line;
    for (size_t i = 0; i < world->host_count && !known; i++) {
        struct host *host = world->hosts[i];
        known =
            host_near_damage(host) && (host->state != HOST_UP || host->gave_up || has_alarm(host) ||
                                       (host->parent != NULL && turned_away(host)));
    }
    world->excused = world->doubt.is && known;
    if (!world->violated && world->doubt.is && !known) {
        world->violated = true;
        (void)snprintf(world->check, sizeof world->check, "%s", world->doubt.check);
        (void)snprintf(world->text, sizeof world->text, "%s", world->doubt.text);
    }
}

/* Its cells are at every node above it what they are here. */
static void check_line(struct world *world, const struct host *host)
{
    struct store_origin own;
    if (store_origin_find(host->store, &host->origin, &own) != ERR_OK) {
        return;
    }
    for (const struct host *top = host->parent; top != NULL && !world->violated;
         top = top->parent) {
        struct store_origin there = {.cell_count = 0};
        if (!reaches(host, top) || top->state != HOST_UP) {
            return;
        }
        enum err err = store_origin_find(top->store, &host->origin, &there);
        if (err != ERR_OK || !id_equal(&there.digest, &own.digest)) {
            world_violate(world, "lines",
                          "the cells of %s count %lld entries there, and %lld at %s, or differ",
                          host->code, (long long)own.cell_count, (long long)there.cell_count,
                          top->code);
        }
    }
}

int64_t checks_raised(struct world *world)
{
    static const char SUM[] = "SELECT coalesce(sum(c.value),0) FROM cell c JOIN symbol s ON "
                              "s.id=c.measure WHERE s.text='raised'";
    sqlite3_stmt *stmt = NULL;
    int64_t sum = -1;
    struct host *root = world->hosts[0];
    disk_pause(root->disk, true);
    if (sqlite3_prepare_v2(root->store->db, SUM, -1, &stmt, NULL) == SQLITE_OK &&
        sqlite3_step(stmt) == SQLITE_ROW) {
        sum = sqlite3_column_int64(stmt, 0);
    }
    (void)sqlite3_finalize(stmt);
    disk_pause(root->disk, false);
    return sum;
}

/* Two nodes of a line have lost entries, and nobody may have them any more. Whatever they came to:
 * all have the same, and every file is what its own rows come to. */
static void check_lines(struct world *world)
{
    struct msg_request request = {.type = REQUEST_VERIFY};
    world->current = NULL;
    int64_t raised = world->least > 0 && !world->flipped ? checks_raised(world) : world->least;
    if (raised < world->least) {
        world_violate(world, "lines", "the root has %lld of the %lld that it had",
                      (long long)raised, (long long)world->least);
    }
    for (size_t i = 0; world->in_line && !world->flipped && i < world->host_count; i++) {
        struct host *host = world->hosts[i];
        if (host->state != HOST_UP || host->lost || host->doubtful || checks_apart(host)) {
            continue;
        }
        disk_pause(host->disk, true);
        bool good = store_alarms_delete_mended(host->store) == ERR_OK;
        check_line(world, host);
        disk_pause(host->disk, false);
        if (!good || host_query(world, host, &request, see_verify, host) != ERR_OK) {
            world_violate(world, "verify", "%s cannot be asked", host->code);
        }
    }
}

void checks_end(struct world *world)
{
    bool apart = any_apart(world);
    world->ending = true;
    for (size_t i = 0; i < world->host_count && !world->violated; i++) {
        struct host *host = world->hosts[i];
        if (host->healed && host->state == HOST_UP && !host->lost && host_near_damage(host)) {
            world->current = host; /* what it has is known before others are asked */
            offers_compare_ledger(world, host);
        }
    }
    for (size_t i = 0; i < world->host_count && !world->violated; i++) {
        struct host *host = world->hosts[i];
        world->current = host;
        if (checks_apart(host)) {
            check_named(world, host);
        }
        if (!world->violated && host->state == HOST_UP && !host->lost) {
            check_one(world, host, apart || host->aside);
        }
    }
    world->current = NULL;
    check_lines(world);
}

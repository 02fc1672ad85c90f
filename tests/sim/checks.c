/* What must hold at any time. */
#include "checks.h"

#include <stdlib.h>

#include "cells.h"
#include "checks_internal.h"
#include "clones.h"
#include "offers.h"

static uint64_t checks_made;
static uint64_t figures_compared;

void checks_counts(uint64_t *checks, uint64_t *figures)
{
    *checks = checks_made;
    *figures = figures_compared;
}

/* ---- totals ---- */

struct comparison {
    struct world *world;
    struct host *host;
    const struct model_view *view;
    struct sources sources;
    bool targets; /* were asked for */
};

/* Everything there is: what a host lost before anybody saw it is not. */
static int64_t there_is(void *ctx, const struct model_cell_key *key)
{
    const struct world *world = ctx;
    for (size_t i = 0; i < world->host_count; i++) {
        if (world->hosts[i]->own == key->origin && !world->hosts[i]->aside) {
            return INT64_MAX;
        }
    }
    return 0;
}

static bool knows_unit(void *ctx, int unit)
{
    const struct comparison *c = ctx;
    return view_unit_by_code(&c->host->node->view, model_unit_code(c->world->model, unit)) !=
           TREE_NONE;
}

static void differs(struct comparison *c, const struct total_row *row, const char *what, wide is,
                    wide want)
{
    char left[WIDE_TEXT_BYTES];
    char right[WIDE_TEXT_BYTES];
    wide_format(is, 0, left);
    wide_format(want, 0, right);
    world_violate(c->world, c->view->seen == there_is ? "exact" : "sums",
                  "at %s, unit %s, measure %s, period %s, category %s%s: %s is %s and should be %s",
                  c->host->code, row->unit, row->measure, row->period,
                  row->category_null ? "(all)" : row->category, row->own ? ", own" : "", what, left,
                  right);
}

static void says_else(struct comparison *c, const struct total_row *row, const char *what,
                      const char *is, const char *want)
{
    if (strcmp(is, want) != 0) {
        world_violate(c->world, c->view->seen == there_is ? "exact" : "sums",
                      "at %s, unit %s, measure %s, period %s%s: %s is \"%s\" and should be \"%s\"",
                      c->host->code, row->unit, row->measure, row->period, row->own ? ", own" : "",
                      what, is, want);
    }
}

/* The cadres' share of the members in percent with two decimals, half away from zero. */
static void compare_share(struct comparison *c, const struct total_row *row,
                          struct model_question question)
{
    char want[WIDE_TEXT_BYTES] = "";
    question.measure = "members";
    question.category = NULL;
    wide all = model_total(c->world->model, &question, c->view).value;
    question.category = "group=cadre";
    wide cadres = model_total(c->world->model, &question, c->view).value * 10000;
    if (all != 0) {
        bool below = (cadres < 0) != (all < 0);
        cadres = cadres < 0 ? -cadres : cadres;
        all = all < 0 ? -all : all;
        wide rounded = (2 * cadres + all) / (2 * all);
        wide_format(below ? -rounded : rounded, 2, want);
    }
    says_else(c, row, "the value", row->indicator_value, want);
}

static bool is_commune(const struct host *host, const char *code)
{
    const struct view *view = &host->node->view;
    int unit = view_unit_by_code(view, code);
    return unit != TREE_NONE && strcmp(view->tree.units[unit].level, "commune") == 0;
}

/* What communes are to raise in 2025, and how far that has come; of other units nothing is wanted.
 */
static void compare_target(struct comparison *c, const struct total_row *row,
                           struct model_question question)
{
    char want[WIDE_TEXT_BYTES] = "";
    struct period year = period_of_day(FREQUENCY_YEAR, period_first_day(question.period));
    bool wanted = year.index == 2025 && !row->own && is_commune(c->host, row->unit) &&
                  strcmp(row->measure, "raised") == 0;
    says_else(c, row, "what is wanted", row->target, wanted ? "1000" : "");
    if (wanted) {
        int32_t end = period_of_day(FREQUENCY_MONTH, period_last_day(question.period)).index;
        wide sum = 0;
        for (int32_t month = 2025 * 12; month <= end; month++) {
            question.period = (struct period){FREQUENCY_MONTH, month};
            sum += model_total(c->world->model, &question, c->view).value;
        }
        wide_format(sum, 0, want);
    }
    says_else(c, row, "what is reached", row->reached, want);
}

static void compare_row(struct comparison *c, const struct total_row *row)
{
    struct model_question question = {.unit = model_unit(c->world->model, row->unit),
                                      .measure = row->measure,
                                      .category = row->category_null ? NULL : row->category,
                                      .own_only = row->own,
                                      .knows_unit = knows_unit,
                                      .ctx = c};
    if (period_parse(row->period, &question.period, NULL) != ERR_OK || question.unit < 0) {
        world_violate(c->world, "sums", "%s answers about unit %s, period %s", c->host->code,
                      row->unit, row->period);
        return;
    }
    if (row->indicator) {
        figures_compared++;
        compare_share(c, row, question);
        return;
    }
    struct model_total want = model_total(c->world->model, &question, c->view);
    if (c->targets) {
        compare_target(c, row, question);
    }
    if (!row->own && question.category != NULL) { /* reported is said of the measure */
        question.category = NULL;
        struct model_total all = model_total(c->world->model, &question, c->view);
        want.reported = all.reported;
        want.expected = all.expected;
    }
    figures_compared++;
    if (row->value != want.value || row->overflow) {
        differs(c, row, "the value", row->value, want.value);
    }
    if (row->entries != want.entries) {
        differs(c, row, "the number of entries", row->entries, want.entries);
    }
    if (!row->own && (row->reported != want.reported || row->expected != want.expected)) {
        differs(c, row, "the number of units that reported", row->reported, want.reported);
        differs(c, row, "the number of units expected", row->expected, want.expected);
    }
}

static void keep_sources(struct sources *out, const struct rep_total *total)
{
    out->nodes = total->nodes;
    out->exact = total->exact;
    out->held = total->held;
    for (size_t i = 0; i < total->stale_count && out->stale_count < SOURCES_MAX; i++) {
        (void)snprintf(out->stale[out->stale_count++], CODE_BYTES, "%s", total->stale[i].unit);
    }
}

static bool see_total(void *ctx, const struct message *message)
{
    struct comparison *c = ctx;
    const struct msg_reply *reply = &message->u.reply;
    if (reply->err != ERR_OK) {
        if (!c->world->hard_questions || reply->text[0] == '\0') {
            world_violate(c->world, "sums", "%s does not say its totals: %s", c->host->code,
                          reply->text);
        }
        return false;
    }
    if (c->sources.nodes == 0) {
        keep_sources(&c->sources, &reply->u.total);
    }
    for (size_t i = 0; i < reply->u.total.row_count && !c->world->violated; i++) {
        compare_row(c, &reply->u.total.rows[i]);
    }
    return true;
}

void checks_totals(struct world *world, struct host *host, const struct asked *asked,
                   const struct model_view *view, struct sources *sources)
{
    struct model_view all = {there_is, world};
    struct comparison c = {.world = world,
                           .host = host,
                           .view = view == NULL ? &all : view,
                           .targets = asked->by != BY_CATEGORY};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = asked->unit,
                                              .has_period = true,
                                              .period = asked->period,
                                              .by = asked->by,
                                              .level = asked->by == BY_LEVEL ? "commune" : "",
                                              .targets = c.targets,
                                              .tree_as_of = DAY_NONE}};
    checks_made++;
    enum err err = host_query(world, host, &request, see_total, &c);
    if (err != ERR_OK && !world->hard_questions) {
        world_violate(world, "opens", "%s cannot be asked for totals: %s", host->code,
                      err_name(err));
    }
    if (sources != NULL) {
        *sources = c.sources;
    }
}

/* Units and periods that entries are about, so that there is something to find. */
struct asked checks_any_question(struct world *world, struct host *host, struct chance *chance)
{
    struct asked asked = {.unit = host->code, .by = BY_NONE};
    int year = 2024 + (int)chance_below(chance, 2);
    int month = (int)chance_below(chance, 12);
    (void)world;
    switch (chance_below(chance, 4)) {
    case 0:
        asked.period = (struct period){FREQUENCY_YEAR, year};
        asked.by = chance_percent(chance, 50) ? BY_CHILD : BY_CATEGORY;
        break;
    case 1:
        asked.period = (struct period){FREQUENCY_MONTH, year * 12 + month};
        asked.by = chance_percent(chance, 30) ? BY_LEVEL : BY_NONE;
        break;
    case 2:
        asked.period = (struct period){FREQUENCY_QUARTER, year * 4 + month / 3};
        asked.by = chance_percent(chance, 30) ? BY_PERIOD : BY_CHILD;
        break;
    default:
        asked.period = (struct period){FREQUENCY_HALF, year * 2 + month / 6};
        break;
    }
    return asked;
}

/* ---- entries ---- */

/* A child's own cells never count more than the entries that were put into escrow before them. */
static void check_entries(struct world *world, struct host *host)
{
    for (size_t i = 0; i < world->host_count && !world->violated; i++) {
        const struct host *child = world->hosts[i];
        struct store_origin origin;
        int64_t facts = 0;
        if (child->parent != host ||
            store_origin_find(host->store, &child->origin, &origin) != ERR_OK) {
            continue;
        }
        if (store_ledger_facts(host->store, origin.id, &facts) == ERR_OK &&
            origin.cell_count > facts) {
            world_violate(world, "entries",
                          "at %s, the cells of %s count %lld entries, and %lld are in escrow",
                          host->code, child->code, (long long)origin.cell_count, (long long)facts);
        }
    }
}

/* ---- honest ---- */

static bool is_stale(const struct sources *sources, const char *code)
{
    for (size_t i = 0; i < sources->stale_count; i++) {
        if (strcmp(sources->stale[i], code) == 0) {
            return true;
        }
    }
    return false;
}

bool checks_all_exact(const struct sources *sources, const struct host *host,
                      const struct host *top)
{
    for (; host != NULL && host != top; host = host->parent) {
        if (is_stale(sources, host->code)) {
            return false;
        }
    }
    return true;
}

struct older {
    struct model_cell_key key;
    int64_t count;
};

/* Entries of one ledger that are older than the silence limit must all be here. */
static void check_lacks_nothing(struct world *world, struct host *host, struct host *author,
                                struct cells *cells)
{
    size_t facts = offers_fact_count(author);
    struct map counts;
    map_init(&counts, sizeof(uint64_t), sizeof(struct older));
    for (size_t i = 0; i < facts; i++) {
        const struct fact *fact = offers_fact(author, i);
        const struct fact *record =
            fact->kind == MODEL_RECORD ? fact : offers_fact(author, fact->refers);
        const struct measure *measure =
            catalogue_measure(tree_catalogue(CATALOGUES), record->measure);
        if (fact->at_us > world->now_us - HONEST_SLACK_US * (author->depth - host->depth) ||
            measure == NULL) {
            continue;
        }
        struct model_cell_key key = {.origin = author->shown,
                                     .unit = model_unit(world->model, record->unit),
                                     .measure = record->measure,
                                     .category = record->category,
                                     .period =
                                         period_of_day(measure->frequency, record->day).index};
        uint64_t parts[] = {(uint64_t)key.unit, map_hash(key.measure, strlen(key.measure)),
                            map_hash(key.category, strlen(key.category)), (uint64_t)key.period};
        uint64_t hash = map_hash(parts, sizeof parts);
        struct older *older = map_put(&counts, &hash, NULL);
        if (older == NULL) {
            abort();
        }
        older->key = key;
        older->count++;
    }
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&counts, &at, &key, &value) && !world->violated) {
        const struct older *older = value;
        bool known = catalogue_measure(&host->node->view.catalogue, older->key.measure) != NULL;
        if (known && cells_seen(cells, &older->key) < older->count) {
            world_violate(
                world, "honest",
                "%s calls %s exact, and has %lld of its %lld older entries about unit %s, "
                "measure %s",
                host->code, author->code, (long long)cells_seen(cells, &older->key),
                (long long)older->count, model_unit_code(world->model, older->key.unit),
                older->key.measure);
        }
    }
    map_deinit(&counts);
}

static void check_honest(struct world *world, struct host *host, const struct sources *sources,
                         struct cells *cells)
{
    if (sources->stale_count >= SOURCES_MAX) {
        return;
    }
    if (sources->nodes - sources->exact != (int64_t)sources->stale_count) {
        world_violate(world, "honest", "%s has %lld of %lld nodes exact and names %zu others",
                      host->code, (long long)sources->exact, (long long)sources->nodes,
                      sources->stale_count);
    }
    for (size_t i = 0; i < world->host_count && !world->violated; i++) {
        struct host *author = world->hosts[i];
        if (author != host && host_within(author, host) && !author->may_lose && !host->may_lose &&
            checks_all_exact(sources, author, host)) {
            check_lacks_nothing(world, host, author, cells);
        }
    }
}

/* ---- clocks ---- */

/* Since when a child is exact is told by this machine's clock, whatever the child's says. */
void checks_times(struct world *world, struct host *host)
{
    if (host->state != HOST_UP || host_near_damage(host)) {
        return;
    }
    for (size_t i = 0; i < host->node->link_count; i++) {
        const struct link *link = host->node->links[i];
        int64_t ms = link->exact_as_of.ms;
        if (!link->up && ms != 0 && map_get(&host->walls, &ms) == NULL) {
            world_violate(world, "clock",
                          "%s has a child exact as of %lld ms, a time that its clock "
                          "never had",
                          host->code, (long long)ms);
        }
    }
}

/* ---- questions that meet faults ---- */

/* An answer, or why there is none. */
static bool see_other(void *ctx, const struct message *message)
{
    const struct host *host = ctx;
    const struct msg_reply *reply = &message->u.reply;
    if (reply->err != ERR_OK && reply->text[0] == '\0') {
        world_violate(host->world, "offers", "%s refuses a question without a word", host->code);
    } else if (reply->err == ERR_OK && reply->type == REQUEST_VERIFY && !reply->u.verify.ok) {
        const struct rep_verify *verify = &reply->u.verify;
        world_violate(host->world, "verify", "at %s: %s", host->code,
                      verify->fault_count > 0 ? verify->faults[0] : "not ok");
    }
    return true;
}

void checks_hard_questions(struct world *world, struct host *host)
{
    static const enum total_by BY[] = {BY_NONE, BY_CHILD, BY_CATEGORY, BY_PERIOD};
    world->hard_questions = true;
    for (size_t i = 0; i < sizeof BY / sizeof *BY && host->state == HOST_UP; i++) {
        struct asked asked = {host->code, {FREQUENCY_YEAR, 2025}, BY[i]};
        checks_totals(world, host, &asked, NULL, NULL);
    }
    static const enum request_type OTHERS[] = {REQUEST_VERIFY, REQUEST_LOG, REQUEST_STATUS};
    for (size_t i = 0; i < sizeof OTHERS / sizeof *OTHERS && host->state == HOST_UP; i++) {
        struct msg_request request = {.type = OTHERS[i]};
        if (request.type == REQUEST_LOG) {
            request.u.log = (struct req_log){.unit = "", .key = "", .author = ""};
        }
        enum err ignored = host_query(world, host, &request, see_other, host);
        (void)ignored; /* it may be refused; what it leaves behind shows later */
    }
    world->hard_questions = false;
}

/* ---- marks ---- */

void checks_mark(struct world *world, struct host *host, struct host *child, int64_t upto)
{
    struct cells_lack lack = {.unit = 0};
    if (child->state != HOST_UP || host_near_damage(host) || host_near_damage(child)) {
        return;
    }
    if (map_get(&child->marks, &upto) == NULL) {
        world_violate(world, "mark", "%s calls %s exact at revision %lld, and it was not done",
                      host->code, child->code, (long long)upto);
        return;
    }
    struct cells *above = cells_read(world, host);
    struct cells *below = above == NULL ? NULL : cells_read(world, child);
    /* One that was put back may lack what its own children have not sent it again. */
    if (below != NULL && !cells_all_above(below, upto, above, child->may_lose, &lack)) {
        world_violate(world, "mark",
                      "%s calls %s exact, and has %lld of its %lld entries about unit %s, period "
                      "%d",
                      host->code, child->code, (long long)lack.above, (long long)lack.below,
                      model_unit_code(world->model, lack.unit), lack.period);
    }
    cells_free(below);
    cells_free(above);
}

/* ---- all of it ---- */

/* What came back may be there although no word of it went out. */
static void see_healed(struct world *world, struct host *host)
{
    if (host->healing && host->state == HOST_UP &&
        host->node->ledger_length != host->healed_length) {
        host->healed_length = host->node->ledger_length;
        offers_rebuild(world, host);
    }
}

void checks_cells(struct world *world, struct host *host)
{
    world->current = host;
    see_healed(world, host);
    if (host->state != HOST_UP || host_near_damage(host) || world->violated) {
        return;
    }
    struct cells *cells = cells_read(world, host);
    disk_pause(host->disk, true);
    if (!world->violated) {
        check_entries(world, host);
    }
    disk_pause(host->disk, false);
    cells_free(cells);
}

void checks_host(struct world *world, struct host *host)
{
    struct sources sources = {.nodes = 0};
    world->current = host;
    see_healed(world, host);
    if (host->state != HOST_UP || host_near_damage(host) || world->violated) {
        return;
    }
    struct cells *cells = cells_read(world, host);
    if (cells == NULL) {
        return;
    }
    struct model_view view = {cells_seen, cells};
    struct asked asked = checks_any_question(world, host, &host->chance);
    checks_totals(world, host, &asked, &view, &sources);
    disk_pause(host->disk, true);
    if (!world->violated) {
        check_entries(world, host);
    }
    if (!world->violated) {
        check_honest(world, host, &sources, cells);
    }
    disk_pause(host->disk, false);
    cells_free(cells);
}

/* ---- what goes out, and what is there after a start ---- */

static void show(struct host *host)
{
    if (host->shown == host->own || host->shown < 0) {
        host->shown = host->own;
        return;
    }
    int *was = realloc(host->was, (host->was_count + 1) * sizeof *was);
    if (was == NULL) {
        abort();
    }
    was[host->was_count++] = host->shown;
    host->was = was;
    host->shown = host->own;
}

void checks_sent(struct world *world, struct host *host, struct line *line,
                 const struct message *message)
{
    struct host *child = line->end[CHILD_END];
    struct store_origin origin;
    int64_t known;
    int64_t held;
    if (world->light) {
        return;
    }
    if (child == host && host->healing &&
        (message->type == MESSAGE_ACK || message->type == MESSAGE_HELLO)) {
        offers_rebuild(world, host); /* each batch that came is whole */
    }
    if (child == host) {
        bool batch = message->type == MESSAGE_BATCH && message->u.batch.mark;
        bool ping = message->type == MESSAGE_PING && message->u.ping.at_head;
        int64_t at = batch ? message->u.batch.upto.revision : message->u.ping.upto.revision;
        if ((batch || ping) && map_put(&host->marks, &at, NULL) == NULL) {
            abort();
        }
        if (message->type == MESSAGE_HELLO) {
            clones_says_hello(line, host);
        } else if (message->type == MESSAGE_REFUSE) {
            clones_refused(world, host, line, &message->u.refuse);
        } else if (message->type == MESSAGE_BATCH) {
            clones_goes_up(host);
            checks_ahead(world, host, line, &message->u.batch);
        }
        return;
    }
    if (message->type == MESSAGE_WELCOME) {
        checks_welcomed(line, &message->u.welcome);
        clones_welcomed(world, line);
        child->healing = message->u.welcome.heal;
        if (!child->healing) {
            show(child); /* what it could not have back is gone, and its parent takes it as it is */
        }
    }
    if (message->type == MESSAGE_REFUSE) {
        clones_refused(world, host, line, &message->u.refuse);
    }
    if (message->type != MESSAGE_ACK) {
        return;
    }
    disk_pause(host->disk, true);
    if (store_origin_find(host->store, &child->origin, &origin) == ERR_OK &&
        store_ledger_length(host->store, origin.id, &known, &held) == ERR_OK) {
        child->escrow_acked = held;
    }
    disk_pause(host->disk, false);
}

void checks_started(struct world *world, struct host *host)
{
    if (world->violated || host_near_damage(host)) {
        return;
    }
    disk_pause(host->disk, true);
    for (size_t i = 0; i < world->host_count && !world->violated; i++) {
        struct host *child = world->hosts[i];
        struct store_origin origin;
        int64_t known;
        int64_t held = 0;
        if (child->parent != host) {
            continue;
        }
        enum err err = store_origin_find(host->store, &child->origin, &origin);
        err = err == ERR_OK ? store_ledger_length(host->store, origin.id, &known, &held) : err;
        if (held < child->escrow_acked && !host->loses) {
            world_violate(world, "escrow",
                          "%s acknowledged %lld entries of %s and has %lld after a start (%s)",
                          host->code, (long long)child->escrow_acked, child->code, (long long)held,
                          err_name(err));
        }
        child->escrow_acked = held;
    }
    disk_pause(host->disk, false);
    if (!world->violated) {
        checks_host(world, host);
    }
}

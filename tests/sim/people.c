/* What people do at their nodes. */
#include "clones.h"
#include "offers.h"
#include "steps.h"

enum { HOSTS_MAX = 44, UNITS_MOST = 90, IMPORT_ROWS = 12 };

struct deed {
    struct world *world;
    struct host *host;
    struct chance chance;
};

static int32_t any_day(struct chance *chance)
{
    /* Mostly few days, so that keys of cells meet; else any of two years. */
    int32_t first = day_from_civil(2024, 1, 1);
    return first + (int32_t)(chance_percent(chance, 70) ? 31 * chance_below(chance, 24)
                                                        : chance_below(chance, 700));
}

/* Whether people of this host record about that unit here. Where a file may be put back, nothing is
 * recorded that goes down or that only this file has. */
static bool may_record(const struct deed *deed, int unit)
{
    const struct host *host = deed->host;
    const struct view *view = &host->node->view;
    const struct plan *plan = deed->world->plan;
    int place = view_unit_by_code(view, model_unit_code(deed->world->model, unit));
    if (place == TREE_NONE ||
        !model_within(deed->world->model, unit, model_unit(deed->world->model, host->code))) {
        return false;
    }
    bool careful =
        plan != NULL && (plan_has(plan, STEP_LIE) || (plan_copies(plan) && host->parent != NULL));
    return !careful || view_host(view, place) == view->self;
}

static int any_unit(struct deed *deed)
{
    int count = model_unit_count(deed->world->model);
    int first = (int)chance_below(&deed->chance, (uint64_t)count);
    for (int i = 0; i < count; i++) {
        int unit = (first + i) % count;
        if (may_record(deed, unit)) {
            return unit;
        }
    }
    return -1;
}

/* A row that the host may take; *must: it has no reason not to. */
static void fill_row(struct deed *deed, int unit, struct offer_row *row, bool *must)
{
    static const char *const GROUPS[] = {"", "group=cadre", "group=other", "group=child"};
    struct chance *chance = &deed->chance;
    const struct catalogue *all = tree_catalogue(CATALOGUES);
    const struct measure *measure = &all->measures[chance_below(chance, all->measure_count)];
    size_t group = measure->dimension_count > 0 ? (size_t)chance_below(chance, 4) : 0;
    const struct catalogue *here = &deed->host->node->view.catalogue;
    row->number = chance_percent(chance, 5)
                      ? (int64_t)(chance_next(chance) % 2000000000000000u) - VALUE_MAX
                      : chance_between(chance, -500, 1500);
    bool dated = chance_percent(chance, deed->host->wall_offset_ms == 0 ? 85 : 60);
    row->day = dated ? any_day(chance) : DAY_NONE;
    (void)snprintf(row->unit, sizeof row->unit, "%s", model_unit_code(deed->world->model, unit));
    (void)snprintf(row->measure, sizeof row->measure, "%s", measure->code);
    (void)snprintf(row->category, sizeof row->category, "%s", GROUPS[group]);
    (void)snprintf(row->value, sizeof row->value, "%lld", (long long)row->number);
    *must = *must && measure->kind == MEASURE_FLOW && row->day != DAY_NONE &&
            catalogue_measure(here, measure->code) != NULL &&
            (group < 3 || tree_version(here) >= 3);
}

/* The same cell once more. */
static void follow(struct deed *deed, struct offer_row *row, bool *must)
{
    size_t count = offers_fact_count(deed->host);
    const struct fact *last = count == 0 ? NULL : offers_fact(deed->host, count - 1);
    const struct view *view = &deed->host->node->view;
    if (last == NULL || last->kind != MODEL_RECORD || !chance_percent(&deed->chance, 30) ||
        view_unit_by_code(view, last->unit) == TREE_NONE) {
        return;
    }
    row->day = last->day;
    (void)snprintf(row->unit, sizeof row->unit, "%s", last->unit);
    (void)snprintf(row->measure, sizeof row->measure, "%s", last->measure);
    (void)snprintf(row->category, sizeof row->category, "%s", last->category);
    *must = false;
}

/* Where another node's file is put back, the root has one cell about each unit below it, which goes
 * down through that node in many states. */
static void state_from_above(struct deed *deed, struct offer_row *row, bool *must)
{
    const struct plan *plan = deed->world->plan;
    if (plan == NULL || !plan_copies(plan) || deed->host->parent != NULL ||
        deed->host->node->view.catalogue.version == 0) {
        return;
    }
    row->day = day_from_civil(2025, 1, 1);
    (void)snprintf(row->measure, sizeof row->measure, "raised");
    row->category[0] = '\0';
    *must = false;
}

/* Who hosts a unit and, later, the node that it gets count the same stock, so that the two meet. */
static void meet(struct deed *deed, struct offer_row *row, bool *must)
{
    struct chance *chance = &deed->chance;
    if (row->unit[0] != 'c' || !chance_percent(chance, 60)) {
        return;
    }
    row->day = day_from_civil(2025, 1, 1) + (int32_t)chance_below(chance, 40);
    row->number = chance_between(chance, 0, 1500);
    (void)snprintf(row->measure, sizeof row->measure, "members");
    (void)snprintf(row->category, sizeof row->category, "group=cadre");
    (void)snprintf(row->value, sizeof row->value, "%lld", (long long)row->number);
    *must = false;
}

static void do_record(struct deed *deed)
{
    int unit = any_unit(deed);
    if (deed->host->depth == 1 && chance_percent(&deed->chance, 50)) {
        for (int i = 0; i < 8 && unit >= 0; i++) {
            if (model_unit_code(deed->world->model, unit)[0] == 'c') {
                break;
            }
            unit = any_unit(deed);
        }
    }
    if (unit < 0) {
        return;
    }
    struct offer *offer = offers_make(deed->world, deed->host, OFFER_RECORD);
    struct offer_row *row = offers_add_row(offer);
    offer->must = true;
    fill_row(deed, unit, row, &offer->must);
    meet(deed, row, &offer->must);
    follow(deed, row, &offer->must);
    state_from_above(deed, row, &offer->must);
    if (chance_percent(&deed->chance, 50)) {
        (void)snprintf(row->key, sizeof row->key, "k%llu", (unsigned long long)offer->id);
    }
    offers_give(deed->world, offer);
}

static void do_import(struct deed *deed)
{
    int unit = any_unit(deed);
    uint64_t rows = 2 + chance_below(&deed->chance, IMPORT_ROWS);
    if (unit < 0) {
        return;
    }
    struct offer *offer = offers_make(deed->world, deed->host, OFFER_RECORD);
    bool keys = chance_percent(&deed->chance, 50);
    bool huge = chance_percent(&deed->chance, 10); /* beyond what a double holds, together */
    offer->must = true;
    for (uint64_t i = 0; i < rows; i++) {
        struct offer_row *row = offers_add_row(offer);
        fill_row(deed, chance_percent(&deed->chance, 40) ? any_unit(deed) : unit, row,
                 &offer->must);
        if (chance_percent(&deed->chance, 80)) { /* of the same measure, so that most are taken */
            const char *code = deed->host->node->view.catalogue.version > 0 ? "raised" : "visits";
            (void)snprintf(row->measure, sizeof row->measure, "%s", code);
            row->category[0] = '\0';
        }
        if (huge) {
            row->number = VALUE_MAX - (int64_t)chance_below(&deed->chance, 1000);
            row->day = day_from_civil(2025, 2, 1);
            (void)snprintf(row->value, sizeof row->value, "%lld", (long long)row->number);
        }
        if (keys) {
            (void)snprintf(row->key, sizeof row->key, "k%llu.%llu", (unsigned long long)offer->id,
                           (unsigned long long)i);
        }
    }
    offer->must = false;
    if (chance_percent(&deed->chance, 20)) {
        struct offer_row *row = &offer->rows[chance_below(&deed->chance, rows)];
        (void)snprintf(row->unit, sizeof row->unit, "nowhere");
        offer->spoiled = true;
    }
    offers_give(deed->world, offer);
}

static void do_correct(struct deed *deed)
{
    size_t count = offers_fact_count(deed->host);
    size_t place = (size_t)chance_below(&deed->chance, count);
    const struct fact *fact = offers_fact(deed->host, place);
    if (fact == NULL || fact->kind != MODEL_RECORD || fact->entry[0] == '\0' ||
        deed->host->items != NULL || (!fact->live && !chance_percent(&deed->chance, 30))) {
        return;
    }
    /* What only says again what one before it says stands for that one. */
    bool live = fact->again ? offers_fact(deed->host, fact->means)->live : fact->live;
    if (!live && deed->host->in_line) {
        return; /* what made it void may be lost */
    }
    struct offer *offer = offers_make(deed->world, deed->host, OFFER_CORRECT);
    struct offer_row *row = offers_add_row(offer);
    offer->must = live;
    offer->spoiled = !live; /* a void entry stays as it is */
    offer->refers = place;
    offer->is_void = chance_percent(&deed->chance, 40);
    row->number = chance_between(&deed->chance, -1000, 2000);
    row->day = fact->day;
    (void)snprintf(row->unit, sizeof row->unit, "%s", fact->unit);
    (void)snprintf(row->measure, sizeof row->measure, "%s", fact->measure);
    (void)snprintf(row->category, sizeof row->category, "%s", fact->category);
    (void)snprintf(row->value, sizeof row->value, "%lld", (long long)row->number);
    offers_give(deed->world, offer);
}

/* What the host has lost, or what people have typed at another machine with its data. */
static const struct fact *to_type(const struct host *host, struct chance *chance)
{
    const struct fact *lost = offers_lost(host, chance);
    return lost != NULL ? lost : clones_paper(host, chance);
}

/* What a host has lost is typed there again, from the same paper, with the same key. */
static bool type_again(struct deed *deed)
{
    struct world *world = deed->world;
    struct host *host = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; i < world->host_count; i++) {
        struct host *other = world->hosts[i];
        struct chance look = deed->chance;
        bool idle = other->state == HOST_UP && other->items == NULL && !host_near_damage(other);
        idle = idle && !other->rests;
        if (idle && to_type(other, &look) != NULL && chance_below(&deed->chance, ++seen) == 0) {
            host = other;
        }
    }
    if (host == NULL) {
        return false;
    }
    const struct fact *fact = to_type(host, &deed->chance);
    struct offer *offer = offers_make(world, host, OFFER_RECORD);
    struct offer_row *row = offers_add_row(offer);
    row->day = fact->day;
    row->number = fact->number;
    (void)snprintf(row->unit, sizeof row->unit, "%s", fact->unit);
    (void)snprintf(row->measure, sizeof row->measure, "%s", fact->measure);
    (void)snprintf(row->category, sizeof row->category, "%s", fact->category);
    (void)snprintf(row->value, sizeof row->value, "%lld", (long long)fact->number);
    (void)snprintf(row->key, sizeof row->key, "%s", fact->key);
    (void)snprintf(row->note, sizeof row->note, "%s", fact->note);
    offer->known = offers_has_key(host, row->key);
    world_trace(world, "%s is typed again at %s", row->note, host->code);
    offers_give(world, offer);
    return true;
}

/* Somebody who got no answer, or an error, does it once more; so does who learns that it is lost.
 */
static void do_retry(struct deed *deed)
{
    if (chance_percent(&deed->chance, 60) && type_again(deed)) {
        return;
    }
    struct offer *old = offers_any_unsettled(deed->world, &deed->chance);
    if (old == NULL || old->host->state != HOST_UP || old->host->items != NULL ||
        old->host->rests) {
        return;
    }
    struct offer *offer = offers_make(deed->world, old->host, OFFER_RECORD);
    for (size_t i = 0; i < old->row_count; i++) {
        *offers_add_row(offer) = old->rows[i];
    }
    offer->known = offers_has_key(old->host, old->rows[0].key);
    bool may_be_lost = old->host->in_line; /* and its key with it */
    if (offer->known && !may_be_lost && offer->row_count == 1 &&
        chance_percent(&deed->chance, 20)) {
        struct offer_row *row = &offer->rows[0];
        row->number += 1;
        (void)snprintf(row->value, sizeof row->value, "%lld", (long long)row->number);
        offer->spoiled = true; /* the same key, another content */
    }
    offers_give(deed->world, offer);
}

/* For what was recorded just now. */
static void do_wait(struct deed *deed)
{
    do_record(deed);
    struct offer *offer = offers_make(deed->world, deed->host, OFFER_WAIT);
    offer->wait = chance_percent(&deed->chance, 50) ? WAIT_PARENT : WAIT_ROOT;
    offers_give(deed->world, offer);
}

/* A root that was put back publishes again what it has forgotten. */
static void do_catalogue(struct deed *deed)
{
    struct host *root = deed->world->hosts[0];
    if (root->state != HOST_UP || root->items != NULL) {
        return;
    }
    int version = tree_version(&root->node->view.catalogue);
    if (version >= CATALOGUES) {
        return;
    }
    struct offer *offer = offers_make(deed->world, root, OFFER_APPLY);
    offer->version = version + 1;
    offer->must = true;
    offers_give(deed->world, offer);
}

static void do_unit(struct deed *deed)
{
    struct offer *offer;
    if (model_unit_count(deed->world->model) >= UNITS_MOST || deed->host->family != NULL) {
        return;
    }
    offer = offers_make(deed->world, deed->host, OFFER_UNIT);
    offer->must = true;
    (void)snprintf(offer->code, sizeof offer->code, "b%llu", (unsigned long long)offer->id);
    (void)snprintf(offer->level, sizeof offer->level, "branch");
    offers_give(deed->world, offer);
}

static void do_join(struct deed *deed)
{
    char code[CODE_BYTES];
    struct host *host = deed->host;
    const struct plan *plan = deed->world->plan;
    if (host->depth > 1 || deed->world->host_count >= HOSTS_MAX || plan_copies(plan) ||
        plan_has(plan, STEP_LIE)) {
        return;
    }
    (void)snprintf(code, sizeof code, "%.14sj%llu", host->code,
                   (unsigned long long)chance_below(&deed->chance, 100000));
    if (model_unit(deed->world->model, code) < 0) {
        offers_invite(deed->world, host, code, host->depth == 0 ? "district" : "commune", -1);
    }
}

/* A commune that its district hosts gets a node of its own, and that records what the district has
 * recorded of it. */
static void do_late_node(struct deed *deed)
{
    for (size_t i = 0; i < deed->world->host_count; i++) {
        struct host *host = deed->world->hosts[i];
        if (host->code[0] == 'c' && host->state == HOST_UP && !host->rests &&
            chance_percent(&deed->chance, 50)) {
            deed->host = host;
            do_record(deed);
            return;
        }
    }
    const struct model *model = deed->world->model;
    const struct plan *plan = deed->world->plan;
    const struct view *view = &deed->host->node->view;
    if (deed->host->depth != 1 || plan_copies(plan) || plan_has(plan, STEP_LIE)) {
        return;
    }
    for (int unit = 0; unit < model_unit_count(model); unit++) {
        const char *code = model_unit_code(model, unit);
        int place = view_unit_by_code(view, code);
        if (code[0] == 'c' && place != TREE_NONE && !view->tree.units[place].hosting &&
            view_host(view, place) == view->self && !offers_is_joining(deed->world, code)) {
            offers_invite(deed->world, deed->host, code, "commune", unit);
            return;
        }
    }
}

void people_do(struct world *world, const struct step *step)
{
    struct deed deed = {.world = world,
                        .host = world->hosts[step->host % world->host_count],
                        .chance = {step->draw}};
    struct host *waits = offers_waiting(world);
    if (step->kind == STEP_RECORD && waits != NULL && chance_percent(&deed.chance, 30)) {
        deed.host = waits; /* what is waited for changes */
    }
    bool root_rests = plan_has(world->plan, STEP_COPY_ROOT) && deed.host->parent == NULL;
    bool alone = step->kind == STEP_RETRY || step->kind == STEP_CATALOGUE;
    if (!alone && (deed.host->state != HOST_UP || deed.host->rests || root_rests)) {
        return;
    }
    switch (step->kind) {
    case STEP_RECORD:
        do_record(&deed);
        break;
    case STEP_IMPORT:
        do_import(&deed);
        break;
    case STEP_CORRECT:
        do_correct(&deed);
        break;
    case STEP_RETRY:
        do_retry(&deed);
        break;
    case STEP_WAIT:
        do_wait(&deed);
        break;
    case STEP_CATALOGUE:
        do_catalogue(&deed);
        break;
    case STEP_UNIT:
        do_unit(&deed);
        break;
    case STEP_JOIN:
        do_join(&deed);
        break;
    case STEP_LATE_NODE:
        do_late_node(&deed);
        break;
    default:
        break;
    }
}

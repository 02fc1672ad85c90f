#include "offers.h"

#include <stdlib.h>

#include "base/sha256.h"

struct offers {
    struct offer **all; /* by number, from 1 */
    uint64_t count;
    uint64_t cap;
    struct offer *
        *open; /* oldest first: those whose fate is not settled, and some that just were */
    size_t open_count;
    size_t open_cap;
    int version;
};

struct offers *offers_new(void)
{
    struct offers *offers = calloc(1, sizeof *offers);
    if (offers == NULL) {
        abort();
    }
    return offers;
}

void offers_free(struct offers *offers)
{
    for (uint64_t i = 0; i < offers->count; i++) {
        struct offer *offer = offers->all[i];
        free(offer->rows);
        free(offer->request_rows);
        buf_deinit(&offer->bytes);
        free(offer);
    }
    free(offers->all);
    free(offers->open);
    free(offers);
}

int offers_version(const struct world *world)
{
    return world->offers->version;
}

static void forget_settled(struct offers *offers)
{
    size_t kept = 0;
    for (size_t i = 0; i < offers->open_count; i++) {
        if (offers->open[i]->state != OFFER_YES && offers->open[i]->state != OFFER_NO) {
            offers->open[kept++] = offers->open[i];
        }
    }
    offers->open_count = kept;
}

struct offer *offers_unsure(const struct world *world, const struct host *host, size_t *at)
{
    for (; *at < world->offers->open_count; (*at)++) {
        struct offer *offer = world->offers->open[*at];
        bool facts = offer->kind == OFFER_RECORD || offer->kind == OFFER_CORRECT;
        if (facts && offer->host == host && offer->state == OFFER_UNSURE) {
            (*at)++;
            return offer;
        }
    }
    return NULL;
}

/* ---- making ---- */

struct offer *offers_make(struct world *world, struct host *host, enum offer_kind kind)
{
    struct offer *offer = calloc(1, sizeof *offer);
    if (offer == NULL) {
        abort();
    }
    struct offers *offers = world->offers;
    if (offers->count == offers->cap) {
        offers->cap = offers->cap == 0 ? 64 : offers->cap * 2;
        offers->all = realloc(offers->all, offers->cap * sizeof(struct offer *));
        if (offers->all == NULL) {
            abort();
        }
    }
    offers->all[offers->count++] = offer;
    if (offers->open_count == offers->open_cap) {
        offers->open_cap = offers->open_cap == 0 ? 64 : offers->open_cap * 2;
        offers->open = realloc(offers->open, offers->open_cap * sizeof(struct offer *));
        if (offers->open == NULL) {
            abort();
        }
    }
    offers->open[offers->open_count++] = offer;
    offer->id = offers->count;
    offer->kind = kind;
    offer->host = host;
    buf_init(&offer->bytes, CATALOGUE_MAX_BYTES);
    return offer;
}

struct offer_row *offers_add_row(struct offer *offer)
{
    struct offer_row *rows = realloc(offer->rows, (offer->row_count + 1) * sizeof *rows);
    if (rows == NULL) {
        abort();
    }
    offer->rows = rows;
    struct offer_row *row = &rows[offer->row_count++];
    *row = (struct offer_row){.day = DAY_NONE};
    (void)snprintf(row->note, sizeof row->note, "n%llu.%zu", (unsigned long long)offer->id,
                   offer->row_count);
    return row;
}

void offers_give(struct world *world, struct offer *offer)
{
    host_give(world, offer->host, (struct item){.kind = ITEM_REQUEST, .offer = offer});
}

void offers_dropped(struct offer *offer)
{
    if (offer->state == OFFER_WAITING) {
        offer->state = OFFER_NO;
        if (offer->joining != NULL) {
            offer->joining->asked = false;
        }
    }
}

struct offer *offers_any_unsettled(const struct world *world, struct chance *chance)
{
    struct offer *found = NULL;
    uint64_t seen = 0;
    for (uint64_t i = 0; i < world->offers->count; i++) {
        struct offer *offer = world->offers->all[i];
        bool keyed = offer->kind == OFFER_RECORD && offer->rows[0].key[0] != '\0';
        bool open = offer->state == OFFER_NO || offer->state == OFFER_UNSURE || offer->known;
        if (keyed && open && !offer->spoiled && chance_below(chance, ++seen) == 0) {
            found = offer;
        }
    }
    return found;
}

struct host *offers_waiting(const struct world *world)
{
    for (size_t i = 0; i < world->offers->open_count; i++) {
        const struct offer *offer = world->offers->open[i];
        if (offer->kind == OFFER_WAIT && offer->state == OFFER_GIVEN &&
            offer->host->state == HOST_UP) {
            return offer->host;
        }
    }
    return NULL;
}

void offers_answered(struct world *world)
{
    for (size_t i = 0; i < world->offers->open_count; i++) {
        const struct offer *offer = world->offers->open[i];
        bool open = offer->state == OFFER_GIVEN || offer->state == OFFER_WAITING;
        if (open && offer->kind != OFFER_WAIT && offer->host->state == HOST_UP) {
            world->current = offer->host;
            world_violate(world, "offers", "%s has not answered request %llu", offer->host->code,
                          (unsigned long long)offer->id);
        }
    }
    world->current = NULL;
}

/* ---- asking ---- */

static void ask_record(struct offer *offer, struct msg_request *request)
{
    free(offer->request_rows);
    offer->request_rows = calloc(offer->row_count, sizeof *offer->request_rows);
    if (offer->request_rows == NULL) {
        abort();
    }
    for (size_t i = 0; i < offer->row_count; i++) {
        const struct offer_row *row = &offer->rows[i];
        offer->request_rows[i] =
            (struct record_row){.line = offer->row_count > 1 ? (uint32_t)i + 1 : 0,
                                .unit = row->unit,
                                .measure = row->measure,
                                .day = row->day,
                                .category = row->category,
                                .value = row->value,
                                .key = row->key,
                                .note = row->note};
    }
    request->type = REQUEST_RECORD;
    request->u.record = (struct req_record){
        .rows = offer->request_rows, .row_count = offer->row_count, .partial = offer->partial};
}

static void ask_other(struct offer *offer, struct msg_request *request)
{
    switch (offer->kind) {
    case OFFER_APPLY:
        buf_clear(&offer->bytes);
        catalogue_encode(tree_catalogue(offer->version), &offer->bytes);
        request->type = REQUEST_APPLY;
        request->u.apply.catalogue = buf_bytes(&offer->bytes);
        break;
    case OFFER_INVITE:
        request->type = REQUEST_INVITE;
        request->u.invite = (struct req_invite){.unit = offer->code,
                                                .name = offer->level[0] == '\0' ? "" : offer->code,
                                                .level = offer->level,
                                                .expires_ms = (int64_t)30 * DAY_MS,
                                                .reissue = offer->joining->again != NULL};
        break;
    case OFFER_WAIT:
        request->type = REQUEST_WAIT;
        request->u.wait = (struct req_wait){.level = offer->wait, .timeout_ms = 60000};
        break;
    case OFFER_RECORD:
    case OFFER_CORRECT:
    case OFFER_UNIT:
        break;
    }
}

void offers_ask(struct world *world, struct host *host, struct offer *offer)
{
    struct node_client client = {.id = offer->id, .role = NODE_ROLE_ADMIN, .author = "people"};
    struct msg_request request = {.id = offer->id};
    struct unit_new unit = {
        .code = offer->code, .name = offer->code, .level = offer->level, .parent = offer->parent};
    host_inside = false;
    offer->state = OFFER_GIVEN;
    offer->process = host->process;
    offer->batch = world->batches;
    offer->today = host->today;
    offer->generation = host->generation;
    offer->facts = (int64_t)offers_fact_count(host);
    if (offer->kind == OFFER_RECORD) {
        ask_record(offer, &request);
    } else if (offer->kind == OFFER_CORRECT) {
        const struct offer_row *row = &offer->rows[0];
        const struct fact *fact = offers_fact(host, offer->refers);
        request.type = REQUEST_CORRECT;
        request.u.correct = (struct req_correct){.entry = fact->entry,
                                                 .is_void = offer->is_void,
                                                 .value = row->value,
                                                 .key = row->key,
                                                 .note = row->note};
    } else if (offer->kind == OFFER_UNIT) {
        request.type = REQUEST_UNITS;
        request.u.units = (struct req_units){.units = &unit, .unit_count = 1};
    } else {
        ask_other(offer, &request);
    }
    world_trace(world, "%s is asked %s %llu", host->code, request_name(request.type),
                (unsigned long long)offer->id);
    host_inside = true;
    node_on_request(host->node, &client, &request);
}

/* ---- answers ---- */

struct offer *offers_numbered(const struct world *world, uint64_t id, bool *more)
{
    const struct offers *offers = world->offers;
    *more = id >= 1 && id <= offers->count;
    return *more ? offers->all[id - 1] : NULL;
}

/* A clock that is days behind what it has dated before dates nothing. */
static void check_clock(struct world *world, struct host *host, const struct offer_row *row)
{
    if (row->day == DAY_NONE && host->wall_ms < host->newest_ms - (int64_t)DAY_MS &&
        !host->may_lose && !host->doubtful) {
        world_violate(world, "clock", "%s dates a row by a clock that is %lld ms behind",
                      host->code, (long long)(host->newest_ms - host->wall_ms));
    }
}

/* What was recorded goes into the book, in the order in which the node confirms it. */
static void take_facts(struct world *world, struct host *host, struct offer *offer,
                       const struct rep_recorded *rep)
{
    for (size_t i = 0; i < offer->row_count; i++) {
        const struct offer_row *row = &offer->rows[i];
        if (i < rep->row_count && rep->rows[i].known) {
            continue;
        }
        struct fact fact = {.day = row->day == DAY_NONE ? offer->today : row->day,
                            .number = row->number,
                            .kind = MODEL_RECORD,
                            .live = true,
                            .at_us = world->now_us,
                            .generation = offer->generation};
        (void)snprintf(fact.unit, sizeof fact.unit, "%s", row->unit);
        (void)snprintf(fact.measure, sizeof fact.measure, "%s", row->measure);
        (void)snprintf(fact.category, sizeof fact.category, "%s", row->category);
        (void)snprintf(fact.note, sizeof fact.note, "%s", row->note);
        (void)snprintf(fact.key, sizeof fact.key, "%s", row->key);
        if (offer->kind == OFFER_CORRECT) {
            fact.kind = offer->is_void ? MODEL_VOID : MODEL_AMEND;
            fact.number = offer->is_void ? 0 : row->number;
            fact.refers = offer->refers;
        }
        if (rep->row_count == 1) {
            entry_id_format(&rep->rows[0].segment, rep->rows[0].seq, fact.entry);
        }
        (void)book_add(host, &fact);
        check_clock(world, host, row);
    }
    host->newest_ms = host->wall_ms > host->newest_ms ? host->wall_ms : host->newest_ms;
}

/* Of a batch that was lost, what was in escrow came back, which may be a part of it. */
static bool came_back_in_part(const struct host *host)
{
    return host->healed && host_near_damage(host);
}

/* So many of its rows had been recorded, one by one perhaps, after all of them were lost. */
static bool has_rows(const struct host *host, const struct offer *offer, int64_t known)
{
    int64_t count = 0;
    for (size_t i = 0; i < offer->row_count; i++) {
        bool keyed = offer->rows[i].key[0] != '\0';
        count += keyed && offers_has_key(host, offer->rows[i].key) ? 1 : 0;
    }
    return count == known;
}

/* Whether it tells rightly whether the key was known. Of what came back beside damage the book
 * knows in the end only. */
static bool knows_rightly(const struct host *host, const struct offer *offer,
                          const struct rep_recorded *rep)
{
    bool known = rep->known > 0;
    bool parted = known && rep->recorded > 0;
    return known == offer->known || parted || (known && came_back_in_part(host));
}

/* Nothing stands in the way of what is offered: what a damaged file holds may be refused, until it
 * has been made anew. */
static bool must_take(const struct host *host, const struct offer *offer)
{
    return offer->must && (offer->sound || !host->doubtful);
}

static void recorded(struct world *world, struct host *host, struct offer *offer,
                     const struct rep_recorded *rep)
{
    int64_t rows = (int64_t)offer->row_count;
    if (rep->refused_total > 0) {
        bool none = rep->recorded == 0 && rep->known == 0;
        if (!none || must_take(host, offer)) {
            world_violate(world, "offers", "%s refused %lld of %lld rows and took %lld: %s",
                          host->code, (long long)rep->refused_total, (long long)rows,
                          (long long)rep->recorded,
                          rep->refused_count > 0 ? rep->refused[0].reason : "");
        }
        offer->state = OFFER_NO;
        return;
    }
    bool parted = rep->known > 0 && rep->recorded > 0;
    if (rep->recorded + rep->known != rows ||
        (parted && !came_back_in_part(host) && !has_rows(host, offer, rep->known))) {
        world_violate(world, "offers", "%s took %lld rows and knew %lld of %lld", host->code,
                      (long long)rep->recorded, (long long)rep->known, (long long)rows);
    } else if (offer->spoiled) {
        world_violate(world, "offers", "%s took a batch with a bad row", host->code);
    } else if (!host->in_line && !knows_rightly(host, offer, rep)) {
        world_violate(world, "offers", "%s says of key %s that it is %s", host->code,
                      offer->rows[0].key,
                      rep->known > 0 ? "known, and it is not" : "new, and it is known");
    } else if (rep->recorded > 0) {
        take_facts(world, host, offer, rep);
    }
    offer->state = OFFER_YES;
}

static void waited(struct world *world, struct host *host, const struct offer *offer)
{
    struct host *at = offer->wait == WAIT_ROOT ? world->hosts[0] : host->parent;
    struct store_origin origin;
    int64_t there = 0;
    bool unknown = host->put_back || host->in_line; /* what it has, of what was recorded there */
    if (at == NULL || at->state != HOST_UP || at->may_lose || unknown || at->doubtful) {
        return;
    }
    disk_pause(at->disk, true);
    if (store_origin_find(at->store, &host->origin, &origin) == ERR_OK) {
        there = origin.cell_count;
        enum err err =
            offer->wait == WAIT_PARENT ? store_ledger_facts(at->store, origin.id, &there) : ERR_OK;
        there = err == ERR_OK ? there : 0;
    }
    disk_pause(at->disk, false);
    if (there < offer->facts) {
        world_violate(world, "honest",
                      "%s says that what it recorded is at %s, which has %lld of %lld entries",
                      host->code, at->code, (long long)there, (long long)offer->facts);
    }
}

static void unit_made(struct world *world, const struct offer *offer)
{
    const char *parent = offer->parent[0] != '\0' ? offer->parent : offer->host->code;
    if (model_unit(world->model, offer->code) < 0) {
        (void)model_unit_add(world->model, offer->code, offer->level,
                             model_unit(world->model, parent));
    }
}

void offers_published(struct world *world, int version)
{
    if (version > world->offers->version) {
        world->offers->version = version;
        model_publish(world->model, tree_catalogue(version));
    }
}

static void answered_yes(struct world *world, struct host *host, struct offer *offer,
                         const struct msg_reply *reply)
{
    offer->state = OFFER_YES;
    switch (offer->kind) {
    case OFFER_RECORD:
    case OFFER_CORRECT:
        recorded(world, host, offer, &reply->u.recorded);
        break;
    case OFFER_APPLY:
        offers_published(world, offer->version);
        break;
    case OFFER_UNIT:
        offer->state = reply->u.recorded.refused_total > 0 ? OFFER_NO : OFFER_YES;
        if (offer->state == OFFER_YES) {
            unit_made(world, offer);
        }
        break;
    case OFFER_INVITE:
        if (offer->level[0] != '\0') {
            unit_made(world, offer);
        }
        (void)snprintf(offer->joining->token, sizeof offer->joining->token, "%s",
                       reply->u.invite.token);
        offer->joining->asked = false;
        break;
    case OFFER_WAIT:
        waited(world, host, offer);
        break;
    }
}

void offers_reply(struct world *world, struct host *host, const struct msg_reply *reply)
{
    bool there;
    struct offer *offer = offers_numbered(world, reply->id, &there);
    if (offer == NULL || offer->state != OFFER_GIVEN) {
        world_violate(world, "offers", "%s answers request %llu, which nobody asked now",
                      host->code, (unsigned long long)reply->id);
        return;
    }
    world_trace(world, "%s answers %llu: %s %s", host->code, (unsigned long long)offer->id,
                err_name(reply->err), reply->text);
    if (reply->err == ERR_OK) {
        answered_yes(world, host, offer, reply);
        return;
    }
    bool disk = reply->err == ERR_DISK_FULL || reply->err == ERR_IO || reply->err == ERR_BUSY ||
                reply->err == ERR_CORRUPT || reply->err == ERR_NO_MEMORY;
    if (reply->text[0] == '\0') {
        world_violate(world, "offers", "%s refuses without a word", host->code);
    } else if (must_take(host, offer) && (!disk || offer->sound) &&
               !(host->in_line && offer->kind == OFFER_CORRECT)) { /* of what may be lost */
        world_violate(world, "offers", "%s refuses what it must take: %s", host->code, reply->text);
    }
    offer->state = OFFER_NO;
    if (offer->joining != NULL) {
        offer->joining->asked = false;
    }
}

/* ---- after a start ---- */

struct unit_search {
    const char *code;
    bool found;
};

static bool see_units(void *ctx, const struct message *message)
{
    struct unit_search *search = ctx;
    const struct msg_reply *reply = &message->u.reply;
    for (size_t i = 0; reply->err == ERR_OK && i < reply->u.tree.row_count; i++) {
        search->found = search->found || strcmp(reply->u.tree.rows[i].unit, search->code) == 0;
    }
    return true;
}

static bool has_unit(struct world *world, struct host *host, const char *code)
{
    struct unit_search search = {.code = code};
    struct msg_request request = {.type = REQUEST_UNIT_LIST};
    return host_query(world, host, &request, see_units, &search) == ERR_OK && search.found;
}

void offers_host_gone(struct world *world, struct host *host)
{
    forget_settled(world->offers);
    for (size_t i = 0; i < world->offers->open_count; i++) {
        struct offer *offer = world->offers->open[i];
        if (offer->host == host && offer->state == OFFER_GIVEN) {
            offer->state = offer->kind == OFFER_WAIT ? OFFER_NO : OFFER_UNSURE;
        }
    }
    for (struct joining *joining = world->joinings; joining != NULL; joining = joining->next) {
        joining->asked = joining->asked && joining->parent != host;
    }
}

/* What nobody can look at any more stays open for ever: it is not counted by anybody. */
void offers_host_broken(struct world *world, struct host *host)
{
    for (size_t i = 0; i < world->offers->open_count; i++) {
        struct offer *offer = world->offers->open[i];
        if (offer->host == host && offer->state == OFFER_UNSURE) {
            offer->state = OFFER_NO;
        }
    }
}

/* Unsure units, invitations and catalogues: what the node has is looked up. */
static void settle_acts(struct world *world, struct host *host)
{
    for (size_t i = 0; i < world->offers->open_count; i++) {
        struct offer *offer = world->offers->open[i];
        if (offer->host != host || offer->state != OFFER_UNSURE) {
            continue;
        }
        if (offer->kind == OFFER_UNIT || offer->kind == OFFER_INVITE) {
            bool there = has_unit(world, host, offer->code);
            offer->state = there ? OFFER_YES : OFFER_NO;
            if (there && offer->level[0] != '\0') {
                unit_made(world, offer);
            }
        } else if (offer->kind == OFFER_APPLY) {
            bool there = tree_version(&host->node->view.catalogue) >= offer->version;
            offer->state = there ? OFFER_YES : OFFER_NO;
            if (there) {
                offers_published(world, offer->version);
            }
        }
    }
}

void offers_places_moved(struct world *world, const struct host *host, const size_t *at, size_t n)
{
    for (size_t i = 0; i < world->offers->open_count; i++) {
        struct offer *offer = world->offers->open[i];
        if (offer->host != host || offer->kind != OFFER_CORRECT) {
            continue;
        }
        offer->gone = offer->gone || offer->refers >= n || at[offer->refers] == SIZE_MAX;
        offer->refers = offer->gone ? offer->refers : at[offer->refers];
    }
}

void offers_host_started(struct world *world, struct host *host)
{
    settle_acts(world, host);
    offers_compare_ledger(world, host);
    for (size_t i = 0; i < world->offers->open_count; i++) {
        struct offer *offer = world->offers->open[i];
        if (offer->host == host && offer->state == OFFER_UNSURE) {
            offer->state = OFFER_NO;
        }
    }
}

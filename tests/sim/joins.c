/* Joins: a node that is made below another one, and a machine that goes on with its data under a
 * new identity. Both again until they are through: an invitation, then the join. */
#include <stdlib.h>

#include "clones.h"
#include "offers.h"

enum { JOIN_AGAIN_US = 4 * SECOND_US };

static struct joining *joining_new(struct world *world, struct host *parent, const char *code,
                                   const char *level)
{
    struct joining *joining = calloc(1, sizeof *joining);
    if (joining == NULL) {
        abort();
    }
    joining->parent = parent;
    joining->unit = -1;
    joining->line = ++world->next_line;
    joining->next = world->joinings;
    (void)snprintf(joining->code, sizeof joining->code, "%s", code);
    (void)snprintf(joining->level, sizeof joining->level, "%s", level);
    chance_fill(&parent->chance, joining->key.b, sizeof joining->key.b);
    world->joinings = joining;
    return joining;
}

void offers_invite(struct world *world, struct host *parent, const char *code, const char *level,
                   int unit)
{
    joining_new(world, parent, code, level)->unit = unit;
    offers_join_again(world);
}

void offers_reissue(struct world *world, struct host *machine)
{
    joining_new(world, machine->parent, machine->code, "")->again = machine;
    offers_join_again(world);
}

static void invite_again(struct world *world, struct joining *joining)
{
    struct offer *offer = offers_make(world, joining->parent, OFFER_INVITE);
    bool there = model_unit(world->model, joining->code) >= 0;
    (void)snprintf(offer->code, sizeof offer->code, "%s", joining->code);
    (void)snprintf(offer->level, sizeof offer->level, "%s", there ? "" : joining->level);
    offer->joining = joining;
    joining->invite = offer;
    joining->asked = true;
    offers_give(world, offer);
}

void offers_join_again(struct world *world)
{
    bool more = false;
    for (struct joining *joining = world->joinings; joining != NULL; joining = joining->next) {
        struct host *parent = joining->parent;
        if (joining->done) {
            continue;
        }
        if (parent->state == HOST_BROKEN) {
            joining->done = true;
            continue;
        }
        more = true;
        if (parent->state != HOST_UP || joining->asked) {
            continue;
        }
        if (joining->token[0] == '\0') {
            invite_again(world, joining);
        } else {
            joining->asked = true;
            host_give(world, parent, (struct item){.kind = ITEM_JOIN, .joining = joining});
        }
    }
    if (more && !world->join_due) {
        world->join_due = true;
        world_event(world, world->now_us + JOIN_AGAIN_US, EVENT_JOIN, NULL, 0);
    }
}

bool offers_quiet(const struct world *world, bool near_damage)
{
    for (const struct joining *joining = world->joinings; joining != NULL;
         joining = joining->next) {
        if (!joining->done && (near_damage || !host_near_damage(joining->parent))) {
            return false;
        }
    }
    return true;
}

bool offers_is_joining(const struct world *world, const char *code)
{
    for (const struct joining *joining = world->joinings; joining != NULL;
         joining = joining->next) {
        if (strcmp(joining->code, code) == 0) {
            return true;
        }
    }
    return false;
}

void offers_join(struct world *world, struct host *host, struct joining *joining)
{
    struct msg_join join;
    struct node_joiner joiner = {.node_key = joining->key, .ca_key = joining->key, .address = ""};
    (void)world;
    if (tree_join_message(joining->token, &joiner.exporter, &join)) {
        if (joining->again != NULL) {
            join.origin = joining->again->origin;
        }
        node_on_join(host->node, joining->line, &join, &joiner);
    }
}

static struct joining *joining_of(const struct world *world, uint64_t line)
{
    struct joining *joining = world->joinings;
    while (joining != NULL && joining->line != line) {
        joining = joining->next;
    }
    return joining;
}

void offers_joined(struct world *world, uint64_t line, const struct msg_joined *joined)
{
    struct joining *joining = joining_of(world, line);
    if (joining == NULL || joining->done) {
        return;
    }
    joining->done = true;
    if (joining->again != NULL) {
        clones_reissued(world, joining->again, joined, &joining->key);
        return;
    }
    struct host *host = host_new(world, joining->code, joined->unit_level, joining->parent);
    host->key = joining->key;
    host->node_id = joined->node;
    host->origin = joined->origin;
    host->rank = host->number;
    host->own = model_origin_add(world->model, host->rank);
    host->shown = host->own;
    world_trace(world, "%s joins %s", host->code, host->parent->code);
    if (!tree_make_database(world, host, joined)) {
        world_violate(world, "join", "the database of %s cannot be made", host->code);
        return;
    }
    host_start(world, host);
}

void offers_not_joined(struct world *world, uint64_t line, const char *text)
{
    struct joining *joining = joining_of(world, line);
    if (joining == NULL || joining->done) {
        return;
    }
    if (strstr(text, "expired") != NULL) { /* the parent's clock has jumped: a new invitation */
        joining->token[0] = '\0';
        joining->asked = false;
        return;
    }
    if (!joining->parent->may_lose && !joining->parent->doubtful) {
        world_violate(world, "join", "%s does not let %s join: %s", joining->parent->code,
                      joining->code, text);
    }
    joining->done = true;
}

/* What must hold of machines with the data of one node (clones.h). */
#include <stdlib.h>

#include "checks.h"
#include "clones.h"
#include "offers.h"

enum { QUIET_US = 12 * SECOND_US };

static struct link *link_above(const struct host *host)
{
    const struct host *parent = host->parent;
    if (host->state != HOST_UP || host->up == NULL || parent->state != HOST_UP) {
        return NULL;
    }
    for (size_t i = 0; i < parent->node->link_count; i++) {
        struct link *link = parent->node->links[i];
        if (link->id == host->up->id) {
            return link;
        }
    }
    return NULL;
}

bool clones_is_live(const struct host *host)
{
    const struct link *link = link_above(host);
    return link != NULL && link->state == SESSION_LIVE;
}

/* ---- who is welcomed ---- */

void clones_says_hello(struct line *line, const struct host *host)
{
    line->session = host->session;
}

/* Whether nothing keeps it from answering its office, and has not for a while. */
static bool answers(const struct world *world, const struct host *host)
{
    const struct host *parent = host->parent;
    const struct line *line = host->up;
    int64_t quiet_from = world->now_us - QUIET_US;
    bool open = true;
    for (int end = 0; end < 2; end++) {
        open = open && !line->gone[end] && line->free_at_us[end] <= world->now_us &&
               host->route.blocked_until_us[end] < quiet_from;
    }
    return open && host->route.bytes_per_s == 0 && host->busy_until_us <= world->now_us &&
           parent->busy_until_us <= world->now_us && host->up_since_us < quiet_from &&
           parent->up_since_us < quiet_from && !disk_stopped(host->disk);
}

void clones_hello(struct world *world, struct line *line)
{
    struct host *child = line->end[CHILD_END];
    line->rival = NULL;
    for (size_t i = 0; child->family != NULL && i < child->family->count; i++) {
        struct host *other = child->family->machines[i];
        if (other != child && clones_is_live(other) && answers(world, other)) {
            line->rival = other;
            line->rival_session = other->session;
        }
    }
}

/* What others may have seen of it ends here. */
static void freeze(struct host *host)
{
    if (host->shown >= 0 && host->shown == host->own) {
        host->own = model_origin_branch(host->world->model, host->own, offers_fact_count(host));
    }
}

void clones_welcomed(struct world *world, struct line *line)
{
    struct host *child = line->end[CHILD_END];
    struct family *family = child->family;
    if (family == NULL) {
        return;
    }
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&child->knows, &at, &key, &value)) {
        if (map_get(&family->ended, key) != NULL) {
            world_violate(world, "fenced", "h%d of %s is welcomed with a name that has ended",
                          child->number, child->code);
        }
    }
    if (child->superseded) {
        world_violate(world, "fenced",
                      "h%d of %s is welcomed, and another machine has taken its place",
                      child->number, child->code);
    }
    if (line->rival != NULL && map_get(&child->knows, &line->rival_session) == NULL) {
        world_violate(world, "fenced", "h%d of %s is welcomed, and h%d is linked and answers",
                      child->number, child->code, line->rival->number);
    }
    if (family->welcomed != 0 && map_get(&child->knows, &family->welcomed) == NULL &&
        map_put(&family->ended, &family->welcomed, NULL) == NULL) {
        abort();
    }
    family->welcomed = line->session;
    family->last = child;
    line->rival = NULL;
    for (size_t i = 0; i < family->count; i++) {
        if (family->machines[i] != child) {
            freeze(family->machines[i]);
        }
    }
}

void clones_goes_up(struct host *host)
{
    if (host->fenced && clones_is_live(host)) {
        host->fenced = false;
    }
}

/* The name is that of the linked machine, too: it has not ended when this one is turned away. The
 * office may not yet have heard that the machine it welcomed last is gone. */
static bool shared(const struct host *host, uint64_t session)
{
    bool known = false;
    for (size_t i = 0; i < host->family->count; i++) {
        const struct host *other = host->family->machines[i];
        bool linked = other != host && (other == host->family->last || clones_is_live(other));
        known = known || (linked && map_get(&other->knows, &session) != NULL);
    }
    return known;
}

void clones_refused(struct world *world, struct host *by, struct line *line,
                    const struct msg_refuse *refuse)
{
    struct host *child = line->end[CHILD_END];
    if (refuse->code != REFUSAL_FORK || world->plan == NULL) {
        return;
    }
    if (child->family == NULL) {
        if (!host_near_damage(child)) {
            world_violate(world, "fenced", "%s says of %s that it was copied, and nothing was: %s",
                          by->code, child->code, refuse->text);
        }
        return;
    }
    /* Where two go on from one state of memory, the name is that of the other one, too. */
    bool contradicts = strstr(refuse->text, "contradict") != NULL;
    if (child != by && line->session != 0 && !contradicts && !shared(child, line->session) &&
        map_put(&child->family->ended, &line->session, NULL) == NULL) {
        abort();
    }
    for (size_t i = 0; child->rests && i < child->family->count; i++) {
        struct host *other = child->family->machines[i];
        other->rests = other->rests && other == child;
    }
    child->fenced_us = child->fenced ? child->fenced_us : world->now_us;
    child->fenced = true;
}

/* ---- at any time, and when all is quiet ---- */

void clones_check(struct world *world)
{
    for (const struct family *family = world->families; family != NULL; family = family->next) {
        size_t live = 0;
        for (size_t i = 0; i < family->count; i++) {
            live += clones_is_live(family->machines[i]);
        }
        if (live > 1) {
            world_violate(world, "fenced", "%zu machines are linked as %s", live,
                          family->machines[0]->code);
        }
    }
}

static struct host *the_one(const struct family *family)
{
    for (size_t i = 0; i < family->count; i++) {
        if (clones_is_live(family->machines[i])) {
            return family->machines[i];
        }
    }
    return NULL;
}

void clones_settle(struct world *world)
{
    for (struct family *family = world->families; family != NULL; family = family->next) {
        const struct host *one = the_one(family);
        for (size_t i = 0; i < family->count; i++) {
            struct host *host = family->machines[i];
            host->aside = one != NULL && host != one;
        }
    }
}

/* By its name; where that is not known, by its note, if that will do. */
static bool has_entry(const struct host *host, const struct fact *fact, bool by_note)
{
    for (size_t i = 0; i < offers_fact_count(host); i++) {
        const struct fact *other = offers_fact(host, i);
        bool named = fact->entry[0] != '\0' && other->entry[0] != '\0';
        bool same = strcmp(fact->note, other->note) == 0; /* else it is another one in its place */
        if (same && (named ? strcmp(fact->entry, other->entry) == 0 : by_note)) {
            return true;
        }
    }
    return false;
}

/* What a machine had that counted once is in the ledger of the one that counts now; what one
 * recorded since it was turned away is not, unless it has been let in again. */
static void check_aside(struct world *world, const struct host *host, const struct host *one)
{
    for (size_t i = 0; i < offers_fact_count(host) && !world->violated; i++) {
        const struct fact *fact = offers_fact(host, i);
        bool there = has_entry(one, fact, i < host->gathered);
        bool stays = host->fenced && fact->at_us > host->fenced_us;
        if (i < host->gathered && !there) {
            world_violate(world, "fenced", "%s %s was in the ledger of %s, and h%d has it not",
                          fact->entry, fact->note, host->code, one->number);
        } else if (stays && there && i >= host->gathered) {
            world_violate(world, "fenced",
                          "%s %s was recorded on h%d of %s after it was turned away, and h%d has "
                          "it",
                          fact->entry, fact->note, host->number, host->code, one->number);
        }
    }
}

/* It says that it is turned away; and while it comes again and again, so does its office. */
static void check_said(struct world *world, struct host *host)
{
    int64_t state = UPLINK_NONE;
    if (host->state != HOST_UP) {
        return;
    }
    disk_pause(host->disk, true);
    enum err err = store_fact_int(host->store, "uplink_state", UPLINK_NONE, &state);
    disk_pause(host->disk, false);
    if (err != ERR_OK || (state != UPLINK_FENCED && state != UPLINK_REFUSED)) {
        world_violate(world, "named", "h%d of %s is aside, and its link is in state %d",
                      host->number, host->code, (int)state);
    }
}

void clones_converged(struct world *world)
{
    for (struct family *family = world->families; family != NULL; family = family->next) {
        struct host *one = the_one(family);
        for (size_t i = 0; one != NULL && i < family->count; i++) {
            struct host *host = family->machines[i];
            if (host != one) {
                check_aside(world, host, one);
                check_said(world, host);
            }
        }
        if (one != NULL) {
            one->gathered = offers_fact_count(one);
        }
    }
}

/* Finding the cells that differ, when the digest of an origin does at a mark.
 *
 * 1. The parent, over one origin at a time on each link, asks for sums over ranges: each of
 * RANGE_CELLS cells that follow one another in the order of ranges.c. The child answers with its
 * next mark, where both ends are equal or something is wrong: sums of ranges, RANGES_MAX at most
 * and of RANGE_STEP_CELLS cells in all, so that no step is long. The parent holds its own cells
 * against them.
 * 2. The first range that differs is asked for again, cell by cell. Cells that differ, or that only
 * one side has, are named in the alarm and asked for by their keys; damaged rows of cells that the
 * child does not have are taken out.
 * 3. From the end of that range the first step goes on, to the last cell.
 *
 * Whatever stands in the way - a text that is lost, an answer that does not come, one that does not
 * fit, more than RANGES_DIFFER_MAX ranges, nothing found - ends the comparison, and the child is
 * asked for all cells of the origin, as is one that does not know of ranges. Nothing of this is
 * kept in the file: over another link it begins anew. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"
#include "node/internal.h"

enum {
    RANGE_CELLS = 256,        /* of one sum; of as many of one cell is the answer to the second */
    RANGE_STEP_CELLS = 16384, /* gone through for one answer */
    RANGES_DIFFER_MAX = 64,   /* beyond, all of the origin costs less than looking further */
    NAMED_MAX = 3,            /* cells in the alarm */
};

/* ---- places that outlast a batch ---- */

static void keep_place(struct range_place *place, const struct cell_key *key)
{
    (void)snprintf(place->unit, sizeof place->unit, "%s", key->unit);
    (void)snprintf(place->measure, sizeof place->measure, "%s", key->measure);
    (void)snprintf(place->category, sizeof place->category, "%s", key->category);
    place->period = key->period;
}

static struct cell_key key_of(const struct range_place *place, const struct id *origin)
{
    return (struct cell_key){*origin, place->unit, place->measure, place->category, place->period};
}

static struct range_ask ask_of(const struct narrowing *c, const struct id *origin)
{
    return (struct range_ask){.after = key_of(&c->after, origin),
                              .upto = key_of(&c->upto, origin),
                              .to_end = c->to_end,
                              .grain = c->fine ? 1 : RANGE_CELLS};
}

/* ---- the child ---- */

enum err compare_asked(struct node *node, struct link *link, const struct range_ask *ask)
{
    struct cached_origin *origin;
    enum err err = node_origin_named(node, &ask->after.origin, &origin);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && origin->row.scope == SCOPE_ABOVE)) {
        return ERR_OK;
    }
    TRY(err);
    compare_stop(link);
    link->narrowing = calloc(1, sizeof *link->narrowing);
    TRY(link->narrowing == NULL ? ERR_NO_MEMORY : ERR_OK);
    link->narrowing->origin = origin->row.id;
    keep_place(&link->narrowing->after, &ask->after);
    keep_place(&link->narrowing->upto, &ask->upto);
    link->narrowing->to_end = ask->to_end;
    link->narrowing->fine = ask->grain == 1;
    link->out.marked = false; /* the answer is a mark, also when nothing else is to be said */
    return ERR_OK;
}

static enum err sum_up(struct range_walk *walk, const struct range_ask *asked,
                       struct range_sum *sums, struct ranges *out)
{
    struct range_cell cell;
    bool there;
    size_t in_range = asked->grain;
    for (size_t seen = 0;; seen++) {
        TRY(range_walk_next(walk, &cell, &there));
        out->end = !there || (!asked->to_end && range_key_compare(&cell.key, &asked->upto) > 0);
        bool full = in_range == asked->grain;
        if (out->end || seen == RANGE_STEP_CELLS || (full && out->sum_count == RANGES_MAX)) {
            return ERR_OK;
        }
        if (full) {
            sums[out->sum_count++] = (struct range_sum){.sum = {{0}}};
            in_range = 0;
        }
        sums[out->sum_count - 1].last = cell.key;
        id_sum_add(&sums[out->sum_count - 1].sum, &cell.hash);
        in_range++;
    }
}

enum err compare_answer(struct node *node, struct link *link, struct ranges *out, bool *answered)
{
    struct range_walk *walk = arena_array(&node->arena, 1, sizeof *walk);
    struct range_sum *sums = arena_array(&node->arena, RANGES_MAX, sizeof *sums);
    struct narrowing *kept = arena_array(&node->arena, 1, sizeof *kept);
    struct cached_origin *origin;
    TRY(walk == NULL || sums == NULL || kept == NULL ? ERR_NO_MEMORY : ERR_OK);
    *kept = *link->narrowing;
    *answered = false;
    compare_stop(link);
    TRY(node_origin(node, kept->origin, &origin));
    *out = (struct ranges){.asked = ask_of(kept, &origin->row.name), .sums = sums};
    enum err err = range_walk_begin(walk, node, origin, &out->asked.after);
    err = err == ERR_OK ? sum_up(walk, &out->asked, sums, out) : err;
    *answered = err == ERR_OK;
    return err == ERR_NOT_FOUND || err == ERR_LIMIT ? ERR_OK : err; /* the parent asks for all */
}

/* ---- the parent ---- */

void compare_stop(struct link *link)
{
    free(link->narrowing);
    link->narrowing = NULL;
}

enum err compare_begin(struct link *link, int64_t origin)
{
    link->narrowing = calloc(1, sizeof *link->narrowing);
    TRY(link->narrowing == NULL ? ERR_NO_MEMORY : ERR_OK);
    link->narrowing->origin = origin;
    link->narrowing->to_end = true;
    link->narrowing->due = true;
    return ERR_OK;
}

enum err compare_ask(struct node *node, struct link *link, struct msg_ack *ack)
{
    struct narrowing *c = link->narrowing;
    struct cached_origin *origin;
    ack->again = link->again;
    ack->again_count = link->again_count;
    if (c == NULL || !c->due) {
        return ERR_OK;
    }
    struct range_ask *ask = arena_array(&node->arena, 1, sizeof *ask);
    struct narrowing *kept = arena_array(&node->arena, 1, sizeof *kept);
    TRY(ask == NULL || kept == NULL ? ERR_NO_MEMORY : ERR_OK);
    TRY(node_origin(node, c->origin, &origin));
    c->due = false;
    *kept = *c; /* the message outlasts a comparison that is given up */
    *ask = ask_of(kept, &origin->row.name);
    ack->compare = ask;
    ack->compare_count = 1;
    return ERR_OK;
}

enum err compare_again(struct node *node, struct link *link, const struct cell_key *key)
{
    enum { AGAIN_MAX = DAMAGES_MAX + 2 * RANGES_MAX };
    if (link->again == NULL) {
        link->again = arena_array(&node->arena, AGAIN_MAX, sizeof *link->again);
        link->again_count = 0;
    }
    TRY(link->again == NULL ? ERR_NO_MEMORY : ERR_OK);
    if (link->again_count == AGAIN_MAX) {
        return ERR_LIMIT;
    }
    struct cell_key *kept = &link->again[link->again_count++];
    *kept =
        (struct cell_key){key->origin, node_keep(node, key->unit), node_keep(node, key->measure),
                          node_keep(node, key->category), key->period};
    return ERR_OK;
}

/* The answer is to what was asked last, and its ranges follow one another. */
static bool answer_sound(const struct narrowing *c, const struct id *origin,
                         const struct ranges *answer)
{
    struct range_ask ask = ask_of(c, origin);
    const struct range_ask *asked = &answer->asked;
    const struct cell_key *before = &ask.after;
    bool sound = id_equal(&asked->after.origin, origin) &&
                 range_key_compare(&asked->after, &ask.after) == 0 &&
                 range_key_compare(&asked->upto, &ask.upto) == 0 && asked->to_end == ask.to_end &&
                 asked->grain == ask.grain && (answer->sum_count > 0 || answer->end);
    for (size_t i = 0; i < answer->sum_count; i++) {
        sound = sound && range_key_compare(before, &answer->sums[i].last) < 0;
        before = &answer->sums[i].last;
    }
    return sound && (ask.to_end || range_key_compare(before, &ask.upto) <= 0);
}

/* The own cells beside the child's sums. */
struct beside {
    struct node *node;
    struct link *link;
    struct narrowing *c;
    const struct ranges *answer;
    struct range_walk walk;
    struct range_cell own; /* the next one, when `there` */
    bool there;
    size_t seen;
};

static enum err step(struct beside *b)
{
    if (b->seen++ == 2 * (size_t)RANGE_STEP_CELLS) {
        return ERR_LIMIT; /* far more than the child has */
    }
    return range_walk_next(&b->walk, &b->own, &b->there);
}

/* Whether the next own cell lies in that range, the one after the last sum included. */
static bool in_range(const struct beside *b, size_t range)
{
    const struct ranges *answer = b->answer;
    if (!b->there) {
        return false;
    }
    if (range < answer->sum_count) {
        return range_key_compare(&b->own.key, &answer->sums[range].last) <= 0;
    }
    return answer->end &&
           (answer->asked.to_end || range_key_compare(&b->own.key, &answer->asked.upto) <= 0);
}

static enum err symbols_of(struct node *node, int64_t origin, const struct cell_key *key,
                           struct store_cell_key *out)
{
    *out = (struct store_cell_key){.period = key->period, .origin = origin};
    TRY(node_symbol(node, key->unit, &out->unit));
    TRY(node_symbol(node, key->measure, &out->measure));
    return node_symbol(node, key->category, &out->category);
}

/* One cell that differs: named, asked for. `own` is what is here of one that the child has not. */
static enum err differs(struct beside *b, const struct cell_key *key, const struct store_cell *own)
{
    struct node *node = b->node;
    struct narrowing *c = b->c;
    struct store_cell_key symbols;
    TRY(symbols_of(node, c->origin, key, &symbols));
    if (c->cells < NAMED_MAX) {
        char name[TEXT_MAX_BYTES];
        size_t len = strlen(c->names);
        TRY(audit_subject(node->store, &node->view, "cell", &symbols, name, sizeof name));
        (void)snprintf(c->names + len, sizeof c->names - len, "%s%s", len > 0 ? "; " : "", name);
    }
    c->cells++;
    if (own != NULL && !node->unsound) {
        struct pending_cell *pending;
        TRY(cells_load(node, &symbols, &pending));
        bool stray = pending->there && pending->damaged; /* it was never the origin's */
        pending->restored = pending->gone = stray;
    }
    return compare_again(node, b->link, key); /* a child that has it not looks for it */
}

/* Cell by cell. */
static enum err compare_cells(struct beside *b)
{
    const struct ranges *answer = b->answer;
    for (size_t i = 0; i <= answer->sum_count; i++) {
        const struct range_sum *sum = i < answer->sum_count ? &answer->sums[i] : NULL;
        bool equal = sum == NULL;
        while (in_range(b, i)) {
            bool same = sum != NULL && range_key_compare(&b->own.key, &sum->last) == 0;
            equal = equal || (same && id_equal(&b->own.hash, &sum->sum));
            TRY(same ? ERR_OK : differs(b, &b->own.key, b->own.row));
            TRY(step(b));
        }
        TRY(equal ? ERR_OK : differs(b, &sum->last, NULL));
    }
    return cells_flush(b->node);
}

/* Range by range, up to the first that differs: *differing is its number, or past the last one. */
static enum err compare_ranges(struct beside *b, size_t *differing)
{
    const struct ranges *answer = b->answer;
    for (*differing = 0; *differing <= answer->sum_count; ++*differing) {
        struct id sum = {{0}};
        struct id none = {{0}};
        bool tail = *differing == answer->sum_count;
        if (tail && in_range(b, *differing)) {
            return ERR_OK;
        }
        while (in_range(b, *differing)) {
            id_sum_add(&sum, &b->own.hash);
            TRY(step(b));
        }
        if (!id_equal(&sum, tail ? &none : &answer->sums[*differing].sum)) {
            return ERR_OK;
        }
    }
    return ERR_OK;
}

static enum err say_what_differs(struct beside *b)
{
    char name[ID_HEX_BYTES];
    struct cached_origin *origin;
    TRY(node_origin(b->node, b->c->origin, &origin));
    id_format(&origin->row.name, name);
    return node_alarm(
        b->node, "digest", name,
        "cells of this origin, which come through unit %s, differ from its own, %zu in "
        "all: %s%s; they are sent again",
        b->link->address, b->c->cells, b->c->names, b->c->cells > NAMED_MAX ? "; and others" : "");
}

/* What is asked next: *over when there is nothing left. */
static enum err go_on(struct beside *b, bool *over)
{
    struct narrowing *c = b->c;
    const struct ranges *answer = b->answer;
    size_t count = answer->sum_count;
    const struct cell_key *last = count > 0 ? &answer->sums[count - 1].last : &answer->asked.after;
    size_t at = 0;
    if (c->fine) {
        TRY(compare_cells(b));
        TRY(c->cells > 0 ? say_what_differs(b) : ERR_OK);
        c->fine = !answer->end;
        *over = answer->end && c->to_end;
        keep_place(&c->after, answer->end ? &answer->asked.upto : last);
        c->to_end = c->to_end || answer->end;
        return ERR_OK;
    }
    TRY(compare_ranges(b, &at));
    if (at > count) {
        *over = answer->end;
        keep_place(&c->after, last);
        return ERR_OK;
    }
    c->fine = true;
    c->to_end = at == count;
    keep_place(&c->after, at > 0 ? &answer->sums[at - 1].last : &answer->asked.after);
    keep_place(&c->upto, at < count ? &answer->sums[at].last : &answer->asked.upto);
    return ++c->ranges > RANGES_DIFFER_MAX ? ERR_LIMIT : ERR_OK;
}

enum err compare_settle(struct node *node, struct link *link, const struct ranges *answer)
{
    struct narrowing *c = link->narrowing;
    struct cached_origin *origin;
    struct beside *b = arena_array(&node->arena, 1, sizeof *b);
    TRY(b == NULL ? ERR_NO_MEMORY : ERR_OK);
    if (c == NULL || c->due) {
        return ERR_OK;
    }
    TRY(node_origin(node, c->origin, &origin));
    const struct stated_heads *stated = map_get(&node->stated, &c->origin);
    struct ask_state *asked = map_get(&link->asked, &c->origin);
    bool over = true;
    enum err err = ERR_PROTOCOL;
    if (stated != NULL && stated->standing == HEADS_COVER && origin->row.via == link->unit &&
        answer_sound(c, &origin->row.name, answer)) {
        *b = (struct beside){.node = node, .link = link, .c = c, .answer = answer};
        over = false;
        err = range_walk_begin(&b->walk, node, origin, &answer->asked.after);
        err = err == ERR_OK ? step(b) : err;
        err = err == ERR_OK ? go_on(b, &over) : err;
    }
    bool given_up = err == ERR_NOT_FOUND || err == ERR_LIMIT || err == ERR_PROTOCOL;
    TRY(given_up ? ERR_OK : err);
    /* Until it has had time to help. Where nothing was found, all of the origin is asked for now.
     */
    bool helped = !given_up && (!over || c->cells > 0);
    if (asked != NULL) {
        asked->until.ms = helped ? node->now.mono.ms + ASK_FIRST_MS : 0;
    }
    c->due = true;
    if (over || given_up) {
        compare_stop(link);
    }
    return ERR_OK;
}

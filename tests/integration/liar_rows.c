/* Lies about the tree: units, who hosts them, how nodes stand. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "liar.h"

enum { DEEP = 40, UPDATES = 1500, UPDATE_ROUNDS = 4 };

/* A code below the own unit. */
static const char *below(const struct liar *liar, char tail, char out[CODE_MAX_BYTES])
{
    (void)snprintf(out, CODE_MAX_BYTES, "%.40s%c", liar->unit, tail);
    return out;
}

/* ---- units ---- */

/* A code that is a sibling's, the parent's, the own; a unit of the own making under a sibling; and
 * one that a sibling is said to have made. */
static void unit_elsewhere(struct liar *liar, struct draft *d)
{
    char a[CODE_MAX_BYTES];
    char b[CODE_MAX_BYTES];
    (void)draft_unit(liar, d, arg(liar, "sibling"), liar->unit, 9);
    (void)draft_unit(liar, d, arg(liar, "above"), liar->unit, 9);
    (void)draft_unit(liar, d, liar->unit, arg(liar, "sibling"), 9);
    (void)draft_unit(liar, d, below(liar, 'a', a), arg(liar, "sibling"), 9);
    draft_unit(liar, d, below(liar, 'b', b), liar->unit, 9)->decider =
        arg_id(liar, "sibling_origin");
    (void)batch_say(liar, d);
}

/* A code that the parent does not know and the office above it does. */
static void unit_far_away(struct liar *liar, struct draft *d)
{
    (void)draft_unit(liar, d, arg(liar, "far"), liar->unit, 1);
    (void)batch_say(liar, d);
}

/* Two units, each below the other; then below themselves. */
static void unit_circle(struct liar *liar, struct draft *d)
{
    char a[CODE_MAX_BYTES];
    char b[CODE_MAX_BYTES];
    (void)draft_unit(liar, d, below(liar, 'a', a), liar->unit, 1);
    (void)draft_unit(liar, d, below(liar, 'b', b), a, 1);
    (void)draft_unit(liar, d, a, b, 2);
    (void)draft_unit(liar, d, b, b, 2);
    (void)batch_say(liar, d);
}

/* Units below units, deeper than a tree may be. */
static void unit_deep(struct liar *liar, struct draft *d)
{
    static char codes[DEEP + 1][CODE_MAX_BYTES];
    (void)snprintf(codes[0], CODE_MAX_BYTES, "%s", liar->unit);
    for (int i = 1; i <= DEEP; i++) {
        (void)snprintf(codes[i], CODE_MAX_BYTES, "%.32s-%d", liar->unit, i);
        (void)draft_unit(liar, d, codes[i], codes[i - 1], 1);
        if (i % 20 == 0) {
            (void)batch_say(liar, d);
            draft_clear(d);
        }
    }
}

/* One unit, again and again, with all the edges that a unit may have. */
static void unit_again_and_again(struct liar *liar, struct draft *d)
{
    char a[CODE_MAX_BYTES];
    struct unit_row *rows = calloc(UPDATES, sizeof *rows);
    struct unit_edge edges[EDGES_MAX];
    if (rows == NULL) {
        die("no memory");
    }
    for (int i = 0; i < EDGES_MAX; i++) {
        edges[i] = (struct unit_edge){liar->unit, DAY_NONE, DAY_NONE};
    }
    struct unit_row sample = *draft_unit(liar, d, below(liar, 'a', a), liar->unit, 1);
    d->batch.units = rows;
    d->batch.unit_count = UPDATES;
    for (int round = 0; round < UPDATE_ROUNDS; round++) {
        for (int i = 0; i < UPDATES; i++) {
            rows[i] = sample;
            rows[i].edges = edges;
            rows[i].edge_count = EDGES_MAX;
            rows[i].count = round * UPDATES + i + 1;
        }
        (void)batch_say(liar, d);
    }
    free(rows);
}

/* ---- hosting ---- */

static void hosting_elsewhere(struct liar *liar, struct draft *d)
{
    (void)draft_hosting(liar, d, arg(liar, "sibling"));
    (void)draft_hosting(liar, d, arg(liar, "above"));
    (void)draft_hosting(liar, d, liar->unit);
    draft_hosting(liar, d, arg(liar, "sibling"))->decider = arg_id(liar, "sibling_origin");
    (void)batch_say(liar, d);
}

/* A unit of its own making gets the key of a node that joins only now: it must be let in all the
 * same. Standard input names the certificate. */
static void hosting_stolen_key(struct liar *liar, struct draft *d)
{
    char a[CODE_MAX_BYTES];
    char path[PATH_BYTES];
    (void)draft_unit(liar, d, below(liar, 'a', a), liar->unit, 1);
    (void)batch_say(liar, d);
    (void)printf("{\"did\":\"unit\"}\n");
    (void)fflush(stdout);
    link_idle(liar, path);
    draft_clear(d);
    draft_hosting(liar, d, a)->key = link_key_of(path);
    (void)batch_say(liar, d);
}

/* A unit of its own making is given to the sibling's origin. */
static void hosting_stolen_origin(struct liar *liar, struct draft *d)
{
    char a[CODE_MAX_BYTES];
    (void)draft_unit(liar, d, below(liar, 'a', a), liar->unit, 1);
    draft_hosting(liar, d, a)->origin = arg_id(liar, "sibling_origin");
    (void)batch_say(liar, d);
}

static void status_of_others(struct liar *liar, struct draft *d)
{
    const char *const units[] = {arg(liar, "sibling"), arg(liar, "above"), liar->unit, "nowhere"};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
        d->statuses[i] = (struct status_row){.unit = units[i],
                                             .node = random_id(),
                                             .state = LINK_REFUSED,
                                             .exact_as_of = {1},
                                             .held = INT64_MAX};
    }
    d->batch.status_count = sizeof units / sizeof units[0];
    (void)batch_say(liar, d);
}

const struct scenario LIES_ROWS[] = {{"unit_elsewhere", unit_elsewhere, false},
                                     {"unit_far_away", unit_far_away, false},
                                     {"unit_circle", unit_circle, false},
                                     {"unit_deep", unit_deep, false},
                                     {"unit_again_and_again", unit_again_and_again, false},
                                     {"hosting_elsewhere", hosting_elsewhere, false},
                                     {"hosting_stolen_key", hosting_stolen_key, false},
                                     {"hosting_stolen_origin", hosting_stolen_origin, false},
                                     {"status_of_others", status_of_others, false},
                                     {NULL, NULL, false}};

/* Inside `total`: what one row is about, and what it comes to. */
#ifndef TALLY_NODE_QUERY_TOTAL_H
#define TALLY_NODE_QUERY_TOTAL_H

#include "node/query_internal.h"
#include "proto/formula.h"

struct asking {
    struct query *q;
    const struct req_total *req;
    struct period period;   /* the first one */
    int32_t last;           /* the last one's index */
    struct total_row *rows; /* of the reply being filled */
    size_t count;
    bool first;
    struct rep_total head;
    struct store_total *sums; /* TOTAL_CATEGORIES_MAX each, used anew for every row */
    struct store_total *parts;
    struct store_total *before;    /* the same, of the period that a row is held against */
    const struct target **targets; /* in order of measure, unit and level; NULL: not asked for */
};

enum { TOTAL_CATEGORIES_MAX = 1024 };

/* A measure, or an indicator with its formula. */
struct subject {
    const char *code;
    const char *name;
    const char *counted_in;
    int decimals;
    enum frequency frequency; /* no finer period has a meaning */
    bool grows;               /* from 0 over a period, as flows do */
    size_t measure;
    const struct formula *formula; /* of an indicator, else NULL */
};

struct spot {
    int unit;
    bool own_only; /* the unit's own cells, without what is under it */
    struct period period;
    struct period since; /* flows add from its first day on, up to the last of `period` */
};

/* What the subject comes to at the spot, over all categories. *there false: no value. */
enum err total_value(struct asking *a, const struct spot *spot, const struct subject *subject,
                     bool *there, struct fraction *out) MUST_CHECK;

/* Whether some categories are asked for. */
bool total_picks(const struct req_total *req);

/* The sums by category of a measure at the spot, room for TOTAL_CATEGORIES_MAX: of the whole
 * subtree, or of the unit's own cells (its total less its children's). */
enum err total_sums(struct asking *a, const struct spot *spot, size_t measure,
                    struct store_total *out, size_t *count) MUST_CHECK;

/* A decimal text that lasts as long as the reply; "" for what is no number, or too long for one. */
const char *total_text(struct asking *a, bool there, const struct fraction *value, int decimals);

/* The period's name, as long as the reply. */
const char *total_period_name(struct asking *a, struct period period);

/* Fills in what the row's subject was in the period that it is held against, if it is, and the
 * change. */
enum err against_fill(struct asking *a, const struct spot *spot, const struct subject *subject,
                      struct total_row *row) MUST_CHECK;

/* Adds, with nothing in them, the categories that there only were before. */
enum err against_add_categories(struct asking *a, const struct spot *spot,
                                const struct subject *subject, struct store_total *sums,
                                size_t *count) MUST_CHECK;

/* The same for one category of a measure, of which there are now `value` smallest steps. */
enum err against_fill_category(struct asking *a, const struct spot *spot,
                               const struct subject *subject, int64_t category, wide value,
                               struct total_row *row) MUST_CHECK;

/* Sorts the catalogue's targets for target_fill. */
enum err targets_sort(struct asking *a) MUST_CHECK;

/* Fills in what is wanted of this row's subject, if anything is. That of a unit goes before that of
 * its level, and among those the one with the shortest period in which the row's lies. */
enum err target_fill(struct asking *a, const struct spot *spot, const struct subject *subject,
                     struct total_row *row) MUST_CHECK;

#endif

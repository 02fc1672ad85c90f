/* layer: node store codec */
/* The independent model: a plain list of what was confirmed, and totals by looking at all of it.
 *
 * Flows are summed. Of a stock, each unit and category has the value that stands at the end of the
 * span: of the live records up to there the one with the latest period, in it the highest hosting
 * number, then the latest day, then the last in its ledger. The latest amend of a record is its
 * value, a void is final. Every entry, corrections too, counts in the period of its record. */
#ifndef TALLY_TEST_NODE_MODEL_H
#define TALLY_TEST_NODE_MODEL_H

#include "test_node_state.h"

enum { MODEL_FACTS = 4000, MODEL_UNITS = 64, MODEL_CODE_BYTES = 16 };

struct fact {
    char unit[MODEL_CODE_BYTES];
    char measure[MODEL_CODE_BYTES];
    char category[32];
    char key[MODEL_CODE_BYTES];
    char entry[ENTRY_ID_MAX_BYTES]; /* its identity */
    int32_t day;
    int64_t value;
    int64_t hosting;
    int entries; /* the record and its corrections */
    bool live;
    struct world_node *at;
};

struct model_unit {
    char code[MODEL_CODE_BYTES];
    char level[MODEL_CODE_BYTES];
    int parent; /* -1 at the top */
};

struct model {
    struct fact facts[MODEL_FACTS];
    size_t fact_count;
    struct model_unit units[MODEL_UNITS];
    size_t unit_count;
};

static struct model model;

static inline int model_unit(const char *code)
{
    for (size_t i = 0; i < model.unit_count; i++) {
        if (strcmp(model.units[i].code, code) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static inline void model_add_unit(const char *code, const char *level, const char *parent)
{
    struct model_unit *unit = &model.units[model.unit_count];
    assert_true(model.unit_count < MODEL_UNITS);
    (void)snprintf(unit->code, sizeof unit->code, "%s", code);
    (void)snprintf(unit->level, sizeof unit->level, "%s", level);
    unit->parent = model_unit(parent);
    model.unit_count++;
}

static inline bool model_within(int unit, int top)
{
    while (unit != -1 && unit != top) {
        unit = model.units[unit].parent;
    }
    return unit == top;
}

static inline struct fact *model_add(struct world_node *at, const struct record_row *row,
                                     int64_t value, int64_t hosting,
                                     const struct recorded_row *recorded)
{
    struct fact *fact = &model.facts[model.fact_count++];
    assert_true(model.fact_count < MODEL_FACTS);
    *fact = (struct fact){
        .day = row->day, .value = value, .hosting = hosting, .entries = 1, .live = true, .at = at};
    (void)snprintf(fact->unit, sizeof fact->unit, "%s", row->unit);
    (void)snprintf(fact->measure, sizeof fact->measure, "%s", row->measure);
    (void)snprintf(fact->category, sizeof fact->category, "%s", row->category);
    (void)snprintf(fact->key, sizeof fact->key, "%s", row->key);
    if (recorded != NULL) {
        entry_id_format(&recorded->segment, recorded->seq, fact->entry);
    }
    return fact;
}

struct model_total {
    wide value;
    int64_t entries;
    int64_t reported;
    int64_t expected;
};

/* Later facts come later in the list, so an equal one stands. */
static inline bool model_stands(const struct fact *fact, const struct fact *best,
                                enum frequency frequency)
{
    if (best == NULL) {
        return true;
    }
    int32_t period = period_of_day(frequency, fact->day).index;
    int32_t before = period_of_day(frequency, best->day).index;
    if (period != before) {
        return period > before;
    }
    if (fact->hosting != best->hosting) {
        return fact->hosting > best->hosting;
    }
    return fact->day >= best->day;
}

static inline int64_t model_standing(const char *unit, const char *category,
                                     const struct measure *measure, int32_t last_day)
{
    const struct fact *best = NULL;
    for (size_t i = 0; i < model.fact_count; i++) {
        const struct fact *fact = &model.facts[i];
        bool same = strcmp(fact->unit, unit) == 0 && strcmp(fact->measure, measure->code) == 0 &&
                    strcmp(fact->category, category) == 0;
        if (same && fact->live && fact->day <= last_day &&
            model_stands(fact, best, measure->frequency)) {
            best = fact;
        }
    }
    return best == NULL ? 0 : best->value;
}

/* Each unit and category that has a fact, once. */
static inline bool model_first_of_series(size_t at)
{
    const struct fact *fact = &model.facts[at];
    for (size_t i = 0; i < at; i++) {
        const struct fact *other = &model.facts[i];
        if (strcmp(fact->unit, other->unit) == 0 && strcmp(fact->measure, other->measure) == 0 &&
            strcmp(fact->category, other->category) == 0) {
            return false;
        }
    }
    return true;
}

static inline void model_coverage(int top, const struct measure *measure, int32_t first,
                                  int32_t last, struct model_total *out)
{
    for (size_t i = 0; i < model.unit_count; i++) {
        bool reported = false;
        if (!model_within((int)i, top) || strcmp(model.units[i].level, measure->level) != 0) {
            continue;
        }
        for (size_t j = 0; j < model.fact_count; j++) {
            const struct fact *fact = &model.facts[j];
            reported = reported || (fact->live && strcmp(fact->unit, model.units[i].code) == 0 &&
                                    strcmp(fact->measure, measure->code) == 0 &&
                                    fact->day >= first && fact->day <= last);
        }
        out->expected++;
        out->reported += reported ? 1 : 0;
    }
}

/* The measure at the unit over the period; `category` NULL for all together. */
static inline struct model_total model_total(int top, const struct measure *measure,
                                             struct period period, const char *category,
                                             bool own_only)
{
    struct model_total out = {.value = 0};
    int32_t first = period_first_day(period);
    int32_t last = period_last_day(period);
    for (size_t i = 0; i < model.fact_count; i++) {
        const struct fact *fact = &model.facts[i];
        int unit = model_unit(fact->unit);
        if (strcmp(fact->measure, measure->code) != 0 ||
            (own_only ? unit != top : !model_within(unit, top)) ||
            (category != NULL && strcmp(fact->category, category) != 0)) {
            continue;
        }
        bool inside = fact->day >= first && fact->day <= last;
        out.entries += inside ? fact->entries : 0;
        if (measure->kind == MEASURE_FLOW) {
            out.value += inside && fact->live ? fact->value : 0;
        } else if (model_first_of_series(i)) {
            out.value += model_standing(fact->unit, fact->category, measure, last);
        }
    }
    return out;
}

/* ---- comparing ---- */

struct comparison {
    struct world_node *at;
    const struct catalogue *catalogue;
    enum total_by by;
    size_t rows;
};

static inline void model_differs(const struct comparison *c, const struct total_row *row,
                                 const char *what, wide is, wide want)
{
    char left[WIDE_TEXT_BYTES];
    char right[WIDE_TEXT_BYTES];
    wide_format(is, 0, left);
    wide_format(want, 0, right);
    fail_msg("seed %llu: at node %s, unit %s, measure %s, period %s, category %s%s: %s is %s, the "
             "model has %s",
             (unsigned long long)world.seed, c->at->unit, row->unit, row->measure, row->period,
             row->category_null ? "(all)" : row->category, row->own ? ", own" : "", what, left,
             right);
}

static inline void model_compare_row(struct comparison *c, const struct total_row *row)
{
    struct period period;
    const struct measure *measure = catalogue_measure(c->catalogue, row->measure);
    if (measure == NULL) {
        fail_msg("seed %llu: a measure %s at node %s", (unsigned long long)world.seed, row->measure,
                 c->at->unit);
        return;
    }
    assert_int_equal(period_parse(row->period, &period, NULL), ERR_OK);
    int top = model_unit(row->unit);
    struct model_total want =
        model_total(top, measure, period, row->category_null ? NULL : row->category, row->own);
    if (row->value != want.value || row->overflow) {
        model_differs(c, row, "the value", row->value, want.value);
    }
    if (row->entries != want.entries) {
        model_differs(c, row, "the number of entries", row->entries, want.entries);
    }
    if (!row->own) {
        model_coverage(top, measure, period_first_day(period), period_last_day(period), &want);
        if (row->reported != want.reported || row->expected != want.expected) {
            model_differs(c, row, "reported", row->reported, want.reported);
            model_differs(c, row, "expected", row->expected, want.expected);
        }
    }
    c->rows++;
}

static inline bool model_compare_reply(void *ctx, const struct message *message)
{
    struct comparison *c = ctx;
    const struct msg_reply *reply = &message->u.reply;
    if (reply->err != ERR_OK) {
        fail_msg("seed %llu: total at %s: %s", (unsigned long long)world.seed, c->at->unit,
                 reply->text);
    }
    for (size_t i = 0; i < reply->u.total.row_count; i++) {
        model_compare_row(c, &reply->u.total.rows[i]);
    }
    return true;
}

/* Asks a node for all measures at one of its units and holds every row against the model. */
static inline size_t model_compare(struct world_node *at, const char *unit,
                                   const struct catalogue *catalogue, struct period period,
                                   enum total_by by)
{
    struct comparison c = {.at = at, .catalogue = catalogue, .by = by};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = unit,
                                              .has_period = true,
                                              .period = period,
                                              .by = by,
                                              .level = by == BY_LEVEL ? "commune" : ""}};
    tree_query(at, &request, model_compare_reply, &c);
    return c.rows;
}

#endif

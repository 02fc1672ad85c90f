/* layer: proto */
/* Totals: cell by cell, each in the state in which the observer has it. */
#include "model_internal.h"

#include <string.h>

#include "base/check.h"

struct sum {
    const struct model *model;
    const struct model_question *question;
    const struct model_view *view;
    int measure;
    int32_t first; /* periods of the measure's frequency */
    int32_t last;
    struct model_total total;
};

/* The cell that stands so far of a unit's stock in one category. */
struct standing {
    const struct cell_data *cell; /* NULL: none */
    const struct cell_state *state;
};

/* The state in which the observer has the cell; NULL when it has seen nothing of it. */
static const struct cell_state *seen_state(const struct sum *sum, const struct cell_data *cell)
{
    int64_t count = (int64_t)cell->count;
    if (sum->view != NULL && count > 0) {
        int64_t seen = sum->view->seen(sum->view->ctx, &cell->key);
        count = seen < count ? seen : count;
    }
    return count > 0 ? &cell->states[count - 1] : NULL;
}

static bool stands_before(const struct model *model, const struct standing *a,
                          const struct standing *b)
{
    const struct model_cell_key *left = &a->cell->key;
    const struct model_cell_key *right = &b->cell->key;
    int64_t left_rank = model->origins[left->origin].rank;
    int64_t right_rank = model->origins[right->origin].rank;
    if (left->period != right->period) {
        return left->period > right->period;
    }
    if (left_rank != right_rank) {
        return left_rank > right_rank;
    }
    if (a->state->day != b->state->day) {
        return a->state->day > b->state->day;
    }
    if (a->state->standing != b->state->standing) {
        return a->state->standing > b->state->standing;
    }
    return left->origin > right->origin; /* no rule is left; only that it is always the same */
}

static void add_standing(struct sum *sum, struct standing *standing)
{
    if (standing->cell != NULL) {
        sum->total.value += standing->state->value;
    }
    *standing = (struct standing){NULL, NULL};
}

/* Whether the cell can change anything: a flow's lies in the span; a stock's not behind it, and not
 * before the one that stands. */
static bool matters(const struct sum *sum, const struct cell_data *cell,
                    const struct standing *standing)
{
    int32_t period = cell->key.period;
    if (period > sum->last) {
        return false;
    }
    if (period >= sum->first) {
        return true;
    }
    return sum->model->measures[sum->measure].kind == MEASURE_STOCK &&
           (standing->cell == NULL || period >= standing->cell->key.period);
}

/* Adds the unit's own value and entries; whether it has a live record in the span. */
static bool add_unit(struct sum *sum, const struct unit_data *unit)
{
    if ((size_t)sum->measure >= unit->row_count) {
        return false;
    }
    bool flow = sum->model->measures[sum->measure].kind == MEASURE_FLOW;
    bool reported = false;
    const struct cell_row *row = &unit->rows[sum->measure];
    struct standing standing = {NULL, NULL};
    for (size_t i = 0; i < row->count; i++) {
        const struct cell_data *cell = row->cells[i];
        const char *asked = sum->question->category;
        if (asked != NULL && strcmp(asked, cell->category) != 0) {
            continue;
        }
        if (i > 0 && strcmp(row->cells[i - 1]->category, cell->category) != 0) {
            add_standing(sum, &standing);
        }
        struct standing this = {cell, NULL};
        if (!matters(sum, cell, &standing) || (this.state = seen_state(sum, cell)) == NULL) {
            continue;
        }
        if (cell->key.period >= sum->first) {
            sum->total.entries += this.state - cell->states + 1;
            sum->total.value += flow ? this.state->value : 0;
            reported = reported || this.state->live > 0;
        }
        if (!flow && this.state->live > 0 &&
            (standing.cell == NULL || stands_before(sum->model, &this, &standing))) {
            standing = this;
        }
    }
    add_standing(sum, &standing);
    return reported;
}

/* The next unit in the subtree of `top`, or -1. */
static int next_within(const struct model *model, int unit, int top)
{
    if (model->units[unit].first_child >= 0) {
        return model->units[unit].first_child;
    }
    while (unit != top && model->units[unit].next_sibling < 0) {
        unit = model->units[unit].parent;
    }
    return unit == top ? -1 : model->units[unit].next_sibling;
}

/* A measure that was never published has no entries and no level: all figures are 0. A period finer
 * than the measure's is the caller's fault, since no cell tells what lies in it. */
struct model_total model_total(const struct model *model, const struct model_question *question,
                               const struct model_view *view)
{
    struct sum sum = {.model = model,
                      .question = question,
                      .view = view,
                      .measure = model_measure(model, question->measure)};
    REQUIRE(question->unit >= 0 && (size_t)question->unit < model->unit_count);
    if (sum.measure < 0) {
        return sum.total;
    }
    const struct measure_data *measure = &model->measures[sum.measure];
    REQUIRE(period_range(question->period, measure->frequency, &sum.first, &sum.last));
    for (int at = question->unit; at >= 0;
         at = question->own_only ? -1 : next_within(model, at, question->unit)) {
        bool reported = add_unit(&sum, &model->units[at]);
        if (strcmp(model->units[at].level, measure->level) == 0 &&
            (question->knows_unit == NULL || question->knows_unit(question->ctx, at))) {
            sum.total.expected++;
            sum.total.reported += reported;
        }
    }
    return sum.total;
}

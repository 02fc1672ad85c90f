/* `total`: sums of totals over units, periods, categories; coverage; indicators; the state of the
 * sources. */
#include "node/query_total.h"

#include <stdlib.h>
#include <string.h>

enum { ROWS_PER_REPLY = 500, PERIODS_MAX = 4000 };

/* ---- rows out ---- */

static enum err flush_rows(struct asking *a, bool more)
{
    struct message reply = {.u.reply.u.total = a->head};
    reply.u.reply.u.total.rows = a->rows;
    reply.u.reply.u.total.row_count = a->count;
    if (!a->first) {
        reply.u.reply.u.total.stale = NULL;
        reply.u.reply.u.total.stale_count = 0;
    }
    (void)query_send(a->q, &reply, more);
    a->first = false;
    a->count = 0;
    return ERR_OK;
}

static enum err put_row(struct asking *a, const struct total_row *row)
{
    if (a->count == ROWS_PER_REPLY) {
        TRY(flush_rows(a, true));
    }
    a->rows[a->count++] = *row;
    return ERR_OK;
}

static const char *keep_text(struct asking *a, const char *text)
{
    const char *copy = arena_str(&a->q->arena, text);
    a->q->unread = copy == NULL ? ERR_NO_MEMORY : a->q->unread;
    return copy == NULL ? "?" : copy;
}

const char *total_period_name(struct asking *a, struct period period)
{
    char text[PERIOD_TEXT_BYTES];
    period_format(period, text);
    return keep_text(a, text);
}

const char *total_text(struct asking *a, bool there, const struct fraction *value, int decimals)
{
    char text[FRACTION_TEXT_BYTES];
    return there && fraction_format(value, decimals, text) ? keep_text(a, text) : "";
}

/* ---- one measure at one unit over one period ---- */

static enum err coverage(struct asking *a, const struct spot *spot, size_t measure,
                         struct total_row *row)
{
    struct query *q = a->q;
    const struct view *view = &q->view;
    const struct measure *m = &view->catalogue.measures[measure];
    int32_t first;
    int32_t last;
    (void)period_range(spot->period, m->frequency, &first, &last);
    int32_t last_day = period_last_day(spot->period);
    for (size_t i = 0; i < view->tree.count; i++) {
        const struct unit *unit = &view->tree.units[i];
        bool within = spot->own_only ? (int)i == spot->unit : view_within(view, (int)i, spot->unit);
        if (!within || strcmp(unit->level, m->level) != 0) {
            continue;
        }
        bool reported;
        TRY(store_unit_reported(q->store, unit->id, view->measure_ids[measure], first, last,
                                &reported));
        row->reported += reported ? 1 : 0;
        row->expected += view_open(unit, last_day) ? 1 : 0;
    }
    return ERR_OK;
}

/* Of the sums those of the categories that are asked for. */
static void keep_wanted(struct asking *a, struct store_total *sums, size_t *count)
{
    size_t kept = 0;
    if (!total_picks(a->req)) {
        return;
    }
    for (size_t i = 0; i < *count; i++) {
        if (catalogue_category_has(query_symbol(a->q, sums[i].category), a->req->category)) {
            sums[kept++] = sums[i];
        }
    }
    *count = kept;
}

bool total_picks(const struct req_total *req)
{
    return req->category != NULL && req->category[0] != '\0';
}

enum err total_sums(struct asking *a, const struct spot *spot, size_t measure,
                    struct store_total *out, size_t *count)
{
    struct query *q = a->q;
    const struct view *view = &q->view;
    const struct measure *m = &view->catalogue.measures[measure];
    struct store_span span = {.unit = view->tree.units[spot->unit].id,
                              .measure = view->measure_ids[measure],
                              .standing = m->kind == MEASURE_STOCK};
    int32_t first;
    int32_t last;
    int32_t other;
    (void)period_range(spot->since, m->frequency, &first, &other);
    (void)period_range(spot->period, m->frequency, &other, &last);
    span.from = first;
    span.to = last;
    TRY(store_total_sums(q->store, &span, out, TOTAL_CATEGORIES_MAX, count));
    keep_wanted(a, out, count);
    if (!spot->own_only) {
        return ERR_OK;
    }
    struct store_total *part = a->parts;
    for (size_t i = 0; i < view->tree.count; i++) {
        size_t n;
        if (view->tree.units[i].parent != spot->unit) {
            continue;
        }
        span.unit = view->tree.units[i].id;
        TRY(store_total_sums(q->store, &span, part, TOTAL_CATEGORIES_MAX, &n));
        for (size_t j = 0; j < n; j++) {
            for (size_t k = 0; k < *count; k++) {
                bool same = out[k].category == part[j].category;
                out[k].value -= same ? part[j].value : 0;
                out[k].entries -= same ? part[j].entries : 0;
            }
        }
    }
    return ERR_OK;
}

static enum err put_subject_row(struct asking *a, const struct spot *spot,
                                const struct subject *subject, struct total_row *row)
{
    TRY(target_fill(a, spot, subject, row));
    TRY(against_fill(a, spot, subject, row));
    return put_row(a, row);
}

static struct total_row blank_row(struct asking *a, const struct spot *spot,
                                  const struct subject *subject)
{
    const struct unit *unit = &a->q->view.tree.units[spot->unit];
    return (struct total_row){.unit = unit->code,
                              .unit_name = unit->name,
                              .counted_in = subject->counted_in,
                              .measure = subject->code,
                              .name = subject->name,
                              .period = total_period_name(a, spot->period),
                              .category = total_picks(a->req) ? a->req->category : "",
                              .category_null = !total_picks(a->req),
                              .own = spot->own_only,
                              .indicator = subject->formula != NULL,
                              .indicator_value = "",
                              .decimals = subject->decimals,
                              .target = "",
                              .target_period = "",
                              .reached = "",
                              .percent = "",
                              .due = "",
                              .against = "",
                              .before = "",
                              .change = "",
                              .change_percent = ""};
}

static enum err measure_rows(struct asking *a, const struct spot *spot,
                             const struct subject *subject)
{
    struct query *q = a->q;
    struct store_total *sums = a->sums;
    size_t n;
    TRY(total_sums(a, spot, subject->measure, sums, &n));
    struct total_row row = blank_row(a, spot, subject);
    TRY(coverage(a, spot, subject->measure, &row));
    if (a->req->by != BY_CATEGORY) {
        for (size_t i = 0; i < n; i++) {
            row.overflow = row.overflow || wide_add_overflows(row.value, sums[i].value, &row.value);
            row.entries += sums[i].entries;
        }
        return put_subject_row(a, spot, subject, &row);
    }
    row.category_null = false;
    TRY(against_add_categories(a, spot, subject, sums, &n));
    for (size_t i = 0; i < n; i++) {
        struct total_row one = row;
        one.category = query_symbol(q, sums[i].category);
        one.value = sums[i].value;
        one.entries = sums[i].entries;
        TRY(against_fill_category(a, spot, subject, sums[i].category, sums[i].value, &one));
        TRY(put_row(a, &one));
    }
    return n == 0 ? put_row(a, &row) : ERR_OK;
}

/* ---- values ---- */

struct value_at {
    struct asking *a;
    const struct spot *spot;
};

static enum err step_value(void *ctx, const struct formula_step *step, bool *there, wide *value)
{
    struct value_at *at = ctx;
    struct query *q = at->a->q;
    struct store_total *sums = at->a->sums;
    size_t n;
    TRY(total_sums(at->a, at->spot, step->measure, sums, &n));
    *value = 0;
    for (size_t i = 0; i < n; i++) {
        bool takes = !step->picky ||
                     formula_takes(step, &q->view.catalogue, query_symbol(q, sums[i].category));
        *there = *there && !(takes && wide_add_overflows(*value, sums[i].value, value));
    }
    return ERR_OK;
}

enum err total_value(struct asking *a, const struct spot *spot, const struct subject *subject,
                     bool *there, struct fraction *out)
{
    struct value_at at = {a, spot};
    if (subject->formula != NULL) {
        return formula_compute(subject->formula, &a->q->view.catalogue, step_value, &at, there,
                               out);
    }
    struct formula_step whole = {.op = FORMULA_MEASURE, .measure = subject->measure};
    wide value;
    *there = true;
    TRY(step_value(&at, &whole, there, &value));
    *out = fraction_of(value, subject->decimals);
    return ERR_OK;
}

static enum err indicator_row(struct asking *a, const struct spot *spot,
                              const struct subject *subject)
{
    struct fraction result;
    char text[FRACTION_TEXT_BYTES];
    bool there;
    TRY(total_value(a, spot, subject, &there, &result));
    struct total_row row = blank_row(a, spot, subject);
    if (there && fraction_format(&result, subject->decimals, text)) {
        row.indicator_value = arena_str(&a->q->arena, text);
        if (row.indicator_value == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    return put_subject_row(a, spot, subject, &row);
}

/* ---- which measures, units, periods ---- */

static bool named(const struct req_total *req, const char *code)
{
    for (size_t i = 0; i < req->measure_count; i++) {
        if (strcmp(req->measures[i], code) == 0) {
            return true;
        }
    }
    return req->measure_count == 0;
}

/* The periods of a row group: those that were asked for, or each of the frequency in them. */
static enum err each_period(struct asking *a, const struct spot *spot,
                            const struct subject *subject)
{
    int32_t first = a->period.index;
    int32_t last = a->last;
    struct spot at = *spot;
    if (a->req->by == BY_PERIOD) {
        int32_t other;
        struct period end = {a->period.frequency, a->last};
        (void)period_range(a->period, subject->frequency, &first, &other);
        (void)period_range(end, subject->frequency, &other, &last);
        at.period.frequency = subject->frequency;
    }
    for (int32_t p = first; p <= last && !a->q->stopped; p++) {
        at.period.index = p;
        at.since = at.period;
        TRY(subject->formula == NULL ? measure_rows(a, &at, subject)
                                     : indicator_row(a, &at, subject));
    }
    return ERR_OK;
}

static enum err spot_rows(struct asking *a, const struct spot *spot)
{
    const struct catalogue *catalogue = &a->q->view.catalogue;
    struct formula formula;
    for (size_t i = 0; i < catalogue->measure_count; i++) {
        const struct measure *m = &catalogue->measures[i];
        struct subject subject = {.code = m->code,
                                  .name = m->name,
                                  .counted_in = m->unit,
                                  .decimals = m->decimals,
                                  .frequency = m->frequency,
                                  .grows = m->kind == MEASURE_FLOW,
                                  .measure = i};
        if (named(a->req, m->code) && m->frequency >= spot->period.frequency) {
            TRY(each_period(a, spot, &subject));
        }
    }
    for (size_t i = 0; i < catalogue->indicator_count && a->req->by != BY_CATEGORY; i++) {
        const struct indicator *in = &catalogue->indicators[i];
        if (!named(a->req, in->code) ||
            formula_of_indicator(in, catalogue, &formula, NULL) != ERR_OK) {
            continue;
        }
        struct subject subject = {.code = in->code,
                                  .name = in->name,
                                  .counted_in = in->unit,
                                  .decimals = in->decimals,
                                  .frequency = formula_frequency(&formula, catalogue),
                                  .formula = &formula};
        if (subject.frequency >= spot->period.frequency) {
            TRY(each_period(a, spot, &subject));
        }
    }
    return ERR_OK;
}

static int compare_places(const void *left, const void *right, void *view)
{
    const struct view *v = view;
    return strcmp(v->tree.units[*(const int *)left].code, v->tree.units[*(const int *)right].code);
}

/* The units that get rows, in order of code. */
static enum err each_unit(struct asking *a, int top)
{
    struct query *q = a->q;
    const struct view *view = &q->view;
    struct spot spot = {.unit = top, .period = a->period, .since = a->period};
    if (a->req->by != BY_CHILD && a->req->by != BY_LEVEL) {
        return spot_rows(a, &spot);
    }
    int *places = arena_array(&q->arena, view->tree.count, sizeof *places);
    size_t n = 0;
    if (places == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < view->tree.count; i++) {
        bool wanted = a->req->by == BY_CHILD
                          ? view->tree.units[i].parent == top
                          : view_within(view, (int)i, top) &&
                                strcmp(view->tree.units[i].level, a->req->level) == 0;
        if (wanted) {
            places[n++] = (int)i;
        }
    }
    qsort_r(places, n, sizeof *places, compare_places, (void *)view);
    for (size_t i = 0; i < n; i++) {
        spot.unit = places[i];
        TRY(spot_rows(a, &spot));
    }
    if (a->req->by == BY_CHILD) {
        spot.unit = top;
        spot.own_only = true;
        return spot_rows(a, &spot);
    }
    return ERR_OK;
}

/* ---- checks and sources ---- */

static enum err check_names(const struct asking *a, struct errmsg *msg)
{
    const struct catalogue *catalogue = &a->q->view.catalogue;
    const struct req_total *req = a->req;
    for (size_t i = 0; i < req->measure_count; i++) {
        const char *code = req->measures[i];
        const struct measure *m = catalogue_measure(catalogue, code);
        TRY(query_find_measure(a->q, code, msg));
        TRY(m != NULL && total_picks(req)
                ? catalogue_category_check(catalogue, m, req->category, msg)
                : ERR_OK);
        if (m != NULL && m->frequency < a->period.frequency) {
            char period[PERIOD_TEXT_BYTES];
            period_format(a->period, period);
            return err_fail(msg, ERR_REFUSED,
                            "measure %s is kept by the %s; period %s is finer than that", code,
                            frequency_name(m->frequency), period);
        }
        struct formula formula;
        const struct indicator *indicator = m == NULL ? catalogue_indicator(catalogue, code) : NULL;
        if (indicator != NULL && (req->by == BY_CATEGORY || total_picks(req))) {
            return err_fail(msg, ERR_REFUSED,
                            "indicator %s is computed from sums over all categories; ask for it "
                            "without --%scategory",
                            code, total_picks(req) ? "" : "by ");
        }
        if (indicator != NULL &&
            formula_of_indicator(indicator, catalogue, &formula, NULL) == ERR_OK &&
            formula_frequency(&formula, catalogue) < a->period.frequency) {
            return err_fail(msg, ERR_REFUSED,
                            "indicator %s has measures that are not kept for so short a period",
                            code);
        }
    }
    if (req->against == AGAINST_PERIOD && (req->by == BY_PERIOD || a->last != a->period.index)) {
        return err_fail(msg, ERR_REFUSED,
                        "several periods are not held against one; ask for the change against the "
                        "previous one, or against a year before");
    }
    if (req->against == AGAINST_PERIOD && req->against_period.frequency != a->period.frequency) {
        return err_fail(msg, ERR_REFUSED, "a %s is not held against a %s",
                        frequency_name(a->period.frequency),
                        frequency_name(req->against_period.frequency));
    }
    if (total_picks(req) && req->measure_count == 0) {
        return err_fail(msg, ERR_REFUSED, "a category is one of certain measures; name them");
    }
    if (req->targets && (req->by == BY_CATEGORY || total_picks(req))) {
        return err_fail(msg, ERR_REFUSED,
                        "targets are for sums over all categories; ask without --%scategory",
                        total_picks(req) ? "" : "by ");
    }
    if (req->by == BY_LEVEL && catalogue->version != 0 &&
        catalogue_level(catalogue, req->level) < 0) {
        struct nearest nearest;
        char hint[NEAREST_MAX * NEAREST_NAME_BYTES + 64];
        nearest_init(&nearest, req->level);
        for (size_t j = 0; j < catalogue->level_count; j++) {
            nearest_offer(&nearest, catalogue->levels[j]);
        }
        nearest_format(&nearest, hint, sizeof hint);
        return err_fail(msg, ERR_REFUSED, "level %s is not in the catalogue%s", req->level, hint);
    }
    return ERR_OK;
}

/* A unit that is not known may lie anywhere: it counts at the top of what this node knows. */
static bool lies_under(const struct query *q, int64_t unit_id, int top)
{
    int unit = view_unit(&q->view, unit_id);
    return unit == TREE_NONE ? top == q->view.self : view_within(&q->view, unit, top);
}

static enum err held_under(struct query *q, int top, int64_t *out)
{
    enum { PAGE = 64 };
    struct store_cell *rows = arena_array(&q->arena, PAGE, sizeof *rows);
    struct store_cell_key after = {0};
    size_t n = PAGE;
    *out = 0;
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    while (n == PAGE) {
        TRY(store_cells_held(q->store, &after, rows, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            *out += lies_under(q, rows[i].key.unit, top) ? 1 : 0;
            after = rows[i].key;
        }
    }
    return ERR_OK;
}

static enum err refused_under(struct query *q, int top, int64_t *out)
{
    enum { PAGE = 64 };
    struct store_refused_unit rows[PAGE];
    size_t n = PAGE;
    *out = 0;
    for (int64_t after = 0; n == PAGE; after = rows[n > 0 ? n - 1 : 0].unit) {
        TRY(store_refused_units(q->store, after, rows, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            *out += lies_under(q, rows[i].unit, top) ? rows[i].rows : 0;
        }
    }
    return ERR_OK;
}

static enum err sources(struct asking *a, int top)
{
    struct query *q = a->q;
    const struct view *view = &q->view;
    struct stale_source *stale = arena_array(&q->arena, view->tree.count, sizeof *stale);
    if (stale == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(query_statuses(q));
    a->head.nodes = 1;
    a->head.exact = 1;
    for (size_t i = 0; i < view->tree.count; i++) {
        struct wall as_of;
        if (!view->tree.units[i].hosting || (int)i == view->self ||
            !view_within(view, (int)i, top)) {
            continue;
        }
        a->head.nodes++;
        a->head.lost += q->states[i].lost;
        if (query_exact(q, (int)i, &as_of)) {
            a->head.exact++;
        } else {
            stale[a->head.stale_count++] = (struct stale_source){view->tree.units[i].code, as_of};
        }
    }
    a->head.stale = stale;
    int64_t own = 0;
    TRY(top == view->self ? store_own_lost(q->store, &own) : ERR_OK);
    a->head.lost += own;
    TRY(held_under(q, top, &a->head.held));
    return refused_under(q, top, &a->head.refused);
}

/* Totals are kept for the tree as it is. That of another day has the same ones where nothing has
 * moved since; where something has, no figure is better than a wrong one. */
static enum err check_tree(const struct asking *a, struct errmsg *msg)
{
    const struct tree *tree = &a->q->view.tree;
    int32_t day = a->req->tree_as_of;
    for (size_t i = 0; day != DAY_NONE && i < tree->count; i++) {
        const struct unit *unit = &tree->units[i];
        const struct unit_edge *edge = view_edge_on(unit, day);
        if (edge != NULL && strcmp(edge->parent, unit->edges[unit->edge_count - 1].parent) != 0) {
            char text[DAY_TEXT_BYTES];
            day_format(day, text);
            return err_fail(msg, ERR_REFUSED,
                            "unit %s lay under %s on %s; this release has totals for the tree of "
                            "today only",
                            unit->code, edge->parent, text);
        }
    }
    return ERR_OK;
}

/* How many periods of that frequency lie in what is asked for. */
static int64_t periods_of(const struct asking *a, enum frequency frequency)
{
    struct period end = {a->period.frequency, a->last};
    int32_t first;
    int32_t last;
    int32_t other;
    return period_range(a->period, frequency, &first, &other) &&
                   period_range(end, frequency, &other, &last)
               ? (int64_t)last - first + 1
               : 0;
}

/* The most rows that --by period makes of anything that is asked for. */
static int64_t most_periods(const struct asking *a)
{
    const struct catalogue *catalogue = &a->q->view.catalogue;
    struct formula formula;
    int64_t most = 0;
    for (size_t i = 0; i < catalogue->measure_count; i++) {
        const struct measure *m = &catalogue->measures[i];
        int64_t count = named(a->req, m->code) ? periods_of(a, m->frequency) : 0;
        most = count > most ? count : most;
    }
    for (size_t i = 0; i < catalogue->indicator_count; i++) {
        const struct indicator *in = &catalogue->indicators[i];
        bool read = named(a->req, in->code) &&
                    formula_of_indicator(in, catalogue, &formula, NULL) == ERR_OK;
        int64_t count = read ? periods_of(a, formula_frequency(&formula, catalogue)) : 0;
        most = count > most ? count : most;
    }
    return most;
}

static enum err check_periods(const struct asking *a, struct errmsg *msg)
{
    const struct req_total *req = a->req;
    enum frequency frequency = a->period.frequency;
    struct period against = req->against_period;
    bool valid = period_index_valid(frequency, a->period.index) &&
                 period_index_valid(frequency, a->last) && a->last >= a->period.index;
    if (!valid ||
        (req->against == AGAINST_PERIOD && !period_index_valid(against.frequency, against.index))) {
        return err_fail(msg, ERR_REFUSED, "the period is none of the years 1 to 9999");
    }
    if ((int64_t)a->last - a->period.index >= PERIODS_MAX ||
        (req->by == BY_PERIOD && most_periods(a) > PERIODS_MAX)) {
        return err_fail(msg, ERR_REFUSED, "that are more than %d periods; ask for fewer at a time",
                        PERIODS_MAX);
    }
    return ERR_OK;
}

/* "2023H1", or "2022H1..2023H1". */
static const char *span_name(struct asking *a)
{
    char text[2 * PERIOD_TEXT_BYTES];
    struct period end = {a->period.frequency, a->last};
    period_format(a->period, text);
    if (a->last != a->period.index) {
        size_t used = strlen(text);
        memcpy(text + used, "..", 2);
        period_format(end, text + used + 2);
    }
    return keep_text(a, text);
}

enum err query_total(struct query *q, struct errmsg *msg)
{
    const struct req_total *req = &q->request->u.total;
    struct asking a = {.q = q, .req = req, .first = true};
    int top;
    int year;
    int month;
    int day;
    TRY(query_find_unit(q, req->unit, &top, msg));
    day_to_civil(q->now.today, &year, &month, &day);
    a.period = req->has_period ? req->period : (struct period){FREQUENCY_YEAR, year};
    a.last = req->has_last ? req->last_period : a.period.index;
    TRY(check_periods(&a, msg));
    TRY(check_names(&a, msg));
    TRY(check_tree(&a, msg));
    a.rows = arena_array(&q->arena, ROWS_PER_REPLY, sizeof *a.rows);
    a.sums = arena_array(&q->arena, TOTAL_CATEGORIES_MAX, sizeof *a.sums);
    a.parts = arena_array(&q->arena, TOTAL_CATEGORIES_MAX, sizeof *a.parts);
    a.before = arena_array(&q->arena, TOTAL_CATEGORIES_MAX, sizeof *a.before);
    if (a.rows == NULL || a.sums == NULL || a.parts == NULL || a.before == NULL) {
        return ERR_NO_MEMORY;
    }
    a.head.unit = q->view.tree.units[top].code;
    a.head.unit_name = q->view.tree.units[top].name;
    a.head.period = span_name(&a);
    a.head.as_of = q->now.wall;
    a.head.catalogue_version = q->view.catalogue.version;
    TRY(store_fact_int(q->store, "head", 0, &a.head.revision));
    TRY(req->targets ? targets_sort(&a) : ERR_OK);
    TRY(sources(&a, top));
    TRY(each_unit(&a, top));
    return flush_rows(&a, false);
}

/* `missing`: who has reported, and who has not. A unit has reported a measure in a period when a
 * fact of it counts there, also one whose value is 0; a data set, when it has reported all of its
 * measures that are expected of the unit's level. Expected is what is open at the period's end. */
#include <string.h>

#include "node/query_internal.h"

enum { ROWS_PER_REPLY = 500, LACKS_PER_REPLY = 8000, PERIODS_MAX = 400 };

/* A data set, or one measure. */
struct subject {
    const char *code;
    const char *name;
    const char **measures;
    size_t measure_count;
    int deadline; /* -1: none */
};

struct search {
    struct query *q;
    int top;
    struct rep_missing head;
    struct missing_row *rows; /* of the reply being filled */
    size_t count;
    size_t lacks;       /* in them */
    const int64_t *ids; /* symbols of the subject's measures, by place in the subject */
    const struct measure **measures;
};

static enum err flush_rows(struct search *s, bool more)
{
    struct message reply = {.u.reply.u.missing = s->head};
    reply.u.reply.u.missing.rows = s->rows;
    reply.u.reply.u.missing.row_count = s->count;
    (void)query_send(s->q, &reply, more);
    s->count = 0;
    s->lacks = 0;
    return ERR_OK;
}

static enum err put_row(struct search *s, const struct missing_row *row)
{
    if (s->count == ROWS_PER_REPLY || s->lacks + row->lacks_count > LACKS_PER_REPLY) {
        TRY(flush_rows(s, true));
    }
    s->rows[s->count++] = *row;
    s->lacks += row->lacks_count;
    return ERR_OK;
}

/* What the unit has not reported, the first of it in `lacks`; `expected` false: nothing is expected
 * of its level. */
static enum err unit_lacks(struct search *s, const struct subject *subject, const struct unit *unit,
                           struct period period, bool *expected, const char *lacks[LACKS_MAX],
                           struct missing_row *row)
{
    *expected = false;
    for (size_t i = 0; i < subject->measure_count; i++) {
        const struct measure *measure = s->measures[i];
        int32_t first;
        int32_t last;
        bool reported;
        if (strcmp(measure->level, unit->level) != 0) {
            continue;
        }
        *expected = true;
        (void)period_range(period, measure->frequency, &first, &last);
        TRY(store_unit_reported(s->q->store, unit->id, s->ids[i], first, last, &reported));
        if (!reported && row->lacks_count < LACKS_MAX) {
            lacks[row->lacks_count++] = measure->code;
        }
        row->lacks_total += reported ? 0 : 1;
    }
    return ERR_OK;
}

/* Calls for every unit of which something is expected; with `list` those that lack something become
 * rows, else they are counted. */
static enum err each_unit(struct search *s, const struct subject *subject, struct period period,
                          bool list, struct missing_row *all)
{
    const struct view *view = &s->q->view;
    int32_t last_day = period_last_day(period);
    for (size_t i = 0; i < view->tree.count && !s->q->stopped; i++) {
        const struct unit *unit = &view->tree.units[i];
        struct missing_row row = *all;
        const char *lacks[LACKS_MAX];
        bool expected;
        if (!view_within(view, (int)i, s->top) || !view_open(unit, last_day)) {
            continue;
        }
        TRY(unit_lacks(s, subject, unit, period, &expected, lacks, &row));
        if (!list) {
            all->expected += expected ? 1 : 0;
            all->reported += expected && row.lacks_total == 0 ? 1 : 0;
        } else if (row.lacks_total > 0) {
            row.unit = unit->code;
            row.unit_name = unit->name;
            row.exact = query_exact(s->q, (int)i, &row.exact_as_of);
            row.lacks = arena_copy(&s->q->arena, lacks, row.lacks_count * sizeof *lacks);
            TRY(row.lacks == NULL ? ERR_NO_MEMORY : put_row(s, &row));
        }
    }
    return ERR_OK;
}

/* The coarsest of its measures' frequencies: no finer period has a meaning. */
static enum frequency frequency_of(const struct search *s, const struct subject *subject)
{
    enum frequency frequency = FREQUENCY_DAY;
    for (size_t i = 0; i < subject->measure_count; i++) {
        enum frequency one = s->measures[i]->frequency;
        frequency = one < frequency ? one : frequency;
    }
    return frequency;
}

static enum err find_measures(struct search *s, const struct subject *subject)
{
    const struct view *view = &s->q->view;
    int64_t *ids = arena_array(&s->q->arena, subject->measure_count, sizeof *ids);
    s->measures = arena_array(&s->q->arena, subject->measure_count, sizeof *s->measures);
    if (ids == NULL || s->measures == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < subject->measure_count; i++) {
        s->measures[i] = catalogue_measure(&view->catalogue, subject->measures[i]);
        if (s->measures[i] == NULL) {
            return ERR_CORRUPT; /* the catalogue was checked */
        }
        ids[i] = view->measure_ids[s->measures[i] - view->catalogue.measures];
    }
    s->ids = ids;
    return ERR_OK;
}

static enum err period_rows(struct search *s, const struct subject *subject, struct period period)
{
    char text[PERIOD_TEXT_BYTES];
    int32_t due = period_last_day(period) + (subject->deadline < 0 ? 0 : subject->deadline);
    period_format(period, text);
    struct missing_row row = {.code = subject->code,
                              .name = subject->name,
                              .period = arena_str(&s->q->arena, text),
                              .set = subject->deadline >= 0,
                              .due = subject->deadline < 0 || due > DAY_MAX ? DAY_NONE : due,
                              .unit = "",
                              .unit_name = ""};
    if (row.period == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(each_unit(s, subject, period, false, &row));
    TRY(put_row(s, &row));
    return each_unit(s, subject, period, true, &row);
}

static enum err subject_rows(struct search *s, const struct subject *subject, struct errmsg *msg)
{
    const struct req_missing *req = &s->q->request->u.missing;
    TRY(find_measures(s, subject));
    enum frequency frequency = frequency_of(s, subject);
    struct period period = period_of_day(frequency, s->q->now.today);
    period.index -= 1;
    period = req->has_period ? req->period : period;
    int32_t last = req->has_last ? req->last_period : period.index;
    if (period.frequency > frequency) {
        char text[PERIOD_TEXT_BYTES];
        period_format(period, text);
        return err_fail(msg, ERR_REFUSED, "%s is kept by the %s; period %s is finer than that",
                        subject->code, frequency_name(frequency), text);
    }
    for (; period.index <= last && !s->q->stopped; period.index++) {
        TRY(period_rows(s, subject, period));
    }
    return ERR_OK;
}

static struct subject of_set(const struct data_set *set)
{
    return (struct subject){set->code, set->name, set->measures, set->measure_count, set->deadline};
}

static struct subject of_measure(struct measure *measure)
{
    return (struct subject){measure->code, measure->name, &measure->code, 1, -1};
}

static void nearest_subject(const struct catalogue *catalogue, const char *code,
                            char out[CATALOGUE_HINT_BYTES])
{
    struct nearest nearest;
    nearest_init(&nearest, code);
    for (size_t i = 0; i < catalogue->set_count; i++) {
        nearest_offer(&nearest, catalogue->sets[i].code);
    }
    for (size_t i = 0; i < catalogue->measure_count; i++) {
        nearest_offer(&nearest, catalogue->measures[i].code);
    }
    nearest_format(&nearest, out, CATALOGUE_HINT_BYTES);
}

/* A data set or a measure with that code. */
static enum err find_subject(const struct search *s, const char *code, struct subject *out,
                             struct errmsg *msg)
{
    const struct catalogue *catalogue = &s->q->view.catalogue;
    const struct data_set *set = catalogue_set(catalogue, code);
    if (set != NULL) {
        *out = of_set(set);
        return ERR_OK;
    }
    const struct measure *measure = catalogue_measure(catalogue, code);
    if (measure == NULL && catalogue_indicator(catalogue, code) == NULL) {
        char hint[CATALOGUE_HINT_BYTES];
        nearest_subject(catalogue, code, hint);
        return err_fail(msg, ERR_REFUSED, "no data set and no measure is called %s%s", code, hint);
    }
    if (measure == NULL) {
        return err_fail(msg, ERR_REFUSED,
                        "indicator %s is computed, nobody reports it; ask for its measures", code);
    }
    *out = of_measure(&catalogue->measures[measure - catalogue->measures]);
    return ERR_OK;
}

static enum err each_subject(struct search *s, struct errmsg *msg)
{
    const struct req_missing *req = &s->q->request->u.missing;
    const struct catalogue *catalogue = &s->q->view.catalogue;
    struct subject subject;
    for (size_t i = 0; i < req->code_count; i++) {
        TRY(find_subject(s, req->codes[i], &subject, msg));
        TRY(subject_rows(s, &subject, msg));
    }
    for (size_t i = 0; req->code_count == 0 && i < catalogue->set_count; i++) {
        subject = of_set(&catalogue->sets[i]);
        TRY(subject_rows(s, &subject, msg));
    }
    bool measures = req->code_count == 0 && catalogue->set_count == 0;
    for (size_t i = 0; measures && i < catalogue->measure_count; i++) {
        subject = of_measure(&catalogue->measures[i]);
        if (!req->has_period || req->period.frequency <= catalogue->measures[i].frequency) {
            TRY(subject_rows(s, &subject, msg));
        }
    }
    return ERR_OK;
}

static enum err count_nodes(struct search *s)
{
    const struct view *view = &s->q->view;
    TRY(query_statuses(s->q));
    s->head.nodes = 1;
    s->head.exact = 1;
    for (size_t i = 0; i < view->tree.count; i++) {
        struct wall as_of;
        if (view->tree.units[i].hosting && (int)i != view->self &&
            view_within(view, (int)i, s->top)) {
            s->head.nodes++;
            s->head.exact += query_exact(s->q, (int)i, &as_of) ? 1 : 0;
        }
    }
    return ERR_OK;
}

enum err query_missing(struct query *q, struct errmsg *msg)
{
    const struct req_missing *req = &q->request->u.missing;
    struct search s = {.q = q};
    TRY(query_find_unit(q, req->unit, &s.top, msg));
    int32_t last = req->has_last ? req->last_period : req->period.index;
    if (req->has_period && (!period_index_valid(req->period.frequency, req->period.index) ||
                            !period_index_valid(req->period.frequency, last))) {
        return err_fail(msg, ERR_REFUSED, "the period is none of the years 1 to 9999");
    }
    if (req->has_period && (int64_t)last - req->period.index >= PERIODS_MAX) {
        return err_fail(msg, ERR_REFUSED, "that are more than %d periods; ask for fewer at a time",
                        PERIODS_MAX);
    }
    s.rows = arena_array(&q->arena, ROWS_PER_REPLY, sizeof *s.rows);
    if (s.rows == NULL) {
        return ERR_NO_MEMORY;
    }
    s.head.unit = q->view.tree.units[s.top].code;
    s.head.unit_name = q->view.tree.units[s.top].name;
    s.head.as_of = q->now.wall;
    TRY(store_fact_int(q->store, "head", 0, &s.head.revision));
    TRY(count_nodes(&s));
    TRY(each_subject(&s, msg));
    return flush_rows(&s, false);
}

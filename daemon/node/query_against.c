/* `total --against`: what it was in a period before, and the change since. */
#include "node/query_total.h"

enum { PERCENT_DECIMALS = 1 };

/* The period that what was asked for is held against; false when there is none. */
static bool against_period(const struct asking *a, struct period period, struct period *out)
{
    switch (a->req->against) {
    case AGAINST_NONE:
        return false;
    case AGAINST_PREVIOUS:
        *out = (struct period){period.frequency, period.index - 1};
        break;
    case AGAINST_YEAR_BEFORE:
        *out = period_year_before(period);
        break;
    case AGAINST_PERIOD:
        *out = a->req->against_period;
        break;
    }
    return period_index_valid(out->frequency, out->index);
}

/* Where the spot was then; false when it is not asked for. */
static bool spot_before(const struct asking *a, const struct spot *spot, struct spot *out)
{
    *out = *spot;
    bool asked = against_period(a, spot->period, &out->period);
    out->since = out->period;
    return asked;
}

/* In percent of what it was, in the direction of the change; none of nothing. */
static bool percent_of(struct fraction change, struct fraction before, struct fraction *out)
{
    before.over = before.over < 0 ? -before.over : before.over;
    return fraction_apply(FORMULA_DIV, change, before, out) &&
           fraction_apply(FORMULA_MUL, *out, (struct fraction){100, 1}, out);
}

/* What it is now, and what it was; either may have no value. */
struct values {
    bool is;
    struct fraction now;
    bool was;
    struct fraction before;
};

static void fill(struct asking *a, const struct spot *then, const struct values *values,
                 struct total_row *row)
{
    struct fraction change;
    struct fraction percent;
    bool changed = values->is && values->was &&
                   fraction_apply(FORMULA_SUB, values->now, values->before, &change);
    row->against = total_period_name(a, then->period);
    row->before = total_text(a, values->was, &values->before, row->decimals);
    row->change = total_text(a, changed, &change, row->decimals);
    changed = changed && percent_of(change, values->before, &percent);
    row->change_percent = total_text(a, changed, &percent, PERCENT_DECIMALS);
}

enum err against_fill(struct asking *a, const struct spot *spot, const struct subject *subject,
                      struct total_row *row)
{
    struct spot then;
    struct values values;
    if (!spot_before(a, spot, &then)) {
        return ERR_OK;
    }
    TRY(total_value(a, spot, subject, &values.is, &values.now));
    TRY(total_value(a, &then, subject, &values.was, &values.before));
    fill(a, &then, &values, row);
    return ERR_OK;
}

enum err against_add_categories(struct asking *a, const struct spot *spot,
                                const struct subject *subject, struct store_total *sums,
                                size_t *count)
{
    struct spot then;
    size_t now = *count;
    size_t n;
    if (!spot_before(a, spot, &then)) {
        return ERR_OK;
    }
    TRY(total_sums(a, &then, subject->measure, a->before, &n));
    for (size_t i = 0; i < n && *count < TOTAL_CATEGORIES_MAX; i++) {
        bool there = false;
        for (size_t j = 0; j < now && !there; j++) {
            there = sums[j].category == a->before[i].category;
        }
        if (!there) {
            sums[(*count)++] = (struct store_total){.category = a->before[i].category};
        }
    }
    return ERR_OK;
}

enum err against_fill_category(struct asking *a, const struct spot *spot,
                               const struct subject *subject, int64_t category, wide value,
                               struct total_row *row)
{
    struct spot then;
    struct values values = {.is = true, .was = true};
    wide before = 0;
    size_t n;
    if (!spot_before(a, spot, &then)) {
        return ERR_OK;
    }
    TRY(total_sums(a, &then, subject->measure, a->before, &n));
    for (size_t i = 0; i < n; i++) {
        before = a->before[i].category == category ? a->before[i].value : before;
    }
    values.now = fraction_of(value, subject->decimals);
    values.before = fraction_of(before, subject->decimals);
    fill(a, &then, &values, row);
    return ERR_OK;
}

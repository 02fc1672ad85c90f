/* `total --targets`: how far what is wanted has been reached.
 *
 * A target is for the end of its period. What was reached is what the subject comes to from the
 * begin of that period up to the end of the row's, so that a row of a half-year says how far the
 * year's target has come. What is expected lies on a straight line over the days of the target's
 * period, at today or, when that is earlier, at the end of the row's period. The line leads from
 * where the subject stood when the period began (0 where it had no value, and for flows) to the
 * target. */
#include <stdlib.h>
#include <string.h>

#include "node/query_total.h"
#include "proto/decimal.h"

enum { PERCENT_DECIMALS = 1 };

static int compare(const void *left, const void *right)
{
    const struct target *a = *(const struct target *const *)left;
    const struct target *b = *(const struct target *const *)right;
    int order = strcmp(a->measure, b->measure);
    order = order != 0 ? order : strcmp(a->unit, b->unit);
    return order != 0 ? order : strcmp(a->level, b->level);
}

enum err targets_sort(struct asking *a)
{
    const struct catalogue *catalogue = &a->q->view.catalogue;
    a->targets = arena_array(&a->q->arena, catalogue->target_count, sizeof *a->targets);
    if (a->targets == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < catalogue->target_count; i++) {
        a->targets[i] = &catalogue->targets[i];
    }
    qsort(a->targets, catalogue->target_count, sizeof *a->targets, compare);
    return ERR_OK;
}

static bool lies_in(struct period inner, struct period outer)
{
    return period_first_day(outer) <= period_first_day(inner) &&
           period_last_day(inner) <= period_last_day(outer);
}

/* The one with the shortest period, of those for that unit or level. */
static const struct target *find_for(const struct asking *a, struct period period,
                                     const struct target *like)
{
    size_t count = a->q->view.catalogue.target_count;
    const struct target *found = NULL;
    size_t low = 0;
    for (size_t high = count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (compare(&a->targets[middle], &like) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    for (; low < count && compare(&a->targets[low], &like) == 0; low++) {
        const struct target *at = a->targets[low];
        if (lies_in(period, at->period) &&
            (found == NULL || at->period.frequency > found->period.frequency)) {
            found = at;
        }
    }
    return found;
}

static const struct target *find(const struct asking *a, const struct spot *spot,
                                 const struct subject *subject)
{
    const struct unit *unit = &a->q->view.tree.units[spot->unit];
    struct target like = {.unit = unit->code, .level = "", .measure = subject->code};
    const struct target *found = find_for(a, spot->period, &like);
    like.unit = "";
    like.level = unit->level;
    return found != NULL ? found : find_for(a, spot->period, &like);
}

/* Where the subject stood when the period began. */
static enum err standing_before(struct asking *a, const struct spot *spot,
                                const struct subject *subject, struct period period,
                                struct fraction *out)
{
    struct spot before = *spot;
    bool there = false;
    *out = (struct fraction){0, 1};
    if (subject->grows || !period_index_valid(period.frequency, period.index - 1)) {
        return ERR_OK;
    }
    before.period = before.since = (struct period){period.frequency, period.index - 1};
    TRY(total_value(a, &before, subject, &there, out));
    *out = there ? *out : (struct fraction){0, 1};
    return ERR_OK;
}

/* start + (wanted - start) * passed / days; false when that is no number. */
static bool on_the_line(struct fraction start, struct fraction wanted, struct period period,
                        int32_t day, struct fraction *out)
{
    int32_t first = period_first_day(period);
    int32_t days = period_last_day(period) - first + 1;
    int32_t passed = day < first ? 0 : day - first + 1;
    struct fraction share = {passed > days ? days : passed, days};
    struct fraction way;
    return fraction_apply(FORMULA_SUB, wanted, start, &way) &&
           fraction_apply(FORMULA_MUL, way, share, &way) &&
           fraction_apply(FORMULA_ADD, start, way, out);
}

enum err target_fill(struct asking *a, const struct spot *spot, const struct subject *subject,
                     struct total_row *row)
{
    const struct target *target =
        a->targets == NULL || spot->own_only ? NULL : find(a, spot, subject);
    int64_t steps;
    if (target == NULL || decimal_parse(target->value, row->decimals, &steps, NULL) != ERR_OK) {
        return ERR_OK; /* earlier releases took any number of decimals */
    }
    struct spot so_far = *spot;
    struct fraction wanted = fraction_of(steps, row->decimals);
    struct fraction reached;
    struct fraction start;
    struct fraction share;
    struct fraction due;
    char period[PERIOD_TEXT_BYTES];
    bool there;
    so_far.since = target->period;
    TRY(total_value(a, &so_far, subject, &there, &reached));
    TRY(standing_before(a, spot, subject, target->period, &start));
    int32_t end = period_last_day(spot->period);
    int32_t day = a->q->now.today < end ? a->q->now.today : end;
    period_format(target->period, period);
    row->target = total_text(a, true, &wanted, row->decimals);
    row->target_period = arena_str(&a->q->arena, period);
    row->reached = total_text(a, there, &reached, row->decimals);
    row->due =
        total_text(a, on_the_line(start, wanted, target->period, day, &due), &due, row->decimals);
    there = there && fraction_apply(FORMULA_DIV, reached, wanted, &share) &&
            fraction_apply(FORMULA_MUL, share, (struct fraction){100, 1}, &share);
    row->percent = total_text(a, there, &share, PERCENT_DECIMALS);
    return row->target_period == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* What must hold for a catalogue: for every one that was ever published, and for one that is to be.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proto/catalogue.h"
#include "proto/decimal.h"
#include "proto/formula.h"

static enum err check_code(const char *what, const char *code, struct errmsg *msg)
{
    return text_is_code(code, CODE_MAX_BYTES)
               ? ERR_OK
               : err_fail(msg, ERR_INVALID,
                          "%s \"%.64s\" is no code: 1 to %d letters, digits or -_. without spaces",
                          what, code, CODE_MAX_BYTES);
}

static enum err check_levels(const struct catalogue *c, struct catalogue_place *place,
                             struct errmsg *msg)
{
    if (c->level_count == 0 || c->level_count > LEVELS_MAX) {
        return err_fail(msg, ERR_INVALID, "levels: 1 to %d are wanted, from the top down",
                        LEVELS_MAX);
    }
    for (size_t i = 0; i < c->level_count; i++) {
        place->index = i;
        TRY(check_code("level", c->levels[i], msg));
        if (catalogue_level(c, c->levels[i]) != (int)i) {
            return err_fail(msg, ERR_INVALID, "level %s stands twice", c->levels[i]);
        }
    }
    return ERR_OK;
}

static enum err check_dimension(const struct catalogue *c, const struct dimension *d,
                                struct errmsg *msg)
{
    TRY(check_code("category", d->code, msg));
    if (catalogue_dimension(c, d->code) != d) {
        return err_fail(msg, ERR_INVALID, "category %s stands twice", d->code);
    }
    if (d->value_count == 0 || d->value_count > CATEGORY_VALUES_MAX) {
        return err_fail(msg, ERR_INVALID, "category %s: 1 to %d values are wanted", d->code,
                        CATEGORY_VALUES_MAX);
    }
    for (size_t j = 0; j < d->value_count; j++) {
        TRY(check_code("value", d->values[j], msg));
        for (size_t k = 0; k < j; k++) {
            if (strcmp(d->values[j], d->values[k]) == 0) {
                return err_fail(msg, ERR_INVALID, "category %s: value %s stands twice", d->code,
                                d->values[j]);
            }
        }
    }
    return ERR_OK;
}

static enum err check_measure(const struct catalogue *c, const struct measure *m,
                              struct errmsg *msg)
{
    TRY(check_code("measure", m->code, msg));
    if (catalogue_measure(c, m->code) != m) {
        return err_fail(msg, ERR_INVALID, "measure %s stands twice", m->code);
    }
    if (m->kind != MEASURE_FLOW && m->kind != MEASURE_STOCK) {
        return err_fail(msg, ERR_INVALID, "measure %s: kind is flow or stock", m->code);
    }
    if (m->decimals < 0 || m->decimals > DECIMALS_MAX) {
        return err_fail(msg, ERR_INVALID, "measure %s: decimals are 0 to %d", m->code,
                        DECIMALS_MAX);
    }
    if ((unsigned)m->frequency >= FREQUENCY_COUNT) {
        return err_fail(msg, ERR_INVALID,
                        "measure %s: frequency is day, month, quarter, half or year", m->code);
    }
    if (catalogue_level(c, m->level) < 0) {
        return err_fail(msg, ERR_INVALID, "measure %s: level \"%s\" is not among the levels",
                        m->code, m->level);
    }
    if (m->dimension_count > CATEGORY_DIMS_MAX) {
        return err_fail(msg, ERR_INVALID, "measure %s: at most %d categories", m->code,
                        CATEGORY_DIMS_MAX);
    }
    for (size_t i = 0; i < m->dimension_count; i++) {
        if (catalogue_dimension(c, m->dimensions[i]) == NULL) {
            return err_fail(msg, ERR_INVALID,
                            "measure %s: category \"%s\" is not among the categories", m->code,
                            m->dimensions[i]);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(m->dimensions[i], m->dimensions[j]) == 0) {
                return err_fail(msg, ERR_INVALID, "measure %s: category %s stands twice", m->code,
                                m->dimensions[i]);
            }
        }
    }
    return ERR_OK;
}

static enum err check_indicator(const struct catalogue *c, const struct indicator *in,
                                struct errmsg *msg)
{
    int64_t factor = 0;
    TRY(check_code("indicator", in->code, msg));
    if (catalogue_indicator(c, in->code) != in || catalogue_measure(c, in->code) != NULL) {
        return err_fail(msg, ERR_INVALID, "indicator %s: the code stands twice", in->code);
    }
    if (in->decimals < 0 || in->decimals > DECIMALS_MAX ||
        strlen(in->formula) > FORMULA_MAX_BYTES) {
        return err_fail(msg, ERR_INVALID,
                        "indicator %s: decimals are 0 to %d, the formula at most %d characters",
                        in->code, DECIMALS_MAX, FORMULA_MAX_BYTES);
    }
    if (decimal_parse(in->factor, DECIMALS_MAX, &factor, NULL) != ERR_OK || factor <= 0) {
        return err_fail(msg, ERR_INVALID,
                        "indicator %s: factor \"%.40s\" is no number above 0 and up to 1000000 "
                        "with at most %d decimals, such as 100",
                        in->code, in->factor, DECIMALS_MAX);
    }
    return ERR_OK;
}

/* First each by itself, so that a fault is told of where it stands; then with what they name. */
static enum err check_formulas(const struct catalogue *c, struct catalogue_place *at,
                               struct errmsg *msg)
{
    struct formula formula;
    at->section = SECTION_INDICATORS;
    for (int deep = 0; deep < 2; deep++) {
        for (at->index = 0; at->index < c->indicator_count; at->index++) {
            const struct indicator *in = &c->indicators[at->index];
            enum err err = deep == 0 ? formula_check(in->formula, c, msg)
                                     : formula_of_indicator(in, c, &formula, msg);
            if (err != ERR_OK) {
                return err_prefix(msg, ERR_INVALID, "indicator %s", in->code);
            }
        }
    }
    return ERR_OK;
}

/* "target of unit 42" */
static const char *target_of(const struct target *t, char out[CODE_MAX_BYTES + 32])
{
    (void)snprintf(out, CODE_MAX_BYTES + 32, "target of %s %.64s",
                   t->level[0] == '\0' ? "unit" : "level",
                   t->level[0] == '\0' ? t->unit : t->level);
    return out;
}

static enum err check_target(const struct catalogue *c, const struct target *t, struct errmsg *msg)
{
    char of[CODE_MAX_BYTES + 32];
    bool known =
        catalogue_measure(c, t->measure) != NULL || catalogue_indicator(c, t->measure) != NULL;
    if ((t->unit[0] == '\0') == (t->level[0] == '\0')) {
        return err_fail(msg, ERR_INVALID, "target of \"%.64s\": either a unit or a level is wanted",
                        t->measure);
    }
    if (t->level[0] == '\0') {
        TRY(check_code("target's unit", t->unit, msg));
    } else if (catalogue_level(c, t->level) < 0) {
        return err_fail(msg, ERR_INVALID, "target of level \"%.64s\": it is not among the levels",
                        t->level);
    }
    if (decimal_check(t->value, msg) != ERR_OK) {
        return err_prefix(msg, ERR_INVALID, "%s", target_of(t, of));
    }
    if (!known) {
        return err_fail(msg, ERR_INVALID, "%s: measure \"%.64s\" is not in the catalogue",
                        target_of(t, of), t->measure);
    }
    bool period = (unsigned)t->period.frequency < FREQUENCY_COUNT &&
                  period_index_valid(t->period.frequency, t->period.index);
    return period ? ERR_OK
                  : err_fail(msg, ERR_INVALID, "%s: its period is not one", target_of(t, of));
}

/* Whether it can be reached at all: earlier releases did not ask. */
static enum err check_target_fits(const struct catalogue *c, const struct target *t,
                                  struct errmsg *msg)
{
    char of[CODE_MAX_BYTES + 32];
    const struct measure *measure = catalogue_measure(c, t->measure);
    const struct indicator *indicator = catalogue_indicator(c, t->measure);
    struct formula formula;
    int64_t value;
    if (measure == NULL && formula_of_indicator(indicator, c, &formula, msg) != ERR_OK) {
        return ERR_INVALID;
    }
    enum frequency kept = measure != NULL ? measure->frequency : formula_frequency(&formula, c);
    int decimals = measure != NULL ? measure->decimals : indicator->decimals;
    if (t->period.frequency > kept) {
        char period[PERIOD_TEXT_BYTES];
        period_format(t->period, period);
        return err_fail(msg, ERR_INVALID, "%s: %s is kept by the %s, and \"%s\" is finer than that",
                        target_of(t, of), t->measure, frequency_name(kept), period);
    }
    return decimal_parse(t->value, decimals, &value, msg) == ERR_OK
               ? ERR_OK
               : err_prefix(msg, ERR_INVALID, "%s", target_of(t, of));
}

static int compare_targets(const void *left, const void *right)
{
    const struct target *a = *(const struct target *const *)left;
    const struct target *b = *(const struct target *const *)right;
    int order = strcmp(a->unit, b->unit);
    order = order != 0 ? order : strcmp(a->level, b->level);
    order = order != 0 ? order : strcmp(a->measure, b->measure);
    order = order != 0 ? order : (int)a->period.frequency - (int)b->period.frequency;
    return order != 0 ? order
                      : (a->period.index > b->period.index) - (a->period.index < b->period.index);
}

/* No two for the same. */
static enum err check_targets_differ(const struct catalogue *c, struct catalogue_place *place,
                                     struct errmsg *msg)
{
    const struct target **sorted = calloc(c->target_count + 1, sizeof *sorted);
    if (sorted == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory is left to check the targets");
    }
    for (size_t i = 0; i < c->target_count; i++) {
        sorted[i] = &c->targets[i];
    }
    qsort(sorted, c->target_count, sizeof *sorted, compare_targets);
    enum err err = ERR_OK;
    for (size_t i = 1; i < c->target_count && err == ERR_OK; i++) {
        if (compare_targets(&sorted[i - 1], &sorted[i]) == 0) {
            const struct target *later = sorted[i - 1] > sorted[i] ? sorted[i - 1] : sorted[i];
            char of[CODE_MAX_BYTES + 32];
            char period[PERIOD_TEXT_BYTES];
            period_format(later->period, period);
            place->index = (size_t)(later - c->targets);
            err = err_fail(msg, ERR_INVALID, "%s: that of %s in %s stands twice",
                           target_of(later, of), later->measure, period);
        }
    }
    free(sorted);
    return err;
}

static enum err check_set(const struct catalogue *c, const struct data_set *set, struct errmsg *msg)
{
    TRY(check_code("data set", set->code, msg));
    if (catalogue_set(c, set->code) != set || catalogue_measure(c, set->code) != NULL ||
        catalogue_indicator(c, set->code) != NULL) {
        return err_fail(msg, ERR_INVALID, "data set %s: the code stands twice", set->code);
    }
    if (set->measure_count == 0 || set->measure_count > MEASURES_MAX) {
        return err_fail(msg, ERR_INVALID, "data set %s: 1 to %d measures are wanted", set->code,
                        MEASURES_MAX);
    }
    for (size_t i = 0; i < set->measure_count; i++) {
        const char *code = set->measures[i];
        if (catalogue_measure(c, code) == NULL) {
            char hint[CATALOGUE_HINT_BYTES];
            catalogue_hint(c, code, hint);
            return err_fail(msg, ERR_INVALID,
                            "data set %s: measure \"%.64s\" is not in the catalogue%s", set->code,
                            code, hint);
        }
        for (size_t j = 0; j < i; j++) {
            if (strcmp(set->measures[j], code) == 0) {
                return err_fail(msg, ERR_INVALID, "data set %s: measure \"%.64s\" stands twice",
                                set->code, code);
            }
        }
    }
    return set->deadline < 0 || set->deadline > DEADLINE_MAX_DAYS
               ? err_fail(msg, ERR_INVALID, "data set %s: the deadline is 0 to %d days", set->code,
                          DEADLINE_MAX_DAYS)
               : ERR_OK;
}

enum err catalogue_check_form(const struct catalogue *c, struct catalogue_place *place,
                              struct errmsg *msg)
{
    struct catalogue_place unasked;
    struct catalogue_place *at = place == NULL ? &unasked : place;
    *at = (struct catalogue_place){SECTION_LEVELS, 0};
    TRY(check_levels(c, at, msg));
    at->section = SECTION_CATEGORIES;
    for (at->index = 0; at->index < c->dimension_count; at->index++) {
        TRY(check_dimension(c, &c->dimensions[at->index], msg));
    }
    at->section = SECTION_MEASURES;
    for (at->index = 0; at->index < c->measure_count; at->index++) {
        TRY(check_measure(c, &c->measures[at->index], msg));
    }
    at->section = SECTION_INDICATORS;
    for (at->index = 0; at->index < c->indicator_count; at->index++) {
        TRY(check_indicator(c, &c->indicators[at->index], msg));
    }
    at->section = SECTION_TARGETS;
    for (at->index = 0; at->index < c->target_count; at->index++) {
        TRY(check_target(c, &c->targets[at->index], msg));
    }
    at->section = SECTION_SETS;
    for (at->index = 0; at->index < c->set_count; at->index++) {
        TRY(check_set(c, &c->sets[at->index], msg));
    }
    return ERR_OK;
}

enum err catalogue_check(const struct catalogue *c, struct catalogue_place *place,
                         struct errmsg *msg)
{
    struct catalogue_place unasked;
    struct catalogue_place *at = place == NULL ? &unasked : place;
    TRY(catalogue_check_form(c, at, msg));
    TRY(check_formulas(c, at, msg));
    at->section = SECTION_TARGETS;
    for (at->index = 0; at->index < c->target_count; at->index++) {
        TRY(check_target_fits(c, &c->targets[at->index], msg));
    }
    return check_targets_differ(c, at, msg);
}

#include "node/changes.h"

#include <string.h>

struct list {
    struct arena *arena;
    const char **lines;
    size_t total; /* also those for which there is no room */
    bool failed;
};

/* The line belongs to the arena; NULL is a lack of memory. */
static void add(struct list *list, const char *line)
{
    list->failed = list->failed || line == NULL;
    if (!list->failed && list->total < CHANGES_MAX) {
        list->lines[list->total] = line;
    }
    list->total++;
}

/* `sign`: '+' new, '-' gone, '~' other than before; 0 adds nothing. */
static void add_part(struct list *list, char sign, const char *what, const char *code)
{
    if (sign != 0) {
        add(list, arena_printf(list->arena, "%c %s %s", sign, what, code));
    }
}

/* ---- the parts ---- */

static void list_dimensions(struct list *list, const struct catalogue *old,
                            const struct catalogue *next)
{
    for (size_t i = 0; i < next->dimension_count; i++) {
        const struct dimension *now = &next->dimensions[i];
        const struct dimension *before = catalogue_dimension(old, now->code);
        bool same = before != NULL && catalogue_lists_equal(before->values, before->value_count,
                                                            now->values, now->value_count);
        add_part(list, before == NULL ? '+' : same ? 0 : '~', "category", now->code);
    }
    for (size_t i = 0; i < old->dimension_count; i++) {
        bool gone = catalogue_dimension(next, old->dimensions[i].code) == NULL;
        add_part(list, gone ? '-' : 0, "category", old->dimensions[i].code);
    }
}

/* What may change of a published measure. */
static bool measures_equal(const struct measure *a, const struct measure *b)
{
    return strcmp(a->name, b->name) == 0 && strcmp(a->unit, b->unit) == 0 &&
           strcmp(a->level, b->level) == 0 && a->strict == b->strict && a->kind == b->kind &&
           a->decimals == b->decimals && a->frequency == b->frequency &&
           catalogue_lists_equal(a->dimensions, a->dimension_count, b->dimensions,
                                 b->dimension_count);
}

static void list_measures(struct list *list, const struct catalogue *old,
                          const struct catalogue *next)
{
    for (size_t i = 0; i < next->measure_count; i++) {
        const struct measure *now = &next->measures[i];
        const struct measure *before = catalogue_measure(old, now->code);
        bool same = before != NULL && measures_equal(before, now);
        add_part(list, before == NULL ? '+' : same ? 0 : '~', "measure", now->code);
    }
    for (size_t i = 0; i < old->measure_count; i++) {
        bool gone = catalogue_measure(next, old->measures[i].code) == NULL;
        add_part(list, gone ? '-' : 0, "measure", old->measures[i].code);
    }
}

static void list_indicators(struct list *list, const struct catalogue *old,
                            const struct catalogue *next)
{
    for (size_t i = 0; i < next->indicator_count; i++) {
        const struct indicator *now = &next->indicators[i];
        const struct indicator *before = catalogue_indicator(old, now->code);
        bool same = before != NULL && strcmp(before->name, now->name) == 0 &&
                    strcmp(before->unit, now->unit) == 0 &&
                    strcmp(before->formula, now->formula) == 0 &&
                    strcmp(before->factor, now->factor) == 0 && before->decimals == now->decimals;
        add_part(list, before == NULL ? '+' : same ? 0 : '~', "indicator", now->code);
    }
    for (size_t i = 0; i < old->indicator_count; i++) {
        bool gone = catalogue_indicator(next, old->indicators[i].code) == NULL;
        add_part(list, gone ? '-' : 0, "indicator", old->indicators[i].code);
    }
}

static const struct target *find_target(const struct catalogue *catalogue,
                                        const struct target *wanted)
{
    for (size_t i = 0; i < catalogue->target_count; i++) {
        const struct target *target = &catalogue->targets[i];
        if (strcmp(target->unit, wanted->unit) == 0 && strcmp(target->level, wanted->level) == 0 &&
            strcmp(target->measure, wanted->measure) == 0 &&
            target->period.frequency == wanted->period.frequency &&
            target->period.index == wanted->period.index) {
            return target;
        }
    }
    return NULL;
}

static void add_target(struct list *list, char sign, const struct target *target)
{
    char period[PERIOD_TEXT_BYTES];
    period_format(target->period, period);
    add(list, arena_printf(list->arena, "%c target %s%s %s %s", sign,
                           target->level[0] == '\0' ? "" : "level=",
                           target->level[0] == '\0' ? target->unit : target->level, target->measure,
                           period));
}

static void list_targets(struct list *list, const struct catalogue *old,
                         const struct catalogue *next)
{
    for (size_t i = 0; i < next->target_count; i++) {
        const struct target *now = &next->targets[i];
        const struct target *before = find_target(old, now);
        if (before == NULL || strcmp(before->value, now->value) != 0) {
            add_target(list, before == NULL ? '+' : '~', now);
        }
    }
    for (size_t i = 0; i < old->target_count; i++) {
        if (find_target(next, &old->targets[i]) == NULL) {
            add_target(list, '-', &old->targets[i]);
        }
    }
}

static void list_sets(struct list *list, const struct catalogue *old, const struct catalogue *next)
{
    for (size_t i = 0; i < next->set_count; i++) {
        const struct data_set *now = &next->sets[i];
        const struct data_set *before = catalogue_set(old, now->code);
        bool same = before != NULL && strcmp(before->name, now->name) == 0 &&
                    before->deadline == now->deadline &&
                    catalogue_lists_equal(before->measures, before->measure_count, now->measures,
                                          now->measure_count);
        add_part(list, before == NULL ? '+' : same ? 0 : '~', "data set", now->code);
    }
    for (size_t i = 0; i < old->set_count; i++) {
        bool gone = catalogue_set(next, old->sets[i].code) == NULL;
        add_part(list, gone ? '-' : 0, "data set", old->sets[i].code);
    }
}

/* ---- all of it ---- */

/* Whether their contents are the same bytes, whatever the version. */
static bool same_bytes(struct list *list, const struct catalogue *old, const struct catalogue *next)
{
    struct catalogue renumbered = *next;
    struct buf a;
    struct buf b;
    renumbered.version = old->version;
    buf_init(&a, CATALOGUE_MAX_BYTES);
    buf_init(&b, CATALOGUE_MAX_BYTES);
    catalogue_encode(old, &a);
    catalogue_encode(&renumbered, &b);
    list->failed = list->failed || a.failed || b.failed;
    bool same = list->failed || (a.len == b.len && memcmp(a.data, b.data, a.len) == 0);
    buf_deinit(&a);
    buf_deinit(&b);
    return same;
}

enum err changes_list(const struct catalogue *old, const struct catalogue *next,
                      struct arena *arena, struct changes *out)
{
    struct list list = {.arena = arena, .lines = arena_array(arena, CHANGES_MAX, sizeof(char *))};
    list.failed = list.lines == NULL;
    if (!catalogue_lists_equal(old->levels, old->level_count, next->levels, next->level_count)) {
        add(&list, "~ levels");
    }
    list_dimensions(&list, old, next);
    list_measures(&list, old, next);
    list_indicators(&list, old, next);
    list_targets(&list, old, next);
    list_sets(&list, old, next);
    if (list.total == 0 && !same_bytes(&list, old, next)) {
        add(&list, "~ order");
    }
    if (list.total > CHANGES_MAX && !list.failed) {
        const char *more =
            arena_printf(arena, "and %zu more changes", list.total - (CHANGES_MAX - 1));
        list.lines[CHANGES_MAX - 1] = more;
        list.failed = more == NULL;
    }
    if (list.failed) {
        return ERR_NO_MEMORY;
    }
    *out = (struct changes){.lines = list.lines,
                            .count = list.total < CHANGES_MAX ? list.total : CHANGES_MAX};
    return ERR_OK;
}

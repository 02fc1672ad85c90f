/* layer: proto */
/* The model against a second way of working out the same: a scan over all entries, record by
 * record, for random histories. The seeds are new in every run and printed; TALLY_SEED=N runs one
 * again, TALLY_LONG=1 many. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "model.h"

static struct measure measures[] = {
    {.code = "raised", .kind = MEASURE_FLOW, .frequency = FREQUENCY_MONTH, .level = "commune"},
    {.code = "fund", .kind = MEASURE_STOCK, .frequency = FREQUENCY_MONTH, .level = "commune"},
    {.code = "boards", .kind = MEASURE_STOCK, .frequency = FREQUENCY_HALF, .level = "district"},
    {.code = "visits", .kind = MEASURE_FLOW, .frequency = FREQUENCY_DAY, .level = "commune"},
    {.code = "people", .kind = MEASURE_STOCK, .frequency = FREQUENCY_YEAR, .level = "commune"},
};

enum { MEASURES = sizeof measures / sizeof measures[0], MEASURES_FIRST = 3 };

static int32_t on(const char *text)
{
    int32_t day = 0;
    assert_int_equal(day_parse(text, &day, NULL), ERR_OK);
    return day;
}

static void publish(struct model *model, size_t count)
{
    struct catalogue catalogue = {.version = 1, .measures = measures, .measure_count = count};
    model_publish(model, &catalogue);
}

static void check(struct model_total total, int64_t value, int64_t entries, int64_t reported,
                  int64_t expected)
{
    assert_true(wide_fits_i64(total.value));
    assert_int_equal((int64_t)total.value, value);
    assert_int_equal(total.entries, entries);
    assert_int_equal(total.reported, reported);
    assert_int_equal(total.expected, expected);
}

/* ---- a scan over all entries ---- */

enum { PLAIN_MAX = 400, ORIGINS_MAX = 12, UNITS_MAX = 24, ROUNDS = 300, ROUNDS_LONG = 20000 };

static const char *const CATEGORIES[] = {"", "group=cadre", "group=other"};

struct plain {
    enum model_kind kind;
    int origin;
    size_t place;
    int unit;
    int measure;
    const char *category;
    int32_t day;
    int64_t value;
    size_t refers;
    int64_t nth; /* of its cell, from 1 */
};

static struct history {
    uint64_t random;
    struct model *model;
    struct plain entries[PLAIN_MAX]; /* in the order of recording */
    size_t count;
    int64_t ranks[ORIGINS_MAX];
    int origins;
    int parents[UNITS_MAX];
    const char *levels[UNITS_MAX];
    int units;
    int measures;
    bool has_view; /* of the question that is being answered */
    uint64_t view;
} h;

static uint64_t mix(uint64_t x) /* splitmix64 */
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static int below(int limit)
{
    h.random++;
    return (int)(mix(h.random) % (uint64_t)limit);
}

static int64_t view_count(int origin, int unit, const char *measure, const char *category,
                          int32_t period)
{
    uint64_t hash = mix(h.view ^ (uint64_t)(origin * 1000 + unit));
    hash = mix(hash ^ (uint64_t)period ^ (uint64_t)(measure[0] + measure[1]) << 32);
    hash = mix(hash ^ (uint64_t)(category[0] == '\0' ? 0 : category[6]));
    return hash % 7 == 6 ? INT64_MAX : (int64_t)(hash % 7) - (hash % 11 == 0);
}

static int64_t view_seen(void *ctx, const struct model_cell_key *key)
{
    (void)ctx;
    return view_count(key->origin, key->unit, key->measure, key->category, key->period);
}

static int32_t period_at(int measure, int32_t day)
{
    return period_of_day(measures[measure].frequency, day).index;
}

static bool same_cell(const struct plain *a, const struct plain *b)
{
    return a->origin == b->origin && a->unit == b->unit && a->measure == b->measure &&
           strcmp(a->category, b->category) == 0 &&
           period_at(a->measure, a->day) == period_at(b->measure, b->day);
}

static void number_entries(void)
{
    for (size_t i = 0; i < h.count; i++) {
        h.entries[i].nth = 1;
        for (size_t before = 0; before < i; before++) {
            h.entries[i].nth += same_cell(&h.entries[before], &h.entries[i]);
        }
    }
}

static int64_t cell_view(const struct plain *entry)
{
    return !h.has_view ? INT64_MAX
                       : view_count(entry->origin, entry->unit, measures[entry->measure].code,
                                    entry->category, period_at(entry->measure, entry->day));
}

/* Whether the record counts for one who has seen the first `seen` entries of its cell; its value.
 */
static bool effective(const struct plain *record, int64_t seen, int64_t *value)
{
    bool live = record->kind == MODEL_RECORD && record->nth <= seen;
    *value = record->value;
    for (const struct plain *at = record + 1; live && at < h.entries + h.count; at++) {
        if (at->kind == MODEL_RECORD || at->origin != record->origin ||
            at->refers != record->place || at->nth > seen) {
            continue;
        }
        live = at->kind != MODEL_VOID;
        *value = at->value;
    }
    return live;
}

static bool plain_within(int unit, int top)
{
    for (; unit >= 0; unit = h.parents[unit]) {
        if (unit == top) {
            return true;
        }
    }
    return false;
}

static bool knows_odd(void *ctx, int unit)
{
    (void)ctx;
    return unit % 2 == 1;
}

/* Of two live records of one unit and category, whether the first one stands. */
static bool plain_stands(const struct plain *a, const struct plain *b)
{
    int64_t left[] = {period_at(a->measure, a->day), h.ranks[a->origin], a->day, (int64_t)a->place,
                      a->origin};
    int64_t right[] = {period_at(b->measure, b->day), h.ranks[b->origin], b->day, (int64_t)b->place,
                       b->origin};
    for (size_t i = 0; i < sizeof left / sizeof left[0]; i++) {
        if (left[i] != right[i]) {
            return left[i] > right[i];
        }
    }
    return true;
}

/* Whether another live record of the unit and category stands before this one at the day. */
static bool outdone(const struct plain *record, int32_t last_day)
{
    for (size_t i = 0; i < h.count; i++) {
        const struct plain *other = &h.entries[i];
        int64_t value;
        if (other != record && other->unit == record->unit && other->day <= last_day &&
            other->measure == record->measure && strcmp(other->category, record->category) == 0 &&
            effective(other, cell_view(other), &value) && plain_stands(other, record)) {
            return true;
        }
    }
    return false;
}

static bool is_asked(const struct model_question *question, const struct plain *entry)
{
    return strcmp(measures[entry->measure].code, question->measure) == 0 &&
           (question->own_only ? entry->unit == question->unit
                               : plain_within(entry->unit, question->unit)) &&
           (question->category == NULL || strcmp(question->category, entry->category) == 0);
}

static struct model_total plain_total(const struct model_question *question, int measure)
{
    int32_t first = period_first_day(question->period);
    int32_t last = period_last_day(question->period);
    bool reported[UNITS_MAX] = {false};
    struct model_total total = {0};
    for (size_t i = 0; i < h.count; i++) {
        const struct plain *entry = &h.entries[i];
        if (!is_asked(question, entry) || entry->day > last) {
            continue;
        }
        bool inside = entry->day >= first;
        int64_t value;
        total.entries += inside && entry->nth <= cell_view(entry);
        if (!effective(entry, cell_view(entry), &value)) {
            continue;
        }
        reported[entry->unit] = reported[entry->unit] || inside;
        bool counts = measures[measure].kind == MEASURE_FLOW ? inside : !outdone(entry, last);
        total.value += counts ? value : 0;
    }
    for (int unit = 0; unit < h.units; unit++) {
        bool in_scope =
            question->own_only ? unit == question->unit : plain_within(unit, question->unit);
        if (in_scope && strcmp(h.levels[unit], measures[measure].level) == 0 &&
            (question->knows_unit == NULL || knows_odd(NULL, unit))) {
            total.expected++;
            total.reported += reported[unit];
        }
    }
    return total;
}

static struct model_cell plain_cell(const struct plain *one, int64_t count)
{
    struct model_cell cell = {.count = count};
    const struct plain *standing = NULL;
    for (size_t i = 0; i < h.count; i++) {
        const struct plain *entry = &h.entries[i];
        int64_t value;
        if (!same_cell(entry, one) || !effective(entry, count, &value)) {
            continue;
        }
        cell.live++;
        if (measures[one->measure].kind == MEASURE_FLOW) {
            cell.value += value;
        } else if (standing == NULL || plain_stands(entry, standing)) {
            standing = entry;
            cell.value = value;
            cell.day = entry->day;
        }
    }
    return cell;
}

/* ---- random histories ---- */

static void grow_tree(void)
{
    static const char *const LEVELS[] = {"province", "district", "commune"};
    int parent = -1;
    int depth = 0;
    if (h.units > 0) {
        parent = below(h.units);
        for (int up = parent; up >= 0; up = h.parents[up]) {
            depth++;
        }
    }
    char code[16];
    (void)snprintf(code, sizeof code, "u%d", h.units);
    h.parents[h.units] = parent;
    h.levels[h.units] = LEVELS[depth > 2 ? 2 : depth];
    assert_int_equal(model_unit_add(h.model, code, h.levels[h.units], parent), h.units);
    h.units++;
}

static void grow_origins(void)
{
    h.ranks[h.origins] = below(5);
    assert_int_equal(model_origin_add(h.model, h.ranks[h.origins]), h.origins);
    h.origins++;
}

static void grow_branch(void)
{
    int from = below(h.origins);
    size_t length = model_ledger_length(h.model, from);
    size_t entries = (size_t)below((int)length + 1);
    if (h.count + entries > PLAIN_MAX) {
        return;
    }
    h.ranks[h.origins] = h.ranks[from];
    assert_int_equal(model_origin_branch(h.model, from, entries), h.origins);
    for (size_t i = 0, end = h.count; i < end; i++) {
        if (h.entries[i].origin == from && h.entries[i].place < entries) {
            h.entries[h.count] = h.entries[i];
            h.entries[h.count++].origin = h.origins;
        }
    }
    h.origins++;
}

static void cut_ledger(void)
{
    int origin = below(h.origins);
    size_t length = model_ledger_length(h.model, origin);
    length -= (size_t)below((int)(length < 6 ? length : 6) + 1);
    model_ledger_cut(h.model, origin, length);
    size_t kept = 0;
    for (size_t i = 0; i < h.count; i++) {
        if (h.entries[i].origin != origin || h.entries[i].place < length) {
            h.entries[kept++] = h.entries[i];
        }
    }
    h.count = kept;
}

static void add_entry(void)
{
    if (h.count == PLAIN_MAX) {
        return;
    }
    struct plain *entry = &h.entries[h.count];
    *entry = (struct plain){.kind = MODEL_RECORD,
                            .origin = below(h.origins),
                            .unit = below(h.units),
                            .measure = below(h.measures),
                            .category = CATEGORIES[below(3)],
                            .day = on("2022-11-20") + below(500),
                            .value = (int64_t)below(2000) - 600};
    if (h.count > 0 && below(2) == 0) { /* near another one: the same cell, or the same series */
        const struct plain *other = &h.entries[below((int)h.count)];
        entry->unit = other->unit;
        entry->measure = other->measure;
        entry->category = other->category;
        entry->day = other->day + below(4) - 1;
        entry->origin = below(2) == 0 ? other->origin : entry->origin;
    } else if (h.count > 0 && below(2) == 0) {
        const struct plain *other = &h.entries[below((int)h.count)];
        int64_t value;
        if (effective(other, INT64_MAX, &value)) {
            entry->kind = below(3) == 0 ? MODEL_VOID : MODEL_AMEND;
            entry->origin = other->origin;
            entry->unit = other->unit;
            entry->measure = other->measure;
            entry->category = other->category;
            entry->day = other->day;
            entry->refers = other->place;
        }
    }
    struct model_entry offered = {.kind = entry->kind,
                                  .origin = entry->origin,
                                  .unit = entry->unit,
                                  .measure = measures[entry->measure].code,
                                  .category = entry->category,
                                  .day = entry->day,
                                  .value = entry->value,
                                  .refers = entry->refers};
    if (entry->kind != MODEL_RECORD) { /* these are taken from the record */
        offered = (struct model_entry){.kind = entry->kind,
                                       .origin = entry->origin,
                                       .value = entry->value,
                                       .refers = entry->refers};
    }
    entry->place = model_ledger_length(h.model, entry->origin);
    assert_int_equal(model_entry_add(h.model, &offered), entry->place);
    h.count++;
}

static void step(void)
{
    int dice = below(100);
    if (dice < 4 && h.units < UNITS_MAX) {
        grow_tree();
    } else if (dice < 6 && h.origins < ORIGINS_MAX) {
        grow_origins();
    } else if (dice < 7 && h.origins < ORIGINS_MAX) {
        grow_branch();
    } else if (dice < 10) {
        cut_ledger();
    } else if (dice == 10 && h.measures < MEASURES) {
        h.measures = MEASURES;
        publish(h.model, MEASURES);
    } else {
        add_entry();
    }
}

static void check_plain_cells(void)
{
    for (size_t i = 0; i < h.count; i++) {
        const struct plain *one = &h.entries[i];
        struct model_cell_key key = {one->origin, one->unit, measures[one->measure].code,
                                     one->category, period_at(one->measure, one->day)};
        struct model_cell want = plain_cell(one, one->nth);
        struct model_cell is;
        assert_true(model_cell_at(h.model, &key, one->nth, &is));
        assert_int_equal(is.value, want.value);
        assert_int_equal(is.live, want.live);
        assert_int_equal(is.count, one->nth);
        assert_int_equal(is.day, want.day);
    }
}

struct listing {
    size_t at; /* first entries of cells are looked for by origin and place */
    int origin;
    int64_t entries;
};

/* The cells come by origin, and by their first entries in its ledger. */
static void check_listed(void *ctx, const struct model_cell_key *key, int64_t count)
{
    struct listing *listing = ctx;
    for (;; listing->at++) {
        if (listing->at == h.count) {
            listing->at = 0;
            listing->origin++;
            assert_true(listing->origin < h.origins);
        }
        if (h.entries[listing->at].origin == listing->origin && h.entries[listing->at].nth == 1) {
            break;
        }
    }
    const struct plain *first = &h.entries[listing->at++];
    assert_int_equal(key->origin, first->origin);
    assert_int_equal(key->unit, first->unit);
    assert_string_equal(key->measure, measures[first->measure].code);
    assert_string_equal(key->category, first->category);
    assert_int_equal(key->period, period_at(first->measure, first->day));
    int64_t all = 0;
    for (size_t i = 0; i < h.count; i++) {
        all += same_cell(&h.entries[i], first);
    }
    assert_int_equal(count, all);
    assert_int_equal(model_cell_count(h.model, key), all);
    struct model_cell cell;
    assert_false(model_cell_at(h.model, key, all + 1, &cell));
    listing->entries += count;
}

static void check_plain_totals(void)
{
    for (int i = 0; i < 40; i++) {
        int measure = below(h.measures);
        enum frequency frequency = (enum frequency)below((int)measures[measure].frequency + 1);
        struct model_question question = {
            .unit = below(3) == 0 ? 0 : below(h.units),
            .measure = measures[measure].code,
            .period = period_of_day(frequency, on("2022-11-01") + below(560)),
            .category = below(2) == 0 ? NULL : CATEGORIES[below(3)],
            .own_only = below(4) == 0,
            .knows_unit = below(3) == 0 ? knows_odd : NULL};
        struct model_view view = {view_seen, NULL};
        h.has_view = below(2) == 0;
        h.view = h.random;
        struct model_total want = plain_total(&question, measure);
        check(model_total(h.model, &question, h.has_view ? &view : NULL), (int64_t)want.value,
              want.entries, want.reported, want.expected);
    }
}

static uint64_t running; /* the seed; 0 when none is */

static void run_seed(uint64_t seed)
{
    running = seed;
    h = (struct history){.random = mix(seed), .model = model_new(), .measures = MEASURES_FIRST};
    publish(h.model, MEASURES_FIRST);
    grow_tree();
    grow_tree();
    grow_origins();
    int steps = 20 + below(380);
    for (int i = 1; i <= steps; i++) {
        step();
        if (i % 60 == 0 || i == steps) {
            number_entries();
            check_plain_cells();
            struct listing listing = {0};
            model_cells(h.model, check_listed, &listing);
            assert_int_equal(listing.entries, h.count);
            check_plain_totals();
        }
    }
    model_free(h.model);
    running = 0;
}

static int say_seed(void **state)
{
    (void)state;
    if (running != 0) {
        print_message("failed with TALLY_SEED=%llu\n", (unsigned long long)running);
        model_free(h.model);
    }
    return 0;
}

static void test_random_histories(void **state)
{
    (void)state;
    const char *one = getenv("TALLY_SEED");
    const char *is_long = getenv("TALLY_LONG");
    if (one != NULL) {
        run_seed(strtoull(one, NULL, 10));
        return;
    }
    uint64_t base = (uint64_t)time(NULL) * 100000;
    int rounds = is_long != NULL && strcmp(is_long, "1") == 0 ? ROUNDS_LONG : ROUNDS;
    print_message("seeds from %llu, %d of them\n", (unsigned long long)base, rounds);
    for (int i = 0; i < rounds; i++) {
        run_seed(base + (uint64_t)i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(test_random_histories, say_seed)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

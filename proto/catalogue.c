/* Form 2: behind version and levels the sections in their order, each a count and as many items,
 * each item a length and its fields. Fields that are missing at the end of an item have their
 * defaults, so that what was written before they came can be read. Form 1 has no lengths, and none
 * of what has a default in form 2; it is written while nothing needs more, so that nodes of earlier
 * releases can read it. */
#include "proto/catalogue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "proto/decimal.h"
#include "proto/formula.h"

enum {
    FORM_BARE = 1,
    FORM_LONG = 2,
    INDICATORS_MAX = 4096,
    TARGETS_MAX = 20000,
    DIMENSIONS_MAX = 256
};

static void put_list(struct buf *out, const char **list, size_t count)
{
    buf_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(out, list[i]);
    }
}

/* What is written behind an item's length; the length is put in when it is known. */
struct item {
    struct buf *out;
    size_t at;
    bool bare;
};

static struct item begin_item(struct buf *out, bool bare)
{
    struct item item = {out, out->len, bare};
    if (!bare) {
        buf_put_u32(out, 0);
    }
    return item;
}

static void end_item(const struct item *item)
{
    struct buf *out = item->out;
    if (item->bare || out->failed) {
        return;
    }
    uint32_t len = (uint32_t)(out->len - item->at - sizeof len);
    for (size_t i = 0; i < sizeof len; i++) { /* as buf_put_u32 writes it */
        out->data[item->at + i] = (uint8_t)(len >> (24 - 8 * i));
    }
}

static void put_measure(struct buf *out, const struct measure *m, bool bare)
{
    struct item item = begin_item(out, bare);
    buf_put_str(out, m->code);
    buf_put_str(out, m->name);
    buf_put_str(out, m->unit);
    buf_put_u8(out, (uint8_t)m->kind);
    buf_put_u8(out, (uint8_t)m->decimals);
    buf_put_u8(out, (uint8_t)m->frequency);
    buf_put_str(out, m->level);
    buf_put_u8(out, m->strict ? 1 : 0);
    put_list(out, m->dimensions, m->dimension_count);
    end_item(&item);
}

static void put_indicator(struct buf *out, const struct indicator *in, bool bare)
{
    struct item item = begin_item(out, bare);
    buf_put_str(out, in->code);
    buf_put_str(out, in->name);
    buf_put_str(out, in->unit);
    buf_put_str(out, in->formula);
    buf_put_u8(out, (uint8_t)in->decimals);
    if (!bare) {
        buf_put_str(out, in->factor);
    }
    end_item(&item);
}

static void put_target(struct buf *out, const struct target *t, bool bare)
{
    struct item item = begin_item(out, bare);
    buf_put_str(out, t->unit);
    buf_put_str(out, t->measure);
    buf_put_u8(out, (uint8_t)t->period.frequency);
    buf_put_i64(out, t->period.index);
    buf_put_str(out, t->value);
    if (!bare) {
        buf_put_str(out, t->level);
    }
    end_item(&item);
}

/* Whether form 1 says all of it. */
static bool is_bare(const struct catalogue *c)
{
    bool bare = true;
    for (size_t i = 0; i < c->indicator_count && bare; i++) {
        bare = strcmp(c->indicators[i].factor, "1") == 0;
    }
    for (size_t i = 0; i < c->target_count && bare; i++) {
        bare = c->targets[i].level[0] == '\0';
    }
    return bare;
}

void catalogue_encode(const struct catalogue *c, struct buf *out)
{
    bool bare = is_bare(c);
    buf_put_u8(out, bare ? FORM_BARE : FORM_LONG);
    buf_put_u64(out, c->version);
    put_list(out, c->levels, c->level_count);
    buf_put_u32(out, (uint32_t)c->dimension_count);
    for (size_t i = 0; i < c->dimension_count; i++) {
        struct item item = begin_item(out, bare);
        buf_put_str(out, c->dimensions[i].code);
        put_list(out, c->dimensions[i].values, c->dimensions[i].value_count);
        end_item(&item);
    }
    buf_put_u32(out, (uint32_t)c->measure_count);
    for (size_t i = 0; i < c->measure_count; i++) {
        put_measure(out, &c->measures[i], bare);
    }
    buf_put_u32(out, (uint32_t)c->indicator_count);
    for (size_t i = 0; i < c->indicator_count; i++) {
        put_indicator(out, &c->indicators[i], bare);
    }
    buf_put_u32(out, (uint32_t)c->target_count);
    for (size_t i = 0; i < c->target_count; i++) {
        put_target(out, &c->targets[i], bare);
    }
}

static enum err check_form(const struct catalogue *c, struct catalogue_place *at,
                           struct errmsg *msg);

/* ---- decoding: any failure sets cur.failed ---- */

struct reader {
    struct cur cur;
    struct arena *arena;
    bool bare;      /* form 1 */
    bool no_memory; /* why it failed */
};

static void note_memory(struct reader *r, const void *memory)
{
    r->no_memory = r->no_memory || memory == NULL;
    r->cur.failed = r->cur.failed || memory == NULL;
}

static const char *take_str(struct reader *r, size_t max_bytes)
{
    struct bytes text = cur_blob(&r->cur);
    bool good = !r->cur.failed && text.len <= max_bytes &&
                text_is_clean((const char *)text.data, text.len, false);
    const char *copy = NULL;
    r->cur.failed = !good;
    if (good) {
        copy = arena_strn(r->arena, (const char *)text.data, text.len);
        note_memory(r, copy);
    }
    return copy == NULL ? "" : copy;
}

static bool take_bool(struct reader *r)
{
    uint8_t v = cur_u8(&r->cur);
    r->cur.failed = r->cur.failed || v > 1;
    return v == 1;
}

static size_t take_count(struct reader *r, size_t max)
{
    size_t n = cur_u32(&r->cur);
    if (n > max) {
        r->cur.failed = true;
    }
    return r->cur.failed ? 0 : n;
}

static void *take_array(struct reader *r, size_t count, size_t size)
{
    void *array = arena_array(r->arena, count, size);
    note_memory(r, array);
    return array;
}

static const char **take_list(struct reader *r, size_t max, size_t max_bytes, size_t *count)
{
    size_t n = take_count(r, max);
    const char **list = take_array(r, n, sizeof *list);
    for (size_t i = 0; i < n && !r->cur.failed; i++) {
        list[i] = take_str(r, max_bytes);
    }
    *count = n;
    return list;
}

/* The reader of one item; what comes after it is read on with the outer one. */
static struct reader item_begin(struct reader *r)
{
    struct reader item = *r;
    if (!r->bare) {
        struct bytes bytes = cur_blob(&r->cur);
        item.cur = cur_over(bytes.data, bytes.len);
        item.cur.failed = r->cur.failed;
    }
    return item;
}

static void item_end(struct reader *r, const struct reader *item)
{
    r->no_memory = item->no_memory;
    if (r->bare) {
        r->cur = item->cur;
    } else {
        r->cur.failed = r->cur.failed || !cur_done(&item->cur);
    }
}

/* Whether an item of form 2 goes on with a field that came later. */
static bool goes_on(const struct reader *item)
{
    return !item->bare && !item->cur.failed && !cur_done(&item->cur);
}

static void take_dimension(struct reader *r, struct dimension *d)
{
    d->code = take_str(r, CODE_MAX_BYTES);
    d->values = take_list(r, CATEGORY_VALUES_MAX, CODE_MAX_BYTES, &d->value_count);
}

static void take_measure(struct reader *r, struct measure *m)
{
    m->code = take_str(r, CODE_MAX_BYTES);
    m->name = take_str(r, NAME_MAX_BYTES);
    m->unit = take_str(r, NAME_MAX_BYTES);
    m->kind = (enum measure_kind)cur_u8(&r->cur);
    m->decimals = cur_u8(&r->cur);
    m->frequency = (enum frequency)cur_u8(&r->cur);
    m->level = take_str(r, CODE_MAX_BYTES);
    m->strict = take_bool(r);
    m->dimensions = take_list(r, CATEGORY_DIMS_MAX, CODE_MAX_BYTES, &m->dimension_count);
}

static void take_indicator(struct reader *r, struct indicator *in)
{
    in->code = take_str(r, CODE_MAX_BYTES);
    in->name = take_str(r, NAME_MAX_BYTES);
    in->unit = take_str(r, NAME_MAX_BYTES);
    in->formula = take_str(r, FORMULA_MAX_BYTES);
    in->decimals = cur_u8(&r->cur);
    in->factor = goes_on(r) ? take_str(r, VALUE_TEXT_MAX_BYTES) : "1";
}

static void take_target(struct reader *r, struct target *t)
{
    t->unit = take_str(r, CODE_MAX_BYTES);
    t->measure = take_str(r, CODE_MAX_BYTES);
    t->period.frequency = (enum frequency)cur_u8(&r->cur);
    t->period.index = cur_i32(&r->cur);
    t->value = take_str(r, VALUE_TEXT_MAX_BYTES);
    t->level = goes_on(r) ? take_str(r, CODE_MAX_BYTES) : "";
}

/* The items of one section, each of `type`. */
#define TAKE_SECTION(r, type, max, take, list, count)                 \
    do {                                                              \
        (count) = take_count((r), (max));                             \
        (list) = take_array((r), (count), sizeof(type));              \
        for (size_t at = 0; at < (count) && !(r)->cur.failed; at++) { \
            struct reader item = item_begin(r);                       \
            take(&item, &(list)[at]);                                 \
            item_end((r), &item);                                     \
        }                                                             \
    } while (0)

static void take_sections(struct reader *r, struct catalogue *c)
{
    TAKE_SECTION(r, struct dimension, DIMENSIONS_MAX, take_dimension, c->dimensions,
                 c->dimension_count);
    TAKE_SECTION(r, struct measure, MEASURES_MAX, take_measure, c->measures, c->measure_count);
    TAKE_SECTION(r, struct indicator, INDICATORS_MAX, take_indicator, c->indicators,
                 c->indicator_count);
    TAKE_SECTION(r, struct target, TARGETS_MAX, take_target, c->targets, c->target_count);
}

enum err catalogue_decode(struct bytes bytes, struct arena *arena, struct catalogue *out,
                          struct errmsg *msg)
{
    struct reader r = {.cur = cur_over(bytes.data, bytes.len), .arena = arena};
    struct catalogue c = {.version = 0};
    uint8_t form = bytes.len > CATALOGUE_MAX_BYTES ? 0 : cur_u8(&r.cur);
    if (r.cur.failed || (form != FORM_BARE && form != FORM_LONG)) {
        return err_fail(msg, ERR_INVALID, "the catalogue is not of a form that this program knows");
    }
    r.bare = form == FORM_BARE;
    c.version = cur_u64(&r.cur);
    c.levels = take_list(&r, LEVELS_MAX, CODE_MAX_BYTES, &c.level_count);
    take_sections(&r, &c);
    if (r.no_memory) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory is left to read the catalogue");
    }
    if (!cur_done(&r.cur)) {
        return err_fail(msg, ERR_INVALID,
                        "the catalogue is cut short or has texts that are too long");
    }
    struct catalogue_place place;
    TRY(check_form(&c, &place, msg));
    *out = c;
    return ERR_OK;
}

/* ---- checking ---- */

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

/* What every catalogue that was ever published keeps to. */
static enum err check_form(const struct catalogue *c, struct catalogue_place *at,
                           struct errmsg *msg)
{
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
    return ERR_OK;
}

enum err catalogue_check(const struct catalogue *c, struct catalogue_place *place,
                         struct errmsg *msg)
{
    struct catalogue_place unasked;
    struct catalogue_place *at = place == NULL ? &unasked : place;
    TRY(check_form(c, at, msg));
    TRY(check_formulas(c, at, msg));
    at->section = SECTION_TARGETS;
    for (at->index = 0; at->index < c->target_count; at->index++) {
        TRY(check_target_fits(c, &c->targets[at->index], msg));
    }
    return check_targets_differ(c, at, msg);
}

/* Form 2: behind version and levels the sections in their order, each a count and as many items,
 * each item a length and its fields. Fields that are missing at the end of an item have their
 * defaults, so that what was written before they came can be read. Form 3 is form 2 and more: a
 * number, and that many sections behind the targets, the last of them not empty. Form 1 has no
 * lengths, and none of what has a default in form 2; it is written while nothing needs more, so
 * that nodes of earlier releases can read it. */
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
    FORM_MORE = 3,
    MORE_SECTIONS = 1, /* data sets */
    INDICATORS_MAX = 4096,
    TARGETS_MAX = 20000,
    DIMENSIONS_MAX = 256,
    DATA_SETS_MAX = 256
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

static void put_set(struct buf *out, const struct data_set *set)
{
    struct item item = begin_item(out, false);
    buf_put_str(out, set->code);
    buf_put_str(out, set->name);
    put_list(out, set->measures, set->measure_count);
    buf_put_u32(out, (uint32_t)set->deadline);
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
    bool more = c->set_count > 0;
    bool bare = !more && is_bare(c);
    buf_put_u8(out, more ? FORM_MORE : bare ? FORM_BARE : FORM_LONG);
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
    if (more) {
        buf_put_u8(out, MORE_SECTIONS);
        buf_put_u32(out, (uint32_t)c->set_count);
    }
    for (size_t i = 0; i < c->set_count; i++) {
        put_set(out, &c->sets[i]);
    }
}

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

static void take_set(struct reader *r, struct data_set *set)
{
    set->code = take_str(r, CODE_MAX_BYTES);
    set->name = take_str(r, NAME_MAX_BYTES);
    set->measures = take_list(r, MEASURES_MAX, CODE_MAX_BYTES, &set->measure_count);
    set->deadline = (int)take_count(r, DEADLINE_MAX_DAYS);
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

static void take_sections(struct reader *r, uint8_t form, struct catalogue *c)
{
    TAKE_SECTION(r, struct dimension, DIMENSIONS_MAX, take_dimension, c->dimensions,
                 c->dimension_count);
    TAKE_SECTION(r, struct measure, MEASURES_MAX, take_measure, c->measures, c->measure_count);
    TAKE_SECTION(r, struct indicator, INDICATORS_MAX, take_indicator, c->indicators,
                 c->indicator_count);
    TAKE_SECTION(r, struct target, TARGETS_MAX, take_target, c->targets, c->target_count);
    if (form == FORM_MORE) {
        uint8_t more = cur_u8(&r->cur);
        r->cur.failed = r->cur.failed || more != MORE_SECTIONS;
        TAKE_SECTION(r, struct data_set, DATA_SETS_MAX, take_set, c->sets, c->set_count);
        r->cur.failed = r->cur.failed || c->set_count == 0;
    }
}

enum err catalogue_decode(struct bytes bytes, struct arena *arena, struct catalogue *out,
                          struct errmsg *msg)
{
    struct reader r = {.cur = cur_over(bytes.data, bytes.len), .arena = arena};
    struct catalogue c = {.version = 0};
    uint8_t form = bytes.len > CATALOGUE_MAX_BYTES ? 0 : cur_u8(&r.cur);
    if (r.cur.failed || form < FORM_BARE || form > FORM_MORE) {
        return err_fail(msg, ERR_INVALID, "the catalogue is not of a form that this program knows");
    }
    r.bare = form == FORM_BARE;
    c.version = cur_u64(&r.cur);
    c.levels = take_list(&r, LEVELS_MAX, CODE_MAX_BYTES, &c.level_count);
    take_sections(&r, form, &c);
    if (r.no_memory) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory is left to read the catalogue");
    }
    if (!cur_done(&r.cur)) {
        return err_fail(msg, ERR_INVALID,
                        "the catalogue is cut short or has texts that are too long");
    }
    TRY(catalogue_check_form(&c, NULL, msg));
    *out = c;
    return ERR_OK;
}

#include "proto/catalogue.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proto/decimal.h"

enum { FORM_CATALOGUE = 1, INDICATORS_MAX = 4096, TARGETS_MAX = 20000, DIMENSIONS_MAX = 256 };

static void put_list(struct buf *out, const char **list, size_t count)
{
    buf_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(out, list[i]);
    }
}

static void put_measure(struct buf *out, const struct measure *m)
{
    buf_put_str(out, m->code);
    buf_put_str(out, m->name);
    buf_put_str(out, m->unit);
    buf_put_u8(out, (uint8_t)m->kind);
    buf_put_u8(out, (uint8_t)m->decimals);
    buf_put_u8(out, (uint8_t)m->frequency);
    buf_put_str(out, m->level);
    buf_put_u8(out, m->strict ? 1 : 0);
    put_list(out, m->dimensions, m->dimension_count);
}

void catalogue_encode(const struct catalogue *c, struct buf *out)
{
    buf_put_u8(out, FORM_CATALOGUE);
    buf_put_u64(out, c->version);
    put_list(out, c->levels, c->level_count);
    buf_put_u32(out, (uint32_t)c->dimension_count);
    for (size_t i = 0; i < c->dimension_count; i++) {
        buf_put_str(out, c->dimensions[i].code);
        put_list(out, c->dimensions[i].values, c->dimensions[i].value_count);
    }
    buf_put_u32(out, (uint32_t)c->measure_count);
    for (size_t i = 0; i < c->measure_count; i++) {
        put_measure(out, &c->measures[i]);
    }
    buf_put_u32(out, (uint32_t)c->indicator_count);
    for (size_t i = 0; i < c->indicator_count; i++) {
        buf_put_str(out, c->indicators[i].code);
        buf_put_str(out, c->indicators[i].name);
        buf_put_str(out, c->indicators[i].unit);
        buf_put_str(out, c->indicators[i].formula);
        buf_put_u8(out, (uint8_t)c->indicators[i].decimals);
    }
    buf_put_u32(out, (uint32_t)c->target_count);
    for (size_t i = 0; i < c->target_count; i++) {
        buf_put_str(out, c->targets[i].unit);
        buf_put_str(out, c->targets[i].measure);
        buf_put_u8(out, (uint8_t)c->targets[i].period.frequency);
        buf_put_i64(out, c->targets[i].period.index);
        buf_put_str(out, c->targets[i].value);
    }
}

/* ---- decoding: any failure sets cur.failed ---- */

struct reader {
    struct cur cur;
    struct arena *arena;
    bool no_memory; /* that is why */
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

static void take_rest(struct reader *r, struct catalogue *c)
{
    c->indicator_count = take_count(r, INDICATORS_MAX);
    c->indicators = take_array(r, c->indicator_count, sizeof *c->indicators);
    for (size_t i = 0; i < c->indicator_count && !r->cur.failed; i++) {
        struct indicator *in = &c->indicators[i];
        in->code = take_str(r, CODE_MAX_BYTES);
        in->name = take_str(r, NAME_MAX_BYTES);
        in->unit = take_str(r, NAME_MAX_BYTES);
        in->formula = take_str(r, FORMULA_MAX_BYTES);
        in->decimals = cur_u8(&r->cur);
    }
    c->target_count = take_count(r, TARGETS_MAX);
    c->targets = take_array(r, c->target_count, sizeof *c->targets);
    for (size_t i = 0; i < c->target_count && !r->cur.failed; i++) {
        struct target *t = &c->targets[i];
        t->unit = take_str(r, CODE_MAX_BYTES);
        t->measure = take_str(r, CODE_MAX_BYTES);
        t->period.frequency = (enum frequency)cur_u8(&r->cur);
        t->period.index = cur_i32(&r->cur);
        t->value = take_str(r, VALUE_TEXT_MAX_BYTES);
    }
}

enum err catalogue_decode(struct bytes bytes, struct arena *arena, struct catalogue *out,
                          struct errmsg *msg)
{
    struct reader r = {.cur = cur_over(bytes.data, bytes.len), .arena = arena};
    struct catalogue c = {.version = 0};
    if (bytes.len > CATALOGUE_MAX_BYTES || cur_u8(&r.cur) != FORM_CATALOGUE) {
        return err_fail(msg, ERR_INVALID, "the catalogue is not of a form that this program knows");
    }
    c.version = cur_u64(&r.cur);
    c.levels = take_list(&r, LEVELS_MAX, CODE_MAX_BYTES, &c.level_count);
    c.dimension_count = take_count(&r, DIMENSIONS_MAX);
    c.dimensions = take_array(&r, c.dimension_count, sizeof *c.dimensions);
    for (size_t i = 0; i < c.dimension_count && !r.cur.failed; i++) {
        c.dimensions[i].code = take_str(&r, CODE_MAX_BYTES);
        c.dimensions[i].values =
            take_list(&r, CATEGORY_VALUES_MAX, CODE_MAX_BYTES, &c.dimensions[i].value_count);
    }
    c.measure_count = take_count(&r, MEASURES_MAX);
    c.measures = take_array(&r, c.measure_count, sizeof *c.measures);
    for (size_t i = 0; i < c.measure_count && !r.cur.failed; i++) {
        take_measure(&r, &c.measures[i]);
    }
    take_rest(&r, &c);
    if (r.no_memory) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory is left to read the catalogue");
    }
    if (!cur_done(&r.cur)) {
        return err_fail(msg, ERR_INVALID,
                        "the catalogue is cut short or has texts that are too long");
    }
    TRY(catalogue_check(&c, msg));
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

static enum err check_levels(const struct catalogue *c, struct errmsg *msg)
{
    if (c->level_count == 0 || c->level_count > LEVELS_MAX) {
        return err_fail(msg, ERR_INVALID, "levels: 1 to %d are wanted, from the top down",
                        LEVELS_MAX);
    }
    for (size_t i = 0; i < c->level_count; i++) {
        TRY(check_code("level", c->levels[i], msg));
        if (catalogue_level(c, c->levels[i]) != (int)i) {
            return err_fail(msg, ERR_INVALID, "level %s stands twice", c->levels[i]);
        }
    }
    return ERR_OK;
}

static enum err check_dimensions(const struct catalogue *c, struct errmsg *msg)
{
    for (size_t i = 0; i < c->dimension_count; i++) {
        const struct dimension *d = &c->dimensions[i];
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

static enum err check_rest(const struct catalogue *c, struct errmsg *msg)
{
    for (size_t i = 0; i < c->indicator_count; i++) {
        const struct indicator *in = &c->indicators[i];
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
    }
    for (size_t i = 0; i < c->target_count; i++) {
        const struct target *t = &c->targets[i];
        bool known =
            catalogue_measure(c, t->measure) != NULL || catalogue_indicator(c, t->measure) != NULL;
        TRY(check_code("target's unit", t->unit, msg));
        if (decimal_check(t->value, msg) != ERR_OK) {
            return err_prefix(msg, ERR_INVALID, "target of unit %s", t->unit);
        }
        if (!known || (unsigned)t->period.frequency >= FREQUENCY_COUNT ||
            !period_index_valid(t->period.frequency, t->period.index)) {
            return err_fail(msg, ERR_INVALID, "target of unit %s: %s%s%s", t->unit,
                            known ? "its period is not one" : "measure \"", known ? "" : t->measure,
                            known ? "" : "\" is not in the catalogue");
        }
    }
    return ERR_OK;
}

enum err catalogue_check(const struct catalogue *c, struct errmsg *msg)
{
    TRY(check_levels(c, msg));
    TRY(check_dimensions(c, msg));
    for (size_t i = 0; i < c->measure_count; i++) {
        TRY(check_measure(c, &c->measures[i], msg));
    }
    return check_rest(c, msg);
}

/* ---- look-ups ---- */

const struct measure *catalogue_measure(const struct catalogue *c, const char *code)
{
    for (size_t i = 0; i < c->measure_count; i++) {
        if (strcmp(c->measures[i].code, code) == 0) {
            return &c->measures[i];
        }
    }
    return NULL;
}

const struct indicator *catalogue_indicator(const struct catalogue *c, const char *code)
{
    for (size_t i = 0; i < c->indicator_count; i++) {
        if (strcmp(c->indicators[i].code, code) == 0) {
            return &c->indicators[i];
        }
    }
    return NULL;
}

const struct dimension *catalogue_dimension(const struct catalogue *c, const char *code)
{
    for (size_t i = 0; i < c->dimension_count; i++) {
        if (strcmp(c->dimensions[i].code, code) == 0) {
            return &c->dimensions[i];
        }
    }
    return NULL;
}

int catalogue_level(const struct catalogue *c, const char *level)
{
    for (size_t i = 0; i < c->level_count; i++) {
        if (strcmp(c->levels[i], level) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* ---- categories ---- */

static enum err category_wrong(const struct catalogue *c, const struct measure *m, const char *text,
                               struct errmsg *msg)
{
    char allowed[256] = "none";
    size_t used = 0;
    for (size_t i = 0; i < m->dimension_count && used < sizeof allowed; i++) {
        const struct dimension *d = catalogue_dimension(c, m->dimensions[i]);
        int n =
            snprintf(allowed + used, sizeof allowed - used, "%s%s=", i == 0 ? "" : ",", d->code);
        used += n < 0 ? 0 : (size_t)n;
        for (size_t j = 0; j < d->value_count && used < sizeof allowed; j++) {
            n = snprintf(allowed + used, sizeof allowed - used, "%s%s", j == 0 ? "" : "|",
                         d->values[j]);
            used += n < 0 ? 0 : (size_t)n;
        }
    }
    return err_fail(msg, ERR_REFUSED, "category \"%.64s\" does not fit measure %s, which has %s",
                    text, m->code, allowed);
}

/* Finds "dim=value" of that dimension in the text; NULL when it is not there. */
static const char *find_part(const char *text, const char *dim, size_t *value_len)
{
    size_t dim_len = strlen(dim);
    for (const char *at = text; at != NULL; at = strchr(at, ','), at = at == NULL ? NULL : at + 1) {
        if (strncmp(at, dim, dim_len) == 0 && at[dim_len] == '=') {
            *value_len = strcspn(at + dim_len + 1, ",");
            return at + dim_len + 1;
        }
    }
    return NULL;
}

enum err catalogue_category(const struct catalogue *c, const struct measure *m, const char *text,
                            char out[CATEGORY_MAX_BYTES + 1], struct errmsg *msg)
{
    char ordered[CATEGORY_MAX_BYTES + 1] = "";
    size_t used = 0;
    size_t commas = 0;
    if (text[0] == '\0') {
        out[0] = '\0';
        return ERR_OK;
    }
    for (const char *at = strchr(text, ','); at != NULL; at = strchr(at + 1, ',')) {
        commas++;
    }
    bool good = m->dimension_count == commas + 1;
    for (size_t i = 0; good && i < m->dimension_count; i++) {
        const struct dimension *d = catalogue_dimension(c, m->dimensions[i]);
        size_t len = 0;
        const char *value = find_part(text, d->code, &len);
        bool known = false;
        for (size_t j = 0; value != NULL && j < d->value_count && !known; j++) {
            known = strlen(d->values[j]) == len && memcmp(d->values[j], value, len) == 0;
        }
        int n = known ? snprintf(ordered + used, sizeof ordered - used, "%s%s=%.*s",
                                 i == 0 ? "" : ",", d->code, (int)len, value)
                      : -1;
        good = n > 0 && (size_t)n < sizeof ordered - used;
        used += good ? (size_t)n : 0;
    }
    if (!good) {
        return category_wrong(c, m, text, msg);
    }
    memcpy(out, ordered, used + 1);
    return ERR_OK;
}

bool catalogue_lists_equal(const char **a, size_t a_count, const char **b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = strcmp(a[i], b[i]) == 0;
    }
    return same;
}

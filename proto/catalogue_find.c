/* Looking things up in a catalogue, and categories as people type them. */
#include <stdio.h>
#include <string.h>

#include "proto/catalogue.h"

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

const struct data_set *catalogue_set(const struct catalogue *c, const char *code)
{
    for (size_t i = 0; i < c->set_count; i++) {
        if (strcmp(c->sets[i].code, code) == 0) {
            return &c->sets[i];
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

void catalogue_hint(const struct catalogue *c, const char *code, char out[CATALOGUE_HINT_BYTES])
{
    struct nearest nearest;
    nearest_init(&nearest, code);
    for (size_t i = 0; i < c->measure_count; i++) {
        nearest_offer(&nearest, c->measures[i].code);
    }
    for (size_t i = 0; i < c->indicator_count; i++) {
        nearest_offer(&nearest, c->indicators[i].code);
    }
    nearest_format(&nearest, out, CATALOGUE_HINT_BYTES);
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

const char *catalogue_category_part(const char *text, const char *dim, size_t *value_len)
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
        const char *value = catalogue_category_part(text, d->code, &len);
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

/* "sex=f" at the begin of `part`, which has `len` bytes: a dimension of the measure, and its value.
 */
static bool part_known(const struct catalogue *c, const struct measure *m, const char *part,
                       size_t len)
{
    for (size_t i = 0; i < m->dimension_count; i++) {
        const struct dimension *d = catalogue_dimension(c, m->dimensions[i]);
        size_t dim = strlen(d->code);
        bool is = len > dim && memcmp(part, d->code, dim) == 0 && part[dim] == '=';
        for (size_t j = 0; is && j < d->value_count; j++) {
            size_t value = strlen(d->values[j]);
            if (len == dim + 1 + value && memcmp(part + dim + 1, d->values[j], value) == 0) {
                return true;
            }
        }
    }
    return false;
}

enum err catalogue_category_check(const struct catalogue *c, const struct measure *m,
                                  const char *wanted, struct errmsg *msg)
{
    bool good = true;
    for (const char *at = wanted; at != NULL && good;) {
        size_t len = strcspn(at, ",");
        size_t dim = strcspn(at, "=");
        good = part_known(c, m, at, len);
        /* No dimension twice: the first one of its name is this one. */
        for (const char *before = wanted; good && before < at; before += strcspn(before, ",") + 1) {
            good = strncmp(before, at, dim + 1) != 0;
        }
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return good ? ERR_OK : category_wrong(c, m, wanted, msg);
}

bool catalogue_category_has(const char *category, const char *wanted)
{
    for (const char *at = wanted; at != NULL;) {
        char dim[CODE_MAX_BYTES + 1];
        size_t len = strcspn(at, ",");
        size_t name = strcspn(at, "=");
        size_t value_len = 0;
        if (name >= len || name > CODE_MAX_BYTES) {
            return false;
        }
        memcpy(dim, at, name);
        dim[name] = '\0';
        const char *value = catalogue_category_part(category, dim, &value_len);
        if (value == NULL || value_len != len - name - 1 ||
            memcmp(value, at + name + 1, value_len) != 0) {
            return false;
        }
        at = at[len] == ',' ? at + len + 1 : NULL;
    }
    return true;
}

bool catalogue_lists_equal(const char **a, size_t a_count, const char **b, size_t b_count)
{
    bool same = a_count == b_count;
    for (size_t i = 0; same && i < a_count; i++) {
        same = strcmp(a[i], b[i]) == 0;
    }
    return same;
}

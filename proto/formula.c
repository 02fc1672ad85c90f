#include "proto/formula.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proto/decimal.h"

enum { SHOWN_MAX_BYTES = 160, SHOWN_BYTES = SHOWN_MAX_BYTES + 8 };

/* One text being read; those of indicators that it names are read inside it. */
struct parser {
    const char *text;
    const char *at;
    const struct catalogue *catalogue;
    const struct indicator *indicator; /* whose formula it is, or NULL */
    const struct parser *outer;
    struct formula *out;
    struct errmsg *msg;
    int depth;
    bool alone; /* an indicator that is named counts as a number */
};

static enum err parse_sum(struct parser *p);

static void skip_space(struct parser *p)
{
    p->at += strspn(p->at, " \t");
}

/* A text as long as leaves room for what is said of it. */
static const char *shown(const char *text, char out[SHOWN_BYTES])
{
    size_t len = strlen(text);
    bool cut = len > SHOWN_MAX_BYTES;
    len = cut ? SHOWN_MAX_BYTES : len;
    while (cut && ((unsigned char)text[len] & 0xc0) == 0x80) {
        len--;
    }
    (void)snprintf(out, SHOWN_BYTES, "%.*s%s", (int)len, text, cut ? "..." : "");
    return out;
}

static enum err wrong(struct parser *p, const char *why)
{
    char text[SHOWN_BYTES];
    int place = 1;
    for (const char *at = p->text; at < p->at; at++) {
        place += ((unsigned char)*at & 0xc0) != 0x80 ? 1 : 0; /* characters, not bytes */
    }
    return err_fail(p->msg, ERR_REFUSED, "formula \"%s\", at character %d: %s",
                    shown(p->text, text), place, why);
}

/* The sign at this place as one of + - * /, or 0; *len: its bytes. */
static char sign_at(const char *at, size_t *len)
{
    static const struct {
        const char *text;
        char sign;
    } SIGNS[] = {{"+", '+'},        {"-", '-'},       {"*", '*'}, {"/", '/'}, {"\xe2\x88\x92", '-'},
                 {"\xc3\x97", '*'}, {"\xc3\xb7", '/'}};
    for (size_t i = 0; i < sizeof SIGNS / sizeof *SIGNS; i++) {
        *len = strlen(SIGNS[i].text);
        if (strncmp(at, SIGNS[i].text, *len) == 0) {
            return SIGNS[i].sign;
        }
    }
    return 0;
}

static enum err emit(struct parser *p, struct formula_step step)
{
    if (p->out->count == FORMULA_STEPS_MAX) {
        return wrong(p, "the formula is too long");
    }
    p->out->steps[p->out->count++] = step;
    return ERR_OK;
}

static enum err parse_constant(struct parser *p)
{
    struct formula_step step = {.op = FORMULA_CONSTANT, .constant = {0, 1}};
    bool behind = false;
    int digits = 0;
    for (; (*p->at >= '0' && *p->at <= '9') || (*p->at == '.' && !behind); p->at++) {
        if (*p->at == '.') {
            behind = true;
            continue;
        }
        step.constant.over = step.constant.over * 10 + (*p->at - '0');
        step.constant.under *= behind ? 10 : 1;
        if (++digits > 18) {
            return wrong(p, "a number of more than 18 digits");
        }
    }
    return digits == 0 ? wrong(p, "a number is wanted here") : emit(p, step);
}

/* ---- what has a code ---- */

static bool is_code_char(const char *at, bool wide_sense)
{
    size_t len;
    char c = *at;
    bool always = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || ((unsigned char)c >= 128 && sign_at(at, &len) == 0);
    return always || (wide_sense && (c == '-' || c == '.'));
}

static size_t code_length(const char *at, bool wide_sense)
{
    size_t n = 0;
    while (is_code_char(at + n, wide_sense)) {
        n++;
    }
    return n;
}

static bool is_known(const struct catalogue *catalogue, const char *code)
{
    return catalogue_measure(catalogue, code) != NULL ||
           catalogue_indicator(catalogue, code) != NULL;
}

/* The longest code of the catalogue that stands here, up to a character that no code has: codes may
 * have a - or a . in them. When there is none: what would be one without those. */
static void take_code(const struct parser *p, char out[CODE_MAX_BYTES + 1], size_t *len)
{
    size_t plain = code_length(p->at, false);
    for (size_t n = code_length(p->at, true); n > 0; n--) {
        bool ends = n <= CODE_MAX_BYTES && !is_code_char(p->at + n, false);
        if (ends) {
            memcpy(out, p->at, n);
            out[n] = '\0';
            *len = n;
        }
        if (ends && is_known(p->catalogue, out)) {
            return;
        }
    }
    *len = plain <= CODE_MAX_BYTES ? plain : 0;
    memcpy(out, p->at, *len);
    out[*len] = '\0';
}

static enum err unknown(const struct parser *p, const char *code)
{
    char hint[CATALOGUE_HINT_BYTES];
    char text[SHOWN_BYTES];
    catalogue_hint(p->catalogue, code, hint);
    return err_fail(p->msg, ERR_REFUSED, "formula \"%s\": measure %s is not in the catalogue%s",
                    shown(p->text, text), code, hint);
}

/* One dim=value behind a measure's [ . */
static enum err parse_pick(struct parser *p, const struct measure *measure,
                           struct formula_step *step)
{
    skip_space(p);
    size_t dim = strcspn(p->at, "=,] \t");
    size_t gap = strspn(p->at + dim, " \t");
    if (p->at[dim + gap] != '=') {
        return wrong(p, "a category is wanted here, as in [group=cadre]");
    }
    const char *value = p->at + dim + gap + 1;
    value += strspn(value, " \t");
    size_t len = strcspn(value, ",] \t");
    for (size_t i = 0; i < measure->dimension_count; i++) {
        const struct dimension *d = catalogue_dimension(p->catalogue, measure->dimensions[i]);
        if (d == NULL || strlen(d->code) != dim || memcmp(d->code, p->at, dim) != 0) {
            continue;
        }
        for (size_t j = 0; j < d->value_count; j++) {
            if (strlen(d->values[j]) == len && memcmp(d->values[j], value, len) == 0) {
                bool twice = step->picks[i] != 0;
                step->picks[i] = (uint16_t)(j + 1);
                step->picky = true;
                p->at = twice ? p->at : value + len;
                return twice ? wrong(p, "this category stands here for the second time") : ERR_OK;
            }
        }
    }
    char text[SHOWN_BYTES];
    return err_fail(p->msg, ERR_REFUSED, "formula \"%s\": measure %s has no category %.*s=%.*s",
                    shown(p->text, text), measure->code, (int)(dim < 64 ? dim : 64), p->at,
                    (int)(len < 64 ? len : 64), value);
}

static enum err parse_picks(struct parser *p, const struct measure *measure,
                            struct formula_step *step)
{
    do {
        p->at++; /* behind [ or , */
        TRY(parse_pick(p, measure, step));
        skip_space(p);
    } while (*p->at == ',');
    if (*p->at != ']') {
        return wrong(p, "] is wanted here");
    }
    p->at++;
    return ERR_OK;
}

/* The formula of an indicator inside another text. */
static enum err parse_indicator(struct parser *p, const struct indicator *indicator)
{
    struct parser inner = {.text = indicator->formula,
                           .at = indicator->formula,
                           .catalogue = p->catalogue,
                           .indicator = indicator,
                           .outer = p,
                           .out = p->out,
                           .msg = p->msg,
                           .depth = p->depth + 1};
    for (const struct parser *outer = p; outer != NULL; outer = outer->outer) {
        if (outer->indicator == indicator) {
            bool itself = p->indicator == indicator;
            char text[SHOWN_BYTES];
            return err_fail(p->msg, ERR_REFUSED,
                            "formula \"%s\": indicator %s names itself%s%s, and so has no value",
                            shown(p->text, text), indicator->code, itself ? "" : ", by way of ",
                            itself ? "" : p->indicator->code);
        }
    }
    if (p->alone) {
        return emit(p, (struct formula_step){.op = FORMULA_CONSTANT, .constant = {1, 1}});
    }
    if (inner.depth > FORMULA_DEPTH_MAX) {
        return wrong(p, "too deep");
    }
    struct formula_step factor = {.op = FORMULA_CONSTANT};
    int64_t billionths;
    TRY(parse_sum(&inner));
    skip_space(&inner);
    if (*inner.at != '\0') {
        return wrong(&inner, "an operator is wanted here");
    }
    TRY(decimal_parse(indicator->factor, DECIMALS_MAX, &billionths, p->msg));
    factor.constant = fraction_of(billionths, DECIMALS_MAX);
    if (factor.constant.over == factor.constant.under) {
        return ERR_OK;
    }
    TRY(emit(p, factor));
    return emit(p, (struct formula_step){.op = FORMULA_MUL});
}

static enum err parse_code(struct parser *p)
{
    char code[CODE_MAX_BYTES + 1];
    size_t n;
    take_code(p, code, &n);
    if (n == 0) {
        return wrong(p, "a measure, a number or ( is wanted here");
    }
    const struct measure *measure = catalogue_measure(p->catalogue, code);
    const struct indicator *indicator = catalogue_indicator(p->catalogue, code);
    if (measure == NULL && indicator == NULL) {
        return unknown(p, code);
    }
    p->at += n;
    if (measure == NULL) {
        return *p->at == '[' ? wrong(p, "only measures have categories, and this is an indicator")
                             : parse_indicator(p, indicator);
    }
    struct formula_step step = {.op = FORMULA_MEASURE,
                                .measure = (size_t)(measure - p->catalogue->measures)};
    if (*p->at == '[') {
        TRY(parse_picks(p, measure, &step));
    }
    return emit(p, step);
}

/* ---- expressions ---- */

/* A code may begin with a digit. */
static bool is_number(const struct parser *p)
{
    char code[CODE_MAX_BYTES + 1];
    size_t n;
    if (*p->at < '0' || *p->at > '9') {
        return false;
    }
    take_code(p, code, &n);
    return n == strspn(p->at, "0123456789") || !is_known(p->catalogue, code);
}

static enum err parse_factor(struct parser *p)
{
    size_t len;
    skip_space(p);
    if (sign_at(p->at, &len) == '-') {
        p->at += len;
        if (++p->depth > FORMULA_DEPTH_MAX) {
            return wrong(p, "too deep");
        }
        TRY(parse_factor(p));
        p->depth--;
        return emit(p, (struct formula_step){.op = FORMULA_NEGATE});
    }
    if (*p->at == '(') {
        p->at++;
        if (++p->depth > FORMULA_DEPTH_MAX) {
            return wrong(p, "too deep");
        }
        TRY(parse_sum(p));
        p->depth--;
        skip_space(p);
        if (*p->at != ')') {
            return wrong(p, ") is wanted here");
        }
        p->at++;
        return ERR_OK;
    }
    return is_number(p) ? parse_constant(p) : parse_code(p);
}

static enum err parse_product(struct parser *p)
{
    TRY(parse_factor(p));
    for (;;) {
        skip_space(p);
        size_t len;
        char op = sign_at(p->at, &len);
        if (op != '*' && op != '/') {
            return ERR_OK;
        }
        p->at += len;
        TRY(parse_factor(p));
        TRY(emit(p, (struct formula_step){.op = op == '*' ? FORMULA_MUL : FORMULA_DIV}));
    }
}

static enum err parse_sum(struct parser *p)
{
    TRY(parse_product(p));
    for (;;) {
        skip_space(p);
        size_t len;
        char op = sign_at(p->at, &len);
        if (op != '+' && op != '-') {
            return ERR_OK;
        }
        p->at += len;
        TRY(parse_product(p));
        TRY(emit(p, (struct formula_step){.op = op == '+' ? FORMULA_ADD : FORMULA_SUB}));
    }
}

enum err formula_check(const char *text, const struct catalogue *catalogue, struct errmsg *msg)
{
    struct formula formula = {.count = 0};
    struct parser p = {.text = text,
                       .at = text,
                       .catalogue = catalogue,
                       .out = &formula,
                       .msg = msg,
                       .alone = true};
    TRY(parse_sum(&p));
    skip_space(&p);
    return *p.at == '\0' ? ERR_OK : wrong(&p, "an operator is wanted here");
}

enum err formula_of_indicator(const struct indicator *indicator, const struct catalogue *catalogue,
                              struct formula *out, struct errmsg *msg)
{
    out->count = 0;
    struct parser p = {.text = "", .at = "", .catalogue = catalogue, .out = out, .msg = msg};
    return parse_indicator(&p, indicator);
}

bool formula_takes(const struct formula_step *step, const struct catalogue *catalogue,
                   const char *category)
{
    const struct measure *measure = &catalogue->measures[step->measure];
    bool takes = true;
    for (size_t i = 0; step->picky && takes && i < measure->dimension_count; i++) {
        const struct dimension *d = catalogue_dimension(catalogue, measure->dimensions[i]);
        size_t len = 0;
        const char *value = catalogue_category_part(category, measure->dimensions[i], &len);
        const char *picked = step->picks[i] == 0 ? NULL : d->values[step->picks[i] - 1];
        takes = picked == NULL ||
                (value != NULL && strlen(picked) == len && memcmp(picked, value, len) == 0);
    }
    return takes;
}

enum frequency formula_frequency(const struct formula *formula, const struct catalogue *catalogue)
{
    enum frequency coarsest = FREQUENCY_DAY;
    for (size_t i = 0; i < formula->count; i++) {
        if (formula->steps[i].op == FORMULA_MEASURE) {
            enum frequency f = catalogue->measures[formula->steps[i].measure].frequency;
            coarsest = f < coarsest ? f : coarsest;
        }
    }
    return coarsest;
}

/* ---- fractions ---- */

/* The least number of 128 bits has no opposite, so that it counts as one that does not fit. */
static bool is_least(wide v)
{
    return (uwide)v == (uwide)1 << 127;
}

static uwide magnitude(wide v)
{
    return v < 0 ? -(uwide)v : (uwide)v;
}

static void reduce(struct fraction *f)
{
    uwide a = magnitude(f->over);
    uwide b = magnitude(f->under);
    while (b != 0) {
        uwide rest = a % b;
        a = b;
        b = rest;
    }
    if (a > 1) {
        f->over /= (wide)a;
        f->under /= (wide)a;
    }
    if (f->under < 0) {
        f->over = -f->over;
        f->under = -f->under;
    }
}

static bool add(struct fraction a, struct fraction b, struct fraction *out)
{
    wide left;
    wide right;
    bool over = wide_mul_overflows(a.over, b.under, &left) ||
                wide_mul_overflows(b.over, a.under, &right) ||
                wide_add_overflows(left, right, &out->over) ||
                wide_mul_overflows(a.under, b.under, &out->under) || is_least(out->over);
    if (!over) {
        reduce(out);
    }
    return !over;
}

static bool multiply(struct fraction a, struct fraction b, struct fraction *out)
{
    bool over = wide_mul_overflows(a.over, b.over, &out->over) ||
                wide_mul_overflows(a.under, b.under, &out->under) || is_least(out->over) ||
                is_least(out->under);
    if (!over && out->under != 0) {
        reduce(out);
    }
    return !over && out->under != 0;
}

bool fraction_apply(enum formula_op op, struct fraction a, struct fraction b, struct fraction *out)
{
    switch (op) {
    case FORMULA_ADD:
        return add(a, b, out);
    case FORMULA_SUB:
        b.over = -b.over;
        return add(a, b, out);
    case FORMULA_MUL:
        return multiply(a, b, out);
    case FORMULA_DIV:
        return b.over != 0 && multiply(a, (struct fraction){b.under, b.over}, out);
    case FORMULA_MEASURE:
    case FORMULA_CONSTANT:
    case FORMULA_NEGATE:
        break;
    }
    return false;
}

struct fraction fraction_of(wide value, int decimals)
{
    struct fraction f = {value, 1};
    for (int i = 0; i < decimals; i++) {
        f.under *= 10;
    }
    reduce(&f);
    return f;
}

enum err formula_compute(const struct formula *formula, const struct catalogue *catalogue,
                         formula_value_fn value, void *ctx, bool *there, struct fraction *out)
{
    struct fraction stack[FORMULA_STEPS_MAX];
    size_t n = 0;
    *there = true;
    for (size_t i = 0; i < formula->count && *there; i++) {
        const struct formula_step *step = &formula->steps[i];
        if (step->op == FORMULA_MEASURE) {
            wide total = 0;
            TRY(value(ctx, step, there, &total));
            *there = *there && !is_least(total);
            stack[n++] = fraction_of(total, catalogue->measures[step->measure].decimals);
        } else if (step->op == FORMULA_CONSTANT) {
            stack[n++] = step->constant;
        } else if (step->op == FORMULA_NEGATE) {
            stack[n - 1].over = -stack[n - 1].over;
        } else {
            n--;
            *there = fraction_apply(step->op, stack[n - 1], stack[n], &stack[n - 1]);
        }
    }
    *out = stack[0];
    return ERR_OK;
}

bool fraction_format(const struct fraction *fraction, int decimals, char out[FRACTION_TEXT_BYTES])
{
    wide scaled = fraction->over;
    for (int i = 0; i < decimals; i++) {
        if (wide_mul_overflows(scaled, 10, &scaled)) {
            return false;
        }
    }
    uwide under = (uwide)fraction->under;
    uwide whole = magnitude(scaled) / under;
    uwide rest = magnitude(scaled) % under;
    whole += rest >= under - rest ? 1 : 0;
    if (whole >> 127 != 0) {
        return false;
    }
    wide_format(scaled < 0 ? -(wide)whole : (wide)whole, decimals, out);
    return true;
}

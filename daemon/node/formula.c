#include "node/formula.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "proto/decimal.h"

struct parser {
    const char *text;
    const char *at;
    const struct catalogue *catalogue;
    struct formula *out;
    struct errmsg *msg;
    int depth;
};

static enum err parse_sum(struct parser *p);

static void skip_space(struct parser *p)
{
    p->at += strspn(p->at, " \t");
}

static enum err wrong(struct parser *p, const char *why)
{
    return err_fail(p->msg, ERR_REFUSED, "formula \"%s\", at character %d: %s", p->text,
                    (int)(p->at - p->text) + 1, why);
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

static bool is_code_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           (unsigned char)c >= 128;
}

static enum err parse_measure(struct parser *p)
{
    char code[CODE_MAX_BYTES + 1];
    size_t n = 0;
    while (is_code_char(p->at[n])) {
        n++;
    }
    if (n == 0 || n > CODE_MAX_BYTES) {
        return wrong(p, "a measure, a number or ( is wanted here");
    }
    memcpy(code, p->at, n);
    code[n] = '\0';
    const struct measure *measure = catalogue_measure(p->catalogue, code);
    if (measure == NULL) {
        struct nearest nearest;
        char hint[NEAREST_MAX * NEAREST_NAME_BYTES + 64];
        nearest_init(&nearest, code);
        for (size_t i = 0; i < p->catalogue->measure_count; i++) {
            nearest_offer(&nearest, p->catalogue->measures[i].code);
        }
        nearest_format(&nearest, hint, sizeof hint);
        return err_fail(p->msg, ERR_REFUSED, "formula \"%s\": measure %s is not in the catalogue%s",
                        p->text, code, hint);
    }
    p->at += n;
    return emit(p, (struct formula_step){.op = FORMULA_MEASURE,
                                         .measure = (size_t)(measure - p->catalogue->measures)});
}

static enum err parse_factor(struct parser *p)
{
    skip_space(p);
    if (*p->at == '-') {
        p->at++;
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
    return *p->at >= '0' && *p->at <= '9' ? parse_constant(p) : parse_measure(p);
}

static enum err parse_product(struct parser *p)
{
    TRY(parse_factor(p));
    for (;;) {
        skip_space(p);
        char op = *p->at;
        if (op != '*' && op != '/') {
            return ERR_OK;
        }
        p->at++;
        TRY(parse_factor(p));
        TRY(emit(p, (struct formula_step){.op = op == '*' ? FORMULA_MUL : FORMULA_DIV}));
    }
}

static enum err parse_sum(struct parser *p)
{
    TRY(parse_product(p));
    for (;;) {
        skip_space(p);
        char op = *p->at;
        if (op != '+' && op != '-') {
            return ERR_OK;
        }
        p->at++;
        TRY(parse_product(p));
        TRY(emit(p, (struct formula_step){.op = op == '+' ? FORMULA_ADD : FORMULA_SUB}));
    }
}

enum err formula_parse(const char *text, const struct catalogue *catalogue, struct formula *out,
                       struct errmsg *msg)
{
    out->count = 0;
    struct parser p = {.text = text, .at = text, .catalogue = catalogue, .out = out, .msg = msg};
    TRY(parse_sum(&p));
    skip_space(&p);
    return *p.at == '\0' ? ERR_OK : wrong(&p, "an operator is wanted here");
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

static bool apply(enum formula_op op, struct fraction a, struct fraction b, struct fraction *out)
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

enum err formula_compute(const struct formula *formula, const struct catalogue *catalogue,
                         formula_value_fn value, void *ctx, bool *there, struct fraction *out)
{
    struct fraction stack[FORMULA_STEPS_MAX];
    size_t n = 0;
    *there = true;
    for (size_t i = 0; i < formula->count && *there; i++) {
        const struct formula_step *step = &formula->steps[i];
        if (step->op == FORMULA_MEASURE) {
            struct fraction f = {0, 1};
            TRY(value(ctx, step->measure, &f.over));
            *there = !is_least(f.over);
            for (int d = 0; d < catalogue->measures[step->measure].decimals; d++) {
                f.under *= 10;
            }
            reduce(&f);
            stack[n++] = f;
        } else if (step->op == FORMULA_CONSTANT) {
            stack[n++] = step->constant;
        } else if (step->op == FORMULA_NEGATE) {
            stack[n - 1].over = -stack[n - 1].over;
        } else {
            n--;
            *there = apply(step->op, stack[n - 1], stack[n], &stack[n - 1]);
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

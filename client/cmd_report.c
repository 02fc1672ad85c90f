/* tally report: a template filled in.
 *
 * 1. The template is read and checked; nothing is asked for one that is wrong.
 * 2. What it names is held against the measures that there are.
 * 3. It is written into memory, and asks for figures where they are needed (figures.c).
 * 4. When the figures are not all of one state of the node's file, once more from 2; after some
 * attempts it is printed as it is, and the exit status says "no".
 *
 * Nothing is printed unless all of it can be. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "client/checks.h"
#include "client/commands.h"
#include "client/figures.h"
#include "client/input.h"
#include "client/language.h"
#include "client/output.h"
#include "client/template.h"

enum {
    REPORT_MAX_BYTES = 64 << 20,
    TEMPLATE_ARENA_BYTES = 32 << 20,
    ATTEMPTS_MAX = 3,
    LIST_BYTES = 64 * 1024,
};

/* Where in its blocks the report is. */
struct scope {
    const char *unit;
    const char *unit_name;
    bool own; /* what the unit has itself, beside its children */
    struct period period;
    char period_text[PERIOD_TEXT_BYTES];
    const char *base; /* inside a block over units: the unit that was asked, else NULL */
    const char *level;
    enum total_by by;
    const struct missing_row *missing; /* inside a block over them, else NULL */
};

struct report {
    struct template template;
    struct figures figures;
    struct buf out;
    const char **codes;
    size_t code_count;
    struct period period;
};

/* What a field comes to. */
struct value {
    bool there;
    bool number;
    bool count; /* of things: 0 is none */
    bool signs; /* a plus is written */
    char text[LIST_BYTES];
};

/* ---- what the fields come to ---- */

static enum err placed(const struct report *report, const struct part *part, enum err err,
                       struct errmsg *msg)
{
    struct errmsg why = *msg;
    if (err == ERR_OK || err == ERR_UNREACHABLE || err == ERR_CLOSED || err == ERR_NO_MEMORY) {
        return err;
    }
    return template_fail(&report->template, part, msg, "%.400s", why.text);
}

static void value_text(struct value *out, const char *text)
{
    out->there = text[0] != '\0';
    (void)snprintf(out->text, sizeof out->text, "%s", text);
}

static void value_count(struct value *out, int64_t count)
{
    out->there = true;
    out->number = true;
    out->count = true;
    (void)snprintf(out->text, sizeof out->text, "%" PRId64, count);
}

static void stale_text(const struct rep_total *head, struct value *out)
{
    char when[OUTPUT_CELL_BYTES];
    size_t used = 0;
    out->text[0] = '\0';
    for (size_t i = 0; i < head->stale_count && used < sizeof out->text; i++) {
        const struct stale_source *stale = &head->stale[i];
        bool never = stale->exact_as_of.ms == 0;
        used += (size_t)snprintf(out->text + used, sizeof out->text - used, "%s%s%s%s%s",
                                 i == 0 ? "" : ", ", stale->unit, never ? "" : " (",
                                 output_time(stale->exact_as_of, "", when), never ? "" : ")");
    }
    out->there = out->text[0] != '\0';
}

static void lacks_text(const struct missing_row *row, struct value *out)
{
    size_t used = 0;
    out->text[0] = '\0';
    for (size_t i = 0; row != NULL && i < row->lacks_count; i++) {
        used += (size_t)snprintf(out->text + used, sizeof out->text - used, "%s%s",
                                 i == 0 ? "" : ", ", row->lacks[i]);
    }
    if (row != NULL && row->lacks_total > (int64_t)row->lacks_count) {
        (void)snprintf(out->text + used, sizeof out->text - used, ", ...");
    }
    out->there = out->text[0] != '\0';
}

static void report_value(const struct report *report, const struct scope *scope, enum field field,
                         struct value *out)
{
    char text[LANGUAGE_TEXT_BYTES];
    char when[OUTPUT_CELL_BYTES];
    const struct rep_total *head = &report->figures.head;
    switch (field) {
    case FIELD_UNIT:
        value_text(out, scope->unit);
        break;
    case FIELD_UNIT_NAME:
        value_text(out, scope->unit_name);
        break;
    case FIELD_PERIOD:
        value_text(out, language_period(scope->period_text, text));
        break;
    case FIELD_TODAY:
        value_text(out, language_day(clock_read().today, text));
        break;
    case FIELD_AS_OF:
        value_text(out, output_time(head->as_of, "", when));
        break;
    case FIELD_NODES:
        value_count(out, head->nodes);
        break;
    case FIELD_EXACT:
        value_count(out, head->exact);
        break;
    case FIELD_STALE:
        stale_text(head, out);
        break;
    case FIELD_HELD:
        value_count(out, head->held);
        break;
    case FIELD_REFUSED:
        value_count(out, head->refused);
        break;
    case FIELD_LOST:
        value_count(out, head->lost);
        break;
    default:
        lacks_text(scope->missing, out);
        break;
    }
}

static bool is_change(enum field field)
{
    return field >= FIELD_AGAINST && field <= FIELD_CHANGE_PERCENT;
}

/* The row of a field, or NULL where there is none of such a period. */
static enum err find_row(struct report *report, const struct scope *scope, const struct part *part,
                         const struct total_row **out, struct errmsg *msg)
{
    const struct figures_answer *answer;
    bool looped = scope->base != NULL && part->unit[0] == '\0';
    const char *unit = part->unit[0] != '\0' ? part->unit : scope->unit;
    const char *against = part->against[0] == '\0' ? "previous" : part->against;
    struct figures_question question = {
        .code = "",
        .category = part->category,
        .unit = looped ? scope->base : unit,
        .level = looped ? scope->level : "",
        .by = looped ? scope->by : BY_NONE,
        .period = scope->period,
        .against = is_change(part->field) ? against : "",
        .targets = part->field >= FIELD_TARGET && part->field <= FIELD_DUE,
    };
    if (part->period[0] != '\0') {
        TRY(period_parse(part->period, &question.period, msg));
    }
    if (part->category[0] != '\0' || question.period.frequency > report->period.frequency) {
        question.code = part->code; /* others may have no categories, or no such short periods */
    }
    TRY(placed(report, part, figures_ask(&report->figures, &question, &answer, msg), msg));
    *out = figures_find(answer, unit, scope->own && part->unit[0] == '\0', part->code);
    return ERR_OK;
}

static void amount(const struct total_row *row, struct value *out)
{
    char text[WIDE_TEXT_BYTES];
    if (row->indicator) {
        value_text(out, row->indicator_value);
    } else if (row->overflow) {
        value_text(out, "overflow");
    } else if (row->entries > 0) {
        wide_format(row->value, row->decimals, text);
        value_text(out, text);
    }
    out->number = true;
}

static void row_value(const struct total_row *row, enum field field, struct value *out)
{
    const char *texts[] = {
        [FIELD_NAME] = row->name,       [FIELD_COUNTED_IN] = row->counted_in,
        [FIELD_AGAINST] = row->against, [FIELD_BEFORE] = row->before,
        [FIELD_CHANGE] = row->change,   [FIELD_CHANGE_PERCENT] = row->change_percent,
        [FIELD_TARGET] = row->target,   [FIELD_REACHED] = row->reached,
        [FIELD_PERCENT] = row->percent, [FIELD_DUE] = row->due,
    };
    char period[LANGUAGE_TEXT_BYTES];
    switch (field) {
    case FIELD_TOTAL:
        amount(row, out);
        break;
    case FIELD_ENTRIES:
        value_count(out, row->entries);
        break;
    case FIELD_REPORTED:
        value_count(out, row->reported);
        break;
    case FIELD_EXPECTED:
        value_count(out, row->expected);
        break;
    case FIELD_AGAINST:
        out->number = false;
        value_text(out, row->against[0] == '\0' ? "" : language_period(row->against, period));
        break;
    case FIELD_NAME:
    case FIELD_COUNTED_IN:
        out->number = false;
        value_text(out, texts[field]);
        break;
    default:
        value_text(out, texts[field]);
        out->number = true;
        out->signs = field == FIELD_CHANGE || field == FIELD_CHANGE_PERCENT;
        break;
    }
}

static enum err subject_value(struct report *report, const struct scope *scope,
                              const struct part *part, struct value *out, struct errmsg *msg)
{
    const struct total_row *row = figures_subject(&report->figures, part->code);
    if (part->field != FIELD_NAME && part->field != FIELD_COUNTED_IN) {
        TRY(find_row(report, scope, part, &row, msg));
    }
    out->number = true;
    if (row != NULL) {
        row_value(row, part->field, out);
    }
    return ERR_OK;
}

/* Whether the field is about what a unit has itself, beside its children. */
static bool is_own(const struct scope *scope, const struct part *part)
{
    return scope->own && part->unit[0] == '\0';
}

static enum err missing_of(struct report *report, const struct scope *scope,
                           const struct part *part, const char *code,
                           const struct figures_missing **out, struct errmsg *msg)
{
    struct period period = scope->period;
    if (part->period[0] != '\0') {
        TRY(period_parse(part->period, &period, msg));
    }
    const char *unit = part->unit[0] != '\0' ? part->unit : scope->unit;
    enum err err = figures_ask_missing(&report->figures, unit, period, code, out, msg);
    return placed(report, part, err, msg);
}

static enum err value_of(struct report *report, const struct scope *scope, const struct part *part,
                         struct value *out, struct errmsg *msg)
{
    const struct figures_missing *missing;
    out->there = out->number = out->count = out->signs = false;
    out->text[0] = '\0';
    switch (part->about) {
    case ABOUT_REPORT:
        report_value(report, scope, part->field, out);
        return ERR_OK;
    case ABOUT_SUBJECT:
        return subject_value(report, scope, part, out, msg);
    case ABOUT_MISSING:
        out->number = true;
        if (is_own(scope, part)) {
            return ERR_OK; /* nobody is under that: it is with the others */
        }
        TRY(missing_of(report, scope, part, part->code, &missing, msg));
        value_count(out, missing->whole.expected - missing->whole.reported);
        return ERR_OK;
    }
    return ERR_OK;
}

/* ---- writing ---- */

static void put(struct report *report, const char *text, size_t len)
{
    buf_put(&report->out, text, len);
}

static void put_text(struct report *report, const char *text)
{
    static const struct {
        char c;
        const char *html;
    } ENTITIES[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}, {'\'', "&#39;"}};
    for (const char *at = text; *at != '\0'; at++) {
        const char *entity = NULL;
        for (size_t i = 0; report->template.html && i < sizeof ENTITIES / sizeof *ENTITIES; i++) {
            entity = *at == ENTITIES[i].c ? ENTITIES[i].html : entity;
        }
        if (report->template.markdown && strchr("\\`*_[]<>|#", *at) != NULL) {
            put(report, "\\", 1);
        }
        put(report, entity == NULL ? at : entity, entity == NULL ? 1 : strlen(entity));
    }
}

static enum err put_value(struct report *report, const struct part *part, const struct value *value,
                          struct errmsg *msg)
{
    char text[NUMBER_TEXT_BYTES];
    struct number_form form = {.shift = part->shift,
                               .digits = part->digits,
                               .shorter = part->shift > 0 && part->digits < 0,
                               .sign = value->signs};
    if (!value->number) {
        put_text(report, value->text);
        return ERR_OK;
    }
    if (!value->there || !number_is(value->text)) {
        put_text(report, value->there ? value->text : "-");
        return ERR_OK;
    }
    if (number_format(&language_now()->numbers, &form, value->text, text) != ERR_OK) {
        return template_fail(&report->template, part, msg, "the number %.70s is too long",
                             value->text);
    }
    put_text(report, text);
    return ERR_OK;
}

static enum err write_parts(struct report *report, const struct scope *scope, size_t from,
                            size_t to, struct errmsg *msg);

static bool is_nought(const char *text)
{
    return text[strspn(text, "-0.")] == '\0';
}

/* Whether the unit has, beside its children, anything of what parts from..to are about. */
static enum err has_own(struct report *report, const struct scope *scope, size_t from, size_t to,
                        bool *has, struct errmsg *msg)
{
    const struct part *parts = report->template.parts;
    for (size_t i = from; i < to && !*has; i++) {
        const struct part *part = &parts[i];
        const struct total_row *row = NULL;
        struct period_span span;
        bool fields = part->kind == PART_FIELD || part->kind == PART_IF;
        if (fields && part->about == ABOUT_SUBJECT && part->unit[0] == '\0') {
            TRY(find_row(report, scope, part, &row, msg));
            *has = row != NULL && (row->entries > 0 || !is_nought(row->before));
        }
        if (part->kind != PART_EACH) {
            continue;
        }
        for (int32_t at = 0; part->each == EACH_PERIOD && !*has; at++) {
            struct scope inner = *scope;
            TRY(period_span_parse(part->what, &span, msg));
            if (span.first + at > span.last) {
                break;
            }
            inner.period = (struct period){span.frequency, span.first + at};
            TRY(has_own(report, &inner, i + 1, part->jump, has, msg));
        }
        i = part->jump;
    }
    return ERR_OK;
}

static enum err each_unit(struct report *report, const struct scope *scope, size_t at,
                          struct errmsg *msg)
{
    const struct part *part = &report->template.parts[at];
    const struct figures_answer *answer;
    bool children = part->each == EACH_CHILD;
    struct figures_question question = {.code = "",
                                        .category = "",
                                        .unit = scope->unit,
                                        .level = children ? "" : part->what,
                                        .by = children ? BY_CHILD : BY_LEVEL,
                                        .period = report->period,
                                        .against = ""};
    if (scope->own) {
        return ERR_OK; /* nothing is under that */
    }
    TRY(placed(report, part, figures_ask(&report->figures, &question, &answer, msg), msg));
    for (size_t i = 0; i < answer->unit_count; i++) {
        const struct total_row *row = answer->units[i];
        struct scope inner = *scope;
        inner.unit = row->unit;
        inner.unit_name = row->unit_name;
        inner.own = row->own;
        inner.base = scope->unit;
        inner.by = question.by;
        inner.level = question.level;
        inner.missing = NULL;
        bool has = !row->own; /* most units above the lowest have none: no line of dashes */
        TRY(has_own(report, &inner, at + 1, has ? at : part->jump, &has, msg));
        if (!has) {
            continue;
        }
        TRY(write_parts(report, &inner, at + 1, part->jump, msg));
    }
    return ERR_OK;
}

static enum err each_period(struct report *report, const struct scope *scope, size_t at,
                            struct errmsg *msg)
{
    const struct part *part = &report->template.parts[at];
    struct period_span span;
    TRY(period_span_parse(part->what, &span, msg));
    for (int32_t i = span.first; i <= span.last; i++) {
        struct scope inner = *scope;
        inner.period = (struct period){span.frequency, i};
        period_format(inner.period, inner.period_text);
        TRY(write_parts(report, &inner, at + 1, part->jump, msg));
    }
    return ERR_OK;
}

static enum err each_missing(struct report *report, const struct scope *scope, size_t at,
                             struct errmsg *msg)
{
    const struct part *part = &report->template.parts[at];
    const struct figures_missing *missing;
    if (scope->own) {
        return ERR_OK;
    }
    TRY(missing_of(report, scope, part, part->what, &missing, msg));
    for (size_t i = 0; i < missing->count; i++) {
        struct scope inner = *scope;
        inner.unit = missing->rows[i].unit;
        inner.unit_name = missing->rows[i].unit_name;
        inner.own = false;
        inner.base = NULL;
        inner.missing = &missing->rows[i];
        TRY(write_parts(report, &inner, at + 1, part->jump, msg));
    }
    return ERR_OK;
}

static enum err write_each(struct report *report, const struct scope *scope, size_t at,
                           struct errmsg *msg)
{
    switch (report->template.parts[at].each) {
    case EACH_CHILD:
    case EACH_LEVEL:
        return each_unit(report, scope, at, msg);
    case EACH_PERIOD:
        return each_period(report, scope, at, msg);
    case EACH_MISSING:
        return each_missing(report, scope, at, msg);
    }
    return ERR_OK;
}

/* Parts from..to; blocks write their own, with blocks inside them no deeper than a template has. */
static enum err write_parts(struct report *report, const struct scope *scope, size_t from,
                            size_t to, struct errmsg *msg)
{
    static struct value value; /* too large for the stack; used up before the next */
    for (size_t i = from; i < to && !report->out.failed; i++) {
        const struct part *part = &report->template.parts[i];
        switch (part->kind) {
        case PART_TEXT:
            put(report, part->text, part->len);
            break;
        case PART_FIELD:
            TRY(value_of(report, scope, part, &value, msg));
            TRY(put_value(report, part, &value, msg));
            break;
        case PART_EACH:
            TRY(write_each(report, scope, i, msg));
            i = part->jump;
            break;
        case PART_IF:
            TRY(value_of(report, scope, part, &value, msg));
            i = value.there && !(value.count && strcmp(value.text, "0") == 0) ? i : part->jump;
            break;
        case PART_ELSE:
            i = part->jump;
            break;
        case PART_END:
            break;
        }
    }
    return report->out.failed ? err_fail(msg, ERR_LIMIT, "the report is longer than %d MiB",
                                         REPORT_MAX_BYTES >> 20)
                              : ERR_OK;
}

/* ---- the whole ---- */

static bool has_code(const struct report *report, const char *code)
{
    for (size_t i = 0; i < report->code_count; i++) {
        if (strcmp(report->codes[i], code) == 0) {
            return true;
        }
    }
    return false;
}

static enum err collect_codes(struct report *report, struct arena *arena, struct errmsg *msg)
{
    report->codes = arena_array(arena, MEASURES_ASKED_MAX, sizeof *report->codes);
    if (report->codes == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory for the template");
    }
    for (size_t i = 0; i < report->template.count; i++) {
        const struct part *part = &report->template.parts[i];
        bool fields = part->kind == PART_FIELD || part->kind == PART_IF;
        if (!fields || part->about != ABOUT_SUBJECT || has_code(report, part->code)) {
            continue;
        }
        if (report->code_count == MEASURES_ASKED_MAX) {
            return template_fail(&report->template, part, msg,
                                 "a template has up to %d measures and indicators",
                                 MEASURES_ASKED_MAX);
        }
        report->codes[report->code_count++] = part->code;
    }
    return ERR_OK;
}

static enum err check_codes(struct report *report, struct errmsg *msg)
{
    char hint[NEAREST_MAX * NEAREST_NAME_BYTES];
    for (size_t i = 0; i < report->template.count; i++) {
        const struct part *part = &report->template.parts[i];
        bool fields = part->kind == PART_FIELD || part->kind == PART_IF;
        if (!fields || part->about != ABOUT_SUBJECT) {
            continue;
        }
        const struct total_row *row = figures_subject(&report->figures, part->code);
        if (row == NULL) {
            figures_hint(&report->figures, part->code, hint, sizeof hint);
            return template_fail(&report->template, part, msg,
                                 "there is no measure or indicator \"%.70s\" that has a value for "
                                 "%s%s",
                                 part->code, report->figures.head.period, hint);
        }
        if (row->indicator && part->category[0] != '\0') {
            return template_fail(&report->template, part, msg,
                                 "%.60s is an indicator; those have no categories", part->code);
        }
        bool exact = part->field == FIELD_TARGET; /* as the catalogue has it */
        if (row->indicator && part->digits >= 0 && !exact) {
            return template_fail(&report->template, part, msg,
                                 "%.60s is an indicator, and rounded already; its decimals are in "
                                 "the catalogue",
                                 part->code);
        }
    }
    return ERR_OK;
}

static enum err attempt(struct report *report, struct client *client, struct period period,
                        struct errmsg *msg)
{
    struct scope scope = {.period = period, .level = ""};
    buf_clear(&report->out);
    report->period = period;
    TRY(figures_begin(&report->figures, client, client_word(client, 1), period, report->codes,
                      report->code_count, true, msg));
    TRY(check_codes(report, msg));
    scope.unit = report->figures.head.unit;
    scope.unit_name = report->figures.head.unit_name;
    period_format(period, scope.period_text);
    return write_parts(report, &scope, 0, report->template.count, msg);
}

static enum err make(struct report *report, struct client *client, struct arena *arena,
                     enum exit_status *out, struct errmsg *msg)
{
    struct period period = period_of_day(FREQUENCY_YEAR, clock_read().today);
    const char *path = client_word(client, 0);
    const struct options *options = &client->options;
    if (options_has(options, OPTION_JSON)) {
        return err_fail(msg, ERR_USAGE,
                        "a report is what its template makes of it; for --json use tally total");
    }
    if (options_has(options, OPTION_LANG) || language_now()->plain) {
        TRY(language_choose(
            options_has(options, OPTION_LANG) ? options_text(options, OPTION_LANG) : "en", msg));
    }
    TRY(client_word(client, 1)[0] == '\0' ? ERR_OK
                                          : checks_code("unit", client_word(client, 1), msg));
    if (options_has(options, OPTION_PERIOD)) {
        TRY(period_parse(options_text(options, OPTION_PERIOD), &period, msg));
    }
    struct buf content;
    buf_init(&content, TEMPLATE_MAX_BYTES);
    enum err err = input_read(path, &content, msg);
    err = err == ERR_OK
              ? template_read(input_name(path), buf_bytes(&content), arena, &report->template, msg)
              : err;
    buf_deinit(&content);
    TRY(err);
    TRY(collect_codes(report, arena, msg));
    bool moved = true;
    for (int i = 0; i < ATTEMPTS_MAX && moved && err == ERR_OK; i++) {
        err = attempt(report, client, period, msg);
        moved = report->figures.moved;
        figures_end(&report->figures);
    }
    *out = moved ? STATUS_NO : STATUS_DONE;
    return err;
}

enum exit_status cmd_report(struct client *client)
{
    static struct report report;
    struct errmsg msg = {""};
    struct arena arena;
    arena_init(&arena, TEMPLATE_ARENA_BYTES);
    buf_init(&report.out, REPORT_MAX_BYTES);
    enum exit_status status = STATUS_DONE;
    enum err err = make(&report, client, &arena, &status, &msg);
    if (err == ERR_OK) {
        (void)fwrite(report.out.data, 1, report.out.len, stdout);
    }
    buf_deinit(&report.out);
    arena_reset(&arena);
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    return status == STATUS_DONE
               ? STATUS_DONE
               : client_fail(status, "figures came in while this report was made, again and again: "
                                     "not all of it is of one moment; make it again");
}

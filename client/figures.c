#include "client/figures.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/asked.h"

enum { ROWS_GROW = 256 };

/* ---- copies that outlast the frame that they came in ---- */

struct copying {
    struct figures *figures;
    const struct total_row **rows;
    size_t count;
    size_t cap;
    bool first; /* the head is kept */
};

static enum err no_memory(struct errmsg *msg)
{
    return err_fail(msg, ERR_NO_MEMORY, "the figures of this report do not fit into memory");
}

/* A text that was copied last is not copied again. */
static const char *kept(struct arena *arena, const char *text, const char *last)
{
    return last != NULL && strcmp(text, last) == 0 ? last : arena_str(arena, text);
}

static const struct total_row *row_copy(struct arena *arena, const struct total_row *row,
                                        const struct total_row *last)
{
    struct total_row *out = arena_copy(arena, row, sizeof *row);
    if (out == NULL) {
        return NULL;
    }
    const char **texts[] = {
        &out->unit,           &out->unit_name, &out->measure,    &out->name,
        &out->period,         &out->category,  &out->target,     &out->target_period,
        &out->reached,        &out->percent,   &out->due,        &out->against,
        &out->before,         &out->change,    &out->counted_in, &out->change_percent,
        &out->indicator_value};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        size_t at = (size_t)((const char *)texts[i] - (const char *)out);
        const char *before = last == NULL ? NULL : *(const char *const *)((const char *)last + at);
        *texts[i] = kept(arena, *texts[i], before);
        if (*texts[i] == NULL) {
            return NULL;
        }
    }
    return out;
}

static bool rows_grow(struct copying *c)
{
    if (c->count < c->cap) {
        return true;
    }
    size_t cap = c->cap == 0 ? ROWS_GROW : c->cap * 2;
    const struct total_row **rows = arena_array(&c->figures->arena, cap, sizeof(void *));
    if (rows != NULL && c->count > 0) {
        memcpy(rows, c->rows, c->count * sizeof(void *));
    }
    c->rows = rows;
    c->cap = cap;
    return rows != NULL;
}

/* Revisions only grow: another one than the first answer's is another state. */
static void see_revision(struct figures *figures, int64_t revision)
{
    figures->moved = figures->moved || revision != figures->head.revision;
}

static enum err head_take(struct copying *c, const struct rep_total *total, struct errmsg *msg)
{
    struct figures *figures = c->figures;
    if (!c->first) {
        see_revision(figures, total->revision);
        return ERR_OK;
    }
    c->first = false;
    figures->head = *total;
    figures->head.rows = NULL;
    figures->head.row_count = 0;
    figures->head.unit = arena_str(&figures->arena, total->unit);
    figures->head.unit_name = arena_str(&figures->arena, total->unit_name);
    figures->head.period = arena_str(&figures->arena, total->period);
    struct stale_source *stale =
        arena_array(&figures->arena, total->stale_count + 1, sizeof *stale);
    if (stale == NULL || figures->head.unit == NULL || figures->head.unit_name == NULL ||
        figures->head.period == NULL) {
        return no_memory(msg);
    }
    for (size_t i = 0; i < total->stale_count; i++) {
        stale[i] = total->stale[i];
        stale[i].unit = arena_str(&figures->arena, total->stale[i].unit);
        if (stale[i].unit == NULL) {
            return no_memory(msg);
        }
    }
    figures->head.stale = stale;
    return ERR_OK;
}

static enum err on_total(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct copying *c = context;
    const struct rep_total *total = &reply->u.total;
    TRY(head_take(c, total, msg));
    for (size_t i = 0; i < total->row_count; i++) {
        if (c->figures->row_count >= FIGURES_ROWS_MAX) {
            return err_fail(msg, ERR_LIMIT, "this report needs more than %d figures",
                            FIGURES_ROWS_MAX);
        }
        const struct total_row *last = c->count == 0 ? NULL : c->rows[c->count - 1];
        const struct total_row *row = row_copy(&c->figures->arena, &total->rows[i], last);
        if (row == NULL || !rows_grow(c)) {
            return no_memory(msg);
        }
        c->rows[c->count++] = row;
        c->figures->row_count++;
    }
    return ERR_OK;
}

/* ---- an answer, in order ---- */

static int compare_place(const struct total_row *row, const char *unit, bool own,
                         const char *measure)
{
    int order = strcmp(row->unit, unit);
    order = order == 0 ? (int)row->own - (int)own : order;
    return order == 0 ? strcmp(row->measure, measure) : order;
}

static int compare_rows(const void *left, const void *right)
{
    const struct total_row *b = *(const struct total_row *const *)right;
    return compare_place(*(const struct total_row *const *)left, b->unit, b->own, b->measure);
}

static enum err answer_make(struct copying *c, struct figures_answer *out, struct errmsg *msg)
{
    out->rows = c->rows;
    out->count = c->count;
    out->units = arena_array(&c->figures->arena, c->count + 1, sizeof(void *));
    if (out->units == NULL) {
        return no_memory(msg);
    }
    for (size_t i = 0; i < c->count; i++) {
        const struct total_row *row = c->rows[i];
        const struct total_row *last =
            out->unit_count == 0 ? NULL : out->units[out->unit_count - 1];
        if (last == NULL || last->own != row->own || strcmp(last->unit, row->unit) != 0) {
            out->units[out->unit_count++] = row;
        }
    }
    if (c->count > 0) {
        qsort(out->rows, out->count, sizeof(void *), compare_rows);
    }
    return ERR_OK;
}

const struct total_row *figures_find(const struct figures_answer *answer, const char *unit,
                                     bool own, const char *measure)
{
    size_t low = 0;
    size_t high = answer->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        bool before = compare_place(answer->rows[middle], unit, own, measure) < 0;
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    bool found = low < answer->count && compare_place(answer->rows[low], unit, own, measure) == 0;
    return found ? answer->rows[low] : NULL;
}

/* ---- asking ---- */

static enum err against_set(const char *text, struct req_total *out, struct errmsg *msg)
{
    if (text[0] == '\0') {
        return ERR_OK;
    }
    bool previous = strcmp(text, "previous") == 0;
    if (previous || strcmp(text, "year") == 0) {
        out->against = previous ? AGAINST_PREVIOUS : AGAINST_YEAR_BEFORE;
        return ERR_OK;
    }
    out->against = AGAINST_PERIOD;
    return period_parse(text, &out->against_period, msg);
}

static enum err ask_total(struct copying *c, const struct figures_question *question, bool all,
                          struct errmsg *msg)
{
    struct figures *figures = c->figures;
    struct req_total total = {.unit = question->unit,
                              .level = question->level,
                              .by = question->by,
                              .has_period = true,
                              .period = question->period,
                              .tree_as_of = DAY_NONE,
                              .category = question->category,
                              .targets = question->targets};
    const char *one[] = {question->code};
    if (!all) {
        bool single = question->code[0] != '\0';
        total.measures = single ? one : figures->codes;
        total.measure_count = single ? 1 : figures->code_count;
    }
    TRY(against_set(question->against, &total, msg));
    struct msg_request request = {.type = REQUEST_TOTAL, .u.total = total};
    struct asking asking = {.on_reply = on_total, .context = c};
    return client_ask(figures->client, &request, &asking, msg);
}

static bool same_question(const struct figures_question *a, const struct figures_question *b)
{
    return a->by == b->by && a->period.frequency == b->period.frequency &&
           a->period.index == b->period.index && a->targets == b->targets &&
           strcmp(a->code, b->code) == 0 && strcmp(a->unit, b->unit) == 0 &&
           strcmp(a->level, b->level) == 0 && strcmp(a->against, b->against) == 0;
}

enum err figures_ask(struct figures *figures, const struct figures_question *question,
                     const struct figures_answer **out, struct errmsg *msg)
{
    for (size_t i = figures->answer_count; i > 0; i--) {
        if (same_question(&figures->answers[i - 1].question, question)) {
            *out = &figures->answers[i - 1];
            return ERR_OK;
        }
    }
    if (figures->answer_count == FIGURES_ANSWERS_MAX) {
        return err_fail(msg, ERR_LIMIT,
                        "this report needs more than %d questions; nest fewer blocks, or make a "
                        "report of each part",
                        FIGURES_ANSWERS_MAX);
    }
    struct copying c = {.figures = figures};
    struct figures_answer *answer = &figures->answers[figures->answer_count];
    *answer = (struct figures_answer){.question = *question};
    answer->question.unit = arena_str(&figures->arena, question->unit);
    if (answer->question.unit == NULL) {
        return no_memory(msg);
    }
    TRY(ask_total(&c, question, false, msg));
    if (question->category[0] != '\0' && c.count > 0 && c.rows[0]->category_null) {
        return err_fail(msg, ERR_REFUSED, ASKED_NO_CATEGORY);
    }
    TRY(answer_make(&c, answer, msg));
    figures->answer_count++;
    *out = answer;
    return ERR_OK;
}

/* ---- who is missing ---- */

struct missing_copying {
    struct figures *figures;
    struct figures_missing *out;
    struct missing_row *rows;
    size_t cap;
};

static enum err missing_add(struct missing_copying *c, const struct missing_row *row,
                            struct errmsg *msg)
{
    struct arena *arena = &c->figures->arena;
    struct missing_row copy = *row;
    copy.code = arena_str(arena, row->code);
    copy.name = arena_str(arena, row->name);
    copy.period = arena_str(arena, row->period);
    copy.unit = arena_str(arena, row->unit);
    copy.unit_name = arena_str(arena, row->unit_name);
    copy.lacks = arena_array(arena, row->lacks_count + 1, sizeof *copy.lacks);
    if (copy.code == NULL || copy.name == NULL || copy.period == NULL || copy.unit == NULL ||
        copy.unit_name == NULL || copy.lacks == NULL) {
        return no_memory(msg);
    }
    for (size_t i = 0; i < row->lacks_count; i++) {
        copy.lacks[i] = arena_str(arena, row->lacks[i]);
        if (copy.lacks[i] == NULL) {
            return no_memory(msg);
        }
    }
    if (row->unit[0] == '\0') {
        c->out->whole = copy;
        return ERR_OK;
    }
    if (c->out->count == c->cap) {
        size_t cap = c->cap == 0 ? ROWS_GROW : c->cap * 2;
        struct missing_row *rows = arena_array(arena, cap, sizeof *rows);
        if (rows == NULL) {
            return no_memory(msg);
        }
        if (c->out->count > 0) {
            memcpy(rows, c->rows, c->out->count * sizeof *rows);
        }
        c->rows = rows;
        c->cap = cap;
    }
    c->rows[c->out->count++] = copy;
    return ERR_OK;
}

static enum err on_missing(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct missing_copying *c = context;
    const struct rep_missing *missing = &reply->u.missing;
    see_revision(c->figures, missing->revision);
    for (size_t i = 0; i < missing->row_count; i++) {
        TRY(missing_add(c, &missing->rows[i], msg));
    }
    return ERR_OK;
}

static int compare_missing(const void *left, const void *right)
{
    return strcmp(((const struct missing_row *)left)->unit,
                  ((const struct missing_row *)right)->unit);
}

enum err figures_ask_missing(struct figures *figures, const char *unit, struct period period,
                             const char *code, const struct figures_missing **out,
                             struct errmsg *msg)
{
    for (size_t i = 0; i < figures->missing_count; i++) {
        const struct figures_missing *known = &figures->missing[i];
        if (known->period.frequency == period.frequency && known->period.index == period.index &&
            strcmp(known->unit, unit) == 0 && strcmp(known->code, code) == 0) {
            *out = known;
            return ERR_OK;
        }
    }
    if (figures->missing_count == FIGURES_ANSWERS_MAX) {
        return err_fail(msg, ERR_LIMIT,
                        "this report asks who is missing more than %d times; ask about fewer "
                        "units, or once with {{each missing CODE}}",
                        FIGURES_ANSWERS_MAX);
    }
    struct figures_missing *made = &figures->missing[figures->missing_count];
    struct missing_copying c = {.figures = figures, .out = made};
    *made = (struct figures_missing){
        .code = code, .unit = arena_str(&figures->arena, unit), .period = period};
    if (made->unit == NULL) {
        return no_memory(msg);
    }
    struct msg_request request = {
        .type = REQUEST_MISSING,
        .u.missing = {
            .unit = unit, .codes = &code, .code_count = 1, .has_period = true, .period = period}};
    struct asking asking = {.on_reply = on_missing, .context = &c};
    TRY(client_ask(figures->client, &request, &asking, msg));
    if (made->count > 0) {
        qsort(c.rows, made->count, sizeof *c.rows, compare_missing);
    }
    made->rows = c.rows;
    figures->missing_count++;
    *out = made;
    return ERR_OK;
}

/* ---- the whole ---- */

enum err figures_begin(struct figures *figures, struct client *client, const char *unit,
                       struct period period, const char **codes, size_t code_count, bool all,
                       struct errmsg *msg)
{
    struct copying c = {.figures = figures, .first = true};
    *figures = (struct figures){.client = client, .codes = codes, .code_count = code_count};
    arena_init(&figures->arena, FIGURES_ARENA_BYTES);
    figures->answers = arena_array(&figures->arena, FIGURES_ANSWERS_MAX, sizeof *figures->answers);
    figures->missing = arena_array(&figures->arena, FIGURES_ANSWERS_MAX, sizeof *figures->missing);
    if (figures->answers == NULL || figures->missing == NULL) {
        return no_memory(msg);
    }
    struct figures_answer *answer = &figures->answers[0];
    struct figures_question first = {.code = "",
                                     .category = "",
                                     .unit = unit,
                                     .level = "",
                                     .by = BY_NONE,
                                     .period = period,
                                     .against = ""};
    TRY(ask_total(&c, &first, all, msg));
    TRY(answer_make(&c, answer, msg));
    answer->question = first;
    answer->question.unit = figures->head.unit;
    figures->answer_count = 1;
    return ERR_OK;
}

void figures_end(struct figures *figures)
{
    arena_reset(&figures->arena);
}

const struct total_row *figures_subject(const struct figures *figures, const char *code)
{
    return figures_find(&figures->answers[0], figures->head.unit, false, code);
}

void figures_hint(const struct figures *figures, const char *code, char *out, size_t size)
{
    struct nearest nearest;
    nearest_init(&nearest, code);
    for (size_t i = 0; i < figures->answers[0].count; i++) {
        nearest_offer(&nearest, figures->answers[0].rows[i]->measure);
    }
    nearest_format(&nearest, out, size);
}

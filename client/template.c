#include "client/template.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

/* What may stand behind the code. What is rounded already takes no digits: rounding it again may
 * come to another number. */
enum takes {
    TAKES_NOTHING = 0,
    TAKES_CATEGORY = 1 << 0,
    TAKES_AGAINST = 1 << 1,
    TAKES_IN = 1 << 2,
    TAKES_DIGITS = 1 << 3,
};

static const struct {
    const char *name;
    enum field field;
    enum field_about about;
    unsigned takes;
} FIELDS[] = {
    {"unit", FIELD_UNIT, ABOUT_REPORT, TAKES_NOTHING},
    {"unit.name", FIELD_UNIT_NAME, ABOUT_REPORT, TAKES_NOTHING},
    {"period", FIELD_PERIOD, ABOUT_REPORT, TAKES_NOTHING},
    {"today", FIELD_TODAY, ABOUT_REPORT, TAKES_NOTHING},
    {"as_of", FIELD_AS_OF, ABOUT_REPORT, TAKES_NOTHING},
    {"nodes", FIELD_NODES, ABOUT_REPORT, TAKES_NOTHING},
    {"exact", FIELD_EXACT, ABOUT_REPORT, TAKES_NOTHING},
    {"stale", FIELD_STALE, ABOUT_REPORT, TAKES_NOTHING},
    {"held", FIELD_HELD, ABOUT_REPORT, TAKES_NOTHING},
    {"refused", FIELD_REFUSED, ABOUT_REPORT, TAKES_NOTHING},
    {"lost", FIELD_LOST, ABOUT_REPORT, TAKES_NOTHING},
    {"lacks", FIELD_LACKS, ABOUT_REPORT, TAKES_NOTHING},
    {"total", FIELD_TOTAL, ABOUT_SUBJECT, TAKES_CATEGORY | TAKES_IN | TAKES_DIGITS},
    {"name", FIELD_NAME, ABOUT_SUBJECT, TAKES_NOTHING},
    {"counted_in", FIELD_COUNTED_IN, ABOUT_SUBJECT, TAKES_NOTHING},
    {"entries", FIELD_ENTRIES, ABOUT_SUBJECT, TAKES_CATEGORY | TAKES_IN | TAKES_DIGITS},
    {"reported", FIELD_REPORTED, ABOUT_SUBJECT, TAKES_IN | TAKES_DIGITS},
    {"expected", FIELD_EXPECTED, ABOUT_SUBJECT, TAKES_IN | TAKES_DIGITS},
    {"against", FIELD_AGAINST, ABOUT_SUBJECT, TAKES_CATEGORY | TAKES_AGAINST},
    {"before", FIELD_BEFORE, ABOUT_SUBJECT,
     TAKES_CATEGORY | TAKES_AGAINST | TAKES_IN | TAKES_DIGITS},
    {"change", FIELD_CHANGE, ABOUT_SUBJECT,
     TAKES_CATEGORY | TAKES_AGAINST | TAKES_IN | TAKES_DIGITS},
    {"change_percent", FIELD_CHANGE_PERCENT, ABOUT_SUBJECT, TAKES_CATEGORY | TAKES_AGAINST},
    {"target", FIELD_TARGET, ABOUT_SUBJECT, TAKES_IN | TAKES_DIGITS},
    {"reached", FIELD_REACHED, ABOUT_SUBJECT, TAKES_IN | TAKES_DIGITS},
    {"percent", FIELD_PERCENT, ABOUT_SUBJECT, TAKES_NOTHING},
    {"expected_by_today", FIELD_DUE, ABOUT_SUBJECT, TAKES_IN},
    {"missing", FIELD_MISSING, ABOUT_MISSING, TAKES_NOTHING},
};

enum { WORDS_MAX = 8, BRACES_MAX_BYTES = 1000 };

struct reading {
    struct template *out;
    struct arena *arena;
    const char *text;
    const char *end;
    const char *at;
    int line;
    const char *line_at; /* where the line begins */
    size_t open[TEMPLATE_DEPTH_MAX];
    size_t depth;
    struct errmsg *msg;
};

enum err template_fail(const struct template *template, const struct part *part, struct errmsg *msg,
                       const char *fmt, ...)
{
    char sentence[ERRMSG_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(sentence, sizeof sentence, fmt, args);
    va_end(args);
    return err_fail(msg, ERR_INVALID, "%.200s:%d:%d: %s", template->path, part->line, part->column,
                    sentence);
}

/* ---- the words in the braces ---- */

static enum err fail_name(const struct reading *r, const struct part *part, const char *word)
{
    struct nearest nearest;
    char hint[NEAREST_MAX * NEAREST_NAME_BYTES];
    nearest_init(&nearest, word);
    for (size_t i = 0; i < sizeof FIELDS / sizeof *FIELDS; i++) {
        nearest_offer(&nearest, FIELDS[i].name);
    }
    nearest_offer(&nearest, "each");
    nearest_offer(&nearest, "if");
    nearest_offer(&nearest, "else");
    nearest_offer(&nearest, "end");
    nearest_format(&nearest, hint, sizeof hint);
    return template_fail(r->out, part, r->msg, "there is no {{%.60s}}%s", word, hint);
}

static enum err number_of_digits(const struct reading *r, struct part *part, const char *value)
{
    if (value[0] < '0' || value[0] > '0' + TEMPLATE_DIGITS_MAX || value[1] != '\0') {
        return template_fail(r->out, part, r->msg, "digits is 0 to %d, not \"%.40s\"",
                             TEMPLATE_DIGITS_MAX, value);
    }
    part->digits = value[0] - '0';
    return ERR_OK;
}

static enum err scale(const struct reading *r, struct part *part, const char *value)
{
    static const char *const NAMES[] = {"thousand", "million", "billion"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(value, NAMES[i]) == 0) {
            part->shift = 3 * (i + 1);
            return ERR_OK;
        }
    }
    return template_fail(r->out, part, r->msg, "in is thousand, million or billion, not \"%.40s\"",
                         value);
}

/* "key=value" behind the field's name and code. */
static enum err option(const struct reading *r, struct part *part, const char *word,
                       const char *value)
{
    struct errmsg why = {""};
    struct period period;
    size_t len = (size_t)(value - word - 1);
    if (len == 4 && strncmp(word, "unit", len) == 0) {
        part->unit = value;
        return text_is_code(value, CODE_MAX_BYTES)
                   ? ERR_OK
                   : template_fail(r->out, part, r->msg, "\"%.70s\" is no code of a unit", value);
    }
    if (len == 6 && strncmp(word, "period", len) == 0) {
        part->period = value;
        enum err err = period_parse(value, &period, &why);
        return err == ERR_OK ? ERR_OK : template_fail(r->out, part, r->msg, "%.200s", why.text);
    }
    if (len == 7 && strncmp(word, "against", len) == 0) {
        bool known = strcmp(value, "previous") == 0 || strcmp(value, "year") == 0;
        part->against = value;
        return known || period_parse(value, &period, NULL) == ERR_OK
                   ? ERR_OK
                   : template_fail(r->out, part, r->msg,
                                   "against is previous, year or a period like 2022H1, not "
                                   "\"%.40s\"",
                                   value);
    }
    if (len == 2 && strncmp(word, "in", len) == 0) {
        return scale(r, part, value);
    }
    if (len == 6 && strncmp(word, "digits", len) == 0) {
        return number_of_digits(r, part, value);
    }
    return template_fail(
        r->out, part, r->msg,
        "\"%.40s\" is not understood here: unit=, period=, against=, in=, digits=", word);
}

/* "accounts[group=cadre]" */
static enum err code(const struct reading *r, struct part *part, char *word)
{
    char *bracket = strchr(word, '[');
    if (bracket != NULL) {
        size_t len = strlen(bracket);
        bool closed = bracket[len - 1] == ']' && len > 2;
        bracket[0] = '\0';
        bracket[len - 1] = '\0';
        part->category = bracket + 1;
        if (!closed || strchr(bracket + 1, '=') == NULL) {
            return template_fail(r->out, part, r->msg,
                                 "a category is written like %.60s[group=cadre]", word);
        }
    }
    part->code = word;
    return text_is_code(word, CODE_MAX_BYTES)
               ? ERR_OK
               : template_fail(r->out, part, r->msg, "\"%.70s\" is no code", word);
}

/* Whether the innermost block over anything is one over who is missing. */
static bool within_missing(const struct reading *r)
{
    for (size_t i = r->depth; i > 0; i--) {
        const struct part *open = &r->out->parts[r->open[i - 1]];
        if (open->kind == PART_EACH) {
            return open->each == EACH_MISSING;
        }
    }
    return false;
}

/* Whether all that was said has a meaning for that field. */
static enum err field_fits(const struct reading *r, const struct part *part, size_t at)
{
    const char *name = FIELDS[at].name;
    unsigned takes = FIELDS[at].takes;
    if (part->field == FIELD_LACKS && !within_missing(r)) {
        return template_fail(r->out, part, r->msg,
                             "{{lacks}} stands directly in an {{each missing CODE}}");
    }
    if (part->about == ABOUT_REPORT) {
        return ERR_OK;
    }
    if (part->code[0] == '\0') {
        return template_fail(r->out, part, r->msg, "{{%s}} needs the code of a measure%s", name,
                             part->about == ABOUT_MISSING ? " or data set" : "");
    }
    if (part->category[0] != '\0' && (takes & TAKES_CATEGORY) == 0) {
        return template_fail(r->out, part, r->msg, "{{%s}} is for all categories together", name);
    }
    const char *wrong = part->against[0] != '\0' && (takes & TAKES_AGAINST) == 0 ? "against="
                        : part->shift != 0 && (takes & TAKES_IN) == 0            ? "in="
                        : part->digits >= 0 && (takes & TAKES_DIGITS) == 0       ? "digits="
                                                                                 : NULL;
    return wrong == NULL ? ERR_OK
                         : template_fail(r->out, part, r->msg, "{{%s}} takes no %s", name, wrong);
}

static enum err field(const struct reading *r, struct part *part, char *const *words, size_t count)
{
    size_t i = 0;
    if (count == 0) {
        return template_fail(r->out, part, r->msg, "nothing is named here");
    }
    while (i < sizeof FIELDS / sizeof *FIELDS && strcmp(FIELDS[i].name, words[0]) != 0) {
        i++;
    }
    if (i == sizeof FIELDS / sizeof *FIELDS) {
        return fail_name(r, part, words[0]);
    }
    part->field = FIELDS[i].field;
    part->about = FIELDS[i].about;
    for (size_t w = 1; w < count; w++) {
        char *equals = strchr(words[w], '=');
        char *bracket = strchr(words[w], '[');
        bool is_option = equals != NULL && (bracket == NULL || equals < bracket);
        if (part->about == ABOUT_REPORT) {
            return template_fail(r->out, part, r->msg, "{{%s}} takes no words", words[0]);
        }
        if (!is_option && part->code[0] != '\0') {
            return template_fail(r->out, part, r->msg, "{{%s}} takes one code, not \"%.70s\" too",
                                 words[0], words[w]);
        }
        TRY(is_option ? option(r, part, words[w], equals + 1) : code(r, part, words[w]));
    }
    return field_fits(r, part, i);
}

static enum err each(const struct reading *r, struct part *part, char *const *words, size_t count)
{
    struct errmsg why = {""};
    struct period_span span;
    const char *word = count == 0 ? "" : words[0];
    if (count == 1 && strcmp(word, "child") == 0) {
        part->each = EACH_CHILD;
        return ERR_OK;
    }
    if (count == 1 && strncmp(word, "level=", 6) == 0 && text_is_code(word + 6, CODE_MAX_BYTES)) {
        part->each = EACH_LEVEL;
        part->what = word + 6;
        return ERR_OK;
    }
    if (count == 1 && strncmp(word, "period=", 7) == 0) {
        part->each = EACH_PERIOD;
        part->what = word + 7;
        return period_span_parse(part->what, &span, &why) == ERR_OK
                   ? ERR_OK
                   : template_fail(r->out, part, r->msg, "%.200s", why.text);
    }
    if (count == 2 && strcmp(word, "missing") == 0 && text_is_code(words[1], CODE_MAX_BYTES)) {
        part->each = EACH_MISSING;
        part->what = words[1];
        return ERR_OK;
    }
    return template_fail(r->out, part, r->msg,
                         "each is child, level=LEVEL, period=A..B or missing CODE");
}

/* ---- blocks ---- */

static enum err begin_block(struct reading *r, const struct part *part)
{
    if (r->depth == TEMPLATE_DEPTH_MAX) {
        return template_fail(r->out, part, r->msg, "more than %d blocks lie in each other",
                             TEMPLATE_DEPTH_MAX);
    }
    r->open[r->depth++] = r->out->count;
    return ERR_OK;
}

static enum err end_block(struct reading *r, const struct part *part)
{
    struct part *parts = r->out->parts;
    if (r->depth == 0) {
        return template_fail(r->out, part, r->msg, "this {{%s}} has no {{%s}} before it",
                             part->kind == PART_END ? "end" : "else",
                             part->kind == PART_END ? "each}} or {{if" : "if");
    }
    struct part *opens = &parts[r->open[r->depth - 1]];
    if (part->kind == PART_ELSE && opens->kind != PART_IF) {
        return template_fail(r->out, part, r->msg, "an {{else}} belongs to an {{if}}");
    }
    opens->jump = r->out->count;
    if (part->kind == PART_ELSE) {
        r->open[r->depth - 1] = r->out->count;
    } else {
        r->depth--;
    }
    return ERR_OK;
}

/* In characters. */
static int column(const struct reading *r, const char *at)
{
    int count = 1;
    for (const char *c = r->line_at; c < at; c++) {
        count += ((unsigned char)*c & 0xc0) == 0x80 ? 0 : 1;
    }
    return count;
}

static struct part *part_add(struct reading *r, enum part_kind kind, const char *from)
{
    struct part *part = &r->out->parts[r->out->count];
    *part = (struct part){.kind = kind,
                          .line = r->line,
                          .column = column(r, from),
                          .text = from,
                          .code = "",
                          .category = "",
                          .unit = "",
                          .period = "",
                          .against = "",
                          .what = "",
                          .digits = -1};
    return part;
}

static size_t split(char *text, char *words[WORDS_MAX])
{
    size_t count = 0;
    char *rest = NULL;
    char *word = strtok_r(text, " \t", &rest);
    while (word != NULL && count < WORDS_MAX) {
        words[count++] = word;
        word = strtok_r(NULL, " \t", &rest);
    }
    return word == NULL ? count : WORDS_MAX + 1;
}

static enum err block(struct reading *r, struct part *part, char *const *words, size_t count)
{
    if (part->kind == PART_EACH) {
        TRY(each(r, part, words + 1, count - 1));
    } else if (part->kind == PART_IF) {
        TRY(field(r, part, words + 1, count - 1));
    } else if (count > 1) {
        return template_fail(r->out, part, r->msg, "{{%s}} takes no words", words[0]);
    }
    bool begins = part->kind == PART_EACH || part->kind == PART_IF;
    TRY(begins ? begin_block(r, part) : end_block(r, part));
    return ERR_OK;
}

/* Whether nothing but blanks stands between the braces and the ends of their line. */
static bool alone(const struct reading *r, const char *from, const char *behind)
{
    for (const char *at = r->line_at; at < from; at++) {
        if (*at != ' ' && *at != '\t') {
            return false;
        }
    }
    while (behind < r->end && (*behind == ' ' || *behind == '\t' || *behind == '\r')) {
        behind++;
    }
    return behind == r->end || *behind == '\n';
}

/* The line of a block leaves nothing: what is before it was blank, and its end is skipped. */
static void leave_no_line(struct reading *r)
{
    struct template *out = r->out;
    if (out->count >= 2) {
        struct part *before = &out->parts[out->count - 2];
        while (before->kind == PART_TEXT && before->len > 0 &&
               (before->text[before->len - 1] == ' ' || before->text[before->len - 1] == '\t')) {
            before->len--;
        }
    }
    while (r->at < r->end && *r->at != '\n') {
        r->at++;
    }
    if (r->at < r->end) {
        r->at++;
        r->line++;
        r->line_at = r->at;
    }
}

static enum part_kind kind_of(const char *word)
{
    return strcmp(word, "each") == 0   ? PART_EACH
           : strcmp(word, "if") == 0   ? PART_IF
           : strcmp(word, "else") == 0 ? PART_ELSE
           : strcmp(word, "end") == 0  ? PART_END
                                       : PART_FIELD;
}

static enum err braces(struct reading *r, const char *from, const char *close)
{
    char *words[WORDS_MAX] = {NULL};
    struct part *part = part_add(r, PART_FIELD, from);
    size_t len = (size_t)(close - from) - 2;
    if (len > BRACES_MAX_BYTES || memchr(from, '\n', (size_t)(close - from)) != NULL) {
        return template_fail(r->out, part, r->msg, "these braces are not closed in their line");
    }
    bool remark = from[2] == '#';
    bool single = alone(r, from, close + 2);
    r->at = close + 2;
    char *text = arena_strn(r->arena, from + 2, len);
    if (text == NULL) {
        return err_fail(r->msg, ERR_NO_MEMORY, "no memory for the template");
    }
    if (remark) {
        part->kind = PART_TEXT;
        part->len = 0;
    } else {
        size_t count = split(text, words);
        if (count > WORDS_MAX) {
            return template_fail(r->out, part, r->msg, "more than %d words", WORDS_MAX);
        }
        part->kind = count == 0 ? PART_FIELD : kind_of(words[0]);
        TRY(part->kind == PART_FIELD ? field(r, part, words, count) : block(r, part, words, count));
    }
    r->out->count++;
    if (single && part->kind != PART_FIELD) {
        leave_no_line(r);
    }
    return ERR_OK;
}

static void text_part(struct reading *r, const char *until)
{
    struct part *part = part_add(r, PART_TEXT, r->at);
    part->len = (size_t)(until - r->at);
    for (const char *at = r->at; at < until; at++) {
        if (*at == '\n') {
            r->line++;
            r->line_at = at + 1;
        }
    }
    r->at = until;
    r->out->count++;
}

static enum err next_part(struct reading *r)
{
    if (r->out->count == TEMPLATE_PARTS_MAX - 1) {
        return template_fail(r->out, part_add(r, PART_TEXT, r->at), r->msg,
                             "more than %d parts; make two templates of it", TEMPLATE_PARTS_MAX);
    }
    const char *open = memmem(r->at, (size_t)(r->end - r->at), "{{", 2);
    if (open != r->at) {
        text_part(r, open == NULL ? r->end : open);
        return ERR_OK;
    }
    const char *close = memmem(open, (size_t)(r->end - open), "}}", 2);
    if (close == NULL) {
        return template_fail(r->out, part_add(r, PART_FIELD, open), r->msg,
                             "these braces are not closed");
    }
    return braces(r, open, close);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text);
    size_t end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

enum err template_read(const char *path, struct bytes content, struct arena *arena,
                       struct template *out, struct errmsg *msg)
{
    static const char MARK[] = "\xef\xbb\xbf";
    struct reading r = {.out = out, .arena = arena, .line = 1, .msg = msg};
    *out = (struct template){.path = path,
                             .html = ends_with(path, ".html") || ends_with(path, ".htm"),
                             .markdown = ends_with(path, ".md")};
    out->parts = arena_array(arena, TEMPLATE_PARTS_MAX, sizeof *out->parts);
    r.text = arena_strn(arena, (const char *)content.data, content.len);
    if (out->parts == NULL || r.text == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory for the template");
    }
    if (!text_is_clean(r.text, content.len, true)) {
        return err_fail(msg, ERR_INVALID, "%.200s is no text in UTF-8", path);
    }
    r.end = r.text + content.len;
    r.at = content.len >= 3 && memcmp(r.text, MARK, 3) == 0 ? r.text + 3 : r.text;
    r.line_at = r.at;
    while (r.at < r.end) {
        TRY(next_part(&r));
    }
    if (r.depth > 0) {
        return template_fail(out, &out->parts[r.open[r.depth - 1]], msg,
                             "this block has no {{end}}");
    }
    return ERR_OK;
}

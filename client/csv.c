#include "client/csv.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"
#include "proto/limits.h"

enum {
    SAID_BYTES = 256,
    AHEAD_BYTES = 3 * CSV_ROW_MAX_BYTES /* a row with every quote doubled, and more */
};

#define LONE_RETURN "a carriage return without a line feed; save it with line ends LF or CRLF"

/* The fields of one row as they stand in the file. */
struct raw {
    uint32_t line;
    size_t count;
    const char *fields[CSV_COLUMNS_MAX];
    bool surplus; /* there were more */
};

/* Column in characters of a byte of the current line. */
static size_t column_of(const struct csv *csv, size_t at)
{
    size_t column = 1;
    for (size_t i = csv->line_at; i < at && i < csv->data.len; i++) {
        column += (csv->data.data[i] & 0xc0) != 0x80 ? 1 : 0;
    }
    return column;
}

static enum err fail_at(struct csv *csv, size_t at, const char *reason, struct errmsg *msg)
{
    csv->fault_line = csv->line;
    csv->fault_column = column_of(csv, at);
    return err_fail(msg, ERR_INVALID, "%s", reason);
}

static bool at_end(const struct csv *csv)
{
    return csv->at >= csv->data.len;
}

static char peek(const struct csv *csv, size_t ahead)
{
    size_t at = csv->at + ahead;
    return at < csv->data.len ? (char)csv->data.data[at] : '\0';
}

static void new_line(struct csv *csv)
{
    csv->line++;
    csv->line_at = csv->at;
}

static enum err text_put(struct csv *csv, char c, struct errmsg *msg)
{
    if (csv->text_len == sizeof csv->text) {
        return fail_at(csv, csv->at,
                       "the row is longer than any that could be right; is a quote not closed?",
                       msg);
    }
    csv->text[csv->text_len++] = c;
    return ERR_OK;
}

/* At the begin of a row: reads on when the window may not have all of it. */
static enum err window_fill(struct csv *csv, struct errmsg *msg)
{
    struct csv_source *source = csv->source;
    size_t rest = csv->data.len - csv->at;
    if (source == NULL || csv->ended || rest >= AHEAD_BYTES) {
        return ERR_OK;
    }
    memmove(source->window, source->window + csv->at, rest);
    csv->at = 0;
    csv->line_at = 0;
    while (!csv->ended && rest < sizeof source->window) {
        size_t got = 0;
        enum err err = source->read(source->ctx, source->window + rest,
                                    sizeof source->window - rest, &got, msg);
        if (err != ERR_OK) {
            csv->fault_line = csv->line;
            csv->fault_column = 0;
            return err;
        }
        csv->ended = got == 0;
        rest += got;
    }
    csv->data = (struct bytes){source->window, rest};
    return ERR_OK;
}

/* ---- fields ---- */

/* From the opening quote to behind the closing one. */
static enum err quoted_read(struct csv *csv, struct errmsg *msg)
{
    struct csv_place open = csv_tell(csv);
    csv->at++;
    while (peek(csv, 0) != '"' || peek(csv, 1) == '"') {
        if (at_end(csv)) {
            csv_seek(csv, open);
            return fail_at(csv, csv->at, "this quote is never closed", msg);
        }
        char c = peek(csv, 0);
        TRY(text_put(csv, c, msg));
        csv->at += c == '"' ? 2 : 1;
        if (c == '\n') {
            new_line(csv);
        }
    }
    csv->at++;
    char next = peek(csv, 0);
    if (!at_end(csv) && next != ',' && next != '\n' && next != '\r') {
        return fail_at(csv, csv->at, "text behind a closing quote; a quote inside is written twice",
                       msg);
    }
    return ERR_OK;
}

static enum err plain_read(struct csv *csv, struct errmsg *msg)
{
    while (!at_end(csv)) {
        char c = peek(csv, 0);
        if (c == ',' || c == '\n' || (c == '\r' && peek(csv, 1) == '\n')) {
            return ERR_OK;
        }
        if (c == '"') {
            return fail_at(
                csv, csv->at,
                "a quote inside a plain field; put the field in quotes and write it twice", msg);
        }
        if (c == '\r') {
            return fail_at(csv, csv->at, LONE_RETURN, msg);
        }
        TRY(text_put(csv, c, msg));
        csv->at++;
    }
    return ERR_OK;
}

static enum err field_read(struct csv *csv, struct raw *raw, struct errmsg *msg)
{
    size_t text_at = csv->text_len;
    struct csv_place place = csv_tell(csv);
    bool quoted = peek(csv, 0) == '"' && !at_end(csv);
    TRY(quoted ? quoted_read(csv, msg) : plain_read(csv, msg));
    if (!text_is_clean(csv->text + text_at, csv->text_len - text_at, true)) {
        csv_seek(csv, place);
        return fail_at(
            csv, csv->at,
            "the field is not UTF-8, or has a control character; save it as CSV in UTF-8", msg);
    }
    TRY(text_put(csv, '\0', msg));
    if (raw->count == CSV_COLUMNS_MAX) {
        raw->surplus = true;
    } else {
        raw->fields[raw->count++] = csv->text + text_at;
    }
    return ERR_OK;
}

/* Behind a field: true when another one follows in this row. */
static bool separator_take(struct csv *csv)
{
    if (at_end(csv)) {
        return false;
    }
    char c = peek(csv, 0);
    csv->at += c == '\r' && peek(csv, 1) == '\n' ? 2 : 1;
    if (c == ',') {
        return true;
    }
    new_line(csv);
    return false;
}

static enum err empty_lines_pass(struct csv *csv, struct errmsg *msg)
{
    TRY(window_fill(csv, msg));
    while (!at_end(csv)) {
        size_t len = peek(csv, 0) == '\n'                           ? 1
                     : peek(csv, 0) == '\r' && peek(csv, 1) == '\n' ? 2
                                                                    : 0;
        if (len == 0) {
            break;
        }
        csv->at += len;
        new_line(csv);
        TRY(window_fill(csv, msg));
    }
    return ERR_OK;
}

/* `raw->count` is 0 at the end. */
static enum err raw_read(struct csv *csv, struct raw *raw, struct errmsg *msg)
{
    TRY(empty_lines_pass(csv, msg));
    *raw = (struct raw){.line = csv->line};
    csv->text_len = 0;
    if (at_end(csv)) {
        return ERR_OK;
    }
    bool more = true;
    while (more) {
        TRY(field_read(csv, raw, msg));
        if (peek(csv, 0) == '\r' && peek(csv, 1) != '\n' && !at_end(csv)) {
            return fail_at(csv, csv->at, LONE_RETURN, msg);
        }
        more = separator_take(csv);
    }
    return ERR_OK;
}

/* ---- the heading ---- */

/* Spaces around a column's name and capitals are forgiven. */
static void name_fold(const char *field, char *out, size_t size)
{
    size_t from = strspn(field, " ");
    size_t len = strlen(field + from);
    while (len > 0 && field[from + len - 1] == ' ') {
        len--;
    }
    len = len < size ? len : size - 1;
    for (size_t i = 0; i < len; i++) {
        char c = field[from + i];
        out[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    out[len] = '\0';
}

static void list_names(const char *const *names, size_t count, char *out, size_t size)
{
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(out);
        (void)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : ",", names[i]);
    }
}

static enum err fail_column(const char *column, const char *const *names, size_t count,
                            struct errmsg *msg)
{
    char known[SAID_BYTES];
    char hint[SAID_BYTES];
    struct nearest nearest;
    nearest_init(&nearest, column);
    for (size_t i = 0; i < count; i++) {
        nearest_offer(&nearest, names[i]);
    }
    nearest_format(&nearest, hint, sizeof hint);
    list_names(names, count, known, sizeof known);
    const char *other = strpbrk(column, ";\t|");
    if (other != NULL) {
        return err_fail(msg, ERR_INVALID, "columns are separated by %s; separate them by commas",
                        *other == ';'   ? "\";\""
                        : *other == '|' ? "\"|\""
                                        : "tabs");
    }
    if (hint[0] != '\0') {
        return err_fail(msg, ERR_INVALID, "unknown column \"%.40s\"%s", column, hint);
    }
    return err_fail(msg, ERR_INVALID,
                    "unknown column \"%.40s\"; the first line names columns of %s", column, known);
}

/* Whether it is a code, or one with something in brackets behind it. */
static bool is_other(const char *column)
{
    char code[SAID_BYTES];
    size_t len = strcspn(column, "[");
    size_t whole = strlen(column);
    if (len >= sizeof code) {
        return false;
    }
    memcpy(code, column, len);
    code[len] = '\0';
    return text_is_code(code, CODE_MAX_BYTES) && (len == whole || column[whole - 1] == ']');
}

static enum err fail_twice(const char *column, struct errmsg *msg)
{
    return err_fail(msg, ERR_INVALID, "the column \"%.64s\" stands there twice", column);
}

/* Its text without spaces around it, kept in the heading. */
static enum err other_take(struct csv *csv, const char *field, const struct csv_heading *heading,
                           size_t place, struct errmsg *msg)
{
    size_t kept = csv->other_count == 0
                      ? 0
                      : (size_t)(csv->others[csv->other_count - 1] - csv->heading) +
                            strlen(csv->others[csv->other_count - 1]) + 1;
    size_t from = strspn(field, " ");
    size_t len = strlen(field + from);
    char *name = csv->heading + kept; /* the heading is no longer than a row */
    while (len > 0 && field[from + len - 1] == ' ') {
        len--;
    }
    memcpy(name, field + from, len);
    name[len] = '\0';
    if (!is_other(name)) {
        return fail_column(name, heading->names, heading->name_count, msg);
    }
    for (size_t i = 0; i < csv->other_count; i++) {
        if (strcmp(csv->others[i], name) == 0) {
            return fail_twice(name, msg);
        }
    }
    if (csv->other_count == CSV_OTHERS_MAX) {
        return err_fail(msg, ERR_INVALID, "there are more than %d columns besides the known ones",
                        CSV_OTHERS_MAX);
    }
    csv->column[place] = (uint16_t)(CSV_NAMES_MAX + csv->other_count);
    csv->others[csv->other_count++] = name;
    return ERR_OK;
}

static enum err heading_take(struct csv *csv, const struct raw *raw,
                             const struct csv_heading *heading, struct errmsg *msg)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < raw->count; i++) {
        char column[64];
        size_t found = 0;
        name_fold(raw->fields[i], column, sizeof column);
        while (found < heading->name_count && strcmp(heading->names[found], column) != 0) {
            found++;
        }
        if (found == heading->name_count && heading->others) {
            TRY(other_take(csv, raw->fields[i], heading, i, msg));
            continue;
        }
        if (found == heading->name_count) {
            return fail_column(column, heading->names, heading->name_count, msg);
        }
        if ((seen & 1u << found) != 0) {
            return fail_twice(column, msg);
        }
        seen |= 1u << found;
        csv->column[i] = (uint16_t)found;
    }
    csv->column_count = raw->count;
    return ERR_OK;
}

static bool has_column(const struct csv *csv, size_t name)
{
    size_t i = 0;
    while (i < csv->column_count && csv->column[i] != name) {
        i++;
    }
    return i < csv->column_count;
}

bool csv_heading_names(const struct csv *csv, const char *column)
{
    char name[64];
    bool found = false;
    if (csv->text_len == 0 || csv->text[csv->text_len - 1] != '\0') {
        return false; /* it ends in the middle of a field */
    }
    for (size_t at = 0; at < csv->text_len && !found; at += strlen(csv->text + at) + 1) {
        name_fold(csv->text + at, name, sizeof name);
        found = strcmp(name, column) == 0;
    }
    return found;
}

static enum err required_check(const struct csv *csv, const struct csv_heading *heading,
                               struct errmsg *msg)
{
    for (size_t i = 0; i < heading->required; i++) {
        if (!has_column(csv, i)) {
            return err_fail(msg, ERR_INVALID, "the column \"%s\" is missing in the first line",
                            heading->names[i]);
        }
    }
    return ERR_OK;
}

/* What spreadsheets put before the text. */
static enum err mark_pass(struct csv *csv, struct errmsg *msg)
{
    const uint8_t *data = csv->data.data;
    size_t len = csv->data.len;
    if (len >= 2 && (memcmp(data, "\xff\xfe", 2) == 0 || memcmp(data, "\xfe\xff", 2) == 0)) {
        return fail_at(csv, 0, "the file is UTF-16; save it as CSV in UTF-8", msg);
    }
    if (len >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        csv->at = 3;
        csv->line_at = 3;
    }
    return ERR_OK;
}

static enum err heading_read(struct csv *csv, const struct csv_heading *heading, struct errmsg *msg)
{
    REQUIRE(heading->name_count <= CSV_NAMES_MAX && heading->required <= heading->name_count);
    struct raw raw;
    TRY(window_fill(csv, msg));
    TRY(mark_pass(csv, msg));
    TRY(raw_read(csv, &raw, msg));
    csv->fault_line = raw.line;
    csv->fault_column = 0;
    if (raw.count == 0) {
        char known[SAID_BYTES];
        list_names(heading->names, heading->name_count, known, sizeof known);
        return err_fail(msg, ERR_INVALID, "the file is empty; the first line names columns of %s",
                        known);
    }
    if (raw.surplus) {
        return err_fail(msg, ERR_INVALID, "the first line has more than %d columns",
                        CSV_COLUMNS_MAX);
    }
    TRY(heading_take(csv, &raw, heading, msg));
    return required_check(csv, heading, msg);
}

enum err csv_init(struct csv *csv, const char *name, struct bytes data,
                  const struct csv_heading *heading, struct errmsg *msg)
{
    memset(csv, 0, sizeof *csv);
    csv->name = name;
    csv->data = data;
    csv->line = 1;
    return heading_read(csv, heading, msg);
}

enum err csv_init_from(struct csv *csv, const char *name, struct csv_source *source,
                       const struct csv_heading *heading, struct errmsg *msg)
{
    memset(csv, 0, sizeof *csv);
    csv->name = name;
    csv->source = source;
    csv->data = (struct bytes){source->window, 0};
    csv->line = 1;
    return heading_read(csv, heading, msg);
}

enum err csv_locate(const struct csv *csv, enum err err, struct errmsg *msg)
{
    if (csv->fault_column == 0) {
        return err_prefix(msg, err, "%s:%u", csv->name, csv->fault_line);
    }
    return err_prefix(msg, err, "%s:%u:%zu", csv->name, csv->fault_line, csv->fault_column);
}

/* ---- rows ---- */

enum err csv_next(struct csv *csv, struct csv_row *row, bool *more, struct errmsg *msg)
{
    struct raw raw;
    enum err err = raw_read(csv, &raw, msg);
    if (err != ERR_OK) {
        csv->at = csv->data.len;
        return err;
    }
    *more = raw.count > 0;
    row->line = raw.line;
    for (size_t i = 0; i < CSV_COLUMNS_MAX; i++) {
        row->fields[i] = "";
    }
    if (raw.count > 0 && (raw.count != csv->column_count || raw.surplus)) {
        csv->fault_line = raw.line;
        csv->fault_column = 0;
        return err_fail(msg, ERR_REFUSED, "the row has %zu%s field%s, the first line %zu",
                        raw.count, raw.surplus ? " or more" : "", raw.count == 1 ? "" : "s",
                        csv->column_count);
    }
    for (size_t i = 0; i < raw.count; i++) {
        row->fields[csv->column[i]] = raw.fields[i];
    }
    return ERR_OK;
}

struct csv_place csv_tell(const struct csv *csv)
{
    return (struct csv_place){.at = csv->at, .line = csv->line, .line_at = csv->line_at};
}

void csv_seek(struct csv *csv, struct csv_place place)
{
    csv->at = place.at;
    csv->line = place.line;
    csv->line_at = place.line_at;
}

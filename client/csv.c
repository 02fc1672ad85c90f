#include "client/csv.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/text.h"

enum { SAID_BYTES = 256 };

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

static void empty_lines_pass(struct csv *csv)
{
    while (!at_end(csv)) {
        size_t len = peek(csv, 0) == '\n'                           ? 1
                     : peek(csv, 0) == '\r' && peek(csv, 1) == '\n' ? 2
                                                                    : 0;
        if (len == 0) {
            return;
        }
        csv->at += len;
        new_line(csv);
    }
}

/* `raw->count` is 0 at the end. */
static enum err raw_read(struct csv *csv, struct raw *raw, struct errmsg *msg)
{
    empty_lines_pass(csv);
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

static enum err heading_take(struct csv *csv, const struct raw *raw, const char *const *names,
                             size_t name_count, struct errmsg *msg)
{
    uint32_t seen = 0;
    for (size_t i = 0; i < raw->count; i++) {
        char column[64];
        size_t found = 0;
        name_fold(raw->fields[i], column, sizeof column);
        while (found < name_count && strcmp(names[found], column) != 0) {
            found++;
        }
        if (found == name_count) {
            return fail_column(column, names, name_count, msg);
        }
        if ((seen & 1u << found) != 0) {
            return err_fail(msg, ERR_INVALID, "the column \"%s\" stands there twice", column);
        }
        seen |= 1u << found;
        csv->column[i] = (uint8_t)found;
    }
    csv->column_count = raw->count;
    return ERR_OK;
}

static enum err required_check(const struct csv *csv, const char *const *names, size_t required,
                               struct errmsg *msg)
{
    for (size_t i = 0; i < required; i++) {
        if (memchr(csv->column, (int)i, csv->column_count) == NULL) {
            return err_fail(msg, ERR_INVALID, "the column \"%s\" is missing in the first line",
                            names[i]);
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

enum err csv_init(struct csv *csv, const char *name, struct bytes data, const char *const *names,
                  size_t name_count, size_t required, struct errmsg *msg)
{
    REQUIRE(name_count <= CSV_COLUMNS_MAX && required <= name_count);
    struct raw raw;
    *csv = (struct csv){.name = name, .data = data, .line = 1};
    TRY(mark_pass(csv, msg));
    TRY(raw_read(csv, &raw, msg));
    csv->fault_line = raw.line;
    csv->fault_column = 0;
    if (raw.count == 0) {
        char known[SAID_BYTES];
        list_names(names, name_count, known, sizeof known);
        return err_fail(msg, ERR_INVALID, "the file is empty; the first line names columns of %s",
                        known);
    }
    TRY(heading_take(csv, &raw, names, name_count, msg));
    return required_check(csv, names, required, msg);
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

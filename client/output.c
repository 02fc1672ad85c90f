#include "client/output.h"

#include <inttypes.h>
#include <libsmartcols.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/check.h"
#include "client/language.h"

enum { WRAP_LETTERS_MIN = 12, WIDE_LETTERS = 512, TREE_LETTERS = 6 };

struct output_table {
    struct libscols_table *scols;
    const struct output_column *columns;
    size_t column_count;
    size_t rows;                       /* not printed yet */
    size_t widths[OUTPUT_COLUMNS_MAX]; /* of the widest cell so far */
    bool failed;
};

enum output_form output_form(const struct options *options)
{
    return options_has(options, OPTION_JSON)  ? OUTPUT_JSON
           : options_has(options, OPTION_CSV) ? OUTPUT_CSV
                                              : OUTPUT_TABLE;
}

/* ---- tables ---- */

static bool columns_add(struct output_table *table)
{
    for (size_t i = 0; i < table->column_count; i++) {
        const struct output_column *column = &table->columns[i];
        int flags = (column->right ? SCOLS_FL_RIGHT : 0) | (column->tree ? SCOLS_FL_TREE : 0);
        if (scols_table_new_column(table->scols, _(column->name), 0, flags) == NULL) {
            return false;
        }
    }
    return true;
}

/* Columns of the terminal that the text takes. */
static size_t text_width(const char *text)
{
    wchar_t letters[WIDE_LETTERS];
    size_t count = mbstowcs(letters, text, WIDE_LETTERS);
    int width = count == (size_t)-1 ? -1 : wcswidth(letters, count);
    return width < 0 ? strlen(text) : (size_t)width;
}

struct output_table *output_table_new(const struct output_column *columns, size_t count)
{
    REQUIRE(count <= OUTPUT_COLUMNS_MAX);
    struct output_table *table = calloc(1, sizeof *table);
    if (table == NULL) {
        return NULL;
    }
    *table = (struct output_table){
        .scols = scols_new_table(), .columns = columns, .column_count = count};
    for (size_t i = 0; i < count; i++) {
        table->widths[i] = text_width(_(columns[i].name));
    }
    if (table->scols == NULL || !columns_add(table)) {
        scols_unref_table(table->scols);
        free(table);
        return NULL;
    }
    return table;
}

/* Long texts are wrapped where the other columns leave them room; where they do not, lines of a few
 * letters would read worse than those that the terminal breaks. */
static void wrap_set(struct output_table *table)
{
    size_t fixed = 0;
    size_t wrapped = 0;
    for (size_t i = 0; i < table->column_count; i++) {
        bool wrap = table->columns[i].wrap;
        fixed += 1 + (wrap ? 0 : table->widths[i]);
        wrapped += wrap ? 1 : 0;
    }
    size_t width = scols_table_get_termwidth(table->scols);
    bool fits = fixed + wrapped * WRAP_LETTERS_MIN <= width;
    for (size_t i = 0; i < table->column_count && fits; i++) {
        struct libscols_column *column = scols_table_get_column(table->scols, i);
        if (table->columns[i].wrap && column != NULL) {
            (void)scols_column_set_flags(column, scols_column_get_flags(column) | SCOLS_FL_WRAP);
        }
    }
}

static int cell_set(struct libscols_line *line, size_t at, const char *text)
{
    if (strpbrk(text, "\r\n\t") == NULL) {
        return scols_line_set_data(line, at, text);
    }
    char *flat = strdup(text);
    if (flat == NULL) {
        return -1;
    }
    for (char *c = flat; *c != '\0'; c++) {
        *c = *c == '\r' || *c == '\n' || *c == '\t' ? ' ' : *c;
    }
    return scols_line_refer_data(line, at, flat);
}

struct libscols_line *output_table_branch(struct output_table *table, struct libscols_line *parent,
                                          const char *const *cells)
{
    if (table == NULL || table->failed) {
        return NULL;
    }
    struct libscols_line *line = scols_table_new_line(table->scols, parent);
    table->failed = line == NULL;
    for (size_t i = 0; i < table->column_count && !table->failed; i++) {
        size_t width = text_width(cells[i]) + (table->columns[i].tree ? TREE_LETTERS : 0);
        table->widths[i] = width > table->widths[i] ? width : table->widths[i];
        table->failed = cell_set(line, i, cells[i]) != 0;
    }
    table->rows++;
    return line;
}

void output_line_bold(struct output_table *table, struct libscols_line *line, bool bold)
{
    if (table != NULL && line != NULL && bold) {
        (void)scols_table_enable_colors(table->scols, 1);
        table->failed = table->failed || scols_line_set_color(line, "\033[1m") != 0;
    }
}

static void block_print(struct output_table *table)
{
    if (table->rows > 0 && !table->failed) {
        wrap_set(table);
        table->failed = scols_print_table(table->scols) != 0;
    }
    scols_table_remove_lines(table->scols);
    table->rows = 0;
}

void output_table_row(struct output_table *table, const char *const *cells)
{
    (void)output_table_branch(table, NULL, cells);
    if (table != NULL && table->rows >= OUTPUT_BLOCK_ROWS) {
        block_print(table);
    }
}

enum err output_table_end(struct output_table *table, struct errmsg *msg)
{
    if (table == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "out of memory for the table");
    }
    block_print(table);
    bool failed = table->failed;
    scols_unref_table(table->scols);
    free(table);
    return failed ? err_fail(msg, ERR_NO_MEMORY, "out of memory for the table") : ERR_OK;
}

/* ---- JSON ---- */

static enum err dump(json_t *document, size_t how, struct errmsg *msg)
{
    bool failed = document == NULL || json_dumpf(document, stdout, how) != 0;
    json_decref(document);
    (void)fputc('\n', stdout);
    /* A full disk makes jansson fail too; the end of the program reports that one. */
    return failed && ferror(stdout) == 0
               ? err_fail(msg, ERR_NO_MEMORY, "out of memory for the JSON")
               : ERR_OK;
}

enum err output_json(json_t *document, struct errmsg *msg)
{
    return dump(document, JSON_INDENT(1), msg);
}

enum err output_json_line(json_t *document, struct errmsg *msg)
{
    return dump(document, 0, msg);
}

void output_list_begin(struct output_list *list, json_t *head, const char *key)
{
    *list = (struct output_list){.in_object = key != NULL};
    if (key == NULL) {
        (void)fputs("[", stdout);
        return;
    }
    char *text = head == NULL ? NULL : json_dumps(head, JSON_COMPACT);
    json_decref(head);
    if (text == NULL) {
        list->failed = true;
        return;
    }
    text[strlen(text) - 1] = '\0'; /* the brace that comes at the end */
    (void)printf("%s,\n\"%s\":[", text, key);
    free(text);
}

void output_list_item(struct output_list *list, json_t *item)
{
    list->failed = list->failed || item == NULL;
    if (!list->failed) {
        (void)fputs(list->count == 0 ? "\n" : ",\n", stdout);
        (void)json_dumpf(item, stdout, JSON_COMPACT);
        list->count++;
    }
    json_decref(item);
}

enum err output_list_end(struct output_list *list, struct errmsg *msg)
{
    if (list->failed) {
        return err_fail(msg, ERR_NO_MEMORY, "out of memory for the JSON");
    }
    (void)fputs(list->count == 0 ? "]" : "\n]", stdout);
    (void)fputs(list->in_object ? "}\n" : "\n", stdout);
    return ERR_OK;
}

json_t *output_json_text(const char *text)
{
    return text[0] == '\0' ? json_null() : json_string(text);
}

json_t *output_json_time(struct wall wall)
{
    char text[WALL_TEXT_BYTES];
    if (wall.ms == 0) {
        return json_null();
    }
    wall_format(wall, text);
    return json_string(text);
}

json_t *output_json_day(int32_t day)
{
    char text[DAY_TEXT_BYTES];
    if (day == DAY_NONE) {
        return json_null();
    }
    day_format(day, text);
    return json_string(text);
}

/* ---- CSV ---- */

void output_csv_row(const char *const *cells, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = cells[i];
        bool quoted = strpbrk(text, "\",\r\n") != NULL;
        (void)fputs(i == 0 ? "" : ",", stdout);
        (void)fputs(quoted ? "\"" : "", stdout);
        for (const char *c = text; *c != '\0'; c++) {
            (void)fputs(*c == '"' ? "\"" : "", stdout);
            (void)fputc(*c, stdout);
        }
        (void)fputs(quoted ? "\"" : "", stdout);
    }
    (void)fputs("\r\n", stdout);
}

/* ---- cells ---- */

const char *output_time(struct wall wall, const char *none, char out[OUTPUT_CELL_BYTES])
{
    if (wall.ms == 0) {
        return none;
    }
    wall_format(wall, out);
    return out;
}

const char *output_day(int32_t day, const char *none, char out[OUTPUT_CELL_BYTES])
{
    if (day == DAY_NONE) {
        return none;
    }
    day_format(day, out);
    return out;
}

const char *output_number(int64_t number, char out[OUTPUT_CELL_BYTES])
{
    (void)snprintf(out, OUTPUT_CELL_BYTES, "%" PRId64, number);
    return out;
}

const char *output_amount(const char *text, const char *counted_in, char out[OUTPUT_AMOUNT_BYTES])
{
    const struct language *language = language_now();
    struct number_form form = {.digits = -1};
    if (text[0] == '\0') {
        return "-";
    }
    if (language->plain || number_format(&language->numbers, &form, text, out) != ERR_OK) {
        return text;
    }
    if (strcmp(counted_in, "VND") == 0) {
        memcpy(out + strlen(out), " ₫", sizeof " ₫");
    }
    return out;
}

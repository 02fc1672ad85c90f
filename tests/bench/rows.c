#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/decimal.h"

enum { COLUMN_MEASURE = 1, COLUMN_DATE, COLUMN_CATEGORY, COLUMN_VALUE, COLUMN_KEY, COLUMN_NOTE };
enum { COLUMNS = 7 };

/* Cuts `*rest` at the next `by`; NULL at the end. */
static char *next_piece(char **rest, char by)
{
    char *piece = *rest;
    if (piece == NULL || piece[0] == '\0') {
        return NULL;
    }
    char *end = strchr(piece, by);
    *rest = end == NULL ? NULL : end + 1;
    if (end != NULL) {
        *end = '\0';
    }
    return piece;
}

enum err rows_measure_add(struct rows *rows, const char *text, struct errmsg *msg)
{
    char kind[16];
    char frequency[16];
    struct rows_measure measure = {.decimals = 0};
    bool fits = rows->measure_count < ROWS_MEASURES_MAX &&
                sscanf(text, "%31[a-z_]:%15[a-z]:%15[a-z]:%d", measure.code, kind, frequency,
                       &measure.decimals) == 4;
    if (!fits || frequency_parse(frequency, &measure.frequency) != ERR_OK) {
        return err_fail(msg, ERR_USAGE, "a measure is CODE:flow|stock:FREQUENCY:DECIMALS, not %s",
                        text);
    }
    measure.stock = strcmp(kind, "stock") == 0;
    rows->measures[rows->measure_count++] = measure;
    return ERR_OK;
}

static enum err measure_find(const struct rows *rows, const char *code, int *out)
{
    for (int i = 0; i < rows->measure_count; i++) {
        if (strcmp(rows->measures[i].code, code) == 0) {
            *out = i;
            return ERR_OK;
        }
    }
    return ERR_NOT_FOUND;
}

static enum err category_find(struct rows *rows, const char *text, int *out)
{
    for (int i = 0; i < rows->category_count; i++) {
        if (strcmp(rows->categories[i], text) == 0) {
            *out = i;
            return ERR_OK;
        }
    }
    if (rows->category_count == ROWS_CATEGORIES_MAX || strlen(text) >= ROWS_CODE_BYTES) {
        return ERR_LIMIT;
    }
    *out = rows->category_count++;
    (void)snprintf(rows->categories[*out], ROWS_CODE_BYTES, "%s", text);
    return ERR_OK;
}

static enum err row_read(struct rows *rows, char *line, struct row *out, struct errmsg *msg)
{
    const char *fields[COLUMNS] = {"", "", "", "", "", "", ""};
    char *rest = line;
    for (int i = 0; i < COLUMNS && rest != NULL; i++) {
        char *end = strchr(rest, ',');
        fields[i] = rest;
        rest = end == NULL ? NULL : end + 1;
        if (end != NULL) {
            *end = '\0';
        }
    }
    TRY(measure_find(rows, fields[COLUMN_MEASURE], &out->measure));
    const struct rows_measure *measure = &rows->measures[out->measure];
    TRY(category_find(rows, fields[COLUMN_CATEGORY], &out->category));
    TRY(day_parse(fields[COLUMN_DATE], &out->day, msg));
    TRY(decimal_parse(fields[COLUMN_VALUE], measure->decimals, &out->value, msg));
    out->period = period_of_day(measure->frequency, out->day).index;
    out->key = fields[COLUMN_KEY];
    out->note = fields[COLUMN_NOTE];
    return ERR_OK;
}

static enum err text_read(const char *path, char **out, struct errmsg *msg)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return err_fail(msg, ERR_USAGE, "%s cannot be read", path);
    }
    (void)fseek(file, 0, SEEK_END);
    long size = ftell(file);
    rewind(file);
    char *text = size < 0 ? NULL : calloc(1, (size_t)size + 1);
    bool whole = text != NULL && fread(text, 1, (size_t)size, file) == (size_t)size;
    (void)fclose(file);
    if (!whole) {
        free(text);
        return err_fail(msg, ERR_USAGE, "%s cannot be read", path);
    }
    *out = text;
    return ERR_OK;
}

enum err rows_read(struct rows *rows, const char *path, struct errmsg *msg)
{
    TRY(text_read(path, &rows->text, msg));
    size_t lines = 0;
    for (const char *at = rows->text; (at = strchr(at, '\n')) != NULL; at++) {
        lines++;
    }
    rows->rows = calloc(lines + 1, sizeof *rows->rows);
    if (rows->rows == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory for the rows");
    }
    char *rest = rows->text;
    char *line = next_piece(&rest, '\n'); /* the heading */
    while ((line = next_piece(&rest, '\n')) != NULL) {
        enum err err = row_read(rows, line, &rows->rows[rows->count], msg);
        if (err != ERR_OK) {
            return err_prefix(msg, err, "row %zu", rows->count + 1);
        }
        rows->count++;
    }
    return ERR_OK;
}

void rows_free(struct rows *rows)
{
    free(rows->rows);
    free(rows->text);
}

#include "client/import_rows.h"

#include <stdio.h>
#include <string.h>

#include "base/map.h"
#include "base/sha256.h"
#include "client/checks.h"
#include "client/input.h"
#include "proto/decimal.h"

enum {
    COLUMN_UNIT,
    COLUMN_MEASURE,
    COLUMN_VALUE,
    COLUMN_DATE,
    COLUMN_CATEGORY,
    COLUMN_KEY,
    COLUMN_NOTE
};
enum { COLUMNS = 7, COLUMNS_REQUIRED = 3 };
enum { ARENA_MAX_BYTES = 16 << 20, ROW_OVERHEAD_BYTES = 24, STEM_HEX_LETTERS = 32 };

static const char *const NAMES[COLUMNS] = {"unit",     "measure", "value", "date",
                                           "category", "key",     "note"};

/* ---- the file ---- */

enum err import_rows_open(struct import_rows *rows, const char *path, struct errmsg *msg)
{
    *rows = (struct import_rows){.name = input_name(path)};
    buf_init(&rows->text, IMPORT_FILE_MAX_BYTES);
    TRY(input_read(path, &rows->text, msg));
    struct bytes data = {rows->text.data, rows->text.len};
    enum err err = csv_init(&rows->csv, rows->name, data, NAMES, COLUMNS, COLUMNS_REQUIRED, msg);
    if (err != ERR_OK) {
        return csv_locate(&rows->csv, err, msg);
    }
    rows->first = csv_tell(&rows->csv);
    return ERR_OK;
}

void import_rows_close(struct import_rows *rows)
{
    buf_deinit(&rows->text);
}

void import_rows_rewind(struct import_rows *rows)
{
    csv_seek(&rows->csv, rows->first);
}

void import_rows_derive_keys(struct import_rows *rows)
{
    struct hash hash = sha256(rows->text.data, rows->text.len);
    char hex[HASH_HEX_BYTES];
    hash_format(&hash, hex);
    (void)snprintf(rows->key_stem, sizeof rows->key_stem, "import:%.*s:", STEM_HEX_LETTERS, hex);
}

/* ---- rows ---- */

static enum err row_check(const struct csv_row *row, int32_t *day, struct errmsg *msg)
{
    TRY(checks_code("unit", row->fields[COLUMN_UNIT], msg));
    TRY(checks_code("measure", row->fields[COLUMN_MEASURE], msg));
    TRY(decimal_check(row->fields[COLUMN_VALUE], msg));
    TRY(checks_day(row->fields[COLUMN_DATE], day, msg));
    TRY(checks_text("category", row->fields[COLUMN_CATEGORY], CATEGORY_MAX_BYTES, false, msg));
    TRY(checks_text("key", row->fields[COLUMN_KEY], KEY_MAX_BYTES, false, msg));
    return checks_text("note", row->fields[COLUMN_NOTE], NOTE_MAX_BYTES, true, msg);
}

static const char *row_key(const struct import_rows *rows, const struct csv_row *row,
                           struct arena *arena)
{
    const char *key = row->fields[COLUMN_KEY];
    if (key[0] != '\0' || rows->key_stem[0] == '\0') {
        return arena_str(arena, key);
    }
    return arena_printf(arena, "%s%u", rows->key_stem, row->line);
}

static enum err row_take(struct import_batch *batch, const struct import_rows *rows,
                         const struct csv_row *row, int32_t day, size_t *bytes)
{
    const char *texts[COLUMNS];
    *bytes += ROW_OVERHEAD_BYTES;
    for (size_t i = 0; i < COLUMNS; i++) {
        texts[i] = i == COLUMN_KEY ? row_key(rows, row, &batch->arena)
                                   : arena_str(&batch->arena, row->fields[i]);
        if (texts[i] == NULL) {
            return ERR_NO_MEMORY;
        }
        *bytes += strlen(texts[i]);
    }
    batch->rows[batch->count++] = (struct record_row){
        .line = row->line,
        .unit = texts[COLUMN_UNIT],
        .measure = texts[COLUMN_MEASURE],
        .day = day,
        .category = texts[COLUMN_CATEGORY],
        .value = texts[COLUMN_VALUE],
        .key = texts[COLUMN_KEY],
        .note = texts[COLUMN_NOTE],
    };
    return ERR_OK;
}

void import_batch_init(struct import_batch *batch)
{
    arena_init(&batch->arena, ARENA_MAX_BYTES);
    batch->count = 0;
    batch->passed = 0;
}

void import_batch_deinit(struct import_batch *batch)
{
    arena_reset(&batch->arena);
}

static void refuse(struct refusals *refusals, uint32_t line, size_t column, const char *reason)
{
    if (refusals != NULL) {
        refusals_add(refusals, line, column, reason);
    }
}

/* One row of the file into the batch or to the refusals. */
static enum err row_read(struct import_batch *batch, struct import_rows *rows,
                         struct refusals *refusals, size_t *bytes, bool *more, struct errmsg *msg)
{
    struct csv_row row;
    struct errmsg reason = {""};
    int32_t day;
    *more = false;
    enum err err = csv_next(&rows->csv, &row, more, &reason);
    if (err == ERR_INVALID) {
        refuse(refusals, rows->csv.fault_line, rows->csv.fault_column, reason.text);
        *msg = reason;
        return csv_locate(&rows->csv, err, msg);
    }
    if (err == ERR_OK && !*more) {
        return ERR_OK;
    }
    *more = true;
    batch->passed++;
    if (err == ERR_OK) {
        err = row_check(&row, &day, &reason);
    }
    if (err != ERR_OK) {
        refuse(refusals, row.line, 0, reason.text);
        return ERR_OK;
    }
    return row_take(batch, rows, &row, day, bytes) == ERR_OK
               ? ERR_OK
               : err_fail(msg, ERR_NO_MEMORY, "out of memory for the rows of %s", rows->name);
}

enum err import_batch_fill(struct import_batch *batch, struct import_rows *rows,
                           struct refusals *refusals, struct errmsg *msg)
{
    size_t bytes = 0;
    bool more = true;
    import_batch_deinit(batch);
    import_batch_init(batch);
    while (more && batch->count < IMPORT_ROWS_MAX && bytes < IMPORT_REQUEST_BYTES) {
        TRY(row_read(batch, rows, refusals, &bytes, &more, msg));
    }
    return ERR_OK;
}

enum err import_rows_survey(struct import_rows *rows, struct import_batch *batch,
                            struct refusals *refusals, struct import_survey *out,
                            struct errmsg *msg)
{
    struct import_survey survey = {0};
    import_rows_rewind(rows);
    do {
        TRY(import_batch_fill(batch, rows, refusals, msg));
        survey.rows += batch->passed;
        survey.requests += batch->count > 0 ? 1 : 0;
        for (size_t i = 0; i < batch->count; i++) {
            survey.without_key += batch->rows[i].key[0] == '\0' ? 1 : 0;
        }
        if (survey.rows > IMPORT_FILE_ROWS_MAX) {
            return err_fail(msg, ERR_LIMIT, "%s has more than %d rows; split it", rows->name,
                            IMPORT_FILE_ROWS_MAX);
        }
    } while (batch->passed > 0);
    *out = survey;
    return ERR_OK;
}

/* ---- keys ---- */

struct key_use {
    struct id content;
    uint32_t line;
};

static struct id short_hash(const char *text, size_t len)
{
    struct hash hash = sha256(text, len);
    struct id id;
    memcpy(id.b, hash.b, sizeof id.b);
    return id;
}

/* Everything of a row but its key. */
static enum err row_content(const struct record_row *row, struct buf *scratch, struct id *out)
{
    buf_clear(scratch);
    buf_put_str(scratch, row->unit);
    buf_put_str(scratch, row->measure);
    buf_put_str(scratch, row->category);
    buf_put_str(scratch, row->value);
    buf_put_str(scratch, row->note);
    buf_put_u32(scratch, (uint32_t)row->day);
    if (scratch->failed) {
        return ERR_NO_MEMORY;
    }
    *out = short_hash((const char *)scratch->data, scratch->len);
    return ERR_OK;
}

static enum err key_check(struct map *seen, const struct record_row *row, struct buf *scratch,
                          struct refusals *refusals)
{
    struct id content;
    struct id key = short_hash(row->key, strlen(row->key));
    bool made;
    TRY(row_content(row, scratch, &content));
    struct key_use *use = map_put(seen, &key, &made);
    if (use == NULL) {
        return ERR_NO_MEMORY;
    }
    if (made) {
        *use = (struct key_use){.content = content, .line = row->line};
    } else if (!id_equal(&use->content, &content)) {
        struct errmsg reason;
        (void)err_fail(&reason, ERR_REFUSED,
                       "key \"%s\" stands for another row in line %u; give each "
                       "row its own key",
                       row->key, use->line);
        refusals_add(refusals, row->line, 0, reason.text);
    }
    return ERR_OK;
}

static enum err keys_pass(struct import_rows *rows, struct import_batch *batch, struct map *seen,
                          struct refusals *refusals, struct errmsg *msg)
{
    struct buf scratch;
    buf_init(&scratch, IMPORT_REQUEST_BYTES);
    enum err err;
    do {
        err = import_batch_fill(batch, rows, NULL, msg);
        for (size_t i = 0; i < batch->count && err == ERR_OK; i++) {
            bool own = batch->rows[i].key[0] != '\0';
            err = own ? key_check(seen, &batch->rows[i], &scratch, refusals) : ERR_OK;
            if (err != ERR_OK) {
                (void)err_fail(msg, err, "out of memory for the keys of %s", rows->name);
            }
        }
    } while (err == ERR_OK && batch->passed > 0);
    buf_deinit(&scratch);
    return err;
}

enum err import_rows_keys(struct import_rows *rows, struct import_batch *batch,
                          struct refusals *refusals, struct errmsg *msg)
{
    struct map seen;
    map_init(&seen, sizeof(struct id), sizeof(struct key_use));
    import_rows_rewind(rows);
    enum err err = keys_pass(rows, batch, &seen, refusals, msg);
    map_deinit(&seen);
    return err;
}

#include "client/import_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
static const struct csv_heading HEADING = {
    .names = NAMES, .name_count = COLUMNS, .required = 1, .others = true};
static const struct csv_heading HEADING_LONG = {
    .names = NAMES, .name_count = COLUMNS, .required = COLUMNS_REQUIRED};

/* ---- the file ---- */

static enum err fail_read(const struct import_rows *rows, struct errmsg *msg)
{
    return err_fail(msg, ERR_USAGE, "cannot read %s: %s", rows->name, strerror(errno));
}

static enum err read_some(void *ctx, void *out, size_t size, size_t *got, struct errmsg *msg)
{
    struct import_rows *rows = ctx;
    ssize_t n;
    do {
        n = read(rows->fd, out, size);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        return fail_read(rows, msg);
    }
    *got = (size_t)n;
    return ERR_OK;
}

/* What comes from a pipe is read once and kept, in a file without a name. */
static enum err keep_pipe(struct import_rows *rows, struct errmsg *msg)
{
    uint8_t *piece = rows->source.window;
    FILE *file = tmpfile();
    size_t got = 1;
    enum err err = file == NULL ? fail_read(rows, msg) : ERR_OK;
    while (err == ERR_OK && got > 0) {
        err = read_some(rows, piece, sizeof rows->source.window, &got, msg);
        if (err == ERR_OK && fwrite(piece, 1, got, file) != got) {
            err = err_fail(msg, ERR_USAGE, "cannot keep %s in a temporary file: %s", rows->name,
                           strerror(errno));
        }
    }
    if (err == ERR_OK && fflush(file) != 0) {
        err = err_fail(msg, ERR_USAGE, "cannot keep %s in a temporary file: %s", rows->name,
                       strerror(errno));
    }
    if (err == ERR_OK) {
        (void)close(rows->fd);
        rows->fd = dup(fileno(file));
        err = rows->fd < 0 ? fail_read(rows, msg) : ERR_OK;
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return err;
}

static enum err heading_read(struct import_rows *rows, struct errmsg *msg)
{
    enum err err = ERR_OK;
    rows->number = 0;
    if (lseek(rows->fd, 0, SEEK_SET) < 0) {
        return fail_read(rows, msg);
    }
    err = csv_init_from(&rows->csv, rows->name, &rows->source, &HEADING, msg);
    rows->wide = !csv_heading_names(&rows->csv, NAMES[COLUMN_MEASURE]) &&
                 !csv_heading_names(&rows->csv, NAMES[COLUMN_VALUE]) &&
                 (err != ERR_OK || rows->csv.other_count > 0);
    if (!rows->wide && err != ERR_USAGE) {
        /* With one of these columns others are mistakes. */
        err = lseek(rows->fd, 0, SEEK_SET) < 0
                  ? fail_read(rows, msg)
                  : csv_init_from(&rows->csv, rows->name, &rows->source, &HEADING_LONG, msg);
    }
    return err == ERR_OK || err == ERR_USAGE ? err : csv_locate(&rows->csv, err, msg);
}

enum err import_rows_open(struct import_rows *rows, const char *path, struct errmsg *msg)
{
    memset(rows, 0, sizeof *rows);
    rows->name = input_name(path);
    rows->source.read = read_some;
    rows->source.ctx = rows;
    rows->keys_per_pass = IMPORT_KEYS_PER_PASS;
    map_init(&rows->repeats, sizeof(int64_t), 1);
    rows->fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC);
    if (rows->fd < 0 || fstat(rows->fd, &rows->opened) != 0) {
        return fail_read(rows, msg);
    }
    if (!S_ISREG(rows->opened.st_mode)) {
        TRY(keep_pipe(rows, msg));
        if (fstat(rows->fd, &rows->opened) != 0) {
            return fail_read(rows, msg);
        }
    }
    return heading_read(rows, msg);
}

void import_rows_close(struct import_rows *rows)
{
    map_deinit(&rows->repeats);
    if (rows->fd >= 0) {
        (void)close(rows->fd);
    }
    rows->fd = -1;
}

enum err import_rows_rewind(struct import_rows *rows, struct errmsg *msg)
{
    struct stat now;
    if (fstat(rows->fd, &now) != 0) {
        return fail_read(rows, msg);
    }
    if (now.st_size != rows->opened.st_size || now.st_mtim.tv_sec != rows->opened.st_mtim.tv_sec ||
        now.st_mtim.tv_nsec != rows->opened.st_mtim.tv_nsec) {
        return err_fail(msg, ERR_USAGE, "%s has changed while it was read; give it again",
                        rows->name);
    }
    return heading_read(rows, msg);
}

enum err import_rows_derive_keys(struct import_rows *rows, struct errmsg *msg)
{
    struct sha256_pieces *pieces = sha256_begin();
    uint8_t *piece = rows->source.window;
    char hex[HASH_HEX_BYTES];
    size_t got = 1;
    enum err err = lseek(rows->fd, 0, SEEK_SET) < 0 ? fail_read(rows, msg) : ERR_OK;
    while (err == ERR_OK && got > 0) {
        err = read_some(rows, piece, sizeof rows->source.window, &got, msg);
        sha256_put(pieces, piece, err == ERR_OK ? got : 0);
    }
    struct hash hash = sha256_end(pieces);
    hash_format(&hash, hex);
    (void)snprintf(rows->key_stem, sizeof rows->key_stem, "import:%.*s:", STEM_HEX_LETTERS, hex);
    return err;
}

/* ---- rows ---- */

/* What all values of the row have in common. */
static enum err row_check(const struct csv_row *row, int32_t *day, struct errmsg *msg)
{
    TRY(checks_code("unit", row->fields[COLUMN_UNIT], msg));
    TRY(checks_day(row->fields[COLUMN_DATE], day, msg));
    TRY(checks_text("category", row->fields[COLUMN_CATEGORY], CATEGORY_MAX_BYTES, false, msg));
    TRY(checks_text("key", row->fields[COLUMN_KEY], KEY_MAX_BYTES, false, msg));
    return checks_text("note", row->fields[COLUMN_NOTE], NOTE_MAX_BYTES, true, msg);
}

/* One value of a row: of the long layout the only one. */
struct value {
    const struct csv_row *row;
    int32_t day;
    const char *measure;
    size_t measure_len;
    const char *category;
    size_t category_len;
    const char *text;
    const char *column; /* of the wide layout, else NULL */
};

/* The column "accounts[group=cadre]" names both. */
static struct value value_of(const struct import_rows *rows, const struct csv_row *row,
                             size_t other)
{
    struct value value = {.row = row};
    if (!rows->wide) {
        value.measure = row->fields[COLUMN_MEASURE];
        value.measure_len = strlen(value.measure);
        value.text = row->fields[COLUMN_VALUE];
    } else {
        value.column = rows->csv.others[other];
        value.measure = value.column;
        value.measure_len = strcspn(value.column, "[");
        value.text = row->fields[CSV_NAMES_MAX + other];
    }
    value.category = row->fields[COLUMN_CATEGORY];
    value.category_len = strlen(value.category);
    if (rows->wide && value.column[value.measure_len] == '[') {
        value.category = value.column + value.measure_len + 1;
        value.category_len = strlen(value.category) - 1;
    }
    return value;
}

static enum err value_check(const struct value *value, struct errmsg *msg)
{
    if (value->column == NULL) {
        TRY(checks_code("measure", value->measure, msg));
        return decimal_check(value->text, msg);
    }
    if (value->category != value->row->fields[COLUMN_CATEGORY] &&
        value->row->fields[COLUMN_CATEGORY][0] != '\0') {
        return err_fail(msg, ERR_USAGE, "column \"%.64s\" has a category, and so has the row",
                        value->column);
    }
    enum err err = decimal_check(value->text, msg);
    return err == ERR_OK ? ERR_OK : err_prefix(msg, err, "column \"%.64s\"", value->column);
}

/* The row's own key is one for all its values: each gets its column's name behind it. */
static const char *value_key(const struct import_rows *rows, const struct value *value,
                             struct arena *arena)
{
    const char *key = value->row->fields[COLUMN_KEY];
    const char *colon = value->column == NULL ? "" : ":";
    const char *column = value->column == NULL ? "" : value->column;
    if (key[0] != '\0') {
        return arena_printf(arena, "%s%s%s", key, colon, column);
    }
    if (rows->key_stem[0] == '\0') {
        return arena_str(arena, "");
    }
    return arena_printf(arena, "%s%u%s%s", rows->key_stem, value->row->line, colon, column);
}

static enum err value_take(struct import_batch *batch, const struct import_rows *rows,
                           const struct value *value, size_t *bytes)
{
    struct arena *arena = &batch->arena;
    struct record_row row = {
        .line = value->row->line,
        .day = value->day,
        .unit = arena_str(arena, value->row->fields[COLUMN_UNIT]),
        .measure = arena_strn(arena, value->measure, value->measure_len),
        .category = arena_strn(arena, value->category, value->category_len),
        .value = arena_str(arena, value->text),
        .key = value_key(rows, value, arena),
        .note = arena_str(arena, value->row->fields[COLUMN_NOTE]),
    };
    if (row.unit == NULL || row.measure == NULL || row.category == NULL || row.value == NULL ||
        row.key == NULL || row.note == NULL) {
        return ERR_NO_MEMORY;
    }
    *bytes += ROW_OVERHEAD_BYTES + strlen(row.unit) + strlen(row.measure) + strlen(row.category) +
              strlen(row.value) + strlen(row.key) + strlen(row.note);
    batch->numbers[batch->count] = rows->number - 1;
    batch->rows[batch->count++] = row;
    return ERR_OK;
}

void import_batch_init(struct import_batch *batch)
{
    arena_init(&batch->arena, ARENA_MAX_BYTES);
    batch->count = 0;
    batch->passed = 0;
    batch->repeated = 0;
    batch->ended = false;
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

/* One value into the batch, or to the refusals. */
static enum err value_read(struct import_batch *batch, struct import_rows *rows,
                           struct refusals *refusals, const struct value *value, size_t *bytes)
{
    struct errmsg reason = {""};
    int64_t number = rows->number++;
    batch->passed++;
    if (map_get(&rows->repeats, &number) != NULL) {
        batch->repeated++;
        return ERR_OK;
    }
    if (value_check(value, &reason) != ERR_OK) {
        refuse(refusals, value->row->line, 0, reason.text);
        return ERR_OK;
    }
    const char *key = value->row->fields[COLUMN_KEY];
    size_t len = strlen(key) + (value->column == NULL ? 0 : 1 + strlen(value->column));
    if (key[0] != '\0' && len > KEY_MAX_BYTES) {
        (void)err_fail(&reason, ERR_USAGE, "the key with \":%.64s\" is longer than %d bytes",
                       value->column, KEY_MAX_BYTES);
        refuse(refusals, value->row->line, 0, reason.text);
        return ERR_OK;
    }
    return value_take(batch, rows, value, bytes);
}

/* The values of a row: fields that are empty in the wide layout are none. */
static enum err values_read(struct import_batch *batch, struct import_rows *rows,
                            struct refusals *refusals, const struct csv_row *row, int32_t day,
                            size_t *bytes)
{
    size_t columns = rows->wide ? rows->csv.other_count : 1;
    for (size_t i = 0; i < columns; i++) {
        struct value value = value_of(rows, row, i);
        value.day = day;
        if (!rows->wide || value.text[0] != '\0') {
            TRY(value_read(batch, rows, refusals, &value, bytes));
        }
    }
    return ERR_OK;
}

/* One row of the file. */
static enum err row_read(struct import_batch *batch, struct import_rows *rows,
                         struct refusals *refusals, size_t *bytes, struct errmsg *msg)
{
    struct csv_row row;
    struct errmsg reason = {""};
    int32_t day = DAY_NONE;
    bool more = false;
    enum err err = csv_next(&rows->csv, &row, &more, &reason);
    if (err != ERR_OK && err != ERR_REFUSED) {
        *msg = reason;
        if (err != ERR_INVALID) {
            return err;
        }
        refuse(refusals, rows->csv.fault_line, rows->csv.fault_column, reason.text);
        return csv_locate(&rows->csv, err, msg);
    }
    if (err == ERR_OK && !more) {
        batch->ended = true;
        return ERR_OK;
    }
    if (err == ERR_OK) {
        err = row_check(&row, &day, &reason);
    }
    if (err != ERR_OK) {
        rows->number++;
        batch->passed++;
        refuse(refusals, row.line, 0, reason.text);
        return ERR_OK;
    }
    return values_read(batch, rows, refusals, &row, day, bytes) == ERR_OK
               ? ERR_OK
               : err_fail(msg, ERR_NO_MEMORY, "out of memory for the rows of %s", rows->name);
}

enum err import_batch_fill(struct import_batch *batch, struct import_rows *rows,
                           struct refusals *refusals, struct errmsg *msg)
{
    size_t bytes = 0;
    size_t columns = rows->wide ? rows->csv.other_count : 1;
    import_batch_deinit(batch);
    import_batch_init(batch);
    while (!batch->ended && batch->count + columns <= IMPORT_ROWS_MAX &&
           bytes < IMPORT_REQUEST_BYTES) {
        TRY(row_read(batch, rows, refusals, &bytes, msg));
    }
    return ERR_OK;
}

enum err import_rows_survey(struct import_rows *rows, struct import_batch *batch,
                            struct refusals *refusals, struct import_survey *out,
                            struct errmsg *msg)
{
    struct import_survey survey = {0};
    TRY(import_rows_rewind(rows, msg));
    do {
        TRY(import_batch_fill(batch, rows, refusals, msg));
        survey.rows += batch->passed;
        survey.requests += batch->count > 0 ? 1 : 0;
        for (size_t i = 0; i < batch->count; i++) {
            survey.without_key += batch->rows[i].key[0] == '\0' ? 1 : 0;
        }
        if (survey.rows > IMPORT_FILE_VALUES_MAX) {
            return err_fail(msg, ERR_LIMIT, "%s has more than %d values; split it", rows->name,
                            IMPORT_FILE_VALUES_MAX);
        }
    } while (!batch->ended);
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

/* A pass over those keys whose hash falls to it. */
struct keys_pass {
    struct import_rows *rows;
    struct refusals *refusals;
    struct map seen;
    struct buf scratch;
    uint64_t part;
    uint64_t parts;
    struct map *repeats; /* NULL: not asked for */
};

static enum err key_check(struct keys_pass *pass, const struct record_row *row, int64_t number)
{
    struct id content;
    struct id key = short_hash(row->key, strlen(row->key));
    uint64_t share;
    bool made;
    memcpy(&share, key.b, sizeof share);
    if (share % pass->parts != pass->part) {
        return ERR_OK;
    }
    TRY(row_content(row, &pass->scratch, &content));
    struct key_use *use = map_put(&pass->seen, &key, &made);
    if (use == NULL) {
        return ERR_NO_MEMORY;
    }
    if (made) {
        *use = (struct key_use){.content = content, .line = row->line};
        return ERR_OK;
    }
    if (!id_equal(&use->content, &content)) {
        struct errmsg reason;
        (void)err_fail(&reason, ERR_REFUSED,
                       "key \"%s\" stands for another row in line %u; give each "
                       "row its own key",
                       row->key, use->line);
        refusals_add(pass->refusals, row->line, 0, reason.text);
        return ERR_OK;
    }
    return pass->repeats == NULL || map_put(pass->repeats, &number, NULL) != NULL ? ERR_OK
                                                                                  : ERR_NO_MEMORY;
}

static enum err keys_of_part(struct keys_pass *pass, struct import_batch *batch, struct errmsg *msg)
{
    struct import_rows *rows = pass->rows;
    enum err err = import_rows_rewind(rows, msg);
    while (err == ERR_OK && !batch->ended) {
        err = import_batch_fill(batch, rows, NULL, msg);
        for (size_t i = 0; i < batch->count && err == ERR_OK; i++) {
            bool own = batch->rows[i].key[0] != '\0';
            err = own ? key_check(pass, &batch->rows[i], batch->numbers[i]) : ERR_OK;
            if (err != ERR_OK) {
                (void)err_fail(msg, err, "out of memory for the keys of %s", rows->name);
            }
        }
    }
    return err;
}

enum err import_rows_keys(struct import_rows *rows, struct import_batch *batch,
                          const struct import_survey *survey, bool repeats,
                          struct refusals *refusals, struct errmsg *msg)
{
    int64_t keys = survey->rows - survey->without_key;
    struct map found;
    struct keys_pass pass = {.rows = rows,
                             .refusals = refusals,
                             .parts = (uint64_t)(keys / rows->keys_per_pass) + 1,
                             .repeats = repeats ? &found : NULL};
    enum err err = ERR_OK;
    map_init(&found, sizeof(int64_t), 1);
    buf_init(&pass.scratch, IMPORT_REQUEST_BYTES);
    for (; pass.part < pass.parts && err == ERR_OK && keys > 0; pass.part++) {
        map_init(&pass.seen, sizeof(struct id), sizeof(struct key_use));
        batch->ended = false;
        err = keys_of_part(&pass, batch, msg);
        map_deinit(&pass.seen);
    }
    buf_deinit(&pass.scratch);
    map_deinit(&rows->repeats); /* only now: those that are left out have no number in a batch */
    rows->repeats = found;
    return err;
}

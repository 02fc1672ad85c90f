#include "client/unit_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/sha256.h"
#include "client/checks.h"
#include "client/csv.h"
#include "client/input.h"

enum { COLUMN_NAME, COLUMN_LEVEL, COLUMN_CODE, COLUMN_PARENT, COLUMNS };
enum { ARENA_MAX_BYTES = 128 << 20 };

static const char *const NAMES[COLUMNS] = {"name", "level", "code", "parent"};
/* Where codes are issued, the file needs none. */
static const struct csv_heading HEADING = {.names = NAMES, .name_count = COLUMNS, .required = 3};
static const struct csv_heading ISSUED = {.names = NAMES, .name_count = COLUMNS, .required = 2};

static enum err fail_memory(const struct unit_rows *rows, struct errmsg *msg)
{
    return err_fail(msg, ERR_NO_MEMORY, "out of memory for the units of %s", rows->name);
}

/* ---- reading ---- */

static enum err row_check(const struct csv_row *row, bool issued, struct errmsg *msg)
{
    bool blank = issued && row->fields[COLUMN_CODE][0] == '\0';
    TRY(blank ? ERR_OK : checks_code("code", row->fields[COLUMN_CODE], msg));
    TRY(checks_text("name", row->fields[COLUMN_NAME], NAME_MAX_BYTES, false, msg));
    TRY(checks_code("level", row->fields[COLUMN_LEVEL], msg));
    if (row->fields[COLUMN_NAME][0] == '\0') {
        return err_fail(msg, ERR_USAGE, "the name is empty");
    }
    return row->fields[COLUMN_PARENT][0] == '\0'
               ? ERR_OK
               : checks_code("parent", row->fields[COLUMN_PARENT], msg);
}

static enum err row_add(struct unit_rows *rows, const struct csv_row *row, struct errmsg *msg)
{
    if (rows->count == UNIT_ROWS_MAX) {
        return err_fail(msg, ERR_LIMIT, "%s has more than %d units; split it", rows->name,
                        UNIT_ROWS_MAX);
    }
    struct unit_new unit = {
        .line = row->line,
        .code = arena_str(&rows->arena, row->fields[COLUMN_CODE]),
        .name = arena_str(&rows->arena, row->fields[COLUMN_NAME]),
        .level = arena_str(&rows->arena, row->fields[COLUMN_LEVEL]),
        .parent = arena_str(&rows->arena, row->fields[COLUMN_PARENT]),
    };
    if (unit.code == NULL || unit.name == NULL || unit.level == NULL || unit.parent == NULL) {
        return fail_memory(rows, msg);
    }
    rows->units[rows->count++] = unit;
    return ERR_OK;
}

static enum err read_rows(struct unit_rows *rows, struct csv *csv, struct refusals *refusals,
                          struct errmsg *msg)
{
    bool more = true;
    while (more) {
        struct csv_row row;
        struct errmsg reason = {""};
        enum err err = csv_next(csv, &row, &more, &reason);
        if (err == ERR_INVALID) {
            *msg = reason;
            return csv_locate(csv, err, msg);
        }
        if (err == ERR_OK && !more) {
            return ERR_OK;
        }
        if (err == ERR_OK) {
            err = row_check(&row, rows->issued, &reason);
        }
        if (err != ERR_OK) {
            refusals_add(refusals, row.line, 0, reason.text);
            more = true;
            continue;
        }
        TRY(row_add(rows, &row, msg));
    }
    return ERR_OK;
}

static enum err read_text(struct unit_rows *rows, const struct buf *text, struct refusals *refusals,
                          struct errmsg *msg)
{
    static struct csv csv; /* too large for the stack */
    struct bytes data = {text->data, text->len};
    enum err err = csv_init(&csv, rows->name, data, rows->issued ? &ISSUED : &HEADING, msg);
    if (err != ERR_OK) {
        return csv_locate(&csv, err, msg);
    }
    rows->units = calloc(UNIT_ROWS_MAX, sizeof *rows->units);
    if (rows->units == NULL) {
        return fail_memory(rows, msg);
    }
    return read_rows(rows, &csv, refusals, msg);
}

/* ---- the order ---- */

static struct hash code_key(const char *code)
{
    return sha256(code, strlen(code));
}

/* From codes to places; a code that comes twice is refused. */
static enum err index_make(const struct unit_rows *rows, struct map *index,
                           struct refusals *refusals)
{
    for (size_t i = 0; i < rows->count; i++) {
        const struct unit_new *unit = &rows->units[i];
        struct hash key = code_key(unit->code);
        bool made;
        if (unit->code[0] == '\0') {
            continue; /* nobody's parent */
        }
        int32_t *at = map_put(index, &key, &made);
        if (at == NULL) {
            return ERR_NO_MEMORY;
        }
        if (!made) {
            struct errmsg reason;
            (void)err_fail(&reason, ERR_REFUSED, "the code \"%s\" stands in line %u already",
                           unit->code, rows->units[*at].line);
            refusals_add(refusals, unit->line, 0, reason.text);
            continue;
        }
        *at = (int32_t)i;
    }
    return ERR_OK;
}

static void parents_find(const struct unit_rows *rows, const struct map *index, int32_t *parents)
{
    for (size_t i = 0; i < rows->count; i++) {
        const char *parent = rows->units[i].parent;
        struct hash key = code_key(parent);
        const int32_t *at = parent[0] == '\0' ? NULL : map_get(index, &key);
        parents[i] = at == NULL ? UNIT_ROW_NONE : *at;
    }
}

/* Where the units go: `place` of each in the new order. */
struct order {
    const int32_t *parents;
    int32_t *place; /* -1: not yet; -2: on the way up from the unit at hand */
    int32_t *path;
    int32_t placed;
};

/* Places a unit behind all above it; false when it lies below itself. */
static bool place_unit(struct order *order, int32_t unit)
{
    size_t depth = 0;
    for (int32_t at = unit; at != UNIT_ROW_NONE && order->place[at] < 0; at = order->parents[at]) {
        if (order->place[at] == -2) {
            return false;
        }
        order->place[at] = -2;
        order->path[depth++] = at;
    }
    while (depth > 0) {
        order->place[order->path[--depth]] = order->placed++;
    }
    return true;
}

static enum err order_find(const struct unit_rows *rows, struct order *order,
                           struct refusals *refusals)
{
    for (size_t i = 0; i < rows->count; i++) {
        order->place[i] = -1;
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (!place_unit(order, (int32_t)i)) {
            struct errmsg reason;
            (void)err_fail(&reason, ERR_REFUSED, "the unit \"%s\" would lie below itself",
                           rows->units[i].code);
            refusals_add(refusals, rows->units[i].line, 0, reason.text);
            return ERR_OK; /* the others of the ring would be the same complaint */
        }
    }
    return ERR_OK;
}

/* Puts units and parents into the new order. */
static enum err order_apply(struct unit_rows *rows, const struct order *order)
{
    struct unit_new *units = calloc(rows->count + 1, sizeof *units);
    int32_t *parents = calloc(rows->count + 1, sizeof *parents);
    if (units == NULL || parents == NULL) {
        free(units);
        free(parents);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < rows->count; i++) {
        int32_t parent = order->parents[i];
        units[order->place[i]] = rows->units[i];
        parents[order->place[i]] = parent == UNIT_ROW_NONE ? UNIT_ROW_NONE : order->place[parent];
    }
    free(rows->units);
    free(rows->parents);
    rows->units = units;
    rows->parents = parents;
    return ERR_OK;
}

static enum err order_make(struct unit_rows *rows, struct map *index, int32_t *space,
                           struct refusals *refusals)
{
    size_t count = rows->count + 1;
    struct order order = {
        .parents = space, .place = space + count, .path = space + 2 * count, .placed = 0};
    TRY(index_make(rows, index, refusals));
    parents_find(rows, index, space);
    if (refusals->total > 0) {
        return ERR_OK;
    }
    TRY(order_find(rows, &order, refusals));
    return refusals->total > 0 ? ERR_OK : order_apply(rows, &order);
}

enum err unit_rows_order(struct unit_rows *rows, struct refusals *refusals, struct errmsg *msg)
{
    struct map index;
    map_init(&index, sizeof(struct hash), sizeof(int32_t));
    int32_t *space = calloc(3 * (rows->count + 1), sizeof *space);
    enum err err = space == NULL ? ERR_NO_MEMORY : order_make(rows, &index, space, refusals);
    free(space);
    map_deinit(&index);
    return err == ERR_OK ? ERR_OK : fail_memory(rows, msg);
}

/* ---- what others call ---- */

enum err unit_rows_open(struct unit_rows *rows, const char *path, bool issued,
                        struct refusals *refusals, struct errmsg *msg)
{
    struct buf text;
    *rows = (struct unit_rows){.name = input_name(path), .issued = issued};
    arena_init(&rows->arena, ARENA_MAX_BYTES);
    buf_init(&text, UNIT_FILE_MAX_BYTES);
    enum err err = input_read(path, &text, msg);
    if (err == ERR_OK) {
        err = read_text(rows, &text, refusals, msg);
    }
    buf_deinit(&text);
    TRY(err);
    return refusals->total > 0 ? ERR_OK : unit_rows_order(rows, refusals, msg);
}

void unit_rows_close(struct unit_rows *rows)
{
    free(rows->units);
    free(rows->parents);
    arena_reset(&rows->arena);
    *rows = (struct unit_rows){0};
}

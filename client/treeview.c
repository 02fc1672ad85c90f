#include "client/treeview.h"
#include "client/language.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/sha256.h"

enum { ARENA_MAX_BYTES = 256 << 20, ROWS_MAX = 1 << 20 };

/* A row with its place: children are a list through `next`. */
struct unit {
    struct tree_row row;
    int32_t first;
    int32_t last;
    int32_t next;
    bool placed;
    struct libscols_line *line;
};

struct treeview {
    struct arena arena;
    struct unit *units;
    int32_t count;
    int32_t cap;
    bool failed;
};

struct treeview *treeview_new(void)
{
    struct treeview *view = calloc(1, sizeof *view);
    if (view != NULL) {
        arena_init(&view->arena, ARENA_MAX_BYTES);
    }
    return view;
}

static bool room(struct treeview *view)
{
    if (view->count < view->cap) {
        return true;
    }
    int32_t cap = view->cap == 0 ? 256 : view->cap * 2;
    struct unit *units = cap > ROWS_MAX ? NULL : realloc(view->units, (size_t)cap * sizeof *units);
    if (units == NULL) {
        return false;
    }
    view->units = units;
    view->cap = cap;
    return true;
}

void treeview_add(struct treeview *view, const struct tree_row *row)
{
    if (view == NULL || view->failed) {
        return;
    }
    if (!room(view)) {
        view->failed = true;
        return;
    }
    struct unit *unit = &view->units[view->count++];
    *unit = (struct unit){.row = *row, .first = -1, .last = -1, .next = -1};
    unit->row.unit = arena_str(&view->arena, row->unit);
    unit->row.name = arena_str(&view->arena, row->name);
    unit->row.level = arena_str(&view->arena, row->level);
    unit->row.parent = arena_str(&view->arena, row->parent);
    view->failed = unit->row.unit == NULL || unit->row.name == NULL || unit->row.level == NULL ||
                   unit->row.parent == NULL;
}

/* ---- who lies below whom ---- */

static struct hash code_key(const char *code)
{
    return sha256(code, strlen(code));
}

/* From a unit's code to its row; of several rows, the last one. */
static bool index_make(struct treeview *view, struct map *index)
{
    for (int32_t i = 0; i < view->count; i++) {
        struct hash key = code_key(view->units[i].row.unit);
        int32_t *at = map_put(index, &key, NULL);
        if (at == NULL) {
            return false;
        }
        *at = i;
    }
    return true;
}

static void children_link(struct treeview *view, const struct map *index)
{
    for (int32_t i = 0; i < view->count; i++) {
        struct hash key = code_key(view->units[i].row.parent);
        const int32_t *parent = map_get(index, &key);
        if (parent == NULL || *parent == i) {
            continue;
        }
        struct unit *above = &view->units[*parent];
        if (above->last == -1) {
            above->first = i;
        } else {
            view->units[above->last].next = i;
        }
        above->last = i;
        view->units[i].placed = true; /* below somebody, if only in a ring */
    }
}

/* ---- drawing ---- */

static const struct output_column COLUMNS[] = {
    {.name = N_("UNIT"), .tree = true},
    {.name = N_("NAME"), .wrap = true},
    {.name = N_("LEVEL")},
    {.name = N_("NODE")},
    {.name = N_("EXACT AS OF")},
};

static void draw_unit(struct output_table *table, struct unit *unit, struct libscols_line *parent)
{
    const struct tree_row *row = &unit->row;
    char when[OUTPUT_CELL_BYTES];
    const char *state = row->self ? _("this node") : row->node ? language_state(row->state) : "";
    const char *never = row->node && !row->self ? _("never") : "";
    const char *cells[] = {row->unit, row->name, row->level, state,
                           row->self ? "" : output_time(row->exact_as_of, never, when)};
    unit->line = output_table_branch(table, parent, cells);
}

/* Breadth first from one top unit; `queue` has room for all. */
static void draw_from(struct treeview *view, struct output_table *table, int32_t top,
                      int32_t *queue)
{
    size_t head = 0;
    size_t tail = 0;
    draw_unit(table, &view->units[top], NULL);
    queue[tail++] = top;
    while (head < tail) {
        const struct unit *unit = &view->units[queue[head++]];
        for (int32_t i = unit->first; i != -1; i = view->units[i].next) {
            if (view->units[i].line == NULL && tail < (size_t)view->count) {
                draw_unit(table, &view->units[i], unit->line);
                queue[tail++] = i;
            }
        }
    }
}

static bool draw(struct treeview *view, struct output_table *table)
{
    int32_t *queue = calloc((size_t)view->count + 1, sizeof *queue);
    struct map index;
    map_init(&index, sizeof(struct hash), sizeof(int32_t));
    bool done = queue != NULL && index_make(view, &index);
    if (done) {
        children_link(view, &index);
        for (int32_t i = 0; i < view->count; i++) {
            if (!view->units[i].placed) {
                draw_from(view, table, i, queue);
            }
        }
        /* What hangs together in a ring has no top; it is shown nevertheless. */
        for (int32_t i = 0; i < view->count; i++) {
            if (view->units[i].line == NULL) {
                draw_from(view, table, i, queue);
            }
        }
    }
    map_deinit(&index);
    free(queue);
    return done;
}

enum err treeview_end(struct treeview *view, struct errmsg *msg)
{
    if (view == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "out of memory for the tree");
    }
    struct output_table *table = output_table_new(COLUMNS, sizeof COLUMNS / sizeof *COLUMNS);
    bool done = table != NULL && !view->failed && draw(view, table);
    arena_reset(&view->arena);
    free(view->units);
    free(view);
    TRY(output_table_end(table, msg));
    return done ? ERR_OK : err_fail(msg, ERR_NO_MEMORY, "out of memory for the tree");
}

json_t *treeview_json(const struct tree_row *row)
{
    return json_pack("{s:s, s:s, s:s, s:o, s:b, s:o, s:o, s:b, s:o, s:o}", "unit", row->unit,
                     "name", row->name, "level", row->level, "parent",
                     output_json_text(row->parent), "node", row->node ? 1 : 0, "state",
                     row->node ? json_string(link_state_name(row->state)) : json_null(),
                     "exact_as_of", output_json_time(row->exact_as_of), "self", row->self ? 1 : 0,
                     "from", output_json_day(row->from), "to", output_json_day(row->to));
}

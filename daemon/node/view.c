#include "node/view.h"

#include <stdlib.h>
#include <string.h>

#include "base/text.h"

enum { PAGE = 256 };

void view_init(struct view *view, struct store *store)
{
    *view = (struct view){.store = store, .self = TREE_NONE, .tree_version = -1};
    map_init(&view->tree.by_id, sizeof(int64_t), sizeof(int));
    map_init(&view->tree.by_code, sizeof(uint64_t), sizeof(int));
    map_init(&view->tree.awaited, sizeof(uint64_t), 1);
    map_init(&view->measure_by_id, sizeof(int64_t), sizeof(int));
    arena_init(&view->tree.arena, (size_t)256 << 20);
    arena_init(&view->catalogue_arena, (size_t)16 << 20);
}

static void tree_clear(struct tree *tree)
{
    map_clear(&tree->by_id);
    map_clear(&tree->by_code);
    map_clear(&tree->awaited);
    tree->awaits_more = false;
    arena_reset(&tree->arena);
    tree->count = 0;
}

void view_deinit(struct view *view)
{
    tree_clear(&view->tree);
    map_deinit(&view->tree.by_id);
    map_deinit(&view->tree.by_code);
    map_deinit(&view->tree.awaited);
    free(view->tree.units);
    map_deinit(&view->measure_by_id);
    arena_reset(&view->catalogue_arena);
}

void edges_encode(const struct unit_edge *edges, size_t count, struct buf *out)
{
    buf_put_u32(out, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(out, edges[i].parent);
        buf_put_i64(out, edges[i].from);
        buf_put_i64(out, edges[i].to);
    }
}

enum err edges_decode(struct bytes bytes, struct arena *arena, const struct unit_edge **out,
                      size_t *count)
{
    struct cur cur = cur_over(bytes.data, bytes.len);
    size_t n = cur_u32(&cur);
    if (n > EDGES_MAX) {
        return ERR_CORRUPT;
    }
    struct unit_edge *edges = arena_array(arena, n, sizeof *edges);
    if (edges == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        struct bytes parent = cur_blob(&cur);
        edges[i].parent =
            parent.data == NULL ? "" : arena_strn(arena, (const char *)parent.data, parent.len);
        edges[i].from = (int32_t)cur_i64(&cur);
        edges[i].to = (int32_t)cur_i64(&cur);
        if (edges[i].parent == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    if (!cur_done(&cur)) {
        return ERR_CORRUPT;
    }
    *out = edges;
    *count = n;
    return ERR_OK;
}

int view_unit(const struct view *view, int64_t id)
{
    const int *place = map_get(&view->tree.by_id, &id);
    return place == NULL ? TREE_NONE : *place;
}

int view_unit_by_code(const struct view *view, const char *code)
{
    uint64_t hash = map_hash(code, strlen(code));
    const int *first = map_get(&view->tree.by_code, &hash);
    int place = first == NULL ? TREE_NONE : *first;
    while (place != TREE_NONE && strcmp(view->tree.units[place].code, code) != 0) {
        place = view->tree.units[place].twin;
    }
    return place;
}

/* The parent as the last edge says; units whose parent is not known here are tops. */
static void link_parent(struct view *view, struct unit *unit)
{
    const char *code = unit->edge_count == 0 ? "" : unit->edges[unit->edge_count - 1].parent;
    unit->parent = code[0] == '\0' ? TREE_NONE : view_unit_by_code(view, code);
    if (code[0] != '\0' && unit->parent == TREE_NONE) {
        uint64_t hash = map_hash(code, strlen(code));
        struct tree *tree = &view->tree;
        tree->awaits_more = tree->awaits_more || map_put(&tree->awaited, &hash, NULL) == NULL;
    }
}

/* Whether there may be units that name this one as their parent, before it came. */
static bool was_awaited(struct tree *tree, const char *code)
{
    uint64_t hash = map_hash(code, strlen(code));
    return tree->awaits_more || map_get(&tree->awaited, &hash) != NULL;
}

static bool reserve(struct tree *tree)
{
    if (tree->count < tree->cap) {
        return true;
    }
    size_t cap = tree->cap == 0 ? 16 : tree->cap * 2;
    struct unit *units = realloc(tree->units, cap * sizeof *units);
    if (units == NULL) {
        return false;
    }
    tree->units = units;
    tree->cap = cap;
    return true;
}

/* A new unit, which has nothing yet but its symbol and its code. */
static enum err add_unit(struct tree *tree, int64_t id, const char *code, int *place)
{
    bool made;
    uint64_t hash = map_hash(code, strlen(code));
    const char *copy = arena_str(&tree->arena, code);
    if (tree->count >= UNITS_MAX) {
        return ERR_LIMIT;
    }
    int *by_code = copy == NULL ? NULL : map_put(&tree->by_code, &hash, &made);
    int *by_id = by_code != NULL && reserve(tree) ? map_put(&tree->by_id, &id, NULL) : NULL;
    if (by_id == NULL) {
        return ERR_NO_MEMORY;
    }
    *place = (int)tree->count++;
    tree->units[*place] = (struct unit){
        .id = id, .code = copy, .parent = TREE_NONE, .twin = made ? TREE_NONE : *by_code};
    *by_code = *place;
    *by_id = *place;
    return ERR_OK;
}

static enum err put(struct view *view, const struct store_unit *row, const char *code, bool *made)
{
    struct tree *tree = &view->tree;
    int place = view_unit(view, row->code);
    *made = place == TREE_NONE;
    if (*made) {
        TRY(add_unit(tree, row->code, code, &place));
    }
    struct unit *unit = &tree->units[place];
    unit->name = arena_str(&tree->arena, row->name);
    unit->level = arena_str(&tree->arena, row->level);
    if (unit->name == NULL || unit->level == NULL) {
        return ERR_NO_MEMORY;
    }
    return edges_decode(row->edges, &tree->arena, &unit->edges, &unit->edge_count);
}

enum err view_put_unit(struct view *view, const struct store_unit *row, const char *code)
{
    bool made;
    TRY(put(view, row, code, &made));
    link_parent(view, &view->tree.units[view_unit(view, row->code)]);
    bool late = made && was_awaited(&view->tree, code);
    /* A unit that came after its children: they were tops until now. */
    for (size_t i = 0; late && i < view->tree.count; i++) {
        struct unit *unit = &view->tree.units[i];
        if (unit->parent == TREE_NONE && unit->id != row->code) {
            link_parent(view, unit);
        }
    }
    return ERR_OK;
}

void view_put_hosting(struct view *view, const struct store_hosting *row)
{
    int place = view_unit(view, row->unit);
    if (place != TREE_NONE) {
        struct unit *unit = &view->tree.units[place];
        unit->hosting = !row->revoked;
        unit->number = row->number;
        unit->node = row->node;
        unit->origin = row->origin;
    }
}

static enum err load_units(struct view *view)
{
    struct arena arena;
    struct store_unit rows[PAGE];
    size_t n = PAGE;
    enum err err = ERR_OK;
    arena_init(&arena, (size_t)8 << 20);
    for (int64_t after = 0; err == ERR_OK && n == PAGE; after = rows[n > 0 ? n - 1 : 0].code) {
        arena_reset(&arena);
        err = store_units(view->store, after, &arena, rows, PAGE, &n);
        for (size_t i = 0; err == ERR_OK && i < n; i++) {
            const char *code;
            bool made;
            err = store_symbol_text(view->store, rows[i].code, &arena, &code);
            err = err == ERR_OK ? put(view, &rows[i], code, &made) : err;
        }
    }
    arena_reset(&arena);
    for (size_t i = 0; i < view->tree.count; i++) {
        link_parent(view, &view->tree.units[i]);
    }
    return err;
}

static enum err load_hostings(struct view *view)
{
    struct store_hosting rows[PAGE];
    size_t n = PAGE;
    for (int64_t after = 0; n == PAGE; after = rows[n > 0 ? n - 1 : 0].unit) {
        TRY(store_hostings(view->store, after, rows, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            view_put_hosting(view, &rows[i]);
        }
    }
    return ERR_OK;
}

static enum err load_tree(struct view *view, int64_t version)
{
    int64_t self;
    tree_clear(&view->tree);
    TRY(load_units(view));
    TRY(load_hostings(view));
    TRY(store_fact_int(view->store, "unit", 0, &self));
    view->self = view_unit(view, self);
    view->tree_version = version;
    return view->self == TREE_NONE ? ERR_CORRUPT : ERR_OK;
}

enum err view_set_catalogue(struct view *view, uint64_t version, struct bytes content,
                            struct errmsg *msg)
{
    struct arena arena;
    struct catalogue catalogue;
    arena_init(&arena, (size_t)16 << 20);
    enum err err = catalogue_decode(content, &arena, &catalogue, msg);
    int64_t *ids =
        err == ERR_OK ? arena_array(&arena, catalogue.measure_count + 1, sizeof *ids) : NULL;
    if (err == ERR_OK && ids == NULL) {
        err = ERR_NO_MEMORY;
    }
    for (size_t i = 0; err == ERR_OK && i < catalogue.measure_count; i++) {
        err = store_symbol_find(view->store, catalogue.measures[i].code, &ids[i]);
    }
    if (err != ERR_OK) {
        arena_reset(&arena);
        return err;
    }
    arena_reset(&view->catalogue_arena);
    view->catalogue_arena = arena;
    view->catalogue = catalogue;
    view->catalogue.version = version;
    view->measure_ids = ids;
    map_clear(&view->measure_by_id);
    for (size_t i = 0; i < catalogue.measure_count; i++) {
        int *slot = map_put(&view->measure_by_id, &ids[i], NULL);
        if (slot == NULL) {
            return ERR_NO_MEMORY;
        }
        *slot = (int)i;
    }
    return ERR_OK;
}

static void clear_catalogue(struct view *view)
{
    arena_reset(&view->catalogue_arena);
    view->catalogue = (struct catalogue){.version = 0};
    view->measure_ids = NULL;
    map_clear(&view->measure_by_id);
}

static enum err load_catalogue(struct view *view, uint64_t version, struct errmsg *msg)
{
    struct arena arena;
    struct bytes content;
    arena_init(&arena, (size_t)2 << 20);
    enum err err = store_fact_blob(view->store, "catalogue", &arena, &content);
    err = err == ERR_OK ? view_set_catalogue(view, version, content, msg) : err;
    arena_reset(&arena);
    return err;
}

enum err view_load(struct view *view, struct errmsg *msg)
{
    int64_t tree_version;
    int64_t catalogue_version;
    TRY(store_fact_int(view->store, "tree_version", 0, &tree_version));
    TRY(store_fact_int(view->store, "catalogue_version", 0, &catalogue_version));
    if (tree_version != view->tree_version) {
        enum err err = load_tree(view, tree_version);
        if (err != ERR_OK) {
            view->tree_version = -1;
            const char *why = store_error(view->store);
            return err_fail(msg, err, "the units in the database cannot be read: %s",
                            why[0] != '\0' ? why
                                           : "the own unit, or the code of a unit, is missing");
        }
    }
    if ((uint64_t)catalogue_version == view->catalogue.version) {
        return ERR_OK;
    }
    if (catalogue_version == 0) {
        clear_catalogue(view); /* the first one was taken back */
        return ERR_OK;
    }
    return load_catalogue(view, (uint64_t)catalogue_version, msg);
}

int64_t view_hosting_bound(const struct view *view, int unit)
{
    int64_t bound = 0;
    for (int depth = 0; unit != TREE_NONE && depth <= TREE_DEPTH_MAX; depth++) {
        int64_t number = view->tree.units[unit].number;
        bound = number > bound ? number : bound;
        unit = view->tree.units[unit].parent;
    }
    return bound;
}

bool view_within(const struct view *view, int unit, int top)
{
    for (int depth = 0; unit != TREE_NONE && depth <= TREE_DEPTH_MAX; depth++) {
        if (unit == top) {
            return true;
        }
        unit = view->tree.units[unit].parent;
    }
    return false;
}

int view_host(const struct view *view, int unit)
{
    for (int depth = 0; unit != TREE_NONE && depth <= TREE_DEPTH_MAX; depth++) {
        if (view->tree.units[unit].hosting) {
            return unit;
        }
        unit = view->tree.units[unit].parent;
    }
    return TREE_NONE;
}

const struct unit_edge *view_edge_on(const struct unit *unit, int32_t day)
{
    for (size_t i = 0; i < unit->edge_count; i++) {
        const struct unit_edge *edge = &unit->edges[i];
        if ((edge->from == DAY_NONE || day >= edge->from) &&
            (edge->to == DAY_NONE || day <= edge->to)) {
            return edge;
        }
    }
    return NULL;
}

bool view_open(const struct unit *unit, int32_t day)
{
    return unit->edge_count == 0 || view_edge_on(unit, day) != NULL;
}

bool view_open_within(const struct unit *unit, int32_t first, int32_t last)
{
    bool open = unit->edge_count == 0;
    for (size_t i = 0; i < unit->edge_count && !open; i++) {
        const struct unit_edge *edge = &unit->edges[i];
        open = (edge->from == DAY_NONE || edge->from <= last) &&
               (edge->to == DAY_NONE || edge->to >= first);
    }
    return open;
}

const struct measure *view_measure(const struct view *view, int64_t id)
{
    const int *place = map_get(&view->measure_by_id, &id);
    return place == NULL ? NULL : &view->catalogue.measures[*place];
}

enum err view_unknown_unit(const struct view *view, const char *code, struct errmsg *msg)
{
    struct nearest nearest;
    char hint[NEAREST_MAX * NEAREST_NAME_BYTES + 64];
    nearest_init(&nearest, code);
    for (size_t i = 0; i < view->tree.count; i++) {
        nearest_offer(&nearest, view->tree.units[i].code);
    }
    nearest_format(&nearest, hint, sizeof hint);
    return err_fail(msg, ERR_REFUSED, "unit %s is not known here%s%s", code, hint,
                    nearest.count == 0 ? "; tally tree lists the units" : "");
}

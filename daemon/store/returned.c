/* What came from above of origins whose heads stay behind what is known there. */
#include "store/internal.h"

enum err store_returned_set(struct store *store, int64_t origin, const struct store_returned *row)
{
    static const uint8_t NONE[1] = {0};
    const uint8_t *frontier = row->frontier.data == NULL ? NONE : row->frontier.data;
    const uint8_t *stood = row->stood.data == NULL ? NONE : row->stood.data;
    return store_run(store,
                     store_bind(store, STMT_RETURNED_SET, "iibb", origin, (int64_t)row->whole,
                                frontier, row->frontier.len, stood, row->stood.len));
}

static enum err read_returned(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_returned *row = element;
    row->whole = sqlite3_column_int64(stmt, 0) != 0;
    row->frontier = store_column_blob(stmt, 1, arena);
    row->stood = store_column_blob(stmt, 2, arena);
    return row->frontier.data == NULL || row->stood.data == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err store_returned_get(struct store *store, int64_t origin, struct arena *arena,
                            struct store_returned *out)
{
    return store_read_one(store, store_bind(store, STMT_RETURNED_GET, "i", origin), read_returned,
                          arena, out);
}

static enum err read_origin(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    *(int64_t *)element = sqlite3_column_int64(stmt, 0);
    return ERR_OK;
}

enum err store_returned_origins(struct store *store, int64_t after, int64_t *out, size_t cap,
                                size_t *count)
{
    return store_list(store, store_bind(store, STMT_RETURNED_ORIGINS, "ii", after, (int64_t)cap),
                      read_origin, NULL, out, sizeof *out, cap, count);
}

enum err store_returned_delete(struct store *store, int64_t origin)
{
    TRY(store_run(store, store_bind(store, STMT_RETURNED_DELETE, "i", origin)));
    TRY(store_run(store, store_bind(store, STMT_RETURNED_SEGMENTS_DELETE, "i", origin)));
    return store_run(store, store_bind(store, STMT_RETURNED_CELLS_DELETE, "i", origin));
}

enum err store_returned_segment_add(struct store *store, int64_t origin,
                                    const struct store_returned_segment *segment)
{
    return store_run(store, store_bind(store, STMT_RETURNED_SEGMENT_ADD, "ibibb", origin,
                                       segment->name.b, sizeof segment->name.b, segment->length,
                                       segment->hash.b, sizeof segment->hash.b,
                                       segment->continues.data, segment->continues.len));
}

static enum err read_segment(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_returned_segment *segment = element;
    segment->number = sqlite3_column_int64(stmt, 0);
    store_column_fixed(stmt, 1, segment->name.b, sizeof segment->name.b);
    segment->length = sqlite3_column_int64(stmt, 2);
    store_column_fixed(stmt, 3, segment->hash.b, sizeof segment->hash.b);
    segment->continues = store_column_blob(stmt, 4, arena);
    return segment->continues.data == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err store_returned_segments(struct store *store, int64_t origin, int64_t after,
                                 struct arena *arena, struct store_returned_segment *out,
                                 size_t cap, size_t *count)
{
    sqlite3_stmt *stmt =
        store_bind(store, STMT_RETURNED_SEGMENTS, "iii", origin, after, (int64_t)cap);
    return store_list(store, stmt, read_segment, arena, out, sizeof *out, cap, count);
}

enum err store_returned_cell_put(struct store *store, const struct store_cell *cell)
{
    const struct store_cell_key *key = &cell->key;
    return store_run(store,
                     store_bind(store, STMT_RETURNED_CELL_PUT, "iiiiiiiiii", key->origin, key->unit,
                                key->measure, key->category, key->period, cell->value, cell->count,
                                cell->live, cell->hosting, cell->day));
}

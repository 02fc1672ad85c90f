/* Origins, segments, entries. */
#include <string.h>

#include "base/sha256.h"
#include "store/internal.h"

static enum err read_origin(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_origin *origin = element;
    origin->id = sqlite3_column_int64(stmt, 0);
    store_column_fixed(stmt, 1, origin->name.b, sizeof origin->name.b);
    origin->unit = sqlite3_column_int64(stmt, 2);
    origin->via = sqlite3_column_int64(stmt, 3);
    origin->scope = sqlite3_column_int64(stmt, 4);
    store_column_fixed(stmt, 5, origin->digest.b, sizeof origin->digest.b);
    origin->cell_count = sqlite3_column_int64(stmt, 6);
    origin->rev = sqlite3_column_int64(stmt, 7);
    return ERR_OK;
}

enum err store_origin_find(struct store *store, const struct id *name, struct store_origin *out)
{
    return store_read_one(store, store_bind(store, STMT_ORIGIN_FIND, "b", name->b, sizeof name->b),
                          read_origin, NULL, out);
}

enum err store_origin_get(struct store *store, int64_t id, struct store_origin *out)
{
    return store_read_one(store, store_bind(store, STMT_ORIGIN_GET, "i", id), read_origin, NULL,
                          out);
}

enum err store_origin_add(struct store *store, struct store_origin *origin)
{
    TRY(store_run(store, store_bind(store, STMT_ORIGIN_ADD, "biiibii", origin->name.b,
                                    sizeof origin->name.b, origin->unit, origin->via, origin->scope,
                                    origin->digest.b, sizeof origin->digest.b, origin->cell_count,
                                    origin->rev)));
    origin->id = sqlite3_last_insert_rowid(store->db);
    return ERR_OK;
}

enum err store_origin_set(struct store *store, const struct store_origin *origin)
{
    return store_run(store, store_bind(store, STMT_ORIGIN_SET, "iiiibii", origin->id, origin->unit,
                                       origin->via, origin->scope, origin->digest.b,
                                       sizeof origin->digest.b, origin->cell_count, origin->rev));
}

enum err store_origins(struct store *store, int64_t after, struct store_origin *out, size_t cap,
                       size_t *count)
{
    return store_list(store, store_bind(store, STMT_ORIGINS, "ii", after, (int64_t)cap),
                      read_origin, NULL, out, sizeof *out, cap, count);
}

enum err store_feed_origins(struct store *store, int64_t after, struct store_origin *out,
                            size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_FEED_ORIGINS, "ii", after, (int64_t)cap),
                      read_origin, NULL, out, sizeof *out, cap, count);
}

enum err store_origin_signed_set(struct store *store, int64_t id, const void *data, size_t len,
                                 int64_t rev)
{
    return store_run(store, store_bind(store, STMT_ORIGIN_SIGNED_SET, "ibi", id, data, len, rev));
}

static enum err read_blob(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    *(struct bytes *)element = store_column_blob(stmt, 0, arena);
    return ((struct bytes *)element)->data == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err store_origin_signed(struct store *store, int64_t id, struct arena *arena,
                             struct bytes *out)
{
    return store_read_one(store, store_bind(store, STMT_ORIGIN_SIGNED, "i", id), read_blob, arena,
                          out);
}

enum err store_origin_stood_set(struct store *store, int64_t id, struct bytes heads)
{
    return store_run(store,
                     store_bind(store, STMT_ORIGIN_STOOD_SET, "ib", id, heads.data, heads.len));
}

enum err store_origin_stood(struct store *store, int64_t id, struct arena *arena, struct bytes *out)
{
    return store_read_one(store, store_bind(store, STMT_ORIGIN_STOOD, "i", id), read_blob, arena,
                          out);
}

/* What the row comes to, the same on every machine. */
static struct id row_hash(const struct store_segment *segment)
{
    enum { NUMBERS = 6 };
    const int64_t numbers[NUMBERS] = {segment->origin, segment->length,    segment->held,
                                      segment->base,   segment->continued, segment->clock};
    uint8_t content[8 * NUMBERS + ID_BYTES + 2 * HASH_BYTES];
    uint8_t *at = content;
    struct id out;
    for (size_t i = 0; i < NUMBERS; i++) {
        for (int shift = 56; shift >= 0; shift -= 8) {
            *at++ = (uint8_t)((uint64_t)numbers[i] >> shift);
        }
    }
    memcpy(at, segment->name.b, ID_BYTES);
    memcpy(at + ID_BYTES, segment->hash.b, HASH_BYTES);
    memcpy(at + ID_BYTES + HASH_BYTES, segment->held_hash.b, HASH_BYTES);
    struct hash hash = sha256(content, sizeof content);
    memcpy(out.b, hash.b, sizeof out.b);
    return out;
}

static enum err read_segment(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_segment *segment = element;
    segment->id = sqlite3_column_int64(stmt, 0);
    store_column_fixed(stmt, 1, segment->name.b, sizeof segment->name.b);
    segment->origin = sqlite3_column_int64(stmt, 2);
    segment->number = sqlite3_column_int64(stmt, 3);
    segment->length = sqlite3_column_int64(stmt, 4);
    store_column_fixed(stmt, 5, segment->hash.b, sizeof segment->hash.b);
    segment->held = sqlite3_column_int64(stmt, 6);
    store_column_fixed(stmt, 7, segment->held_hash.b, sizeof segment->held_hash.b);
    segment->base = sqlite3_column_int64(stmt, 8);
    segment->continued = sqlite3_column_int64(stmt, 9);
    segment->rev = sqlite3_column_int64(stmt, 10);
    segment->clock = sqlite3_column_int64(stmt, 11);
    struct id written;
    struct id now = row_hash(segment);
    store_column_fixed(stmt, 12, written.b, sizeof written.b);
    segment->sound = id_equal(&written, &now);
    return ERR_OK;
}

enum err store_segment_add(struct store *store, struct store_segment *segment,
                           struct bytes continues)
{
    struct id hash = row_hash(segment);
    TRY(store_run(store,
                  store_bind(store, STMT_SEGMENT_ADD, "biibibibiiib", segment->name.b,
                             sizeof segment->name.b, segment->origin, segment->length,
                             segment->hash.b, sizeof segment->hash.b, segment->held,
                             segment->held_hash.b, sizeof segment->held_hash.b, segment->base,
                             continues.data, continues.len, segment->continued, segment->rev,
                             segment->clock, hash.b, sizeof hash.b)));
    return store_segment_get(store, sqlite3_last_insert_rowid(store->db), segment);
}

enum err store_segment_set(struct store *store, const struct store_segment *segment)
{
    struct id hash = row_hash(segment);
    hash.b[0] ^= segment->sound ? 0 : 1;
    return store_run(store,
                     store_bind(store, STMT_SEGMENT_SET, "iibibiiib", segment->id, segment->length,
                                segment->hash.b, sizeof segment->hash.b, segment->held,
                                segment->held_hash.b, sizeof segment->held_hash.b, segment->base,
                                segment->continued, segment->rev, hash.b, sizeof hash.b));
}

enum err store_segment_base_set(struct store *store, int64_t id, int64_t base)
{
    struct store_segment segment;
    TRY(store_segment_get(store, id, &segment));
    segment.base = base;
    return store_segment_set(store, &segment);
}

enum err store_segment_move_last(struct store *store, int64_t id)
{
    return store_run(store, store_bind(store, STMT_SEGMENT_MOVE_LAST, "i", id));
}

enum err store_segment_find(struct store *store, const struct id *name, struct store_segment *out)
{
    return store_read_one(store, store_bind(store, STMT_SEGMENT_FIND, "b", name->b, sizeof name->b),
                          read_segment, NULL, out);
}

enum err store_segment_get(struct store *store, int64_t id, struct store_segment *out)
{
    return store_read_one(store, store_bind(store, STMT_SEGMENT_GET, "i", id), read_segment, NULL,
                          out);
}

enum err store_segments(struct store *store, int64_t origin, int64_t after,
                        struct store_segment *out, size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_SEGMENTS, "iii", origin, after, (int64_t)cap),
                      read_segment, NULL, out, sizeof *out, cap, count);
}

enum err store_segments_between(struct store *store, const struct id *low, const struct id *high,
                                struct store_segment *out, size_t cap, size_t *count)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_SEGMENTS_BETWEEN, "bbi", low->b, sizeof low->b,
                                    high->b, sizeof high->b, (int64_t)cap);
    return store_list(store, stmt, read_segment, NULL, out, sizeof *out, cap, count);
}

enum err store_segments_frontier(struct store *store, int64_t origin, struct store_segment *out,
                                 size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_SEGMENTS_FRONTIER, "ii", origin, (int64_t)cap),
                      read_segment, NULL, out, sizeof *out, cap, count);
}

enum err store_feed_segments(struct store *store, int64_t after, struct store_segment *out,
                             size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_FEED_SEGMENTS, "ii", after, (int64_t)cap),
                      read_segment, NULL, out, sizeof *out, cap, count);
}

enum err store_segment_continues(struct store *store, int64_t id, struct arena *arena,
                                 struct bytes *out)
{
    return store_read_one(store, store_bind(store, STMT_SEGMENT_CONTINUES, "i", id), read_blob,
                          arena, out);
}

enum err store_ledger_length(struct store *store, int64_t origin, int64_t *known, int64_t *held)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_LEDGER_LENGTH, "i", origin);
    TRY(store_one(store, stmt));
    *known = sqlite3_column_int64(stmt, 0);
    *held = sqlite3_column_int64(stmt, 1);
    (void)sqlite3_reset(stmt);
    return ERR_OK;
}

static enum err read_int(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    *(int64_t *)element = sqlite3_column_int64(stmt, 0);
    return ERR_OK;
}

enum err store_segments_count(struct store *store, int64_t origin, size_t *count)
{
    int64_t n;
    TRY(store_read_one(store, store_bind(store, STMT_SEGMENTS_COUNT, "i", origin), read_int, NULL,
                       &n));
    *count = (size_t)n;
    return ERR_OK;
}

enum err store_ledger_facts(struct store *store, int64_t origin, int64_t *facts)
{
    return store_read_one(store, store_bind(store, STMT_LEDGER_FACTS, "i", origin), read_int, NULL,
                          facts);
}

enum err store_ledger_lost(struct store *store, int64_t origin, int64_t *lost)
{
    return store_read_one(store, store_bind(store, STMT_LEDGER_LOST, "i", origin), read_int, NULL,
                          lost);
}

enum err store_own_lost(struct store *store, int64_t *lost)
{
    return store_read_one(store, store_bind(store, STMT_OWN_LOST, ""), read_int, NULL, lost);
}

enum err store_entry_add(struct store *store, const struct store_entry *entry)
{
    bool refers = entry->refers_seq != 0;
    bool key = entry->key[0] != '\0';
    bool note = entry->note[0] != '\0';
    bool act = entry->act.len > 0;
    sqlite3_stmt *stmt = store_bind(store, STMT_ENTRY_ADD, "iiiiiiiii", entry->segment, entry->seq,
                                    entry->kind, entry->unit, entry->measure, entry->category,
                                    (int64_t)entry->day, entry->value, entry->hosting);
    if (stmt == NULL) {
        return ERR_IO;
    }
    /* What is absent is NULL, so that it takes no room and stays out of the index of keys. */
    int code = refers
                   ? sqlite3_bind_blob(stmt, 10, entry->refers_segment.b, ID_BYTES, SQLITE_STATIC)
                   : sqlite3_bind_null(stmt, 10);
    code |= sqlite3_bind_int64(stmt, 11, entry->refers_seq);
    code |= key ? sqlite3_bind_text(stmt, 12, entry->key, -1, SQLITE_STATIC)
                : sqlite3_bind_null(stmt, 12);
    code |= note ? sqlite3_bind_text(stmt, 13, entry->note, -1, SQLITE_STATIC)
                 : sqlite3_bind_null(stmt, 13);
    code |= sqlite3_bind_int64(stmt, 14, entry->author);
    code |= sqlite3_bind_int64(stmt, 15, entry->recorded_at.ms);
    code |= act ? sqlite3_bind_blob64(stmt, 16, entry->act.data, entry->act.len, SQLITE_STATIC)
                : sqlite3_bind_null(stmt, 16);
    code |= sqlite3_bind_blob(stmt, 17, entry->hash.b, HASH_BYTES, SQLITE_STATIC);
    code |= sqlite3_bind_int64(stmt, 18, entry->own);
    code |= sqlite3_bind_int64(stmt, 19, entry->live);
    code |= sqlite3_bind_int64(stmt, 20, entry->now_value);
    code |= sqlite3_bind_int64(stmt, 21, entry->healed_at.ms);
    return code == SQLITE_OK ? store_run(store, stmt) : store_sql_error(store, SQLITE_NOMEM);
}

static enum err read_entry(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_entry *entry = element;
    *entry = (struct store_entry){
        .segment = sqlite3_column_int64(stmt, 0),
        .seq = sqlite3_column_int64(stmt, 1),
        .kind = sqlite3_column_int64(stmt, 2),
        .unit = sqlite3_column_int64(stmt, 3),
        .measure = sqlite3_column_int64(stmt, 4),
        .category = sqlite3_column_int64(stmt, 5),
        .day = (int32_t)sqlite3_column_int64(stmt, 6),
        .value = sqlite3_column_int64(stmt, 7),
        .hosting = sqlite3_column_int64(stmt, 8),
        .refers_seq = sqlite3_column_int64(stmt, 10),
        .key = "",
        .note = "",
        .author = sqlite3_column_int64(stmt, 13),
        .recorded_at = {sqlite3_column_int64(stmt, 14)},
        .own = sqlite3_column_int64(stmt, 17) != 0,
        .live = sqlite3_column_int64(stmt, 18) != 0,
        .now_value = sqlite3_column_int64(stmt, 19),
        .meanwhile = sqlite3_column_int64(stmt, 20) < 0,
    };
    int64_t healed_at = sqlite3_column_int64(stmt, 20); /* meanwhile: negated */
    entry->healed_at.ms = healed_at < 0 && healed_at > INT64_MIN ? -healed_at : healed_at;
    store_column_fixed(stmt, 9, entry->refers_segment.b, sizeof entry->refers_segment.b);
    store_column_fixed(stmt, 16, entry->hash.b, sizeof entry->hash.b);
    if (arena != NULL) {
        entry->key = store_column_text(stmt, 11, arena);
        entry->note = store_column_text(stmt, 12, arena);
        entry->act = store_column_blob(stmt, 15, arena);
    }
    bool all =
        arena == NULL || (entry->key != NULL && entry->note != NULL && entry->act.data != NULL);
    return all ? ERR_OK : ERR_NO_MEMORY;
}

enum err store_entry_get(struct store *store, int64_t segment, int64_t seq, struct arena *arena,
                         struct store_entry *out)
{
    return store_read_one(store, store_bind(store, STMT_ENTRY_GET, "ii", segment, seq), read_entry,
                          arena, out);
}

/* With its place in the order of the ledger. */
static enum err read_placed(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_placed *placed = element;
    placed->clock = sqlite3_column_int64(stmt, 21);
    store_column_fixed(stmt, 22, placed->segment.b, sizeof placed->segment.b);
    return read_entry(stmt, arena, &placed->entry);
}

enum err store_entry_by_key(struct store *store, const char *key, int64_t rank, struct arena *arena,
                            struct store_placed *out)
{
    return store_read_one(store, store_bind(store, STMT_ENTRY_BY_KEY, "ti", key, rank), read_placed,
                          arena, out);
}

enum err store_entries(struct store *store, int64_t segment, int64_t after, struct arena *arena,
                       struct store_entry *out, size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_ENTRIES, "iii", segment, after, (int64_t)cap),
                      read_entry, arena, out, sizeof *out, cap, count);
}

enum err store_acts_about(struct store *store, int64_t origin, int64_t unit,
                          const struct store_entry *after, struct arena *arena,
                          struct store_entry *out, size_t cap, size_t *count)
{
    return store_list(store,
                      store_bind(store, STMT_ENTRIES_OF_ACTS, "iiiii", origin, unit, after->segment,
                                 after->seq, (int64_t)cap),
                      read_entry, arena, out, sizeof *out, cap, count);
}

enum err store_entries_meanwhile(struct store *store, int64_t segment, int64_t after,
                                 struct wall at, int64_t *count)
{
    TRY(store_run(store, store_bind(store, STMT_ENTRIES_MEANWHILE, "iii", segment, after, -at.ms)));
    *count = sqlite3_changes(store->db);
    return ERR_OK;
}

enum err store_entry_state_set(struct store *store, int64_t segment, int64_t seq, bool live,
                               int64_t now_value)
{
    return store_run(store, store_bind(store, STMT_ENTRY_STATE_SET, "iiii", segment, seq,
                                       (int64_t)live, now_value));
}

enum err store_unsettled_add(struct store *store, int64_t segment, int64_t seq)
{
    return store_run(store, store_bind(store, STMT_UNSETTLED_ADD, "ii", segment, seq));
}

enum err store_unsettled_delete(struct store *store, int64_t segment, int64_t seq)
{
    return store_run(store, store_bind(store, STMT_UNSETTLED_DELETE, "ii", segment, seq));
}

static enum err read_unsettled(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    *(struct store_unsettled *)element = (struct store_unsettled){
        .segment = sqlite3_column_int64(stmt, 0), .seq = sqlite3_column_int64(stmt, 1)};
    return ERR_OK;
}

enum err store_unsettled(struct store *store, const struct store_unsettled *after,
                         struct store_unsettled *out, size_t cap, size_t *count)
{
    sqlite3_stmt *stmt =
        store_bind(store, STMT_UNSETTLED_AFTER, "iii", after->segment, after->seq, (int64_t)cap);
    return store_list(store, stmt, read_unsettled, NULL, out, sizeof *out, cap, count);
}

enum err store_entry_correction(struct store *store, const struct id *segment, int64_t seq,
                                int64_t rank, struct arena *arena, struct store_placed *out)
{
    return store_read_one(
        store,
        store_bind(store, STMT_ENTRY_CORRECTION, "bii", segment->b, sizeof segment->b, seq, rank),
        read_placed, arena, out);
}

enum err store_entries_lost(struct store *store, const struct store_entry *after,
                            struct arena *arena, struct store_placed *out, size_t cap,
                            size_t *count)
{
    sqlite3_stmt *stmt =
        store_bind(store, STMT_ENTRIES_LOST, "iiiiiii", after->unit, after->measure,
                   after->category, (int64_t)after->day, after->segment, after->seq, (int64_t)cap);
    return store_list(store, stmt, read_placed, arena, out, sizeof *out, cap, count);
}

enum err store_entry_lost(struct store *store, const struct store_stock_span *span,
                          struct arena *arena, struct store_placed *out)
{
    sqlite3_stmt *stmt =
        store_bind(store, STMT_ENTRIES_LOST_OF, "iiiii", span->unit, span->measure, span->category,
                   (int64_t)span->first_day, (int64_t)span->last_day);
    return store_read_one(store, stmt, read_placed, arena, out);
}

enum err store_entry_ranked(struct store *store, const struct store_stock_span *span, int64_t rank,
                            struct store_placed *out)
{
    sqlite3_stmt *stmt =
        store_bind(store, STMT_ENTRY_RANKED, "iiiiii", span->unit, span->measure, span->category,
                   (int64_t)span->first_day, (int64_t)span->last_day, rank);
    return store_read_one(store, stmt, read_placed, NULL, out);
}

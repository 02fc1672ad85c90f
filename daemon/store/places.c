/* Units, hostings, statuses. */
#include <string.h>

#include "base/sha256.h"
#include "store/internal.h"

enum { CONTENT_MAX_BYTES = 1 << 20 };

static enum err hash_of(struct buf *content, struct id *out)
{
    enum err err = content->failed ? ERR_NO_MEMORY : ERR_OK;
    if (err == ERR_OK) {
        struct hash hash = sha256(content->data, content->len);
        memcpy(out->b, hash.b, sizeof out->b);
    }
    buf_deinit(content);
    return err;
}

enum err store_unit_hash(const struct store_unit *unit, struct id *out)
{
    struct buf content;
    buf_init(&content, CONTENT_MAX_BYTES);
    buf_put_i64(&content, unit->code);
    buf_put_str(&content, unit->name);
    buf_put_str(&content, unit->level);
    buf_put_blob(&content, unit->edges.data, unit->edges.len);
    buf_put_id(&content, &unit->decider);
    buf_put_i64(&content, unit->count);
    buf_put_i64(&content, unit->scope);
    buf_put_i64(&content, unit->rev);
    return hash_of(&content, out);
}

enum err store_unit_put(struct store *store, const struct store_unit *unit)
{
    struct id hash;
    TRY(store_unit_hash(unit, &hash));
    return store_run(store, store_bind(store, STMT_UNIT_PUT, "ittbbiiib", unit->code, unit->name,
                                       unit->level, unit->edges.data, unit->edges.len,
                                       unit->decider.b, sizeof unit->decider.b, unit->count,
                                       unit->scope, unit->rev, hash.b, sizeof hash.b));
}

static enum err read_unit(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_unit *unit = element;
    unit->code = sqlite3_column_int64(stmt, 0);
    unit->name = store_column_text(stmt, 1, arena);
    unit->level = store_column_text(stmt, 2, arena);
    unit->edges = store_column_blob(stmt, 3, arena);
    store_column_fixed(stmt, 4, unit->decider.b, sizeof unit->decider.b);
    unit->count = sqlite3_column_int64(stmt, 5);
    unit->scope = sqlite3_column_int64(stmt, 6);
    unit->rev = sqlite3_column_int64(stmt, 7);
    store_column_fixed(stmt, 8, unit->hash.b, sizeof unit->hash.b);
    bool all = unit->name != NULL && unit->level != NULL && unit->edges.data != NULL;
    return all ? ERR_OK : ERR_NO_MEMORY;
}

enum err store_unit_get(struct store *store, int64_t code, struct arena *arena,
                        struct store_unit *out)
{
    return store_read_one(store, store_bind(store, STMT_UNIT_GET, "i", code), read_unit, arena,
                          out);
}

enum err store_units(struct store *store, int64_t after, struct arena *arena,
                     struct store_unit *out, size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_UNITS, "ii", after, (int64_t)cap), read_unit,
                      arena, out, sizeof *out, cap, count);
}

enum err store_feed_units(struct store *store, int64_t after, struct arena *arena,
                          struct store_unit *out, size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_FEED_UNITS, "ii", after, (int64_t)cap),
                      read_unit, arena, out, sizeof *out, cap, count);
}

enum err store_hosting_hash(const struct store_hosting *hosting, struct id *out)
{
    struct buf content;
    buf_init(&content, CONTENT_MAX_BYTES);
    buf_put_i64(&content, hosting->unit);
    buf_put_id(&content, &hosting->node);
    buf_put_id(&content, &hosting->origin);
    buf_put_hash(&content, &hosting->key);
    buf_put_i64(&content, hosting->number);
    buf_put_u8(&content, hosting->revoked ? 1 : 0);
    buf_put_id(&content, &hosting->decider);
    buf_put_i64(&content, hosting->count);
    buf_put_i64(&content, hosting->scope);
    buf_put_i64(&content, hosting->rev);
    return hash_of(&content, out);
}

enum err store_hosting_put(struct store *store, const struct store_hosting *hosting)
{
    struct id hash;
    TRY(store_hosting_hash(hosting, &hash));
    return store_run(
        store, store_bind(store, STMT_HOSTING_PUT, "ibbbiibiiib", hosting->unit, hosting->node.b,
                          sizeof hosting->node.b, hosting->origin.b, sizeof hosting->origin.b,
                          hosting->key.b, sizeof hosting->key.b, hosting->number,
                          (int64_t)hosting->revoked, hosting->decider.b, sizeof hosting->decider.b,
                          hosting->count, hosting->scope, hosting->rev, hash.b, sizeof hash.b));
}

static enum err read_hosting(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_hosting *hosting = element;
    hosting->unit = sqlite3_column_int64(stmt, 0);
    store_column_fixed(stmt, 1, hosting->node.b, sizeof hosting->node.b);
    store_column_fixed(stmt, 2, hosting->origin.b, sizeof hosting->origin.b);
    store_column_fixed(stmt, 3, hosting->key.b, sizeof hosting->key.b);
    hosting->number = sqlite3_column_int64(stmt, 4);
    hosting->revoked = sqlite3_column_int64(stmt, 5) != 0;
    store_column_fixed(stmt, 6, hosting->decider.b, sizeof hosting->decider.b);
    hosting->count = sqlite3_column_int64(stmt, 7);
    hosting->scope = sqlite3_column_int64(stmt, 8);
    hosting->rev = sqlite3_column_int64(stmt, 9);
    store_column_fixed(stmt, 10, hosting->hash.b, sizeof hosting->hash.b);
    return ERR_OK;
}

enum err store_hosting_get(struct store *store, int64_t unit, struct store_hosting *out)
{
    return store_read_one(store, store_bind(store, STMT_HOSTING_GET, "i", unit), read_hosting, NULL,
                          out);
}

enum err store_hosting_by_key(struct store *store, const struct hash *key, const struct id *decider,
                              struct store_hosting *out)
{
    return store_read_one(store,
                          store_bind(store, STMT_HOSTING_BY_KEY, "bb", key->b, sizeof key->b,
                                     decider->b, sizeof decider->b),
                          read_hosting, NULL, out);
}

enum err store_hostings(struct store *store, int64_t after, struct store_hosting *out, size_t cap,
                        size_t *count)
{
    return store_list(store, store_bind(store, STMT_HOSTINGS, "ii", after, (int64_t)cap),
                      read_hosting, NULL, out, sizeof *out, cap, count);
}

enum err store_feed_hostings(struct store *store, int64_t after, struct store_hosting *out,
                             size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_FEED_HOSTINGS, "ii", after, (int64_t)cap),
                      read_hosting, NULL, out, sizeof *out, cap, count);
}

enum err store_status_put(struct store *store, const struct store_status *status)
{
    return store_run(store,
                     store_bind(store, STMT_STATUS_PUT, "ibiiiiii", status->unit, status->node.b,
                                sizeof status->node.b, status->state, status->exact_as_of.ms,
                                status->held, (int64_t)status->direct, status->rev, status->lost));
}

static enum err read_status(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_status *status = element;
    status->unit = sqlite3_column_int64(stmt, 0);
    store_column_fixed(stmt, 1, status->node.b, sizeof status->node.b);
    status->state = sqlite3_column_int64(stmt, 2);
    status->exact_as_of.ms = sqlite3_column_int64(stmt, 3);
    status->held = sqlite3_column_int64(stmt, 4);
    status->direct = sqlite3_column_int64(stmt, 5) != 0;
    status->rev = sqlite3_column_int64(stmt, 6);
    status->lost = sqlite3_column_int64(stmt, 7);
    return ERR_OK;
}

enum err store_status_get(struct store *store, int64_t unit, struct store_status *out)
{
    return store_read_one(store, store_bind(store, STMT_STATUS_GET, "i", unit), read_status, NULL,
                          out);
}

enum err store_statuses(struct store *store, int64_t after, struct store_status *out, size_t cap,
                        size_t *count)
{
    return store_list(store, store_bind(store, STMT_STATUSES, "ii", after, (int64_t)cap),
                      read_status, NULL, out, sizeof *out, cap, count);
}

enum err store_feed_statuses(struct store *store, int64_t after, struct store_status *out,
                             size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_FEED_STATUSES, "ii", after, (int64_t)cap),
                      read_status, NULL, out, sizeof *out, cap, count);
}

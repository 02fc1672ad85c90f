/* Facts about this file, symbols, sessions, invitations, children, refused rows, alarms. */
#include <stdlib.h>
#include <string.h>

#include "store/internal.h"

enum err store_fact_set_int(struct store *store, const char *name, int64_t value)
{
    return store_run(store, store_bind(store, STMT_FACT_SET, "ti", name, value));
}

enum err store_fact_set_blob(struct store *store, const char *name, const void *data, size_t len)
{
    return store_run(store, store_bind(store, STMT_FACT_SET, "tb", name, data, len));
}

enum err store_fact_int(struct store *store, const char *name, int64_t fallback, int64_t *out)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_FACT_GET, "t", name);
    enum err err = store_one(store, stmt);
    if (err == ERR_NOT_FOUND) {
        *out = fallback;
        return ERR_OK;
    }
    TRY(err);
    *out = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_reset(stmt);
    return ERR_OK;
}

enum err store_fact_blob(struct store *store, const char *name, struct arena *arena,
                         struct bytes *out)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_FACT_GET, "t", name);
    TRY(store_one(store, stmt));
    struct bytes bytes = store_column_blob(stmt, 0, arena);
    (void)sqlite3_reset(stmt);
    if (bytes.data == NULL) {
        return ERR_NO_MEMORY;
    }
    *out = bytes;
    return ERR_OK;
}

enum err store_fact_fixed(struct store *store, const char *name, void *out, size_t len)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_FACT_GET, "t", name);
    TRY(store_one(store, stmt));
    bool fits = (size_t)sqlite3_column_bytes(stmt, 0) == len;
    if (fits) {
        store_column_fixed(stmt, 0, out, len);
    }
    (void)sqlite3_reset(stmt);
    return fits ? ERR_OK : ERR_CORRUPT;
}

static enum err read_id(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    *(int64_t *)element = sqlite3_column_int64(stmt, 0);
    return ERR_OK;
}

enum err store_symbol_find(struct store *store, const char *text, int64_t *id)
{
    return store_read_one(store, store_bind(store, STMT_SYMBOL_FIND, "t", text), read_id, NULL, id);
}

enum err store_symbol_put(struct store *store, const char *text, int64_t *id)
{
    enum err err = store_symbol_find(store, text, id);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    TRY(store_run(store, store_bind(store, STMT_SYMBOL_ADD, "t", text)));
    *id = sqlite3_last_insert_rowid(store->db);
    return ERR_OK;
}

static enum err read_text(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    const char *text = store_column_text(stmt, 0, arena);
    *(const char **)element = text;
    return text == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err store_table_check(struct store *store, const char *table, struct arena *arena,
                           const char **found)
{
    static const char CODE[] = "error code=";
    TRY(store_read_one(store, store_bind(store, STMT_TABLE_CHECK, "t", table), read_text, arena,
                       found));
    /* A page that could not be read, or for lack of memory, is told as if it were damage. */
    const char *at = strstr(*found, CODE);
    int code = at == NULL ? SQLITE_CORRUPT : (int)strtol(at + strlen(CODE), NULL, 10);
    bool read = (code & 0xff) != SQLITE_IOERR && (code & 0xff) != SQLITE_NOMEM;
    return read ? ERR_OK : store_sql_error(store, code);
}

static enum err read_symbol(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_symbol *symbol = element;
    symbol->id = sqlite3_column_int64(stmt, 0);
    symbol->text = store_column_text(stmt, 1, arena);
    return symbol->text == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err store_symbols_after(struct store *store, const char *after, struct arena *arena,
                             struct store_symbol *out, size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_SYMBOLS_AFTER, "ti", after, (int64_t)cap),
                      read_symbol, arena, out, sizeof *out, cap, count);
}

enum err store_symbols_torn(struct store *store, int64_t *count)
{
    return store_read_one(store, store_bind(store, STMT_SYMBOLS_TORN, ""), read_id, NULL, count);
}

enum err store_segments_astray(struct store *store, int64_t *count)
{
    return store_read_one(store, store_bind(store, STMT_SEGMENTS_ASTRAY, ""), read_id, NULL, count);
}

enum err store_symbol_text(struct store *store, int64_t id, struct arena *arena, const char **text)
{
    return store_read_one(store, store_bind(store, STMT_SYMBOL_TEXT, "i", id), read_text, arena,
                          text);
}

enum err store_session_add(struct store *store, const struct id *name, int64_t head, size_t keep)
{
    TRY(store_run(store, store_bind(store, STMT_SESSION_ADD, "bi", name->b, sizeof name->b, head)));
    return store_run(store, store_bind(store, STMT_SESSION_TRIM, "i", (int64_t)keep));
}

enum err store_session_end(struct store *store, const struct id *name, int64_t *head)
{
    return store_read_one(store, store_bind(store, STMT_SESSION_END, "b", name->b, sizeof name->b),
                          read_id, NULL, head);
}

enum err store_sessions_forget(struct store *store)
{
    return store_run(store, store_bind(store, STMT_SESSION_FORGET, ""));
}

static enum err read_session(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_session *session = element;
    store_column_fixed(stmt, 0, session->name.b, sizeof session->name.b);
    session->end = sqlite3_column_int64(stmt, 1);
    return ERR_OK;
}

enum err store_sessions(struct store *store, struct store_session *out, size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_SESSIONS, "i", (int64_t)cap), read_session,
                      NULL, out, sizeof *out, cap, count);
}

enum err store_child_put(struct store *store, const struct store_child *child)
{
    return store_run(store,
                     store_bind(store, STMT_CHILD_PUT, "ibbbiti", child->unit, child->node.b,
                                sizeof child->node.b, child->session.b, sizeof child->session.b,
                                child->have_session.b, sizeof child->have_session.b,
                                child->have_revision, child->text, (int64_t)child->midway));
}

static enum err read_child(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_child *child = element;
    child->unit = sqlite3_column_int64(stmt, 0);
    store_column_fixed(stmt, 1, child->node.b, sizeof child->node.b);
    store_column_fixed(stmt, 2, child->session.b, sizeof child->session.b);
    store_column_fixed(stmt, 3, child->have_session.b, sizeof child->have_session.b);
    child->have_revision = sqlite3_column_int64(stmt, 4);
    child->text = store_column_text(stmt, 5, arena);
    child->midway = sqlite3_column_int64(stmt, 6) != 0;
    return child->text == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err store_child_get(struct store *store, int64_t unit, struct arena *arena,
                         struct store_child *out)
{
    return store_read_one(store, store_bind(store, STMT_CHILD_GET, "i", unit), read_child, arena,
                          out);
}

enum err store_bundle_put(struct store *store, const struct store_bundle *bundle)
{
    return store_run(store, store_bind(store, STMT_BUNDLE_PUT, "ibiibb", bundle->unit,
                                       bundle->have_session.b, sizeof bundle->have_session.b,
                                       bundle->have_revision, bundle->catalogue, bundle->heads.data,
                                       bundle->heads.len, bundle->beyond.data, bundle->beyond.len));
}

static enum err read_bundle(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_bundle *bundle = element;
    bundle->unit = sqlite3_column_int64(stmt, 0);
    store_column_fixed(stmt, 1, bundle->have_session.b, sizeof bundle->have_session.b);
    bundle->have_revision = sqlite3_column_int64(stmt, 2);
    bundle->catalogue = sqlite3_column_int64(stmt, 3);
    bundle->heads = store_column_blob(stmt, 4, arena);
    bundle->beyond = store_column_blob(stmt, 5, arena);
    return bundle->heads.data == NULL || bundle->beyond.data == NULL ? ERR_NO_MEMORY : ERR_OK;
}

enum err store_bundle_get(struct store *store, int64_t unit, struct arena *arena,
                          struct store_bundle *out)
{
    return store_read_one(store, store_bind(store, STMT_BUNDLE_GET, "i", unit), read_bundle, arena,
                          out);
}

enum err store_ended_add(struct store *store, int64_t unit, const struct id *name, size_t keep)
{
    TRY(store_run(store, store_bind(store, STMT_ENDED_ADD, "ib", unit, name->b, sizeof name->b)));
    return store_run(store, store_bind(store, STMT_ENDED_TRIM, "ii", unit, (int64_t)keep));
}

enum err store_ended_find(struct store *store, int64_t unit, const struct id *name, bool *ended)
{
    int64_t id;
    enum err err = store_read_one(
        store, store_bind(store, STMT_ENDED_FIND, "ib", unit, name->b, sizeof name->b), read_id,
        NULL, &id);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    *ended = err == ERR_OK;
    return ERR_OK;
}

enum err store_children_midway(struct store *store, int64_t after, int64_t *units, size_t cap,
                               size_t *count)
{
    return store_list(store, store_bind(store, STMT_CHILDREN_MIDWAY, "ii", after, (int64_t)cap),
                      read_id, NULL, units, sizeof *units, cap, count);
}

enum err store_child_forget(struct store *store, int64_t unit)
{
    return store_run(store, store_bind(store, STMT_CHILD_FORGET, "i", unit));
}

enum err store_invite_put(struct store *store, const struct store_invite *invite)
{
    return store_run(store,
                     store_bind(store, STMT_INVITE_PUT, "bibiiib", invite->name.b,
                                sizeof invite->name.b, invite->unit, invite->secret,
                                sizeof invite->secret, invite->expires.ms, (int64_t)invite->used,
                                (int64_t)invite->replace, invite->key.b, sizeof invite->key.b));
}

static enum err read_invite(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    struct store_invite *invite = element;
    store_column_fixed(stmt, 0, invite->name.b, sizeof invite->name.b);
    invite->unit = sqlite3_column_int64(stmt, 1);
    store_column_fixed(stmt, 2, invite->secret, sizeof invite->secret);
    invite->expires.ms = sqlite3_column_int64(stmt, 3);
    invite->used = sqlite3_column_int64(stmt, 4) != 0;
    invite->replace = sqlite3_column_int64(stmt, 5) != 0;
    store_column_fixed(stmt, 6, invite->key.b, sizeof invite->key.b);
    return ERR_OK;
}

enum err store_invite_get(struct store *store, const struct id *name, struct store_invite *out)
{
    return store_read_one(store, store_bind(store, STMT_INVITE_GET, "b", name->b, sizeof name->b),
                          read_invite, NULL, out);
}

enum err store_refused_put(struct store *store, const struct store_refused *refused)
{
    const struct store_cell_key *key = &refused->key;
    return store_run(store, store_bind(store, STMT_REFUSED_PUT, "iiiiiiib", key->unit, key->measure,
                                       key->category, key->period, key->origin, refused->reason,
                                       refused->count, refused->hash.b, sizeof refused->hash.b));
}

enum err store_refused_delete(struct store *store, const struct store_cell_key *key, bool *was)
{
    TRY(store_run(store, store_bind(store, STMT_REFUSED_DELETE, "iiiii", key->unit, key->measure,
                                    key->category, key->period, key->origin)));
    *was = sqlite3_changes(store->db) > 0;
    return ERR_OK;
}

static enum err read_refused_unit(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    (void)arena;
    *(struct store_refused_unit *)element = (struct store_refused_unit){
        .unit = sqlite3_column_int64(stmt, 0), .rows = sqlite3_column_int64(stmt, 1)};
    return ERR_OK;
}

enum err store_refused_units(struct store *store, int64_t after, struct store_refused_unit *out,
                             size_t cap, size_t *count)
{
    return store_list(store, store_bind(store, STMT_REFUSED_UNITS, "ii", after, (int64_t)cap),
                      read_refused_unit, NULL, out, sizeof *out, cap, count);
}

enum err store_refused_forget(struct store *store, int64_t origin)
{
    return store_run(store, store_bind(store, STMT_REFUSED_FORGET, "i", origin));
}

enum err store_refused_forget_for(struct store *store, int64_t origin, int64_t reason,
                                  int64_t *gone)
{
    TRY(store_run(store, store_bind(store, STMT_REFUSED_FORGET_FOR, "ii", origin, reason)));
    *gone = sqlite3_changes(store->db);
    return ERR_OK;
}

enum err store_refused_sum(struct store *store, int64_t origin, int64_t *rows, int64_t *counts,
                           struct id *hashes)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_REFUSED_SUM, "i", origin);
    int64_t n = 0;
    wide total = 0;
    struct id sum = {{0}};
    for (;;) {
        bool row = false;
        TRY(store_step(store, stmt, &row));
        if (!row) {
            break;
        }
        struct id hash;
        total += sqlite3_column_int64(stmt, 0);
        store_column_fixed(stmt, 1, hash.b, sizeof hash.b);
        id_sum_add(&sum, &hash);
        if (sqlite3_column_type(stmt, 2) != SQLITE_NULL) {
            store_column_fixed(stmt, 2, hash.b, sizeof hash.b);
            id_sum_sub(&sum, &hash);
        }
        n++;
    }
    *rows = n;
    *counts = wide_fits_i64(total) ? (int64_t)total : INT64_MAX;
    *hashes = sum;
    return ERR_OK;
}

enum err store_refused_total(struct store *store, int64_t *rows)
{
    return store_read_one(store, store_bind(store, STMT_REFUSED_TOTAL, ""), read_id, NULL, rows);
}

enum err store_alarm_put(struct store *store, const struct store_alarm *alarm)
{
    return store_run(store, store_bind(store, STMT_ALARM_PUT, "tttii", alarm->code, alarm->subject,
                                       alarm->text, alarm->since.ms, (int64_t)alarm->mended));
}

enum err store_alarm_mend(struct store *store, const char *code, const char *subject,
                          const char *text)
{
    return store_run(store, store_bind(store, STMT_ALARM_MEND, "ttt", code, subject, text));
}

enum err store_alarm_delete(struct store *store, const char *code, const char *subject)
{
    return store_run(store, store_bind(store, STMT_ALARM_DELETE, "tt", code, subject));
}

enum err store_alarms_delete_mended(struct store *store)
{
    return store_run(store, store_bind(store, STMT_ALARMS_DELETE_MENDED, ""));
}

static enum err read_alarm(sqlite3_stmt *stmt, struct arena *arena, void *element)
{
    struct store_alarm *alarm = element;
    alarm->code = store_column_text(stmt, 0, arena);
    alarm->subject = store_column_text(stmt, 1, arena);
    alarm->text = store_column_text(stmt, 2, arena);
    alarm->since.ms = sqlite3_column_int64(stmt, 3);
    alarm->mended = sqlite3_column_int64(stmt, 4) != 0;
    bool all = alarm->code != NULL && alarm->subject != NULL && alarm->text != NULL;
    return all ? ERR_OK : ERR_NO_MEMORY;
}

enum err store_alarms(struct store *store, struct arena *arena, struct store_alarm *out, size_t cap,
                      size_t *count)
{
    return store_list(store, store_bind(store, STMT_ALARMS, "i", (int64_t)cap), read_alarm, arena,
                      out, sizeof *out, cap, count);
}

enum err store_alarms_about(struct store *store, const char *code, const char *subject,
                            struct arena *arena, struct store_alarm *out, size_t cap, size_t *count)
{
    return store_list(store,
                      store_bind(store, STMT_ALARMS_ABOUT, "tti", code, subject, (int64_t)cap),
                      read_alarm, arena, out, sizeof *out, cap, count);
}

/* The schema, as an append-only list of migrations. Each runs once, all that are missing in one
 * transaction; user_version says how many have run. STRICT tables: an integer that overflows is an
 * error, never a float. */
#include "store/internal.h"

#include <stdio.h>

enum { SEALED_SINCE = 3, SEGMENTS_HASHED_SINCE = 8, SEAL_PAGE = 128, SEAL_ARENA_BYTES = 8 << 20 };

static const char *const MIGRATIONS[] = {
    /* 1: the first schema */
    "CREATE TABLE fact(name TEXT PRIMARY KEY, value ANY NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE symbol(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE origin(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE CHECK(length(name)=16),"
    " unit INTEGER NOT NULL, via INTEGER NOT NULL, scope INTEGER NOT NULL, digest BLOB NOT NULL "
    "CHECK(length(digest)=16),"
    " cell_count INTEGER NOT NULL, signed BLOB, rev INTEGER NOT NULL) STRICT;"
    "CREATE INDEX origin_by_rev ON origin(rev) WHERE rev > 0;"
    "CREATE TABLE segment(id INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE CHECK(length(name)=16),"
    " origin INTEGER NOT NULL, number INTEGER NOT NULL, length INTEGER NOT NULL,"
    " hash BLOB NOT NULL CHECK(length(hash)=32), held INTEGER NOT NULL, held_hash BLOB NOT NULL "
    "CHECK(length(held_hash)=32),"
    " base INTEGER NOT NULL, continues BLOB NOT NULL, continued INTEGER NOT NULL, rev INTEGER NOT "
    "NULL) STRICT;"
    "CREATE UNIQUE INDEX segment_by_origin ON segment(origin, number);"
    "CREATE INDEX segment_by_rev ON segment(rev);"
    "CREATE TABLE entry(segment INTEGER NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, "
    "unit INTEGER NOT NULL,"
    " measure INTEGER NOT NULL, category INTEGER NOT NULL, day INTEGER NOT NULL, value INTEGER NOT "
    "NULL,"
    " hosting INTEGER NOT NULL, refers_segment BLOB, refers_seq INTEGER NOT NULL, key TEXT, note "
    "TEXT,"
    " author INTEGER NOT NULL, recorded_at INTEGER NOT NULL, act BLOB, hash BLOB NOT NULL "
    "CHECK(length(hash)=32),"
    " own INTEGER NOT NULL, live INTEGER NOT NULL, now_value INTEGER NOT NULL,"
    " PRIMARY KEY(segment, seq)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX entry_by_key ON entry(key) WHERE own = 1 AND key IS NOT NULL;"
    "CREATE INDEX entry_by_stock ON entry(unit, measure, category, day) WHERE own = 1 AND hosting "
    "> 0 AND kind = 1;"
    "CREATE TABLE cell(unit INTEGER NOT NULL, measure INTEGER NOT NULL, category INTEGER NOT NULL,"
    " period INTEGER NOT NULL, origin INTEGER NOT NULL, value INTEGER NOT NULL, count INTEGER NOT "
    "NULL,"
    " live INTEGER NOT NULL, hosting INTEGER NOT NULL, day INTEGER NOT NULL, held INTEGER NOT NULL,"
    " scope INTEGER NOT NULL, last INTEGER NOT NULL, rev INTEGER NOT NULL, hash BLOB NOT NULL "
    "CHECK(length(hash)=16),"
    " PRIMARY KEY(unit, measure, category, period, origin)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX cell_up ON cell(rev) WHERE scope < 2;"
    "CREATE INDEX cell_down ON cell(rev) WHERE scope > 0;"
    "CREATE INDEX cell_held ON cell(unit, measure, category, period, origin) WHERE held > 0;"
    "CREATE TABLE total(unit INTEGER NOT NULL, measure INTEGER NOT NULL, category INTEGER NOT NULL,"
    " period INTEGER NOT NULL, high INTEGER NOT NULL, low INTEGER NOT NULL, entries INTEGER NOT "
    "NULL,"
    " PRIMARY KEY(unit, measure, category, period)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE unit(code INTEGER PRIMARY KEY, name TEXT NOT NULL, level TEXT NOT NULL, edges "
    "BLOB NOT NULL,"
    " decider BLOB NOT NULL CHECK(length(decider)=16), count INTEGER NOT NULL, scope INTEGER NOT "
    "NULL,"
    " rev INTEGER NOT NULL) STRICT;"
    "CREATE INDEX unit_by_rev ON unit(rev);"
    "CREATE TABLE hosting(unit INTEGER PRIMARY KEY, node BLOB NOT NULL CHECK(length(node)=16),"
    " origin BLOB NOT NULL CHECK(length(origin)=16), key BLOB NOT NULL CHECK(length(key)=32), "
    "number INTEGER NOT NULL,"
    " revoked INTEGER NOT NULL, decider BLOB NOT NULL CHECK(length(decider)=16), count INTEGER NOT "
    "NULL,"
    " scope INTEGER NOT NULL, rev INTEGER NOT NULL) STRICT;"
    "CREATE INDEX hosting_by_rev ON hosting(rev);"
    "CREATE INDEX hosting_by_key ON hosting(key);"
    "CREATE TABLE status(unit INTEGER PRIMARY KEY, node BLOB NOT NULL CHECK(length(node)=16), "
    "state INTEGER NOT NULL,"
    " exact_as_of INTEGER NOT NULL, held INTEGER NOT NULL, direct INTEGER NOT NULL, rev INTEGER "
    "NOT NULL) STRICT;"
    "CREATE INDEX status_by_rev ON status(rev);"
    "CREATE TABLE child(unit INTEGER PRIMARY KEY, node BLOB NOT NULL CHECK(length(node)=16),"
    " session BLOB NOT NULL CHECK(length(session)=16), have_session BLOB NOT NULL "
    "CHECK(length(have_session)=16),"
    " have_revision INTEGER NOT NULL, text TEXT NOT NULL) STRICT;"
    "CREATE TABLE invite(name BLOB PRIMARY KEY CHECK(length(name)=16), unit INTEGER NOT NULL,"
    " secret BLOB NOT NULL CHECK(length(secret)=16), expires INTEGER NOT NULL, used INTEGER NOT "
    "NULL,"
    " replace INTEGER NOT NULL, key BLOB NOT NULL CHECK(length(key)=32)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE session(id INTEGER PRIMARY KEY AUTOINCREMENT, name BLOB NOT NULL UNIQUE "
    "CHECK(length(name)=16)) STRICT;"
    "CREATE TABLE refused(unit INTEGER NOT NULL, measure INTEGER NOT NULL, category INTEGER NOT "
    "NULL,"
    " period INTEGER NOT NULL, origin INTEGER NOT NULL, reason INTEGER NOT NULL, count INTEGER NOT "
    "NULL,"
    " hash BLOB NOT NULL CHECK(length(hash)=16), PRIMARY KEY(origin, unit, measure, category, "
    "period)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE alarm(code TEXT NOT NULL, subject TEXT NOT NULL, text TEXT NOT NULL, since "
    "INTEGER NOT NULL,"
    " mended INTEGER NOT NULL, PRIMARY KEY(code, subject)) STRICT, WITHOUT ROWID;",
    /* 2: where the feed stood when a session began; of those before nothing is known */
    "ALTER TABLE session ADD COLUMN head INTEGER NOT NULL DEFAULT 9223372036854775807;",
    /* 3: what the content of a row hashes to, so that damage shows; seal_places fills it in */
    ("ALTER TABLE unit ADD COLUMN hash BLOB CHECK(length(hash)=16);"
     "ALTER TABLE hosting ADD COLUMN hash BLOB CHECK(length(hash)=16);"),
    /* 4: the corrections of a record */
    "CREATE INDEX entry_by_reference ON entry(refers_segment, refers_seq) WHERE own = 1 AND kind "
    "IN "
    "(2, 3);",
    /* 5: the order of a ledger whose lines have parted and met again; what was healed, and when */
    ("ALTER TABLE segment ADD COLUMN clock INTEGER NOT NULL DEFAULT 0;"
     "UPDATE segment SET clock=base;"
     "UPDATE segment SET continued=length+1 WHERE continued=1;"
     "ALTER TABLE entry ADD COLUMN healed_at INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE child ADD COLUMN midway INTEGER NOT NULL DEFAULT 0;"
     "CREATE TABLE ended(id INTEGER PRIMARY KEY, unit INTEGER NOT NULL, name BLOB NOT NULL "
     "CHECK(length(name)=16), UNIQUE(unit, name)) STRICT;"
     "CREATE TABLE unsettled(segment INTEGER NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY(segment, "
     "seq)) STRICT, WITHOUT ROWID;"),
    /* 6: what a child's last bundle said that it has */
    "CREATE TABLE bundle(unit INTEGER PRIMARY KEY, have_session BLOB NOT NULL "
    "CHECK(length(have_session)=16), have_revision INTEGER NOT NULL, catalogue INTEGER NOT NULL, "
    "heads BLOB NOT NULL, beyond BLOB NOT NULL) STRICT;",
    /* 7: entries that stand for lost ones, and what came from above for such */
    ("CREATE INDEX entry_by_lost ON entry(unit, measure, category, day) WHERE own=1 AND kind=5;"
     "ALTER TABLE status ADD COLUMN lost INTEGER NOT NULL DEFAULT 0;"
     "ALTER TABLE origin ADD COLUMN stood BLOB;"
     "CREATE TABLE returned(origin INTEGER PRIMARY KEY, whole INTEGER NOT NULL, frontier BLOB NOT "
     "NULL, stood BLOB NOT NULL) STRICT;"
     "CREATE TABLE returned_segment(origin INTEGER NOT NULL, number INTEGER NOT NULL, name BLOB "
     "NOT "
     "NULL CHECK(length(name)=16), length INTEGER NOT NULL, hash BLOB NOT NULL "
     "CHECK(length(hash)=32), continues BLOB NOT NULL, PRIMARY KEY(origin, number)) STRICT, "
     "WITHOUT ROWID;"
     "CREATE TABLE returned_cell(origin INTEGER NOT NULL, unit INTEGER NOT NULL, measure INTEGER "
     "NOT NULL, category INTEGER NOT NULL, period INTEGER NOT NULL, value INTEGER NOT NULL, count "
     "INTEGER NOT NULL, live INTEGER NOT NULL, hosting INTEGER NOT NULL, day INTEGER NOT NULL, "
     "PRIMARY KEY(origin, unit, measure, category, period)) STRICT, WITHOUT ROWID;"),
    /* 8: what was written of a segment */
    "ALTER TABLE segment ADD COLUMN row_hash BLOB CHECK(length(row_hash)=16);",
};

_Static_assert(sizeof MIGRATIONS / sizeof *MIGRATIONS == STORE_SCHEMA_VERSION,
               "one migration a version");

static enum err exec(struct store *store, const char *sql)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);
    enum err err = code == SQLITE_OK ? ERR_OK : store_sql_error(store, code);
    return (code & 0xff) == SQLITE_ERROR ? ERR_CORRUPT : err; /* what it builds upon is not there */
}

/* Rows that an earlier release wrote get hashes. Whether they are what was written nothing says:
 * those of other nodes have none until they have come again, and are asked for. */
static enum err seal_places(struct store *store)
{
    struct store_unit units[SEAL_PAGE];
    struct store_hosting hostings[SEAL_PAGE];
    struct arena arena;
    enum err err = ERR_OK;
    size_t n = SEAL_PAGE;
    arena_init(&arena, SEAL_ARENA_BYTES);
    for (int64_t after = 0; err == ERR_OK && n == SEAL_PAGE;
         after = units[n > 0 ? n - 1 : 0].code) {
        arena_reset(&arena);
        err = store_units(store, after, &arena, units, SEAL_PAGE, &n);
        for (size_t i = 0; err == ERR_OK && i < n; i++) {
            err = units[i].scope == SCOPE_OWN ? store_unit_put(store, &units[i]) : ERR_OK;
        }
    }
    arena_reset(&arena);
    n = SEAL_PAGE;
    for (int64_t after = 0; err == ERR_OK && n == SEAL_PAGE;
         after = hostings[n > 0 ? n - 1 : 0].unit) {
        err = store_hostings(store, after, hostings, SEAL_PAGE, &n);
        for (size_t i = 0; err == ERR_OK && i < n; i++) {
            err = hostings[i].scope == SCOPE_OWN ? store_hosting_put(store, &hostings[i]) : ERR_OK;
        }
    }
    TRY(err);
    TRY(exec(store, "UPDATE child SET have_revision=0"));
    return exec(store, "UPDATE fact SET value=0 WHERE name='parent_have_revision'");
}

/* Segments that an earlier release wrote are taken as they are. */
static enum err hash_segments(struct store *store)
{
    struct store_origin origin;
    struct store_segment segments[SEAL_PAGE];
    size_t more = 1;
    for (int64_t after = 0; more == 1; after = origin.id) {
        TRY(store_origins(store, after, &origin, 1, &more));
        size_t n = more == 1 ? SEAL_PAGE : 0;
        for (int64_t number = 0; n == SEAL_PAGE; number = segments[n > 0 ? n - 1 : 0].number) {
            TRY(store_segments(store, origin.id, number, segments, SEAL_PAGE, &n));
            for (size_t i = 0; i < n; i++) {
                segments[i].sound = true;
                TRY(store_segment_set(store, &segments[i]));
            }
        }
    }
    return ERR_OK;
}

static enum err migrate_from(struct store *store, int version)
{
    TRY(exec(store, "BEGIN IMMEDIATE"));
    for (int i = version; i < STORE_SCHEMA_VERSION; i++) {
        TRY(exec(store, MIGRATIONS[i]));
    }
    if (version > 0 && version < SEALED_SINCE) {
        TRY(seal_places(store));
    }
    TRY(version > 0 && version < SEGMENTS_HASHED_SINCE ? hash_segments(store) : ERR_OK);
    char *sql = sqlite3_mprintf("PRAGMA user_version=%d", STORE_SCHEMA_VERSION);
    enum err err = sql == NULL ? ERR_NO_MEMORY : exec(store, sql);
    sqlite3_free(sql);
    TRY(err);
    return exec(store, "COMMIT");
}

enum err store_migrate(struct store *store, struct errmsg *msg)
{
    sqlite3_stmt *stmt = store_bind(store, STMT_SCHEMA_VERSION, "");
    TRY(store_one(store, stmt));
    int version = sqlite3_column_int(stmt, 0);
    (void)sqlite3_reset(stmt);
    if (version > STORE_SCHEMA_VERSION) {
        return err_fail(
            msg, ERR_NEWER,
            "the database has schema %d and this program knows up to %d; run the newer release",
            version, STORE_SCHEMA_VERSION);
    }
    if (version == STORE_SCHEMA_VERSION) {
        return ERR_OK;
    }
    if (version < 1 && store->mode != STORE_CREATE) {
        (void)snprintf(store->error, sizeof store->error,
                       "database: no node's, or emptied (it has no schema)");
        return ERR_CORRUPT;
    }
    enum err err = migrate_from(store, version);
    if (err != ERR_OK) {
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return err;
}

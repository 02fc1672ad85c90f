/* layer: base proto store */
/* What a hand-written loop over SQLite takes to leave behind the state that an import leaves: the
 * floor beside which the programs are measured.
 *
 *     bench_bare [--tree] [--batch N] FOLDER FILE.csv MEASURE...
 *
 * One process, one thread, prepared statements, transactions of N rows, the schema and the pragmas
 * of a node's database (made by the store, then used directly). For each row: the entry with its
 * hash (the SHA-256 chain is computed) and indexes; the cell, by an upsert; the totals, by an
 * upsert each; for a stock the changes of its standing value, as totals keep them. Plain: the
 * state of the commune, in one file. With --tree: three files, one after the other in each batch:
 * commune (entry, cell, 1 total), district (entry as escrow, cell, 2 totals), province (cell, 3
 * totals).
 *
 * Left out, and so the floor's advantage: reading the file (done before the clock starts), looking
 * up keys, judging, symbols, a cell's hash and the digest, the network. */
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/sha256.h"
#include "proto/limits.h"
#include "rows.h"
#include "store/store.h"

enum { NODES_MAX = 3, PATH_BYTES = 512, CANON_BYTES = 2048, AUTHOR = 1, ORIGIN = 1, SEGMENT = 1 };

enum {
    STMT_BEGIN,
    STMT_COMMIT,
    STMT_ENTRY,
    STMT_FLOW,
    STMT_STOCK,
    STMT_STANDING,
    STMT_BEFORE,
    STMT_AFTER,
    STMT_TOTAL,
    STMT_COUNT
};

#define CELL_INSERT                                                                                \
    "INSERT INTO cell(unit,measure,category,period,origin,value,count,live,hosting,day,held,scope" \
    ",last,rev,hash) VALUES(?1,?2,?3,?4,?5,?6,1,1,?7,?8,0,?9,?10,?11,zeroblob(16)) ON "            \
    "CONFLICT(unit,measure,category,period,origin) DO UPDATE SET "                                 \
    "count=count+1,live=live+1,last=excluded.last,rev=excluded.rev,"
#define SERIES " FROM cell WHERE unit=?1 AND measure=?2 AND category=?3 AND period"

static const char *const SQL[STMT_COUNT] = {
    [STMT_BEGIN] = "BEGIN IMMEDIATE",
    [STMT_COMMIT] = "COMMIT",
    [STMT_ENTRY] = "INSERT INTO entry(segment,seq,kind,unit,measure,category,day,value,hosting,"
                   "refers_segment,refers_seq,key,note,author,recorded_at,act,hash,own,live,"
                   "now_value) VALUES(?1,?2,1,?3,?4,?5,?6,?7,?8,NULL,0,?9,?10,?11,?12,NULL,?13,"
                   "?14,1,?7)",
    [STMT_FLOW] = CELL_INSERT "value=value+excluded.value",
    [STMT_STOCK] = CELL_INSERT "value=CASE WHEN excluded.day>=day THEN excluded.value ELSE value "
                               "END,day=max(day,excluded.day)",
    [STMT_STANDING] = "SELECT value,day" SERIES "=?4 AND origin=?5",
    [STMT_BEFORE] = "SELECT value" SERIES "<?4 ORDER BY period DESC LIMIT 1",
    [STMT_AFTER] = "SELECT period" SERIES ">?4 ORDER BY period LIMIT 1",
    [STMT_TOTAL] = "INSERT INTO total(unit,measure,category,period,high,low,entries) "
                   "VALUES(?1,?2,?3,?4,?5,?6,?7) ON CONFLICT(unit,measure,category,period) DO "
                   "UPDATE SET low=low+excluded.low,high=(low+excluded.low)>>63,"
                   "entries=entries+excluded.entries",
};

/* One file. Units are numbered from the commune, 1, up. */
struct file {
    sqlite3 *db;
    sqlite3_stmt *stmts[STMT_COUNT];
    bool entries;
    bool own;
    int totals;
    int64_t seq;
    int64_t batch;
    struct hash chain;
};

static void insist(const struct file *file, int code, int wanted)
{
    if (code != wanted) {
        (void)fprintf(stderr, "bench_bare: %s\n", sqlite3_errmsg(file->db));
        exit(1);
    }
}

static sqlite3_stmt *bind(struct file *file, int which, const int64_t *values, int count)
{
    sqlite3_stmt *stmt = file->stmts[which];
    for (int i = 0; i < count; i++) {
        insist(file, sqlite3_bind_int64(stmt, i + 1, values[i]), SQLITE_OK);
    }
    return stmt;
}

static void run(struct file *file, int which, const int64_t *values, int count)
{
    sqlite3_stmt *stmt = bind(file, which, values, count);
    insist(file, sqlite3_step(stmt), SQLITE_DONE);
    (void)sqlite3_reset(stmt);
}

/* The first columns of the one row; false without one. */
static bool look(struct file *file, int which, const int64_t *values, int count, int64_t *out,
                 int columns)
{
    sqlite3_stmt *stmt = bind(file, which, values, count);
    bool there = sqlite3_step(stmt) == SQLITE_ROW;
    for (int i = 0; there && i < columns; i++) {
        out[i] = sqlite3_column_int64(stmt, i);
    }
    (void)sqlite3_reset(stmt);
    return there;
}

/* ---- one row ---- */

static struct hash chain_on(const struct file *file, const struct row *row)
{
    uint8_t canon[CANON_BYTES];
    int64_t numbers[] = {file->seq, row->measure, row->category, row->day, row->value};
    size_t key = strlen(row->key);
    size_t note = strlen(row->note);
    INSIST(sizeof numbers + key + note <= sizeof canon);
    memcpy(canon, numbers, sizeof numbers);
    memcpy(canon + sizeof numbers, row->key, key);
    memcpy(canon + sizeof numbers + key, row->note, note);
    return sha256_chain(&file->chain, canon, sizeof numbers + key + note);
}

static void bind_text(const struct file *file, sqlite3_stmt *stmt, int at, const char *text)
{
    insist(file, sqlite3_bind_text(stmt, at, text[0] == '\0' ? NULL : text, -1, SQLITE_STATIC),
           SQLITE_OK);
}

static void write_entry(struct file *file, const struct row *row, bool stock)
{
    sqlite3_stmt *stmt = file->stmts[STMT_ENTRY];
    file->chain = chain_on(file, row);
    const int64_t head[] = {SEGMENT,       file->seq, 1,          row->measure + 1,
                            row->category, row->day,  row->value, stock};
    (void)bind(file, STMT_ENTRY, head, 8);
    bind_text(file, stmt, 9, row->key);
    bind_text(file, stmt, 10, row->note);
    insist(file, sqlite3_bind_int64(stmt, 11, AUTHOR), SQLITE_OK);
    insist(file, sqlite3_bind_int64(stmt, 12, (int64_t)time(NULL) * 1000), SQLITE_OK);
    insist(file, sqlite3_bind_blob(stmt, 13, file->chain.b, sizeof file->chain.b, SQLITE_STATIC),
           SQLITE_OK);
    insist(file, sqlite3_bind_int64(stmt, 14, file->own), SQLITE_OK);
    insist(file, sqlite3_step(stmt), SQLITE_DONE);
    (void)sqlite3_reset(stmt);
}

static void add_totals(struct file *file, const struct row *row, int64_t period, int64_t value,
                       int64_t entries)
{
    for (int unit = 1; unit <= file->totals; unit++) {
        const int64_t total[] = {unit,  row->measure + 1, row->category, period, value < 0 ? -1 : 0,
                                 value, entries};
        run(file, STMT_TOTAL, total, 7);
    }
}

static void write_stock(struct file *file, const struct row *row, const int64_t *cell)
{
    int64_t before[2] = {0, 0};
    int64_t previous = 0;
    int64_t next;
    bool was = look(file, STMT_STANDING, cell, 5, before, 2);
    bool stands = !was || row->day >= before[1];
    run(file, STMT_STOCK, cell, 11);
    int64_t now = stands ? row->value : before[0];
    (void)look(file, STMT_BEFORE, cell, 4, &previous, 1);
    int64_t then = was ? before[0] : previous;
    add_totals(file, row, row->period, now - then, 1);
    if (now != then && look(file, STMT_AFTER, cell, 4, &next, 1)) {
        add_totals(file, row, next, then - now, 0);
    }
}

static void write_row(struct file *file, const struct row *row, bool stock)
{
    file->seq++;
    if (file->entries) {
        write_entry(file, row, stock);
    }
    const int64_t cell[] = {1,
                            row->measure + 1,
                            row->category,
                            row->period,
                            ORIGIN,
                            row->value,
                            stock,
                            stock ? row->day : 0,
                            file->own ? SCOPE_OWN : SCOPE_BELOW,
                            file->seq,
                            file->batch};
    if (stock) {
        write_stock(file, row, cell);
    } else {
        run(file, STMT_FLOW, cell, 11);
        add_totals(file, row, row->period, row->value, 1);
    }
}

/* ---- all rows ---- */

static void write_batch(struct file *file, const struct rows *rows, size_t from, size_t to)
{
    file->batch++;
    run(file, STMT_BEGIN, NULL, 0);
    for (size_t i = from; i < to; i++) {
        write_row(file, &rows->rows[i], rows->measures[rows->rows[i].measure].stock);
    }
    run(file, STMT_COMMIT, NULL, 0);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static enum err file_open(struct file *file, const char *folder, int number, struct errmsg *msg)
{
    char path[PATH_BYTES];
    struct store *store;
    (void)snprintf(path, sizeof path, "%s/bare%d.db", folder, number);
    TRY(store_open(path, STORE_CREATE, &store, msg));
    store_close(store);
    *file = (struct file){.entries = number < 2, .own = number == 0, .totals = number + 1};
    insist(file, sqlite3_open(path, &file->db), SQLITE_OK);
    insist(file,
           sqlite3_exec(file->db,
                        "PRAGMA synchronous=FULL; PRAGMA cache_size=-1024; PRAGMA "
                        "wal_autocheckpoint=1000; PRAGMA journal_size_limit=8388608;",
                        NULL, NULL, NULL),
           SQLITE_OK);
    for (int i = 0; i < STMT_COUNT; i++) {
        insist(file,
               sqlite3_prepare_v3(file->db, SQL[i], -1, SQLITE_PREPARE_PERSISTENT, &file->stmts[i],
                                  NULL),
               SQLITE_OK);
    }
    return ERR_OK;
}

static void file_close(struct file *file)
{
    for (int i = 0; i < STMT_COUNT; i++) {
        (void)sqlite3_finalize(file->stmts[i]);
    }
    (void)sqlite3_close(file->db);
}

/* The highest unit's totals over everything, as a JSON list. */
static void print_totals(struct file *file, const struct rows *rows)
{
    sqlite3_stmt *stmt;
    insist(file,
           sqlite3_prepare_v2(file->db,
                              "SELECT measure,category,sum(low),sum(entries) FROM total WHERE "
                              "unit=?1 GROUP BY 1,2",
                              -1, &stmt, NULL),
           SQLITE_OK);
    insist(file, sqlite3_bind_int(stmt, 1, file->totals), SQLITE_OK);
    for (const char *comma = ""; sqlite3_step(stmt) == SQLITE_ROW; comma = ",") {
        (void)printf("%s{\"measure\":\"%s\",\"category\":\"%s\",\"value\":%" PRId64
                     ",\"entries\":%" PRId64 "}",
                     comma, rows->measures[sqlite3_column_int(stmt, 0) - 1].code,
                     rows->categories[sqlite3_column_int(stmt, 1)],
                     (int64_t)sqlite3_column_int64(stmt, 2),
                     (int64_t)sqlite3_column_int64(stmt, 3));
    }
    (void)sqlite3_finalize(stmt);
}

static enum err measure(const struct rows *rows, const char *folder, int count, size_t batch,
                        struct errmsg *msg)
{
    struct file files[NODES_MAX];
    for (int i = 0; i < count; i++) {
        TRY(file_open(&files[i], folder, i, msg));
    }
    double began = seconds();
    clock_t began_cpu = clock();
    for (size_t from = 0; from < rows->count; from += batch) {
        size_t to = rows->count - from < batch ? rows->count : from + batch;
        for (int i = 0; i < count; i++) {
            write_batch(&files[i], rows, from, to);
        }
    }
    double took = seconds() - began;
    double worked = (double)(clock() - began_cpu) / CLOCKS_PER_SEC;
    (void)printf("{\"rows\":%zu,\"batch\":%zu,\"files\":%d,\"seconds\":%.4f,\"cpu_s\":%.4f,"
                 "\"rows_per_s\":%.0f,\"totals\":[",
                 rows->count, batch, count, took, worked, (double)rows->count / took);
    print_totals(&files[count - 1], rows);
    (void)printf("]}\n");
    for (int i = 0; i < count; i++) {
        file_close(&files[i]);
    }
    return ERR_OK;
}

int main(int argc, char *argv[])
{
    struct rows rows = {.count = 0};
    struct errmsg msg = {""};
    int files = 1;
    size_t batch = IMPORT_ROWS_MAX;
    int at = 1;
    for (; at < argc && argv[at][0] == '-'; at++) {
        if (strcmp(argv[at], "--tree") == 0) {
            files = NODES_MAX;
        } else if (strcmp(argv[at], "--batch") == 0 && at + 1 < argc) {
            batch = strtoul(argv[++at], NULL, 10);
        } else {
            at = argc;
        }
    }
    if (argc - at < 3 || batch == 0) {
        (void)fprintf(stderr, "usage: bench_bare [--tree] [--batch N] FOLDER FILE.csv "
                              "CODE:flow|stock:FREQUENCY:DECIMALS...\n");
        return 2;
    }
    enum err err = ERR_OK;
    for (int i = at + 2; i < argc && err == ERR_OK; i++) {
        err = rows_measure_add(&rows, argv[i], &msg);
    }
    err = err == ERR_OK ? rows_read(&rows, argv[at + 1], &msg) : err;
    err = err == ERR_OK ? measure(&rows, argv[at], files, batch, &msg) : err;
    rows_free(&rows);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "bench_bare: %s: %s\n", err_name(err), msg.text);
        return 1;
    }
    return 0;
}

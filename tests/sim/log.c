#include "log.h"

#include <stdlib.h>

#include "store/internal.h"

static void keep_line(struct log_lines *log, const struct log_row *row)
{
    const struct entry *e = &row->entry;
    if (log->count == log->cap) {
        log->cap = log->cap == 0 ? 64 : log->cap * 2;
        log->lines = realloc(log->lines, log->cap * sizeof *log->lines);
        if (log->lines == NULL) {
            abort();
        }
    }
    struct log_line *line = &log->lines[log->count++];
    *line = (struct log_line){.day = e->day, .value = e->value, .kind = e->kind, .live = row->live};
    entry_id_format(&e->segment, e->seq, line->entry);
    if (e->refers_seq > 0) {
        entry_id_format(&e->refers_segment, e->refers_seq, line->refers);
    }
    (void)snprintf(line->unit, sizeof line->unit, "%s", e->unit);
    (void)snprintf(line->measure, sizeof line->measure, "%s", e->measure);
    (void)snprintf(line->category, sizeof line->category, "%s", e->category);
    (void)snprintf(line->note, sizeof line->note, "%s", e->note);
    (void)snprintf(line->key, sizeof line->key, "%s", e->key);
}

static bool see_log(void *ctx, const struct message *message)
{
    struct log_lines *log = ctx;
    const struct msg_reply *reply = &message->u.reply;
    if (reply->err != ERR_OK) {
        (void)snprintf(log->error, sizeof log->error, "%s", reply->text);
    }
    for (size_t i = 0; reply->err == ERR_OK && i < reply->u.log.row_count; i++) {
        if (reply->u.log.rows[i].entry.kind != ENTRY_ACT) {
            keep_line(log, &reply->u.log.rows[i]);
        }
    }
    return true;
}

/* The log in the order of the ledger, which the file says: by clock, then by name. */
static void put_in_order(struct host *host, struct log_lines *log)
{
    static const char ORDER[] =
        "SELECT s.name,e.seq FROM entry e JOIN segment s ON s.id=e.segment WHERE e.own=1 AND "
        "e.kind<4 ORDER BY s.clock+e.seq,s.name";
    sqlite3_stmt *stmt = NULL;
    size_t at = 0;
    disk_pause(host->disk, true);
    bool good = sqlite3_prepare_v2(host->store->db, ORDER, -1, &stmt, NULL) == SQLITE_OK;
    while (good && at < log->count && sqlite3_step(stmt) == SQLITE_ROW) {
        char entry[ENTRY_ID_MAX_BYTES];
        struct id name;
        memcpy(name.b, sqlite3_column_blob(stmt, 0), ID_BYTES);
        entry_id_format(&name, (uint64_t)sqlite3_column_int64(stmt, 1), entry);
        size_t i = at;
        while (i < log->count && strcmp(log->lines[i].entry, entry) != 0) {
            i++;
        }
        if (i < log->count) {
            struct log_line line = log->lines[i];
            memmove(&log->lines[at + 1], &log->lines[at], (i - at) * sizeof line);
            log->lines[at++] = line;
        }
    }
    (void)sqlite3_finalize(stmt);
    disk_pause(host->disk, false);
}

enum err log_read(struct world *world, struct host *host, struct log_lines *log)
{
    struct msg_request request = {.type = REQUEST_LOG,
                                  .u.log = {.unit = "", .key = "", .author = ""}};
    enum err err = host_query(world, host, &request, see_log, log);
    if (err == ERR_OK && log->error[0] == '\0' && host->may_lose) {
        put_in_order(host, log);
    }
    return err;
}

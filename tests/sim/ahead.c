/* No own cell goes up before the entries that it counts: looked at on the line itself, since a
 * parent keeps what comes too early, and nothing shows any more when the entries have come. What a
 * parent has of each segment is what its welcome said and what was sent behind it. */
#include <stdlib.h>

#include "checks.h"
#include "checks_internal.h"
#include "store/internal.h"

void checks_welcomed(struct line *line, const struct msg_welcome *welcome)
{
    map_clear(&line->covered);
    for (size_t i = 0; i < welcome->escrow_count; i++) {
        int64_t *length = map_put(&line->covered, &welcome->escrow[i].segment, NULL);
        if (length == NULL) {
            abort();
        }
        *length = (int64_t)welcome->escrow[i].length;
    }
}

/* What goes up is new there: an entry that the parent has, or that is on its way, goes once. */
static void cover(struct world *world, const struct host *host, struct line *line,
                  const struct msg_batch *batch)
{
    for (size_t i = 0; i < batch->entry_count && !world->violated; i++) {
        const struct entry *entry = &batch->entries[i];
        int64_t *length = map_put(&line->covered, &entry->segment, NULL);
        if (length == NULL) {
            abort();
        }
        if ((int64_t)entry->seq <= *length) {
            world_violate(world, "resent",
                          "%s sends entry %llu of a segment again, of which %lld "
                          "are above or before it",
                          host->code, (unsigned long long)entry->seq, (long long)*length);
        }
        *length = (int64_t)entry->seq;
    }
}

/* How many of the entries behind the cell the parent has, or has on their way. */
static int64_t entries_covered(const struct line *line, sqlite3_stmt *stmt, const struct cell *cell,
                               const struct measure *measure)
{
    struct period period = {measure->frequency, cell->period};
    int64_t count = 0;
    (void)sqlite3_reset(stmt);
    (void)sqlite3_bind_text(stmt, 1, cell->unit, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 2, cell->measure, -1, SQLITE_STATIC);
    (void)sqlite3_bind_text(stmt, 3, cell->category, -1, SQLITE_STATIC);
    (void)sqlite3_bind_int64(stmt, 4, period_first_day(period));
    (void)sqlite3_bind_int64(stmt, 5, period_last_day(period));
    while (sqlite3_step(stmt) == SQLITE_ROW) {
        struct id segment;
        memcpy(segment.b, sqlite3_column_blob(stmt, 0), ID_BYTES);
        const int64_t *length = map_get(&line->covered, &segment);
        count += length != NULL && *length >= sqlite3_column_int64(stmt, 1) ? 1 : 0;
    }
    return count;
}

void checks_ahead(struct world *world, struct host *host, struct line *line,
                  const struct msg_batch *batch)
{
    static const char ENTRIES[] =
        "SELECT s.name,e.seq FROM segment s JOIN entry e ON e.segment=s.id WHERE "
        "s.origin=(SELECT id FROM origin WHERE scope=1) AND e.kind<4 AND "
        "e.unit=(SELECT id FROM symbol WHERE text=?1) AND "
        "e.measure=(SELECT id FROM symbol WHERE text=?2) AND "
        "e.category=(SELECT id FROM symbol WHERE text=?3) AND e.day BETWEEN ?4 AND ?5";
    sqlite3_stmt *stmt = NULL;
    cover(world, host, line, batch);
    if (batch->cell_count == 0 || host_near_damage(host)) {
        return;
    }
    disk_pause(host->disk, true);
    bool good = sqlite3_prepare_v2(host->store->db, ENTRIES, -1, &stmt, NULL) == SQLITE_OK;
    for (size_t i = 0; good && i < batch->cell_count && !world->violated; i++) {
        const struct cell *cell = &batch->cells[i];
        const struct measure *measure =
            catalogue_measure(tree_catalogue(CATALOGUES), cell->measure);
        if (measure == NULL || !id_equal(&cell->origin, &host->origin)) {
            continue;
        }
        int64_t there = entries_covered(line, stmt, cell, measure);
        if (there < cell->count) {
            world_violate(world, "ahead",
                          "%s sends a cell of unit %s, measure %s that counts %lld entries, of "
                          "which %lld are above or before it",
                          host->code, cell->unit, cell->measure, (long long)cell->count,
                          (long long)there);
        }
    }
    (void)sqlite3_finalize(stmt);
    disk_pause(host->disk, false);
}

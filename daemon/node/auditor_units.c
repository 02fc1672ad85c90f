/* What a node knows of its tree: whether it can be read at all, and is what was written. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/auditor_internal.h"

enum { PLACES = 128 };

/* One table a slice: whether its rows and those of its indexes are where they are looked for. */
enum err auditor_step_tables(struct auditor *a)
{
    static const char *const TABLES[] = {"fact",  "symbol", "origin",  "segment", "entry",
                                         "cell",  "total",  "unit",    "hosting", "status",
                                         "child", "invite", "session", "refused"};
    const char *found;
    const char *table = TABLES[a->table_at];
    TRY(store_table_check(a->store, table, &a->arena, &found));
    a->table_at++;
    bool sound = strcmp(found, "ok") == 0;
    a->unsound = a->unsound || !sound;
    if (a->table_at == sizeof TABLES / sizeof *TABLES) {
        a->phase = a->unsound ? PHASE_END : PHASE_STATE;
    }
    if (sound) {
        return ERR_OK;
    }
    char text[FINDING_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "table %s: %.200s; " STORE_KEEP_ASIDE, table, found);
    struct audit_finding finding = {.check = AUDIT_UNITS, .text = text};
    return auditor_report(a, &finding);
}

/* The walk over the chains goes by origin, and would not meet them. */
static enum err check_segments(struct auditor *a)
{
    int64_t astray = 0;
    char text[FINDING_TEXT_BYTES];
    TRY(store_segments_astray(a->store, &astray));
    if (astray == 0) {
        return ERR_OK;
    }
    (void)snprintf(text, sizeof text, "segments: %" PRId64 " rows are of nobody's ledger", astray);
    struct audit_finding finding = {.check = AUDIT_UNITS, .text = text};
    return auditor_report(a, &finding);
}

/* What the next start, and every question, would stumble over. */
enum err auditor_step_state(struct auditor *a)
{
    struct view view;
    int64_t torn = 0;
    view_init(&view, a->store);
    enum err err = view_load(&view, NULL);
    view_deinit(&view);
    err = err == ERR_NOT_FOUND ? ERR_CORRUPT : err;
    TRY(err);
    TRY(check_segments(a));
    TRY(store_symbols_torn(a->store, &torn));
    a->phase = PHASE_UNITS;
    if (torn == 0) {
        return ERR_OK;
    }
    char text[FINDING_TEXT_BYTES];
    (void)snprintf(text, sizeof text, "codes: %" PRId64 " of those kept are not what was written",
                   torn);
    struct audit_finding finding = {.check = AUDIT_UNITS, .text = text};
    return auditor_report(a, &finding);
}

static enum err check_hash(struct auditor *a, const char *what, const struct audit_finding *place,
                           const struct id *is, const struct id *want)
{
    char text[FINDING_TEXT_BYTES];
    struct audit_finding finding = *place;
    bool unsealed = place->scope != SCOPE_OWN && id_is_zero(is); /* it will come again */
    a->examined[AUDIT_UNITS]++;
    if (unsealed || id_equal(is, want)) {
        return ERR_OK;
    }
    (void)snprintf(text, sizeof text, "%s %s: what is kept of it is not what was written", what,
                   auditor_text(a, place->place));
    finding.check = AUDIT_UNITS;
    finding.text = text;
    return auditor_report(a, &finding);
}

enum err auditor_step_units(struct auditor *a)
{
    struct store_unit rows[PLACES];
    size_t n;
    TRY(store_units(a->store, a->place_at, &a->arena, rows, PLACES, &n));
    for (size_t i = 0; i < n; i++) {
        struct id want;
        TRY(store_unit_hash(&rows[i], &want));
        struct audit_finding place = {
            .place = rows[i].code, .scope = rows[i].scope, .decider = rows[i].decider};
        TRY(check_hash(a, "unit", &place, &rows[i].hash, &want));
        a->place_at = rows[i].code;
    }
    if (n < PLACES) {
        a->place_at = 0;
        a->phase = PHASE_HOSTINGS;
    }
    return ERR_OK;
}

enum err auditor_step_hostings(struct auditor *a)
{
    struct store_hosting rows[PLACES];
    size_t n;
    TRY(store_hostings(a->store, a->place_at, rows, PLACES, &n));
    for (size_t i = 0; i < n; i++) {
        struct id want;
        TRY(store_hosting_hash(&rows[i], &want));
        struct audit_finding place = {.place = rows[i].unit,
                                      .scope = rows[i].scope,
                                      .decider = rows[i].decider,
                                      .hosting = true};
        TRY(check_hash(a, "node of unit", &place, &rows[i].hash, &want));
        a->place_at = rows[i].unit;
    }
    if (n < PLACES) {
        a->phase = PHASE_CELLS;
    }
    return ERR_OK;
}

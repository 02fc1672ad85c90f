/* The slices. Each phase walks one table in order of its key; what it finds different it computes
 * again from scratch within the same slice, so that a reader sees one state of the file.
 *
 *   tables   rows and indexes can be found where they are looked for
 *   state    units and catalogue can be read as at a start, and texts be found
 *   units    every unit's and hosting's row's hash against its content
 *   cells    every row's hash against its content
 *   chains   every held entry's hash against the one before and its content (own ledger and escrow)
 *   ledger   own cells, and the state of own records, against the own entries
 *   sums     what the cells come to, for every unit on the way up
 *   totals   every total against those sums
 *   digests  every origin's sum and count against its cells
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/text.h"
#include "node/auditor_internal.h"

const char *audit_check_name(enum audit_check check)
{
    static const char *const NAMES[] = {"totals",  "cells",  "ledger", "chains",
                                        "digests", "escrow", "units"};
    return NAMES[check];
}

int64_t auditor_examined(const struct auditor *auditor, enum audit_check check)
{
    return auditor->examined[check];
}

struct auditor *auditor_new(struct store *store, const struct view *view, audit_finding_fn finding,
                            void *ctx)
{
    struct auditor *a = calloc(1, sizeof *a);
    struct id origin;
    struct store_origin own;
    if (a == NULL) {
        return NULL;
    }
    a->store = store;
    a->view = view;
    a->own_length = INT64_MAX;
    a->finding = finding;
    a->ctx = ctx;
    arena_init(&a->arena, (size_t)64 << 20);
    texts_init(&a->texts, store);
    buf_init(&a->scratch, FRAME_MAX_BYTES);
    map_init(&a->totals, sizeof(struct total_key), sizeof(struct sums));
    auditor_ledger_init(a);
    a->begun = store_fact_fixed(store, "origin", origin.b, ID_BYTES);
    a->begun = a->begun == ERR_OK ? store_origin_find(store, &origin, &own) : a->begun;
    int64_t merged = 0;
    a->begun = a->begun == ERR_OK ? store_fact_int(store, "merged", 0, &merged) : a->begun;
    a->merged = merged != 0;
    if (a->begun == ERR_OK) {
        a->own_origin = a->lost.origin = own.id;
    } else if (a->begun == ERR_NOT_FOUND) {
        a->begun = ERR_CORRUPT;
    }
    return a;
}

bool auditor_unsound(const struct auditor *auditor)
{
    return auditor->unsound;
}

void auditor_free(struct auditor *a)
{
    if (a != NULL) {
        arena_reset(&a->arena);
        texts_deinit(&a->texts);
        buf_deinit(&a->scratch);
        map_deinit(&a->totals);
        map_deinit(&a->origins);
        auditor_ledger_deinit(a);
        free(a);
    }
}

const char *auditor_text(struct auditor *a, int64_t symbol)
{
    const char *text;
    enum err err = texts_get(&a->texts, symbol, &text);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        a->unread = err; /* what is found with it is no finding */
    }
    return err == ERR_OK ? text : "?";
}

static void period_text(struct auditor *a, const struct store_cell_key *key,
                        char out[PERIOD_TEXT_BYTES])
{
    const struct measure *measure = view_measure(a->view, key->measure);
    if (measure != NULL && period_index_valid(measure->frequency, (int32_t)key->period)) {
        period_format((struct period){measure->frequency, (int32_t)key->period}, out);
    } else {
        (void)snprintf(out, PERIOD_TEXT_BYTES, "#%" PRId64, key->period);
    }
}

/* The thing that a finding is about, as its text begins. */
static void subject_of(struct auditor *a, const char *what, const struct store_cell_key *key,
                       char *out, size_t size)
{
    char period[PERIOD_TEXT_BYTES];
    period_text(a, key, period);
    const char *category = auditor_text(a, key->category);
    (void)snprintf(out, size, "%s of unit %s, measure %s, period %s%s%s", what,
                   auditor_text(a, key->unit), auditor_text(a, key->measure), period,
                   category[0] == '\0' ? "" : ", ", category);
}

enum err auditor_found(struct auditor *a, enum audit_check check, const struct store_cell_key *key,
                       const char *what)
{
    char subject[FINDING_TEXT_BYTES];
    char text[2 * FINDING_TEXT_BYTES];
    subject_of(a, check == AUDIT_TOTALS ? "total" : "cell", key, subject, sizeof subject);
    (void)snprintf(text, sizeof text, "%s: %s", subject, what);
    struct audit_finding finding = {
        .check = check, .key = *key, .text = text, .own_chain_broken = a->own_chain_broken};
    return auditor_report(a, &finding);
}

enum err auditor_report(struct auditor *a, const struct audit_finding *finding)
{
    char text[2 * FINDING_TEXT_BYTES]; /* a subject, and what is wrong with it */
    struct audit_finding said = *finding;
    if (a->unread != ERR_OK) {
        return a->unread;
    }
    (void)snprintf(text, sizeof text, "%s", finding->text);
    text_mend(text); /* what is damaged may be a text, and SQLite speaks in several lines */
    said.text = text;
    return a->finding(a->ctx, &said);
}

enum err auditor_step(struct auditor *a, bool *done)
{
    static enum err (*const STEPS[PHASE_END])(struct auditor *) = {
        [PHASE_TABLES] = auditor_step_tables, [PHASE_STATE] = auditor_step_state,
        [PHASE_UNITS] = auditor_step_units,   [PHASE_HOSTINGS] = auditor_step_hostings,
        [PHASE_CELLS] = auditor_step_cells,   [PHASE_CHAINS] = auditor_step_chains,
        [PHASE_LEDGER] = auditor_step_ledger, [PHASE_SUMS] = auditor_step_sums,
        [PHASE_TOTALS] = auditor_step_totals, [PHASE_DIGESTS] = auditor_step_digests,
    };
    TRY(a->begun);
    a->unread = ERR_OK;
    arena_reset(&a->arena);
    texts_trim(&a->texts);
    enum err err = a->phase == PHASE_END ? ERR_OK : STEPS[a->phase](a);
    *done = a->phase == PHASE_END;
    return err == ERR_OK ? a->unread : err;
}

/* ---- single values, for mending ---- */

static enum err nobody_listens(void *ctx, const struct audit_finding *finding)
{
    (void)ctx;
    (void)finding;
    return ERR_OK;
}

enum err audit_recompute_total(struct store *store, const struct view *view,
                               struct store_total *total)
{
    struct sums sums;
    struct auditor *a = auditor_new(store, view, nobody_listens, NULL);
    if (a != NULL) {
        a->only_whole = true;
    }
    enum err err = a == NULL ? ERR_NO_MEMORY : auditor_recompute(a, total, &sums);
    err = err == ERR_OK ? a->unread : err;
    if (err == ERR_OK) {
        total->value = sums.value;
        total->entries = sums.entries;
    }
    auditor_free(a);
    return err;
}

/* Runs the chains and the walk of the own ledger; ERR_REFUSED when a chain is broken. */
static enum err walk_own_ledger(struct auditor *a)
{
    enum err err = ERR_OK;
    a->only_own = true;
    for (a->phase = PHASE_CHAINS; err == ERR_OK && a->phase <= PHASE_LEDGER;) {
        bool done;
        err = auditor_step(a, &done);
    }
    TRY(err);
    return a->own_chain_broken ? ERR_REFUSED : ERR_OK;
}

enum err audit_recompute_own_cells(struct store *store, const struct view *view,
                                   struct store_cell *cells, size_t count)
{
    struct auditor *a = auditor_new(store, view, nobody_listens, NULL);
    enum err err = a == NULL ? ERR_NO_MEMORY : walk_own_ledger(a);
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        struct store_cell_key key = cells[i].key;
        err = auditor_ledger_cell(a, &key, &cells[i]);
        cells[i].key = key;
    }
    auditor_free(a);
    return err;
}

enum err audit_recompute_record(struct store *store, const struct view *view,
                                struct store_entry *record)
{
    struct auditor *a = auditor_new(store, view, nobody_listens, NULL);
    enum err err = a == NULL ? ERR_NO_MEMORY : walk_own_ledger(a);
    err = err == ERR_OK ? auditor_ledger_record(a, record) : err;
    auditor_free(a);
    return err;
}

/* ---- single rows ---- */

enum err audit_subject(struct store *store, const struct view *view, const char *what,
                       const struct store_cell_key *key, char *out, size_t size)
{
    struct auditor *a = auditor_new(store, view, nobody_listens, NULL);
    if (a == NULL) {
        return ERR_NO_MEMORY;
    }
    subject_of(a, what, key, out, size);
    enum err err = a->unread;
    auditor_free(a);
    return err;
}

enum err audit_one_cell(struct store *store, const struct view *view, const struct store_cell *row,
                        audit_finding_fn finding, void *ctx)
{
    struct auditor *a = auditor_new(store, view, finding, ctx);
    enum err err = a == NULL ? ERR_NO_MEMORY : a->begun;
    err = err == ERR_OK ? auditor_check_cell(a, row) : err;
    err = err == ERR_OK ? a->unread : err;
    auditor_free(a);
    return err;
}

enum err audit_one_entry(struct store *store, const struct view *view,
                         const struct store_segment *segment, const struct store_entry *row,
                         audit_finding_fn finding, void *ctx)
{
    struct auditor *a = auditor_new(store, view, finding, ctx);
    enum err err = a == NULL ? ERR_NO_MEMORY : a->begun;
    err = err == ERR_OK ? auditor_check_entry(a, segment, row) : err;
    err = err == ERR_OK ? a->unread : err;
    auditor_free(a);
    return err;
}

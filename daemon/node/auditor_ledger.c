/* Entries: their chains, and what the own ledger comes to.
 *
 * The chains are walked first, of all origins. Then the own ledger is walked, entry by entry, and
 * every own cell made again from what the hashes vouch for: written values and the corrections that
 * name them, never from the state that is kept beside an entry for speed. That state is then held
 * against it too. What was recorded while the walk went on shows in a cell's higher count and is
 * left for the next audit. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/auditor_internal.h"
#include "node/merge.h"

/* Where an entry lies: number of its segment, number in it. */
struct entry_place {
    int64_t segment;
    int64_t seq;
};

/* A record as its corrections leave it; `seen` when there was one. */
struct corrected {
    bool seen;
    bool live;
    int64_t value;
};

/* A cell made again from entries. A stock whose records were corrected stands anew at the end. */
struct ledger_cell {
    struct store_cell cell;
    bool restand;
    struct merge_rank rank; /* merged: of the record that stands */
};

void auditor_ledger_init(struct auditor *a)
{
    lost_init(&a->lost, a->store, 0);
    map_init(&a->plain, sizeof(struct store_cell_key), sizeof(struct ledger_cell));
    map_init(&a->ledger, sizeof(struct store_cell_key), sizeof(struct ledger_cell));
    map_init(&a->corrected, sizeof(struct entry_place), sizeof(struct corrected));
}

void auditor_ledger_deinit(struct auditor *a)
{
    lost_deinit(&a->lost);
    map_deinit(&a->plain);
    map_deinit(&a->ledger);
    map_deinit(&a->corrected);
}

/* ---- chains ---- */

static enum err chain_fault(struct auditor *a, int64_t seq, const char *what)
{
    char id[ENTRY_ID_MAX_BYTES];
    char text[FINDING_TEXT_BYTES];
    entry_id_format(&a->segment.name, (uint64_t)seq, id);
    bool own = a->segment.origin == a->own_origin;
    struct store_origin origin;
    enum err err = store_origin_get(a->store, a->segment.origin, &origin);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    const char *unit = err == ERR_OK ? auditor_text(a, origin.unit) : "?";
    (void)snprintf(text, sizeof text, "%s entry %s of unit %s: %s", own ? "ledger" : "escrow", id,
                   unit, what);
    a->own_chain_broken = a->own_chain_broken || own;
    struct audit_finding finding = {.check = own ? AUDIT_CHAINS : AUDIT_ESCROW, .text = text};
    return auditor_report(a, &finding);
}

static enum err check_entry(struct auditor *a, const struct store_entry *row)
{
    struct entry entry;
    bool own = a->segment.origin == a->own_origin;
    a->examined[own ? AUDIT_CHAINS : AUDIT_ESCROW]++;
    if (row->seq != a->seq + 1) {
        TRY(chain_fault(a, a->seq + 1, "it is missing"));
    }
    if (row->own != own) {
        TRY(chain_fault(a, row->seq, own ? "it is kept as another node's" : "it is kept as own"));
    }
    enum err err = ledger_entry_message(&a->texts, row, &a->segment.name, &entry);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    struct hash hash = a->hash;
    if (err == ERR_OK) {
        hash = entry_hash(&a->hash, &entry, &a->scratch);
        TRY(a->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    }
    if (!hash_equal(&hash, &row->hash)) {
        TRY(chain_fault(a, row->seq, "its content is not what its hash stands for"));
    }
    a->hash = row->hash; /* goes on from what is stored, so that one changed entry is named once */
    a->seq = row->seq;
    return ERR_OK;
}

static enum err begin_chain(struct auditor *a)
{
    struct bytes continues;
    struct head *heads;
    struct store_origin origin;
    struct opening opening = {.segment = a->segment.name};
    if (!a->segment.sound) {
        TRY(chain_fault(a, 0, "what is kept of its segment is not what was written"));
    }
    TRY(store_origin_get(a->store, a->segment.origin, &origin));
    opening.origin = origin.name;
    TRY(store_segment_continues(a->store, a->segment.id, &a->arena, &continues));
    TRY(heads_decode(continues, &a->arena, &heads, &opening.continue_count));
    opening.continues = heads;
    a->hash = opening_hash(&opening, &a->scratch);
    TRY(a->scratch.failed ? ERR_NO_MEMORY : ERR_OK);
    a->seq = 0;
    return ERR_OK;
}

enum err auditor_check_entry(struct auditor *a, const struct store_segment *segment,
                             const struct store_entry *row)
{
    struct store_entry before;
    a->segment = *segment;
    TRY(begin_chain(a));
    if (row->seq > 1) {
        enum err err = store_entry_get(a->store, segment->id, row->seq - 1, &a->arena, &before);
        if (err == ERR_NOT_FOUND) {
            return chain_fault(a, row->seq - 1, "it is missing");
        }
        TRY(err);
        a->hash = before.hash;
        a->seq = before.seq;
    }
    return check_entry(a, row);
}

static enum err end_chain(struct auditor *a)
{
    struct store_segment now;
    TRY(store_segment_get(a->store, a->segment.id, &now));
    bool whole = a->seq > now.held || (a->seq == now.held && hash_equal(&a->hash, &now.held_hash));
    a->segment.id = 0;
    if (whole || now.held > a->seq + SLICE_ROWS) {
        return ERR_OK;
    }
    a->segment = now;
    enum err err = a->seq < now.held
                       ? chain_fault(a, a->seq + 1, "it is missing at the end of its segment")
                       : chain_fault(a, a->seq, "its hash is not the head of its segment");
    a->segment.id = 0;
    return err;
}

/* Moves on to the next segment; false when the origins have no more. */
static enum err next_segment(struct auditor *a, int64_t only_origin, bool *there)
{
    for (;;) {
        size_t n = 0;
        if (a->origin_at != 0) {
            TRY(store_segments(a->store, a->origin_at, a->segment_number, &a->segment, 1, &n));
        }
        if (n == 1) {
            a->segment_number = a->segment.number;
            *there = true;
            return begin_chain(a);
        }
        struct store_origin origin;
        TRY(store_origins(a->store, a->origin_at, &origin, 1, &n));
        if (only_origin != 0) {
            n = a->origin_at == only_origin ? 0 : 1;
            origin.id = only_origin;
        }
        if (n == 0) {
            *there = false;
            return ERR_OK;
        }
        a->origin_at = origin.id;
        a->segment_number = 0;
    }
}

/* The next page of the segment under way, or the first one of the next; *n 0 at a segment's end,
 * *over after the last segment. */
static enum err next_page(struct auditor *a, int64_t only_origin, struct store_entry **rows,
                          size_t *n, bool *over)
{
    *over = false;
    *n = 0;
    if (a->segment.id == 0) {
        bool there;
        TRY(next_segment(a, only_origin, &there));
        *over = !there;
        if (!there) {
            return ERR_OK;
        }
    }
    *rows = arena_array(&a->arena, SLICE_ROWS, sizeof **rows);
    if (*rows == NULL) {
        return ERR_NO_MEMORY;
    }
    return store_entries(a->store, a->segment.id, a->seq, &a->arena, *rows, SLICE_ROWS, n);
}

static void begin_walk(struct auditor *a, enum phase next)
{
    a->phase = next;
    a->origin_at = 0;
    a->segment_number = 0;
    a->segment.id = 0;
    a->cell_at = (struct store_cell_key){0};
}

enum err auditor_step_chains(struct auditor *a)
{
    struct store_entry *rows;
    size_t n;
    bool over;
    TRY(next_page(a, a->only_own ? a->own_origin : 0, &rows, &n, &over));
    if (over) {
        begin_walk(a, PHASE_LEDGER);
        return ERR_OK;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(check_entry(a, &rows[i]));
    }
    return n == SLICE_ROWS ? ERR_OK : end_chain(a);
}

/* ---- the own ledger ---- */

static bool key_of(const struct auditor *a, const struct store_entry *entry,
                   struct store_cell_key *key, const struct measure **measure)
{
    *measure = view_measure(a->view, entry->measure);
    if (entry->kind == ENTRY_ACT || *measure == NULL) {
        return false;
    }
    *key = (struct store_cell_key){.unit = entry->unit,
                                   .measure = entry->measure,
                                   .category = entry->category,
                                   .origin = a->own_origin};
    key->period = period_of_day((*measure)->frequency, entry->day).index;
    return true;
}

static enum err take_record(struct auditor *a, const struct store_entry *entry, bool stock,
                            struct store_cell *cell)
{
    bool stands = cell->live == 0 || entry->hosting > cell->hosting ||
                  (entry->hosting == cell->hosting && entry->day >= cell->day);
    cell->live++;
    if (!stock) {
        cell->value += entry->value;
    } else if (stands) {
        cell->value = entry->value;
        cell->hosting = entry->hosting;
        cell->day = entry->day;
    }
    if (entry->live && entry->now_value == entry->value) {
        return ERR_OK;
    }
    /* Corrected, or damaged: known when the walk is over. */
    struct entry_place place = {entry->segment, entry->seq};
    return map_put(&a->corrected, &place, NULL) == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* An amend or void changes the record that it names. One that names none is left out: the cell then
 * shows the difference. */
static enum err take_correction(struct auditor *a, const struct store_entry *entry,
                                struct ledger_cell *cell)
{
    struct store_segment segment;
    struct store_entry record;
    enum err err = store_segment_find(a->store, &entry->refers_segment, &segment);
    err = err == ERR_OK
              ? store_entry_get(a->store, segment.id, entry->refers_seq, &a->arena, &record)
              : err;
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    struct entry_place place = {segment.id, entry->refers_seq};
    struct corrected *state = map_put(&a->corrected, &place, NULL);
    if (state == NULL) {
        return ERR_NO_MEMORY;
    }
    struct corrected before = *state;
    if (!before.seen) {
        before = (struct corrected){.live = true, .value = record.value};
    }
    bool live = before.live && entry->kind == ENTRY_AMEND;
    *state = (struct corrected){.seen = true, .live = live, .value = live ? entry->value : 0};
    cell->cell.value += state->value - before.value;
    cell->cell.live -= before.live && !live ? 1 : 0;
    cell->restand = true;
    return ERR_OK;
}

static enum err report_state(struct auditor *a, const struct store_entry *record,
                             const struct id *segment, const struct corrected *want)
{
    char id[ENTRY_ID_MAX_BYTES];
    char text[FINDING_TEXT_BYTES];
    entry_id_format(segment, (uint64_t)record->seq, id);
    (void)snprintf(text, sizeof text,
                   "ledger entry %s of unit %s: what is kept of its corrections (%s, %" PRId64
                   ") is not what they say (%s, %" PRId64 ")",
                   id, auditor_text(a, record->unit), record->live ? "live" : "void",
                   record->now_value, want->live ? "live" : "void", want->value);
    struct audit_finding finding = {.check = AUDIT_LEDGER,
                                    .text = text,
                                    .segment = record->segment,
                                    .seq = record->seq,
                                    .live = want->live,
                                    .value = want->value,
                                    .own_chain_broken = a->own_chain_broken};
    return auditor_report(a, &finding);
}

/* A record of a ledger whose lines have met again: what the fact that it belongs to comes to is
 * known at once, as is whether it tells it. */
static enum err take_merged(struct auditor *a, const struct store_entry *entry, bool stock,
                            const struct lost_base *base, struct ledger_cell *cell)
{
    struct merge_fact fact;
    bool before = false;
    struct store_entry now = *entry;
    TRY(merge_fact_of(a->store, entry, &a->segment.name, &fact));
    merge_apply(&fact, &now);
    if (now.live != entry->live || now.now_value != entry->now_value) {
        struct corrected want = {.live = now.live, .value = now.now_value};
        TRY(report_state(a, entry, &a->segment.name, &want));
    }
    TRY(base != NULL && now.live
            ? merge_is_before(a->store, entry, &a->segment.name, &a->lost, base, &before)
            : ERR_OK);
    if (!now.live || before) {
        return ERR_OK;
    }
    (void)merge_add(&now, &a->segment, stock, &cell->cell, &cell->rank); /* damaged: as it is */
    return ERR_OK;
}

/* The base of a cell: among what stands with the same day it comes first. */
static void take_base(const struct lost_base *base, bool stock, struct ledger_cell *cell)
{
    struct store_cell *sum = &cell->cell;
    bool stands = stock && lost_ranks_above(base, sum->live > 0, sum->hosting, sum->day);
    struct store_cell alone;
    lost_stand(base, &alone);
    sum->count += alone.count;
    sum->live += alone.live;
    if (stands) {
        sum->value = alone.value;
        sum->hosting = alone.hosting;
        sum->day = alone.day;
        cell->rank.clock = INT64_MIN;
    }
    sum->value += stock ? 0 : alone.value;
}

/* A cell with a base as its entries alone make it, beside what it comes to with the base. */
static enum err take_plain(struct auditor *a, const struct store_entry *entry, bool stock,
                           const struct store_cell_key *key)
{
    struct ledger_cell *plain = map_put(&a->plain, key, NULL);
    if (plain == NULL) {
        return ERR_NO_MEMORY;
    }
    plain->cell.count++;
    return entry->kind == ENTRY_RECORD ? take_merged(a, entry, stock, NULL, plain) : ERR_OK;
}

static enum err ledger_entry(struct auditor *a, const struct store_entry *entry)
{
    const struct measure *measure;
    struct store_cell_key key;
    if (!key_of(a, entry, &key, &measure)) {
        return ERR_OK;
    }
    struct ledger_cell *cell = map_put(&a->ledger, &key, NULL);
    if (cell == NULL) {
        return ERR_NO_MEMORY;
    }
    bool stock = measure->kind == MEASURE_STOCK;
    const struct lost_base *base = lost_base(&a->lost, &key);
    if (base != NULL && entry->segment == base->segment && entry->seq == base->seq) {
        take_base(base, stock, cell);
        return take_plain(a, entry, stock, &key);
    }
    bool before = base != NULL && lost_before(&a->lost, base, entry->segment, entry->seq);
    cell->cell.count += before ? 0 : 1;
    if (base != NULL) {
        TRY(take_plain(a, entry, stock, &key));
    }
    if (a->merged) {
        return entry->kind == ENTRY_RECORD ? take_merged(a, entry, stock, base, cell) : ERR_OK;
    }
    return entry->kind == ENTRY_RECORD ? take_record(a, entry, stock, &cell->cell)
                                       : take_correction(a, entry, cell);
}

/* The highest-ranking record that its corrections leave alive. */
static enum err restand(struct auditor *a, const struct store_cell_key *key,
                        const struct measure *measure, struct store_cell *cell)
{
    struct store_stock_span span = cells_span(key, measure);
    cell->value = 0;
    cell->hosting = 0;
    cell->day = 0;
    for (int64_t rank = 0; cell->live > 0; rank++) {
        struct store_placed ranked;
        enum err err = store_entry_ranked(a->store, &span, rank, &ranked);
        if (err != ERR_OK) {
            return err == ERR_NOT_FOUND ? ERR_OK : err;
        }
        const struct store_entry record = ranked.entry;
        struct entry_place place = {record.segment, record.seq};
        const struct corrected *state = map_get(&a->corrected, &place);
        bool seen = state != NULL && state->seen;
        if (!seen || state->live) {
            cell->value = seen ? state->value : record.value;
            cell->hosting = record.hosting;
            cell->day = record.day;
            break;
        }
    }
    return ERR_OK;
}

/* False only for a base that has come to be none. */
static bool base_stands(const struct auditor *a, const struct store_cell_key *key)
{
    const struct lost_base *base = lost_base(&a->lost, key);
    return base == NULL || lost_stands(&a->lost, base);
}

enum err auditor_ledger_cell(struct auditor *a, const struct store_cell_key *key,
                             struct store_cell *out)
{
    const struct ledger_cell *cell = map_get(&a->ledger, key);
    const struct measure *measure = view_measure(a->view, key->measure);
    cell = base_stands(a, key) ? cell : map_get(&a->plain, key);
    struct store_cell found = cell == NULL ? (struct store_cell){.count = 0} : cell->cell;
    if (cell != NULL && cell->restand && measure != NULL && measure->kind == MEASURE_STOCK) {
        TRY(restand(a, key, measure, &found));
    }
    *out = found;
    return ERR_OK;
}

enum err auditor_ledger_record(const struct auditor *a, struct store_entry *record)
{
    if (a->merged) {
        struct store_segment segment;
        struct merge_fact fact;
        TRY(store_segment_get(a->store, record->segment, &segment));
        TRY(merge_fact_of(a->store, record, &segment.name, &fact));
        merge_apply(&fact, record);
        return ERR_OK;
    }
    struct entry_place place = {record->segment, record->seq};
    const struct corrected *state = map_get(&a->corrected, &place);
    bool seen = state != NULL && state->seen;
    record->live = !seen || state->live;
    record->now_value = seen ? state->value : record->value;
    return ERR_OK;
}

static enum err check_cell(struct auditor *a, const struct store_cell_key *key)
{
    struct store_cell want;
    struct store_cell row = {.count = 0};
    TRY(auditor_ledger_cell(a, key, &want));
    enum err err = store_cell_get(a->store, key, &row);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    a->examined[AUDIT_LEDGER]++;
    bool same = row.count == want.count && row.value == want.value && row.live == want.live &&
                row.hosting == want.hosting && row.day == want.day;
    if (same || row.count > want.count) {
        return ERR_OK;
    }
    char what[FINDING_TEXT_BYTES];
    (void)snprintf(what, sizeof what,
                   "stored %" PRId64 " (%" PRId64 " entries), the own ledger comes to %" PRId64
                   " (%" PRId64 " entries)",
                   row.value, row.count, want.value, want.count);
    return auditor_found(a, AUDIT_LEDGER, key, what);
}

/* What is kept beside a record: whether it lives, and its value now. */
static enum err check_state(struct auditor *a, const struct entry_place *place,
                            const struct corrected *state)
{
    struct store_entry record;
    struct store_segment segment;
    struct store_cell_key key;
    const struct measure *measure;
    struct store_cell row;
    TRY(store_entry_get(a->store, place->segment, place->seq, &a->arena, &record));
    struct corrected want = {.live = true, .value = record.value};
    want = state->seen ? *state : want;
    if ((record.live == want.live && record.now_value == want.value) ||
        !key_of(a, &record, &key, &measure)) {
        return ERR_OK;
    }
    const struct ledger_cell *cell = map_get(&a->ledger, &key);
    bool newer = cell == NULL || store_cell_get(a->store, &key, &row) != ERR_OK ||
                 row.count > cell->cell.count;
    if (newer) {
        return ERR_OK;
    }
    TRY(store_segment_get(a->store, place->segment, &segment));
    return report_state(a, &record, &segment.name, &want);
}

/* All own cells and corrected records, after the walk. */
static enum err check_ledger(struct auditor *a)
{
    const void *key;
    void *value;
    for (size_t at = 0; map_next(&a->ledger, &at, &key, &value);) {
        TRY(check_cell(a, key));
    }
    for (size_t at = 0; map_next(&a->corrected, &at, &key, &value);) {
        arena_reset(&a->arena);
        TRY(check_state(a, key, value));
    }
    return ERR_OK;
}

enum err auditor_step_ledger(struct auditor *a)
{
    struct store_entry *rows;
    size_t n;
    bool over;
    TRY(a->lost_loaded ? ERR_OK : lost_load(&a->lost));
    a->lost_loaded = true;
    TRY(next_page(a, a->own_origin, &rows, &n, &over));
    if (over) {
        TRY(check_ledger(a));
        begin_walk(a, PHASE_SUMS);
        return ERR_OK;
    }
    for (size_t i = 0; i < n; i++) {
        TRY(ledger_entry(a, &rows[i]));
        a->seq = rows[i].seq;
    }
    a->segment.id = n == SLICE_ROWS ? a->segment.id : 0;
    return ERR_OK;
}

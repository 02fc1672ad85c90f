/* Requests that correct entries: amend and void. A correction is an entry of its own that names the
 * record; the latest amend wins, a void is final. */
#include <string.h>

#include "node/audit.h"
#include "node/internal.h"
#include "node/lost.h"
#include "node/merge.h"
#include "proto/decimal.h"

enum { SEGMENTS_FOUND_MAX = 4 };

static enum err find_entry(struct node *node, const char *text, struct store_segment *segment,
                           struct store_entry *entry, struct errmsg *msg)
{
    struct id low;
    uint64_t seq;
    struct store_segment found[SEGMENTS_FOUND_MAX];
    size_t n;
    TRY(entry_id_parse(text, &low, &seq, msg));
    struct id high = low;
    high.b[7] |= 0x0f;
    memset(high.b + 8, 0xff, 8);
    TRY(store_segments_between(node->store, &low, &high, found, SEGMENTS_FOUND_MAX, &n));
    enum err err =
        n == 1 ? store_entry_get(node->store, found[0].id, (int64_t)seq, &node->arena, entry)
               : ERR_NOT_FOUND;
    if (err == ERR_NOT_FOUND) {
        return err_fail(msg, ERR_REFUSED,
                        "entry %s is not in the ledger of this node; tally log lists what is",
                        text);
    }
    TRY(err);
    *segment = found[0];
    return ERR_OK;
}

/* The record that a chain of corrections is about. */
static enum err original_of(struct node *node, struct store_segment *segment,
                            struct store_entry *entry, struct errmsg *msg)
{
    if (entry->kind == ENTRY_AMEND || entry->kind == ENTRY_VOID) {
        struct id name = entry->refers_segment;
        int64_t seq = entry->refers_seq;
        enum err err = store_segment_find(node->store, &name, segment);
        err = err == ERR_OK ? store_entry_get(node->store, segment->id, seq, &node->arena, entry)
                            : err;
        if (err == ERR_NOT_FOUND) {
            return err_fail(msg, ERR_REFUSED, "what this entry corrects is not here");
        }
        TRY(err);
    }
    if (entry->kind == ENTRY_LOST) {
        return err_fail(msg, ERR_REFUSED,
                        "this entry stands for ones that are lost; record what is to be added or "
                        "taken off instead");
    }
    if (entry->kind != ENTRY_RECORD) {
        return err_fail(
            msg, ERR_REFUSED,
            "this entry is an act of administration; only recorded facts are amended or voided");
    }
    if (!entry->own) {
        return err_fail(msg, ERR_REFUSED,
                        "this entry was recorded at another node; correct it there");
    }
    return ERR_OK;
}

struct correction {
    struct store_segment segment; /* of the record */
    struct store_entry record;
    const struct measure *measure;
    int64_t value;
};

/* A record that only says again what another line of the ledger had said means that fact. */
static enum err fact_of(struct node *node, struct correction *judged)
{
    struct merge_fact fact;
    TRY(merge_fact_of(node->store, &judged->record, &judged->segment.name, &fact));
    TRY(store_segment_get(node->store, fact.place.segment, &judged->segment));
    return store_entry_get(node->store, fact.place.segment, fact.place.seq, &node->arena,
                           &judged->record);
}

static struct store_cell_key key_of(const struct node *node, const struct correction *judged)
{
    const struct store_entry *record = &judged->record;
    struct period period = period_of_day(judged->measure->frequency, record->day);
    return (struct store_cell_key){record->unit, record->measure, record->category, period.index,
                                   node->own_origin};
}

/* The base of the cell: NULL when it has none, or one that is none any more. */
static enum err load_base(const struct correction *judged, const struct store_cell_key *key,
                          struct lost *lost, const struct lost_base **base)
{
    TRY(lost_load_cell(lost, key, judged->measure));
    *base = lost_base(lost, key);
    *base = *base != NULL && lost_stands(lost, *base) ? *base : NULL;
    return ERR_OK;
}

/* What a cell that has lost entries comes to is known, but not which of the records from before: a
 * correction of one might take back what a lost one has taken back already. */
static enum err is_settled(struct node *node, const struct correction *judged, const char *entry,
                           struct errmsg *msg)
{
    struct lost lost;
    struct store_cell_key key = key_of(node, judged);
    bool before = false;
    lost_init(&lost, node->store, node->own_origin);
    const struct lost_base *base = NULL;
    enum err err = load_base(judged, &key, &lost, &base);
    if (err == ERR_OK && base != NULL) {
        err = merge_is_before(node->store, &judged->record, &judged->segment.name, &lost, base,
                              &before);
    }
    lost_deinit(&lost);
    TRY(err);
    return !before
               ? ERR_OK
               : err_fail(msg, ERR_REFUSED,
                          "entries of that period were lost, and with them whether entry %s was "
                          "corrected already; record %s instead",
                          entry,
                          judged->measure->kind == MEASURE_STOCK
                              ? "the right value, of that day or a later one,"
                              : "what is to be added or taken off");
}

static enum err judge_correction(struct node *node, const struct req_correct *correct,
                                 struct correction *out, struct errmsg *msg)
{
    if (node->unsound) {
        return err_fail(msg, ERR_REFUSED,
                        "what is corrected already cannot be told: " NODE_UNSOUND);
    }
    TRY(find_entry(node, correct->entry, &out->segment, &out->record, msg));
    TRY(original_of(node, &out->segment, &out->record, msg));
    TRY(node->merged ? fact_of(node, out) : ERR_OK);
    out->measure = view_measure(&node->view, out->record.measure);
    if (out->measure == NULL) {
        return err_fail(msg, ERR_REFUSED, "the measure of this entry is not in the catalogue");
    }
    TRY(node->has_bases ? is_settled(node, out, correct->entry, msg) : ERR_OK);
    if (!correct->is_void) {
        TRY(decimal_parse(correct->value, out->measure->decimals, &out->value, msg));
    }
    return ERR_OK;
}

static enum err is_same(struct node *node, const struct req_correct *correct,
                        const struct correction *judged, const struct store_entry *entry,
                        bool *same)
{
    struct correction about = {.value = 0};
    *same = entry->kind == (correct->is_void ? ENTRY_VOID : ENTRY_AMEND) &&
            entry->value == judged->value && strcmp(entry->note, correct->note) == 0;
    if (!*same || (id_equal(&entry->refers_segment, &judged->segment.name) &&
                   entry->refers_seq == judged->record.seq)) {
        return ERR_OK;
    }
    *same = false;
    if (!node->merged) {
        return ERR_OK;
    }
    enum err err =
        merge_corrected(node->store, entry, &node->arena, &about.record, &about.segment.name);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    TRY(err == ERR_OK ? fact_of(node, &about) : ERR_OK);
    *same = err == ERR_OK && about.record.segment == judged->record.segment &&
            about.record.seq == judged->record.seq;
    return ERR_OK;
}

/* A correction whose key was seen: the same one, or a clash. */
static enum err find_correction(struct node *node, const struct req_correct *correct,
                                const struct correction *judged, struct store_entry *found,
                                struct errmsg *msg)
{
    if (correct->key[0] == '\0') {
        return ERR_NOT_FOUND;
    }
    for (int64_t rank = 0;; rank++) { /* several: of lines that have met again */
        struct store_placed other;
        bool same;
        enum err err = store_entry_by_key(node->store, correct->key, rank, &node->arena, &other);
        if (err == ERR_NOT_FOUND && rank > 0) {
            break;
        }
        TRY(err);
        TRY(is_same(node, correct, judged, &other.entry, &same));
        if (same) {
            *found = other.entry;
            return ERR_OK;
        }
    }
    return err_fail(msg, ERR_REFUSED,
                    "key %s was used before for another entry; keys name one entry for ever",
                    correct->key);
}

static enum err damaged(const struct store_segment *segment, const struct store_entry *record,
                        struct errmsg *msg)
{
    char id[ENTRY_ID_MAX_BYTES];
    entry_id_format(&segment->name, (uint64_t)record->seq, id);
    return err_fail(msg, ERR_REFUSED,
                    "entry %s, or what corrects it, is damaged in this file; " STORE_KEEP_ASIDE,
                    id);
}

/* A record that may stand, as its corrections leave it. */
static enum err look_at(struct node *node, const struct correction *judged, bool is_void,
                        const struct lost *lost, const struct lost_base *base,
                        struct store_entry *record, struct errmsg *msg)
{
    struct store_segment segment;
    bool whole = true;
    bool before = false;
    if (record->segment == judged->record.segment && record->seq == judged->record.seq) {
        record->live = !is_void;
        record->now_value = judged->value;
        return ERR_OK;
    }
    TRY(store_segment_get(node->store, record->segment, &segment));
    TRY(store_entry_get(node->store, record->segment, record->seq, &node->arena, record));
    TRY(audit_check_record(node, &segment, record, &whole));
    TRY(whole ? ERR_OK : damaged(&segment, record, msg));
    TRY(base == NULL ? ERR_OK
                     : merge_is_before(node->store, record, &segment.name, lost, base, &before));
    record->live = record->live && !before; /* what it had come to is in the base */
    return ERR_OK;
}

/* A stock cell after a correction is what stands among the records that are left, and its base, if
 * it has one. Which live is not taken from what is kept beside them, which may be damaged. */
static enum err restand_beside(struct node *node, const struct correction *judged, bool is_void,
                               const struct lost *lost, const struct lost_base *base,
                               struct store_cell *cell, struct errmsg *msg)
{
    struct store_cell_key key = key_of(node, judged);
    struct store_stock_span span = cells_span(&key, judged->measure);
    struct store_entry standing = {.live = false};
    for (int64_t rank = 0; !standing.live; rank++) {
        struct store_placed ranked;
        enum err err = store_entry_ranked(node->store, &span, rank, &ranked);
        if (err == ERR_NOT_FOUND) {
            standing = (struct store_entry){.live = false};
            break;
        }
        TRY(err);
        standing = ranked.entry;
        TRY(look_at(node, judged, is_void, lost, base, &standing, msg));
    }
    cell->value = standing.live ? standing.now_value : 0;
    cell->hosting = standing.hosting;
    cell->day = standing.day;
    if (base != NULL && lost_ranks_above(base, standing.live, standing.hosting, standing.day)) {
        cell->value = base->value;
        cell->hosting = base->hosting;
        cell->day = base->day;
    }
    return ERR_OK;
}

static enum err restand(struct node *node, const struct correction *judged, bool is_void,
                        struct store_cell *cell, struct errmsg *msg)
{
    struct lost lost;
    struct store_cell_key key = key_of(node, judged);
    lost_init(&lost, node->store, node->own_origin);
    const struct lost_base *base = NULL;
    enum err err = node->has_bases ? load_base(judged, &key, &lost, &base) : ERR_OK;
    err = err == ERR_OK ? restand_beside(node, judged, is_void, &lost, base, cell, msg) : err;
    lost_deinit(&lost);
    return err;
}

static enum err write_correction(struct node *node, const struct request *request,
                                 const struct correction *judged, struct recorded_row *out,
                                 struct errmsg *msg)
{
    const struct req_correct *correct = &request->msg->u.correct;
    const struct store_entry *record = &judged->record;
    struct store_cell_key key = key_of(node, judged);
    struct pending_cell *pending;
    enum err err = cells_touch(node, &key, &pending);
    bool lost = err == ERR_OK && pending->now.live < 1; /* the corrected record counts in it */
    err = lost ? mend_touched_cell(node, pending) : err;
    if (err == ERR_REFUSED) {
        return err_fail(msg, ERR_REFUSED,
                        "what is kept here of that period is damaged, and so is the ledger; keep "
                        "this file aside, and put a good copy in its place");
    }
    TRY(err);
    bool stock = judged->measure->kind == MEASURE_STOCK;
    wide delta = (wide)(correct->is_void ? 0 : judged->value) - record->now_value;
    wide sum = (wide)pending->now.value + delta;
    if (!stock && !wide_fits_i64(sum)) {
        return err_fail(msg, ERR_REFUSED, "the sum of this period would pass 64 bits");
    }
    struct store_cell stands = pending->now;
    TRY(stock ? restand(node, judged, correct->is_void, &stands, msg) : ERR_OK);
    struct ledger_texts texts = {.author = request->client->author};
    TRY(node_text(node, record->unit, &texts.unit));
    TRY(node_text(node, record->measure, &texts.measure));
    TRY(node_text(node, record->category, &texts.category));
    struct store_entry entry = {.kind = correct->is_void ? ENTRY_VOID : ENTRY_AMEND,
                                .unit = record->unit,
                                .measure = record->measure,
                                .category = record->category,
                                .day = record->day,
                                .value = correct->is_void ? 0 : judged->value,
                                .hosting = record->hosting,
                                .refers_segment = judged->segment.name,
                                .refers_seq = record->seq,
                                .key = correct->key,
                                .note = correct->note};
    int64_t place;
    TRY(ledger_append(node, &entry, &texts, &place));
    TRY(store_entry_state_set(node->store, record->segment, record->seq, !correct->is_void,
                              correct->is_void ? 0 : judged->value));
    pending->now.count++;
    pending->now.live -= correct->is_void ? 1 : 0;
    pending->now.last = place;
    pending->now.value = stock ? stands.value : (int64_t)sum;
    pending->now.hosting = stands.hosting;
    pending->now.day = stands.day;
    *out = (struct recorded_row){.segment = node->segment.name, .seq = (uint64_t)entry.seq};
    return ERR_OK;
}

static enum err correct_record(struct node *node, const struct request *request,
                               struct correction *judged, struct recorded_row *out,
                               struct errmsg *msg)
{
    const char *entry = request->msg->u.correct.entry;
    bool whole;
    TRY(audit_check_record(node, &judged->segment, &judged->record, &whole));
    if (!whole) {
        return damaged(&judged->segment, &judged->record, msg);
    }
    if (!judged->record.live) {
        return err_fail(msg, ERR_REFUSED, "entry %s was voided, and a void is final; record anew",
                        entry);
    }
    return write_correction(node, request, judged, out, msg);
}

void correct_request(struct node *node, const struct request *request)
{
    const struct req_correct *correct = &request->msg->u.correct;
    struct correction judged = {.value = 0};
    struct store_entry found = {.seq = 0};
    struct errmsg msg = {{0}};
    if (!request_may(node, request, NODE_ROLE_RECORDER)) {
        return;
    }
    struct recorded_row *row = arena_array(&node->arena, 1, sizeof *row);
    enum err err = row == NULL ? ERR_NO_MEMORY : judge_correction(node, correct, &judged, &msg);
    err = err == ERR_OK ? find_correction(node, correct, &judged, &found, &msg) : err;
    if (err == ERR_OK) {
        row->known = true;
        row->seq = (uint64_t)found.seq;
        err = ledger_segment_name(node, found.segment, &row->segment);
    } else if (err == ERR_NOT_FOUND) {
        err = correct_record(node, request, &judged, row, &msg);
    }
    if (request_is_refusal(err)) {
        request_refuse(node, request, err, "%s", msg.text);
        return;
    }
    if (err != ERR_OK) {
        node_fail(node, err, "correction");
        return;
    }
    struct msg_reply *reply = request_reply(node, request);
    if (reply != NULL) {
        reply->u.recorded = (struct rep_recorded){.rows = row,
                                                  .row_count = 1,
                                                  .recorded = row->known ? 0 : 1,
                                                  .known = row->known ? 1 : 0,
                                                  .revision = INT64_MAX};
    }
}

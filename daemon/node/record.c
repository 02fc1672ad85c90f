/* Requests that add entries: record and import, amend and void.
 *
 * A row is judged completely before anything of it is written. Without `partial`, one bad row takes
 * the rows before it back, and all the others are judged too, so that every bad one is named. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/internal.h"
#include "proto/decimal.h"

enum { SEGMENTS_FOUND_MAX = 4 };

/* A row as judged. */
struct judged {
    int unit;
    const struct measure *measure;
    int64_t measure_id;
    char category[CATEGORY_MAX_BYTES + 1];
    int32_t day;
    int64_t value;
};

struct msg_reply *request_reply(struct node *node, const struct request *request)
{
    struct message *message = node_message(node, MESSAGE_REPLY);
    struct effect *effect =
        message == NULL ? NULL : node_emit(node, EFFECT_REPLY, request->client->id);
    if (effect == NULL) {
        return NULL;
    }
    effect->message = message;
    message->u.reply.id = request->msg->id;
    message->u.reply.type = request->msg->type;
    message->u.reply.text = "";
    if (request->msg->type == REQUEST_INVITE) {
        message->u.reply.u.invite.token = "";
    }
    return &message->u.reply;
}

void request_refuse(struct node *node, const struct request *request, enum err err, const char *fmt,
                    ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct msg_reply *reply = request_reply(node, request);
    if (reply != NULL) {
        reply->err = err;
        reply->text = arena_str(&node->arena, text);
        reply->text = reply->text == NULL ? "" : reply->text;
    }
}

/* ---- judging ---- */

static enum err unknown_unit(const struct node *node, const char *code, struct errmsg *msg)
{
    struct nearest nearest;
    char hint[NEAREST_MAX * NEAREST_NAME_BYTES + 64];
    nearest_init(&nearest, code);
    for (size_t i = 0; i < node->view.tree.count; i++) {
        nearest_offer(&nearest, node->view.tree.units[i].code);
    }
    nearest_format(&nearest, hint, sizeof hint);
    return err_fail(msg, ERR_REFUSED, "unit %s is not known here%s%s", code, hint,
                    nearest.count == 0 ? "; tally tree lists the units" : "");
}

static enum err unknown_measure(const struct node *node, const char *code, struct errmsg *msg)
{
    struct nearest nearest;
    char hint[NEAREST_MAX * NEAREST_NAME_BYTES + 64];
    nearest_init(&nearest, code);
    for (size_t i = 0; i < node->view.catalogue.measure_count; i++) {
        nearest_offer(&nearest, node->view.catalogue.measures[i].code);
    }
    nearest_format(&nearest, hint, sizeof hint);
    if (catalogue_indicator(&node->view.catalogue, code) != NULL) {
        return err_fail(msg, ERR_REFUSED,
                        "%s is an indicator, which is computed; record the measures of its formula",
                        code);
    }
    const char *none = node->view.catalogue.version == 0
                           ? "; this node has no catalogue yet: it comes from the root"
                       : nearest.count == 0 ? "; tally total lists the measures"
                                            : "";
    return err_fail(msg, ERR_REFUSED, "measure %s is not in the catalogue%s%s", code, hint, none);
}

static enum err judge_unit(const struct node *node, struct judged *judged, struct errmsg *msg)
{
    const struct view *view = &node->view;
    const struct unit *unit = &view->tree.units[judged->unit];
    int host = view_host(view, judged->unit);
    if (!view_within(view, judged->unit, view->self)) {
        return err_fail(
            msg, ERR_REFUSED,
            "unit %s does not lie under unit %s of this node; record it at its own office",
            unit->code, view->tree.units[view->self].code);
    }
    if (judged->measure->kind == MEASURE_STOCK && host != view->self) {
        return err_fail(msg, ERR_REFUSED,
                        "%s is a stock, and stocks of unit %s are recorded at the node that hosts "
                        "it, that of unit %s",
                        judged->measure->code, unit->code,
                        host == TREE_NONE ? "?" : view->tree.units[host].code);
    }
    if (judged->measure->strict && strcmp(judged->measure->level, unit->level) != 0) {
        return err_fail(msg, ERR_REFUSED, "%s is recorded for units of level %s only; %s is a %s",
                        judged->measure->code, judged->measure->level, unit->code, unit->level);
    }
    if (!view_open(unit, judged->day)) {
        char day[DAY_TEXT_BYTES];
        day_format(judged->day, day);
        return err_fail(msg, ERR_REFUSED, "unit %s is closed on %s", unit->code, day);
    }
    return ERR_OK;
}

/* A clock that is over a day behind what it once was, or over a day off the parent's, does not date
 * entries. */
static enum err judge_clock(const struct node *node, struct errmsg *msg)
{
    char now[WALL_TEXT_BYTES];
    wall_format(node->now.wall, now);
    if (node->now.wall.ms < node->newest_recording.ms - DAY_MS) {
        char newest[WALL_TEXT_BYTES];
        wall_format(node->newest_recording, newest);
        return err_fail(msg, ERR_REFUSED,
                        "this machine's clock says %s, over a day before its newest entry (%s); "
                        "set the clock, or name the "
                        "day with --date",
                        now, newest);
    }
    bool off = node->parent_offset_ms > DAY_MS || node->parent_offset_ms < -(int64_t)DAY_MS;
    if (node->parent_clock_known && off) {
        return err_fail(msg, ERR_REFUSED,
                        "this machine's clock says %s, over a day off the parent's; set the clock, "
                        "or name the day with "
                        "--date",
                        now);
    }
    return ERR_OK;
}

/* What a row says, whoever may record it. */
static enum err judge(struct node *node, const struct record_row *row, struct judged *out,
                      struct errmsg *msg)
{
    out->unit = view_unit_by_code(&node->view, row->unit);
    if (out->unit == TREE_NONE) {
        return unknown_unit(node, row->unit, msg);
    }
    out->measure = catalogue_measure(&node->view.catalogue, row->measure);
    if (out->measure == NULL) {
        return unknown_measure(node, row->measure, msg);
    }
    out->measure_id = node->view.measure_ids[out->measure - node->view.catalogue.measures];
    TRY(catalogue_category(&node->view.catalogue, out->measure, row->category, out->category, msg));
    enum err err = decimal_parse(row->value, out->measure->decimals, &out->value, msg);
    if (err != ERR_OK) {
        return err_prefix(msg, err, "measure %s", row->measure);
    }
    out->day = row->day == DAY_NONE ? node->now.today : row->day;
    bool texts = text_is_clean(row->key, strlen(row->key), false) &&
                 text_is_clean(row->note, strlen(row->note), true);
    if (!texts) {
        return err_fail(msg, ERR_REFUSED,
                        "the key or the note has control characters or is not UTF-8");
    }
    return ERR_OK;
}

/* ---- keys ---- */

/* Looks for an entry with this key. ERR_NOT_FOUND: new. ERR_OK: the same fact was recorded.
 * ERR_REFUSED: another was. */
static enum err find_key(struct node *node, const struct record_row *row,
                         const struct judged *judged, struct store_entry *found, struct errmsg *msg)
{
    if (row->key[0] == '\0') {
        return ERR_NOT_FOUND;
    }
    TRY(store_entry_by_key(node->store, row->key, &node->arena, found));
    const char *category;
    TRY(node_text(node, found->category, &category));
    bool same = found->kind == ENTRY_RECORD &&
                found->unit == node->view.tree.units[judged->unit].id &&
                found->measure == judged->measure_id && strcmp(category, judged->category) == 0 &&
                found->value == judged->value && strcmp(found->note, row->note) == 0 &&
                (row->day == DAY_NONE || found->day == judged->day);
    if (same) {
        return ERR_OK;
    }
    return err_fail(msg, ERR_REFUSED,
                    "key %s was used before for another entry; keys name one entry for ever",
                    row->key);
}

/* A row is judged, and either known by its key, whatever has changed since then (ERR_OK), or new
 * and allowed here and now (ERR_NOT_FOUND), or refused. */
static enum err look_at(struct node *node, const struct record_row *row, struct judged *judged,
                        struct store_entry *found, struct errmsg *msg)
{
    TRY(judge(node, row, judged, msg));
    enum err err = find_key(node, row, judged, found, msg);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    TRY(row->day == DAY_NONE ? judge_clock(node, msg) : ERR_OK);
    TRY(judge_unit(node, judged, msg));
    return ERR_NOT_FOUND;
}

/* ---- writing ---- */

static bool fits_cell(const struct store_cell *cell, int64_t delta)
{
    int64_t sum;
    return cell->count < COUNT_MAX && !__builtin_add_overflow(cell->value, delta, &sum);
}

static enum err write_record(struct node *node, const struct request *request,
                             const struct record_row *row, const struct judged *judged,
                             struct recorded_row *out, struct errmsg *msg)
{
    const struct unit *unit = &node->view.tree.units[judged->unit];
    bool stock = judged->measure->kind == MEASURE_STOCK;
    struct pending_cell *pending;
    struct store_cell_key key = {
        .unit = unit->id, .measure = judged->measure_id, .origin = node->own_origin};
    key.period = period_of_day(judged->measure->frequency, judged->day).index;
    TRY(node_symbol(node, judged->category, &key.category));
    TRY(cells_touch(node, &key, &pending));
    if (!fits_cell(&pending->now, stock ? 0 : judged->value)) {
        return err_fail(msg, ERR_REFUSED,
                        "unit %s, measure %s: the sum of this period would pass 64 bits", row->unit,
                        row->measure);
    }
    struct store_entry entry = {.kind = ENTRY_RECORD,
                                .unit = unit->id,
                                .measure = judged->measure_id,
                                .category = key.category,
                                .day = judged->day,
                                .value = judged->value,
                                .hosting = stock ? node->hosting : 0,
                                .key = row->key,
                                .note = row->note,
                                .live = true,
                                .now_value = judged->value};
    struct ledger_texts texts = {unit->code, judged->measure->code, judged->category,
                                 request->client->author};
    int64_t place;
    TRY(ledger_append(node, &entry, &texts, &place));
    struct store_cell *cell = &pending->now;
    bool stands = cell->live == 0 || node->hosting > cell->hosting ||
                  (node->hosting == cell->hosting && judged->day >= cell->day);
    if (!stock) {
        cell->value += judged->value;
    } else if (stands) {
        cell->value = judged->value;
        cell->hosting = node->hosting;
        cell->day = judged->day;
    }
    cell->count++;
    cell->live++;
    cell->last = place;
    *out = (struct recorded_row){.segment = node->segment.name, .seq = (uint64_t)entry.seq};
    return ERR_OK;
}

static enum err segment_name(struct node *node, int64_t id, struct id *out)
{
    struct store_segment segment;
    TRY(store_segment_get(node->store, id, &segment));
    *out = segment.name;
    return ERR_OK;
}

/* One row, after it was judged: known by its key, or written. ERR_REFUSED with the reason. */
static enum err take_row(struct node *node, const struct request *request,
                         const struct record_row *row, struct recorded_row *out, struct errmsg *msg)
{
    struct judged judged;
    struct store_entry found;
    enum err err = look_at(node, row, &judged, &found, msg);
    if (err == ERR_OK) {
        out->known = true;
        out->seq = (uint64_t)found.seq;
        return segment_name(node, found.segment, &out->segment);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    return write_record(node, request, row, &judged, out, msg);
}

static bool is_refusal(enum err err)
{
    return err == ERR_REFUSED || err == ERR_USAGE || err == ERR_INVALID;
}

struct outcome {
    struct rep_recorded *rep;
    struct refused_line *refused;
    struct recorded_row first;
};

static void note_refusal(struct node *node, struct outcome *out, const struct record_row *row,
                         const struct errmsg *msg)
{
    out->rep->refused_total++;
    if (out->rep->refused_count < REFUSED_ROWS_MAX) {
        const char *reason = arena_str(&node->arena, msg->text);
        out->refused[out->rep->refused_count++] =
            (struct refused_line){row->line, reason == NULL ? "" : reason};
    }
}

/* All rows judged and none written: what would be refused. */
static void judge_all(struct node *node, const struct req_record *record, struct outcome *out)
{
    for (size_t i = 0; i < record->row_count && node->failed == ERR_OK; i++) {
        struct errmsg msg = {{0}};
        struct judged judged;
        struct store_entry found;
        enum err err = look_at(node, &record->rows[i], &judged, &found, &msg);
        if (is_refusal(err)) {
            note_refusal(node, out, &record->rows[i], &msg);
        } else if (err != ERR_OK && err != ERR_NOT_FOUND) {
            node_fail(node, err, "record");
        }
    }
}

static void take_all(struct node *node, const struct request *request, struct outcome *out)
{
    const struct req_record *record = &request->msg->u.record;
    for (size_t i = 0; i < record->row_count && node->failed == ERR_OK; i++) {
        struct errmsg msg = {{0}};
        struct recorded_row row = {.known = false};
        enum err err = take_row(node, request, &record->rows[i], &row, &msg);
        if (is_refusal(err)) {
            note_refusal(node, out, &record->rows[i], &msg);
        } else if (err != ERR_OK) {
            node_fail(node, err, "record");
        } else {
            out->first = i == 0 ? row : out->first;
            out->rep->recorded += row.known ? 0 : 1;
            out->rep->known += row.known ? 1 : 0;
        }
    }
}

static bool may(struct node *node, const struct request *request, enum node_role role)
{
    if (request->client->role >= role) {
        return true;
    }
    request_refuse(node, request, ERR_REFUSED,
                   "this needs the role %s; show a certificate that has it (--node)",
                   role == NODE_ROLE_ADMIN ? "admin" : "recorder");
    return false;
}

/* One refused row takes the others back, unless the good ones are wanted. */
static enum err take_whole(struct node *node, const struct request *request, struct outcome *out)
{
    const struct req_record *record = &request->msg->u.record;
    bool undoes = !record->partial && record->row_count > 1;
    TRY(undoes ? node_savepoint(node) : ERR_OK);
    take_all(node, request, out);
    if (!undoes || node->failed != ERR_OK) {
        return ERR_OK;
    }
    bool undo = out->rep->refused_total > 0;
    if (undo) {
        out->rep->recorded = 0;
        out->rep->known = 0;
    }
    return node_savepoint_end(node, undo);
}

void record_request(struct node *node, const struct request *request)
{
    const struct req_record *record = &request->msg->u.record;
    if (!may(node, request, NODE_ROLE_RECORDER)) {
        return;
    }
    struct msg_reply *reply = request_reply(node, request);
    struct recorded_row *rows = arena_array(&node->arena, 1, sizeof *rows);
    struct outcome out = {
        .refused = arena_array(&node->arena, REFUSED_ROWS_MAX, sizeof(struct refused_line))};
    if (reply == NULL || rows == NULL || out.refused == NULL) {
        node_fail(node, ERR_NO_MEMORY, "record");
        return;
    }
    out.rep = &reply->u.recorded;
    out.rep->refused = out.refused;
    enum err err = node_write(node); /* also to judge: within a transaction, reads take no locks */
    if (err == ERR_OK && record->check_only) {
        judge_all(node, record, &out);
    } else if (err == ERR_OK) {
        err = take_whole(node, request, &out);
    }
    if (err != ERR_OK) {
        node_fail(node, err, "record");
    }
    bool alone = record->row_count == 1;
    if (alone && out.rep->refused_total > 0 && record->rows[0].line == 0) {
        reply->err = ERR_REFUSED;
        reply->text = out.refused[0].reason; /* of no file */
    } else if (alone && out.rep->refused_total == 0 && !record->check_only) {
        *rows = out.first;
        out.rep->rows = rows;
        out.rep->row_count = 1;
    }
    out.rep->revision = INT64_MAX; /* put right after the flush, when the revisions are known */
}

/* ---- amend, void ---- */

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
        TRY(store_segment_find(node->store, &name, segment));
        TRY(store_entry_get(node->store, segment->id, seq, &node->arena, entry));
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

static enum err judge_correction(struct node *node, const struct req_correct *correct,
                                 struct correction *out, struct errmsg *msg)
{
    TRY(find_entry(node, correct->entry, &out->segment, &out->record, msg));
    TRY(original_of(node, &out->segment, &out->record, msg));
    out->measure = view_measure(&node->view, out->record.measure);
    if (out->measure == NULL) {
        return err_fail(msg, ERR_REFUSED, "the measure of this entry is not in the catalogue");
    }
    if (!correct->is_void) {
        TRY(decimal_parse(correct->value, out->measure->decimals, &out->value, msg));
    }
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
    TRY(store_entry_by_key(node->store, correct->key, &node->arena, found));
    bool same = found->kind == (correct->is_void ? ENTRY_VOID : ENTRY_AMEND) &&
                id_equal(&found->refers_segment, &judged->segment.name) &&
                found->refers_seq == judged->record.seq && found->value == judged->value &&
                strcmp(found->note, correct->note) == 0;
    return same ? ERR_OK
                : err_fail(msg, ERR_REFUSED,
                           "key %s was used before for another entry; keys name one entry for ever",
                           correct->key);
}

/* A stock cell after a correction is what stands among the records that are left. */
static enum err restand(struct node *node, const struct correction *judged, struct store_cell *cell)
{
    struct period period = period_of_day(judged->measure->frequency, judged->record.day);
    struct store_stock_span span = {.unit = judged->record.unit,
                                    .measure = judged->record.measure,
                                    .category = judged->record.category,
                                    .first_day = period_first_day(period),
                                    .last_day = period_last_day(period)};
    struct store_entry standing;
    enum err err = store_entry_standing(node->store, &span, &standing);
    if (err == ERR_NOT_FOUND) {
        cell->value = 0;
        cell->hosting = 0;
        cell->day = 0;
        return ERR_OK;
    }
    TRY(err);
    cell->value = standing.now_value;
    cell->hosting = standing.hosting;
    cell->day = standing.day;
    return ERR_OK;
}

static enum err write_correction(struct node *node, const struct request *request,
                                 const struct correction *judged, struct recorded_row *out,
                                 struct errmsg *msg)
{
    const struct req_correct *correct = &request->msg->u.correct;
    const struct store_entry *record = &judged->record;
    struct store_cell_key key = {.unit = record->unit,
                                 .measure = record->measure,
                                 .category = record->category,
                                 .origin = node->own_origin};
    key.period = period_of_day(judged->measure->frequency, record->day).index;
    struct pending_cell *pending;
    TRY(cells_touch(node, &key, &pending));
    bool stock = judged->measure->kind == MEASURE_STOCK;
    wide delta = (wide)(correct->is_void ? 0 : judged->value) - record->now_value;
    wide sum = (wide)pending->now.value + delta;
    if (!stock && !wide_fits_i64(sum)) {
        return err_fail(msg, ERR_REFUSED, "the sum of this period would pass 64 bits");
    }
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
    pending->now.value = stock ? pending->now.value : (int64_t)sum;
    *out = (struct recorded_row){.segment = node->segment.name, .seq = (uint64_t)entry.seq};
    return stock ? restand(node, judged, &pending->now) : ERR_OK;
}

void correct_request(struct node *node, const struct request *request)
{
    const struct req_correct *correct = &request->msg->u.correct;
    struct correction judged = {.value = 0};
    struct store_entry found;
    struct errmsg msg = {{0}};
    if (!may(node, request, NODE_ROLE_RECORDER)) {
        return;
    }
    struct recorded_row *row = arena_array(&node->arena, 1, sizeof *row);
    enum err err = row == NULL ? ERR_NO_MEMORY : judge_correction(node, correct, &judged, &msg);
    err = err == ERR_OK ? find_correction(node, correct, &judged, &found, &msg) : err;
    if (err == ERR_OK) {
        row->known = true;
        row->seq = (uint64_t)found.seq;
        err = segment_name(node, found.segment, &row->segment);
    } else if (err == ERR_NOT_FOUND) {
        err = judged.record.live ? write_correction(node, request, &judged, row, &msg)
                                 : err_fail(&msg, ERR_REFUSED,
                                            "entry %s was voided, and a void is final; record anew",
                                            correct->entry);
    }
    if (is_refusal(err)) {
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

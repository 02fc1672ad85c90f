/* Requests that add entries: record and import.
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

/* A row as judged. */
struct judged {
    int unit;
    const struct measure *measure;
    int64_t measure_id;
    char category[CATEGORY_MAX_BYTES + 1];
    int32_t day;
    int64_t value;
};

/* ---- judging ---- */

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
        return view_unknown_unit(&node->view, row->unit, msg);
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
    if (out->day < DAY_MIN || out->day > DAY_MAX) {
        return err_fail(msg, ERR_REFUSED, "the day is none of the years 1 to 9999");
    }
    bool texts = text_is_clean(row->key, strlen(row->key), false) &&
                 text_is_clean(row->note, strlen(row->note), true);
    if (!texts) {
        return err_fail(msg, ERR_REFUSED,
                        "the key or the note has control characters or is not UTF-8");
    }
    return ERR_OK;
}

/* ---- keys ---- */

static enum err is_same(struct node *node, const struct record_row *row,
                        const struct judged *judged, const struct store_entry *entry, bool *same)
{
    const char *category;
    TRY(node_text(node, entry->category, &category));
    *same = entry->kind == ENTRY_RECORD && entry->unit == node->view.tree.units[judged->unit].id &&
            entry->measure == judged->measure_id && strcmp(category, judged->category) == 0 &&
            entry->value == judged->value && strcmp(entry->note, row->note) == 0 &&
            (row->day == DAY_NONE || entry->day == judged->day);
    return ERR_OK;
}

/* Looks for an entry with this key. ERR_NOT_FOUND: new. ERR_OK: the same fact was recorded.
 * ERR_REFUSED: another was. */
static enum err find_key(struct node *node, const struct record_row *row,
                         const struct judged *judged, struct store_entry *found, struct errmsg *msg)
{
    if (row->key[0] == '\0') {
        return ERR_NOT_FOUND;
    }
    if (node->unsound) {
        return err_fail(msg, ERR_REFUSED,
                        "whether key %s was used before cannot be told: " NODE_UNSOUND, row->key);
    }
    for (int64_t rank = 0;; rank++) { /* several: of lines that have met again */
        struct store_placed other;
        bool same;
        enum err err = store_entry_by_key(node->store, row->key, rank, &node->arena, &other);
        if (err == ERR_NOT_FOUND && rank > 0) {
            break;
        }
        TRY(err);
        TRY(is_same(node, row, judged, &other.entry, &same));
        if (same) {
            *found = other.entry;
            return ERR_OK;
        }
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
    enum err err = cells_touch(node, &key, &pending);
    if (err == ERR_REFUSED) {
        return err_fail(
            msg, ERR_REFUSED,
            "unit %s, measure %s: what is kept here of that period is damaged, and so is what it "
            "could be made from again; " STORE_KEEP_ASIDE,
            row->unit, row->measure);
    }
    TRY(err);
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
        return ledger_segment_name(node, found.segment, &out->segment);
    }
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    return write_record(node, request, row, &judged, out, msg);
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

/* All rows judged and none written: what would be refused, and what is known. */
static void judge_all(struct node *node, const struct req_record *record, struct outcome *out)
{
    for (size_t i = 0; i < record->row_count && node->failed == ERR_OK; i++) {
        struct errmsg msg = {{0}};
        struct judged judged;
        struct store_entry found;
        enum err err = look_at(node, &record->rows[i], &judged, &found, &msg);
        if (request_is_refusal(err)) {
            note_refusal(node, out, &record->rows[i], &msg);
        } else if (err != ERR_OK && err != ERR_NOT_FOUND) {
            node_fail(node, err, "record");
        } else {
            out->rep->recorded += err == ERR_NOT_FOUND ? 1 : 0;
            out->rep->known += err == ERR_OK ? 1 : 0;
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
        if (request_is_refusal(err)) {
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
    if (!request_may(node, request, NODE_ROLE_RECORDER)) {
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

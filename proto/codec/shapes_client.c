#include "codec/shapes.h"
#include "proto/decimal.h"

enum { LINE_MAX_BYTES = 1024 }; /* one fault, one change */

/* ---- requests ---- */

#define P struct record_row
#define W Tally__RecordRow
static const struct field shape_record_row_fields[] = {AS_U32(P, W, line),
                                                       AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                       AS_STR(P, W, measure, CODE_MAX_BYTES),
                                                       AS_I32(P, W, day),
                                                       AS_STR(P, W, category, CATEGORY_MAX_BYTES),
                                                       AS_STR(P, W, value, VALUE_TEXT_MAX_BYTES),
                                                       AS_STR(P, W, key, KEY_MAX_BYTES),
                                                       AS_TEXT(P, W, note, NOTE_MAX_BYTES)};
static SHAPE(shape_record_row, record_row, tally__record_row__descriptor);
#undef P
#undef W

#define P struct req_record
#define W Tally__RecordRequest
static const struct field shape_record_fields[] = {
    AS_ARRAY(FIELD_MANY, P, W, rows, row_count, rows, IMPORT_ROWS_MAX, &shape_record_row),
    AS_BOOL(P, W, check_only), AS_BOOL(P, W, partial)};
static SHAPE(shape_record, req_record, tally__record_request__descriptor);
#undef P
#undef W

#define P struct req_correct
#define W Tally__CorrectRequest
static const struct field shape_correct_fields[] = {
    AS_STR(P, W, entry, ENTRY_ID_MAX_BYTES), AS_BOOL(P, W, is_void),
    AS_STR(P, W, value, VALUE_TEXT_MAX_BYTES), AS_STR(P, W, key, KEY_MAX_BYTES),
    AS_TEXT(P, W, note, NOTE_MAX_BYTES)};
static SHAPE(shape_correct, req_correct, tally__correct_request__descriptor);
#undef P
#undef W

#define P struct req_wait
#define W Tally__WaitRequest
static const struct field shape_wait_fields[] = {AS_ENUM(P, W, level, WAIT_NEWS),
                                                 AS_I64(P, W, revision), AS_I64(P, W, timeout_ms)};
static SHAPE(shape_wait, req_wait, tally__wait_request__descriptor);
#undef P
#undef W

#define P struct req_total
#define W Tally__TotalRequest
static const struct field shape_total_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STRS(P, W, measures, measure_count, MEASURES_ASKED_MAX, CODE_MAX_BYTES),
    AS_BOOL(P, W, has_period),
    {.name = "frequency",
     .kind = FIELD_ENUM,
     .plain = SHAPE_SIZED(P, period.frequency, 4),
     .wire = SHAPE_SIZED(W, frequency, 4),
     .max = FREQUENCY_COUNT - 1},
    {.name = "period",
     .kind = FIELD_I32,
     .plain = SHAPE_SIZED(P, period.index, 4),
     .wire = SHAPE_SIZED(W, period, 4)},
    AS_ENUM(P, W, by, BY_CATEGORY),
    AS_STR(P, W, level, CODE_MAX_BYTES),
    AS_I32(P, W, tree_as_of),
    AS_BOOL(P, W, targets),
    AS_BOOL(P, W, has_last),
    AS_I32(P, W, last_period),
    AS_ENUM(P, W, against, AGAINST_PERIOD),
    {.name = "against_frequency",
     .kind = FIELD_ENUM,
     .plain = SHAPE_SIZED(P, against_period.frequency, 4),
     .wire = SHAPE_SIZED(W, against_frequency, 4),
     .max = FREQUENCY_COUNT - 1},
    {.name = "against_period",
     .kind = FIELD_I32,
     .plain = SHAPE_SIZED(P, against_period.index, 4),
     .wire = SHAPE_SIZED(W, against_period, 4)},
    AS_STR(P, W, category, CATEGORY_MAX_BYTES)};
static SHAPE(shape_total, req_total, tally__total_request__descriptor);
#undef P
#undef W

#define P struct req_missing
#define W Tally__MissingRequest
static const struct field shape_missing_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STRS(P, W, codes, code_count, MEASURES_ASKED_MAX, CODE_MAX_BYTES),
    AS_BOOL(P, W, has_period),
    {.name = "frequency",
     .kind = FIELD_ENUM,
     .plain = SHAPE_SIZED(P, period.frequency, 4),
     .wire = SHAPE_SIZED(W, frequency, 4),
     .max = FREQUENCY_COUNT - 1},
    {.name = "period",
     .kind = FIELD_I32,
     .plain = SHAPE_SIZED(P, period.index, 4),
     .wire = SHAPE_SIZED(W, period, 4)},
    AS_BOOL(P, W, has_last),
    AS_I32(P, W, last_period)};
static SHAPE(shape_missing, req_missing, tally__missing_request__descriptor);
#undef P
#undef W

#define P struct req_log
#define W Tally__LogRequest
static const struct field shape_log_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STR(P, W, key, KEY_MAX_BYTES),
    AS_BOOL(P, W, healed),
    AS_STRS(P, W, measures, measure_count, MEASURES_ASKED_MAX, CODE_MAX_BYTES),
    AS_BOOL(P, W, has_days),
    AS_I32(P, W, first_day),
    AS_I32(P, W, last_day),
    AS_STR(P, W, author, AUTHOR_MAX_BYTES),
    AS_ENUM(P, W, kind, ENTRY_LOST)};
static SHAPE(shape_log, req_log, tally__log_request__descriptor);
#undef P
#undef W

#define P struct req_apply
#define W Tally__ApplyRequest
static const struct field shape_apply_fields[] = {AS_BLOB(P, W, catalogue, CATALOGUE_MAX_BYTES),
                                                  AS_BOOL(P, W, dry_run)};
static SHAPE(shape_apply, req_apply, tally__apply_request__descriptor);
#undef P
#undef W

#define P struct unit_new
#define W Tally__NewUnit
static const struct field shape_new_unit_fields[] = {
    AS_U32(P, W, line), AS_STR(P, W, code, CODE_MAX_BYTES), AS_STR(P, W, name, NAME_MAX_BYTES),
    AS_STR(P, W, level, CODE_MAX_BYTES), AS_STR(P, W, parent, CODE_MAX_BYTES)};
static SHAPE(shape_new_unit, unit_new, tally__new_unit__descriptor);
#undef P
#undef W

#define P struct req_units
#define W Tally__UnitsRequest
static const struct field shape_units_fields[] = {
    AS_ARRAY(FIELD_MANY, P, W, units, unit_count, units, IMPORT_ROWS_MAX, &shape_new_unit),
    AS_BOOL(P, W, check_only), AS_STR(P, W, pattern, CODE_MAX_BYTES)};
static SHAPE(shape_units, req_units, tally__units_request__descriptor);
#undef P
#undef W

#define P struct req_invite
#define W Tally__InviteRequest
static const struct field shape_invite_fields[] = {AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                   AS_STR(P, W, name, NAME_MAX_BYTES),
                                                   AS_STR(P, W, level, CODE_MAX_BYTES),
                                                   AS_I64(P, W, expires_ms),
                                                   AS_BOOL(P, W, replace),
                                                   AS_BOOL(P, W, reissue)};
static SHAPE(shape_invite, req_invite, tally__invite_request__descriptor);
#undef P
#undef W

#define P struct req_bundle_write
#define W Tally__BundleWriteRequest
static const struct field shape_bundle_write_fields[] = {AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                         AS_BOOL(P, W, whole)};
static SHAPE(shape_bundle_write, req_bundle_write, tally__bundle_write_request__descriptor);
#undef P
#undef W

#define P struct req_bundle_read
#define W Tally__BundleReadRequest
static const struct field shape_bundle_read_fields[] = {
    AS_I64(P, W, at), AS_BLOB(P, W, content, BUNDLE_PART_BYTES), AS_BOOL(P, W, last)};
static SHAPE(shape_bundle_read, req_bundle_read, tally__bundle_read_request__descriptor);
#undef P
#undef W

#define P struct msg_request
#define W Tally__Request
static const struct field shape_request_fields[] = {AS_U64(P, W, id),
                                                    AS_ENUM(P, W, type, REQUEST_TYPE_COUNT - 1)};
SHAPE(shape_request, msg_request, tally__request__descriptor);

#define PART(shape_, member)                                \
    {                                                       \
        .shape = &(shape_), .plain = offsetof(P, u.member), \
        .wire = SHAPE_SIZED(W, member, SHAPE_POINTER)       \
    }
const struct shape_part shape_request_parts[REQUEST_TYPE_COUNT] = {
    [REQUEST_RECORD] = PART(shape_record, record),
    [REQUEST_CORRECT] = PART(shape_correct, correct),
    [REQUEST_WAIT] = PART(shape_wait, wait),
    [REQUEST_TOTAL] = PART(shape_total, total),
    [REQUEST_LOG] = PART(shape_log, log),
    [REQUEST_MISSING] = PART(shape_missing, missing),
    [REQUEST_APPLY] = PART(shape_apply, apply),
    [REQUEST_UNITS] = PART(shape_units, units),
    [REQUEST_INVITE] = PART(shape_invite, invite),
    [REQUEST_BUNDLE_WRITE] = PART(shape_bundle_write, bundle_write),
    [REQUEST_BUNDLE_READ] = PART(shape_bundle_read, bundle_read),
};
#undef P
#undef W

/* ---- replies ---- */

#define P struct recorded_row
#define W Tally__RecordedRow
static const struct field shape_recorded_row_fields[] = {AS_ID(P, W, segment), AS_U64(P, W, seq),
                                                         AS_BOOL(P, W, known)};
static SHAPE(shape_recorded_row, recorded_row, tally__recorded_row__descriptor);
#undef P
#undef W

#define P struct refused_line
#define W Tally__RefusedLine
static const struct field shape_refused_line_fields[] = {AS_U32(P, W, line),
                                                         AS_STR(P, W, reason, ERRMSG_MAX_BYTES)};
static SHAPE(shape_refused_line, refused_line, tally__refused_line__descriptor);
#undef P
#undef W

#define P struct rep_recorded
#define W Tally__RecordedReply
static const struct field shape_recorded_fields[] = {
    AS_ARRAY(FIELD_MANY, P, W, rows, row_count, rows, IMPORT_ROWS_MAX, &shape_recorded_row),
    AS_I64(P, W, recorded),
    AS_I64(P, W, known),
    AS_ARRAY(FIELD_MANY, P, W, refused, refused_count, refused, REFUSED_ROWS_MAX,
             &shape_refused_line),
    AS_I64(P, W, refused_total),
    AS_I64(P, W, revision),
    AS_STRS(P, W, codes, code_count, IMPORT_ROWS_MAX, CODE_MAX_BYTES)};
static SHAPE(shape_recorded, rep_recorded, tally__recorded_reply__descriptor);
#undef P
#undef W

#define P struct stale_source
#define W Tally__StaleSource
static const struct field shape_stale_fields[] = {AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                  AS_WALL(P, W, exact_as_of)};
static SHAPE(shape_stale, stale_source, tally__stale_source__descriptor);
#undef P
#undef W

#define P struct total_row
#define W Tally__TotalRow
static const struct field shape_total_row_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STR(P, W, measure, CODE_MAX_BYTES),
    AS_STR(P, W, name, NAME_MAX_BYTES),
    AS_STR(P, W, period, PERIOD_TEXT_BYTES),
    AS_STR(P, W, category, CATEGORY_MAX_BYTES),
    AS_BOOL(P, W, category_null),
    AS_BOOL(P, W, own),
    AS_BOOL(P, W, indicator),
    AS_STR(P, W, indicator_value, NAME_MAX_BYTES),
    {.name = "value",
     .kind = FIELD_WIDE,
     .plain = SHAPE_SIZED(P, value, sizeof(wide)),
     .wire = SHAPE_SIZED(W, value_high, 8) + 0 * SHAPE_SIZED(W, value_low, 8)},
    AS_BOOL(P, W, overflow),
    AS_ENUM(P, W, decimals, DECIMALS_MAX),
    AS_I64(P, W, entries),
    AS_I64(P, W, reported),
    AS_I64(P, W, expected),
    AS_STR(P, W, target, NAME_MAX_BYTES),
    AS_STR(P, W, target_period, PERIOD_TEXT_BYTES),
    AS_STR(P, W, reached, NAME_MAX_BYTES),
    AS_STR(P, W, percent, NAME_MAX_BYTES),
    AS_STR(P, W, due, NAME_MAX_BYTES),
    AS_STR(P, W, against, PERIOD_TEXT_BYTES),
    AS_STR(P, W, before, NAME_MAX_BYTES),
    AS_STR(P, W, change, NAME_MAX_BYTES),
    AS_STR(P, W, change_percent, NAME_MAX_BYTES),
    AS_STR(P, W, unit_name, NAME_MAX_BYTES),
    AS_STR(P, W, counted_in, NAME_MAX_BYTES)};
static SHAPE(shape_total_row, total_row, tally__total_row__descriptor);
_Static_assert(offsetof(W, value_low) == offsetof(W, value_high) + 8,
               "the halves lie next to each other");
#undef P
#undef W

#define P struct rep_total
#define W Tally__TotalReply
static const struct field shape_totals_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STR(P, W, unit_name, NAME_MAX_BYTES),
    AS_STR(P, W, period, PERIOD_TEXT_BYTES),
    AS_WALL(P, W, as_of),
    AS_U64(P, W, catalogue_version),
    AS_I64(P, W, nodes),
    AS_I64(P, W, exact),
    AS_I64(P, W, held),
    AS_I64(P, W, refused),
    AS_I64(P, W, lost),
    AS_I64(P, W, revision),
    AS_ARRAY(FIELD_MANY, P, W, stale, stale_count, stale, BATCH_ROWS_MAX, &shape_stale),
    AS_ARRAY(FIELD_MANY, P, W, rows, row_count, rows, REPLY_ROWS_MAX, &shape_total_row)};
static SHAPE(shape_totals, rep_total, tally__total_reply__descriptor);
#undef P
#undef W

#define P struct missing_row
#define W Tally__MissingRow
static const struct field shape_missing_row_fields[] = {
    AS_STR(P, W, code, CODE_MAX_BYTES),
    AS_STR(P, W, name, NAME_MAX_BYTES),
    AS_STR(P, W, period, PERIOD_TEXT_BYTES),
    AS_BOOL(P, W, set),
    AS_I32(P, W, due),
    AS_I64(P, W, expected),
    AS_I64(P, W, reported),
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STR(P, W, unit_name, NAME_MAX_BYTES),
    AS_STRS(P, W, lacks, lacks_count, LACKS_MAX, CODE_MAX_BYTES),
    AS_I64(P, W, lacks_total),
    AS_BOOL(P, W, exact),
    AS_WALL(P, W, exact_as_of)};
static SHAPE(shape_missing_row, missing_row, tally__missing_row__descriptor);
#undef P
#undef W

#define P struct rep_missing
#define W Tally__MissingReply
static const struct field shape_missed_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STR(P, W, unit_name, NAME_MAX_BYTES),
    AS_WALL(P, W, as_of),
    AS_I64(P, W, nodes),
    AS_I64(P, W, exact),
    AS_ARRAY(FIELD_MANY, P, W, rows, row_count, rows, REPLY_ROWS_MAX, &shape_missing_row),
    AS_I64(P, W, revision)};
static SHAPE(shape_missed, rep_missing, tally__missing_reply__descriptor);
#undef P
#undef W

/* A row of the log is an entry and what is known about it, side by side on the wire. */
#define LOG_FIELD(k, member, wire_member, bytes, wire_bytes, limit)                 \
    {                                                                               \
        .name = #wire_member, .kind = (k),                                          \
        .plain = SHAPE_SIZED(struct log_row, entry.member, bytes),                  \
        .wire = SHAPE_SIZED(Tally__LogRow, wire_member, wire_bytes), .max = (limit) \
    }
static const struct field shape_log_row_fields[] = {
    LOG_FIELD(FIELD_ID, segment, segment, sizeof(struct id), SHAPE_BINARY, 0),
    LOG_FIELD(FIELD_U64, seq, seq, 8, 8, 0),
    LOG_FIELD(FIELD_ENUM, kind, kind, 4, 4, ENTRY_LOST),
    LOG_FIELD(FIELD_STR, unit, unit, SHAPE_POINTER, SHAPE_POINTER, CODE_MAX_BYTES),
    LOG_FIELD(FIELD_STR, measure, measure, SHAPE_POINTER, SHAPE_POINTER, CODE_MAX_BYTES),
    LOG_FIELD(FIELD_STR, category, category, SHAPE_POINTER, SHAPE_POINTER, CATEGORY_MAX_BYTES),
    LOG_FIELD(FIELD_I32, day, day, 4, 4, 0),
    LOG_FIELD(FIELD_I64, value, value, 8, 8, 0),
    LOG_FIELD(FIELD_I64, hosting, hosting, 8, 8, 0),
    LOG_FIELD(FIELD_ID, refers_segment, refers_segment, sizeof(struct id), SHAPE_BINARY, 0),
    LOG_FIELD(FIELD_U64, refers_seq, refers_seq, 8, 8, 0),
    LOG_FIELD(FIELD_STR, key, key, SHAPE_POINTER, SHAPE_POINTER, KEY_MAX_BYTES),
    LOG_FIELD(FIELD_TEXT, note, note, SHAPE_POINTER, SHAPE_POINTER, NOTE_MAX_BYTES),
    LOG_FIELD(FIELD_STR, author, author, SHAPE_POINTER, SHAPE_POINTER, AUTHOR_MAX_BYTES),
    LOG_FIELD(FIELD_WALL, recorded_at, recorded_ms, 8, 8, 0),
    AS_BOOL(struct log_row, Tally__LogRow, live),
    AS_ENUM(struct log_row, Tally__LogRow, decimals, DECIMALS_MAX),
    AS_WALL(struct log_row, Tally__LogRow, healed_at),
    AS_BOOL(struct log_row, Tally__LogRow, meanwhile)};
static SHAPE(shape_log_row, log_row, tally__log_row__descriptor);

#define P struct rep_log
#define W Tally__LogReply
static const struct field shape_logged_fields[] = {
    AS_ARRAY(FIELD_MANY, P, W, rows, row_count, rows, REPLY_ROWS_MAX, &shape_log_row)};
static SHAPE(shape_logged, rep_log, tally__log_reply__descriptor);
#undef P
#undef W

#define P struct child_status
#define W Tally__ChildStatus
static const struct field shape_child_fields[] = {AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                  AS_ENUM(P, W, state, LINK_FENCED),
                                                  AS_WALL(P, W, exact_as_of),
                                                  AS_I64(P, W, held),
                                                  AS_I64(P, W, lost),
                                                  AS_STR(P, W, text, TEXT_MAX_BYTES)};
static SHAPE(shape_child, child_status, tally__child_status__descriptor);
#undef P
#undef W

#define P struct alarm_row
#define W Tally__Alarm
static const struct field shape_alarm_fields[] = {
    AS_STR(P, W, code, CODE_MAX_BYTES), AS_STR(P, W, text, ERRMSG_MAX_BYTES), AS_WALL(P, W, since)};
static SHAPE(shape_alarm, alarm_row, tally__alarm__descriptor);
#undef P
#undef W

#define P struct rep_status
#define W Tally__StatusReply
static const struct field shape_status_reply_fields[] = {
    AS_STR(P, W, unit, CODE_MAX_BYTES),
    AS_STR(P, W, unit_name, NAME_MAX_BYTES),
    AS_STR(P, W, level, CODE_MAX_BYTES),
    AS_ID(P, W, node),
    AS_ID(P, W, origin),
    AS_ID(P, W, tree),
    AS_STR(P, W, software, CODE_MAX_BYTES),
    AS_ENUM(P, W, uplink, UPLINK_REFUSED),
    AS_STR(P, W, uplink_text, TEXT_MAX_BYTES),
    AS_I64(P, W, pending_rows),
    AS_I64(P, W, unescrowed_entries),
    AS_I64(P, W, held_above),
    AS_WALL(P, W, exact_as_of),
    AS_WALL(P, W, unescrowed_since),
    AS_I64(P, W, healed_entries),
    AS_I64(P, W, meanwhile_entries),
    AS_WALL(P, W, healed_at),
    AS_I64(P, W, lost),
    AS_ARRAY(FIELD_MANY, P, W, children, child_count, children, BATCH_ROWS_MAX, &shape_child),
    AS_I64(P, W, ledger_entries),
    AS_I64(P, W, held),
    AS_ARRAY(FIELD_MANY, P, W, alarms, alarm_count, alarms, BATCH_ROWS_MAX, &shape_alarm),
    AS_U64(P, W, catalogue_version)};
static SHAPE(shape_status_reply, rep_status, tally__status_reply__descriptor);
#undef P
#undef W

#define P struct tree_row
#define W Tally__TreeRow
static const struct field shape_tree_row_fields[] = {AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                     AS_STR(P, W, name, NAME_MAX_BYTES),
                                                     AS_STR(P, W, level, CODE_MAX_BYTES),
                                                     AS_STR(P, W, parent, CODE_MAX_BYTES),
                                                     AS_BOOL(P, W, node),
                                                     AS_BOOL(P, W, self),
                                                     AS_ENUM(P, W, state, LINK_FENCED),
                                                     AS_WALL(P, W, exact_as_of),
                                                     AS_I32(P, W, from),
                                                     AS_I32(P, W, to)};
static SHAPE(shape_tree_row, tree_row, tally__tree_row__descriptor);
#undef P
#undef W

#define P struct rep_tree
#define W Tally__TreeReply
static const struct field shape_tree_fields[] = {
    AS_ARRAY(FIELD_MANY, P, W, rows, row_count, rows, REPLY_ROWS_MAX, &shape_tree_row)};
static SHAPE(shape_tree, rep_tree, tally__tree_reply__descriptor);
#undef P
#undef W

#define P struct verify_count
#define W Tally__VerifyCount
static const struct field shape_verify_count_fields[] = {AS_STR(P, W, check, CODE_MAX_BYTES),
                                                         AS_I64(P, W, examined)};
static SHAPE(shape_verify_count, verify_count, tally__verify_count__descriptor);
#undef P
#undef W

#define P struct rep_verify
#define W Tally__VerifyReply
static const struct field shape_verify_fields[] = {
    AS_BOOL(P, W, ok),
    AS_ARRAY(FIELD_MANY, P, W, checked, checked_count, checked, REFUSED_ROWS_MAX,
             &shape_verify_count),
    AS_STRS(P, W, faults, fault_count, REFUSED_ROWS_MAX, LINE_MAX_BYTES),
    AS_I64(P, W, fault_total)};
static SHAPE(shape_verify, rep_verify, tally__verify_reply__descriptor);
#undef P
#undef W

#define P struct rep_apply
#define W Tally__ApplyReply
static const struct field shape_applied_fields[] = {
    AS_U64(P, W, version), AS_STRS(P, W, changes, change_count, 3 * MEASURES_MAX, LINE_MAX_BYTES)};
static SHAPE(shape_applied, rep_apply, tally__apply_reply__descriptor);
#undef P
#undef W

#define P struct rep_invite
#define W Tally__InviteReply
static const struct field shape_invited_fields[] = {AS_STR(P, W, token, FRAME_MAX_BYTES_STRANGER)};
static SHAPE(shape_invited, rep_invite, tally__invite_reply__descriptor);
#undef P
#undef W

#define P struct rep_backup
#define W Tally__BackupReply
static const struct field shape_backup_fields[] = {AS_I64(P, W, at), AS_I64(P, W, size),
                                                   AS_BLOB(P, W, content, BACKUP_PART_BYTES)};
static SHAPE(shape_backup, rep_backup, tally__backup_reply__descriptor);
#undef P
#undef W

#define P struct rep_bundle
#define W Tally__BundleReply
static const struct field shape_bundled_fields[] = {AS_BLOB(P, W, content, BUNDLE_PART_BYTES),
                                                    AS_ENUM(P, W, kind, BUNDLE_ANSWER),
                                                    AS_STR(P, W, unit, CODE_MAX_BYTES),
                                                    AS_WALL(P, W, written_at),
                                                    AS_I64(P, W, entries),
                                                    AS_I64(P, W, cells),
                                                    AS_I64(P, W, refused),
                                                    AS_I64(P, W, lacks),
                                                    AS_I64(P, W, healed),
                                                    AS_ENUM(P, W, outcome, BUNDLE_GAP),
                                                    AS_BOOL(P, W, exact)};
static SHAPE(shape_bundled, rep_bundle, tally__bundle_reply__descriptor);
#undef P
#undef W

#define P struct msg_reply
#define W Tally__Reply
static const struct field shape_reply_fields[] = {
    AS_U64(P, W, id), AS_ENUM(P, W, type, REQUEST_TYPE_COUNT - 1),
    AS_ENUM(P, W, err, ERR_COUNT - 1), AS_STR(P, W, text, ERRMSG_MAX_BYTES), AS_BOOL(P, W, more)};
SHAPE(shape_reply, msg_reply, tally__reply__descriptor);

const struct shape_part shape_reply_parts[REQUEST_TYPE_COUNT] = {
    [REQUEST_RECORD] = PART(shape_recorded, recorded),
    [REQUEST_CORRECT] = PART(shape_recorded, recorded),
    [REQUEST_WAIT] = PART(shape_recorded, recorded),
    [REQUEST_TOTAL] = PART(shape_totals, total),
    [REQUEST_LOG] = PART(shape_logged, log),
    [REQUEST_MISSING] = PART(shape_missed, missing),
    [REQUEST_STATUS] = PART(shape_status_reply, status),
    [REQUEST_TREE] = PART(shape_tree, tree),
    [REQUEST_VERIFY] = PART(shape_verify, verify),
    [REQUEST_APPLY] = PART(shape_applied, apply),
    [REQUEST_UNITS] = PART(shape_recorded, recorded),
    [REQUEST_UNIT_LIST] = PART(shape_tree, tree),
    [REQUEST_INVITE] = PART(shape_invited, invite),
    [REQUEST_BACKUP] = PART(shape_backup, backup),
    [REQUEST_BUNDLE_WRITE] = PART(shape_bundled, bundle),
    [REQUEST_BUNDLE_READ] = PART(shape_bundled, bundle),
};

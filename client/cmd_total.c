#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "client/asked.h"
#include "client/checks.h"
#include "client/commands.h"
#include "client/language.h"
#include "client/output.h"

enum { MISSING_SHOWN_MAX = 10, FOOTER_BYTES = 2048, HEAD_BYTES = 512, COLUMNS = 16 };

/* ---- the question ---- */

struct question {
    struct req_total total;
    struct measures_asked measures;
};

static enum err by_read(const char *text, struct req_total *out, struct errmsg *msg)
{
    static const struct {
        const char *name;
        enum total_by by;
    } WAYS[] = {{"child", BY_CHILD}, {"period", BY_PERIOD}, {"category", BY_CATEGORY}};
    for (size_t i = 0; i < sizeof WAYS / sizeof *WAYS; i++) {
        if (strcmp(text, WAYS[i].name) == 0) {
            out->by = WAYS[i].by;
            return ERR_OK;
        }
    }
    if (strncmp(text, "level=", 6) == 0) {
        out->by = BY_LEVEL;
        out->level = text + 6;
        return checks_code("level", out->level, msg);
    }
    return err_fail(msg, ERR_USAGE, "--by is child, level=LEVEL, period or category, not \"%.40s\"",
                    text);
}

/* "previous", "year", or the period itself. */
static enum err against_read(const char *text, struct req_total *out, struct errmsg *msg)
{
    if (strcmp(text, "previous") == 0 || strcmp(text, "year") == 0) {
        out->against = text[0] == 'p' ? AGAINST_PREVIOUS : AGAINST_YEAR_BEFORE;
        return ERR_OK;
    }
    if (text[0] < '0' || text[0] > '9') {
        return err_fail(msg, ERR_USAGE,
                        "--against is previous, year or a period like 2022H1, not \"%.40s\"", text);
    }
    out->against = AGAINST_PERIOD;
    return period_parse(text, &out->against_period, msg);
}

static enum err period_read(const char *text, struct req_total *out, struct errmsg *msg)
{
    struct period_span span;
    TRY(period_span_parse(text, &span, msg));
    out->period = (struct period){span.frequency, span.first};
    out->has_period = true;
    out->last_period = span.last;
    out->has_last = span.last != span.first;
    return ERR_OK;
}

static enum err question_read(const struct client *client, struct question *out, struct errmsg *msg)
{
    const struct options *options = &client->options;
    struct req_total *total = &out->total;
    *total =
        (struct req_total){.unit = client_word(client, 0), .level = "", .tree_as_of = DAY_NONE};
    if (total->unit[0] != '\0') {
        TRY(checks_code("unit", total->unit, msg));
    }
    TRY(asked_measures(options, &out->measures, msg));
    total->measures = out->measures.codes;
    total->measure_count = out->measures.count;
    if (options_has(options, OPTION_PERIOD)) {
        TRY(period_read(options_text(options, OPTION_PERIOD), total, msg));
    }
    if (options_has(options, OPTION_AGAINST)) {
        TRY(against_read(options_text(options, OPTION_AGAINST), total, msg));
    }
    if (options_has(options, OPTION_BY)) {
        TRY(by_read(options_text(options, OPTION_BY), total, msg));
    }
    if (options_has(options, OPTION_TREE_AS_OF)) {
        TRY(day_parse(options_text(options, OPTION_TREE_AS_OF), &total->tree_as_of, msg));
    }
    total->targets = options_has(options, OPTION_TARGETS);
    total->category = options_text(options, OPTION_CATEGORY);
    bool picks = total->category[0] != '\0';
    if (options_has(options, OPTION_CATEGORY) && !picks) {
        return err_fail(msg, ERR_USAGE, "--category is empty (an unset variable?)");
    }
    TRY(checks_text("category", total->category, CATEGORY_MAX_BYTES, false, msg));
    if (total->targets && (picks || total->by == BY_CATEGORY)) {
        return err_fail(msg, ERR_USAGE,
                        "--targets are for sums over all categories; leave out --%scategory",
                        picks ? "" : "by ");
    }
    if (picks && total->measure_count == 0) {
        return err_fail(msg, ERR_USAGE, "--category is for certain measures; name them with -m");
    }
    return ERR_OK;
}

/* ---- the answer ---- */

struct view {
    enum output_form form;
    enum total_by by;
    bool targets;
    bool against;
    bool span;            /* several periods */
    const char *category; /* the only ones, or "" */
    bool begun;
    int64_t nodes;
    int64_t exact;
    struct output_column columns[COLUMNS];
    size_t column_count;
    struct output_table *table;
    struct output_list list;
    char footer[FOOTER_BYTES];
};

/* ---- as a table ---- */

static void column_add(struct view *view, const char *name, bool right)
{
    view->columns[view->column_count++] =
        (struct output_column){.name = name, .right = right, .wrap = strcmp(name, "NAME") == 0};
}

static bool shows_units(const struct view *view)
{
    return view->by == BY_CHILD || view->by == BY_LEVEL;
}

static bool shows_periods(const struct view *view)
{
    return view->by == BY_PERIOD || view->span;
}

static void table_begin(struct view *view, const struct rep_total *total)
{
    (void)printf("%s (%s), %s%s%s\n", total->unit_name, total->unit, total->period,
                 view->category[0] == '\0' ? "" : ", ", view->category);
    if (shows_units(view)) {
        column_add(view, N_("UNIT"), false);
    }
    column_add(view, N_("MEASURE"), false);
    column_add(view, N_("NAME"), false);
    if (shows_periods(view)) {
        column_add(view, N_("PERIOD"), false);
    }
    if (view->by == BY_CATEGORY) {
        column_add(view, N_("CATEGORY"), false);
    }
    column_add(view, N_("VALUE"), true);
    if (view->against) {
        column_add(view, N_("AGAINST"), false);
        column_add(view, N_("BEFORE"), true);
        column_add(view, N_("CHANGE"), true);
        column_add(view, N_("CHANGE %"), true);
    }
    if (view->targets) {
        column_add(view, N_("TARGET"), true);
        column_add(view, N_("FOR"), false);
        column_add(view, N_("REACHED"), true);
        column_add(view, N_("PERCENT"), true);
        column_add(view, N_("EXPECTED"), true);
    } else if (!view->against) {
        column_add(view, N_("ENTRIES"), true);
        column_add(view, N_("REPORTED"), true);
    }
    view->table = output_table_new(view->columns, view->column_count);
}

/* "" where nobody reported, or where there is no such number. */
static const char *value_text(const struct total_row *row, char out[WIDE_TEXT_BYTES])
{
    if (row->indicator) {
        return row->indicator_value;
    }
    if (row->overflow) {
        return "overflow";
    }
    wide_format(row->value, row->decimals, out);
    return out;
}

enum { AGAINST_CELLS = 4, TARGET_CELLS = 5 };
/* Of their cells: which is a period; the percentage is the fourth of either. */
enum { AGAINST_PERIOD_CELL = 0, TARGET_PERIOD_CELL = 1, PERCENT_CELL = 3 };

static void against_cells(const struct total_row *row, const char *cells[AGAINST_CELLS])
{
    cells[0] = row->against;
    cells[1] = row->before;
    cells[2] = row->change;
    cells[3] = row->change_percent;
}

static void target_cells(const struct total_row *row, const char *cells[TARGET_CELLS])
{
    cells[0] = row->target;
    cells[1] = row->target_period;
    cells[2] = row->reached;
    cells[3] = row->percent;
    cells[4] = row->due;
}

/* Numbers as people write them; a dash where there is none. `texts`: room for the cells. */
static size_t localised(const struct total_row *row, const char **cells, size_t count,
                        size_t period, char (*texts)[OUTPUT_AMOUNT_BYTES])
{
    for (size_t i = 0; i < count; i++) {
        const char *counted_in = i == PERCENT_CELL ? "" : row->counted_in;
        bool number = i != period || cells[i][0] == '\0';
        cells[i] = number ? output_amount(cells[i], counted_in, texts[i]) : cells[i];
    }
    return count;
}

static void table_row(struct view *view, const struct total_row *row)
{
    char unit[CODE_MAX_BYTES + 16];
    char value[WIDE_TEXT_BYTES];
    char texts[TARGET_CELLS][OUTPUT_AMOUNT_BYTES];
    char changes[AGAINST_CELLS][OUTPUT_AMOUNT_BYTES];
    char amount[OUTPUT_AMOUNT_BYTES];
    char entries[OUTPUT_CELL_BYTES];
    char reported[OUTPUT_CELL_BYTES] = "";
    const char *cells[COLUMNS];
    size_t count = 0;
    (void)snprintf(unit, sizeof unit, "%s%s", row->unit, row->own ? " (own)" : "");
    if (!row->indicator) {
        (void)snprintf(reported, sizeof reported, "%" PRId64 "/%" PRId64, row->reported,
                       row->expected);
    }
    if (shows_units(view)) {
        cells[count++] = unit;
    }
    cells[count++] = row->measure;
    cells[count++] = row->name;
    if (shows_periods(view)) {
        cells[count++] = row->period;
    }
    if (view->by == BY_CATEGORY) {
        cells[count++] = row->category_null ? "" : row->category[0] == '\0' ? "-" : row->category;
    }
    bool dash = !row->indicator && !row->overflow && row->entries == 0;
    cells[count++] = output_amount(dash ? "" : value_text(row, value), row->counted_in, amount);
    if (view->against) {
        against_cells(row, cells + count);
        count += localised(row, cells + count, AGAINST_CELLS, AGAINST_PERIOD_CELL, changes);
    }
    if (view->targets) {
        target_cells(row, cells + count);
        count += localised(row, cells + count, TARGET_CELLS, TARGET_PERIOD_CELL, texts);
    } else if (!view->against) {
        cells[count++] = row->indicator ? "" : output_number(row->entries, entries);
        cells[count++] = reported;
    }
    output_table_row(view->table, cells);
}

static void footer_add(struct view *view, const char *text)
{
    size_t used = strlen(view->footer);
    (void)snprintf(view->footer + used, sizeof view->footer - used, "%s", text);
}

/* What does not count as it should; nothing is said of none. */
static void footer_counts(struct view *view, const struct rep_total *total)
{
    char text[HEAD_BYTES];
    if (total->held > 0) {
        (void)snprintf(text, sizeof text,
                       ngettext("; %lld row held, see tally status",
                                "; %lld rows held, see tally status", (unsigned long)total->held),
                       (long long)total->held);
        footer_add(view, text);
    }
    if (total->lost > 0) {
        (void)snprintf(
            text, sizeof text,
            ngettext("; %lld entry is lost for good, counted by what it had come to",
                     "; %lld entries are lost for good, counted by what they had come to",
                     (unsigned long)total->lost),
            (long long)total->lost);
        footer_add(view, text);
    }
    if (total->refused > 0) {
        (void)snprintf(text, sizeof text,
                       ngettext("; %lld row of offices below refused, see tally status",
                                "; %lld rows of offices below refused, see tally status",
                                (unsigned long)total->refused),
                       (long long)total->refused);
        footer_add(view, text);
    }
}

/* "as of ..., 37 of 40 nodes exact; missing: 441 (exact as of ...), 443 (never exact)" */
static void footer_make(struct view *view, const struct rep_total *total)
{
    char text[HEAD_BYTES];
    char when[OUTPUT_CELL_BYTES];
    language_sources(text, sizeof text, output_time(total->as_of, "?", when), total->exact,
                     total->nodes);
    footer_add(view, text);
    for (size_t i = 0; i < total->stale_count && i < MISSING_SHOWN_MAX; i++) {
        const struct stale_source *stale = &total->stale[i];
        footer_add(view, i == 0 ? _("; missing: ") : ", ");
        if (stale->exact_as_of.ms == 0) {
            (void)snprintf(text, sizeof text, _("%s (never exact)"), stale->unit);
        } else {
            (void)snprintf(text, sizeof text, _("%s (exact as of %s)"), stale->unit,
                           output_time(stale->exact_as_of, "", when));
        }
        footer_add(view, text);
    }
    if (total->stale_count > MISSING_SHOWN_MAX) {
        (void)snprintf(text, sizeof text, _(" and %zu more"),
                       total->stale_count - MISSING_SHOWN_MAX);
        footer_add(view, text);
    }
    footer_counts(view, total);
}

/* ---- as JSON ---- */

static json_t *json_head(const struct rep_total *total)
{
    json_t *stale = json_array();
    for (size_t i = 0; i < total->stale_count; i++) {
        json_t *source = json_pack("{s:s, s:o}", "node", total->stale[i].unit, "exact_as_of",
                                   output_json_time(total->stale[i].exact_as_of));
        (void)json_array_append_new(stale, source);
    }
    json_t *sources =
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "nodes", (json_int_t)total->nodes, "exact",
                  (json_int_t)total->exact, "held", (json_int_t)total->held, "refused",
                  (json_int_t)total->refused, "lost", (json_int_t)total->lost, "stale", stale);
    return json_pack("{s:s, s:s, s:s, s:o, s:I, s:o}", "unit", total->unit, "name",
                     total->unit_name, "period", total->period, "as_of",
                     output_json_time(total->as_of), "catalog_version",
                     (json_int_t)total->catalogue_version, "sources", sources);
}

static json_t *json_value(const struct total_row *row)
{
    if (row->indicator) {
        return output_json_text(row->indicator_value);
    }
    bool beyond = row->overflow || !wide_fits_i64(row->value);
    return beyond ? json_null() : json_integer((json_int_t)row->value);
}

static json_t *json_count(const struct total_row *row, int64_t count)
{
    return row->indicator ? json_null() : json_integer(count);
}

/* In the smallest step for a measure, as its value is; null for none. */
static json_t *json_amount(const struct total_row *row, const char *text)
{
    char digits[NAME_MAX_BYTES + 1];
    size_t n = 0;
    if (row->indicator || text[0] == '\0') {
        return output_json_text(text);
    }
    for (const char *at = text; *at != '\0' && n < sizeof digits - 1; at++) {
        if (*at != '.') {
            digits[n++] = *at;
        }
    }
    digits[n] = '\0';
    errno = 0;
    long long value = strtoll(digits, NULL, 10);
    return errno != 0 ? json_null() : json_integer((json_int_t)value);
}

static void json_add_target(json_t *item, const struct total_row *row)
{
    (void)json_object_set_new(item, "target", json_amount(row, row->target));
    (void)json_object_set_new(item, "target_period", output_json_text(row->target_period));
    (void)json_object_set_new(item, "reached", json_amount(row, row->reached));
    (void)json_object_set_new(item, "percent", output_json_text(row->percent));
    (void)json_object_set_new(item, "expected_by_today", json_amount(row, row->due));
}

static void json_add_against(json_t *item, const struct total_row *row)
{
    (void)json_object_set_new(item, "against", output_json_text(row->against));
    (void)json_object_set_new(item, "before", json_amount(row, row->before));
    (void)json_object_set_new(item, "change", json_amount(row, row->change));
    (void)json_object_set_new(item, "change_percent", output_json_text(row->change_percent));
}

static json_t *json_row(const struct view *view, const struct total_row *row)
{
    json_t *item = json_pack(
        "{s:s, s:s, s:s, s:s, s:o, s:o, s:i, s:o, s:o, s:o}", "unit", row->unit, "measure",
        row->measure, "name", row->name, "period", row->period, "category",
        row->category_null ? json_null() : json_string(row->category), "value", json_value(row),
        "decimals", row->decimals, "entries", json_count(row, row->entries), "reported",
        json_count(row, row->reported), "expected", json_count(row, row->expected));
    if (row->own) {
        (void)json_object_set_new(item, "own", json_true());
    }
    if (!row->indicator && (row->overflow || !wide_fits_i64(row->value))) {
        (void)json_object_set_new(item, "overflow", json_true());
    }
    if (view->targets) {
        json_add_target(item, row);
    }
    if (view->against) {
        json_add_against(item, row);
    }
    return item;
}

/* ---- as CSV ---- */

enum { CSV_COLUMNS = 10, CSV_COLUMNS_MAX = CSV_COLUMNS + TARGET_CELLS + AGAINST_CELLS };

static void csv_begin(const struct view *view)
{
    static const char *const TARGET[TARGET_CELLS] = {"target", "target_period", "reached",
                                                     "percent", "expected_by_today"};
    static const char *const AGAINST[AGAINST_CELLS] = {"against", "before", "change",
                                                       "change_percent"};
    const char *head[CSV_COLUMNS_MAX] = {"unit",    "measure",  "period",   "category", "value",
                                         "entries", "reported", "expected", "nodes",    "exact"};
    size_t count = CSV_COLUMNS;
    for (size_t i = 0; view->targets && i < TARGET_CELLS; i++) {
        head[count++] = TARGET[i];
    }
    for (size_t i = 0; view->against && i < AGAINST_CELLS; i++) {
        head[count++] = AGAINST[i];
    }
    output_csv_row(head, count);
}

static void csv_row(const struct view *view, const struct total_row *row)
{
    char value[WIDE_TEXT_BYTES];
    char numbers[5][OUTPUT_CELL_BYTES];
    const int64_t counts[] = {row->entries, row->reported, row->expected, view->nodes, view->exact};
    const char *cells[CSV_COLUMNS_MAX] = {row->unit, row->measure, row->period, row->category,
                                          value_text(row, value)};
    for (size_t i = 0; i < 5; i++) {
        cells[5 + i] = row->indicator && i < 3 ? "" : output_number(counts[i], numbers[i]);
    }
    size_t count = CSV_COLUMNS;
    if (view->targets) {
        target_cells(row, cells + count);
        count += TARGET_CELLS;
    }
    if (view->against) {
        against_cells(row, cells + count);
        count += AGAINST_CELLS;
    }
    output_csv_row(cells, count);
}

/* ---- all of it ---- */

static void begin(struct view *view, const struct rep_total *total)
{
    view->begun = true;
    view->nodes = total->nodes;
    view->exact = total->exact;
    switch (view->form) {
    case OUTPUT_TABLE:
        table_begin(view, total);
        footer_make(view, total);
        break;
    case OUTPUT_JSON:
        output_list_begin(&view->list, json_head(total), "totals");
        break;
    case OUTPUT_CSV:
        csv_begin(view);
        break;
    }
}

static enum err on_total(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct view *view = context;
    const struct rep_total *total = &reply->u.total;
    if (!view->begun) {
        if (view->span && strstr(total->period, "..") == NULL) {
            return err_fail(msg, ERR_REFUSED,
                            "this node's release answers for one period at a time");
        }
        begin(view, total);
    }
    for (size_t i = 0; i < total->row_count; i++) {
        if (view->category[0] != '\0' && total->rows[i].category_null) {
            return err_fail(msg, ERR_REFUSED, ASKED_NO_CATEGORY);
        }
        switch (view->form) {
        case OUTPUT_TABLE:
            table_row(view, &total->rows[i]);
            break;
        case OUTPUT_JSON:
            output_list_item(&view->list, json_row(view, &total->rows[i]));
            break;
        case OUTPUT_CSV:
            csv_row(view, &total->rows[i]);
            break;
        }
    }
    return ERR_OK;
}

static enum err end(struct view *view, enum err err, struct errmsg *msg)
{
    if (view->form == OUTPUT_TABLE && view->begun) {
        enum err printed = output_table_end(view->table, err == ERR_OK ? msg : NULL);
        (void)printf("%s%s", view->footer, view->footer[0] == '\0' ? "" : "\n");
        return err == ERR_OK ? printed : err;
    }
    if (view->form == OUTPUT_JSON && err == ERR_OK) {
        return output_list_end(&view->list, msg);
    }
    return err;
}

enum exit_status cmd_total(struct client *client)
{
    static struct question question; /* too large for the stack */
    struct errmsg msg = {""};
    enum err err = question_read(client, &question, &msg);
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    struct view view = {.form = output_form(&client->options),
                        .by = question.total.by,
                        .targets = question.total.targets,
                        .against = question.total.against != AGAINST_NONE,
                        .span = question.total.has_last,
                        .category = question.total.category};
    struct msg_request request = {.type = REQUEST_TOTAL, .u.total = question.total};
    struct asking asking = {.on_reply = on_total, .context = &view};
    err = end(&view, client_ask(client, &request, &asking, &msg), &msg);
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/wide.h"
#include "client/asked.h"
#include "client/checks.h"
#include "client/commands.h"
#include "client/language.h"
#include "client/output.h"

static const struct output_column COLUMNS[] = {
    {.name = N_("ENTRY")},
    {.name = N_("UNIT")},
    {.name = N_("MEASURE")},
    {.name = N_("DATE")},
    {.name = N_("CATEGORY")},
    {.name = N_("VALUE"), .right = true},
    {.name = N_("KIND")},
    {.name = N_("REFERS")},
    {.name = N_("LIVE")},
    {.name = N_("KEY"), .wrap = true},
    {.name = N_("NOTE"), .wrap = true},
    {.name = N_("RECORDED")},
    {.name = N_("AUTHOR")},
    {.name = N_("CAME BACK")},
};

static const char *const CSV_HEAD[] = {"entry", "unit",        "measure", "date",      "category",
                                       "value", "key",         "note",    "kind",      "refers",
                                       "live",  "recorded_at", "author",  "healed_at", "meanwhile"};

enum { CELLS = sizeof COLUMNS / sizeof *COLUMNS, CSV_CELLS = sizeof CSV_HEAD / sizeof *CSV_HEAD };

struct view {
    enum output_form form;
    struct output_table *table;
    struct output_list list;
    bool healed;
    bool begun;
    size_t shown;
};

static const char *kind_text(enum entry_kind kind)
{
    switch (kind) {
    case ENTRY_RECORD:
        return "record";
    case ENTRY_AMEND:
        return "amend";
    case ENTRY_VOID:
        return "void";
    case ENTRY_ACT:
        return "act";
    case ENTRY_LOST:
        return "lost";
    }
    return "?";
}

/* What a row shows, as text. */
struct shown {
    char entry[ENTRY_ID_MAX_BYTES];
    char refers[ENTRY_ID_MAX_BYTES];
    char value[WIDE_TEXT_BYTES];
    char day[OUTPUT_CELL_BYTES];
    char recorded_at[OUTPUT_CELL_BYTES];
    char healed_at[OUTPUT_CELL_BYTES];
    char lost[OUTPUT_CELL_BYTES]; /* in the place of a note */
};

static struct shown row_texts(const struct log_row *row)
{
    const struct entry *entry = &row->entry;
    struct shown shown = {.refers = ""};
    entry_id_format(&entry->segment, entry->seq, shown.entry);
    if (entry->refers_seq != 0 && entry->kind != ENTRY_LOST) {
        entry_id_format(&entry->refers_segment, entry->refers_seq, shown.refers);
    }
    wide_format(entry->value, row->decimals, shown.value);
    day_format(entry->day, shown.day);
    wall_format(entry->recorded_at, shown.recorded_at);
    if (entry->kind == ENTRY_LOST) {
        (void)snprintf(shown.lost, sizeof shown.lost, "stands for %" PRIu64 " lost",
                       entry->refers_seq);
    }
    if (row->healed_at.ms != 0) {
        wall_format(row->healed_at, shown.healed_at);
    }
    return shown;
}

static void print_row(struct output_table *table, const struct log_row *row)
{
    const struct entry *entry = &row->entry;
    struct shown shown = row_texts(row);
    const char *cells[CELLS] = {shown.entry,
                                entry->unit,
                                entry->measure,
                                shown.day,
                                entry->category,
                                entry->kind == ENTRY_VOID ? "-" : shown.value,
                                kind_text(entry->kind),
                                shown.refers,
                                entry->kind != ENTRY_RECORD ? ""
                                : row->live                 ? "yes"
                                                            : "no",
                                entry->key,
                                entry->kind == ENTRY_LOST ? shown.lost : entry->note,
                                shown.recorded_at,
                                entry->author,
                                row->meanwhile ? "typed meanwhile" : shown.healed_at};
    output_table_row(table, cells);
}

static json_t *json_row(const struct log_row *row)
{
    const struct entry *entry = &row->entry;
    struct shown shown = row_texts(row);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:s, s:o, s:b, s:s, s:s, s:i, s:o, s:b}", "entry",
        shown.entry, "unit", entry->unit, "measure", entry->measure, "date", shown.day, "category",
        entry->category, "value", (json_int_t)entry->value, "key", output_json_text(entry->key),
        "note", output_json_text(entry->note), "kind", kind_text(entry->kind), "refers",
        output_json_text(shown.refers), "live", row->live ? 1 : 0, "recorded_at", shown.recorded_at,
        "author", entry->author, "decimals", row->decimals, "healed_at",
        output_json_text(shown.healed_at), "meanwhile", row->meanwhile ? 1 : 0);
}

static void csv_row(const struct log_row *row)
{
    const struct entry *entry = &row->entry;
    struct shown shown = row_texts(row);
    const char *cells[CSV_CELLS] = {shown.entry,
                                    entry->unit,
                                    entry->measure,
                                    shown.day,
                                    entry->category,
                                    shown.value,
                                    entry->key,
                                    entry->note,
                                    kind_text(entry->kind),
                                    shown.refers,
                                    row->live ? "true" : "false",
                                    shown.recorded_at,
                                    entry->author,
                                    shown.healed_at,
                                    row->meanwhile ? "true" : "false"};
    output_csv_row(cells, CSV_CELLS);
}

static void begin(struct view *view)
{
    if (view->begun) {
        return;
    }
    view->begun = true;
    switch (view->form) {
    case OUTPUT_TABLE:
        view->table = output_table_new(COLUMNS, view->healed ? CELLS : CELLS - 1);
        break;
    case OUTPUT_JSON:
        output_list_begin(&view->list, NULL, NULL);
        break;
    case OUTPUT_CSV:
        output_csv_row(CSV_HEAD, CSV_CELLS);
        break;
    }
}

static enum err on_log(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct view *view = context;
    (void)msg;
    begin(view);
    for (size_t i = 0; i < reply->u.log.row_count; i++) {
        const struct log_row *row = &reply->u.log.rows[i];
        if (row->entry.kind == ENTRY_ACT) {
            continue; /* the log is of what was counted */
        }
        view->shown++;
        switch (view->form) {
        case OUTPUT_TABLE:
            print_row(view->table, row);
            break;
        case OUTPUT_JSON:
            output_list_item(&view->list, json_row(row));
            break;
        case OUTPUT_CSV:
            csv_row(row);
            break;
        }
    }
    return ERR_OK;
}

static enum err end(struct view *view, struct errmsg *msg)
{
    switch (view->form) {
    case OUTPUT_TABLE:
        TRY(output_table_end(view->table, msg));
        (void)fputs(view->shown > 0 ? ""
                    : view->healed  ? "nothing was ever lost here\n"
                                    : "no entries\n",
                    stdout);
        return ERR_OK;
    case OUTPUT_JSON:
        return output_list_end(&view->list, msg);
    case OUTPUT_CSV:
        return ERR_OK;
    }
    return ERR_OK;
}

/* After an error, only what is there already. */
static enum err finish(struct view *view, enum err err, struct errmsg *msg)
{
    if (err == ERR_OK) {
        begin(view);
        return end(view, msg);
    }
    if (view->begun && view->form == OUTPUT_TABLE) {
        (void)(output_table_end(view->table, NULL) == ERR_OK);
    }
    return err;
}

static enum err kind_read(const char *text, enum entry_kind *out, struct errmsg *msg)
{
    static const enum entry_kind KINDS[] = {ENTRY_RECORD, ENTRY_AMEND, ENTRY_VOID, ENTRY_LOST};
    for (size_t i = 0; i < sizeof KINDS / sizeof *KINDS; i++) {
        if (strcmp(text, kind_text(KINDS[i])) == 0) {
            *out = KINDS[i];
            return ERR_OK;
        }
    }
    return err_fail(msg, ERR_USAGE, "--kind is record, amend, void or lost, not \"%.40s\"", text);
}

static enum err question_read(const struct client *client, struct measures_asked *measures,
                              struct req_log *out, struct errmsg *msg)
{
    const struct options *options = &client->options;
    *out = (struct req_log){.unit = client_word(client, 0),
                            .key = "",
                            .healed = options_has(options, OPTION_HEALED),
                            .author = options_text(options, OPTION_AUTHOR)};
    TRY(out->unit[0] == '\0' ? ERR_OK : checks_code("unit", out->unit, msg));
    TRY(checks_text("author", out->author, AUTHOR_MAX_BYTES, false, msg));
    TRY(asked_measures(options, measures, msg));
    out->measures = measures->codes;
    out->measure_count = measures->count;
    if (options_has(options, OPTION_PERIOD)) {
        struct period_span span;
        TRY(period_span_parse(options_text(options, OPTION_PERIOD), &span, msg));
        out->has_days = true;
        out->first_day = period_first_day((struct period){span.frequency, span.first});
        out->last_day = period_last_day((struct period){span.frequency, span.last});
    }
    return options_has(options, OPTION_KIND)
               ? kind_read(options_text(options, OPTION_KIND), &out->kind, msg)
               : ERR_OK;
}

enum exit_status cmd_log(struct client *client)
{
    static struct measures_asked measures;
    struct errmsg msg = {""};
    struct msg_request request = {.type = REQUEST_LOG};
    enum err err = question_read(client, &measures, &request.u.log, &msg);
    struct view view = {.form = output_form(&client->options), .healed = request.u.log.healed};
    struct asking asking = {.on_reply = on_log, .context = &view};
    if (err == ERR_OK) {
        err = finish(&view, client_ask(client, &request, &asking, &msg), &msg);
    }
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

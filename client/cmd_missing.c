#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/asked.h"
#include "client/checks.h"
#include "client/commands.h"
#include "client/language.h"
#include "client/output.h"

static const struct output_column COLUMNS[] = {
    {.name = N_("CODE")},
    {.name = N_("NAME"), .wrap = true},
    {.name = N_("PERIOD")},
    {.name = N_("DUE")},
    {.name = N_("EXPECTED"), .right = true},
    {.name = N_("REPORTED"), .right = true},
    {.name = N_("MISSING"), .right = true},
};

static const struct output_column UNIT_COLUMNS[] = {
    {.name = N_("UNIT")},   {.name = N_("NAME"), .wrap = true},  {.name = N_("CODE")},
    {.name = N_("PERIOD")}, {.name = N_("LACKS"), .wrap = true}, {.name = N_("LAST EXACT")},
};

static const char *const CSV_HEAD[] = {"code", "period", "due",   "unit",
                                       "name", "lacks",  "exact", "exact_as_of"};

enum {
    CELLS = sizeof COLUMNS / sizeof *COLUMNS,
    UNIT_CELLS = sizeof UNIT_COLUMNS / sizeof *UNIT_COLUMNS,
    CSV_CELLS = sizeof CSV_HEAD / sizeof *CSV_HEAD,
    LACKS_TEXT_BYTES = LACKS_MAX * (CODE_MAX_BYTES + 2) + OUTPUT_CELL_BYTES
};

struct view {
    enum output_form form;
    bool begun;
    struct output_table *table; /* of data sets and measures */
    struct output_table *units;
    json_t *set; /* that is being filled */
    struct output_list list;
    char footer[OUTPUT_CELL_BYTES * 2];
};

/* "a, b and 3 more" */
static const char *lacks_text(const struct missing_row *row, const char *between, char *out,
                              size_t size)
{
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < row->lacks_count; i++) {
        used +=
            (size_t)snprintf(out + used, size - used, "%s%s", i == 0 ? "" : between, row->lacks[i]);
    }
    if (row->lacks_total > (int64_t)row->lacks_count) {
        (void)snprintf(out + used, size - used, " and %" PRId64 " more",
                       row->lacks_total - (int64_t)row->lacks_count);
    }
    return out;
}

/* ---- as tables: one of what is asked for, one of who is missing ---- */

static void table_row(struct view *view, const struct missing_row *row)
{
    char due[OUTPUT_CELL_BYTES];
    char counts[3][OUTPUT_CELL_BYTES];
    const char *cells[CELLS] = {row->code,
                                row->name,
                                row->period,
                                output_day(row->due, "-", due),
                                output_number(row->expected, counts[0]),
                                output_number(row->reported, counts[1]),
                                output_number(row->expected - row->reported, counts[2])};
    output_table_row(view->table, cells);
}

static void unit_row(struct view *view, const struct missing_row *row)
{
    static char lacks[LACKS_TEXT_BYTES];
    char when[OUTPUT_CELL_BYTES];
    const char *cells[UNIT_CELLS] = {
        row->unit,
        row->unit_name,
        row->code,
        row->period,
        row->set ? lacks_text(row, ", ", lacks, sizeof lacks) : row->code,
        row->exact ? "" : output_time(row->exact_as_of, _("never"), when)};
    output_table_row(view->units, cells);
}

/* ---- as JSON ---- */

static void set_end(struct view *view)
{
    if (view->set != NULL) {
        output_list_item(&view->list, view->set);
    }
    view->set = NULL;
}

static void json_row(struct view *view, const struct missing_row *row)
{
    if (row->unit[0] == '\0') {
        set_end(view);
        view->set =
            json_pack("{s:s, s:s, s:b, s:s, s:o, s:I, s:I, s:[]}", "code", row->code, "name",
                      row->name, "set", row->set ? 1 : 0, "period", row->period, "due",
                      output_json_day(row->due), "expected", (json_int_t)row->expected, "reported",
                      (json_int_t)row->reported, "missing");
        return;
    }
    json_t *lacks = json_array();
    for (size_t i = 0; i < row->lacks_count; i++) {
        (void)json_array_append_new(lacks, json_string(row->lacks[i]));
    }
    json_t *unit =
        json_pack("{s:s, s:s, s:o, s:I, s:b, s:o}", "unit", row->unit, "name", row->unit_name,
                  "lacks", lacks, "lacks_total", (json_int_t)row->lacks_total, "exact",
                  row->exact ? 1 : 0, "exact_as_of", output_json_time(row->exact_as_of));
    view->list.failed = view->list.failed ||
                        json_array_append_new(json_object_get(view->set, "missing"), unit) != 0;
}

/* ---- as CSV: only who is missing ---- */

static void csv_row(const struct missing_row *row)
{
    static char lacks[LACKS_TEXT_BYTES];
    char due[OUTPUT_CELL_BYTES];
    char when[OUTPUT_CELL_BYTES];
    const char *cells[CSV_CELLS] = {row->code,
                                    row->period,
                                    output_day(row->due, "", due),
                                    row->unit,
                                    row->unit_name,
                                    lacks_text(row, " ", lacks, sizeof lacks),
                                    row->exact ? "true" : "false",
                                    output_time(row->exact_as_of, "", when)};
    if (row->unit[0] != '\0') {
        output_csv_row(cells, CSV_CELLS);
    }
}

/* ---- all of it ---- */

static void begin(struct view *view, const struct rep_missing *missing)
{
    char when[OUTPUT_CELL_BYTES];
    view->begun = true;
    switch (view->form) {
    case OUTPUT_TABLE:
        (void)printf("%s (%s)\n", missing->unit_name, missing->unit);
        view->table = output_table_new(COLUMNS, CELLS);
        view->units = output_table_new(UNIT_COLUMNS, UNIT_CELLS);
        language_sources(view->footer, sizeof view->footer, output_time(missing->as_of, "?", when),
                         missing->exact, missing->nodes);
        break;
    case OUTPUT_JSON:
        output_list_begin(&view->list,
                          json_pack("{s:s, s:s, s:o, s:I, s:I}", "unit", missing->unit, "name",
                                    missing->unit_name, "as_of", output_json_time(missing->as_of),
                                    "nodes", (json_int_t)missing->nodes, "exact",
                                    (json_int_t)missing->exact),
                          "sets");
        break;
    case OUTPUT_CSV:
        output_csv_row(CSV_HEAD, CSV_CELLS);
        break;
    }
}

static enum err on_missing(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct view *view = context;
    const struct rep_missing *missing = &reply->u.missing;
    (void)msg;
    if (!view->begun) {
        begin(view, missing);
    }
    for (size_t i = 0; i < missing->row_count; i++) {
        const struct missing_row *row = &missing->rows[i];
        switch (view->form) {
        case OUTPUT_TABLE:
            if (row->unit[0] == '\0') {
                table_row(view, row);
            } else {
                unit_row(view, row);
            }
            break;
        case OUTPUT_JSON:
            json_row(view, row);
            break;
        case OUTPUT_CSV:
            csv_row(row);
            break;
        }
    }
    return ERR_OK;
}

static enum err end(struct view *view, enum err err, struct errmsg *msg)
{
    if (view->form == OUTPUT_TABLE && view->begun) {
        enum err first = output_table_end(view->table, err == ERR_OK ? msg : NULL);
        (void)printf("\n");
        enum err second = output_table_end(view->units, err == ERR_OK ? msg : NULL);
        (void)printf("%s\n", view->footer);
        return err != ERR_OK ? err : first != ERR_OK ? first : second;
    }
    if (view->form == OUTPUT_JSON) {
        set_end(view);
        return err == ERR_OK ? output_list_end(&view->list, msg) : err;
    }
    return err;
}

static enum err question_read(const struct client *client, struct measures_asked *codes,
                              struct req_missing *out, struct errmsg *msg)
{
    const struct options *options = &client->options;
    *out = (struct req_missing){.unit = client_word(client, 0)};
    TRY(out->unit[0] == '\0' ? ERR_OK : checks_code("unit", out->unit, msg));
    TRY(asked_measures(options, codes, msg));
    out->codes = codes->codes;
    out->code_count = codes->count;
    if (options_has(options, OPTION_PERIOD)) {
        struct period_span span;
        TRY(period_span_parse(options_text(options, OPTION_PERIOD), &span, msg));
        out->has_period = true;
        out->period = (struct period){span.frequency, span.first};
        out->has_last = span.last != span.first;
        out->last_period = span.last;
    }
    return ERR_OK;
}

enum exit_status cmd_missing(struct client *client)
{
    static struct measures_asked codes;
    struct errmsg msg = {""};
    struct view view = {.form = output_form(&client->options)};
    struct msg_request request = {.type = REQUEST_MISSING};
    struct asking asking = {.on_reply = on_missing, .context = &view};
    enum err err = question_read(client, &codes, &request.u.missing, &msg);
    if (err == ERR_OK) {
        err = end(&view, client_ask(client, &request, &asking, &msg), &msg);
    }
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

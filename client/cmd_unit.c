/* unit add, unit import, unit list. A file of units that fits one request is made whole or not at
 * all. A longer one is checked first, request by request; there, what is refused for a unit whose
 * parent comes in an earlier request says nothing, since that parent is not made yet. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/checks.h"
#include "client/commands.h"
#include "client/language.h"
#include "client/output.h"
#include "client/search.h"
#include "client/treeview.h"
#include "client/unit_rows.h"

enum { REQUEST_BYTES = 512 * 1024, ROW_OVERHEAD_BYTES = 24 };

/* ---- add ---- */

/* What the daemon could not even be asked. */
static enum err pattern_check(const struct options *options, struct errmsg *msg)
{
    const char *pattern = options_text(options, OPTION_PATTERN);
    if (!options_has(options, OPTION_PATTERN) ||
        (pattern[0] != '\0' && strlen(pattern) <= CODE_MAX_BYTES)) {
        return ERR_OK;
    }
    return err_fail(msg, ERR_USAGE, "--pattern is 1 to %d bytes, like {parent}.##", CODE_MAX_BYTES);
}

static enum err unit_read(const struct client *client, struct unit_new *out, struct errmsg *msg)
{
    const struct options *options = &client->options;
    struct unit_new unit = {
        .code = client_word(client, 0), /* none with a pattern */
        .name = options_text(options, OPTION_NAME),
        .level = options_text(options, OPTION_LEVEL),
        .parent = options_text(options, OPTION_PARENT),
    };
    if (unit.name[0] == '\0' || unit.level[0] == '\0') {
        return err_fail(msg, ERR_USAGE, "a new unit needs --%s; usage: tally unit add %s",
                        unit.name[0] == '\0' ? "name NAME" : "level LEVEL", client->command->usage);
    }
    TRY(pattern_check(options, msg));
    if (options_has(options, OPTION_PATTERN) ? unit.code[0] != '\0' : unit.code[0] == '\0') {
        return err_fail(msg, ERR_USAGE,
                        "a unit has a code, or --pattern issues one; usage: tally unit add %s",
                        client->command->usage);
    }
    TRY(unit.code[0] == '\0' ? ERR_OK : checks_code("unit", unit.code, msg));
    TRY(checks_text("name", unit.name, NAME_MAX_BYTES, false, msg));
    TRY(checks_code("level", unit.level, msg));
    if (options_has(options, OPTION_PARENT)) {
        TRY(checks_code("parent", unit.parent, msg));
    }
    *out = unit;
    return ERR_OK;
}

struct added {
    const struct client *client;
    const struct unit_new *unit;
};

static enum err on_added(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    const struct added *added = context;
    const struct rep_recorded *recorded = &reply->u.recorded;
    bool known = recorded->known > 0;
    if (recorded->refused_count > 0) {
        return err_fail(msg, ERR_REFUSED, "%s", recorded->refused[0].reason);
    }
    const char *code = recorded->code_count > 0 ? recorded->codes[0] : added->unit->code;
    if (code[0] == '\0') {
        return err_fail(msg, ERR_REFUSED, "this node's release issues no codes");
    }
    if (output_form(&added->client->options) == OUTPUT_JSON) {
        return output_json(json_pack("{s:s, s:b}", "unit", code, "known", known ? 1 : 0), msg);
    }
    (void)printf("%s %s\n", code, known ? "was there already" : "added");
    return ERR_OK;
}

enum exit_status cmd_unit_add(struct client *client)
{
    struct errmsg msg = {""};
    struct unit_new unit;
    enum err err = unit_read(client, &unit, &msg);
    if (err == ERR_OK) {
        struct added added = {.client = client, .unit = &unit};
        struct msg_request request = {
            .type = REQUEST_UNITS,
            .u.units = {.units = &unit,
                        .unit_count = 1,
                        .pattern = options_text(&client->options, OPTION_PATTERN)}};
        struct asking asking = {.on_reply = on_added, .context = &added};
        err = client_ask(client, &request, &asking, &msg);
    }
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

/* ---- import ---- */

struct import {
    struct client *client;
    struct unit_rows rows;
    struct refusals refusals;
    size_t from; /* the request at hand: units [from, to) */
    size_t to;
    bool making;
    int64_t recorded;
    int64_t known;
    json_t *codes; /* issued, with the line of each; NULL unless they are shown */
    bool no_memory;
};

/* Whether the unit of that line has a parent that the check pass could not see. */
static bool parent_is_ahead(const struct import *import, uint32_t line)
{
    for (size_t i = import->from; i < import->to; i++) {
        if (import->rows.units[i].line == line) {
            int32_t parent = import->rows.parents[i];
            return parent != UNIT_ROW_NONE && (size_t)parent < import->from;
        }
    }
    return false;
}

static enum err on_units(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct import *import = context;
    const struct rep_recorded *recorded = &reply->u.recorded;
    int64_t passed = 0;
    for (size_t i = 0; i < recorded->refused_count; i++) {
        const struct refused_line *refused = &recorded->refused[i];
        if (!import->making && parent_is_ahead(import, refused->line)) {
            passed++;
        } else {
            refusals_add(&import->refusals, refused->line, 0, refused->reason);
        }
    }
    if (import->making || passed == 0) {
        refusals_count(&import->refusals,
                       recorded->refused_total - (int64_t)recorded->refused_count);
    }
    if (import->making) {
        import->recorded += recorded->recorded;
        import->known += recorded->known;
        for (size_t i = 0;
             import->codes != NULL && i < recorded->code_count && import->from + i < import->to;
             i++) {
            json_t *code = json_pack("{s:I, s:s}", "line",
                                     (json_int_t)import->rows.units[import->from + i].line, "code",
                                     recorded->codes[i]);
            import->no_memory =
                json_array_append_new(import->codes, code) != 0 || import->no_memory;
        }
    }
    return import->no_memory ? err_fail(msg, ERR_NO_MEMORY, "out of memory for the codes") : ERR_OK;
}

/* The end of the request that begins at `from`. */
static size_t request_end(const struct unit_rows *rows, size_t from)
{
    size_t bytes = 0;
    size_t to = from;
    while (to < rows->count && to - from < IMPORT_ROWS_MAX && bytes < REQUEST_BYTES) {
        const struct unit_new *unit = &rows->units[to++];
        bytes += strlen(unit->code) + strlen(unit->name) + strlen(unit->level) +
                 strlen(unit->parent) + ROW_OVERHEAD_BYTES;
    }
    return to;
}

static enum err pass(struct import *import, bool making, struct errmsg *msg)
{
    import->making = making;
    for (import->from = 0; import->from < import->rows.count; import->from = import->to) {
        import->to = request_end(&import->rows, import->from);
        struct msg_request request = {
            .type = REQUEST_UNITS,
            .u.units = {.units = import->rows.units + import->from,
                        .unit_count = import->to - import->from,
                        .check_only = !making,
                        .pattern = options_text(&import->client->options, OPTION_PATTERN)}};
        struct asking asking = {.on_reply = on_units, .context = import};
        TRY(client_ask(import->client, &request, &asking, msg));
        if (import->refusals.total > 0) {
            return ERR_OK;
        }
    }
    return ERR_OK;
}

static void print_result(struct import *import)
{
    struct errmsg msg = {""};
    if (output_form(&import->client->options) != OUTPUT_JSON) {
        (void)printf("%zu units: %" PRId64 " made, %" PRId64 " known, %" PRId64 " refused\n",
                     import->rows.count, import->recorded, import->known, import->refusals.total);
        return;
    }
    json_t *result =
        json_pack("{s:I, s:I, s:I, s:o}", "rows", (json_int_t)import->rows.count, "recorded",
                  (json_int_t)import->recorded, "known", (json_int_t)import->known, "refused",
                  refusals_json(&import->refusals));
    if (import->codes != NULL) {
        (void)json_object_set(result, "codes", import->codes);
    }
    enum err err = output_json(result, &msg);
    if (err != ERR_OK) {
        (void)client_fail_err(err, &msg);
    }
}

static enum exit_status finish_refused(struct import *import)
{
    const char *file = import->rows.name;
    int64_t made = import->recorded + import->known;
    print_result(import);
    char consequence[ERRMSG_MAX_BYTES] = "no unit is made; mend what is wrong";
    if (made > 0) {
        (void)snprintf(consequence, sizeof consequence,
                       "%" PRId64 " units are made already; mend the rest and give the file again",
                       made);
    }
    refusals_print(&import->refusals, file, consequence);
    return STATUS_REFUSED;
}

static enum exit_status run(struct import *import)
{
    struct errmsg msg = {""};
    enum err err = pattern_check(&import->client->options, &msg);
    err = err != ERR_OK ? err
                        : unit_rows_open(&import->rows, client_word(import->client, 0),
                                         options_has(&import->client->options, OPTION_PATTERN),
                                         &import->refusals, &msg);
    if (err == ERR_OK && import->refusals.total == 0 &&
        request_end(&import->rows, 0) < import->rows.count) {
        err = pass(import, false, &msg);
    }
    if (err == ERR_OK && import->refusals.total == 0) {
        err = pass(import, true, &msg);
    }
    if (err == ERR_CLOSED) {
        return client_fail(STATUS_UNREACHABLE,
                           "%s; at least %" PRId64 " units are made; tally unit list shows which",
                           msg.text, import->recorded + import->known);
    }
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    if (import->refusals.total > 0) {
        return finish_refused(import);
    }
    print_result(import);
    return STATUS_DONE;
}

enum exit_status cmd_unit_import(struct client *client)
{
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL) {
        return client_fail(STATUS_REFUSED, "out of memory");
    }
    import->client = client;
    refusals_init(&import->refusals);
    bool shown = options_has(&client->options, OPTION_PATTERN) &&
                 output_form(&client->options) == OUTPUT_JSON;
    import->codes = shown ? json_array() : NULL;
    enum exit_status status = run(import);
    json_decref(import->codes);
    refusals_deinit(&import->refusals);
    unit_rows_close(&import->rows);
    free(import);
    return status;
}

/* ---- list ---- */

struct listing {
    enum output_form form;
    bool begun;
    struct output_table *table;
    struct output_list list;
    struct search search;
    int64_t found;
};

static const struct output_column COLUMNS[] = {{.name = N_("UNIT")},
                                               {.name = N_("NAME"), .wrap = true},
                                               {.name = N_("LEVEL")},
                                               {.name = N_("PARENT")},
                                               {.name = N_("NODE")}};

static const char *const CSV_HEAD[] = {"code", "name", "level", "parent"};

static void listing_begin(struct listing *listing)
{
    if (listing->begun) {
        return;
    }
    listing->begun = true;
    switch (listing->form) {
    case OUTPUT_TABLE:
        listing->table = output_table_new(COLUMNS, sizeof COLUMNS / sizeof *COLUMNS);
        break;
    case OUTPUT_JSON:
        output_list_begin(&listing->list, NULL, NULL);
        break;
    case OUTPUT_CSV:
        output_csv_row(CSV_HEAD, sizeof CSV_HEAD / sizeof *CSV_HEAD);
        break;
    }
}

static enum err on_list(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct listing *listing = context;
    (void)msg;
    listing_begin(listing);
    for (size_t i = 0; i < reply->u.tree.row_count; i++) {
        const struct tree_row *row = &reply->u.tree.rows[i];
        if (!search_finds(&listing->search, row->unit, row->name)) {
            continue;
        }
        listing->found++;
        const char *cells[] = {row->unit, row->name, row->level, row->parent,
                               row->self   ? "this node"
                               : row->node ? "own"
                                           : ""};
        switch (listing->form) {
        case OUTPUT_TABLE:
            output_table_row(listing->table, cells);
            break;
        case OUTPUT_JSON:
            output_list_item(&listing->list, treeview_json(row));
            break;
        case OUTPUT_CSV:
            output_csv_row(cells, sizeof CSV_HEAD / sizeof *CSV_HEAD);
            break;
        }
    }
    return ERR_OK;
}

static enum err listing_end(struct listing *listing, enum err err, struct errmsg *msg)
{
    if (err == ERR_OK) {
        listing_begin(listing);
    }
    if (listing->form == OUTPUT_TABLE && listing->begun) {
        enum err printed = output_table_end(listing->table, err == ERR_OK ? msg : NULL);
        (void)fputs(listing->found == 0 && err == ERR_OK ? "no such units\n" : "", stdout);
        return err == ERR_OK ? printed : err;
    }
    return listing->form == OUTPUT_JSON && err == ERR_OK ? output_list_end(&listing->list, msg)
                                                         : err;
}

enum exit_status cmd_unit_list(struct client *client)
{
    struct errmsg msg = {""};
    struct listing listing = {.form = output_form(&client->options)};
    struct msg_request request = {.type = REQUEST_UNIT_LIST};
    struct asking asking = {.on_reply = on_list, .context = &listing};
    enum err err =
        search_init(&listing.search, client->options.words, client->options.word_count, &msg);
    if (err == ERR_OK) {
        err = listing_end(&listing, client_ask(client, &request, &asking, &msg), &msg);
    }
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

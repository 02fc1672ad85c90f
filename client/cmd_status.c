#include <inttypes.h>
#include <stdio.h>

#include "client/commands.h"
#include "client/language.h"
#include "client/output.h"

enum { LINE_BYTES = 512 };

static const char *uplink_text(enum uplink_state state)
{
    switch (state) {
    case UPLINK_NONE:
        return "none";
    case UPLINK_LINKED:
        return "linked";
    case UPLINK_CONNECTING:
        return "connecting";
    case UPLINK_FENCED:
        return "fenced";
    case UPLINK_REFUSED:
        return "refused";
    }
    return "?";
}

/* ---- JSON ---- */

static json_t *json_parent(const struct rep_status *status)
{
    if (status->uplink == UPLINK_NONE) {
        return json_null();
    }
    return json_pack(
        "{s:s, s:o, s:I, s:I, s:o, s:I, s:o}", "state", uplink_text(status->uplink), "reason",
        output_json_text(status->uplink_text), "pending_rows", (json_int_t)status->pending_rows,
        "unescrowed_entries", (json_int_t)status->unescrowed_entries, "unescrowed_since",
        output_json_time(status->unescrowed_since), "held_above", (json_int_t)status->held_above,
        "exact_as_of", output_json_time(status->exact_as_of));
}

static json_t *json_children(const struct rep_status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < status->child_count; i++) {
        const struct child_status *child = &status->children[i];
        json_t *item =
            json_pack("{s:s, s:s, s:o, s:I, s:I, s:o}", "unit", child->unit, "state",
                      link_state_name(child->state), "exact_as_of",
                      output_json_time(child->exact_as_of), "held", (json_int_t)child->held, "lost",
                      (json_int_t)child->lost, "reason", output_json_text(child->text));
        (void)json_array_append_new(list, item);
    }
    return list;
}

static json_t *json_alarms(const struct rep_status *status)
{
    json_t *list = json_array();
    for (size_t i = 0; i < status->alarm_count; i++) {
        const struct alarm_row *alarm = &status->alarms[i];
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "code", alarm->code, "text",
                                                    alarm->text, "since",
                                                    output_json_time(alarm->since)));
    }
    return list;
}

/* null: nothing was ever missing here. */
static json_t *json_healed(const struct rep_status *status)
{
    return status->healed_at.ms == 0
               ? json_null()
               : json_pack("{s:I, s:I, s:o}", "entries", (json_int_t)status->healed_entries,
                           "meanwhile", (json_int_t)status->meanwhile_entries, "at",
                           output_json_time(status->healed_at));
}

static json_t *json_status(const struct rep_status *status)
{
    char node[ID_HEX_BYTES];
    char origin[ID_HEX_BYTES];
    char tree[ID_HEX_BYTES];
    id_format(&status->node, node);
    id_format(&status->origin, origin);
    id_format(&status->tree, tree);
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:o, s:o, s:I, s:o, s:I, s:I, s:o, s:b}", "unit",
        status->unit, "name", status->unit_name, "level", status->level, "node", node, "origin",
        origin, "tree", tree, "software", status->software, "catalog_version",
        (json_int_t)status->catalogue_version, "parent", json_parent(status), "children",
        json_children(status), "ledger_entries", (json_int_t)status->ledger_entries, "healed",
        json_healed(status), "lost", (json_int_t)status->lost, "held", (json_int_t)status->held,
        "alarms", json_alarms(status), "healthy", status->alarm_count == 0 ? 1 : 0);
}

/* ---- for people ---- */

static void print_identity(const struct rep_status *status)
{
    char id[ID_HEX_BYTES];
    (void)printf("unit      %s  %s (%s)\n", status->unit, status->unit_name, status->level);
    id_format(&status->node, id);
    (void)printf("node      %s\n", id);
    id_format(&status->origin, id);
    (void)printf("origin    %s\n", id);
    (void)printf("software  %s, catalogue version %" PRIu64 "\n", status->software,
                 status->catalogue_version);
    (void)printf("ledger    %" PRId64 " entries, %" PRId64 " rows held\n", status->ledger_entries,
                 status->held);
}

static void print_healed(const struct rep_status *status)
{
    char when[OUTPUT_CELL_BYTES];
    if (status->healed_at.ms == 0) {
        return;
    }
    (void)printf("healed    %" PRId64 " entr%s that this machine had lost came back, last at %s\n",
                 status->healed_entries, status->healed_entries == 1 ? "y" : "ies",
                 output_time(status->healed_at, "", when));
    if (status->meanwhile_entries > 0) {
        (void)printf("          %" PRId64 " more recorded while that was missing: something may be "
                     "there twice; tally log --healed lists both\n",
                     status->meanwhile_entries);
    }
}

static void print_lost(const struct rep_status *status)
{
    if (status->lost > 0) {
        (void)printf("lost      %" PRId64 " entr%s of this node no office has any more; what they "
                     "had come to counts: tally log shows it as lost\n",
                     status->lost, status->lost == 1 ? "y" : "ies");
    }
}

static void print_parent(const struct rep_status *status)
{
    char when[OUTPUT_CELL_BYTES];
    if (status->uplink == UPLINK_NONE) {
        (void)printf("parent    none: this is the root\n");
        return;
    }
    (void)printf("parent    %s%s%s, exact as of %s, %" PRId64 " rows pending, %" PRId64
                 " entries not in escrow\n",
                 uplink_text(status->uplink), status->uplink_text[0] == '\0' ? "" : ": ",
                 status->uplink_text, output_time(status->exact_as_of, "never", when),
                 status->pending_rows, status->unescrowed_entries);
    if (status->unescrowed_since.ms != 0) {
        (void)printf("          the first of those entries was recorded at %s; until it is in "
                     "escrow, it is on this machine only\n",
                     output_time(status->unescrowed_since, "", when));
    }
    if (status->held_above > 0) {
        (void)printf("          it holds %" PRId64
                     " rows from here: a unit, measure or category that it does not know\n",
                     status->held_above);
    }
}

static enum err print_children(const struct rep_status *status, struct errmsg *msg)
{
    static const struct output_column COLUMNS[] = {{.name = N_("CHILD")},
                                                   {.name = N_("STATE")},
                                                   {.name = N_("EXACT AS OF")},
                                                   {.name = N_("HELD"), .right = true},
                                                   {.name = N_("LOST"), .right = true},
                                                   {.name = N_("REASON"), .wrap = true}};
    struct output_table *table = output_table_new(COLUMNS, 6);
    for (size_t i = 0; i < status->child_count; i++) {
        const struct child_status *child = &status->children[i];
        char when[OUTPUT_CELL_BYTES];
        char held[OUTPUT_CELL_BYTES];
        char lost[OUTPUT_CELL_BYTES];
        const char *cells[] = {child->unit,
                               language_state(child->state),
                               output_time(child->exact_as_of, _("never"), when),
                               output_number(child->held, held),
                               output_number(child->lost, lost),
                               child->text};
        output_table_row(table, cells);
    }
    return output_table_end(table, msg);
}

static enum err print_alarms(const struct rep_status *status, struct errmsg *msg)
{
    static const struct output_column COLUMNS[] = {
        {.name = N_("ALARM")}, {.name = N_("SINCE")}, {.name = N_("TEXT"), .wrap = true}};
    struct output_table *table = output_table_new(COLUMNS, 3);
    for (size_t i = 0; i < status->alarm_count; i++) {
        const struct alarm_row *alarm = &status->alarms[i];
        char since[OUTPUT_CELL_BYTES];
        const char *cells[] = {alarm->code, output_time(alarm->since, "", since), alarm->text};
        output_table_row(table, cells);
    }
    return output_table_end(table, msg);
}

static enum err print_status(const struct rep_status *status, struct errmsg *msg)
{
    print_identity(status);
    print_healed(status);
    print_lost(status);
    print_parent(status);
    TRY(print_children(status, msg));
    TRY(print_alarms(status, msg));
    (void)printf("%s\n", status->alarm_count == 0 ? "healthy" : "NOT healthy");
    return ERR_OK;
}

/* ---- all of it ---- */

struct view {
    bool json;
    size_t alarms;
    char first[LINE_BYTES];
};

static enum err on_status(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct view *view = context;
    const struct rep_status *status = &reply->u.status;
    view->alarms = status->alarm_count;
    if (status->alarm_count > 0) {
        (void)snprintf(view->first, sizeof view->first, "%s: %s", status->alarms[0].code,
                       status->alarms[0].text);
    }
    return view->json ? output_json(json_status(status), msg) : print_status(status, msg);
}

enum exit_status cmd_status(struct client *client)
{
    struct errmsg msg = {""};
    struct view view = {.json = output_form(&client->options) == OUTPUT_JSON};
    struct msg_request request = {.type = REQUEST_STATUS};
    struct asking asking = {.on_reply = on_status, .context = &view};
    enum err err = client_ask(client, &request, &asking, &msg);
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    if (view.alarms == 0) {
        return STATUS_DONE;
    }
    return client_fail(STATUS_NO, "%zu alarm%s, the first %s", view.alarms,
                       view.alarms == 1 ? "" : "s", view.first);
}

#include <inttypes.h>
#include <stdio.h>

#include "client/commands.h"
#include "client/language.h"
#include "client/output.h"

/* It reads the whole database, which may take long between two frames. */
enum { TIMEOUT_MS = 3600 * 1000 };

struct view {
    bool json;
    bool ok;
    int64_t fault_total;
};

static enum err print_json(const struct rep_verify *verify, struct errmsg *msg)
{
    json_t *checked = json_object();
    json_t *faults = json_array();
    for (size_t i = 0; i < verify->checked_count; i++) {
        const struct verify_count *at = &verify->checked[i];
        (void)json_object_set_new(checked, at->check, json_integer(at->examined));
    }
    for (size_t i = 0; i < verify->fault_count; i++) {
        (void)json_array_append_new(faults, json_string(verify->faults[i]));
    }
    return output_json(json_pack("{s:b, s:o, s:o, s:I}", "ok", verify->ok ? 1 : 0, "checked",
                                 checked, "faults", faults, "faults_total",
                                 (json_int_t)verify->fault_total),
                       msg);
}

static enum err print_table(const struct rep_verify *verify, struct errmsg *msg)
{
    static const struct output_column COLUMNS[] = {{.name = N_("CHECK")},
                                                   {.name = N_("EXAMINED"), .right = true}};
    struct output_table *table = output_table_new(COLUMNS, 2);
    for (size_t i = 0; i < verify->checked_count; i++) {
        char examined[OUTPUT_CELL_BYTES];
        const char *cells[] = {verify->checked[i].check,
                               output_number(verify->checked[i].examined, examined)};
        output_table_row(table, cells);
    }
    TRY(output_table_end(table, msg));
    for (size_t i = 0; i < verify->fault_count; i++) {
        (void)printf("fault: %s\n", verify->faults[i]);
    }
    if (verify->ok) {
        (void)printf("ok\n");
    }
    return ERR_OK;
}

static enum err on_verified(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct view *view = context;
    const struct rep_verify *verify = &reply->u.verify;
    view->ok = verify->ok;
    view->fault_total = verify->fault_total;
    return view->json ? print_json(verify, msg) : print_table(verify, msg);
}

enum exit_status cmd_verify(struct client *client)
{
    struct errmsg msg = {""};
    struct view view = {.json = output_form(&client->options) == OUTPUT_JSON};
    struct msg_request request = {.type = REQUEST_VERIFY};
    struct asking asking = {.on_reply = on_verified, .context = &view, .timeout_ms = TIMEOUT_MS};
    enum err err = client_ask(client, &request, &asking, &msg);
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    if (view.ok) {
        return STATUS_DONE;
    }
    return client_fail(STATUS_NO,
                       "verify found %" PRId64
                       " fault%s; the daemon repairs cells and totals at the "
                       "next mark after a restart, see tally status",
                       view.fault_total, view.fault_total == 1 ? "" : "s");
}

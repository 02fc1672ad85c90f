#include "client/entries.h"

#include <stdio.h>

#include "client/output.h"

struct made {
    struct recorded_row row;
    int64_t revision;
};

static enum err on_made(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct made *made = context;
    const struct rep_recorded *recorded = &reply->u.recorded;
    if (recorded->refused_count > 0) {
        return err_fail(msg, ERR_REFUSED, "%s", recorded->refused[0].reason);
    }
    if (recorded->row_count != 1) {
        return err_fail(msg, ERR_PROTOCOL, "the daemon did not say which entry it made");
    }
    made->row = recorded->rows[0];
    made->revision = recorded->revision;
    return ERR_OK;
}

static enum exit_status fail_lost(const struct client *client, const struct errmsg *msg)
{
    bool has_key = options_has(&client->options, OPTION_KEY);
    return client_fail(
        STATUS_UNREACHABLE, "%s; whether the entry is recorded is not known; %s", msg->text,
        has_key ? "the same command with the same --key is safe to repeat"
                : "look with tally log before you repeat it (with --key, repeating is "
                  "always safe)");
}

enum exit_status entries_make(struct client *client, struct msg_request *request, int64_t *revision)
{
    struct made made = {0};
    struct errmsg msg = {""};
    struct asking asking = {.on_reply = on_made, .context = &made};
    enum err err = client_ask(client, request, &asking, &msg);
    if (err == ERR_CLOSED && client->sent) {
        return fail_lost(client, &msg);
    }
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    char identity[ENTRY_ID_MAX_BYTES];
    entry_id_format(&made.row.segment, made.row.seq, identity);
    *revision = made.revision;
    if (output_form(&client->options) != OUTPUT_JSON) {
        (void)printf("%s\n", identity);
        return STATUS_DONE;
    }
    err = output_json(json_pack("{s:s, s:b}", "entry", identity, "known", made.row.known ? 1 : 0),
                      &msg);
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

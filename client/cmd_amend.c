#include "client/checks.h"
#include "client/commands.h"
#include "client/entries.h"
#include "proto/decimal.h"

static enum err correction_read(const struct client *client, bool is_void, struct req_correct *out,
                                struct errmsg *msg)
{
    const struct options *options = &client->options;
    struct id prefix;
    uint64_t seq;
    struct req_correct correct = {
        .entry = client_word(client, 0),
        .is_void = is_void,
        .value = is_void ? "" : client_word(client, 1),
        .key = options_text(options, OPTION_KEY),
        .note = options_text(options, OPTION_NOTE),
    };
    TRY(entry_id_parse(correct.entry, &prefix, &seq, msg));
    if (!is_void) {
        TRY(decimal_check(correct.value, msg));
    }
    TRY(checks_text("key", correct.key, KEY_MAX_BYTES, false, msg));
    TRY(checks_text("note", correct.note, NOTE_MAX_BYTES, true, msg));
    if (options_has(options, OPTION_KEY) && correct.key[0] == '\0') {
        return err_fail(msg, ERR_USAGE, "--key is empty; give a key or leave it out");
    }
    *out = correct;
    return ERR_OK;
}

static enum exit_status run(struct client *client, bool is_void)
{
    struct errmsg msg = {""};
    int64_t revision = 0;
    struct msg_request request = {.type = REQUEST_CORRECT};
    enum err err = correction_read(client, is_void, &request.u.correct, &msg);
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    return entries_make(client, &request, &revision);
}

enum exit_status cmd_amend(struct client *client)
{
    return run(client, false);
}

enum exit_status cmd_void(struct client *client)
{
    return run(client, true);
}

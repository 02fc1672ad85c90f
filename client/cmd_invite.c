#include <stdio.h>

#include "client/checks.h"
#include "client/commands.h"
#include "client/output.h"

#define DEFAULT_EXPIRY "24h"

static enum err invitation_read(const struct client *client, struct req_invite *out,
                                struct errmsg *msg)
{
    const struct options *options = &client->options;
    struct req_invite invite = {
        .unit = client_word(client, 0),
        .name = options_text(options, OPTION_NAME),
        .level = options_text(options, OPTION_LEVEL),
        .replace = options_has(options, OPTION_REPLACE),
    };
    bool expires = options_has(options, OPTION_EXPIRES);
    TRY(checks_code("unit", invite.unit, msg));
    TRY(checks_text("name", invite.name, NAME_MAX_BYTES, false, msg));
    if (options_has(options, OPTION_NAME) != options_has(options, OPTION_LEVEL)) {
        return err_fail(msg, ERR_USAGE, "--name and --level go together: they describe a new unit");
    }
    if (options_has(options, OPTION_LEVEL)) {
        TRY(checks_code("level", invite.level, msg));
    }
    if (options_has(options, OPTION_NAME) && invite.name[0] == '\0') {
        return err_fail(msg, ERR_USAGE, "--name is empty");
    }
    TRY(checks_duration(expires ? options_text(options, OPTION_EXPIRES) : DEFAULT_EXPIRY,
                        &invite.expires_ms, msg));
    *out = invite;
    return ERR_OK;
}

static enum err on_token(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    const struct client *client = context;
    const char *token = reply->u.invite.token;
    if (output_form(&client->options) == OUTPUT_JSON) {
        return output_json(json_pack("{s:s}", "token", token), msg);
    }
    (void)printf("%s\n", token);
    return ERR_OK;
}

static enum exit_status ask(struct client *client, bool reissue)
{
    struct errmsg msg = {""};
    struct msg_request request = {.type = REQUEST_INVITE};
    struct asking asking = {.on_reply = on_token, .context = client};
    enum err err = invitation_read(client, &request.u.invite, &msg);
    request.u.invite.reissue = reissue;
    if (err == ERR_OK) {
        err = client_ask(client, &request, &asking, &msg);
    }
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

enum exit_status cmd_invite(struct client *client)
{
    return ask(client, false);
}

enum exit_status cmd_reissue(struct client *client)
{
    return ask(client, true);
}

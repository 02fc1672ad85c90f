#include "client/wait.h"

#include <stdio.h>
#include <string.h>

enum { DIGITS_MAX = 7, MARGIN_MS = 30000 };

static enum err level_parse(const char *text, enum wait_level *out, struct errmsg *msg)
{
    bool parent = strcmp(text, "parent") == 0;
    if (!parent && strcmp(text, "root") != 0) {
        return err_fail(msg, ERR_USAGE, "--wait is parent or root, not \"%.40s\"", text);
    }
    *out = parent ? WAIT_PARENT : WAIT_ROOT;
    return ERR_OK;
}

static enum err timeout_parse(const char *text, int64_t *out_ms, struct errmsg *msg)
{
    size_t len = strlen(text);
    int64_t seconds = 0;
    bool shaped = len > 0 && len <= DIGITS_MAX && strspn(text, "0123456789") == len;
    for (size_t i = 0; shaped && i < len; i++) {
        seconds = seconds * 10 + (text[i] - '0');
    }
    if (!shaped || seconds < 1 || seconds > WAIT_MAX_S) {
        return err_fail(msg, ERR_USAGE,
                        "--timeout is a whole number of seconds from 1 to %d, not \"%.40s\"",
                        WAIT_MAX_S, text);
    }
    *out_ms = seconds * 1000;
    return ERR_OK;
}

enum err wait_options(const struct options *options, struct wait_wish *out, struct errmsg *msg)
{
    struct wait_wish wish = {.level = WAIT_NONE, .timeout_ms = WAIT_DEFAULT_S * 1000};
    bool wait = options_has(options, OPTION_WAIT);
    if (wait) {
        TRY(level_parse(options_text(options, OPTION_WAIT), &wish.level, msg));
    }
    if (options_has(options, OPTION_TIMEOUT)) {
        if (!wait) {
            return err_fail(msg, ERR_USAGE, "--timeout goes with --wait parent or --wait root");
        }
        TRY(timeout_parse(options_text(options, OPTION_TIMEOUT), &wish.timeout_ms, msg));
    }
    *out = wish;
    return ERR_OK;
}

static enum err on_arrived(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    (void)context;
    (void)reply;
    (void)msg;
    return ERR_OK;
}

enum exit_status wait_until(struct client *client, const struct wait_wish *wish, int64_t revision,
                            const char *what)
{
    if (wish->level == WAIT_NONE) {
        return STATUS_DONE;
    }
    (void)fflush(stdout); /* the identity is there before the wait */
    struct msg_request request = {
        .type = REQUEST_WAIT,
        .u.wait = {.level = wish->level, .revision = revision, .timeout_ms = wish->timeout_ms}};
    struct asking asking = {.on_reply = on_arrived, .timeout_ms = wish->timeout_ms + MARGIN_MS};
    struct errmsg msg = {""};
    enum err err = client_ask(client, &request, &asking, &msg);
    const char *where = wish->level == WAIT_PARENT ? "parent" : "root";
    if (err == ERR_OK) {
        return STATUS_DONE;
    }
    if (err == ERR_TIMEOUT) {
        return client_fail(
            STATUS_NO,
            "%s recorded, but not known to be at the %s within %lld s; it goes on by "
            "itself, see tally status",
            what, where, (long long)(wish->timeout_ms / 1000));
    }
    return client_fail(client_status(err), "%s recorded, but the wait for the %s failed: %s", what,
                       where, msg.text);
}

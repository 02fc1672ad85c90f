#include <stdio.h>

#include "client/commands.h"
#include "client/output.h"
#include "config/config.h"

enum { ARENA_MAX_BYTES = 64 << 20 };

struct view {
    bool json;
    bool dry_run;
};

static enum err print_json(const struct rep_apply *apply, bool dry_run, struct errmsg *msg)
{
    json_t *changes = json_array();
    for (size_t i = 0; i < apply->change_count; i++) {
        (void)json_array_append_new(changes, json_string(apply->changes[i]));
    }
    return output_json(json_pack("{s:I, s:b, s:o}", "version", (json_int_t)apply->version,
                                 "dry_run", dry_run ? 1 : 0, "changes", changes),
                       msg);
}

static enum err on_applied(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    const struct view *view = context;
    const struct rep_apply *apply = &reply->u.apply;
    if (view->json) {
        return print_json(apply, view->dry_run, msg);
    }
    for (size_t i = 0; i < apply->change_count; i++) {
        (void)printf("%s\n", apply->changes[i]);
    }
    const char *what = apply->change_count == 0 ? "nothing changes; "
                       : view->dry_run          ? "would be "
                                                : "";
    (void)printf("%scatalogue version %llu\n", what, (unsigned long long)apply->version);
    return ERR_OK;
}

static enum err apply(struct client *client, const struct catalogue *catalogue, struct errmsg *msg)
{
    struct buf content;
    buf_init(&content, CATALOGUE_MAX_BYTES);
    catalogue_encode(catalogue, &content);
    if (content.failed) {
        buf_deinit(&content);
        return err_fail(msg, ERR_LIMIT, "%s is too large for a catalogue (at most %d KiB)",
                        client_word(client, 0), CATALOGUE_MAX_BYTES / 1024);
    }
    struct view view = {.json = output_form(&client->options) == OUTPUT_JSON,
                        .dry_run = options_has(&client->options, OPTION_DRY_RUN)};
    struct msg_request request = {
        .type = REQUEST_APPLY,
        .u.apply = {.catalogue = {content.data, content.len}, .dry_run = view.dry_run}};
    struct asking asking = {.on_reply = on_applied, .context = &view};
    enum err err = client_ask(client, &request, &asking, msg);
    buf_deinit(&content);
    return err;
}

enum exit_status cmd_apply(struct client *client)
{
    struct errmsg msg = {""};
    struct arena arena;
    struct catalogue catalogue;
    arena_init(&arena, ARENA_MAX_BYTES);
    enum err err = config_catalogue_load(client_word(client, 0), &arena, &catalogue, &msg);
    bool unreadable = err == ERR_NOT_FOUND || err == ERR_IO;
    if (err == ERR_OK) {
        err = apply(client, &catalogue, &msg);
        if (err == ERR_REFUSED) {
            config_catalogue_place(client_word(client, 0), &msg);
        }
    }
    arena_reset(&arena);
    return err == ERR_OK ? STATUS_DONE : client_fail_err(unreadable ? ERR_USAGE : err, &msg);
}

/* The parts of the answer go into a file that gets its name when all of it is there. */
#include <inttypes.h>
#include <stdio.h>

#include "client/commands.h"
#include "client/outfile.h"
#include "client/output.h"
#include "client/progress.h"

enum { PATIENCE_MS = 60000 };

struct view {
    struct outfile file;
    bool begun;
    bool sending;
    struct progress progress;
};

static void show(struct view *view, const struct rep_backup *backup)
{
    bool sending = backup->content.len > 0;
    if (!view->begun || sending != view->sending) {
        if (view->begun) {
            progress_end(&view->progress);
        }
        view->begun = true;
        view->sending = sending;
        progress_begin(&view->progress, sending ? "taking the copy" : "copying", backup->size,
                       backup->size > 8 << 20);
    }
    progress_show(&view->progress, backup->at);
}

static enum err on_part(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct view *view = context;
    const struct rep_backup *backup = &reply->u.backup;
    if (!reply->more) {
        return backup->size == view->file.at && view->file.at > 0
                   ? ERR_OK
                   : err_fail(msg, ERR_PROTOCOL, "the daemon ended the copy before all of it came");
    }
    show(view, backup);
    if (backup->content.len > 0 && backup->at != view->file.at) {
        return err_fail(msg, ERR_PROTOCOL, "the daemon sent the copy in another order");
    }
    return outfile_write(&view->file, backup->content, msg);
}

enum exit_status cmd_backup(struct client *client)
{
    struct errmsg msg = {""};
    struct view view = {.begun = false};
    struct msg_request request = {.type = REQUEST_BACKUP};
    struct asking asking = {.on_reply = on_part, .context = &view, .timeout_ms = PATIENCE_MS};
    enum err err = outfile_open(&view.file, client_word(client, 0), "backup", &msg);
    err = err == ERR_OK ? client_ask(client, &request, &asking, &msg) : err;
    if (view.begun) {
        progress_end(&view.progress);
    }
    err = err == ERR_OK ? outfile_name(&view.file, &msg) : err;
    outfile_close(&view.file);
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    if (output_form(&client->options) == OUTPUT_JSON) {
        err = output_json(
            json_pack("{s:s, s:I}", "file", view.file.path, "bytes", (json_int_t)view.file.at),
            &msg);
        return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
    }
    (void)printf("%s: %" PRId64 " bytes. It has the keys of this node in it: whoever has the file "
                 "can be this node.\n",
                 view.file.path, view.file.at);
    return STATUS_DONE;
}

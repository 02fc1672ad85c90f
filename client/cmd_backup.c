/* The parts of the answer go into FILE.part, which gets its name when all of it is on the disk. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "client/commands.h"
#include "client/output.h"
#include "client/progress.h"

enum { PATH_BYTES = 4096, PATIENCE_MS = 60000, SECRET_MODE = 0600 };

struct view {
    char path[PATH_BYTES];
    char part[PATH_BYTES];
    int fd;
    int64_t at;
    bool begun;
    bool sending;
    struct progress progress;
};

static enum err fail_file(const char *path, struct errmsg *msg)
{
    return err_fail(msg, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "%.400s: %s%s", path,
                    strerror(errno), errno == ENOSPC ? "; free some room and try again" : "");
}

static enum err open_part(struct view *view, const char *file, struct errmsg *msg)
{
    int len = snprintf(view->path, sizeof view->path, "%s", file);
    if (len <= 0 || len > PATH_BYTES - 64) {
        return err_fail(msg, ERR_USAGE, "the name of the file has no letter, or too many");
    }
    (void)snprintf(view->part, sizeof view->part, "%.4000s.%ld.part", view->path, (long)getpid());
    if (access(view->path, F_OK) == 0) {
        return err_fail(msg, ERR_EXISTS,
                        "%.400s is there already; choose another name for this backup", view->path);
    }
    view->fd = open(view->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, SECRET_MODE);
    if (view->fd >= 0 && fchmod(view->fd, SECRET_MODE) == 0) {
        return ERR_OK;
    }
    return fail_file(view->part, msg);
}

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
    size_t done = 0;
    if (!reply->more) {
        return backup->size == view->at && view->at > 0
                   ? ERR_OK
                   : err_fail(msg, ERR_PROTOCOL, "the daemon ended the copy before all of it came");
    }
    show(view, backup);
    if (backup->content.len > 0 && backup->at != view->at) {
        return err_fail(msg, ERR_PROTOCOL, "the daemon sent the copy in another order");
    }
    while (done < backup->content.len) {
        ssize_t n = write(view->fd, backup->content.data + done, backup->content.len - done);
        if (n < 0 && errno != EINTR) {
            return fail_file(view->part, msg);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    view->at += (int64_t)backup->content.len;
    return ERR_OK;
}

/* Nothing that came there meanwhile is overwritten; where a file cannot have two names, as on most
 * sticks, it is looked once more. */
static enum err give_name(struct view *view, struct errmsg *msg)
{
    if (fsync(view->fd) != 0) {
        return fail_file(view->part, msg);
    }
    bool linked = link(view->part, view->path) == 0;
    bool never = !linked && (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS);
    if (never && access(view->path, F_OK) != 0) {
        linked = rename(view->part, view->path) == 0;
    }
    if (!linked) {
        return fail_file(view->path, msg);
    }
    (void)unlink(view->part);
    return file_sync_folder(view->path, msg);
}

enum exit_status cmd_backup(struct client *client)
{
    struct errmsg msg = {""};
    struct view view = {.fd = -1};
    struct msg_request request = {.type = REQUEST_BACKUP};
    struct asking asking = {.on_reply = on_part, .context = &view, .timeout_ms = PATIENCE_MS};
    enum err err = open_part(&view, client_word(client, 0), &msg);
    err = err == ERR_OK ? client_ask(client, &request, &asking, &msg) : err;
    if (view.begun) {
        progress_end(&view.progress);
    }
    err = err == ERR_OK ? give_name(&view, &msg) : err;
    if (view.fd >= 0) {
        (void)close(view.fd);
        (void)unlink(view.part);
    }
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    if (output_form(&client->options) == OUTPUT_JSON) {
        err = output_json(json_pack("{s:s, s:I}", "file", view.path, "bytes", (json_int_t)view.at),
                          &msg);
        return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
    }
    (void)printf("%s: %" PRId64 " bytes. It has the keys of this node in it: whoever has the file "
                 "can be this node.\n",
                 view.path, view.at);
    return STATUS_DONE;
}

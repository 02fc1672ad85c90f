#include "client/outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { SECRET_MODE = 0600, PART_NAME_BYTES = 64 };

enum err outfile_failed(const char *path, struct errmsg *msg)
{
    return err_fail(msg, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO, "%.400s: %s%s", path,
                    strerror(errno), errno == ENOSPC ? "; free some room and try again" : "");
}

enum err outfile_open(struct outfile *file, const char *path, const char *what, struct errmsg *msg)
{
    *file = (struct outfile){.fd = -1};
    int len = snprintf(file->path, sizeof file->path, "%s", path);
    if (len <= 0 || len > OUTFILE_PATH_BYTES - PART_NAME_BYTES) {
        return err_fail(msg, ERR_USAGE, "the name of the file has no letter, or too many");
    }
    (void)snprintf(file->part, sizeof file->part, "%.*s.%ld.part", len, file->path, (long)getpid());
    if (access(file->path, F_OK) == 0) {
        return err_fail(msg, ERR_EXISTS, "%.400s is there already; choose another name for this %s",
                        file->path, what);
    }
    file->fd = open(file->part, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, SECRET_MODE);
    if (file->fd >= 0 && fchmod(file->fd, SECRET_MODE) == 0) {
        return ERR_OK;
    }
    return outfile_failed(file->part, msg);
}

enum err outfile_write(struct outfile *file, struct bytes content, struct errmsg *msg)
{
    size_t done = 0;
    while (done < content.len) {
        ssize_t n = write(file->fd, content.data + done, content.len - done);
        if (n < 0 && errno != EINTR) {
            return outfile_failed(file->part, msg);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    file->at += (int64_t)content.len;
    return ERR_OK;
}

/* Nothing that came there meanwhile is overwritten; where a file cannot have two names, as on most
 * sticks, it is looked once more. */
enum err outfile_name(struct outfile *file, struct errmsg *msg)
{
    if (fsync(file->fd) != 0) {
        return outfile_failed(file->part, msg);
    }
    bool linked = link(file->part, file->path) == 0;
    bool never = !linked && (errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS);
    if (never && access(file->path, F_OK) != 0) {
        linked = rename(file->part, file->path) == 0;
    }
    if (!linked) {
        return outfile_failed(file->path, msg);
    }
    (void)unlink(file->part);
    return file_sync_folder(file->path, msg);
}

void outfile_close(struct outfile *file)
{
    if (file->fd >= 0) {
        (void)close(file->fd);
        (void)unlink(file->part);
        file->fd = -1;
    }
}

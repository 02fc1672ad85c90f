#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 16 * 1024 };

static enum err fail_read(const char *name, struct errmsg *msg)
{
    return err_fail(msg, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "cannot read %.400s: %s", name,
                    strerror(errno));
}

static enum err fail_write(const char *path, struct errmsg *msg)
{
    enum err err = errno == ENOSPC || errno == EDQUOT ? ERR_DISK_FULL : ERR_IO;
    const char *remedy = err == ERR_DISK_FULL ? "; free some room and try again" : "";
    return err_fail(msg, err, "cannot write %.400s: %s%s", path, strerror(errno), remedy);
}

enum err file_read_open(int fd, const char *name, struct buf *out, struct errmsg *msg)
{
    char chunk[CHUNK_BYTES];
    struct stat info;
    ssize_t n;
    if (fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
        errno = EISDIR;
        return fail_read(name, msg);
    }
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_read(name, msg);
        }
        buf_put(out, chunk, (size_t)n);
        if (out->failed) {
            return err_fail(msg, ERR_LIMIT, "%.400s is larger than %zu KiB, or memory is short",
                            name, out->max >> 10);
        }
    }
    return ERR_OK;
}

enum err file_read(const char *path, struct buf *out, struct errmsg *msg)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_read(path, msg);
    }
    enum err err = file_read_open(fd, path, out, msg);
    (void)close(fd);
    return err;
}

/* A whole new file, synced. */
static enum err write_new(const char *path, struct bytes content, unsigned mode, struct errmsg *msg)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return fail_write(path, msg);
    }
    size_t done = 0;
    bool failed = fchmod(fd, mode) != 0;
    while (done < content.len && !failed) {
        ssize_t n = write(fd, content.data + done, content.len - done);
        failed = n < 0 && errno != EINTR;
        done += n > 0 ? (size_t)n : 0;
    }
    failed = failed || fsync(fd) != 0;
    enum err err = failed ? fail_write(path, msg) : ERR_OK;
    if (close(fd) != 0 && err == ERR_OK) {
        err = fail_write(path, msg);
    }
    return err;
}

enum err file_sync_folder(const char *path, struct errmsg *msg)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum err err = fd < 0 || fsync(fd) != 0 ? fail_write(path, msg) : ERR_OK;
    if (fd >= 0) {
        (void)close(fd);
    }
    return err;
}

enum err file_write(const char *path, struct bytes content, unsigned mode, struct errmsg *msg)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof temporary) {
        return err_fail(msg, ERR_LIMIT, "cannot write %.400s: its path is too long", path);
    }
    enum err err = write_new(temporary, content, mode, msg);
    if (err == ERR_OK && rename(temporary, path) != 0) {
        err = fail_write(path, msg);
    }
    if (err != ERR_OK) {
        (void)unlink(temporary);
        return err;
    }
    return file_sync_folder(path, msg);
}

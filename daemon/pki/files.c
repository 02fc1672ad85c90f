/* Whole small files: read with a limit; written to a temporary name, synced, renamed, and the folder synced. */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "pki/pki_internal.h"

enum { CHUNK_BYTES = 4096 };

static enum err system_failed(struct errmsg *msg, const char *path, const char *what)
{
    enum err err = errno == ENOSPC ? ERR_DISK_FULL : errno == ENOENT ? ERR_NOT_FOUND : ERR_IO;
    return err_fail(msg, err, "%s: %s: %s", path, what, strerror(errno));
}

enum err pki_file_read(const char *path, struct buf *out, struct errmsg *msg)
{
    char chunk[CHUNK_BYTES];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return system_failed(msg, path, "cannot be read");
    }
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) > 0 && out->len <= PKI_FILE_MAX_BYTES) {
        buf_put(out, chunk, (size_t)n);
    }
    enum err err = n < 0 ? system_failed(msg, path, "cannot be read") : ERR_OK;
    (void)close(fd);
    if (err == ERR_OK && (out->failed || out->len > PKI_FILE_MAX_BYTES)) {
        err = err_fail(msg, ERR_LIMIT, "%s: larger than such a file can be", path);
    }
    return err;
}

static enum err write_all(int fd, struct bytes content)
{
    size_t at = 0;
    while (at < content.len) {
        ssize_t n = write(fd, content.data + at, content.len - at);
        if (n < 0 && errno != EINTR) {
            return ERR_IO;
        }
        at += n > 0 ? (size_t)n : 0;
    }
    return fsync(fd) == 0 ? ERR_OK : ERR_IO;
}

static enum err sync_folder(const char *path)
{
    char copy[PATH_MAX];
    (void)snprintf(copy, sizeof copy, "%s", path);
    int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return ERR_IO;
    }
    int code = fsync(fd);
    (void)close(fd);
    return code == 0 ? ERR_OK : ERR_IO;
}

enum err pki_file_write(const char *path, struct bytes content, bool secret, struct errmsg *msg)
{
    char temporary[PATH_MAX];
    int len = snprintf(temporary, sizeof temporary, "%s.new", path);
    if (len < 0 || (size_t)len >= sizeof temporary) {
        return err_fail(msg, ERR_LIMIT, "%s: the path is too long", path);
    }
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, secret ? 0600 : 0644);
    if (fd < 0) {
        return system_failed(msg, temporary, "cannot be written");
    }
    enum err err = write_all(fd, content);
    if (close(fd) != 0 && err == ERR_OK) {
        err = ERR_IO;
    }
    if (err == ERR_OK && rename(temporary, path) == 0 && sync_folder(path) == ERR_OK) {
        return ERR_OK;
    }
    err = system_failed(msg, path, "cannot be written");
    (void)unlink(temporary);
    return err;
}

#include "client/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static enum err fail_read(const char *path, struct errmsg *msg)
{
    return err_fail(msg, ERR_USAGE, "cannot read %s: %s", file_name(path), strerror(errno));
}

static enum err read_all(int fd, const char *path, struct buf *out, struct errmsg *msg)
{
    char chunk[64 * 1024];
    ssize_t n;
    while ((n = read(fd, chunk, sizeof chunk)) != 0) {
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return fail_read(path, msg);
        }
        buf_put(out, chunk, (size_t)n);
        if (out->failed) {
            return err_fail(msg, ERR_INVALID, "%s is larger than %zu MiB, or memory is short",
                            file_name(path), out->max >> 20);
        }
    }
    return ERR_OK;
}

enum err file_read(const char *path, struct buf *out, struct errmsg *msg)
{
    if (strcmp(path, "-") == 0) {
        return read_all(STDIN_FILENO, path, out, msg);
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return fail_read(path, msg);
    }
    enum err err = read_all(fd, path, out, msg);
    (void)close(fd);
    return err;
}

const char *file_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

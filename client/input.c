#include "client/input.h"

#include <string.h>
#include <unistd.h>

#include "base/file.h"

enum err input_read(const char *path, struct buf *out, struct errmsg *msg)
{
    enum err err = strcmp(path, "-") == 0 ? file_read_open(STDIN_FILENO, input_name(path), out, msg)
                                          : file_read(path, out, msg);
    return err == ERR_NOT_FOUND || err == ERR_IO ? ERR_USAGE : err == ERR_LIMIT ? ERR_INVALID : err;
}

const char *input_name(const char *path)
{
    return strcmp(path, "-") == 0 ? "standard input" : path;
}

#include "base/err.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

static const char *const NAMES[ERR_COUNT] = {
    [ERR_OK] = "ok",
    [ERR_USAGE] = "usage",
    [ERR_REFUSED] = "refused",
    [ERR_NOT_FOUND] = "not-found",
    [ERR_EXISTS] = "exists",
    [ERR_INVALID] = "invalid",
    [ERR_LIMIT] = "limit",
    [ERR_DISK_FULL] = "disk-full",
    [ERR_IO] = "io",
    [ERR_CORRUPT] = "corrupt",
    [ERR_NEWER] = "newer",
    [ERR_BUSY] = "busy",
    [ERR_NO_MEMORY] = "no-memory",
    [ERR_TIMEOUT] = "timeout",
    [ERR_CLOSED] = "closed",
    [ERR_PROTOCOL] = "protocol",
    [ERR_AUTH] = "auth",
    [ERR_UNREACHABLE] = "unreachable",
    [ERR_OVERFLOW] = "overflow",
};

const char *err_name(enum err err)
{
    return (unsigned)err < ERR_COUNT ? NAMES[err] : "unknown";
}

enum err err_fail(struct errmsg *msg, enum err err, const char *fmt, ...)
{
    if (msg != NULL) {
        va_list args;
        va_start(args, fmt);
        (void)vsnprintf(msg->text, sizeof msg->text, fmt, args);
        va_end(args);
        text_mend(msg->text);
    }
    return err;
}

enum err err_prefix(struct errmsg *msg, enum err err, const char *fmt, ...)
{
    if (msg == NULL) {
        return err;
    }
    char head[ERRMSG_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    int used = vsnprintf(head, sizeof head, fmt, args);
    va_end(args);
    if (used < 0 || (size_t)used + 3 > sizeof head) {
        return err;
    }
    size_t at = (size_t)used;
    (void)snprintf(head + at, sizeof head - at, ": %.*s", (int)(sizeof head - at - 3), msg->text);
    memcpy(msg->text, head, sizeof head);
    text_mend(msg->text);
    return err;
}

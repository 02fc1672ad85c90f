#include "client/asked.h"

#include <string.h>

#include "client/checks.h"

/* One argument: "a" or "a,b,c". */
static enum err argument_read(const char *text, struct measures_asked *out, struct errmsg *msg)
{
    bool more = true;
    while (more) {
        size_t len = strcspn(text, ",");
        char *code = out->cut[out->count];
        if (out->count == MEASURES_ASKED_MAX) {
            return err_fail(msg, ERR_USAGE, "more than %d measures are named", MEASURES_ASKED_MAX);
        }
        if (len > CODE_MAX_BYTES) {
            return err_fail(msg, ERR_USAGE, "measure \"%.70s\" is no code: longer than %d bytes",
                            text, CODE_MAX_BYTES);
        }
        memcpy(code, text, len);
        code[len] = '\0';
        TRY(checks_code("measure", code, msg));
        out->codes[out->count++] = code;
        more = text[len] == ',';
        text += len + 1;
    }
    return ERR_OK;
}

enum err asked_measures(const struct options *options, struct measures_asked *out,
                        struct errmsg *msg)
{
    out->count = 0;
    for (size_t i = 0; i < options->measure_count; i++) {
        TRY(argument_read(options->measures[i], out, msg));
    }
    return ERR_OK;
}

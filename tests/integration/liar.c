#include "liar.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

enum { STATUS_FAILED = 2 };

void die(const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fputc('\n', stderr);
    exit(STATUS_FAILED);
}

const char *arg(const struct liar *liar, const char *name)
{
    size_t len = strlen(name);
    for (size_t i = 0; i < liar->arg_count; i++) {
        if (strncmp(liar->args[i], name, len) == 0 && liar->args[i][len] == '=') {
            return liar->args[i] + len + 1;
        }
    }
    die("%s=... must be given", name);
}

struct id arg_id(const struct liar *liar, const char *name)
{
    struct id id;
    if (hex_decode(arg(liar, name), id.b, ID_BYTES) != ERR_OK) {
        die("%s is not an id", name);
    }
    return id;
}

static const struct scenario *find(const char *name)
{
    static const struct scenario HONEST = {"honest", NULL, false};
    const struct scenario *const tables[] = {LIES_CELLS, LIES_LEDGER, LIES_ROWS, LIES_TALK};
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        for (const struct scenario *s = tables[i]; s->name != NULL; s++) {
            if (strcmp(s->name, name) == 0) {
                return s;
            }
        }
    }
    return strcmp(name, HONEST.name) == 0 ? &HONEST : NULL;
}

int main(int argc, char **argv)
{
    static struct liar liar;
    char go[PATH_BYTES];
    const struct scenario *scenario = argc > 3 ? find(argv[3]) : NULL;
    if (scenario == NULL || argc - 4 > ARGS_MAX) {
        die("usage: liar DATA HOST:PORT SCENARIO [NAME=VALUE...]");
    }
    liar.data = argv[1];
    liar.address = argv[2];
    for (int i = 4; i < argc; i++) {
        liar.args[liar.arg_count++] = argv[i];
    }
    liar.fd = -1;
    liar.unit = arg(&liar, "unit");
    liar.origin = arg_id(&liar, "origin");
    liar.session = random_id();
    arena_init(&liar.arena, DECODE_ARENA_MAX_BYTES);
    link_identity(&liar);
    if (!scenario->bare) {
        ledger_honest(&liar);
    }
    (void)printf("{\"did\":\"honest\"}\n");
    (void)fflush(stdout);
    link_idle(&liar, go);
    draft_clear(&liar.draft);
    if (scenario->lie != NULL) {
        scenario->lie(&liar, &liar.draft);
    }
    link_close(&liar);
    return fflush(stdout) == 0 ? 0 : STATUS_FAILED;
}

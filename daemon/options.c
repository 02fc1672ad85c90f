#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/commands.h"

static enum err unknown(const char *given, size_t len, const struct command_option *options,
                        int count, struct errmsg *msg)
{
    char name[NEAREST_NAME_BYTES];
    char hint[ERRMSG_MAX_BYTES];
    struct nearest nearest;
    (void)snprintf(name, sizeof name, "%.*s", (int)(len < sizeof name ? len : sizeof name - 1),
                   given);
    nearest_init(&nearest, name);
    for (int i = 0; i < count; i++) {
        nearest_offer(&nearest, options[i].name);
    }
    nearest_format(&nearest, hint, sizeof hint);
    return err_fail(msg, ERR_USAGE, "there is no option --%s here%s; --help lists them", name,
                    hint);
}

enum err command_options(int argc, char **argv, struct command_option *options, int count,
                         const char **word, struct errmsg *msg)
{
    bool only_words = false;
    for (int at = 0; at < argc; at++) {
        if (!only_words && strcmp(argv[at], "--") == 0) {
            only_words = true;
            continue;
        }
        if (only_words || strncmp(argv[at], "--", 2) != 0) {
            if (word == NULL || *word != NULL) {
                return err_fail(msg, ERR_USAGE, "\"%.128s\" is one word too many", argv[at]);
            }
            *word = argv[at];
            continue;
        }
        const char *name = argv[at] + 2;
        size_t len = strcspn(name, "=");
        struct command_option *option = NULL;
        for (int i = 0; i < count; i++) {
            option = strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0
                         ? &options[i]
                         : option;
        }
        if (option == NULL) {
            return unknown(name, len, options, count, msg);
        }
        if (option->value != NULL) {
            return err_fail(msg, ERR_USAGE, "--%s is given twice", option->name);
        }
        option->value = name[len] == '=' ? name + len + 1 : at + 1 < argc ? argv[++at] : NULL;
        if (option->value == NULL) {
            return err_fail(msg, ERR_USAGE, "--%s wants a value", option->name);
        }
    }
    return ERR_OK;
}

int command_fail(enum err err, const struct errmsg *msg)
{
    (void)fprintf(stderr, "tallyd: %s\n", msg->text[0] == '\0' ? err_name(err) : msg->text);
    return err == ERR_USAGE                                                    ? STATUS_USAGE
           : err == ERR_UNREACHABLE || err == ERR_CLOSED || err == ERR_TIMEOUT ? STATUS_UNREACHABLE
                                                                               : STATUS_REFUSED;
}

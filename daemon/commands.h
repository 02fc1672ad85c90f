/* The commands of tallyd. Each gets the words after its name, prints its own complaint, and returns
 * an exit status. */
#ifndef TALLY_COMMANDS_H
#define TALLY_COMMANDS_H

#include "base/err.h"

enum exit_status {
    STATUS_DONE = 0,
    STATUS_NO = 1,
    STATUS_USAGE = 2,
    STATUS_UNREACHABLE = 3,
    STATUS_REFUSED = 4
};

int cmd_init(int argc, char **argv);
int cmd_join(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_restore(int argc, char **argv);

/* Prints "tallyd: sentence" to standard error and gives the exit status that belongs to the error.
 */
int command_fail(enum err err, const struct errmsg *msg);

/* One option of a command: --name VALUE. */
struct command_option {
    const char *name;
    const char *value; /* NULL until it is given */
};

/* Takes the options and at most one word. ERR_USAGE with the nearest name for an unknown option. */
enum err command_options(int argc, char **argv, struct command_option *options, int count,
                         const char **word, struct errmsg *msg) MUST_CHECK;

#endif

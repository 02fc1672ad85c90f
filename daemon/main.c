/* tallyd: the daemon. A table of its commands. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "daemon/commands.h"

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *help;
} COMMANDS[] = {
    {"init", cmd_init,
     "tallyd init --data DIR --unit CODE --name NAME --level LEVEL --listen ADDR:PORT [--catalog "
     "FILE]\n"
     "\n"
     "Makes the root node of a new tree: its keys, the tree's certificate authority, an empty "
     "database. Nothing is\n"
     "started. The address must be one at which the offices below reach this machine.\n"
     "\n"
     "Example:\n"
     "  tallyd init --data /var/lib/tally/42 --unit 42 --name \"Hà Tĩnh\" --level province \\\n"
     "      --listen 192.0.2.10:7800 --catalog catalog.yaml\n"},
    {"join", cmd_join,
     "tallyd join --data DIR [--listen ADDR:PORT] TOKEN\n"
     "\n"
     "Makes a node below another one with the token that `tally invite` printed there; that daemon "
     "must run and be\n"
     "reachable. \"-\" reads the token from standard input. Only a node that will have nodes below "
     "it needs --listen.\n"
     "\n"
     "In the directory of a node, with a token that `tally reissue UNIT` printed for its unit, the "
     "node gets a new identity\n"
     "and keeps all that it has recorded; it must not run meanwhile.\n"
     "\n"
     "Example:\n"
     "  tallyd join --data /var/lib/tally/436 --listen 192.0.2.36:7800 tally1-...\n"},
    {"run", cmd_run,
     "tallyd run --data DIR\n"
     "\n"
     "Runs a node in the foreground, as a service manager wants it. SIGTERM finishes what has "
     "begun and stops, SIGHUP reads\n"
     "tally.yaml again. The node's socket lies in DIR: `tally --data DIR status`.\n"
     "\n"
     "Example:\n"
     "  tallyd run --data /var/lib/tally/436\n"},
    {"restore", cmd_restore,
     "tallyd restore --data DIR FILE\n"
     "\n"
     "Makes the node again that `tally backup FILE` has copied, in a directory where none lives. "
     "What its office has\n"
     "recorded since, and the office above has, comes back by itself when it runs. The machine "
     "that "
     "had the node must not\n"
     "run any more.\n"
     "\n"
     "Example:\n"
     "  tallyd restore --data /var/lib/tally/436 436-2026-11-26.backup\n"},
};

enum { COMMAND_COUNT = sizeof COMMANDS / sizeof COMMANDS[0] };

static int print_help(void)
{
    (void)puts("tallyd: the daemon of Tally: exact totals over a tree of offices\n");
    for (int i = 0; i < COMMAND_COUNT; i++) {
        (void)printf("  %.*s\n", (int)strcspn(COMMANDS[i].help, "\n"), COMMANDS[i].help);
    }
    (void)puts("\n`tallyd COMMAND --help` explains one. `tally` is the client.\n"
               "Exit status: 0 done, 2 usage, 3 cannot reach the parent, 4 refused.");
    return STATUS_DONE;
}

static int fail_unknown(const char *name)
{
    char hint[ERRMSG_MAX_BYTES];
    struct nearest nearest;
    nearest_init(&nearest, name);
    for (int i = 0; i < COMMAND_COUNT; i++) {
        nearest_offer(&nearest, COMMANDS[i].name);
    }
    nearest_format(&nearest, hint, sizeof hint);
    (void)fprintf(stderr, "tallyd: there is no command \"%.64s\"%s; `tallyd --help` lists them\n",
                  name, hint);
    return STATUS_USAGE;
}

static bool asks_help(int argc, char **argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return true;
        }
    }
    return false;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        (void)fputs(
            "tallyd: say what to do: init, join, run or restore; `tallyd --help` explains\n",
            stderr);
        return STATUS_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        return print_help();
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)puts("tallyd " TALLY_VERSION);
        return STATUS_DONE;
    }
    for (int i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[1], COMMANDS[i].name) != 0) {
            continue;
        }
        if (asks_help(argc - 2, argv + 2)) {
            (void)fputs(COMMANDS[i].help, stdout);
            return STATUS_DONE;
        }
        return COMMANDS[i].run(argc - 2, argv + 2);
    }
    return fail_unknown(argv[1]);
}

/* What the commands of `tally` share: how one is described and found, how it asks the daemon, how
 * it fails. A command prints its result on standard output and at most one line for an error on
 * standard error; its exit status is the contract that scripts rely on. Single-threaded; one
 * command a process. */
#ifndef TALLY_CLIENT_CLIENT_H
#define TALLY_CLIENT_CLIENT_H

#include "client/connect.h"
#include "client/options.h"
#include "proto/message.h"

enum exit_status {
    STATUS_DONE = 0,
    STATUS_NO = 1,          /* the answer is "no"; a wait timed out */
    STATUS_USAGE = 2,       /* wrong without asking anybody */
    STATUS_UNREACHABLE = 3, /* no daemon, or it went away */
    STATUS_REFUSED = 4,     /* refused by the daemon, or by what a file says */
    STATUS_INTERRUPTED = 130,
};

struct client {
    const struct command *command;
    struct options options;
    struct connection *connection; /* NULL until the first request */
    uint64_t last_id;
    bool sent; /* the last request was sent, at least in part */
};

struct command {
    const char *name;    /* "record", "unit add" */
    const char *usage;   /* its words: "UNIT MEASURE VALUE" */
    const char *summary; /* one line for `tally help` */
    const char *about;   /* for --help: what it does, examples; ends with a line break */
    uint64_t options;    /* besides OPTIONS_COMMON */
    size_t words_min;
    size_t words_max;
    enum exit_status (*run)(struct client *client);
};

/* Finds the command that argv names, and runs it; the exit status of the process. */
enum exit_status client_main(int argc, char *const argv[], const struct command *commands,
                             size_t count);

/* Word `index` behind the command's name, or "". */
const char *client_word(const struct client *client, size_t index);

/* ---- asking the daemon ---- */

/* Called for every frame of a reply that is not an error; what it points to holds until it returns.
 * An error ends the request. */
struct asking {
    enum err (*on_reply)(void *context, const struct msg_reply *reply, struct errmsg *msg);
    void *context;
    int64_t timeout_ms; /* between two frames of the reply; 0: the usual */
};

/* Sends the request (connecting first when needed; the id is filled in) and hands over the reply.
 * The daemon's own error comes back as it is. ERR_UNREACHABLE, ERR_CLOSED when the connection is
 * lost, ERR_PROTOCOL when the reply is not one to this request. */
enum err client_ask(struct client *client, struct msg_request *request, const struct asking *asking,
                    struct errmsg *msg) MUST_CHECK;

/* ---- failing ---- */

enum exit_status client_status(enum err err);

/* One line on standard error, "tally: " and the sentence; returns the status. */
enum exit_status client_fail(enum exit_status status, const char *fmt, ...) PRINTF_LIKE(2, 3);
enum exit_status client_fail_err(enum err err, const struct errmsg *msg);

#endif

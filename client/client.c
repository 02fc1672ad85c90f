#include "client/client.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "client/language.h"

enum { LINE_BYTES = 1024 };

/* ---- failing ---- */

/* Exactly one line, whatever the sentence holds. */
static void print_line(const char *text)
{
    char line[LINE_BYTES];
    size_t len = 0;
    for (; text[len] != '\0' && len < sizeof line - 1; len++) {
        bool control = (unsigned char)text[len] < ' ' || text[len] == 0x7f;
        line[len] = control ? '?' : text[len];
    }
    line[len] = '\0';
    (void)fflush(stdout);
    (void)fprintf(stderr, "tally: %s\n", line);
}

enum exit_status client_fail(enum exit_status status, const char *fmt, ...)
{
    char text[LINE_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    print_line(text);
    return status;
}

enum exit_status client_status(enum err err)
{
    switch (err) {
    case ERR_OK:
        return STATUS_DONE;
    case ERR_USAGE:
        return STATUS_USAGE;
    case ERR_TIMEOUT:
        return STATUS_NO;
    case ERR_UNREACHABLE:
    case ERR_CLOSED:
        return STATUS_UNREACHABLE;
    case ERR_REFUSED:
    case ERR_NOT_FOUND:
    case ERR_EXISTS:
    case ERR_INVALID:
    case ERR_LIMIT:
    case ERR_DISK_FULL:
    case ERR_IO:
    case ERR_CORRUPT:
    case ERR_NEWER:
    case ERR_BUSY:
    case ERR_NO_MEMORY:
    case ERR_PROTOCOL:
    case ERR_AUTH:
    case ERR_OVERFLOW:
    case ERR_COUNT:
        return STATUS_REFUSED;
    }
    return STATUS_REFUSED;
}

enum exit_status client_fail_err(enum err err, const struct errmsg *msg)
{
    print_line(msg->text[0] == '\0' ? err_name(err) : msg->text);
    return client_status(err);
}

/* ---- asking ---- */

static enum err connect_first(struct client *client, struct errmsg *msg)
{
    const struct options *options = &client->options;
    struct endpoint endpoint = {
        .data = options_text(options, OPTION_DATA),
        .node = options_text(options, OPTION_NODE),
        .cert = options_text(options, OPTION_CERT),
        .cert_key = options_text(options, OPTION_CERT_KEY),
        .root = options_text(options, OPTION_ROOT),
    };
    static const enum option PLACES[] = {OPTION_DATA, OPTION_NODE};
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        if (options_has(options, PLACES[i]) && options_text(options, PLACES[i])[0] == '\0') {
            return err_fail(msg, ERR_USAGE, "--%s is empty (an unset variable?); name a node",
                            PLACES[i] == OPTION_DATA ? "data" : "node");
        }
    }
    bool files =
        endpoint.cert[0] != '\0' || endpoint.cert_key[0] != '\0' || endpoint.root[0] != '\0';
    if (files && endpoint.node[0] == '\0') {
        return err_fail(msg, ERR_USAGE, "--cert, --cert-key and --root are for --node");
    }
    return client->connection != NULL ? ERR_OK
                                      : connection_open(&endpoint, &client->connection, msg);
}

static enum err reply_check(const struct message *message, const struct msg_request *request,
                            struct errmsg *msg)
{
    const struct msg_reply *reply = &message->u.reply;
    if (message->type == MESSAGE_REFUSE) {
        return err_fail(msg, ERR_REFUSED, "the daemon refuses this client: %.500s",
                        message->u.refuse.text);
    }
    if (message->type != MESSAGE_REPLY || reply->id != request->id ||
        reply->type != request->type) {
        return err_fail(
            msg, ERR_PROTOCOL,
            "the daemon answered something else; is it of another version than this tally?");
    }
    if (reply->err == ERR_OK) {
        return ERR_OK;
    }
    return err_fail(msg, reply->err, "%s",
                    reply->text[0] == '\0' ? err_name(reply->err) : reply->text);
}

/* One frame of the reply; `*more` when another one follows. */
static enum err frame_take(struct client *client, const struct msg_request *request,
                           const struct asking *asking, bool *more, struct errmsg *msg)
{
    struct arena arena;
    struct message message;
    int64_t timeout_ms = asking->timeout_ms == 0 ? CONNECT_STALL_MS : asking->timeout_ms;
    arena_init(&arena, DECODE_ARENA_MAX_BYTES);
    enum err err = connection_receive(client->connection, timeout_ms, &arena, &message, msg);
    if (err == ERR_OK) {
        err = reply_check(&message, request, msg);
    }
    if (err == ERR_OK) {
        *more = message.u.reply.more;
        err = asking->on_reply(asking->context, &message.u.reply, msg);
    }
    arena_reset(&arena);
    return err;
}

/* The request could not be sent because the daemon closed: it may have said why before. */
static enum err last_word(struct client *client, const struct msg_request *request,
                          const struct asking *asking, struct errmsg *msg)
{
    struct errmsg said = {""};
    bool more = false;
    if (frame_take(client, request, asking, &more, &said) != ERR_REFUSED) {
        return ERR_CLOSED;
    }
    *msg = said;
    return ERR_REFUSED;
}

enum err client_ask(struct client *client, struct msg_request *request, const struct asking *asking,
                    struct errmsg *msg)
{
    client->sent = false;
    TRY(connect_first(client, msg));
    request->id = ++client->last_id;
    struct message message = {.type = MESSAGE_REQUEST, .u.request = *request};
    client->sent = true;
    enum err err = connection_send(client->connection, &message, msg);
    if (err != ERR_OK) {
        return err == ERR_CLOSED ? last_word(client, request, asking, msg) : err;
    }
    bool more = true;
    while (more) {
        TRY(frame_take(client, request, asking, &more, msg));
    }
    return ERR_OK;
}

/* ---- finding and running a command ---- */

const char *client_word(const struct client *client, size_t index)
{
    return index < client->options.word_count ? client->options.words[index] : "";
}

/* The words that `name` has in common with the first words given: 1 or 2, or 0 when it is another.
 */
static size_t name_matches(const char *name, const struct options *options)
{
    size_t used = 0;
    const char *rest = name;
    while (rest[0] != '\0') {
        size_t len = strcspn(rest, " ");
        if (used == options->word_count || strlen(options->words[used]) != len ||
            memcmp(options->words[used], rest, len) != 0) {
            return 0;
        }
        used++;
        rest += len;
        rest += rest[0] == ' ' ? 1 : 0;
    }
    return used;
}

static void words_drop(struct options *options, size_t count)
{
    options->word_count -= count;
    memmove(options->words, options->words + count, options->word_count * sizeof *options->words);
}

/* The first word may be that of a group ("unit"), whose second one is missing or mistyped. */
static enum exit_status fail_command(const struct options *options, const struct command *commands,
                                     size_t count)
{
    char typed[128];
    char hint[512];
    char of_group[256] = "";
    size_t group_len = strlen(options->words[0]);
    for (size_t i = 0; i < count; i++) {
        const char *name = commands[i].name;
        if (strncmp(name, options->words[0], group_len) == 0 && name[group_len] == ' ') {
            size_t used = strlen(of_group);
            (void)snprintf(of_group + used, sizeof of_group - used, "%stally %s",
                           used == 0 ? "" : ", ", name);
        }
    }
    bool two = of_group[0] != '\0' && options->word_count > 1;
    (void)snprintf(typed, sizeof typed, "%s%s%s", options->words[0], two ? " " : "",
                   two ? options->words[1] : "");
    struct nearest nearest;
    nearest_init(&nearest, typed);
    for (size_t i = 0; i < count; i++) {
        nearest_offer(&nearest, commands[i].name);
    }
    nearest_offer(&nearest, "help");
    nearest_format(&nearest, hint, sizeof hint);
    if (of_group[0] != '\0' && (!two || nearest.count == 0)) {
        return client_fail(STATUS_USAGE, "which one: %s?", of_group);
    }
    return client_fail(STATUS_USAGE, "unknown command \"%s\"%s", typed,
                       hint[0] == '\0' ? "; tally help lists them" : hint);
}

static const struct command *command_find(struct options *options, const struct command *commands,
                                          size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t used = name_matches(commands[i].name, options);
        if (used > 0) {
            words_drop(options, used);
            return &commands[i];
        }
    }
    return NULL;
}

static void print_overview(FILE *out, const struct command *commands, size_t count)
{
    (void)fprintf(out,
                  "Usage: tally COMMAND [WORDS] [OPTIONS]\n\n"
                  "Talks to a Tally node: records what is counted, shows rolled-up totals.\n\n");
    for (size_t i = 0; i < count; i++) {
        (void)fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].summary);
    }
    (void)fprintf(
        out, "\nWhich node: --data DIR (its data directory) or --node HOST:PORT (over TLS);\n"
             "else the socket " CONNECT_DEFAULT_SOCKET ". More: tally COMMAND --help\n\n"
             "Example: tally total -p 2023H1\n\n"
             "Exit status: 0 done, 1 the answer is no, 2 wrong usage, 3 no daemon, 4 refused\n");
}

static void print_help(const struct command *command)
{
    (void)printf("Usage: tally %s%s%s [OPTIONS]\n\n%s\nOptions:\n", command->name,
                 command->usage[0] == '\0' ? "" : " ", command->usage, command->about);
    options_print(command->options, stdout);
    (void)printf("\n");
    options_print(OPTIONS_COMMON, stdout);
}

/* The words of the usage from number `index` on. */
static const char *usage_from(const char *usage, size_t index)
{
    for (size_t i = 0; i < index && usage[0] != '\0'; i++) {
        usage += strcspn(usage, " ");
        usage += usage[0] == ' ' ? 1 : 0;
    }
    return usage;
}

static enum exit_status words_check(const struct client *client)
{
    const struct command *command = client->command;
    const char *space = command->usage[0] == '\0' ? "" : " ";
    size_t given = client->options.word_count;
    if (given < command->words_min) {
        const char *missing = usage_from(command->usage, given);
        return client_fail(STATUS_USAGE, "%.*s is missing; usage: tally %s %s",
                           (int)strcspn(missing, " "), missing, command->name, command->usage);
    }
    if (given > command->words_max) {
        return client_fail(
            STATUS_USAGE,
            "\"%s\" is a word too many (quote texts with spaces); usage: tally %s%s%s",
            client->options.words[command->words_max], command->name, space, command->usage);
    }
    for (size_t i = 0; i < given; i++) {
        if (client->options.words[i][0] == '\0') {
            const char *name = usage_from(command->usage, i);
            return client_fail(STATUS_USAGE,
                               "%.*s is empty (an unset variable?); usage: tally %s %s",
                               (int)strcspn(name, " "), name, command->name, command->usage);
        }
    }
    return STATUS_DONE;
}

/* What was printed must have arrived: on a full disk the answer is lost. */
static enum exit_status finish_output(enum exit_status status)
{
    bool failed = fflush(stdout) != 0 || ferror(stdout) != 0;
    if (failed && status == STATUS_DONE) {
        return client_fail(STATUS_REFUSED,
                           "cannot write the output: %s; what was asked is done all the same",
                           strerror(errno));
    }
    return status;
}

static enum exit_status run(struct client *client)
{
    struct errmsg msg = {""};
    const struct command *command = client->command;
    if (options_has(&client->options, OPTION_HELP)) {
        print_help(command);
        return STATUS_DONE;
    }
    enum err err =
        options_check(&client->options, OPTIONS_COMMON | command->options, command->name, &msg);
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    enum exit_status status = words_check(client);
    if (status == STATUS_DONE) {
        status = command->run(client);
    }
    connection_close(client->connection);
    return status;
}

/* `tally unit --help`: all commands whose names begin with that word. False when there is none. */
static bool print_group(const struct options *options, const struct command *commands, size_t count)
{
    size_t len = strlen(options->words[0]);
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        const char *name = commands[i].name;
        if (strncmp(name, options->words[0], len) == 0 && name[len] == ' ') {
            (void)fputs(any ? "\n" : "", stdout);
            print_help(&commands[i]);
            any = true;
        }
    }
    return any;
}

static enum exit_status dispatch(struct options *options, const struct command *commands,
                                 size_t count)
{
    if (options_has(options, OPTION_VERSION)) {
        (void)printf("tally %s\n", TALLY_VERSION);
        return STATUS_DONE;
    }
    bool help = options->word_count > 0 && strcmp(options->words[0], "help") == 0;
    if (help) {
        words_drop(options, 1);
        options->given |= OPTION_BIT(OPTION_HELP);
    }
    if (options->word_count == 0) {
        bool asked = options_has(options, OPTION_HELP);
        print_overview(asked ? stdout : stderr, commands, count);
        return asked ? STATUS_DONE : STATUS_USAGE;
    }
    const struct command *command = command_find(options, commands, count);
    if (command == NULL) {
        if (options_has(options, OPTION_HELP) && options->word_count == 1 &&
            print_group(options, commands, count)) {
            return STATUS_DONE;
        }
        return fail_command(options, commands, count);
    }
    struct client client = {.command = command, .options = *options};
    return run(&client);
}

/* Names are in any language, so the output is UTF-8 even where no locale is set. */
static void locale_set(void)
{
    (void)setlocale(LC_ALL, "");
    if (strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        (void)setlocale(LC_CTYPE, "C.UTF-8");
    }
    (void)setlocale(LC_NUMERIC, "C");
    language_init();
}

enum exit_status client_main(int argc, char *const argv[], const struct command *commands,
                             size_t count)
{
    struct options options;
    struct errmsg msg = {""};
    locale_set();
    enum err err = options_parse(argc, argv, &options, &msg);
    enum exit_status status =
        err == ERR_OK ? dispatch(&options, commands, count) : client_fail_err(err, &msg);
    return finish_output(status);
}

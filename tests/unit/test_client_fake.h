/* layer: client */
/* A daemon that says what a test tells it to, on a socket in a folder of its own, and the client as
 * another process whose output is kept. The client runs in a child, the daemon in the test, so that
 * the test can look at every request. */
#ifndef TALLY_TEST_CLIENT_FAKE_H
#define TALLY_TEST_CLIENT_FAKE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "client/commands.h"
#include "codec/codec.h"

enum { FAKE_ARGS_MAX = 24, FAKE_OUTPUT_BYTES = 256 * 1024, FAKE_WAIT_MS = 20000 };

/* Called for every request, `index` from 0; it answers with fake_reply, or not. */
struct fake {
    void (*on_request)(const struct msg_request *request, int index);
    char folder[32];
    int listener;
    int peer; /* the client's connection; -1: closed */
    pid_t client;
    struct codec *codec;
    struct frames *frames;
    int requests;
    int status; /* of the client */
    char out[FAKE_OUTPUT_BYTES];
    char err[FAKE_OUTPUT_BYTES];
};

static struct fake fake;

#define FAKE_ALL (~OPTIONS_COMMON & (OPTION_BIT(OPTION_COUNT) - 1))

static const struct command FAKE_COMMANDS[] = {
    {.name = "apply", .options = FAKE_ALL, .words_max = 9, .run = cmd_apply},
    {.name = "unit add", .options = FAKE_ALL, .words_max = 9, .run = cmd_unit_add, .usage = "CODE"},
    {.name = "unit import", .options = FAKE_ALL, .words_max = 9, .run = cmd_unit_import},
    {.name = "unit list", .options = FAKE_ALL, .words_max = 9, .run = cmd_unit_list},
    {.name = "invite", .options = FAKE_ALL, .words_max = 9, .run = cmd_invite},
    {.name = "record",
     .usage = "UNIT MEASURE VALUE",
     .about = "Records.\n",
     .options = FAKE_ALL,
     .words_min = 3,
     .words_max = 3,
     .run = cmd_record},
    {.name = "import", .options = FAKE_ALL, .words_max = 9, .run = cmd_import},
    {.name = "amend", .options = FAKE_ALL, .words_max = 9, .run = cmd_amend},
    {.name = "void", .options = FAKE_ALL, .words_max = 9, .run = cmd_void},
    {.name = "total", .options = FAKE_ALL, .words_max = 9, .run = cmd_total},
    {.name = "log", .options = FAKE_ALL, .words_max = 9, .run = cmd_log},
    {.name = "status", .options = 0, .words_max = 0, .run = cmd_status, .usage = ""},
    {.name = "tree", .options = FAKE_ALL, .words_max = 9, .run = cmd_tree},
    {.name = "verify", .options = FAKE_ALL, .words_max = 9, .run = cmd_verify},
};

/* ---- the folder and the socket ---- */

static inline const char *fake_path(const char *name)
{
    static char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", fake.folder, name);
    return path;
}

static inline int fake_set_up(void **state)
{
    (void)state;
    (void)snprintf(fake.folder, sizeof fake.folder, "/tmp/tally-client-XXXXXX");
    if (mkdtemp(fake.folder) == NULL) {
        return -1;
    }
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/tally.sock", fake.folder);
    fake.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    fake.peer = -1;
    return bind(fake.listener, (const struct sockaddr *)&address, sizeof address) == 0 &&
                   listen(fake.listener, 4) == 0
               ? 0
               : -1;
}

static inline int fake_tear_down(void **state)
{
    static const char *const NAMES[] = {"tally.sock", "out", "err", "file"};
    (void)state;
    (void)close(fake.listener);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        (void)unlink(fake_path(NAMES[i]));
    }
    return rmdir(fake.folder);
}

/* Writes the file "file" of the folder and returns its path. */
static inline const char *fake_file(const char *text)
{
    const char *path = fake_path("file");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    return path;
}

/* ---- the daemon ---- */

static inline void fake_reply(const struct msg_request *request, struct msg_reply reply)
{
    struct message message = {.type = MESSAGE_REPLY, .u.reply = reply};
    struct errmsg msg = {""};
    struct buf out;
    message.u.reply.id = request->id;
    message.u.reply.type = request->type;
    message.u.reply.text = reply.text == NULL ? "" : reply.text;
    buf_init(&out, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    enum err err = codec_encode(fake.codec, &message, &out, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    size_t done = 0;
    while (done < out.len) {
        ssize_t n = send(fake.peer, out.data + done, out.len - done, MSG_NOSIGNAL);
        assert_true(n > 0);
        done += (size_t)n;
    }
    buf_deinit(&out);
}

static inline void fake_refuse(const struct msg_request *request, enum err err, const char *text)
{
    fake_reply(request, (struct msg_reply){.err = err, .text = text});
}

/* Hangs up without an answer. */
static inline void fake_hang_up(void)
{
    (void)close(fake.peer);
    fake.peer = -1;
}

static inline void fake_serve_frames(void)
{
    struct bytes body;
    while (fake.peer >= 0 && frames_next(fake.frames, &body)) {
        struct arena arena;
        struct message message;
        struct errmsg msg = {""};
        arena_init(&arena, DECODE_ARENA_MAX_BYTES);
        enum err err = codec_decode(fake.codec, body, &arena, &message, &msg);
        assert_string_equal(msg.text, "");
        assert_int_equal(err, ERR_OK);
        assert_int_equal(message.type, MESSAGE_REQUEST);
        fake.on_request(&message.u.request, fake.requests++);
        arena_reset(&arena);
    }
}

static inline void fake_serve_peer(void)
{
    fake.codec = codec_new(false);
    fake.frames = frames_new();
    assert_non_null(fake.codec);
    assert_non_null(fake.frames);
    frames_set_limit(fake.frames, FRAME_MAX_BYTES);
    while (fake.peer >= 0) {
        static uint8_t chunk[64 * 1024];
        struct pollfd entry = {.fd = fake.peer, .events = POLLIN};
        assert_int_equal(poll(&entry, 1, FAKE_WAIT_MS), 1);
        ssize_t n = recv(fake.peer, chunk, sizeof chunk, 0);
        if (n <= 0) {
            fake_hang_up();
            break;
        }
        assert_int_equal(frames_push(fake.frames, chunk, (size_t)n, NULL), ERR_OK);
        fake_serve_frames();
    }
    codec_free(fake.codec);
    frames_free(fake.frames);
}

/* ---- the client ---- */

static inline void fake_slurp(const char *name, char out[FAKE_OUTPUT_BYTES])
{
    FILE *file = fopen(fake_path(name), "r");
    assert_non_null(file);
    size_t len = fread(out, 1, FAKE_OUTPUT_BYTES - 1, file);
    out[len] = '\0';
    (void)fclose(file);
}

static inline void fake_redirect(const char *name, int fd)
{
    int file = open(fake_path(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (file < 0 || dup2(file, fd) < 0) {
        _exit(99);
    }
    (void)close(file);
}

/* In the child: the command line is cut at spaces, "$FILE" and "$DIR" stand for the paths. */
static inline _Noreturn void fake_client(const char *line, bool with_data)
{
    static char copy[2048];
    static char file[128];
    char *argv[FAKE_ARGS_MAX] = {(char[]){"tally"}};
    int argc = 1;
    (void)snprintf(copy, sizeof copy, "%s", line);
    (void)snprintf(file, sizeof file, "%s", fake_path("file"));
    char *rest = copy;
    char *word;
    while ((word = strsep(&rest, " ")) != NULL && argc < FAKE_ARGS_MAX - 2) {
        argv[argc++] = strcmp(word, "$FILE") == 0 ? file : word;
    }
    if (with_data) {
        argv[argc++] = (char[]){"--data"};
        argv[argc++] = fake.folder;
    }
    fake_redirect("out", STDOUT_FILENO);
    fake_redirect("err", STDERR_FILENO);
    (void)close(fake.listener);
    enum exit_status status =
        client_main(argc, argv, FAKE_COMMANDS, sizeof FAKE_COMMANDS / sizeof *FAKE_COMMANDS);
    (void)fflush(stdout);
    _exit((int)status);
}

static inline void fake_wait(void)
{
    int status = 0;
    assert_int_equal(waitpid(fake.client, &status, 0), fake.client);
    fake.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fake_slurp("out", fake.out);
    fake_slurp("err", fake.err);
}

/* Runs the client; its requests go to `on_request` (NULL: it may not connect at all). */
static inline int fake_run(const char *line,
                           void (*on_request)(const struct msg_request *request, int index))
{
    fake.on_request = on_request;
    fake.requests = 0;
    (void)fflush(stdout);
    fake.client = fork();
    assert_true(fake.client >= 0);
    if (fake.client == 0) {
        fake_client(line, true);
    }
    if (on_request != NULL) {
        struct pollfd entry = {.fd = fake.listener, .events = POLLIN};
        assert_int_equal(poll(&entry, 1, FAKE_WAIT_MS), 1);
        fake.peer = accept(fake.listener, NULL, NULL);
        assert_true(fake.peer >= 0);
        fake_serve_peer();
    }
    fake_wait();
    return fake.status;
}

/* ---- what came out ---- */

/* The client ended with that status and this one line of complaint (a part of it). */
static inline void fake_failed(int status, const char *part)
{
    if (fake.status != status || strstr(fake.err, part) == NULL) {
        fail_msg("wanted %d and \"%s\", got %d and \"%s\"", status, part, fake.status, fake.err);
    }
    assert_true(strncmp(fake.err, "tally: ", 7) == 0);
    assert_ptr_equal(strchr(fake.err, '\n'), fake.err + strlen(fake.err) - 1);
}

/* The output as JSON; given back with json_decref. */
static inline json_t *fake_json(void)
{
    json_error_t error;
    json_t *json = json_loads(fake.out, JSON_DECODE_ANY, &error);
    if (json == NULL) {
        fail_msg("no JSON (%s): %s", error.text, fake.out);
    }
    return json;
}

static inline void fake_printed(const char *part)
{
    if (strstr(fake.out, part) == NULL) {
        fail_msg("wanted \"%s\" in \"%s\"", part, fake.out);
    }
}

#endif

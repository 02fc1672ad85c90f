/* tally bundle write: the parts of the answer go into a file that gets its name when all of it is
 * there. tally bundle read: the file goes out part by part, and the last answer says what came of
 * it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/commands.h"
#include "client/outfile.h"
#include "client/output.h"
#include "client/progress.h"

enum { PATIENCE_MS = 90000, SHOWN_BYTES = 8 << 20 };

/* ---- write ---- */

struct writing {
    struct outfile file;
    struct rep_bundle said;
    char unit[CODE_MAX_BYTES + 1];
};

static void keep(struct rep_bundle *said, char unit[CODE_MAX_BYTES + 1],
                 const struct rep_bundle *reply)
{
    *said = *reply;
    (void)snprintf(unit, CODE_MAX_BYTES + 1, "%s", reply->unit);
    said->unit = unit;
}

static enum err on_written(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct writing *writing = context;
    if (reply->more) {
        return outfile_write(&writing->file, reply->u.bundle.content, msg);
    }
    keep(&writing->said, writing->unit, &reply->u.bundle);
    return ERR_OK;
}

static enum err print_written(const struct client *client, const struct writing *writing,
                              struct errmsg *msg)
{
    const struct rep_bundle *said = &writing->said;
    bool feed = said->kind == BUNDLE_FEED;
    if (output_form(&client->options) == OUTPUT_JSON) {
        return output_json(
            json_pack("{s:s, s:I, s:s, s:s, s:I, s:I, s:I}", "file", writing->file.path, "bytes",
                      (json_int_t)writing->file.at, "kind", feed ? "feed" : "answer", "unit",
                      said->unit, "entries", (json_int_t)said->entries, "cells",
                      (json_int_t)said->cells, "brings_back", (json_int_t)said->lacks),
            msg);
    }
    if (feed) {
        (void)printf("%s: %" PRId64 " entries and %" PRId64 " figures of unit %s for the office "
                     "above it, which alone can read them there with: tally bundle read FILE\n",
                     writing->file.path, said->entries, said->cells, said->unit);
    } else {
        (void)printf("%s: the answer to unit %s", writing->file.path, said->unit);
        if (said->lacks > 0) {
            (void)printf(", with %" PRId64 " entries that its machine had lost", said->lacks);
        }
        (void)printf("; that machine alone can read it, with: tally bundle read FILE\n");
    }
    return ERR_OK;
}

enum exit_status cmd_bundle_write(struct client *client)
{
    struct errmsg msg = {""};
    struct writing writing = {.unit = ""};
    struct msg_request request = {
        .type = REQUEST_BUNDLE_WRITE,
        .u.bundle_write = {.unit = options_text(&client->options, OPTION_TO),
                           .whole = options_has(&client->options, OPTION_WHOLE)}};
    struct asking asking = {.on_reply = on_written, .context = &writing, .timeout_ms = PATIENCE_MS};
    if (options_has(&client->options, OPTION_TO) && request.u.bundle_write.unit[0] == '\0') {
        return client_fail(STATUS_USAGE, "--to names no unit");
    }
    enum err err = outfile_open(&writing.file, client_word(client, 0), "bundle", &msg);
    err = err == ERR_OK ? client_ask(client, &request, &asking, &msg) : err;
    err = err == ERR_OK ? outfile_name(&writing.file, &msg) : err;
    outfile_close(&writing.file);
    err = err == ERR_OK ? print_written(client, &writing, &msg) : err;
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

/* ---- read ---- */

struct reading {
    const char *path;
    int fd;
    int64_t size;
    uint8_t *part;
    bool done;
    struct rep_bundle said;
    char unit[CODE_MAX_BYTES + 1];
};

static enum err on_read(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct reading *reading = context;
    (void)msg;
    if (reply->u.bundle.kind != 0) {
        keep(&reading->said, reading->unit, &reply->u.bundle);
        reading->done = true;
    }
    return ERR_OK;
}

static enum err open_file(struct reading *reading, struct errmsg *msg)
{
    struct stat stat;
    reading->fd = open(reading->path, O_RDONLY | O_CLOEXEC);
    if (reading->fd < 0 || fstat(reading->fd, &stat) != 0) {
        return err_fail(msg, ERR_USAGE, "%.400s: %s", reading->path,
                        errno == ENOENT ? "there is no such file" : "it cannot be read");
    }
    if (!S_ISREG(stat.st_mode)) {
        return err_fail(msg, ERR_USAGE, "%.400s is no file", reading->path);
    }
    reading->size = stat.st_size;
    reading->part = malloc(BUNDLE_PART_BYTES);
    return reading->part == NULL ? err_fail(msg, ERR_NO_MEMORY, "no memory") : ERR_OK;
}

/* As much as there is, up to a whole part. */
static enum err fill(const struct reading *reading, size_t *len, struct errmsg *msg)
{
    *len = 0;
    for (;;) {
        ssize_t n = read(reading->fd, reading->part + *len, BUNDLE_PART_BYTES - *len);
        if (n < 0 && errno != EINTR) {
            return outfile_failed(reading->path, msg);
        }
        if (n == 0 || *len == BUNDLE_PART_BYTES) {
            return ERR_OK;
        }
        *len += n > 0 ? (size_t)n : 0;
    }
}

static enum err send_parts(struct client *client, struct reading *reading, struct errmsg *msg)
{
    struct msg_request request = {.type = REQUEST_BUNDLE_READ};
    struct req_bundle_read *read = &request.u.bundle_read;
    struct asking asking = {.on_reply = on_read, .context = reading, .timeout_ms = PATIENCE_MS};
    struct progress progress;
    enum err err = ERR_OK;
    progress_begin(&progress, "reading", reading->size, reading->size > SHOWN_BYTES);
    while (err == ERR_OK && !read->last) {
        size_t len;
        err = fill(reading, &len, msg);
        read->content = (struct bytes){reading->part, len};
        read->last = err == ERR_OK && len < BUNDLE_PART_BYTES;
        err = err == ERR_OK ? client_ask(client, &request, &asking, msg) : err;
        read->at += (int64_t)len;
        progress_show(&progress, read->at);
    }
    progress_end(&progress);
    return err == ERR_OK && !reading->done
               ? err_fail(msg, ERR_PROTOCOL, "the daemon did not say what came of the bundle")
               : err;
}

static const char *outcome_name(enum bundle_outcome outcome)
{
    static const char *const NAMES[] = {"none", "taken", "old", "behind", "gap"};
    return (unsigned)outcome <= BUNDLE_GAP ? NAMES[outcome] : "?";
}

static void print_feed(const struct rep_bundle *said, const char *written)
{
    (void)printf("bundle of unit %s, written %s: ", said->unit, written);
    switch (said->outcome) {
    case BUNDLE_TAKEN:
        (void)printf("%" PRId64 " new entries", said->entries);
        break;
    case BUNDLE_OLD:
        (void)printf("nothing in it that was not here");
        break;
    case BUNDLE_BEHIND:
        (void)printf("older than what is here, or of a machine that has lost entries or was turned "
                     "away; %" PRId64 " entries of it were not here and are kept for its unit",
                     said->entries);
        break;
    case BUNDLE_GAP:
        (void)printf("%" PRId64 " new entries, but it goes on from something that is not here; the "
                     "answer tells that office, and its next bundle fits",
                     said->entries);
        break;
    }
    if (said->refused > 0) {
        (void)printf("; %" PRId64 " rows were refused (tally status)", said->refused);
    }
    (void)printf(".\nFor the answer to it: tally bundle write FILE --to %s\n", said->unit);
}

static void print_answer(const struct rep_bundle *said, const char *written)
{
    (void)printf("answer of the office above, written %s: ", written);
    if (said->healed > 0) {
        (void)printf("%" PRId64
                     " entries that this machine had lost are back (tally log --healed); "
                     "write a new bundle now",
                     said->healed);
    } else if (said->outcome == BUNDLE_OLD) {
        (void)printf("it tells of less than was known: it is older, or that office was put back; "
                     "a new bundle has all that came since");
    } else {
        (void)printf(said->exact ? "all that was recorded here is there" : "taken");
    }
    (void)printf(".\n");
}

static enum err print_read(const struct client *client, const struct reading *reading,
                           struct errmsg *msg)
{
    const struct rep_bundle *said = &reading->said;
    char written[WALL_TEXT_BYTES];
    wall_format(said->written_at, written);
    if (output_form(&client->options) == OUTPUT_JSON) {
        return output_json(
            json_pack("{s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:b}", "file", reading->path,
                      "kind", said->kind == BUNDLE_FEED ? "feed" : "answer", "unit", said->unit,
                      "written_at", written, "outcome", outcome_name(said->outcome), "entries",
                      (json_int_t)said->entries, "cells", (json_int_t)said->cells, "refused",
                      (json_int_t)said->refused, "healed", (json_int_t)said->healed, "exact",
                      said->exact ? 1 : 0),
            msg);
    }
    if (said->kind == BUNDLE_FEED) {
        print_feed(said, written);
    } else {
        print_answer(said, written);
    }
    return ERR_OK;
}

enum exit_status cmd_bundle_read(struct client *client)
{
    struct errmsg msg = {""};
    struct reading reading = {.path = client_word(client, 0), .fd = -1};
    enum err err = open_file(&reading, &msg);
    err = err == ERR_OK ? send_parts(client, &reading, &msg) : err;
    err = err == ERR_OK ? print_read(client, &reading, &msg) : err;
    if (reading.fd >= 0) {
        (void)close(reading.fd);
    }
    free(reading.part);
    return err == ERR_OK ? STATUS_DONE : client_fail_err(err, &msg);
}

/* Happy path: read and check the file; a file of one request is sent once (the daemon takes all of
 * it or nothing). A longer one is sent twice: first only to be checked, then to be recorded, so
 * that a wrong row at its end is known before the first one is recorded. With --dry-run it is only
 * checked.
 *
 * Failures: anything wrong in the file or in the check pass: nothing is recorded (with --partial:
 * the good rows are). Interrupted, connection lost, disk full in the middle of a long file: what is
 * recorded stays; every row has a key (its own or one made from the file and the line), so that the
 * same command goes on where it stopped. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/commands.h"
#include "client/import_rows.h"
#include "client/interrupt.h"
#include "client/output.h"
#include "client/progress.h"
#include "client/refusals.h"
#include "client/wait.h"

struct import {
    struct client *client;
    bool partial;
    bool dry_run;
    bool json;
    const char *errors; /* a file for all refusals; "": none is wanted */
    struct wait_wish wish;
    struct import_rows rows;
    struct import_batch batch;
    struct import_survey survey;
    struct refusals refusals;
    struct progress progress;
    int64_t sent; /* rows of the requests that were answered in this pass */
    int64_t recorded;
    int64_t known;
    int64_t revision;
    bool recording; /* the pass that records has begun */
    bool untold;    /* of the last request not all refused rows were told */
    bool malformed; /* what lies behind the fault cannot be read, so nothing is sent */
};

/* ---- one request ---- */

static void take_refusals(struct import *import, const struct rep_recorded *recorded)
{
    for (size_t i = 0; i < recorded->refused_count; i++) {
        refusals_add(&import->refusals, recorded->refused[i].line, 0, recorded->refused[i].reason);
    }
    refusals_count(&import->refusals, recorded->refused_total - (int64_t)recorded->refused_count);
}

static enum err on_recorded(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    struct import *import = context;
    const struct rep_recorded *recorded = &reply->u.recorded;
    (void)msg;
    import->untold =
        import->errors[0] != '\0' && recorded->refused_total > (int64_t)recorded->refused_count;
    if (!import->untold) {
        take_refusals(import, recorded);
    }
    if (import->recording || import->dry_run) {
        import->recorded += recorded->recorded;
        import->known += recorded->known;
    }
    if (import->recording) {
        import->revision = recorded->revision;
    }
    return ERR_OK;
}

static enum err on_judged(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    (void)msg;
    take_refusals(context, &reply->u.recorded);
    return ERR_OK;
}

/* A reply tells only so many refused rows: their request is judged again in pieces. */
static enum err batch_judge(struct import *import, struct errmsg *msg)
{
    enum err err = ERR_OK;
    for (size_t at = 0; at < import->batch.count && err == ERR_OK; at += REFUSED_ROWS_MAX) {
        size_t rest = import->batch.count - at;
        struct msg_request request = {
            .type = REQUEST_RECORD,
            .u.record = {.rows = import->batch.rows + at,
                         .row_count = rest < REFUSED_ROWS_MAX ? rest : REFUSED_ROWS_MAX,
                         .check_only = true}};
        struct asking asking = {.on_reply = on_judged, .context = import};
        err = client_ask(import->client, &request, &asking, msg);
    }
    return err;
}

static enum err batch_send(struct import *import, struct errmsg *msg)
{
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = import->batch.rows,
                                               .row_count = import->batch.count,
                                               .check_only = !import->recording,
                                               .partial = import->partial}};
    struct asking asking = {.on_reply = on_recorded, .context = import};
    TRY(client_ask(import->client, &request, &asking, msg));
    return import->untold ? batch_judge(import, msg) : ERR_OK;
}

static enum err on_known(void *context, const struct msg_reply *reply, struct errmsg *msg)
{
    (void)context;
    (void)reply;
    (void)msg;
    return ERR_OK;
}

/* Whether there are measures of the names in the first line of the wide layout: asked once, so that
 * a misspelt one is not refused in every row. */
static enum err columns_check(struct import *import, struct errmsg *msg)
{
    static char cut[CSV_OTHERS_MAX][CODE_MAX_BYTES + 1];
    const char *codes[CSV_OTHERS_MAX];
    const struct csv *csv = &import->rows.csv;
    for (size_t i = 0; i < csv->other_count; i++) {
        (void)snprintf(cut[i], sizeof cut[i], "%.*s", (int)strcspn(csv->others[i], "["),
                       csv->others[i]);
        codes[i] = cut[i];
    }
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = "",
                                              .measures = codes,
                                              .measure_count = csv->other_count,
                                              .level = "",
                                              .tree_as_of = DAY_NONE}};
    struct asking asking = {.on_reply = on_known, .context = import};
    enum err err = client_ask(import->client, &request, &asking, msg);
    return err == ERR_REFUSED ? err_prefix(msg, err, "%s:1", import->rows.name) : err;
}

/* ---- a pass over the file ---- */

/* Stops early at a refusal while recording (unless partial), and when interrupted. */
static enum err pass(struct import *import, const char *what, struct errmsg *msg)
{
    bool stop = false;
    enum err err = ERR_OK;
    import->sent = 0;
    TRY(import_rows_rewind(&import->rows, msg));
    progress_begin(&import->progress, what, import->survey.rows, import->survey.requests > 1);
    do {
        err = import_batch_fill(&import->batch, &import->rows, NULL, msg);
        if (err == ERR_OK && import->batch.count > 0) {
            err = batch_send(import, msg);
        }
        if (err == ERR_OK) {
            import->sent += import->batch.passed;
            import->known += import->dry_run ? import->batch.repeated : 0;
            progress_show(&import->progress, import->sent);
        }
        stop = import->recording && !import->partial && import->refusals.total > 0;
    } while (err == ERR_OK && !stop && !interrupt_asked() && !import->batch.ended);
    progress_end(&import->progress);
    return err;
}

/* ---- what is said at the end ---- */

/* What giving the file once more would do to rows that have no key of their own. */
static void print_keyless(const struct import *import)
{
    if (import->survey.without_key == 0 || import->recorded == 0) {
        return;
    }
    (void)printf(
        "rows without a key: %" PRId64 "; %s\n", import->survey.without_key,
        import->rows.key_stem[0] == '\0'
            ? "the same file again would count them again"
            : "this very file again counts nothing twice, a changed one counts them again");
}

static void print_result(struct import *import)
{
    struct errmsg msg = {""};
    if (!import->json) {
        (void)printf("%" PRId64 " %s%s: %" PRId64 " %srecorded, %" PRId64 " known, %" PRId64
                     " refused\n",
                     import->survey.rows, import->rows.wide ? "value" : "row",
                     import->survey.rows == 1 ? "" : "s", import->recorded,
                     import->dry_run ? "to be " : "", import->known, import->refusals.total);
        if (!import->dry_run) {
            print_keyless(import);
        }
        return;
    }
    enum err err = output_json(
        json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:b}", "rows", (json_int_t)import->survey.rows,
                  "recorded", (json_int_t)import->recorded, "known", (json_int_t)import->known,
                  "refused", refusals_json(&import->refusals), "refused_total",
                  (json_int_t)import->refusals.total, "without_key",
                  (json_int_t)import->survey.without_key, "dry_run", import->dry_run ? 1 : 0),
        &msg);
    if (err != ERR_OK) {
        (void)client_fail_err(err, &msg);
    }
}

/* Rows are wrong: which, and what that means for the others. */
static enum exit_status finish_refused(struct import *import)
{
    print_result(import);
    char consequence[ERRMSG_MAX_BYTES] = "nothing is recorded; mend what is wrong, or take "
                                         "--partial for the other rows";
    if (import->malformed) {
        (void)snprintf(consequence, sizeof consequence, "nothing is recorded; mend the file");
    } else if (import->dry_run) {
        (void)snprintf(consequence, sizeof consequence, "nothing would be recorded%s",
                       import->partial ? " of these; the others would" : "; mend what is wrong");
    } else if (import->partial) {
        (void)snprintf(consequence, sizeof consequence,
                       "refused rows: %" PRId64 "; the others are recorded",
                       import->refusals.total);
    } else if (import->recorded + import->known > 0) {
        (void)snprintf(consequence, sizeof consequence,
                       "the rows before line %u are recorded; mend the refused ones and give only "
                       "the rows from line %u on",
                       import->batch.rows[0].line, import->batch.rows[0].line);
    }
    struct errmsg msg = {""};
    enum err err = import->errors[0] == '\0'
                       ? ERR_OK
                       : refusals_write(&import->refusals, import->errors, &msg);
    refusals_print(&import->refusals, import->rows.name, consequence);
    return err == ERR_OK ? STATUS_REFUSED : client_fail_err(err, &msg);
}

static enum exit_status finish_interrupted(struct import *import)
{
    if (!import->recording) {
        return client_fail(STATUS_INTERRUPTED, "interrupted; nothing is recorded");
    }
    print_result(import);
    return client_fail(STATUS_INTERRUPTED,
                       "interrupted; %" PRId64 " of %" PRId64
                       " rows are recorded, and the same command "
                       "goes on where it stopped",
                       import->recorded + import->known, import->survey.rows);
}

/* A request failed as a whole. */
static enum exit_status finish_failed(const struct import *import, enum err err,
                                      const struct errmsg *msg)
{
    if (!import->recording || (import->sent == 0 && err != ERR_CLOSED)) {
        const char *said = err == ERR_DISK_FULL ? "" : "; nothing is recorded";
        return client_fail(client_status(err), "%s%s", msg->text, said);
    }
    bool again = import->survey.without_key == 0 || import->rows.key_stem[0] != '\0';
    if (!again) {
        return client_fail(
            client_status(err),
            "%s; whether the rows are recorded is not known; look with tally log before "
            "you give the file again (rows with keys never count twice)",
            msg->text);
    }
    return client_fail(client_status(err),
                       "%s; at least %" PRId64 " of %" PRId64
                       " rows are recorded, and the same command "
                       "goes on where it stopped",
                       msg->text, import->recorded + import->known, import->survey.rows);
}

/* ---- all of it ---- */

/* What is wrong without asking anybody. */
static enum err prepare(struct import *import, struct errmsg *msg)
{
    const struct options *options = &import->client->options;
    import->partial = options_has(options, OPTION_PARTIAL);
    import->dry_run = options_has(options, OPTION_DRY_RUN);
    import->errors = options_text(options, OPTION_ERRORS);
    import->json = output_form(options) == OUTPUT_JSON;
    TRY(wait_options(options, &import->wish, msg));
    if (import->errors[0] != '\0' && access(import->errors, F_OK) == 0) {
        return err_fail(msg, ERR_EXISTS, "%s is there already; --errors makes a new file",
                        import->errors);
    }
    TRY(import_rows_open(&import->rows, client_word(import->client, 0), msg));
    TRY(import_rows_survey(&import->rows, &import->batch, &import->refusals, &import->survey, msg));
    if (!import->partial || import->dry_run) {
        TRY(import_rows_keys(&import->rows, &import->batch, &import->survey, import->dry_run,
                             &import->refusals, msg));
    }
    return import->survey.requests > 1 ? import_rows_derive_keys(&import->rows, msg) : ERR_OK;
}

static enum exit_status finish_dry_run(struct import *import)
{
    struct errmsg msg = {""};
    enum err err = pass(import, "checking", &msg);
    interrupt_release();
    if (err != ERR_OK) {
        return finish_failed(import, err, &msg);
    }
    if (import->sent < import->survey.rows) {
        return finish_interrupted(import);
    }
    if (import->refusals.total > 0) {
        import->recorded = import->partial ? import->recorded : 0;
        return finish_refused(import);
    }
    print_result(import);
    return STATUS_DONE;
}

/* Checks a long file and records; then the wait. */
static enum exit_status run(struct import *import)
{
    struct errmsg msg = {""};
    enum err err = import->rows.wide ? columns_check(import, &msg) : ERR_OK;
    if (err == ERR_OK && import->dry_run) {
        return finish_dry_run(import);
    }
    if (err == ERR_OK && import->survey.requests > 1 && !import->partial) {
        err = pass(import, "checking", &msg);
    }
    if (err == ERR_OK && import->refusals.total > 0 && !import->partial) {
        return finish_refused(import);
    }
    if (err == ERR_OK && !interrupt_asked()) {
        import->recording = true;
        err = pass(import, "recording", &msg);
    }
    interrupt_release();
    if (err != ERR_OK) {
        return finish_failed(import, err, &msg);
    }
    bool whole = import->recording && import->sent == import->survey.rows;
    if (!whole && interrupt_asked()) {
        return finish_interrupted(import);
    }
    if (import->refusals.total > 0) {
        enum exit_status refused = finish_refused(import);
        if (import->partial && import->recorded + import->known > 0) {
            (void)wait_until(import->client, &import->wish, import->revision, "the others are");
        }
        return refused; /* whatever the wait came to: some rows are not there */
    }
    print_result(import);
    return wait_until(import->client, &import->wish, import->revision, "the rows are");
}

static enum exit_status start(struct import *import)
{
    struct errmsg msg = {""};
    enum err err = prepare(import, &msg);
    import->malformed = err == ERR_INVALID && import->refusals.total > 0;
    if (import->malformed || (err == ERR_OK && import->refusals.total > 0 && !import->partial)) {
        return finish_refused(import);
    }
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    interrupt_hold();
    return run(import);
}

enum exit_status cmd_import(struct client *client)
{
    struct import *import = calloc(1, sizeof *import);
    if (import == NULL) {
        return client_fail(STATUS_REFUSED, "out of memory");
    }
    import->client = client;
    refusals_init(&import->refusals);
    import_batch_init(&import->batch);
    enum exit_status status = start(import);
    import_batch_deinit(&import->batch);
    refusals_deinit(&import->refusals);
    import_rows_close(&import->rows);
    free(import);
    return status;
}

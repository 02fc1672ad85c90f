#include "client/checks.h"
#include "client/commands.h"
#include "client/entries.h"
#include "client/wait.h"
#include "proto/decimal.h"

/* What is wrong without asking anybody. */
static enum err row_read(const struct client *client, struct record_row *out, struct errmsg *msg)
{
    const struct options *options = &client->options;
    struct record_row row = {
        .unit = client_word(client, 0),
        .measure = client_word(client, 1),
        .value = client_word(client, 2),
        .category = options_text(options, OPTION_CATEGORY),
        .key = options_text(options, OPTION_KEY),
        .note = options_text(options, OPTION_NOTE),
    };
    TRY(checks_code("unit", row.unit, msg));
    TRY(checks_code("measure", row.measure, msg));
    TRY(decimal_check(row.value, msg));
    TRY(checks_text("category", row.category, CATEGORY_MAX_BYTES, false, msg));
    TRY(checks_text("key", row.key, KEY_MAX_BYTES, false, msg));
    TRY(checks_text("note", row.note, NOTE_MAX_BYTES, true, msg));
    if (options_has(options, OPTION_KEY) && row.key[0] == '\0') {
        return err_fail(msg, ERR_USAGE, "--key is empty; give a key or leave it out");
    }
    if (options_has(options, OPTION_DATE) && options_text(options, OPTION_DATE)[0] == '\0') {
        return err_fail(msg, ERR_USAGE,
                        "--date is empty; give a date like 2023-06-18 or leave it out");
    }
    TRY(checks_day(options_text(options, OPTION_DATE), &row.day, msg));
    *out = row;
    return ERR_OK;
}

enum exit_status cmd_record(struct client *client)
{
    struct errmsg msg = {""};
    struct record_row row;
    struct wait_wish wish;
    int64_t revision = 0;
    enum err err = row_read(client, &row, &msg);
    if (err == ERR_OK) {
        err = wait_options(&client->options, &wish, &msg);
    }
    if (err != ERR_OK) {
        return client_fail_err(err, &msg);
    }
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    enum exit_status status = entries_make(client, &request, &revision);
    return status == STATUS_DONE ? wait_until(client, &wish, revision, "the entry is") : status;
}

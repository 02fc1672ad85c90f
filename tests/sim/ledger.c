/* The book of a host: the facts that are in its ledger for good, in the ledger's order; and the
 * comparison with what the node says is in it. */
#include <stdlib.h>

#include "offers.h"

struct book {
    struct fact *facts;
    size_t count;
    size_t cap;
};

size_t offers_fact_count(const struct host *host)
{
    return host->book == NULL ? 0 : host->book->count;
}

struct fact *offers_fact(const struct host *host, size_t place)
{
    return place < offers_fact_count(host) ? &host->book->facts[place] : NULL;
}

struct fact *book_add(struct host *host, const struct fact *fact)
{
    if (host->book == NULL) {
        host->book = calloc(1, sizeof *host->book);
    }
    struct book *book = host->book;
    if (book == NULL) {
        abort();
    }
    if (book->count == book->cap) {
        book->cap = book->cap == 0 ? 32 : book->cap * 2;
        book->facts = realloc(book->facts, book->cap * sizeof *book->facts);
        if (book->facts == NULL) {
            abort();
        }
    }
    book->facts[book->count] = *fact;
    if (fact->kind == MODEL_VOID) {
        book->facts[fact->refers].live = false;
    }
    struct model_entry entry = {.kind = fact->kind,
                                .origin = host->own,
                                .unit = model_unit(host->world->model, fact->unit),
                                .measure = fact->measure,
                                .category = fact->category,
                                .day = fact->day,
                                .value = fact->number,
                                .refers = fact->refers};
    if (!host->world->light) {
        (void)model_entry_add(host->world->model, &entry);
    }
    return &book->facts[book->count++];
}

void book_cut(struct host *host, size_t length)
{
    struct book *book = host->book;
    for (size_t i = length; book != NULL && i < book->count; i++) {
        if (book->facts[i].kind == MODEL_VOID && book->facts[i].refers < length) {
            book->facts[book->facts[i].refers].live = true;
        }
    }
    if (book != NULL && book->count > length) {
        book->count = length;
    }
}

void book_free(struct host *host)
{
    if (host->book != NULL) {
        free(host->book->facts);
        free(host->book);
    }
}

/* ---- the log ---- */

struct log_line {
    char entry[ENTRY_ID_MAX_BYTES];
    char refers[ENTRY_ID_MAX_BYTES];
    char unit[CODE_BYTES];
    char measure[CODE_BYTES];
    char category[40];
    char note[CODE_BYTES];
    char key[CODE_BYTES];
    int32_t day;
    int64_t value;
    enum entry_kind kind;
    bool live;
};

struct log_lines {
    struct log_line *lines;
    size_t count;
    size_t cap;
    char error[TEXT_BYTES];
};

static void keep_line(struct log_lines *log, const struct log_row *row)
{
    const struct entry *e = &row->entry;
    if (log->count == log->cap) {
        log->cap = log->cap == 0 ? 64 : log->cap * 2;
        log->lines = realloc(log->lines, log->cap * sizeof *log->lines);
        if (log->lines == NULL) {
            abort();
        }
    }
    struct log_line *line = &log->lines[log->count++];
    *line = (struct log_line){.day = e->day, .value = e->value, .kind = e->kind, .live = row->live};
    entry_id_format(&e->segment, e->seq, line->entry);
    if (e->refers_seq > 0) {
        entry_id_format(&e->refers_segment, e->refers_seq, line->refers);
    }
    (void)snprintf(line->unit, sizeof line->unit, "%s", e->unit);
    (void)snprintf(line->measure, sizeof line->measure, "%s", e->measure);
    (void)snprintf(line->category, sizeof line->category, "%s", e->category);
    (void)snprintf(line->note, sizeof line->note, "%s", e->note);
    (void)snprintf(line->key, sizeof line->key, "%s", e->key);
}

static bool see_log(void *ctx, const struct message *message)
{
    struct log_lines *log = ctx;
    const struct msg_reply *reply = &message->u.reply;
    if (reply->err != ERR_OK) {
        (void)snprintf(log->error, sizeof log->error, "%s", reply->text);
    }
    for (size_t i = 0; reply->err == ERR_OK && i < reply->u.log.row_count; i++) {
        if (reply->u.log.rows[i].entry.kind != ENTRY_ACT) {
            keep_line(log, &reply->u.log.rows[i]);
        }
    }
    return true;
}

/* ---- held against the book ---- */

static enum model_kind model_kind_of(enum entry_kind kind)
{
    return kind == ENTRY_AMEND ? MODEL_AMEND : kind == ENTRY_VOID ? MODEL_VOID : MODEL_RECORD;
}

static bool same(const struct host *host, const struct log_line *line, const struct fact *fact)
{
    const struct fact *record = fact->kind == MODEL_RECORD ? NULL : offers_fact(host, fact->refers);
    bool refers =
        record == NULL ? line->refers[0] == '\0' : strcmp(line->refers, record->entry) == 0;
    bool entry = fact->entry[0] == '\0' || strcmp(fact->entry, line->entry) == 0;
    return refers && entry && model_kind_of(line->kind) == fact->kind && line->day == fact->day &&
           line->value == fact->number && strcmp(line->unit, fact->unit) == 0 &&
           strcmp(line->measure, fact->measure) == 0 &&
           strcmp(line->category, fact->category) == 0 && strcmp(line->note, fact->note) == 0 &&
           strcmp(line->key, fact->key) == 0;
}

/* What of the book is in the ledger; the rest was lost. */
static size_t compare_known(struct world *world, struct host *host, const struct log_lines *log)
{
    size_t facts = offers_fact_count(host);
    for (size_t i = 0; i < facts && i < log->count; i++) {
        struct fact *fact = offers_fact(host, i);
        if (!same(host, &log->lines[i], fact) && host->doubtful && host->may_lose) {
            return i; /* a torn file: from here on it holds something else */
        }
        if (!same(host, &log->lines[i], fact)) {
            world_violate(world, "durable",
                          "entry %zu of %s is %s %s %s %lld, and was confirmed as %s %s %lld",
                          i + 1, host->code, log->lines[i].entry, log->lines[i].note,
                          log->lines[i].measure, (long long)log->lines[i].value, fact->note,
                          fact->measure, (long long)fact->number);
            return i;
        }
        (void)snprintf(fact->entry, sizeof fact->entry, "%s", log->lines[i].entry);
    }
    return log->count < facts ? log->count : facts;
}

static void lost_tail(struct world *world, struct host *host, size_t left)
{
    if (!host->loses && !(host->doubtful && host->may_lose)) {
        world_violate(world, "durable", "%s has %zu of %zu confirmed entries after a start",
                      host->code, left, offers_fact_count(host));
        return;
    }
    world_trace(world, "%s has %zu of %zu entries", host->code, left, offers_fact_count(host));
    book_cut(host, left);
    host->own = model_origin_branch(world->model, host->own, left);
}

/* The fact that an unsure offer would have made of its row. */
static struct fact fact_of(const struct offer *offer, size_t row_at, const struct log_line *line)
{
    const struct offer_row *row = &offer->rows[row_at];
    struct fact fact = {.day = row->day == DAY_NONE ? offer->today : row->day,
                        .number = row->number,
                        .kind = MODEL_RECORD,
                        .live = true,
                        .at_us = offer->host->world->now_us};
    if (offer->kind == OFFER_CORRECT) {
        fact.kind = offer->is_void ? MODEL_VOID : MODEL_AMEND;
        fact.number = offer->is_void ? 0 : row->number;
        fact.refers = offer->refers;
    }
    (void)snprintf(fact.unit, sizeof fact.unit, "%s", row->unit);
    (void)snprintf(fact.measure, sizeof fact.measure, "%s", row->measure);
    (void)snprintf(fact.category, sizeof fact.category, "%s", row->category);
    (void)snprintf(fact.note, sizeof fact.note, "%s", row->note);
    (void)snprintf(fact.key, sizeof fact.key, "%s", row->key);
    (void)snprintf(fact.entry, sizeof fact.entry, "%s", line->entry);
    return fact;
}

static struct offer *unsure_with(const struct world *world, const struct host *host,
                                 const char *note)
{
    size_t at = 0;
    struct offer *offer = offers_unsure(world, host, &at);
    while (offer != NULL && strcmp(offer->rows[0].note, note) != 0) {
        offer = offers_unsure(world, host, &at);
    }
    return offer;
}

/* What is in the ledger and was never confirmed must be unsure offers, each whole. */
static void take_unsure(struct world *world, struct host *host, const struct log_lines *log,
                        size_t from)
{
    size_t at = from;
    uint64_t batch = 0;
    while (at < log->count && !world->violated) {
        struct offer *offer = unsure_with(world, host, log->lines[at].note);
        if (offer == NULL || at + offer->row_count > log->count) {
            world_violate(world, "durable", "%s has an entry %s (%s %lld) that nobody offered",
                          host->code, log->lines[at].entry, log->lines[at].measure,
                          (long long)log->lines[at].value);
            return;
        }
        for (size_t i = 0; i < offer->row_count; i++, at++) {
            struct fact fact = fact_of(offer, i, &log->lines[at]);
            if (!same(host, &log->lines[at], &fact)) {
                world_violate(world, "durable", "entry %s of %s is not what was offered",
                              log->lines[at].entry, host->code);
                return;
            }
            (void)book_add(host, &fact);
        }
        offer->state = OFFER_YES;
        batch = offer->batch;
    }
    /* All of a batch or nothing of it. */
    size_t next = 0;
    for (const struct offer *offer = offers_unsure(world, host, &next); offer != NULL && batch != 0;
         offer = offers_unsure(world, host, &next)) {
        if (offer->batch == batch && offer->must && !offer->known) {
            world_violate(world, "durable", "%s has a part of a batch: %s is not there", host->code,
                          offer->rows[0].note);
            return;
        }
    }
}

/* What is voided in the book is so in the ledger, and nothing else. */
static void compare_live(struct world *world, struct host *host, const struct log_lines *log)
{
    /* Lines beyond the book, of which take_unsure could only doubt whether they are named. */
    size_t lines = log->count < offers_fact_count(host) ? log->count : offers_fact_count(host);
    for (size_t i = 0; i < lines && !world->violated; i++) {
        const struct fact *fact = offers_fact(host, i);
        if (fact->kind == MODEL_RECORD && fact->live != log->lines[i].live) {
            world_violate(world, "durable", "entry %s of %s is%s live", log->lines[i].entry,
                          host->code, log->lines[i].live ? "" : " not");
        }
    }
}

static void compare_ledger(struct world *world, struct host *host, const struct log_lines *log)
{
    size_t left = compare_known(world, host, log);
    if (!world->violated && left < offers_fact_count(host)) {
        lost_tail(world, host, left);
    }
    if (!world->violated) {
        take_unsure(world, host, log, left);
    }
    if (!world->violated) {
        compare_live(world, host, log);
    }
}

void offers_compare_ledger(struct world *world, struct host *host)
{
    struct log_lines log = {.count = 0};
    struct msg_request request = {.type = REQUEST_LOG, .u.log = {.unit = "", .key = ""}};
    struct doubt doubt = world->doubt;
    /* Bits were flipped: what is wrong must be known in the end. */
    bool later =
        !host->may_lose && (host->spoiled ? !world->ending : host->doubtful && !world->healing);
    enum err err = host_query(world, host, &request, see_log, &log);
    if (err != ERR_OK || log.error[0] != '\0') {
        if (!host->doubtful && !host->may_lose) {
            world_violate(world, "opens", "the ledger of %s cannot be read: %s %s", host->code,
                          err_name(err), log.error);
        }
    } else {
        compare_ledger(world, host, &log);
    }
    if (later && (world->violated || world->doubt.is != doubt.is)) {
        world->violated = false;
        world->doubt = doubt;
        world_trace(world, "which is left for later");
    }
    free(log.lines);
}

bool offers_has_key(const struct host *host, const char *key)
{
    for (size_t i = 0; i < offers_fact_count(host); i++) {
        if (strcmp(host->book->facts[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

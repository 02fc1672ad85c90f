/* A ledger, its cells and its feed, as an honest child has them. */
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "liar.h"

enum { YEAR = 2023, MONTHS = 12, SCRATCH_MAX_BYTES = 1 << 16 };

/* 2023-07-01: a recording time, which proves nothing. */
static const struct wall RECORDED = {INT64_C(1688169600000)};

void draft_clear(struct draft *d)
{
    memset(d, 0, sizeof *d);
    d->batch.entries = d->entries;
    d->batch.cells = d->cells;
    d->batch.units = d->units;
    d->batch.hostings = d->hostings;
    d->batch.statuses = d->statuses;
    d->batch.openings = d->openings;
    d->batch.signed_heads = d->signed_heads;
    d->batch.heads = d->heads;
    d->batch.digests = d->digests;
    for (size_t i = 0; i < ROWS_MAX; i++) {
        d->heads[i].heads = &d->one_head[i];
        d->heads[i].head_count = 1;
        d->units[i].edges = &d->edges[i];
        d->units[i].edge_count = 1;
    }
}

static size_t room(size_t *count)
{
    if (*count == ROWS_MAX) {
        die("a draft has no room");
    }
    return (*count)++;
}

void ledger_begin(struct liar *liar, struct draft *d)
{
    struct buf scratch;
    buf_init(&scratch, SCRATCH_MAX_BYTES);
    liar->opening = (struct opening){.origin = liar->origin, .segment = random_id()};
    liar->head = (struct head){.segment = liar->opening.segment,
                               .hash = opening_hash(&liar->opening, &scratch)};
    liar->hashes[0] = liar->head.hash;
    buf_deinit(&scratch);
    d->openings[room(&d->batch.opening_count)] = liar->opening;
}

struct entry *draft_entry(struct liar *liar, struct draft *d, int month, int64_t value)
{
    struct buf scratch;
    struct entry *entry = &d->entries[room(&d->batch.entry_count)];
    buf_init(&scratch, SCRATCH_MAX_BYTES);
    *entry = (struct entry){.segment = liar->head.segment,
                            .seq = liar->head.length + 1,
                            .kind = ENTRY_RECORD,
                            .unit = liar->unit,
                            .measure = arg(liar, "measure"),
                            .category = "",
                            .day = day_from_civil(YEAR, month, 1),
                            .value = value,
                            .key = "",
                            .note = "",
                            .author = "liar",
                            .recorded_at = RECORDED};
    liar->head.hash = entry_hash(&liar->head.hash, entry, &scratch);
    liar->head.length++;
    if (liar->head.length == ROWS_MAX) {
        die("the ledger has no room");
    }
    liar->hashes[liar->head.length] = liar->head.hash;
    liar->entries[liar->head.length] = *entry;
    buf_deinit(&scratch);
    return entry;
}

struct cell *draft_cell(struct liar *liar, struct draft *d, int month, int64_t value, int64_t count)
{
    struct cell *cell = &d->cells[room(&d->batch.cell_count)];
    *cell = (struct cell){.origin = liar->origin,
                          .unit = liar->unit,
                          .measure = arg(liar, "measure"),
                          .category = "",
                          .period = YEAR * MONTHS + month - 1,
                          .value = value,
                          .count = count,
                          .live = count};
    return cell;
}

struct head *draft_heads(struct liar *liar, struct draft *d)
{
    size_t i = room(&d->batch.heads_count);
    d->heads[i].origin = liar->origin;
    d->one_head[i] = liar->head;
    return &d->one_head[i];
}

struct signed_heads *draft_signed(struct liar *liar, struct draft *d)
{
    size_t i = room(&d->batch.signed_heads_count);
    struct signed_heads *heads = &d->signed_heads[i];
    *heads = (struct signed_heads){.heads = {liar->origin, &liar->head, 1}, .at = RECORDED};
    link_sign(liar, heads);
    return heads;
}

struct unit_row *draft_unit(struct liar *liar, struct draft *d, const char *code,
                            const char *parent, int64_t count)
{
    size_t i = room(&d->batch.unit_count);
    d->edges[i] = (struct unit_edge){.parent = parent, .from = DAY_NONE, .to = DAY_NONE};
    d->units[i].code = code;
    d->units[i].name = "A lie";
    d->units[i].level = "commune";
    d->units[i].decider = liar->origin;
    d->units[i].count = count;
    return &d->units[i];
}

struct hosting_row *draft_hosting(struct liar *liar, struct draft *d, const char *unit)
{
    size_t i = room(&d->batch.hosting_count);
    d->hostings[i] = (struct hosting_row){.unit = unit,
                                          .node = random_id(),
                                          .origin = random_id(),
                                          .key = liar->public_key,
                                          .number = 9,
                                          .decider = liar->origin,
                                          .count = 9};
    return &d->hostings[i];
}

void ledger_told(struct liar *liar, const struct cell *cell)
{
    size_t i = 0;
    while (i < liar->told_count && liar->told[i].period != cell->period) {
        i++;
    }
    if (i == TOLD_MAX) {
        die("too many cells told");
    }
    liar->told[i] = *cell;
    liar->told_count += i == liar->told_count ? 1 : 0;
}

struct digest *draft_mark(struct liar *liar, struct draft *d)
{
    struct digest *digest = &d->digests[room(&d->batch.digest_count)];
    struct buf scratch;
    buf_init(&scratch, SCRATCH_MAX_BYTES);
    digest->origin = liar->origin;
    for (size_t i = 0; i < liar->told_count; i++) {
        buf_clear(&scratch);
        struct id hash = cell_hash(&liar->told[i], &scratch);
        id_sum_add(&digest->sum, &hash);
        digest->count += liar->told[i].count;
    }
    d->batch.mark = true;
    d->batch.marked_at = RECORDED;
    buf_deinit(&scratch);
    return digest;
}

enum heard batch_say(struct liar *liar, struct draft *d)
{
    struct message message = {.type = MESSAGE_BATCH};
    d->batch.upto = (struct feed_mark){liar->session, ++liar->revision};
    message.u.batch = d->batch;
    message.u.batch.number = ++liar->batches;
    (void)link_say(liar, &message);
    return link_hear(liar);
}

void ledger_honest(struct liar *liar)
{
    struct draft *d = &liar->draft;
    if (link_hello(liar) != HEARD_WELCOME) {
        die("an honest child was not welcome");
    }
    draft_clear(d);
    ledger_begin(liar, d);
    (void)draft_entry(liar, d, 1, 600);
    (void)draft_entry(liar, d, 1, 400);
    (void)draft_entry(liar, d, 2, 2000);
    (void)draft_entry(liar, d, 3, 3000);
    ledger_told(liar, draft_cell(liar, d, 1, 1000, 2));
    ledger_told(liar, draft_cell(liar, d, 2, 2000, 1));
    ledger_told(liar, draft_cell(liar, d, 3, 3000, 1));
    (void)draft_signed(liar, d);
    (void)draft_heads(liar, d);
    (void)draft_mark(liar, d);
    if (batch_say(liar, d) != HEARD_ACK) {
        die("an honest batch was not acknowledged");
    }
}

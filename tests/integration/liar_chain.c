/* Lies about the ledger: heads, chains, entries, signatures. */
#include <stdlib.h>

#include "base/sha256.h"
#include "liar.h"

enum { FREE_MONTH = 5, MANY_SEGMENTS = 500 };

/* ---- heads ---- */

static void heads_longer(struct liar *liar, struct draft *d)
{
    draft_heads(liar, d)->length = 1000;
    (void)draft_cell(liar, d, FREE_MONTH, 77, 500);
    (void)batch_say(liar, d);
}

static void heads_other_hash(struct liar *liar, struct draft *d)
{
    draft_heads(liar, d)->hash = (struct hash){{7}};
    (void)draft_cell(liar, d, FREE_MONTH, 77, 1);
    (void)batch_say(liar, d);
}

static void heads_shorter(struct liar *liar, struct draft *d)
{
    *draft_heads(liar, d) = (struct head){liar->head.segment, 2, liar->hashes[2]};
    (void)draft_cell(liar, d, FREE_MONTH, 77, 1);
    (void)batch_say(liar, d);
}

/* Cells without a word about the ledger. */
static void heads_none(struct liar *liar, struct draft *d)
{
    (void)draft_cell(liar, d, FREE_MONTH, 77, 1);
    (void)batch_say(liar, d);
}

/* ---- segments ---- */

/* A second segment that says the first one was a thousand entries long. */
static void opening_far(struct liar *liar, struct draft *d)
{
    struct head first = {liar->head.segment, 1000, {{9}}};
    d->openings[0] = (struct opening){liar->origin, random_id(), &first, 1};
    d->batch.opening_count = 1;
    struct buf scratch;
    buf_init(&scratch, 1 << 16);
    *draft_heads(liar, d) =
        (struct head){d->openings[0].segment, 0, opening_hash(&d->openings[0], &scratch)};
    buf_deinit(&scratch);
    (void)draft_cell(liar, d, FREE_MONTH, 77, 500);
    (void)batch_say(liar, d);
}

/* The own segment, once more, as somebody else's; and one that begins with itself. */
static void opening_taken(struct liar *liar, struct draft *d)
{
    struct head self = {random_id(), 3, {{9}}};
    d->openings[0] = (struct opening){random_id(), liar->head.segment, NULL, 0};
    d->openings[1] = (struct opening){liar->origin, self.segment, &self, 1};
    d->openings[2] = (struct opening){arg_id(liar, "sibling_origin"), random_id(), NULL, 0};
    d->batch.opening_count = 3;
    (void)batch_say(liar, d);
}

/* Thousands of origins that nobody heard of, each with a segment, heads and a cell. */
static void many_origins(struct liar *liar, struct draft *d)
{
    struct opening *openings = calloc(MANY_SEGMENTS, sizeof *openings);
    struct origin_heads *heads = calloc(MANY_SEGMENTS, sizeof *heads);
    struct head *head = calloc(MANY_SEGMENTS, sizeof *head);
    struct cell *cells = calloc(MANY_SEGMENTS, sizeof *cells);
    if (openings == NULL || heads == NULL || head == NULL || cells == NULL) {
        die("no memory");
    }
    struct cell sample = *draft_cell(liar, d, FREE_MONTH, 77, 1);
    d->batch.openings = openings;
    d->batch.opening_count = MANY_SEGMENTS;
    d->batch.heads = heads;
    d->batch.heads_count = MANY_SEGMENTS;
    d->batch.cells = cells;
    d->batch.cell_count = MANY_SEGMENTS;
    for (int round = 0; round < 8; round++) {
        for (size_t i = 0; i < MANY_SEGMENTS; i++) {
            openings[i] = (struct opening){.origin = random_id(), .segment = random_id()};
            head[i] = (struct head){openings[i].segment, 1, {{1}}};
            heads[i] = (struct origin_heads){openings[i].origin, &head[i], 1};
            cells[i] = sample;
            cells[i].origin = openings[i].origin;
        }
        if (batch_say(liar, d) != HEARD_ACK) {
            break;
        }
    }
    free(openings);
    free(heads);
    free(head);
    free(cells);
}

/* ---- entries ---- */

static void entry_gap(struct liar *liar, struct draft *d)
{
    draft_entry(liar, d, FREE_MONTH, 77)->seq += 1;
    (void)batch_say(liar, d);
}

/* Good entries, then a gap, in one batch; then the ledger goes on as if nothing had been. */
static void entry_gap_later(struct liar *liar, struct draft *d)
{
    struct head before = liar->head;
    (void)draft_entry(liar, d, FREE_MONTH, 70);
    (void)draft_entry(liar, d, FREE_MONTH, 7);
    draft_entry(liar, d, FREE_MONTH, 77)->seq += 5;
    (void)batch_say(liar, d);
    link_close(liar);
    /* What of that batch came into escrow is the parent's to say: a hello with both lengths. */
    liar->head.length = before.length + 2;
    liar->head.hash = liar->hashes[liar->head.length];
    if (link_hello(liar) != HEARD_WELCOME) {
        return;
    }
    draft_clear(d);
    d->entries[0] = liar->entries[before.length + 1];
    d->entries[1] = liar->entries[before.length + 2];
    d->batch.entry_count = 2;
    (void)draft_entry(liar, d, FREE_MONTH, 77);
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void entry_no_segment(struct liar *liar, struct draft *d)
{
    draft_entry(liar, d, FREE_MONTH, 77)->segment = random_id();
    (void)batch_say(liar, d);
}

/* An entry whose value no daemon records. */
static void entry_value(struct liar *liar, struct draft *d)
{
    (void)draft_entry(liar, d, FREE_MONTH, VALUE_MAX + 1);
    (void)batch_say(liar, d);
}

/* The past, told otherwise: entries from the third on with other values, and the heads and cells
 * that follow from them. */
static void entries_rewritten(struct liar *liar, struct draft *d)
{
    liar->head.length = 2;
    liar->head.hash = liar->hashes[2];
    (void)draft_entry(liar, d, 2, 22);
    (void)draft_entry(liar, d, 3, 33);
    (void)draft_heads(liar, d);
    (void)draft_cell(liar, d, 2, 22, 1);
    (void)draft_cell(liar, d, FREE_MONTH, 77, 1);
    (void)batch_say(liar, d);
}

/* A ledger that goes on from another past: entries that continue the escrow by number, not by hash.
 */
static void entries_forked(struct liar *liar, struct draft *d)
{
    liar->head.hash = (struct hash){{3}};
    (void)draft_entry(liar, d, FREE_MONTH, 77);
    (void)draft_heads(liar, d);
    (void)draft_cell(liar, d, FREE_MONTH, 77, 1);
    (void)batch_say(liar, d);
}

/* All of the honest part again, twice. */
static void replayed(struct liar *liar, struct draft *d)
{
    d->openings[0] = liar->opening;
    d->batch.opening_count = 1;
    for (size_t i = 0; i < liar->head.length; i++) {
        d->entries[d->batch.entry_count++] = liar->entries[i + 1];
    }
    for (size_t i = 0; i < liar->told_count; i++) {
        d->cells[d->batch.cell_count++] = liar->told[i];
    }
    (void)draft_signed(liar, d);
    (void)draft_heads(liar, d);
    (void)draft_mark(liar, d);
    (void)batch_say(liar, d);
    liar->revision--;
    (void)batch_say(liar, d);
}

/* ---- signatures ---- */

static void signature_bad(struct liar *liar, struct draft *d)
{
    draft_signed(liar, d)->signature.b[5] ^= 1;
    (void)batch_say(liar, d);
}

static void signature_other_key(struct liar *liar, struct draft *d)
{
    draft_signed(liar, d)->key = (struct hash){{4}};
    (void)batch_say(liar, d);
}

/* More heads than any ledger has at its end, well signed. */
static void signature_long(struct liar *liar, struct draft *d)
{
    struct head *heads = calloc(HEADS_MAX, sizeof *heads);
    if (heads == NULL) {
        die("no memory");
    }
    for (size_t i = 0; i < HEADS_MAX; i++) {
        heads[i] = (struct head){random_id(), 1, {{1}}};
    }
    struct signed_heads *said = draft_signed(liar, d);
    said->heads = (struct origin_heads){liar->origin, heads, HEADS_MAX};
    link_sign(liar, said);
    (void)batch_say(liar, d);
    free(heads);
}

const struct scenario LIES_LEDGER[] = {{"heads_longer", heads_longer, false},
                                       {"heads_other_hash", heads_other_hash, false},
                                       {"heads_shorter", heads_shorter, false},
                                       {"heads_none", heads_none, false},
                                       {"opening_far", opening_far, false},
                                       {"opening_taken", opening_taken, false},
                                       {"many_origins", many_origins, false},
                                       {"entry_gap", entry_gap, false},
                                       {"entry_gap_later", entry_gap_later, false},
                                       {"entry_no_segment", entry_no_segment, false},
                                       {"entry_value", entry_value, false},
                                       {"entries_rewritten", entries_rewritten, false},
                                       {"entries_forked", entries_forked, false},
                                       {"replayed", replayed, false},
                                       {"signature_bad", signature_bad, false},
                                       {"signature_other_key", signature_other_key, false},
                                       {"signature_long", signature_long, false},
                                       {NULL, NULL, false}};

/* Lies in cells: whose, of what, how many. */
#include "base/sha256.h"
#include "liar.h"

enum { FREE_MONTH = 4 }; /* the honest part leaves it alone */

/* A new entry and the cell that counts it: all of it would be accepted, were it not for what the
 * scenario changes in the cell. */
static struct cell *one_more(struct liar *liar, struct draft *d)
{
    (void)draft_entry(liar, d, FREE_MONTH, 77);
    return draft_cell(liar, d, FREE_MONTH, 77, 1);
}

/* ---- of others ---- */

static void sibling_unit(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->unit = arg(liar, "sibling");
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void unit_above(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->unit = arg(liar, "above");
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* The sibling's origin, for the own unit and for the sibling's, and what it says its heads are. */
static void sibling_origin(struct liar *liar, struct draft *d)
{
    struct id origin = arg_id(liar, "sibling_origin");
    one_more(liar, d)->origin = origin;
    struct cell *cell = one_more(liar, d);
    cell->origin = origin;
    cell->unit = arg(liar, "sibling");
    (void)draft_heads(liar, d);
    (void)draft_heads(liar, d);
    d->heads[1].origin = origin;
    (void)batch_say(liar, d);
}

/* An origin that nobody heard of, without a ledger. */
static void random_origin(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->origin = random_id();
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* The same, but with a segment and heads of its own. */
static void random_ledger(struct liar *liar, struct draft *d)
{
    struct id origin = random_id();
    d->openings[0] = (struct opening){.origin = origin, .segment = random_id()};
    d->batch.opening_count = 1;
    *draft_heads(liar, d) = (struct head){.segment = d->openings[0].segment, .length = 5};
    d->heads[0].origin = origin;
    one_more(liar, d)->origin = origin;
    (void)batch_say(liar, d);
}

/* ---- of what is not known ---- */

static void unknown_unit(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->unit = "no-such-unit";
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void unknown_measure(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->measure = "no_such_measure";
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void unknown_category(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->category = "group=nobody";
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* A known category in another order than the catalogue's: it would be a row of its own. */
static void category_order(struct liar *liar, struct draft *d)
{
    struct cell *cell = one_more(liar, d);
    cell->measure = arg(liar, "by_two");
    cell->category = "sex=f,group=cadre";
    cell->period = 2023 * 4;
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* Periods that no calendar has. */
static void no_such_period(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->period = INT32_MAX;
    one_more(liar, d)->period = INT32_MIN;
    one_more(liar, d)->period = 10000 * 12;
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* ---- how many ---- */

static void count_huge(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->count = INT64_C(1) << 62;
    draft_cell(liar, d, 1, 1000, INT64_C(1) << 62)->live = 2;
    one_more(liar, d)->count = 0;
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void count_over_escrow(struct liar *liar, struct draft *d)
{
    (void)draft_cell(liar, d, FREE_MONTH, 77, (int64_t)liar->head.length + 1);
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* Each count is below the ledger's length, their sum is not. */
static void counts_sum(struct liar *liar, struct draft *d)
{
    for (int month = FREE_MONTH; month < FREE_MONTH + 3; month++) {
        (void)draft_cell(liar, d, month, 77, (int64_t)liar->head.length);
    }
    (void)draft_cell(liar, d, 1, 1077, 3);
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void live_over_count(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->live = 2;
    one_more(liar, d)->live = INT64_MAX;
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void value_huge(struct liar *liar, struct draft *d)
{
    one_more(liar, d)->value = VALUE_MAX + 1;
    one_more(liar, d)->value = -VALUE_MAX - 1;
    one_more(liar, d)->value = INT64_MIN;
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* A stock under a hosting number that its parent never gave: it would stand for ever. */
static void hosting_number(struct liar *liar, struct draft *d)
{
    struct cell *cell = one_more(liar, d);
    cell->measure = arg(liar, "stock");
    cell->hosting = COUNT_MAX;
    cell->day = day_from_civil(2023, FREE_MONTH, 1);
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* ---- another story ---- */

static void equal_count(struct liar *liar, struct draft *d)
{
    (void)draft_cell(liar, d, 1, 999, 2);
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void equal_count_live(struct liar *liar, struct draft *d)
{
    draft_cell(liar, d, 1, 1000, 2)->live = 1;
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

static void lower_count(struct liar *liar, struct draft *d)
{
    (void)draft_cell(liar, d, 1, 600, 1);
    (void)draft_heads(liar, d);
    (void)batch_say(liar, d);
}

/* A digest that is not that of its cells. */
static void digest_wrong(struct liar *liar, struct draft *d)
{
    (void)draft_heads(liar, d);
    draft_mark(liar, d)->sum = random_id();
    (void)batch_say(liar, d);
}

/* A digest for a sibling and one for nobody. */
static void digest_of_others(struct liar *liar, struct draft *d)
{
    (void)draft_heads(liar, d);
    (void)draft_mark(liar, d);
    draft_mark(liar, d)->origin = arg_id(liar, "sibling_origin");
    draft_mark(liar, d)->origin = random_id();
    (void)batch_say(liar, d);
}

const struct scenario LIES_CELLS[] = {{"sibling_unit", sibling_unit, false},
                                      {"unit_above", unit_above, false},
                                      {"sibling_origin", sibling_origin, false},
                                      {"random_origin", random_origin, false},
                                      {"random_ledger", random_ledger, false},
                                      {"unknown_unit", unknown_unit, false},
                                      {"unknown_measure", unknown_measure, false},
                                      {"unknown_category", unknown_category, false},
                                      {"category_order", category_order, false},
                                      {"no_such_period", no_such_period, false},
                                      {"count_huge", count_huge, false},
                                      {"count_over_escrow", count_over_escrow, false},
                                      {"counts_sum", counts_sum, false},
                                      {"live_over_count", live_over_count, false},
                                      {"value_huge", value_huge, false},
                                      {"hosting_number", hosting_number, false},
                                      {"equal_count", equal_count, false},
                                      {"equal_count_live", equal_count_live, false},
                                      {"lower_count", lower_count, false},
                                      {"digest_wrong", digest_wrong, false},
                                      {"digest_of_others", digest_of_others, false},
                                      {NULL, NULL, false}};

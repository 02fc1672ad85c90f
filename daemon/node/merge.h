/* What the records of a ledger come to when lines of it have parted and met again: a machine was
 * put back to an old state, people went on there, and what it had recorded before came back from
 * the parent. Both lines may hold the same fact, and corrections of it.
 *
 * Records of one key and one content are one fact. It is told by the first of them in the order of
 * the ledger, which alone may live; a correction of any of them is one of the fact. A void is
 * final, whatever comes after it; else the last amend says the value, and an amend that says again
 * what one before it with the same key said says nothing. Records of one key and other content are
 * different facts, and so are all without a key.
 *
 * Nothing here trusts the state that is kept beside a record: only what the hashes of the ledger
 * vouch for is read. Works on the store, in whichever thread has it. */
#ifndef TALLY_NODE_MERGE_H
#define TALLY_NODE_MERGE_H

#include "node/lost.h"

/* Where an entry lies: the number and the name of its segment, its number in it. */
struct merge_place {
    int64_t segment;
    struct id name;
    int64_t seq;
};

struct merge_fact {
    struct merge_place place; /* of the record that tells it */
    bool live;
    int64_t value; /* 0 unless it lives */
};

/* The fact that an own record (with its texts) belongs to. */
enum err merge_fact_of(struct store *store, const struct store_entry *record,
                       const struct id *segment, struct merge_fact *out) MUST_CHECK;

/* Whether one of the fact's records comes before the base: the fact is part of that then. */
enum err merge_is_before(struct store *store, const struct store_entry *record,
                         const struct id *segment, const struct lost *lost,
                         const struct lost_base *base, bool *before) MUST_CHECK;

/* The state that belongs beside a record of that fact. */
void merge_apply(const struct merge_fact *fact, struct store_entry *record);

/* Where the record that stands in a stock's cell lies in the order of the ledger. */
struct merge_rank {
    int64_t clock;
    struct id segment;
};

/* Adds a fact that lives, told by that record, to what others of its cell come to. False when the
 * sum passes 64 bits; it wraps then. */
bool merge_add(const struct store_entry *record, const struct store_segment *segment, bool stock,
               struct store_cell *sum, struct merge_rank *rank);

/* The record that an own correction names; ERR_NOT_FOUND when it is not here. Texts go into the
 * arena. */
enum err merge_corrected(struct store *store, const struct store_entry *correction,
                         struct arena *arena, struct store_entry *record, struct id *segment)
    MUST_CHECK;

/* Brings the state kept beside the records of a fact up to date; says by how much what they come to
 * has changed with it: values added up, and how many live. */
enum err merge_settle(struct store *store, const struct store_entry *record,
                      const struct merge_fact *fact, wide *value, int64_t *live) MUST_CHECK;

#endif

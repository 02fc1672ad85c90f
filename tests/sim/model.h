/* layer: proto */
/* The independent model: what was offered to the nodes and confirmed by them, and what totals must
 * come to. It is made from the rules for users alone and shares no code with the node but the
 * calendar (proto/period.h) and the form of a catalogue.
 *
 * An origin is one author's ledger: entries in order. The entries of one origin about one unit,
 * measure, category and period of the measure's frequency are a cell; corrections count in the cell
 * of the record that they correct. The n-th state of a cell is what its first n entries come to. An
 * observer who has seen only a part of an origin's entries is described by a view: how many entries
 * of each cell it has seen. */
#ifndef TALLY_SIM_MODEL_H
#define TALLY_SIM_MODEL_H

#include "base/wide.h"
#include "proto/catalogue.h"
#include "proto/period.h"

struct model;

struct model *model_new(void);
void model_free(struct model *model);

/* ---- units: a tree that only grows; numbers from 0 ---- */
int model_unit_add(struct model *model, const char *code, const char *level, int parent /* -1 */);
int model_unit(const struct model *model, const char *code); /* -1: none */
int model_unit_count(const struct model *model);
const char *model_unit_code(const struct model *model, int unit);
int model_unit_parent(const struct model *model, int unit);
bool model_within(const struct model *model, int unit, int top);

/* ---- measures, as published; a later catalogue only adds ---- */
/* Measures and categories of a catalogue, copied; known codes are left as they are. */
void model_publish(struct model *model, const struct catalogue *catalogue);

/* ---- origins and entries ---- */
/* A new author. `rank` is the hosting rank of its stock records: of two nodes that record the stock
 * of one unit, the one that hosts it later has the higher rank. Numbers from 0. */
int model_origin_add(struct model *model, int64_t rank);
/* A copy of the first `entries` entries of an origin's ledger, as a new origin that goes on by
 * itself: what a machine that was put back to an old state records from there. */
int model_origin_branch(struct model *model, int origin, size_t entries);

/* Again: an entry that only says what one before it had said, of the record at `refers`: counted,
 * and nothing else. */
enum model_kind { MODEL_RECORD, MODEL_AMEND, MODEL_VOID, MODEL_AGAIN };
struct model_entry {
    enum model_kind kind;
    int origin;
    int unit;
    const char *measure;  /* copied */
    const char *category; /* "" for none; copied */
    int32_t day;
    int64_t value; /* smallest steps; unused of a void */
    size_t refers; /* of a correction: place of the record in its origin's ledger, from 0; the other
                      fields but value are taken from there */
    int64_t generation; /* of the hosting, within one origin: a later one ranks higher */
};
/* Appends to the origin's ledger; its place there, from 0. */
size_t model_entry_add(struct model *model, const struct model_entry *entry);
size_t model_ledger_length(const struct model *model, int origin);
/* Takes entries beyond `length` away again: nobody was told of them and they were never there. */
void model_ledger_cut(struct model *model, int origin, size_t length);

/* ---- cells ---- */
struct model_cell_key {
    int origin;
    int unit;
    const char *measure;
    const char *category;
    int32_t period; /* index in the measure's frequency */
};
struct model_cell {
    int64_t
        value; /* flow: sum of live records after amends; stock: the one that stands, 0 for none */
    int64_t count;
    int64_t live; /* records that are not voided */
    int32_t day;  /* stock: of the record that stands, 0 for none; flow: 0 */
};
/* How many entries the cell has in all. */
int64_t model_cell_count(const struct model *model, const struct model_cell_key *key);
/* The state after its first `count` entries; false when it has not so many. */
bool model_cell_at(const struct model *model, const struct model_cell_key *key, int64_t count,
                   struct model_cell *out);
/* Calls for every cell with at least one entry, in a fixed order. */
typedef void (*model_cell_fn)(void *ctx, const struct model_cell_key *key, int64_t count);
void model_cells(const struct model *model, model_cell_fn each, void *ctx);

/* ---- totals ---- */
/* How many entries of that cell the observer has seen (more than there are means all). */
struct model_view {
    int64_t (*seen)(void *ctx, const struct model_cell_key *key);
    void *ctx;
};

struct model_total {
    wide value;
    int64_t entries;
    int64_t reported;
    int64_t expected;
};
struct model_question {
    int unit;
    const char *measure;
    struct period period;
    const char *category; /* NULL: all together */
    bool own_only;        /* the unit's own row: without the units below it */
    /* Units that the observer knows; NULL: all. Only for `expected` and `reported`. */
    bool (*knows_unit)(void *ctx, int unit);
    void *ctx;
};
/* `view` NULL: everything has been seen. Flows: the sum over all live records whose day lies in the
 * period. Stocks: for each unit and category, of all live records (of all origins) up to the
 * period's last day the one with the latest period of the measure's frequency, in it the highest
 * rank, then the latest day, then the latest in its ledger; these added up. entries: all entries,
 * corrections too, of cells whose records' days lie in the period. reported: units of the measure's
 * level in the subtree with a live record in the period; expected: all units of that level in the
 * subtree. */
struct model_total model_total(const struct model *model, const struct model_question *question,
                               const struct model_view *view);

#endif

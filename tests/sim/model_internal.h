/* The inside of the model: model.c keeps what was recorded, model_total.c adds it up, model_find.c
 * finds things by their hash. Nothing here depends on where something lies in memory. */
#ifndef TALLY_SIM_MODEL_INTERNAL_H
#define TALLY_SIM_MODEL_INTERNAL_H

#include "model.h"

/* ---- model_find.c ---- */

/* Finds numbers from 0 up, each added with its hash; whoever asks compares what they stand for. */
struct model_finder {
    struct model_link *links; /* by number */
    size_t count;
    size_t cap;
    int *heads;        /* by hash; -1 for none */
    size_t head_count; /* a power of two, or 0 */
};

void model_finder_add(struct model_finder *finder, uint64_t hash);
/* The numbers with that hash: the first one, and the next one after `at`; -1 for no more. */
int model_finder_first(const struct model_finder *finder, uint64_t hash);
int model_finder_next(const struct model_finder *finder, int at);
void model_finder_free(struct model_finder *finder);

/* The hash goes on over a text with its end, or over a number. */
#define MODEL_HASH_START UINT64_C(14695981039346656037)
uint64_t model_hash_text(uint64_t hash, const char *text);
uint64_t model_hash_number(uint64_t hash, int64_t number);

/* The array with room for one more than `count`; no memory is the end of the program. */
void *model_grow(void *array, size_t count, size_t *cap, size_t size);
char *model_copy(const char *text);

/* ---- model.c ---- */

#define MODEL_NOWHERE SIZE_MAX

/* What a cell came to after one of its entries. */
struct cell_state {
    size_t place;    /* of that entry in the origin's ledger */
    size_t standing; /* stock: place of the record that stands, or MODEL_NOWHERE */
    int64_t value;
    int64_t live;
    int32_t day;
};

struct cell_data {
    struct model_cell_key key; /* the texts belong to the model */
    int measure;
    char *category;
    struct cell_state *states; /* after each entry */
    size_t count;              /* may be 0 again after a cut */
    size_t cap;
};

/* The cells of one unit and measure: by category, in it the latest period first. */
struct cell_row {
    struct cell_data **cells;
    size_t count;
    size_t cap;
};

struct unit_data {
    char *code;
    char *level;
    int parent;
    int first_child;
    int next_sibling;
    struct cell_row *rows; /* by measure */
    size_t row_count;
};

struct measure_data {
    char *code;
    char *level;
    enum measure_kind kind;
    enum frequency frequency;
};

struct entry_data {
    enum model_kind kind;
    struct cell_data *cell;
    size_t record; /* place of the record that it corrects; its own for a record */
    int32_t day;
    int64_t value; /* as entered */
    int64_t generation;
    /* What its record came to: of a record, now; of a correction, just before it. */
    int64_t amended;
    bool live;
};

struct origin_data {
    int64_t rank;
    struct entry_data *entries;
    size_t count;
    size_t cap;
};

struct model {
    struct unit_data *units;
    size_t unit_count;
    size_t unit_cap;
    struct model_finder unit_finder;
    struct measure_data *measures;
    size_t measure_count;
    size_t measure_cap;
    struct model_finder measure_finder;
    struct origin_data *origins;
    size_t origin_count;
    size_t origin_cap;
    struct cell_data **cells; /* in the order in which they were first needed */
    size_t cell_count;
    size_t cell_cap;
    struct model_finder cell_finder;
};

/* Its number, or -1. */
int model_measure(const struct model *model, const char *code);

#endif

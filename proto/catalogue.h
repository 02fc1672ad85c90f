/* The catalogue as data: levels, measures, categories, indicators, targets, data sets. It is owned
 * by the root, has a version, and is sent down as its canonical bytes, so that every node checks
 * and hashes the same thing. What a catalogue may change and what a formula means is the node's
 * business; this module knows the form. */
#ifndef TALLY_PROTO_CATALOGUE_H
#define TALLY_PROTO_CATALOGUE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/text.h"
#include "proto/limits.h"
#include "proto/period.h"

/* The sections of a catalogue, in their order. */
enum catalogue_section {
    SECTION_LEVELS,
    SECTION_CATEGORIES,
    SECTION_MEASURES,
    SECTION_INDICATORS,
    SECTION_TARGETS,
    SECTION_SETS,
    SECTION_COUNT
};

struct catalogue_place {
    enum catalogue_section section;
    size_t index; /* in it */
};

enum measure_kind { MEASURE_FLOW = 1, MEASURE_STOCK = 2 };

/* A dimension with its values: group = cadre | other. */
struct dimension {
    const char *code;
    const char **values;
    size_t value_count;
};

struct measure {
    const char *code;
    const char *name;
    const char *unit; /* unit of measurement */
    enum measure_kind kind;
    int decimals;
    enum frequency frequency;
    const char *level;
    bool strict; /* other levels may not record it */
    const char **dimensions;
    size_t dimension_count;
};

struct indicator {
    const char *code;
    const char *name;
    const char *unit;
    const char *formula;
    int decimals;
    const char *factor; /* the formula's result is multiplied by it: "1", "100" for percent */
};

/* What is wanted of one unit, or of every unit of a level. */
struct target {
    const char *unit;    /* "" with a level */
    const char *level;   /* "" with a unit */
    const char *measure; /* or an indicator */
    struct period period;
    const char *value; /* as written, in units */
};

enum { DEADLINE_MAX_DAYS = 366 };

/* Measures that are reported together, by some day. */
struct data_set {
    const char *code;
    const char *name;
    const char **measures;
    size_t measure_count;
    int deadline; /* days after the end of a period by which it is to be reported */
};

/* All pointers belong to one arena or to the loader that made it. Levels go from the top down. */
struct catalogue {
    uint64_t version; /* 0: none yet */
    const char **levels;
    size_t level_count;
    struct dimension *dimensions;
    size_t dimension_count;
    struct measure *measures;
    size_t measure_count;
    struct indicator *indicators;
    size_t indicator_count;
    struct target *targets;
    size_t target_count;
    struct data_set *sets;
    size_t set_count;
};

/* Canonical bytes, and back into an arena. Decoding checks every bound, every text and every enum,
 * and that codes are codes, unique, and there when they are named: what every catalogue that was
 * ever published keeps to. ERR_NO_MEMORY when the arena gives none. */
void catalogue_encode(const struct catalogue *catalogue, struct buf *out);
enum err catalogue_decode(struct bytes bytes, struct arena *arena, struct catalogue *out,
                          struct errmsg *msg) MUST_CHECK;

/* What decoding checks. ERR_INVALID; then *place, unless NULL, is where. */
enum err catalogue_check_form(const struct catalogue *catalogue, struct catalogue_place *place,
                              struct errmsg *msg) MUST_CHECK;

/* What must hold for one catalogue by itself that is to be published: beside what decoding checks,
 * formulas can be read, targets fit what they are for, and no two are for the same. ERR_INVALID;
 * then *place, unless NULL, is where. */
enum err catalogue_check(const struct catalogue *catalogue, struct catalogue_place *place,
                         struct errmsg *msg) MUST_CHECK;

const struct measure *catalogue_measure(const struct catalogue *catalogue, const char *code);
const struct indicator *catalogue_indicator(const struct catalogue *catalogue, const char *code);
const struct data_set *catalogue_set(const struct catalogue *catalogue, const char *code);
const struct dimension *catalogue_dimension(const struct catalogue *catalogue, const char *code);

/* "; did you mean a, b or c?" of the measures and indicators, or an empty string. */
enum { CATALOGUE_HINT_BYTES = NEAREST_MAX * NEAREST_NAME_BYTES + 64 };
void catalogue_hint(const struct catalogue *catalogue, const char *code,
                    char out[CATALOGUE_HINT_BYTES]);

/* Place of a level from the top (0..), or -1. */
int catalogue_level(const struct catalogue *catalogue, const char *level);

/* Reads a category as typed ("group=cadre", dimensions in any order) and writes it in catalogue
 * order. Empty text is no category. All dimensions of the measure or none. ERR_REFUSED with what is
 * allowed. */
enum err catalogue_category(const struct catalogue *catalogue, const struct measure *measure,
                            const char *text, char out[CATEGORY_MAX_BYTES + 1], struct errmsg *msg)
    MUST_CHECK;

/* The value of "dim=value" of that dimension in a category; NULL when it has none. */
const char *catalogue_category_part(const char *category, const char *dim, size_t *value_len);

/* Some dimensions of the measure and a value for each, in any order ("sex=f"). ERR_REFUSED with
 * what there is. */
enum err catalogue_category_check(const struct catalogue *catalogue, const struct measure *measure,
                                  const char *wanted, struct errmsg *msg) MUST_CHECK;

/* Whether a category has all the parts of such a text. */
bool catalogue_category_has(const char *category, const char *wanted);

/* Whether two lists of texts are the same ones in the same order. */
bool catalogue_lists_equal(const char **a, size_t a_count, const char **b, size_t b_count);

#endif

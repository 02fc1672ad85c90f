/* layer: base proto */
/* The rows of an import file as a benchmark needs them: read and resolved before any clock runs.
 * Only files without quotes are understood. */
#ifndef TALLY_BENCH_ROWS_H
#define TALLY_BENCH_ROWS_H

#include "base/bytes.h"
#include "proto/period.h"

enum { ROWS_CODE_BYTES = 32, ROWS_MEASURES_MAX = 32, ROWS_CATEGORIES_MAX = 32 };

struct rows_measure {
    char code[ROWS_CODE_BYTES];
    bool stock;
    enum frequency frequency;
    int decimals;
};

struct row {
    int measure; /* index */
    int category;
    int32_t day;
    int32_t period;
    int64_t value;
    const char *key;
    const char *note;
};

struct rows {
    struct rows_measure measures[ROWS_MEASURES_MAX];
    int measure_count;
    char categories[ROWS_CATEGORIES_MAX][ROWS_CODE_BYTES];
    int category_count;
    char *text; /* of the whole file, cut up */
    struct row *rows;
    size_t count;
};

/* "CODE:flow|stock:FREQUENCY:DECIMALS"; ERR_USAGE otherwise. */
enum err rows_measure_add(struct rows *rows, const char *text, struct errmsg *msg) MUST_CHECK;

/* Columns: unit, measure, date, category, value, key, note. */
enum err rows_read(struct rows *rows, const char *path, struct errmsg *msg) MUST_CHECK;

void rows_free(struct rows *rows);

#endif

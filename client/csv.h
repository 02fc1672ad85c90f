/* CSV after RFC 4180, read row by row from memory: quoted fields with commas, quotes and line
 * breaks, LF or CRLF, a UTF-8 byte order mark at the start is passed over, lines that are empty as
 * well. The first row names the columns. What is malformed is refused with the line and column of
 * the character. It knows no column's meaning. */
#ifndef TALLY_CLIENT_CSV_H
#define TALLY_CLIENT_CSV_H

#include "base/bytes.h"
#include "base/err.h"

enum { CSV_COLUMNS_MAX = 16, CSV_ROW_MAX_BYTES = 16 * 1024 };

struct csv {
    const char *name; /* of the file, as in messages */
    struct bytes data;
    size_t at;
    uint32_t line; /* of `at`, from 1 */
    size_t line_at;
    size_t column_count;
    uint8_t column[CSV_COLUMNS_MAX]; /* of each field of a row: which of the names below */
    char text[CSV_ROW_MAX_BYTES];    /* the fields of the last row */
    size_t text_len;
    uint32_t fault_line; /* of the last error */
    size_t fault_column; /* 0: it is about the whole row */
};

/* The fields in the order of `names` of csv_init; "" where the file has no such column. */
struct csv_row {
    uint32_t line; /* where it begins */
    const char *fields[CSV_COLUMNS_MAX];
};

/* Reads the heading: its columns are among `names`, in any order, each at most once, and the first
 * `required` of the names are there. ERR_INVALID with the reason; its place is in `csv`. `data` and
 * `name` are borrowed. */
enum err csv_init(struct csv *csv, const char *name, struct bytes data, const char *const *names,
                  size_t name_count, size_t required, struct errmsg *msg) MUST_CHECK;

/* The next row; its fields hold until the next call. At the end `*more` is false. ERR_INVALID for
 * malformed text, after which there is no next row; ERR_REFUSED when this row alone is wrong
 * (number of fields). The sentence is the reason; its place is in `csv`. */
enum err csv_next(struct csv *csv, struct csv_row *row, bool *more, struct errmsg *msg) MUST_CHECK;

/* Begins again at the first row behind the heading. */
struct csv_place {
    size_t at;
    uint32_t line;
    size_t line_at;
};
struct csv_place csv_tell(const struct csv *csv);
void csv_seek(struct csv *csv, struct csv_place place);

/* Puts "FILE:LINE: " or "FILE:LINE:COLUMN: " of the last error before its sentence. */
enum err csv_locate(const struct csv *csv, enum err err, struct errmsg *msg);

#endif

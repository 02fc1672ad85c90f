/* CSV after RFC 4180, read row by row from memory or through a window of a file: quoted fields with
 * commas, quotes and line breaks, LF or CRLF, a UTF-8 byte order mark at the start is passed over,
 * lines that are empty as well. The first row names the columns. What is malformed is refused with
 * the line and column of the character. It knows no column's meaning. */
#ifndef TALLY_CLIENT_CSV_H
#define TALLY_CLIENT_CSV_H

#include "base/bytes.h"
#include "base/err.h"

enum {
    CSV_NAMES_MAX = 16,
    CSV_OTHERS_MAX = 256,
    CSV_COLUMNS_MAX = CSV_NAMES_MAX + CSV_OTHERS_MAX,
    CSV_ROW_MAX_BYTES = 64 * 1024,
    CSV_WINDOW_BYTES = 512 * 1024
};

/* What the first line may name: columns of `names`, in any order, each at most once; the first
 * `required` of them are there. With `others`, codes that are not among them, too, with what is in
 * brackets behind: accounts[group=cadre]. */
struct csv_heading {
    const char *const *names;
    size_t name_count;
    size_t required;
    bool others;
};

/* A file that is read on through a window, so that its length takes no memory. `read` gives at most
 * `size` bytes, none at the end. */
struct csv_source {
    enum err (*read)(void *ctx, void *out, size_t size, size_t *got, struct errmsg *msg);
    void *ctx;
    uint8_t window[CSV_WINDOW_BYTES];
};

struct csv {
    const char *name; /* of the file, as in messages */
    struct csv_source *source;
    bool ended;        /* all of the source has been read */
    struct bytes data; /* all, or the window */
    size_t at;
    uint32_t line; /* of `at`, from 1 */
    size_t line_at;
    size_t column_count;
    uint16_t column[CSV_COLUMNS_MAX]; /* of each field of a row: which of the names, or behind them
                                         of the others */
    size_t other_count;
    const char *others[CSV_OTHERS_MAX];
    char heading[CSV_ROW_MAX_BYTES]; /* the others' names */
    char text[CSV_ROW_MAX_BYTES];    /* the fields of the last row */
    size_t text_len;
    uint32_t fault_line; /* of the last error */
    size_t fault_column; /* 0: it is about the whole row */
};

/* The fields in the order of the heading's names, behind them (from CSV_NAMES_MAX on) of the
 * others; "" where the file has no such column. */
struct csv_row {
    uint32_t line; /* where it begins */
    const char *fields[CSV_COLUMNS_MAX];
};

/* Reads the heading. ERR_INVALID with the reason; its place is in `csv`. `data`, `name` and the
 * heading's names are borrowed. */
enum err csv_init(struct csv *csv, const char *name, struct bytes data,
                  const struct csv_heading *heading, struct errmsg *msg) MUST_CHECK;

/* The same from the source's begin; also what its `read` fails with. */
enum err csv_init_from(struct csv *csv, const char *name, struct csv_source *source,
                       const struct csv_heading *heading, struct errmsg *msg) MUST_CHECK;

/* Whether the heading names that column; to be asked, also of a heading that was refused, before
 * the first row is read. */
bool csv_heading_names(const struct csv *csv, const char *column);

/* The next row; its fields hold until the next call. At the end `*more` is false. ERR_INVALID for
 * malformed text, after which there is no next row; ERR_REFUSED when this row alone is wrong
 * (number of fields); what the source fails with. The sentence is the reason; its place is in
 * `csv`. */
enum err csv_next(struct csv *csv, struct csv_row *row, bool *more, struct errmsg *msg) MUST_CHECK;

/* Begins again at that place of a text that is whole in memory. */
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

/* The three forms in which results are printed: tables by libsmartcols, JSON by jansson, CSV after
 * RFC 4180. All go to standard output. Rows are printed as they come, so that an answer of any
 * length takes little memory: a long table comes in blocks, each with its own heading.
 *
 * What cannot be printed for want of memory ends in ERR_NO_MEMORY from the closing call; a full
 * disk is noticed when the program ends. */
#ifndef TALLY_CLIENT_OUTPUT_H
#define TALLY_CLIENT_OUTPUT_H

#include <jansson.h>

#include "client/number.h"
#include "client/options.h"
#include "proto/message.h"

enum output_form { OUTPUT_TABLE, OUTPUT_JSON, OUTPUT_CSV };

enum { OUTPUT_BLOCK_ROWS = 5000, OUTPUT_COLUMNS_MAX = 16, OUTPUT_CELL_BYTES = 64 };

enum output_form output_form(const struct options *options);

/* ---- tables ---- */

struct output_column {
    const char *name; /* marked with N_; shown in the language */
    bool right;       /* numbers */
    bool tree;        /* carries the branches */
    bool wrap;        /* long texts, on a terminal */
};

struct output_table;
struct libscols_line;

/* The columns are borrowed. NULL when memory ends; every function takes that NULL. */
struct output_table *output_table_new(const struct output_column *columns, size_t count);

/* A row of one text for each column. Line breaks become spaces. */
void output_table_row(struct output_table *table, const char *const *cells);

/* A row below `parent` (NULL: at the top); what it returns may be a parent in turn. Never printed
 * before the end. */
struct libscols_line *output_table_branch(struct output_table *table, struct libscols_line *parent,
                                          const char *const *cells);

/* Shows that line bold, on a terminal. Takes NULL for either. */
void output_line_bold(struct output_table *table, struct libscols_line *line, bool bold);

/* Prints what is not printed yet and gives the table back. An empty table prints nothing. */
enum err output_table_end(struct output_table *table, struct errmsg *msg) MUST_CHECK;

/* ---- JSON ---- */

/* Prints the document with a line break, and gives it back. NULL is what jansson made of a lack of
 * memory. */
enum err output_json(json_t *document, struct errmsg *msg) MUST_CHECK;
/* The same, as one line. */
enum err output_json_line(json_t *document, struct errmsg *msg) MUST_CHECK;

/* A long array, element by element; `head` are the keys of an object before it (NULL: the document
 * is the array alone), `key` the array's. References are taken over. */
struct output_list {
    size_t count;
    bool in_object;
    bool failed;
};
void output_list_begin(struct output_list *list, json_t *head, const char *key);
void output_list_item(struct output_list *list, json_t *item);
enum err output_list_end(struct output_list *list, struct errmsg *msg) MUST_CHECK;

/* null where there is nothing: an empty text, the time 0, DAY_NONE. */
json_t *output_json_text(const char *text);
json_t *output_json_time(struct wall wall);
json_t *output_json_day(int32_t day);

/* ---- CSV ---- */

void output_csv_row(const char *const *cells, size_t count);

/* ---- cells ---- */

/* What people see: `none` where there is nothing. */
const char *output_time(struct wall wall, const char *none, char out[OUTPUT_CELL_BYTES]);
const char *output_day(int32_t day, const char *none, char out[OUTPUT_CELL_BYTES]);
const char *output_number(int64_t number, char out[OUTPUT_CELL_BYTES]);

enum { OUTPUT_AMOUNT_BYTES = NUMBER_TEXT_BYTES + 8 };

/* A decimal text as the language writes numbers, with the sign of what is counted where it has one
 * ("39.545.000.000 ₫" for VND); "-" for "", other texts and the locale C as they are. */
const char *output_amount(const char *text, const char *counted_in, char out[OUTPUT_AMOUNT_BYTES]);

#endif

/* Templates of reports: text in which {{...}} stands for what is asked of the daemon. A template
 * is read whole and checked before anything is asked, so that a mistake is one line with its place.
 *
 *     {{total fund_raised}}  {{total accounts[group=cadre] period=2022H2}}
 *     {{change fund_raised against=year in=million digits=1}}
 *     {{each child}} ... {{end}}   {{if missing half_year}} ... {{else}} ... {{end}}
 *     {{# a remark}}
 *
 * A line that has nothing but one {{each}}, {{if}}, {{else}}, {{end}} or remark leaves no line. */
#ifndef TALLY_CLIENT_TEMPLATE_H
#define TALLY_CLIENT_TEMPLATE_H

#include <stdio.h>

#include "base/arena.h"
#include "base/bytes.h"
#include "proto/request.h"

enum {
    TEMPLATE_MAX_BYTES = 1 << 20,
    TEMPLATE_PARTS_MAX = 20000,
    TEMPLATE_DEPTH_MAX = 8, /* blocks inside blocks */
    TEMPLATE_DIGITS_MAX = 9,
};

enum part_kind { PART_TEXT, PART_FIELD, PART_EACH, PART_IF, PART_ELSE, PART_END };

/* What a field is about decides which words it takes. */
enum field_about {
    ABOUT_REPORT,  /* {{today}} */
    ABOUT_SUBJECT, /* {{total CODE}} */
    ABOUT_MISSING, /* {{missing CODE}}, of a data set or measure */
};

enum field {
    FIELD_UNIT,
    FIELD_UNIT_NAME,
    FIELD_PERIOD,
    FIELD_TODAY,
    FIELD_AS_OF,
    FIELD_NODES,
    FIELD_EXACT,
    FIELD_STALE,
    FIELD_HELD,
    FIELD_REFUSED,
    FIELD_LOST,
    FIELD_LACKS,
    FIELD_TOTAL,
    FIELD_NAME,
    FIELD_COUNTED_IN,
    FIELD_ENTRIES,
    FIELD_REPORTED,
    FIELD_EXPECTED,
    FIELD_AGAINST,
    FIELD_BEFORE,
    FIELD_CHANGE,
    FIELD_CHANGE_PERCENT,
    FIELD_TARGET,
    FIELD_REACHED,
    FIELD_PERCENT,
    FIELD_DUE,
    FIELD_MISSING,
};

enum each_kind { EACH_CHILD, EACH_LEVEL, EACH_PERIOD, EACH_MISSING };

/* Texts are "" where nothing was said. */
struct part {
    enum part_kind kind;
    int line;
    int column;
    const char *text; /* of PART_TEXT: `len` bytes; else what stands in the braces */
    size_t len;
    /* of fields and ifs */
    enum field field;
    enum field_about about;
    const char *code;     /* of the measure, indicator or data set */
    const char *category; /* "group=cadre", or "" */
    const char *unit;
    const char *period;
    const char *against; /* as --against takes it */
    int shift;           /* 3, 6 or 9 digits: thousands, millions, billions */
    int digits;          /* -1: not said */
    /* of blocks */
    enum each_kind each;
    const char *what; /* the level, the periods, the data set */
    size_t jump;      /* of each: behind its end; of if: to its else or end; of else: its end */
};

struct template
{
    const char *path; /* for complaints */
    struct part *parts;
    size_t count;
    bool html;     /* by the name of the file: values are written as HTML, */
    bool markdown; /* or as Markdown */
};

/* Both belong to the arena. ERR_INVALID with FILE:LINE:COLUMN for what is no template. */
enum err template_read(const char *path, struct bytes content, struct arena *arena,
                       struct template *out, struct errmsg *msg) MUST_CHECK;

/* "FILE:LINE:COLUMN: " and the sentence, always ERR_INVALID. */
enum err template_fail(const struct template *template, const struct part *part, struct errmsg *msg,
                       const char *fmt, ...) PRINTF_LIKE(4, 5);

#endif

/* What a report needs of the daemon, asked for when it is needed first and kept: an answer has all
 * measures of the template for one unit, or for its children or the units of a level, in one
 * period. All answers must be of one state of the node's file, or the sums of a report would not
 * add up: `moved` says when they are not, and the report is made again. */
#ifndef TALLY_CLIENT_FIGURES_H
#define TALLY_CLIENT_FIGURES_H

#include "base/arena.h"
#include "client/client.h"

enum {
    FIGURES_ANSWERS_MAX = 5000, /* questions about totals, and as many about who is missing */
    FIGURES_ROWS_MAX = 2000000, /* of all of them */
    FIGURES_ARENA_BYTES = 1024 << 20,
};

/* What is asked: the same question has the same answer. Texts are borrowed as long as `figures`. */
struct figures_question {
    const char *code;     /* "": all that were named at the begin */
    const char *category; /* of that code; "": all */
    const char *unit;
    const char *level; /* with BY_LEVEL */
    enum total_by by;
    struct period period;
    const char *against; /* "", or as --against takes it */
    bool targets;
};

struct figures_answer {
    struct figures_question question;
    const struct total_row **rows; /* by unit and measure */
    size_t count;
    const struct total_row **units; /* the first row of each, in the daemon's order */
    size_t unit_count;
};

struct figures_missing {
    const char *code;
    const char *unit;
    struct period period;
    struct missing_row whole;       /* of all units */
    const struct missing_row *rows; /* by unit */
    size_t count;
};

struct figures {
    struct client *client;
    struct arena arena;
    const char **codes; /* of measures and indicators */
    size_t code_count;
    struct rep_total head; /* of the report's own unit and period; no rows */
    struct figures_answer *answers;
    size_t answer_count;
    struct figures_missing *missing;
    size_t missing_count;
    size_t row_count;
    bool moved; /* answers were of different states */
};

/* Asks for the unit's sources, and for the figures of `codes`, or with `all` of everything that
 * there is. The codes are borrowed. */
enum err figures_begin(struct figures *figures, struct client *client, const char *unit,
                       struct period period, const char **codes, size_t code_count, bool all,
                       struct errmsg *msg) MUST_CHECK;
void figures_end(struct figures *figures);

/* A row of the first answer with that code, or NULL: whether there is such a measure. */
const struct total_row *figures_subject(const struct figures *figures, const char *code);
/* The nearest codes, as nearest_format writes them. */
void figures_hint(const struct figures *figures, const char *code, char *out, size_t size);

enum err figures_ask(struct figures *figures, const struct figures_question *question,
                     const struct figures_answer **out, struct errmsg *msg) MUST_CHECK;

/* The row of a unit and measure, or NULL. */
const struct total_row *figures_find(const struct figures_answer *answer, const char *unit,
                                     bool own, const char *measure);

enum err figures_ask_missing(struct figures *figures, const char *unit, struct period period,
                             const char *code, const struct figures_missing **out,
                             struct errmsg *msg) MUST_CHECK;

#endif

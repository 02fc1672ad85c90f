/* What a node's log says, as its own answer to that question and in the order of its ledger. */
#ifndef TALLY_SIM_LOG_H
#define TALLY_SIM_LOG_H

#include "world.h"

struct log_line {
    char entry[ENTRY_ID_MAX_BYTES];
    char refers[ENTRY_ID_MAX_BYTES];
    char unit[CODE_BYTES];
    char measure[CODE_BYTES];
    char category[40];
    char note[CODE_BYTES];
    char key[CODE_BYTES];
    int32_t day;
    int64_t value;
    enum entry_kind kind;
    bool live;
};

struct log_lines {
    struct log_line *lines;
    size_t count;
    size_t cap;
    char error[TEXT_BYTES];
};

/* Entries that are no acts. An error is that of the question; one of the answer is in `error`. The
 * lines are given back by the caller. */
enum err log_read(struct world *world, struct host *host, struct log_lines *log);

#endif

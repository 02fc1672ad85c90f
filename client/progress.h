/* A progress bar on standard error, when that is a terminal and there is enough to do. */
#ifndef TALLY_CLIENT_PROGRESS_H
#define TALLY_CLIENT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool shown;
    const char *what;
    int64_t total;
};

void progress_begin(struct progress *progress, const char *what, int64_t total, bool worthwhile);
void progress_show(const struct progress *progress, int64_t done);

/* Wipes the bar. */
void progress_end(struct progress *progress);

#endif

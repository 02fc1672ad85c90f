#include "client/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum { BAR_LETTERS = 30, LINE_LETTERS = 78 };

void progress_begin(struct progress *progress, const char *what, int64_t total, bool worthwhile)
{
    *progress = (struct progress){.shown = worthwhile && total > 0 && isatty(STDERR_FILENO) == 1,
                                  .what = what,
                                  .total = total};
    progress_show(progress, 0);
}

void progress_show(const struct progress *progress, int64_t done)
{
    char bar[BAR_LETTERS + 1];
    if (!progress->shown) {
        return;
    }
    int64_t full = done * BAR_LETTERS / progress->total;
    for (int i = 0; i < BAR_LETTERS; i++) {
        bar[i] = i < full ? '#' : '-';
    }
    bar[BAR_LETTERS] = '\0';
    (void)fprintf(stderr, "\r%s [%s] %3" PRId64 " %%  %" PRId64 "/%" PRId64 " rows", progress->what,
                  bar, done * 100 / progress->total, done, progress->total);
    (void)fflush(stderr);
}

void progress_end(struct progress *progress)
{
    if (progress->shown) {
        (void)fprintf(stderr, "\r%*s\r", LINE_LETTERS, "");
        (void)fflush(stderr);
    }
    progress->shown = false;
}

#include "client/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_LETTERS = 30, LINE_LETTERS = 78, TEXT_LETTERS = 40 };

/* How wide the terminal is; 80 when it does not say. */
static int terminal_width(void)
{
    struct winsize size = {0};
    bool known = ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return known ? size.ws_col : LINE_LETTERS + 2;
}

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
    char line[LINE_LETTERS + 1];
    if (!progress->shown) {
        return;
    }
    int width = terminal_width();
    if (width < BAR_LETTERS + TEXT_LETTERS) { /* a line that wraps could not be wiped */
        (void)snprintf(line, sizeof line, "%s %3" PRId64 " %%", progress->what,
                       done * 100 / progress->total);
        (void)fprintf(stderr, "\r%.*s", width - 1, line);
        (void)fflush(stderr);
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
        int width = terminal_width() - 1;
        (void)fprintf(stderr, "\r%*s\r", width < LINE_LETTERS ? width : LINE_LETTERS, "");
        (void)fflush(stderr);
    }
    progress->shown = false;
}

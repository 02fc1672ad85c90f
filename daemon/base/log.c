#include "base/log.h"

#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 2048 };

static int lowest = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    __atomic_store_n(&lowest, (int)level, __ATOMIC_RELAXED);
}

void log_line(enum log_level level, const char *fmt, ...)
{
    /* The <n> before a line is its priority for the journal. */
    static const char *const PREFIX[] = {"<7>debug ", "<6>info ", "<4>warn ", "<3>error "};
    if ((int)level < __atomic_load_n(&lowest, __ATOMIC_RELAXED)) {
        return;
    }
    char line[LINE_MAX_BYTES];
    int head = snprintf(line, sizeof line, "%s", PREFIX[level]);
    va_list args;
    va_start(args, fmt);
    int body = vsnprintf(line + head, sizeof line - (size_t)head - 1, fmt, args);
    va_end(args);
    if (head < 0 || body < 0) {
        return;
    }
    size_t len = (size_t)head + (size_t)body;
    len = len > sizeof line - 2 ? sizeof line - 2 : len;
    for (size_t i = (size_t)head; i < len; i++) {
        line[i] = (unsigned char)line[i] < ' ' ? '?' : line[i];
    }
    line[len++] = '\n';
    /* One write, so that lines of several processes on one terminal do not mix. A log that cannot
     * be written has nobody to be told to. */
    ssize_t ignored = write(STDERR_FILENO, line, len);
    (void)ignored;
}

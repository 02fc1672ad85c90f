/* Log lines: "key=value" text to standard error, which the service manager keeps. The node itself
 * never calls this: its lines come out as effects. Any thread. */
#ifndef TALLY_BASE_LOG_H
#define TALLY_BASE_LOG_H

#include "base/err.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARN, LOG_LEVEL_ERROR };

/* Lines below this level are dropped; starts at info. */
void log_set_level(enum log_level level);

/* One line, without a line break at its end. Control characters in it are shown as '?'. */
void log_line(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#endif

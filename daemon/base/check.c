#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void check_failed(const char *kind, const char *cond, const char *file, int line)
{
    (void)fprintf(stderr, "tally: %s: %s (%s:%d)\n", kind, cond, file, line);
    abort();
}

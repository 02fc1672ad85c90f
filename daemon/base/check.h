/* Checks for faults of the programmer. What comes from wire, disk, file or keyboard is never
 * checked with these: it gets an error. REQUIRE is the caller's fault, INSIST is the module's own;
 * both print where and abort. */
#ifndef TALLY_BASE_CHECK_H
#define TALLY_BASE_CHECK_H

#define REQUIRE(cond) ((cond) ? (void)0 : check_failed("caller broke", #cond, __FILE__, __LINE__))
#define INSIST(cond) ((cond) ? (void)0 : check_failed("broken inside", #cond, __FILE__, __LINE__))

/* Prints one line to standard error and aborts. */
_Noreturn void check_failed(const char *kind, const char *cond, const char *file, int line);

#endif

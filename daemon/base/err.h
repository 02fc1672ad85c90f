/* The project's one table of errors, and the sentence that goes with one.
 *
 * A fallible function returns `enum err` and writes its outputs only when it returns ERR_OK. The
 * sentence for people goes into the caller's `struct errmsg`, which may be NULL where nobody would
 * read it. An error is returned or logged, never both. Nothing here allocates; every function may
 * be called from any thread. */
#ifndef TALLY_BASE_ERR_H
#define TALLY_BASE_ERR_H

#include <stdarg.h>

enum err {
    ERR_OK = 0,
    ERR_USAGE,       /* wrong without asking anybody: a flag, a date, a number */
    ERR_REFUSED,     /* understood and not allowed */
    ERR_NOT_FOUND,   /* names something that is not there */
    ERR_EXISTS,      /* is there already */
    ERR_INVALID,     /* content that does not fit its form */
    ERR_LIMIT,       /* a stated limit is reached */
    ERR_DISK_FULL,   /* no room; nothing was changed */
    ERR_IO,          /* the system refused a read, a write or a sync */
    ERR_CORRUPT,     /* what is stored contradicts itself */
    ERR_NEWER,       /* made by a newer release */
    ERR_BUSY,        /* in use by somebody else; try again */
    ERR_NO_MEMORY,   /* allocation failed */
    ERR_TIMEOUT,     /* the time given is over */
    ERR_CLOSED,      /* the other side is gone */
    ERR_PROTOCOL,    /* the peer broke the protocol */
    ERR_AUTH,        /* the peer is not who it must be */
    ERR_UNREACHABLE, /* nobody answers there */
    ERR_OVERFLOW,    /* the exact result does not fit its type */
    ERR_COUNT
};

enum { ERRMSG_MAX_BYTES = 640 };

/* One sentence for people, without a final full stop or line break; empty when nothing was said. */
struct errmsg {
    char text[ERRMSG_MAX_BYTES];
};

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

/* Passes an error up: for functions that have nothing to undo. */
#define TRY(expr)                  \
    do {                           \
        enum err try_err = (expr); \
        if (try_err != ERR_OK) {   \
            return try_err;        \
        }                          \
    } while (0)

/* The short stable name of an error ("disk-full"), for logs. */
const char *err_name(enum err err);

/* Writes the sentence and returns `err`, so that `return err_fail(msg, ERR_INVALID, ...)` reads as
 * one act. `msg` may be NULL. A sentence that is too long is cut; what is no clean text in it
 * (bytes from outside, a character cut in two) is shown as '?'. */
enum err err_fail(struct errmsg *msg, enum err err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Puts "what: " before the sentence on its way up, and returns `err`. */
enum err err_prefix(struct errmsg *msg, enum err err, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif

/* The join token: one line of letters that an administrator carries from the parent's `tally
 * invite` to `tallyd join`. It names where to go, whom to trust (SHA-256 of the root CA's
 * certificate), and proves the right to join. */
#ifndef TALLY_PROTO_TOKEN_H
#define TALLY_PROTO_TOKEN_H

#include "base/clock.h"
#include "base/ids.h"
#include "proto/limits.h"

enum { TOKEN_MAX_BYTES = 2048, SECRET_BYTES = 16 };

struct token {
    struct id invite;             /* which invitation */
    uint8_t secret[SECRET_BYTES]; /* known to the parent and the bearer only */
    struct hash root;             /* SHA-256 of the root CA's certificate (DER) */
    struct id tree;
    struct wall expires;
    char unit[CODE_MAX_BYTES + 1];
    char addresses[ADDRESSES_MAX][ADDRESS_MAX_BYTES + 1];
    size_t address_count;
};

/* ERR_LIMIT when it would be too long. */
enum err token_format(const struct token *token, char out[TOKEN_MAX_BYTES]) MUST_CHECK;

/* ERR_USAGE when the text is no token or a letter was lost on the way (it carries a check sum). */
enum err token_parse(const char *text, struct token *out, struct errmsg *msg) MUST_CHECK;

#endif

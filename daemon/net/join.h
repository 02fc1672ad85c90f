/* The joiner's side of a join: one TLS connection, one message, one answer. */
#ifndef TALLY_NET_JOIN_H
#define TALLY_NET_JOIN_H

#include "proto/message.h"
#include "proto/token.h"

enum { JOIN_ANSWER_MS = 30000 }; /* for each address: connecting, TLS and the answer */

struct net_join {
    const struct token *token;
    void *ctx;
    /* Fills the join message, given the exporter value of the TLS session; its memory lives until
     * net_join ends. */
    enum err (*fill)(void *ctx, const struct hash *exporter, struct msg_join *join,
                     struct errmsg *msg);
    /* Takes the answer, whose err is ERR_OK; its memory ends with this call. */
    enum err (*joined)(void *ctx, const struct msg_joined *joined, struct errmsg *msg);
};

/* Tries the token's addresses in their order until one answers. Nothing is said before the other
 * side has shown a chain of certificates up to the token's root. ERR_UNREACHABLE, ERR_AUTH, or what
 * the parent or a callback says. Runs a loop of its own. */
enum err net_join(const struct net_join *join, struct errmsg *msg) MUST_CHECK;

#endif

/* The side that asks for certificates, in a join or a renewal: one TLS connection, one message, one
 * answer. */
#ifndef TALLY_NET_JOIN_H
#define TALLY_NET_JOIN_H

#include "proto/message.h"
#include "proto/token.h"

enum { JOIN_ANSWER_MS = 30000 }; /* for each address: connecting, TLS and the answer */

/* What a node that renews its certificates shows, and whom it trusts: the machine with that key. */
struct net_renewal {
    struct bytes chain;
    struct bytes key;
    struct bytes root;
    struct hash parent_key;
    const char *addresses[ADDRESSES_MAX];
    size_t address_count;
    const bool *stop; /* set by another thread (atomically) to end early */
};

struct net_join {
    const struct token *token;         /* of a join, else NULL */
    const struct net_renewal *renewal; /* of a renewal, else NULL */
    void *ctx;
    /* Fills the join message, given the exporter value of the TLS session; its memory lives until
     * net_join ends. */
    enum err (*fill)(void *ctx, const struct hash *exporter, struct msg_join *join,
                     struct errmsg *msg);
    /* Takes the answer, whose err is ERR_OK; its memory ends with this call. */
    enum err (*joined)(void *ctx, const struct msg_joined *joined, struct errmsg *msg);
};

/* Tries the addresses in their order until one answers. Nothing is said before the other side has
 * shown a chain of certificates up to the token's root, or in a renewal the parent's key, which is
 * pinned: no times are looked at. ERR_UNREACHABLE, ERR_AUTH, ERR_CLOSED when stopped, or what the
 * parent or a callback says. Runs a loop of its own, in any thread. */
enum err net_join(const struct net_join *join, struct errmsg *msg) MUST_CHECK;

#endif

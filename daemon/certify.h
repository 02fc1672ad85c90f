/* How a node comes to its certificates: what it asks for, what it takes for an answer, and the
 * renewal of those that it has. */
#ifndef TALLY_CERTIFY_H
#define TALLY_CERTIFY_H

#include "daemon/home.h"
#include "net/server.h"

/* A request for both certificates of a node, and room for its bytes. */
struct certify_request {
    struct buf node;
    struct buf ca;
};

void certify_request_init(struct certify_request *request);
void certify_request_deinit(struct certify_request *request);

/* Makes both requests with the keys of `home`, and names them in `join`; the bytes are of
 * `request`. */
enum err certify_ask(const struct home *home, struct certify_request *request,
                     struct msg_join *join, struct errmsg *msg) MUST_CHECK;

/* ERR_PROTOCOL unless both chains of an answer fit the keys of `home`, end in the root with that
 * fingerprint, and are of that tree. */
enum err certify_check(const struct home *home, const struct hash *root, const struct id *tree,
                       const struct msg_joined *joined, struct errmsg *msg) MUST_CHECK;

/* Whether the node's certificate or its admin client's is past two thirds of its life. */
bool certify_ages(const struct home *home, struct wall now);

/* Gets new ones: from the parent, or at the root from the own CA; the chains are appended to the
 * two buffers, and the files and `home` stay as they are. Blocks; in any thread. */
struct certify_renewal {
    const struct home *home;
    const struct hash *root;
    const struct id *tree;
    const struct id *node;
    const struct server_parent *parent;
    struct wall now;
    struct buf *node_chain;
    struct buf *ca_chain;
    int64_t ahead_ms; /* out: how far the parent's clock is ahead of `now` */
};
enum err certify_renew(struct certify_renewal *renewal, struct errmsg *msg) MUST_CHECK;

#endif

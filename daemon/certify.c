#include "daemon/certify.h"

#include "net/join.h"

void certify_request_init(struct certify_request *request)
{
    buf_init(&request->node, PKI_FILE_MAX_BYTES);
    buf_init(&request->ca, PKI_FILE_MAX_BYTES);
}

void certify_request_deinit(struct certify_request *request)
{
    buf_deinit(&request->node);
    buf_deinit(&request->ca);
}

enum err certify_ask(const struct home *home, struct certify_request *request,
                     struct msg_join *join, struct errmsg *msg)
{
    buf_clear(&request->node);
    buf_clear(&request->ca);
    TRY(pki_request(home->node_key, &request->node, msg));
    TRY(pki_request(home->ca_key, &request->ca, msg));
    join->node_request = buf_bytes(&request->node);
    join->ca_request = buf_bytes(&request->ca);
    return ERR_OK;
}

static enum err check_chain(struct bytes chain, const struct pki_key *key, const struct hash *root,
                            struct errmsg *msg)
{
    struct hash is_root;
    struct hash is_key;
    struct hash want = pki_key_public(key);
    TRY(pki_chain_root(chain, &is_root, NULL, msg));
    TRY(pki_chain_key(chain, &is_key, msg));
    return hash_equal(&is_root, root) && hash_equal(&is_key, &want)
               ? ERR_OK
               : err_fail(msg, ERR_PROTOCOL,
                          "the parent sent certificates that are not this node's");
}

enum err certify_check(const struct home *home, const struct hash *root, const struct id *tree,
                       const struct msg_joined *joined, struct errmsg *msg)
{
    TRY(check_chain(joined->node_chain, home->node_key, root, msg));
    TRY(check_chain(joined->ca_chain, home->ca_key, root, msg));
    return id_equal(&joined->tree, tree)
               ? ERR_OK
               : err_fail(msg, ERR_PROTOCOL, "the parent belongs to another tree");
}

bool certify_ages(const struct home *home, struct wall now)
{
    return pki_chain_ages(buf_bytes(&home->node_chain), now) || home_admin_ages(home, now);
}

/* ---- renewing ---- */

struct asking {
    struct certify_renewal *renewal;
    struct certify_request request;
};

static enum err fill(void *ctx, const struct hash *exporter, struct msg_join *join,
                     struct errmsg *msg)
{
    struct asking *asking = ctx;
    (void)exporter;
    join->address = "";
    return certify_ask(asking->renewal->home, &asking->request, join, msg);
}

static enum err take_answer(void *ctx, const struct msg_joined *joined, struct errmsg *msg)
{
    struct certify_renewal *renewal = ((struct asking *)ctx)->renewal;
    TRY(certify_check(renewal->home, renewal->root, renewal->tree, joined, msg));
    buf_put(renewal->node_chain, joined->node_chain.data, joined->node_chain.len);
    buf_put(renewal->ca_chain, joined->ca_chain.data, joined->ca_chain.len);
    renewal->ahead_ms = joined->now.ms - clock_read().wall.ms;
    return renewal->node_chain->failed || renewal->ca_chain->failed
               ? err_fail(msg, ERR_LIMIT, "the parent's chain of certificates is too long")
               : ERR_OK;
}

static enum err ask_parent(struct certify_renewal *renewal, struct errmsg *msg)
{
    const struct server_parent *parent = renewal->parent;
    struct net_renewal shown = {.chain = buf_bytes(&renewal->home->node_chain),
                                .key = buf_bytes(&renewal->home->node_key_pem),
                                .root = buf_bytes(&renewal->home->root),
                                .parent_key = parent->key,
                                .address_count = parent->address_count,
                                .stop = &parent->stop};
    for (size_t i = 0; i < parent->address_count; i++) {
        shown.addresses[i] = parent->addresses[i];
    }
    struct asking asking = {.renewal = renewal};
    struct net_join join = {.renewal = &shown, .ctx = &asking, .fill = fill, .joined = take_answer};
    certify_request_init(&asking.request);
    enum err err = net_join(&join, msg);
    certify_request_deinit(&asking.request);
    return err;
}

enum err certify_renew(struct certify_renewal *renewal, struct errmsg *msg)
{
    const struct home *home = renewal->home;
    renewal->ahead_ms = 0;
    if (!renewal->parent->none) {
        return ask_parent(renewal, msg);
    }
    struct pki_subject subject = {.role = PKI_NODE,
                                  .tree = *renewal->tree,
                                  .node = *renewal->node,
                                  .key = pki_key_public(home->node_key)};
    buf_put(renewal->ca_chain, home->ca_chain.data, home->ca_chain.len);
    return pki_issue(home->ca_key, buf_bytes(&home->ca_chain), &subject, renewal->now,
                     renewal->node_chain, msg);
}

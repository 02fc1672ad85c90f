/* Making a node's database: for a root, and for a node that has just joined. */
#include <string.h>

#include "node/internal.h"

static enum err put_fact_text(struct store *store, const char *name, const char *text)
{
    return store_fact_set_blob(store, name, text, strlen(text));
}

/* What every node's file has: who it is and where it stands. */
struct identity {
    const char *unit;
    const char *name;
    const char *level;
    const char *parent; /* "" at the root */
    struct id tree;
    struct id node;
    struct id origin;
    struct id decider;
    struct hash key;
    struct hash root_key;
    int64_t hosting;
    int64_t count; /* of the deciding origin's acts; 0: the rows come again from above */
    int64_t scope;
};

static enum err put_identity(struct store *store, const struct identity *identity)
{
    int64_t unit;
    int64_t none;
    struct store_origin own = {.name = identity->origin, .scope = SCOPE_OWN};
    struct unit_edge edge = {.parent = identity->parent, .from = DAY_NONE, .to = DAY_NONE};
    struct buf edges;
    TRY(store_symbol_put(store, "", &none));
    TRY(store_symbol_put(store, identity->unit, &unit));
    TRY(store_fact_set_int(store, "unit", unit));
    TRY(store_fact_set_blob(store, "tree", identity->tree.b, ID_BYTES));
    TRY(store_fact_set_blob(store, "node", identity->node.b, ID_BYTES));
    TRY(store_fact_set_blob(store, "origin", identity->origin.b, ID_BYTES));
    TRY(store_fact_set_blob(store, "root_key", identity->root_key.b, HASH_BYTES));
    TRY(store_fact_set_int(store, "hosting", identity->hosting));
    own.unit = unit;
    TRY(store_origin_add(store, &own));
    buf_init(&edges, 4096);
    edges_encode(&edge, 1, &edges);
    struct store_unit row = {.code = unit,
                             .name = identity->name,
                             .level = identity->level,
                             .edges = {edges.data, edges.len},
                             .decider = identity->decider,
                             .count = identity->count,
                             .scope = identity->scope,
                             .rev = 1};
    enum err err = edges.failed ? ERR_NO_MEMORY : store_unit_put(store, &row);
    buf_deinit(&edges);
    TRY(err);
    struct store_hosting hosting = {.unit = unit,
                                    .node = identity->node,
                                    .origin = identity->origin,
                                    .key = identity->key,
                                    .number = identity->hosting,
                                    .decider = identity->decider,
                                    .count = identity->count,
                                    .scope = identity->scope,
                                    .rev = 2};
    TRY(store_hosting_put(store, &hosting));
    TRY(store_fact_set_int(store, "tree_version", 1));
    return store_fact_set_int(store, "head", 2);
}

static enum err publish_first(struct store *store, const struct node_root *root, struct errmsg *msg)
{
    struct node *node;
    struct buf content;
    buf_init(&content, CATALOGUE_MAX_BYTES);
    catalogue_encode(root->catalogue, &content);
    enum err err = content.failed ? err_fail(msg, ERR_LIMIT, "the catalogue is too large")
                                  : node_open(store, &root->env, root->now, &node, msg);
    if (err == ERR_OK) {
        struct node_client client = {.id = 1, .role = NODE_ROLE_ADMIN, .author = root->author};
        struct msg_request request = {.type = REQUEST_APPLY,
                                      .u.apply = {.catalogue = {content.data, content.len}}};
        node_begin(node, root->now);
        node_on_request(node, &client, &request);
        err = node_commit(node, msg);
        for (const struct effect *effect = node_effect(node); effect != NULL;
             effect = node_effect(node)) {
            bool refused = effect->type == EFFECT_REPLY && effect->message->u.reply.err != ERR_OK;
            err = refused ? err_fail(msg, ERR_REFUSED, "%s", effect->message->u.reply.text) : err;
        }
        node_close(node);
    }
    buf_deinit(&content);
    return err;
}

enum err node_make_root(struct store *store, const struct node_root *root, struct errmsg *msg)
{
    struct identity identity = {.unit = root->unit,
                                .name = root->name,
                                .level = root->level,
                                .parent = "",
                                .tree = root->tree,
                                .node = root->node,
                                .origin = root->origin,
                                .decider = root->origin,
                                .key = root->key,
                                .root_key = root->key,
                                .hosting = 1,
                                .count = 1,
                                .scope = SCOPE_OWN};
    enum err err = store_begin(store);
    err = err == ERR_OK ? put_identity(store, &identity) : err;
    err = err == ERR_OK ? store_fact_set_int(store, "is_root", 1) : err;
    err = err == ERR_OK ? identity_seal(store) : err;
    err = err == ERR_OK ? store_commit(store) : err;
    if (err != ERR_OK) {
        store_rollback(store);
        return err_fail(msg, err, "%s", store_error(store));
    }
    return root->catalogue == NULL ? ERR_OK : publish_first(store, root, msg);
}

enum err node_make_child(struct store *store, const struct msg_joined *joined,
                         const struct hash *key, struct errmsg *msg)
{
    if (joined->ancestor_count == 0) {
        return err_fail(msg, ERR_PROTOCOL, "the parent did not say who it is");
    }
    const struct ancestor *parent = &joined->ancestors[0];
    struct identity identity = {.unit = joined->unit,
                                .name = joined->unit_name,
                                .level = joined->unit_level,
                                .parent = parent->unit,
                                .tree = joined->tree,
                                .node = joined->node,
                                .origin = joined->origin,
                                .key = *key,
                                .root_key = joined->root_key,
                                .hosting = joined->hosting,
                                .scope = SCOPE_ABOVE};
    struct buf addresses;
    buf_init(&addresses, 1 << 14);
    buf_put_u32(&addresses, (uint32_t)parent->address_count);
    for (size_t i = 0; i < parent->address_count; i++) {
        buf_put_str(&addresses, parent->addresses[i]);
    }
    enum err err = addresses.failed ? ERR_NO_MEMORY : store_begin(store);
    err = err == ERR_OK ? put_identity(store, &identity) : err;
    err = err == ERR_OK ? store_fact_set_int(store, "is_root", 0) : err;
    err = err == ERR_OK ? store_fact_set_blob(store, "parent_key", parent->key.b, HASH_BYTES) : err;
    err = err == ERR_OK
              ? store_fact_set_blob(store, "parent_addresses", addresses.data, addresses.len)
              : err;
    err = err == ERR_OK ? put_fact_text(store, "parent_unit", parent->unit) : err;
    err = err == ERR_OK ? identity_seal(store) : err;
    err = err == ERR_OK ? store_commit(store) : err;
    buf_deinit(&addresses);
    if (err != ERR_OK) {
        store_rollback(store);
        return err_fail(msg, err, "%s", store_error(store));
    }
    return ERR_OK;
}

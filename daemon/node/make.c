/* Making a node's database: for a root, for a node that has just joined, and for one that has
 * joined again with the data that it has. */
#include <stdio.h>
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

static enum err end_transaction(struct store *store, enum err err, struct errmsg *msg)
{
    err = err == ERR_OK ? store_commit(store) : err;
    if (err != ERR_OK) {
        store_rollback(store);
        return err_fail(msg, err, "%s", store_error(store));
    }
    return ERR_OK;
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
    TRY(end_transaction(store, err, msg));
    return root->catalogue == NULL ? ERR_OK : publish_first(store, root, msg);
}

static enum err put_parent(struct store *store, const struct ancestor *parent)
{
    struct buf addresses;
    buf_init(&addresses, 1 << 14);
    buf_put_u32(&addresses, (uint32_t)parent->address_count);
    for (size_t i = 0; i < parent->address_count; i++) {
        buf_put_str(&addresses, parent->addresses[i]);
    }
    enum err err = addresses.failed ? ERR_NO_MEMORY : ERR_OK;
    err = err == ERR_OK ? store_fact_set_blob(store, "parent_key", parent->key.b, HASH_BYTES) : err;
    err = err == ERR_OK
              ? store_fact_set_blob(store, "parent_addresses", addresses.data, addresses.len)
              : err;
    buf_deinit(&addresses);
    TRY(err);
    return put_fact_text(store, "parent_unit", parent->unit);
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
    enum err err = store_begin(store);
    err = err == ERR_OK ? put_identity(store, &identity) : err;
    err = err == ERR_OK ? store_fact_set_int(store, "is_root", 0) : err;
    err = err == ERR_OK ? put_parent(store, parent) : err;
    err = err == ERR_OK ? identity_seal(store) : err;
    return end_transaction(store, err, msg);
}

/* ---- the same data under a new identity ---- */

static enum err read_owner(struct store *store, struct arena *arena, struct node_owner *out)
{
    int64_t unit;
    int64_t is_root;
    const char *code;
    TRY(store_fact_fixed(store, "tree", out->tree.b, ID_BYTES));
    TRY(store_fact_fixed(store, "origin", out->origin.b, ID_BYTES));
    TRY(store_fact_int(store, "is_root", 0, &is_root));
    TRY(store_fact_int(store, "unit", 0, &unit));
    TRY(store_symbol_text(store, unit, arena, &code));
    out->is_root = is_root != 0;
    (void)snprintf(out->unit, sizeof out->unit, "%s", code);
    return ERR_OK;
}

enum err node_owner(struct store *store, struct node_owner *out, struct errmsg *msg)
{
    struct arena arena;
    arena_init(&arena, 1 << 16);
    enum err err = read_owner(store, &arena, out);
    arena_reset(&arena);
    return err == ERR_OK ? ERR_OK : store_unusable(store, err, "it does not say whose it is", msg);
}

/* Names that others know this file by, and what they had of it, are those of a node that is gone.
 */
static enum err forget_links(struct store *store)
{
    static const char *const NAMES[] = {"acked_session", "said_session", "welcomed_session",
                                        "parent_have_session"};
    static const struct id NONE;
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        TRY(store_fact_set_blob(store, NAMES[i], NONE.b, ID_BYTES));
    }
    TRY(store_fact_set_int(store, "acked_revision", 0));
    TRY(store_fact_set_int(store, "entries_acked", 0));
    TRY(store_fact_set_int(store, "parent_have_revision", 0));
    TRY(store_fact_set_int(store, "parent_number", 0));
    TRY(store_alarm_delete(store, "uplink-refused", "parent"));
    return store_sessions_forget(store);
}

static enum err take_identity(struct store *store, const struct msg_joined *joined,
                              const struct hash *key)
{
    struct store_hosting own;
    int64_t unit;
    TRY(store_fact_int(store, "unit", 0, &unit));
    TRY(store_hosting_get(store, unit, &own));
    own.node = joined->node;
    own.key = *key;
    own.number = joined->hosting;
    TRY(store_hosting_put(store, &own)); /* the row that tells others of it comes from above */
    TRY(store_fact_set_blob(store, "node", joined->node.b, ID_BYTES));
    TRY(store_fact_set_int(store, "hosting", joined->hosting));
    TRY(put_parent(store, &joined->ancestors[0]));
    TRY(forget_links(store));
    return identity_seal(store);
}

enum err node_rejoin(struct store *store, const struct msg_joined *joined, const struct hash *key,
                     struct errmsg *msg)
{
    struct node_owner owner;
    if (joined->ancestor_count == 0) {
        return err_fail(msg, ERR_PROTOCOL, "the parent did not say who it is");
    }
    TRY(node_owner(store, &owner, msg));
    if (!id_equal(&owner.tree, &joined->tree) || !id_equal(&owner.origin, &joined->origin)) {
        return err_fail(msg, ERR_PROTOCOL, "the parent answered for another node's data");
    }
    enum err err = store_begin(store);
    err = err == ERR_OK ? take_identity(store, joined, key) : err;
    return end_transaction(store, err, msg);
}

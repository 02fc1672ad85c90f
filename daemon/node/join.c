/* Joining and renewing, at the parent. Joining: a stranger shows that it knows the secret of an
 * invitation, bound to its TLS session, and is given a place: a node id, an origin, a hosting act
 * that raises the unit's hosting number. The network side certifies its keys after the commit. The
 * same key with the same invitation again gets the same answer, so that a lost reply costs nothing;
 * another key finds the invitation used. */
#include <string.h>

#include "base/sha256.h"
#include "node/admit.h"

static void refuse_join(struct node *node, uint64_t link, const char *text)
{
    struct message *message = node_message(node, MESSAGE_JOINED);
    struct effect *effect = message == NULL ? NULL : node_emit(node, EFFECT_SEND, link);
    if (effect != NULL) {
        message->u.joined = (struct msg_joined){
            .err = ERR_REFUSED, .text = text, .unit = "", .unit_name = "", .unit_level = ""};
        effect->message = message;
        node_log(node, true, "join=refused text=\"%s\"", text);
    }
}

/* The proof: HMAC(secret, exporter ‖ node request ‖ ca request). */
static enum err check_proof(const struct store_invite *invite, const struct msg_join *join,
                            const struct node_joiner *joiner, bool *good)
{
    struct buf said;
    buf_init(&said, FRAME_MAX_BYTES);
    buf_put_hash(&said, &joiner->exporter);
    buf_put(&said, join->node_request.data, join->node_request.len);
    buf_put(&said, join->ca_request.data, join->ca_request.len);
    struct hash want = hmac_sha256(invite->secret, sizeof invite->secret, said.data, said.len);
    enum err err = said.failed ? ERR_NO_MEMORY : ERR_OK; /* both requests came in one frame */
    *good = secret_equal(want.b, join->proof.b, sizeof want.b);
    buf_deinit(&said);
    return err;
}

/* A machine that has data goes on with it only where it belongs. */
static enum err check_data(struct node *node, const struct store_invite *invite,
                           const struct msg_join *join, const char **no)
{
    struct store_hosting hosting;
    if (id_is_zero(&join->origin)) {
        return ERR_OK;
    }
    enum err err = store_hosting_get(node->store, invite->unit, &hosting);
    bool its = err == ERR_OK && id_equal(&hosting.origin, &join->origin);
    *no = its ? NULL
              : "the data of this machine is another node's than that which this unit has; join "
                "in an empty directory";
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static const char *why_not(const struct node *node, const struct store_invite *invite,
                           const struct node_joiner *joiner)
{
    if (invite->used && !hash_equal(&invite->key, &joiner->node_key)) {
        return "this invitation was used already; ask for a new one with tally invite";
    }
    if (!invite->used && node->now.wall.ms > invite->expires.ms) {
        return "this invitation has expired; ask for a new one with tally invite";
    }
    return NULL;
}

/* The hosting row of the unit after this join. */
static enum err host(struct node *node, struct store_invite *invite,
                     const struct node_joiner *joiner, struct store_hosting *hosting)
{
    enum err err = store_hosting_get(node->store, invite->unit, hosting);
    bool had = err == ERR_OK;
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    struct store_hosting next = {
        .unit = invite->unit, .key = joiner->node_key, .decider = node->origin, .scope = SCOPE_OWN};
    next.count = (had ? hosting->count : 0) + 1;
    next.number = had && hosting->number > node->hosting ? hosting->number : node->hosting;
    next.number = room_next(next.number, node->number_floor);
    node->env.random(node->env.ctx, next.node.b, sizeof next.node.b);
    if (had) {
        next.origin = hosting->origin; /* the new machine goes on with the ledger of the old one */
    } else {
        node->env.random(node->env.ctx, next.origin.b, sizeof next.origin.b);
    }
    TRY(admit_host(node, &next, 1, "join"));
    invite->used = true;
    invite->key = joiner->node_key;
    *hosting = next;
    return store_invite_put(node->store, invite);
}

static enum err answer(struct node *node, uint64_t link, const struct store_hosting *hosting)
{
    struct msg_joined *joined = arena_alloc(&node->arena, sizeof *joined);
    const struct unit *unit = &node->view.tree.units[view_unit(&node->view, hosting->unit)];
    struct effect *effect = node_emit(node, EFFECT_ISSUE, link);
    if (joined == NULL || effect == NULL) {
        return ERR_NO_MEMORY;
    }
    *joined = (struct msg_joined){.text = "",
                                  .tree = node->identity.tree,
                                  .node = hosting->node,
                                  .origin = hosting->origin,
                                  .unit = node_keep(node, unit->code),
                                  .unit_name = node_keep(node, unit->name),
                                  .unit_level = node_keep(node, unit->level),
                                  .hosting = hosting->number,
                                  .root_key = node->root_key};
    TRY(hello_ancestors(node, &joined->ancestors, &joined->ancestor_count));
    effect->joined = joined;
    return ERR_OK;
}

static void log_answer(struct node *node, const char *what, int64_t unit)
{
    const char *code;
    node_log(node, false, "%s=accepted unit=%s", what,
             node_text(node, unit, &code) == ERR_OK ? code : "?");
}

/* The table of children says who may have a certificate, as it says who may link. */
void node_on_renew(struct node *node, uint64_t link, const struct id *node_id,
                   const struct hash *key)
{
    struct store_hosting hosting;
    enum err err = store_hosting_by_key(node->store, key, &node->origin, &hosting);
    bool mine = err == ERR_OK && id_equal(&hosting.node, node_id);
    if (mine && !hosting.revoked) {
        err = answer(node, link, &hosting);
        log_answer(node, "renewal", hosting.unit);
    } else if (err == ERR_OK || err == ERR_NOT_FOUND) {
        err = ERR_OK;
        refuse_join(node, link, NODE_UNKNOWN);
    }
    if (err != ERR_OK) {
        node_fail(node, err, "renewal");
    }
}

void node_on_join(struct node *node, uint64_t link, const struct msg_join *join,
                  const struct node_joiner *joiner)
{
    struct store_invite invite;
    struct store_hosting hosting;
    bool good = false;
    enum err err = store_invite_get(node->store, &join->invite, &invite);
    err = err == ERR_OK ? check_proof(&invite, join, joiner, &good) : err;
    if (err == ERR_NOT_FOUND || (err == ERR_OK && !good)) {
        refuse_join(
            node, link,
            "this office gave out no such invitation; check the token, or ask for a new one");
        return;
    }
    const char *no = err == ERR_OK ? why_not(node, &invite, joiner) : NULL;
    err = err == ERR_OK && no == NULL ? check_data(node, &invite, join, &no) : err;
    if (err == ERR_OK && no != NULL) {
        refuse_join(node, link, no);
        return;
    }
    if (err == ERR_OK && invite.used) {
        err = store_hosting_get(node->store, invite.unit, &hosting);
    } else if (err == ERR_OK) {
        err = host(node, &invite, joiner, &hosting);
    }
    err = err == ERR_OK ? answer(node, link, &hosting) : err;
    if (err != ERR_OK) {
        node_fail(node, err, "join");
        return;
    }
    log_answer(node, "join", hosting.unit);
}

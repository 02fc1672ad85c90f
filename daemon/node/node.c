/* The node: opening, the batch, dispatch.
 *
 * 1. node_begin takes the time and clears what the last batch left.
 * 2. Events change state in memory and rows in the open transaction, and line up effects.
 * 3. node_commit flushes cells and totals, then lets every link that has something to say or to
 * acknowledge do so (reads of what was flushed), commits, and only then gives the effects out.
 *
 * When anything in a batch fails, all of it is rolled back: every link is closed (they come again
 * and resume from what is on disk), every request of the batch is answered with the reason, and
 * what is cached is read anew. So memory never differs from the file. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/internal.h"

enum { AUDIT_EVERY_MS = DAY_MS, AUDIT_FIRST_MS = 1500, SYMBOLS_KEPT = 50000, ORIGINS_PAGE = 256 };

static enum err load_own_segment_state(struct node *node)
{
    int64_t known;
    int64_t held;
    TRY(store_ledger_length(node->store, node->own_origin, &known, &held));
    node->ledger_length = held;
    if (node->segment.id != 0) {
        enum err err = store_segment_get(node->store, node->segment.id, &node->segment);
        if (err == ERR_NOT_FOUND) {
            node->segment = (struct store_segment){.id = 0};
            err = ERR_OK;
        }
        TRY(err);
    }
    node->segment_dirty = false;
    return store_newest_recording(node->store, &node->newest_recording);
}

static enum err load_feed_state(struct node *node)
{
    TRY(store_fact_int(node->store, "head", 0, &node->head));
    node->stored_head = node->head;
    node->read = node->head;
    node->down_head = node->head;
    node->signed_length = -1;
    node->uplink_said = 0;
    TRY(store_fact_int(node->store, "acked_revision", 0, &node->acked.revision));
    TRY(store_fact_int(node->store, "entries_acked", 0, &node->entries_acked));
    TRY(store_fact_int(node->store, "parent_have_revision", 0, &node->parent_have.revision));
    enum err err = store_fact_fixed(node->store, "acked_session", node->acked.session.b, ID_BYTES);
    err = err == ERR_OK || err == ERR_NOT_FOUND
              ? store_fact_fixed(node->store, "parent_have_session", node->parent_have.session.b,
                                 ID_BYTES)
              : err;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err load_origins(struct node *node)
{
    struct store_origin rows[ORIGINS_PAGE];
    size_t n = ORIGINS_PAGE;
    map_clear(&node->origins);
    node->homeless = 0;
    for (int64_t after = 0; n == ORIGINS_PAGE; after = rows[n - 1].id) {
        TRY(store_origins(node->store, after, rows, ORIGINS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct cached_origin *cached = map_put(&node->origins, &rows[i].id, NULL);
            if (cached == NULL) {
                return ERR_NO_MEMORY;
            }
            *cached = (struct cached_origin){.row = rows[i]};
            node->homeless += rows[i].scope == SCOPE_BELOW && rows[i].unit == 0 ? 1 : 0;
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

/* The tree anew, and what points into it. */
static enum err load_view(struct node *node, struct errmsg *msg)
{
    node->view.tree_version = -1;
    TRY(view_load(&node->view, msg));
    node->identity.unit = node->view.tree.units[node->view.self].code;
    return ERR_OK;
}

/* Everything that memory keeps of the file. */
static enum err load_state(struct node *node, struct errmsg *msg)
{
    int64_t is_root;
    struct store_origin own;
    map_clear(&node->cells);
    map_clear(&node->totals);
    map_clear(&node->symbols);
    texts_clear(&node->texts);
    TRY(load_view(node, msg));
    TRY(store_fact_fixed(node->store, "tree", node->identity.tree.b, ID_BYTES));
    TRY(store_fact_fixed(node->store, "node", node->identity.node.b, ID_BYTES));
    TRY(store_fact_fixed(node->store, "origin", node->origin.b, ID_BYTES));
    TRY(store_fact_fixed(node->store, "root_key", node->root_key.b, HASH_BYTES));
    TRY(store_fact_int(node->store, "is_root", 0, &is_root));
    TRY(store_fact_int(node->store, "hosting", 1, &node->hosting));
    TRY(store_origin_find(node->store, &node->origin, &own));
    node->identity.is_root = is_root != 0;
    node->own_origin = own.id;
    TRY(load_feed_state(node));
    TRY(load_own_segment_state(node));
    TRY(load_origins(node));
    TRY(store_cells_held_count(node->store, &node->held_rows));
    return store_refused_total(node->store, &node->refused_rows);
}

static enum err load_parent(struct node *node)
{
    struct bytes bytes;
    if (node->identity.is_root) {
        return ERR_OK;
    }
    arena_reset(&node->identity_arena);
    TRY(store_fact_fixed(node->store, "parent_key", node->identity.parent_key.b, HASH_BYTES));
    TRY(store_fact_blob(node->store, "parent_addresses", &node->identity_arena, &bytes));
    struct cur cur = cur_over(bytes.data, bytes.len);
    size_t n = cur_u32(&cur);
    n = n > ADDRESSES_MAX ? ADDRESSES_MAX : n;
    const char **list = arena_array(&node->identity_arena, ADDRESSES_MAX, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++) {
        struct bytes text = cur_blob(&cur);
        list[i] = arena_strn(&node->identity_arena, (const char *)text.data, text.len);
        if (list[i] == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    node->identity.parent_addresses = list;
    node->identity.parent_address_count = n;
    return list == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* Nobody is linked when a process starts. */
static enum err reset_statuses(struct node *node)
{
    enum { PAGE = 256 };
    struct store_status rows[PAGE];
    size_t n = PAGE;
    for (int64_t after = 0; n == PAGE; after = rows[n - 1].unit) {
        TRY(store_statuses(node->store, after, rows, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            if (rows[i].direct && rows[i].state != LINK_OFFLINE && rows[i].state != LINK_NEVER) {
                rows[i].state = LINK_OFFLINE;
                TRY(rows_put_status(node, &rows[i]));
            }
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

static enum err first_batch(struct node *node, struct now now, struct errmsg *msg)
{
    node_begin(node, now);
    node->env.random(node->env.ctx, node->session.b, sizeof node->session.b);
    enum err err = node_write(node);
    err = err == ERR_OK ? store_session_add(node->store, &node->session, node->head, SESSIONS_MAX)
                        : err;
    err = err == ERR_OK ? reset_statuses(node) : err;
    if (err == ERR_OK && !node->identity.is_root) {
        uplink_refused_state(node, UPLINK_CONNECTING, "");
    }
    if (err != ERR_OK) {
        node_fail(node, err, "start");
    }
    return node_commit(node, msg);
}

enum err node_open(struct store *store, const struct node_env *env, struct now now,
                   struct node **out, struct errmsg *msg)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    node->store = store;
    node->env = *env;
    node->now = now;
    node->audit_due = (struct mono){now.mono.ms + AUDIT_FIRST_MS};
    node->effects_end = &node->effects;
    view_init(&node->view, store);
    arena_init(&node->arena, EFFECTS_ARENA_BYTES);
    arena_init(&node->identity_arena, 1 << 16);
    buf_init(&node->scratch, FRAME_MAX_BYTES);
    map_init(&node->cells, sizeof(struct store_cell_key), sizeof(struct pending_cell));
    map_init(&node->totals, sizeof(struct total_key), sizeof(struct total_delta));
    map_init(&node->origins, sizeof(int64_t), sizeof(struct cached_origin));
    map_init(&node->stated, sizeof(int64_t), sizeof(struct stated_heads));
    map_init(&node->symbols, sizeof(uint64_t), sizeof(int64_t));
    texts_init(&node->texts, store);
    struct errmsg why = {{0}};
    enum err err = load_state(node, &why);
    err = err == ERR_OK ? load_parent(node) : err;
    if (err != ERR_OK) {
        (void)err_fail(msg, err, "the node's state cannot be read: %s",
                       why.text[0] != '\0' ? why.text : store_error(store));
    } else {
        err = first_batch(node, now, msg);
    }
    if (err != ERR_OK) {
        node_close(node);
        return err;
    }
    *out = node;
    return ERR_OK;
}

void node_close(struct node *node)
{
    if (node == NULL) {
        return;
    }
    for (size_t i = 0; i < node->link_count; i++) {
        map_deinit(&node->links[i]->unequal);
        free((char *)node->links[i]->address);
        free(node->links[i]);
    }
    audit_stop(node);
    free(node->links);
    free(node->waiters);
    free(node->damages);
    for (size_t i = 0; i < node->address_count; i++) {
        free(node->addresses[i]);
    }
    view_deinit(&node->view);
    arena_reset(&node->arena);
    arena_reset(&node->identity_arena);
    buf_deinit(&node->scratch);
    map_deinit(&node->cells);
    map_deinit(&node->totals);
    map_deinit(&node->origins);
    map_deinit(&node->stated);
    map_deinit(&node->symbols);
    texts_deinit(&node->texts);
    free(node);
}

void node_set_addresses(struct node *node, const char *const *addresses, size_t count,
                        const struct hash *root)
{
    for (size_t i = 0; i < node->address_count; i++) {
        free(node->addresses[i]);
    }
    node->address_count = 0;
    node->root_fingerprint = *root;
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++) {
        char *copy = strlen(addresses[i]) <= ADDRESS_MAX_BYTES ? strdup(addresses[i]) : NULL;
        if (copy != NULL) {
            node->addresses[node->address_count++] = copy;
        }
    }
}

const struct node_identity *node_identity(const struct node *node)
{
    return &node->identity;
}

/* ---- the batch ---- */

void node_begin(struct node *node, struct now now)
{
    arena_reset(&node->arena);
    node->effects = NULL;
    node->effects_end = &node->effects;
    node->effect_at = NULL;
    node->requests = NULL;
    node->now = now;
    node->failed = ERR_OK;
    node->failure.text[0] = '\0';
    node->tree_changed = false;
    texts_trim(&node->texts);
    if (node->symbols.count > SYMBOLS_KEPT) {
        map_clear(&node->symbols);
    }
    map_clear(&node->stated);
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        link->ack_due = false;
        link->ack_asked = false;
        link->mark_due = false;
        link->digests = NULL;
        link->digest_count = 0;
        link->refused = NULL;
        link->refused_count = 0;
        link->refused_total = 0;
        link->escrow_head = (struct head){.length = 0};
        link->ask_again = NULL;
        link->ask_again_count = 0;
    }
}

enum err node_savepoint(struct node *node)
{
    TRY(node_write(node));
    TRY(cells_flush(node));
    TRY(ledger_flush(node));
    node->saved_head = node->head;
    node->saved_down_head = node->down_head;
    return store_savepoint(node->store);
}

enum err node_savepoint_end(struct node *node, bool undo)
{
    TRY(ledger_flush(node));
    TRY(store_savepoint_end(node->store, undo));
    if (!undo) {
        return ERR_OK;
    }
    node->head = node->saved_head;
    node->down_head = node->saved_down_head;
    map_clear(&node->cells);
    map_clear(&node->totals);
    map_clear(&node->symbols); /* numbers may be given again */
    texts_clear(&node->texts);
    TRY(load_own_segment_state(node));
    TRY(load_origins(node));
    return load_view(node, NULL);
}

static void remember_request(struct node *node, const struct node_client *client,
                             const struct msg_request *request)
{
    struct effect_node *made = arena_alloc(&node->arena, sizeof *made);
    struct message *message = node_message(node, MESSAGE_REPLY);
    if (made == NULL || message == NULL) {
        return;
    }
    message->u.reply = (struct msg_reply){.id = request->id, .type = request->type};
    made->effect = (struct effect){.type = EFFECT_REPLY, .link = client->id, .message = message};
    made->next = node->requests;
    node->requests = made;
}

void node_on_request(struct node *node, const struct node_client *client,
                     const struct msg_request *request)
{
    struct request both = {client, request};
    remember_request(node, client, request);
    if (node->failed != ERR_OK) {
        return;
    }
    if (request->type == REQUEST_RECORD) {
        record_request(node, &both);
    } else if (request->type == REQUEST_CORRECT) {
        correct_request(node, &both);
    } else if (request->type == REQUEST_WAIT) {
        wait_request(node, &both);
    } else if (request->type == REQUEST_APPLY) {
        apply_request(node, &both);
    } else if (request->type == REQUEST_UNITS) {
        units_request(node, &both);
    } else if (request->type == REQUEST_INVITE) {
        invite_request(node, &both);
    } else {
        request_refuse(node, &both, ERR_PROTOCOL, "this request is not known here");
    }
}

void node_on_client_gone(struct node *node, uint64_t client)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->waiter_count; i++) {
        if (node->waiters[i].client != client) {
            node->waiters[kept++] = node->waiters[i];
        }
    }
    node->waiter_count = kept;
}

void node_on_message(struct node *node, uint64_t id, const struct message *message)
{
    struct link *link = node_link(node, id);
    if (link == NULL || link->state == SESSION_CLOSING || node->failed != ERR_OK) {
        return;
    }
    if (link->up) {
        uplink_message(node, link, message);
    } else {
        downlink_message(node, link, message);
    }
}

static void tick_link(struct node *node, struct link *link)
{
    int64_t now = node->now.mono.ms;
    if (link->state == SESSION_CLOSING) {
        return;
    }
    if (now - link->heard_at.ms > SILENCE_MS) {
        node_close_link(node, link, "nothing was heard for too long");
        return;
    }
    if (link->state == SESSION_LIVE && now - link->spoke_at.ms >= PING_EVERY_MS) {
        node_ping(node, link, false, (uint64_t)now);
    }
}

void node_on_tick(struct node *node)
{
    for (size_t i = 0; i < node->link_count; i++) {
        tick_link(node, node->links[i]);
    }
    if (node->audit == NULL && node->now.mono.ms < node->audit_due.ms) {
        return;
    }
    node->audit_due = (struct mono){node->now.mono.ms + AUDIT_EVERY_MS};
    enum err err = node->failed == ERR_OK ? audit_step(node) : ERR_OK;
    if (err != ERR_OK) {
        node_fail(node, err, "audit");
    }
}

void node_on_verified(struct node *node)
{
    enum err err = node->failed == ERR_OK ? node_write(node) : ERR_OK;
    err = err == ERR_OK && node->failed == ERR_OK ? store_alarms_delete_mended(node->store) : err;
    if (err != ERR_OK) {
        node_fail(node, err, "verified");
    }
}

bool node_wants_tick(const struct node *node)
{
    return node->audit != NULL;
}

/* ---- the end of a batch ---- */

static enum err settle(struct node *node)
{
    TRY(cells_flush(node));
    if (node->recheck_held) {
        node->recheck_held = false;
        TRY(cells_recheck_held(node));
        TRY(store_cells_held_count(node->store, &node->held_rows));
    }
    TRY(ledger_flush(node));
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        TRY(link->up ? ERR_OK : downlink_settle(node, link));
    }
    TRY(cells_flush(node));
    if (node->uplink != NULL) {
        TRY(uplink_settle(node, node->uplink));
    }
    TRY(cells_flush(node));
    if (node->tree_changed) {
        TRY(store_fact_set_int(node->store, "tree_version", ++node->view.tree_version));
        node->tree_changed = false;
    }
    if (node->head != node->stored_head) {
        TRY(node_write(node));
        TRY(store_fact_set_int(node->store, "head", node->head));
    }
    return ERR_OK;
}

/* Revisions of records are known only after the flush. */
static void finish_replies(struct node *node)
{
    for (struct effect_node *at = node->effects; at != NULL; at = at->next) {
        if (at->effect.type == EFFECT_REPLY) {
            struct msg_reply *reply =
                (struct msg_reply *)&((struct message *)at->effect.message)->u.reply;
            bool recorded = reply->type == REQUEST_RECORD || reply->type == REQUEST_CORRECT ||
                            reply->type == REQUEST_UNITS;
            if (recorded && reply->u.recorded.revision == INT64_MAX) {
                reply->u.recorded.revision = node->head;
            }
        }
    }
}

static const char *failure_text(const struct node *node)
{
    return node->failed == ERR_DISK_FULL
               ? "the disk is full; nothing of this was recorded; free some room and try again"
               : node->failure.text;
}

/* Nothing of the batch has happened. */
static void take_back(struct node *node)
{
    struct effect_node *requests = node->requests;
    if (node->in_transaction) {
        store_rollback(node->store);
        node->in_transaction = false;
    }
    node->effects = NULL;
    node->effects_end = &node->effects;
    for (; requests != NULL; requests = requests->next) {
        struct effect *effect = node_emit(node, EFFECT_REPLY, requests->effect.link);
        if (effect != NULL) {
            struct message *message = (struct message *)requests->effect.message;
            message->u.reply.err = node->failed;
            message->u.reply.text = failure_text(node);
            effect->message = message;
        }
    }
    for (size_t i = 0; i < node->link_count; i++) {
        node_close_link(node, node->links[i], "the disk refused the last batch");
    }
    audit_stop(node);
    waiters_settle(node, false);
    struct errmsg why;
    enum err err = load_state(node, &why);
    if (err != ERR_OK) {
        node->failed = ERR_IO; /* the file cannot be read any more: the process must stop */
    }
}

enum err node_commit(struct node *node, struct errmsg *msg)
{
    enum err err = node->failed == ERR_OK ? settle(node) : ERR_OK;
    if (err != ERR_OK) {
        node_fail(node, err, "batch");
    }
    if (node->failed == ERR_OK) {
        waiters_wake(node);
    }
    if (node->failed == ERR_OK && node->in_transaction) {
        err = store_commit(node->store);
        if (err != ERR_OK) {
            node_fail(node, err, "commit");
        } else {
            node->in_transaction = false;
            node->stored_head = node->head;
        }
    }
    if (node->failed == ERR_OK) {
        waiters_settle(node, true);
        finish_replies(node);
        node->effect_at = node->effects;
        return ERR_OK;
    }
    enum err failed = err_fail(msg, node->failed, "%s", failure_text(node));
    take_back(node);
    node->effect_at = node->effects;
    return node->failed == ERR_IO ? ERR_IO : failed;
}

const struct effect *node_effect(struct node *node)
{
    struct effect_node *at = node->effect_at;
    if (at == NULL) {
        return NULL;
    }
    node->effect_at = at->next;
    return &at->effect;
}

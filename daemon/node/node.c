/* The node: the batch, dispatch.
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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/sealing.h"

enum { SYMBOLS_KEPT = 50000 };

/* ---- the batch ---- */

static void link_begin(struct link *link)
{
    link->ack_due = false;
    link->ack_asked = false;
    link->mark_due = false;
    link->digests = NULL;
    link->digest_count = 0;
    link->ranges = NULL;
    link->again = NULL;
    link->again_count = 0;
    link->refused = NULL;
    link->refused_count = 0;
    link->refused_total = 0;
    link->escrow_head = (struct head){.length = 0};
    link->ask_again = NULL;
    link->ask_again_count = 0;
    link->differs = false;
}

void node_begin(struct node *node, struct now now)
{
    arena_reset(&node->arena);
    node->effects = NULL;
    node->effects_end = &node->effects;
    node->effect_at = NULL;
    node->requests = NULL;
    node->now = now;
    node->begun_damages = node->damage_count;
    node->audit_ran = false;
    node->failed = ERR_OK;
    node->failure.text[0] = '\0';
    node->tree_changed = false;
    if (node->bundle != NULL) {
        node->bundle->fresh = false;
        link_begin(node->bundle->link);
    }
    texts_trim(&node->texts);
    if (node->symbols.count > SYMBOLS_KEPT) {
        map_clear(&node->symbols);
    }
    map_clear(&node->stated);
    for (size_t i = 0; i < node->link_count; i++) {
        link_begin(node->links[i]);
    }
}

enum err node_savepoint(struct node *node)
{
    TRY(node_write(node));
    TRY(cells_flush(node));
    TRY(ledger_flush(node));
    node->saved_head = node->head;
    node->saved_down_head = node->down_head;
    node->saved_damages = node->damage_count;
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
    node->damage_count =
        node->saved_damages < node->damage_count ? node->saved_damages : node->damage_count;
    map_clear(&node->cells);
    map_clear(&node->totals);
    map_clear(&node->symbols); /* numbers may be given again */
    texts_clear(&node->texts);
    TRY(open_load_own_segment(node));
    TRY(open_load_origins(node));
    return open_load_view(node, NULL);
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
    if (node->full && request->type != REQUEST_WAIT) {
        request_refuse(node, &both, ERR_DISK_FULL, NODE_FULL);
    } else if (request->type == REQUEST_RECORD) {
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
    } else if (request->type == REQUEST_BUNDLE_WRITE) {
        bundle_request(node, &both);
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
    bool talks = link->state == SESSION_LIVE || link->state == SESSION_HEALING;
    if (talks && now - link->spoke_at.ms >= PING_EVERY_MS) {
        node_ping(node, link, false, (uint64_t)now);
    }
}

void node_set_full(struct node *node, bool full)
{
    node->full = full;
}

/* Children come again, and are told why not. */
static enum err say_full(struct node *node)
{
    TRY(node_write(node));
    for (size_t i = 0; i < node->link_count && node->full; i++) {
        struct link *link = node->links[i];
        if (!link->up && link->state != SESSION_CLOSING) {
            downlink_refuse(node, link, REFUSAL_BUSY, NODE_FULL_HERE);
        }
    }
    node->full_said = node->full;
    return node->full
               ? node_alarm(node, "disk-full", "disk",
                            "the disk is full: new entries are refused, and nothing is taken in "
                            "from below; what is here goes up; free some room, then all goes on")
               : store_alarm_delete(node->store, "disk-full", "disk");
}

void node_on_tick(struct node *node)
{
    if (node->full != node->full_said && node->failed == ERR_OK) {
        node_check(node, say_full(node), "disk");
    }
    for (size_t i = 0; i < node->link_count; i++) {
        tick_link(node, node->links[i]);
    }
    if (node->links_unsaid && node->failed == ERR_OK) {
        node_check(node, node_write(node),
                   "links"); /* settled with the batch, if the disk allows */
    }
    bool live = node->uplink != NULL && node->uplink->state == SESSION_LIVE;
    if (node->fetch_again && live) {
        node_close_link(node, node->uplink, "what came from above is damaged, and comes again");
    }
    if (node->audit == NULL && (node->now.mono.ms < node->audit_due.ms || node->bases_due)) {
        return;
    }
    if (node->audit == NULL) {
        node->audit_due = (struct mono){node->now.mono.ms + AUDIT_EVERY_MS};
    }
    node->audit_ran = true;
    enum err err = node->failed == ERR_OK ? audit_step(node) : ERR_OK;
    if (err != ERR_OK) {
        node->audit_failed = true;
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

bool node_is_behind(const struct node *node)
{
    return node->links_unsaid;
}

bool node_wants_tick(const struct node *node)
{
    return node->audit != NULL;
}

/* ---- the end of a batch ---- */

static enum err settle(struct node *node)
{
    if (node->links_unsaid && node->in_transaction) {
        TRY(open_reset_statuses(node));
    }
    TRY(cells_flush(node));
    TRY(hold_settle(node));
    TRY(ledger_flush(node));
    bool healing = node->uplink != NULL && node->uplink->state == SESSION_HEALING;
    TRY(healing ? ERR_OK : sealing_seal(node));
    TRY(healing ? ERR_OK : sealing_settle(node));
    TRY(cells_flush(node));
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        TRY(link->up ? ERR_OK : downlink_settle(node, link));
    }
    TRY(bundle_settle(node));
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
    return node->failed == ERR_DISK_FULL ? NODE_FULL : node->failure.text;
}

/* That the file is damaged must be seen, also by who only asks for the status. */
static enum err tell_damage(struct node *node)
{
    char text[TEXT_MAX_BYTES];
    (void)snprintf(text, sizeof text,
                   "a part of the database file cannot be used (%.300s); " STORE_KEEP_ASIDE,
                   node->failure.text);
    text_mend(text);
    struct store_alarm alarm = {
        .code = "damage", .subject = "database", .text = text, .since = node->now.wall};
    node_log(node, true, "alarm=damage subject=database text=\"%s\"", text);
    TRY(store_begin(node->store));
    enum err err = store_alarm_put(node->store, &alarm);
    err = err == ERR_OK ? store_commit(node->store) : err;
    if (err != ERR_OK) {
        store_rollback(node->store);
    }
    return err;
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
    if (node->bundle != NULL && node->bundle->fresh) {
        bundle_forget(node); /* its request has had its reply */
    } else if (node->bundle != NULL) {
        bundle_finish(node, node->failed, failure_text(node));
    }
    node->links_unsaid = true;
    node->damage_count = /* the alarms of the others are taken back too */
        node->begun_damages < node->damage_count ? node->begun_damages : node->damage_count;
    audit_take_back(node);
    waiters_settle(node, false);
    struct errmsg why;
    enum err err = open_load(node, &why);
    if (err == ERR_OK && node->failed == ERR_CORRUPT) {
        node->lacks_row ? anew_lacks(node, node->failure.text)
                        : anew_broken(node, node->failure.text);
        err = tell_damage(node);
        err = err == ERR_DISK_FULL || err == ERR_NO_MEMORY ? ERR_OK : err; /* the next one tells */
    }
    if (err != ERR_OK) {
        node->failed = ERR_IO; /* the file cannot be used any more: the process must stop */
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
            node->links_unsaid = false;
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

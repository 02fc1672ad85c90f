/* The parent's side of a link.
 *
 * 1. The link comes up with the child's node and key from its certificate: the hosting row with
 * that key says which unit it has; a revoked key is refused, and an unknown one, unless this office
 * may have lost the row (admit.c).
 * 2. The hello is held against what this file knows of the child, and answered (hello.c).
 * 3. Batches are applied (receive.c). After the flush of the transaction the acknowledgement is
 * made, the mark is compared (mark.c), and what concerns the child goes down. All of that leaves
 * after the commit.
 *
 * What breaks the protocol is refused at any time; that is kept as the child's state, shown, and an
 * alarm until a hello is accepted again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/admit.h"
#include "node/heal.h"
#include "node/sealing.h"

/* ---- the link comes and goes ---- */

struct link *link_new(struct node *node, uint64_t id)
{
    struct link *link = calloc(1, sizeof *link);
    if (link != NULL) {
        link->id = id;
        link->heard_at = node->now.mono;
        link->spoke_at = node->now.mono;
        map_init(&link->unequal, sizeof(int64_t), 1);
        map_init(&link->asked, sizeof(int64_t), sizeof(struct ask_state));
        map_init(&link->stated, sizeof(int64_t), sizeof(int64_t));
        map_init(&link->sessions, ID_BYTES, 1);
        map_init(&link->returns, sizeof(int64_t), sizeof(struct due));
    }
    return link;
}

static struct link *link_add(struct node *node, uint64_t id)
{
    if (node->link_count == node->link_cap) {
        size_t cap = node->link_cap == 0 ? 8 : node->link_cap * 2;
        struct link **links = realloc(node->links, cap * sizeof *links);
        if (links == NULL) {
            return NULL;
        }
        node->links = links;
        node->link_cap = cap;
    }
    struct link *link = link_new(node, id);
    if (link != NULL) {
        node->links[node->link_count++] = link;
    }
    return link;
}

void link_free(struct link *link)
{
    map_deinit(&link->unequal);
    map_deinit(&link->asked);
    map_deinit(&link->stated);
    map_deinit(&link->sessions);
    map_deinit(&link->returns);
    compare_stop(link);
    free(link->beyond);
    free((char *)link->address);
    free((char *)link->peer);
    free(link);
}

static void link_remove(struct node *node, struct link *link)
{
    for (size_t i = 0; i < node->link_count; i++) {
        if (node->links[i] == link) {
            node->links[i] = node->links[--node->link_count];
            break;
        }
    }
    link_free(link);
}

void downlink_refuse(struct node *node, struct link *link, enum refusal_code code, const char *text)
{
    struct message *message = node_message(node, MESSAGE_REFUSE);
    if (message != NULL) {
        message->u.refuse = (struct msg_refuse){.code = code,
                                                .text = arena_str(&node->arena, text),
                                                .protocol_min = PROTOCOL_MIN,
                                                .protocol_max = PROTOCOL_MAX};
        if (message->u.refuse.text == NULL) {
            message->u.refuse.text = "";
        }
        node_send(node, link, message);
    }
    node_log(node, true, "link=%" PRIu64 " child=%s refused=%d text=\"%s\"", link->id,
             link->address == NULL ? "?" : link->address, (int)code, text);
    node_close_link(node, link, "refused");
}

/* A refusal that is about the child's data is kept with it, so that status and tree show it. */
static void name_refused(struct node *node, struct link *link, enum refusal_code code,
                         const char *text)
{
    struct store_child child = {.unit = link->unit, .node = link->node};
    const struct link *live = downlink_live_of_unit(node, link->unit);
    if (live != NULL && live != link) { /* which is the child; this one is told of beside it */
        node_check(node, node_alarm(node, "child-refused", link->address, "%s", text), "alarm");
        return;
    }
    enum err err = rows_set_state(node, link, code == REFUSAL_FORK ? LINK_FENCED : LINK_REFUSED);
    node_check(node, err, "child state");
    /* It may be refused before it was ever welcomed. */
    err = store_child_get(node->store, link->unit, &node->arena, &child);
    child.text = text;
    err = err == ERR_OK || err == ERR_NOT_FOUND ? store_child_put(node->store, &child) : err;
    node_check(node, err, "child");
    node_check(node, node_alarm(node, "child-refused", link->address, "%s", text), "alarm");
    anew_child_refused(node, link->unit);
}

void downlink_refuse_child(struct node *node, struct link *link, enum refusal_code code,
                           const char *text)
{
    if (link->unit != 0) {
        name_refused(node, link, code, text);
    }
    downlink_refuse(node, link, code, text);
}

/* The child says what no child says: that is an alarm, and its state until the next good hello. */
void downlink_break_off(struct node *node, struct link *link, const char *what)
{
    char text[TEXT_MAX_BYTES];
    (void)snprintf(text, sizeof text, "the node of unit %s broke the protocol: it sent %s",
                   link->address, what);
    downlink_refuse_child(node, link, REFUSAL_BROKEN, text);
}

struct link *downlink_of_unit(struct node *node, int64_t unit, const struct link *but)
{
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        if (link != but && !link->up && link->unit == unit && link->state != SESSION_CLOSING) {
            return link;
        }
    }
    return NULL;
}

struct link *downlink_live_of_unit(struct node *node, int64_t unit)
{
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        if (!link->up && link->unit == unit && link->state == SESSION_LIVE) {
            return link;
        }
    }
    return NULL;
}

enum err downlink_know(struct node *node, struct link *link, const struct id *node_id, bool *known,
                       enum refusal_code *code, const char **why)
{
    struct store_hosting hosting;
    struct cached_origin *origin;
    const char *unit;
    enum err err = store_hosting_by_key(node->store, &link->key, &node->origin, &hosting);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    bool mine = err == ERR_OK && id_equal(&hosting.node, node_id);
    *known = mine && !hosting.revoked;
    *code = mine ? REFUSAL_REVOKED : REFUSAL_UNKNOWN;
    *why = mine ? "the key of this node was revoked; ask the office above for a new invitation"
                : NODE_UNKNOWN;
    link->node = *node_id;
    if (!*known) {
        return ERR_OK;
    }
    link->unit = hosting.unit;
    TRY(node_origin_named(node, &hosting.origin, &origin));
    TRY(node_text(node, hosting.unit, &unit));
    link->address = strdup(unit);
    TRY(link->address == NULL ? ERR_NO_MEMORY : ERR_OK);
    link->origin = origin->row.id;
    struct store_status status;
    if (store_status_get(node->store, link->unit, &status) == ERR_OK) {
        link->exact_as_of = status.exact_as_of;
    }
    return ERR_OK;
}

/* A key that the table of children does not have: a stranger, or one whose row is lost here. */
static void on_unknown(struct node *node, struct link *link, const struct node_peer *peer)
{
    struct store_hosting hosting;
    enum refusal_code code = REFUSAL_UNKNOWN;
    const char *why = NODE_UNKNOWN;
    enum err err = store_hosting_by_key(node->store, &link->key, &node->origin, &hosting);
    const char *shown = peer->certified ? peer->unit : peer->address;
    link->address = shown == NULL ? NULL : strdup(shown);
    if (err == ERR_NOT_FOUND && peer->certified && link->address != NULL) {
        link->claimed = peer->number;
        node_check(node, admit_claim(node, link, &code, &why), "child");
    }
    if (code != 0) {
        downlink_refuse(node, link, code, why);
    }
}

void node_on_downlink(struct node *node, uint64_t id, const struct node_peer *peer)
{
    bool known;
    enum refusal_code code;
    const char *why;
    struct link *link = node->link_count < LINKS_MAX ? link_add(node, id) : NULL;
    if (link == NULL) {
        struct effect *effect = node_emit(node, EFFECT_CLOSE, id);
        if (effect != NULL) {
            effect->text = "too many links";
        }
        return;
    }
    link->state = SESSION_HELLO;
    link->key = peer->key;
    link->peer = peer->address == NULL ? NULL : strdup(peer->address);
    enum err err = downlink_know(node, link, &peer->node, &known, &code, &why);
    if (err != ERR_OK) {
        node_fail(node, err, "child");
    } else if (!known && code == REFUSAL_UNKNOWN) {
        on_unknown(node, link, peer);
    } else if (!known) {
        link->address = peer->address == NULL ? NULL : strdup(peer->address);
        downlink_refuse(node, link, code, why);
    }
}

void downlink_down(struct node *node, struct link *link, const char *why)
{
    struct store_status status;
    /* A newer link of the same child may have taken over; then its state is the child's. One that
     * has said nothing yet has not. */
    struct link *other = link->unit == 0 ? NULL : downlink_live_of_unit(node, link->unit);
    if (link->unit == 0 || link->address == NULL || (other != NULL && other != link)) {
        return;
    }
    /* Closed from here or from there, a link that was live is gone; a refusal stays to be seen. */
    enum err err = store_status_get(node->store, link->unit, &status);
    if (err == ERR_OK && (status.state == LINK_EXACT || status.state == LINK_CATCHING_UP)) {
        node_log(node, false, "link=%" PRIu64 " unit=%s down=\"%s\"", link->id, link->address, why);
        err = rows_set_state(node, link, LINK_OFFLINE);
    }
    node_check(node, err == ERR_NOT_FOUND ? ERR_OK : err, "child state");
}

void node_on_link_down(struct node *node, uint64_t id, const char *why)
{
    struct link *link = node_link(node, id);
    if (link == NULL) {
        return;
    }
    if (link->up) {
        uplink_down(node, link);
    } else {
        downlink_down(node, link, why);
    }
    link_remove(node, link);
}

void node_on_uplink(struct node *node, uint64_t id)
{
    struct link *link = node->uplink == NULL ? link_add(node, id) : NULL;
    if (link == NULL) {
        struct effect *effect = node_emit(node, EFFECT_CLOSE, id);
        if (effect != NULL) {
            effect->text = "a second link to the parent";
        }
        return;
    }
    link->up = true;
    node->uplink = link;
    uplink_start(node, link);
}

/* ---- batches ---- */

/* The link may be gone before what came is settled, and what came stays: it is said at once. */
static enum err note_midway(struct node *node, struct link *link)
{
    struct store_child child = {.unit = link->unit, .text = ""};
    if (link->midway) {
        return ERR_OK;
    }
    TRY(store_child_get(node->store, link->unit, &node->arena, &child));
    child.midway = link->midway = true;
    return store_child_put(node->store, &child);
}

static void on_batch(struct node *node, struct link *link, const struct msg_batch *batch)
{
    bool again;
    enum err err = receive_batch(node, link, batch, &again);
    if (!again && (err == ERR_OK || err == ERR_PROTOCOL)) {
        enum err noted = node->in_transaction ? note_midway(node, link) : ERR_OK;
        err = noted == ERR_OK ? err : noted;
    }
    if (err == ERR_PROTOCOL) {
        downlink_break_off(node, link,
                           "a batch out of its turn, or entries that do not continue its ledger");
        return;
    }
    if (err != ERR_OK) {
        node_fail(node, err, "batch");
        return;
    }
    if (again) {
        return;
    }
    link->ack_due = true;
    link->ack_asked = true;
    link->received = batch->upto;
    link->mark_due = batch->mark;
    link->marked_at = batch->marked_at;
    link->digests = batch->digests;
    link->digest_count = batch->digest_count;
    link->ranges = batch->mark && batch->range_count > 0 ? batch->ranges : NULL;
    link->compares = link->compares || batch->compares;
}

static enum err acknowledge(struct node *node, struct link *link)
{
    struct message *message = node_message(node, MESSAGE_ACK);
    struct head *escrow = arena_array(&node->arena, 1, sizeof *escrow);
    struct store_child child = {.unit = link->unit, .text = ""};
    if (message == NULL || escrow == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_child_get(node->store, link->unit, &node->arena, &child));
    child.have_session = link->received.session;
    child.have_revision = link->received.revision;
    child.midway = link->midway = !link->exact;
    TRY(store_child_put(node->store, &child));
    if (node->identity.is_root || link->probe_own == 0) {
        revision_probe(node, link);
    }
    int64_t held;
    TRY(store_cells_held_via(node->store, link->unit, &held));
    *escrow = link->escrow_head;
    message->u.ack = (struct msg_ack){
        .number = link->ack_asked ? link->received_number : 0,
        .upto = link->received,
        .escrow = escrow,
        .escrow_count = link->escrow_head.length > 0 ? 1 : 0,
        .refused = link->refused,
        .refused_count = link->refused_count,
        .refused_total = link->refused_total,
        .held = held,
        .root_revision = link->root_revision,
        .unequal = link->ask_again,
        .unequal_count = link->ask_again_count,
        .unasked = !link->ack_asked,
        .differs = link->differs,
    };
    TRY(compare_ask(node, link, &message->u.ack));
    link->told_root_revision = link->root_revision;
    node_send(node, link, message);
    return ERR_OK;
}

/* What the root is known to have of the child's feed follows from what it has of ours: one pair at
 * a time is watched. */
static void follow_probe(struct node *node, struct link *link)
{
    if (link->probe_own != 0 && node->root_revision >= link->probe_own) {
        link->root_revision =
            link->probe_child > link->root_revision ? link->probe_child : link->root_revision;
        revision_probe(node, link);
    }
    if (link->root_revision > link->told_root_revision) {
        node_ping(node, link, true, 0);
        link->told_root_revision = link->root_revision;
    }
}

enum err downlink_settle(struct node *node, struct link *link)
{
    if (link->state == SESSION_HEALING) {
        return giveback_pump(node, link);
    }
    if (link->state != SESSION_LIVE) {
        return ERR_OK;
    }
    if (link->ack_due) {
        if (link->mark_due) {
            TRY(mark_settle(node, link));
        } else if (link->exact) {
            link->exact = false;
            TRY(rows_set_state(node, link, LINK_CATCHING_UP));
        }
        TRY(acknowledge(node, link));
    }
    follow_probe(node, link);
    TRY(hello_send_catalogue(node, link));
    TRY(feed_pump(node, link));
    return returned_pump(node, link);
}

static void on_ping(struct node *node, struct link *link, const struct msg_ping *ping)
{
    for (size_t i = 0; i < CONTESTS && ping->answer && ping->nonce != 0; i++) {
        struct contest *asked = &link->contests[i];
        asked->answered = asked->answered || asked->nonce == ping->nonce;
    }
    if (link->state == SESSION_HEALING) {
        if (!ping->answer) {
            node_ping(node, link, true, ping->nonce);
        }
        return;
    }
    bool same = ping->upto.revision == link->received.revision &&
                id_equal(&ping->upto.session, &link->received.session);
    if (ping->at_head && link->exact && same) {
        link->exact_as_of = node->now.wall;
        node_check(node, rows_set_state(node, link, LINK_EXACT), "child state");
    }
    bool unsettled = node->damage_count > 0 || node->doubted.count > 0 || link->unequal.count > 0 ||
                     link->unconserved || link->returned_all;
    if (ping->at_head && same && unsettled) {
        link->ack_due =
            true; /* an idle child is at a mark all the time: what the audit found is mended now */
        link->mark_due = true;
    }
    if (!ping->answer) {
        node_ping(node, link, true, ping->nonce);
    }
}

static void on_ack(struct node *node, struct link *link, const struct msg_ack *ack)
{
    (void)sender_acked(node, &link->out, ack);
}

/* A child that stops is only gone; one that finds its own data put back says so, and is named. */
static void child_ends(struct node *node, struct link *link, const struct msg_refuse *refuse)
{
    node_log(node, true, "link=%" PRIu64 " unit=%s says=\"%s\"", link->id, link->address,
             refuse->text);
    if (refuse->code != REFUSAL_SHUTDOWN && refuse->code != REFUSAL_BUSY) {
        name_refused(node, link, refuse->code, refuse->text);
    }
    if (refuse->code == REFUSAL_FORK) {
        hello_forked(node, &link->session);
    }
    node_close_link(node, link, "the child ended the link");
}

void downlink_message(struct node *node, struct link *link, const struct message *message)
{
    link->heard_at = node->now.mono;
    if (message->type == MESSAGE_HELLO) {
        hello_receive(node, link, &message->u.hello);
        return;
    }
    bool talks = message->type == MESSAGE_ACK || message->type == MESSAGE_PING ||
                 message->type == MESSAGE_REFUSE;
    if (link->state != SESSION_LIVE && !(link->state == SESSION_HEALING && talks)) {
        downlink_break_off(node, link, "something before its hello");
        return;
    }
    if (message->type == MESSAGE_BATCH) {
        on_batch(node, link, &message->u.batch);
    } else if (message->type == MESSAGE_ACK) {
        on_ack(node, link, &message->u.ack);
    } else if (message->type == MESSAGE_PING) {
        on_ping(node, link, &message->u.ping);
    } else if (message->type == MESSAGE_REFUSE) {
        child_ends(node, link, &message->u.refuse);
    } else if (message->type == MESSAGE_CATALOGUE) {
        node_check(node, admit_catalogue(node, link, &message->u.catalogue), "catalogue");
    } else {
        downlink_break_off(node, link, "a message that a child does not send");
    }
}

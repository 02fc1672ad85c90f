/* The parent's side of a link.
 *
 * 1. The link comes up with the child's node and key from its certificate: the hosting row with
 * that key says which unit it has; an unknown or revoked key is refused.
 * 2. The hello: versions, tree, session names and heads are held against what this file knows of
 * the child. Accepted, it is answered with a welcome, which says what this file has of the child's
 * feed and ledger.
 * 3. Batches are applied (receive.c). After the flush of the transaction the acknowledgement is
 * made, the mark is compared, and what concerns the child goes down. All of that leaves after the
 * commit.
 *
 * Refused at the hello, each by itself: no common version; another tree; a ledger shorter than its
 * escrow (the child lost its tail); the same place with another hash (fork); a session name that
 * the child's file does not know (the file was copied or put back). Refused at any time: what
 * breaks the protocol. The refusal is kept as the child's state, shown, and an alarm until a hello
 * is accepted again. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/internal.h"

#ifndef TALLY_VERSION
#define TALLY_VERSION "unknown"
#endif

enum { REPAIRS_MAX = 256, KNOWN_MAX = 2000 };

static void fail(struct node *node, enum err err, const char *what)
{
    if (err != ERR_OK) {
        node_fail(node, err, what);
    }
}

/* ---- the link comes and goes ---- */

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
    struct link *link = calloc(1, sizeof *link);
    if (link != NULL) {
        link->id = id;
        link->heard_at = node->now.mono;
        link->spoke_at = node->now.mono;
        map_init(&link->unequal, sizeof(int64_t), 1);
        node->links[node->link_count++] = link;
    }
    return link;
}

static void link_remove(struct node *node, struct link *link)
{
    for (size_t i = 0; i < node->link_count; i++) {
        if (node->links[i] == link) {
            node->links[i] = node->links[--node->link_count];
            break;
        }
    }
    map_deinit(&link->unequal);
    free((char *)link->address);
    free(link);
}

static void refuse_link(struct node *node, struct link *link, enum refusal_code code,
                        const char *text)
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
static void refuse_child(struct node *node, struct link *link, enum refusal_code code,
                         const char *text)
{
    struct store_child child = {.unit = link->unit, .node = link->node};
    enum err err = rows_set_state(node, link, LINK_REFUSED);
    fail(node, err, "child state");
    /* It may be refused before it was ever welcomed. */
    err = store_child_get(node->store, link->unit, &node->arena, &child);
    child.text = text;
    err = err == ERR_OK || err == ERR_NOT_FOUND ? store_child_put(node->store, &child) : err;
    fail(node, err, "child");
    fail(node, node_alarm(node, "child-refused", link->address, "%s", text), "alarm");
    refuse_link(node, link, code, text);
}

/* The child says what no child says: that is an alarm, and its state until the next good hello. */
static void break_off(struct node *node, struct link *link, const char *what)
{
    char text[TEXT_MAX_BYTES];
    (void)snprintf(text, sizeof text, "the node of unit %s broke the protocol: it sent %s",
                   link->address, what);
    refuse_child(node, link, REFUSAL_BROKEN, text);
}

static struct link *link_of_unit(struct node *node, int64_t unit, const struct link *but)
{
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        if (link != but && !link->up && link->unit == unit && link->state != SESSION_CLOSING) {
            return link;
        }
    }
    return NULL;
}

void node_on_downlink(struct node *node, uint64_t id, const struct id *node_id,
                      const struct hash *key, const char *address)
{
    struct store_hosting hosting;
    struct cached_origin *origin;
    const char *code;
    struct link *link = node->link_count < LINKS_MAX ? link_add(node, id) : NULL;
    if (link == NULL) {
        struct effect *effect = node_emit(node, EFFECT_CLOSE, id);
        if (effect != NULL) {
            effect->text = "too many links";
        }
        return;
    }
    link->state = SESSION_HELLO;
    link->key = *key;
    enum err err = store_hosting_by_key(node->store, key, &node->origin, &hosting);
    bool mine = err == ERR_OK && id_equal(&hosting.node, node_id);
    if (!mine || hosting.revoked) {
        (void)address;
        refuse_link(
            node, link, mine ? REFUSAL_REVOKED : REFUSAL_UNKNOWN,
            mine ? "the key of this node was revoked; ask the office above for a new invitation"
                 : "this office has no node with that key below it; join with an invitation of "
                   "this office");
        return;
    }
    link->unit = hosting.unit;
    link->node = hosting.node;
    err = node_origin_named(node, &hosting.origin, &origin);
    err = err == ERR_OK ? node_text(node, hosting.unit, &code) : err;
    link->address = err == ERR_OK ? strdup(code) : NULL;
    if (link->address == NULL) {
        fail(node, err == ERR_OK ? ERR_NO_MEMORY : err, "child");
        return;
    }
    link->origin = origin->row.id;
    struct store_status status;
    if (store_status_get(node->store, link->unit, &status) == ERR_OK) {
        link->exact_as_of = status.exact_as_of;
    }
}

void downlink_down(struct node *node, struct link *link, const char *why)
{
    struct store_status status;
    /* A newer link of the same child may have taken over; then its state is the child's. */
    if (link->unit == 0 || link->address == NULL || link_of_unit(node, link->unit, link) != NULL) {
        return;
    }
    /* Closed from here or from there, a link that was live is gone; a refusal stays to be seen. */
    enum err err = store_status_get(node->store, link->unit, &status);
    if (err == ERR_OK && (status.state == LINK_EXACT || status.state == LINK_CATCHING_UP)) {
        node_log(node, false, "link=%" PRIu64 " unit=%s down=\"%s\"", link->id, link->address, why);
        err = rows_set_state(node, link, LINK_OFFLINE);
    }
    fail(node, err == ERR_NOT_FOUND ? ERR_OK : err, "child state");
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

/* ---- hello ---- */

static bool known_session(const struct msg_hello *hello, const struct id *session)
{
    for (size_t i = 0; i < hello->session_count; i++) {
        if (id_equal(&hello->sessions[i], session)) {
            return true;
        }
    }
    return false;
}

/* Holds the child's heads against the newest segment of its escrow: everything before is continued
 * by it. */
static enum refusal_code check_escrow(struct node *node, const struct link *link,
                                      const struct msg_hello *hello, char *text, size_t size)
{
    struct store_segment frontier[CONTINUES_MAX];
    size_t n;
    enum err err = store_segments_frontier(node->store, link->origin, frontier, CONTINUES_MAX, &n);
    if (err != ERR_OK) {
        node_fail(node, err, "escrow");
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        const struct head *stated = NULL;
        for (size_t j = 0; j < hello->head_count; j++) {
            stated =
                id_equal(&hello->heads[j].segment, &frontier[i].name) ? &hello->heads[j] : stated;
        }
        int64_t length = stated == NULL ? 0 : (int64_t)stated->length;
        if (length < frontier[i].held || (stated == NULL && frontier[i].held > 0)) {
            (void)snprintf(text, size,
                           "the ledger of unit %s is shorter than the copy kept here (%" PRId64
                           " entries where %" PRId64
                           " are known): its machine lost data or was put back to an old state; "
                           "nothing of it is taken in",
                           link->address, length, frontier[i].held);
            return REFUSAL_LOST_TAIL;
        }
        if (stated != NULL && length == frontier[i].held &&
            !hash_equal(&stated->hash, &frontier[i].held_hash)) {
            (void)snprintf(text, size,
                           "the ledger of unit %s differs from the copy kept here at the same "
                           "length: a copy of its disk "
                           "may be running elsewhere; nothing of it is taken in",
                           link->address);
            return REFUSAL_FORK;
        }
    }
    return 0;
}

static enum refusal_code check_hello(struct node *node, const struct link *link,
                                     const struct msg_hello *hello, const struct store_child *child,
                                     char *text, size_t size)
{
    if (hello->protocol_min > PROTOCOL_MAX || hello->protocol_max < PROTOCOL_MIN) {
        (void)snprintf(text, size,
                       "no common protocol version: unit %s speaks %u to %u, this office %u to %u; "
                       "update the older one",
                       link->address, hello->protocol_min, hello->protocol_max, PROTOCOL_MIN,
                       PROTOCOL_MAX);
        return REFUSAL_PROTOCOL;
    }
    if (!id_equal(&hello->tree, &node->identity.tree)) {
        (void)snprintf(text, size, "the node of unit %s belongs to another tree", link->address);
        return REFUSAL_TREE;
    }
    enum refusal_code code = check_escrow(node, link, hello, text, size);
    if (code != 0) {
        return code;
    }
    const struct id *seen[] = {&child->session, &child->have_session};
    for (int i = 0; i < 2; i++) {
        if (!id_is_zero(seen[i]) && !known_session(hello, seen[i])) {
            (void)snprintf(text, size,
                           "the node of unit %s does not know a session that this office has had "
                           "with it: its data was put "
                           "back to an old state or copied; nothing of it is taken in",
                           link->address);
            return REFUSAL_SESSION;
        }
    }
    return 0;
}

static enum err welcome_known(struct node *node, const struct link *link,
                              struct msg_welcome *welcome)
{
    struct store_origin *origins = arena_array(&node->arena, KNOWN_MAX, sizeof *origins);
    struct origin_heads *known = arena_array(&node->arena, KNOWN_MAX, sizeof *known);
    size_t n;
    if (origins == NULL || known == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_origins(node->store, 0, origins, KNOWN_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        if (origins[i].via == link->unit) {
            struct head *heads;
            struct origin_heads *out = &known[welcome->known_count++];
            out->origin = origins[i].name;
            TRY(ledger_frontier(node, origins[i].id, &heads, &out->head_count));
            out->heads = heads;
        }
    }
    welcome->known = known;
    return ERR_OK;
}

static enum err welcome_escrow(struct node *node, const struct link *link,
                               struct msg_welcome *welcome)
{
    struct store_segment segments[CONTINUES_MAX];
    size_t n;
    TRY(store_segments_frontier(node->store, link->origin, segments, CONTINUES_MAX, &n));
    struct head *heads = arena_array(&node->arena, n, sizeof *heads);
    if (heads == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        heads[i] =
            (struct head){segments[i].name, (uint64_t)segments[i].held, segments[i].held_hash};
    }
    welcome->escrow = heads;
    welcome->escrow_count = n;
    return ERR_OK;
}

/* This node, and those above it. */
static enum err welcome_ancestors(struct node *node, struct msg_welcome *welcome)
{
    struct ancestor *out = arena_array(&node->arena, 1, sizeof *out);
    const char **addresses = arena_array(&node->arena, ADDRESSES_MAX, sizeof *addresses);
    struct store_hosting own;
    const struct unit *self = &node->view.tree.units[node->view.self];
    if (out == NULL || addresses == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_hosting_get(node->store, self->id, &own));
    for (size_t i = 0; i < node->address_count; i++) {
        addresses[i] = node->addresses[i];
    }
    *out = (struct ancestor){.unit = self->code,
                             .node = node->identity.node,
                             .key = own.key,
                             .addresses = addresses,
                             .address_count = node->address_count};
    welcome->ancestors = out;
    welcome->ancestor_count = 1;
    return ERR_OK;
}

static enum err send_catalogue(struct node *node, struct link *link)
{
    struct bytes content;
    if (node->view.catalogue.version == 0 || link->catalogue_told >= node->view.catalogue.version) {
        return ERR_OK;
    }
    struct message *message = node_message(node, MESSAGE_CATALOGUE);
    if (message == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_fact_blob(node->store, "catalogue", &node->arena, &content));
    message->u.catalogue.version = node->view.catalogue.version;
    message->u.catalogue.content = content;
    TRY(store_fact_fixed(node->store, "catalogue_signature", message->u.catalogue.signature.b,
                         SIGNATURE_BYTES));
    link->catalogue_told = node->view.catalogue.version;
    node_send(node, link, message);
    return ERR_OK;
}

static enum err welcome_child(struct node *node, struct link *link, const struct msg_hello *hello,
                              struct store_child *child)
{
    struct message *message = node_message(node, MESSAGE_WELCOME);
    const struct unit *unit = &node->view.tree.units[view_unit(&node->view, link->unit)];
    if (message == NULL) {
        return ERR_NO_MEMORY;
    }
    struct msg_welcome *welcome = &message->u.welcome;
    *welcome = (struct msg_welcome){
        .protocol = hello->protocol_max < PROTOCOL_MAX ? hello->protocol_max : PROTOCOL_MAX,
        .software = TALLY_VERSION,
        .tree = node->identity.tree,
        .node = node->identity.node,
        .session = node->session,
        .unit = unit->code,
        .unit_name = unit->name,
        .unit_level = unit->level,
        .catalogue_version = node->view.catalogue.version,
        .have = {child->have_session, child->have_revision},
        .now = node->now.wall,
    };
    TRY(welcome_escrow(node, link, welcome));
    TRY(welcome_known(node, link, welcome));
    TRY(welcome_ancestors(node, welcome));
    TRY(store_ledger_facts(node->store, link->origin, &link->escrow_facts));
    child->node = link->node;
    child->session = hello->sessions[hello->session_count - 1];
    child->text = "";
    TRY(node_write(node));
    TRY(store_child_put(node->store, child));
    TRY(store_alarm_delete(node->store, "child-refused", link->address));
    link->state = SESSION_LIVE;
    link->exact = false;
    /* A place in our feed that this file never gave out is one of a file that is gone: from the
     * start then. */
    struct feed_mark have = hello->have;
    bool ours;
    TRY(node_gave(node, &have, &ours));
    if (!ours) {
        have = (struct feed_mark){.revision = 0};
    }
    feed_start(node, &link->out, have);
    link->out.marked = false;
    link->catalogue_told = hello->catalogue_version;
    TRY(rows_set_state(node, link, LINK_CATCHING_UP));
    node_send(node, link, message);
    return send_catalogue(node, link);
}

static void on_hello(struct node *node, struct link *link, const struct msg_hello *hello)
{
    struct store_child child = {.unit = link->unit, .node = link->node, .text = ""};
    char text[TEXT_MAX_BYTES];
    enum err err = store_child_get(node->store, link->unit, &node->arena, &child);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        node_fail(node, err, "child");
        return;
    }
    if (link->state != SESSION_HELLO || hello->session_count == 0) {
        break_off(node, link,
                  link->state != SESSION_HELLO ? "a second hello"
                                               : "a hello without the name of its session");
        return;
    }
    enum refusal_code code = check_hello(node, link, hello, &child, text, sizeof text);
    if (code != 0) {
        refuse_child(node, link, code, text);
        return;
    }
    struct link *older = link_of_unit(node, link->unit, link);
    if (older != NULL) {
        node_log(node, false, "link=%" PRIu64 " unit=%s replaced_by=%" PRIu64, older->id,
                 link->address, link->id);
        node_close_link(node, older, "replaced by a newer link of the same node");
    }
    fail(node, welcome_child(node, link, hello, &child), "welcome");
}

/* ---- batches ---- */

static void on_batch(struct node *node, struct link *link, const struct msg_batch *batch)
{
    enum err err = receive_batch(node, link, batch);
    if (err == ERR_PROTOCOL) {
        break_off(node, link, "entries that do not continue its ledger, or that cannot be");
        return;
    }
    if (err != ERR_OK) {
        node_fail(node, err, "batch");
        return;
    }
    link->ack_due = true;
    link->ack_asked = true;
    link->received = batch->upto;
    link->mark_due = batch->mark;
    link->marked_at = batch->marked_at;
    link->digests = batch->digests;
    link->digest_count = batch->digest_count;
}

/* Compares one digest; true when the origin's cells are to be sent again. */
static enum err compare_digest(struct node *node, struct link *link, const struct digest *digest,
                               bool *again)
{
    struct cached_origin *origin;
    int64_t rows;
    int64_t counts;
    struct id refused;
    *again = false;
    enum err err = node_origin_named(node, &digest->origin, &origin);
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    const struct stated_heads *stated = map_get(&node->stated, &origin->row.id);
    if (origin->row.via != link->unit || stated == NULL || stated->standing != HEADS_COVER) {
        return ERR_OK;
    }
    struct id sum = origin->row.digest;
    TRY(store_refused_sum(node->store, origin->row.id, &rows, &counts, &refused));
    id_sum_add(&sum, &refused);
    char name[ID_HEX_BYTES];
    id_format(&digest->origin, name);
    if (id_equal(&sum, &digest->sum)) {
        /* The alarm may be from an earlier link. */
        map_remove(&link->unequal, &origin->row.id);
        return store_alarm_mend(node->store, "digest", name,
                                "the cells of this origin differed from its own at a mark; they "
                                "were sent again and are equal now");
    }
    if (map_put(&link->unequal, &origin->row.id, NULL) == NULL) {
        return ERR_NO_MEMORY;
    }
    *again = link->repairs < REPAIRS_MAX;
    link->repairs++;
    return node_alarm(
        node, "digest", name,
        "the cells of this origin, which come through unit %s, differ from its own; %s",
        link->address, *again ? "they are sent again" : "sending them again did not help");
}

/* The counts of the child's own cells, none of them refused, add up to its ledger. */
static enum err check_conserved(struct node *node, const struct link *link)
{
    struct cached_origin *origin;
    int64_t rows;
    int64_t counts;
    struct id hashes;
    TRY(node_origin(node, link->origin, &origin));
    TRY(store_refused_sum(node->store, link->origin, &rows, &counts, &hashes));
    if (rows > 0) {
        return ERR_OK;
    }
    if (origin->row.cell_count == link->escrow_facts) {
        return store_alarm_mend(node->store, "conserved", link->address,
                                "the cells of this unit stood for another number of entries than "
                                "its ledger has; they add up now");
    }
    return node_alarm(node, "conserved", link->address,
                      "the cells of unit %s stand for %" PRId64 " entries; its ledger has %" PRId64,
                      link->address, origin->row.cell_count, link->escrow_facts);
}

static enum err settle_mark(struct node *node, struct link *link)
{
    struct id *again = arena_array(&node->arena, link->digest_count + DAMAGES_MAX, sizeof *again);
    if (again == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(node_write(node));
    for (size_t i = 0; i < link->digest_count; i++) {
        bool ask;
        TRY(compare_digest(node, link, &link->digests[i], &ask));
        if (ask) {
            again[link->ask_again_count++] = link->digests[i].origin;
        }
    }
    TRY(audit_mend(node));
    TRY(audit_ask_again(node, link, again, &link->ask_again_count));
    link->ask_again = again;
    TRY(check_conserved(node, link));
    link->exact = link->unequal.count == 0 && link->ask_again_count == 0;
    link->exact_as_of = link->exact ? node->now.wall : link->exact_as_of;
    return rows_set_state(node, link, link->exact ? LINK_EXACT : LINK_CATCHING_UP);
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
    TRY(store_child_put(node->store, &child));
    if (node->identity.is_root) {
        link->root_revision = link->received.revision;
    } else if (link->probe_own == 0 && link->received.revision > link->root_revision) {
        link->probe_child = link->received.revision;
        link->probe_own = node->head;
    }
    *escrow = link->escrow_head;
    message->u.ack = (struct msg_ack){
        .upto = link->received,
        .escrow = escrow,
        .escrow_count = link->escrow_head.length > 0 ? 1 : 0,
        .refused = link->refused,
        .refused_count = link->refused_count,
        .refused_total = link->refused_total,
        .held = node->held_rows,
        .root_revision = link->root_revision,
        .unequal = link->ask_again,
        .unequal_count = link->ask_again_count,
        .unasked = !link->ack_asked,
    };
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
        link->probe_own = 0;
        if (link->received.revision > link->root_revision) {
            link->probe_child = link->received.revision;
            link->probe_own = node->head;
        }
    }
    if (link->root_revision > link->told_root_revision) {
        node_ping(node, link, true, 0);
        link->told_root_revision = link->root_revision;
    }
}

enum err downlink_settle(struct node *node, struct link *link)
{
    if (link->state != SESSION_LIVE) {
        return ERR_OK;
    }
    if (link->ack_due) {
        if (link->mark_due) {
            TRY(settle_mark(node, link));
        } else if (link->exact) {
            link->exact = false;
            TRY(rows_set_state(node, link, LINK_CATCHING_UP));
        }
        TRY(acknowledge(node, link));
    }
    follow_probe(node, link);
    TRY(send_catalogue(node, link));
    return feed_pump(node, link);
}

static void on_ping(struct node *node, struct link *link, const struct msg_ping *ping)
{
    bool same = ping->upto.revision == link->received.revision &&
                id_equal(&ping->upto.session, &link->received.session);
    if (ping->at_head && link->exact && same) {
        link->exact_as_of = node->now.wall;
        fail(node, rows_set_state(node, link, LINK_EXACT), "child state");
    }
    if (ping->at_head && same && node->damage_count > 0) {
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
    sender_acked(node, &link->out, ack->upto);
}

void downlink_message(struct node *node, struct link *link, const struct message *message)
{
    link->heard_at = node->now.mono;
    if (message->type == MESSAGE_HELLO) {
        on_hello(node, link, &message->u.hello);
        return;
    }
    if (link->state != SESSION_LIVE) {
        break_off(node, link, "something before its hello");
        return;
    }
    if (message->type == MESSAGE_BATCH) {
        on_batch(node, link, &message->u.batch);
    } else if (message->type == MESSAGE_ACK) {
        on_ack(node, link, &message->u.ack);
    } else if (message->type == MESSAGE_PING) {
        on_ping(node, link, &message->u.ping);
    } else if (message->type == MESSAGE_REFUSE) {
        node_log(node, true, "link=%" PRIu64 " unit=%s says=\"%s\"", link->id, link->address,
                 message->u.refuse.text);
        node_close_link(node, link, "the child ended the link");
    } else {
        break_off(node, link, "a message that a child does not send");
    }
}

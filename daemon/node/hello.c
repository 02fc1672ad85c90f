/* The parent's side of a hello: it is held against what this file knows of the child, and answered
 * with a welcome, or refused.
 *
 * Refused, each by itself: no common version; another tree; a ledger shorter than its escrow (the
 * child lost its tail); the same place with another hash (fork); a session name that the child's
 * file does not know (the file was copied or put back). The refusal is kept as the child's state,
 * shown, and an alarm until a hello is accepted again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/internal.h"

#ifndef TALLY_VERSION
#define TALLY_VERSION "unknown"
#endif

enum { KNOWN_MAX = 2000 };

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

enum err hello_ancestors(struct node *node, const struct ancestor **list, size_t *count)
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
    *out = (struct ancestor){.unit = node_keep(node, self->code),
                             .node = node->identity.node,
                             .key = own.key,
                             .addresses = addresses,
                             .address_count = node->address_count};
    *list = out;
    *count = 1;
    return ERR_OK;
}

enum err hello_send_catalogue(struct node *node, struct link *link)
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
        .unit = node_keep(node, unit->code),
        .unit_name = node_keep(node, unit->name),
        .unit_level = node_keep(node, unit->level),
        .catalogue_version = node->view.catalogue.version,
        .have = {child->have_session, child->have_revision},
        .now = node->now.wall,
    };
    TRY(welcome_escrow(node, link, welcome));
    TRY(welcome_known(node, link, welcome));
    TRY(hello_ancestors(node, &welcome->ancestors, &welcome->ancestor_count));
    TRY(store_ledger_facts(node->store, link->origin, &link->escrow_facts));
    child->node = link->node;
    child->session = hello->sessions[hello->session_count - 1];
    child->text = "";
    TRY(node_write(node));
    TRY(store_child_put(node->store, child));
    TRY(store_alarm_delete(node->store, "child-refused", link->address));
    link->state = SESSION_LIVE;
    link->exact = false;
    link->received = welcome->have;
    revision_probe(node, link);
    welcome->root_revision = link->root_revision;
    link->told_root_revision = link->root_revision;
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
    return hello_send_catalogue(node, link);
}

void hello_receive(struct node *node, struct link *link, const struct msg_hello *hello)
{
    struct store_child child = {.unit = link->unit, .node = link->node, .text = ""};
    char text[TEXT_MAX_BYTES];
    enum err err = store_child_get(node->store, link->unit, &node->arena, &child);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        node_fail(node, err, "child");
        return;
    }
    if (link->state != SESSION_HELLO || hello->session_count == 0) {
        downlink_break_off(node, link,
                           link->state != SESSION_HELLO
                               ? "a second hello"
                               : "a hello without the name of its session");
        return;
    }
    enum refusal_code code = check_hello(node, link, hello, &child, text, sizeof text);
    if (code != 0) {
        downlink_refuse_child(node, link, code, text);
        return;
    }
    struct link *older;
    while ((older = downlink_of_unit(node, link->unit, link)) != NULL) {
        node_log(node, false, "link=%" PRIu64 " unit=%s replaced_by=%" PRIu64, older->id,
                 link->address, link->id);
        node_close_link(node, older, "replaced by a newer link of the same node");
    }
    node_check(node, welcome_child(node, link, hello, &child), "welcome");
}

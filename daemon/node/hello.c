/* The parent's side of a hello: it is held against what this file knows of the child, and answered
 * with a welcome, or refused.
 *
 * Less than its escrow has: the child lost entries, and they are given back before anything else
 * (giveback.c). A session that this office has had with it and that its file does not know has
 * ended: the file was put back. Should a machine come with that session after all, or with a ledger
 * that differs from its escrow, there are two with the data of one; so there are when another one
 * is linked and answers. The one that comes later is fenced: turned away, with its data. Its
 * session has ended then, unless the linked one has that too: so it is when what runs was copied.
 *
 * Refused besides: no common version; another tree. A refusal is kept as the child's state, shown,
 * and an alarm until a hello is accepted again. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/admit.h"
#include "node/heal.h"

#ifndef TALLY_VERSION
#define TALLY_VERSION "unknown"
#endif

enum {
    LINES_MAX = 64
}; /* segments without entries, one behind the other, that are looked through */
enum { KNOWN_MAX = 2000, ENDED_KEPT = 1000, CONTEST_MS = 10000, CONTEST_KEPT_MS = 20000 };

const struct feed_mark *hello_knows(const struct msg_hello *hello, const struct id *session)
{
    for (size_t i = 0; i < hello->session_count; i++) {
        if (id_equal(&hello->sessions[i].session, session)) {
            return &hello->sessions[i];
        }
    }
    return NULL;
}

/* How a stated head stands against the escrow's own of that segment. */
static enum err check_head(struct node *node, const struct store_segment *segment,
                           const struct head *stated, bool *lost, bool *forked)
{
    int64_t length = (int64_t)stated->length;
    struct store_entry entry = {.hash = segment->held_hash};
    if (length > segment->held) {
        return ERR_OK; /* what it has beyond goes up, and must continue what is here */
    }
    *lost = *lost || length < segment->held;
    if (length == 0) {
        return ERR_OK;
    }
    enum err err = ERR_OK;
    if (length < segment->held) {
        err = store_entry_get(node->store, segment->id, length, &node->arena, &entry);
    }
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err); /* a gap in the escrow, which the audit names */
    *forked = *forked || (err == ERR_OK && !hash_equal(&entry.hash, &stated->hash));
    return ERR_OK;
}

static bool states(const struct msg_hello *hello, const struct id *segment)
{
    for (size_t i = hello->head_count; i > 0; i--) {
        if (id_equal(&hello->heads[i - 1].segment, segment)) {
            return true;
        }
    }
    return false;
}

/* Whether the escrow has entries that the child lacks in a segment that it did not state, or, where
 * that has none, in those that it continues; or an empty one that stands for lost entries, since it
 * goes on where those ended. Not more than so many `looks`. */
static enum err lacks_line(struct node *node, const struct msg_hello *hello,
                           const struct store_segment *segment, int *looks, bool *lacks)
{
    struct bytes continues;
    struct head *heads;
    size_t n;
    if (*looks == 0 || states(hello, &segment->name)) {
        return ERR_OK;
    }
    --*looks;
    *lacks = *lacks || segment->held > 0;
    TRY(store_segment_continues(node->store, segment->id, &node->arena, &continues));
    TRY(heads_decode(continues, &node->arena, &heads, &n));
    for (size_t i = 0; i < n && !*lacks; i++) {
        struct store_segment before;
        enum err err = store_segment_find(node->store, &heads[i].segment, &before);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        int64_t held = err == ERR_OK ? before.held : 0;
        *lacks = (int64_t)heads[i].length > held;
        TRY(err == ERR_OK && !*lacks ? lacks_line(node, hello, &before, looks, lacks) : ERR_OK);
    }
    return ERR_OK;
}

/* Of the segments that were not stated the newest tell: everything before is continued by them. */
enum err hello_check_escrow(struct node *node, const struct link *link,
                            const struct msg_hello *hello, bool *lost, bool *forked)
{
    struct store_segment frontier[CONTINUES_MAX];
    size_t n;
    *lost = false;
    *forked = false;
    for (size_t i = 0; i < hello->head_count; i++) {
        struct store_segment segment;
        enum err err = store_segment_find(node->store, &hello->heads[i].segment, &segment);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        if (err == ERR_OK && segment.origin == link->origin) {
            TRY(check_head(node, &segment, &hello->heads[i], lost, forked));
        }
    }
    TRY(store_segments_frontier(node->store, link->origin, frontier, CONTINUES_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        int looks = LINES_MAX;
        TRY(lacks_line(node, hello, &frontier[i], &looks, lost));
    }
    return ERR_OK;
}

enum err hello_has_ended(struct node *node, const struct link *link, const struct msg_hello *hello,
                         bool *ended)
{
    *ended = false;
    for (size_t i = 0; i < hello->session_count && !*ended; i++) {
        if (hello->sessions[i].revision == SESSION_HEARD_OF) {
            continue;
        }
        TRY(store_ended_find(node->store, link->unit, &hello->sessions[i].session, ended));
    }
    return ERR_OK;
}

enum refusal_code hello_check_peer(struct node *node, const struct link *link,
                                   const struct msg_hello *hello, char *text, size_t size)
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

/* What the escrow has of each segment that was stated. */
static enum err welcome_escrow(struct node *node, const struct link *link,
                               const struct msg_hello *hello, struct msg_welcome *welcome)
{
    struct head *heads = arena_array(&node->arena, hello->head_count + 1, sizeof *heads);
    if (heads == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < hello->head_count; i++) {
        struct store_segment segment;
        enum err err = store_segment_find(node->store, &hello->heads[i].segment, &segment);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        if (err == ERR_OK && segment.origin == link->origin) {
            heads[welcome->escrow_count++] =
                (struct head){segment.name, (uint64_t)segment.held, segment.held_hash};
        }
    }
    welcome->escrow = heads;
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

/* A session that this office has had with the child and that its file does not know has ended: the
 * file was put back, or is a copy. What the child had sent under it may not be in its feed; nor may
 * what it sent of a session of which its file knows less. */
static enum err end_sessions(struct node *node, const struct link *link,
                             const struct msg_hello *hello, struct store_child *child)
{
    bool ended = false;
    struct id *seen[] = {&child->session, &child->have_session};
    for (int i = 0; i < 2; i++) {
        if (!id_is_zero(seen[i]) && hello_knows(hello, seen[i]) == NULL) {
            TRY(store_ended_add(node->store, link->unit, seen[i], ENDED_KEPT));
            ended = true;
            node_log(node, true,
                     "link=%" PRIu64 " unit=%s note=\"a session of it has ended: its "
                     "file was put back, or is a copy\"",
                     link->id, link->address);
        }
    }
    TRY(ended ? receive_forks_over(node, link->unit) : ERR_OK);
    const struct feed_mark *known = hello_knows(hello, &child->have_session);
    bool beyond = known != NULL && child->have_revision > known->revision;
    if (known == NULL || beyond) {
        child->have_session = (struct id){{0}};
        child->have_revision = 0;
    }
    child->node = link->node;
    child->session = hello->sessions[hello->session_count - 1].session;
    child->text = link->claimed > 0
                      ? "its node has told this unit back: it had been lost with this "
                        "office's file"
                      : "";
    return ERR_OK;
}

static enum err go_live(struct node *node, struct link *link, const struct msg_hello *hello,
                        struct msg_welcome *welcome)
{
    bool *turned_away = map_get(&node->known_whole, &link->unit);
    if (turned_away != NULL) {
        *turned_away = false;
    }
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
        TRY(room_leave(node, false));
    }
    feed_start(node, &link->out, have);
    link->out.marked = false;
    return ERR_OK;
}

enum err hello_welcome(struct node *node, const struct link *link, const struct msg_hello *hello,
                       const struct store_child *child, struct msg_welcome *out)
{
    const struct unit *unit = &node->view.tree.units[view_unit(&node->view, link->unit)];
    *out = (struct msg_welcome){
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
        .takes_back = true,
    };
    TRY(welcome_escrow(node, link, hello, out));
    TRY(welcome_known(node, link, out));
    return hello_ancestors(node, &out->ancestors, &out->ancestor_count);
}

static enum err welcome_child(struct node *node, struct link *link, const struct msg_hello *hello,
                              struct store_child *child, bool lost)
{
    struct message *message = node_message(node, MESSAGE_WELCOME);
    if (message == NULL) {
        return ERR_NO_MEMORY;
    }
    link->session = hello->sessions[hello->session_count - 1].session;
    map_clear(&link->sessions);
    for (size_t i = 0; i < hello->session_count; i++) {
        TRY(map_put(&link->sessions, &hello->sessions[i].session, NULL) == NULL ? ERR_NO_MEMORY
                                                                                : ERR_OK);
    }
    TRY(node_write(node));
    TRY(end_sessions(node, link, hello, child));
    struct msg_welcome *welcome = &message->u.welcome;
    TRY(hello_welcome(node, link, hello, child, welcome));
    TRY(store_ledger_facts(node->store, link->origin, &link->escrow_facts));
    TRY(store_ledger_lost(node->store, link->origin, &link->escrow_lost));
    TRY(store_child_put(node->store, child));
    link->midway = child->midway;
    TRY(store_alarm_delete(node->store, "child-refused", link->address));
    link->catalogue_told = hello->catalogue_version;
    if (lost) {
        feed_start(node, &link->out, (struct feed_mark){.revision = 0});
        TRY(giveback_begin(node, link, hello, welcome));
    } else {
        TRY(go_live(node, link, hello, welcome));
    }
    TRY(rows_set_state(node, link, LINK_CATCHING_UP));
    node_send(node, link, message);
    return hello_send_catalogue(node, link);
}

void hello_forked(struct node *node, const struct id *session)
{
    if (!hello_is_forked(node, session)) {
        node->forked[node->forked_count++ % FORKED_KEPT] = *session;
    }
}

bool hello_is_forked(const struct node *node, const struct id *session)
{
    size_t kept = node->forked_count < FORKED_KEPT ? node->forked_count : FORKED_KEPT;
    for (size_t i = 0; i < kept; i++) {
        if (id_equal(&node->forked[i], session)) {
            return true;
        }
    }
    return false;
}

/* The name of the newcomer's process, unless the linked machine has it in its file as well. */
static enum err end_newcomer(struct node *node, const struct link *link, const struct link *older,
                             const struct msg_hello *hello)
{
    const struct id *name = &hello->sessions[hello->session_count - 1].session;
    bool shared = map_get(&older->sessions, name) != NULL;
    TRY(shared ? ERR_OK : node_write(node));
    return shared ? ERR_OK : store_ended_add(node->store, link->unit, name, ENDED_KEPT);
}

/* Asks the linked machine whether it is there, unless it has been asked lately. What it answered
 * before a newcomer came that may be that machine itself, which dials anew, says nothing of now. */
static void ask_linked(struct node *node, struct link *older, const struct id *name, bool akin,
                       struct contest **out)
{
    struct contest *c = *out = &older->contests[akin ? 1 : 0];
    bool old = node->now.mono.ms - c->at.ms > CONTEST_KEPT_MS;
    if (c->nonce != 0 && !old && (!akin || id_equal(&c->by, name))) {
        return;
    }
    node->env.random(node->env.ctx, &c->nonce, sizeof c->nonce);
    c->nonce |= 1;
    c->at = node->now.mono;
    c->by = *name;
    c->answered = false;
    node_ping(node, older, false, c->nonce);
}

/* Another link may be up in this one's place. One of the same process gives way at once, unless two
 * were seen to have its memory. Else, when it answers, there are two machines, whatever the
 * newcomer's file knows: the link of a machine's own process before does not answer any more.
 * *waits: until that is known. */
static enum err contest(struct node *node, struct link *link, const struct msg_hello *hello,
                        const struct store_child *child, bool *waits, bool *fenced)
{
    struct link *older = downlink_live_of_unit(node, link->unit);
    const struct feed_mark *known = hello_knows(hello, &child->session);
    const struct id *name = &hello->sessions[hello->session_count - 1].session;
    struct contest *asked;
    *waits = false;
    *fenced = false;
    bool same = id_equal(name, &child->session) && !hello_is_forked(node, name);
    if (older == NULL || older == link || id_is_zero(&child->session) || same) {
        return ERR_OK;
    }
    ask_linked(node, older, name, known != NULL && known->revision != SESSION_HEARD_OF, &asked);
    *fenced = asked->answered;
    *waits = !*fenced && node->now.mono.ms - asked->at.ms < CONTEST_MS;
    return *fenced ? end_newcomer(node, link, older, hello) : ERR_OK;
}

/* `forked`: its entries lie where other ones lie in the escrow, and the two cannot be joined. */
static void fence(struct node *node, struct link *link, bool forked)
{
    char text[TEXT_MAX_BYTES];
    const struct link *other = downlink_live_of_unit(node, link->unit);
    const char *where = other == NULL || other == link ? NULL : other->peer;
    (void)snprintf(text, sizeof text,
                   "two machines have the data of unit %s: this one, at %s, and another%s%s, which "
                   "this office goes on with; what was recorded on this one stays on it, and is "
                   "not counted; stop one of them, or let tally reissue %s at this office give "
                   "one of them a new identity%s",
                   link->address, link->peer == NULL ? "?" : link->peer,
                   where == NULL ? "" : " at ", where == NULL ? "" : where, link->address,
                   forked ? " (this one only in an empty directory: its entries contradict those "
                            "of the other)"
                          : "");
    downlink_refuse_child(node, link, REFUSAL_FORK, text);
}

/* Whether the hello is that of one line of the child's data, and no other machine has it. */
static enum err check_line(struct node *node, struct link *link, const struct msg_hello *hello,
                           const struct store_child *child, bool *turned_away, bool *lost)
{
    bool ended;
    bool forked;
    bool waits;
    *turned_away = true;
    TRY(hello_check_escrow(node, link, hello, lost, &forked));
    TRY(hello_has_ended(node, link, hello, &ended));
    if (forked || ended) {
        fence(node, link, forked);
        hello_forked(node, &hello->sessions[hello->session_count - 1].session);
        return ERR_OK;
    }
    TRY(contest(node, link, hello, child, &waits, &ended));
    if (ended) {
        fence(node, link, false);
    } else if (waits) {
        downlink_refuse(node, link, REFUSAL_BUSY,
                        "another machine is linked in the place of this one, and is being asked");
    } else if (*lost && !giveback_may_begin(link)) {
        downlink_refuse_child(node, link, REFUSAL_LOST_TAIL,
                              "the ledger of this machine stays shorter than the copy kept at this "
                              "office, however often it is given back");
    } else {
        *turned_away = false;
    }
    return ERR_OK;
}

void hello_receive(struct node *node, struct link *link, const struct msg_hello *hello)
{
    char text[TEXT_MAX_BYTES];
    bool again = link->state == SESSION_HEALING && link->gave_all && !link->out.in_flight;
    if ((link->state != SESSION_HELLO && !again) || hello->session_count == 0) {
        downlink_break_off(node, link,
                           link->state != SESSION_HELLO && !again
                               ? "a second hello"
                               : "a hello without the name of its session");
        return;
    }
    if (node->full) {
        downlink_refuse(node, link, REFUSAL_BUSY, NODE_FULL_HERE);
        return;
    }
    enum refusal_code code = hello_check_peer(node, link, hello, text, sizeof text);
    if (code != 0) {
        downlink_refuse_child(node, link, code, text);
        return;
    }
    enum err err = link->unit == 0 ? admit_hello(node, link, hello) : ERR_OK;
    if (err != ERR_OK || link->state == SESSION_CLOSING) {
        node_check(node, err, "admission");
        return;
    }
    struct store_child child = {.unit = link->unit, .node = link->node, .text = ""};
    err = store_child_get(node->store, link->unit, &node->arena, &child);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        node_fail(node, err, "child");
        return;
    }
    bool turned_away;
    bool lost = false;
    err = anew_child_said(node, &child, hello);
    err = err == ERR_OK ? check_line(node, link, hello, &child, &turned_away, &lost) : err;
    if (err != ERR_OK || turned_away) {
        node_check(node, err, "hello");
        return;
    }
    struct link *older;
    while ((older = downlink_of_unit(node, link->unit, link)) != NULL) {
        node_log(node, false, "link=%" PRIu64 " unit=%s replaced_by=%" PRIu64, older->id,
                 link->address, link->id);
        node_close_link(node, older, "replaced by a newer link of the same node");
    }
    node_check(node, welcome_child(node, link, hello, &child, lost), "welcome");
}

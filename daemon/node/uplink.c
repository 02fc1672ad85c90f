/* The child's side of the link to the parent.
 *
 * 1. The link is up: the hello says who this is, the names of the sessions of this file, the heads
 * of the own ledger.
 * 2. The welcome says what the parent's file has. Less than remembered: the parent was put back,
 * and everything from there on is sent again, which changes nothing above. The escrow's head is
 * held against the own chain.
 * 3. Batches go up one at a time (feed.c), each after the acknowledgement of the one before; the
 * size adapts so that an acknowledgement takes well under a second.
 * 4. What the parent sends down is applied like a batch from a child and acknowledged.
 *
 * Ends: link down, silence for too long, or a refusal, whose reason is kept and shown; the network
 * side tries again. */
#include <inttypes.h>
#include <string.h>

#include "node/admit.h"
#include "node/heal.h"
#include "node/sealing.h"

#ifndef TALLY_VERSION
#define TALLY_VERSION "unknown"
#endif

enum { QUICK_ACK_MS = 250, SLOW_ACK_MS = 800 };

bool sender_acked(struct node *node, struct sender *out, const struct msg_ack *ack)
{
    int64_t took = node->now.mono.ms - out->sent_at.ms;
    if (!out->in_flight || ack->number != out->number) {
        return false;
    }
    out->in_flight = false;
    out->acked = ack->upto;
    out->entries_acked = out->entries_read;
    if (took < QUICK_ACK_MS && out->window_bytes < WINDOW_MAX_BYTES) {
        out->window_bytes *= 2;
    } else if (took > SLOW_ACK_MS && out->window_bytes > WINDOW_MIN_BYTES) {
        out->window_bytes /= 2;
    }
    return true;
}

/* What `status` says of the link up. A parent that stays away is dialled again and again: only
 * changes are written. */
void uplink_refused_state(struct node *node, enum uplink_state state, const char *text)
{
    uint64_t said = map_hash(text, strlen(text)) + (uint64_t)state;
    node->fenced = state == UPLINK_FENCED || (node->fenced && state != UPLINK_LINKED);
    if (said == node->uplink_said) {
        return;
    }
    enum err err = node_write(node);
    err = err == ERR_OK ? store_fact_set_int(node->store, "uplink_state", state) : err;
    err = err == ERR_OK ? store_fact_set_blob(node->store, "uplink_text", text, strlen(text)) : err;
    node->uplink_said = said;
    node_check(node, err, "uplink state");
}

void node_on_uplink_failed(struct node *node, const char *why)
{
    if (node->uplink == NULL && node->failed == ERR_OK) {
        uplink_refused_state(node, UPLINK_CONNECTING, why);
    }
}

/* Each with the last revision that it can have given; before them one that is not of this file, and
 * that an answer has told of. */
static enum err state_sessions(struct node *node, struct feed_mark *out, size_t *count)
{
    struct store_session *rows = arena_array(&node->arena, SESSIONS_MAX, sizeof *rows);
    struct id other;
    size_t n;
    TRY(rows == NULL ? ERR_NO_MEMORY : ERR_OK);
    TRY(store_sessions(node->store, rows, SESSIONS_MAX, &n));
    enum err err = store_fact_fixed(node->store, "other_session", other.b, ID_BYTES);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    *count = 0;
    if (err == ERR_OK && n < SESSIONS_MAX) {
        out[(*count)++] = (struct feed_mark){other, SESSION_HEARD_OF};
    }
    for (size_t i = 0; i < n; i++) {
        int64_t end = rows[i].end < node->head ? rows[i].end : node->head;
        out[(*count)++] = (struct feed_mark){rows[i].name, end};
    }
    return ERR_OK;
}

/* Where it stands, as the office above decided it: which may have lost that. */
static enum err state_place(struct node *node, struct msg_hello *hello)
{
    struct store_unit unit;
    struct store_hosting own;
    const char *code = node->view.tree.units[node->view.self].code;
    TRY(store_unit_get(node->store, node->view.tree.units[node->view.self].id, &node->arena,
                       &unit));
    enum err err = store_hosting_get(node->store, unit.code, &own);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* it has lost that itself */
    }
    hello->unit = (struct unit_row){.code = node_keep(node, code),
                                    .name = unit.name,
                                    .level = unit.level,
                                    .decider = unit.decider,
                                    .count = unit.count};
    hello->hosting = (struct hosting_row){.unit = hello->unit.code,
                                          .node = own.node,
                                          .origin = own.origin,
                                          .key = own.key,
                                          .number = own.number,
                                          .revoked = own.revoked,
                                          .decider = own.decider,
                                          .count = own.count};
    return edges_decode(unit.edges, &node->arena, &hello->unit.edges, &hello->unit.edge_count);
}

enum err uplink_hello(struct node *node, struct msg_hello *hello)
{
    enum { SEGMENTS = 256 };
    struct feed_mark *sessions = arena_array(&node->arena, SESSIONS_MAX, sizeof *sessions);
    struct head *heads = arena_array(&node->arena, HEADS_MAX, sizeof *heads);
    struct store_segment *segments = arena_array(&node->arena, SEGMENTS, sizeof *segments);
    if (sessions == NULL || heads == NULL || segments == NULL) {
        return ERR_NO_MEMORY;
    }
    *hello = (struct msg_hello){.protocol_min = PROTOCOL_MIN,
                                .protocol_max = PROTOCOL_MAX,
                                .software = TALLY_VERSION,
                                .tree = node->identity.tree,
                                .node = node->identity.node,
                                .origin = node->origin,
                                .catalogue_version = node->view.catalogue.version,
                                .sessions = sessions,
                                .heads = heads,
                                .remembered = node->acked,
                                .have = node->parent_have};
    if (node->fetch_again) {
        hello->have = (struct feed_mark){.revision = 0};
    }
    TRY(state_sessions(node, sessions, &hello->session_count));
    size_t n = SEGMENTS;
    for (int64_t after = 0; n == SEGMENTS; after = segments[n - 1].number) {
        TRY(store_segments(node->store, node->own_origin, after, segments, SEGMENTS, &n));
        for (size_t i = 0; i < n; i++) {
            bool current = node->segment.id != 0 && segments[i].id == node->segment.id;
            const struct store_segment *segment = current ? &node->segment : &segments[i];
            /* The newest are what counts: the oldest make room. */
            if (hello->head_count == HEADS_MAX) {
                memmove(heads, heads + 1, (HEADS_MAX - 1) * sizeof *heads);
                hello->head_count--;
            }
            heads[hello->head_count++] =
                (struct head){segment->name, (uint64_t)segment->length, segment->hash};
        }
        if (n == 0) {
            break;
        }
    }
    TRY(state_place(node, hello));
    /* Kept for as long as the parent may ask for it, however often this process starts anew. */
    TRY(node_write(node));
    return store_fact_set_blob(node->store, "said_session", node->session.b, ID_BYTES);
}

static enum err say_hello(struct node *node, struct link *link)
{
    struct message *message = node_message(node, MESSAGE_HELLO);
    if (message == NULL) {
        return ERR_NO_MEMORY;
    }
    link->from_start = node->fetch_again;
    TRY(uplink_hello(node, &message->u.hello));
    node_send(node, link, message);
    return ERR_OK;
}

void uplink_start(struct node *node, struct link *link)
{
    link->state = SESSION_HELLO;
    node_check(node, say_hello(node, link), "hello");
}

void uplink_down(struct node *node, struct link *link)
{
    node->uplink = NULL;
    node->parent_clock_known = false;
    /* Why a link was refused stays to be seen; one that only ended is being made again. */
    int64_t state;
    enum err err = store_fact_int(node->store, "uplink_state", UPLINK_CONNECTING, &state);
    if (err == ERR_OK && (link->state != SESSION_CLOSING || state == UPLINK_LINKED)) {
        uplink_refused_state(node, UPLINK_CONNECTING, "");
    }
    node_check(node, err, "uplink state");
}

/* The end of this session for a reason that people must see. */
static void give_up(struct node *node, struct link *link, enum refusal_code code, const char *text)
{
    struct message *message = node_message(node, MESSAGE_REFUSE);
    if (message != NULL) {
        message->u.refuse = (struct msg_refuse){
            .code = code, .text = text, .protocol_min = PROTOCOL_MIN, .protocol_max = PROTOCOL_MAX};
        node_send(node, link, message);
    }
    uplink_refused_state(node, code == REFUSAL_FORK ? UPLINK_FENCED : UPLINK_REFUSED, text);
    node_check(node, node_alarm(node, "uplink-refused", "parent", "%s", text), "alarm");
    node_close_link(node, link, "refused");
}

/* Holds what the escrow has of one segment against the own one: *ours is false for another history,
 * or more of it than is here. */
static enum err check_escrow_head(struct node *node, const struct head *head, bool *ours)
{
    struct store_segment segment;
    struct store_entry entry;
    if (head->length == 0) {
        return ERR_OK;
    }
    enum err err = store_segment_find(node->store, &head->segment, &segment);
    err = err == ERR_OK ? store_entry_get(node->store, segment.id, (int64_t)head->length,
                                          &node->arena, &entry)
                        : err;
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    *ours = *ours && err == ERR_OK && hash_equal(&entry.hash, &head->hash);
    return ERR_OK;
}

enum err uplink_escrow(struct node *node, const struct head *heads, size_t count,
                       struct map *lengths, bool *ours)
{
    *ours = true;
    for (size_t i = 0; i < count; i++) {
        int64_t *length = map_put(lengths, &heads[i].segment, NULL);
        TRY(length == NULL ? ERR_NO_MEMORY : check_escrow_head(node, &heads[i], ours));
        *length = (int64_t)heads[i].length;
    }
    return ERR_OK;
}

int64_t uplink_there(const struct map *lengths, const struct store_segment *segment, size_t *unsaid)
{
    const int64_t *there = map_get(lengths, &segment->name);
    if (*unsaid > 0) {
        (*unsaid)--;
        return segment->length;
    }
    return there == NULL ? 0 : *there;
}

enum err uplink_unsaid(struct node *node, size_t *unsaid)
{
    size_t count;
    TRY(store_segments_count(node->store, node->own_origin, &count));
    *unsaid = count > HEADS_MAX ? count - HEADS_MAX : 0;
    return ERR_OK;
}

enum err uplink_place(struct node *node, const struct map *lengths, int64_t *place)
{
    enum { SEGMENTS = 64 };
    struct store_segment page[SEGMENTS];
    size_t n = SEGMENTS;
    size_t unsaid;
    bool whole = true;
    *place = 0;
    TRY(uplink_unsaid(node, &unsaid));
    for (int64_t after = 0; whole && n == SEGMENTS; after = page[n - 1].number) {
        TRY(store_segments(node->store, node->own_origin, after, page, SEGMENTS, &n));
        for (size_t i = 0; i < n && whole; i++) {
            int64_t there = uplink_there(lengths, &page[i], &unsaid);
            whole = there >= page[i].length;
            *place = page[i].base + (whole ? page[i].length : there);
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

/* The place in the own ledger up to which the escrow has everything. */
static enum err place_of_escrow(struct node *node, const struct msg_welcome *welcome,
                                int64_t *place, bool *ours)
{
    struct map lengths;
    map_init(&lengths, ID_BYTES, sizeof(int64_t));
    enum err err = uplink_escrow(node, welcome->escrow, welcome->escrow_count, &lengths, ours);
    err = err == ERR_OK && *ours ? heal_order(node, &lengths) : err;
    err = err == ERR_OK ? uplink_place(node, &lengths, place) : err;
    map_deinit(&lengths);
    return err;
}

static enum err adopt_addresses(struct node *node, const struct msg_welcome *welcome)
{
    if (welcome->ancestor_count == 0 || welcome->ancestors[0].address_count == 0) {
        return ERR_OK;
    }
    struct buf list;
    buf_init(&list, 1 << 14);
    buf_put_u32(&list, (uint32_t)welcome->ancestors[0].address_count);
    for (size_t i = 0; i < welcome->ancestors[0].address_count; i++) {
        buf_put_str(&list, welcome->ancestors[0].addresses[i]);
    }
    enum err err = list.failed ? ERR_NO_MEMORY : node_write(node);
    err = err == ERR_OK ? store_fact_set_blob(node->store, "parent_addresses", list.data, list.len)
                        : err;
    err = err == ERR_OK ? identity_seal(node->store) : err;
    buf_deinit(&list);
    return err;
}

static enum err go_live(struct node *node, struct link *link, const struct msg_welcome *welcome,
                        int64_t place)
{
    bool behind = welcome->have.revision < node->acked.revision;
    node_log(node, false,
             "uplink=live unit=%s parent_has=%" PRId64 " remembered=%" PRId64 " escrow=%" PRId64
             "%s",
             welcome->unit, welcome->have.revision, node->acked.revision, place,
             behind ? " note=\"the parent has less than remembered: it was put back, and is sent "
                      "the rest again\""
                    : "");
    feed_start(node, &link->out, welcome->have);
    link->out.entries_read = place;
    link->out.entries_acked = place;
    link->state = SESSION_LIVE;
    link->takes_back = welcome->takes_back;
    link->catalogue_told = welcome->catalogue_version;
    node->welcomed = true;
    node->acked = welcome->have;
    node->entries_acked = place;
    revision_welcomed(node);
    revision_at_root(node, welcome->root_revision);
    node->parent_offset_ms = welcome->now.ms - node->now.wall.ms;
    node->parent_clock_known = true;
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&node->origins, &at, &key, &value)) {
        ((struct cached_origin *)value)->marked = false;
    }
    TRY(adopt_addresses(node, welcome));
    TRY(node_write(node));
    TRY(returned_tidy(node));
    TRY(link->from_start ? mend_from_above(node) : ERR_OK);
    TRY(store_fact_set_blob(node->store, "welcomed_session", node->session.b, ID_BYTES));
    TRY(store_fact_set_blob(node->store, "acked_session", node->acked.session.b, ID_BYTES));
    TRY(store_fact_set_int(node->store, "acked_revision", node->acked.revision));
    TRY(store_fact_set_int(node->store, "entries_acked", place));
    TRY(store_alarm_delete(node->store, "uplink-refused", "parent"));
    uplink_refused_state(node, UPLINK_LINKED, "");
    return ERR_OK;
}

enum err uplink_keep_parent(struct node *node)
{
    struct node_identity *identity = &node->identity;
    bool other = !hash_equal(&node->met_key, &identity->parent_key);
    if (!node->met || (!other && node->met_number <= identity->parent_number)) {
        return ERR_OK;
    }
    node_log(node, other, "parent_hosting=%" PRId64 "%s", node->met_number,
             other ? " note=\"a new machine has taken the place of the one above\"" : "");
    TRY(node_write(node));
    TRY(store_fact_set_blob(node->store, "parent_key", node->met_key.b, HASH_BYTES));
    TRY(store_fact_set_int(node->store, "parent_number", node->met_number));
    TRY(identity_seal(node->store));
    identity->parent_key = node->met_key;
    identity->parent_number = node->met_number;
    return ERR_OK;
}

void node_on_parent(struct node *node, const struct hash *key, int64_t number)
{
    node->met = true;
    node->met_key = *key;
    node->met_number = number;
}

static enum err on_welcome(struct node *node, struct link *link, const struct msg_welcome *welcome)
{
    int64_t place;
    bool ours;
    bool known;
    if (link->state != SESSION_HELLO || !id_equal(&welcome->tree, &node->identity.tree)) {
        give_up(node, link, REFUSAL_TREE, "the parent belongs to another tree");
        return ERR_OK;
    }
    TRY(uplink_keep_parent(node));
    TRY(ledger_flush(node));
    if (welcome->heal) {
        return heal_begin(node, link, welcome);
    }
    int64_t open;
    TRY(store_fact_int(node->store, "heal_open", 0, &open));
    TRY(open != 0 ? node_write(node) : ERR_OK);
    TRY(open != 0 ? heal_place(node) : ERR_OK); /* all had come, but for the word that it had */
    TRY(place_of_escrow(node, welcome, &place, &ours));
    if (!ours) {
        give_up(node, link, REFUSAL_FORK,
                "the copy of this ledger at the parent has entries that are not here, or others: "
                "this machine's data was "
                "put back to an old state or copied; what is here is kept, nothing is sent; ask "
                "the office above");
        return ERR_OK;
    }
    TRY(node_gave(node, &welcome->have, &known));
    if (!known) { /* of a file that is gone: all goes up again, which changes nothing above */
        struct msg_welcome from_start = *welcome;
        from_start.have = (struct feed_mark){.revision = 0};
        from_start.root_revision = 0;
        return go_live(node, link, &from_start, place);
    }
    return go_live(node, link, welcome, place);
}

/* The parent names a cell that differs. One that is not here may have been lost; with the digest
 * the parent sees whether it has been. */
static enum err send_cell_again(struct node *node, struct link *link, const struct cell_key *key)
{
    struct cached_origin *origin;
    struct store_cell_key symbols = {.period = key->period};
    enum err err = node_origin_named(node, &key->origin, &origin);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && origin->row.scope == SCOPE_ABOVE)) {
        return ERR_OK;
    }
    TRY(err);
    origin->marked = false;
    link->out.marked = false;
    symbols.origin = origin->row.id;
    err = store_symbol_find(node->store, key->unit, &symbols.unit);
    err = err == ERR_OK ? store_symbol_find(node->store, key->measure, &symbols.measure) : err;
    err = err == ERR_OK ? store_symbol_find(node->store, key->category, &symbols.category) : err;
    err = err == ERR_OK ? store_cell_requeue(node->store, &symbols, &node->head) : err;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The parent lacks cells of these origins, or has others: those that it names go up again, or all
 * of theirs. */
static enum err send_again(struct node *node, struct link *link, const struct msg_ack *ack)
{
    if (ack->unequal_count + ack->again_count > 0) {
        audit_soon(node, AUDIT_AGAIN_MS); /* or they are what is damaged here */
    }
    for (size_t i = 0; i < ack->again_count; i++) {
        TRY(send_cell_again(node, link, &ack->again[i]));
    }
    TRY(ack->compare_count > 0 ? compare_asked(node, link, &ack->compare[0]) : ERR_OK);
    for (size_t i = 0; i < ack->unequal_count; i++) {
        struct cached_origin *origin;
        enum err err = node_origin_named(node, &ack->unequal[i], &origin);
        if (err == ERR_OK && origin->row.scope != SCOPE_ABOVE) {
            TRY(store_cells_requeue(node->store, origin->row.id, &node->head));
            origin->marked = false;
            link->out.marked = false;
        }
    }
    return ERR_OK;
}

static enum err on_ack(struct node *node, struct link *link, const struct msg_ack *ack)
{
    if (ack->upto.revision > node->head) {
        return ERR_PROTOCOL;
    }
    if (ack->unasked) {
        TRY(node_write(node)); /* the parent has found damage in its file */
        return send_again(node, link, ack);
    }
    if (!sender_acked(node, &link->out, ack)) {
        return ERR_OK;
    }
    if (ack->held != node->held_above) {
        node->held_above = ack->held;
        TRY(node_write(node));
        TRY(store_fact_set_int(node->store, "held_above", ack->held));
    }
    node->acked = ack->upto;
    node->entries_acked = link->out.entries_acked;
    revision_at_root(node, ack->root_revision);
    revision_acked(node);
    TRY(node_write(node));
    TRY(store_fact_set_blob(node->store, "acked_session", node->acked.session.b, ID_BYTES));
    TRY(store_fact_set_int(node->store, "acked_revision", node->acked.revision));
    TRY(store_fact_set_int(node->store, "entries_acked", node->entries_acked));
    if (link->out.in_flight_mark) {
        node->differs_above = ack->unequal_count > 0 || ack->differs;
        TRY(store_fact_set_int(node->store, "differs_above", node->differs_above ? 1 : 0));
    }
    if (link->out.in_flight_mark && !node->differs_above) {
        TRY(mend_all(node));
        TRY(store_fact_set_int(node->store, "exact_as_of", node->now.wall.ms));
    }
    if (ack->refused_total > 0) {
        const struct refused_row *row = ack->refused_count > 0 ? &ack->refused[0] : NULL;
        TRY(node_alarm(
            node, "refused-above", "parent",
            "the office above refused %" PRId64 " row%s; the first: unit %s%s%s: %s",
            ack->refused_total, ack->refused_total == 1 ? "" : "s", row == NULL ? "?" : row->unit,
            row == NULL || row->measure[0] == '\0' ? "" : ", measure ",
            row == NULL ? "" : row->measure, row == NULL ? "?" : refuse_reason_text(row->reason)));
    }
    return send_again(node, link, ack);
}

static enum err on_batch(struct node *node, struct link *link, const struct msg_batch *batch)
{
    bool again;
    TRY(receive_batch(node, link, batch, &again));
    if (again) {
        return ERR_OK;
    }
    link->ack_due = true;
    link->received = batch->upto;
    if (node->fetch_again) {
        return ERR_OK; /* all of it comes again over the next link */
    }
    node->parent_have = batch->upto;
    TRY(store_fact_set_blob(node->store, "parent_have_session", batch->upto.session.b, ID_BYTES));
    return store_fact_set_int(node->store, "parent_have_revision", batch->upto.revision);
}

static enum err on_ping(struct node *node, struct link *link, const struct msg_ping *ping)
{
    node->parent_offset_ms = ping->now.ms - node->now.wall.ms;
    revision_at_root(node, ping->root_revision);
    if (!ping->answer) {
        node_ping(node, link, true, ping->nonce);
    }
    return ERR_OK;
}

static void on_refuse(struct node *node, struct link *link, const struct msg_refuse *refuse)
{
    if (refuse->code == REFUSAL_SHUTDOWN || refuse->code == REFUSAL_BUSY) {
        uplink_refused_state(node, UPLINK_CONNECTING, refuse->text);
    } else {
        const char *text =
            arena_printf(&node->arena, "%s (protocol here %u to %u, there %u to %u)", refuse->text,
                         PROTOCOL_MIN, PROTOCOL_MAX, refuse->protocol_min, refuse->protocol_max);
        text = refuse->code == REFUSAL_PROTOCOL && text != NULL ? text : refuse->text;
        uplink_refused_state(node, refuse->code == REFUSAL_FORK ? UPLINK_FENCED : UPLINK_REFUSED,
                             text);
        node_check(node, node_alarm(node, "uplink-refused", "parent", "%s", text), "alarm");
    }
    node_close_link(node, link, "refused by the parent");
}

void uplink_message(struct node *node, struct link *link, const struct message *message)
{
    link->heard_at = node->now.mono;
    enum err err = ERR_PROTOCOL;
    if (message->type == MESSAGE_REFUSE) {
        on_refuse(node, link, &message->u.refuse);
        return;
    }
    if (message->type == MESSAGE_WELCOME) {
        err = on_welcome(node, link, &message->u.welcome);
    } else if (link->state == SESSION_LIVE && message->type == MESSAGE_ACK) {
        err = on_ack(node, link, &message->u.ack);
    } else if (link->state == SESSION_HEALING && message->type == MESSAGE_BATCH) {
        err = heal_batch(node, link, &message->u.batch);
    } else if ((link->state == SESSION_LIVE || link->state == SESSION_HEALING) &&
               message->type == MESSAGE_CATALOGUE) {
        err = admit_catalogue(node, link, &message->u.catalogue);
    } else if (link->state == SESSION_LIVE && message->type == MESSAGE_BATCH) {
        err = on_batch(node, link, &message->u.batch);
    } else if ((link->state == SESSION_LIVE || link->state == SESSION_HEALING) &&
               message->type == MESSAGE_PING) {
        err = on_ping(node, link, &message->u.ping);
    }
    if (err == ERR_PROTOCOL) {
        node_close_link(node, link, "the parent broke the protocol");
    } else {
        node_check(node, err, "uplink");
    }
}

static enum err acknowledge(struct node *node, struct link *link)
{
    struct message *message = node_message(node, MESSAGE_ACK);
    if (message == NULL) {
        return ERR_NO_MEMORY;
    }
    message->u.ack = (struct msg_ack){.number = link->received_number, .upto = link->received};
    node_send(node, link, message);
    return ERR_OK;
}

enum err uplink_settle(struct node *node, struct link *link)
{
    bool talks = link->state == SESSION_LIVE || link->state == SESSION_HEALING;
    if (talks && link->ack_due) {
        TRY(acknowledge(node, link));
    }
    if (link->state == SESSION_HEALING && link->hello_due) {
        link->hello_due = false;
        link->state = SESSION_HELLO;
        return say_hello(node, link);
    }
    if (link->state != SESSION_LIVE) {
        return ERR_OK;
    }
    TRY(link->takes_back ? hello_send_catalogue(node, link) : ERR_OK);
    return feed_pump(node, link);
}

/* A bundle that was read, one message after the other, each in a batch of its own. Its signature
 * has been verified: who wrote it is certain, and that it is whole. When it was written is not: it
 * may be old, come twice, or be of a machine whose data was put back since.
 *
 * A feed, of a unit below:
 * 1. The hello is held against what is known of the unit, as on a link, but ends no session and
 * turns no machine away: an old bundle looks like a machine that was put back, and one of a machine
 * that was fenced may have entries that are nowhere else. What it said that it has is kept for the
 * answer, which brings back what it lacks. Of one that has less of its ledger than is here, or is
 * of a line that has ended, only the entries go into escrow: the machine of that unit gets them
 * from there.
 * 2. Rows are taken in as from a link. When what lies before the bundle is here too, this file has
 * the unit's feed up to its end afterwards.
 * 3. The mark is compared, when nothing newer is here.
 *
 * An answer, of the office above:
 * 1. The welcome says what it has; while there is a link, that knows better, and only rows are
 * taken in.
 * 2. The catalogue; entries that were lost, when they still are; rows of its feed.
 *
 * Whatever is not taken in stays where it is and comes with a later bundle or link. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/admit.h"
#include "node/heal.h"

void node_on_bundle_read(struct node *node, const struct node_client *client, uint64_t request,
                         const struct node_bundle_sender *sender)
{
    struct bundle *bundle = bundle_new(node, client, request, REQUEST_BUNDLE_READ);
    if (bundle != NULL) {
        bundle->fresh = false;
        bundle->sender = *sender;
        bundle->reply.outcome = BUNDLE_TAKEN;
        return;
    }
    struct msg_request msg = {.id = request, .type = REQUEST_BUNDLE_READ};
    struct request both = {client, &msg};
    bool busy = node->bundle != NULL;
    request_refuse(node, &both, busy ? ERR_BUSY : ERR_NO_MEMORY, "%s",
                   busy ? "another bundle is under way; try again when it is done" : "no memory");
}

void node_on_bundle_gone(struct node *node)
{
    bundle_forget(node);
}

static void refuse(struct bundle *bundle, const char *why)
{
    (void)snprintf(bundle->refused, sizeof bundle->refused, "%s", why);
}

/* ---- what it is ---- */

static enum err know_child(struct node *node, struct bundle *bundle)
{
    bool known;
    enum refusal_code code;
    const char *why;
    bundle->link->key = bundle->sender.key;
    TRY(downlink_know(node, bundle->link, &bundle->sender.node, &known, &code, &why));
    if (!known) {
        refuse(bundle,
               code == REFUSAL_REVOKED
                   ? "the bundle is of a node whose key was revoked; nothing of it was taken"
                   : "the bundle is of a node that this office does not know; it belongs "
                     "to the office above that one");
        return ERR_OK;
    }
    (void)snprintf(bundle->unit, sizeof bundle->unit, "%s", bundle->link->address);
    return ERR_OK;
}

static enum err begin(struct node *node, struct bundle *bundle, const struct msg_bundle *what)
{
    bundle->begun = true;
    bundle->base = what->after;
    bundle->entries_after = what->entries_after;
    bundle->reply.kind = what->kind;
    bundle->reply.written_at = what->written_at;
    if (!id_equal(&what->tree, &node->identity.tree)) {
        refuse(bundle, "the bundle is of another tree; nothing of it was taken");
        return ERR_OK;
    }
    if (what->kind == BUNDLE_FEED) {
        return know_child(node, bundle);
    }
    if (!bundle->sender.is_parent || what->kind != BUNDLE_ANSWER) {
        refuse(bundle, "the bundle is an answer of an office that is not the one above this; "
                       "nothing of it was taken");
        return ERR_OK;
    }
    bundle->link->up = true;
    (void)snprintf(bundle->unit, sizeof bundle->unit, "%s", what->unit);
    /* The parent may know a session of a machine that this one's data was copied from or to: with
     * its name the parent sees that this one has heard of it. */
    int64_t end;
    enum err err =
        id_is_zero(&what->seen) ? ERR_OK : store_session_end(node->store, &what->seen, &end);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    if (err == ERR_NOT_FOUND) {
        TRY(node_write(node));
        TRY(store_fact_set_blob(node->store, "other_session", what->seen.b, ID_BYTES));
    }
    node_on_parent(node, &bundle->sender.key, bundle->sender.number);
    return uplink_keep_parent(node);
}

/* ---- a feed ---- */

/* Segments that the hello states and of which the escrow has less: where what is new begins. What
 * was new in a bundle before it stays so until the machine has had what it lacks. */
static enum err find_beyond(struct node *node, const struct bundle *bundle,
                            const struct msg_hello *hello, struct head *out, size_t *count)
{
    struct store_bundle old = {.unit = bundle->link->unit};
    struct head *before = NULL;
    size_t n = 0;
    *count = 0;
    if (!bundle->behind) {
        return ERR_OK;
    }
    enum err err = store_bundle_get(node->store, old.unit, &node->arena, &old);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    TRY(err == ERR_OK ? heads_decode(old.beyond, &node->arena, &before, &n) : ERR_OK);
    for (size_t i = 0; i < hello->head_count; i++) {
        const struct head *head = &hello->heads[i];
        struct store_segment segment = {.held = 0};
        size_t at = 0;
        while (at < n && !id_equal(&before[at].segment, &head->segment)) {
            at++;
        }
        err = store_segment_find(node->store, &head->segment, &segment);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        if (at < n) {
            out[(*count)++] = before[at];
        } else if ((int64_t)head->length > segment.held) {
            out[(*count)++] =
                (struct head){head->segment, (uint64_t)segment.held, segment.held_hash};
        }
    }
    return ERR_OK;
}

static enum err keep_what_it_has(struct node *node, const struct bundle *bundle,
                                 const struct msg_hello *hello)
{
    struct head *beyond = arena_array(&node->arena, hello->head_count + 1, sizeof *beyond);
    struct buf heads;
    struct buf news;
    size_t count;
    TRY(beyond == NULL ? ERR_NO_MEMORY : node_write(node));
    TRY(find_beyond(node, bundle, hello, beyond, &count));
    buf_init(&heads, 1 << 20);
    buf_init(&news, 1 << 20);
    enum err err = heads_encode(hello->heads, hello->head_count, &heads);
    err = err == ERR_OK ? heads_encode(beyond, count, &news) : err;
    struct store_bundle row = {.unit = bundle->link->unit,
                               .have_session = hello->have.session,
                               .have_revision = hello->have.revision,
                               .catalogue = (int64_t)hello->catalogue_version,
                               .heads = buf_bytes(&heads),
                               .beyond = buf_bytes(&news)};
    err = err == ERR_OK ? store_bundle_put(node->store, &row) : err;
    buf_deinit(&heads);
    buf_deinit(&news);
    return err;
}

/* Whether what lies before the bundle is here, and whether its writer is not behind what was heard
 * of it since. */
static enum err compare_base(struct node *node, struct bundle *bundle,
                             const struct msg_hello *hello)
{
    struct store_child child = {.unit = bundle->link->unit, .text = ""};
    enum err err = store_child_get(node->store, child.unit, &node->arena, &child);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    const struct feed_mark *have = hello_knows(hello, &child.have_session);
    /* Of the session under way it gave more after its hello. */
    bool last = hello->session_count > 0 && have == &hello->sessions[hello->session_count - 1];
    bool same_feed = have != NULL && (last || child.have_revision <= have->revision);
    bundle->later = id_is_zero(&child.session) || hello_knows(hello, &child.session) != NULL;
    bundle->joined = bundle->later && (bundle->base.revision == 0 ||
                                       (same_feed && bundle->base.revision <= child.have_revision));
    bundle->had = same_feed ? (struct feed_mark){child.have_session, child.have_revision}
                            : (struct feed_mark){.revision = 0};
    if (!bundle->later) {
        return ERR_OK;
    }
    child.node = bundle->link->node;
    child.session = hello->sessions[hello->session_count - 1].session;
    TRY(node_write(node));
    return store_child_put(node->store, &child);
}

/* Whether the escrow has all of the writer's ledger that lies before the entries in the bundle; the
 * hello states its segments in order. */
static enum err compare_entries(struct node *node, struct bundle *bundle,
                                const struct msg_hello *hello)
{
    const struct head *after = &bundle->entries_after;
    for (size_t i = 0; i < hello->head_count; i++) {
        struct store_segment segment = {.held = 0};
        bool begins = id_equal(&hello->heads[i].segment, &after->segment);
        uint64_t needs = begins ? after->length : hello->heads[i].length;
        enum err err = store_segment_find(node->store, &hello->heads[i].segment, &segment);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        bool here = err == ERR_OK && segment.origin == bundle->link->origin;
        if (needs > (uint64_t)(here ? segment.held : 0)) {
            return map_put(&bundle->gaps, &bundle->link->origin, NULL) == NULL ? ERR_NO_MEMORY
                                                                               : ERR_OK;
        }
        if (begins) {
            break;
        }
    }
    return ERR_OK;
}

static enum err on_hello(struct node *node, struct bundle *bundle, const struct msg_hello *hello)
{
    struct link *link = bundle->link;
    char text[TEXT_MAX_BYTES];
    bool forked;
    bool ended;
    if (hello_check_peer(node, link, hello, text, sizeof text) != 0) {
        refuse(bundle, text);
        return ERR_OK;
    }
    if (hello->session_count == 0) {
        refuse(bundle, "the bundle does not name the session that it was written in");
        return ERR_OK;
    }
    TRY(hello_check_escrow(node, link, hello, &bundle->behind, &forked));
    TRY(hello_has_ended(node, link, hello, &ended));
    if (forked) {
        (void)snprintf(
            text, sizeof text,
            "two machines have the data of unit %.64s, and the entries in this bundle "
            "contradict those that came from the other one; nothing of it was taken; let "
            "tally reissue %.64s at this office give the machine that wrote it a new "
            "identity, in an empty directory",
            link->address, link->address);
        refuse(bundle, text);
        return node_alarm(node, "child-refused", link->address, "%s", text);
    }
    bundle->behind = bundle->behind || ended;
    TRY(keep_what_it_has(node, bundle, hello));
    TRY(store_ledger_facts(node->store, link->origin, &link->escrow_facts));
    TRY(store_ledger_lost(node->store, link->origin, &link->escrow_lost));
    link->state = SESSION_LIVE;
    TRY(compare_entries(node, bundle, hello));
    return bundle->behind ? ERR_OK : compare_base(node, bundle, hello);
}

static int64_t entries_in_escrow(struct node *node, const struct link *link)
{
    int64_t length = 0;
    int64_t held = 0;
    return store_ledger_length(node->store, link->origin, &length, &held) == ERR_OK ? held : 0;
}

/* Of a line that is behind, or has ended: its entries, which any line of it can have again. */
static enum err take_entries(struct node *node, struct bundle *bundle,
                             const struct msg_batch *batch, bool *again)
{
    struct msg_batch part = {.number = batch->number,
                             .upto = batch->upto,
                             .openings = batch->openings,
                             .opening_count = batch->opening_count,
                             .entries = batch->entries,
                             .entry_count = batch->entry_count};
    return receive_batch(node, bundle->link, &part, again);
}

/* All of it; but how the machines below its writer stood then is no news when newer is here, and
 * when it is not joined comes again. */
static enum err take_all(struct node *node, struct bundle *bundle, const struct msg_batch *batch,
                         bool *again)
{
    struct msg_batch part = *batch;
    bool newest =
        bundle->joined && bundle->gaps.count == 0 && batch->upto.revision >= bundle->had.revision;
    part.status_count = newest ? batch->status_count : 0;
    return receive_batch(node, bundle->link, &part, again);
}

/* The machine that is linked may lack what has come of another line: it says hello again, and gets
 * it. At once, since what it says before that does not cover what is in escrow: it is refused. */
static void tell_the_machine(struct node *node, const struct bundle *bundle)
{
    struct link *live = downlink_live_of_unit(node, bundle->link->unit);
    if (live != NULL) {
        node_close_link(node, live, "entries of it came in a bundle; it is given them");
    }
}

static enum err on_feed_batch(struct node *node, struct bundle *bundle,
                              const struct msg_batch *batch)
{
    struct link *link = bundle->link;
    bool again;
    int64_t before = entries_in_escrow(node, link);
    enum err err = bundle->behind ? take_entries(node, bundle, batch, &again)
                                  : take_all(node, bundle, batch, &again);
    err = err == ERR_OK && again ? ERR_PROTOCOL : err;
    TRY(err == ERR_PROTOCOL ? ERR_OK : err);
    int64_t more = entries_in_escrow(node, link) - before;
    bundle->reply.entries += more;
    bundle->brought = bundle->brought || more > 0;
    if (!bundle->later && more > 0) {
        tell_the_machine(node, bundle);
    }
    if (err == ERR_PROTOCOL) {
        refuse(bundle, "the bundle breaks the protocol: a batch out of its turn, or entries that "
                       "do not continue the ledger that is known");
        return ERR_OK;
    }
    if (bundle->behind) {
        bundle->reply.outcome = BUNDLE_BEHIND;
        return ERR_OK;
    }
    bundle->reply.cells += (int64_t)batch->cell_count;
    bundle->reply.refused += link->refused_total;
    link->ack_due = true;
    link->received = batch->upto;
    link->mark_due = batch->mark;
    link->marked_at = batch->marked_at;
    link->digests = batch->digests;
    link->digest_count = batch->digest_count;
    return ERR_OK;
}

/* A unit that has no link is as exact as the mark of its last bundle: when that was, by its clock,
 * but not later than now. */
static enum err show_mark(struct node *node, struct link *link)
{
    struct store_status status = {.unit = link->unit};
    enum err err = store_status_get(node->store, link->unit, &status);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    bool linked = downlink_of_unit(node, link->unit, NULL) != NULL;
    struct wall at = link->marked_at.ms < node->now.wall.ms ? link->marked_at : node->now.wall;
    link->exact_as_of = at;
    enum link_state state = (enum link_state)status.state;
    return rows_set_state(node, link, !linked && state == LINK_NEVER ? LINK_OFFLINE : state);
}

/* What came is here now; with what lies before it, all up to its end. */
static enum err settle_feed(struct node *node, struct bundle *bundle)
{
    struct link *link = bundle->link;
    struct store_child child = {.unit = link->unit, .text = ""};
    bool equal = false;
    enum err err = store_child_get(node->store, link->unit, &node->arena, &child);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    child.node = link->node;
    bool joined = bundle->joined && bundle->gaps.count == 0;
    bool news = joined && link->received.revision > bundle->had.revision;
    bool newest = joined && link->received.revision >= bundle->had.revision;
    if (link->mark_due && newest) {
        TRY(mark_bundle(node, link, &equal));
        TRY(equal ? show_mark(node, link) : ERR_OK);
    }
    if (link->mark_due && newest && !equal) {
        child.have_revision = 0; /* all of it comes again with the next one */
        child.have_session = (struct id){{0}};
    } else if (news) {
        bundle->had = link->received;
        child.have_session = link->received.session;
        child.have_revision = link->received.revision;
    }
    if (downlink_live_of_unit(node, link->unit) == NULL && (newest || !joined)) {
        child.midway = joined ? !link->mark_due : child.midway || bundle->brought;
    }
    TRY(node_write(node));
    TRY(store_child_put(node->store, &child));
    bundle->news = bundle->news || news;
    bundle->reply.exact = equal;
    bool gap = !joined && (bundle->later || bundle->brought);
    bundle->reply.outcome = gap ? BUNDLE_GAP : bundle->news ? BUNDLE_TAKEN : BUNDLE_OLD;
    return ERR_OK;
}

/* ---- an answer ---- */

/* What the parent has is known from now on, be it less than was known before. */
static enum err take_place(struct node *node, struct bundle *bundle, struct feed_mark have)
{
    int64_t place;
    TRY(uplink_place(node, &bundle->escrow, &place));
    TRY(node_write(node));
    node->acked = have;
    node->entries_acked = place;
    revision_told(node);
    bool all = have.revision >= node->head && place == node->ledger_length;
    bundle->reply.exact = all;
    TRY(store_fact_set_blob(node->store, "acked_session", have.session.b, ID_BYTES));
    TRY(store_fact_set_int(node->store, "acked_revision", have.revision));
    TRY(store_fact_set_int(node->store, "entries_acked", place));
    return all ? store_fact_set_int(node->store, "exact_as_of", node->now.wall.ms) : ERR_OK;
}

static bool is_linked(const struct node *node)
{
    return node->uplink != NULL &&
           (node->uplink->state == SESSION_LIVE || node->uplink->state == SESSION_HEALING);
}

static enum err on_welcome(struct node *node, struct bundle *bundle,
                           const struct msg_welcome *welcome)
{
    bool ours;
    bool gave;
    TRY(ledger_flush(node));
    bundle->linked = is_linked(node);
    bundle->heals = welcome->heal;
    bundle->link->state = SESSION_LIVE;
    if (bundle->linked) {
        return ERR_OK;
    }
    TRY(uplink_escrow(node, welcome->escrow, welcome->escrow_count, &bundle->escrow, &ours));
    if (!ours && !welcome->heal) {
        refuse(bundle, "the copy of this ledger at the office above has entries that are not here, "
                       "or others: this machine's data was put back or copied; write a new bundle "
                       "for it, the answer to that brings them back");
        return ERR_OK;
    }
    if (bundle->heals) {
        return ERR_OK;
    }
    TRY(node_gave(node, &welcome->have, &gave));
    struct feed_mark have = gave ? welcome->have : (struct feed_mark){.revision = 0};
    if (have.revision < node->acked.revision) {
        bundle->reply.outcome = BUNDLE_OLD;
    }
    TRY(take_place(node, bundle, have));
    if (gave && welcome->root_revision > node->root_revision) {
        revision_at_root(node, welcome->root_revision);
    }
    return ERR_OK;
}

/* Entries that were given back are in the escrow. */
static enum err note_given(struct bundle *bundle, const struct msg_batch *batch)
{
    for (size_t i = 0; i < batch->opening_count; i++) {
        TRY(map_put(&bundle->escrow, &batch->openings[i].segment, NULL) == NULL ? ERR_NO_MEMORY
                                                                                : ERR_OK);
    }
    for (size_t i = 0; i < batch->entry_count; i++) {
        int64_t *length = map_put(&bundle->escrow, &batch->entries[i].segment, NULL);
        TRY(length == NULL ? ERR_NO_MEMORY : ERR_OK);
        int64_t seq = (int64_t)batch->entries[i].seq;
        *length = seq > *length ? seq : *length;
    }
    return ERR_OK;
}

static enum err on_given_back(struct node *node, struct bundle *bundle,
                              const struct msg_batch *batch)
{
    bool lacks = false;
    int64_t open = 0; /* an earlier reading was broken off */
    int64_t before = node->healed;
    if (batch->number != bundle->link->received_number + 1) {
        refuse(bundle, "the bundle breaks the protocol: a batch out of its turn");
        return ERR_OK;
    }
    bundle->linked = bundle->linked || is_linked(node); /* it may have come since */
    TRY(note_given(bundle, batch));
    TRY(bundle->linked ? ERR_OK : heal_lacks(node, batch, &lacks));
    TRY(store_fact_int(node->store, "heal_open", 0, &open));
    bool ends = batch->mark && !bundle->linked && (bundle->healed || open != 0);
    bundle->link->received_number = batch->number;
    if (lacks || ends) {
        enum err err = heal_bundle(node, bundle->link, batch);
        if (err == ERR_REFUSED || err == ERR_LIMIT) {
            refuse(bundle, "entries that this machine has lost cannot come back: its file is "
                           "damaged, or the sum of a period would pass 64 bits");
            return ERR_OK;
        }
        if (err == ERR_PROTOCOL) {
            refuse(bundle, "what the bundle brings back does not continue what is here: it is "
                           "older than this machine's data; write a new bundle for the office "
                           "above, the answer to that fits");
            return ERR_OK;
        }
        TRY(err);
        bundle->healed = true;
        bundle->reply.healed += node->healed - before;
    }
    bundle->heals = !batch->mark;
    if (batch->mark && !bundle->linked) {
        return take_place(node, bundle, (struct feed_mark){.revision = 0});
    }
    return ERR_OK;
}

static enum err on_answer_batch(struct node *node, struct bundle *bundle,
                                const struct msg_batch *batch)
{
    bool again;
    if (bundle->heals) {
        return on_given_back(node, bundle, batch);
    }
    enum err err = receive_batch(node, bundle->link, batch, &again);
    if (err == ERR_PROTOCOL || (err == ERR_OK && again)) {
        refuse(bundle, "the bundle breaks the protocol: a batch out of its turn");
        return ERR_OK;
    }
    TRY(err);
    bundle->reply.cells += (int64_t)batch->cell_count;
    const struct feed_mark *have = &node->parent_have;
    bool joined = bundle->base.revision == 0 || (id_equal(&bundle->base.session, &have->session) &&
                                                 bundle->base.revision <= have->revision);
    if (!joined || node->fetch_again || batch->upto.revision <= have->revision) {
        return ERR_OK;
    }
    node->parent_have = batch->upto;
    TRY(store_fact_set_blob(node->store, "parent_have_session", batch->upto.session.b, ID_BYTES));
    return store_fact_set_int(node->store, "parent_have_revision", batch->upto.revision);
}

/* ---- all of it ---- */

static enum err take(struct node *node, struct bundle *bundle, const struct message *message)
{
    bool feed = !bundle->link->up;
    if (message->type == MESSAGE_BUNDLE && !bundle->begun) {
        return begin(node, bundle, &message->u.bundle);
    }
    bool second = bundle->begun && !bundle->told;
    if (second && feed && message->type == MESSAGE_HELLO) {
        bundle->told = true;
        return on_hello(node, bundle, &message->u.hello);
    }
    if (second && !feed && message->type == MESSAGE_WELCOME) {
        bundle->told = true;
        return on_welcome(node, bundle, &message->u.welcome);
    }
    if (bundle->told && feed && message->type == MESSAGE_BATCH) {
        return on_feed_batch(node, bundle, &message->u.batch);
    }
    if (bundle->told && !feed && message->type == MESSAGE_CATALOGUE) {
        return admit_catalogue(node, bundle->link, &message->u.catalogue);
    }
    if (bundle->told && !feed && message->type == MESSAGE_BATCH) {
        return on_answer_batch(node, bundle, &message->u.batch);
    }
    refuse(bundle, "the bundle has a message in it that does not belong there; a newer release "
                   "may have written it");
    return ERR_OK;
}

void node_on_bundle_message(struct node *node, const struct message *message)
{
    struct bundle *bundle = node->bundle;
    if (bundle == NULL || bundle->type != REQUEST_BUNDLE_READ || node->failed != ERR_OK) {
        return;
    }
    if (node->full) {
        bundle_finish(node, ERR_DISK_FULL, NODE_FULL_HERE);
        return;
    }
    enum err err = take(node, bundle, message);
    node_check(node, err, "bundle");
    if (err == ERR_OK && bundle->refused[0] != '\0') {
        bundle_finish(node, ERR_REFUSED, bundle->refused);
    }
}

void node_on_bundle_end(struct node *node)
{
    struct bundle *bundle = node->bundle;
    if (bundle == NULL || bundle->type != REQUEST_BUNDLE_READ || node->failed != ERR_OK) {
        return;
    }
    if (!bundle->told) {
        bundle_finish(node, ERR_REFUSED, "there is nothing in this bundle");
        return;
    }
    node_log(node, false, "bundle=read unit=%s entries=%" PRId64 " cells=%" PRId64 " outcome=%d",
             bundle->unit, bundle->reply.entries, bundle->reply.cells, (int)bundle->reply.outcome);
    bundle_finish(node, ERR_OK, "");
}

enum err bundle_settle(struct node *node)
{
    struct bundle *bundle = node->bundle;
    bool due = bundle != NULL && bundle->type == REQUEST_BUNDLE_READ && !bundle->link->up &&
               bundle->link->ack_due;
    return due ? settle_feed(node, bundle) : ERR_OK;
}

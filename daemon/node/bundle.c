/* A bundle: what a link would carry, as a file, for an office that no network reaches. It is
 * written with the code of the sessions, one message after the other, but nobody acknowledges on
 * the way.
 *
 * 1. The feed, for the office above: what it is and from where it goes on, a hello, then everything
 * above what the parent is known to have, in batches; the last one is the mark.
 * 2. The answer, for a unit: the welcome to what its last bundle said that it has; the catalogue;
 * the entries of its ledger that it lacked then; what concerns its subtree.
 *
 * Whether a file arrives, and when, nobody here knows. What it carries counts as on its way for
 * ever: a row that changes after it was put in gets a new revision (revision.c), and a next bundle
 * begins where the parent is known to be, not where the last one ended. So bundles may be lost,
 * come twice or in another order (bundle_read.c).
 *
 * Ends: the last message is in; a batch failed, or the other side is no longer who it was. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/heal.h"
#include "node/sealing.h"

void bundle_forget(struct node *node)
{
    struct bundle *bundle = node->bundle;
    if (bundle != NULL) {
        if (bundle->link != NULL) {
            link_free(bundle->link);
        }
        map_deinit(&bundle->escrow);
        map_deinit(&bundle->gaps);
        free(bundle);
        node->bundle = NULL;
    }
}

void bundle_finish(struct node *node, enum err err, const char *why)
{
    struct bundle *bundle = node->bundle;
    struct msg_request msg = {.id = bundle->request, .type = bundle->type};
    struct request request = {&bundle->client, &msg};
    if (err != ERR_OK) {
        request_refuse(node, &request, err, "%s", why);
    } else {
        struct msg_reply *reply = request_reply(node, &request);
        if (reply != NULL) {
            reply->u.bundle = bundle->reply;
            reply->u.bundle.unit = node_keep(node, bundle->unit);
        }
    }
    bundle_forget(node);
}

struct bundle *bundle_new(struct node *node, const struct node_client *client, uint64_t request,
                          enum request_type type)
{
    struct bundle *bundle = node->bundle == NULL ? calloc(1, sizeof *bundle) : NULL;
    if (bundle == NULL) {
        return NULL;
    }
    bundle->fresh = true;
    bundle->client = *client;
    bundle->client.author = "";
    bundle->request = request;
    bundle->type = type;
    map_init(&bundle->escrow, ID_BYTES, sizeof(int64_t));
    map_init(&bundle->gaps, sizeof(int64_t), 1);
    bundle->link = link_new(node, client->id);
    if (bundle->link == NULL) {
        free(bundle);
        return NULL;
    }
    bundle->link->bundle = bundle;
    node->bundle = bundle;
    return bundle;
}

/* ---- writing ---- */

static void say_what_it_is(struct node *node, struct bundle *bundle, const struct id *seen)
{
    struct message *message = node_message(node, MESSAGE_BUNDLE);
    if (message != NULL) {
        bundle->reply.kind = bundle->link->up ? BUNDLE_FEED : BUNDLE_ANSWER;
        bundle->reply.written_at = node->now.wall;
        message->u.bundle = (struct msg_bundle){.kind = bundle->reply.kind,
                                                .tree = node->identity.tree,
                                                .node = node->identity.node,
                                                .unit = node_keep(node, bundle->unit),
                                                .after = bundle->base,
                                                .seen = *seen,
                                                .written_at = node->now.wall,
                                                .entries_after = bundle->entries_after};
        node_send(node, bundle->link, message);
    }
}

static void start(struct node *node, struct bundle *bundle)
{
    feed_start(node, &bundle->link->out, bundle->base);
    bundle->link->out.window_bytes = WINDOW_MAX_BYTES;
    bundle->link->state = SESSION_LIVE;
}

/* Where in the own ledger the entries begin that are not known to be in escrow. */
static enum err find_place(struct node *node, int64_t place, struct head *out)
{
    enum { SEGMENTS = 64 };
    struct store_segment page[SEGMENTS];
    size_t n = SEGMENTS;
    *out = (struct head){.length = 0};
    for (int64_t after = 0; n == SEGMENTS; after = page[n - 1].number) {
        TRY(store_segments(node->store, node->own_origin, after, page, SEGMENTS, &n));
        for (size_t i = 0; i < n; i++) {
            if (place < page[i].base + page[i].length) {
                out->segment = page[i].name;
                out->length = (uint64_t)(place - page[i].base);
                return ERR_OK;
            }
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

static enum err begin_feed(struct node *node, struct bundle *bundle, bool whole)
{
    struct message *message = node_message(node, MESSAGE_HELLO);
    const struct id none = {{0}};
    TRY(message == NULL ? ERR_NO_MEMORY : ERR_OK);
    bundle->link->up = true;
    bundle->sender.key = node->identity.parent_key;
    bundle->base = whole ? (struct feed_mark){.revision = 0} : node->acked;
    (void)snprintf(bundle->unit, sizeof bundle->unit, "%s", node->identity.unit);
    TRY(ledger_flush(node));
    TRY(uplink_hello(node, &message->u.hello));
    message->u.hello.remembered = bundle->base;
    int64_t place = whole ? 0 : node->entries_acked;
    TRY(find_place(node, place, &bundle->entries_after));
    say_what_it_is(node, bundle, &none);
    node_send(node, bundle->link, message);
    start(node, bundle);
    bundle->link->out.entries_read = place;
    return ERR_OK;
}

/* What the unit's last bundle said; when there was none, that it has nothing but its ledger. */
static enum err last_said(struct node *node, const struct link *link, struct msg_hello *hello,
                          struct bytes *beyond, bool *said)
{
    struct store_bundle row = {.unit = link->unit};
    struct head *heads = NULL;
    *hello = (struct msg_hello){.protocol_min = PROTOCOL_MIN, .protocol_max = PROTOCOL_MAX};
    enum err err = store_bundle_get(node->store, link->unit, &node->arena, &row);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    *said = err == ERR_OK;
    TRY(*said ? heads_decode(row.heads, &node->arena, &heads, &hello->head_count) : ERR_OK);
    hello->heads = heads;
    *beyond = row.beyond;
    hello->have = (struct feed_mark){row.have_session, row.have_revision};
    hello->catalogue_version = (uint64_t)row.catalogue;
    return ERR_OK;
}

static enum err begin_answer(struct node *node, struct bundle *bundle, bool whole)
{
    struct link *link = bundle->link;
    struct store_child child = {.unit = link->unit, .text = ""};
    struct msg_hello hello;
    struct message *message = node_message(node, MESSAGE_WELCOME);
    struct bytes beyond;
    bool said;
    bool lost = false;
    bool forked = false;
    bool ours;
    TRY(message == NULL ? ERR_NO_MEMORY : ERR_OK);
    TRY(last_said(node, link, &hello, &beyond, &said));
    TRY(said ? hello_check_escrow(node, link, &hello, &lost, &forked) : ERR_OK);
    enum err err = store_child_get(node->store, link->unit, &node->arena, &child);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    TRY(node_gave(node, &hello.have, &ours));
    bundle->base = whole || !ours ? (struct feed_mark){.revision = 0} : hello.have;
    struct msg_welcome *welcome = &message->u.welcome;
    TRY(hello_welcome(node, link, &hello, &child, welcome));
    welcome->root_revision = node->identity.is_root ? child.have_revision : 0;
    say_what_it_is(node, bundle, &child.session);
    start(node, bundle);
    if (lost && !forked) {
        TRY(giveback_begin(node, link, &hello, welcome));
        TRY(giveback_beyond(node, link, beyond));
    }
    bundle->reply.lacks = welcome->heal_entries;
    node_send(node, link, message);
    return hello_send_catalogue(node, link);
}

/* *why is NULL when the answer to that unit can be written. */
static enum err know_unit(struct node *node, struct bundle *bundle, const char *code,
                          const char **why)
{
    struct store_hosting hosting = {.unit = 0};
    enum refusal_code ignored;
    bool known = false;
    int unit = view_unit_by_code(&node->view, code);
    enum err err = unit == TREE_NONE
                       ? ERR_NOT_FOUND
                       : store_hosting_get(node->store, node->view.tree.units[unit].id, &hosting);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    *why = unit == TREE_NONE ? "no unit of that code is known here; tally tree lists them"
                             : "that unit has no node of its own that joined at this office; tally "
                               "tree shows which do";
    if (err == ERR_OK && unit != node->view.self) {
        bundle->link->key = hosting.key;
        TRY(downlink_know(node, bundle->link, &hosting.node, &known, &ignored, why));
    }
    if (known) {
        *why = NULL;
        (void)snprintf(bundle->unit, sizeof bundle->unit, "%s", code);
        bundle->sender.key = hosting.key;
    }
    return ERR_OK;
}

/* Why no feed can be written now; NULL when it can. */
static enum err check_feed(struct node *node, const char **why)
{
    int64_t open;
    TRY(store_fact_int(node->store, "heal_open", 0, &open));
    bool heals = open != 0 || (node->uplink != NULL && node->uplink->state == SESSION_HEALING);
    *why = node->identity.is_root
               ? "this node has none above it; for the answer to a unit below, add --to UNIT"
           : heals ? "entries that this machine has lost are coming back; try again when they are "
                     "here (tally status)"
                   : NULL;
    return ERR_OK;
}

void bundle_request(struct node *node, const struct request *request)
{
    const struct req_bundle_write *write = &request->msg->u.bundle_write;
    const char *why = NULL;
    if (!request_may(node, request, NODE_ROLE_RECORDER)) {
        return;
    }
    struct bundle *bundle =
        bundle_new(node, request->client, request->msg->id, REQUEST_BUNDLE_WRITE);
    if (bundle == NULL) {
        bool busy = node->bundle != NULL;
        request_refuse(node, request, busy ? ERR_BUSY : ERR_NO_MEMORY, "%s",
                       busy ? "another bundle is under way; try again when it is done"
                            : "no memory");
        return;
    }
    bool answers = write->unit[0] != '\0';
    enum err err = answers ? know_unit(node, bundle, write->unit, &why) : check_feed(node, &why);
    err = err == ERR_OK ? node_write(node) : err;
    if (err == ERR_OK && why != NULL) {
        bundle_finish(node, ERR_REFUSED, why);
        return;
    }
    err = err != ERR_OK ? err
          : answers     ? begin_answer(node, bundle, write->whole)
                        : begin_feed(node, bundle, write->whole);
    node_check(node, err, "bundle");
}

/* Revisions that were put into it are on their way from now on, whatever comes of the file. */
static enum err note_bundled(struct node *node, const struct link *link)
{
    int64_t read =
        link->out.cells_read > link->out.rows_read ? link->out.cells_read : link->out.rows_read;
    if (!link->up || read <= node->bundled) {
        return ERR_OK;
    }
    TRY(node_write(node));
    node->bundled = read;
    return store_fact_set_int(node->store, "bundled", read);
}

static enum err next(struct node *node, struct bundle *bundle)
{
    struct link *link = bundle->link;
    if (link->state == SESSION_HEALING) {
        link->out.in_flight = false;
        TRY(giveback_pump(node, link));
        if (link->state == SESSION_HEALING && link->gave_all) {
            start(node, bundle); /* the numbers of its batches go on */
        }
        return ERR_OK;
    }
    if (bundle->fed) {
        link->out.in_flight = false;
        TRY(returned_pump(node, link));
        bundle->over = !returned_left(link);
        return ERR_OK;
    }
    TRY(feed_bundle(node, link, &bundle->fed));
    TRY(bundle->fed && !link->up ? returned_kept(node, link) : ERR_OK);
    bundle->over = bundle->fed && !returned_left(link);
    return note_bundled(node, link);
}

void node_on_bundle_next(struct node *node)
{
    struct bundle *bundle = node->bundle;
    if (bundle == NULL || bundle->type != REQUEST_BUNDLE_WRITE || node->failed != ERR_OK) {
        return;
    }
    if (bundle->over) {
        bundle_finish(node, ERR_OK, "");
        return;
    }
    enum err err = next(node, bundle);
    node_check(node, err, "bundle");
    if (err == ERR_OK && bundle->link->state == SESSION_CLOSING) {
        bundle_finish(node, ERR_REFUSED, bundle->refused);
    }
}

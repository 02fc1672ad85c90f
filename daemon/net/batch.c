/* Events wait in one queue; a batch takes what waits, up to its limit, gives it to the node,
 * commits, and does what the effects say. When the commit fails for want of a trustworthy disk, no
 * effect is done and the loop stops. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/server_internal.h"

struct event *event_new(enum event_type type, uint64_t peer)
{
    struct event *event = calloc(1, sizeof *event);
    if (event != NULL) {
        event->type = type;
        event->peer = peer;
        arena_init(&event->arena, DECODE_ARENA_MAX_BYTES);
    }
    return event;
}

static void event_free(struct event *event)
{
    arena_reset(&event->arena);
    free(event);
}

void event_post(struct server *server, struct event *event)
{
    struct peer *peer = peers_get(server, event->peer);
    event->next = NULL;
    *server->events_end = event;
    server->events_end = &event->next;
    server->event_count++;
    server->event_bytes += event->arena.taken_bytes;
    if (peer != NULL && event->type == EVENT_MESSAGE) {
        peer->events++;
        if (peer->events >= LINK_EVENTS_MAX || server->event_bytes > EVENTS_BYTES_MAX) {
            conn_pause(peer->conn, true);
            server->paused = true;
        }
    }
}

static void tell_child(struct node *node, const struct event *event)
{
    struct node_peer peer = {.node = event->node,
                             .key = event->joiner.node_key,
                             .address = event->text,
                             .certified = event->unit != NULL,
                             .unit = event->unit,
                             .number = event->number};
    node_on_downlink(node, event->peer, &peer);
}

static void tell_node(struct server *server, struct event *event)
{
    struct node *node = server->config.node;
    struct node_client client = {.id = event->peer, .role = event->role, .author = event->text};
    switch (event->type) {
    case EVENT_MESSAGE:
        node_on_message(node, event->peer, &event->message);
        break;
    case EVENT_REQUEST:
        node_on_request(node, &client, &event->message.u.request);
        break;
    case EVENT_JOIN:
        node_on_join(node, event->peer, &event->message.u.join, &event->joiner);
        break;
    case EVENT_RENEW:
        node_on_renew(node, event->peer, &event->node, &event->joiner.node_key);
        break;
    case EVENT_CHILD:
        tell_child(node, event);
        break;
    case EVENT_PARENT:
        node_on_parent(node, &event->joiner.node_key, event->number);
        node_on_uplink(node, event->peer);
        break;
    case EVENT_LINK_DOWN:
        node_on_link_down(node, event->peer, event->text);
        break;
    case EVENT_CLIENT_GONE:
        node_on_client_gone(node, event->peer);
        break;
    case EVENT_DIAL_FAILED:
        node_on_uplink_failed(node, event->text);
        break;
    case EVENT_VERIFIED:
        node_on_verified(node);
        break;
    case EVENT_UNREADABLE:
        node_on_unreadable(node);
        break;
    case EVENT_TICK:
        node_on_tick(node);
        break;
    }
}

/* Certifies who joins or renews, and tells it everything, in one message. */
static void issue(struct server *server, struct peer *peer, const struct effect *effect,
                  const struct event *events)
{
    const struct event *event = events;
    while (event != NULL && !((event->type == EVENT_JOIN || event->type == EVENT_RENEW) &&
                              event->peer == effect->link)) {
        event = event->next;
    }
    if (event == NULL) {
        return;
    }
    struct message message = {.type = MESSAGE_JOINED};
    struct msg_joined *joined = &message.u.joined;
    struct errmsg why = {{0}};
    *joined = *effect->joined;
    joined->now = renew_now(server); /* as the certificates are dated */
    enum err err = server->config.issue(server->config.ctx, &event->message.u.join,
                                        renew_now(server), joined, &why);
    if (err != ERR_OK) {
        log_line(LOG_LEVEL_ERROR, "join=failed peer=%s text=\"%s\"", peer->address, why.text);
        *joined = (struct msg_joined){
            .err = err, .text = why.text, .unit = "", .unit_name = "", .unit_level = ""};
    }
    if (conn_send(peer->conn, &message) == ERR_OK) {
        conn_close(peer->conn, "joined");
    }
}

static void send_message(struct peer *peer, const struct effect *effect)
{
    /* A failure has closed the connection and is reported when that is done. */
    enum err err = conn_send(peer->conn, effect->message);
    if (err == ERR_OK && effect->message->type == MESSAGE_JOINED) {
        conn_close(peer->conn, "not joined");
    }
}

static void do_effect(struct server *server, const struct effect *effect,
                      const struct event *events)
{
    struct peer *peer = peers_get(server, effect->link);
    if (effect->type == EFFECT_LOG) {
        log_line(effect->warn ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "%s", effect->text);
        return;
    }
    const struct msg_reply *reply = effect->type == EFFECT_REPLY ? &effect->message->u.reply : NULL;
    if (effect->type == EFFECT_BUNDLE) {
        bundle_put(server, effect);
        return;
    }
    if (reply != NULL &&
        (reply->type == REQUEST_BUNDLE_WRITE || reply->type == REQUEST_BUNDLE_READ)) {
        bundle_replied(server, reply);
        return;
    }
    if (peer == NULL) {
        return; /* gone since */
    }
    switch (effect->type) {
    case EFFECT_SEND:
        send_message(peer, effect);
        break;
    case EFFECT_REPLY:
        send_message(peer, effect);
        peers_answered(peer);
        break;
    case EFFECT_CLOSE:
        conn_close(peer->conn, effect->text);
        break;
    case EFFECT_ISSUE:
        issue(server, peer, effect, events);
        break;
    case EFFECT_LOG:
    case EFFECT_BUNDLE:
        break;
    }
}

/* Cuts what this batch takes off the queue. */
static struct event *take_events(struct server *server)
{
    struct event *first = server->events;
    struct event **end = &server->events;
    for (size_t n = 0; n < EVENTS_PER_BATCH && *end != NULL; n++) {
        server->event_count--;
        server->event_bytes -= (*end)->arena.taken_bytes;
        end = &(*end)->next;
    }
    server->events = *end;
    *end = NULL;
    if (server->events == NULL) {
        server->events_end = &server->events;
    }
    return first;
}

static void free_events(struct server *server, struct event *event)
{
    while (event != NULL) {
        struct event *next = event->next;
        struct peer *peer = peers_get(server, event->peer);
        if (peer != NULL && event->type == EVENT_MESSAGE) {
            peer->events--;
        }
        event_free(event);
        event = next;
    }
}

void batch_forget(struct server *server)
{
    free_events(server, server->events);
    server->events = NULL;
    server->events_end = &server->events;
}

/* Commits, and does what the effects say, of these events if it is of any. */
static void commit(struct server *server, const struct event *events)
{
    struct node *node = server->config.node;
    struct errmsg why = {{0}};
    enum err err = node_commit(node, &why);
    if (err == ERR_IO) {
        server->failed = err;
        server->failure = why;
        uv_stop(&server->loop);
        return;
    }
    if (err != ERR_OK) {
        log_line(LOG_LEVEL_ERROR, "batch=failed err=%s text=\"%s\"", err_name(err), why.text);
    }
    for (const struct effect *effect = node_effect(node); effect != NULL;
         effect = node_effect(node)) {
        do_effect(server, effect, events);
    }
}

void batch_alone(struct server *server, batch_tell_fn tell, void *ctx)
{
    if (server->failed == ERR_OK) {
        node_begin(server->config.node, clock_read());
        tell(server->config.node, ctx);
        commit(server, NULL);
    }
}

void batch_run(struct server *server)
{
    if (server->events == NULL || server->failed != ERR_OK) {
        return;
    }
    struct node *node = server->config.node;
    /* The queue's first event stays linked to the rest until it is cut off. */
    struct event *events = take_events(server);
    node_begin(node, clock_read());
    for (struct event *event = events; event != NULL; event = event->next) {
        tell_node(server, event);
    }
    commit(server, events);
    free_events(server, events);
    if (server->failed == ERR_OK && server->paused && server->event_bytes <= EVENTS_BYTES_MAX / 2) {
        peers_resume(server);
    }
}

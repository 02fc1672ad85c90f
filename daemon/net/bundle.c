/* A bundle for a client, one at a time.
 *
 * Written: 1. The node is asked, and gives one or two messages a batch, in slices between the other
 * batches; each is sealed. 2. What is sealed goes out in parts, as far as the client's connection
 * has room. 3. The node's reply, when all has been sent, is the end.
 *
 * Read: 1. The client's parts are kept, each answered. 2. With the last one the file is judged;
 * what is wrong with it is said, and the node never hears of it. 3. The node takes one message a
 * batch, in slices. 4. Its reply is the end.
 *
 * Ends: as above; the client is gone, or nothing goes on for too long; something failed, which is
 * said. What the node took stays. */
#include <inttypes.h>
#include <stdio.h>

#include "base/log.h"
#include "net/server_internal.h"

enum {
    SLICE_MS = 1,
    WAIT_MS = 500, /* between looks at a client that is to send */
    SENT_MAX_BYTES = 2 * BUNDLE_PART_BYTES,
    READY_MAX_BYTES = 8 << 20,
    PATIENCE_MS = 60000,
    SAY_MS = 5000, /* while a bundle is read: the client waits less than for ever */
};

static bool writes(const struct bundle_job *job)
{
    return job->phase == BUNDLE_PHASE_WRITE || job->phase == BUNDLE_PHASE_SENT;
}

static void end(struct server *server)
{
    struct bundle_job *job = &server->bundle;
    (void)uv_timer_stop(&job->timer);
    server->config.bundle_end(server->config.ctx);
    buf_deinit(&job->ready);
    buf_init(&job->ready, READY_MAX_BYTES);
    job->phase = BUNDLE_PHASE_NONE;
    job->sealing = false;
    job->err = ERR_OK;
}

static void say(struct server *server, const struct msg_reply *reply)
{
    struct peer *peer = peers_get(server, server->bundle.peer);
    struct message message = {.type = MESSAGE_REPLY};
    message.u.reply = *reply;
    if (peer == NULL) {
        return;
    }
    enum err sent = conn_send(peer->conn, &message); /* a failure has closed the connection */
    if (sent == ERR_OK && !reply->more) {
        peers_answered(peer);
    }
}

static struct msg_reply reply_of(const struct bundle_job *job)
{
    return (struct msg_reply){.id = job->request,
                              .type = writes(job) ? REQUEST_BUNDLE_WRITE : REQUEST_BUNDLE_READ,
                              .text = "",
                              .u.bundle = {.unit = ""}};
}

/* The client is told why; the node lets go of it. */
static void tell_gone(struct node *node, void *ctx)
{
    (void)ctx;
    node_on_bundle_gone(node);
}

static void fail(struct server *server, enum err err, const char *why)
{
    struct msg_reply reply = reply_of(&server->bundle);
    bool asked = server->bundle.phase != BUNDLE_PHASE_TAKE ||
                 server->bundle.request != 0; /* else there is no request to answer */
    reply.err = err;
    reply.text = why;
    log_line(LOG_LEVEL_WARN, "bundle=failed err=%s text=\"%s\"", err_name(err), why);
    if (asked) {
        say(server, &reply);
    }
    end(server);
    batch_alone(server, tell_gone, NULL);
}

/* ---- what the node says: in the midst of a batch ---- */

void bundle_put(struct server *server, const struct effect *effect)
{
    struct bundle_job *job = &server->bundle;
    struct bytes ready;
    if (job->phase != BUNDLE_PHASE_WRITE || job->err != ERR_OK) {
        return;
    }
    if (!job->sealing) {
        job->sealing = true;
        job->err = server->config.bundle_write_begin(server->config.ctx, &effect->key, &job->why);
    }
    job->err = job->err == ERR_OK ? server->config.bundle_write(server->config.ctx, effect->message,
                                                                &ready, &job->why)
                                  : job->err;
    if (job->err == ERR_OK) {
        buf_put(&job->ready, ready.data, ready.len);
    }
}

void bundle_replied(struct server *server, const struct msg_reply *reply)
{
    struct bundle_job *job = &server->bundle;
    struct bytes ready;
    if (job->phase == BUNDLE_PHASE_NONE || reply->id != job->request) {
        return;
    }
    if (reply->err != ERR_OK || job->phase != BUNDLE_PHASE_WRITE) {
        say(server, reply);
        end(server);
        return;
    }
    if (job->err != ERR_OK) {
        return; /* the next slice says why */
    }
    job->reply = *reply;
    (void)snprintf(job->unit, sizeof job->unit, "%s", reply->u.bundle.unit);
    job->err = server->config.bundle_write(server->config.ctx, NULL, &ready, &job->why);
    if (job->err == ERR_OK) {
        buf_put(&job->ready, ready.data, ready.len);
        job->phase = BUNDLE_PHASE_SENT;
    }
}

/* ---- slices ---- */

static void tell_next(struct node *node, void *ctx)
{
    (void)ctx;
    node_on_bundle_next(node);
}

/* Sends what is sealed, as far as there is room; whether all was. */
static bool send_ready(struct server *server, struct peer *peer)
{
    struct bundle_job *job = &server->bundle;
    size_t sent = 0;
    while (sent < job->ready.len && peer->conn->out_bytes < SENT_MAX_BYTES) {
        size_t n = job->ready.len - sent;
        n = n < BUNDLE_PART_BYTES ? n : BUNDLE_PART_BYTES;
        struct msg_reply reply = reply_of(job);
        reply.more = true;
        reply.u.bundle.content = (struct bytes){job->ready.data + sent, n};
        say(server, &reply);
        sent += n;
        job->moved_at = uv_now(&server->loop);
        if (peers_get(server, job->peer) == NULL) {
            return false;
        }
    }
    job->at += (int64_t)sent;
    if (sent == job->ready.len) {
        buf_clear(&job->ready);
        return true;
    }
    if (sent > 0) { /* what is left moves to the front */
        struct buf rest;
        buf_init(&rest, READY_MAX_BYTES);
        buf_put(&rest, job->ready.data + sent, job->ready.len - sent);
        buf_deinit(&job->ready);
        job->ready = rest;
    }
    return false;
}

static void write_slice(struct server *server, struct peer *peer)
{
    struct bundle_job *job = &server->bundle;
    if (!send_ready(server, peer)) {
        return;
    }
    if (job->phase == BUNDLE_PHASE_SENT) {
        struct msg_reply reply = job->reply;
        reply.text = "";
        reply.u.bundle.unit = job->unit;
        log_line(LOG_LEVEL_INFO, "bundle=written bytes=%" PRId64, job->at);
        say(server, &reply);
        end(server);
        return;
    }
    job->moved_at = uv_now(&server->loop);
    batch_alone(server, tell_next, NULL);
}

static void tell_message(struct node *node, void *ctx)
{
    const struct message *message = ctx;
    if (message != NULL) {
        node_on_bundle_message(node, message);
    } else {
        node_on_bundle_end(node);
    }
}

static void read_slice(struct server *server)
{
    struct bundle_job *job = &server->bundle;
    const struct message *message = NULL;
    enum err err = server->config.bundle_read(server->config.ctx, &message, &job->why);
    if (err != ERR_OK) {
        fail(server, err, job->why.text);
        return;
    }
    job->moved_at = uv_now(&server->loop);
    if (job->moved_at - job->said_at > SAY_MS) {
        struct msg_reply reply = reply_of(job);
        reply.more = true;
        job->said_at = job->moved_at;
        say(server, &reply);
    }
    batch_alone(server, tell_message, (void *)message);
}

static void on_slice(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct bundle_job *job = &server->bundle;
    struct peer *peer = peers_get(server, job->peer);
    if (peer == NULL || peer->conn->closing || server->stopping) {
        fail(server, ERR_CLOSED, "the client is gone, or the process stops");
    } else if (job->err != ERR_OK) {
        fail(server, job->err, job->why.text);
    } else if (job->ready.failed) {
        fail(server, ERR_NO_MEMORY, "no memory");
    } else if (uv_now(&server->loop) - job->moved_at > PATIENCE_MS) {
        fail(server, ERR_TIMEOUT, "the client takes or sends nothing");
    } else if (writes(job)) {
        write_slice(server, peer);
    } else if (job->phase == BUNDLE_PHASE_READ) {
        read_slice(server);
    }
}

/* ---- requests ---- */

static void begin(struct server *server, const struct peer *peer, enum bundle_phase phase,
                  uint64_t every_ms)
{
    struct bundle_job *job = &server->bundle;
    job->phase = phase;
    job->peer = peer->id;
    job->at = 0;
    job->moved_at = uv_now(&server->loop);
    job->err = ERR_OK;
    (void)uv_timer_start(&job->timer, on_slice, every_ms, every_ms);
}

struct asked {
    struct node_client client;
    const struct msg_request *request;
};

static void tell_request(struct node *node, void *ctx)
{
    const struct asked *asked = ctx;
    node_on_request(node, &asked->client, asked->request);
}

static void ask_write(struct server *server, struct peer *peer, const struct msg_request *request)
{
    struct asked asked = {{peer->id, peer->role, peer->author}, request};
    begin(server, peer, BUNDLE_PHASE_WRITE, SLICE_MS);
    server->bundle.request = request->id;
    batch_alone(server, tell_request, &asked);
}

struct reading {
    struct node_client client;
    uint64_t request;
    struct node_bundle_sender sender;
};

static void tell_reading(struct node *node, void *ctx)
{
    const struct reading *reading = ctx;
    node_on_bundle_read(node, &reading->client, reading->request, &reading->sender);
}

/* The whole file is here. */
static void judge(struct server *server, struct peer *peer)
{
    struct bundle_job *job = &server->bundle;
    struct tls_peer sender;
    struct reading reading = {.client = {peer->id, peer->role, peer->author},
                              .request = job->request};
    enum err err = server->config.bundle_judge(server->config.ctx, &sender, &job->why);
    if (err == ERR_OK && !peers_node_of(&sender, &reading.sender.node)) {
        err = err_fail(&job->why, ERR_AUTH, "whoever wrote the bundle is no node");
    }
    if (err != ERR_OK) {
        fail(server, err, job->why.text);
        return;
    }
    reading.sender.key = sender.key;
    reading.sender.number = sender.number;
    reading.sender.is_parent = peers_is_parent(server, &sender);
    job->phase = BUNDLE_PHASE_READ;
    job->said_at = uv_now(&server->loop);
    (void)uv_timer_start(&job->timer, on_slice, SLICE_MS, SLICE_MS);
    batch_alone(server, tell_reading, &reading);
}

static void ask_read(struct server *server, struct peer *peer, const struct msg_request *request)
{
    struct bundle_job *job = &server->bundle;
    const struct req_bundle_read *read = &request->u.bundle_read;
    enum err err = ERR_OK;
    if (job->phase == BUNDLE_PHASE_NONE && read->at != 0) {
        peers_refuse(peer, request, ERR_REFUSED,
                     "the bundle came too slowly, and what had come was let go; read it again");
        return;
    }
    if (job->phase == BUNDLE_PHASE_NONE) {
        begin(server, peer, BUNDLE_PHASE_TAKE, WAIT_MS);
        err = server->config.bundle_take_begin(server->config.ctx, &job->why);
    } else if (read->at != job->at) {
        err = err_fail(&job->why, ERR_PROTOCOL, "the parts of a bundle come in their order");
    }
    job->request = request->id;
    err = err == ERR_OK ? server->config.bundle_take(server->config.ctx, read->content, &job->why)
                        : err;
    if (err != ERR_OK) {
        fail(server, err, job->why.text);
        return;
    }
    job->at += (int64_t)read->content.len;
    job->moved_at = uv_now(&server->loop);
    if (read->last) {
        judge(server, peer);
        return;
    }
    struct msg_reply reply = reply_of(job);
    say(server, &reply);
    job->request = 0;
}

void bundle_ask(struct server *server, struct peer *peer, const struct message *message)
{
    const struct msg_request *request = &message->u.request;
    const struct bundle_job *job = &server->bundle;
    bool mine = job->phase == BUNDLE_PHASE_TAKE && job->peer == peer->id;
    if (peer->role < NODE_ROLE_RECORDER) {
        peers_refuse(peer, request, ERR_REFUSED,
                     "this needs the role recorder; show a certificate that has it (--node)");
    } else if (server->stopping) {
        peers_refuse(peer, request, ERR_CLOSED, "the process stops");
    } else if (request->type == REQUEST_BUNDLE_READ && (mine || job->phase == 0)) {
        ask_read(server, peer, request);
    } else if (request->type == REQUEST_BUNDLE_WRITE && job->phase == BUNDLE_PHASE_NONE) {
        ask_write(server, peer, request);
    } else {
        peers_refuse(peer, request, ERR_BUSY,
                     "another bundle is under way; try again when it is done");
    }
}

void bundle_init_job(struct server *server)
{
    (void)uv_timer_init(&server->loop, &server->bundle.timer);
    server->bundle.timer.data = server;
    buf_init(&server->bundle.ready, READY_MAX_BYTES);
}

void bundle_stop(struct server *server)
{
    if (server->bundle.phase != BUNDLE_PHASE_NONE) {
        fail(server, ERR_CLOSED, "the process stops");
    }
}

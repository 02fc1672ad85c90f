/* Queries run in libuv's pool, each on a reader of its own; at most READERS at a time, the others
 * wait in order.
 *
 * 1. The loop's thread gives a job its reader and queues the work.
 * 2. The worker encodes replies into the job's buffer; when that is full it waits until the loop
 * has taken some.
 * 3. The loop moves what is there to the connection, as far as that has room, whenever a worker or
 * a connection says so.
 *
 * Ends: the answer is complete; the client is gone or reads nothing for too long, then the worker
 * is told to give up. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "net/server_internal.h"

struct job {
    struct job *next;
    struct server *server;
    uint64_t peer;
    struct message message;
    struct arena arena;
    struct now now;
    bool behind; /* as node_is_behind */
    int reader;  /* index, while running */
    uv_work_t work;
    uv_mutex_t lock; /* over what follows */
    uv_cond_t room;
    struct buf out;
    bool gone;       /* nobody wants the answer any more */
    bool cut;        /* some of the answer was not wanted any more */
    bool failed;     /* the answer could not be made or given */
    bool refused;    /* it says why there is none */
    bool unreadable; /* because a part of the database could not be read */
    bool finished;   /* the loop's: the worker has returned */
};

static void job_free(struct job *job)
{
    uv_cond_destroy(&job->room);
    uv_mutex_destroy(&job->lock);
    buf_deinit(&job->out);
    arena_reset(&job->arena);
    free(job);
}

/* ---- in the worker's thread ---- */

struct sink {
    struct job *job;
    struct codec *codec;
};

static bool take_reply(void *ctx, const struct message *reply)
{
    struct sink *sink = ctx;
    struct job *job = sink->job;
    struct errmsg why = {{0}};
    uv_mutex_lock(&job->lock);
    while (!job->gone && job->out.len >= REPLY_CHUNK_BYTES) {
        if (uv_cond_timedwait(&job->room, &job->lock, (uint64_t)REPLY_PATIENCE_MS * 1000000) != 0) {
            job->gone = true;
            job->failed = true;
        }
    }
    bool on = !job->gone;
    job->refused = reply->u.reply.err != ERR_OK;
    job->unreadable = job->unreadable || reply->u.reply.err == ERR_CORRUPT;
    job->cut = job->cut || !on;
    if (on && codec_encode(sink->codec, reply, &job->out, &why) != ERR_OK) {
        log_line(LOG_LEVEL_ERROR, "query=failed text=\"%s\"", why.text);
        job->gone = true;
        job->failed = true;
        on = false;
    }
    uv_mutex_unlock(&job->lock);
    (void)uv_async_send(&job->server->workers.async);
    return on;
}

static void on_work(uv_work_t *work)
{
    struct job *job = work->data;
    struct sink sink = {.job = job, .codec = codec_new(false)};
    if (sink.codec == NULL) {
        uv_mutex_lock(&job->lock);
        job->failed = true;
        uv_mutex_unlock(&job->lock);
        return;
    }
    struct query *reader = job->server->workers.readers[job->reader];
    query_set_behind(reader, job->behind);
    query_run(reader, &job->message.u.request, job->now, take_reply, &sink);
    codec_free(sink.codec);
}

/* ---- in the loop's thread ---- */

static void start_waiting(struct server *server);

static void end_job(struct job *job)
{
    struct server *server = job->server;
    struct peer *peer = peers_get(server, job->peer);
    struct job **at = &server->workers.running;
    while (*at != job) {
        at = &(*at)->next;
    }
    *at = job->next;
    server->workers.busy[job->reader] = false;
    if (peer != NULL && job->failed) {
        conn_abort(peer->conn, "an answer could not be given");
    } else if (peer != NULL) {
        peers_answered(peer);
    }
    job_free(job);
    start_waiting(server);
}

/* Moves what the connection has room for. */
static void pump(struct job *job)
{
    struct peer *peer = peers_get(job->server, job->peer);
    struct buf taken;
    buf_init(&taken, job->out.max);
    uv_mutex_lock(&job->lock);
    job->gone = job->gone || peer == NULL;
    if (peer != NULL && job->out.len > 0 && peer->conn->out_bytes < REPLY_WAITING_BYTES) {
        struct buf empty = taken;
        taken = job->out;
        job->out = empty;
    }
    uv_cond_signal(&job->room);
    uv_mutex_unlock(&job->lock);
    if (taken.len > 0 && conn_send_bytes(peer->conn, taken.data, taken.len) != ERR_OK) {
        uv_mutex_lock(&job->lock);
        job->gone = true;
        uv_cond_signal(&job->room);
        uv_mutex_unlock(&job->lock);
    }
    buf_deinit(&taken);
    if (job->finished && (job->out.len == 0 || job->gone)) {
        end_job(job);
    }
}

void workers_pump(struct server *server)
{
    struct job *job = server->workers.running;
    while (job != NULL) {
        struct job *next = job->next;
        pump(job);
        job = next;
    }
}

static void on_async(uv_async_t *async)
{
    workers_pump(async->data);
}

/* Whether the client has all of the answer or will get it; it may have taken it and gone. */
static bool was_given(const struct job *job)
{
    bool there = peers_get(job->server, job->peer) != NULL;
    return !job->failed && !job->refused && !job->cut && (there || job->out.len == 0);
}

static void tell_node(struct server *server, enum event_type type)
{
    struct event *event = event_new(type, 0);
    if (event != NULL) {
        event_post(server, event);
    }
}

static void on_worked(uv_work_t *work, int status)
{
    struct job *job = work->data;
    struct server *server = job->server;
    (void)status;
    job->finished = true;
    if (job->message.u.request.type == REQUEST_VERIFY && was_given(job)) {
        tell_node(server, EVENT_VERIFIED); /* what it showed need not be shown again */
    }
    if (job->unreadable) {
        tell_node(server, EVENT_UNREADABLE);
    }
    pump(job);
}

static bool start(struct server *server, struct job *job, int reader)
{
    struct workers *workers = &server->workers;
    struct errmsg why = {{0}};
    if (workers->readers[reader] == NULL &&
        server->config.open_reader(server->config.ctx, &workers->readers[reader], &why) != ERR_OK) {
        log_line(LOG_LEVEL_ERROR, "query=failed text=\"%s\"", why.text);
        return false;
    }
    job->reader = reader;
    job->now = clock_read();
    job->behind = node_is_behind(server->config.node);
    if (uv_queue_work(&server->loop, &job->work, on_work, on_worked) != 0) {
        return false;
    }
    workers->busy[reader] = true;
    job->next = workers->running;
    workers->running = job;
    return true;
}

static void start_waiting(struct server *server)
{
    struct workers *workers = &server->workers;
    for (int reader = 0; reader < READERS && workers->waiting != NULL; reader++) {
        if (workers->busy[reader]) {
            continue;
        }
        struct job *job = workers->waiting;
        workers->waiting = job->next;
        workers->waiting_count--;
        struct peer *peer = peers_get(server, job->peer);
        if (peer == NULL || !start(server, job, reader)) {
            if (peer != NULL) {
                conn_abort(peer->conn, "the query could not be started");
            }
            job_free(job);
        }
    }
}

bool workers_query(struct server *server, struct peer *peer, const struct message *message,
                   struct arena *arena)
{
    struct workers *workers = &server->workers;
    struct job *job =
        workers->waiting_count < QUERIES_MAX && !server->stopping ? calloc(1, sizeof *job) : NULL;
    if (job == NULL || uv_mutex_init(&job->lock) != 0) {
        free(job);
        arena_reset(arena);
        return false;
    }
    if (uv_cond_init(&job->room) != 0) {
        uv_mutex_destroy(&job->lock);
        free(job);
        arena_reset(arena);
        return false;
    }
    job->server = server;
    job->peer = peer->id;
    job->message = *message;
    job->arena = *arena;
    job->work.data = job;
    buf_init(&job->out, REPLY_CHUNK_BYTES + FRAME_HEADER_BYTES + FRAME_MAX_BYTES);
    struct job **end = &workers->waiting;
    while (*end != NULL) {
        end = &(*end)->next;
    }
    *end = job;
    workers->waiting_count++;
    start_waiting(server);
    return true;
}

void workers_peer_gone(struct server *server, uint64_t peer)
{
    for (struct job *job = server->workers.running; job != NULL; job = job->next) {
        if (job->peer == peer) {
            uv_mutex_lock(&job->lock);
            job->gone = true;
            uv_cond_signal(&job->room);
            uv_mutex_unlock(&job->lock);
            (void)uv_async_send(&server->workers.async); /* a finished one ends there */
        }
    }
}

void workers_init(struct server *server)
{
    (void)uv_async_init(&server->loop, &server->workers.async, on_async);
    server->workers.async.data = server;
}

void workers_stop(struct server *server)
{
    struct workers *workers = &server->workers;
    while (workers->waiting != NULL) {
        struct job *job = workers->waiting;
        workers->waiting = job->next;
        job_free(job);
    }
    workers->waiting_count = 0;
    for (struct job *job = workers->running; job != NULL; job = job->next) {
        uv_mutex_lock(&job->lock);
        job->gone = true;
        uv_cond_signal(&job->room);
        uv_mutex_unlock(&job->lock);
    }
    workers_pump(server);
}

bool workers_idle(const struct server *server)
{
    return server->workers.running == NULL;
}

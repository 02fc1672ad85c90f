/* 1. Callbacks of libuv only enqueue events; after every poll, and before every sleep, what waits
 * becomes one batch for the node (batch.c). That is group commit: whatever arrived together is made
 * durable together.
 * 2. SIGTERM and SIGINT: what was read is still taken in, answers are sent, connections close, the
 * loop ends.
 *
 * Ends early when the disk cannot be trusted (nothing more is sent) or memory for an event that
 * must not be lost is missing. */
#include "net/server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "net/server_internal.h"

static const int SIGNALS[] = {SIGTERM, SIGINT, SIGHUP};
enum { ALIVE_MS = 1000 };

static void on_handle_closed(uv_handle_t *handle)
{
    ((struct server *)handle->data)->handles--;
}

static void close_handle(struct server *server, uv_handle_t *handle)
{
    if (!uv_is_closing(handle)) {
        handle->data = server;
        uv_close(handle, on_handle_closed);
    }
}

static void close_handles(struct server *server)
{
    uv_handle_t *all[] = {
        (uv_handle_t *)&server->tcp,           (uv_handle_t *)&server->pipe,
        (uv_handle_t *)&server->tick,          (uv_handle_t *)&server->check,
        (uv_handle_t *)&server->prepare,       (uv_handle_t *)&server->more,
        (uv_handle_t *)&server->drain,         (uv_handle_t *)&server->dial.timer,
        (uv_handle_t *)&server->workers.async, (uv_handle_t *)&server->backup.timer,
        (uv_handle_t *)&server->bundle.timer};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        close_handle(server, all[i]);
    }
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        close_handle(server, (uv_handle_t *)&server->signals[i]);
    }
}

/* ---- stopping ---- */

static void stop_if_drained(struct server *server)
{
    if (server->stopping && server->peers.count == 0 && workers_idle(server) &&
        !server->dial.resolving && !server->renewal.running) {
        uv_stop(&server->loop);
    }
}

static void on_drain_over(uv_timer_t *timer)
{
    struct server *server = timer->data;
    log_line(LOG_LEVEL_WARN, "stop=late connections=%zu", server->peers.count);
    uv_stop(&server->loop);
}

static void stop(struct server *server)
{
    if (server->stopping) {
        return;
    }
    batch_run(server);
    server->stopping = true;
    close_handle(server, (uv_handle_t *)&server->tcp);
    close_handle(server, (uv_handle_t *)&server->pipe);
    dial_stop(server);
    renew_stop(server);
    workers_stop(server);
    backup_stop(server);
    bundle_stop(server);
    peers_close_all(server, "the process stops");
    (void)uv_timer_start(&server->drain, on_drain_over, DRAIN_MS, 0);
}

static void on_signal(uv_signal_t *handle, int number)
{
    struct server *server = handle->data;
    if (number == SIGHUP) {
        server->config.reload(server->config.ctx);
        return;
    }
    log_line(LOG_LEVEL_INFO, "stop=asked signal=%s", strsignal(number));
    stop(server);
}

/* ---- the loop ---- */

static void on_more(uv_idle_t *idle)
{
    (void)idle;
}

static void on_tick(uv_timer_t *timer)
{
    struct server *server = timer->data;
    struct event *event = server->stopping ? NULL : event_new(EVENT_TICK, 0);
    if (event != NULL) {
        event_post(server, event);
    }
    if (uv_now(&server->loop) - server->alive_at >= ALIVE_MS) {
        server->alive_at = uv_now(&server->loop);
        enum err err = server->failed == ERR_OK
                           ? server->config.alive(server->config.ctx, &server->failure)
                           : ERR_OK;
        if (err != ERR_OK) {
            server->failed = err;
            uv_stop(&server->loop);
            return;
        }
        renew_tick(server);
    }
}

static void run_batches(struct server *server)
{
    batch_run(server);
    if (server->events != NULL && server->failed == ERR_OK) {
        (void)uv_idle_start(&server->more, on_more);
    } else {
        (void)uv_idle_stop(&server->more);
    }
    bool soon = !server->stopping && node_wants_tick(server->config.node);
    if (soon && uv_timer_get_due_in(&server->tick) > TICK_SOON_MS) {
        (void)uv_timer_start(&server->tick, on_tick, TICK_SOON_MS, TICK_MS);
    }
    listen_retry(server);
    stop_if_drained(server);
}

static void on_check(uv_check_t *check)
{
    run_batches(check->data);
}

static void on_prepare(uv_prepare_t *prepare)
{
    run_batches(prepare->data);
}

static void init_handles(struct server *server)
{
    uv_loop_t *loop = &server->loop;
    (void)uv_tcp_init(loop, &server->tcp);
    (void)uv_pipe_init(loop, &server->pipe, 0);
    (void)uv_timer_init(loop, &server->tick);
    (void)uv_timer_init(loop, &server->drain);
    (void)uv_check_init(loop, &server->check);
    (void)uv_prepare_init(loop, &server->prepare);
    (void)uv_idle_init(loop, &server->more);
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++) {
        (void)uv_signal_init(loop, &server->signals[i]);
        server->signals[i].data = server;
        (void)uv_signal_start(&server->signals[i], on_signal, SIGNALS[i]);
    }
    server->tick.data = server;
    server->drain.data = server;
    server->check.data = server;
    server->prepare.data = server;
    (void)uv_check_start(&server->check, on_check);
    (void)uv_prepare_start(&server->prepare, on_prepare);
    (void)uv_timer_start(&server->tick, on_tick, TICK_MS, TICK_MS);
    server->handles = 11 + sizeof SIGNALS / sizeof SIGNALS[0];
}

enum err server_new(const struct server_config *config, struct server **out, struct errmsg *msg)
{
    struct server *server = calloc(1, sizeof *server);
    if (server == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    server->config = *config;
    server->events_end = &server->events;
    int code = uv_loop_init(&server->loop);
    if (code != 0) {
        free(server);
        return err_fail(msg, ERR_NO_MEMORY, "the event loop cannot be made: %s", uv_strerror(code));
    }
    (void)signal(SIGPIPE, SIG_IGN);
    peers_init(server);
    init_handles(server);
    workers_init(server);
    dial_init(server);
    renew_init(server);
    backup_init_job(server);
    bundle_init_job(server);
    enum err err =
        tls_server_context(config->chain, config->key, config->root, &server->accepting, msg);
    err = err == ERR_OK
              ? tls_client_context(config->chain, config->key, config->root, &server->dialling, msg)
              : err;
    err = err == ERR_OK ? listen_start(server, msg) : err;
    if (err != ERR_OK) {
        server_free(server);
        return err;
    }
    *out = server;
    return ERR_OK;
}

enum err server_run(struct server *server, struct errmsg *msg)
{
    server->config.ready(server->config.ctx);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    if (server->failed != ERR_OK) {
        return err_fail(msg, server->failed, "%s", server->failure.text);
    }
    return ERR_OK;
}

void server_free(struct server *server)
{
    if (server == NULL) {
        return;
    }
    server->stopping = true;
    dial_stop(server);
    renew_stop(server);
    workers_stop(server);
    backup_stop(server);
    bundle_stop(server);
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&server->peers, &at, &key, &value)) {
        conn_abort((*(struct peer **)value)->conn, "the process stops");
    }
    close_handles(server);
    (void)uv_run(&server->loop, UV_RUN_DEFAULT);
    batch_forget(server);
    for (size_t i = 0; i < READERS; i++) {
        if (server->workers.readers[i] != NULL) {
            server->config.close_reader(server->config.ctx, server->workers.readers[i]);
        }
    }
    (void)uv_loop_close(&server->loop);
    map_deinit(&server->peers);
    buf_deinit(&server->bundle.ready);
    tls_context_free(server->accepting);
    tls_context_free(server->dialling);
    free(server);
}

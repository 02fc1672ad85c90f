/* Own certificates: renewed at two thirds of their life, and when links do not come about.
 *
 * 1. Once an hour it is looked whether they grow old; and a connection to the parent that ends in
 * silence, right after TLS has begun, makes a renewal at once, at most one in twenty seconds: an
 * expired certificate and a wrong clock look alike from here.
 * 2. In a worker's thread the parent is asked over a connection on which neither side looks at
 * times: it is known by its key, this node by its own, which is in the parent's table. The answer
 * has new chains, and the parent's clock.
 * 3. In the loop's thread the chains are saved and new connections use them; certificates are
 * verified at the parent's time from then on, strictly.
 *
 * When it fails, everything stays as it was and the next look or the next silence tries again. */
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "net/server_internal.h"

struct wall renew_now(const struct server *server)
{
    struct wall now = clock_read().wall;
    now.ms += server->ahead_ms;
    return now;
}

static enum err use_chain(struct server *server, struct bytes chain, struct errmsg *msg)
{
    const struct server_config *config = &server->config;
    struct tls_context *accepting = NULL;
    struct tls_context *dialling = NULL;
    TRY(tls_server_context(chain, config->key, config->root, &accepting, msg));
    enum err err = tls_client_context(chain, config->key, config->root, &dialling, msg);
    if (err != ERR_OK) {
        tls_context_free(accepting);
        return err;
    }
    tls_context_free(server->accepting);
    tls_context_free(server->dialling);
    server->accepting = accepting;
    server->dialling = dialling;
    server->config.chain = chain;
    return ERR_OK;
}

static void on_work(uv_work_t *work)
{
    struct server *server = work->data;
    struct renewal *renewal = &server->renewal;
    renewal->err = server->config.renew(server->config.ctx, &renewal->parent, renewal->now,
                                        &renewal->ahead_ms, &renewal->why);
}

static void on_worked(uv_work_t *work, int status)
{
    struct server *server = work->data;
    struct renewal *renewal = &server->renewal;
    struct bytes chain;
    enum err err = status == 0 ? renewal->err : ERR_CLOSED;
    renewal->running = false;
    if (server->stopping) {
        return;
    }
    err = err == ERR_OK ? server->config.renewed(server->config.ctx, &chain, &renewal->why) : err;
    err = err == ERR_OK ? use_chain(server, chain, &renewal->why) : err;
    if (err != ERR_OK) {
        log_line(LOG_LEVEL_WARN, "renewal=failed err=%s text=\"%s\"", err_name(err),
                 renewal->why.text);
        return;
    }
    server->ahead_ms = renewal->ahead_ms;
    log_line(LOG_LEVEL_INFO, "renewal=done ahead_ms=%lld", (long long)server->ahead_ms);
    dial_soon(server);
}

static void start(struct server *server, const char *cause)
{
    struct renewal *renewal = &server->renewal;
    const struct node_identity *identity = node_identity(server->config.node);
    if (renewal->running || server->stopping) {
        return;
    }
    renewal->parent = (struct server_parent){.none = identity->is_root,
                                             .key = identity->parent_key,
                                             .address_count = identity->parent_address_count};
    for (size_t i = 0; i < identity->parent_address_count; i++) {
        (void)snprintf(renewal->parent.addresses[i], sizeof renewal->parent.addresses[i], "%s",
                       identity->parent_addresses[i]);
    }
    renewal->now = renew_now(server);
    renewal->ahead_ms = 0;
    renewal->why.text[0] = '\0';
    log_line(LOG_LEVEL_INFO, "renewal=begins cause=\"%s\"", cause);
    renewal->running = uv_queue_work(&server->loop, &renewal->work, on_work, on_worked) == 0;
}

void renew_init(struct server *server)
{
    server->renewal.work.data = server;
    server->renewal.look_at = uv_now(&server->loop) + RENEW_FIRST_MS;
}

void renew_tick(struct server *server)
{
    if (uv_now(&server->loop) < server->renewal.look_at) {
        return;
    }
    server->renewal.look_at = uv_now(&server->loop) + RENEW_LOOK_MS;
    if (server->config.certificates_age(server->config.ctx, renew_now(server))) {
        start(server, "certificates are past two thirds of their life");
    }
}

void renew_after_silence(struct server *server)
{
    if (uv_now(&server->loop) >= server->renewal.again_at) {
        server->renewal.again_at = uv_now(&server->loop) + RENEW_AGAIN_MS;
        start(server, "the parent closes before it says anything");
    }
}

void renew_stop(struct server *server)
{
    __atomic_store_n(&server->renewal.parent.stop, true, __ATOMIC_RELAXED);
    if (server->renewal.running) {
        (void)uv_cancel((uv_req_t *)&server->renewal.work);
    }
}

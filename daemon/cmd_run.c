/* tallyd run: the store, the node and the network around it, until a signal. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

#include "base/log.h"
#include "daemon/aside.h"
#include "daemon/backup.h"
#include "daemon/ballast.h"
#include "daemon/bundle.h"
#include "daemon/certify.h"
#include "daemon/commands.h"
#include "daemon/home.h"
#include "daemon/watch.h"
#include "net/server.h"
#include "proto/address.h"

enum { READERS_MAX = 8, KEPT_FREE_BYTES = 1024 * 1024, LARGE_BYTES = 128 * 1024 };

/* A store that a query reads from. */
struct reader {
    struct query *query;
    struct store *store;
};

struct daemon {
    struct home home;
    struct config_node config;
    char host[ADDRESS_MAX_BYTES + 1];
    int port;
    struct store *store;
    struct node *node;
    struct server *server;
    struct reader readers[READERS_MAX];
    struct hash root; /* fingerprint, for invitations */
    struct id tree;
    struct id id;         /* of the node */
    struct buf chains[2]; /* of the last node that joined */
    struct buf fresh[2];  /* own new certificates, until they are in force: node's, CA's */
    struct wall fresh_at;
    struct backup backup;
    struct bundle_file bundle;
    struct watch watch;
    struct ballast ballast;
    struct buf identity; /* as it is kept beside the database */
    bool stays;          /* the database is damaged, and may not be set aside */
};

/* ---- what the server asks ---- */

static enum err open_reader(void *ctx, struct query **out, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    char path[HOME_PATH_BYTES];
    for (size_t i = 0; i < READERS_MAX; i++) {
        struct reader *reader = &daemon->readers[i];
        if (reader->query != NULL) {
            continue;
        }
        TRY(store_open(home_path(&daemon->home, HOME_DATABASE, path), STORE_READ, &reader->store,
                       msg));
        reader->query = query_new(reader->store);
        if (reader->query == NULL) {
            store_close(reader->store);
            return err_fail(msg, ERR_NO_MEMORY, "no memory");
        }
        *out = reader->query;
        return ERR_OK;
    }
    return err_fail(msg, ERR_LIMIT, "too many readers");
}

static void close_reader(void *ctx, struct query *query)
{
    struct daemon *daemon = ctx;
    for (size_t i = 0; i < READERS_MAX; i++) {
        if (daemon->readers[i].query == query) {
            query_free(query);
            store_close(daemon->readers[i].store);
            daemon->readers[i] = (struct reader){0};
        }
    }
}

static enum err request_keys(void *ctx, const struct msg_join *join, struct node_joiner *joiner,
                             struct errmsg *msg)
{
    (void)ctx;
    TRY(pki_request_key(join->node_request, &joiner->node_key, msg));
    return pki_request_key(join->ca_request, &joiner->ca_key, msg);
}

static enum err issue(void *ctx, const struct msg_join *join, struct wall now,
                      struct msg_joined *joined, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    static const enum pki_role ROLES[] = {PKI_NODE, PKI_NODE_CA};
    struct bytes requests[] = {join->node_request, join->ca_request};
    for (int i = 0; i < 2; i++) {
        struct pki_subject subject = {.role = ROLES[i],
                                      .tree = joined->tree,
                                      .node = joined->node,
                                      .unit = joined->unit,
                                      .number = joined->hosting};
        buf_clear(&daemon->chains[i]);
        TRY(pki_request_key(requests[i], &subject.key, msg));
        TRY(pki_issue(daemon->home.ca_key, buf_bytes(&daemon->home.ca_chain), &subject, now,
                      &daemon->chains[i], msg));
    }
    joined->node_chain = buf_bytes(&daemon->chains[0]);
    joined->ca_chain = buf_bytes(&daemon->chains[1]);
    return ERR_OK;
}

static bool certificates_age(void *ctx, struct wall now)
{
    const struct daemon *daemon = ctx;
    return certify_ages(&daemon->home, now);
}

/* In a worker's thread: `home` and `root` do not change but in `renewed`, which comes after. */
static enum err renew(void *ctx, const struct server_parent *parent, struct wall now,
                      int64_t *ahead_ms, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    struct certify_renewal renewal = {.home = &daemon->home,
                                      .root = &daemon->root,
                                      .tree = &daemon->tree,
                                      .node = &daemon->id,
                                      .parent = parent,
                                      .now = now,
                                      .node_chain = &daemon->fresh[0],
                                      .ca_chain = &daemon->fresh[1]};
    buf_clear(&daemon->fresh[0]);
    buf_clear(&daemon->fresh[1]);
    daemon->fresh_at = now;
    TRY(certify_renew(&renewal, msg));
    *ahead_ms = renewal.ahead_ms;
    return ERR_OK;
}

static enum err renewed(void *ctx, struct bytes *chain, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    TRY(home_renew(&daemon->home, &daemon->tree, &daemon->fresh[0], &daemon->fresh[1],
                   daemon->fresh_at, msg));
    *chain = buf_bytes(&daemon->home.node_chain);
    return ERR_OK;
}

static enum err begin_backup(void *ctx, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return backup_begin(&daemon->backup, daemon->store, msg);
}

static enum err step_backup(void *ctx, bool *done, int64_t *at, int64_t *size, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return backup_step(&daemon->backup, node_identity(daemon->node)->unit, done, at, size, msg);
}

static enum err read_backup(void *ctx, int64_t at, struct bytes *part, int64_t *size,
                            struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return backup_read(&daemon->backup, at, part, size, msg);
}

static void end_backup(void *ctx)
{
    struct daemon *daemon = ctx;
    backup_end(&daemon->backup);
}

static enum err begin_bundle(void *ctx, const struct hash *recipient, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return bundle_file_write_begin(&daemon->bundle, recipient, msg);
}

static enum err write_bundle(void *ctx, const struct message *message, struct bytes *ready,
                             struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return bundle_file_write(&daemon->bundle, message, ready, msg);
}

static enum err keep_bundle(void *ctx, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return bundle_file_take_begin(&daemon->bundle, msg);
}

static enum err take_bundle(void *ctx, struct bytes part, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return bundle_file_take(&daemon->bundle, part, msg);
}

static enum err judge_bundle(void *ctx, struct tls_peer *sender, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return bundle_file_judge(&daemon->bundle, sender, msg);
}

static enum err read_bundle(void *ctx, const struct message **out, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    return bundle_file_read(&daemon->bundle, out, msg);
}

static void end_bundle(void *ctx)
{
    struct daemon *daemon = ctx;
    bundle_file_end(&daemon->bundle);
}

/* ---- configuration ---- */

static enum err load_config(struct daemon *daemon, struct config_node *config, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    return config_node_load(home_path(&daemon->home, CONFIG_NODE_FILE, path), config, msg);
}

/* What may change while it runs. */
static void apply_config(struct daemon *daemon)
{
    const char *addresses[ADDRESSES_MAX];
    for (size_t i = 0; i < daemon->config.address_count; i++) {
        addresses[i] = daemon->config.addresses[i];
    }
    log_set_level(daemon->config.log_level);
    node_set_addresses(daemon->node, addresses, daemon->config.address_count, &daemon->root);
}

static void on_reload(void *ctx)
{
    struct daemon *daemon = ctx;
    struct config_node fresh = {0};
    struct errmsg msg = {{0}};
    (void)sd_notify(0, "RELOADING=1");
    if (load_config(daemon, &fresh, &msg) != ERR_OK) {
        log_line(LOG_LEVEL_ERROR, "reload=refused text=\"%s; the old configuration stays\"",
                 msg.text);
    } else {
        bool moved = strcmp(fresh.listen, daemon->config.listen) != 0;
        daemon->config = fresh;
        apply_config(daemon);
        log_line(LOG_LEVEL_INFO, "reload=done%s",
                 moved ? " note=\"a changed \\\"listen\\\" needs a restart\"" : "");
    }
    (void)sd_notify(0, "READY=1");
}

static void on_ready(void *ctx)
{
    struct daemon *daemon = ctx;
    log_line(LOG_LEVEL_INFO, "start=ready unit=%s listen=%s data=%s version=" TALLY_VERSION,
             node_identity(daemon->node)->unit,
             daemon->config.listen[0] == '\0' ? "-" : daemon->config.listen, daemon->home.dir);
    (void)sd_notify(0, "READY=1");
}

/* A full disk is no reason to stop: it is tried again. */
static void keep_identity(struct daemon *daemon)
{
    struct errmsg why;
    if (aside_keep_identity(&daemon->home, daemon->store, &daemon->identity, &why) != ERR_OK) {
        log_line(LOG_LEVEL_WARN, "identity=unkept text=\"%s\"", why.text);
    }
}

static enum err on_alive(void *ctx, struct errmsg *msg)
{
    struct daemon *daemon = ctx;
    struct errmsg why;
    (void)sd_notify(0, "WATCHDOG=1");
    TRY(watch_look(&daemon->watch, msg));
    node_set_full(daemon->node, ballast_look(&daemon->ballast));
    keep_identity(daemon);
    const char *damage = daemon->stays ? NULL : node_wants_new_file(daemon->node);
    if (damage == NULL) {
        return ERR_OK;
    }
    if (aside_begin(&daemon->home, damage, &why) != ERR_OK) {
        daemon->stays = true;
        log_line(LOG_LEVEL_ERROR, "damage=stays text=\"%s\"", why.text);
        return ERR_OK;
    }
    return err_fail(msg, ERR_CORRUPT, "%.300s; the next start makes a new database", damage);
}

/* ---- starting and stopping ---- */

static void close_node(struct daemon *daemon)
{
    node_close(daemon->node);
    store_close(daemon->store);
    daemon->node = NULL;
    daemon->store = NULL;
}

/* ERR_CORRUPT: the database cannot be used. */
static enum err open_node(struct daemon *daemon, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct node_env env = home_env(&daemon->home);
    TRY(store_open(home_path(&daemon->home, HOME_DATABASE, path), STORE_WRITE, &daemon->store,
                   msg));
    TRY(store_check(daemon->store, msg));
    return node_open(daemon->store, &env, clock_read(), &daemon->node, msg);
}

/* A database that cannot be used gives way to a new one, once. */
static enum err open_or_make(struct daemon *daemon, struct errmsg *msg)
{
    struct errmsg why = {{0}};
    TRY(aside_begun(&daemon->home) ? aside_finish(&daemon->home, msg) : ERR_OK);
    enum err err = open_node(daemon, &why);
    if (err != ERR_CORRUPT) {
        return err == ERR_OK ? ERR_OK : err_fail(msg, err, "%s", why.text);
    }
    close_node(daemon);
    TRY(aside_begin(&daemon->home, why.text, msg));
    TRY(aside_finish(&daemon->home, msg));
    return open_node(daemon, msg);
}

static enum err open_all(struct daemon *daemon, const char *dir, struct errmsg *msg)
{
    TRY(home_open(&daemon->home, dir, msg));
    backup_sweep(&daemon->home);
    bundle_file_sweep(&daemon->home);
    TRY(load_config(daemon, &daemon->config, msg));
    if (daemon->config.listen[0] != '\0') {
        TRY(address_parse(daemon->config.listen, daemon->host, &daemon->port, msg));
    }
    TRY(pki_chain_root(buf_bytes(&daemon->home.root), &daemon->root, NULL, msg));
    bool full = ballast_begin(&daemon->ballast, &daemon->home);
    TRY(open_or_make(daemon, msg));
    node_set_full(daemon->node, full);
    keep_identity(daemon);
    apply_config(daemon);
    watch_begin(&daemon->watch, &daemon->home, daemon->store);
    daemon->tree = node_identity(daemon->node)->tree;
    daemon->id = node_identity(daemon->node)->node;
    return ERR_OK;
}

static enum err serve(struct daemon *daemon, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct server_config config = {.node = daemon->node,
                                   .socket_path = home_path(&daemon->home, HOME_SOCKET, path),
                                   .listen_host =
                                       daemon->config.listen[0] == '\0' ? NULL : daemon->host,
                                   .listen_port = daemon->port,
                                   .chain = buf_bytes(&daemon->home.node_chain),
                                   .key = buf_bytes(&daemon->home.node_key_pem),
                                   .root = buf_bytes(&daemon->home.root),
                                   .issuer_key = pki_key_public(daemon->home.ca_key),
                                   .ctx = daemon,
                                   .open_reader = open_reader,
                                   .close_reader = close_reader,
                                   .request_keys = request_keys,
                                   .issue = issue,
                                   .certificates_age = certificates_age,
                                   .renew = renew,
                                   .renewed = renewed,
                                   .backup_begin = begin_backup,
                                   .backup_step = step_backup,
                                   .backup_read = read_backup,
                                   .backup_end = end_backup,
                                   .bundle_write_begin = begin_bundle,
                                   .bundle_write = write_bundle,
                                   .bundle_take_begin = keep_bundle,
                                   .bundle_take = take_bundle,
                                   .bundle_judge = judge_bundle,
                                   .bundle_read = read_bundle,
                                   .bundle_end = end_bundle,
                                   .reload = on_reload,
                                   .ready = on_ready,
                                   .alive = on_alive};
    TRY(server_new(&config, &daemon->server, msg));
    return server_run(daemon->server, msg);
}

static enum err run(const char *dir, struct errmsg *msg)
{
    struct daemon daemon = {.server = NULL};
    home_init(&daemon.home);
    backup_init(&daemon.backup, &daemon.home);
    bundle_file_init(&daemon.bundle, &daemon.home);
    buf_init(&daemon.chains[0], PKI_FILE_MAX_BYTES);
    buf_init(&daemon.chains[1], PKI_FILE_MAX_BYTES);
    buf_init(&daemon.fresh[0], PKI_FILE_MAX_BYTES);
    buf_init(&daemon.fresh[1], PKI_FILE_MAX_BYTES);
    buf_init(&daemon.identity, PKI_FILE_MAX_BYTES);
    enum err err = open_all(&daemon, dir, msg);
    err = err == ERR_OK ? serve(&daemon, msg) : err;
    if ((err == ERR_IO || err == ERR_CORRUPT) && daemon.server != NULL) {
        /* The disk, or what lies on it, cannot be trusted: nothing more is written or said, not
         * even a checkpoint. */
        log_line(LOG_LEVEL_ERROR, "stop=%s text=\"%s\"", err == ERR_IO ? "disk" : "damage",
                 msg->text);
        _Exit(STATUS_REFUSED);
    }
    (void)sd_notify(0, "STOPPING=1");
    server_free(daemon.server);
    node_close(daemon.node);
    store_close(daemon.store);
    if (err == ERR_OK) {
        log_line(LOG_LEVEL_INFO, "stop=done data=%s", dir);
    }
    buf_deinit(&daemon.chains[0]);
    buf_deinit(&daemon.chains[1]);
    buf_deinit(&daemon.fresh[0]);
    buf_deinit(&daemon.fresh[1]);
    buf_deinit(&daemon.identity);
    bundle_file_end(&daemon.bundle);
    home_deinit(&daemon.home);
    return err;
}

/* A daemon idles for most of its life: what a burst took is given back to the system, and worker
 * threads share. */
static void tune_memory(void)
{
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_FREE_BYTES);
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)setenv("UV_THREADPOOL_SIZE", "4", 1); /* two queries, a name to resolve, a renewal */
}

int cmd_run(int argc, char **argv)
{
    struct command_option data = {.name = "data"};
    struct errmsg msg = {{0}};
    enum err err = command_options(argc, argv, &data, 1, NULL, &msg);
    if (err == ERR_OK && data.value == NULL) {
        err = err_fail(&msg, ERR_USAGE, "--data is missing; `tallyd run --help` shows an example");
    }
    tune_memory();
    err = err == ERR_OK ? run(data.value, &msg) : err;
    return err == ERR_OK ? STATUS_DONE : command_fail(err, &msg);
}

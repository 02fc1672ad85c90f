#include "daemon/home.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha256.h"

enum { LOCK_TEXT_BYTES = 32, DATE_BYTES = 32, SECRET_MODE = 0600, PUBLIC_MODE = 0644 };

void home_init(struct home *home)
{
    *home = (struct home){.lock = -1};
    buf_init(&home->node_key_pem, PKI_FILE_MAX_BYTES);
    buf_init(&home->node_chain, PKI_FILE_MAX_BYTES);
    buf_init(&home->ca_chain, PKI_FILE_MAX_BYTES);
    buf_init(&home->root, PKI_FILE_MAX_BYTES);
}

void home_deinit(struct home *home)
{
    pki_key_free(home->node_key);
    pki_key_free(home->ca_key);
    buf_deinit(&home->node_key_pem);
    buf_deinit(&home->node_chain);
    buf_deinit(&home->ca_chain);
    buf_deinit(&home->root);
    if (home->lock >= 0) {
        (void)close(home->lock);
    }
    home->lock = -1;
}

const char *home_path(const struct home *home, const char *file, char out[HOME_PATH_BYTES])
{
    (void)snprintf(out, HOME_PATH_BYTES, "%.*s/%s", (int)(HOME_PATH_BYTES - 64), home->dir, file);
    return out;
}

static enum err set_dir(struct home *home, const char *dir, struct errmsg *msg)
{
    size_t len = strlen(dir);
    if (len == 0 || len > HOME_PATH_BYTES - 64) {
        return err_fail(msg, ERR_USAGE, "--data wants a directory's name of 1 to %d bytes",
                        HOME_PATH_BYTES - 64);
    }
    memcpy(home->dir, dir, len + 1);
    return ERR_OK;
}

bool home_has(const struct home *home, const char *file)
{
    char path[HOME_PATH_BYTES];
    struct stat info;
    return stat(home_path(home, file, path), &info) == 0;
}

void home_dated_name(const char *word, char out[HOME_NAME_BYTES])
{
    char date[DATE_BYTES];
    struct tm now;
    time_t seconds = (time_t)(clock_read().wall.ms / 1000);
    (void)gmtime_r(&seconds, &now);
    (void)strftime(date, sizeof date, "%Y%m%dT%H%M%SZ", &now);
    (void)snprintf(out, HOME_NAME_BYTES, HOME_DATABASE ".%.16s-%s", word, date);
}

/* Directory and database can be looked at: what cannot be seen is not said to be missing. */
static enum err look(const struct home *home, struct errmsg *msg)
{
    struct stat info;
    errno = 0;
    bool folder = stat(home->dir, &info) == 0 && S_ISDIR(info.st_mode);
    if (folder && (home_has(home, HOME_DATABASE) || home_has(home, HOME_ASIDE))) {
        return ERR_OK;
    }
    if (errno == EACCES) {
        return err_fail(msg, ERR_REFUSED,
                        "cannot use %.400s: %s; run tallyd as the user whose node it is", home->dir,
                        strerror(errno));
    }
    if (!folder) {
        return err_fail(msg, ERR_NOT_FOUND,
                        "there is no directory %.400s; make a node with tallyd init or tallyd join",
                        home->dir);
    }
    return err_fail(msg, ERR_NOT_FOUND,
                    "no node lives in %.400s; make one with tallyd init or tallyd join", home->dir);
}

static enum err take_lock(struct home *home, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    char text[LOCK_TEXT_BYTES] = "";
    int fd = open(home_path(home, HOME_LOCK, path), O_RDWR | O_CREAT | O_CLOEXEC, SECRET_MODE);
    if (fd < 0) {
        return err_fail(msg, ERR_REFUSED,
                        "cannot use %.400s: %s; it must be writable for the user that runs tallyd",
                        home->dir, strerror(errno));
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        bool used = errno == EWOULDBLOCK;
        ssize_t n = read(fd, text, sizeof text - 1);
        text[n > 0 ? strcspn(text, "\n") : 0] = '\0';
        enum err err =
            used ? err_fail(msg, ERR_BUSY,
                            "%.400s is in use by another process%s%s; stop that one first",
                            home->dir, text[0] == '\0' ? "" : ", ", text)
                 : err_fail(msg, ERR_IO, "cannot lock %.400s: %s", path, strerror(errno));
        (void)close(fd);
        return err;
    }
    int len = snprintf(text, sizeof text, "pid %ld\n", (long)getpid());
    /* Only the sentence above reads it. */
    ssize_t written = ftruncate(fd, 0) == 0 ? pwrite(fd, text, (size_t)len, 0) : 0;
    (void)written;
    home->lock = fd;
    return ERR_OK;
}

/* Better now than when the node is to run. */
static enum err check_socket(const char *dir, struct errmsg *msg)
{
    struct sockaddr_un limit;
    if (strlen(dir) + sizeof "/" HOME_SOCKET > sizeof limit.sun_path) {
        return err_fail(msg, ERR_USAGE,
                        "%.300s is too long for the socket in it (at most %zu bytes); use a "
                        "shorter --data",
                        dir, sizeof limit.sun_path - sizeof "/" HOME_SOCKET);
    }
    return ERR_OK;
}

enum err home_claim(struct home *home, const char *dir, struct errmsg *msg)
{
    TRY(set_dir(home, dir, msg));
    TRY(check_socket(dir, msg));
    if (mkdir(dir, 0750) != 0 && errno != EEXIST) {
        return err_fail(msg, ERR_REFUSED, "cannot make %.400s: %s", dir, strerror(errno));
    }
    TRY(take_lock(home, msg));
    if (home_has(home, HOME_DATABASE)) {
        return err_fail(msg, ERR_EXISTS,
                        "a node lives in %.400s already; choose another directory for a new one",
                        dir);
    }
    char path[HOME_PATH_BYTES];
    (void)unlink(home_path(home, HOME_ASIDE, path)); /* of a database that was here */
    return ERR_OK;
}

static enum err make_key(const struct home *home, const char *file, struct pki_key **out,
                         struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    (void)home_path(home, file, path);
    if (home_has(home, file)) {
        return pki_key_load(path, out, msg);
    }
    TRY(pki_key_generate(out, msg));
    return pki_key_save(*out, path, msg);
}

enum err home_make_keys(struct home *home, struct errmsg *msg)
{
    TRY(make_key(home, PKI_NODE_KEY, &home->node_key, msg));
    return make_key(home, PKI_CA_KEY, &home->ca_key, msg);
}

static enum err save_file(const struct home *home, const char *file, const struct buf *content,
                          struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    return file_write(home_path(home, file, path), buf_bytes(content), PUBLIC_MODE, msg);
}

/* For `tally --node`, from this machine or another: a certificate of the own CA for that key. */
static enum err certify_admin(const struct home *home, const struct id *tree,
                              const struct pki_key *key, struct wall now, struct errmsg *msg)
{
    struct buf chain;
    struct pki_subject subject = {.role = PKI_CLIENT,
                                  .tree = *tree,
                                  .client_name = "admin",
                                  .client_role = "admin",
                                  .key = pki_key_public(key)};
    buf_init(&chain, PKI_FILE_MAX_BYTES);
    enum err err = pki_issue(home->ca_key, buf_bytes(&home->ca_chain), &subject, now, &chain, msg);
    err = err == ERR_OK ? save_file(home, PKI_ADMIN_CHAIN, &chain, msg) : err;
    buf_deinit(&chain);
    return err;
}

static enum err make_admin(const struct home *home, const struct id *tree, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct pki_key *key = NULL;
    TRY(pki_key_generate(&key, msg));
    enum err err = pki_key_save(key, home_path(home, PKI_ADMIN_KEY, path), msg);
    err = err == ERR_OK ? certify_admin(home, tree, key, clock_read().wall, msg) : err;
    pki_key_free(key);
    return err;
}

bool home_admin_ages(const struct home *home, struct wall now)
{
    char path[HOME_PATH_BYTES];
    struct buf chain;
    struct errmsg why;
    buf_init(&chain, PKI_FILE_MAX_BYTES);
    /* Somebody may have moved the files to another machine: then nothing here grows old. */
    bool ages = file_read(home_path(home, PKI_ADMIN_CHAIN, path), &chain, &why) == ERR_OK &&
                pki_chain_ages(buf_bytes(&chain), now);
    buf_deinit(&chain);
    return ages;
}

/* The admin's key stays; without it there is nothing to certify. */
static enum err renew_admin(const struct home *home, const struct id *tree, struct wall now,
                            struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct pki_key *key = NULL;
    if (access(home_path(home, PKI_ADMIN_KEY, path), F_OK) != 0) {
        return ERR_OK;
    }
    TRY(pki_key_load(path, &key, msg));
    enum err err = certify_admin(home, tree, key, now, msg);
    pki_key_free(key);
    return err;
}

enum err home_renew(struct home *home, const struct id *tree, const struct buf *node_chain,
                    const struct buf *ca_chain, struct wall now, struct errmsg *msg)
{
    TRY(save_file(home, PKI_CA_CHAIN, ca_chain, msg));
    TRY(save_file(home, PKI_NODE_CHAIN, node_chain, msg));
    buf_clear(&home->ca_chain);
    buf_clear(&home->node_chain);
    buf_put(&home->ca_chain, ca_chain->data, ca_chain->len);
    buf_put(&home->node_chain, node_chain->data, node_chain->len);
    if (home->ca_chain.failed || home->node_chain.failed) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    return renew_admin(home, tree, now, msg);
}

/* ---- the next identity ---- */

#define NEXT ".next"

/* The chain of the node is kept last and put into force last: while it lies there, what is not
 * there any more is in force. */
static bool has_next(const struct home *home)
{
    return home_has(home, PKI_NODE_CHAIN NEXT);
}

enum err home_next_keys(struct home *home, struct errmsg *msg)
{
    bool used[] = {has_next(home) && !home_has(home, PKI_NODE_KEY NEXT),
                   has_next(home) && !home_has(home, PKI_CA_KEY NEXT)};
    TRY(make_key(home, used[0] ? PKI_NODE_KEY : PKI_NODE_KEY NEXT, &home->node_key, msg));
    return make_key(home, used[1] ? PKI_CA_KEY : PKI_CA_KEY NEXT, &home->ca_key, msg);
}

enum err home_next_chains(const struct home *home, struct errmsg *msg)
{
    TRY(save_file(home, PKI_CA_CHAIN NEXT, &home->ca_chain, msg));
    return save_file(home, PKI_NODE_CHAIN NEXT, &home->node_chain, msg);
}

enum err home_use_next(struct home *home, const struct id *tree, struct errmsg *msg)
{
    static const char *const NAMES[][2] = {{PKI_NODE_KEY NEXT, PKI_NODE_KEY},
                                           {PKI_CA_KEY NEXT, PKI_CA_KEY},
                                           {PKI_CA_CHAIN NEXT, PKI_CA_CHAIN},
                                           {PKI_NODE_CHAIN NEXT, PKI_NODE_CHAIN}};
    char next[HOME_PATH_BYTES];
    char path[HOME_PATH_BYTES];
    TRY(renew_admin(home, tree, clock_read().wall, msg));
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        (void)home_path(home, NAMES[i][0], next);
        (void)home_path(home, NAMES[i][1], path);
        if (rename(next, path) != 0 && errno != ENOENT) {
            return err_fail(msg, ERR_IO, "cannot name %.400s: %s", path, strerror(errno));
        }
        TRY(file_sync_folder(path, msg));
    }
    return ERR_OK;
}

/* ---- a new node ---- */

enum err home_save(struct home *home, const struct id *tree, const struct config_node *config,
                   struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct hash fingerprint;
    buf_clear(&home->root);
    TRY(pki_chain_root(buf_bytes(&home->ca_chain), &fingerprint, &home->root, msg));
    TRY(save_file(home, PKI_ROOT, &home->root, msg));
    TRY(save_file(home, PKI_CA_CHAIN, &home->ca_chain, msg));
    TRY(save_file(home, PKI_NODE_CHAIN, &home->node_chain, msg));
    TRY(make_admin(home, tree, msg));
    return config_node_save(home_path(home, CONFIG_NODE_FILE, path), config, msg);
}

void home_remove_part(const struct home *home)
{
    static const char *const NAMES[] = {HOME_DATABASE_PART, HOME_DATABASE_PART "-wal",
                                        HOME_DATABASE_PART "-shm"};
    char path[HOME_PATH_BYTES];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        (void)unlink(home_path(home, NAMES[i], path));
    }
}

enum err home_make_database(const struct home *home,
                            enum err (*make)(void *ctx, struct store *store, struct errmsg *msg),
                            void *ctx, struct errmsg *msg)
{
    char part[HOME_PATH_BYTES];
    char path[HOME_PATH_BYTES];
    struct store *store;
    home_remove_part(home);
    TRY(store_open(home_path(home, HOME_DATABASE_PART, part), STORE_CREATE, &store, msg));
    enum err err = make(ctx, store, msg);
    store_close(store);
    if (err == ERR_OK && rename(part, home_path(home, HOME_DATABASE, path)) != 0) {
        err = err_fail(msg, ERR_IO, "cannot name %.400s: %s", path, strerror(errno));
    }
    if (err != ERR_OK) {
        home_remove_part(home);
        return err;
    }
    return file_sync_folder(path, msg);
}

static enum err read_file(const struct home *home, const char *file, struct buf *out,
                          struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    return file_read(home_path(home, file, path), out, msg);
}

/* Certificates that can be read, the first one that of `key` (NULL: of any). */
static enum err read_chain(const struct home *home, const char *file, const struct pki_key *key,
                           struct buf *out, struct errmsg *msg)
{
    struct hash root;
    struct hash have;
    TRY(read_file(home, file, out, msg));
    enum err err = pki_chain_root(buf_bytes(out), &root, NULL, msg);
    err = err == ERR_OK && key != NULL ? pki_chain_key(buf_bytes(out), &have, msg) : err;
    if (err == ERR_OK && key != NULL) {
        struct hash want = pki_key_public(key);
        err = hash_equal(&have, &want) ? ERR_OK
                                       : err_fail(msg, ERR_INVALID,
                                                  "it certifies another key than this node's; put "
                                                  "the right file back");
    }
    return err == ERR_OK ? ERR_OK : err_prefix(msg, err, "%.300s/%s", home->dir, file);
}

enum err home_open(struct home *home, const char *dir, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    TRY(set_dir(home, dir, msg));
    TRY(look(home, msg));
    TRY(take_lock(home, msg));
    if (has_next(home)) {
        return err_fail(msg, ERR_REFUSED,
                        "the node in %.300s has joined again, and that has not ended: give the "
                        "same tallyd join with the same token once more",
                        dir);
    }
    TRY(pki_key_load(home_path(home, PKI_NODE_KEY, path), &home->node_key, msg));
    TRY(pki_key_load(home_path(home, PKI_CA_KEY, path), &home->ca_key, msg));
    TRY(read_file(home, PKI_NODE_KEY, &home->node_key_pem, msg));
    TRY(read_chain(home, PKI_NODE_CHAIN, home->node_key, &home->node_chain, msg));
    TRY(read_chain(home, PKI_CA_CHAIN, home->ca_key, &home->ca_chain, msg));
    return read_chain(home, PKI_ROOT, NULL, &home->root, msg);
}

/* ---- what the node asks ---- */

static void env_random(void *ctx, void *out, size_t len)
{
    (void)ctx;
    random_fill(out, len);
}

static enum err env_sign(void *ctx, struct bytes data, struct signature *out)
{
    const struct home *home = ctx;
    return pki_sign(home->node_key, data.data, data.len, out);
}

static bool env_verify(void *ctx, const struct hash *key, struct bytes data,
                       const struct signature *signature)
{
    (void)ctx;
    return pki_verify(key, data.data, data.len, signature);
}

struct node_env home_env(struct home *home)
{
    return (struct node_env){
        .ctx = home, .random = env_random, .sign = env_sign, .verify = env_verify};
}

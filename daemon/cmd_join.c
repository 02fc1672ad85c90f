/* tallyd join: a node below another one; or, in the directory of a node, the same data under a new
 * identity, which an office above has issued anew.
 *
 * 1. New keys are made beside those in force, and the parent is asked with them and with the origin
 * of the data. Until it has answered, nothing has changed here.
 * 2. The chains are kept beside those in force. From now on the node does not run until all is
 * done; the same command goes on from wherever it stopped, as the parent answers the same keys the
 * same.
 * 3. The database takes the new identity, in one transaction.
 * 4. Keys and chains take the places of those in force, the chain of the node last. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha256.h"
#include "daemon/aside.h"
#include "daemon/certify.h"
#include "daemon/commands.h"
#include "daemon/home.h"
#include "net/join.h"
#include "proto/address.h"

enum { DATA, LISTEN, OPTION_COUNT };

struct join {
    struct home *home;
    struct config_node config;
    struct token token;
    struct certify_request request;
    const struct msg_joined *joined;
    bool again; /* a node lives in the directory */
    struct node_owner owner;
    char unit[CODE_MAX_BYTES + 1];
};

/* The proof binds the secret to this TLS session and to both keys. */
static enum err fill(void *ctx, const struct hash *exporter, struct msg_join *message,
                     struct errmsg *msg)
{
    struct join *join = ctx;
    struct buf said;
    *message = (struct msg_join){.invite = join->token.invite, .address = join->config.listen};
    if (join->again) {
        message->origin = join->owner.origin;
    }
    TRY(certify_ask(join->home, &join->request, message, msg));
    buf_init(&said, FRAME_MAX_BYTES);
    buf_put_hash(&said, exporter);
    buf_put(&said, message->node_request.data, message->node_request.len);
    buf_put(&said, message->ca_request.data, message->ca_request.len);
    bool failed = said.failed;
    message->proof = hmac_sha256(join->token.secret, SECRET_BYTES, said.data, said.len);
    buf_deinit(&said);
    return failed ? err_fail(msg, ERR_NO_MEMORY, "no memory") : ERR_OK;
}

static enum err make(void *ctx, struct store *store, struct errmsg *msg)
{
    const struct join *join = ctx;
    struct hash key = pki_key_public(join->home->node_key);
    TRY(node_make_child(store, join->joined, &key, msg));
    return aside_keep_first(join->home, store, msg);
}

/* The node's database under its new identity, then its keys and certificates. */
static enum err go_on(struct home *home, const struct msg_joined *joined, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct store *store;
    struct hash key = pki_key_public(home->node_key);
    TRY(home_next_chains(home, msg));
    TRY(store_open(home_path(home, HOME_DATABASE, path), STORE_WRITE, &store, msg));
    enum err err = node_rejoin(store, joined, &key, msg);
    err = err == ERR_OK ? aside_keep_first(home, store, msg) : err;
    store_close(store);
    TRY(err);
    return home_use_next(home, &joined->tree, msg);
}

static enum err take_answer(void *ctx, const struct msg_joined *joined, struct errmsg *msg)
{
    struct join *join = ctx;
    struct home *home = join->home;
    TRY(certify_check(home, &join->token.root, &join->token.tree, joined, msg));
    buf_put(&home->node_chain, joined->node_chain.data, joined->node_chain.len);
    buf_put(&home->ca_chain, joined->ca_chain.data, joined->ca_chain.len);
    if (home->node_chain.failed || home->ca_chain.failed) {
        return err_fail(msg, ERR_LIMIT, "the parent's chain of certificates is too long");
    }
    (void)snprintf(join->unit, sizeof join->unit, "%s", joined->unit);
    if (join->again) {
        return go_on(home, joined, msg);
    }
    TRY(home_save(home, &joined->tree, &join->config, msg));
    join->joined = joined;
    return home_make_database(home, make, join, msg);
}

/* The token from the command line, or a line of standard input. */
static enum err read_token(const char *word, struct token *token, struct errmsg *msg)
{
    if (strcmp(word, "-") != 0) {
        return token_parse(word, token, msg);
    }
    struct buf text;
    buf_init(&text, TOKEN_MAX_BYTES + 64);
    enum err err = file_read_open(STDIN_FILENO, "standard input", &text, msg);
    buf_put_u8(&text, '\0');
    if (err == ERR_OK && !text.failed) {
        char *line = (char *)text.data;
        line += strspn(line, " \t\r\n");
        line[strcspn(line, " \t\r\n")] = '\0';
        err = token_parse(line, token, msg);
    } else {
        err = err_fail(msg, ERR_USAGE, "standard input holds no token");
    }
    buf_deinit(&text);
    return err;
}

/* A node lives in the directory: the token must be for it. */
static enum err check_owner(struct join *join, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct store *store;
    struct errmsg why;
    const struct token *token = &join->token;
    TRY(store_open(home_path(join->home, HOME_DATABASE, path), STORE_WRITE, &store, msg));
    enum err err = node_owner(store, &join->owner, &why);
    store_close(store);
    TRY(err == ERR_OK ? ERR_OK : err_fail(msg, err, "%s", why.text));
    bool its = !join->owner.is_root && id_equal(&token->tree, &join->owner.tree) &&
               strcmp(token->unit, join->owner.unit) == 0;
    return its ? ERR_OK
               : err_fail(msg, ERR_EXISTS,
                          "the node of unit %s lives in %.300s, and the token is for unit %s%s; "
                          "choose another directory for a new node",
                          join->owner.unit, join->home->dir, token->unit,
                          id_equal(&token->tree, &join->owner.tree) ? "" : " of another tree");
}

static enum err run(struct join *join, const struct command_option *options, const char *word,
                    struct errmsg *msg)
{
    char host[ADDRESS_MAX_BYTES + 1];
    int port;
    if (options[DATA].value == NULL || word == NULL) {
        return err_fail(msg, ERR_USAGE, "%s is missing; `tallyd join --help` shows an example",
                        word == NULL ? "the token" : "--data");
    }
    if (options[LISTEN].value != NULL) {
        TRY(address_parse(options[LISTEN].value, host, &port, msg));
        (void)snprintf(join->config.listen, sizeof join->config.listen, "%s",
                       options[LISTEN].value);
    }
    join->config.log_level = LOG_LEVEL_INFO;
    TRY(read_token(word, &join->token, msg));
    enum err err = home_claim(join->home, options[DATA].value, msg);
    join->again = err == ERR_EXISTS;
    if (join->again && options[LISTEN].value != NULL) {
        return err_fail(msg, ERR_USAGE,
                        "%.300s has a node, which keeps its tally.yaml: leave --listen out and "
                        "change it there",
                        options[DATA].value);
    }
    TRY(join->again ? check_owner(join, msg) : err);
    TRY(join->again ? home_next_keys(join->home, msg) : home_make_keys(join->home, msg));
    struct net_join net = {.token = &join->token, .ctx = join, .fill = fill, .joined = take_answer};
    return net_join(&net, msg);
}

int cmd_join(int argc, char **argv)
{
    struct command_option options[OPTION_COUNT] = {
        [DATA] = {.name = "data"}, [LISTEN] = {.name = "listen"}};
    const char *word = NULL;
    struct errmsg msg = {{0}};
    struct home home;
    struct join join = {.home = &home};
    home_init(&home);
    certify_request_init(&join.request);
    enum err err = command_options(argc, argv, options, OPTION_COUNT, &word, &msg);
    err = err == ERR_OK ? run(&join, options, word, &msg) : err;
    certify_request_deinit(&join.request);
    home_deinit(&home);
    if (err != ERR_OK) {
        return command_fail(err, &msg);
    }
    (void)fprintf(stderr,
                  join.again ? "The node of unit %s has a new identity and goes on with its data. "
                               "Start it: tallyd run --data %s\n"
                             : "The node of unit %s is made. Start it: tallyd run --data %s\n",
                  join.unit, options[DATA].value);
    return STATUS_DONE;
}

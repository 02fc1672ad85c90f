/* tallyd join: a node below another one. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/sha256.h"
#include "daemon/commands.h"
#include "daemon/home.h"
#include "net/join.h"
#include "proto/address.h"

enum { DATA, LISTEN, OPTION_COUNT };

struct join {
    struct home *home;
    struct config_node config;
    struct token token;
    struct buf node_request;
    struct buf ca_request;
    const struct msg_joined *joined;
    char unit[CODE_MAX_BYTES + 1];
};

static struct bytes view(const struct buf *buf)
{
    return (struct bytes){.data = buf->data, .len = buf->len};
}

/* The proof binds the secret to this TLS session and to both keys. */
static enum err fill(void *ctx, const struct hash *exporter, struct msg_join *message,
                     struct errmsg *msg)
{
    struct join *join = ctx;
    struct buf said;
    buf_clear(&join->node_request);
    buf_clear(&join->ca_request);
    TRY(pki_request(join->home->node_key, &join->node_request, msg));
    TRY(pki_request(join->home->ca_key, &join->ca_request, msg));
    buf_init(&said, FRAME_MAX_BYTES);
    buf_put_hash(&said, exporter);
    buf_put(&said, join->node_request.data, join->node_request.len);
    buf_put(&said, join->ca_request.data, join->ca_request.len);
    bool failed = said.failed;
    struct hash proof = hmac_sha256(join->token.secret, SECRET_BYTES, said.data, said.len);
    buf_deinit(&said);
    if (failed) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    *message = (struct msg_join){.invite = join->token.invite,
                                 .proof = proof,
                                 .node_request = view(&join->node_request),
                                 .ca_request = view(&join->ca_request),
                                 .address = join->config.listen};
    return ERR_OK;
}

static enum err make(void *ctx, struct store *store, struct errmsg *msg)
{
    const struct join *join = ctx;
    struct hash key = pki_key_public(join->home->node_key);
    return node_make_child(store, join->joined, &key, msg);
}

/* Chains first: they must fit the keys and lead to the root that the token names. */
static enum err check_chains(const struct join *join, const struct msg_joined *joined,
                             struct errmsg *msg)
{
    struct hash root;
    struct hash key;
    struct hash want = pki_key_public(join->home->node_key);
    TRY(pki_chain_root(joined->node_chain, &root, NULL, msg));
    TRY(pki_chain_key(joined->node_chain, &key, msg));
    if (!hash_equal(&root, &join->token.root) || !hash_equal(&key, &want)) {
        return err_fail(msg, ERR_PROTOCOL, "the parent sent certificates that are not this node's");
    }
    TRY(pki_chain_root(joined->ca_chain, &root, NULL, msg));
    TRY(pki_chain_key(joined->ca_chain, &key, msg));
    want = pki_key_public(join->home->ca_key);
    if (!hash_equal(&root, &join->token.root) || !hash_equal(&key, &want)) {
        return err_fail(msg, ERR_PROTOCOL, "the parent sent certificates that are not this node's");
    }
    return id_equal(&joined->tree, &join->token.tree)
               ? ERR_OK
               : err_fail(msg, ERR_PROTOCOL, "the parent belongs to another tree");
}

static enum err take_answer(void *ctx, const struct msg_joined *joined, struct errmsg *msg)
{
    struct join *join = ctx;
    struct home *home = join->home;
    TRY(check_chains(join, joined, msg));
    buf_put(&home->node_chain, joined->node_chain.data, joined->node_chain.len);
    buf_put(&home->ca_chain, joined->ca_chain.data, joined->ca_chain.len);
    if (home->node_chain.failed || home->ca_chain.failed) {
        return err_fail(msg, ERR_LIMIT, "the parent's chain of certificates is too long");
    }
    TRY(home_save(home, &joined->tree, &join->config, msg));
    join->joined = joined;
    (void)snprintf(join->unit, sizeof join->unit, "%s", joined->unit);
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
    TRY(home_claim(join->home, options[DATA].value, msg));
    TRY(home_make_keys(join->home, msg));
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
    buf_init(&join.node_request, PKI_FILE_MAX_BYTES);
    buf_init(&join.ca_request, PKI_FILE_MAX_BYTES);
    enum err err = command_options(argc, argv, options, OPTION_COUNT, &word, &msg);
    err = err == ERR_OK ? run(&join, options, word, &msg) : err;
    buf_deinit(&join.node_request);
    buf_deinit(&join.ca_request);
    home_deinit(&home);
    if (err != ERR_OK) {
        return command_fail(err, &msg);
    }
    (void)fprintf(stderr, "The node of unit %s is made. Start it: tallyd run --data %s\n",
                  join.unit, options[DATA].value);
    return STATUS_DONE;
}

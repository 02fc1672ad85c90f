/* tallyd init: the root node of a new tree. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/sha256.h"
#include "base/text.h"
#include "daemon/aside.h"
#include "daemon/commands.h"
#include "daemon/home.h"
#include "proto/address.h"

enum { DATA, UNIT, NAME, LEVEL, LISTEN, CATALOG, OPTION_COUNT };

struct init {
    const struct command_option *options;
    struct home *home;
    struct arena arena;
    struct catalogue catalogue;
    struct config_node config;
    struct id tree;
    struct id node;
};

static enum err check_options(const struct command_option *options, struct errmsg *msg)
{
    char host[ADDRESS_MAX_BYTES + 1];
    int port;
    for (int i = 0; i < CATALOG; i++) {
        if (options[i].value == NULL) {
            return err_fail(msg, ERR_USAGE,
                            "--%s is missing; `tallyd init --help` shows an example",
                            options[i].name);
        }
    }
    if (!text_is_code(options[UNIT].value, CODE_MAX_BYTES) ||
        !text_is_code(options[LEVEL].value, CODE_MAX_BYTES)) {
        return err_fail(msg, ERR_USAGE,
                        "--unit and --level want codes: 1 to %d bytes without spaces, quotes, "
                        "commas, slashes or \"=\"",
                        CODE_MAX_BYTES);
    }
    size_t name_len = strlen(options[NAME].value);
    if (name_len == 0 || name_len > NAME_MAX_BYTES ||
        !text_is_clean(options[NAME].value, name_len, false)) {
        return err_fail(msg, ERR_USAGE, "--name wants 1 to %d bytes of text in UTF-8",
                        NAME_MAX_BYTES);
    }
    return address_parse(options[LISTEN].value, host, &port, msg);
}

static enum err load_catalogue(struct init *init, struct errmsg *msg)
{
    const char *path = init->options[CATALOG].value;
    const char *level = init->options[LEVEL].value;
    if (path == NULL) {
        return ERR_OK;
    }
    enum err err = config_catalogue_load(path, &init->arena, &init->catalogue, msg);
    TRY(err == ERR_NOT_FOUND || err == ERR_IO ? ERR_USAGE : err);
    if (catalogue_level(&init->catalogue, level) < 0) {
        return err_fail(msg, ERR_REFUSED,
                        "the catalogue %.200s has no level \"%s\"; its levels are those of the "
                        "tree, from the top",
                        path, level);
    }
    return ERR_OK;
}

static enum err certify(struct init *init, struct errmsg *msg)
{
    struct home *home = init->home;
    struct wall now = clock_read().wall;
    TRY(pki_root_certificate(home->ca_key, &init->tree, now, &home->ca_chain, msg));
    struct pki_subject subject = {.role = PKI_NODE,
                                  .tree = init->tree,
                                  .node = init->node,
                                  .key = pki_key_public(home->node_key)};
    return pki_issue(home->ca_key, buf_bytes(&home->ca_chain), &subject, now, &home->node_chain,
                     msg);
}

static enum err make(void *ctx, struct store *store, struct errmsg *msg)
{
    struct init *init = ctx;
    const struct command_option *options = init->options;
    struct node_root root = {.unit = options[UNIT].value,
                             .name = options[NAME].value,
                             .level = options[LEVEL].value,
                             .tree = init->tree,
                             .node = init->node,
                             .origin = random_id(),
                             .key = pki_key_public(init->home->node_key),
                             .catalogue = options[CATALOG].value == NULL ? NULL : &init->catalogue,
                             .env = home_env(init->home),
                             .now = clock_read(),
                             .author = "init"};
    TRY(node_make_root(store, &root, msg));
    return aside_keep_first(init->home, store, msg);
}

static enum err run(struct init *init, struct errmsg *msg)
{
    const struct command_option *options = init->options;
    TRY(check_options(options, msg));
    TRY(load_catalogue(init, msg));
    TRY(home_claim(init->home, options[DATA].value, msg));
    TRY(home_make_keys(init->home, msg));
    init->tree = random_id();
    init->node = random_id();
    init->config.log_level = LOG_LEVEL_INFO;
    (void)snprintf(init->config.listen, sizeof init->config.listen, "%s", options[LISTEN].value);
    TRY(certify(init, msg));
    TRY(home_save(init->home, &init->tree, &init->config, msg));
    return home_make_database(init->home, make, init, msg);
}

int cmd_init(int argc, char **argv)
{
    struct command_option options[OPTION_COUNT] = {
        [DATA] = {.name = "data"},     [UNIT] = {.name = "unit"},
        [NAME] = {.name = "name"},     [LEVEL] = {.name = "level"},
        [LISTEN] = {.name = "listen"}, [CATALOG] = {.name = "catalog"}};
    struct errmsg msg = {{0}};
    struct home home;
    struct init init = {.options = options, .home = &home};
    home_init(&home);
    arena_init(&init.arena, DECODE_ARENA_MAX_BYTES);
    enum err err = command_options(argc, argv, options, OPTION_COUNT, NULL, &msg);
    err = err == ERR_OK ? run(&init, &msg) : err;
    arena_reset(&init.arena);
    home_deinit(&home);
    if (err != ERR_OK) {
        return command_fail(err, &msg);
    }
    (void)fprintf(stderr, "The root node of unit %s is made. Start it: tallyd run --data %s\n",
                  options[UNIT].value, options[DATA].value);
    return STATUS_DONE;
}

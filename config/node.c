/* The node's own file, tally.yaml in its data directory. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "config/config.h"
#include "config/load.h"
#include "proto/address.h"

enum { NODE_TEXT_MAX_BYTES = 8192 };

struct file_node {
    char *listen;
    char **addresses;
    uint32_t addresses_count;
    int32_t log_level; /* one higher than its enum; 0 is "not given" */
};

#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)

static const cyaml_strval_t LEVELS[] = {{"debug", LOG_LEVEL_DEBUG + 1},
                                        {"info", LOG_LEVEL_INFO + 1},
                                        {"warn", LOG_LEVEL_WARN + 1},
                                        {"error", LOG_LEVEL_ERROR + 1}};

static const cyaml_schema_value_t ADDRESS = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, ADDRESS_MAX_BYTES)};

static const cyaml_schema_field_t FIELDS[] = {
    CYAML_FIELD_STRING_PTR("listen", OPTIONAL, struct file_node, listen, 0, ADDRESS_MAX_BYTES),
    CYAML_FIELD_SEQUENCE("addresses", OPTIONAL, struct file_node, addresses, &ADDRESS, 0,
                         ADDRESSES_MAX),
    CYAML_FIELD_ENUM("log_level", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct file_node,
                     log_level, LEVELS, sizeof LEVELS / sizeof *LEVELS),
    CYAML_FIELD_END};

static const cyaml_schema_value_t NODE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file_node, FIELDS)};

/* ---- reading ---- */

static enum err take_address(const struct load_file *file, int32_t node, const char *text,
                             char out[ADDRESS_MAX_BYTES + 1], struct errmsg *msg)
{
    char host[ADDRESS_MAX_BYTES + 1];
    int port;
    struct errmsg reason = {""};
    if (address_parse(text, host, &port, &reason) != ERR_OK) {
        return load_fail(file, node, msg, "%s", reason.text);
    }
    (void)snprintf(out, ADDRESS_MAX_BYTES + 1, "%s", text);
    return ERR_OK;
}

/* On every address of this machine: none of which is known to be one that others reach. */
static bool listens_everywhere(const char *listen)
{
    char host[ADDRESS_MAX_BYTES + 1];
    int port;
    return address_parse(listen, host, &port, NULL) == ERR_OK &&
           (strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0 || strcmp(host, "*") == 0);
}

static enum err take_all(const struct load_file *file, const struct file_node *from,
                         struct config_node *to, struct errmsg *msg)
{
    to->log_level = from->log_level == 0 ? LOG_LEVEL_INFO : (enum log_level)(from->log_level - 1);
    if (from->listen != NULL && from->listen[0] != '\0') {
        int32_t node = outline_value(&file->outline, 0, "listen");
        TRY(take_address(file, node, from->listen, to->listen, msg));
    }
    for (size_t i = 0; i < from->addresses_count; i++) {
        int32_t node = load_node(file, "addresses", i, NULL);
        TRY(take_address(file, node, from->addresses[i], to->addresses[i], msg));
    }
    to->address_count = from->addresses_count;
    if (to->address_count == 0 && to->listen[0] != '\0' && !listens_everywhere(to->listen)) {
        memcpy(to->addresses[0], to->listen, sizeof to->listen);
        to->address_count = 1;
    }
    return ERR_OK;
}

enum err config_node_load(const char *path, struct config_node *out, struct errmsg *msg)
{
    struct load_file file;
    struct config_node config = {.log_level = LOG_LEVEL_INFO};
    TRY(load_open(path, &NODE, &file, msg));
    enum err err = take_all(&file, file.data, &config, msg);
    load_close(&file);
    if (err == ERR_OK) {
        *out = config;
    }
    return err;
}

/* ---- writing ---- */

static void put(struct buf *out, const char *text)
{
    buf_put(out, text, strlen(text));
}

/* In double quotes, as YAML reads them. */
static void put_quoted(struct buf *out, const char *text)
{
    put(out, "\"");
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            put(out, "\\");
        }
        buf_put(out, at, 1);
    }
    put(out, "\"");
}

static void write_text(const struct config_node *config, struct buf *out)
{
    put(out, "# The configuration of this Tally node. After a change: reload tallyd (SIGHUP), or\n"
             "# restart it when `listen` changed.\n"
             "\n"
             "# Where it listens for its children and for `tally --node`, HOST:PORT. Without this\n"
             "# line only the socket in this directory is served.\n");
    if (config->listen[0] == '\0') {
        put(out, "# listen: \"0.0.0.0:7800\"\n");
    } else {
        put(out, "listen: ");
        put_quoted(out, config->listen);
        put(out, "\n");
    }
    put(out,
        "\n# How children reach it, in the order in which they try; `tally invite` puts these\n"
        "# into its tokens. Without this list: what `listen` says, unless that is 0.0.0.0.\n");
    if (config->address_count == 0) {
        put(out, "# addresses: [\"tally.example.org:7800\"]\n");
    } else {
        put(out, "addresses:\n");
    }
    for (size_t i = 0; i < config->address_count; i++) {
        put(out, "  - ");
        put_quoted(out, config->addresses[i]);
        put(out, "\n");
    }
    put(out, "\n# What it logs: debug, info, warn or error.\nlog_level: ");
    put(out, LEVELS[config->log_level].str);
    put(out, "\n");
}

enum err config_node_save(const char *path, const struct config_node *config, struct errmsg *msg)
{
    struct buf text;
    buf_init(&text, NODE_TEXT_MAX_BYTES);
    write_text(config, &text);
    enum err err = text.failed ? err_fail(msg, ERR_NO_MEMORY, "%s: out of memory", path)
                               : file_write(path, buf_bytes(&text), 0644, msg);
    buf_deinit(&text);
    return err;
}

/* Configuration and catalogue files: YAML into plain structs, with line and column in errors. Knows
 * the files' form, not what a catalogue may change. */
#ifndef TALLY_CONFIG_H
#define TALLY_CONFIG_H

#include "base/arena.h"
#include "base/log.h"
#include "proto/catalogue.h"

enum { CONFIG_FILE_MAX_BYTES = 4 << 20 };

/* Name of the node's configuration in its data directory. */
#define CONFIG_NODE_FILE "tally.yaml"

/* The node's configuration. */
struct config_node {
    char listen[ADDRESS_MAX_BYTES + 1]; /* "host:port"; empty: does not listen on TCP */
    char addresses[ADDRESSES_MAX]
                  [ADDRESS_MAX_BYTES + 1]; /* how children reach it; default: listen */
    size_t address_count;
    enum log_level log_level;
};

/* Reads a catalogue (catalog.yaml) into the arena and checks it with catalogue_check. ERR_INVALID
 * with "FILE:LINE:COLUMN: reason" for form, ERR_NOT_FOUND or ERR_IO when it cannot be read. `name`
 * is used in messages. */
enum err config_catalogue_load(const char *path, struct arena *arena, struct catalogue *out,
                               struct errmsg *msg) MUST_CHECK;

/* Where in the file stands what a node has refused: puts "FILE:LINE:COLUMN: " in front of the
 * sentence when an element of a list has all that the sentence quotes ("..."). */
void config_catalogue_place(const char *path, struct errmsg *sentence);

/* Reads tally.yaml of a data directory; the same errors. */
enum err config_node_load(const char *path, struct config_node *out, struct errmsg *msg) MUST_CHECK;

/* Writes a commented tally.yaml; used by init and join. Durable and atomic. */
enum err config_node_save(const char *path, const struct config_node *config, struct errmsg *msg)
    MUST_CHECK;

#endif

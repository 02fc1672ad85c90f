/* Where everything stands in a YAML file: its values as a tree with line and column, taken from
 * libyaml's events. It knows nothing of what a file may say; load.h asks it where to point. It
 * refuses what our files do without: aliases, a second document, keys that are no words, control
 * characters, and sizes beyond its limits. Single-threaded. */
#ifndef TALLY_CONFIG_OUTLINE_H
#define TALLY_CONFIG_OUTLINE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "base/err.h"

enum {
    OUTLINE_NODES_MAX = 400000,
    OUTLINE_DEPTH_MAX = 16,
    OUTLINE_NONE = -1,
};

enum outline_kind { OUTLINE_SCALAR, OUTLINE_SEQUENCE, OUTLINE_MAPPING };

/* The children of a mapping are its keys and their values in turn. */
struct outline_node {
    enum outline_kind kind;
    uint32_t line; /* from 1 */
    uint32_t column;
    int32_t first;    /* child */
    int32_t next;     /* sibling */
    int32_t end;      /* the first node that is not below this one */
    const char *text; /* of a scalar */
};

struct outline {
    struct outline_node *nodes; /* the root first */
    int32_t count;
    int32_t cap;
};

/* Reads a text; `out` is given back with outline_deinit, its texts belong to the arena. `name`
 * comes first in the sentence: ERR_INVALID with "NAME:LINE:COLUMN: reason", ERR_NO_MEMORY. */
enum err outline_init(struct outline *out, const char *name, struct bytes text, struct arena *arena,
                      struct errmsg *msg) MUST_CHECK;
void outline_deinit(struct outline *outline);

/* The key `key` of a mapping, its first or (`again`) its second one, and the value of a key.
 * OUTLINE_NONE when there is none; asking about OUTLINE_NONE yields OUTLINE_NONE. */
int32_t outline_key(const struct outline *outline, int32_t mapping, const char *key, bool again);
int32_t outline_value(const struct outline *outline, int32_t mapping, const char *key);

/* Element `index` (from 0) of a sequence. */
int32_t outline_item(const struct outline *outline, int32_t sequence, size_t index);

/* The first scalar at or below `node` with that text. */
int32_t outline_find(const struct outline *outline, int32_t node, const char *text);

#endif

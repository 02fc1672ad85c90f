/* What a node knows of the tree and the catalogue, in memory, read from a store: units with their
 * edges and hosting, the catalogue with the symbol of every measure. The node has one that it keeps
 * up to date; every query reader has its own, loaded again when the store says that something
 * changed. */
#ifndef TALLY_NODE_VIEW_H
#define TALLY_NODE_VIEW_H

#include "base/map.h"
#include "proto/message.h"
#include "store/store.h"

enum { TREE_NONE = -1, TREE_DEPTH_MAX = ANCESTORS_MAX, UNITS_MAX = 200000 };

struct unit {
    int64_t id; /* symbol of the code */
    const char *code;
    const char *name;
    const char *level;
    const struct unit_edge *edges;
    size_t edge_count;
    int parent;     /* place in the tree, or TREE_NONE */
    int twin;       /* another unit whose code has the same hash, or TREE_NONE */
    bool hosting;   /* has a node of its own */
    int64_t number; /* its hosting number, when it has one */
    struct id node;
    struct id origin;
};

struct tree {
    struct map by_id;   /* symbol -> place */
    struct map by_code; /* 64-bit hash of the code -> the first of its twins */
    struct map awaited; /* of codes that units name as their parent and that were not there */
    bool awaits_more;   /* for want of memory not all of them are in that map */
    struct unit *units;
    size_t count;
    size_t cap;
    struct arena arena;
};

struct view {
    struct store *store;
    struct tree tree;
    int self; /* the node's own unit */
    int64_t tree_version;
    struct catalogue catalogue;
    struct arena catalogue_arena;
    int64_t *measure_ids;     /* symbols, in the catalogue's order */
    struct map measure_by_id; /* symbol -> place in catalogue.measures */
};

void view_init(struct view *view, struct store *store);
void view_deinit(struct view *view);

/* Loads what has changed since the last load. */
enum err view_load(struct view *view, struct errmsg *msg) MUST_CHECK;

/* Takes a catalogue's canonical bytes as the current one. */
enum err view_set_catalogue(struct view *view, uint64_t version, struct bytes content,
                            struct errmsg *msg) MUST_CHECK;

/* Puts a unit or its hosting into the tree. ERR_LIMIT, ERR_NO_MEMORY. */
enum err view_put_unit(struct view *view, const struct store_unit *row, const char *code)
    MUST_CHECK;
void view_put_hosting(struct view *view, const struct store_hosting *row);

/* Places, or TREE_NONE. */
int view_unit(const struct view *view, int64_t id);
int view_unit_by_code(const struct view *view, const char *code);

/* Whether `unit` is `top` or lies below it. */
bool view_within(const struct view *view, int unit, int top);
/* The highest number that a stock of this unit can stand under: whoever hosts it has it, or did. */
int64_t view_hosting_bound(const struct view *view, int unit);

/* The unit whose node hosts `unit`: the nearest at or above it that has a node, else TREE_NONE. */
int view_host(const struct view *view, int unit);

/* The edge in force on that day; NULL when there is none. */
const struct unit_edge *view_edge_on(const struct unit *unit, int32_t day);

/* Whether the unit is open on that day. */
bool view_open(const struct unit *unit, int32_t day);
/* Whether it is open on any of these days. */
bool view_open_within(const struct unit *unit, int32_t first, int32_t last);

/* Edges as canonical bytes, and back. */
void edges_encode(const struct unit_edge *edges, size_t count, struct buf *out);
enum err edges_decode(struct bytes bytes, struct arena *arena, const struct unit_edge **out,
                      size_t *count) MUST_CHECK;

const struct measure *view_measure(const struct view *view, int64_t id);

/* ERR_REFUSED with the sentence about a code that is no unit's, and the nearest ones. */
enum err view_unknown_unit(const struct view *view, const char *code, struct errmsg *msg)
    MUST_CHECK;

#endif

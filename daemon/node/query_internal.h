/* Inside the queries: one reader's state while it answers one request. */
#ifndef TALLY_NODE_QUERY_INTERNAL_H
#define TALLY_NODE_QUERY_INTERNAL_H

#include "base/text.h"
#include "node/internal.h"

enum { QUERY_ALARMS_MAX = 200 };

/* How a node of the tree stands with its parent. */
struct unit_state {
    enum link_state state;
    struct wall exact_as_of;
    int64_t held;
    int64_t lost;
};

struct query {
    struct store *store;
    struct view view;
    struct arena arena;
    struct texts texts;
    int64_t own_origin;
    const struct msg_request *request;
    struct now now;
    query_sink_fn sink;
    void *sink_ctx;
    bool behind;
    bool stopped;
    enum err unread;           /* a text could not be read: nothing more is answered but this */
    struct unit_state *states; /* by place in the tree */
};

bool query_send(struct query *q, struct message *reply, bool more);
/* "?" for one that is not there; when it cannot be read the whole answer is an error. */
const char *query_symbol(struct query *q, int64_t id);
enum err query_find_unit(struct query *q, const char *code, int *unit, struct errmsg *msg)
    MUST_CHECK;
/* ERR_REFUSED, with the nearest ones, when it is neither a measure nor an indicator. */
enum err query_find_measure(const struct query *q, const char *code, struct errmsg *msg) MUST_CHECK;
enum err query_statuses(struct query *q) MUST_CHECK;
/* Whether every link from that unit's node up to here is exact; as_of is the oldest on the way. */
bool query_exact(const struct query *q, int unit, struct wall *as_of);
enum err query_total(struct query *q, struct errmsg *msg) MUST_CHECK;
enum err query_missing(struct query *q, struct errmsg *msg) MUST_CHECK;
enum err query_log(struct query *q, struct errmsg *msg) MUST_CHECK;

#endif

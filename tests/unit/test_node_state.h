/* layer: node store codec */
/* What a node says of itself: alarms, verify, status, and whether two files agree on an origin. */
#ifndef TALLY_TEST_NODE_STATE_H
#define TALLY_TEST_NODE_STATE_H

#include "test_node_tree.h"

/* ---- verify ---- */

struct state_verify {
    bool ok;
    int64_t faults;
    int64_t totals; /* examined */
    char first[TEXT_MAX_BYTES];
};

static inline bool state_keep_verify(void *ctx, const struct message *message)
{
    struct state_verify *out = ctx;
    const struct rep_verify *verify = &message->u.reply.u.verify;
    if (message->u.reply.err != ERR_OK) {
        (void)snprintf(out->first, sizeof out->first, "%s", message->u.reply.text);
        return true;
    }
    out->ok = verify->ok;
    out->faults = verify->fault_total;
    out->totals = verify->checked[0].examined;
    if (verify->fault_count > 0) {
        (void)snprintf(out->first, sizeof out->first, "%s", verify->faults[0]);
    }
    return true;
}

static inline struct state_verify state_verify(struct world_node *n)
{
    struct state_verify out = {.ok = false};
    struct msg_request request = {.type = REQUEST_VERIFY};
    tree_query(n, &request, state_keep_verify, &out);
    return out;
}

/* ---- alarms ---- */

struct state_alarm {
    bool there;
    bool mended;
    char text[TEXT_MAX_BYTES];
};

/* The first alarm of that code ("": of any). */
static inline struct state_alarm state_alarm(struct world_node *n, const char *code)
{
    static struct store_alarm rows[ALARMS_MAX];
    struct state_alarm out = {.there = false};
    struct arena arena;
    size_t count;
    arena_init(&arena, 1 << 20);
    assert_int_equal(store_alarms(n->store, &arena, rows, ALARMS_MAX, &count), ERR_OK);
    for (size_t i = 0; i < count && !out.there; i++) {
        if (code[0] == '\0' || strcmp(rows[i].code, code) == 0) {
            out.there = true;
            out.mended = rows[i].mended;
            (void)snprintf(out.text, sizeof out.text, "%s", rows[i].text);
        }
    }
    arena_reset(&arena);
    return out;
}

/* ---- status ---- */

struct state_child {
    bool there;
    enum link_state state;
    int64_t exact_as_of;
    int64_t held;
    char text[TEXT_MAX_BYTES];
};

struct state_status {
    const char *child; /* whose state is wanted */
    struct state_child of_child;
    enum uplink_state uplink;
    char uplink_text[TEXT_MAX_BYTES];
    int64_t pending;
    int64_t unescrowed;
    int64_t held;
    int64_t exact_as_of;
    int64_t ledger;
};

static inline bool state_keep_status(void *ctx, const struct message *message)
{
    struct state_status *out = ctx;
    const struct rep_status *status = &message->u.reply.u.status;
    assert_int_equal(message->u.reply.err, ERR_OK);
    out->uplink = status->uplink;
    out->pending = status->pending_rows;
    out->unescrowed = status->unescrowed_entries;
    out->held = status->held;
    out->exact_as_of = status->exact_as_of.ms;
    out->ledger = status->ledger_entries;
    (void)snprintf(out->uplink_text, sizeof out->uplink_text, "%s", status->uplink_text);
    for (size_t i = 0; i < status->child_count; i++) {
        const struct child_status *child = &status->children[i];
        if (strcmp(child->unit, out->child) == 0) {
            out->of_child =
                (struct state_child){true, child->state, child->exact_as_of.ms, child->held, ""};
            (void)snprintf(out->of_child.text, sizeof out->of_child.text, "%s", child->text);
        }
    }
    return true;
}

static inline struct state_status state_status(struct world_node *n, const char *child)
{
    struct state_status out = {.child = child};
    struct msg_request request = {.type = REQUEST_STATUS};
    tree_query(n, &request, state_keep_status, &out);
    return out;
}

static inline enum link_state state_of_child(struct world_node *n, const char *child)
{
    struct state_status status = state_status(n, child);
    assert_true(status.of_child.there);
    return status.of_child.state;
}

/* ---- behind the back of a node ---- */

static inline void state_change(struct world_node *n, const char *sql)
{
    assert_int_equal(sqlite3_exec(n->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_not_equal(sqlite3_changes(n->store->db), 0);
}

/* The first column of the first row. */
static inline void state_text(struct world_node *n, const char *sql, char *out, size_t size)
{
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_prepare_v2(n->store->db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    (void)snprintf(out, size, "%s", (const char *)sqlite3_column_text(stmt, 0));
    (void)sqlite3_finalize(stmt);
}

static inline int64_t state_number(struct world_node *n, const char *sql)
{
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(n->store->db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t value = sqlite3_column_int64(stmt, 0);
    (void)sqlite3_finalize(stmt);
    return value;
}

/* ---- audits ---- */

/* One whole audit, as after every start. */
static inline void state_audit(struct world_node *n)
{
    n->node->audit_due = world.now.mono;
    for (int i = 0; i == 0 || node_wants_tick(n->node); i++) {
        assert_true(i < 100);
        world_begin(n);
        node_on_tick(n->node);
        assert_int_equal(world_commit(n), ERR_OK);
    }
}

/* ---- origins ---- */

/* The origin of `of` as `at` has it. */
static inline struct store_origin state_origin(struct world_node *at, const struct world_node *of)
{
    struct store_origin out = {.id = 0};
    enum err err = store_origin_find(at->store, &of->origin, &out);
    assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
    return out;
}

/* Entries of that origin that are facts, refused counts, and counts of cells, at `at`. */
struct state_counts {
    int64_t facts;
    int64_t refused;
    int64_t cells;
};

static inline struct state_counts state_counts(struct world_node *at, const struct world_node *of)
{
    struct state_counts out = {.facts = 0};
    struct store_origin origin = state_origin(at, of);
    int64_t rows;
    struct id hashes;
    if (origin.id != 0) {
        assert_int_equal(store_ledger_facts(at->store, origin.id, &out.facts), ERR_OK);
        assert_int_equal(store_refused_sum(at->store, origin.id, &rows, &out.refused, &hashes),
                         ERR_OK);
        out.cells = origin.cell_count;
    }
    return out;
}

#endif

/* layer: node store codec */
/* A child made of messages: it says to a real parent exactly what a test wants said, sound or not.
 * Its node was joined as usual, and is not running. */
#ifndef TALLY_TEST_NODE_FAKE_H
#define TALLY_TEST_NODE_FAKE_H

#include "test_node_state.h"

enum { FAKE_ROWS = 256 };

struct fake_child {
    struct world_node *parent;
    struct world_node *self;
    uint64_t link;
    struct id node;
    struct id origin;
    struct id session;
    struct id tree;
    struct head head; /* of its one segment */
    struct opening opening;
    struct buf scratch;
    int64_t revision;
    uint64_t number; /* of the last batch on this link */
    /* of the batch being made */
    struct entry entries[FAKE_ROWS];
    size_t entry_count;
    struct cell cells[FAKE_ROWS];
    size_t cell_count;
    struct origin_heads heads[4];
    size_t head_count;
    struct opening openings[4];
    size_t opening_count;
    struct digest digests[4];
    size_t digest_count;
    /* what came back last */
    bool acked;
    bool closed;
    bool refused;
    enum refusal_code refusal;
    int64_t refused_rows;
    enum refuse_reason reason;
    size_t unequal;
    int64_t held;
    struct feed_mark have; /* of the welcome */
    struct head escrow;    /* of the welcome */
};

static inline void fake_effects(struct fake_child *f)
{
    f->acked = f->closed = f->refused = false;
    for (const struct effect *e = node_effect(f->parent->node); e != NULL;
         e = node_effect(f->parent->node)) {
        if (e->link != f->link) {
            continue;
        }
        f->closed = f->closed || e->type == EFFECT_CLOSE;
        const struct message *m = e->type == EFFECT_SEND ? e->message : NULL;
        if (m != NULL && m->type == MESSAGE_ACK) {
            f->acked = true;
            f->refused_rows = m->u.ack.refused_total;
            f->reason = m->u.ack.refused_count > 0 ? m->u.ack.refused[0].reason : 0;
            f->unequal = m->u.ack.unequal_count;
            f->held = m->u.ack.held;
        } else if (m != NULL && m->type == MESSAGE_REFUSE) {
            f->refused = true;
            f->refusal = m->u.refuse.code;
        } else if (m != NULL && m->type == MESSAGE_WELCOME) {
            f->have = m->u.welcome.have;
            f->escrow =
                m->u.welcome.escrow_count > 0 ? m->u.welcome.escrow[0] : (struct head){.length = 0};
        }
    }
}

static inline enum err fake_say(struct fake_child *f, const struct message *message)
{
    world_begin(f->parent);
    node_on_message(f->parent->node, f->link, message);
    enum err err = node_commit(f->parent->node, NULL);
    fake_effects(f);
    return err;
}

static inline void fake_connect(struct fake_child *f)
{
    struct message hello = {.type = MESSAGE_HELLO,
                            .u.hello = {.protocol_min = 1,
                                        .protocol_max = 1,
                                        .software = "",
                                        .tree = f->tree,
                                        .node = f->node,
                                        .origin = f->origin,
                                        .sessions = &(struct feed_mark){f->session, INT64_MAX},
                                        .session_count = 1,
                                        .heads = &f->head,
                                        .head_count = 1}};
    f->link += 1;
    f->number = 0;
    world_begin(f->parent);
    node_on_downlink(
        f->parent->node, f->link,
        &(struct node_peer){.node = f->node, .key = f->self->key, .address = f->self->unit});
    assert_int_equal(node_commit(f->parent->node, NULL), ERR_OK);
    assert_int_equal(fake_say(f, &hello), ERR_OK);
}

static inline void fake_down(struct fake_child *f)
{
    world_begin(f->parent);
    node_on_link_down(f->parent->node, f->link, "cut");
    assert_int_equal(node_commit(f->parent->node, NULL), ERR_OK);
    fake_effects(f);
}

/* Joins a unit and takes its node's place. */
static inline void fake_begin(struct fake_child *f, struct world_node *parent, const char *unit,
                              const char *level)
{
    memset(f, 0, sizeof *f);
    f->parent = parent;
    f->self = tree_child(parent, unit, level);
    f->node = node_identity(f->self->node)->node;
    f->tree = node_identity(f->self->node)->tree;
    f->origin = f->self->node->origin;
    tree_close(f->self);
    world_fill(NULL, f->session.b, ID_BYTES);
    world_fill(NULL, f->head.segment.b, ID_BYTES);
    buf_init(&f->scratch, 1 << 16);
    f->opening = (struct opening){.origin = f->origin, .segment = f->head.segment};
    f->head.hash = opening_hash(&f->opening, &f->scratch);
    f->link = 5000 + world_below(1000) * 100;
    fake_connect(f);
    f->openings[0] = f->opening;
    f->opening_count = 1;
}

static inline void fake_end(struct fake_child *f)
{
    buf_deinit(&f->scratch);
}

/* A next entry of the chain into the batch. */
static inline struct entry *fake_entry(struct fake_child *f, const char *unit, const char *measure)
{
    struct entry *entry = &f->entries[f->entry_count++];
    *entry = (struct entry){.segment = f->head.segment,
                            .seq = ++f->head.length,
                            .kind = ENTRY_RECORD,
                            .unit = unit,
                            .measure = measure,
                            .category = "",
                            .day = day_from_civil(2025, 2, 3),
                            .value = 1,
                            .key = "",
                            .note = "",
                            .author = "a",
                            .recorded_at = world.now.wall};
    f->head.hash = entry_hash(&f->head.hash, entry, &f->scratch);
    return entry;
}

/* A cell of the child's own origin, of February 2025. */
static inline struct cell *fake_cell(struct fake_child *f, const char *unit, const char *measure,
                                     int64_t count, int64_t value)
{
    struct cell *cell = &f->cells[f->cell_count++];
    *cell = (struct cell){.origin = f->origin,
                          .unit = unit,
                          .measure = measure,
                          .category = "",
                          .period = 2025 * 12 + 1,
                          .value = value,
                          .count = count,
                          .live = count};
    return cell;
}

static inline void fake_state_heads(struct fake_child *f)
{
    f->heads[f->head_count++] =
        (struct origin_heads){.origin = f->origin, .heads = &f->head, .head_count = 1};
}

/* Sends what was put together, and begins anew; a mark without digests unless some were put. */
static inline enum err fake_send(struct fake_child *f, bool mark)
{
    struct message message = {.type = MESSAGE_BATCH,
                              .u.batch = {.number = ++f->number,
                                          .upto = {f->session, ++f->revision},
                                          .openings = f->openings,
                                          .opening_count = f->opening_count,
                                          .entries = f->entries,
                                          .entry_count = f->entry_count,
                                          .heads = f->heads,
                                          .heads_count = f->head_count,
                                          .cells = f->cells,
                                          .cell_count = f->cell_count,
                                          .mark = mark,
                                          .digests = f->digests,
                                          .digest_count = f->digest_count}};
    enum err err = fake_say(f, &message);
    f->entry_count = f->cell_count = f->head_count = f->opening_count = f->digest_count = 0;
    return err;
}

/* `count` entries about the unit, and the heads that they reach. */
static inline void fake_ledger(struct fake_child *f, const char *unit, int count)
{
    for (int i = 0; i < count; i++) {
        (void)fake_entry(f, unit, "raised");
    }
    fake_state_heads(f);
}

/* The digest that these cells make. */
static inline struct digest fake_digest(struct fake_child *f, const struct cell *cells, size_t n)
{
    struct digest out = {.origin = n > 0 ? cells[0].origin : f->origin};
    for (size_t i = 0; i < n; i++) {
        buf_clear(&f->scratch);
        struct id hash = cell_hash(&cells[i], &f->scratch);
        id_sum_add(&out.sum, &hash);
        out.count += cells[i].count;
    }
    return out;
}

#endif

/* layer: node store codec */
/* Bundles in tests: the messages of one, as the codec makes bytes of them, with who wrote it and
 * for whom. Sealing is not part of it: a bundle for another node is not read here. */
#ifndef TALLY_TEST_NODE_PAPER_H
#define TALLY_TEST_NODE_PAPER_H

#include "test_node_state.h"

struct paper {
    struct frame *frames;
    struct frame **end;
    struct codec *codec;
    struct hash to;
    struct hash from;
    struct id node; /* that wrote it */
    size_t count;
    struct rep_bundle said; /* of the writing */
};

static struct paper *paper_open; /* the one that is being written */

static inline void paper_free(struct paper *paper)
{
    while (paper->frames != NULL) {
        struct frame *next = paper->frames->next;
        free(paper->frames);
        paper->frames = next;
    }
    codec_free(paper->codec);
    *paper = (struct paper){.frames = NULL};
}

static inline void paper_put(struct world_node *n, const struct effect *effect)
{
    struct paper *paper = paper_open;
    struct errmsg msg = {{0}};
    struct buf wire;
    assert_non_null(paper);
    buf_init(&wire, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    assert_int_equal(codec_encode(paper->codec, effect->message, &wire, &msg), ERR_OK);
    struct frame *frame = malloc(sizeof *frame + wire.len);
    assert_non_null(frame);
    frame->next = NULL;
    frame->len = wire.len;
    memcpy(frame->data, wire.data, wire.len);
    buf_deinit(&wire);
    *paper->end = frame;
    paper->end = &frame->next;
    paper->to = effect->key;
    paper->from = n->key;
    paper->count++;
}

/* The reply; NULL only when there never is one, which fails the test. `during` is called between
 * two messages. */
static inline const struct world_reply *paper_write(struct world_node *n, const char *to,
                                                    bool whole, struct paper *out,
                                                    void (*during)(void))
{
    struct msg_request request = {.type = REQUEST_BUNDLE_WRITE,
                                  .u.bundle_write = {.unit = to, .whole = whole}};
    *out = (struct paper){.codec = codec_new(true), .node = node_identity(n->node)->node};
    out->end = &out->frames;
    paper_open = out;
    world.on_bundle = paper_put;
    const struct world_reply *reply = world_ask(n, &request);
    for (int i = 0; reply == NULL; i++) {
        assert_true(i < 10000);
        if (during != NULL) {
            during();
        }
        world_begin(n);
        node_on_bundle_next(n->node);
        enum err ignored = world_commit(n);
        (void)ignored;
        reply = world_reply_to(request.id);
    }
    world.on_bundle = NULL;
    paper_open = NULL;
    out->said = reply->bundle;
    return reply;
}

/* Reads the first `most` messages of it; with all of them, its end. `during` is called between two
 * messages, with how many were read. */
static inline const struct world_reply *paper_read_with(struct world_node *n,
                                                        const struct paper *paper, size_t most,
                                                        void (*during)(size_t read))
{
    struct node_client client = {.id = 8, .role = NODE_ROLE_ADMIN, .author = "tester"};
    struct node_bundle_sender sender = {.key = paper->from, .node = paper->node};
    struct codec *codec = codec_new(false);
    uint64_t id = ++world.next_request;
    enum err ignored;
    assert_memory_equal(paper->to.b, n->key.b, HASH_BYTES);
    sender.is_parent = !node_identity(n->node)->is_root &&
                       hash_equal(&paper->from, &node_identity(n->node)->parent_key);
    world_begin(n);
    node_on_bundle_read(n->node, &client, id, &sender);
    ignored = world_commit(n);
    size_t read = 0;
    for (struct frame *frame = paper->frames; frame != NULL && read < most; frame = frame->next) {
        struct arena arena;
        struct message message;
        struct errmsg msg = {{0}};
        struct bytes body = {frame->data + FRAME_HEADER_BYTES, frame->len - FRAME_HEADER_BYTES};
        arena_init(&arena, (size_t)64 << 20);
        assert_int_equal(codec_decode(codec, body, &arena, &message, &msg), ERR_OK);
        world_begin(n);
        node_on_bundle_message(n->node, &message);
        ignored = world_commit(n);
        arena_reset(&arena);
        read++;
        if (during != NULL) {
            during(read);
        }
    }
    world_begin(n);
    if (read < paper->count) {
        node_on_bundle_gone(n->node);
    } else {
        node_on_bundle_end(n->node);
    }
    ignored = world_commit(n);
    (void)ignored;
    codec_free(codec);
    return world_reply_to(id);
}

static inline const struct world_reply *paper_read(struct world_node *n, const struct paper *paper,
                                                   size_t most)
{
    return paper_read_with(n, paper, most, NULL);
}

#endif

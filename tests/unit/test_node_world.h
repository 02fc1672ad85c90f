/* layer: node store codec */
/* Several nodes in one process and the links between them: everything that the node leaves to its
 * surroundings, driven from one seed. Messages pass through the codec, so that what arrives is what
 * a peer would really get. A link may be cut at any time, with what was on its way; a node may be
 * closed and opened again from its file between two batches, which is what a crash leaves. */
#ifndef TALLY_TEST_NODE_WORLD_H
#define TALLY_TEST_NODE_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <unistd.h>

#include <cmocka.h>

#include "base/sha256.h"
#include "codec/codec.h"
#include "node/internal.h"
#include "store/internal.h"

enum { WORLD_NODES = 12, WORLD_LINKS = 64, WORLD_REPLIES = 64, WORLD_PATH_BYTES = 96 };
enum { END_CHILD = 0, END_PARENT = 1 };

struct frame {
    struct frame *next;
    size_t len;
    uint8_t data[];
};

enum end_state { END_NEW, END_UP, END_DOWN_DUE, END_GONE };

struct world_link {
    uint64_t id; /* 0: free */
    struct world_node *end[2];
    struct codec *codec[2];
    struct frame *to[2]; /* on their way to that end, oldest first */
    enum end_state state[2];
    bool hung_up[2]; /* the other end has closed: down after what was sent */
};

struct world_node {
    char unit[CODE_MAX_BYTES + 1];
    char path[WORLD_PATH_BYTES];
    struct hash key;
    struct id origin;
    struct store *store;
    struct node *node;
    struct world_node *parent;
    struct world_link *up;
    int64_t skew_ms;       /* of its wall clock */
    struct hash certified; /* the key in its certificate, which its parent has made; */
    int64_t number;        /* and the number of its hosting there; 0: it has none */
};

struct world_reply {
    uint64_t client;
    uint64_t id;
    enum err err;
    char text[TEXT_MAX_BYTES];
    struct recorded_row row;
    int64_t recorded;
    int64_t known;
    int64_t refused;
    int64_t revision;
    uint64_t version;
    struct rep_bundle bundle; /* without its content */
};

/* Sees every message before it goes on its way; may change it, or return false to lose it. */
struct world_link;
typedef bool (*world_tap_fn)(struct world_link *link, int to, struct message *message);

struct world {
    uint64_t seed;
    uint64_t state;
    char folder[64];
    struct now now;
    struct world_node nodes[WORLD_NODES];
    size_t count;
    struct world_link links[WORLD_LINKS];
    uint64_t next_link;
    uint64_t next_request;
    struct world_reply replies[WORLD_REPLIES];
    size_t reply_count;
    size_t messages; /* sent, pings left out */
    world_tap_fn tap;
    void (*on_bundle)(struct world_node *n, const struct effect *effect);
    bool may_fail; /* a commit may fail; else that fails the test */
    struct world_node *joining;
    char token[TOKEN_MAX_BYTES];
    size_t change_count; /* of the last catalogue that was applied, and the last of its list */
    char last_change[TEXT_MAX_BYTES];
};

static struct world world;

/* ---- chance ---- */

static inline uint64_t world_random(void)
{
    world.state += 0x9e3779b97f4a7c15u;
    uint64_t z = world.state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static inline size_t world_below(size_t n)
{
    return (size_t)(world_random() % n);
}

static inline bool world_chance(size_t percent)
{
    return world_below(100) < percent;
}

static inline void world_fill(void *ctx, void *out, size_t len)
{
    (void)ctx;
    uint8_t *bytes = out;
    for (size_t i = 0; i < len; i++) {
        bytes[i] = (uint8_t)world_random();
    }
}

/* ---- what the node asks of the world ---- */

static inline struct signature world_signature(const struct hash *key, struct bytes data)
{
    struct signature out;
    struct hash half = hmac_sha256(key->b, sizeof key->b, data.data, data.len);
    memcpy(out.b, half.b, HASH_BYTES);
    memcpy(out.b + HASH_BYTES, half.b, HASH_BYTES);
    return out;
}

static inline enum err world_sign(void *ctx, struct bytes data, struct signature *out)
{
    *out = world_signature(&((struct world_node *)ctx)->key, data);
    return ERR_OK;
}

static inline bool world_verify(void *ctx, const struct hash *key, struct bytes data,
                                const struct signature *signature)
{
    (void)ctx;
    struct signature want = world_signature(key, data);
    return memcmp(want.b, signature->b, sizeof want.b) == 0;
}

static inline struct node_env world_env(struct world_node *n)
{
    return (struct node_env){n, world_fill, world_sign, world_verify};
}

/* ---- links ---- */

static inline void world_lose(struct world_link *link, int end)
{
    while (link->to[end] != NULL) {
        struct frame *next = link->to[end]->next;
        free(link->to[end]);
        link->to[end] = next;
    }
}

static inline void world_end_down(struct world_link *link, int end)
{
    world_lose(link, end);
    if (link->state[end] != END_DOWN_DUE) {
        link->state[end] = link->state[end] == END_UP ? END_DOWN_DUE : END_GONE;
    }
    if (link->end[END_CHILD]->up == link && end == END_CHILD) {
        link->end[END_CHILD]->up = NULL;
    }
}

static inline void world_free_link(struct world_link *link)
{
    for (int end = 0; end < 2; end++) {
        world_lose(link, end);
        codec_free(link->codec[end]);
    }
    *link = (struct world_link){.id = 0};
}

/* Cuts the child's link. Half cut, the parent does not hear of it: its end stays open until a newer
 * link takes over or the silence is too long. */
static inline void world_cut(struct world_node *child, bool half)
{
    struct world_link *link = child->up;
    if (link != NULL) {
        world_end_down(link, END_CHILD);
        world_lose(link, END_PARENT);
        if (!half) {
            world_end_down(link, END_PARENT);
        }
    }
}

static inline struct world_link *world_connect(struct world_node *child)
{
    if (child->up != NULL || child->node == NULL || child->parent->node == NULL) {
        return child->up;
    }
    for (size_t i = 0; i < WORLD_LINKS; i++) {
        struct world_link *link = &world.links[i];
        if (link->id == 0) {
            *link = (struct world_link){.id = ++world.next_link,
                                        .end = {child, child->parent},
                                        .codec = {codec_new(true), codec_new(true)}};
            child->up = link;
            return link;
        }
    }
    fail_msg("seed %llu: no room for links", (unsigned long long)world.seed);
    return NULL;
}

static inline void world_send(struct world_link *link, int to, const struct message *message)
{
    struct message copy = *message;
    struct errmsg msg = {{0}};
    struct buf wire;
    if (world.tap != NULL && !world.tap(link, to, &copy)) {
        return;
    }
    buf_init(&wire, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    enum err err = codec_encode(link->codec[1 - to], &copy, &wire, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    struct frame *frame = malloc(sizeof *frame + wire.len);
    assert_non_null(frame);
    frame->next = NULL;
    frame->len = wire.len;
    memcpy(frame->data, wire.data, wire.len);
    buf_deinit(&wire);
    struct frame **at = &link->to[to];
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = frame;
    world.messages += message->type == MESSAGE_PING ? 0 : 1;
}

static inline struct world_link *world_link_of(const struct world_node *n, uint64_t id, int *end)
{
    for (size_t i = 0; i < WORLD_LINKS; i++) {
        struct world_link *link = &world.links[i];
        for (*end = 0; link->id == id && *end < 2; (*end)++) {
            if (link->end[*end] == n) {
                return link;
            }
        }
    }
    return NULL;
}

/* ---- effects ---- */

static inline void world_keep_reply(uint64_t client, const struct msg_reply *reply)
{
    struct world_reply *kept = &world.replies[world.reply_count++ % WORLD_REPLIES];
    *kept = (struct world_reply){.client = client, .id = reply->id, .err = reply->err};
    (void)snprintf(kept->text, sizeof kept->text, "%s", reply->text);
    bool rows = reply->type == REQUEST_RECORD || reply->type == REQUEST_CORRECT ||
                reply->type == REQUEST_UNITS || reply->type == REQUEST_WAIT;
    if (reply->err == ERR_OK && rows) {
        const struct rep_recorded *rep = &reply->u.recorded;
        kept->row = rep->row_count > 0 ? rep->rows[0] : kept->row;
        kept->recorded = rep->recorded;
        kept->known = rep->known;
        kept->refused = rep->refused_total;
        kept->revision = rep->revision;
    } else if (reply->err == ERR_OK &&
               (reply->type == REQUEST_BUNDLE_WRITE || reply->type == REQUEST_BUNDLE_READ)) {
        kept->bundle = reply->u.bundle;
        kept->bundle.unit = "";
    } else if (reply->err == ERR_OK && reply->type == REQUEST_INVITE) {
        (void)snprintf(world.token, sizeof world.token, "%s", reply->u.invite.token);
    } else if (reply->err == ERR_OK && reply->type == REQUEST_APPLY) {
        const struct rep_apply *apply = &reply->u.apply;
        kept->version = apply->version;
        world.change_count = apply->change_count;
        (void)snprintf(world.last_change, sizeof world.last_change, "%s",
                       apply->change_count == 0 ? "" : apply->changes[apply->change_count - 1]);
    }
}

static inline void world_issue(const struct msg_joined *joined)
{
    struct world_node *child = world.joining;
    struct errmsg msg = {{0}};
    struct store *store;
    assert_non_null(child);
    assert_int_equal(store_open(child->path, STORE_CREATE, &store, &msg), ERR_OK);
    assert_int_equal(node_make_child(store, joined, &child->key, &msg), ERR_OK);
    store_close(store);
    child->certified = child->key;
    child->number = joined->hosting;
}

static inline struct node_peer world_peer(const struct world_node *child)
{
    return (struct node_peer){.node = node_identity(child->node)->node,
                              .key = child->key,
                              .address = child->unit,
                              .certified =
                                  child->number > 0 && hash_equal(&child->certified, &child->key),
                              .unit = child->unit,
                              .number = child->number};
}

static inline void world_effects(struct world_node *n)
{
    for (const struct effect *e = node_effect(n->node); e != NULL; e = node_effect(n->node)) {
        int end;
        struct world_link *link = world_link_of(n, e->link, &end);
        if (e->type == EFFECT_SEND && link != NULL && link->state[1 - end] < END_DOWN_DUE) {
            world_send(link, 1 - end, e->message);
        } else if (e->type == EFFECT_CLOSE && link != NULL) {
            world_end_down(link, end);
            link->hung_up[1 - end] = true;
        } else if (e->type == EFFECT_REPLY) {
            world_keep_reply(e->link, &e->message->u.reply);
        } else if (e->type == EFFECT_BUNDLE && world.on_bundle != NULL) {
            world.on_bundle(n, e);
        } else if (e->type == EFFECT_ISSUE) {
            world_issue(e->joined);
        } else if (e->type == EFFECT_LOG && getenv("TALLY_TRACE") != NULL) {
            (void)fprintf(stderr, "%s: %s\n", n->unit, e->text);
        }
    }
}

/* ---- batches ---- */

static inline struct now world_now(const struct world_node *n)
{
    struct now now = world.now;
    now.wall.ms += n->skew_ms;
    now.today += (int32_t)(n->skew_ms / DAY_MS);
    return now;
}

static inline void world_begin(struct world_node *n)
{
    int64_t ms = 1 + (int64_t)world_below(10);
    world.now.mono.ms += ms;
    world.now.wall.ms += ms;
    node_begin(n->node, world_now(n));
}

static inline enum err world_commit(struct world_node *n)
{
    struct errmsg msg = {{0}};
    enum err err = node_commit(n->node, &msg);
    if (err != ERR_OK && !world.may_fail) {
        fail_msg("seed %llu: commit at %s: %s", (unsigned long long)world.seed, n->unit, msg.text);
    }
    world_effects(n);
    return err;
}

/* Gives at most `max` waiting messages of a link to its end; false when nothing waited. */
static inline bool world_deliver(struct world_link *link, int end, size_t max, struct arena *arena)
{
    struct node *node = link->end[end]->node;
    bool did = false;
    if (link->state[end] == END_NEW) {
        link->state[end] = END_UP;
        if (end == END_CHILD) {
            node_on_uplink(node, link->id);
        } else {
            struct node_peer peer = world_peer(link->end[END_CHILD]);
            node_on_downlink(node, link->id, &peer);
        }
        did = true;
    }
    for (size_t i = 0; i < max && link->to[end] != NULL && link->state[end] == END_UP; i++) {
        struct frame *frame = link->to[end];
        struct message message;
        struct errmsg msg = {{0}};
        struct bytes body = {frame->data + FRAME_HEADER_BYTES, frame->len - FRAME_HEADER_BYTES};
        enum err err = codec_decode(link->codec[end], body, arena, &message, &msg);
        assert_string_equal(msg.text, "");
        assert_int_equal(err, ERR_OK);
        link->to[end] = frame->next;
        node_on_message(node, link->id, &message);
        free(frame);
        did = true;
    }
    if (link->hung_up[end] && link->to[end] == NULL && link->state[end] == END_UP) {
        world_end_down(link, end);
    }
    if (link->state[end] == END_DOWN_DUE) {
        node_on_link_down(node, link->id, "cut");
        link->state[end] = END_GONE;
        did = true;
    }
    return did;
}

/* One batch of a node with what waits on its links, at most `max` messages a link. */
static inline bool world_turn(struct world_node *n, size_t max)
{
    struct arena arena;
    bool did = false;
    if (n->node == NULL) {
        return false;
    }
    arena_init(&arena, (size_t)64 << 20);
    world_begin(n);
    for (size_t i = 0; i < WORLD_LINKS; i++) {
        struct world_link *link = &world.links[i];
        for (int end = 0; link->id != 0 && end < 2; end++) {
            if (link->end[end] == n && link->state[end] != END_GONE) {
                did = world_deliver(link, end, max, &arena) || did;
            }
        }
        if (link->id != 0 && link->state[0] == END_GONE && link->state[1] == END_GONE) {
            world_free_link(link);
        }
    }
    enum err ignored = world_commit(n);
    (void)ignored;
    arena_reset(&arena);
    return did;
}

/* Until no message is on its way. */
static inline void world_settle(void)
{
    bool did = true;
    for (int round = 0; did; round++) {
        did = false;
        for (size_t i = 0; i < world.count; i++) {
            did = world_turn(&world.nodes[i], SIZE_MAX) || did;
        }
        if (round > 5000) {
            fail_msg("seed %llu: the nodes never fall silent", (unsigned long long)world.seed);
        }
    }
}

/* Time goes on: every node gets its ticks, and answers what they bring about. */
static inline void world_pass(int64_t ms)
{
    for (int64_t gone = 0; gone < ms; gone += 1000) {
        world.now.mono.ms += 1000;
        world.now.wall.ms += 1000;
        for (size_t i = 0; i < world.count; i++) {
            if (world.nodes[i].node != NULL) {
                world_begin(&world.nodes[i]);
                node_on_tick(world.nodes[i].node);
                enum err ignored = world_commit(&world.nodes[i]);
                (void)ignored;
            }
        }
        world_settle();
    }
}

/* ---- requests ---- */

static inline const struct world_reply *world_reply_to(uint64_t id)
{
    for (size_t i = 0; i < WORLD_REPLIES; i++) {
        if (id != 0 && world.replies[i].id == id) {
            return &world.replies[i];
        }
    }
    return NULL;
}

/* Inside a batch. */
static inline uint64_t world_ask_in(struct world_node *n, struct msg_request *request)
{
    struct node_client client = {.id = 7, .role = NODE_ROLE_ADMIN, .author = "tester"};
    request->id = ++world.next_request;
    node_on_request(n->node, &client, request);
    return request->id;
}

/* A batch of one request; the reply, or NULL when there is none yet. */
static inline const struct world_reply *world_ask(struct world_node *n, struct msg_request *request)
{
    world_begin(n);
    uint64_t id = world_ask_in(n, request);
    enum err ignored = world_commit(n);
    (void)ignored;
    return world_reply_to(id);
}

static inline struct record_row world_row(const char *unit, const char *measure, const char *value,
                                          const char *day)
{
    struct record_row row = {
        .unit = unit, .measure = measure, .category = "", .value = value, .key = "", .note = ""};
    assert_int_equal(day_parse(day, &row.day, NULL), ERR_OK);
    return row;
}

static inline const struct world_reply *world_record(struct world_node *n, const char *unit,
                                                     const char *measure, const char *value,
                                                     const char *day)
{
    struct record_row row = world_row(unit, measure, value, day);
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    return world_ask(n, &request);
}

static inline const struct world_reply *world_record_key(struct world_node *n, const char *unit,
                                                         const char *measure, const char *value,
                                                         const char *day, const char *key)
{
    struct record_row row = world_row(unit, measure, value, day);
    row.key = key;
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    return world_ask(n, &request);
}

#endif

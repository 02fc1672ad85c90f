/* layer: node store codec */
/* Trees of nodes for tests: making, closing and opening nodes, the catalogues they use, and what
 * is asked of them through queries. */
#ifndef TALLY_TEST_NODE_TREE_H
#define TALLY_TEST_NODE_TREE_H

#include <time.h>

#include "test_node_world.h"

/* ---- catalogues ---- */

enum { TREE_VERSIONS = 3 };

static inline void tree_put_measure(struct catalogue *c, const char *code, enum measure_kind kind,
                                    enum frequency frequency, const char *level, bool grouped)
{
    static const char *group[] = {"group"};
    c->measures[c->measure_count++] = (struct measure){.code = code,
                                                       .name = code,
                                                       .unit = "1",
                                                       .kind = kind,
                                                       .frequency = frequency,
                                                       .level = level,
                                                       .dimensions = group,
                                                       .dimension_count = grouped ? 1 : 0};
}

/* Version 1, 2, 3: each has more measures than the one before, the last a new category too. */
static inline const struct catalogue *tree_catalogue(int version)
{
    static const char *levels[] = {"province", "district", "commune", "branch"};
    static const char *values[] = {"cadre", "other", "child"};
    static struct dimension dimension;
    static struct measure measures[8];
    static struct catalogue c;
    dimension = (struct dimension){"group", values, version >= 3 ? 3 : 2};
    c = (struct catalogue){.levels = levels,
                           .level_count = 4,
                           .dimensions = &dimension,
                           .dimension_count = 1,
                           .measures = measures};
    tree_put_measure(&c, "raised", MEASURE_FLOW, FREQUENCY_MONTH, "commune", true);
    tree_put_measure(&c, "members", MEASURE_STOCK, FREQUENCY_MONTH, "commune", true);
    tree_put_measure(&c, "visits", MEASURE_FLOW, FREQUENCY_DAY, "branch", false);
    if (version >= 2) {
        tree_put_measure(&c, "fund", MEASURE_STOCK, FREQUENCY_QUARTER, "district", false);
        tree_put_measure(&c, "classes", MEASURE_FLOW, FREQUENCY_HALF, "commune", false);
    }
    if (version >= 3) {
        tree_put_measure(&c, "boards", MEASURE_STOCK, FREQUENCY_YEAR, "branch", false);
    }
    return &c;
}

static inline const struct world_reply *tree_apply(struct world_node *root,
                                                   const struct catalogue *catalogue)
{
    struct buf bytes;
    buf_init(&bytes, CATALOGUE_MAX_BYTES);
    catalogue_encode(catalogue, &bytes);
    struct msg_request request = {.type = REQUEST_APPLY,
                                  .u.apply = {.catalogue = {bytes.data, bytes.len}}};
    const struct world_reply *reply = world_ask(root, &request);
    buf_deinit(&bytes);
    return reply;
}

/* ---- opening and closing ---- */

static inline void tree_open(struct world_node *n)
{
    struct errmsg msg = {{0}};
    struct node_env env = world_env(n);
    static const char *const ADDRESSES[] = {"office:7000"};
    static const struct hash FINGERPRINT;
    enum err err = store_open(n->path, STORE_WRITE, &n->store, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    /* No power is cut here: the file survives whatever is not synced. */
    assert_int_equal(sqlite3_exec(n->store->db, "PRAGMA synchronous=OFF", NULL, NULL, NULL), 0);
    world.now.mono.ms += 5;
    err = node_open(n->store, &env, world_now(n), &n->node, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    n->origin = n->node->origin;
    node_set_addresses(n->node, ADDRESSES, 1, &FINGERPRINT);
    world_effects(n);
}

static inline void tree_close(struct world_node *n)
{
    for (size_t i = 0; i < WORLD_LINKS; i++) {
        struct world_link *link = &world.links[i];
        for (int end = 0; link->id != 0 && end < 2; end++) {
            if (link->end[end] == n) {
                world_end_down(link, end);
                world_end_down(link, 1 - end);
                link->state[end] = END_GONE;
            }
        }
    }
    node_close(n->node);
    store_close(n->store);
    n->node = NULL;
    n->store = NULL;
}

static inline void tree_restart(struct world_node *n)
{
    tree_close(n);
    tree_open(n);
}

static inline void tree_copy_file(const char *from, const char *to)
{
    static char chunk[65536];
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    assert_non_null(in);
    assert_non_null(out);
    for (size_t n = fread(chunk, 1, sizeof chunk, in); n > 0;
         n = fread(chunk, 1, sizeof chunk, in)) {
        assert_int_equal(fwrite(chunk, 1, n, out), n);
    }
    (void)fclose(in);
    assert_int_equal(fclose(out), 0);
}

/* Where an old state of its file lies. */
static inline const char *tree_copy_of(const struct world_node *n)
{
    static char path[WORLD_PATH_BYTES + 8];
    (void)snprintf(path, sizeof path, "%s.copy", n->path);
    return path;
}

/* The file as it is now is kept; and is there again. The node is left running, without links. */
static inline void tree_keep(struct world_node *n)
{
    tree_close(n);
    tree_copy_file(n->path, tree_copy_of(n));
    tree_open(n);
}

static inline void tree_put_back(struct world_node *n)
{
    tree_close(n);
    tree_copy_file(tree_copy_of(n), n->path);
    tree_open(n);
}

/* ---- the world's begin and end ---- */

static inline void tree_begin(uint64_t seed)
{
    world = (struct world){.seed = seed, .state = seed};
    world.now.mono.ms = 1000000;
    world.now.today = day_from_civil(2025, 3, 15);
    world.now.wall.ms = (int64_t)world.now.today * 86400000 + 36000000;
    (void)snprintf(world.folder, sizeof world.folder, "%s/tally-XXXXXX",
                   access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(world.folder));
}

static inline void tree_unlink(const char *path)
{
    static const char *const TAILS[] = {"", "-wal", "-shm", "-journal", ".copy", ".late"};
    for (size_t i = 0; i < sizeof TAILS / sizeof *TAILS; i++) {
        char name[WORLD_PATH_BYTES + 16];
        (void)snprintf(name, sizeof name, "%s%s", path, TAILS[i]);
        (void)unlink(name);
    }
}

static inline void tree_end(void)
{
    for (size_t i = 0; i < world.count; i++) {
        if (world.nodes[i].node != NULL) {
            tree_close(&world.nodes[i]);
        }
        tree_unlink(world.nodes[i].path);
    }
    for (size_t i = 0; i < WORLD_LINKS; i++) {
        if (world.links[i].id != 0) {
            world_free_link(&world.links[i]);
        }
    }
    (void)rmdir(world.folder);
    world.count = 0;
}

static inline int tree_end_always(void **state)
{
    (void)state;
    if (world.count > 0) {
        tree_end();
    }
    return 0;
}

static inline struct world_node *tree_add(const char *unit)
{
    struct world_node *n = &world.nodes[world.count];
    assert_true(world.count < WORLD_NODES);
    (void)snprintf(n->unit, sizeof n->unit, "%s", unit);
    (void)snprintf(n->path, sizeof n->path, "%s/%zu.db", world.folder, world.count);
    world_fill(NULL, n->key.b, sizeof n->key.b);
    world.count++;
    return n;
}

static inline struct world_node *tree_root(const char *unit, const struct catalogue *catalogue)
{
    struct world_node *n = tree_add(unit);
    struct errmsg msg = {{0}};
    struct node_root root = {.unit = unit,
                             .name = unit,
                             .level = "province",
                             .key = n->key,
                             .catalogue = catalogue,
                             .env = world_env(n),
                             .now = world.now,
                             .author = "tester"};
    world_fill(NULL, root.tree.b, ID_BYTES);
    world_fill(NULL, root.node.b, ID_BYTES);
    world_fill(NULL, root.origin.b, ID_BYTES);
    assert_int_equal(store_open(n->path, STORE_CREATE, &n->store, &msg), ERR_OK);
    assert_int_equal(node_make_root(n->store, &root, &msg), ERR_OK);
    assert_string_equal(msg.text, "");
    store_close(n->store);
    tree_open(n);
    return n;
}

static inline struct msg_join tree_join_message(const char *text, const struct hash *exporter)
{
    static const uint8_t CSR[] = "request";
    struct token token;
    struct buf said;
    assert_int_equal(token_parse(text, &token, NULL), ERR_OK);
    struct msg_join join = {.invite = token.invite,
                            .node_request = {CSR, sizeof CSR},
                            .ca_request = {CSR, sizeof CSR},
                            .address = ""};
    buf_init(&said, 4096);
    buf_put_hash(&said, exporter);
    buf_put(&said, CSR, sizeof CSR);
    buf_put(&said, CSR, sizeof CSR);
    join.proof = hmac_sha256(token.secret, sizeof token.secret, said.data, said.len);
    buf_deinit(&said);
    return join;
}

/* Invites and joins; `level` is "" for a unit that is there already. */
static inline struct world_node *tree_child(struct world_node *parent, const char *unit,
                                            const char *level)
{
    struct msg_request request = {.type = REQUEST_INVITE,
                                  .u.invite = {.unit = unit,
                                               .name = level[0] == '\0' ? "" : unit,
                                               .level = level,
                                               .expires_ms = 1000}};
    const struct world_reply *reply = world_ask(parent, &request);
    assert_string_equal(reply->text, "");
    assert_int_equal(reply->err, ERR_OK);
    struct world_node *n = tree_add(unit);
    struct node_joiner joiner = {.node_key = n->key, .ca_key = n->key, .address = ""};
    n->parent = parent;
    struct msg_join join = tree_join_message(world.token, &joiner.exporter);
    world.joining = n;
    world_begin(parent);
    node_on_join(parent->node, 999999, &join, &joiner);
    assert_int_equal(world_commit(parent), ERR_OK);
    world.joining = NULL;
    tree_open(n);
    return n;
}

static inline const struct world_reply *tree_unit(struct world_node *n, const char *code,
                                                  const char *level, const char *parent)
{
    struct unit_new unit = {.code = code, .name = code, .level = level, .parent = parent};
    struct msg_request request = {.type = REQUEST_UNITS,
                                  .u.units = {.units = &unit, .unit_count = 1}};
    return world_ask(n, &request);
}

static inline void tree_connect_all(void)
{
    for (size_t i = 0; i < world.count; i++) {
        if (world.nodes[i].parent != NULL) {
            (void)world_connect(&world.nodes[i]);
        }
    }
}

/* Links that were closed are made again, and everything goes where it should. */
static inline void tree_relink(void)
{
    world_settle();
    tree_connect_all();
    world_settle();
}

/* ---- seeds ---- */

/* That of TALLY_SEED alone; else new ones, printed: so many, fewer under valgrind, more when
 * TALLY_LONG=1. */
static inline void tree_seeds(void (*run)(uint64_t seed), int seeds, int under_valgrind,
                              int when_long)
{
    const char *one = getenv("TALLY_SEED");
    const char *is_long = getenv("TALLY_LONG");
    const char *preload = getenv("LD_PRELOAD");
    bool slow = preload != NULL && strstr(preload, "vgpreload") != NULL;
    uint64_t base = (uint64_t)time(NULL) * 100000;
    int count = slow ? under_valgrind : seeds;
    count = is_long != NULL && strcmp(is_long, "1") == 0 ? when_long : count;
    if (one != NULL) {
        run(strtoull(one, NULL, 10));
        return;
    }
    print_message("seeds from %llu, %d of them\n", (unsigned long long)base, count);
    for (int i = 0; i < count; i++) {
        run(base + (uint64_t)i);
    }
}

/* ---- questions ---- */

struct tree_sink {
    query_sink_fn sink;
    void *ctx;
};

/* What a client gets: through the codec. */
static inline bool tree_over_the_wire(void *ctx, const struct message *message)
{
    const struct tree_sink *to = ctx;
    struct codec *codec = codec_new(false);
    struct message read;
    struct errmsg msg = {{0}};
    struct arena arena;
    struct buf wire;
    assert_non_null(codec);
    arena_init(&arena, 8 << 20);
    buf_init(&wire, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    enum err err = codec_encode(codec, message, &wire, &msg);
    struct bytes body = {wire.data + FRAME_HEADER_BYTES, wire.len - FRAME_HEADER_BYTES};
    err = err == ERR_OK ? codec_decode(codec, body, &arena, &read, &msg) : err;
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    bool more = to->sink(to->ctx, &read);
    buf_deinit(&wire);
    arena_reset(&arena);
    codec_free(codec);
    return more;
}

static inline void tree_query(struct world_node *n, const struct msg_request *request,
                              query_sink_fn sink, void *ctx)
{
    struct tree_sink to = {sink, ctx};
    struct store *reader;
    assert_int_equal(store_open(n->path, STORE_READ, &reader, NULL), ERR_OK);
    struct query *query = query_new(reader);
    assert_non_null(query);
    query_run(query, request, world_now(n), tree_over_the_wire, &to);
    query_free(query);
    store_close(reader);
}

struct tree_total {
    wide value;
    int64_t entries;
    int64_t reported;
    int64_t expected;
    int64_t nodes;
    int64_t exact;
    int64_t held;
    int64_t as_of; /* of the first stale source; -1: there is none */
    char stale[CODE_MAX_BYTES + 1];
    char indicator[64];
    char error[TEXT_MAX_BYTES];
};

static inline bool tree_keep_total(void *ctx, const struct message *message)
{
    struct tree_total *out = ctx;
    const struct msg_reply *reply = &message->u.reply;
    const struct rep_total *total = &reply->u.total;
    if (reply->err != ERR_OK) {
        (void)snprintf(out->error, sizeof out->error, "%s", reply->text);
        return true;
    }
    out->nodes = total->nodes;
    out->exact = total->exact;
    out->held = total->held;
    out->as_of = total->stale_count > 0 ? total->stale[0].exact_as_of.ms : -1;
    if (total->stale_count > 0) {
        (void)snprintf(out->stale, sizeof out->stale, "%s", total->stale[0].unit);
    }
    if (total->row_count > 0) {
        const struct total_row *row = &total->rows[total->row_count - 1];
        out->value = row->value;
        out->entries = row->entries;
        out->reported = row->reported;
        out->expected = row->expected;
        (void)snprintf(out->indicator, sizeof out->indicator, "%s", row->indicator_value);
    }
    return true;
}

/* One measure at one unit over one period. */
static inline struct tree_total tree_total(struct world_node *n, const char *unit,
                                           const char *measure, const char *period)
{
    struct tree_total out = {.value = 0};
    const char *measures[] = {measure};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = unit,
                                              .measures = measures,
                                              .measure_count = 1,
                                              .has_period = true,
                                              .level = ""}};
    assert_int_equal(period_parse(period, &request.u.total.period, NULL), ERR_OK);
    tree_query(n, &request, tree_keep_total, &out);
    return out;
}

/* What is in the unit's total of 2025 where every entry is a power of two of its own: each is in it
 * once, since there are as many bits as entries. */
static inline uint64_t tree_bits(struct world_node *n, const char *unit)
{
    struct tree_total total = tree_total(n, unit, "raised", "2025");
    assert_string_equal(total.error, "");
    uint64_t bits = (uint64_t)total.value;
    if (__builtin_popcountll(bits) != total.entries) {
        fail_msg("seed %llu: %lld entries come to facts %llx at %s", (unsigned long long)world.seed,
                 (long long)total.entries, (unsigned long long)bits, n->unit);
    }
    return bits;
}

#endif

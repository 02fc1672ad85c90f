/* layer: node store codec */
/* A file that gives way to a new one: who a node is, inside and outside its file; what the new file
 * has back; when a file had better be made anew, and when it must not. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *office;
static struct world_node *child;

static int set_up(void **state)
{
    (void)state;
    tree_begin(47);
    root = tree_root("4", tree_catalogue(2));
    office = tree_child(root, "42", "district");
    tree_relink();
    child = tree_child(office, "421", "commune");
    tree_relink();
    assert_string_equal(tree_unit(office, "422", "commune", "42")->text, "");
    assert_string_equal(world_record(office, "422", "raised", "3", "2025-02-03")->text, "");
    assert_string_equal(world_record(child, "421", "raised", "20", "2025-02-03")->text, "");
    world_settle();
    return 0;
}

static int64_t alarms(struct world_node *n, const char *code)
{
    char sql[96];
    (void)snprintf(sql, sizeof sql, "SELECT count(*) FROM alarm WHERE code='%s'", code);
    return state_number(n, sql);
}

static wide raised(struct world_node *n, const char *unit)
{
    struct tree_total total = tree_total(n, unit, "raised", "2025");
    assert_string_equal(total.error, "");
    return total.value;
}

static int64_t view_of(struct world_node *n, const char *unit)
{
    const struct view *view = &n->node->view;
    return view->tree.units[view_unit_by_code(view, unit)].id;
}

static void tick(struct world_node *n)
{
    world_begin(n);
    node_on_tick(n->node);
    assert_int_equal(world_commit(n), ERR_OK);
}

static struct buf identity_of(struct world_node *n)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 16);
    assert_int_equal(node_identity_bytes(n->store, &bytes), ERR_OK);
    return bytes;
}

static enum err make_again(struct world_node *n, struct bytes identity, const char *path)
{
    struct store *store;
    struct errmsg msg;
    struct node_aside aside = {.name = "old-file", .text = "it was set aside", .at = {5}};
    assert_int_equal(store_open(path, STORE_CREATE, &store, &msg), ERR_OK);
    enum err err = node_make_again(store, identity, &n->key, &aside, &msg);
    store_close(store);
    return err;
}

/* ---- who a node is ---- */

/* Every cut and every other length is told from the whole; nothing is made of it. */
static void test_bytes(void **state)
{
    (void)state;
    struct buf bytes = identity_of(office);
    struct errmsg msg;
    bool is_root = true;
    assert_int_equal(node_identity_look(buf_bytes(&bytes), &is_root, &msg), ERR_OK);
    assert_false(is_root);
    for (size_t len = 0; len < bytes.len; len++) {
        struct bytes cut = {bytes.data, len};
        assert_int_equal(node_identity_look(cut, &is_root, &msg), ERR_INVALID);
    }
    buf_put_u8(&bytes, 0);
    assert_int_equal(node_identity_look(buf_bytes(&bytes), &is_root, &msg), ERR_INVALID);
    buf_deinit(&bytes);
    struct buf of_root = identity_of(root);
    assert_int_equal(node_identity_look(buf_bytes(&of_root), &is_root, &msg), ERR_OK);
    assert_true(is_root);
    char path[WORLD_PATH_BYTES + 8];
    (void)snprintf(path, sizeof path, "%s.copy", root->path);
    assert_int_equal(make_again(root, buf_bytes(&of_root), path), ERR_REFUSED);
    buf_deinit(&of_root);
}

/* A changed fact of who the node is, or a lost one, is no start; a file of before is sealed. */
static void test_sealed(void **state)
{
    (void)state;
    static const char *const CHANGES[] = {
        "UPDATE fact SET value=x'00112233445566778899aabbccddeeff' WHERE name='tree'",
        "UPDATE fact SET value=value+1 WHERE name='hosting'",
        "UPDATE fact SET value=1 WHERE name='is_root'",
        "UPDATE fact SET value=zeroblob(32) WHERE name='parent_key'",
        "INSERT OR REPLACE INTO fact VALUES('parent_number',9)",
        "UPDATE symbol SET text='43' WHERE text='42'",
        "DELETE FROM fact WHERE name='root_key'",
        "DELETE FROM fact WHERE name='catalogue_signature'"};
    struct errmsg msg;
    struct node_env env = world_env(office);
    struct store *store;
    struct node *node;
    char good[WORLD_PATH_BYTES + 8];
    (void)snprintf(good, sizeof good, "%s.copy", office->path);
    tree_close(office);
    tree_copy_file(office->path, good);
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        tree_copy_file(good, office->path);
        assert_int_equal(store_open(office->path, STORE_WRITE, &store, &msg), ERR_OK);
        assert_int_equal(sqlite3_exec(store->db, CHANGES[i], NULL, NULL, NULL), SQLITE_OK);
        assert_int_equal(node_open(store, &env, world.now, &node, &msg), ERR_CORRUPT);
        assert_non_null(strstr(msg.text, office->path));
        store_close(store);
    }
    tree_copy_file(good, office->path);
    assert_int_equal(store_open(office->path, STORE_WRITE, &store, &msg), ERR_OK);
    assert_int_equal(
        sqlite3_exec(store->db, "DELETE FROM fact WHERE name='identity_sum'", NULL, NULL, NULL),
        SQLITE_OK);
    store_close(store);
    tree_open(office);
    assert_int_equal(state_number(office, "SELECT count(*) FROM fact WHERE name='identity_sum'"),
                     1);
}

/* Another letter in a name that the root has signed. */
static void test_catalogue(void **state)
{
    (void)state;
    struct arena arena;
    struct bytes content;
    struct errmsg msg;
    struct node_env env = world_env(office);
    struct store *store;
    struct node *node;
    arena_init(&arena, 1 << 20);
    tree_close(office);
    assert_int_equal(store_open(office->path, STORE_WRITE, &store, &msg), ERR_OK);
    assert_int_equal(store_fact_blob(store, "catalogue", &arena, &content), ERR_OK);
    char *name = memmem((void *)content.data, content.len, "raised", 6);
    assert_non_null(name);
    *name = 'R';
    assert_int_equal(store_fact_set_blob(store, "catalogue", content.data, content.len), ERR_OK);
    assert_int_equal(store_symbol_put(store, "Raised", &(int64_t){0}), ERR_OK);
    assert_int_equal(node_open(store, &env, world.now, &node, &msg), ERR_CORRUPT);
    assert_non_null(strstr(msg.text, "signed"));
    store_close(store);
    arena_reset(&arena);
}

/* ---- the new file ---- */

/* An office with a child, units and entries of its own: all of it comes back, from above and below,
 * and no total above changes meanwhile. */
static void test_made_again(void **state)
{
    (void)state;
    struct buf identity = identity_of(office);
    struct id origin = office->origin;
    tree_close(office);
    tree_unlink(office->path);
    assert_int_equal(make_again(office, buf_bytes(&identity), office->path), ERR_OK);
    buf_deinit(&identity);
    tree_open(office);
    assert_true(id_equal(&office->origin, &origin));
    assert_int_equal(raised(root, "4"), 23);
    assert_int_equal(alarms(office, "set-aside"), 1);
    tree_relink();
    world_pass(60000);
    tree_relink();
    world_settle();
    assert_int_equal(raised(root, "4"), 23);
    assert_int_equal(raised(office, "42"), 23);
    assert_int_equal(raised(office, "421"), 20);
    assert_string_equal(world_record(child, "421", "raised", "1", "2025-02-04")->text, "");
    assert_string_equal(world_record(office, "422", "raised", "1", "2025-02-04")->text, "");
    world_settle();
    assert_int_equal(raised(root, "4"), 25);
    struct buf again = identity_of(office);
    assert_true(again.len > 0);
    buf_deinit(&again);
}

/* ---- when ---- */

/* Changes what the office holds in escrow of its child; the audit finds it. */
static void spoil_escrow(void)
{
    state_change(office, "UPDATE entry SET note='another' WHERE own=0 AND kind=1");
    state_audit(office);
}

static void test_wants_one(void **state)
{
    (void)state;
    assert_null(node_wants_new_file(office->node));
    spoil_escrow();
    const char *why = node_wants_new_file(office->node);
    assert_non_null(why);
    assert_non_null(strstr(why, "escrow entry"));
    state_change(office, "UPDATE entry SET note=NULL WHERE own=0 AND kind=1");
    state_audit(office); /* what is whole again is no reason any more */
    assert_null(node_wants_new_file(office->node));
}

/* What is nowhere else is not set aside: entries that are not above, a child that is away. */
static void test_waits(void **state)
{
    (void)state;
    spoil_escrow();
    assert_non_null(node_wants_new_file(office->node));
    world_cut(child, false);
    world_settle();
    assert_null(node_wants_new_file(office->node));
    tree_relink();
    world_settle();
    assert_non_null(node_wants_new_file(office->node));
    world_cut(office, false);
    world_settle();
    assert_null(node_wants_new_file(office->node)); /* nobody would give anything back */
    assert_string_equal(world_record(office, "422", "raised", "1", "2025-02-04")->text, "");
    assert_null(node_wants_new_file(office->node));
    tree_relink();
    world_settle();
    assert_non_null(node_wants_new_file(office->node));
    assert_string_equal(world_record(office, "422", "raised", "1", "2025-02-05")->text, "");
    assert_null(node_wants_new_file(office->node)); /* the last one is on its way */
    world_settle();
    assert_non_null(node_wants_new_file(office->node));
}

/* A changed row of a segment: nobody knows how far its ledger was known any more. */
static void spoil_segment(struct world_node *n, const char *origin_of, const char *change)
{
    char sql[400];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE segment SET %s WHERE id=(SELECT max(s.id) FROM segment s JOIN origin o "
                   "ON o.id=s.origin JOIN symbol y ON y.id=o.unit WHERE y.text='%s')",
                   change, origin_of);
    assert_int_equal(sqlite3_exec(n->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
}

/* Every number and hash of it: found, and a reason for a new file; a change that comes after does
 * not make it good. */
static void test_a_segment(void **state)
{
    (void)state;
    static const char *const CHANGES[] = {
        "length=length+32", "length=length-1", "hash=zeroblob(32)",      "held=held-1",
        "base=base+1",      "clock=clock+1",   "held_hash=zeroblob(32)", "continued=continued+1",
        "name=zeroblob(16)"};
    tree_close(office);
    char good[WORLD_PATH_BYTES + 8];
    (void)snprintf(good, sizeof good, "%s.good", office->path);
    tree_copy_file(office->path, good);
    tree_open(office);
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        tree_close(office);
        tree_copy_file(good, office->path);
        tree_open(office);
        spoil_segment(office, "421", CHANGES[i]);
        state_audit(office);
        struct state_alarm alarm = state_alarm(office, "damage");
        if (!alarm.there) {
            fail_msg("nobody sees %s", CHANGES[i]);
        }
        struct store_segment page[4];
        size_t n;
        struct store_origin origin;
        assert_int_equal(store_origin_find(office->store, &child->origin, &origin), ERR_OK);
        assert_int_equal(store_segments(office->store, origin.id, 0, page, 4, &n), ERR_OK);
        assert_false(page[n - 1].sound);
        page[n - 1].held++;
        assert_int_equal(store_begin(office->store), ERR_OK);
        assert_int_equal(store_segment_set(office->store, &page[n - 1]), ERR_OK);
        assert_int_equal(store_commit(office->store), ERR_OK);
        assert_int_equal(store_segments(office->store, origin.id, 0, page, 4, &n), ERR_OK);
        assert_false(page[n - 1].sound);
    }
    (void)remove(good);
}

/* What a damaged row of the child makes it say. */
enum tap { TAP_NONE, TAP_SIGNATURE, TAP_FORK, TAP_TAIL, TAP_LESS, TAP_BOTH };

static enum tap tapped;
static struct head former; /* TAP_BOTH: stated beside the last one */

static bool bend(struct world_link *link, int to, struct message *message)
{
    static struct signed_heads signs;
    static struct origin_heads heads;
    static struct head head;
    struct msg_batch *batch = &message->u.batch;
    if (to == END_PARENT && message->type == MESSAGE_HELLO && tapped == TAP_TAIL) {
        static struct feed_mark marks[SESSIONS_MAX];
        struct msg_hello *hello = &message->u.hello;
        for (size_t i = 0; i < hello->session_count; i++) {
            marks[i] = hello->sessions[i];
            marks[i].revision = marks[i].revision > 1 ? 1 : marks[i].revision;
        }
        hello->sessions = marks;
    }
    bool up = to == END_PARENT && link->end[END_PARENT] == root && message->type == MESSAGE_BATCH;
    if (up && tapped == TAP_SIGNATURE && batch->signed_heads_count > 0) {
        signs = batch->signed_heads[0];
        signs.signature.b[0] ^= 1;
        batch->signed_heads = &signs;
    } else if (up && tapped == TAP_BOTH && batch->heads_count == 1) {
        static struct head both[2];
        heads = batch->heads[0];
        both[0] = former;
        both[1] = heads.heads[0];
        heads.heads = both;
        heads.head_count = 2;
        batch->heads = &heads;
    } else if (up && tapped == TAP_LESS && batch->heads_count == 1) {
        heads = batch->heads[0];
        head = heads.heads[0];
        head.length -= 2;
        heads.heads = &head;
        heads.head_count = 1;
        batch->heads = &heads;
    } else if (up && tapped == TAP_FORK && batch->heads_count == 1) {
        heads = batch->heads[0];
        head = heads.heads[0];
        head.segment.b[0] ^= 1;
        heads.heads = &head;
        heads.head_count = 1;
        batch->heads = &heads;
    }
    return true;
}

/* The row of a ledger that is two tiers down: what comes with its next heads is taken in its place,
 * and an alarm about it goes. */
static void test_far_segment(void **state)
{
    (void)state;
    assert_string_equal(world_record(child, "421", "raised", "40", "2025-02-03")->text, "");
    world_settle();
    spoil_segment(root, "421", "hash=zeroblob(32)");
    tree_restart(office); /* it says its heads again */
    tree_relink();
    assert_string_equal(world_record(child, "421", "raised", "80", "2025-02-03")->text, "");
    world_settle();
    assert_int_equal(raised(root, "421"), 140);
    assert_int_equal(alarms(root, "fork"), 0);
    spoil_segment(root, "421", "length=length+32");
    assert_string_equal(world_record(child, "421", "raised", "160", "2025-02-03")->text, "");
    world_settle();
    assert_int_equal(raised(root, "421"), 300);
    spoil_segment(root, "421", "continued=continued+1"); /* and what is stated fits */
    assert_string_equal(world_record(child, "421", "raised", "320", "2025-02-03")->text, "");
    world_settle();
    assert_int_equal(raised(root, "421"), 620);
    state_audit(root);
    assert_false(state_alarm(root, "damage").there);
}

/* A segment that another one continues is not wanted among the heads again. */
static void test_far_segment_continued(void **state)
{
    (void)state;
    struct store_segment page[4];
    struct store_origin origin;
    size_t n;
    assert_int_equal(store_origin_find(root->store, &child->origin, &origin), ERR_OK);
    assert_int_equal(store_segments(root->store, origin.id, 0, page, 4, &n), ERR_OK);
    former = (struct head){page[n - 1].name, (uint64_t)page[n - 1].length, page[n - 1].hash};
    spoil_segment(root, "421", "hash=zeroblob(32)");
    tree_restart(child);
    tree_relink();
    world.tap = bend;
    tapped = TAP_BOTH;
    assert_string_equal(world_record(child, "421", "raised", "40", "2025-02-03")->text, "");
    world_settle();
    tapped = TAP_NONE;
    world.tap = NULL;
    assert_int_equal(store_segment_get(root->store, page[n - 1].id, &page[0]), ERR_OK);
    assert_true(page[0].sound);
    assert_true(hash_equal(&page[0].hash, &former.hash));
    assert_string_equal(world_record(child, "421", "raised", "80", "2025-02-03")->text, "");
    world_settle();
    assert_int_equal(raised(root, "421"), 140);
}

/* But not when cells here stand for more than what is stated. */
static void test_far_segment_behind(void **state)
{
    (void)state;
    assert_string_equal(world_record(child, "421", "raised", "40", "2025-02-03")->text, "");
    world_settle();
    spoil_segment(root, "421", "hash=zeroblob(32)");
    world.tap = bend;
    tapped = TAP_LESS;
    assert_string_equal(world_record(child, "421", "raised", "80", "2025-02-03")->text, "");
    world_settle();
    struct store_segment page[4];
    struct store_origin origin;
    size_t n;
    assert_int_equal(raised(root, "421"), 60); /* 1 of 3 entries is stated, and 2 are counted */
    assert_int_equal(store_origin_find(root->store, &child->origin, &origin), ERR_OK);
    assert_int_equal(store_segments(root->store, origin.id, 0, page, 4, &n), ERR_OK);
    assert_false(page[n - 1].sound);
    assert_int_equal(page[n - 1].length, 2);
    tapped = TAP_NONE;
    world.tap = NULL;
}

/* Segments of an origin that is not there: found, and no reason to refuse what has nothing to do
 * with them. */
static void test_segments_astray(void **state)
{
    (void)state;
    spoil_segment(office, "421", "origin=99");
    state_audit(office);
    assert_non_null(strstr(state_alarm(office, "damage").text, "segments: 1 rows are of nobody's"));
    tree_restart(office);
    assert_string_equal(world_record_key(office, "422", "raised", "1", "2025-02-04", "key")->text,
                        "");
    tree_restart(child);
    tree_relink();
    world_settle();
    state_audit(office);
    assert_non_null(node_wants_new_file(office->node));
}

/* One that has lost the end of its ledger may lack what the damaged copy has, though its file knows
 * the session. */
static void test_lost_tail_and_turned_away(void **state)
{
    (void)state;
    assert_string_equal(world_record(child, "421", "raised", "40", "2025-02-03")->text, "");
    world_settle();
    spoil_segment(office, "421", "name=zeroblob(16)");
    world.tap = bend;
    tapped = TAP_TAIL;
    tree_restart(child);
    tree_relink();
    world_settle();
    world.tap = NULL;
    state_audit(office);
    assert_null(downlink_live_of_unit(office->node, view_of(office, "421")));
    assert_null(node_wants_new_file(office->node));
}

/* A child that is turned away for what its data seems to be beside the damaged copy never becomes
 * equal; its file is whole, so it gives all again. One that was put back may lack what is here. */
static void test_turned_away(void **state)
{
    (void)state;
    spoil_segment(office, "421", "name=zeroblob(16)");
    tree_restart(child);
    tree_relink();
    world_settle();
    assert_null(downlink_live_of_unit(office->node, view_of(office, "421")));
    assert_null(node_wants_new_file(office->node)); /* it has not been looked for */
    state_audit(office);
    const char *why = node_wants_new_file(office->node);
    assert_non_null(why);
    assert_non_null(strstr(why, "what is kept of its segment is not what was written"));
    world_cut(office, false);
    world_settle();
    assert_null(node_wants_new_file(office->node)); /* without the office above: of what? */
}

static void test_put_back_and_turned_away(void **state)
{
    (void)state;
    tree_keep(child);
    tree_relink();
    world_settle();
    assert_string_equal(world_record(child, "421", "raised", "40", "2025-02-03")->text, "");
    world_settle();
    tree_put_back(child);
    spoil_segment(office, "421", "name=zeroblob(16)");
    tree_relink();
    world_settle();
    state_audit(office);
    assert_null(downlink_live_of_unit(office->node, view_of(office, "421")));
    assert_null(node_wants_new_file(office->node));
}

/* Heads that were signed badly, or were another ledger's, may have come from a damaged row: the
 * alarm says when it is over, and what was refused comes. */
static void test_heads_that_were_bent(void **state)
{
    (void)state;
    world.tap = bend;
    tapped = TAP_SIGNATURE;
    assert_string_equal(world_record(office, "422", "raised", "5", "2025-02-03")->text, "");
    world_settle();
    assert_true(state_alarm(root, "bad-signature").there);
    assert_false(state_alarm(root, "bad-signature").mended);
    tapped = TAP_FORK;
    assert_string_equal(world_record(office, "422", "raised", "7", "2025-02-03")->text, "");
    world_settle();
    assert_true(state_alarm(root, "bad-signature").mended);
    assert_true(state_alarm(root, "fork").there);
    assert_false(state_alarm(root, "fork").mended);
    assert_int_equal(raised(root, "422"), 8);
    tapped = TAP_NONE;
    assert_string_equal(world_record(office, "422", "members", "9", "2025-02-03")->text, "");
    world_settle();
    assert_true(state_alarm(root, "fork").mended);
    assert_non_null(strstr(state_alarm(root, "fork").text, "it fits again"));
    assert_int_equal(raised(root, "422"), 15);
    world.tap = NULL;
}

/* Who may link as a child says its row, which no other office has: it is made from the acts. */
static void test_hosting(void **state)
{
    (void)state;
    static const char *const CHANGES[] = {
        "node=zeroblob(16)", "origin=zeroblob(16)",  "key=zeroblob(32)", "number=number+1",
        "count=count+1",     "decider=zeroblob(16)", "scope=scope+32",   "revoked=1"};
    char wanted[400];
    static const char WHAT[] = "SELECT hex(node)||hex(origin)||hex(key)||number||' '||count||' '||"
                               "hex(decider)||scope||revoked FROM hosting h JOIN symbol y ON "
                               "y.id=h.unit WHERE y.text='421'";
    state_text(office, WHAT, wanted, sizeof wanted);
    for (size_t i = 0; i < sizeof CHANGES / sizeof *CHANGES; i++) {
        char sql[200];
        char now[400];
        (void)snprintf(sql, sizeof sql,
                       "UPDATE hosting SET %s WHERE unit=(SELECT id FROM symbol WHERE text='421')",
                       CHANGES[i]);
        state_change(office, sql);
        state_audit(office);
        state_text(office, WHAT, now, sizeof now);
        assert_string_equal(now, wanted);
        assert_true(state_alarm(office, "damage").mended);
    }
    assert_null(node_wants_new_file(office->node));
    tree_restart(office);
    tree_restart(child);
    tree_relink();
    assert_string_equal(world_record(child, "421", "raised", "40", "2025-02-03")->text, "");
    world_settle();
    assert_int_equal(raised(root, "4"), 63);
}

/* A part that cannot be read does not wait. A root has nobody to ask. */
static void test_at_once(void **state)
{
    (void)state;
    world_cut(office, false);
    world_cut(child, false);
    world_settle();
    node_on_unreadable(office->node);
    assert_non_null(node_wants_new_file(office->node));
    node_on_unreadable(root->node);
    assert_null(node_wants_new_file(root->node));
}

/* A batch that looks for a row that is not there. */
static void lack_row(struct world_node *n)
{
    world.may_fail = true;
    world_begin(n);
    node_fail(n->node, ERR_NOT_FOUND, "unit");
    assert_int_equal(world_commit(n), ERR_CORRUPT);
    world.may_fail = false;
}

/* When only a row is missing, entries that are only here are not given up for it; an audit that
 * misses nothing ends it. */
static void test_a_missing_row(void **state)
{
    (void)state;
    world_cut(office, false);
    world_cut(child, false);
    world_settle();
    assert_string_equal(world_record(office, "422", "raised", "1", "2025-02-04")->text, "");
    lack_row(office);
    assert_null(node_wants_new_file(office->node));
    (void)world_connect(office);
    world_settle();
    const char *why = node_wants_new_file(office->node);
    assert_non_null(why);
    assert_non_null(strstr(why, "a row is missing"));
    state_audit(office);
    assert_null(node_wants_new_file(office->node));
    spoil_escrow(); /* which waits for the child, as ever */
    assert_null(node_wants_new_file(office->node));
}

/* ---- a full disk ---- */

static void test_full(void **state)
{
    (void)state;
    node_set_full(office->node, true);
    tick(office);
    world_settle();
    assert_int_equal(alarms(office, "disk-full"), 1);
    assert_int_equal(world_record(office, "422", "raised", "1", "2025-02-04")->err, ERR_DISK_FULL);
    assert_int_equal(tree_unit(office, "423", "commune", "42")->err, ERR_DISK_FULL);
    assert_string_equal(world_record(child, "421", "raised", "1", "2025-02-04")->text, "");
    tree_relink();
    world_settle();
    assert_int_equal(raised(office, "42"), 23); /* nothing is taken in */
    tree_restart(office);
    node_set_full(office->node, false);
    tick(office);
    assert_int_equal(alarms(office, "disk-full"), 0);
    tree_relink();
    world_settle();
    assert_int_equal(raised(root, "4"), 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bytes, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_sealed, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_catalogue, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_made_again, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_wants_one, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_waits, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_segment, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_segments_astray, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_turned_away, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_lost_tail_and_turned_away, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_put_back_and_turned_away, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_far_segment, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_far_segment_continued, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_far_segment_behind, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_heads_that_were_bent, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_hosting, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_at_once, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_a_missing_row, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_full, set_up, tree_end_always)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

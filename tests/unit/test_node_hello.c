/* layer: node store codec */
/* The hello, case by case: what both ends have of each other decides whether a link goes on. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *office; /* the district below it */
static struct world_node *other;  /* a second one, which must not be disturbed */

static int set_up(void **state)
{
    (void)state;
    tree_begin(42);
    root = tree_root("4", tree_catalogue(1));
    office = tree_child(root, "42", "district");
    other = tree_child(root, "43", "district");
    tree_relink();
    assert_int_equal(world_record(office, "42", "raised", "5", "2025-02-03")->err, ERR_OK);
    world_settle();
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    return 0;
}

static void reconnect(void)
{
    world_cut(office, false);
    world_settle();
    (void)world_connect(office);
    world_settle();
}

static void put_back(struct world_node *n, const char *copy)
{
    tree_close(n);
    tree_copy_file(copy, n->path);
    tree_open(n);
    world_settle();
}

static void keep_copy(struct world_node *n, char copy[WORLD_PATH_BYTES + 8])
{
    (void)snprintf(copy, WORLD_PATH_BYTES + 8, "%s.copy", n->path);
    tree_close(n);
    tree_copy_file(n->path, copy);
    tree_open(n);
    world_settle();
}

/* The office was turned away: both ends say why, nothing of it is taken, the others go on. */
static void check_turned_away(const char *why, enum link_state above_says, enum uplink_state says)
{
    struct state_status above = state_status(root, "42");
    struct state_status below = state_status(office, "");
    int64_t messages = state_counts(root, office).facts;
    assert_int_equal(above.of_child.state, above_says);
    assert_non_null(strstr(above.of_child.text, why));
    assert_int_equal(below.uplink, says);
    assert_non_null(strstr(below.uplink_text, why));
    assert_true(state_alarm(root, "child-refused").there);
    assert_true(state_alarm(office, "uplink-refused").there);
    assert_int_equal(world_record(office, "42", "raised", "1", "2025-02-03")->err, ERR_OK);
    world_settle();
    assert_int_equal(state_counts(root, office).facts, messages);
    assert_int_equal(world_record(other, "43", "raised", "7", "2025-02-03")->err, ERR_OK);
    world_settle();
    assert_int_equal(tree_total(root, "43", "raised", "2025").value, 7);
    assert_int_equal(state_of_child(root, "43"), LINK_EXACT);
}

static void check_refused(const char *why)
{
    check_turned_away(why, LINK_REFUSED, UPLINK_REFUSED);
}

/* ---- taps ---- */

static size_t cells_up;
static size_t entries_up;

static bool count_rows(struct world_link *link, int to, struct message *message)
{
    if (to == END_PARENT && link->end[END_CHILD] == office && message->type == MESSAGE_BATCH) {
        cells_up += message->u.batch.cell_count;
        entries_up += message->u.batch.entry_count;
    }
    return true;
}

static bool other_version(struct world_link *link, int to, struct message *message)
{
    if (to == END_PARENT && link->end[END_CHILD] == office && message->type == MESSAGE_HELLO) {
        message->u.hello.protocol_min = 7;
        message->u.hello.protocol_max = 9;
    }
    return true;
}

static bool other_tree(struct world_link *link, int to, struct message *message)
{
    if (to == END_PARENT && link->end[END_CHILD] == office && message->type == MESSAGE_HELLO) {
        message->u.hello.tree.b[0] ^= 1;
    }
    return true;
}

static bool other_hash(struct world_link *link, int to, struct message *message)
{
    static struct head heads[HEADS_MAX];
    if (to == END_PARENT && link->end[END_CHILD] == office && message->type == MESSAGE_HELLO) {
        struct msg_hello *hello = &message->u.hello;
        memcpy(heads, hello->heads, hello->head_count * sizeof *heads);
        for (size_t i = 0; i < hello->head_count; i++) {
            heads[i].hash.b[0] ^= 1;
        }
        hello->heads = heads;
    }
    return true;
}

static bool no_session(struct world_link *link, int to, struct message *message)
{
    if (to == END_PARENT && link->end[END_CHILD] == office && message->type == MESSAGE_HELLO) {
        message->u.hello.session_count = 0;
    }
    return true;
}

/* ---- normal ---- */

static void test_all_equal(void **state)
{
    (void)state;
    world.tap = count_rows;
    cells_up = entries_up = 0;
    reconnect();
    assert_int_equal(cells_up, 0);
    assert_int_equal(entries_up, 0);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_false(state_alarm(root, "").there);
    assert_int_equal(state_status(office, "").uplink, UPLINK_LINKED);
}

static void test_child_ahead(void **state)
{
    (void)state;
    world_cut(office, false);
    world_settle();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(world_record(office, "42", "raised", "1", "2025-02-03")->err, ERR_OK);
    }
    assert_int_equal(state_status(office, "").unescrowed, 3);
    world.tap = count_rows;
    cells_up = entries_up = 0;
    (void)world_connect(office);
    world_settle();
    assert_int_equal(entries_up, 3);
    assert_int_equal(cells_up, 1);
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 8);
}

/* The parent was put back: what it lacks comes again and nothing counts twice. */
static void test_parent_has_less(void **state)
{
    (void)state;
    char copy[WORLD_PATH_BYTES + 8];
    keep_copy(root, copy);
    tree_connect_all();
    assert_int_equal(world_record(office, "42", "raised", "10", "2025-02-03")->err, ERR_OK);
    assert_int_equal(world_record(other, "43", "raised", "3", "2025-02-03")->err, ERR_OK);
    world_settle();
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 18);
    put_back(root, copy);
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 5);
    tree_relink();
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 18);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_false(state_alarm(root, "").there);
    assert_true(state_verify(root).ok);
    assert_int_equal(state_status(office, "").unescrowed, 0);
}

/* What the child has of the parent's feed was given in a time that the parent's file has lost,
 * under a session that it knows; the same numbers stand for other rows now, and all comes down
 * again. */
static void test_place_of_a_lost_time(void **state)
{
    (void)state;
    char copy[WORLD_PATH_BYTES + 8];
    (void)snprintf(copy, sizeof copy, "%s.copy", root->path);
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(root->store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
        SQLITE_OK);
    tree_copy_file(root->path, copy);
    for (int i = 0; i < 40; i++) {
        char code[16];
        (void)snprintf(code, sizeof code, "43.%d", i);
        assert_int_equal(tree_unit(other, code, "branch", "")->err, ERR_OK);
        world_settle();
    }
    put_back(root, copy);
    assert_int_equal(world_record(root, "42", "visits", "1", "2024-01-01")->err, ERR_OK);
    for (int i = 0; i < 60; i++) {
        char day[16];
        (void)snprintf(day, sizeof day, "2024-%02d-%02d", 2 + i % 10, 1 + i % 7);
        assert_int_equal(world_record(root, "43", "visits", "1", day)->err, ERR_OK);
    }
    tree_relink();
    assert_int_equal(tree_total(office, "42", "visits", "2024").value, 1);
    assert_int_equal(tree_total(other, "43", "visits", "2024").value, 60);
    assert_int_equal(tree_total(root, "4", "visits", "2024").value, 61);
}

/* The same of a child's file: its feed's numbers are not those that the parent has seen. Without an
 * entry of its own that is missing, only they tell. */
static void test_child_of_a_lost_time(void **state)
{
    (void)state;
    char copy[WORLD_PATH_BYTES + 8];
    struct world_node *leaf = tree_child(other, "431", "commune");
    tree_relink();
    (void)snprintf(copy, sizeof copy, "%s.copy", other->path);
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(other->store->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
        SQLITE_OK);
    tree_copy_file(other->path, copy);
    assert_int_equal(world_record(leaf, "431", "visits", "1", "2024-01-01")->err, ERR_OK);
    world_settle();
    put_back(other, copy);
    for (int i = 1; i < 40; i++) {
        char day[16];
        (void)snprintf(day, sizeof day, "2024-%02d-%02d", 2 + i % 10, 1 + i % 7);
        assert_int_equal(world_record(leaf, "431", "visits", "1", day)->err, ERR_OK);
    }
    (void)world_connect(leaf);
    world_settle();
    (void)world_connect(other);
    world_settle();
    tree_relink();
    assert_int_equal(state_status(other, "").uplink, UPLINK_LINKED);
    assert_int_equal(state_of_child(root, "43"), LINK_EXACT);
    assert_int_equal(tree_total(root, "4", "visits", "2024").value, 40);
    assert_true(state_verify(root).ok);
}

/* ---- refusals ---- */

static void check_whole(int64_t value, int64_t entries)
{
    static const char *const UNITS[] = {"4", "42"};
    for (size_t i = 0; i < 2; i++) {
        struct tree_total total = tree_total(root, UNITS[i], "raised", "2025");
        assert_int_equal(total.value, value);
        assert_int_equal(total.entries, entries);
    }
    assert_int_equal(tree_total(office, "42", "raised", "2025").value, value);
    assert_int_equal(tree_total(office, "42", "raised", "2025").entries, entries);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_int_equal(state_status(office, "").uplink, UPLINK_LINKED);
    assert_int_equal(state_status(office, "").unescrowed, 0);
    for (int i = 0; i < 2; i++) {
        struct world_node *n = i == 0 ? root : office;
        state_audit(n);
        assert_false(state_alarm(n, "").there);
        struct state_verify verify = state_verify(n);
        assert_string_equal(verify.first, "");
        assert_true(verify.ok);
    }
}

/* What the office had sent before it was put back comes back to it; nothing is recorded twice. */
static void test_lost_tail(void **state)
{
    (void)state;
    char copy[WORLD_PATH_BYTES + 8];
    keep_copy(office, copy);
    tree_connect_all();
    assert_int_equal(world_record(office, "42", "raised", "10", "2025-02-03")->err, ERR_OK);
    world_settle();
    tree_restart(office);
    tree_relink();
    assert_int_equal(world_record(office, "42", "raised", "3", "2025-02-03")->err, ERR_OK);
    world_settle();
    put_back(office, copy);
    tree_relink();
    check_whole(18, 3);
}

/* People typed on before the link came, some of it what they had typed before; put back again and
 * again, from the same copy. */
static void test_lost_tail_and_typed_since(void **state)
{
    (void)state;
    char copy[WORLD_PATH_BYTES + 8];
    keep_copy(office, copy);
    tree_connect_all();
    assert_int_equal(world_record_key(office, "42", "raised", "10", "2025-02-03", "k1")->err,
                     ERR_OK);
    world_settle();
    int64_t value = 15;
    int64_t entries = 2;
    for (int i = 0; i < 3; i++) {
        char text[16];
        put_back(office, copy);
        (void)snprintf(text, sizeof text, "%d", 100 * (i + 1));
        assert_int_equal(world_record(office, "42", "raised", text, "2025-02-03")->err, ERR_OK);
        assert_int_equal(world_record_key(office, "42", "raised", "10", "2025-02-03", "k1")->err,
                         ERR_OK);
        tree_relink();
        value += 100 * (i + 1);
        entries += 2;
        check_whole(value, entries);
        assert_int_equal(world_record(office, "42", "raised", "1", "2025-02-03")->err, ERR_OK);
        world_settle();
        check_whole(++value, ++entries);
        assert_true(world_record_key(office, "42", "raised", "10", "2025-02-03", "k1")->row.known);
    }
}

/* Put back without a lost entry of its own: the session gives it away, and its feed starts anew. */
static void test_unknown_session(void **state)
{
    (void)state;
    char copy[WORLD_PATH_BYTES + 8];
    keep_copy(other, copy);
    tree_relink();
    tree_restart(other);
    tree_relink();
    put_back(other, copy);
    tree_relink();
    assert_int_equal(state_of_child(root, "43"), LINK_EXACT);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_false(state_alarm(root, "").there);
}

/* The machine comes back whose session has ended: it is the copy now. */
static void test_ended_session(void **state)
{
    (void)state;
    char early[WORLD_PATH_BYTES + 8];
    char late[WORLD_PATH_BYTES + 8];
    (void)snprintf(late, sizeof late, "%s.late", office->path);
    keep_copy(office, early);
    tree_connect_all();
    assert_int_equal(world_record(office, "42", "raised", "10", "2025-02-03")->err, ERR_OK);
    world_settle();
    tree_close(office);
    tree_copy_file(office->path, late);
    tree_copy_file(early, office->path);
    tree_open(office);
    tree_relink();
    check_whole(15, 2);
    put_back(office, late);
    tree_relink();
    check_turned_away("two machines have the data", LINK_FENCED, UPLINK_FENCED);
    assert_int_equal(tree_total(root, "42", "raised", "2025").value, 15);
}

static void test_fork(void **state)
{
    (void)state;
    world.tap = other_hash;
    reconnect();
    check_turned_away("two machines have the data", LINK_FENCED, UPLINK_FENCED);
}

static void test_no_common_version(void **state)
{
    (void)state;
    world.tap = other_version;
    reconnect();
    check_refused("speaks 7 to 9, this office 1 to 1");
}

/* Also when it is the first thing that is ever heard of that node. */
static void test_no_common_version_at_first(void **state)
{
    (void)state;
    struct world_node *fresh = tree_child(root, "44", "district");
    office = fresh;
    world.tap = other_version;
    (void)world_connect(fresh);
    world_settle();
    struct state_status above = state_status(root, "44");
    assert_int_equal(above.of_child.state, LINK_REFUSED);
    assert_non_null(strstr(above.of_child.text, "speaks 7 to 9, this office 1 to 1"));
}

static void test_other_tree(void **state)
{
    (void)state;
    world.tap = other_tree;
    reconnect();
    check_refused("belongs to another tree");
}

static void test_broken_hello(void **state)
{
    (void)state;
    world.tap = no_session;
    reconnect();
    assert_int_equal(state_status(office, "").uplink, UPLINK_REFUSED);
    assert_int_not_equal(state_of_child(root, "42"), LINK_EXACT);
}

/* What is mended is not refused for ever, and the alarm goes. */
static void test_refusal_ends(void **state)
{
    (void)state;
    world.tap = other_version;
    reconnect();
    assert_int_equal(state_of_child(root, "42"), LINK_REFUSED);
    world.tap = NULL;
    reconnect();
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_string_equal(state_status(root, "42").of_child.text, "");
    assert_int_equal(state_status(office, "").uplink, UPLINK_LINKED);
    assert_false(state_alarm(root, "").there);
    assert_false(state_alarm(office, "").there);
}

static void test_unknown_key(void **state)
{
    (void)state;
    office->key.b[0] ^= 1;
    reconnect();
    struct state_status below = state_status(office, "");
    assert_int_equal(below.uplink, UPLINK_REFUSED);
    assert_non_null(strstr(below.uplink_text, "no node with that key"));
    assert_int_not_equal(state_of_child(root, "42"), LINK_EXACT);
}

static void test_revoked_key(void **state)
{
    (void)state;
    struct store_hosting hosting;
    assert_int_equal(store_hosting_by_key(root->store, &office->key, &root->node->origin, &hosting),
                     ERR_OK);
    hosting.revoked = true;
    assert_int_equal(store_begin(root->store), ERR_OK);
    assert_int_equal(store_hosting_put(root->store, &hosting), ERR_OK);
    assert_int_equal(store_commit(root->store), ERR_OK);
    reconnect();
    struct state_status below = state_status(office, "");
    assert_int_equal(below.uplink, UPLINK_REFUSED);
    assert_non_null(strstr(below.uplink_text, "revoked"));
}

static bool has_parent(const struct hash *key, int64_t number)
{
    const struct node_identity *identity = node_identity(office->node);
    return hash_equal(&identity->parent_key, key) && identity->parent_number == number;
}

/* Whoever answers where the parent was is kept as the parent when it has welcomed, not before. */
static void test_new_machine_above(void **state)
{
    (void)state;
    struct hash old = node_identity(office->node)->parent_key;
    struct hash key = {{7}};
    world.tap = other_version; /* which is refused */
    node_on_parent(office->node, &key, 5);
    reconnect();
    assert_true(has_parent(&old, 0));
    world.tap = NULL;
    tree_relink();
    assert_true(has_parent(&key, 5));
    tree_restart(office);
    assert_true(has_parent(&key, 5));
    tree_relink();
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
}

/* An office that starts over and over while its parent is away, as a machine does whose port is
 * taken or whose power comes and goes, is still the one that the parent knows. */
static void test_many_starts(void **state)
{
    (void)state;
    world_cut(office, false);
    world_settle();
    tree_close(root);
    for (int i = 0; i < SESSIONS_MAX + 20; i++) {
        tree_restart(office);
    }
    tree_open(root);
    tree_relink();
    world_settle();
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_false(state_alarm(root, "").there);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_all_equal),
                                       CASE(test_child_ahead),
                                       CASE(test_parent_has_less),
                                       CASE(test_place_of_a_lost_time),
                                       CASE(test_child_of_a_lost_time),
                                       CASE(test_lost_tail),
                                       CASE(test_lost_tail_and_typed_since),
                                       CASE(test_unknown_session),
                                       CASE(test_ended_session),
                                       CASE(test_fork),
                                       CASE(test_no_common_version),
                                       CASE(test_no_common_version_at_first),
                                       CASE(test_other_tree),
                                       CASE(test_broken_hello),
                                       CASE(test_refusal_ends),
                                       CASE(test_unknown_key),
                                       CASE(test_revoked_key),
                                       CASE(test_new_machine_above),
                                       CASE(test_many_starts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

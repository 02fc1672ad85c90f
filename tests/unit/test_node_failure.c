/* layer: node store codec */
/* A batch that the disk refuses has not happened: not in the file, not in memory, not for anybody
 * who was in it. And afterwards everything goes on. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *middle;
static struct world_node *leaf;

static int set_up_with(const struct catalogue *catalogue)
{
    tree_begin(11);
    root = tree_root("4", catalogue);
    middle = tree_child(root, "42", "district");
    leaf = tree_child(middle, "421", "commune");
    tree_relink();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(tree_catalogue(1));
}

static int set_up_bare(void **state)
{
    (void)state;
    return set_up_with(NULL);
}

/* The file cannot grow any more; 0 lets it. */
static void fill_disk(struct world_node *n, bool full)
{
    char sql[64];
    /* Less than there are means as many as there are. */
    (void)snprintf(sql, sizeof sql, "PRAGMA max_page_count=%d", full ? 1 : 1000000);
    assert_int_equal(sqlite3_exec(n->store->db, sql, NULL, NULL, NULL), SQLITE_OK);
    world.may_fail = full;
}

static const char *long_note(void)
{
    static char note[NOTE_MAX_BYTES + 1];
    memset(note, 'x', NOTE_MAX_BYTES);
    return note;
}

/* Many rows, which need new pages. */
static uint64_t import_in(struct world_node *n, const char *unit)
{
    enum { ROWS = 300 };
    static struct record_row rows[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = world_row(unit, "raised", "1", "2025-02-03");
        rows[i].note = long_note();
    }
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = rows, .row_count = ROWS}};
    return world_ask_in(n, &request);
}

static enum err import_fails(struct world_node *n, const char *unit)
{
    world_begin(n);
    uint64_t id = import_in(n, unit);
    enum err err = world_commit(n);
    const struct world_reply *reply = world_reply_to(id);
    assert_non_null(reply);
    assert_int_equal(reply->err, err);
    assert_true(err == ERR_OK || strstr(reply->text, "the disk is full") != NULL);
    return err;
}

static void check_whole(void)
{
    assert_true(state_verify(root).ok);
    assert_true(state_verify(middle).ok);
    assert_true(state_verify(leaf).ok);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_int_equal(state_of_child(middle, "421"), LINK_EXACT);
}

/* What memory keeps of the file is what the file says. */
static void check_memory(struct world_node *n)
{
    const struct node *node = n->node;
    int64_t number;
    int64_t held;
    assert_int_equal(store_fact_int(n->store, "head", 0, &number), ERR_OK);
    assert_int_equal(node->head, number);
    assert_int_equal(store_ledger_length(n->store, node->own_origin, &number, &held), ERR_OK);
    assert_int_equal(node->ledger_length, held);
    assert_int_equal(store_fact_int(n->store, "catalogue_version", 0, &number), ERR_OK);
    assert_int_equal(node->view.catalogue.version, number);
    assert_int_equal(store_fact_int(n->store, "tree_version", 0, &number), ERR_OK);
    assert_int_equal(node->view.tree_version, number);
    assert_string_equal(node_identity(node)->unit, n->unit);
    struct store_segment segment;
    if (node->segment.id != 0) {
        assert_int_equal(store_segment_get(n->store, node->segment.id, &segment), ERR_OK);
        assert_int_equal(node->segment.length, segment.length);
        assert_true(hash_equal(&node->segment.hash, &segment.hash));
    }
    size_t at = 0;
    const void *key;
    void *value;
    while (map_next(&node->origins, &at, &key, &value)) {
        const struct cached_origin *cached = value;
        struct store_origin row;
        assert_int_equal(store_origin_get(n->store, *(const int64_t *)key, &row), ERR_OK);
        assert_true(id_equal(&row.digest, &cached->row.digest));
        assert_int_equal(row.cell_count, cached->row.cell_count);
    }
}

static void test_recording_on_a_full_disk(void **state)
{
    (void)state;
    fill_disk(leaf, true);
    assert_int_equal(import_fails(leaf, "421"), ERR_DISK_FULL);
    check_memory(leaf);
    assert_int_equal(tree_total(leaf, "421", "raised", "2025").entries, 0);
    assert_int_equal(state_status(leaf, "").ledger, 0);
    world_settle();
    assert_int_equal(state_of_child(middle, "421"), LINK_OFFLINE);
    fill_disk(leaf, false);
    assert_int_equal(import_fails(leaf, "421"), ERR_OK);
    tree_relink();
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 300);
    check_whole();
}

/* The parent cannot take the batch: it is not acknowledged, nothing of it is there, and what other
 * children said in the same batch comes again too. */
static void test_batch_from_a_child_on_a_full_disk(void **state)
{
    (void)state;
    assert_int_equal(import_fails(leaf, "421"), ERR_OK);
    fill_disk(middle, true);
    world_settle();
    check_memory(middle);
    assert_int_equal(tree_total(middle, "42", "raised", "2025").entries, 0);
    assert_int_equal(state_status(leaf, "").unescrowed, 300);
    assert_int_not_equal(state_of_child(middle, "421"), LINK_EXACT);
    assert_int_not_equal(state_status(middle, "").uplink, UPLINK_LINKED);
    for (int i = 0; i < 3; i++) {
        tree_relink();
        check_memory(middle);
    }
    fill_disk(middle, false);
    tree_relink();
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 300);
    assert_int_equal(state_status(leaf, "").unescrowed, 0);
    check_whole();
}

/* Whoever waits is told, in the failed batch or before it. */
static void test_waiting_clients_are_told(void **state)
{
    (void)state;
    world_cut(leaf, false);
    world_settle();
    assert_int_equal(world_record(leaf, "421", "raised", "1", "2025-02-03")->err, ERR_OK);
    struct msg_request wait = {.type = REQUEST_WAIT,
                               .u.wait = {.level = WAIT_PARENT, .timeout_ms = 3600000}};
    assert_null(world_ask(leaf, &wait));
    uint64_t before = wait.id;
    fill_disk(leaf, true);
    world_begin(leaf);
    (void)import_in(leaf, "421");
    struct msg_request second = wait;
    uint64_t within = world_ask_in(leaf, &second);
    assert_int_equal(world_commit(leaf), ERR_DISK_FULL);
    assert_non_null(world_reply_to(within));
    assert_int_equal(world_reply_to(within)->err, ERR_DISK_FULL);
    fill_disk(leaf, false);
    tree_relink();
    assert_non_null(world_reply_to(before));
}

static void test_a_first_catalogue_that_does_not_fit(void **state)
{
    (void)state;
    fill_disk(root, true);
    /* Large, so that it needs pages. */
    static struct catalogue wide_one;
    static char names[200][128];
    static struct measure measures[200];
    wide_one = *tree_catalogue(1);
    for (size_t i = 0; i < 200; i++) {
        measures[i] = wide_one.measures[0];
        (void)snprintf(names[i], sizeof names[i], "m%zu_%0100d", i, 0);
        names[i][60] = '\0';
        measures[i].code = names[i];
    }
    wide_one.measures = measures;
    wide_one.measure_count = 200;
    assert_int_equal(tree_apply(root, &wide_one)->err, ERR_DISK_FULL);
    check_memory(root);
    fill_disk(root, false);
    const struct world_reply *reply = tree_apply(root, &wide_one);
    assert_string_equal(reply->text, "");
    assert_int_equal(reply->version, 1);
    tree_relink();
    assert_int_equal(leaf->node->view.catalogue.version, 1);
    check_memory(leaf);
    check_whole();
}

static void test_units_that_do_not_fit(void **state)
{
    (void)state;
    enum { UNITS = 400 };
    static struct unit_new units[UNITS];
    static char codes[UNITS][16];
    for (size_t i = 0; i < UNITS; i++) {
        (void)snprintf(codes[i], sizeof codes[i], "u%zu", i);
        units[i] = (struct unit_new){.code = codes[i],
                                     .name = "A name that is long enough to take some room",
                                     .level = "branch",
                                     .parent = ""};
    }
    struct msg_request request = {.type = REQUEST_UNITS,
                                  .u.units = {.units = units, .unit_count = UNITS}};
    fill_disk(leaf, true);
    assert_int_equal(world_ask(leaf, &request)->err, ERR_DISK_FULL);
    check_memory(leaf);
    assert_int_equal(leaf->node->view.tree.count, 1);
    fill_disk(leaf, false);
    assert_int_equal(world_ask(leaf, &request)->recorded, UNITS);
    tree_relink();
    assert_int_equal(root->node->view.tree.count, 3 + UNITS);
    check_whole();
}

/* A part that is taken back inside a batch: the segment that it began, its cells and its revisions
 * are gone, and what came before it in the batch stays. */
static void test_part_taken_back(void **state)
{
    (void)state;
    struct record_row rows[3];
    const char *most = "1000000000000000";
    tree_restart(leaf);
    world_begin(leaf);
    struct store_cell_key key = {.period = 2025 * 12 + 1, .origin = leaf->node->own_origin};
    struct pending_cell *pending;
    assert_int_equal(node_write(leaf->node), ERR_OK);
    assert_int_equal(node_symbol(leaf->node, "421", &key.unit), ERR_OK);
    assert_int_equal(node_symbol(leaf->node, "raised", &key.measure), ERR_OK);
    assert_int_equal(node_symbol(leaf->node, "", &key.category), ERR_OK);
    assert_int_equal(cells_touch(leaf->node, &key, &pending), ERR_OK);
    pending->now.value = INT64_MAX - 1500000000000000; /* one more fits, a second does not */
    pending->now.count = 9223;
    pending->now.live = 9223;
    for (int i = 0; i < 3; i++) {
        rows[i] = world_row("421", i == 0 ? "visits" : "raised", most, "2025-02-03");
    }
    struct msg_request whole = {.type = REQUEST_RECORD, .u.record = {.rows = rows, .row_count = 3}};
    struct msg_request part = {.type = REQUEST_RECORD, .u.record = {.rows = rows, .row_count = 1}};
    uint64_t refused = world_ask_in(leaf, &whole);
    uint64_t taken = world_ask_in(leaf, &part);
    assert_int_equal(world_commit(leaf), ERR_OK);
    assert_int_equal(world_reply_to(refused)->recorded, 0);
    assert_int_equal(world_reply_to(refused)->refused, 1);
    assert_int_equal(world_reply_to(taken)->recorded, 1);
    check_memory(leaf);
    assert_int_equal(state_status(leaf, "").ledger, 1);
    assert_int_equal(tree_total(leaf, "421", "visits", "2025").entries, 1);
    assert_int_equal(tree_total(leaf, "421", "raised", "2025").entries, 9223);
}

/* A welcome and then an import that is taken back, in one batch: what the welcome says of the tree
 * must outlive the tree that is loaded anew. */
static void test_welcome_outlives_what_is_taken_back(void **state)
{
    (void)state;
    struct arena arena;
    struct record_row rows[2] = {world_row("421", "raised", "1", "2025-02-03"),
                                 world_row("421", "nothing", "1", "2025-02-03")};
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = rows, .row_count = 2}};
    arena_init(&arena, (size_t)64 << 20);
    world_cut(leaf, false);
    world_settle();
    struct world_link *link = world_connect(leaf);
    (void)world_turn(leaf, SIZE_MAX);
    world_begin(middle);
    (void)world_deliver(link, END_PARENT, SIZE_MAX, &arena);
    uint64_t id = world_ask_in(middle, &request);
    assert_int_equal(world_commit(middle), ERR_OK);
    assert_int_equal(world_reply_to(id)->recorded, 0);
    assert_int_equal(world_reply_to(id)->refused, 1);
    world_settle();
    arena_reset(&arena);
    assert_int_equal(state_status(leaf, "").uplink, UPLINK_LINKED);
}

/* The same for units: a request with one bad unit, or one that only asks. */
static void test_units_taken_back(void **state)
{
    (void)state;
    struct unit_new units[] = {
        {.line = 1, .code = "a", .name = "A", .level = "branch", .parent = ""},
        {.line = 2, .code = "b", .name = "B", .level = "province", .parent = "a"}};
    struct msg_request request = {.type = REQUEST_UNITS,
                                  .u.units = {.units = units, .unit_count = 2}};
    const struct world_reply *reply = world_ask(leaf, &request);
    assert_int_equal(reply->recorded, 0);
    assert_int_equal(reply->refused, 1);
    check_memory(leaf);
    units[1].level = "branch";
    units[1].parent = "";
    request.u.units.check_only = true;
    assert_int_equal(world_ask(leaf, &request)->refused, 0);
    check_memory(leaf);
    assert_int_equal(leaf->node->view.tree.count, 1);
    request.u.units.check_only = false;
    assert_int_equal(world_ask(leaf, &request)->recorded, 2);
    check_memory(leaf);
    world_settle();
    check_whole();
}

#define CASE(test, begin) cmocka_unit_test_setup_teardown(test, begin, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_recording_on_a_full_disk, set_up),
                                       CASE(test_batch_from_a_child_on_a_full_disk, set_up),
                                       CASE(test_waiting_clients_are_told, set_up),
                                       CASE(test_a_first_catalogue_that_does_not_fit, set_up_bare),
                                       CASE(test_units_that_do_not_fit, set_up),
                                       CASE(test_part_taken_back, set_up),
                                       CASE(test_welcome_outlives_what_is_taken_back, set_up),
                                       CASE(test_units_taken_back, set_up)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

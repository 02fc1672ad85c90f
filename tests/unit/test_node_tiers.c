/* layer: node store codec */
/* Several tiers lose at the same time, and acts of theirs with it: the file of an office in the
 * middle is put back, that of the one below it is lost, the ones at the bottom keep their data.
 * What must come out is kept beside the nodes: every value that was recorded, by its unit. */
#include "test_node_state.h"

enum { UNITS = 8 };

static struct world_node *province;
static struct world_node *district; /* put back */
static struct world_node *commune;  /* its file is lost */
static struct world_node *branches[4];
static struct fact {
    const char *unit;
    wide value;
} facts[UNITS];
static size_t fact_count;

static const struct under {
    const char *unit;
    const char *parent;
} UNDER[] = {{"4", ""},       {"42", "4"},     {"421", "42"},  {"422", "42"},
             {"4211", "421"}, {"4212", "421"}, {"4213", "421"}};

static void record(struct world_node *n, const char *unit, int value)
{
    char text[16];
    size_t i = 0;
    while (i < fact_count && strcmp(facts[i].unit, unit) != 0) {
        i++;
    }
    assert_true(i < UNITS);
    fact_count += i == fact_count ? 1 : 0;
    facts[i].unit = unit;
    facts[i].value += value;
    (void)snprintf(text, sizeof text, "%d", value);
    assert_string_equal(world_record(n, unit, "raised", text, "2025-02-03")->text, "");
}

static bool lies_under(const char *unit, const char *top)
{
    while (unit[0] != '\0' && strcmp(unit, top) != 0) {
        size_t i = 0;
        while (strcmp(UNDER[i].unit, unit) != 0) {
            i++;
            assert_true(i < sizeof UNDER / sizeof *UNDER);
        }
        unit = UNDER[i].parent;
    }
    return unit[0] != '\0';
}

/* Every total that the node can give of the units it knows. */
static void check_totals(struct world_node *n)
{
    for (size_t i = 0; i < sizeof UNDER / sizeof *UNDER; i++) {
        wide want = 0;
        if (view_unit_by_code(&n->node->view, UNDER[i].unit) == TREE_NONE ||
            !lies_under(UNDER[i].unit, n->unit)) {
            continue;
        }
        for (size_t j = 0; j < fact_count; j++) {
            want += lies_under(facts[j].unit, UNDER[i].unit) ? facts[j].value : 0;
        }
        struct tree_total total = tree_total(n, UNDER[i].unit, "raised", "2025");
        assert_string_equal(total.error, "");
        if (total.value != want || total.exact != total.nodes || total.held != 0) {
            fail_msg("%s at %s: %lld, not %lld; %lld of %lld exact, %lld held", UNDER[i].unit,
                     n->unit, (long long)total.value, (long long)want, (long long)total.exact,
                     (long long)total.nodes, (long long)total.held);
        }
    }
}

/* The first time it tells of the file that was set aside. */
static void check_sound(struct world_node *n)
{
    if (!state_verify(n).ok) {
        world_begin(n);
        node_on_verified(n->node);
        assert_int_equal(world_commit(n), ERR_OK);
    }
    assert_string_equal(state_verify(n).first, "");
}

static void check(void)
{
    for (size_t i = 0; i < world.count; i++) {
        struct world_node *n = &world.nodes[i];
        check_totals(n);
        check_sound(n);
        assert_int_equal(view_unit_by_code(&n->node->view, n->unit), n->node->view.self);
    }
    for (size_t i = 0; i < sizeof UNDER / sizeof *UNDER; i++) {
        assert_int_not_equal(view_unit_by_code(&province->node->view, UNDER[i].unit), TREE_NONE);
    }
}

/* ---- files ---- */

static void keep(struct world_node *n)
{
    tree_keep(n);
    tree_relink();
}

/* Its keys are left, and who it is. */
static void lose_file(struct world_node *n)
{
    struct buf identity;
    struct errmsg msg;
    struct store *store;
    struct node_aside aside = {.name = "old-file", .text = "it is lost", .at = {5}};
    buf_init(&identity, 1 << 16);
    assert_int_equal(node_identity_bytes(n->store, &identity), ERR_OK);
    tree_close(n);
    tree_unlink(n->path);
    assert_int_equal(store_open(n->path, STORE_CREATE, &store, &msg), ERR_OK);
    assert_int_equal(node_make_again(store, buf_bytes(&identity), &n->key, &aside, &msg), ERR_OK);
    store_close(store);
    buf_deinit(&identity);
    tree_open(n);
}

/* Links as they come about in that order; then all of them. */
static void come_back(struct world_node *const *order, size_t count)
{
    world_settle();
    for (size_t i = 0; i < count; i++) {
        (void)world_connect(order[i]);
        world_settle();
    }
    for (int i = 0; i < 3; i++) {
        tree_relink();
    }
    world_pass(6000);
}

static int set_up(void **state)
{
    (void)state;
    fact_count = 0;
    memset(facts, 0, sizeof facts);
    tree_begin(59);
    province = tree_root("4", tree_catalogue(1));
    district = tree_child(province, "42", "district");
    tree_relink();
    commune = tree_child(district, "421", "commune");
    tree_relink();
    branches[0] = tree_child(commune, "4211", "branch");
    tree_relink();
    record(district, "42", 1);
    record(commune, "421", 2);
    record(branches[0], "4211", 20);
    world_settle();
    return 0;
}

/* What was decided and recorded since the district's backup: at every tier. */
static void go_on(void)
{
    branches[1] = tree_child(commune, "4212", "branch");
    assert_string_equal(tree_unit(commune, "4213", "branch", "421")->text, "");
    tree_relink();
    branches[2] = tree_child(commune, "4213", "");
    tree_relink();
    branches[3] = tree_child(district, "422", "commune");
    tree_relink();
    (void)tree_apply(province, tree_catalogue(2));
    world_settle();
    record(branches[0], "4211", 300);
    record(branches[1], "4212", 4000);
    record(branches[2], "4213", 50000);
    record(branches[3], "422", 600000);
    record(district, "42", 7000000);
    world_settle();
    check();
}

static void lose_both(struct world_node *const *order, size_t count)
{
    keep(district);
    go_on();
    tree_put_back(district);
    lose_file(commune);
    come_back(order, count);
    check();
    record(branches[1], "4212", 80000000);
    record(commune, "421", 900000000);
    world_settle();
    check();
}

static void test_from_above(void **state)
{
    (void)state;
    struct world_node *order[] = {district, commune};
    lose_both(order, 2);
}

static void test_from_below(void **state)
{
    (void)state;
    struct world_node *order[] = {branches[0], commune, district};
    lose_both(order, 3);
}

/* The root too: its escrow of the district is older than what the district had decided. */
static void test_root_too(void **state)
{
    (void)state;
    struct world_node *order[] = {commune, district};
    keep(province);
    keep(district);
    branches[1] = tree_child(commune, "4212", "branch");
    branches[3] = tree_child(district, "422", "commune");
    assert_string_equal(tree_unit(commune, "4213", "branch", "421")->text, "");
    (void)tree_apply(province, tree_catalogue(2));
    tree_relink();
    record(branches[1], "4212", 4000);
    record(branches[3], "422", 600000);
    record(commune, "4213", 50000);
    world_settle();
    check();
    tree_put_back(province);
    tree_put_back(district);
    come_back(order, 2);
    check();
    assert_int_equal(province->node->view.catalogue.version, 2);
}

/* Units that the root had made, with nodes below: the one in the middle loses its file. */
static void test_units_of_the_root(void **state)
{
    (void)state;
    assert_string_equal(tree_unit(province, "43", "district", "4")->text, "");
    assert_string_equal(tree_unit(province, "431", "commune", "43")->text, "");
    struct world_node *office = tree_child(province, "43", "");
    tree_relink();
    struct world_node *below = tree_child(office, "431", "");
    tree_relink();
    assert_string_equal(world_record(below, "431", "raised", "5", "2025-02-03")->text, "");
    assert_string_equal(world_record(office, "43", "raised", "60", "2025-02-03")->text, "");
    world_settle();
    lose_file(office);
    come_back(&office, 1);
    assert_int_equal(tree_total(province, "43", "raised", "2025").value, 65);
    assert_int_equal(tree_total(office, "43", "raised", "2025").value, 65);
    check_sound(office);
    check_sound(province);
}

/* Again, as the counts say. */
static void check_decided_by_root(struct world_node *n, const char *unit)
{
    struct store_unit row;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    int place = view_unit_by_code(&n->node->view, unit);
    assert_int_not_equal(place, TREE_NONE);
    assert_int_equal(store_unit_get(n->store, n->node->view.tree.units[place].id, &arena, &row),
                     ERR_OK);
    assert_true(id_equal(&row.decider, &province->origin));
    assert_int_equal(row.count, 2);
    arena_reset(&arena);
}

/* The office in the middle has nothing of them either: what the one below it tells of the root's
 * deciding is kept there, and told on. */
static void test_units_told_on(void **state)
{
    (void)state;
    keep(province);
    assert_string_equal(tree_unit(province, "43", "district", "4")->text, "");
    assert_string_equal(tree_unit(province, "431", "commune", "43")->text, "");
    assert_string_equal(tree_unit(province, "4311", "branch", "431")->text, "");
    struct world_node *office = tree_child(province, "43", "");
    tree_relink();
    struct world_node *below = tree_child(office, "431", "");
    tree_relink();
    assert_string_equal(world_record(below, "431", "raised", "5", "2025-02-03")->text, "");
    world_settle();
    tree_put_back(province);
    lose_file(office);
    come_back(&office, 1);
    struct world_node *all[] = {province, office, below};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(tree_total(all[i], "431", "raised", "2025").value, 5);
        check_decided_by_root(all[i], "431");
        check_decided_by_root(all[i], "4311");
        check_sound(all[i]);
    }
    assert_int_equal(tree_total(province, "43", "raised", "2025").value, 5);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_from_above), TEST(test_from_below),
                                       TEST(test_root_too), TEST(test_units_of_the_root),
                                       TEST(test_units_told_on)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

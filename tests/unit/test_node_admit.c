/* layer: node store codec */
/* An office whose file was put back has lost what it had decided: the nodes below tell it back,
 * with their certificates, and nobody else is let in. The catalogue comes back too. Numbers that
 * were given out are not given out again. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *office;  /* was there before the backup */
static struct world_node *invited; /* came after it */

static int set_up(void **state)
{
    (void)state;
    world.tap = NULL;
    tree_begin(53);
    root = tree_root("4", tree_catalogue(1));
    office = tree_child(root, "42", "district");
    tree_relink();
    assert_string_equal(world_record(office, "42", "raised", "1", "2025-02-03")->text, "");
    world_settle();
    return 0;
}

/* ---- backups ---- */

static void keep(struct world_node *n)
{
    tree_keep(n);
    tree_relink();
}

/* A node that is invited after the backup, with an entry that is above. */
static struct world_node *invite(const char *unit, const char *value)
{
    struct world_node *n = tree_child(root, unit, "district");
    tree_relink();
    assert_string_equal(world_record(n, unit, "raised", value, "2025-02-03")->text, "");
    world_settle();
    return n;
}

/* The unit has a node: a new machine takes its place. */
static struct world_node *replace(struct world_node *n)
{
    struct msg_request request = {
        .type = REQUEST_INVITE,
        .u.invite = {
            .unit = n->unit, .name = "", .level = "", .expires_ms = 1000, .replace = true}};
    assert_string_equal(world_ask(n->parent, &request)->text, "");
    struct world_node *next = tree_add(n->unit);
    struct node_joiner joiner = {.node_key = next->key, .ca_key = next->key, .address = ""};
    next->parent = n->parent;
    struct msg_join join = tree_join_message(world.token, &joiner.exporter);
    world.joining = next;
    world_begin(n->parent);
    node_on_join(n->parent->node, 999999, &join, &joiner);
    assert_int_equal(world_commit(n->parent), ERR_OK);
    world.joining = NULL;
    tree_open(next);
    world_settle();
    return next;
}

/* ---- what is seen ---- */

static wide raised(struct world_node *n, const char *unit)
{
    struct tree_total total = tree_total(n, unit, "raised", "2025");
    assert_string_equal(total.error, "");
    return total.value;
}

static bool knows(struct world_node *n, const char *unit)
{
    return view_unit_by_code(&n->node->view, unit) != TREE_NONE;
}

static struct store_hosting hosting(struct world_node *n, const char *unit)
{
    struct store_hosting out = {.number = 0};
    int place = view_unit_by_code(&n->node->view, unit);
    if (place != TREE_NONE) {
        enum err err = store_hosting_get(n->store, n->node->view.tree.units[place].id, &out);
        assert_true(err == ERR_OK || err == ERR_NOT_FOUND);
    }
    return out;
}

static int64_t unit_count(struct world_node *n, const char *unit)
{
    struct store_unit row;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    int place = view_unit_by_code(&n->node->view, unit);
    assert_int_not_equal(place, TREE_NONE);
    assert_int_equal(store_unit_get(n->store, n->node->view.tree.units[place].id, &arena, &row),
                     ERR_OK);
    arena_reset(&arena);
    return row.count;
}

static int64_t acts(struct world_node *n)
{
    return state_number(n, "SELECT count(*) FROM entry WHERE own=1 AND kind=4");
}

static bool is_linked(const struct world_node *n)
{
    for (size_t i = 0; n->up != NULL && i < n->parent->node->link_count; i++) {
        const struct link *link = n->parent->node->links[i];
        if (link->id == n->up->id && link->state == SESSION_LIVE) {
            return true;
        }
    }
    return false;
}

static void check_sound(struct world_node *n)
{
    struct state_verify verify = state_verify(n);
    assert_string_equal(verify.first, "");
    assert_true(verify.ok);
    assert_string_equal(state_alarm(n, "").text, "");
}

static void check_refused(struct world_node *n, const char *unit, const char *words)
{
    tree_relink();
    assert_false(is_linked(n));
    assert_false(knows(root, unit));
    struct state_status status = state_status(n, "");
    assert_int_equal(status.uplink, UPLINK_REFUSED);
    assert_non_null(strstr(status.uplink_text, words));
    assert_int_equal(raised(root, "4"), 1);
}

/* ---- it is admitted ---- */

static void test_all_comes_back(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    assert_string_equal(tree_unit(invited, "431", "commune", "43")->text, "");
    assert_string_equal(world_record(invited, "431", "raised", "300", "2025-02-04")->text, "");
    world_settle();
    struct store_hosting before = hosting(root, "43");
    tree_put_back(root);
    int64_t decided = acts(root);
    assert_false(knows(root, "43"));
    tree_relink();
    assert_true(is_linked(invited));
    assert_int_equal(raised(root, "4"), 321);
    assert_int_equal(raised(root, "431"), 300);
    struct store_hosting after = hosting(root, "43");
    assert_true(id_equal(&after.origin, &before.origin) && id_equal(&after.node, &before.node));
    assert_true(hash_equal(&after.key, &before.key));
    assert_int_equal(after.number, before.number);
    assert_int_equal(after.count, before.count + 1);
    assert_int_equal(hosting(invited, "43").count, after.count);
    assert_int_equal(unit_count(root, "43"), 2);
    assert_int_equal(unit_count(invited, "43"), 2);
    assert_int_equal(acts(root), decided + 4); /* as many as the counts say */
    assert_int_equal(state_of_child(root, "43"), LINK_EXACT);
    assert_non_null(strstr(state_status(root, "43").of_child.text, "told this unit back"));
    check_sound(root);
    check_sound(invited);
    tree_restart(root);
    tree_relink();
    assert_int_equal(acts(root), decided + 4);
    assert_string_equal(world_record(invited, "43", "raised", "5000", "2025-02-05")->text, "");
    world_settle();
    assert_int_equal(raised(root, "4"), 5321);
    check_sound(root);
}

/* Put back again, to the same file. */
static void test_twice(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    for (int i = 0; i < 3; i++) {
        tree_put_back(root);
        tree_relink();
        assert_int_equal(raised(root, "4"), 21);
        assert_int_equal(hosting(root, "43").count, 2 + i);
        check_sound(root);
        check_sound(invited);
    }
}

/* The whole tree was made at the root, before its units had nodes. */
static void test_units_below(void **state)
{
    (void)state;
    keep(root);
    assert_string_equal(tree_unit(root, "43", "district", "4")->text, "");
    assert_string_equal(tree_unit(root, "431", "commune", "43")->text, "");
    assert_string_equal(tree_unit(root, "4311", "branch", "431")->text, "");
    invited = tree_child(root, "43", "");
    tree_relink();
    struct world_node *commune = tree_child(invited, "431", "");
    tree_relink();
    assert_string_equal(world_record(invited, "4311", "visits", "7", "2025-02-04")->text, "");
    assert_string_equal(world_record(commune, "4311", "raised", "90", "2025-02-04")->text, "");
    world_settle();
    tree_put_back(root);
    tree_relink();
    assert_int_equal(raised(root, "4311"), 90);
    assert_int_equal(raised(root, "4"), 91);
    assert_int_equal(tree_total(root, "43", "visits", "2025").value, 7);
    assert_int_equal(unit_count(root, "4311"), 2);
    assert_int_equal(unit_count(invited, "4311"), 2);
    assert_int_equal(unit_count(commune, "4311"), 2);
    check_sound(root);
    check_sound(invited);
    check_sound(commune);
}

/* A unit between the two that nobody has any more is named, and made again by hand. */
static void test_unit_between(void **state)
{
    (void)state;
    keep(root);
    assert_string_equal(tree_unit(root, "43", "district", "4")->text, "");
    assert_string_equal(tree_unit(root, "431", "commune", "43")->text, "");
    invited = tree_child(root, "431", "");
    tree_relink();
    assert_string_equal(world_record(invited, "431", "raised", "20", "2025-02-04")->text, "");
    world_settle();
    tree_put_back(root);
    check_refused(invited, "431", "tally unit add 43)");
    assert_string_equal(tree_unit(root, "43", "district", "4")->text, "");
    tree_relink();
    assert_int_equal(raised(root, "43"), 20);
    check_sound(root);
}

/* ---- machines of one unit ---- */

static void test_older_machine(void **state)
{
    (void)state;
    keep(root);
    struct world_node *old = invite("43", "20");
    invited = replace(old);
    tree_relink();
    assert_int_equal(raised(invited, "43"), 20);
    tree_put_back(root);
    world_settle();
    (void)world_connect(invited);
    world_settle();
    assert_true(is_linked(invited));
    tree_relink();
    assert_true(is_linked(invited));
    assert_false(is_linked(old));
    assert_non_null(strstr(state_status(old, "").uplink_text, "another machine has joined"));
    assert_int_equal(raised(root, "4"), 21);
    check_sound(root);
}

/* It comes first, and nobody can know; the newer one takes its place when it comes. */
static void test_older_machine_first(void **state)
{
    (void)state;
    keep(root);
    struct world_node *old = invite("43", "20");
    invited = replace(old);
    tree_relink();
    tree_put_back(root);
    world_settle();
    (void)world_connect(old);
    world_settle();
    assert_true(is_linked(old));
    (void)world_connect(invited);
    world_settle();
    assert_true(is_linked(invited));
    assert_false(is_linked(old));
    tree_relink();
    assert_false(is_linked(old));
    struct store_hosting now = hosting(root, "43");
    assert_true(hash_equal(&now.key, &invited->key));
    assert_int_equal(raised(root, "4"), 21);
    check_sound(root);
}

/* ---- who is not ---- */

static void test_no_certificate(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    invited->certified.b[0] ^= 1;
    tree_put_back(root);
    check_refused(invited, "43", "no node with that key");
}

/* As high as that of another machine here. */
static void test_number_too_low(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    tree_put_back(root);
    world_settle();
    (void)world_connect(office); /* which has heard of what the root does not know any more */
    world_settle();
    struct world_node *other = invite("43", "0");
    int64_t given = hosting(root, "43").number;
    assert_true(given >= 1000 + hosting(root, "42").number); /* it left room */
    invited->number = given;
    tree_relink();
    assert_false(is_linked(invited));
    assert_true(is_linked(other));
    assert_non_null(strstr(state_status(invited, "").uplink_text, "another machine has joined"));
    assert_int_equal(raised(root, "4"), 1);
}

static void test_revoked(void **state)
{
    (void)state;
    struct store_hosting row = hosting(root, "42");
    row.revoked = true;
    row.number += 5;
    row.key.b[0] ^= 1;
    assert_int_equal(store_begin(root->store), ERR_OK);
    assert_int_equal(store_hosting_put(root->store, &row), ERR_OK);
    assert_int_equal(store_commit(root->store), ERR_OK);
    tree_restart(root);
    office->number = row.number;
    tree_relink();
    assert_false(is_linked(office));
    assert_non_null(strstr(state_status(office, "").uplink_text, "was revoked"));
}

static struct id other_origin;
static const char *other_unit;
static int64_t other_number;
static size_t altered;

/* The hello of the one that was invited says other things. */
static bool alter(struct world_link *link, int to, struct message *message)
{
    struct msg_hello *hello = &message->u.hello;
    if (to != END_PARENT || message->type != MESSAGE_HELLO || link->end[END_CHILD] != invited) {
        return true;
    }
    if (!id_is_zero(&other_origin)) {
        hello->origin = hello->hosting.origin = other_origin;
    }
    hello->unit.code = other_unit != NULL ? other_unit : hello->unit.code;
    hello->hosting.unit = other_unit != NULL ? other_unit : hello->hosting.unit;
    hello->hosting.number = other_number > 0 ? other_number : hello->hosting.number;
    altered++;
    return true;
}

static void alter_nothing(void)
{
    other_origin = (struct id){{0}};
    other_unit = NULL;
    other_number = 0;
    altered = 0;
    world.tap = alter;
}

static void test_origin_of_another_unit(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    tree_put_back(root);
    alter_nothing();
    other_origin = office->origin;
    check_refused(invited, "43", "another unit's");
    assert_true(altered > 0);
    other_origin = root->origin;
    check_refused(invited, "43", "its certificate");
}

/* What it tells and what its certificate says are not the same. */
static void test_forged_number(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    tree_put_back(root);
    alter_nothing();
    other_number = invited->number + 1;
    check_refused(invited, "43", "its certificate");
    assert_true(altered > 0);
}

static void test_unit_above(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    tree_put_back(root);
    alter_nothing();
    other_unit = "4";
    (void)snprintf(invited->unit, sizeof invited->unit, "4");
    check_refused(invited, "43", "no node with that key");
    assert_int_equal(hosting(root, "4").number, 1);
}

/* At an office below the root: its own unit, the one above it, and one beside it. */
static void test_unit_elsewhere(void **state)
{
    (void)state;
    static const char *const UNITS[] = {"42", "4", "421"};
    keep(root);
    keep(office);
    invited = tree_child(office, "422", "commune");
    tree_relink();
    tree_put_back(root); /* with its escrow */
    tree_put_back(office);
    invited->number = 0;
    alter_nothing();
    assert_string_equal(tree_unit(office, "421", "commune", "42")->text, "");
    struct world_node *commune = tree_child(office, "421", "");
    tree_relink();
    struct world_node *branch = tree_child(commune, "4211", "branch");
    tree_relink();
    for (size_t i = 0; i < sizeof UNITS / sizeof *UNITS; i++) {
        other_unit = UNITS[i];
        int64_t number = hosting(office, UNITS[i]).number;
        (void)snprintf(invited->unit, sizeof invited->unit, "%s", UNITS[i]);
        invited->number = 1; /* below that of 421 */
        other_number = 1;
        world_cut(invited, false);
        tree_relink();
        assert_false(is_linked(invited));
        assert_int_equal(hosting(office, UNITS[i]).number, number);
    }
    other_unit = "4211"; /* which another office gives away */
    (void)snprintf(invited->unit, sizeof invited->unit, "4211");
    other_number = invited->number = 90000;
    world_cut(invited, false);
    tree_relink();
    assert_false(is_linked(invited));
    assert_true(is_linked(branch));
    assert_true(is_linked(commune));
}

/* Where rows cannot be found by their keys, none that is not found is taken for lost. */
static void test_unsound(void **state)
{
    (void)state;
    keep(root);
    invited = invite("43", "20");
    tree_put_back(root);
    root->node->unsound = true;
    tree_relink();
    assert_false(is_linked(invited));
    assert_int_equal(state_status(invited, "").uplink, UPLINK_CONNECTING);
    root->node->unsound = false;
    tree_relink();
    assert_true(is_linked(invited));
    assert_int_equal(raised(root, "4"), 21);
}

/* ---- below the root ---- */

/* The escrow may have the acts: while the office above is not there, the newcomer waits; and then
 * they are there, and nothing is decided again. */
static void test_waits_for_escrow(void **state)
{
    (void)state;
    keep(office);
    invited = tree_child(office, "421", "commune");
    tree_relink();
    assert_string_equal(world_record(invited, "421", "raised", "20", "2025-02-04")->text, "");
    world_settle();
    int64_t decided = acts(office);
    tree_close(root);
    tree_put_back(office);
    tree_relink();
    assert_false(knows(office, "421"));
    assert_false(is_linked(invited));
    assert_int_equal(state_status(invited, "").uplink, UPLINK_CONNECTING);
    tree_open(root);
    tree_relink();
    tree_relink();
    assert_true(is_linked(invited));
    assert_int_equal(acts(office), decided);
    assert_int_equal(hosting(office, "421").count, 1);
    assert_int_equal(raised(root, "4"), 21);
    check_sound(root);
    check_sound(office);
}

/* ---- the catalogue ---- */

static void test_catalogue(void **state)
{
    (void)state;
    struct world_node *commune = tree_child(office, "421", "commune");
    tree_relink();
    keep(root);
    assert_int_equal(tree_apply(root, tree_catalogue(2))->version, 2);
    assert_int_equal(tree_apply(root, tree_catalogue(3))->version, 3);
    world_settle();
    assert_string_equal(world_record(commune, "421", "boards", "9", "2025-02-04")->text, "");
    world_settle();
    tree_put_back(root);
    assert_int_equal(root->node->view.catalogue.version, 1);
    tree_relink();
    assert_int_equal(root->node->view.catalogue.version, 3);
    assert_int_equal(tree_total(root, "4", "boards", "2025").value, 9);
    check_sound(root);
    tree_restart(root);
    assert_int_equal(root->node->view.catalogue.version, 3);
    struct catalogue other = *tree_catalogue(3);
    ((struct measure *)other.measures)[0].name = "Money raised";
    uint64_t next = tree_apply(root, &other)->version;
    assert_true(next >= 1001);
    tree_relink();
    assert_int_equal(commune->node->view.catalogue.version, next);
    check_sound(commune);
}

/* An office in the middle has it from below before the one above it comes. */
static void test_catalogue_in_the_middle(void **state)
{
    (void)state;
    struct world_node *commune = tree_child(office, "421", "commune");
    tree_relink();
    keep(office);
    assert_int_equal(tree_apply(root, tree_catalogue(2))->version, 2);
    world_settle();
    tree_close(root);
    tree_put_back(office);
    assert_int_equal(office->node->view.catalogue.version, 1);
    tree_relink();
    assert_int_equal(office->node->view.catalogue.version, 2);
    assert_true(is_linked(commune));
    tree_open(root);
    tree_relink();
    check_sound(office);
}

static size_t sent;

static bool spoil(struct world_link *link, int to, struct message *message)
{
    (void)link;
    if (to == END_PARENT && message->type == MESSAGE_CATALOGUE) {
        message->u.catalogue.signature.b[0] ^= 1;
        sent++;
    }
    return true;
}

static void test_unsigned_catalogue(void **state)
{
    (void)state;
    keep(root);
    assert_int_equal(tree_apply(root, tree_catalogue(2))->version, 2);
    world_settle();
    tree_put_back(root);
    sent = 0;
    world.tap = spoil;
    tree_relink();
    assert_true(sent > 0);
    assert_true(is_linked(office));
    assert_int_equal(root->node->view.catalogue.version, 1);
    assert_true(state_alarm(root, "bad-signature").there);
    world.tap = NULL;
    world_cut(office, false);
    tree_relink();
    assert_int_equal(root->node->view.catalogue.version, 2);
}

/* ---- numbers ---- */

/* A file that says that it was put back leaves room before anybody below is heard. */
static void test_room(void **state)
{
    (void)state;
    struct errmsg msg;
    keep(root);
    int64_t highest = hosting(root, "42").number;
    tree_close(root);
    struct store *store;
    tree_copy_file(tree_copy_of(root), root->path);
    assert_int_equal(store_open(root->path, STORE_WRITE, &store, &msg), ERR_OK);
    assert_int_equal(node_put_back(store, &msg), ERR_OK);
    store_close(store);
    tree_open(root);
    invited = invite("43", "20");
    int64_t given = hosting(root, "43").number;
    assert_true(given >= highest + 1000);
    tree_restart(root);
    tree_relink();
    invited = replace(invited);
    assert_true(hosting(root, "43").number > given);
    given = hosting(root, "43").number;
    (void)replace(invited);
    assert_int_equal(hosting(root, "43").number, given + 1); /* room is left once */
    assert_true(tree_apply(root, tree_catalogue(2))->version >= 1001);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_all_comes_back),
                                       TEST(test_twice),
                                       TEST(test_units_below),
                                       TEST(test_unit_between),
                                       TEST(test_older_machine),
                                       TEST(test_older_machine_first),
                                       TEST(test_no_certificate),
                                       TEST(test_number_too_low),
                                       TEST(test_revoked),
                                       TEST(test_origin_of_another_unit),
                                       TEST(test_forged_number),
                                       TEST(test_unit_above),
                                       TEST(test_unit_elsewhere),
                                       TEST(test_unsound),
                                       TEST(test_waits_for_escrow),
                                       TEST(test_catalogue),
                                       TEST(test_catalogue_in_the_middle),
                                       TEST(test_unsigned_catalogue),
                                       TEST(test_room)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

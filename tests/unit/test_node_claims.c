/* layer: node store codec */
/* Whose data a child may bring: in a tree of 200 units every district in turn claims every unit.
 * What lies at or under it is taken; of everything else nothing is, and it is counted. */
#include "test_node_fake.h"

enum { DISTRICTS = 13, COMMUNES = 186, UNITS = 1 + DISTRICTS + COMMUNES };

static char codes[UNITS][16];
static int district_of[UNITS]; /* -1: the root's own */

/* Codes that begin with one another: 4, 41, 410, 4100, ... */
static void name_units(void)
{
    (void)snprintf(codes[0], sizeof codes[0], "4");
    district_of[0] = -1;
    for (int i = 0; i < DISTRICTS; i++) {
        (void)snprintf(codes[1 + i], sizeof codes[0], "4%d", i);
        district_of[1 + i] = i;
    }
    for (int i = 0; i < COMMUNES; i++) {
        district_of[1 + DISTRICTS + i] = i % DISTRICTS;
        (void)snprintf(codes[1 + DISTRICTS + i], sizeof codes[0], "4%d0%d", i % DISTRICTS,
                       i / DISTRICTS);
    }
}

static struct world_node *plant(void)
{
    struct world_node *root = tree_root("4", tree_catalogue(1));
    for (int i = 1; i < UNITS; i++) {
        bool district = i <= DISTRICTS;
        const char *parent = district ? "4" : codes[1 + district_of[i]];
        const struct world_reply *reply =
            tree_unit(root, codes[i], district ? "district" : "commune", parent);
        assert_string_equal(reply->text, "");
    }
    return root;
}

static int64_t total(struct world_node *root, const char *unit)
{
    return (int64_t)tree_total(root, unit, "raised", "2025").value;
}

static void claim_all(int district)
{
    static struct fake_child fake;
    int within = 0;
    struct world_node *root = plant();
    fake_begin(&fake, root, codes[1 + district], "");
    fake_ledger(&fake, codes[1 + district], UNITS);
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    for (int i = 0; i < UNITS; i++) {
        bool its = district_of[i] == district;
        (void)fake_cell(&fake, codes[i], "raised", 1, 1);
        fake_state_heads(&fake);
        assert_int_equal(fake_send(&fake, false), ERR_OK);
        assert_int_equal(fake.refused_rows, its ? 0 : 1);
        assert_int_equal(its ? REFUSE_NOT_ITS_UNIT : fake.reason, REFUSE_NOT_ITS_UNIT);
        assert_false(fake.closed);
        within += its;
        assert_int_equal(total(root, "4"), within);
    }
    for (int i = 1; i <= DISTRICTS; i++) {
        assert_int_equal(total(root, codes[i]), i == 1 + district ? within : 0);
    }
    assert_int_equal(within, 1 + (COMMUNES - district + DISTRICTS - 1) / DISTRICTS);
    assert_true(state_alarm(root, "refused-rows").there);
    assert_true(state_verify(root).ok);
    fake_end(&fake);
}

static void test_every_district_claims_every_unit(void **state)
{
    (void)state;
    name_units();
    for (int district = 0; district < DISTRICTS; district++) {
        tree_begin(1 + (uint64_t)district);
        claim_all(district);
        tree_end();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_every_district_claims_every_unit, tree_end_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

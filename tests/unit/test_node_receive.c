/* layer: node store codec */
/* What a parent does with rows, sound or not: applied twice, in any order, held with their reason
 * and taken in later, refused and remembered; and that none of them stops the rows behind. */
#include "test_node_fake.h"

static struct world_node *root;
static struct fake_child fake;

static int set_up(void **state)
{
    (void)state;
    tree_begin(5);
    root = tree_root("4", tree_catalogue(1));
    fake_begin(&fake, root, "42", "district");
    return 0;
}

static int tear_down(void **state)
{
    fake_end(&fake);
    return tree_end_always(state);
}

static int64_t total(const char *measure)
{
    return (int64_t)tree_total(root, "4", measure, "2025").value;
}

/* ---- again, and in any order ---- */

static void test_every_permutation(void **state)
{
    (void)state;
    static const int ORDERS[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                     {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    fake_ledger(&fake, "42", 30);
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    for (int i = 0; i < 6; i++) {
        for (int j = 0; j < 3; j++) {
            /* Three states of one cell a period: counts 1, 2, 3 with values 10, -4, 7. */
            static const int64_t VALUES[] = {10, -4, 7};
            int which = ORDERS[i][j];
            struct cell *cell = fake_cell(&fake, "42", "raised", which + 1, VALUES[which]);
            cell->period = 2025 * 12 + i;
            fake_state_heads(&fake);
            assert_int_equal(fake_send(&fake, false), ERR_OK);
            assert_int_equal(fake.refused_rows, 0);
        }
    }
    assert_int_equal(total("raised"), 6 * 7);
    assert_int_equal(tree_total(root, "4", "raised", "2025").entries, 6 * 3);
    assert_true(state_verify(root).ok);
}

static void test_a_batch_twice(void **state)
{
    (void)state;
    struct cell cells[2];
    fake_ledger(&fake, "42", 3);
    struct entry entries[3];
    memcpy(entries, fake.entries, sizeof entries);
    cells[0] = *fake_cell(&fake, "42", "raised", 2, 20);
    cells[1] = *fake_cell(&fake, "42", "visits", 1, 5);
    fake.digests[fake.digest_count++] = fake_digest(&fake, cells, 2);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    struct store_origin before = state_origin(root, fake.self);
    for (int i = 0; i < 2; i++) {
        if (i == 1) {
            fake_connect(&fake); /* and over another link */
        }
        memcpy(fake.entries, entries, sizeof entries);
        fake.entry_count = 3;
        memcpy(fake.cells, cells, sizeof cells);
        fake.cell_count = 2;
        fake.openings[fake.opening_count++] = fake.opening;
        fake_state_heads(&fake);
        fake.digests[fake.digest_count++] = fake_digest(&fake, cells, 2);
        assert_int_equal(fake_send(&fake, true), ERR_OK);
        assert_true(fake.acked);
        assert_int_equal(fake.refused_rows, 0);
        assert_int_equal(fake.unequal, 0);
    }
    struct store_origin after = state_origin(root, fake.self);
    assert_true(id_equal(&before.digest, &after.digest));
    assert_int_equal(after.cell_count, 3);
    assert_int_equal(total("raised"), 20);
    assert_int_equal(state_counts(root, fake.self).facts, 3);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_false(state_alarm(root, "").there);
}

/* ---- held ---- */

/* A row of each kind that cannot be judged yet; the sound one behind them counts, and every one is
 * shown with the source it belongs to. */
static void test_held_rows_do_not_block(void **state)
{
    (void)state;
    fake_ledger(&fake, "42", 8);
    (void)fake_cell(&fake, "nowhere", "raised", 1, 100);
    (void)fake_cell(&fake, "42", "fund", 1, 200);
    fake_cell(&fake, "42", "raised", 1, 300)->category = "group=child";
    (void)fake_cell(&fake, "42", "raised", 1, 7);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    assert_int_equal(fake.refused_rows, 0);
    assert_int_equal(fake.held, 3);
    assert_int_equal(total("raised"), 7);
    assert_int_equal(tree_total(root, "4", "raised", "2025").held, 3);
    assert_int_equal(state_status(root, "42").of_child.held, 3);
    struct store_cell held[4];
    struct store_cell_key start = {0};
    size_t n;
    assert_int_equal(store_cells_held(root->store, &start, held, 4, &n), ERR_OK);
    assert_int_equal(n, 3);
    unsigned reasons = 0;
    for (size_t i = 0; i < n; i++) {
        reasons |= 1u << held[i].held;
    }
    assert_int_equal(reasons, 1u << HOLD_UNKNOWN_UNIT | 1u << HOLD_UNKNOWN_MEASURE |
                                  1u << HOLD_UNKNOWN_CATEGORY);
}

/* A restart keeps them; each comes in as soon as what it waits for is there, and not before. */
static void test_held_rows_come_in(void **state)
{
    (void)state;
    test_held_rows_do_not_block(state);
    tree_restart(root);
    assert_int_equal(state_status(root, "").held, 3);
    assert_int_equal(root->node->held_rows, 3);
    assert_string_equal(tree_apply(root, tree_catalogue(2))->text, "");
    assert_int_equal(state_status(root, "").held, 2);
    /* A stock of February by quarter would be another period: the index is taken as it is. */
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 7);
    assert_string_equal(tree_apply(root, tree_catalogue(3))->text, "");
    assert_int_equal(state_status(root, "").held, 1);
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 307);
    fake_connect(&fake);
    assert_int_equal(fake.have.revision, 1);
    assert_int_equal(fake.escrow.length, 8);
    struct unit_edge edge = {.parent = "42", .from = DAY_NONE, .to = DAY_NONE};
    struct unit_row unit = {.code = "nowhere",
                            .name = "N",
                            .level = "commune",
                            .edges = &edge,
                            .edge_count = 1,
                            .decider = fake.origin,
                            .count = 1};
    struct message message = {.type = MESSAGE_BATCH,
                              .u.batch = {.number = ++fake.number,
                                          .upto = {fake.session, 2},
                                          .units = &unit,
                                          .unit_count = 1,
                                          .mark = true}};
    assert_int_equal(fake_say(&fake, &message), ERR_OK);
    assert_int_equal(fake.refused_rows, 0);
    assert_int_equal(state_status(root, "").held, 0);
    assert_int_equal(tree_total(root, "4", "raised", "2025").value, 407);
    assert_true(state_verify(root).ok);
}

/* A cell of a unit that nobody has yet, and that another office gets later, stays out. */
static void test_held_row_of_anothers_unit(void **state)
{
    (void)state;
    fake_ledger(&fake, "42", 8);
    (void)fake_cell(&fake, "later", "raised", 1, 100);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    assert_int_equal(fake.held, 1);
    assert_string_equal(tree_unit(root, "later", "district", "")->text, "");
    assert_int_equal(state_status(root, "").held, 1);
    assert_int_equal(tree_total(root, "later", "raised", "2025").value, 0);
    assert_int_equal(total("raised"), 0);
    assert_true(state_verify(root).ok);
}

/* An origin that no act has given a unit: held until the act comes. */
static void test_unknown_origin(void **state)
{
    (void)state;
    struct id stranger = {{9, 9, 9}};
    struct id segment = {{8, 8}};
    struct opening opening = {.origin = stranger, .segment = segment};
    struct head head = {.segment = segment, .length = 5, .hash = {{1}}};
    struct unit_edge edge = {.parent = "42", .from = DAY_NONE, .to = DAY_NONE};
    struct unit_row unit = {.code = "421",
                            .name = "N",
                            .level = "commune",
                            .edges = &edge,
                            .edge_count = 1,
                            .decider = fake.origin,
                            .count = 1};
    struct origin_heads heads = {.origin = stranger, .heads = &head, .head_count = 1};
    struct cell cell = *fake_cell(&fake, "421", "raised", 2, 50);
    cell.origin = stranger;
    struct message message = {.type = MESSAGE_BATCH,
                              .u.batch = {.number = ++fake.number,
                                          .upto = {fake.session, 1},
                                          .units = &unit,
                                          .unit_count = 1,
                                          .openings = &opening,
                                          .opening_count = 1,
                                          .heads = &heads,
                                          .heads_count = 1,
                                          .cells = &cell,
                                          .cell_count = 1}};
    assert_int_equal(fake_say(&fake, &message), ERR_OK);
    assert_int_equal(fake.held, 1);
    assert_int_equal(total("raised"), 0);
    struct hosting_row hosting = {.unit = "421",
                                  .node = {{3}},
                                  .origin = stranger,
                                  .key = {{4}},
                                  .number = 3,
                                  .decider = fake.origin,
                                  .count = 1};
    struct message act = {.type = MESSAGE_BATCH,
                          .u.batch = {.number = ++fake.number,
                                      .upto = {fake.session, 2},
                                      .hostings = &hosting,
                                      .hosting_count = 1}};
    assert_int_equal(fake_say(&fake, &act), ERR_OK);
    assert_int_equal(state_status(root, "").held, 0);
    assert_int_equal(total("raised"), 50);
}

/* ---- refused ---- */

struct bad_cell {
    const char *unit;
    int64_t value;
    int64_t count;
    int64_t live;
    enum refuse_reason reason;
};

static void test_refused_cells(void **state)
{
    (void)state;
    static const struct bad_cell BAD[] = {
        {"4", 1, 1, 1, REFUSE_NOT_ITS_UNIT},      /* the parent's own unit */
        {"43", 1, 1, 1, REFUSE_NOT_ITS_UNIT},     /* a sister's */
        {"42", 1, 99, 99, REFUSE_RANGE},          /* more than its ledger has */
        {"42", 1, INT64_MAX, 1, REFUSE_RANGE},    /* a count that breaks sums */
        {"42", 1, 1, 2, REFUSE_RANGE},            /* more live than there are */
        {"42", 2 * VALUE_MAX, 1, 1, REFUSE_RANGE} /* more than one entry can be */
    };
    assert_string_equal(tree_unit(root, "43", "district", "")->text, "");
    fake_ledger(&fake, "42", 6); /* one for each good cell */
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        fake_cell(&fake, BAD[i].unit, "raised", BAD[i].count, BAD[i].value)->live = BAD[i].live;
        fake_cell(&fake, "42", "raised", 1, 3)->period += (int32_t)i; /* behind it */
        fake_state_heads(&fake);
        assert_int_equal(fake_send(&fake, false), ERR_OK);
        assert_int_equal(fake.refused_rows, 1);
        assert_int_equal(fake.reason, BAD[i].reason);
        assert_int_equal(total("raised"), 3 * ((int64_t)i + 1));
    }
    assert_true(state_alarm(root, "refused-rows").there);
    assert_true(state_verify(root).ok);
}

/* A field of a cell out of its bounds, whatever the wire format lets through. */
static void test_cells_out_of_bounds(void **state)
{
    (void)state;
    struct cell good = {.unit = "42"};
    fake_ledger(&fake, "42", 1);
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    for (int i = 0; i < 9; i++) {
        struct cell *cell = fake_cell(&fake, "42", "raised", 1, 3);
        good = *cell;
        switch (i) {
        case 0:
            cell->hosting = -1;
            break;
        case 1:
            cell->hosting = COUNT_MAX + 1;
            break;
        case 2:
            cell->day = DAY_MIN - 1;
            break;
        case 3:
            cell->day = DAY_MAX + 1;
            break;
        case 4:
            cell->value = -2 * VALUE_MAX;
            break;
        case 5:
            cell->live = -1;
            break;
        case 6:
            cell->count = 0;
            break;
        case 7:
            cell->count = -1;
            break;
        default:
            cell->period = INT32_MAX;
            break;
        }
        fake_state_heads(&fake);
        assert_int_equal(fake_send(&fake, false), ERR_OK);
        assert_int_equal(fake.refused_rows, 1);
        assert_int_equal(fake.reason, REFUSE_RANGE);
    }
    fake.cells[fake.cell_count++] = good;
    fake_state_heads(&fake);
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    assert_int_equal(fake.refused_rows, 0);
    assert_int_equal(total("raised"), 3);
}

static int say_places(const struct unit_row *unit, const struct hosting_row *hosting)
{
    struct message message = {.type = MESSAGE_BATCH,
                              .u.batch = {.number = ++fake.number,
                                          .upto = {fake.session, ++fake.revision},
                                          .units = unit,
                                          .unit_count = unit == NULL ? 0 : 1,
                                          .hostings = hosting,
                                          .hosting_count = hosting == NULL ? 0 : 1}};
    assert_int_equal(fake_say(&fake, &message), ERR_OK);
    return fake.refused_rows == 0 ? 0 : (int)fake.reason;
}

static void test_places_out_of_bounds(void **state)
{
    (void)state;
    static const struct unit_edge EDGES[EDGES_MAX + 1] = {{"42", DAY_NONE, DAY_NONE}};
    struct unit_row unit = {.code = "421",
                            .name = "421",
                            .level = "commune",
                            .edges = EDGES,
                            .edge_count = 1,
                            .decider = fake.origin,
                            .count = 1};
    struct unit_row bad[] = {unit, unit, unit, unit, unit, unit, unit, unit};
    int want[] = {REFUSE_RANGE, REFUSE_RANGE,        REFUSE_RANGE,      REFUSE_RANGE,
                  REFUSE_RANGE, REFUSE_NOT_ITS_UNIT, REFUSE_NOT_ROUTED, REFUSE_NOT_ITS_UNIT};
    static const struct unit_edge TO_ROOT = {"4", DAY_NONE, DAY_NONE};
    bad[0].code = "4 21";
    bad[1].edge_count = 0;
    bad[2].edge_count = EDGES_MAX + 1;
    bad[3].count = -1;
    bad[4].count = COUNT_MAX + 1;
    bad[5].edges = &TO_ROOT;
    bad[6].decider = root->origin; /* with more acts than the root knows of */
    bad[6].code = "42";
    bad[6].count = 9;
    bad[7].code = "42"; /* where the child itself lies is not its to say */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(say_places(&bad[i], NULL), want[i]);
        assert_int_equal(view_unit_by_code(&root->node->view, "421"), TREE_NONE);
    }
    assert_int_equal(say_places(&unit, NULL), 0);
    static const struct unit_edge BELOW = {"421", DAY_NONE, DAY_NONE};
    struct unit_row deeper = unit;
    deeper.code = "4211";
    deeper.edges = &BELOW;
    assert_int_equal(say_places(&deeper, NULL), 0);
    unit.edges = &(struct unit_edge){"4211", DAY_NONE, DAY_NONE}; /* a ring */
    unit.count = 2;
    assert_int_equal(say_places(&unit, NULL), REFUSE_NOT_ITS_UNIT);
    unit.edges = &(struct unit_edge){"42", DAY_NONE, DAY_NONE};
    deeper.edges = unit.edges; /* a move */
    deeper.count = 2;
    assert_int_equal(say_places(&deeper, NULL), REFUSE_NOT_ITS_UNIT);

    struct hosting_row hosting = {.unit = "421", .number = 2, .decider = fake.origin, .count = 1};
    world_fill(NULL, hosting.node.b, ID_BYTES);
    world_fill(NULL, hosting.origin.b, ID_BYTES);
    struct hosting_row worse[] = {hosting, hosting, hosting, hosting, hosting, hosting};
    worse[0].count = 0;
    worse[1].count = COUNT_MAX + 1;
    worse[2].number = 0;
    worse[3].number = COUNT_MAX + 1;
    worse[4].unit = "42"; /* who looks after the child is the parent's to say */
    worse[5].origin = root->origin;
    static const int WANT[] = {REFUSE_RANGE, REFUSE_RANGE,        REFUSE_RANGE,
                               REFUSE_RANGE, REFUSE_NOT_ITS_UNIT, REFUSE_NOT_ROUTED};
    for (size_t i = 0; i < sizeof worse / sizeof *worse; i++) {
        assert_int_equal(say_places(NULL, &worse[i]), WANT[i]);
    }
    assert_int_equal(say_places(NULL, &hosting), 0);
    assert_true(state_verify(root).ok);
}

/* Heads and openings with lengths that no ledger has, and a batch out of its turn. */
static void test_chains_out_of_bounds(void **state)
{
    (void)state;
    struct head far = fake.head;
    far.length = (uint64_t)COUNT_MAX + 1;
    fake.heads[fake.head_count++] =
        (struct origin_heads){.origin = fake.origin, .heads = &far, .head_count = 1};
    (void)fake_cell(&fake, "42", "raised", 1, 3);
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    assert_int_equal(fake.reason, REFUSE_CHAIN);
    struct opening opening = {.origin = fake.origin, .continues = &far, .continue_count = 1};
    world_fill(NULL, opening.segment.b, ID_BYTES);
    fake.openings[fake.opening_count++] = opening;
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    assert_int_equal(fake.reason, REFUSE_RANGE);
    fake.number++;
    (void)fake_send(&fake, false);
    assert_true(fake.closed);
    assert_int_equal(total("raised"), 0);
}

/* Same count, another value: a changed past. The first stays, and the alarm tells. */
static void test_conflict(void **state)
{
    (void)state;
    fake_ledger(&fake, "42", 2);
    (void)fake_cell(&fake, "42", "raised", 2, 10);
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    (void)fake_cell(&fake, "42", "raised", 2, 11);
    fake_state_heads(&fake);
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    assert_int_equal(fake.reason, REFUSE_CONFLICT);
    assert_int_equal(total("raised"), 10);
    assert_true(state_alarm(root, "conflict").there);
}

/* Entries that leave one out, or are changed: the link ends, what came before the fault is kept
 * whole, and the sound ones are taken over the next link. */
static void test_entries_with_a_gap(void **state)
{
    (void)state;
    fake_ledger(&fake, "42", 5);
    struct entry whole[5];
    memcpy(whole, fake.entries, sizeof whole);
    memmove(&fake.entries[2], &fake.entries[3], 2 * sizeof fake.entries[0]);
    fake.entry_count = 4;
    assert_int_equal(fake_send(&fake, false), ERR_OK);
    assert_true(fake.closed);
    assert_int_equal(fake.refusal, REFUSAL_BROKEN);
    fake_down(&fake);
    assert_int_not_equal(state_of_child(root, "42"), LINK_EXACT);
    fake_connect(&fake);
    assert_true(fake.escrow.length <= 2);
    memcpy(fake.entries, whole, sizeof whole);
    fake.entry_count = 5;
    fake_state_heads(&fake);
    (void)fake_cell(&fake, "42", "raised", 5, 5);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    assert_true(fake.acked);
    assert_int_equal(fake.refused_rows, 0);
    assert_int_equal(total("raised"), 5);
    assert_int_equal(state_counts(root, fake.self).facts, 5);
    assert_true(state_verify(root).ok);
}

/* ---- digests ---- */

static void test_digest_that_differs(void **state)
{
    (void)state;
    fake_ledger(&fake, "42", 3);
    struct cell cells[2];
    cells[0] = *fake_cell(&fake, "42", "raised", 2, 20);
    cells[1] = *fake_cell(&fake, "42", "visits", 1, 5);
    fake.cell_count = 1; /* the second is lost on the way */
    fake.digests[fake.digest_count++] = fake_digest(&fake, cells, 2);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    assert_int_equal(fake.unequal, 1);
    assert_int_equal(state_of_child(root, "42"), LINK_CATCHING_UP);
    assert_true(state_alarm(root, "digest").there);
    assert_false(state_alarm(root, "digest").mended);
    memcpy(fake.cells, cells, sizeof cells);
    fake.cell_count = 2;
    fake_state_heads(&fake);
    fake.digests[fake.digest_count++] = fake_digest(&fake, cells, 2);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    assert_int_equal(fake.unequal, 0);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_true(state_alarm(root, "digest").mended);
    assert_true(!state_alarm(root, "conserved").there || state_alarm(root, "conserved").mended);
    world_begin(root);
    node_on_verified(root->node);
    assert_int_equal(node_commit(root->node, NULL), ERR_OK);
    assert_false(state_alarm(root, "").there);
}

/* The link ends between the mark that differs and the one that does not. */
static void test_digest_mended_over_another_link(void **state)
{
    (void)state;
    fake_ledger(&fake, "42", 2);
    struct cell cell = *fake_cell(&fake, "42", "raised", 2, 20);
    fake.cell_count = 0;
    fake.digests[fake.digest_count++] = fake_digest(&fake, &cell, 1);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    assert_int_equal(fake.unequal, 1);
    fake_down(&fake);
    fake_connect(&fake);
    fake.cells[fake.cell_count++] = cell;
    fake_state_heads(&fake);
    fake.digests[fake.digest_count++] = fake_digest(&fake, &cell, 1);
    assert_int_equal(fake_send(&fake, true), ERR_OK);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_true(state_alarm(root, "digest").mended);
}

/* Two origins differ and become equal one after the other: each alarm is mended when it is its
 * turn, and nothing is exact before the last. */
static void test_two_digests_that_differ(void **state)
{
    (void)state;
    test_unknown_origin(state);
    struct id stranger = {{9, 9, 9}};
    struct head head = {.segment = {{8, 8}}, .length = 5, .hash = {{1}}};
    struct origin_heads heads = {.origin = stranger, .heads = &head, .head_count = 1};
    fake_ledger(&fake, "42", 2);
    struct cell own = *fake_cell(&fake, "42", "raised", 2, 20);
    struct cell below = *fake_cell(&fake, "421", "raised", 3, 60);
    below.origin = stranger;
    for (int round = 0; round < 3; round++) {
        world.now.mono.ms += 6000; /* what did not help is asked for again after a while */
        fake.cell_count = 0;
        fake.cells[fake.cell_count++] = round == 0 ? (struct cell){.count = 0} : own;
        fake.cells[fake.cell_count++] = below;
        fake.cell_count = (size_t)round; /* none, the own one, both */
        if (round > 0) {
            fake_state_heads(&fake);
        } else {
            fake.openings[fake.opening_count++] = fake.opening;
        }
        fake.heads[fake.head_count++] = heads;
        fake.digests[fake.digest_count++] = fake_digest(&fake, &below, 1);
        fake.digests[fake.digest_count++] = fake_digest(&fake, &own, 1);
        fake.revision = 10 + round;
        assert_int_equal(fake_send(&fake, true), ERR_OK);
        assert_int_equal(fake.unequal, (size_t)(2 - round));
        assert_int_equal(state_of_child(root, "42"), round < 2 ? LINK_CATCHING_UP : LINK_EXACT);
    }
    struct store_alarm alarms[8];
    struct arena arena;
    size_t n;
    arena_init(&arena, 1 << 16);
    assert_int_equal(store_alarms(root->store, &arena, alarms, 8, &n), ERR_OK);
    for (size_t i = 0; i < n; i++) {
        assert_true(alarms[i].mended);
    }
    arena_reset(&arena);
}

/* An entry that says that so many are lost. */
static enum err send_lost(uint64_t lost)
{
    struct hash before = fake.head.hash;
    struct buf act;
    buf_init(&act, 256);
    entry_lost_encode(&(struct entry_lost){24301, 2, 1, 1}, &act);
    struct entry *entry = fake_entry(&fake, "42", "raised");
    entry->kind = ENTRY_LOST;
    entry->refers_seq = lost;
    entry->act = buf_bytes(&act);
    fake.head.hash = entry_hash(&before, entry, &fake.scratch);
    enum err err = fake_send(&fake, false);
    buf_deinit(&act);
    return err;
}

/* Their sum has a limit, over all links: beyond it nothing of the batch is kept. */
static void test_more_lost_than_can_be(void **state)
{
    (void)state;
    assert_int_equal(send_lost((uint64_t)COUNT_MAX - 1), ERR_OK);
    assert_false(fake.closed);
    struct head good = fake.head;
    assert_int_equal(send_lost(2), ERR_OK);
    assert_true(fake.closed);
    fake.head = good;
    fake_connect(&fake);
    assert_int_equal(fake.escrow.length, 1);
    assert_int_equal(send_lost(2), ERR_OK);
    assert_true(fake.closed);
    fake.head = good;
    fake_connect(&fake);
    assert_int_equal(send_lost(1), ERR_OK);
    assert_false(fake.closed);
    tree_restart(root);
    fake_connect(&fake);
    assert_int_equal(fake.escrow.length, 2);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_every_permutation),
                                       CASE(test_a_batch_twice),
                                       CASE(test_held_rows_do_not_block),
                                       CASE(test_held_rows_come_in),
                                       CASE(test_held_row_of_anothers_unit),
                                       CASE(test_unknown_origin),
                                       CASE(test_refused_cells),
                                       CASE(test_cells_out_of_bounds),
                                       CASE(test_places_out_of_bounds),
                                       CASE(test_chains_out_of_bounds),
                                       CASE(test_conflict),
                                       CASE(test_entries_with_a_gap),
                                       CASE(test_digest_that_differs),
                                       CASE(test_digest_mended_over_another_link),
                                       CASE(test_two_digests_that_differ),
                                       CASE(test_more_lost_than_can_be)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

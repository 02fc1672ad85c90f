/* layer: node store codec */
/* Entries that nobody has any more: a commune and its district are put back, or lose their files,
 * and only the province knows what had been recorded since. Nothing of that may leave its totals,
 * nothing may count twice, and the commune must go on. */
#include "test_node_state.h"

static struct world_node *province;
static struct world_node *district;
static struct world_node *commune;
static char entry[ENTRY_ID_MAX_BYTES]; /* the last one recorded */

static int set_up_with(uint64_t seed)
{
    tree_begin(seed);
    province = tree_root("4", tree_catalogue(2));
    district = tree_child(province, "42", "district");
    tree_relink();
    commune = tree_child(district, "421", "commune");
    tree_relink();
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return set_up_with(71);
}

static void record(const char *measure, const char *value, const char *day)
{
    const struct world_reply *reply = world_record(commune, "421", measure, value, day);
    assert_string_equal(reply->text, "");
    entry_id_format(&reply->row.segment, reply->row.seq, entry);
}

/* An amend, or a void without a value. */
static const struct world_reply *correct(const char *what, const char *value)
{
    struct msg_request request = {
        .type = REQUEST_CORRECT,
        .u.correct = {
            .entry = what, .is_void = value[0] == '\0', .value = value, .key = "", .note = ""}};
    return world_ask(commune, &request);
}

static int64_t total(struct world_node *n, const char *measure, const char *period)
{
    struct tree_total out = tree_total(n, "421", measure, period);
    assert_string_equal(out.error, "");
    return (int64_t)out.value;
}

static void check_sound(struct world_node *n)
{
    if (!state_verify(n).ok) { /* the first time it tells of what is lost */
        world_begin(n);
        node_on_verified(n->node);
        assert_int_equal(world_commit(n), ERR_OK);
    }
    assert_string_equal(state_verify(n).first, "");
    assert_true(state_verify(n).ok);
}

/* The same at each, all of it exact. */
static void check_at(struct world_node *n, const char *measure, const char *period, int64_t want)
{
    struct tree_total out = tree_total(n, "421", measure, period);
    assert_string_equal(out.error, "");
    if (out.value != want || out.exact != out.nodes || out.held != 0) {
        fail_msg("seed %llu: %s %s at %s: %lld, not %lld; %lld of %lld exact, %lld held",
                 (unsigned long long)world.seed, measure, period, n->unit, (long long)out.value,
                 (long long)want, (long long)out.exact, (long long)out.nodes, (long long)out.held);
    }
}

static void check(const char *measure, const char *period, int64_t want)
{
    check_at(province, measure, period, want);
    check_at(district, measure, period, want);
    check_at(commune, measure, period, want);
    check_sound(province);
    check_sound(district);
    check_sound(commune);
}

static void keep_both(void)
{
    tree_keep(district);
    tree_keep(commune);
    tree_relink();
}

static void put_back_both(void)
{
    tree_put_back(district);
    tree_put_back(commune);
}

static void come_back(void)
{
    for (int i = 0; i < 3; i++) {
        tree_relink();
    }
    world_pass(8000);
    world_settle();
}

static int64_t number_of(struct world_node *n, const char *sql)
{
    return state_number(n, sql);
}

static int64_t bases(void)
{
    return number_of(commune, "SELECT count(*) FROM entry WHERE own=1 AND kind=5");
}

/* ---- scenes ---- */

static void test_flows(void **state)
{
    (void)state;
    record("raised", "1", "2025-02-03");
    record("raised", "2", "2025-03-03");
    keep_both();
    record("raised", "4", "2025-02-04");
    record("raised", "8", "2025-04-04");
    world_settle();
    check("raised", "2025", 15);
    put_back_both();
    assert_int_equal(total(commune, "raised", "2025"), 3);
    come_back();
    check("raised", "2025", 15);
    check("raised", "2025-02", 5);
    check("raised", "2025-03", 2);
    check("raised", "2025-04", 8);
    assert_int_equal(bases(), 2);
    record("raised", "16", "2025-02-05");
    world_settle();
    check("raised", "2025", 31);
    for (int i = 0; i < 3; i++) {
        come_back();
        tree_restart(commune);
        tree_restart(district);
    }
    come_back();
    assert_int_equal(bases(), 2); /* once for all */
    record("raised", "32", "2025-05-05");
    world_settle();
    check("raised", "2025", 63);
}

/* What was recorded before the loss was known goes on beside it; also a correction of that. */
static void test_typed_since(void **state)
{
    char since[ENTRY_ID_MAX_BYTES];
    (void)state;
    record("raised", "1", "2025-02-03");
    keep_both();
    record("raised", "4", "2025-02-04");
    world_settle();
    put_back_both();
    record("raised", "100", "2025-02-04");
    assert_int_equal(correct(entry, "200")->err, ERR_OK);
    record("raised", "1000", "2025-02-04");
    assert_int_equal(correct(entry, "")->err, ERR_OK);
    record("raised", "3000", "2025-06-04");
    (void)snprintf(since, sizeof since, "%s", entry);
    come_back();
    check("raised", "2025", 3205);
    check("raised", "2025-02", 205);
    assert_int_equal(correct(since, "4000")->err, ERR_OK); /* its cell has lost nothing */
    world_settle();
    check("raised", "2025", 4205);
    record("raised", "7", "2025-02-07");
    assert_int_equal(correct(entry, "9")->err, ERR_OK);
    world_settle();
    check("raised", "2025-02", 214);
    assert_int_equal(correct(entry, "")->err, ERR_OK);
    world_settle();
    check("raised", "2025-02", 205);
}

/* Which of the old records a lost correction was about nobody knows: they are left alone. */
static void test_corrections(void **state)
{
    char old[ENTRY_ID_MAX_BYTES];
    (void)state;
    record("raised", "1000", "2025-02-03");
    (void)snprintf(old, sizeof old, "%s", entry);
    record("members", "50", "2025-02-03");
    keep_both();
    assert_int_equal(correct(old, "")->err, ERR_OK); /* lost */
    record("raised", "3", "2025-02-04");
    world_settle();
    check("raised", "2025", 3);
    put_back_both();
    assert_int_equal(total(commune, "raised", "2025"), 1000);
    come_back();
    check("raised", "2025", 3);
    const struct world_reply *reply = correct(old, "");
    assert_int_equal(reply->err, ERR_REFUSED);
    assert_non_null(strstr(reply->text, "were lost"));
    record("raised", "-1", "2025-02-20");
    world_settle();
    check("raised", "2025", 2);
    check("members", "2025", 50);
}

/* A stock: the last value, though nobody has it; one that a lost void had taken back stays so. */
static void test_stocks(void **state)
{
    char high[ENTRY_ID_MAX_BYTES];
    (void)state;
    record("members", "10", "2025-02-03");
    record("members", "90", "2025-03-20");
    (void)snprintf(high, sizeof high, "%s", entry);
    record("members", "30", "2025-03-10");
    keep_both();
    record("members", "20", "2025-02-13");
    assert_int_equal(correct(high, "")->err, ERR_OK);
    world_settle();
    check("members", "2025-02", 20);
    check("members", "2025-03", 30);
    put_back_both();
    record("members", "11", "2025-02-05"); /* an earlier day than the lost one's */
    come_back();
    check("members", "2025-02", 20);
    check("members", "2025-03", 30);
    record("members", "15", "2025-02-12");
    world_settle();
    check("members", "2025-02", 20);
    record("members", "25", "2025-02-13"); /* the same day, later */
    world_settle();
    check("members", "2025-02", 25);
    assert_int_equal(correct(entry, "")->err, ERR_OK);
    world_settle();
    check("members", "2025-02", 20);
    record("members", "33", "2025-02-28");
    assert_int_equal(correct(entry, "34")->err, ERR_OK);
    world_settle();
    check("members", "2025-02", 34);
    check("members", "2025-03", 30);
}

/* The commune loses its file afterwards: what stands for lost entries comes back like others. */
static void test_lost_again(void **state)
{
    (void)state;
    record("raised", "1", "2025-02-03");
    record("members", "5", "2025-02-03");
    tree_keep(commune);
    tree_keep(district);
    tree_relink();
    record("raised", "2", "2025-02-04");
    record("members", "6", "2025-02-04");
    world_settle();
    put_back_both();
    come_back();
    record("raised", "4", "2025-02-05");
    world_settle();
    check("raised", "2025", 7);
    tree_put_back(commune); /* as it was before */
    record("raised", "8", "2025-02-06");
    come_back();
    check("raised", "2025", 15);
    check("members", "2025", 6);
    tree_put_back(district);
    come_back();
    check("raised", "2025", 15);
    check("members", "2025", 6);
    put_back_both(); /* and all of it once more, of which the province knows */
    come_back();
    check("raised", "2025", 15);
    check("members", "2025", 6);
    record("raised", "16", "2025-02-06");
    world_settle();
    check("raised", "2025", 31);
}

/* A copy of the commune's file, which is closed. */
static char aside[WORLD_PATH_BYTES + 8];

static void set_aside(void)
{
    (void)snprintf(aside, sizeof aside, "%s.other", commune->path);
    tree_close(commune);
    tree_copy_file(commune->path, aside);
}

static void take_from_aside(void)
{
    tree_close(commune);
    tree_copy_file(aside, commune->path);
    assert_int_equal(unlink(aside), 0);
    tree_open(commune);
    come_back();
}

/* The lost entries come back after all, in a copy of the file that was made in time. */
static void test_come_back(void **state)
{
    (void)state;
    record("raised", "1", "2025-02-03");
    keep_both();
    record("raised", "2", "2025-02-04");
    record("members", "9", "2025-02-04");
    world_settle();
    set_aside();
    put_back_both();
    come_back();
    check("raised", "2025", 3);
    record("raised", "4", "2025-02-05");
    world_settle();
    take_from_aside();
    check("raised", "2025", 7);
    check("members", "2025", 9);
    record("raised", "8", "2025-02-05");
    world_settle();
    check("raised", "2025", 15);
}

/* Two offices between the node and the one that knows; the node away meanwhile, with all of it. */
static void test_deep(void **state)
{
    (void)state;
    struct world_node *branch = tree_child(commune, "4211", "branch");
    tree_relink();
    assert_string_equal(world_record(branch, "4211", "raised", "1", "2025-02-03")->text, "");
    world_settle();
    tree_keep(branch);
    keep_both();
    assert_string_equal(world_record(branch, "4211", "raised", "2", "2025-02-03")->text, "");
    world_settle();
    check("raised", "2025", 3);
    tree_close(branch);
    put_back_both();
    come_back();
    assert_int_equal(total(province, "raised", "2025"), 3);
    assert_int_equal(number_of(commune, "SELECT count(*) FROM returned WHERE whole=1"), 1);
    tree_put_back(branch);
    come_back();
    check("raised", "2025", 3);
    assert_int_equal(number_of(commune, "SELECT count(*) FROM returned"), 0);
    assert_int_equal(number_of(district, "SELECT count(*) FROM returned"), 0);
    check_sound(branch);
    assert_string_equal(world_record(branch, "4211", "raised", "4", "2025-02-03")->text, "");
    world_settle();
    check("raised", "2025", 7);
}

/* How many are lost is said once, however often what stands for them is made anew. */
static void test_how_many(void **state)
{
    static const char GONE[] = "SELECT sum(refers_seq) FROM entry WHERE kind=5";
    (void)state;
    record("raised", "1", "2025-02-03");
    for (int i = 0; i < 3; i++) {
        keep_both();
        record("raised", "10", "2025-02-04");
        world_settle();
        put_back_both();
        come_back();
        record("raised", "100", "2025-02-04");
        world_settle();
        assert_int_equal(number_of(commune, GONE), i + 1);
        assert_int_equal(number_of(district, GONE), i + 1);
        check("raised", "2025", 1 + 110 * (i + 1));
    }
}

/* The root has heard of more entries than its cell counts, as in the middle of a feed; all of them
 * come back. */
static void test_more_come_back(void **state)
{
    (void)state;
    record("raised", "1", "2025-02-03");
    keep_both();
    record("raised", "2", "2025-02-04");
    record("raised", "4", "2025-02-05");
    record("raised", "8", "2025-02-05");
    world_settle();
    set_aside();
    put_back_both();
    tree_close(commune);
    come_back();
    state_change(district, "UPDATE returned_cell SET value=3,count=2,live=2");
    tree_open(commune);
    come_back();
    assert_int_equal(total(commune, "raised", "2025"), 3);
    record("raised", "100", "2025-02-05");
    world_settle();
    take_from_aside();
    check("raised", "2025", 115);
    assert_string_equal(correct(entry, "200")->text, "");
    world_settle();
    check("raised", "2025", 215);
}

/* Only an act is lost: the segment that goes on from there has no entries, and what it continues is
 * given back all the same. */
static void test_nothing_counted(void **state)
{
    (void)state;
    record("raised", "1", "2025-02-03");
    keep_both();
    assert_string_equal(tree_unit(commune, "4219", "branch", "421")->text, "");
    world_settle();
    put_back_both();
    record("raised", "2", "2025-02-03");
    come_back();
    assert_int_equal(bases(), 0);
    check("raised", "2025", 3);
    tree_put_back(commune);
    come_back();
    check("raised", "2025", 3);
    record("raised", "4", "2025-02-03");
    world_settle();
    check("raised", "2025", 7);
}

/* ---- odd words ---- */

static int odd;    /* which way what is told is wrong */
static int spoilt; /* how often it was */

/* Once, what is told down is not what it should be. */
static bool spoil(struct world_link *link, int to, struct message *message)
{
    static struct cell cells[8];
    static struct head heads[8];
    static struct origin_heads lists[3];
    struct msg_batch *batch = &message->u.batch;
    (void)link;
    (void)to;
    if (message->type != MESSAGE_BATCH || !batch->returned || spoilt > 0) {
        return true;
    }
    bool has_cells = batch->cell_count > 0 && batch->cell_count < 8;
    bool has_heads = batch->heads[0].head_count > 0 && batch->heads[0].head_count < 8;
    if (odd < 4 ? !has_cells : !has_heads) {
        return true;
    }
    for (size_t i = 0; has_cells && i < batch->cell_count; i++) {
        cells[i] = batch->cells[i];
    }
    for (size_t i = 0; has_heads && i < batch->heads[0].head_count; i++) {
        heads[i] = batch->heads[0].heads[i];
    }
    for (size_t i = 0; i < batch->heads_count; i++) {
        lists[i] = batch->heads[i];
    }
    lists[0].heads = heads;
    batch->cells = cells;
    batch->heads = lists;
    spoilt++;
    switch (odd) {
    case 0:
        cells[0].count = COUNT_MAX + 1;
        break;
    case 1:
        cells[0].origin.b[0] ^= 1;
        break;
    case 2:
        batch->heads_count = 1;
        break;
    case 3:
        batch->number++; /* out of its turn: the link ends, and all is told over the next one */
        break;
    case 4:
        lists[0].head_count--;
        break;
    case 5:
        heads[0].segment.b[0] ^= 1;
        break;
    case 6:
        heads[0].length = (uint64_t)COUNT_MAX + 1;
        break;
    case 7:
        heads[0].hash.b[0] ^= 1; /* of another history, or one that goes on from ours */
        break;
    case 8:
        batch->returned_first = false;
        break;
    default:
        batch->returned_last = true;
        break;
    }
    return true;
}

static void test_odd_words(void **state)
{
    enum { WAYS = 10 };
    (void)state;
    for (odd = 0; odd < WAYS; odd++) {
        (void)set_up_with(73 + (uint64_t)odd);
        record("raised", "1", "2025-02-03");
        keep_both();
        record("raised", "4", "2025-02-04");
        record("raised", "8", "2025-04-04");
        world_settle();
        put_back_both();
        spoilt = 0;
        world.tap = spoil;
        come_back();
        tree_restart(district); /* what was refused is told anew over the next link */
        come_back();
        world.tap = NULL;
        assert_int_equal(spoilt, 1);
        check_at(province, "raised", "2025", 13);
        check_at(commune, "raised", "2025", 13);
        tree_end();
    }
}

/* ---- at random ---- */

/* Each entry is a power of two of its own: a total tells which are in it, and a sum of doubled ones
 * could not be told apart from others only if those are there as well. */
enum { BITS = 40, COPIES = 3, STEPS = 70, LOSERS = 3 };
static size_t turned_away; /* a copy of a branch that has ended was put back */
static size_t sealed;

/* A bit: where it was recorded, and as what entry. */
static struct fact {
    struct world_node *at;
    char entry[ENTRY_ID_MAX_BYTES];
    bool voided; /* somebody said so, on whichever line of the data */
} bits[BITS];
static int bit_count;

static int64_t ledger_has(struct world_node *n, const char *what)
{
    char sql[400];
    (void)snprintf(sql, sizeof sql,
                   "SELECT coalesce(sum(value),0) FROM entry e WHERE own=1 AND kind=1 AND "
                   "hosting=0 AND %s",
                   what);
    return number_of(n, sql);
}

static void record_bit(struct world_node *n)
{
    static const char *const DAYS[] = {"2025-01-10", "2025-02-03", "2025-02-20", "2025-05-05"};
    char value[32];
    struct fact *bit = &bits[bit_count];
    (void)snprintf(value, sizeof value, "%lld", (long long)(INT64_C(1) << bit_count++));
    const struct world_reply *reply =
        world_record(n, n->unit, "raised", value, DAYS[world_below(4)]);
    assert_string_equal(reply->text, "");
    *bit = (struct fact){.at = n};
    entry_id_format(&reply->row.segment, reply->row.seq, bit->entry);
}

/* Refused when it is not there, or was before what was lost. */
static void void_bit(void)
{
    if (bit_count > 0) {
        struct fact *bit = &bits[world_below((size_t)bit_count)];
        struct msg_request request = {
            .type = REQUEST_CORRECT,
            .u.correct = {
                .entry = bit->entry, .is_void = true, .value = "", .key = "", .note = ""}};
        bit->voided = world_ask(bit->at, &request)->err == ERR_OK || bit->voided;
    }
}

/* A file as it is, or as it was some time. */
static void move_file(struct world_node *n, size_t copy, bool back, bool *made)
{
    char path[WORLD_PATH_BYTES + 16];
    (void)snprintf(path, sizeof path, "%s.%zu", n->path, copy);
    if (back && !*made) {
        return;
    }
    tree_close(n);
    tree_copy_file(back ? path : n->path, back ? n->path : path);
    *made = true;
    tree_open(n);
}

static void forget_files(struct world_node *n)
{
    for (size_t i = 0; i < COPIES; i++) {
        char path[WORLD_PATH_BYTES + 16];
        (void)snprintf(path, sizeof path, "%s.%zu", n->path, i);
        (void)unlink(path);
    }
}

/* Every bit that was in the root's total, or is in a ledger, is in it, but for those that were
 * voided; no other is that no office has counted. (Of lines of a ledger that are lost one after the
 * other, an office in between may have counted one of which the root has only heard.) */
static void check_bits(int64_t before, int64_t between, int64_t there, int64_t voided_there)
{
    int64_t now = total(province, "raised", "2025");
    int64_t voided = 0;
    for (int i = 0; i < bit_count; i++) {
        voided |= bits[i].voided ? INT64_C(1) << i : 0;
    }
    int64_t lacks = (before | there) & ~voided & ~now;
    int64_t counted = before | between;
    int64_t too_much = now & ~((counted | there) & ~(voided_there & ~counted));
    if (lacks != 0 || too_much != 0) {
        fail_msg("seed %llu: %llx lacks %llx, and has %llx too much",
                 (unsigned long long)world.seed, (unsigned long long)now, (unsigned long long)lacks,
                 (unsigned long long)too_much);
    }
    check("raised", "2025", now);
    check("members", "2025", total(province, "members", "2025"));
}

static void step_random(struct world_node *const *losers, bool made[LOSERS][COPIES], bool voids)
{
    char value[16];
    size_t which = world_below(LOSERS);
    size_t other = world_below(LOSERS);
    size_t copy = world_below(COPIES);
    size_t what = world_below(100);
    if (what < 30 && bit_count < BITS) {
        record_bit(losers[world_below(2)]);
    } else if (what < 33 && voids) {
        void_bit();
    } else if (what < 36) {
        (void)snprintf(value, sizeof value, "%zu", world_below(1000));
        record("members", value, world_chance(50) ? "2025-02-03" : "2025-02-05");
    } else if (what < 40) {
        tree_restart(losers[which]);
    } else if (what < 50) {
        move_file(losers[which], copy, false, &made[which][copy]);
    } else if (what < 58) {
        move_file(losers[which], copy, true, &made[which][copy]);
        move_file(losers[other], copy, what < 56, &made[other][copy]);
    } else {
        (void)world_connect(losers[world_below(LOSERS)]);
        for (size_t turns = world_below(30); turns > 0; turns--) {
            (void)world_turn(&world.nodes[world_below(world.count)], 1 + world_below(3));
        }
    }
}

static void run_random(uint64_t seed)
{
    bool made[LOSERS][COPIES] = {{false}};
    (void)set_up_with(seed);
    bool voids = world_chance(50);
    struct world_node *branch = tree_child(commune, "4211", "branch");
    struct world_node *losers[LOSERS] = {branch, commune, district};
    tree_relink();
    bit_count = 0;
    for (int step = 0; step < STEPS; step++) {
        step_random(losers, made, voids);
    }
    int64_t before = total(province, "raised", "2025");
    int64_t between = total(district, "raised", "2025") | total(commune, "raised", "2025");
    come_back();
    come_back();
    bool fenced = branch->node->fenced || commune->node->fenced || district->node->fenced;
    turned_away += fenced ? 1 : 0;
    if (!fenced) {
        static const char VOIDED[] = "EXISTS(SELECT 1 FROM entry v JOIN segment s ON "
                                     "s.name=v.refers_segment WHERE v.own=1 AND v.kind=3 AND "
                                     "s.id=e.segment AND v.refers_seq=e.seq)";
        check_bits(before, between, ledger_has(branch, "1") | ledger_has(commune, "1"),
                   ledger_has(branch, VOIDED) | ledger_has(commune, VOIDED));
        check_sound(branch);
        sealed += bases() > 0 ? 1 : 0;
    }
    for (size_t i = 0; i < LOSERS; i++) {
        forget_files(losers[i]);
    }
    tree_end();
}

static void test_random(void **state)
{
    (void)state;
    tree_seeds(run_random, 60, 2, 10000);
    print_message("%zu sealed, %zu turned away\n", sealed, turned_away);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_flows, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_typed_since, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_corrections, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_stocks, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_lost_again, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_come_back, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_deep, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_how_many, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_more_come_back, set_up, tree_end_always),
        cmocka_unit_test_setup_teardown(test_nothing_counted, set_up, tree_end_always),
        cmocka_unit_test_teardown(test_odd_words, tree_end_always),
        cmocka_unit_test_teardown(test_random, tree_end_always),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: node store codec */
/* Bundles and the network in any mix, from seeds: bundles are written, read in part, lost, read
 * again and in another order, old ones long after; answers too; links come and go, processes start
 * anew; and, a third of the seeds each, the unit's machine is put back to an old state, or the
 * office's. Every fact is a power of two, so that a total says which facts are in it, and its
 * number of entries whether each is in it once.
 *
 * Held at every step: no fact twice anywhere; none that the root had goes again; nobody is turned
 * away. At the end, with bundles alone: what the unit's machine has and all that ever came to the
 * office is at both, acknowledged and equal; and with a link then, at the root too.
 *
 * The seeds are new in every run and printed; TALLY_SEED=N runs one again, TALLY_LONG=1 many. */
#include "test_node_paper.h"

enum {
    STEPS = 120,
    SEEDS = 16,
    SEEDS_VALGRIND = 2,
    SEEDS_LONG = 4000,
    PAPERS = 6,
    FACTS = 44,
    ROUNDS = 4
};

#define UNIT "421"

enum put_back { PUT_BACK_NONE, PUT_BACK_UNIT, PUT_BACK_OFFICE, PUT_BACKS };

static struct world_node *root;
static struct world_node *office;
static struct world_node *unit;
static struct paper feeds[PAPERS];
static struct paper answers[PAPERS];
static enum put_back put_back;
static bool kept;
static bool quiet; /* nothing is recorded while a bundle is written */
static size_t facts;
static uint64_t counted; /* at the root so far, a bit each */
static size_t joined;    /* bundles whose end was taken as the unit's, over all seeds */
static size_t healed;    /* entries that came back in bundles, over all seeds */

static uint64_t facts_in(struct world_node *n)
{
    return tree_bits(n, UNIT);
}

static void check(void)
{
    uint64_t above = facts_in(root);
    (void)facts_in(office);
    (void)facts_in(unit);
    if ((counted & ~above) != 0) {
        fail_msg("seed %llu: facts %llx are gone at the root", (unsigned long long)world.seed,
                 (unsigned long long)(counted & ~above));
    }
    counted = above;
    struct state_status status = state_status(unit, "");
    if (status.uplink == UPLINK_FENCED || status.uplink == UPLINK_REFUSED) {
        fail_msg("seed %llu: turned away: %s", (unsigned long long)world.seed, status.uplink_text);
    }
}

/* ---- steps ---- */

static void record_one(void)
{
    char value[32];
    static const char *const DAYS[] = {"2025-01-05", "2025-02-03", "2025-02-04"};
    if (facts < FACTS) {
        (void)snprintf(value, sizeof value, "%llu", 1ull << facts);
        facts++;
        const struct world_reply *reply =
            world_record(unit, UNIT, "raised", value, DAYS[world_below(3)]);
        assert_string_equal(reply->text, "");
    }
}

static void maybe_record(void)
{
    if (!quiet && world_chance(30)) {
        record_one();
    }
}

static void write_one(struct world_node *from, const char *to, struct paper *paper)
{
    paper_free(paper);
    const struct world_reply *reply =
        paper_write(from, to, world_chance(10), paper, from == unit ? maybe_record : NULL);
    if (reply->err != ERR_OK) { /* entries are on their way back */
        assert_non_null(strstr(reply->text, "coming back"));
        paper_free(paper);
    }
}

static const struct world_reply *read_one(struct world_node *at, const struct paper *paper,
                                          size_t most)
{
    if (paper->frames == NULL) {
        return NULL;
    }
    const struct world_reply *reply = paper_read(at, paper, most);
    if (reply != NULL && reply->err != ERR_OK) {
        /* what is older than a file that was put back does not fit it */
        bool old = strstr(reply->text, "older than this machine's data") != NULL ||
                   strstr(reply->text, "entries that are not here") != NULL;
        if (!old) {
            fail_msg("seed %llu: %s", (unsigned long long)world.seed, reply->text);
        }
        return NULL;
    }
    if (reply != NULL) {
        joined += reply->bundle.outcome == BUNDLE_TAKEN ? 1 : 0;
        healed += (size_t)reply->bundle.healed;
    }
    return reply;
}

static void to_file(struct world_node *n, bool back)
{
    if (back && !kept) {
        return;
    }
    world_settle();
    back ? tree_put_back(n) : tree_keep(n);
    kept = true;
}

static void step(void)
{
    size_t most = world_chance(20) ? 1 + world_below(4) : SIZE_MAX;
    struct world_node *loser = put_back == PUT_BACK_UNIT ? unit : office;
    switch (world_below(12)) {
    case 0:
    case 1:
    case 2:
        record_one();
        break;
    case 3:
    case 4:
        write_one(unit, "", &feeds[world_below(PAPERS)]);
        break;
    case 5:
    case 6:
        (void)read_one(office, &feeds[world_below(PAPERS)], most);
        break;
    case 7:
        write_one(office, UNIT, &answers[world_below(PAPERS)]);
        break;
    case 8:
        (void)read_one(unit, &answers[world_below(PAPERS)], most);
        break;
    case 9:
        if (unit->up != NULL) {
            world_cut(unit, world_chance(50));
        } else if (world_chance(60)) {
            (void)world_connect(unit);
        }
        break;
    case 10:
        tree_restart(world_chance(60) ? unit : office);
        break;
    case 11:
        if (put_back != PUT_BACK_NONE) {
            to_file(loser, world_chance(50));
        }
        break;
    }
    for (size_t i = world_below(4); i > 0; i--) {
        (void)world_turn(&world.nodes[world_below(world.count)], 1 + world_below(3));
    }
    if (world_chance(50)) {
        (void)world_connect(office);
        world_settle();
    }
}

/* ---- the end ---- */

/* What comes of a round: the unit's feed to the office, the answer back. */
static struct rep_bundle round_trip(void)
{
    struct rep_bundle last = {.exact = false};
    write_one(unit, "", &feeds[0]);
    (void)read_one(office, &feeds[0], SIZE_MAX);
    write_one(office, UNIT, &answers[0]);
    const struct world_reply *reply = read_one(unit, &answers[0], SIZE_MAX);
    if (reply != NULL) {
        last = reply->bundle;
    }
    return last;
}

static void finish(void)
{
    struct rep_bundle last = {.exact = false};
    quiet = true;
    world_cut(unit, false);
    (void)world_connect(office);
    world_settle();
    uint64_t all = facts_in(unit) | facts_in(office) | counted;
    for (int i = 0; i < ROUNDS; i++) {
        last = round_trip();
        world_settle();
    }
    struct state_status status = state_status(unit, "");
    if (!last.exact || status.unescrowed != 0 || status.pending != 0) {
        fail_msg("seed %llu: %lld entries and %lld rows are not known to have come",
                 (unsigned long long)world.seed, (long long)status.unescrowed,
                 (long long)status.pending);
    }
    bool same = facts_in(office) == facts_in(unit) && facts_in(root) == facts_in(unit);
    if (!same || (all & ~facts_in(unit)) != 0) {
        fail_msg("seed %llu: of %llx the unit has %llx, the office %llx, the root %llx",
                 (unsigned long long)world.seed, (unsigned long long)all,
                 (unsigned long long)facts_in(unit), (unsigned long long)facts_in(office),
                 (unsigned long long)facts_in(root));
    }
    tree_relink();
    check();
    record_one();
    tree_relink();
    assert_int_equal(state_status(unit, "").uplink, UPLINK_LINKED);
    if (facts_in(root) != facts_in(unit)) {
        fail_msg("seed %llu: the link brings something else than the bundles",
                 (unsigned long long)world.seed);
    }
    assert_false(state_alarm(office, "digest").there && !state_alarm(office, "digest").mended);
    assert_false(state_alarm(office, "conserved").there &&
                 !state_alarm(office, "conserved").mended);
}

static void run(uint64_t seed)
{
    tree_begin(seed);
    facts = 0;
    counted = 0;
    kept = quiet = false;
    put_back = (enum put_back)(seed % PUT_BACKS);
    root = tree_root("4", tree_catalogue(2));
    office = tree_child(root, "42", "district");
    unit = tree_child(office, UNIT, "commune");
    (void)world_connect(office);
    world_settle();
    write_one(office, UNIT, &answers[0]);
    assert_non_null(read_one(unit, &answers[0], SIZE_MAX));
    for (int i = 0; i < STEPS; i++) {
        step();
        check();
    }
    finish();
    for (size_t i = 0; i < PAPERS; i++) {
        paper_free(&feeds[i]);
        paper_free(&answers[i]);
    }
    tree_end();
}

static void any_mix(void **state)
{
    (void)state;
    joined = healed = 0;
    tree_seeds(run, SEEDS, SEEDS_VALGRIND, SEEDS_LONG);
    print_message("%zu bundles taken, %zu entries brought back\n", joined, healed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_teardown(any_mix, tree_end_always)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: node store codec */
/* Machines with the data of one node, from one seed: the data is copied while nobody looks, copies
 * run beside each other and in turns, old states are put back, connections break with and without a
 * word, processes and the office above start anew. Every fact has a value of its own, a power of
 * two, so that a total says which facts are in it, and its number of entries whether each is in it
 * once.
 *
 * At every step: one machine at most is linked as the node, and none that was superseded or turned
 * away before; no total has a fact twice; none that
 * was counted above goes again. At the end each machine but one is turned away, and says so. Then
 * the office issues the identity anew to one after the other, and with each the total has all that
 * this machine had recorded too. Where nothing was copied or put back, nobody is ever turned away.
 *
 * The seeds are new in every run and printed; TALLY_SEED=N runs one again, TALLY_LONG=1 many. */
#include "test_node_state.h"

enum {
    STEPS = 90,
    SEEDS = 12,
    SEEDS_VALGRIND = 2,
    SEEDS_LONG = 4000,
    MACHINES = 4,
    FACTS = 44,
    SESSIONS = 400
};

#define UNIT "421"

static struct world_node *root;
static struct world_node *office;
static struct world_node *machines[MACHINES];
static size_t machine_count;
static bool kept[MACHINES]; /* an old state of it lies beside it */

/* The names that processes have given themselves, by number. One that the office has welcomed has
 * ended when a machine is welcomed whose file does not know it; so has one that was turned away,
 * unless the one that is linked knows it. Whoever knows one that has ended is never welcomed again.
 */
static bool knows[MACHINES][SESSIONS];
static bool kept_knows[MACHINES][SESSIONS];
static size_t session[MACHINES];
static size_t said[WORLD_LINKS]; /* in the hello on that link */
static bool ended[SESSIONS];
static size_t session_count;
static size_t welcomed;        /* last; 0: none */
static size_t rival[SESSIONS]; /* the machine that was linked when it said hello, and its link */
static uint64_t rival_link[SESSIONS];
static bool copies; /* data is copied and put back */
static size_t facts;
static uint64_t counted; /* at the root so far, a bit each */
static uint64_t office_had;

static uint64_t facts_in(struct world_node *n)
{
    return tree_bits(n, UNIT);
}

static bool is_linked(const struct world_node *n)
{
    for (size_t i = 0; n->up != NULL && i < office->node->link_count; i++) {
        const struct link *link = office->node->links[i];
        if (link->id == n->up->id && link->state == SESSION_LIVE) {
            return true;
        }
    }
    return false;
}

static bool is_fenced(struct world_node *n)
{
    return state_status(n, "").uplink == UPLINK_FENCED;
}

/* ---- what must hold at any time ---- */

static void check_gone(uint64_t before, uint64_t now, const char *where)
{
    if ((before & ~now) != 0) {
        fail_msg("seed %llu: facts %llx are gone at %s", (unsigned long long)world.seed,
                 (unsigned long long)(before & ~now), where);
    }
}

static void check(void)
{
    size_t linked = 0;
    for (size_t i = 0; i < office->node->link_count; i++) {
        const struct link *link = office->node->links[i];
        linked += !link->up && link->state == SESSION_LIVE ? 1 : 0;
    }
    if (linked > 1) {
        fail_msg("seed %llu: %zu machines are linked as one node", (unsigned long long)world.seed,
                 linked);
    }
    uint64_t above = facts_in(root);
    uint64_t here = facts_in(office);
    check_gone(counted, above, "the root");
    check_gone(office_had, here, "the office above");
    counted = above;
    office_had = here;
    for (size_t i = 0; i < machine_count; i++) {
        (void)facts_in(machines[i]); /* each once */
        if (!copies && is_fenced(machines[i])) {
            fail_msg("seed %llu: turned away, and nothing was copied",
                     (unsigned long long)world.seed);
        }
    }
}

/* ---- who is welcomed ---- */

static void open_machine(size_t at)
{
    tree_open(machines[at]);
    assert_true(++session_count < SESSIONS);
    session[at] = session_count;
    knows[at][session_count] = true;
}

static size_t number_of(const struct world_node *n)
{
    size_t at = 0;
    while (at < machine_count && machines[at] != n) {
        at++;
    }
    return at;
}

static void on_welcome(size_t at, size_t with)
{
    for (size_t i = 1; i <= session_count; i++) {
        if (knows[at][i] && ended[i]) {
            fail_msg("seed %llu: welcomed with a session that has ended",
                     (unsigned long long)world.seed);
        }
    }
    size_t other = rival[with];
    const struct world_link *up = other < machine_count ? machines[other]->up : NULL;
    if (up != NULL && up->id == rival_link[with] && up->state[END_CHILD] == END_UP &&
        !knows[at][session[other]]) {
        fail_msg("seed %llu: welcomed while another machine is linked and answers",
                 (unsigned long long)world.seed);
    }
    ended[welcomed] = ended[welcomed] || (welcomed != 0 && !knows[at][welcomed]);
    welcomed = with;
}

static void note_rival(size_t at)
{
    size_t with = session[at];
    rival[with] = machine_count;
    for (size_t i = 0; i < machine_count; i++) {
        if (i != at && is_linked(machines[i])) {
            rival[with] = i;
            rival_link[with] = machines[i]->up->id;
        }
    }
}

/* The machine that the office goes on with, at the hello or now, has the name in its file: which
 * has not ended then. */
static bool linked_one_knows(size_t with)
{
    bool known = rival[with] < machine_count && knows[rival[with]][with];
    for (size_t i = 0; i < machine_count; i++) {
        known = known || (is_linked(machines[i]) && knows[i][with]);
    }
    return known;
}

static bool see(struct world_link *link, int to, struct message *message)
{
    size_t at = number_of(link->end[END_CHILD]);
    size_t *with = &said[link - world.links];
    if (at == machine_count) {
        return true; /* the office's own */
    }
    if (message->type == MESSAGE_HELLO) {
        *with = session[at];
        note_rival(at);
    } else if (to == END_CHILD && message->type == MESSAGE_WELCOME && *with == session[at]) {
        on_welcome(at, *with);
    } else if (to == END_CHILD && message->type == MESSAGE_REFUSE &&
               message->u.refuse.code == REFUSAL_FORK) {
        ended[*with] = ended[*with] || !linked_one_knows(*with);
    }
    return true;
}

/* ---- steps ---- */

static void record(struct world_node *n)
{
    char value[32];
    char day[16];
    if (facts == FACTS) {
        return;
    }
    (void)snprintf(value, sizeof value, "%llu", 1ULL << facts++);
    (void)snprintf(day, sizeof day, "2025-%02zu-05", 1 + world_below(2));
    assert_string_equal(world_record(n, UNIT, "raised", value, day)->text, "");
}

static void path_of_kept(size_t at, char out[WORLD_PATH_BYTES + 16])
{
    (void)snprintf(out, WORLD_PATH_BYTES + 16, "%s.copy", machines[at]->path);
}

static void keep(size_t at)
{
    char copy[WORLD_PATH_BYTES + 16];
    path_of_kept(at, copy);
    tree_close(machines[at]);
    tree_copy_file(machines[at]->path, copy);
    memcpy(kept_knows[at], knows[at], sizeof kept_knows[at]);
    open_machine(at);
    kept[at] = true;
}

static void put_back(size_t at)
{
    char copy[WORLD_PATH_BYTES + 16];
    path_of_kept(at, copy);
    tree_close(machines[at]);
    tree_copy_file(copy, machines[at]->path);
    memcpy(knows[at], kept_knows[at], sizeof knows[at]);
    open_machine(at);
}

static void clone_of(size_t at)
{
    struct world_node *twin = tree_add(UNIT);
    struct world_node *n = machines[at];
    twin->key = n->key;
    twin->certified = n->certified;
    twin->number = n->number;
    twin->parent = office;
    tree_close(n);
    tree_copy_file(n->path, twin->path);
    machines[machine_count] = twin;
    memcpy(knows[machine_count], knows[at], sizeof knows[at]);
    open_machine(at);
    open_machine(machine_count++);
}

static void step_copies(size_t at)
{
    if (world_chance(40) && machine_count < MACHINES) {
        clone_of(at);
    } else if (world_chance(50) || !kept[at]) {
        keep(at);
    } else {
        put_back(at);
    }
}

static void step(void)
{
    size_t at = world_below(machine_count);
    struct world_node *n = machines[at];
    size_t what = world_below(100);
    if (what < 35) {
        record(n);
    } else if (what < 60) {
        (void)world_connect(n);
        (void)world_connect(office);
    } else if (what < 68) {
        world_cut(n, world_chance(50));
    } else if (what < 76) {
        tree_close(n);
        open_machine(at);
    } else if (what < 79) {
        tree_restart(office);
    } else if (what < 88) {
        world_pass(1000 * (1 + (int64_t)world_below(25)));
    } else if (copies) {
        step_copies(at);
    }
    for (size_t turns = world_below(12); turns > 0; turns--) {
        (void)world_turn(&world.nodes[world_below(world.count)], 1 + world_below(3));
    }
    if (world_chance(60)) {
        world_settle();
    }
    check();
}

/* ---- the end ---- */

static void settle_all(void)
{
    for (int round = 0; round < 8; round++) {
        (void)world_connect(office);
        for (size_t i = 0; i < machine_count; i++) {
            (void)world_connect(machines[i]);
            world_settle();
        }
        world_pass(4000);
        check();
    }
}

static void check_turned_away(void)
{
    size_t linked = 0;
    for (size_t i = 0; i < machine_count; i++) {
        bool is = is_linked(machines[i]);
        linked += is ? 1 : 0;
        if (!is && !is_fenced(machines[i])) {
            fail_msg("seed %llu: a machine is neither linked nor turned away: %d",
                     (unsigned long long)world.seed, (int)state_status(machines[i], "").uplink);
        }
    }
    assert_true(linked <= 1);
    assert_true(copies || linked == 1);
    assert_true(linked == machine_count || state_alarm(office, "child-refused").there);
}

static struct msg_joined answered;
static struct ancestor above;

static void take_answer(void)
{
    assert_int_equal(node_commit(office->node, NULL), ERR_OK);
    bool accepted = false;
    for (const struct effect *e = node_effect(office->node); e != NULL;
         e = node_effect(office->node)) {
        if (e->type == EFFECT_ISSUE) {
            accepted = true;
            answered = *e->joined;
            above = e->joined->ancestors[0];
            answered.ancestors = &above;
        } else if (e->type == EFFECT_CLOSE || e->type == EFFECT_SEND) {
            int end;
            struct world_link *link = world_link_of(office, e->link, &end);
            if (link != NULL && e->type == EFFECT_SEND && link->state[1 - end] < END_DOWN_DUE) {
                world_send(link, 1 - end, e->message);
            } else if (link != NULL && e->type == EFFECT_CLOSE) {
                world_end_down(link, end);
                link->hung_up[1 - end] = true;
            }
        }
    }
    assert_true(accepted);
}

/* The office gives that machine a new identity, and it goes on with its data. */
static void reissue(struct world_node *n)
{
    struct store *store;
    struct errmsg msg = {{0}};
    struct msg_request request = {
        .type = REQUEST_INVITE,
        .u.invite = {.unit = UNIT, .name = "", .level = "", .expires_ms = 1000, .reissue = true}};
    assert_string_equal(world_ask(office, &request)->text, "");
    tree_close(n);
    world_settle();
    world_fill(NULL, n->key.b, sizeof n->key.b);
    struct node_joiner joiner = {.node_key = n->key, .ca_key = n->key, .address = ""};
    struct msg_join join = tree_join_message(world.token, &joiner.exporter);
    join.origin = n->origin;
    world_begin(office);
    node_on_join(office->node, 999999, &join, &joiner);
    take_answer();
    assert_int_equal(store_open(n->path, STORE_WRITE, &store, &msg), ERR_OK);
    for (int times = 1 + (int)world_below(2); times > 0; times--) {
        assert_int_equal(node_rejoin(store, &answered, &n->key, &msg), ERR_OK);
    }
    store_close(store);
    n->certified = n->key;
    n->number = answered.hosting;
    memset(knows[number_of(n)], 0, sizeof knows[0]);
    open_machine(number_of(n));
    assert_true(id_equal(&node_identity(n->node)->node, &answered.node));
    assert_int_equal(n->node->hosting, answered.hosting);
}

static void end_it(void)
{
    for (size_t left = machine_count; left > 0; left--) {
        struct world_node *n = machines[left - 1];
        uint64_t want = facts_in(office) | facts_in(n);
        reissue(n);
        settle_all();
        if (!is_linked(n)) {
            fail_msg("seed %llu: not linked with its new identity: %d",
                     (unsigned long long)world.seed, (int)state_status(n, "").uplink);
        }
        if (facts_in(root) != want || facts_in(office) != want || facts_in(n) != want) {
            fail_msg("seed %llu: facts %llx, %llx, %llx are not %llx",
                     (unsigned long long)world.seed, (unsigned long long)facts_in(root),
                     (unsigned long long)facts_in(office), (unsigned long long)facts_in(n),
                     (unsigned long long)want);
        }
        assert_int_equal(state_of_child(office, UNIT), LINK_EXACT);
        assert_true(state_verify(n).ok && state_verify(office).ok && state_verify(root).ok);
    }
}

static void run_seed(uint64_t seed)
{
    tree_begin(seed);
    copies = world_chance(75);
    facts = machine_count = session_count = welcomed = 0;
    memset(knows, 0, sizeof knows);
    memset(ended, 0, sizeof ended);
    counted = office_had = 0;
    memset(kept, 0, sizeof kept);
    root = tree_root("4", tree_catalogue(1));
    office = tree_child(root, "42", "district");
    machines[machine_count++] = tree_child(office, UNIT, "commune");
    tree_close(machines[0]);
    open_machine(0);
    world.tap = see;
    tree_connect_all();
    world_settle();
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    settle_all();
    check_turned_away();
    end_it();
    tree_end();
}

static void test_one_goes_on(void **state)
{
    (void)state;
    tree_seeds(run_seed, SEEDS, SEEDS_VALGRIND, SEEDS_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_one_goes_on, tree_end_always)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

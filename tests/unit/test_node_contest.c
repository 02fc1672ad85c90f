/* layer: node store codec */
/* Two machines with the data of one child: who is linked is asked, and what it answers decides. */
#include "test_node_fake.h"

enum { WAIT_MS = 11000, LONG_MS = 60000 };

static struct world_node *root;
static struct fake_child fake;
static uint64_t asked; /* the nonce with which the older one was asked; 0: it was not */

static int set_up(void **state)
{
    (void)state;
    tree_begin(30);
    root = tree_root("4", tree_catalogue(1));
    fake_begin(&fake, root, "42", "district");
    return 0;
}

static void take_effects(uint64_t newer, uint64_t older)
{
    fake.refused = fake.acked = fake.closed = false;
    asked = 0;
    for (const struct effect *e = node_effect(root->node); e != NULL; e = node_effect(root->node)) {
        const struct message *m = e->type == EFFECT_SEND ? e->message : NULL;
        if (m != NULL && m->type == MESSAGE_REFUSE && e->link == newer) {
            fake.refused = true;
            fake.refusal = m->u.refuse.code;
        } else if (m != NULL && m->type == MESSAGE_WELCOME && e->link == newer) {
            fake.acked = true;
        } else if (m != NULL && m->type == MESSAGE_PING && e->link == older) {
            asked = m->u.ping.nonce;
        }
    }
}

/* A machine comes that knows nothing of the sessions before. */
static void knock(uint64_t older)
{
    struct feed_mark session = {.revision = INT64_MAX};
    struct message hello = {.type = MESSAGE_HELLO,
                            .u.hello = {.protocol_min = 1,
                                        .protocol_max = 1,
                                        .software = "",
                                        .tree = fake.tree,
                                        .node = fake.node,
                                        .origin = fake.origin,
                                        .sessions = &session,
                                        .session_count = 1}};
    world_fill(NULL, session.session.b, ID_BYTES);
    fake.link++;
    world_begin(root);
    node_on_downlink(
        root->node, fake.link,
        &(struct node_peer){.node = fake.node, .key = fake.self->key, .address = fake.self->unit});
    node_on_message(root->node, fake.link, &hello);
    assert_int_equal(node_commit(root->node, NULL), ERR_OK);
    take_effects(fake.link, older);
}

static void answer(uint64_t link, uint64_t nonce)
{
    struct message ping = {.type = MESSAGE_PING, .u.ping = {.answer = true, .nonce = nonce}};
    world_begin(root);
    node_on_message(root->node, link, &ping);
    assert_int_equal(node_commit(root->node, NULL), ERR_OK);
    take_effects(0, 0);
}

static bool is_busy(void)
{
    return fake.refused && fake.refusal == REFUSAL_BUSY;
}

static bool is_fenced(void)
{
    return fake.refused && fake.refusal == REFUSAL_FORK;
}

/* The machine has started again, and its old connection has died unnoticed. */
static void test_silent(void **state)
{
    (void)state;
    uint64_t older = fake.link;
    knock(older);
    assert_true(is_busy() && asked != 0);
    knock(older);
    assert_true(is_busy() && asked == 0);
    world.now.mono.ms += WAIT_MS;
    knock(older);
    assert_true(fake.acked && !fake.refused);
}

static void test_both_there(void **state)
{
    (void)state;
    uint64_t older = fake.link;
    knock(older);
    assert_true(is_busy());
    answer(older, asked);
    knock(older);
    assert_true(is_fenced());
    assert_int_equal(state_of_child(root, "42"), LINK_CATCHING_UP); /* the older one is the child */
    assert_true(state_alarm(root, "child-refused").there);
}

/* An answer to something else is none. */
static void test_other_answer(void **state)
{
    (void)state;
    uint64_t older = fake.link;
    knock(older);
    answer(older, asked + 1);
    answer(older, 0);
    knock(older);
    assert_true(is_busy());
}

/* What it answered long ago, when another machine knocked, says nothing of now. */
static void test_answer_of_long_ago(void **state)
{
    (void)state;
    uint64_t older = fake.link;
    knock(older);
    answer(older, asked);
    knock(older);
    assert_true(is_fenced());
    world.now.mono.ms += LONG_MS;
    knock(older);
    assert_true(is_busy() && asked != 0);
    world.now.mono.ms += WAIT_MS;
    knock(older);
    assert_true(fake.acked && !fake.refused);
}

static int tear_down(void **state)
{
    fake_end(&fake);
    return tree_end_always(state);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_silent), CASE(test_both_there),
                                       CASE(test_other_answer), CASE(test_answer_of_long_ago)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

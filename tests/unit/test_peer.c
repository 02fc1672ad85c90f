/* layer: tls pki */
/* Who made a file, by the chain that is in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "tls_world.h"

static struct world world;

static int set_up(void **state)
{
    (void)state;
    world_begin(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    world_end(&world);
    return 0;
}

static enum err of_chain(const struct party *party, const struct party *own, struct tls_peer *out)
{
    struct errmsg msg = {{0}};
    enum err err = tls_peer_of_chain(world_bytes(&party->chain), world_bytes(&own->chain),
                                     world_bytes(&world.root.chain), out, &msg);
    assert_int_equal(err != ERR_OK, msg.text[0] != '\0');
    return err;
}

/* The same is known of the peer as at the end of a handshake. */
static void as_connected(const struct party *party, const struct party *own)
{
    struct tls_peer found;
    struct pair pair;
    memset(&found, 0x55, sizeof found);
    assert_int_equal(of_chain(party, own, &found), ERR_OK);
    pair_begin(&pair, world_server(party, &world.root), world_client(own, &world.root), TLS_LINK,
               4096);
    pair_shake(&pair);
    assert_true(pair.server.done && pair.client.done);
    const struct tls_peer *want = tls_peer(pair.client.tls);
    assert_int_equal(found.purpose, 0);
    assert_true(found.has_certificate);
    assert_string_equal(found.common_name, want->common_name);
    assert_string_equal(found.organisation, want->organisation);
    assert_string_equal(found.role, want->role);
    assert_int_equal(found.number, want->number);
    assert_int_equal(found.above, want->above);
    assert_true(hash_equal(&found.key, &want->key));
    assert_true(hash_equal(&found.issuer_key, &want->issuer_key));
    assert_true(hash_equal(&found.root, &want->root));
    pair_end(&pair);
}

/* The parent, and the machine that came in its place; only the right office's is above. */
static void test_chain_above(void **state)
{
    (void)state;
    struct party district, sibling, commune, office, newer, older, beside, forged;
    struct tls_peer peer;
    party_issue_for(&district, &world.root, PKI_NODE_CA, 20, "436", world.now);
    party_issue_for(&sibling, &world.root, PKI_NODE_CA, 21, "441", world.now);
    party_issue_for(&commune, &district, PKI_NODE, 22, "43601", world.now);
    party_issue_for(&office, &world.root, PKI_NODE, 20, "436", world.now);
    party_issue_for(&newer, &world.root, PKI_NODE, 30, "436", world.now);
    party_issue_for(&older, &world.root, PKI_NODE, 19, "436", world.now);
    party_issue_for(&beside, &world.root, PKI_NODE, 31, "441", world.now);
    party_issue_for(&forged, &sibling, PKI_NODE, 32, "436", world.now);
    const struct {
        const struct party *party;
        bool above;
    } rows[] = {
        {&office, true}, {&newer, true}, {&older, false}, {&beside, false}, {&forged, false}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        as_connected(rows[i].party, &commune);
        assert_int_equal(of_chain(rows[i].party, &commune, &peer), ERR_OK);
        assert_int_equal(peer.above, rows[i].above);
    }
    as_connected(&commune, &office);
    assert_int_equal(of_chain(&commune, &office, &peer), ERR_OK);
    assert_true(!peer.above && peer.number == 22);
    assert_string_equal(peer.role, "43601");
    as_connected(&world.low, &world.top);
    as_connected(&world.top, &world.low);
    as_connected(&world.client, &world.low);
    assert_int_equal(of_chain(&world.client, &world.low, &peer), ERR_OK);
    assert_string_equal(peer.common_name, "client:lan");
    struct party *all[] = {&district, &sibling, &commune, &office,
                           &newer,    &older,   &beside,  &forged};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        party_end(all[i]);
    }
}

/* A chain of these pieces of PEM, one after the other. */
static enum err of_pieces(const struct bytes *pieces, size_t count)
{
    struct party party;
    struct tls_peer peer;
    memset(&peer, 0, sizeof peer);
    buf_init(&party.chain, PKI_FILE_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        buf_put(&party.chain, pieces[i].data, pieces[i].len);
    }
    enum err err = of_chain(&party, &world.top, &peer);
    buf_deinit(&party.chain);
    assert_true(err == ERR_OK || !peer.has_certificate);
    return err;
}

static void test_chain_refused(void **state)
{
    (void)state;
    struct bytes low = world_bytes(&world.low.chain), above = world_bytes(&world.ca[1].chain);
    struct bytes root = world_bytes(&world.root.chain);
    struct bytes higher = world_bytes(&world.ca[0].chain);
    struct bytes leaf = {low.data, low.len - above.len};
    struct bytes middle = {above.data, above.len - higher.len};
    struct bytes upper = {higher.data, higher.len - root.len};
    struct party below;
    struct tls_peer peer;
    assert_int_equal(of_pieces((struct bytes[]){leaf, middle, upper, root}, 4), ERR_OK);
    assert_int_equal(of_pieces((struct bytes[]){leaf, middle, upper}, 3), ERR_OK); /* it is here */
    assert_int_equal(of_pieces(&leaf, 1), ERR_AUTH);
    assert_int_equal(of_pieces((struct bytes[]){leaf, middle}, 2), ERR_AUTH);
    assert_int_equal(of_pieces((struct bytes[]){leaf, upper, root}, 3), ERR_AUTH);
    assert_int_equal(of_pieces((struct bytes[]){leaf, root}, 2), ERR_AUTH);
    assert_int_equal(of_pieces((struct bytes[]){middle, upper, root}, 3), ERR_AUTH); /* a CA */
    assert_int_equal(of_pieces(&root, 1), ERR_AUTH);
    assert_int_equal(of_pieces(NULL, 0), ERR_AUTH);
    struct bytes noise = {(const uint8_t *)"-----BEGIN CERTIFICATE-----\nAAAA\n", 33};
    assert_int_equal(of_pieces(&noise, 1), ERR_AUTH);
    assert_int_equal(of_pieces((struct bytes[]){leaf, noise}, 2), ERR_AUTH);
    struct bytes strange = world_bytes(&world.stranger.chain);
    assert_int_equal(of_pieces(&strange, 1), ERR_AUTH);
    assert_int_equal(of_pieces((struct bytes[]){strange, root}, 2), ERR_AUTH);
    party_issue(&below, &world.low, PKI_NODE, 6, world.now); /* by who may not */
    assert_int_equal(of_chain(&below, &world.top, &peer), ERR_AUTH);
    party_end(&below);
    struct bytes none = {NULL, 0}, own = world_bytes(&world.top.chain);
    assert_int_equal(tls_peer_of_chain(low, none, root, &peer, NULL), ERR_INVALID);
    assert_int_equal(tls_peer_of_chain(low, own, none, &peer, NULL), ERR_INVALID);
    assert_int_equal(tls_peer_of_chain(low, own, strange, &peer, NULL), ERR_AUTH);
}

/* Over for years, or not yet valid: as good as any. */
static void test_chain_times(void **state)
{
    (void)state;
    static const int64_t YEAR_MS = INT64_C(365) * 86400 * 1000;
    static const int64_t OFF[] = {-40, -3, 1, 40};
    for (size_t i = 0; i < sizeof OFF / sizeof OFF[0]; i++) {
        struct party ca, party;
        struct tls_peer peer;
        struct wall then = {world.now.ms + OFF[i] * YEAR_MS};
        party_issue(&ca, &world.root, PKI_NODE_CA, 8, then);
        party_issue(&party, &ca, PKI_NODE, 9, then);
        assert_int_equal(of_chain(&party, &world.top, &peer), ERR_OK);
        struct hash key = pki_key_public(party.key), issuer = pki_key_public(ca.key);
        assert_true(hash_equal(&peer.key, &key) && hash_equal(&peer.issuer_key, &issuer));
        party_end(&party);
        party_end(&ca);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_chain_above),
                                       cmocka_unit_test(test_chain_refused),
                                       cmocka_unit_test(test_chain_times)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

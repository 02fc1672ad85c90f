/* layer: tls pki */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>

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

static void assert_done(struct pair *pair)
{
    assert_string_equal(pair->server.msg.text, "");
    assert_string_equal(pair->client.msg.text, "");
    assert_true(pair->server.done && pair->client.done);
}

static void assert_key(const struct hash *got, const struct party *want)
{
    struct hash key = pki_key_public(want->key);
    assert_true(hash_equal(got, &key));
}

/* The whole way in pieces of every size: handshake over a chain of three tiers, who is who, bytes
 * in both directions, end. No ticket follows the handshake. */
static void test_link(void **state)
{
    (void)state;
    static const size_t CHUNKS[] = {1, 7, 4096};
    for (size_t i = 0; i < 3; i++) {
        struct pair pair;
        char text[16] = "";
        pair_begin(&pair, world_server(&world.top, &world.root),
                   world_client(&world.low, &world.root), TLS_LINK, CHUNKS[i]);
        pair_shake(&pair);
        assert_done(&pair);
        assert_true(tls_pending(pair.server.tls) == 0 && tls_pending(pair.client.tls) == 0);
        const struct tls_peer *low = tls_peer(pair.server.tls), *top = tls_peer(pair.client.tls);
        assert_true(low->purpose == TLS_LINK && top->purpose == TLS_LINK);
        assert_true(low->has_certificate && top->has_certificate);
        assert_string_equal(low->common_name, "node:04000000000000000000000000000000");
        assert_string_equal(top->common_name, "node:03000000000000000000000000000000");
        assert_string_equal(low->organisation, "11220000000000000000000000000000");
        assert_string_equal(low->role, "");
        assert_key(&low->key, &world.low);
        assert_key(&low->issuer_key, &world.ca[1]);
        assert_key(&top->key, &world.top);
        assert_key(&top->issuer_key, &world.root);
        assert_true(hash_equal(&low->root, &world.fingerprint) &&
                    hash_equal(&top->root, &world.fingerprint));
        assert_int_equal(tls_write(pair.client.tls, "up", 2, NULL), ERR_OK);
        assert_int_equal(tls_write(pair.server.tls, "down", 4, NULL), ERR_OK);
        pair_shake(&pair);
        assert_int_equal(end_read(&pair.server, text, sizeof text), 2);
        assert_memory_equal(text, "up", 2);
        assert_int_equal(end_read(&pair.client, text, sizeof text), 4);
        assert_memory_equal(text, "down", 4);
        pair_end(&pair);
    }
}

/* How the commune 43601 of the district 436 sees whoever answers where its district was. */
static void see(const struct party *commune, const struct party *ca, const char *unit,
                uint8_t number, bool above)
{
    struct party party;
    struct pair pair;
    party_issue_for(&party, ca, PKI_NODE, number, unit, world.now);
    pair_begin(&pair, world_server(&party, &world.root), world_client(commune, &world.root),
               TLS_LINK, 4096);
    pair_shake(&pair);
    assert_done(&pair);
    assert_int_equal(tls_peer(pair.client.tls)->above, above);
    assert_int_equal(tls_peer(pair.client.tls)->number, unit == NULL ? 0 : number);
    pair_end(&pair);
    party_end(&party);
}

/* A new machine of the unit above is known by its unit and those above it, which nobody beside them
 * can certify. */
static void test_above(void **state)
{
    (void)state;
    struct party district;
    struct party sibling;
    struct party ward;
    struct party commune;
    struct party deeper;
    struct party office;
    struct party newer;
    struct party replaced;
    party_issue_for(&district, &world.root, PKI_NODE_CA, 20, "436", world.now);
    party_issue_for(&sibling, &world.root, PKI_NODE_CA, 21, "441", world.now);
    party_issue_for(&commune, &district, PKI_NODE, 22, "43601", world.now);
    party_issue_for(&ward, &district, PKI_NODE_CA, 23, "43601", world.now);
    party_issue_for(&deeper, &ward, PKI_NODE, 24, "436010", world.now);
    party_issue_for(&office, &world.root, PKI_NODE, 25, "436", world.now);
    see(&commune, &world.root, "436", 30, true);
    see(&commune, &world.root, "441", 30, false);
    see(&commune, &world.root, NULL, 30, false);
    see(&commune, &sibling, "436", 30, false);  /* made by the office beside it */
    see(&commune, &district, "436", 30, false); /* by itself */
    see(&deeper, &district, "43601", 30, true);
    /* The district's machine has been replaced, and 43601 certified anew: the old one's CA, which
     * lies on somebody's disk, certifies nobody any more. */
    party_issue_for(&newer, &world.root, PKI_NODE_CA, 26, "436", world.now);
    party_issue_for(&replaced, &newer, PKI_NODE_CA, 27, "43601", world.now);
    party_end(&deeper);
    party_issue_for(&deeper, &replaced, PKI_NODE, 28, "436010", world.now);
    see(&deeper, &newer, "43601", 30, true);
    see(&deeper, &newer, "43601", 26, false);
    see(&deeper, &district, "43601", 30, false);
    see(&deeper, &sibling, "43601", 30, false);
    see(&deeper, &world.root, "43601", 30, false);
    see(&office, &world.root, "436", 30, false); /* right below the root nobody can be replaced */
    struct party *all[] = {&district, &sibling, &ward,  &commune,
                           &deeper,   &office,  &newer, &replaced};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        party_end(all[i]);
    }
}

static void test_client(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair, world_server(&world.top, &world.root),
               world_client(&world.client, &world.root), TLS_CLIENT, 100);
    pair_shake(&pair);
    assert_done(&pair);
    const struct tls_peer *peer = tls_peer(pair.server.tls);
    assert_int_equal(peer->purpose, TLS_CLIENT);
    assert_string_equal(peer->common_name, "client:lan");
    assert_string_equal(peer->role, "recorder");
    assert_key(&peer->issuer_key, &world.root);
    pair_end(&pair);
}

/* A joiner has no certificate, and the fingerprint is all it knows. */
static void test_join(void **state)
{
    (void)state;
    struct pair pair;
    pair_begin(&pair, world_server(&world.low, &world.root), world_joiner(&world.fingerprint),
               TLS_JOIN, 1);
    pair_shake(&pair);
    assert_done(&pair);
    assert_int_equal(tls_peer(pair.server.tls)->purpose, TLS_JOIN);
    assert_false(tls_peer(pair.server.tls)->has_certificate);
    assert_key(&tls_peer(pair.client.tls)->key, &world.low);
    assert_key(&tls_peer(pair.client.tls)->issuer_key, &world.ca[1]);
    assert_true(hash_equal(&tls_peer(pair.client.tls)->root, &world.fingerprint));
    pair_end(&pair);
}

/* The exporter is the same at both ends, and another one in every session. */
static void test_exporter(void **state)
{
    (void)state;
    struct hash value[3];
    for (int i = 0; i < 3; i++) {
        struct pair pair;
        struct hash other;
        pair_begin(&pair, world_server(&world.top, &world.root), world_joiner(&world.fingerprint),
                   TLS_JOIN, 4096);
        pair_shake(&pair);
        assert_int_equal(tls_exporter(pair.server.tls, &value[i], NULL), ERR_OK);
        assert_int_equal(tls_exporter(pair.client.tls, &other, NULL), ERR_OK);
        assert_true(hash_equal(&value[i], &other));
        for (int j = 0; j < i; j++) {
            assert_false(hash_equal(&value[i], &value[j]));
        }
        pair_end(&pair);
    }
    struct tls_context *context = world_server(&world.top, &world.root);
    struct tls *tls = tls_accept_new(context);
    tls_context_free(context);
    assert_int_equal(tls_exporter(tls, &value[0], NULL), ERR_PROTOCOL); /* no session yet */
    tls_free(tls);
}

enum who { SERVER, CLIENT };

/* The handshake ends with ERR_AUTH at `who`, and the other end is told so. */
static void refused_by(enum who who, struct tls_context *server, struct tls_context *client,
                       enum tls_purpose purpose)
{
    struct pair pair;
    char nothing[8];
    pair_begin(&pair, server, client, purpose, 500);
    pair_shake(&pair);
    struct end *judge = who == SERVER ? &pair.server : &pair.client;
    struct end *judged = who == SERVER ? &pair.client : &pair.server;
    assert_false(judge->done);
    assert_int_equal(judge->err, ERR_AUTH);
    assert_true(judge->msg.text[0] != '\0');
    /* A client is done before the server has judged it; the alert comes when it reads. */
    (void)end_read(judged, nothing, sizeof nothing);
    assert_int_equal(judged->err, ERR_PROTOCOL);
    pair_end(&pair);
}

static void test_wrong_root(void **state)
{
    (void)state;
    refused_by(CLIENT, world_server(&world.stranger, &world.root),
               world_client(&world.low, &world.root), TLS_LINK);
    refused_by(CLIENT, world_server(&world.top, &world.root),
               world_client(&world.low, &world.strange_root), TLS_LINK);
    refused_by(SERVER, world_server(&world.top, &world.root),
               world_client(&world.stranger, &world.root), TLS_LINK);
    refused_by(SERVER, world_server(&world.top, &world.root),
               world_client(&world.stranger, &world.root), TLS_CLIENT);
    refused_by(CLIENT, world_server(&world.stranger, &world.root), world_joiner(&world.fingerprint),
               TLS_JOIN);
    struct hash close = world.fingerprint;
    close.b[HASH_BYTES - 1] ^= 1;
    refused_by(CLIENT, world_server(&world.top, &world.root), world_joiner(&close), TLS_JOIN);
}

/* Chains that show the right root and do not lead to it. */
static void test_forged_chain(void **state)
{
    (void)state;
    struct party forged = world.stranger, cut = world.low;
    buf_init(&forged.chain, PKI_FILE_MAX_BYTES);
    buf_put(&forged.chain, world.stranger.chain.data, world.stranger.chain.len);
    buf_put(&forged.chain, world.root.chain.data, world.root.chain.len);
    refused_by(CLIENT, world_server(&forged, &world.root), world_joiner(&world.fingerprint),
               TLS_JOIN);
    refused_by(CLIENT, world_server(&forged, &world.root), world_client(&world.low, &world.root),
               TLS_LINK);
    buf_deinit(&forged.chain);
    buf_init(&cut.chain, PKI_FILE_MAX_BYTES); /* without the root */
    buf_put(&cut.chain, world.low.chain.data, world.low.chain.len - world.root.chain.len);
    refused_by(CLIENT, world_server(&cut, &world.root), world_joiner(&world.fingerprint), TLS_JOIN);
    buf_deinit(&cut.chain);
}

/* A node's certificate makes no certificates, and a CA's is nobody to talk to. */
static void test_wrong_kind(void **state)
{
    (void)state;
    struct party below;
    party_issue(&below, &world.low, PKI_NODE, 6, world.now);
    refused_by(SERVER, world_server(&world.top, &world.root), world_client(&below, &world.root),
               TLS_LINK);
    refused_by(CLIENT, world_server(&below, &world.root), world_joiner(&world.fingerprint),
               TLS_JOIN);
    refused_by(SERVER, world_server(&world.top, &world.root),
               world_client(&world.ca[0], &world.root), TLS_LINK);
    party_end(&below);
}

/* Certificates that are over, or not yet valid, of a node or of a CA above it. A joiner does not
 * ask what the time is: its own clock may be the wrong one. */
static void test_times(void **state)
{
    (void)state;
    static const int64_t YEAR_MS = INT64_C(365) * 86400 * 1000;
    const int64_t off[] = {-3 * YEAR_MS, YEAR_MS};
    for (size_t i = 0; i < 2; i++) {
        struct party party;
        party_issue(&party, &world.root, PKI_NODE, 7, (struct wall){world.now.ms + off[i]});
        refused_by(CLIENT, world_server(&party, &world.root), world_client(&world.low, &world.root),
                   TLS_LINK);
        refused_by(SERVER, world_server(&world.top, &world.root), world_client(&party, &world.root),
                   TLS_LINK);
        struct pair pair;
        pair_begin(&pair, world_server(&party, &world.root), world_joiner(&world.fingerprint),
                   TLS_JOIN, 4096);
        pair_shake(&pair);
        assert_done(&pair);
        pair_end(&pair);
        party_end(&party);
    }
    struct party ca, party;
    party_issue(&ca, &world.root, PKI_NODE_CA, 8, (struct wall){world.now.ms - 31 * YEAR_MS});
    party_issue(&party, &ca, PKI_NODE, 9, world.now);
    refused_by(SERVER, world_server(&world.top, &world.root), world_client(&party, &world.root),
               TLS_LINK);
    party_end(&party);
    party_end(&ca);
}

/* Without a certificate there is no link and no client. */
static void test_no_certificate(void **state)
{
    (void)state;
    static const enum tls_purpose PURPOSES[] = {TLS_LINK, TLS_CLIENT};
    for (size_t i = 0; i < 2; i++) {
        struct pair pair;
        pair_begin(&pair, world_server(&world.top, &world.root), world_joiner(&world.fingerprint),
                   PURPOSES[i], 500);
        pair_shake(&pair);
        assert_int_equal(pair.server.err, ERR_AUTH);
        assert_false(pair.server.done);
        assert_non_null(strstr(pair.server.msg.text, "no certificate"));
        bool done = false; /* asking again does not help */
        assert_int_equal(tls_handshake(pair.server.tls, &done, NULL), ERR_AUTH);
        assert_false(done);
        pair_end(&pair);
    }
}

/* What was said before the end arrives, then the end; an end without a word is not one. */
static void test_close(void **state)
{
    (void)state;
    struct pair pair;
    char text[16];
    pair_begin(&pair, world_server(&world.top, &world.root), world_client(&world.low, &world.root),
               TLS_LINK, 3);
    pair_shake(&pair);
    assert_int_equal(end_read(&pair.server, text, sizeof text), 0);
    assert_int_equal(pair.server.err, ERR_OK);
    assert_int_equal(tls_write(pair.client.tls, "last", 4, NULL), ERR_OK);
    tls_close(pair.client.tls);
    assert_true(tls_pending(pair.client.tls) > 0);
    pair_shake(&pair);
    assert_int_equal(end_read(&pair.server, text, sizeof text), 4);
    assert_memory_equal(text, "last", 4);
    assert_int_equal(pair.server.err, ERR_CLOSED);
    pair_end(&pair);
}

/* Much at once, and one changed byte of ciphertext. */
static void test_data(void **state)
{
    (void)state;
    enum { MUCH = 300000 };
    struct pair pair;
    uint8_t *data = malloc(MUCH), *got = malloc(MUCH + 1), cipher[4096];
    for (size_t i = 0; i < MUCH; i++) {
        data[i] = (uint8_t)(i * 7 + i / 251);
    }
    pair_begin(&pair, world_server(&world.top, &world.root), world_client(&world.low, &world.root),
               TLS_LINK, 1000);
    pair_shake(&pair);
    assert_int_equal(tls_write(pair.server.tls, data, MUCH, NULL), ERR_OK);
    assert_int_equal(tls_write(pair.server.tls, NULL, 0, NULL), ERR_OK);
    pair_shake(&pair);
    assert_int_equal(end_read(&pair.client, got, MUCH + 1), MUCH);
    assert_memory_equal(got, data, MUCH);
    assert_int_equal(tls_write(pair.server.tls, data, 100, NULL), ERR_OK);
    size_t n = tls_take(pair.server.tls, cipher, sizeof cipher);
    assert_true(n > 100 && tls_pending(pair.server.tls) == 0);
    cipher[n / 2] ^= 1;
    assert_int_equal(tls_feed(pair.client.tls, cipher, n, NULL), ERR_OK);
    assert_int_equal(end_read(&pair.client, got, MUCH), 0);
    assert_int_equal(pair.client.err, ERR_PROTOCOL);
    pair_end(&pair);
    free(data);
    free(got);
}

/* ---- another program at the other end ---- */

static void to_us(SSL *raw, struct end *us)
{
    char piece[4096];
    int n;
    while ((n = BIO_read(SSL_get_wbio(raw), piece, sizeof piece)) > 0) {
        assert_int_equal(tls_feed(us->tls, piece, (size_t)n, NULL), ERR_OK);
    }
    end_step(us);
}

static void to_raw(struct end *us, SSL *raw)
{
    char piece[4096];
    size_t n;
    while ((n = tls_take(us->tls, piece, sizeof piece)) > 0) {
        assert_int_equal(BIO_write(SSL_get_rbio(raw), piece, (int)n), (int)n);
    }
}

/* A plain OpenSSL end with the certificate of a node, of one version of TLS and one ALPN name. */
static SSL *raw_new(bool server, int version, const char *alpn, SSL_CTX **ctx)
{
    const struct party *party = server ? &world.top : &world.low;
    *ctx = SSL_CTX_new(TLS_method());
    BIO *chain = BIO_new_mem_buf(party->chain.data, (int)party->chain.len);
    BIO *pem = BIO_new_mem_buf(party->pem.data, (int)party->pem.len);
    X509 *leaf = PEM_read_bio_X509(chain, NULL, NULL, NULL), *next;
    EVP_PKEY *key = PEM_read_bio_PrivateKey(pem, NULL, NULL, NULL);
    assert_true(SSL_CTX_use_certificate(*ctx, leaf) == 1 && SSL_CTX_use_PrivateKey(*ctx, key) == 1);
    while ((next = PEM_read_bio_X509(chain, NULL, NULL, NULL)) != NULL) {
        assert_int_equal(SSL_CTX_add0_chain_cert(*ctx, next), 1);
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
    BIO_free(chain);
    BIO_free(pem);
    assert_int_equal(SSL_CTX_set_min_proto_version(*ctx, version), 1);
    assert_int_equal(SSL_CTX_set_max_proto_version(*ctx, version), 1);
    SSL *raw = SSL_new(*ctx);
    SSL_set_bio(raw, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    if (alpn != NULL) {
        unsigned char wire[64] = {(unsigned char)strlen(alpn)};
        memcpy(wire + 1, alpn, strlen(alpn));
        assert_int_equal(SSL_set_alpn_protos(raw, wire, (unsigned)strlen(alpn) + 1), 0);
    }
    (server ? SSL_set_accept_state : SSL_set_connect_state)(raw);
    return raw;
}

/* How our end fares with such a one. */
static enum err against(bool we_serve, int version, const char *alpn)
{
    SSL_CTX *ctx;
    SSL *raw = raw_new(!we_serve, version, alpn, &ctx);
    struct tls_context *context =
        we_serve ? world_server(&world.top, &world.root) : world_client(&world.low, &world.root);
    struct end us = {.tls =
                         we_serve ? tls_accept_new(context) : tls_connect_new(context, TLS_LINK)};
    tls_context_free(context);
    end_step(&us);
    for (int round = 0; round < 6; round++) {
        to_raw(&us, raw);
        (void)SSL_do_handshake(raw);
        to_us(raw, &us);
    }
    assert_int_equal(us.done, us.err == ERR_OK);
    tls_free(us.tls);
    SSL_free(raw);
    SSL_CTX_free(ctx);
    ERR_clear_error();
    return us.err;
}

static void test_protocol_names(void **state)
{
    (void)state;
    assert_int_equal(against(true, TLS1_3_VERSION, "tally-link/1"), ERR_OK);
    assert_int_equal(against(true, TLS1_3_VERSION, "tally-link/2"), ERR_PROTOCOL);
    assert_int_equal(against(true, TLS1_3_VERSION, "tally-link/"), ERR_PROTOCOL);
    assert_int_equal(against(true, TLS1_3_VERSION, "http/1.1"), ERR_PROTOCOL);
    assert_int_equal(against(true, TLS1_3_VERSION, NULL), ERR_PROTOCOL);
    assert_int_equal(against(false, TLS1_3_VERSION, NULL), ERR_PROTOCOL);
}

static void test_old_tls(void **state)
{
    (void)state;
    assert_int_equal(against(true, TLS1_2_VERSION, "tally-link/1"), ERR_PROTOCOL);
    assert_int_equal(against(false, TLS1_2_VERSION, NULL), ERR_PROTOCOL);
}

static void test_noise(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t len;
    } NOISE[] = {{"GET / HTTP/1.1\r\n\r\n", 18},
                 {"\x16\x03\x01\xff\xff", 5},          /* a record longer than there are */
                 {"\x15\x03\x03\x00\x02\x02\x28", 7}}; /* an alert */
    for (size_t i = 0; i < 3; i++) {
        struct tls_context *context = world_server(&world.top, &world.root);
        struct end us = {.tls = tls_accept_new(context)};
        tls_context_free(context);
        assert_int_equal(tls_feed(us.tls, NOISE[i].text, NOISE[i].len, NULL), ERR_OK);
        end_step(&us);
        assert_false(us.done);
        assert_int_equal(us.err, ERR_PROTOCOL);
        tls_free(us.tls);
    }
}

static void test_bad_contexts(void **state)
{
    (void)state;
    struct tls_context *out = NULL;
    struct bytes chain = world_bytes(&world.top.chain), key = world_bytes(&world.top.pem);
    struct bytes root = world_bytes(&world.root.chain), other = world_bytes(&world.low.pem);
    struct bytes none = {(const uint8_t *)"none", 4};
    const struct {
        struct bytes chain, key, root;
    } rows[] = {{none, key, root}, {chain, none, root}, {chain, key, none}, {chain, other, root}};
    for (size_t i = 0; i < 4; i++) {
        struct errmsg msg = {{0}};
        assert_int_equal(tls_server_context(rows[i].chain, rows[i].key, rows[i].root, &out, &msg),
                         ERR_INVALID);
        assert_true(msg.text[0] != '\0');
        assert_int_equal(tls_client_context(rows[i].chain, rows[i].key, rows[i].root, &out, NULL),
                         ERR_INVALID);
    }
    assert_null(out);
    tls_context_free(NULL);
    tls_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_link),           cmocka_unit_test(test_above),
        cmocka_unit_test(test_client),         cmocka_unit_test(test_join),
        cmocka_unit_test(test_exporter),       cmocka_unit_test(test_wrong_root),
        cmocka_unit_test(test_forged_chain),   cmocka_unit_test(test_wrong_kind),
        cmocka_unit_test(test_times),          cmocka_unit_test(test_no_certificate),
        cmocka_unit_test(test_close),          cmocka_unit_test(test_data),
        cmocka_unit_test(test_protocol_names), cmocka_unit_test(test_old_tls),
        cmocka_unit_test(test_noise),          cmocka_unit_test(test_bad_contexts)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

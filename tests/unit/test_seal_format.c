/* layer: pki */
/* A writer of bundles of its own, made after the page that tells their form and without the code
 * that is tested, and with it the files that no honest writer makes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <unistd.h>

#include "seal_world.h"

enum { CHUNK = 65536, TAG = 16, CHUNKS_MAX = 40, LABEL = 12 };

static struct seal_world world;
static EVP_PKEY *sender; /* the same keys, for the library's calls */
static EVP_PKEY *other;

/* ---- the writer ---- */

struct hand {
    struct buf content;
    uint8_t header[44];
    uint8_t key[32];
    uint8_t once[32];             /* the one-time private key */
    uint8_t ed25519[32];          /* the recipient's */
    uint32_t version;             /* of the header, and one more; 0: version 1 */
    bool bare_info;               /* the header is not in what HKDF is told */
    bool low_order;               /* the one-time public key is zero, and so the secret */
    bool never_last;              /* no chunk is marked */
    bool all_last;                /* every chunk is */
    bool empty_last;              /* an empty chunk ends the file */
    size_t order[CHUNKS_MAX + 1]; /* the chunks in the file, as number + 1; 0 ends; none: all */
    const char *label;            /* of what is signed */
    bool unsigned_header;         /* what is signed leaves out the header, or the recipient */
    bool unsigned_recipient;
};

/* (1 + y) / (1 - y), by Fermat: the inverse is the power of p - 2. */
static void hand_map(const uint8_t ed25519[32], uint8_t out[32])
{
    uint8_t little[32];
    memcpy(little, ed25519, 32);
    little[31] &= 0x7f;
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = NULL, *y = BN_lebin2bn(little, 32, NULL), *a = BN_new(), *b = BN_new();
    BIGNUM *power = BN_new();
    seal_must(BN_hex2bn(&p, "7fffffffffffffffffffffffffffffff"
                            "ffffffffffffffffffffffffffffffed") == 64);
    seal_must(BN_copy(power, p) != NULL && BN_sub_word(power, 2) == 1);
    seal_must(BN_copy(a, y) != NULL && BN_add_word(a, 1) == 1);
    seal_must(BN_copy(b, p) != NULL && BN_add_word(b, 1) == 1 && BN_sub(b, b, y) == 1);
    seal_must(BN_mod_exp(b, b, power, p, ctx) == 1 && BN_mod_mul(a, a, b, p, ctx) == 1);
    seal_must(BN_bn2lebinpad(a, out, 32) == 32);
    BN_free(p);
    BN_free(y);
    BN_free(a);
    BN_free(b);
    BN_free(power);
    BN_CTX_free(ctx);
}

static void hand_secret(struct hand *hand, const uint8_t theirs[32], uint8_t secret[32])
{
    size_t len = 32;
    EVP_PKEY *mine = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, hand->once, 32);
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, theirs, 32);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(mine, NULL);
    seal_must(EVP_PKEY_get_raw_public_key(mine, hand->header + 12, &len) == 1);
    seal_must(EVP_PKEY_derive_init(ctx) == 1 && EVP_PKEY_derive_set_peer(ctx, peer) == 1 &&
              EVP_PKEY_derive(ctx, secret, &len) == 1);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    EVP_PKEY_free(mine);
    if (hand->low_order) {
        memset(secret, 0, 32);
        memset(hand->header + 12, 0, 32);
    }
}

/* Header and key for a recipient; what is set in `hand` before holds. */
static void hand_begin(struct hand *hand, const struct pki_key *recipient)
{
    static const uint8_t ZEROS[32];
    uint8_t theirs[32], secret[32], prk[32], info[128];
    struct hash public_key = pki_key_public(recipient);
    uint32_t version = hand->version == 0 ? 1 : hand->version - 1;
    memcpy(hand->ed25519, public_key.b, 32);
    random_fill(hand->once, 32);
    hand_map(hand->ed25519, theirs);
    hand_secret(hand, theirs, secret);
    memcpy(hand->header, "TALLYBDL", 8);
    for (int i = 0; i < 4; i++) {
        hand->header[8 + i] = (uint8_t)(version >> (24 - 8 * i));
    }
    size_t at = 0, head = hand->bare_info ? 0 : 44;
    memcpy(info, "tally-bundle", 12);
    at += 12;
    memcpy(info + at, hand->header, head);
    at += head;
    memcpy(info + at, theirs, 32);
    at += 32;
    info[at++] = 1;
    seal_must(HMAC(EVP_sha256(), ZEROS, 32, secret, 32, prk, NULL) != NULL);
    seal_must(HMAC(EVP_sha256(), prk, 32, info, at, hand->key, NULL) != NULL);
    buf_init(&hand->content, FILE_MAX_BYTES);
}

static void hand_end(struct hand *hand)
{
    buf_deinit(&hand->content);
}

static void hand_item(struct hand *hand, const void *data, size_t len)
{
    buf_put_u32(&hand->content, (uint32_t)len);
    buf_put(&hand->content, data, len);
}

static void hand_message(struct hand *hand, size_t len)
{
    buf_put_u32(&hand->content, (uint32_t)len);
    put_pattern(&hand->content, len);
}

static void hand_sign(struct hand *hand, EVP_PKEY *key, uint8_t out[64])
{
    struct buf text;
    uint8_t told[LABEL + 32];
    size_t len = 64;
    const char *label = hand->label == NULL ? "tally-bundle" : hand->label;
    buf_init(&text, FILE_MAX_BYTES);
    buf_put(&text, hand->header, hand->unsigned_header ? 0 : 44);
    buf_put(&text, hand->ed25519, hand->unsigned_recipient ? 0 : 32);
    buf_put(&text, hand->content.data, hand->content.len);
    memcpy(told, label, LABEL);
    (void)SHA256(text.data, text.len, told + LABEL);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    seal_must(EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(ctx, out, &len, told, sizeof told) == 1);
    EVP_MD_CTX_free(ctx);
    buf_deinit(&text);
}

/* The end of the content, and the signature. */
static void hand_close(struct hand *hand, EVP_PKEY *key)
{
    uint8_t signature[64];
    buf_put_u32(&hand->content, 0);
    hand_sign(hand, key, signature);
    buf_put(&hand->content, signature, sizeof signature);
}

static void hand_chunk(const struct hand *hand, uint64_t number, const uint8_t *plain, size_t len,
                       bool last, struct buf *out)
{
    uint8_t nonce[12] = {0}, mark = last ? 1 : 0;
    int n = 0;
    for (int i = 0; i < 8; i++) {
        nonce[4 + i] = (uint8_t)(number >> (56 - 8 * i));
    }
    uint8_t *at = buf_extend(out, len + TAG);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    seal_must(EVP_EncryptInit_ex(ctx, EVP_aes_256_gcm(), NULL, hand->key, nonce) == 1 &&
              EVP_EncryptUpdate(ctx, NULL, &n, &mark, 1) == 1 &&
              (len == 0 || EVP_EncryptUpdate(ctx, at, &n, plain, (int)len) == 1) &&
              EVP_EncryptFinal_ex(ctx, at + len, &n) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG, at + len) == 1);
    EVP_CIPHER_CTX_free(ctx);
}

/* The file. */
static void hand_file(const struct hand *hand, struct buf *file)
{
    size_t count = (hand->content.len + CHUNK - 1) / CHUNK;
    buf_init(file, FILE_MAX_BYTES);
    buf_put(file, hand->header, 44);
    for (size_t i = 0; hand->order[0] == 0 ? i < count : hand->order[i] != 0; i++) {
        size_t number = hand->order[0] == 0 ? i : hand->order[i] - 1;
        size_t from = number * CHUNK;
        size_t len = hand->content.len - from < CHUNK ? hand->content.len - from : CHUNK;
        bool last = number + 1 == count && !hand->empty_last;
        hand_chunk(hand, number, hand->content.data + from, len,
                   (last && !hand->never_last) || hand->all_last, file);
    }
    if (hand->empty_last) {
        hand_chunk(hand, count, NULL, 0, true, file);
    }
}

/* ---- the tests ---- */

static EVP_PKEY *same_key(const struct pki_key *key)
{
    char path[] = "/tmp/tally-seal-XXXXXX";
    int fd = mkstemp(path);
    seal_must(fd >= 0 && close(fd) == 0 && pki_key_save(key, path, NULL) == ERR_OK);
    FILE *file = fopen(path, "r");
    EVP_PKEY *out = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
    seal_must(out != NULL && fclose(file) == 0);
    (void)unlink(path);
    return out;
}

static int set_up(void **state)
{
    (void)state;
    seal_world_begin(&world);
    sender = same_key(world.sender);
    other = same_key(world.other);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(sender);
    EVP_PKEY_free(other);
    seal_world_end(&world);
    return 0;
}

/* What the reader says of it; `file` is made and gone here. */
static enum err judged(struct hand *hand, struct buf *got, struct errmsg *msg)
{
    struct buf file;
    hand_file(hand, &file);
    enum err err = read_file(&world, world.recipient, buf_bytes(&file), 3000, got, msg);
    buf_deinit(&file);
    hand_end(hand);
    return err;
}

static void refused(struct hand *hand, enum err want, const char *says)
{
    struct errmsg msg = {{0}};
    enum err err = judged(hand, NULL, &msg);
    if (err != want || strstr(msg.text, says) == NULL) {
        fail_msg("not %s, but %s: %s", says, err_name(err), msg.text);
    }
}

/* Begun, with the chain. */
static struct hand begun(struct hand hand)
{
    hand_begin(&hand, world.recipient);
    hand_item(&hand, world.chain.data, world.chain.len);
    return hand;
}

/* As it should be, with one message of this length. */
static struct hand right(struct hand before, size_t len)
{
    struct hand hand = begun(before);
    hand_message(&hand, len);
    hand_close(&hand, sender);
    return hand;
}

#define PLAIN ((struct hand){.version = 0})

/* The content that fills its last chunk, one message with `chunks`. */
static size_t filling(size_t chunks)
{
    return chunks * CHUNK - (4 + world.chain.len + 4 + 4 + SIGNATURE_BYTES);
}

static void test_taken(void **state)
{
    (void)state;
    const size_t lengths[] = {1,
                              1000,
                              65535,
                              65536,
                              65537,
                              1048576,
                              filling(1) - 1,
                              filling(1),
                              filling(1) + 1,
                              filling(2),
                              filling(3),
                              filling(1) + 64,
                              filling(1) + 68};
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct hand hand = right(PLAIN, lengths[i]);
        struct buf got;
        struct errmsg msg = {{0}};
        buf_init(&got, FILE_MAX_BYTES);
        struct bytes want = {hand.content.data + 4 + world.chain.len, 4 + lengths[i]};
        struct buf kept;
        buf_init(&kept, FILE_MAX_BYTES);
        buf_put(&kept, want.data, want.len);
        assert_int_equal(judged(&hand, &got, &msg), ERR_OK);
        assert_int_equal(got.len, kept.len);
        assert_memory_equal(got.data, kept.data, kept.len);
        buf_deinit(&kept);
        buf_deinit(&got);
    }
    struct hand hand = begun(PLAIN); /* without a message, and with many */
    hand_close(&hand, sender);
    assert_int_equal(judged(&hand, NULL, NULL), ERR_OK);
    hand = begun(PLAIN);
    for (size_t i = 1; i < 900; i++) {
        hand_message(&hand, i);
    }
    hand_close(&hand, sender);
    assert_int_equal(judged(&hand, NULL, NULL), ERR_OK);
}

static void test_header(void **state)
{
    (void)state;
    static const uint32_t NEWER[] = {2, 3, 256, 1u << 24, UINT32_MAX - 1};
    for (size_t i = 0; i < sizeof NEWER / sizeof NEWER[0]; i++) {
        struct hand hand = right((struct hand){.version = NEWER[i] + 1}, 100);
        refused(&hand, ERR_NEWER, "install a newer one");
    }
    struct hand hand = right((struct hand){.version = 0 + 1}, 100);
    refused(&hand, ERR_INVALID, "no file that one office made");
    hand = right(PLAIN, 100);
    hand.header[7] = 'T';
    refused(&hand, ERR_INVALID, "no file that one office made");
    hand = right((struct hand){.bare_info = true}, 100);
    refused(&hand, ERR_AUTH, "not for this office");
    /* With such a one-time key anybody knows the secret. */
    hand = right((struct hand){.low_order = true}, 100);
    refused(&hand, ERR_AUTH, "not for this office");
}

static void test_chunks(void **state)
{
    (void)state;
    static const struct {
        size_t order[8];
        enum err err;
        const char *says;
    } ROWS[] = {{{1, 2, 3, 4}, ERR_OK, ""},
                {{2, 1, 3, 4}, ERR_AUTH, "not for this office"},
                {{1, 3, 2, 4}, ERR_AUTH, "changed on the way: copy"},
                {{1, 3, 4}, ERR_AUTH, "changed on the way: copy"},
                {{1, 2, 2, 3, 4}, ERR_AUTH, "changed on the way: copy"},
                {{1, 2, 3}, ERR_INVALID, "ends too early"},
                {{1, 2, 3, 4, 4}, ERR_AUTH, "changed on the way"},
                {{1, 2, 4, 3}, ERR_AUTH, "changed on the way"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        for (size_t less = 0; less < 2; less++) { /* the last chunk being full, and not */
            struct hand hand = right(PLAIN, filling(4) - less);
            memcpy(hand.order, ROWS[i].order, sizeof ROWS[i].order);
            if (i == 0) {
                assert_int_equal(judged(&hand, NULL, NULL), ERR_OK);
            } else {
                refused(&hand, ROWS[i].err, ROWS[i].says);
            }
        }
    }
    struct hand hand = right((struct hand){.never_last = true}, filling(2));
    refused(&hand, ERR_INVALID, "ends too early");
    hand = right((struct hand){.never_last = true}, filling(2) - 1);
    refused(&hand, ERR_AUTH, "ends too early");
    hand = right((struct hand){.all_last = true}, filling(2));
    refused(&hand, ERR_AUTH, "changed on the way");
    hand = right((struct hand){.empty_last = true}, filling(2));
    refused(&hand, ERR_INVALID, "ends too early");
}

/* A chunk that is marked as the last ends the file, whatever its content says. */
static void test_ended_within(void **state)
{
    (void)state;
    struct hand hand = right((struct hand){.all_last = true}, filling(2));
    hand.order[0] = 1;
    refused(&hand, ERR_INVALID, "its end with the signature is missing");
    hand = right(PLAIN, 10);
    for (size_t less = 1; less < 64 + 4 + 10 + 4 + 100; less++) { /* with right tags, too */
        struct hand cut = hand;
        buf_init(&cut.content, FILE_MAX_BYTES);
        buf_put(&cut.content, hand.content.data, hand.content.len - less);
        refused(&cut, ERR_INVALID, "its end with the signature is missing");
    }
    hand_end(&hand);
}

static void test_signature(void **state)
{
    (void)state;
    struct hand hand;
    for (size_t bit = 0; bit < 8 * SIGNATURE_BYTES; bit += 3) {
        struct hand changed = right(PLAIN, 10);
        changed.content.data[changed.content.len - 1 - bit / 8] ^= (uint8_t)(1 << bit % 8);
        refused(&changed, ERR_AUTH, "not signed by the node");
    }
    hand = begun(PLAIN); /* by another key than that of the chain */
    hand_message(&hand, 10);
    hand_close(&hand, other);
    refused(&hand, ERR_AUTH, "not signed by the node");
    hand = right((struct hand){.label = "tally-letter"}, 10);
    refused(&hand, ERR_AUTH, "not signed by the node");
    hand = right((struct hand){.unsigned_header = true}, 10);
    refused(&hand, ERR_AUTH, "not signed by the node");
    hand = right((struct hand){.unsigned_recipient = true}, 10);
    refused(&hand, ERR_AUTH, "not signed by the node");
    hand = right(PLAIN, 10); /* a message changed after it was signed */
    hand.content.data[hand.content.len - SIGNATURE_BYTES - 5] ^= 1;
    refused(&hand, ERR_AUTH, "not signed by the node");
    hand = begun(PLAIN); /* zeros in its place */
    buf_put_u32(&hand.content, 0);
    for (int i = 0; i < SIGNATURE_BYTES; i++) {
        buf_put_u8(&hand.content, 0);
    }
    refused(&hand, ERR_AUTH, "not signed by the node");
}

/* A recipient cannot hand on what it got as though it had been meant for somebody else. */
static void test_handed_on(void **state)
{
    (void)state;
    struct hand first = PLAIN, next = PLAIN;
    hand_begin(&first, world.other);
    hand_item(&first, world.chain.data, world.chain.len);
    hand_message(&first, 10);
    hand_close(&first, sender);
    hand_begin(&next, world.recipient);
    buf_put(&next.content, first.content.data, first.content.len);
    refused(&next, ERR_AUTH, "not signed by the node");
    hand_end(&first);
}

static void test_content(void **state)
{
    (void)state;
    struct hand hand = PLAIN;
    hand_begin(&hand, world.recipient); /* no chain */
    hand_item(&hand, NULL, 0);
    hand_message(&hand, 10);
    hand_close(&hand, sender);
    refused(&hand, ERR_INVALID, "certificates are not in it");
    hand = PLAIN;
    hand_begin(&hand, world.recipient);
    hand_item(&hand, "-----BEGIN CERTIFICATE-----\n", 28);
    hand_close(&hand, sender);
    refused(&hand, ERR_INVALID, "certificates are none");
    hand = PLAIN;
    hand_begin(&hand, world.recipient);
    hand_message(&hand, PKI_FILE_MAX_BYTES + 1);
    hand_close(&hand, sender);
    refused(&hand, ERR_LIMIT, "a chain of certificates of 262145 bytes");
    hand = PLAIN;
    hand_begin(&hand, world.recipient);
    buf_put_u32(&hand.content, UINT32_MAX);
    refused(&hand, ERR_LIMIT, "a chain of certificates of 4294967295 bytes");
    hand = right(PLAIN, SEAL_MESSAGE_MAX_BYTES + 1);
    refused(&hand, ERR_LIMIT, "a message of 1048577 bytes");
    hand = begun(PLAIN);
    buf_put_u32(&hand.content, UINT32_MAX);
    refused(&hand, ERR_LIMIT, "a message of 4294967295 bytes");
    hand = begun(PLAIN); /* a message of no length, and another one behind it */
    hand_message(&hand, 0);
    hand_message(&hand, 100);
    hand_close(&hand, sender);
    refused(&hand, ERR_INVALID, "it goes on after its end");
    hand = right(PLAIN, 10);
    buf_put_u8(&hand.content, 0);
    refused(&hand, ERR_INVALID, "it goes on after its end");
    hand = right(PLAIN, filling(1)); /* and in a chunk of its own */
    buf_put_u8(&hand.content, 0);
    refused(&hand, ERR_INVALID, "it goes on after its end");
}

/* ---- keys ---- */

static EVP_PKEY *private_of(const struct pki_key *key, struct hash *x25519)
{
    size_t len = HASH_BYTES;
    EVP_PKEY *own = seal_key_own(key);
    seal_must(own != NULL && EVP_PKEY_get_raw_public_key(own, x25519->b, &len) == 1);
    return own;
}

static void test_map(void **state)
{
    (void)state;
    for (int i = 0; i < 100; i++) {
        struct pki_key *key;
        struct hash mapped, derived, by_hand;
        assert_int_equal(pki_key_generate(&key, NULL), ERR_OK);
        struct hash public_key = pki_key_public(key);
        assert_int_equal(seal_key_map(&public_key, &mapped), ERR_OK);
        EVP_PKEY_free(private_of(key, &derived));
        hand_map(public_key.b, by_hand.b);
        assert_true(hash_equal(&mapped, &derived) && hash_equal(&mapped, &by_hand));
        pki_key_free(key);
    }
}

static void test_known_key(void **state)
{
    (void)state;
    static const char SEED[] = "421151a459faeade3d247115f94aedae42318124095afabe4d1451a559faedee";
    static const char SECRET[] = "8052030376d47112be7f73ed7a019293dd12ad910b654455798b4667d73de166";
    static const char PUBLIC[] = "f1814f0e8ff1043d8a44d25babff3cedcae6c22c3edaa48f857ae70de2baae50";
    struct hash seed, mapped, derived, secret;
    char text[HASH_HEX_BYTES];
    size_t len = HASH_BYTES;
    assert_int_equal(hex_decode(SEED, seed.b, HASH_BYTES), ERR_OK);
    struct pki_key key = {.pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed.b, 32)};
    assert_int_equal(EVP_PKEY_get_raw_public_key(key.pkey, key.public_key.b, &len), 1);
    assert_int_equal(seal_key_map(&key.public_key, &mapped), ERR_OK);
    hash_format(&mapped, text);
    assert_string_equal(text, PUBLIC);
    EVP_PKEY *own = private_of(&key, &derived);
    assert_true(hash_equal(&mapped, &derived));
    assert_int_equal(EVP_PKEY_get_raw_private_key(own, secret.b, &len), 1);
    hash_format(&secret, text);
    assert_string_equal(text, SECRET);
    EVP_PKEY_free(own);
    EVP_PKEY_free(key.pkey);
}

/* Keys of small order, and keys that are not written in the one way there is. */
static void test_bad_recipients(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "0100000000000000000000000000000000000000000000000000000000000000", /* 1 */
        "0100000000000000000000000000000000000000000000000000000000000080",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p - 1 */
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", /* p */
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"};
    struct buf sealed;
    buf_init(&sealed, FILE_MAX_BYTES);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct hash recipient, mapped;
        struct seal_writer *writer = NULL;
        struct errmsg msg = {{0}};
        assert_int_equal(hex_decode(BAD[i], recipient.b, HASH_BYTES), ERR_OK);
        assert_int_equal(seal_writer_new(&recipient, world.sender, buf_bytes(&world.chain), &writer,
                                         &sealed, &msg),
                         ERR_INVALID);
        assert_true(writer == NULL && sealed.len == 0);
        assert_non_null(strstr(msg.text, "recipient's key"));
        bool mappable = i == 2 || i == 3; /* it is the agreement that refuses these */
        assert_int_equal(seal_key_map(&recipient, &mapped), mappable ? ERR_OK : ERR_INVALID);
    }
    buf_deinit(&sealed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),     cmocka_unit_test(test_header),
        cmocka_unit_test(test_chunks),    cmocka_unit_test(test_ended_within),
        cmocka_unit_test(test_signature), cmocka_unit_test(test_handed_on),
        cmocka_unit_test(test_content),   cmocka_unit_test(test_map),
        cmocka_unit_test(test_known_key), cmocka_unit_test(test_bad_recipients)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

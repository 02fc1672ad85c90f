/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"

static void assert_hex(const struct hash *hash, const char *want)
{
    char text[HASH_HEX_BYTES];
    hash_format(hash, text);
    assert_string_equal(text, want);
}

/* FIPS 180-2, appendix B, and the empty message. */
static void test_sha256(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *want;
    } ROWS[] = {
        {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct hash hash = sha256(ROWS[i].text, strlen(ROWS[i].text));
        assert_hex(&hash, ROWS[i].want);
    }
    char *million = malloc(1000000);
    memset(million, 'a', 1000000);
    struct hash hash = sha256(million, 1000000);
    free(million);
    assert_hex(&hash, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    hash = sha256(NULL, 0);
    assert_hex(&hash, ROWS[0].want);
}

/* A step of a chain is the hash of both parts, one behind the other. */
static void test_chain(void **state)
{
    (void)state;
    uint8_t joined[HASH_BYTES + 5];
    struct hash before = sha256("abc", 3);
    memcpy(joined, before.b, HASH_BYTES);
    memcpy(joined + HASH_BYTES, "entry", 5);
    struct hash step = sha256_chain(&before, "entry", 5);
    struct hash whole = sha256(joined, sizeof joined);
    assert_true(hash_equal(&step, &whole));
    step = sha256_chain(&before, NULL, 0);
    whole = sha256(joined, HASH_BYTES);
    assert_true(hash_equal(&step, &whole));
}

/* RFC 4231, cases 1, 2, 3, 4, 6 and 7. */
static void test_hmac(void **state)
{
    (void)state;
    static const char LONGER[] =
        "This is a test using a larger than block-size key and a larger than "
        "block-size data. The key needs to be hashed before being used by "
        "the HMAC algorithm.";
    uint8_t key[131], data[200];
    memset(key, 0x0b, 20);
    struct hash hash = hmac_sha256(key, 20, "Hi There", 8);
    assert_hex(&hash, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hash = hmac_sha256("Jefe", 4, "what do ya want for nothing?", 28);
    assert_hex(&hash, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    memset(data, 0xdd, 50);
    hash = hmac_sha256(key, 20, data, 50);
    assert_hex(&hash, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
    for (uint8_t i = 0; i < 25; i++) {
        key[i] = (uint8_t)(i + 1);
    }
    memset(data, 0xcd, 50);
    hash = hmac_sha256(key, 25, data, 50);
    assert_hex(&hash, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b");
    memset(key, 0xaa, sizeof key);
    static const char LARGER[] = "Test Using Larger Than Block-Size Key - Hash Key First";
    hash = hmac_sha256(key, sizeof key, LARGER, sizeof LARGER - 1);
    assert_hex(&hash, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hash = hmac_sha256(key, sizeof key, LONGER, sizeof LONGER - 1);
    assert_hex(&hash, "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

static void test_secret_equal(void **state)
{
    (void)state;
    assert_true(secret_equal("abcd", "abcd", 4));
    assert_false(secret_equal("abcd", "abce", 4));
    assert_false(secret_equal("xbcd", "abcd", 4));
    assert_true(secret_equal("abcd", "abce", 3));
    assert_true(secret_equal("a", "b", 0));
}

/* Every byte of what is filled takes many values, nothing around it changes. */
static void test_random(void **state)
{
    (void)state;
    enum { LEN = 40, ROUNDS = 64 };
    uint8_t all[LEN] = {0};
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[LEN + 2] = {0};
        random_fill(bytes + 1, LEN);
        assert_true(bytes[0] == 0 && bytes[LEN + 1] == 0);
        for (size_t i = 0; i < LEN; i++) {
            all[i] |= bytes[i + 1];
        }
    }
    for (size_t i = 0; i < LEN; i++) {
        assert_int_equal(all[i], 0xff);
    }
    random_fill(all, 0);
    struct id a = random_id();
    struct id b = random_id();
    assert_false(id_equal(&a, &b) || id_is_zero(&a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sha256), cmocka_unit_test(test_chain), cmocka_unit_test(test_hmac),
        cmocka_unit_test(test_secret_equal), cmocka_unit_test(test_random)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

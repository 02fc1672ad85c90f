/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"
#include "proto/token.h"

static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";

static struct token sample(size_t unit_len, size_t address_count, size_t address_len)
{
    struct token token = {.expires = {INT64_C(1700000000123)}, .address_count = address_count};
    memset(&token.invite, 0x11, sizeof token.invite);
    memset(token.secret, 0x22, sizeof token.secret);
    memset(&token.root, 0xf3, sizeof token.root);
    memset(&token.tree, 0x44, sizeof token.tree);
    memset(token.unit, 'u', unit_len);
    for (size_t i = 0; i < address_count; i++) {
        memset(token.addresses[i], 'a' + (int)i, address_len);
    }
    return token;
}

static void assert_same(const struct token *a, const struct token *b)
{
    assert_true(id_equal(&a->invite, &b->invite) && id_equal(&a->tree, &b->tree) &&
                hash_equal(&a->root, &b->root) && a->expires.ms == b->expires.ms);
    assert_memory_equal(a->secret, b->secret, SECRET_BYTES);
    assert_string_equal(a->unit, b->unit);
    assert_int_equal(a->address_count, b->address_count);
    for (size_t i = 0; i < a->address_count; i++) {
        assert_string_equal(a->addresses[i], b->addresses[i]);
    }
}

/* Of every length modulo five, and so with every number of bits left in the last letter; up to the
 * largest that the limits allow. */
static void test_there_and_back(void **state)
{
    (void)state;
    static const size_t SIZES[][3] = {{1, 1, 1},
                                      {2, 1, 1},
                                      {3, 1, 1},
                                      {4, 1, 1},
                                      {5, 1, 1},
                                      {10, 3, 20},
                                      {CODE_MAX_BYTES, ADDRESSES_MAX, ADDRESS_MAX_BYTES}};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        struct token token = sample(SIZES[i][0], SIZES[i][1], SIZES[i][2]), got;
        char text[TOKEN_MAX_BYTES];
        struct errmsg msg = {{0}};
        assert_int_equal(token_format(&token, text), ERR_OK);
        assert_memory_equal(text, "tally1-", 7);
        assert_int_equal(strspn(text + 7, ALPHABET), strlen(text + 7));
        assert_int_equal(token_parse(text, &got, &msg), ERR_OK);
        assert_same(&got, &token);
        for (char *at = text + 7; *at != '\0'; at++) {
            *at = (char)toupper((unsigned char)*at);
        }
        assert_int_equal(token_parse(text, &got, &msg), ERR_OK);
        assert_same(&got, &token);
    }
}

/* Any letter changed into any other, left out, said twice, or swapped with its neighbour is
 * noticed. */
static void test_corruption(void **state)
{
    (void)state;
    for (size_t unit_len = 1; unit_len <= 5; unit_len++) {
        struct token token = sample(unit_len, 1, 9), got;
        char text[TOKEN_MAX_BYTES], bad[2 * TOKEN_MAX_BYTES];
        assert_int_equal(token_format(&token, text), ERR_OK);
        size_t len = strlen(text);
        for (size_t i = 0; i < len; i++) {
            char was = text[i];
            for (const char *c = ALPHABET; *c != '\0'; c++) {
                text[i] = *c;
                if (*c != was && token_parse(text, &got, NULL) != ERR_USAGE) {
                    fail_msg("letter %zu of %zu: %c for %c", i, len, *c, was);
                }
            }
            text[i] = was;
            (void)snprintf(bad, sizeof bad, "%.*s%s", (int)i, text, text + i + 1);
            assert_int_equal(token_parse(bad, &got, NULL), ERR_USAGE);
            (void)snprintf(bad, sizeof bad, "%.*s%s", (int)i + 1, text, text + i);
            if (token_parse(bad, &got, NULL) != ERR_USAGE) {
                fail_msg("letter %zu of %zu twice", i, len);
            }
            if (i + 1 < len && text[i] != text[i + 1]) {
                (void)snprintf(bad, sizeof bad, "%s", text);
                bad[i] = text[i + 1];
                bad[i + 1] = text[i];
                assert_int_equal(token_parse(bad, &got, NULL), ERR_USAGE);
            }
        }
    }
}

/* Cut at every length, or with anything around it. */
static void test_cut(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",         "tally1-",   "tally1",   "tally2-00",       "TALLY1-00",
        "tally1-u", "tally1-0o", "tally1- ", "tally1-\xc3\xa0", "hello"};
    struct token token = sample(3, 2, 9), got = {.address_count = 77};
    char text[TOKEN_MAX_BYTES], bad[2 * TOKEN_MAX_BYTES];
    assert_int_equal(token_format(&token, text), ERR_OK);
    for (size_t len = 0; len < strlen(text); len++) {
        (void)snprintf(bad, sizeof bad, "%.*s", (int)len, text);
        assert_int_equal(token_parse(bad, &got, NULL), ERR_USAGE);
    }
    static const char *const AROUND[][2] = {{" ", ""},  {"", " "}, {"", "\n"}, {"", "0"},
                                            {"", "00"}, {"x", ""}, {"", "z"}};
    for (size_t i = 0; i < sizeof AROUND / sizeof AROUND[0]; i++) {
        (void)snprintf(bad, sizeof bad, "%s%s%s", AROUND[i][0], text, AROUND[i][1]);
        if (token_parse(bad, &got, NULL) != ERR_USAGE) {
            fail_msg("taken with \"%s\" and \"%s\"", AROUND[i][0], AROUND[i][1]);
        }
    }
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct errmsg msg = {{0}};
        assert_int_equal(token_parse(BAD[i], &got, &msg), ERR_USAGE);
        assert_non_null(strstr(msg.text, "tally1-"));
    }
    memset(bad, '0', sizeof bad);
    memcpy(bad, "tally1-", 7);
    bad[sizeof bad - 1] = '\0';
    assert_int_equal(token_parse(bad, &got, NULL), ERR_USAGE);
    assert_int_equal(got.address_count, 77);
}

/* A token with a right sum over content that no daemon writes. */
static void forge(const char *unit, size_t unit_len, uint8_t count, const char *address,
                  size_t address_len, char out[TOKEN_MAX_BYTES])
{
    struct buf raw;
    struct id id = {{0}};
    struct hash root = {{0}};
    buf_init(&raw, 4096);
    buf_put_id(&raw, &id);
    buf_put_id(&raw, &id);
    buf_put_hash(&raw, &root);
    buf_put_id(&raw, &id);
    buf_put_i64(&raw, 0);
    buf_put_blob(&raw, unit, unit_len);
    buf_put_u8(&raw, count);
    for (int i = 0; i < count; i++) {
        buf_put_blob(&raw, address, address_len);
    }
    struct hash sum = sha256(raw.data, raw.len);
    buf_put(&raw, sum.b, 4);
    size_t n = 7;
    memcpy(out, "tally1-", 7);
    for (size_t bit = 0; bit < raw.len * 8; bit += 5) {
        unsigned letter = 0;
        for (size_t b = bit; b < bit + 5; b++) {
            unsigned one = b < raw.len * 8 ? (unsigned)raw.data[b / 8] >> (7 - b % 8) & 1u : 0;
            letter = letter << 1 | one;
        }
        out[n++] = ALPHABET[letter];
    }
    out[n] = '\0';
    buf_deinit(&raw);
}

static void test_forged(void **state)
{
    (void)state;
    static const struct {
        const char *unit;
        size_t unit_len;
        uint8_t count;
        const char *address;
        size_t address_len;
        enum err want;
    } ROWS[] = {{"42", 2, 1, "h:1", 3, ERR_OK},         {"42", 2, 8, "h:1", 3, ERR_OK},
                {"42", 2, 9, "h:1", 3, ERR_USAGE},      {"42", 2, 0, "", 0, ERR_USAGE},
                {"42", 2, 1, "", 0, ERR_USAGE},         {"", 0, 1, "h:1", 3, ERR_USAGE},
                {"4\0002", 3, 1, "h:1", 3, ERR_USAGE},  {"4\n2", 3, 1, "h:1", 3, ERR_USAGE},
                {"\x1b[2J", 4, 1, "h:1", 3, ERR_USAGE}, {"\xff", 1, 1, "h:1", 3, ERR_USAGE},
                {"42", 2, 1, "h\0001", 3, ERR_USAGE},   {"42", 2, 1, "h\r:1", 4, ERR_USAGE},
                {"42", 2, 1, "\xc3:1", 3, ERR_USAGE}};
    static char long_text[ADDRESS_MAX_BYTES + 1];
    char text[TOKEN_MAX_BYTES];
    struct token got;
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        forge(ROWS[i].unit, ROWS[i].unit_len, ROWS[i].count, ROWS[i].address, ROWS[i].address_len,
              text);
        if (token_parse(text, &got, NULL) != ROWS[i].want) {
            fail_msg("row %zu", i);
        }
    }
    memset(long_text, 'x', sizeof long_text);
    forge(long_text, CODE_MAX_BYTES, 1, long_text, ADDRESS_MAX_BYTES, text);
    assert_int_equal(token_parse(text, &got, NULL), ERR_OK);
    forge(long_text, CODE_MAX_BYTES + 1, 1, "h:1", 3, text);
    assert_int_equal(token_parse(text, &got, NULL), ERR_USAGE);
    forge("42", 2, 1, long_text, ADDRESS_MAX_BYTES + 1, text);
    assert_int_equal(token_parse(text, &got, NULL), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_there_and_back),
                                       cmocka_unit_test(test_corruption),
                                       cmocka_unit_test(test_cut), cmocka_unit_test(test_forged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

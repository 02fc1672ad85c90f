/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "proto/entry.h"

static struct buf buf;

static int set_up(void **state)
{
    (void)state;
    buf_init(&buf, 1 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&buf);
    return 0;
}

static struct entry sample(void)
{
    return (struct entry){.kind = ENTRY_RECORD,
                          .unit = "u",
                          .measure = "me",
                          .category = "g=c",
                          .day = -2,
                          .value = -3,
                          .hosting = 4,
                          .key = "k",
                          .note = "",
                          .author = "a",
                          .recorded_at = {5}};
}

/* The bytes of PROTOCOL.md, written out. */
static void test_canonical(void **state)
{
    (void)state;
    static const uint8_t WANT[] = {1,    1,    0,    0,    0,    1,    'u',  0,    0,
                                   0,    2,    'm',  'e',  0,    0,    0,    3,    'g',
                                   '=',  'c',  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                   0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfd,
                                   0,    0,    0,    0,    0,    0,    0,    4,    /* refers */ 0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    0,
                                   0,    0,    0,    0,    0,    0,    0,    0,    1,
                                   'k',  0,    0,    0,    0,    0,    0,    0,    1,
                                   'a',  0,    0,    0,    0,    0,    0,    0,    5,
                                   0,    0,    0,    0};
    struct entry entry = sample();
    entry_canonical(&entry, &buf);
    assert_int_equal(buf.len, sizeof WANT);
    assert_memory_equal(buf.data, WANT, sizeof WANT);
}

/* Every field that PROTOCOL.md names changes the hash, and so does the hash before; segment and
 * number, which the chain fixes, do not. */
static void test_hash(void **state)
{
    (void)state;
    enum { VARIANTS = 14 };
    struct entry entry[VARIANTS];
    struct hash hash[VARIANTS + 1];
    struct hash before = {{1}}, other = {{2}};
    for (int i = 0; i < VARIANTS; i++) {
        entry[i] = sample();
    }
    entry[1].kind = ENTRY_AMEND;
    entry[2].unit = "v";
    entry[3].measure = "mf";
    entry[4].category = "";
    entry[5].day++;
    entry[6].value++;
    entry[7].hosting++;
    entry[8].refers_segment.b[15] = 1;
    entry[9].refers_seq = 1;
    entry[10].key = "";
    entry[11].note = "n";
    entry[12].author = "b";
    entry[13].recorded_at.ms++;
    for (int i = 0; i < VARIANTS; i++) {
        hash[i] = entry_hash(&before, &entry[i], &buf);
    }
    hash[VARIANTS] = entry_hash(&other, &entry[0], &buf);
    for (int i = 0; i <= VARIANTS; i++) {
        for (int j = 0; j < i; j++) {
            assert_false(hash_equal(&hash[i], &hash[j]));
        }
    }
    entry[1] = sample();
    entry[1].act = (struct bytes){(const uint8_t *)"x", 1};
    hash[1] = entry_hash(&before, &entry[1], &buf);
    assert_false(hash_equal(&hash[0], &hash[1]));
    entry[1] = sample();
    entry[1].segment.b[0] = 9;
    entry[1].seq = 9;
    hash[1] = entry_hash(&before, &entry[1], &buf);
    assert_true(hash_equal(&hash[0], &hash[1]));
    buf_clear(&buf);
    entry_canonical(&entry[0], &buf);
    struct hash want = sha256_chain(&before, buf.data, buf.len);
    assert_true(hash_equal(&hash[0], &want));
}

/* Letters that wander from one field to its neighbour are another entry. */
static void test_borders(void **state)
{
    (void)state;
    struct hash before = {{0}};
    struct entry a = sample(), b = sample();
    a.unit = "ab";
    a.measure = "c";
    b.unit = "a";
    b.measure = "bc";
    struct hash hash_a = entry_hash(&before, &a, &buf);
    struct hash hash_b = entry_hash(&before, &b, &buf);
    assert_false(hash_equal(&hash_a, &hash_b));
}

static void test_opening(void **state)
{
    (void)state;
    struct head heads[2] = {{{{3}}, 4, {{5}}}, {{{6}}, 7, {{8}}}};
    struct opening opening = {{{1}}, {{2}}, heads, 2};
    struct hash got = opening_hash(&opening, &buf);
    uint8_t want[1 + 16 + 16 + 4 + 2 * (16 + 8 + 32)] = {1, 1};
    want[17] = 2;
    want[36] = 2;
    want[37] = 3;
    want[60] = 4;
    want[61] = 5;
    want[93] = 6;
    want[116] = 7;
    want[117] = 8;
    struct hash hash = sha256(want, sizeof want);
    assert_true(hash_equal(&got, &hash));
    opening.continue_count = 0;
    want[36] = 0;
    got = opening_hash(&opening, &buf);
    hash = sha256(want, 37);
    assert_true(hash_equal(&got, &hash));
}

static char long_text[NOTE_MAX_BYTES + 2];

static const char *text_of(size_t len)
{
    memset(long_text, 'x', len);
    long_text[len] = '\0';
    return long_text;
}

static enum err check(const struct entry *entry)
{
    struct errmsg msg = {{0}};
    enum err err = entry_check(entry, &msg);
    assert_int_equal(err != ERR_OK, msg.text[0] != '\0');
    return err;
}

/* One field at a time, at its limit and one beyond. */
static void test_limits(void **state)
{
    (void)state;
    static const struct {
        size_t offset;
        size_t max;
    } TEXTS[] = {{offsetof(struct entry, unit), CODE_MAX_BYTES},
                 {offsetof(struct entry, measure), CODE_MAX_BYTES},
                 {offsetof(struct entry, category), CATEGORY_MAX_BYTES},
                 {offsetof(struct entry, key), KEY_MAX_BYTES},
                 {offsetof(struct entry, note), NOTE_MAX_BYTES},
                 {offsetof(struct entry, author), AUTHOR_MAX_BYTES}};
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        static const char *const BAD[] = {"a\xff", "\x01", "\xed\xa0\x80", "\x7f"};
        struct entry entry = sample();
        const char **field = (const char **)(void *)((char *)&entry + TEXTS[i].offset);
        *field = text_of(TEXTS[i].max);
        assert_int_equal(check(&entry), ERR_OK);
        *field = text_of(TEXTS[i].max + 1);
        assert_int_equal(check(&entry), ERR_INVALID);
        for (size_t j = 0; j < 4; j++) {
            *field = BAD[j];
            assert_int_equal(check(&entry), ERR_INVALID);
        }
        *field = "a\nb";
        bool note = TEXTS[i].offset == offsetof(struct entry, note);
        assert_int_equal(check(&entry), note ? ERR_OK : ERR_INVALID);
    }
}

#define CHECK_WITH(want, ...)              \
    do {                                   \
        struct entry e = sample();         \
        __VA_ARGS__;                       \
        assert_int_equal(check(&e), want); \
    } while (0)

static void test_ranges(void **state)
{
    (void)state;
    CHECK_WITH(ERR_OK, e.value = VALUE_MAX);
    CHECK_WITH(ERR_OK, e.value = -VALUE_MAX);
    CHECK_WITH(ERR_INVALID, e.value = VALUE_MAX + 1);
    CHECK_WITH(ERR_INVALID, e.value = -VALUE_MAX - 1);
    CHECK_WITH(ERR_INVALID, e.value = INT64_MIN);
    CHECK_WITH(ERR_OK, e.day = DAY_MIN);
    CHECK_WITH(ERR_OK, e.day = DAY_MAX);
    CHECK_WITH(ERR_INVALID, e.day = DAY_MIN - 1);
    CHECK_WITH(ERR_INVALID, e.day = DAY_MAX + 1);
    CHECK_WITH(ERR_INVALID, e.day = DAY_NONE);
    CHECK_WITH(ERR_OK, e.hosting = 0);
    CHECK_WITH(ERR_OK, e.hosting = COUNT_MAX);
    CHECK_WITH(ERR_INVALID, e.hosting = -1);
    CHECK_WITH(ERR_INVALID, e.hosting = COUNT_MAX + 1);
    CHECK_WITH(ERR_INVALID, e.unit = "");
    CHECK_WITH(ERR_INVALID, e.measure = "");
    CHECK_WITH(ERR_INVALID, e.unit = "a b");
}

static void test_kinds(void **state)
{
    (void)state;
    CHECK_WITH(ERR_INVALID, e.kind = 0);
    CHECK_WITH(ERR_INVALID, e.kind = (enum entry_kind)(ENTRY_ACT + 1));
    CHECK_WITH(ERR_INVALID, e.refers_seq = 1);
    CHECK_WITH(ERR_INVALID, e.kind = ENTRY_AMEND);
    CHECK_WITH(ERR_INVALID, e.kind = ENTRY_VOID);
    CHECK_WITH(ERR_OK, e.kind = ENTRY_AMEND; e.refers_seq = 1);
    CHECK_WITH(ERR_OK, e.kind = ENTRY_VOID; e.refers_seq = 1);
    CHECK_WITH(ERR_INVALID, e.kind = ENTRY_ACT);
    CHECK_WITH(ERR_OK, e.kind = ENTRY_ACT; e.act = ((struct bytes){(const uint8_t *)"x", 1}));
    CHECK_WITH(ERR_OK, e.kind = ENTRY_ACT; e.unit = e.measure = "";
               e.act = ((struct bytes){(const uint8_t *)"x", 1}));
}

/* An identity shows the first 60 bits of the segment and the number, and reads back. */
static void test_identity(void **state)
{
    (void)state;
    static const struct {
        uint8_t segment[8];
        uint64_t seq;
        const char *text;
    } ROWS[] = {{{0}, 1, "000000000000-1"},
                {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
                 9999999999999,
                 "zzzzzzzzzzzz-9999999999999"},
                {{0x08, 0x86, 0x42, 0x98, 0xe8, 0x48, 0x14, 0xb0}, 153, "1234567890ab-153"},
                {{0, 0, 0, 0, 0, 0, 0, 0x10}, 10, "000000000001-10"},
                {{0x80}, COUNT_MAX, "g00000000000-1000000000000"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        struct id segment, prefix;
        uint64_t seq = 0;
        char text[ENTRY_ID_MAX_BYTES];
        memset(&segment, 0x5a, sizeof segment);
        memcpy(segment.b, ROWS[i].segment, 8);
        entry_id_format(&segment, ROWS[i].seq, text);
        assert_string_equal(text, ROWS[i].text);
        assert_int_equal(entry_id_parse(text, &prefix, &seq, NULL), ERR_OK);
        assert_true(seq == ROWS[i].seq);
        memset(segment.b + 8, 0, 8);
        segment.b[7] &= 0xf0;
        assert_true(id_equal(&segment, &prefix));
    }
    struct id segment = {{0}};
    char text[ENTRY_ID_MAX_BYTES];
    entry_id_format(&segment, UINT64_MAX, text);
    assert_string_equal(text, "000000000000-18446744073709551615");
}

/* Each bit of the first 60 shows in the text, and is read again. */
static void test_identity_bits(void **state)
{
    (void)state;
    for (int bit = 0; bit < 64; bit++) {
        struct id segment = {{0}}, prefix;
        uint64_t seq;
        char text[ENTRY_ID_MAX_BYTES];
        segment.b[bit / 8] = (uint8_t)(0x80 >> bit % 8);
        entry_id_format(&segment, 1, text);
        assert_int_equal(entry_id_parse(text, &prefix, &seq, NULL), ERR_OK);
        assert_int_equal(id_equal(&segment, &prefix), bit < 60);
        assert_int_equal(strcmp(text, "000000000000-1") == 0, bit >= 60);
    }
}

/* As Crockford reads them: either case, o for 0, i and l for 1. */
static void test_identity_variants(void **state)
{
    (void)state;
    static const char *const PAIRS[][2] = {{"0O0o00000000-7", "000000000000-7"},
                                           {"1IiLl1111111-7", "111111111111-7"},
                                           {"ABCDEFGHJKMN-7", "abcdefghjkmn-7"},
                                           {"PQRSTVWXYZ00-7", "pqrstvwxyz00-7"}};
    for (size_t i = 0; i < sizeof PAIRS / sizeof PAIRS[0]; i++) {
        struct id a, b;
        uint64_t seq;
        char text[ENTRY_ID_MAX_BYTES];
        assert_int_equal(entry_id_parse(PAIRS[i][0], &a, &seq, NULL), ERR_OK);
        assert_int_equal(entry_id_parse(PAIRS[i][1], &b, &seq, NULL), ERR_OK);
        assert_true(id_equal(&a, &b));
        entry_id_format(&a, seq, text);
        assert_string_equal(text, PAIRS[i][1]);
    }
}

static void test_no_identity(void **state)
{
    (void)state;
    static const char *const BAD[] = {"",
                                      "-",
                                      "000000000000",
                                      "000000000000-",
                                      "000000000000-0",
                                      "000000000000-01",
                                      "000000000000--1",
                                      "000000000000-+1",
                                      "000000000000-1x",
                                      "000000000000- 1",
                                      "000000000000-1 ",
                                      " 000000000000-1",
                                      "00000000000-1",
                                      "0000000000000-1",
                                      "00000000000u-1",
                                      "00000000000U-1",
                                      "00000000000_-1",
                                      "00000000000\xc3-1",
                                      "000000-00000-1",
                                      "000000000000-99999999999999",
                                      "000000000000-18446744073709551617",
                                      "000000000000/1"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct id prefix = {{7}};
        uint64_t seq = 7;
        struct errmsg msg = {{0}};
        if (entry_id_parse(BAD[i], &prefix, &seq, &msg) != ERR_USAGE || msg.text[0] == '\0') {
            fail_msg("\"%s\" was taken", BAD[i]);
        }
        assert_true(prefix.b[0] == 7 && seq == 7);
    }
}

#define WITH_BUF(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_BUF(test_canonical),
                                       WITH_BUF(test_hash),
                                       WITH_BUF(test_borders),
                                       WITH_BUF(test_opening),
                                       cmocka_unit_test(test_limits),
                                       cmocka_unit_test(test_ranges),
                                       cmocka_unit_test(test_kinds),
                                       cmocka_unit_test(test_identity),
                                       cmocka_unit_test(test_identity_bits),
                                       cmocka_unit_test(test_identity_variants),
                                       cmocka_unit_test(test_no_identity)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

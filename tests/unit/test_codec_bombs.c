/* layer: codec */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <zstd.h>

#include "codec_samples.h"
#include "codec_walk.h"

enum { SMALL_BYTES = 64 * 1024 }; /* what a refusal may have taken that came in time */

static struct arena arena;
static struct message got;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, DECODE_ARENA_MAX_BYTES);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_reset(&arena);
    return 0;
}

static enum err decode(const void *data, size_t len)
{
    struct codec *codec = codec_new(false);
    struct errmsg msg = {{0}};
    arena_reset(&arena);
    enum err err = codec_decode(codec, (struct bytes){data, len}, &arena, &got, &msg);
    assert_int_equal(err != ERR_OK, msg.text[0] != '\0');
    assert_true(arena.taken_bytes <= DECODE_ARENA_MAX_BYTES);
    codec_free(codec);
    return err;
}

static size_t put_varint(uint8_t *out, size_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7) {
        out[n++] = (uint8_t)(value | 0x80);
    }
    out[n++] = (uint8_t)value;
    return n;
}

/* A frame with one message: the field's tag, the length, the content. */
static size_t put_body(uint8_t *out, unsigned field, const uint8_t *content, size_t len)
{
    size_t n = put_varint(out, field << 3 | 2);
    n += put_varint(out + n, len);
    memmove(out + n, content, len);
    return n + len;
}

/* One frame's worth of two bytes again and again, which take many times their size when they are
 * unpacked: `field` of the frame, `tag` inside it. */
static void test_amplification(void **state)
{
    (void)state;
    static const struct {
        const char *what;
        unsigned field;
        uint8_t pair[2];
        size_t bytes;
        enum err want;
    } ROWS[] = {
        {"origin heads of a welcome", 2, {0x62, 0}, FRAME_MAX_BYTES, ERR_PROTOCOL},
        {"heads of a hello", 1, {0x4a, 0}, FRAME_MAX_BYTES, ERR_PROTOCOL},
        {"units of a batch", 4, {0x2a, 0}, FRAME_MAX_BYTES, ERR_PROTOCOL},
        {"texts of a batch", 4, {0x1a, 0}, FRAME_MAX_BYTES, ERR_PROTOCOL},
        {"unknown numbers", 1, {0x78, 1}, FRAME_MAX_BYTES, ERR_PROTOCOL},
        {"unknown bytes", 1, {0x7a, 0}, FRAME_MAX_BYTES, ERR_PROTOCOL},
        {"sessions of a hello", 1, {0x42, 0}, 200, ERR_PROTOCOL},
        {"a few unknown numbers", 1, {0x78, 1}, 2000, ERR_OK},
        {"a few unknown bytes", 1, {0x7a, 0}, 2000, ERR_OK},
        {"one number again and again", 1, {0x08, 1}, 20000, ERR_OK},
        {"one number half a million times", 1, {0x08, 1}, FRAME_MAX_BYTES, ERR_PROTOCOL},
        {"one message again and again", 1, {0x52, 0}, 20000, ERR_OK},
    };
    uint8_t *content = malloc(FRAME_MAX_BYTES), *body = malloc(FRAME_MAX_BYTES);
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        size_t len = ROWS[i].bytes == FRAME_MAX_BYTES ? FRAME_MAX_BYTES - 16 : ROWS[i].bytes;
        for (size_t at = 0; at < len; at += 2) {
            memcpy(content + at, ROWS[i].pair, 2);
        }
        size_t size = put_body(body, ROWS[i].field, content, len);
        enum err err = decode(body, size);
        if (err != ROWS[i].want) {
            fail_msg("%s: %s", ROWS[i].what, err_name(err));
        }
    }
    free(content);
    free(body);
}

/* A message that fits its frame and unpacks to more than the arena may take. */
static void test_arena_cap(void **state)
{
    (void)state;
    struct message message = sample_batch();
    struct codec *codec = codec_new(false);
    struct buf wire;
    buf_init(&wire, FRAME_MAX_BYTES);
    assert_int_equal(codec_encode(codec, &message, &wire, NULL), ERR_OK);
    codec_free(codec);
    assert_int_equal(decode(wire.data + 4, wire.len - 4), ERR_OK);
    size_t need = arena.taken_bytes;
    size_t refused = 0;
    for (size_t cap = 0; cap <= need; cap += cap < 512 ? 16 : 256) {
        codec = codec_new(false);
        arena_reset(&arena);
        arena_init(&arena, cap);
        enum err err =
            codec_decode(codec, (struct bytes){wire.data + 4, wire.len - 4}, &arena, &got, NULL);
        assert_true(err == ERR_OK || err == ERR_PROTOCOL || err == ERR_NO_MEMORY);
        assert_true(arena.taken_bytes <= cap);
        refused += err != ERR_OK ? 1 : 0;
        codec_free(codec);
    }
    assert_true(refused > 32);
    buf_deinit(&wire);
}

/* Of a newer version: fields that are not known are skipped, at every depth, and the rest is read.
 */
static void test_unknown_fields(void **state)
{
    (void)state;
    const uint8_t extra[] = {0xf8, 0x3f, 0x96, 1,                        /* 1023: a number */
                             0xfa, 0x3f, 3,    'x', 0, 0xff,             /* bytes */
                             0xf9, 0x3f, 1,    2,   3, 4,    5, 6, 7, 8, /* 64 bits */
                             0xfd, 0x3f, 1,    2,   3, 4};               /* 32 bits */
    uint8_t ping[64] = {0x10, 9, 0x2a, 26};
    memcpy(ping + 4, extra, sizeof extra);
    size_t len = 4 + 26;
    memcpy(ping + len, extra, sizeof extra);
    len += sizeof extra;
    uint8_t body[128];
    size_t size = put_body(body, 8, ping, len);
    memcpy(body + size, extra, sizeof extra);
    assert_int_equal(sizeof extra, 26);
    assert_int_equal(decode(body, size + sizeof extra), ERR_OK);
    assert_int_equal(got.type, MESSAGE_PING);
    assert_int_equal(got.u.ping.nonce, 9);
}

static void test_no_message(void **state)
{
    (void)state;
    static const struct {
        size_t len;
        uint8_t body[12];
    } ROWS[] = {{0, {0}},                /* nothing at all */
                {2, {0x78, 1}},          /* only what is not known */
                {2, {0x7a, 0}},          /* a message that is not known */
                {2, {0x08, 1}},          /* a message's number with a number */
                {1, {0x0a}},             /* cut */
                {2, {0x0a, 5}},          /* longer than there is */
                {3, {0x0a, 0xff, 0xff}}, /* a length without an end */
                {2, {0x0b, 0x0c}},       /* groups, which proto3 has not */
                {2, {0x02, 0}},          /* field 0 */
                {2, {0x0e, 0}},          /* wire type 6 */
                {7, {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}},
                {11, {0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        if (decode(ROWS[i].body, ROWS[i].len) != ERR_PROTOCOL) {
            fail_msg("row %zu", i);
        }
    }
}

/* ---- compressed batches ---- */

static enum err decode_packed(size_t stated, const uint8_t *content, size_t len)
{
    Tally__Packed packed = TALLY__PACKED__INIT;
    Tally__Frame frame = TALLY__FRAME__INIT;
    struct errmsg msg;
    packed.size = (uint32_t)stated;
    packed.content.len = len;
    memcpy(&packed.content.data, &content, sizeof content);
    frame.body_case = TALLY__FRAME__BODY_PACKED;
    frame.packed = &packed;
    return walk_decode(&frame.base, &arena, &got, &msg);
}

/* A batch with one blob of `size` bytes in all: `size` bytes of a field that is not known. */
static uint8_t *padded_batch(size_t size)
{
    uint8_t *raw = calloc(1, size);
    raw[0] = 0xfa;
    raw[1] = 0x3f;
    size_t rest = size - 2 - 4; /* the length in four bytes, the last one 0 */
    raw[2] = (uint8_t)(rest | 0x80);
    raw[3] = (uint8_t)(rest >> 7 | 0x80);
    raw[4] = (uint8_t)(rest >> 14 | 0x80);
    raw[5] = (uint8_t)(rest >> 21);
    return raw;
}

static void test_sizes(void **state)
{
    (void)state;
    static const size_t SIZES[] = {1000, UNPACKED_MAX_BYTES, UNPACKED_MAX_BYTES + 1, 16 << 20};
    for (size_t i = 0; i < sizeof SIZES / sizeof SIZES[0]; i++) {
        size_t bound = ZSTD_compressBound(SIZES[i]);
        uint8_t *raw = padded_batch(SIZES[i]), *packed = malloc(bound);
        size_t len = ZSTD_compress(packed, bound, raw, SIZES[i], 1);
        assert_false(ZSTD_isError(len));
        bool may = SIZES[i] <= UNPACKED_MAX_BYTES;
        assert_int_equal(decode_packed(SIZES[i], packed, len), may ? ERR_OK : ERR_PROTOCOL);
        assert_true(may || arena.taken_bytes < SMALL_BYTES);
        static const int64_t LIES[] = {-1, 1, -900, 100000};
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(decode_packed((size_t)((int64_t)SIZES[i] + LIES[j]), packed, len),
                             ERR_PROTOCOL);
            assert_true(arena.taken_bytes < SMALL_BYTES);
        }
        assert_int_equal(decode_packed(0, packed, len), ERR_PROTOCOL);
        assert_int_equal(decode_packed(SIZES[i], packed, len - 1), ERR_PROTOCOL);
        assert_int_equal(decode_packed(SIZES[i], packed, len / 2), ERR_PROTOCOL);
        free(raw);
        free(packed);
    }
}

/* The size lies on both sides: the header of the compressed frame says what the message says, and
 * what comes out is more, or less. */
static void test_lying_header(void **state)
{
    (void)state;
    uint8_t *raw = padded_batch(100000);
    uint8_t packed[2000];
    size_t len = ZSTD_compress(packed, sizeof packed, raw, 100000, 1);
    assert_false(ZSTD_isError(len));
    /* Descriptor 0xa0: single segment, size in four bytes. */
    assert_int_equal(packed[4] & 0xe0, 0xa0);
    assert_int_equal(decode_packed(100000, packed, len), ERR_OK);
    static const uint32_t LIES[] = {99999, 100001, 1, 4u << 20};
    for (size_t i = 0; i < 4; i++) {
        memcpy(packed + 5, &LIES[i], 4);
        assert_int_equal(decode_packed(LIES[i], packed, len), ERR_PROTOCOL);
    }
    free(raw);
}

static void test_no_zstd(void **state)
{
    (void)state;
    uint8_t *raw = padded_batch(2000);
    uint8_t packed[4000] = {0};
    assert_int_equal(decode_packed(0, packed, 0), ERR_PROTOCOL);
    assert_int_equal(decode_packed(2000, raw, 2000), ERR_PROTOCOL);
    ZSTD_CCtx *ctx = ZSTD_createCCtx(); /* a frame that does not tell its size */
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0)));
    size_t len = ZSTD_compress2(ctx, packed, sizeof packed, raw, 2000);
    assert_false(ZSTD_isError(len));
    assert_int_equal(decode_packed(2000, packed, len), ERR_PROTOCOL);
    ZSTD_freeCCtx(ctx);
    len = ZSTD_compress(packed, sizeof packed, raw, 2000, 1);
    size_t twice = len + ZSTD_compress(packed + len, sizeof packed - len, raw, 2000, 1);
    assert_int_equal(decode_packed(2000, packed, twice), ERR_PROTOCOL);
    memset(raw, 0xff, 2000); /* well compressed, and no batch */
    len = ZSTD_compress(packed, sizeof packed, raw, 2000, 1);
    assert_int_equal(decode_packed(2000, packed, len), ERR_PROTOCOL);
    free(raw);
}

/* A small frame that decompresses to the limit and would unpack to a hundred times that. */
static void test_double_bomb(void **state)
{
    (void)state;
    uint8_t *raw = malloc(UNPACKED_MAX_BYTES);
    size_t bound = ZSTD_compressBound(UNPACKED_MAX_BYTES);
    uint8_t *packed = malloc(bound);
    static const uint8_t TAGS[] = {0x2a, 0x4a, 0x5a, 0x1a, 0x7a};
    for (size_t t = 0; t < sizeof TAGS; t++) {
        for (size_t at = 0; at < UNPACKED_MAX_BYTES; at += 2) {
            raw[at] = TAGS[t];
            raw[at + 1] = 0;
        }
        size_t len = ZSTD_compress(packed, bound, raw, UNPACKED_MAX_BYTES, 1);
        assert_true(len < 10000);
        assert_int_equal(decode_packed(UNPACKED_MAX_BYTES, packed, len), ERR_PROTOCOL);
        assert_true(arena.taken_bytes <= DECODE_ARENA_MAX_BYTES);
    }
    free(raw);
    free(packed);
}

#define WITH_ARENA(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ARENA(test_amplification),  WITH_ARENA(test_arena_cap),
        WITH_ARENA(test_unknown_fields), WITH_ARENA(test_no_message),
        WITH_ARENA(test_sizes),          WITH_ARENA(test_lying_header),
        WITH_ARENA(test_no_zstd),        WITH_ARENA(test_double_bomb)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

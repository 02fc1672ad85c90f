/* layer: codec */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "codec_samples.h"
#include "codec_walk.h"

enum { ROUNDS = 150, ROUNDS_LONG = 20000, BODY_MAX_BYTES = 16 * 1024 };

static struct buf body[SAMPLES_MAX + 1];
static size_t body_count;
static uint64_t random_state;

/* Every message, and a batch again that is compressed. */
static int set_up(void **state)
{
    (void)state;
    static struct message sample[SAMPLES_MAX + 1];
    static struct cell cells[400];
    body_count = samples(sample);
    sample[body_count] = sample_batch();
    for (int i = 0; i < 400; i++) {
        cells[i] = sample[body_count].u.batch.cells[i % 2];
        cells[i].value = i;
    }
    sample[body_count].u.batch.cells = cells;
    sample[body_count++].u.batch.cell_count = 400;
    for (size_t i = 0; i < body_count; i++) {
        struct codec *codec = codec_new(i + 1 == body_count);
        buf_init(&body[i], BODY_MAX_BYTES);
        if (codec_encode(codec, &sample[i], &body[i], NULL) != ERR_OK) {
            return 1;
        }
        codec_free(codec);
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < body_count; i++) {
        buf_deinit(&body[i]);
    }
    return 0;
}

/* xorshift64*: the same numbers everywhere. */
static size_t below(size_t limit)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (size_t)((random_state * UINT64_C(2685821657736338717)) >> 33) % limit;
}

/* Bytes changed, cut away, said twice, or put in from another message. */
static size_t mutate(uint8_t *data, size_t len)
{
    static const uint8_t INTERESTING[] = {0, 1, 0x7f, 0x80, 0xff, 0x0a, 0x12, 0x1a, 0x10, 0x08};
    for (size_t times = 1 + below(4); times > 0 && len > 1; times--) {
        size_t at = below(len), n = 1 + below(len - at < 32 ? len - at : 32);
        switch (below(6)) {
        case 0:
            data[at] ^= (uint8_t)(1 << below(8));
            break;
        case 1:
            data[at] = INTERESTING[below(sizeof INTERESTING)];
            break;
        case 2:
            memmove(data + at, data + at + n, len - at - n);
            len -= n;
            break;
        case 3:
            if (len + n <= BODY_MAX_BYTES) {
                memmove(data + at + n, data + at, len - at);
                len += n;
            }
            break;
        case 4: {
            const struct buf *other = &body[below(body_count)];
            size_t from = FRAME_HEADER_BYTES + below(other->len - FRAME_HEADER_BYTES);
            n = n < other->len - from ? n : other->len - from;
            memcpy(data + at, other->data + from, n);
            break;
        }
        case 5:
            len = at + 1;
            break;
        }
    }
    return len;
}

/* Whatever comes is refused, or it is a message: one that encodes, and decodes again. */
static enum err try_decode(const uint8_t *data, size_t len)
{
    uint8_t *copy = malloc(len); /* sanitizers see a read behind it */
    struct arena arena;
    struct message got;
    struct codec *codec = codec_new(true);
    struct buf again;
    memcpy(copy, data, len);
    arena_init(&arena, DECODE_ARENA_MAX_BYTES);
    buf_init(&again, 2 * FRAME_MAX_BYTES);
    enum err err = codec_decode(codec, (struct bytes){copy, len}, &arena, &got, NULL);
    assert_true(err == ERR_OK || err == ERR_PROTOCOL || err == ERR_NO_MEMORY);
    assert_true(arena.taken_bytes <= DECODE_ARENA_MAX_BYTES);
    if (err == ERR_OK) {
        struct codec *receiver = codec_new(false);
        struct arena other;
        arena_init(&other, DECODE_ARENA_MAX_BYTES);
        assert_int_equal(codec_encode(codec, &got, &again, NULL), ERR_OK);
        struct bytes second = {again.data + FRAME_HEADER_BYTES, again.len - FRAME_HEADER_BYTES};
        struct message twice;
        assert_int_equal(codec_decode(receiver, second, &other, &twice, NULL), ERR_OK);
        assert_int_equal(twice.type, got.type);
        arena_reset(&other);
        codec_free(receiver);
    }
    codec_free(codec);
    arena_reset(&arena);
    buf_deinit(&again);
    free(copy);
    return err;
}

static void test_mutants(void **state)
{
    (void)state;
    static uint8_t data[BODY_MAX_BYTES];
    const char *longer = getenv("TALLY_LONG");
    int rounds = longer != NULL && longer[0] == '1' ? ROUNDS_LONG : ROUNDS;
    size_t taken = 0, refused = 0;
    for (size_t i = 0; i < body_count; i++) {
        for (int seed = 1; seed <= rounds; seed++) {
            random_state = (uint64_t)seed * 1000003 + i;
            size_t len = body[i].len - FRAME_HEADER_BYTES;
            memcpy(data, body[i].data + FRAME_HEADER_BYTES, len);
            len = mutate(data, len);
            *(try_decode(data, len) == ERR_OK ? &taken : &refused) += 1;
        }
    }
    print_message("%zu mutants taken, %zu refused\n", taken, refused);
    assert_true(taken > refused / 20 && refused > taken / 20); /* both ways are walked */
}

static void test_noise(void **state)
{
    (void)state;
    static uint8_t data[1000];
    for (int seed = 1; seed <= 2000; seed++) {
        random_state = (uint64_t)seed;
        size_t len = 1 + below(sizeof data);
        for (size_t i = 0; i < len; i++) {
            data[i] = (uint8_t)below(256);
        }
        (void)try_decode(data, len);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_mutants),
                                       cmocka_unit_test(test_noise)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

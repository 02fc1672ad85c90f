/* layer: codec */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "codec/codec.h"

enum { ROWS = 300 };

static struct codec *ours;
static struct codec *theirs;
static struct arena arena;
static struct buf wire;

static int set_up(void **state)
{
    (void)state;
    ours = codec_new(true);
    theirs = codec_new(true);
    arena_init(&arena, DECODE_ARENA_MAX_BYTES);
    buf_init(&wire, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    return ours == NULL || theirs == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    codec_free(ours);
    codec_free(theirs);
    arena_reset(&arena);
    buf_deinit(&wire);
    return 0;
}

static struct message there_and_back(const struct message *message)
{
    struct message out;
    struct errmsg msg = {{0}};
    buf_clear(&wire);
    assert_int_equal(codec_encode(ours, message, &wire, &msg), ERR_OK);
    struct bytes body = {wire.data + FRAME_HEADER_BYTES, wire.len - FRAME_HEADER_BYTES};
    enum err err = codec_decode(theirs, body, &arena, &out, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    assert_int_equal(out.type, message->type);
    return out;
}

static void fill(struct cell *cells, struct entry *entries)
{
    for (int i = 0; i < ROWS; i++) {
        cells[i] = (struct cell){.origin = {{(uint8_t)(i % 7)}},
                                 .unit = i % 2 == 0 ? "436" : "437",
                                 .measure = "fund",
                                 .category = i % 3 == 0 ? "" : "group=cadre",
                                 .period = i - 100,
                                 .value = i * INT64_C(-1234567890),
                                 .count = i + 1,
                                 .live = i,
                                 .hosting = i % 5,
                                 .day = i};
        entries[i] = (struct entry){.segment = {{(uint8_t)(i / 100)}},
                                    .seq = (uint64_t)(i % 100) + 1,
                                    .kind = i % 10 == 9 ? ENTRY_VOID : ENTRY_RECORD,
                                    .unit = "436",
                                    .measure = "fund",
                                    .category = "",
                                    .day = 19000 + i,
                                    .value = -i,
                                    .key = i % 2 == 0 ? "k" : "",
                                    .note = "quỹ",
                                    .author = "lan",
                                    .refers_seq = i % 10 == 9 ? 1 : 0,
                                    .recorded_at = {1690000000000 + i * 1000}};
    }
}

static void check_rows(const struct msg_batch *got, const struct cell *cells,
                       const struct entry *entries)
{
    assert_int_equal(got->cell_count, ROWS);
    assert_int_equal(got->entry_count, ROWS);
    for (size_t i = 0; i < ROWS; i++) {
        const struct cell *a = &cells[i], *b = &got->cells[i];
        assert_true(id_equal(&a->origin, &b->origin));
        assert_string_equal(a->unit, b->unit);
        assert_string_equal(a->category, b->category);
        assert_true(a->period == b->period && a->value == b->value && a->count == b->count &&
                    a->live == b->live && a->hosting == b->hosting && a->day == b->day);
        const struct entry *e = &entries[i], *f = &got->entries[i];
        assert_true(id_equal(&e->segment, &f->segment) && e->seq == f->seq && e->kind == f->kind &&
                    e->day == f->day && e->value == f->value && e->refers_seq == f->refers_seq &&
                    e->recorded_at.ms == f->recorded_at.ms);
        assert_string_equal(e->key, f->key);
        assert_string_equal(e->note, f->note);
        assert_string_equal(e->author, f->author);
    }
}

/* Columns, tables and compression: rows come back as they were, also those of a second batch that
 * announces nothing, and of one after a batch that could not be encoded. */
static void test_batch(void **state)
{
    (void)state;
    static struct cell cells[ROWS];
    static struct entry entries[ROWS];
    fill(cells, entries);
    struct message message = {.type = MESSAGE_BATCH};
    message.u.batch = (struct msg_batch){.upto = {.session = {{9}}, .revision = 77},
                                         .cells = cells,
                                         .cell_count = ROWS,
                                         .entries = entries,
                                         .entry_count = ROWS,
                                         .mark = true,
                                         .marked_at = {5}};
    for (int i = 0; i < 2; i++) {
        struct message got = there_and_back(&message);
        assert_int_equal(got.u.batch.upto.revision, 77);
        assert_true(got.u.batch.mark);
        check_rows(&got.u.batch, cells, entries);
    }
    struct buf small;
    buf_init(&small, 64);
    cells[0].unit = "new";
    assert_int_not_equal(codec_encode(ours, &message, &small, NULL), ERR_OK);
    assert_int_equal(small.len, 0);
    buf_deinit(&small);
    struct message got = there_and_back(&message);
    check_rows(&got.u.batch, cells, entries);
}

static void test_request_and_reply(void **state)
{
    (void)state;
    struct record_row row = {.line = 3,
                             .unit = "u",
                             .measure = "m",
                             .day = DAY_NONE,
                             .category = "",
                             .value = "-1.5",
                             .key = "",
                             .note = "a\nb"};
    struct message message = {.type = MESSAGE_REQUEST};
    message.u.request = (struct msg_request){.id = 8, .type = REQUEST_RECORD};
    message.u.request.u.record = (struct req_record){.rows = &row, .row_count = 1, .partial = true};
    struct message got = there_and_back(&message);
    assert_int_equal(got.u.request.type, REQUEST_RECORD);
    assert_string_equal(got.u.request.u.record.rows[0].note, "a\nb");
    assert_int_equal(got.u.request.u.record.rows[0].day, DAY_NONE);
    struct total_row total = {
        .unit = "u", .measure = "m", .value = -((wide)1 << 90), .expected = 4};
    message = (struct message){.type = MESSAGE_REPLY};
    message.u.reply = (struct msg_reply){.id = 8, .type = REQUEST_TOTAL, .more = true};
    message.u.reply.u.total = (struct rep_total){.rows = &total, .row_count = 1};
    got = there_and_back(&message);
    assert_true(got.u.reply.u.total.rows[0].value == -((wide)1 << 90));
    assert_string_equal(got.u.reply.u.total.rows[0].name, "");
}

/* Every prefix of a frame and every frame with one byte changed is refused or decoded, within the
 * arena, and never more. */
static void test_damaged(void **state)
{
    (void)state;
    static struct cell cells[ROWS];
    static struct entry entries[ROWS];
    fill(cells, entries);
    struct message message = {.type = MESSAGE_BATCH};
    message.u.batch =
        (struct msg_batch){.cells = cells, .cell_count = 20, .entries = entries, .entry_count = 20};
    for (int packed = 0; packed < 2; packed++) {
        struct codec *sender = codec_new(packed == 1);
        buf_clear(&wire);
        assert_int_equal(codec_encode(sender, &message, &wire, NULL), ERR_OK);
        codec_free(sender);
        size_t refused = 0;
        for (size_t i = FRAME_HEADER_BYTES; i < wire.len; i++) {
            struct message out;
            struct codec *receiver = codec_new(false);
            struct bytes prefix = {wire.data + FRAME_HEADER_BYTES, i - FRAME_HEADER_BYTES};
            refused += codec_decode(receiver, prefix, &arena, &out, NULL) != ERR_OK ? 1 : 0;
            codec_free(receiver);
            arena_reset(&arena);
            receiver = codec_new(false);
            wire.data[i] ^= 0x55;
            struct bytes changed = {wire.data + FRAME_HEADER_BYTES, wire.len - FRAME_HEADER_BYTES};
            enum err err = codec_decode(receiver, changed, &arena, &out, NULL);
            refused += err != ERR_OK ? 1 : 0;
            wire.data[i] ^= 0x55;
            codec_free(receiver);
            arena_reset(&arena);
        }
        assert_true(refused > wire.len / 2);
    }
}

/* Bytes one by one; a length of nothing or beyond the limit is refused with its header. */
static void test_frames(void **state)
{
    (void)state;
    struct frames *frames = frames_new();
    struct bytes body;
    const uint8_t good[] = {0, 0, 0, 3, 'a', 'b', 'c', 0, 0, 0, 1, 'd'};
    size_t found = 0;
    for (size_t i = 0; i < sizeof good; i++) {
        assert_int_equal(frames_push(frames, &good[i], 1, NULL), ERR_OK);
        while (frames_next(frames, &body)) {
            assert_int_equal(body.len, found == 0 ? 3 : 1);
            found++;
        }
    }
    assert_int_equal(found, 2);
    frames_free(frames);
    const uint8_t bad[][4] = {{0, 0, 0, 0}, {0, 0, 0x20, 1}, {0xff, 0xff, 0xff, 0xff}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        frames = frames_new();
        assert_int_equal(frames_push(frames, bad[i], sizeof bad[i], NULL), ERR_PROTOCOL);
        frames_free(frames);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_batch, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_request_and_reply, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_damaged, set_up, tear_down),
        cmocka_unit_test(test_frames)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: codec */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec_samples.h"
#include "codec_walk.h"

static struct arena arena;
static Tally__Frame *frame; /* the batch of the samples, to be spoiled */
static struct message got;

static int set_up(void **state)
{
    (void)state;
    struct message batch = sample_batch();
    struct codec *codec = codec_new(false);
    struct buf wire;
    arena_init(&arena, DECODE_ARENA_MAX_BYTES);
    buf_init(&wire, FRAME_MAX_BYTES);
    enum err err = codec_encode(codec, &batch, &wire, NULL);
    codec_free(codec);
    frame = err != ERR_OK ? NULL
                          : tally__frame__unpack(NULL, wire.len - FRAME_HEADER_BYTES,
                                                 wire.data + FRAME_HEADER_BYTES);
    buf_deinit(&wire);
    return frame == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    tally__frame__free_unpacked(frame, NULL);
    arena_reset(&arena);
    return 0;
}

static enum err decode(void)
{
    struct errmsg msg = {{0}};
    enum err err = walk_decode(&frame->base, &arena, &got, &msg);
    assert_int_equal(err != ERR_OK, msg.text[0] != '\0');
    return err;
}

struct columns {
    const char *message;
    size_t seen;
};

static size_t element_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_UINT32:
    case PROTOBUF_C_TYPE_SINT32:
        return 4;
    case PROTOBUF_C_TYPE_BYTES:
        return sizeof(ProtobufCBinaryData);
    default:
        return 8;
    }
}

/* One column longer by a row, which repeats the first one. */
static enum err decode_longer(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t count = walk_count(message, field), size = element_size(field);
    void **rows = walk_member(message, field), *was = *rows;
    char *longer = malloc((count + 1) * size);
    memcpy(longer, was, count * size);
    memcpy(longer + count * size, was, size);
    *rows = longer;
    walk_set_count(message, field, count + 1);
    enum err err = decode();
    walk_set_count(message, field, count);
    *rows = was;
    free(longer);
    return err;
}

/* One column shorter by a row, longer, or absent. */
static void shorten(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    static const char *const MAY_BE_ABSENT[] = {"hosting",        "day",        "key", "note",
                                                "refers_segment", "refers_seq", "act"};
    struct columns *columns = arg;
    if (strcmp(message->descriptor->short_name, columns->message) != 0 ||
        strcmp(field->name, "runs") == 0) {
        return;
    }
    size_t count = walk_count(message, field);
    bool optional = false;
    for (size_t i = 0; i < sizeof MAY_BE_ABSENT / sizeof MAY_BE_ABSENT[0]; i++) {
        optional = optional || strcmp(field->name, MAY_BE_ABSENT[i]) == 0;
    }
    optional = optional && !(strcmp(field->name, "day") == 0 && columns->message[0] == 'E');
    walk_set_count(message, field, count - 1);
    if (decode() != ERR_PROTOCOL) {
        fail_msg("%s: column %s too short", columns->message, field->name);
    }
    walk_set_count(message, field, count);
    if (decode_longer(message, field) != ERR_PROTOCOL) {
        fail_msg("%s: column %s too long", columns->message, field->name);
    }
    walk_set_count(message, field, 0);
    if (decode() != (optional ? ERR_OK : ERR_PROTOCOL)) {
        fail_msg("%s: column %s absent", columns->message, field->name);
    }
    walk_set_count(message, field, count);
    columns->seen++;
}

static void test_lengths(void **state)
{
    (void)state;
    struct columns cells = {"Cells", 0}, entries = {"Entries", 0};
    walk(&frame->base, shorten, &cells);
    walk(&frame->base, shorten, &entries);
    assert_int_equal(cells.seen, tally__cells__descriptor.n_fields);
    assert_int_equal(entries.seen, tally__entries__descriptor.n_fields - 1);
    assert_int_equal(decode(), ERR_OK);
}

/* A value of a column set to each of the good and bad ones. */
#define COLUMN_ROW(column, good, bad)              \
    do {                                           \
        __typeof__((column)[0]) was = (column)[0]; \
        (column)[0] = (good);                      \
        assert_int_equal(decode(), ERR_OK);        \
        (column)[0] = (bad);                       \
        assert_int_equal(decode(), ERR_PROTOCOL);  \
        (column)[0] = was;                         \
    } while (0)

/* Numbers of texts and origins that were not announced. */
static void test_unannounced(void **state)
{
    (void)state;
    Tally__Cells *cells = frame->batch->cells;
    Tally__Entries *entries = frame->batch->entries;
    uint32_t texts = (uint32_t)frame->batch->n_texts;
    uint32_t origins = (uint32_t)(frame->batch->origins.len / ID_BYTES);
    assert_true(texts > 4 && origins == 2);
    for (uint32_t far = 1; far < 3; far++) {
        uint32_t text = far == 1 ? texts + 1 : UINT32_MAX;
        COLUMN_ROW(cells->origin, origins - 1, far == 1 ? origins : UINT32_MAX);
        COLUMN_ROW(cells->unit, texts, text);
        COLUMN_ROW(cells->measure, 0, text);
        COLUMN_ROW(cells->category, texts, text);
        COLUMN_ROW(entries->unit, texts, text);
        COLUMN_ROW(entries->measure, 0, text);
        COLUMN_ROW(entries->category, texts, text);
        COLUMN_ROW(entries->author, texts, text);
    }
    frame->batch->n_texts = 0; /* announced on another connection */
    assert_int_equal(decode(), ERR_PROTOCOL);
    frame->batch->n_texts = texts;
    frame->batch->origins.len = 0;
    assert_int_equal(decode(), ERR_PROTOCOL);
    frame->batch->origins.len = (size_t)origins * ID_BYTES;
}

static void test_values(void **state)
{
    (void)state;
    Tally__Cells *cells = frame->batch->cells;
    Tally__Entries *entries = frame->batch->entries;
    uint64_t beyond = (uint64_t)INT64_MAX + 1;
    COLUMN_ROW(cells->count, INT64_MAX, beyond);
    COLUMN_ROW(cells->live, INT64_MAX, UINT64_MAX);
    COLUMN_ROW(cells->hosting, INT64_MAX, beyond);
    COLUMN_ROW(entries->hosting, INT64_MAX, beyond);
    COLUMN_ROW(entries->kind, ENTRY_LOST, ENTRY_LOST + 1);
    COLUMN_ROW(entries->kind, ENTRY_RECORD, 0);
    COLUMN_ROW(entries->kind, ENTRY_VOID, UINT32_MAX);
    COLUMN_ROW(entries->recorded_ms, INT64_C(253402300799998), INT64_C(253402300799999));
    COLUMN_ROW(entries->recorded_ms, INT64_C(-253402300799999) + INT64_C(1690000000002), INT64_MIN);
    COLUMN_ROW(entries->recorded_ms, 0, INT64_MAX);
}

/* What a table may carry and a column may not: the longest text of all is a category's. */
static void test_long_names(void **state)
{
    (void)state;
    static char text[CATEGORY_MAX_BYTES + 2];
    Tally__Cells *cells = frame->batch->cells;
    Tally__Entries *entries = frame->batch->entries;
    struct {
        uint32_t *column;
        size_t max;
    } rows[] = {{cells->unit, CODE_MAX_BYTES},         {cells->measure, CODE_MAX_BYTES},
                {cells->category, CATEGORY_MAX_BYTES}, {entries->unit, CODE_MAX_BYTES},
                {entries->measure, CODE_MAX_BYTES},    {entries->category, CATEGORY_MAX_BYTES},
                {entries->author, AUTHOR_MAX_BYTES}};
    char **texts = frame->batch->texts;
    char *more[16];
    memcpy(more, texts, frame->batch->n_texts * sizeof *texts);
    more[frame->batch->n_texts++] = text;
    frame->batch->texts = more;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t was = rows[i].column[0];
        rows[i].column[0] = (uint32_t)frame->batch->n_texts;
        memset(text, 'x', sizeof text);
        text[rows[i].max] = '\0';
        assert_int_equal(decode(), ERR_OK);
        text[rows[i].max] = 'x';
        text[rows[i].max + 1] = '\0';
        if (decode() != ERR_PROTOCOL) {
            fail_msg("column %zu takes %zu bytes", i, rows[i].max + 1);
        }
        rows[i].column[0] = was;
    }
    text[0] = '\0'; /* text 0 is the empty one; it is never announced */
    assert_int_equal(decode(), ERR_PROTOCOL);
    frame->batch->texts = texts;
    frame->batch->n_texts--;
}

static void test_runs(void **state)
{
    (void)state;
    Tally__Entries *entries = frame->batch->entries;
    Tally__EntryRun *run = entries->runs[0];
    assert_int_equal(entries->n_runs, 2);
    assert_true(run->first == 7 && run->count == 2);
    static const uint32_t COUNTS[] = {0, 1, 3, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        run->count = COUNTS[i];
        assert_int_equal(decode(), ERR_PROTOCOL);
    }
    run->count = 2;
    static const uint64_t FIRSTS[] = {0, (uint64_t)COUNT_MAX + 1, UINT64_MAX};
    for (size_t i = 0; i < 3; i++) {
        run->first = FIRSTS[i];
        assert_int_equal(decode(), ERR_PROTOCOL);
    }
    run->first = COUNT_MAX;
    assert_int_equal(decode(), ERR_OK);
    assert_true(got.u.batch.entries[1].seq == (uint64_t)COUNT_MAX + 1);
    run->segment.len = 0;
    assert_int_equal(decode(), ERR_PROTOCOL);
    run->segment.len = ID_BYTES;
    entries->n_runs = 0;
    assert_int_equal(decode(), ERR_PROTOCOL);
    entries->n_runs = 2;
    assert_int_equal(decode(), ERR_OK);
}

/* As many rows as a batch may have, and one more, of cells and of entries. */
static void test_many_rows(void **state)
{
    (void)state;
    struct cell *cells = calloc(BATCH_ROWS_MAX + 1, sizeof *cells);
    struct entry *entries = calloc(BATCH_ROWS_MAX + 1, sizeof *entries);
    for (size_t i = 0; i <= BATCH_ROWS_MAX; i++) {
        cells[i] = (struct cell){.unit = "u", .measure = "m", .category = "", .count = 1};
        entries[i] = (struct entry){.seq = i + 1,
                                    .kind = ENTRY_RECORD,
                                    .unit = "u",
                                    .measure = "m",
                                    .category = "",
                                    .key = "",
                                    .note = "",
                                    .author = "a",
                                    .recorded_at = {(int64_t)i}};
    }
    for (int what = 0; what < 4; what++) {
        struct message batch = {.type = MESSAGE_BATCH};
        size_t n = BATCH_ROWS_MAX + (size_t)(what / 2);
        batch.u.batch = (struct msg_batch){.cells = cells, .entries = entries};
        *(what % 2 == 0 ? &batch.u.batch.cell_count : &batch.u.batch.entry_count) = n;
        struct codec *sender = codec_new(true), *receiver = codec_new(false);
        struct buf wire;
        buf_init(&wire, 2 * FRAME_MAX_BYTES);
        assert_int_equal(codec_encode(sender, &batch, &wire, NULL), ERR_OK);
        struct bytes body = {wire.data + FRAME_HEADER_BYTES, wire.len - FRAME_HEADER_BYTES};
        assert_int_equal(codec_decode(receiver, body, &arena, &got, NULL),
                         what < 2 ? ERR_OK : ERR_PROTOCOL);
        arena_reset(&arena);
        buf_deinit(&wire);
        codec_free(sender);
        codec_free(receiver);
    }
    free(cells);
    free(entries);
}

/* A connection that names more texts than a table holds: the sender starts it anew in time, and the
 * receiver follows. */
static void test_restart(void **state)
{
    (void)state;
    enum { PER_BATCH = 15000, BATCHES = 12 };
    struct codec *sender = codec_new(true), *receiver = codec_new(true);
    struct cell *cells = calloc(PER_BATCH, sizeof *cells);
    static char names[PER_BATCH][16];
    struct buf wire;
    buf_init(&wire, 2 * FRAME_MAX_BYTES);
    for (unsigned b = 0; b < BATCHES; b++) {
        for (unsigned i = 0; i < PER_BATCH; i++) {
            (void)snprintf(names[i], sizeof names[i], "u%u", b * PER_BATCH + i);
            cells[i] = (struct cell){.unit = names[i], .measure = "m", .category = ""};
            unsigned origin = (b * PER_BATCH + i) / 10;
            memcpy(cells[i].origin.b, &origin, sizeof origin);
        }
        struct message batch = {.type = MESSAGE_BATCH};
        batch.u.batch = (struct msg_batch){.cells = cells, .cell_count = PER_BATCH};
        buf_clear(&wire);
        assert_int_equal(codec_encode(sender, &batch, &wire, NULL), ERR_OK);
        struct bytes body = {wire.data + FRAME_HEADER_BYTES, wire.len - FRAME_HEADER_BYTES};
        assert_int_equal(codec_decode(receiver, body, &arena, &got, NULL), ERR_OK);
        for (size_t i = 0; i < PER_BATCH; i++) {
            if (strcmp(got.u.batch.cells[i].unit, names[i]) != 0 ||
                !id_equal(&got.u.batch.cells[i].origin, &cells[i].origin)) {
                fail_msg("batch %u, row %zu", b, i);
            }
        }
        arena_reset(&arena);
    }
    buf_deinit(&wire);
    free(cells);
    codec_free(sender);
    codec_free(receiver);
}

#define WITH_FRAME(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_FRAME(test_lengths), WITH_FRAME(test_unannounced),
                                       WITH_FRAME(test_values),  WITH_FRAME(test_long_names),
                                       WITH_FRAME(test_runs),    WITH_FRAME(test_many_rows),
                                       WITH_FRAME(test_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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

enum { FIELDS_MAX = 600 };

static struct arena arena;
static struct buf first;
static struct buf second;
static struct message sample[SAMPLES_MAX];
static size_t sample_count;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, DECODE_ARENA_MAX_BYTES);
    buf_init(&first, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    buf_init(&second, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    sample_count = samples(sample);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_reset(&arena);
    buf_deinit(&first);
    buf_deinit(&second);
    return 0;
}

static void encode(const struct message *message, bool compress, struct buf *out)
{
    struct codec *codec = codec_new(compress);
    struct errmsg msg = {{0}};
    buf_clear(out);
    enum err err = codec_encode(codec, message, out, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    codec_free(codec);
}

static struct bytes body_of(const struct buf *frame)
{
    return (struct bytes){frame->data + FRAME_HEADER_BYTES, frame->len - FRAME_HEADER_BYTES};
}

static void decode(const struct buf *frame, struct message *out)
{
    struct codec *codec = codec_new(false);
    struct errmsg msg = {{0}};
    enum err err = codec_decode(codec, body_of(frame), &arena, out, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    codec_free(codec);
}

/* What was decoded encodes to the same bytes again. */
static void test_there_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sample_count; i++) {
        struct message got;
        encode(&sample[i], false, &first);
        struct cur header = cur_over(first.data, first.len);
        assert_int_equal(cur_u32(&header), first.len - FRAME_HEADER_BYTES);
        decode(&first, &got);
        assert_int_equal(got.type, sample[i].type);
        encode(&got, false, &second);
        assert_int_equal(first.len, second.len);
        assert_memory_equal(first.data, second.data, first.len);
    }
}

struct seen {
    const ProtobufCFieldDescriptor *field[FIELDS_MAX];
    size_t count;
};

static bool has_seen(const struct seen *seen, const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < seen->count; i++) {
        if (seen->field[i] == field) {
            return true;
        }
    }
    return false;
}

static bool any_bit(const uint8_t *at, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (at[i] != 0) {
            return true;
        }
    }
    return false;
}

static size_t number_size(const ProtobufCFieldDescriptor *field)
{
    switch (field->type) {
    case PROTOBUF_C_TYPE_SINT64:
    case PROTOBUF_C_TYPE_UINT64:
    case PROTOBUF_C_TYPE_FIXED64:
        return 8;
    default:
        return 4;
    }
}

/* Takes down the fields that carry something. */
static void on_field(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    struct seen *seen = arg;
    void *at = walk_first(message, field);
    bool said;
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        said = (*(char **)at)[0] != '\0';
    } else if (field->type == PROTOBUF_C_TYPE_BYTES) {
        said = ((ProtobufCBinaryData *)at)->len > 0 ||
               (walk_count(message, field) > 1 && ((ProtobufCBinaryData *)at)[1].len > 0);
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
        said = *(ProtobufCMessage **)at != NULL;
    } else {
        said = any_bit(at, number_size(field) * walk_count(message, field));
    }
    if (said && !has_seen(seen, field)) {
        assert_true(seen->count < FIELDS_MAX);
        seen->field[seen->count++] = field;
    }
}

static size_t missing(const ProtobufCMessageDescriptor *descriptor, const struct seen *seen)
{
    size_t count = 0;
    for (unsigned i = 0; i < descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &descriptor->fields[i];
        if (!has_seen(seen, field)) {
            print_error("%s.%s\n", descriptor->short_name, field->name);
            count++;
        } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
            count += missing(field->descriptor, seen);
        }
    }
    return count;
}

/* Together with test_there_and_back: every field of the schema crosses the wire both ways. */
static void test_every_field(void **state)
{
    (void)state;
    struct seen seen = {.count = 0};
    static struct cell cells[500];
    struct message large = sample_batch();
    for (size_t i = 0; i < 500; i++) {
        cells[i] = large.u.batch.cells[0];
    }
    large.u.batch.cells = cells;
    large.u.batch.cell_count = 500;
    for (size_t i = 0; i <= sample_count; i++) {
        encode(i < sample_count ? &sample[i] : &large, i == sample_count, &first);
        ProtobufCMessage *frame = protobuf_c_message_unpack(
            &tally__frame__descriptor, NULL, body_of(&first).len, body_of(&first).data);
        assert_non_null(frame);
        walk(frame, on_field, &seen);
        protobuf_c_message_free_unpacked(frame, NULL);
    }
    assert_int_equal(missing(&tally__frame__descriptor, &seen), 0);
}

/* Values that a table could have put in one another's place. */
static void test_places(void **state)
{
    (void)state;
    struct message got;
    encode(&sample[0], false, &first);
    decode(&first, &got);
    const struct msg_hello *hello = &got.u.hello, *want = &sample[0].u.hello;
    assert_true(hello->protocol_min == 1 && hello->protocol_max == 2);
    assert_true(id_equal(&hello->tree, &want->tree) && id_equal(&hello->node, &want->node) &&
                id_equal(&hello->origin, &want->origin));
    assert_true(hello->have.revision == INT64_MAX && hello->remembered.revision == -8);
    assert_true(hello->heads[1].length == UINT64_MAX);
    struct message status = {.type = MESSAGE_REPLY};
    status.u.reply = sample_reply(REQUEST_STATUS);
    encode(&status, false, &first);
    decode(&first, &got);
    const struct rep_status *s = &got.u.reply.u.status;
    assert_true(s->pending_rows == 86 && s->unescrowed_entries == 87 && s->exact_as_of.ms == 88 &&
                s->ledger_entries == 89 && s->held == 90 && s->catalogue_version == 91 &&
                s->unescrowed_since.ms == 104 && s->healed_entries == 105 &&
                s->meanwhile_entries == 106 && s->healed_at.ms == 107);
    assert_string_equal(s->unit_name, "Hà Tĩnh");
    assert_string_equal(s->uplink_text, "busy");
    assert_string_equal(s->children[0].text, "fork");
    assert_string_equal(s->alarms[0].code, "disk-full");
}

/* A message with nothing in it comes back with empty texts, and none that is NULL. */
static void test_nothing(void **state)
{
    (void)state;
    for (int type = MESSAGE_HELLO; type < MESSAGE_TYPE_COUNT; type++) {
        struct message empty = {.type = (enum message_type)type}, got;
        encode(&empty, false, &first);
        decode(&first, &got);
        assert_int_equal(got.type, type);
    }
    struct message total = {.type = MESSAGE_REPLY}, got;
    total.u.reply.type = REQUEST_TOTAL;
    encode(&total, false, &first);
    decode(&first, &got);
    assert_string_equal(got.u.reply.text, "");
    assert_string_equal(got.u.reply.u.total.unit, "");
    assert_int_equal(got.u.reply.u.total.row_count, 0);
}

/* A refusal carries its sentence and nothing of what was asked for. */
static void test_refusal(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_REPLY}, got;
    message.u.reply = sample_reply(REQUEST_TOTAL);
    message.u.reply.err = ERR_REFUSED;
    message.u.reply.text = "not here";
    encode(&message, false, &first);
    decode(&first, &got);
    assert_int_equal(got.u.reply.err, ERR_REFUSED);
    assert_string_equal(got.u.reply.text, "not here");
    assert_null(got.u.reply.u.total.rows);
}

/* The largest message that fits a frame, and one byte more: nothing is appended then. */
static void test_frame_limit(void **state)
{
    (void)state;
    struct message message = {.type = MESSAGE_JOINED}, got;
    uint8_t *chain = calloc(1, FRAME_MAX_BYTES);
    struct codec *codec = codec_new(false);
    message.u.joined.node_chain = (struct bytes){chain, FRAME_MAX_BYTES / 2};
    encode(&message, false, &first);
    size_t around = first.len - FRAME_HEADER_BYTES - FRAME_MAX_BYTES / 2;
    message.u.joined.node_chain.len = FRAME_MAX_BYTES - around;
    encode(&message, false, &first);
    assert_int_equal(first.len, FRAME_HEADER_BYTES + FRAME_MAX_BYTES);
    decode(&first, &got);
    assert_int_equal(got.u.joined.node_chain.len, FRAME_MAX_BYTES - around);
    message.u.joined.node_chain.len++;
    struct buf wide_enough;
    buf_init(&wide_enough, 2 * FRAME_MAX_BYTES);
    buf_put_u8(&wide_enough, 7);
    assert_int_equal(codec_encode(codec, &message, &wide_enough, NULL), ERR_LIMIT);
    assert_int_equal(wide_enough.len, 1);
    assert_false(wide_enough.failed);
    buf_deinit(&wide_enough);
    codec_free(codec);
    free(chain);
}

#define WITH_SAMPLES(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SAMPLES(test_there_and_back), WITH_SAMPLES(test_every_field),
        WITH_SAMPLES(test_places),         WITH_SAMPLES(test_nothing),
        WITH_SAMPLES(test_refusal),        WITH_SAMPLES(test_frame_limit)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

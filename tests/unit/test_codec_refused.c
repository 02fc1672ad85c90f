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

/* Good messages are spoiled in one field at a time, on the wire, and must be refused with
 * ERR_PROTOCOL and a sentence; with the field as it was they must be taken again. */

struct limit {
    const char *message; /* NULL: any */
    const char *field;
    size_t max;
};

/* Texts, by the names of their fields. */
static const struct limit TEXTS[] = {
    {NULL, "unit", CODE_MAX_BYTES},
    {NULL, "code", CODE_MAX_BYTES},
    {NULL, "pattern", CODE_MAX_BYTES},
    {NULL, "parent", CODE_MAX_BYTES},
    {NULL, "level", CODE_MAX_BYTES},
    {NULL, "measure", CODE_MAX_BYTES},
    {NULL, "measures", CODE_MAX_BYTES},
    {NULL, "software", CODE_MAX_BYTES},
    {NULL, "unit_level", CODE_MAX_BYTES},
    {NULL, "check", CODE_MAX_BYTES},
    {NULL, "name", NAME_MAX_BYTES},
    {NULL, "unit_name", NAME_MAX_BYTES},
    {NULL, "indicator_value", NAME_MAX_BYTES},
    {NULL, "target", NAME_MAX_BYTES},
    {NULL, "target_period", PERIOD_TEXT_BYTES},
    {NULL, "reached", NAME_MAX_BYTES},
    {NULL, "percent", NAME_MAX_BYTES},
    {NULL, "due", NAME_MAX_BYTES},
    {NULL, "against", PERIOD_TEXT_BYTES},
    {NULL, "before", NAME_MAX_BYTES},
    {NULL, "change", NAME_MAX_BYTES},
    {NULL, "change_percent", NAME_MAX_BYTES},
    {NULL, "counted_in", NAME_MAX_BYTES},
    {NULL, "codes", CODE_MAX_BYTES},
    {NULL, "lacks", CODE_MAX_BYTES},
    {NULL, "category", CATEGORY_MAX_BYTES},
    {NULL, "texts", CATEGORY_MAX_BYTES},
    {NULL, "text", TEXT_MAX_BYTES},
    {NULL, "uplink_text", TEXT_MAX_BYTES},
    {NULL, "reason", ERRMSG_MAX_BYTES},
    {NULL, "address", ADDRESS_MAX_BYTES},
    {NULL, "addresses", ADDRESS_MAX_BYTES},
    {NULL, "key", KEY_MAX_BYTES},
    {NULL, "author", AUTHOR_MAX_BYTES},
    {NULL, "value", VALUE_TEXT_MAX_BYTES},
    {NULL, "entry", ENTRY_ID_MAX_BYTES},
    {NULL, "period", PERIOD_TEXT_BYTES},
    {NULL, "note", NOTE_MAX_BYTES},
    {NULL, "faults", 1024},
    {NULL, "changes", 1024},
    {NULL, "token", FRAME_MAX_BYTES_STRANGER},
};

/* Bytes that are no id, hash or signature. */
static const struct limit BLOBS[] = {
    {"Catalogue", "content", CATALOGUE_MAX_BYTES},
    {"BackupReply", "content", BACKUP_PART_BYTES},
    {"BundleReadRequest", "content", BUNDLE_PART_BYTES},
    {"BundleReply", "content", BUNDLE_PART_BYTES},
    {"ApplyRequest", "catalogue", CATALOGUE_MAX_BYTES},
    {"Join", "node_request", FRAME_MAX_BYTES_STRANGER},
    {"Join", "ca_request", FRAME_MAX_BYTES_STRANGER},
    {"Joined", "node_chain", FRAME_MAX_BYTES},
    {"Joined", "ca_chain", FRAME_MAX_BYTES},
    {"Entries", "act", 64 * 1024},
};

static const struct limit ENUMS[] = {
    {"StatusRow", "state", LINK_FENCED},
    {"Bundle", "kind", BUNDLE_ANSWER},
    {"BundleReply", "kind", BUNDLE_ANSWER},
    {"BundleReply", "outcome", BUNDLE_GAP},
    {"Refuse", "code", REFUSAL_SHUTDOWN},
    {"RefusedRow", "reason", REFUSE_REASON_COUNT - 1},
    {"Joined", "err", ERR_COUNT - 1},
    {"WaitRequest", "level", WAIT_NEWS},
    {"TotalRequest", "frequency", FREQUENCY_COUNT - 1},
    {"TotalRequest", "by", BY_CATEGORY},
    {"TotalRequest", "against", AGAINST_PERIOD},
    {"TotalRequest", "against_frequency", FREQUENCY_COUNT - 1},
    {"LogRequest", "kind", ENTRY_LOST},
    {"MissingRequest", "frequency", FREQUENCY_COUNT - 1},
    {"Request", "type", REQUEST_TYPE_COUNT - 1},
    {"Reply", "type", REQUEST_TYPE_COUNT - 1},
    {"Reply", "err", ERR_COUNT - 1},
    {"LogRow", "kind", ENTRY_LOST},
    {"ChildStatus", "state", LINK_FENCED},
    {"StatusReply", "uplink", UPLINK_REFUSED},
    {"TreeRow", "state", LINK_FENCED},
    {"TotalRow", "decimals", 9},
    {"LogRow", "decimals", 9},
};

static const struct limit ARRAYS[] = {
    {"Hello", "sessions", SESSIONS_MAX},
    {"Hello", "heads", HEADS_MAX},
    {"Welcome", "escrow", HEADS_MAX},
    {"Welcome", "known", BATCH_ROWS_MAX},
    {"Welcome", "ancestors", ANCESTORS_MAX},
    {"Joined", "ancestors", ANCESTORS_MAX},
    {"Ancestor", "addresses", ADDRESSES_MAX},
    {"UnitRow", "edges", EDGES_MAX},
    {"Opening", "continues", CONTINUES_MAX},
    {"OriginHeads", "heads", HEADS_MAX},
    {"Batch", "units", BATCH_ROWS_MAX},
    {"Batch", "hostings", BATCH_ROWS_MAX},
    {"Batch", "statuses", BATCH_ROWS_MAX},
    {"Batch", "openings", BATCH_ROWS_MAX},
    {"Batch", "signed_heads", BATCH_ROWS_MAX},
    {"Batch", "heads", BATCH_ROWS_MAX},
    {"Batch", "digests", BATCH_ROWS_MAX},
    {"Batch", "ranges", 1},
    {"Ranges", "sums", RANGES_MAX},
    {"Ack", "escrow", HEADS_MAX},
    {"Ack", "refused", REFUSED_ROWS_MAX},
    {"Ack", "unequal", BATCH_ROWS_MAX},
    {"Ack", "compare", 1},
    {"Ack", "again", BATCH_ROWS_MAX},
    {"RecordRequest", "rows", IMPORT_ROWS_MAX},
    {"TotalRequest", "measures", MEASURES_ASKED_MAX},
    {"LogRequest", "measures", MEASURES_ASKED_MAX},
    {"MissingRequest", "codes", MEASURES_ASKED_MAX},
    {"MissingReply", "rows", REPLY_ROWS_MAX},
    {"MissingRow", "lacks", LACKS_MAX},
    {"UnitsRequest", "units", IMPORT_ROWS_MAX},
    {"RecordedReply", "rows", IMPORT_ROWS_MAX},
    {"RecordedReply", "refused", REFUSED_ROWS_MAX},
    {"RecordedReply", "codes", IMPORT_ROWS_MAX},
    {"TotalReply", "stale", BATCH_ROWS_MAX},
    {"TotalReply", "rows", REPLY_ROWS_MAX},
    {"LogReply", "rows", REPLY_ROWS_MAX},
    {"StatusReply", "children", BATCH_ROWS_MAX},
    {"StatusReply", "alarms", BATCH_ROWS_MAX},
    {"TreeReply", "rows", REPLY_ROWS_MAX},
    {"VerifyReply", "checked", REFUSED_ROWS_MAX},
    {"VerifyReply", "faults", REFUSED_ROWS_MAX},
    {"ApplyReply", "changes", 3 * MEASURES_MAX},
};

#define FIND(table, message, field) find(table, sizeof(table) / sizeof(table)[0], message, field)

static const struct limit *find(const struct limit *table, size_t count,
                                const ProtobufCMessage *message,
                                const ProtobufCFieldDescriptor *field)
{
    for (size_t i = 0; i < count; i++) {
        bool any = table[i].message == NULL;
        if ((any || strcmp(table[i].message, message->descriptor->short_name) == 0) &&
            strcmp(table[i].field, field->name) == 0) {
            return &table[i];
        }
    }
    return NULL;
}

static struct arena arena;
static ProtobufCMessage *frame; /* the one that is walked over */
static size_t examined;

static enum err decode(void)
{
    struct message out;
    struct errmsg msg = {{0}};
    enum err err = walk_decode(frame, &arena, &out, &msg);
    assert_int_equal(err != ERR_OK, msg.text[0] != '\0');
    assert_true(arena.taken_bytes <= DECODE_ARENA_MAX_BYTES);
    return err;
}

static void expect(enum err want, const ProtobufCMessage *message,
                   const ProtobufCFieldDescriptor *field, const char *what, size_t size)
{
    enum err got = decode();
    examined++;
    if (got != want) {
        fail_msg("%s.%s, %s %zu: %s, not %s", message->descriptor->short_name, field->name, what,
                 size, err_name(got), err_name(want));
    }
}

static void over_all(walk_visit *visit)
{
    static struct message sample[SAMPLES_MAX];
    size_t count = samples(sample);
    struct buf wire;
    examined = 0;
    arena_init(&arena, DECODE_ARENA_MAX_BYTES);
    buf_init(&wire, FRAME_MAX_BYTES);
    for (size_t i = 0; i < count; i++) {
        struct codec *codec = codec_new(false);
        buf_clear(&wire);
        assert_int_equal(codec_encode(codec, &sample[i], &wire, NULL), ERR_OK);
        codec_free(codec);
        frame = protobuf_c_message_unpack(&tally__frame__descriptor, NULL,
                                          wire.len - FRAME_HEADER_BYTES,
                                          wire.data + FRAME_HEADER_BYTES);
        assert_non_null(frame);
        assert_int_equal(decode(), ERR_OK);
        walk(frame, visit, NULL);
        assert_int_equal(decode(), ERR_OK);
        protobuf_c_message_free_unpacked(frame, NULL);
    }
    buf_deinit(&wire);
    arena_reset(&arena);
}

static void spoil_text(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    (void)arg;
    static char unclean[][6] = {"\xff",         "a\x01",    "\x7f",
                                "\xed\xa0\x80", "\xc0\xaf", "\xf4\x90\x80\x80",
                                "qu\xe1\xbb",   "a\x1b[",   "\x80"};
    if (field->type != PROTOBUF_C_TYPE_STRING) {
        return;
    }
    char **text = walk_first(message, field), *was = *text;
    for (size_t i = 0; i < sizeof unclean / sizeof unclean[0]; i++) {
        *text = unclean[i];
        expect(ERR_PROTOCOL, message, field, "unclean text", i);
    }
    static char lines[][4] = {"a\nb", "a\tb", "a\rb"};
    for (size_t i = 0; i < 3; i++) {
        *text = lines[i];
        bool may = strcmp(field->name, "note") == 0;
        expect(may ? ERR_OK : ERR_PROTOCOL, message, field, "white space", i);
    }
    *text = was;
}

static void test_unclean_texts(void **state)
{
    (void)state;
    over_all(spoil_text);
    assert_true(examined > 1000);
}

static void lengthen_text(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                          void *arg)
{
    (void)arg;
    static char at_limit[FRAME_MAX_BYTES_STRANGER + 1], beyond[FRAME_MAX_BYTES_STRANGER + 2];
    if (field->type != PROTOBUF_C_TYPE_STRING) {
        return;
    }
    const struct limit *limit = FIND(TEXTS, message, field);
    if (limit == NULL) {
        fail_msg("no limit is known of %s.%s", message->descriptor->short_name, field->name);
        return;
    }
    char **text = walk_first(message, field), *was = *text;
    memset(at_limit, 'x', limit->max);
    memset(beyond, 'x', limit->max + 1);
    at_limit[limit->max] = beyond[limit->max + 1] = '\0';
    *text = beyond;
    expect(ERR_PROTOCOL, message, field, "bytes", limit->max + 1);
    *text = at_limit;
    if (strcmp(field->name, "texts") != 0) { /* the first one is a unit: shorter */
        expect(ERR_OK, message, field, "bytes", limit->max);
    }
    *text = was;
}

static void test_long_texts(void **state)
{
    (void)state;
    over_all(lengthen_text);
    assert_true(examined > 100);
}

/* A NUL inside a text: the wire can carry it, C would cut the text there unseen. */
static void put_nul(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    (void)arg;
    static char marker[] = "QzQ";
    if (field->type != PROTOBUF_C_TYPE_STRING) {
        return;
    }
    char **text = walk_first(message, field), *was = *text;
    *text = marker;
    size_t size = protobuf_c_message_get_packed_size(frame);
    uint8_t *bytes = malloc(size);
    (void)protobuf_c_message_pack(frame, bytes);
    uint8_t *at = memmem(bytes, size, marker, 3);
    assert_non_null(at);
    struct message out;
    for (int nul = 0; nul < 2; nul++) {
        struct codec *codec = codec_new(false);
        at[1] = nul == 0 ? 'z' : 0;
        arena_reset(&arena);
        enum err err = codec_decode(codec, (struct bytes){bytes, size}, &arena, &out, NULL);
        if (err != (nul == 0 ? ERR_OK : ERR_PROTOCOL)) {
            fail_msg("%s.%s with NUL: %s", message->descriptor->short_name, field->name,
                     err_name(err));
        }
        codec_free(codec);
        examined++;
    }
    free(bytes);
    *text = was;
}

static void test_nul(void **state)
{
    (void)state;
    over_all(put_nul);
    assert_true(examined > 200);
}

static size_t fixed_size(const ProtobufCFieldDescriptor *field)
{
    static const char *const HASHES[] = {"hash", "key", "proof", "root_key"};
    for (size_t i = 0; i < 4; i++) {
        if (strcmp(field->name, HASHES[i]) == 0) {
            return HASH_BYTES;
        }
    }
    return strcmp(field->name, "signature") == 0 ? SIGNATURE_BYTES : ID_BYTES;
}

static void spoil_bytes(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    (void)arg;
    static uint8_t zeros[FRAME_MAX_BYTES + 1];
    if (field->type != PROTOBUF_C_TYPE_BYTES) {
        return;
    }
    ProtobufCBinaryData *data = walk_first(message, field), was = *data;
    const struct limit *blob = FIND(BLOBS, message, field);
    data->data = zeros;
    if (blob != NULL) {
        data->len = blob->max;
        expect(ERR_OK, message, field, "bytes", data->len);
        data->len++;
        expect(ERR_PROTOCOL, message, field, "bytes", data->len);
    } else {
        size_t size = fixed_size(field);
        size_t wrong[] = {1, size - 1, size + 1, size * 2 - 1, size * 2};
        bool list = strcmp(field->name, "origins") == 0; /* any number of ids */
        for (size_t i = 0; i < (list ? 4 : 5); i++) {
            data->len = wrong[i];
            expect(ERR_PROTOCOL, message, field, "bytes", data->len);
        }
    }
    *data = was;
}

static void test_bytes(void **state)
{
    (void)state;
    over_all(spoil_bytes);
    assert_true(examined > 200);
}

static size_t enums_seen;

static void spoil_enum(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    (void)arg;
    const struct limit *limit = FIND(ENUMS, message, field);
    if (limit == NULL) {
        return;
    }
    uint32_t *value = walk_first(message, field), was = *value;
    uint32_t wrong[] = {(uint32_t)limit->max + 1, 0x7fffffff, 0x80000000, UINT32_MAX};
    for (size_t i = 0; i < 4; i++) {
        *value = wrong[i];
        expect(ERR_PROTOCOL, message, field, "value", wrong[i]);
    }
    *value = (uint32_t)limit->max;
    expect(ERR_OK, message, field, "value", limit->max);
    *value = was;
    enums_seen |= (size_t)1 << (limit - ENUMS);
}

static void test_enums(void **state)
{
    (void)state;
    over_all(spoil_enum);
    assert_int_equal(enums_seen, ((size_t)1 << sizeof ENUMS / sizeof ENUMS[0]) - 1);
}

static void spoil_time(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    (void)arg;
    static const char *const SPANS[] = {"timeout_ms", "expires_ms"};
    static const int64_t END_MS = INT64_C(253402300799999);
    size_t len = strlen(field->name);
    if (len < 3 || strcmp(field->name + len - 3, "_ms") != 0 ||
        strcmp(field->name, SPANS[0]) == 0 || strcmp(field->name, SPANS[1]) == 0) {
        return;
    }
    int64_t *ms = walk_first(message, field), was = *ms;
    const int64_t wrong[] = {END_MS + 1, -END_MS - 1, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < 4; i++) {
        *ms = wrong[i];
        expect(ERR_PROTOCOL, message, field, "time", i);
    }
    *ms = strcmp(message->descriptor->short_name, "Entries") == 0 ? was : END_MS;
    expect(ERR_OK, message, field, "time", 4);
    *ms = was;
}

static void test_times(void **state)
{
    (void)state;
    over_all(spoil_time);
    assert_true(examined > 50);
}

static size_t arrays_seen;

/* As many elements as may be, all the first one, and one more. */
static void stretch(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field, void *arg)
{
    (void)arg;
    const struct limit *limit = FIND(ARRAYS, message, field);
    if (limit == NULL || field->label != PROTOBUF_C_LABEL_REPEATED) {
        return;
    }
    size_t size =
        field->type == PROTOBUF_C_TYPE_BYTES ? sizeof(ProtobufCBinaryData) : sizeof(void *);
    void **rows = walk_member(message, field), *was = *rows;
    size_t count = walk_count(message, field);
    char *many = calloc(limit->max + 1, size);
    for (size_t i = 0; i <= limit->max; i++) {
        memcpy(many + i * size, was, size);
    }
    *rows = many;
    walk_set_count(message, field, limit->max + 1);
    expect(ERR_PROTOCOL, message, field, "elements", limit->max + 1);
    walk_set_count(message, field, limit->max);
    expect(ERR_OK, message, field, "elements", limit->max);
    walk_set_count(message, field, count);
    *rows = was;
    free(many);
    arrays_seen |= (size_t)1 << (limit - ARRAYS);
}

static void test_arrays(void **state)
{
    (void)state;
    over_all(stretch);
    assert_int_equal(arrays_seen, ((size_t)1 << sizeof ARRAYS / sizeof ARRAYS[0]) - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unclean_texts), cmocka_unit_test(test_long_texts),
        cmocka_unit_test(test_nul),           cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_enums),         cmocka_unit_test(test_times),
        cmocka_unit_test(test_arrays)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

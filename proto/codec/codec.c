/* Out: plain message -> wire message in an arena (shape.c, columns.c) -> packed into the buffer
 * behind its length; a batch goes through zstd when that makes it smaller. In: the bytes are looked
 * over (look.c), protobuf-c unpacks them into the caller's arena, and the tables of shapes check
 * every field on the way into the plain message.
 *
 * A batch that could not be encoded may have announced texts that never left: the next one starts
 * the tables anew. */
#include "codec/codec.h"

#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/text.h"
#include "codec/columns.h"
#include "codec/look.h"
#include "codec/shapes.h"

enum {
    ENCODE_ARENA_MAX_BYTES = 64 << 20,
    COMPRESS_MIN_BYTES = 512,
    COMPRESS_LEVEL = 1,
};

struct codec {
    bool compress;
    bool restart; /* the next batch starts the tables anew */
    struct tables out;
    struct tables in;
};

/* Which shape a message type has; `content` NULL: put together by hand. */
struct body {
    const struct shape *content;
    Tally__Frame__BodyCase wire;
};

static const struct body bodies[MESSAGE_TYPE_COUNT] = {
    [MESSAGE_HELLO] = {&shape_hello, TALLY__FRAME__BODY_HELLO},
    [MESSAGE_WELCOME] = {&shape_welcome, TALLY__FRAME__BODY_WELCOME},
    [MESSAGE_REFUSE] = {&shape_refuse, TALLY__FRAME__BODY_REFUSE},
    [MESSAGE_BATCH] = {NULL, TALLY__FRAME__BODY_BATCH},
    [MESSAGE_ACK] = {&shape_ack, TALLY__FRAME__BODY_ACK},
    [MESSAGE_CATALOGUE] = {&shape_catalogue, TALLY__FRAME__BODY_CATALOGUE},
    [MESSAGE_PING] = {&shape_ping, TALLY__FRAME__BODY_PING},
    [MESSAGE_JOIN] = {&shape_join, TALLY__FRAME__BODY_JOIN},
    [MESSAGE_JOINED] = {&shape_joined, TALLY__FRAME__BODY_JOINED},
    [MESSAGE_REQUEST] = {NULL, TALLY__FRAME__BODY_REQUEST},
    [MESSAGE_REPLY] = {NULL, TALLY__FRAME__BODY_REPLY},
    [MESSAGE_BUNDLE] = {&shape_bundle, TALLY__FRAME__BODY_BUNDLE},
};

struct codec *codec_new(bool compress)
{
    struct codec *codec = calloc(1, sizeof *codec);
    if (codec == NULL) {
        return NULL;
    }
    codec->compress = compress;
    codec->restart = true;
    tables_init(&codec->out);
    tables_init(&codec->in);
    return codec;
}

void codec_free(struct codec *codec)
{
    if (codec != NULL) {
        tables_deinit(&codec->out);
        tables_deinit(&codec->in);
        free(codec);
    }
}

/* ---- encoding ---- */

static enum err batch_to_wire(struct codec *codec, const struct msg_batch *batch,
                              struct arena *arena, ProtobufCMessage **out)
{
    if (codec->restart || tables_full(&codec->out)) {
        tables_restart(&codec->out);
        codec->restart = true;
    }
    size_t text_base = codec->out.text_count;
    size_t origin_base = codec->out.origin_count;
    *out = shape_to_wire(&shape_batch, batch, arena);
    if (*out == NULL) {
        return ERR_NO_MEMORY;
    }
    Tally__Batch *wire = (Tally__Batch *)*out;
    TRY(columns_to_wire(batch, &codec->out, arena, wire));
    wire->restart = codec->restart;
    wire->n_texts = codec->out.text_count - text_base;
    wire->texts = codec->out.texts + (wire->n_texts > 0 ? text_base : 0);
    wire->origins.len = (codec->out.origin_count - origin_base) * sizeof(struct id);
    wire->origins.data = wire->origins.len > 0 ? codec->out.origins[origin_base].b : NULL;
    return ERR_OK;
}

/* A common part, and the part of its type. */
static enum err parts_to_wire(const struct shape *shape, const struct shape_part *part,
                              const void *plain, struct arena *arena, ProtobufCMessage **out)
{
    *out = shape_to_wire(shape, plain, arena);
    if (*out == NULL) {
        return ERR_NO_MEMORY;
    }
    if (part != NULL && part->shape != NULL) {
        ProtobufCMessage *content =
            shape_to_wire(part->shape, (const char *)plain + part->plain, arena);
        memcpy((char *)*out + part->wire, &content, sizeof(void *));
        return content != NULL ? ERR_OK : ERR_NO_MEMORY;
    }
    return ERR_OK;
}

static enum err body_to_wire(struct codec *codec, const struct message *message,
                             struct arena *arena, ProtobufCMessage **out)
{
    if (message->type == MESSAGE_BATCH) {
        return batch_to_wire(codec, &message->u.batch, arena, out);
    }
    if (message->type == MESSAGE_REQUEST) {
        const struct msg_request *request = &message->u.request;
        return parts_to_wire(&shape_request, &shape_request_parts[request->type], request, arena,
                             out);
    }
    if (message->type == MESSAGE_REPLY) {
        const struct msg_reply *reply = &message->u.reply;
        const struct shape_part *part =
            reply->err == ERR_OK ? &shape_reply_parts[reply->type] : NULL;
        return parts_to_wire(&shape_reply, part, reply, arena, out);
    }
    *out = shape_to_wire(bodies[message->type].content, &message->u, arena);
    return *out != NULL ? ERR_OK : ERR_NO_MEMORY;
}

/* Puts the compressed batch into the frame, if that makes it smaller. */
static enum err compress(Tally__Frame *frame, size_t size, struct arena *arena)
{
    size_t bound = ZSTD_compressBound(size);
    uint8_t *raw = arena_alloc(arena, size);
    uint8_t *packed = arena_alloc(arena, bound);
    Tally__Packed *wire = arena_alloc(arena, sizeof *wire);
    if (raw == NULL || packed == NULL || wire == NULL) {
        return ERR_NO_MEMORY;
    }
    size_t raw_size = tally__batch__pack(frame->batch, raw);
    size_t packed_size = ZSTD_compress(packed, bound, raw, raw_size, COMPRESS_LEVEL);
    if (ZSTD_isError(packed_size) || packed_size + packed_size / 8 > raw_size) {
        return ERR_OK;
    }
    tally__packed__init(wire);
    wire->size = (uint32_t)raw_size;
    wire->content.data = packed;
    wire->content.len = packed_size;
    frame->body_case = TALLY__FRAME__BODY_PACKED;
    frame->packed = wire;
    return ERR_OK;
}

static enum err put_frame(const Tally__Frame *frame, struct buf *out, struct errmsg *msg)
{
    size_t size = tally__frame__get_packed_size(frame);
    if (size > FRAME_MAX_BYTES) {
        return err_fail(msg, ERR_LIMIT, "a message of %zu bytes does not fit a frame of %d", size,
                        FRAME_MAX_BYTES);
    }
    size_t before = out->len;
    buf_put_u32(out, (uint32_t)size);
    uint8_t *room = buf_extend(out, size);
    if (room == NULL) {
        out->len = before;
        return err_fail(msg, ERR_NO_MEMORY, "no room for a frame of %zu bytes", size);
    }
    (void)tally__frame__pack(frame, room);
    return ERR_OK;
}

static enum err encode(struct codec *codec, const struct message *message, struct arena *arena,
                       struct buf *out, struct errmsg *msg)
{
    ProtobufCMessage *body = NULL;
    enum err err = body_to_wire(codec, message, arena, &body);
    if (err != ERR_OK) {
        return err_fail(msg, err, "a %s message is too large to encode",
                        message_name(message->type));
    }
    Tally__Frame frame = TALLY__FRAME__INIT;
    frame.body_case = bodies[message->type].wire;
    memcpy(&frame.hello, &body, sizeof(void *)); /* all members of the union are pointers */
    if (message->type == MESSAGE_BATCH) {
        size_t size = protobuf_c_message_get_packed_size(body);
        if (size > UNPACKED_MAX_BYTES) {
            return err_fail(msg, ERR_LIMIT, "a batch of %zu bytes, more than %d", size,
                            UNPACKED_MAX_BYTES);
        }
        if (codec->compress && size >= COMPRESS_MIN_BYTES &&
            compress(&frame, size, arena) != ERR_OK) {
            return err_fail(msg, ERR_NO_MEMORY, "no memory to compress a batch");
        }
    }
    return put_frame(&frame, out, msg);
}

enum err codec_encode(struct codec *codec, const struct message *message, struct buf *out,
                      struct errmsg *msg)
{
    struct arena arena;
    arena_init(&arena, ENCODE_ARENA_MAX_BYTES);
    enum err err = encode(codec, message, &arena, out, msg);
    arena_reset(&arena);
    if (message->type == MESSAGE_BATCH) {
        codec->restart = err != ERR_OK;
    }
    return err;
}

/* ---- decoding ---- */

static void *arena_take(void *arena, size_t size)
{
    return arena_alloc_raw(arena, size); /* protobuf-c writes all that it takes */
}

static void arena_leave(void *arena, void *data)
{
    (void)arena;
    (void)data;
}

static enum err unpack(const ProtobufCMessageDescriptor *descriptor, struct bytes bytes,
                       struct arena *arena, ProtobufCMessage **out, struct errmsg *msg)
{
    if (!look_over(descriptor, bytes)) {
        return err_fail(msg, ERR_PROTOCOL,
                        "a message that is no protobuf, or a text with a NUL in it");
    }
    ProtobufCAllocator allocator = {
        .alloc = arena_take, .free = arena_leave, .allocator_data = arena};
    *out = protobuf_c_message_unpack(descriptor, &allocator, bytes.len, bytes.data);
    return *out != NULL
               ? ERR_OK
               : err_fail(msg, ERR_PROTOCOL,
                          "a message that does not fit its schema, or is too large in memory");
}

static enum err learn_names(struct tables *tables, const Tally__Batch *wire, struct errmsg *msg)
{
    if (wire->restart) {
        tables_restart(tables);
    }
    for (size_t i = 0; i < wire->n_texts; i++) {
        size_t len = strlen(wire->texts[i]);
        if (len == 0 || !text_is_clean(wire->texts[i], len, false)) {
            return err_fail(msg, ERR_PROTOCOL, "an announced text is empty or not clean UTF-8");
        }
        enum err err = tables_add_text(tables, wire->texts[i]);
        if (err != ERR_OK) {
            return err_fail(msg, ERR_PROTOCOL, "more texts announced than the tables hold");
        }
    }
    if (wire->origins.len % sizeof(struct id) != 0) {
        return err_fail(msg, ERR_PROTOCOL, "announced origins of %zu bytes", wire->origins.len);
    }
    for (size_t at = 0; at < wire->origins.len; at += sizeof(struct id)) {
        struct id origin;
        memcpy(&origin, wire->origins.data + at, sizeof origin);
        if (tables_add_origin(tables, &origin) != ERR_OK) {
            return err_fail(msg, ERR_PROTOCOL, "more origins announced than the tables hold");
        }
    }
    return ERR_OK;
}

static enum err batch_from_wire(struct codec *codec, const ProtobufCMessage *message,
                                struct arena *arena, struct msg_batch *batch, struct errmsg *msg)
{
    const Tally__Batch *wire = (const Tally__Batch *)message;
    TRY(learn_names(&codec->in, wire, msg));
    TRY(shape_from_wire(&shape_batch, message, arena, batch, msg));
    return columns_from_wire(wire, &codec->in, arena, batch, msg);
}

static enum err packed_from_wire(struct codec *codec, const Tally__Packed *packed,
                                 struct arena *arena, struct msg_batch *batch, struct errmsg *msg)
{
    unsigned long long size = ZSTD_getFrameContentSize(packed->content.data, packed->content.len);
    if (size != packed->size || size == 0 || size > UNPACKED_MAX_BYTES) {
        return err_fail(msg, ERR_PROTOCOL, "a compressed batch that states %u bytes", packed->size);
    }
    uint8_t *raw = arena_alloc(arena, (size_t)size);
    if (raw == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "a batch takes more memory than it may");
    }
    size_t got = ZSTD_decompress(raw, (size_t)size, packed->content.data, packed->content.len);
    if (ZSTD_isError(got) || got != size) {
        return err_fail(msg, ERR_PROTOCOL, "a batch that cannot be decompressed");
    }
    ProtobufCMessage *wire = NULL;
    TRY(unpack(&tally__batch__descriptor, (struct bytes){.data = raw, .len = got}, arena, &wire,
               msg));
    return batch_from_wire(codec, wire, arena, batch, msg);
}

static enum err parts_from_wire(const struct shape *shape, const ProtobufCMessage *wire,
                                struct arena *arena, void *plain, struct errmsg *msg)
{
    const struct shape_part *part;
    TRY(shape_from_wire(shape, wire, arena, plain, msg));
    if (shape == &shape_request) {
        part = &shape_request_parts[((struct msg_request *)plain)->type];
    } else {
        const struct msg_reply *reply = plain;
        part = reply->err == ERR_OK ? &shape_reply_parts[reply->type] : NULL;
    }
    if (part == NULL || part->shape == NULL) {
        return ERR_OK;
    }
    const ProtobufCMessage *content;
    memcpy(&content, (const char *)wire + part->wire, sizeof(void *));
    return shape_from_wire(part->shape, content, arena, (char *)plain + part->plain, msg);
}

static enum err body_from_wire(struct codec *codec, const Tally__Frame *frame, struct arena *arena,
                               struct message *out, struct errmsg *msg)
{
    if (frame->body_case == TALLY__FRAME__BODY_PACKED) {
        out->type = MESSAGE_BATCH;
        return packed_from_wire(codec, frame->packed, arena, &out->u.batch, msg);
    }
    const ProtobufCMessage *body;
    memcpy(&body, &frame->hello, sizeof(void *));
    for (unsigned type = MESSAGE_HELLO; type < MESSAGE_TYPE_COUNT; type++) {
        if (bodies[type].wire != frame->body_case) {
            continue;
        }
        out->type = (enum message_type)type;
        switch (out->type) {
        case MESSAGE_BATCH:
            return batch_from_wire(codec, body, arena, &out->u.batch, msg);
        case MESSAGE_REQUEST:
            return parts_from_wire(&shape_request, body, arena, &out->u.request, msg);
        case MESSAGE_REPLY:
            return parts_from_wire(&shape_reply, body, arena, &out->u.reply, msg);
        case MESSAGE_HELLO:
        case MESSAGE_WELCOME:
        case MESSAGE_REFUSE:
        case MESSAGE_ACK:
        case MESSAGE_CATALOGUE:
        case MESSAGE_PING:
        case MESSAGE_JOIN:
        case MESSAGE_JOINED:
        case MESSAGE_BUNDLE:
        case MESSAGE_TYPE_COUNT:
            return shape_from_wire(bodies[type].content, body, arena, &out->u, msg);
        }
    }
    return err_fail(msg, ERR_PROTOCOL, "a frame without a message that is known");
}

enum err codec_decode(struct codec *codec, struct bytes body, struct arena *arena,
                      struct message *out, struct errmsg *msg)
{
    struct message message;
    memset(&message, 0, sizeof message);
    ProtobufCMessage *wire = NULL;
    TRY(unpack(&tally__frame__descriptor, body, arena, &wire, msg));
    TRY(body_from_wire(codec, (const Tally__Frame *)wire, arena, &message, msg));
    *out = message;
    return ERR_OK;
}

/* The shapes of all messages: one table each, see shape.h. Batches and frames are put together in
 * codec.c. */
#ifndef TALLY_CODEC_SHAPES_H
#define TALLY_CODEC_SHAPES_H

#include "codec/shape.h"
#include "proto/message.h"
#include "tally.pb-c.h"

/* Sizes are compared so that a field whose type changed on one side does not compile. */
#define SHAPE_SIZED(type, member, size) \
    (offsetof(type, member) +           \
     0 * sizeof(struct { int differs : (sizeof(((type *)NULL)->member) == (size)) ? 1 : -1; }))
#define SHAPE_FIELD(k, P, W, member, plain_bytes, wire_bytes, ...)                  \
    {                                                                               \
        .name = #member, .kind = (k), .plain = SHAPE_SIZED(P, member, plain_bytes), \
        .wire = SHAPE_SIZED(W, member, wire_bytes), __VA_ARGS__                     \
    }

enum { SHAPE_BINARY = sizeof(ProtobufCBinaryData), SHAPE_POINTER = sizeof(void *) };

#define AS_ID(P, W, m) SHAPE_FIELD(FIELD_ID, P, W, m, sizeof(struct id), SHAPE_BINARY, .max = 0)
#define AS_HASH(P, W, m) \
    SHAPE_FIELD(FIELD_HASH, P, W, m, sizeof(struct hash), SHAPE_BINARY, .max = 0)
#define AS_SIGN(P, W, m) \
    SHAPE_FIELD(FIELD_SIGN, P, W, m, sizeof(struct signature), SHAPE_BINARY, .max = 0)
#define AS_BLOB(P, W, m, limit) \
    SHAPE_FIELD(FIELD_BLOB, P, W, m, sizeof(struct bytes), SHAPE_BINARY, .max = (limit))
#define AS_STR(P, W, m, limit) \
    SHAPE_FIELD(FIELD_STR, P, W, m, SHAPE_POINTER, SHAPE_POINTER, .max = (limit))
#define AS_TEXT(P, W, m, limit) \
    SHAPE_FIELD(FIELD_TEXT, P, W, m, SHAPE_POINTER, SHAPE_POINTER, .max = (limit))
#define AS_I32(P, W, m) SHAPE_FIELD(FIELD_I32, P, W, m, 4, 4, .max = 0)
#define AS_U32(P, W, m) SHAPE_FIELD(FIELD_U32, P, W, m, 4, 4, .max = 0)
#define AS_I64(P, W, m) SHAPE_FIELD(FIELD_I64, P, W, m, 8, 8, .max = 0)
#define AS_U64(P, W, m) SHAPE_FIELD(FIELD_U64, P, W, m, 8, 8, .max = 0)
#define AS_BOOL(P, W, m) \
    SHAPE_FIELD(FIELD_BOOL, P, W, m, sizeof(bool), sizeof(protobuf_c_boolean), .max = 0)
#define AS_ENUM(P, W, m, last) SHAPE_FIELD(FIELD_ENUM, P, W, m, 4, 4, .max = (last))
#define AS_ONE(P, W, m, shape) \
    SHAPE_FIELD(FIELD_ONE, P, W, m, sizeof(((P *)NULL)->m), SHAPE_POINTER, .of = &(shape))
/* A time has its unit in the wire's name, an array its count beside it. */
#define AS_WALL(P, W, m)                                                                 \
    {                                                                                    \
        .name = #m, .kind = FIELD_WALL, .plain = SHAPE_SIZED(P, m, sizeof(struct wall)), \
        .wire = SHAPE_SIZED(W, m##_ms, 8)                                                \
    }
#define AS_ARRAY(k, P, W, m, count, w, limit, shape)                                       \
    {                                                                                      \
        .name = #m, .kind = (k), .plain = SHAPE_SIZED(P, m, SHAPE_POINTER),                \
        .plain_count = SHAPE_SIZED(P, count, sizeof(size_t)),                              \
        .wire = SHAPE_SIZED(W, w, SHAPE_POINTER),                                          \
        .wire_count = SHAPE_SIZED(W, n_##w, sizeof(size_t)), .max = (limit), .of = (shape) \
    }

#define AS_STRS(P, W, m, count, limit, each)                                                    \
    {                                                                                           \
        .name = #m, .kind = FIELD_STRS, .plain = SHAPE_SIZED(P, m, SHAPE_POINTER),              \
        .plain_count = SHAPE_SIZED(P, count, sizeof(size_t)),                                   \
        .wire = SHAPE_SIZED(W, m, SHAPE_POINTER),                                               \
        .wire_count = SHAPE_SIZED(W, n_##m, sizeof(size_t)), .max = (limit), .each_max = (each) \
    }

#define SHAPE(variable, type, generated)                              \
    const struct shape variable = {.name = #type,                     \
                                   .descriptor = &(generated),        \
                                   .plain_size = sizeof(struct type), \
                                   .fields = variable##_fields,       \
                                   .field_count =                     \
                                       sizeof variable##_fields / sizeof variable##_fields[0]}

/* shapes_link.c */
extern const struct shape shape_head;
extern const struct shape shape_origin_heads;
extern const struct shape shape_ancestor;
extern const struct shape shape_hello;
extern const struct shape shape_welcome;
extern const struct shape shape_refuse;
extern const struct shape shape_batch; /* all but entries and cells */
extern const struct shape shape_ack;
extern const struct shape shape_catalogue;
extern const struct shape shape_ping;
extern const struct shape shape_join;
extern const struct shape shape_joined;
extern const struct shape shape_bundle;

/* shapes_client.c: a request and a reply are a common part, and one part that its type chooses. */
extern const struct shape shape_request;
extern const struct shape shape_reply;

struct shape_part {
    const struct shape *shape; /* NULL: the type has no content of its own */
    size_t plain;
    size_t wire;
};
extern const struct shape_part shape_request_parts[REQUEST_TYPE_COUNT];
extern const struct shape_part shape_reply_parts[REQUEST_TYPE_COUNT];

#endif

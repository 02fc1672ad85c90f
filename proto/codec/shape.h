/* Plain structs to generated protobuf structs and back, driven by tables: a shape lists the fields
 * of a message with their places on both sides and their limits. What arrives is checked against
 * the table; what is encoded is trusted. */
#ifndef TALLY_CODEC_SHAPE_H
#define TALLY_CODEC_SHAPE_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/bytes.h"

enum field_kind {
    FIELD_ID,   /* struct id: 16 bytes, or none for zero */
    FIELD_HASH, /* struct hash: 32 bytes, or none */
    FIELD_SIGN, /* struct signature: 64 bytes, or none */
    FIELD_STR,  /* one line of text, at most `max` bytes */
    FIELD_TEXT, /* text that may have line breaks */
    FIELD_BLOB, /* struct bytes, at most `max` bytes */
    FIELD_I32,
    FIELD_U32,
    FIELD_I64,
    FIELD_U64,
    FIELD_WALL, /* struct wall: milliseconds of the years up to 9999 */
    FIELD_BOOL,
    FIELD_ENUM, /* 0..max */
    FIELD_WIDE, /* a 128-bit integer: high and low half, next to each other */
    FIELD_ONE,  /* a message of shape `of` */
    FIELD_MANY, /* at most `max` of them */
    FIELD_IDS,  /* at most `max` ids */
    FIELD_STRS, /* at most `max` lines of text, each at most `each_max` bytes */
};

struct field {
    const char *name;
    enum field_kind kind;
    size_t plain;
    size_t plain_count;
    size_t wire;
    size_t wire_count;
    size_t max;
    size_t each_max;
    const struct shape *of;
};

struct shape {
    const char *name;
    const ProtobufCMessageDescriptor *descriptor;
    size_t plain_size;
    const struct field *fields;
    size_t field_count;
};

/* A new wire message in the arena; NULL when the arena is full. It borrows the plain message's
 * strings and bytes. */
ProtobufCMessage *shape_to_wire(const struct shape *shape, const void *plain, struct arena *arena);

/* Fills `plain` from the wire message (NULL stands for an empty one). Strings and bytes are shared
 * with the wire message. ERR_PROTOCOL with the field's name; ERR_NO_MEMORY. */
enum err shape_from_wire(const struct shape *shape, const ProtobufCMessage *wire,
                         struct arena *arena, void *plain, struct errmsg *msg) MUST_CHECK;

#endif

/* layer: codec */
/* Walks over every field of a wire message by the description that the schema's compiler made, so
 * that a field that is added later is tested without being named here. */
#ifndef TALLY_TEST_CODEC_WALK_H
#define TALLY_TEST_CODEC_WALK_H

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"
#include "tally.pb-c.h"

typedef void walk_visit(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                        void *arg);

static inline void *walk_member(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    return (char *)message + field->offset;
}

/* Elements of a repeated field, else 1. */
static inline size_t walk_count(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    size_t count = 1;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, (char *)message + field->quantifier_offset, sizeof count);
    }
    return count;
}

static inline void walk_set_count(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field,
                                  size_t count)
{
    memcpy((char *)message + field->quantifier_offset, &count, sizeof count);
}

/* Where the value of a field stands, or that of its first element. */
static inline void *walk_first(ProtobufCMessage *message, const ProtobufCFieldDescriptor *field)
{
    void *at = walk_member(message, field);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&at, walk_member(message, field), sizeof at);
    }
    return at;
}

static inline bool walk_present(const ProtobufCMessage *message,
                                const ProtobufCFieldDescriptor *field)
{
    uint32_t chosen = field->id;
    if ((field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0) {
        memcpy(&chosen, (const char *)message + field->quantifier_offset, sizeof chosen);
    }
    return chosen == field->id;
}

static inline void walk(ProtobufCMessage *message, walk_visit *visit, void *arg)
{
    for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
        if (!walk_present(message, field) || walk_count(message, field) == 0) {
            continue;
        }
        visit(message, field, arg);
        ProtobufCMessage **parts = walk_first(message, field);
        size_t count = walk_count(message, field);
        for (size_t j = 0; field->type == PROTOBUF_C_TYPE_MESSAGE && j < count; j++) {
            if (parts[j] != NULL) {
                walk(parts[j], visit, arg);
            }
        }
    }
}

/* Packs the frame and decodes it with a codec that has seen nothing; `arena` is emptied first. */
static inline enum err walk_decode(const ProtobufCMessage *frame, struct arena *arena,
                                   struct message *out, struct errmsg *msg)
{
    size_t size = protobuf_c_message_get_packed_size(frame);
    arena_reset(arena);
    uint8_t *bytes = malloc(size + (size == 0));
    struct codec *codec = codec_new(false);
    if (bytes == NULL || codec == NULL) {
        abort();
    }
    (void)protobuf_c_message_pack(frame, bytes);
    enum err err = codec_decode(codec, (struct bytes){bytes, size}, arena, out, msg);
    codec_free(codec);
    free(bytes);
    return err;
}

#endif

#include "codec/look.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5, VARINT_MAX_BYTES = 10 };

static bool take_varint(struct bytes *bytes, uint64_t *out)
{
    *out = 0;
    for (size_t i = 0; i < VARINT_MAX_BYTES && i < bytes->len; i++) {
        *out |= (uint64_t)(bytes->data[i] & 0x7f) << (7 * i);
        if (bytes->data[i] < 0x80) {
            bytes->data += i + 1;
            bytes->len -= i + 1;
            return true;
        }
    }
    return false;
}

static bool skip(struct bytes *bytes, uint64_t len)
{
    if (len > bytes->len) {
        return false;
    }
    bytes->data += len;
    bytes->len -= (size_t)len;
    return true;
}

static bool look_into(const ProtobufCFieldDescriptor *field, struct bytes content)
{
    if (field == NULL) {
        return true; /* of a newer version: kept and ignored */
    }
    if (field->type == PROTOBUF_C_TYPE_STRING) {
        return memchr(content.data, '\0', content.len) == NULL;
    }
    /* The schema has no recursive type, so the depth ends. */
    return field->type != PROTOBUF_C_TYPE_MESSAGE || look_over(field->descriptor, content);
}

bool look_over(const ProtobufCMessageDescriptor *descriptor, struct bytes bytes)
{
    while (bytes.len > 0) {
        uint64_t tag;
        uint64_t len;
        if (!take_varint(&bytes, &tag) || tag >> 3 == 0 || tag >> 32 != 0) {
            return false;
        }
        bool good = false;
        switch (tag & 7) {
        case WIRE_VARINT:
            good = take_varint(&bytes, &len);
            break;
        case WIRE_64:
            good = skip(&bytes, 8);
            break;
        case WIRE_32:
            good = skip(&bytes, 4);
            break;
        case WIRE_BYTES: {
            good = take_varint(&bytes, &len);
            struct bytes content = {.data = bytes.data, .len = (size_t)len};
            good =
                good && skip(&bytes, len) &&
                look_into(protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3)),
                          content);
            break;
        }
        }
        if (!good) {
            return false;
        }
    }
    return true;
}

#include "codec/shape.h"

#include <stdbool.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/wide.h"

/* The wire's halves of a wide number, as the generator lays them out. */
struct wire_wide {
    int64_t high;
    uint64_t low;
};

static const int64_t WALL_MAX_MS = INT64_C(253402300799999); /* the end of 9999 */

static bool all_zero(const uint8_t *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != 0) {
            return false;
        }
    }
    return true;
}

/* Borrowed bytes for the generated structs, which know no const. */
static ProtobufCBinaryData binary(const void *data, size_t len)
{
    ProtobufCBinaryData out = {.len = len};
    memcpy(&out.data, &data, sizeof data);
    return out;
}

static size_t fixed_size(enum field_kind kind)
{
    return kind == FIELD_ID     ? sizeof(struct id)
           : kind == FIELD_HASH ? sizeof(struct hash)
                                : sizeof(struct signature);
}

/* ---- to the wire ---- */

static bool many_to_wire(const struct field *field, const void *plain, void *wire,
                         struct arena *arena)
{
    const uint8_t *rows;
    size_t count;
    memcpy(&rows, (const char *)plain + field->plain, sizeof rows);
    memcpy(&count, (const char *)plain + field->plain_count, sizeof count);
    memcpy((char *)wire + field->wire_count, &count, sizeof count);
    if (count == 0) {
        return true;
    }
    void *out;
    if (field->kind == FIELD_MANY) {
        ProtobufCMessage **messages = arena_array(arena, count, sizeof *messages);
        for (size_t i = 0; messages != NULL && i < count; i++) {
            messages[i] = shape_to_wire(field->of, rows + i * field->of->plain_size, arena);
            if (messages[i] == NULL) {
                return false;
            }
        }
        out = messages;
    } else if (field->kind == FIELD_IDS) {
        ProtobufCBinaryData *ids = arena_array(arena, count, sizeof *ids);
        for (size_t i = 0; ids != NULL && i < count; i++) {
            ids[i] = binary(rows + i * sizeof(struct id), sizeof(struct id));
        }
        out = ids;
    } else {
        out = arena_copy(arena, rows, count * sizeof(char *));
    }
    memcpy((char *)wire + field->wire, &out, sizeof out);
    return out != NULL;
}

static void bytes_to_wire(const struct field *field, const void *from, void *to)
{
    ProtobufCBinaryData data = {0};
    if (field->kind == FIELD_BLOB) {
        struct bytes bytes;
        memcpy(&bytes, from, sizeof bytes);
        data = binary(bytes.data, bytes.len);
    } else if (!all_zero(from, fixed_size(field->kind))) {
        data = binary(from, fixed_size(field->kind));
    }
    memcpy(to, &data, sizeof data);
}

static bool field_to_wire(const struct field *field, const void *plain, void *wire,
                          struct arena *arena)
{
    const void *from = (const char *)plain + field->plain;
    void *to = (char *)wire + field->wire;
    switch (field->kind) {
    case FIELD_ID:
    case FIELD_HASH:
    case FIELD_SIGN:
    case FIELD_BLOB:
        bytes_to_wire(field, from, to);
        return true;
    case FIELD_STR:
    case FIELD_TEXT: {
        const char *text;
        memcpy(&text, from, sizeof text);
        if (text != NULL) {
            memcpy(to, &text, sizeof text);
        }
        return true;
    }
    case FIELD_I32:
    case FIELD_U32:
    case FIELD_ENUM:
        memcpy(to, from, sizeof(uint32_t));
        return true;
    case FIELD_I64:
    case FIELD_U64:
    case FIELD_WALL:
        memcpy(to, from, sizeof(uint64_t));
        return true;
    case FIELD_BOOL: {
        protobuf_c_boolean value = *(const bool *)from;
        memcpy(to, &value, sizeof value);
        return true;
    }
    case FIELD_WIDE: {
        wide value;
        memcpy(&value, from, sizeof value);
        struct wire_wide halves = {.high = wide_high(value), .low = wide_low(value)};
        memcpy(to, &halves, sizeof halves);
        return true;
    }
    case FIELD_ONE: {
        ProtobufCMessage *message = shape_to_wire(field->of, from, arena);
        memcpy(to, &message, sizeof(void *));
        return message != NULL;
    }
    case FIELD_MANY:
    case FIELD_IDS:
    case FIELD_STRS:
        return many_to_wire(field, plain, wire, arena);
    }
    return false;
}

ProtobufCMessage *shape_to_wire(const struct shape *shape, const void *plain, struct arena *arena)
{
    ProtobufCMessage *wire = arena_alloc(arena, shape->descriptor->sizeof_message);
    if (wire == NULL) {
        return NULL;
    }
    shape->descriptor->message_init(wire);
    for (size_t i = 0; i < shape->field_count; i++) {
        if (!field_to_wire(&shape->fields[i], plain, wire, arena)) {
            return NULL;
        }
    }
    return wire;
}

/* ---- from the wire ---- */

static enum err check_text(const struct field *field, const char *text, struct errmsg *msg)
{
    size_t len = strlen(text);
    if (len > field->max) {
        return err_fail(msg, ERR_PROTOCOL, "%s has %zu bytes, more than %zu", field->name, len,
                        field->max);
    }
    if (!text_is_clean(text, len, field->kind == FIELD_TEXT)) {
        return err_fail(msg, ERR_PROTOCOL, "%s is not clean UTF-8 text", field->name);
    }
    return ERR_OK;
}

static enum err bytes_from_wire(const struct field *field, const void *from, void *to,
                                struct errmsg *msg)
{
    ProtobufCBinaryData data;
    memcpy(&data, from, sizeof data);
    if (field->kind == FIELD_BLOB) {
        if (data.len > field->max) {
            return err_fail(msg, ERR_PROTOCOL, "%s has %zu bytes, more than %zu", field->name,
                            data.len, field->max);
        }
        struct bytes bytes = {.data = data.data, .len = data.len};
        memcpy(to, &bytes, sizeof bytes);
        return ERR_OK;
    }
    if (data.len != 0 && data.len != fixed_size(field->kind)) {
        return err_fail(msg, ERR_PROTOCOL, "%s has %zu bytes in place of %zu", field->name,
                        data.len, fixed_size(field->kind));
    }
    if (data.len > 0) {
        memcpy(to, data.data, data.len);
    }
    return ERR_OK;
}

static enum err ids_from_wire(const struct field *field, const ProtobufCBinaryData *from,
                              struct id *to, size_t count, struct errmsg *msg)
{
    for (size_t i = 0; i < count; i++) {
        if (from[i].len != sizeof to[i]) {
            return err_fail(msg, ERR_PROTOCOL, "%s has one of %zu bytes", field->name, from[i].len);
        }
        memcpy(&to[i], from[i].data, sizeof to[i]);
    }
    return ERR_OK;
}

static enum err many_from_wire(const struct field *field, const void *wire, struct arena *arena,
                               void *plain, struct errmsg *msg)
{
    size_t count;
    const void *rows;
    memcpy(&count, (const char *)wire + field->wire_count, sizeof count);
    memcpy(&rows, (const char *)wire + field->wire, sizeof rows);
    if (count > field->max) {
        return err_fail(msg, ERR_PROTOCOL, "%s has %zu elements, more than %zu", field->name, count,
                        field->max);
    }
    if (count == 0) {
        return ERR_OK;
    }
    size_t size = field->kind == FIELD_MANY  ? field->of->plain_size
                  : field->kind == FIELD_IDS ? sizeof(struct id)
                                             : sizeof(char *);
    char *out = arena_array(arena, count, size);
    if (out == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "%s takes more memory than a message may", field->name);
    }
    if (field->kind == FIELD_IDS) {
        TRY(ids_from_wire(field, rows, (struct id *)(void *)out, count, msg));
    }
    for (size_t i = 0; field->kind == FIELD_MANY && i < count; i++) {
        const ProtobufCMessage *row = ((ProtobufCMessage *const *)rows)[i];
        enum err err = shape_from_wire(field->of, row, arena, out + i * size, msg);
        if (err != ERR_OK) {
            return err_prefix(msg, err, "%s %zu", field->name, i);
        }
    }
    for (size_t i = 0; field->kind == FIELD_STRS && i < count; i++) {
        const char *text = ((char *const *)rows)[i];
        struct field one = {.name = field->name, .kind = FIELD_STR, .max = field->each_max};
        TRY(check_text(&one, text, msg));
        memcpy(out + i * size, &text, sizeof text);
    }
    memcpy((char *)plain + field->plain, &out, sizeof out);
    memcpy((char *)plain + field->plain_count, &count, sizeof count);
    return ERR_OK;
}

static enum err number_from_wire(const struct field *field, const void *from, void *to,
                                 struct errmsg *msg)
{
    if (field->kind == FIELD_I64 || field->kind == FIELD_U64) {
        memcpy(to, from, sizeof(uint64_t));
        return ERR_OK;
    }
    if (field->kind == FIELD_WALL) {
        struct wall wall;
        memcpy(&wall, from, sizeof wall);
        if (wall.ms < -WALL_MAX_MS || wall.ms > WALL_MAX_MS) {
            return err_fail(msg, ERR_PROTOCOL, "%s is no time", field->name);
        }
        memcpy(to, &wall, sizeof wall);
        return ERR_OK;
    }
    uint32_t value;
    memcpy(&value, from, sizeof value);
    if (field->kind == FIELD_ENUM && value > field->max) {
        return err_fail(msg, ERR_PROTOCOL, "%s has the unknown value %u", field->name, value);
    }
    memcpy(to, &value, sizeof value);
    return ERR_OK;
}

static enum err field_from_wire(const struct field *field, const void *wire, struct arena *arena,
                                void *plain, struct errmsg *msg)
{
    const void *from = (const char *)wire + field->wire;
    void *to = (char *)plain + field->plain;
    switch (field->kind) {
    case FIELD_ID:
    case FIELD_HASH:
    case FIELD_SIGN:
    case FIELD_BLOB:
        return bytes_from_wire(field, from, to, msg);
    case FIELD_STR:
    case FIELD_TEXT: {
        const char *text;
        memcpy(&text, from, sizeof text);
        TRY(check_text(field, text, msg));
        memcpy(to, &text, sizeof text);
        return ERR_OK;
    }
    case FIELD_I32:
    case FIELD_U32:
    case FIELD_ENUM:
    case FIELD_I64:
    case FIELD_U64:
    case FIELD_WALL:
        return number_from_wire(field, from, to, msg);
    case FIELD_BOOL: {
        protobuf_c_boolean value;
        memcpy(&value, from, sizeof value);
        *(bool *)to = value != 0;
        return ERR_OK;
    }
    case FIELD_WIDE: {
        struct wire_wide halves;
        memcpy(&halves, from, sizeof halves);
        wide value = wide_join(halves.high, halves.low);
        memcpy(to, &value, sizeof value);
        return ERR_OK;
    }
    case FIELD_ONE: {
        const ProtobufCMessage *message;
        memcpy(&message, from, sizeof(void *));
        return shape_from_wire(field->of, message, arena, to, msg);
    }
    case FIELD_MANY:
    case FIELD_IDS:
    case FIELD_STRS:
        return many_from_wire(field, wire, arena, plain, msg);
    }
    return ERR_PROTOCOL;
}

enum err shape_from_wire(const struct shape *shape, const ProtobufCMessage *wire,
                         struct arena *arena, void *plain, struct errmsg *msg)
{
    if (wire == NULL) {
        ProtobufCMessage *empty = arena_alloc(arena, shape->descriptor->sizeof_message);
        if (empty == NULL) {
            return err_fail(msg, ERR_NO_MEMORY, "%s takes more memory than a message may",
                            shape->name);
        }
        shape->descriptor->message_init(empty);
        wire = empty;
    }
    memset(plain, 0, shape->plain_size);
    for (size_t i = 0; i < shape->field_count; i++) {
        TRY(field_from_wire(&shape->fields[i], wire, arena, plain, msg));
    }
    return ERR_OK;
}

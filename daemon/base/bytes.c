#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, size_t max_bytes)
{
    *buf = (struct buf){.max = max_bytes};
}

void buf_deinit(struct buf *buf)
{
    free(buf->data);
    *buf = (struct buf){.max = buf->max};
}

struct bytes buf_bytes(const struct buf *buf)
{
    return (struct bytes){.data = buf->data, .len = buf->len};
}

void buf_clear(struct buf *buf)
{
    buf->len = 0;
    buf->failed = false;
}

static bool reserve(struct buf *buf, size_t more)
{
    if (buf->failed || more > buf->max - buf->len) {
        buf->failed = true;
        return false;
    }
    size_t need = buf->len + more;
    if (need <= buf->cap) {
        return true;
    }
    size_t cap = buf->cap < 64 ? 64 : buf->cap;
    while (cap < need) {
        cap *= 2;
    }
    uint8_t *data = realloc(buf->data, cap);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void buf_put(struct buf *buf, const void *data, size_t len)
{
    if (len > 0 && reserve(buf, len)) {
        memcpy(buf->data + buf->len, data, len);
        buf->len += len;
    }
}

uint8_t *buf_extend(struct buf *buf, size_t len)
{
    if (!reserve(buf, len)) {
        return NULL;
    }
    buf->len += len;
    return buf->data + buf->len - len;
}

void buf_put_u8(struct buf *buf, uint8_t v)
{
    buf_put(buf, &v, 1);
}

void buf_put_u32(struct buf *buf, uint32_t v)
{
    uint8_t b[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    buf_put(buf, b, sizeof b);
}

void buf_put_u64(struct buf *buf, uint64_t v)
{
    buf_put_u32(buf, (uint32_t)(v >> 32));
    buf_put_u32(buf, (uint32_t)v);
}

void buf_put_i64(struct buf *buf, int64_t v)
{
    buf_put_u64(buf, (uint64_t)v);
}

void buf_put_blob(struct buf *buf, const void *data, size_t len)
{
    if (len > UINT32_MAX) {
        buf->failed = true;
        return;
    }
    buf_put_u32(buf, (uint32_t)len);
    buf_put(buf, data, len);
}

void buf_put_str(struct buf *buf, const char *text)
{
    buf_put_blob(buf, text, text == NULL ? 0 : strlen(text));
}

void buf_put_id(struct buf *buf, const struct id *id)
{
    buf_put(buf, id->b, sizeof id->b);
}

void buf_put_hash(struct buf *buf, const struct hash *hash)
{
    buf_put(buf, hash->b, sizeof hash->b);
}

struct cur cur_over(const void *data, size_t len)
{
    return (struct cur){.data = data, .len = len};
}

static const uint8_t *take(struct cur *cur, size_t len)
{
    if (cur->failed || len > cur->len - cur->at) {
        cur->failed = true;
        return NULL;
    }
    const uint8_t *at = cur->data + cur->at;
    cur->at += len;
    return at;
}

uint8_t cur_u8(struct cur *cur)
{
    const uint8_t *b = take(cur, 1);
    return b == NULL ? 0 : b[0];
}

uint32_t cur_u32(struct cur *cur)
{
    const uint8_t *b = take(cur, 4);
    return b == NULL ? 0 : (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

uint64_t cur_u64(struct cur *cur)
{
    uint64_t high = cur_u32(cur);
    return high << 32 | cur_u32(cur);
}

int64_t cur_i64(struct cur *cur)
{
    return (int64_t)cur_u64(cur);
}

int32_t cur_i32(struct cur *cur)
{
    int64_t v = cur_i64(cur);
    bool fits = v >= INT32_MIN && v <= INT32_MAX;
    cur->failed = cur->failed || !fits;
    return fits ? (int32_t)v : 0;
}

struct bytes cur_blob(struct cur *cur)
{
    size_t len = cur_u32(cur);
    const uint8_t *at = take(cur, len);
    return at == NULL ? (struct bytes){NULL, 0} : (struct bytes){at, len};
}

struct id cur_id(struct cur *cur)
{
    struct id id = {{0}};
    const uint8_t *b = take(cur, sizeof id.b);
    if (b != NULL) {
        memcpy(id.b, b, sizeof id.b);
    }
    return id;
}

struct hash cur_hash(struct cur *cur)
{
    struct hash hash = {{0}};
    const uint8_t *b = take(cur, sizeof hash.b);
    if (b != NULL) {
        memcpy(hash.b, b, sizeof hash.b);
    }
    return hash;
}

bool cur_done(const struct cur *cur)
{
    return !cur->failed && cur->at == cur->len;
}

/* Byte strings: a growing buffer with a stated limit to write into, and a cursor that reads within
 * bounds. Integers are big-endian, strings and blobs carry a 32-bit length before them. This is the
 * form in which entries are hashed and the catalogue is stored and signed. */
#ifndef TALLY_BASE_BYTES_H
#define TALLY_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/ids.h"

/* A view; owns nothing. */
struct bytes {
    const uint8_t *data;
    size_t len;
};

/* A growing buffer. Growth past `max` or a failed allocation sets `failed`, after which every put
 * does nothing; the caller asks once at the end. */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
    bool failed;
};

void buf_init(struct buf *buf, size_t max_bytes);
void buf_deinit(struct buf *buf);
void buf_clear(struct buf *buf);
struct bytes buf_bytes(const struct buf *buf); /* what is in it; valid until it grows */
void buf_put(struct buf *buf, const void *data, size_t len);
/* Room for `len` bytes at the end, to be filled before the next put; NULL when the buffer failed.
 */
uint8_t *buf_extend(struct buf *buf, size_t len);
void buf_put_u8(struct buf *buf, uint8_t v);
void buf_put_u32(struct buf *buf, uint32_t v);
void buf_put_u64(struct buf *buf, uint64_t v);
void buf_put_i64(struct buf *buf, int64_t v);
void buf_put_blob(struct buf *buf, const void *data, size_t len);
void buf_put_str(struct buf *buf, const char *text); /* NULL is written as the empty string */
void buf_put_id(struct buf *buf, const struct id *id);
void buf_put_hash(struct buf *buf, const struct hash *hash);

/* A reader. Reading past the end sets `failed` and yields zeros; the caller asks once at the end.
 */
struct cur {
    const uint8_t *data;
    size_t len;
    size_t at;
    bool failed;
};

struct cur cur_over(const void *data, size_t len);
uint8_t cur_u8(struct cur *cur);
uint32_t cur_u32(struct cur *cur);
uint64_t cur_u64(struct cur *cur);
int64_t cur_i64(struct cur *cur);
int32_t cur_i32(struct cur *cur);       /* written as an i64; fails when it does not fit */
struct bytes cur_blob(struct cur *cur); /* points into the cursor's data */
struct id cur_id(struct cur *cur);
struct hash cur_hash(struct cur *cur);
bool cur_done(const struct cur *cur); /* all read and nothing failed */

#endif

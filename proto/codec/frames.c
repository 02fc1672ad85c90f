#include "codec/codec.h"

#include <stdlib.h>
#include <string.h>

enum { KEPT_MAX_BYTES = 16 * 1024 }; /* what an idle connection keeps */

/* data[start..len) is not taken out yet; the header of the first frame whose length was not checked
 * lies at `unchecked`. */
struct frames {
    uint8_t *data;
    size_t cap;
    size_t start;
    size_t len;
    size_t unchecked;
    size_t max_bytes;
};

struct frames *frames_new(void)
{
    struct frames *frames = calloc(1, sizeof *frames);
    if (frames != NULL) {
        frames->max_bytes = FRAME_MAX_BYTES_STRANGER;
    }
    return frames;
}

void frames_free(struct frames *frames)
{
    if (frames != NULL) {
        free(frames->data);
        free(frames);
    }
}

void frames_set_limit(struct frames *frames, size_t max_bytes)
{
    frames->max_bytes = max_bytes;
}

static size_t body_length(const uint8_t *header)
{
    return (size_t)header[0] << 24 | (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
}

/* Moves what is left to the front; gives memory back when nothing is. */
static void compact(struct frames *frames)
{
    if (frames->start == frames->len && frames->cap > KEPT_MAX_BYTES) {
        free(frames->data);
        frames->data = NULL;
        frames->cap = 0;
    } else if (frames->start > 0) {
        memmove(frames->data, frames->data + frames->start, frames->len - frames->start);
    }
    frames->unchecked -= frames->start;
    frames->len -= frames->start;
    frames->start = 0;
}

enum err frames_push(struct frames *frames, const void *data, size_t len, struct errmsg *msg)
{
    compact(frames);
    size_t need = frames->len + len;
    if (need > frames->cap) {
        size_t cap = frames->cap * 2 > need ? frames->cap * 2 : need;
        uint8_t *grown = realloc(frames->data, cap);
        if (grown == NULL) {
            return err_fail(msg, ERR_NO_MEMORY, "no memory for a frame");
        }
        frames->data = grown;
        frames->cap = cap;
    }
    if (len > 0) {
        memcpy(frames->data + frames->len, data, len);
    }
    frames->len = need;
    while (frames->unchecked + FRAME_HEADER_BYTES <= frames->len) {
        size_t length = body_length(frames->data + frames->unchecked);
        if (length == 0 || length > frames->max_bytes) {
            return err_fail(msg, ERR_PROTOCOL, "a frame of %zu bytes, where 1 to %zu are allowed",
                            length, frames->max_bytes);
        }
        frames->unchecked += FRAME_HEADER_BYTES + length;
    }
    return ERR_OK;
}

bool frames_next(struct frames *frames, struct bytes *body)
{
    if (frames->len - frames->start < FRAME_HEADER_BYTES) {
        return false;
    }
    size_t length = body_length(frames->data + frames->start);
    if (frames->len - frames->start - FRAME_HEADER_BYTES < length) {
        return false;
    }
    *body =
        (struct bytes){.data = frames->data + frames->start + FRAME_HEADER_BYTES, .len = length};
    frames->start += FRAME_HEADER_BYTES + length;
    return true;
}

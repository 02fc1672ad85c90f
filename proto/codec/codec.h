/* Messages to frames and back. A frame is a 4-byte big-endian length and one protobuf message. This
 * is the only place that sees generated protobuf code.
 *
 * Bulk is compact: strings and origins that come again in batches are announced once per connection
 * and named by number after that, columns are packed, and a batch is compressed with zstd where
 * that makes it smaller. So a codec belongs to one connection and one direction each way, and
 * frames are decoded in the order in which they were encoded.
 *
 * What arrives is refused before memory is taken for it: the length before the body is read, the
 * announced size before it is decompressed, and everything decoded lives in an arena with a cap.
 * Single-threaded. */
#ifndef TALLY_CODEC_H
#define TALLY_CODEC_H

#include "base/arena.h"
#include "base/bytes.h"
#include "proto/message.h"

enum { FRAME_HEADER_BYTES = 4 };

struct codec;

/* NULL when memory ends. `compress`: whether batches may be compressed (both sides always
 * understand it). */
struct codec *codec_new(bool compress);
void codec_free(struct codec *codec);

/* Appends one frame to `out`. ERR_LIMIT when the message does not fit a frame (nothing is appended
 * and no announcement is lost); ERR_NO_MEMORY. */
enum err codec_encode(struct codec *codec, const struct message *message, struct buf *out,
                      struct errmsg *msg) MUST_CHECK;

/* Decodes the body of one frame (without its header) into the arena. ERR_PROTOCOL with the reason
 * for anything that breaks the form or a limit; ERR_NO_MEMORY at the arena's cap or when the heap
 * is empty. After an error the connection is closed: the codec may have lost an announcement. */
enum err codec_decode(struct codec *codec, struct bytes body, struct arena *arena,
                      struct message *out, struct errmsg *msg) MUST_CHECK;

/* ---- framing: bytes from a stream into bodies ---- */

struct frames;

/* NULL when memory ends. Starts with FRAME_MAX_BYTES_STRANGER as the limit. */
struct frames *frames_new(void);
void frames_free(struct frames *frames);
void frames_set_limit(struct frames *frames, size_t max_bytes);

/* Takes bytes of the stream. ERR_PROTOCOL as soon as a header announces more than the limit or
 * nothing at all, before any memory is taken for it. Holds at most one frame beyond what was not
 * yet taken out. */
enum err frames_push(struct frames *frames, const void *data, size_t len, struct errmsg *msg)
    MUST_CHECK;

/* The next whole body, valid until the next push or next call; false when there is none yet. */
bool frames_next(struct frames *frames, struct bytes *body);

#endif

/* A sealed file: the messages that one node hands to another where no network leads, on a stick.
 * Only the recipient can read it, and it can tell who wrote it. This is neither a store of files
 * nor a judge of senders: bytes go in and out, and whether the chain that comes out belongs to the
 * tree is asked elsewhere. Nothing here is shared between threads but the keys, which are only
 * read.
 *
 * The form, in full in proto/PROTOCOL.md under "A bundle":
 *
 *   header    "TALLYBDL", u32 version 1, a one-time X25519 public key
 *   chunks    the content in pieces of 64 KiB, each by AES-256-GCM under one key, which comes from
 *             the one-time key and the recipient's; numbered, the last one marked
 *   content   u32 length and the sender's chain (PEM); u32 length and bytes of each message; u32 0;
 *             the sender's Ed25519 signature over all before it
 *
 * A chunk that comes out is as somebody wrote it for this recipient; who it was is known at the end
 * only. So a reader first reads the whole file without a sink, and then once more with one. The
 * second reading is judged again: what the sink took counts when seal_read_end has said ERR_OK
 * again, for the same sender, since a stick may have been changed between the two. */
#ifndef TALLY_PKI_SEAL_H
#define TALLY_PKI_SEAL_H

#include "pki/pki.h"
#include "proto/limits.h"

enum {
    SEAL_CHUNK_BYTES = 64 * 1024, /* of content, before encryption */
    SEAL_TAG_BYTES = 16,          /* what a chunk is longer by in the file */
    SEAL_MESSAGE_MAX_BYTES = FRAME_MAX_BYTES,
    /* More than any call appends to `sealed`. */
    SEAL_READY_MAX_BYTES = SEAL_MESSAGE_MAX_BYTES + 2 * SEAL_CHUNK_BYTES
};

/* ---- writing ---- */

/* Holds one chunk. */
struct seal_writer;

/* Begins a file for the node whose Ed25519 public key is `recipient`, from the one that has `key`
 * and `chain` (PEM, its own certificate first). `key` must live until seal_writer_free; the rest is
 * copied. Appends what is ready to `sealed`, as the two calls below do: the file is all that has
 * been appended, in order; the caller may empty `sealed` between calls.
 * ERR_INVALID: nothing can be encrypted to such a recipient, or the chain is none or of another
 * key; ERR_LIMIT: the chain is longer than PKI_FILE_MAX_BYTES; ERR_NO_MEMORY, also when `sealed`
 * has no room: less than SEAL_READY_MAX_BYTES below its limit. After ERR_NO_MEMORY from any of the
 * three, what was written is of no use. */
enum err seal_writer_new(const struct hash *recipient, const struct pki_key *key,
                         struct bytes chain, struct seal_writer **out, struct buf *sealed,
                         struct errmsg *msg) MUST_CHECK;

/* One message of 1 to SEAL_MESSAGE_MAX_BYTES bytes. ERR_INVALID when it is empty, ERR_LIMIT when it
 * is too long: then nothing was written, and the writer can go on; ERR_NO_MEMORY as above. */
enum err seal_write(struct seal_writer *writer, struct bytes message, struct buf *sealed,
                    struct errmsg *msg) MUST_CHECK;

/* The end, with the signature; nothing may be written after it. ERR_NO_MEMORY as above. */
enum err seal_write_end(struct seal_writer *writer, struct buf *sealed, struct errmsg *msg)
    MUST_CHECK;

/* May be NULL. */
void seal_writer_free(struct seal_writer *writer);

/* ---- reading ---- */

/* Holds two chunks, the chain and one message. */
struct seal_reader;

/* Takes one message, which is there until it returns. An error ends the reading and is passed up,
 * with its sentence. */
typedef enum err (*seal_sink_fn)(void *ctx, struct bytes message, struct errmsg *msg);

/* Begins to read a file that was sealed for the node that has `key`, which must live until
 * seal_reader_free. Messages go to `sink` with `ctx`, in their order; NULL: the file is only
 * judged. ERR_NO_MEMORY. */
enum err seal_reader_new(const struct pki_key *key, seal_sink_fn sink, void *ctx,
                         struct seal_reader **out, struct errmsg *msg) MUST_CHECK;

/* The next bytes of the file, as many as there are at a time. What is wrong is said as soon as it
 * is seen, and again by every later call:
 * ERR_INVALID: no such file; it ends too early; its content has not the form (which whoever made it
 *   did wrong, or meant to);
 * ERR_NEWER: of a later version;
 * ERR_AUTH: for somebody else, or changed, which cannot be told apart at its beginning; or not
 *   signed by the first key of its chain;
 * ERR_LIMIT: a chain above PKI_FILE_MAX_BYTES or a message above SEAL_MESSAGE_MAX_BYTES;
 * ERR_NO_MEMORY: nothing is said about the file. */
enum err seal_read(struct seal_reader *reader, struct bytes part, struct errmsg *msg) MUST_CHECK;

/* The file has ended; its last messages go to the sink here. ERR_OK only when it was whole and
 * signed by the first key of its chain; otherwise as seal_read. Called once. */
enum err seal_read_end(struct seal_reader *reader, struct errmsg *msg) MUST_CHECK;

/* The sender's chain (PEM, valid until the reader is freed) and the key of its first certificate.
 * Empty and zeros until they have been read, which is before the first message; nobody's word until
 * seal_read_end has said ERR_OK. */
struct bytes seal_reader_chain(const struct seal_reader *reader);
struct hash seal_reader_sender(const struct seal_reader *reader);

/* May be NULL. */
void seal_reader_free(struct seal_reader *reader);

#endif

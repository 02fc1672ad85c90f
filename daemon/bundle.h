/* Bundles as files: the node's messages, as frames, in a sealed file for one other node
 * (pki/seal.h). One at a time; in the loop's thread. Writing gives the sealed bytes as they come
 * about. What is to be read is first kept whole in the data directory, in its sealed form, and
 * judged; only then is it read message by message. */
#ifndef TALLY_BUNDLE_H
#define TALLY_BUNDLE_H

#include "codec/codec.h"
#include "daemon/home.h"
#include "pki/seal.h"
#include "tls/tls.h"

#define BUNDLE_MAX_BYTES (INT64_C(2) << 30) /* of one that is read */

struct bundle_file {
    const struct home *home;
    struct seal_writer *writer;
    struct seal_reader *reader;
    struct codec *codec;
    struct buf frame;  /* written: one frame */
    struct buf sealed; /* written: what is ready */
    bool given;        /* and was given */
    struct buf queue;  /* read: messages of the last part, each behind its length */
    size_t taken;      /* of the queue */
    bool ended;        /* the file was read to its end */
    int fd;            /* of the file that is kept; -1: none */
    int64_t size;
    uint8_t *part;
    struct arena arena; /* of the message that was read last */
};

void bundle_file_init(struct bundle_file *file, const struct home *home);

/* Begins one for the node with that key. */
enum err bundle_file_write_begin(struct bundle_file *file, const struct hash *recipient,
                                 struct errmsg *msg) MUST_CHECK;
/* The next message, or NULL at the end; *ready is what the file goes on with, until the next call.
 */
enum err bundle_file_write(struct bundle_file *file, const struct message *message,
                           struct bytes *ready, struct errmsg *msg) MUST_CHECK;

/* Begins to keep one; each next part; after the last one it has been judged: ERR_OK when it is
 * whole and somebody of this tree has signed it, who is told. ERR_DISK_FULL when there is no room
 * for it beside the database, ERR_LIMIT; else as seal_read. */
enum err bundle_file_take_begin(struct bundle_file *file, struct errmsg *msg) MUST_CHECK;
enum err bundle_file_take(struct bundle_file *file, struct bytes part, struct errmsg *msg)
    MUST_CHECK;
enum err bundle_file_judge(struct bundle_file *file, struct tls_peer *sender, struct errmsg *msg)
    MUST_CHECK;
/* Its next message, until the next call; NULL at its end. */
enum err bundle_file_read(struct bundle_file *file, const struct message **out, struct errmsg *msg)
    MUST_CHECK;

/* Lets go of what is under way, in whatever state. */
void bundle_file_end(struct bundle_file *file);

/* What a start finds of one that was under way. */
void bundle_file_sweep(const struct home *home);

#endif

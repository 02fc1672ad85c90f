#include "daemon/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define BUNDLE_PART "bundle.part"

enum {
    PART_BYTES = 64 * 1024,
    QUEUE_BYTES = SEAL_MESSAGE_MAX_BYTES + 4 * PART_BYTES,
    SPARE_BYTES = 16 << 20, /* stay free beside what is kept */
    SECRET_MODE = 0600
};

void bundle_file_init(struct bundle_file *file, const struct home *home)
{
    *file = (struct bundle_file){.home = home, .fd = -1};
    buf_init(&file->frame, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    buf_init(&file->sealed, 2 * SEAL_READY_MAX_BYTES);
    buf_init(&file->queue, QUEUE_BYTES + PART_BYTES);
    arena_init(&file->arena, DECODE_ARENA_MAX_BYTES);
}

void bundle_file_sweep(const struct home *home)
{
    char path[HOME_PATH_BYTES];
    (void)unlink(home_path(home, BUNDLE_PART, path));
}

void bundle_file_end(struct bundle_file *file)
{
    seal_writer_free(file->writer);
    seal_reader_free(file->reader);
    codec_free(file->codec);
    buf_deinit(&file->frame);
    buf_deinit(&file->sealed);
    buf_deinit(&file->queue);
    arena_reset(&file->arena);
    free(file->part);
    if (file->fd >= 0) {
        (void)close(file->fd);
        bundle_file_sweep(file->home);
    }
    bundle_file_init(file, file->home);
}

/* ---- writing ---- */

enum err bundle_file_write_begin(struct bundle_file *file, const struct hash *recipient,
                                 struct errmsg *msg)
{
    file->codec = codec_new(true);
    if (file->codec == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    return seal_writer_new(recipient, file->home->node_key, buf_bytes(&file->home->node_chain),
                           &file->writer, &file->sealed, msg);
}

enum err bundle_file_write(struct bundle_file *file, const struct message *message,
                           struct bytes *ready, struct errmsg *msg)
{
    if (file->given) {
        buf_clear(&file->sealed);
    }
    file->given = true;
    buf_clear(&file->frame);
    if (message == NULL) {
        TRY(seal_write_end(file->writer, &file->sealed, msg));
    } else {
        TRY(codec_encode(file->codec, message, &file->frame, msg));
        struct bytes body = {file->frame.data + FRAME_HEADER_BYTES,
                             file->frame.len - FRAME_HEADER_BYTES};
        TRY(seal_write(file->writer, body, &file->sealed, msg));
    }
    *ready = buf_bytes(&file->sealed);
    return ERR_OK;
}

/* ---- keeping ---- */

static enum err fail_file(struct errmsg *msg)
{
    return err_fail(msg, errno == ENOSPC ? ERR_DISK_FULL : ERR_IO,
                    "the bundle cannot be kept in the data directory: %s%s", strerror(errno),
                    errno == ENOSPC ? "; free some room and try again" : "");
}

/* Messages of the part that is being read wait in the queue. */
static enum err queue_message(void *ctx, struct bytes message, struct errmsg *msg)
{
    struct bundle_file *file = ctx;
    buf_put_blob(&file->queue, message.data, message.len);
    return file->queue.failed ? err_fail(msg, ERR_NO_MEMORY, "no memory") : ERR_OK;
}

enum err bundle_file_take_begin(struct bundle_file *file, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    bundle_file_sweep(file->home);
    file->part = malloc(PART_BYTES);
    if (file->part == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    file->fd = open(home_path(file->home, BUNDLE_PART, path),
                    O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, SECRET_MODE);
    if (file->fd < 0) {
        return fail_file(msg);
    }
    return seal_reader_new(file->home->node_key, NULL, NULL, &file->reader, msg);
}

/* What the node itself will need must stay free. */
static enum err check_room(const struct bundle_file *file, size_t more, struct errmsg *msg)
{
    struct statvfs disk;
    if (file->size + (int64_t)more > BUNDLE_MAX_BYTES) {
        return err_fail(msg, ERR_LIMIT, "a bundle has at most %lld MiB",
                        (long long)(BUNDLE_MAX_BYTES >> 20));
    }
    if (fstatvfs(file->fd, &disk) != 0) {
        return fail_file(msg);
    }
    int64_t room = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    return room >= (int64_t)more + SPARE_BYTES
               ? ERR_OK
               : err_fail(msg, ERR_DISK_FULL,
                          "there is no room in the data directory to keep the bundle while it is "
                          "read: free some room and try again; nothing of it was taken");
}

enum err bundle_file_take(struct bundle_file *file, struct bytes part, struct errmsg *msg)
{
    size_t done = 0;
    TRY(check_room(file, part.len, msg));
    while (done < part.len) {
        ssize_t n = write(file->fd, part.data + done, part.len - done);
        if (n < 0 && errno != EINTR) {
            return fail_file(msg);
        }
        done += n > 0 ? (size_t)n : 0;
    }
    file->size += (int64_t)part.len;
    return seal_read(file->reader, part, msg);
}

enum err bundle_file_judge(struct bundle_file *file, struct tls_peer *sender, struct errmsg *msg)
{
    TRY(seal_read_end(file->reader, msg));
    struct hash signer = seal_reader_sender(file->reader);
    TRY(tls_peer_of_chain(seal_reader_chain(file->reader), buf_bytes(&file->home->node_chain),
                          buf_bytes(&file->home->root), sender, msg));
    if (!hash_equal(&sender->key, &signer)) {
        return err_fail(msg, ERR_AUTH, "the bundle is signed by another key than its sender's");
    }
    seal_reader_free(file->reader);
    file->reader = NULL;
    file->codec = codec_new(false);
    if (file->codec == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    if (lseek(file->fd, 0, SEEK_SET) != 0) {
        return fail_file(msg);
    }
    return seal_reader_new(file->home->node_key, queue_message, file, &file->reader, msg);
}

/* ---- reading ---- */

static enum err read_part(struct bundle_file *file, struct errmsg *msg)
{
    buf_clear(&file->queue);
    file->taken = 0;
    ssize_t n = read(file->fd, file->part, PART_BYTES);
    if (n < 0) {
        return err_fail(msg, ERR_IO, "the bundle that is kept cannot be read: %s", strerror(errno));
    }
    if (n > 0) {
        return seal_read(file->reader, (struct bytes){file->part, (size_t)n}, msg);
    }
    file->ended = true;
    return seal_read_end(file->reader, msg);
}

enum err bundle_file_read(struct bundle_file *file, const struct message **out, struct errmsg *msg)
{
    while (file->taken == file->queue.len && !file->ended) {
        TRY(read_part(file, msg));
    }
    if (file->taken == file->queue.len) {
        *out = NULL;
        return ERR_OK;
    }
    struct cur cur = cur_over(file->queue.data + file->taken, file->queue.len - file->taken);
    struct bytes body = cur_blob(&cur);
    file->taken += sizeof(uint32_t) + body.len;
    arena_reset(&file->arena);
    struct message *message = arena_alloc(&file->arena, sizeof *message);
    if (message == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    struct errmsg why = {{0}};
    enum err err = codec_decode(file->codec, body, &file->arena, message, &why);
    if (err != ERR_OK) {
        return err_fail(msg, err == ERR_PROTOCOL ? ERR_INVALID : err,
                        "the bundle has %.200s in it; a newer release may have written it",
                        why.text);
    }
    *out = message;
    return ERR_OK;
}

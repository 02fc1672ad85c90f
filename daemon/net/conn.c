/* 1. Bytes come from libuv into one buffer that all connections of the thread share; TLS takes
 * them, plaintext goes to the frames, whole frames are decoded into an arena and handed to the
 * owner.
 * 2. Out: message, codec, (TLS), one copy owned by the write request.
 *
 * Ends: the peer closes; a deadline (handshake, stalled writing, flushing at the end); an error of
 * TLS, frame or codec. All go through conn_abort, which closes the handles; the last close callback
 * tells the owner and frees. */
#include "net/conn.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK_BYTES = 64 * 1024, CIPHER_CHUNK_BYTES = 16 * 1024 };

struct write_request {
    uv_write_t req;
    struct conn *conn;
    size_t len;
    char data[];
};

static _Thread_local char shared_in[CHUNK_BYTES];
static _Thread_local char shared_plain[CHUNK_BYTES];

static void on_handle_closed(uv_handle_t *handle)
{
    struct conn *conn = handle->data;
    if (--conn->open_handles > 0) {
        return;
    }
    conn->owner->closed(conn->owner->ctx, conn, conn->why.text);
    tls_free(conn->tls);
    frames_free(conn->frames);
    codec_free(conn->codec);
    free(conn);
}

void conn_abort(struct conn *conn, const char *why)
{
    if (conn->dead) {
        return;
    }
    conn->dead = true;
    if (conn->why.text[0] == '\0') {
        (void)err_fail(&conn->why, ERR_OK, "%s", why);
    }
    uv_close(&conn->u.handle, on_handle_closed);
    uv_close((uv_handle_t *)&conn->timer, on_handle_closed);
}

struct conn *conn_new(uv_loop_t *loop, bool local, const struct conn_owner *owner, uint64_t id)
{
    struct conn *conn = calloc(1, sizeof *conn);
    if (conn == NULL) {
        return NULL;
    }
    conn->id = id;
    conn->local = local;
    conn->owner = owner;
    conn->frames = frames_new();
    conn->codec = codec_new(!local);
    int code = local ? uv_pipe_init(loop, &conn->u.pipe, 0) : uv_tcp_init(loop, &conn->u.tcp);
    if (conn->frames == NULL || conn->codec == NULL || code != 0) {
        frames_free(conn->frames);
        codec_free(conn->codec);
        free(conn);
        return NULL;
    }
    (void)uv_timer_init(loop, &conn->timer);
    conn->u.handle.data = conn;
    conn->timer.data = conn;
    conn->open_handles = 2;
    return conn;
}

/* ---- out ---- */

static void finish_closing(struct conn *conn)
{
    if (conn->closing && !conn->dead && conn->out_bytes == 0) {
        conn_abort(conn, "closed");
    }
}

static void on_written(uv_write_t *req, int status)
{
    struct write_request *request = (struct write_request *)req;
    struct conn *conn = request->conn;
    conn->out_bytes -= request->len;
    conn->sent_at = uv_now(conn->timer.loop);
    free(request);
    if (conn->dead) {
        return;
    }
    if (status < 0) {
        conn_abort(conn, uv_strerror(status));
        return;
    }
    conn->owner->drained(conn->owner->ctx, conn);
    finish_closing(conn);
}

static enum err write_bytes(struct conn *conn, const void *data, size_t len)
{
    if (conn->out_bytes + len > CONN_OUT_MAX_BYTES) {
        conn_abort(conn, "the peer does not read what it is sent");
        return ERR_LIMIT;
    }
    struct write_request *request = malloc(sizeof *request + len);
    if (request == NULL) {
        conn_abort(conn, "no memory");
        return ERR_NO_MEMORY;
    }
    request->conn = conn;
    request->len = len;
    memcpy(request->data, data, len);
    if (conn->out_bytes == 0) {
        conn->sent_at = uv_now(conn->timer.loop);
    }
    uv_buf_t buf = uv_buf_init(request->data, (unsigned)len);
    int code = uv_write(&request->req, &conn->u.stream, &buf, 1, on_written);
    if (code != 0) {
        free(request);
        conn_abort(conn, uv_strerror(code));
        return ERR_CLOSED;
    }
    conn->out_bytes += len;
    return ERR_OK;
}

/* Ciphertext that TLS has ready. */
static enum err flush_tls(struct conn *conn)
{
    char chunk[CIPHER_CHUNK_BYTES];
    while (!conn->dead && tls_pending(conn->tls) > 0) {
        size_t n = tls_take(conn->tls, chunk, sizeof chunk);
        TRY(write_bytes(conn, chunk, n));
    }
    return ERR_OK;
}

enum err conn_send_bytes(struct conn *conn, const void *data, size_t len)
{
    if (conn->dead || conn->closing || !conn->ready) {
        return ERR_CLOSED;
    }
    if (conn->tls == NULL) {
        return write_bytes(conn, data, len);
    }
    enum err err = tls_write(conn->tls, data, len, &conn->why);
    if (err != ERR_OK) {
        conn_abort(conn, "TLS failed");
        return err;
    }
    return flush_tls(conn);
}

enum err conn_send(struct conn *conn, const struct message *message)
{
    struct buf frame;
    buf_init(&frame, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    struct errmsg why = {{0}};
    enum err err = codec_encode(conn->codec, message, &frame, &why);
    if (err == ERR_OK) {
        err = conn_send_bytes(conn, frame.data, frame.len);
    } else if (!conn->dead) {
        (void)err_fail(&conn->why, err, "a message to the peer could not be encoded: %s", why.text);
        conn_abort(conn, "encoding");
    }
    buf_deinit(&frame);
    return err;
}

/* ---- in ---- */

/* Whole frames go to the owner, until it has had enough: what is left waits for the end of the
 * pause. False when nothing more is to be read now. */
static bool take_frames(struct conn *conn)
{
    struct bytes body;
    conn->taking = true;
    while (!conn->dead && !conn->closing && !conn->paused && frames_next(conn->frames, &body)) {
        struct message message;
        struct arena arena;
        arena_init(&arena, DECODE_ARENA_MAX_BYTES);
        struct errmsg why = {{0}};
        enum err err = codec_decode(conn->codec, body, &arena, &message, &why);
        if (err != ERR_OK) {
            arena_reset(&arena);
            (void)err_fail(&conn->why, err, "the peer broke the protocol: %s", why.text);
            conn_abort(conn, "protocol");
            break;
        }
        conn->heard = true;
        conn->owner->message(conn->owner->ctx, conn, &message, &arena);
    }
    conn->taking = false;
    return !conn->dead && !conn->paused;
}

static bool take_plain(struct conn *conn, const void *data, size_t len)
{
    if (frames_push(conn->frames, data, len, &conn->why) != ERR_OK) {
        conn_abort(conn, "frame");
        return false;
    }
    return take_frames(conn);
}

static void become_ready(struct conn *conn, const struct tls_peer *peer)
{
    conn->ready = true;
    bool joins = peer != NULL && peer->purpose == TLS_JOIN && !peer->has_certificate;
    frames_set_limit(conn->frames, joins ? FRAME_MAX_BYTES_STRANGER : FRAME_MAX_BYTES);
    if (!conn->owner->opened(conn->owner->ctx, conn, peer)) {
        conn_close(conn, "refused");
    }
}

/* Everything that TLS has to give: the handshake, then plaintext. */
static void run_tls(struct conn *conn)
{
    if (!conn->ready) {
        bool done = false;
        enum err err = tls_handshake(conn->tls, &done, &conn->why);
        (void)flush_tls(conn);
        if (err != ERR_OK && !conn->dead) {
            conn_close(conn, "handshake");
            return;
        }
        if (done && !conn->dead) {
            become_ready(conn, tls_peer(conn->tls));
        }
    }
    while (conn->ready && !conn->dead && !conn->closing && !conn->paused) {
        size_t n = 0;
        enum err err = tls_read(conn->tls, shared_plain, sizeof shared_plain, &n, &conn->why);
        if (err != ERR_OK) {
            conn_abort(conn, err == ERR_CLOSED ? "the peer closed" : "TLS failed");
            return;
        }
        if (n == 0 || !take_plain(conn, shared_plain, n)) {
            break;
        }
    }
    if (!conn->dead) {
        (void)flush_tls(conn);
    }
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)handle;
    (void)suggested;
    *buf = uv_buf_init(shared_in, sizeof shared_in);
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct conn *conn = stream->data;
    if (n < 0) {
        conn_abort(conn, n == UV_EOF ? "the peer closed" : uv_strerror((int)n));
        return;
    }
    if (n == 0 || conn->closing || conn->dead) {
        return;
    }
    if (conn->tls == NULL) {
        (void)take_plain(conn, buf->base, (size_t)n);
        return;
    }
    enum err err = tls_feed(conn->tls, buf->base, (size_t)n, &conn->why);
    if (err != ERR_OK) {
        (void)flush_tls(conn);
        if (!conn->dead) {
            conn_close(conn, "TLS failed");
        }
        return;
    }
    run_tls(conn);
}

/* One timer for every phase: it looks once a while whether the phase's time is over. */
static void on_timer(uv_timer_t *timer)
{
    struct conn *conn = timer->data;
    uint64_t now = uv_now(timer->loop);
    if (!conn->ready) {
        conn_abort(conn, "the handshake took too long");
    } else if (conn->closing) {
        conn_abort(conn, "closed");
    } else if (conn->out_bytes > 0 && now - conn->sent_at > CONN_STALL_MS) {
        conn_abort(conn, "the peer does not read what it is sent");
    } else {
        (void)uv_timer_start(&conn->timer, on_timer, CONN_STALL_MS, 0);
    }
}

void conn_start(struct conn *conn, struct tls *tls)
{
    conn->tls = tls;
    (void)uv_timer_start(&conn->timer, on_timer, CONN_HANDSHAKE_MS, 0);
    if (!conn->local) {
        (void)uv_tcp_nodelay(&conn->u.tcp, 1);
    }
    int code = uv_read_start(&conn->u.stream, on_alloc, on_read);
    if (code != 0) {
        conn_abort(conn, uv_strerror(code));
        return;
    }
    if (tls == NULL) {
        become_ready(conn, NULL);
    } else {
        run_tls(conn);
    }
}

void conn_pause(struct conn *conn, bool paused)
{
    if (conn->dead || conn->closing || conn->paused == paused) {
        return;
    }
    conn->paused = paused;
    if (paused) {
        (void)uv_read_stop(&conn->u.stream);
        return;
    }
    (void)uv_read_start(&conn->u.stream, on_alloc, on_read);
    /* What came before the pause; the owner may end it while it is given a frame. */
    if (!conn->taking && take_frames(conn) && conn->tls != NULL) {
        run_tls(conn);
    }
}

void conn_close(struct conn *conn, const char *why)
{
    if (conn->dead || conn->closing) {
        return;
    }
    if (conn->why.text[0] == '\0') {
        (void)err_fail(&conn->why, ERR_OK, "%s", why);
    }
    if (conn->tls != NULL && conn->ready) {
        tls_close(conn->tls);
        (void)flush_tls(conn);
    }
    if (conn->dead) {
        return;
    }
    conn->closing = true;
    (void)uv_read_stop(&conn->u.stream);
    (void)uv_timer_start(&conn->timer, on_timer, CONN_FLUSH_MS, 0);
    finish_closing(conn);
}

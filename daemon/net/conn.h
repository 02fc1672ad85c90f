/* One connection: a libuv stream, TLS over it or not, frames, the codec. Bytes in become messages
 * for the owner; messages out become bytes, with a limit on what may wait. Each phase has a
 * deadline. */
#ifndef TALLY_NET_CONN_H
#define TALLY_NET_CONN_H

#include <uv.h>

#include "codec/codec.h"
#include "tls/tls.h"

enum {
    CONN_HANDSHAKE_MS = 10000,     /* TLS, from the first byte */
    CONN_FLUSH_MS = 5000,          /* a closing connection sends what waits */
    CONN_OUT_MAX_BYTES = 16 << 20, /* waiting to be sent; more closes the connection */
    CONN_STALL_MS = 30000,         /* nothing could be sent for so long */
};

struct conn;

struct conn_owner {
    void *ctx;
    /* The handshake is over; `peer` NULL on a local socket. False refuses the connection. */
    bool (*opened)(void *ctx, struct conn *conn, const struct tls_peer *peer);
    /* Takes the message and its arena (to be reset and freed by the owner). */
    void (*message)(void *ctx, struct conn *conn, struct message *message, struct arena *arena);
    /* Called once, when the connection is dead; it is freed after this. */
    void (*closed)(void *ctx, struct conn *conn, const char *why);
    /* Some of what waited was sent. */
    void (*drained)(void *ctx, struct conn *conn);
};

struct conn {
    uint64_t id;
    const struct conn_owner *owner;
    void *data; /* the owner's */
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } u;
    uv_timer_t timer;
    int open_handles;
    bool local;
    bool ready;   /* messages may go both ways */
    bool closing; /* nothing more is read; closes when all is sent */
    bool dead;
    bool paused;
    bool taking; /* frames are being given to the owner */
    bool heard;  /* a whole message came */
    struct tls *tls;
    struct frames *frames;
    struct codec *codec;
    size_t out_bytes; /* given to libuv and not sent */
    uint64_t sent_at; /* loop time of the last progress */
    struct errmsg why;
};

/* A connection that is not started; its stream is initialised (tcp or pipe) on the loop. NULL when
 * memory ends. */
struct conn *conn_new(uv_loop_t *loop, bool local, const struct conn_owner *owner, uint64_t id);

/* Begins: with TLS (which it then owns) or without. */
void conn_start(struct conn *conn, struct tls *tls);

/* ERR_CLOSED when it is closing; ERR_LIMIT when the message does not fit a frame or too much waits:
 * then it closes. */
enum err conn_send(struct conn *conn, const struct message *message) MUST_CHECK;

/* Frames that were encoded elsewhere (replies of queries). */
enum err conn_send_bytes(struct conn *conn, const void *data, size_t len) MUST_CHECK;

/* Sends what waits, then closes. */
void conn_close(struct conn *conn, const char *why);
/* At once. */
void conn_abort(struct conn *conn, const char *why);

/* Stops and restarts reading, for back-pressure. */
void conn_pause(struct conn *conn, bool paused);

#endif

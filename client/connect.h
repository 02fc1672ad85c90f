/* A connection to a daemon: a Unix socket in its data directory, or TLS with a client certificate;
 * messages in and out. Every wait has a limit. One thread, one request at a time. */
#ifndef TALLY_CLIENT_CONNECT_H
#define TALLY_CLIENT_CONNECT_H

#include "base/arena.h"
#include "proto/message.h"

#define CONNECT_DEFAULT_SOCKET "/run/tally/tally.sock"
#define CONNECT_SOCKET_NAME "tally.sock"

enum {
    CONNECT_TIMEOUT_MS = 10000, /* for one address, and for the TLS handshake */
    CONNECT_STALL_MS = 120000,  /* without a byte in or out */
};

/* Where to and as whom; empty texts are "not given". */
struct endpoint {
    const char *data; /* data directory: of the socket, or of the files below */
    const char *node; /* HOST:PORT */
    const char *cert; /* files, PEM */
    const char *cert_key;
    const char *root;
};

struct connection;

/* ERR_UNREACHABLE when nobody is there, with what to do about it; ERR_AUTH when either side does
 * not accept the other; ERR_USAGE for an endpoint that cannot be one, or files that cannot be read.
 */
enum err connection_open(const struct endpoint *endpoint, struct connection **out,
                         struct errmsg *msg) MUST_CHECK;
void connection_close(struct connection *connection);

/* ERR_CLOSED when the other side is gone, ERR_LIMIT when the message does not fit a frame. */
enum err connection_send(struct connection *connection, const struct message *message,
                         struct errmsg *msg) MUST_CHECK;

/* The next message, in the arena. ERR_CLOSED when the other side is gone or silent for
 * `timeout_ms`, ERR_PROTOCOL when it does not speak the protocol. */
enum err connection_receive(struct connection *connection, int64_t timeout_ms, struct arena *arena,
                            struct message *out, struct errmsg *msg) MUST_CHECK;

#endif

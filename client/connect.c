/* Happy path: connect (socket or TCP), for TLS shake hands, then frames out and in. Sockets do not
 * block; every wait is a poll with a limit.
 *
 * Failures: nobody listens (ERR_UNREACHABLE, with the remedy); the peer is no node of this tree, or
 * does not take our certificate (ERR_AUTH); the peer goes away or falls silent (ERR_CLOSED); it
 * sends what is no frame (ERR_PROTOCOL). After any of them the connection is of no more use. */
#include "client/connect.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/input.h"
#include "codec/codec.h"
#include "config/config.h"
#include "proto/address.h"
#include "tls/tls.h"

enum { CHUNK_BYTES = TLS_READ_CHUNK_BYTES, PEM_MAX_BYTES = 256 * 1024, PATH_BYTES = 512 };

struct connection {
    int fd;
    struct tls *tls; /* NULL on a local socket */
    struct tls_context *context;
    struct codec *codec;
    struct frames *frames;
    struct buf out;
};

/* ---- bytes ---- */

/* Waits until the socket is ready for `events`; ERR_TIMEOUT at the deadline. */
static enum err wait_ready(int fd, short events, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - clock_read().mono.ms;
        if (left <= 0) {
            return ERR_TIMEOUT;
        }
        struct pollfd entry = {.fd = fd, .events = events};
        int ready = poll(&entry, 1, left > INT32_MAX ? INT32_MAX : (int)left);
        if (ready > 0) {
            return ERR_OK;
        }
        if (ready < 0 && errno != EINTR) {
            return ERR_IO;
        }
    }
}

static enum err fail_lost(struct errmsg *msg, const char *why)
{
    return err_fail(msg, ERR_CLOSED, "the connection to the daemon is lost (%s)", why);
}

static enum err fail_wait(enum err err, struct errmsg *msg)
{
    return fail_lost(msg, err == ERR_TIMEOUT ? "it does not answer" : strerror(errno));
}

static enum err write_all(int fd, const uint8_t *data, size_t len, struct errmsg *msg)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = send(fd, data + done, len - done, MSG_NOSIGNAL);
        if (n > 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EAGAIN) {
            enum err err = wait_ready(fd, POLLOUT, clock_read().mono.ms + CONNECT_STALL_MS);
            if (err != ERR_OK) {
                return fail_wait(err, msg);
            }
        } else if (errno != EINTR) {
            return fail_lost(msg, strerror(errno));
        }
    }
    return ERR_OK;
}

/* At least one byte, at most `cap`. */
static enum err read_some(int fd, int64_t deadline_ms, uint8_t *data, size_t cap, size_t *len,
                          struct errmsg *msg)
{
    for (;;) {
        ssize_t n = recv(fd, data, cap, 0);
        if (n > 0) {
            *len = (size_t)n;
            return ERR_OK;
        }
        if (n == 0) {
            return fail_lost(msg, "it closed the connection");
        }
        if (errno == EAGAIN) {
            enum err err = wait_ready(fd, POLLIN, deadline_ms);
            if (err != ERR_OK) {
                return fail_wait(err, msg);
            }
        } else if (errno != EINTR) {
            return fail_lost(msg, strerror(errno));
        }
    }
}

/* ---- TLS ---- */

static enum err tls_flush(struct connection *connection, struct errmsg *msg)
{
    uint8_t chunk[CHUNK_BYTES];
    size_t n;
    while ((n = tls_take(connection->tls, chunk, sizeof chunk)) > 0) {
        TRY(write_all(connection->fd, chunk, n, msg));
    }
    return ERR_OK;
}

/* Takes ciphertext in; what the engine has to say about an error goes out before. That it cannot is
 * no error by itself: what came in may say why the other side is gone. */
static enum err tls_fill(struct connection *connection, int64_t deadline_ms, struct errmsg *msg)
{
    uint8_t chunk[CHUNK_BYTES];
    size_t n;
    TRY(read_some(connection->fd, deadline_ms, chunk, sizeof chunk, &n, msg));
    enum err err = tls_feed(connection->tls, chunk, n, msg);
    enum err sent = tls_flush(connection, NULL);
    (void)sent;
    return err == ERR_CLOSED ? fail_lost(msg, "it closed the connection") : err;
}

static enum err handshake(struct connection *connection, struct errmsg *msg)
{
    int64_t deadline_ms = clock_read().mono.ms + CONNECT_TIMEOUT_MS;
    bool done = false;
    while (!done) {
        enum err err = tls_handshake(connection->tls, &done, msg);
        enum err sent = tls_flush(connection, err == ERR_OK ? msg : NULL);
        TRY(err);
        TRY(sent);
        if (!done) {
            TRY(tls_fill(connection, deadline_ms, msg));
        }
    }
    const struct tls_peer *peer = tls_peer(connection->tls);
    if (strncmp(peer->common_name, "node:", 5) != 0) {
        return err_fail(msg, ERR_AUTH, "who answers has no node's certificate but that of \"%s\"",
                        peer->common_name);
    }
    return ERR_OK;
}

/* One of the files with which a client proves who it is. */
static enum err credential_read(const char *given, const char *data, const char *name,
                                const char *option, struct buf *out, struct errmsg *msg)
{
    char path[PATH_BYTES];
    if (given[0] == '\0' && data[0] == '\0') {
        return err_fail(
            msg, ERR_USAGE,
            "--node needs a client certificate: give --data DIR of a node of the tree, or "
            "--cert, --cert-key and --root");
    }
    int used = given[0] != '\0' ? snprintf(path, sizeof path, "%s", given)
                                : snprintf(path, sizeof path, "%s/%s", data, name);
    if (used < 0 || (size_t)used >= sizeof path) {
        return err_fail(msg, ERR_USAGE, "the path of %s is too long", name);
    }
    enum err err = input_read(path, out, msg);
    if (err != ERR_OK) {
        struct errmsg why = *msg;
        return err_fail(msg, ERR_USAGE, "%.400s; name the right file with --%s", why.text, option);
    }
    return ERR_OK;
}

static enum err context_make(const struct endpoint *endpoint, struct tls_context **out,
                             struct errmsg *msg)
{
    struct buf cert;
    struct buf key;
    struct buf root;
    buf_init(&cert, PEM_MAX_BYTES);
    buf_init(&key, PEM_MAX_BYTES);
    buf_init(&root, PEM_MAX_BYTES);
    const char *data = endpoint->data;
    enum err err = credential_read(endpoint->cert, data, "admin.crt", "cert", &cert, msg);
    if (err == ERR_OK) {
        err = credential_read(endpoint->cert_key, data, "admin.key", "cert-key", &key, msg);
    }
    if (err == ERR_OK) {
        err = credential_read(endpoint->root, data, "root.crt", "root", &root, msg);
    }
    if (err == ERR_OK) {
        err = tls_client_context(buf_bytes(&cert), buf_bytes(&key), buf_bytes(&root), out, msg);
    }
    if (key.data != NULL) {
        explicit_bzero(key.data, key.len);
    }
    buf_deinit(&cert);
    buf_deinit(&key);
    buf_deinit(&root);
    return err;
}

/* ---- TCP ---- */

/* One address of a host; -1 with errno. */
static int tcp_try(const struct addrinfo *address)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -1;
    }
    int error = 0;
    if (connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        error = errno;
        if (error == EINPROGRESS) {
            socklen_t size = sizeof error;
            enum err err = wait_ready(fd, POLLOUT, clock_read().mono.ms + CONNECT_TIMEOUT_MS);
            error = ETIMEDOUT;
            if (err == ERR_OK && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
                error = errno;
            }
        }
    }
    if (error != 0) {
        (void)close(fd);
        errno = error;
        return -1;
    }
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

static enum err tcp_open(const char *node, int *out, struct errmsg *msg)
{
    char host[ADDRESS_MAX_BYTES + 1];
    char service[16];
    int port;
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_ADDRCONFIG};
    struct addrinfo *found = NULL;
    TRY(address_parse(node, host, &port, msg));
    (void)snprintf(service, sizeof service, "%d", port);
    int code = getaddrinfo(host, service, &hints, &found);
    if (code != 0) {
        return err_fail(msg, ERR_UNREACHABLE, "cannot find the host %s: %s; check --node", host,
                        code == EAI_SYSTEM ? strerror(errno) : gai_strerror(code));
    }
    int fd = -1;
    for (const struct addrinfo *at = found; at != NULL && fd < 0; at = at->ai_next) {
        fd = tcp_try(at);
    }
    int error = errno;
    freeaddrinfo(found);
    if (fd < 0) {
        return err_fail(
            msg, ERR_UNREACHABLE,
            "cannot reach a node at %s: %s; check the address, and that tallyd runs there", node,
            strerror(error));
    }
    *out = fd;
    return ERR_OK;
}

/* ---- the local socket ---- */

static enum err fail_socket(const struct endpoint *endpoint, const char *path, int error,
                            struct errmsg *msg)
{
    struct stat info;
    bool given = endpoint->data[0] != '\0';
    if (given && stat(endpoint->data, &info) != 0 && errno == ENOENT) {
        return err_fail(msg, ERR_UNREACHABLE, "there is no data directory %.300s; check --data",
                        endpoint->data);
    }
    if (error == EACCES || error == EPERM) {
        return err_fail(
            msg, ERR_UNREACHABLE,
            "you may not use the daemon's socket %.300s; become its user or a member of "
            "its group",
            path);
    }
    if (error != ENOENT && error != ECONNREFUSED) {
        return err_fail(msg, ERR_UNREACHABLE, "cannot reach the daemon at %.300s: %s", path,
                        strerror(error));
    }
    if (given) {
        return err_fail(msg, ERR_UNREACHABLE,
                        "no daemon is running at %.200s; start it with: tallyd run --data %.200s",
                        path, endpoint->data);
    }
    return err_fail(
        msg, ERR_UNREACHABLE,
        "no daemon is running at %s; start tallyd, or name a node with --data or --node", path);
}

static enum err unix_open(const struct endpoint *endpoint, int *out, struct errmsg *msg)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    bool given = endpoint->data[0] != '\0';
    int used =
        given ? snprintf(address.sun_path, sizeof address.sun_path, "%s/%s", endpoint->data,
                         CONNECT_SOCKET_NAME)
              : snprintf(address.sun_path, sizeof address.sun_path, "%s", CONNECT_DEFAULT_SOCKET);
    if (used < 0 || (size_t)used >= sizeof address.sun_path) {
        return err_fail(msg, ERR_USAGE,
                        "the path %.200s is too long for a socket (at most %zu bytes with /%s)",
                        endpoint->data, sizeof address.sun_path - 1, CONNECT_SOCKET_NAME);
    }
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return err_fail(msg, ERR_IO, "cannot make a socket: %s", strerror(errno));
    }
    /* Connecting blocks while the daemon's queue is full; only then does it take time. */
    struct timeval limit = {.tv_sec = CONNECT_TIMEOUT_MS / 1000};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if (connect(fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        int error = errno;
        (void)close(fd);
        return fail_socket(endpoint, address.sun_path, error, msg);
    }
    *out = fd;
    return ERR_OK;
}

/* ---- the connection ---- */

static enum err secure(const struct endpoint *endpoint, struct connection *connection,
                       struct errmsg *msg)
{
    connection->tls = tls_connect_new(connection->context, TLS_CLIENT);
    if (connection->tls == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "out of memory");
    }
    enum err err = handshake(connection, msg);
    return err == ERR_OK ? ERR_OK : err_prefix(msg, err, "no TLS session with %s", endpoint->node);
}

static enum err open_all(const struct endpoint *endpoint, struct connection *connection,
                         struct errmsg *msg)
{
    bool remote = endpoint->node[0] != '\0';
    connection->codec = codec_new(false);
    connection->frames = frames_new();
    if (connection->codec == NULL || connection->frames == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "out of memory");
    }
    if (remote) {
        TRY(context_make(endpoint, &connection->context, msg));
        TRY(tcp_open(endpoint->node, &connection->fd, msg));
        TRY(secure(endpoint, connection, msg));
    } else {
        TRY(unix_open(endpoint, &connection->fd, msg));
    }
    frames_set_limit(connection->frames, FRAME_MAX_BYTES);
    return ERR_OK;
}

enum err connection_open(const struct endpoint *endpoint, struct connection **out,
                         struct errmsg *msg)
{
    struct connection *connection = calloc(1, sizeof *connection);
    if (connection == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "out of memory");
    }
    connection->fd = -1;
    buf_init(&connection->out, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    enum err err = open_all(endpoint, connection, msg);
    if (err != ERR_OK) {
        connection_close(connection);
        return err;
    }
    *out = connection;
    return ERR_OK;
}

void connection_close(struct connection *connection)
{
    if (connection == NULL) {
        return;
    }
    if (connection->tls != NULL) {
        tls_close(connection->tls);
        (void)tls_flush(connection, NULL);
        tls_free(connection->tls);
    }
    if (connection->context != NULL) {
        tls_context_free(connection->context);
    }
    if (connection->codec != NULL) {
        codec_free(connection->codec);
    }
    if (connection->frames != NULL) {
        frames_free(connection->frames);
    }
    if (connection->fd >= 0) {
        (void)close(connection->fd);
    }
    buf_deinit(&connection->out);
    free(connection);
}

enum err connection_send(struct connection *connection, const struct message *message,
                         struct errmsg *msg)
{
    buf_clear(&connection->out);
    TRY(codec_encode(connection->codec, message, &connection->out, msg));
    if (connection->tls == NULL) {
        return write_all(connection->fd, connection->out.data, connection->out.len, msg);
    }
    TRY(tls_write(connection->tls, connection->out.data, connection->out.len, msg));
    return tls_flush(connection, msg);
}

/* Moves bytes from the network to the frames. */
static enum err bytes_take(struct connection *connection, int64_t deadline_ms, struct errmsg *msg)
{
    uint8_t chunk[CHUNK_BYTES];
    size_t n = 0;
    if (connection->tls == NULL) {
        TRY(read_some(connection->fd, deadline_ms, chunk, sizeof chunk, &n, msg));
        return frames_push(connection->frames, chunk, n, msg);
    }
    TRY(tls_read(connection->tls, chunk, sizeof chunk, &n, msg));
    if (n == 0) {
        return tls_fill(connection, deadline_ms, msg);
    }
    return frames_push(connection->frames, chunk, n, msg);
}

enum err connection_receive(struct connection *connection, int64_t timeout_ms, struct arena *arena,
                            struct message *out, struct errmsg *msg)
{
    int64_t deadline_ms = clock_read().mono.ms + timeout_ms;
    struct bytes body;
    while (!frames_next(connection->frames, &body)) {
        TRY(bytes_take(connection, deadline_ms, msg));
    }
    return codec_decode(connection->codec, body, arena, out, msg);
}

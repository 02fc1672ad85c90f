/* The link: sockets, TLS, frames, the hello, and what the parent answers. */
#include <arpa/inet.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "liar.h"
#include "proto/address.h"

enum {
    FILE_MAX_BYTES = 1 << 18,
    HEAR_LIMIT_MS = 15000,
    IDLE_LIMIT_MS = 300000,
    CHUNK_BYTES = 16384
};

/* ---- who it is ---- */

static void read_into(const char *data, const char *name, struct buf *out)
{
    char path[PATH_BYTES];
    struct errmsg why;
    buf_init(out, FILE_MAX_BYTES);
    bool whole = strchr(name, '/') != NULL;
    (void)snprintf(path, sizeof path, "%s%s%s", whole ? "" : data, whole ? "" : "/", name);
    if (file_read(path, out, &why) != ERR_OK) {
        die("%s", why.text);
    }
}

static void subject_part(X509 *x, int nid, size_t skip, struct id *out)
{
    char text[TLS_NAME_BYTES];
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(x), nid, text, sizeof text);
    if (len < (int)skip || hex_decode(text + skip, out->b, ID_BYTES) != ERR_OK) {
        die("the certificate is not a node's");
    }
}

void link_identity(struct liar *liar)
{
    struct buf text;
    read_into(liar->data, "node.crt", &text);
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (x == NULL) {
        die("no certificate");
    }
    subject_part(x, NID_organizationName, 0, &liar->tree);
    subject_part(x, NID_commonName, strlen("node:"), &liar->node);
    X509_free(x);
    BIO_free(bio);
    buf_deinit(&text);
    read_into(liar->data, "node.key", &text);
    bio = BIO_new_mem_buf(text.data, (int)text.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    size_t len = HASH_BYTES;
    if (key == NULL || EVP_PKEY_get_raw_public_key(key, liar->public_key.b, &len) != 1) {
        die("no key");
    }
    liar->key = key;
    BIO_free(bio);
    buf_deinit(&text);
}

struct hash link_key_of(const char *path)
{
    struct buf text;
    struct hash key;
    size_t len = HASH_BYTES;
    read_into("", path, &text);
    BIO *bio = BIO_new_mem_buf(text.data, (int)text.len);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    if (x == NULL || EVP_PKEY_get_raw_public_key(X509_get0_pubkey(x), key.b, &len) != 1) {
        die("%s has no key", path);
    }
    X509_free(x);
    BIO_free(bio);
    buf_deinit(&text);
    return key;
}

void link_sign(struct liar *liar, struct signed_heads *heads)
{
    struct buf bytes;
    size_t len = SIGNATURE_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    buf_init(&bytes, FRAME_MAX_BYTES);
    heads->key = liar->public_key;
    signed_heads_bytes(heads, &bytes);
    if (ctx == NULL || bytes.failed || EVP_DigestSignInit(ctx, NULL, NULL, NULL, liar->key) != 1 ||
        EVP_DigestSign(ctx, heads->signature.b, &len, bytes.data, bytes.len) != 1) {
        die("cannot sign");
    }
    EVP_MD_CTX_free(ctx);
    buf_deinit(&bytes);
}

/* ---- sockets and TLS ---- */

static bool flush_out(struct liar *liar)
{
    char chunk[CHUNK_BYTES];
    while (tls_pending(liar->tls) > 0) {
        size_t n = tls_take(liar->tls, chunk, sizeof chunk);
        for (size_t at = 0; at < n;) {
            ssize_t sent = send(liar->fd, chunk + at, n - at, MSG_NOSIGNAL);
            if (sent <= 0) {
                return false;
            }
            at += (size_t)sent;
        }
    }
    return true;
}

/* Waits for ciphertext; false at the limit. *closed when the other side has ended. */
static bool wait_in(struct liar *liar, int limit_ms, bool *closed)
{
    char chunk[CHUNK_BYTES];
    struct pollfd wait = {.fd = liar->fd, .events = POLLIN};
    *closed = false;
    if (poll(&wait, 1, limit_ms) <= 0) {
        return false;
    }
    ssize_t n = recv(liar->fd, chunk, sizeof chunk, 0);
    *closed = n <= 0 || tls_feed(liar->tls, chunk, (size_t)n, NULL) != ERR_OK;
    return true;
}

static int dial(const char *address)
{
    char host[ADDRESS_MAX_BYTES + 1];
    int port;
    struct errmsg why;
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (address_parse(address, host, &port, &why) != ERR_OK ||
        inet_pton(AF_INET, host, &to.sin_addr) != 1) {
        die("%s is no address", address);
    }
    to.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = HEAR_LIMIT_MS / 1000};
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) != 0) {
        die("cannot connect to %s", address);
    }
    return fd;
}

static struct tls_context *context_of(struct liar *liar, const char *chain, const char *key)
{
    struct tls_context *context = NULL;
    struct errmsg why = {{0}};
    struct buf root;
    read_into(liar->data, "root.crt", &root);
    enum err err;
    if (chain == NULL) {
        BIO *bio = BIO_new_mem_buf(root.data, (int)root.len);
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        struct hash fingerprint;
        unsigned len = HASH_BYTES;
        if (x == NULL || X509_digest(x, EVP_sha256(), fingerprint.b, &len) != 1) {
            die("no root certificate");
        }
        X509_free(x);
        BIO_free(bio);
        err = tls_join_context(&fingerprint, &context, &why);
    } else {
        struct buf chain_text;
        struct buf key_text;
        read_into(liar->data, chain, &chain_text);
        read_into(liar->data, key, &key_text);
        err = tls_client_context((struct bytes){chain_text.data, chain_text.len},
                                 (struct bytes){key_text.data, key_text.len},
                                 (struct bytes){root.data, root.len}, &context, &why);
        buf_deinit(&chain_text);
        buf_deinit(&key_text);
    }
    buf_deinit(&root);
    if (err != ERR_OK) {
        die("%s", why.text);
    }
    return context;
}

bool link_connect(struct liar *liar, const char *chain, const char *key)
{
    struct errmsg why = {{0}};
    bool done = false;
    bool closed = false;
    liar->context = context_of(liar, chain, key);
    liar->tls = tls_connect_new(liar->context, TLS_LINK);
    liar->codec = codec_new(true);
    liar->frames = frames_new();
    if (liar->tls == NULL || liar->codec == NULL || liar->frames == NULL) {
        die("no memory");
    }
    frames_set_limit(liar->frames, FRAME_MAX_BYTES);
    liar->fd = dial(liar->address);
    liar->open = true;
    liar->batches = 0;
    while (!done && !closed) {
        if (tls_handshake(liar->tls, &done, &why) != ERR_OK || !flush_out(liar)) {
            return false;
        }
        if (!done && !wait_in(liar, HEAR_LIMIT_MS, &closed)) {
            die("no handshake");
        }
    }
    return done;
}

void link_close(struct liar *liar)
{
    if (!liar->open) {
        return;
    }
    tls_close(liar->tls);
    (void)flush_out(liar);
    (void)close(liar->fd);
    tls_free(liar->tls);
    tls_context_free(liar->context);
    codec_free(liar->codec);
    frames_free(liar->frames);
    liar->open = false;
    liar->fd = -1;
}

bool link_say_bytes(struct liar *liar, const void *data, size_t len)
{
    return tls_write(liar->tls, data, len, NULL) == ERR_OK && flush_out(liar);
}

bool link_say(struct liar *liar, const struct message *message)
{
    struct buf frame;
    struct errmsg why = {{0}};
    buf_init(&frame, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    if (codec_encode(liar->codec, message, &frame, &why) != ERR_OK) {
        die("%s", why.text);
    }
    bool said = link_say_bytes(liar, frame.data, frame.len);
    buf_deinit(&frame);
    return said;
}

/* ---- answers ---- */

static enum heard tell_closed(const char *why)
{
    (void)printf("{\"answer\":\"closed\",\"text\":\"%s\"}\n", why);
    return HEARD_CLOSED;
}

static void tell_ack(const struct msg_ack *ack)
{
    (void)printf("{\"answer\":\"ack\",\"refused\":%lld,\"reasons\":[",
                 (long long)ack->refused_total);
    for (size_t i = 0; i < ack->refused_count; i++) {
        (void)printf("%s%d", i == 0 ? "" : ",", (int)ack->refused[i].reason);
    }
    (void)printf("],\"held\":%lld,\"escrow\":%llu,\"unequal\":%zu}\n", (long long)ack->held,
                 ack->escrow_count == 0 ? 0ULL : (unsigned long long)ack->escrow[0].length,
                 ack->unequal_count);
}

/* What needs no answer of a scenario is dealt with here. */
static enum heard take(struct liar *liar, const struct message *message)
{
    struct message answer = {.type = MESSAGE_ACK};
    switch (message->type) {
    case MESSAGE_ACK:
        tell_ack(&message->u.ack);
        return HEARD_ACK;
    case MESSAGE_WELCOME:
        (void)printf("{\"answer\":\"welcome\",\"unit\":\"%s\",\"escrow\":%llu}\n",
                     message->u.welcome.unit,
                     message->u.welcome.escrow_count == 0
                         ? 0ULL
                         : (unsigned long long)message->u.welcome.escrow[0].length);
        return HEARD_WELCOME;
    case MESSAGE_REFUSE:
        (void)printf("{\"answer\":\"refuse\",\"code\":%d,\"text\":\"%s\"}\n",
                     (int)message->u.refuse.code, message->u.refuse.text);
        return HEARD_REFUSE;
    case MESSAGE_BATCH:
        answer.u.ack.number = message->u.batch.number;
        answer.u.ack.upto = message->u.batch.upto;
        (void)link_say(liar, &answer);
        return HEARD_SILENCE;
    case MESSAGE_PING:
        answer = (struct message){.type = MESSAGE_PING};
        answer.u.ping = (struct msg_ping){.answer = true, .nonce = message->u.ping.nonce};
        if (!message->u.ping.answer) {
            (void)link_say(liar, &answer);
        }
        return HEARD_SILENCE;
    case MESSAGE_CATALOGUE:
        return HEARD_SILENCE;
    case MESSAGE_HELLO:
    case MESSAGE_JOIN:
    case MESSAGE_JOINED:
    case MESSAGE_REQUEST:
    case MESSAGE_REPLY:
    case MESSAGE_BUNDLE:
    case MESSAGE_TYPE_COUNT:
        break;
    }
    die("the parent said a %s", message_name(message->type));
}

/* One message of those that have come; HEARD_SILENCE when there is none that a scenario asked for.
 */
static enum heard next(struct liar *liar)
{
    static char plain[TLS_READ_CHUNK_BYTES];
    for (;;) {
        struct bytes body;
        struct errmsg why = {{0}};
        if (frames_next(liar->frames, &body)) {
            struct message message;
            arena_reset(&liar->arena);
            if (codec_decode(liar->codec, body, &liar->arena, &message, &why) != ERR_OK) {
                die("the parent broke the protocol: %s", why.text);
            }
            enum heard heard = take(liar, &message);
            if (heard != HEARD_SILENCE) {
                return heard;
            }
            continue;
        }
        size_t n = 0;
        enum err err = tls_read(liar->tls, plain, sizeof plain, &n, &why);
        if (err != ERR_OK) {
            return tell_closed(err == ERR_CLOSED ? "the peer closed" : "TLS");
        }
        if (n == 0) {
            return HEARD_SILENCE;
        }
        if (frames_push(liar->frames, plain, n, &why) != ERR_OK) {
            die("the parent broke the protocol: %s", why.text);
        }
    }
}

static int64_t mono_ms(void)
{
    return clock_read().mono.ms;
}

enum heard link_hear(struct liar *liar)
{
    int64_t end = mono_ms() + HEAR_LIMIT_MS;
    for (;;) {
        enum heard heard = next(liar);
        bool closed = false;
        if (heard != HEARD_SILENCE) {
            return heard;
        }
        int64_t left = end - mono_ms();
        if (left <= 0 || !wait_in(liar, (int)left, &closed)) {
            (void)printf("{\"answer\":\"silence\"}\n");
            return HEARD_SILENCE;
        }
        if (closed) {
            return tell_closed("the connection ended");
        }
    }
}

void link_idle(struct liar *liar, char line[PATH_BYTES])
{
    int64_t end = mono_ms() + IDLE_LIMIT_MS;
    size_t len = 0;
    for (;;) {
        struct pollfd wait[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                 {.fd = liar->open ? liar->fd : -1, .events = POLLIN}};
        if (mono_ms() > end || poll(wait, 2, (int)(end - mono_ms())) <= 0) {
            die("nobody said go");
        }
        if (wait[0].revents != 0) {
            ssize_t n = read(STDIN_FILENO, line + len, PATH_BYTES - len);
            len += n > 0 ? (size_t)n : 0;
            if (n <= 0 || len == PATH_BYTES) {
                die("nobody said go");
            }
            if (line[len - 1] == '\n') {
                line[len - 1] = '\0';
                return;
            }
            continue;
        }
        bool closed = false;
        (void)wait_in(liar, 0, &closed);
        if (closed || next(liar) != HEARD_SILENCE) {
            die("the parent ended the link of an honest child");
        }
    }
}

/* ---- hello ---- */

void hello_make(struct liar *liar, struct message *message)
{
    *message = (struct message){.type = MESSAGE_HELLO};
    liar->stated = (struct feed_mark){liar->session, INT64_MAX};
    message->u.hello = (struct msg_hello){.protocol_min = PROTOCOL_MIN,
                                          .protocol_max = PROTOCOL_MAX,
                                          .software = "liar",
                                          .tree = liar->tree,
                                          .node = liar->node,
                                          .origin = liar->origin,
                                          .sessions = &liar->stated,
                                          .session_count = 1,
                                          .heads = &liar->head,
                                          .head_count = liar->head.length > 0 ? 1 : 0};
}

enum heard link_hello(struct liar *liar)
{
    struct message hello;
    if (!link_connect(liar, "node.crt", "node.key")) {
        die("the handshake failed");
    }
    hello_make(liar, &hello);
    (void)link_say(liar, &hello);
    return link_hear(liar);
}

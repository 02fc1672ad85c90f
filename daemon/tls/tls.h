/* The TLS engine: TLS 1.3 over two memory buffers, without sockets. Ciphertext from the network is
 * given in, ciphertext for the network is taken out; plaintext likewise. Mutual certificates, ALPN,
 * no session tickets, no resumption, no early data. Identity is matched once, when the handshake
 * ends. This module knows certificates and bytes, not frames and not nodes. A context may be shared
 * by the connections of one thread. */
#ifndef TALLY_TLS_H
#define TALLY_TLS_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

/* What the connection is for; the ALPN protocol name says it on the wire. */
enum tls_purpose { TLS_LINK = 1, TLS_CLIENT = 2, TLS_JOIN = 3, TLS_RENEW = 4 };

enum { TLS_NAME_BYTES = 128, TLS_READ_CHUNK_BYTES = 16 * 1024 };

/* Who the peer is, from its verified certificate. The purpose is 0 where there was no connection.
 */
struct tls_peer {
    enum tls_purpose purpose;
    bool has_certificate;
    char common_name[TLS_NAME_BYTES];  /* "node:<32 hex>" or "client:<name>" */
    char organisation[TLS_NAME_BYTES]; /* the tree: 32 hex */
    char role[TLS_NAME_BYTES]; /* organisational unit: "reader", "recorder", "admin" of a client;
                                  of a node the code of its unit */
    int64_t number;            /* of a node's hosting; 0: it says none */
    bool above;             /* unit by unit up to the root, its chain is that which signed the own
                             * certificate: it is the unit above, whatever its key */
    struct hash key;        /* Ed25519 public key */
    struct hash issuer_key; /* of the certificate that signed it */
    struct hash root;       /* SHA-256 of the root certificate (DER) that ended the chain */
};

struct tls_context;
struct tls;

/* A server context: PEM chain (own certificate first, root last) and private key, and the root
 * certificate to trust (PEM). Accepts all purposes; link, client and renew connections without a
 * certificate that leads to the root fail the handshake, join connections need none. On a renew
 * connection neither side looks at the times of certificates: it is there for those that have
 * expired, and for clocks that are wrong. */
enum err tls_server_context(struct bytes chain, struct bytes key, struct bytes root,
                            struct tls_context **out, struct errmsg *msg) MUST_CHECK;

/* A client context for link, client and renew connections: as above. */
enum err tls_client_context(struct bytes chain, struct bytes key, struct bytes root,
                            struct tls_context **out, struct errmsg *msg) MUST_CHECK;

/* A client context for a join: no certificate; the server's chain must contain a root certificate
 * whose SHA-256 is `root`, and verify up to it. */
enum err tls_join_context(const struct hash *root, struct tls_context **out, struct errmsg *msg)
    MUST_CHECK;

void tls_context_free(struct tls_context *context);

/* One connection; it keeps a reference to the context. NULL when memory ends. */
struct tls *tls_accept_new(struct tls_context *context);
struct tls *tls_connect_new(struct tls_context *context, enum tls_purpose purpose);
void tls_free(struct tls *tls);

/* The time at which the peer's certificates must be valid, instead of this machine's clock; before
 * the handshake. */
void tls_verify_at(struct tls *tls, struct wall now);

/* Gives ciphertext from the network. ERR_AUTH when the peer's certificate is not accepted,
 * ERR_PROTOCOL for any other TLS failure, ERR_CLOSED after a clean close. An alert for the peer may
 * wait in tls_pending afterwards. */
enum err tls_feed(struct tls *tls, const void *data, size_t len, struct errmsg *msg) MUST_CHECK;

/* Moves the handshake on; call first on the connecting side. *done when it has ended, successfully.
 */
enum err tls_handshake(struct tls *tls, bool *done, struct errmsg *msg) MUST_CHECK;

/* Reads plaintext; *len 0 when there is none now. */
enum err tls_read(struct tls *tls, void *out, size_t cap, size_t *len, struct errmsg *msg)
    MUST_CHECK;

/* Encrypts all of `data` into the outgoing ciphertext; only after the handshake. */
enum err tls_write(struct tls *tls, const void *data, size_t len, struct errmsg *msg) MUST_CHECK;

/* Sends close_notify into the outgoing ciphertext. */
void tls_close(struct tls *tls);

/* Ciphertext that waits to be sent: takes up to `cap` bytes out. */
size_t tls_pending(const struct tls *tls);
size_t tls_take(struct tls *tls, void *out, size_t cap);

/* After the handshake. */
const struct tls_peer *tls_peer(const struct tls *tls);

/* Who made what was not said on a connection, from the chain (PEM, own certificate first) that came
 * with it; that it has the key is checked elsewhere. The chain must lead to `root` (PEM), as on a
 * connection but without a look at times: it may be read long after, and clocks are wrong. `above`
 * is told by `own_chain`, as for a connection with that chain. A client's certificate is as good
 * here as a node's: the common name says which it is. ERR_AUTH when the chain is none or does not
 * lead there, or is of no node or client; ERR_INVALID: `own_chain` or `root` cannot be read;
 * ERR_NO_MEMORY. */
enum err tls_peer_of_chain(struct bytes chain, struct bytes own_chain, struct bytes root,
                           struct tls_peer *out, struct errmsg *msg) MUST_CHECK;

/* RFC 5705/8446 exporter value with label "EXPORTER-tally-join", 32 bytes, bound to this session.
 */
enum err tls_exporter(struct tls *tls, struct hash *out, struct errmsg *msg) MUST_CHECK;

#endif

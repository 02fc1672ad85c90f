/* Who a peer is, from certificates: the end of a handshake, and a chain that came in a file, are
 * read by the same code. For this folder alone. */
#ifndef TALLY_TLS_PEER_H
#define TALLY_TLS_PEER_H

#include <openssl/x509.h>

#include "tls/tls.h"

enum { PEER_CHAIN_MAX = 34 }; /* certificates, the root included */

/* The certificates of a PEM text, in order, up to what is none; the caller frees them. ERR_INVALID
 * when there is none, ERR_NO_MEMORY. */
enum err peer_read_chain(struct bytes pem, STACK_OF(X509) * *out) MUST_CHECK;

/* SHA-256 of the DER form; false for NULL. */
bool peer_fingerprint(const X509 *x, struct hash *out);

/* Fills all but the purpose from a verified chain, the peer's own certificate first, root last.
 * `own` are the certificates above the own one, root last, or NULL: `above` is then false.
 * ERR_AUTH: a key is of another kind. */
enum err peer_from_chain(struct tls_peer *peer, STACK_OF(X509) * chain, STACK_OF(X509) * own,
                         struct errmsg *msg) MUST_CHECK;

#endif

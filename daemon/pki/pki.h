/* Keys and certificates: Ed25519 keys, the tree's root CA, requests, certificates for nodes, their
 * CAs and clients, and signatures over bytes. Certificates name tree and node, never a place. All
 * material goes in and out as PEM or DER in buffers; private keys also as files with mode 0600.
 * Nothing here decides who may join. */
#ifndef TALLY_PKI_H
#define TALLY_PKI_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/err.h"

enum { PKI_FILE_MAX_BYTES = 256 * 1024 };

/* Names of the files in a data directory. */
#define PKI_NODE_KEY "node.key"
#define PKI_NODE_CHAIN "node.crt" /* node certificate, then the issuing CAs, root last */
#define PKI_CA_KEY "ca.key"
#define PKI_CA_CHAIN "ca.crt" /* own CA certificate, then the issuing CAs, root last */
#define PKI_ROOT "root.crt"
#define PKI_ADMIN_KEY "admin.key"
#define PKI_ADMIN_CHAIN "admin.crt"

struct pki_key; /* an Ed25519 private key */

enum err pki_key_generate(struct pki_key **out, struct errmsg *msg) MUST_CHECK;
enum err pki_key_load(const char *path, struct pki_key **out, struct errmsg *msg) MUST_CHECK;
enum err pki_key_save(const struct pki_key *key, const char *path, struct errmsg *msg) MUST_CHECK;
void pki_key_free(struct pki_key *key);
struct hash pki_key_public(const struct pki_key *key);

enum err pki_sign(const struct pki_key *key, const void *data, size_t len, struct signature *out)
    MUST_CHECK;
bool pki_verify(const struct hash *public_key, const void *data, size_t len,
                const struct signature *signature);

/* The root CA's own certificate (PEM into `out`), valid from a day before `now` (clocks are wrong)
 * for 30 years. */
enum err pki_root_certificate(const struct pki_key *ca, const struct id *tree, struct wall now,
                              struct buf *out, struct errmsg *msg) MUST_CHECK;

/* A PKCS#10 request (DER into `out`), which proves possession of the key. */
enum err pki_request(const struct pki_key *key, struct buf *out, struct errmsg *msg) MUST_CHECK;

/* Checks a request's own signature and that its key is Ed25519; gives the key. ERR_INVALID
 * otherwise. */
enum err pki_request_key(struct bytes request, struct hash *key, struct errmsg *msg) MUST_CHECK;

enum pki_role { PKI_NODE, PKI_NODE_CA, PKI_CLIENT };

struct pki_subject {
    enum pki_role role;
    struct id tree;
    struct id node;          /* of the node or CA */
    const char *client_name; /* PKI_CLIENT: CN is "client:<name>" */
    const char *client_role; /* PKI_CLIENT: OU: "reader", "recorder" or "admin" */
    const char *unit;        /* node or CA: OU: the unit's code; NULL: none */
    int64_t number;          /* node or CA: serialNumber: of its hosting; 0: none */
    struct hash key;         /* the public key to certify */
};

/* A certificate signed by the CA whose key and PEM chain (own certificate first, root last) are
 * given; the result (PEM into `out`) is the new certificate followed by that chain. Node: CN
 * "node:<hex>", O "<tree hex>", client and server authentication. Node CA: CN "ca:<hex>", CA:TRUE,
 * keyCertSign. Of a unit's node and CA the OU is the unit's code, and the serialNumber that of the
 * hosting, so that who knows the offices above it knows a new machine of one of them. Nodes
 * and clients are valid for 825 days, CAs for 30 years, from a day before `now`. Serial numbers are
 * random. */
enum err pki_issue(const struct pki_key *ca, struct bytes ca_chain,
                   const struct pki_subject *subject, struct wall now, struct buf *out,
                   struct errmsg *msg) MUST_CHECK;

/* Of the last certificate of a PEM chain (the root): SHA-256 of its DER form, and its PEM text into
 * `out` (may be NULL). Of the first: its public key. */
enum err pki_chain_root(struct bytes chain, struct hash *fingerprint, struct buf *out,
                        struct errmsg *msg) MUST_CHECK;
enum err pki_chain_key(struct bytes chain, struct hash *key, struct errmsg *msg) MUST_CHECK;

/* Whether the first certificate of a PEM chain should be renewed at that time: it is past two
 * thirds of its life, or its life has not begun (a clock was wrong), or it cannot be read. */
bool pki_chain_ages(struct bytes chain, struct wall now);

#endif

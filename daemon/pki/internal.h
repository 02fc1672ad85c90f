/* What the files of this folder share and nobody else sees: the key itself, what went wrong in the
 * library, and the keys of a sealed file. */
#ifndef TALLY_PKI_INTERNAL_H
#define TALLY_PKI_INTERNAL_H

#include <openssl/types.h>

#include "pki/pki.h"

struct pki_key {
    EVP_PKEY *pkey;
    struct hash public_key; /* kept, since the library needs memory to tell it */
};

/* Whether a call of the library that failed did so for lack of memory, by its queue of errors: what
 * it calls fatal there is that or follows from it, and some of it leaves nothing at all there,
 * while bytes that are wrong always leave their reason. The queue is cleared. */
bool pki_no_memory(void);

/* As pki_verify: ERR_AUTH when the signature does not fit, ERR_NO_MEMORY when that could not be
 * found out. */
enum err pki_check(const struct hash *public_key, const void *data, size_t len,
                   const struct signature *signature) MUST_CHECK;

/* ---- the keys of a sealed file (seal_key.c); the form is told in proto/PROTOCOL.md ---- */

#define SEAL_MAGIC "TALLYBDL"
#define SEAL_LABEL "tally-bundle"

enum {
    SEAL_MAGIC_BYTES = 8,
    SEAL_LABEL_BYTES = 12,
    SEAL_VERSION = 1,
    SEAL_HEADER_BYTES = SEAL_MAGIC_BYTES + 4 + HASH_BYTES
};

/* The X25519 public key that belongs to an Ed25519 public key. ERR_INVALID: there is none, or the
 * key is not written in the one way there is; ERR_NO_MEMORY. */
enum err seal_key_map(const struct hash *ed25519, struct hash *x25519) MUST_CHECK;

/* The X25519 key pair that belongs to an Ed25519 private key. The caller frees it; NULL: no memory.
 */
EVP_PKEY *seal_key_own(const struct pki_key *key);

/* For a new file: a one-time key, the header that shows it, and the key of the content, which the
 * caller cleanses. ERR_INVALID: nothing can be encrypted to this recipient; ERR_NO_MEMORY. */
enum err seal_key_make(const struct hash *recipient, uint8_t header[SEAL_HEADER_BYTES],
                       struct hash *content_key) MUST_CHECK;

/* The same key from a header that was read. ERR_AUTH: the one-time key is one that no file has;
 * ERR_NO_MEMORY. */
enum err seal_key_find(const struct pki_key *key, const uint8_t header[SEAL_HEADER_BYTES],
                       struct hash *content_key) MUST_CHECK;

/* ---- the chunks of a sealed file (seal_box.c) ---- */

enum { SEAL_SIGNED_BYTES = SEAL_LABEL_BYTES + HASH_BYTES };

/* The cipher, and the hash over header, recipient and content, which the caller feeds through
 * EVP_DigestUpdate with all of the content but the signature. */
struct seal_box {
    EVP_CIPHER_CTX *cipher;
    EVP_MD_CTX *digest;
    uint64_t number; /* of the next chunk */
};

/* For a box of zeros. False: no memory; seal_box_deinit is right then too, and for zeros. */
bool seal_box_init(struct seal_box *box, bool sealing, const struct hash *content_key,
                   const uint8_t header[SEAL_HEADER_BYTES], const struct hash *recipient)
    MUST_CHECK;
void seal_box_deinit(struct seal_box *box);

/* What the signature is over; once, when all has been fed. False: no memory. */
bool seal_box_signed(struct seal_box *box, uint8_t out[SEAL_SIGNED_BYTES]) MUST_CHECK;

/* Encrypts the next chunk into `out`, which has room for the tag too. False: no memory. */
bool seal_box_close(struct seal_box *box, const uint8_t *plain, size_t len, bool last, uint8_t *out)
    MUST_CHECK;

/* Decrypts the next chunk; `len` is with the tag, and `out` shares nothing with `sealed`. ERR_AUTH:
 * the tag does not fit, `out` is of no use, and the same chunk can be tried once more;
 * ERR_NO_MEMORY. */
enum err seal_box_open(struct seal_box *box, uint8_t *sealed, size_t len, bool last, uint8_t *out)
    MUST_CHECK;

#endif

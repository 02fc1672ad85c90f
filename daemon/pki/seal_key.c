/* 1. The writer makes an X25519 key for this one file and puts its public half into the header.
 * 2. The recipient's X25519 key is that which belongs to the Ed25519 key of its certificate: the
 *    same point of the same curve in other coordinates (RFC 7748, 4.1), and the same scalar.
 * 3. Both come to one shared secret, and from it, the header and the recipient to the content's
 *    key.
 *
 * Failures: of the library's calls here only the last of the agreement depends on what was given
 * to it (a one-time key of small order makes the secret zero, and the library refuses it); all
 * others fail only when memory ends. */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

#include "pki/internal.h"

enum { WIDE_BYTES = 64, INFO_BYTES = SEAL_LABEL_BYTES + SEAL_HEADER_BYTES + HASH_BYTES };

/* (1 + y) / (1 - y) modulo p; false: no memory. `scratch` may be changed. */
static bool map_coordinate(const BIGNUM *y, const BIGNUM *p, BIGNUM *scratch, BIGNUM *u,
                           BN_CTX *ctx)
{
    return BN_one(scratch) == 1 && BN_mod_add(u, scratch, y, p, ctx) == 1 &&
           BN_mod_sub(scratch, scratch, y, p, ctx) == 1 &&
           BN_mod_inverse(scratch, scratch, p, ctx) != NULL &&
           BN_mod_mul(u, u, scratch, p, ctx) == 1;
}

enum err seal_key_map(const struct hash *ed25519, struct hash *x25519)
{
    struct hash wire = *ed25519;
    struct hash mapped;
    enum err err = ERR_NO_MEMORY;
    wire.b[HASH_BYTES - 1] &= 0x7f; /* the sign of x, which u does not need */
    ERR_clear_error();
    BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p = BN_new();
    BIGNUM *y = BN_lebin2bn(wire.b, HASH_BYTES, NULL);
    BIGNUM *scratch = BN_new();
    BIGNUM *u = BN_new();
    if (ctx != NULL && p != NULL && y != NULL && scratch != NULL && u != NULL &&
        BN_set_bit(p, 255) == 1 && BN_sub_word(p, 19) == 1) {
        if (BN_cmp(y, p) >= 0 || BN_is_one(y)) {
            err = ERR_INVALID;
        } else if (map_coordinate(y, p, scratch, u, ctx) &&
                   BN_bn2lebinpad(u, mapped.b, HASH_BYTES) == HASH_BYTES) {
            *x25519 = mapped;
            err = ERR_OK;
        }
    }
    BN_free(u);
    BN_free(scratch);
    BN_free(y);
    BN_free(p);
    BN_CTX_free(ctx);
    ERR_clear_error();
    return err;
}

EVP_PKEY *seal_key_own(const struct pki_key *key)
{
    uint8_t seed[HASH_BYTES];
    uint8_t wide[WIDE_BYTES];
    size_t len = sizeof seed;
    EVP_PKEY *own = NULL;
    ERR_clear_error();
    if (EVP_PKEY_get_raw_private_key(key->pkey, seed, &len) == 1 && len == sizeof seed &&
        EVP_Digest(seed, sizeof seed, wide, NULL, EVP_sha512(), NULL) == 1) {
        wide[0] &= 0xf8;
        wide[HASH_BYTES - 1] &= 0x7f;
        wide[HASH_BYTES - 1] |= 0x40;
        own = EVP_PKEY_new_raw_private_key(EVP_PKEY_X25519, NULL, wide, HASH_BYTES);
    }
    OPENSSL_cleanse(seed, sizeof seed);
    OPENSSL_cleanse(wide, sizeof wide);
    ERR_clear_error();
    return own;
}

/* ERR_AUTH: the other key is of small order. The caller cleanses the secret, always. */
static enum err agree(EVP_PKEY *own, const struct hash *other, struct hash *secret)
{
    size_t len = HASH_BYTES;
    enum err err = ERR_NO_MEMORY;
    ERR_clear_error();
    EVP_PKEY *peer = EVP_PKEY_new_raw_public_key(EVP_PKEY_X25519, NULL, other->b, HASH_BYTES);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(own, NULL);
    if (peer != NULL && ctx != NULL && EVP_PKEY_derive_init(ctx) == 1 &&
        EVP_PKEY_derive_set_peer(ctx, peer) == 1) {
        bool agreed = EVP_PKEY_derive(ctx, secret->b, &len) == 1 && len == HASH_BYTES;
        err = agreed ? ERR_OK : pki_no_memory() ? ERR_NO_MEMORY : ERR_AUTH;
    }
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(peer);
    ERR_clear_error();
    return err;
}

/* HKDF-SHA-256 without a salt; the key goes with this header and this recipient only. */
static enum err derive(struct hash *secret, const uint8_t header[SEAL_HEADER_BYTES],
                       const struct hash *recipient_x25519, struct hash *content_key)
{
    uint8_t info[INFO_BYTES];
    memcpy(info, SEAL_LABEL, SEAL_LABEL_BYTES);
    memcpy(info + SEAL_LABEL_BYTES, header, SEAL_HEADER_BYTES);
    memcpy(info + SEAL_LABEL_BYTES + SEAL_HEADER_BYTES, recipient_x25519->b, HASH_BYTES);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY, secret->b, HASH_BYTES),
        OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO, info, sizeof info),
        OSSL_PARAM_construct_end()};
    ERR_clear_error();
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *ctx = kdf == NULL ? NULL : EVP_KDF_CTX_new(kdf);
    bool good = ctx != NULL && EVP_KDF_derive(ctx, content_key->b, HASH_BYTES, params) == 1;
    EVP_KDF_CTX_free(ctx);
    EVP_KDF_free(kdf);
    ERR_clear_error();
    return good ? ERR_OK : ERR_NO_MEMORY;
}

static bool public_half(EVP_PKEY *key, struct hash *out)
{
    size_t len = HASH_BYTES;
    return EVP_PKEY_get_raw_public_key(key, out->b, &len) == 1 && len == HASH_BYTES;
}

enum err seal_key_make(const struct hash *recipient, uint8_t header[SEAL_HEADER_BYTES],
                       struct hash *content_key)
{
    struct hash mapped;
    struct hash shown;
    struct hash secret;
    TRY(seal_key_map(recipient, &mapped));
    EVP_PKEY *once = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");
    enum err err =
        once != NULL && public_half(once, &shown) ? agree(once, &mapped, &secret) : ERR_NO_MEMORY;
    err = err == ERR_AUTH ? ERR_INVALID : err;
    if (err == ERR_OK) {
        static const uint8_t VERSION[4] = {0, 0, 0, SEAL_VERSION};
        memcpy(header, SEAL_MAGIC, SEAL_MAGIC_BYTES);
        memcpy(header + SEAL_MAGIC_BYTES, VERSION, sizeof VERSION);
        memcpy(header + SEAL_MAGIC_BYTES + sizeof VERSION, shown.b, HASH_BYTES);
        err = derive(&secret, header, &mapped, content_key);
    }
    OPENSSL_cleanse(&secret, sizeof secret);
    EVP_PKEY_free(once);
    ERR_clear_error();
    return err;
}

enum err seal_key_find(const struct pki_key *key, const uint8_t header[SEAL_HEADER_BYTES],
                       struct hash *content_key)
{
    struct hash shown;
    struct hash mine;
    struct hash secret;
    memcpy(shown.b, header + SEAL_HEADER_BYTES - HASH_BYTES, HASH_BYTES);
    EVP_PKEY *own = seal_key_own(key);
    enum err err =
        own != NULL && public_half(own, &mine) ? agree(own, &shown, &secret) : ERR_NO_MEMORY;
    err = err == ERR_OK ? derive(&secret, header, &mine, content_key) : err;
    OPENSSL_cleanse(&secret, sizeof secret);
    EVP_PKEY_free(own);
    return err;
}

#include "base/sha256.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdint.h>
#include <sys/random.h>

#include "base/check.h"

/* One context per thread would save an allocation per hash; the one-shot call with a fetched digest
 * is as fast because libcrypto 3 keeps the digest, and only EVP_MD_CTX is made anew. */
static struct hash digest(const void *a, size_t a_len, const void *b, size_t b_len)
{
    static _Thread_local EVP_MD_CTX *ctx;
    static EVP_MD *md;
    struct hash out;
    if (__atomic_load_n(&md, __ATOMIC_ACQUIRE) == NULL) {
        EVP_MD *fetched = EVP_MD_fetch(NULL, "SHA256", NULL);
        INSIST(fetched != NULL);
        EVP_MD *none = NULL;
        if (!__atomic_compare_exchange_n(&md, &none, fetched, false, __ATOMIC_ACQ_REL,
                                         __ATOMIC_ACQUIRE)) {
            EVP_MD_free(fetched);
        }
    }
    if (ctx == NULL) {
        ctx = EVP_MD_CTX_new();
        INSIST(ctx != NULL);
    }
    int ok = EVP_DigestInit_ex2(ctx, __atomic_load_n(&md, __ATOMIC_ACQUIRE), NULL) == 1;
    ok = ok && (a_len == 0 || EVP_DigestUpdate(ctx, a, a_len) == 1);
    ok = ok && (b_len == 0 || EVP_DigestUpdate(ctx, b, b_len) == 1);
    ok = ok && EVP_DigestFinal_ex(ctx, out.b, NULL) == 1;
    INSIST(ok);
    return out;
}

struct hash sha256(const void *data, size_t len)
{
    return digest(data, len, NULL, 0);
}

/* The context itself, under another name. */
static EVP_MD_CTX *context_of(struct sha256_pieces *pieces)
{
    return (EVP_MD_CTX *)pieces;
}

struct sha256_pieces *sha256_begin(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    INSIST(ctx != NULL && EVP_DigestInit_ex2(ctx, EVP_sha256(), NULL) == 1);
    return (struct sha256_pieces *)ctx;
}

void sha256_put(struct sha256_pieces *pieces, const void *data, size_t len)
{
    INSIST(len == 0 || EVP_DigestUpdate(context_of(pieces), data, len) == 1);
}

struct hash sha256_end(struct sha256_pieces *pieces)
{
    struct hash out;
    INSIST(EVP_DigestFinal_ex(context_of(pieces), out.b, NULL) == 1);
    EVP_MD_CTX_free(context_of(pieces));
    return out;
}

struct hash sha256_chain(const struct hash *previous, const void *data, size_t len)
{
    return digest(previous->b, HASH_BYTES, data, len);
}

struct hash hmac_sha256(const void *key, size_t key_len, const void *data, size_t len)
{
    struct hash out;
    unsigned int out_len = HASH_BYTES;
    REQUIRE(key_len <= INT32_MAX);
    INSIST(HMAC(EVP_sha256(), key, (int)key_len, data, len, out.b, &out_len) != NULL);
    return out;
}

bool secret_equal(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

void random_fill(void *out, size_t len)
{
    uint8_t *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        INSIST(got >= 0 || errno == EINTR);
        if (got > 0) {
            at += got;
            len -= (size_t)got;
        }
    }
}

struct id random_id(void)
{
    struct id id;
    random_fill(id.b, sizeof id.b);
    return id;
}

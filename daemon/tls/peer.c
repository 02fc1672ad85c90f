/* A chain that came in a file is verified as that of a connection is, but for the times: what is
 * carried on a stick may be read late, by a machine whose clock is wrong.
 *
 * Failures: a chain that does not verify is ERR_AUTH with the library's reason. */
#include "tls/peer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define NUMBER_MAX INT64_C(1000000000000) /* of hostings */

/* Of a call that just failed: for lack of memory, by the first reason in the library's queue. Some
 * of it leaves none; bytes that are wrong always do. */
static bool no_memory(void)
{
    unsigned long why = ERR_peek_error();
    return why == 0 || ERR_FATAL_ERROR(why);
}

enum err peer_read_chain(struct bytes pem, STACK_OF(X509) * *out)
{
    if (pem.len == 0 || pem.len > INT32_MAX) {
        return ERR_INVALID;
    }
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    STACK_OF(X509) *chain = bio == NULL ? NULL : sk_X509_new_null();
    enum err err = chain == NULL ? ERR_NO_MEMORY : ERR_OK;
    while (err == ERR_OK && sk_X509_num(chain) < PEER_CHAIN_MAX) {
        ERR_clear_error();
        X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (x == NULL && !no_memory()) {
            err = sk_X509_num(chain) == 0 ? ERR_INVALID : ERR_OK;
            break;
        }
        if (x == NULL || sk_X509_push(chain, x) <= 0) {
            X509_free(x);
            err = ERR_NO_MEMORY;
        }
    }
    BIO_free(bio);
    ERR_clear_error();
    if (err != ERR_OK) {
        sk_X509_pop_free(chain, X509_free);
        return err;
    }
    *out = chain;
    return ERR_OK;
}

bool peer_fingerprint(const X509 *x, struct hash *out)
{
    unsigned int len = HASH_BYTES;
    return x != NULL && X509_digest(x, EVP_sha256(), out->b, &len) == 1;
}

static bool public_key(X509 *x, struct hash *out)
{
    EVP_PKEY *key = x == NULL ? NULL : X509_get0_pubkey(x);
    size_t len = HASH_BYTES;
    return key != NULL && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(key, out->b, &len) == 1 && len == HASH_BYTES;
}

static void name_part(X509 *x, int nid, char out[TLS_NAME_BYTES])
{
    int len = X509_NAME_get_text_by_NID(X509_get_subject_name(x), nid, out, TLS_NAME_BYTES);
    /* A name that is cut or has a NUL inside is no name of ours. */
    if (len < 0 || len >= TLS_NAME_BYTES - 1 || strlen(out) != (size_t)len) {
        out[0] = '\0';
    }
}

/* Of the hosting, as the certificate says it; 0 for none that could be. */
static int64_t hosting_number(X509 *x)
{
    char text[TLS_NAME_BYTES];
    name_part(x, NID_serialNumber, text);
    int64_t number = strtoll(text, NULL, 10);
    return number > 0 && number <= NUMBER_MAX ? number : 0;
}

static bool same_unit(X509 *a, X509 *b)
{
    char one[TLS_NAME_BYTES];
    char other[TLS_NAME_BYTES];
    name_part(a, NID_organizationalUnitName, one);
    name_part(b, NID_organizationalUnitName, other);
    return one[0] != '\0' && strcmp(one, other) == 0;
}

/* The own certificate was signed by the CA of the unit above, and that by those above it; so was
 * the certificate of a machine of that unit. None of them may be of a machine before the one that
 * is known from the own chain. */
static bool is_above(STACK_OF(X509) * own, STACK_OF(X509) * peer)
{
    int n = own == NULL ? 0 : sk_X509_num(own);
    bool above = n > 1 && n == sk_X509_num(peer) &&
                 X509_cmp(sk_X509_value(own, n - 1), sk_X509_value(peer, n - 1)) == 0;
    for (int i = 0; above && i < n - 1; i++) {
        above = same_unit(sk_X509_value(own, i), sk_X509_value(peer, i)) &&
                hosting_number(sk_X509_value(peer, i)) >= hosting_number(sk_X509_value(own, i));
    }
    return above;
}

enum err peer_from_chain(struct tls_peer *peer, STACK_OF(X509) * chain, STACK_OF(X509) * own,
                         struct errmsg *msg)
{
    int n = sk_X509_num(chain);
    X509 *leaf = sk_X509_value(chain, 0);
    peer->has_certificate = true;
    name_part(leaf, NID_commonName, peer->common_name);
    name_part(leaf, NID_organizationName, peer->organisation);
    name_part(leaf, NID_organizationalUnitName, peer->role);
    peer->number = hosting_number(leaf);
    peer->above = is_above(own, chain);
    bool good = public_key(leaf, &peer->key) &&
                public_key(sk_X509_value(chain, n > 1 ? 1 : 0), &peer->issuer_key) &&
                peer_fingerprint(sk_X509_value(chain, n - 1), &peer->root);
    return good ? ERR_OK
                : err_fail(msg, ERR_AUTH,
                           "the peer's certificate is of a kind that this tree does not use");
}

static enum err verify_failed(const X509_STORE_CTX *ctx, struct errmsg *msg)
{
    int why = X509_STORE_CTX_get_error(ctx);
    bool lack = why == X509_V_ERR_OUT_OF_MEM || ERR_FATAL_ERROR(ERR_peek_error());
    return lack ? err_fail(msg, ERR_NO_MEMORY, "no memory")
                : err_fail(msg, ERR_AUTH, "the sender's certificate is not accepted: %s",
                           X509_verify_cert_error_string(why));
}

/* The whole chain up to the root, the first of `shown` being the peer's own. */
static enum err verify(STACK_OF(X509) * shown, X509 *root, STACK_OF(X509) * own,
                       struct tls_peer *peer, struct errmsg *msg)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    enum err err = ERR_NO_MEMORY;
    if (store == NULL || ctx == NULL || X509_STORE_add_cert(store, root) != 1 ||
        X509_STORE_CTX_init(ctx, store, sk_X509_value(shown, 0), shown) != 1 ||
        X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_CLIENT) != 1) {
        err = err_fail(msg, err, "no memory");
    } else {
        X509_STORE_CTX_set_depth(ctx, PEER_CHAIN_MAX);
        X509_STORE_CTX_set_flags(ctx, X509_V_FLAG_NO_CHECK_TIME);
        err = X509_verify_cert(ctx) == 1
                  ? peer_from_chain(peer, X509_STORE_CTX_get0_chain(ctx), own, msg)
                  : verify_failed(ctx, msg);
    }
    X509_STORE_CTX_free(ctx);
    X509_STORE_free(store);
    ERR_clear_error();
    return err;
}

enum err tls_peer_of_chain(struct bytes chain, struct bytes own_chain, struct bytes root,
                           struct tls_peer *out, struct errmsg *msg)
{
    struct tls_peer peer = {.purpose = 0};
    STACK_OF(X509) *shown = NULL;
    STACK_OF(X509) *own = NULL;
    STACK_OF(X509) *roots = NULL;
    enum err err = peer_read_chain(own_chain, &own);
    err = err == ERR_OK ? peer_read_chain(root, &roots) : err;
    if (err != ERR_OK) {
        err = err_fail(msg, err, "the own certificate or the root certificate cannot be used");
    } else if ((err = peer_read_chain(chain, &shown)) != ERR_OK) {
        err = err_fail(msg, err == ERR_INVALID ? ERR_AUTH : err,
                       "the sender's certificate cannot be read");
    } else {
        X509_free(sk_X509_shift(own));
        err = verify(shown, sk_X509_value(roots, 0), own, &peer, msg);
    }
    sk_X509_pop_free(shown, X509_free);
    sk_X509_pop_free(own, X509_free);
    sk_X509_pop_free(roots, X509_free);
    if (err == ERR_OK) {
        *out = peer;
    }
    return err;
}

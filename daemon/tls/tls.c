/* 1. Ciphertext in goes into one memory BIO, ciphertext out comes from another; OpenSSL sees
 * nothing else.
 * 2. The handshake moves on with every call; when it ends, the purpose is read from ALPN, the
 * certificate's presence is enforced, and the peer is read from the verified chain, once.
 *
 * Failures: every call clears the error queue first and is classified right after. A certificate
 * that is not accepted is ERR_AUTH, everything else ERR_PROTOCOL; the alert for the peer waits in
 * the outgoing BIO. */
#include "tls/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "tls/peer.h"

enum { SAYS_BYTES = 160 };

static const char *const ALPN[] = {"", "tally-link/1", "tally-client/1", "tally-join/1",
                                   "tally-renew/1"};

struct tls_context {
    SSL_CTX *ssl;
    bool server;
    bool join;
    struct hash root; /* join: the wanted root */
    int users;
};

struct tls {
    SSL *ssl;
    BIO *in;
    BIO *out;
    struct tls_context *context;
    bool done;
    struct tls_peer peer;
};

static enum err ssl_failed(struct errmsg *msg, enum err err, const char *what)
{
    char says[SAYS_BYTES] = "";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, says, sizeof says);
    }
    ERR_clear_error();
    return err_fail(msg, err, "%s%s%s", what, says[0] == '\0' ? "" : ": ", says);
}

/* ---- contexts ---- */

/* A time that was set would be checked all the same, so it is taken back. */
static void ignore_times(SSL *ssl)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
    (void)X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_USE_CHECK_TIME);
    (void)X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_NO_CHECK_TIME);
}

static int on_alpn(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                   const unsigned char *in, unsigned in_len, void *arg)
{
    (void)arg;
    for (unsigned at = 0; at < in_len && at + 1 + in[at] <= in_len; at += 1u + in[at]) {
        for (int purpose = TLS_LINK; purpose <= TLS_RENEW; purpose++) {
            if (strlen(ALPN[purpose]) == in[at] &&
                memcmp(ALPN[purpose], in + at + 1, in[at]) == 0) {
                if (purpose == TLS_RENEW) {
                    ignore_times(ssl);
                }
                *out = in + at + 1;
                *out_len = in[at];
                return SSL_TLSEXT_ERR_OK;
            }
        }
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool add_chain(SSL_CTX *ssl, struct bytes pem)
{
    STACK_OF(X509) *chain = NULL;
    X509 *own = peer_read_chain(pem, &chain) == ERR_OK ? sk_X509_shift(chain) : NULL;
    bool good = own != NULL && SSL_CTX_use_certificate(ssl, own) == 1 &&
                SSL_CTX_set1_chain(ssl, chain) == 1;
    X509_free(own);
    sk_X509_pop_free(chain, X509_free);
    return good;
}

/* Keys have no passwords; without this, the library would ask for one on the terminal. */
static int no_password(char *out, int size, int writing, void *arg)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static bool add_key(SSL_CTX *ssl, struct bytes pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    EVP_PKEY *key = bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    bool good =
        key != NULL && SSL_CTX_use_PrivateKey(ssl, key) == 1 && SSL_CTX_check_private_key(ssl) == 1;
    EVP_PKEY_free(key);
    BIO_free(bio);
    return good;
}

static bool add_root(SSL_CTX *ssl, struct bytes pem)
{
    BIO *bio = BIO_new_mem_buf(pem.data, (int)pem.len);
    X509 *x = bio == NULL ? NULL : PEM_read_bio_X509(bio, NULL, NULL, NULL);
    bool good = x != NULL && X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), x) == 1;
    X509_free(x);
    BIO_free(bio);
    return good;
}

static struct tls_context *context_new(bool server)
{
    struct tls_context *context = calloc(1, sizeof *context);
    SSL_CTX *ssl =
        context == NULL ? NULL : SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    if (ssl == NULL) {
        free(context);
        return NULL;
    }
    context->ssl = ssl;
    context->server = server;
    context->users = 1;
    (void)SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET | SSL_OP_NO_COMPRESSION);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE);
    (void)SSL_CTX_set_max_early_data(ssl, 0);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_verify_depth(ssl, PEER_CHAIN_MAX);
    if (server) {
        SSL_CTX_set_alpn_select_cb(ssl, on_alpn, NULL);
    }
    return context;
}

static enum err context_with(bool server, struct bytes chain, struct bytes key, struct bytes root,
                             struct tls_context **out, struct errmsg *msg)
{
    ERR_clear_error();
    struct tls_context *context = context_new(server);
    if (context == NULL) {
        return ssl_failed(msg, ERR_NO_MEMORY, "TLS");
    }
    if (!add_chain(context->ssl, chain) || !add_key(context->ssl, key) ||
        !add_root(context->ssl, root)) {
        tls_context_free(context);
        return ssl_failed(msg, ERR_INVALID,
                          "the certificate, its key or the root certificate cannot be used");
    }
    *out = context;
    return ERR_OK;
}

enum err tls_server_context(struct bytes chain, struct bytes key, struct bytes root,
                            struct tls_context **out, struct errmsg *msg)
{
    return context_with(true, chain, key, root, out, msg);
}

enum err tls_client_context(struct bytes chain, struct bytes key, struct bytes root,
                            struct tls_context **out, struct errmsg *msg)
{
    return context_with(false, chain, key, root, out, msg);
}

/* A joiner knows nothing but the root's fingerprint: the chain that is shown must end in that root
 * and verify up to it. Times are not checked: the machine's clock may be wrong until it has joined,
 * and the root is pinned. */
static int on_join_verify(X509_STORE_CTX *ctx, void *arg)
{
    const struct tls_context *context = arg;
    STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(ctx);
    X509 *root = shown == NULL || sk_X509_num(shown) == 0
                     ? NULL
                     : sk_X509_value(shown, sk_X509_num(shown) - 1);
    struct hash is;
    STACK_OF(X509) *trusted = sk_X509_new_null();
    int good = 0;
    if (trusted != NULL && peer_fingerprint(root, &is) && hash_equal(&is, &context->root) &&
        sk_X509_push(trusted, root) > 0) {
        X509_STORE_CTX_set0_trusted_stack(ctx, trusted);
        X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(ctx), X509_V_FLAG_NO_CHECK_TIME);
        good = X509_verify_cert(ctx) == 1;
    } else {
        X509_STORE_CTX_set_error(ctx, X509_V_ERR_CERT_UNTRUSTED);
    }
    sk_X509_free(trusted);
    return good;
}

enum err tls_join_context(const struct hash *root, struct tls_context **out, struct errmsg *msg)
{
    ERR_clear_error();
    struct tls_context *context = context_new(false);
    if (context == NULL) {
        return ssl_failed(msg, ERR_NO_MEMORY, "TLS");
    }
    context->join = true;
    context->root = *root;
    SSL_CTX_set_cert_verify_callback(context->ssl, on_join_verify, context);
    *out = context;
    return ERR_OK;
}

void tls_context_free(struct tls_context *context)
{
    if (context != NULL && --context->users == 0) {
        SSL_CTX_free(context->ssl);
        free(context);
    }
}

/* ---- connections ---- */

static struct tls *tls_new(struct tls_context *context)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (tls == NULL) {
        return NULL;
    }
    tls->ssl = SSL_new(context->ssl);
    tls->in = BIO_new(BIO_s_mem());
    tls->out = BIO_new(BIO_s_mem());
    if (tls->ssl == NULL || tls->in == NULL || tls->out == NULL) {
        SSL_free(tls->ssl);
        BIO_free(tls->in);
        BIO_free(tls->out);
        free(tls);
        return NULL;
    }
    (void)BIO_set_mem_eof_return(tls->in, -1);
    (void)BIO_set_mem_eof_return(tls->out, -1);
    SSL_set_bio(tls->ssl, tls->in, tls->out);
    tls->context = context;
    context->users++;
    return tls;
}

struct tls *tls_accept_new(struct tls_context *context)
{
    struct tls *tls = tls_new(context);
    if (tls != NULL) {
        SSL_set_accept_state(tls->ssl);
    }
    return tls;
}

struct tls *tls_connect_new(struct tls_context *context, enum tls_purpose purpose)
{
    struct tls *tls = tls_new(context);
    unsigned char wire[32];
    size_t len = strlen(ALPN[purpose]);
    if (tls == NULL) {
        return NULL;
    }
    wire[0] = (unsigned char)len;
    memcpy(wire + 1, ALPN[purpose], len);
    SSL_set_connect_state(tls->ssl);
    if (SSL_set_alpn_protos(tls->ssl, wire, (unsigned)len + 1) != 0) {
        tls_free(tls);
        return NULL;
    }
    tls->peer.purpose = purpose;
    if (purpose == TLS_RENEW) {
        ignore_times(tls->ssl);
    }
    return tls;
}

void tls_verify_at(struct tls *tls, struct wall now)
{
    if (tls->peer.purpose != TLS_RENEW) {
        X509_VERIFY_PARAM_set_time(SSL_get0_param(tls->ssl), (time_t)(now.ms / 1000));
    }
}

void tls_free(struct tls *tls)
{
    if (tls != NULL) {
        SSL_free(tls->ssl); /* frees both BIOs */
        tls_context_free(tls->context);
        free(tls);
    }
}

enum err tls_feed(struct tls *tls, const void *data, size_t len, struct errmsg *msg)
{
    if (len > INT32_MAX || BIO_write(tls->in, data, (int)len) != (int)len) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory for what the peer sent");
    }
    return ERR_OK;
}

/* Reads the peer from the verified chain. */
static enum err learn_peer(struct tls *tls, struct errmsg *msg)
{
    struct tls_peer *peer = &tls->peer;
    const unsigned char *proto;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &proto, &len);
    enum tls_purpose purpose = 0;
    for (int i = TLS_LINK; i <= TLS_RENEW; i++) {
        if (strlen(ALPN[i]) == len && memcmp(ALPN[i], proto, len) == 0) {
            purpose = (enum tls_purpose)i;
        }
    }
    if (purpose == 0 || (!tls->context->server && purpose != peer->purpose)) {
        return err_fail(msg, ERR_PROTOCOL, "the peer speaks no protocol of this program (ALPN)");
    }
    peer->purpose = purpose;
    STACK_OF(X509) *chain = SSL_get0_verified_chain(tls->ssl);
    int n = chain == NULL ? 0 : sk_X509_num(chain);
    X509 *leaf = SSL_get0_peer_certificate(tls->ssl);
    peer->has_certificate = leaf != NULL && n > 0 && SSL_get_verify_result(tls->ssl) == X509_V_OK;
    if (!peer->has_certificate) {
        return purpose == TLS_JOIN && tls->context->server
                   ? ERR_OK
                   : err_fail(msg, ERR_AUTH, "the peer showed no certificate of this tree");
    }
    STACK_OF(X509) *own = NULL;
    (void)SSL_get0_chain_certs(tls->ssl, &own);
    return peer_from_chain(peer, chain, own, msg);
}

enum err tls_handshake(struct tls *tls, bool *done, struct errmsg *msg)
{
    if (tls->done) {
        *done = true;
        return ERR_OK;
    }
    ERR_clear_error();
    int code = SSL_do_handshake(tls->ssl);
    if (code == 1) {
        TRY(learn_peer(tls, msg));
        tls->done = true;
        *done = true;
        return ERR_OK;
    }
    int why = SSL_get_error(tls->ssl, code);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        *done = false;
        return ERR_OK;
    }
    long verify = SSL_get_verify_result(tls->ssl);
    if (verify != X509_V_OK) {
        ERR_clear_error();
        return err_fail(msg, ERR_AUTH, "the peer's certificate is not accepted: %s",
                        X509_verify_cert_error_string(verify));
    }
    return ssl_failed(msg, ERR_PROTOCOL, "the TLS handshake failed");
}

enum err tls_read(struct tls *tls, void *out, size_t cap, size_t *len, struct errmsg *msg)
{
    ERR_clear_error();
    size_t n = 0;
    int code = SSL_read_ex(tls->ssl, out, cap, &n);
    if (code == 1) {
        *len = n;
        return ERR_OK;
    }
    int why = SSL_get_error(tls->ssl, code);
    if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
        *len = 0;
        return ERR_OK;
    }
    if (why == SSL_ERROR_ZERO_RETURN) {
        return err_fail(msg, ERR_CLOSED, "the peer closed");
    }
    return ssl_failed(msg, ERR_PROTOCOL, "TLS failed");
}

enum err tls_write(struct tls *tls, const void *data, size_t len, struct errmsg *msg)
{
    const char *at = data;
    while (len > 0) {
        size_t n = 0;
        ERR_clear_error();
        if (SSL_write_ex(tls->ssl, at, len, &n) != 1) {
            return ssl_failed(msg, ERR_PROTOCOL, "TLS failed");
        }
        at += n;
        len -= n;
    }
    return ERR_OK;
}

void tls_close(struct tls *tls)
{
    ERR_clear_error();
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

size_t tls_pending(const struct tls *tls)
{
    return (size_t)BIO_ctrl_pending(tls->out);
}

size_t tls_take(struct tls *tls, void *out, size_t cap)
{
    int n = BIO_read(tls->out, out, cap > INT32_MAX ? INT32_MAX : (int)cap);
    return n > 0 ? (size_t)n : 0;
}

const struct tls_peer *tls_peer(const struct tls *tls)
{
    return &tls->peer;
}

enum err tls_exporter(struct tls *tls, struct hash *out, struct errmsg *msg)
{
    static const char LABEL[] = "EXPORTER-tally-join";
    ERR_clear_error();
    if (SSL_export_keying_material(tls->ssl, out->b, HASH_BYTES, LABEL, sizeof LABEL - 1, NULL, 0,
                                   0) != 1) {
        return ssl_failed(msg, ERR_PROTOCOL, "the TLS session gives no exporter value");
    }
    return ERR_OK;
}

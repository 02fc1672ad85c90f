#include "pki/pki.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/sha256.h"
#include "pki/internal.h"

enum {
    SAYS_BYTES = 160,
    DAY_S = 86400,
    LEAF_DAYS = 825,
    CA_DAYS = 30 * 365 + 7,
    CHAIN_MAX = 34,
    NAME_BYTES = 192,
    NUMBER_BYTES = 24
};

bool pki_no_memory(void)
{
    unsigned long code = ERR_get_error();
    bool found = code == 0;
    for (; code != 0; code = ERR_get_error()) {
        found = found || ERR_FATAL_ERROR(code);
    }
    return found;
}

/* The library's last error behind `what`; its queue is cleared. */
static enum err library_failed(struct errmsg *msg, enum err err, const char *what)
{
    char says[SAYS_BYTES] = "";
    unsigned long code = ERR_peek_last_error();
    if (code != 0) {
        ERR_error_string_n(code, says, sizeof says);
    }
    ERR_clear_error();
    return err_fail(msg, err, "%s%s%s", what, says[0] == '\0' ? "" : ": ", says);
}

/* ---- keys ---- */

static bool raw_key(EVP_PKEY *key, struct hash *out)
{
    size_t len = HASH_BYTES;
    return key != NULL && EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 &&
           EVP_PKEY_get_raw_public_key(key, out->b, &len) == 1;
}

static enum err wrap_key(EVP_PKEY *pkey, struct pki_key **out, struct errmsg *msg)
{
    struct hash public_key;
    struct pki_key *key = raw_key(pkey, &public_key) ? malloc(sizeof *key) : NULL;
    if (key == NULL) {
        EVP_PKEY_free(pkey);
        return library_failed(msg, ERR_INVALID, "this is no Ed25519 private key");
    }
    *key = (struct pki_key){pkey, public_key};
    *out = key;
    return ERR_OK;
}

enum err pki_key_generate(struct pki_key **out, struct errmsg *msg)
{
    ERR_clear_error();
    return wrap_key(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), out, msg);
}

void pki_key_free(struct pki_key *key)
{
    if (key != NULL) {
        EVP_PKEY_free(key->pkey);
        free(key);
    }
}

struct hash pki_key_public(const struct pki_key *key)
{
    return key->public_key;
}

/* What a memory BIO holds, appended to a buffer. */
static enum err take_bio(BIO *bio, struct buf *out, struct errmsg *msg)
{
    char *data = NULL;
    long len = BIO_get_mem_data(bio, &data);
    buf_put(out, data, (size_t)len);
    return out->failed ? err_fail(msg, ERR_NO_MEMORY, "no memory") : ERR_OK;
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

enum err pki_key_load(const char *path, struct pki_key **out, struct errmsg *msg)
{
    struct buf pem;
    buf_init(&pem, PKI_FILE_MAX_BYTES);
    enum err err = file_read(path, &pem, msg);
    ERR_clear_error();
    BIO *bio = err == ERR_OK ? BIO_new_mem_buf(pem.data, (int)pem.len) : NULL;
    if (err == ERR_OK) {
        err = wrap_key(bio == NULL ? NULL : PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL),
                       out, msg);
        err = err == ERR_OK ? ERR_OK : err_prefix(msg, err, "%s", path);
    }
    BIO_free(bio);
    buf_deinit(&pem);
    return err;
}

enum err pki_key_save(const struct pki_key *key, const char *path, struct errmsg *msg)
{
    struct buf pem;
    ERR_clear_error();
    buf_init(&pem, PKI_FILE_MAX_BYTES);
    BIO *bio = BIO_new(BIO_s_mem());
    enum err err =
        bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1
            ? take_bio(bio, &pem, msg)
            : library_failed(msg, ERR_NO_MEMORY, "the key cannot be written");
    err = err == ERR_OK ? file_write(path, buf_bytes(&pem), 0600, msg) : err;
    BIO_free(bio);
    buf_deinit(&pem);
    return err;
}

enum err pki_sign(const struct pki_key *key, const void *data, size_t len, struct signature *out)
{
    size_t out_len = SIGNATURE_BYTES;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    ERR_clear_error();
    bool good = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key->pkey) == 1 &&
                EVP_DigestSign(ctx, out->b, &out_len, data, len) == 1 && out_len == SIGNATURE_BYTES;
    EVP_MD_CTX_free(ctx);
    return good ? ERR_OK : ERR_NO_MEMORY;
}

/* What hinders the check leaves its reason in the library's queue, nearly always. */
static enum err check_once(const struct hash *public_key, const void *data, size_t len,
                           const struct signature *signature)
{
    ERR_clear_error();
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key->b, HASH_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    enum err err = ERR_NO_MEMORY;
    if (key != NULL && ctx != NULL && EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1) {
        int good = EVP_DigestVerify(ctx, signature->b, SIGNATURE_BYTES, data, len);
        err = good == 1 ? ERR_OK : ERR_peek_error() == 0 ? ERR_AUTH : ERR_NO_MEMORY;
    }
    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    ERR_clear_error();
    return err;
}

/* The last allocation of a check can fail without a word, and looks like a signature that does not
 * fit; where memory has ended, the second check does not get that far. */
enum err pki_check(const struct hash *public_key, const void *data, size_t len,
                   const struct signature *signature)
{
    enum err err = check_once(public_key, data, len, signature);
    return err == ERR_AUTH ? check_once(public_key, data, len, signature) : err;
}

bool pki_verify(const struct hash *public_key, const void *data, size_t len,
                const struct signature *signature)
{
    return pki_check(public_key, data, len, signature) == ERR_OK;
}

/* ---- certificates ---- */

static bool add_name(X509_NAME *name, const char *field, const char *text)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_UTF8, (const unsigned char *)text, -1,
                                      -1, 0) == 1;
}

static bool add_extension(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *ext = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool good = ext != NULL && X509_add_ext(cert, ext, -1) == 1;
    X509_EXTENSION_free(ext);
    return good;
}

static bool set_serial_and_times(X509 *cert, struct wall now, int days)
{
    unsigned char serial[16];
    BIGNUM *bn = NULL;
    random_fill(serial, sizeof serial);
    serial[0] &= 0x7f;
    serial[0] |= 0x40;
    bn = BN_bin2bn(serial, sizeof serial, NULL);
    time_t start = (time_t)(now.ms / 1000);
    bool good = bn != NULL && BN_to_ASN1_INTEGER(bn, X509_get_serialNumber(cert)) != NULL &&
                X509_time_adj_ex(X509_getm_notBefore(cert), -1, 0, &start) != NULL &&
                X509_time_adj_ex(X509_getm_notAfter(cert), days, 0, &start) != NULL;
    BN_free(bn);
    return good;
}

struct shape {
    const char *common_name;
    const char *organisation;
    const char *role;   /* or NULL */
    const char *number; /* or NULL */
    bool ca;
    int days;
};

/* Makes and signs; `issuer` NULL: by itself. The caller frees the result. */
static X509 *make_certificate(const struct shape *shape, EVP_PKEY *key, X509 *issuer,
                              EVP_PKEY *issuer_key, struct wall now)
{
    X509 *cert = X509_new();
    X509_NAME *name = cert == NULL ? NULL : X509_get_subject_name(cert);
    X509 *above = issuer == NULL ? cert : issuer;
    bool good = cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 &&
                set_serial_and_times(cert, now, shape->days) &&
                add_name(name, "O", shape->organisation) &&
                (shape->role == NULL || add_name(name, "OU", shape->role)) &&
                (shape->number == NULL || add_name(name, "serialNumber", shape->number)) &&
                add_name(name, "CN", shape->common_name) &&
                X509_set_issuer_name(cert, X509_get_subject_name(above)) == 1 &&
                X509_set_pubkey(cert, key) == 1;
    good =
        good &&
        add_extension(cert, above, NID_basic_constraints,
                      shape->ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
        add_extension(cert, above, NID_key_usage,
                      shape->ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature") &&
        (shape->ca || add_extension(cert, above, NID_ext_key_usage, "serverAuth,clientAuth")) &&
        add_extension(cert, above, NID_subject_key_identifier, "hash") &&
        add_extension(cert, above, NID_authority_key_identifier, "keyid:always") &&
        X509_sign(cert, issuer_key, NULL) > 0;
    if (!good) {
        X509_free(cert);
        return NULL;
    }
    return cert;
}

static enum err write_certificate(X509 *cert, struct buf *out, struct errmsg *msg)
{
    BIO *bio = BIO_new(BIO_s_mem());
    enum err err = bio != NULL && PEM_write_bio_X509(bio, cert) == 1
                       ? take_bio(bio, out, msg)
                       : library_failed(msg, ERR_NO_MEMORY, "the certificate cannot be written");
    BIO_free(bio);
    return err;
}

enum err pki_root_certificate(const struct pki_key *ca, const struct id *tree, struct wall now,
                              struct buf *out, struct errmsg *msg)
{
    char organisation[ID_HEX_BYTES];
    id_format(tree, organisation);
    struct shape shape = {
        .common_name = "root", .organisation = organisation, .ca = true, .days = CA_DAYS};
    ERR_clear_error();
    X509 *cert = make_certificate(&shape, ca->pkey, NULL, ca->pkey, now);
    if (cert == NULL) {
        return library_failed(msg, ERR_NO_MEMORY, "the root certificate cannot be made");
    }
    enum err err = write_certificate(cert, out, msg);
    X509_free(cert);
    return err;
}

/* A certificate of a PEM chain: the first, or the last. NULL when there is none; why is then in the
 * library's queue. */
static X509 *chain_certificate(struct bytes chain, bool last)
{
    ERR_clear_error();
    BIO *bio = chain.len > PKI_FILE_MAX_BYTES ? NULL : BIO_new_mem_buf(chain.data, (int)chain.len);
    X509 *found = NULL;
    for (int i = 0; bio != NULL && i < (last ? CHAIN_MAX : 1); i++) {
        X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
        if (next == NULL) {
            break;
        }
        X509_free(found);
        found = next;
    }
    BIO_free(bio);
    if (found != NULL) {
        ERR_clear_error();
    }
    return found;
}

enum err pki_issue(const struct pki_key *ca, struct bytes ca_chain,
                   const struct pki_subject *subject, struct wall now, struct buf *out,
                   struct errmsg *msg)
{
    char organisation[ID_HEX_BYTES];
    char node[ID_HEX_BYTES];
    char name[NAME_BYTES];
    char number[NUMBER_BYTES];
    id_format(&subject->tree, organisation);
    id_format(&subject->node, node);
    bool client = subject->role == PKI_CLIENT;
    (void)snprintf(name, sizeof name, "%s:%s",
                   client                         ? "client"
                   : subject->role == PKI_NODE_CA ? "ca"
                                                  : "node",
                   client ? subject->client_name : node);
    (void)snprintf(number, sizeof number, "%lld", (long long)subject->number);
    bool numbered = !client && subject->number > 0;
    struct shape shape = {.common_name = name,
                          .organisation = organisation,
                          .role = client ? subject->client_role : subject->unit,
                          .number = numbered ? number : NULL,
                          .ca = subject->role == PKI_NODE_CA,
                          .days = subject->role == PKI_NODE_CA ? CA_DAYS : LEAF_DAYS};
    ERR_clear_error();
    X509 *issuer = chain_certificate(ca_chain, false);
    EVP_PKEY *key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, subject->key.b, HASH_BYTES);
    X509 *cert =
        issuer == NULL || key == NULL ? NULL : make_certificate(&shape, key, issuer, ca->pkey, now);
    enum err err = cert == NULL ? library_failed(msg, ERR_INVALID, "the certificate cannot be made")
                                : write_certificate(cert, out, msg);
    if (err == ERR_OK) {
        buf_put(out, ca_chain.data, ca_chain.len);
        err = out->failed ? err_fail(msg, ERR_NO_MEMORY, "no memory") : ERR_OK;
    }
    X509_free(cert);
    X509_free(issuer);
    EVP_PKEY_free(key);
    return err;
}

enum err pki_chain_root(struct bytes chain, struct hash *fingerprint, struct buf *out,
                        struct errmsg *msg)
{
    X509 *root = chain_certificate(chain, true);
    unsigned int len = HASH_BYTES;
    struct hash hash;
    enum err err = root != NULL && X509_digest(root, EVP_sha256(), hash.b, &len) == 1
                       ? ERR_OK
                       : err_fail(msg, ERR_INVALID, "this is no chain of certificates");
    err = err == ERR_OK && out != NULL ? write_certificate(root, out, msg) : err;
    X509_free(root);
    ERR_clear_error();
    if (err == ERR_OK) {
        *fingerprint = hash;
    }
    return err;
}

/* Out of the certificate's bytes: the library's own way to the key fails without a reason when
 * memory ends. */
static bool certified_key(const X509 *x, struct hash *out)
{
    ASN1_OBJECT *kind = NULL;
    const unsigned char *bytes = NULL;
    int len = 0;
    if (X509_PUBKEY_get0_param(&kind, &bytes, &len, NULL, X509_get_X509_PUBKEY(x)) != 1 ||
        OBJ_obj2nid(kind) != EVP_PKEY_ED25519 || len != HASH_BYTES) {
        return false;
    }
    memcpy(out->b, bytes, HASH_BYTES);
    return true;
}

enum err pki_chain_key(struct bytes chain, struct hash *key, struct errmsg *msg)
{
    struct hash found;
    X509 *first = chain_certificate(chain, false);
    bool some = chain.len > 0 && chain.len <= PKI_FILE_MAX_BYTES;
    if (first == NULL && some && pki_no_memory()) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    bool good = first != NULL && certified_key(first, &found);
    X509_free(first);
    ERR_clear_error();
    if (!good) {
        return err_fail(msg, ERR_INVALID, "this is no chain of certificates with Ed25519 keys");
    }
    *key = found;
    return ERR_OK;
}

bool pki_chain_ages(struct bytes chain, struct wall now)
{
    X509 *first = chain_certificate(chain, false);
    time_t at = (time_t)(now.ms / 1000);
    ASN1_TIME *is = ASN1_TIME_set(NULL, at);
    int days = 0;
    int seconds = 0;
    int left_days = 0;
    bool known = first != NULL && is != NULL &&
                 ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(first),
                                X509_get0_notAfter(first)) == 1 &&
                 ASN1_TIME_diff(&left_days, &seconds, is, X509_get0_notAfter(first)) == 1;
    bool begun = known && X509_cmp_time(X509_get0_notBefore(first), &at) < 0;
    ASN1_TIME_free(is);
    X509_free(first);
    ERR_clear_error();
    return !begun || left_days < days / 3;
}

/* ---- requests ---- */

enum err pki_request(const struct pki_key *key, struct buf *out, struct errmsg *msg)
{
    ERR_clear_error();
    X509_REQ *req = X509_REQ_new();
    unsigned char *der = NULL;
    int len = -1;
    if (req != NULL && X509_REQ_set_version(req, X509_REQ_VERSION_1) == 1 &&
        X509_REQ_set_pubkey(req, key->pkey) == 1 && X509_REQ_sign(req, key->pkey, NULL) > 0) {
        len = i2d_X509_REQ(req, &der);
    }
    if (len > 0) {
        buf_put(out, der, (size_t)len);
    }
    OPENSSL_free(der);
    X509_REQ_free(req);
    return len > 0 && !out->failed
               ? ERR_OK
               : library_failed(msg, ERR_NO_MEMORY, "the certificate request cannot be made");
}

enum err pki_request_key(struct bytes request, struct hash *key, struct errmsg *msg)
{
    const unsigned char *at = request.data;
    struct hash found;
    ERR_clear_error();
    X509_REQ *req =
        request.len > PKI_FILE_MAX_BYTES ? NULL : d2i_X509_REQ(NULL, &at, (long)request.len);
    EVP_PKEY *pkey = req == NULL ? NULL : X509_REQ_get0_pubkey(req);
    bool good = raw_key(pkey, &found) && X509_REQ_verify(req, pkey) == 1;
    X509_REQ_free(req);
    if (!good) {
        return library_failed(
            msg, ERR_INVALID,
            "the certificate request is not one, or not signed by its own Ed25519 key");
    }
    *key = found;
    return ERR_OK;
}

/* layer: pki */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/stat.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "base/file.h"
#include "pki/pki.h"

enum { PATH_BYTES = 128 };

static const struct wall NOW = {INT64_C(1700000000000)};
static const struct id TREE = {{0xab, 1}};
static const struct id NODE = {{0xcd, 2}};

static struct pki_key *key;
static struct pki_key *other;
static struct buf root;
static struct buf buf;

static int set_up(void **state)
{
    (void)state;
    buf_init(&root, PKI_FILE_MAX_BYTES);
    buf_init(&buf, PKI_FILE_MAX_BYTES);
    return pki_key_generate(&key, NULL) != ERR_OK || pki_key_generate(&other, NULL) != ERR_OK ||
           pki_root_certificate(key, &TREE, NOW, &root, NULL) != ERR_OK;
}

static int tear_down(void **state)
{
    (void)state;
    pki_key_free(key);
    pki_key_free(other);
    buf_deinit(&root);
    buf_deinit(&buf);
    return 0;
}

static struct bytes all(const struct buf *of)
{
    return (struct bytes){of->data, of->len};
}

static void test_sign(void **state)
{
    (void)state;
    struct signature signature;
    struct hash public_key = pki_key_public(key), another = pki_key_public(other);
    assert_int_equal(pki_sign(key, "heads", 5, &signature), ERR_OK);
    assert_true(pki_verify(&public_key, "heads", 5, &signature));
    assert_false(pki_verify(&public_key, "heads", 4, &signature));
    assert_false(pki_verify(&public_key, "Heads", 5, &signature));
    assert_false(pki_verify(&another, "heads", 5, &signature));
    for (size_t i = 0; i < SIGNATURE_BYTES; i++) {
        signature.b[i] ^= 1;
        assert_false(pki_verify(&public_key, "heads", 5, &signature));
        signature.b[i] ^= 1;
    }
    assert_true(pki_verify(&public_key, "heads", 5, &signature));
    assert_int_equal(pki_sign(key, NULL, 0, &signature), ERR_OK);
    assert_true(pki_verify(&public_key, NULL, 0, &signature));
    memset(&signature, 0, sizeof signature);
    memset(&public_key, 0, sizeof public_key);
    assert_false(pki_verify(&public_key, "heads", 5, &signature));
}

/* RFC 8032, 7.1, test 2: the key as PKCS#8, the signature over one byte. */
static void test_known_signature(void **state)
{
    (void)state;
    static const char PEM[] = "-----BEGIN PRIVATE KEY-----\n"
                              "MC4CAQAwBQYDK2VwBCIEIEzNCJso/5banbbDRuwRTg9bijGfNaumJNqM9u1PuKb7\n"
                              "-----END PRIVATE KEY-----\n";
    static const char SIGNED[] = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
                                 "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
    char path[] = "/tmp/tally-pki-XXXXXX", text[2 * SIGNATURE_BYTES + 1],
         public_text[HASH_HEX_BYTES];
    struct pki_key *known;
    struct signature signature;
    int fd = mkstemp(path);
    assert_true(fd >= 0 && write(fd, PEM, sizeof PEM - 1) == sizeof PEM - 1);
    (void)close(fd);
    assert_int_equal(pki_key_load(path, &known, NULL), ERR_OK);
    (void)unlink(path);
    struct hash public_key = pki_key_public(known);
    hash_format(&public_key, public_text);
    assert_string_equal(public_text,
                        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
    assert_int_equal(pki_sign(known, "\x72", 1, &signature), ERR_OK);
    hex_encode(signature.b, SIGNATURE_BYTES, text);
    assert_string_equal(text, SIGNED);
    pki_key_free(known);
}

static void test_key_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/tally-pki-XXXXXX", path[PATH_BYTES];
    struct stat info;
    struct pki_key *loaded;
    struct errmsg msg = {{0}};
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/%s", folder, PKI_NODE_KEY);
    mode_t before = umask(0);
    assert_int_equal(pki_key_save(key, path, &msg), ERR_OK);
    assert_int_equal(pki_key_save(key, path, &msg), ERR_OK); /* over the old one */
    (void)umask(before);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(pki_key_load(path, &loaded, &msg), ERR_OK);
    struct hash a = pki_key_public(key), b = pki_key_public(loaded), c = pki_key_public(other);
    assert_true(hash_equal(&a, &b) && !hash_equal(&a, &c));
    pki_key_free(loaded);
    static const char *const BAD[] = {"", "no key", "-----BEGIN PRIVATE KEY-----\nAAAA\n"};
    for (size_t i = 0; i < 3; i++) {
        struct bytes content = {(const uint8_t *)BAD[i], strlen(BAD[i])};
        assert_int_equal(file_write(path, content, 0600, NULL), ERR_OK);
        assert_int_equal(pki_key_load(path, &loaded, &msg), ERR_INVALID);
        assert_non_null(strstr(msg.text, path));
    }
    assert_int_equal(file_write(path, all(&root), 0600, NULL), ERR_OK); /* a certificate */
    assert_int_equal(pki_key_load(path, &loaded, &msg), ERR_INVALID);
    (void)unlink(path);
    assert_int_equal(pki_key_load(path, &loaded, &msg), ERR_NOT_FOUND);
    (void)rmdir(folder);
    pki_key_free(NULL);
}

/* A key of another kind is no key of ours, and neither is one with a password: nobody is asked for
 * it, even though it stands ready on standard input here. */
static void test_foreign_keys(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++) {
        char path[] = "/tmp/tally-pki-XXXXXX";
        int fd = mkstemp(path);
        FILE *file = fdopen(fd, "w");
        EVP_PKEY *pkey = kind == 0 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
                                   : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
        char password[] = "secret";
        assert_int_equal(PEM_write_PKCS8PrivateKey(file, pkey, kind == 0 ? NULL : EVP_aes_128_cbc(),
                                                   NULL, 0, NULL, kind == 0 ? NULL : password),
                         1);
        (void)fclose(file);
        EVP_PKEY_free(pkey);
        struct pki_key *loaded;
        int ends[2], kept = dup(STDIN_FILENO);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "secret\nsecret\n", 14), 14);
        (void)close(ends[1]);
        (void)dup2(ends[0], STDIN_FILENO);
        (void)close(ends[0]);
        assert_int_equal(pki_key_load(path, &loaded, NULL), ERR_INVALID);
        (void)dup2(kept, STDIN_FILENO);
        (void)close(kept);
        (void)unlink(path);
    }
}

static void test_request(void **state)
{
    (void)state;
    struct hash got = {{0}}, want = pki_key_public(other);
    struct errmsg msg = {{0}};
    assert_int_equal(pki_request(other, &buf, &msg), ERR_OK);
    assert_int_equal(pki_request_key(all(&buf), &got, &msg), ERR_OK);
    assert_true(hash_equal(&got, &want));
    for (size_t len = 0; len < buf.len; len++) {
        assert_int_equal(pki_request_key((struct bytes){buf.data, len}, &got, NULL), ERR_INVALID);
    }
    for (size_t i = 0; i < buf.len; i++) { /* what is signed, or says how: no byte may change */
        buf.data[i] ^= 0x04;
        struct hash changed = {{0}};
        if (pki_request_key(all(&buf), &changed, NULL) == ERR_OK) {
            fail_msg("byte %zu of %zu changed", i, buf.len);
        }
        buf.data[i] ^= 0x04;
    }
    assert_int_equal(pki_request_key(all(&root), &got, NULL), ERR_INVALID);
}

/* The request of a key that is not Ed25519, well signed. */
static void test_foreign_request(void **state)
{
    (void)state;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
    X509_REQ *request = X509_REQ_new();
    unsigned char *der = NULL;
    struct hash got;
    assert_int_equal(X509_REQ_set_pubkey(request, pkey), 1);
    assert_true(X509_REQ_sign(request, pkey, EVP_sha256()) > 0);
    int len = i2d_X509_REQ(request, &der);
    assert_true(len > 0);
    assert_int_equal(pki_request_key((struct bytes){der, (size_t)len}, &got, NULL), ERR_INVALID);
    OPENSSL_free(der);
    X509_REQ_free(request);
    EVP_PKEY_free(pkey);
}

static X509 *first_of(const struct buf *chain)
{
    BIO *bio = BIO_new_mem_buf(chain->data, (int)chain->len);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(x);
    return x;
}

static void assert_subject(X509 *x, const char *name, const char *role)
{
    char text[200];
    X509_NAME *subject = X509_get_subject_name(x);
    assert_true(X509_NAME_get_text_by_NID(subject, NID_commonName, text, sizeof text) > 0);
    assert_string_equal(text, name);
    assert_true(X509_NAME_get_text_by_NID(subject, NID_organizationName, text, sizeof text) > 0);
    assert_string_equal(text, "ab010000000000000000000000000000");
    int len = X509_NAME_get_text_by_NID(subject, NID_organizationalUnitName, text, sizeof text);
    assert_int_equal(len > 0, role != NULL);
    assert_true(role == NULL || strcmp(text, role) == 0);
}

/* From a day before now, for as long as its kind. */
static void assert_times(X509 *x, int days)
{
    int day = 0, second = 0;
    time_t now = (time_t)(NOW.ms / 1000);
    ASN1_TIME *at = ASN1_TIME_set(NULL, now);
    assert_int_equal(ASN1_TIME_diff(&day, &second, X509_get0_notBefore(x), at), 1);
    assert_true(day == 1 && second == 0);
    assert_int_equal(ASN1_TIME_diff(&day, &second, at, X509_get0_notAfter(x)), 1);
    assert_true(day == days && second == 0);
    ASN1_TIME_free(at);
}

static void test_kinds(void **state)
{
    (void)state;
    static const struct {
        enum pki_role role;
        const char *name;
        const char *unit;
        int days;
    } ROWS[] = {{PKI_NODE, "node:cd020000000000000000000000000000", NULL, 825},
                {PKI_NODE_CA, "ca:cd020000000000000000000000000000", NULL, 30 * 365 + 7},
                {PKI_CLIENT, "client:lan", "admin", 825}};
    for (size_t i = 0; i < 3; i++) {
        struct pki_subject subject = {.role = ROWS[i].role,
                                      .tree = TREE,
                                      .node = NODE,
                                      .client_name = "lan",
                                      .client_role = "admin",
                                      .key = pki_key_public(other)};
        buf_clear(&buf);
        assert_int_equal(pki_issue(key, all(&root), &subject, NOW, &buf, NULL), ERR_OK);
        X509 *x = first_of(&buf);
        bool ca = ROWS[i].role == PKI_NODE_CA;
        assert_subject(x, ROWS[i].name, ROWS[i].unit);
        assert_times(x, ROWS[i].days);
        assert_int_equal(X509_check_ca(x), ca ? 1 : 0);
        assert_int_equal(X509_get_key_usage(x),
                         ca ? KU_KEY_CERT_SIGN | KU_CRL_SIGN : KU_DIGITAL_SIGNATURE);
        assert_int_equal(X509_get_extended_key_usage(x),
                         ca ? UINT32_MAX : XKU_SSL_SERVER | XKU_SSL_CLIENT);
        X509 *issuer = first_of(&root);
        assert_int_equal(X509_verify(x, X509_get0_pubkey(issuer)), 1);
        assert_int_equal(X509_check_issued(issuer, x), X509_V_OK);
        X509_free(issuer);
        X509_free(x);
        struct hash got, want = pki_key_public(other);
        assert_int_equal(pki_chain_key(all(&buf), &got, NULL), ERR_OK);
        assert_true(hash_equal(&got, &want));
    }
}

static void test_root(void **state)
{
    (void)state;
    X509 *x = first_of(&root);
    assert_times(x, 30 * 365 + 7);
    assert_int_equal(X509_check_ca(x), 1);
    assert_int_equal(X509_self_signed(x, 1), 1);
    X509_free(x);
    struct hash got, want = pki_key_public(key);
    assert_int_equal(pki_chain_key(all(&root), &got, NULL), ERR_OK);
    assert_true(hash_equal(&got, &want));
}

/* Serial numbers are random: two certificates for the same are not the same. */
static void test_serials(void **state)
{
    (void)state;
    struct pki_subject subject = {
        .role = PKI_NODE, .tree = TREE, .node = NODE, .key = pki_key_public(other)};
    X509 *x[2];
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&buf);
        assert_int_equal(pki_issue(key, all(&root), &subject, NOW, &buf, NULL), ERR_OK);
        x[i] = first_of(&buf);
        assert_int_equal(ASN1_STRING_length(X509_get0_serialNumber(x[i])), 16);
    }
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(x[0]), X509_get0_serialNumber(x[1])), 0);
    X509_free(x[0]);
    X509_free(x[1]);
}

/* A chain of three tiers: each step is the certificate and all above it, and the end is the root.
 */
static void test_chain(void **state)
{
    (void)state;
    struct pki_key *ca = NULL, *above = key;
    struct buf chain, next;
    struct hash fingerprint, want;
    buf_init(&chain, PKI_FILE_MAX_BYTES);
    buf_put(&chain, root.data, root.len);
    assert_int_equal(pki_chain_root(all(&root), &want, NULL, NULL), ERR_OK);
    for (int tier = 0; tier < 3; tier++) {
        struct pki_subject subject = {.role = PKI_NODE_CA, .tree = TREE, .node = {{(uint8_t)tier}}};
        assert_int_equal(pki_key_generate(&ca, NULL), ERR_OK);
        subject.key = pki_key_public(ca);
        buf_init(&next, PKI_FILE_MAX_BYTES);
        assert_int_equal(pki_issue(above, all(&chain), &subject, NOW, &next, NULL), ERR_OK);
        assert_memory_equal(next.data + next.len - chain.len, chain.data, chain.len);
        buf_deinit(&chain);
        chain = next;
        if (tier > 0) {
            pki_key_free(above);
        }
        above = ca;
        buf_clear(&buf);
        assert_int_equal(pki_chain_root(all(&chain), &fingerprint, &buf, NULL), ERR_OK);
        assert_true(hash_equal(&fingerprint, &want));
        assert_int_equal(buf.len, root.len);
        assert_memory_equal(buf.data, root.data, root.len);
    }
    pki_key_free(ca);
    buf_deinit(&chain);
}

static void test_no_chain(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "", "no chain", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
    struct pki_subject subject = {
        .role = PKI_NODE, .tree = TREE, .node = NODE, .key = pki_key_public(other)};
    for (size_t i = 0; i < 3; i++) {
        struct bytes chain = {(const uint8_t *)BAD[i], strlen(BAD[i])};
        struct hash hash = {{7}};
        struct errmsg msg = {{0}};
        assert_int_equal(pki_chain_root(chain, &hash, &buf, &msg), ERR_INVALID);
        assert_int_equal(pki_chain_key(chain, &hash, &msg), ERR_INVALID);
        assert_int_equal(pki_issue(key, chain, &subject, NOW, &buf, &msg), ERR_INVALID);
        assert_true(hash.b[0] == 7 && buf.len == 0 && msg.text[0] != '\0');
    }
    /* A name longer than X.509 takes is refused, not cut. */
    char name[100];
    memset(name, 'x', sizeof name);
    name[99] = '\0';
    subject.role = PKI_CLIENT;
    subject.client_name = name;
    subject.client_role = "admin";
    assert_int_equal(pki_issue(key, all(&root), &subject, NOW, &buf, NULL), ERR_INVALID);
}

#define WITH_KEYS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_KEYS(test_sign),      WITH_KEYS(test_known_signature),
                                       WITH_KEYS(test_key_files), WITH_KEYS(test_foreign_keys),
                                       WITH_KEYS(test_request),   WITH_KEYS(test_foreign_request),
                                       WITH_KEYS(test_kinds),     WITH_KEYS(test_root),
                                       WITH_KEYS(test_serials),   WITH_KEYS(test_chain),
                                       WITH_KEYS(test_no_chain)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The cipher of a sealed file, chunk by chunk, and the hash that its signature is over.
 *
 * Failures: a tag that does not fit is the one outcome of these calls that depends on what was
 * given to them; they fail otherwise only when memory ends. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <string.h>

#include "pki/internal.h"
#include "pki/seal.h"

enum { NONCE_BYTES = 12 };

bool seal_box_init(struct seal_box *box, bool sealing, const struct hash *content_key,
                   const uint8_t header[SEAL_HEADER_BYTES], const struct hash *recipient)
{
    ERR_clear_error();
    box->cipher = EVP_CIPHER_CTX_new();
    box->digest = EVP_MD_CTX_new();
    return box->cipher != NULL && box->digest != NULL &&
           EVP_CipherInit_ex(box->cipher, EVP_aes_256_gcm(), NULL, content_key->b, NULL,
                             sealing ? 1 : 0) == 1 &&
           EVP_DigestInit_ex(box->digest, EVP_sha256(), NULL) == 1 &&
           EVP_DigestUpdate(box->digest, header, SEAL_HEADER_BYTES) == 1 &&
           EVP_DigestUpdate(box->digest, recipient->b, HASH_BYTES) == 1;
}

void seal_box_deinit(struct seal_box *box)
{
    EVP_CIPHER_CTX_free(box->cipher);
    EVP_MD_CTX_free(box->digest);
}

bool seal_box_signed(struct seal_box *box, uint8_t out[SEAL_SIGNED_BYTES])
{
    memcpy(out, SEAL_LABEL, SEAL_LABEL_BYTES);
    return EVP_DigestFinal_ex(box->digest, out + SEAL_LABEL_BYTES, NULL) == 1;
}

static bool begin_chunk(struct seal_box *box, bool last)
{
    uint8_t nonce[NONCE_BYTES] = {0};
    uint8_t mark = last ? 1 : 0;
    int n = 0;
    for (size_t i = 0; i < 8; i++) {
        nonce[NONCE_BYTES - 1 - i] = (uint8_t)(box->number >> 8 * i);
    }
    ERR_clear_error();
    return EVP_CipherInit_ex(box->cipher, NULL, NULL, NULL, nonce, -1) == 1 &&
           EVP_CipherUpdate(box->cipher, NULL, &n, &mark, 1) == 1;
}

bool seal_box_close(struct seal_box *box, const uint8_t *plain, size_t len, bool last, uint8_t *out)
{
    int n = 0;
    bool good =
        begin_chunk(box, last) && EVP_CipherUpdate(box->cipher, out, &n, plain, (int)len) == 1 &&
        EVP_CipherFinal_ex(box->cipher, out + len, &n) == 1 &&
        EVP_CIPHER_CTX_ctrl(box->cipher, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_BYTES, out + len) == 1;
    box->number++;
    return good;
}

enum err seal_box_open(struct seal_box *box, uint8_t *sealed, size_t len, bool last, uint8_t *out)
{
    int n = 0;
    size_t plain = len - SEAL_TAG_BYTES;
    if (!begin_chunk(box, last) ||
        EVP_CipherUpdate(box->cipher, out, &n, sealed, (int)plain) != 1 ||
        EVP_CIPHER_CTX_ctrl(box->cipher, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_BYTES, sealed + plain) !=
            1) {
        return ERR_NO_MEMORY;
    }
    if (EVP_CipherFinal_ex(box->cipher, out + plain, &n) != 1) {
        return ERR_AUTH;
    }
    box->number++;
    return ERR_OK;
}

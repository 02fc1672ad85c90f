#include "base/ids.h"

#include <string.h>

bool id_equal(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, ID_BYTES) == 0;
}

bool id_is_zero(const struct id *id)
{
    static const struct id ZERO;
    return id_equal(id, &ZERO);
}

int id_compare(const struct id *a, const struct id *b)
{
    return memcmp(a->b, b->b, ID_BYTES);
}

void id_sum_add(struct id *sum, const struct id *id)
{
    unsigned carry = 0;
    for (int i = ID_BYTES - 1; i >= 0; i--) {
        carry += (unsigned)sum->b[i] + id->b[i];
        sum->b[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

void id_sum_sub(struct id *sum, const struct id *id)
{
    unsigned borrow = 0;
    for (int i = ID_BYTES - 1; i >= 0; i--) {
        unsigned v = 256u + sum->b[i] - id->b[i] - borrow;
        sum->b[i] = (uint8_t)v;
        borrow = v < 256 ? 1 : 0;
    }
}

bool hash_equal(const struct hash *a, const struct hash *b)
{
    return memcmp(a->b, b->b, HASH_BYTES) == 0;
}

void hex_encode(const uint8_t *bytes, size_t len, char *out)
{
    static const char DIGITS[] = "0123456789abcdef";
    for (size_t i = 0; i < len; i++) {
        out[2 * i] = DIGITS[bytes[i] >> 4];
        out[2 * i + 1] = DIGITS[bytes[i] & 15];
    }
    out[2 * len] = '\0';
}

void id_format(const struct id *id, char out[ID_HEX_BYTES])
{
    hex_encode(id->b, ID_BYTES, out);
}

void hash_format(const struct hash *hash, char out[HASH_HEX_BYTES])
{
    hex_encode(hash->b, HASH_BYTES, out);
}

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum err hex_decode(const char *text, uint8_t *out, size_t len)
{
    if (strlen(text) != 2 * len) {
        return ERR_INVALID;
    }
    for (size_t i = 0; i < 2 * len; i++) {
        if (digit_value(text[i]) < 0) {
            return ERR_INVALID;
        }
    }
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(digit_value(text[2 * i]) * 16 + digit_value(text[2 * i + 1]));
    }
    return ERR_OK;
}

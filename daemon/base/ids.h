/* Identities and hashes as values: 128-bit random names, 256-bit hashes and keys, and their
 * hexadecimal text. */
#ifndef TALLY_BASE_IDS_H
#define TALLY_BASE_IDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum {
    ID_BYTES = 16,
    HASH_BYTES = 32,
    SIGNATURE_BYTES = 64,
    ID_HEX_BYTES = 33,
    HASH_HEX_BYTES = 65
};

struct id {
    uint8_t b[ID_BYTES];
};

struct hash {
    uint8_t b[HASH_BYTES];
};

struct signature {
    uint8_t b[SIGNATURE_BYTES];
};

bool id_equal(const struct id *a, const struct id *b);
bool id_is_zero(const struct id *id);
int id_compare(const struct id *a, const struct id *b);
/* Sums of ids as 128-bit big-endian numbers modulo 2^128: order does not matter. */
void id_sum_add(struct id *sum, const struct id *id);
void id_sum_sub(struct id *sum, const struct id *id);
bool hash_equal(const struct hash *a, const struct hash *b);

/* Lower-case hexadecimal with a final NUL; `out` holds 2 * len + 1 bytes. */
void hex_encode(const uint8_t *bytes, size_t len, char *out);
void id_format(const struct id *id, char out[ID_HEX_BYTES]);
void hash_format(const struct hash *hash, char out[HASH_HEX_BYTES]);

/* Reads exactly `len` bytes of hexadecimal text, either case; ERR_INVALID otherwise. */
enum err hex_decode(const char *text, uint8_t *out, size_t len) MUST_CHECK;

#endif

/* SHA-256, HMAC-SHA-256 (RFC 2104) and random bytes. libcrypto computes them; its headers stay
 * inside sha256.c. Any thread. These cannot fail but by lack of memory or of a random source, which
 * ends the process with a message. */
#ifndef TALLY_BASE_SHA256_H
#define TALLY_BASE_SHA256_H

#include "base/ids.h"

/* SHA-256 of one piece. */
struct hash sha256(const void *data, size_t len);

/* SHA-256 of a text that comes in pieces: begun, put, and ended, which gives it back. */
struct sha256_pieces;
struct sha256_pieces *sha256_begin(void);
void sha256_put(struct sha256_pieces *pieces, const void *data, size_t len);
struct hash sha256_end(struct sha256_pieces *pieces);

/* SHA-256(previous ‖ data): one step of a hash chain. */
struct hash sha256_chain(const struct hash *previous, const void *data, size_t len);

struct hash hmac_sha256(const void *key, size_t key_len, const void *data, size_t len);

/* Equality in constant time, for secrets. */
bool secret_equal(const void *a, const void *b, size_t len);

/* Fills from the system's random source. */
void random_fill(void *out, size_t len);
struct id random_id(void);

#endif

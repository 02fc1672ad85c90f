/* layer: pki */
/* Nodes that seal files for each other, and a reader that keeps what it got. */
#ifndef TALLY_TEST_SEAL_WORLD_H
#define TALLY_TEST_SEAL_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "pki/internal.h"
#include "pki/seal.h"

enum { FILE_MAX_BYTES = 16 << 20 };

struct seal_world {
    struct pki_key *sender;
    struct pki_key *recipient;
    struct pki_key *other;
    struct buf chain; /* of the sender: one certificate, so that the smallest file is small */
};

static inline void seal_must(bool good)
{
    if (!good) {
        abort();
    }
}

static inline void seal_world_begin(struct seal_world *world)
{
    static const struct id TREE = {{0xab, 1}};
    buf_init(&world->chain, PKI_FILE_MAX_BYTES);
    seal_must(pki_key_generate(&world->sender, NULL) == ERR_OK &&
              pki_key_generate(&world->recipient, NULL) == ERR_OK &&
              pki_key_generate(&world->other, NULL) == ERR_OK &&
              pki_root_certificate(world->sender, &TREE, (struct wall){INT64_C(1700000000000)},
                                   &world->chain, NULL) == ERR_OK);
}

static inline void seal_world_end(struct seal_world *world)
{
    pki_key_free(world->sender);
    pki_key_free(world->recipient);
    pki_key_free(world->other);
    buf_deinit(&world->chain);
}

/* Bytes that are not all alike, and the same every time. */
static inline void put_pattern(struct buf *buf, size_t len)
{
    uint8_t *out = buf_extend(buf, len);
    seal_must(len == 0 || out != NULL);
    for (size_t i = 0; i < len; i++) {
        out[i] = (uint8_t)(i * 7 + i / 251 + len);
    }
}

/* What a sink got, each message with its length before it. */
static inline enum err on_message(void *ctx, struct bytes message, struct errmsg *msg)
{
    (void)msg;
    buf_put_blob(ctx, message.data, message.len);
    return ERR_OK;
}

/* Reads a whole file in parts of `step` bytes, 0: of random sizes; into `got`, which may be NULL.
 * The sender's key and chain are checked against `world` when all is well. */
static inline enum err read_file(const struct seal_world *world, const struct pki_key *key,
                                 struct bytes file, size_t step, struct buf *got,
                                 struct errmsg *msg)
{
    struct seal_reader *reader;
    TRY(seal_reader_new(key, got == NULL ? NULL : on_message, got, &reader, msg));
    enum err err = ERR_OK;
    for (size_t at = 0; err == ERR_OK && at < file.len;) {
        size_t n = step;
        if (step == 0) {
            uint32_t any;
            random_fill(&any, sizeof any);
            n = any % (any & 0x80000000 ? 300 : 200000);
        }
        n = n > file.len - at ? file.len - at : n;
        err = seal_read(reader, (struct bytes){file.data + at, n}, msg);
        at += n;
    }
    enum err end = seal_read_end(reader, msg);
    seal_must(err == ERR_OK || end == err); /* it is said again */
    if (end == ERR_OK) {
        struct hash sender = seal_reader_sender(reader);
        struct hash want = pki_key_public(world->sender);
        struct bytes chain = seal_reader_chain(reader);
        seal_must(hash_equal(&sender, &want) && chain.len == world->chain.len &&
                  memcmp(chain.data, world->chain.data, chain.len) == 0);
    }
    seal_reader_free(reader);
    return end;
}

#endif

/* layer: tls pki */
/* A tree of three tiers with its certificates, another tree that is not trusted, and two TLS
 * engines with their ciphertext carried from one to the other. */
#ifndef TALLY_TEST_TLS_WORLD_H
#define TALLY_TEST_TLS_WORLD_H

#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "pki/pki.h"
#include "tls/tls.h"

/* A key with the certificate that was issued for it. */
struct party {
    struct pki_key *key;
    struct buf chain; /* own certificate first, root last */
    struct buf pem;   /* the key */
};

struct world {
    struct wall now;
    struct party root;  /* CA of the root node */
    struct party ca[2]; /* the CAs below, each signed by the one above */
    struct party top;   /* the root's node */
    struct party low;   /* a node of the third tier, certified by ca[1] */
    struct party client;
    struct party strange_root;
    struct party stranger;
    struct hash fingerprint; /* of the root certificate */
};

static const struct id world_tree = {{0x11, 0x22}};

static inline void world_must(bool good)
{
    if (!good) {
        abort();
    }
}

static inline struct bytes world_bytes(const struct buf *buf)
{
    return (struct bytes){buf->data, buf->len};
}

static inline void party_begin(struct party *party)
{
    char path[] = "/tmp/tally-tls-XXXXXX";
    int fd = mkstemp(path);
    world_must(fd >= 0 && close(fd) == 0);
    buf_init(&party->chain, PKI_FILE_MAX_BYTES);
    buf_init(&party->pem, PKI_FILE_MAX_BYTES);
    world_must(pki_key_generate(&party->key, NULL) == ERR_OK);
    world_must(pki_key_save(party->key, path, NULL) == ERR_OK);
    world_must(file_read(path, &party->pem, NULL) == ERR_OK);
    (void)unlink(path);
}

static inline void party_root(struct party *party, struct wall now)
{
    party_begin(party);
    world_must(pki_root_certificate(party->key, &world_tree, now, &party->chain, NULL) == ERR_OK);
}

static inline void party_issue_for(struct party *party, const struct party *ca, enum pki_role role,
                                   uint8_t number, const char *unit, struct wall now)
{
    party_begin(party);
    struct pki_subject subject = {.role = role,
                                  .tree = world_tree,
                                  .node = {{number}},
                                  .unit = unit,
                                  .number = unit == NULL ? 0 : number,
                                  .client_name = "lan",
                                  .client_role = "recorder",
                                  .key = pki_key_public(party->key)};
    world_must(pki_issue(ca->key, world_bytes(&ca->chain), &subject, now, &party->chain, NULL) ==
               ERR_OK);
}

static inline void party_issue(struct party *party, const struct party *ca, enum pki_role role,
                               uint8_t number, struct wall now)
{
    party_issue_for(party, ca, role, number, NULL, now);
}

static inline void party_end(struct party *party)
{
    pki_key_free(party->key);
    buf_deinit(&party->chain);
    buf_deinit(&party->pem);
}

static inline void world_begin(struct world *world)
{
    world->now = clock_read().wall;
    party_root(&world->root, world->now);
    party_issue(&world->ca[0], &world->root, PKI_NODE_CA, 1, world->now);
    party_issue(&world->ca[1], &world->ca[0], PKI_NODE_CA, 2, world->now);
    party_issue(&world->top, &world->root, PKI_NODE, 3, world->now);
    party_issue(&world->low, &world->ca[1], PKI_NODE, 4, world->now);
    party_issue(&world->client, &world->root, PKI_CLIENT, 0, world->now);
    party_root(&world->strange_root, world->now);
    party_issue(&world->stranger, &world->strange_root, PKI_NODE, 5, world->now);
    world_must(pki_chain_root(world_bytes(&world->root.chain), &world->fingerprint, NULL, NULL) ==
               ERR_OK);
}

static inline void world_end(struct world *world)
{
    struct party *all[] = {&world->root, &world->ca[0],  &world->ca[1],        &world->top,
                           &world->low,  &world->client, &world->strange_root, &world->stranger};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        party_end(all[i]);
    }
}

static inline struct tls_context *world_server(const struct party *party, const struct party *root)
{
    struct tls_context *context = NULL;
    world_must(tls_server_context(world_bytes(&party->chain), world_bytes(&party->pem),
                                  world_bytes(&root->chain), &context, NULL) == ERR_OK);
    return context;
}

static inline struct tls_context *world_client(const struct party *party, const struct party *root)
{
    struct tls_context *context = NULL;
    world_must(tls_client_context(world_bytes(&party->chain), world_bytes(&party->pem),
                                  world_bytes(&root->chain), &context, NULL) == ERR_OK);
    return context;
}

static inline struct tls_context *world_joiner(const struct hash *fingerprint)
{
    struct tls_context *context = NULL;
    world_must(tls_join_context(fingerprint, &context, NULL) == ERR_OK);
    return context;
}

/* ---- two ends ---- */

struct end {
    struct tls *tls;
    enum err err; /* of the handshake, or of a read after it */
    bool done;
    struct errmsg msg;
};

struct pair {
    struct end server;
    struct end client;
    size_t chunk; /* ciphertext is carried in pieces of this size */
};

/* Both contexts go to the connections. */
static inline void pair_begin(struct pair *pair, struct tls_context *server,
                              struct tls_context *client, enum tls_purpose purpose, size_t chunk)
{
    *pair = (struct pair){.chunk = chunk};
    pair->server.tls = tls_accept_new(server);
    pair->client.tls = tls_connect_new(client, purpose);
    world_must(pair->server.tls != NULL && pair->client.tls != NULL);
    tls_context_free(server);
    tls_context_free(client);
}

static inline void pair_end(struct pair *pair)
{
    tls_free(pair->server.tls);
    tls_free(pair->client.tls);
}

static inline void end_step(struct end *end)
{
    if (end->err == ERR_OK && !end->done) {
        end->err = tls_handshake(end->tls, &end->done, &end->msg);
    }
}

/* Carries what waits; whether there was any. The receiver moves on after every piece. */
static inline bool carry(struct end *from, struct end *to, size_t chunk)
{
    uint8_t piece[4096];
    size_t n;
    bool any = false;
    while ((n = tls_take(from->tls, piece, chunk)) > 0) {
        any = true;
        world_must(tls_feed(to->tls, piece, n, NULL) == ERR_OK);
        end_step(to);
    }
    return any;
}

/* Until nothing moves any more. */
static inline void pair_shake(struct pair *pair)
{
    bool any = true;
    end_step(&pair->client);
    while (any) {
        any = carry(&pair->client, &pair->server, pair->chunk);
        any = carry(&pair->server, &pair->client, pair->chunk) || any;
    }
}

/* What comes out at an end, up to `cap`; an error stays in `end->err`. */
static inline size_t end_read(struct end *end, void *out, size_t cap)
{
    size_t got = 0, n = 1;
    while (end->err == ERR_OK && n > 0 && got < cap) {
        end->err = tls_read(end->tls, (char *)out + got, cap - got, &n, &end->msg);
        got += end->err == ERR_OK ? n : 0;
    }
    return got;
}

#endif

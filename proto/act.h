/* Acts: what an administrative decision says, as the content of a ledger entry. */
#ifndef TALLY_PROTO_ACT_H
#define TALLY_PROTO_ACT_H

#include "base/bytes.h"
#include "base/clock.h"
#include "proto/limits.h"

enum act_kind {
    ACT_UNIT = 1,      /* a unit is made or named anew */
    ACT_HOST = 2,      /* a node is given a unit */
    ACT_CATALOGUE = 3, /* a version of the catalogue */
    ACT_INVITE = 4,    /* a token was given out */
    ACT_REVOKE = 5,    /* a node's key is no longer accepted */
};

struct act {
    enum act_kind kind;
    const char *unit;
    const char *name;   /* unit */
    const char *level;  /* unit */
    const char *parent; /* unit; "" at the root */
    int32_t day;        /* unit: open from, DAY_NONE for always */
    struct id node;     /* host, revoke */
    struct id origin;   /* host */
    struct hash key;    /* host, revoke: the node's public key */
    uint64_t number;    /* host: hosting number; catalogue: version */
    struct hash
        content; /* catalogue: SHA-256 of its canonical bytes; invite: of the token's secret */
    struct wall expires; /* invite */
};

void act_encode(const struct act *act, struct buf *out);

/* Strings point to copies in the arena. */
struct arena;
enum err act_decode(struct bytes bytes, struct arena *arena, struct act *out) MUST_CHECK;

#endif

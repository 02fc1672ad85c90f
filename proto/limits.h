/* The sizes that two processes agree on. Everything that arrives is checked against these before it
 * is used. */
#ifndef TALLY_PROTO_LIMITS_H
#define TALLY_PROTO_LIMITS_H

enum {
    CODE_MAX_BYTES = 64,  /* codes of units, measures, levels; one dimension value of a category */
    NAME_MAX_BYTES = 256, /* names for people */
    CATEGORY_MAX_BYTES = 256,  /* "group=cadre,sex=f" */
    KEY_MAX_BYTES = 128,       /* idempotency keys */
    NOTE_MAX_BYTES = 1024,     /* notes on entries */
    AUTHOR_MAX_BYTES = 128,    /* who recorded */
    ADDRESS_MAX_BYTES = 128,   /* "host:port" */
    FORMULA_MAX_BYTES = 512,   /* indicator formulas */
    VALUE_TEXT_MAX_BYTES = 40, /* a value as people type it */
    TEXT_MAX_BYTES = 640,      /* reasons and refusals: any sentence of struct errmsg */
    ENTRY_ID_MAX_BYTES = 40,   /* an entry's identity as text */

    FRAME_MAX_BYTES = 1 << 20,         /* one message on an authenticated connection */
    FRAME_MAX_BYTES_STRANGER = 8192,   /* before the peer is known */
    UNPACKED_MAX_BYTES = 4 << 20,      /* a compressed body after decompression */
    DECODE_ARENA_MAX_BYTES = 24 << 20, /* what one decoded message may take in memory */

    ADDRESSES_MAX = 8,              /* addresses of one node */
    ANCESTORS_MAX = 32,             /* depth of the tree */
    SESSIONS_MAX = 64,              /* session names told in one hello */
    HEADS_MAX = 4096,               /* segments told in one hello or batch for one origin */
    EDGES_MAX = 64,                 /* dated edges of one unit */
    CONTINUES_MAX = 16,             /* heads that a segment continues */
    BATCH_ROWS_MAX = 20000,         /* rows of one kind in one batch */
    IMPORT_ROWS_MAX = 5000,         /* rows of one import request */
    LACKS_MAX = 64,                 /* measures that are named as missing of one unit */
    REFUSED_ROWS_MAX = 100,         /* refused rows told back in one reply or acknowledgement */
    BACKUP_PART_BYTES = 256 * 1024, /* of a backup, in one reply frame */
    BUNDLE_PART_BYTES = 256 * 1024, /* of a bundle, in one frame */
    RANGES_MAX = 256,               /* sums of ranges in one batch */
    REPLY_ROWS_MAX = 2000,          /* rows of one reply frame; longer answers come in several */
    MEASURES_ASKED_MAX = 256,       /* measures named in one query */
    CATALOGUE_MAX_BYTES = 768 * 1024,
    MEASURES_MAX = 4096,
    LEVELS_MAX = 32,
    CATEGORY_DIMS_MAX = 8,     /* dimensions of one measure */
    CATEGORY_VALUES_MAX = 256, /* values of one dimension */
};

/* An entry's value in the measure's smallest step. */
#define VALUE_MAX INT64_C(1000000000000000)

/* Counts and lengths above this are refused: no ledger gets there. */
#define COUNT_MAX INT64_C(1000000000000)

#endif

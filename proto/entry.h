/* Entries and the chains they form.
 *
 * An entry is one recorded fact, or one act (an administrative decision). Entries of one origin
 * form its ledger: it is cut into segments, each begun by one process, each with a random name. A
 * segment is a chain: its empty head is the hash of its opening, and every entry's hash is
 * SHA-256(hash before ‖ canonical bytes). So the hash at any length stands for everything up to
 * there. PROTOCOL.md gives the canonical bytes field by field. */
#ifndef TALLY_PROTO_ENTRY_H
#define TALLY_PROTO_ENTRY_H

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "proto/limits.h"

enum entry_kind {
    ENTRY_RECORD = 1,
    ENTRY_AMEND = 2,
    ENTRY_VOID = 3,
    ENTRY_ACT = 4,
    ENTRY_LOST = 5 /* what one cell came to, entries that are lost included */
};

/* Where a chain stands: the hash after `length` entries of the segment. */
struct head {
    struct id segment;
    uint64_t length;
    struct hash hash;
};

/* What a segment begins with: the heads of its origin's ledger that it continues. */
struct opening {
    struct id origin;
    struct id segment;
    const struct head *continues;
    size_t continue_count;
};

/* Strings are never NULL; the empty string stands for "none". They belong to whoever made the
 * struct. */
struct entry {
    struct id segment;
    uint64_t seq; /* 1.. */
    enum entry_kind kind;
    const char *unit;
    const char *measure;
    const char *category;
    int32_t day;
    int64_t value;   /* smallest steps; 0 for a void */
    int64_t hosting; /* hosting number, for stocks; else 0 */
    struct id refers_segment;
    uint64_t refers_seq; /* the record that an amend or void names; 0 for none. Lost: how many
                          * entries of the cell are */
    const char *key;
    const char *note;
    const char *author;
    struct wall recorded_at;
    struct bytes act; /* canonical bytes of the act, see act.h, or of struct entry_lost */
};

/* Entries that nobody has any more, known by what they had come to at an office above: an entry of
 * kind ENTRY_LOST says what one cell comes to with them, by its unit, measure, category, value,
 * hosting and day (stocks) and by this. It stands in the place of all entries of the cell that its
 * segment continues, lost or not. */
struct entry_lost {
    int32_t period; /* of the cell */
    int64_t count;  /* of the cell, without this entry */
    int64_t live;
    int64_t above; /* of that count, what the office above had counted */
};
void entry_lost_encode(const struct entry_lost *lost, struct buf *out);
/* ERR_INVALID for what cannot be. */
enum err entry_lost_decode(struct bytes bytes, struct entry_lost *out) MUST_CHECK;

/* Appends the canonical bytes of the entry (without segment and seq, which the chain fixes). */
void entry_canonical(const struct entry *entry, struct buf *out);

/* The hash after this entry, given the one before; `scratch` is cleared and used. */
struct hash entry_hash(const struct hash *before, const struct entry *entry, struct buf *scratch);

/* The head of a segment that has no entry yet. */
struct hash opening_hash(const struct opening *opening, struct buf *scratch);

/* Checks what arrived: text, ranges, kind; the sentence says which field. */
enum err entry_check(const struct entry *entry, struct errmsg *msg) MUST_CHECK;

/* The identity of an entry as people see and type it: the first 60 bits of the segment's name in 12
 * letters and digits (Crockford's base 32, lower case), a hyphen, the number in the segment. */
void entry_id_format(const struct id *segment, uint64_t seq, char out[ENTRY_ID_MAX_BYTES]);

/* Reads such text. `prefix` gets the 60 bits in its first bytes (the low 4 bits of byte 7 zero) and
 * zeros behind. ERR_USAGE when the text has another form. */
enum err entry_id_parse(const char *text, struct id *prefix, uint64_t *seq, struct errmsg *msg)
    MUST_CHECK;

#endif

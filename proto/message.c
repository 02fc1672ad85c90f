#include "proto/message.h"

#include "base/sha256.h"

static const char *const MESSAGE_NAMES[MESSAGE_TYPE_COUNT] = {
    "?",    "hello", "welcome", "refuse",  "batch", "ack",    "catalogue",
    "ping", "join",  "joined",  "request", "reply", "bundle",
};

static const char *const REQUEST_NAMES[REQUEST_TYPE_COUNT] = {
    "?",      "record", "correct",      "wait",        "total",   "log",
    "status", "tree",   "verify",       "apply",       "units",   "unit-list",
    "invite", "backup", "bundle-write", "bundle-read", "missing",
};

const char *message_name(enum message_type type)
{
    return (unsigned)type < MESSAGE_TYPE_COUNT ? MESSAGE_NAMES[type] : "?";
}

const char *request_name(enum request_type type)
{
    return (unsigned)type < REQUEST_TYPE_COUNT ? REQUEST_NAMES[type] : "?";
}

const char *link_state_name(enum link_state state)
{
    static const char *const NAMES[] = {"never", "offline", "catching up",
                                        "exact", "refused", "fenced"};
    return (unsigned)state <= LINK_FENCED ? NAMES[state] : "?";
}

const char *hold_reason_text(enum hold_reason reason)
{
    static const char *const TEXTS[HOLD_REASON_COUNT] = {
        "not held",
        "its unit is not known here yet",
        "its measure is not in the catalogue here yet",
        "its category is not in the catalogue here yet",
        "its origin is behind what is known of it",
        "no act is known that gave its origin a unit",
        "its count is known with another value",
        "it counts more entries than its ledger has",
        "another office has a unit of that code",
        "no act gave its origin that unit",
    };
    return (unsigned)reason < HOLD_REASON_COUNT ? TEXTS[reason] : "?";
}

const char *refuse_reason_text(enum refuse_reason reason)
{
    static const char *const TEXTS[REFUSE_REASON_COUNT] = {
        "?",
        "its origin does not come through this child",
        "no act gave its origin that unit",
        "its counts or values cannot be",
        "its entries do not continue the ledger that is known",
        "too many rows are held already",
        "the same count is known with another value",
        "its ledger is behind what is known of it",
        "another office has a unit of that code",
    };
    return (unsigned)reason < REFUSE_REASON_COUNT ? TEXTS[reason] : "?";
}

void signed_heads_bytes(const struct signed_heads *heads, struct buf *out)
{
    buf_put_u8(out, 1);
    buf_put_id(out, &heads->heads.origin);
    buf_put_u32(out, (uint32_t)heads->heads.head_count);
    for (size_t i = 0; i < heads->heads.head_count; i++) {
        buf_put_id(out, &heads->heads.heads[i].segment);
        buf_put_u64(out, heads->heads.heads[i].length);
        buf_put_hash(out, &heads->heads.heads[i].hash);
    }
    buf_put_i64(out, heads->at.ms);
}

struct id cell_hash(const struct cell *cell, struct buf *scratch)
{
    struct id out;
    buf_put_id(scratch, &cell->origin);
    buf_put_str(scratch, cell->unit);
    buf_put_str(scratch, cell->measure);
    buf_put_str(scratch, cell->category);
    buf_put_i64(scratch, cell->period);
    buf_put_i64(scratch, cell->value);
    buf_put_i64(scratch, cell->count);
    buf_put_i64(scratch, cell->live);
    buf_put_i64(scratch, cell->hosting);
    buf_put_i64(scratch, cell->day);
    struct hash hash = sha256(scratch->data, scratch->len);
    for (int i = 0; i < ID_BYTES; i++) {
        out.b[i] = hash.b[i];
    }
    return out;
}

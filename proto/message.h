/* Every message that two processes say to each other, as plain structs. The codec (proto/codec)
 * turns them into frames and back; the node and the client see only these. Strings in a decoded
 * message are never NULL (the empty string stands for "none"), clean UTF-8 within the limits of
 * limits.h; arrays with count 0 may be NULL. All memory of a decoded message belongs to the arena
 * that it was decoded into; a message to be encoded borrows whatever it points to. */
#ifndef TALLY_PROTO_MESSAGE_H
#define TALLY_PROTO_MESSAGE_H

#include "proto/catalogue.h"
#include "proto/link.h"
#include "proto/request.h"

/* ---- all of them ---- */

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_WELCOME,
    MESSAGE_REFUSE,
    MESSAGE_BATCH,
    MESSAGE_ACK,
    MESSAGE_CATALOGUE,
    MESSAGE_PING,
    MESSAGE_JOIN,
    MESSAGE_JOINED,
    MESSAGE_REQUEST,
    MESSAGE_REPLY,
    MESSAGE_BUNDLE,
    MESSAGE_TYPE_COUNT
};

struct message {
    enum message_type type;
    union {
        struct msg_hello hello;
        struct msg_welcome welcome;
        struct msg_refuse refuse;
        struct msg_batch batch;
        struct msg_ack ack;
        struct msg_catalogue catalogue;
        struct msg_ping ping;
        struct msg_join join;
        struct msg_joined joined;
        struct msg_request request;
        struct msg_reply reply;
        struct msg_bundle bundle;
    } u;
};

const char *message_name(enum message_type type);
const char *request_name(enum request_type type);
const char *link_state_name(enum link_state state);
const char *hold_reason_text(enum hold_reason reason);
const char *refuse_reason_text(enum refuse_reason reason);

/* The bytes that a signature over heads covers. */
void signed_heads_bytes(const struct signed_heads *heads, struct buf *out);

/* The hash of a cell that digests add up. */
struct id cell_hash(const struct cell *cell, struct buf *scratch);

#endif

/* Lies in the talk itself: frames, the order of messages, revisions, certificates. */
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "liar.h"

/* ---- frames ---- */

static void frame_oversized(struct liar *liar, struct draft *d)
{
    static const uint8_t header[FRAME_HEADER_BYTES] = {0, 0x20, 0, 0};
    (void)d;
    (void)link_say_bytes(liar, header, sizeof header);
    (void)link_hear(liar);
}

static void frame_empty(struct liar *liar, struct draft *d)
{
    static const uint8_t header[FRAME_HEADER_BYTES] = {0, 0, 0, 0};
    (void)d;
    (void)link_say_bytes(liar, header, sizeof header);
    (void)link_hear(liar);
}

/* Half a frame, and the end. */
static void frame_truncated(struct liar *liar, struct draft *d)
{
    static const uint8_t half[FRAME_HEADER_BYTES + 3] = {0, 0, 1, 0, 0x22, 0x10, 0x0a};
    (void)d;
    (void)link_say_bytes(liar, half, sizeof half);
    (void)printf("{\"answer\":\"none\"}\n");
}

/* A whole frame whose body is no message. */
static void frame_garbage(struct liar *liar, struct draft *d)
{
    uint8_t frame[FRAME_HEADER_BYTES + 64] = {0, 0, 0, 64};
    (void)d;
    random_fill(frame + FRAME_HEADER_BYTES, 64);
    frame[FRAME_HEADER_BYTES] = 0xff;
    (void)link_say_bytes(liar, frame, sizeof frame);
    (void)link_hear(liar);
}

/* ---- order ---- */

static void bare_connect(struct liar *liar)
{
    if (!link_connect(liar, "node.crt", "node.key")) {
        die("the handshake failed");
    }
}

static void garbage_first(struct liar *liar, struct draft *d)
{
    uint8_t garbage[256];
    (void)d;
    bare_connect(liar);
    random_fill(garbage, sizeof garbage);
    garbage[0] = 0xff;
    (void)link_say_bytes(liar, garbage, sizeof garbage);
    (void)link_hear(liar);
}

static void batch_first(struct liar *liar, struct draft *d)
{
    bare_connect(liar);
    ledger_begin(liar, d);
    (void)draft_entry(liar, d, 1, 1000);
    (void)draft_heads(liar, d);
    (void)draft_cell(liar, d, 1, 1000, 1);
    (void)batch_say(liar, d);
}

static void hello_twice(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    hello_make(liar, &hello);
    (void)link_say(liar, &hello);
    (void)link_hear(liar);
}

/* A message that only a parent says. */
static void welcome_said(struct liar *liar, struct draft *d)
{
    struct message welcome = {.type = MESSAGE_WELCOME};
    (void)d;
    welcome.u.welcome.software = "liar";
    welcome.u.welcome.unit = liar->unit;
    welcome.u.welcome.unit_name = "";
    welcome.u.welcome.unit_level = "commune";
    (void)link_say(liar, &welcome);
    (void)link_hear(liar);
}

/* A request on a link. */
static void request_said(struct liar *liar, struct draft *d)
{
    struct message request = {.type = MESSAGE_REQUEST};
    (void)d;
    request.u.request.id = 1;
    request.u.request.type = REQUEST_STATUS;
    (void)link_say(liar, &request);
    (void)link_hear(liar);
}

/* ---- hellos ---- */

static void hello_say(struct liar *liar, struct message *hello)
{
    bare_connect(liar);
    (void)link_say(liar, hello);
    (void)link_hear(liar);
}

static void hello_other_tree(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    hello_make(liar, &hello);
    hello.u.hello.tree = random_id();
    hello_say(liar, &hello);
}

static void hello_no_version(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    hello_make(liar, &hello);
    hello.u.hello.protocol_min = hello.u.hello.protocol_max = 99;
    hello_say(liar, &hello);
}

static void hello_no_session(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    hello_make(liar, &hello);
    hello.u.hello.session_count = 0;
    hello_say(liar, &hello);
}

/* Another's node and origin than those of the certificate. */
static void hello_of_sibling(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    hello_make(liar, &hello);
    hello.u.hello.origin = arg_id(liar, "sibling_origin");
    hello.u.hello.node = random_id();
    hello_say(liar, &hello);
}

/* After the honest part: a hello that has forgotten it. */
static void hello_forgetful(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    link_close(liar);
    liar->head.length = 0;
    hello_make(liar, &hello);
    hello_say(liar, &hello);
}

/* After the honest part: another past of the same length. */
static void hello_forked(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    link_close(liar);
    liar->head.hash = (struct hash){{1}};
    hello_make(liar, &hello);
    hello_say(liar, &hello);
}

/* After the honest part: a session that is not told any more. */
static void hello_new_session(struct liar *liar, struct draft *d)
{
    struct message hello;
    (void)d;
    link_close(liar);
    liar->session = random_id();
    hello_make(liar, &hello);
    hello_say(liar, &hello);
}

/* ---- revisions ---- */

static void upto_backwards(struct liar *liar, struct draft *d)
{
    liar->revision = -1;
    (void)batch_say(liar, d);
    liar->revision = -100;
    (void)batch_say(liar, d);
    liar->revision = INT64_MIN;
    (void)batch_say(liar, d);
}

static void upto_largest(struct liar *liar, struct draft *d)
{
    liar->revision = INT64_MAX - 1;
    (void)batch_say(liar, d);
}

/* Acknowledges what was never sent. */
static void ack_unasked(struct liar *liar, struct draft *d)
{
    struct message ack = {.type = MESSAGE_ACK};
    ack.u.ack.upto = (struct feed_mark){random_id(), INT64_MAX};
    (void)link_say(liar, &ack);
    (void)batch_say(liar, d);
}

/* ---- certificates ---- */

static void connect_with(struct liar *liar, const char *chain, const char *key)
{
    struct message hello;
    if (!link_connect(liar, chain, key)) {
        (void)printf("{\"answer\":\"closed\",\"text\":\"handshake\"}\n");
        return;
    }
    hello_make(liar, &hello);
    (void)link_say(liar, &hello);
    (void)link_hear(liar);
}

/* A chain from wherever `chain` and `key` say: another tree's, a client's. */
static void certificate_of(struct liar *liar, struct draft *d)
{
    (void)d;
    connect_with(liar, arg(liar, "chain"), arg(liar, "key"));
}

static void certificate_none(struct liar *liar, struct draft *d)
{
    (void)d;
    connect_with(liar, NULL, NULL);
}

const struct scenario LIES_TALK[] = {
    {"frame_oversized", frame_oversized, false},  {"frame_empty", frame_empty, false},
    {"frame_truncated", frame_truncated, false},  {"frame_garbage", frame_garbage, false},
    {"garbage_first", garbage_first, true},       {"batch_first", batch_first, true},
    {"hello_twice", hello_twice, false},          {"welcome_said", welcome_said, false},
    {"request_said", request_said, false},        {"hello_other_tree", hello_other_tree, true},
    {"hello_no_version", hello_no_version, true}, {"hello_no_session", hello_no_session, true},
    {"hello_of_sibling", hello_of_sibling, true}, {"hello_forgetful", hello_forgetful, false},
    {"hello_forked", hello_forked, false},        {"hello_new_session", hello_new_session, false},
    {"upto_backwards", upto_backwards, false},    {"upto_largest", upto_largest, false},
    {"ack_unasked", ack_unasked, false},          {"certificate_of", certificate_of, true},
    {"certificate_none", certificate_none, true}, {NULL, NULL, false}};

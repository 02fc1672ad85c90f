/* A child that lies. It speaks the link's protocol as PROTOCOL.md has it, with the certificate of a
 * joined child whose daemon does not run, over plain blocking sockets:
 *
 *   liar DATA HOST:PORT SCENARIO [NAME=VALUE...]
 *
 * 1. An honest part: hello, a ledger of four entries with its cells, heads, signature and mark. It
 * prints {"did":"honest"} and waits for a line on standard input.
 * 2. The lie, named by SCENARIO. Whatever the parent answers is printed, one JSON object a line.
 *
 * Scenarios that are about the connection itself have no honest part and connect on their own.
 * Every wait has a limit; what a test program cannot go on without ends it with status 2. */
#ifndef LIAR_H
#define LIAR_H

#include "codec/codec.h"
#include "tls/tls.h"

enum { ROWS_MAX = 32, TOLD_MAX = 16, ARGS_MAX = 16, PATH_BYTES = 512 };

/* One batch to be said; `batch` points into the arrays as far as they are filled. */
struct draft {
    struct msg_batch batch;
    struct entry entries[ROWS_MAX];
    struct cell cells[ROWS_MAX];
    struct unit_row units[ROWS_MAX];
    struct unit_edge edges[ROWS_MAX];
    struct hosting_row hostings[ROWS_MAX];
    struct status_row statuses[ROWS_MAX];
    struct opening openings[ROWS_MAX];
    struct signed_heads signed_heads[ROWS_MAX];
    struct origin_heads heads[ROWS_MAX];
    struct head one_head[ROWS_MAX]; /* heads[i] states one_head[i] */
    struct digest digests[ROWS_MAX];
};

struct liar {
    /* who it is */
    const char *data;
    const char *address;
    const char *args[ARGS_MAX];
    size_t arg_count;
    const char *unit;
    struct id tree;
    struct id node;
    struct id origin;
    struct hash public_key;
    void *key; /* EVP_PKEY */
    struct id session;
    struct feed_mark stated; /* as its hello states the session */
    /* the link */
    int fd;
    bool open;
    struct tls_context *context;
    struct tls *tls;
    struct codec *codec;
    struct frames *frames;
    struct arena arena; /* the message heard last */
    /* the ledger, its feed, and the cells that make it up */
    struct opening opening;
    struct head head;
    struct hash hashes[ROWS_MAX]; /* after each entry; the first is that of the opening */
    struct entry entries[ROWS_MAX];
    int64_t revision;
    uint64_t batches; /* said on this connection */
    struct cell told[TOLD_MAX];
    size_t told_count;
    struct draft draft;
};

typedef void (*lie_fn)(struct liar *liar, struct draft *d);

struct scenario {
    const char *name;
    lie_fn lie;
    bool bare; /* no honest part, and no link yet */
};

/* Tables that end with a NULL name. */
extern const struct scenario LIES_CELLS[];
extern const struct scenario LIES_LEDGER[];
extern const struct scenario LIES_ROWS[];
extern const struct scenario LIES_TALK[];

/* ---- liar.c ---- */
_Noreturn void die(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* The value given as NAME=VALUE; ends the program when it is missing. */
const char *arg(const struct liar *liar, const char *name);
struct id arg_id(const struct liar *liar, const char *name);

/* ---- liar_link.c ---- */
enum heard { HEARD_SILENCE, HEARD_WELCOME, HEARD_ACK, HEARD_REFUSE, HEARD_CLOSED };

/* Reads keys and certificate: who it is. */
void link_identity(struct liar *liar);
/* Connects with a chain and key of the data directory (NULL: without any) and shakes hands, to the
 * end of what TLS says on this side. False when the other side refused before that. */
bool link_connect(struct liar *liar, const char *chain, const char *key);
void link_close(struct liar *liar);
bool link_say(struct liar *liar, const struct message *message);
bool link_say_bytes(struct liar *liar, const void *data, size_t len);
/* The next answer: prints it. Pings are answered, what comes down is acknowledged. */
enum heard link_hear(struct liar *liar);
/* Keeps the link alive until a line comes on standard input, which it gives without its end. */
void link_idle(struct liar *liar, char line[PATH_BYTES]);
/* The public key of the first certificate in a file. */
struct hash link_key_of(const char *path);
/* The hello that this liar's ledger deserves. */
void hello_make(struct liar *liar, struct message *message);
/* Connects as itself and says hello; prints the answer. */
enum heard link_hello(struct liar *liar);
void link_sign(struct liar *liar, struct signed_heads *heads);

/* ---- liar_ledger.c: what an honest child says, to be changed by a lie ---- */
void draft_clear(struct draft *d);
void ledger_begin(struct liar *liar, struct draft *d);
/* The next entry of the ledger, of the own unit, in that month of 2023. */
struct entry *draft_entry(struct liar *liar, struct draft *d, int month, int64_t value);
/* A cell of the own unit. */
struct cell *draft_cell(struct liar *liar, struct draft *d, int month, int64_t value,
                        int64_t count);
/* The head as the ledger has it. */
struct head *draft_heads(struct liar *liar, struct draft *d);
struct signed_heads *draft_signed(struct liar *liar, struct draft *d);
struct unit_row *draft_unit(struct liar *liar, struct draft *d, const char *code,
                            const char *parent, int64_t count);
struct hosting_row *draft_hosting(struct liar *liar, struct draft *d, const char *unit);
/* The mark, with the digest over the cells told. */
struct digest *draft_mark(struct liar *liar, struct draft *d);
/* Counts a cell among those told, in place of an earlier one with its key. */
void ledger_told(struct liar *liar, const struct cell *cell);
/* Says the batch under the feed's next revision, and prints the answer. */
enum heard batch_say(struct liar *liar, struct draft *d);
/* The honest part. */
void ledger_honest(struct liar *liar);

#endif

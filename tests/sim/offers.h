/* layer: node store codec */
/* What people ask of nodes, and what becomes of it: the oracle's book. An offer is given to a node
 * in one batch; its reply confirms or refuses it; without one (the process is gone) nobody knows,
 * until the node's own ledger is read after its next start. What was confirmed must be there for
 * ever, what was refused must not, what was unsure is there wholly or not at all, and all that one
 * batch took shares one fate. */
#ifndef TALLY_SIM_OFFERS_H
#define TALLY_SIM_OFFERS_H

#include "world.h"

enum { OFFER_ROWS_MAX = 40 };

enum offer_kind {
    OFFER_RECORD,
    OFFER_CORRECT,
    OFFER_APPLY,
    OFFER_UNIT,
    OFFER_INVITE,
    OFFER_WAIT,
};

enum offer_state {
    OFFER_WAITING, /* for the node's next batch */
    OFFER_GIVEN,
    OFFER_YES,
    OFFER_NO,
    OFFER_UNSURE
};

struct offer_row {
    char unit[CODE_BYTES];
    char measure[CODE_BYTES];
    char category[40];
    char value[32];
    char key[CODE_BYTES];
    char note[CODE_BYTES];
    int32_t day; /* DAY_NONE: today */
    int64_t number;
};

struct offer {
    uint64_t id;
    enum offer_kind kind;
    enum offer_state state;
    struct host *host;
    uint64_t process; /* of the host, and its batch, that took it */
    uint64_t batch;
    int32_t today;      /* at the host then */
    int64_t generation; /* of its identity then */
    bool must;          /* nothing but a failing disk is a reason to refuse it */
    bool sound;         /* and no disk fails any more */
    bool known;         /* it was recorded before under the same key */
    bool spoiled;       /* has a row that must make all of it refused */
    bool taken;         /* its fate was not known, and its rows are there */
    /* records */
    struct offer_row *rows;
    size_t row_count;
    bool partial;
    /* corrections: of the fact at that place of the host's ledger */
    size_t refers;
    bool gone; /* and that was lost */
    bool is_void;
    /* a catalogue, a unit, an invitation */
    int version;
    char code[CODE_BYTES];
    char level[CODE_BYTES];
    char parent[CODE_BYTES];
    struct joining *joining;
    /* a wait */
    enum wait_level wait;
    int64_t facts; /* in the ledger when it began */
    /* kept for the request, while a batch takes it */
    struct record_row *request_rows;
    struct buf bytes;
};

/* A fact that is in a host's ledger for good; its place is that in the model's ledger of `own`. */
struct fact {
    char entry[ENTRY_ID_MAX_BYTES]; /* "": not known yet */
    char unit[CODE_BYTES];
    char measure[CODE_BYTES];
    char category[40];
    char note[CODE_BYTES];
    char key[CODE_BYTES];
    int32_t day;
    int64_t number;
    enum model_kind kind;
    size_t refers;
    bool live;  /* a record that was not voided */
    bool again; /* says only what one before it says, of the fact at `means` */
    size_t means;
    int64_t at_us;      /* confirmed */
    int64_t generation; /* of the identity of the machine then */
};

struct offers *offers_new(void);
void offers_free(struct offers *offers);

/* ---- people ---- */
/* Makes an offer, owned by the book, and gives it to the host (which drops it when it is down). */
struct offer *offers_make(struct world *world, struct host *host, enum offer_kind kind);
struct offer_row *offers_add_row(struct offer *offer);
void offers_give(struct world *world, struct offer *offer);
/* A node below `parent`: an invitation, then the join, both again until they are through. `unit`
 * -1: of a unit that the invitation makes, else of one that is there. */
void offers_invite(struct world *world, struct host *parent, const char *code, const char *level,
                   int unit);
/* An identity anew for a machine that has the data of its unit. */
void offers_reissue(struct world *world, struct host *machine);
void offers_join_again(struct world *world);
/* Facts of a host's ledger. */
size_t offers_fact_count(const struct host *host);
struct fact *offers_fact(const struct host *host, size_t place);
/* Offers of the host that are under way and name facts by their place: at[place] is the new one. */
void offers_places_moved(struct world *world, const struct host *host, const size_t *at, size_t n);
bool offers_has_key(const struct host *host, const char *key);
/* An offer that nobody knows the fate of, or that failed, of a record with a key; NULL for none. */
struct offer *offers_any_unsettled(const struct world *world, struct chance *chance);
/* The offer of that number, from 1; *more false beyond the last. */
struct offer *offers_numbered(const struct world *world, uint64_t id, bool *more);
/* Records and corrections of a host whose fate is not known, oldest first; `*at` starts at 0. */
struct offer *offers_unsure(const struct world *world, const struct host *host, size_t *at);
/* The catalogue that the root has published, and how many units were made so far. */
int offers_version(const struct world *world);
void offers_published(struct world *world, int version);
/* No joins are under way, near damage or only elsewhere. */
bool offers_quiet(const struct world *world, bool near_damage);
bool offers_is_joining(const struct world *world, const char *code);

/* ---- hosts ---- */
void offers_ask(struct world *world, struct host *host, struct offer *offer);
void offers_reply(struct world *world, struct host *host, const struct msg_reply *reply);
void offers_dropped(struct offer *offer);
void offers_host_gone(struct world *world, struct host *host);
void offers_host_broken(struct world *world, struct host *host);
/* The ledger is read and held against the book. */
void offers_host_started(struct world *world, struct host *host);
/* At the end: whoever asked a node that runs has had an answer. */
void offers_answered(struct world *world);
/* A host that somebody waits at, or NULL. */
struct host *offers_waiting(const struct world *world);
void offers_compare_ledger(struct world *world, struct host *host);
void offers_join(struct world *world, struct host *host, struct joining *joining);
void offers_joined(struct world *world, uint64_t line, const struct msg_joined *joined);
void offers_not_joined(struct world *world, uint64_t line, const char *text);

/* ---- ledger.c: the book's side of a ledger ---- */
struct fact *book_add(struct host *host, const struct fact *fact);
/* One of the records with a key that the host has lost, and that have not come back; NULL: none. */
const struct fact *offers_lost(const struct host *host, struct chance *chance);
/* The facts of a host's ledger are what its log says, all of which must have been known: what was
 * lost comes back, in its place. What is missing is kept in mind for that; it must not be missing
 * unless the host may lose. */
void offers_rebuild(struct world *world, struct host *host);
void book_free(struct host *host);
/* The book of a machine that begins as a copy of another one. */
void book_copy(const struct host *from, struct host *to);

#endif

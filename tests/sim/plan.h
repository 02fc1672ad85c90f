/* layer: node store codec */
/* What happens in a run: a shape of a tree, then steps at their times, each with its own numbers,
 * so that a step does the same when others are left out. A plan follows from a seed; as text it can
 * be kept, made smaller, and run again. */
#ifndef TALLY_SIM_PLAN_H
#define TALLY_SIM_PLAN_H

#include <stdio.h>

#include "base/err.h"
#include "chance.h"

enum step_kind {
    /* people */
    STEP_RECORD,
    STEP_IMPORT,
    STEP_CORRECT,
    STEP_RETRY,
    STEP_WAIT,
    STEP_CATALOGUE,
    STEP_UNIT,
    STEP_JOIN,
    STEP_LATE_NODE,
    /* faults */
    STEP_KILL,     /* between two batches */
    STEP_KILL_AT,  /* at an operation of the disk */
    STEP_POWER,    /* power cut between two batches */
    STEP_POWER_AT, /* at an operation of the disk */
    STEP_RESTART,  /* stopped cleanly, started again */
    STEP_STORM,    /* a node and all below it are killed, and start in any order */
    STEP_SLOW_DISK,
    STEP_DISK_ERROR, /* one operation fails */
    STEP_DISK_FULL,  /* one write finds no room */
    STEP_DISK_STAYS_FULL,
    STEP_BREAK,     /* a connection breaks */
    STEP_HALF_OPEN, /* and the parent does not hear of it */
    STEP_STALL,     /* nothing arrives at either end for a while */
    STEP_ONE_WAY,   /* nothing arrives at one end for a while */
    STEP_APART,     /* no connection can be made for a while */
    STEP_PARTITION, /* a node and some of its children are apart for a while */
    STEP_SLOW_LINE,
    STEP_TWICE, /* messages come twice, older batches come again */
    STEP_CLOCK_JUMP,
    STEP_CLOCK_DRIFT,
    STEP_CLOCK_YEARS,
    STEP_COPY_ROOT,     /* the root's file is copied, later put back */
    STEP_COPY_CHILD,    /* that of another node */
    STEP_COPY_LINE,     /* those of a commune and of its district */
    STEP_LIE,           /* a disk lies about syncs, then its power is cut */
    STEP_FLIP,          /* bits of a file flip while its node is off */
    STEP_SPOIL,         /* a number in a row of figures is changed behind a node's back */
    STEP_LOSE_FILE,     /* a file is gone */
    STEP_CLONE,         /* a node's image is copied, and the copy runs on another machine */
    STEP_CLONE_RUNNING, /* while it runs on */
    STEP_SNAPSHOT,      /* so is its memory; people go on with one of the two */
    STEP_FORK,          /* or with both */
    STEP_TURNS,         /* a machine of those is switched off, or on again */
    STEP_REISSUE,       /* one of them gets the identity anew */
    STEP_KIND_COUNT
};

#define STEP_FIRST_FAULT STEP_KILL
#define STEP_LAST_CRASH STEP_STORM
#define STEP_FIRST_COPY STEP_CLONE

struct step {
    int64_t at_ms;
    enum step_kind kind;
    uint32_t host; /* modulo the number of hosts then */
    uint64_t draw; /* the step's own seed */
};

struct plan {
    uint64_t seed;
    uint32_t districts;
    uint32_t communes; /* nodes of them, over all districts */
    uint32_t hosted;   /* communes without a node */
    uint32_t version;  /* of the first catalogue */
    uint32_t window;   /* batches are not larger; 0: as large as the nodes make them */
    bool in_bytes;
    struct step *steps;
    size_t step_count;
    size_t step_cap;
};

void plan_init(struct plan *plan);
void plan_deinit(struct plan *plan);

/* From a seed: at least `PLAN_FAULTS_MIN` faults among the steps. */
enum { PLAN_FAULTS_MIN = 25, PLAN_LENGTH_MS = 240000 };
void plan_make(struct plan *plan, uint64_t seed);
/* The same for small trees whose processes and machines end, and nothing else happens to them. */
void plan_make_crashes(struct plan *plan, uint64_t seed);
/* Without the steps whose `keep` is false. */
void plan_pick(const struct plan *plan, const bool *keep, struct plan *out);

bool plan_is_fault(enum step_kind kind);
bool plan_has(const struct plan *plan, enum step_kind kind);
/* Whether files of nodes that have a parent are put back. */
bool plan_copies(const struct plan *plan);
const char *step_name(enum step_kind kind);

void plan_write(const struct plan *plan, FILE *out);
/* ERR_INVALID with the line. */
enum err plan_read(struct plan *plan, FILE *in, struct errmsg *msg) MUST_CHECK;

#endif

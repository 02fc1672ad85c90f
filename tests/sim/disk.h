/* layer: base */
/* The disks of simulated machines: a SQLite VFS in memory that loses what a real disk may lose.
 *
 * A file has what programs see and what a power cut would leave. A write changes the first; a sync
 * brings the second up to it. Between syncs the writes and truncations since the last one are kept
 * as a list, and a power cut decides for each of them what is left of it. A new file has its name
 * for good from its first sync on (SQLite syncs the folder then); a deleted one is gone for good
 * when the deletion asked for that (SQLite's syncDir), else a power cut may bring it back.
 *
 * A machine stops in the middle of an operation: a fault of kind DISK_STOP. From then on every
 * operation fails and changes nothing, so that the program above can be unwound and thrown away;
 * disk_restart() then says what the next program finds. Everything follows from the disk's seed.
 *
 * One thread. Files are named /sim/DISK/FILE. Operations on names that are on no disk fail. */
#ifndef TALLY_SIM_DISK_H
#define TALLY_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;

enum { DISK_SECTOR_BYTES = 512, DISK_PATH_BYTES = 64 };

/* Makes the VFS SQLite's default one; more than once does nothing. It also makes SQLite's own
 * random numbers follow from disk_random_seed() alone. */
void disk_register(void);
void disk_random_seed(uint64_t seed);

/* An empty disk. The name is short, without slashes, and no other disk's. `keeps_history` false: no
 * power cut will be asked for, and nothing is kept for one (half the memory). */
struct disk *disk_new(const char *name, uint64_t seed, bool keeps_history);
void disk_free(struct disk *disk);

/* "/sim/DISK/FILE". */
const char *disk_path(const struct disk *disk, const char *file, char out[DISK_PATH_BYTES]);

/* Above 0 while a disk itself takes memory, which never fails. */
extern volatile int disk_works;

/* ---- operations and what is made of them ---- */

enum disk_op {
    DISK_OPEN = 1 << 0,
    DISK_READ = 1 << 1,
    DISK_WRITE = 1 << 2,
    DISK_TRUNCATE = 1 << 3,
    DISK_SYNC = 1 << 4,
    DISK_LOCK = 1 << 5, /* of a file or of the shared memory beside it */
    DISK_DELETE = 1 << 6,
    DISK_SHARE = 1 << 7, /* a piece of shared memory */
    DISK_ANY = (1 << 8) - 1
};

enum disk_fault_kind {
    DISK_NO_FAULT,
    DISK_STOP, /* the machine stops here: of a write a part, all or none is done */
    DISK_FAIL, /* SQLITE_IOERR_... of the operation; of a failed write nothing, a part or all is
                  done */
    DISK_FULL, /* a write (also one that grows shared memory) finds no room */
};

struct disk_fault {
    enum disk_fault_kind kind;
    unsigned ops;    /* DISK_... that count and are hit */
    uint64_t after;  /* how many of them go well first */
    bool persistent; /* all that follow are hit too; else only one */
};

/* Replaces the fault that was set; NULL for none. */
void disk_set_fault(struct disk *disk, const struct disk_fault *fault);
/* While paused, operations neither count nor are hit: for looking at a disk from outside. */
void disk_pause(struct disk *disk, bool paused);
/* How many operations faults have hit, ever. */
uint64_t disk_hits(const struct disk *disk);
/* Whether the fault has hit at least once. */
bool disk_fault_hit(const struct disk *disk);
bool disk_stopped(const struct disk *disk);

/* Operations so far, of these kinds. */
uint64_t disk_ops(const struct disk *disk, unsigned ops);

/* A lying disk says yes to every sync and keeps nothing for good. */
void disk_set_lying(struct disk *disk, bool lying);
bool disk_lies(const struct disk *disk);

/* ---- the end of a program, and the next one ---- */

enum disk_damage {
    DISK_KEPT,      /* a kill: the system goes on, nothing is lost */
    DISK_LOST,      /* power cut: all that was not synced is lost */
    DISK_CUT_SHORT, /* the first writes are there, the rest is lost */
    DISK_SOME,      /* every write or truncation is there or not, by itself */
    DISK_TORN,      /* every sector of every write is there or not, by itself */
    DISK_GARBLED,   /* as torn, and sectors that were being written may hold noise */
    DISK_DAMAGE_COUNT
};

/* Everything that is open is dead from here on (its operations fail, closing it is allowed), the
 * shared memory is gone, the fault is taken away, and the disk is what `damage` leaves. */
void disk_restart(struct disk *disk, enum disk_damage damage);

/* ---- what happens to files behind a program's back; false when there is no such file ---- */

bool disk_exists(const struct disk *disk, const char *file);
size_t disk_size(const struct disk *disk, const char *file);
bool disk_remove(struct disk *disk, const char *file);
/* Puts a copy of a file, as programs see it, in the place of `to`, durable at once. What has the
 * old file open keeps it (as with rename). */
bool disk_copy(struct disk *disk, const char *file, struct disk *to_disk, const char *to);
bool disk_truncate(struct disk *disk, const char *file, size_t size);
/* Flips one bit, for good; `bit` modulo the size. */
bool disk_flip(struct disk *disk, const char *file, uint64_t bit);

/* Over names and contents of all files, as programs see them. */
uint64_t disk_hash(const struct disk *disk);
/* Bytes of memory in use for all files of the disk. */
size_t disk_memory(const struct disk *disk);

#endif

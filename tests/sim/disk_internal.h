/* layer: base */
/* What the parts of the disks share: contents of files (disk_files.c), names, what becomes of
 * operations and what a power cut leaves (disk.c), and SQLite's view of all that (disk_vfs.c). */
#ifndef TALLY_SIM_DISK_INTERNAL_H
#define TALLY_SIM_DISK_INTERNAL_H

#include "disk.h"

#include "chance.h"

enum {
    DISK_NAME_BYTES = 24, /* with the zero: "/sim/", name, "/" and file fill DISK_PATH_BYTES */
    DISK_FILE_BYTES = 35,
    DISK_SLOTS = 8, /* locks of a shared memory */
    DISK_OP_KINDS = 8
};

struct disk_buffer {
    uint8_t *at;
    size_t len;
    size_t cap;
};

/* A write or truncation that is not durable yet. */
struct disk_change {
    uint64_t order;  /* among all changes of the disk */
    uint64_t offset; /* of a truncation, the new size */
    size_t len;
    size_t at; /* where its bytes are in disk_content.changed */
    bool truncates;
};

/* What a name stands for (an inode): it lives as long as its name or anything that has it open. */
struct disk_content {
    unsigned refs;
    bool history;
    bool named;    /* the name is durable */
    uint64_t made; /* the order of its making */

    struct disk_buffer now;  /* as programs see it */
    struct disk_buffer safe; /* as the last sync left it */
    struct disk_change *changes;
    size_t change_count;
    size_t change_cap;
    struct disk_buffer changed; /* the bytes of the changes */

    unsigned sharers;   /* handles with any file lock */
    const void *writer; /* the one that has more than a shared one, */
    bool shut;          /* and lets no new ones in */

    uint8_t **pieces; /* of shared memory */
    size_t piece_count;
    size_t piece_bytes;    /* in all */
    unsigned mappers;      /* handles that use it; the last one takes it along */
    int slots[DISK_SLOTS]; /* how many share it; -1: one alone has it */
};

struct disk_entry {
    char name[DISK_FILE_BYTES];
    struct disk_content *content;
    bool deleted; /* not durably: programs do not see it, a power cut may bring it back */
    uint64_t deleted_at;
};

struct disk {
    char name[DISK_NAME_BYTES];
    struct chance chance;
    bool history;
    bool lying;
    bool paused;
    bool stopped;
    bool freed; /* waits for its last handle */
    unsigned handles;
    uint64_t generation; /* of programs; handles of earlier ones are dead */
    uint64_t order;      /* of the last change */
    struct disk_fault fault;
    bool fault_hit;
    uint64_t hits;
    uint64_t ops[DISK_OP_KINDS];
    struct disk_entry *entries; /* in the order in which the names were made */
    size_t entry_count;
    size_t entry_cap;
};

/* What becomes of an operation. */
enum disk_fate {
    FATE_WELL,
    FATE_STOPS, /* the machine, in the middle of it */
    FATE_FAILS,
    FATE_FULL,
    FATE_DEAD /* nothing happens any more */
};

/* The disk and file of "/sim/DISK/FILE"; NULL when there is no such disk. */
struct disk *disk_of_path(const char *path, const char **file);
/* The last handle of a disk that was freed meanwhile takes it along. */
void disk_let_go(struct disk *disk);

/* Counts the operation and says what becomes of it. `room`: it takes room, and may find none. */
enum disk_fate disk_meet(struct disk *disk, enum disk_op op, bool room);
/* Whether an operation that cannot be done by halves happens under this fate. */
bool disk_happens(struct disk *disk, enum disk_fate fate);

/* What the name stands for, or NULL. */
struct disk_content *disk_find(const struct disk *disk, const char *file);
/* A new empty file of a name that is not there. */
struct disk_content *disk_make(struct disk *disk, const char *file);
/* `durable`: with all other changes of names. The file is there. */
void disk_unname(struct disk *disk, const char *file, bool durable);

/* ---- contents ---- */

struct disk_content *disk_content_new(bool history); /* with one reference */
void disk_content_unref(struct disk_content *content);
/* The same bytes without anybody who has them open; the reference to the old content is given up.
 */
struct disk_content *disk_content_take(struct disk_content *content);

/* As much of the operation as its fate lets happen. */
void disk_content_write(struct disk *disk, struct disk_content *content, enum disk_fate fate,
                        const void *data, size_t len, uint64_t offset);
void disk_content_truncate(struct disk *disk, struct disk_content *content, enum disk_fate fate,
                           uint64_t size);
/* `folder`: with all changes of names so far. */
void disk_content_sync(struct disk *disk, struct disk_content *content, enum disk_fate fate,
                       bool folder);

/* Carries one change out on what is durable; forgets all; both, for all, and the name too. */
void disk_content_apply(struct disk_content *content, const struct disk_change *change);
void disk_content_forget_changes(struct disk_content *content);
void disk_content_settle(struct disk_content *content);

/* A piece of shared memory, and the end of all of it. */
void *disk_content_grow(struct disk_content *content, size_t bytes);
void disk_content_drop_shared(struct disk_content *content);

size_t disk_content_memory(const struct disk_content *content);

/* New bytes are zero; so are those between the end and the offset of a put. */
void disk_buffer_size(struct disk_buffer *buffer, size_t len);
void disk_buffer_put(struct disk_buffer *buffer, uint64_t offset, const void *data, size_t len);
void disk_buffer_copy(struct disk_buffer *to, const struct disk_buffer *from);

#endif

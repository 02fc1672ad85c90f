/* layer: store */
/* SQLite's view of the disks: files, their locks, and the shared memory beside a database.
 *
 * 1. Open finds the disk and the contents by name; the handle holds on to both.
 * 2. Each call asks for its fate (disk_meet), does as much as that allows, and answers.
 * 3. Unlocking, unmapping and closing always work, also on what is dead, so that SQLite can unwind.
 *
 * SQLite is told what it is told on unix: a power cut in the middle of a write leaves alone what
 * stood beside the written bytes. Within them each sector is there, or not, or holds noise. Files
 * without a name are temporary ones; they are on no disk and never fail. Locks and shared memory
 * belong to the contents, as those of unix do to the inode. */
#include <sqlite3.h>

#include "base/check.h"
#include "disk_internal.h"

enum { JOURNALS = SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_SUPER_JOURNAL | SQLITE_OPEN_WAL };

struct handle {
    sqlite3_file file; /* first: SQLite knows the handle as this */
    struct disk *disk; /* NULL: a temporary file */
    struct disk_content *content;
    uint64_t generation;
    int lock;          /* SQLITE_LOCK_... */
    bool syncs_folder; /* with its first sync */
    bool maps;
    unsigned shares; /* slots, as bits */
    unsigned excludes;
    char delete_on_close[DISK_FILE_BYTES];
};

static const uint64_t FILE_BYTES_MAX = UINT64_C(1) << 32;
static const sqlite3_int64 NOW_MS = 212570827200000; /* 2024-01-01, in ms of the Julian day */

static struct chance sqlite_chance;

static struct handle *handle_of(sqlite3_file *file)
{
    return (struct handle *)file;
}

static enum disk_fate meet(struct handle *handle, enum disk_op op, bool room)
{
    if (handle->disk == NULL) {
        return FATE_WELL;
    }
    return handle->generation == handle->disk->generation ? disk_meet(handle->disk, op, room)
                                                          : FATE_DEAD;
}

static int answer(enum disk_fate fate, int failure)
{
    return fate == FATE_WELL ? SQLITE_OK : fate == FATE_FULL ? SQLITE_FULL : failure;
}

/* ---- bytes ---- */

static int file_read(sqlite3_file *file, void *out, int amount, sqlite3_int64 offset)
{
    struct handle *handle = handle_of(file);
    enum disk_fate fate = meet(handle, DISK_READ, false);
    if (fate != FATE_WELL) {
        return answer(fate, SQLITE_IOERR_READ);
    }
    const struct disk_buffer *now = &handle->content->now;
    size_t len = (size_t)amount;
    size_t at = (size_t)offset;
    size_t there = at >= now->len ? 0 : now->len - at < len ? now->len - at : len;
    if (there > 0) {
        memcpy(out, now->at + at, there);
    }
    if (there < len) {
        memset((uint8_t *)out + there, 0, len - there);
        return SQLITE_IOERR_SHORT_READ;
    }
    return SQLITE_OK;
}

static int file_write(sqlite3_file *file, const void *data, int amount, sqlite3_int64 offset)
{
    struct handle *handle = handle_of(file);
    enum disk_fate fate = meet(handle, DISK_WRITE, true);
    if ((uint64_t)offset + (uint64_t)amount > FILE_BYTES_MAX) {
        return SQLITE_FULL;
    }
    disk_content_write(handle->disk, handle->content, fate, data, (size_t)amount, (uint64_t)offset);
    return answer(fate, SQLITE_IOERR_WRITE);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    struct handle *handle = handle_of(file);
    enum disk_fate fate = meet(handle, DISK_TRUNCATE, false);
    if ((uint64_t)size > FILE_BYTES_MAX) {
        return SQLITE_FULL;
    }
    disk_content_truncate(handle->disk, handle->content, fate, (uint64_t)size);
    return answer(fate, SQLITE_IOERR_TRUNCATE);
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct handle *handle = handle_of(file);
    enum disk_fate fate = meet(handle, DISK_SYNC, false);
    disk_content_sync(handle->disk, handle->content, fate, handle->syncs_folder);
    handle->syncs_folder = handle->syncs_folder && fate != FATE_WELL;
    return answer(fate, SQLITE_IOERR_FSYNC);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    struct handle *handle = handle_of(file);
    enum disk_fate fate = meet(handle, DISK_READ, false);
    if (fate == FATE_WELL) {
        *out = (sqlite3_int64)handle->content->now.len;
    }
    return answer(fate, SQLITE_IOERR_FSTAT);
}

/* ---- locks ---- */

static int file_lock(sqlite3_file *file, int level)
{
    struct handle *handle = handle_of(file);
    struct disk_content *content = handle->content;
    enum disk_fate fate = meet(handle, DISK_LOCK, false);
    if (fate != FATE_WELL) {
        return answer(fate, SQLITE_IOERR_LOCK);
    }
    if (handle->lock >= level) {
        return SQLITE_OK;
    }
    if (content->writer != NULL && content->writer != handle &&
        (level > SQLITE_LOCK_SHARED || content->shut)) {
        return SQLITE_BUSY;
    }
    if (handle->lock == SQLITE_LOCK_NONE) {
        content->sharers++;
        handle->lock = SQLITE_LOCK_SHARED;
    }
    if (level == SQLITE_LOCK_SHARED) {
        return SQLITE_OK;
    }
    content->writer = handle;
    if (level == SQLITE_LOCK_RESERVED) {
        handle->lock = level;
        return SQLITE_OK;
    }
    content->shut = true;
    handle->lock = content->sharers > 1 ? SQLITE_LOCK_PENDING : level;
    return handle->lock >= level ? SQLITE_OK : SQLITE_BUSY;
}

static int file_unlock(sqlite3_file *file, int level)
{
    struct handle *handle = handle_of(file);
    struct disk_content *content = handle->content;
    if (handle->lock <= level) {
        return SQLITE_OK;
    }
    if (content->writer == handle) {
        content->writer = NULL;
        content->shut = false;
    }
    if (level == SQLITE_LOCK_NONE) {
        content->sharers--;
    }
    handle->lock = level;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *file, int *out)
{
    struct handle *handle = handle_of(file);
    enum disk_fate fate = meet(handle, DISK_LOCK, false);
    if (fate == FATE_WELL) {
        *out = handle->content->writer != NULL;
    }
    return answer(fate, SQLITE_IOERR_CHECKRESERVEDLOCK);
}

/* ---- shared memory ---- */

static int shm_map(sqlite3_file *file, int piece, int bytes, int extend, void volatile **out)
{
    struct handle *handle = handle_of(file);
    struct disk_content *content = handle->content;
    bool grows = extend != 0 && (size_t)piece >= content->piece_count;
    enum disk_fate fate = meet(handle, DISK_SHARE, grows);
    *out = NULL;
    if (fate != FATE_WELL) {
        return fate == FATE_FULL ? SQLITE_IOERR_SHMSIZE : SQLITE_IOERR_SHMMAP;
    }
    if (!handle->maps) {
        handle->maps = true;
        content->mappers++;
    }
    while (grows && (size_t)piece >= content->piece_count) {
        (void)disk_content_grow(content, (size_t)bytes);
    }
    if ((size_t)piece < content->piece_count) {
        *out = content->pieces[piece];
    }
    return SQLITE_OK;
}

static void shm_unlock(struct handle *handle, unsigned slots)
{
    for (unsigned slot = 0; slot < DISK_SLOTS; slot++) {
        unsigned bit = 1u << slot & slots;
        if ((handle->excludes & bit) != 0) {
            handle->content->slots[slot] = 0;
        } else if ((handle->shares & bit) != 0) {
            handle->content->slots[slot]--;
        }
    }
    handle->excludes &= ~slots;
    handle->shares &= ~slots;
}

static int shm_lock(sqlite3_file *file, int first, int count, int flags)
{
    struct handle *handle = handle_of(file);
    int *taken = handle->content->slots;
    unsigned slots = ((1u << count) - 1) << first;
    if ((flags & SQLITE_SHM_UNLOCK) != 0) {
        shm_unlock(handle, slots);
        return SQLITE_OK;
    }
    enum disk_fate fate = meet(handle, DISK_LOCK, false);
    if (fate != FATE_WELL) {
        return answer(fate, SQLITE_IOERR_SHMLOCK);
    }
    bool alone = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
    unsigned own = alone ? handle->excludes : handle->shares | handle->excludes;
    for (int slot = first; slot < first + count; slot++) {
        if ((own >> slot & 1) == 0 && (alone ? taken[slot] != 0 : taken[slot] < 0)) {
            return SQLITE_BUSY;
        }
    }
    for (int slot = first; slot < first + count; slot++) {
        if ((own >> slot & 1) == 0) {
            taken[slot] = alone ? -1 : taken[slot] + 1;
        }
    }
    *(alone ? &handle->excludes : &handle->shares) |= slots & ~own;
    return SQLITE_OK;
}

/* One thread: nothing is ever in the wrong order. */
static void shm_barrier(sqlite3_file *file)
{
    (void)file;
}

static int shm_unmap(sqlite3_file *file, int delete)
{
    (void)delete; /* the last one takes it along in any case: the next would begin anew */
    struct handle *handle = handle_of(file);
    shm_unlock(handle, (1u << DISK_SLOTS) - 1);
    if (handle->maps) {
        handle->maps = false;
        if (--handle->content->mappers == 0) {
            disk_content_drop_shared(handle->content);
        }
    }
    return SQLITE_OK;
}

/* ---- handles ---- */

static int file_close(sqlite3_file *file)
{
    struct handle *handle = handle_of(file);
    struct disk *disk = handle->disk;
    (void)shm_unmap(file, 0);
    (void)file_unlock(file, SQLITE_LOCK_NONE);
    if (disk != NULL) {
        if (handle->generation == disk->generation && !disk->stopped &&
            disk_find(disk, handle->delete_on_close) == handle->content) {
            disk_unname(disk, handle->delete_on_close, false);
        }
        disk->handles--;
        disk_let_go(disk);
    }
    disk_content_unref(handle->content);
    file->pMethods = NULL;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    (void)file;
    (void)op;
    (void)arg;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return DISK_SECTOR_BYTES;
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
    .xShmMap = shm_map,
    .xShmLock = shm_lock,
    .xShmBarrier = shm_barrier,
    .xShmUnmap = shm_unmap,
};

/* The content that opening finds or makes; NULL with *code set. */
static struct disk_content *open_content(struct disk *disk, const char *file, int flags, int *code)
{
    struct disk_content *content = disk_find(disk, file);
    bool makes = content == NULL && (flags & SQLITE_OPEN_CREATE) != 0;
    enum disk_fate fate = disk_meet(disk, DISK_OPEN, false);
    if (makes && disk_happens(disk, fate)) {
        content = disk_make(disk, file);
    } else if ((flags & SQLITE_OPEN_EXCLUSIVE) != 0) {
        content = NULL;
    }
    if (fate != FATE_WELL || content == NULL) {
        *code = fate != FATE_WELL ? SQLITE_IOERR : SQLITE_CANTOPEN;
        return NULL;
    }
    content->refs++;
    return content;
}

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *out, int flags,
                    int *out_flags)
{
    (void)vfs;
    struct handle *handle = handle_of(out);
    memset(handle, 0, sizeof *handle);
    if (path == NULL) {
        handle->content = disk_content_new(false);
    } else {
        const char *file = NULL;
        int code = SQLITE_CANTOPEN;
        struct disk *disk = disk_of_path(path, &file);
        struct disk_content *content = disk == NULL ? NULL : open_content(disk, file, flags, &code);
        if (content == NULL) {
            return code;
        }
        handle->content = content;
        handle->disk = disk;
        handle->generation = disk->generation;
        /* As on unix: also when the file was there already, left by a power cut. */
        handle->syncs_folder = (flags & SQLITE_OPEN_CREATE) != 0 && (flags & JOURNALS) != 0;
        disk->handles++;
        if ((flags & SQLITE_OPEN_DELETEONCLOSE) != 0) {
            memcpy(handle->delete_on_close, file, strlen(file));
        }
    }
    handle->file.pMethods = &METHODS;
    if (out_flags != NULL) {
        *out_flags = flags;
    }
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    (void)vfs;
    const char *file = NULL;
    struct disk *disk = disk_of_path(path, &file);
    if (disk == NULL) {
        return SQLITE_IOERR_DELETE;
    }
    enum disk_fate fate = disk_meet(disk, DISK_DELETE, false);
    bool there = disk_find(disk, file) != NULL;
    if (there && disk_happens(disk, fate)) {
        disk_unname(disk, file, sync_folder != 0);
    }
    return fate == FATE_WELL && !there ? SQLITE_IOERR_DELETE_NOENT
                                       : answer(fate, SQLITE_IOERR_DELETE);
}

/* As on unix, an empty file is not there when SQLite asks whether it exists. */
static int vfs_access(sqlite3_vfs *vfs, const char *path, int flags, int *out)
{
    (void)vfs;
    const char *file = NULL;
    struct disk *disk = disk_of_path(path, &file);
    enum disk_fate fate = disk == NULL ? FATE_FAILS : disk_meet(disk, DISK_OPEN, false);
    if (fate == FATE_WELL) {
        const struct disk_content *content = disk_find(disk, file);
        *out = content != NULL && (flags != SQLITE_ACCESS_EXISTS || content->now.len > 0);
    }
    return answer(fate, SQLITE_IOERR_ACCESS);
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *path, int room, char *out)
{
    (void)vfs;
    size_t len = strlen(path);
    if (len >= (size_t)room) {
        return SQLITE_CANTOPEN;
    }
    memcpy(out, path, len + 1);
    return SQLITE_OK;
}

static int vfs_randomness(sqlite3_vfs *vfs, int len, char *out)
{
    (void)vfs;
    chance_fill(&sqlite_chance, out, (size_t)len);
    return len;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us)
{
    (void)vfs;
    return us;
}

static int vfs_time(sqlite3_vfs *vfs, double *days)
{
    (void)vfs;
    *days = (double)NOW_MS / 86400000.0;
    return SQLITE_OK;
}

static int vfs_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *ms)
{
    (void)vfs;
    *ms = NOW_MS;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int room, char *out)
{
    (void)vfs;
    if (room > 0) {
        *out = '\0';
    }
    return 0;
}

void disk_random_seed(uint64_t seed)
{
    sqlite_chance.state = seed;
    sqlite3_randomness(0, NULL); /* SQLite asks for a new seed when it next needs a number */
}

void disk_register(void)
{
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct handle),
        .mxPathname = DISK_PATH_BYTES + 8, /* SQLite keeps 8 free for "-journal" */
        .zName = "disk",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_pathname,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_time,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time_ms,
    };
    static bool registered;
    if (!registered) {
        registered = true;
        /* One thread, and nobody asks how much memory is in use: a tenth of a run's time. SQLite
         * says no when it runs already, and works as well. */
        (void)sqlite3_config(SQLITE_CONFIG_SINGLETHREAD);
        (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
        INSIST(sqlite3_vfs_register(&vfs, 1) == SQLITE_OK);
        disk_random_seed(0);
    }
}

/* layer: store */
/* The rules of the disk itself, through the VFS and without a database. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "disk.h"

enum { ROUNDS = 200, FILE_SECTORS = 8 };

enum { CREATE = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MAIN_DB };

static int set_up(void **state)
{
    (void)state;
    disk_register();
    return 0;
}

static int try_open(struct disk *disk, const char *name, int flags, sqlite3_file **out)
{
    char path[DISK_PATH_BYTES];
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    assert_non_null(file);
    int code = vfs->xOpen(vfs, disk_path(disk, name, path), file, flags, NULL);
    if (code != SQLITE_OK) {
        assert_null(file->pMethods);
        free(file);
        return code;
    }
    *out = file;
    return code;
}

static sqlite3_file *open_file(struct disk *disk, const char *name)
{
    sqlite3_file *file = NULL;
    assert_int_equal(try_open(disk, name, CREATE, &file), SQLITE_OK);
    return file;
}

static void close_file(sqlite3_file *file)
{
    assert_int_equal(file->pMethods->xClose(file), SQLITE_OK);
    free(file);
}

static int delete_file(struct disk *disk, const char *name, bool sync)
{
    char path[DISK_PATH_BYTES];
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    return vfs->xDelete(vfs, disk_path(disk, name, path), sync);
}

static int put(sqlite3_file *file, size_t at, uint8_t byte, size_t len)
{
    uint8_t bytes[FILE_SECTORS * DISK_SECTOR_BYTES];
    assert_true(len <= sizeof bytes);
    memset(bytes, byte, len);
    return file->pMethods->xWrite(file, bytes, (int)len, (sqlite3_int64)at);
}

static int sync_file(sqlite3_file *file)
{
    return file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
}

static int byte_at(sqlite3_file *file, size_t at)
{
    uint8_t byte = 0;
    int code = file->pMethods->xRead(file, &byte, 1, (sqlite3_int64)at);
    return code == SQLITE_OK ? byte : -1;
}

/* What a name holds now. */
static int byte_of(struct disk *disk, const char *name, size_t at)
{
    sqlite3_file *file = open_file(disk, name);
    int byte = byte_at(file, at);
    close_file(file);
    return byte;
}

/* A file whose first version, all 1, is durable. */
static struct disk *disk_with_file(uint64_t seed, sqlite3_file **out)
{
    struct disk *disk = disk_new("a", seed, true);
    sqlite3_file *file = open_file(disk, "f");
    assert_int_equal(put(file, 0, 1, (size_t)FILE_SECTORS * DISK_SECTOR_BYTES), SQLITE_OK);
    assert_int_equal(sync_file(file), SQLITE_OK);
    *out = file;
    return disk;
}

static void test_bytes(void **state)
{
    (void)state;
    struct disk *disk = disk_new("a", 1, true);
    sqlite3_file *file = open_file(disk, "f");
    uint8_t bytes[8];
    sqlite3_int64 size = -1;
    assert_int_equal(put(file, 3, 7, 3), SQLITE_OK);
    memset(bytes, 9, sizeof bytes);
    assert_int_equal(file->pMethods->xRead(file, bytes, 8, 1), SQLITE_IOERR_SHORT_READ);
    assert_memory_equal(bytes, "\0\0\7\7\7\0\0\0", 8);
    assert_int_equal(file->pMethods->xTruncate(file, 4), SQLITE_OK);
    assert_int_equal(file->pMethods->xTruncate(file, 6), SQLITE_OK);
    assert_int_equal(file->pMethods->xRead(file, bytes, 6, 0), SQLITE_OK);
    assert_memory_equal(bytes, "\0\0\0\7\0\0", 6);
    assert_int_equal(file->pMethods->xFileSize(file, &size), SQLITE_OK);
    assert_int_equal(size, 6);
    assert_int_equal(disk_size(disk, "f"), 6);
    assert_int_equal(file->pMethods->xRead(file, bytes, 1, 100), SQLITE_IOERR_SHORT_READ);
    assert_int_equal(disk_ops(disk, DISK_READ), 4);
    assert_int_equal(disk_ops(disk, DISK_WRITE | DISK_TRUNCATE), 3);
    assert_int_equal(disk_ops(disk, DISK_ANY), 8);
    close_file(file);
    disk_free(disk);
}

static void test_names_of_no_disk(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"/sim/b/f", "/sim/a/", "/sim/a", "/sim/a/f/g",
                                        "f",        "/tmp/f",  "/sim//f"};
    struct disk *disk = disk_new("a", 1, true);
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    assert_non_null(file);
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        int there = -1;
        assert_int_not_equal(vfs->xOpen(vfs, NAMES[i], file, CREATE, NULL), SQLITE_OK);
        assert_int_not_equal(vfs->xDelete(vfs, NAMES[i], 0), SQLITE_OK);
        assert_int_not_equal(vfs->xAccess(vfs, NAMES[i], SQLITE_ACCESS_EXISTS, &there), SQLITE_OK);
    }
    free(file);
    sqlite3_file *other = NULL;
    assert_int_equal(try_open(disk, "f", SQLITE_OPEN_READWRITE, &other), SQLITE_CANTOPEN);
    assert_int_equal(delete_file(disk, "f", true), SQLITE_IOERR_DELETE_NOENT);
    assert_false(disk_exists(disk, "f"));
    disk_free(disk);
}

static void test_synced_is_kept(void **state)
{
    (void)state;
    for (int damage = 0; damage < DISK_DAMAGE_COUNT; damage++) {
        sqlite3_file *file;
        struct disk *disk = disk_with_file(9, &file);
        uint64_t hash = disk_hash(disk);
        disk_restart(disk, (enum disk_damage)damage);
        assert_true(disk_hash(disk) == hash);
        close_file(file);
        disk_free(disk);
    }
}

/* One write over all sectors that is not synced, and the sectors that are there afterwards, as
 * bits; -1 where a byte is neither the old nor the new one. */
static int sectors_after(enum disk_damage damage, uint64_t seed)
{
    sqlite3_file *file;
    struct disk *disk = disk_with_file(seed, &file);
    assert_int_equal(put(file, 0, 2, (size_t)FILE_SECTORS * DISK_SECTOR_BYTES), SQLITE_OK);
    disk_restart(disk, damage);
    close_file(file);
    file = open_file(disk, "f");
    int found = 0;
    for (int i = 0; i < FILE_SECTORS; i++) {
        int byte = byte_at(file, (size_t)i * DISK_SECTOR_BYTES);
        for (int k = 1; k < DISK_SECTOR_BYTES && byte >= 0; k++) {
            byte = byte_at(file, (size_t)(i * DISK_SECTOR_BYTES + k)) == byte ? byte : -1;
        }
        found |= byte == 2 ? 1 << i : 0;
        if (byte != 1 && byte != 2) {
            found = -1;
            break;
        }
    }
    close_file(file);
    disk_free(disk);
    return found;
}

static void test_damage(void **state)
{
    (void)state;
    enum { ALL = (1 << FILE_SECTORS) - 1 };
    int whole[DISK_DAMAGE_COUNT] = {0};
    int none[DISK_DAMAGE_COUNT] = {0};
    int torn[DISK_DAMAGE_COUNT] = {0};
    int noisy[DISK_DAMAGE_COUNT] = {0};
    for (int damage = 0; damage < DISK_DAMAGE_COUNT; damage++) {
        for (uint64_t seed = 0; seed < ROUNDS; seed++) {
            int found = sectors_after((enum disk_damage)damage, seed);
            int *count = found == ALL ? whole : found == 0 ? none : found > 0 ? torn : noisy;
            count[damage]++;
        }
    }
    assert_int_equal(whole[DISK_KEPT], ROUNDS);
    assert_int_equal(none[DISK_LOST], ROUNDS);
    for (int damage = DISK_CUT_SHORT; damage <= DISK_SOME; damage++) {
        assert_in_range(whole[damage], ROUNDS / 4, ROUNDS * 3 / 4);
        assert_int_equal(whole[damage] + none[damage], ROUNDS);
    }
    assert_in_range(torn[DISK_TORN], ROUNDS * 9 / 10, ROUNDS);
    assert_int_equal(noisy[DISK_TORN], 0);
    assert_in_range(noisy[DISK_GARBLED], ROUNDS / 2, ROUNDS * 9 / 10);
}

/* Writes into two files in turn: what is there is a beginning of the whole sequence. */
static void test_cut_short_is_a_beginning(void **state)
{
    (void)state;
    enum { WRITES = 10 };
    int lengths[WRITES + 1] = {0};
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        sqlite3_file *files[2];
        struct disk *disk = disk_with_file(seed, &files[0]);
        files[1] = open_file(disk, "g");
        assert_int_equal(sync_file(files[1]), SQLITE_OK);
        assert_int_equal(files[0]->pMethods->xTruncate(files[0], 0), SQLITE_OK);
        assert_int_equal(sync_file(files[0]), SQLITE_OK);
        for (size_t i = 0; i < WRITES; i++) {
            assert_int_equal(put(files[i % 2], i / 2, (uint8_t)(i + 1), 1), SQLITE_OK);
        }
        disk_restart(disk, DISK_CUT_SHORT);
        size_t first = disk_size(disk, "f");
        size_t second = disk_size(disk, "g");
        assert_true(first == second || first == second + 1);
        lengths[first + second]++;
        close_file(files[0]);
        close_file(files[1]);
        disk_free(disk);
    }
    for (int i = 0; i <= WRITES; i++) {
        assert_in_range(lengths[i], 1, ROUNDS / 3);
    }
}

/* How often the file is there after an open (with a write) and a power cut. */
static int times_there(enum disk_damage damage, bool sync)
{
    int there = 0;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        struct disk *disk = disk_new("a", seed, true);
        sqlite3_file *file = open_file(disk, "f");
        assert_int_equal(put(file, 0, 1, 1), SQLITE_OK);
        if (sync) {
            assert_int_equal(sync_file(file), SQLITE_OK);
        }
        disk_restart(disk, damage);
        there += disk_exists(disk, "f") ? 1 : 0;
        close_file(file);
        disk_free(disk);
    }
    return there;
}

static void test_new_names(void **state)
{
    (void)state;
    assert_int_equal(times_there(DISK_KEPT, false), ROUNDS);
    assert_int_equal(times_there(DISK_LOST, false), 0);
    for (int damage = DISK_CUT_SHORT; damage < DISK_DAMAGE_COUNT; damage++) {
        assert_in_range(times_there((enum disk_damage)damage, false), ROUNDS / 4, ROUNDS * 3 / 4);
        assert_int_equal(times_there((enum disk_damage)damage, true), ROUNDS);
    }
}

static void test_deleted_names(void **state)
{
    (void)state;
    int back = 0;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        sqlite3_file *file;
        struct disk *disk = disk_with_file(seed, &file);
        assert_int_equal(put(file, 0, 2, 1), SQLITE_OK);
        assert_int_equal(delete_file(disk, "f", seed % 2 == 0), SQLITE_OK);
        assert_false(disk_exists(disk, "f"));
        assert_int_equal(byte_at(file, 0), 2); /* who has it open, keeps it */
        disk_restart(disk, seed % 4 == 1 ? DISK_LOST : DISK_SOME);
        close_file(file);
        bool there = disk_exists(disk, "f");
        assert_true(!there || seed % 2 == 1);
        assert_true(there || seed % 4 != 1);
        if (seed % 4 == 1) {
            assert_int_equal(byte_of(disk, "f", 0), 1);
        }
        back += there ? 1 : 0;
        disk_free(disk);
    }
    assert_in_range(back, ROUNDS / 4 + 1, ROUNDS / 2 - 1);
}

/* Deletions are durable after the first sync of a journal that was opened to be made, also when it
 * was there already; other files keep but their own names. */
/* A file that is made and deleted, and nothing of it is ever synced: it is there when the cut lies
 * between the two, with the beginning of what was written into it. */
static void test_made_and_deleted(void **state)
{
    (void)state;
    enum { WRITES = 8 };
    int there = 0;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        sqlite3_file *files[2];
        struct disk *disk = disk_with_file(seed, &files[0]);
        assert_int_equal(files[0]->pMethods->xTruncate(files[0], 0), SQLITE_OK);
        assert_int_equal(sync_file(files[0]), SQLITE_OK);
        files[1] = open_file(disk, "g");
        for (size_t i = 0; i < WRITES; i++) {
            assert_int_equal(put(files[i % 2], i / 2, (uint8_t)(i + 1), 1), SQLITE_OK);
        }
        assert_int_equal(delete_file(disk, "g", false), SQLITE_OK);
        assert_int_equal(put(files[0], WRITES, 1, 1), SQLITE_OK);
        disk_restart(disk, DISK_CUT_SHORT);
        size_t first = disk_size(disk, "f");
        if (disk_exists(disk, "g")) {
            size_t second = disk_size(disk, "g");
            assert_true(first == second || first == second + 1);
            there++;
        } else {
            assert_true(first == 0 || first >= WRITES / 2);
        }
        close_file(files[0]);
        close_file(files[1]);
        disk_free(disk);
    }
    assert_in_range(there, ROUNDS / 4, ROUNDS - 1);
}

static void test_folder_sync(void **state)
{
    (void)state;
    for (int there = 0; there <= 1; there++) {
        sqlite3_file *file;
        struct disk *disk = disk_with_file(3, &file);
        close_file(file);
        if (there == 1) {
            file = open_file(disk, "wal");
            assert_int_equal(sync_file(file), SQLITE_OK);
            close_file(file);
        }
        assert_int_equal(delete_file(disk, "f", false), SQLITE_OK);
        file = open_file(disk, "g");
        assert_int_equal(sync_file(file), SQLITE_OK);
        close_file(file);
        disk_restart(disk, DISK_LOST);
        assert_true(disk_exists(disk, "f") && disk_exists(disk, "g"));

        assert_int_equal(delete_file(disk, "f", false), SQLITE_OK);
        int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_WAL;
        assert_int_equal(try_open(disk, "wal", flags, &file), SQLITE_OK);
        assert_int_equal(sync_file(file), SQLITE_OK);
        close_file(file);
        disk_restart(disk, DISK_LOST);
        assert_true(!disk_exists(disk, "f") && disk_exists(disk, "wal"));
        disk_free(disk);
    }
}

/* A new file in the place of a deleted one: one of the two is there. */
static void test_name_used_again(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        sqlite3_file *file;
        struct disk *disk = disk_with_file(seed, &file);
        close_file(file);
        assert_int_equal(delete_file(disk, "f", false), SQLITE_OK);
        file = open_file(disk, "f");
        assert_int_equal(put(file, 0, 5, 1), SQLITE_OK);
        if (seed % 2 == 0) {
            assert_int_equal(sync_file(file), SQLITE_OK);
        }
        disk_restart(disk, seed % 4 < 2 ? DISK_LOST : DISK_SOME);
        close_file(file);
        int byte = disk_exists(disk, "f") ? byte_of(disk, "f", 0) : -1;
        assert_true(seed % 2 == 1 || byte == 5);
        assert_true(seed % 4 != 1 || byte == 1);
        disk_free(disk);
    }
}

static void test_stop(void **state)
{
    (void)state;
    int done[FILE_SECTORS + 1] = {0};
    for (uint64_t seed = 0; seed < ROUNDS; seed++) {
        sqlite3_file *file;
        sqlite3_file *other = NULL;
        sqlite3_int64 size;
        void volatile *piece;
        struct disk *disk = disk_with_file(seed, &file);
        disk_set_fault(disk, &(struct disk_fault){DISK_STOP, DISK_WRITE | DISK_DELETE, 1, false});
        assert_int_equal(put(file, 0, 1, 1), SQLITE_OK);
        assert_false(disk_fault_hit(disk));
        assert_int_equal(put(file, 0, 2, (size_t)FILE_SECTORS * DISK_SECTOR_BYTES),
                         SQLITE_IOERR_WRITE);
        assert_true(disk_fault_hit(disk) && disk_stopped(disk));
        uint64_t hash = disk_hash(disk);
        assert_int_equal(put(file, 0, 3, 100), SQLITE_IOERR_WRITE);
        assert_int_equal(sync_file(file), SQLITE_IOERR_FSYNC);
        assert_int_equal(byte_at(file, 0), -1);
        assert_int_equal(file->pMethods->xFileSize(file, &size), SQLITE_IOERR_FSTAT);
        assert_int_equal(file->pMethods->xLock(file, SQLITE_LOCK_SHARED), SQLITE_IOERR_LOCK);
        assert_int_equal(file->pMethods->xUnlock(file, SQLITE_LOCK_NONE), SQLITE_OK);
        assert_int_equal(file->pMethods->xShmMap(file, 0, 64, 1, &piece), SQLITE_IOERR_SHMMAP);
        assert_int_equal(try_open(disk, "g", CREATE, &other), SQLITE_IOERR);
        assert_int_equal(delete_file(disk, "f", true), SQLITE_IOERR_DELETE);
        disk_restart(disk, DISK_KEPT);
        assert_true(disk_hash(disk) == hash);
        assert_int_equal(put(file, 0, 3, 100), SQLITE_IOERR_WRITE); /* dead for ever */
        close_file(file);
        int sectors = 0;
        while (sectors < FILE_SECTORS &&
               byte_of(disk, "f", (size_t)(sectors + 1) * DISK_SECTOR_BYTES - 1) == 2) {
            sectors++;
        }
        done[sectors]++;
        disk_free(disk);
    }
    assert_in_range(done[0], ROUNDS / 5, ROUNDS / 2);
    assert_in_range(done[FILE_SECTORS], ROUNDS / 5, ROUNDS / 2);
    for (int i = 1; i < FILE_SECTORS; i++) {
        assert_in_range(done[i], 1, ROUNDS / 8);
    }
}

static void test_fail_and_full(void **state)
{
    (void)state;
    sqlite3_file *file;
    struct disk *disk = disk_with_file(4, &file);
    disk_set_fault(disk, &(struct disk_fault){DISK_FAIL, DISK_SYNC, 0, false});
    assert_int_equal(put(file, 0, 2, 1), SQLITE_OK);
    assert_int_equal(sync_file(file), SQLITE_IOERR_FSYNC);
    disk_restart(disk, DISK_LOST);
    close_file(file);
    assert_int_equal(byte_of(disk, "f", 0), 1); /* a failed sync keeps nothing */

    file = open_file(disk, "f");
    disk_set_fault(disk, &(struct disk_fault){DISK_FULL, DISK_ANY, 1, true});
    disk_pause(disk, true);
    assert_int_equal(put(file, 0, 3, 1), SQLITE_OK);
    disk_pause(disk, false);
    assert_int_equal(put(file, 0, 4, 1), SQLITE_OK);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(put(file, 0, 5, 1), SQLITE_FULL);
        assert_int_equal(byte_at(file, 0), 4); /* of less than a sector, nothing is done */
    }
    assert_true(disk_fault_hit(disk));
    assert_int_equal(sync_file(file), SQLITE_OK);
    disk_set_fault(disk, NULL);
    assert_int_equal(put(file, 0, 6, 1), SQLITE_OK);
    close_file(file);
    disk_free(disk);
}

static void test_lying(void **state)
{
    (void)state;
    sqlite3_file *file;
    struct disk *disk = disk_with_file(4, &file);
    disk_set_lying(disk, true);
    assert_int_equal(put(file, 0, 2, 1), SQLITE_OK);
    assert_int_equal(sync_file(file), SQLITE_OK);
    disk_restart(disk, DISK_LOST);
    close_file(file);
    assert_int_equal(byte_of(disk, "f", 0), 1);
    disk_free(disk);
}

static void test_behind_the_back(void **state)
{
    (void)state;
    sqlite3_file *file;
    struct disk *disk = disk_with_file(4, &file);
    struct disk *other = disk_new("other", 5, false);
    size_t size = disk_size(disk, "f");
    assert_true(disk_copy(disk, "f", other, "f"));
    assert_true(disk_hash(disk) == disk_hash(other));
    assert_true(disk_flip(disk, "f", 8 + 3 + 8 * size));
    assert_int_equal(byte_at(file, 1), 1 ^ 8);
    assert_true(disk_hash(disk) != disk_hash(other));
    assert_true(disk_truncate(disk, "f", 100));
    disk_restart(disk, DISK_LOST);
    close_file(file);
    assert_int_equal(disk_size(disk, "f"), 100);
    assert_int_equal(byte_of(disk, "f", 1), 1 ^ 8);

    file = open_file(disk, "f");
    assert_true(disk_copy(other, "f", disk, "f"));
    assert_int_equal(byte_at(file, 1), 1 ^ 8); /* the old file */
    assert_int_equal(put(file, 0, 77, 1), SQLITE_OK);
    assert_int_equal(byte_of(disk, "f", 0), 1);
    close_file(file);
    disk_restart(disk, DISK_LOST);
    assert_true(disk_hash(disk) == disk_hash(other));
    assert_true(disk_copy(disk, "f", disk, "f"));
    assert_true(disk_hash(disk) == disk_hash(other));

    assert_true(disk_memory(disk) >= 2 * size);
    assert_true(disk_memory(other) < 2 * size);
    assert_true(disk_remove(other, "f"));
    assert_false(disk_remove(other, "f"));
    assert_false(disk_copy(other, "f", disk, "f"));
    assert_false(disk_flip(other, "f", 0) || disk_truncate(other, "f", 0));
    file = open_file(disk, "f");
    disk_free(disk); /* while a file is open */
    assert_int_equal(byte_at(file, 0), -1);
    close_file(file);
    disk_free(other);
}

static void test_locks(void **state)
{
    (void)state;
    struct disk *disk = disk_new("a", 1, true);
    sqlite3_file *a = open_file(disk, "f");
    sqlite3_file *b = open_file(disk, "f");
    const struct sqlite3_io_methods *call = a->pMethods;
    int reserved = -1;
    assert_int_equal(call->xLock(a, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_int_equal(call->xLock(b, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_int_equal(call->xLock(a, SQLITE_LOCK_RESERVED), SQLITE_OK);
    assert_int_equal(call->xLock(b, SQLITE_LOCK_RESERVED), SQLITE_BUSY);
    assert_int_equal(call->xCheckReservedLock(b, &reserved), SQLITE_OK);
    assert_int_equal(reserved, 1);
    assert_int_equal(call->xLock(a, SQLITE_LOCK_EXCLUSIVE), SQLITE_BUSY);
    assert_int_equal(call->xUnlock(b, SQLITE_LOCK_NONE), SQLITE_OK);
    assert_int_equal(call->xLock(b, SQLITE_LOCK_SHARED), SQLITE_BUSY); /* pending */
    assert_int_equal(call->xLock(a, SQLITE_LOCK_EXCLUSIVE), SQLITE_OK);
    assert_int_equal(call->xUnlock(a, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_int_equal(call->xLock(b, SQLITE_LOCK_SHARED), SQLITE_OK);
    assert_int_equal(call->xCheckReservedLock(b, &reserved), SQLITE_OK);
    assert_int_equal(reserved, 0);
    close_file(a);
    assert_int_equal(call->xLock(b, SQLITE_LOCK_EXCLUSIVE), SQLITE_OK);
    close_file(b);
    disk_free(disk);
}

static void test_shared_memory(void **state)
{
    (void)state;
    enum { SHARE = SQLITE_SHM_SHARED, ALONE = SQLITE_SHM_EXCLUSIVE };
    struct disk *disk = disk_new("a", 1, true);
    sqlite3_file *a = open_file(disk, "f");
    sqlite3_file *b = open_file(disk, "f");
    const struct sqlite3_io_methods *call = a->pMethods;
    void volatile *piece;
    void volatile *same;
    assert_int_equal(call->xShmMap(a, 0, 64, 0, &piece), SQLITE_OK);
    assert_null((void *)(uintptr_t)piece);
    disk_set_fault(disk, &(struct disk_fault){DISK_FULL, DISK_ANY, 0, false});
    assert_int_equal(call->xShmMap(a, 0, 64, 1, &piece), SQLITE_IOERR_SHMSIZE);
    assert_int_equal(call->xShmMap(a, 0, 64, 1, &piece), SQLITE_OK);
    assert_int_equal(call->xShmMap(b, 0, 64, 0, &same), SQLITE_OK);
    assert_true(piece != NULL && piece == same);
    assert_int_equal(call->xShmLock(a, 3, 1, SQLITE_SHM_LOCK | SHARE), SQLITE_OK);
    assert_int_equal(call->xShmLock(b, 3, 1, SQLITE_SHM_LOCK | SHARE), SQLITE_OK);
    assert_int_equal(call->xShmLock(b, 0, 3, SQLITE_SHM_LOCK | ALONE), SQLITE_OK);
    assert_int_equal(call->xShmLock(a, 2, 1, SQLITE_SHM_LOCK | SHARE), SQLITE_BUSY);
    assert_int_equal(call->xShmLock(a, 4, 1, SQLITE_SHM_LOCK | ALONE), SQLITE_OK);
    assert_int_equal(call->xShmUnmap(b, 1), SQLITE_OK);
    assert_int_equal(call->xShmLock(a, 0, 3, SQLITE_SHM_LOCK | ALONE), SQLITE_OK);
    assert_int_equal(call->xShmLock(a, 3, 1, SQLITE_SHM_UNLOCK | SHARE), SQLITE_OK);
    assert_int_equal(call->xShmLock(a, 3, 1, SQLITE_SHM_LOCK | ALONE), SQLITE_OK);
    disk_restart(disk, DISK_KEPT); /* locks and pieces of the dead are gone */
    sqlite3_file *c = open_file(disk, "f");
    assert_int_equal(call->xShmMap(c, 0, 64, 0, &same), SQLITE_OK);
    assert_null((void *)(uintptr_t)same);
    assert_int_equal(call->xShmLock(c, 0, 8, SQLITE_SHM_LOCK | ALONE), SQLITE_OK);
    *(volatile uint8_t *)piece = 1; /* still memory for those who have it */
    close_file(a);
    close_file(b);
    close_file(c);
    disk_free(disk);
}

/* The same for every compiler and machine of little-endian order. */
static void test_hash_is_fixed(void **state)
{
    (void)state;
    static const uint64_t EXPECTED[DISK_DAMAGE_COUNT] = {0x9208ab2d7b50814au, 0x2e5836231924ef30u,
                                                         0x2bd2f6d3a4bf501fu, 0x0e650c36fef3a323u,
                                                         0xe327a6503d01244eu, 0x4e9f9399d3077aa5u};
    for (int damage = 0; damage < DISK_DAMAGE_COUNT; damage++) {
        sqlite3_file *file;
        struct disk *disk = disk_with_file(42, &file);
        for (size_t i = 0; i < 20; i++) {
            assert_int_equal(put(file, i * 300, (uint8_t)i, 1000), SQLITE_OK);
        }
        assert_int_equal(file->pMethods->xTruncate(file, 5000), SQLITE_OK);
        assert_int_equal(put(file, 6000, 9, 700), SQLITE_OK);
        disk_restart(disk, (enum disk_damage)damage);
        close_file(file);
        if (disk_hash(disk) != EXPECTED[damage]) {
            fail_msg("damage %d: 0x%016llx", damage, (unsigned long long)disk_hash(disk));
        }
        disk_free(disk);
    }
}

static void test_many_disks(void **state)
{
    (void)state;
    enum { DISKS = 12000 };
    static struct disk *all[DISKS];
    char name[16];
    for (unsigned i = 0; i < DISKS; i++) {
        sqlite3_snprintf(sizeof name, name, "m%u", i);
        all[i] = disk_new(name, i, false);
        sqlite3_file *file = open_file(all[i], "f");
        assert_int_equal(put(file, i, 1, 1), SQLITE_OK);
        close_file(file);
    }
    for (unsigned i = 0; i < DISKS; i++) {
        assert_int_equal(disk_size(all[i], "f"), i + 1);
        assert_int_equal(byte_of(all[i], "f", i), 1);
        disk_free(all[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_names_of_no_disk),
        cmocka_unit_test(test_synced_is_kept),
        cmocka_unit_test(test_damage),
        cmocka_unit_test(test_cut_short_is_a_beginning),
        cmocka_unit_test(test_new_names),
        cmocka_unit_test(test_deleted_names),
        cmocka_unit_test(test_made_and_deleted),
        cmocka_unit_test(test_folder_sync),
        cmocka_unit_test(test_name_used_again),
        cmocka_unit_test(test_stop),
        cmocka_unit_test(test_fail_and_full),
        cmocka_unit_test(test_lying),
        cmocka_unit_test(test_behind_the_back),
        cmocka_unit_test(test_locks),
        cmocka_unit_test(test_shared_memory),
        cmocka_unit_test(test_hash_is_fixed),
        cmocka_unit_test(test_many_disks),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}

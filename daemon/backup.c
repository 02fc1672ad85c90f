#include "daemon/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "proto/limits.h"

#define BACKUP_PART "backup.part"

enum { SLICE_PAGES = 64, ABOUT_BYTES = 128, SPARE_BYTES = 1 << 20, SECRET_MODE = 0600 };

const char *const BACKUP_FILES[] = {PKI_NODE_KEY,    PKI_NODE_CHAIN,   PKI_CA_KEY,
                                    PKI_CA_CHAIN,    PKI_ROOT,         PKI_ADMIN_KEY,
                                    PKI_ADMIN_CHAIN, CONFIG_NODE_FILE, NULL};

void backup_init(struct backup *backup, const struct home *home)
{
    *backup = (struct backup){.home = home, .fd = -1};
}

void backup_sweep(const struct home *home)
{
    static const char *const NAMES[] = {BACKUP_PART, BACKUP_PART "-journal", BACKUP_PART "-wal",
                                        BACKUP_PART "-shm"};
    char path[HOME_PATH_BYTES];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        (void)unlink(home_path(home, NAMES[i], path));
    }
}

/* What the copy will need must be free, or the node itself would run out of room. */
static enum err check_room(const struct home *home, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct statvfs disk;
    struct stat database;
    struct stat log = {0};
    if (stat(home_path(home, HOME_DATABASE, path), &database) != 0 ||
        statvfs(home->dir, &disk) != 0) {
        return err_fail(msg, ERR_IO, "%.400s cannot be looked at: %s", home->dir, strerror(errno));
    }
    (void)stat(home_path(home, HOME_DATABASE "-wal", path), &log);
    int64_t room = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
    int64_t need = database.st_size + log.st_size + SPARE_BYTES;
    return room >= need
               ? ERR_OK
               : err_fail(msg, ERR_DISK_FULL,
                          "a backup needs %lld MB free in %.300s, and %lld MB are: free some room",
                          (long long)(need >> 20) + 1, home->dir, (long long)(room >> 20));
}

enum err backup_begin(struct backup *backup, struct store *store, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    TRY(check_room(backup->home, msg));
    backup_sweep(backup->home);
    backup->part = malloc(BACKUP_PART_BYTES);
    if (backup->part == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    /* There before SQLite opens it: keys will be in it. */
    int fd = open(home_path(backup->home, BACKUP_PART, path), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                  SECRET_MODE);
    if (fd < 0) {
        enum err err = errno == ENOSPC ? ERR_DISK_FULL : ERR_IO;
        (void)err_fail(msg, err, "%.400s: %s", path, strerror(errno));
        backup_end(backup);
        return err;
    }
    (void)close(fd);
    enum err err = store_backup_new(store, path, &backup->copy, msg);
    if (err != ERR_OK) {
        backup_end(backup);
    }
    return err;
}

static enum err keep_files(struct backup *backup, const char *unit, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    char when[WALL_TEXT_BYTES];
    char about[ABOUT_BYTES];
    struct buf content;
    enum err err = ERR_OK;
    buf_init(&content, PKI_FILE_MAX_BYTES);
    for (size_t i = 0; err == ERR_OK && BACKUP_FILES[i] != NULL; i++) {
        buf_clear(&content);
        err = file_read(home_path(backup->home, BACKUP_FILES[i], path), &content, msg);
        if (err == ERR_NOT_FOUND) { /* the admin's may have been moved to another machine */
            err = ERR_OK;
            continue;
        }
        err = err == ERR_OK
                  ? store_backup_keep(backup->copy, BACKUP_FILES[i], buf_bytes(&content), msg)
                  : err;
    }
    buf_deinit(&content);
    wall_format(clock_read().wall, when);
    int len = snprintf(about, sizeof about, "%s, as of %s,", unit, when);
    struct bytes text = {(const uint8_t *)about, (size_t)len};
    return err == ERR_OK ? store_backup_keep(backup->copy, BACKUP_ABOUT, text, msg) : err;
}

enum err backup_step(struct backup *backup, const char *unit, bool *done, int64_t *at,
                     int64_t *size, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    int64_t left = 0;
    TRY(store_backup_step(backup->copy, SLICE_PAGES, done, &left, size, msg));
    *at = *size - left;
    if (!*done) {
        return ERR_OK;
    }
    TRY(keep_files(backup, unit, msg));
    TRY(store_backup_finish(backup->copy, msg));
    store_backup_free(backup->copy);
    backup->copy = NULL;
    backup->fd = open(home_path(backup->home, BACKUP_PART, path), O_RDONLY | O_CLOEXEC);
    return backup->fd >= 0 ? ERR_OK : err_fail(msg, ERR_IO, "%.400s: %s", path, strerror(errno));
}

enum err backup_read(struct backup *backup, int64_t at, struct bytes *part, int64_t *size,
                     struct errmsg *msg)
{
    struct stat file;
    ssize_t n = fstat(backup->fd, &file) == 0
                    ? pread(backup->fd, backup->part, BACKUP_PART_BYTES, (off_t)at)
                    : -1;
    if (n < 0) {
        return err_fail(msg, ERR_IO, "the copy cannot be read: %s", strerror(errno));
    }
    *size = file.st_size;
    *part = (struct bytes){backup->part, (size_t)n};
    return ERR_OK;
}

void backup_end(struct backup *backup)
{
    store_backup_free(backup->copy);
    if (backup->fd >= 0) {
        (void)close(backup->fd);
    }
    free(backup->part);
    backup_sweep(backup->home);
    backup_init(backup, backup->home);
}

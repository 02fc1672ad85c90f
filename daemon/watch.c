#include "daemon/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

enum { SLICE_PAGES = 1000, STILL_MAX = 1000 };

static const char *const NAMES[WATCH_FILES] = {HOME_DATABASE, HOME_DATABASE "-wal",
                                               HOME_DATABASE "-shm"};

enum finding { SAME, DELETED, REPLACED, CUT };

void watch_begin(struct watch *watch, const struct home *home, struct store *store)
{
    char path[HOME_PATH_BYTES];
    *watch = (struct watch){.home = home, .store = store, .known = true};
    for (int i = 0; i < WATCH_FILES; i++) {
        if (stat(home_path(home, NAMES[i], path), &watch->files[i]) != 0) {
            log_line(LOG_LEVEL_WARN,
                     "watch=off text=\"%s: %s; it is not noticed when the database is "
                     "deleted or replaced\"",
                     path, strerror(errno));
            watch->known = false;
            return;
        }
    }
}

static enum finding look(struct watch *watch, int *which)
{
    char path[HOME_PATH_BYTES];
    for (int i = 0; i < WATCH_FILES; i++) {
        struct stat now;
        *which = i;
        if (stat(home_path(watch->home, NAMES[i], path), &now) != 0) {
            if (errno == ENOENT) {
                return DELETED;
            }
            continue; /* it cannot be seen now */
        }
        if (now.st_ino != watch->files[i].st_ino || now.st_dev != watch->files[i].st_dev) {
            return REPLACED;
        }
        if (i == 0 && now.st_size < watch->files[i].st_size) {
            return CUT;
        }
        watch->files[i] = now;
    }
    return SAME;
}

/* All that this process has, open files and log together, into a file of its own. */
static enum err rescue(struct watch *watch, const char *path, struct errmsg *msg)
{
    struct store_backup *copy;
    bool done = false;
    int64_t left;
    int64_t size;
    home_remove_part(watch->home);
    TRY(store_backup_new(watch->store, path, &copy, msg));
    enum err err = ERR_OK;
    int64_t before = -1;
    for (int still = 0; err == ERR_OK && !done; before = left) {
        err = store_backup_step(copy, SLICE_PAGES, &done, &left, &size, msg);
        still = left == before ? still + 1 : 0;
        if (err == ERR_OK && !done && still >= STILL_MAX) {
            err = err_fail(msg, ERR_BUSY, "a batch is open that does not end");
        }
        (void)sd_notify(0, "WATCHDOG=1");
    }
    err = err == ERR_OK ? store_backup_finish(copy, msg) : err;
    store_backup_free(copy);
    int fd = err == ERR_OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (err == ERR_OK && (fd < 0 || fsync(fd) != 0)) {
        err = err_fail(msg, ERR_IO, "%.300s cannot be synced: %s", path, strerror(errno));
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return err;
}

static enum err give_name(const char *part, const char *name, struct errmsg *msg)
{
    return rename(part, name) == 0
               ? file_sync_folder(name, msg)
               : err_fail(msg, ERR_IO, "%.300s cannot be named: %s", name, strerror(errno));
}

/* The log of the own file and its index are in the copy, and belong to nothing that is there now;
 * those of another file are its own. */
static void drop_log(const struct watch *watch)
{
    char path[HOME_PATH_BYTES];
    for (int i = 1; i < WATCH_FILES; i++) {
        struct stat there;
        if (stat(home_path(watch->home, NAMES[i], path), &there) == 0 &&
            there.st_ino == watch->files[i].st_ino && there.st_dev == watch->files[i].st_dev) {
            (void)unlink(path);
        }
    }
}

/* In the place of the own file, or of none. ERR_EXISTS: another file is there now. The log goes
 * last: it says nothing of the copy that the copy does not have. */
static enum err put_back(struct watch *watch, const char *part, struct errmsg *msg)
{
    char name[HOME_PATH_BYTES];
    struct stat there;
    (void)home_path(watch->home, HOME_DATABASE, name);
    bool own = stat(name, &there) == 0 && there.st_ino == watch->files[0].st_ino &&
               there.st_dev == watch->files[0].st_dev;
    if (!own && link(part, name) != 0) {
        return errno == EEXIST
                   ? ERR_EXISTS
                   : err_fail(msg, ERR_IO, "%.300s cannot be named: %s", name, strerror(errno));
    }
    if (!own) {
        (void)unlink(part);
    }
    TRY(own ? give_name(part, name, msg) : file_sync_folder(name, msg));
    drop_log(watch);
    return ERR_OK;
}

static enum err set_aside(struct watch *watch, const char *part, char name[HOME_PATH_BYTES],
                          struct errmsg *msg)
{
    char file[HOME_NAME_BYTES];
    home_dated_name("kept", file);
    TRY(give_name(part, home_path(watch->home, file, name), msg));
    drop_log(watch);
    return ERR_OK;
}

enum err watch_look(struct watch *watch, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    char part[HOME_PATH_BYTES];
    char kept[HOME_PATH_BYTES] = "";
    int which = 0;
    enum finding found = watch->known ? look(watch, &which) : SAME;
    struct errmsg why = {{0}};
    if (found == SAME) {
        return ERR_OK;
    }
    (void)home_path(watch->home, NAMES[which], path);
    if (found == CUT) {
        return err_fail(msg, ERR_IO,
                        "%.300s was cut short while the node ran: what was cut off is lost to it; "
                        "put a backup in its place with tallyd restore, or join again with tally "
                        "invite --replace",
                        path);
    }
    (void)home_path(watch->home, HOME_DATABASE_PART, part);
    bool other = found == REPLACED && which == 0;
    enum err err = rescue(watch, part, &why);
    if (err == ERR_OK && !other) {
        err = put_back(watch, part, &why);
        other = err == ERR_EXISTS;
    }
    if ((err == ERR_OK || err == ERR_EXISTS) && other) {
        err = set_aside(watch, part, kept, &why);
    }
    if (err != ERR_OK) {
        return err_fail(msg, ERR_IO,
                        "%.200s was %s while the node ran, and what it had could not be written "
                        "again (%.200s)",
                        path, found == DELETED ? "deleted" : "replaced", why.text);
    }
    return other ? err_fail(msg, ERR_IO,
                            "another file was put in the place of %.150s while the node ran; what "
                            "this one had is in %.150s, and nothing of it is lost: the next start "
                            "goes on with the other one",
                            path, kept)
                 : err_fail(msg, ERR_IO,
                            "%.300s was %s while the node ran; all that the node had has been "
                            "written into %s again: start it again",
                            path, found == DELETED ? "deleted" : "replaced", HOME_DATABASE);
}

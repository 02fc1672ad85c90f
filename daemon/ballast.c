#include "daemon/ballast.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"

enum { SECRET_MODE = 0600 };

static void give_up(struct ballast *ballast, int64_t room)
{
    char path[HOME_PATH_BYTES];
    if (truncate(home_path(ballast->home, BALLAST_FILE, path), 0) != 0 && errno != ENOENT) {
        log_line(LOG_LEVEL_WARN, "ballast=stuck text=\"%s: %s\"", path, strerror(errno));
        return;
    }
    ballast->kept = false;
    ballast->given_up = true;
    log_line(LOG_LEVEL_WARN, "ballast=given_up room_kib=%lld", (long long)(room >> 10));
}

/* Bytes that the disk has, not a length alone. What it has no room for is left as it was. */
static void make(struct ballast *ballast)
{
    char path[HOME_PATH_BYTES];
    int fd = open(home_path(ballast->home, BALLAST_FILE, path),
                  O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, SECRET_MODE);
    int code = fd < 0 ? errno : posix_fallocate(fd, 0, BALLAST_BYTES);
    if (fd >= 0) {
        (void)close(fd);
    }
    if (code == 0) {
        log_line(LOG_LEVEL_INFO, "ballast=kept bytes=%d", BALLAST_BYTES);
        ballast->kept = true;
        ballast->given_up = false;
    } else if (ballast->given_up) {
        give_up(ballast, 0);
    } else {
        (void)unlink(path);
    }
}

static int64_t room_left(const struct ballast *ballast)
{
    struct statvfs disk;
    return statvfs(ballast->home->dir, &disk) == 0 ? (int64_t)disk.f_bavail * (int64_t)disk.f_frsize
                                                   : -1;
}

bool ballast_begin(struct ballast *ballast, const struct home *home)
{
    char path[HOME_PATH_BYTES];
    struct stat file;
    bool there = stat(home_path(home, BALLAST_FILE, path), &file) == 0;
    *ballast = (struct ballast){.home = home,
                                .kept = there && file.st_size >= BALLAST_BYTES,
                                .given_up = there && file.st_size < BALLAST_BYTES};
    int64_t room = room_left(ballast);
    if (ballast->kept && room >= 0 && room < BALLAST_LOW_BYTES) {
        give_up(ballast, room);
    }
    return ballast->given_up;
}

bool ballast_look(struct ballast *ballast)
{
    int64_t room = room_left(ballast);
    if (room < 0) {
        return ballast->given_up; /* it cannot be seen now */
    }
    if (ballast->kept) {
        if (room < BALLAST_LOW_BYTES) {
            give_up(ballast, room);
        }
    } else if (room >= (ballast->given_up ? BALLAST_AGAIN_BYTES : BALLAST_FIRST_BYTES)) {
        make(ballast);
    }
    return ballast->given_up;
}

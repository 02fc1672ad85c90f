/* Setting a database aside.
 *
 * 1. Decided: the file "aside" says under which name, and why. From here on a start goes on with
 * this before it opens anything.
 * 2. The database gets that name, its log the same with "-wal"; its index goes, which is made anew.
 * 3. A new database is made under another name, and gets its own when it is whole.
 * 4. The file "aside" goes.
 *
 * Killed in between: what has been renamed is not renamed again, since its new name is there; a
 * database that is there beside the one set aside is the new one. A file is never put over another.
 *
 * The identity lies in a file with a sum over it: a damaged one is none. */
#include "daemon/aside.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/sha256.h"
#include "base/text.h"

#define WORD "damaged"
#define BEGINS HOME_DATABASE "." WORD "-"
#define LOG_OF "-wal"

enum { IDENTITY_MAX_BYTES = 64 * 1024, NOTE_FILE_BYTES = 2048, SECRET_MODE = 0600 };

/* ---- who the node is ---- */

static enum err read_identity(const struct home *home, struct buf *out, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct buf file;
    buf_init(&file, IDENTITY_MAX_BYTES + HASH_BYTES);
    enum err err = file_read(home_path(home, HOME_IDENTITY, path), &file, msg);
    if (err == ERR_OK) {
        size_t len = file.len < HASH_BYTES ? 0 : file.len - HASH_BYTES;
        struct hash sum = sha256(file.data + HASH_BYTES, len);
        bool whole = file.len > HASH_BYTES && memcmp(sum.b, file.data, HASH_BYTES) == 0;
        err = whole ? ERR_OK : err_fail(msg, ERR_CORRUPT, "%.300s is not what was written", path);
        buf_put(out, file.data + HASH_BYTES, err == ERR_OK ? len : 0);
        err = err == ERR_OK && out->failed ? err_fail(msg, ERR_NO_MEMORY, "no memory") : err;
    }
    buf_deinit(&file);
    return err;
}

static enum err write_identity(const struct home *home, const struct buf *bytes, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct buf file;
    struct hash sum = sha256(bytes->data, bytes->len);
    buf_init(&file, IDENTITY_MAX_BYTES + HASH_BYTES);
    buf_put_hash(&file, &sum);
    buf_put(&file, bytes->data, bytes->len);
    enum err err = file.failed ? err_fail(msg, ERR_NO_MEMORY, "no memory")
                               : file_write(home_path(home, HOME_IDENTITY, path), buf_bytes(&file),
                                            SECRET_MODE, msg);
    buf_deinit(&file);
    return err;
}

enum err aside_keep_identity(const struct home *home, struct store *store, struct buf *last,
                             struct errmsg *msg)
{
    struct buf now;
    struct errmsg ignored;
    buf_init(&now, IDENTITY_MAX_BYTES);
    enum err err = node_identity_bytes(store, &now);
    err = err == ERR_OK ? ERR_OK : err_fail(msg, err, "%s", store_error(store));
    if (err == ERR_OK && last->len == 0) {
        (void)read_identity(home, last, &ignored); /* none, or no good one: it is written */
    }
    bool same = last->len == now.len && memcmp(last->data, now.data, now.len) == 0;
    if (err == ERR_OK && !same) {
        err = write_identity(home, &now, msg);
        if (err == ERR_OK) {
            buf_clear(last);
            buf_put(last, now.data, now.len);
        }
    }
    buf_deinit(&now);
    return err;
}

enum err aside_keep_first(const struct home *home, struct store *store, struct errmsg *msg)
{
    struct buf last;
    buf_init(&last, IDENTITY_MAX_BYTES);
    enum err err = aside_keep_identity(home, store, &last, msg);
    buf_deinit(&last);
    return err;
}

/* ---- deciding ---- */

static enum err count_set_aside(const struct home *home, int *count, struct errmsg *msg)
{
    DIR *dir = opendir(home->dir);
    if (dir == NULL) {
        return err_fail(msg, ERR_IO, "%.300s cannot be listed: %s", home->dir, strerror(errno));
    }
    *count = 0;
    for (const struct dirent *at = readdir(dir); at != NULL; at = readdir(dir)) {
        size_t len = strlen(at->d_name);
        bool log = len > strlen(LOG_OF) && strcmp(at->d_name + len - strlen(LOG_OF), LOG_OF) == 0;
        *count += strncmp(at->d_name, BEGINS, strlen(BEGINS)) == 0 && !log ? 1 : 0;
    }
    (void)closedir(dir);
    return ERR_OK;
}

/* Whether it may be: nobody has a copy of a root's entries, and without the identity the new file
 * would be nobody's. */
static enum err check_may(const struct home *home, const char *why, struct errmsg *msg)
{
    struct buf identity;
    struct errmsg reason;
    bool is_root = false;
    int count = 0;
    buf_init(&identity, IDENTITY_MAX_BYTES);
    enum err err = read_identity(home, &identity, &reason);
    err = err == ERR_OK ? node_identity_look(buf_bytes(&identity), &is_root, &reason) : err;
    buf_deinit(&identity);
    if (err != ERR_OK) {
        return err == ERR_NO_MEMORY ? err_fail(msg, err, "no memory")
                                    : err_fail(msg, ERR_CORRUPT,
                                               "%.300s; it is not set aside, for nothing says "
                                               "whose it is (%.100s); " STORE_KEEP_ASIDE,
                                               why, reason.text);
    }
    if (is_root) {
        return err_fail(
            msg, ERR_CORRUPT,
            "%.250s; the root's own entries have no copy at another office: " STORE_KEEP_ASIDE
            ": make the node again from the last backup with tallyd restore --data "
            "DIR FILE",
            why);
    }
    TRY(count_set_aside(home, &count, msg));
    return count < ASIDE_MAX
               ? ERR_OK
               : err_fail(
                     msg, ERR_CORRUPT,
                     "%.250s; %d databases lie set aside in %.150s already, so its disk fails: "
                     "move them away, and the node to another disk",
                     why, count, home->dir);
}

enum err aside_begin(const struct home *home, const char *why, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    char name[HOME_NAME_BYTES];
    char tried[HOME_NAME_BYTES + 16];
    char note[NOTE_FILE_BYTES];
    char cause[ERRMSG_MAX_BYTES];
    (void)snprintf(cause, sizeof cause, "%s", why);
    char *remedy = strstr(cause, "; " STORE_KEEP_ASIDE);
    if (remedy != NULL) {
        *remedy = '\0'; /* which is done here, or is said anew */
    }
    TRY(check_may(home, cause, msg));
    home_dated_name(WORD, name);
    (void)snprintf(tried, sizeof tried, "%s", name);
    for (int i = 2; home_has(home, tried) && i <= ASIDE_MAX + 1; i++) {
        (void)snprintf(tried, sizeof tried, "%s-%d", name, i);
    }
    int len = snprintf(note, sizeof note, "%s\n%.600s\n", tried, cause);
    struct bytes content = {(const uint8_t *)note, (size_t)len};
    TRY(file_write(home_path(home, HOME_ASIDE, path), content, SECRET_MODE, msg));
    log_line(LOG_LEVEL_ERROR, "damage=database text=\"%s\" set_aside=%s", cause, tried);
    return ERR_OK;
}

bool aside_begun(const struct home *home)
{
    return home_has(home, HOME_ASIDE);
}

/* ---- doing ---- */

struct making {
    const struct home *home;
    struct buf identity;
    char note[NOTE_FILE_BYTES];
    const char *name;
    const char *why;
};

static enum err read_note(struct making *making, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    struct buf file;
    buf_init(&file, NOTE_FILE_BYTES - 1);
    enum err err = file_read(home_path(making->home, HOME_ASIDE, path), &file, msg);
    memcpy(making->note, file.data == NULL ? (const uint8_t *)"" : file.data, file.len);
    making->note[file.len] = '\0';
    buf_deinit(&file);
    TRY(err);
    char *end = strchr(making->note, '\n');
    bool good = end != NULL && strncmp(making->note, BEGINS, strlen(BEGINS)) == 0 &&
                end - making->note < HOME_NAME_BYTES &&
                memchr(making->note, '/', (size_t)(end - making->note)) == NULL;
    if (!good) {
        return err_fail(msg, ERR_CORRUPT,
                        "%.300s is not what was written; remove it, and start again", path);
    }
    *end = '\0';
    making->name = making->note;
    making->why = end + 1;
    end[1 + strcspn(end + 1, "\n")] = '\0';
    text_mend(end + 1);
    return ERR_OK;
}

/* A file gets its new name, unless it has it. */
static enum err move(const struct home *home, const char *from, const char *to, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    char aside[HOME_PATH_BYTES];
    bool gone = home_has(home, to) || !home_has(home, from);
    return gone || rename(home_path(home, from, path), home_path(home, to, aside)) == 0
               ? ERR_OK
               : err_fail(msg, ERR_IO, "%.250s cannot be renamed: %s", path, strerror(errno));
}

static enum err set_aside(const struct home *home, const char *name, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    char log[HOME_NAME_BYTES + sizeof LOG_OF];
    (void)snprintf(log, sizeof log, "%s" LOG_OF, name);
    TRY(move(home, HOME_DATABASE, name, msg));
    if (home_has(home, HOME_DATABASE)) {
        return ERR_OK; /* the new one, and its log */
    }
    TRY(move(home, HOME_DATABASE LOG_OF, log, msg));
    (void)unlink(home_path(home, HOME_DATABASE "-shm", path));
    return file_sync_folder(path, msg);
}

static enum err make(void *ctx, struct store *store, struct errmsg *msg)
{
    const struct making *making = ctx;
    struct hash key = pki_key_public(making->home->node_key);
    struct errmsg text;
    (void)err_fail(&text, ERR_OK,
                   "the database could not be used and was set aside as %s (%.250s); a new one "
                   "was made, and the neighbours give back what they have; entries that had not "
                   "gone up are in that file only",
                   making->name, making->why);
    struct node_aside aside = {.name = making->name, .text = text.text, .at = clock_read().wall};
    return node_make_again(store, buf_bytes(&making->identity), &key, &aside, msg);
}

static enum err do_all(struct making *making, struct errmsg *msg)
{
    char path[HOME_PATH_BYTES];
    TRY(read_note(making, msg));
    TRY(read_identity(making->home, &making->identity, msg));
    TRY(set_aside(making->home, making->name, msg));
    if (!home_has(making->home, HOME_DATABASE)) {
        TRY(home_make_database(making->home, make, making, msg));
    }
    if (unlink(home_path(making->home, HOME_ASIDE, path)) != 0) {
        return err_fail(msg, ERR_IO, "%.300s cannot be removed: %s", path, strerror(errno));
    }
    log_line(LOG_LEVEL_WARN, "database=new set_aside=%s", making->name);
    return file_sync_folder(path, msg);
}

enum err aside_finish(const struct home *home, struct errmsg *msg)
{
    struct making making = {.home = home};
    buf_init(&making.identity, IDENTITY_MAX_BYTES);
    enum err err = do_all(&making, msg);
    buf_deinit(&making.identity);
    return err == ERR_OK ? ERR_OK
                         : err_prefix(msg, err, "a new database in the place of a damaged one");
}

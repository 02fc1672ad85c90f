/* tallyd restore: a node out of a backup, in a directory where none lives. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "daemon/backup.h"
#include "daemon/commands.h"
#include "daemon/home.h"
#include "node/node.h"
#include "store/store.h"

enum { DATA, OPTION_COUNT };
enum { ABOUT_BYTES = 128, SECRET_MODE = 0600, PUBLIC_MODE = 0644 };

struct restore {
    struct home *home;
    char about[ABOUT_BYTES];
    bool keys; /* the node's were among the files */
};

/* Before anything is written: all of it is a node's, and nothing of another node is there. */
static enum err look_at_file(void *ctx, const char *name, struct bytes content, struct errmsg *msg)
{
    struct restore *restore = ctx;
    char path[HOME_PATH_BYTES];
    if (strcmp(name, BACKUP_ABOUT) == 0) {
        (void)snprintf(restore->about, sizeof restore->about, "%.*s", (int)content.len,
                       (const char *)content.data);
        return ERR_OK;
    }
    size_t i = 0;
    while (BACKUP_FILES[i] != NULL && strcmp(BACKUP_FILES[i], name) != 0) {
        i++;
    }
    if (BACKUP_FILES[i] == NULL) {
        return err_fail(msg, ERR_INVALID,
                        "the backup has a file \"%.100s\", which no node has; nothing was restored",
                        name);
    }
    bool key = strcmp(name, PKI_NODE_KEY) == 0;
    restore->keys = restore->keys || key;
    if (!key || access(home_path(restore->home, name, path), F_OK) != 0) {
        return ERR_OK;
    }
    struct buf there;
    buf_init(&there, PKI_FILE_MAX_BYTES);
    enum err err = file_read(path, &there, msg);
    bool same = err == ERR_OK && there.len == content.len &&
                memcmp(there.data, content.data, content.len) == 0;
    buf_deinit(&there);
    TRY(err);
    return same ? ERR_OK
                : err_fail(msg, ERR_EXISTS,
                           "%.300s is the key of another node; choose another directory", path);
}

static enum err take_file(void *ctx, const char *name, struct bytes content, struct errmsg *msg)
{
    struct restore *restore = ctx;
    char path[HOME_PATH_BYTES];
    if (strcmp(name, BACKUP_ABOUT) == 0) {
        return ERR_OK;
    }
    const char *dot = strrchr(name, '.');
    bool secret = dot != NULL && strcmp(dot, ".key") == 0;
    return file_write(home_path(restore->home, name, path), content,
                      secret ? SECRET_MODE : PUBLIC_MODE, msg);
}

/* From then on it leaves room for what it gave out after the backup. */
static enum err mark(const char *path, struct errmsg *msg)
{
    struct store *store;
    TRY(store_open(path, STORE_WRITE, &store, msg));
    enum err err = node_put_back(store, msg);
    store_close(store);
    return err;
}

/* The database gets its name last: half a restore is no node, and can be done again. */
static enum err take_all(struct restore *restore, struct store_kept *kept, struct errmsg *msg)
{
    char part[HOME_PATH_BYTES];
    char path[HOME_PATH_BYTES];
    if (access(home_path(restore->home, HOME_DATABASE "-wal", path), F_OK) == 0) {
        return err_fail(msg, ERR_EXISTS,
                        "%.300s belongs to a database that was moved away; move it to that one "
                        "first, or choose another directory",
                        path);
    }
    TRY(store_kept_files(kept, look_at_file, restore, msg));
    if (!restore->keys) {
        return err_fail(msg, ERR_INVALID, "the backup has no key of a node; nothing was restored");
    }
    TRY(store_kept_files(kept, take_file, restore, msg));
    home_remove_part(restore->home);
    enum err err =
        store_kept_restore(kept, home_path(restore->home, HOME_DATABASE_PART, part), msg);
    err = err == ERR_OK ? mark(part, msg) : err;
    if (err == ERR_OK && rename(part, home_path(restore->home, HOME_DATABASE, path)) != 0) {
        err = err_fail(msg, ERR_IO, "cannot name %.400s: %s", path, strerror(errno));
    }
    if (err != ERR_OK) {
        home_remove_part(restore->home);
        return err;
    }
    return file_sync_folder(path, msg);
}

static enum err run(struct restore *restore, const struct command_option *options, const char *file,
                    struct errmsg *msg)
{
    struct store_kept *kept;
    if (options[DATA].value == NULL || file == NULL) {
        return err_fail(msg, ERR_USAGE, "%s is missing; `tallyd restore --help` shows an example",
                        file == NULL ? "the backup's file" : "--data");
    }
    TRY(store_kept_open(file, &kept, msg)); /* first: a bad one leaves no directory behind */
    enum err err = home_claim(restore->home, options[DATA].value, msg);
    err = err == ERR_OK ? take_all(restore, kept, msg) : err;
    store_kept_free(kept);
    return err;
}

int cmd_restore(int argc, char **argv)
{
    struct command_option options[OPTION_COUNT] = {[DATA] = {.name = "data"}};
    const char *word = NULL;
    struct errmsg msg = {{0}};
    struct home home;
    struct restore restore = {.home = &home};
    home_init(&home);
    enum err err = command_options(argc, argv, options, OPTION_COUNT, &word, &msg);
    err = err == ERR_OK ? run(&restore, options, word, &msg) : err;
    home_deinit(&home);
    if (err != ERR_OK) {
        return command_fail(err, &msg);
    }
    (void)fprintf(
        stderr,
        "The node of unit %s is back. Its tally.yaml is in %s: change \"listen\" there if "
        "this machine has another address.\nStart it: tallyd run --data %s. The machine "
        "that had this node must not run any more: the office above goes on with one of "
        "them only.\n",
        restore.about, options[DATA].value, options[DATA].value);
    return STATUS_DONE;
}

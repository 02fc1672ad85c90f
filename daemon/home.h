/* The data directory of a node: its lock, its files, its keys. One process uses a directory at a
 * time. */
#ifndef TALLY_HOME_H
#define TALLY_HOME_H

#include "config/config.h"
#include "node/node.h"
#include "pki/pki.h"
#include "store/store.h"

enum { HOME_PATH_BYTES = 4096 };

/* Files of the directory beside those of pki.h and config.h. */
#define HOME_DATABASE "tally.db"
#define HOME_DATABASE_PART "tally.db.part" /* until it is whole */
#define HOME_SOCKET "tally.sock"
#define HOME_LOCK "lock"
#define HOME_IDENTITY "node.identity" /* who the node is, outside its database */
#define HOME_ASIDE "aside"            /* a database is being set aside: which, and why */

enum { HOME_NAME_BYTES = 64 };

struct home {
    char dir[HOME_PATH_BYTES];
    int lock; /* descriptor, -1: not locked */
    struct pki_key *node_key;
    struct pki_key *ca_key;
    struct buf node_key_pem;
    struct buf node_chain; /* PEM: own certificate first, root last */
    struct buf ca_chain;
    struct buf root;
};

void home_init(struct home *home);
void home_deinit(struct home *home);

/* The path of a file in it. */
const char *home_path(const struct home *home, const char *file, char out[HOME_PATH_BYTES]);

bool home_has(const struct home *home, const char *file);

/* A name of now for a database beside the one in use: "tally.db.WORD-DATE". */
void home_dated_name(const char *word, char out[HOME_NAME_BYTES]);

/* Takes the directory for a new node: makes it when it is not there, locks it. ERR_EXISTS when a
 * node lives in it, and it is locked. */
enum err home_claim(struct home *home, const char *dir, struct errmsg *msg) MUST_CHECK;

/* Keys of a new node, saved; those of an attempt that did not end are used again, so that a parent
 * that has answered it already answers the same. */
enum err home_make_keys(struct home *home, struct errmsg *msg) MUST_CHECK;

/* Saves the chains that are in `home`, tally.yaml, and the certificate of an admin client. */
enum err home_save(struct home *home, const struct id *tree, const struct config_node *config,
                   struct errmsg *msg) MUST_CHECK;

/* For a node that joins again with its data: keys that are not in force yet, of an attempt that did
 * not end or new ones; their chains, kept beside those in force, after which the node runs only
 * when the join has ended; and all four put into force, the database being that of the new
 * identity. */
enum err home_next_keys(struct home *home, struct errmsg *msg) MUST_CHECK;
enum err home_next_chains(const struct home *home, struct errmsg *msg) MUST_CHECK;
enum err home_use_next(struct home *home, const struct id *tree, struct errmsg *msg) MUST_CHECK;

/* Puts new chains into force and saves them, with a new certificate for the admin client's key. */
enum err home_renew(struct home *home, const struct id *tree, const struct buf *node_chain,
                    const struct buf *ca_chain, struct wall now, struct errmsg *msg) MUST_CHECK;

/* Whether the admin client's certificate is past two thirds of its life. */
bool home_admin_ages(const struct home *home, struct wall now);

/* A new database that `make` fills; it gets its name when it is whole, so that half a node is none.
 */
enum err home_make_database(const struct home *home,
                            enum err (*make)(void *ctx, struct store *store, struct errmsg *msg),
                            void *ctx, struct errmsg *msg) MUST_CHECK;

/* Takes away what is left of a database that did not become whole. */
void home_remove_part(const struct home *home);

/* Opens the directory of a node: locks it and reads keys and chains. ERR_NOT_FOUND when no node
 * lives there, also none whose database is being set aside; ERR_BUSY when another process uses it,
 * ERR_REFUSED when it has joined again and that has not ended. */
enum err home_open(struct home *home, const char *dir, struct errmsg *msg) MUST_CHECK;

/* What the node asks of the world; `home` is its context. */
struct node_env home_env(struct home *home);

#endif

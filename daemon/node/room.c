/* A file that was put back does not know which numbers it gave out since: of hostings, which say
 * which of a unit's machines is the newer one, and of versions of the catalogue. From then on new
 * ones leave room for them, once: they begin at a floor far above those known. That a file was put
 * back is said by `tallyd restore`, and seen when those below know of it what it does not. */
#include "node/admit.h"

enum { ROOM = 1000, HOSTINGS_PAGE = 128 };

int64_t room_next(int64_t known, int64_t floor)
{
    return known < floor ? floor : known + 1;
}

static enum err highest_number(struct node *node, int64_t *out)
{
    struct store_hosting page[HOSTINGS_PAGE];
    size_t n = HOSTINGS_PAGE;
    *out = node->hosting;
    for (int64_t after = 0; n == HOSTINGS_PAGE; after = page[n - 1].unit) {
        TRY(store_hostings(node->store, after, page, HOSTINGS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            *out = page[i].number > *out ? page[i].number : *out;
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

/* A part of it is chance, so that two files put back to the same state hardly meet. */
static enum err raise_floor(struct node *node, const char *name, int64_t known, int64_t *floor)
{
    uint64_t chance;
    node->env.random(node->env.ctx, &chance, sizeof chance);
    *floor = known + ROOM + (int64_t)(chance % ROOM);
    TRY(node_write(node));
    return store_fact_set_int(node->store, name, *floor);
}

enum err room_leave(struct node *node, bool again)
{
    int64_t number;
    int64_t version = (int64_t)node->view.catalogue.version;
    TRY(highest_number(node, &number));
    if (again || node->number_floor <= number) {
        TRY(raise_floor(node, "number_floor", number, &node->number_floor));
    }
    if (node->identity.is_root && (again || node->version_floor <= version)) {
        TRY(raise_floor(node, "version_floor", version, &node->version_floor));
    }
    return ERR_OK;
}

enum err room_was_put_back(struct node *node)
{
    int64_t put_back;
    TRY(store_fact_int(node->store, "put_back", 0, &put_back));
    if (put_back == 0) {
        return ERR_OK;
    }
    TRY(room_leave(node, true));
    return store_fact_set_int(node->store, "put_back", 0);
}

enum err node_put_back(struct store *store, struct errmsg *msg)
{
    enum err err = store_begin(store);
    err = err == ERR_OK ? store_fact_set_int(store, "put_back", 1) : err;
    err = err == ERR_OK ? store_commit(store) : err;
    if (err != ERR_OK) {
        (void)err_fail(msg, err, "%s", store_error(store));
        store_rollback(store);
    }
    return err;
}

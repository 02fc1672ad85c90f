/* When the file had better be made anew: set aside, and made of what the neighbours have.
 *
 * At once when a batch has failed because a part of the file could not be used: nothing can go on
 * upon it. So it is when a row is missing that should be there, once the own entries are in escrow:
 * the rest of the file can be read, and nothing that is only here is given up for it. What an audit
 * finds that cannot be put right row by row (a broken chain, an index that does not fit its table,
 * a row of its own deciding) can wait until all that is in the file is somewhere else too: the own
 * entries in escrow, every child linked and equal, so that each gives again what is its own. A
 * child that is turned away, for what its data seems to be beside a damaged copy of it, cannot
 * become equal: that its file knows the last session that this office has had with it, and all that
 * came of it, is enough, since nothing was lost there. A root has nobody to ask; there damage stays
 * named, and people put a backup back. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "node/internal.h"

enum { PAGE = 128 };

void anew_broken(struct node *node, const char *why)
{
    node->file_broken = true;
    (void)snprintf(node->file_why, sizeof node->file_why, "%.400s", why);
    text_mend(node->file_why);
}

void anew_lacks(struct node *node, const char *why)
{
    anew_damaged(node, why);
    node->file_lacks = true;
}

void node_on_unreadable(struct node *node)
{
    anew_broken(node, "a query met a part of it that cannot be read");
}

void anew_damaged(struct node *node, const char *why)
{
    if (!node->file_broken && node->file_why[0] == '\0') {
        (void)snprintf(node->file_why, sizeof node->file_why, "%.400s", why);
        text_mend(node->file_why);
    }
}

void anew_look_again(struct node *node)
{
    if (!node->file_broken) {
        node->file_why[0] = '\0';
        node->file_lacks = false;
    }
}

enum err anew_child_said(struct node *node, const struct store_child *child,
                         const struct msg_hello *hello)
{
    const struct feed_mark *session = hello_knows(hello, &child->session);
    const struct feed_mark *have = hello_knows(hello, &child->have_session);
    bool known = session != NULL && session->revision != SESSION_HEARD_OF;
    /* Whoever has lost the end of its ledger has lost the end of its feed with it. */
    bool whole = id_is_zero(&child->have_session) ||
                 (have != NULL && child->have_revision <= have->revision);
    if (!whole || !(known || id_is_zero(&child->session))) {
        map_remove(&node->known_whole, &child->unit);
        return ERR_OK;
    }
    bool *turned_away = map_put(&node->known_whole, &child->unit, NULL);
    if (turned_away == NULL) {
        return ERR_NO_MEMORY;
    }
    *turned_away = false;
    return ERR_OK;
}

void anew_child_refused(struct node *node, int64_t unit)
{
    bool *turned_away = map_get(&node->known_whole, &unit);
    if (turned_away != NULL) {
        *turned_away = true;
    }
}

/* Linked and equal, or turned away with all that this office has had of it. */
static bool gives_all_again(struct node *node, int64_t unit)
{
    const struct link *link = downlink_live_of_unit(node, unit);
    const bool *turned_away = map_get(&node->known_whole, &unit);
    return link != NULL ? link->exact : turned_away != NULL && *turned_away;
}

/* Whether each child that this node has made gives its own again. */
static bool children_give_again(struct node *node)
{
    struct store_hosting rows[PAGE];
    size_t n = PAGE;
    for (int64_t after = 0; n == PAGE; after = rows[n - 1].unit) {
        if (store_hostings(node->store, after, rows, PAGE, &n) != ERR_OK) {
            return false;
        }
        for (size_t i = 0; i < n; i++) {
            bool child = id_equal(&rows[i].decider, &node->origin) && !rows[i].revoked;
            if (child && !gives_all_again(node, rows[i].unit)) {
                return false;
            }
        }
    }
    return true;
}

/* Without the parent's word the new file would stay empty; that another line of the own data goes
 * on is such a word too: the damage may be what makes this one look like another. */
static bool parent_answers(const struct node *node)
{
    return node->fenced || (node->uplink != NULL && node->uplink->state == SESSION_LIVE);
}

const char *node_wants_new_file(struct node *node)
{
    if (node->identity.is_root || node->file_why[0] == '\0') {
        return NULL;
    }
    bool safe = node->entries_acked >= node->ledger_length;
    bool now = node->file_broken || (safe && node->file_lacks) ||
               (safe && parent_answers(node) && children_give_again(node));
    return now ? node->file_why : NULL;
}

/* Units, hostings, statuses: rows that this node decides or learns, kept in the store, in the tree
 * in memory, and given their place in the feed. */
#include "node/internal.h"

enum err rows_put_unit(struct node *node, struct store_unit *row, const char *code)
{
    TRY(node_write(node));
    row->rev = node_next_revision(node);
    node->down_head = row->rev;
    TRY(store_unit_put(node->store, row));
    TRY(view_put_unit(&node->view, row, code));
    node->tree_changed = true;
    node->recheck_held = true;
    return ERR_OK;
}

enum err rows_put_hosting(struct node *node, struct store_hosting *row)
{
    TRY(node_write(node));
    row->rev = node_next_revision(node);
    node->down_head = row->rev;
    TRY(store_hosting_put(node->store, row));
    view_put_hosting(&node->view, row);
    node->tree_changed = true;
    node->recheck_held = true;
    return ERR_OK;
}

enum err rows_put_status(struct node *node, struct store_status *row)
{
    struct store_status old = {0};
    enum err err = store_status_get(node->store, row->unit, &old);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    TRY(node_write(node));
    row->rev = revision_of_status(node, old.rev);
    return store_status_put(node->store, row);
}

enum err rows_set_state(struct node *node, struct link *link, enum link_state state)
{
    struct store_status row = {.unit = link->unit};
    enum err err = store_status_get(node->store, link->unit, &row);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    bool same = err == ERR_OK && row.state == (int64_t)state && id_equal(&row.node, &link->node);
    same = same && row.lost >= link->escrow_lost;
    if (same && row.exact_as_of.ms >= link->exact_as_of.ms - 60000) {
        return ERR_OK;
    }
    row.node = link->node;
    row.direct = true;
    row.state = state;
    row.lost = row.lost > link->escrow_lost ? row.lost : link->escrow_lost;
    row.exact_as_of =
        link->exact_as_of.ms > row.exact_as_of.ms ? link->exact_as_of : row.exact_as_of;
    if (same) {
        /* Only the time moved on, which those above work out from their own links: nothing to send.
         */
        TRY(node_write(node));
        return store_status_put(node->store, &row);
    }
    node_log(node, false, "link=%llu unit=%s state=%s", (unsigned long long)link->id, link->address,
             link_state_name(state));
    return rows_put_status(node, &row);
}

/* Revisions of rows that change, and what an acknowledged revision stands for.
 *
 * "The parent has everything up to revision R, or newer" is what waits and probes rely on. A row
 * that changes while it waits unread keeps its revision. One that was read gets the next: the state
 * that was read is on its way under the old one. Three cases:
 *
 * 1. It was read in this session: the acknowledgement that covers the old revision settles it
 * (moved_in_flight). When the session ends before and the parent says that it has less, the old
 * state was lost on the way.
 * 2. That, or it was read by somebody else only (an earlier session, a child that it goes down to):
 * the parent gets neither state under the old revision (moved).
 * 3. The parent has the old revision already: nothing is missing.
 *
 * In case 2 whoever waits for a revision from the old one on waits for the new one instead. */
#include "node/internal.h"

int64_t node_next_revision(struct node *node)
{
    return ++node->head;
}

/* Waits and probes that rely on the old revisions. */
static void raise_waits(struct node *node, const struct moved *moved)
{
    for (size_t i = 0; i < node->waiter_count; i++) {
        struct waiter *waiter = &node->waiters[i];
        bool relies = waiter->revision >= moved->from && waiter->revision < moved->to;
        waiter->revision = relies ? moved->to : waiter->revision;
    }
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        bool relies = link->probe_own >= moved->from && link->probe_own < moved->to;
        link->probe_own = relies ? moved->to : link->probe_own;
    }
}

static void note(struct moved *moved, const struct moved *more)
{
    moved->from = moved->from == 0 || more->from < moved->from ? more->from : moved->from;
    moved->last = more->last > moved->last ? more->last : moved->last;
    moved->to = more->to > moved->to ? more->to : moved->to;
}

static int64_t give_way(struct node *node, int64_t current, bool in_flight)
{
    int64_t next = node_next_revision(node);
    if (current > node->acked.revision && !node->identity.is_root) {
        struct moved moved = {current, current, next};
        note(in_flight ? &node->moved_in_flight : &node->moved, &moved);
        if (!in_flight) {
            raise_waits(node, &moved);
        }
    }
    return next;
}

static bool is_live(const struct node *node)
{
    return node->uplink != NULL && node->uplink->state == SESSION_LIVE;
}

int64_t revision_of_cell(struct node *node, int64_t current, int64_t scope)
{
    bool above = scope != SCOPE_ABOVE && current <= node->cells_read_up;
    bool below = scope != SCOPE_BELOW && current <= node->cells_read_down;
    if (current > 0 && !above && !below) {
        return current;
    }
    if (current == 0 || scope == SCOPE_ABOVE) {
        return node_next_revision(node);
    }
    return give_way(node, current, is_live(node) && current <= node->uplink->out.cells_read);
}

int64_t revision_of_status(struct node *node, int64_t current)
{
    if (current > node->rows_read_up) {
        return current;
    }
    return current == 0
               ? node_next_revision(node)
               : give_way(node, current, is_live(node) && current <= node->uplink->out.rows_read);
}

void revision_read(struct node *node, const struct link *link)
{
    const struct sender *out = &link->out;
    int64_t *cells = link->up ? &node->cells_read_up : &node->cells_read_down;
    *cells = out->cells_read > *cells ? out->cells_read : *cells;
    if (link->up && out->rows_read > node->rows_read_up) {
        node->rows_read_up = out->rows_read;
    }
}

void revision_acked(struct node *node)
{
    if (node->acked.revision >= node->moved_in_flight.last) {
        node->moved_in_flight = (struct moved){0};
    }
    if (node->acked.revision >= node->moved.to && node->root_revision >= node->moved.to) {
        node->moved = (struct moved){0};
    }
}

void revision_told(struct node *node)
{
    if (node->acked.revision < node->moved_in_flight.last) {
        note(&node->moved, &node->moved_in_flight);
        raise_waits(node, &node->moved);
    }
    node->moved_in_flight = (struct moved){0};
}

void revision_welcomed(struct node *node)
{
    revision_told(node);
    /* What the parent does not have waits again, but for what a bundle may still bring it. */
    node->cells_read_up =
        node->bundled > node->acked.revision ? node->bundled : node->acked.revision;
    node->rows_read_up = node->cells_read_up;
}

int64_t revision_to_wait_for(const struct node *node, int64_t revision)
{
    const struct moved *moved = &node->moved;
    bool relies = moved->from > 0 && revision >= moved->from && revision < moved->to;
    return relies ? moved->to : revision;
}

void revision_probe(struct node *node, struct link *link)
{
    link->probe_own = 0;
    if (node->identity.is_root) {
        link->root_revision = link->received.revision;
    } else if (link->received.revision > link->root_revision) {
        link->probe_child = link->received.revision;
        link->probe_own = node->head;
    }
}

void revision_at_root(struct node *node, int64_t revision)
{
    bool less = revision < node->root_revision;
    node->root_revision = revision;
    for (size_t i = 0; less && i < node->link_count; i++) {
        struct link *link = node->links[i];
        if (!link->up && link->state == SESSION_LIVE) {
            link->root_revision = 0;
            revision_probe(node, link);
        }
    }
}

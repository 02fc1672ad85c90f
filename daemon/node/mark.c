/* A mark, at the parent: child and parent are equal there. Digests of the origins that changed are
 * compared, what is unequal is asked for again, and the counts of the child's cells must add up to
 * its ledger. */
#include <inttypes.h>

#include "node/internal.h"

enum { REPAIRS_MAX = 256 };

/* Compares one digest; true when the origin's cells are to be sent again. */
static enum err compare_digest(struct node *node, struct link *link, const struct digest *digest,
                               bool *again)
{
    struct cached_origin *origin;
    int64_t rows;
    int64_t counts;
    struct id refused;
    *again = false;
    enum err err = node_origin_named(node, &digest->origin, &origin);
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    const struct stated_heads *stated = map_get(&node->stated, &origin->row.id);
    if (origin->row.via != link->unit || stated == NULL || stated->standing != HEADS_COVER) {
        return ERR_OK;
    }
    struct id sum = origin->row.digest;
    TRY(store_refused_sum(node->store, origin->row.id, &rows, &counts, &refused));
    id_sum_add(&sum, &refused);
    char name[ID_HEX_BYTES];
    id_format(&digest->origin, name);
    bool equal = id_equal(&sum, &digest->sum);
    if (!equal && node->damage_count > 0) {
        struct id excess = sum;
        id_sum_sub(&excess, &digest->sum);
        TRY(audit_take_out_strays(node, origin->row.id, &excess, &equal));
        equal = equal && rows == 0; /* what was refused may have had no room beside them */
    }
    if (equal) {
        /* The alarm may be from an earlier link. */
        map_remove(&link->unequal, &origin->row.id);
        return store_alarm_mend(node->store, "digest", name,
                                "the cells of this origin differed from its own at a mark; they "
                                "were sent again and are equal now");
    }
    if (map_put(&link->unequal, &origin->row.id, NULL) == NULL) {
        return ERR_NO_MEMORY;
    }
    *again = link->repairs < REPAIRS_MAX;
    link->repairs++;
    if (*again) { /* what is refused rightly comes again, and is again */
        TRY(store_refused_forget(node->store, origin->row.id));
        node->refused_rows -= rows;
    }
    return node_alarm(
        node, "digest", name,
        "the cells of this origin, which come through unit %s, differ from its own; %s",
        link->address, *again ? "they are sent again" : "sending them again did not help");
}

/* The counts of the child's own cells, none of them refused, add up to its ledger. */
static enum err check_conserved(struct node *node, const struct link *link)
{
    struct cached_origin *origin;
    int64_t rows;
    int64_t counts;
    struct id hashes;
    TRY(node_origin(node, link->origin, &origin));
    TRY(store_refused_sum(node->store, link->origin, &rows, &counts, &hashes));
    if (rows > 0) {
        return ERR_OK;
    }
    if (origin->row.cell_count == link->escrow_facts) {
        return store_alarm_mend(node->store, "conserved", link->address,
                                "the cells of this unit stood for another number of entries than "
                                "its ledger has; they add up now");
    }
    return node_alarm(node, "conserved", link->address,
                      "the cells of unit %s stand for %" PRId64 " entries; its ledger has %" PRId64,
                      link->address, origin->row.cell_count, link->escrow_facts);
}

enum err mark_settle(struct node *node, struct link *link)
{
    struct id *again = arena_array(&node->arena, link->digest_count + DAMAGES_MAX, sizeof *again);
    if (again == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(node_write(node));
    for (size_t i = 0; i < link->digest_count; i++) {
        bool ask;
        TRY(compare_digest(node, link, &link->digests[i], &ask));
        if (ask) {
            again[link->ask_again_count++] = link->digests[i].origin;
        }
    }
    TRY(audit_mend(node));
    size_t wanted = link->ask_again_count;
    TRY(audit_ask_again(node, link, again, &wanted));
    link->exact = link->unequal.count == 0 && wanted == 0;
    if (wanted > link->ask_again_count && link->repairs < REPAIRS_MAX) {
        link->repairs++;
        link->ask_again_count = wanted;
    }
    link->ask_again = again;
    TRY(check_conserved(node, link));
    link->exact_as_of = link->exact ? node->now.wall : link->exact_as_of;
    return rows_set_state(node, link, link->exact ? LINK_EXACT : LINK_CATCHING_UP);
}

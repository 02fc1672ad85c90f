/* A mark, at the parent: child and parent are equal there. Digests of the origins that changed are
 * compared; of what is unequal the cells that differ are looked for (compare.c) and asked for
 * again, and when that does not help, all cells; and the counts of the child's cells must add up to
 * its ledger. */
#include <inttypes.h>

#include "node/sealing.h"

/* What was refused because the ledger was behind is not refused rightly any more: it is missing. */
static enum err forget_behind(struct node *node, int64_t origin)
{
    int64_t gone = 0;
    TRY(node->refused_rows > 0 ? store_refused_forget_for(node->store, origin, REFUSE_BEHIND, &gone)
                               : ERR_OK);
    node->refused_rows -= gone;
    return ERR_OK;
}

/* Compares one digest; an origin whose sums differ is remembered with the link. */
static enum err compare_digest(struct node *node, struct link *link, const struct digest *digest)
{
    struct cached_origin *origin;
    int64_t rows;
    int64_t counts;
    struct id refused;
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
    TRY(forget_behind(node, origin->row.id));
    TRY(store_refused_sum(node->store, origin->row.id, &rows, &counts, &refused));
    id_sum_add(&sum, &refused);
    char name[ID_HEX_BYTES];
    id_format(&digest->origin, name);
    bool equal = id_equal(&sum, &digest->sum);
    if (!equal && node->damage_count > 0) {
        struct id excess = sum;
        id_sum_sub(&excess, &digest->sum);
        TRY(mend_strays(node, origin->row.id, &excess, &equal));
        equal = equal && rows == 0; /* what was refused may have had no room beside them */
    }
    if (equal) {
        map_remove(&link->unequal, &origin->row.id);
        map_remove(&node->doubted, &origin->row.id);
        bool was;
        return node_alarm_over(node, "digest", name, "they are equal now", &was);
    }
    bool made;
    if (map_put(&link->unequal, &origin->row.id, &made) == NULL) {
        return ERR_NO_MEMORY;
    }
    if (!made) {
        return ERR_OK; /* it has been said, and maybe which cells */
    }
    return node_alarm(node, "digest", name,
                      "the cells of this origin, which come through unit %s, differ from its own; "
                      "they are sent again",
                      link->address);
}

/* Puts the origin among those that are asked for: at once, and then less and less often. First the
 * cells that are known to be damaged, then those that are found to differ, then all. When asking
 * has not helped, the sum here may be what is damaged: the file is looked at. What is refused
 * rightly comes again, and is again. */
static enum err want(struct node *node, struct link *link, int64_t id, bool by_key,
                     struct id *names)
{
    struct cached_origin *origin;
    enum err err = id == node->own_origin ? ERR_NOT_FOUND : node_origin(node, id, &origin);
    if (err != ERR_OK || origin->row.via != link->unit) {
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* nobody who could be asked over this link */
    }
    struct ask_state *asked = map_put(&link->asked, &id, NULL);
    if (asked == NULL) {
        return ERR_NO_MEMORY;
    }
    link->exact = false;
    bool seen = asked->round == link->ask_round;
    bool waits = asked->wait_ms > 0 && node->now.mono.ms < asked->until.ms;
    bool first = asked->wait_ms == 0;
    bool keyed = first && by_key && link->compares;
    bool narrow = !keyed && !asked->narrowed && link->compares;
    bool in_turn = !narrow || link->narrowing == NULL; /* one at a time */
    asked->round = link->ask_round;
    if (seen || waits || !in_turn || link->ask_again_count == BATCH_ROWS_MAX) {
        return ERR_OK;
    }
    if (!first) {
        audit_soon(node, 0);
    }
    int64_t wait = first ? ASK_FIRST_MS : 2 * asked->wait_ms;
    asked->wait_ms = wait < ASK_LAST_MS ? wait : ASK_LAST_MS;
    asked->until.ms = node->now.mono.ms + asked->wait_ms;
    asked->by_key = keyed ? link->ask_round : 0;
    if (keyed) {
        return ERR_OK;
    }
    TRY(store_refused_forget(node->store, id));
    if (narrow) {
        asked->narrowed = true;
        return compare_begin(link, id);
    }
    if (link->narrowing != NULL && link->narrowing->origin == id) {
        compare_stop(link); /* no answer came */
    }
    names[link->ask_again_count++] = origin->row.name;
    return ERR_OK;
}

/* A cell that is known to be damaged need not be looked for. */
static enum err want_cell(struct node *node, struct link *link, const struct store_cell_key *key,
                          struct id *names)
{
    struct store_cell cell = {.key = *key};
    struct cell message;
    TRY(want(node, link, key->origin, true, names));
    const struct ask_state *asked = map_get(&link->asked, &key->origin);
    if (asked == NULL || asked->by_key != link->ask_round) {
        return ERR_OK;
    }
    enum err err = cells_message(node, &cell, &message);
    if (err != ERR_OK) {
        return err == ERR_NOT_FOUND ? ERR_OK : err; /* all are asked for when it has not come */
    }
    struct cell_key named = {message.origin, message.unit, message.measure, message.category,
                             message.period};
    return compare_again(node, link, &named);
}

/* What is equal again is asked for at once when it differs another time. */
static enum err forget_asked(struct node *node, struct link *link)
{
    int64_t *gone = arena_array(&node->arena, link->asked.count, sizeof *gone);
    size_t count = 0;
    const void *key;
    void *value;
    if (gone == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t at = 0; map_next(&link->asked, &at, &key, &value);) {
        const struct ask_state *asked = value;
        if (asked->round != link->ask_round) {
            gone[count++] = *(const int64_t *)key;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (link->narrowing != NULL && link->narrowing->origin == gone[i]) {
            compare_stop(link);
        }
        map_remove(&link->asked, &gone[i]);
    }
    return ERR_OK;
}

/* Asks for what is not equal. */
static enum err ask_again(struct node *node, struct link *link)
{
    size_t most = link->unequal.count + node->doubted.count + node->damage_count;
    struct id *names = arena_array(&node->arena, most, sizeof *names);
    const void *key;
    void *value;
    if (names == NULL) {
        return ERR_NO_MEMORY;
    }
    link->exact = true;
    link->ask_round++;
    for (size_t at = 0; map_next(&link->unequal, &at, &key, &value);) {
        TRY(want(node, link, *(const int64_t *)key, false, names));
    }
    for (size_t at = 0; map_next(&node->doubted, &at, &key, &value);) {
        TRY(want(node, link, *(const int64_t *)key, false, names));
    }
    for (size_t i = 0; i < node->damage_count; i++) {
        TRY(want_cell(node, link, &node->damages[i].key, names));
    }
    link->ask_again = names;
    TRY(forget_asked(node, link));
    return store_refused_total(node->store, &node->refused_rows);
}

/* The counts of the child's own cells, none of them refused, add up to its ledger; if not, the sum
 * here may be what is damaged. */
static enum err check_conserved(struct node *node, struct link *link)
{
    struct cached_origin *origin;
    int64_t rows;
    int64_t counts;
    struct id hashes;
    const struct stated_heads *stated = map_get(&node->stated, &link->origin);
    if (stated != NULL && stated->standing == HEADS_BEHIND) {
        return ERR_OK; /* a bundle may have brought entries that this mark knows nothing of */
    }
    TRY(node_origin(node, link->origin, &origin));
    TRY(store_refused_sum(node->store, link->origin, &rows, &counts, &hashes));
    if (rows > 0) {
        return ERR_OK;
    }
    bool was_whole = !link->unconserved;
    /* Lost ones that have come back are in escrow, and in no cell a second time. */
    link->unconserved = origin->row.cell_count > link->escrow_facts + link->escrow_lost ||
                        (origin->row.cell_count < link->escrow_facts && link->escrow_lost == 0);
    if (!link->unconserved) {
        return store_alarm_mend(node->store, "conserved", link->address,
                                "the cells of this unit stood for another number of entries than "
                                "its ledger has; they add up now");
    }
    if (!was_whole) {
        return ERR_OK; /* it has been said */
    }
    audit_soon(node, 0);
    return node_alarm(node, "conserved", link->address,
                      "the cells of unit %s stand for %" PRId64 " entries; its ledger has %" PRId64,
                      link->address, origin->row.cell_count, link->escrow_facts);
}

enum err mark_settle(struct node *node, struct link *link)
{
    bool behind;
    TRY(node_write(node));
    TRY(link->ranges != NULL ? compare_settle(node, link, link->ranges) : ERR_OK);
    for (size_t i = 0; i < link->digest_count; i++) {
        TRY(compare_digest(node, link, &link->digests[i]));
    }
    TRY(mend_all(node));
    TRY(ask_again(node, link));
    TRY(returned_note(node, link, &behind));
    link->exact = link->exact && !behind;
    TRY(check_conserved(node, link));
    link->differs = !link->exact;
    link->exact_as_of = link->exact ? node->now.wall : link->exact_as_of;
    return rows_set_state(node, link, link->exact ? LINK_EXACT : LINK_CATCHING_UP);
}

enum err mark_bundle(struct node *node, struct link *link, bool *equal)
{
    TRY(node_write(node));
    for (size_t i = 0; i < link->digest_count; i++) {
        TRY(compare_digest(node, link, &link->digests[i]));
    }
    TRY(mend_all(node));
    TRY(check_conserved(node, link));
    *equal = link->unequal.count == 0 && !link->unconserved;
    return ERR_OK;
}

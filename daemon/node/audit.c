/* The audit in the running node: slice by slice after a start and daily; what it finds raises
 * alarms. Own cells are made again from the ledger at its end, and totals from cells; but when
 * cells of others are damaged, those come again from their origin first, at the next mark
 * (receive.c takes them, because the row here is not what was written). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"
#include "node/internal.h"
#include "node/merge.h"

#define DIGEST_OF "digest of the cells of unit "
#define TABLE "table "

struct audit {
    struct auditor *auditor;
    struct node *node;
    struct map subjects; /* hashes of what was found damaged */
    bool others;         /* some of it must come again from its origin */
    bool places;         /* some of it are rows that the tree is made of */
    struct mono begun;
};

/* The rows are what this file has: with their true sum, the next mark shows the origin's rows to
 * differ, and they come again; also those that were refused while the sum left them no room. */
static enum err take_true_sum(struct node *node, const struct audit_finding *finding)
{
    struct cached_origin *origin;
    TRY(node_origin(node, finding->key.origin, &origin));
    TRY(store_refused_forget(node->store, origin->row.id));
    TRY(store_refused_total(node->store, &node->refused_rows));
    origin->row.digest = finding->sum;
    origin->row.cell_count = finding->count;
    origin->dirty = true;
    origin->marked = false;
    bool below = origin->row.id != node->own_origin && origin->row.scope != SCOPE_ABOVE;
    return below && map_put(&node->doubted, &origin->row.id, NULL) == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* Whether rows of that origin come from the parent. */
enum err audit_is_from_above(struct node *node, int64_t id, bool *above)
{
    struct cached_origin *origin;
    *above = false;
    if (id == 0 || id == node->own_origin) {
        return ERR_OK;
    }
    enum err err = node_origin(node, id, &origin);
    *above = err == ERR_OK && origin->row.scope == SCOPE_ABOVE;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

/* The parent sends what it has for this node from the start, over the next link. */
static enum err fetch_again(struct node *node)
{
    node->fetch_again = true;
    node->parent_have = (struct feed_mark){.revision = 0};
    TRY(node_write(node));
    return store_fact_set_int(node->store, "parent_have_revision", 0);
}

/* The child that the row of a unit came through sends all it has from the start, over its next
 * link; all children when who decided the row is not known, which may be the damage. The tree does
 * not say through whom: it is made of such rows. */
static enum err send_again(struct node *node, const struct id *decider)
{
    struct store_origin origin = {.via = 0};
    enum err err = store_origin_find(node->store, decider, &origin);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    for (size_t i = 0; i < node->link_count; i++) {
        struct link *link = node->links[i];
        bool asked = !link->up && (origin.via == 0 || origin.via == link->unit);
        if (asked && link->state != SESSION_CLOSING) { /* once, however many rows are damaged */
            node_close_link(node, link, "what came from below is damaged, and comes again");
        }
    }
    TRY(node_write(node));
    return store_child_forget(node->store, origin.via);
}

static enum err on_finding(void *ctx, const struct audit_finding *finding)
{
    struct audit *audit = ctx;
    struct node *node = audit->node;
    char subject[TEXT_MAX_BYTES];
    (void)snprintf(subject, sizeof subject, "%.*s", (int)sizeof subject - 1, finding->text);
    char *end = strstr(subject, ": ");
    if (end != NULL) {
        *end = '\0';
    }
    uint64_t hash = map_hash(subject, strlen(subject));
    if (map_put(&audit->subjects, &hash, NULL) == NULL) {
        return ERR_NO_MEMORY;
    }
    bool chain = finding->check == AUDIT_CHAINS || finding->check == AUDIT_ESCROW;
    bool decided = finding->place != 0 &&
                   (finding->scope == SCOPE_OWN || id_equal(&finding->decider, &node->origin));
    bool done = false;
    TRY(decided && finding->hosting ? mend_hosting(node, finding->place, &done) : ERR_OK);
    if (done) {
        return mend_alarm(node, subject, finding->text);
    }
    /* Nobody sends again what this node has decided. */
    bool astray = strcmp(subject, "segments") == 0;
    if (chain || decided || astray || strncmp(subject, TABLE, strlen(TABLE)) == 0) {
        anew_damaged(node, finding->text);
    }
    bool own = finding->segment != 0 || finding->key.origin == node->own_origin;
    bool mendable = !(own && finding->own_chain_broken);
    bool above;
    TRY(audit_is_from_above(node, finding->key.origin, &above));
    above = above || (finding->place != 0 && finding->scope == SCOPE_ABOVE);
    TRY(above ? fetch_again(node) : ERR_OK);
    bool below = finding->place != 0 && finding->scope == SCOPE_BELOW;
    TRY(below ? send_again(node, &finding->decider) : ERR_OK);
    audit->others = audit->others || (!own && finding->key.origin != 0);
    audit->places = audit->places || finding->place != 0;
    node->places_damaged = node->places_damaged || audit->places;
    if (finding->check == AUDIT_DIGESTS) {
        TRY(take_true_sum(node, finding));
    } else if (finding->segment != 0 && mendable) {
        TRY(store_entry_state_set(node->store, finding->segment, finding->seq, finding->live,
                                  finding->value));
        return mend_alarm(node, subject, finding->text);
    } else if (finding->key.unit != 0 && mendable) {
        TRY(mend_remember(node, &finding->key));
    }
    return node_alarm(node, "damage", subject, "%s", finding->text);
}

void audit_stop(struct node *node)
{
    if (node->audit != NULL) {
        auditor_free(node->audit->auditor);
        map_deinit(&node->audit->subjects);
        free(node->audit);
        node->audit = NULL;
    }
}

/* Rows that were missing are there again when who has them and this node are equal. */
static bool came_again(struct node *node, const char *subject)
{
    const struct view *view = &node->view;
    size_t len = strlen(DIGEST_OF);
    if (strncmp(subject, DIGEST_OF, len) != 0) {
        return true;
    }
    int unit = view_unit_by_code(view, subject + len);
    int at = unit;
    for (int depth = 0; at != TREE_NONE && at != view->self && depth <= TREE_DEPTH_MAX; depth++) {
        const struct link *link = downlink_live_of_unit(node, view->tree.units[at].id);
        if (link != NULL) {
            return link->exact;
        }
        at = view->tree.units[at].parent;
    }
    bool up = node->uplink != NULL && node->uplink->state == SESSION_LIVE;
    return unit == view->self || (unit == TREE_NONE && up && !node->fetch_again);
}

/* Until an audit has found nothing of the kind. */
static enum err load_unsound(struct node *node)
{
    struct store_alarm standing;
    size_t n;
    TRY(store_alarms_about(node->store, "damage", TABLE, &node->arena, &standing, 1, &n));
    node->unsound = node->unsound || n > 0;
    return ERR_OK;
}

enum err audit_load_doubts(struct node *node)
{
    struct store_alarm *found = arena_array(&node->arena, DAMAGES_MAX, sizeof *found);
    size_t n;
    const void *key;
    void *value;
    map_clear(&node->doubted);
    if (found == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(load_unsound(node));
    TRY(store_alarms_about(node->store, "damage", DIGEST_OF, &node->arena, found, DAMAGES_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        int unit = view_unit_by_code(&node->view, found[i].subject + strlen(DIGEST_OF));
        int64_t id =
            unit == TREE_NONE || unit == node->view.self ? 0 : node->view.tree.units[unit].id;
        for (size_t at = 0; id != 0 && map_next(&node->origins, &at, &key, &value);) {
            const struct cached_origin *origin = value;
            if (origin->row.unit == id && origin->row.scope != SCOPE_ABOVE &&
                map_put(&node->doubted, key, NULL) == NULL) {
                return ERR_NO_MEMORY;
            }
        }
    }
    return ERR_OK;
}

/* What an earlier audit found and this one, at its end, did not has been repaired on the way;
 * *waiting is how much of it is yet to come again. */
static enum err settle_old_alarms(struct node *node, size_t *waiting)
{
    struct store_alarm *found = arena_array(&node->arena, ALARMS_MAX, sizeof *found);
    size_t n;
    *waiting = 0;
    if (found == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_alarms(node->store, &node->arena, found, ALARMS_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = map_hash(found[i].subject, strlen(found[i].subject));
        if (strcmp(found[i].code, "damage") != 0 || found[i].mended ||
            map_get(&node->audit->subjects, &hash) != NULL) {
            continue;
        }
        if (came_again(node, found[i].subject)) {
            TRY(mend_alarm(node, found[i].subject, found[i].text));
        } else {
            *waiting += 1;
        }
    }
    return ERR_OK;
}

void audit_soon(struct node *node, int64_t ms)
{
    int64_t due = node->now.mono.ms + ms;
    due = due > node->audit_rest.ms ? due : node->audit_rest.ms;
    node->audit_due.ms = node->audit_due.ms < due ? node->audit_due.ms : due;
}

static void audit_later(struct node *node)
{
    int64_t wait = node->audit_wait_ms == 0 ? AUDIT_AGAIN_MS : 2 * node->audit_wait_ms;
    node->audit_wait_ms = wait < AUDIT_EVERY_MS ? wait : AUDIT_EVERY_MS; /* 0: found nothing */
    audit_soon(node, node->audit_wait_ms);
}

void audit_take_back(struct node *node)
{
    if (node->audit_failed) {
        audit_later(node);
    } else if (node->audit_ran || node->audit != NULL) {
        /* It begins anew, and takes no more of the time than one that ends. */
        int64_t took = node->audit == NULL ? 0 : node->now.mono.ms - node->audit->begun.ms;
        int64_t rest = node->now.mono.ms + AUDIT_REST_FACTOR * took;
        node->audit_rest.ms = node->audit_rest.ms > rest ? node->audit_rest.ms : rest;
        audit_soon(node, AUDIT_AGAIN_MS);
    }
    node->audit_failed = node->audit_ran = false;
    audit_stop(node);
}

/* What was found, now or earlier, is looked at again before the day is over, so that its alarms go
 * when it has been repaired; what cannot be repaired less and less often. */
static void look_again(struct node *node, size_t found, size_t waiting)
{
    bool fewer = found < node->audit_found; /* something has been repaired since the last one */
    node->audit_wait_ms = fewer ? 0 : node->audit_wait_ms;
    node->audit_found = found;
    node->audit_rest.ms =
        node->now.mono.ms + AUDIT_REST_FACTOR * (node->now.mono.ms - node->audit->begun.ms);
    if (found + waiting > 0) {
        audit_later(node);
    } else {
        node->audit_wait_ms = 0;
    }
    if (node->audit_due.ms < node->audit_rest.ms) {
        node->audit_due = node->audit_rest; /* what was asked for meanwhile rests too */
    }
}

enum err audit_step(struct node *node)
{
    bool done = false;
    TRY(node_write(node));
    /* It reads the file: what this batch has changed so far must be there. */
    TRY(cells_flush(node));
    TRY(hold_settle(node));
    TRY(ledger_flush(node));
    if (node->audit == NULL) {
        struct audit *audit = calloc(1, sizeof *audit);
        if (audit == NULL) {
            return ERR_NO_MEMORY;
        }
        audit->node = node;
        audit->begun = node->now.mono;
        anew_look_again(node);
        node->ledger_damaged = false;
        map_init(&audit->subjects, sizeof(uint64_t), 1);
        audit->auditor = auditor_new(node->store, &node->view, on_finding, audit);
        node->audit = audit;
        if (audit->auditor == NULL) {
            audit_stop(node);
            return ERR_NO_MEMORY;
        }
    }
    enum err err = auditor_step(node->audit->auditor, &done);
    bool unsound = auditor_unsound(node->audit->auditor);
    node->unsound = node->unsound || unsound;
    size_t waiting = 0;
    err = done && err == ERR_OK && !unsound ? settle_old_alarms(node, &waiting) : err;
    if (done && err == ERR_OK) {
        node->unsound = unsound;
        node->places_damaged = node->audit->places || (unsound && node->places_damaged);
        look_again(node, node->audit->subjects.count, waiting);
    }
    bool others = node->audit->others;
    if (done || err != ERR_OK) {
        audit_stop(node);
    }
    if (!done || err != ERR_OK || unsound) {
        return err;
    }
    /* Totals of cells of which some are missing wait for them. */
    return others ? mend_own_cells(node) : mend_all(node);
}

/* ---- single rows ---- */

enum err audit_report_cell(struct node *node, const struct store_cell *row)
{
    struct audit alone = {.node = node};
    if (mend_is_remembered(node, &row->key)) {
        return ERR_OK;
    }
    audit_soon(node, 0);
    TRY(node_write(node));
    map_init(&alone.subjects, sizeof(uint64_t), 1);
    enum err err = audit_one_cell(node->store, &node->view, row, on_finding,
                                  node->audit != NULL ? node->audit : &alone);
    map_deinit(&alone.subjects);
    return err;
}

static enum err on_entry(void *ctx, const struct audit_finding *finding)
{
    struct audit *audit = ctx;
    TRY(node_write(audit->node));
    return on_finding(audit, finding);
}

enum err audit_check_entry(struct node *node, const struct store_segment *segment,
                           const struct store_entry *entry, bool *whole)
{
    struct audit alone = {.node = node};
    map_init(&alone.subjects, sizeof(uint64_t), 1);
    enum err err = audit_one_entry(node->store, &node->view, segment, entry, on_entry, &alone);
    *whole = alone.subjects.count == 0;
    map_deinit(&alone.subjects);
    return err;
}

static enum err last_state(struct node *node, const struct id *segment, struct store_entry *record)
{
    struct store_placed last;
    enum err err =
        store_entry_correction(node->store, segment, record->seq, 0, &node->arena, &last);
    bool corrected = err == ERR_OK;
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    record->live = !corrected || last.entry.kind == ENTRY_AMEND;
    record->now_value = !corrected ? record->value : record->live ? last.entry.value : 0;
    return ERR_OK;
}

static enum err merged_state(struct node *node, const struct id *segment,
                             struct store_entry *record)
{
    struct merge_fact fact;
    TRY(merge_fact_of(node->store, record, segment, &fact));
    merge_apply(&fact, record);
    return ERR_OK;
}

/* What the last correction of an own record says, or the record itself. When that is not what is
 * kept beside the record, the ledger is walked: one of the two is damaged, or the way to it. */
static enum err true_state(struct node *node, const struct id *segment, struct store_entry *record,
                           bool *whole)
{
    struct store_entry kept = *record;
    enum err err;
    *whole = true;
    TRY(node->merged ? merged_state(node, segment, record) : last_state(node, segment, record));
    if (record->live == kept.live && record->now_value == kept.now_value) {
        return ERR_OK;
    }
    err = audit_recompute_record(node->store, &node->view, record);
    *whole = err != ERR_REFUSED;
    if (!*whole) {
        audit_soon(node, 0); /* which names it */
    }
    return *whole ? err : ERR_OK;
}

enum err audit_check_record(struct node *node, const struct store_segment *segment,
                            struct store_entry *record, bool *whole)
{
    TRY(ledger_flush(node));
    TRY(audit_check_entry(node, segment, record, whole));
    return *whole ? true_state(node, &segment->name, record, whole) : ERR_OK;
}

/* The audit in the running node: slice by slice after a start and daily; what it finds raises
 * alarms. Own cells are made again from the ledger at its end, and totals from cells; but when
 * cells of others are damaged, those come again from their origin first, at the next mark
 * (receive.c takes them, because the row here is not what was written). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"
#include "node/internal.h"

enum { MENDED_MAX = 64 }; /* alarms whose subjects begin alike */

#define DIGEST_OF "digest of the cells of unit "

struct audit {
    struct auditor *auditor;
    struct node *node;
    struct map subjects; /* hashes of what was found damaged */
    bool others;         /* some of it must come again from its origin */
    struct mono begun;
};

static enum err mend_own_cells(struct node *node);

/* An alarm about what has been repaired since: it goes when a verify has shown it. */
static enum err alarm_mended(struct node *node, const char *subject, const char *what)
{
    const char *text = arena_printf(&node->arena, "%s; it has been repaired", what);
    struct store_alarm alarm = {.code = "damage",
                                .subject = subject,
                                .text = text == NULL ? what : text,
                                .since = node->now.wall,
                                .mended = true};
    node_log(node, true, "repaired=\"%s\"", subject);
    return store_alarm_put(node->store, &alarm);
}

static bool remembered(const struct node *node, const struct store_cell_key *key)
{
    for (size_t i = 0; i < node->damage_count; i++) {
        if (memcmp(&node->damages[i].key, key, sizeof *key) == 0) {
            return true;
        }
    }
    return false;
}

static enum err remember_damage(struct node *node, const struct store_cell_key *key)
{
    if (remembered(node, key) || node->damage_count == DAMAGES_MAX) {
        return ERR_OK; /* the next audit finds what is left */
    }
    struct damage *damages = realloc(node->damages, (node->damage_count + 1) * sizeof *damages);
    if (damages == NULL) {
        return ERR_NO_MEMORY;
    }
    node->damages = damages;
    damages[node->damage_count++].key = *key;
    return ERR_OK;
}

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
static enum err is_from_above(struct node *node, int64_t id, bool *above)
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

/* The child that the unit comes through sends all it has from the start, over its next link. */
static enum err send_again(struct node *node, int64_t place)
{
    const struct view *view = &node->view;
    int at = view_unit(view, place);
    for (int depth = 0; at != TREE_NONE && at != view->self && depth <= TREE_DEPTH_MAX; depth++) {
        struct store_child child;
        int64_t unit = view->tree.units[at].id;
        enum err err = store_child_get(node->store, unit, &node->arena, &child);
        if (err == ERR_OK) {
            struct link *link = downlink_of_unit(node, unit, NULL);
            child.have_revision = 0;
            if (link != NULL) {
                node_close_link(node, link, "what came from below is damaged, and comes again");
            }
            TRY(node_write(node));
            return store_child_put(node->store, &child);
        }
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        at = view->tree.units[at].parent;
    }
    return ERR_OK;
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
    bool own = finding->segment != 0 || finding->key.origin == node->own_origin;
    bool mendable = !(own && finding->own_chain_broken);
    bool above;
    TRY(is_from_above(node, finding->key.origin, &above));
    above = above || (finding->place != 0 && finding->scope == SCOPE_ABOVE);
    TRY(above ? fetch_again(node) : ERR_OK);
    bool below = finding->place != 0 && finding->scope == SCOPE_BELOW;
    TRY(below ? send_again(node, finding->place) : ERR_OK);
    audit->others = audit->others || (!own && finding->key.origin != 0);
    if (finding->check == AUDIT_DIGESTS) {
        TRY(take_true_sum(node, finding));
    } else if (finding->segment != 0 && mendable) {
        TRY(store_entry_state_set(node->store, finding->segment, finding->seq, finding->live,
                                  finding->value));
        return alarm_mended(node, subject, finding->text);
    } else if (finding->key.unit != 0 && mendable) {
        TRY(remember_damage(node, &finding->key));
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
        const struct link *link = downlink_of_unit(node, view->tree.units[at].id, NULL);
        if (link != NULL) {
            return link->exact;
        }
        at = view->tree.units[at].parent;
    }
    bool up = node->uplink != NULL && node->uplink->state == SESSION_LIVE;
    return unit == view->self || (unit == TREE_NONE && up && !node->fetch_again);
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

/* What an earlier audit found and this one, at its end, did not has been repaired on the way. */
static enum err settle_old_alarms(struct node *node)
{
    struct store_alarm *found = arena_array(&node->arena, ALARMS_MAX, sizeof *found);
    size_t n;
    if (found == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_alarms(node->store, &node->arena, found, ALARMS_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = map_hash(found[i].subject, strlen(found[i].subject));
        if (strcmp(found[i].code, "damage") == 0 && !found[i].mended &&
            map_get(&node->audit->subjects, &hash) == NULL && came_again(node, found[i].subject)) {
            TRY(alarm_mended(node, found[i].subject, found[i].text));
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

/* What was found is looked at again before the day is over, so that its alarms go when it has been
 * repaired; what cannot be repaired less and less often. */
static void look_again(struct node *node, size_t found)
{
    bool fewer = found < node->audit_found; /* something has been repaired since the last one */
    int64_t wait = node->audit_wait_ms == 0 || fewer ? AUDIT_AGAIN_MS : 2 * node->audit_wait_ms;
    node->audit_wait_ms = found == 0 ? 0 : wait < AUDIT_EVERY_MS ? wait : AUDIT_EVERY_MS;
    node->audit_found = found;
    node->audit_rest.ms =
        node->now.mono.ms + AUDIT_REST_FACTOR * (node->now.mono.ms - node->audit->begun.ms);
    if (found > 0) {
        audit_soon(node, node->audit_wait_ms);
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
    err = done && err == ERR_OK ? settle_old_alarms(node) : err;
    if (done && err == ERR_OK) {
        look_again(node, node->audit->subjects.count);
    }
    bool others = node->audit->others;
    if (done || err != ERR_OK) {
        audit_stop(node);
    }
    if (!done || err != ERR_OK) {
        return err;
    }
    /* Totals of cells of which some are missing wait for them. */
    return others ? mend_own_cells(node) : audit_mend(node);
}

/* The row of a damage; *there is false for one that is gone, and of a total. */
static enum err damaged_row(struct node *node, const struct damage *damage, bool *there,
                            struct pending_cell **out)
{
    *there = false;
    if (damage->key.origin == 0) {
        return ERR_OK;
    }
    TRY(cells_load(node, &damage->key, out));
    *there = (*out)->there;
    return ERR_OK;
}

static enum err mended(struct node *node, const char *what, const struct store_cell_key *key)
{
    char subject[TEXT_MAX_BYTES];
    struct store_alarm found[MENDED_MAX];
    size_t n;
    TRY(audit_subject(node->store, &node->view, what, key, subject, sizeof subject));
    TRY(store_alarms_about(node->store, "damage", subject, &node->arena, found, MENDED_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(found[i].subject, subject) == 0) {
            TRY(alarm_mended(node, subject, found[i].text));
        }
    }
    return ERR_OK;
}

enum err audit_renew_total(struct node *node, struct store_total *total)
{
    struct store_cell_key key = {total->unit, total->measure, total->category, total->period, 0};
    enum err err = audit_recompute_total(node->store, &node->view, total);
    if (err == ERR_REFUSED) {
        audit_soon(node, 0);
        return remember_damage(node, &key); /* when what is in it has come again */
    }
    TRY(err);
    return store_total_set(node->store, total);
}

static enum err mend_total(struct node *node, const struct store_cell_key *key, bool *done)
{
    struct store_total total = {.unit = key->unit,
                                .measure = key->measure,
                                .category = key->category,
                                .period = key->period};
    enum err err = audit_recompute_total(node->store, &node->view, &total);
    *done = err != ERR_REFUSED;
    if (!*done) {
        return ERR_OK;
    }
    TRY(err);
    TRY(store_total_set(node->store, &total));
    return mended(node, "total", key);
}

/* ---- single rows ---- */

static void restore(struct pending_cell *pending, const struct store_cell *right)
{
    pending->now.value = right->value;
    pending->now.count = right->count;
    pending->now.live = right->live;
    pending->now.hosting = right->hosting;
    pending->now.day = right->day;
    pending->restored = true;
    pending->gone = pending->there && right->count == 0;
}

enum err audit_report_cell(struct node *node, const struct store_cell *row)
{
    struct audit alone = {.node = node};
    if (remembered(node, &row->key)) {
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

enum err audit_damaged_cell(struct node *node, struct pending_cell *pending)
{
    struct store_cell right = {.key = pending->old.key};
    TRY(audit_report_cell(node, &pending->old));
    bool own = right.key.origin == node->own_origin;
    if (!own || view_measure(&node->view, right.key.measure) == NULL) {
        return ERR_OK; /* what the ledger says of a measure that is not known cannot be added up */
    }
    TRY(ledger_flush(node));
    enum err err = audit_recompute_own_cells(node->store, &node->view, &right, 1);
    TRY(err);
    pending->damaged = true;
    restore(pending, &right);
    return ERR_OK;
}

static enum err on_entry(void *ctx, const struct audit_finding *finding)
{
    struct audit *audit = ctx;
    TRY(node_write(audit->node));
    return on_finding(audit, finding);
}

static enum err check_entry(struct node *node, const struct store_segment *segment,
                            const struct store_entry *entry, bool *whole)
{
    struct audit alone = {.node = node};
    map_init(&alone.subjects, sizeof(uint64_t), 1);
    enum err err = audit_one_entry(node->store, &node->view, segment, entry, on_entry, &alone);
    *whole = alone.subjects.count == 0;
    map_deinit(&alone.subjects);
    return err;
}

enum err audit_true_state(struct node *node, const struct id *segment, struct store_entry *record,
                          bool *whole)
{
    struct store_entry last;
    struct store_segment of_last;
    *whole = true;
    enum err err = store_entry_correction(node->store, segment, record->seq, &node->arena, &last);
    if (err == ERR_OK) {
        err = store_segment_get(node->store, last.segment, &of_last);
        err = err == ERR_OK ? check_entry(node, &of_last, &last, whole) : err;
        record->live = last.kind == ENTRY_AMEND;
        record->now_value = record->live ? last.value : 0;
        return err;
    }
    record->live = true;
    record->now_value = record->value;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err audit_check_record(struct node *node, const struct store_segment *segment,
                            struct store_entry *record, bool *whole)
{
    TRY(ledger_flush(node));
    TRY(check_entry(node, segment, record, whole));
    return *whole ? audit_true_state(node, &segment->name, record, whole) : ERR_OK;
}

enum err audit_fetched(struct node *node)
{
    for (size_t i = 0; i < node->damage_count; i++) {
        struct pending_cell *pending;
        bool there;
        bool above;
        TRY(is_from_above(node, node->damages[i].key.origin, &above));
        TRY(damaged_row(node, &node->damages[i], &there, &pending));
        if (above && there && pending->damaged) {
            pending->restored = pending->gone = true;
        }
    }
    TRY(cells_flush(node));
    node->fetch_again = false;
    node->parent_have = (struct feed_mark){.revision = 0};
    return store_fact_set_int(node->store, "parent_have_revision", 0);
}

/* ---- mending ---- */

/* Own cells are computed again from the own ledger, all in one walk. */
static enum err mend_own_cells(struct node *node)
{
    struct store_cell *right = arena_array(&node->arena, node->damage_count, sizeof *right);
    size_t n = 0;
    if (right == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < node->damage_count; i++) {
        const struct store_cell_key *key = &node->damages[i].key;
        if (key->origin == node->own_origin && view_measure(&node->view, key->measure) != NULL) {
            right[n++].key = *key;
        }
    }
    if (n == 0 || node->ledger_damaged) {
        return ERR_OK;
    }
    enum err err = audit_recompute_own_cells(node->store, &node->view, right, n);
    node->ledger_damaged = err == ERR_REFUSED; /* nothing to mend it with, until looked at again */
    if (err == ERR_REFUSED) {
        return ERR_OK;
    }
    TRY(err);
    for (size_t i = 0; i < n; i++) {
        struct pending_cell *pending;
        TRY(cells_load(node, &right[i].key, &pending));
        restore(pending, &right[i]);
    }
    return cells_flush(node);
}

/* Rows whose content is whole and which are held back without a reason, or would not go where they
 * should. One that is counted and has a reason to be held back is left: what it is about was lost,
 * not the row. */
static enum err mend_places(struct node *node)
{
    for (size_t i = 0; i < node->damage_count; i++) {
        struct pending_cell *pending;
        struct cached_origin *origin;
        bool there;
        TRY(damaged_row(node, &node->damages[i], &there, &pending));
        if (!there || pending->damaged) {
            continue;
        }
        struct store_cell now = pending->now;
        TRY(node_origin(node, now.key.origin, &origin));
        TRY(now.held != HOLD_NONE ? hold_cell(node, &now) : ERR_OK);
        now.scope = origin->row.scope;
        now.last = now.last < node->ledger_length ? now.last : node->ledger_length;
        if (memcmp(&now, &pending->now, sizeof now) != 0) {
            pending->damaged = pending->restored = true;
            pending->now = now;
        }
    }
    TRY(cells_flush(node));
    return store_cells_held_count(node->store, &node->held_rows);
}

/* Takes out what is whole again; *cells_left when a damaged cell stays. */
static enum err forget_whole_cells(struct node *node, bool *cells_left)
{
    size_t kept = 0;
    *cells_left = false;
    for (size_t i = 0; i < node->damage_count; i++) {
        struct damage damage = node->damages[i];
        struct pending_cell *pending;
        bool there;
        TRY(damaged_row(node, &damage, &there, &pending));
        struct store_cell now = there ? pending->now : (struct store_cell){.count = 0};
        TRY(there && !pending->damaged ? hold_cell(node, &now) : ERR_OK);
        bool lost = now.held == HOLD_UNKNOWN_UNIT && pending->now.held == HOLD_NONE;
        bool damaged = there && (pending->damaged || lost);
        if (damage.key.origin != 0 && !damaged) {
            TRY(mended(node, "cell", &damage.key));
        } else {
            node->damages[kept++] = damage;
            *cells_left = *cells_left || damaged;
        }
    }
    node->damage_count = kept;
    return ERR_OK;
}

enum err audit_take_out_strays(struct node *node, int64_t origin, const struct id *excess,
                               bool *taken)
{
    struct id sum = {{0}};
    bool there;
    struct pending_cell *pending;
    for (size_t i = 0; i < node->damage_count; i++) {
        TRY(damaged_row(node, &node->damages[i], &there, &pending));
        if (there && pending->damaged && node->damages[i].key.origin == origin) {
            id_sum_add(&sum, &pending->old.hash);
        }
    }
    *taken = id_equal(&sum, excess);
    for (size_t i = 0; i < node->damage_count && *taken; i++) {
        TRY(damaged_row(node, &node->damages[i], &there, &pending));
        if (there && pending->damaged && node->damages[i].key.origin == origin) {
            pending->restored = pending->gone = true;
        }
    }
    return cells_flush(node);
}

/* Those that are left are totals. */
static enum err mend_totals(struct node *node)
{
    size_t kept = 0;
    for (size_t i = 0; i < node->damage_count; i++) {
        bool done;
        TRY(mend_total(node, &node->damages[i].key, &done));
        node->damages[kept] = node->damages[i];
        kept += done ? 0 : 1;
    }
    node->damage_count = kept;
    return ERR_OK;
}

enum err audit_mend(struct node *node)
{
    bool cells_left;
    if (node->damage_count == 0 || node->audit != NULL) {
        return ERR_OK;
    }
    TRY(node_write(node));
    TRY(mend_own_cells(node));
    TRY(mend_places(node));
    TRY(forget_whole_cells(node, &cells_left));
    cells_left = cells_left || node->doubted.count > 0;
    return cells_left ? ERR_OK : mend_totals(node);
}

/* What was found damaged and can be had again here: own cells from the own ledger, totals from
 * cells, rows that nobody has by taking them out. What must come again from elsewhere is waited
 * for: totals that it is in come last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"
#include "node/internal.h"

enum { ACTS_PAGE = 64, MENDED_MAX = 64 }; /* alarms whose subjects begin alike */

/* ---- what is remembered ---- */

bool mend_is_remembered(const struct node *node, const struct store_cell_key *key)
{
    for (size_t i = 0; i < node->damage_count; i++) {
        if (memcmp(&node->damages[i].key, key, sizeof *key) == 0) {
            return true;
        }
    }
    return false;
}

enum err mend_remember(struct node *node, const struct store_cell_key *key)
{
    if (mend_is_remembered(node, key) || node->damage_count == DAMAGES_MAX) {
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

/* An alarm about what has been repaired since: it goes when a verify has shown it. */
enum err mend_alarm(struct node *node, const char *subject, const char *what)
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
            TRY(mend_alarm(node, subject, found[i].text));
        }
    }
    return ERR_OK;
}

/* ---- rows that this node has decided ---- */

/* The last of the own acts that made a node of the unit, and how many there are. */
static enum err last_host_act(struct node *node, int64_t unit, struct act *last, int64_t *count)
{
    struct store_entry *page = arena_array(&node->arena, ACTS_PAGE, sizeof *page);
    struct store_entry after = {.segment = 0};
    size_t n = ACTS_PAGE;
    *count = 0;
    TRY(page == NULL ? ERR_NO_MEMORY : ERR_OK);
    while (n == ACTS_PAGE) {
        TRY(store_acts_about(node->store, node->own_origin, unit, &after, &node->arena, page,
                             ACTS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct act act = {.number = 0};
            struct store_segment segment;
            bool whole;
            after = page[i];
            TRY(store_segment_get(node->store, page[i].segment, &segment));
            TRY(audit_check_entry(node, &segment, &page[i], &whole));
            if (!whole) { /* nothing is made of it */
                *count = 0;
                return ERR_OK;
            }
            enum err err = act_decode(page[i].act, &node->arena, &act);
            TRY(err == ERR_INVALID ? ERR_OK : err);
            if (err == ERR_OK && act.kind == ACT_HOST) {
                *last = *count == 0 || act.number >= last->number ? act : *last;
                ++*count;
            }
        }
    }
    return ERR_OK;
}

enum err mend_hosting(struct node *node, int64_t unit, bool *done)
{
    struct act act = {.number = 0};
    struct store_hosting row = {.unit = unit, .decider = node->origin, .scope = SCOPE_OWN};
    TRY(last_host_act(node, unit, &act, &row.count));
    *done = row.count > 0;
    if (!*done) {
        return ERR_OK;
    }
    row.node = act.node;
    row.origin = act.origin;
    row.key = act.key;
    row.number = (int64_t)act.number;
    return rows_put_hosting(node, &row);
}

/* ---- totals and cells ---- */

enum err mend_total_of(struct node *node, struct store_total *total)
{
    struct store_cell_key key = {total->unit, total->measure, total->category, total->period, 0};
    enum err err =
        node->places_damaged ? ERR_REFUSED : audit_recompute_total(node->store, &node->view, total);
    if (err == ERR_REFUSED) {
        audit_soon(node, 0);
        return mend_remember(node, &key); /* when what is in it has come again */
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

enum err mend_touched_cell(struct node *node, struct pending_cell *pending)
{
    struct store_cell right = {.key = pending->old.key};
    TRY(audit_report_cell(node, &pending->old));
    bool own = right.key.origin == node->own_origin;
    if (!own || view_measure(&node->view, right.key.measure) == NULL) {
        return ERR_OK; /* what the ledger says of a measure that is not known cannot be added up */
    }
    if (node->ledger_damaged || node->unsound) {
        return ERR_REFUSED;
    }
    TRY(ledger_flush(node));
    enum err err = audit_recompute_own_cells(node->store, &node->view, &right, 1);
    node->ledger_damaged = err == ERR_REFUSED; /* until it is looked at again */
    TRY(err);
    pending->damaged = true;
    restore(pending, &right);
    return ERR_OK;
}

enum err mend_from_above(struct node *node)
{
    for (size_t i = 0; i < node->damage_count && !node->unsound; i++) {
        struct pending_cell *pending;
        bool there;
        bool above;
        TRY(audit_is_from_above(node, node->damages[i].key.origin, &above));
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

/* ---- all of it ---- */

/* Own cells are computed again from the own ledger, all in one walk. */
enum err mend_own_cells(struct node *node)
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
        pending->damaged = pending->damaged || pending->gone;
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
        bool lost = there && now.held == HOLD_UNKNOWN_UNIT && pending->now.held == HOLD_NONE;
        bool gone = !there && damage.key.origin == node->own_origin && node->ledger_damaged;
        bool damaged = lost || gone || (there && pending->damaged);
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

enum err mend_strays(struct node *node, int64_t origin, const struct id *excess, bool *taken)
{
    struct id sum = {{0}};
    bool there;
    struct pending_cell *pending;
    *taken = false;
    if (node->unsound) {
        return ERR_OK;
    }
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

enum err mend_all(struct node *node)
{
    bool cells_left;
    if (node->damage_count == 0 || node->audit != NULL || node->unsound) {
        return ERR_OK;
    }
    TRY(node_write(node));
    TRY(mend_own_cells(node));
    TRY(mend_places(node));
    TRY(forget_whole_cells(node, &cells_left));
    cells_left = cells_left || node->doubted.count > 0 || node->places_damaged;
    return cells_left ? ERR_OK : mend_totals(node);
}

/* The audit in the running node: slice by slice after a start and daily; what it finds raises
 * alarms; what can be mended is mended at the next mark, when child and parent are equal: totals
 * are computed again from cells, damaged cells come again from their origin (receive.c takes them,
 * because the row here is not what was written), own ones from the ledger. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"
#include "node/internal.h"

struct audit {
    struct auditor *auditor;
    struct node *node;
    struct map subjects; /* hashes of what was found damaged */
};

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

static enum err remember_damage(struct node *node, const struct store_cell_key *key)
{
    if (node->damage_count == DAMAGES_MAX) {
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
 * differ, and they come again. */
static enum err take_true_sum(struct node *node, const struct audit_finding *finding)
{
    struct cached_origin *origin;
    TRY(node_origin(node, finding->key.origin, &origin));
    origin->row.digest = finding->sum;
    origin->row.cell_count = finding->count;
    origin->dirty = true;
    origin->marked = false;
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
            map_get(&node->audit->subjects, &hash) == NULL) {
            TRY(alarm_mended(node, found[i].subject, found[i].text));
        }
    }
    return ERR_OK;
}

enum err audit_step(struct node *node)
{
    bool done = false;
    TRY(node_write(node));
    /* It reads the file: what this batch has changed so far must be there. */
    TRY(cells_flush(node));
    TRY(ledger_flush(node));
    if (node->audit == NULL) {
        struct audit *audit = calloc(1, sizeof *audit);
        if (audit == NULL) {
            return ERR_NO_MEMORY;
        }
        audit->node = node;
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
    if (done || err != ERR_OK) {
        audit_stop(node);
    }
    return err;
}

enum err audit_ask_again(struct node *node, const struct link *link, struct id *again,
                         size_t *count)
{
    for (size_t i = 0; i < node->damage_count; i++) {
        struct cached_origin *origin;
        const struct store_cell_key *key = &node->damages[i].key;
        if (key->origin == 0 || key->origin == node->own_origin) {
            continue;
        }
        TRY(node_origin(node, key->origin, &origin));
        bool listed = origin->row.via != link->unit;
        for (size_t j = 0; j < *count && !listed; j++) {
            listed = id_equal(&again[j], &origin->row.name);
        }
        if (!listed) {
            again[(*count)++] = origin->row.name;
        }
    }
    return ERR_OK;
}

/* Whether the cell's row is now what its hash stands for. */
static enum err cell_is_whole(struct node *node, const struct store_cell_key *key, bool *whole)
{
    struct store_cell row;
    struct id hash;
    enum err err = store_cell_get(node->store, key, &row);
    if (err == ERR_NOT_FOUND) {
        *whole = true;
        return ERR_OK;
    }
    TRY(err);
    TRY(cells_hash(node, &row, &hash));
    *whole = id_equal(&hash, &row.hash);
    return ERR_OK;
}

static enum err mended(struct node *node, const char *what, const struct store_cell_key *key)
{
    const char *unit;
    const char *measure;
    char subject[TEXT_MAX_BYTES];
    struct store_alarm found[ALARMS_MAX];
    size_t n;
    TRY(node_text(node, key->unit, &unit));
    TRY(node_text(node, key->measure, &measure));
    (void)snprintf(subject, sizeof subject, "%s of unit %s, measure %s,", what, unit, measure);
    TRY(store_alarms(node->store, &node->arena, found, ALARMS_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        if (strcmp(found[i].code, "damage") == 0 && !found[i].mended &&
            strncmp(found[i].subject, subject, strlen(subject)) == 0) {
            TRY(alarm_mended(node, found[i].subject, found[i].text));
        }
    }
    return ERR_OK;
}

static enum err mend_total(struct node *node, const struct store_cell_key *key)
{
    struct store_total total = {.unit = key->unit,
                                .measure = key->measure,
                                .category = key->category,
                                .period = key->period};
    TRY(audit_recompute_total(node->store, &node->view, &total));
    TRY(node_write(node));
    TRY(store_total_set(node->store, &total));
    return mended(node, "total", key);
}

/* Own cells are computed again from the own ledger, all in one walk. */
static enum err mend_own_cells(struct node *node)
{
    struct store_cell *right = arena_array(&node->arena, node->damage_count, sizeof *right);
    size_t n = 0;
    if (right == NULL) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < node->damage_count; i++) {
        if (node->damages[i].key.origin == node->own_origin) {
            right[n++].key = node->damages[i].key;
        }
    }
    if (n == 0) {
        return ERR_OK;
    }
    TRY(audit_recompute_own_cells(node->store, &node->view, right, n));
    for (size_t i = 0; i < n; i++) {
        struct pending_cell *pending;
        TRY(cells_touch(node, &right[i].key, &pending));
        pending->now.value = right[i].value;
        pending->now.count = right[i].count;
        pending->now.live = right[i].live;
        pending->now.hosting = right[i].hosting;
        pending->now.day = right[i].day;
    }
    return cells_flush(node);
}

/* Takes out what is whole again; *cells_left when a damaged cell stays. */
static enum err forget_whole_cells(struct node *node, bool *cells_left)
{
    size_t kept = 0;
    *cells_left = false;
    for (size_t i = 0; i < node->damage_count; i++) {
        struct store_cell_key key = node->damages[i].key;
        bool is_cell = key.origin != 0;
        bool whole = false;
        if (is_cell) {
            TRY(cell_is_whole(node, &key, &whole));
        }
        if (whole) {
            TRY(mended(node, "cell", &key));
        } else {
            node->damages[kept++] = node->damages[i];
            *cells_left = *cells_left || is_cell;
        }
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
    TRY(forget_whole_cells(node, &cells_left));
    for (size_t i = 0; i < node->damage_count && !cells_left; i++) {
        TRY(mend_total(node, &node->damages[i].key));
    }
    node->damage_count = cells_left ? node->damage_count : 0;
    return ERR_OK;
}

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
};

static enum err on_finding(void *ctx, const struct audit_finding *finding)
{
    struct audit *audit = ctx;
    struct node *node = audit->node;
    char subject[TEXT_MAX_BYTES];
    (void)snprintf(subject, sizeof subject, "%.*s", (int)sizeof subject - 1, finding->text);
    char *end = strchr(subject, ':');
    if (end != NULL) {
        *end = '\0';
    }
    bool mendable = finding->check != AUDIT_CHAINS && finding->check != AUDIT_ESCROW &&
                    finding->check != AUDIT_DIGESTS;
    if (mendable && node->damage_count < DAMAGES_MAX) {
        struct damage *damages = realloc(node->damages, (node->damage_count + 1) * sizeof *damages);
        if (damages == NULL) {
            return ERR_NO_MEMORY;
        }
        node->damages = damages;
        damages[node->damage_count++].key = finding->key;
    }
    if (finding->check == AUDIT_DIGESTS) {
        /* The rows are what this file has: with their true sum, the next mark shows the origin's
         * rows to differ, and they come again. */
        struct cached_origin *origin;
        TRY(node_origin(node, finding->key.origin, &origin));
        origin->row.digest = finding->sum;
        origin->row.cell_count = finding->count;
        origin->dirty = true;
        origin->marked = false;
    }
    return node_alarm(node, "damage", subject, "%s", finding->text);
}

void audit_stop(struct node *node)
{
    if (node->audit != NULL) {
        auditor_free(node->audit->auditor);
        free(node->audit);
        node->audit = NULL;
    }
}

enum err audit_step(struct node *node)
{
    bool done = false;
    /* It reads the file: what this batch has changed so far must be there. */
    TRY(cells_flush(node));
    TRY(ledger_flush(node));
    if (node->audit == NULL) {
        struct audit *audit = calloc(1, sizeof *audit);
        if (audit == NULL) {
            return ERR_NO_MEMORY;
        }
        audit->node = node;
        audit->auditor = auditor_new(node->store, &node->view, on_finding, audit);
        node->audit = audit;
        if (audit->auditor == NULL) {
            audit_stop(node);
            return ERR_NO_MEMORY;
        }
    }
    enum err err = auditor_step(node->audit->auditor, &done);
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
            const char *text =
                arena_printf(&node->arena, "%s; it has been repaired", found[i].text);
            found[i].text = text == NULL ? found[i].text : text;
            found[i].mended = true;
            TRY(store_alarm_put(node->store, &found[i]));
            node_log(node, false, "repaired=\"%s\"", found[i].subject);
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

/* An own cell is computed again from the own ledger. */
static enum err mend_own_cell(struct node *node, const struct store_cell_key *key)
{
    struct pending_cell *pending;
    struct store_cell right;
    TRY(audit_recompute_own_cell(node->store, &node->view, key, &right));
    TRY(cells_touch(node, key, &pending));
    pending->now.value = right.value;
    pending->now.count = right.count;
    pending->now.live = right.live;
    pending->now.hosting = right.hosting;
    pending->now.day = right.day;
    return cells_flush(node);
}

enum err audit_mend(struct node *node)
{
    size_t kept = 0;
    if (node->damage_count == 0 || node->audit != NULL) {
        return ERR_OK;
    }
    TRY(node_write(node));
    for (size_t i = 0; i < node->damage_count; i++) {
        struct store_cell_key key = node->damages[i].key;
        bool whole = key.origin == 0;
        if (key.origin == node->own_origin) {
            TRY(mend_own_cell(node, &key));
        }
        if (!whole) {
            TRY(cell_is_whole(node, &key, &whole));
        }
        if (whole && key.origin != 0) {
            TRY(mended(node, "cell", &key));
        }
        if (!whole || key.origin == 0) {
            node->damages[kept++] = node->damages[i];
        }
    }
    bool cells_left = false;
    for (size_t i = 0; i < kept; i++) {
        cells_left = cells_left || node->damages[i].key.origin != 0;
    }
    node->damage_count = kept;
    for (size_t i = 0; i < kept && !cells_left; i++) {
        TRY(mend_total(node, &node->damages[i].key));
    }
    node->damage_count = cells_left ? kept : 0;
    return ERR_OK;
}

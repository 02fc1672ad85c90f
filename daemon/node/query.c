/* Queries on a reader: the view of this reader is brought up to date, then each kind of question
 * has its function. Rows go out in replies of at most REPLY_ROWS_MAX rows. */
#include "node/query_internal.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"

#ifndef TALLY_VERSION
#define TALLY_VERSION "unknown"
#endif

enum { PAGE = 500, SEGMENTS_PAGE = 64, VERIFY_SLICES_MAX = 10000000 };

struct query *query_new(struct store *reader)
{
    struct query *q = calloc(1, sizeof *q);
    if (q != NULL) {
        q->store = reader;
        view_init(&q->view, reader);
        arena_init(&q->arena, (size_t)128 << 20);
        texts_init(&q->texts, reader);
    }
    return q;
}

void query_free(struct query *q)
{
    if (q != NULL) {
        view_deinit(&q->view);
        texts_deinit(&q->texts);
        arena_reset(&q->arena);
        free(q);
    }
}

bool query_wants(enum request_type type)
{
    return type == REQUEST_TOTAL || type == REQUEST_LOG || type == REQUEST_STATUS ||
           type == REQUEST_TREE || type == REQUEST_VERIFY || type == REQUEST_UNIT_LIST ||
           type == REQUEST_MISSING;
}

bool query_send(struct query *q, struct message *reply, bool more)
{
    if (q->unread != ERR_OK) {
        q->stopped = true;
        return false;
    }
    reply->type = MESSAGE_REPLY;
    reply->u.reply.id = q->request->id;
    reply->u.reply.type = q->request->type;
    reply->u.reply.more = more;
    if (reply->u.reply.text == NULL) {
        reply->u.reply.text = "";
    }
    q->stopped = q->stopped || !q->sink(q->sink_ctx, reply);
    return !q->stopped;
}

const char *query_symbol(struct query *q, int64_t id)
{
    const char *text;
    enum err err = texts_get(&q->texts, id, &text);
    q->unread = err == ERR_OK || err == ERR_NOT_FOUND ? q->unread : err;
    return err == ERR_OK ? text : "?";
}

enum err query_find_unit(struct query *q, const char *code, int *unit, struct errmsg *msg)
{
    *unit = code[0] == '\0' ? q->view.self : view_unit_by_code(&q->view, code);
    return *unit == TREE_NONE ? view_unknown_unit(&q->view, code, msg) : ERR_OK;
}

enum err query_find_measure(const struct query *q, const char *code, struct errmsg *msg)
{
    const struct catalogue *catalogue = &q->view.catalogue;
    char hint[CATALOGUE_HINT_BYTES];
    if (catalogue_measure(catalogue, code) != NULL ||
        catalogue_indicator(catalogue, code) != NULL) {
        return ERR_OK;
    }
    catalogue_hint(catalogue, code, hint);
    return err_fail(msg, ERR_REFUSED, "measure %s is not in the catalogue%s%s", code, hint,
                    hint[0] == '\0' ? "; tally total lists the measures" : "");
}

/* ---- sources ---- */

void query_set_behind(struct query *q, bool behind)
{
    q->behind = behind;
}

/* How the file says that a node stands; of direct children it may be behind. */
static enum link_state state_of(const struct query *q, const struct store_status *row)
{
    bool linked = row->state == LINK_EXACT || row->state == LINK_CATCHING_UP;
    return q->behind && row->direct && linked ? LINK_OFFLINE : (enum link_state)row->state;
}

enum err query_statuses(struct query *q)
{
    struct store_status rows[PAGE];
    size_t n = PAGE;
    q->states = arena_array(&q->arena, q->view.tree.count, sizeof *q->states);
    if (q->states == NULL) {
        return ERR_NO_MEMORY;
    }
    for (int64_t after = 0; n == PAGE; after = rows[n - 1].unit) {
        TRY(store_statuses(q->store, after, rows, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            int unit = view_unit(&q->view, rows[i].unit);
            if (unit != TREE_NONE) {
                q->states[unit] = (struct unit_state){state_of(q, &rows[i]), rows[i].exact_as_of,
                                                      rows[i].held, rows[i].lost};
            }
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

bool query_exact(const struct query *q, int unit, struct wall *as_of)
{
    const struct view *view = &q->view;
    bool exact = true;
    *as_of = q->now.wall;
    for (int at = unit, depth = 0; at != TREE_NONE && at != view->self && depth <= TREE_DEPTH_MAX;
         depth++) {
        if (view->tree.units[at].hosting) {
            bool linked = q->states[at].state == LINK_EXACT;
            struct wall here = linked ? q->now.wall : q->states[at].exact_as_of;
            as_of->ms = here.ms < as_of->ms ? here.ms : as_of->ms;
            exact = exact && linked;
        }
        at = view->tree.units[at].parent;
    }
    return exact;
}

/* ---- tree ---- */

static int compare_codes(const void *a, const void *b)
{
    return strcmp(((const struct tree_row *)a)->unit, ((const struct tree_row *)b)->unit);
}

static void fill_tree_row(struct query *q, int place, struct tree_row *out)
{
    const struct unit *unit = &q->view.tree.units[place];
    const struct unit_edge *edge = unit->edge_count > 0 ? &unit->edges[unit->edge_count - 1] : NULL;
    *out = (struct tree_row){.unit = unit->code,
                             .name = unit->name,
                             .level = unit->level,
                             .parent = edge == NULL ? "" : edge->parent,
                             .node = unit->hosting,
                             .self = place == q->view.self,
                             .from = edge == NULL ? DAY_NONE : unit->edges[0].from,
                             .to = edge == NULL ? DAY_NONE : edge->to};
    if (!unit->hosting) {
        return;
    }
    bool exact = query_exact(q, place, &out->exact_as_of);
    out->state = place == q->view.self ? LINK_EXACT : q->states[place].state;
    if (out->state == LINK_EXACT && !exact) {
        out->state = LINK_CATCHING_UP; /* equal with its parent, which is not with us */
    }
}

static enum err run_tree(struct query *q)
{
    size_t count = q->view.tree.count;
    struct tree_row *rows = arena_array(&q->arena, count, sizeof *rows);
    if (rows == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(query_statuses(q));
    for (size_t i = 0; i < count; i++) {
        fill_tree_row(q, (int)i, &rows[i]);
    }
    qsort(rows, count, sizeof *rows, compare_codes);
    size_t at = 0;
    do {
        size_t n = count - at < REPLY_ROWS_MAX ? count - at : REPLY_ROWS_MAX;
        struct message reply = {.u.reply.u.tree = {.rows = rows + at, .row_count = n}};
        at += n;
        if (!query_send(q, &reply, at < count)) {
            break;
        }
    } while (at < count);
    return ERR_OK;
}

/* ---- status ---- */

static enum err status_children(struct query *q, struct rep_status *status)
{
    struct child_status *children = arena_array(&q->arena, q->view.tree.count, sizeof *children);
    struct store_status rows[PAGE];
    size_t n = PAGE;
    if (children == NULL) {
        return ERR_NO_MEMORY;
    }
    for (int64_t after = 0; n == PAGE; after = rows[n - 1].unit) {
        TRY(store_statuses(q->store, after, rows, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct store_child child = {.text = ""};
            if (rows[i].direct && status->child_count < q->view.tree.count) {
                enum err err = store_child_get(q->store, rows[i].unit, &q->arena, &child);
                TRY(store_cells_held_via(q->store, rows[i].unit, &rows[i].held));
                children[status->child_count++] =
                    (struct child_status){.unit = query_symbol(q, rows[i].unit),
                                          .state = state_of(q, &rows[i]),
                                          .exact_as_of = rows[i].exact_as_of,
                                          .held = rows[i].held,
                                          .lost = rows[i].lost,
                                          .text = err == ERR_OK ? child.text : ""};
            }
        }
        if (n == 0) {
            break;
        }
    }
    status->children = children;
    return ERR_OK;
}

static enum err status_alarms(struct query *q, struct rep_status *status)
{
    struct store_alarm *found = arena_array(&q->arena, QUERY_ALARMS_MAX, sizeof *found);
    struct alarm_row *alarms = arena_array(&q->arena, QUERY_ALARMS_MAX, sizeof *alarms);
    if (found == NULL || alarms == NULL) {
        return ERR_NO_MEMORY;
    }
    TRY(store_alarms(q->store, &q->arena, found, QUERY_ALARMS_MAX, &status->alarm_count));
    for (size_t i = 0; i < status->alarm_count; i++) {
        char *text = (char *)found[i].text; /* in this arena */
        text_mend(text);
        alarms[i] = (struct alarm_row){found[i].code, text, found[i].since};
    }
    status->alarms = alarms;
    return ERR_OK;
}

/* When the first own entry that the parent does not have was recorded. */
static enum err first_unescrowed(struct query *q, int64_t escrowed, struct wall *since)
{
    struct store_segment page[SEGMENTS_PAGE];
    size_t n = SEGMENTS_PAGE;
    for (int64_t after = 0; n == SEGMENTS_PAGE; after = page[n - 1].number) {
        TRY(store_segments(q->store, q->own_origin, after, page, SEGMENTS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            if (page[i].base + page[i].length > escrowed) {
                struct store_entry entry;
                enum err err = store_entry_get(q->store, page[i].id, escrowed - page[i].base + 1,
                                               &q->arena, &entry);
                *since = err == ERR_OK ? entry.recorded_at : *since;
                return err == ERR_NOT_FOUND ? ERR_OK : err; /* a gap, which the audit names */
            }
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

static enum err status_healed(struct query *q, struct rep_status *status)
{
    TRY(store_fact_int(q->store, "healed", 0, &status->healed_entries));
    TRY(store_fact_int(q->store, "meanwhile", 0, &status->meanwhile_entries));
    return store_fact_int(q->store, "healed_at", 0, &status->healed_at.ms);
}

static enum err status_uplink(struct query *q, struct rep_status *status)
{
    int64_t is_root;
    int64_t state;
    int64_t acked;
    int64_t entries_acked;
    struct bytes text = {NULL, 0};
    TRY(store_fact_int(q->store, "is_root", 0, &is_root));
    TRY(store_fact_int(q->store, "uplink_state", UPLINK_CONNECTING, &state));
    TRY(store_fact_int(q->store, "acked_revision", 0, &acked));
    TRY(store_fact_int(q->store, "entries_acked", 0, &entries_acked));
    TRY(store_fact_int(q->store, "held_above", 0, &status->held_above));
    TRY(store_fact_int(q->store, "exact_as_of", 0, &status->exact_as_of.ms));
    status->uplink_text = "";
    if (is_root != 0) {
        return ERR_OK;
    }
    enum err err = store_fact_blob(q->store, "uplink_text", &q->arena, &text);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    status->uplink_text =
        text.len == 0 ? "" : arena_strn(&q->arena, (const char *)text.data, text.len);
    status->uplink = (enum uplink_state)state;
    status->unescrowed_entries = status->ledger_entries - entries_acked;
    if (status->unescrowed_entries > 0) {
        TRY(first_unescrowed(q, entries_acked, &status->unescrowed_since));
    }
    return status->uplink_text == NULL ? ERR_NO_MEMORY
                                       : store_feed_pending(q->store, acked, &status->pending_rows);
}

static enum err run_status(struct query *q)
{
    struct message reply = {.u.reply.u.status = {.software = TALLY_VERSION}};
    struct rep_status *status = &reply.u.reply.u.status;
    const struct unit *self = &q->view.tree.units[q->view.self];
    int64_t known;
    status->unit = self->code;
    status->unit_name = self->name;
    status->level = self->level;
    status->catalogue_version = q->view.catalogue.version;
    TRY(store_fact_fixed(q->store, "node", status->node.b, ID_BYTES));
    TRY(store_fact_fixed(q->store, "origin", status->origin.b, ID_BYTES));
    TRY(store_fact_fixed(q->store, "tree", status->tree.b, ID_BYTES));
    TRY(store_ledger_length(q->store, q->own_origin, &known, &status->ledger_entries));
    TRY(store_cells_held_count(q->store, &status->held));
    TRY(store_own_lost(q->store, &status->lost));
    TRY(status_uplink(q, status));
    TRY(status_healed(q, status));
    TRY(status_children(q, status));
    TRY(status_alarms(q, status));
    (void)query_send(q, &reply, false);
    return ERR_OK;
}

/* ---- verify ---- */

struct verify {
    struct query *q;
    const char **faults;
    size_t count;
    int64_t total;
};

static enum err on_fault(void *ctx, const struct audit_finding *finding)
{
    struct verify *verify = ctx;
    verify->total++;
    if (verify->count < REFUSED_ROWS_MAX) {
        verify->faults[verify->count] = arena_str(&verify->q->arena, finding->text);
        verify->count += verify->faults[verify->count] == NULL ? 0 : 1;
    }
    return ERR_OK;
}

/* What the audit found after the start and was repaired since: shown once. */
static enum err add_mended(struct verify *verify)
{
    struct store_alarm found[QUERY_ALARMS_MAX];
    size_t n;
    TRY(store_alarms(verify->q->store, &verify->q->arena, found, QUERY_ALARMS_MAX, &n));
    for (size_t i = 0; i < n; i++) {
        if (found[i].mended) {
            struct audit_finding finding = {.text = found[i].text};
            TRY(on_fault(verify, &finding));
        }
    }
    return ERR_OK;
}

/* What the office above said at the last mark that it has of this feed. */
static enum err check_above(struct verify *verify, struct verify_count *count)
{
    int64_t differs;
    int64_t exact_as_of;
    TRY(store_fact_int(verify->q->store, "differs_above", 0, &differs));
    TRY(store_fact_int(verify->q->store, "exact_as_of", 0, &exact_as_of));
    *count = (struct verify_count){"parent", exact_as_of > 0 || differs != 0 ? 1 : 0};
    struct audit_finding finding = {
        .text = "the office above has cells that differ from those here, as of the last mark; they "
                "are sent again while it is linked"};
    return differs != 0 ? on_fault(verify, &finding) : ERR_OK;
}

static enum err run_slices(struct query *q, struct auditor *auditor)
{
    bool done = false;
    for (int64_t i = 0; i < VERIFY_SLICES_MAX && !done; i++) {
        TRY(store_begin(q->store));
        enum err err = view_load(&q->view, NULL); /* units come and go meanwhile */
        err = err == ERR_OK ? auditor_step(auditor, &done) : err;
        store_rollback(q->store);
        TRY(err);
    }
    return ERR_OK;
}

static enum err run_verify(struct query *q)
{
    struct message reply = {.u.reply.u.verify = {.ok = true}};
    struct rep_verify *rep = &reply.u.reply.u.verify;
    struct verify verify = {.q = q,
                            .faults = arena_array(&q->arena, REFUSED_ROWS_MAX + 1, sizeof(char *))};
    struct verify_count *counts = arena_array(&q->arena, AUDIT_COUNT + 1, sizeof *counts);
    struct auditor *auditor = auditor_new(q->store, &q->view, on_fault, &verify);
    enum err err = auditor == NULL || verify.faults == NULL || counts == NULL ? ERR_NO_MEMORY
                                                                              : add_mended(&verify);
    err = err == ERR_OK ? check_above(&verify, &counts[AUDIT_COUNT]) : err;
    store_rollback(q->store); /* the slices have their own */
    err = err == ERR_OK ? run_slices(q, auditor) : err;
    for (int i = 0; err == ERR_OK && i < AUDIT_COUNT; i++) {
        counts[i] = (struct verify_count){audit_check_name((enum audit_check)i),
                                          auditor_examined(auditor, (enum audit_check)i)};
    }
    auditor_free(auditor);
    if (err == ERR_OK) {
        rep->ok = verify.total == 0;
        rep->checked = counts;
        rep->checked_count = AUDIT_COUNT + 1;
        rep->faults = verify.faults;
        rep->fault_count = verify.count;
        rep->fault_total = verify.total;
        (void)query_send(q, &reply, false);
    }
    return err;
}

/* ---- all ---- */

static enum err prepare(struct query *q, struct errmsg *msg)
{
    struct id origin;
    struct store_origin own;
    TRY(store_begin(q->store));
    TRY(view_load(&q->view, msg));
    TRY(store_fact_fixed(q->store, "origin", origin.b, ID_BYTES));
    TRY(store_origin_find(q->store, &origin, &own));
    q->own_origin = own.id;
    return ERR_OK;
}

static enum err dispatch(struct query *q, struct errmsg *msg)
{
    if (q->request->type == REQUEST_TOTAL) {
        return query_total(q, msg);
    }
    if (q->request->type == REQUEST_MISSING) {
        return query_missing(q, msg);
    }
    if (q->request->type == REQUEST_LOG) {
        return query_log(q, msg);
    }
    if (q->request->type == REQUEST_STATUS) {
        return run_status(q);
    }
    if (q->request->type == REQUEST_VERIFY) {
        return run_verify(q);
    }
    return run_tree(q);
}

void query_run(struct query *q, const struct msg_request *request, struct now now,
               query_sink_fn sink, void *ctx)
{
    struct errmsg msg = {{0}};
    q->request = request;
    q->now = now;
    q->sink = sink;
    q->sink_ctx = ctx;
    q->stopped = false;
    q->unread = ERR_OK;
    arena_reset(&q->arena);
    texts_trim(&q->texts);
    enum err err = prepare(q, &msg);
    err = err == ERR_OK ? dispatch(q, &msg) : err;
    err = err == ERR_OK ? q->unread : err;
    if (err != ERR_OK && msg.text[0] == '\0') {
        const char *why = store_error(q->store);
        (void)err_fail(&msg, err, "%s", why[0] != '\0' ? why : err_name(err));
    }
    store_rollback(q->store);
    if (err != ERR_OK) {
        struct message reply = {.u.reply = {.err = err, .text = msg.text}};
        q->stopped = q->stopped && q->unread == ERR_OK;
        q->unread = ERR_OK;
        (void)query_send(q, &reply, false);
    }
    arena_reset(&q->arena);
}

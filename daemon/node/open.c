/* Opening and closing: what memory keeps of the file is read from it, at the start and again when a
 * batch or a part of it was taken back. */
#include <stdlib.h>
#include <string.h>

#include "node/admit.h"

/* Of session names: with the three that stay whatever their age and the one that was only heard of,
 * as many as a hello may tell. */
enum { SESSIONS_KEPT = SESSIONS_MAX - 4 };
enum { AUDIT_FIRST_MS = 1500, ORIGINS_PAGE = 256 };

enum err open_load_own_segment(struct node *node)
{
    int64_t known;
    int64_t held;
    TRY(store_ledger_length(node->store, node->own_origin, &known, &held));
    node->ledger_length = held;
    if (node->segment.id != 0) {
        enum err err = store_segment_get(node->store, node->segment.id, &node->segment);
        if (err == ERR_NOT_FOUND) {
            node->segment = (struct store_segment){.id = 0};
            err = ERR_OK;
        }
        TRY(err);
    }
    node->segment_dirty = false;
    int64_t merged;
    TRY(store_fact_int(node->store, "merged", 0, &merged));
    node->merged = merged != 0;
    struct store_entry first = {.day = INT32_MIN};
    struct store_placed base;
    size_t bases;
    int64_t open;
    TRY(store_entries_lost(node->store, &first, NULL, &base, 1, &bases));
    TRY(store_fact_int(node->store, "heal_open", 0, &open));
    node->has_bases = bases > 0;
    node->bases_due = node->has_bases && (open != 0 || node->bases_due);
    struct store_returned kept = {.whole = false};
    enum err err = store_returned_get(node->store, node->own_origin, &node->arena, &kept);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    node->seal_due = err == ERR_OK && kept.whole;
    TRY(store_fact_int(node->store, "healed", 0, &node->healed));
    TRY(store_fact_int(node->store, "meanwhile", 0, &node->meanwhile));
    TRY(store_fact_int(node->store, "heal_floor", 0, &node->heal_floor));
    return store_fact_int(node->store, "newest_recording", 0, &node->newest_recording.ms);
}

static enum err load_feed_state(struct node *node)
{
    TRY(store_fact_int(node->store, "head", 0, &node->head));
    node->stored_head = node->head;
    node->cells_read_up = node->head;
    node->cells_read_down = node->head;
    node->rows_read_up = node->head;
    node->moved_in_flight = (struct moved){0};
    node->moved = (struct moved){0};
    node->down_head = node->head;
    node->signed_length = -1;
    node->uplink_said = 0;
    TRY(store_fact_int(node->store, "acked_revision", 0, &node->acked.revision));
    TRY(store_fact_int(node->store, "entries_acked", 0, &node->entries_acked));
    TRY(store_fact_int(node->store, "held_above", 0, &node->held_above));
    TRY(store_fact_int(node->store, "bundled", 0, &node->bundled));
    TRY(store_fact_int(node->store, "parent_have_revision", 0, &node->parent_have.revision));
    enum err err = store_fact_fixed(node->store, "acked_session", node->acked.session.b, ID_BYTES);
    err = err == ERR_OK || err == ERR_NOT_FOUND
              ? store_fact_fixed(node->store, "parent_have_session", node->parent_have.session.b,
                                 ID_BYTES)
              : err;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err open_load_origins(struct node *node)
{
    struct store_origin rows[ORIGINS_PAGE];
    size_t n = ORIGINS_PAGE;
    map_clear(&node->origins);
    node->homeless = 0;
    for (int64_t after = 0; n == ORIGINS_PAGE; after = rows[n - 1].id) {
        TRY(store_origins(node->store, after, rows, ORIGINS_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            struct cached_origin *cached = map_put(&node->origins, &rows[i].id, NULL);
            if (cached == NULL) {
                return ERR_NO_MEMORY;
            }
            *cached = (struct cached_origin){.row = rows[i]};
            node->homeless += rows[i].scope == SCOPE_BELOW && rows[i].unit == 0 ? 1 : 0;
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

/* The tree anew, and what points into it. */
enum err open_load_view(struct node *node, struct errmsg *msg)
{
    node->view.tree_version = -1;
    TRY(view_load(&node->view, msg));
    node->identity.unit = node->view.tree.units[node->view.self].code;
    return ERR_OK;
}

/* Everything that memory keeps of the file. */
enum err open_load(struct node *node, struct errmsg *msg)
{
    int64_t is_root;
    struct store_origin own;
    map_clear(&node->cells);
    map_clear(&node->totals);
    map_clear(&node->symbols);
    texts_clear(&node->texts);
    TRY(open_load_view(node, msg));
    TRY(store_fact_fixed(node->store, "tree", node->identity.tree.b, ID_BYTES));
    TRY(store_fact_fixed(node->store, "node", node->identity.node.b, ID_BYTES));
    TRY(store_fact_fixed(node->store, "origin", node->origin.b, ID_BYTES));
    TRY(store_fact_fixed(node->store, "root_key", node->root_key.b, HASH_BYTES));
    TRY(store_fact_int(node->store, "is_root", 0, &is_root));
    TRY(store_fact_int(node->store, "hosting", 1, &node->hosting));
    TRY(store_fact_int(node->store, "number_floor", 0, &node->number_floor));
    TRY(store_fact_int(node->store, "version_floor", 0, &node->version_floor));
    TRY(store_origin_find(node->store, &node->origin, &own));
    node->identity.is_root = is_root != 0;
    node->own_origin = own.id;
    TRY(load_feed_state(node));
    TRY(open_load_own_segment(node));
    TRY(open_load_origins(node));
    TRY(audit_load_doubts(node));
    struct store_alarm full;
    size_t said;
    TRY(store_alarms_about(node->store, "disk-full", "", &node->arena, &full, 1, &said));
    node->full_said = said > 0;
    TRY(store_cells_held_count(node->store, &node->held_rows));
    return store_refused_total(node->store, &node->refused_rows);
}

static enum err load_parent(struct node *node)
{
    struct bytes bytes;
    if (node->identity.is_root) {
        return ERR_OK;
    }
    arena_reset(&node->identity_arena);
    TRY(store_fact_fixed(node->store, "parent_key", node->identity.parent_key.b, HASH_BYTES));
    TRY(store_fact_int(node->store, "parent_number", 0, &node->identity.parent_number));
    TRY(store_fact_blob(node->store, "parent_addresses", &node->identity_arena, &bytes));
    struct cur cur = cur_over(bytes.data, bytes.len);
    size_t n = cur_u32(&cur);
    n = n > ADDRESSES_MAX ? ADDRESSES_MAX : n;
    const char **list = arena_array(&node->identity_arena, ADDRESSES_MAX, sizeof *list);
    for (size_t i = 0; list != NULL && i < n; i++) {
        struct bytes text = cur_blob(&cur);
        list[i] = arena_strn(&node->identity_arena, (const char *)text.data, text.len);
        if (list[i] == NULL) {
            return ERR_NO_MEMORY;
        }
    }
    node->identity.parent_addresses = list;
    node->identity.parent_address_count = n;
    return list == NULL ? ERR_NO_MEMORY : ERR_OK;
}

static bool is_linked(struct node *node, const struct store_status *row)
{
    return downlink_live_of_unit(node, row->unit) != NULL;
}

enum err open_reset_statuses(struct node *node)
{
    enum { PAGE = 256 };
    struct store_status rows[PAGE];
    size_t n = PAGE;
    for (int64_t after = 0; n == PAGE; after = rows[n - 1].unit) {
        TRY(store_statuses(node->store, after, rows, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            bool said = rows[i].state != LINK_OFFLINE && rows[i].state != LINK_NEVER;
            if (rows[i].direct && said && !is_linked(node, &rows[i])) {
                rows[i].state = LINK_OFFLINE;
                TRY(rows_put_status(node, &rows[i]));
            }
        }
        if (n == 0) {
            break;
        }
    }
    return ERR_OK;
}

/* What the root has signed is still that. A node below another gets it again with a new file. */
static enum err check_catalogue(struct node *node, struct errmsg *msg)
{
    struct bytes content;
    struct buf said;
    struct signature signature;
    if (node->view.catalogue.version == 0) {
        return ERR_OK;
    }
    TRY(store_fact_blob(node->store, "catalogue", &node->arena, &content));
    TRY(store_fact_fixed(node->store, "catalogue_signature", signature.b, SIGNATURE_BYTES));
    buf_init(&said, CATALOGUE_MAX_BYTES + 64);
    buf_put_u64(&said, node->view.catalogue.version);
    buf_put(&said, content.data, content.len);
    bool whole = !said.failed;
    bool good =
        whole && node->env.verify(node->env.ctx, &node->root_key, buf_bytes(&said), &signature);
    buf_deinit(&said);
    TRY(whole ? ERR_OK : ERR_NO_MEMORY);
    return good ? ERR_OK
                : err_fail(msg, ERR_CORRUPT, "the catalogue is not what the root has signed");
}

static enum err load_all(struct node *node, bool *sealed, struct errmsg *msg)
{
    enum err err = identity_check(node->store, sealed, msg);
    err = err == ERR_OK ? open_load(node, msg) : err;
    err = err == ERR_OK ? load_parent(node) : err;
    err = err == ERR_OK ? check_catalogue(node, msg) : err;
    /* What every file has is missing, or cannot be read. */
    return err == ERR_NOT_FOUND || err == ERR_INVALID ? ERR_CORRUPT : err;
}

static enum err first_batch(struct node *node, struct now now, bool sealed, struct errmsg *msg)
{
    node_begin(node, now);
    node->env.random(node->env.ctx, node->session.b, sizeof node->session.b);
    enum err err = node_write(node);
    err = err == ERR_OK ? store_session_add(node->store, &node->session, node->head, SESSIONS_KEPT)
                        : err;
    err = err == ERR_OK ? open_reset_statuses(node) : err;
    err = err == ERR_OK ? room_was_put_back(node) : err;
    err = err == ERR_OK && !sealed ? identity_seal(node->store) : err;
    if (err == ERR_OK && !node->identity.is_root) {
        uplink_refused_state(node, UPLINK_CONNECTING, "");
    }
    if (err != ERR_OK) {
        node_fail(node, err, "start");
    }
    return node_commit(node, msg);
}

enum err node_open(struct store *store, const struct node_env *env, struct now now,
                   struct node **out, struct errmsg *msg)
{
    struct node *node = calloc(1, sizeof *node);
    if (node == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "no memory");
    }
    node->store = store;
    node->env = *env;
    node->now = now;
    node->audit_due = (struct mono){now.mono.ms + AUDIT_FIRST_MS};
    node->effects_end = &node->effects;
    view_init(&node->view, store);
    arena_init(&node->arena, EFFECTS_ARENA_BYTES);
    arena_init(&node->identity_arena, 1 << 16);
    buf_init(&node->scratch, FRAME_MAX_BYTES);
    map_init(&node->cells, sizeof(struct store_cell_key), sizeof(struct pending_cell));
    map_init(&node->totals, sizeof(struct total_key), sizeof(struct total_delta));
    map_init(&node->origins, sizeof(int64_t), sizeof(struct cached_origin));
    map_init(&node->stated, sizeof(int64_t), sizeof(struct stated_heads));
    map_init(&node->doubted, sizeof(int64_t), 1);
    map_init(&node->known_whole, sizeof(int64_t), sizeof(bool));
    map_init(&node->symbols, sizeof(uint64_t), sizeof(int64_t));
    texts_init(&node->texts, store);
    struct errmsg why = {{0}};
    bool sealed = false;
    enum err err = load_all(node, &sealed, &why);
    if (err != ERR_OK) {
        const char *text = why.text[0] != '\0' ? why.text : store_error(store);
        struct errmsg state;
        (void)err_fail(&state, err, "the node's state cannot be read: %s",
                       text[0] != '\0' ? text : "a part of it is missing");
        (void)store_unusable(store, err, state.text, msg);
    } else {
        err = first_batch(node, now, sealed, &why);
        err = err == ERR_OK ? ERR_OK : store_unusable(store, err, why.text, msg);
    }
    if (err != ERR_OK) {
        node_close(node);
        return err;
    }
    *out = node;
    return ERR_OK;
}

void node_close(struct node *node)
{
    if (node == NULL) {
        return;
    }
    for (size_t i = 0; i < node->link_count; i++) {
        link_free(node->links[i]);
    }
    audit_stop(node);
    bundle_forget(node);
    free(node->links);
    free(node->waiters);
    free(node->damages);
    for (size_t i = 0; i < node->address_count; i++) {
        free(node->addresses[i]);
    }
    view_deinit(&node->view);
    arena_reset(&node->arena);
    arena_reset(&node->identity_arena);
    buf_deinit(&node->scratch);
    map_deinit(&node->cells);
    map_deinit(&node->totals);
    map_deinit(&node->origins);
    map_deinit(&node->stated);
    map_deinit(&node->symbols);
    map_deinit(&node->doubted);
    map_deinit(&node->known_whole);
    texts_deinit(&node->texts);
    free(node);
}

void node_set_addresses(struct node *node, const char *const *addresses, size_t count,
                        const struct hash *root)
{
    for (size_t i = 0; i < node->address_count; i++) {
        free(node->addresses[i]);
    }
    node->address_count = 0;
    node->root_fingerprint = *root;
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++) {
        char *copy = strlen(addresses[i]) <= ADDRESS_MAX_BYTES ? strdup(addresses[i]) : NULL;
        if (copy != NULL) {
            node->addresses[node->address_count++] = copy;
        }
    }
}

const struct node_identity *node_identity(const struct node *node)
{
    return &node->identity;
}

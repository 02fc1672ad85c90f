/* Who this node is and where it stands: the facts without which its file is nobody's.
 *
 * A sum over them lies beside them, written whenever one changes, so that a changed one shows at
 * the next start: a node that takes itself for another, or another for its parent, would do harm.
 *
 * Outside the file they are kept as canonical bytes. From these a node below another makes its
 * file anew when it cannot be used any more; its neighbours give it back what was in it. */
#include <string.h>

#include "base/sha256.h"
#include "node/internal.h"

enum { FORM = 1, IDENTITY_BYTES = 64 * 1024 };

static const char SUM[] = "identity_sum";

static enum err put_fixed(struct store *store, const char *name, size_t len, struct buf *out)
{
    uint8_t value[HASH_BYTES];
    TRY(store_fact_fixed(store, name, value, len));
    buf_put(out, value, len);
    return ERR_OK;
}

static enum err put_int(struct store *store, const char *name, int64_t fallback, struct buf *out)
{
    int64_t value;
    TRY(store_fact_int(store, name, fallback, &value));
    buf_put_i64(out, value);
    return ERR_OK;
}

static enum err put_blob(struct store *store, const char *name, struct arena *arena,
                         struct buf *out)
{
    struct bytes value = {NULL, 0};
    enum err err = store_fact_blob(store, name, arena, &value);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err); /* the root has no parent */
    buf_put_blob(out, value.data, value.len);
    return ERR_OK;
}

static enum err put_facts(struct store *store, struct arena *arena, struct buf *out)
{
    int64_t unit;
    const char *code;
    struct hash none = {{0}};
    TRY(put_int(store, "is_root", 0, out));
    TRY(put_fixed(store, "tree", ID_BYTES, out));
    TRY(put_fixed(store, "node", ID_BYTES, out));
    TRY(put_fixed(store, "origin", ID_BYTES, out));
    TRY(put_fixed(store, "root_key", HASH_BYTES, out));
    TRY(put_int(store, "hosting", 1, out));
    TRY(store_fact_int(store, "unit", 0, &unit));
    TRY(store_symbol_text(store, unit, arena, &code));
    buf_put_str(out, code);
    enum err err = store_fact_fixed(store, "parent_key", none.b, HASH_BYTES);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    buf_put_hash(out, &none);
    TRY(put_int(store, "parent_number", 0, out));
    TRY(put_blob(store, "parent_unit", arena, out));
    TRY(put_blob(store, "parent_addresses", arena, out));
    return out->failed ? ERR_NO_MEMORY : ERR_OK;
}

static enum err sum_of(struct store *store, struct hash *out)
{
    struct arena arena;
    struct buf bytes;
    arena_init(&arena, IDENTITY_BYTES);
    buf_init(&bytes, IDENTITY_BYTES);
    enum err err = put_facts(store, &arena, &bytes);
    if (err == ERR_OK) {
        *out = sha256(bytes.data, bytes.len);
    }
    buf_deinit(&bytes);
    arena_reset(&arena);
    return err;
}

enum err identity_seal(struct store *store)
{
    struct hash sum;
    TRY(sum_of(store, &sum));
    return store_fact_set_blob(store, SUM, sum.b, HASH_BYTES);
}

enum err identity_check(struct store *store, bool *sealed, struct errmsg *msg)
{
    struct hash sum;
    struct hash kept;
    enum err err = store_fact_fixed(store, SUM, kept.b, HASH_BYTES);
    *sealed = err != ERR_NOT_FOUND;
    TRY(*sealed ? err : ERR_OK);
    err = sum_of(store, &sum);
    bool missing = err == ERR_NOT_FOUND;
    if (missing || (err == ERR_OK && *sealed && !hash_equal(&sum, &kept))) {
        return err_fail(msg, ERR_CORRUPT, "who this node is, or its parent, %s",
                        missing ? "is missing" : "is not what was written");
    }
    return err;
}

/* ---- outside the file ---- */

enum err node_identity_bytes(struct store *store, struct buf *out)
{
    struct arena arena;
    struct store_unit row;
    int64_t unit;
    arena_init(&arena, IDENTITY_BYTES);
    buf_put_u8(out, FORM);
    enum err err = put_facts(store, &arena, out);
    err = err == ERR_OK ? store_fact_int(store, "unit", 0, &unit) : err;
    err = err == ERR_OK ? store_unit_get(store, unit, &arena, &row) : err;
    if (err == ERR_OK) {
        buf_put_str(out, row.name);
        buf_put_str(out, row.level);
        err = out->failed ? ERR_NO_MEMORY : ERR_OK;
    }
    arena_reset(&arena);
    return err;
}

struct kept_identity {
    bool is_root;
    int64_t parent_number;
    struct msg_joined joined;
    struct ancestor parent;
};

static const char *take_text(struct cur *cur, struct arena *arena)
{
    struct bytes text = cur_blob(cur);
    const char *copy = cur->failed ? "" : arena_strn(arena, (const char *)text.data, text.len);
    cur->failed = cur->failed || copy == NULL;
    return copy;
}

static void take_addresses(struct cur *cur, struct arena *arena, struct ancestor *parent)
{
    struct bytes list = cur_blob(cur);
    struct cur inner = cur_over(list.data, list.len);
    size_t count = list.len == 0 ? 0 : cur_u32(&inner);
    parent->addresses = arena_array(arena, ADDRESSES_MAX, sizeof *parent->addresses);
    if (parent->addresses == NULL || count > ADDRESSES_MAX) {
        cur->failed = true;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        parent->addresses[i] = take_text(&inner, arena);
    }
    parent->address_count = count;
    cur->failed = cur->failed || inner.failed;
}

static enum err take_apart(struct bytes bytes, struct arena *arena, struct kept_identity *out,
                           struct errmsg *msg)
{
    struct cur cur = cur_over(bytes.data, bytes.len);
    struct msg_joined *joined = &out->joined;
    bool known = cur_u8(&cur) == FORM;
    *out = (struct kept_identity){.is_root = cur_i64(&cur) != 0};
    joined->tree = cur_id(&cur);
    joined->node = cur_id(&cur);
    joined->origin = cur_id(&cur);
    joined->root_key = cur_hash(&cur);
    joined->hosting = cur_i64(&cur);
    joined->unit = take_text(&cur, arena);
    out->parent.key = cur_hash(&cur);
    out->parent_number = cur_i64(&cur);
    out->parent.unit = take_text(&cur, arena);
    take_addresses(&cur, arena, &out->parent);
    joined->unit_name = take_text(&cur, arena);
    joined->unit_level = take_text(&cur, arena);
    joined->ancestors = &out->parent;
    joined->ancestor_count = 1;
    return known && cur_done(&cur)
               ? ERR_OK
               : err_fail(msg, ERR_INVALID, "what is kept of who this node is cannot be read");
}

enum err node_identity_look(struct bytes bytes, bool *is_root, struct errmsg *msg)
{
    struct arena arena;
    struct kept_identity kept;
    arena_init(&arena, IDENTITY_BYTES);
    enum err err = take_apart(bytes, &arena, &kept, msg);
    *is_root = kept.is_root;
    arena_reset(&arena);
    return err;
}

static enum err tell_aside(struct store *store, int64_t parent_number,
                           const struct node_aside *aside)
{
    struct store_alarm alarm = {.code = "set-aside",
                                .subject = aside->name,
                                .text = aside->text,
                                .since = aside->at,
                                .mended = true}; /* goes when a verify has shown it */
    TRY(store_begin(store));
    TRY(store_fact_set_int(store, "parent_number", parent_number));
    TRY(store_fact_set_int(store, "put_back", 1)); /* what it gave out since may not be in escrow */
    TRY(identity_seal(store));
    TRY(store_alarm_put(store, &alarm));
    return store_commit(store);
}

enum err node_make_again(struct store *store, struct bytes bytes, const struct hash *key,
                         const struct node_aside *aside, struct errmsg *msg)
{
    struct arena arena;
    struct kept_identity kept;
    arena_init(&arena, IDENTITY_BYTES);
    enum err err = take_apart(bytes, &arena, &kept, msg);
    if (err == ERR_OK && kept.is_root) {
        err = err_fail(msg, ERR_REFUSED, "a root's file is not made anew: nobody has a copy of it");
    }
    err = err == ERR_OK ? node_make_child(store, &kept.joined, key, msg) : err;
    if (err == ERR_OK) {
        err = tell_aside(store, kept.parent_number, aside);
        if (err != ERR_OK) {
            store_rollback(store);
            (void)err_fail(msg, err, "%s", store_error(store));
        }
    }
    arena_reset(&arena);
    return err;
}

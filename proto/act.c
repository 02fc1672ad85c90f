#include "proto/act.h"

#include <string.h>

#include "base/arena.h"

enum { FORM_ACT = 1 };

void act_encode(const struct act *act, struct buf *out)
{
    buf_put_u8(out, FORM_ACT);
    buf_put_u8(out, (uint8_t)act->kind);
    buf_put_str(out, act->unit);
    buf_put_str(out, act->name);
    buf_put_str(out, act->level);
    buf_put_str(out, act->parent);
    buf_put_i64(out, act->day);
    buf_put_id(out, &act->node);
    buf_put_id(out, &act->origin);
    buf_put_hash(out, &act->key);
    buf_put_u64(out, act->number);
    buf_put_hash(out, &act->content);
    buf_put_i64(out, act->expires.ms);
}

static const char *take_text(struct cur *cur, struct arena *arena)
{
    struct bytes text = cur_blob(cur);
    bool nul = text.len > 0 && memchr(text.data, 0, text.len) != NULL;
    cur->failed = cur->failed || nul;
    const char *copy = arena_strn(arena, (const char *)text.data, text.len);
    cur->failed = cur->failed || copy == NULL;
    return copy;
}

enum err act_decode(struct bytes bytes, struct arena *arena, struct act *out)
{
    struct cur cur = cur_over(bytes.data, bytes.len);
    struct act act = {.kind = ACT_UNIT};
    if (cur_u8(&cur) != FORM_ACT) {
        return ERR_INVALID;
    }
    act.kind = (enum act_kind)cur_u8(&cur);
    act.unit = take_text(&cur, arena);
    act.name = take_text(&cur, arena);
    act.level = take_text(&cur, arena);
    act.parent = take_text(&cur, arena);
    act.day = cur_i32(&cur);
    act.node = cur_id(&cur);
    act.origin = cur_id(&cur);
    act.key = cur_hash(&cur);
    act.number = cur_u64(&cur);
    act.content = cur_hash(&cur);
    act.expires.ms = cur_i64(&cur);
    if (!cur_done(&cur) || act.kind < ACT_UNIT || act.kind > ACT_REVOKE) {
        return ERR_INVALID;
    }
    *out = act;
    return ERR_OK;
}

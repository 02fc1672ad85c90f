/* The node's caches, its effects, its alarms. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "node/internal.h"

enum { LINE_MAX_BYTES = 512 };

void node_fail(struct node *node, enum err err, const char *what)
{
    if (node->failed == ERR_OK) {
        bool missing = err == ERR_NOT_FOUND; /* what a row names, or what every file has */
        const char *why = missing ? "a row is missing" : store_error(node->store);
        node->failed = missing ? ERR_CORRUPT : err;
        node->lacks_row = missing;
        (void)err_fail(&node->failure, node->failed, "%s: %s", what,
                       why[0] != '\0' ? why : err_name(err));
    }
}

void node_check(struct node *node, enum err err, const char *what)
{
    if (err != ERR_OK) {
        node_fail(node, err, what);
    }
}

struct effect *node_emit(struct node *node, enum effect_type type, uint64_t link)
{
    struct effect_node *made = arena_alloc(&node->arena, sizeof *made);
    if (made == NULL) {
        node_fail(node, ERR_NO_MEMORY, "effects");
        return NULL;
    }
    made->effect.type = type;
    made->effect.link = link;
    *node->effects_end = made;
    node->effects_end = &made->next;
    return &made->effect;
}

struct message *node_message(struct node *node, enum message_type type)
{
    struct message *message = arena_alloc(&node->arena, sizeof *message);
    if (message == NULL) {
        node_fail(node, ERR_NO_MEMORY, "message");
        return NULL;
    }
    message->type = type;
    return message;
}

const char *node_keep(struct node *node, const char *text)
{
    const char *copy = arena_str(&node->arena, text);
    if (copy == NULL) {
        node_fail(node, ERR_NO_MEMORY, "effects");
    }
    return copy == NULL ? "" : copy;
}

void node_send(struct node *node, struct link *link, struct message *message)
{
    if (link->bundle != NULL && message != NULL && message->type == MESSAGE_REFUSE) {
        (void)snprintf(link->bundle->refused, sizeof link->bundle->refused, "%s",
                       message->u.refuse.text);
        return; /* it is told in the reply */
    }
    enum effect_type type = link->bundle != NULL ? EFFECT_BUNDLE : EFFECT_SEND;
    struct effect *effect = message == NULL ? NULL : node_emit(node, type, link->id);
    if (effect != NULL) {
        effect->message = message;
        effect->key = link->bundle != NULL ? link->bundle->sender.key : effect->key;
        link->spoke_at = node->now.mono;
    }
}

void node_ping(struct node *node, struct link *link, bool answer, uint64_t nonce)
{
    struct message *message = node_message(node, MESSAGE_PING);
    if (message != NULL) {
        message->u.ping =
            (struct msg_ping){.answer = answer,
                              .nonce = nonce,
                              .now = node->now.wall,
                              .at_head = link->up && link->out.marked && !link->out.in_flight,
                              .upto = link->out.acked,
                              .root_revision = link->root_revision};
        node_send(node, link, message);
    }
}

void node_log(struct node *node, bool warn, const char *fmt, ...)
{
    char line[LINE_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    struct effect *effect = node_emit(node, EFFECT_LOG, 0);
    if (effect != NULL) {
        effect->warn = warn;
        effect->text = arena_str(&node->arena, line);
        if (effect->text == NULL) {
            effect->text = "";
        }
    }
}

void node_close_link(struct node *node, struct link *link, const char *why)
{
    struct effect *effect = link->bundle != NULL ? NULL : node_emit(node, EFFECT_CLOSE, link->id);
    if (effect != NULL) {
        effect->text = why;
    }
    link->state = SESSION_CLOSING;
}

struct link *node_link(struct node *node, uint64_t id)
{
    for (size_t i = 0; i < node->link_count; i++) {
        if (node->links[i]->id == id) {
            return node->links[i];
        }
    }
    return NULL;
}

enum err node_write(struct node *node)
{
    if (node->failed != ERR_OK) {
        return node->failed;
    }
    if (!node->in_transaction) {
        TRY(store_begin(node->store));
        node->in_transaction = true;
    }
    return ERR_OK;
}

enum err node_text(struct node *node, int64_t id, const char **text)
{
    return texts_get(&node->texts, id, text);
}

/* Text to number through a table keyed by the text's hash; a hit is proved by comparing the texts.
 */
enum err node_symbol(struct node *node, const char *text, int64_t *id)
{
    uint64_t hash = map_hash(text, strlen(text));
    const int64_t *known = map_get(&node->symbols, &hash);
    const char *is;
    if (known != NULL && node_text(node, *known, &is) == ERR_OK && strcmp(is, text) == 0) {
        *id = *known;
        return ERR_OK;
    }
    enum err err = store_symbol_find(node->store, text, id);
    if (err == ERR_NOT_FOUND) {
        TRY(node_write(node));
        err = store_symbol_put(node->store, text, id);
    }
    TRY(err);
    int64_t *slot = map_put(&node->symbols, &hash, NULL);
    if (slot == NULL) {
        return ERR_NO_MEMORY;
    }
    *slot = *id;
    return ERR_OK;
}

static enum err cache_origin(struct node *node, const struct store_origin *row,
                             struct cached_origin **out)
{
    struct cached_origin *cached = map_put(&node->origins, &row->id, NULL);
    if (cached == NULL) {
        return ERR_NO_MEMORY;
    }
    *cached = (struct cached_origin){.row = *row};
    *out = cached;
    return ERR_OK;
}

enum err node_origin(struct node *node, int64_t id, struct cached_origin **out)
{
    struct store_origin row;
    struct cached_origin *cached = map_get(&node->origins, &id);
    if (cached != NULL) {
        *out = cached;
        return ERR_OK;
    }
    TRY(store_origin_get(node->store, id, &row));
    return cache_origin(node, &row, out);
}

enum err node_origin_named(struct node *node, const struct id *name, struct cached_origin **out)
{
    struct store_origin row;
    TRY(store_origin_find(node->store, name, &row));
    return node_origin(node, row.id, out);
}

enum err node_origin_ensure(struct node *node, const struct id *name, int64_t via, int64_t scope,
                            struct cached_origin **out)
{
    enum err err = node_origin_named(node, name, out);
    if (err != ERR_NOT_FOUND) {
        return err;
    }
    struct store_origin row = {.name = *name, .via = via, .scope = scope};
    TRY(node_write(node));
    TRY(store_origin_add(node->store, &row));
    return cache_origin(node, &row, out);
}

enum err node_alarm(struct node *node, const char *code, const char *subject, const char *fmt, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    text_mend(text);
    node_log(node, true, "alarm=%s subject=%s text=\"%s\"", code, subject, text);
    struct store_alarm alarm = {
        .code = code, .subject = subject, .text = text, .since = node->now.wall};
    TRY(node_write(node));
    return store_alarm_put(node->store, &alarm);
}

enum err node_alarm_over(struct node *node, const char *code, const char *origin, const char *how,
                         bool *was)
{
    struct store_alarm alarm;
    size_t n;
    TRY(store_alarms_about(node->store, code, origin, &node->arena, &alarm, 1, &n));
    *was = n > 0;
    if (!*was) {
        return ERR_OK;
    }
    const char *text = arena_printf(&node->arena, "%s; %s", alarm.text, how);
    TRY(text == NULL ? ERR_NO_MEMORY : node_write(node));
    return store_alarm_mend(node->store, code, origin, text);
}

enum err node_gave(struct node *node, const struct feed_mark *mark, bool *gave)
{
    int64_t end = 0;
    enum err err =
        id_is_zero(&mark->session) ? ERR_OK : store_session_end(node->store, &mark->session, &end);
    if (err != ERR_OK && err != ERR_NOT_FOUND) {
        return err;
    }
    *gave = err == ERR_OK && mark->revision <= end && mark->revision <= node->head;
    return ERR_OK;
}

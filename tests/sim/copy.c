#include "copy.h"

#include <string.h>

/* One copy under way; once memory ends everything after is nothing. */
struct copier {
    struct arena *arena;
    bool failed;
};

static void *dup_array(struct copier *c, const void *data, size_t count, size_t size)
{
    void *out = c->failed || count == 0 ? NULL : arena_array(c->arena, count, size);
    if (out != NULL) {
        memcpy(out, data, count * size);
    }
    c->failed = c->failed || (count > 0 && out == NULL);
    return out;
}

static void dup_text(struct copier *c, const char **text)
{
    if (*text != NULL) {
        *text = c->failed ? "" : arena_str(c->arena, *text);
        c->failed = c->failed || *text == NULL;
    }
}

static void dup_bytes(struct copier *c, struct bytes *bytes)
{
    bytes->data = dup_array(c, bytes->data, bytes->len, 1);
}

/* `field` of the struct at `at` becomes a copy of the array that it points to; the result can be
 * written to. */
#define DUP(c, at, field, count) \
    ((at)->field = dup_array((c), (at)->field, (at)->count, sizeof *(at)->field))

static void dup_heads(struct copier *c, struct origin_heads *heads)
{
    DUP(c, heads, heads, head_count);
}

static void dup_hello(struct copier *c, struct msg_hello *hello)
{
    dup_text(c, &hello->software);
    DUP(c, hello, sessions, session_count);
    DUP(c, hello, heads, head_count);
}

static void dup_welcome(struct copier *c, struct msg_welcome *welcome)
{
    dup_text(c, &welcome->software);
    dup_text(c, &welcome->unit);
    dup_text(c, &welcome->unit_name);
    dup_text(c, &welcome->unit_level);
    DUP(c, welcome, escrow, escrow_count);
    struct origin_heads *known = dup_array(c, welcome->known, welcome->known_count, sizeof *known);
    for (size_t i = 0; i < welcome->known_count && !c->failed; i++) {
        dup_heads(c, &known[i]);
    }
    welcome->known = known;
    struct ancestor *list = dup_array(c, welcome->ancestors, welcome->ancestor_count, sizeof *list);
    for (size_t i = 0; i < welcome->ancestor_count && !c->failed; i++) {
        dup_text(c, &list[i].unit);
        DUP(c, &list[i], addresses, address_count);
        for (size_t j = 0; j < list[i].address_count && !c->failed; j++) {
            dup_text(c, &list[i].addresses[j]);
        }
    }
    welcome->ancestors = list;
}

static void dup_places(struct copier *c, struct msg_batch *batch)
{
    struct unit_row *units = dup_array(c, batch->units, batch->unit_count, sizeof *units);
    for (size_t i = 0; i < batch->unit_count && !c->failed; i++) {
        dup_text(c, &units[i].code);
        dup_text(c, &units[i].name);
        dup_text(c, &units[i].level);
        struct unit_edge *edges = dup_array(c, units[i].edges, units[i].edge_count, sizeof *edges);
        for (size_t j = 0; j < units[i].edge_count && !c->failed; j++) {
            dup_text(c, &edges[j].parent);
        }
        units[i].edges = edges;
    }
    batch->units = units;
    struct hosting_row *hostings =
        dup_array(c, batch->hostings, batch->hosting_count, sizeof *hostings);
    for (size_t i = 0; i < batch->hosting_count && !c->failed; i++) {
        dup_text(c, &hostings[i].unit);
    }
    batch->hostings = hostings;
    struct status_row *statuses =
        dup_array(c, batch->statuses, batch->status_count, sizeof *statuses);
    for (size_t i = 0; i < batch->status_count && !c->failed; i++) {
        dup_text(c, &statuses[i].unit);
    }
    batch->statuses = statuses;
}

static void dup_entries(struct copier *c, struct msg_batch *batch)
{
    struct entry *entries = dup_array(c, batch->entries, batch->entry_count, sizeof *entries);
    for (size_t i = 0; i < batch->entry_count && !c->failed; i++) {
        dup_text(c, &entries[i].unit);
        dup_text(c, &entries[i].measure);
        dup_text(c, &entries[i].category);
        dup_text(c, &entries[i].key);
        dup_text(c, &entries[i].note);
        dup_text(c, &entries[i].author);
        dup_bytes(c, &entries[i].act);
    }
    batch->entries = entries;
}

static void dup_key(struct copier *c, struct cell_key *key)
{
    dup_text(c, &key->unit);
    dup_text(c, &key->measure);
    dup_text(c, &key->category);
}

static void dup_ask(struct copier *c, struct range_ask *ask)
{
    dup_key(c, &ask->after);
    dup_key(c, &ask->upto);
}

static void dup_batch(struct copier *c, struct msg_batch *batch)
{
    dup_places(c, batch);
    struct opening *openings =
        dup_array(c, batch->openings, batch->opening_count, sizeof *openings);
    for (size_t i = 0; i < batch->opening_count && !c->failed; i++) {
        DUP(c, &openings[i], continues, continue_count);
    }
    batch->openings = openings;
    struct signed_heads *signs =
        dup_array(c, batch->signed_heads, batch->signed_heads_count, sizeof *signs);
    for (size_t i = 0; i < batch->signed_heads_count && !c->failed; i++) {
        dup_heads(c, &signs[i].heads);
    }
    batch->signed_heads = signs;
    dup_entries(c, batch);
    struct origin_heads *heads = dup_array(c, batch->heads, batch->heads_count, sizeof *heads);
    for (size_t i = 0; i < batch->heads_count && !c->failed; i++) {
        dup_heads(c, &heads[i]);
    }
    batch->heads = heads;
    struct cell *cells = dup_array(c, batch->cells, batch->cell_count, sizeof *cells);
    for (size_t i = 0; i < batch->cell_count && !c->failed; i++) {
        dup_text(c, &cells[i].unit);
        dup_text(c, &cells[i].measure);
        dup_text(c, &cells[i].category);
    }
    batch->cells = cells;
    DUP(c, batch, digests, digest_count);
    struct ranges *ranges = dup_array(c, batch->ranges, batch->range_count, sizeof *ranges);
    for (size_t i = 0; i < batch->range_count && !c->failed; i++) {
        dup_ask(c, &ranges[i].asked);
        struct range_sum *sums = dup_array(c, ranges[i].sums, ranges[i].sum_count, sizeof *sums);
        for (size_t s = 0; s < ranges[i].sum_count && !c->failed; s++) {
            dup_key(c, &sums[s].last);
        }
        ranges[i].sums = sums;
    }
    batch->ranges = ranges;
}

static void dup_ack(struct copier *c, struct msg_ack *ack)
{
    DUP(c, ack, escrow, escrow_count);
    struct refused_row *rows = dup_array(c, ack->refused, ack->refused_count, sizeof *rows);
    for (size_t i = 0; i < ack->refused_count && !c->failed; i++) {
        dup_text(c, &rows[i].unit);
        dup_text(c, &rows[i].measure);
        dup_text(c, &rows[i].category);
    }
    ack->refused = rows;
    DUP(c, ack, unequal, unequal_count);
    struct range_ask *asks = dup_array(c, ack->compare, ack->compare_count, sizeof *asks);
    for (size_t i = 0; i < ack->compare_count && !c->failed; i++) {
        dup_ask(c, &asks[i]);
    }
    ack->compare = asks;
    struct cell_key *keys = dup_array(c, ack->again, ack->again_count, sizeof *keys);
    for (size_t i = 0; i < ack->again_count && !c->failed; i++) {
        dup_key(c, &keys[i]);
    }
    ack->again = keys;
}

enum err copy_message(const struct message *from, struct arena *arena, struct message *out)
{
    struct copier c = {.arena = arena};
    struct message copy = *from;
    if (copy.type == MESSAGE_HELLO) {
        dup_hello(&c, &copy.u.hello);
    } else if (copy.type == MESSAGE_WELCOME) {
        dup_welcome(&c, &copy.u.welcome);
    } else if (copy.type == MESSAGE_REFUSE) {
        dup_text(&c, &copy.u.refuse.text);
    } else if (copy.type == MESSAGE_BATCH) {
        dup_batch(&c, &copy.u.batch);
    } else if (copy.type == MESSAGE_ACK) {
        dup_ack(&c, &copy.u.ack);
    } else if (copy.type == MESSAGE_CATALOGUE) {
        dup_bytes(&c, &copy.u.catalogue.content);
    } else if (copy.type != MESSAGE_PING) {
        return ERR_PROTOCOL;
    }
    if (c.failed) {
        return ERR_NO_MEMORY;
    }
    *out = copy;
    return ERR_OK;
}

size_t copy_size(const struct message *message)
{
    const struct msg_batch *batch = &message->u.batch;
    if (message->type == MESSAGE_CATALOGUE) {
        return 100 + message->u.catalogue.content.len;
    }
    if (message->type != MESSAGE_BATCH) {
        return 100;
    }
    return 100 +
           40 * (batch->unit_count + batch->hosting_count + batch->status_count +
                 batch->opening_count + batch->signed_heads_count + batch->entry_count +
                 batch->heads_count + batch->digest_count) +
           16 * batch->cell_count;
}

/* Heads coming in: how far an origin's ledger reaches, held against what is known of it. What they
 * come to says whether the cells that come with them are taken: they cover what is known, are
 * behind it, or belong to another ledger of the same name. */
#include "node/internal.h"

static const struct head *find_head(const struct head *heads, size_t count,
                                    const struct id *segment)
{
    for (size_t i = 0; i < count; i++) {
        if (id_equal(&heads[i].segment, segment)) {
            return &heads[i];
        }
    }
    return NULL;
}

/* Makes again what a row says of a segment without entries here, but for how far it is known: that
 * no other continues it, or one from where on. */
static enum err segment_again(struct node *node, struct store_segment *segment)
{
    enum { PAGE = 64 };
    struct store_segment page[PAGE];
    struct store_origin origin;
    struct head *heads;
    struct bytes continues;
    size_t n = PAGE;
    segment->base = segment->clock = segment->continued = 0;
    for (int64_t after = 0; n == PAGE; after = page[n > 0 ? n - 1 : 0].number) {
        TRY(store_segments(node->store, segment->origin, after, page, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            size_t count;
            TRY(store_segment_continues(node->store, page[i].id, &node->arena, &continues));
            TRY(heads_decode(continues, &node->arena, &heads, &count));
            const struct head *head = find_head(heads, count, &segment->name);
            int64_t continued = head == NULL ? 0 : (int64_t)head->length + 1;
            segment->continued = continued > segment->continued ? continued : segment->continued;
        }
    }
    struct opening opening = {.segment = segment->name};
    TRY(store_origin_get(node->store, segment->origin, &origin));
    opening.origin = origin.name;
    TRY(store_segment_continues(node->store, segment->id, &node->arena, &continues));
    TRY(heads_decode(continues, &node->arena, &heads, &opening.continue_count));
    opening.continues = heads;
    segment->held_hash = opening_hash(&opening, &node->scratch);
    segment->sound = !node->scratch.failed;
    return node->scratch.failed ? ERR_NO_MEMORY : ERR_OK;
}

/* Of a segment without entries here nothing but its row tells how far it was known. A row that is
 * not what was written tells nothing, and what is stated goes, unless cells here stand for more. */
static enum err forget_damaged(struct node *node, struct store_segment *segment,
                               const struct head *stated)
{
    struct bytes bytes;
    struct head *stood = NULL;
    size_t count = 0;
    if (segment->sound || segment->held > 0 || stated->length > (uint64_t)COUNT_MAX) {
        return ERR_OK;
    }
    enum err err = store_origin_stood(node->store, segment->origin, &node->arena, &bytes);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    TRY(err == ERR_OK ? heads_decode(bytes, &node->arena, &stood, &count) : ERR_OK);
    const struct head *least = find_head(stood, count, &segment->name);
    if (least != NULL && stated->length < least->length) {
        return ERR_OK;
    }
    TRY(segment_again(node, segment));
    node_log(node, true, "repaired=\"what is known of a segment\"");
    segment->length = (int64_t)stated->length - 1; /* what is stated is news then */
    return ERR_OK;
}

/* Takes one stated head in; says how it stands against what is known of that segment. */
static enum err take_head(struct receiver *r, const struct head *head, struct cached_origin *origin,
                          enum heads_standing *standing)
{
    struct node *node = r->node;
    struct store_segment segment;
    int64_t id = origin->row.id;
    enum err err = store_segment_find(node->store, &head->segment, &segment);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && segment.origin != id)) {
        *standing = HEADS_FORK;
        return ERR_OK;
    }
    TRY(err);
    bool escrowed = id == r->link->origin && !r->link->up;
    int64_t length = (int64_t)head->length;
    *standing = HEADS_COVER;
    TRY(escrowed ? ERR_OK : forget_damaged(node, &segment, head));
    if (head->length > (uint64_t)COUNT_MAX || (escrowed && length > segment.held)) {
        *standing = HEADS_FORK;
    } else if (length < segment.length) {
        *standing = HEADS_BEHIND;
    } else if (length == segment.length && !hash_equal(&head->hash, &segment.hash)) {
        *standing = HEADS_FORK;
    } else if (length > segment.length) {
        segment.length = length;
        segment.hash = head->hash;
        origin->marked = false;
        TRY(node_write(node));
        TRY(store_segment_set(node->store, &segment));
    }
    return ERR_OK;
}

static const struct head *stated_head(const struct origin_heads *stated, const struct id *segment)
{
    return find_head(stated->heads, stated->head_count, segment);
}

/* A segment of which nothing but its opening has been heard is covered by what it continues. */
static enum err opening_covered(struct node *node, const struct id *name,
                                const struct origin_heads *stated, bool *covered)
{
    struct store_segment segment;
    struct bytes continues;
    struct head *heads;
    size_t n;
    TRY(store_segment_find(node->store, name, &segment));
    TRY(store_segment_continues(node->store, segment.id, &node->arena, &continues));
    TRY(heads_decode(continues, &node->arena, &heads, &n));
    *covered = true;
    for (size_t i = 0; i < n; i++) {
        const struct head *there = stated_head(stated, &heads[i].segment);
        *covered = *covered &&
                   (heads[i].length == 0 || (there != NULL && there->length >= heads[i].length));
    }
    return ERR_OK;
}

/* The known frontier must be among the stated heads or continued by them. */
static enum err frontier_covered(struct node *node, int64_t origin,
                                 const struct origin_heads *stated, bool *covered)
{
    struct head *known;
    size_t n;
    TRY(ledger_frontier(node, origin, &known, &n));
    *covered = true;
    for (size_t i = 0; i < n; i++) {
        bool found = stated_head(stated, &known[i].segment) != NULL;
        if (!found && known[i].length == 0) {
            TRY(opening_covered(node, &known[i].segment, stated, &found));
        }
        *covered = *covered && found;
    }
    return ERR_OK;
}

/* What comes with these heads counts entries up to them, as does what has come before. */
static enum err keep_stood(struct node *node, struct cached_origin *origin,
                           const struct origin_heads *heads)
{
    struct buf bytes;
    buf_init(&bytes, 1 << 20);
    enum err err = heads_encode(heads->heads, heads->head_count, &bytes);
    uint64_t hash = map_hash(bytes.data, bytes.len) | 1;
    if (err == ERR_OK && hash != origin->stood) {
        err = node_write(node);
        err = err == ERR_OK ? store_origin_stood_set(node->store, origin->row.id, buf_bytes(&bytes))
                            : err;
        origin->stood = hash;
    }
    buf_deinit(&bytes);
    return err;
}

/* It may have been a damaged row, here or on the way, that did not fit. What was refused for it is
 * missing now, and comes again with the next mark. */
static enum err fits_again(struct node *node, struct cached_origin *origin, const char *name)
{
    bool was = false;
    TRY(origin->fits ? ERR_OK : node_alarm_over(node, "fork", name, "it fits again", &was));
    origin->fits = true;
    TRY(was ? store_refused_forget(node->store, origin->row.id) : ERR_OK);
    return was ? store_refused_total(node->store, &node->refused_rows) : ERR_OK;
}

enum err receive_forks_over(struct node *node, int64_t child)
{
    enum { PAGE = 64 };
    struct store_origin origins[PAGE];
    struct store_alarm any;
    size_t n;
    TRY(store_alarms_about(node->store, "fork", "", &node->arena, &any, 1, &n));
    n = n == 0 ? 0 : PAGE;
    for (int64_t after = 0; n == PAGE; after = origins[n > 0 ? n - 1 : 0].id) {
        TRY(store_origins(node->store, after, origins, PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            char name[ID_HEX_BYTES];
            bool was;
            id_format(&origins[i].name, name);
            TRY(origins[i].via != child
                    ? ERR_OK
                    : node_alarm_over(node, "fork", name,
                                      "the office that it came from has put its file back, or made "
                                      "it anew, since",
                                      &was));
        }
    }
    return ERR_OK;
}

enum err receive_heads(struct receiver *r, const struct origin_heads *heads)
{
    struct node *node = r->node;
    struct cached_origin *origin;
    int64_t held;
    TRY(receive_origin(r, &heads->origin, &origin));
    if (origin == NULL) {
        return ERR_OK; /* its cells are refused one by one */
    }
    int64_t id = origin->row.id;
    if (receive_waits(r, id)) {
        return ERR_OK;
    }
    struct stated_heads stated = {.standing = HEADS_COVER};
    for (size_t i = 0; i < heads->head_count; i++) {
        enum heads_standing standing;
        TRY(take_head(r, &heads->heads[i], origin, &standing));
        stated.standing = standing > stated.standing ? standing : stated.standing;
    }
    bool covered;
    TRY(frontier_covered(node, id, heads, &covered));
    stated.standing = !covered && stated.standing == HEADS_COVER ? HEADS_BEHIND : stated.standing;
    TRY(store_ledger_length(node->store, id, &stated.length, &held));
    if (id == r->link->origin && !r->link->up) {
        stated.length = held + r->link->escrow_lost;
    }
    struct stated_heads *slot = map_put(&node->stated, &id, NULL);
    if (slot == NULL) {
        return ERR_NO_MEMORY;
    }
    *slot = stated;
    TRY(stated.standing == HEADS_COVER && !r->link->up ? keep_stood(node, origin, heads) : ERR_OK);
    char name[ID_HEX_BYTES];
    id_format(&heads->origin, name);
    TRY(stated.standing == HEADS_COVER ? fits_again(node, origin, name) : ERR_OK);
    if (stated.standing == HEADS_FORK) {
        origin->fits = false;
        return node_alarm(
            node, "fork", name,
            "the ledger that came from %s differs from the one known of this origin; its cells "
            "are not taken in",
            refuse_sender(node, r->link));
    }
    return ERR_OK;
}

/* The own origin is sealed where entries of it are lost: neither here nor in the escrow, but known
 * above by what their cells come to.
 *
 * 1. What came from above names every segment with its length there. One that is longer there than
 * here, and that no segment here continues up to there, has lost its end; one that is not here is
 * lost as a whole, and its opening is taken from above.
 * 2. The own ledger is walked once: of each cell, how many of its entries are among those that the
 * cells above stand for, and what the others come to.
 * 3. A cell that counts more above than that has lost entries. Its base (lost.h) is what it comes
 * to above and what came to it here since.
 * 4. A new segment continues the own heads and the lost ones, and has the bases as its entries. So
 * they go into escrow and come back like all others, and offices above see the ledger go on from
 * where they know it. */
#include "node/sealing.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/audit.h"
#include "node/heal.h"
#include "node/lost.h"
#include "node/merge.h"

enum { SEAL_PAGE = 256, FLUSH_CELLS = 1000 };

/* What some entries of a cell come to. */
struct part {
    struct store_cell sum;
    struct merge_rank rank;
};

/* A cell of the own ledger, as seen from above and from here. */
struct weighed {
    int64_t entries;    /* of it in this file */
    int64_t known;      /* what it counts with those that are known above */
    int64_t before;     /* those before its base */
    int64_t undone;     /* corrections that are not known above, of records that are */
    struct part beyond; /* those that are not */
    struct part under;  /* those that its base stands for, when that is not known above */
};

struct sealing {
    struct node *node;
    struct map cells; /* store_cell_key -> struct weighed */
    struct lost lost;
    struct head heads[CONTINUES_MAX];
    size_t head_count;
    int64_t seen_base; /* segment of the last base that was held against what is known above */
    bool seen_overlap;
    int64_t undone; /* corrections that change nothing any more */
    size_t own_heads;
    size_t told; /* of the other heads, those that are one of a segment that was told */
    struct store_entry *page;
    int64_t gone;      /* entries */
    int64_t stood_for; /* all that entries stand for, the new ones too */
    int64_t bases;     /* cells that get one */
    bool later;        /* it cannot be done yet */
    const char *no;    /* why it cannot be done */
};

/* ---- what is lost ---- */

/* Whether what is known above of a segment, which is not more than is here, is what is here. */
static enum err same_history(struct node *node, const struct store_segment *segment,
                             const struct store_returned_segment *there, struct arena *arena,
                             bool *same)
{
    struct store_entry entry = {.hash = segment->hash};
    *same = there->length == 0;
    if (*same) {
        return ERR_OK;
    }
    enum err err = there->length == segment->length
                       ? ERR_OK
                       : store_entry_get(node->store, segment->id, there->length, arena, &entry);
    *same = err == ERR_OK && hash_equal(&entry.hash, &there->hash);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err hold_against(void *ctx, const struct store_returned_segment *there,
                             struct arena *arena)
{
    struct sealing *s = ctx;
    struct node *node = s->node;
    struct store_segment segment;
    bool same;
    enum err err = store_segment_find(node->store, &there->name, &segment);
    if (err == ERR_NOT_FOUND) {
        s->gone += there->length;
        return ERR_OK;
    }
    TRY(err);
    if (segment.origin != node->own_origin) {
        s->no = "a segment that is named is another node's";
        return ERR_OK;
    }
    if (there->length > segment.length) {
        s->gone += segment.continued <= there->length ? there->length - segment.length : 0;
    } else {
        TRY(same_history(node, &segment, there, arena, &same));
        s->no = same ? s->no : "the history known there is another one";
    }
    return ERR_OK;
}

/* ---- the new segment ---- */

static enum err take_opening(void *ctx, const struct store_returned_segment *there,
                             struct arena *arena)
{
    const struct sealing *s = ctx;
    struct opening opening = {.origin = s->node->origin, .segment = there->name};
    struct head *heads;
    TRY(heads_decode(there->continues, arena, &heads, &opening.continue_count));
    opening.continues = heads;
    return heal_opening(s->node, &opening);
}

/* A head that is that of one that was told. */
static enum err look_for_head(void *ctx, const struct store_returned_segment *there,
                              struct arena *arena)
{
    struct sealing *s = ctx;
    (void)arena;
    for (size_t i = 0; i < s->head_count - s->own_heads; i++) {
        const struct head *head = &s->heads[i];
        bool is = id_equal(&head->segment, &there->name) &&
                  (int64_t)head->length == there->length && hash_equal(&head->hash, &there->hash);
        s->told += is ? 1 : 0;
    }
    return ERR_OK;
}

static bool is_head(const struct sealing *s, const struct id *segment)
{
    for (size_t i = 0; i < s->head_count; i++) {
        if (id_equal(&s->heads[i].segment, segment)) {
            return true;
        }
    }
    return false;
}

static void add_head(struct sealing *s, const struct head *head)
{
    if (s->head_count == CONTINUES_MAX) {
        s->no = "more lines of it ended than one segment can continue";
        return;
    }
    s->heads[s->head_count++] = *head;
}

/* The heads above of which more is known than is here, and the own ones. Before the openings are
 * taken. */
static enum err find_heads(struct sealing *s, struct bytes frontier)
{
    struct node *node = s->node;
    struct head *there;
    struct head *own;
    size_t n;
    TRY(heads_decode(frontier, &node->arena, &there, &n));
    for (size_t i = 0; i < n; i++) {
        struct store_segment segment = {.length = -1};
        enum err err = store_segment_find(node->store, &there[i].segment, &segment);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        bool sealed = err == ERR_OK && segment.continued > (int64_t)there[i].length;
        if ((int64_t)there[i].length > segment.length && !sealed) {
            add_head(s, &there[i]);
        }
    }
    TRY(ledger_frontier(node, node->own_origin, &own, &n));
    for (size_t i = 0; i < n && s->no == NULL; i++) {
        if (!is_head(s, &own[i].segment)) {
            add_head(s, &own[i]);
            s->own_heads++;
        }
    }
    return ERR_OK;
}

/* ---- the walk ---- */

static bool known_above(const struct sealing *s, int64_t segment, int64_t seq)
{
    return lost_before_heads(&s->lost, segment, seq);
}

static bool key_of(const struct sealing *s, const struct store_entry *entry,
                   struct store_cell_key *key, const struct measure **measure)
{
    struct entry_lost said;
    *measure = view_measure(&s->node->view, entry->measure);
    if (entry->kind == ENTRY_ACT || *measure == NULL) {
        return false;
    }
    *key = (struct store_cell_key){entry->unit, entry->measure, entry->category, 0,
                                   s->node->own_origin};
    key->period = period_of_day((*measure)->frequency, entry->day).index;
    if (entry->kind == ENTRY_LOST) {
        bool good = entry_lost_decode(entry->act, &said) == ERR_OK;
        key->period = good ? said.period : key->period;
    }
    return true;
}

/* A record, if it tells a fact that lives; among those beyond what is known above, unless the fact
 * is known there. */
static enum err weigh_record(struct sealing *s, const struct store_entry *entry,
                             const struct store_segment *segment, bool under, bool stock,
                             struct weighed *weighed)
{
    struct merge_fact fact;
    struct store_entry now = *entry;
    bool known = known_above(s, entry->segment, entry->seq);
    TRY(merge_fact_of(s->node->store, entry, &segment->name, &fact));
    merge_apply(&fact, &now);
    if (!now.live) {
        return ERR_OK;
    }
    bool beyond = !known && !known_above(s, fact.place.segment, fact.place.seq);
    struct part *part = &weighed->under;
    bool fits = !under || merge_add(&now, segment, stock, &part->sum, &part->rank);
    part = &weighed->beyond;
    fits = fits && (!beyond || merge_add(&now, segment, stock, &part->sum, &part->rank));
    return fits ? ERR_OK : ERR_LIMIT;
}

static enum err weigh_correction(struct sealing *s, const struct store_entry *entry,
                                 struct weighed *weighed)
{
    struct store_segment segment;
    enum err err = store_segment_find(s->node->store, &entry->refers_segment, &segment);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    weighed->undone += err == ERR_OK && known_above(s, segment.id, entry->refers_seq) ? 1 : 0;
    return ERR_OK;
}

static enum err weigh_entry(struct sealing *s, const struct store_entry *entry,
                            const struct store_segment *segment)
{
    const struct measure *measure;
    struct store_cell_key key;
    if (!key_of(s, entry, &key, &measure)) {
        return ERR_OK;
    }
    const struct lost_base *base = lost_base(&s->lost, &key);
    bool base_known = base != NULL && known_above(s, base->segment, base->seq);
    bool before = base != NULL && lost_before(&s->lost, base, entry->segment, entry->seq);
    struct weighed *weighed = map_put(&s->cells, &key, NULL);
    TRY(weighed == NULL ? ERR_NO_MEMORY : ERR_OK);
    weighed->entries++;
    weighed->before += before ? 1 : 0;
    if (base_known && entry->segment == base->segment && entry->seq == base->seq) {
        weighed->known++; /* and what comes before it, or was lost: see known_of */
        return ERR_OK;
    }
    if (base_known && before) {
        return ERR_OK;
    }
    bool known = known_above(s, entry->segment, entry->seq);
    weighed->known += known ? 1 : 0;
    weighed->beyond.sum.count += known ? 0 : 1;
    if (!known && (entry->kind == ENTRY_AMEND || entry->kind == ENTRY_VOID)) {
        TRY(weigh_correction(s, entry, weighed));
    }
    return entry->kind != ENTRY_RECORD
               ? ERR_OK
               : weigh_record(s, entry, segment, before, measure->kind == MEASURE_STOCK, weighed);
}

static enum err weigh_segment(struct sealing *s, const struct store_segment *segment)
{
    struct node *node = s->node;
    struct arena arena;
    struct store_entry *page = s->page;
    size_t n = SEAL_PAGE;
    enum err err = ERR_OK;
    arena_init(&arena, (size_t)4 << 20);
    for (int64_t after = 0; err == ERR_OK && n == SEAL_PAGE;) {
        arena_reset(&arena);
        err = store_entries(node->store, segment->id, after, &arena, page, SEAL_PAGE, &n);
        for (size_t i = 0; err == ERR_OK && i < n; i++) {
            after = page[i].seq;
            err = weigh_entry(s, &page[i], segment);
        }
    }
    arena_reset(&arena);
    return err;
}

static enum err weigh_ledger(struct sealing *s)
{
    struct node *node = s->node;
    struct store_segment segment;
    size_t n = 1;
    s->page = arena_array(&node->arena, SEAL_PAGE, sizeof *s->page);
    TRY(s->page == NULL ? ERR_NO_MEMORY : lost_load(&s->lost));
    for (int64_t after = 0; n == 1; after = segment.number) {
        TRY(store_segments(node->store, node->own_origin, after, &segment, 1, &n));
        TRY(n == 1 ? weigh_segment(s, &segment) : ERR_OK);
    }
    return ERR_OK;
}

/* ---- bases ---- */

/* Puts a part beside what the cell comes to; false when a sum would pass 64 bits. Of stocks of the
 * same hosting and day the part's stands. */
static bool add_part(const struct store_cell *part, bool stock, struct store_cell *cell)
{
    bool higher =
        part->hosting != cell->hosting ? part->hosting > cell->hosting : part->day >= cell->day;
    bool stands = stock && part->live > 0 && (cell->live <= 0 || higher);
    wide value = (wide)cell->value + part->value;
    value = !stock ? value : stands ? part->value : cell->value;
    cell->count += part->count;
    cell->live += part->live;
    cell->value = (int64_t)value;
    cell->hosting = stands ? part->hosting : cell->hosting;
    cell->day = stands ? part->day : cell->day;
    return wide_fits_i64(value) && cell->count <= COUNT_MAX;
}

/* What entries came to that are lost for another office, which had said so before: the base without
 * those of its entries that are here. */
static struct store_cell part_of_base(const struct lost_base *base, const struct weighed *weighed,
                                      bool stock)
{
    const struct store_cell *under = &weighed->under.sum;
    struct store_cell part = {.count = base->gone,
                              .live = base->live - under->live,
                              .value = base->value,
                              .hosting = base->hosting,
                              .day = base->day};
    if (!stock) {
        part.value = (int64_t)((uint64_t)base->value - (uint64_t)under->value);
    }
    return part;
}

/* Whether entries that the base stands for, and nobody has, are among those known above. */
static enum err overlaps(struct sealing *s, const struct lost_base *base, bool *overlap)
{
    struct store_segment page[SEAL_PAGE];
    size_t n = SEAL_PAGE;
    *overlap = s->seen_base == base->segment && s->seen_overlap;
    if (s->seen_base == base->segment) {
        return ERR_OK;
    }
    for (int64_t after = 0; n == SEAL_PAGE; after = n == 0 ? 0 : page[n - 1].number) {
        TRY(store_segments(s->node->store, s->node->own_origin, after, page, SEAL_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            *overlap = *overlap || (lost_before(&s->lost, base, page[i].id, page[i].length + 1) &&
                                    known_above(s, page[i].id, page[i].length + 1));
        }
    }
    s->seen_base = base->segment;
    s->seen_overlap = *overlap;
    return ERR_OK;
}

static enum err append_base(struct sealing *s, const struct store_cell *cell,
                            const struct cell *message, int64_t above, int64_t gone,
                            const struct measure *measure)
{
    struct node *node = s->node;
    struct entry_lost said = {(int32_t)cell->key.period, cell->count, cell->live, above};
    struct period period = {measure->frequency, (int32_t)cell->key.period};
    struct ledger_texts texts = {message->unit, message->measure, message->category, "tally"};
    struct buf bytes;
    int64_t place;
    buf_init(&bytes, 256);
    entry_lost_encode(&said, &bytes);
    struct store_entry entry = {.kind = ENTRY_LOST,
                                .unit = cell->key.unit,
                                .measure = cell->key.measure,
                                .category = cell->key.category,
                                .day = cell->hosting > 0 ? (int32_t)cell->day
                                                         : period_first_day(period),
                                .value = cell->value,
                                .hosting = cell->hosting,
                                .refers_seq = gone,
                                .key = "",
                                .note = "",
                                .act = {bytes.data, bytes.len}};
    enum err err = bytes.failed ? ERR_NO_MEMORY : ledger_append(node, &entry, &texts, &place);
    buf_deinit(&bytes);
    s->bases++;
    return err;
}

/* A base of before that is not known above may stand for the same lost entries, or for others. */
static enum err look_at_base(struct sealing *s, const struct store_cell *above,
                             const struct lost_base *base, bool *beside, bool *better)
{
    bool overlap = false;
    bool unheard = base != NULL && !known_above(s, base->segment, base->seq);
    TRY(unheard ? overlaps(s, base, &overlap) : ERR_OK);
    bool stands = base != NULL && lost_stands(&s->lost, base);
    *beside = unheard && !overlap && stands;
    *better = unheard && overlap && stands && base->above >= above->count;
    return ERR_OK;
}

/* What the cell counts with the entries that are known above: what its base counts among them. */
static int64_t known_of(struct sealing *s, const struct weighed *weighed,
                        const struct lost_base *base)
{
    bool base_known = base != NULL && known_above(s, base->segment, base->seq);
    int64_t before = !base_known ? 0 : !lost_stands(&s->lost, base) ? weighed->before : base->count;
    return weighed->known + before;
}

/* A stock's day lies in the cell's period. */
static bool day_fits(const struct store_cell *cell, const struct measure *measure)
{
    return cell->hosting == 0 ||
           period_of_day(measure->frequency, (int32_t)cell->day).index == cell->key.period;
}

static enum err seal_cell(struct sealing *s, const struct store_cell *above)
{
    const struct measure *measure = view_measure(&s->node->view, above->key.measure);
    const struct weighed none = {.entries = 0};
    const struct weighed *weighed = map_get(&s->cells, &above->key);
    const struct lost_base *base = lost_base(&s->lost, &above->key);
    bool stock = measure != NULL && measure->kind == MEASURE_STOCK;
    bool beside;
    bool better;
    weighed = weighed == NULL ? &none : weighed;
    TRY(look_at_base(s, above, base, &beside, &better));
    if (above->count <= known_of(s, weighed, base) || better) {
        return ERR_OK;
    }
    if (measure == NULL) { /* its catalogue is on its way */
        s->later = true;
        return ERR_REFUSED;
    }
    struct store_cell cell = *above;
    struct cell message;
    bool fits = period_index_valid(measure->frequency, (int32_t)above->key.period) &&
                day_fits(above, measure);
    if (fits && beside) {
        struct store_cell part = part_of_base(base, weighed, stock);
        fits = add_part(&part, stock, &cell);
    }
    int64_t counted = cell.count; /* above, here or there */
    fits = fits && add_part(&weighed->beyond.sum, stock, &cell);
    cell.live = cell.live < 0 ? 0 : cell.live;
    if (stock && cell.live == 0) {
        cell.value = cell.hosting = cell.day = 0;
    }
    TRY(cells_message(s->node, &cell, &message));
    if (!fits || !receive_cell_sound(&message)) { /* the office above would not take it */
        return node_alarm(s->node, "entries-lost", "cell",
                          "what lost entries came to in a cell cannot be taken over: its "
                          "period cannot be, or its sum would pass 64 bits");
    }
    int64_t gone = cell.count - weighed->entries - (base == NULL ? 0 : base->gone);
    gone = gone < 0 ? 0 : gone;
    if (gone > COUNT_MAX - s->stood_for) {
        s->no = "more entries are said to be lost than there can be";
        return ERR_REFUSED;
    }
    s->stood_for += gone;
    s->undone += weighed->undone;
    return append_base(s, &cell, &message, counted, gone, measure);
}

static enum err seal_cells(struct sealing *s)
{
    struct node *node = s->node;
    struct store_cell *page = arena_array(&node->arena, SEAL_PAGE, sizeof *page);
    struct store_cell_key after = {.origin = node->own_origin};
    size_t n = SEAL_PAGE;
    TRY(page == NULL ? ERR_NO_MEMORY : ERR_OK);
    while (n == SEAL_PAGE) {
        TRY(store_returned_cells(node->store, &after, page, SEAL_PAGE, &n));
        for (size_t i = 0; i < n; i++) {
            TRY(seal_cell(s, &page[i]));
            after = page[i].key;
        }
    }
    return ERR_OK;
}

/* ---- all of it ---- */

enum err sealing_tell(struct node *node, const char *subject, const char *fmt, ...)
{
    char text[TEXT_MAX_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    struct store_alarm alarm = {.code = "entries-lost",
                                .subject = subject,
                                .text = text,
                                .since = node->now.wall,
                                .mended = true};
    node_log(node, true, "alarm=%s subject=%s text=\"%s\"", alarm.code, subject, text);
    TRY(node_write(node));
    return store_alarm_put(node->store, &alarm);
}

static enum err say_so(struct sealing *s)
{
    char undone[200] = "";
    if (s->undone > 0) {
        (void)snprintf(undone, sizeof undone,
                       "; %" PRId64 " correction%s made since, of entries from before, count%s no "
                       "more",
                       s->undone, s->undone == 1 ? "" : "s", s->undone == 1 ? "s" : "");
    }
    return sealing_tell(s->node, "ledger",
                        "%" PRId64 " entries of this node's ledger are lost: no office has them "
                        "any more; what they had come to goes on to count, as %" PRId64
                        " entr%s of kind lost (tally log). What was typed again since counts "
                        "twice: void it%s",
                        s->gone, s->bases, s->bases == 1 ? "y" : "ies", undone);
}

static enum err seal(struct sealing *s, const struct store_returned *there)
{
    struct node *node = s->node;
    struct cached_origin *own;
    struct head *stood;
    size_t n;
    TRY(store_own_lost(node->store, &s->stood_for));
    TRY(find_heads(s, there->frontier));
    TRY(returned_each(node, node->own_origin, look_for_head, s));
    bool all = s->told == s->head_count - s->own_heads;
    s->no = all ? s->no : "heads are named of segments that are not";
    TRY(s->no != NULL ? ERR_REFUSED : returned_each(node, node->own_origin, take_opening, s));
    if (s->no != NULL) {
        return ERR_REFUSED;
    }
    TRY(heads_decode(there->stood, &node->arena, &stood, &n));
    TRY(lost_add_heads(&s->lost, stood, n));
    TRY(weigh_ledger(s));
    TRY(ledger_begin(node, s->heads, s->head_count));
    TRY(seal_cells(s));
    TRY(node_origin(node, node->own_origin, &own));
    own->marked = false;
    TRY(ledger_flush(node));
    node->merged = true;
    node->has_bases = node->has_bases || s->bases > 0;
    node->bases_due = s->bases > 0;
    TRY(store_fact_set_int(node->store, "merged", 1));
    TRY(sealing_settle(node));
    return say_so(s);
}

static enum err seal_whole(struct sealing *s, const struct store_returned *there)
{
    struct node *node = s->node;
    if (node->audit != NULL) { /* what it has passed changes */
        audit_stop(node);
        audit_soon(node, AUDIT_AGAIN_MS);
    }
    TRY(node_savepoint(node));
    enum err err = seal(s, there);
    bool undo = err == ERR_REFUSED || err == ERR_LIMIT || err == ERR_PROTOCOL ||
                err == ERR_NOT_FOUND || err == ERR_CORRUPT || err == ERR_NO_MEMORY;
    TRY(err == ERR_OK || undo ? node_savepoint_end(node, undo) : err);
    s->later = s->later || err == ERR_NO_MEMORY;
    s->no = undo && s->no == NULL ? "its cells, or what came, are damaged" : s->no;
    return ERR_OK;
}

static enum err look(struct sealing *s)
{
    struct node *node = s->node;
    struct store_returned there;
    TRY(store_returned_get(node->store, node->own_origin, &node->arena, &there));
    TRY(ledger_flush(node));
    TRY(returned_each(node, node->own_origin, hold_against, s));
    TRY(s->gone > 0 && s->no == NULL ? seal_whole(s, &there) : ERR_OK);
    if (s->later) { /* what came is kept */
        return ERR_OK;
    }
    if (s->no != NULL) {
        TRY(node_alarm(node, "entries-lost", "ledger",
                       "an office above knows of entries of this node that are not here, and its "
                       "ledger cannot go on from there: %s",
                       s->no));
    }
    return store_returned_delete(node->store, node->own_origin);
}

enum err sealing_seal(struct node *node)
{
    struct sealing s = {.node = node};
    bool rests = node->now.mono.ms < node->seal_after.ms;
    if (!node->seal_due || rests || node->unsound || node->ledger_damaged) {
        return ERR_OK; /* it waits */
    }
    node->seal_after.ms = node->now.mono.ms + AUDIT_AGAIN_MS;
    TRY(node_write(node));
    map_init(&s.cells, sizeof(struct store_cell_key), sizeof(struct weighed));
    lost_init(&s.lost, node->store, node->own_origin);
    enum err err = look(&s);
    map_deinit(&s.cells);
    lost_deinit(&s.lost);
    node->seal_due = err != ERR_OK || s.later;
    return err;
}

/* ---- cells with a base ---- */

static enum err put_right(struct node *node, const struct store_cell *right)
{
    struct pending_cell *pending;
    TRY(cells_touch(node, &right->key, &pending));
    struct store_cell *now = &pending->now;
    now->value = right->value;
    now->count = right->count;
    now->live = right->live;
    now->hosting = right->hosting;
    now->day = right->day;
    now->last = node->ledger_length;
    return hold_cell(node, now);
}

static enum err settle(struct node *node, struct lost *lost)
{
    const void *key;
    void *value;
    size_t n = 0;
    TRY(lost_load(lost));
    struct store_cell *right = calloc(lost->bases.count + 1, sizeof *right);
    TRY(right == NULL ? ERR_NO_MEMORY : ERR_OK);
    for (size_t at = 0; map_next(&lost->bases, &at, &key, &value);) {
        const struct store_cell_key *of = key;
        right[n].key = *of;
        n += view_measure(&node->view, of->measure) != NULL ? 1 : 0;
    }
    enum err err = audit_recompute_own_cells(node->store, &node->view, right, n);
    if (err == ERR_REFUSED) {
        node->ledger_damaged = true; /* until it is looked at again */
    }
    for (size_t i = 0; err == ERR_OK && i < n; i++) {
        err = put_right(node, &right[i]);
        err = err == ERR_OK && (i + 1) % FLUSH_CELLS == 0 ? cells_flush(node) : err;
    }
    free(right);
    return err == ERR_REFUSED ? ERR_OK : err;
}

enum err sealing_settle(struct node *node)
{
    struct lost lost;
    if (!node->bases_due) {
        return ERR_OK;
    }
    TRY(node_write(node));
    TRY(ledger_flush(node));
    lost_init(&lost, node->store, node->own_origin);
    enum err err = settle(node, &lost);
    lost_deinit(&lost);
    node->bases_due = err != ERR_OK;
    return err;
}

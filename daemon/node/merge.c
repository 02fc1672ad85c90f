#include "node/merge.h"

#include <string.h>

#include "proto/entry.h"

enum { MERGE_ARENA_BYTES = 1 << 20 };

/* A walk over the records of one fact, in the order of the ledger. */
struct members {
    struct store *store;
    const struct store_entry *record;
    const struct id *segment;
    struct arena arena; /* of the member under way */
    int64_t rank;
    bool found; /* the record itself was among them, or there was another */
};

static bool is_at(const struct store_placed *placed, const struct store_entry *entry)
{
    return placed->entry.segment == entry->segment && placed->entry.seq == entry->seq;
}

static bool same_record(const struct store_entry *a, const struct store_entry *b)
{
    return a->kind == b->kind && a->unit == b->unit && a->measure == b->measure &&
           a->category == b->category && a->day == b->day && a->value == b->value &&
           strcmp(a->key, b->key) == 0 && strcmp(a->note, b->note) == 0;
}

static void members_begin(struct members *walk, struct store *store,
                          const struct store_entry *record, const struct id *segment)
{
    *walk = (struct members){.store = store, .record = record, .segment = segment};
    arena_init(&walk->arena, MERGE_ARENA_BYTES);
}

/* *there is false after the last. A record that its key does not lead to stands alone. */
static enum err members_next(struct members *walk, struct store_placed *out, bool *there)
{
    enum err err = ERR_OK;
    while (err == ERR_OK && walk->record->key[0] != '\0') {
        arena_reset(&walk->arena);
        err = store_entry_by_key(walk->store, walk->record->key, walk->rank, &walk->arena, out);
        walk->rank++;
        if (err == ERR_OK && same_record(&out->entry, walk->record)) {
            walk->found = true;
            *there = true;
            return ERR_OK;
        }
    }
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    *there = !walk->found;
    walk->found = true;
    *out = (struct store_placed){.entry = *walk->record, .segment = *walk->segment};
    return ERR_OK;
}

static void members_end(struct members *walk)
{
    arena_reset(&walk->arena);
}

enum err merge_corrected(struct store *store, const struct store_entry *correction,
                         struct arena *arena, struct store_entry *record, struct id *segment)
{
    struct store_segment named;
    TRY(store_segment_find(store, &correction->refers_segment, &named));
    TRY(store_entry_get(store, named.id, correction->refers_seq, arena, record));
    *segment = named.name;
    return ERR_OK;
}

/* Whether two corrections are about one fact. */
static enum err same_fact(struct store *store, const struct store_entry *a,
                          const struct store_entry *b, struct arena *arena, bool *same)
{
    struct store_entry records[2];
    struct id segment;
    *same = id_equal(&a->refers_segment, &b->refers_segment) && a->refers_seq == b->refers_seq;
    if (*same) {
        return ERR_OK;
    }
    enum err err = merge_corrected(store, a, arena, &records[0], &segment);
    err = err == ERR_OK ? merge_corrected(store, b, arena, &records[1], &segment) : err;
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    *same = err == ERR_OK && records[0].key[0] != '\0' && same_record(&records[0], &records[1]);
    return ERR_OK;
}

/* Whether one before it, with its key, said the same. */
static enum err says_again(struct store *store, const struct store_placed *amend,
                           struct arena *arena, bool *again)
{
    *again = false;
    for (int64_t rank = 0; !*again && amend->entry.key[0] != '\0'; rank++) {
        struct store_placed other;
        enum err err = store_entry_by_key(store, amend->entry.key, rank, arena, &other);
        if (err == ERR_NOT_FOUND || (err == ERR_OK && is_at(&other, &amend->entry))) {
            return ERR_OK;
        }
        TRY(err);
        if (other.entry.kind == amend->entry.kind && other.entry.value == amend->entry.value &&
            strcmp(other.entry.note, amend->entry.note) == 0) {
            TRY(same_fact(store, &other.entry, &amend->entry, arena, again));
        }
    }
    return ERR_OK;
}

/* What the corrections of a fact say, as far as they have been read. */
struct said {
    bool is_void;
    bool amended;
    struct store_placed last; /* amend */
};

static bool is_later(const struct store_placed *a, const struct store_placed *b)
{
    return a->clock != b->clock ? a->clock > b->clock
                                : memcmp(a->segment.b, b->segment.b, ID_BYTES) > 0;
}

static enum err hear(struct store *store, const struct store_placed *record, struct said *said)
{
    struct arena arena;
    enum err err = ERR_OK;
    arena_init(&arena, MERGE_ARENA_BYTES);
    for (int64_t rank = 0; err == ERR_OK && !said->is_void; rank++) {
        struct store_placed found;
        arena_reset(&arena);
        err = store_entry_correction(store, &record->segment, record->entry.seq, rank, &arena,
                                     &found);
        if (err != ERR_OK) {
            break;
        }
        bool again = false;
        bool newer = !said->amended || is_later(&found, &said->last);
        said->is_void = found.entry.kind == ENTRY_VOID;
        if (!said->is_void && newer) {
            err = says_again(store, &found, &arena, &again);
        }
        if (err == ERR_OK && !said->is_void && newer && !again) {
            said->amended = true;
            said->last = found;
        }
    }
    arena_reset(&arena);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err merge_fact_of(struct store *store, const struct store_entry *record,
                       const struct id *segment, struct merge_fact *out)
{
    struct members walk;
    struct store_placed member;
    struct said said = {.is_void = false};
    bool first = true;
    bool there = true;
    enum err err = ERR_OK;
    members_begin(&walk, store, record, segment);
    while (err == ERR_OK && there) {
        err = members_next(&walk, &member, &there);
        if (err == ERR_OK && there) {
            if (first) {
                out->place =
                    (struct merge_place){member.entry.segment, member.segment, member.entry.seq};
                first = false;
            }
            err = hear(store, &member, &said);
        }
    }
    members_end(&walk);
    TRY(err);
    out->live = !said.is_void;
    out->value = said.is_void ? 0 : said.amended ? said.last.entry.value : record->value;
    return ERR_OK;
}

void merge_apply(const struct merge_fact *fact, struct store_entry *record)
{
    bool tells = record->segment == fact->place.segment && record->seq == fact->place.seq;
    record->live = tells && fact->live;
    record->now_value = record->live ? fact->value : 0;
}

bool merge_add(const struct store_entry *record, const struct store_segment *segment, bool stock,
               struct store_cell *sum, struct merge_rank *rank)
{
    int64_t clock = segment->clock + record->seq;
    bool later = clock != rank->clock ? clock > rank->clock
                                      : memcmp(segment->name.b, rank->segment.b, ID_BYTES) > 0;
    later = record->day != sum->day ? record->day > sum->day : later;
    later = record->hosting != sum->hosting ? record->hosting > sum->hosting : later;
    later = later || sum->live == 0;
    sum->live++;
    if (!stock) {
        wide value = (wide)sum->value + record->now_value;
        sum->value = (int64_t)value;
        return wide_fits_i64(value);
    }
    if (later) {
        sum->value = record->now_value;
        sum->hosting = record->hosting;
        sum->day = record->day;
        *rank = (struct merge_rank){clock, segment->name};
    }
    return true;
}

enum err merge_is_before(struct store *store, const struct store_entry *record,
                         const struct id *segment, const struct lost *lost,
                         const struct lost_base *base, bool *before)
{
    struct members walk;
    struct store_placed member;
    bool there = true;
    enum err err = ERR_OK;
    *before = lost_before(lost, base, record->segment, record->seq);
    members_begin(&walk, store, record, segment);
    while (err == ERR_OK && there && !*before) {
        err = members_next(&walk, &member, &there);
        *before = err == ERR_OK && there &&
                  lost_before(lost, base, member.entry.segment, member.entry.seq);
    }
    members_end(&walk);
    return err;
}

enum err merge_settle(struct store *store, const struct store_entry *record,
                      const struct merge_fact *fact, wide *value, int64_t *live)
{
    struct members walk;
    struct store_placed member;
    bool there = true;
    enum err err = ERR_OK;
    *value = 0;
    *live = 0;
    members_begin(&walk, store, record, &fact->place.name);
    while (err == ERR_OK && there) {
        err = members_next(&walk, &member, &there);
        const struct store_entry *row = &member.entry;
        if (err != ERR_OK || !there) {
            break;
        }
        struct store_entry now = *row;
        merge_apply(fact, &now);
        *value += (wide)now.now_value - (row->live ? row->now_value : 0);
        *live += (now.live ? 1 : 0) - (row->live ? 1 : 0);
        if (row->live != now.live || row->now_value != now.now_value) {
            err = store_entry_state_set(store, row->segment, row->seq, now.live, now.now_value);
        }
    }
    members_end(&walk);
    return err;
}

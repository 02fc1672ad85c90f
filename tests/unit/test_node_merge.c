/* layer: node store codec */
/* Ledgers whose lines part and meet again, at random, against a model that goes through the entries
 * in their order once: which records live, with which value, and what has changed when one more
 * entry is taken in. The seed is new in every run and printed; TALLY_SEED=N runs one again. */
#include <time.h>

#include "node/merge.h"
#include "test_node_world.h"

enum {
    ROUNDS = 60,
    SEGMENTS = 5,
    ENTRIES = 40,
    KEYS = 4,
    UNITS = 2,
    VALUES = 2,
    ORIGIN = 1,
};

/* An entry as it was made, and what the model says of it. */
struct made {
    struct store_entry entry;
    int64_t clock;
    struct id segment;
    int refers; /* index; -1 for a record */
    bool taken;
    int fact; /* index of the record that tells it */
    bool live;
    int64_t value;
    bool again; /* an amend that only says again */
};

static struct made made[ENTRIES];
static struct store *store;
static char keys[KEYS][16];

static int by_order(const void *a, const void *b)
{
    const struct made *x = &made[*(const int *)a];
    const struct made *y = &made[*(const int *)b];
    return x->clock != y->clock ? (x->clock > y->clock) - (x->clock < y->clock)
                                : memcmp(x->segment.b, y->segment.b, ID_BYTES);
}

static bool alike(const struct store_entry *a, const struct store_entry *b)
{
    return a->kind == b->kind && a->key[0] != '\0' && strcmp(a->key, b->key) == 0 &&
           a->unit == b->unit && a->value == b->value;
}

/* Goes through what is taken in, in the order of the ledger. */
static void model(void)
{
    int order[ENTRIES];
    int n = 0;
    for (int i = 0; i < ENTRIES; i++) {
        if (made[i].taken) {
            order[n++] = i;
        }
    }
    qsort(order, (size_t)n, sizeof *order, by_order);
    for (int i = 0; i < n; i++) {
        struct made *now = &made[order[i]];
        now->fact = order[i];
        now->live = now->entry.kind == ENTRY_RECORD;
        now->value = now->entry.value;
        now->again = false;
        for (int j = 0; j < i && now->refers < 0; j++) {
            if (alike(&made[order[j]].entry, &now->entry)) {
                now->fact = made[order[j]].fact;
                now->live = false;
                now->value = 0;
                break;
            }
        }
        if (now->refers < 0) {
            continue;
        }
        now->fact = made[now->refers].fact;
        for (int j = 0; j < i && now->entry.kind == ENTRY_AMEND; j++) {
            const struct made *before = &made[order[j]];
            now->again = now->again || (before->refers >= 0 && alike(&before->entry, &now->entry) &&
                                        before->fact == now->fact);
        }
        struct made *fact = &made[now->fact];
        if (fact->live && !now->again) {
            fact->live = now->entry.kind == ENTRY_AMEND;
            fact->value = fact->live ? now->entry.value : 0;
        }
    }
}

/* A ledger of segments that begin after any entries of one or two others. */
static void make(void)
{
    struct store_segment segments[SEGMENTS];
    int64_t lengths[SEGMENTS] = {0};
    for (int i = 0; i < SEGMENTS; i++) {
        segments[i] = (struct store_segment){.origin = ORIGIN};
        world_fill(NULL, segments[i].name.b, ID_BYTES);
    }
    int begun = 0;
    for (int i = 0; i < ENTRIES; i++) {
        bool begins = begun < SEGMENTS && (begun == 0 || world_chance(15));
        if (begins) {
            for (int k = 0; begun > 0 && k < 2; k++) {
                size_t before = world_below((size_t)begun);
                int64_t clock =
                    segments[before].clock + (int64_t)world_below((size_t)lengths[before] + 1);
                segments[begun].clock =
                    clock > segments[begun].clock ? clock : segments[begun].clock;
            }
            assert_int_equal(
                store_segment_add(store, &segments[begun], (struct bytes){(const uint8_t *)"", 0}),
                ERR_OK);
            begun++;
        }
        size_t at = begins ? (size_t)begun - 1 : world_below((size_t)begun);
        struct made *now = &made[i];
        *now = (struct made){.segment = segments[at].name, .refers = -1};
        now->entry = (struct store_entry){.segment = segments[at].id,
                                          .seq = ++lengths[at],
                                          .kind = ENTRY_RECORD,
                                          .unit = 1 + (int64_t)world_below(UNITS),
                                          .measure = 1,
                                          .day = 100,
                                          .value = 1 + (int64_t)world_below(VALUES),
                                          .key = world_chance(30) ? "" : keys[world_below(KEYS)],
                                          .note = "",
                                          .own = true};
        now->clock = segments[at].clock + lengths[at];
        int named = (int)world_below((size_t)i + 1);
        if (named < i && made[named].refers < 0 && made[named].clock < now->clock) {
            now->refers = named;
            now->entry.kind = world_chance(25) ? ENTRY_VOID : ENTRY_AMEND;
            now->entry.value = now->entry.kind == ENTRY_VOID ? 0 : now->entry.value;
            now->entry.unit = made[named].entry.unit;
            now->entry.refers_segment = made[named].segment;
            now->entry.refers_seq = made[named].entry.seq;
        }
    }
}

/* The record that an entry is about. */
static struct store_entry record_of(const struct made *now, struct id *segment, struct arena *arena)
{
    struct store_entry record;
    assert_int_equal(store_entry_get(store, now->entry.segment, now->entry.seq, arena, &record),
                     ERR_OK);
    *segment = now->segment;
    if (now->refers >= 0) {
        assert_int_equal(merge_corrected(store, &record, arena, &record, segment), ERR_OK);
    }
    return record;
}

/* Takes one in and settles its fact: what changes is what the model says. */
static void take(struct made *now, struct arena *arena)
{
    struct merge_fact fact;
    struct id segment;
    wide value = 0;
    int64_t live = 0;
    for (int i = 0; i < ENTRIES; i++) {
        value -= made[i].taken && made[i].refers < 0 && made[i].live ? made[i].value : 0;
        live -= made[i].taken && made[i].refers < 0 && made[i].live ? 1 : 0;
    }
    now->taken = true;
    model();
    for (int i = 0; i < ENTRIES; i++) {
        value += made[i].taken && made[i].refers < 0 && made[i].live ? made[i].value : 0;
        live += made[i].taken && made[i].refers < 0 && made[i].live ? 1 : 0;
    }
    assert_int_equal(store_entry_add(store, &now->entry), ERR_OK);
    struct store_entry record = record_of(now, &segment, arena);
    wide more;
    int64_t more_live;
    assert_int_equal(merge_fact_of(store, &record, &segment, &fact), ERR_OK);
    assert_int_equal(merge_settle(store, &record, &fact, &more, &more_live), ERR_OK);
    assert_true(more == value);
    assert_int_equal(more_live, live);
}

static void check_all(struct arena *arena)
{
    for (int i = 0; i < ENTRIES; i++) {
        if (!made[i].taken || made[i].refers >= 0) {
            continue;
        }
        struct merge_fact fact;
        struct id segment;
        const struct made *tells = &made[made[i].fact];
        struct store_entry record = record_of(&made[i], &segment, arena);
        assert_int_equal(record.live, made[i].live);
        assert_int_equal(record.now_value, made[i].live ? made[i].value : 0);
        assert_int_equal(merge_fact_of(store, &record, &segment, &fact), ERR_OK);
        assert_int_equal(fact.place.segment, tells->entry.segment);
        assert_int_equal(fact.place.seq, tells->entry.seq);
        assert_int_equal(fact.live, tells->live);
        assert_int_equal(fact.value, tells->live ? tells->value : 0);
    }
}

static void run_round(uint64_t seed)
{
    struct arena arena;
    world.seed = seed;
    world.state = seed;
    arena_init(&arena, 4 << 20);
    assert_int_equal(store_open(":memory:", STORE_CREATE, &store, NULL), ERR_OK);
    for (int i = 0; i < KEYS; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "k%d", i);
    }
    make();
    /* In any order that keeps a correction behind its record. */
    for (int left = ENTRIES; left > 0;) {
        struct made *now = &made[world_below(ENTRIES)];
        if (!now->taken && (now->refers < 0 || made[now->refers].taken)) {
            take(now, &arena);
            check_all(&arena);
            arena_reset(&arena);
            left--;
        }
    }
    store_close(store);
}

static void test_random_lines(void **state)
{
    (void)state;
    const char *given = getenv("TALLY_SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL) * 1000;
    for (uint64_t i = 0; i < (given != NULL ? 1 : ROUNDS); i++) {
        print_message("seed %llu\n", (unsigned long long)(seed + i));
        run_round(seed + i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

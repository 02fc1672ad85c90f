/* layer: node store codec */
/* Random days in the life of a tree of three tiers, from one seed: records, corrections, imports,
 * cut links, crashes, a root put back from a copy, catalogues and units that come late. When all
 * links work again, every total at every node must be what the model makes of the confirmed
 * entries, and nothing may have been lost, refused or alarmed on the way.
 *
 * The seeds are new in every run and printed; TALLY_SEED=N runs one again, TALLY_LONG=1 many. */
#include "test_node_model.h"

enum { STEPS = 120, SEEDS = 16, SEEDS_VALGRIND = 2, SEEDS_LONG = 2000, MODEL_DAYS = 700 };

struct plan {
    bool restores;  /* the root is put back from a copy */
    bool late_node; /* a hosted unit gets its own node */
    bool copied;
    int highest; /* that was ever published: the nodes below keep it */
    int version; /* of the catalogue that the root has published */
    int copied_version;
    size_t branches;
};

static struct plan plan;

static const struct world_node *root(void)
{
    return &world.nodes[0];
}

static int depth_of(const struct world_node *n)
{
    return n->parent == NULL ? 1 : 1 + depth_of(n->parent);
}

static struct world_node *any_node(void)
{
    return &world.nodes[world_below(world.count)];
}

/* ---- a tree of 1 + 2 + 4 nodes with hosted units ---- */

static void add_branch(struct world_node *at, const char *parent)
{
    char code[MODEL_CODE_BYTES];
    (void)snprintf(code, sizeof code, "%s.%zu", parent, ++plan.branches);
    const struct world_reply *reply = tree_unit(at, code, "branch", parent);
    assert_string_equal(reply->text, "");
    model_add_unit(code, "branch", parent);
}

static struct world_node *add_node(struct world_node *parent, const char *code, const char *level)
{
    model_add_unit(code, level, parent->unit);
    return tree_child(parent, code, level);
}

static void plant(void)
{
    struct world_node *top = tree_root("4", world_chance(50) ? tree_catalogue(1) : NULL);
    plan.version = top->node->view.catalogue.version > 0 ? 1 : 0;
    model_add_unit("4", "province", "");
    struct world_node *left = add_node(top, "42", "district");
    struct world_node *right = add_node(top, "421", "district");
    (void)add_node(left, "4211", "commune");
    (void)add_node(left, "5", "commune");
    (void)add_node(right, "42x", "commune");
    (void)add_node(right, "6", "commune");
    model_add_unit("43", "commune", "42");
    assert_string_equal(tree_unit(left, "43", "commune", "")->text, "");
    for (size_t i = 0; i < world.count; i++) {
        if (world_chance(60)) {
            add_branch(&world.nodes[i], world.nodes[i].unit);
        }
    }
}

/* ---- steps ---- */

static int32_t any_day(void)
{
    /* Mostly few days, so that keys of cells meet; else any of two years. */
    int32_t first = day_from_civil(2024, 1, 1);
    return first + (int32_t)(world_chance(70) ? 31 * world_below(24) : world_below(MODEL_DAYS));
}

/* Any unit at or below the node: others would only be refused. */
static const char *any_unit(const struct world_node *n)
{
    int top = model_unit(n->unit);
    for (;;) {
        int unit = (int)world_below(model.unit_count);
        if (model_within(unit, top)) {
            return model.units[unit].code;
        }
    }
}

static struct record_row any_row(const struct world_node *n, char value[32], char key[16])
{
    static const char *const GROUPS[] = {"", "group=cadre", "group=other", "group=child"};
    const struct catalogue *all = tree_catalogue(TREE_VERSIONS);
    const struct measure *measure = &all->measures[world_below(all->measure_count)];
    const char *category = measure->dimension_count > 0 ? GROUPS[world_below(4)] : "";
    int64_t number = world_chance(5) ? (int64_t)(world_random() % 2000000000000000u) - VALUE_MAX
                                     : (int64_t)world_below(2000) - 500;
    (void)snprintf(value, 32, "%lld", (long long)number);
    (void)snprintf(key, 16, "k%zu", world_below(60));
    return (struct record_row){.unit = any_unit(n),
                               .measure = measure->code,
                               .day = any_day(),
                               .category = category,
                               .value = value,
                               .key = world_chance(40) ? key : "",
                               .note = ""};
}

static bool may_record(const struct world_node *n)
{
    return n != root() || !plan.copied;
}

static void take_record(struct world_node *n, const struct record_row *row,
                        const struct recorded_row *recorded)
{
    (void)model_add(n, row, strtoll(row->value, NULL, 10), depth_of(n), recorded);
}

static void step_record(void)
{
    struct world_node *n = any_node();
    char value[32];
    char key[16];
    struct record_row row = any_row(n, value, key);
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    if (!may_record(n)) {
        return;
    }
    const struct world_reply *reply = world_ask(n, &request);
    if (reply->err == ERR_OK && reply->known == 0) {
        take_record(n, &row, &reply->row);
    }
    assert_true(reply->err == ERR_OK || reply->err == ERR_REFUSED);
}

/* All rows or none, some of them of the same key; in one batch with whatever waits. */
static void step_import(void)
{
    enum { ROWS = 6 };
    struct world_node *n = any_node();
    struct record_row rows[ROWS];
    char values[ROWS][32];
    char keys[ROWS][16];
    if (!may_record(n)) {
        return;
    }
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = any_row(n, values[i], keys[i]);
        rows[i].key = ""; /* known rows could not be told from new ones */
        rows[i].line = (uint32_t)i + 1;
        bool plain = strcmp(rows[i].measure, "raised") == 0 && world_chance(80);
        rows[i].measure = plain || world_chance(60) ? "raised" : rows[i].measure;
        rows[i].category = "";
    }
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = rows, .row_count = ROWS}};
    const struct world_reply *reply = world_ask(n, &request);
    assert_int_equal(reply->err, ERR_OK);
    assert_true(reply->recorded == 0 || reply->recorded == ROWS);
    for (size_t i = 0; i < ROWS && reply->recorded > 0; i++) {
        take_record(n, &rows[i], NULL);
    }
}

static void step_correct(void)
{
    struct fact *fact = model.fact_count == 0 ? NULL : &model.facts[world_below(model.fact_count)];
    char value[32];
    bool is_void = world_chance(40);
    int64_t number = (int64_t)world_below(3000) - 1000;
    if (fact == NULL || fact->entry[0] == '\0' || !may_record(fact->at)) {
        return;
    }
    (void)snprintf(value, sizeof value, "%lld", (long long)number);
    struct msg_request request = {
        .type = REQUEST_CORRECT,
        .u.correct = {
            .entry = fact->entry, .is_void = is_void, .value = value, .key = "", .note = ""}};
    const struct world_reply *reply = world_ask(fact->at, &request);
    assert_int_equal(reply->err, fact->live ? ERR_OK : ERR_REFUSED);
    if (reply->err == ERR_OK) {
        fact->entries++;
        fact->live = !is_void;
        fact->value = is_void ? 0 : number;
    }
}

/* Of the catalogue that the root has: what was put back may have come again from below. */
static int version_of_root(void)
{
    const struct catalogue *catalogue = &root()->node->view.catalogue;
    int version = 0;
    while (version < TREE_VERSIONS) {
        size_t count = tree_catalogue(version + 1)->measure_count;
        if (catalogue->measure_count < count) {
            break;
        }
        version++;
    }
    return version;
}

static void step_publish(void)
{
    plan.version = version_of_root();
    if (plan.version < TREE_VERSIONS) {
        const struct world_reply *reply =
            tree_apply(&world.nodes[0], tree_catalogue(++plan.version));
        assert_string_equal(reply->text, "");
        plan.highest = plan.version > plan.highest ? plan.version : plan.highest;
    }
}

static void step_unit(void)
{
    struct world_node *n = any_node();
    if (model.unit_count < 30 && may_record(n)) {
        add_branch(n, n->unit);
    }
}

static void step_late_node(void)
{
    if (plan.late_node) {
        plan.late_node = false;
        struct world_node *n = tree_child(&world.nodes[1], "43", "");
        (void)world_connect(n);
    }
}

/* The root's file is what it was at some time before: all that came from below since is gone. */
static void step_copy_root(void)
{
    struct world_node *top = &world.nodes[0];
    char copy[WORLD_PATH_BYTES + 8];
    (void)snprintf(copy, sizeof copy, "%s.copy", top->path);
    if (!plan.restores || (!plan.copied && world_chance(50))) {
        return;
    }
    tree_close(top);
    if (!plan.copied) {
        tree_copy_file(top->path, copy);
        plan.copied = true;
        plan.copied_version = plan.version;
    } else {
        tree_copy_file(copy, top->path);
        plan.version = plan.copied_version;
    }
    tree_open(top);
}

static void step(void)
{
    size_t what = world_below(100);
    if (what < 35) {
        step_record();
    } else if (what < 45) {
        step_correct();
    } else if (what < 50) {
        step_import();
    } else if (what < 60) {
        struct world_node *n = any_node();
        if (n->parent != NULL) {
            (void)world_connect(n);
        }
    } else if (what < 65) {
        world_cut(any_node(), world_chance(40));
    } else if (what < 68) {
        tree_restart(any_node());
    } else if (what < 70) {
        step_publish();
    } else if (what < 72) {
        step_unit();
    } else if (what < 73) {
        step_late_node();
    } else if (what < 75) {
        step_copy_root();
    } else {
        for (size_t i = world_below(30); i > 0; i--) {
            (void)world_turn(any_node(), 1 + world_below(3));
        }
    }
}

/* ---- the end: all links work ---- */

static void check_totals(struct world_node *n)
{
    const struct catalogue *catalogue = tree_catalogue(plan.version);
    int top = model_unit(n->unit);
    for (size_t i = 0; i < model.unit_count; i++) {
        const char *code = model.units[i].code;
        if (!model_within((int)i, top)) {
            continue;
        }
        struct period year = {FREQUENCY_YEAR, 2024 + (int32_t)world_below(2)};
        struct period half = {FREQUENCY_HALF, year.index * 2 + (int32_t)world_below(2)};
        struct period month = {FREQUENCY_MONTH, year.index * 12 + (int32_t)world_below(12)};
        struct period day = {FREQUENCY_DAY, any_day()};
        struct period quarter = {FREQUENCY_QUARTER, month.index / 3};
        (void)model_compare(n, code, catalogue, year, BY_NONE);
        (void)model_compare(n, code, catalogue, half, BY_NONE);
        (void)model_compare(n, code, catalogue, quarter, BY_CATEGORY);
        (void)model_compare(n, code, catalogue, month, BY_NONE);
        (void)model_compare(n, code, catalogue, day, BY_NONE);
        (void)model_compare(n, code, catalogue, year, BY_CATEGORY);
        (void)model_compare(n, code, catalogue, year, BY_CHILD);
    }
    struct period span = {FREQUENCY_QUARTER, 2024 * 4 + (int32_t)world_below(8)};
    (void)model_compare(n, n->unit, catalogue, span, BY_PERIOD);
    (void)model_compare(n, n->unit, catalogue, (struct period){FREQUENCY_YEAR, 2024}, BY_LEVEL);
}

#define MUST(cond)                                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            fail_msg("seed %llu: at node %s: %s", (unsigned long long)world.seed, n->unit, #cond); \
        }                                                                                          \
    } while (0)

/* The parent has each origin of the child as the child has it. */
static void check_origins(struct world_node *n)
{
    for (size_t i = 0; i < world.count; i++) {
        struct world_node *of = &world.nodes[i];
        struct store_origin here = state_origin(n, of);
        struct store_origin above = state_origin(n->parent, of);
        if (here.id == 0 || here.scope == SCOPE_ABOVE || here.cell_count == 0) {
            continue;
        }
        struct state_counts counts = state_counts(n->parent, of);
        MUST(above.id != 0);
        MUST(counts.refused == 0);
        MUST(id_equal(&here.digest, &above.digest));
        MUST(here.cell_count == above.cell_count);
        MUST(counts.cells == state_counts(of, of).facts);
    }
}

static void check_node(struct world_node *n)
{
    struct state_alarm alarm = state_alarm(n, "");
    struct state_status status = state_status(n, "");
    struct state_verify verify = state_verify(n);
    if (alarm.there) {
        fail_msg("seed %llu: alarm at %s: %s", (unsigned long long)world.seed, n->unit, alarm.text);
    }
    if (!verify.ok) {
        fail_msg("seed %llu: verify at %s: %s", (unsigned long long)world.seed, n->unit,
                 verify.first);
    }
    MUST(status.held == 0);
    MUST(n->parent == NULL || status.unescrowed == 0);
    MUST(n->parent == NULL || status.pending == 0);
    MUST(n->parent == NULL || state_of_child(n->parent, n->unit) == LINK_EXACT);
    struct tree_total sources = tree_total(n, n->unit, "raised", "2024");
    int64_t nodes = 0;
    for (size_t i = 0; i < world.count; i++) {
        nodes += model_within(model_unit(world.nodes[i].unit), model_unit(n->unit)) ? 1 : 0;
    }
    if (sources.nodes != nodes || sources.exact != nodes) {
        fail_msg("seed %llu: node %s sees %lld nodes and %lld exact of %lld, not %s",
                 (unsigned long long)world.seed, n->unit, (long long)sources.nodes,
                 (long long)sources.exact, (long long)nodes, sources.stale);
    }
    if (n->parent != NULL) {
        check_origins(n);
    }
    check_totals(n);
}

static void heal(void)
{
    do {
        step_publish();
    } while (plan.version < plan.highest || (plan.version < TREE_VERSIONS && world_chance(70)));
    for (int round = 0; round < 3; round++) {
        tree_connect_all();
        world_settle();
        world_pass(6000);
    }
}

static void run_seed(uint64_t seed)
{
    memset(&model, 0, sizeof model);
    plan = (struct plan){.version = 0};
    tree_begin(seed);
    plan.restores = world_chance(40);
    plan.late_node = world_chance(50);
    plant();
    tree_connect_all();
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    heal();
    for (size_t i = 0; i < world.count; i++) {
        check_node(&world.nodes[i]);
    }
    tree_end();
}

static void test_totals_equal_the_model(void **state)
{
    (void)state;
    tree_seeds(run_seed, SEEDS, SEEDS_VALGRIND, SEEDS_LONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_totals_equal_the_model, tree_end_always)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* layer: node store codec */
/* What a node refuses to people and to peers, and that a refusal changes nothing: the text names
 * what was refused. */
#include "test_node_state.h"

static struct world_node *root;
static struct world_node *office;

static int set_up(void **state)
{
    (void)state;
    tree_begin(23);
    root = tree_root("4", tree_catalogue(3));
    office = tree_child(root, "42", "district");
    assert_string_equal(tree_unit(root, "49", "district", "")->text, "");
    tree_relink();
    assert_string_equal(tree_unit(office, "421", "commune", "42")->text, "");
    assert_string_equal(world_record(root, "49", "raised", "5", "2025-02-03")->text, "");
    assert_string_equal(world_record(office, "421", "raised", "5", "2025-02-03")->text, "");
    world_settle();
    return 0;
}

static void refused(struct world_node *n, const struct world_reply *reply, const char *text)
{
    if (reply == NULL || reply->err == ERR_OK || strstr(reply->text, text) == NULL) {
        fail_msg("at %s: \"%s\" instead of \"%s\"", n->unit,
                 reply == NULL ? "no reply" : reply->text, text);
    }
}

/* ---- the catalogue ---- */

static struct catalogue next; /* version 3, to be changed by a case, with its parts */
static struct measure next_measures[8];
static struct dimension next_dimension;
static struct indicator next_indicator;
static struct target next_targets[2];
static const char *next_levels[4];

static void begin_next(void)
{
    const struct catalogue *old = tree_catalogue(3);
    next = *old;
    memcpy(next_measures, old->measures, old->measure_count * sizeof *old->measures);
    next_dimension = old->dimensions[0];
    memcpy(next_levels, old->levels, sizeof next_levels);
    next.measures = next_measures;
    next.dimensions = &next_dimension;
    next.levels = next_levels;
}

static void other_kind(void)
{
    next_measures[0].kind = MEASURE_STOCK;
}

static void other_decimals(void)
{
    next_measures[1].decimals = 2;
}

static void other_frequency(void)
{
    next_measures[2].frequency = FREQUENCY_MONTH;
}

static void other_categories(void)
{
    next_measures[0].dimension_count = 0;
}

static void value_gone(void)
{
    next_dimension.value_count = 2;
}

static void used_measure_gone(void)
{
    next.measure_count--;
    memmove(next_measures, next_measures + 1, next.measure_count * sizeof *next_measures);
}

static void bad_indicator(void)
{
    next_indicator = (struct indicator){
        .code = "rate", .name = "Rate", .unit = "%", .formula = "raised / nothing", .factor = "1"};
    next.indicators = &next_indicator;
    next.indicator_count = 1;
}

static void level_gone(void)
{
    next_levels[2] = "hamlet";
    for (size_t i = 0; i < next.measure_count; i++) {
        next_measures[i].level = "district";
    }
}

static void test_what_a_catalogue_may_not_change(void **state)
{
    (void)state;
    static const struct {
        void (*change)(void);
        const char *text;
    } cases[] = {
        {other_kind, "measure raised is published, and its kind cannot change"},
        {other_decimals, "measure members is published, and its decimals cannot change"},
        {other_frequency, "measure visits is published, and its frequency cannot change"},
        {other_categories, "measure raised is published, and its categories cannot change"},
        {value_gone, "value child of category group is published and cannot be taken away"},
        {used_measure_gone, "measure raised has entries and cannot be taken out"},
        {bad_indicator, "indicator rate"},
        {level_gone, "unit 421 is of level commune, which the catalogue does not have"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin_next();
        cases[i].change();
        refused(root, tree_apply(root, &next), cases[i].text);
        assert_int_equal(root->node->view.catalogue.version, 1);
    }
    begin_next();
    refused(office, tree_apply(office, &next), "this node is not the root");
}

/* Lists what changed; a target is one thing with its value. */
static void test_what_changed_is_listed(void **state)
{
    (void)state;
    begin_next();
    next_targets[0] = (struct target){"4", "", "raised", {FREQUENCY_YEAR, 2025}, "100"};
    next_targets[1] = (struct target){"42", "", "raised", {FREQUENCY_YEAR, 2025}, "50"};
    next.targets = next_targets;
    next.target_count = 2;
    assert_int_equal(tree_apply(root, &next)->version, 2);
    assert_int_equal(world.change_count, 2);
    assert_non_null(strstr(world.last_change, "+ target"));
    next.target_count = 1;
    next_targets[0].value = "200";
    assert_int_equal(tree_apply(root, &next)->version, 3);
    assert_int_equal(world.change_count, 2);
    assert_non_null(strstr(world.last_change, "- target"));
    assert_int_equal(tree_apply(root, &next)->version, 3);
    assert_int_equal(world.change_count, 0);
}

/* Of more changes than a list holds, the last line says how many. */
static void test_a_long_list_of_changes(void **state)
{
    (void)state;
    enum { MANY = 1500 };
    static struct target many[MANY];
    begin_next();
    for (size_t i = 0; i < MANY; i++) {
        many[i] = (struct target){"4", "", "visits", {FREQUENCY_DAY, (int32_t)(20000 + i)}, "1"};
    }
    next.targets = many;
    next.target_count = MANY;
    assert_int_equal(tree_apply(root, &next)->version, 2);
    assert_int_equal(world.change_count, 1000);
    assert_string_equal(world.last_change, "and 501 more changes");
}

/* ---- units and invitations ---- */

static const struct world_reply *add(struct world_node *n, const char *code, const char *name,
                                     const char *level, const char *parent)
{
    struct unit_new unit = {.code = code, .name = name, .level = level, .parent = parent};
    struct msg_request request = {.type = REQUEST_UNITS,
                                  .u.units = {.units = &unit, .unit_count = 1}};
    return world_ask(n, &request);
}

static void test_units(void **state)
{
    (void)state;
    refused(root, add(root, "a b", "N", "district", ""), "\"a b\" is no code");
    refused(root, add(root, "50", "", "district", ""), "unit 50 needs a name and a level");
    refused(root, add(root, "50", "N", "", ""), "unit 50 needs a name and a level");
    refused(root, add(root, "50", "N\x01", "district", ""), "unit 50 needs a name and a level");
    refused(root, add(root, "50", "N", "district", "7"), "its parent 7 is not known here");
    refused(root, add(root, "49", "Other", "district", ""), "unit 49 exists already");
    refused(root, add(root, "422", "N", "commune", "42"), "add unit 422 there");
    refused(root, add(root, "50", "N", "distrikt", ""), "did you mean district?");
    refused(root, add(root, "50", "N", "province", ""), "cannot lie under 4");
    assert_int_equal(add(root, "49", "49", "district", "")->known, 1);
    assert_int_equal(root->node->view.tree.count, 4);
}

/* One unit under the other, as deep as a tree may be. */
static void test_a_tree_too_deep(void **state)
{
    (void)state;
    struct world_node *bare = tree_root("0", NULL);
    char above[16] = "0";
    char code[16];
    int depth = 1;
    const struct world_reply *reply;
    do {
        (void)snprintf(code, sizeof code, "%d", ++depth);
        reply = tree_unit(bare, code, "branch", above);
        (void)snprintf(above, sizeof above, "%s", code);
    } while (reply->err == ERR_OK && depth < 2 * TREE_DEPTH_MAX);
    refused(bare, reply, "the tree would be too deep");
    assert_int_equal(depth, TREE_DEPTH_MAX + 1);
}

static const struct world_reply *invite(struct world_node *n, const char *unit, bool replace)
{
    struct msg_request request = {
        .type = REQUEST_INVITE,
        .u.invite = {
            .unit = unit, .name = "", .level = "", .expires_ms = 1000, .replace = replace}};
    return world_ask(n, &request);
}

static void test_invitations(void **state)
{
    (void)state;
    static const char *const ADDRESSES[] = {"office:7000"};
    static const struct hash FINGERPRINT;
    refused(root, invite(root, "4", false), "unit 4 does not lie under this node");
    refused(root, invite(root, "421", false), "lies under the node of unit 42; invite it there");
    refused(root, invite(root, "42", false), "unit 42 has a node already");
    refused(root, invite(root, "49", true), "unit 49 has no node that could be replaced");
    refused(root, invite(root, "50", false), "unit 50 is not known here");
    node_set_addresses(root->node, ADDRESSES, 0, &FINGERPRINT);
    refused(root, invite(root, "49", false), "this node has no address");
    node_set_addresses(root->node, ADDRESSES, 1, &FINGERPRINT);
    assert_int_equal(invite(root, "49", false)->err, ERR_OK);
    assert_int_equal(invite(root, "42", true)->err, ERR_OK);
}

/* ---- who may ask ---- */

static void test_roles(void **state)
{
    (void)state;
    struct record_row row = world_row("4", "raised", "5", "2025-02-03");
    struct msg_request requests[] = {
        {.type = REQUEST_RECORD, .id = 9001, .u.record = {.rows = &row, .row_count = 1}},
        {.type = REQUEST_UNITS, .id = 9002},
        {.type = REQUEST_INVITE, .id = 9003, .u.invite = {.unit = "", .name = "", .level = ""}},
        {.type = REQUEST_APPLY, .id = 9004},
        {.type = REQUEST_CORRECT,
         .id = 9005,
         .u.correct = {.entry = "", .value = "", .key = "", .note = ""}},
    };
    int64_t length = root->node->ledger_length;
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        struct node_client client = {.id = 7, .role = NODE_ROLE_READER, .author = "tester"};
        world_begin(root);
        node_on_request(root->node, &client, &requests[i]);
        assert_int_equal(world_commit(root), ERR_OK);
        refused(root, world_reply_to(requests[i].id), "this needs the role");
    }
    assert_int_equal(root->node->ledger_length, length);
}

/* ---- records and corrections ---- */

static const struct world_reply *correct(struct world_node *n, const char *entry, const char *value)
{
    struct msg_request request = {
        .type = REQUEST_CORRECT,
        .u.correct = {
            .entry = entry, .is_void = value[0] == '\0', .value = value, .key = "", .note = ""}};
    return world_ask(n, &request);
}

static const struct world_reply *record_with(struct world_node *n, const char *unit,
                                             const char *key, const char *category)
{
    struct record_row row = world_row(unit, "raised", "5", "2025-02-03");
    struct msg_request request = {.type = REQUEST_RECORD,
                                  .u.record = {.rows = &row, .row_count = 1}};
    row.key = key;
    row.category = category;
    return world_ask(n, &request);
}

/* As much in one cell as 64 bits hold: one more of the largest value does not fit. */
static void fill_up(struct world_node *n, const char *unit)
{
    enum { ROWS = 1000 };
    static struct record_row rows[ROWS];
    struct msg_request request = {.type = REQUEST_RECORD, .u.record = {.rows = rows}};
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = world_row(unit, "raised", "1000000000000000", "2025-02-03");
    }
    for (size_t left = 9223; left > 0; left -= request.u.record.row_count) {
        request.u.record.row_count = left < ROWS ? left : ROWS;
        assert_int_equal(world_ask(n, &request)->err, ERR_OK);
    }
}

static void test_records(void **state)
{
    (void)state;
    refused(office, world_record(office, "4", "raised", "5", "2025-02-03"),
            "unit 4 is not known here");
    refused(office, world_record(office, "7", "raised", "5", "2025-02-03"), "unit 7");
    refused(office, world_record(office, "421", "razed", "5", "2025-02-03"),
            "did you mean raised?");
    refused(root, world_record(root, "421", "members", "5", "2025-02-03"),
            "members is a stock, and stocks of unit 421 are recorded at the node that hosts it");
    refused(office, world_record(office, "421", "raised", "5.5", "2025-02-03"), "measure raised");
    refused(office, record_with(office, "421", "k\x02", ""), "control characters");
    refused(office, record_with(office, "421", "", "group=nobody"), "nobody");
    refused(office, world_record(office, "42", "raised", "1000000000000001", "2025-02-03"),
            "measure raised");
    fill_up(office, "42");
    refused(office, world_record(office, "42", "raised", "1000000000000000", "2025-02-03"),
            "would pass 64 bits");
    assert_int_equal(record_with(office, "421", "k", "")->err, ERR_OK);
    refused(office, record_with(office, "421", "k", "group=cadre"), "key k was used before");
}

static void entry_name(const struct world_node *n, int64_t seq, char out[ENTRY_ID_MAX_BYTES])
{
    entry_id_format(&n->node->segment.name, (uint64_t)seq, out);
}

static void test_corrections(void **state)
{
    (void)state;
    char id[ENTRY_ID_MAX_BYTES];
    refused(root, correct(root, "nonsense", "6"), "nonsense");
    entry_name(root, 999, id);
    refused(root, correct(root, id, "6"), id);
    entry_name(root, 2, id);
    refused(root, correct(root, id, "6"), "an act of administration");
    entry_name(office, office->node->segment.length, id);
    refused(root, correct(root, id, "6"), "this entry was recorded at another node");
    refused(office, correct(office, id, "5.5"), "5.5");
    fill_up(office, "421");
    refused(office, correct(office, id, "1000000000000000"), "would pass 64 bits");
    assert_int_equal(correct(office, id, "")->err, ERR_OK);
    refused(office, correct(office, id, "6"), "a void is final");
    entry_name(office, office->node->segment.length, id); /* the void itself */
    refused(office, correct(office, id, "6"), "a void is final");
}

/* A unit that was closed, as a later release will write it. */
static void test_a_unit_that_was_closed(void **state)
{
    (void)state;
    struct unit_edge edge = {.parent = "4", .from = DAY_NONE};
    struct store_unit row;
    struct arena arena;
    struct buf bytes;
    int64_t id;
    edge.to = day_from_civil(2024, 12, 31);
    arena_init(&arena, 1 << 16);
    buf_init(&bytes, 1 << 16);
    edges_encode(&edge, 1, &bytes);
    assert_int_equal(store_begin(root->store), ERR_OK);
    assert_int_equal(store_symbol_find(root->store, "49", &id), ERR_OK);
    assert_int_equal(store_unit_get(root->store, id, &arena, &row), ERR_OK);
    row.edges = (struct bytes){bytes.data, bytes.len};
    assert_int_equal(store_unit_put(root->store, &row), ERR_OK);
    assert_int_equal(store_commit(root->store), ERR_OK);
    buf_deinit(&bytes);
    arena_reset(&arena);
    tree_restart(root);
    refused(root, world_record(root, "49", "raised", "5", "2025-02-03"),
            "unit 49 is closed on 2025-02-03");
    assert_int_equal(world_record(root, "49", "raised", "5", "2024-02-03")->err, ERR_OK);
}

/* ---- questions ---- */

static const char *question(const char *measure, const char *period, enum total_by by,
                            const char *level)
{
    static struct tree_total out;
    const char *measures[] = {measure};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = "",
                                              .measures = measures,
                                              .measure_count = 1,
                                              .has_period = true,
                                              .by = by,
                                              .level = level,
                                              .tree_as_of = DAY_NONE}};
    out = (struct tree_total){.value = 0};
    assert_int_equal(period_parse(period, &request.u.total.period, NULL), ERR_OK);
    tree_query(root, &request, tree_keep_total, &out);
    return out.error;
}

static void test_questions(void **state)
{
    (void)state;
    begin_next();
    next_indicator = (struct indicator){
        .code = "rate", .name = "Rate", .unit = "%", .formula = "raised / members", .factor = "1"};
    next.indicators = &next_indicator;
    next.indicator_count = 1;
    assert_int_equal(tree_apply(root, &next)->version, 2);
    assert_non_null(strstr(question("fund", "2025-02", BY_NONE, ""), "period 2025-02 is finer"));
    assert_non_null(strstr(question("rate", "2025-02-03", BY_NONE, ""), "so short a period"));
    assert_non_null(strstr(question("rate", "2025", BY_CATEGORY, ""), "without --by category"));
    assert_non_null(strstr(question("rat", "2025", BY_NONE, ""), "did you mean rate?"));
    assert_non_null(strstr(question("raised", "2025", BY_LEVEL, "hamlet"), "hamlet"));
    assert_string_equal(question("rate", "2025", BY_NONE, ""), "");
}

static void test_too_many_wait(void **state)
{
    (void)state;
    struct msg_request request = {
        .type = REQUEST_WAIT,
        .u.wait = {.level = WAIT_ROOT, .revision = INT64_MAX / 2, .timeout_ms = 1000}};
    world_cut(office, false);
    assert_int_equal(world_record(office, "421", "raised", "5", "2025-02-03")->err, ERR_OK);
    world_begin(office);
    for (int i = 0; i < WAITERS_MAX; i++) {
        (void)world_ask_in(office, &request);
    }
    assert_int_equal(world_commit(office), ERR_OK);
    refused(office, world_ask(office, &request), "too many clients wait already");
    world_pass(3000); /* all are answered, and there is room again */
    assert_null(world_ask(office, &request));
}

/* ---- peers ---- */

enum tap { TAP_NONE, TAP_TREE, TAP_ESCROW, TAP_SIGNATURE, TAP_CONTENT };

static enum tap tapped;

static bool bend(struct world_link *link, int to, struct message *message)
{
    static struct head head;
    static uint8_t junk[] = {1, 2, 3};
    (void)link;
    if (to == END_CHILD && message->type == MESSAGE_WELCOME && tapped == TAP_TREE) {
        message->u.welcome.tree.b[0] ^= 1;
    } else if (to == END_CHILD && message->type == MESSAGE_WELCOME && tapped == TAP_ESCROW) {
        head = message->u.welcome.escrow[0];
        head.hash.b[0] ^= 1;
        message->u.welcome.escrow = &head;
    } else if (to == END_CHILD && message->type == MESSAGE_CATALOGUE && tapped == TAP_SIGNATURE) {
        message->u.catalogue.signature.b[0] ^= 1;
    } else if (to == END_CHILD && message->type == MESSAGE_CATALOGUE && tapped == TAP_CONTENT) {
        struct buf bytes;
        message->u.catalogue.content = (struct bytes){junk, sizeof junk};
        buf_init(&bytes, 1024);
        buf_put_u64(&bytes, message->u.catalogue.version);
        buf_put(&bytes, junk, sizeof junk);
        message->u.catalogue.signature = world_signature(&root->key, buf_bytes(&bytes));
        buf_deinit(&bytes);
    }
    return true;
}

static void link_again(enum tap how)
{
    tapped = how;
    world.tap = bend;
    world_cut(office, false);
    world_settle();
    (void)world_connect(office);
    world_settle();
    world.tap = NULL;
}

static void test_a_parent_that_is_another(void **state)
{
    (void)state;
    link_again(TAP_TREE);
    assert_non_null(strstr(state_status(office, "").uplink_text, "another tree"));
    link_again(TAP_ESCROW);
    assert_non_null(strstr(state_status(office, "").uplink_text, "put back to an old state"));
    link_again(TAP_NONE);
    assert_int_equal(state_status(office, "").uplink, UPLINK_LINKED);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
}

static void test_a_catalogue_that_is_bent(void **state)
{
    (void)state;
    begin_next();
    next_measures[0].name = "Raised";
    world.tap = bend;
    tapped = TAP_SIGNATURE;
    assert_int_equal(tree_apply(root, &next)->version, 2);
    world_settle();
    assert_non_null(strstr(state_alarm(office, "bad-signature").text, "the old one stays"));
    tapped = TAP_CONTENT;
    next_measures[0].name = "Raised again";
    assert_int_equal(tree_apply(root, &next)->version, 3);
    world_settle();
    assert_non_null(strstr(state_alarm(office, "bad-catalogue").text, "version 3"));
    assert_int_equal(office->node->view.catalogue.version, 1);
    link_again(TAP_NONE);
    assert_int_equal(office->node->view.catalogue.version, 3);
}

static void test_a_parent_that_breaks_the_protocol(void **state)
{
    (void)state;
    struct message hello = {.type = MESSAGE_HELLO, .u.hello = {.software = ""}};
    world_begin(office);
    node_on_message(office->node, office->up->id, &hello);
    assert_int_equal(world_commit(office), ERR_OK);
    world_settle();
    assert_null(office->up);
    link_again(TAP_NONE);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
}

/* ---- joins ---- */

static char join_text[TEXT_MAX_BYTES];

static void keep_joined(struct world_node *n)
{
    join_text[0] = '\0';
    assert_int_equal(node_commit(n->node, NULL), ERR_OK);
    for (const struct effect *e = node_effect(n->node); e != NULL; e = node_effect(n->node)) {
        if (e->type == EFFECT_SEND && e->message->type == MESSAGE_JOINED) {
            (void)snprintf(join_text, sizeof join_text, "%s", e->message->u.joined.text);
        } else if (e->type == EFFECT_ISSUE) {
            (void)snprintf(join_text, sizeof join_text, "accepted");
        }
    }
}

static void join(struct world_node *n, const struct msg_join *message,
                 const struct node_joiner *joiner)
{
    world_begin(n);
    node_on_join(n->node, 999999, message, joiner);
    keep_joined(n);
}

static void test_joins(void **state)
{
    (void)state;
    struct node_joiner joiner = {.address = ""};
    struct node_joiner other = {.address = ""};
    world_fill(NULL, joiner.node_key.b, HASH_BYTES);
    world_fill(NULL, other.node_key.b, HASH_BYTES);
    assert_int_equal(invite(root, "49", false)->err, ERR_OK);
    struct msg_join message = tree_join_message(world.token, &joiner.exporter);
    struct msg_join wrong = message;
    wrong.proof.b[0] ^= 1;
    join(root, &wrong, &joiner);
    assert_non_null(strstr(join_text, "gave out no such invitation"));
    wrong = message;
    wrong.invite.b[0] ^= 1;
    join(root, &wrong, &joiner);
    assert_non_null(strstr(join_text, "gave out no such invitation"));
    join(root, &message, &joiner);
    assert_string_equal(join_text, "accepted");
    join(root, &message, &joiner); /* the answer was lost on the way */
    assert_string_equal(join_text, "accepted");
    join(root, &message, &other);
    assert_non_null(strstr(join_text, "was used already"));
    assert_int_equal(invite(root, "42", true)->err, ERR_OK);
    message = tree_join_message(world.token, &joiner.exporter);
    world_pass(2000);
    join(root, &message, &other);
    assert_non_null(strstr(join_text, "has expired"));
}

/* A machine that has data goes on with it only in the unit whose ledger it is; what is refused does
 * not use the invitation up. */
static void test_joins_with_data(void **state)
{
    (void)state;
    struct node_joiner joiner = {.address = ""};
    world_fill(NULL, joiner.node_key.b, HASH_BYTES);
    assert_int_equal(invite(root, "42", true)->err, ERR_OK);
    struct msg_join message = tree_join_message(world.token, &joiner.exporter);
    message.origin = root->origin;
    join(root, &message, &joiner);
    assert_non_null(strstr(join_text, "the data of this machine is another node's"));
    message.origin = office->origin;
    join(root, &message, &joiner);
    assert_string_equal(join_text, "accepted");
    assert_int_equal(invite(root, "49", false)->err, ERR_OK); /* which has no node */
    message = tree_join_message(world.token, &joiner.exporter);
    message.origin = office->origin;
    join(root, &message, &joiner);
    assert_non_null(strstr(join_text, "the data of this machine is another node's"));
}

/* A machine in the place of another goes on with its ledger, which it has back first: nothing that
 * was reported is lost, or counted twice. The old one is turned away. */
static void test_a_machine_that_is_replaced(void **state)
{
    (void)state;
    struct tree_total before = tree_total(root, "4", "raised", "2025");
    assert_int_equal(invite(root, "42", true)->err, ERR_OK);
    struct world_node *other = tree_add("42");
    struct node_joiner joiner = {.node_key = other->key, .ca_key = other->key, .address = ""};
    struct msg_join message = tree_join_message(world.token, &joiner.exporter);
    other->parent = root;
    world.joining = other;
    world_begin(root);
    node_on_join(root->node, 999999, &message, &joiner);
    assert_int_equal(world_commit(root), ERR_OK);
    world.joining = NULL;
    world_settle();
    assert_null(office->up); /* at once, not when it links again */
    tree_open(other);
    assert_true(id_equal(&other->origin, &office->origin));
    (void)world_connect(other);
    world_settle();
    assert_int_equal(state_status(other, "").uplink, UPLINK_LINKED);
    assert_int_equal(state_of_child(root, "42"), LINK_EXACT);
    assert_int_equal(tree_total(other, "42", "raised", "2025").value,
                     tree_total(root, "42", "raised", "2025").value);
    (void)world_connect(office);
    world_settle();
    assert_int_equal(state_status(office, "").uplink, UPLINK_REFUSED);
    assert_int_equal(world_record(office, "421", "raised", "7", "2025-02-03")->err, ERR_OK);
    tree_relink();
    struct tree_total after = tree_total(root, "4", "raised", "2025");
    assert_true(after.value == before.value);
    assert_int_equal(after.entries, before.entries);
    assert_true(state_verify(root).ok);
}

static void renew(struct world_node *n, const struct id *id, const struct hash *key)
{
    world_begin(n);
    node_on_renew(n->node, 999999, id, key);
    keep_joined(n);
}

static void test_renewals(void **state)
{
    (void)state;
    struct id id = node_identity(office->node)->node;
    struct hash key = office->key;
    renew(root, &id, &key);
    assert_string_equal(join_text, "accepted");
    key.b[0] ^= 1;
    renew(root, &id, &key);
    assert_non_null(strstr(join_text, "no node with that key"));
    id.b[0] ^= 1;
    renew(root, &id, &office->key);
    assert_non_null(strstr(join_text, "no node with that key"));
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tree_end_always)

int main(void)
{
    const struct CMUnitTest tests[] = {CASE(test_what_a_catalogue_may_not_change),
                                       CASE(test_what_changed_is_listed),
                                       CASE(test_a_long_list_of_changes),
                                       CASE(test_units),
                                       CASE(test_a_tree_too_deep),
                                       CASE(test_invitations),
                                       CASE(test_roles),
                                       CASE(test_records),
                                       CASE(test_corrections),
                                       CASE(test_a_unit_that_was_closed),
                                       CASE(test_questions),
                                       CASE(test_too_many_wait),
                                       CASE(test_a_parent_that_is_another),
                                       CASE(test_a_catalogue_that_is_bent),
                                       CASE(test_a_parent_that_breaks_the_protocol),
                                       CASE(test_joins),
                                       CASE(test_joins_with_data),
                                       CASE(test_a_machine_that_is_replaced),
                                       CASE(test_renewals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

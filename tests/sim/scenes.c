#include "scenes.h"

#include "scenes_parts.h"
#include "store/internal.h"

/* ---- scenes ---- */

static void join_and_push(struct world *world)
{
    FILE *out = world->out;
    world->out = NULL;
    struct host *root = tree_root(world, "4", "province", 1);
    pass(world, SETTLE_US);
    world->out = out;
    say(world, "a node joins; its first hello, what it is told, its first mark");
    (void)tree_child(world, root, "42", "district");
    pass(world, SETTLE_US);
    say(world, "one entry: the chain's opening and the entry go ahead of the cell");
    one_record(world);
    pass(world, SETTLE_US);
    say(world, "the same cell again: one entry, one cell, the same mark");
    one_record(world);
    pass(world, SETTLE_US);
}

static void resume(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "no way up; two entries are recorded");
    cut_off(world, world->hosts[CHILD], true);
    (void)acts_record(world, world->hosts[CHILD], "42", "raised", 2);
    pass(world, SETTLE_US);
    say(world, "the way is open: only what is missing goes up");
    cut_off(world, world->hosts[CHILD], false);
    pass(world, SETTLE_US);
}

static void start_again(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "the child starts again: one more session, nothing to send but where it stands");
    restart(world, world->hosts[CHILD]);
    pass(world, SETTLE_US);
    say(world, "an entry of the new process: a new segment that continues the old one");
    one_record(world);
    pass(world, SETTLE_US);
}

static void parent_put_back(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    struct host *root = world->hosts[ROOT];
    FILE *out = world->out;
    world->out = NULL;
    keep_copy(world, root);
    pass(world, SETTLE_US);
    one_record(world);
    pass(world, SETTLE_US);
    world->out = out;
    say(world, "the parent's file is of before the second entry: the child goes on from there");
    put_back(world, root);
    pass(world, SETTLE_US);
}

/* Two nodes, an entry that is above, and a copy of the child from then. Nothing is traced from here
 * on; *out says where to. */
static struct host *copied_child(struct world *world, FILE **out)
{
    two_nodes(world);
    *out = world->out;
    world->out = NULL;
    one_record(world);
    pass(world, SETTLE_US);
    keep_copy(world, world->hosts[CHILD]);
    pass(world, SETTLE_US);
    return world->hosts[CHILD];
}

static void child_lost_tail(struct world *world)
{
    FILE *out;
    struct host *child = copied_child(world, &out);
    one_record(world);
    pass(world, SETTLE_US);
    world->out = out;
    say(world, "the child's file is of before its second entry: that comes back to it");
    put_back(world, child);
    pass(world, SETTLE_US);
}

static void child_unknown_session(struct world *world)
{
    FILE *out;
    struct host *child = copied_child(world, &out);
    world->out = out;
    say(world, "no entry is missing, but the file does not know its last session");
    put_back(world, child);
    pass(world, SETTLE_US);
}

/* The parent goes on with the file that was put back; then the other one comes. */
static void other_line_comes(struct world *world)
{
    FILE *out;
    struct host *child = copied_child(world, &out);
    host_stop(world, child, true);
    (void)disk_copy(child->disk, HOST_DATABASE, child->disk, "other.db");
    put_back(world, child);
    pass(world, SETTLE_US);
    host_stop(world, child, true);
    (void)disk_copy(child->disk, "other.db", child->disk, HOST_DATABASE);
    world->out = out;
    say(world, "the ledgers are equal, but one of its sessions has ended at the parent");
    host_start(world, child);
    pass(world, SETTLE_US);
}

static bool other_hash(struct world *world, struct line *line, int to, struct message *message)
{
    (void)line;
    if (to == PARENT_END && message->type == MESSAGE_HELLO && message->u.hello.head_count > 0) {
        struct head *heads = (struct head *)message->u.hello.heads;
        heads[0].hash.b[0] ^= 1;
    }
    return world != NULL;
}

static void fork_of_a_chain(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "the same length of the same segment, and another hash");
    world->tap = other_hash;
    restart(world, world->hosts[CHILD]);
    pass(world, SETTLE_US);
}

static bool other_tree(struct world *world, struct line *line, int to, struct message *message)
{
    (void)line;
    if (to == PARENT_END && message->type == MESSAGE_HELLO) {
        message->u.hello.tree.b[0] ^= 1;
    }
    return world != NULL;
}

static void another_tree(struct world *world)
{
    two_nodes(world);
    say(world, "a hello of another tree");
    world->tap = other_tree;
    restart(world, world->hosts[CHILD]);
    pass(world, SETTLE_US);
}

static bool newer_protocol(struct world *world, struct line *line, int to, struct message *message)
{
    (void)line;
    if (to == PARENT_END && message->type == MESSAGE_HELLO) {
        message->u.hello.protocol_min = PROTOCOL_MAX + 1;
        message->u.hello.protocol_max = PROTOCOL_MAX + 2;
    }
    return world != NULL;
}

static void no_common_version(struct world *world)
{
    two_nodes(world);
    say(world, "a hello of a release that speaks newer versions only");
    world->tap = newer_protocol;
    restart(world, world->hosts[CHILD]);
    pass(world, SETTLE_US);
}

static void unknown_key(struct world *world)
{
    two_nodes(world);
    say(world, "a key that the parent's table does not have");
    world->hosts[CHILD]->key.b[0] ^= 1;
    restart(world, world->hosts[CHILD]);
    pass(world, 2 * SECOND_US);
}

static void catalogue_down(struct world *world)
{
    three_nodes(world);
    say(world, "a new version goes down at once");
    acts_publish(world, 2);
    pass(world, SETTLE_US);
    say(world, "a node that was away is told with its welcome");
    cut_off(world, world->hosts[CHILD], true);
    acts_publish(world, 3);
    pass(world, SETTLE_US);
    cut_off(world, world->hosts[CHILD], false);
    pass(world, SETTLE_US);
}

static void held_row(struct world *world)
{
    struct host *root;
    two_nodes(world);
    root = world->hosts[ROOT];
    FILE *out = world->out;
    world->out = NULL;
    keep_copy(world, root);
    pass(world, SETTLE_US);
    acts_publish(world, 2);
    pass(world, SETTLE_US);
    (void)acts_record(world, world->hosts[CHILD], "42", "classes", 1);
    pass(world, SETTLE_US);
    world->out = out;
    say(world, "the parent is put back to an older catalogue: the row is held, the rest goes on");
    world->tap = acts_no_catalogue;
    put_back(world, root);
    pass(world, SETTLE_US);
    say(world, "it comes from below with a new link: the row counts, and its state goes up");
    world->tap = NULL;
    restart(world, world->hosts[CHILD]);
    pass(world, 2 * SETTLE_US);
}

static void three_tiers(struct world *world)
{
    three_nodes(world);
    say(world, "an entry of a commune: it goes one hop, its cell to the root, and how far back");
    (void)acts_record(world, world->hosts[GRANDCHILD], "421", "raised", 1);
    pass(world, SETTLE_US);
}

/* The root has heard of a beginning of a segment; the rest comes back to a machine that continued
 * it there. */
static void segment_grows(struct world *world)
{
    three_nodes(world);
    struct host *commune = world->hosts[GRANDCHILD];
    FILE *out = world->out;
    world->out = NULL;
    (void)acts_record(world, commune, "421", "raised", 2);
    pass(world, SETTLE_US);
    (void)disk_copy(commune->disk, HOST_DATABASE, commune->disk, "copy.db");
    (void)disk_copy(commune->disk, HOST_DATABASE "-wal", commune->disk, "copy.db-wal");
    cut_off(world, world->hosts[CHILD], true);
    (void)acts_record(world, commune, "421", "raised", 3);
    pass(world, SETTLE_US);
    host_kill(world, commune, DISK_KEPT, false);
    (void)disk_copy(commune->disk, "copy.db", commune->disk, HOST_DATABASE);
    (void)disk_copy(commune->disk, "copy.db-wal", commune->disk, HOST_DATABASE "-wal");
    host_may_lose(commune);
    host_start(world, commune);
    (void)acts_record(world, commune, "421", "raised", 1);
    pass(world, SETTLE_US);
    world->out = out;
    say(world, "the segment is longer than its continuation knew: the root hears of both");
    cut_off(world, world->hosts[CHILD], false);
    pass(world, SETTLE_US);
}

static void recorded_above(struct world *world)
{
    three_nodes(world);
    say(world, "an entry of the province about the commune's unit goes down to it");
    (void)acts_record(world, world->hosts[ROOT], "421", "raised", 1);
    pass(world, SETTLE_US);
}

static bool foreign_unit(struct world *world, struct line *line, int to, struct message *message)
{
    if (to == PARENT_END && message->type == MESSAGE_BATCH && message->u.batch.cell_count > 0 &&
        line->end[CHILD_END] == world->hosts[CHILD]) {
        ((struct cell *)message->u.batch.cells)[0].unit = "4";
        world->tap = NULL; /* once */
    }
    return true;
}

static void refused_row(struct world *world)
{
    two_nodes(world);
    say(world, "a cell about a unit that is not the child's: refused, told back, an alarm");
    world->tap = foreign_unit;
    disturb(world);
    one_record(world);
    pass(world, SETTLE_US);
}

/* Two offices make a unit of the same code; the one that comes second has it to itself. */
static void same_code(struct world *world)
{
    FILE *out = world->out;
    world->out = NULL;
    struct host *root = tree_root(world, "4", "province", 1);
    struct host *first = tree_child(world, root, "42", "district");
    struct host *second = tree_child(world, root, "43", "district");
    pass(world, SETTLE_US);
    disturb(world);
    world->out = out;
    say(world, "two offices make a unit of the same code");
    acts_unit(world, first, "b");
    pass(world, SECOND_US / 100);
    acts_unit(world, second, "b");
    pass(world, SETTLE_US);
    say(world,
        "the second one records about it: refused above, again and again, and no digest errs");
    (void)acts_record(world, second, "b", "visits", 1);
    (void)acts_record(world, second, "43", "raised", 1);
    pass(world, SETTLE_US);
    (void)acts_record(world, second, "b", "visits", 1);
    pass(world, SETTLE_US);
    restart(world, second);
    pass(world, SETTLE_US);
}

static void keeps_its_place(struct world *world)
{
    two_nodes(world);
    struct host *child = world->hosts[CHILD];
    quietly(world, one_record);
    say(world, "cut off, the child records about two measures, then about the first again");
    cut_off(world, child, true);
    (void)acts_record(world, child, "42", "raised", 1);
    pass(world, SECOND_US);
    (void)acts_record(world, child, "42", "visits", 1);
    pass(world, SECOND_US);
    (void)acts_record(world, child, "42", "raised", 1);
    pass(world, SECOND_US);
    say(world, "the way is open: what changed while it waited has kept its place");
    child->route.apart_until_us = 0;
    pass(world, SETTLE_US);
}

static void wait_for_moved_row(struct world *world)
{
    two_nodes(world);
    struct host *child = world->hosts[CHILD];
    quietly(world, one_record);
    say(world, "somebody waits for a row; the connection breaks while it is on its way");
    child->route.latency_us = SECOND_US / 10;
    (void)acts_record(world, child, "42", "raised", 1);
    pass(world, SECOND_US / 100);
    struct offer *offer = offers_make(world, child, OFFER_WAIT);
    offer->wait = WAIT_PARENT;
    offers_give(world, offer);
    pass(world, SECOND_US / 50);
    cut_off(world, child, true);
    say(world, "another row, and the first one changes: the wait is answered with the last batch");
    (void)acts_record(world, child, "42", "visits", 1);
    pass(world, SECOND_US / 10);
    (void)acts_record(world, child, "42", "raised", 1);
    pass(world, SECOND_US / 10);
    world->window = 1;
    child->route.apart_until_us = 0;
    pass(world, SETTLE_US);
}

static void old_acknowledgement(struct world *world)
{
    two_nodes(world);
    struct host *child = world->hosts[CHILD];
    say(world, "acknowledgements come again while the next batch is on its way");
    child->route.again_percent = 100;
    child->route.latency_us = 300 * (SECOND_US / 1000);
    for (int i = 0; i < 4; i++) {
        one_record(world);
        (void)acts_record(world, world->hosts[ROOT], "42", "visits", 1);
        pass(world, SECOND_US * 7 / 10);
    }
    pass(world, SETTLE_US);
}

static void record_above(struct world *world)
{
    (void)acts_record(world, world->hosts[ROOT], "421", "raised", 1);
}

static void older_state(struct world *world)
{
    three_nodes(world);
    struct host *district = world->hosts[CHILD];
    FILE *out = world->out;
    quietly(world, record_above);
    world->out = NULL;
    keep_copy(world, district);
    pass(world, SETTLE_US);
    one_record(world);
    world->out = out;
    quietly(world, record_above);
    ask_total(world, world->hosts[GRANDCHILD]);
    say(world,
        "the district's file is of before the second entry, and what it sends down is older");
    put_back(world, district);
    pass(world, 3 * SECOND_US / 2);
    ask_total(world, world->hosts[GRANDCHILD]);
}

static void unequal_digest(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    disturb(world);
    say(world, "a cell of the parent's file is changed behind its back");
    (void)sqlite3_exec(world->hosts[ROOT]->store->db, "UPDATE cell SET value=value+1", NULL, NULL,
                       NULL);
    say(world, "the parent starts again, and its recomputation finds the damage");
    restart(world, world->hosts[ROOT]);
    pass(world, 3 * SETTLE_US);
}

static void damaged_unit(struct world *world)
{
    two_nodes(world);
    disturb(world);
    say(world, "the row of a unit is changed behind the parent's back: its recomputation finds it");
    (void)sqlite3_exec(world->hosts[ROOT]->store->db,
                       "UPDATE unit SET level='commune' WHERE name<>'4'", NULL, NULL, NULL);
    restart(world, world->hosts[ROOT]);
    pass(world, SETTLE_US);
}

static void change(struct world *world, struct host *host, const char *sql)
{
    disturb(world);
    if (sqlite3_exec(host->store->db, sql, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_changes(host->store->db) == 0) {
        world_violate(world, "scene", "at %s: %s: %s", host->code, sql,
                      sqlite3_errmsg(host->store->db));
    }
}

static void damage_built_upon(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "an own cell is changed behind the child's back, and an entry recorded upon it");
    change(world, world->hosts[CHILD], "UPDATE cell SET value=value+1");
    one_record(world);
    pass(world, SETTLE_US);
    say(world, "the parent's row of it is changed, and the next one comes");
    change(world, world->hosts[ROOT], "UPDATE cell SET value=value+1");
    one_record(world);
    pass(world, SETTLE_US);
}

static void damage_on_its_way(struct world *world)
{
    two_nodes(world);
    say(world, "no way up; an entry is recorded, its cell changed before it has gone up");
    cut_off(world, world->hosts[CHILD], true);
    one_record(world);
    pass(world, SETTLE_US);
    change(world, world->hosts[CHILD], "UPDATE cell SET value=value+1");
    cut_off(world, world->hosts[CHILD], false);
    pass(world, 4 * SETTLE_US);
}

/* What is recorded upon damage makes the node look at its file. */
static void own_unit_lost(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "the row of its own unit is lost while the child runs, and it looks at its file");
    change(world, world->hosts[CHILD],
           "DELETE FROM unit WHERE code=(SELECT id FROM symbol WHERE text='42')");
    change(world, world->hosts[CHILD], "UPDATE cell SET value=value+1");
    world->hosts[CHILD]->doubtful = true; /* it does not start again */
    one_record(world);
    pass(world, SETTLE_US);
}

static void unreadable_part(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "what a segment continues cannot be read any more");
    change(world, world->hosts[ROOT], "UPDATE segment SET continues=x'01'");
    restart(world, world->hosts[ROOT]);
    pass(world, 2 * SETTLE_US);
}

static void too_high_a_count(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "a count is changed behind the parent's back to one that its origin never reached");
    change(world, world->hosts[ROOT], "UPDATE cell SET count=count+1");
    restart(world, world->hosts[ROOT]);
    pass(world, 3 * SETTLE_US);
}

static void two_measures(struct world *world)
{
    (void)acts_record(world, world->hosts[CHILD], "42", "raised", 1);
    (void)acts_record(world, world->hosts[CHILD], "42", "visits", 1);
}

/* The count of a cell of `damaged` is too high when the office records `next`. */
static void no_room(struct world *world, const char *damaged, const char *next)
{
    char sql[160];
    (void)snprintf(sql, sizeof sql,
                   "UPDATE cell SET count=count+1 WHERE measure=(SELECT id FROM symbol WHERE "
                   "text='%s')",
                   damaged);
    two_nodes(world);
    quietly(world, two_measures);
    say(world, "a count is changed behind the parent's back: with it no room is left for the next");
    change(world, world->hosts[ROOT], sql);
    cut_off(world, world->hosts[CHILD], true);
    restart(world, world->hosts[ROOT]);
    pass(world, SETTLE_US);
    (void)acts_record(world, world->hosts[CHILD], "42", next, 1);
    cut_off(world, world->hosts[CHILD], false);
    pass(world, 3 * SETTLE_US);
}

static void no_room_beside_damage(struct world *world)
{
    no_room(world, "visits", "raised");
}

static void no_room_after_damage(struct world *world)
{
    no_room(world, "raised", "visits");
}

static void stray_row(struct world *world)
{
    two_nodes(world);
    quietly(world, one_record);
    say(world, "a row is put in behind the parent's back that its origin does not have");
    change(world, world->hosts[ROOT],
           "INSERT INTO cell SELECT unit,measure,category,period+1,origin,value,count,live,hosting,"
           "day,held,scope,last,rev,hash FROM cell");
    restart(world, world->hosts[ROOT]);
    pass(world, 3 * SETTLE_US);
}

static void silent_parent(struct world *world)
{
    two_nodes(world);
    say(world, "nothing arrives at the child any more: both ends notice in their time");
    world->hosts[CHILD]->route.blocked_until_us[CHILD_END] = world->now_us + 40 * SECOND_US;
    pass(world, 30 * SECOND_US);
    say(world, "the way is open again");
    pass(world, 20 * SECOND_US);
}

const struct scene SCENES[] = {
    {"join-and-push", "A node joins, and its first entries go up.", join_and_push},
    {"resume", "After a time without a link only what is missing is sent.", resume},
    {"start-again", "A process ends and another goes on.", start_again},
    {"parent-put-back", "The parent has less than the child remembers.", parent_put_back},
    {"child-lost-tail", "The child's ledger is shorter than its escrow.", child_lost_tail},
    {"child-unknown-session", "The child's file is of an older session.", child_unknown_session},
    {"ended-session", "A machine comes with a session that has ended.", other_line_comes},
    {"fork", "The same place in a chain, another hash.", fork_of_a_chain},
    {"another-tree", "A node of another tree.", another_tree},
    {"no-common-version", "No protocol version in common.", no_common_version},
    {"unknown-key", "A key that nobody invited.", unknown_key},
    {"catalogue", "A catalogue goes down.", catalogue_down},
    {"held-row", "A row that the parent's catalogue does not know yet.", held_row},
    {"three-tiers", "An entry on its way to the root.", three_tiers},
    {"segment-grows", "A segment grows behind its continuation.", segment_grows},
    {"recorded-above", "What is recorded above goes down.", recorded_above},
    {"refused-row", "A row that is not the child's to say.", refused_row},
    {"same-code", "Two offices make a unit of the same code.", same_code},
    {"keeps-its-place", "A row that changes while it waits.", keeps_its_place},
    {"wait-for-moved-row", "Waiting for a row that changes meanwhile.", wait_for_moved_row},
    {"old-acknowledgement", "An acknowledgement that comes again.", old_acknowledgement},
    {"older-state", "An earlier state from a file that was put back.", older_state},
    {"unequal-digest", "Damage is found and mended.", unequal_digest},
    {"damaged-unit", "What is kept of a unit is damaged.", damaged_unit},
    {"damage-built-upon", "Damage that is met before it is looked for.", damage_built_upon},
    {"damage-on-its-way", "Damage to what has not gone up yet.", damage_on_its_way},
    {"own-unit-lost", "What the next start would stumble over.", own_unit_lost},
    {"unreadable-part", "What an audit cannot read.", unreadable_part},
    {"too-high-a-count", "Damage that looks newer than what is true.", too_high_a_count},
    {"no-room-after-damage", "What is refused in the batch that mends the damage is asked for.",
     no_room_after_damage},
    {"no-room-beside-damage", "What is refused for damage is asked for.", no_room_beside_damage},
    {"stray-row", "A row that was never written.", stray_row},
    {"silent-link", "A link that nothing comes through.", silent_parent},
    {"entries-lost", "Entries that nobody has any more.", scenes_entries_lost},
    {"lost-entries-back", "Some of them come back after all.", scenes_lost_entries_back},
};
const size_t SCENE_COUNT = sizeof SCENES / sizeof *SCENES;

/* What this office had decided and its file has lost, told back by those below. A root's ledger has
 * no other copy, and an office whose file was put back may have decided what its escrow does not
 * have: units, who hosts them, a catalogue.
 *
 * 1. A machine links whose key is not in the table of children. Its certificate is this office's
 * own act: made by its CA, it names the unit and the number of the hosting. When that is higher
 * than any known of the unit, the act is lost, and the machine may say hello.
 * 2. The hello brings the unit and the hosting as they were decided. Both are decided again: acts
 * in the own ledger, as many as it takes for the counts of both rows to pass those told. From there
 * on the child is one like any other.
 * 3. Its feed brings the units below it that were decided above; those that are lost here are
 * decided again too, or kept, when an office further up had decided them.
 * 4. A catalogue that is newer than the one here is taken from a child as from the parent: the root
 * has signed it.
 *
 * Refused: a number that is not higher (another machine has taken the place of this one, or it was
 * revoked), a certificate that another CA made (also of a former machine of this office, which may
 * be in the wrong hands), a unit that is this one or lies elsewhere, an origin that is another
 * unit's. An office below another waits for its parent's welcome: its escrow may have the acts.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "node/admit.h"
#include "node/retired.h"

enum {
    UNIT_ACTS_MAX = 16,      /* told of one unit, and decided again */
    HOSTING_ACTS_MAX = 1000, /* of the hosting of one unit */
};

#define AUTHOR "told back"

/* ---- who may be one whose act is lost ---- */

static bool lies_above(const struct node *node, const char *code)
{
    const struct unit *self = &node->view.tree.units[node->view.self];
    bool above = false;
    for (size_t i = 0; i < self->edge_count && !above; i++) {
        above = strcmp(self->edges[i].parent, code) == 0;
    }
    return above;
}

/* Where this office itself gives units away: at or below its own, and looked after by no other
 * node. */
static bool is_hosted_here(const struct node *node, int unit)
{
    const struct view *view = &node->view;
    return unit != TREE_NONE && view_within(view, unit, view->self) &&
           view_host(view, unit) == view->self;
}

enum err admit_claim(struct node *node, const struct link *link, enum refusal_code *code,
                     const char **why)
{
    const struct view *view = &node->view;
    struct store_hosting known = {.number = 0};
    const char *unit = link->address;
    *code = REFUSAL_UNKNOWN;
    *why = NODE_UNKNOWN;
    if (link->claimed <= 0 || link->claimed > COUNT_MAX || !text_is_code(unit, CODE_MAX_BYTES) ||
        lies_above(node, unit)) {
        return ERR_OK;
    }
    int place = view_unit_by_code(view, unit);
    if (place != TREE_NONE &&
        (place == view->self || !is_hosted_here(node, view->tree.units[place].parent))) {
        return ERR_OK;
    }
    if (place != TREE_NONE) {
        enum err err = store_hosting_get(node->store, view->tree.units[place].id, &known);
        TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
        if (err == ERR_OK && !id_equal(&known.decider, &node->origin)) {
            return ERR_OK;
        }
    }
    if (known.number >= link->claimed) {
        *code = known.revoked ? REFUSAL_REVOKED : REFUSAL_UNKNOWN;
        *why = known.revoked
                   ? "the key of this node was revoked; ask the office above for a new invitation"
                   : "another machine has joined in the place of this one";
        return ERR_OK;
    }
    if (node->unsound) { /* what is looked up may be there and not be found */
        *code = REFUSAL_BUSY;
        *why = NODE_UNSOUND;
        return ERR_OK;
    }
    if (!node->identity.is_root && !node->welcomed) {
        *code = REFUSAL_BUSY;
        *why = "this office does not know this node, and first waits for what the office above it "
               "keeps of its decisions";
        return ERR_OK;
    }
    *code = 0;
    return ERR_OK;
}

/* ---- units ---- */

/* Whose decision a told one is: *own, or one that came from above; neither: not to be told. */
static enum err know_decider(struct node *node, const struct id *name, bool *own, bool *above)
{
    struct cached_origin *origin;
    *own = id_equal(name, &node->origin);
    *above = false;
    enum err err = *own ? ERR_NOT_FOUND : node_origin_named(node, name, &origin);
    *above = err == ERR_OK && origin->row.scope == SCOPE_ABOVE;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static bool unit_sound(const struct unit_row *row)
{
    return text_is_code(row->code, CODE_MAX_BYTES) && text_is_code(row->level, CODE_MAX_BYTES) &&
           row->name != NULL && row->name[0] != '\0' &&
           text_is_clean(row->name, strlen(row->name), false) && row->edge_count > 0 &&
           row->edge_count <= EDGES_MAX && row->count >= 0 && row->count <= UNIT_ACTS_MAX;
}

static int depth_of(const struct view *view, int unit)
{
    int depth = 0;
    for (; unit != TREE_NONE && depth <= TREE_DEPTH_MAX; depth++) {
        unit = view->tree.units[unit].parent;
    }
    return depth;
}

static bool has_room(const struct node *node, int parent)
{
    return depth_of(&node->view, parent) < TREE_DEPTH_MAX && node->view.tree.count < UNITS_MAX;
}

static enum err put_unit(struct node *node, const struct unit_row *told, bool own)
{
    const struct unit_edge *edge = &told->edges[told->edge_count - 1];
    struct act act = {.kind = ACT_UNIT,
                      .unit = told->code,
                      .name = told->name,
                      .level = told->level,
                      .parent = edge->parent,
                      .day = edge->from};
    int64_t count = own ? told->count + 1 : told->count;
    struct buf edges;
    int64_t id;
    for (int64_t i = 0; own && i < count; i++) {
        TRY(ledger_act(node, &act, AUTHOR));
    }
    TRY(node_symbol(node, told->code, &id));
    buf_init(&edges, 1 << 16);
    edges_encode(told->edges, told->edge_count, &edges);
    struct store_unit row = {.code = id,
                             .name = told->name,
                             .level = told->level,
                             .edges = {edges.data, edges.len},
                             .decider = own ? node->origin : told->decider,
                             .count = count,
                             .scope = own ? SCOPE_OWN : SCOPE_ABOVE};
    enum err err = edges.failed ? ERR_NO_MEMORY : rows_put_unit(node, &row, told->code);
    buf_deinit(&edges);
    if (err == ERR_OK) {
        node_log(node, true,
                 "unit=%s note=\"it was lost with this office's file, and is told back\"",
                 told->code);
    }
    return err;
}

enum err admit_told_unit(struct receiver *r, const struct unit_row *row, bool *settled)
{
    struct node *node = r->node;
    struct store_unit known;
    int64_t id;
    bool own;
    bool above;
    *settled = false;
    if (r->link->up || id_is_zero(&row->decider)) {
        return ERR_OK;
    }
    TRY(know_decider(node, &row->decider, &own, &above));
    if (!own && !above) {
        return ERR_OK;
    }
    enum err err = store_symbol_find(node->store, row->code, &id);
    err = err == ERR_OK ? store_unit_get(node->store, id, &node->arena, &known) : err;
    if (err != ERR_NOT_FOUND) {
        *settled = err == ERR_OK && row->count <= known.count; /* as it came from here */
        return err;
    }
    *settled = true;
    if (!node->identity.is_root && !node->welcomed) {
        return ERR_OK; /* it comes from above */
    }
    int parent = row->edge_count == 0
                     ? TREE_NONE
                     : view_unit_by_code(&node->view, row->edges[row->edge_count - 1].parent);
    if (!receive_place(r, parent)) {
        return refuse_unit(r, REFUSE_NOT_ITS_UNIT, row->code, &row->decider);
    }
    if (!unit_sound(row)) {
        return refuse_unit(r, REFUSE_RANGE, row->code, &row->decider);
    }
    return has_room(node, parent) ? put_unit(node, row, own)
                                  : refuse_unit(r, REFUSE_LIMIT, row->code, &row->decider);
}

/* ---- who hosts a unit ---- */

enum err admit_host(struct node *node, struct store_hosting *next, int64_t acts, const char *author)
{
    struct cached_origin *origin;
    const char *code;
    TRY(node_text(node, next->unit, &code));
    struct act act = {.kind = ACT_HOST,
                      .unit = code,
                      .name = "",
                      .level = "",
                      .parent = "",
                      .day = DAY_NONE,
                      .node = next->node,
                      .origin = next->origin,
                      .key = next->key,
                      .number = (uint64_t)next->number};
    for (int64_t i = 0; i < acts; i++) {
        TRY(ledger_act(node, &act, author));
    }
    TRY(rows_put_hosting(node, next));
    /* The machine that another one takes the place of is not this unit's any more. */
    struct link *link = downlink_of_unit(node, next->unit, NULL);
    while (link != NULL) {
        downlink_refuse(node, link, REFUSAL_UNKNOWN,
                        "another machine has joined in the place of this one");
        link = downlink_of_unit(node, next->unit, link);
    }
    enum err err = node_origin_named(node, &next->origin, &origin);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    node->homeless -= err == ERR_OK && origin->row.unit == 0 ? 1 : 0;
    TRY(node_origin_ensure(node, &next->origin, next->unit, SCOPE_BELOW, &origin));
    origin->row.unit = next->unit;
    origin->row.via = next->unit;
    origin->dirty = true;
    struct store_status status = {
        .unit = next->unit, .node = next->node, .state = LINK_NEVER, .direct = true};
    return rows_put_status(node, &status);
}

/* ---- the hello of one whose act is lost ---- */

/* Whether the unit that it tells, which is not known here, is one that this office can have given
 * away. NULL, or why not. */
static const char *judge_unit(struct node *node, const struct link *link,
                              const struct unit_row *told)
{
    bool sound = told->code != NULL && strcmp(told->code, link->address) == 0 && unit_sound(told);
    int parent = sound ? view_unit_by_code(&node->view, told->edges[told->edge_count - 1].parent)
                       : TREE_NONE;
    if (sound && parent == TREE_NONE) {
        const char *text = arena_printf(
            &node->arena,
            "unit %s lies under unit %s, which this office has lost and nobody tells back; add "
            "that one here (tally unit add %s), and the node of %s links again",
            told->code, told->edges[told->edge_count - 1].parent,
            told->edges[told->edge_count - 1].parent, told->code);
        return text == NULL ? NODE_UNKNOWN : text;
    }
    return sound && is_hosted_here(node, parent) && has_room(node, parent) ? NULL : NODE_UNKNOWN;
}

static const char *judge_hosting(const struct node *node, const struct link *link,
                                 const struct msg_hello *hello)
{
    const struct hosting_row *told = &hello->hosting;
    if (told->unit == NULL || told->unit[0] == '\0') {
        return "this office has lost that it gave this node its unit, and the node does not tell "
               "it back: update its release";
    }
    bool certified = strcmp(told->unit, link->address) == 0 && told->number == link->claimed &&
                     id_equal(&told->node, &link->node) && hash_equal(&told->key, &link->key);
    bool itself = id_equal(&hello->node, &link->node) && id_equal(&hello->origin, &told->origin) &&
                  !id_is_zero(&told->origin) && !id_equal(&told->origin, &node->origin);
    bool decided_here = id_is_zero(&told->decider) || id_equal(&told->decider, &node->origin);
    return certified && itself && decided_here && !told->revoked && told->count >= 0
               ? NULL
               : "what this node tells of itself is not what its certificate says";
}

/* The unit's number in this file; 0 for one that no row names. */
static enum err number_of(struct node *node, const char *code, int64_t *id)
{
    enum err err = store_symbol_find(node->store, code, id);
    *id = err == ERR_OK ? *id : 0;
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err judge_origin(struct node *node, const struct id *name, int64_t unit,
                             const char **why)
{
    struct cached_origin *origin;
    enum err err = node_origin_named(node, name, &origin);
    bool free = err == ERR_NOT_FOUND;
    if (err == ERR_OK && origin->row.scope == SCOPE_BELOW) {
        bool nowhere = origin->row.unit == 0 && (origin->row.via == 0 || origin->row.via == unit);
        free = nowhere || (unit != 0 && origin->row.unit == unit);
    }
    *why = free ? NULL : "the ledger of this node is another unit's";
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

static enum err judge(struct node *node, const struct link *link, const struct msg_hello *hello,
                      bool unit_known, const char **why)
{
    int64_t unit;
    bool own = true;
    bool above = false;
    *why = judge_hosting(node, link, hello);
    *why = *why == NULL && !unit_known ? judge_unit(node, link, &hello->unit) : *why;
    if (*why != NULL) {
        return ERR_OK;
    }
    if (!unit_known && !id_is_zero(&hello->unit.decider)) {
        TRY(know_decider(node, &hello->unit.decider, &own, &above));
    }
    TRY(number_of(node, link->address, &unit));
    TRY(judge_origin(node, &hello->hosting.origin, unit, why));
    *why = own || above ? *why : "the unit of this node was not decided here";
    return ERR_OK;
}

static enum err decide_again(struct node *node, struct link *link, const struct msg_hello *hello,
                             bool unit_known, const char **why)
{
    struct store_hosting known = {.count = 0};
    const struct hosting_row *told = &hello->hosting;
    int64_t unit;
    TRY(number_of(node, link->address, &unit));
    enum err err = unit == 0 ? ERR_NOT_FOUND : store_hosting_get(node->store, unit, &known);
    TRY(err == ERR_NOT_FOUND ? ERR_OK : err);
    struct store_hosting next = {.node = told->node,
                                 .origin = told->origin,
                                 .key = told->key,
                                 .number = told->number,
                                 .decider = node->origin,
                                 .scope = SCOPE_OWN};
    next.count = (told->count > known.count ? told->count : known.count) + 1;
    if (next.count - known.count > HOSTING_ACTS_MAX) {
        *why = "what this node tells of itself is out of range";
        return ERR_OK;
    }
    if (!unit_known) {
        const struct id *decider = &hello->unit.decider;
        TRY(put_unit(node, &hello->unit, id_is_zero(decider) || id_equal(decider, &node->origin)));
    }
    TRY(node_symbol(node, link->address, &next.unit));
    return admit_host(node, &next, next.count - known.count, AUTHOR);
}

enum err admit_hello(struct node *node, struct link *link, const struct msg_hello *hello)
{
    enum refusal_code code;
    const char *why;
    struct cached_origin *origin;
    bool unit_known = view_unit_by_code(&node->view, link->address) != TREE_NONE;
    TRY(admit_claim(node, link, &code, &why)); /* another may have come since the link is up */
    if (code == 0) {
        code = REFUSAL_UNKNOWN;
        TRY(judge(node, link, hello, unit_known, &why));
        TRY(why == NULL ? decide_again(node, link, hello, unit_known, &why) : ERR_OK);
    }
    if (why != NULL) {
        downlink_refuse(node, link, code, why);
        return ERR_OK;
    }
    TRY(node_origin_named(node, &hello->origin, &origin));
    TRY(number_of(node, link->address, &link->unit));
    link->origin = origin->row.id;
    TRY(room_leave(node, false)); /* there may be more that is lost */
    node_log(node, true,
             "link=%" PRIu64 " unit=%s hosting=%" PRId64 " note=\"its node was lost with this "
             "office's file, and tells itself back\"",
             link->id, link->address, link->claimed);
    return ERR_OK;
}

/* ---- the catalogue ---- */

/* The root's own, which it does not have any more: published again as it was. */
static enum err publish_again(struct node *node, const struct msg_catalogue *catalogue,
                              const struct catalogue *decoded)
{
    struct act act = {.kind = ACT_CATALOGUE,
                      .unit = "",
                      .name = "",
                      .level = "",
                      .parent = "",
                      .day = DAY_NONE,
                      .number = catalogue->version,
                      .content = sha256(catalogue->content.data, catalogue->content.len)};
    TRY(ledger_act(node, &act, AUTHOR));
    return retired_keep(node, decoded);
}

enum err admit_catalogue(struct node *node, struct link *link,
                         const struct msg_catalogue *catalogue)
{
    struct buf bytes;
    struct errmsg msg = {{0}};
    struct catalogue decoded;
    const char *subject = link->up ? "catalogue" : link->address;
    link->catalogue_told =
        catalogue->version > link->catalogue_told ? catalogue->version : link->catalogue_told;
    if (catalogue->version <= node->view.catalogue.version) {
        return ERR_OK;
    }
    buf_init(&bytes, CATALOGUE_MAX_BYTES + 64);
    buf_put_u64(&bytes, catalogue->version);
    buf_put(&bytes, catalogue->content.data, catalogue->content.len);
    bool whole = !bytes.failed;
    bool good = whole && node->env.verify(node->env.ctx, &node->root_key, buf_bytes(&bytes),
                                          &catalogue->signature);
    buf_deinit(&bytes);
    if (!whole && catalogue->content.len <= CATALOGUE_MAX_BYTES) {
        return ERR_NO_MEMORY;
    }
    if (!good) {
        return node_alarm(node, "bad-signature", subject,
                          "a catalogue came that the root did not sign; the old one stays");
    }
    enum err err = catalogue_decode(catalogue->content, &node->arena, &decoded, &msg);
    if (err == ERR_NO_MEMORY) {
        return err;
    }
    if (err != ERR_OK) {
        return node_alarm(node, "bad-catalogue", subject,
                          "version %" PRIu64 " of the catalogue cannot be read: %s",
                          catalogue->version, msg.text);
    }
    if (!link->up) {
        node_log(node, true,
                 "link=%" PRIu64 " unit=%s catalogue=%" PRIu64 " note=\"it was lost "
                 "with this office's file, and is given back\"",
                 link->id, link->address, catalogue->version);
        TRY(room_leave(node, false));
    }
    TRY(node->identity.is_root ? publish_again(node, catalogue, &decoded) : ERR_OK);
    return admin_adopt_catalogue(node, catalogue->version, catalogue->content,
                                 &catalogue->signature);
}

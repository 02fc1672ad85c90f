/* Administration: the catalogue (at the root), units, invitations. Each is an act in the own
 * ledger. */
#include <inttypes.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "node/admit.h"
#include "node/changes.h"
#include "node/heal.h"
#include "node/retired.h"

enum { INVITE_DAYS_MAX = 365 };

/* ---- the catalogue ---- */

enum err admin_adopt_catalogue(struct node *node, uint64_t version, struct bytes content,
                               const struct signature *signature)
{
    struct catalogue decoded;
    TRY(catalogue_decode(content, &node->arena, &decoded, NULL));
    for (size_t i = 0; i < decoded.measure_count; i++) {
        int64_t id;
        TRY(node_symbol(node, decoded.measures[i].code, &id));
    }
    TRY(node_write(node));
    TRY(store_fact_set_int(node->store, "catalogue_version", (int64_t)version));
    TRY(store_fact_set_blob(node->store, "catalogue", content.data, content.len));
    TRY(store_fact_set_blob(node->store, "catalogue_signature", signature->b, sizeof signature->b));
    TRY(view_set_catalogue(&node->view, version, content, NULL));
    node_log(node, false, "catalogue=%" PRIu64 " measures=%zu", version, decoded.measure_count);
    node->recheck_held = true;
    return heal_unsettled(node);
}

/* What never changes once a measure is published. */
static enum err check_measure(const struct measure *old, const struct measure *next,
                              struct errmsg *msg)
{
    const char *what = old->kind != next->kind             ? "kind"
                       : old->decimals != next->decimals   ? "decimals"
                       : old->frequency != next->frequency ? "frequency"
                       : !catalogue_lists_equal(old->dimensions, old->dimension_count,
                                                next->dimensions, next->dimension_count)
                           ? "categories"
                           : NULL;
    if (what == NULL) {
        return ERR_OK;
    }
    return err_fail(msg, ERR_REFUSED,
                    "measure %s is published, and its %s cannot change; leave it as it is and "
                    "publish a new code, such as %s_2",
                    old->code, what, old->code);
}

static enum err check_dimension(const struct dimension *old, const struct dimension *next,
                                struct errmsg *msg)
{
    for (size_t i = 0; i < old->value_count; i++) {
        bool found = false;
        for (size_t j = 0; j < next->value_count && !found; j++) {
            found = strcmp(old->values[i], next->values[j]) == 0;
        }
        if (!found) {
            return err_fail(msg, ERR_REFUSED,
                            "value %s of category %s is published and cannot be taken away",
                            old->values[i], old->code);
        }
    }
    return ERR_OK;
}

/* A unit that is not known may come yet; one that is closed does not come again in that period. */
static enum err check_targets(const struct node *node, const struct catalogue *next,
                              struct errmsg *msg)
{
    for (size_t i = 0; i < next->target_count; i++) {
        const struct target *target = &next->targets[i];
        int unit = view_unit_by_code(&node->view, target->unit);
        if (unit != TREE_NONE &&
            !view_open_within(&node->view.tree.units[unit], period_first_day(target->period),
                              period_last_day(target->period))) {
            char period[PERIOD_TEXT_BYTES];
            period_format(target->period, period);
            return err_fail(msg, ERR_REFUSED,
                            "target of unit \"%s\" for \"%s\" in \"%s\": the unit is not open "
                            "then; take the target out, or give it to the unit that came after",
                            target->unit, target->measure, period);
        }
    }
    return ERR_OK;
}

enum err admin_check_catalogue(struct node *node, const struct catalogue *next, struct errmsg *msg)
{
    const struct catalogue *old = &node->view.catalogue;
    for (size_t i = 0; i < old->measure_count; i++) {
        const struct measure *measure = catalogue_measure(next, old->measures[i].code);
        bool used = false;
        if (measure != NULL) {
            TRY(check_measure(&old->measures[i], measure, msg));
            continue;
        }
        TRY(store_measure_used(node->store, node->view.measure_ids[i], &used));
        if (used) {
            return err_fail(msg, ERR_REFUSED,
                            "measure %s has entries and cannot be taken out of the catalogue",
                            old->measures[i].code);
        }
    }
    for (size_t i = 0; i < old->dimension_count; i++) {
        const struct dimension *dimension = catalogue_dimension(next, old->dimensions[i].code);
        if (dimension != NULL) {
            TRY(check_dimension(&old->dimensions[i], dimension, msg));
        }
    }
    for (size_t i = 0; i < node->view.tree.count; i++) {
        const struct unit *unit = &node->view.tree.units[i];
        if (catalogue_level(next, unit->level) < 0) {
            return err_fail(msg, ERR_REFUSED,
                            "unit %s is of level %s, which the catalogue does not have", unit->code,
                            unit->level);
        }
    }
    return check_targets(node, next, msg);
}

/* Publishes: the act goes into the ledger, the signed bytes become the catalogue. */
static enum err publish(struct node *node, const struct request *request,
                        const struct catalogue *next, struct bytes content)
{
    struct buf bytes;
    struct signature signature;
    buf_init(&bytes, CATALOGUE_MAX_BYTES + 64);
    buf_put_u64(&bytes, next->version);
    buf_put(&bytes, content.data, content.len);
    enum err err =
        bytes.failed ? ERR_NO_MEMORY : node->env.sign(node->env.ctx, buf_bytes(&bytes), &signature);
    buf_deinit(&bytes);
    TRY(err);
    struct act act = {.kind = ACT_CATALOGUE,
                      .unit = "",
                      .name = "",
                      .level = "",
                      .parent = "",
                      .day = DAY_NONE,
                      .number = next->version,
                      .content = sha256(content.data, content.len)};
    TRY(ledger_act(node, &act, request->client->author));
    TRY(retired_keep(node, next));
    return admin_adopt_catalogue(node, next->version, content, &signature);
}

/* A unit that nobody has heard of is made later, or was typed wrong. */
static enum err name_unknown_units(struct node *node, const struct catalogue *next,
                                   struct changes *changes)
{
    for (size_t i = 0; i < next->target_count && changes->count < CHANGES_MAX; i++) {
        const char *unit = next->targets[i].unit;
        if (unit[0] != '\0' && view_unit_by_code(&node->view, unit) == TREE_NONE) {
            const char *line = arena_printf(&node->arena, "! target %s %s: there is no unit %s yet",
                                            unit, next->targets[i].measure, unit);
            TRY(line == NULL ? ERR_NO_MEMORY : ERR_OK);
            changes->lines[changes->count++] = line;
        }
    }
    return ERR_OK;
}

void apply_request(struct node *node, const struct request *request)
{
    const struct req_apply *apply = &request->msg->u.apply;
    struct catalogue next;
    struct errmsg msg = {{0}};
    if (!request_may(node, request, NODE_ROLE_ADMIN)) {
        return;
    }
    if (!node->identity.is_root) {
        request_refuse(node, request, ERR_REFUSED,
                       "the catalogue is set at the root of the tree; this node is not the root");
        return;
    }
    struct buf bytes;
    buf_init(&bytes, CATALOGUE_MAX_BYTES);
    enum err err = catalogue_decode(apply->catalogue, &node->arena, &next, &msg);
    err = err == ERR_OK ? catalogue_check(&next, NULL, &msg) : err;
    err = err == ERR_OK ? admin_check_catalogue(node, &next, &msg) : err;
    err = err == ERR_OK ? retired_check(node, &next, &msg) : err;
    if (err != ERR_OK) {
        request_refuse(node, request, err, "%s",
                       msg.text[0] != '\0' ? msg.text : "the catalogue cannot be read");
        return;
    }
    uint64_t version = node->view.catalogue.version;
    next.version = version;
    catalogue_encode(&next, &bytes);
    struct changes changes = {.count = 0};
    err = bytes.failed ? ERR_NO_MEMORY
                       : changes_list(&node->view.catalogue, &next, &node->arena, &changes);
    bool same = version != 0 && changes.count == 0;
    err = err == ERR_OK && !same ? name_unknown_units(node, &next, &changes) : err;
    version = same ? version : (uint64_t)room_next((int64_t)version, node->version_floor);
    if (err == ERR_OK && !same && !apply->dry_run) {
        next.version = version;
        buf_clear(&bytes);
        catalogue_encode(&next, &bytes);
        err = bytes.failed ? ERR_LIMIT : publish(node, request, &next, buf_bytes(&bytes));
    }
    buf_deinit(&bytes);
    struct msg_reply *reply = err == ERR_OK ? request_reply(node, request) : NULL;
    if (reply == NULL) {
        node_fail(node, err, "catalogue");
        return;
    }
    reply->u.apply = (struct rep_apply){
        .version = version, .changes = changes.lines, .change_count = changes.count};
}

/* ---- units ---- */

static enum err check_level(const struct node *node, const char *level, const struct unit *parent,
                            struct errmsg *msg)
{
    const struct catalogue *catalogue = &node->view.catalogue;
    if (catalogue->version == 0) {
        return ERR_OK;
    }
    int place = catalogue_level(catalogue, level);
    if (place < 0) {
        struct nearest nearest;
        char hint[NEAREST_MAX * NEAREST_NAME_BYTES + 64];
        nearest_init(&nearest, level);
        for (size_t i = 0; i < catalogue->level_count; i++) {
            nearest_offer(&nearest, catalogue->levels[i]);
        }
        nearest_format(&nearest, hint, sizeof hint);
        return err_fail(msg, ERR_REFUSED, "level %s is not in the catalogue%s", level, hint);
    }
    if (place <= catalogue_level(catalogue, parent->level)) {
        return err_fail(msg, ERR_REFUSED, "a unit of level %s cannot lie under %s, which is a %s",
                        level, parent->code, parent->level);
    }
    return ERR_OK;
}

static int depth_of(const struct view *view, int unit)
{
    int depth = 0;
    while (unit != TREE_NONE && depth <= TREE_DEPTH_MAX) {
        unit = view->tree.units[unit].parent;
        depth++;
    }
    return depth;
}

/* ERR_EXISTS: the same unit is there already. */
static enum err check_unit(const struct node *node, const struct unit_new *wanted, int *parent,
                           struct errmsg *msg)
{
    const struct view *view = &node->view;
    if (!text_is_code(wanted->code, CODE_MAX_BYTES)) {
        return err_fail(msg, ERR_REFUSED,
                        "\"%.64s\" is no code: 1 to %d letters, digits or -_. without spaces",
                        wanted->code, CODE_MAX_BYTES);
    }
    bool named = wanted->name[0] != '\0' && strlen(wanted->name) <= NAME_MAX_BYTES &&
                 text_is_clean(wanted->name, strlen(wanted->name), false);
    if (!named || !text_is_code(wanted->level, CODE_MAX_BYTES)) {
        return err_fail(msg, ERR_REFUSED, "unit %s needs a name and a level (--name, --level)",
                        wanted->code);
    }
    *parent = wanted->parent[0] == '\0' ? view->self : view_unit_by_code(view, wanted->parent);
    if (*parent == TREE_NONE) {
        return err_fail(msg, ERR_REFUSED, "unit %s: its parent %s is not known here", wanted->code,
                        wanted->parent);
    }
    const struct unit *above = &view->tree.units[*parent];
    int there = view_unit_by_code(view, wanted->code);
    if (there != TREE_NONE) {
        const struct unit *unit = &view->tree.units[there];
        bool same = strcmp(unit->name, wanted->name) == 0 &&
                    strcmp(unit->level, wanted->level) == 0 && unit->parent == *parent;
        return same ? ERR_EXISTS
                    : err_fail(msg, ERR_REFUSED, "unit %s exists already (%s, a %s)", unit->code,
                               unit->name, unit->level);
    }
    int host = view_host(view, *parent);
    if (host != view->self) {
        return err_fail(msg, ERR_REFUSED,
                        "%s is looked after by the node of unit %s; add unit %s there", above->code,
                        host == TREE_NONE ? "?" : view->tree.units[host].code, wanted->code);
    }
    if (depth_of(view, *parent) >= TREE_DEPTH_MAX || view->tree.count >= UNITS_MAX) {
        return err_fail(msg, ERR_LIMIT, "unit %s: the tree would be too deep or too large",
                        wanted->code);
    }
    return check_level(node, wanted->level, above, msg);
}

static enum err add_unit(struct node *node, const struct unit_new *wanted, int parent,
                         const char *author)
{
    const char *above = node->view.tree.units[parent].code;
    struct act act = {.kind = ACT_UNIT,
                      .unit = wanted->code,
                      .name = wanted->name,
                      .level = wanted->level,
                      .parent = above,
                      .day = DAY_NONE};
    struct unit_edge edge = {.parent = above, .from = DAY_NONE, .to = DAY_NONE};
    struct buf edges;
    int64_t id;
    TRY(ledger_act(node, &act, author));
    TRY(node_symbol(node, wanted->code, &id));
    buf_init(&edges, 4096);
    edges_encode(&edge, 1, &edges);
    struct store_unit row = {.code = id,
                             .name = wanted->name,
                             .level = wanted->level,
                             .edges = {edges.data, edges.len},
                             .decider = node->origin,
                             .count = 1,
                             .scope = SCOPE_OWN};
    enum err err = edges.failed ? ERR_NO_MEMORY : rows_put_unit(node, &row, wanted->code);
    buf_deinit(&edges);
    return err;
}

struct units_adding {
    struct node *node;
    const struct req_units *units;
    const char *author;
    struct codes codes;
    struct refused_line *refused;
    const char **issued; /* the codes of all, with a pattern; else NULL */
    struct rep_recorded *rep;
};

/* One unit is judged and made; `unit` gets its code when it has none. */
static enum err unit_take(struct units_adding *a, struct unit_new *unit, struct errmsg *msg,
                          enum err *judged)
{
    char code[CODE_MAX_BYTES + 1];
    int parent;
    *judged = ERR_OK;
    if (a->issued != NULL && unit->code[0] == '\0') {
        *judged = codes_issue(&a->codes, unit, code, msg);
        unit->code = *judged == ERR_OK ? arena_str(&a->node->arena, code) : "";
    }
    if (unit->code == NULL || *judged == ERR_NO_MEMORY) {
        return ERR_NO_MEMORY;
    }
    *judged = *judged == ERR_OK ? check_unit(a->node, unit, &parent, msg) : *judged;
    if (*judged != ERR_OK) {
        return ERR_OK;
    }
    TRY(add_unit(a->node, unit, parent, a->author));
    return a->issued == NULL ? ERR_OK : codes_added(&a->codes, unit, parent);
}

/* Units of one request see those before them, so each is added when it is judged; a bad one takes
 * back all of them. */
static enum err units_take(struct units_adding *a)
{
    struct rep_recorded *rep = a->rep;
    for (size_t i = 0; i < a->units->unit_count; i++) {
        struct unit_new unit = a->units->units[i];
        struct errmsg msg = {{0}};
        enum err judged;
        TRY(unit_take(a, &unit, &msg, &judged));
        bool refused = judged != ERR_OK && judged != ERR_EXISTS;
        if (a->issued != NULL) {
            a->issued[i] = refused ? "" : unit.code;
        }
        rep->recorded += judged == ERR_OK ? 1 : 0;
        rep->known += judged == ERR_EXISTS ? 1 : 0;
        rep->refused_total += refused ? 1 : 0;
        if (refused && rep->refused_count < REFUSED_ROWS_MAX) {
            const char *reason = arena_str(&a->node->arena, msg.text);
            a->refused[rep->refused_count++] =
                (struct refused_line){unit.line, reason == NULL ? "" : reason};
        }
    }
    return ERR_OK;
}

static enum err units_all(struct units_adding *a)
{
    const struct req_units *units = a->units;
    TRY(node_savepoint(a->node));
    codes_begin(&a->codes, a->node, units->pattern);
    enum err err = units_take(a);
    codes_end(&a->codes);
    TRY(err);
    return node_savepoint_end(a->node, a->rep->refused_total > 0 || units->check_only);
}

void units_request(struct node *node, const struct request *request)
{
    const struct req_units *units = &request->msg->u.units;
    bool pattern = units->pattern != NULL && units->pattern[0] != '\0';
    struct units_adding a = {
        .node = node,
        .units = units,
        .author = request->client->author,
        .refused = arena_array(&node->arena, REFUSED_ROWS_MAX, sizeof *a.refused),
        .issued =
            pattern ? arena_array(&node->arena, units->unit_count + 1, sizeof *a.issued) : NULL,
    };
    struct msg_reply *reply =
        request_may(node, request, NODE_ROLE_ADMIN) ? request_reply(node, request) : NULL;
    if (reply == NULL) {
        return;
    }
    struct rep_recorded *rep = a.rep = &reply->u.recorded;
    bool room = a.refused != NULL && (a.issued != NULL || !pattern);
    rep->refused = a.refused;
    rep->revision = INT64_MAX;
    enum err err = room ? units_all(&a) : ERR_NO_MEMORY;
    if (err != ERR_OK) {
        node_fail(node, err, "units");
        return;
    }
    rep->codes = a.issued;
    rep->code_count = pattern ? units->unit_count : 0;
    if (rep->refused_total > 0 && units->unit_count == 1 && units->units[0].line == 0) {
        reply->err = ERR_REFUSED;
        reply->text = a.refused[0].reason; /* of no file */
    }
    rep->recorded = rep->refused_total > 0 ? 0 : rep->recorded;
}

/* ---- invitations ---- */

static enum err make_token(struct node *node, const struct store_invite *invite, const char *unit,
                           const char **out, struct errmsg *msg)
{
    struct token token = {.invite = invite->name,
                          .tree = node->identity.tree,
                          .root = node->root_fingerprint,
                          .expires = invite->expires,
                          .address_count = node->address_count};
    char text[TOKEN_MAX_BYTES];
    memcpy(token.secret, invite->secret, SECRET_BYTES);
    (void)memcpy(token.unit, unit, strlen(unit) + 1);
    for (size_t i = 0; i < node->address_count; i++) {
        (void)memcpy(token.addresses[i], node->addresses[i], strlen(node->addresses[i]) + 1);
    }
    enum err err = token_format(&token, text);
    if (err != ERR_OK) {
        return err_fail(msg, err,
                        "the token would be too long; name fewer addresses in the configuration");
    }
    *out = arena_str(&node->arena, text);
    return *out == NULL ? ERR_NO_MEMORY : ERR_OK;
}

/* The unit to be given away: known, hosted here, without a node (or with one, to be replaced). */
static enum err check_invite(struct node *node, const struct req_invite *invite, int unit,
                             struct errmsg *msg)
{
    const struct view *view = &node->view;
    const struct unit *row = &view->tree.units[unit];
    if (unit == view->self || !view_within(view, unit, view->self)) {
        return err_fail(msg, ERR_REFUSED, "unit %s does not lie under this node", row->code);
    }
    int host = view_host(view, row->parent);
    if (host != view->self) {
        return err_fail(msg, ERR_REFUSED, "unit %s lies under the node of unit %s; invite it there",
                        row->code, host == TREE_NONE ? "?" : view->tree.units[host].code);
    }
    if (row->hosting && !invite->replace && !invite->reissue) {
        return err_fail(msg, ERR_REFUSED,
                        "unit %s has a node already; --replace gives it a new one in its place",
                        row->code);
    }
    if (!row->hosting && invite->reissue) {
        return err_fail(msg, ERR_REFUSED,
                        "unit %s has no node whose identity could be issued anew; tally invite %s "
                        "gives it one",
                        row->code, row->code);
    }
    if (!row->hosting && invite->replace) {
        return err_fail(msg, ERR_REFUSED,
                        "unit %s has no node that could be replaced; leave --replace out",
                        row->code);
    }
    if (node->address_count == 0) {
        return err_fail(msg, ERR_REFUSED,
                        "this node has no address at which a child could reach it; set addresses "
                        "(or listen) in tally.yaml and reload");
    }
    return ERR_OK;
}

static enum err invite(struct node *node, const struct request *request, const char **token,
                       struct errmsg *msg)
{
    const struct req_invite *wanted = &request->msg->u.invite;
    int unit = view_unit_by_code(&node->view, wanted->unit);
    if (wanted->expires_ms <= 0 || wanted->expires_ms > INT64_C(1) * INVITE_DAYS_MAX * DAY_MS) {
        return err_fail(msg, ERR_REFUSED, "an invitation lasts up to %d days", INVITE_DAYS_MAX);
    }
    if (unit == TREE_NONE && wanted->reissue) {
        return err_fail(msg, ERR_REFUSED, "unit %s is not known here", wanted->unit);
    }
    if (unit == TREE_NONE) {
        struct unit_new made = {
            .code = wanted->unit, .name = wanted->name, .level = wanted->level, .parent = ""};
        int parent;
        if (wanted->name[0] == '\0' || wanted->level[0] == '\0') {
            return err_fail(msg, ERR_REFUSED,
                            "unit %s is not known here; name a new one with --name and --level",
                            wanted->unit);
        }
        if (wanted->replace || node->address_count == 0) {
            return err_fail(
                msg, ERR_REFUSED,
                wanted->replace
                    ? "unit %s is not known here, so it has no node to replace"
                    : "unit %s: this node has no address at which a child could reach it; set "
                      "addresses (or listen) in tally.yaml and reload",
                wanted->unit);
        }
        TRY(check_unit(node, &made, &parent, msg));
        TRY(add_unit(node, &made, parent, request->client->author));
        unit = view_unit_by_code(&node->view, wanted->unit);
    }
    TRY(check_invite(node, wanted, unit, msg));
    const struct unit *row = &node->view.tree.units[unit];
    struct store_invite kept = {.unit = row->id,
                                .expires = {node->now.wall.ms + wanted->expires_ms},
                                .replace = wanted->replace || wanted->reissue};
    node->env.random(node->env.ctx, kept.name.b, sizeof kept.name.b);
    node->env.random(node->env.ctx, kept.secret, sizeof kept.secret);
    struct act act = {.kind = ACT_INVITE,
                      .unit = row->code,
                      .name = "",
                      .level = "",
                      .parent = "",
                      .day = DAY_NONE,
                      .node = kept.name,
                      .content = sha256(kept.secret, sizeof kept.secret),
                      .expires = kept.expires};
    TRY(ledger_act(node, &act, request->client->author));
    TRY(store_invite_put(node->store, &kept));
    return make_token(node, &kept, row->code, token, msg);
}

void invite_request(struct node *node, const struct request *request)
{
    struct errmsg msg = {{0}};
    const char *token = "";
    if (!request_may(node, request, NODE_ROLE_ADMIN)) {
        return;
    }
    enum err err = invite(node, request, &token, &msg);
    if (err != ERR_OK && msg.text[0] != '\0') {
        request_refuse(node, request, err, "%s", msg.text);
        return;
    }
    if (err != ERR_OK) {
        node_fail(node, err, "invitation");
        return;
    }
    struct msg_reply *reply = request_reply(node, request);
    if (reply != NULL) {
        reply->u.invite.token = token;
    }
}

/* Codes of units, issued by a pattern: "{parent}.##" gives 436.01, 436.02, ... under 436.
 *
 * The number is the next after the highest that any unit under that parent has in that pattern, and
 * none that is another unit's, so that none is given twice, whatever was closed or moved since. A
 * unit that is there under that parent, with a code of the pattern and with that name and level, is
 * the one that is meant: so a file may come again. What is there is looked at once a request. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "node/internal.h"

static const char PARENT[] = "{parent}";

enum { MARKS_MAX = 9 };

struct form {
    char before[CODE_MAX_BYTES + 1];
    char after[CODE_MAX_BYTES + 1];
    size_t digits;
};

/* For each parent, or for all of them where the pattern has no {parent}. */
enum { SCOPE_ALL = -2 };
struct issued {
    int64_t highest;
};

struct named {
    uint64_t hash; /* of name and level */
    int64_t parent;
};

void codes_begin(struct codes *codes, struct node *node, const char *pattern)
{
    *codes = (struct codes){.node = node, .pattern = pattern};
    map_init(&codes->parents, sizeof(int64_t), sizeof(struct issued));
    map_init(&codes->names, sizeof(struct named), sizeof(int));
}

void codes_end(struct codes *codes)
{
    map_deinit(&codes->parents);
    map_deinit(&codes->names);
}

enum err codes_check(const char *pattern, struct errmsg *msg)
{
    const char *marks = strchr(pattern, '#');
    size_t count = marks == NULL ? 0 : strspn(marks, "#");
    if (count == 0 || count > MARKS_MAX || strchr(marks + count, '#') != NULL) {
        return err_fail(msg, ERR_REFUSED,
                        "a pattern of codes has one group of 1 to %d number signs, as in "
                        "{parent}.##, not \"%.64s\"",
                        MARKS_MAX, pattern);
    }
    const char *brace = strpbrk(pattern, "{}");
    bool well = brace == NULL || (strncmp(brace, PARENT, sizeof PARENT - 1) == 0 &&
                                  strpbrk(brace + sizeof PARENT - 1, "{}") == NULL);
    return well ? ERR_OK
                : err_fail(msg, ERR_REFUSED,
                           "a pattern of codes may have {parent} in it, once, and no other "
                           "braces: \"%.64s\"",
                           pattern);
}

/* The text with the parent's code in it; false when that is too long. */
static bool expand(const char *text, size_t len, const char *parent, char out[CODE_MAX_BYTES + 1])
{
    const char *brace = memchr(text, '{', len);
    size_t first = brace == NULL ? len : (size_t)(brace - text);
    size_t rest = brace == NULL ? len : first + sizeof PARENT - 1;
    int written = snprintf(out, CODE_MAX_BYTES + 1, "%.*s%s%.*s", (int)first, text,
                           brace == NULL ? "" : parent, (int)(len - rest), text + rest);
    return written >= 0 && written <= CODE_MAX_BYTES;
}

static enum err form_make(const struct codes *codes, const char *parent, struct form *out,
                          struct errmsg *msg)
{
    const char *marks = strchr(codes->pattern, '#');
    out->digits = strspn(marks, "#");
    const char *after = marks + out->digits;
    bool fits = expand(codes->pattern, (size_t)(marks - codes->pattern), parent, out->before) &&
                expand(after, strlen(after), parent, out->after) &&
                strlen(out->before) + out->digits + strlen(out->after) <= CODE_MAX_BYTES;
    return fits ? ERR_OK
                : err_fail(msg, ERR_REFUSED,
                           "codes of the pattern %.64s under %.64s would be longer than %d bytes",
                           codes->pattern, parent, CODE_MAX_BYTES);
}

/* The number in a code of that form, or -1. */
static int64_t number_in(const struct form *form, const char *code)
{
    size_t before = strlen(form->before);
    size_t len = strlen(code);
    int64_t number = 0;
    bool shaped = len == before + form->digits + strlen(form->after) &&
                  memcmp(code, form->before, before) == 0 &&
                  strcmp(code + before + form->digits, form->after) == 0;
    for (size_t i = 0; i < form->digits && shaped; i++) {
        char c = code[before + i];
        shaped = c >= '0' && c <= '9';
        number = number * 10 + (c - '0');
    }
    return shaped ? number : -1;
}

static struct named name_key(int64_t parent, const char *name, const char *level)
{
    struct named key;
    memset(&key, 0, sizeof key);
    key.hash = map_hash(name, strlen(name)) * 31 + map_hash(level, strlen(level));
    key.parent = parent;
    return key;
}

static int64_t scope_of(const struct codes *codes, int parent)
{
    return strchr(codes->pattern, '{') == NULL ? SCOPE_ALL : parent;
}

/* One unit that is there: its number counts, and its name is known. */
static enum err take_in(struct codes *codes, const struct form *form, int place)
{
    const struct unit *unit = &codes->node->view.tree.units[place];
    int64_t key = scope_of(codes, unit->parent);
    int64_t number = number_in(form, unit->code);
    if (number < 0) {
        return ERR_OK;
    }
    struct named name = name_key(unit->parent, unit->name, unit->level);
    struct issued *issued = map_put(&codes->parents, &key, NULL);
    int *named = map_put(&codes->names, &name, NULL);
    if (issued == NULL || named == NULL) {
        return ERR_NO_MEMORY;
    }
    issued->highest = number > issued->highest ? number : issued->highest;
    *named = place;
    return ERR_OK;
}

/* Every unit, once a request. */
static enum err look(struct codes *codes)
{
    const struct tree *tree = &codes->node->view.tree;
    struct form form = {.digits = 0};
    int parent = TREE_NONE;
    bool fits = false;
    for (size_t i = 0; i < tree->count && !codes->looked; i++) {
        int above = tree->units[i].parent;
        if (above == TREE_NONE) {
            continue;
        }
        if (above != parent) {
            parent = above;
            fits = form_make(codes, tree->units[above].code, &form, NULL) == ERR_OK;
        }
        TRY(fits ? take_in(codes, &form, (int)i) : ERR_OK);
    }
    codes->looked = true;
    return ERR_OK;
}

enum err codes_issue(struct codes *codes, const struct unit_new *wanted,
                     char out[CODE_MAX_BYTES + 1], struct errmsg *msg)
{
    const struct view *view = &codes->node->view;
    struct form form;
    TRY(codes_check(codes->pattern, msg));
    int parent = wanted->parent[0] == '\0' ? view->self : view_unit_by_code(view, wanted->parent);
    if (parent == TREE_NONE) {
        return err_fail(msg, ERR_REFUSED, "the parent %.64s is not known here", wanted->parent);
    }
    int64_t key = scope_of(codes, parent);
    TRY(form_make(codes, view->tree.units[parent].code, &form, msg));
    TRY(look(codes));
    struct named name = name_key(parent, wanted->name, wanted->level);
    const int *there = map_get(&codes->names, &name);
    if (there != NULL && strcmp(view->tree.units[*there].name, wanted->name) == 0 &&
        strcmp(view->tree.units[*there].level, wanted->level) == 0) {
        memcpy(out, view->tree.units[*there].code, strlen(view->tree.units[*there].code) + 1);
        return ERR_OK;
    }
    const struct issued *issued = map_get(&codes->parents, &key);
    int64_t most = 1;
    for (size_t i = 0; i < form.digits; i++) {
        most *= 10;
    }
    for (int64_t n = issued == NULL ? 1 : issued->highest + 1; n < most; n++) {
        int written = snprintf(out, CODE_MAX_BYTES + 1, "%s%0*lld%s", form.before, (int)form.digits,
                               (long long)n, form.after);
        if (written <= 0 || !text_is_code(out, CODE_MAX_BYTES)) {
            return err_fail(msg, ERR_REFUSED, "\"%.64s\", of the pattern %.64s, is no code", out,
                            codes->pattern);
        }
        if (view_unit_by_code(view, out) == TREE_NONE) {
            return ERR_OK; /* else it has moved elsewhere */
        }
    }
    return err_fail(msg, ERR_REFUSED,
                    "no code is left in the pattern %.64s under %.64s; use more number signs",
                    codes->pattern, view->tree.units[parent].code);
}

enum err codes_added(struct codes *codes, const struct unit_new *unit, int parent)
{
    const struct view *view = &codes->node->view;
    struct form form;
    int place = view_unit_by_code(view, unit->code);
    bool fits = codes->looked && place != TREE_NONE &&
                form_make(codes, view->tree.units[parent].code, &form, NULL) == ERR_OK;
    return fits ? take_in(codes, &form, place) : ERR_OK;
}

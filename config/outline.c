#include "config/outline.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "base/text.h"

/* A sequence or mapping whose end has not come yet. */
struct open_node {
    int32_t node;
    int32_t last;    /* child */
    size_t children; /* of a mapping: keys and values */
};

struct builder {
    struct outline *outline;
    const char *name;
    struct bytes text;
    struct arena *arena;
    struct errmsg *msg;
    struct open_node open[OUTLINE_DEPTH_MAX];
    int depth;
    int documents;
};

static enum err fail_at(const struct builder *builder, yaml_mark_t mark, const char *reason)
{
    return err_fail(builder->msg, ERR_INVALID, "%s:%zu:%zu: %s", builder->name, mark.line + 1,
                    mark.column + 1, reason);
}

static enum err node_room(struct builder *builder, yaml_mark_t mark)
{
    struct outline *outline = builder->outline;
    if (outline->count == OUTLINE_NODES_MAX) {
        return fail_at(builder, mark, "the file has more entries than any file of this kind needs");
    }
    if (outline->count < outline->cap) {
        return ERR_OK;
    }
    int32_t cap = outline->cap == 0 ? 256 : outline->cap * 2;
    struct outline_node *nodes = realloc(outline->nodes, (size_t)cap * sizeof *nodes);
    if (nodes == NULL) {
        return err_fail(builder->msg, ERR_NO_MEMORY, "%s: out of memory", builder->name);
    }
    outline->nodes = nodes;
    outline->cap = cap;
    return ERR_OK;
}

/* Makes the new node a child of the innermost open one. */
static enum err node_attach(struct builder *builder, int32_t at, yaml_mark_t mark)
{
    if (builder->depth == 0) {
        return ERR_OK;
    }
    struct outline_node *nodes = builder->outline->nodes;
    struct open_node *above = &builder->open[builder->depth - 1];
    bool is_key = nodes[above->node].kind == OUTLINE_MAPPING && above->children % 2 == 0;
    if (is_key && nodes[at].kind != OUTLINE_SCALAR) {
        return fail_at(builder, mark, "a key must be a single word");
    }
    if (above->children++ == 0) {
        nodes[above->node].first = at;
    } else {
        nodes[above->last].next = at;
    }
    above->last = at;
    return ERR_OK;
}

static enum err node_add(struct builder *builder, enum outline_kind kind, yaml_mark_t mark,
                         const char *text)
{
    struct outline *outline = builder->outline;
    TRY(node_room(builder, mark));
    int32_t at = outline->count++;
    outline->nodes[at] = (struct outline_node){.kind = kind,
                                               .line = (uint32_t)mark.line + 1,
                                               .column = (uint32_t)mark.column + 1,
                                               .first = OUTLINE_NONE,
                                               .next = OUTLINE_NONE,
                                               .end = at + 1,
                                               .text = text};
    TRY(node_attach(builder, at, mark));
    if (kind == OUTLINE_SCALAR) {
        return ERR_OK;
    }
    if (builder->depth == OUTLINE_DEPTH_MAX) {
        return fail_at(builder, mark, "nested too deeply");
    }
    builder->open[builder->depth++] = (struct open_node){.node = at};
    return ERR_OK;
}

static enum err scalar_add(struct builder *builder, const yaml_event_t *event)
{
    const char *value = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    if (!text_is_clean(value, len, false)) {
        return fail_at(builder, event->start_mark,
                       "the text has a line break or control character");
    }
    const char *text = arena_strn(builder->arena, value, len);
    if (text == NULL) {
        return err_fail(builder->msg, ERR_NO_MEMORY, "%s: out of memory", builder->name);
    }
    return node_add(builder, OUTLINE_SCALAR, event->start_mark, text);
}

static enum err event_take(struct builder *builder, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return fail_at(builder, event->start_mark,
                       "aliases (*name) are not used here; write it out");
    case YAML_DOCUMENT_START_EVENT:
        if (++builder->documents > 1) {
            return fail_at(builder, event->start_mark,
                           "a second document begins; one file holds one");
        }
        return ERR_OK;
    case YAML_SCALAR_EVENT:
        return scalar_add(builder, event);
    case YAML_SEQUENCE_START_EVENT:
        return node_add(builder, OUTLINE_SEQUENCE, event->start_mark, NULL);
    case YAML_MAPPING_START_EVENT:
        return node_add(builder, OUTLINE_MAPPING, event->start_mark, NULL);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        builder->depth--;
        builder->outline->nodes[builder->open[builder->depth].node].end = builder->outline->count;
        return ERR_OK;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_STREAM_END_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        return ERR_OK;
    }
    return ERR_OK;
}

/* Line and column of a byte, for errors of the reader, which knows only that. */
static yaml_mark_t mark_of_offset(struct bytes text, size_t offset)
{
    yaml_mark_t mark = {0, 0, 0};
    for (size_t i = 0; i < offset && i < text.len; i++) {
        if (text.data[i] == '\n') {
            mark.line++;
            mark.column = 0;
        } else if ((text.data[i] & 0xc0) != 0x80) {
            mark.column++;
        }
    }
    return mark;
}

/* Whether the character at the mark is a tab, which libyaml does not name. */
static bool tab_at(struct bytes text, yaml_mark_t mark)
{
    size_t line = 0;
    size_t at = 0;
    while (at < text.len && line < mark.line) {
        line += text.data[at++] == '\n' ? 1 : 0;
    }
    at += mark.column; /* before a tab of the indentation stands nothing wider than a byte */
    return at < text.len && text.data[at] == '\t';
}

static enum err fail_parse(const struct builder *builder, const yaml_parser_t *parser)
{
    if (parser->error == YAML_MEMORY_ERROR) {
        return err_fail(builder->msg, ERR_NO_MEMORY, "%s: out of memory", builder->name);
    }
    if (parser->error == YAML_READER_ERROR) {
        yaml_mark_t mark = mark_of_offset(builder->text, parser->problem_offset);
        return fail_at(builder, mark, "a byte that is not UTF-8 or not allowed in YAML");
    }
    if (tab_at(builder->text, parser->problem_mark)) {
        return fail_at(builder, parser->problem_mark, "a tab; indent YAML with spaces");
    }
    const char *problem = parser->problem == NULL ? "not YAML" : parser->problem;
    if (parser->context == NULL) {
        return fail_at(builder, parser->problem_mark, problem);
    }
    char reason[256];
    (void)snprintf(reason, sizeof reason, "%s (%s that begins at %zu:%zu)", problem,
                   parser->context, parser->context_mark.line + 1, parser->context_mark.column + 1);
    return fail_at(builder, parser->problem_mark, reason);
}

static enum err parse(struct builder *builder, yaml_parser_t *parser)
{
    bool more = true;
    while (more) {
        yaml_event_t event;
        if (yaml_parser_parse(parser, &event) == 0) {
            return fail_parse(builder, parser);
        }
        more = event.type != YAML_STREAM_END_EVENT;
        enum err err = event_take(builder, &event);
        yaml_event_delete(&event);
        TRY(err);
    }
    if (builder->outline->count == 0) {
        return err_fail(builder->msg, ERR_INVALID, "%s:1:1: the file is empty", builder->name);
    }
    return ERR_OK;
}

enum err outline_init(struct outline *out, const char *name, struct bytes text, struct arena *arena,
                      struct errmsg *msg)
{
    yaml_parser_t parser;
    if (text.len == 0) {
        return err_fail(msg, ERR_INVALID, "%s:1:1: the file is empty", name);
    }
    if (yaml_parser_initialize(&parser) == 0) {
        return err_fail(msg, ERR_NO_MEMORY, "%s: out of memory", name);
    }
    struct outline outline = {0};
    struct builder builder = {
        .outline = &outline, .name = name, .text = text, .arena = arena, .msg = msg};
    yaml_parser_set_input_string(&parser, text.data, text.len);
    enum err err = parse(&builder, &parser);
    yaml_parser_delete(&parser);
    if (err != ERR_OK) {
        outline_deinit(&outline);
        return err;
    }
    *out = outline;
    return ERR_OK;
}

void outline_deinit(struct outline *outline)
{
    free(outline->nodes);
    *outline = (struct outline){0};
}

int32_t outline_key(const struct outline *outline, int32_t mapping, const char *key, bool again)
{
    if (mapping == OUTLINE_NONE || outline->nodes[mapping].kind != OUTLINE_MAPPING) {
        return OUTLINE_NONE;
    }
    bool skip = again;
    int32_t at = outline->nodes[mapping].first;
    while (at != OUTLINE_NONE) {
        if (strcmp(outline->nodes[at].text, key) == 0) {
            if (!skip) {
                return at;
            }
            skip = false;
        }
        int32_t value = outline->nodes[at].next;
        at = value == OUTLINE_NONE ? OUTLINE_NONE : outline->nodes[value].next;
    }
    return OUTLINE_NONE;
}

int32_t outline_value(const struct outline *outline, int32_t mapping, const char *key)
{
    int32_t at = outline_key(outline, mapping, key, false);
    return at == OUTLINE_NONE ? OUTLINE_NONE : outline->nodes[at].next;
}

int32_t outline_item(const struct outline *outline, int32_t sequence, size_t index)
{
    if (sequence == OUTLINE_NONE || outline->nodes[sequence].kind != OUTLINE_SEQUENCE) {
        return OUTLINE_NONE;
    }
    int32_t at = outline->nodes[sequence].first;
    for (size_t i = 0; i < index && at != OUTLINE_NONE; i++) {
        at = outline->nodes[at].next;
    }
    return at;
}

int32_t outline_find(const struct outline *outline, int32_t node, const char *text)
{
    if (node == OUTLINE_NONE) {
        return OUTLINE_NONE;
    }
    for (int32_t at = node; at < outline->nodes[node].end; at++) {
        const struct outline_node *found = &outline->nodes[at];
        if (found->kind == OUTLINE_SCALAR && strcmp(found->text, text) == 0) {
            return at;
        }
    }
    return OUTLINE_NONE;
}

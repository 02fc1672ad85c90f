#include "config/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/text.h"
#include "config/config.h"

enum {
    PATH_STEPS_MAX = 8,
    STEP_NAME_BYTES = 64,
    REASON_BYTES = 320,
    OUTLINE_ARENA_MAX_BYTES = 4 * CONFIG_FILE_MAX_BYTES,
};

/* A step from the top of the file inwards: a key, or an element from 0. */
struct step {
    char field[STEP_NAME_BYTES]; /* empty: an element */
    size_t element;
};

/* What libcyaml said: its first line, then where it was, innermost first. */
struct complaint {
    char text[REASON_BYTES];
    struct step steps[PATH_STEPS_MAX];
    size_t step_count;
    bool inside; /* the innermost line named a mapping without a field */
    bool began;  /* the lines of the place have begun */
};

static void place_take(struct complaint *complaint, const char *line)
{
    struct step step = {0};
    unsigned long element = 0;
    bool first = !complaint->began;
    complaint->began = true;
    if (sscanf(line, " in mapping field '%63[^']'", step.field) != 1) {
        if (sscanf(line, " in sequence entry '%lu'", &element) != 1) {
            complaint->inside = complaint->inside || first;
            return;
        }
        step.element = element == 0 ? 0 : element - 1;
    }
    if (complaint->step_count < PATH_STEPS_MAX) {
        complaint->steps[complaint->step_count++] = step;
    }
}

/* libcyaml calls this for every line that it logs. */
PRINTF_LIKE(3, 0)
static void on_log(cyaml_log_t level, void *context, const char *fmt, va_list args)
{
    struct complaint *complaint = context;
    char line[REASON_BYTES];
    if (level < CYAML_LOG_ERROR) {
        return;
    }
    (void)vsnprintf(line, sizeof line, fmt, args);
    line[strcspn(line, "\n")] = '\0';
    const char *said = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    if (strncmp(said, "Backtrace", 9) == 0) {
        return;
    }
    if (strncmp(said, "  in ", 5) == 0) {
        place_take(complaint, said);
    } else if (complaint->text[0] == '\0') {
        (void)snprintf(complaint->text, sizeof complaint->text, "%s", said);
    }
}

/* ---- from libcyaml's place to a node and to the schema of what stands there ---- */

/* The innermost field was only the last one read: what is wrong is the mapping or list around it.
 */
static void step_drop(struct complaint *complaint)
{
    if (complaint->step_count > 0 && !complaint->inside) {
        complaint->step_count--;
        memmove(complaint->steps, complaint->steps + 1,
                complaint->step_count * sizeof *complaint->steps);
    }
}

static int32_t place_node(const struct load_file *file, const struct complaint *complaint)
{
    int32_t at = 0;
    for (size_t i = complaint->step_count; i > 0; i--) {
        const struct step *step = &complaint->steps[i - 1];
        int32_t below = step->field[0] != '\0' ? outline_value(&file->outline, at, step->field)
                                               : outline_item(&file->outline, at, step->element);
        if (below == OUTLINE_NONE) {
            break;
        }
        at = below;
    }
    return at;
}

static const cyaml_schema_value_t *place_schema(const struct load_file *file,
                                                const struct complaint *complaint)
{
    const cyaml_schema_value_t *at = file->schema;
    for (size_t i = complaint->step_count; i > 0 && at != NULL; i--) {
        const struct step *step = &complaint->steps[i - 1];
        if (step->field[0] == '\0') {
            at = at->type == CYAML_SEQUENCE ? at->sequence.entry : NULL;
            continue;
        }
        const cyaml_schema_field_t *field = at->type == CYAML_MAPPING ? at->mapping.fields : NULL;
        while (field != NULL && field->key != NULL && strcmp(field->key, step->field) != 0) {
            field++;
        }
        at = field != NULL && field->key != NULL ? &field->value : NULL;
    }
    return at;
}

/* ---- from libcyaml's words to ours ---- */

/* "a, b, c" in `out`. */
static void list_add(char *out, size_t size, const char *name)
{
    size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "%s%s", used == 0 ? "" : ", ", name);
}

static enum err fail_unknown_key(const struct load_file *file, const struct complaint *complaint,
                                 const char *key, struct errmsg *msg)
{
    const cyaml_schema_value_t *schema = place_schema(file, complaint);
    char known[REASON_BYTES] = "";
    char hint[REASON_BYTES];
    struct nearest nearest;
    nearest_init(&nearest, key);
    if (schema != NULL && schema->type == CYAML_MAPPING) {
        for (const cyaml_schema_field_t *field = schema->mapping.fields; field->key != NULL;
             field++) {
            nearest_offer(&nearest, field->key);
            list_add(known, sizeof known, field->key);
        }
    }
    nearest_format(&nearest, hint, sizeof hint);
    int32_t mapping = place_node(file, complaint);
    int32_t node = outline_key(&file->outline, mapping, key, false);
    node = node == OUTLINE_NONE ? mapping : node;
    if (hint[0] != '\0') {
        return load_fail(file, node, msg, "unknown key \"%.64s\"%s", key, hint);
    }
    return load_fail(file, node, msg, "unknown key \"%.64s\"; the keys here are %s", key, known);
}

static enum err fail_enum(const struct load_file *file, const struct complaint *complaint,
                          const char *value, struct errmsg *msg)
{
    const cyaml_schema_value_t *schema = place_schema(file, complaint);
    char known[REASON_BYTES] = "";
    char hint[REASON_BYTES];
    struct nearest nearest;
    nearest_init(&nearest, value);
    if (schema != NULL && schema->type == CYAML_ENUM) {
        for (uint32_t i = 0; i < schema->enumeration.count; i++) {
            nearest_offer(&nearest, schema->enumeration.strings[i].str);
            list_add(known, sizeof known, schema->enumeration.strings[i].str);
        }
    }
    nearest_format(&nearest, hint, sizeof hint);
    const char *field = complaint->step_count > 0 ? complaint->steps[0].field : "";
    return load_fail(file, place_node(file, complaint), msg, "%s is one of %s, not \"%.64s\"%s",
                     field, known, value, hint);
}

static const char *event_noun(const char *event)
{
    return strstr(event, "SEQUENCE") != NULL  ? "a list"
           : strstr(event, "MAPPING") != NULL ? "a mapping (key: value)"
                                              : "a single value";
}

/* "Expecting MAPPING, got event: SCALAR" */
static enum err fail_shape(const struct load_file *file, const struct complaint *complaint,
                           struct errmsg *msg)
{
    const char *got = strstr(complaint->text, "got event:");
    char wanted[32] = "";
    (void)sscanf(complaint->text, "Expecting %31[A-Z_]", wanted);
    return load_fail(file, place_node(file, complaint), msg, "expected %s here, found %s",
                     event_noun(wanted), event_noun(got == NULL ? "" : got + 10));
}

static enum err fail_length(const struct load_file *file, struct complaint *complaint,
                            struct errmsg *msg)
{
    const char *field = complaint->step_count > 0 ? complaint->steps[0].field : "";
    const char *what = field[0] == '\0' ? "the text" : field;
    unsigned long limit = 0;
    if (sscanf(complaint->text, "STRING length > %lu", &limit) == 1) {
        return load_fail(file, place_node(file, complaint), msg, "%s is longer than %lu bytes",
                         what, limit);
    }
    return load_fail(file, place_node(file, complaint), msg, "%s is empty", what);
}

static enum err fail_entries(const struct load_file *file, struct complaint *complaint,
                             struct errmsg *msg)
{
    unsigned long limit = 0;
    bool many = sscanf(complaint->text, "Excessive entries (%lu max)", &limit) == 1;
    step_drop(complaint);
    const char *field = complaint->step_count > 0 ? complaint->steps[0].field : "the list";
    if (many) {
        return load_fail(file, place_node(file, complaint), msg, "%s has more than %lu entries",
                         field, limit);
    }
    return load_fail(file, place_node(file, complaint), msg, "%s is an empty list", field);
}

/* What follows `prefix` in the complaint, or NULL. */
static const char *after(const struct complaint *complaint, const char *prefix)
{
    size_t len = strlen(prefix);
    return strncmp(complaint->text, prefix, len) == 0 ? complaint->text + len : NULL;
}

static enum err fail_form(const struct load_file *file, struct complaint *complaint,
                          cyaml_err_t code, struct errmsg *msg)
{
    const char *rest;
    if (code == CYAML_ERR_OOM) {
        return err_fail(msg, ERR_NO_MEMORY, "%s: out of memory", file->name);
    }
    if ((rest = after(complaint, "Unexpected key: ")) != NULL) {
        return fail_unknown_key(file, complaint, rest, msg);
    }
    if ((rest = after(complaint, "Invalid ENUM value: ")) != NULL) {
        return fail_enum(file, complaint, rest, msg);
    }
    if ((rest = after(complaint, "Missing required mapping field: ")) != NULL) {
        step_drop(complaint);
        return load_fail(file, place_node(file, complaint), msg, "the key \"%s\" is missing", rest);
    }
    if ((rest = after(complaint, "Mapping field already seen: ")) != NULL) {
        step_drop(complaint);
        int32_t mapping = place_node(file, complaint);
        int32_t node = outline_key(&file->outline, mapping, rest, true);
        return load_fail(file, node == OUTLINE_NONE ? mapping : node, msg,
                         "the key \"%s\" stands here for the second time", rest);
    }
    if (after(complaint, "Expecting ") != NULL) {
        return fail_shape(file, complaint, msg);
    }
    if (after(complaint, "STRING length ") != NULL) {
        return fail_length(file, complaint, msg);
    }
    if (after(complaint, "Excessive ") != NULL || after(complaint, "Insufficient ") != NULL) {
        return fail_entries(file, complaint, msg);
    }
    return load_fail(file, place_node(file, complaint), msg, "%s",
                     complaint->text[0] == '\0' ? cyaml_strerror(code) : complaint->text);
}

/* ---- files ---- */

static enum err text_read(const char *path, struct buf *out, struct errmsg *msg)
{
    enum err err = file_read(path, out, msg);
    return err == ERR_LIMIT ? err_fail(msg, ERR_INVALID, "%s:1:1: the file is larger than %d MiB",
                                       path, CONFIG_FILE_MAX_BYTES >> 20)
                            : err;
}

static enum err form_check(struct load_file *file, struct errmsg *msg)
{
    struct bytes text = {file->text.data, file->text.len};
    TRY(outline_init(&file->outline, file->name, text, &file->arena, msg));
    struct complaint complaint = {0};
    cyaml_config_t config = {.log_fn = on_log,
                             .log_ctx = &complaint,
                             .log_level = CYAML_LOG_ERROR,
                             .mem_fn = cyaml_mem,
                             .flags = CYAML_CFG_NO_ALIAS};
    cyaml_err_t code =
        cyaml_load_data(text.data, text.len, &config, file->schema, &file->data, NULL);
    if (code != CYAML_OK) {
        file->data = NULL;
        return fail_form(file, &complaint, code, msg);
    }
    return file->data == NULL ? load_fail(file, 0, msg, "the file is empty") : ERR_OK;
}

enum err load_open(const char *path, const cyaml_schema_value_t *schema, struct load_file *out,
                   struct errmsg *msg)
{
    struct load_file file = {.name = path, .schema = schema};
    buf_init(&file.text, CONFIG_FILE_MAX_BYTES);
    arena_init(&file.arena, OUTLINE_ARENA_MAX_BYTES);
    enum err err = text_read(path, &file.text, msg);
    if (err == ERR_OK) {
        err = form_check(&file, msg);
    }
    if (err != ERR_OK) {
        load_close(&file);
        return err;
    }
    *out = file;
    return ERR_OK;
}

void load_close(struct load_file *file)
{
    cyaml_config_t config = {.mem_fn = cyaml_mem};
    if (file->data != NULL) {
        (void)cyaml_free(&config, file->schema, file->data, 0);
        file->data = NULL;
    }
    outline_deinit(&file->outline);
    arena_reset(&file->arena);
    buf_deinit(&file->text);
}

int32_t load_node(const struct load_file *file, const char *list, size_t index, const char *field)
{
    int32_t sequence = outline_value(&file->outline, 0, list);
    int32_t item = outline_item(&file->outline, sequence, index);
    int32_t value = field == NULL ? OUTLINE_NONE : outline_value(&file->outline, item, field);
    if (value != OUTLINE_NONE) {
        return value;
    }
    return item != OUTLINE_NONE ? item : sequence != OUTLINE_NONE ? sequence : 0;
}

enum err load_fail(const struct load_file *file, int32_t node, struct errmsg *msg, const char *fmt,
                   ...)
{
    struct errmsg reason;
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(reason.text, sizeof reason.text, fmt, args);
    va_end(args);
    const struct outline_node *at = &file->outline.nodes[node];
    return err_fail(msg, ERR_INVALID, "%s:%u:%u: %.500s", file->name, at->line, at->column,
                    reason.text);
}

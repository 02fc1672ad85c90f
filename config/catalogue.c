/* The catalogue file: libcyaml fills structs of plain texts (load.h), which are then read with the
 * functions that everybody uses for decimals, periods and so on. What catalogue_check refuses it
 * names by section and place, which are the file's own. */
#include <string.h>

#include "base/text.h"
#include "config/config.h"
#include "config/load.h"
#include "proto/decimal.h"

enum {
    DIMENSIONS_MAX = 1024,
    INDICATORS_MAX = 4096,
    TARGETS_MAX = 65536,
    DATA_SETS_MAX = 1024,
    NUMBER_TEXT_BYTES = 8
};

struct file_dimension {
    char *code;
    char **values;
    uint32_t values_count;
};

/* Enumerated values are one higher than their enum where that begins at 0; 0 is "not given". */
struct file_measure {
    char *code;
    char *name;
    char *unit;
    int32_t kind;
    char *decimals;
    int32_t frequency;
    char *level;
    int32_t strict;
    char **categories;
    uint32_t categories_count;
};

struct file_indicator {
    char *code;
    char *name;
    char *unit;
    char *formula;
    char *decimals;
    char *factor;
};

struct file_target {
    char *unit;
    char *level;
    char *measure;
    char *period;
    char *value;
};

struct file_set {
    char *code;
    char *name;
    char **measures;
    uint32_t measures_count;
    char *deadline;
};

struct file_catalogue {
    char **levels;
    uint32_t levels_count;
    struct file_dimension *categories;
    uint32_t categories_count;
    struct file_measure *measures;
    uint32_t measures_count;
    struct file_indicator *indicators;
    uint32_t indicators_count;
    struct file_target *targets;
    uint32_t targets_count;
    struct file_set *sets;
    uint32_t sets_count;
};

/* ---- the schema ---- */

#define NEEDED CYAML_FLAG_POINTER
#define OPTIONAL (CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL)
#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

static const cyaml_strval_t KINDS[] = {{"flow", MEASURE_FLOW}, {"stock", MEASURE_STOCK}};

static const cyaml_strval_t FREQUENCIES[] = {
    {"day", FREQUENCY_DAY + 1},         {"month", FREQUENCY_MONTH + 1},
    {"quarter", FREQUENCY_QUARTER + 1}, {"half", FREQUENCY_HALF + 1},
    {"year", FREQUENCY_YEAR + 1},
};

/* libcyaml's own booleans take any other word for true. */
static const cyaml_strval_t BOOLEANS[] = {{"true", 2}, {"false", 1}};

static const cyaml_schema_value_t CODE = {CYAML_VALUE_STRING(NEEDED, char, 1, CODE_MAX_BYTES)};

static const cyaml_schema_field_t DIMENSION_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("code", NEEDED, struct file_dimension, code, 1, CODE_MAX_BYTES),
    CYAML_FIELD_SEQUENCE("values", NEEDED, struct file_dimension, values, &CODE, 1,
                         CATEGORY_VALUES_MAX),
    CYAML_FIELD_END};

static const cyaml_schema_field_t MEASURE_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("code", NEEDED, struct file_measure, code, 1, CODE_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("name", OPTIONAL, struct file_measure, name, 1, NAME_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("unit", OPTIONAL, struct file_measure, unit, 0, NAME_MAX_BYTES),
    CYAML_FIELD_ENUM("kind", CYAML_FLAG_STRICT, struct file_measure, kind, KINDS, COUNT_OF(KINDS)),
    CYAML_FIELD_STRING_PTR("decimals", OPTIONAL, struct file_measure, decimals, 1,
                           NUMBER_TEXT_BYTES),
    CYAML_FIELD_ENUM("frequency", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct file_measure,
                     frequency, FREQUENCIES, COUNT_OF(FREQUENCIES)),
    CYAML_FIELD_STRING_PTR("level", NEEDED, struct file_measure, level, 1, CODE_MAX_BYTES),
    CYAML_FIELD_ENUM("strict", CYAML_FLAG_STRICT | CYAML_FLAG_OPTIONAL, struct file_measure, strict,
                     BOOLEANS, COUNT_OF(BOOLEANS)),
    CYAML_FIELD_SEQUENCE("categories", OPTIONAL, struct file_measure, categories, &CODE, 0,
                         CATEGORY_DIMS_MAX),
    CYAML_FIELD_END};

static const cyaml_schema_field_t INDICATOR_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("code", NEEDED, struct file_indicator, code, 1, CODE_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("name", OPTIONAL, struct file_indicator, name, 1, NAME_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("unit", OPTIONAL, struct file_indicator, unit, 0, NAME_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("formula", NEEDED, struct file_indicator, formula, 1, FORMULA_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("decimals", OPTIONAL, struct file_indicator, decimals, 1,
                           NUMBER_TEXT_BYTES),
    CYAML_FIELD_STRING_PTR("factor", OPTIONAL, struct file_indicator, factor, 1,
                           VALUE_TEXT_MAX_BYTES),
    CYAML_FIELD_END};

static const cyaml_schema_field_t TARGET_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("unit", OPTIONAL, struct file_target, unit, 1, CODE_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("level", OPTIONAL, struct file_target, level, 1, CODE_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("measure", NEEDED, struct file_target, measure, 1, CODE_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("period", NEEDED, struct file_target, period, 1, PERIOD_TEXT_BYTES),
    CYAML_FIELD_STRING_PTR("value", NEEDED, struct file_target, value, 1, VALUE_TEXT_MAX_BYTES),
    CYAML_FIELD_END};

static const cyaml_schema_field_t SET_FIELDS[] = {
    CYAML_FIELD_STRING_PTR("code", NEEDED, struct file_set, code, 1, CODE_MAX_BYTES),
    CYAML_FIELD_STRING_PTR("name", OPTIONAL, struct file_set, name, 1, NAME_MAX_BYTES),
    CYAML_FIELD_SEQUENCE("measures", NEEDED, struct file_set, measures, &CODE, 1, MEASURES_MAX),
    CYAML_FIELD_STRING_PTR("deadline", NEEDED, struct file_set, deadline, 1, NUMBER_TEXT_BYTES),
    CYAML_FIELD_END};

static const cyaml_schema_value_t DIMENSION = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_dimension, DIMENSION_FIELDS)};
static const cyaml_schema_value_t MEASURE = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_measure, MEASURE_FIELDS)};
static const cyaml_schema_value_t INDICATOR = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_indicator, INDICATOR_FIELDS)};
static const cyaml_schema_value_t TARGET = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_target, TARGET_FIELDS)};
static const cyaml_schema_value_t SET = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_set, SET_FIELDS)};

static const cyaml_schema_field_t CATALOGUE_FIELDS[] = {
    CYAML_FIELD_SEQUENCE("levels", NEEDED, struct file_catalogue, levels, &CODE, 1, LEVELS_MAX),
    CYAML_FIELD_SEQUENCE("categories", OPTIONAL, struct file_catalogue, categories, &DIMENSION, 0,
                         DIMENSIONS_MAX),
    CYAML_FIELD_SEQUENCE("measures", OPTIONAL, struct file_catalogue, measures, &MEASURE, 0,
                         MEASURES_MAX),
    CYAML_FIELD_SEQUENCE("indicators", OPTIONAL, struct file_catalogue, indicators, &INDICATOR, 0,
                         INDICATORS_MAX),
    CYAML_FIELD_SEQUENCE("targets", OPTIONAL, struct file_catalogue, targets, &TARGET, 0,
                         TARGETS_MAX),
    CYAML_FIELD_SEQUENCE("data_sets", OPTIONAL, struct file_catalogue, sets, &SET, 0,
                         DATA_SETS_MAX),
    CYAML_FIELD_END};

static const cyaml_schema_value_t CATALOGUE = {
    CYAML_VALUE_MAPPING(NEEDED, struct file_catalogue, CATALOGUE_FIELDS)};

/* ---- from the file's structs to the catalogue ---- */

/* Copies into the caller's arena; `full` when it is. */
struct copier {
    const struct load_file *file;
    struct arena *arena;
    struct errmsg *msg;
    bool full;
};

static const char *copy_text(struct copier *copier, const char *text, const char *missing)
{
    const char *copy = arena_str(copier->arena, text == NULL ? missing : text);
    copier->full = copier->full || copy == NULL;
    return copy;
}

static const char **copy_list(struct copier *copier, char *const *texts, size_t count)
{
    const char **copy = arena_array(copier->arena, count, sizeof *copy);
    copier->full = copier->full || copy == NULL;
    for (size_t i = 0; i < count && copy != NULL; i++) {
        copy[i] = copy_text(copier, texts[i], "");
    }
    return copy;
}

static void *room(struct copier *copier, size_t count, size_t size)
{
    void *at = arena_array(copier->arena, count, size);
    copier->full = copier->full || at == NULL;
    return at;
}

/* How many digits stand behind the point: one digit, 0 when not given. */
static enum err read_decimals(struct copier *copier, const char *text, const char *list,
                              size_t index, int *out)
{
    if (text == NULL) {
        *out = 0;
        return ERR_OK;
    }
    if (text[0] < '0' || text[0] > '0' + DECIMALS_MAX || text[1] != '\0') {
        return load_fail(copier->file, load_node(copier->file, list, index, "decimals"),
                         copier->msg, "decimals is a whole number from 0 to %d, not \"%s\"",
                         DECIMALS_MAX, text);
    }
    *out = text[0] - '0';
    return ERR_OK;
}

static enum err take_dimensions(struct copier *copier, const struct file_catalogue *from,
                                struct catalogue *to)
{
    to->dimensions = room(copier, from->categories_count, sizeof *to->dimensions);
    for (size_t i = 0; i < from->categories_count && !copier->full; i++) {
        const struct file_dimension *at = &from->categories[i];
        to->dimensions[i] = (struct dimension){
            .code = copy_text(copier, at->code, ""),
            .values = copy_list(copier, at->values, at->values_count),
            .value_count = at->values_count,
        };
    }
    to->dimension_count = from->categories_count;
    return ERR_OK;
}

static enum err take_measures(struct copier *copier, const struct file_catalogue *from,
                              struct catalogue *to)
{
    to->measures = room(copier, from->measures_count, sizeof *to->measures);
    for (size_t i = 0; i < from->measures_count && !copier->full; i++) {
        const struct file_measure *at = &from->measures[i];
        int decimals = 0;
        TRY(read_decimals(copier, at->decimals, "measures", i, &decimals));
        to->measures[i] = (struct measure){
            .code = copy_text(copier, at->code, ""),
            .name = copy_text(copier, at->name, at->code),
            .unit = copy_text(copier, at->unit, ""),
            .kind = (enum measure_kind)at->kind,
            .decimals = decimals,
            .frequency = at->frequency == 0 ? FREQUENCY_MONTH : (enum frequency)(at->frequency - 1),
            .level = copy_text(copier, at->level, ""),
            .strict = at->strict == 2,
            .dimensions = copy_list(copier, at->categories, at->categories_count),
            .dimension_count = at->categories_count,
        };
    }
    to->measure_count = from->measures_count;
    return ERR_OK;
}

static enum err take_indicators(struct copier *copier, const struct file_catalogue *from,
                                struct catalogue *to)
{
    to->indicators = room(copier, from->indicators_count, sizeof *to->indicators);
    for (size_t i = 0; i < from->indicators_count && !copier->full; i++) {
        const struct file_indicator *at = &from->indicators[i];
        int decimals = 0;
        TRY(read_decimals(copier, at->decimals, "indicators", i, &decimals));
        to->indicators[i] = (struct indicator){
            .code = copy_text(copier, at->code, ""),
            .name = copy_text(copier, at->name, at->code),
            .unit = copy_text(copier, at->unit, ""),
            .formula = copy_text(copier, at->formula, ""),
            .decimals = decimals,
            .factor = copy_text(copier, at->factor, "1"),
        };
    }
    to->indicator_count = from->indicators_count;
    return ERR_OK;
}

static enum err take_targets(struct copier *copier, const struct file_catalogue *from,
                             struct catalogue *to)
{
    const struct load_file *file = copier->file;
    to->targets = room(copier, from->targets_count, sizeof *to->targets);
    for (size_t i = 0; i < from->targets_count && !copier->full; i++) {
        const struct file_target *at = &from->targets[i];
        struct errmsg reason = {""};
        struct period period;
        if (period_parse(at->period, &period, &reason) != ERR_OK) {
            return load_fail(file, load_node(file, "targets", i, "period"), copier->msg, "%s",
                             reason.text);
        }
        if (decimal_check(at->value, &reason) != ERR_OK) {
            return load_fail(file, load_node(file, "targets", i, "value"), copier->msg, "%s",
                             reason.text);
        }
        to->targets[i] = (struct target){
            .unit = copy_text(copier, at->unit, ""),
            .level = copy_text(copier, at->level, ""),
            .measure = copy_text(copier, at->measure, ""),
            .period = period,
            .value = copy_text(copier, at->value, ""),
        };
    }
    to->target_count = from->targets_count;
    return ERR_OK;
}

/* Days: a whole number without a sign. */
static enum err read_deadline(struct copier *copier, const char *text, size_t index, int *out)
{
    int days = 0;
    size_t len = strspn(text, "0123456789");
    for (size_t i = 0; i < len; i++) {
        days = days * 10 + (text[i] - '0');
    }
    *out = days;
    return text[len] == '\0' && days <= DEADLINE_MAX_DAYS
               ? ERR_OK
               : load_fail(copier->file, load_node(copier->file, "data_sets", index, "deadline"),
                           copier->msg,
                           "deadline is a number of days, 0 to %d, after the end of the period, "
                           "not \"%s\"",
                           DEADLINE_MAX_DAYS, text);
}

static enum err take_sets(struct copier *copier, const struct file_catalogue *from,
                          struct catalogue *to)
{
    to->sets = room(copier, from->sets_count, sizeof *to->sets);
    for (size_t i = 0; i < from->sets_count && !copier->full; i++) {
        const struct file_set *at = &from->sets[i];
        to->sets[i] = (struct data_set){
            .code = copy_text(copier, at->code, ""),
            .name = copy_text(copier, at->name, at->code),
            .measures = copy_list(copier, at->measures, at->measures_count),
            .measure_count = at->measures_count,
        };
        TRY(read_deadline(copier, at->deadline, i, &to->sets[i].deadline));
    }
    to->set_count = from->sets_count;
    return ERR_OK;
}

static enum err take_all(struct copier *copier, const struct file_catalogue *from,
                         struct catalogue *to)
{
    to->levels = copy_list(copier, from->levels, from->levels_count);
    to->level_count = from->levels_count;
    TRY(take_dimensions(copier, from, to));
    TRY(take_measures(copier, from, to));
    TRY(take_indicators(copier, from, to));
    TRY(take_targets(copier, from, to));
    TRY(take_sets(copier, from, to));
    if (copier->full) {
        return err_fail(copier->msg, ERR_NO_MEMORY, "%s: out of memory", copier->file->name);
    }
    return ERR_OK;
}

/* ---- where in the file is what the check refuses ---- */

static const char *const SECTIONS[SECTION_COUNT] = {"levels",     "categories", "measures",
                                                    "indicators", "targets",    "data_sets"};

/* The next word that the sentence has in quotes; false when there is none, or one that is too long
 * for a file. */
static bool next_quoted(const char **sentence, char word[FORMULA_MAX_BYTES + 1])
{
    const char *open = strchr(*sentence, '"');
    const char *close = open == NULL ? NULL : strchr(open + 1, '"');
    size_t len = close == NULL ? 0 : (size_t)(close - open - 1);
    if (close == NULL || len > FORMULA_MAX_BYTES) {
        return false;
    }
    memcpy(word, open + 1, len);
    word[len] = '\0';
    *sentence = close + 1;
    return true;
}

/* The scalar below `item` that the sentence quotes, else the item. */
static int32_t quoted_node(const struct load_file *file, int32_t item, const char *sentence)
{
    char word[FORMULA_MAX_BYTES + 1];
    int32_t found = OUTLINE_NONE;
    while (found == OUTLINE_NONE && next_quoted(&sentence, word)) {
        found = outline_find(&file->outline, item, word);
    }
    return found == OUTLINE_NONE ? item : found;
}

static bool has_all_quoted(const struct load_file *file, int32_t item, const char *sentence)
{
    char word[FORMULA_MAX_BYTES + 1];
    bool any = false;
    while (next_quoted(&sentence, word)) {
        any = true;
        if (outline_find(&file->outline, item, word) == OUTLINE_NONE) {
            return false;
        }
    }
    return any;
}

static int32_t place_of(const struct load_file *file, const char *sentence)
{
    for (int section = 0; section < SECTION_COUNT; section++) {
        int32_t list = outline_value(&file->outline, 0, SECTIONS[section]);
        int32_t item = outline_item(&file->outline, list, 0);
        while (item != OUTLINE_NONE && !has_all_quoted(file, item, sentence)) {
            item = file->outline.nodes[item].next;
        }
        if (item != OUTLINE_NONE) {
            return quoted_node(file, item, sentence);
        }
    }
    return OUTLINE_NONE;
}

void config_catalogue_place(const char *path, struct errmsg *sentence)
{
    struct load_file file;
    struct errmsg refused = *sentence;
    if (load_open(path, &CATALOGUE, &file, &refused) != ERR_OK) {
        return;
    }
    int32_t node = place_of(&file, sentence->text);
    if (node != OUTLINE_NONE) {
        (void)load_fail(&file, node, &refused, "%s", sentence->text);
        *sentence = refused;
    }
    load_close(&file);
}

static enum err check(const struct load_file *file, const struct catalogue *catalogue,
                      struct errmsg *msg)
{
    struct errmsg reason = {""};
    struct catalogue_place place;
    enum err err = catalogue_check(catalogue, &place, &reason);
    if (err != ERR_INVALID) {
        return err == ERR_OK ? ERR_OK : err_fail(msg, err, "%s: %s", file->name, reason.text);
    }
    int32_t node = load_node(file, SECTIONS[place.section], place.index, NULL);
    return load_fail(file, quoted_node(file, node, reason.text), msg, "%s", reason.text);
}

enum err config_catalogue_load(const char *path, struct arena *arena, struct catalogue *out,
                               struct errmsg *msg)
{
    struct load_file file;
    struct catalogue catalogue = {0};
    TRY(load_open(path, &CATALOGUE, &file, msg));
    struct copier copier = {.file = &file, .arena = arena, .msg = msg};
    enum err err = take_all(&copier, file.data, &catalogue);
    if (err == ERR_OK) {
        err = check(&file, &catalogue, msg);
    }
    load_close(&file);
    if (err == ERR_OK) {
        *out = catalogue;
    }
    return err;
}

/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/catalogue.h"

/* One catalogue that has everything, in fields of its own so that a test can spoil it. */
struct sample {
    struct catalogue c;
    const char *levels[3];
    const char *groups[2];
    const char *sexes[2];
    struct dimension dimensions[2];
    const char *both[2];
    const char *one[1];
    struct measure measures[3];
    struct indicator indicators[1];
    struct target targets[2];
    const char *together[2];
    struct data_set sets[1];
};

static struct sample sample;
static struct buf buf;
static struct arena arena;

static void fill(struct sample *s)
{
    *s = (struct sample){.levels = {"province", "district", "xã"},
                         .groups = {"cadre", "other"},
                         .sexes = {"f", "m"},
                         .both = {"group", "sex"},
                         .one = {"sex"},
                         .measures = {{.code = "fund",
                                       .name = "Quỹ",
                                       .unit = "VND",
                                       .kind = MEASURE_FLOW,
                                       .frequency = FREQUENCY_MONTH,
                                       .level = "xã"},
                                      {.code = "accounts",
                                       .name = "Accounts",
                                       .unit = "person",
                                       .kind = MEASURE_STOCK,
                                       .decimals = 9,
                                       .frequency = FREQUENCY_YEAR,
                                       .level = "province",
                                       .strict = true,
                                       .dimension_count = 2},
                                      {.code = "m3",
                                       .name = "",
                                       .unit = "",
                                       .kind = MEASURE_FLOW,
                                       .decimals = 2,
                                       .frequency = FREQUENCY_DAY,
                                       .level = "district",
                                       .dimension_count = 1}},
                         .indicators = {{"ratio", "Ratio", "VND", "fund / accounts", 3, "100"}},
                         .targets = {{"42", "", "accounts", {FREQUENCY_YEAR, 2023}, "60000"},
                                     {"", "xã", "ratio", {FREQUENCY_YEAR, 1970}, "-1.5"}},
                         .together = {"accounts", "fund"}};
    s->sets[0] = (struct data_set){"report", "Báo cáo", s->together, 2, 15};
    s->dimensions[0] = (struct dimension){"group", s->groups, 2};
    s->dimensions[1] = (struct dimension){"sex", s->sexes, 2};
    s->measures[1].dimensions = s->both;
    s->measures[2].dimensions = s->one;
    s->c = (struct catalogue){.version = UINT64_C(0x0102030405060708),
                              .levels = s->levels,
                              .level_count = 3,
                              .dimensions = s->dimensions,
                              .dimension_count = 2,
                              .measures = s->measures,
                              .measure_count = 3,
                              .indicators = s->indicators,
                              .indicator_count = 1,
                              .targets = s->targets,
                              .target_count = 2,
                              .sets = s->sets,
                              .set_count = 1};
}

static int set_up(void **state)
{
    (void)state;
    fill(&sample);
    buf_init(&buf, 1 << 21);
    arena_init(&arena, 8 << 20);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buf_deinit(&buf);
    arena_reset(&arena);
    return 0;
}

static enum err decode(const void *data, size_t len, struct catalogue *out, struct errmsg *msg)
{
    return catalogue_decode((struct bytes){data, len}, &arena, out, msg);
}

static void test_there_and_back(void **state)
{
    (void)state;
    struct catalogue got;
    struct errmsg msg = {{0}};
    catalogue_encode(&sample.c, &buf);
    struct bytes copy = {arena_copy(&arena, buf.data, buf.len), buf.len};
    assert_int_equal(decode(buf.data, buf.len, &got, &msg), ERR_OK);
    memset(buf.data, 0xff, buf.len); /* nothing of the answer lies in the bytes */
    assert_true(got.version == sample.c.version);
    assert_int_equal(got.level_count, 3);
    assert_string_equal(got.levels[2], "xã");
    assert_string_equal(got.dimensions[1].values[1], "m");
    assert_int_equal(got.measure_count, 3);
    assert_int_equal(got.measures[1].kind, MEASURE_STOCK);
    assert_true(got.measures[1].strict && !got.measures[0].strict);
    assert_int_equal(got.measures[1].decimals, 9);
    assert_string_equal(got.measures[1].dimensions[1], "sex");
    assert_int_equal(got.measures[2].frequency, FREQUENCY_DAY);
    assert_string_equal(got.indicators[0].formula, "fund / accounts");
    assert_string_equal(got.indicators[0].factor, "100");
    assert_string_equal(got.targets[0].level, "");
    assert_string_equal(got.targets[1].level, "xã");
    assert_int_equal(got.targets[1].period.index, 1970);
    assert_string_equal(got.targets[1].value, "-1.5");
    assert_int_equal(got.set_count, 1);
    assert_string_equal(got.sets[0].name, "Báo cáo");
    assert_string_equal(got.sets[0].measures[1], "fund");
    assert_int_equal(got.sets[0].deadline, 15);
    buf_clear(&buf);
    catalogue_encode(&got, &buf);
    assert_int_equal(buf.len, copy.len);
    assert_memory_equal(buf.data, copy.data, copy.len);
}

static void test_smallest(void **state)
{
    (void)state;
    struct catalogue got, c = {.levels = sample.levels, .level_count = 1};
    catalogue_encode(&c, &buf);
    assert_int_equal(decode(buf.data, buf.len, &got, NULL), ERR_OK);
    assert_true(got.version == 0 && got.level_count == 1 && got.measure_count == 0 &&
                got.dimension_count == 0 && got.indicator_count == 0 && got.target_count == 0);
}

static void test_cut(void **state)
{
    (void)state;
    struct catalogue got = {.version = 77};
    catalogue_encode(&sample.c, &buf);
    for (size_t len = 0; len < buf.len; len++) {
        uint8_t *part = malloc(len + (len == 0)); /* valgrind sees a read behind it */
        struct errmsg msg = {{0}};
        memcpy(part, buf.data, len);
        assert_int_equal(decode(part, len, &got, &msg), ERR_INVALID);
        assert_true(msg.text[0] != '\0');
        free(part);
        arena_reset(&arena);
    }
    buf_put_u8(&buf, 0);
    assert_int_equal(decode(buf.data, buf.len, &got, NULL), ERR_INVALID);
    assert_true(got.version == 77);
}

/* Every byte with other values in its place: refused, or read as the catalogue that has exactly
 * these bytes, within little memory. Nothing changed is read as if it were the original. */
static void test_changed(void **state)
{
    (void)state;
    static const uint8_t MASKS[] = {1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0xff, 0x55};
    struct buf again;
    buf_init(&again, 1 << 21);
    catalogue_encode(&sample.c, &buf);
    for (size_t i = 0; i < buf.len; i++) {
        for (size_t m = 0; m < sizeof MASKS; m++) {
            struct catalogue got;
            buf.data[i] ^= MASKS[m];
            if (decode(buf.data, buf.len, &got, NULL) == ERR_OK) {
                buf_clear(&again);
                catalogue_encode(&got, &again);
                assert_int_equal(again.len, buf.len);
                assert_memory_equal(again.data, buf.data, buf.len);
            }
            assert_true(arena.taken_bytes < 2 << 20);
            buf.data[i] ^= MASKS[m];
            arena_reset(&arena);
        }
    }
    buf_deinit(&again);
}

/* More than the limits allow is refused by its announced number, before it is read. */
static void test_many(void **state)
{
    (void)state;
    static const char *values[CATEGORY_VALUES_MAX + 1];
    static char texts[CATEGORY_VALUES_MAX + 1][8];
    struct catalogue got;
    for (size_t i = 0; i <= CATEGORY_VALUES_MAX; i++) {
        (void)snprintf(texts[i], sizeof texts[i], "v%zu", i);
        values[i] = texts[i];
    }
    for (size_t more = 0; more < 2; more++) {
        enum err want = more == 0 ? ERR_OK : ERR_INVALID;
        sample.dimensions[0].values = values;
        sample.dimensions[0].value_count = CATEGORY_VALUES_MAX + more;
        buf_clear(&buf);
        catalogue_encode(&sample.c, &buf);
        assert_int_equal(decode(buf.data, buf.len, &got, NULL), want);
        assert_int_equal(catalogue_check(&sample.c, NULL, NULL), want);
        fill(&sample);
        struct catalogue c = {.levels = values, .level_count = LEVELS_MAX + more};
        buf_clear(&buf);
        catalogue_encode(&c, &buf);
        assert_int_equal(decode(buf.data, buf.len, &got, NULL), want);
        assert_int_equal(catalogue_check(&c, NULL, NULL), want);
    }
    uint8_t wild[13] = {1, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff};
    arena_reset(&arena);
    assert_int_equal(decode(wild, sizeof wild, &got, NULL), ERR_INVALID);
    assert_true(arena.taken_bytes < 10000);
}

static void test_too_large(void **state)
{
    (void)state;
    struct catalogue got;
    uint8_t *zeros = calloc(1, CATALOGUE_MAX_BYTES + 1);
    zeros[0] = 1;
    assert_int_equal(decode(zeros, CATALOGUE_MAX_BYTES + 1, &got, NULL), ERR_INVALID);
    assert_int_equal(arena.taken_bytes, 0);
    free(zeros);
    catalogue_encode(&sample.c, &buf);
    arena_init(&arena, 64); /* no room: refused, not cut */
    assert_int_equal(decode(buf.data, buf.len, &got, NULL), ERR_NO_MEMORY);
}

/* A text at its limit and one byte beyond, and what is no clean text. */
static void test_texts(void **state)
{
    (void)state;
    static char text[FORMULA_MAX_BYTES + 2];
    struct {
        const char **field;
        size_t max;
    } rows[] = {{&sample.measures[0].name, NAME_MAX_BYTES},
                {&sample.measures[0].unit, NAME_MAX_BYTES},
                {&sample.measures[2].code, CODE_MAX_BYTES},
                {&sample.indicators[0].formula, FORMULA_MAX_BYTES},
                {&sample.indicators[0].name, NAME_MAX_BYTES},
                {&sample.targets[0].unit, CODE_MAX_BYTES},
                {&sample.sets[0].name, NAME_MAX_BYTES},
                {&sample.sets[0].code, CODE_MAX_BYTES}};
    struct catalogue got;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static const char *const BAD[] = {"a\nb", "\xff", "\xed\xa0\x80", "\x1b"};
        for (size_t len = rows[i].max; len <= rows[i].max + 1; len++) {
            memset(text, 'x', len);
            text[len] = '\0';
            fill(&sample);
            *rows[i].field = text;
            buf_clear(&buf);
            catalogue_encode(&sample.c, &buf);
            assert_int_equal(decode(buf.data, buf.len, &got, NULL),
                             len == rows[i].max ? ERR_OK : ERR_INVALID);
        }
        for (size_t j = 0; j < 4; j++) {
            *rows[i].field = BAD[j];
            buf_clear(&buf);
            catalogue_encode(&sample.c, &buf);
            assert_int_equal(decode(buf.data, buf.len, &got, NULL), ERR_INVALID);
        }
    }
}

#define REFUSED(part, ...)                                                     \
    do {                                                                       \
        struct errmsg why = {{0}};                                             \
        fill(&sample);                                                         \
        __VA_ARGS__;                                                           \
        assert_int_equal(catalogue_check(&sample.c, NULL, &why), ERR_INVALID); \
        if (strstr(why.text, part) == NULL) {                                  \
            fail_msg("\"%s\" does not say \"%s\"", why.text, part);            \
        }                                                                      \
    } while (0)

static void test_check(void **state)
{
    (void)state;
    assert_int_equal(catalogue_check(&sample.c, NULL, NULL), ERR_OK);
    REFUSED("levels: 1 to", sample.c.level_count = 0);
    REFUSED("no code", sample.levels[0] = "a b");
    REFUSED("level xã stands twice", sample.levels[0] = "xã");
    REFUSED("category sex stands twice", sample.dimensions[0].code = "sex");
    REFUSED("no code", sample.dimensions[0].code = "a=b");
    REFUSED("values are wanted", sample.dimensions[0].value_count = 0);
    REFUSED("no code", sample.groups[1] = "a,b");
    REFUSED("value cadre stands twice", sample.groups[1] = "cadre");
    REFUSED("no code", sample.measures[0].code = "");
    REFUSED("measure accounts stands twice", sample.measures[0].code = "accounts");
    REFUSED("flow or stock", sample.measures[0].kind = 0);
    REFUSED("flow or stock", sample.measures[0].kind = (enum measure_kind)3);
    REFUSED("decimals are 0 to 9", sample.measures[0].decimals = -1);
    REFUSED("decimals are 0 to 9", sample.measures[0].decimals = 10);
    REFUSED("frequency is", sample.measures[0].frequency = FREQUENCY_COUNT);
    REFUSED("frequency is", sample.measures[0].frequency = (enum frequency) - 1);
    REFUSED("level \"nation\"", sample.measures[0].level = "nation");
    REFUSED("at most 8", sample.measures[1].dimension_count = 9);
    REFUSED("\"age\" is not among", sample.both[1] = "age");
    REFUSED("category group stands twice", sample.both[1] = "group");
    REFUSED("no code", sample.indicators[0].code = "a/b");
    REFUSED("ratio: the code stands twice", sample.measures[0].code = "ratio");
    REFUSED("decimals are 0 to 9", sample.indicators[0].decimals = 10);
    REFUSED("factor \"0\" is no number above 0", sample.indicators[0].factor = "0");
    REFUSED("factor \"-1\"", sample.indicators[0].factor = "-1");
    REFUSED("factor \"1e3\"", sample.indicators[0].factor = "1e3");
    REFUSED("indicator ratio: formula \"fund +\", at character 7",
            sample.indicators[0].formula = "fund +");
    REFUSED("indicator ratio names itself", sample.indicators[0].formula = "ratio * 2");
    REFUSED("either a unit or a level", sample.targets[0].unit = "");
    REFUSED("either a unit or a level", sample.targets[0].level = "xã");
    REFUSED("level \"hamlet\": it is not among", sample.targets[1].level = "hamlet");
    REFUSED("no code", sample.targets[0].unit = "4 2");
    REFUSED("ratio is kept by the year, and \"2023H1\" is finer",
            sample.targets[1].period = (struct period){FREQUENCY_HALF, 4046});
    REFUSED("target of unit 42", sample.targets[0].value = "0.1234567891");
    REFUSED("target of level xã", sample.targets[1].value = "0.1234");
    REFUSED("not a number", sample.targets[0].value = "many");
    REFUSED("\"boards\" is not in", sample.targets[0].measure = "boards");
    REFUSED("its period", sample.targets[0].period.frequency = FREQUENCY_COUNT);
    REFUSED("its period", sample.targets[0].period.index = 0);
    REFUSED("its period", sample.targets[0].period.index = 10000);
    REFUSED("no code", sample.sets[0].code = "a set");
    REFUSED("data set fund: the code stands twice", sample.sets[0].code = "fund");
    REFUSED("data set ratio: the code stands twice", sample.sets[0].code = "ratio");
    REFUSED("data set report: 1 to", sample.sets[0].measure_count = 0);
    REFUSED("\"found\" is not in the catalogue; did you mean fund?", sample.together[0] = "found");
    REFUSED("\"ratio\" is not in the catalogue", sample.together[0] = "ratio");
    REFUSED("\"fund\" stands twice", sample.together[0] = "fund");
    REFUSED("the deadline is 0 to 366 days", sample.sets[0].deadline = 367);
    REFUSED("the deadline is 0 to 366 days", sample.sets[0].deadline = -1);
}

/* What has no data sets is written as before there were any. */
static void test_forms(void **state)
{
    (void)state;
    struct catalogue got;
    catalogue_encode(&sample.c, &buf);
    assert_int_equal(buf.data[0], 3);
    buf_clear(&buf);
    sample.c.set_count = 0;
    catalogue_encode(&sample.c, &buf);
    assert_int_equal(buf.data[0], 2);
    assert_int_equal(decode(buf.data, buf.len, &got, NULL), ERR_OK);
    assert_int_equal(got.set_count, 0);
    buf.data[0] = 3;
    assert_int_equal(decode(buf.data, buf.len, &got, NULL), ERR_INVALID);
    buf_put_u8(&buf, 1);
    buf_put_u32(&buf, 0); /* a section that need not be there */
    assert_int_equal(decode(buf.data, buf.len, &got, NULL), ERR_INVALID);
}

/* The later of two for the same, wherever they stand. */
static void test_places(void **state)
{
    (void)state;
    struct catalogue_place place;
    struct target many[5];
    for (int i = 0; i < 5; i++) {
        many[i] = sample.targets[0];
        many[i].period.index = 2030 - i;
    }
    sample.c.targets = many;
    sample.c.target_count = 5;
    assert_int_equal(catalogue_check(&sample.c, &place, NULL), ERR_OK);
    many[3].period.index = 2029;
    assert_int_equal(catalogue_check(&sample.c, &place, NULL), ERR_INVALID);
    assert_int_equal(place.section, SECTION_TARGETS);
    assert_int_equal(place.index, 3);
    many[1].unit = "43";
    assert_int_equal(catalogue_check(&sample.c, &place, NULL), ERR_OK);
    sample.measures[2].level = "";
    assert_int_equal(catalogue_check(&sample.c, &place, NULL), ERR_INVALID);
    assert_int_equal(place.section, SECTION_MEASURES);
    assert_int_equal(place.index, 2);
}

static void put_texts(const char **texts, size_t count)
{
    buf_put_u32(&buf, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        buf_put_str(&buf, texts[i]);
    }
}

/* What earlier releases have written: the same without lengths, factors and targets of levels. */
static void put_bare(const struct catalogue *c)
{
    buf_put_u8(&buf, 1);
    buf_put_u64(&buf, c->version);
    put_texts(c->levels, c->level_count);
    buf_put_u32(&buf, (uint32_t)c->dimension_count);
    for (size_t i = 0; i < c->dimension_count; i++) {
        buf_put_str(&buf, c->dimensions[i].code);
        put_texts(c->dimensions[i].values, c->dimensions[i].value_count);
    }
    buf_put_u32(&buf, (uint32_t)c->measure_count);
    for (size_t i = 0; i < c->measure_count; i++) {
        const struct measure *m = &c->measures[i];
        buf_put_str(&buf, m->code);
        buf_put_str(&buf, m->name);
        buf_put_str(&buf, m->unit);
        buf_put_u8(&buf, (uint8_t)m->kind);
        buf_put_u8(&buf, (uint8_t)m->decimals);
        buf_put_u8(&buf, (uint8_t)m->frequency);
        buf_put_str(&buf, m->level);
        buf_put_u8(&buf, m->strict ? 1 : 0);
        put_texts(m->dimensions, m->dimension_count);
    }
    buf_put_u32(&buf, 1);
    buf_put_str(&buf, c->indicators[0].code);
    buf_put_str(&buf, c->indicators[0].name);
    buf_put_str(&buf, c->indicators[0].unit);
    buf_put_str(&buf, c->indicators[0].formula);
    buf_put_u8(&buf, (uint8_t)c->indicators[0].decimals);
    buf_put_u32(&buf, 1);
    buf_put_str(&buf, c->targets[0].unit);
    buf_put_str(&buf, c->targets[0].measure);
    buf_put_u8(&buf, (uint8_t)c->targets[0].period.frequency);
    buf_put_i64(&buf, c->targets[0].period.index);
    buf_put_str(&buf, c->targets[0].value);
}

static void test_bare(void **state)
{
    (void)state;
    struct catalogue got;
    struct errmsg msg = {{0}};
    put_bare(&sample.c);
    assert_int_equal(decode(buf.data, buf.len, &got, &msg), ERR_OK);
    assert_string_equal(got.indicators[0].factor, "1");
    assert_string_equal(got.targets[0].level, "");
    sample.indicators[0].factor = "1";
    sample.c.target_count = 1;
    sample.c.set_count = 0;
    buf_clear(&buf);
    catalogue_encode(&sample.c, &buf);
    struct bytes now = {arena_copy(&arena, buf.data, buf.len), buf.len};
    buf_clear(&buf);
    catalogue_encode(&got, &buf);
    assert_int_equal(buf.len, now.len);
    assert_memory_equal(buf.data, now.data, now.len);
}

/* What earlier releases published and nobody could publish now is read as it is. */
static void test_published_before(void **state)
{
    (void)state;
    struct catalogue got;
    struct errmsg msg = {{0}};
    sample.indicators[0].factor = "1";
    sample.targets[1].level = "";
    sample.targets[1].unit = "43";
    sample.targets[0].period = (struct period){FREQUENCY_DAY, 19000};
    sample.targets[1] = sample.targets[0];
    sample.indicators[0].formula = "fund +";
    sample.c.set_count = 0;
    catalogue_encode(&sample.c, &buf);
    assert_int_equal(buf.data[0], 1);
    assert_int_equal(decode(buf.data, buf.len, &got, &msg), ERR_OK);
    assert_int_equal(catalogue_check(&got, NULL, NULL), ERR_INVALID);
}

static void test_look_ups(void **state)
{
    (void)state;
    const struct catalogue *c = &sample.c;
    assert_ptr_equal(catalogue_measure(c, "m3"), &sample.measures[2]);
    assert_ptr_equal(catalogue_indicator(c, "ratio"), &sample.indicators[0]);
    assert_ptr_equal(catalogue_dimension(c, "sex"), &sample.dimensions[1]);
    assert_int_equal(catalogue_level(c, "province"), 0);
    assert_int_equal(catalogue_level(c, "xã"), 2);
    assert_null(catalogue_measure(c, "ratio"));
    assert_null(catalogue_measure(c, "M3"));
    assert_null(catalogue_measure(c, ""));
    assert_null(catalogue_indicator(c, "fund"));
    assert_null(catalogue_dimension(c, "se"));
    assert_int_equal(catalogue_level(c, "nation"), -1);
}

static void test_categories(void **state)
{
    (void)state;
    static const struct {
        int measure;
        const char *text;
        const char *want; /* NULL: refused */
    } ROWS[] = {{0, "", ""},
                {1, "", ""},
                {1, "group=cadre,sex=f", "group=cadre,sex=f"},
                {1, "sex=f,group=cadre", "group=cadre,sex=f"},
                {2, "sex=m", "sex=m"},
                {0, "sex=m", NULL},
                {1, "group=cadre", NULL},
                {1, "sex=f", NULL},
                {1, "group=cadre,sex=f,sex=f", NULL},
                {1, "group=cadre,group=cadre", NULL},
                {1, "group=cadre,group=other", NULL},
                {1, "group=cadre,sex=x", NULL},
                {1, "group=cadr,sex=f", NULL},
                {1, "group=cadre,sex=", NULL},
                {1, "group=cadre,sex", NULL},
                {1, "group=cadre,age=f", NULL},
                {1, "group=cadre,", NULL},
                {1, ",group=cadre", NULL},
                {1, " group=cadre,sex=f", NULL},
                {1, "group=cadre, sex=f", NULL},
                {1, "group=cadre;sex=f", NULL},
                {1, "GROUP=cadre,sex=f", NULL},
                {1, "=,=", NULL},
                {2, "sex=f=m", NULL},
                {2, "sex=f,m", NULL},
                {2, ",", NULL},
                {2, "unisex=f", NULL}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char out[CATEGORY_MAX_BYTES + 1] = "kept";
        struct errmsg msg = {{0}};
        enum err err = catalogue_category(&sample.c, &sample.measures[ROWS[i].measure],
                                          ROWS[i].text, out, &msg);
        if (err != (ROWS[i].want == NULL ? ERR_REFUSED : ERR_OK)) {
            fail_msg("category \"%s\": %s", ROWS[i].text, err_name(err));
        }
        assert_string_equal(out, ROWS[i].want == NULL ? "kept" : ROWS[i].want);
        assert_int_equal(msg.text[0] != '\0', ROWS[i].want == NULL);
    }
    char out[CATEGORY_MAX_BYTES + 1];
    struct errmsg msg;
    assert_int_equal(catalogue_category(&sample.c, &sample.measures[1], "x", out, &msg),
                     ERR_REFUSED);
    assert_non_null(strstr(msg.text, "group=cadre|other,sex=f|m"));
}

/* Eight dimensions with long values pass the room of a category: refused, not cut. */
static void test_long_category(void **state)
{
    (void)state;
    static char codes[CATEGORY_DIMS_MAX][CODE_MAX_BYTES + 1];
    char text[CATEGORY_DIMS_MAX * 2 * (CODE_MAX_BYTES + 1)];
    struct buf joined;
    buf_init(&joined, sizeof text);
    const char *values[CATEGORY_DIMS_MAX], *names[CATEGORY_DIMS_MAX];
    struct dimension dimensions[CATEGORY_DIMS_MAX];
    char out[CATEGORY_MAX_BYTES + 1] = "kept";
    for (size_t i = 0; i < CATEGORY_DIMS_MAX; i++) {
        memset(codes[i], 'a' + (int)i, CODE_MAX_BYTES);
        names[i] = values[i] = codes[i];
        dimensions[i] = (struct dimension){codes[i], &values[i], 1};
        buf_put(&joined, ",", i == 0 ? 0 : 1);
        buf_put(&joined, codes[i], CODE_MAX_BYTES);
        buf_put(&joined, "=", 1);
        buf_put(&joined, codes[i], CODE_MAX_BYTES);
    }
    memcpy(text, joined.data, joined.len);
    text[joined.len] = '\0';
    buf_deinit(&joined);
    sample.c.dimensions = dimensions;
    sample.c.dimension_count = CATEGORY_DIMS_MAX;
    sample.measures[1].dimensions = names;
    sample.measures[1].dimension_count = CATEGORY_DIMS_MAX;
    assert_int_equal(catalogue_category(&sample.c, &sample.measures[1], text, out, NULL),
                     ERR_REFUSED);
    assert_string_equal(out, "kept");
}

#define WITH_SAMPLE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_SAMPLE(test_there_and_back),
                                       WITH_SAMPLE(test_smallest),
                                       WITH_SAMPLE(test_cut),
                                       WITH_SAMPLE(test_changed),
                                       WITH_SAMPLE(test_many),
                                       WITH_SAMPLE(test_too_large),
                                       WITH_SAMPLE(test_texts),
                                       WITH_SAMPLE(test_check),
                                       WITH_SAMPLE(test_places),
                                       WITH_SAMPLE(test_forms),
                                       WITH_SAMPLE(test_bare),
                                       WITH_SAMPLE(test_published_before),
                                       WITH_SAMPLE(test_look_ups),
                                       WITH_SAMPLE(test_categories),
                                       WITH_SAMPLE(test_long_category)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

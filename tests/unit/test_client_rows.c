/* layer: client */
/* The rows of files, without a daemon: what is refused, how rows become requests, derived keys, and
 * the order of units. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/import_rows.h"
#include "client/unit_rows.h"

static char folder[] = "/tmp/tally-rows-XXXXXX";
static char path[64];
static struct import_rows rows;
static struct import_batch batch;
static struct import_survey survey;
static struct refusals refusals;

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/f.csv", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static int each_begin(void **state)
{
    (void)state;
    import_batch_init(&batch);
    refusals_init(&refusals);
    return 0;
}

static int each_end(void **state)
{
    (void)state;
    import_batch_deinit(&batch);
    refusals_deinit(&refusals);
    return 0;
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void refused_is(size_t index, uint32_t line, const char *part)
{
    assert_true(index < refusals.kept_count);
    assert_int_equal(refusals.kept[index].line, line);
    if (strstr(refusals.kept[index].reason, part) == NULL) {
        fail_msg("wanted \"%s\" in \"%s\"", part, refusals.kept[index].reason);
    }
}

static enum err look(struct errmsg *msg)
{
    enum err err = import_rows_open(&rows, path, msg);
    return err == ERR_OK ? import_rows_survey(&rows, &batch, &refusals, &survey, msg) : err;
}

static void test_import_rows(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    write_text("value,unit,measure,date,key\n5,u1,m,2023-06-18,k1\n-2.5,u2,m,,\n");
    assert_int_equal(look(&msg), ERR_OK);
    assert_int_equal(survey.rows, 2);
    assert_int_equal(survey.requests, 1);
    assert_int_equal(survey.without_key, 1);
    assert_int_equal(refusals.total, 0);
    assert_int_equal(import_rows_rewind(&rows, &msg), ERR_OK);
    assert_int_equal(import_batch_fill(&batch, &rows, NULL, &msg), ERR_OK);
    assert_int_equal(batch.count, 2);
    assert_int_equal(batch.rows[0].line, 2);
    assert_string_equal(batch.rows[0].unit, "u1");
    assert_int_equal(batch.rows[0].day, day_from_civil(2023, 6, 18));
    assert_string_equal(batch.rows[1].value, "-2.5");
    assert_int_equal(batch.rows[1].day, DAY_NONE);
    assert_string_equal(batch.rows[1].key, "");
    assert_string_equal(batch.rows[1].note, "");
    import_rows_close(&rows);
}

static void test_wrong_rows(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    write_text("unit,measure,value,date\n,m,1,\nu,m,1,2023-02-30\nu,m,1 000,\nu,\"a "
               "b\",1,\nu,m,1,\nu,m\n");
    assert_int_equal(look(&msg), ERR_OK);
    assert_int_equal(survey.rows, 6);
    assert_int_equal(refusals.total, 5);
    refused_is(0, 2, "the unit is empty");
    refused_is(1, 3, "date \"2023-02-30\" is not in the calendar");
    refused_is(2, 4, "value \"1 000\" is not a number");
    refused_is(3, 5, "measure \"a b\" is no code");
    refused_is(4, 7, "the row has 2 fields");
    assert_int_equal(import_rows_rewind(&rows, &msg), ERR_OK);
    assert_int_equal(import_batch_fill(&batch, &rows, NULL, &msg), ERR_OK);
    assert_int_equal(batch.count, 1);
    assert_int_equal(batch.rows[0].line, 6);
    assert_int_equal(batch.passed, 6);
    import_rows_close(&rows);
}

static void test_malformed_file(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    char wanted[128];
    write_text("unit,measure,value\nu,m,1\nu,m\"x,1\n");
    assert_int_equal(look(&msg), ERR_INVALID);
    (void)snprintf(wanted, sizeof wanted, "%s:3:4: a quote inside", path);
    assert_non_null(strstr(msg.text, wanted));
    assert_int_equal(refusals.total, 1);
    refused_is(0, 3, "a quote inside");
    import_rows_close(&rows);
    write_text("unit,value\nu,1\n");
    assert_int_equal(import_rows_open(&rows, path, &msg), ERR_INVALID);
    (void)snprintf(wanted, sizeof wanted, "%s:1: the column \"measure\" is missing", path);
    assert_non_null(strstr(msg.text, wanted));
    import_rows_close(&rows);
    assert_int_equal(import_rows_open(&rows, "/nowhere/f.csv", &msg), ERR_USAGE);
    import_rows_close(&rows);
}

/* More rows than a request takes: every line once and in order, keys for those without one. */
static void test_long_file(void **state)
{
    (void)state;
    enum { ROWS = 2 * IMPORT_ROWS_MAX + 7 };
    struct errmsg msg = {""};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("unit,measure,value,key\n", file);
    for (int i = 0; i < ROWS; i++) {
        (void)fprintf(file, "u,m,%d,%s\n", i, i == 3 ? "mine" : "");
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(look(&msg), ERR_OK);
    assert_int_equal(survey.rows, ROWS);
    assert_int_equal(survey.requests, 3);
    assert_int_equal(survey.without_key, ROWS - 1);
    assert_int_equal(import_rows_derive_keys(&rows, &msg), ERR_OK);
    assert_int_equal(import_rows_rewind(&rows, &msg), ERR_OK);
    uint32_t line = 2;
    char key[80] = "";
    do {
        assert_int_equal(import_batch_fill(&batch, &rows, NULL, &msg), ERR_OK);
        assert_true(batch.count <= IMPORT_ROWS_MAX);
        for (size_t i = 0; i < batch.count; i++, line++) {
            assert_int_equal(batch.rows[i].line, line);
            (void)snprintf(key, sizeof key, "%s%u", rows.key_stem, line);
            assert_string_equal(batch.rows[i].key, line == 5 ? "mine" : key);
        }
    } while (!batch.ended);
    assert_int_equal(line, ROWS + 2);
    assert_int_equal(strlen(rows.key_stem), 7 + 32 + 1);
    import_rows_close(&rows);
}

/* Long notes: a request stays within a frame. */
static void test_large_rows(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    char note[NOTE_MAX_BYTES + 1];
    memset(note, 'n', NOTE_MAX_BYTES);
    note[NOTE_MAX_BYTES] = '\0';
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("unit,measure,value,note\n", file);
    for (int i = 0; i < 1200; i++) {
        (void)fprintf(file, "u,m,%d,%s\n", i, note);
    }
    (void)fprintf(file, "u,m,1,%sx\n", note);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(look(&msg), ERR_OK);
    assert_true(survey.requests >= 3);
    assert_int_equal(refusals.total, 1);
    refused_is(0, 1202, "the note is longer than 1024 bytes");
    assert_int_equal(import_rows_rewind(&rows, &msg), ERR_OK);
    assert_int_equal(import_batch_fill(&batch, &rows, NULL, &msg), ERR_OK);
    assert_true(batch.count * NOTE_MAX_BYTES < FRAME_MAX_BYTES * 3 / 4);
    import_rows_close(&rows);
}

static void test_keys(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    write_text("unit,measure,value,key\nu,m,1,a\nu,m,2,b\nu,m,1,a\nu,m,3,b\nu,m,3,\nu,m,4,\n");
    assert_int_equal(look(&msg), ERR_OK);
    assert_int_equal(import_rows_keys(&rows, &batch, &survey, false, &refusals, &msg), ERR_OK);
    assert_int_equal(refusals.total, 1);
    refused_is(0, 5, "key \"b\" stands for another row in line 3");
    import_rows_close(&rows);
}

static void test_refusals_kept(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < REFUSALS_KEPT_MAX + 10; i++) {
        refusals_add(&refusals, 20000 - i, 0, "because");
    }
    refusals_count(&refusals, 5);
    assert_int_equal(refusals.total, REFUSALS_KEPT_MAX + 15);
    assert_int_equal(refusals.kept_count, REFUSALS_KEPT_MAX);
    json_t *list = refusals_json(&refusals);
    assert_int_equal(json_array_size(list), REFUSALS_KEPT_MAX);
    json_int_t first = json_integer_value(json_object_get(json_array_get(list, 0), "line"));
    assert_int_equal(first, 20000 - REFUSALS_KEPT_MAX + 1);
    json_decref(list);
}

static void test_wide(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    write_text("unit,date,\" fund\",\"members[group=cadre,sex=f]\",note,members[group=other],key\n"
               "u1,2023-06-18,5,7,why,,k1\n"
               "u2,,,,,,\n"
               "u3,,x,0,,-1,\n");
    assert_int_equal(look(&msg), ERR_OK);
    assert_true(rows.wide);
    assert_int_equal(survey.rows, 5);
    assert_int_equal(survey.without_key, 2);
    assert_int_equal(refusals.total, 1);
    refused_is(0, 4, "column \"fund\": value \"x\" is not a number");
    assert_int_equal(import_rows_rewind(&rows, &msg), ERR_OK);
    assert_int_equal(import_batch_fill(&batch, &rows, NULL, &msg), ERR_OK);
    assert_true(batch.count == 4 && batch.passed == 5 && batch.ended);
    static const struct record_row WANTED[] = {
        {2, "u1", "fund", 0, "", "5", "k1:fund", "why"},
        {2, "u1", "members", 0, "group=cadre,sex=f", "7", "k1:members[group=cadre,sex=f]", "why"},
        {4, "u3", "members", 0, "group=cadre,sex=f", "0", "", ""},
        {4, "u3", "members", 0, "group=other", "-1", "", ""}};
    for (size_t i = 0; i < batch.count; i++) {
        assert_int_equal(batch.rows[i].line, WANTED[i].line);
        assert_string_equal(batch.rows[i].unit, WANTED[i].unit);
        assert_string_equal(batch.rows[i].measure, WANTED[i].measure);
        assert_string_equal(batch.rows[i].category, WANTED[i].category);
        assert_string_equal(batch.rows[i].value, WANTED[i].value);
        assert_string_equal(batch.rows[i].key, WANTED[i].key);
        assert_string_equal(batch.rows[i].note, WANTED[i].note);
    }
    assert_int_equal(batch.rows[1].day, day_from_civil(2023, 6, 18));
    import_rows_close(&rows);
}

static void test_wide_refused(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    static const struct {
        const char *text, *part;
    } ROWS[] = {{"unit,fund,fund\n", ":1: the column \"fund\" stands there twice"},
                {"unit,fu nd\n", "unknown column \"fu nd\""},
                {"unit,fund[x\n", "unknown column \"fund[x\""},
                {"unit,\n", "unknown column \"\""},
                {"fund,date\n", "the column \"unit\" is missing"},
                {"unit,valeu,measure\n", "unknown column \"valeu\"; did you mean value?"},
                {"unit,mesure,value\n", "unknown column \"mesure\"; did you mean measure?"},
                {"unit;fund\n", "columns are separated by \";\""},
                {"unit,date\n", "the column \"measure\" is missing"}};
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        write_text(ROWS[i].text);
        assert_int_equal(import_rows_open(&rows, path, &msg), ERR_INVALID);
        if (strstr(msg.text, ROWS[i].part) == NULL) {
            fail_msg("wanted \"%s\" in \"%s\"", ROWS[i].part, msg.text);
        }
        import_rows_close(&rows);
    }
    write_text("unit,category,a[g=x],b\nu,g=y,1,\nu,g=y,,1\n");
    assert_int_equal(look(&msg), ERR_OK);
    assert_int_equal(refusals.total, 1);
    refused_is(0, 2, "column \"a[g=x]\" has a category, and so has the row");
    import_rows_close(&rows);
}

/* The same key in another part of the keys, far behind, and rows that say it again. */
static void test_many_keys(void **state)
{
    (void)state;
    enum { PER_PASS = 500, ROWS = 6 * PER_PASS + 100 };
    struct errmsg msg = {""};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("unit,measure,value,key\n", file);
    for (int i = 0; i < ROWS; i++) {
        (void)fprintf(file, "u,m,%d,k%d\n", i == ROWS - 1 ? 7 : i % 1000, i % (ROWS - 3));
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(look(&msg), ERR_OK);
    rows.keys_per_pass = PER_PASS;
    assert_int_equal(import_rows_keys(&rows, &batch, &survey, true, &refusals, &msg), ERR_OK);
    assert_int_equal(refusals.total, 3);
    json_decref(refusals_json(&refusals)); /* sorts them */
    refused_is(0, ROWS - 1, "key \"k0\" stands for another row in line 2");
    import_rows_close(&rows);
}

static void test_repeats(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    write_text("unit,measure,value,key\nu,m,1,a\nu,m,2,b\nu,m,1,a\nu,m,1,\nu,m,1,\nu,m,1,a\n");
    assert_int_equal(look(&msg), ERR_OK);
    assert_int_equal(import_rows_keys(&rows, &batch, &survey, true, &refusals, &msg), ERR_OK);
    assert_int_equal(refusals.total, 0);
    assert_int_equal(import_rows_rewind(&rows, &msg), ERR_OK);
    assert_int_equal(import_batch_fill(&batch, &rows, NULL, &msg), ERR_OK);
    assert_true(batch.count == 4 && batch.passed == 6 && batch.repeated == 2);
    assert_int_equal(batch.rows[3].line, 6);
    import_rows_close(&rows);
}

static void test_changed_file(void **state)
{
    (void)state;
    struct errmsg msg = {""};
    write_text("unit,measure,value\nu,m,1\n");
    assert_int_equal(look(&msg), ERR_OK);
    write_text("unit,measure,value\nu,m,1\nu,m,2\n");
    assert_int_equal(import_rows_rewind(&rows, &msg), ERR_USAGE);
    assert_non_null(strstr(msg.text, "has changed while it was read"));
    import_rows_close(&rows);
}

/* ---- units ---- */

static void test_units_sorted(void **state)
{
    (void)state;
    struct unit_rows units;
    struct errmsg msg = {""};
    write_text("code,name,level,parent\nc1,C1,commune,d1\nd1,D1,district,\nc2,C2,commune,d1\n"
               "x,X,commune,elsewhere\n");
    assert_int_equal(unit_rows_open(&units, path, false, &refusals, &msg), ERR_OK);
    assert_int_equal(refusals.total, 0);
    assert_int_equal(units.count, 4);
    assert_string_equal(units.units[0].code, "d1");
    assert_int_equal(units.units[0].line, 3);
    assert_int_equal(units.parents[0], UNIT_ROW_NONE);
    assert_string_equal(units.units[1].code, "c1");
    assert_int_equal(units.parents[1], 0);
    assert_string_equal(units.units[2].code, "c2");
    assert_int_equal(units.parents[2], 0);
    assert_string_equal(units.units[3].parent, "elsewhere");
    assert_int_equal(units.parents[3], UNIT_ROW_NONE);
    unit_rows_close(&units);
}

static void test_units_wrong(void **state)
{
    (void)state;
    struct unit_rows units;
    struct errmsg msg = {""};
    write_text("code,name,level\na,A,l\nb,,l\na,B,l\n");
    assert_int_equal(unit_rows_open(&units, path, false, &refusals, &msg), ERR_OK);
    assert_int_equal(refusals.total, 1);
    refused_is(0, 3, "the name is empty");
    unit_rows_close(&units);
    each_end(NULL);
    each_begin(NULL);
    write_text("code,name,level\na,A,l\nb,B,l\na,B,l\n");
    assert_int_equal(unit_rows_open(&units, path, false, &refusals, &msg), ERR_OK);
    refused_is(0, 4, "the code \"a\" stands in line 2 already");
    unit_rows_close(&units);
}

static void test_units_in_a_ring(void **state)
{
    (void)state;
    struct unit_rows units;
    struct errmsg msg = {""};
    write_text("code,name,level,parent\nx,X,l,\na,A,l,b\nb,B,l,c\nc,C,l,a\n");
    assert_int_equal(unit_rows_open(&units, path, false, &refusals, &msg), ERR_OK);
    assert_int_equal(refusals.total, 1);
    refused_is(0, 3, "the unit \"a\" would lie below itself");
    unit_rows_close(&units);
    each_end(NULL);
    each_begin(NULL);
    write_text("code,name,level,parent\na,A,l,a\n");
    assert_int_equal(unit_rows_open(&units, path, false, &refusals, &msg), ERR_OK);
    refused_is(0, 2, "the unit \"a\" would lie below itself");
    unit_rows_close(&units);
}

/* A chain given upside down, so that every unit waits for the next line. */
static void test_units_deep(void **state)
{
    (void)state;
    enum { DEPTH = 20000 };
    struct unit_rows units;
    struct errmsg msg = {""};
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("code,name,level,parent\n", file);
    for (int i = 0; i < DEPTH; i++) {
        (void)fprintf(file, "u%d,U,l,u%d\n", i, i + 1);
    }
    assert_int_equal(fclose(file), 0);
    assert_int_equal(unit_rows_open(&units, path, false, &refusals, &msg), ERR_OK);
    assert_int_equal(refusals.total, 0);
    assert_int_equal(units.count, DEPTH);
    for (size_t i = 0; i < units.count; i++) {
        assert_int_equal(units.parents[i], (int32_t)i - 1);
    }
    unit_rows_close(&units);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, each_begin, each_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(test_import_rows),     EACH(test_wrong_rows),   EACH(test_malformed_file),
        EACH(test_long_file),       EACH(test_large_rows),   EACH(test_keys),
        EACH(test_refusals_kept),   EACH(test_units_sorted), EACH(test_units_wrong),
        EACH(test_units_in_a_ring), EACH(test_units_deep),   EACH(test_wide),
        EACH(test_wide_refused),    EACH(test_many_keys),    EACH(test_repeats),
        EACH(test_changed_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* layer: client */
/* CSV: what is read, and the place of every complaint. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/csv.h"

static const char *const NAMES[] = {"unit", "value", "note"};
static const struct csv_heading HEADING = {.names = NAMES, .name_count = 3, .required = 2};

static struct csv csv;

static enum err begin_bytes(const char *text, size_t len, struct errmsg *msg)
{
    struct bytes data = {(const uint8_t *)text, len};
    return csv_init(&csv, "f.csv", data, &HEADING, msg);
}

static void begin(const char *text)
{
    struct errmsg msg = {""};
    enum err err = begin_bytes(text, strlen(text), &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
}

static void row_is(uint32_t line, const char *unit, const char *value, const char *note)
{
    struct csv_row row;
    struct errmsg msg = {""};
    bool more;
    enum err err = csv_next(&csv, &row, &more, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
    assert_true(more);
    assert_int_equal(row.line, line);
    assert_string_equal(row.fields[0], unit);
    assert_string_equal(row.fields[1], value);
    assert_string_equal(row.fields[2], note);
}

static void at_end(void)
{
    struct csv_row row;
    bool more;
    assert_int_equal(csv_next(&csv, &row, &more, NULL), ERR_OK);
    assert_false(more);
}

/* The next row is refused with that error and complaint, place included. */
static void row_fails(enum err wanted, const char *complaint)
{
    struct csv_row row;
    struct errmsg msg = {""};
    bool more;
    enum err err = csv_next(&csv, &row, &more, &msg);
    assert_int_equal(err, wanted);
    assert_int_equal(csv_locate(&csv, err, &msg), wanted);
    assert_string_equal(msg.text, complaint);
}

static void heading_fails(const char *text, const char *complaint)
{
    struct errmsg msg = {""};
    enum err err = begin_bytes(text, strlen(text), &msg);
    assert_int_equal(err, ERR_INVALID);
    assert_int_equal(csv_locate(&csv, err, &msg), ERR_INVALID);
    assert_string_equal(msg.text, complaint);
}

static void test_rows(void **state)
{
    (void)state;
    begin("unit,value,note\n1,2,x\n\n3,4,\n5,6,y");
    row_is(2, "1", "2", "x");
    row_is(4, "3", "4", "");
    row_is(5, "5", "6", "y");
    at_end();
    at_end();
}

static void test_columns_in_any_order(void **state)
{
    (void)state;
    begin(" Note ,VALUE,unit\r\na,b,c\r\n");
    row_is(2, "c", "b", "a");
    at_end();
    begin("value,unit\nb,c\n");
    row_is(2, "c", "b", "");
    at_end();
}

static void test_quotes(void **state)
{
    (void)state;
    begin("unit,value,note\r\n\"a,b\",\"say \"\"x\"\"\",\"two\r\nlines\"\r\n\"\",,\"Hà "
          "Tĩnh\"\r\nz,1,\n");
    row_is(2, "a,b", "say \"x\"", "two\r\nlines");
    row_is(4, "", "", "Hà Tĩnh");
    row_is(5, "z", "1", "");
    at_end();
}

static void test_marks(void **state)
{
    (void)state;
    begin("\xef\xbb\xbfunit,value\n1,2\n");
    row_is(2, "1", "2", "");
    struct errmsg msg = {""};
    assert_int_equal(begin_bytes("\xff\xfeu\0n\0", 6, &msg), ERR_INVALID);
    assert_non_null(strstr(msg.text, "UTF-16"));
}

static void test_heading(void **state)
{
    (void)state;
    heading_fails("",
                  "f.csv:1: the file is empty; the first line names columns of unit,value,note");
    heading_fails("\n\n\n",
                  "f.csv:4: the file is empty; the first line names columns of unit,value,note");
    heading_fails("unit,valeu\n", "f.csv:1: unknown column \"valeu\"; did you mean value?");
    heading_fails("unit,value,zzzzzz\n", "f.csv:1: unknown column \"zzzzzz\"; the first line names "
                                         "columns of unit,value,note");
    heading_fails("unit,value,unit\n", "f.csv:1: the column \"unit\" stands there twice");
    heading_fails("unit,note\n", "f.csv:1: the column \"value\" is missing in the first line");
    heading_fails("unit;value;note\n",
                  "f.csv:1: columns are separated by \";\"; separate them by commas");
    heading_fails("unit,\"val\n", "f.csv:1:6: this quote is never closed");
}

static void test_malformed(void **state)
{
    (void)state;
    begin("unit,value\n1,2\nđ,a\"b\n3,4\n");
    row_is(2, "1", "2", "");
    row_fails(ERR_INVALID,
              "f.csv:3:4: a quote inside a plain field; put the field in quotes and write "
              "it twice");
    at_end();
    begin("unit,value\n\"1\"2,3\n");
    row_fails(ERR_INVALID,
              "f.csv:2:4: text behind a closing quote; a quote inside is written twice");
    begin("unit,value\n1,\"2\n3,4\n");
    row_fails(ERR_INVALID, "f.csv:2:3: this quote is never closed");
    begin("unit,value\n1,2\rx\n");
    row_fails(
        ERR_INVALID,
        "f.csv:2:4: a carriage return without a line feed; save it with line ends LF or CRLF");
    begin("unit,value\n\"1\"\rx,2\n");
    row_fails(
        ERR_INVALID,
        "f.csv:2:4: a carriage return without a line feed; save it with line ends LF or CRLF");
    begin("unit,value\n1,\xff\n");
    row_fails(
        ERR_INVALID,
        "f.csv:2:3: the field is not UTF-8, or has a control character; save it as CSV in UTF-8");
    begin("unit,value\n1,\"a\nb\x01\"\n");
    row_fails(
        ERR_INVALID,
        "f.csv:2:3: the field is not UTF-8, or has a control character; save it as CSV in UTF-8");
}

static void test_number_of_fields(void **state)
{
    (void)state;
    static char text[1024] = "unit,value\n1\n1,2,3\n1,2\na";
    for (size_t i = strlen(text), end = i + 2 * CSV_COLUMNS_MAX; i < end; i += 2) {
        memcpy(text + i, ",b", 3);
    }
    begin(text);
    row_fails(ERR_REFUSED, "f.csv:2: the row has 1 field, the first line 2");
    row_fails(ERR_REFUSED, "f.csv:3: the row has 3 fields, the first line 2");
    row_is(4, "1", "2", "");
    row_fails(ERR_REFUSED, "f.csv:5: the row has 272 or more fields, the first line 2");
    at_end();
}

static void test_nul(void **state)
{
    (void)state;
    static const char TEXT[] = "unit,value\n1,a\0b\n";
    struct errmsg msg = {""};
    assert_int_equal(begin_bytes(TEXT, sizeof TEXT - 1, &msg), ERR_OK);
    row_fails(
        ERR_INVALID,
        "f.csv:2:3: the field is not UTF-8, or has a control character; save it as CSV in UTF-8");
}

static void test_too_long(void **state)
{
    (void)state;
    size_t len = CSV_ROW_MAX_BYTES + 100;
    char *text = malloc(len);
    assert_non_null(text);
    memset(text, 'x', len);
    memcpy(text, "unit,value\n", 11);
    struct errmsg msg = {""};
    assert_int_equal(begin_bytes(text, len, &msg), ERR_OK);
    struct csv_row row;
    bool more;
    assert_int_equal(csv_next(&csv, &row, &more, &msg), ERR_INVALID);
    assert_non_null(strstr(msg.text, "longer than any"));
    free(text);
}

/* ---- through a window ---- */

struct piecewise {
    const char *text;
    size_t len;
    size_t at;
    size_t piece;    /* at most so much at a time */
    size_t fails_at; /* 0: never */
};

static enum err read_piece(void *ctx, void *out, size_t size, size_t *got, struct errmsg *msg)
{
    struct piecewise *from = ctx;
    size_t rest = from->len - from->at;
    if (from->fails_at > 0 && from->at >= from->fails_at) {
        return err_fail(msg, ERR_USAGE, "cannot be read");
    }
    size = size < from->piece ? size : from->piece;
    *got = rest < size ? rest : size;
    memcpy(out, from->text + from->at, *got);
    from->at += *got;
    return ERR_OK;
}

/* Rows of many lengths, quoted and not, and empty lines, over several windows: what a reader of the
 * whole text sees. */
static void test_window(void **state)
{
    (void)state;
    static struct csv whole;
    static struct csv_source source;
    size_t cap = 2 * CSV_WINDOW_BYTES;
    char *text = malloc(cap);
    size_t len = 11;
    uint32_t random = 7;
    assert_non_null(text);
    memcpy(text, "unit,value\n", 11);
    while (len < cap - CSV_ROW_MAX_BYTES) {
        random = random * 1664525 + 1013904223;
        size_t fill = random >> 8 & (random >> 30 == 0 ? 0x3fff : 0x1f);
        bool quoted = (random >> 28 & 1) != 0;
        text[len++] = '1';
        text[len++] = ',';
        text[len] = '"';
        len += quoted ? 1 : 0;
        for (size_t i = 0; i < fill; i++) {
            text[len++] = quoted && i % 7 == 0 ? '\n' : 'x';
        }
        text[len] = '"';
        len += quoted ? 1 : 0;
        memcpy(text + len, "\r\n\n", 3);
        len += 2 + (random >> 27 & 1);
    }
    for (size_t piece = 1000; piece < cap; piece = piece * 99 + 1) {
        struct piecewise from = {text, len, 0, piece, 0};
        struct errmsg msg = {""};
        struct csv_row a;
        struct csv_row b;
        bool more = true;
        source.read = read_piece;
        source.ctx = &from;
        assert_int_equal(
            csv_init(&whole, "f", (struct bytes){(uint8_t *)text, len}, &HEADING, &msg), ERR_OK);
        assert_int_equal(csv_init_from(&csv, "f", &source, &HEADING, &msg), ERR_OK);
        while (more) {
            bool also;
            assert_int_equal(csv_next(&whole, &a, &more, &msg), ERR_OK);
            assert_int_equal(csv_next(&csv, &b, &also, &msg), ERR_OK);
            assert_true(also == more && a.line == b.line);
            assert_string_equal(a.fields[1], b.fields[1]);
        }
    }
    struct piecewise from = {text, len, 0, 4096, CSV_WINDOW_BYTES + 1};
    struct errmsg msg = {""};
    struct csv_row row;
    bool more = true;
    enum err err = ERR_OK;
    source.ctx = &from;
    assert_int_equal(csv_init_from(&csv, "f", &source, &HEADING, &msg), ERR_OK);
    while (err == ERR_OK && more) {
        err = csv_next(&csv, &row, &more, &msg);
    }
    assert_int_equal(err, ERR_USAGE);
    assert_string_equal(msg.text, "cannot be read");
    free(text);
}

static void test_again(void **state)
{
    (void)state;
    begin("unit,value\n1,2\n3,4\n");
    struct csv_place first = csv_tell(&csv);
    row_is(2, "1", "2", "");
    row_is(3, "3", "4", "");
    at_end();
    csv_seek(&csv, first);
    row_is(2, "1", "2", "");
}

/* Any bytes end, and no row is longer than its text: with every cut and every single change of a
 * text that has everything in it. */
static void test_any_bytes(void **state)
{
    (void)state;
    static const char TEXT[] = "unit,value,note\r\n\"a,\"\"b\",2,\"x\r\ny\"\nđ,3,\n";
    static const char BYTES[] = {'"', ',', '\r', '\n', '\0', '\xff', 'x'};
    char copy[sizeof TEXT];
    for (size_t at = 0; at < sizeof TEXT; at++) {
        for (size_t i = 0; i <= sizeof BYTES; i++) {
            memcpy(copy, TEXT, sizeof TEXT);
            copy[at] = i < sizeof BYTES ? BYTES[i] : copy[at];
            size_t len = i < sizeof BYTES ? sizeof TEXT : at;
            if (begin_bytes(copy, len, NULL) != ERR_OK) {
                continue;
            }
            bool more = true;
            int rows = 0;
            while (more) {
                struct csv_row row;
                if (csv_next(&csv, &row, &more, NULL) == ERR_INVALID) {
                    break;
                }
                assert_true(++rows < 16);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_columns_in_any_order),
        cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_marks),
        cmocka_unit_test(test_heading),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_number_of_fields),
        cmocka_unit_test(test_nul),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_window),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

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
enum { NAME_COUNT = 3, REQUIRED = 2 };

static struct csv csv;

static enum err begin_bytes(const char *text, size_t len, struct errmsg *msg)
{
    struct bytes data = {(const uint8_t *)text, len};
    return csv_init(&csv, "f.csv", data, NAMES, NAME_COUNT, REQUIRED, msg);
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
    begin("unit,value\n1\n1,2,3\n1,2\na,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r\n");
    row_fails(ERR_REFUSED, "f.csv:2: the row has 1 field, the first line 2");
    row_fails(ERR_REFUSED, "f.csv:3: the row has 3 fields, the first line 2");
    row_is(4, "1", "2", "");
    row_fails(ERR_REFUSED, "f.csv:5: the row has 16 or more fields, the first line 2");
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
    size_t len = 64 * 1024;
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
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_any_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

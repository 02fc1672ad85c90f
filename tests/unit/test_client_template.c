/* layer: client */
/* A template is read whole, or refused with the place of what is wrong with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/template.h"

static struct arena arena;
static struct template template;
static struct errmsg msg;

static enum err reads(const char *text)
{
    struct bytes bytes = {(const uint8_t *)text, strlen(text)};
    arena_reset(&arena);
    arena_init(&arena, 32 << 20);
    msg.text[0] = '\0';
    return template_read("t.md", bytes, &arena, &template, &msg);
}

/* The texts of a template without fields, one behind the other. */
static const char *left(const char *text)
{
    static char out[1000];
    size_t used = 0;
    assert_int_equal(reads(text), ERR_OK);
    for (size_t i = 0; i < template.count; i++) {
        const struct part *part = &template.parts[i];
        if (part->kind == PART_TEXT) {
            memcpy(out + used, part->text, part->len);
            used += part->len;
        }
    }
    out[used] = '\0';
    return out;
}

static void test_lines(void **state)
{
    (void)state;
    assert_string_equal(left("a\n{{# b }}\nc"), "a\nc");
    assert_string_equal(left("a {{# b }} c\n"), "a  c\n");
    assert_string_equal(left("a\n  {{if total x}}  \n b\n{{else}}\n c\n{{end}}"), "a\n b\n c\n");
    assert_string_equal(left("{{each child}}\r\nx\r\n{{end}}\r\n"), "x\r\n");
    assert_string_equal(left("{{if held}}{{end}}\n"), "\n"); /* two in one line leave the line */
    assert_string_equal(left("\xef\xbb\xbf{{# mark}}\nx"), "x");
    assert_string_equal(left(""), "");
    assert_string_equal(left("} {x} }}\n"), "} {x} }}\n");
    assert_true(template.markdown);
}

static void test_fields(void **state)
{
    (void)state;
    assert_int_equal(reads("{{total accounts[group=cadre] unit=436 period=2023H1 in=million "
                           "digits=2}}{{ change\tx against=2022 }}"),
                     ERR_OK);
    const struct part *total = &template.parts[0];
    const struct part *change = &template.parts[1];
    assert_int_equal(template.count, 2);
    assert_int_equal(total->field, FIELD_TOTAL);
    assert_string_equal(total->code, "accounts");
    assert_string_equal(total->category, "group=cadre");
    assert_string_equal(total->unit, "436");
    assert_string_equal(total->period, "2023H1");
    assert_int_equal(total->shift, 6);
    assert_int_equal(total->digits, 2);
    assert_int_equal(change->field, FIELD_CHANGE);
    assert_string_equal(change->against, "2022");
    assert_int_equal(change->digits, -1);
}

static void test_blocks(void **state)
{
    (void)state;
    assert_int_equal(
        reads("{{each missing a}}{{if lacks}}{{lacks}}{{else}}{{lacks}}{{end}}{{end}}"), ERR_OK);
    assert_int_equal(reads("{{if held}}a{{else}}b{{end}}{{each child}}{{end}}"), ERR_OK);
    assert_int_equal(template.parts[0].jump, 2); /* the else */
    assert_int_equal(template.parts[2].jump, 4); /* its end */
    assert_int_equal(template.parts[5].jump, 6);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *place;
        const char *words;
    } CASES[] = {
        {"a\nb {{totl x}}", "t.md:2:3:", "did you mean total?"},
        {"Việt {{total}}", "t.md:1:6:", "needs the code"},
        {"{{}}", "t.md:1:1:", "nothing is named"},
        {"{{total a b}}", "t.md:1:1:", "one code"},
        {"{{total a b=c}}", "t.md:1:1:", "b=c"},
        {"{{total a[b}}", "t.md:1:1:", "[group=cadre]"},
        {"{{total a[]}}", "t.md:1:1:", "[group=cadre]"},
        {"{{total a/b}}", "t.md:1:1:", "no code"},
        {"{{total a unit=b/c}}", "t.md:1:1:", "no code of a unit"},
        {"{{total a period=2023H3}}", "t.md:1:1:", "2023H3"},
        {"{{total a period=2022..2023}}", "t.md:1:1:", "2022..2023"},
        {"{{total a in=tens}}", "t.md:1:1:", "thousand"},
        {"{{total a digits=10}}", "t.md:1:1:", "0 to 9"},
        {"{{total a digits=-1}}", "t.md:1:1:", "0 to 9"},
        {"{{total a against=year}}", "t.md:1:1:", "against="},
        {"{{change a against=next}}", "t.md:1:1:", "previous"},
        {"{{name a in=million}}", "t.md:1:1:", "in="},
        {"{{missing a digits=1}}", "t.md:1:1:", "digits="},
        {"{{missing a[b=c]}}", "t.md:1:1:", "all categories"},
        {"{{target a[b=c]}}", "t.md:1:1:", "all categories"},
        {"{{reported a[b=c]}}", "t.md:1:1:", "all categories"},
        {"{{percent a digits=0}}", "t.md:1:1:", "digits="},
        {"{{change_percent a in=million}}", "t.md:1:1:", "in="},
        {"{{expected_by_today a digits=0}}", "t.md:1:1:", "digits="},
        {"{{lacks}}", "t.md:1:1:", "each missing"},
        {"{{each missing a}}{{each child}}{{lacks}}{{end}}{{end}}", "t.md:1:33:", "each missing"},
        {"{{today now}}", "t.md:1:1:", "no words"},
        {"{{each}}{{end}}", "t.md:1:1:", "each is"},
        {"{{each unit}}{{end}}", "t.md:1:1:", "each is"},
        {"{{each level=}}{{end}}", "t.md:1:1:", "each is"},
        {"{{each period=2023..2022}}{{end}}", "t.md:1:1:", "2022"},
        {"{{each child}}", "t.md:1:1:", "no {{end}}"},
        {"{{end}}", "t.md:1:1:", "before it"},
        {"{{each child}}{{else}}{{end}}", "t.md:1:15:", "belongs to"},
        {"{{if held}}{{else}}{{else}}{{end}}", "t.md:1:20:", "belongs to"},
        {"{{if}}{{end}}", "t.md:1:1:", "nothing is named"},
        {"{{end now}}", "t.md:1:1:", "no words"},
        {"x {{total", "t.md:1:3:", "not closed"},
        {"x {{total\na}}", "t.md:1:3:", "not closed"},
        {"{{total a b c d e f g h i}}", "t.md:1:1:", "more than 8"},
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        assert_int_equal(reads(CASES[i].text), ERR_INVALID);
        assert_int_equal(strncmp(msg.text, CASES[i].place, strlen(CASES[i].place)), 0);
        assert_non_null(strstr(msg.text, CASES[i].words));
    }
    assert_int_equal(reads("\xff"), ERR_INVALID);
    assert_int_equal(reads("a\x01"), ERR_INVALID);
}

static void test_limits(void **state)
{
    (void)state;
    static char text[(TEMPLATE_PARTS_MAX + 2) * 8];
    size_t used = 0;
    for (int i = 0; i <= TEMPLATE_DEPTH_MAX; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "{{if held}}");
    }
    assert_int_equal(reads(text), ERR_INVALID);
    assert_non_null(strstr(msg.text, "blocks"));
    for (used = 0; used < sizeof text - 9; used += 8) {
        memcpy(text + used, "{{unit}}", 8);
    }
    text[used] = '\0';
    assert_int_equal(reads(text), ERR_INVALID);
    assert_non_null(strstr(msg.text, "parts"));
    assert_int_equal(strncmp(msg.text, "t.md:1:", 7), 0);
}

static int begin(void **state)
{
    (void)state;
    arena_init(&arena, 32 << 20);
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_reset(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines), cmocka_unit_test(test_fields), cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_refused), cmocka_unit_test(test_limits)};
    return cmocka_run_group_tests(tests, begin, end);
}

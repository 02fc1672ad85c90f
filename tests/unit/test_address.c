/* layer: proto */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "proto/address.h"

static void test_addresses(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *host;
        int port;
    } ROWS[] = {{"tally.example.org:7800", "tally.example.org", 7800},
                {"192.0.2.10:1", "192.0.2.10", 1},
                {"h:65535", "h", 65535},
                {"h:00080", "h", 80},
                {"[::1]:7800", "::1", 7800},
                {"[2001:db8::42]:1", "2001:db8::42", 1},
                {"[fe80::1%eth0]:1", "fe80::1%eth0", 1},
                {"xã.vn:1", "xã.vn", 1}};
    for (size_t i = 0; i < sizeof ROWS / sizeof ROWS[0]; i++) {
        char host[ADDRESS_MAX_BYTES + 1];
        int port = -1;
        assert_int_equal(address_parse(ROWS[i].text, host, &port, NULL), ERR_OK);
        assert_string_equal(host, ROWS[i].host);
        assert_int_equal(port, ROWS[i].port);
    }
}

static void test_no_addresses(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "",       "h",         ":",        ":1",           "h:",         "h:65536", "h:99999",
        "h:0",    "h:000080",  "h:-1",     "h:+1",         "h:1x",       "h: 1",    "h:1 ",
        " h:1",   "a b:1",     "::1:80",   "[]:1",         "[::1]",      "[::1]1",  "[::1:1",
        "::1]:1", "[[::1]]:1", "a]:1",     "a[:1",         "http://h:1", "h\t:1",   "h\x7f:1",
        "\xff:1", "h:1\n",     "[::1] :1", "h:4294967297", "h:１"};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        char host[ADDRESS_MAX_BYTES + 1] = "kept";
        int port = 77;
        struct errmsg msg = {{0}};
        if (address_parse(BAD[i], host, &port, &msg) != ERR_USAGE) {
            fail_msg("\"%s\" was taken", BAD[i]);
        }
        assert_string_equal(host, "kept");
        assert_int_equal(port, 77);
        assert_non_null(strstr(msg.text, "HOST:PORT"));
    }
}

static void test_length(void **state)
{
    (void)state;
    char text[ADDRESS_MAX_BYTES + 2], host[ADDRESS_MAX_BYTES + 1];
    int port;
    memset(text, 'h', sizeof text);
    memcpy(text + ADDRESS_MAX_BYTES - 3, ":80", 4);
    assert_int_equal(address_parse(text, host, &port, NULL), ERR_OK);
    assert_int_equal(strlen(host), ADDRESS_MAX_BYTES - 3);
    memset(text, 'h', sizeof text);
    memcpy(text + ADDRESS_MAX_BYTES - 2, ":80", 4);
    assert_int_equal(address_parse(text, host, &port, NULL), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_addresses),
                                       cmocka_unit_test(test_no_addresses),
                                       cmocka_unit_test(test_length)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

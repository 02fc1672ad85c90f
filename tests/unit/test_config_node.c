/* layer: config */
/* tally.yaml and addresses: what is read, what is written, and where a complaint points. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "config/config.h"
#include "proto/address.h"

static char folder[] = "/tmp/tally-config-XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) {
        return -1;
    }
    (void)snprintf(path, sizeof path, "%s/%s", folder, CONFIG_NODE_FILE);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(folder);
}

static void write_text(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* The text is refused, and the sentence is the path followed by `rest`. */
static void refuse(const char *text, const char *rest)
{
    struct config_node config;
    struct errmsg msg = {""};
    char wanted[ERRMSG_MAX_BYTES];
    write_text(text);
    assert_int_equal(config_node_load(path, &config, &msg), ERR_INVALID);
    (void)snprintf(wanted, sizeof wanted, "%s:%s", path, rest);
    assert_string_equal(msg.text, wanted);
}

static void test_all_fields(void **state)
{
    (void)state;
    struct config_node config;
    struct errmsg msg = {""};
    write_text("listen: 0.0.0.0:7800\naddresses: [\"a.example:7800\", \"[fd00::1]:7801\"]\n"
               "log_level: debug\n");
    assert_int_equal(config_node_load(path, &config, &msg), ERR_OK);
    assert_string_equal(config.listen, "0.0.0.0:7800");
    assert_int_equal(config.address_count, 2);
    assert_string_equal(config.addresses[0], "a.example:7800");
    assert_string_equal(config.addresses[1], "[fd00::1]:7801");
    assert_int_equal(config.log_level, LOG_LEVEL_DEBUG);
}

static void test_defaults(void **state)
{
    (void)state;
    struct config_node config;
    write_text("listen: 127.0.0.1:7800\n");
    assert_int_equal(config_node_load(path, &config, NULL), ERR_OK);
    assert_int_equal(config.address_count, 1);
    assert_string_equal(config.addresses[0], "127.0.0.1:7800");
    assert_int_equal(config.log_level, LOG_LEVEL_INFO);
    write_text("log_level: warn\n");
    assert_int_equal(config_node_load(path, &config, NULL), ERR_OK);
    assert_string_equal(config.listen, "");
    assert_int_equal(config.address_count, 0);
}

static void test_saved_is_read_back(void **state)
{
    (void)state;
    struct config_node saved = {
        .listen = "127.0.0.1:1", .address_count = 2, .log_level = LOG_LEVEL_ERROR};
    struct config_node read;
    struct errmsg msg = {""};
    (void)snprintf(saved.addresses[0], sizeof saved.addresses[0], "back\\slash:1");
    (void)snprintf(saved.addresses[1], sizeof saved.addresses[1], "[::1]:2");
    assert_int_equal(config_node_save(path, &saved, &msg), ERR_OK);
    assert_int_equal(config_node_load(path, &read, &msg), ERR_OK);
    assert_string_equal(read.listen, saved.listen);
    assert_int_equal(read.address_count, 2);
    assert_string_equal(read.addresses[0], saved.addresses[0]);
    assert_string_equal(read.addresses[1], saved.addresses[1]);
    assert_int_equal(read.log_level, LOG_LEVEL_ERROR);

    struct config_node plain = {.log_level = LOG_LEVEL_INFO};
    assert_int_equal(config_node_save(path, &plain, &msg), ERR_OK);
    assert_int_equal(config_node_load(path, &read, &msg), ERR_OK);
    assert_string_equal(read.listen, "");
    assert_int_equal(read.address_count, 0);
}

static void test_cannot_be_written(void **state)
{
    (void)state;
    struct config_node config = {.log_level = LOG_LEVEL_INFO};
    struct errmsg msg = {""};
    assert_int_equal(config_node_save("/nowhere/at/all/tally.yaml", &config, &msg), ERR_IO);
    assert_non_null(strstr(msg.text, "/nowhere/at/all/tally.yaml"));
}

static void test_not_there(void **state)
{
    (void)state;
    struct config_node config;
    struct errmsg msg = {""};
    assert_int_equal(config_node_load("/nowhere/tally.yaml", &config, &msg), ERR_NOT_FOUND);
    assert_non_null(strstr(msg.text, "/nowhere/tally.yaml"));
    assert_int_equal(config_node_load(folder, &config, &msg), ERR_IO);
}

static void test_complaints(void **state)
{
    (void)state;
    refuse("", "1:1: the file is empty");
    refuse("# only a comment\n", "1:1: the file is empty");
    refuse("log_level: info\nlisten: nowhere\n",
           "2:9: \"nowhere\" is no address; write HOST:PORT or [IPV6]:PORT, like "
           "tally.example.org:7800 or [::1]:7800");
    refuse("addresses:\n  - a:1\n  - b:99999\n",
           "3:5: \"b:99999\" is no address; write HOST:PORT or [IPV6]:PORT, like "
           "tally.example.org:7800 or [::1]:7800");
    refuse("listen: a:1\nlog_levle: info\n",
           "2:1: unknown key \"log_levle\"; did you mean log_level?");
    refuse("zzz: 1\n", "1:1: unknown key \"zzz\"; the keys here are listen, addresses, log_level");
    refuse("log_level: inof\n", "1:12: log_level is one of debug, info, warn, error, not \"inof\"; "
                                "did you mean info?");
    refuse("listen: a:1\nlisten: b:1\n", "2:1: the key \"listen\" stands here for the second time");
    refuse("listen: [a]\n", "1:9: expected a single value here, found a list");
    refuse("addresses: a:1\n", "1:12: expected a list here, found a single value");
    refuse("- listen\n", "1:1: expected a mapping (key: value) here, found a list");
    refuse("addresses: [a:1, b:1, c:1, d:1, e:1, f:1, g:1, h:1, i:1]\n",
           "1:12: addresses has more than 8 entries");
    refuse("addresses: [\"\"]\n", "1:13: the text is empty");
}

static void test_yaml_complaints(void **state)
{
    (void)state;
    refuse("listen: \"a\nb\n", "3:1: found unexpected end of stream (while scanning a quoted "
                               "scalar that begins at 1:9)");
    refuse("listen: a:1\naddresses:\n\t- a:1\n", "3:1: a tab; indent YAML with spaces");
    refuse("listen: a:1\n---\nlisten: b:1\n", "2:1: a second document begins; one file holds one");
    refuse("listen: &x a:1\naddresses: [*x]\n",
           "2:13: aliases (*name) are not used here; write it out");
    refuse("listen: a:1\nlog_level: \xff\n",
           "2:12: a byte that is not UTF-8 or not allowed in YAML");
    refuse("listen: \"a\\0b\"\n", "1:9: the text has a line break or control character");
    refuse("{[a]: b}\n", "1:2: a key must be a single word");
    refuse("[[[[[[[[[[[[[[[[[[[[[[\n", "1:17: nested too deeply");
}

static void test_too_large(void **state)
{
    (void)state;
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    for (int i = 0; i <= CONFIG_FILE_MAX_BYTES / 64; i++) {
        (void)fprintf(file, "#%062d\n", 0);
    }
    assert_int_equal(fclose(file), 0);
    struct config_node config;
    struct errmsg msg = {""};
    assert_int_equal(config_node_load(path, &config, &msg), ERR_INVALID);
    assert_non_null(strstr(msg.text, "larger than 4 MiB"));
}

static void test_addresses(void **state)
{
    (void)state;
    char host[ADDRESS_MAX_BYTES + 1];
    int port;
    assert_int_equal(address_parse("host.example:7800", host, &port, NULL), ERR_OK);
    assert_string_equal(host, "host.example");
    assert_int_equal(port, 7800);
    assert_int_equal(address_parse("[2001:db8::1]:65535", host, &port, NULL), ERR_OK);
    assert_string_equal(host, "2001:db8::1");
    assert_int_equal(port, 65535);
    static const char *const WRONG[] = {"",        "host",   "host:",   ":80",   "host:80a",
                                        "h:-1",    "::1:80", "[::1]80", "[]:80", "[::1:80",
                                        "h:65536", "h h:80", "h\n:80",  "h]:80", "h:123456"};
    for (size_t i = 0; i < sizeof WRONG / sizeof *WRONG; i++) {
        struct errmsg msg = {""};
        assert_int_equal(address_parse(WRONG[i], host, &port, &msg), ERR_USAGE);
        assert_non_null(strstr(msg.text, "HOST:PORT"));
    }
    char longest[ADDRESS_MAX_BYTES + 8];
    memset(longest, 'h', sizeof longest);
    (void)snprintf(longest + sizeof longest - 4, 4, ":80");
    assert_int_equal(address_parse(longest, host, &port, NULL), ERR_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_fields),         cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_saved_is_read_back), cmocka_unit_test(test_cannot_be_written),
        cmocka_unit_test(test_not_there),          cmocka_unit_test(test_complaints),
        cmocka_unit_test(test_yaml_complaints),    cmocka_unit_test(test_too_large),
        cmocka_unit_test(test_addresses),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

/* layer: base */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { PATH_BYTES = 128, LARGE_BYTES = 100 * 1024 };

static char folder[32];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(folder, sizeof folder, "/tmp/tally-file-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static void path_of(const char *name, char out[PATH_BYTES])
{
    (void)snprintf(out, PATH_BYTES, "%s/%s", folder, name);
}

static int tear_down(void **state)
{
    (void)state;
    static const char *const NAMES[] = {"a", "a.new", "link", "target", "sub/a", "sub/a.new"};
    char path[PATH_BYTES];
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        path_of(NAMES[i], path);
        (void)unlink(path);
    }
    path_of("sub", path);
    (void)rmdir(path);
    path_of("a", path);
    (void)rmdir(path);
    return rmdir(folder);
}

static bool exists(const char *name)
{
    struct stat info;
    char path[PATH_BYTES];
    path_of(name, path);
    return lstat(path, &info) == 0;
}

static void put(const char *path, const char *text, unsigned mode)
{
    struct bytes content = {(const uint8_t *)text, strlen(text)};
    struct errmsg msg = {{0}};
    enum err err = file_write(path, content, mode, &msg);
    assert_string_equal(msg.text, "");
    assert_int_equal(err, ERR_OK);
}

static void assert_content(const char *path, const char *want)
{
    struct buf buf;
    buf_init(&buf, 1000);
    assert_int_equal(file_read(path, &buf, NULL), ERR_OK);
    buf_put_u8(&buf, 0);
    assert_string_equal((const char *)buf.data, want);
    buf_deinit(&buf);
}

static void test_write(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct stat info;
    mode_t before = umask(077);
    path_of("a", path);
    put(path, "one", 0640);
    (void)umask(before);
    assert_content(path, "one");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0640); /* whatever the umask was */
    put(path, "", 0600);
    assert_content(path, "");
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_false(exists("a.new"));
}

/* A new file takes the old one's place: who has the old one open goes on reading it whole, and what
 * a crash left beside it is written over. */
static void test_replace(void **state)
{
    (void)state;
    char path[PATH_BYTES], left[PATH_BYTES], seen[8] = "";
    path_of("a", path);
    path_of("a.new", left);
    put(path, "old", 0600);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    put(left, "half of something longer", 0600);
    put(path, "new", 0600);
    assert_int_equal(read(fd, seen, sizeof seen), 3);
    assert_memory_equal(seen, "old", 3);
    (void)close(fd);
    assert_content(path, "new");
    assert_false(exists("a.new"));
}

/* A failure leaves the old content, and nothing beside it. */
static void test_failed_write(void **state)
{
    (void)state;
    char path[PATH_BYTES], in[PATH_BYTES];
    struct errmsg msg = {{0}};
    struct bytes content = {(const uint8_t *)"x", 1};
    path_of("a", path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_int_equal(file_write(path, content, 0600, &msg), ERR_IO);
    assert_non_null(strstr(msg.text, path));
    assert_false(exists("a.new"));
    path_of("none/a", in);
    assert_int_equal(file_write(in, content, 0600, &msg), ERR_IO);
    char *far = malloc(5001);
    memset(far, 'd', 5000);
    far[5000] = '\0';
    assert_int_equal(file_write(far, content, 0600, &msg), ERR_LIMIT);
    free(far);
}

/* A link that somebody laid in the way is not followed. */
static void test_link(void **state)
{
    (void)state;
    char path[PATH_BYTES], left[PATH_BYTES], target[PATH_BYTES];
    struct bytes content = {(const uint8_t *)"x", 1};
    path_of("a", path);
    path_of("a.new", left);
    path_of("target", target);
    put(target, "kept", 0600);
    assert_int_equal(symlink(target, left), 0);
    assert_int_equal(file_write(path, content, 0600, NULL), ERR_IO);
    assert_content(target, "kept");
    assert_false(exists("a"));
}

/* The limit holds to the byte, over several reads too. */
static void test_read_limit(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    char *large = malloc(LARGE_BYTES + 1);
    struct errmsg msg = {{0}};
    memset(large, 'z', LARGE_BYTES);
    large[LARGE_BYTES] = '\0';
    path_of("a", path);
    put(path, large, 0600);
    static const size_t SPARE[] = {0, 1, LARGE_BYTES};
    for (size_t i = 0; i < 3; i++) {
        struct buf buf;
        buf_init(&buf, LARGE_BYTES + SPARE[i]);
        assert_int_equal(file_read(path, &buf, &msg), ERR_OK);
        assert_int_equal(buf.len, LARGE_BYTES);
        assert_memory_equal(buf.data, large, LARGE_BYTES);
        buf_deinit(&buf);
    }
    static const size_t LESS[] = {1, LARGE_BYTES - 1, LARGE_BYTES};
    for (size_t i = 0; i < 3; i++) {
        struct buf buf;
        buf_init(&buf, LARGE_BYTES - LESS[i]);
        assert_int_equal(file_read(path, &buf, &msg), ERR_LIMIT);
        assert_non_null(strstr(msg.text, path));
        buf_deinit(&buf);
    }
    free(large);
}

/* What is read goes behind what the buffer has, and the limit is for both. */
static void test_append(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct buf buf;
    path_of("a", path);
    put(path, "tail", 0600);
    buf_init(&buf, 8);
    buf_put(&buf, "head", 4);
    assert_int_equal(file_read(path, &buf, NULL), ERR_OK);
    assert_memory_equal(buf.data, "headtail", 8);
    assert_int_equal(file_read(path, &buf, NULL), ERR_LIMIT);
    buf_deinit(&buf);
}

static void test_no_file(void **state)
{
    (void)state;
    char path[PATH_BYTES];
    struct buf buf;
    struct errmsg msg = {{0}};
    buf_init(&buf, 100);
    path_of("none", path);
    assert_int_equal(file_read(path, &buf, &msg), ERR_NOT_FOUND);
    assert_non_null(strstr(msg.text, path));
    assert_int_equal(file_read(folder, &buf, &msg), ERR_IO);
    assert_int_equal(file_read_open(-1, "standard input", &buf, &msg), ERR_IO);
    assert_non_null(strstr(msg.text, "standard input"));
    assert_int_equal(buf.len, 0);
    buf_deinit(&buf);
}

#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {IN_FOLDER(test_write),        IN_FOLDER(test_replace),
                                       IN_FOLDER(test_failed_write), IN_FOLDER(test_link),
                                       IN_FOLDER(test_read_limit),   IN_FOLDER(test_append),
                                       IN_FOLDER(test_no_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

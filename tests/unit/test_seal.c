/* layer: pki */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <openssl/crypto.h>

#include "seal_world.h"

static struct seal_world world;

/* ---- an allocator of the library that can be told to fail ---- */

static long allocations_left = -1; /* before the one that fails; -1: none does */

static bool fails_now(void)
{
    if (allocations_left < 0) {
        return false;
    }
    return allocations_left-- == 0;
}

static void *on_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : malloc(len);
}

static void *on_realloc(void *at, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return fails_now() ? NULL : realloc(at, len);
}

static void on_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

static int set_up(void **state)
{
    (void)state;
    seal_world_begin(&world);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    seal_world_end(&world);
    return 0;
}

/* ---- writing ---- */

/* A file of messages of these lengths; `want` gets what a sink will get. */
static enum err write_file(const size_t *lengths, size_t count, struct buf *file, struct buf *want)
{
    struct hash recipient = pki_key_public(world.recipient);
    struct seal_writer *writer;
    struct buf message;
    TRY(seal_writer_new(&recipient, world.sender, buf_bytes(&world.chain), &writer, file, NULL));
    buf_init(&message, SEAL_MESSAGE_MAX_BYTES);
    enum err err = ERR_OK;
    for (size_t i = 0; err == ERR_OK && i < count; i++) {
        size_t before = file->len;
        buf_clear(&message);
        put_pattern(&message, lengths[i]);
        buf_put_blob(want, message.data, message.len);
        err = seal_write(writer, buf_bytes(&message), file, NULL);
        seal_must(file->len - before <= SEAL_READY_MAX_BYTES);
    }
    err = err == ERR_OK ? seal_write_end(writer, file, NULL) : err;
    seal_writer_free(writer);
    buf_deinit(&message);
    return err;
}

static void begin_file(struct buf *file, struct buf *want)
{
    buf_init(file, FILE_MAX_BYTES);
    buf_init(want, FILE_MAX_BYTES);
}

static void end_file(struct buf *file, struct buf *want)
{
    buf_deinit(file);
    buf_deinit(want);
}

/* Written, and read back in parts of these sizes; 0 ends them and stands for random sizes. */
static void back(const size_t *lengths, size_t count, const size_t *steps)
{
    struct buf file, want, got;
    struct errmsg msg = {{0}};
    begin_file(&file, &want);
    buf_init(&got, FILE_MAX_BYTES);
    assert_int_equal(write_file(lengths, count, &file, &want), ERR_OK);
    for (bool more = true; more; steps++) {
        more = *steps != 0;
        buf_clear(&got);
        enum err err = read_file(&world, world.recipient, buf_bytes(&file), *steps, &got, &msg);
        assert_string_equal(msg.text, "");
        assert_int_equal(err, ERR_OK);
        assert_int_equal(got.len, want.len);
        assert_true(want.len == 0 || memcmp(got.data, want.data, want.len) == 0);
    }
    assert_int_equal(read_file(&world, world.recipient, buf_bytes(&file), 4096, NULL, &msg),
                     ERR_OK);
    end_file(&file, &want);
    buf_deinit(&got);
}

static void test_back(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {1, 65535, 65536, 65537, SEAL_MESSAGE_MAX_BYTES};
    static const size_t BYTE[] = {1, 3, 0}, LARGE[] = {SEAL_CHUNK_BYTES, FILE_MAX_BYTES, 0};
    back(NULL, 0, BYTE);
    back(LENGTHS, 1, BYTE);
    for (size_t i = 0; i < 5; i++) {
        back(LENGTHS + i, 1, LARGE);
    }
    back(LENGTHS, 5, LARGE);
    back(LENGTHS, 3, BYTE);
}

/* Where the content fills its last chunk to the last byte, and lies around that. */
static void test_full_chunk(void **state)
{
    (void)state;
    static const size_t STEPS[] = {1000, SEAL_CHUNK_BYTES + SEAL_TAG_BYTES, 0};
    size_t beside = 4 + world.chain.len + 4 + 4 + SIGNATURE_BYTES;
    for (size_t chunks = 1; chunks < 3; chunks++) {
        for (size_t more = 0; more < 5; more++) {
            size_t length = chunks * SEAL_CHUNK_BYTES - beside + more - 2;
            back(&length, 1, STEPS);
        }
    }
}

/* The one-time key is another one every time, and with it all that follows. */
static void test_never_the_same(void **state)
{
    (void)state;
    static const size_t LENGTH = 100;
    struct buf a, b, want;
    begin_file(&a, &want);
    buf_init(&b, FILE_MAX_BYTES);
    assert_int_equal(write_file(&LENGTH, 1, &a, &want), ERR_OK);
    assert_int_equal(write_file(&LENGTH, 1, &b, &want), ERR_OK);
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, SEAL_HEADER_BYTES - HASH_BYTES);
    size_t same = 0;
    for (size_t i = SEAL_HEADER_BYTES - HASH_BYTES; i < a.len; i++) {
        same += a.data[i] == b.data[i];
    }
    assert_true(same < a.len / 16);
    end_file(&a, &want);
    buf_deinit(&b);
}

static void test_writer_refuses(void **state)
{
    (void)state;
    struct hash recipient = pki_key_public(world.recipient);
    struct buf sealed, large;
    struct seal_writer *writer = NULL;
    struct bytes none = {(const uint8_t *)"none", 4}, chain = buf_bytes(&world.chain);
    struct errmsg msg = {{0}};
    begin_file(&sealed, &large);
    put_pattern(&large, SEAL_MESSAGE_MAX_BYTES + 1);
    assert_int_equal(seal_writer_new(&recipient, world.sender, none, &writer, &sealed, &msg),
                     ERR_INVALID);
    struct bytes nothing = {NULL, 0};
    assert_int_equal(seal_writer_new(&recipient, world.sender, nothing, &writer, &sealed, &msg),
                     ERR_INVALID);
    assert_int_equal(seal_writer_new(&recipient, world.other, chain, &writer, &sealed, &msg),
                     ERR_INVALID); /* its key is another one */
    struct bytes longer = {large.data, PKI_FILE_MAX_BYTES + 1};
    assert_int_equal(seal_writer_new(&recipient, world.sender, longer, &writer, &sealed, &msg),
                     ERR_LIMIT);
    assert_true(writer == NULL && sealed.len == 0 && msg.text[0] != '\0');
    assert_int_equal(seal_writer_new(&recipient, world.sender, chain, &writer, &sealed, &msg),
                     ERR_OK);
    assert_int_equal(seal_write(writer, nothing, &sealed, &msg), ERR_INVALID);
    assert_int_equal(seal_write(writer, buf_bytes(&large), &sealed, &msg), ERR_LIMIT);
    assert_int_equal(seal_write(writer, none, &sealed, &msg), ERR_OK);
    assert_int_equal(seal_write_end(writer, &sealed, &msg), ERR_OK);
    seal_writer_free(writer);
    buf_clear(&large); /* what was refused is not in it */
    assert_int_equal(read_file(&world, world.recipient, buf_bytes(&sealed), 500, &large, &msg),
                     ERR_OK);
    assert_int_equal(large.len, 4 + none.len);
    seal_writer_free(NULL);
    seal_reader_free(NULL);
    end_file(&sealed, &large);
}

/* Without room for what is ready, a file is not made in part. */
static void test_no_room(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {SEAL_CHUNK_BYTES, 10};
    struct buf file, want;
    begin_file(&file, &want);
    assert_int_equal(write_file(LENGTHS, 2, &file, &want), ERR_OK);
    size_t whole = file.len;
    static const size_t SHORT[] = {1, 100, SEAL_CHUNK_BYTES + 20};
    for (size_t i = 0; i < 3; i++) {
        end_file(&file, &want);
        begin_file(&file, &want);
        file.max = whole - SHORT[i];
        assert_int_equal(write_file(LENGTHS, 2, &file, &want), ERR_NO_MEMORY);
    }
    end_file(&file, &want);
}

/* ---- files that were changed ---- */

static void assert_refused(struct bytes file, enum err want, const char *says)
{
    struct errmsg msg = {{0}};
    enum err err = read_file(&world, world.recipient, file, 333, NULL, &msg);
    if (err != want || strstr(msg.text, says) == NULL) {
        fail_msg("%s: %s", err_name(err), msg.text);
    }
}

static void test_flipped(void **state)
{
    (void)state;
    static const size_t LENGTH = 10;
    struct buf file, want;
    begin_file(&file, &want);
    assert_int_equal(write_file(&LENGTH, 1, &file, &want), ERR_OK);
    for (size_t bit = 0; bit < 8 * file.len; bit++) {
        struct errmsg msg = {{0}};
        buf_clear(&want);
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
        enum err err = read_file(&world, world.recipient, buf_bytes(&file), file.len, &want, &msg);
        bool newer = bit / 8 >= 8 && bit / 8 < 12 && bit != 8 * 11;
        enum err expected = newer ? ERR_NEWER : bit / 8 < 12 ? ERR_INVALID : ERR_AUTH;
        /* X25519 looks at 255 bits of the one-time key; the highest goes into the key as well. */
        if (err != expected || want.len > 0 || msg.text[0] == '\0') {
            fail_msg("bit %zu of byte %zu: %s", bit % 8, bit / 8, err_name(err));
        }
        file.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_int_equal(read_file(&world, world.recipient, buf_bytes(&file), 1, NULL, NULL), ERR_OK);
    end_file(&file, &want);
}

static void test_truncated(void **state)
{
    (void)state;
    static const size_t SMALL = 10, LARGE = 3 * SEAL_CHUNK_BYTES;
    static const size_t SEALED = SEAL_CHUNK_BYTES + SEAL_TAG_BYTES;
    struct buf file, want;
    begin_file(&file, &want);
    assert_int_equal(write_file(&SMALL, 1, &file, &want), ERR_OK);
    for (size_t len = 0; len < file.len; len++) {
        bool sure = len <= SEAL_HEADER_BYTES + SEAL_TAG_BYTES;
        assert_refused((struct bytes){file.data, len}, sure ? ERR_INVALID : ERR_AUTH,
                       "ends too early");
    }
    buf_clear(&file);
    assert_int_equal(write_file(&LARGE, 1, &file, &want), ERR_OK);
    for (size_t chunks = 1; chunks < 4; chunks++) { /* between two chunks, and beside that */
        size_t end = SEAL_HEADER_BYTES + chunks * SEALED;
        assert_refused((struct bytes){file.data, end}, ERR_INVALID, "ends too early: copy");
        assert_refused((struct bytes){file.data, end + 1}, ERR_INVALID, "ends too early: copy");
        assert_refused((struct bytes){file.data, end - 1}, ERR_AUTH, "ends too early: copy");
        assert_refused((struct bytes){file.data, end + 99}, ERR_AUTH, "ends too early: copy");
    }
    end_file(&file, &want);
}

/* Behind the last chunk, and behind one that is full. */
static void test_trailing(void **state)
{
    (void)state;
    size_t full = SEAL_CHUNK_BYTES - (4 + world.chain.len + 4 + 4 + SIGNATURE_BYTES);
    const size_t lengths[] = {10, full, 2 * SEAL_CHUNK_BYTES};
    for (size_t i = 0; i < 3; i++) {
        struct buf file, want;
        begin_file(&file, &want);
        assert_int_equal(write_file(&lengths[i], 1, &file, &want), ERR_OK);
        for (int more = 0; more < 40; more++) {
            buf_put_u8(&file, 0);
            assert_refused(buf_bytes(&file), ERR_AUTH, "was changed on the way");
        }
        end_file(&file, &want);
    }
}

static void test_wrong_recipient(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {10, 2 * SEAL_CHUNK_BYTES};
    for (size_t i = 0; i < 2; i++) {
        struct buf file, want;
        struct errmsg msg = {{0}};
        begin_file(&file, &want);
        assert_int_equal(write_file(&LENGTHS[i], 1, &file, &want), ERR_OK);
        buf_clear(&want);
        assert_int_equal(read_file(&world, world.other, buf_bytes(&file), 1000, &want, &msg),
                         ERR_AUTH);
        assert_non_null(strstr(msg.text, "not for this office, or was changed on the way"));
        assert_non_null(strstr(msg.text, "nothing of it was taken"));
        assert_int_equal(read_file(&world, world.sender, buf_bytes(&file), 1000, &want, NULL),
                         ERR_AUTH); /* nor for who made it */
        assert_int_equal(want.len, 0);
        end_file(&file, &want);
    }
}

/* A sink that does not want a message ends the reading with its own words. */
static enum err on_unwanted(void *ctx, struct bytes message, struct errmsg *msg)
{
    (void)message;
    ++*(int *)ctx;
    return err_fail(msg, ERR_DISK_FULL, "no room here");
}

static void test_sink_fails(void **state)
{
    (void)state;
    static const size_t LENGTHS[] = {SEAL_CHUNK_BYTES, 10, 10};
    struct buf file, want;
    struct seal_reader *reader;
    struct errmsg msg = {{0}};
    int calls = 0;
    begin_file(&file, &want);
    assert_int_equal(write_file(LENGTHS, 3, &file, &want), ERR_OK);
    assert_int_equal(seal_reader_new(world.recipient, on_unwanted, &calls, &reader, NULL), ERR_OK);
    struct hash sender = seal_reader_sender(reader), none = {{0}};
    assert_true(hash_equal(&sender, &none) && seal_reader_chain(reader).len == 0);
    enum err err = seal_read(reader, buf_bytes(&file), &msg);
    assert_int_equal(err, ERR_OK); /* the last chunk has its end */
    assert_int_equal(calls, 0);
    assert_int_equal(seal_read_end(reader, &msg), ERR_DISK_FULL);
    assert_string_equal(msg.text, "no room here");
    assert_int_equal(calls, 1);
    seal_reader_free(reader);
    end_file(&file, &want);
}

/* ---- memory ---- */

/* One try with the allocation `n` failing; the sizes of what is written are small, so that what is
 * read is allocations. */
static enum err with_failure(bool reading, long n, struct buf *file, struct buf *want)
{
    static const size_t LENGTHS[] = {100, 10};
    struct buf got;
    buf_init(&got, FILE_MAX_BYTES);
    if (!reading) {
        buf_clear(file);
        buf_clear(want);
    }
    allocations_left = n;
    enum err err = reading ? read_file(&world, world.recipient, buf_bytes(file), 5000, &got, NULL)
                           : write_file(LENGTHS, 2, file, want);
    if (err == ERR_OK && reading) {
        assert_int_equal(got.len, want->len);
        assert_memory_equal(got.data, want->data, want->len);
    }
    buf_deinit(&got);
    return err;
}

/* Wherever the library's memory ends, a good file is not called a bad one, and a reader that says
 * ERR_OK has all of it. The first and last allocations are tried one by one, and some between them;
 * all in the long form. */
static void test_memory(void **state)
{
    (void)state;
    static const long MANY = 1000000, EACH = 40, STRIDE = 17;
    const char *wish = getenv("TALLY_LONG");
    bool every = wish != NULL && strcmp(wish, "1") == 0;
    struct buf file, want;
    begin_file(&file, &want);
    for (int reading = 0; reading < 2; reading++) {
        long refused = 0;
        assert_int_equal(with_failure(reading, MANY, &file, &want), ERR_OK);
        long count = MANY - allocations_left;
        for (long n = 0; n < count; n++) {
            if (!every && n > EACH && n < count - EACH && n % STRIDE != 0) {
                continue;
            }
            enum err err = with_failure(reading, n, &file, &want);
            if (err != ERR_OK && err != ERR_NO_MEMORY) {
                fail_msg("allocation %ld of %s: %s", n, reading ? "reading" : "writing",
                         err_name(err));
            }
            refused += err != ERR_OK;
        }
        allocations_left = -1;
        assert_true(refused > 20);
        assert_int_equal(with_failure(reading, -1, &file, &want), ERR_OK);
    }
    end_file(&file, &want);
}

int main(void)
{
    seal_must(CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) == 1);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_back),
                                       cmocka_unit_test(test_full_chunk),
                                       cmocka_unit_test(test_never_the_same),
                                       cmocka_unit_test(test_writer_refuses),
                                       cmocka_unit_test(test_no_room),
                                       cmocka_unit_test(test_flipped),
                                       cmocka_unit_test(test_truncated),
                                       cmocka_unit_test(test_trailing),
                                       cmocka_unit_test(test_wrong_recipient),
                                       cmocka_unit_test(test_sink_fails),
                                       cmocka_unit_test(test_memory)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}

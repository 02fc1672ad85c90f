/* Writing: content is gathered in a chunk; a full one is encrypted when more content comes, since
 * only then it is known not to be the last. Reading: the file's bytes are gathered in the same way,
 * decrypted chunks go through the parser, and whole messages to the sink.
 *
 * Failures: a writer fails for lack of memory alone, and keeps that. A reader that has failed keeps
 * its error and its sentence, and says them again. */
#include "pki/seal.h"

#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "pki/internal.h"

enum { LENGTH_BYTES = 4, SEALED_CHUNK_BYTES = SEAL_CHUNK_BYTES + SEAL_TAG_BYTES };

static enum err no_memory(struct errmsg *msg)
{
    ERR_clear_error();
    return err_fail(msg, ERR_NO_MEMORY, "no memory");
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* ---- writing ---- */

struct seal_writer {
    const struct pki_key *key;
    struct seal_box box;
    bool failed; /* for lack of memory */
    bool ended;
    size_t held;
    uint8_t plain[SEAL_CHUNK_BYTES];
};

static void flush(struct seal_writer *writer, bool last, struct buf *sealed)
{
    uint8_t *out = buf_extend(sealed, writer->held + SEAL_TAG_BYTES);
    writer->failed =
        out == NULL || !seal_box_close(&writer->box, writer->plain, writer->held, last, out);
    writer->held = 0;
}

static void put(struct seal_writer *writer, const void *data, size_t len, struct buf *sealed)
{
    const uint8_t *at = data;
    while (len > 0 && !writer->failed) {
        if (writer->held == SEAL_CHUNK_BYTES) {
            flush(writer, false, sealed);
        }
        size_t n = smaller(len, SEAL_CHUNK_BYTES - writer->held);
        memcpy(writer->plain + writer->held, at, n);
        writer->held += n;
        at += n;
        len -= n;
    }
}

/* A length and as many bytes, which the signature covers. */
static void put_item(struct seal_writer *writer, struct bytes item, struct buf *sealed)
{
    const uint8_t length[LENGTH_BYTES] = {(uint8_t)(item.len >> 24), (uint8_t)(item.len >> 16),
                                          (uint8_t)(item.len >> 8), (uint8_t)item.len};
    writer->failed =
        writer->failed || EVP_DigestUpdate(writer->box.digest, length, sizeof length) != 1 ||
        (item.len > 0 && EVP_DigestUpdate(writer->box.digest, item.data, item.len) != 1);
    put(writer, length, sizeof length, sealed);
    put(writer, item.data, item.len, sealed);
}

static enum err check_chain(const struct pki_key *key, struct bytes chain, struct errmsg *msg)
{
    struct hash shown;
    struct hash own = pki_key_public(key);
    if (chain.len > PKI_FILE_MAX_BYTES) {
        return err_fail(msg, ERR_LIMIT, "the chain of certificates has more than %d bytes",
                        PKI_FILE_MAX_BYTES);
    }
    TRY(pki_chain_key(chain, &shown, msg));
    return hash_equal(&shown, &own)
               ? ERR_OK
               : err_fail(msg, ERR_INVALID, "the first certificate is not that of the node's key");
}

enum err seal_writer_new(const struct hash *recipient, const struct pki_key *key,
                         struct bytes chain, struct seal_writer **out, struct buf *sealed,
                         struct errmsg *msg)
{
    uint8_t header[SEAL_HEADER_BYTES];
    struct hash content_key;
    TRY(check_chain(key, chain, msg));
    enum err err = seal_key_make(recipient, header, &content_key);
    if (err == ERR_INVALID) {
        return err_fail(msg, err, "nothing can be encrypted to the recipient's key");
    }
    struct seal_writer *writer = err == ERR_OK ? calloc(1, sizeof *writer) : NULL;
    bool good =
        writer != NULL && seal_box_init(&writer->box, true, &content_key, header, recipient);
    OPENSSL_cleanse(&content_key, sizeof content_key);
    if (good) {
        writer->key = key;
        buf_put(sealed, header, sizeof header);
        put_item(writer, chain, sealed);
    }
    if (!good || writer->failed || sealed->failed) {
        seal_writer_free(writer);
        return no_memory(msg);
    }
    *out = writer;
    return ERR_OK;
}

enum err seal_write(struct seal_writer *writer, struct bytes message, struct buf *sealed,
                    struct errmsg *msg)
{
    REQUIRE(!writer->ended);
    if (message.len == 0) {
        return err_fail(msg, ERR_INVALID, "a message in a sealed file is not empty");
    }
    if (message.len > SEAL_MESSAGE_MAX_BYTES) {
        return err_fail(msg, ERR_LIMIT, "a message in a sealed file has at most %d bytes",
                        SEAL_MESSAGE_MAX_BYTES);
    }
    put_item(writer, message, sealed);
    return writer->failed ? no_memory(msg) : ERR_OK;
}

enum err seal_write_end(struct seal_writer *writer, struct buf *sealed, struct errmsg *msg)
{
    uint8_t text[SEAL_SIGNED_BYTES];
    struct signature signature;
    REQUIRE(!writer->ended);
    writer->ended = true;
    put_item(writer, (struct bytes){NULL, 0}, sealed);
    writer->failed = writer->failed || !seal_box_signed(&writer->box, text) ||
                     pki_sign(writer->key, text, sizeof text, &signature) != ERR_OK;
    if (!writer->failed) {
        put(writer, signature.b, sizeof signature.b, sealed);
    }
    if (!writer->failed) {
        flush(writer, true, sealed);
    }
    return writer->failed ? no_memory(msg) : ERR_OK;
}

void seal_writer_free(struct seal_writer *writer)
{
    if (writer != NULL) {
        seal_box_deinit(&writer->box);
        free(writer);
    }
}

/* ---- reading ---- */

/* What of the content comes next. */
enum part {
    PART_CHAIN_LENGTH,
    PART_CHAIN,
    PART_LENGTH,
    PART_MESSAGE,
    PART_SIGNATURE,
    PART_NOTHING
};

struct seal_reader {
    const struct pki_key *key;
    seal_sink_fn sink;
    void *ctx;
    enum err err; /* and its sentence: why the reading has ended */
    struct errmsg said;
    bool ended;
    struct seal_box box;
    struct hash sender;
    struct buf chain;
    enum part part;
    size_t need;     /* how long that part is */
    struct buf item; /* what is there of it */
    size_t header_held;
    uint8_t header[SEAL_HEADER_BYTES];
    size_t held;
    uint8_t sealed[SEALED_CHUNK_BYTES];
    uint8_t plain[SEAL_CHUNK_BYTES];
};

static void expect(struct seal_reader *reader, enum part part, size_t need)
{
    reader->part = part;
    reader->need = need;
    buf_clear(&reader->item);
}

enum err seal_reader_new(const struct pki_key *key, seal_sink_fn sink, void *ctx,
                         struct seal_reader **out, struct errmsg *msg)
{
    struct seal_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL) {
        return no_memory(msg);
    }
    reader->key = key;
    reader->sink = sink;
    reader->ctx = ctx;
    buf_init(&reader->chain, PKI_FILE_MAX_BYTES);
    buf_init(&reader->item, SEAL_MESSAGE_MAX_BYTES);
    expect(reader, PART_CHAIN_LENGTH, LENGTH_BYTES);
    *out = reader;
    return ERR_OK;
}

void seal_reader_free(struct seal_reader *reader)
{
    if (reader != NULL) {
        seal_box_deinit(&reader->box);
        buf_deinit(&reader->chain);
        buf_deinit(&reader->item);
        free(reader);
    }
}

struct bytes seal_reader_chain(const struct seal_reader *reader)
{
    return buf_bytes(&reader->chain);
}

struct hash seal_reader_sender(const struct seal_reader *reader)
{
    return reader->sender;
}

static enum err fail_early(struct errmsg *msg)
{
    return err_fail(msg, ERR_INVALID, "this file ends too early: copy it again");
}

static enum err fail_form(struct errmsg *msg, const char *what)
{
    return err_fail(msg, ERR_INVALID,
                    "this file is for this office and was made wrongly (%s):"
                    " have it made again",
                    what);
}

static enum err fail_long(struct errmsg *msg, const char *what, size_t is, int most)
{
    return err_fail(msg, ERR_LIMIT,
                    "this file has %s of %zu bytes, and there are at most %d:"
                    " have it made again",
                    what, is, most);
}

/* The first chunk does not come out for anybody but the recipient, whoever is to blame; one that is
 * short may have been longer. */
static enum err fail_chunk(const struct seal_reader *reader, bool last, struct errmsg *msg)
{
    static const char *const FIRST[] = {
        "this file is not for this office, or was changed on the way; nothing of it was taken",
        "this file is not for this office, or was changed on the way or ends too early: copy it"
        " again; nothing of it was taken"};
    static const char *const LATER[] = {
        "this file was changed on the way: copy it again",
        "this file was changed on the way or ends too early: copy it again"};
    return err_fail(msg, ERR_AUTH, "%s", (reader->box.number == 0 ? FIRST : LATER)[last ? 1 : 0]);
}

/* The header is whole. */
static enum err begin_content(struct seal_reader *reader, struct errmsg *msg)
{
    struct hash content_key;
    struct hash own = pki_key_public(reader->key);
    struct cur cur = cur_over(reader->header + SEAL_MAGIC_BYTES, LENGTH_BYTES);
    uint32_t version = cur_u32(&cur);
    if (memcmp(reader->header, SEAL_MAGIC, SEAL_MAGIC_BYTES) != 0 || version == 0) {
        return err_fail(msg, ERR_INVALID, "this is no file that one office made for another");
    }
    if (version != SEAL_VERSION) {
        return err_fail(msg, ERR_NEWER,
                        "this file is of version %u, and this release reads version %d: install a"
                        " newer one",
                        version, SEAL_VERSION);
    }
    enum err err = seal_key_find(reader->key, reader->header, &content_key);
    if (err == ERR_OK && !seal_box_init(&reader->box, false, &content_key, reader->header, &own)) {
        err = ERR_NO_MEMORY;
    }
    OPENSSL_cleanse(&content_key, sizeof content_key);
    return err == ERR_OK     ? ERR_OK
           : err == ERR_AUTH ? fail_chunk(reader, false, msg)
                             : no_memory(msg);
}

/* What a length makes come next. */
static enum err take_length(struct seal_reader *reader, struct errmsg *msg)
{
    struct cur cur = cur_over(reader->item.data, LENGTH_BYTES);
    size_t len = cur_u32(&cur);
    if (reader->part == PART_CHAIN_LENGTH) {
        if (len == 0) {
            return fail_form(msg, "the sender's certificates are not in it");
        }
        if (len > PKI_FILE_MAX_BYTES) {
            return fail_long(msg, "a chain of certificates", len, PKI_FILE_MAX_BYTES);
        }
        expect(reader, PART_CHAIN, len);
    } else if (len == 0) {
        expect(reader, PART_SIGNATURE, SIGNATURE_BYTES);
    } else if (len > SEAL_MESSAGE_MAX_BYTES) {
        return fail_long(msg, "a message", len, SEAL_MESSAGE_MAX_BYTES);
    } else {
        expect(reader, PART_MESSAGE, len);
    }
    return ERR_OK;
}

static enum err take_chain(struct seal_reader *reader, struct errmsg *msg)
{
    buf_put(&reader->chain, reader->item.data, reader->item.len);
    enum err err = reader->chain.failed
                       ? ERR_NO_MEMORY
                       : pki_chain_key(buf_bytes(&reader->chain), &reader->sender, NULL);
    if (err != ERR_OK) {
        return err == ERR_NO_MEMORY
                   ? no_memory(msg)
                   : fail_form(msg, "what should be the sender's certificates are none");
    }
    expect(reader, PART_LENGTH, LENGTH_BYTES);
    return ERR_OK;
}

/* A part is whole. The signature stays where it is until the file has ended. */
static enum err take_part(struct seal_reader *reader, struct errmsg *msg)
{
    switch (reader->part) {
    case PART_CHAIN_LENGTH:
    case PART_LENGTH:
        return take_length(reader, msg);
    case PART_CHAIN:
        return take_chain(reader, msg);
    case PART_MESSAGE:
        if (reader->sink != NULL) {
            TRY(reader->sink(reader->ctx, buf_bytes(&reader->item), msg));
        }
        expect(reader, PART_LENGTH, LENGTH_BYTES);
        return ERR_OK;
    case PART_SIGNATURE:
        reader->part = PART_NOTHING;
        return ERR_OK;
    case PART_NOTHING:
        break;
    }
    return fail_form(msg, "it goes on after its end");
}

static enum err take_content(struct seal_reader *reader, size_t len, struct errmsg *msg)
{
    const uint8_t *at = reader->plain;
    while (len > 0) {
        if (reader->part == PART_NOTHING) {
            return take_part(reader, msg);
        }
        size_t n = smaller(len, reader->need - reader->item.len);
        buf_put(&reader->item, at, n);
        if (reader->item.failed ||
            (reader->part != PART_SIGNATURE && EVP_DigestUpdate(reader->box.digest, at, n) != 1)) {
            return no_memory(msg);
        }
        at += n;
        len -= n;
        if (reader->item.len == reader->need) {
            TRY(take_part(reader, msg));
        }
    }
    return ERR_OK;
}

/* What is held is a chunk. */
static enum err take_chunk(struct seal_reader *reader, bool last, struct errmsg *msg)
{
    size_t len = reader->held;
    reader->held = 0;
    enum err err = seal_box_open(&reader->box, reader->sealed, len, last, reader->plain);
    if (err == ERR_AUTH && last && len == SEALED_CHUNK_BYTES &&
        seal_box_open(&reader->box, reader->sealed, len, false, reader->plain) == ERR_OK) {
        return fail_early(msg); /* it was not the last one */
    }
    if (err != ERR_OK) {
        return err == ERR_AUTH ? fail_chunk(reader, last, msg) : no_memory(msg);
    }
    return take_content(reader, len - SEAL_TAG_BYTES, msg);
}

static enum err read_part(struct seal_reader *reader, struct bytes part, struct errmsg *msg)
{
    while (part.len > 0) {
        bool heading = reader->header_held < SEAL_HEADER_BYTES;
        size_t *held = heading ? &reader->header_held : &reader->held;
        size_t room = (heading ? SEAL_HEADER_BYTES : SEALED_CHUNK_BYTES) - *held;
        if (room == 0) {
            TRY(take_chunk(reader, false, msg));
            continue;
        }
        size_t n = smaller(part.len, room);
        memcpy((heading ? reader->header : reader->sealed) + *held, part.data, n);
        *held += n;
        part.data += n;
        part.len -= n;
        if (heading && n == room) {
            TRY(begin_content(reader, msg));
        }
    }
    return ERR_OK;
}

static enum err read_end(struct seal_reader *reader, struct errmsg *msg)
{
    uint8_t text[SEAL_SIGNED_BYTES];
    struct signature signature;
    if (memcmp(reader->header, SEAL_MAGIC, smaller(reader->header_held, SEAL_MAGIC_BYTES)) != 0) {
        return err_fail(msg, ERR_INVALID, "this is no file that one office made for another");
    }
    if (reader->held <= SEAL_TAG_BYTES) { /* no chunk is empty */
        return fail_early(msg);
    }
    TRY(take_chunk(reader, true, msg));
    if (reader->part != PART_NOTHING) {
        return fail_form(msg, "its end with the signature is missing");
    }
    if (!seal_box_signed(&reader->box, text)) {
        return no_memory(msg);
    }
    memcpy(signature.b, reader->item.data, SIGNATURE_BYTES);
    enum err err = pki_check(&reader->sender, text, sizeof text, &signature);
    return err == ERR_OK ? ERR_OK
           : err == ERR_AUTH
               ? err_fail(msg, err,
                          "this file is not signed by the node whose certificate is in it; do not"
                          " trust where it came from")
               : no_memory(msg);
}

/* How a call ends, and every one after it when it was no success. */
static enum err keep(struct seal_reader *reader, enum err err, struct errmsg *msg)
{
    reader->err = err;
    if (err != ERR_OK && msg != NULL) {
        *msg = reader->said;
    }
    return err;
}

enum err seal_read(struct seal_reader *reader, struct bytes part, struct errmsg *msg)
{
    REQUIRE(!reader->ended);
    enum err err = reader->err != ERR_OK ? reader->err : read_part(reader, part, &reader->said);
    return keep(reader, err, msg);
}

enum err seal_read_end(struct seal_reader *reader, struct errmsg *msg)
{
    REQUIRE(!reader->ended);
    reader->ended = true;
    enum err err = reader->err != ERR_OK ? reader->err : read_end(reader, &reader->said);
    return keep(reader, err, msg);
}

/* "tally1-" and the fields in Crockford's base 32: no letter that is mistaken for another, nothing
 * that a shell or a mail program would change. The last four bytes are the start of the SHA-256 of
 * the others. */
#include "proto/token.h"

#include <string.h>

#include "base/bytes.h"
#include "base/sha256.h"

static const char PREFIX[] = "tally1-";
static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { RAW_MAX_BYTES = 1200, SUM_BYTES = 4 };

enum err token_format(const struct token *token, char out[TOKEN_MAX_BYTES])
{
    struct buf raw;
    buf_init(&raw, RAW_MAX_BYTES);
    buf_put_id(&raw, &token->invite);
    buf_put(&raw, token->secret, SECRET_BYTES);
    buf_put_hash(&raw, &token->root);
    buf_put_id(&raw, &token->tree);
    buf_put_i64(&raw, token->expires.ms);
    buf_put_str(&raw, token->unit);
    buf_put_u8(&raw, (uint8_t)token->address_count);
    for (size_t i = 0; i < token->address_count; i++) {
        buf_put_str(&raw, token->addresses[i]);
    }
    struct hash sum = sha256(raw.data, raw.len);
    buf_put(&raw, sum.b, SUM_BYTES);
    bool fits = !raw.failed && sizeof PREFIX + (raw.len * 8 + 4) / 5 <= TOKEN_MAX_BYTES;
    if (fits) {
        char *at = out + sizeof PREFIX - 1;
        unsigned bits = 0;
        int have = 0;
        memcpy(out, PREFIX, sizeof PREFIX - 1);
        for (size_t i = 0; i < raw.len; i++) {
            bits = bits << 8 | raw.data[i];
            have += 8;
            for (; have >= 5; have -= 5) {
                *at++ = ALPHABET[bits >> (have - 5) & 31];
            }
            bits &= 31;
        }
        if (have > 0) {
            *at++ = ALPHABET[bits << (5 - have) & 31];
        }
        *at = '\0';
    }
    buf_deinit(&raw);
    return fits ? ERR_OK : ERR_LIMIT;
}

static bool letters_to_bytes(const char *text, struct buf *out)
{
    unsigned bits = 0;
    int have = 0;
    for (; *text != '\0'; text++) {
        char c = *text >= 'A' && *text <= 'Z' ? (char)(*text - 'A' + 'a') : *text;
        const char *at = strchr(ALPHABET, c);
        if (at == NULL) {
            return false;
        }
        bits = bits << 5 | (unsigned)(at - ALPHABET);
        have += 5;
        if (have >= 8) {
            have -= 8;
            buf_put_u8(out, (uint8_t)(bits >> have));
            bits &= (1u << have) - 1;
        }
    }
    /* What is left are the zeros that fill the last letter. */
    return !out->failed && have < 5 && bits == 0;
}

static bool take_text(struct cur *cur, char *out, size_t max_bytes)
{
    struct bytes text = cur_blob(cur);
    if (cur->failed || text.len == 0 || text.len > max_bytes ||
        memchr(text.data, 0, text.len) != NULL) {
        return false;
    }
    memcpy(out, text.data, text.len);
    out[text.len] = '\0';
    return true;
}

static bool take_fields(struct bytes raw, struct token *out)
{
    struct cur cur = cur_over(raw.data, raw.len);
    out->invite = cur_id(&cur);
    for (int i = 0; i < SECRET_BYTES; i++) {
        out->secret[i] = cur_u8(&cur);
    }
    out->root = cur_hash(&cur);
    out->tree = cur_id(&cur);
    out->expires.ms = cur_i64(&cur);
    bool good = take_text(&cur, out->unit, CODE_MAX_BYTES);
    out->address_count = cur_u8(&cur);
    good = good && out->address_count > 0 && out->address_count <= ADDRESSES_MAX;
    for (size_t i = 0; good && i < out->address_count; i++) {
        good = take_text(&cur, out->addresses[i], ADDRESS_MAX_BYTES);
    }
    return good && cur_done(&cur);
}

enum err token_parse(const char *text, struct token *out, struct errmsg *msg)
{
    struct buf raw;
    struct token token = {.address_count = 0};
    bool good = strlen(text) < TOKEN_MAX_BYTES && strncmp(text, PREFIX, sizeof PREFIX - 1) == 0;
    buf_init(&raw, RAW_MAX_BYTES);
    good = good && letters_to_bytes(text + sizeof PREFIX - 1, &raw) && raw.len > SUM_BYTES;
    if (good) {
        struct hash sum = sha256(raw.data, raw.len - SUM_BYTES);
        good = memcmp(sum.b, raw.data + raw.len - SUM_BYTES, SUM_BYTES) == 0 &&
               take_fields((struct bytes){raw.data, raw.len - SUM_BYTES}, &token);
    }
    buf_deinit(&raw);
    if (!good) {
        return err_fail(msg, ERR_USAGE,
                        "this is no invitation: it starts with tally1- and must be copied whole; "
                        "print a new one with tally invite");
    }
    *out = token;
    return ERR_OK;
}

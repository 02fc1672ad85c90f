#include "proto/entry.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sha256.h"
#include "base/text.h"
#include "base/wide.h"

static const char ALPHABET[] = "0123456789abcdefghjkmnpqrstvwxyz";

enum { ID_LETTERS = 12, FORM_ENTRY = 1, FORM_OPENING = 1, FORM_LOST = 1 };

void entry_canonical(const struct entry *entry, struct buf *out)
{
    buf_put_u8(out, FORM_ENTRY);
    buf_put_u8(out, (uint8_t)entry->kind);
    buf_put_str(out, entry->unit);
    buf_put_str(out, entry->measure);
    buf_put_str(out, entry->category);
    buf_put_i64(out, entry->day);
    buf_put_i64(out, entry->value);
    buf_put_i64(out, entry->hosting);
    buf_put_id(out, &entry->refers_segment);
    buf_put_u64(out, entry->refers_seq);
    buf_put_str(out, entry->key);
    buf_put_str(out, entry->note);
    buf_put_str(out, entry->author);
    buf_put_i64(out, entry->recorded_at.ms);
    buf_put_blob(out, entry->act.data, entry->act.len);
}

struct hash entry_hash(const struct hash *before, const struct entry *entry, struct buf *scratch)
{
    buf_clear(scratch);
    entry_canonical(entry, scratch);
    return sha256_chain(before, scratch->data, scratch->len);
}

struct hash opening_hash(const struct opening *opening, struct buf *scratch)
{
    buf_clear(scratch);
    buf_put_u8(scratch, FORM_OPENING);
    buf_put_id(scratch, &opening->origin);
    buf_put_id(scratch, &opening->segment);
    buf_put_u32(scratch, (uint32_t)opening->continue_count);
    for (size_t i = 0; i < opening->continue_count; i++) {
        buf_put_id(scratch, &opening->continues[i].segment);
        buf_put_u64(scratch, opening->continues[i].length);
        buf_put_hash(scratch, &opening->continues[i].hash);
    }
    return sha256(scratch->data, scratch->len);
}

void entry_lost_encode(const struct entry_lost *lost, struct buf *out)
{
    buf_put_u8(out, FORM_LOST);
    buf_put_i64(out, lost->period);
    buf_put_i64(out, lost->count);
    buf_put_i64(out, lost->live);
    buf_put_i64(out, lost->above);
}

enum err entry_lost_decode(struct bytes bytes, struct entry_lost *out)
{
    struct cur cur = cur_over(bytes.data, bytes.len);
    bool form = cur_u8(&cur) == FORM_LOST;
    out->period = cur_i32(&cur);
    out->count = cur_i64(&cur);
    out->live = cur_i64(&cur);
    out->above = cur_i64(&cur);
    bool good = form && cur_done(&cur) && out->count > 0 && out->count <= COUNT_MAX &&
                out->live >= 0 && out->live <= out->count && out->above > 0 &&
                out->above <= out->count;
    return good ? ERR_OK : ERR_INVALID;
}

static bool fits(const char *text, size_t max_bytes, bool lines)
{
    size_t len = strlen(text);
    return len <= max_bytes && text_is_clean(text, len, lines);
}

static enum err fact_check(const struct entry *entry, struct errmsg *msg)
{
    if (!text_is_code(entry->unit, CODE_MAX_BYTES) ||
        !text_is_code(entry->measure, CODE_MAX_BYTES)) {
        return err_fail(msg, ERR_INVALID, "an entry's unit or measure is not a code");
    }
    struct entry_lost lost = {.count = 1};
    if (entry->kind == ENTRY_LOST && entry_lost_decode(entry->act, &lost) != ERR_OK) {
        return err_fail(msg, ERR_INVALID, "an entry for lost ones does not say what they were");
    }
    wide bound = (wide)lost.count * VALUE_MAX;
    if (entry->value > bound || entry->value < -bound) {
        return err_fail(msg, ERR_INVALID, "an entry's value is out of range");
    }
    if (entry->day < DAY_MIN || entry->day > DAY_MAX) {
        return err_fail(msg, ERR_INVALID, "an entry's day is not in the calendar");
    }
    bool refers = entry->refers_seq != 0;
    if (entry->kind != ENTRY_LOST && refers != (entry->kind != ENTRY_RECORD)) {
        return err_fail(msg, ERR_INVALID,
                        "an entry refers to another where its kind does not, or the reverse");
    }
    bool lost_all = entry->kind != ENTRY_LOST || (entry->refers_seq <= (uint64_t)COUNT_MAX &&
                                                  id_is_zero(&entry->refers_segment));
    return lost_all && entry->hosting >= 0 && entry->hosting <= COUNT_MAX
               ? ERR_OK
               : err_fail(msg, ERR_INVALID,
                          "an entry's hosting number, or that of lost ones, is out of range");
}

enum err entry_check(const struct entry *entry, struct errmsg *msg)
{
    if (entry->kind < ENTRY_RECORD || entry->kind > ENTRY_LOST) {
        return err_fail(msg, ERR_INVALID, "an entry's kind is unknown");
    }
    bool texts = fits(entry->category, CATEGORY_MAX_BYTES, false) &&
                 fits(entry->key, KEY_MAX_BYTES, false) &&
                 fits(entry->note, NOTE_MAX_BYTES, true) &&
                 fits(entry->author, AUTHOR_MAX_BYTES, false);
    if (!texts) {
        return err_fail(msg, ERR_INVALID,
                        "an entry's text is too long, not UTF-8, or has control characters");
    }
    if (entry->kind == ENTRY_ACT) {
        return entry->act.len > 0 && fits(entry->unit, CODE_MAX_BYTES, false)
                   ? ERR_OK
                   : err_fail(msg, ERR_INVALID, "an act has no content");
    }
    return fact_check(entry, msg);
}

void entry_id_format(const struct id *segment, uint64_t seq, char out[ENTRY_ID_MAX_BYTES])
{
    uint64_t bits = 0;
    for (int i = 0; i < 8; i++) {
        bits = bits << 8 | segment->b[i];
    }
    for (int i = 0; i < ID_LETTERS; i++) {
        out[i] = ALPHABET[bits >> 59];
        bits <<= 5;
    }
    (void)snprintf(out + ID_LETTERS, ENTRY_ID_MAX_BYTES - ID_LETTERS, "-%" PRIu64, seq);
}

enum err entry_id_parse(const char *text, struct id *prefix, uint64_t *seq, struct errmsg *msg)
{
    uint64_t bits = 0;
    uint64_t number = 0;
    size_t len = strlen(text);
    bool shaped = len > ID_LETTERS + 1 && len <= ID_LETTERS + 14 && text[ID_LETTERS] == '-' &&
                  text[ID_LETTERS + 1] != '0';
    for (size_t i = 0; shaped && i < ID_LETTERS; i++) {
        char c = text[i] >= 'A' && text[i] <= 'Z' ? (char)(text[i] - 'A' + 'a') : text[i];
        c = c == 'o' ? '0' : c == 'i' || c == 'l' ? '1' : c; /* as Crockford reads them */
        const char *at = strchr(ALPHABET, c);
        shaped = at != NULL;
        bits = bits << 5 | (shaped ? (uint64_t)(at - ALPHABET) : 0);
    }
    for (size_t i = ID_LETTERS + 1; shaped && i < len; i++) {
        shaped = text[i] >= '0' && text[i] <= '9';
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    if (!shaped) {
        return err_fail(
            msg, ERR_USAGE,
            "\"%.40s\" is not an entry; entries look like 7hq2k9mzt4ab-153 (see tally log)", text);
    }
    bits <<= 4;
    *prefix = (struct id){{0}};
    for (int i = 7; i >= 0; i--) {
        prefix->b[i] = (uint8_t)bits;
        bits >>= 8;
    }
    *seq = number;
    return ERR_OK;
}

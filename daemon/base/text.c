#include "base/text.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* Bytes of the well-formed character at the start of `b`, or 0. */
static size_t utf8_length(const uint8_t *b, size_t len)
{
    if (b[0] < 0x80) {
        return 1;
    }
    size_t n = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    if (b[0] < 0xc2 || b[0] > 0xf4 || n > len) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((b[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (b[0] == 0xe0 && b[1] < 0xa0) || (b[0] == 0xf0 && b[1] < 0x90);
    bool outside = (b[0] == 0xed && b[1] > 0x9f) || (b[0] == 0xf4 && b[1] > 0x8f);
    return overlong || outside ? 0 : n;
}

/* The same, and 0 also for a control character. */
static size_t clean_length(const uint8_t *b, size_t len, bool lines)
{
    bool line_char = b[0] == '\t' || b[0] == '\r' || b[0] == '\n';
    bool control = (b[0] < ' ' && !(lines && line_char)) || b[0] == 0x7f;
    return control ? 0 : utf8_length(b, len);
}

bool text_is_clean(const char *text, size_t len, bool lines)
{
    const uint8_t *b = (const uint8_t *)text;
    size_t at = 0;
    while (at < len) {
        size_t n = clean_length(b + at, len - at, lines);
        if (n == 0) {
            return false;
        }
        at += n;
    }
    return true;
}

void text_mend(char *text)
{
    size_t len = strlen(text);
    size_t at = 0;
    while (at < len) {
        size_t n = clean_length((const uint8_t *)text + at, len - at, false);
        text[at] = n == 0 ? '?' : text[at];
        at += n == 0 ? 1 : n;
    }
}

bool text_is_code(const char *text, size_t max_bytes)
{
    size_t len = strlen(text);
    return len > 0 && len <= max_bytes && text_is_clean(text, len, false) &&
           strpbrk(text, " \"',/=|;") == NULL;
}

static int min3(int a, int b, int c)
{
    int least = a < b ? a : b;
    return least < c ? least : c;
}

int text_distance(const char *a, const char *b, int limit)
{
    enum { WORD_MAX = 64 };
    size_t n = strlen(a);
    size_t m = strlen(b);
    if (n > WORD_MAX || m > WORD_MAX) {
        return limit + 1;
    }
    int rows[3][WORD_MAX + 1];
    for (size_t j = 0; j <= m; j++) {
        rows[0][j] = (int)j;
    }
    for (size_t i = 1; i <= n; i++) {
        int *row = rows[i % 3];
        const int *up = rows[(i + 2) % 3];
        const int *up2 = rows[(i + 1) % 3];
        row[0] = (int)i;
        for (size_t j = 1; j <= m; j++) {
            row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
            bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && up2[j - 2] + 1 < row[j]) {
                row[j] = up2[j - 2] + 1;
            }
        }
    }
    int distance = rows[n % 3][m];
    return distance > limit ? limit + 1 : distance;
}

void nearest_init(struct nearest *nearest, const char *wanted)
{
    *nearest = (struct nearest){.wanted = wanted, .limit = 1 + (int)strlen(wanted) / 4};
}

void nearest_offer(struct nearest *nearest, const char *name)
{
    int distance = text_distance(nearest->wanted, name, nearest->limit);
    if (distance > nearest->limit || strlen(name) >= NEAREST_NAME_BYTES) {
        return;
    }
    size_t at = nearest->count;
    while (at > 0 && nearest->distance[at - 1] > distance) {
        at--;
    }
    if (at >= NEAREST_MAX) {
        return;
    }
    size_t last = nearest->count < NEAREST_MAX ? nearest->count++ : NEAREST_MAX - 1;
    for (size_t i = last; i > at; i--) {
        nearest->distance[i] = nearest->distance[i - 1];
        memcpy(nearest->name[i], nearest->name[i - 1], NEAREST_NAME_BYTES);
    }
    nearest->distance[at] = distance;
    (void)snprintf(nearest->name[at], NEAREST_NAME_BYTES, "%s", name);
}

void nearest_format(const struct nearest *nearest, char *out, size_t size)
{
    static const char *const JOIN[] = {"", " or ", ", "};
    size_t used = 0;
    out[0] = '\0';
    for (size_t i = 0; i < nearest->count && used < size; i++) {
        const char *before = i == 0 ? "; did you mean " : JOIN[nearest->count - i >= 2 ? 2 : 1];
        int n = snprintf(out + used, size - used, "%s%s%s", before, nearest->name[i],
                         i + 1 == nearest->count ? "?" : "");
        used += n < 0 ? 0 : (size_t)n;
    }
}

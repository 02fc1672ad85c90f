#include "client/refusals.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/client.h"
#include "client/outfile.h"

enum { ARENA_MAX_BYTES = 8 << 20 };

void refusals_init(struct refusals *refusals)
{
    refusals->kept_count = 0;
    refusals->total = 0;
    arena_init(&refusals->arena, ARENA_MAX_BYTES);
}

void refusals_deinit(struct refusals *refusals)
{
    arena_reset(&refusals->arena);
}

void refusals_add(struct refusals *refusals, uint32_t line, size_t column, const char *reason)
{
    refusals->total++;
    const char *copy =
        refusals->kept_count == REFUSALS_KEPT_MAX ? NULL : arena_str(&refusals->arena, reason);
    if (copy != NULL) {
        refusals->kept[refusals->kept_count++] =
            (struct refusal){.line = line, .column = (uint32_t)column, .reason = copy};
    }
}

void refusals_count(struct refusals *refusals, int64_t more)
{
    refusals->total += more;
}

static int compare(const void *a, const void *b)
{
    const struct refusal *left = a;
    const struct refusal *right = b;
    return (left->line > right->line) - (left->line < right->line);
}

static void sort(struct refusals *refusals)
{
    qsort(refusals->kept, refusals->kept_count, sizeof *refusals->kept, compare);
}

static void print_one(const struct refusal *at, const char *file, const char *separator,
                      const char *consequence)
{
    char column[16] = "";
    if (at->column != 0) {
        (void)snprintf(column, sizeof column, ":%u", at->column);
    }
    (void)client_fail(STATUS_REFUSED, "%s:%u%s: %s%s%s", file, at->line, column, at->reason,
                      separator, consequence);
}

void refusals_print(struct refusals *refusals, const char *file, const char *consequence)
{
    sort(refusals);
    if (refusals->total == 1 && refusals->kept_count == 1) {
        print_one(&refusals->kept[0], file, "; ", consequence);
        return;
    }
    size_t shown = 0;
    for (; shown < refusals->kept_count && shown < REFUSALS_SHOWN_MAX; shown++) {
        print_one(&refusals->kept[shown], file, "", "");
    }
    if (refusals->total > (int64_t)shown) {
        (void)client_fail(STATUS_REFUSED, "%s: and %" PRId64 " more rows are wrong", file,
                          refusals->total - (int64_t)shown);
    }
    (void)client_fail(STATUS_REFUSED, "%s: %s", file, consequence);
}

static void put_quoted(struct buf *out, const char *text)
{
    buf_put(out, "\"", 1);
    for (const char *at = text; *at != '\0'; at++) {
        buf_put(out, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    }
    buf_put(out, "\"\n", 2);
}

enum err refusals_write(struct refusals *refusals, const char *path, struct errmsg *msg)
{
    struct outfile file;
    struct buf text;
    enum err err;
    sort(refusals);
    buf_init(&text, 2 * ARENA_MAX_BYTES);
    buf_put(&text, "line,column,reason\n", 19);
    for (size_t i = 0; i < refusals->kept_count; i++) {
        const struct refusal *at = &refusals->kept[i];
        char place[48];
        int len = at->column == 0 ? snprintf(place, sizeof place, "%u,,", at->line)
                                  : snprintf(place, sizeof place, "%u,%u,", at->line, at->column);
        buf_put(&text, place, (size_t)len);
        put_quoted(&text, at->reason);
    }
    err = text.failed ? err_fail(msg, ERR_NO_MEMORY, "out of memory for %s", path)
                      : outfile_open(&file, path, "a list of wrong rows", msg);
    if (err == ERR_OK) {
        err = outfile_write(&file, buf_bytes(&text), msg);
        err = err == ERR_OK ? outfile_name(&file, msg) : err;
        outfile_close(&file);
    }
    buf_deinit(&text);
    return err;
}

json_t *refusals_json(struct refusals *refusals)
{
    json_t *list = json_array();
    sort(refusals);
    for (size_t i = 0; i < refusals->kept_count; i++) {
        const struct refusal *at = &refusals->kept[i];
        json_t *item = json_pack("{s:I, s:s}", "line", (json_int_t)at->line, "reason", at->reason);
        if (at->column != 0) {
            (void)json_object_set_new(item, "column", json_integer(at->column));
        }
        (void)json_array_append_new(list, item);
    }
    return list;
}

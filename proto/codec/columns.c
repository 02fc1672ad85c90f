#include "codec/columns.h"

#include <string.h>

#include "base/text.h"

enum { ACT_MAX_BYTES = 64 * 1024 };

static const int64_t RECORDED_MAX_MS = INT64_C(253402300799999); /* the end of 9999 */

/* ---- to the wire ---- */

/* A new column of `count` elements; the arena zeroes it. */
#define COLUMN(wire, name, count)                                                                  \
    ((wire)->n_##name = (count), (wire)->name = arena_array(arena, (count), sizeof *(wire)->name), \
     (wire)->name != NULL)

static enum err cells_to_wire(const struct msg_batch *batch, struct tables *tables,
                              struct arena *arena, Tally__Cells *wire)
{
    size_t n = batch->cell_count;
    bool stocks = false;
    for (size_t i = 0; i < n; i++) {
        stocks = stocks || batch->cells[i].hosting != 0 || batch->cells[i].day != 0;
    }
    size_t stock_n = stocks ? n : 0;
    if (!COLUMN(wire, origin, n) || !COLUMN(wire, unit, n) || !COLUMN(wire, measure, n) ||
        !COLUMN(wire, category, n) || !COLUMN(wire, period, n) || !COLUMN(wire, value, n) ||
        !COLUMN(wire, count, n) || !COLUMN(wire, live, n) || !COLUMN(wire, hosting, stock_n) ||
        !COLUMN(wire, day, stock_n)) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        const struct cell *cell = &batch->cells[i];
        TRY(tables_origin_number(tables, &cell->origin, &wire->origin[i]));
        TRY(tables_text_number(tables, cell->unit, &wire->unit[i]));
        TRY(tables_text_number(tables, cell->measure, &wire->measure[i]));
        TRY(tables_text_number(tables, cell->category, &wire->category[i]));
        wire->period[i] = cell->period;
        wire->value[i] = cell->value;
        wire->count[i] = (uint64_t)cell->count;
        wire->live[i] = (uint64_t)cell->live;
        if (stocks) {
            wire->hosting[i] = (uint64_t)cell->hosting;
            wire->day[i] = cell->day;
        }
    }
    return ERR_OK;
}

/* Consecutive numbers of one segment become one run. */
static enum err runs_to_wire(const struct msg_batch *batch, struct arena *arena,
                             Tally__Entries *wire)
{
    Tally__EntryRun *run = NULL;
    if (!COLUMN(wire, runs, batch->entry_count)) {
        return ERR_NO_MEMORY;
    }
    wire->n_runs = 0;
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct entry *entry = &batch->entries[i];
        if (run != NULL && entry->seq == run->first + run->count &&
            memcmp(run->segment.data, &entry->segment, sizeof entry->segment) == 0) {
            run->count++;
            continue;
        }
        run = arena_alloc(arena, sizeof *run);
        if (run == NULL) {
            return ERR_NO_MEMORY;
        }
        tally__entry_run__init(run);
        run->segment.len = sizeof entry->segment;
        run->segment.data = arena_copy(arena, &entry->segment, sizeof entry->segment);
        run->first = entry->seq;
        run->count = 1;
        if (run->segment.data == NULL) {
            return ERR_NO_MEMORY;
        }
        wire->runs[wire->n_runs++] = run;
    }
    return ERR_OK;
}

static enum err required_to_wire(const struct msg_batch *batch, struct tables *tables,
                                 struct arena *arena, Tally__Entries *wire)
{
    size_t n = batch->entry_count;
    if (!COLUMN(wire, kind, n) || !COLUMN(wire, unit, n) || !COLUMN(wire, measure, n) ||
        !COLUMN(wire, category, n) || !COLUMN(wire, day, n) || !COLUMN(wire, value, n) ||
        !COLUMN(wire, recorded_ms, n) || !COLUMN(wire, author, n)) {
        return ERR_NO_MEMORY;
    }
    int64_t before = 0;
    for (size_t i = 0; i < n; i++) {
        const struct entry *entry = &batch->entries[i];
        wire->kind[i] = (uint32_t)entry->kind;
        TRY(tables_text_number(tables, entry->unit, &wire->unit[i]));
        TRY(tables_text_number(tables, entry->measure, &wire->measure[i]));
        TRY(tables_text_number(tables, entry->category, &wire->category[i]));
        TRY(tables_text_number(tables, entry->author, &wire->author[i]));
        wire->day[i] = entry->day;
        wire->value[i] = entry->value;
        wire->recorded_ms[i] = entry->recorded_at.ms - before;
        before = entry->recorded_at.ms;
    }
    return ERR_OK;
}

/* Columns that many batches do not need at all. */
static enum err optional_to_wire(const struct msg_batch *batch, struct arena *arena,
                                 Tally__Entries *wire)
{
    bool hosting = false, key = false, note = false, refers = false, act = false;
    for (size_t i = 0; i < batch->entry_count; i++) {
        const struct entry *entry = &batch->entries[i];
        hosting = hosting || entry->hosting != 0;
        key = key || entry->key[0] != '\0';
        note = note || entry->note[0] != '\0';
        refers = refers || entry->refers_seq != 0;
        act = act || entry->act.len != 0;
    }
    size_t n = batch->entry_count;
    if (!COLUMN(wire, hosting, hosting ? n : 0) || !COLUMN(wire, key, key ? n : 0) ||
        !COLUMN(wire, note, note ? n : 0) || !COLUMN(wire, refers_segment, refers ? n : 0) ||
        !COLUMN(wire, refers_seq, refers ? n : 0) || !COLUMN(wire, act, act ? n : 0)) {
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < n; i++) {
        const struct entry *entry = &batch->entries[i];
        if (hosting) {
            wire->hosting[i] = (uint64_t)entry->hosting;
        }
        if (key) {
            memcpy(&wire->key[i], &entry->key, sizeof(char *));
        }
        if (note) {
            memcpy(&wire->note[i], &entry->note, sizeof(char *));
        }
        if (refers && entry->refers_seq != 0) {
            const void *segment = &entry->refers_segment;
            wire->refers_segment[i].len = sizeof entry->refers_segment;
            memcpy(&wire->refers_segment[i].data, &segment, sizeof segment);
            wire->refers_seq[i] = entry->refers_seq;
        }
        if (act) {
            wire->act[i].len = entry->act.len;
            memcpy(&wire->act[i].data, &entry->act.data, sizeof(void *));
        }
    }
    return ERR_OK;
}

enum err columns_to_wire(const struct msg_batch *batch, struct tables *tables, struct arena *arena,
                         Tally__Batch *wire)
{
    if (batch->cell_count > 0) {
        wire->cells = arena_alloc(arena, sizeof *wire->cells);
        if (wire->cells == NULL) {
            return ERR_NO_MEMORY;
        }
        tally__cells__init(wire->cells);
        TRY(cells_to_wire(batch, tables, arena, wire->cells));
    }
    if (batch->entry_count > 0) {
        wire->entries = arena_alloc(arena, sizeof *wire->entries);
        if (wire->entries == NULL) {
            return ERR_NO_MEMORY;
        }
        tally__entries__init(wire->entries);
        TRY(runs_to_wire(batch, arena, wire->entries));
        TRY(required_to_wire(batch, tables, arena, wire->entries));
        TRY(optional_to_wire(batch, arena, wire->entries));
    }
    return ERR_OK;
}

/* ---- from the wire ---- */

/* The texts of the table that this batch names, copied at the first use. */
struct names {
    const struct tables *tables;
    struct arena *arena;
    const char **copies;
    struct errmsg *msg;
};

static enum err name_of(struct names *names, uint32_t number, size_t max_bytes, const char **out)
{
    if (number == 0) {
        *out = "";
        return ERR_OK;
    }
    if (number > names->tables->text_count) {
        return err_fail(names->msg, ERR_PROTOCOL, "text %u was not announced", number);
    }
    const char *text = names->tables->texts[number - 1];
    if (strnlen(text, max_bytes + 1) > max_bytes) {
        return err_fail(names->msg, ERR_PROTOCOL, "text %u has more than %zu bytes where it stands",
                        number, max_bytes);
    }
    if (names->copies[number - 1] == NULL) {
        names->copies[number - 1] = arena_str(names->arena, text);
    }
    *out = names->copies[number - 1];
    return *out != NULL
               ? ERR_OK
               : err_fail(names->msg, ERR_NO_MEMORY, "a batch takes more memory than it may");
}

static enum err check_columns(const char *what, size_t n, const size_t *all, size_t all_count,
                              const size_t *optional, size_t optional_count, struct errmsg *msg)
{
    if (n > BATCH_ROWS_MAX) {
        return err_fail(msg, ERR_PROTOCOL, "%zu %s in a batch, more than %d", n, what,
                        BATCH_ROWS_MAX);
    }
    bool equal = true;
    for (size_t i = 0; i < all_count; i++) {
        equal = equal && all[i] == n;
    }
    for (size_t i = 0; i < optional_count; i++) {
        equal = equal && (optional[i] == n || optional[i] == 0);
    }
    return equal ? ERR_OK
                 : err_fail(msg, ERR_PROTOCOL, "the columns of the %s differ in length", what);
}

#define CHECK_COLUMNS(what, n, all, optional, msg)                      \
    check_columns(what, n, all, sizeof(all) / sizeof(all)[0], optional, \
                  sizeof(optional) / sizeof(optional)[0], msg)

static enum err count_from_wire(uint64_t wire, int64_t *out, struct errmsg *msg)
{
    if (wire > INT64_MAX) {
        return err_fail(msg, ERR_PROTOCOL, "a count beyond 63 bits");
    }
    *out = (int64_t)wire;
    return ERR_OK;
}

static enum err cell_from_wire(const Tally__Cells *wire, size_t i, struct names *names,
                               struct cell *cell)
{
    if (wire->origin[i] >= names->tables->origin_count) {
        return err_fail(names->msg, ERR_PROTOCOL, "origin %u was not announced", wire->origin[i]);
    }
    cell->origin = names->tables->origins[wire->origin[i]];
    TRY(name_of(names, wire->unit[i], CODE_MAX_BYTES, &cell->unit));
    TRY(name_of(names, wire->measure[i], CODE_MAX_BYTES, &cell->measure));
    TRY(name_of(names, wire->category[i], CATEGORY_MAX_BYTES, &cell->category));
    cell->period = wire->period[i];
    cell->value = wire->value[i];
    TRY(count_from_wire(wire->count[i], &cell->count, names->msg));
    TRY(count_from_wire(wire->live[i], &cell->live, names->msg));
    if (wire->n_hosting > 0) {
        TRY(count_from_wire(wire->hosting[i], &cell->hosting, names->msg));
    }
    if (wire->n_day > 0) {
        cell->day = wire->day[i];
    }
    return ERR_OK;
}

static enum err cells_from_wire(const Tally__Cells *wire, struct names *names,
                                struct msg_batch *batch)
{
    size_t n = wire->n_origin;
    const size_t all[] = {wire->n_unit,  wire->n_measure, wire->n_category, wire->n_period,
                          wire->n_value, wire->n_count,   wire->n_live};
    const size_t optional[] = {wire->n_hosting, wire->n_day};
    TRY(CHECK_COLUMNS("cells", n, all, optional, names->msg));
    struct cell *cells = arena_array(names->arena, n, sizeof *cells);
    if (cells == NULL) {
        return err_fail(names->msg, ERR_NO_MEMORY, "a batch takes more memory than it may");
    }
    for (size_t i = 0; i < n; i++) {
        TRY(cell_from_wire(wire, i, names, &cells[i]));
    }
    batch->cells = cells;
    batch->cell_count = n;
    return ERR_OK;
}

static enum err own_text(const char *text, size_t max_bytes, bool lines, const char *what,
                         const char **out, struct errmsg *msg)
{
    size_t len = strlen(text);
    if (len > max_bytes || !text_is_clean(text, len, lines)) {
        return err_fail(msg, ERR_PROTOCOL, "the %s of an entry is too long or not clean UTF-8 text",
                        what);
    }
    *out = text;
    return ERR_OK;
}

static enum err optional_from_wire(const Tally__Entries *wire, size_t i, struct entry *entry,
                                   struct errmsg *msg)
{
    entry->key = "";
    entry->note = "";
    if (wire->n_hosting > 0) {
        TRY(count_from_wire(wire->hosting[i], &entry->hosting, msg));
    }
    if (wire->n_key > 0) {
        TRY(own_text(wire->key[i], KEY_MAX_BYTES, false, "key", &entry->key, msg));
    }
    if (wire->n_note > 0) {
        TRY(own_text(wire->note[i], NOTE_MAX_BYTES, true, "note", &entry->note, msg));
    }
    if (wire->n_refers_seq > 0 && wire->n_refers_segment > 0) {
        size_t len = wire->refers_segment[i].len;
        if (len != 0 && len != sizeof entry->refers_segment) {
            return err_fail(msg, ERR_PROTOCOL, "the segment that an entry refers to has %zu bytes",
                            len);
        }
        if (len != 0) {
            memcpy(&entry->refers_segment, wire->refers_segment[i].data, len);
        }
        entry->refers_seq = wire->refers_seq[i];
    }
    if (wire->n_act > 0) {
        if (wire->act[i].len > ACT_MAX_BYTES) {
            return err_fail(msg, ERR_PROTOCOL, "an act of %zu bytes, more than %d",
                            wire->act[i].len, ACT_MAX_BYTES);
        }
        entry->act = (struct bytes){.data = wire->act[i].data, .len = wire->act[i].len};
    }
    return ERR_OK;
}

static enum err entry_from_wire(const Tally__Entries *wire, size_t i, struct names *names,
                                struct entry *entry)
{
    if (wire->kind[i] < ENTRY_RECORD || wire->kind[i] > ENTRY_LOST) {
        return err_fail(names->msg, ERR_PROTOCOL, "an entry of the unknown kind %u", wire->kind[i]);
    }
    entry->kind = (enum entry_kind)wire->kind[i];
    TRY(name_of(names, wire->unit[i], CODE_MAX_BYTES, &entry->unit));
    TRY(name_of(names, wire->measure[i], CODE_MAX_BYTES, &entry->measure));
    TRY(name_of(names, wire->category[i], CATEGORY_MAX_BYTES, &entry->category));
    TRY(name_of(names, wire->author[i], AUTHOR_MAX_BYTES, &entry->author));
    entry->day = wire->day[i];
    entry->value = wire->value[i];
    return optional_from_wire(wire, i, entry, names->msg);
}

/* Segments, numbers and times, which are told as differences. */
static enum err places_from_wire(const Tally__Entries *wire, struct entry *entries, size_t n,
                                 struct errmsg *msg)
{
    size_t at = 0;
    uint64_t ms = 0;
    for (size_t r = 0; r < wire->n_runs; r++) {
        const Tally__EntryRun *run = wire->runs[r];
        if (run->segment.len != ID_BYTES || run->first == 0 || run->first > COUNT_MAX ||
            run->count > n - at) {
            return err_fail(msg, ERR_PROTOCOL, "a run of entries that cannot be");
        }
        for (uint32_t i = 0; i < run->count; i++, at++) {
            memcpy(&entries[at].segment, run->segment.data, ID_BYTES);
            entries[at].seq = run->first + i;
            ms += (uint64_t)wire->recorded_ms[at];
            entries[at].recorded_at.ms = (int64_t)ms;
            if ((int64_t)ms < -RECORDED_MAX_MS || (int64_t)ms > RECORDED_MAX_MS) {
                return err_fail(msg, ERR_PROTOCOL, "an entry recorded at no time");
            }
        }
    }
    return at == n ? ERR_OK : err_fail(msg, ERR_PROTOCOL, "the runs do not cover the entries");
}

static enum err entries_from_wire(const Tally__Entries *wire, struct names *names,
                                  struct msg_batch *batch)
{
    size_t n = wire->n_kind;
    const size_t all[] = {wire->n_unit,  wire->n_measure, wire->n_category,   wire->n_day,
                          wire->n_value, wire->n_author,  wire->n_recorded_ms};
    const size_t optional[] = {wire->n_hosting,        wire->n_key,        wire->n_note,
                               wire->n_refers_segment, wire->n_refers_seq, wire->n_act};
    TRY(CHECK_COLUMNS("entries", n, all, optional, names->msg));
    struct entry *entries = arena_array(names->arena, n, sizeof *entries);
    if (entries == NULL) {
        return err_fail(names->msg, ERR_NO_MEMORY, "a batch takes more memory than it may");
    }
    for (size_t i = 0; i < n; i++) {
        TRY(entry_from_wire(wire, i, names, &entries[i]));
    }
    TRY(places_from_wire(wire, entries, n, names->msg));
    batch->entries = entries;
    batch->entry_count = n;
    return ERR_OK;
}

enum err columns_from_wire(const Tally__Batch *wire, const struct tables *tables,
                           struct arena *arena, struct msg_batch *batch, struct errmsg *msg)
{
    struct names names = {.tables = tables, .arena = arena, .msg = msg};
    names.copies = arena_array(arena, tables->text_count, sizeof *names.copies);
    if (names.copies == NULL) {
        return err_fail(msg, ERR_NO_MEMORY, "a batch takes more memory than it may");
    }
    if (wire->entries != NULL) {
        TRY(entries_from_wire(wire->entries, &names, batch));
    }
    if (wire->cells != NULL) {
        TRY(cells_from_wire(wire->cells, &names, batch));
    }
    return ERR_OK;
}

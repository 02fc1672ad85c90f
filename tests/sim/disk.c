/* layer: base */
/* Names of files, what becomes of operations, and what a power cut leaves.
 *
 * 1. An operation is met: counted, and given its fate (disk_meet). A healthy one goes well.
 * 2. The first sync of a file makes its name durable; that of a journal or WAL that was opened to
 * be made, and a deletion that asks for it, sync the folder: all changes of names so far.
 * 3. A restart gives every name new contents with the old bytes: what has the old ones open holds
 * nothing but itself. Then a power cut goes through names and changes in their order and decides.
 *
 * A stopped disk: the fate of everything is FATE_DEAD. All that is drawn comes from the disk's own
 * chance, and only where something can go two ways. */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/map.h"
#include "disk_internal.h"

static const char ROOT[] = "/sim/";

/* Name to disk. */
static struct map disks;

struct disk *disk_new(const char *name, uint64_t seed, bool keeps_history)
{
    size_t len = strlen(name);
    REQUIRE(len > 0 && len < DISK_NAME_BYTES && strchr(name, '/') == NULL);
    struct disk *disk = calloc(1, sizeof *disk);
    INSIST(disk != NULL);
    memcpy(disk->name, name, len);
    disk->chance.state = seed;
    disk->history = keeps_history;
    if (disks.key_size == 0) {
        map_init(&disks, DISK_NAME_BYTES, sizeof(struct disk *));
    }
    bool made = false;
    struct disk **place = map_put(&disks, disk->name, &made);
    INSIST(place != NULL);
    REQUIRE(made);
    *place = disk;
    return disk;
}

void disk_free(struct disk *disk)
{
    if (disk == NULL) {
        return;
    }
    map_remove(&disks, disk->name);
    if (disks.count == 0) {
        map_deinit(&disks);
    }
    for (size_t i = 0; i < disk->entry_count; i++) {
        disk_content_unref(disk->entries[i].content);
    }
    free(disk->entries);
    disk->entries = NULL;
    disk->entry_count = disk->entry_cap = 0;
    disk->freed = true;
    disk->stopped = true;
    disk->generation++;
    disk_let_go(disk);
}

void disk_let_go(struct disk *disk)
{
    if (disk->freed && disk->handles == 0) {
        free(disk);
    }
}

const char *disk_path(const struct disk *disk, const char *file, char out[DISK_PATH_BYTES])
{
    size_t root = sizeof ROOT - 1;
    size_t name = strlen(disk->name);
    size_t rest = strlen(file);
    REQUIRE(rest > 0 && rest < DISK_FILE_BYTES && strchr(file, '/') == NULL);
    memcpy(out, ROOT, root);
    memcpy(out + root, disk->name, name);
    out[root + name] = '/';
    memcpy(out + root + name + 1, file, rest + 1);
    return out;
}

struct disk *disk_of_path(const char *path, const char **file)
{
    char key[DISK_NAME_BYTES] = {0};
    if (disks.count == 0 || strncmp(path, ROOT, sizeof ROOT - 1) != 0) {
        return NULL;
    }
    path += sizeof ROOT - 1;
    const char *slash = strchr(path, '/');
    size_t len = slash == NULL ? 0 : (size_t)(slash - path);
    if (len == 0 || len >= sizeof key || slash[1] == '\0' || strchr(slash + 1, '/') != NULL ||
        strlen(slash + 1) >= DISK_FILE_BYTES) {
        return NULL;
    }
    memcpy(key, path, len);
    struct disk **found = map_get(&disks, key);
    if (found == NULL) {
        return NULL;
    }
    *file = slash + 1;
    return *found;
}

/* ---- what becomes of operations ---- */

void disk_set_fault(struct disk *disk, const struct disk_fault *fault)
{
    disk->fault = fault == NULL ? (struct disk_fault){0} : *fault;
    if (disk->fault.kind != DISK_NO_FAULT) {
        disk->fault_hit = false;
    }
}

void disk_pause(struct disk *disk, bool paused)
{
    disk->paused = paused;
}

bool disk_fault_hit(const struct disk *disk)
{
    return disk->fault_hit;
}

uint64_t disk_hits(const struct disk *disk)
{
    return disk->hits;
}

bool disk_stopped(const struct disk *disk)
{
    return disk->stopped;
}

bool disk_lies(const struct disk *disk)
{
    return disk->lying;
}

void disk_set_lying(struct disk *disk, bool lying)
{
    disk->lying = lying;
}

uint64_t disk_ops(const struct disk *disk, unsigned ops)
{
    uint64_t sum = 0;
    for (unsigned kind = 0; kind < DISK_OP_KINDS; kind++) {
        sum += (ops >> kind & 1) != 0 ? disk->ops[kind] : 0;
    }
    return sum;
}

enum disk_fate disk_meet(struct disk *disk, enum disk_op op, bool room)
{
    struct disk_fault *fault = &disk->fault;
    if (disk->stopped || disk->paused) {
        return disk->stopped ? FATE_DEAD : FATE_WELL;
    }
    disk->ops[__builtin_ctz((unsigned)op)]++;
    enum disk_fault_kind what = fault->kind;
    if (what == DISK_NO_FAULT || (fault->ops & (unsigned)op) == 0 || (what == DISK_FULL && !room)) {
        return FATE_WELL;
    }
    if (fault->after > 0) {
        fault->after--;
        return FATE_WELL;
    }
    disk->fault_hit = true;
    disk->hits++;
    if (!fault->persistent) {
        fault->kind = DISK_NO_FAULT;
    }
    disk->stopped = what == DISK_STOP;
    return what == DISK_STOP ? FATE_STOPS : what == DISK_FULL ? FATE_FULL : FATE_FAILS;
}

bool disk_happens(struct disk *disk, enum disk_fate fate)
{
    return fate == FATE_WELL || (fate == FATE_STOPS && chance_percent(&disk->chance, 50));
}

/* ---- names ---- */

static struct disk_entry *find_entry(const struct disk *disk, const char *file, bool deleted)
{
    for (size_t i = 0; i < disk->entry_count; i++) {
        struct disk_entry *entry = &disk->entries[i];
        if (entry->deleted == deleted && strcmp(entry->name, file) == 0) {
            return entry;
        }
    }
    return NULL;
}

struct disk_content *disk_find(const struct disk *disk, const char *file)
{
    struct disk_entry *entry = find_entry(disk, file, false);
    return entry == NULL ? NULL : entry->content;
}

static void drop_entry(struct disk *disk, struct disk_entry *entry)
{
    disk_content_unref(entry->content);
    size_t after = disk->entry_count - (size_t)(entry - disk->entries) - 1;
    memmove(entry, entry + 1, after * sizeof *entry);
    disk->entry_count--;
}

static void drop_entry_if_there(struct disk *disk, const char *file, bool deleted)
{
    struct disk_entry *entry = find_entry(disk, file, deleted);
    if (entry != NULL) {
        drop_entry(disk, entry);
    }
}

/* Takes the reference over. */
static void add_entry(struct disk *disk, const char *file, struct disk_content *content)
{
    size_t len = strlen(file);
    REQUIRE(len < DISK_FILE_BYTES);
    if (disk->entry_count == disk->entry_cap) {
        size_t cap = disk->entry_cap == 0 ? 4 : disk->entry_cap * 2;
        disk_works++;
        struct disk_entry *entries = realloc(disk->entries, cap * sizeof *entries);
        disk_works--;
        INSIST(entries != NULL);
        disk->entries = entries;
        disk->entry_cap = cap;
    }
    struct disk_entry *entry = &disk->entries[disk->entry_count++];
    *entry = (struct disk_entry){.content = content};
    memcpy(entry->name, file, len);
}

struct disk_content *disk_make(struct disk *disk, const char *file)
{
    struct disk_content *content = disk_content_new(disk->history);
    content->made = ++disk->order;
    content->named = !disk->history;
    add_entry(disk, file, content);
    return content;
}

static void sync_names(struct disk *disk)
{
    for (size_t i = disk->entry_count; i-- > 0;) {
        if (disk->entries[i].deleted) {
            drop_entry(disk, &disk->entries[i]);
        } else {
            disk->entries[i].content->named = true;
        }
    }
}

void disk_unname(struct disk *disk, const char *file, bool durable)
{
    struct disk_entry *entry = find_entry(disk, file, false);
    INSIST(entry != NULL);
    if (disk->history) { /* also one that nothing is durable of: it may be there after a cut */
        entry->deleted = true;
        entry->deleted_at = ++disk->order;
    } else {
        drop_entry(disk, entry);
    }
    if (durable && !disk->lying) {
        sync_names(disk);
    }
}

void disk_content_sync(struct disk *disk, struct disk_content *content, enum disk_fate fate,
                       bool folder)
{
    if (!disk_happens(disk, fate) || !content->history || disk->lying) {
        return;
    }
    if (folder) {
        sync_names(disk);
    }
    disk_content_settle(content);
}

/* ---- the end of a program ---- */

/* What a power cut does. */
struct cut {
    struct disk *disk;
    enum disk_damage damage;
    uint64_t end; /* of DISK_CUT_SHORT: changes before it are there */
};

static bool survives(const struct cut *cut, uint64_t order)
{
    switch (cut->damage) {
    case DISK_KEPT:
        return true;
    case DISK_LOST:
        return false;
    case DISK_CUT_SHORT:
        return order < cut->end;
    case DISK_SOME:
    case DISK_TORN:
    case DISK_GARBLED:
        return chance_percent(&cut->disk->chance, 50);
    case DISK_DAMAGE_COUNT:
        break;
    }
    INSIST(false);
    return false;
}

static void widen(uint64_t *low, uint64_t *high, uint64_t order)
{
    *low = order < *low ? order : *low;
    *high = order > *high ? order : *high;
}

/* Where all that is not durable is cut, for all files at once. */
static uint64_t draw_end(struct disk *disk)
{
    uint64_t low = UINT64_MAX;
    uint64_t high = 0;
    for (size_t i = 0; i < disk->entry_count; i++) {
        const struct disk_entry *entry = &disk->entries[i];
        const struct disk_content *content = entry->content;
        if (!content->named) {
            widen(&low, &high, content->made);
        }
        if (entry->deleted) {
            widen(&low, &high, entry->deleted_at);
        }
        if (content->change_count > 0) {
            widen(&low, &high, content->changes[0].order);
            widen(&low, &high, content->changes[content->change_count - 1].order);
        }
    }
    return high == 0 ? 0 : low + chance_below(&disk->chance, high - low + 2);
}

/* Noise in what was being written; what stood beside it is left alone, as SQLite is told. */
static void garble(struct disk *disk, struct disk_content *content, uint64_t start, uint64_t end)
{
    uint8_t noise[DISK_SECTOR_BYTES];
    chance_fill(&disk->chance, noise, sizeof noise);
    disk_buffer_put(&content->safe, start, noise, (size_t)(end - start));
}

static void tear(const struct cut *cut, struct disk_content *content,
                 const struct disk_change *change)
{
    enum { NOISE_PERCENT = 15 };
    uint64_t end = change->offset + change->len;
    for (uint64_t at = change->offset; at < end;) {
        uint64_t next = (at / DISK_SECTOR_BYTES + 1) * DISK_SECTOR_BYTES;
        next = next < end ? next : end;
        struct disk_change part = *change;
        part.offset = at;
        part.at += (size_t)(at - change->offset);
        part.len = (size_t)(next - at);
        if (survives(cut, change->order)) {
            disk_content_apply(content, &part);
        }
        if (cut->damage == DISK_GARBLED && chance_percent(&cut->disk->chance, NOISE_PERCENT)) {
            garble(cut->disk, content, at, next);
        }
        at = next;
    }
}

static void damage_content(const struct cut *cut, struct disk_content *content)
{
    bool tears = cut->damage == DISK_TORN || cut->damage == DISK_GARBLED;
    for (size_t i = 0; i < content->change_count; i++) {
        const struct disk_change *change = &content->changes[i];
        if (tears && !change->truncates) {
            tear(cut, content, change);
        } else if (survives(cut, change->order)) {
            disk_content_apply(content, change);
        }
    }
    disk_content_forget_changes(content);
    disk_buffer_copy(&content->now, &content->safe);
    content->named = true;
}

/* Whether the entry is still, or again, there. */
static bool keeps_name(const struct cut *cut, const struct disk_entry *entry)
{
    bool made = entry->content->named || survives(cut, entry->content->made);
    bool gone = entry->deleted && survives(cut, entry->deleted_at);
    return made && !gone && (!entry->deleted || disk_find(cut->disk, entry->name) == NULL);
}

static void cut_power(struct disk *disk, enum disk_damage damage)
{
    struct cut cut = {disk, damage, damage == DISK_CUT_SHORT ? draw_end(disk) : 0};
    /* New names first: a deleted file comes back only where no new one has its name. */
    for (int deleted = 0; deleted <= 1; deleted++) {
        for (size_t i = 0; i < disk->entry_count;) {
            struct disk_entry *entry = &disk->entries[i];
            if (entry->deleted != (deleted == 1)) {
                i++;
            } else if (keeps_name(&cut, entry)) {
                entry->deleted = false;
                i++;
            } else {
                drop_entry(disk, entry);
            }
        }
    }
    for (size_t i = 0; i < disk->entry_count; i++) {
        damage_content(&cut, disk->entries[i].content);
    }
}

void disk_restart(struct disk *disk, enum disk_damage damage)
{
    REQUIRE(damage == DISK_KEPT || (damage < DISK_DAMAGE_COUNT && disk->history));
    disk->generation++;
    disk->stopped = false;
    disk->fault.kind = DISK_NO_FAULT;
    for (size_t i = 0; i < disk->entry_count; i++) {
        disk->entries[i].content = disk_content_take(disk->entries[i].content);
    }
    if (damage != DISK_KEPT) {
        cut_power(disk, damage);
    }
}

/* ---- files, behind a program's back; what is changed is made durable first ---- */

bool disk_exists(const struct disk *disk, const char *file)
{
    return disk_find(disk, file) != NULL;
}

size_t disk_size(const struct disk *disk, const char *file)
{
    const struct disk_content *content = disk_find(disk, file);
    return content == NULL ? 0 : content->now.len;
}

bool disk_remove(struct disk *disk, const char *file)
{
    struct disk_entry *entry = find_entry(disk, file, false);
    if (entry == NULL) {
        return false;
    }
    drop_entry(disk, entry);
    drop_entry_if_there(disk, file, true);
    return true;
}

bool disk_copy(struct disk *disk, const char *file, struct disk *to_disk, const char *to)
{
    const struct disk_content *from = disk_find(disk, file);
    if (from == NULL) {
        return false;
    }
    struct disk_content *copy = disk_content_new(to_disk->history);
    copy->named = true;
    disk_buffer_copy(&copy->now, &from->now);
    if (copy->history) {
        disk_buffer_copy(&copy->safe, &from->now);
    }
    drop_entry_if_there(to_disk, to, true);
    struct disk_entry *entry = find_entry(to_disk, to, false);
    if (entry == NULL) {
        add_entry(to_disk, to, copy);
    } else {
        disk_content_unref(entry->content);
        entry->content = copy;
    }
    return true;
}

bool disk_truncate(struct disk *disk, const char *file, size_t size)
{
    struct disk_content *content = disk_find(disk, file);
    if (content == NULL) {
        return false;
    }
    disk_buffer_size(&content->now, size);
    if (content->history) {
        disk_content_settle(content);
        disk_buffer_size(&content->safe, size);
    }
    return true;
}

bool disk_flip(struct disk *disk, const char *file, uint64_t bit)
{
    struct disk_content *content = disk_find(disk, file);
    if (content == NULL || content->now.len == 0) {
        return false;
    }
    uint64_t at = bit / 8 % content->now.len;
    uint8_t mask = (uint8_t)(1u << bit % 8);
    content->now.at[at] ^= mask;
    if (content->history) {
        disk_content_settle(content);
        content->safe.at[at] ^= mask;
    }
    return true;
}

uint64_t disk_hash(const struct disk *disk)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < disk->entry_count; i++) {
        const struct disk_entry *entry = &disk->entries[i];
        const struct disk_buffer *now = &entry->content->now;
        if (!entry->deleted) {
            struct chance file = {map_hash(entry->name, sizeof entry->name)};
            file.state += now->len == 0 ? 0 : map_hash(now->at, now->len);
            sum += chance_next(&file); /* the order of the names says nothing */
        }
    }
    return sum;
}

size_t disk_memory(const struct disk *disk)
{
    size_t sum = disk->entry_cap * sizeof *disk->entries;
    for (size_t i = 0; i < disk->entry_count; i++) {
        sum += disk_content_memory(disk->entries[i].content);
    }
    return sum;
}

/* The book of a host: the facts that are in its ledger for good, in the ledger's order; and the
 * comparison with what the node says is in it. */
#include <stdlib.h>

#include "clones.h"
#include "log.h"
#include "offers.h"

struct book {
    struct fact *facts;
    size_t count;
    size_t cap;
    struct fact *away; /* lost, and perhaps to come back; their references mean nothing */
    size_t away_count;
    size_t away_cap;
};

size_t offers_fact_count(const struct host *host)
{
    return host->book == NULL ? 0 : host->book->count;
}

struct fact *offers_fact(const struct host *host, size_t place)
{
    return place < offers_fact_count(host) ? &host->book->facts[place] : NULL;
}

const struct fact *offers_lost(const struct host *host, struct chance *chance)
{
    const struct fact *found = NULL;
    uint64_t seen = 0;
    for (size_t i = 0; host->book != NULL && i < host->book->away_count; i++) {
        const struct fact *fact = &host->book->away[i];
        if (fact->kind == MODEL_RECORD && fact->key[0] != '\0' &&
            chance_below(chance, ++seen) == 0) {
            found = fact;
        }
    }
    return found;
}

static void add_fact(struct fact **facts, size_t *count, size_t *cap, const struct fact *fact)
{
    if (*count == *cap) {
        *cap = *cap == 0 ? 32 : *cap * 2;
        *facts = realloc(*facts, *cap * sizeof **facts);
        if (*facts == NULL) {
            abort();
        }
    }
    (*facts)[(*count)++] = *fact;
}

/* The place of the record that tells the fact which the one at `place` belongs to. */
static size_t told_at(const struct book *book, size_t place)
{
    return book->facts[place].again ? book->facts[place].means : place;
}

struct fact *book_add(struct host *host, const struct fact *fact)
{
    if (host->book == NULL) {
        host->book = calloc(1, sizeof *host->book);
    }
    struct book *book = host->book;
    if (book == NULL) {
        abort();
    }
    add_fact(&book->facts, &book->count, &book->cap, fact);
    bool corrects = fact->kind != MODEL_RECORD;
    if (fact->kind == MODEL_VOID) {
        book->facts[told_at(book, fact->refers)].live = false;
    }
    struct model_entry entry = {.kind = fact->again ? MODEL_AGAIN : fact->kind,
                                .origin = host->own,
                                .unit = model_unit(host->world->model, fact->unit),
                                .measure = fact->measure,
                                .category = fact->category,
                                .day = fact->day,
                                .value = fact->number,
                                .generation = fact->generation,
                                .refers = fact->again ? fact->means
                                          : corrects  ? told_at(book, fact->refers)
                                                      : 0};
    if (!host->world->light) {
        (void)model_entry_add(host->world->model, &entry);
    }
    return &book->facts[book->count - 1];
}

void book_copy(const struct host *from, struct host *to)
{
    const struct book *book = from->book;
    to->own = model_origin_branch(from->world->model, from->own, offers_fact_count(from));
    to->book = calloc(1, sizeof *to->book);
    if (to->book == NULL) {
        abort();
    }
    for (size_t i = 0; book != NULL && i < book->count; i++) {
        add_fact(&to->book->facts, &to->book->count, &to->book->cap, &book->facts[i]);
    }
    for (size_t i = 0; book != NULL && i < book->away_count; i++) {
        add_fact(&to->book->away, &to->book->away_count, &to->book->away_cap, &book->away[i]);
    }
}

void book_free(struct host *host)
{
    if (host->book != NULL) {
        free(host->book->facts);
        free(host->book->away);
        free(host->book);
    }
}

/* ---- held against the book ---- */

static enum model_kind model_kind_of(enum entry_kind kind)
{
    return kind == ENTRY_AMEND ? MODEL_AMEND : kind == ENTRY_VOID ? MODEL_VOID : MODEL_RECORD;
}

static bool same(const struct host *host, const struct log_line *line, const struct fact *fact)
{
    const struct fact *record = fact->kind == MODEL_RECORD ? NULL : offers_fact(host, fact->refers);
    bool refers =
        record == NULL ? line->refers[0] == '\0' : strcmp(line->refers, record->entry) == 0;
    bool entry = fact->entry[0] == '\0' || strcmp(fact->entry, line->entry) == 0;
    return refers && entry && model_kind_of(line->kind) == fact->kind && line->day == fact->day &&
           line->value == fact->number && strcmp(line->unit, fact->unit) == 0 &&
           strcmp(line->measure, fact->measure) == 0 &&
           strcmp(line->category, fact->category) == 0 && strcmp(line->note, fact->note) == 0 &&
           strcmp(line->key, fact->key) == 0;
}

/* What of the book is in the ledger; the rest was lost. */
static size_t compare_known(struct world *world, struct host *host, const struct log_lines *log)
{
    size_t facts = offers_fact_count(host);
    for (size_t i = 0; i < facts && i < log->count; i++) {
        struct fact *fact = offers_fact(host, i);
        if (!same(host, &log->lines[i], fact) && host->doubtful && host->may_lose) {
            return i; /* a torn file: from here on it holds something else */
        }
        if (!same(host, &log->lines[i], fact)) {
            world_violate(world, "durable",
                          "entry %zu of %s is %s %s %s %lld, and was confirmed as %s %s %lld",
                          i + 1, host->code, log->lines[i].entry, log->lines[i].note,
                          log->lines[i].measure, (long long)log->lines[i].value, fact->note,
                          fact->measure, (long long)fact->number);
            return i;
        }
        (void)snprintf(fact->entry, sizeof fact->entry, "%s", log->lines[i].entry);
    }
    return log->count < facts ? log->count : facts;
}

/* The fact that an unsure offer would have made of its row. */
static struct fact fact_of(const struct offer *offer, size_t row_at, const struct log_line *line)
{
    const struct offer_row *row = &offer->rows[row_at];
    struct fact fact = {.day = row->day == DAY_NONE ? offer->today : row->day,
                        .number = row->number,
                        .kind = MODEL_RECORD,
                        .live = true,
                        .at_us = offer->host->world->now_us,
                        .generation = offer->generation};
    if (offer->kind == OFFER_CORRECT) {
        fact.kind = offer->is_void ? MODEL_VOID : MODEL_AMEND;
        fact.number = offer->is_void ? 0 : row->number;
        fact.refers = offer->refers;
    }
    (void)snprintf(fact.unit, sizeof fact.unit, "%s", row->unit);
    (void)snprintf(fact.measure, sizeof fact.measure, "%s", row->measure);
    (void)snprintf(fact.category, sizeof fact.category, "%s", row->category);
    (void)snprintf(fact.note, sizeof fact.note, "%s", row->note);
    (void)snprintf(fact.key, sizeof fact.key, "%s", row->key);
    (void)snprintf(fact.entry, sizeof fact.entry, "%s", line->entry);
    return fact;
}

static struct offer *unsure_with(const struct world *world, const struct host *host,
                                 const char *note)
{
    size_t at = 0;
    struct offer *offer = offers_unsure(world, host, &at);
    while (offer != NULL && strcmp(offer->rows[0].note, note) != 0) {
        offer = offers_unsure(world, host, &at);
    }
    return offer;
}

/* What is in the ledger and was never confirmed must be unsure offers, each whole. */
static void take_unsure(struct world *world, struct host *host, const struct log_lines *log,
                        size_t from)
{
    size_t at = from;
    uint64_t batch = 0;
    while (at < log->count && !world->violated) {
        struct offer *offer = unsure_with(world, host, log->lines[at].note);
        if (offer == NULL || at + offer->row_count > log->count) {
            world_violate(world, "durable", "%s has an entry %s (%s %lld) that nobody offered",
                          host->code, log->lines[at].entry, log->lines[at].measure,
                          (long long)log->lines[at].value);
            return;
        }
        for (size_t i = 0; i < offer->row_count; i++, at++) {
            struct fact fact = fact_of(offer, i, &log->lines[at]);
            if (!same(host, &log->lines[at], &fact)) {
                world_violate(world, "durable", "entry %s of %s is not what was offered",
                              log->lines[at].entry, host->code);
                return;
            }
            (void)book_add(host, &fact);
        }
        offer->state = OFFER_YES;
        batch = offer->batch;
    }
    /* All of a batch or nothing of it. */
    size_t next = 0;
    for (const struct offer *offer = offers_unsure(world, host, &next); offer != NULL && batch != 0;
         offer = offers_unsure(world, host, &next)) {
        if (offer->batch == batch && offer->must && !offer->known) {
            world_violate(world, "durable", "%s has a part of a batch: %s is not there", host->code,
                          offer->rows[0].note);
            return;
        }
    }
}

/* What is voided in the book is so in the ledger, and nothing else. */
static void compare_live(struct world *world, struct host *host, const struct log_lines *log)
{
    /* Lines beyond the book, of which take_unsure could only doubt whether they are named. */
    size_t lines = log->count < offers_fact_count(host) ? log->count : offers_fact_count(host);
    for (size_t i = 0; i < lines && !world->violated; i++) {
        const struct fact *fact = offers_fact(host, i);
        if (fact->kind == MODEL_RECORD && fact->live != log->lines[i].live) {
            world_violate(world, "durable", "entry %s of %s is%s live", log->lines[i].entry,
                          host->code, log->lines[i].live ? "" : " not");
        }
    }
}

/* ---- lines that have parted, and met again ---- */

/* What was lost of the end of a linear ledger. */
static void lose_beyond(struct host *host, size_t length)
{
    struct book *book = host->book;
    host->own = model_origin_branch(host->world->model, host->own, length);
    for (size_t i = length; i < book->count; i++) {
        struct fact *fact = &book->facts[i];
        if (fact->kind == MODEL_VOID && fact->refers < length) {
            book->facts[fact->refers].live = true;
        }
        add_fact(&book->away, &book->away_count, &book->away_cap, fact);
    }
    book->count = length;
}

static bool same_content(const struct log_line *line, const struct fact *fact)
{
    return model_kind_of(line->kind) == fact->kind && line->day == fact->day &&
           line->value == fact->number && strcmp(line->unit, fact->unit) == 0 &&
           strcmp(line->measure, fact->measure) == 0 &&
           strcmp(line->category, fact->category) == 0 && strcmp(line->note, fact->note) == 0 &&
           strcmp(line->key, fact->key) == 0;
}

/* The fact among `facts` that the line is, and was no other line; -1 for none. */
static long find_fact(const struct fact *facts, const bool *taken, size_t count,
                      const struct log_line *line, bool by_name)
{
    for (size_t i = 0; i < count; i++) {
        bool named = facts[i].entry[0] != '\0';
        bool is = by_name ? named && strcmp(facts[i].entry, line->entry) == 0 : !named;
        bool left = taken == NULL || !taken[i];
        if (left && is && same_content(line, &facts[i])) {
            return (long)i;
        }
    }
    return -1;
}

/* The place in the book of the entry with that identity; SIZE_MAX for none. */
static size_t place_of(const struct host *host, const char *entry)
{
    for (size_t i = 0; i < offers_fact_count(host); i++) {
        if (strcmp(offers_fact(host, i)->entry, entry) == 0) {
            return i;
        }
    }
    return SIZE_MAX;
}

/* Whether it says only what one before it says; then of which fact. */
static void look_for_same(const struct host *host, struct fact *fact)
{
    const struct book *book = host->book;
    for (size_t i = 0; book != NULL && fact->key[0] != '\0' && i < book->count; i++) {
        const struct fact *other = &book->facts[i];
        bool content =
            other->kind == fact->kind && other->day == fact->day && other->number == fact->number &&
            strcmp(other->key, fact->key) == 0 && strcmp(other->unit, fact->unit) == 0 &&
            strcmp(other->measure, fact->measure) == 0 &&
            strcmp(other->category, fact->category) == 0 && strcmp(other->note, fact->note) == 0;
        bool record = fact->kind == MODEL_RECORD;
        if (content && (record || told_at(book, other->refers) == told_at(book, fact->refers))) {
            fact->again = true;
            fact->live = false;
            fact->means = record ? told_at(book, i) : told_at(book, fact->refers);
            return;
        }
    }
}

/* An offer whose fate nobody knows has that row: it was taken. */
static bool from_unsure(struct world *world, struct host *host, const struct log_line *line,
                        struct fact *out)
{
    size_t at = 0;
    for (struct offer *offer = offers_unsure(world, host, &at); offer != NULL;
         offer = offers_unsure(world, host, &at)) {
        for (size_t i = 0; i < offer->row_count; i++) {
            struct fact fact = fact_of(offer, i, line);
            if (same_content(line, &fact)) {
                offer->taken = true;
                *out = fact;
                return true;
            }
        }
    }
    return false;
}

static void settle_unsure(struct world *world, struct host *host)
{
    size_t at = 0;
    for (struct offer *offer = offers_unsure(world, host, &at); offer != NULL;
         offer = offers_unsure(world, host, &at)) {
        offer->state = offer->taken ? OFFER_YES : offer->state;
    }
}

/* One line of the log becomes a fact of the new book. */
static void take_line(struct world *world, struct host *host, const struct log_line *line,
                      struct fact fact)
{
    (void)snprintf(fact.entry, sizeof fact.entry, "%s", line->entry);
    fact.again = false;
    fact.live = fact.kind == MODEL_RECORD;
    if (fact.kind != MODEL_RECORD) {
        fact.refers = place_of(host, line->refers);
        if (fact.refers == SIZE_MAX) {
            world_violate(world, "durable", "entry %s of %s corrects %s, which is not there",
                          line->entry, host->code, line->refers);
            return;
        }
    }
    look_for_same(host, &fact);
    (void)book_add(host, &fact);
}

/* What other machines with the same data have confirmed. */
struct others {
    struct fact *facts;
    bool *taken;
    size_t count;
    size_t cap;
};

static struct others others_of(const struct host *host)
{
    struct others others = {.count = 0};
    for (size_t i = 0; host->family != NULL && i < host->family->count; i++) {
        const struct host *other = host->family->machines[i];
        for (size_t at = 0; other != host && at < offers_fact_count(other); at++) {
            add_fact(&others.facts, &others.count, &others.cap, offers_fact(other, at));
        }
    }
    others.taken = calloc(others.count + 1, sizeof *others.taken);
    if (others.taken == NULL) {
        abort();
    }
    return others;
}

static bool from_others(struct others *others, const struct log_line *line, bool by_name,
                        struct fact *out)
{
    long place = find_fact(others->facts, others->taken, others->count, line, by_name);
    if (place < 0) {
        return false;
    }
    others->taken[place] = true;
    *out = others->facts[place];
    return true;
}

/* What is not here is away: that of the old book, of which it says how much, and from before. */
static size_t keep_away(struct host *host, const struct book *old, const bool *here,
                        const bool *back, size_t *moved)
{
    size_t missing = 0;
    for (size_t i = 0; i < old->count; i++) {
        if (here[i]) {
            continue;
        }
        missing++;
        moved[i] = SIZE_MAX;
        host->book = host->book == NULL ? calloc(1, sizeof *host->book) : host->book;
        add_fact(&host->book->away, &host->book->away_count, &host->book->away_cap, &old->facts[i]);
    }
    for (size_t i = 0; host->book != NULL && i < old->away_count; i++) {
        if (!back[i]) {
            add_fact(&host->book->away, &host->book->away_count, &host->book->away_cap,
                     &old->away[i]);
        }
    }
    return missing;
}

/* What a host's book was, of which its new one is made. */
struct old_book {
    struct book was;
    bool *here;    /* its facts that are in the ledger */
    bool *back;    /* of what was away */
    size_t *moved; /* where its facts are now */
    size_t returned;
};

static bool from_old(struct old_book *old, const struct log_line *line, size_t at, bool by_name,
                     struct fact *out)
{
    long place = find_fact(old->was.facts, old->here, old->was.count, line, by_name);
    if (place >= 0) {
        old->here[place] = true;
        old->moved[place] = at;
        *out = old->was.facts[place];
        return true;
    }
    place = find_fact(old->was.away, old->back, old->was.away_count, line, by_name);
    if (place >= 0) {
        old->back[place] = true;
        old->returned++;
        *out = old->was.away[place];
    }
    return place >= 0;
}

/* By name first: of two with one content another machine may have told one. */
static bool find_line(struct host *host, struct old_book *old, struct others *others,
                      const struct log_line *line, size_t at, struct fact *out)
{
    for (int by_name = 1; by_name >= 0; by_name--) {
        if (from_old(old, line, at, by_name == 1, out) ||
            from_others(others, line, by_name == 1, out)) {
            return true;
        }
    }
    return from_unsure(host->world, host, line, out);
}

static void rebuild(struct world *world, struct host *host, const struct log_lines *log)
{
    struct old_book old = {.was = host->book == NULL ? (struct book){.count = 0} : *host->book};
    struct others others = others_of(host);
    old.here = calloc(old.was.count + 1, sizeof *old.here);
    old.back = calloc(old.was.away_count + 1, sizeof *old.back);
    old.moved = calloc(old.was.count + 1, sizeof *old.moved);
    if (old.here == NULL || old.back == NULL || old.moved == NULL) {
        abort();
    }
    if (host->book != NULL) {
        *host->book = (struct book){.count = 0};
    }
    host->own = model_origin_add(world->model, host->rank);
    for (size_t i = 0; i < log->count && !world->violated; i++) {
        const struct log_line *line = &log->lines[i];
        struct fact fact;
        if (find_line(host, &old, &others, line, i, &fact)) {
            take_line(world, host, line, fact);
        } else {
            world_violate(world, "durable", "%s has an entry %s (%s %lld) that nobody offered",
                          host->code, line->entry, line->measure, (long long)line->value);
        }
    }
    host->shown = host_near_damage(host) ? host->own : host->shown;
    settle_unsure(world, host);
    size_t missing = world->violated ? 0 : keep_away(host, &old.was, old.here, old.back, old.moved);
    if (missing > 0 && !host->loses && !world->violated) {
        world_violate(world, "durable", "%s has lost %zu of %zu confirmed entries", host->code,
                      missing, old.was.count);
    }
    world_trace(world, "%s has %zu of %zu entries, and %zu that it had lost", host->code,
                old.was.count - missing, old.was.count, old.returned);
    offers_places_moved(world, host, old.moved, old.was.count);
    if (!world->violated) {
        compare_live(world, host, log);
    }
    free(old.here);
    free(old.back);
    free(old.moved);
    free(old.was.facts);
    free(old.was.away);
    free(others.facts);
    free(others.taken);
}

/* Whether the log says the book, from the first fact to the last, and nothing was lost that may
 * have come back. */
static bool says_the_book(const struct host *host, const struct log_lines *log)
{
    size_t facts = offers_fact_count(host);
    for (size_t i = 0; i < facts && i < log->count; i++) {
        if (!same(host, &log->lines[i], offers_fact(host, i))) {
            return false;
        }
    }
    return log->count >= facts && (host->book == NULL || host->book->away_count == 0);
}

/* Whether anything that was lost is there again: what was given back was committed, and the machine
 * went down before anybody could see it. */
static bool comes_back(const struct host *host, const struct log_lines *log)
{
    const struct book *book = host->book;
    for (size_t i = 0; book != NULL && i < log->count; i++) {
        if (find_fact(book->away, NULL, book->away_count, &log->lines[i], true) >= 0) {
            return true;
        }
    }
    return false;
}

static void compare_ledger(struct world *world, struct host *host, const struct log_lines *log)
{
    bool healed = !host->doubtful || host->healed || comes_back(host, log);
    if (host->may_lose && healed && !says_the_book(host, log)) {
        rebuild(world, host, log);
        return;
    }
    size_t left = compare_known(world, host, log);
    size_t facts = offers_fact_count(host);
    if (!world->violated && left < facts) {
        if (!host->loses && !(host->doubtful && host->may_lose)) {
            world_violate(world, "durable", "%s has %zu of %zu confirmed entries after a start",
                          host->code, left, facts);
            return;
        }
        world_trace(world, "%s has %zu of %zu entries", host->code, left, facts);
        lose_beyond(host, left);
    }
    if (!world->violated) {
        take_unsure(world, host, log, left);
    }
    if (!world->violated) {
        compare_live(world, host, log);
    }
}

void offers_compare_ledger(struct world *world, struct host *host)
{
    struct log_lines log = {.count = 0};
    struct doubt doubt = world->doubt;
    if (host->in_line) {
        return;
    }
    /* Bits were flipped: what is wrong must be known in the end. */
    bool later = host->may_lose  ? host->bitten && !world->healing
                 : host->spoiled ? !world->ending
                                 : host->doubtful && !world->healing;
    enum err err = log_read(world, host, &log);
    if (err != ERR_OK || log.error[0] != '\0') {
        if (!host->doubtful && !host->may_lose) {
            world_violate(world, "opens", "the ledger of %s cannot be read: %s %s", host->code,
                          err_name(err), log.error);
        }
    } else {
        compare_ledger(world, host, &log);
    }
    if (later && (world->violated || world->doubt.is != doubt.is)) {
        world->violated = false;
        world->doubt = doubt;
        world_trace(world, "which is left for later");
    }
    free(log.lines);
}

void offers_rebuild(struct world *world, struct host *host)
{
    struct log_lines log = {.count = 0};
    host->healed = true;
    if (host->in_line) {
        return;
    }
    if (host_near_damage(host)) {
        return; /* what it says is looked at in the end */
    }
    if (log_read(world, host, &log) == ERR_OK && log.error[0] == '\0') {
        rebuild(world, host, &log);
    }
    free(log.lines);
}

bool offers_has_key(const struct host *host, const char *key)
{
    for (size_t i = 0; i < offers_fact_count(host); i++) {
        if (strcmp(host->book->facts[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

/* layer: node store codec */
/* A country in one process: 1 nation, 63 provinces, 705 districts, 10,598 communes, each with a
 * node of its own; a month of reporting and correcting, each day a minute long, with a tenth of the
 * nodes away at any time. At the end every total at the nation, the provinces and the districts is
 * held against plain sums over what the communes' nodes confirmed.
 *
 * usage: country [--units FILE.csv] [--days N] [--part N] [--seed S]
 * (--part N: only every N-th province) */
#include <getopt.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "acts.h"
#include "checks.h"
#include "offers.h"
#include "steps.h"

enum {
    DAYS = 30,
    DAY_US = 60 * SECOND_US,
    UNITS_MAX_HERE = 12000,
    LINE_BYTES = 512,
    ROWS = 12,
    CONVERGE_S = 300,
};

struct country {
    struct world *world;
    uint64_t seed;
    uint64_t days;
    uint64_t part;
    const char *file;
    size_t levels[4];
};

/* ---- units ---- */

struct place {
    char code[CODE_BYTES];
    char level[CODE_BYTES];
    char parent[CODE_BYTES];
};

static bool read_units(const char *file, struct place *places, size_t *count)
{
    char line[LINE_BYTES];
    FILE *in = fopen(file, "r");
    if (in == NULL) {
        perror(file);
        return false;
    }
    bool good = fgets(line, sizeof line, in) != NULL;
    while (good && fgets(line, sizeof line, in) != NULL && *count < UNITS_MAX_HERE) {
        struct place *place = &places[*count];
        char *level = strchr(line, ',');
        char *name = level == NULL ? NULL : level;
        level = name == NULL ? NULL : strchr(name + 1, ',');
        if (level != NULL &&
            sscanf(level + 1, "%23[^,],%23[^,\r\n]", place->level, place->parent) >= 1 &&
            sscanf(line, "%23[^,]", place->code) == 1) {
            (*count)++;
        }
    }
    (void)fclose(in);
    return *count > 0;
}

/* The same shape without the file: 63 provinces, 705 districts, 10,598 communes. */
static void make_units(struct place *places, size_t *count)
{
    enum { PROVINCES = 63, DISTRICTS = 705, COMMUNES = 10598 };
    places[(*count)++] = (struct place){"VN", "nation", ""};
    for (int i = 0; i < PROVINCES; i++) {
        struct place *place = &places[(*count)++];
        *place = (struct place){.level = "province", .parent = "VN"};
        (void)snprintf(place->code, sizeof place->code, "%02d", i);
    }
    for (int i = 0; i < DISTRICTS; i++) {
        struct place *place = &places[(*count)++];
        *place = (struct place){.level = "district"};
        (void)snprintf(place->code, sizeof place->code, "%03d", i);
        (void)snprintf(place->parent, sizeof place->parent, "%02d", i * PROVINCES / DISTRICTS);
    }
    for (int i = 0; i < COMMUNES; i++) {
        struct place *place = &places[(*count)++];
        *place = (struct place){.level = "commune"};
        (void)snprintf(place->code, sizeof place->code, "%05d", i);
        (void)snprintf(place->parent, sizeof place->parent, "%03d",
                       (int)((int64_t)i * DISTRICTS / COMMUNES));
    }
}

static struct host *host_called(const struct world *world, const char *code)
{
    for (size_t i = world->host_count; i > 0; i--) {
        if (strcmp(world->hosts[i - 1]->code, code) == 0) {
            return world->hosts[i - 1];
        }
    }
    return NULL;
}

static void plant(struct country *c, const struct place *places, size_t count)
{
    static const char *const LEVELS[] = {"nation", "province", "district", "commune"};
    uint64_t province = 0;
    for (int level = 0; level < 4; level++) {
        for (size_t i = 0; i < count && !c->world->violated; i++) {
            if (strcmp(places[i].level, LEVELS[level]) != 0) {
                continue;
            }
            struct host *parent = host_called(c->world, places[i].parent);
            if (level == 0) {
                (void)tree_root(c->world, places[i].code, "nation", 3);
            } else if (parent != NULL && (level > 1 || province++ % c->part == 0)) {
                (void)tree_child(c->world, parent, places[i].code, places[i].level);
            } else {
                continue;
            }
            c->levels[level]++;
        }
        /* Those of one level are linked before the next one comes. */
        world_run_until(c->world, c->world->now_us + 4 * SECOND_US);
    }
}

/* ---- a day ---- */

static uint64_t drawn(const struct country *c, const struct host *host, uint64_t day)
{
    struct chance chance = chance_for(c->seed + day, (uint64_t)host->number);
    return chance_next(&chance);
}

static bool is_away(const struct country *c, const struct host *host, uint64_t day)
{
    return host->parent != NULL && drawn(c, host, day) % 10 == 0;
}

static void come_and_go(struct country *c, struct host *host, uint64_t day)
{
    uint64_t draw = drawn(c, host, day) / 10;
    bool was = day > 0 && is_away(c, host, day - 1);
    bool is = is_away(c, host, day);
    if (was && !is) {
        host->route.apart_until_us = 0;
        host_start_later(c->world, host, (int64_t)(draw % 5) * SECOND_US);
    } else if (is && !was && draw % 3 == 0) {
        host_kill(c->world, host, DISK_KEPT, false);
    } else if (is && !was) {
        host->route.apart_until_us = INT64_MAX;
        if (host->up != NULL) {
            line_break(c->world, host->up, draw % 2 == 0);
        }
    }
}

/* What was recorded alone on an earlier day, unless it is void. */
static void correct(struct country *c, struct host *host, struct chance *chance)
{
    size_t facts = offers_fact_count(host);
    size_t from = facts > 0 ? (size_t)chance_below(chance, facts) : 0;
    for (size_t i = from; i < facts; i++) {
        const struct fact *fact = offers_fact(host, i);
        if (fact->kind == MODEL_RECORD && fact->live && fact->entry[0] != '\0') {
            acts_correct(c->world, host, i, chance_below(chance, 3) == 0);
            return;
        }
    }
}

static void report(struct country *c, struct host *host, uint64_t day)
{
    static const char *const FLOWS[] = {"raised", "visits", "classes"};
    static const char *const GROUPS[] = {"", "group=cadre", "group=other"};
    struct chance chance = {drawn(c, host, day) + 7};
    if (host->state != HOST_UP || chance_below(&chance, 6) != 0) {
        return;
    }
    int rows = chance_below(&chance, 3) == 0 ? 1 : ROWS; /* one alone can be corrected later */
    correct(c, host, &chance);
    struct offer *offer = offers_make(c->world, host, OFFER_RECORD);
    offer->must = true;
    for (int i = 0; i < rows; i++) {
        struct offer_row *row = offers_add_row(offer);
        bool stock = rows > 1 && i % 4 == 0;
        const char *measure = stock ? "members" : FLOWS[chance_below(&chance, 3)];
        bool grouped = stock || strcmp(measure, "raised") == 0;
        row->number = chance_between(&chance, 0, 100000);
        row->day = day_from_civil(2025, 3, 1 + (int)(day % 30));
        (void)snprintf(row->unit, sizeof row->unit, "%s", host->code);
        (void)snprintf(row->measure, sizeof row->measure, "%s", measure);
        (void)snprintf(row->category, sizeof row->category, "%s",
                       grouped ? GROUPS[chance_below(&chance, 3)] : "");
        (void)snprintf(row->value, sizeof row->value, "%lld", (long long)row->number);
    }
    offers_give(c->world, offer);
}

static void run_days(struct country *c)
{
    for (uint64_t day = 0; day < c->days && !c->world->violated; day++) {
        for (size_t i = 0; i < c->world->host_count; i++) {
            come_and_go(c, c->world->hosts[i], day);
        }
        /* Offices report one after the other over the day. */
        for (int part = 0; part < 10; part++) {
            for (size_t i = (size_t)part; i < c->world->host_count; i += 10) {
                if (c->world->hosts[i]->depth == 3) {
                    report(c, c->world->hosts[i], day);
                }
            }
            world_run_until(c->world, c->world->now_us + DAY_US / 10);
        }
    }
    for (size_t i = 0; i < c->world->host_count; i++) {
        struct host *host = c->world->hosts[i];
        host->route.apart_until_us = 0;
        host_start_later(c->world, host, chance_between(&host->chance, 0, 5000) * MS_US);
    }
}

/* ---- sums ---- */

enum { MEASURES = 4 };
static const char *const MEASURE_CODES[MEASURES] = {"raised", "visits", "classes", "members"};

struct sums {
    wide value[MEASURES];
    int64_t entries[MEASURES];
};

/* What one commune's book comes to; of a stock, which is never corrected, the last of each category
 * stands. */
static void add_book(const struct host *host, struct sums *out)
{
    int64_t *now = calloc(offers_fact_count(host) + 1, sizeof *now); /* each record's number */
    if (now == NULL) {
        abort();
    }
    static const char *const GROUPS[] = {"", "group=cadre", "group=other"};
    int64_t standing[3] = {0};
    int32_t days[3] = {0};
    for (size_t i = 0; i < offers_fact_count(host); i++) {
        const struct fact *fact = offers_fact(host, i);
        int measure = 0;
        int group = 0;
        while (measure < MEASURES - 1 && strcmp(MEASURE_CODES[measure], fact->measure) != 0) {
            measure++;
        }
        while (group < 2 && strcmp(GROUPS[group], fact->category) != 0) {
            group++;
        }
        size_t place = fact->kind == MODEL_RECORD ? i : fact->refers;
        out->entries[measure]++;
        if (measure < MEASURES - 1) {
            out->value[measure] += fact->number - now[place];
            now[place] = fact->number;
        } else if (fact->day >= days[group]) {
            standing[group] = fact->number;
            days[group] = fact->day;
        }
    }
    out->value[MEASURES - 1] += (wide)standing[0] + standing[1] + standing[2];
    free(now);
}

struct looked {
    struct country *c;
    const struct sums *sums; /* by number of host */
    uint64_t compared;
    uint64_t wanted; /* every measure of every unit, twice */
    uint64_t wrong;
    int64_t nodes;
    int64_t exact;
};

static bool see_total(void *ctx, const struct message *message)
{
    struct looked *looked = ctx;
    const struct rep_total *total = &message->u.reply.u.total;
    if (message->u.reply.err != ERR_OK) {
        looked->wrong++;
        (void)printf("a node does not say its totals: %s\n", message->u.reply.text);
        return true;
    }
    looked->nodes = total->nodes > 0 ? total->nodes : looked->nodes;
    looked->exact = total->nodes > 0 ? total->exact : looked->exact;
    for (size_t i = 0; i < total->row_count; i++) {
        const struct total_row *row = &total->rows[i];
        const struct host *host = row->own ? NULL : host_called(looked->c->world, row->unit);
        int measure = 0;
        while (measure < MEASURES && strcmp(MEASURE_CODES[measure], row->measure) != 0) {
            measure++;
        }
        if (measure == MEASURES || (host == NULL && !row->own)) {
            looked->wrong += row->entries != 0 || row->value != 0 ? 1 : 0;
            continue; /* a measure that nobody recorded */
        }
        wide value = host == NULL ? 0 : looked->sums[host->number].value[measure];
        int64_t entries = host == NULL ? 0 : looked->sums[host->number].entries[measure];
        looked->compared++;
        if (row->value != value || row->entries != entries || row->overflow) {
            looked->wrong++;
            (void)printf("unit %s, %s: %lld of %lld entries, and the value differs by %lld\n",
                         row->unit, row->measure, (long long)row->entries, (long long)entries,
                         (long long)(row->value - value));
        }
    }
    return true;
}

static bool look(struct country *c)
{
    struct world *world = c->world;
    struct sums *sums = calloc(world->host_count, sizeof *sums);
    struct looked looked = {.c = c, .sums = sums};
    if (sums == NULL) {
        abort();
    }
    for (size_t i = world->host_count; i > 0; i--) { /* children come after their parents */
        struct host *host = world->hosts[i - 1];
        add_book(host, &sums[host->number]);
        for (int m = 0; m < MEASURES && host->parent != NULL; m++) {
            sums[host->parent->number].value[m] += sums[host->number].value[m];
            sums[host->parent->number].entries[m] += sums[host->number].entries[m];
        }
    }
    for (size_t i = world->host_count; i > 0; i--) {
        struct host *host = world->hosts[i - 1];
        struct msg_request request = {.type = REQUEST_TOTAL,
                                      .u.total = {.unit = host->code,
                                                  .has_period = true,
                                                  .by = BY_CHILD,
                                                  .level = "",
                                                  .tree_as_of = DAY_NONE}};
        /* A half-year measure has no month: it is asked for in its own period. */
        looked.wanted +=
            2 * MEASURES * ((host->depth < 3 ? 1u : 0) + (host->parent != NULL ? 1u : 0));
        for (int half = 0; half < 2 && host->depth < 3; half++) {
            request.u.total.period = half == 0 ? (struct period){FREQUENCY_HALF, 2025 * 2}
                                               : (struct period){FREQUENCY_YEAR, 2025};
            if (host_query(world, host, &request, see_total, &looked) != ERR_OK) {
                looked.wrong++;
            }
        }
    }
    bool all = looked.nodes == (int64_t)world->host_count && looked.exact == looked.nodes;
    (void)printf(
        "%lld of %lld nodes exact at the nation; %llu of %llu figures compared, %llu wrong\n",
        (long long)looked.exact, (long long)looked.nodes, (unsigned long long)looked.compared,
        (unsigned long long)looked.wanted, (unsigned long long)looked.wrong);
    free(sums);
    return all && looked.wrong == 0 && looked.compared == looked.wanted;
}

static bool see_sources(void *ctx, const struct message *message)
{
    struct looked *looked = ctx;
    const struct msg_reply *reply = &message->u.reply;
    if (reply->err == ERR_OK && reply->u.total.nodes > 0) {
        looked->nodes = reply->u.total.nodes;
        looked->exact = reply->u.total.exact;
    }
    return true;
}

/* Whether the nation calls every node exact: that a link is equal goes up one tier after the other,
 * and comes there after the figures. */
static bool all_exact(struct country *c, char *why, size_t size)
{
    struct host *nation = c->world->hosts[0];
    struct looked looked = {.c = c};
    struct msg_request request = {.type = REQUEST_TOTAL,
                                  .u.total = {.unit = nation->code,
                                              .has_period = true,
                                              .period = {FREQUENCY_YEAR, 2025},
                                              .level = "",
                                              .tree_as_of = DAY_NONE}};
    enum err err = host_query(c->world, nation, &request, see_sources, &looked);
    (void)snprintf(why, size, "the nation calls %lld of %lld nodes exact", (long long)looked.exact,
                   (long long)looked.nodes);
    return err == ERR_OK && looked.nodes == (int64_t)c->world->host_count &&
           looked.exact == looked.nodes;
}

/* ---- all of it ---- */

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void no_step(struct world *world, uint64_t number)
{
    (void)world;
    (void)number;
}

static int run(struct country *c)
{
    struct place *places = calloc(UNITS_MAX_HERE, sizeof *places);
    char why[TEXT_BYTES] = "";
    size_t count = 0;
    double began = seconds();
    if (places == NULL) {
        abort();
    }
    if (c->file == NULL) {
        make_units(places, &count);
    } else if (!read_units(c->file, places, &count)) {
        free(places);
        return 2;
    }
    c->world = world_new(c->seed, false);
    c->world->on_step = no_step;
    c->world->light = true;
    c->world->tick_us = 5 * SECOND_US;
    tree_keep_empty(c->world);
    plant(c, places, count);
    free(places);
    (void)printf("%zu + %zu + %zu + %zu nodes joined in %.0f s\n", c->levels[0], c->levels[1],
                 c->levels[2], c->levels[3], seconds() - began);
    (void)fflush(stdout);
    run_days(c);
    int64_t ended = c->world->now_us;
    bool there = false;
    while (!there && !c->world->violated &&
           c->world->now_us < ended + (int64_t)CONVERGE_S * SECOND_US) {
        world_run_until(c->world, c->world->now_us + SECOND_US);
        there = checks_converged(c->world, true, why, sizeof why) && all_exact(c, why, sizeof why);
    }
    uint64_t entries = 0;
    for (size_t i = 0; i < c->world->host_count; i++) {
        entries += offers_fact_count(c->world->hosts[i]);
    }
    (void)printf(
        "%llu entries, %llu batches, %llu messages; converged %.0f virtual s after the last "
        "day: %s\n",
        (unsigned long long)entries, (unsigned long long)c->world->batches,
        (unsigned long long)c->world->messages, (double)(c->world->now_us - ended) / SECOND_US,
        c->world->violated ? c->world->text
        : there            ? "yes"
                           : why);
    bool exact = there && !c->world->violated && look(c);
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    (void)printf("exact: %s; %.0f s, %.1f GiB\n", exact ? "yes" : "no", seconds() - began,
                 (double)usage.ru_maxrss / (1 << 20));
    return exact ? 0 : 1;
}

static bool number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && *out > 0;
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"units", required_argument, NULL, 'u'},
                                            {"days", required_argument, NULL, 'd'},
                                            {"part", required_argument, NULL, 'p'},
                                            {"seed", required_argument, NULL, 's'},
                                            {NULL, 0, NULL, 0}};
    struct country country = {.seed = 1, .days = DAYS, .part = 1};
    bool good = true;
    for (int c = getopt_long(argc, argv, "", OPTIONS, NULL); c != -1;
         c = getopt_long(argc, argv, "", OPTIONS, NULL)) {
        if (c == 'u') {
            country.file = optarg;
        } else if (c == 'd') {
            good = good && number(optarg, &country.days);
        } else if (c == 'p') {
            good = good && number(optarg, &country.part);
        } else {
            good = good && c == 's' && number(optarg, &country.seed);
        }
    }
    if (!good || optind != argc) {
        (void)fprintf(stderr,
                      "usage: country [--units FILE.csv] [--days N] [--part N] [--seed S]\n");
        return 2;
    }
    return run(&country);
}

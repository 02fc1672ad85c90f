/* layer: node store codec */
/* The crash loop: each scenario is played with a fault at the 1st, 2nd, ... n-th operation of its
 * victim's disk, or allocation, until one passes untouched; then all is healed, and every invariant
 * must hold. Each play is a process of its own, forked from the scene that was set once.
 *
 * usage: crash [--every N] [--offset K] [--only SCENARIO] [--fault NAME] [--jobs J] [--seed S]
 * [--first] [--calls]
 * (--first: a violation is enough; --calls: prints what calls led to an allocation that failed) */
#include <execinfo.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "acts.h"
#include "checks.h"
#include "offers.h"
#include "scenarios.h"
#include "steps.h"
#include "store/internal.h"

enum {
    JOBS_MAX = 64,
    ACT_US = 12 * SECOND_US,
    PLAY_LIMIT_S = 60,
    POINTS_MAX = 60000,
    SHOWN_MAX = 20,
    SECOND_PLACES = 29, /* places of a second fault, for each of the first */
    SECOND_SPREAD = 7
};

/* ---- allocations ---- */

static struct {
    bool on;
    bool persistent;
    bool hit;
    bool shown; /* the calls that led to a failed allocation are printed */
    uint64_t left;
} memory;

/* For addr2line. */
static void show_calls(void)
{
    void *calls[40];
    int count = backtrace(calls, 40);
    backtrace_symbols_fd(calls, count, STDERR_FILENO);
}

static bool memory_fails(void)
{
    if (!memory.on || !host_inside || disk_works > 0) {
        return false;
    }
    if (memory.left > 0) {
        memory.left--;
        return false;
    }
    memory.hit = true;
    memory.on = memory.persistent;
    if (memory.shown && !memory.persistent) {
        show_calls();
    }
    return true;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
char *__real_strdup(const char *text);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
char *__wrap_strdup(const char *text);

void *__wrap_malloc(size_t size)
{
    return memory_fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return memory_fails() ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *old, size_t size)
{
    return memory_fails() ? NULL : __real_realloc(old, size);
}

char *__wrap_strdup(const char *text)
{
    return memory_fails() ? NULL : __real_strdup(text);
}

static sqlite3_mem_methods real_methods;

static void *sql_malloc(int size)
{
    return memory_fails() ? NULL : real_methods.xMalloc(size);
}

static void *sql_realloc(void *old, int size)
{
    return memory_fails() ? NULL : real_methods.xRealloc(old, size);
}

static void register_memory(void)
{
    sqlite3_mem_methods methods;
    (void)sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_methods);
    methods = real_methods;
    methods.xMalloc = sql_malloc;
    methods.xRealloc = sql_realloc;
    (void)sqlite3_config(SQLITE_CONFIG_MALLOC, &methods);
}

/* ---- one play ---- */

enum { FAULT_NO_MEMORY = 100, FAULT_FLIP, FLIP_EVERY_BITS = 101 };

struct variant {
    const char *name;
    int kind; /* enum disk_fault_kind, or FAULT_... */
    bool persistent;
    enum disk_damage damage;
    bool again; /* and once more while it recovers, or soon after */
    enum disk_damage next;
};

static const struct variant VARIANTS[] = {
    {"kill", DISK_STOP, true, DISK_KEPT, false, DISK_KEPT},
    {"power, unsynced lost", DISK_STOP, true, DISK_LOST, false, DISK_KEPT},
    {"power, cut short", DISK_STOP, true, DISK_CUT_SHORT, false, DISK_KEPT},
    {"power, some writes", DISK_STOP, true, DISK_SOME, false, DISK_KEPT},
    {"power, torn", DISK_STOP, true, DISK_TORN, false, DISK_KEPT},
    {"power, garbled", DISK_STOP, true, DISK_GARBLED, false, DISK_KEPT},
    {"power, again in recovery", DISK_STOP, true, DISK_TORN, true, DISK_TORN},
    {"kill, then power lost", DISK_STOP, true, DISK_KEPT, true, DISK_LOST},
    {"error once", DISK_FAIL, false, DISK_KEPT, false, DISK_KEPT},
    {"error from then on", DISK_FAIL, true, DISK_KEPT, false, DISK_KEPT},
    {"no room once", DISK_FULL, false, DISK_KEPT, false, DISK_KEPT},
    {"no room from then on", DISK_FULL, true, DISK_KEPT, false, DISK_KEPT},
    {"no memory once", FAULT_NO_MEMORY, false, DISK_KEPT, false, DISK_KEPT},
    {"no memory from then on", FAULT_NO_MEMORY, true, DISK_KEPT, false, DISK_KEPT},
    {"bit flipped", FAULT_FLIP, false, DISK_KEPT, false, DISK_KEPT},
};
enum { VARIANT_COUNT = sizeof VARIANTS / sizeof *VARIANTS };

struct play {
    bool hit;
    bool violated;
    char check[CODE_BYTES];
    char text[TEXT_BYTES];
};

/* A bit of the database or of its log, where they lie while the program is off. */
static bool flip(struct host *host, uint64_t at)
{
    static const char *const FILES[] = {HOST_DATABASE, HOST_DATABASE "-wal"};
    uint64_t bit = at * FLIP_EVERY_BITS;
    if (host->state != HOST_DOWN) {
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        uint64_t bits = (uint64_t)disk_size(host->disk, FILES[i]) * 8;
        if (bit < bits) {
            host->doubtful = host->bitten = true;
            return disk_flip(host->disk, FILES[i], bit);
        }
        bit -= bits;
    }
    return false;
}

static void arm(struct host *host, const struct variant *variant, uint64_t after)
{
    if (variant->kind == FAULT_NO_MEMORY) {
        memory.left = after;
        memory.persistent = variant->persistent;
        memory.hit = false;
        memory.on = true;
        return;
    }
    struct disk_fault fault = {.kind = (enum disk_fault_kind)variant->kind,
                               .ops =
                                   variant->kind == DISK_FULL ? DISK_WRITE | DISK_SHARE : DISK_ANY,
                               .after = variant->again ? after / SECOND_PLACES : after,
                               .persistent = variant->persistent};
    disk_set_fault(host->disk, &fault);
    host->damage = variant->damage;
    if (variant->again) {
        host->after_fault = fault;
        host->after_fault.after =
            after % SECOND_PLACES * SECOND_SPREAD + after / SECOND_PLACES % SECOND_SPREAD;
        host->next_damage = variant->next;
    }
}

static void play(struct world *world, const struct scenario *scenario,
                 const struct variant *variant, uint64_t after, struct play *out)
{
    struct host *victim = world->hosts[scenario->victim];
    struct result result = {.violated = false};
    uint64_t hits = disk_hits(victim->disk);
    (void)alarm(PLAY_LIMIT_S);
    disk_set_fault(victim->disk, NULL);
    if (variant->kind == FAULT_FLIP) {
        world->flipped = out->hit = flip(victim, after);
        if (!out->hit) {
            out->violated = false;
            return;
        }
    } else {
        arm(victim, variant, after);
    }
    scenario->act(world);
    world_run_until(world, world->now_us + ACT_US);
    out->hit = variant->kind == FAULT_FLIP        ? true
               : variant->kind == FAULT_NO_MEMORY ? memory.hit
                                                  : disk_hits(victim->disk) > hits;
    memory.on = false;
    victim->next_fault.kind = DISK_NO_FAULT;
    victim->after_fault.kind = DISK_NO_FAULT;
    if (!world->violated) {
        run_end(world, &result);
    }
    out->violated = world->violated;
    (void)snprintf(out->check, sizeof out->check, "%s", world->check);
    (void)snprintf(out->text, sizeof out->text, "%s", world->text);
}

static void play_apart(struct world *world, const struct scenario *scenario,
                       const struct variant *variant, uint64_t after, struct play *shared)
{
    int status = 0;
    *shared = (struct play){.violated = true, .check = "abort"};
    (void)fflush(NULL); /* else both would write it */
    pid_t child = fork();
    if (child == 0) {
        play(world, scenario, variant, after, shared);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        perror("fork");
        exit(2);
    }
    if (WIFSIGNALED(status)) {
        shared->hit = true;
        shared->violated = true;
        (void)snprintf(shared->check, sizeof shared->check, "%s",
                       WTERMSIG(status) == SIGALRM ? "hang" : "abort");
    } else if (WEXITSTATUS(status) != 0) {
        shared->hit = true;
        (void)snprintf(shared->check, sizeof shared->check, "status %d", WEXITSTATUS(status));
    }
}

/* ---- all of them ---- */

struct options {
    uint64_t every;
    uint64_t offset;
    uint64_t jobs;
    const char *only;
    const char *fault;
    uint64_t seed;
    bool first; /* a violation is enough */
};

struct count {
    uint64_t points;
    uint64_t violations;
};

struct board {
    struct count counts[32][VARIANT_COUNT];
    struct play plays[JOBS_MAX];
    uint64_t shown;
};

static bool is_enough(struct board *board, const struct options *options)
{
    return options->first && __atomic_load_n(&board->shown, __ATOMIC_SEQ_CST) > 0;
}

/* A job takes every jobs-th point of the sample. */
static void run_job(struct board *board, const struct options *options, size_t which, uint64_t job)
{
    const struct scenario *scenario = &SCENARIOS[which];
    struct world *world = scenario_world(scenario, options->seed);
    struct play *result = &board->plays[job];
    if (world->violated) {
        (void)printf("%s: cannot be set up: %s: %s\n", scenario->name, world->check, world->text);
        (void)fflush(stdout);
        _exit(1);
    }
    for (int v = 0; v < VARIANT_COUNT; v++) {
        struct count *count = &board->counts[which][v];
        result->hit = options->fault == NULL || strcmp(options->fault, VARIANTS[v].name) == 0;
        for (uint64_t at = options->offset + job * options->every;
             result->hit && at < POINTS_MAX && !is_enough(board, options);
             at += options->every * options->jobs) {
            play_apart(world, scenario, &VARIANTS[v], at, result);
            (void)__atomic_add_fetch(&count->points, result->hit ? 1 : 0, __ATOMIC_SEQ_CST);
            if (!result->violated) {
                continue;
            }
            (void)__atomic_add_fetch(&count->violations, 1, __ATOMIC_SEQ_CST);
            if (__atomic_fetch_add(&board->shown, 1, __ATOMIC_SEQ_CST) < SHOWN_MAX) {
                (void)printf("%s, %s, point %" PRIu64 ": %s: %s\n", scenario->name,
                             VARIANTS[v].name, at, result->check, result->text);
                (void)fflush(stdout);
            }
        }
    }
    exit(0);
}

static bool run_scenario(struct board *board, const struct options *options, size_t which)
{
    bool good = true;
    (void)fflush(stdout);
    for (uint64_t job = 0; job < options->jobs; job++) {
        pid_t child = fork();
        if (child == 0) {
            run_job(board, options, which, job);
        }
        good = good && child > 0;
    }
    for (uint64_t job = 0; job < options->jobs; job++) {
        int status = 0;
        good = wait(&status) > 0 && status == 0 && good;
    }
    return good;
}

static int run_all(const struct options *options)
{
    struct board *board =
        mmap(NULL, sizeof *board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    uint64_t points = 0;
    uint64_t violations = 0;
    size_t scenarios = 0;
    if (board == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    for (size_t i = 0; i < SCENARIO_COUNT && !is_enough(board, options); i++) {
        uint64_t here = 0;
        if (options->only != NULL && strcmp(options->only, SCENARIOS[i].name) != 0) {
            continue;
        }
        uint64_t before = violations;
        scenarios++;
        violations += run_scenario(board, options, i) ? 0 : 1;
        for (int v = 0; v < VARIANT_COUNT; v++) {
            here += board->counts[i][v].points;
            violations += board->counts[i][v].violations;
        }
        points += here;
        (void)printf("%-22s %" PRIu64 " points, %" PRIu64 " violations\n", SCENARIOS[i].name, here,
                     violations - before);
    }
    for (int v = 0; v < VARIANT_COUNT; v++) {
        struct count all = {0};
        for (size_t i = 0; i < SCENARIO_COUNT; i++) {
            all.points += board->counts[i][v].points;
            all.violations += board->counts[i][v].violations;
        }
        (void)printf("%-26s %" PRIu64 " points, %" PRIu64 " violations\n", VARIANTS[v].name,
                     all.points, all.violations);
    }
    (void)printf("%zu scenarios, %d kinds of fault, every %" PRIu64 " from %" PRIu64 ": %" PRIu64
                 " points, %" PRIu64 " violations\n",
                 scenarios, VARIANT_COUNT, options->every, options->offset, points, violations);
    return violations > 0 || points == 0 ? 1 : 0;
}

static bool number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"every", required_argument, NULL, 'e'},
                                            {"offset", required_argument, NULL, 'o'},
                                            {"only", required_argument, NULL, 'n'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"seed", required_argument, NULL, 's'},
                                            {"calls", no_argument, NULL, 'c'},
                                            {"first", no_argument, NULL, 'f'},
                                            {"fault", required_argument, NULL, 'v'},
                                            {NULL, 0, NULL, 0}};
    struct options options = {.every = 1, .jobs = 1, .seed = 1};
    bool good = true;
    for (int c = getopt_long(argc, argv, "", OPTIONS, NULL); c != -1;
         c = getopt_long(argc, argv, "", OPTIONS, NULL)) {
        if (c == 'n') {
            options.only = optarg;
        } else if (c == 'v') {
            options.fault = optarg;
        } else if (c == 'e') {
            good = good && number(optarg, &options.every) && options.every > 0;
        } else if (c == 'o') {
            good = good && number(optarg, &options.offset);
        } else if (c == 'c') {
            memory.shown = true;
        } else if (c == 'f') {
            options.first = true;
        } else if (c == 's') {
            good = good && number(optarg, &options.seed);
        } else if (c == 'j') {
            good = good && number(optarg, &options.jobs) && options.jobs > 0 &&
                   options.jobs <= JOBS_MAX;
        } else {
            good = false;
        }
    }
    if (!good || optind != argc) {
        (void)fprintf(
            stderr,
            "usage: crash [--every N] [--offset K] [--only SCENARIO] [--fault NAME] [--jobs J] "
            "[--seed S] [--first] [--calls]\n");
        return 2;
    }
    register_memory();
    return run_all(&options);
}

/* layer: node store codec */
/* The simulator's program: many seeds over several processes, or one plan again. */
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "checks.h"
#include "steps.h"

enum { JOBS_MAX = 64, SHRINK_RUNS = 300, KEPT_MAX = 20, SEED_LIMIT_S = 120 };

struct options {
    uint64_t seeds;
    uint64_t base;
    int jobs;
    bool first;  /* stop at the first violation */
    bool hashes; /* print the hash of every seed */
    bool words;  /* print what happens */
    bool shrink;
    bool crashes; /* nothing else happens */
    const char *replay;
    const char *commit;
};

struct failure {
    uint64_t seed;
    struct result result;
};

/* What the processes tell each other. */
struct shared {
    struct {
        uint64_t at; /* the place of the seed under way */
        bool done;
    } jobs[JOBS_MAX];
    uint64_t violations;
    struct failure kept[KEPT_MAX];
    uint64_t seeds;
    uint64_t faults;
    uint64_t hosts;
    uint64_t entries;
    uint64_t batches;
    uint64_t messages;
    uint64_t checks;
    uint64_t figures;
    uint64_t excused;
    int64_t slowest_ms;
    uint64_t trace;
};

#define ADD(field, by) ((void)__atomic_add_fetch(&(field), (by), __ATOMIC_SEQ_CST))

static void keep_failure(struct shared *shared, uint64_t seed, const struct result *result)
{
    uint64_t place = __atomic_fetch_add(&shared->violations, 1, __ATOMIC_SEQ_CST);
    if (place < KEPT_MAX) {
        shared->kept[place] = (struct failure){seed, *result};
    }
    (void)printf("seed %" PRIu64 ": %s: %s\n", seed, result->check, result->text);
    (void)fflush(stdout);
}

static void make(struct plan *plan, const struct options *options, uint64_t seed)
{
    (options->crashes ? plan_make_crashes : plan_make)(plan, seed);
}

static void run_one(struct shared *shared, const struct options *options, uint64_t seed)
{
    struct plan plan;
    struct result result;
    uint64_t checks[2];
    uint64_t figures[2];
    checks_counts(&checks[0], &figures[0]);
    make(&plan, options, seed);
    (void)alarm(SEED_LIMIT_S);
    run_plan(&plan, options->words ? stdout : NULL, &result);
    plan_deinit(&plan);
    checks_counts(&checks[1], &figures[1]);
    if (options->hashes) {
        (void)printf("%" PRIu64 " %016" PRIx64 "\n", seed, result.trace);
    }
    if (result.violated) {
        keep_failure(shared, seed, &result);
    }
    ADD(shared->seeds, 1);
    ADD(shared->faults, result.faults);
    ADD(shared->hosts, result.hosts);
    ADD(shared->entries, result.entries);
    ADD(shared->batches, result.batches);
    ADD(shared->messages, result.messages);
    ADD(shared->checks, checks[1] - checks[0]);
    ADD(shared->figures, figures[1] - figures[0]);
    ADD(shared->trace, result.trace);
    ADD(shared->excused, result.excused ? 1 : 0);
    if (!result.excused && result.converged_ms > shared->slowest_ms) {
        shared->slowest_ms = result.converged_ms;
    }
}

/* Every jobs-th seed from `at` on. */
static void work(struct shared *shared, const struct options *options, int job, uint64_t at)
{
    for (; at < options->seeds; at += (uint64_t)options->jobs) {
        shared->jobs[job].at = at;
        if (options->first && shared->violations > 0) {
            break;
        }
        run_one(shared, options, options->base + at);
    }
    shared->jobs[job].done = true;
    (void)fflush(stdout);
    exit(0);
}

static void start_job(struct shared *shared, const struct options *options, int job, uint64_t at,
                      pid_t pids[JOBS_MAX])
{
    (void)fflush(stdout);
    pids[job] = fork();
    if (pids[job] == 0) {
        work(shared, options, job, at);
    }
    if (pids[job] < 0) {
        perror("fork");
        exit(2);
    }
}

/* A process that ended by a signal has violated a promise by itself; its other seeds go on. */
static void run_all(struct shared *shared, const struct options *options)
{
    pid_t pids[JOBS_MAX];
    int running = options->jobs;
    for (int job = 0; job < options->jobs; job++) {
        start_job(shared, options, job, (uint64_t)job, pids);
    }
    while (running > 0) {
        int status;
        pid_t pid = wait(&status);
        int job = 0;
        while (job < options->jobs && pids[job] != pid) {
            job++;
        }
        if (pid < 0 || job == options->jobs) {
            break;
        }
        uint64_t at = shared->jobs[job].at;
        if (shared->jobs[job].done) {
            running--;
            continue;
        }
        bool hang = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
        struct result result = {.violated = true};
        (void)snprintf(result.check, sizeof result.check, "%s", hang ? "hang" : "abort");
        (void)snprintf(result.text, sizeof result.text, "ended with status %x", (unsigned)status);
        keep_failure(shared, options->base + at, &result);
        ADD(shared->seeds, 1);
        start_job(shared, options, job, at + (uint64_t)options->jobs, pids);
    }
}

static void show_smaller(const struct options *options, const struct failure *failure)
{
    struct plan plan;
    struct plan smallest;
    make(&plan, options, failure->seed);
    (void)printf("\n# seed %" PRIu64 "%s%s, check %s; smaller, by tests/sim/run --replay FILE:\n",
                 failure->seed, options->commit[0] != '\0' ? ", commit " : "", options->commit,
                 failure->result.check);
    shrink_plan(&plan, &failure->result, SHRINK_RUNS, &smallest);
    plan_write(&smallest, stdout);
    (void)printf("\n");
    plan_deinit(&smallest);
    plan_deinit(&plan);
}

static double seconds(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int many(const struct options *options)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("mmap");
        return 2;
    }
    double began = seconds();
    run_all(shared, options);
    double took = seconds() - began;
    if (options->shrink) {
        for (uint64_t i = 0; i < shared->violations && i < KEPT_MAX && i < 3; i++) {
            show_smaller(options, &shared->kept[i]);
        }
    }
    double n = shared->seeds > 0 ? (double)shared->seeds : 1;
    (void)printf("base %" PRIu64 ": %.1f nodes, %.1f faults, %.1f entries, %.0f batches, %.0f "
                 "messages, %.0f questions and %.0f figures compared a seed; converged within %.1f "
                 "virtual s; damage named and not put right in %" PRIu64
                 " seeds; %.2f seeds/s on each of %d processes; trace %016" PRIx64 "\n",
                 options->base, (double)shared->hosts / n, (double)shared->faults / n,
                 (double)shared->entries / n, (double)shared->batches / n,
                 (double)shared->messages / n, (double)shared->checks / n,
                 (double)shared->figures / n, (double)shared->slowest_ms / 1000, shared->excused,
                 n / took / options->jobs, options->jobs, shared->trace);
    (void)printf("%" PRIu64 " seeds, %" PRIu64 " violations\n", shared->seeds, shared->violations);
    return shared->violations > 0 ? 1 : 0;
}

static int replay(const struct options *options)
{
    struct plan plan;
    struct result result;
    struct errmsg msg = {{0}};
    FILE *in = fopen(options->replay, "r");
    if (in == NULL) {
        perror(options->replay);
        return 2;
    }
    enum err err = plan_read(&plan, in, &msg);
    (void)fclose(in);
    if (err != ERR_OK) {
        (void)fprintf(stderr, "%s: %s\n", options->replay, msg.text);
        return 2;
    }
    run_plan(&plan, options->words ? stdout : NULL, &result);
    plan_deinit(&plan);
    if (result.violated) {
        (void)printf("%s: %s\n", result.check, result.text);
    }
    (void)printf("trace %016" PRIx64 "\n1 seeds, %d violations\n", result.trace, result.violated);
    return result.violated ? 1 : 0;
}

static int usage(void)
{
    (void)fprintf(stderr,
                  "usage: sim --seeds N --base B [--jobs J] [--crash-only] [--first] "
                  "[--hashes] [--trace] [--no-shrink] [--commit ID] | --replay FILE [--trace]\n");
    return 2;
}

static bool number(const char *text, uint64_t *out)
{
    char *end;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0';
}

int main(int argc, char **argv)
{
    static const struct option OPTIONS[] = {{"seeds", required_argument, NULL, 's'},
                                            {"base", required_argument, NULL, 'b'},
                                            {"jobs", required_argument, NULL, 'j'},
                                            {"crash-only", no_argument, NULL, 'k'},
                                            {"first", no_argument, NULL, 'f'},
                                            {"hashes", no_argument, NULL, 'h'},
                                            {"trace", no_argument, NULL, 't'},
                                            {"no-shrink", no_argument, NULL, 'n'},
                                            {"replay", required_argument, NULL, 'r'},
                                            {"commit", required_argument, NULL, 'c'},
                                            {NULL, 0, NULL, 0}};
    struct options options = {.seeds = 1, .base = 1, .jobs = 1, .shrink = true, .commit = ""};
    uint64_t jobs = 1;
    for (int c = getopt_long(argc, argv, "", OPTIONS, NULL); c != -1;
         c = getopt_long(argc, argv, "", OPTIONS, NULL)) {
        bool good = true;
        switch (c) {
        case 's':
            good = number(optarg, &options.seeds);
            break;
        case 'b':
            good = number(optarg, &options.base);
            break;
        case 'j':
            good = number(optarg, &jobs) && jobs > 0 && jobs <= JOBS_MAX;
            break;
        case 'k':
            options.crashes = true;
            break;
        case 'f':
            options.first = true;
            options.shrink = false;
            break;
        case 'h':
            options.hashes = true;
            break;
        case 't':
            options.words = true;
            break;
        case 'n':
            options.shrink = false;
            break;
        case 'r':
            options.replay = optarg;
            break;
        case 'c':
            options.commit = optarg;
            break;
        default:
            good = false;
            break;
        }
        if (!good) {
            return usage();
        }
    }
    options.jobs = (int)jobs;
    if (optind != argc) {
        return usage();
    }
    return options.replay != NULL ? replay(&options) : many(&options);
}

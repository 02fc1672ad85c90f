#include "plan.h"

#include <inttypes.h>
#include <stdlib.h>

enum {
    LINE_BYTES = 200,
    PEOPLE_MIN = 60,
    PEOPLE_MORE = 60,
    FAULTS_MORE = 12,
    CRASHES_MIN = 35,
    COPIES_PERCENT = 15
};

static const char *const NAMES[STEP_KIND_COUNT] = {
    [STEP_RECORD] = "record",
    [STEP_IMPORT] = "import",
    [STEP_CORRECT] = "correct",
    [STEP_RETRY] = "retry",
    [STEP_WAIT] = "wait",
    [STEP_CATALOGUE] = "catalogue",
    [STEP_UNIT] = "unit",
    [STEP_JOIN] = "join",
    [STEP_LATE_NODE] = "late-node",
    [STEP_KILL] = "kill",
    [STEP_KILL_AT] = "kill-at",
    [STEP_POWER] = "power",
    [STEP_POWER_AT] = "power-at",
    [STEP_RESTART] = "restart",
    [STEP_STORM] = "storm",
    [STEP_SLOW_DISK] = "slow-disk",
    [STEP_DISK_ERROR] = "disk-error",
    [STEP_DISK_FULL] = "disk-full",
    [STEP_DISK_STAYS_FULL] = "disk-stays-full",
    [STEP_BREAK] = "break",
    [STEP_HALF_OPEN] = "half-open",
    [STEP_STALL] = "stall",
    [STEP_ONE_WAY] = "one-way",
    [STEP_APART] = "apart",
    [STEP_PARTITION] = "partition",
    [STEP_SLOW_LINE] = "slow-line",
    [STEP_TWICE] = "twice",
    [STEP_CLOCK_JUMP] = "clock-jump",
    [STEP_CLOCK_DRIFT] = "clock-drift",
    [STEP_CLOCK_YEARS] = "clock-years",
    [STEP_COPY_ROOT] = "copy-root",
    [STEP_COPY_CHILD] = "copy-child",
    [STEP_COPY_LINE] = "copy-line",
    [STEP_LIE] = "lie",
    [STEP_FLIP] = "flip",
    [STEP_SPOIL] = "spoil",
    [STEP_LOSE_FILE] = "lose-file",
    [STEP_CLONE] = "clone",
    [STEP_CLONE_RUNNING] = "clone-running",
    [STEP_SNAPSHOT] = "snapshot",
    [STEP_FORK] = "fork",
    [STEP_TURNS] = "turns",
    [STEP_REISSUE] = "reissue",
};

const char *step_name(enum step_kind kind)
{
    return NAMES[kind];
}

bool plan_is_fault(enum step_kind kind)
{
    return kind >= STEP_FIRST_FAULT;
}

bool plan_has(const struct plan *plan, enum step_kind kind)
{
    for (size_t i = 0; i < plan->step_count; i++) {
        if (plan->steps[i].kind == kind) {
            return true;
        }
    }
    return false;
}

void plan_init(struct plan *plan)
{
    *plan = (struct plan){.seed = 0};
}

void plan_deinit(struct plan *plan)
{
    free(plan->steps);
    plan_init(plan);
}

static void add(struct plan *plan, struct step step)
{
    if (plan->step_count == plan->step_cap) {
        plan->step_cap = plan->step_cap == 0 ? 128 : plan->step_cap * 2;
        plan->steps = realloc(plan->steps, plan->step_cap * sizeof *plan->steps);
        if (plan->steps == NULL) {
            abort();
        }
    }
    size_t at = plan->step_count++;
    for (; at > 0 && plan->steps[at - 1].at_ms > step.at_ms; at--) {
        plan->steps[at] = plan->steps[at - 1];
    }
    plan->steps[at] = step;
}

bool plan_copies(const struct plan *plan)
{
    return plan_has(plan, STEP_COPY_CHILD) || plan_has(plan, STEP_COPY_LINE);
}

void plan_pick(const struct plan *plan, const bool *keep, struct plan *out)
{
    struct plan picked = *plan;
    picked.steps = NULL;
    picked.step_count = 0;
    picked.step_cap = 0;
    for (size_t i = 0; i < plan->step_count; i++) {
        if (keep[i]) {
            add(&picked, plan->steps[i]);
        }
    }
    *out = picked;
}

/* ---- from a seed ---- */

static const enum step_kind RARE[] = {STEP_COPY_ROOT, STEP_COPY_CHILD, STEP_LIE,
                                      STEP_FLIP,      STEP_SPOIL,      STEP_SPOIL,
                                      STEP_LOSE_FILE, STEP_COPY_LINE};

/* Swarm testing (Groce et al., 2012): every seed switches whole classes of faults on or off, and
 * gives those that are on their own weights. What does not heal by itself is rare, and never
 * together: of a root put back, a lost file, flipped bits and changed rows one at most. */
static void choose_classes(struct chance *chance, unsigned weights[STEP_KIND_COUNT])
{
    unsigned on = 0;
    for (int kind = STEP_FIRST_FAULT; kind < STEP_FIRST_COPY; kind++) {
        weights[kind] = chance_percent(chance, 45) ? 1 + (unsigned)chance_below(chance, 9) : 0;
    }
    for (size_t i = 0; i < sizeof RARE / sizeof *RARE; i++) {
        weights[RARE[i]] = 0;
    }
    for (int kind = STEP_FIRST_FAULT; kind < STEP_FIRST_COPY; kind++) {
        on += weights[kind];
    }
    if (on < 5) {
        weights[STEP_KILL_AT] = 5;
        weights[STEP_BREAK] = 5;
    }
}

/* A rare class happens two to four times to the same host. */
static void add_rare(struct plan *plan, struct chance *chance)
{
    uint32_t host = (uint32_t)chance_below(chance, 1 << 20);
    enum step_kind kind = RARE[chance_below(chance, sizeof RARE / sizeof *RARE)];
    for (uint64_t n = 2 + chance_below(chance, 3); n > 0; n--) {
        struct step step = {.kind = kind, .host = host};
        step.at_ms = chance_between(chance, 0, PLAN_LENGTH_MS);
        step.draw = chance_next(chance);
        add(plan, step);
    }
    if (kind == STEP_COPY_ROOT) { /* which the copy has or not */
        add(plan, (struct step){.kind = STEP_CATALOGUE,
                                .at_ms = chance_between(chance, 0, PLAN_LENGTH_MS),
                                .draw = chance_next(chance)});
    }
}

/* What heals: copies of some nodes are put back, disks of others lie. */
static void add_losses(struct plan *plan, struct chance *chance)
{
    for (uint64_t hosts = 1 + chance_below(chance, 4); hosts > 0; hosts--) {
        uint32_t host = (uint32_t)chance_below(chance, 1 << 20);
        uint64_t way = chance_below(chance, 100);
        enum step_kind kind = way < 55 ? STEP_COPY_CHILD : way < 75 ? STEP_COPY_LINE : STEP_LIE;
        for (uint64_t n = 2 + chance_below(chance, 3); n > 0; n--) {
            add(plan, (struct step){.kind = kind,
                                    .host = host,
                                    .at_ms = chance_between(chance, 0, PLAN_LENGTH_MS),
                                    .draw = chance_next(chance)});
        }
    }
}

/* One or two nodes of which there are copies, all steps about one of them with one number. One
 * kind is left to plans by hand: see plans/open. */
static void add_copies(struct plan *plan, struct chance *chance)
{
    static const enum step_kind KINDS[] = {STEP_CLONE, STEP_TURNS, STEP_TURNS, STEP_REISSUE};
    for (uint64_t nodes = 1 + chance_below(chance, 2); nodes > 0; nodes--) {
        uint32_t host = (uint32_t)chance_below(chance, 1 << 20);
        uint64_t way = chance_below(chance, 100);
        enum step_kind first = way < 45   ? STEP_CLONE
                               : way < 75 ? STEP_CLONE_RUNNING
                                          : STEP_SNAPSHOT;
        uint64_t count = 3 + chance_below(chance, 5);
        for (uint64_t i = 0; i < count; i++) {
            enum step_kind kind = KINDS[chance_below(chance, sizeof KINDS / sizeof *KINDS)];
            int64_t at_ms = chance_between(chance, PLAN_LENGTH_MS / 4, PLAN_LENGTH_MS);
            add(plan, (struct step){.kind = i == 0 ? first : kind,
                                    .host = host,
                                    .at_ms = i == 0 ? at_ms / 3 : at_ms,
                                    .draw = chance_next(chance)});
        }
    }
}

static enum step_kind choose(struct chance *chance, const unsigned weights[STEP_KIND_COUNT])
{
    unsigned all = 0;
    int kind = 0;
    for (int i = 0; i < STEP_KIND_COUNT; i++) {
        all += weights[i];
    }
    uint64_t at = chance_below(chance, all);
    while (at >= weights[kind]) {
        at -= weights[kind++];
    }
    return (enum step_kind)kind;
}

static void add_steps(struct plan *plan, struct chance *chance,
                      const unsigned weights[STEP_KIND_COUNT], uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct step step = {.kind = choose(chance, weights)};
        step.at_ms = chance_between(chance, 0, PLAN_LENGTH_MS);
        step.host = (uint32_t)chance_below(chance, 1 << 20);
        step.draw = chance_next(chance);
        add(plan, step);
    }
}

static const unsigned PEOPLE[STEP_KIND_COUNT] = {
    [STEP_RECORD] = 40, [STEP_IMPORT] = 10, [STEP_CORRECT] = 18,
    [STEP_RETRY] = 8,   [STEP_WAIT] = 5,    [STEP_CATALOGUE] = 3,
    [STEP_UNIT] = 5,    [STEP_JOIN] = 4,    [STEP_LATE_NODE] = 3,
};

void plan_make_crashes(struct plan *plan, uint64_t seed)
{
    unsigned crashes[STEP_KIND_COUNT] = {0};
    struct chance chance = chance_for(seed, 4);
    plan_init(plan);
    plan->seed = seed;
    plan->districts = 1 + (uint32_t)chance_below(&chance, 2);
    plan->communes = 3 + (uint32_t)chance_below(&chance, 5);
    plan->hosted = (uint32_t)chance_below(&chance, 2);
    plan->version = (uint32_t)chance_below(&chance, 3);
    plan->in_bytes = chance_percent(&chance, 30);
    for (int kind = STEP_FIRST_FAULT; kind <= STEP_LAST_CRASH; kind++) {
        crashes[kind] = 1 + (unsigned)chance_below(&chance, 9);
    }
    add_steps(plan, &chance, PEOPLE, PEOPLE_MIN / 2 + chance_below(&chance, PEOPLE_MORE / 2));
    add_steps(plan, &chance, crashes, CRASHES_MIN + chance_below(&chance, FAULTS_MORE));
}

void plan_make(struct plan *plan, uint64_t seed)
{
    unsigned faults[STEP_KIND_COUNT] = {0};
    struct chance chance = chance_for(seed, 2);
    plan_init(plan);
    plan->seed = seed;
    plan->districts = 2 + (uint32_t)chance_below(&chance, 4);
    plan->communes = 10 + (uint32_t)chance_below(&chance, 14);
    plan->hosted = (uint32_t)chance_below(&chance, 5);
    plan->version = (uint32_t)chance_below(&chance, 3);
    plan->in_bytes = chance_percent(&chance, 30);
    plan->window = chance_percent(&chance, 25) ? 300 + (uint32_t)chance_below(&chance, 3000) : 0;
    choose_classes(&chance, faults);
    add_steps(plan, &chance, PEOPLE, PEOPLE_MIN + chance_below(&chance, PEOPLE_MORE));
    add_steps(plan, &chance, faults, PLAN_FAULTS_MIN + chance_below(&chance, FAULTS_MORE));
    struct chance copies =
        chance_for(seed, 3); /* of its own, so that all others stay as they are */
    if (chance_percent(&copies, COPIES_PERCENT)) {
        add_copies(plan, &copies);
    } else if (chance_percent(&chance, 40)) {
        add_rare(plan, &chance);
    } else if (chance_percent(&chance, 60)) {
        add_losses(plan, &chance);
    }
}

/* ---- as text ---- */

void plan_write(const struct plan *plan, FILE *out)
{
    (void)fprintf(out,
                  "seed %" PRIu64 "\ndistricts %u\ncommunes %u\nhosted %u\nversion %u\n"
                  "window %u\nbytes %d\n",
                  plan->seed, plan->districts, plan->communes, plan->hosted, plan->version,
                  plan->window, plan->in_bytes ? 1 : 0);
    for (size_t i = 0; i < plan->step_count; i++) {
        const struct step *step = &plan->steps[i];
        (void)fprintf(out, "%" PRId64 " %s %u %" PRIu64 "\n", step->at_ms, NAMES[step->kind],
                      step->host, step->draw);
    }
}

static bool read_field(struct plan *plan, const char *line)
{
    unsigned bytes;
    if (sscanf(line, "bytes %u", &bytes) == 1) {
        plan->in_bytes = bytes != 0;
        return true;
    }
    return sscanf(line, "seed %" SCNu64, &plan->seed) == 1 ||
           sscanf(line, "districts %u", &plan->districts) == 1 ||
           sscanf(line, "communes %u", &plan->communes) == 1 ||
           sscanf(line, "hosted %u", &plan->hosted) == 1 ||
           sscanf(line, "version %u", &plan->version) == 1 ||
           sscanf(line, "window %u", &plan->window) == 1;
}

static bool read_step(struct plan *plan, const char *line)
{
    char name[32];
    struct step step = {.at_ms = 0};
    if (sscanf(line, "%" SCNd64 " %31s %u %" SCNu64, &step.at_ms, name, &step.host, &step.draw) !=
        4) {
        return false;
    }
    for (int kind = 0; kind < STEP_KIND_COUNT; kind++) {
        if (strcmp(NAMES[kind], name) == 0) {
            step.kind = (enum step_kind)kind;
            add(plan, step);
            return true;
        }
    }
    return false;
}

enum err plan_read(struct plan *plan, FILE *in, struct errmsg *msg)
{
    char line[LINE_BYTES];
    int number = 0;
    plan_init(plan);
    while (fgets(line, sizeof line, in) != NULL) {
        number++;
        if (line[0] != '#' && line[0] != '\n' && !read_field(plan, line) &&
            !read_step(plan, line)) {
            plan_deinit(plan);
            return err_fail(msg, ERR_INVALID, "line %d is neither a field nor a step: %.60s",
                            number, line);
        }
    }
    if (plan->districts == 0 || plan->districts > 60 || plan->communes > 400 ||
        plan->hosted > 400 || plan->version > 3) {
        plan_deinit(plan);
        return err_fail(msg, ERR_INVALID, "the shape of the tree is out of range");
    }
    return ERR_OK;
}

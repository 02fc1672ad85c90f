/* A whole run. */
#include "acts.h"
#include "checks.h"
#include "clones.h"
#include "offers.h"
#include "steps.h"

enum { SETTLE_MS = 12000, LOOK_EVERY_MS = 1000, STAYS_MS = 22000, GATHERED_MS = 4000 };
enum { HUSH_MS = 10000, HUSH_MESSAGES = 15 /* of each node in that time */ };

/* ---- the tree ---- */

static void plant_commune(struct world *world, struct host *const districts[],
                          const struct plan *plan, uint32_t number)
{
    char code[CODE_BYTES];
    /* Codes that begin like that of another district: only the tree says what lies where. */
    struct host *district = districts[number % plan->districts];
    const struct host *other = districts[(number + 1) % plan->districts];
    (void)snprintf(code, sizeof code, "%.12s%u", other->code, 100 + number);
    (void)tree_child(world, district, code, "commune");
}

void tree_plant(struct world *world, const struct plan *plan)
{
    struct host *districts[64];
    struct host *root = tree_root(world, "4", "province", (int)plan->version);
    for (uint32_t i = 0; i < plan->districts && !world->violated; i++) {
        char code[CODE_BYTES];
        (void)snprintf(code, sizeof code, i == 0 ? "42" : "42%u", i);
        districts[i] = tree_child(world, root, code, "district");
    }
    for (uint32_t i = 0; i < plan->communes && !world->violated; i++) {
        plant_commune(world, districts, plan, i);
    }
    for (uint32_t i = 0; i < plan->hosted && !world->violated; i++) {
        char code[CODE_BYTES];
        (void)snprintf(code, sizeof code, "c%u", i);
        (void)tree_unit(world, districts[i % plan->districts], code, "commune", "");
    }
}

/* ---- steps ---- */

static void on_step(struct world *world, uint64_t number)
{
    const struct step *step = &world->plan->steps[number];
    if (plan_is_fault(step->kind)) {
        faults_do(world, step);
    } else {
        people_do(world, step);
    }
    struct chance chance = {step->draw + 1};
    for (size_t i = 0; i < world->host_count && !world->violated; i++) {
        checks_times(world, world->hosts[i]);
        checks_cells(world, world->hosts[i]);
    }
    clones_check(world);
    checks_host(world, world->hosts[chance_below(&chance, world->host_count)]);
}

/* A root that was put back has an older catalogue, and an act that failed is done again by people.
 */
static void publish_again(struct world *world)
{
    const struct host *root = world->hosts[0];
    if (world->violated || root->state != HOST_UP || root->items != NULL || root->doubtful) {
        return;
    }
    int version = tree_version(&root->node->view.catalogue);
    if (version < offers_version(world)) {
        acts_publish(world, version + 1);
    }
}

static struct host *damaged_host(const struct world *world)
{
    size_t i = 0;
    while (i < world->host_count && !world->hosts[i]->doubtful) {
        i++;
    }
    return i < world->host_count ? world->hosts[i] : NULL;
}

/* Beside damage that nothing can put right it is enough that it is named; all others converge. */
static void too_long(struct world *world, char *why, size_t size)
{
    world->current = checks_converged(world, false, why, size) ? damaged_host(world) : NULL;
    world_violate(world, "live", "%d s after the last fault: %s", CONVERGENCE_LIMIT_MS / 1000, why);
    world->current = NULL;
}

/* Until all have converged and have stayed so for that long; false after the time that is given. */
static bool wait_converged(struct world *world, int64_t stays_ms)
{
    char why[TEXT_BYTES] = "";
    int64_t begun = world->now_us;
    int64_t since = -1;
    while (!world->violated && (since < 0 || world->now_us - since < stays_ms * MS_US)) {
        world_run_until(world, world->now_us + LOOK_EVERY_MS * MS_US);
        publish_again(world);
        bool there = !world->violated && checks_converged(world, true, why, sizeof why);
        since = !there ? -1 : since < 0 ? world->now_us : since;
        if (since < 0 && world->now_us - begun > (int64_t)CONVERGENCE_LIMIT_MS * MS_US) {
            too_long(world, why, sizeof why);
            return false;
        }
    }
    return !world->violated;
}

/* Whatever has happened: nodes that nothing is wrong with take what people record. */
static void record_everywhere(struct world *world)
{
    for (size_t i = 0; i < world->host_count; i++) {
        struct host *host = world->hosts[i];
        if (host->state == HOST_UP && !checks_apart(host) &&
            catalogue_measure(&host->node->view.catalogue, "raised") != NULL) {
            acts_record(world, host, host->code, "raised", 1)->sound = true;
        }
    }
}

/* Converged, and still so when people have recorded once more and the nodes have had time to look
 * at their files and at silent links. */
static void converge(struct world *world, struct result *result)
{
    int64_t begun = world->now_us;
    bool there = wait_converged(world, 0);
    result->converged_ms = (world->now_us - begun) / MS_US;
    if (there) {
        record_everywhere(world);
        (void)wait_converged(world, STAYS_MS);
        offers_answered(world);
    }
}

/* Machines that are aside get the identity one after the other: each time all that the machine and
 * its office have comes together. */
static void gather(struct world *world)
{
    clones_converged(world);
    for (struct host *host = clones_to_reissue(world); host != NULL && !world->violated;
         host = clones_to_reissue(world)) {
        offers_reissue(world, host);
        (void)wait_converged(world, GATHERED_MS);
        clones_converged(world);
    }
}

/* Damage that cannot be put right must not keep the lines busy: what is asked for again and again
 * comes to an end. */
static void fall_silent(struct world *world)
{
    uint64_t before = world->messages;
    world_run_until(world, world->now_us + HUSH_MS * MS_US);
    uint64_t said = world->messages - before;
    if (!world->violated && said > 100 + HUSH_MESSAGES * world->host_count) {
        world->current = damaged_host(world); /* one that fails again and again says so */
        world_violate(world, "silent", "%llu messages in %d s, long after the last fault",
                      (unsigned long long)said, HUSH_MS / 1000);
    }
}

void run_end(struct world *world, struct result *result)
{
    faults_heal(world);
    converge(world, result);
    gather(world);
    if (!world->violated) {
        checks_end(world);
    }
    if (!world->violated) {
        fall_silent(world);
    }
    checks_doubt(world);
    result->excused = world->excused;
}

void run_plan(const struct plan *plan, FILE *out, struct result *result)
{
    struct world *world = world_new(plan->seed, true);
    *result = (struct result){.violated = false};
    world->out = out;
    world->plan = plan;
    world->in_bytes = plan->in_bytes;
    world->window = plan->window;
    world->on_step = on_step;
    tree_keep_empty(world);
    tree_plant(world, plan);
    world_run_until(world, world->now_us + SETTLE_MS * MS_US);
    for (size_t i = 0; i < plan->step_count; i++) {
        world_event(world, world->now_us + plan->steps[i].at_ms * MS_US, EVENT_STEP, NULL, i);
    }
    world_run_until(world, world->now_us + (int64_t)PLAN_LENGTH_MS * MS_US + 1);
    if (!world->violated) {
        run_end(world, result);
    }
    result->violated = world->violated;
    (void)snprintf(result->check, sizeof result->check, "%s", world->check);
    (void)snprintf(result->text, sizeof result->text, "%s", world->text);
    result->trace = world->trace;
    result->faults = world->faults;
    result->hosts = world->host_count;
    result->batches = world->batches;
    result->messages = world->messages;
    for (size_t i = 0; i < world->host_count; i++) {
        result->entries += offers_fact_count(world->hosts[i]);
    }
    world_free(world);
}

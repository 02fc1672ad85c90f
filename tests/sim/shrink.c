/* A smaller plan that fails in the same way: delta debugging (Zeller, Hildebrandt, 2002). Parts of
 * the steps are left out, from halves down to single ones, as long as the same check is violated.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "steps.h"

enum { RUN_LIMIT_S = 120 };

/* A program that ends by a signal takes only itself with it. */
void run_plan_apart(const struct plan *plan, struct result *result)
{
    struct result *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = 0;
    if (shared == MAP_FAILED) {
        abort();
    }
    *shared = (struct result){.violated = true};
    (void)snprintf(shared->check, sizeof shared->check, "abort");
    (void)fflush(NULL); /* else both would write it */
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(RUN_LIMIT_S);
        run_plan(plan, NULL, shared);
        exit(0);
    }
    if (child < 0 || waitpid(child, &status, 0) != child) {
        abort();
    }
    if (WIFSIGNALED(status)) {
        *shared = (struct result){.violated = true};
        (void)snprintf(shared->check, sizeof shared->check,
                       WTERMSIG(status) == SIGALRM ? "hang" : "abort");
        (void)snprintf(shared->text, sizeof shared->text, "ended by signal %d", WTERMSIG(status));
    }
    *result = *shared;
    (void)munmap(shared, sizeof *shared);
}

static bool still_fails(const struct plan *plan, const bool *keep, const struct result *found)
{
    struct plan smaller;
    struct result result;
    plan_pick(plan, keep, &smaller);
    run_plan_apart(&smaller, &result);
    plan_deinit(&smaller);
    return result.violated && strcmp(result.check, found->check) == 0;
}

void shrink_plan(const struct plan *plan, const struct result *found, int limit,
                 struct plan *smallest)
{
    size_t n = plan->step_count;
    bool *keep = malloc(n + 1);
    bool *tried = malloc(n + 1);
    if (keep == NULL || tried == NULL) {
        abort();
    }
    memset(keep, true, n + 1);
    for (size_t part = n / 2; part > 0 && limit > 0; part /= 2) {
        bool less = true;
        while (less && limit > 0) {
            less = false;
            for (size_t at = 0; at < n && limit > 0; at += part) {
                size_t gone = 0;
                memcpy(tried, keep, n + 1);
                for (size_t i = at; i < at + part && i < n; i++) {
                    gone += tried[i];
                    tried[i] = false;
                }
                if (gone > 0 && limit-- > 0 && still_fails(plan, tried, found)) {
                    memcpy(keep, tried, n + 1);
                    less = true;
                }
            }
        }
    }
    plan_pick(plan, keep, smallest);
    free(keep);
    free(tried);
}

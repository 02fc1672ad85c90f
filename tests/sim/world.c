/* Time: a heap of events, each with the time and the order in which it was made, so that equal
 * times never leave anything to chance. And the trace: a hash over all that happens, and the words
 * for it. */
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clones.h"
#include "offers.h"

static bool before(const struct event *a, const struct event *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->order < b->order;
}

void world_event(struct world *world, int64_t at_us, enum event_kind kind, struct host *host,
                 uint64_t number)
{
    if (world->event_count == world->event_cap) {
        size_t cap = world->event_cap == 0 ? 256 : world->event_cap * 2;
        struct event *events = realloc(world->events, cap * sizeof *events);
        if (events == NULL) {
            abort();
        }
        world->events = events;
        world->event_cap = cap;
    }
    struct event event = {.at_us = at_us < world->now_us ? world->now_us : at_us,
                          .order = ++world->order,
                          .kind = kind,
                          .host = host,
                          .number = number};
    size_t at = world->event_count++;
    while (at > 0 && before(&event, &world->events[(at - 1) / 2])) {
        world->events[at] = world->events[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    world->events[at] = event;
}

static struct event take_event(struct world *world)
{
    struct event first = world->events[0];
    struct event last = world->events[--world->event_count];
    size_t at = 0;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= world->event_count) {
            break;
        }
        if (child + 1 < world->event_count &&
            before(&world->events[child + 1], &world->events[child])) {
            child++;
        }
        if (!before(&world->events[child], &last)) {
            break;
        }
        world->events[at] = world->events[child];
        at = child;
    }
    world->events[at] = last;
    return first;
}

static void tick(struct world *world, struct host *host)
{
    if (host->state == HOST_UP) {
        host_give(world, host, (struct item){.kind = ITEM_TICK});
        world_event(world, world->now_us + world->tick_us, EVENT_TICK, host, 0);
    } else {
        host->ticks = false;
    }
}

static void happen(struct world *world, const struct event *event)
{
    switch (event->kind) {
    case EVENT_TURN:
        host_turn(world, event->host);
        break;
    case EVENT_TICK:
        tick(world, event->host);
        break;
    case EVENT_ARRIVE:
        line_arrive(world, event->number);
        break;
    case EVENT_DIAL:
        host_dial(world, event->host);
        break;
    case EVENT_START:
        if (event->host->starts_again && event->host->process == event->number) {
            event->host->starts_again = false;
            host_start(world, event->host);
        }
        break;
    case EVENT_STEP:
    case EVENT_CALL:
        world->on_step(world, event->number);
        break;
    case EVENT_JOIN:
        world->join_due = false;
        offers_join_again(world);
        break;
    }
}

void world_run_until(struct world *world, int64_t until_us)
{
    while (!world->violated && world->event_count > 0 && world->events[0].at_us <= until_us) {
        struct event event = take_event(world);
        world->now_us = event.at_us;
        world->current = event.host;
        happen(world, &event);
    }
    world->current = NULL;
    world->now_us = world->now_us < until_us ? until_us : world->now_us;
}

void world_violate(struct world *world, const char *check, const char *fmt, ...)
{
    if (world->violated) {
        return;
    }
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    bool damage = world->healing && !world->spoiled && world->current != NULL &&
                  host_near_damage(world->current);
    world_trace(world, "%s %s: %s", damage ? "DOUBT" : "VIOLATION", check, text);
    if (damage && world->doubt.is) {
        return;
    }
    (void)snprintf(damage ? world->doubt.check : world->check, CODE_BYTES, "%s", check);
    (void)snprintf(damage ? world->doubt.text : world->text, TEXT_BYTES, "%s", text);
    *(damage ? &world->doubt.is : &world->violated) = true;
}

void world_note(struct world *world, uint64_t value)
{
    world->trace = (world->trace ^ value) * 0x9fb21c651e98df25u;
    world->trace ^= world->trace >> 32;
}

void world_trace(struct world *world, const char *fmt, ...)
{
    char line[TEXT_BYTES];
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(line, sizeof line, fmt, args);
    va_end(args);
    world_note(world, (uint64_t)world->now_us);
    world_note(world, map_hash(line, strlen(line)));
    if (world->out != NULL) {
        (void)fprintf(world->out, "%9.3f  %s\n", (double)world->now_us / SECOND_US, line);
    }
}

struct world *world_new(uint64_t seed, bool keeps_history)
{
    struct world *world = calloc(1, sizeof *world);
    if (world == NULL) {
        abort();
    }
    struct chance chance = chance_for(seed, 1);
    disk_register();
    disk_random_seed(seed);
    world->seed = seed;
    world->keeps_history = keeps_history;
    world->tick_us = SECOND_US;
    world->model = model_new();
    world->offers = offers_new();
    map_init(&world->lines, sizeof(uint64_t), sizeof(struct line *));
    world->wall_base_ms = (int64_t)day_from_civil(2025, 3, 15) * DAY_MS + 36000000;
    chance_fill(&chance, world->tree.b, sizeof world->tree.b);
    return world;
}

void world_free(struct world *world)
{
    clones_free(world);
    for (size_t i = 0; i < world->host_count; i++) {
        host_free(world->hosts[i]);
    }
    disk_free(world->empty);
    lines_free(world);
    while (world->joinings != NULL) {
        struct joining *next = world->joinings->next;
        free(world->joinings);
        world->joinings = next;
    }
    offers_free(world->offers);
    model_free(world->model);
    map_deinit(&world->lines);
    free(world->hosts);
    free(world->events);
    free(world);
}

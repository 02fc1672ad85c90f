#include "acts.h"

#include "offers.h"

struct offer *acts_record(struct world *world, struct host *host, const char *unit,
                          const char *measure, int rows)
{
    struct offer *offer = offers_make(world, host, OFFER_RECORD);
    offer->must = true;
    for (int i = 0; i < rows; i++) {
        struct offer_row *row = offers_add_row(offer);
        row->number = 100 + i;
        row->day = day_from_civil(2025, 1 + i % 3, 1 + i % 20);
        (void)snprintf(row->unit, sizeof row->unit, "%s", unit);
        (void)snprintf(row->measure, sizeof row->measure, "%s", measure);
        (void)snprintf(row->value, sizeof row->value, "%d", 100 + i);
        (void)snprintf(row->key, sizeof row->key, "k%llu.%d", (unsigned long long)offer->id, i);
    }
    offers_give(world, offer);
    return offer;
}

void acts_correct(struct world *world, struct host *host, size_t place, bool is_void)
{
    const struct fact *fact = offers_fact(host, place);
    if (fact == NULL) {
        return;
    }
    struct offer *offer = offers_make(world, host, OFFER_CORRECT);
    struct offer_row *row = offers_add_row(offer);
    offer->must = true;
    offer->refers = place;
    offer->is_void = is_void;
    row->number = 7;
    row->day = fact->day;
    (void)snprintf(row->unit, sizeof row->unit, "%s", fact->unit);
    (void)snprintf(row->measure, sizeof row->measure, "%s", fact->measure);
    (void)snprintf(row->value, sizeof row->value, "7");
    offers_give(world, offer);
}

void acts_publish(struct world *world, int version)
{
    struct offer *offer = offers_make(world, world->hosts[0], OFFER_APPLY);
    offer->version = version;
    offer->must = true;
    offers_give(world, offer);
}

void acts_unit(struct world *world, struct host *host, const char *code)
{
    struct offer *offer = offers_make(world, host, OFFER_UNIT);
    offer->must = true;
    (void)snprintf(offer->code, sizeof offer->code, "%s", code);
    (void)snprintf(offer->level, sizeof offer->level, "branch");
    offers_give(world, offer);
}

bool acts_no_catalogue(struct world *world, struct line *line, int to, struct message *message)
{
    (void)line;
    return world != NULL && (to != PARENT_END || message->type != MESSAGE_CATALOGUE);
}

#include "node/retired.h"

#include <string.h>

/* Under which name the store keeps it. */
static const char *fact_name(struct node *node, const struct measure *measure)
{
    return arena_printf(&node->arena, "retired:%s", measure->code);
}

/* What of a measure never changes, as one text. */
static const char *form_of(struct node *node, const struct measure *measure)
{
    const char *form = arena_printf(&node->arena, "%s, decimals %d, by the %s, categories",
                                    measure->kind == MEASURE_STOCK ? "stock" : "flow",
                                    measure->decimals, frequency_name(measure->frequency));
    for (size_t i = 0; i < measure->dimension_count && form != NULL; i++) {
        form = arena_printf(&node->arena, "%s %s", form, measure->dimensions[i]);
    }
    return form != NULL && measure->dimension_count == 0
               ? arena_printf(&node->arena, "%s none", form)
               : form;
}

static enum err check_one(struct node *node, const struct measure *measure, struct errmsg *msg)
{
    struct bytes kept;
    const char *name = fact_name(node, measure);
    const char *form = form_of(node, measure);
    if (name == NULL || form == NULL) {
        return ERR_NO_MEMORY;
    }
    enum err err = store_fact_blob(node->store, name, &node->arena, &kept);
    if (err == ERR_NOT_FOUND) {
        return ERR_OK;
    }
    TRY(err);
    if (kept.len == strlen(form) && memcmp(kept.data, form, kept.len) == 0) {
        return ERR_OK;
    }
    return err_fail(msg, ERR_REFUSED,
                    "measure %s was published before as another one (%.*s), which offices may have "
                    "recorded; publish a new code, such as %s_2",
                    measure->code, (int)kept.len, (const char *)kept.data, measure->code);
}

enum err retired_check(struct node *node, const struct catalogue *next, struct errmsg *msg)
{
    for (size_t i = 0; i < next->measure_count; i++) {
        if (catalogue_measure(&node->view.catalogue, next->measures[i].code) == NULL) {
            TRY(check_one(node, &next->measures[i], msg));
        }
    }
    return ERR_OK;
}

enum err retired_keep(struct node *node, const struct catalogue *next)
{
    const struct catalogue *old = &node->view.catalogue;
    for (size_t i = 0; i < old->measure_count; i++) {
        const struct measure *measure = &old->measures[i];
        if (catalogue_measure(next, measure->code) != NULL) {
            continue;
        }
        const char *name = fact_name(node, measure);
        const char *form = form_of(node, measure);
        if (name == NULL || form == NULL) {
            return ERR_NO_MEMORY;
        }
        TRY(node_write(node));
        TRY(store_fact_set_blob(node->store, name, form, strlen(form)));
    }
    return ERR_OK;
}

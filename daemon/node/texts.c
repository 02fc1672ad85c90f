#include "node/texts.h"

enum { ARENA_MAX_BYTES = 64 << 20, KEPT_BYTES = 1 << 20 };

void texts_init(struct texts *texts, struct store *store)
{
    texts->store = store;
    map_init(&texts->by_id, sizeof(int64_t), sizeof(const char *));
    arena_init(&texts->arena, ARENA_MAX_BYTES);
}

void texts_deinit(struct texts *texts)
{
    map_deinit(&texts->by_id);
    arena_reset(&texts->arena);
}

void texts_clear(struct texts *texts)
{
    map_clear(&texts->by_id);
    arena_reset(&texts->arena);
}

void texts_trim(struct texts *texts)
{
    if (texts->arena.taken_bytes > KEPT_BYTES) {
        texts_clear(texts);
    }
}

enum err texts_get(struct texts *texts, int64_t symbol, const char **out)
{
    const char **known = map_get(&texts->by_id, &symbol);
    if (known != NULL) {
        *out = *known;
        return ERR_OK;
    }
    const char *loaded;
    TRY(store_symbol_text(texts->store, symbol, &texts->arena, &loaded));
    known = map_put(&texts->by_id, &symbol, NULL);
    if (known == NULL) {
        return ERR_NO_MEMORY;
    }
    *known = loaded;
    *out = loaded;
    return ERR_OK;
}

/*
 * The end of a tick. Lines come first: their metric filters put data points, which go straight to their rows here, where no notes can be made any more.
 *
 * Each row that the tick's data points touch is encoded and staged once. It is kept decoded for the next tick: a busy minute's row would otherwise be read, decoded and made anew by
 * every tick that adds to it.
 */
#include "watch/seal.h"

#include "base/assert.h"
#include "watch/cache.h"
#include "watch/metric_note.h"

#include <stdlib.h>

#define SCRATCH_LIMIT ((size_t)16 << 20)

int watch_house_create(struct watch_house **out, uint64_t series_max)
{
    struct watch_house *house = *out = calloc(1, sizeof(*house));
    if (!house)
        return ERR_MEMORY;
    int code = watch_cache_create(&house->cache, series_max ? series_max : WATCH_SERIES_MAX);
    if (code) {
        free(house);
        *out = NULL;
    }
    return code;
}

void watch_house_destroy(struct watch_house *house)
{
    if (!house)
        return;
    if (house->logs && house->logs_destroy)
        house->logs_destroy(house->logs);
    watch_cache_destroy(house->cache);
    free(house);
}

void watch_house_hooks(struct watch_house *house, struct tick_config *config)
{
    config->on_seal = watch_seal;
    config->on_unseal = watch_unseal;
    config->seal_context = house;
}

struct watch_house *watch_house_of(const struct tick *tick)
{
    struct watch_house *house = tick_seal_context(tick);
    ASSERT(house); /* a tick without a house has no metrics and no logs */
    return house;
}

static int seal_metrics(struct watch_house *house, struct tick *tick, const struct tick_note *first)
{
    struct arena scratch;
    int code = 0;
    arena_init(&scratch, 4096, SCRATCH_LIMIT);
    for (const struct tick_note *note = first; note && !code; note = note->next)
        if (note->kind == WATCH_NOTE_METRIC)
            code = watch_metric_note_add(house->cache, tick, &scratch, (const struct watch_metric_note *)note->data);
    arena_fini(&scratch);
    return code ? code : watch_cache_rows_stage(house->cache, tick);
}

int watch_seal(void *context, struct tick *tick, const struct tick_note *first)
{
    struct watch_house *house = context;
    house->sealing = true;
    int code = watch_log_seal(tick, first);
    if (code >= 0)
        code = seal_metrics(house, tick, first);
    house->sealing = false;
    return code;
}

void watch_unseal(void *context)
{
    struct watch_house *house = context;
    watch_cache_forget(house->cache);
    if (house->logs && house->logs_forget)
        house->logs_forget(house->logs);
}

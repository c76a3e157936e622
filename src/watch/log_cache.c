/*
 * What the state thread remembers of groups and streams, so that a put reads no row: most puts go to the streams that the last ones went to.
 *
 * The rows are the truth, and calls may be undone. So the rule is: a call that writes any row of a group or stream makes all of it forgotten, and until that tick's end nothing
 * is remembered: puts read the rows, which lie in the stage. What is remembered is therefore either a row that was there before the tick, or what the seal has written, behind
 * which nothing is undone; and should the journal refuse the tick after all, it is forgotten once more (logs_forget). Such writes are rare: a stream is made once a day.
 *
 * Packing is not rare, and what it changes of a stream's row no put looks at. So a packed stream stays where it is, with a mark, and the seal reads its row again: an undone packing
 * costs that look and nothing else. Rows that puts read in that tick may be those of the packing, so they are not remembered.
 */
#include "watch/log_inside.h"

#include "watch/seal.h"
#include <stdlib.h>

#define SEAL_ARENA ((size_t)64 << 20)

static void forget_streams(struct log_house *house)
{
    struct log_cached *cached;
    if (!house->cached.count)
        return;
    for (size_t at = 0; (cached = map_next(&house->cached, &at));)
        free(cached);
    map_fini(&house->cached);
    map_init(&house->cached);
}

static void forget(void *logs)
{
    struct log_house *house = logs;
    forget_streams(house);
    log_filters_forget(house);
    house->waiting = 0; /* what was counted is perhaps not there */
}

static void destroy(void *logs)
{
    struct log_house *house = logs;
    forget(house);
    map_fini(&house->cached);
    map_fini(&house->filters);
    map_fini(&house->open);
    map_fini(&house->touched);
    arena_fini(&house->arena);
    buf_fini(&house->tail);
    buf_fini(&house->packed);
    log_packer_fini(&house->packer);
    log_space_fini(&house->space);
    free(house);
}

struct log_house *log_house_of(struct tick *tick)
{
    struct watch_house *all = watch_house_of(tick);
    if (!all)
        return NULL;
    if (all->logs)
        return all->logs;
    struct log_house *house = calloc(1, sizeof(*house));
    if (!house)
        return NULL;
    map_init(&house->cached);
    map_init(&house->filters);
    map_init(&house->open);
    map_init(&house->touched);
    arena_init(&house->arena, 64 << 10, SEAL_ARENA);
    buf_init(&house->tail, LOG_BLOCK_HEADER + LOG_BLOCK_MAX);
    buf_init(&house->packed, LOG_PACKED_MAX);
    log_space_init(&house->space);
    all->logs = house;
    all->logs_forget = forget;
    all->logs_destroy = destroy;
    return house;
}

static struct text cache_key(char *out, struct text group, struct text stream)
{
    memcpy(out, group.data, group.len);
    out[group.len] = 0;
    memcpy(out + group.len + 1, stream.data, stream.len);
    return text_make(out, group.len + 1 + stream.len);
}

struct log_cached *log_cache_find(struct log_house *house, struct text group, struct text stream)
{
    char key[2 * WATCH_LOG_NAME_MAX + 1];
    if (!group.len || !stream.len || group.len > WATCH_LOG_NAME_MAX || stream.len > WATCH_LOG_NAME_MAX)
        return NULL;
    return map_get(&house->cached, cache_key(key, group, stream));
}

void log_cache_keep(struct log_house *house, const struct watch_log_group *group, const struct watch_log_stream *stream)
{
    struct log_cached *cached = log_cache_find(house, group->name, stream->name);
    if (cached) {
        struct text name = cached->stream.name;
        cached->group = group->id;
        cached->filters = group->filters;
        cached->subscriptions = group->subscriptions;
        cached->stream = *stream;
        cached->stream.name = name;
        cached->packed = false;
        return;
    }
    if (house->cached.count >= LOG_CACHED_MAX)
        forget_streams(house);
    cached = malloc(sizeof(*cached) + group->name.len + 1 + stream->name.len);
    if (!cached)
        return;
    *cached = (struct log_cached){.group = group->id, .filters = group->filters, .subscriptions = group->subscriptions, .stream = *stream};
    cached->key = cache_key(cached->bytes, group->name, stream->name);
    cached->stream.name = text_make(cached->bytes + group->name.len + 1, stream->name.len);
    if (map_put(&house->cached, cached->key, cached, NULL))
        free(cached);
}

bool log_cache_settled(const struct log_house *house, const struct tick *tick)
{
    return house->changed != tick_sequence(tick);
}

void log_cache_changed(struct tick *tick)
{
    struct log_house *house = log_house_of(tick);
    if (!house)
        return;
    house->changed = tick_sequence(tick);
    forget_streams(house);
}

void log_cache_packed(struct tick *tick, struct text group, struct text stream)
{
    struct log_house *house = log_house_of(tick);
    struct log_cached *cached = house ? log_cache_find(house, group, stream) : NULL;
    if (cached)
        cached->packed = true;
    if (house)
        house->changed = tick_sequence(tick);
}

void log_filters_changed(struct tick *tick, uint64_t group)
{
    struct log_house *house = log_house_of(tick);
    char id[8];
    memcpy(id, &group, sizeof(id));
    struct log_filters *filters = house ? map_delete(&house->filters, text_make(id, sizeof(id))) : NULL;
    if (filters)
        log_filters_free(filters);
}

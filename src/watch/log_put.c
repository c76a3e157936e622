/*
 * Putting events. What can refuse a put is decided in its call: names, sizes, whether there is such a stream, whether packing keeps up. The events themselves are a note of the
 * tick (log_seal.c): all that one stream gets in a tick is written at once when the tick ends, one row and not one for each put.
 */
#include "watch/log_inside.h"

#include "base/counter.h"

static int find_or_make(struct tick *tick, struct arena *arena, const struct watch_log_put *put, struct text name, struct watch_log_group *group, struct watch_log_stream *stream)
{
    struct store_view *view = tick_view(tick);
    bool make = put->flags & WATCH_LOG_CREATE;
    int code = watch_log_group_get(view, arena, name, group);
    if (code == ERR_NOT_FOUND && make) {
        *group = (struct watch_log_group){.name = name, .retention_days = WATCH_LOG_OWN_RETENTION_DAYS};
        code = watch_log_group_create(tick, arena, group);
    }
    if (code)
        return code;
    code = watch_log_stream_get(view, arena, group, put->stream, stream);
    return code == ERR_NOT_FOUND && make ? watch_log_stream_create(tick, arena, group, put->stream, stream) : code;
}

/* ERR_FULL: the stream's packing, or the group's delivery, has not kept up. */
static int find_target(struct tick *tick, struct arena *arena, struct log_house *house, const struct watch_log_put *put, struct text name, struct log_target *target)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    const struct log_cached *cached = log_cache_find(house, name, put->stream);
    uint64_t tail_bytes = cached ? cached->stream.tail_bytes : 0;
    bool subscribed = cached && cached->subscriptions; /* its events are delivered somewhere */
    if (cached) {
        *target = (struct log_target){cached->group, cached->stream.id};
    } else {
        struct arena_mark mark = arena_mark(arena);
        int code = find_or_make(tick, arena, put, name, &group, &stream);
        if (!code && log_cache_settled(house, tick))
            log_cache_keep(house, &group, &stream);
        arena_rewind(arena, mark);
        if (code)
            return code;
        *target = (struct log_target){group.id, stream.id};
        tail_bytes = stream.tail_bytes;
        subscribed = group.subscriptions;
    }
    if (tail_bytes <= WATCH_LOG_TAIL_MAX && (!subscribed || house->waiting <= WATCH_LOG_DELIVERIES_MAX))
        return 0;
    counter_add(COUNTER_logs_puts_refused, 1);
    return ERR_FULL;
}

int watch_log_put(struct tick *tick, struct arena *arena, const struct watch_log_put *put)
{
    struct log_target target[LOG_TARGETS] = {{0}};
    struct log_house *house = log_house_of(tick);
    if (!put->count)
        return 0;
    if (!house)
        return ERR_MEMORY;
    for (size_t i = 0; i < put->count; i++) {
        if (put->event[i].place.time_ms < 0)
            return ERR_INVALID;
        if (put->event[i].message.len > WATCH_LOG_MESSAGE_MAX)
            return ERR_TOO_LARGE;
    }
    int code = find_target(tick, arena, house, put, put->group, &target[0]);
    if (!code && put->also.len)
        code = find_target(tick, arena, house, put, put->also, &target[1]);
    if (code)
        return code;
    counter_add(COUNTER_logs_events_put, (int64_t)(put->also.len ? 2 * put->count : put->count));
    return log_note(tick, put, target);
}

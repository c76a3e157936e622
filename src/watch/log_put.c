/*
 * Putting events. What can refuse a put is decided in its call: names, sizes, whether there is such a stream, whether packing keeps up. The events themselves are a note of the
 * tick (log_seal.c): all that one stream gets in a tick is written at once when the tick ends, one row and not one for each put.
 */
#include "watch/log_inside.h"

#include "base/counter.h"

static int find_or_make(struct tick *tick, struct arena *arena, const struct watch_log_put *put, struct watch_log_group *group, struct watch_log_stream *stream)
{
    struct store_view *view = tick_view(tick);
    bool make = put->flags & WATCH_LOG_CREATE;
    int code = watch_log_group_get(view, arena, put->group, group);
    if (code == ERR_NOT_FOUND && make) {
        *group = (struct watch_log_group){.name = put->group, .retention_days = WATCH_LOG_OWN_RETENTION_DAYS};
        code = watch_log_group_create(tick, arena, group);
    }
    if (code)
        return code;
    code = watch_log_stream_get(view, arena, group, put->stream, stream);
    return code == ERR_NOT_FOUND && make ? watch_log_stream_create(tick, arena, group, put->stream, stream) : code;
}

struct target {
    uint64_t group, stream;
    uint64_t tail_bytes;
};

static int find_target(struct tick *tick, struct arena *arena, struct log_house *house, const struct watch_log_put *put, struct target *target)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    const struct log_cached *cached = log_cache_find(house, put->group, put->stream);
    if (cached) {
        *target = (struct target){cached->group, cached->stream.id, cached->stream.tail_bytes};
        return 0;
    }
    struct arena_mark mark = arena_mark(arena);
    int code = find_or_make(tick, arena, put, &group, &stream);
    if (!code && log_cache_settled(house, tick))
        log_cache_keep(house, &group, &stream);
    *target = code ? (struct target){0} : (struct target){group.id, stream.id, stream.tail_bytes};
    arena_rewind(arena, mark);
    return code;
}

int watch_log_put(struct tick *tick, struct arena *arena, const struct watch_log_put *put)
{
    struct target target;
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
    int code = find_target(tick, arena, house, put, &target);
    if (code)
        return code;
    if (target.tail_bytes > WATCH_LOG_TAIL_MAX) {
        counter_add(COUNTER_logs_puts_refused, 1);
        return ERR_FULL;
    }
    counter_add(COUNTER_logs_events_put, (int64_t)put->count);
    return log_note(tick, put, target.group, target.stream);
}

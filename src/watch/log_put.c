/*
 * Putting events. The events of one tick and stream share a tail row, as long as it is small: a row costs more than a line does. What the row held is written again with the
 * new event at its end, so rows stay below a size at which that copying would show.
 */
#include "watch/log_inside.h"

#include "base/counter.h"

#define BUCKET_BYTES ((size_t)8 << 10) /* of text, above which a tail takes no further call's events */
#define PACK_ROWS 256                  /* tails of a stream that are packed at once rather than soon */

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

/* The tail of this tick that still takes events, or a new one, empty. */
static int tail_open(struct tick *tick, struct arena *arena, const struct watch_log_group *group, struct watch_log_stream *stream, struct buf *tail)
{
    struct text value;
    uint64_t sequence = tick_sequence(tick);
    buf_clear(tail);
    if (stream->tail_sequence == sequence && stream->tail_rows) {
        struct log_key key = log_tail_key(group->id, stream->id, sequence, stream->tail_bucket);
        int code = store_raw_get(tick_view(tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&key), arena, &value);
        if (code && code != ERR_NOT_FOUND)
            return code;
        if (!code && value.len < BUCKET_BYTES) {
            stream->tail_rows--;
            stream->tail_bytes -= value.len < stream->tail_bytes ? value.len : stream->tail_bytes;
            return buf_add_text(tail, value);
        }
        if (stream->tail_bucket == UINT16_MAX)
            return ERR_FULL;
        stream->tail_bucket++;
        return 0;
    }
    stream->tail_bucket = 0;
    stream->tail_sequence = sequence;
    return 0;
}

static int tail_close(struct tick *tick, const struct watch_log_group *group, struct watch_log_stream *stream, struct buf *tail)
{
    struct log_key key = log_tail_key(group->id, stream->id, stream->tail_sequence, stream->tail_bucket);
    log_block_seal(tail);
    stream->tail_rows++;
    stream->tail_bytes += tail->len;
    return store_raw_put(tick_stage(tick), STORE_SPACE_LOG_CHUNKS, log_key_text(&key), buf_text(tail));
}

static int add_events(struct tick *tick, struct arena *arena, const struct watch_log_put *put, const struct watch_log_group *group, struct watch_log_stream *stream,
    struct buf *tail)
{
    int64_t now = tick_now_ms(tick);
    int code = tail_open(tick, arena, group, stream, tail);
    for (size_t i = 0; i < put->count && !code; i++) {
        struct watch_log_event event = put->event[i];
        event.ingested_ms = now;
        event.place.sequence = tick_sequence(tick);
        event.place.call = tick_call_number(tick);
        event.place.index = put->first_index + (uint32_t)i;
        if (log_block_size(tail) >= LOG_BLOCK_TARGET) {
            code = tail_close(tick, group, stream, tail);
            if (!code && stream->tail_bucket == UINT16_MAX)
                return ERR_FULL;
            stream->tail_bucket++;
            buf_clear(tail);
        }
        if (!code)
            code = log_block_add(tail, &event);
        if (stream->first_ms < 0 || event.place.time_ms < stream->first_ms)
            stream->first_ms = event.place.time_ms;
        if (event.place.time_ms > stream->last_ms)
            stream->last_ms = event.place.time_ms;
    }
    stream->ingested_ms = now;
    return code ? code : tail_close(tick, group, stream, tail);
}

int watch_log_put(struct tick *tick, struct arena *arena, const struct watch_log_put *put)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    struct buf tail;
    if (!put->count)
        return 0;
    for (size_t i = 0; i < put->count; i++)
        if (put->event[i].place.time_ms < 0)
            return ERR_INVALID;
    int code = find_or_make(tick, arena, put, &group, &stream);
    if (code)
        return code;
    if (stream.tail_bytes > WATCH_LOG_TAIL_MAX) {
        counter_add(COUNTER_logs_puts_refused, 1);
        return ERR_FULL;
    }
    counter_add(COUNTER_logs_events_put, (int64_t)put->count);
    buf_init(&tail, LOG_BLOCK_HEADER + LOG_BLOCK_MAX);
    code = add_events(tick, arena, put, &group, &stream, &tail);
    buf_fini(&tail);
    stream.puts++;
    bool now = stream.tail_bytes >= LOG_BLOCK_TARGET || stream.tail_rows >= PACK_ROWS;
    if (!code)
        code = log_pack_later(tick, &group, &stream, now);
    if (!code)
        code = log_stream_put(tick, group.id, &stream);
    return code || !group.filters ? code : log_metrics_put(tick, arena, &group, put->event, put->count);
}

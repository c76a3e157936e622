/* PutLogEvents: events that are too old, too new or past retention are told and left out, the rest is stored in one commit. */
#include "aws/logs.h"

#include <stdio.h>

#define BATCH_BYTES 1048576 /* of messages, with 26 bytes for each event */

struct put {
    struct text group; /* first: logs_group reads it */
    struct text stream;
    struct watch_log_event *event;
    size_t count;
    size_t old_end, expired_end, new_start; /* what is left out; new_start is count when nothing is */
    uint64_t stream_id, puts;
};

static int check_order(struct aws_call *call, const struct put *put)
{
    for (size_t i = 1; i < put->count; i++)
        if (put->event[i].place.time_ms < put->event[i - 1].place.time_ms)
            return aws_fail(call, LOGS_INVALID, "Log events in a single PutLogEvents request must be in chronological order.");
    if (put->event[put->count - 1].place.time_ms - put->event[0].place.time_ms > DAY_MS)
        return aws_fail(call, LOGS_INVALID, "The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
    return 0;
}

static int read_events(struct aws_call *call, struct put *put)
{
    const struct json *list = shape_get(call->in, "logEvents");
    size_t bytes = 0;
    put->event = arena_array(call->arena, list->count, sizeof(*put->event));
    if (!put->event)
        return aws_no_memory(call);
    for (const struct json *at = list->first; at; at = at->next) {
        struct watch_log_event *event = &put->event[put->count++];
        if (!json_is(at, JSON_OBJECT))
            return aws_fail(call, AWS_SERIALIZATION, "Unexpected value type in payload");
        *event = (struct watch_log_event){.message = aws_param_text(at, "message")};
        if (json_to_i64(shape_get(at, "timestamp"), &event->place.time_ms))
            return aws_fail(call, AWS_SERIALIZATION, "NUMBER_VALUE cannot be converted to Long");
        if (event->message.len > WATCH_LOG_MESSAGE_MAX - WATCH_LOG_EVENT_COST)
            return aws_fail(call, LOGS_INVALID, "Log event too large: %zu bytes exceeds limit of %zu", event->message.len + WATCH_LOG_EVENT_COST, WATCH_LOG_MESSAGE_MAX);
        bytes += event->message.len + WATCH_LOG_EVENT_COST;
    }
    if (bytes > BATCH_BYTES)
        return aws_fail(call, LOGS_INVALID, "Upload too large: %zu bytes exceeds limit of %d", bytes, BATCH_BYTES);
    return check_order(call, put);
}

int logs_put_prepare(struct aws_call *call)
{
    struct put *put = arena_zalloc(call->arena, sizeof(*put));
    int code = put ? logs_group_prepare(call) : aws_no_memory(call);
    if (code)
        return code;
    put->group = *(struct text *)call->state;
    put->stream = aws_param_text(call->in, "logStreamName");
    call->state = put;
    return read_events(call, put);
}

/* Events are in the order of time: what is left out stands at the ends. */
static void leave_out(struct put *put, const struct watch_log_group *group, int64_t now_ms)
{
    int64_t horizon = watch_log_horizon_ms(group, now_ms);
    put->old_end = put->expired_end = 0;
    put->new_start = put->count;
    while (put->old_end < put->count && put->event[put->old_end].place.time_ms < now_ms - WATCH_LOG_PAST_MS)
        put->old_end++;
    while (put->expired_end < put->count && put->event[put->expired_end].place.time_ms < horizon)
        put->expired_end++;
    while (put->new_start > 0 && put->event[put->new_start - 1].place.time_ms > now_ms + WATCH_LOG_FUTURE_MS)
        put->new_start--;
}

int logs_put_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct put *put = call->state;
    struct watch_log_group group;
    struct watch_log_stream stream;
    int code = logs_group(call, view, &group);
    if (!code)
        code = logs_stream(call, view, &group, put->stream, &stream);
    if (code)
        return code;
    put->stream_id = stream.id;
    put->puts = stream.puts;
    leave_out(put, &group, tick_now_ms(tick));
    size_t from = put->old_end > put->expired_end ? put->old_end : put->expired_end;
    if (from >= put->new_start)
        return 0;
    struct watch_log_put events = {.group = put->group, .stream = put->stream, .event = put->event + from, .count = put->new_start - from, .first_index = (uint32_t)from};
    code = watch_log_put(tick, call->arena, &events);
    return code ? logs_fail(call, code == ERR_FULL ? ERR_AGAIN : code) : 0;
}

static void count(const struct aws_call *call, const struct put *put)
{
    struct gw_meters *meters = gw_work_meters(call->work);
    size_t from = put->old_end > put->expired_end ? put->old_end : put->expired_end, bytes = 0;
    for (size_t i = from; i < put->new_start; i++)
        bytes += put->event[i].message.len + WATCH_LOG_EVENT_COST;
    if (from >= put->new_start)
        return;
    gw_figure_add(meters, GW_FIGURE_LOG_EVENTS_IN, put->group, TEXT_NONE, (double)(put->new_start - from), 1);
    gw_figure_add(meters, GW_FIGURE_LOG_BYTES_IN, put->group, TEXT_NONE, (double)bytes, 1);
}

void logs_put_answer(struct aws_call *call)
{
    const struct put *put = call->state;
    struct json_writer *w = &call->w;
    char token[64];
    count(call, put);
    snprintf(token, sizeof(token), "49%018llu%036llu", (unsigned long long)put->stream_id % 1000000000000000000ull, (unsigned long long)put->puts + 2);
    json_begin_object(w);
    logs_write_text(w, "nextSequenceToken", text_of(token));
    if (put->new_start < put->count || put->old_end || put->expired_end) {
        json_name(w, "rejectedLogEventsInfo");
        json_begin_object(w);
        if (put->new_start < put->count)
            logs_write_i64(w, "tooNewLogEventStartIndex", (int64_t)put->new_start);
        if (put->old_end)
            logs_write_i64(w, "tooOldLogEventEndIndex", (int64_t)put->old_end);
        if (put->expired_end)
            logs_write_i64(w, "expiredLogEventEndIndex", (int64_t)put->expired_end);
        json_end_object(w);
    }
    json_end_object(w);
}

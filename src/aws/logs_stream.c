/* Streams made, deleted, listed. A listing by time, or downwards, is the first so many of all streams by that order: they lie in the order of their names. */
#include "aws/logs.h"

#include "base/cursor.h"
#include <stdio.h>

#define LIST_DEFAULT 50

int logs_create_stream_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    code = watch_log_stream_create(tick, call->arena, &group, aws_param_text(call->in, "logStreamName"), &stream);
    if (code == ERR_EXISTS)
        return aws_fail(call, LOGS_EXISTS, "The specified log stream already exists");
    return code ? logs_fail(call, code) : 0;
}

int logs_delete_stream_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    struct watch_log_stream stream;
    int code = logs_group(call, view, &group);
    if (!code)
        code = logs_stream(call, view, &group, aws_param_text(call->in, "logStreamName"), &stream);
    if (code)
        return code;
    if (group.guarded)
        return logs_fail_guarded(call, &group);
    code = watch_log_stream_delete(tick, call->arena, &group, &stream);
    return code ? logs_fail(call, code) : 0;
}

/* ---- DescribeLogStreams ---- */

struct describe {
    struct text group;
    bool by_time, down;
    struct text after;   /* what the last page ended with; data NULL: from the edge */
    int64_t after_ms;
    struct watch_log_stream *found; /* limit + 1 of them, in order */
    int64_t limit, count;
    struct arena *arena;
    struct arena_mark mark;
    char (*name)[WATCH_LOG_NAME_MAX]; /* of each place in found */
};

int logs_describe_streams_prepare(struct aws_call *call)
{
    struct describe *describe = arena_zalloc(call->arena, sizeof(*describe));
    struct text token;
    int code = describe ? logs_group_prepare(call) : aws_no_memory(call);
    if (code)
        return code;
    describe->group = *(struct text *)call->state;
    call->state = describe; /* begins with the group's name */
    describe->by_time = aws_param_is(call->in, "orderBy", "LastEventTime");
    describe->down = aws_param_true(call->in, "descending");
    describe->limit = logs_integer(call, "limit", LIST_DEFAULT);
    if (describe->by_time && shape_get(call->in, "logStreamNamePrefix"))
        return aws_fail(call, LOGS_INVALID, "Cannot order by LastEventTime with a logStreamNamePrefix.");
    code = logs_token(call, 's', &token);
    if (code || !token.data)
        return code;
    struct cursor c = cursor_of(token);
    describe->after_ms = (int64_t)cursor_be64(&c);
    describe->after = cursor_take(&c, cursor_left(&c));
    return c.failed || !describe->after.len ? aws_fail(call, LOGS_INVALID, "The specified nextToken is invalid.") : 0;
}

/* Does a come before b? */
static bool precedes(const struct describe *describe, int64_t a_ms, struct text a, int64_t b_ms, struct text b)
{
    int order = describe->by_time && a_ms != b_ms ? (a_ms < b_ms ? -1 : 1) : text_compare(a, b);
    return describe->down ? order > 0 : order < 0;
}

static int note_stream(void *context, const struct watch_log_stream *stream)
{
    struct describe *describe = context;
    bool here = !describe->after.data || precedes(describe, describe->after_ms, describe->after, stream->last_ms, stream->name);
    int64_t at = describe->count;
    while (here && at > 0 && precedes(describe, stream->last_ms, stream->name, describe->found[at - 1].last_ms, describe->found[at - 1].name))
        at--;
    if (here && at <= describe->limit) {
        int64_t last = describe->count <= describe->limit ? describe->count++ : describe->limit;
        char space[WATCH_LOG_NAME_MAX];
        size_t len = stream->name.len < sizeof(space) ? stream->name.len : sizeof(space);
        memcpy(space, stream->name.data, len);
        struct watch_log_stream mine = *stream;
        for (int64_t i = last; i > at; i--) {
            describe->found[i] = describe->found[i - 1];
            memcpy(describe->name[i], describe->name[i - 1], WATCH_LOG_NAME_MAX);
            describe->found[i].name.data = describe->name[i];
        }
        memcpy(describe->name[at], space, len);
        mine.name = text_make(describe->name[at], len);
        describe->found[at] = mine;
    }
    arena_rewind(describe->arena, describe->mark); /* the row was copied there */
    return 0;
}

static void write_stream(struct aws_call *call, struct text group, const struct watch_log_stream *stream)
{
    struct json_writer *w = &call->w;
    char token[64];
    struct text arn = logs_arn(call, group);
    struct text full = arena_format(call->arena, "%.*s:log-stream:%.*s", TEXT_FMT(arn), TEXT_FMT(stream->name));
    json_begin_object(w);
    logs_write_text(w, "logStreamName", stream->name);
    logs_write_i64(w, "creationTime", stream->created_ms);
    if (stream->first_ms >= 0) {
        logs_write_i64(w, "firstEventTimestamp", stream->first_ms);
        logs_write_i64(w, "lastEventTimestamp", stream->last_ms);
        logs_write_i64(w, "lastIngestionTime", stream->ingested_ms);
    }
    snprintf(token, sizeof(token), "49%018llu%036llu", (unsigned long long)stream->id % 1000000000000000000ull, (unsigned long long)stream->puts + 1);
    logs_write_text(w, "uploadSequenceToken", text_of(token));
    logs_write_text(w, "arn", full);
    logs_write_i64(w, "storedBytes", 0); /* as AWS since 2019: for groups alone */
    json_end_object(w);
}

static void write_next(struct aws_call *call, const struct watch_log_stream *last)
{
    struct buf rest;
    buf_init(&rest, 8 + WATCH_LOG_NAME_MAX);
    buf_add_be64(&rest, (uint64_t)last->last_ms);
    buf_add_text(&rest, last->name);
    logs_write_token(call, 's', buf_text(&rest));
    buf_fini(&rest);
}

int logs_describe_streams_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct describe *describe = call->state;
    struct watch_log_group group;
    (void)tick;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    describe->count = 0;
    describe->arena = call->arena;
    describe->found = arena_array(call->arena, (size_t)describe->limit + 1, sizeof(*describe->found));
    describe->name = arena_array(call->arena, (size_t)describe->limit + 1, sizeof(*describe->name));
    if (!describe->found || !describe->name)
        return aws_no_memory(call);
    describe->mark = arena_mark(call->arena);
    struct text from = !describe->by_time && !describe->down ? describe->after : TEXT_NONE;
    code = watch_log_stream_each(view, call->arena, &group, aws_param_text(call->in, "logStreamNamePrefix"), from, note_stream, describe);
    if (code < 0)
        return logs_fail(call, code);
    json_begin_object(&call->w);
    json_name(&call->w, "logStreams");
    json_begin_array(&call->w);
    int64_t shown = describe->count < describe->limit ? describe->count : describe->limit;
    for (int64_t i = 0; i < shown; i++)
        write_stream(call, describe->group, &describe->found[i]);
    json_end_array(&call->w);
    if (describe->count > describe->limit)
        write_next(call, &describe->found[shown - 1]);
    json_end_object(&call->w);
    return 0;
}

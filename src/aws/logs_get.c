/*
 * GetLogEvents and FilterLogEvents, on a worker. A page ends after 1 MiB or 10,000 events, and, when little of much matches, after so much text or time that others get their
 * turn: it may be empty then, with a token. GetLogEvents' tokens are places ("f/" behind, "b/" before) and never end: at the end the same one comes again.
 */
#include "aws/logs.h"

#include <stdlib.h>

#define PAGE_BYTES ((size_t)1 << 20)
#define READ_BYTES ((size_t)64 << 20) /* of text, in one page */
#define TIME_MS 1000                  /* likewise */
#define SCRATCH_BYTES ((size_t)32 << 20) /* for a message's JSON */

struct get {
    struct text group; /* first: logs_group reads it */
    struct aws_call *call;
    struct watch_log_scan scan;
    /* GetLogEvents */
    struct watch_log_event *event;
    size_t count;
    /* FilterLogEvents */
    struct watch_pattern *pattern;
    struct arena scratch;
    struct arena_mark mark; /* streams are copied behind it, one by one */
    uint64_t *ids;
    size_t id_count, id_cap;
};

static struct get *get_make(struct aws_call *call)
{
    struct get *get = arena_zalloc(call->arena, sizeof(*get));
    int code = get ? logs_group_prepare(call) : aws_no_memory(call);
    if (code)
        return NULL;
    get->group = *(struct text *)call->state;
    get->call = call;
    call->state = get;
    get->scan.context = get;
    get->scan.from_ms = logs_integer(call, "startTime", 0);
    get->scan.to_ms = INT64_MAX;
    get->scan.events_max = (size_t)logs_integer(call, "limit", WATCH_LOG_BATCH_MAX);
    get->scan.bytes_max = PAGE_BYTES;
    get->scan.read_max = READ_BYTES;
    get->scan.time_max_ms = TIME_MS;
    return get;
}

/* ---- GetLogEvents ---- */

static int place_token(struct aws_call *call, struct get *get)
{
    struct text token = aws_param_text(call->in, "nextToken");
    bool forward = text_starts(token, TEXT("f/"));
    get->scan.order = aws_param_true(call->in, "startFromHead") ? WATCH_LOG_FORWARD : WATCH_LOG_BACKWARD;
    if (!token.data)
        return 0;
    get->scan.order = forward ? WATCH_LOG_FORWARD : WATCH_LOG_BACKWARD;
    get->scan.after_set = true;
    if ((!forward && !text_starts(token, TEXT("b/"))) || watch_log_id_parse(text_make(token.data + 2, token.len - 2), &get->scan.after))
        return aws_fail(call, LOGS_INVALID, "The specified nextToken is invalid.");
    return 0;
}

int logs_get_prepare(struct aws_call *call)
{
    struct get *get = get_make(call);
    if (!get)
        return ERR_INVALID;
    get->scan.to_ms = logs_integer(call, "endTime", INT64_MAX);
    if (get->scan.to_ms < get->scan.from_ms)
        return aws_fail(call, LOGS_INVALID, "endTime must not be earlier than startTime.");
    return place_token(call, get);
}

static int keep_event(void *context, const struct watch_log_event *event)
{
    struct get *get = context;
    struct watch_log_event *mine = &get->event[get->count++];
    *mine = *event;
    mine->message = arena_copy(get->call->arena, event->message);
    return mine->message.data ? 0 : ERR_MEMORY;
}

static void write_event(struct json_writer *w, const struct watch_log_event *event)
{
    logs_write_i64(w, "timestamp", event->place.time_ms);
    logs_write_text(w, "message", event->message);
    logs_write_i64(w, "ingestionTime", event->ingested_ms);
}

static void write_place(struct aws_call *call, const char *name, char way, const struct watch_log_place *place)
{
    char token[2 + WATCH_LOG_ID_TEXT + 1] = {way, '/'};
    watch_log_id_format(place, token + 2);
    logs_write_text(&call->w, name, text_of(token));
}

/* The place just before, or behind, another one: a page that was empty turns round without losing the event it stands at. */
static struct watch_log_place beside(struct watch_log_place place, bool before)
{
    if (!before) {
        place.index += place.index < UINT32_MAX;
    } else if (place.index) {
        place.index--;
    } else if (place.call) {
        place.call--;
        place.index = UINT32_MAX;
    } else if (place.sequence) {
        place.sequence--;
        place.call = place.index = UINT32_MAX;
    }
    return place;
}

static void write_places(struct aws_call *call, const struct get *get)
{
    const struct watch_log_scan *scan = &get->scan;
    struct watch_log_place forward = scan->next, backward = scan->next;
    if (scan->order == WATCH_LOG_FORWARD)
        backward = get->count ? get->event[0].place : beside(scan->next, false);
    else if (get->count)
        forward = get->event[0].place; /* the last one in time */
    else
        forward = scan->after_set ? beside(scan->next, true) : (struct watch_log_place){.time_ms = scan->from_ms};
    if (scan->order == WATCH_LOG_BACKWARD && !get->count && !scan->after_set)
        backward = (struct watch_log_place){.time_ms = scan->from_ms};
    write_place(call, "nextForwardToken", 'f', &forward);
    write_place(call, "nextBackwardToken", 'b', &backward);
}

int logs_get_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct get *get = call->state;
    struct watch_log_group group;
    struct watch_log_stream stream;
    struct json_writer *w = &call->w;
    (void)tick;
    int code = logs_group(call, view, &group);
    if (!code)
        code = logs_stream(call, view, &group, aws_param_text(call->in, "logStreamName"), &stream);
    if (code)
        return code;
    get->scan.group = &group;
    get->scan.stream = &stream.id;
    get->scan.streams = 1;
    get->scan.some = true;
    get->scan.now_ms = clock_wall_ms();
    get->scan.visit = keep_event;
    get->count = 0;
    get->event = arena_array(call->arena, get->scan.events_max, sizeof(*get->event));
    if (!get->event)
        return aws_no_memory(call);
    code = watch_log_scan(view, &get->scan);
    if (code)
        return logs_fail(call, code);
    json_begin_object(w);
    json_name(w, "events");
    json_begin_array(w);
    for (size_t i = 0; i < get->count; i++) {
        json_begin_object(w);
        write_event(w, &get->event[get->scan.order == WATCH_LOG_FORWARD ? i : get->count - 1 - i]);
        json_end_object(w);
    }
    json_end_array(w);
    write_places(call, get);
    json_end_object(w);
    return 0;
}

/* ---- FilterLogEvents ---- */

int logs_filter_prepare(struct aws_call *call)
{
    struct get *get = get_make(call);
    struct err err = {0};
    struct text token;
    if (!get)
        return ERR_INVALID;
    if (shape_get(call->in, "logStreamNames") && shape_get(call->in, "logStreamNamePrefix"))
        return aws_fail(call, LOGS_INVALID, "logStreamNamePrefix and logStreamNames are mutually exclusive parameters.");
    int64_t end = logs_integer(call, "endTime", INT64_MAX);
    if (end < get->scan.from_ms)
        return aws_fail(call, LOGS_INVALID, "endTime must not be earlier than startTime.");
    get->scan.to_ms = end < INT64_MAX ? end + 1 : end;
    int code = watch_pattern_parse(call->arena, aws_param_text(call->in, "filterPattern"), &get->pattern, &err);
    if (code)
        return code == ERR_MEMORY ? aws_no_memory(call) : aws_fail(call, LOGS_INVALID, "%s", err.text);
    code = logs_token(call, 'e', &token);
    if (code || !token.data)
        return code;
    get->scan.after_set = true;
    return watch_log_id_parse(token, &get->scan.after) ? aws_fail(call, LOGS_INVALID, "The specified nextToken is invalid.") : 0;
}

static int match_event(void *context, const struct watch_log_event *event)
{
    struct get *get = context;
    return watch_pattern_match(get->pattern, event->message, &get->scratch);
}

static int show_event(void *context, const struct watch_log_event *event)
{
    struct get *get = context;
    struct json_writer *w = &get->call->w;
    char id[WATCH_LOG_ID_TEXT + 1];
    watch_log_id_format(&event->place, id);
    json_begin_object(w);
    logs_write_text(w, "logStreamName", event->stream);
    write_event(w, event);
    logs_write_text(w, "eventId", text_of(id));
    json_end_object(w);
    return get->call->body.failed ? ERR_MEMORY : 0;
}

static int add_id(struct get *get, uint64_t id)
{
    if (get->id_count == get->id_cap) {
        size_t cap = get->id_cap ? get->id_cap * 2 : 64;
        uint64_t *grown = realloc(get->ids, cap * sizeof(*grown));
        if (!grown)
            return ERR_MEMORY;
        get->ids = grown;
        get->id_cap = cap;
    }
    get->ids[get->id_count++] = id;
    return 0;
}

static int on_stream(void *context, const struct watch_log_stream *stream)
{
    struct get *get = context;
    uint64_t id = stream->id;
    arena_rewind(get->call->arena, get->mark);
    return add_id(get, id);
}

static int by_id(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The streams that are asked for, as ids in their order. */
static int find_streams(struct aws_call *call, struct store_view *view, struct get *get, const struct watch_log_group *group)
{
    const struct json *names = shape_get(call->in, "logStreamNames");
    struct text prefix = aws_param_text(call->in, "logStreamNamePrefix");
    struct watch_log_stream stream;
    int code = 0;
    get->scan.some = names || prefix.data;
    for (const struct json *name = names ? names->first : NULL; name && !code; name = name->next) {
        code = logs_stream(call, view, group, name->text, &stream);
        if (!code)
            code = add_id(get, stream.id);
    }
    get->mark = arena_mark(call->arena);
    if (prefix.data)
        code = watch_log_stream_each(view, call->arena, group, prefix, TEXT_NONE, on_stream, get);
    if (get->id_count)
        qsort(get->ids, get->id_count, sizeof(*get->ids), by_id);
    get->scan.stream = get->ids;
    get->scan.streams = get->id_count;
    return code < 0 && !call->fault ? logs_fail(call, code) : code;
}

static int filter(struct aws_call *call, struct store_view *view, struct get *get, const struct watch_log_group *group)
{
    struct json_writer *w = &call->w;
    char id[WATCH_LOG_ID_TEXT + 1];
    get->scan.group = group;
    get->scan.now_ms = clock_wall_ms();
    get->scan.match = match_event;
    get->scan.visit = show_event;
    json_begin_object(w);
    json_name(w, "events");
    json_begin_array(w);
    int code = watch_log_scan(view, &get->scan);
    if (code)
        return logs_fail(call, code);
    json_end_array(w);
    json_name(w, "searchedLogStreams");
    json_begin_array(w);
    json_end_array(w);
    if (!get->scan.at_end) {
        watch_log_id_format(&get->scan.next, id);
        logs_write_token(call, 'e', text_of(id));
    }
    json_end_object(w);
    return 0;
}

int logs_filter_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct get *get = call->state;
    struct watch_log_group group;
    (void)tick;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    get->ids = NULL;
    get->id_count = get->id_cap = 0;
    arena_init(&get->scratch, 64 << 10, SCRATCH_BYTES);
    code = find_streams(call, view, get, &group);
    if (!code)
        code = filter(call, view, get, &group);
    arena_fini(&get->scratch);
    free(get->ids);
    get->ids = NULL;
    return code;
}

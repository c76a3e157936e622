/* GetLogRecord: one event by the @ptr of a result, with its fields. GetLogGroupFields: which fields a group's events have, from a sample of the newest ones. */
#include "aws/logs.h"

#include "base/map.h"
#include "watch/query.h"
#include <stdio.h>

#define FIELDS_MAX 200           /* that are told of one event */
#define SAMPLE_EVENTS 1000
#define SAMPLE_BYTES ((size_t)4 << 20)
#define SAMPLE_MS (15 * MINUTE_MS)
#define READ_BYTES ((size_t)64 << 20)
#define TIME_MS 1000

/* ---- GetLogRecord ---- */

struct record {
    uint64_t group_id;
    struct watch_log_place place;
    struct aws_call *call;
    struct text group;
    bool shown;
};

int logs_record_prepare(struct aws_call *call)
{
    struct record *record = arena_zalloc(call->arena, sizeof(*record));
    if (!record)
        return aws_no_memory(call);
    call->state = record;
    record->call = call;
    if (watch_query_ptr_parse(aws_param_text(call->in, "logRecordPointer"), &record->group_id, &record->place))
        return aws_fail(call, LOGS_INVALID, "The specified log record pointer is invalid.");
    return 0;
}

static int on_group(void *context, const struct watch_log_group *group)
{
    struct record *record = context;
    if (group->id != record->group_id)
        return 0;
    record->group = arena_copy(record->call->arena, group->name);
    return 1;
}

static int write_field(void *context, struct text name, struct text value)
{
    json_name_text(context, name);
    json_text(context, value);
    return 0;
}

static int on_record(void *context, const struct watch_log_event *event)
{
    struct record *record = context;
    struct aws_call *call = record->call;
    struct json_writer *w = &call->w;
    char number[32];
    if (watch_log_place_compare(&event->place, &record->place))
        return 0;
    record->shown = true;
    logs_write_text(w, "@timestamp", text_make(number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)event->place.time_ms)));
    logs_write_text(w, "@ingestionTime", text_make(number, (size_t)snprintf(number, sizeof(number), "%lld", (long long)event->ingested_ms)));
    logs_write_text(w, "@message", event->message);
    logs_write_text(w, "@logStream", event->stream);
    json_name(w, "@log");
    struct text log = arena_format(call->arena, "%.*s:%.*s", TEXT_FMT(call->config->account), TEXT_FMT(record->group));
    json_text(w, log);
    logs_write_text(w, "@ptr", aws_param_text(call->in, "logRecordPointer"));
    int code = watch_query_fields(call->arena, event->message, FIELDS_MAX, write_field, w);
    return code ? code : 1;
}

int logs_record_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct record *record = call->state;
    struct watch_log_group group;
    (void)tick;
    record->group = TEXT_NONE;
    record->shown = false;
    int code = watch_log_group_each(view, call->arena, TEXT_NONE, TEXT_NONE, on_group, record);
    if (code >= 0)
        code = record->group.data ? watch_log_group_get(view, call->arena, record->group, &group) : ERR_NOT_FOUND;
    if (code && code != ERR_NOT_FOUND)
        return logs_fail(call, code);
    json_begin_object(&call->w);
    json_name(&call->w, "logRecord");
    json_begin_object(&call->w);
    struct watch_log_scan scan = {.group = &group, .from_ms = record->place.time_ms, .to_ms = record->place.time_ms + 1, .now_ms = clock_wall_ms(), .order = WATCH_LOG_ANY,
        .visit = on_record, .context = record};
    if (!code)
        code = watch_log_scan(view, &scan);
    if (code < 0 && code != ERR_NOT_FOUND)
        return logs_fail(call, code);
    if (!record->shown)
        return aws_fail(call, LOGS_NOT_FOUND, "The specified log record does not exist.");
    json_end_object(&call->w);
    json_end_object(&call->w);
    return 0;
}

/* ---- GetLogGroupFields ---- */

struct field {
    struct text name;
    uint64_t count;
    uint64_t event; /* the last one that it was counted for */
};
struct sample {
    struct text group; /* first: logs_group reads it */
    struct aws_call *call;
    struct arena scratch;
    struct map fields;
    uint64_t events;
};

int logs_group_fields_prepare(struct aws_call *call)
{
    struct sample *sample = arena_zalloc(call->arena, sizeof(*sample));
    int code = sample ? logs_group_prepare(call) : aws_no_memory(call);
    if (code)
        return code;
    sample->group = *(struct text *)call->state;
    sample->call = call;
    call->state = sample;
    return 0;
}

static int count_field(void *context, struct text name, struct text value)
{
    struct sample *sample = context;
    struct field *field = map_get(&sample->fields, name);
    (void)value;
    if (!field) {
        if (sample->fields.count == FIELDS_MAX)
            return 0;
        field = arena_zalloc(sample->call->arena, sizeof(*field));
        struct text copy = field ? arena_copy(sample->call->arena, name) : TEXT_NONE;
        if (!copy.data || map_put(&sample->fields, copy, field, NULL))
            return ERR_MEMORY;
        field->name = copy;
    }
    field->count += field->event != sample->events;
    field->event = sample->events;
    return 0;
}

static int on_sample(void *context, const struct watch_log_event *event)
{
    struct sample *sample = context;
    sample->events++;
    arena_reset(&sample->scratch);
    return watch_query_fields(&sample->scratch, event->message, FIELDS_MAX, count_field, sample);
}

static void write_percent(struct json_writer *w, struct text name, uint64_t count, uint64_t of)
{
    json_begin_object(w);
    logs_write_text(w, "name", name);
    logs_write_i64(w, "percent", (int64_t)(count * 100 / of));
    json_end_object(w);
}

static void write_fields(struct json_writer *w, struct sample *sample)
{
    static const char *const systems[] = {"@timestamp", "@message", "@logStream", "@log", "@ingestionTime", "@ptr"};
    json_begin_object(w);
    json_name(w, "logGroupFields");
    json_begin_array(w);
    for (size_t i = 0; sample->events && i < sizeof(systems) / sizeof(systems[0]); i++)
        write_percent(w, text_of(systems[i]), 1, 1);
    struct field *field;
    for (size_t at = 0; (field = map_next(&sample->fields, &at));)
        write_percent(w, field->name, field->count, sample->events);
    json_end_array(w);
    json_end_object(w);
}

int logs_group_fields_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct sample *sample = call->state;
    struct watch_log_group group;
    (void)tick;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    /* The time is the middle of a quarter of an hour, or its end when none was given. */
    int64_t now = clock_wall_ms(), time = logs_integer(call, "time", 0), to = now + 1;
    if (time > 0)
        to = (time >= INT64_C(100000000000) ? time : time * SECOND_MS) + SAMPLE_MS / 2;
    struct watch_log_scan scan = {.group = &group, .from_ms = to - SAMPLE_MS, .to_ms = to, .now_ms = now, .order = WATCH_LOG_BACKWARD, .events_max = SAMPLE_EVENTS,
        .bytes_max = SAMPLE_BYTES, .read_max = READ_BYTES, .time_max_ms = TIME_MS, .visit = on_sample, .context = sample};
    sample->events = 0;
    map_init(&sample->fields);
    arena_init(&sample->scratch, 16 << 10, (size_t)32 << 20);
    code = watch_log_scan(view, &scan);
    if (!code)
        write_fields(&call->w, sample);
    map_fini(&sample->fields);
    arena_fini(&sample->scratch);
    return code < 0 ? logs_fail(call, code) : 0;
}

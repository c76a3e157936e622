/* What hangs on a stream: retention, tags, its mode, its metrics, the account's limits. Each is one row written again. */
#include "aws/kinesis.h"

#define ON_DEMAND_MAX GW_STREAMS_MAX

static int keep(struct aws_call *call, struct tick *tick, const struct gw_stream *stream)
{
    int code = gw_stream_put(tick, stream);
    return code ? kinesis_fail(call, stream->name, code, NULL) : 0;
}

/* ---- retention ---- */

static int check_hours(struct aws_call *call, int64_t hours)
{
    if (hours < GW_RETENTION_MIN_H)
        return aws_fail(call, KINESIS_INVALID, "Minimum allowed retention period is %d hours. Requested retention period (%lld hours) is too short.", GW_RETENTION_MIN_H,
            (long long)hours);
    if (hours > GW_RETENTION_MAX_H)
        return aws_fail(call, KINESIS_INVALID, "Maximum allowed retention period is %d hours. Requested retention period (%lld hours) is too long.", GW_RETENTION_MAX_H,
            (long long)hours);
    return 0;
}

static int change_retention(struct aws_call *call, struct store_view *view, struct tick *tick, bool longer)
{
    struct gw_stream stream;
    int64_t hours = kinesis_integer(call, "RetentionPeriodHours", 0);
    int code = kinesis_stream(call, view, &stream);
    if (!code)
        code = check_hours(call, hours);
    if (code)
        return code;
    if (longer ? hours < stream.retention_h : hours > stream.retention_h)
        return aws_fail(call, KINESIS_INVALID,
            "Requested retention period (%lld hours) for stream %.*s can not be %s than existing retention period (%lld hours). Use %sRetentionPeriod API.",
            (long long)hours, TEXT_FMT(stream.name), longer ? "shorter" : "longer", (long long)stream.retention_h, longer ? "Decrease" : "Increase");
    stream.retention_h = hours;
    return keep(call, tick, &stream);
}

int kinesis_lengthen_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return change_retention(call, view, tick, true);
}

int kinesis_shorten_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return change_retention(call, view, tick, false);
}

/* ---- tags ---- */

int kinesis_resource_prepare(struct aws_call *call)
{
    struct text *name = arena_zalloc(call->arena, sizeof(*name));
    call->state = name;
    return name ? kinesis_arn_name(call, "ResourceARN", name) : aws_no_memory(call);
}

static struct gw_stream_tag *find_tag(struct gw_stream *stream, struct text key)
{
    for (uint32_t i = 0; i < stream->tags; i++)
        if (text_equal(stream->tag[i].key, key))
            return &stream->tag[i];
    return NULL;
}

int kinesis_tags_add(struct aws_call *call, struct gw_stream *stream, const struct json *map)
{
    struct gw_stream_tag *tags = arena_array(call->arena, GW_STREAM_TAGS_MAX, sizeof(*tags));
    if (!tags)
        return aws_no_memory(call);
    if (stream->tags)
        memcpy(tags, stream->tag, stream->tags * sizeof(*tags));
    stream->tag = tags;
    for (const struct json *at = map ? map->first : NULL; at; at = at->next) {
        if (!at->name.len || at->name.len > 128)
            return aws_fail(call, AWS_VALIDATION,
                "1 validation error detected: Value '{%.*s=%.*s}' at 'tags' failed to satisfy constraint: Map keys must satisfy constraint: [Member must have length less "
                "than or equal to 128, Member must have length greater than or equal to 1]",
                at->name.len > 256 ? 256 : (int)at->name.len, at->name.data, TEXT_FMT(at->text));
        struct gw_stream_tag *tag = find_tag(stream, at->name);
        if (!tag && stream->tags == GW_STREAM_TAGS_MAX)
            return aws_fail(call, KINESIS_INVALID,
                "Failed to add tags to stream %.*s under account %.*s because a given stream cannot have more than %d tags associated with it.",
                TEXT_FMT(stream->name), TEXT_FMT(call->config->account), GW_STREAM_TAGS_MAX);
        tag = tag ? tag : &stream->tag[stream->tags++];
        *tag = (struct gw_stream_tag){at->name, at->text};
    }
    return 0;
}

int kinesis_add_tags_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    int code = kinesis_stream(call, view, &stream);
    if (!code)
        code = kinesis_tags_add(call, &stream, shape_get(call->in, "Tags"));
    return code ? code : keep(call, tick, &stream);
}

int kinesis_remove_tags_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    for (const struct json *key = shape_get(call->in, "TagKeys")->first; key; key = key->next) {
        struct gw_stream_tag *tag = find_tag(&stream, key->text);
        if (tag)
            *tag = stream.tag[--stream.tags];
    }
    return keep(call, tick, &stream);
}

static void sort_tags(struct gw_stream *stream)
{
    for (uint32_t i = 1; i < stream->tags; i++)
        for (uint32_t k = i; k > 0 && text_compare(stream->tag[k - 1].key, stream->tag[k].key) > 0; k--) {
            struct gw_stream_tag swap = stream->tag[k];
            stream->tag[k] = stream->tag[k - 1];
            stream->tag[k - 1] = swap;
        }
}

/* Tags in the order of their keys, behind `after`. True when some are left. */
static bool write_tags(struct json_writer *w, struct gw_stream *stream, struct text after, int64_t limit)
{
    int64_t count = 0;
    bool more = false;
    sort_tags(stream);
    json_name(w, "Tags");
    json_begin_array(w);
    for (uint32_t i = 0; i < stream->tags && !more; i++) {
        if (after.len && text_compare(stream->tag[i].key, after) <= 0)
            continue;
        more = count++ == limit;
        if (more)
            break;
        json_begin_object(w);
        json_name(w, "Key");
        json_text(w, stream->tag[i].key);
        json_name(w, "Value");
        json_text(w, stream->tag[i].value);
        json_end_object(w);
    }
    json_end_array(w);
    return more;
}

int kinesis_list_stream_tags_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    (void)tick;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    json_begin_object(&call->w);
    bool more = write_tags(&call->w, &stream, aws_param_text(call->in, "ExclusiveStartTagKey"), kinesis_integer(call, "Limit", GW_STREAM_TAGS_MAX));
    json_name(&call->w, "HasMoreTags");
    json_bool(&call->w, more);
    json_end_object(&call->w);
    return 0;
}

int kinesis_list_tags_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    (void)tick;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    json_begin_object(&call->w);
    write_tags(&call->w, &stream, TEXT_NONE, GW_STREAM_TAGS_MAX);
    json_end_object(&call->w);
    return 0;
}

/* ---- mode, metrics, limits ---- */

int kinesis_mode_prepare(struct aws_call *call)
{
    struct text *name = arena_zalloc(call->arena, sizeof(*name));
    call->state = name;
    return name ? kinesis_arn_name(call, "StreamARN", name) : aws_no_memory(call);
}

int kinesis_mode_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    stream.on_demand = aws_param_is(shape_get(call->in, "StreamModeDetails"), "StreamMode", "ON_DEMAND");
    return keep(call, tick, &stream);
}

static uint32_t metrics_of(const struct json *list)
{
    uint32_t bits = 0;
    for (const struct json *at = list->first; at; at = at->next) {
        if (text_is(at->text, "ALL"))
            return (1u << KINESIS_METRIC_COUNT) - 1;
        for (int i = 0; i < KINESIS_METRIC_COUNT; i++)
            if (text_is(at->text, kinesis_metric_names[i]))
                bits |= 1u << i;
    }
    return bits;
}

static int change_metrics(struct aws_call *call, struct store_view *view, struct tick *tick, bool enable)
{
    struct gw_stream stream;
    uint32_t bits = metrics_of(shape_get(call->in, "ShardLevelMetrics"));
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    uint32_t before = stream.metrics;
    stream.metrics = enable ? before | bits : before & ~bits;
    json_begin_object(&call->w);
    kinesis_write_names(call, stream.name);
    kinesis_write_metrics(&call->w, "CurrentShardLevelMetrics", before);
    kinesis_write_metrics(&call->w, "DesiredShardLevelMetrics", stream.metrics);
    json_end_object(&call->w);
    return keep(call, tick, &stream);
}

int kinesis_enable_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return change_metrics(call, view, tick, true);
}

int kinesis_disable_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return change_metrics(call, view, tick, false);
}

int kinesis_limits_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream_totals totals;
    (void)tick;
    int code = gw_stream_totals(view, call->arena, &totals);
    if (code)
        return kinesis_fail(call, TEXT_NONE, code, NULL);
    const struct {
        const char *name;
        int64_t value;
    } member[] = {{"ShardLimit", GW_STREAM_SHARDS_MAX}, {"OpenShardCount", totals.shards}, {"OnDemandStreamCount", totals.on_demand},
        {"OnDemandStreamCountLimit", ON_DEMAND_MAX}};
    json_begin_object(&call->w);
    for (size_t i = 0; i < 4; i++) {
        json_name(&call->w, member[i].name);
        json_i64(&call->w, member[i].value);
    }
    json_end_object(&call->w);
    return 0;
}

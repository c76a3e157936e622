/* Streams made, dropped, listed and described. A stream is ACTIVE as soon as its creation is acknowledged. */
#include "aws/kinesis.h"

#define LIST_DEFAULT 100      /* streams of one answer */
#define DESCRIBE_DEFAULT 100  /* shards, likewise */

/* ---- CreateStream ---- */

struct create {
    struct gw_stream stream;
    uint32_t shards; /* as asked for: more than there may be is refused with what there is */
};

int kinesis_create_prepare(struct aws_call *call)
{
    struct create *create = arena_zalloc(call->arena, sizeof(*create));
    if (!create)
        return aws_no_memory(call);
    int64_t shards = kinesis_integer(call, "ShardCount", 0);
    call->state = create;
    create->stream.name = aws_param_text(call->in, "StreamName");
    create->stream.retention_h = GW_RETENTION_MIN_H;
    create->stream.on_demand = aws_param_is(shape_get(call->in, "StreamModeDetails"), "StreamMode", "ON_DEMAND");
    if (create->stream.on_demand && shards)
        return aws_fail(call, AWS_VALIDATION, "ShardCount must not be specified for a stream in ON_DEMAND mode.");
    if (!create->stream.on_demand && !shards)
        return aws_fail(call, AWS_VALIDATION, "ShardCount must be specified for a stream in PROVISIONED mode.");
    create->stream.record_kib = (uint32_t)kinesis_integer(call, "MaxRecordSizeInKiB", GW_RECORD_KIB_MIN);
    create->shards = create->stream.on_demand ? GW_STREAM_ON_DEMAND_SHARDS : (uint32_t)shards;
    return kinesis_tags_add(call, &create->stream, shape_get(call->in, "Tags"));
}

int kinesis_create_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct create *create = call->state;
    struct gw_stream stream = create->stream;
    struct err err = {0};
    int code = gw_stream_create(tick, call->arena, &stream, create->shards, &err);
    if (code == ERR_FULL)
        return kinesis_full(call, view, create->shards);
    return code ? kinesis_fail(call, stream.name, code, &err) : 0;
}

/* ---- DeleteStream ---- */

int kinesis_delete_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct err err = {0};
    uint32_t consumers = 0;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    if (!aws_param_true(call->in, "EnforceConsumerDeletion"))
        code = gw_consumer_count(view, call->arena, &stream, &consumers);
    if (!code && consumers)
        return aws_fail(call, KINESIS_IN_USE, "Stream %.*s under account %.*s has registered consumers. Deregister them, or set EnforceConsumerDeletion.",
            TEXT_FMT(stream.name), TEXT_FMT(call->config->account));
    if (!code)
        code = gw_stream_delete(tick, &stream, &err);
    return code ? kinesis_fail(call, stream.name, code, &err) : 0;
}

/* ---- descriptions ---- */

static void write_state(struct aws_call *call, const struct gw_stream *stream)
{
    struct json_writer *w = &call->w;
    kinesis_write_names(call, stream->name);
    json_name(w, "StreamStatus");
    json_str(w, stream->scaling_to ? "UPDATING" : "ACTIVE");
    kinesis_write_mode(call, stream);
    aws_time_json(w, "StreamCreationTimestamp", stream->created_ms);
}

static void write_common(struct aws_call *call, const struct gw_stream *stream)
{
    struct json_writer *w = &call->w;
    write_state(call, stream);
    json_name(w, "RetentionPeriodHours");
    json_i64(w, stream->retention_h);
    json_name(w, "EnhancedMonitoring");
    json_begin_array(w);
    json_begin_object(w);
    kinesis_write_metrics(w, "ShardLevelMetrics", stream->metrics);
    json_end_object(w);
    json_end_array(w);
    json_name(w, "EncryptionType");
    json_str(w, stream->key.len ? "KMS" : "NONE");
    if (stream->key.len) {
        json_name(w, "KeyId");
        json_text(w, stream->key);
    }
}

struct listing {
    struct json_writer *w;
    int64_t limit, count;
    bool more;
};

static int list_shard(void *context, const struct gw_shard *shard)
{
    struct listing *listing = context;
    listing->more = listing->count == listing->limit;
    if (listing->more)
        return 1;
    kinesis_write_shard(listing->w, shard);
    listing->count++;
    return 0;
}

int kinesis_describe_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct json_writer *w = &call->w;
    struct listing listing = {.w = w, .limit = kinesis_integer(call, "Limit", DESCRIBE_DEFAULT)};
    struct text after = aws_param_text(call->in, "ExclusiveStartShardId");
    uint32_t from = 0;
    (void)tick;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    if (after.len && gw_shard_parse(after, &from))
        return aws_fail(call, KINESIS_INVALID, "ExclusiveStartShardId %.*s is not the id of a shard.", TEXT_FMT(after));
    json_begin_object(w);
    json_name(w, "StreamDescription");
    json_begin_object(w);
    write_common(call, &stream);
    json_name(w, "Shards");
    json_begin_array(w);
    code = gw_shard_each(view, call->arena, &stream, after.len ? from + 1 : 0, list_shard, &listing);
    if (code < 0)
        return kinesis_fail(call, stream.name, code, NULL);
    json_end_array(w);
    json_name(w, "HasMoreShards");
    json_bool(w, listing.more);
    json_end_object(w);
    json_end_object(w);
    return 0;
}

int kinesis_summary_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct json_writer *w = &call->w;
    uint32_t consumers;
    (void)tick;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    code = gw_consumer_count(view, call->arena, &stream, &consumers);
    if (code)
        return kinesis_fail(call, stream.name, code, NULL);
    json_begin_object(w);
    json_name(w, "StreamDescriptionSummary");
    json_begin_object(w);
    write_common(call, &stream);
    json_name(w, "OpenShardCount");
    json_i64(w, stream.open_count);
    json_name(w, "ConsumerCount");
    json_i64(w, consumers);
    json_name(w, "MaxRecordSizeInKiB");
    json_i64(w, stream.record_kib);
    json_end_object(w);
    json_end_object(w);
    return 0;
}

/* ---- ListStreams ---- */

struct list_page {
    struct aws_call *call;
    struct gw_stream *stream;
    int64_t limit, count;
    bool more;
};

static int list_stream(void *context, const struct gw_stream *stream)
{
    struct list_page *list = context;
    list->more = list->count == list->limit;
    if (list->more)
        return 1;
    list->stream[list->count++] = *stream;
    return 0;
}

static int write_next(struct aws_call *call, struct text last)
{
    struct gw_records_token token = {.kind = GW_TOKEN_STREAMS, .made_ms = clock_wall_ms(), .stream = last};
    struct buf text;
    buf_init(&text, GW_RECORDS_TOKEN_MAX);
    int code = gw_records_token_format(&text, &token);
    json_name(&call->w, "NextToken");
    json_text(&call->w, buf_text(&text));
    buf_fini(&text);
    return code ? aws_no_memory(call) : 0;
}

static int write_list(struct aws_call *call, const struct list_page *list)
{
    struct json_writer *w = &call->w;
    json_begin_object(w);
    json_name(w, "StreamNames");
    json_begin_array(w);
    for (int64_t i = 0; i < list->count; i++)
        json_text(w, list->stream[i].name);
    json_end_array(w);
    json_name(w, "StreamSummaries");
    json_begin_array(w);
    for (int64_t i = 0; i < list->count; i++) {
        json_begin_object(w);
        write_state(call, &list->stream[i]);
        json_end_object(w);
    }
    json_end_array(w);
    json_name(w, "HasMoreStreams");
    json_bool(w, list->more);
    int code = list->more ? write_next(call, list->stream[list->count - 1].name) : 0;
    json_end_object(w);
    return code;
}

int kinesis_list_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text after = aws_param_text(call->in, "ExclusiveStartStreamName"), next = aws_param_text(call->in, "NextToken");
    struct list_page list = {.call = call, .limit = kinesis_integer(call, "Limit", LIST_DEFAULT)};
    struct gw_records_token token;
    (void)tick;
    list.limit = list.limit > GW_STREAMS_MAX ? GW_STREAMS_MAX : list.limit;
    if (next.len) {
        int code = gw_records_token_parse(call->arena, next, GW_TOKEN_STREAMS, &token);
        if (code)
            return code == ERR_MEMORY ? aws_no_memory(call) : aws_fail(call, KINESIS_INVALID, "NextToken is invalid.");
        after = token.stream;
    }
    list.stream = arena_array(call->arena, (size_t)list.limit, sizeof(*list.stream));
    if (!list.stream)
        return aws_no_memory(call);
    int code = gw_stream_each(view, call->arena, after, list_stream, &list);
    return code < 0 ? kinesis_fail(call, TEXT_NONE, code, NULL) : write_list(call, &list);
}

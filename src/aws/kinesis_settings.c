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

/* A stream or a consumer. As call->state it begins with the stream's name, as for operations on streams. */
int kinesis_resource_prepare(struct aws_call *call)
{
    struct kinesis_consumer_name *name = arena_zalloc(call->arena, sizeof(*name));
    _Static_assert(offsetof(struct kinesis_consumer_name, stream) == 0, "kinesis_stream reads a name there");
    call->state = name;
    if (!name)
        return aws_no_memory(call);
    if (kinesis_consumer_arn_parse(aws_param_text(call->in, "ResourceARN"), name))
        return 0;
    *name = (struct kinesis_consumer_name){0};
    return kinesis_arn_name(call, "ResourceARN", &name->stream);
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

static void remove_tags(struct aws_call *call, struct gw_stream *stream)
{
    for (const struct json *key = shape_get(call->in, "TagKeys")->first; key; key = key->next) {
        struct gw_stream_tag *tag = find_tag(stream, key->text);
        if (tag)
            *tag = stream->tag[--stream->tags];
    }
}

int kinesis_remove_tags_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    remove_tags(call, &stream);
    return keep(call, tick, &stream);
}

/* A consumer's tags, as if they were a stream's. */
static int change_consumer(struct aws_call *call, struct store_view *view, struct tick *tick, bool add)
{
    struct gw_stream stream;
    struct gw_stream_consumer consumer;
    int code = kinesis_consumer_find(call, view, call->state, &stream, &consumer);
    if (code)
        return code;
    struct gw_stream bag = {.name = stream.name, .tag = consumer.tag, .tags = consumer.tags};
    if (add)
        code = kinesis_tags_add(call, &bag, shape_get(call->in, "Tags"));
    else
        remove_tags(call, &bag);
    if (code)
        return code;
    consumer.tag = bag.tag;
    consumer.tags = bag.tags;
    code = gw_consumer_put(tick, &stream, &consumer);
    return code ? kinesis_fail(call, stream.name, code, NULL) : 0;
}

static bool is_consumer(const struct aws_call *call)
{
    const struct kinesis_consumer_name *name = call->state;
    return name->name.len > 0;
}

int kinesis_tag_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return is_consumer(call) ? change_consumer(call, view, tick, true) : kinesis_add_tags_perform(call, view, tick);
}

int kinesis_untag_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return is_consumer(call) ? change_consumer(call, view, tick, false) : kinesis_remove_tags_perform(call, view, tick);
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
    struct gw_stream_consumer consumer;
    (void)tick;
    int code = is_consumer(call) ? kinesis_consumer_find(call, view, call->state, &stream, &consumer) : kinesis_stream(call, view, &stream);
    if (code)
        return code;
    if (is_consumer(call)) {
        stream.tag = consumer.tag;
        stream.tags = consumer.tags;
    }
    json_begin_object(&call->w);
    write_tags(&call->w, &stream, TEXT_NONE, GW_STREAM_TAGS_MAX);
    json_end_object(&call->w);
    return 0;
}

/* ---- encryption, the size of records ---- */

/* A GUID, an alias, or the ARN of either: what AWS takes as a key's name. */
static bool key_valid(struct text key)
{
    if (text_starts(key, TEXT("alias/")))
        return key.len > 6;
    if (text_starts(key, TEXT("arn:"))) {
        for (int colon = 0; colon < 5; colon++) {
            ptrdiff_t next = text_find(key, ':', 0);
            if (next < 0 || (colon == 2 && !text_is(text_make(key.data, (size_t)next), "kms")))
                return false;
            key = text_make(key.data + next + 1, key.len - (size_t)next - 1);
        }
        return (text_starts(key, TEXT("alias/")) && key.len > 6) || (text_starts(key, TEXT("key/")) && key.len > 4);
    }
    for (size_t i = 0; i < key.len; i++) {
        bool hex = (key.data[i] >= '0' && key.data[i] <= '9') || (key.data[i] >= 'a' && key.data[i] <= 'f') || (key.data[i] >= 'A' && key.data[i] <= 'F');
        bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? key.data[i] != '-' : !hex)
            return text_starts(key, TEXT("mrk-")) && key.len == 36;
    }
    return key.len == 36;
}

/* A key is kept as it was named, and told. What lies on the disk is encrypted by the key of the data folder, whatever stands here. */
static int change_encryption(struct aws_call *call, struct store_view *view, struct tick *tick, bool on)
{
    struct gw_stream stream;
    struct text key = aws_param_text(call->in, "KeyId");
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    if (!aws_param_is(call->in, "EncryptionType", "KMS"))
        return aws_fail(call, AWS_VALIDATION, "1 validation error detected: Value 'NONE' at 'encryptionType' failed to satisfy constraint: Member must satisfy enum value set: [KMS]");
    if (!key_valid(key))
        return aws_fail(call, KINESIS_INVALID, "Invalid KeyId %.*s: it is the id of a key, an alias, or the ARN of either.", TEXT_FMT(key));
    if (on && stream.key.len)
        return aws_fail(call, KINESIS_IN_USE, "Stream %.*s under account %.*s is already encrypted.", TEXT_FMT(stream.name), TEXT_FMT(call->config->account));
    if (!on && !stream.key.len)
        return 0; /* it is as it is asked for */
    stream.key = on ? key : TEXT_NONE;
    return keep(call, tick, &stream);
}

int kinesis_encrypt_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return change_encryption(call, view, tick, true);
}

int kinesis_decrypt_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return change_encryption(call, view, tick, false);
}

int kinesis_record_size_prepare(struct aws_call *call)
{
    return kinesis_stream_prepare(call);
}

int kinesis_record_size_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    stream.record_kib = (uint32_t)kinesis_integer(call, "MaxRecordSizeInKiB", GW_RECORD_KIB_MIN);
    return keep(call, tick, &stream);
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

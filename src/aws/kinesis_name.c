/* Streams and shards as requests name them, and what is said of them everywhere, with AWS's sentences for what is not there. */
#include "aws/kinesis.h"

#define ARN_PATTERN "arn:aws.*:kinesis:.*:\\d{12}:stream/.+"

const char *const kinesis_metric_names[KINESIS_METRIC_COUNT] = {"IncomingBytes", "IncomingRecords", "OutgoingBytes", "OutgoingRecords",
    "WriteProvisionedThroughputExceeded", "ReadProvisionedThroughputExceeded", "IteratorAgeMilliseconds"};

/* ---- faults ---- */

int kinesis_constraint(struct aws_call *call, const char *value, const char *at, const char *constraint)
{
    return aws_fail(call, AWS_VALIDATION, "1 validation error detected: Value %s at '%s' failed to satisfy constraint: Member must %s", value, at, constraint);
}

int kinesis_not_found(struct aws_call *call, struct text stream)
{
    return aws_fail(call, KINESIS_NOT_FOUND, "Stream %.*s under account %.*s not found.", TEXT_FMT(stream), TEXT_FMT(call->config->account));
}

int kinesis_fail(struct aws_call *call, struct text stream, int code, const struct err *err)
{
    switch (code) {
    case ERR_NOT_FOUND:
        return kinesis_not_found(call, stream);
    case ERR_EXISTS:
        return aws_fail(call, KINESIS_IN_USE, "Stream %.*s under account %.*s already exists.", TEXT_FMT(stream), TEXT_FMT(call->config->account));
    default:
        return aws_store_fail(call, code, err);
    }
}

int kinesis_full(struct aws_call *call, struct store_view *view, int64_t more)
{
    struct text account = call->config->account, region = call->config->region;
    struct gw_stream_totals totals;
    int code = gw_stream_totals(view, call->arena, &totals);
    if (code)
        return kinesis_fail(call, TEXT_NONE, code, NULL);
    if (totals.shards + more > GW_STREAM_SHARDS_MAX)
        return aws_fail(call, KINESIS_LIMIT,
            "This request would exceed the shard limit for the account %.*s in %.*s. Current shard count for the account: %u. Limit: %d. Number of additional shards "
            "that would have resulted from this request: %lld.",
            TEXT_FMT(account), TEXT_FMT(region), totals.shards, GW_STREAM_SHARDS_MAX, (long long)more);
    return aws_fail(call, KINESIS_LIMIT, "This request would exceed the limits of account %.*s in %.*s: %d streams, and %d shards of one stream, closed ones included.",
        TEXT_FMT(account), TEXT_FMT(region), GW_STREAMS_MAX, GW_STREAM_CLOSED_MAX);
}

int kinesis_no_dry_run(struct aws_call *call)
{
    if (!aws_param_true(call->in, "DryRun"))
        return 0;
    return aws_fail(call, KINESIS_INVALID, "DryRun is not supported here: nothing was done.");
}

/* ---- streams ---- */

static bool is_digits(struct text text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return text.len > 0;
}

struct text kinesis_arn(struct aws_call *call, struct text stream)
{
    return arena_format(call->arena, "arn:aws:kinesis:%.*s:%.*s:stream/%.*s", TEXT_FMT(call->config->region), TEXT_FMT(call->config->account), TEXT_FMT(stream));
}

/* arn:aws:kinesis:REGION:ACCOUNT:stream/...; any region and account, as for signatures. */
bool kinesis_arn_rest(struct text arn, struct text *out)
{
    size_t at = 0;
    for (int colon = 0; colon < 5; colon++) {
        ptrdiff_t next = text_find(arn, ':', at);
        if (next < 0)
            return false;
        struct text part = text_make(arn.data + at, (size_t)next - at);
        if ((colon == 0 && !text_is(part, "arn")) || (colon == 1 && !text_starts(part, TEXT("aws"))) || (colon == 2 && !text_is(part, "kinesis")))
            return false;
        if (colon == 4 && (part.len != 12 || !is_digits(part)))
            return false;
        at = (size_t)next + 1;
    }
    struct text rest = text_make(arn.data + at, arn.len - at);
    if (!text_starts(rest, TEXT("stream/")))
        return false;
    *out = text_make(rest.data + 7, rest.len - 7);
    return out->len > 0;
}

bool kinesis_is_stream_arn(struct text arn)
{
    struct text rest;
    return kinesis_arn_rest(arn, &rest);
}

bool kinesis_is_resource_arn(struct text arn)
{
    return kinesis_is_stream_arn(arn);
}

/* 0|([1-9]\d{0,max}) */
static bool is_number(struct text text, size_t max)
{
    return is_digits(text) && text.len <= max + 1 && (text.data[0] != '0' || text.len == 1);
}

bool kinesis_is_sequence(struct text text)
{
    return is_number(text, 128);
}

bool kinesis_is_hash_key(struct text text)
{
    return is_number(text, 38);
}

int kinesis_arn_name(struct aws_call *call, const char *member, struct text *name)
{
    struct text arn = aws_param_text(call->in, member);
    if (kinesis_arn_rest(arn, name))
        return 0;
    return aws_fail(call, AWS_VALIDATION,
        "1 validation error detected: Value '%.*s' at '%c%s' failed to satisfy constraint: Member must satisfy regular expression pattern: " ARN_PATTERN, TEXT_FMT(arn),
        member[0] + ('a' - 'A'), member + 1);
}

int kinesis_name(struct aws_call *call, struct text *name)
{
    struct text by_arn;
    *name = aws_param_text(call->in, "StreamName");
    if (shape_get(call->in, "StreamARN")) {
        int code = kinesis_arn_name(call, "StreamARN", &by_arn);
        if (code)
            return code;
        if (name->len && !text_equal(*name, by_arn))
            return aws_fail(call, KINESIS_INVALID, "StreamName %.*s and StreamARN name different streams.", TEXT_FMT(*name));
        *name = by_arn;
    }
    return name->len ? 0 : kinesis_constraint(call, "null", "streamName", "not be null");
}

int kinesis_stream_prepare(struct aws_call *call)
{
    struct text *name = arena_zalloc(call->arena, sizeof(*name));
    call->state = name;
    return name ? kinesis_name(call, name) : aws_no_memory(call);
}

int kinesis_stream_named(struct aws_call *call, struct store_view *view, struct text name, struct gw_stream *stream)
{
    int code = gw_stream_get(view, call->arena, name, stream);
    return code ? kinesis_fail(call, name, code, NULL) : 0;
}

int kinesis_stream(struct aws_call *call, struct store_view *view, struct gw_stream *stream)
{
    const struct text *name = call->state;
    return kinesis_stream_named(call, view, *name, stream);
}

int kinesis_shard(struct aws_call *call, struct store_view *view, const struct gw_stream *stream, const char *member, struct gw_shard *shard)
{
    struct text text = aws_param_text(call->in, member);
    uint32_t number;
    int code = gw_shard_parse(text, &number);
    if (!code)
        code = gw_shard_get(view, call->arena, stream, number, shard);
    if (code == ERR_SYNTAX || code == ERR_NOT_FOUND)
        return aws_fail(call, KINESIS_NOT_FOUND, "Could not find shard %.*s in stream %.*s under account %.*s.", TEXT_FMT(text), TEXT_FMT(stream->name),
            TEXT_FMT(call->config->account));
    return code ? kinesis_fail(call, stream->name, code, NULL) : 0;
}

/* ---- members ---- */

int kinesis_time(struct aws_call *call, const struct json *json, int64_t *ms)
{
    double value;
    if (json_to_double(json, &value))
        return aws_fail(call, AWS_SERIALIZATION, "The timestamp cannot be read.");
    value = call->cbor ? value : value * 1000;
    if (!(value >= 0 && value < 1e15))
        return aws_fail(call, KINESIS_INVALID, "The timestamp is out of range.");
    *ms = (int64_t)(value + 0.5);
    return 0;
}

int kinesis_check_created(struct aws_call *call, const struct gw_stream *stream)
{
    const struct json *given = shape_get(call->in, "StreamCreationTimestamp");
    int64_t ms;
    if (!given)
        return 0;
    int code = kinesis_time(call, given, &ms);
    return code || ms / 1000 == stream->created_ms / 1000 ? code : kinesis_not_found(call, stream->name);
}

int64_t kinesis_integer(const struct aws_call *call, const char *member, int64_t otherwise)
{
    const struct json *given = shape_get(call->in, member);
    int64_t value;
    return given && !json_to_i64(given, &value) ? value : otherwise;
}

static void write_text(struct json_writer *w, const char *name, struct text text)
{
    json_name(w, name);
    json_text(w, text);
}

void kinesis_write_names(struct aws_call *call, struct text stream)
{
    write_text(&call->w, "StreamName", stream);
    write_text(&call->w, "StreamARN", kinesis_arn(call, stream));
}

void kinesis_write_mode(struct aws_call *call, const struct gw_stream *stream)
{
    json_name(&call->w, "StreamModeDetails");
    json_begin_object(&call->w);
    json_name(&call->w, "StreamMode");
    json_str(&call->w, stream->on_demand ? "ON_DEMAND" : "PROVISIONED");
    json_end_object(&call->w);
}

static void write_shard_id(struct json_writer *w, const char *name, int64_t number)
{
    char id[GW_SHARD_TEXT + 1];
    if (number < 0)
        return;
    gw_shard_format((uint32_t)number, id);
    write_text(w, name, text_of(id));
}

static void write_hash(struct json_writer *w, const char *name, gw_hash_key key)
{
    char digits[GW_HASH_KEY_TEXT];
    gw_hash_key_format(key, digits);
    write_text(w, name, text_of(digits));
}

static void write_sequence(struct json_writer *w, const char *name, struct gw_position position, uint32_t shard)
{
    char digits[GW_SEQUENCE_TEXT + 1];
    gw_position_format(position, shard, digits);
    write_text(w, name, text_of(digits));
}

void kinesis_write_shard(struct json_writer *w, const struct gw_shard *shard)
{
    json_begin_object(w);
    write_shard_id(w, "ShardId", shard->number);
    write_shard_id(w, "ParentShardId", shard->parent);
    write_shard_id(w, "AdjacentParentShardId", shard->adjacent);
    json_name(w, "HashKeyRange");
    json_begin_object(w);
    write_hash(w, "StartingHashKey", shard->start);
    write_hash(w, "EndingHashKey", shard->end);
    json_end_object(w);
    json_name(w, "SequenceNumberRange");
    json_begin_object(w);
    write_sequence(w, "StartingSequenceNumber", shard->first, shard->number);
    if (shard->closed)
        write_sequence(w, "EndingSequenceNumber", shard->last, shard->number);
    json_end_object(w);
    json_end_object(w);
}

void kinesis_write_metrics(struct json_writer *w, const char *name, uint32_t metrics)
{
    json_name(w, name);
    json_begin_array(w);
    for (int i = 0; i < KINESIS_METRIC_COUNT; i++)
        if (metrics >> i & 1)
            json_str(w, kinesis_metric_names[i]);
    json_end_array(w);
}

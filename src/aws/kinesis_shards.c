/* Shards listed, split, merged and scaled. */
#include "aws/kinesis.h"

#define LIST_DEFAULT 1000 /* shards of one answer */

/* ---- ListShards ---- */

enum filter { FILTER_NONE, FILTER_AFTER_SHARD, FILTER_AT_TRIM, FILTER_FROM_TRIM, FILTER_AT_LATEST, FILTER_AT_TIME, FILTER_FROM_TIME };
static const char *const filter_names[] = {"", "AFTER_SHARD_ID", "AT_TRIM_HORIZON", "FROM_TRIM_HORIZON", "AT_LATEST", "AT_TIMESTAMP", "FROM_TIMESTAMP"};

struct shard_page {
    struct text name;
    struct gw_position id;   /* with a token: of the stream it was made for */
    bool continued;
    uint32_t from;           /* the first shard looked at */
    enum filter filter;
    int64_t filter_ms;
    int64_t limit;
    /* while it runs */
    struct json_writer *w;
    int64_t count, horizon_ms;
    uint32_t last;
    bool more;
};

static int read_filter(struct aws_call *call, struct shard_page *list)
{
    const struct json *filter = shape_get(call->in, "ShardFilter");
    struct text type = aws_param_text(filter, "Type"), after = aws_param_text(filter, "ShardId");
    const struct json *time = shape_get(filter, "Timestamp");
    uint32_t shard;
    for (int i = FILTER_AFTER_SHARD; filter && i <= FILTER_FROM_TIME; i++)
        if (text_is(type, filter_names[i]))
            list->filter = (enum filter)i;
    if (list->filter == FILTER_AFTER_SHARD) {
        if (gw_shard_parse(after, &shard))
            return aws_fail(call, KINESIS_INVALID, "A ShardFilter of type AFTER_SHARD_ID needs the ShardId of a shard.");
        list->from = shard + 1 > list->from ? shard + 1 : list->from;
    }
    if (list->filter < FILTER_AT_TIME)
        return 0;
    return time ? kinesis_time(call, time, &list->filter_ms)
                : aws_fail(call, KINESIS_INVALID, "A ShardFilter of type %.*s needs a Timestamp.", TEXT_FMT(type));
}

static int read_token(struct aws_call *call, struct text text, struct shard_page *list)
{
    struct gw_records_token token;
    int code = gw_records_token_parse(call->arena, text, GW_TOKEN_SHARDS, &token);
    if (code == ERR_MEMORY)
        return aws_no_memory(call);
    if (code || token.filter > FILTER_FROM_TIME)
        return aws_fail(call, KINESIS_INVALID, "NextToken is invalid.");
    if (clock_wall_ms() - token.made_ms > GW_RECORDS_TOKEN_MS)
        return aws_fail(call, KINESIS_EXPIRED_TOKEN, "NextToken has expired: it is valid for %d milliseconds.", (int)GW_RECORDS_TOKEN_MS);
    list->name = token.stream;
    list->id = token.id;
    list->continued = true;
    list->from = token.shard + 1;
    list->filter = token.filter;
    list->filter_ms = token.filter_ms;
    return 0;
}

/* The token says all of it. */
static int token_alone(struct aws_call *call)
{
    static const char *const others[] = {"StreamName", "StreamARN", "ExclusiveStartShardId", "StreamCreationTimestamp", "ShardFilter"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (shape_get(call->in, others[i]))
            return aws_fail(call, KINESIS_INVALID, "NextToken and %s cannot be provided together.", others[i]);
    return 0;
}

int kinesis_list_shards_prepare(struct aws_call *call)
{
    struct shard_page *list = arena_zalloc(call->arena, sizeof(*list));
    struct text token = aws_param_text(call->in, "NextToken"), after = aws_param_text(call->in, "ExclusiveStartShardId");
    uint32_t shard = 0;
    int code;
    if (!list)
        return aws_no_memory(call);
    call->state = list;
    list->limit = kinesis_integer(call, "MaxResults", LIST_DEFAULT);
    if (token.len) {
        code = token_alone(call);
        if (!code)
            code = read_token(call, token, list);
    } else {
        code = kinesis_name(call, &list->name);
        if (!code && after.len && gw_shard_parse(after, &shard))
            return aws_fail(call, KINESIS_INVALID, "ExclusiveStartShardId %.*s is not the id of a shard.", TEXT_FMT(after));
        list->from = after.len ? shard + 1 : 0;
        if (!code)
            code = read_filter(call, list);
    }
    return code ? code : aws_may_on(call, call->op->name, "stream", list->name, TEXT_NONE);
}

static bool filter_holds(const struct shard_page *list, const struct gw_shard *shard)
{
    switch (list->filter) {
    case FILTER_AT_LATEST:
        return !shard->closed;
    case FILTER_AT_TRIM:
        return shard->created_ms <= list->horizon_ms || shard->parent < 0 ? !shard->closed || shard->closed_ms > list->horizon_ms : false;
    case FILTER_AT_TIME:
        return shard->created_ms <= list->filter_ms && (!shard->closed || shard->closed_ms >= list->filter_ms);
    case FILTER_FROM_TIME:
        return !shard->closed || shard->closed_ms >= list->filter_ms;
    default:
        return true;
    }
}

static int list_shard(void *context, const struct gw_shard *shard)
{
    struct shard_page *list = context;
    if (!filter_holds(list, shard))
        return 0;
    list->more = list->count == list->limit;
    if (list->more)
        return 1;
    kinesis_write_shard(list->w, shard);
    list->last = shard->number;
    list->count++;
    return 0;
}

static int write_next(struct aws_call *call, const struct shard_page *list, const struct gw_stream *stream)
{
    struct gw_records_token token = {.kind = GW_TOKEN_SHARDS, .made_ms = clock_wall_ms(), .stream = stream->name, .id = stream->id, .shard = list->last,
        .filter = (uint8_t)list->filter, .filter_ms = list->filter_ms};
    struct buf text;
    buf_init(&text, GW_RECORDS_TOKEN_MAX);
    int code = gw_records_token_format(&text, &token);
    json_name(&call->w, "NextToken");
    json_text(&call->w, buf_text(&text));
    buf_fini(&text);
    return code ? aws_no_memory(call) : 0;
}

int kinesis_list_shards_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct shard_page *asked = call->state;
    struct shard_page list = *asked;
    struct gw_stream stream;
    struct json_writer *w = &call->w;
    (void)tick;
    int code = kinesis_stream_named(call, view, list.name, &stream);
    if (code)
        return code;
    if (!list.continued)
        code = kinesis_check_created(call, &stream);
    if (code)
        return code;
    if (list.continued && gw_position_compare(list.id, stream.id) != 0)
        return aws_fail(call, KINESIS_INVALID, "NextToken is invalid.");
    list.w = w;
    list.horizon_ms = gw_stream_horizon_ms(&stream, clock_wall_ms());
    json_begin_object(w);
    json_name(w, "Shards");
    json_begin_array(w);
    code = gw_shard_each(view, call->arena, &stream, list.from, list_shard, &list);
    if (code < 0)
        return kinesis_fail(call, stream.name, code, NULL);
    json_end_array(w);
    code = list.more ? write_next(call, &list, &stream) : 0;
    json_end_object(w);
    return code;
}

/* ---- SplitShard, MergeShards, UpdateShardCount ---- */

/* What changes the shards wants a stream that is ACTIVE and provisioned. */
static int check_mode(struct aws_call *call, const struct gw_stream *stream)
{
    if (stream->scaling_to)
        return aws_fail(call, KINESIS_IN_USE, "Stream %.*s under account %.*s not ACTIVE, instead in state UPDATING", TEXT_FMT(stream->name), TEXT_FMT(call->config->account));
    if (!stream->on_demand)
        return 0;
    return aws_fail(call, AWS_VALIDATION, "Request is invalid. Stream %.*s under account %.*s is in On-Demand mode.", TEXT_FMT(stream->name),
        TEXT_FMT(call->config->account));
}

static int reshard_fail(struct aws_call *call, struct store_view *view, const struct gw_stream *stream, int code)
{
    struct text account = call->config->account;
    if (code == ERR_FULL)
        return kinesis_full(call, view, 1);
    if (code == ERR_CONDITION && shape_get(call->in, "AdjacentShardToMerge"))
        return aws_fail(call, KINESIS_INVALID, "Shards %.*s and %.*s in stream %.*s under account %.*s are not an adjacent pair of shards eligible for merging",
            TEXT_FMT(aws_param_text(call->in, "ShardToMerge")), TEXT_FMT(aws_param_text(call->in, "AdjacentShardToMerge")), TEXT_FMT(stream->name), TEXT_FMT(account));
    if (code == ERR_CONDITION)
        return aws_fail(call, KINESIS_INVALID,
            "Shard %.*s in stream %.*s under account %.*s has already been merged or split, and thus is not eligible for merging or splitting.",
            TEXT_FMT(aws_param_text(call->in, "ShardToSplit")), TEXT_FMT(stream->name), TEXT_FMT(account));
    return kinesis_fail(call, stream->name, code, NULL);
}

static int hash_key(struct aws_call *call, struct text digits, gw_hash_key *key)
{
    int code = gw_hash_key_parse(digits, key); /* its form has been judged with the request's shape */
    return code ? aws_fail(call, KINESIS_INVALID, "NewStartingHashKey must be in the range: [0, 2^128-1]. Specified value was %.*s", TEXT_FMT(digits)) : 0;
}

int kinesis_split_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct gw_shard shard;
    struct text digits = aws_param_text(call->in, "NewStartingHashKey");
    gw_hash_key at;
    int code = hash_key(call, digits, &at);
    if (!code)
        code = kinesis_stream(call, view, &stream);
    if (!code)
        code = check_mode(call, &stream);
    if (!code)
        code = kinesis_shard(call, view, &stream, "ShardToSplit", &shard);
    if (code)
        return code;
    struct gw_reshard reshard = {.tick = tick, .arena = call->arena, .stream = &stream};
    /* AWS wants each half to hold two keys at least. */
    bool inside = shard.closed || (at > shard.start + 1 && at < shard.end);
    code = inside ? gw_shard_split(&reshard, shard.number, at) : ERR_INVALID;
    if (code == ERR_INVALID) {
        char start[GW_HASH_KEY_TEXT], end[GW_HASH_KEY_TEXT];
        gw_hash_key_format(shard.start, start);
        gw_hash_key_format(shard.end, end);
        return aws_fail(call, KINESIS_INVALID,
            "NewStartingHashKey %.*s used in SplitShard() on shard %.*s in stream %.*s under account %.*s is not both greater than one plus the shard's "
            "StartingHashKey %s and less than the shard's EndingHashKey %s.",
            TEXT_FMT(digits), TEXT_FMT(aws_param_text(call->in, "ShardToSplit")), TEXT_FMT(stream.name), TEXT_FMT(call->config->account), start, end);
    }
    return code ? reshard_fail(call, view, &stream, code) : 0;
}

int kinesis_merge_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct gw_shard shard, adjacent;
    int code = kinesis_stream(call, view, &stream);
    if (!code)
        code = check_mode(call, &stream);
    if (!code)
        code = kinesis_shard(call, view, &stream, "ShardToMerge", &shard);
    if (!code)
        code = kinesis_shard(call, view, &stream, "AdjacentShardToMerge", &adjacent);
    if (code)
        return code;
    struct gw_reshard reshard = {.tick = tick, .arena = call->arena, .stream = &stream};
    code = gw_shard_merge(&reshard, shard.number, adjacent.number);
    return code ? reshard_fail(call, view, &stream, code) : 0;
}

int kinesis_scale_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct json_writer *w = &call->w;
    int64_t target = kinesis_integer(call, "TargetShardCount", 0);
    int code = kinesis_stream(call, view, &stream);
    if (!code)
        code = check_mode(call, &stream);
    if (code)
        return code;
    int64_t current = stream.open_count;
    if (target > 2 * current || 2 * target < current)
        return aws_fail(call, KINESIS_INVALID, "UpdateShardCount cannot scale %s your current open shard count. Current open shard count: %d Target shard count: %d",
            target > current ? "up over double" : "down below half", (int)current, (int)target);
    struct gw_reshard reshard = {.tick = tick, .arena = call->arena, .stream = &stream};
    code = gw_shard_scale(&reshard, (uint32_t)target);
    if (code)
        return code == ERR_FULL ? kinesis_full(call, view, target - current) : kinesis_fail(call, stream.name, code, NULL);
    json_begin_object(w);
    kinesis_write_names(call, stream.name);
    json_name(w, "CurrentShardCount");
    json_i64(w, current);
    json_name(w, "TargetShardCount");
    json_i64(w, target);
    json_end_object(w);
    return 0;
}

/*
 * GetShardIterator and GetRecords. An iterator is a place and a time, not a thing that is kept: it names the stream by its identity, so one of a stream that was deleted
 * does not read its successor, and it ends five minutes after it was made. A read of more than a few records leaves the io thread for a worker.
 */
#include "aws/kinesis.h"

#include "base/codec.h"
#include <stdio.h>
#include <time.h>

#define LIMIT_DEFAULT 10000
#define PAGE_BYTES ((size_t)10 << 20)

static int write_iterator(struct aws_call *call, const char *name, const struct gw_stream *stream, uint32_t shard, struct gw_records_from from)
{
    struct gw_records_token token = {.kind = GW_TOKEN_ITERATOR, .made_ms = clock_wall_ms(), .stream = stream->name, .id = stream->id, .shard = shard, .from = from};
    struct buf text;
    buf_init(&text, GW_RECORDS_TOKEN_MAX);
    int code = gw_records_token_format(&text, &token);
    json_name(&call->w, name);
    json_text(&call->w, buf_text(&text));
    buf_fini(&text);
    return code ? aws_no_memory(call) : 0;
}

/* ---- GetShardIterator ---- */

int kinesis_iterator_sequence(struct aws_call *call, const struct gw_stream *stream, const struct gw_shard *shard, struct text type, const struct json *given,
    struct gw_position now, struct gw_records_from *from)
{
    struct gw_position position, end = shard->closed ? shard->last : now;
    uint32_t number;
    if (!given)
        return aws_fail(call, KINESIS_INVALID,
            "Must either specify (1) a ShardIteratorType of AT_SEQUENCE_NUMBER or AFTER_SEQUENCE_NUMBER and a StartingSequenceNumber or (2) a ShardIteratorType of "
            "TRIM_HORIZON or LATEST and no StartingSequenceNumber. Request specified %.*s and no StartingSequenceNumber.",
            TEXT_FMT(type));
    bool ours = !gw_position_parse(given->text, &position, &number);
    if (ours && number != shard->number)
        return aws_fail(call, KINESIS_INVALID,
            "Invalid StartingSequenceNumber. It encodes shardId-%012u, while it was used in a call to a shard with shardId-%012u", number, shard->number);
    if (!ours || gw_position_compare(position, shard->first) < 0 || gw_position_compare(position, end) > 0)
        return aws_fail(call, KINESIS_INVALID,
            "StartingSequenceNumber %.*s used in %s on shard shardId-%012u in stream %.*s under account %.*s is invalid because it did not come from this stream.",
            TEXT_FMT(given->text), call->op->name, shard->number, TEXT_FMT(stream->name), TEXT_FMT(call->config->account));
    *from = (struct gw_records_from){position, text_is(type, "AT_SEQUENCE_NUMBER")};
    return 0;
}

int kinesis_iterator_time(struct aws_call *call, const struct json *given, int64_t *ms)
{
    int64_t now = clock_wall_ms();
    if (!given)
        return aws_fail(call, KINESIS_INVALID, "Must specify timestampInMillis parameter for iterator of type AT_TIMESTAMP. Current request has no timestamp parameter.");
    int code = kinesis_time(call, given, ms);
    if (code)
        return code;
    if (*ms > now)
        return aws_fail(call, KINESIS_INVALID,
            "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. timestampInMillis: %lld, currentTimestampInMillis: %lld", (long long)*ms,
            (long long)now);
    return 0;
}

static int from_time(struct aws_call *call, struct store_view *view, const struct gw_stream *stream, uint32_t shard, struct gw_records_from *from)
{
    int64_t ms;
    int code = kinesis_iterator_time(call, shape_get(call->in, "Timestamp"), &ms);
    if (code)
        return code;
    code = gw_records_at_time(view, call->arena, stream, shard, ms, from);
    return code ? kinesis_fail(call, stream->name, code, NULL) : 0;
}

int kinesis_get_iterator_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text type = aws_param_text(call->in, "ShardIteratorType");
    struct gw_stream stream;
    struct gw_shard shard;
    struct gw_records_from from = {.inclusive = true};
    (void)tick;
    int code = kinesis_stream(call, view, &stream);
    if (!code)
        code = kinesis_shard(call, view, &stream, "ShardId", &shard);
    if (code)
        return code;
    if (text_is(type, "LATEST"))
        from = gw_records_latest(view);
    else if (text_is(type, "AT_TIMESTAMP"))
        code = from_time(call, view, &stream, shard.number, &from);
    else if (!text_is(type, "TRIM_HORIZON"))
        code = kinesis_iterator_sequence(call, &stream, &shard, type, shape_get(call->in, "StartingSequenceNumber"), gw_records_latest(view).position, &from);
    if (code)
        return code;
    json_begin_object(&call->w);
    code = write_iterator(call, "ShardIterator", &stream, shard.number, from);
    json_end_object(&call->w);
    return code;
}

/* ---- GetRecords ---- */

static void write_date(char out[40], int64_t ms)
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    strftime(out, 40, "%a %b %d %H:%M:%S UTC %Y", &parts);
}

int kinesis_get_records_prepare(struct aws_call *call)
{
    struct gw_records_token *token = arena_zalloc(call->arena, sizeof(*token));
    struct text by_arn;
    if (!token)
        return aws_no_memory(call);
    call->state = token;
    int64_t now = clock_wall_ms();
    int code = gw_records_token_parse(call->arena, aws_param_text(call->in, "ShardIterator"), GW_TOKEN_ITERATOR, token);
    if (code)
        return code == ERR_MEMORY ? aws_no_memory(call) : aws_fail(call, KINESIS_INVALID, "Invalid ShardIterator.");
    code = aws_may_on(call, call->op->name, "stream", token->stream, TEXT_NONE);
    if (!code && shape_get(call->in, "StreamARN")) {
        code = kinesis_arn_name(call, "StreamARN", &by_arn);
        if (!code && !text_equal(by_arn, token->stream))
            return aws_fail(call, KINESIS_INVALID, "StreamARN names another stream than the ShardIterator.");
    }
    if (code || (now - token->made_ms <= GW_RECORDS_TOKEN_MS && token->made_ms >= 0))
        return code;
    char made[40], here[40];
    write_date(made, token->made_ms);
    write_date(here, now);
    return aws_fail(call, KINESIS_EXPIRED,
        "Iterator expired. The iterator was created at time %s while right now it is %s which is further in the future than the tolerated delay of %d milliseconds.", made,
        here, (int)GW_RECORDS_TOKEN_MS);
}

int kinesis_record_write(void *writer, const struct gw_record *record)
{
    struct json_writer *w = writer;
    json_begin_object(w);
    json_name(w, "SequenceNumber");
    json_str(w, record->sequence);
    aws_time_json(w, "ApproximateArrivalTimestamp", record->at_ms);
    json_name(w, "Data");
    json_raw(w, TEXT("\""));
    base64_encode(w->out, record->data);
    buf_add_char(w->out, '"');
    json_name(w, "PartitionKey");
    json_text(w, record->key);
    json_end_object(w);
    return w->out->failed ? ERR_MEMORY : 0;
}

struct children {
    struct json_writer *w;
    int64_t parent;
};

static void write_id(struct json_writer *w, int64_t number)
{
    char id[GW_SHARD_TEXT + 1];
    gw_shard_format((uint32_t)number, id);
    json_str(w, id);
}

static int write_child(void *context, const struct gw_shard *shard)
{
    struct children *children = context;
    struct json_writer *w = children->w;
    char start[GW_HASH_KEY_TEXT], end[GW_HASH_KEY_TEXT];
    if (shard->parent != children->parent && shard->adjacent != children->parent)
        return 0;
    gw_hash_key_format(shard->start, start);
    gw_hash_key_format(shard->end, end);
    json_begin_object(w);
    json_name(w, "ShardId");
    write_id(w, shard->number);
    json_name(w, "ParentShards");
    json_begin_array(w);
    write_id(w, shard->parent);
    if (shard->adjacent >= 0)
        write_id(w, shard->adjacent);
    json_end_array(w);
    json_name(w, "HashKeyRange");
    json_begin_object(w);
    json_name(w, "StartingHashKey");
    json_str(w, start);
    json_name(w, "EndingHashKey");
    json_str(w, end);
    json_end_object(w);
    json_end_object(w);
    return 0;
}

int kinesis_children_write(struct json_writer *w, struct store_view *view, struct arena *arena, const struct gw_stream *stream, const struct gw_shard *shard)
{
    struct children children = {w, shard->number};
    json_name(w, "ChildShards");
    json_begin_array(w);
    int code = gw_shard_each(view, arena, stream, shard->number + 1, write_child, &children);
    json_end_array(w);
    return code;
}

/* Where to go on: behind the page, or in the children of a shard that has been read to its end. */
static int write_next(struct aws_call *call, struct store_view *view, const struct gw_stream *stream, const struct gw_shard *shard, const struct gw_records_page *page)
{
    if (!shard->closed || !page->at_end)
        return write_iterator(call, "NextShardIterator", stream, shard->number, page->next);
    return kinesis_children_write(&call->w, view, call->arena, stream, shard);
}

int kinesis_get_records_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct gw_records_token *token = call->state;
    struct gw_stream stream;
    struct gw_shard shard;
    struct json_writer *w = &call->w;
    struct gw_records_page page = {.from = token->from, .limit = (size_t)kinesis_integer(call, "Limit", LIMIT_DEFAULT), .bytes = PAGE_BYTES, .quick = view->cache_only,
        .now_ms = clock_wall_ms()};
    (void)tick;
    int code = kinesis_stream_named(call, view, token->stream, &stream);
    if (code)
        return code;
    if (gw_position_compare(stream.id, token->id) != 0)
        return aws_fail(call, KINESIS_INVALID, "Invalid ShardIterator.");
    code = gw_shard_get(view, call->arena, &stream, token->shard, &shard);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, KINESIS_NOT_FOUND, "Could not find shard shardId-%012u in stream %.*s under account %.*s.", token->shard, TEXT_FMT(stream.name),
            TEXT_FMT(call->config->account));
    json_begin_object(w);
    json_name(w, "Records");
    json_begin_array(w);
    if (!code)
        code = gw_records_read(view, call->arena, &stream, shard.number, &page, kinesis_record_write, w);
    json_end_array(w);
    if (!code)
        code = write_next(call, view, &stream, &shard, &page);
    if (code)
        return call->fault ? code : kinesis_fail(call, stream.name, code, NULL);
    json_name(w, "MillisBehindLatest");
    json_i64(w, page.behind_ms);
    json_end_object(w);
    call->returned = page.behind_ms;
    return 0;
}

/* The body is written; the figure is the io thread's. */
void kinesis_get_records_answer(struct aws_call *call)
{
    const struct gw_records_token *token = call->state;
    gw_figure_add(gw_work_meters(call->work), GW_FIGURE_RECORDS_AGE, token->stream, TEXT_NONE, (double)call->returned, 1);
}

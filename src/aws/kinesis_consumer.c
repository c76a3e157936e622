/*
 * Registered consumers (enhanced fan-out): made, dropped, described, listed. The answer of RegisterStreamConsumer says CREATING, as AWS's does, and from then on it is
 * ACTIVE. A consumer's ARN ends on the second of its registration, so that of one that was dropped does not name its successor.
 */
#include "aws/kinesis.h"

#define LIST_DEFAULT 100 /* consumers of one answer */

/* ---- names ---- */

/* arn:aws:kinesis:REGION:ACCOUNT:stream/NAME/consumer/NAME:SECONDS */
bool kinesis_consumer_arn_parse(struct text arn, struct kinesis_consumer_name *out)
{
    struct text rest;
    uint64_t seconds;
    if (!kinesis_arn_rest(arn, &rest))
        return false;
    ptrdiff_t slash = text_find(rest, '/', 0);
    if (slash <= 0)
        return false;
    out->stream = text_make(rest.data, (size_t)slash);
    rest = text_make(rest.data + slash + 1, rest.len - (size_t)slash - 1);
    if (!text_starts(rest, TEXT("consumer/")))
        return false;
    rest = text_make(rest.data + 9, rest.len - 9);
    ptrdiff_t colon = text_find(rest, ':', 0);
    if (colon <= 0 || text_to_u64(text_make(rest.data + colon + 1, rest.len - (size_t)colon - 1), INT64_MAX, &seconds))
        return false;
    out->name = text_make(rest.data, (size_t)colon);
    out->created_s = (int64_t)seconds;
    return gw_stream_name_valid(out->stream) && gw_stream_name_valid(out->name);
}

bool kinesis_is_consumer_arn(struct text arn)
{
    struct kinesis_consumer_name name;
    return kinesis_consumer_arn_parse(arn, &name);
}

struct text kinesis_consumer_arn(struct aws_call *call, struct text stream, const struct gw_stream_consumer *consumer)
{
    struct text arn = kinesis_arn(call, stream);
    return arena_format(call->arena, "%.*s/consumer/%.*s:%lld", TEXT_FMT(arn), TEXT_FMT(consumer->name), (long long)(consumer->created_ms / 1000));
}

static int not_found(struct aws_call *call, const struct kinesis_consumer_name *name)
{
    return aws_fail(call, KINESIS_NOT_FOUND, "Consumer %.*s of stream %.*s under account %.*s not found.", TEXT_FMT(name->name), TEXT_FMT(name->stream),
        TEXT_FMT(call->config->account));
}

int kinesis_consumer_find(struct aws_call *call, struct store_view *view, const struct kinesis_consumer_name *name, struct gw_stream *stream,
    struct gw_stream_consumer *consumer)
{
    int code = kinesis_stream_named(call, view, name->stream, stream);
    if (code)
        return code;
    code = gw_consumer_get(view, call->arena, stream, name->name, consumer);
    if (code == ERR_NOT_FOUND || (!code && name->created_s >= 0 && consumer->created_ms / 1000 != name->created_s))
        return not_found(call, name);
    return code ? kinesis_fail(call, stream->name, code, NULL) : 0;
}

/* ConsumerARN, or StreamARN and ConsumerName. */
int kinesis_consumer_prepare(struct aws_call *call)
{
    struct kinesis_consumer_name *name = arena_zalloc(call->arena, sizeof(*name));
    struct text arn = aws_param_text(call->in, "ConsumerARN"), consumer = aws_param_text(call->in, "ConsumerName");
    bool by_name = shape_get(call->in, "StreamARN") || consumer.data;
    if (!name)
        return aws_no_memory(call);
    call->state = name;
    if (arn.data)
        kinesis_consumer_arn_parse(arn, name); /* its form has been judged with the request's shape */
    else if (!by_name)
        return aws_fail(call, KINESIS_INVALID, "Either the ConsumerARN, or the StreamARN and the ConsumerName must be specified.");
    if (!by_name)
        return aws_may_on(call, call->op->name, "stream", arn, TEXT_NONE);
    struct kinesis_consumer_name other = {.name = consumer, .created_s = -1};
    if (!consumer.data || !shape_get(call->in, "StreamARN"))
        return aws_fail(call, KINESIS_INVALID, "StreamARN and ConsumerName must be specified together.");
    int code = kinesis_arn_name(call, "StreamARN", &other.stream);
    if (code)
        return code;
    if (arn.data && (!text_equal(other.stream, name->stream) || !text_equal(other.name, name->name)))
        return aws_fail(call, KINESIS_INVALID, "ConsumerARN names another consumer than StreamARN and ConsumerName.");
    if (!arn.data)
        *name = other;
    return aws_may_on(call, call->op->name, "stream", other.stream, TEXT_NONE);
}

/* ---- answers ---- */

static void write_consumer(struct aws_call *call, struct text stream, const struct gw_stream_consumer *consumer, const char *status, bool with_stream)
{
    struct json_writer *w = &call->w;
    json_begin_object(w);
    json_name(w, "ConsumerName");
    json_text(w, consumer->name);
    json_name(w, "ConsumerARN");
    json_text(w, kinesis_consumer_arn(call, stream, consumer));
    json_name(w, "ConsumerStatus");
    json_str(w, status);
    aws_time_json(w, "ConsumerCreationTimestamp", consumer->created_ms);
    if (with_stream) {
        json_name(w, "StreamARN");
        json_text(w, kinesis_arn(call, stream));
    }
    json_end_object(w);
}

/* ---- operations ---- */

int kinesis_register_prepare(struct aws_call *call)
{
    struct text *name = arena_zalloc(call->arena, sizeof(*name));
    call->state = name;
    return name ? kinesis_arn_name(call, "StreamARN", name) : aws_no_memory(call);
}

int kinesis_register_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream, bag = {.name = TEXT_NONE};
    struct gw_stream_consumer consumer = {.name = aws_param_text(call->in, "ConsumerName")};
    int code = kinesis_stream(call, view, &stream);
    if (code)
        return code;
    bag.name = stream.name;
    code = kinesis_tags_add(call, &bag, shape_get(call->in, "Tags"));
    if (code)
        return code;
    consumer.tag = bag.tag;
    consumer.tags = bag.tags;
    code = gw_consumer_create(tick, call->arena, &stream, &consumer);
    if (code == ERR_EXISTS)
        return aws_fail(call, KINESIS_IN_USE, "Consumer %.*s of stream %.*s under account %.*s already exists.", TEXT_FMT(consumer.name), TEXT_FMT(stream.name),
            TEXT_FMT(call->config->account));
    if (code == ERR_FULL)
        return aws_fail(call, KINESIS_LIMIT, "Stream %.*s under account %.*s has %d registered consumers, which is the limit.", TEXT_FMT(stream.name),
            TEXT_FMT(call->config->account), GW_STREAM_CONSUMERS_MAX);
    if (code)
        return kinesis_fail(call, stream.name, code, NULL);
    json_begin_object(&call->w);
    json_name(&call->w, "Consumer");
    write_consumer(call, stream.name, &consumer, "CREATING", false);
    json_end_object(&call->w);
    return 0;
}

int kinesis_deregister_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct gw_stream_consumer consumer;
    int code = kinesis_consumer_find(call, view, call->state, &stream, &consumer);
    if (code)
        return code;
    code = gw_consumer_delete(tick, &stream, &consumer);
    return code ? kinesis_fail(call, stream.name, code, NULL) : 0;
}

int kinesis_describe_consumer_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct gw_stream_consumer consumer;
    (void)tick;
    int code = kinesis_consumer_find(call, view, call->state, &stream, &consumer);
    if (code)
        return code;
    json_begin_object(&call->w);
    json_name(&call->w, "ConsumerDescription");
    write_consumer(call, stream.name, &consumer, "ACTIVE", true);
    json_end_object(&call->w);
    return 0;
}

/* ---- ListStreamConsumers ---- */

struct consumer_page {
    struct aws_call *call;
    const struct gw_stream *stream;
    int64_t limit, count;
    struct text last;
    bool more;
};

static int list_consumer(void *context, const struct gw_stream_consumer *consumer)
{
    struct consumer_page *page = context;
    page->more = page->count == page->limit;
    if (page->more)
        return 1;
    write_consumer(page->call, page->stream->name, consumer, "ACTIVE", false);
    page->last = arena_copy(page->call->arena, consumer->name);
    page->count++;
    return page->last.data ? 0 : ERR_MEMORY;
}

static int read_token(struct aws_call *call, const struct gw_stream *stream, struct text *after)
{
    struct text given = aws_param_text(call->in, "NextToken");
    struct gw_records_token token;
    *after = TEXT_NONE;
    if (!given.data)
        return 0;
    int code = gw_records_token_parse(call->arena, given, GW_TOKEN_CONSUMERS, &token);
    if (code == ERR_MEMORY)
        return aws_no_memory(call);
    if (code || gw_position_compare(token.id, stream->id) != 0)
        return aws_fail(call, KINESIS_INVALID, "NextToken is invalid.");
    if (clock_wall_ms() - token.made_ms > GW_RECORDS_TOKEN_MS)
        return aws_fail(call, KINESIS_EXPIRED_TOKEN, "NextToken has expired: it is valid for %d milliseconds.", (int)GW_RECORDS_TOKEN_MS);
    *after = token.stream;
    return 0;
}

int kinesis_list_consumers_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct gw_stream stream;
    struct text after;
    struct json_writer *w = &call->w;
    (void)tick;
    int code = kinesis_stream(call, view, &stream);
    if (!code)
        code = kinesis_check_created(call, &stream);
    if (!code)
        code = read_token(call, &stream, &after);
    if (code)
        return code;
    struct consumer_page page = {.call = call, .stream = &stream, .limit = kinesis_integer(call, "MaxResults", LIST_DEFAULT)};
    json_begin_object(w);
    json_name(w, "Consumers");
    json_begin_array(w);
    code = gw_consumer_each(view, call->arena, &stream, after, list_consumer, &page);
    if (code < 0)
        return kinesis_fail(call, stream.name, code, NULL);
    json_end_array(w);
    if (page.more) {
        struct gw_records_token token = {.kind = GW_TOKEN_CONSUMERS, .made_ms = clock_wall_ms(), .stream = page.last, .id = stream.id};
        struct buf text;
        buf_init(&text, GW_RECORDS_TOKEN_MAX);
        code = gw_records_token_format(&text, &token);
        json_name(w, "NextToken");
        json_text(w, buf_text(&text));
        buf_fini(&text);
        if (code)
            return aws_no_memory(call);
    }
    json_end_object(w);
    return 0;
}

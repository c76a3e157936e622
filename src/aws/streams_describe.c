/* ListStreams and DescribeStream: what the rows say. A stream that was switched off, or whose table is gone, is listed and described for a day. */
#include "aws/streams.h"

static void name_text(struct json_writer *w, const char *name, struct text value)
{
    json_name(w, name);
    json_text(w, value);
}

static void write_names(struct aws_call *call, const struct streams_row *row)
{
    struct json_writer *w = &call->w;
    char label[STREAMS_LABEL_SIZE];
    struct buf arn;
    buf_init(&arn, 1024);
    streams_arn_add(call, row->table, row->label_ms, &arn);
    streams_label(row->label_ms, label);
    name_text(w, "StreamArn", buf_text(&arn));
    name_text(w, "TableName", row->table);
    name_text(w, "StreamLabel", text_of(label));
    buf_fini(&arn);
}

/* ---- ListStreams ---- */

struct listing {
    struct aws_call *call;
    struct text table;       /* those of one table; empty: all */
    struct text start_table; /* behind this one; empty: from the beginning */
    int64_t start_ms;
    int64_t limit, count, now_ms;
    struct text last_table;  /* the last one written */
    int64_t last_ms;
    bool more;
};

int streams_list_prepare(struct aws_call *call)
{
    struct listing *l = arena_zalloc(call->arena, sizeof(*l));
    const struct json *start = shape_get(call->in, "ExclusiveStartStreamArn"), *limit = shape_get(call->in, "Limit");
    if (!l)
        return aws_no_memory(call);
    call->state = l;
    l->call = call;
    l->limit = 100;
    l->table = aws_param_text(call->in, "TableName");
    if (limit)
        json_to_i64(limit, &l->limit);
    if (start && !streams_arn_parse(start->text, &l->start_table, &l->start_ms))
        return aws_fail(call, AWS_VALIDATION, "Invalid StreamArn: %.*s", TEXT_FMT(start->text));
    return 0;
}

static int on_listed(void *context, const struct streams_row *row)
{
    struct listing *l = context;
    if (l->table.len && !text_equal(row->table, l->table))
        return text_compare(row->table, l->table) > 0;
    if (streams_row_is_past(row, l->now_ms) || (l->start_table.len && text_equal(row->table, l->start_table) && row->label_ms <= l->start_ms))
        return 0;
    if (l->count == l->limit) {
        l->more = true;
        return 1;
    }
    l->count++;
    l->last_table = row->table;
    l->last_ms = row->label_ms;
    json_begin_object(&l->call->w);
    write_names(l->call, row);
    json_end_object(&l->call->w);
    return 0;
}

int streams_list_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct listing *l = call->state;
    struct text from = l->start_table;
    (void)tick;
    l->count = 0;
    l->more = false;
    l->now_ms = clock_wall_ms();
    json_begin_object(&call->w);
    json_name(&call->w, "Streams");
    json_begin_array(&call->w);
    bool later = l->table.len && (!from.len || text_compare(l->table, from) > 0);
    int code = streams_row_scan(view, call->arena, later ? l->table : from, later ? 0 : l->start_ms, on_listed, l);
    if (code < 0)
        return aws_store_fail(call, code, NULL);
    json_end_array(&call->w);
    if (l->more) {
        struct buf arn;
        buf_init(&arn, 1024);
        streams_arn_add(call, l->last_table, l->last_ms, &arn);
        name_text(&call->w, "LastEvaluatedStreamArn", buf_text(&arn));
        buf_fini(&arn);
    }
    json_end_object(&call->w);
    return 0;
}

/* ---- DescribeStream ---- */

int streams_find(struct aws_call *call, struct store_view *view, struct text arn, struct streams_row *row)
{
    struct text table;
    int64_t label_ms;
    if (!streams_arn_parse(arn, &table, &label_ms))
        return aws_fail(call, AWS_VALIDATION, "Invalid StreamArn: %.*s", TEXT_FMT(arn));
    int code = streams_row_get(view, call->arena, table, label_ms, row);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found: Stream: %.*s not found", TEXT_FMT(arn));
    return code ? aws_store_fail(call, code, NULL) : 0;
}

int streams_describe_prepare(struct aws_call *call)
{
    const struct json *filter = shape_get(call->in, "ShardFilter");
    if (filter && (!shape_get(filter, "Type") || !shape_get(filter, "ShardId")))
        return aws_fail(call, AWS_VALIDATION, "A ShardFilter of the type CHILD_SHARDS needs the ShardId of the parent");
    return 0;
}

static void write_key(struct json_writer *w, struct text name, const char *type)
{
    if (!name.len)
        return;
    json_begin_object(w);
    name_text(w, "AttributeName", name);
    name_text(w, "KeyType", text_of(type));
    json_end_object(w);
}

static void write_shard(struct json_writer *w, const struct streams_row *row, const char *shard)
{
    char sequence[STREAMS_SEQUENCE_SIZE];
    json_begin_object(w);
    name_text(w, "ShardId", text_of(shard));
    json_name(w, "SequenceNumberRange");
    json_begin_object(w);
    streams_sequence_format(row->first, sequence);
    name_text(w, "StartingSequenceNumber", text_of(sequence));
    if (row->ended_ms) {
        streams_sequence_format(row->end, sequence);
        name_text(w, "EndingSequenceNumber", text_of(sequence));
    }
    json_end_object(w);
    json_end_object(w);
}

/* The one shard has no children, and it is on the page that begins before it. */
static bool shard_is_wanted(const struct aws_call *call, const char *shard)
{
    struct text start = aws_param_text(call->in, "ExclusiveStartShardId");
    return !shape_get(call->in, "ShardFilter") && (!start.len || text_compare(text_of(shard), start) > 0);
}

int streams_describe_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct json_writer *w = &call->w;
    struct streams_row row;
    char shard[STREAMS_SHARD_SIZE];
    (void)tick;
    int code = streams_find(call, view, aws_param_text(call->in, "StreamArn"), &row);
    if (code)
        return code;
    streams_shard(&row, shard);
    json_begin_object(w);
    json_name(w, "StreamDescription");
    json_begin_object(w);
    write_names(call, &row);
    name_text(w, "StreamStatus", text_of(row.ended_ms ? "DISABLED" : "ENABLED"));
    name_text(w, "StreamViewType", text_of(streams_view_name(row.view)));
    aws_time_json(w, "CreationRequestDateTime", row.label_ms);
    json_name(w, "KeySchema");
    json_begin_array(w);
    write_key(w, row.hash, "HASH");
    write_key(w, row.range, "RANGE");
    json_end_array(w);
    json_name(w, "Shards");
    json_begin_array(w);
    if (shard_is_wanted(call, shard))
        write_shard(w, &row, shard);
    json_end_array(w);
    json_end_object(w);
    json_end_object(w);
    return 0;
}

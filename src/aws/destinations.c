/*
 * Kinesis streaming destinations of tables: translation over gateway/destinations.h. The answers say ENABLING, DISABLING and UPDATING as AWS's do; a destination is
 * ACTIVE as soon as enabling is answered, and DISABLED when the changes from before have all been put.
 */
#include "aws/ddb.h"
#include "aws/kinesis.h"
#include "gateway/destinations.h"

struct wish {
    const struct store_table *table;
    struct text stream;
};

static const struct json *configuration(const struct aws_call *call)
{
    const struct json *enabling = shape_get(call->in, "EnableKinesisStreamingConfiguration");
    return enabling ? enabling : shape_get(call->in, "UpdateKinesisStreamingConfiguration");
}

static int find_table(struct aws_call *call, const struct store_table **table)
{
    struct text name;
    int code = ddb_name(call, shape_get(call->in, "TableName"), &name);
    return code ? code : ddb_table_control(call, name, table);
}

int ddb_destination_prepare(struct aws_call *call)
{
    struct wish *wish = arena_zalloc(call->arena, sizeof(*wish));
    struct text arn = aws_param_text(call->in, "StreamArn");
    if (!wish)
        return aws_no_memory(call);
    call->state = wish;
    if (!kinesis_arn_rest(arn, &wish->stream) || !gw_stream_name_valid(wish->stream))
        return aws_fail(call, AWS_VALIDATION, "Invalid StreamArn: %.*s is not the ARN of a Kinesis data stream", TEXT_FMT(arn));
    return find_table(call, &wish->table);
}

int ddb_describe_destination_prepare(struct aws_call *call)
{
    struct wish *wish = arena_zalloc(call->arena, sizeof(*wish));
    call->state = wish;
    return wish ? find_table(call, &wish->table) : aws_no_memory(call);
}

/* ---- what is told ---- */

static struct text stream_arn(const struct aws_call *call, struct text stream)
{
    return arena_format(call->arena, "arn:aws:kinesis:%.*s:%.*s:stream/%.*s", TEXT_FMT(call->config->region), TEXT_FMT(call->config->account), TEXT_FMT(stream));
}

static void write_member(struct json_writer *w, const char *name, struct text value)
{
    json_name(w, name);
    json_text(w, value);
}

static void write_precision(struct json_writer *w, bool precise)
{
    json_name(w, "ApproximateCreationDateTimePrecision");
    json_str(w, precise ? "MICROSECOND" : "MILLISECOND");
}

static void write_answer(struct aws_call *call, const struct wish *wish, const char *status, const char *configuration_name, bool precise)
{
    struct json_writer *w = &call->w;
    json_begin_object(w);
    write_member(w, "TableName", store_table_name(wish->table));
    write_member(w, "StreamArn", stream_arn(call, wish->stream));
    write_member(w, "DestinationStatus", text_of(status));
    if (configuration_name) {
        json_name(w, configuration_name);
        json_begin_object(w);
        write_precision(w, precise);
        json_end_object(w);
    }
    json_end_object(w);
}

/* ---- operations ---- */

static int find(struct aws_call *call, struct store_view *view, struct gw_destination *row)
{
    const struct wish *wish = call->state;
    int code = gw_destination_get(view, call->arena, store_table_id(wish->table), wish->stream, row);
    return code && code != ERR_NOT_FOUND ? aws_store_fail(call, code, NULL) : code;
}

static int wrong_state(struct aws_call *call, const char *verb, const char *must, const char *operation)
{
    return aws_fail(call, AWS_VALIDATION, "Table is not in a valid state to %s Kinesis Streaming Destination: KinesisStreamingDestination must be %s to perform %s operation.",
        verb, must, operation);
}

int ddb_enable_destination_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct wish *wish = call->state;
    struct gw_destination row = {.table_id = 0};
    struct gw_stream stream;
    struct err err = {0};
    uint64_t at = 0;
    int code = find(call, view, &row);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (!code)
        code = gw_destinations_at(view, call->arena, &at);
    if (row.table_id && (!row.until || at < row.until))
        return wrong_state(call, "enable", "DISABLED or ENABLE_FAILED", "ENABLE");
    if (code && code != ERR_NOT_FOUND)
        return aws_store_fail(call, code, NULL);
    code = gw_stream_get(view, call->arena, wish->stream, &stream);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found: Stream: %.*s not found", TEXT_FMT(aws_param_text(call->in, "StreamArn")));
    if (code)
        return aws_store_fail(call, code, NULL);
    row.stream = wish->stream;
    row.precise = aws_param_is(configuration(call), "ApproximateCreationDateTimePrecision", "MICROSECOND");
    code = gw_destination_enable(tick, call->arena, wish->table, &row, &err);
    if (code == ERR_FULL)
        return aws_fail(call, DDB_LIMIT, "A table has at most %d Kinesis streaming destinations that are enabled.", GW_DESTINATIONS_PER_TABLE);
    if (code)
        return aws_store_fail(call, code, &err);
    write_answer(call, wish, "ENABLING", "EnableKinesisStreamingConfiguration", row.precise);
    return 0;
}

int ddb_disable_destination_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct wish *wish = call->state;
    struct gw_destination row = {.table_id = 0};
    int code = find(call, view, &row);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (code || row.until)
        return wrong_state(call, "disable", "ACTIVE", "DISABLE");
    code = gw_destination_disable(tick, &row);
    if (code)
        return aws_store_fail(call, code, NULL);
    write_answer(call, wish, "DISABLING", NULL, false);
    return 0;
}

int ddb_update_destination_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct wish *wish = call->state;
    struct gw_destination row = {.table_id = 0};
    struct text precision = aws_param_text(configuration(call), "ApproximateCreationDateTimePrecision");
    int code = find(call, view, &row);
    if (code && code != ERR_NOT_FOUND)
        return code;
    if (code || row.until)
        return wrong_state(call, "update", "ACTIVE", "UPDATE");
    if (!precision.data)
        return aws_fail(call, AWS_VALIDATION, "UpdateKinesisStreamingConfiguration with an ApproximateCreationDateTimePrecision must be specified.");
    if (row.precise == text_is(precision, "MICROSECOND"))
        return aws_fail(call, AWS_VALIDATION, "Invalid Request: Precision is already set to the desired value of %.*s for tableId: %.*s, kdsArn: %.*s",
            TEXT_FMT(precision), TEXT_FMT(store_table_name(wish->table)), TEXT_FMT(aws_param_text(call->in, "StreamArn")));
    row.precise = !row.precise;
    code = gw_destination_put(tick, &row);
    if (code)
        return aws_store_fail(call, code, NULL);
    write_answer(call, wish, "UPDATING", "UpdateKinesisStreamingConfiguration", row.precise);
    return 0;
}

struct listing {
    struct aws_call *call;
    struct store_view *view;
    uint64_t at;
};

static int list_one(void *context, const struct gw_destination *row)
{
    struct listing *listing = context;
    struct aws_call *call = listing->call;
    struct json_writer *w = &call->w;
    struct gw_stream stream;
    int code = gw_stream_get(listing->view, call->arena, row->stream, &stream);
    if (code && code != ERR_NOT_FOUND)
        return code;
    bool lost = code == ERR_NOT_FOUND && !row->until;
    json_begin_object(w);
    write_member(w, "StreamArn", stream_arn(call, row->stream));
    write_member(w, "DestinationStatus", row->until ? listing->at >= row->until ? TEXT("DISABLED") : TEXT("DISABLING") : lost ? TEXT("ENABLE_FAILED") : TEXT("ACTIVE"));
    if (lost)
        write_member(w, "DestinationStatusDescription", TEXT("The Kinesis data stream does not exist"));
    write_precision(w, row->precise);
    json_end_object(w);
    return 0;
}

int ddb_describe_destination_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct wish *wish = call->state;
    struct listing listing = {.call = call, .view = view};
    struct json_writer *w = &call->w;
    (void)tick;
    int code = gw_destinations_at(view, call->arena, &listing.at);
    json_begin_object(w);
    write_member(w, "TableName", store_table_name(wish->table));
    json_name(w, "KinesisDataStreamDestinations");
    json_begin_array(w);
    if (!code)
        code = gw_destination_each(view, call->arena, store_table_id(wish->table), list_one, &listing);
    json_end_array(w);
    json_end_object(w);
    return code ? aws_store_fail(call, code, NULL) : 0;
}

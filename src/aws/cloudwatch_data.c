/*
 * GetMetricData: what was asked is checked on the io thread and evaluated on a worker (watch/data.h). What is wrong with an expression fails the request: AWS says "Error in expression"
 * and answers nothing.
 */
#include "aws/cloudwatch_data.h"

#include "watch/label.h"
#include <stdio.h>

/* ---- the request ---- */

static void read_metric(struct cw_check *check, const struct json *stat, const char *at, struct watch_data_query *query)
{
    char place[200];
    const struct json *metric = shape_get(stat, "Metric");
    struct text name = cw_text(check, stat, at, "Stat", 128, true);
    snprintf(place, sizeof(place), "%sMetric.", at);
    if (metric)
        cw_metric(check, metric, place, TEXT_NONE, &query->name);
    else
        cw_note(check, CW_MISSING, "The parameter %sMetric is required.", at);
    query->stat = name;
    query->period_s = cw_period(check, stat, at, true);
    query->unit = cw_unit(check, stat, at);
    if (name.len && statistic_parse(name, &query->statistic))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sStat is not supported.", TEXT_FMT(name), at);
}

static void read_expression(struct cw_check *check, const struct json *json, const char *at, struct watch_data_query *query)
{
    struct err err = {0};
    query->expression = aws_param_text(json, "Expression");
    query->period_s = cw_period(check, json, at, false);
    int code = query->expression.len ? watch_data_parse(check->call->arena, query, &err) : err_set(&err, ERR_SYNTAX, "it is empty");
    if (code)
        cw_note(check, CW_INVALID, "Error in expression '%.*s': %s", TEXT_FMT(query->id), code == ERR_MEMORY ? "out of memory" : err.text);
}

void data_read_query(struct cw_check *check, const struct json *json, const char *at, struct watch_data_query *query)
{
    char place[160];
    const struct json *stat = shape_get(json, "MetricStat"), *expression = shape_get(json, "Expression"), *returned = shape_get(json, "ReturnData");
    *query = (struct watch_data_query){.unit = -1, .id = cw_text(check, json, at, "Id", 255, true), .returned = !returned || returned->type == JSON_TRUE};
    if (query->id.len && !watch_data_id_valid(query->id))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sId is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", TEXT_FMT(query->id), at);
    if (!stat == !expression) {
        cw_note(check, CW_COMBINATION, "Exactly one of the parameters %sMetricStat and %sExpression must be specified.", at, at);
    } else if (expression) {
        read_expression(check, json, at, query);
    } else {
        snprintf(place, sizeof(place), "%sMetricStat.", at);
        read_metric(check, stat, place, query);
    }
}

static void read_one(struct cw_check *check, const struct json *json, struct data *data)
{
    char at[64];
    struct watch_data_query *query = &data->query[data->count];
    data->label[data->count++] = aws_param_text(json, "Label");
    cw_place(at, sizeof(at), "", TEXT("MetricDataQueries.member."), data->count);
    data_read_query(check, json, at, query);
    for (size_t i = 0; i + 1 < data->count && query->id.len; i++)
        if (text_equal(data->query[i].id, query->id)) {
            cw_note(check, CW_INVALID, "The values for parameter id in MetricDataQueries are not unique.");
            break;
        }
}

static void read_range(struct cw_check *check, struct data *data)
{
    int64_t start_ms = 0, end_ms = 0;
    struct text order = aws_param_text(check->call->in, "ScanBy");
    bool both = cw_time(check, check->call->in, "", "StartTime", true, &start_ms);
    both = cw_time(check, check->call->in, "", "EndTime", true, &end_ms) && both;
    if (both && start_ms >= end_ms)
        cw_note(check, CW_INVALID, "The parameter StartTime must be less than the parameter EndTime.");
    data->start_s = start_ms > 0 ? start_ms / SECOND_MS : 0;
    data->end_s = end_ms > 0 ? (end_ms + SECOND_MS - 1) / SECOND_MS : 0;
    data->ascending = text_is(order, "TimestampAscending");
    if (order.data && !data->ascending && !text_is(order, "TimestampDescending"))
        cw_note(check, CW_INVALID, "The parameter ScanBy must be a value in the set [ TimestampDescending, TimestampAscending ].");
}

static void read_timezone(struct cw_check *check, struct data *data)
{
    struct text zone = aws_param_text(shape_get(check->call->in, "LabelOptions"), "Timezone");
    if (zone.data && watch_label_timezone(zone, &data->offset_min))
        cw_note(check, CW_INVALID, "The value %.*s for parameter LabelOptions.Timezone is invalid: it is + or - and four digits.", TEXT_FMT(text_make(zone.data, zone.len < 40 ? zone.len : 40)));
}

static void read_request(struct cw_check *check, struct data *data)
{
    const struct json *queries = shape_get(check->call->in, "MetricDataQueries");
    bool any = false;
    read_range(check, data);
    read_timezone(check, data);
    if (!queries || !queries->count) {
        cw_note(check, CW_MISSING, "The parameter MetricDataQueries is required.");
        return;
    }
    if (queries->count > CW_DATA_QUERIES_MAX) {
        cw_note(check, CW_INVALID, "The collection MetricDataQueries must not have a size greater than %d.", CW_DATA_QUERIES_MAX);
        return;
    }
    data->query = arena_zalloc(check->call->arena, queries->count * sizeof(*data->query));
    data->label = arena_zalloc(check->call->arena, queries->count * sizeof(*data->label));
    if (!data->query || !data->label) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return;
    }
    for (const struct json *at = queries->first; at; at = at->next)
        read_one(check, at, data);
    for (size_t i = 0; i < data->count; i++)
        any = any || data->query[i].returned;
    if (!any)
        cw_note(check, CW_INVALID, "At least one query of MetricDataQueries must have ReturnData true.");
    data_read_paging(check, data);
}

int cw_get_metric_data_prepare(struct aws_call *call)
{
    struct data *data = arena_zalloc(call->arena, sizeof(*data));
    struct cw_check check;
    if (!data)
        return aws_no_memory(call);
    call->state = data;
    cw_check_init(&check, call);
    read_request(&check, data);
    if (check.fault && check.fault != AWS_INTERNAL && check.fault != CW_TOKEN)
        check.fault = AWS_VALIDATION; /* the one fault that this operation has for all of them */
    return cw_check_end(&check);
}

/* ---- the answer ---- */

static int fail_query(struct aws_call *call, const struct watch_data_query *query)
{
    return aws_fail(call, AWS_VALIDATION, "Error in expression '%.*s': %.*s", TEXT_FMT(query->blamed), TEXT_FMT(query->why));
}

static int evaluate(struct data *data, struct store_view *view)
{
    struct watch_data all = {.view = view, .arena = data->arena, .query = data->query, .count = data->count, .start_s = data->start_s, .end_s = data->end_s, .now_ms = data->now_ms,
        .rows = WATCH_ROWS_MAX};
    int code = 0;
    for (size_t i = 0; i < data->count; i++) {
        data->query[i].state = WATCH_DATA_NEW;
        data->query[i].partial = false;
    }
    for (size_t i = 0; i < data->count && !code; i++) {
        struct watch_data_query *query = &data->query[i];
        code = watch_data_ready(&all, query);
        if (!code && query->state == WATCH_DATA_FAILED)
            return fail_query(data->call, query);
        if (!code && query->returned && query->value.type == MATH_SCALAR)
            return aws_fail(data->call, AWS_VALIDATION, "Error in expression '%.*s': the result must be a time series or an array of time series", TEXT_FMT(query->id));
    }
    return code;
}

int cw_get_metric_data_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct data *data = call->state;
    struct err err = {0};
    struct arena arena;
    (void)tick;
    arena_init(&arena, 64 << 10, CW_DATA_BYTES_MAX);
    data->call = call;
    data->arena = &arena;
    data->now_ms = clock_wall_ms();
    int code = evaluate(data, view);
    if (!code)
        code = data_write_page(data);
    arena_fini(&arena);
    return code && !call->fault ? cw_fail(call, code, &err) : code;
}

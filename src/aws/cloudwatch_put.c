/* PutMetricData: everything is checked on the io thread, so that the tick only adds numbers to rows. One call, so all data points or none. */
#include "aws/cloudwatch.h"

#include <stdio.h>

#define NOW INT64_MIN /* no timestamp: the tick's time */

struct put {
    struct watch_point *point;
    size_t count;
};

/* ---- one data point ---- */

static double *read_numbers(struct cw_check *check, const struct json *list, const char *at, const char *member)
{
    char name[64];
    size_t n = 0;
    if (list->count > CW_VALUES_MAX) {
        cw_note(check, CW_INVALID, "The collection %s%s must not have a size greater than %d.", at, member, CW_VALUES_MAX);
        return NULL;
    }
    double *value = arena_array(check->call->arena, list->count, sizeof(*value));
    if (!value) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return NULL;
    }
    for (const struct json *json = list->first; json; json = json->next) {
        snprintf(name, sizeof(name), "%s.member.%zu", member, n + 1);
        if (cw_number_of(check, json, at, name, &value[n]) && value[n] < 0 && strcmp(member, "Counts") == 0)
            cw_note(check, CW_INVALID, "The value %.*s for parameter %s%s is invalid.", TEXT_FMT(json->text), at, name);
        n++;
    }
    return value;
}

static void read_set(struct cw_check *check, const struct json *set, const char *at, struct watch_point *point)
{
    char place[128];
    snprintf(place, sizeof(place), "%sStatisticValues.", at);
    point->set = true;
    bool all = cw_number(check, set, place, "SampleCount", true, &point->count);
    all = cw_number(check, set, place, "Sum", true, &point->sum) && all;
    all = cw_number(check, set, place, "Minimum", true, &point->min) && all;
    all = cw_number(check, set, place, "Maximum", true, &point->max) && all;
    if (!all)
        return;
    if (point->min > point->max)
        cw_note(check, CW_INVALID, "The parameter %sMaximum must be greater than or equal to the parameter %sMinimum.", place, place);
    if (point->count <= 0)
        cw_note(check, CW_INVALID, "The parameter %sSampleCount must be greater than 0.", place);
}

static void read_values(struct cw_check *check, const struct json *datum, const char *at, struct watch_point *point)
{
    const struct json *values = shape_get(datum, "Values"), *counts = shape_get(datum, "Counts");
    point->values = values->count;
    point->value = read_numbers(check, values, at, "Values");
    if (!values->count)
        cw_note(check, CW_MISSING, "The parameter %sValues is required.", at);
    if (!counts || !counts->count)
        return;
    if (counts->count != values->count)
        cw_note(check, CW_INVALID, "The parameters %sValues and %sCounts must be of the same size.", at, at);
    point->weight = read_numbers(check, counts, at, "Counts");
}

static void read_numbers_of(struct cw_check *check, const struct json *datum, const char *at, struct watch_point *point)
{
    static const char *const ways[] = {"Value", "Values", "StatisticValues"};
    const char *way = NULL;
    for (size_t i = 0; i < 3; i++) {
        if (!shape_get(datum, ways[i]))
            continue;
        if (way)
            cw_note(check, CW_COMBINATION, "The parameters %s%s and %s%s are mutually exclusive and you have specified both.", at, way, at, ways[i]);
        way = ways[i];
    }
    if (!way) {
        cw_note(check, CW_MISSING, "The parameter %sValue is required.", at);
    } else if (strcmp(way, "Values") == 0) {
        read_values(check, datum, at, point);
    } else if (strcmp(way, "StatisticValues") == 0) {
        read_set(check, shape_get(datum, way), at, point);
    } else {
        double *value = arena_alloc(check->call->arena, sizeof(*value));
        if (!value)
            cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        else
            cw_number(check, datum, at, "Value", true, value);
        point->value = value;
        point->values = 1;
    }
    if (shape_get(datum, "Counts") && way && strcmp(way, "Values") != 0)
        cw_note(check, CW_COMBINATION, "The parameter %sCounts must be specified together with the parameter %sValues.", at, at);
}

static void read_time(struct cw_check *check, const struct json *datum, const char *at, int64_t now_ms, struct watch_point *point)
{
    point->time_ms = NOW;
    if (!cw_time(check, datum, at, "Timestamp", false, &point->time_ms))
        return;
    if (point->time_ms < now_ms - WATCH_PAST_MS || point->time_ms < 0)
        cw_note(check, CW_INVALID, "The parameter %sTimestamp must specify a time within the past two weeks.", at);
    else if (point->time_ms > now_ms + WATCH_FUTURE_MS)
        cw_note(check, CW_INVALID, "The parameter %sTimestamp must specify a time no more than two hours in the future.", at);
}

static void read_datum(struct cw_check *check, const struct json *datum, struct text space, size_t number, int64_t now_ms, struct watch_point *point)
{
    const struct json *resolution = shape_get(datum, "StorageResolution");
    char at[64];
    int64_t seconds = 60;
    cw_place(at, sizeof(at), "", TEXT("MetricData.member."), number);
    cw_metric(check, datum, at, space, &point->name);
    read_numbers_of(check, datum, at, point);
    read_time(check, datum, at, now_ms, point);
    int unit = cw_unit(check, datum, at);
    point->unit = unit < 0 ? WATCH_UNIT_NONE : (unsigned)unit;
    if (resolution && (json_to_i64(resolution, &seconds) || (seconds != 1 && seconds != 60)))
        cw_note(check, CW_INVALID, "The parameter %sStorageResolution must be a value in the set [ 1, 60 ].", at);
    point->high = seconds == 1;
}

/* ---- the request ---- */

static void read_data(struct cw_check *check, const struct json *list, struct text space, struct put *put)
{
    int64_t now_ms = clock_wall_ms();
    for (const struct json *datum = list ? list->first : NULL; datum; datum = datum->next, put->count++)
        read_datum(check, datum, space, put->count + 1, now_ms, &put->point[put->count]);
}

static size_t count_data(const struct json *in)
{
    const struct json *plain = shape_get(in, "MetricData"), *entities = shape_get(in, "EntityMetricData");
    size_t count = plain ? plain->count : 0;
    for (const struct json *at = entities ? entities->first : NULL; at; at = at->next) {
        const struct json *data = shape_get(at, "MetricData");
        count += data ? data->count : 0;
    }
    return count;
}

static void read_request(struct cw_check *check, struct put *put)
{
    const struct json *in = check->call->in, *entities = shape_get(in, "EntityMetricData");
    struct text space = cw_text(check, in, "", "Namespace", WATCH_NAMESPACE_MAX, true);
    size_t count = count_data(in);
    if (space.len && (text_starts(space, TEXT("AWS/")) || space.data[0] == ':'))
        cw_note(check, CW_INVALID, "The value %.*s for parameter Namespace is invalid.", TEXT_FMT(space));
    if (!count)
        cw_note(check, CW_MISSING, "The parameter MetricData is required.");
    if (count > CW_METRICS_MAX) {
        cw_note(check, CW_INVALID, "The collection MetricData must not have a size greater than %d.", CW_METRICS_MAX);
        return;
    }
    put->point = arena_zalloc(check->call->arena, (count ? count : 1) * sizeof(*put->point));
    if (!put->point) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return;
    }
    if (!space.data)
        space = TEXT(""); /* its absence has been noted */
    read_data(check, shape_get(in, "MetricData"), space, put);
    for (const struct json *at = entities ? entities->first : NULL; at; at = at->next)
        read_data(check, shape_get(at, "MetricData"), space, put);
}

int cw_put_metric_data_prepare(struct aws_call *call)
{
    struct put *put = arena_zalloc(call->arena, sizeof(*put));
    struct cw_check check;
    if (!put)
        return aws_no_memory(call);
    if (call->bytes > CW_BODY_MAX)
        return aws_fail(call, CW_INVALID, "Request size must be less than or equal to %zu bytes.", CW_BODY_MAX);
    call->state = put;
    cw_check_init(&check, call);
    read_request(&check, put);
    return cw_check_end(&check);
}

int cw_put_metric_data_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct put *put = call->state;
    (void)view;
    for (size_t i = 0; i < put->count; i++) {
        struct watch_point point = put->point[i];
        struct err err = {0};
        if (point.time_ms == NOW)
            point.time_ms = tick_now_ms(tick);
        int code = watch_metric_put(tick, call->arena, &point, &err);
        if (code)
            return cw_fail(call, code, &err);
    }
    json_begin_object(&call->w);
    json_end_object(&call->w);
    return 0;
}

/*
 * PutAnomalyDetector, DescribeAnomalyDetectors, DeleteAnomalyDetector over watch/anomaly.h. A detector is a metric with a statistic, in either of the two forms that the request has for
 * it, or queries of which one returns data. What is kept is the second form, with the settings; the answer tells both, as AWS's does.
 */
#include "aws/cloudwatch_alarm.h"
#include "aws/cloudwatch_data.h"

#include "watch/anomaly.h"
#include "watch/keep.h"
#include <stdio.h>

#define QUERIES_MAX 20
#define PAGE_MAX 100
#define VALUE_MAX (256u << 10)
#define LOOK_BYTES ((size_t)64 << 20)
#define PAGE_FULL 1

struct detecting {
    struct watch_data data;
    struct watch_data_query query[QUERIES_MAX];
    char id[ANOMALY_ID];
    struct text value;               /* JSON that is kept */
};

/* ---- what it is about ---- */

static void read_single(struct cw_check *check, const struct json *json, const char *at, struct detecting *detecting)
{
    struct watch_data_query *query = &detecting->query[0];
    struct text stat = cw_text(check, json, at, "Stat", 50, true);
    *query = (struct watch_data_query){.id = TEXT("m"), .stat = stat, .unit = -1, .period_s = 60, .returned = true};
    cw_metric(check, json, at, TEXT_NONE, &query->name);
    if (stat.len && statistic_parse(stat, &query->statistic))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sStat is not supported.", TEXT_FMT(stat), at);
    detecting->data.count = 1;
}

static void read_math(struct cw_check *check, const struct json *math, struct detecting *detecting)
{
    const struct json *list = shape_get(math, "MetricDataQueries");
    size_t returned = 0;
    char at[96];
    if (!list || !list->count)
        cw_note(check, CW_MISSING, "The parameter MetricMathAnomalyDetector.MetricDataQueries is required.");
    else if (list->count > QUERIES_MAX)
        cw_note(check, CW_INVALID, "The collection MetricMathAnomalyDetector.MetricDataQueries must not have a size greater than %d.", QUERIES_MAX);
    else
        for (const struct json *one = list->first; one; one = one->next) {
            struct watch_data_query *query = &detecting->query[detecting->data.count++];
            cw_place(at, sizeof(at), "MetricMathAnomalyDetector.", TEXT("MetricDataQueries.member."), detecting->data.count);
            data_read_query(check, one, at, query);
            returned += query->returned;
        }
    if (list && list->count && returned != 1)
        cw_note(check, CW_INVALID, "Exactly one element of MetricMathAnomalyDetector.MetricDataQueries should return data.");
}

static const struct json *check_form(struct cw_check *check, const struct json **math)
{
    static const char *const plain[] = {"Namespace", "MetricName", "Dimensions", "Stat"};
    const struct json *in = check->call->in, *single = shape_get(in, "SingleMetricAnomalyDetector");
    *math = shape_get(in, "MetricMathAnomalyDetector");
    for (size_t i = 0; i < 4; i++)
        if ((single || *math) && shape_get(in, plain[i]))
            cw_note(check, CW_COMBINATION, "The parameters %s and %s are mutually exclusive and you have specified both.", plain[i],
                single ? "SingleMetricAnomalyDetector" : "MetricMathAnomalyDetector");
    if (single && *math)
        cw_note(check, CW_COMBINATION, "The parameters SingleMetricAnomalyDetector and MetricMathAnomalyDetector are mutually exclusive and you have specified both.");
    return single;
}

static struct watch_data_query *returned_query(struct detecting *detecting)
{
    for (size_t i = 0; i < detecting->data.count; i++)
        if (detecting->query[i].returned)
            return &detecting->query[i];
    return NULL;
}

static struct detecting *read_detector(struct cw_check *check)
{
    struct detecting *detecting = arena_zalloc(check->call->arena, sizeof(*detecting));
    const struct json *math, *single;
    if (!detecting) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return NULL;
    }
    check->call->state = detecting;
    detecting->data.query = detecting->query;
    single = check_form(check, &math);
    if (math)
        read_math(check, math, detecting);
    else
        read_single(check, single ? single : check->call->in, single ? "SingleMetricAnomalyDetector." : "", detecting);
    const struct watch_data_query *query = returned_query(detecting);
    if (!check->fault && query && anomaly_detector_id(&detecting->data, query, detecting->id))
        cw_note(check, CW_INVALID, "The expressions of MetricMathAnomalyDetector refer to each other in a circle, or too deep.");
    return detecting;
}

/* ---- PutAnomalyDetector ---- */

static void check_ranges(struct cw_check *check)
{
    const struct json *settings = shape_get(check->call->in, "Configuration"), *list = shape_get(settings, "ExcludedTimeRanges");
    char at[96];
    size_t number = 0;
    if (list && list->count > ANOMALY_EXCLUDED_MAX)
        cw_note(check, CW_INVALID, "The collection Configuration.ExcludedTimeRanges must not have a size greater than %d.", ANOMALY_EXCLUDED_MAX);
    for (const struct json *range = list ? list->first : NULL; range && number < ANOMALY_EXCLUDED_MAX; range = range->next) {
        int64_t start_ms = 0, end_ms = 0;
        cw_place(at, sizeof(at), "Configuration.", TEXT("ExcludedTimeRanges.member."), ++number);
        bool both = cw_time(check, range, at, "StartTime", true, &start_ms);
        both = cw_time(check, range, at, "EndTime", true, &end_ms) && both;
        if (both && start_ms >= end_ms)
            cw_note(check, CW_INVALID, "The parameter %sStartTime must be less than the parameter %sEndTime.", at, at);
    }
    cw_text(check, settings, "Configuration.", "MetricTimezone", 50, false);
}

static void keep(struct cw_check *check, struct json_writer *w, const char *name, const struct shape *shape, const struct json *json)
{
    struct json *kept = json ? cwa_keep(check->call->arena, shape, json) : NULL;
    if (!kept)
        return;
    json_name(w, name);
    json_value(w, kept);
}

static void make_value(struct cw_check *check, struct detecting *detecting)
{
    const struct json *in = check->call->in, *math = shape_get(in, "MetricMathAnomalyDetector"), *single = shape_get(in, "SingleMetricAnomalyDetector");
    struct buf out;
    struct json_writer w;
    buf_init(&out, VALUE_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    if (math)
        keep(check, &w, "MetricMathAnomalyDetector", &cw_shape_math_detector, math);
    else
        keep(check, &w, "SingleMetricAnomalyDetector", &cw_shape_single_detector, single ? single : in);
    keep(check, &w, "Configuration", &cw_shape_detector_settings, shape_get(in, "Configuration"));
    keep(check, &w, "MetricCharacteristics", &cw_shape_characteristics, shape_get(in, "MetricCharacteristics"));
    json_end_object(&w);
    detecting->value = out.failed ? TEXT_NONE : arena_copy(check->call->arena, buf_text(&out));
    if (!detecting->value.data)
        cw_note(check, out.failed ? CW_INVALID : AWS_INTERNAL, "The anomaly detector is larger than it may be.");
    buf_fini(&out);
}

int cw_put_anomaly_detector_prepare(struct aws_call *call)
{
    struct cw_check check;
    cw_check_init(&check, call);
    struct detecting *detecting = read_detector(&check);
    check_ranges(&check);
    if (detecting && !check.fault)
        make_value(&check, detecting);
    return cw_check_end(&check);
}

int cw_put_anomaly_detector_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct detecting *detecting = call->state;
    struct err err = {0};
    (void)view;
    int code = watch_keep_put(tick, call->arena, WATCH_KEEP_DETECTOR, text_of(detecting->id), detecting->value, ANOMALY_DETECTORS_MAX);
    if (code == ERR_FULL)
        return aws_fail(call, CW_LIMIT_EXCEPTION, "There are %d anomaly detectors already.", ANOMALY_DETECTORS_MAX);
    return code ? cw_fail(call, code, &err) : cwa_done(call);
}

/* ---- DeleteAnomalyDetector ---- */

int cw_delete_anomaly_detector_prepare(struct aws_call *call)
{
    struct cw_check check;
    cw_check_init(&check, call);
    read_detector(&check);
    return cw_check_end(&check);
}

int cw_delete_anomaly_detector_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct detecting *detecting = call->state;
    struct err err = {0};
    (void)view;
    int code = watch_keep_delete(tick, call->arena, WATCH_KEEP_DETECTOR, text_of(detecting->id));
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, CW_RESOURCE_NOT_FOUND, "The anomaly detector does not exist.");
    return code ? cw_fail(call, code, &err) : cwa_done(call);
}

/* ---- DescribeAnomalyDetectors ---- */

struct listing {
    struct text space, name, after;
    struct watch_name dimensions;    /* only its dimensions */
    bool by_dimensions, single, math;
    int64_t most;
    struct aws_call *call;
    struct store_view *view;
    int64_t count;
    char last[ANOMALY_ID];
    bool more;
};

int cw_describe_anomaly_detectors_prepare(struct aws_call *call)
{
    struct listing *listing = arena_zalloc(call->arena, sizeof(*listing));
    const struct json *types = shape_get(call->in, "AnomalyDetectorTypes"), *most = shape_get(call->in, "MaxResults"), *dimensions = shape_get(call->in, "Dimensions");
    struct cw_check check;
    if (!listing)
        return aws_no_memory(call);
    call->state = listing;
    cw_check_init(&check, call);
    listing->space = cw_text(&check, call->in, "", "Namespace", WATCH_NAMESPACE_MAX, false);
    listing->name = cw_text(&check, call->in, "", "MetricName", WATCH_NAME_MAX, false);
    listing->by_dimensions = dimensions && dimensions->count;
    if (listing->by_dimensions)
        cw_dimensions(&check, dimensions, "", &listing->dimensions);
    listing->single = !types || !types->count;
    for (const struct json *at = types ? types->first : NULL; at; at = at->next) {
        listing->single = listing->single || text_is(at->text, "SINGLE_METRIC");
        listing->math = listing->math || text_is(at->text, "METRIC_MATH");
    }
    listing->most = PAGE_MAX;
    if (most && json_to_i64(most, &listing->most) == 0 && listing->most > PAGE_MAX)
        listing->most = PAGE_MAX;
    listing->after = cwa_token(&check);
    return cw_check_end(&check);
}

static bool same_text(const struct json *json, const char *member, struct text wanted)
{
    return !wanted.len || text_equal(aws_param_text(json, member), wanted);
}

static bool same_dimensions(const struct json *json, const struct watch_name *wanted)
{
    const struct json *list = shape_get(json, "Dimensions");
    if ((list ? list->count : 0) != wanted->dimensions)
        return false;
    for (const struct json *at = list ? list->first : NULL; at; at = at->next) {
        size_t i = 0;
        while (i < wanted->dimensions && !(text_equal(aws_param_text(at, "Name"), wanted->dimension[i].name) && text_equal(aws_param_text(at, "Value"), wanted->dimension[i].value)))
            i++;
        if (i == wanted->dimensions)
            return false;
    }
    return true;
}

static bool metric_is_meant(const struct listing *listing, const struct json *metric)
{
    return same_text(metric, "Namespace", listing->space) && same_text(metric, "MetricName", listing->name) &&
        (!listing->by_dimensions || same_dimensions(metric, &listing->dimensions));
}

static bool is_meant(const struct listing *listing, const struct json *single, const struct json *math)
{
    if (single)
        return listing->single && metric_is_meant(listing, single);
    bool any = !listing->space.len && !listing->name.len && !listing->by_dimensions;
    const struct json *queries = shape_get(math, "MetricDataQueries");
    for (const struct json *at = queries ? queries->first : NULL; at && !any; at = at->next) {
        const struct json *metric = shape_get(shape_get(at, "MetricStat"), "Metric");
        any = metric && metric_is_meant(listing, metric);
    }
    return listing->math && any;
}

/* Its queries once more, from what is kept: they were right when they were put. */
static const char *state_of(struct listing *listing, const struct json *single, const struct json *math)
{
    static const char *const states[] = {"PENDING_TRAINING", "TRAINED_INSUFFICIENT_DATA", "TRAINED", "TRAINED"};
    struct detecting *detecting;
    struct cw_check check;
    struct arena arena;
    struct anomaly_fit fit = {.season = ANOMALY_NONE};
    cw_check_init(&check, listing->call);
    detecting = arena_zalloc(listing->call->arena, sizeof(*detecting));
    if (!detecting)
        return states[0];
    detecting->data.query = detecting->query;
    if (math)
        read_math(&check, math, detecting);
    else
        read_single(&check, single, "", detecting);
    buf_fini(&check.text);
    struct watch_data_query *query = returned_query(detecting);
    if (check.fault || !query)
        return states[0];
    arena_init(&arena, 64 << 10, LOOK_BYTES);
    detecting->data.view = listing->view;
    detecting->data.arena = &arena;
    detecting->data.now_ms = clock_wall_ms();
    detecting->data.end_s = detecting->data.now_ms / SECOND_MS + 1;
    detecting->data.rows = WATCH_ROWS_MAX / 10;
    if (!query->period_s)
        query->period_s = watch_data_finest(&detecting->data);
    if (anomaly_look(&detecting->data, query, &fit))
        fit.season = ANOMALY_NONE;
    arena_fini(&arena);
    return states[fit.season];
}

static void write_member(struct json_writer *w, const struct json *object, const char *name, bool or_list)
{
    const struct json *value = shape_get(object, name);
    if (!value && !or_list)
        return;
    json_name(w, name);
    if (value) {
        json_value(w, value);
        return;
    }
    json_begin_array(w);
    json_end_array(w);
}

static void write_single(struct json_writer *w, const struct json *single)
{
    write_member(w, single, "Namespace", false);
    write_member(w, single, "MetricName", false);
    write_member(w, single, "Dimensions", true);
    write_member(w, single, "Stat", false);
}

static void write_detector(struct listing *listing, const struct json *root)
{
    struct json_writer *w = &listing->call->w;
    const struct json *single = shape_get(root, "SingleMetricAnomalyDetector"), *math = shape_get(root, "MetricMathAnomalyDetector"), *settings = shape_get(root, "Configuration");
    json_begin_object(w);
    if (single) {
        write_single(w, single);
        json_name(w, "SingleMetricAnomalyDetector");
        json_begin_object(w);
        write_member(w, single, "AccountId", false);
        write_single(w, single);
        json_end_object(w);
    }
    write_member(w, root, "MetricMathAnomalyDetector", false);
    json_name(w, "Configuration");
    json_begin_object(w);
    write_member(w, settings, "ExcludedTimeRanges", true);
    write_member(w, settings, "MetricTimezone", false);
    json_end_object(w);
    write_member(w, root, "MetricCharacteristics", false);
    json_name(w, "StateValue");
    json_str(w, state_of(listing, single, math));
    json_end_object(w);
}

static int on_detector(void *context, struct text name, struct text value)
{
    struct listing *listing = context;
    const struct json *root;
    struct arena_mark mark = arena_mark(listing->call->arena);
    int code = json_parse(listing->call->arena, value, JSON_COPY, &root, NULL);
    if (code || name.len >= ANOMALY_ID)
        return code == ERR_MEMORY ? code : ERR_CORRUPT;
    if (is_meant(listing, shape_get(root, "SingleMetricAnomalyDetector"), shape_get(root, "MetricMathAnomalyDetector"))) {
        listing->more = listing->count == listing->most;
        if (!listing->more) {
            write_detector(listing, root);
            memcpy(listing->last, name.data, name.len);
            listing->count++;
        }
    }
    arena_rewind(listing->call->arena, mark);
    return listing->more ? PAGE_FULL : 0;
}

int cw_describe_anomaly_detectors_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct listing listing = *(const struct listing *)call->state;
    struct err err = {0};
    (void)tick;
    listing.call = call;
    listing.view = view;
    json_begin_object(&call->w);
    json_name(&call->w, "AnomalyDetectors");
    json_begin_array(&call->w);
    int code = watch_keep_each(view, WATCH_KEEP_DETECTOR, listing.after, on_detector, &listing);
    json_end_array(&call->w);
    if (code < 0)
        return cw_fail(call, code, &err);
    if (listing.more)
        cwa_write_token(call, text_make(listing.last, ANOMALY_ID - 1));
    json_end_object(&call->w);
    return 0;
}

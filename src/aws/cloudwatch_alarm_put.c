/*
 * PutMetricAlarm and PutCompositeAlarm: what was asked for is checked on the io thread and becomes the map that the alarm keeps; the tick only looks whether it fits what is there.
 */
#include "aws/cloudwatch_alarm.h"
#include "aws/cloudwatch_data.h"

#include "watch/data.h"
#include "watch/math_tree.h"
#include <math.h>
#include <stdio.h>

#define DAY_S INT64_C(86400)
#define SUPPRESSOR_PERIOD_MAX 86400

/* ---- the map that is kept ---- */

static bool is_kept(const char *name)
{
    static const char *const left_out[] = {"AlarmName", "ActionsEnabled", "Tags"};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(name, left_out[i]) == 0)
            return false;
    return true;
}

static struct json *keep_struct(struct arena *arena, const struct shape *shape, const struct json *json, struct json *copy)
{
    struct json **end = &copy->first;
    for (const struct shape_member *member = shape->member; member->name; member++) {
        const struct json *value = shape_get(json, member->name);
        if (!value)
            continue;
        struct json *kept = cwa_keep(arena, member->shape, value);
        if (!kept)
            return NULL;
        kept->name = text_of(member->name);
        *end = kept;
        end = &kept->next;
        copy->count++;
    }
    return copy;
}

struct json *cwa_keep(struct arena *arena, const struct shape *shape, const struct json *json)
{
    struct json *copy = arena_alloc(arena, sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *json;
    copy->next = NULL;
    if (shape->type == SHAPE_STRUCT) {
        copy->first = NULL;
        copy->count = 0;
        return keep_struct(arena, shape, json, copy);
    }
    if (shape->type != SHAPE_LIST)
        return copy;
    struct json **end = &copy->first;
    copy->first = NULL;
    for (const struct json *at = json->first; at; at = at->next) {
        *end = cwa_keep(arena, shape->of, at);
        if (!*end)
            return NULL;
        end = &(*end)->next;
    }
    return copy;
}

static bool add_empty_list(struct arena *arena, struct attr *map, const char *name)
{
    return item_get_str(map, name) || item_set_container(arena, map, text_of(name), ATTR_LIST);
}

/* The request's members but for those that are the alarm's own, with the lists that AWS answers empty. */
static const struct attr *make_config(struct cw_check *check)
{
    struct aws_call *call = check->call;
    struct json *kept = cwa_keep(call->arena, call->op->input, call->in);
    struct attr *map = NULL;
    struct err err = {0};
    for (struct json **at = kept ? &kept->first : NULL; at && *at;) {
        if (is_kept((*at)->name.data)) { /* a literal of the shape's */
            at = &(*at)->next;
            continue;
        }
        *at = (*at)->next;
        kept->count--;
    }
    int code = kept ? item_from_plain(call->arena, kept, &map, &err) : ERR_MEMORY;
    bool made = !code && add_empty_list(call->arena, map, "OKActions") && add_empty_list(call->arena, map, "AlarmActions") && add_empty_list(call->arena, map, "InsufficientDataActions");
    if (made && item_get_str(map, "MetricName"))
        made = add_empty_list(call->arena, map, "Dimensions");
    if (!made && (code == ERR_MEMORY || !code))
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
    else if (!made)
        cw_note(check, CW_INVALID, "%s", err.text[0] ? err.text : err_text(code));
    return map;
}

/* ---- what both have ---- */

static void check_actions(struct cw_check *check)
{
    static const char *const members[] = {"OKActions", "AlarmActions", "InsufficientDataActions"};
    struct gw_alarm_target target;
    for (size_t i = 0; i < 3; i++) {
        const struct json *list = shape_get(check->call->in, members[i]);
        for (const struct json *at = list ? list->first : NULL; at; at = at->next)
            if (gw_alarm_target_parse(at->text, &target))
                cw_note(check, AWS_VALIDATION, "Invalid arn syntax: %.*s", (int)(at->text.len < 200 ? at->text.len : 200), at->text.data);
    }
}

const struct attr *cwa_tags(struct cw_check *check, const struct json *list)
{
    struct attr *tags = list && list->count ? item_create(check->call->arena) : NULL;
    if (list && list->count > WATCH_ALARM_TAGS_MAX)
        cw_note(check, CW_INVALID, "The collection Tags must not have a size greater than %d.", WATCH_ALARM_TAGS_MAX);
    for (const struct json *at = list ? list->first : NULL; at && tags; at = at->next) {
        struct text key = aws_param_text(at, "Key"), value = aws_param_text(at, "Value");
        if (!key.len || !value.data)
            cw_note(check, CW_MISSING, "A tag has a Key and a Value.");
        else if (text_starts(key, TEXT("aws:")))
            cw_note(check, CW_INVALID, "The value %.*s for parameter Tags.Key is invalid: keys that begin with aws: are reserved.", TEXT_FMT(key));
        else if (item_get(tags, key))
            cw_note(check, CW_INVALID, "The tag key %.*s is given more than once.", TEXT_FMT(key));
        else if (!item_set_string(check->call->arena, tags, key, value))
            cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
    }
    return tags;
}

static struct watch_alarm_spec *begin(struct cw_check *check, bool composite)
{
    struct aws_call *call = check->call;
    const struct json *enabled = shape_get(call->in, "ActionsEnabled");
    struct watch_alarm_spec *spec = arena_zalloc(call->arena, sizeof(*spec));
    if (!spec) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return NULL;
    }
    call->state = spec;
    spec->composite = composite;
    spec->enabled = !enabled || enabled->type == JSON_TRUE;
    spec->name = cw_text(check, call->in, "", "AlarmName", WATCH_ALARM_NAME_MAX, true);
    check_actions(check);
    spec->tags = cwa_tags(check, shape_get(call->in, "Tags"));
    return spec;
}

static int end(struct cw_check *check, struct watch_alarm_spec *spec)
{
    struct aws_call *call = check->call;
    if (!check->fault)
        spec->config = make_config(check);
    int code = cw_check_end(check);
    return code ? code : cwa_may(call, spec->name);
}

/* ---- a metric alarm ---- */

static bool is_alarm_period(int64_t s)
{
    return s == 10 || s == 20 || s == 30 || (s > 0 && s % 60 == 0);
}

static int64_t read_period(struct cw_check *check, const struct json *object, const char *at)
{
    const struct json *json = shape_get(object, "Period");
    int64_t period = 0;
    if (!json)
        cw_note(check, CW_MISSING, "The parameter %sPeriod is required.", at);
    else if (json_to_i64(json, &period) || !is_alarm_period(period) || period > 7 * DAY_S)
        cw_note(check, CW_INVALID, "The parameter %sPeriod must be 10, 20, 30, or a multiple of 60.", at);
    else
        return period;
    return 0;
}

static void check_single(struct cw_check *check, int64_t *period)
{
    const struct json *in = check->call->in;
    struct text plain = aws_param_text(in, "Statistic"), extended = aws_param_text(in, "ExtendedStatistic");
    struct statistic statistic;
    struct watch_name name;
    cw_metric(check, in, "", TEXT_NONE, &name);
    *period = read_period(check, in, "");
    cw_unit(check, in, "");
    if (!plain.data && !extended.data)
        cw_note(check, CW_MISSING, "Exactly one of the parameters Statistic and ExtendedStatistic must be specified.");
    else if (plain.data && extended.data)
        cw_note(check, CW_COMBINATION, "The parameters Statistic and ExtendedStatistic are mutually exclusive and you have specified both.");
    else if (extended.data && (statistic_parse(extended, &statistic) || statistic.kind <= STATISTIC_MAXIMUM))
        cw_note(check, CW_INVALID, "The value %.*s for parameter ExtendedStatistic is not supported.", (int)(extended.len < 100 ? extended.len : 100), extended.data);
}

static void check_stat(struct cw_check *check, const struct json *stat, const char *at, int64_t *period)
{
    const struct json *metric = shape_get(stat, "Metric");
    struct text name = cw_text(check, stat, at, "Stat", 128, true);
    struct statistic statistic;
    struct watch_name watched;
    char place[128];
    snprintf(place, sizeof(place), "%sMetric.", at);
    if (metric)
        cw_metric(check, metric, place, TEXT_NONE, &watched);
    else
        cw_note(check, CW_MISSING, "The parameter %sMetric is required.", at);
    int64_t own = read_period(check, stat, at);
    if (own && *period && own != *period)
        cw_note(check, AWS_VALIDATION, "All metrics of an alarm must have the same period.");
    *period = own ? own : *period;
    cw_unit(check, stat, at);
    if (name.len && statistic_parse(name, &statistic))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sStat is not supported.", TEXT_FMT(name), at);
}

/* A function stands somewhere in it. */
static bool calls(const struct math_expr *expr, enum math_function function)
{
    if (expr->node == NODE_CALL && expr->function == function)
        return true;
    for (const struct math_expr *at = expr->first; at; at = at->next)
        if (calls(at, function))
            return true;
    return false;
}

struct referring {
    struct cw_check *check;
    struct text id;             /* of the expression */
};

/* Ids begin with a small letter; what does not is a word of a function. */
static int on_reference(void *context, struct text id)
{
    struct referring *r = context;
    if (!id.len || id.data[0] < 'a' || id.data[0] > 'z')
        return 0;
    for (const struct json *at = shape_get(r->check->call->in, "Metrics")->first; at; at = at->next)
        if (text_equal(aws_param_text(at, "Id"), id))
            return 0;
    cw_note(r->check, AWS_VALIDATION, "Error in expression '%.*s': There is no query with the id %.*s", TEXT_FMT(r->id), TEXT_FMT(id));
    return 0;
}

static void check_expression(struct cw_check *check, const struct json *query, const char *at, struct text id)
{
    struct watch_data_query parsed = {.expression = aws_param_text(query, "Expression")};
    struct err err = {0};
    int code = parsed.expression.len ? watch_data_parse(check->call->arena, &parsed, &err) : err_set(&err, ERR_SYNTAX, "it is empty");
    if (code)
        cw_note(check, AWS_VALIDATION, "Error in expression '%.*s': %s", TEXT_FMT(id), code == ERR_MEMORY ? "out of memory" : err.text);
    else if (parsed.expr && calls(parsed.expr, MATH_SEARCH))
        cw_note(check, AWS_VALIDATION, "SEARCH is not supported on alarms.");
    else if (parsed.expr)
        math_ids(parsed.expr, on_reference, &(struct referring){check, id});
    if (parsed.select && !shape_get(query, "Period"))
        cw_note(check, CW_MISSING, "The parameter %sPeriod is required.", at);
}

static void check_query(struct cw_check *check, const struct json *query, size_t number, int64_t *period, size_t *returned, size_t *stats)
{
    const struct json *stat = shape_get(query, "MetricStat"), *expression = shape_get(query, "Expression"), *wanted = shape_get(query, "ReturnData");
    struct text threshold = aws_param_text(check->call->in, "ThresholdMetricId");
    char at[64], place[96];
    snprintf(at, sizeof(at), "Metrics.member.%zu.", number);
    snprintf(place, sizeof(place), "%sMetricStat.", at);
    struct text id = cw_text(check, query, at, "Id", 255, true);
    if (id.len && !watch_data_id_valid(id))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sId is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", TEXT_FMT(id), at);
    for (const struct json *other = shape_get(check->call->in, "Metrics")->first; other != query; other = other->next)
        if (id.len && text_equal(aws_param_text(other, "Id"), id))
            cw_note(check, CW_INVALID, "The values for parameter id in Metrics are not unique.");
    if (!stat == !expression)
        cw_note(check, CW_COMBINATION, "Exactly one of the parameters %sMetricStat and %sExpression must be specified.", at, at);
    else if (stat)
        check_stat(check, stat, place, period);
    else
        check_expression(check, query, at, id);
    *stats += stat != NULL;
    *returned += (!wanted || wanted->type == JSON_TRUE) && !text_equal(id, threshold);
}

static void check_math(struct cw_check *check, const struct json *metrics, int64_t *period)
{
    static const char *const single[] = {"MetricName", "Namespace", "Statistic", "ExtendedStatistic", "Dimensions", "Period", "Unit"};
    size_t number = 0, returned = 0, stats = 0;
    for (size_t i = 0; i < sizeof(single) / sizeof(single[0]); i++) {
        const struct json *value = shape_get(check->call->in, single[i]);
        if (value && !(value->type == JSON_ARRAY && !value->count))
            cw_note(check, CW_COMBINATION, "The parameters %s and Metrics are mutually exclusive and you have specified both.", single[i]);
    }
    if (metrics->count > WATCH_ALARM_METRICS_MAX)
        cw_note(check, CW_INVALID, "The collection Metrics must not have a size greater than %d.", WATCH_ALARM_METRICS_MAX);
    for (const struct json *at = metrics->first; at && number < WATCH_ALARM_METRICS_MAX; at = at->next)
        check_query(check, at, ++number, period, &returned, &stats);
    if (returned != 1)
        cw_note(check, AWS_VALIDATION, "Exactly one element of the metrics list should return data.");
    if (stats > WATCH_ALARM_STATS_MAX)
        cw_note(check, AWS_VALIDATION, "An alarm has at most %d metrics.", WATCH_ALARM_STATS_MAX);
    for (const struct json *at = metrics->first; at && !*period; at = at->next)
        if (shape_get(at, "Period"))
            *period = read_period(check, at, "Metrics.");
    if (!*period)
        cw_note(check, CW_MISSING, "The parameter Period is required: no element of Metrics has one.");
}

static void check_word(struct cw_check *check, const char *member, const char *const *words)
{
    struct text value = aws_param_text(check->call->in, member);
    char list[100];
    size_t at = 0;
    if (!value.data)
        return;
    for (size_t i = 0; words[i]; i++) {
        if (text_is(value, words[i]))
            return;
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "", words[i]);
    }
    cw_note(check, AWS_VALIDATION, "Value '%.*s' for %s is not one of [%s]", (int)(value.len < 100 ? value.len : 100), value.data, member, list);
}

/* ThresholdMetricId names a band among the Metrics. */
static void check_band(struct cw_check *check, struct text id)
{
    const struct json *metrics = shape_get(check->call->in, "Metrics"), *found = NULL;
    const struct math_expr *expr;
    if (!id.data) {
        cw_note(check, CW_MISSING, "The parameter ThresholdMetricId is required: the ComparisonOperator is about a band.");
        return;
    }
    for (const struct json *at = metrics ? metrics->first : NULL; at && !found; at = at->next)
        found = text_equal(aws_param_text(at, "Id"), id) ? at : NULL;
    struct text text = aws_param_text(found, "Expression");
    bool band = text.len && math_parse(check->call->arena, text, &expr, NULL) == 0 && expr->node == NODE_CALL && expr->function == MATH_ANOMALY_DETECTION_BAND;
    if (!band && !check->fault)
        cw_note(check, AWS_VALIDATION, "ThresholdMetricId %.*s must be the Id of an ANOMALY_DETECTION_BAND in Metrics.", (int)(id.len < 100 ? id.len : 100), id.data);
}

static void check_comparison(struct cw_check *check)
{
    struct text comparison = aws_param_text(check->call->in, "ComparisonOperator"), threshold_id = aws_param_text(check->call->in, "ThresholdMetricId");
    bool band = text_is(comparison, "LessThanLowerOrGreaterThanUpperThreshold") || text_is(comparison, "LessThanLowerThreshold") || text_is(comparison, "GreaterThanUpperThreshold");
    double threshold;
    if (!comparison.len)
        cw_note(check, CW_MISSING, "The parameter ComparisonOperator is required.");
    if (threshold_id.data && shape_get(check->call->in, "Threshold"))
        cw_note(check, CW_COMBINATION, "The parameters Threshold and ThresholdMetricId are mutually exclusive and you have specified both.");
    else if (threshold_id.data && !band && comparison.len)
        cw_note(check, AWS_VALIDATION, "ComparisonOperator %.*s does not go with ThresholdMetricId.", TEXT_FMT(comparison));
    else if (band || threshold_id.data)
        check_band(check, threshold_id);
    else if (cw_number(check, check->call->in, "", "Threshold", true, &threshold) && threshold != 0 && fabs(threshold) < 1e-100)
        cw_note(check, CW_INVALID, "The parameter Threshold is too close to 0.");
}

static void check_periods(struct cw_check *check, int64_t period)
{
    const struct json *json = shape_get(check->call->in, "EvaluationPeriods"), *some = shape_get(check->call->in, "DatapointsToAlarm");
    int64_t periods = 0, datapoints = 0;
    int days = period >= 3600 ? 7 : 1;
    if (!json) {
        cw_note(check, CW_MISSING, "The parameter EvaluationPeriods is required.");
        return;
    }
    if (json_to_i64(json, &periods) || periods < 1)
        cw_note(check, CW_INVALID, "The parameter EvaluationPeriods must be greater than 0.");
    else if (some && (json_to_i64(some, &datapoints) || datapoints > periods))
        cw_note(check, AWS_VALIDATION, "DatapointsToAlarm must be less than or equal to EvaluationPeriods");
    if (period && periods > days * DAY_S / period)
        cw_note(check, AWS_VALIDATION, "Metrics cannot be checked across more than %s (EvaluationPeriods * Period must be <= %lld).", days == 1 ? "a day" : "seven days",
            (long long)(days * DAY_S));
}

int cwa_put_metric_alarm_prepare(struct aws_call *call)
{
    static const char *const missings[] = {"breaching", "notBreaching", "ignore", "missing", NULL}, *const lows[] = {"evaluate", "ignore", NULL};
    const struct json *metrics = shape_get(call->in, "Metrics");
    struct cw_check check;
    int64_t period = 0;
    cw_check_init(&check, call);
    struct watch_alarm_spec *spec = begin(&check, false);
    if (metrics && metrics->count)
        check_math(&check, metrics, &period);
    else
        check_single(&check, &period);
    check_periods(&check, period);
    check_comparison(&check);
    check_word(&check, "TreatMissingData", missings);
    check_word(&check, "EvaluateLowSampleCountPercentile", lows);
    return end(&check, spec);
}

static int put(struct aws_call *call, struct tick *tick)
{
    const struct watch_alarm_spec *spec = call->state;
    struct err err = {0};
    int code = watch_alarm_put(cwa_house(call), tick, call->arena, spec, &err);
    return code ? cwa_fail(call, code, &err) : cwa_done(call);
}

int cwa_put_metric_alarm_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_alarm probe = {.config = ((const struct watch_alarm_spec *)call->state)->config};
    (void)view;
    if (watch_alarm_rhythm(&probe) == WATCH_DUE_STEP)
        gw_alarms_hasten(call->work->gateway);
    return put(call, tick);
}

/* ---- a composite alarm ---- */

static void check_suppressor(struct cw_check *check)
{
    static const char *const members[] = {"ActionsSuppressorWaitPeriod", "ActionsSuppressorExtensionPeriod"};
    bool suppressed = shape_get(check->call->in, "ActionsSuppressor");
    for (size_t i = 0; i < 2; i++) {
        const struct json *json = shape_get(check->call->in, members[i]);
        int64_t seconds = 0;
        if (suppressed && !json)
            cw_note(check, CW_MISSING, "The parameter %s is required: ActionsSuppressor is given.", members[i]);
        else if (!suppressed && json)
            cw_note(check, CW_COMBINATION, "The parameter %s must be specified together with the parameter ActionsSuppressor.", members[i]);
        else if (json && (json_to_i64(json, &seconds) || seconds < 0 || seconds > SUPPRESSOR_PERIOD_MAX))
            cw_note(check, CW_INVALID, "The parameter %s must be between 0 and %d.", members[i], SUPPRESSOR_PERIOD_MAX);
    }
}

int cwa_put_composite_alarm_prepare(struct aws_call *call)
{
    struct cw_check check;
    const struct watch_rule *rule;
    struct err err = {0};
    cw_check_init(&check, call);
    struct watch_alarm_spec *spec = begin(&check, true);
    struct text text = aws_param_text(call->in, "AlarmRule");
    if (!text.len)
        cw_note(&check, CW_MISSING, "The parameter AlarmRule is required.");
    else if (watch_rule_parse(call->arena, text, &rule, &err))
        cw_note(&check, AWS_VALIDATION, "%s", err.text);
    check_suppressor(&check);
    return end(&check, spec);
}

int cwa_put_composite_alarm_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)view;
    return put(call, tick);
}

/*
 * The figures behind a metric alarm, read on a worker.
 *
 * Periods end with the last full minute (10 s for periods below a minute), not on multiples of the period: a five-minute alarm that is evaluated every minute looks at the last five
 * minutes each time, as CloudWatch's does. So rows are read by the minute and added up here. Metric math is evaluated on periods that are multiples of themselves, since its functions
 * (FILL, TIME_SERIES) count so; it is a minute later for it, at most a period.
 */
#include "watch/alarm.h"

#include "base/clock.h"
#include "watch/math.h"
#include <math.h>
#include <stdlib.h>

#define MATH_DEPTH 10
#define DAY_S INT64_C(86400)

struct slots {
    struct arena *arena;
    struct statistic statistic;
    struct watch_summary sum;
    int64_t start_s, period_s;
    size_t count, at;   /* at: the period that is being added up; count: none */
    double *value, *samples;
};
struct reading {
    struct store_view *view;
    struct arena *arena;
    const struct watch_alarm *alarm;
    int64_t start_s, end_s, period_s, now_ms;
    size_t count;
    uint64_t rows;
    const struct attr *asked[MATH_DEPTH]; /* expressions under way */
    size_t depth;
};

/* ---- numbers of the configuration ---- */

static struct text text_in_map(const struct attr *map, const char *member)
{
    const struct attr *attr = map ? item_get_str(map, member) : NULL;
    return attr && attr->type == ATTR_STRING ? attr->text : TEXT_NONE;
}

static int64_t integer_in_map(const struct attr *map, const char *member, int64_t otherwise)
{
    const struct attr *attr = map ? item_get_str(map, member) : NULL;
    int64_t value;
    return attr && attr_to_i64(attr, &value) == 0 ? value : otherwise;
}

static const struct attr *list_in_map(const struct attr *map, const char *member)
{
    const struct attr *attr = map ? item_get_str(map, member) : NULL;
    return attr && attr->type == ATTR_LIST ? attr : NULL;
}

static int64_t period_of(const struct watch_alarm *alarm)
{
    const struct attr *metrics = list_in_map(alarm->config, "Metrics");
    int64_t period = integer_in_map(alarm->config, "Period", 0);
    for (const struct attr *at = metrics ? metrics->first : NULL; at && !period; at = at->next)
        period = integer_in_map(item_get_str(at, "MetricStat"), "Period", integer_in_map(at, "Period", 0));
    return period > 0 ? period : 60;
}

void watch_alarm_terms(const struct watch_alarm *alarm, struct watch_terms *terms)
{
    static const char *const compares[] = {"GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold"};
    static const char *const missings[] = {"missing", "ignore", "breaching", "notBreaching"};
    struct text compare = text_in_map(alarm->config, "ComparisonOperator"), missing = text_in_map(alarm->config, "TreatMissingData");
    *terms = (struct watch_terms){.threshold = watch_alarm_real(alarm->config, "Threshold", 0)};
    terms->periods = (unsigned)integer_in_map(alarm->config, "EvaluationPeriods", 1);
    terms->datapoints = (unsigned)integer_in_map(alarm->config, "DatapointsToAlarm", terms->periods);
    if (!missing.len && text_is(text_in_map(alarm->config, "Namespace"), "AWS/DynamoDB"))
        terms->missing = WATCH_IGNORE; /* as CloudWatch does: tables report when something happens */
    for (int i = 0; i < 4; i++) {
        if (text_is(compare, compares[i]))
            terms->compare = (enum watch_compare)i;
        if (text_is(missing, missings[i]))
            terms->missing = (enum watch_missing)i;
    }
}

unsigned watch_alarm_rhythm(const struct watch_alarm *alarm)
{
    int64_t period = period_of(alarm);
    return period < 60 ? WATCH_DUE_STEP : period * integer_in_map(alarm->config, "EvaluationPeriods", 1) > DAY_S ? WATCH_DUE_HOUR : WATCH_DUE_MINUTE;
}

int watch_alarm_metric(struct arena *arena, const struct attr *map, struct watch_name *name)
{
    const struct attr *list = list_in_map(map, "Dimensions");
    size_t count = 0;
    *name = (struct watch_name){.space = text_in_map(map, "Namespace"), .name = text_in_map(map, "MetricName")};
    struct watch_dimension *dimension = arena_array(arena, (list ? list->count : 0) + 1, sizeof(*dimension));
    if (!dimension)
        return ERR_MEMORY;
    for (const struct attr *at = list ? list->first : NULL; at && count < WATCH_DIMENSIONS_MAX; at = at->next, count++)
        dimension[count] = (struct watch_dimension){text_in_map(at, "Name"), text_in_map(at, "Value")};
    name->dimension = dimension;
    name->dimensions = count;
    return 0;
}

/* ---- one metric ---- */

static void finish_slot(struct slots *slots)
{
    if (slots->at >= slots->count)
        return;
    double value;
    if (slots->sum.count > 0 && statistic_evaluate(&slots->statistic, &slots->sum, &value) && isfinite(value)) {
        slots->value[slots->at] = value;
        slots->samples[slots->at] = slots->sum.count;
    }
    watch_summary_clear(&slots->sum);
}

static int on_row(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct slots *slots = context;
    (void)unit;
    if (start_s < slots->start_s)
        return 0;
    size_t at = (size_t)((start_s - slots->start_s) / slots->period_s);
    if (at >= slots->count)
        return 0;
    if (at != slots->at) {
        finish_slot(slots);
        slots->at = at;
    }
    return watch_summary_merge(&slots->sum, summary);
}

/* `map`: Namespace, MetricName and Dimensions. The values by period, NaN where there is none. */
static int read_metric(struct reading *reading, const struct attr *map, struct text statistic, struct text unit, struct slots *slots)
{
    struct watch_query query = {.start_s = reading->start_s, .end_s = reading->end_s, .period_s = reading->period_s < 60 ? 10 : 60,
        .unit = unit.len ? watch_unit_find(unit) : -1, .now_ms = reading->now_ms, .rows = &reading->rows};
    *slots = (struct slots){.arena = reading->arena, .start_s = reading->start_s, .period_s = reading->period_s, .count = reading->count, .at = SIZE_MAX};
    slots->value = arena_array(reading->arena, reading->count, sizeof(double));
    slots->samples = arena_array(reading->arena, reading->count, sizeof(double));
    int code = slots->value && slots->samples ? watch_alarm_metric(reading->arena, map, &query.name) : ERR_MEMORY;
    if (code)
        return code;
    for (size_t i = 0; i < reading->count; i++)
        slots->value[i] = slots->samples[i] = NAN;
    if (statistic_parse(statistic, &slots->statistic) || !query.name.space.len || !query.name.name.len)
        return 0;
    query.figures = slots->statistic.kind <= STATISTIC_MAXIMUM;
    watch_summary_init(&slots->sum, reading->arena);
    code = watch_metric_read(reading->view, reading->arena, &query, on_row, slots);
    finish_slot(slots);
    return code == ERR_FULL || code == ERR_INVALID ? 0 : code;
}

/* ---- metric math ---- */

static const struct attr *find_query(const struct reading *reading, struct text id)
{
    const struct attr *metrics = list_in_map(reading->alarm->config, "Metrics");
    for (const struct attr *at = metrics ? metrics->first : NULL; at; at = at->next)
        if (text_equal(text_in_map(at, "Id"), id))
            return at;
    return NULL;
}

static int make_series(struct reading *reading, const struct slots *slots, struct math_value *out)
{
    int64_t *time_s = arena_array(reading->arena, slots->count, sizeof(*time_s));
    double *value = arena_array(reading->arena, slots->count, sizeof(*value));
    size_t count = 0;
    if (!time_s || !value)
        return ERR_MEMORY;
    for (size_t i = 0; i < slots->count; i++) {
        if (isnan(slots->value[i]))
            continue;
        time_s[count] = slots->start_s + (int64_t)i * slots->period_s;
        value[count++] = slots->value[i];
    }
    *out = (struct math_value){.type = MATH_SERIES, .series = {.period_s = slots->period_s, .count = count, .time_s = time_s, .value = value}};
    return 0;
}

static int evaluate_query(struct reading *reading, const struct attr *query, struct math_value *out);

static int on_find(void *context, struct text id, struct math_value *value)
{
    struct reading *reading = context;
    const struct attr *query = find_query(reading, id);
    return query ? evaluate_query(reading, query, value) : ERR_NOT_FOUND;
}

static bool holds(struct text text, struct text part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (memcmp(text.data + i, part.data, part.len) == 0)
            return true;
    return !part.len;
}

static int on_metrics(void *context, struct text filter, struct math_value *list)
{
    struct reading *reading = context;
    const struct attr *metrics = list_in_map(reading->alarm->config, "Metrics");
    struct math_value *item = arena_array(reading->arena, metrics->count + 1, sizeof(*item));
    size_t count = 0;
    int code = item ? 0 : ERR_MEMORY;
    for (const struct attr *at = metrics->first; at && !code; at = at->next)
        if (item_get_str(at, "MetricStat") && holds(text_in_map(at, "Id"), filter))
            code = evaluate_query(reading, at, &item[count++]);
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = count};
    return code;
}

static int evaluate_expression(struct reading *reading, const struct attr *query, struct math_value *out)
{
    const struct math_expr *expr;
    struct err err = {0};
    int64_t period = integer_in_map(query, "Period", reading->period_s);
    struct math_env env = {.arena = reading->arena, .start_s = reading->start_s, .end_s = reading->end_s, .period_s = period, .context = reading, .find = on_find,
        .metrics = on_metrics};
    for (size_t i = 0; i < reading->depth; i++)
        if (reading->asked[i] == query)
            return ERR_INVALID; /* a circle */
    if (reading->depth == MATH_DEPTH)
        return ERR_INVALID;
    reading->asked[reading->depth++] = query;
    int code = math_parse(reading->arena, text_in_map(query, "Expression"), &expr, &err);
    if (!code)
        code = math_evaluate(expr, &env, out, &err);
    reading->depth--;
    return code;
}

static int evaluate_query(struct reading *reading, const struct attr *query, struct math_value *out)
{
    const struct attr *stat = item_get_str(query, "MetricStat");
    struct slots slots;
    if (!stat)
        return evaluate_expression(reading, query, out);
    int code = read_metric(reading, item_get_str(stat, "Metric"), text_in_map(stat, "Stat"), text_in_map(stat, "Unit"), &slots);
    return code ? code : make_series(reading, &slots, out);
}

/* The query whose data is returned is the one that is watched. */
static const struct attr *watched_query(const struct attr *metrics)
{
    for (const struct attr *at = metrics->first; at; at = at->next) {
        const struct attr *returned = item_get_str(at, "ReturnData");
        if (!returned || returned->type != ATTR_BOOL || returned->boolean)
            return at;
    }
    return NULL;
}

static int read_math(struct reading *reading, const struct attr *metrics, struct slots *slots)
{
    const struct attr *query = watched_query(metrics);
    struct math_value value = {.type = MATH_LIST};
    *slots = (struct slots){.start_s = reading->start_s, .period_s = reading->period_s, .count = reading->count};
    slots->value = arena_array(reading->arena, reading->count, sizeof(double));
    int code = !slots->value ? ERR_MEMORY : query ? evaluate_query(reading, query, &value) : ERR_INVALID;
    if (code && code != ERR_MEMORY && code != ERR_COLD && code != ERR_CORRUPT)
        value = (struct math_value){.type = MATH_LIST}; /* an expression that cannot be evaluated has no data */
    else if (code)
        return code;
    for (size_t i = 0; i < reading->count; i++)
        slots->value[i] = NAN;
    if (value.type == MATH_LIST && value.items == 1)
        value = value.item[0];
    for (size_t i = 0; value.type == MATH_SERIES && i < value.series.count; i++) {
        int64_t at = (value.series.time_s[i] - reading->start_s) / reading->period_s;
        if (value.series.time_s[i] >= reading->start_s && at < (int64_t)reading->count && isfinite(value.series.value[i]))
            slots->value[at] = value.series.value[i];
    }
    return 0;
}

/* ---- judging ---- */

/* Fewer samples than a percentile needs to mean something, in a period that would decide: the state waits. */
static bool lacks_samples(const struct watch_alarm *alarm, const struct slots *slots, const struct watch_terms *terms)
{
    if (!text_is(text_in_map(alarm->config, "EvaluateLowSampleCountPercentile"), "ignore") || slots->statistic.kind != STATISTIC_PERCENTILE || !slots->samples)
        return false;
    double share = slots->statistic.high, least = share >= 0.5 ? 10 / (1 - share) : 10 / share;
    size_t used = 0;
    for (size_t i = slots->count; i-- > 0 && used < terms->periods;) {
        if (isnan(slots->value[i]))
            continue;
        used++;
        if (slots->samples[i] < least)
            return true;
    }
    return false;
}

static const char *terminated(struct arena *arena, struct text text)
{
    return text.len ? arena_copy(arena, text).data : NULL;
}

int watch_alarm_judge(struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, int64_t now_ms, struct watch_judgement *judgement)
{
    const struct attr *metrics = list_in_map(alarm->config, "Metrics");
    struct watch_terms terms;
    struct slots slots;
    struct text statistic = text_in_map(alarm->config, "Statistic");
    watch_alarm_terms(alarm, &terms);
    struct reading reading = {.view = view, .arena = arena, .alarm = alarm, .period_s = period_of(alarm), .now_ms = now_ms, .rows = WATCH_ROWS_MAX,
        .count = terms.periods + WATCH_ALARM_RANGE_EXTRA};
    int64_t grid = metrics ? reading.period_s : reading.period_s < 60 ? WATCH_ALARM_STEP_MS / SECOND_MS : 60;
    reading.end_s = now_ms / SECOND_MS / grid * grid;
    reading.start_s = reading.end_s - (int64_t)reading.count * reading.period_s;
    *judgement = (struct watch_judgement){.keep = true};
    if (reading.start_s < 0)
        return 0;
    if (!statistic.len)
        statistic = text_in_map(alarm->config, "ExtendedStatistic");
    int code = metrics ? read_math(&reading, metrics, &slots)
                       : read_metric(&reading, alarm->config, statistic, text_in_map(alarm->config, "Unit"), &slots);
    if (code || lacks_samples(alarm, &slots, &terms))
        return code;
    struct watch_basis basis = {.value = slots.value, .samples = slots.samples, .count = slots.count};
    struct watch_decision decision = watch_alarm_decide(&terms, &basis);
    judgement->keep = decision.keep;
    judgement->state = decision.state;
    if (decision.keep || decision.state == alarm->state)
        return 0;
    struct watch_told told = {.statistic = metrics ? NULL : terminated(arena, statistic), .unit = terminated(arena, text_in_map(alarm->config, "Unit")),
        .period_s = reading.period_s, .end_s = reading.end_s, .now_ms = clock_wall_ms()};
    return watch_alarm_tell(arena, &terms, &basis, &told, alarm->state, judgement);
}

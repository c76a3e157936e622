/*
 * The figures behind a metric alarm, read on a worker.
 *
 * Periods end with the last full minute (10 s for periods below a minute), not on multiples of the period: a five-minute alarm that is evaluated every minute looks at the last five
 * minutes each time, as CloudWatch's does. So rows are read by the minute and added up here. Metric math is evaluated on periods that are multiples of themselves, since its functions
 * (FILL, TIME_SERIES) count so; it is a minute later for it, at most a period.
 */
#include "watch/alarm.h"

#include "base/clock.h"
#include "watch/data.h"
#include <math.h>
#include <stdlib.h>

#define DAY_S INT64_C(86400)

struct slots {
    struct arena *arena;
    struct statistic statistic;
    struct watch_summary sum;
    int64_t start_s, period_s;
    size_t count, at;   /* at: the period that is being added up; count: none */
    double *value, *samples;
    double *upper, *lower; /* of an anomaly's band; NULL: there is none */
};
struct reading {
    struct store_view *view;
    struct arena *arena;
    const struct watch_alarm *alarm;
    int64_t start_s, end_s, period_s, now_ms;
    size_t count;
    uint64_t rows;
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
    static const char *const compares[] = {"GreaterThanThreshold", "GreaterThanOrEqualToThreshold", "LessThanThreshold", "LessThanOrEqualToThreshold", "LessThanLowerOrGreaterThanUpperThreshold",
        "LessThanLowerThreshold", "GreaterThanUpperThreshold"};
    static const char *const missings[] = {"missing", "ignore", "breaching", "notBreaching"};
    struct text compare = text_in_map(alarm->config, "ComparisonOperator"), missing = text_in_map(alarm->config, "TreatMissingData");
    *terms = (struct watch_terms){.threshold = watch_alarm_real(alarm->config, "Threshold", 0)};
    terms->periods = (unsigned)integer_in_map(alarm->config, "EvaluationPeriods", 1);
    terms->datapoints = (unsigned)integer_in_map(alarm->config, "DatapointsToAlarm", terms->periods);
    if (!missing.len && text_is(text_in_map(alarm->config, "Namespace"), "AWS/DynamoDB"))
        terms->missing = WATCH_IGNORE; /* as CloudWatch does: tables report when something happens */
    for (int i = 0; i < 7; i++) {
        if (text_is(compare, compares[i]))
            terms->compare = (enum watch_compare)i;
        if (i < 4 && text_is(missing, missings[i]))
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

/* ---- several queries ---- */

static bool is_returned(const struct attr *query)
{
    const struct attr *returned = item_get_str(query, "ReturnData");
    return !returned || returned->type != ATTR_BOOL || returned->boolean;
}

static int make_query(struct reading *reading, const struct attr *map, struct watch_data_query *query)
{
    const struct attr *stat = item_get_str(map, "MetricStat");
    *query = (struct watch_data_query){.id = text_in_map(map, "Id"), .expression = text_in_map(map, "Expression"), .unit = -1, .returned = is_returned(map),
        .period_s = integer_in_map(map, "Period", reading->period_s)};
    if (!stat)
        return 0;
    struct text unit = text_in_map(stat, "Unit");
    query->expression = TEXT_NONE;
    query->unit = unit.len ? watch_unit_find(unit) : -1;
    query->period_s = reading->period_s;
    query->stat = text_in_map(stat, "Stat");
    if (statistic_parse(query->stat, &query->statistic))
        return ERR_CORRUPT;
    return watch_alarm_metric(reading->arena, item_get_str(stat, "Metric"), &query->name);
}

static int make_queries(struct reading *reading, const struct attr *metrics, struct watch_data *data)
{
    int code = 0;
    *data = (struct watch_data){.view = reading->view, .arena = reading->arena, .start_s = reading->start_s, .end_s = reading->end_s, .now_ms = reading->now_ms,
        .rows = WATCH_ROWS_MAX, .no_search = true, .query = arena_array(reading->arena, metrics->count + 1, sizeof(*data->query))};
    if (!data->query)
        return ERR_MEMORY;
    for (const struct attr *at = metrics->first; at && !code; at = at->next)
        code = make_query(reading, at, &data->query[data->count++]);
    return code;
}

/* A series by the alarm's periods; NaN where it has none. */
static int lay_out(const struct reading *reading, const struct math_value *value, double **out)
{
    double *slot = *out = arena_array(reading->arena, reading->count, sizeof(*slot));
    if (!slot)
        return ERR_MEMORY;
    for (size_t i = 0; i < reading->count; i++)
        slot[i] = NAN;
    for (size_t i = 0; value->type == MATH_SERIES && i < value->series.count; i++) {
        int64_t at = (value->series.time_s[i] - reading->start_s) / reading->period_s;
        if (value->series.time_s[i] >= reading->start_s && at < (int64_t)reading->count && isfinite(value->series.value[i]))
            slot[at] = value->series.value[i];
    }
    return 0;
}

/* What a query has become; what cannot be evaluated has no data. */
static int value_of(struct watch_data *data, struct watch_data_query *query, struct math_value *value)
{
    int code = watch_data_ready(data, query);
    *value = query->state == WATCH_DATA_READY ? query->value : (struct math_value){.type = MATH_LIST};
    return code;
}

/* The two bounds; a value of a period that has none cannot be judged. */
static int read_band(struct reading *reading, struct watch_data *data, struct watch_data_query *query, struct slots *slots)
{
    struct math_value band, none = {.type = MATH_LIST};
    int code = value_of(data, query, &band);
    bool two = !code && band.type == MATH_LIST && band.items == 2;
    if (!code)
        code = lay_out(reading, two ? &band.item[0] : &none, &slots->upper);
    if (!code)
        code = lay_out(reading, two ? &band.item[1] : &none, &slots->lower);
    for (size_t i = 0; i < reading->count && !code; i++)
        if (isnan(slots->upper[i]) || isnan(slots->lower[i]))
            slots->value[i] = NAN;
    return code;
}

/* The query that is watched: the one that returns data and is not the threshold. Several series (a Metrics Insights query with GROUP BY): `each` of them is judged. */
static int read_queries(struct reading *reading, const struct attr *metrics, int (*each)(void *context, struct slots *slots, const struct math_series *series), void *context)
{
    struct text threshold = text_in_map(reading->alarm->config, "ThresholdMetricId");
    struct watch_data_query *watched = NULL, *band = NULL;
    struct math_value value = {.type = MATH_LIST}, none = {.type = MATH_LIST};
    struct watch_data data;
    int code = make_queries(reading, metrics, &data);
    for (size_t i = 0; i < data.count && !code; i++) {
        if (threshold.len && text_equal(data.query[i].id, threshold))
            band = &data.query[i];
        else if (data.query[i].returned && !watched)
            watched = &data.query[i];
    }
    if (!code && watched)
        code = value_of(&data, watched, &value);
    size_t series = value.type == MATH_LIST ? value.items : 1;
    for (size_t i = 0; i < (series ? series : 1) && !code; i++) {
        const struct math_value *one = value.type != MATH_LIST ? &value : i < value.items ? &value.item[i] : &none;
        struct slots slots = {.start_s = reading->start_s, .period_s = reading->period_s, .count = reading->count};
        code = lay_out(reading, one, &slots.value);
        if (!code && threshold.len)
            code = band ? read_band(reading, &data, band, &slots) : ERR_CORRUPT;
        if (!code)
            code = each(context, &slots, value.type == MATH_LIST && one->type == MATH_SERIES ? &one->series : NULL);
    }
    return code;
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

/* What several series come to: in ALARM when one is, else OK when one is. */
struct judging {
    struct reading *reading;
    const struct watch_terms *terms;
    struct text statistic;
    bool math;
    struct watch_judgement *judgement;
    bool any;
    int (*visit)(void *context, const struct math_series *series, const struct watch_judgement *judgement); /* NULL: the whole alone is wanted */
    void *context;
};

static int rank(const struct watch_judgement *judgement)
{
    return judgement->keep ? 1 : judgement->state == WATCH_ALARM_ALARM ? 3 : judgement->state == WATCH_ALARM_OK ? 2 : 0;
}

static int judge_slots(void *context, struct slots *slots, const struct math_series *series)
{
    struct judging *judging = context;
    struct reading *reading = judging->reading;
    const struct watch_alarm *alarm = reading->alarm;
    struct watch_judgement own = {.keep = true};
    if (!lacks_samples(alarm, slots, judging->terms)) {
        struct watch_basis basis = {.value = slots->value, .samples = slots->samples, .upper = slots->upper, .lower = slots->lower, .count = slots->count};
        struct watch_decision decision = watch_alarm_decide(judging->terms, &basis);
        struct watch_told told = {.statistic = judging->math ? NULL : terminated(reading->arena, judging->statistic),
            .unit = terminated(reading->arena, text_in_map(alarm->config, "Unit")), .period_s = reading->period_s, .end_s = reading->end_s, .now_ms = clock_wall_ms()};
        own.keep = decision.keep;
        own.state = decision.state;
        bool wanted = judging->visit || (!own.keep && own.state != alarm->state);
        int code = wanted ? watch_alarm_tell(reading->arena, judging->terms, &basis, &told, judging->visit ? WATCH_ALARM_INSUFFICIENT : alarm->state, &own) : 0;
        if (code)
            return code;
    }
    if (judging->visit && series) {
        int code = judging->visit(judging->context, series, &own);
        if (code)
            return code;
    }
    if (!judging->any || rank(&own) > rank(judging->judgement))
        *judging->judgement = own;
    judging->any = true;
    return 0;
}

static int judge(struct judging *judging, struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, int64_t now_ms)
{
    const struct attr *metrics = list_in_map(alarm->config, "Metrics");
    struct watch_terms terms;
    struct slots slots;
    watch_alarm_terms(alarm, &terms);
    struct reading reading = {.view = view, .arena = arena, .alarm = alarm, .period_s = period_of(alarm), .now_ms = now_ms, .rows = WATCH_ROWS_MAX,
        .count = terms.periods + WATCH_ALARM_RANGE_EXTRA};
    int64_t grid = metrics ? reading.period_s : reading.period_s < 60 ? WATCH_ALARM_STEP_MS / SECOND_MS : 60;
    reading.end_s = now_ms / SECOND_MS / grid * grid;
    reading.start_s = reading.end_s - (int64_t)reading.count * reading.period_s;
    *judging->judgement = (struct watch_judgement){.keep = true};
    if (reading.start_s < 0)
        return 0;
    judging->reading = &reading;
    judging->terms = &terms;
    judging->math = metrics != NULL;
    judging->statistic = text_in_map(alarm->config, "Statistic");
    if (!judging->statistic.len)
        judging->statistic = text_in_map(alarm->config, "ExtendedStatistic");
    if (metrics)
        return read_queries(&reading, metrics, judge_slots, judging);
    int code = read_metric(&reading, alarm->config, judging->statistic, text_in_map(alarm->config, "Unit"), &slots);
    return code ? code : judge_slots(judging, &slots, NULL);
}

int watch_alarm_judge(struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, int64_t now_ms, struct watch_judgement *judgement)
{
    struct judging judging = {.judgement = judgement};
    return judge(&judging, view, arena, alarm, now_ms);
}

int watch_alarm_contributors(struct store_view *view, struct arena *arena, const struct watch_alarm *alarm, int64_t now_ms,
    int (*visit)(void *context, const struct math_series *series, const struct watch_judgement *judgement), void *context)
{
    struct watch_judgement ignored;
    struct judging judging = {.judgement = &ignored, .visit = visit, .context = context};
    return judge(&judging, view, arena, alarm, now_ms);
}

/* GetMetricStatistics: one metric, several statistics, a data point per period and unit. */
#include "aws/cloudwatch.h"

#include <stdio.h>

#define PLAIN_MAX 5

struct wanted {
    struct text name;
    struct statistic statistic;
};
struct statistics {
    struct watch_query query;
    struct wanted plain[PLAIN_MAX], extended[CW_STATISTICS_MAX];
    size_t plains, extendeds;
    struct json_writer *w;
};

static void read_list(struct cw_check *check, const char *member, struct wanted *wanted, size_t most, bool is_extended, size_t *count)
{
    const struct json *list = shape_get(check->call->in, member);
    if (list && list->count > most) {
        cw_note(check, CW_INVALID, "The collection %s must not have a size greater than %zu.", member, most);
        return;
    }
    for (const struct json *at = list ? list->first : NULL; at; at = at->next) {
        struct wanted *w = &wanted[(*count)++];
        w->name = at->text;
        bool known = statistic_parse(at->text, &w->statistic) == 0 && (w->statistic.kind > STATISTIC_MAXIMUM) == is_extended;
        if (!known && is_extended)
            cw_note(check, CW_INVALID, "The value %.*s for parameter %s.member.%zu is not supported.", TEXT_FMT(at->text), member, *count);
        else if (!known)
            cw_note(check, CW_INVALID, "The parameter %s.member.%zu must be a value in the set [ SampleCount, Average, Sum, Minimum, Maximum ].", member, *count);
    }
}

/* 2880 is told as 2,880. */
static const char *with_commas(int64_t n, char out[40])
{
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)n), at = 0;
    for (int i = 0; i < len; i++) {
        if (i && (len - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
    return out;
}

static void check_range(struct cw_check *check, int64_t start_ms, int64_t end_ms, int64_t period)
{
    char asked[40], most[40];
    if (start_ms >= end_ms) {
        cw_note(check, CW_COMBINATION, "The parameter StartTime must be less than the parameter EndTime.");
        return;
    }
    int64_t points = period ? (end_ms - start_ms + period * SECOND_MS - 1) / (period * SECOND_MS) : 0;
    if (points > CW_STATISTICS_POINTS_MAX)
        cw_note(check, CW_COMBINATION,
            "You have requested up to %s datapoints, which exceeds the limit of %s. You may reduce the datapoints requested by increasing Period, or decreasing the time range.",
            with_commas(points, asked), with_commas(CW_STATISTICS_POINTS_MAX, most));
}

int cw_get_metric_statistics_prepare(struct aws_call *call)
{
    struct statistics *get = arena_zalloc(call->arena, sizeof(*get));
    struct cw_check check;
    int64_t start_ms = 0, end_ms = 0;
    if (!get)
        return aws_no_memory(call);
    call->state = get;
    cw_check_init(&check, call);
    cw_metric(&check, call->in, "", TEXT_NONE, &get->query.name);
    get->query.period_s = cw_period(&check, call->in, "", true);
    bool range = cw_time(&check, call->in, "", "StartTime", true, &start_ms);
    range = cw_time(&check, call->in, "", "EndTime", true, &end_ms) && range;
    read_list(&check, "Statistics", get->plain, PLAIN_MAX, false, &get->plains);
    read_list(&check, "ExtendedStatistics", get->extended, CW_STATISTICS_MAX, true, &get->extendeds);
    if (!shape_get(call->in, "Statistics") && !shape_get(call->in, "ExtendedStatistics"))
        cw_note(&check, CW_COMBINATION, "At least one of the parameters Statistics and ExtendedStatistics must be specified.");
    get->query.unit = cw_unit(&check, call->in, "");
    if (range)
        check_range(&check, start_ms, end_ms, get->query.period_s);
    get->query.start_s = start_ms > 0 ? start_ms / SECOND_MS : 0;
    get->query.end_s = end_ms > 0 ? (end_ms + SECOND_MS - 1) / SECOND_MS : 0;
    get->query.by_unit = true;
    get->query.figures = !get->extendeds;
    return cw_check_end(&check);
}

static void write_extended(struct statistics *get, const double *value, const bool *there)
{
    json_name(get->w, "ExtendedStatistics");
    json_begin_object(get->w);
    for (size_t i = 0; i < get->extendeds; i++)
        if (there[i]) {
            json_name_text(get->w, get->extended[i].name);
            json_double(get->w, value[i]);
        }
    json_end_object(get->w);
}

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct statistics *get = context;
    double value[CW_STATISTICS_MAX], plain;
    bool there[CW_STATISTICS_MAX], any = false;
    for (size_t i = 0; i < get->extendeds; i++) {
        there[i] = statistic_evaluate(&get->extended[i].statistic, summary, &value[i]);
        any = any || there[i];
    }
    if (!any && !get->plains)
        return 0;
    json_begin_object(get->w);
    json_name(get->w, "Timestamp");
    cw_write_time(get->w, start_s);
    for (size_t i = 0; i < get->plains; i++)
        if (statistic_evaluate(&get->plain[i].statistic, summary, &plain)) {
            json_name_text(get->w, get->plain[i].name);
            json_double(get->w, plain);
        }
    json_name(get->w, "Unit");
    json_str(get->w, watch_unit_names[unit]);
    if (any)
        write_extended(get, value, there);
    json_end_object(get->w);
    return 0;
}

int cw_get_metric_statistics_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct statistics get = *(const struct statistics *)call->state;
    struct err err = {0};
    (void)tick;
    get.w = &call->w;
    get.query.now_ms = clock_wall_ms();
    json_begin_object(&call->w);
    json_name(&call->w, "Label");
    json_text(&call->w, get.query.name.name);
    json_name(&call->w, "Datapoints");
    json_begin_array(&call->w);
    int code = watch_metric_read(view, call->arena, &get.query, on_period, &get);
    json_end_array(&call->w);
    json_end_object(&call->w);
    return code ? cw_fail(call, code == ERR_FULL ? ERR_INTERNAL : code, &err) : 0;
}

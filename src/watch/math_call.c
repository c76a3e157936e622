/* The functions of metric math. Each gets its arguments as they stand and evaluates what it wants evaluated: some take words or texts. */
#include "watch/math_tree.h"

#include <math.h>
#include <stdlib.h>
#include <time.h>

#define RANGE_POINTS_MAX 200000 /* of a series that FILL or TIME_SERIES make */

static int no_type(enum math_function function, const char *what, struct err *err)
{
    return err_set(err, ERR_TYPE, "%s wants %s", math_function_names[function], what);
}

static struct math_value *slot(const struct math_value *list, size_t i)
{
    return (struct math_value *)(uintptr_t)&list->item[i]; /* made by math_list_make: ours to write */
}

/* ---- point by point ---- */

static double of_time(enum math_function function, int64_t time_s)
{
    struct tm tm;
    time_t t = (time_t)time_s;
    gmtime_r(&t, &tm);
    switch (function) {
    case MATH_MINUTE:
        return tm.tm_min;
    case MATH_HOUR:
        return tm.tm_hour;
    case MATH_DAY:
        return tm.tm_wday ? tm.tm_wday : 7;
    case MATH_DATE:
        return tm.tm_mday;
    case MATH_MONTH:
        return tm.tm_mon + 1;
    case MATH_YEAR:
        return tm.tm_year + 1900;
    default:
        return (double)time_s;
    }
}

static double of_value(enum math_function function, double value)
{
    switch (function) {
    case MATH_ABS:
        return fabs(value);
    case MATH_CEIL:
        return ceil(value);
    case MATH_FLOOR:
        return floor(value);
    case MATH_LOG:
        return log(value);
    default:
        return log10(value);
    }
}

/* What the i-th point becomes. */
static double of_point(enum math_function function, const struct math_series *s, size_t i, double *running)
{
    double before = i ? s->value[i - 1] : NAN, seconds = i ? (double)(s->time_s[i] - s->time_s[i - 1]) : NAN;
    switch (function) {
    case MATH_DIFF:
        return s->value[i] - before;
    case MATH_DIFF_TIME:
        return seconds;
    case MATH_RATE:
        return (s->value[i] - before) / seconds;
    case MATH_RUNNING_SUM:
        return *running += s->value[i];
    case MATH_ABS:
    case MATH_CEIL:
    case MATH_FLOOR:
    case MATH_LOG:
    case MATH_LOG10:
        return of_value(function, s->value[i]);
    default:
        return of_time(function, s->time_s[i]);
    }
}

static bool takes_scalars(enum math_function function)
{
    return function == MATH_ABS || function == MATH_CEIL || function == MATH_FLOOR || function == MATH_LOG || function == MATH_LOG10;
}

static int call_points(enum math_function function, const struct math_env *env, const struct math_value *in, struct math_value *out, struct err *err)
{
    double running = 0;
    int code;
    if (in->type == MATH_LIST) {
        code = math_list_make(env, in->items, out);
        for (size_t i = 0; i < in->items && !code; i++)
            code = call_points(function, env, &in->item[i], slot(out, i), err);
        return code;
    }
    if (in->type == MATH_SCALAR) {
        if (!takes_scalars(function))
            return no_type(function, "a time series", err);
        *out = math_scalar(of_value(function, in->scalar));
        return 0;
    }
    code = math_series_make(env, in->series.count, &in->series, out);
    for (size_t i = 0; i < in->series.count && !code; i++)
        math_push(out, in->series.time_s[i], of_point(function, &in->series, i, &running));
    return code;
}

/* ---- many into one ---- */

static int compare_times(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* All times at which a series of the list has a point. */
static int list_times(const struct math_env *env, const struct math_value *list, int64_t **out, size_t *count)
{
    size_t all = 0, n = 0, kept = 0;
    for (size_t i = 0; i < list->items; i++)
        all += list->item[i].type == MATH_SERIES ? list->item[i].series.count : 0;
    int64_t *time_s = arena_array(env->arena, all ? all : 1, sizeof(*time_s));
    if (!time_s)
        return ERR_MEMORY;
    for (size_t i = 0; i < list->items; i++)
        for (size_t k = 0; list->item[i].type == MATH_SERIES && k < list->item[i].series.count; k++)
            time_s[n++] = list->item[i].series.time_s[k];
    qsort(time_s, n, sizeof(*time_s), compare_times);
    for (size_t i = 0; i < n; i++)
        if (!kept || time_s[kept - 1] != time_s[i])
            time_s[kept++] = time_s[i];
    *out = time_s;
    *count = kept;
    return 0;
}

static int reduce_list(enum math_function function, const struct math_env *env, const struct math_value *list, struct math_value *out)
{
    const struct math_value *like = NULL;
    int64_t *time_s;
    size_t times, n = 0;
    double *value = arena_array(env->arena, list->items ? list->items : 1, sizeof(*value));
    size_t *hint = arena_zalloc(env->arena, (list->items ? list->items : 1) * sizeof(*hint));
    if (!value || !hint)
        return ERR_MEMORY;
    for (size_t i = 0; i < list->items; i++) {
        if (list->item[i].type == MATH_SERIES && !like)
            like = &list->item[i];
        if (list->item[i].type == MATH_SCALAR && !isnan(list->item[i].scalar))
            value[n++] = list->item[i].scalar;
    }
    if (!like && list->items) {
        *out = math_scalar(math_reduce(function, value, n));
        return 0;
    }
    int code = list_times(env, list, &time_s, &times);
    if (!code)
        code = math_series_make(env, times, like ? &like->series : NULL, out);
    for (size_t t = 0; t < times && !code; t++) {
        n = 0;
        for (size_t i = 0; i < list->items; i++) {
            value[n] = math_at(&list->item[i], time_s[t], &hint[i]);
            n += !isnan(value[n]);
        }
        math_push(out, time_s[t], math_reduce(function, value, n));
    }
    return code;
}

static int call_reduce(enum math_function function, const struct math_env *env, const struct math_value *in, struct math_value *out)
{
    if (in->type == MATH_LIST)
        return reduce_list(function, env, in, out);
    *out = in->type == MATH_SCALAR ? *in : math_scalar(math_reduce(function, in->series.value, in->series.count));
    return 0;
}

static int call_count(enum math_function function, const struct math_env *env, const struct math_value *in, struct math_value *out)
{
    if (function == MATH_METRIC_COUNT) {
        *out = math_scalar(in->type == MATH_LIST ? (double)in->items : 1);
        return 0;
    }
    if (in->type != MATH_LIST) {
        *out = math_scalar(in->type == MATH_SERIES ? (double)in->series.count : 1);
        return 0;
    }
    int code = math_list_make(env, in->items, out);
    for (size_t i = 0; i < in->items && !code; i++)
        code = call_count(function, env, &in->item[i], slot(out, i));
    return code;
}

/* ---- the range ---- */

static int64_t period_of(const struct math_env *env, const struct math_value *value)
{
    int64_t period = value->type == MATH_SERIES && value->series.period_s > 0 ? value->series.period_s : env->period_s;
    return period > 0 ? period : 60;
}

static int make_range(const struct math_env *env, int64_t period_s, const struct math_series *like, struct math_value *out, struct err *err)
{
    int64_t start = env->start_s - env->start_s % period_s, points = env->end_s > start ? (env->end_s - start + period_s - 1) / period_s : 0;
    if (points > RANGE_POINTS_MAX)
        return err_set(err, ERR_INVALID, "The range has more than %d periods", RANGE_POINTS_MAX);
    return math_series_make(env, (size_t)points, like, out);
}

static int call_time_series(const struct math_env *env, const struct math_value *in, struct math_value *out, struct err *err)
{
    if (in->type != MATH_SCALAR)
        return no_type(MATH_TIME_SERIES, "a scalar", err);
    int64_t period = period_of(env, in);
    int code = make_range(env, period, NULL, out, err);
    for (int64_t t = env->start_s - env->start_s % period; t < env->end_s && !code; t += period)
        math_push(out, t, in->scalar);
    return code;
}

enum filler { FILL_VALUE, FILL_REPEAT, FILL_LINEAR };

static int fill_series(const struct math_env *env, const struct math_value *in, enum filler how, const struct math_value *with, struct math_value *out, struct err *err)
{
    const struct math_series *s = &in->series;
    int64_t period = period_of(env, in);
    size_t next = 0, hint = 0;
    int code = make_range(env, period, s, out, err);
    for (int64_t t = env->start_s - env->start_s % period; t < env->end_s && !code; t += period) {
        while (next < s->count && s->time_s[next] < t)
            next++;
        if (next < s->count && s->time_s[next] == t) {
            math_push(out, t, s->value[next]);
        } else if (how == FILL_VALUE) {
            math_push(out, t, math_at(with, t, &hint));
        } else if (next && how == FILL_REPEAT) {
            math_push(out, t, s->value[next - 1]);
        } else if (next && next < s->count) {
            double share = (double)(t - s->time_s[next - 1]) / (double)(s->time_s[next] - s->time_s[next - 1]);
            math_push(out, t, s->value[next - 1] + share * (s->value[next] - s->value[next - 1]));
        }
    }
    return code;
}

static int fill(const struct math_env *env, const struct math_value *in, enum filler how, const struct math_value *with, struct math_value *out, struct err *err)
{
    if (in->type == MATH_SERIES)
        return fill_series(env, in, how, with, out, err);
    if (in->type == MATH_SCALAR) {
        *out = *in;
        return 0;
    }
    int code = math_list_make(env, in->items, out);
    for (size_t i = 0; i < in->items && !code; i++)
        code = fill(env, &in->item[i], how, with, slot(out, i), err);
    return code;
}

static int call_fill(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    const struct math_expr *by = call->first->next;
    struct math_value in, with = math_scalar(0);
    enum filler how = FILL_VALUE;
    int code = math_evaluate(call->first, env, &in, err);
    if (by->node == NODE_ID && text_is(by->text, "REPEAT"))
        how = FILL_REPEAT;
    else if (by->node == NODE_ID && text_is(by->text, "LINEAR"))
        how = FILL_LINEAR;
    else if (!code)
        code = math_evaluate(by, env, &with, err);
    if (!code && with.type == MATH_LIST)
        return no_type(MATH_FILL, "a scalar, a time series, REPEAT or LINEAR", err);
    return code ? code : fill(env, &in, how, &with, out, err);
}

/* ---- IF ---- */

static int choose(const struct math_env *env, const struct math_value *when, const struct math_value *then, const struct math_value *otherwise, struct math_value *out)
{
    size_t at_then = 0, at_otherwise = 0;
    if (when->type == MATH_SCALAR) {
        *out = !isnan(when->scalar) && when->scalar != 0 ? *then : *otherwise;
        return 0;
    }
    int code = math_series_make(env, when->series.count, &when->series, out);
    for (size_t i = 0; i < when->series.count && !code; i++) {
        int64_t t = when->series.time_s[i];
        double yes = math_at(then, t, &at_then), no = math_at(otherwise, t, &at_otherwise);
        math_push(out, t, when->series.value[i] != 0 ? yes : no);
    }
    return code;
}

static int call_if(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    struct math_value part[3];
    const struct math_expr *at = call->first;
    part[2] = math_scalar(NAN); /* without the third argument there is no point */
    for (size_t i = 0; i < call->count; i++, at = at->next) {
        int code = math_evaluate(at, env, &part[i], err);
        if (code)
            return code;
    }
    bool lists = part[0].type == MATH_LIST || (part[0].type == MATH_SERIES && (part[1].type == MATH_LIST || part[2].type == MATH_LIST));
    return lists ? no_type(MATH_IF, "scalars or time series", err) : choose(env, &part[0], &part[1], &part[2], out);
}

/* ---- arrays ---- */

static int call_list(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    struct math_value in, bound;
    size_t from = 0, to = 0, n = 0;
    int code = math_evaluate(call->first, env, &in, err);
    if (code)
        return code;
    if (in.type != MATH_LIST)
        return no_type(call->function, "an array of time series", err);
    to = in.items;
    if (call->function == MATH_SLICE) {
        const struct math_expr *at = call->first->next;
        for (int i = 0; at && !code; at = at->next, i++) {
            code = math_evaluate(at, env, &bound, err);
            if (!code && (bound.type != MATH_SCALAR || !(bound.scalar >= 0 && bound.scalar <= MATH_LIST_MAX)))
                return no_type(MATH_SLICE, "whole numbers from 0", err);
            *(i ? &to : &from) = code ? 0 : (size_t)bound.scalar;
        }
    } else if (call->function == MATH_FIRST || call->function == MATH_LAST) {
        from = call->function == MATH_LAST && to ? to - 1 : 0;
        if (!to)
            return math_list_make(env, 0, out);
        *out = in.item[from];
        return 0;
    }
    to = to < in.items ? to : in.items;
    code = code ? code : math_list_make(env, from < to ? to - from : 0, out);
    for (size_t i = from; i < to && !code; i++)
        if (call->function == MATH_SLICE || in.item[i].type != MATH_SERIES || in.item[i].series.count)
            *slot(out, n++) = in.item[i];
    out->items = code ? 0 : n;
    return code;
}

struct ranked {
    const struct math_value *value;
    double figure;
    size_t place;
};

static int compare_ranked(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    if (x->figure != y->figure)
        return x->figure < y->figure ? -1 : 1;
    return x->place < y->place ? -1 : 1;
}

static int call_sort(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    static const enum math_function figures[] = {MATH_AVG, MATH_MIN, MATH_MAX, MATH_SUM};
    const struct math_expr *by = call->first->next, *order = by->next, *limit = order->next;
    enum math_function figure = MATH_FUNCTION_COUNT;
    struct math_value in, most = math_scalar(MATH_LIST_MAX);
    int code = math_evaluate(call->first, env, &in, err);
    for (size_t i = 0; i < 4; i++)
        if (by->node == NODE_ID && text_equal_nocase(by->text, text_of(math_function_names[figures[i]])))
            figure = figures[i];
    bool down = order->node == NODE_ID && text_equal_nocase(order->text, TEXT("DESC")), up = order->node == NODE_ID && text_equal_nocase(order->text, TEXT("ASC"));
    if (!code && limit)
        code = math_evaluate(limit, env, &most, err);
    if (code)
        return code;
    if (in.type != MATH_LIST || figure == MATH_FUNCTION_COUNT || (!up && !down) || most.type != MATH_SCALAR || !(most.scalar >= 0))
        return no_type(MATH_SORT, "an array of time series, one of AVG, MIN, MAX and SUM, ASC or DESC, and perhaps a number", err);
    struct ranked *ranked = arena_array(env->arena, in.items ? in.items : 1, sizeof(*ranked));
    if (!ranked)
        return ERR_MEMORY;
    for (size_t i = 0; i < in.items; i++) {
        const struct math_value *v = &in.item[i];
        double n = v->type == MATH_SERIES ? math_reduce(figure, v->series.value, v->series.count) : v->scalar;
        ranked[i] = (struct ranked){v, isnan(n) ? INFINITY : down ? -n : n, i}; /* without points: last */
    }
    qsort(ranked, in.items, sizeof(*ranked), compare_ranked);
    size_t count = most.scalar < (double)in.items ? (size_t)most.scalar : in.items;
    code = math_list_make(env, count, out);
    for (size_t i = 0; i < count && !code; i++)
        *slot(out, i) = *ranked[i].value;
    return code;
}

/* ---- by the environment ---- */

static int call_metrics(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    if (call->first && call->first->node != NODE_TEXT)
        return no_type(MATH_METRICS, "a text, or nothing", err);
    return env->metrics(env->context, call->first ? call->first->text : TEXT_NONE, out);
}

static int call_search(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    const struct math_expr *what = call->first, *stat = what->next, *period = stat->next;
    if (what->node != NODE_TEXT || stat->node != NODE_TEXT || (period && period->node != NODE_NUMBER) || (period && !(period->number >= 1 && period->number < 1e9)))
        return no_type(MATH_SEARCH, "two texts and perhaps a period", err);
    if (!env->search)
        return err_set(err, ERR_INVALID, "SEARCH is not allowed here");
    return env->search(env->context, what->text, stat->text, period ? (int64_t)period->number : 0, out);
}

static int call_band(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    const struct math_expr *what = call->first, *by = what->next;
    struct math_value width = math_scalar(2);
    if (!env->band)
        return err_set(err, ERR_INVALID, "ANOMALY_DETECTION_BAND is not allowed here");
    int code = by ? math_evaluate(by, env, &width, err) : 0;
    if (!code && (width.type != MATH_SCALAR || !(width.scalar > 0 && width.scalar <= 1000)))
        return no_type(MATH_ANOMALY_DETECTION_BAND, "a time series, and perhaps a number of deviations above 0", err);
    return code ? code : env->band(env->context, what, width.scalar, out, err);
}

static int call_rule(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    const struct math_expr *rule = call->first, *metric = rule->next;
    bool named = (rule->node == NODE_TEXT || rule->node == NODE_ID) && (metric->node == NODE_TEXT || metric->node == NODE_ID);
    if (!named)
        return no_type(MATH_INSIGHT_RULE_METRIC, "the names of a rule and of one of its metrics", err);
    return env->rule ? env->rule(env->context, rule->text, metric->text, out, err) : err_set(err, ERR_INVALID, "INSIGHT_RULE_METRIC is not allowed here");
}

int math_call(const struct math_expr *call, const struct math_env *env, struct math_value *out, struct err *err)
{
    struct math_value in;
    switch (call->function) {
    case MATH_FILL:
        return call_fill(call, env, out, err);
    case MATH_IF:
        return call_if(call, env, out, err);
    case MATH_FIRST:
    case MATH_LAST:
    case MATH_SLICE:
    case MATH_REMOVE_EMPTY:
        return call_list(call, env, out, err);
    case MATH_SORT:
        return call_sort(call, env, out, err);
    case MATH_METRICS:
        return call_metrics(call, env, out, err);
    case MATH_SEARCH:
        return call_search(call, env, out, err);
    case MATH_ANOMALY_DETECTION_BAND:
        return call_band(call, env, out, err);
    case MATH_INSIGHT_RULE_METRIC:
        return call_rule(call, env, out, err);
    default:
        break;
    }
    int code = math_evaluate(call->first, env, &in, err);
    if (code)
        return code;
    switch (call->function) {
    case MATH_AVG:
    case MATH_SUM:
    case MATH_MIN:
    case MATH_MAX:
    case MATH_STDDEV:
        return call_reduce(call->function, env, &in, out);
    case MATH_DATAPOINT_COUNT:
    case MATH_METRIC_COUNT:
        return call_count(call->function, env, &in, out);
    case MATH_PERIOD:
        if (in.type != MATH_SERIES)
            return no_type(MATH_PERIOD, "a time series", err);
        *out = math_scalar((double)period_of(env, &in));
        return 0;
    case MATH_TIME_SERIES:
        return call_time_series(env, &in, out, err);
    default:
        return call_points(call->function, env, &in, out, err);
    }
}

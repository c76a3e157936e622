/*
 * The series of a metric widget: figures read, expressions evaluated on demand, and each series named so that a legend tells them apart.
 *
 * It is what GetMetricData does (src/aws/cloudwatch_data.c), with another temper: there a wrong expression fails the request; here it costs one line of the graph, and the widget
 * says so.
 */
#include "watch/widget.h"

#include "base/clock.h"
#include "watch/math.h"
#include "watch/metric.h"
#include "watch/search.h"
#include <stdlib.h>

#define FIRST_POINTS 64
#define DEPTH_MAX 10         /* expressions that refer to expressions */
#define PERIOD_DEFAULT 300
#define ROWS_MAX (WATCH_ROWS_MAX / 2)

enum state { STATE_NEW, STATE_ASKED, STATE_READY, STATE_FAILED };
struct query {
    struct dashboard_metric metric;
    struct text id, label, stat;
    struct statistic statistic;
    int64_t period_s;
    int unit;                /* wanted, -1: any */
    int seen;                /* that the data has; -1: none or several */
    enum state state;
    struct math_value value;
};
struct plot {
    const struct widget_ask *ask;
    const struct json *properties;
    struct widget_messages *messages;
    struct query *query;
    size_t count, room;
    uint64_t rows;
    unsigned depth;
    struct query *at;        /* the expression that is evaluated */
    bool whole;              /* setPeriodToTimeRange: one point */
    bool names_differ, dimensions_differ, stats_differ;
};

/* ---- what the widget asks for ---- */

static int64_t period_of(const struct plot *plot, const struct json *options)
{
    const struct json *own = json_get_str(options, "period"), *shared = json_get_str(plot->properties, "period");
    int64_t period = 0;
    if (own && json_to_i64(own, &period) == 0 && watch_period_is_valid(period))
        return period;
    if (own)
        return 0; /* auto */
    if (shared && (json_to_i64(shared, &period) || !watch_period_is_valid(period)))
        return 0;
    return shared ? period : PERIOD_DEFAULT;
}

static int on_metric(void *context, const struct dashboard_metric *metric)
{
    struct plot *plot = context;
    if (plot->count == plot->room)
        return ERR_FULL;
    struct query *query = &plot->query[plot->count++];
    const struct json *options = metric->options;
    struct text unit = widget_text(options, "unit"), stat = widget_text(options, "stat");
    *query = (struct query){.metric = *metric, .id = widget_text(options, "id"), .label = widget_text(options, "label"), .seen = -1};
    query->unit = unit.len ? watch_unit_find(unit) : -1;
    if (!stat.len)
        stat = widget_text(plot->properties, "stat");
    query->stat = stat.len ? stat : TEXT("Average");
    query->period_s = widget_period(&plot->ask->range, period_of(plot, options), plot->ask->now_ms);
    if (!metric->expression.len && statistic_parse(query->stat, &query->statistic)) {
        widget_message(plot->messages, plot->ask->arena, "%.*s is not a statistic", TEXT_FMT(query->stat));
        query->state = STATE_FAILED;
    }
    return 0;
}

/* ---- reading ---- */

struct points {
    struct plot *plot;
    const struct statistic *statistic;
    int64_t *time_s;
    double *value;
    size_t count, room;
    int unit;                     /* -2: none so far */
    struct watch_summary *all;    /* of the whole range; NULL: a point for each period */
};

static int add_point(struct points *points, int64_t time_s, double value)
{
    if (points->count == points->room) {
        size_t room = points->room ? points->room * 2 : FIRST_POINTS;
        int64_t *times = arena_array(points->plot->ask->arena, room, sizeof(*times));
        double *values = arena_array(points->plot->ask->arena, room, sizeof(*values));
        if (!times || !values)
            return ERR_MEMORY;
        if (points->count) {
            memcpy(times, points->time_s, points->count * sizeof(*times));
            memcpy(values, points->value, points->count * sizeof(*values));
        }
        points->time_s = times;
        points->value = values;
        points->room = room;
    }
    points->time_s[points->count] = time_s;
    points->value[points->count++] = value;
    return 0;
}

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct points *points = context;
    double value;
    points->unit = points->unit == -2 || points->unit == (int)unit ? (int)unit : -1;
    if (points->all)
        return watch_summary_merge(points->all, summary);
    if (!statistic_evaluate(points->statistic, summary, &value))
        return 0;
    if (points->count && points->time_s[points->count - 1] == start_s) /* another unit of the same period: the later one stands */
        points->value[points->count - 1] = value;
    else
        return add_point(points, start_s, value);
    return 0;
}

/* The metric's one unit, by its newest periods: figures of several units are added up as one, as CloudWatch draws them. */
static int on_unit(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    int *seen = context;
    (void)start_s;
    (void)summary;
    *seen = *seen == -2 || *seen == (int)unit ? (int)unit : -1;
    return *seen == -1 ? 1 : 0;
}

static int find_unit(struct plot *plot, const struct watch_query *query)
{
    struct watch_query asked = *query;
    int seen = -2;
    asked.by_unit = true;
    asked.figures = true;
    int64_t last = query->end_s - 20 * query->period_s;
    if (last > asked.start_s)
        asked.start_s = last;
    watch_metric_read(plot->ask->view, plot->ask->arena, &asked, on_unit, &seen);
    return seen < 0 ? -1 : seen;
}

static int read_series(struct plot *plot, const struct watch_name *name, const struct statistic *statistic, int64_t period_s, int unit, struct math_series *out, int *seen)
{
    const struct widget_range *range = &plot->ask->range;
    struct points points = {.plot = plot, .statistic = statistic, .unit = -2};
    struct watch_query query = {.name = *name, .start_s = range->start_ms / SECOND_MS, .end_s = (range->end_ms + SECOND_MS - 1) / SECOND_MS, .period_s = period_s,
        .unit = unit, .figures = statistic->kind <= STATISTIC_MAXIMUM, .now_ms = plot->ask->now_ms, .rows = &plot->rows};
    struct watch_summary all;
    double value;
    if (plot->whole) {
        watch_summary_init(&all, plot->ask->arena);
        points.all = &all;
    }
    int code = watch_metric_read(plot->ask->view, plot->ask->arena, &query, on_period, &points);
    if (code == ERR_FULL)
        widget_message(plot->messages, plot->ask->arena, "There is more to read than one widget may: some points are missing.");
    if (code && code != ERR_FULL)
        return code;
    code = 0;
    if (plot->whole && all.count > 0 && statistic_evaluate(statistic, &all, &value))
        code = add_point(&points, query.start_s - query.start_s % period_s, value);
    if (seen)
        *seen = points.count ? find_unit(plot, &query) : -1;
    out->period_s = period_s;
    out->time_s = points.time_s;
    out->value = points.value;
    out->count = points.count;
    return code;
}

/* ---- SEARCH ---- */

struct searching {
    const struct watch_search *search;
    struct plot *plot;
    struct watch_name *name;
    size_t count;
    int64_t since_ms;
};

static int on_found(void *context, struct text key, const struct watch_series *series)
{
    struct searching *searching = context;
    (void)key;
    if (series->seen_ms < searching->since_ms || !watch_search_matches(searching->search, &series->name))
        return 0;
    if (searching->count == WIDGET_SEARCH_MAX)
        return 1;
    return watch_name_copy(searching->plot->ask->arena, &series->name, &searching->name[searching->count++]);
}

static struct text values_of(struct arena *arena, const struct watch_name *name, struct text first)
{
    struct buf label;
    buf_init(&label, 4096);
    buf_add_text(&label, first);
    for (size_t i = 0; i < name->dimensions; i++) {
        if (label.len)
            buf_add_char(&label, ' ');
        buf_add_text(&label, name->dimension[i].value);
    }
    struct text copy = arena_copy(arena, buf_text(&label));
    buf_fini(&label);
    return copy;
}

/* In the order of their names and values: a line keeps its place and its colour from look to look. */
static int by_name(const void *a, const void *b)
{
    const struct watch_name *x = a, *y = b;
    int order = text_compare(x->name, y->name);
    for (size_t i = 0; !order && i < x->dimensions && i < y->dimensions; i++)
        order = text_compare(x->dimension[i].value, y->dimension[i].value);
    return order ? order : text_compare(x->space, y->space);
}

/* Of one search: the names in their labels when they differ. */
static void name_found(struct plot *plot, const struct searching *searching, struct math_value *item)
{
    bool differ = false;
    for (size_t i = 1; i < searching->count; i++)
        differ = differ || !text_equal(searching->name[i].name, searching->name[0].name);
    for (size_t i = 0; i < searching->count; i++) {
        const struct watch_name *name = &searching->name[i];
        item[i].series.label = values_of(plot->ask->arena, name, differ || !name->dimensions ? name->name : TEXT_NONE);
    }
}

static int on_search(void *context, struct text what, struct text stat, int64_t period_s, struct math_value *list)
{
    struct plot *plot = context;
    struct arena *arena = plot->ask->arena;
    struct statistic statistic;
    struct err err = {0};
    struct searching searching = {.plot = plot, .since_ms = plot->ask->now_ms - WATCH_ACTIVE_MS - WATCH_SEEN_MS};
    int code = watch_search_parse(arena, what, &searching.search, &err);
    if (code || statistic_parse(stat, &statistic)) {
        widget_message(plot->messages, arena, "SEARCH: %s", code ? err.text : "it wants a statistic");
        return code == ERR_MEMORY ? code : ERR_INVALID;
    }
    period_s = widget_period(&plot->ask->range, period_s ? period_s : plot->at->period_s, plot->ask->now_ms);
    searching.name = arena_array(arena, WIDGET_SEARCH_MAX, sizeof(*searching.name));
    struct math_value *item = arena_zalloc(arena, WIDGET_SEARCH_MAX * sizeof(*item));
    if (!searching.name || !item)
        return ERR_MEMORY;
    struct watch_walk walk = {.space = watch_search_space(searching.search), .visit = on_found, .context = &searching};
    code = watch_series_walk(plot->ask->view, &walk);
    if (searching.count)
        qsort(searching.name, searching.count, sizeof(*searching.name), by_name);
    for (size_t i = 0; i < searching.count && code >= 0; i++) {
        item[i].type = MATH_SERIES;
        code = read_series(plot, &searching.name[i], &statistic, period_s, -1, &item[i].series, NULL);
    }
    name_found(plot, &searching, item);
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = searching.count};
    return code < 0 ? code : 0;
}

/* ---- evaluating ---- */

static int make_ready(struct plot *plot, struct query *query);

static int on_find(void *context, struct text id, struct math_value *value)
{
    struct plot *plot = context;
    for (size_t i = 0; i < plot->count; i++) {
        struct query *query = &plot->query[i];
        if (!query->id.len || !text_equal(query->id, id))
            continue;
        int code = make_ready(plot, query);
        *value = query->value;
        return code ? code : query->state == STATE_FAILED ? ERR_INVALID : 0;
    }
    return ERR_NOT_FOUND;
}

static bool holds(struct text text, struct text part)
{
    for (size_t i = 0; i + part.len <= text.len; i++)
        if (text_equal(text_make(text.data + i, part.len), part))
            return true;
    return false;
}

static int on_metrics(void *context, struct text filter, struct math_value *list)
{
    struct plot *plot = context;
    struct math_value *item = arena_array(plot->ask->arena, plot->count + 1, sizeof(*item));
    size_t count = 0;
    int code = item ? 0 : ERR_MEMORY;
    for (size_t i = 0; i < plot->count && !code; i++) {
        struct query *query = &plot->query[i];
        if (query->metric.expression.len || !holds(query->id, filter))
            continue;
        code = make_ready(plot, query);
        if (query->state == STATE_READY)
            item[count++] = query->value;
    }
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = count};
    return code;
}

/* A failure of the machine is passed on; one of the expression is said and leaves it out. */
static bool is_broken(int code)
{
    return code == ERR_MEMORY || code == ERR_CORRUPT || code == ERR_IO || code == ERR_COLD;
}

static int evaluate(struct plot *plot, struct query *query)
{
    struct err err = {0};
    struct query *outer = plot->at;
    const struct math_expr *expr;
    const struct widget_range *range = &plot->ask->range;
    struct math_env env = {.arena = plot->ask->arena, .start_s = range->start_ms / SECOND_MS, .end_s = (range->end_ms + SECOND_MS - 1) / SECOND_MS,
        .period_s = query->period_s, .context = plot, .find = on_find, .metrics = on_metrics, .search = on_search};
    plot->at = query;
    int code = math_parse(plot->ask->arena, query->metric.expression, &expr, &err);
    if (!code)
        code = math_evaluate(expr, &env, &query->value, &err);
    plot->at = outer;
    if (is_broken(code))
        return code;
    if (!code && query->value.type == MATH_SCALAR)
        code = err_set(&err, ERR_INVALID, "it is a number and not a time series");
    if (code) {
        struct text shown = text_make(query->metric.expression.data, query->metric.expression.len > 100 ? 100 : query->metric.expression.len);
        if (err.text[0] || code != ERR_INVALID) /* else the reason has been told */
            widget_message(plot->messages, plot->ask->arena, "%.*s: %s", TEXT_FMT(shown), err.text[0] ? err.text : err_text(code));
        query->state = STATE_FAILED;
    }
    if (query->value.type == MATH_SERIES)
        query->value.series.label = TEXT_NONE;
    return 0;
}

static int make_ready(struct plot *plot, struct query *query)
{
    int code = 0;
    if (query->state >= STATE_READY)
        return 0;
    if (query->state == STATE_ASKED || plot->depth == DEPTH_MAX) {
        widget_message(plot->messages, plot->ask->arena, "%.*s: expressions refer to each other in a circle, or more than %d deep", TEXT_FMT(query->id), DEPTH_MAX);
        query->state = STATE_FAILED;
        return 0;
    }
    query->state = STATE_ASKED;
    plot->depth++;
    if (query->metric.expression.len) {
        code = evaluate(plot, query);
    } else {
        query->value.type = MATH_SERIES;
        code = read_series(plot, &query->metric.name, &query->statistic, query->period_s, query->unit, &query->value.series, &query->seen);
        query->value.series.label = query->metric.name.name;
    }
    plot->depth--;
    if (query->state == STATE_ASKED)
        query->state = STATE_READY;
    return code;
}

/* ---- what is shown ---- */

static bool same_dimensions(const struct watch_name *a, const struct watch_name *b)
{
    bool same = a->dimensions == b->dimensions;
    for (size_t i = 0; same && i < a->dimensions; i++)
        same = text_equal(a->dimension[i].value, b->dimension[i].value);
    return same;
}

static void compare_names(struct plot *plot)
{
    const struct query *first = NULL;
    for (size_t i = 0; i < plot->count; i++) {
        const struct query *query = &plot->query[i];
        if (query->metric.expression.len)
            continue;
        if (!first)
            first = query;
        plot->names_differ = plot->names_differ || !text_equal(first->metric.name.name, query->metric.name.name);
        plot->dimensions_differ = plot->dimensions_differ || !same_dimensions(&first->metric.name, &query->metric.name);
        plot->stats_differ = plot->stats_differ || !text_equal(first->stat, query->stat);
    }
}

/* What tells the metric from the others: its name, the values of its dimensions, its statistic. */
static struct text label_of(const struct plot *plot, const struct query *query)
{
    struct arena *arena = plot->ask->arena;
    const struct watch_name *name = &query->metric.name;
    if (query->label.len)
        return query->label;
    bool named = plot->names_differ || !plot->dimensions_differ || !name->dimensions;
    struct text label = named ? name->name : TEXT_NONE;
    if (plot->dimensions_differ)
        label = values_of(arena, name, label);
    if (plot->stats_differ)
        label = label.len ? arena_format(arena, "%.*s %.*s", TEXT_FMT(label), TEXT_FMT(query->stat)) : query->stat;
    return label;
}

static void show(struct plot *plot, struct widget_figures *figures, const struct query *query, const struct math_series *series, struct text label)
{
    const struct json *options = query->metric.options;
    if (figures->count == WIDGET_SERIES_MAX) {
        widget_message(plot->messages, plot->ask->arena, "There are more than %d series; the others are not shown.", WIDGET_SERIES_MAX);
        return;
    }
    bool is_expression = query->metric.expression.len > 0;
    int64_t period = series->period_s ? series->period_s : query->period_s;
    figures->series[figures->count++] = (struct widget_series){.id = query->id, .label = label, .color = widget_text(options, "color"),
        .stat = is_expression ? TEXT_NONE : query->stat, .right = text_is(widget_text(options, "yAxis"), "right"), .unit = is_expression ? -1 : query->seen,
        .period_s = period, .count = series->count, .time_s = series->time_s, .value = series->value};
    if (!figures->period_s || period < figures->period_s)
        figures->period_s = period;
}

static void show_list(struct plot *plot, struct widget_figures *figures, const struct query *query)
{
    const struct math_value *list = &query->value;
    for (size_t i = 0; i < list->items; i++) {
        const struct math_series *series = &list->item[i].series;
        struct text label = series->label.len ? series->label : query->id;
        if (list->item[i].type != MATH_SERIES)
            continue;
        if (query->label.len)
            label = arena_format(plot->ask->arena, "%.*s %.*s", TEXT_FMT(query->label), TEXT_FMT(label));
        show(plot, figures, query, series, label);
    }
}

static bool is_shown(const struct query *query)
{
    return query->state == STATE_READY && !json_is(json_get_str(query->metric.options, "visible"), JSON_FALSE);
}

int widget_metrics_read(const struct widget_ask *ask, const struct json *properties, struct widget_figures *figures, struct widget_messages *messages)
{
    const struct json *metrics = json_get_str(properties, "metrics");
    struct plot plot = {.ask = ask, .properties = properties, .messages = messages, .rows = ROWS_MAX};
    figures->period_s = widget_period(&ask->range, period_of(&plot, NULL), ask->now_ms);
    if (!json_is(metrics, JSON_ARRAY))
        return 0;
    plot.whole = json_is(json_get_str(properties, "setPeriodToTimeRange"), JSON_TRUE);
    plot.room = metrics->count < DASHBOARD_METRICS_MAX ? metrics->count : DASHBOARD_METRICS_MAX;
    plot.query = arena_array(ask->arena, plot.room + 1, sizeof(*plot.query));
    if (!plot.query)
        return ERR_MEMORY;
    int code = dashboard_metrics_each(ask->arena, metrics, on_metric, &plot);
    if (code == ERR_INVALID || code == ERR_FULL)
        widget_message(messages, ask->arena, "Some of the metrics are not well formed, and left out.");
    else if (code)
        return code;
    code = 0;
    compare_names(&plot);
    for (size_t i = 0; i < plot.count && !code; i++)
        code = make_ready(&plot, &plot.query[i]);
    if (plot.count)
        figures->period_s = 0;
    for (size_t i = 0; i < plot.count && !code; i++) {
        const struct query *query = &plot.query[i];
        if (is_shown(query) && query->value.type == MATH_LIST)
            show_list(&plot, figures, query);
        else if (is_shown(query))
            show(&plot, figures, query, &query->value.series, query->metric.expression.len ? query->label.len ? query->label : query->id.len ? query->id : query->metric.expression : label_of(&plot, query));
    }
    if (!figures->period_s)
        figures->period_s = widget_period(&ask->range, period_of(&plot, NULL), ask->now_ms);
    return code;
}

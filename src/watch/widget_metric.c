/*
 * The series of a metric widget: what it asks for, evaluated by watch/data.h, and each series named so that a legend tells them apart. What is wrong with an expression costs one line of
 * the graph, and the widget says so.
 */
#include "watch/widget.h"

#include "base/clock.h"
#include "watch/data.h"
#include "watch/label.h"
#include <stdlib.h>

#define ROWS_MAX (WATCH_ROWS_MAX / 2)

struct query {
    struct dashboard_metric metric;
    struct text label;
    bool left_out;           /* it is no query: it has been told */
};
struct plot {
    const struct widget_ask *ask;
    const struct json *properties;
    struct widget_messages *messages;
    struct watch_data data;
    struct query *query;     /* beside data.query */
    size_t room;
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
    return shared ? period : WATCH_DATA_PERIOD;
}

static int on_metric(void *context, const struct dashboard_metric *metric)
{
    struct plot *plot = context;
    if (plot->data.count == plot->room)
        return ERR_FULL;
    struct watch_data_query *query = &plot->data.query[plot->data.count];
    struct query *beside = &plot->query[plot->data.count++];
    const struct json *options = metric->options;
    struct text unit = widget_text(options, "unit"), stat = widget_text(options, "stat");
    *beside = (struct query){.metric = *metric, .label = widget_text(options, "label")};
    if (!stat.len)
        stat = widget_text(plot->properties, "stat");
    *query = (struct watch_data_query){.id = widget_text(options, "id"), .expression = metric->expression, .name = metric->name, .stat = stat.len ? stat : TEXT("Average"), .seen = -1};
    query->unit = unit.len ? watch_unit_find(unit) : -1;
    query->period_s = widget_period(&plot->ask->range, period_of(plot, options), plot->ask->now_ms);
    if (!metric->expression.len && statistic_parse(query->stat, &query->statistic)) {
        widget_message(plot->messages, plot->ask->arena, "%.*s is not a statistic", TEXT_FMT(query->stat));
        query->state = WATCH_DATA_FAILED;
        query->why = TEXT("its statistic is none");
        beside->left_out = true;
    }
    return 0;
}

static int64_t widen(void *context, int64_t period_s)
{
    const struct plot *plot = context;
    return widget_period(&plot->ask->range, period_s, plot->ask->now_ms);
}

/* ---- evaluating ---- */

static void tell(struct plot *plot, const struct watch_data_query *query)
{
    struct text shown = text_make(query->expression.data, query->expression.len > 100 ? 100 : query->expression.len);
    bool own = text_equal(query->blamed, query->id); /* else whoever is to blame tells it */
    if (own && !plot->query[query - plot->data.query].left_out)
        widget_message(plot->messages, plot->ask->arena, "%.*s: %.*s", TEXT_FMT(shown), TEXT_FMT(query->why));
}

static int evaluate(struct plot *plot)
{
    const struct widget_range *range = &plot->ask->range;
    struct watch_data *data = &plot->data;
    int code = 0;
    data->view = plot->ask->view;
    data->arena = plot->ask->arena;
    data->start_s = range->start_ms / SECOND_MS;
    data->end_s = (range->end_ms + SECOND_MS - 1) / SECOND_MS;
    data->now_ms = plot->ask->now_ms;
    data->rows = ROWS_MAX;
    data->whole = json_is(json_get_str(plot->properties, "setPeriodToTimeRange"), JSON_TRUE);
    data->units = true;
    data->widen = widen;
    data->context = plot;
    for (size_t i = 0; i < data->count && !code; i++) {
        struct watch_data_query *query = &data->query[i];
        code = watch_data_ready(data, query);
        if (!code && query->state == WATCH_DATA_READY && query->expression.len && query->value.type == MATH_SCALAR)
            watch_data_fail(data, query, "it is a number and not a time series");
        if (query->state == WATCH_DATA_FAILED)
            tell(plot, query);
        if (query->partial)
            widget_message(plot->messages, plot->ask->arena, "There is more to read than one widget may: some points are missing.");
    }
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
    const struct watch_data_query *first = NULL;
    for (size_t i = 0; i < plot->data.count; i++) {
        const struct watch_data_query *query = &plot->data.query[i];
        if (query->expression.len)
            continue;
        if (!first)
            first = query;
        plot->names_differ = plot->names_differ || !text_equal(first->name.name, query->name.name);
        plot->dimensions_differ = plot->dimensions_differ || !same_dimensions(&first->name, &query->name);
        plot->stats_differ = plot->stats_differ || !text_equal(first->stat, query->stat);
    }
}

/* What tells the metric from the others: its name, the values of its dimensions, its statistic. */
static struct text plain_label(const struct plot *plot, const struct watch_data_query *query)
{
    struct arena *arena = plot->ask->arena;
    if (query->expression.len)
        return query->id.len ? query->id : query->expression;
    bool named = plot->names_differ || !plot->dimensions_differ || !query->name.dimensions;
    struct text label = named ? query->name.name : TEXT_NONE;
    if (plot->dimensions_differ)
        label = watch_data_label(arena, &query->name, label);
    if (plot->stats_differ)
        label = label.len ? arena_format(arena, "%.*s %.*s", TEXT_FMT(label), TEXT_FMT(query->stat)) : query->stat;
    return label;
}

static struct text label_of(const struct plot *plot, struct text text, struct text plain, const struct math_series *series)
{
    struct watch_label label = {.text = text, .plain = plain, .series = series, .region = plot->ask->region, .account = plot->ask->account, .now_ms = plot->ask->now_ms};
    return watch_label_format(plot->ask->arena, &label);
}

static void show(struct plot *plot, struct widget_figures *figures, const struct watch_data_query *query, const struct math_series *series, struct text label)
{
    const struct json *options = plot->query[query - plot->data.query].metric.options;
    if (figures->count == WIDGET_SERIES_MAX) {
        widget_message(plot->messages, plot->ask->arena, "There are more than %d series; the others are not shown.", WIDGET_SERIES_MAX);
        return;
    }
    bool is_expression = query->expression.len > 0;
    int64_t period = series->period_s ? series->period_s : query->period_s;
    figures->series[figures->count++] = (struct widget_series){.id = query->id, .label = label, .color = widget_text(options, "color"),
        .stat = is_expression ? TEXT_NONE : query->stat, .right = text_is(widget_text(options, "yAxis"), "right"), .unit = is_expression ? -1 : query->seen,
        .period_s = period, .count = series->count, .time_s = series->time_s, .value = series->value};
    if (!figures->period_s || period < figures->period_s)
        figures->period_s = period;
}

/* Of one search: the metrics' names stand in their labels when they differ. */
static bool list_names_differ(const struct math_value *list)
{
    const struct watch_data_source *first = list->items && list->item[0].type == MATH_SERIES ? list->item[0].series.source : NULL;
    for (size_t i = 0; i < list->items; i++) {
        const struct watch_data_source *source = list->item[i].type == MATH_SERIES ? list->item[i].series.source : NULL;
        if (!first || !source || !text_equal(source->name.name, first->name.name))
            return true;
    }
    return false;
}

static void show_list(struct plot *plot, struct widget_figures *figures, const struct watch_data_query *query)
{
    const struct math_value *list = &query->value;
    struct text given = plot->query[query - plot->data.query].label;
    bool differ = list_names_differ(list) || query->select, dynamic = text_find(given, '$', 0) >= 0;
    for (size_t i = 0; i < list->items; i++) {
        const struct math_series *series = &list->item[i].series;
        struct text label = series->label.len ? series->label : query->id;
        if (list->item[i].type != MATH_SERIES)
            continue;
        if (!differ && series->source->name.dimensions && text_equal(label, watch_data_label(plot->ask->arena, &series->source->name, series->source->name.name)))
            label = watch_data_label(plot->ask->arena, &series->source->name, TEXT_NONE);
        if (given.len && !dynamic)
            label = arena_format(plot->ask->arena, "%.*s %.*s", TEXT_FMT(given), TEXT_FMT(label));
        show(plot, figures, query, series, dynamic ? label_of(plot, given, label, series) : label);
    }
}

int widget_metrics_read(const struct widget_ask *ask, const struct json *properties, struct widget_figures *figures, struct widget_messages *messages)
{
    const struct json *metrics = json_get_str(properties, "metrics");
    struct plot plot = {.ask = ask, .properties = properties, .messages = messages};
    figures->period_s = widget_period(&ask->range, period_of(&plot, NULL), ask->now_ms);
    if (!json_is(metrics, JSON_ARRAY))
        return 0;
    plot.room = metrics->count < DASHBOARD_METRICS_MAX ? metrics->count : DASHBOARD_METRICS_MAX;
    plot.query = arena_array(ask->arena, plot.room + 1, sizeof(*plot.query));
    plot.data.query = arena_array(ask->arena, plot.room + 1, sizeof(*plot.data.query));
    if (!plot.query || !plot.data.query)
        return ERR_MEMORY;
    int code = dashboard_metrics_each(ask->arena, metrics, on_metric, &plot);
    if (code == ERR_INVALID || code == ERR_FULL)
        widget_message(messages, ask->arena, "Some of the metrics are not well formed, and left out.");
    else if (code)
        return code;
    compare_names(&plot);
    code = evaluate(&plot);
    if (plot.data.count)
        figures->period_s = 0;
    for (size_t i = 0; i < plot.data.count && !code; i++) {
        const struct watch_data_query *query = &plot.data.query[i];
        bool shown = query->state == WATCH_DATA_READY && !json_is(json_get_str(plot.query[i].metric.options, "visible"), JSON_FALSE);
        if (shown && query->value.type == MATH_LIST)
            show_list(&plot, figures, query);
        else if (shown)
            show(&plot, figures, query, &query->value.series, label_of(&plot, plot.query[i].label, plain_label(&plot, query), &query->value.series));
    }
    if (!figures->period_s)
        figures->period_s = widget_period(&ask->range, period_of(&plot, NULL), ask->now_ms);
    return code;
}

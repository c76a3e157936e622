/* Metrics read into series, and the series that a SEARCH finds. */
#include "watch/data.h"

#include "base/clock.h"
#include "watch/search.h"
#include <stdlib.h>

#define FIRST_POINTS 64
#define UNIT_PERIODS 20 /* the newest ones, which tell the unit */

/* ---- one metric ---- */

struct points {
    struct watch_data *data;
    const struct statistic *statistic;
    int64_t *time_s;
    double *value;
    size_t count, room;
    bool any;
    struct watch_summary *all;    /* of the whole range; NULL: a point for each period */
};

static int add_point(struct points *points, int64_t time_s, double value)
{
    if (points->count == points->room) {
        size_t room = points->room ? points->room * 2 : FIRST_POINTS;
        int64_t *times = arena_array(points->data->arena, room, sizeof(*times));
        double *values = arena_array(points->data->arena, room, sizeof(*values));
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
    (void)unit;
    points->any = true;
    if (points->all)
        return watch_summary_merge(points->all, summary);
    return statistic_evaluate(points->statistic, summary, &value) ? add_point(points, start_s, value) : 0;
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

static int find_unit(struct watch_data *data, const struct watch_query *query)
{
    struct watch_query asked = *query;
    int seen = -2;
    asked.by_unit = true;
    asked.figures = true;
    int64_t last = query->end_s - UNIT_PERIODS * query->period_s;
    if (last > asked.start_s)
        asked.start_s = last;
    watch_metric_read(data->view, data->arena, &asked, on_unit, &seen);
    return seen < 0 ? -1 : seen;
}

/* `partial` is set when the rows run out; what came before is whole. */
static int read_series(struct watch_data *data, const struct watch_name *name, const struct statistic *statistic, int64_t period_s, int unit, struct math_series *out, bool *partial,
    int *seen)
{
    struct points points = {.data = data, .statistic = statistic};
    struct watch_query query = {.name = *name, .start_s = data->start_s, .end_s = data->end_s, .period_s = period_s, .unit = unit,
        .figures = statistic->kind <= STATISTIC_MAXIMUM, .now_ms = data->now_ms, .rows = &data->rows};
    struct watch_summary all;
    double value;
    if (data->whole) {
        watch_summary_init(&all, data->arena);
        points.all = &all;
    }
    int code = watch_metric_read(data->view, data->arena, &query, on_period, &points);
    *partial = *partial || code == ERR_FULL;
    if (code && code != ERR_FULL)
        return code;
    code = 0;
    if (data->whole && all.count > 0 && statistic_evaluate(statistic, &all, &value))
        code = add_point(&points, query.start_s - query.start_s % period_s, value);
    if (seen && data->units)
        *seen = points.any ? find_unit(data, &query) : -1;
    out->period_s = period_s;
    out->time_s = points.time_s;
    out->value = points.value;
    out->count = points.count;
    return code;
}

struct text watch_data_label(struct arena *arena, const struct watch_name *name, struct text first)
{
    struct buf label;
    buf_init(&label, 64 << 10);
    buf_add_text(&label, first);
    for (size_t i = 0; i < name->dimensions; i++) {
        if (label.len)
            buf_add_char(&label, ' ');
        buf_add_text(&label, name->dimension[i].value);
    }
    struct text copy = label.failed ? TEXT_NONE : arena_copy(arena, buf_text(&label));
    buf_fini(&label);
    return copy;
}

static const struct watch_data_source *source_of(struct arena *arena, const struct watch_name *name, struct text stat)
{
    struct watch_data_source *source = arena_alloc(arena, sizeof(*source));
    if (source)
        *source = (struct watch_data_source){*name, stat};
    return source;
}

int watch_data_read(struct watch_data *data, struct watch_data_query *query)
{
    query->value = (struct math_value){.type = MATH_SERIES};
    struct math_series *series = &query->value.series;
    series->label = query->name.name;
    series->source = source_of(data->arena, &query->name, query->stat);
    return series->source ? read_series(data, &query->name, &query->statistic, query->period_s, query->unit, series, &query->partial, &query->seen) : ERR_MEMORY;
}

/* ---- SEARCH ---- */

struct searching {
    const struct watch_search *search;
    struct watch_data *data;
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
    if (searching->count == WATCH_DATA_SEARCH_MAX)
        return 1;
    return watch_name_copy(searching->data->arena, &series->name, &searching->name[searching->count++]);
}

/* In the order of their names and values: a line keeps its place from look to look. */
static int by_name(const void *a, const void *b)
{
    const struct watch_name *x = a, *y = b;
    int order = text_compare(x->name, y->name);
    for (size_t i = 0; !order && i < x->dimensions && i < y->dimensions; i++)
        order = text_compare(x->dimension[i].value, y->dimension[i].value);
    return order ? order : text_compare(x->space, y->space);
}

int watch_data_search(struct watch_data *data, struct text what, struct text stat, int64_t period_s, struct math_value *list)
{
    struct watch_data_query *asked = data->at;
    struct statistic statistic;
    struct err err = {0};
    struct searching searching = {.data = data, .since_ms = data->now_ms - WATCH_ACTIVE_MS - WATCH_SEEN_MS};
    int code = watch_search_parse(data->arena, what, &searching.search, &err);
    if (code)
        return code == ERR_MEMORY ? code : watch_data_fail(data, asked, "%s", err.text);
    period_s = period_s ? period_s : asked->period_s;
    if (statistic_parse(stat, &statistic) || !watch_period_is_valid(period_s))
        return watch_data_fail(data, asked, "SEARCH wants a statistic and a period");
    if (data->widen)
        period_s = data->widen(data->context, period_s);
    searching.name = arena_array(data->arena, WATCH_DATA_SEARCH_MAX, sizeof(*searching.name));
    struct math_value *item = arena_zalloc(data->arena, WATCH_DATA_SEARCH_MAX * sizeof(*item));
    if (!searching.name || !item)
        return ERR_MEMORY;
    struct watch_walk walk = {.space = watch_search_space(searching.search), .visit = on_found, .context = &searching};
    code = watch_series_walk(data->view, &walk);
    if (searching.count)
        qsort(searching.name, searching.count, sizeof(*searching.name), by_name);
    for (size_t i = 0; i < searching.count && code >= 0; i++) {
        const struct watch_name *name = &searching.name[i];
        item[i].type = MATH_SERIES;
        item[i].series.label = watch_data_label(data->arena, name, name->name);
        item[i].series.source = source_of(data->arena, name, stat);
        code = item[i].series.source ? read_series(data, name, &statistic, period_s, -1, &item[i].series, &asked->partial, NULL) : ERR_MEMORY;
    }
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = searching.count};
    return code < 0 ? code : 0;
}

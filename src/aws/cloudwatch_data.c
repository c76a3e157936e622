/*
 * GetMetricData: metrics are read when an expression or the answer wants them, once each. Expressions name other queries by their ids; a chain of them has a bound, and
 * a circle is found on the way.
 */
#include "aws/cloudwatch_data.h"

#include "watch/search.h"
#include <stdio.h>

#define PERIOD_DEFAULT 300
#define FIRST_POINTS 64

/* ---- the request ---- */

static void read_metric(struct cw_check *check, const struct json *stat, const char *at, struct data_query *query)
{
    char place[128];
    const struct json *metric = shape_get(stat, "Metric");
    struct text name = cw_text(check, stat, at, "Stat", 128, true);
    snprintf(place, sizeof(place), "%sMetric.", at);
    if (metric)
        cw_metric(check, metric, place, TEXT_NONE, &query->query.name);
    else
        cw_note(check, CW_MISSING, "The parameter %sMetric is required.", at);
    query->query.period_s = query->period_s = cw_period(check, stat, at, true);
    query->query.unit = cw_unit(check, stat, at);
    if (name.len && statistic_parse(name, &query->statistic))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sStat is not supported.", TEXT_FMT(name), at);
    query->query.figures = query->statistic.kind <= STATISTIC_MAXIMUM;
}

static void read_expression(struct cw_check *check, const struct json *json, const char *at, struct data_query *query)
{
    struct err err = {0};
    struct text text = aws_param_text(json, "Expression");
    int code = math_parse(check->call->arena, text, &query->expr, &err);
    if (code)
        cw_note(check, CW_INVALID, "Error in expression '%.*s': %s", TEXT_FMT(query->id), code == ERR_MEMORY ? "out of memory" : err.text);
    query->period_s = cw_period(check, json, at, false);
}

static bool is_id(struct text id)
{
    for (size_t i = 0; i < id.len; i++) {
        char c = id.data[i];
        bool letter = (c >= 'a' && c <= 'z') || (i && c >= 'A' && c <= 'Z'), other = i && ((c >= '0' && c <= '9') || c == '_');
        if (!letter && !other)
            return false;
    }
    return id.len > 0;
}

static void read_query(struct cw_check *check, const struct json *json, struct data *data)
{
    char at[64], place[96];
    struct data_query *query = &data->query[data->count++];
    const struct json *stat = shape_get(json, "MetricStat"), *expression = shape_get(json, "Expression"), *returned = shape_get(json, "ReturnData");
    snprintf(at, sizeof(at), "MetricDataQueries.member.%zu.", data->count);
    query->id = cw_text(check, json, at, "Id", 255, true);
    query->label = aws_param_text(json, "Label");
    query->returned = !returned || returned->type == JSON_TRUE;
    if (query->id.len && !is_id(query->id))
        cw_note(check, CW_INVALID, "The value %.*s for parameter %sId is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$.", TEXT_FMT(query->id), at);
    for (size_t i = 0; i + 1 < data->count && query->id.len; i++)
        if (text_equal(data->query[i].id, query->id)) {
            cw_note(check, CW_INVALID, "The values for parameter id in MetricDataQueries are not unique.");
            break;
        }
    if (!stat == !expression)
        cw_note(check, CW_COMBINATION, "Exactly one of the parameters %sMetricStat and %sExpression must be specified.", at, at);
    else if (expression)
        read_expression(check, json, at, query);
    else {
        snprintf(place, sizeof(place), "%sMetricStat.", at);
        read_metric(check, stat, place, query);
    }
}

static void read_range(struct cw_check *check, struct data *data)
{
    int64_t start_ms = 0, end_ms = 0;
    struct text order = aws_param_text(check->call->in, "ScanBy");
    bool both = cw_time(check, check->call->in, "", "StartTime", true, &start_ms);
    both = cw_time(check, check->call->in, "", "EndTime", true, &end_ms) && both;
    if (both && start_ms >= end_ms)
        cw_note(check, CW_INVALID, "The parameter StartTime must be less than the parameter EndTime.");
    data->start_s = start_ms > 0 ? start_ms / SECOND_MS : 0;
    data->end_s = end_ms > 0 ? (end_ms + SECOND_MS - 1) / SECOND_MS : 0;
    data->ascending = text_is(order, "TimestampAscending");
    if (order.data && !data->ascending && !text_is(order, "TimestampDescending"))
        cw_note(check, CW_INVALID, "The parameter ScanBy must be a value in the set [ TimestampDescending, TimestampAscending ].");
}

static void read_request(struct cw_check *check, struct data *data)
{
    const struct json *queries = shape_get(check->call->in, "MetricDataQueries");
    bool any = false;
    read_range(check, data);
    if (!queries || !queries->count) {
        cw_note(check, CW_MISSING, "The parameter MetricDataQueries is required.");
        return;
    }
    if (queries->count > CW_DATA_QUERIES_MAX) {
        cw_note(check, CW_INVALID, "The collection MetricDataQueries must not have a size greater than %d.", CW_DATA_QUERIES_MAX);
        return;
    }
    data->query = arena_zalloc(check->call->arena, queries->count * sizeof(*data->query));
    if (!data->query) {
        cw_note(check, AWS_INTERNAL, "The request needs more memory than one request may use.");
        return;
    }
    for (const struct json *at = queries->first; at; at = at->next)
        read_query(check, at, data);
    for (size_t i = 0; i < data->count; i++)
        any = any || data->query[i].returned;
    if (!any)
        cw_note(check, CW_INVALID, "At least one query of MetricDataQueries must have ReturnData true.");
    data_read_paging(check, data);
}

int cw_get_metric_data_prepare(struct aws_call *call)
{
    struct data *data = arena_zalloc(call->arena, sizeof(*data));
    struct cw_check check;
    if (!data)
        return aws_no_memory(call);
    call->state = data;
    cw_check_init(&check, call);
    read_request(&check, data);
    if (check.fault && check.fault != AWS_INTERNAL && check.fault != CW_TOKEN)
        check.fault = AWS_VALIDATION; /* the one fault that this operation has for all of them */
    return cw_check_end(&check);
}

/* ---- reading ---- */

struct points {
    struct data *data;
    const struct statistic *statistic;
    int64_t *time_s;
    double *value;
    size_t count, room;
};

static int make_room(struct points *points)
{
    size_t room = points->room ? points->room * 2 : FIRST_POINTS;
    int64_t *time_s = arena_array(points->data->arena, room, sizeof(*time_s));
    double *value = arena_array(points->data->arena, room, sizeof(*value));
    if (!time_s || !value)
        return ERR_MEMORY;
    if (points->count) {
        memcpy(time_s, points->time_s, points->count * sizeof(*time_s));
        memcpy(value, points->value, points->count * sizeof(*value));
    }
    points->time_s = time_s;
    points->value = value;
    points->room = room;
    return 0;
}

static int on_period(void *context, int64_t start_s, unsigned unit, const struct watch_summary *summary)
{
    struct points *points = context;
    double value;
    (void)unit;
    if (!statistic_evaluate(points->statistic, summary, &value))
        return 0;
    int code = points->count == points->room ? make_room(points) : 0;
    if (code)
        return code;
    points->time_s[points->count] = start_s;
    points->value[points->count++] = value;
    return 0;
}

/* `partial` is set when the rows of the request run out; what came before is whole. */
static int read_series(struct data *data, const struct watch_query *asked, const struct statistic *statistic, struct math_series *out, bool *partial)
{
    struct points points = {.data = data, .statistic = statistic};
    struct watch_query query = *asked;
    query.start_s = data->start_s;
    query.end_s = data->end_s;
    query.now_ms = clock_wall_ms();
    query.rows = &data->rows;
    int code = watch_metric_read(data->view, data->arena, &query, on_period, &points);
    *partial = *partial || code == ERR_FULL;
    out->period_s = query.period_s;
    out->time_s = points.time_s;
    out->value = points.value;
    out->count = points.count;
    return code == ERR_FULL ? 0 : code;
}

/* ---- SEARCH ---- */

struct searching {
    const struct watch_search *search;
    struct data *data;
    struct watch_name *name;
    size_t count;
    int64_t since_ms;
};

static struct text copy_label(struct arena *arena, const struct watch_name *name)
{
    struct buf label;
    buf_init(&label, 4096);
    buf_add_text(&label, name->name);
    for (size_t i = 0; i < name->dimensions; i++) {
        buf_add_char(&label, ' ');
        buf_add_text(&label, name->dimension[i].value);
    }
    struct text copy = arena_copy(arena, buf_text(&label));
    buf_fini(&label);
    return copy;
}

static int on_found(void *context, struct text key, const struct watch_series *series)
{
    struct searching *searching = context;
    (void)key;
    if (series->seen_ms < searching->since_ms || !watch_search_matches(searching->search, &series->name))
        return 0;
    if (searching->count == CW_SEARCH_SERIES_MAX)
        return 1;
    return watch_name_copy(searching->data->arena, &series->name, &searching->name[searching->count++]);
}

static int on_search(void *context, struct text what, struct text stat, int64_t period_s, struct math_value *list)
{
    struct data *data = context;
    struct data_query *asked = data->at;
    struct statistic statistic;
    struct err err = {0};
    struct searching searching = {.data = data, .since_ms = clock_wall_ms() - WATCH_ACTIVE_MS - WATCH_SEEN_MS};
    int code = watch_search_parse(data->arena, what, &searching.search, &err);
    if (code && code != ERR_MEMORY)
        return aws_fail(data->call, AWS_VALIDATION, "Error in expression '%.*s': %s", TEXT_FMT(asked->id), err.text);
    period_s = period_s ? period_s : asked->period_s;
    if (!code && (statistic_parse(stat, &statistic) || !watch_period_is_valid(period_s)))
        return aws_fail(data->call, AWS_VALIDATION, "Error in expression '%.*s': SEARCH wants a statistic and a period", TEXT_FMT(asked->id));
    searching.name = arena_array(data->arena, CW_SEARCH_SERIES_MAX, sizeof(*searching.name));
    struct math_value *item = arena_zalloc(data->arena, CW_SEARCH_SERIES_MAX * sizeof(*item));
    if (code || !searching.name || !item)
        return ERR_MEMORY;
    struct watch_walk walk = {.space = watch_search_space(searching.search), .visit = on_found, .context = &searching};
    code = watch_series_walk(data->view, &walk);
    for (size_t i = 0; i < searching.count && code >= 0; i++) {
        struct watch_query query = {.name = searching.name[i], .period_s = period_s, .unit = -1, .figures = statistic.kind <= STATISTIC_MAXIMUM};
        item[i].type = MATH_SERIES;
        item[i].series.label = copy_label(data->arena, &query.name);
        code = read_series(data, &query, &statistic, &item[i].series, &asked->partial);
    }
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = searching.count};
    return code < 0 ? code : 0;
}

/* ---- evaluating ---- */

static int make_ready(struct data *data, struct data_query *query);

static int on_find(void *context, struct text id, struct math_value *value)
{
    struct data *data = context;
    for (size_t i = 0; i < data->count; i++) {
        if (!text_equal(data->query[i].id, id))
            continue;
        int code = make_ready(data, &data->query[i]);
        *value = data->query[i].value;
        return code;
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
    struct data *data = context;
    struct math_value *item = arena_array(data->arena, data->count, sizeof(*item));
    size_t count = 0;
    int code = item ? 0 : ERR_MEMORY;
    for (size_t i = 0; i < data->count && !code; i++) {
        if (data->query[i].expr || !holds(data->query[i].id, filter))
            continue;
        code = make_ready(data, &data->query[i]);
        item[count++] = data->query[i].value;
    }
    *list = (struct math_value){.type = MATH_LIST, .item = item, .items = count};
    return code;
}

static int64_t finest_period(const struct data *data)
{
    int64_t finest = 0;
    for (size_t i = 0; i < data->count; i++)
        if (!data->query[i].expr && (!finest || data->query[i].period_s < finest))
            finest = data->query[i].period_s;
    return finest ? finest : PERIOD_DEFAULT;
}

static int evaluate(struct data *data, struct data_query *query)
{
    struct err err = {0};
    struct data_query *outer = data->at;
    if (!query->period_s)
        query->period_s = finest_period(data);
    struct math_env env = {.arena = data->arena, .start_s = data->start_s, .end_s = data->end_s, .period_s = query->period_s, .context = data, .find = on_find,
        .metrics = on_metrics, .search = on_search};
    data->at = query;
    int code = math_evaluate(query->expr, &env, &query->value, &err);
    data->at = outer;
    if (code && code != ERR_MEMORY && code != ERR_COLD && err.text[0])
        return aws_fail(data->call, AWS_VALIDATION, "Error in expression '%.*s': %s", TEXT_FMT(query->id), err.text);
    if (!code && query->returned && query->value.type == MATH_SCALAR)
        return aws_fail(data->call, AWS_VALIDATION, "Error in expression '%.*s': the result must be a time series or an array of time series", TEXT_FMT(query->id));
    if (query->value.type == MATH_SERIES)
        query->value.series.label = TEXT_NONE; /* by itself an expression is called by its id, not as one of its operands */
    return code;
}

static int make_ready(struct data *data, struct data_query *query)
{
    int code;
    if (query->state == DATA_READY)
        return 0;
    if (query->state == DATA_ASKED || data->depth == CW_DATA_DEPTH_MAX)
        return aws_fail(data->call, AWS_VALIDATION, "Error in expression '%.*s': expressions refer to each other in a circle, or more than %d deep", TEXT_FMT(query->id),
            CW_DATA_DEPTH_MAX);
    query->state = DATA_ASKED;
    data->depth++;
    if (query->expr) {
        code = evaluate(data, query);
    } else {
        query->value.type = MATH_SERIES;
        query->value.series.label = query->query.name.name;
        code = read_series(data, &query->query, &query->statistic, &query->value.series, &query->partial);
    }
    data->depth--;
    query->state = DATA_READY;
    return code;
}

int cw_get_metric_data_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct data *data = call->state;
    struct err err = {0};
    struct arena arena;
    int code = 0;
    (void)tick;
    arena_init(&arena, 64 << 10, CW_DATA_BYTES_MAX);
    data->call = call;
    data->view = view;
    data->arena = &arena;
    data->rows = WATCH_ROWS_MAX;
    data->depth = 0;
    for (size_t i = 0; i < data->count; i++) {
        data->query[i].state = DATA_NEW;
        data->query[i].partial = false;
    }
    for (size_t i = 0; i < data->count && !code; i++)
        code = make_ready(data, &data->query[i]);
    if (!code)
        code = data_write_page(data);
    arena_fini(&arena);
    return code && !call->fault ? cw_fail(call, code, &err) : code;
}

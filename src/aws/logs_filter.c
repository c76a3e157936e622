/* Metric filters: kept as the JSON in which they are told again. TestMetricFilter needs no store at all. */
#include "aws/logs.h"

#define LIST_DEFAULT 50
#define ROW_MAX (16u << 10)
#define SCRATCH_BYTES ((size_t)16 << 20)

struct filter {
    struct text group; /* first: logs_group reads it */
    struct text row;
};

static int check_pattern(struct aws_call *call, struct watch_pattern **pattern)
{
    struct err err = {0};
    int code = watch_pattern_parse(call->arena, aws_param_text(call->in, "filterPattern"), pattern, &err);
    return code == ERR_MEMORY ? aws_no_memory(call) : code ? aws_fail(call, LOGS_INVALID, "%s", err.text) : 0;
}

static bool is_metric_text(struct text text)
{
    return text.len && text_find(text, ':', 0) < 0 && text_find(text, '*', 0) < 0 && text_find(text, '$', 0) < 0;
}

static bool is_number(struct text text)
{
    struct json number = {.type = JSON_NUMBER, .text = text};
    double value;
    for (size_t i = 0; i < text.len; i++)
        if (!strchr("0123456789+-.eE", text.data[i]) || !text.data[i])
            return false;
    return text.len && !json_to_double(&number, &value);
}

static int check_transformation(struct aws_call *call, const struct json *to)
{
    struct text value = aws_param_text(to, "metricValue");
    const struct json *dimensions = shape_get(to, "dimensions");
    if (!is_metric_text(aws_param_text(to, "metricName")) || !is_metric_text(aws_param_text(to, "metricNamespace")))
        return aws_fail(call, LOGS_INVALID, "Metric names and namespaces must not be empty and must not contain the characters :, * and $.");
    if (!value.len || (value.data[0] != '$' && !is_number(value)))
        return aws_fail(call, LOGS_INVALID, "Invalid metric transformation: metricValue must be a number or a selector that begins with $.");
    if (dimensions && dimensions->count > 3)
        return aws_fail(call, LOGS_INVALID, "Invalid metric transformation: a metric filter has at most 3 dimensions.");
    if (dimensions && dimensions->count && shape_get(to, "defaultValue"))
        return aws_fail(call, LOGS_INVALID, "Invalid metric transformation: dimensions and default value are mutually exclusive properties.");
    return 0;
}

int logs_put_filter_prepare(struct aws_call *call)
{
    struct filter *filter = arena_zalloc(call->arena, sizeof(*filter));
    struct watch_pattern *pattern;
    int code = filter ? logs_group_prepare(call) : aws_no_memory(call);
    if (code)
        return code;
    filter->group = *(struct text *)call->state;
    call->state = filter;
    code = check_pattern(call, &pattern);
    return code ? code : check_transformation(call, shape_get(call->in, "metricTransformations")->first);
}

static int format_row(struct aws_call *call, struct filter *filter, int64_t now_ms)
{
    struct json_writer w;
    struct buf row;
    buf_init(&row, ROW_MAX);
    json_writer_init(&w, &row);
    json_begin_object(&w);
    logs_write_text(&w, "filterName", aws_param_text(call->in, "filterName"));
    logs_write_text(&w, "filterPattern", aws_param_text(call->in, "filterPattern"));
    json_name(&w, "metricTransformations");
    json_value(&w, shape_get(call->in, "metricTransformations"));
    logs_write_i64(&w, "creationTime", now_ms);
    logs_write_text(&w, "logGroupName", filter->group);
    if (shape_get(call->in, "applyOnTransformedLogs")) {
        json_name(&w, "applyOnTransformedLogs");
        json_bool(&w, aws_param_true(call->in, "applyOnTransformedLogs"));
    }
    json_end_object(&w);
    filter->row = row.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&row));
    bool failed = row.failed;
    buf_fini(&row);
    if (failed)
        return aws_fail(call, LOGS_INVALID, "The metric filter is too large.");
    return filter->row.data ? 0 : aws_no_memory(call);
}

int logs_put_filter_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct filter *filter = call->state;
    struct watch_log_group group;
    int code = logs_group(call, view, &group);
    if (!code && group.log_class != WATCH_LOG_STANDARD)
        code = logs_fail_class(call, &group);
    if (!code)
        code = format_row(call, filter, tick_now_ms(tick));
    if (code)
        return code;
    code = watch_log_filter_put(tick, call->arena, &group, aws_param_text(call->in, "filterName"), filter->row);
    return code ? logs_fail(call, code) : 0;
}

int logs_delete_filter_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    code = watch_log_filter_delete(tick, call->arena, &group, aws_param_text(call->in, "filterName"));
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, LOGS_NOT_FOUND, "The specified metric filter does not exist.");
    return code ? logs_fail(call, code) : 0;
}

/* ---- DescribeMetricFilters: of a group, or of all ---- */

struct describe {
    struct text group; /* first: logs_group reads it; data NULL: all */
    struct aws_call *call;
    struct store_view *view;
    struct text from_group, from_name; /* where the page begins */
    struct text metric, space;
    struct text at_group;
    int64_t limit, count;
    bool more;
    struct text next_name;
};

int logs_describe_filters_prepare(struct aws_call *call)
{
    struct describe *describe = arena_zalloc(call->arena, sizeof(*describe));
    struct text token;
    if (!describe)
        return aws_no_memory(call);
    bool one = shape_get(call->in, "logGroupName");
    int code = one ? logs_group_prepare(call) : logs_may_group(call, TEXT("*"));
    if (code)
        return code;
    if (one)
        describe->group = *(struct text *)call->state;
    call->state = describe;
    describe->call = call;
    describe->limit = logs_integer(call, "limit", LIST_DEFAULT);
    describe->metric = aws_param_text(call->in, "metricName");
    describe->space = aws_param_text(call->in, "metricNamespace");
    if (!describe->metric.data != !describe->space.data)
        return aws_fail(call, LOGS_INVALID, "metricName and metricNamespace must be specified together.");
    code = logs_token(call, 'm', &token);
    if (code || !token.data)
        return code;
    ptrdiff_t slash = text_find(token, '\n', 0);
    if (slash < 0)
        return aws_fail(call, LOGS_INVALID, "The specified nextToken is invalid.");
    describe->from_group = text_make(token.data, (size_t)slash);
    describe->from_name = text_make(token.data + slash + 1, token.len - (size_t)slash - 1);
    return 0;
}

static bool is_wanted(struct describe *describe, struct text row, int *code)
{
    const struct json *root;
    if (!describe->metric.data)
        return true;
    *code = json_parse(describe->call->arena, row, 0, &root, NULL);
    const struct json *to = *code ? NULL : json_at(json_get_str(root, "metricTransformations"), 0);
    return to && text_equal(aws_param_text(to, "metricName"), describe->metric) && text_equal(aws_param_text(to, "metricNamespace"), describe->space);
}

static int on_filter(void *context, struct text name, struct text value)
{
    struct describe *describe = context;
    int code = 0;
    if (!is_wanted(describe, value, &code))
        return code;
    if (describe->count++ == describe->limit) {
        describe->more = true;
        describe->next_name = name;
        return 1;
    }
    json_raw(&describe->call->w, value);
    return 0;
}

static int on_group(void *context, const struct watch_log_group *group)
{
    struct describe *describe = context;
    if (!group->filters)
        return 0;
    bool first = text_equal(group->name, describe->from_group);
    describe->at_group = group->name;
    int code = watch_log_filter_each(describe->view, describe->call->arena, group, aws_param_text(describe->call->in, "filterNamePrefix"),
        first ? describe->from_name : TEXT_NONE, on_filter, describe);
    return code ? code : describe->more;
}

int logs_describe_filters_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct describe *describe = call->state;
    struct watch_log_group group;
    (void)tick;
    describe->view = view;
    describe->count = 0;
    describe->more = false;
    json_begin_object(&call->w);
    json_name(&call->w, "metricFilters");
    json_begin_array(&call->w);
    int code = describe->group.data ? logs_group(call, view, &group) : 0;
    if (code)
        return code;
    code = describe->group.data ? on_group(describe, &group) : watch_log_group_each(view, call->arena, TEXT_NONE, describe->from_group, on_group, describe);
    if (code < 0)
        return logs_fail(call, code);
    json_end_array(&call->w);
    if (describe->more) {
        struct text rest = arena_format(call->arena, "%.*s\n%.*s", TEXT_FMT(describe->at_group), TEXT_FMT(describe->next_name));
        logs_write_token(call, 'm', rest);
    }
    json_end_object(&call->w);
    return 0;
}

/* ---- TestMetricFilter ---- */

static int write_value(void *context, struct text name, struct text value)
{
    struct json_writer *w = context;
    json_name_text(w, name);
    json_text(w, value);
    return 0;
}

static int test_message(struct aws_call *call, const struct watch_pattern *pattern, struct arena *scratch, int64_t number, struct text message)
{
    struct json_writer *w = &call->w;
    int holds = watch_pattern_match(pattern, message, scratch);
    if (holds <= 0)
        return holds;
    json_begin_object(w);
    logs_write_i64(w, "eventNumber", number);
    logs_write_text(w, "eventMessage", message);
    json_name(w, "extractedValues");
    json_begin_object(w);
    int code = watch_pattern_extract(pattern, message, scratch, write_value, w);
    json_end_object(w);
    json_end_object(w);
    return code;
}

int logs_test_filter_prepare(struct aws_call *call)
{
    struct watch_pattern *pattern;
    struct arena scratch;
    int64_t number = 0;
    int code = check_pattern(call, &pattern);
    if (code)
        return code;
    arena_init(&scratch, 16 << 10, SCRATCH_BYTES);
    json_begin_object(&call->w);
    json_name(&call->w, "matches");
    json_begin_array(&call->w);
    for (const struct json *at = shape_get(call->in, "logEventMessages")->first; at && code >= 0; at = at->next)
        code = test_message(call, pattern, &scratch, ++number, at->text);
    json_end_array(&call->w);
    json_end_object(&call->w);
    arena_fini(&scratch);
    return code < 0 ? aws_no_memory(call) : 0;
}

/*
 * Subscription filters: kept as the JSON in which they are told again. What they make of new events is watch/log_subscribe.c; how it gets to its destination gateway/log_deliver.c.
 */
#include "aws/logs.h"

#include "gateway/log_deliver.h"

#define LIST_DEFAULT 50

struct subscription {
    struct text group; /* first: logs_group reads it */
};

int logs_put_subscription_prepare(struct aws_call *call)
{
    struct watch_pattern *pattern;
    struct err err = {0};
    int code = logs_group_prepare(call);
    if (code)
        return code;
    code = watch_pattern_parse(call->arena, aws_param_text(call->in, "filterPattern"), &pattern, &err);
    return code == ERR_MEMORY ? aws_no_memory(call) : code ? aws_fail(call, LOGS_INVALID, "%s", err.text) : 0;
}

/* The service in an ARN; empty: it is none. */
static struct text vendor_of(struct text arn)
{
    struct text rest = arn, part = TEXT_NONE;
    if (!text_starts(arn, TEXT("arn:")))
        return TEXT_NONE;
    for (int colon = 0; colon < 3; colon++) {
        ptrdiff_t next = text_find(rest, ':', 0);
        if (next < 0)
            return TEXT_NONE;
        part = text_make(rest.data, (size_t)next);
        rest = text_make(rest.data + next + 1, rest.len - (size_t)next - 1);
    }
    return part;
}

static int destination_fails(struct aws_call *call, struct text destination, int code)
{
    struct text vendor = vendor_of(destination);
    if (code != ERR_NOT_FOUND && code != ERR_INVALID)
        return logs_fail(call, code);
    if (text_is(vendor, "kinesis"))
        return aws_fail(call, LOGS_INVALID, "Could not deliver test message to specified Kinesis stream. Check if the given kinesis stream is in ACTIVE state. ");
    if (text_is(vendor, "firehose"))
        return aws_fail(call, LOGS_INVALID, "Could not deliver test message to specified Firehose stream. Check if the given Firehose stream is in ACTIVE state. ");
    if (text_is(vendor, "lambda"))
        return aws_fail(call, LOGS_INVALID, "Could not execute the lambda function. Make sure you have given CloudWatch Logs permission to execute your function.");
    if (text_is(vendor, "logs"))
        return aws_fail(call, LOGS_INVALID, "Could not deliver test message to specified destination. Check if the destination is valid.");
    if (vendor.len)
        return aws_fail(call, LOGS_INVALID, "PutSubscriptionFilter operation cannot work with destinationArn for vendor %.*s", TEXT_FMT(vendor));
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, LOGS_INVALID, "There is no route %.*s", TEXT_FMT(destination));
    return aws_fail(call, LOGS_INVALID, "Invalid destinationArn: %.*s", TEXT_FMT(destination));
}

/* When the filter of that name was made, or now. */
struct finding {
    struct text name;
    struct arena *arena;
    int64_t created_ms;
};

static int on_found(void *context, struct text name, struct text value)
{
    struct finding *finding = context;
    const struct json *root;
    if (!text_equal(name, finding->name))
        return 0;
    int code = json_parse(finding->arena, value, 0, &root, NULL);
    if (!code)
        json_to_i64(json_get_str(root, "creationTime"), &finding->created_ms);
    return code ? code : 1;
}

static void write_row(struct aws_call *call, struct json_writer *w, struct text group, int64_t created_ms)
{
    struct text role = aws_param_text(call->in, "roleArn"), distribution = aws_param_text(call->in, "distribution");
    json_begin_object(w);
    logs_write_text(w, "filterName", aws_param_text(call->in, "filterName"));
    logs_write_text(w, "logGroupName", group);
    logs_write_text(w, "filterPattern", aws_param_text(call->in, "filterPattern"));
    logs_write_text(w, "destinationArn", aws_param_text(call->in, "destinationArn"));
    if (role.data)
        logs_write_text(w, "roleArn", role);
    logs_write_text(w, "distribution", distribution.data ? distribution : TEXT("ByLogStream"));
    if (shape_get(call->in, "applyOnTransformedLogs")) {
        json_name(w, "applyOnTransformedLogs");
        json_bool(w, aws_param_true(call->in, "applyOnTransformedLogs"));
    }
    logs_write_i64(w, "creationTime", created_ms);
    json_end_object(w);
}

int logs_put_subscription_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text destination = aws_param_text(call->in, "destinationArn"), name = aws_param_text(call->in, "filterName");
    struct finding finding = {name, call->arena, tick_now_ms(tick)};
    struct watch_log_group group;
    struct json_writer w;
    struct buf row;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    if (group.log_class != WATCH_LOG_STANDARD)
        return logs_fail_class(call, &group);
    code = watch_log_subscription_each(view, call->arena, &group, name, TEXT_NONE, on_found, &finding);
    if (code < 0)
        return logs_fail(call, code);
    buf_init(&row, LOGS_ROW_MAX);
    json_writer_init(&w, &row);
    write_row(call, &w, group.name, finding.created_ms);
    code = row.failed ? ERR_MEMORY : watch_log_subscription_put(tick, call->arena, &group, name, buf_text(&row));
    buf_fini(&row);
    if (code)
        return logs_fail(call, code);
    code = gw_log_test(call->work->gateway, tick, call->arena, destination, false);
    return code ? destination_fails(call, destination, code) : 0;
}

int logs_delete_subscription_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    code = watch_log_subscription_delete(tick, call->arena, &group, aws_param_text(call->in, "filterName"));
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, LOGS_NOT_FOUND, "The specified subscription filter does not exist.");
    return code ? logs_fail(call, code) : 0;
}

/* ---- DescribeSubscriptionFilters ---- */

struct describe {
    struct text group; /* first: logs_group reads it */
    struct text from;
    struct aws_call *call;
    int64_t limit, count;
    struct text next;
};

int logs_describe_subscriptions_prepare(struct aws_call *call)
{
    struct describe *describe = arena_zalloc(call->arena, sizeof(*describe));
    int code = describe ? logs_group_prepare(call) : aws_no_memory(call);
    if (code)
        return code;
    describe->group = *(struct text *)call->state;
    describe->call = call;
    describe->limit = logs_integer(call, "limit", LIST_DEFAULT);
    call->state = describe;
    return logs_token(call, 'u', &describe->from);
}

static int on_filter(void *context, struct text name, struct text value)
{
    struct describe *describe = context;
    if (describe->count++ == describe->limit) {
        describe->next = arena_copy(describe->call->arena, name);
        return describe->next.data ? 1 : ERR_MEMORY;
    }
    json_raw(&describe->call->w, value);
    return 0;
}

int logs_describe_subscriptions_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct describe *describe = call->state;
    struct watch_log_group group;
    (void)tick;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    describe->count = 0;
    describe->next = TEXT_NONE;
    json_begin_object(&call->w);
    json_name(&call->w, "subscriptionFilters");
    json_begin_array(&call->w);
    code = watch_log_subscription_each(view, call->arena, &group, aws_param_text(call->in, "filterNamePrefix"), describe->from, on_filter, describe);
    if (code < 0)
        return logs_fail(call, code);
    json_end_array(&call->w);
    if (describe->next.data)
        logs_write_token(call, 'u', describe->next);
    json_end_object(&call->w);
    return 0;
}

/* Groups made, deleted, listed, and how long they keep. */
#include "aws/logs.h"

#define LIST_DEFAULT 50

/* ---- CreateLogGroup, DeleteLogGroup ---- */

int logs_create_group_prepare(struct aws_call *call)
{
    struct text name = aws_param_text(call->in, "logGroupName");
    if (name.len >= 4 && text_equal_nocase(text_make(name.data, 4), TEXT("aws/")))
        return aws_fail(call, LOGS_INVALID, "Log groups starting with AWS/ are reserved for AWS.");
    return logs_group_prepare(call);
}

static enum watch_log_class class_of(const struct aws_call *call)
{
    if (aws_param_is(call->in, "logGroupClass", "INFREQUENT_ACCESS"))
        return WATCH_LOG_INFREQUENT;
    return aws_param_is(call->in, "logGroupClass", "DELIVERY") ? WATCH_LOG_DELIVERY : WATCH_LOG_STANDARD;
}

int logs_create_group_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct text *name = call->state;
    struct watch_log_group group = {.name = *name, .log_class = class_of(call), .guarded = aws_param_true(call->in, "deletionProtectionEnabled"),
        .kms_key = aws_param_text(call->in, "kmsKeyId")};
    (void)view;
    int code = logs_tags_add(call, &group, shape_get(call->in, "tags"));
    if (code)
        return code;
    code = watch_log_group_create(tick, call->arena, &group);
    if (code == ERR_EXISTS)
        return aws_fail(call, LOGS_EXISTS, "The specified log group already exists");
    return code ? logs_fail(call, code) : 0;
}

int logs_delete_group_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    if (group.guarded)
        return logs_fail_guarded(call, &group);
    code = watch_log_group_delete(tick, call->arena, &group);
    return code ? logs_fail(call, code) : 0;
}

int logs_fail_guarded(struct aws_call *call, const struct watch_log_group *group)
{
    return aws_fail(call, AWS_VALIDATION, "Deletion protection is enabled for log group %.*s. Disable it before you delete.", TEXT_FMT(group->name));
}

/* ---- what is kept of a group: its key, its guard ---- */

static int keep_group(struct aws_call *call, struct tick *tick, struct watch_log_group *group)
{
    int code = watch_log_group_put(tick, group);
    return code ? logs_fail(call, code) : 0;
}

/* The group is named by its name or as a resource, one of both. */
int logs_key_prepare(struct aws_call *call)
{
    struct text name = aws_param_text(call->in, "logGroupName"), arn = aws_param_text(call->in, "resourceIdentifier");
    if (!name.data == !arn.data)
        return aws_fail(call, LOGS_INVALID, "Exactly one of logGroupName and resourceIdentifier must be given.");
    return name.data ? logs_group_prepare(call) : logs_arn_prepare(call, "resourceIdentifier");
}

static int set_key(struct aws_call *call, struct store_view *view, struct tick *tick, struct text key)
{
    struct watch_log_group group;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    group.kms_key = key;
    return keep_group(call, tick, &group);
}

int logs_associate_key_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return set_key(call, view, tick, aws_param_text(call->in, "kmsKeyId"));
}

int logs_disassociate_key_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return set_key(call, view, tick, TEXT_NONE);
}

int logs_put_guard_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct watch_log_group group;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    group.guarded = aws_param_true(call->in, "deletionProtectionEnabled");
    return keep_group(call, tick, &group);
}

/* ---- retention ---- */

int logs_retention_prepare(struct aws_call *call)
{
    int64_t days = logs_integer(call, "retentionInDays", 0);
    if (!watch_log_retention_valid(days))
        return aws_fail(call, LOGS_INVALID,
            "1 validation error detected: Value '%lld' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [1, 3, 5, 7, 14, 30, 60, 90, "
            "120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]",
            (long long)days);
    return logs_group_prepare(call);
}

static int set_retention(struct aws_call *call, struct store_view *view, struct tick *tick, int64_t days)
{
    struct watch_log_group group;
    int code = logs_group(call, view, &group);
    if (code)
        return code;
    group.retention_days = (uint32_t)days;
    code = watch_log_group_put(tick, &group);
    return code ? logs_fail(call, code) : 0;
}

int logs_put_retention_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return set_retention(call, view, tick, logs_integer(call, "retentionInDays", 0));
}

int logs_delete_retention_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return set_retention(call, view, tick, 0);
}

/* ---- DescribeLogGroups ---- */

int logs_describe_groups_prepare(struct aws_call *call)
{
    struct text *from = arena_zalloc(call->arena, sizeof(*from));
    if (!from)
        return aws_no_memory(call);
    call->state = from;
    if (shape_get(call->in, "logGroupNamePrefix") && shape_get(call->in, "logGroupNamePattern"))
        return aws_fail(call, LOGS_INVALID, "LogGroup name prefix and LogGroup name pattern are mutually exclusive parameters.");
    int code = logs_token(call, 'g', from);
    return code ? code : logs_may_group(call, TEXT("*"));
}

struct listing {
    struct aws_call *call;
    struct store_view *view;
    const struct json *identifiers;
    struct text pattern, next;
    int64_t limit, count;
    int wanted_class; /* -1: any */
};

static bool contains(struct text text, struct text part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (text_equal(text_make(text.data + at, part.len), part))
            return true;
    return false;
}

static bool is_identified(struct aws_call *call, const struct json *identifiers, const struct watch_log_group *group)
{
    struct text arn = logs_arn(call, group->name);
    for (const struct json *at = identifiers->first; at; at = at->next)
        if (text_equal(at->text, group->name) || text_equal(at->text, arn) || (text_starts(at->text, arn) && at->text.len == arn.len + 2))
            return true;
    return false;
}

static bool is_listed(struct listing *list, const struct watch_log_group *group)
{
    if (list->pattern.len && !contains(group->name, list->pattern))
        return false;
    if (list->identifiers && !is_identified(list->call, list->identifiers, group))
        return false;
    return list->wanted_class < 0 || list->wanted_class == (int)group->log_class;
}

static int list_group(void *context, const struct watch_log_group *group)
{
    struct listing *list = context;
    struct json_writer *w = &list->call->w;
    int64_t bytes;
    if (!is_listed(list, group))
        return 0;
    if (list->count++ == list->limit) {
        list->next = group->name;
        return 1;
    }
    int code = watch_log_group_bytes(list->view, list->call->arena, group, &bytes);
    struct text arn = logs_arn(list->call, group->name);
    if (code || !arn.data)
        return code ? code : ERR_MEMORY;
    struct text all = arena_format(list->call->arena, "%.*s:*", TEXT_FMT(arn));
    json_begin_object(w);
    logs_write_text(w, "logGroupName", group->name);
    logs_write_i64(w, "creationTime", group->created_ms);
    if (group->retention_days)
        logs_write_i64(w, "retentionInDays", group->retention_days);
    logs_write_i64(w, "metricFilterCount", group->filters);
    logs_write_text(w, "arn", all);
    logs_write_i64(w, "storedBytes", bytes);
    if (group->kms_key.len)
        logs_write_text(w, "kmsKeyId", group->kms_key);
    logs_write_text(w, "logGroupClass", text_of(logs_class_name(group->log_class)));
    logs_write_text(w, "logGroupArn", arn);
    json_name(w, "deletionProtectionEnabled");
    json_bool(w, group->guarded);
    json_end_object(w);
    return 0;
}

int logs_describe_groups_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct text *from = call->state;
    struct listing list = {.call = call, .view = view, .identifiers = shape_get(call->in, "logGroupIdentifiers"), .pattern = aws_param_text(call->in, "logGroupNamePattern"),
        .limit = logs_integer(call, "limit", LIST_DEFAULT), .wanted_class = shape_get(call->in, "logGroupClass") ? (int)class_of(call) : -1};
    (void)tick;
    json_begin_object(&call->w);
    json_name(&call->w, "logGroups");
    json_begin_array(&call->w);
    int code = watch_log_group_each(view, call->arena, aws_param_text(call->in, "logGroupNamePrefix"), *from, list_group, &list);
    if (code < 0)
        return logs_fail(call, code);
    json_end_array(&call->w);
    if (list.next.data)
        logs_write_token(call, 'g', list.next);
    json_end_object(&call->w);
    return 0;
}

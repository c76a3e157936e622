/*
 * Resource policies: which services may write into groups. Kept and told; weir's own policies (docs/configuration.md) say who may do what here.
 *
 * Those of the account are kept by their names, ten at most; a group has one at most, which is kept by the group's name and written against a revision.
 */
#include "aws/logs.h"


#define LIST_DEFAULT 50
#define POLICIES_MAX 10
#define ACCOUNT_DOCUMENT_MAX 5120

struct policy {
    struct text group; /* first: logs_group reads it; data NULL: one of the account */
    struct text name;
};

static enum watch_log_setting kind_of(const struct policy *policy)
{
    return policy->group.data ? WATCH_LOG_POLICY_GROUP : WATCH_LOG_POLICY;
}

static int missing(struct aws_call *call, const char *member)
{
    return aws_fail(call, LOGS_INVALID, "1 validation error detected: Value null at '%s' failed to satisfy constraint: Member must not be null", member);
}

/* Which one is meant. */
static int name_policy(struct aws_call *call, struct policy **out)
{
    struct policy *policy = *out = arena_zalloc(call->arena, sizeof(*policy));
    if (!policy)
        return aws_no_memory(call);
    if (shape_get(call->in, "resourceArn")) {
        int code = logs_resource_prepare(call);
        if (code)
            return code;
        policy->group = *(struct text *)call->state;
        policy->name = policy->group;
    } else {
        policy->name = aws_param_text(call->in, "policyName");
        if (!policy->name.len)
            return missing(call, "policyName");
        if (policy->name.len > WATCH_LOG_NAME_MAX)
            return aws_fail(call, LOGS_INVALID, "The name of the policy is too long.");
    }
    call->state = policy;
    return 0;
}

int logs_put_policy_prepare(struct aws_call *call)
{
    struct policy *policy;
    struct text document = aws_param_text(call->in, "policyDocument");
    int code = name_policy(call, &policy);
    if (!code && !document.data)
        code = missing(call, "policyDocument");
    if (!code && !policy->group.data && document.len > ACCOUNT_DOCUMENT_MAX)
        code = aws_fail(call, LOGS_INVALID, "1 validation error detected: Value at 'policyDocument' failed to satisfy constraint: Member must have length less than or equal to %d",
            ACCOUNT_DOCUMENT_MAX);
    return code ? code : logs_check_policy(call, "policyDocument");
}

/* What is expected is what is there; nothing is expected of a policy that is not. */
static int check_revision(struct aws_call *call, const struct policy *policy, const struct json *old)
{
    struct text expected = aws_param_text(call->in, "expectedRevisionId"), there = aws_param_text(old, "revisionId");
    if (!policy->group.data || (!expected.data && !old) || (old && text_equal(expected, there)))
        return 0;
    return aws_fail(call, LOGS_ABORTED, "The expected revision of the resource policy is not the one in force.");
}

static void write_policy(struct json_writer *w, const struct json *row)
{
    static const char *const texts[] = {"policyName", "policyDocument", "policyScope", "resourceArn", "revisionId"};
    int64_t updated_ms = 0;
    json_begin_object(w);
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (aws_param_text(row, texts[i]).data)
            logs_write_text(w, texts[i], aws_param_text(row, texts[i]));
    json_to_i64(json_get_str(row, "lastUpdatedTime"), &updated_ms);
    logs_write_i64(w, "lastUpdatedTime", updated_ms);
    json_end_object(w);
}

static void write_row(struct aws_call *call, struct json_writer *w, const struct policy *policy, int64_t now_ms)
{
    struct text name = aws_param_text(call->in, "policyName");
    char revision[37];
    json_begin_object(w);
    if (name.data)
        logs_write_text(w, "policyName", name);
    logs_write_text(w, "policyDocument", aws_param_text(call->in, "policyDocument"));
    logs_write_i64(w, "lastUpdatedTime", now_ms);
    logs_write_text(w, "policyScope", policy->group.data ? TEXT("RESOURCE") : TEXT("ACCOUNT"));
    if (policy->group.data) {
        aws_uuid(revision);
        logs_write_text(w, "resourceArn", aws_param_text(call->in, "resourceArn"));
        logs_write_text(w, "revisionId", text_of(revision));
    }
    json_end_object(w);
}

static int check_room(struct aws_call *call, struct store_view *view, const struct policy *policy, const struct json **old)
{
    struct watch_log_group group;
    int64_t count = 0;
    int code = policy->group.data ? logs_group(call, view, &group) : 0;
    if (code)
        return code;
    *old = NULL;
    code = logs_setting(call, view, kind_of(policy), policy->name, old);
    if (code == ERR_NOT_FOUND)
        code = policy->group.data ? 0 : logs_settings_count(call, view, WATCH_LOG_POLICY, POLICIES_MAX, &count);
    if (!code && count >= POLICIES_MAX)
        return logs_fail(call, ERR_FULL);
    return code ? code : check_revision(call, policy, *old);
}

int logs_put_policy_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct policy *policy = call->state;
    const struct json *old, *row;
    struct json_writer w;
    struct buf out;
    int code = check_room(call, view, policy, &old);
    if (code)
        return code;
    buf_init(&out, LOGS_ROW_MAX);
    json_writer_init(&w, &out);
    write_row(call, &w, policy, tick_now_ms(tick));
    struct text kept = arena_copy(call->arena, buf_text(&out));
    code = logs_setting_keep(call, tick, kind_of(policy), policy->name, &out);
    if (!code)
        code = kept.data ? json_parse(call->arena, kept, 0, &row, NULL) : ERR_MEMORY;
    if (code)
        return call->fault ? code : logs_fail(call, code);
    json_begin_object(&call->w);
    json_name(&call->w, "resourcePolicy");
    write_policy(&call->w, row);
    if (policy->group.data)
        logs_write_text(&call->w, "revisionId", aws_param_text(row, "revisionId"));
    json_end_object(&call->w);
    return 0;
}

int logs_delete_policy_prepare(struct aws_call *call)
{
    struct policy *policy;
    return name_policy(call, &policy);
}

int logs_delete_policy_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct policy *policy = call->state;
    const struct json *row = NULL;
    int code = logs_setting(call, view, kind_of(policy), policy->name, &row);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, LOGS_NOT_FOUND, "Policy with name [%.*s] does not exist", TEXT_FMT(policy->name));
    if (!code && shape_get(call->in, "expectedRevisionId"))
        code = check_revision(call, policy, row);
    if (code)
        return code;
    code = watch_log_setting_delete(tick, kind_of(policy), policy->name);
    return code ? logs_fail(call, code) : 0;
}

/* ---- DescribeResourcePolicies ---- */

static int show(struct aws_call *call, struct text name, const struct json *row)
{
    (void)name;
    write_policy(&call->w, row);
    return 1;
}

int logs_describe_policies_prepare(struct aws_call *call)
{
    struct logs_page *page = arena_zalloc(call->arena, sizeof(*page));
    struct text group = TEXT_NONE;
    if (!page)
        return aws_no_memory(call);
    if (shape_get(call->in, "resourceArn")) {
        int code = logs_resource_prepare(call);
        if (code)
            return code;
        group = *(struct text *)call->state;
    }
    bool of_groups = group.data || aws_param_is(call->in, "policyScope", "RESOURCE");
    call->state = page;
    *page = (struct logs_page){.call = call, .kind = of_groups ? WATCH_LOG_POLICY_GROUP : WATCH_LOG_POLICY, .array = "resourcePolicies", .prefix = group,
        .limit = logs_integer(call, "limit", LIST_DEFAULT), .token = 'p', .show = show};
    return logs_token(call, 'p', &page->from);
}

static int describe_one(struct aws_call *call, struct logs_page *page)
{
    const struct json *row;
    int code = logs_setting(call, page->view, page->kind, page->prefix, &row);
    if (code && code != ERR_NOT_FOUND)
        return code;
    json_begin_object(&call->w);
    json_name(&call->w, page->array);
    json_begin_array(&call->w);
    if (!code)
        write_policy(&call->w, row);
    json_end_array(&call->w);
    json_end_object(&call->w);
    return 0;
}

int logs_describe_policies_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct logs_page *page = call->state;
    (void)tick;
    page->view = view;
    return page->prefix.data ? describe_one(call, page) : logs_page_write(page);
}

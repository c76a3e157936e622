/*
 * PutDashboard, GetDashboard, ListDashboards, DeleteDashboards over watch/dashboard.h. Dashboards are of no region: their ARNs name none. What is wrong with a body is told as AWS
 * tells it: all places at once, as JSON in the message; warnings in the answer.
 */
#include "aws/cloudwatch.h"

#include "watch/dashboard.h"
#include <stdio.h>

#define DELETE_MAX 100
#define MESSAGE_MAX 16384

/* ---- PutDashboard ---- */

struct putting {
    struct text name, body;
    struct dashboard_body judged;
};

static void write_message(struct json_writer *w, const char *path, const char *text, const struct dashboard_message *message)
{
    json_begin_object(w);
    json_name(w, path);
    json_text(w, message->path);
    json_name(w, text);
    json_text(w, message->text);
    json_end_object(w);
}

static int refuse(struct aws_call *call, const struct dashboard_body *judged)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, MESSAGE_MAX);
    buf_add_format(&out, "The dashboard body is invalid, there are %zu validation errors:\n[", judged->errors);
    for (size_t i = 0; i < judged->messages && judged->message[i].error; i++) {
        buf_add_text(&out, i ? TEXT(",\n  ") : TEXT("\n  "));
        json_writer_init(&w, &out);
        write_message(&w, "dataPath", "message", &judged->message[i]);
    }
    buf_add_text(&out, TEXT("\n]"));
    int code = aws_fail_text(call, CW_DASHBOARD_INVALID, buf_text(&out));
    buf_fini(&out);
    return code;
}

static bool name_is_fine(struct aws_call *call, struct text name)
{
    if (!name.len)
        aws_fail(call, CW_DASHBOARD_INVALID, "The field DashboardName must not be null or empty");
    else if (!dashboard_name_valid(name))
        aws_fail(call, CW_DASHBOARD_INVALID, "The value %.*s for field DashboardName contains invalid characters. It can only contain alphanumerics, dash (-) and underscore (_).",
            TEXT_FMT(text_make(name.data, name.len < DASHBOARD_NAME_MAX ? name.len : DASHBOARD_NAME_MAX)));
    return name.len && dashboard_name_valid(name);
}

int cw_put_dashboard_prepare(struct aws_call *call)
{
    struct putting *putting = arena_zalloc(call->arena, sizeof(*putting));
    if (!putting)
        return aws_no_memory(call);
    call->state = putting;
    putting->name = aws_param_text(call->in, "DashboardName");
    putting->body = aws_param_text(call->in, "DashboardBody");
    if (!name_is_fine(call, putting->name))
        return ERR_INVALID;
    if (!putting->body.len)
        return aws_fail(call, CW_DASHBOARD_INVALID, "The field DashboardBody must not be null or empty");
    int code = dashboard_body_parse(call->arena, putting->body, &putting->judged);
    if (code == ERR_SYNTAX)
        return aws_fail(call, CW_DASHBOARD_INVALID, "The field DashboardBody must be a valid JSON object");
    if (code == ERR_TOO_LARGE)
        return aws_fail(call, CW_DASHBOARD_INVALID, "The field DashboardBody must not be larger than %zu bytes", DASHBOARD_BODY_MAX);
    if (code == ERR_INVALID)
        return refuse(call, &putting->judged);
    return code ? aws_no_memory(call) : 0;
}

int cw_put_dashboard_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct putting *putting = call->state;
    struct dashboard dashboard = {.name = putting->name, .body = putting->body}, old;
    struct err err = {0};
    int code = dashboard_get(view, call->arena, putting->name, &old);
    if (!code)
        dashboard.declared = old.declared; /* who changes a declared dashboard keeps the change until the declaration changes */
    if (!code || code == ERR_NOT_FOUND)
        code = dashboard_put(tick, call->arena, &dashboard, &err);
    if (code)
        return cw_fail(call, code, &err);
    json_begin_object(&call->w);
    json_name(&call->w, "DashboardValidationMessages");
    json_begin_array(&call->w);
    for (size_t i = 0; i < putting->judged.messages; i++)
        write_message(&call->w, "DataPath", "Message", &putting->judged.message[i]);
    json_end_array(&call->w);
    json_end_object(&call->w);
    return 0;
}

/* ---- GetDashboard ---- */

static int not_found(struct aws_call *call, struct text name)
{
    return aws_fail(call, CW_DASHBOARD_NOT_FOUND, "Dashboard %.*s does not exist", TEXT_FMT(name));
}

int cw_get_dashboard_prepare(struct aws_call *call)
{
    return name_is_fine(call, aws_param_text(call->in, "DashboardName")) ? 0 : ERR_INVALID;
}

int cw_get_dashboard_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text name = aws_param_text(call->in, "DashboardName");
    struct dashboard dashboard;
    struct err err = {0};
    (void)tick;
    int code = dashboard_get(view, call->arena, name, &dashboard);
    if (code == ERR_NOT_FOUND)
        return not_found(call, name);
    if (code)
        return cw_fail(call, code, &err);
    json_begin_object(&call->w);
    json_name(&call->w, "DashboardArn");
    json_text(&call->w, dashboard_arn(call->arena, call->config->account, name));
    json_name(&call->w, "DashboardBody");
    json_text(&call->w, dashboard.body);
    json_name(&call->w, "DashboardName");
    json_text(&call->w, name);
    json_end_object(&call->w);
    return 0;
}

/* ---- ListDashboards: the token is the last name that was told ---- */

int cw_list_dashboards_prepare(struct aws_call *call)
{
    struct text prefix = aws_param_text(call->in, "DashboardNamePrefix"), token = aws_param_text(call->in, "NextToken");
    if (prefix.data && !dashboard_name_valid(prefix))
        return aws_fail(call, CW_INVALID, "The value for field DashboardNamePrefix can only contain alphanumerics, dash (-) and underscore (_).");
    if (token.data && !dashboard_name_valid(token))
        return aws_fail(call, CW_INVALID, "The value for parameter NextToken is invalid.");
    return 0;
}

static void write_entry(struct aws_call *call, const struct dashboard *dashboard)
{
    struct json_writer *w = &call->w;
    json_begin_object(w);
    json_name(w, "DashboardName");
    json_text(w, dashboard->name);
    json_name(w, "DashboardArn");
    json_text(w, dashboard_arn(call->arena, call->config->account, dashboard->name));
    aws_time_json(w, "LastModified", dashboard->modified_ms);
    json_name(w, "Size");
    json_i64(w, dashboard->size);
    json_end_object(w);
}

int cw_list_dashboards_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text prefix = aws_param_text(call->in, "DashboardNamePrefix"), token = aws_param_text(call->in, "NextToken");
    struct dashboard_names names;
    struct err err = {0};
    size_t at = 0, told = 0;
    (void)tick;
    int code = dashboard_list(view, call->arena, prefix, &names);
    if (code)
        return cw_fail(call, code, &err);
    while (token.len && at < names.count && text_compare(names.item[at].name, token) <= 0)
        at++;
    json_begin_object(&call->w);
    json_name(&call->w, "DashboardEntries");
    json_begin_array(&call->w);
    for (; at < names.count && told < CW_DASHBOARDS_PAGE; at++, told++)
        write_entry(call, &names.item[at]);
    json_end_array(&call->w);
    if (at < names.count) {
        json_name(&call->w, "NextToken");
        json_text(&call->w, names.item[at - 1].name);
    }
    json_end_object(&call->w);
    return 0;
}

/* ---- DeleteDashboards: all of them or none ---- */

int cw_delete_dashboards_prepare(struct aws_call *call)
{
    const struct json *names = shape_get(call->in, "DashboardNames");
    if (!names || !names->count)
        return aws_fail(call, CW_INVALID, "The parameter DashboardNames is required.");
    if (names->count > DELETE_MAX)
        return aws_fail(call, CW_INVALID, "The collection DashboardNames must not have a size greater than %d.", DELETE_MAX);
    for (const struct json *name = names->first; name; name = name->next)
        if (!dashboard_name_valid(name->text))
            return aws_fail(call, CW_INVALID, "The value for field DashboardNames can only contain alphanumerics, dash (-) and underscore (_).");
    return 0;
}

static bool came_before(const struct json *names, const struct json *name)
{
    for (const struct json *at = names->first; at != name; at = at->next)
        if (text_equal(at->text, name->text))
            return true;
    return false;
}

int cw_delete_dashboards_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct json *names = shape_get(call->in, "DashboardNames");
    struct err err = {0};
    int code = 0;
    (void)view;
    for (const struct json *name = names->first; name && !code; name = name->next) {
        if (came_before(names, name))
            continue;
        code = dashboard_delete(tick, call->arena, name->text);
        if (code == ERR_NOT_FOUND)
            return not_found(call, name->text); /* the call is undone, with what it has deleted */
    }
    if (code)
        return cw_fail(call, code, &err);
    json_begin_object(&call->w);
    json_end_object(&call->w);
    return 0;
}

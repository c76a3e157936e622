/* Groups and streams as requests name them, and what is said of them everywhere, with AWS's sentences for what is not there. */
#include "aws/logs.h"

#include "base/codec.h"

#define GROUP_PATTERN "[\\.\\-_/#A-Za-z0-9]+"

/* ---- faults ---- */

int logs_fail(struct aws_call *call, int code)
{
    switch (code) {
    case ERR_FULL:
        return aws_fail(call, LOGS_LIMIT, "Resource limit exceeded.");
    case ERR_AGAIN:
        return aws_fail(call, LOGS_UNAVAILABLE, "The service cannot complete the request.");
    case ERR_INVALID:
    case ERR_TOO_LARGE:
        return aws_fail(call, LOGS_INVALID, "%s", err_text(code));
    default:
        return aws_store_fail(call, code == ERR_NOT_FOUND ? ERR_INTERNAL : code, NULL);
    }
}

const char *logs_class_name(enum watch_log_class log_class)
{
    static const char *const names[] = {"STANDARD", "INFREQUENT_ACCESS", "DELIVERY"};
    return names[log_class <= WATCH_LOG_DELIVERY ? log_class : 0];
}

int logs_fail_class(struct aws_call *call, const struct watch_log_group *group)
{
    return aws_fail(call, LOGS_OPERATION, "The operation is not valid on the specified resource. Log group %.*s is of the class %s.", TEXT_FMT(group->name),
        logs_class_name(group->log_class));
}

static int violation(struct aws_call *call, struct text value, const char *member, const char *pattern)
{
    return aws_fail(call, LOGS_INVALID, "1 validation error detected: Value '%.*s' at '%s' failed to satisfy constraint: Member must satisfy regular expression pattern: %s",
        TEXT_FMT(value), member, pattern);
}

/* ---- groups ---- */

struct text logs_arn(struct aws_call *call, struct text group)
{
    return arena_format(call->arena, "arn:aws:logs:%.*s:%.*s:log-group:%.*s", TEXT_FMT(call->config->region), TEXT_FMT(call->config->account), TEXT_FMT(group));
}

/* IAM's resource is the group's ARN with ":*" behind it, or the stream's below it for what is done to one. */
int logs_may_group(struct aws_call *call, struct text name)
{
    static const char *const of_streams[] = {"PutLogEvents", "GetLogEvents", "DeleteLogStream"};
    struct text arn = logs_arn(call, name), stream = TEXT_NONE;
    for (size_t i = 0; i < 3; i++)
        if (strcmp(call->op->name, of_streams[i]) == 0)
            stream = aws_param_text(call->in, "logStreamName");
    if (!arn.data)
        return aws_no_memory(call);
    struct text all = stream.data ? arena_format(call->arena, "%.*s:log-stream:%.*s", TEXT_FMT(arn), TEXT_FMT(stream)) : arena_format(call->arena, "%.*s:*", TEXT_FMT(arn));
    return all.data ? aws_may(call, call->op->name, all) : aws_no_memory(call);
}

/* arn:aws:logs:REGION:ACCOUNT:log-group:NAME[:*]; any region, as for signatures. */
static bool arn_take_apart(struct text arn, struct text *name)
{
    struct text rest = arn;
    for (int colon = 0; colon < 5; colon++) {
        ptrdiff_t next = text_find(rest, ':', 0);
        struct text part = text_make(rest.data, next < 0 ? 0 : (size_t)next);
        if (next < 0 || (colon == 0 && !text_is(part, "arn")) || (colon == 2 && !text_is(part, "logs")))
            return false;
        rest = text_make(rest.data + next + 1, rest.len - (size_t)next - 1);
    }
    if (!text_starts(rest, TEXT("log-group:")))
        return false;
    rest = text_make(rest.data + 10, rest.len - 10);
    if (rest.len > 2 && memcmp(rest.data + rest.len - 2, ":*", 2) == 0)
        rest.len -= 2;
    *name = rest;
    return watch_log_group_name_valid(rest);
}

bool logs_name_of(struct text identifier, struct text *name)
{
    *name = identifier;
    return text_starts(identifier, TEXT("arn:")) ? arn_take_apart(identifier, name) : watch_log_group_name_valid(identifier);
}

int logs_group_name(struct aws_call *call, struct text *name)
{
    struct text by_name = aws_param_text(call->in, "logGroupName"), by_id = aws_param_text(call->in, "logGroupIdentifier");
    if (by_name.data && by_id.data)
        return aws_fail(call, LOGS_INVALID, "LogGroup name and LogGroup ARN are mutually exclusive parameters.");
    if (!by_name.data && !by_id.data)
        return aws_fail(call, LOGS_INVALID, "1 validation error detected: Value null at 'logGroupName' failed to satisfy constraint: Member must not be null");
    *name = by_name.data ? by_name : by_id;
    if (text_starts(by_id, TEXT("arn:")) && !arn_take_apart(by_id, name))
        return aws_fail(call, LOGS_INVALID, "Invalid log group ARN: %.*s", TEXT_FMT(by_id));
    return watch_log_group_name_valid(*name) ? 0 : violation(call, *name, by_name.data ? "logGroupName" : "logGroupIdentifier", GROUP_PATTERN);
}

static int check_stream_name(struct aws_call *call, const char *member)
{
    struct text name = aws_param_text(call->in, member);
    return !name.data || watch_log_stream_name_valid(name) ? 0 : violation(call, name, member, "[^:*]*");
}

int logs_group_prepare(struct aws_call *call)
{
    struct text *name = arena_zalloc(call->arena, sizeof(*name));
    if (!name)
        return aws_no_memory(call);
    call->state = name;
    int code = logs_group_name(call, name);
    if (!code)
        code = check_stream_name(call, "logStreamName");
    if (!code)
        code = check_stream_name(call, "logStreamNamePrefix");
    if (!code)
        code = check_stream_name(call, "filterName");
    return code ? code : logs_may_group(call, *name);
}

int logs_resource_prepare(struct aws_call *call)
{
    return logs_arn_prepare(call, "resourceArn");
}

int logs_arn_prepare(struct aws_call *call, const char *member)
{
    struct text *name = arena_zalloc(call->arena, sizeof(*name)), arn = aws_param_text(call->in, member);
    if (!name)
        return aws_no_memory(call);
    call->state = name;
    if (!arn_take_apart(arn, name))
        return aws_fail(call, LOGS_INVALID, "Invalid resource ARN: %.*s", TEXT_FMT(arn));
    return logs_may_group(call, *name);
}

int logs_group(struct aws_call *call, struct store_view *view, struct watch_log_group *group)
{
    const struct text *name = call->state;
    int code = watch_log_group_get(view, call->arena, *name, group);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, LOGS_NOT_FOUND, "The specified log group does not exist.");
    return code ? logs_fail(call, code) : 0;
}

int logs_stream(struct aws_call *call, struct store_view *view, const struct watch_log_group *group, struct text name, struct watch_log_stream *stream)
{
    int code = watch_log_stream_get(view, call->arena, group, name, stream);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, LOGS_NOT_FOUND, "The specified log stream does not exist.");
    return code ? logs_fail(call, code) : 0;
}

/* ---- members ---- */

int64_t logs_integer(const struct aws_call *call, const char *member, int64_t otherwise)
{
    const struct json *given = shape_get(call->in, member);
    int64_t value;
    return given && !json_to_i64(given, &value) ? value : otherwise;
}

void logs_write_text(struct json_writer *w, const char *name, struct text text)
{
    json_name(w, name);
    json_text(w, text);
}

void logs_write_i64(struct json_writer *w, const char *name, int64_t value)
{
    json_name(w, name);
    json_i64(w, value);
}

/* ---- tokens ---- */

void logs_write_token(struct aws_call *call, char kind, struct text rest)
{
    struct buf plain, text;
    buf_init(&plain, LOGS_TOKEN_MAX);
    buf_init(&text, 2 * LOGS_TOKEN_MAX);
    buf_add_char(&plain, kind);
    buf_add_text(&plain, rest);
    if (plain.failed || base64url_encode(&text, buf_text(&plain)))
        call->body.failed = true;
    else
        logs_write_text(&call->w, "nextToken", buf_text(&text));
    buf_fini(&plain);
    buf_fini(&text);
}

int logs_token(struct aws_call *call, char kind, struct text *rest)
{
    struct text given = aws_param_text(call->in, "nextToken");
    struct buf plain;
    *rest = TEXT_NONE;
    if (!given.data)
        return 0;
    buf_init(&plain, LOGS_TOKEN_MAX);
    bool good = given.len <= 2 * LOGS_TOKEN_MAX && !base64url_decode(&plain, given) && plain.len > 1 && plain.data[0] == kind;
    if (good)
        *rest = arena_copy(call->arena, text_make(plain.data + 1, plain.len - 1));
    buf_fini(&plain);
    if (!good)
        return aws_fail(call, LOGS_INVALID, "The specified nextToken is invalid.");
    return rest->data ? 0 : aws_no_memory(call);
}

/*
 * Destinations: a name that stands for a stream of records, so that subscription filters need not know it. Their access policies are kept and told; there is one account, so nobody
 * is kept out by them.
 */
#include "aws/logs.h"

#include "gateway/log_deliver.h"

#define LIST_DEFAULT 50
#define DESTINATIONS_MAX 1000

static struct text arn_of(struct aws_call *call, struct text name)
{
    return arena_format(call->arena, "arn:aws:logs:%.*s:%.*s:destination:%.*s", TEXT_FMT(call->config->region), TEXT_FMT(call->config->account), TEXT_FMT(name));
}

int logs_destination_prepare(struct aws_call *call)
{
    struct text arn = arn_of(call, aws_param_text(call->in, "destinationName"));
    if (!arn.data)
        return aws_no_memory(call);
    struct watch_log_group holder = {.name = TEXT_NONE};
    int code = shape_get(call->in, "accessPolicy") ? logs_check_policy(call, "accessPolicy") : 0;
    if (!code)
        code = logs_tags_add(call, &holder, shape_get(call->in, "tags")); /* for what it refuses */
    return code ? code : aws_may(call, call->op->name, arn);
}

/* `policy`: data NULL: the one that is kept, or none. */
static void write_destination(struct json_writer *w, const struct json *row, struct text policy)
{
    static const char *const texts[] = {"destinationName", "targetArn", "roleArn"};
    int64_t created_ms = 0;
    for (size_t i = 0; i < 3; i++)
        logs_write_text(w, texts[i], aws_param_text(row, texts[i]));
    if (!policy.data)
        policy = aws_param_text(row, "accessPolicy");
    if (policy.data)
        logs_write_text(w, "accessPolicy", policy);
    logs_write_text(w, "arn", aws_param_text(row, "arn"));
    json_to_i64(json_get_str(row, "creationTime"), &created_ms);
    logs_write_i64(w, "creationTime", created_ms);
}

static int not_found(struct aws_call *call)
{
    return aws_fail(call, LOGS_NOT_FOUND, "The specified destination does not exist.");
}

/* ---- PutDestination ---- */

static int write_new(struct aws_call *call, struct json_writer *w, const struct json *old, int64_t now_ms)
{
    struct text name = aws_param_text(call->in, "destinationName"), policy = aws_param_text(old, "accessPolicy");
    struct text arn = arn_of(call, name);
    const struct json *tags = shape_get(call->in, "tags");
    json_to_i64(json_get_str(old, "creationTime"), &now_ms);
    if (!arn.data)
        return aws_no_memory(call);
    json_begin_object(w);
    logs_write_text(w, "destinationName", name);
    logs_write_text(w, "targetArn", aws_param_text(call->in, "targetArn"));
    logs_write_text(w, "roleArn", aws_param_text(call->in, "roleArn"));
    if (policy.data)
        logs_write_text(w, "accessPolicy", policy);
    logs_write_text(w, "arn", arn);
    logs_write_i64(w, "creationTime", now_ms);
    if (!tags)
        tags = shape_get(old, "tags");
    if (tags) {
        json_name(w, "tags");
        json_value(w, tags);
    }
    json_end_object(w);
    return 0;
}

static int check_target(struct aws_call *call, struct tick *tick)
{
    struct text target = aws_param_text(call->in, "targetArn");
    int code = gw_log_test(call->work->gateway, tick, call->arena, target, true);
    if (code == ERR_NOT_FOUND || code == ERR_INVALID)
        return aws_fail(call, LOGS_INVALID, "Could not deliver test message to specified destination. Check if the destination is valid.");
    return code ? logs_fail(call, code) : 0;
}

int logs_put_destination_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text name = aws_param_text(call->in, "destinationName");
    const struct json *old = NULL, *row;
    struct json_writer w;
    struct buf out;
    int64_t count = 0;
    int code = logs_setting(call, view, WATCH_LOG_DESTINATION, name, &old);
    if (code == ERR_NOT_FOUND)
        code = logs_settings_count(call, view, WATCH_LOG_DESTINATION, DESTINATIONS_MAX, &count);
    if (!code && count >= DESTINATIONS_MAX)
        return logs_fail(call, ERR_FULL);
    if (!code)
        code = check_target(call, tick);
    if (code)
        return code;
    buf_init(&out, LOGS_ROW_MAX);
    json_writer_init(&w, &out);
    code = write_new(call, &w, old, tick_now_ms(tick));
    struct text kept = code ? TEXT_NONE : arena_copy(call->arena, buf_text(&out));
    if (!code)
        code = logs_setting_keep(call, tick, WATCH_LOG_DESTINATION, name, &out);
    else
        buf_fini(&out);
    if (!code)
        code = kept.data ? json_parse(call->arena, kept, 0, &row, NULL) : ERR_MEMORY;
    if (code)
        return call->fault ? code : logs_fail(call, code);
    json_begin_object(&call->w);
    json_name(&call->w, "destination");
    json_begin_object(&call->w);
    write_destination(&call->w, row, TEXT_NONE);
    json_end_object(&call->w);
    json_end_object(&call->w);
    return 0;
}

/* ---- PutDestinationPolicy, DeleteDestination ---- */

int logs_destination_policy_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text name = aws_param_text(call->in, "destinationName");
    const struct json *row;
    struct json_writer w;
    struct buf out;
    int code = logs_setting(call, view, WATCH_LOG_DESTINATION, name, &row);
    if (code)
        return code == ERR_NOT_FOUND ? not_found(call) : code;
    buf_init(&out, LOGS_ROW_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    write_destination(&w, row, aws_param_text(call->in, "accessPolicy"));
    if (shape_get(row, "tags")) {
        json_name(&w, "tags");
        json_value(&w, shape_get(row, "tags"));
    }
    json_end_object(&w);
    return logs_setting_keep(call, tick, WATCH_LOG_DESTINATION, name, &out);
}

int logs_delete_destination_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text name = aws_param_text(call->in, "destinationName");
    const struct json *row;
    int code = logs_setting(call, view, WATCH_LOG_DESTINATION, name, &row);
    if (code)
        return code == ERR_NOT_FOUND ? not_found(call) : code;
    code = watch_log_setting_delete(tick, WATCH_LOG_DESTINATION, name);
    return code ? logs_fail(call, code) : 0;
}

/* ---- tags ---- */

int logs_destination_tags_get(struct aws_call *call, struct store_view *view, struct text name, struct watch_log_group *holder)
{
    const struct json *row;
    int code = logs_setting(call, view, WATCH_LOG_DESTINATION, name, &row);
    if (code)
        return code == ERR_NOT_FOUND ? not_found(call) : code;
    *holder = (struct watch_log_group){.name = name};
    return logs_tags_add(call, holder, shape_get(row, "tags"));
}

int logs_destination_tags_put(struct aws_call *call, struct store_view *view, struct tick *tick, const struct watch_log_group *holder)
{
    const struct json *row;
    struct json_writer w;
    struct buf out;
    int code = logs_setting(call, view, WATCH_LOG_DESTINATION, holder->name, &row);
    if (code)
        return code == ERR_NOT_FOUND ? not_found(call) : code;
    buf_init(&out, LOGS_ROW_MAX);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    write_destination(&w, row, TEXT_NONE);
    json_name(&w, "tags");
    json_begin_object(&w);
    for (uint32_t i = 0; i < holder->tags; i++) {
        json_name_text(&w, holder->tag[i].key);
        json_text(&w, holder->tag[i].value);
    }
    json_end_object(&w);
    json_end_object(&w);
    return logs_setting_keep(call, tick, WATCH_LOG_DESTINATION, holder->name, &out);
}

/* ---- DescribeDestinations ---- */

static int show(struct aws_call *call, struct text name, const struct json *row)
{
    (void)name;
    json_begin_object(&call->w);
    write_destination(&call->w, row, TEXT_NONE);
    json_end_object(&call->w);
    return 1;
}

int logs_describe_destinations_prepare(struct aws_call *call)
{
    struct logs_page *page = arena_zalloc(call->arena, sizeof(*page));
    struct text arn = arn_of(call, TEXT("*"));
    if (!page || !arn.data)
        return aws_no_memory(call);
    call->state = page;
    *page = (struct logs_page){.call = call, .kind = WATCH_LOG_DESTINATION, .array = "destinations", .prefix = aws_param_text(call->in, "DestinationNamePrefix"),
        .limit = logs_integer(call, "limit", LIST_DEFAULT), .token = 'd', .show = show};
    int code = logs_token(call, 'd', &page->from);
    return code ? code : aws_may(call, call->op->name, arn);
}

int logs_describe_destinations_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct logs_page *page = call->state;
    (void)tick;
    page->view = view;
    return logs_page_write(page);
}

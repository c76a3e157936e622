/*
 * Query definitions: queries that somebody wants to find again. A row's name is the definition's name, a line end and its id, so they lie in the order of their names; the id alone
 * is looked for among all of them, of which there are not many.
 */
#include "aws/logs.h"

#include "watch/query.h"

#define DEFINITIONS_MAX 1000
#define ID_MAX 37

struct saved {
    struct text name, id;
};

/* "name\nid" */
static struct saved take_apart(struct text key)
{
    ptrdiff_t end = text_find(key, '\n', 0);
    size_t len = end < 0 ? key.len : (size_t)end;
    return (struct saved){text_make(key.data, len), end < 0 ? TEXT_NONE : text_make(key.data + len + 1, key.len - len - 1)};
}

struct finding {
    struct text id, key; /* key.data NULL: there is none */
    struct arena *arena;
};

static int on_definition(void *context, struct text key, struct text value)
{
    struct finding *finding = context;
    (void)value;
    if (!text_equal(take_apart(key).id, finding->id))
        return 0;
    finding->key = arena_copy(finding->arena, key);
    return 1;
}

static int find(struct aws_call *call, struct store_view *view, struct text id, struct text *key)
{
    struct finding finding = {.id = id, .arena = call->arena};
    int code = watch_log_setting_each(view, call->arena, WATCH_LOG_QUERY, TEXT_NONE, TEXT_NONE, on_definition, &finding);
    *key = finding.key;
    if (code < 0)
        return logs_fail(call, code);
    return finding.key.data ? 0 : aws_fail(call, LOGS_NOT_FOUND, "The specified query definition does not exist.");
}

/* ---- PutQueryDefinition ---- */

static int check_language(struct aws_call *call)
{
    struct text language = aws_param_text(call->in, "queryLanguage");
    return !language.data || text_is(language, "CWLI") ? 0 : aws_fail(call, LOGS_INVALID, "The query language %.*s is not supported; CWLI is.", TEXT_FMT(language));
}

/* Names may have folders: "folder/name", no part empty. */
static bool is_query_name(struct text name)
{
    if (!name.len || name.data[0] == '/' || name.data[name.len - 1] == '/')
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.data[i] == ':' || name.data[i] == '*' || name.data[i] == '\n' || (name.data[i] == '/' && name.data[i - 1] == '/'))
            return false;
    return true;
}

int logs_put_query_prepare(struct aws_call *call)
{
    struct text name = aws_param_text(call->in, "name");
    if (!is_query_name(name))
        return aws_fail(call, LOGS_INVALID,
            "1 validation error detected: Value '%.*s' at 'name' failed to satisfy constraint: Member must satisfy regular expression pattern: ^([^:*\\/]+\\/?)*[^:*\\/]+$",
            TEXT_FMT(name));
    return check_language(call);
}

static void write_row(struct aws_call *call, struct json_writer *w, struct text id, int64_t now_ms)
{
    const struct json *groups = shape_get(call->in, "logGroupNames");
    json_begin_object(w);
    logs_write_text(w, "queryLanguage", TEXT("CWLI"));
    logs_write_text(w, "queryDefinitionId", id);
    logs_write_text(w, "name", aws_param_text(call->in, "name"));
    logs_write_text(w, "queryString", aws_param_text(call->in, "queryString"));
    logs_write_i64(w, "lastModified", now_ms);
    json_name(w, "logGroupNames");
    if (groups)
        json_value(w, groups);
    else
        json_raw(w, TEXT("[]"));
    json_end_object(w);
}

static int answer_id(struct aws_call *call, struct text id)
{
    json_begin_object(&call->w);
    logs_write_text(&call->w, "queryDefinitionId", id);
    json_end_object(&call->w);
    return 0;
}

int logs_put_query_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text id = aws_param_text(call->in, "queryDefinitionId"), old = TEXT_NONE;
    char fresh[ID_MAX];
    struct json_writer w;
    struct buf row;
    int64_t count = 0;
    int code = id.data ? find(call, view, id, &old) : logs_settings_count(call, view, WATCH_LOG_QUERY, DEFINITIONS_MAX, &count);
    if (!code && count >= DEFINITIONS_MAX)
        return logs_fail(call, ERR_FULL);
    if (!code && old.data)
        code = watch_log_setting_delete(tick, WATCH_LOG_QUERY, old);
    if (code)
        return call->fault ? code : logs_fail(call, code);
    if (!id.data) {
        aws_uuid(fresh);
        id = arena_copy(call->arena, text_of(fresh));
    }
    struct text key = arena_format(call->arena, "%.*s\n%.*s", TEXT_FMT(aws_param_text(call->in, "name")), TEXT_FMT(id));
    if (!id.data || !key.data)
        return aws_no_memory(call);
    buf_init(&row, LOGS_ROW_MAX);
    json_writer_init(&w, &row);
    write_row(call, &w, id, tick_now_ms(tick));
    code = logs_setting_keep(call, tick, WATCH_LOG_QUERY, key, &row);
    return code ? code : answer_id(call, id);
}

/* ---- DescribeQueryDefinitions, DeleteQueryDefinition ---- */

static int show(struct aws_call *call, struct text name, const struct json *row)
{
    (void)name;
    json_value(&call->w, row);
    return 1;
}

int logs_describe_saved_prepare(struct aws_call *call)
{
    struct logs_page *page = arena_zalloc(call->arena, sizeof(*page));
    if (!page)
        return aws_no_memory(call);
    call->state = page;
    *page = (struct logs_page){.call = call, .kind = WATCH_LOG_QUERY, .array = "queryDefinitions", .prefix = aws_param_text(call->in, "queryDefinitionNamePrefix"),
        .limit = logs_integer(call, "maxResults", 1000), .token = 'Q', .show = show};
    int code = check_language(call);
    return code ? code : logs_token(call, 'Q', &page->from);
}

int logs_describe_saved_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct logs_page *page = call->state;
    (void)tick;
    page->view = view;
    return logs_page_write(page);
}

int logs_delete_query_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct text key;
    int code = find(call, view, aws_param_text(call->in, "queryDefinitionId"), &key);
    if (code)
        return code;
    code = watch_log_setting_delete(tick, WATCH_LOG_QUERY, key);
    if (code)
        return logs_fail(call, code);
    json_begin_object(&call->w);
    json_name(&call->w, "success");
    json_bool(&call->w, true);
    json_end_object(&call->w);
    return 0;
}

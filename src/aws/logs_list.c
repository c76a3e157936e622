/*
 * Lists: groups by name, class and tags (ListLogGroups), and the settings that belong to no group (watch_log_setting), whose rows are the JSON in which they are told again.
 */
#include "aws/logs.h"

#define LIST_DEFAULT 50
#define PARTS_MAX 5
#define PART_MIN 3
#define PART_MAX 24

/* ---- settings ---- */

static int on_setting(void *context, struct text name, struct text value)
{
    struct logs_page *page = context;
    const struct json *row;
    struct arena_mark mark = arena_mark(page->call->arena);
    if (page->count == page->limit) {
        page->next = arena_copy(page->call->arena, name);
        return page->next.data ? 1 : ERR_MEMORY;
    }
    int code = json_parse(page->call->arena, value, 0, &row, NULL);
    if (!code)
        code = page->show(page->call, name, row);
    page->count += code > 0;
    arena_rewind(page->call->arena, mark);
    return code < 0 ? code : 0;
}

int logs_page_write(struct logs_page *page)
{
    struct aws_call *call = page->call;
    page->count = 0;
    page->next = TEXT_NONE;
    json_begin_object(&call->w);
    json_name(&call->w, page->array);
    json_begin_array(&call->w);
    int code = watch_log_setting_each(page->view, call->arena, page->kind, page->prefix, page->from, on_setting, page);
    if (code < 0)
        return logs_fail(call, code);
    json_end_array(&call->w);
    if (page->next.data)
        logs_write_token(call, page->token, page->next);
    json_end_object(&call->w);
    return 0;
}

int logs_setting(struct aws_call *call, struct store_view *view, enum watch_log_setting kind, struct text name, const struct json **row)
{
    struct text value;
    int code = watch_log_setting_get(view, call->arena, kind, name, &value);
    if (!code)
        code = json_parse(call->arena, value, 0, row, NULL);
    return !code || code == ERR_NOT_FOUND ? code : logs_fail(call, code);
}

int logs_setting_keep(struct aws_call *call, struct tick *tick, enum watch_log_setting kind, struct text name, struct buf *out)
{
    int code = out->failed ? ERR_MEMORY : watch_log_setting_put(tick, kind, name, buf_text(out));
    buf_fini(out);
    return code ? logs_fail(call, code) : 0;
}

struct counting {
    int64_t count, max;
};

static int count_one(void *context, struct text name, struct text value)
{
    struct counting *counting = context;
    (void)name;
    (void)value;
    return ++counting->count >= counting->max;
}

int logs_settings_count(struct aws_call *call, struct store_view *view, enum watch_log_setting kind, int64_t max, int64_t *count)
{
    struct counting counting = {.max = max};
    int code = watch_log_setting_each(view, call->arena, kind, TEXT_NONE, TEXT_NONE, count_one, &counting);
    *count = counting.count;
    return code < 0 ? logs_fail(call, code) : 0;
}

int logs_check_policy(struct aws_call *call, const char *member)
{
    struct text text = aws_param_text(call->in, member);
    const struct json *root;
    struct err err = {0};
    int code = json_parse(call->arena, text, 0, &root, &err);
    if (code == ERR_MEMORY)
        return aws_no_memory(call);
    if (code || !json_is(root, JSON_OBJECT))
        return aws_fail(call, LOGS_INVALID, "The specified %s is not a JSON object.", member);
    const struct json *statement = shape_get(root, "Statement");
    if (!json_is(statement, JSON_ARRAY) && !json_is(statement, JSON_OBJECT))
        return aws_fail(call, LOGS_INVALID, "The specified %s has no Statement.", member);
    return 0;
}

/* ---- ListLogGroups ---- */

struct listing {
    struct aws_call *call;
    struct text from;
    struct text part[PARTS_MAX]; /* of the name: one of them at the beginning ('^') or anywhere */
    size_t parts;
    const struct json *tags;
    int wanted_class;            /* -1: any */
    int64_t limit, count;
    struct text next;
};

static int pattern_fails(struct aws_call *call, struct text pattern)
{
    return aws_fail(call, LOGS_INVALID,
        "1 validation error detected: Value '%.*s' at 'logGroupNamePattern' failed to satisfy constraint: Member must satisfy regular expression pattern: "
        "(\\^?[\\.\\-_\\/#A-Za-z0-9]{3,24})(\\|\\^?[\\.\\-_\\/#A-Za-z0-9]{3,24}){0,4}",
        TEXT_FMT(pattern));
}

static int read_pattern(struct aws_call *call, struct listing *list, struct text pattern)
{
    for (size_t at = 0; at <= pattern.len;) {
        ptrdiff_t bar = text_find(pattern, '|', at);
        size_t end = bar < 0 ? pattern.len : (size_t)bar;
        struct text part = text_make(pattern.data + at, end - at), plain = part;
        if (plain.len && plain.data[0] == '^')
            plain = text_make(plain.data + 1, plain.len - 1);
        if (list->parts == PARTS_MAX || plain.len < PART_MIN || plain.len > PART_MAX || !watch_log_group_name_valid(plain))
            return pattern_fails(call, pattern);
        list->part[list->parts++] = part;
        at = end + 1;
    }
    return 0;
}

int logs_list_groups_prepare(struct aws_call *call)
{
    static const char *const classes[] = {"STANDARD", "INFREQUENT_ACCESS", "DELIVERY"};
    struct listing *list = arena_zalloc(call->arena, sizeof(*list));
    struct text pattern = aws_param_text(call->in, "logGroupNamePattern");
    if (!list)
        return aws_no_memory(call);
    call->state = list;
    list->call = call;
    list->tags = shape_get(call->in, "logGroupTags");
    list->wanted_class = -1;
    for (int i = 0; i < 3; i++)
        if (aws_param_is(call->in, "logGroupClass", classes[i]))
            list->wanted_class = i;
    list->limit = logs_integer(call, "limit", LIST_DEFAULT);
    int code = pattern.data ? read_pattern(call, list, pattern) : 0;
    if (!code)
        code = logs_token(call, 'l', &list->from);
    return code ? code : logs_may_group(call, TEXT("*"));
}

static bool contains(struct text text, struct text part)
{
    for (size_t at = 0; at + part.len <= text.len; at++)
        if (memcmp(text.data + at, part.data, part.len) == 0)
            return true;
    return false;
}

static bool has_name(const struct listing *list, struct text name)
{
    for (size_t i = 0; i < list->parts; i++) {
        struct text part = list->part[i];
        if (part.data[0] == '^' ? text_starts(name, text_make(part.data + 1, part.len - 1)) : contains(name, part))
            return true;
    }
    return !list->parts;
}

/* A value: "!" in front for what it must not be, "*" at either end for anything. */
static bool value_fits(struct text value, struct text pattern)
{
    bool not = pattern.len && pattern.data[0] == '!';
    if (not)
        pattern = text_make(pattern.data + 1, pattern.len - 1);
    bool open = pattern.len && pattern.data[0] == '*', ends = pattern.len > open && pattern.data[pattern.len - 1] == '*';
    struct text core = text_make(pattern.data + open, pattern.len - open - ends);
    bool fits = value.len >= core.len;
    if (fits && open && ends)
        fits = contains(value, core);
    else if (fits && open)
        fits = !core.len || memcmp(value.data + value.len - core.len, core.data, core.len) == 0;
    else
        fits = fits && text_starts(value, core) && (ends || value.len == core.len);
    return fits != not;
}

static bool has_tag(const struct watch_log_group *group, const struct json *filter)
{
    const struct json *values = shape_get(filter, "values");
    struct text key = aws_param_text(filter, "key");
    for (uint32_t i = 0; i < group->tags; i++) {
        if (!text_equal(group->tag[i].key, key))
            continue;
        if (!values || !values->count)
            return true;
        for (const struct json *value = values->first; value; value = value->next)
            if (value_fits(group->tag[i].value, value->text))
                return true;
    }
    return false;
}

static bool is_shown(const struct listing *list, const struct watch_log_group *group)
{
    if (!has_name(list, group->name) || (list->wanted_class >= 0 && list->wanted_class != (int)group->log_class))
        return false;
    for (const struct json *filter = list->tags ? list->tags->first : NULL; filter; filter = filter->next)
        if (!has_tag(group, filter))
            return false;
    return true;
}

static int list_group(void *context, const struct watch_log_group *group)
{
    struct listing *list = context;
    struct json_writer *w = &list->call->w;
    if (!is_shown(list, group))
        return 0;
    if (list->count++ == list->limit) {
        list->next = group->name;
        return 1;
    }
    struct text arn = logs_arn(list->call, group->name);
    if (!arn.data)
        return ERR_MEMORY;
    json_begin_object(w);
    logs_write_text(w, "logGroupName", group->name);
    logs_write_text(w, "logGroupArn", arn);
    logs_write_text(w, "logGroupClass", text_of(logs_class_name(group->log_class)));
    json_end_object(w);
    return 0;
}

int logs_list_groups_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct listing *list = call->state;
    /* Field indexes and data sources are what groups here do not have, so none has those that are asked for. */
    bool none = shape_get(call->in, "fieldIndexNames") || shape_get(call->in, "dataSources");
    (void)tick;
    list->count = 0;
    list->next = TEXT_NONE;
    json_begin_object(&call->w);
    json_name(&call->w, "logGroups");
    json_begin_array(&call->w);
    int code = none ? 0 : watch_log_group_each(view, call->arena, TEXT_NONE, list->from, list_group, list);
    if (code < 0)
        return logs_fail(call, code);
    json_end_array(&call->w);
    if (list->next.data)
        logs_write_token(call, 'l', list->next);
    json_end_object(&call->w);
    return 0;
}

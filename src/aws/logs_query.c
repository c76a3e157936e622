/*
 * Insights on the wire: StartQuery, GetQueryResults, StopQuery, DescribeQueries. The language is watch/query.h, running is watch/query_jobs.h; here names are found and judged.
 *
 * startTime and endTime are seconds and both are meant to the end of their second; values that can only be milliseconds are taken as such. A result that is not that of all
 * events says so in "partial", which AWS's answer does not have; a query that read or took too long ends as Timeout and shows what it found.
 */
#include "aws/logs.h"

#include "watch/query_jobs.h"

#define SECONDS_MAX INT64_C(100000000000) /* above it a time is milliseconds */

struct start {
    struct text group[WATCH_QUERY_SOURCES_MAX];
    size_t groups;
    struct text text;
    int64_t from_ms, to_ms;
    uint32_t limit;
};

static int no_queries(struct aws_call *call)
{
    return aws_fail(call, LOGS_UNAVAILABLE, "The service cannot complete the request.");
}

static int64_t milliseconds(int64_t given)
{
    return given >= SECONDS_MAX ? given : given * SECOND_MS;
}

static int add_group(struct aws_call *call, struct start *start, struct text name)
{
    for (size_t i = 0; i < start->groups; i++)
        if (text_equal(start->group[i], name))
            return 0;
    if (start->groups == WATCH_QUERY_SOURCES_MAX)
        return aws_fail(call, LOGS_INVALID, "A query can have at most %d log groups.", WATCH_QUERY_SOURCES_MAX);
    if (!watch_log_group_name_valid(name))
        return aws_fail(call, LOGS_INVALID, "Invalid log group name: %.*s", TEXT_FMT(name));
    start->group[start->groups++] = name;
    return logs_may_group(call, name);
}

/* One of the members of a list that may be names or ARNs. */
static int add_listed(struct aws_call *call, struct start *start, struct text given)
{
    struct text name = given;
    if (text_starts(given, TEXT("arn:"))) {
        ptrdiff_t at = -1;
        for (size_t i = 0; i + 11 <= given.len && at < 0; i++)
            if (memcmp(given.data + i, ":log-group:", 11) == 0)
                at = (ptrdiff_t)i + 11;
        if (at < 0)
            return aws_fail(call, LOGS_INVALID, "Invalid log group ARN: %.*s", TEXT_FMT(given));
        name = text_make(given.data + at, given.len - (size_t)at);
        if (name.len > 2 && memcmp(name.data + name.len - 2, ":*", 2) == 0)
            name.len -= 2;
    }
    return add_group(call, start, name);
}

static int find_groups(struct aws_call *call, struct start *start)
{
    static const char *const lists[] = {"logGroupNames", "logGroupIdentifiers"};
    struct text one = aws_param_text(call->in, "logGroupName");
    int given = one.data != NULL, code = 0;
    for (int i = 0; i < 2; i++)
        given += shape_get(call->in, lists[i]) != NULL;
    if (given > 1)
        return aws_fail(call, LOGS_INVALID, "Exactly one of logGroupName, logGroupNames and logGroupIdentifiers must be given.");
    if (one.data)
        return add_group(call, start, one);
    for (int i = 0; i < 2; i++) {
        const struct json *list = shape_get(call->in, lists[i]);
        for (const struct json *at = list ? list->first : NULL; at && !code; at = at->next)
            code = add_listed(call, start, at->text);
    }
    return code;
}

static int malformed(struct aws_call *call, const struct watch_query_error *error)
{
    struct buf out;
    struct json_writer w;
    buf_init(&out, 4096);
    json_writer_init(&w, &out);
    json_begin_object(&w);
    json_name(&w, "location");
    json_begin_object(&w);
    logs_write_i64(&w, "startCharOffset", (int64_t)error->start);
    logs_write_i64(&w, "endCharOffset", (int64_t)error->end);
    json_end_object(&w);
    logs_write_text(&w, "message", text_of(error->text));
    json_end_object(&w);
    struct text location = out.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&out));
    buf_fini(&out);
    int code = aws_fail(call, LOGS_MALFORMED, "%s", error->text);
    call->fault_location = location;
    return code;
}

static int compile(struct aws_call *call, const struct start *start, struct watch_query **out)
{
    struct watch_query_error error;
    int code = watch_query_compile(start->text, start->limit, out, &error);
    return !code ? 0 : code == ERR_SYNTAX ? malformed(call, &error) : aws_no_memory(call);
}

/* SOURCE names groups in the query itself. */
static int add_sources(struct aws_call *call, struct start *start, const struct watch_query *query)
{
    const struct text *source;
    size_t count = watch_query_sources(query, &source);
    int code = 0;
    for (size_t i = 0; i < count && !code; i++) {
        struct text name = arena_copy(call->arena, source[i]);
        code = name.data ? add_listed(call, start, name) : aws_no_memory(call);
    }
    if (!code && !start->groups)
        code = aws_fail(call, LOGS_INVALID, "At least one log group must be given.");
    return code;
}

int logs_start_query_prepare(struct aws_call *call)
{
    struct start *start = arena_zalloc(call->arena, sizeof(*start));
    struct watch_query *query;
    struct text language = aws_param_text(call->in, "queryLanguage");
    if (!start)
        return aws_no_memory(call);
    call->state = start;
    if (language.data && !text_is(language, "CWLI"))
        return aws_fail(call, LOGS_INVALID, "The query language %.*s is not supported; CWLI is.", TEXT_FMT(language));
    start->text = aws_param_text(call->in, "queryString");
    int64_t from = logs_integer(call, "startTime", 0), to = logs_integer(call, "endTime", 0);
    if (from < 0 || to < 0 || to < from)
        return aws_fail(call, LOGS_INVALID, "startTime and endTime must not be negative, and endTime must not be earlier than startTime.");
    start->from_ms = milliseconds(from);
    start->to_ms = to >= SECONDS_MAX ? (to < INT64_MAX ? to + 1 : to) : milliseconds(to) + SECOND_MS;
    start->limit = (uint32_t)logs_integer(call, "limit", WATCH_QUERY_LIMIT_MAX);
    int code = find_groups(call, start);
    if (!code)
        code = compile(call, start, &query);
    if (code)
        return code;
    code = add_sources(call, start, query);
    watch_query_destroy(query);
    return code;
}

int logs_start_query_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct start *start = call->state;
    struct watch_query *query;
    struct watch_log_group group;
    char id[WATCH_QUERY_ID_SIZE];
    (void)tick;
    if (!call->config->queries)
        return no_queries(call);
    for (size_t i = 0; i < start->groups; i++) {
        int code = watch_log_group_get(view, call->arena, start->group[i], &group);
        if (code == ERR_NOT_FOUND)
            return aws_fail(call, LOGS_NOT_FOUND, "Log group '%.*s' does not exist for account ID '%.*s'", TEXT_FMT(start->group[i]), TEXT_FMT(call->config->account));
        if (code)
            return logs_fail(call, code);
    }
    int code = compile(call, start, &query);
    if (code)
        return code;
    aws_uuid(id);
    struct watch_query_ask ask = {query, start->text, start->group, start->groups, start->from_ms, start->to_ms};
    code = watch_queries_start(call->config->queries, &ask, id);
    if (code) {
        watch_query_destroy(query);
        return code == ERR_FULL ? aws_fail(call, LOGS_LIMIT, "Account maximum query concurrency limit of [%d] reached.", WATCH_QUERIES_ACTIVE_MAX) : aws_no_memory(call);
    }
    json_begin_object(&call->w);
    logs_write_text(&call->w, "queryId", text_of(id));
    json_end_object(&call->w);
    return 0;
}

/* ---- looking ---- */

static const char *status_name(enum watch_query_status status)
{
    static const char *const names[] = {"Scheduled", "Running", "Complete", "Failed", "Cancelled", "Timeout"};
    return names[status];
}

static void write_double(struct json_writer *w, const char *name, uint64_t value)
{
    json_name(w, name);
    json_double(w, (double)value);
}

struct results {
    struct aws_call *call;
    uint64_t from;
    int64_t max; /* negative: all */
};

/* Some of the rows, when that was asked for: the result is JSON already, so it is taken apart again. */
static int write_page(struct results *results, struct text rows)
{
    struct aws_call *call = results->call;
    struct arena_mark mark = arena_mark(call->arena);
    const struct json *root;
    uint64_t number = 0, end = results->from + (uint64_t)results->max;
    int code = json_parse(call->arena, rows, 0, &root, NULL);
    if (code)
        return code;
    json_begin_array(&call->w);
    for (const struct json *row = root->first; row && number < end; row = row->next)
        if (number++ >= results->from)
            json_value(&call->w, row);
    json_end_array(&call->w);
    bool more = end < root->count && results->max;
    arena_rewind(call->arena, mark);
    if (more)
        logs_write_token(call, 'R', arena_format(call->arena, "%llu", (unsigned long long)end));
    return 0;
}

static int show_results(void *context, const struct watch_query_seen *seen)
{
    struct results *results = context;
    struct json_writer *w = &results->call->w;
    bool paged = seen->rows.len && (results->max >= 0 || results->from);
    json_begin_object(w);
    logs_write_text(w, "queryLanguage", TEXT("CWLI"));
    json_name(w, "results");
    if (!paged)
        json_raw(w, seen->rows.len ? seen->rows : TEXT("[]"));
    else if (write_page(results, seen->rows))
        return ERR_MEMORY;
    json_name(w, "statistics");
    json_begin_object(w);
    write_double(w, "recordsMatched", seen->totals.matched);
    write_double(w, "recordsScanned", seen->totals.scanned);
    write_double(w, "estimatedRecordsSkipped", 0);
    write_double(w, "bytesScanned", seen->totals.bytes);
    write_double(w, "estimatedBytesSkipped", 0);
    write_double(w, "logGroupsScanned", seen->groups);
    json_end_object(w);
    logs_write_text(w, "status", text_of(status_name(seen->status)));
    if (seen->totals.partial)
        logs_write_text(w, "partial", text_of(seen->totals.partial));
    json_end_object(w);
    return 0;
}

static int no_such_query(struct aws_call *call)
{
    struct text id = aws_param_text(call->in, "queryId");
    return aws_fail(call, LOGS_NOT_FOUND, "Query '%.*s' does not exist.", (int)(id.len > 100 ? 100 : id.len), id.data);
}

int logs_query_results_prepare(struct aws_call *call)
{
    struct results *results = arena_zalloc(call->arena, sizeof(*results));
    struct text token;
    if (!results)
        return aws_no_memory(call);
    call->state = results;
    results->call = call;
    results->max = logs_integer(call, "maxItems", -1);
    int code = logs_token(call, 'R', &token);
    if (code || !token.data)
        return code;
    if (results->max < 0)
        results->max = WATCH_QUERY_LIMIT_MAX;
    return text_to_u64(token, UINT32_MAX, &results->from) ? aws_fail(call, LOGS_INVALID, "The specified nextToken is invalid.") : 0;
}

int logs_query_results_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)view;
    (void)tick;
    if (!call->config->queries)
        return no_queries(call);
    int code = watch_queries_look(call->config->queries, aws_param_text(call->in, "queryId"), show_results, call->state);
    return code == ERR_NOT_FOUND ? no_such_query(call) : code == ERR_MEMORY ? aws_no_memory(call) : code;
}

int logs_stop_query_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)view;
    (void)tick;
    if (!call->config->queries)
        return no_queries(call);
    int code = watch_queries_stop(call->config->queries, aws_param_text(call->in, "queryId"));
    if (code == ERR_NOT_FOUND)
        return no_such_query(call);
    if (code)
        return aws_fail(call, LOGS_INVALID, "Query is not in a running state.");
    json_begin_object(&call->w);
    json_name(&call->w, "success");
    json_bool(&call->w, true);
    json_end_object(&call->w);
    return 0;
}

struct describe {
    struct aws_call *call;
    struct text group, status, after; /* after: a query's id; what comes behind it is shown */
    int64_t left;
    bool more;
    char last[WATCH_QUERY_ID_SIZE];
};

int logs_describe_queries_prepare(struct aws_call *call)
{
    struct describe *describe = arena_zalloc(call->arena, sizeof(*describe));
    if (!describe)
        return aws_no_memory(call);
    call->state = describe;
    describe->call = call;
    describe->group = aws_param_text(call->in, "logGroupName");
    describe->status = aws_param_text(call->in, "status");
    return logs_token(call, 'q', &describe->after);
}

static bool has_group(const struct watch_query_seen *seen, struct text name)
{
    for (size_t i = 0; i < seen->groups; i++)
        if (text_equal(seen->group[i], name))
            return true;
    return !name.data;
}

static int show_query(void *context, const struct watch_query_seen *seen)
{
    struct describe *describe = context;
    struct json_writer *w = &describe->call->w;
    if (describe->after.data) {
        if (text_is(describe->after, seen->id))
            describe->after = TEXT_NONE;
        return 0;
    }
    if (!has_group(seen, describe->group) || (describe->status.data && !text_is(describe->status, status_name(seen->status))))
        return 0;
    if (!describe->left) {
        describe->more = true;
        return 1;
    }
    describe->left--;
    memcpy(describe->last, seen->id, sizeof(describe->last));
    json_begin_object(w);
    logs_write_text(w, "queryLanguage", TEXT("CWLI"));
    logs_write_text(w, "queryId", text_of(seen->id));
    logs_write_text(w, "queryString", seen->text);
    logs_write_text(w, "status", text_of(status_name(seen->status)));
    logs_write_i64(w, "createTime", seen->created_ms);
    logs_write_text(w, "logGroupName", seen->group[0]);
    write_double(w, "bytesScanned", seen->totals.bytes);
    json_end_object(w);
    return 0;
}

int logs_describe_queries_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct describe describe = *(struct describe *)call->state; /* it may run again */
    (void)view;
    (void)tick;
    if (!call->config->queries)
        return no_queries(call);
    describe.left = logs_integer(call, "maxResults", 1000);
    json_begin_object(&call->w);
    json_name(&call->w, "queries");
    json_begin_array(&call->w);
    watch_queries_each(call->config->queries, show_query, &describe);
    json_end_array(&call->w);
    if (describe.more)
        logs_write_token(call, 'q', text_of(describe.last));
    json_end_object(&call->w);
    return 0;
}

/* ---- ListLogGroupsForQuery ---- */

struct query_groups {
    struct aws_call *call;
    uint64_t from;
    int64_t limit;
};

int logs_query_groups_prepare(struct aws_call *call)
{
    struct query_groups *list = arena_zalloc(call->arena, sizeof(*list));
    struct text token;
    if (!list)
        return aws_no_memory(call);
    call->state = list;
    list->call = call;
    list->limit = logs_integer(call, "maxResults", 500);
    int code = logs_token(call, 'G', &token);
    if (code || !token.data)
        return code;
    return text_to_u64(token, WATCH_QUERY_SOURCES_MAX, &list->from) ? aws_fail(call, LOGS_INVALID, "The specified nextToken is invalid.") : 0;
}

static int show_groups(void *context, const struct watch_query_seen *seen)
{
    struct query_groups *list = context;
    struct json_writer *w = &list->call->w;
    size_t at = list->from;
    json_begin_object(w);
    json_name(w, "logGroupIdentifiers");
    json_begin_array(w);
    for (int64_t i = 0; i < list->limit && at < seen->groups; i++)
        json_text(w, seen->group[at++]);
    json_end_array(w);
    if (at < seen->groups)
        logs_write_token(list->call, 'G', arena_format(list->call->arena, "%zu", at));
    json_end_object(w);
    return 0;
}

int logs_query_groups_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)view;
    (void)tick;
    if (!call->config->queries)
        return no_queries(call);
    int code = watch_queries_look(call->config->queries, aws_param_text(call->in, "queryId"), show_groups, call->state);
    return code == ERR_NOT_FOUND ? no_such_query(call) : code;
}

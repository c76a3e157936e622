/*
 * Tables made, described, listed and dropped. A table is usable as soon as CreateTable is acknowledged: its answer says CREATING as AWS's does, the next
 * DescribeTable ACTIVE. Tables that an application declared are listed and described like all others, but only their declaration changes or removes them.
 */
#include "aws/backup.h"
#include "aws/schema.h"
#include "aws/streams.h"

static void begin_member(struct aws_call *call, const char *name)
{
    json_begin_object(&call->w);
    json_name(&call->w, name);
}

/* ---- CreateTable ---- */

int ddb_create_table_prepare(struct aws_call *call)
{
    struct ddb_schema *schema = arena_alloc(call->arena, sizeof(*schema));
    call->state = schema;
    int code = schema ? ddb_schema_read(call, schema) : aws_no_memory(call);
    if (!code && text_starts(schema->decl.name, TEXT("weir.")))
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: table names that begin with weir. are kept for weir itself");
    return code;
}

/* Also true for a table that was made earlier in the same tick. */
static int exists(struct aws_call *call, struct store_view *view, struct text name, bool *found)
{
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    if (!meta)
        return aws_no_memory(call);
    int code = ddb_meta_get(view, call->arena, name, meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    const struct store_table *table = store_table_find(view->store, name);
    *found = meta->made || (table && !meta->made && store_table_decl(table));
    return 0;
}

int ddb_create_table_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct ddb_schema *schema = call->state;
    const struct store_table *table;
    struct err err = {0};
    bool found = false;
    int code = exists(call, view, schema->decl.name, &found);
    if (code)
        return code;
    if (found)
        return aws_fail(call, DDB_IN_USE, "Table already exists: %.*s", TEXT_FMT(schema->decl.name));
    code = store_table_define(tick_stage(tick), &schema->decl, &table, &err);
    if (!code && schema->meta.stream_view.len)
        code = streams_follow(view, tick, call->arena, table, &schema->meta);
    if (!code)
        code = ddb_meta_put(tick_stage(tick), schema->decl.name, &schema->meta);
    if (code)
        return aws_store_fail(call, code, &err);
    begin_member(call, "TableDescription");
    code = ddb_describe(call, view, table, &schema->meta, "CREATING");
    json_end_object(&call->w);
    return code;
}

/* ---- DescribeTable ---- */

int ddb_describe_table_prepare(struct aws_call *call)
{
    struct text name;
    const struct store_table *table = NULL;
    int code = ddb_name(call, shape_get(call->in, "TableName"), &name);
    if (!code)
        code = ddb_table_control(call, name, &table);
    call->state = (void *)(uintptr_t)table;
    return code;
}

/* UPDATING while an index is being filled, as AWS says it. */
static const char *status_of(const struct store_table *table)
{
    const struct store_table_decl *decl = store_table_decl(table);
    if (store_table_filling(table))
        return "CREATING";
    for (size_t i = 0; i < decl->indexes; i++) {
        const struct store_index *index = store_index_find(table, decl->index[i].name);
        if (index && !store_index_ready(index))
            return "UPDATING";
    }
    return "ACTIVE";
}

int ddb_describe_table_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    const struct store_table *table = call->state;
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    if (!meta)
        return aws_no_memory(call);
    int code = ddb_meta_get(view, call->arena, store_table_name(table), meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    begin_member(call, "Table");
    code = ddb_describe(call, view, table, meta, status_of(table));
    if (!code)
        json_end_object(&call->w);
    return code;
}

/* ---- ListTables ---- */

int ddb_list_tables_prepare(struct aws_call *call)
{
    struct text start = aws_param_text(call->in, "ExclusiveStartTableName"), last = TEXT_NONE;
    struct json_writer *w = &call->w;
    int64_t limit = 100, n = 0;
    const struct json *given = shape_get(call->in, "Limit");
    if (given)
        json_to_i64(given, &limit);
    begin_member(call, "TableNames");
    json_begin_array(w);
    const struct store_table *table = store_table_next(call->store, NULL);
    for (; table; table = store_table_next(call->store, table)) {
        if ((start.len && text_compare(store_table_name(table), start) <= 0) || ddb_is_hidden(store_table_name(table)))
            continue;
        if (n == limit)
            break;
        last = store_table_name(table);
        json_text(w, last);
        n++;
    }
    json_end_array(w);
    if (table && last.len) { /* only when another one follows */
        json_name(w, "LastEvaluatedTableName");
        json_text(w, last);
    }
    json_end_object(w);
    return 0;
}

/* ---- DeleteTable ---- */

int ddb_delete_table_prepare(struct aws_call *call)
{
    return ddb_describe_table_prepare(call);
}

int ddb_delete_table_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    const struct store_table *table = call->state;
    struct text name = store_table_name(table);
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    struct err err = {0};
    if (!meta)
        return aws_no_memory(call);
    int code = ddb_meta_get(view, call->arena, name, meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    if (!meta->made && store_table_find(view->store, name) == table)
        return aws_fail(call, DDB_IN_USE, "Attempt to change a resource which is still in use: Table %.*s is declared by an application", TEXT_FMT(name));
    if (meta->is_protected)
        return aws_fail(call, AWS_VALIDATION, "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.");
    code = backup_table_ends(call, view, tick, table);
    if (code)
        return code;
    begin_member(call, "TableDescription");
    code = ddb_describe(call, view, table, meta, "DELETING");
    if (code)
        return code;
    json_end_object(&call->w);
    code = store_table_drop(tick_stage(tick), table, &err);
    if (code == ERR_NOT_FOUND)
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found: Table: %.*s not found", TEXT_FMT(name));
    if (!code)
        code = streams_end(view, tick, call->arena, name);
    if (!code)
        code = ddb_meta_delete(tick_stage(tick), name);
    return code ? aws_store_fail(call, code, &err) : 0;
}

/* ---- DescribeLimits, DescribeEndpoints ---- */

int ddb_limits_prepare(struct aws_call *call)
{
    static const char *const names[] = {"AccountMaxReadCapacityUnits", "AccountMaxWriteCapacityUnits", "TableMaxReadCapacityUnits", "TableMaxWriteCapacityUnits"};
    json_begin_object(&call->w);
    for (size_t i = 0; i < 4; i++) {
        json_name(&call->w, names[i]);
        json_i64(&call->w, i < 2 ? 80000 : 40000);
    }
    json_end_object(&call->w);
    return 0;
}

int ddb_endpoints_prepare(struct aws_call *call)
{
    struct text url = call->config->public_url.len ? call->config->public_url : call->host;
    struct json_writer *w = &call->w;
    struct text address = url.len ? url : arena_format(call->arena, "dynamodb.%.*s.amazonaws.com", TEXT_FMT(call->config->region));
    if (!address.data)
        return aws_no_memory(call);
    begin_member(call, "Endpoints");
    json_begin_array(w);
    json_begin_object(w);
    json_name(w, "Address");
    json_text(w, address);
    json_name(w, "CachePeriodInMinutes");
    json_i64(w, 1440);
    json_end_object(w);
    json_end_array(w);
    json_end_object(w);
    return 0;
}

/*
 * The table that a restore makes: its source's keys and indexes, billed as its source unless the request says otherwise, without what AWS does not restore either:
 * tags, time to live, stream, continuous backups, deletion protection. It is in the catalogue from the first moment, CREATING and closed to everybody
 * (store_table_filling), until the job has filled it.
 */
#include "aws/backup.h"

#include "store/key.h"

#define INVALID "One or more parameter values were invalid: "

/* ---- indexes ---- */

static const struct json *find_index(const struct json *list, struct text name)
{
    for (const struct json *at = list ? list->first : NULL; at; at = at->next)
        if (text_equal(aws_param_text(at, "IndexName"), name))
            return at;
    return NULL;
}

static bool same_key(const struct json *list, const struct store_key *key)
{
    size_t i = 0;
    for (const struct json *at = list ? list->first : NULL; at; at = at->next, i++)
        if (i >= store_key_parts(key) || !text_equal(aws_param_text(at, "AttributeName"), key->part[i].name) ||
            aws_param_is(at, "KeyType", "HASH") != (i < key->hashes))
            return false;
    return i == store_key_parts(key);
}

static bool same_projection(const struct json *projection, const struct store_index_decl *index)
{
    static const char *const types[] = {"ALL", "KEYS_ONLY", "INCLUDE"};
    const struct json *names = shape_get(projection, "NonKeyAttributes");
    size_t found = 0;
    if (!aws_param_is(projection, "ProjectionType", types[index->projection]))
        return false;
    for (const struct json *at = names ? names->first : NULL; at; at = at->next)
        for (size_t i = 0; i < index->includes; i++)
            found += text_equal(at->text, index->include[i]);
    return found == index->includes && (names ? names->count : 0) == index->includes;
}

static struct ddb_index_meta *meta_of(struct ddb_meta *meta, struct text name)
{
    for (size_t i = 0; i < meta->indexes; i++)
        if (text_equal(meta->index[i].name, name))
            return &meta->index[i];
    return NULL;
}

static int keep_index(struct aws_call *call, struct restore *restore, const struct store_index_decl *index, const struct ddb_index_meta *meta, const struct json *given)
{
    struct ddb_schema *schema = &restore->schema;
    if (given && (!same_key(shape_get(given, "KeySchema"), &index->key) || !same_projection(shape_get(given, "Projection"), index)))
        return aws_fail(call, AWS_VALIDATION, INVALID "Index %.*s does not match the index of the source table: an override may only leave indexes out",
            TEXT_FMT(index->name));
    schema->decl.index[schema->decl.indexes++] = *index;
    struct ddb_index_meta *own = &schema->meta.index[schema->meta.indexes++];
    *own = meta ? *meta : (struct ddb_index_meta){.name = index->name};
    const struct json *throughput = shape_get(given, "ProvisionedThroughput");
    if (throughput) {
        json_to_i64(shape_get(throughput, "ReadCapacityUnits"), &own->reads);
        json_to_i64(shape_get(throughput, "WriteCapacityUnits"), &own->writes);
    }
    return 0;
}

/* The names of an override are all names of the source's indexes. */
static int check_names(struct aws_call *call, const char *parameter, const struct store_table_decl *decl, const struct ddb_meta *meta, bool local)
{
    const struct json *list = shape_get(call->in, parameter);
    for (const struct json *at = list ? list->first : NULL; at; at = at->next) {
        struct text name = aws_param_text(at, "IndexName");
        bool found = false;
        for (size_t i = 0; i < decl->indexes && !found; i++)
            found = text_equal(decl->index[i].name, name) && ddb_meta_is_local(meta, name) == local;
        if (!found)
            return aws_fail(call, AWS_VALIDATION, INVALID "The source table has no such index: %.*s", TEXT_FMT(name));
    }
    return 0;
}

static int choose_indexes(struct aws_call *call, struct restore *restore, const struct store_table_decl *decl, struct ddb_meta *meta)
{
    const struct json *globals = shape_get(call->in, "GlobalSecondaryIndexOverride"), *locals = shape_get(call->in, "LocalSecondaryIndexOverride");
    int code = check_names(call, "GlobalSecondaryIndexOverride", decl, meta, false);
    if (!code)
        code = check_names(call, "LocalSecondaryIndexOverride", decl, meta, true);
    for (size_t i = 0; i < decl->indexes && !code; i++) {
        const struct store_index_decl *index = &decl->index[i];
        const struct json *list = ddb_meta_is_local(meta, index->name) ? locals : globals;
        const struct json *given = find_index(list, index->name);
        if (!list || given)
            code = keep_index(call, restore, index, meta_of(meta, index->name), given);
    }
    return code;
}

/* ---- billing ---- */

static int choose_billing(struct aws_call *call, struct ddb_meta *meta, const struct ddb_meta *source, int64_t now_ms)
{
    struct text mode = aws_param_text(call->in, "BillingModeOverride");
    const struct json *throughput = shape_get(call->in, "ProvisionedThroughputOverride");
    meta->on_demand_mode = mode.len ? text_is(mode, "PAY_PER_REQUEST") : source->on_demand_mode;
    meta->reads = source->reads;
    meta->writes = source->writes;
    meta->mode_ms = meta->on_demand_mode ? now_ms : 0;
    meta->on_demand = source->on_demand;
    if (meta->on_demand_mode && throughput)
        return aws_fail(call, AWS_VALIDATION, INVALID "ProvisionedThroughputOverride cannot be specified when the table is restored with BillingMode PAY_PER_REQUEST");
    if (!meta->on_demand_mode && source->on_demand_mode && !throughput)
        return aws_fail(call, AWS_VALIDATION, INVALID "ProvisionedThroughputOverride must be specified when BillingModeOverride is PROVISIONED");
    if (throughput) {
        json_to_i64(shape_get(throughput, "ReadCapacityUnits"), &meta->reads);
        json_to_i64(shape_get(throughput, "WriteCapacityUnits"), &meta->writes);
    }
    if (meta->on_demand_mode) {
        meta->reads = meta->writes = 0;
        for (size_t i = 0; i < meta->indexes; i++)
            meta->index[i].reads = meta->index[i].writes = 0;
    }
    if (shape_get(call->in, "OnDemandThroughputOverride"))
        meta->on_demand = ddb_schema_json(call, shape_get(call->in, "OnDemandThroughputOverride"));
    return 0;
}

/* ---- the whole ---- */

int restore_schema(struct aws_call *call, struct restore *restore, const struct store_table_decl *decl, const struct ddb_meta *meta, int64_t now_ms)
{
    struct ddb_schema *schema = &restore->schema;
    struct text name = aws_param_text(call->in, "TargetTableName");
    struct ddb_meta *source = arena_alloc(call->arena, sizeof(*source));
    if (!source)
        return aws_no_memory(call);
    *source = *meta;
    if (text_starts(name, TEXT("arn:")))
        return aws_fail(call, AWS_VALIDATION, INVALID "TargetTableName is a name, not an ARN");
    schema->decl = (struct store_table_decl){.name = name, .hash = decl->hash, .range = decl->range, .hash_type = decl->hash_type, .range_type = decl->range_type,
        .counted = decl->counted};
    schema->meta = (struct ddb_meta){.made = true, .created_ms = now_ms, .table_class = meta->table_class};
    aws_uuid(schema->meta.id);
    int code = choose_indexes(call, restore, decl, source);
    return code ? code : choose_billing(call, &schema->meta, source, now_ms);
}

int restore_target_check(struct aws_call *call, struct store_view *view, struct text name, enum aws_fault fault)
{
    struct ddb_meta *meta = arena_alloc(call->arena, sizeof(*meta));
    if (!meta)
        return aws_no_memory(call);
    if (text_starts(name, TEXT("weir.")))
        return aws_fail(call, AWS_VALIDATION, INVALID "table names that begin with weir. are kept for weir itself");
    int code = ddb_meta_get(view, call->arena, name, meta); /* knows also what was made earlier in this tick */
    if (code)
        return aws_store_fail(call, code, NULL);
    return meta->made || store_table_find(view->store, name) ? aws_fail(call, fault, "Table already exists: %.*s", TEXT_FMT(name)) : 0;
}

int restore_fill(struct aws_call *call, struct tick *tick, struct restore *restore)
{
    struct ddb_schema *schema = &restore->schema;
    struct text name = schema->decl.name, row = arena_format(call->arena, "t%.*s", TEXT_FMT(name));
    struct err err = {0};
    if (!row.data)
        return aws_no_memory(call);
    int code = store_table_define(tick_stage(tick), &schema->decl, &restore->table, &err);
    if (!code)
        code = store_table_set_filling(tick_stage(tick), restore->table, true, &err);
    if (!code)
        code = ddb_meta_put(tick_stage(tick), name, &schema->meta);
    if (code)
        return aws_store_fail(call, code, &err);
    restore->job.target = name;
    restore->job.target_id = store_table_id(restore->table);
    restore->job.undo_space = STORE_SPACE_AWS;
    restore->job.undo_key = row;
    code = job_stage(call->config->jobs, tick, &restore->job);
    return code ? backup_stage_fail(call, code) : 0;
}

int restore_begin(struct aws_call *call, struct store_view *view, struct tick *tick, struct restore *restore)
{
    int code = restore_target_check(call, view, restore->schema.decl.name, DDB_TABLE_EXISTS);
    if (!code)
        code = restore_fill(call, tick, restore);
    if (code)
        return code;
    json_begin_object(&call->w);
    json_name(&call->w, "TableDescription");
    code = ddb_describe(call, view, restore->table, &restore->schema.meta, "CREATING");
    json_end_object(&call->w);
    return code;
}

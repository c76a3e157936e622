/*
 * UpdateTable: how a table is billed, its stream, one global index made or dropped, protection, class. A new index is filled by the store's backfill in slices;
 * DescribeTable says CREATING and Backfilling meanwhile.
 *
 * The request is judged twice: what it says alone in prepare; what it changes in the tick, on the table as it is then.
 */
#include "aws/schema.h"
#include "aws/streams.h"

#define INVALID "One or more parameter values were invalid: "

struct updating {
    const struct store_table *table;
    struct ddb_schema *schema; /* made in the tick */
};

static int check_parameters(struct aws_call *call)
{
    static const char *const any[] = {"BillingMode", "ProvisionedThroughput", "GlobalSecondaryIndexUpdates", "StreamSpecification", "SSESpecification", "TableClass",
        "DeletionProtectionEnabled", "OnDemandThroughput", "WarmThroughput"};
    const struct json *changes = shape_get(call->in, "GlobalSecondaryIndexUpdates");
    bool given = false;
    size_t online = 0;
    for (size_t i = 0; i < sizeof(any) / sizeof(any[0]); i++)
        given = given || shape_get(call->in, any[i]);
    if (shape_get(call->in, "ReplicaUpdates"))
        return aws_fail(call, AWS_VALIDATION, INVALID "Replicas are not supported");
    if (!given || (changes && !changes->count))
        return aws_fail(call, AWS_VALIDATION,
            "At least one of ProvisionedThroughput, BillingMode, UpdateStreamEnabled, GlobalSecondaryIndexUpdates or SSESpecification or ReplicaUpdates is required");
    for (const struct json *at = changes ? changes->first : NULL; at; at = at->next) {
        bool create = shape_get(at, "Create"), drop = shape_get(at, "Delete"), update = shape_get(at, "Update");
        if (create + drop + update != 1)
            return aws_fail(call, AWS_VALIDATION, INVALID "Only one of Create, Update or Delete is allowed, and one is required, in a GlobalSecondaryIndexUpdate");
        online += create || drop;
    }
    if (online > 1)
        return aws_fail(call, DDB_LIMIT, "Subscriber limit exceeded: Only 1 online index can be created or deleted simultaneously per table");
    if (aws_param_is(call->in, "BillingMode", "PAY_PER_REQUEST") && shape_get(call->in, "ProvisionedThroughput"))
        return aws_fail(call, AWS_VALIDATION, INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
    return 0;
}

int ddb_update_table_prepare(struct aws_call *call)
{
    struct updating *u = arena_zalloc(call->arena, sizeof(*u));
    struct text name;
    if (!u)
        return aws_no_memory(call);
    call->state = u;
    int code = check_parameters(call);
    if (!code)
        code = ddb_name(call, shape_get(call->in, "TableName"), &name);
    return code ? code : ddb_table_control(call, name, &u->table);
}

/* ---- billing ---- */

#define DAY_MS (24 * HOUR_MS)

/* AWS takes no change that changes nothing. `index` empty: of the table. */
static int refuse_same(struct aws_call *call, struct text index, int64_t reads, int64_t writes)
{
    const char *what = index.len ? "index" : "table";
    return aws_fail(call, AWS_VALIDATION,
        "The provisioned throughput for the %s%s%.*s will not change. The requested value equals the current value. Current ReadCapacityUnits provisioned for the %s: %lld. "
        "Requested ReadCapacityUnits: %lld. Current WriteCapacityUnits provisioned for the %s: %lld. Requested WriteCapacityUnits: %lld. Refer to the Amazon DynamoDB Developer "
        "Guide for current limits and how to request higher limits.",
        what, index.len ? " " : "", TEXT_FMT(index), what, (long long)reads, (long long)reads, what, (long long)writes, (long long)writes);
}

static void note_change(struct ddb_changes *changes, bool raised, bool lowered, int64_t now_ms)
{
    if (raised)
        changes->raised_ms = now_ms;
    if (!lowered)
        return;
    changes->lowered = changes->lowered_ms / DAY_MS == now_ms / DAY_MS ? changes->lowered + 1 : 1;
    changes->lowered_ms = now_ms;
}

static int change_billing(struct aws_call *call, struct ddb_meta *meta, int64_t now_ms)
{
    const struct json *throughput = shape_get(call->in, "ProvisionedThroughput");
    struct text mode = aws_param_text(call->in, "BillingMode");
    int64_t reads = 0, writes = 0;
    bool was = meta->on_demand_mode;
    if (throughput && ddb_schema_units(call, throughput, TEXT(""), &reads, &writes))
        return ERR_INVALID;
    if (text_is(mode, "PAY_PER_REQUEST")) {
        if (!was)
            meta->mode_ms = now_ms;
        meta->on_demand_mode = true;
        meta->reads = meta->writes = 0;
        for (size_t i = 0; i < meta->indexes; i++)
            meta->index[i].reads = meta->index[i].writes = 0;
        return 0;
    }
    if (was && throughput && !mode.len)
        return aws_fail(call, AWS_VALIDATION, INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
    if (was && mode.len && !throughput)
        return aws_fail(call, AWS_VALIDATION, INVALID "ProvisionedThroughput must be specified when BillingMode is PROVISIONED");
    if (!throughput)
        return 0;
    if (!was && reads == meta->reads && writes == meta->writes)
        return refuse_same(call, TEXT(""), reads, writes);
    if (!was)
        note_change(&meta->changes, reads > meta->reads || writes > meta->writes, reads < meta->reads || writes < meta->writes, now_ms);
    meta->on_demand_mode = false;
    meta->reads = reads;
    meta->writes = writes;
    return 0;
}

/* ---- indexes ---- */

static struct ddb_index_meta *global_find(struct ddb_meta *meta, struct text name)
{
    for (size_t i = 0; i < meta->indexes; i++)
        if (!meta->index[i].local && text_equal(meta->index[i].name, name))
            return &meta->index[i];
    return NULL;
}

static int change_units(struct aws_call *call, struct ddb_index_meta *index, const struct json *throughput, int64_t now_ms)
{
    int64_t reads = 0, writes = 0;
    int code = ddb_schema_units(call, throughput, index->name, &reads, &writes);
    if (!code && reads == index->reads && writes == index->writes)
        code = refuse_same(call, index->name, reads, writes);
    if (code)
        return code;
    if (index->reads)
        note_change(&index->changes, reads > index->reads || writes > index->writes, reads < index->reads || writes < index->writes, now_ms);
    index->reads = reads;
    index->writes = writes;
    return 0;
}

static int update_index(struct aws_call *call, struct ddb_schema *schema, const struct json *change, int64_t now_ms)
{
    struct text name = aws_param_text(change, "IndexName");
    struct ddb_index_meta *index = global_find(&schema->meta, name);
    const struct json *throughput = shape_get(change, "ProvisionedThroughput");
    if (!index)
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found");
    if (throughput && schema->meta.on_demand_mode)
        return aws_fail(call, AWS_VALIDATION, INVALID "ProvisionedThroughput should not be specified for index: %.*s when BillingMode is PAY_PER_REQUEST", TEXT_FMT(name));
    if (throughput && change_units(call, index, throughput, now_ms))
        return ERR_INVALID;
    if (shape_get(change, "OnDemandThroughput"))
        index->on_demand = ddb_schema_json(call, shape_get(change, "OnDemandThroughput"));
    if (shape_get(change, "WarmThroughput"))
        index->warm = ddb_schema_json(call, shape_get(change, "WarmThroughput"));
    return 0;
}

static int delete_index(struct aws_call *call, struct ddb_schema *schema, const struct json *change)
{
    struct text name = aws_param_text(change, "IndexName");
    struct ddb_index_meta *index = global_find(&schema->meta, name);
    struct store_table_decl *decl = &schema->decl;
    if (!index)
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found");
    *index = schema->meta.index[--schema->meta.indexes];
    for (size_t i = 0; i < decl->indexes; i++) {
        if (!text_equal(decl->index[i].name, name))
            continue;
        memmove(&decl->index[i], &decl->index[i + 1], (decl->indexes - i - 1) * sizeof(decl->index[0]));
        decl->indexes--;
        break;
    }
    return 0;
}

static bool clashes(struct text name, enum attr_type type, struct text other, enum attr_type other_type)
{
    return name.len && text_equal(name, other) && type != other_type;
}

/* Is the attribute a key of the table or of another index, with another type? */
static bool type_clashes(const struct store_table_decl *decl, struct text name, enum attr_type type)
{
    bool found = clashes(name, type, decl->hash, decl->hash_type) || clashes(name, type, decl->range, decl->range_type);
    for (size_t i = 0; i + 1 < decl->indexes && !found; i++) {
        const struct store_key *key = &decl->index[i].key;
        for (size_t k = 0; k < store_key_parts(key) && !found; k++)
            found = clashes(name, type, key->part[k].name, key->part[k].type);
    }
    return found;
}

/* The types of the new index's keys (it is the last one): from AttributeDefinitions, in agreement with what is there. */
static int index_types(struct aws_call *call, struct ddb_schema *schema)
{
    struct ddb_schema *one = arena_zalloc(call->arena, sizeof(*one));
    if (!one)
        return aws_no_memory(call);
    struct store_index_decl *index = &schema->decl.index[schema->decl.indexes - 1];
    one->decl.index[0] = *index;
    one->decl.indexes = 1;
    int code = ddb_schema_types(call, one, shape_get(call->in, "AttributeDefinitions"), false);
    if (code)
        return code;
    index->key = one->decl.index[0].key;
    for (size_t i = 0; i < store_key_parts(&index->key); i++) {
        const struct store_key_part *part = &index->key.part[i];
        if (type_clashes(&schema->decl, part->name, part->type))
            return aws_fail(call, AWS_VALIDATION, INVALID "Attribute %.*s is a key already, with another type", TEXT_FMT(part->name));
    }
    return 0;
}

static int create_index(struct aws_call *call, struct ddb_schema *schema, const struct json *change)
{
    struct text name = aws_param_text(change, "IndexName");
    for (size_t i = 0; i < schema->decl.indexes; i++)
        if (text_equal(schema->decl.index[i].name, name))
            return aws_fail(call, AWS_VALIDATION, "Attempting to create an index which already exists");
    int code = ddb_schema_add_index(call, schema, change, false);
    return code ? code : index_types(call, schema);
}

static int change_indexes(struct aws_call *call, struct ddb_schema *schema, int64_t now_ms)
{
    const struct json *changes = shape_get(call->in, "GlobalSecondaryIndexUpdates");
    int code = 0;
    for (const struct json *at = changes ? changes->first : NULL; at && !code; at = at->next) {
        if (shape_get(at, "Create"))
            code = create_index(call, schema, shape_get(at, "Create"));
        else if (shape_get(at, "Delete"))
            code = delete_index(call, schema, shape_get(at, "Delete"));
        else
            code = update_index(call, schema, shape_get(at, "Update"), now_ms);
    }
    return code;
}

static int change_stream(struct aws_call *call, struct ddb_schema *schema, int64_t now_ms)
{
    const struct json *stream = shape_get(call->in, "StreamSpecification");
    bool on = aws_param_true(stream, "StreamEnabled"), was = schema->meta.stream_view.len > 0;
    if (stream && on && was)
        return aws_fail(call, AWS_VALIDATION, "Table already has an enabled stream: TableName: %.*s", TEXT_FMT(schema->decl.name));
    if (stream && !on && !was)
        return aws_fail(call, AWS_VALIDATION, "Table has no stream to disable: TableName: %.*s", TEXT_FMT(schema->decl.name));
    return ddb_schema_stream(call, stream, schema, now_ms);
}

static int change(struct aws_call *call, struct ddb_schema *schema, int64_t now_ms)
{
    int code = change_billing(call, &schema->meta, now_ms);
    if (!code)
        code = change_indexes(call, schema, now_ms);
    if (!code)
        code = change_stream(call, schema, now_ms);
    if (shape_get(call->in, "TableClass"))
        schema->meta.table_class = aws_param_text(call->in, "TableClass");
    if (shape_get(call->in, "DeletionProtectionEnabled"))
        schema->meta.is_protected = aws_param_true(call->in, "DeletionProtectionEnabled");
    if (shape_get(call->in, "OnDemandThroughput"))
        schema->meta.on_demand = ddb_schema_json(call, shape_get(call->in, "OnDemandThroughput"));
    if (shape_get(call->in, "WarmThroughput"))
        schema->meta.warm = ddb_schema_json(call, shape_get(call->in, "WarmThroughput"));
    ddb_schema_sse(call, shape_get(call->in, "SSESpecification"), &schema->meta);
    return code;
}

int ddb_update_table_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct updating *u = call->state;
    struct text name = store_table_name(u->table);
    struct ddb_schema *schema = arena_alloc(call->arena, sizeof(*schema));
    const struct store_table *table;
    struct err err = {0};
    if (!schema)
        return aws_no_memory(call);
    int code = ddb_meta_get(view, call->arena, name, &schema->meta);
    if (code)
        return aws_store_fail(call, code, NULL);
    if (!schema->meta.made)
        return aws_fail(call, DDB_IN_USE, "Attempt to change a resource which is still in use: Table %.*s is declared by an application", TEXT_FMT(name));
    if (store_table_filling(u->table))
        return aws_fail(call, DDB_IN_USE, "Attempt to change a resource which is still in use: Table is being created: %.*s", TEXT_FMT(name));
    schema->decl = *store_table_decl(u->table);
    int64_t reads = schema->meta.reads, writes = schema->meta.writes;
    code = change(call, schema, tick_now_ms(tick));
    if (code)
        return code;
    code = store_table_define(tick_stage(tick), &schema->decl, &table, &err);
    if (!code && shape_get(call->in, "StreamSpecification"))
        code = streams_follow(view, tick, call->arena, table, &schema->meta);
    if (!code)
        code = ddb_meta_put(tick_stage(tick), name, &schema->meta);
    if (code)
        return aws_store_fail(call, code, &err);
    if (reads && schema->meta.reads) { /* while it is UPDATING AWS tells what was provisioned so far */
        schema->meta.reads = reads;
        schema->meta.writes = writes;
    }
    json_begin_object(&call->w);
    json_name(&call->w, "TableDescription");
    code = ddb_describe(call, view, table, &schema->meta, "UPDATING");
    if (!code)
        json_end_object(&call->w);
    return code;
}

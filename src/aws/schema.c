/* CreateTable's request as a declaration for the store and a row of meta data; AWS's checks in AWS's words. */
#include "aws/schema.h"

#include "base/clock.h"

#define INVALID "One or more parameter values were invalid: "
#define UNITS_MAX INT64_C(1000000000000) /* of ProvisionedThroughput */

struct text ddb_schema_json(struct aws_call *call, const struct json *json)
{
    struct buf out;
    struct json_writer w;
    if (!json)
        return TEXT_NONE;
    buf_init(&out, 4096);
    json_writer_init(&w, &out);
    json_value(&w, json);
    struct text copy = out.failed ? TEXT_NONE : arena_copy(call->arena, buf_text(&out));
    buf_fini(&out);
    return copy;
}

int ddb_schema_units(struct aws_call *call, const struct json *throughput, struct text index, int64_t *reads, int64_t *writes)
{
    static const char *const names[] = {"ReadCapacityUnits", "WriteCapacityUnits"};
    for (int i = 0; i < 2; i++) {
        int64_t *units = i ? writes : reads;
        json_to_i64(shape_get(throughput, names[i]), units);
        if (*units > UNITS_MAX)
            return aws_fail(call, AWS_VALIDATION, "Given value %lld for %s is out of bounds%s%.*s", (long long)*units, names[i], index.len ? " for index " : "",
                TEXT_FMT(index));
    }
    return 0;
}

/* ---- keys ---- */

/* The key of a table or of a local index: a hash attribute and perhaps a range attribute. */
static int check_single_key(struct aws_call *call, const struct json *list)
{
    const struct json *first = json_at(list, 0), *second = json_at(list, 1);
    if (list->count > 2)
        return aws_fail(call, AWS_VALIDATION,
            "1 validation error detected: Value '%.*s' at 'keySchema' failed to satisfy constraint: Member must have length less than or equal to 2",
            TEXT_FMT(list->raw));
    if (!aws_param_is(first, "KeyType", "HASH"))
        return aws_fail(call, AWS_VALIDATION, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    if (second && text_equal(aws_param_text(first, "AttributeName"), aws_param_text(second, "AttributeName")))
        return aws_fail(call, AWS_VALIDATION, "Both the Hash Key and the Range Key element in the KeySchema have the same name");
    if (second && !aws_param_is(second, "KeyType", "RANGE"))
        return aws_fail(call, AWS_VALIDATION, "Invalid KeySchema: The second KeySchemaElement is not a RANGE key type");
    return 0;
}

/* The next attribute of a global index's key. */
static int check_part(struct aws_call *call, const struct store_key *key, struct text name, bool is_hash)
{
    size_t count = is_hash ? key->hashes : key->ranges;
    if (store_key_has(key, name) && !is_hash && store_key_parts(key) == 1)
        return aws_fail(call, AWS_VALIDATION, "Both the Hash Key and the Range Key element in the KeySchema have the same name");
    if (store_key_has(key, name))
        return aws_fail(call, AWS_VALIDATION, "Invalid KeySchema: The attribute %.*s appears more than once in the KeySchema", TEXT_FMT(name));
    if (is_hash && key->ranges)
        return aws_fail(call, AWS_VALIDATION, "Invalid KeySchema: All HASH key elements must precede all RANGE key elements");
    if (!is_hash && !key->hashes)
        return aws_fail(call, AWS_VALIDATION, "Invalid KeySchema: The first KeySchemaElement is not a HASH key type");
    if (count == STORE_INDEX_KEYS_MAX)
        return aws_fail(call, AWS_VALIDATION, "Invalid KeySchema: A global secondary index has at most %d %s key elements", STORE_INDEX_KEYS_MAX,
            is_hash ? "HASH" : "RANGE");
    return 0;
}

/* `single`: of a table or a local index. The types come with the definitions. */
static int read_key(struct aws_call *call, const struct json *list, bool single, struct store_key *key)
{
    int code = single ? check_single_key(call, list) : 0;
    *key = (struct store_key){.hashes = 0};
    for (const struct json *at = list->first; at && !code; at = at->next) {
        struct text name = aws_param_text(at, "AttributeName");
        bool is_hash = aws_param_is(at, "KeyType", "HASH");
        code = single ? 0 : check_part(call, key, name, is_hash);
        if (code)
            break;
        key->part[store_key_parts(key)].name = name;
        (*(is_hash ? &key->hashes : &key->ranges))++;
    }
    return code;
}

static const struct json *definition_of(const struct json *definitions, struct text name)
{
    for (const struct json *at = definitions ? definitions->first : NULL; at; at = at->next)
        if (text_equal(aws_param_text(at, "AttributeName"), name))
            return at;
    return NULL;
}

static enum attr_type type_of(const struct json *definition)
{
    struct text type = aws_param_text(definition, "AttributeType");
    return text_is(type, "S") ? ATTR_STRING : text_is(type, "N") ? ATTR_NUMBER : ATTR_BINARY;
}

struct used {
    struct text name[DDB_DEFINITIONS_MAX];
    size_t count;
};

static void use(struct used *used, struct text name)
{
    for (size_t i = 0; i < used->count; i++)
        if (text_equal(used->name[i], name))
            return;
    if (name.len)
        used->name[used->count++] = name;
}

static void collect(const struct ddb_schema *schema, struct used *used)
{
    use(used, schema->decl.hash);
    use(used, schema->decl.range);
    for (size_t i = 0; i < schema->decl.indexes; i++)
        for (size_t k = 0; k < store_key_parts(&schema->decl.index[i].key); k++)
            use(used, schema->decl.index[i].key.part[k].name);
}

static void add_list(struct buf *out, const struct text *name, size_t count)
{
    buf_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        if (i)
            buf_add_text(out, TEXT(", "));
        buf_add_text(out, name[i]);
    }
    buf_add_char(out, ']');
}

static int fail_definitions(struct aws_call *call, const struct json *definitions, const struct used *used, const char *what, bool keys_first)
{
    struct text names[256];
    size_t n = 0;
    struct buf text;
    for (const struct json *at = definitions ? definitions->first : NULL; at && n < 256; at = at->next)
        names[n++] = aws_param_text(at, "AttributeName");
    buf_init(&text, 8000);
    buf_add_format(&text, INVALID "%s %s: ", what, keys_first ? "Keys" : "AttributeDefinitions");
    add_list(&text, keys_first ? used->name : names, keys_first ? used->count : n);
    buf_add_format(&text, ", %s: ", keys_first ? "AttributeDefinitions" : "keys used");
    add_list(&text, keys_first ? names : used->name, keys_first ? n : used->count);
    int code = aws_fail_text(call, AWS_VALIDATION, buf_text(&text));
    buf_fini(&text);
    return code;
}

static int check_definitions(struct aws_call *call, const struct ddb_schema *schema, const struct json *definitions, const struct used *used, bool exact)
{
    for (const struct json *at = definitions ? definitions->first : NULL; at; at = at->next) {
        const struct json *first = definition_of(definitions, aws_param_text(at, "AttributeName"));
        if (first != at)
            return aws_fail(call, AWS_VALIDATION, "Cannot have two attributes with the same name");
    }
    for (size_t i = 0; i < used->count; i++)
        if (!definition_of(definitions, used->name[i]))
            return fail_definitions(call, definitions, used, "Some index key attributes are not defined in AttributeDefinitions.", true);
    if (!exact || (definitions && definitions->count == used->count))
        return 0;
    if (!schema->decl.indexes)
        return aws_fail(call, AWS_VALIDATION,
            INVALID "Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions");
    return fail_definitions(call, definitions, used, "Some AttributeDefinitions are not used.", false);
}

int ddb_schema_types(struct aws_call *call, struct ddb_schema *schema, const struct json *definitions, bool exact)
{
    struct used used = {.count = 0};
    struct store_table_decl *decl = &schema->decl;
    collect(schema, &used);
    int code = check_definitions(call, schema, definitions, &used, exact);
    if (code)
        return code;
    if (decl->hash.len)
        decl->hash_type = type_of(definition_of(definitions, decl->hash));
    if (decl->range.len)
        decl->range_type = type_of(definition_of(definitions, decl->range));
    for (size_t i = 0; i < decl->indexes; i++) {
        struct store_key *key = &decl->index[i].key;
        for (size_t k = 0; k < store_key_parts(key); k++)
            key->part[k].type = type_of(definition_of(definitions, key->part[k].name));
    }
    return 0;
}

/* ---- indexes ---- */

static int read_projection(struct aws_call *call, const struct json *projection, struct store_index_decl *index)
{
    struct text type = aws_param_text(projection, "ProjectionType");
    const struct json *names = shape_get(projection, "NonKeyAttributes");
    if (!type.len)
        return aws_fail(call, AWS_VALIDATION, INVALID "Unknown ProjectionType: null");
    index->projection = text_is(type, "ALL") ? STORE_PROJECT_ALL : text_is(type, "KEYS_ONLY") ? STORE_PROJECT_KEYS : STORE_PROJECT_INCLUDE;
    if (names && index->projection != STORE_PROJECT_INCLUDE)
        return aws_fail(call, AWS_VALIDATION, INVALID "ProjectionType is %.*s, but NonKeyAttributes is specified", TEXT_FMT(type));
    if (!names && index->projection == STORE_PROJECT_INCLUDE)
        return aws_fail(call, AWS_VALIDATION, INVALID "ProjectionType is INCLUDE, but NonKeyAttributes is not specified");
    for (const struct json *at = names ? names->first : NULL; at; at = at->next)
        index->include[index->includes++] = at->text; /* the shape allows 20 at most */
    return 0;
}

static int check_local(struct aws_call *call, const struct ddb_schema *schema, const struct store_index_decl *index)
{
    struct text hash = index->key.part[0].name;
    if (!index->key.ranges)
        return aws_fail(call, AWS_VALIDATION, INVALID "Index KeySchema does not have a range key for index: %.*s", TEXT_FMT(index->name));
    if (!text_equal(hash, schema->decl.hash))
        return aws_fail(call, AWS_VALIDATION,
            INVALID "Index KeySchema does not have the same leading hash key as table KeySchema for index: %.*s. index hash key: %.*s, table hash key: %.*s",
            TEXT_FMT(index->name), TEXT_FMT(hash), TEXT_FMT(schema->decl.hash));
    return 0;
}

static int read_index_throughput(struct aws_call *call, struct ddb_schema *schema, const struct json *json, struct ddb_index_meta *meta)
{
    const struct json *throughput = shape_get(json, "ProvisionedThroughput");
    if (schema->meta.on_demand_mode && throughput)
        return aws_fail(call, AWS_VALIDATION,
            INVALID "ProvisionedThroughput should not be specified for index: %.*s when BillingMode is PAY_PER_REQUEST", TEXT_FMT(meta->name));
    if (!schema->meta.on_demand_mode && !throughput)
        return aws_fail(call, AWS_VALIDATION, INVALID "ProvisionedThroughput is not specified for index: %.*s", TEXT_FMT(meta->name));
    if (throughput && ddb_schema_units(call, throughput, meta->name, &meta->reads, &meta->writes))
        return ERR_INVALID;
    meta->on_demand = ddb_schema_json(call, shape_get(json, "OnDemandThroughput"));
    meta->warm = ddb_schema_json(call, shape_get(json, "WarmThroughput"));
    return 0;
}

int ddb_schema_add_index(struct aws_call *call, struct ddb_schema *schema, const struct json *json, bool local)
{
    struct store_table_decl *decl = &schema->decl;
    struct text name = aws_param_text(json, "IndexName");
    size_t others = 0;
    for (size_t i = 0; i < decl->indexes; i++) {
        others += ddb_meta_is_local(&schema->meta, decl->index[i].name) == local;
        if (text_equal(decl->index[i].name, name))
            return aws_fail(call, AWS_VALIDATION, INVALID "Duplicate index name: %.*s", TEXT_FMT(name));
    }
    if (others >= (local ? DDB_LOCAL_INDEXES_MAX : DDB_GLOBAL_INDEXES_MAX))
        return aws_fail(call, AWS_VALIDATION,
            local ? INVALID "Number of LocalSecondaryIndexes exceeds per-table limit of 5" : INVALID "GlobalSecondaryIndex count exceeds the per-table limit of 20");
    if (decl->indexes >= STORE_INDEXES_MAX || schema->meta.indexes >= STORE_INDEXES_MAX)
        return aws_fail(call, DDB_LIMIT, "A table has at most %d indexes", STORE_INDEXES_MAX);
    struct store_index_decl *index = &decl->index[decl->indexes];
    memset(index, 0, sizeof(*index));
    index->name = name;
    int code = read_key(call, shape_get(json, "KeySchema"), local, &index->key);
    if (!code)
        code = read_projection(call, shape_get(json, "Projection"), index);
    if (!code && local)
        code = check_local(call, schema, index);
    if (code)
        return code;
    decl->indexes++;
    struct ddb_index_meta *meta = &schema->meta.index[schema->meta.indexes++];
    *meta = (struct ddb_index_meta){.name = name, .local = local};
    return local ? 0 : read_index_throughput(call, schema, json, meta);
}

static int read_indexes(struct aws_call *call, struct ddb_schema *schema, const char *parameter, bool local)
{
    const struct json *list = shape_get(call->in, parameter);
    size_t names = 0;
    int code = 0;
    if (!list)
        return 0;
    if (!list->count)
        return aws_fail(call, AWS_VALIDATION, INVALID "List of %s is empty", parameter);
    if (local && !schema->decl.range.len)
        return aws_fail(call, AWS_VALIDATION,
            INVALID "Table KeySchema does not have a range key, which is required when specifying a LocalSecondaryIndex");
    for (const struct json *at = list->first; at && !code; at = at->next)
        code = ddb_schema_add_index(call, schema, at, local);
    for (size_t i = 0; i < schema->decl.indexes && !code; i++)
        names += schema->decl.index[i].includes;
    if (!code && names > DDB_NON_KEY_ATTRIBUTES_MAX)
        return aws_fail(call, AWS_VALIDATION, INVALID "The total number of NonKeyAttributes across all secondary indexes exceeds %d", DDB_NON_KEY_ATTRIBUTES_MAX);
    return code;
}

/* ---- the rest ---- */

static int read_billing(struct aws_call *call, struct ddb_meta *meta)
{
    const struct json *throughput = shape_get(call->in, "ProvisionedThroughput");
    meta->on_demand_mode = aws_param_is(call->in, "BillingMode", "PAY_PER_REQUEST");
    if (meta->on_demand_mode && throughput)
        return aws_fail(call, AWS_VALIDATION,
            INVALID "Neither ReadCapacityUnits nor WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST");
    if (!meta->on_demand_mode && !throughput)
        return aws_fail(call, AWS_VALIDATION,
            INVALID "ReadCapacityUnits and WriteCapacityUnits must both be specified when BillingMode is PROVISIONED");
    if (meta->on_demand_mode)
        meta->mode_ms = meta->created_ms;
    return throughput ? ddb_schema_units(call, throughput, TEXT(""), &meta->reads, &meta->writes) : 0;
}

int ddb_schema_stream(struct aws_call *call, const struct json *stream, struct ddb_schema *schema, int64_t now_ms)
{
    struct text view = aws_param_text(stream, "StreamViewType");
    if (!stream)
        return 0;
    if (!aws_param_true(stream, "StreamEnabled")) {
        if (view.len)
            return aws_fail(call, AWS_VALIDATION, INVALID "StreamViewType must not be specified when StreamEnabled is false");
        schema->decl.changes = false;
        schema->meta.stream_view = TEXT_NONE;
        return 0;
    }
    if (!view.len)
        return aws_fail(call, AWS_VALIDATION, INVALID "StreamViewType is required when StreamEnabled is true");
    schema->decl.changes = true;
    schema->meta.stream_view = view;
    schema->meta.stream_ms = now_ms;
    return 0;
}

void ddb_schema_sse(struct aws_call *call, const struct json *spec, struct ddb_meta *meta)
{
    if (spec)
        meta->sse = aws_param_true(spec, "Enabled") ? ddb_schema_json(call, spec) : TEXT_NONE;
}

static struct ddb_tag *tag_find(struct ddb_meta *meta, struct text key)
{
    for (size_t i = 0; i < meta->tags; i++)
        if (text_equal(meta->tag[i].key, key))
            return &meta->tag[i];
    return NULL;
}

int ddb_schema_tags(struct aws_call *call, const struct json *list, struct ddb_meta *meta)
{
    for (const struct json *at = list ? list->first : NULL; at; at = at->next) {
        struct text key = aws_param_text(at, "Key");
        struct ddb_tag *tag = tag_find(meta, key);
        if (text_starts(key, TEXT("aws:")))
            return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Tag keys starting with 'aws:' are reserved");
        if (!tag && meta->tags == DDB_TAGS_MAX)
            return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: The number of tags exceeds the limit of %d", DDB_TAGS_MAX);
        if (!tag)
            tag = &meta->tag[meta->tags++];
        *tag = (struct ddb_tag){key, aws_param_text(at, "Value")};
    }
    return 0;
}

static int check_parameters(struct aws_call *call, struct text name)
{
    if (text_starts(name, TEXT("arn:")))
        return aws_fail(call, AWS_VALIDATION, "CreateTable takes a table name, not an ARN");
    if (shape_get(call->in, "ResourcePolicy")) /* to pass it over would leave open what the sender believes to be closed */
        return aws_fail(call, AWS_VALIDATION, INVALID "ResourcePolicy is not supported");
    return 0;
}

int ddb_schema_read(struct aws_call *call, struct ddb_schema *schema)
{
    const struct json *in = call->in;
    int64_t now = clock_wall_ms();
    struct store_key key;
    memset(schema, 0, sizeof(*schema));
    schema->decl.name = aws_param_text(in, "TableName");
    schema->meta.made = true;
    schema->meta.created_ms = now;
    aws_uuid(schema->meta.id);
    int code = check_parameters(call, schema->decl.name);
    if (!code)
        code = read_billing(call, &schema->meta);
    if (!code)
        code = read_key(call, shape_get(in, "KeySchema"), true, &key);
    if (!code) {
        schema->decl.hash = key.part[0].name;
        schema->decl.range = key.part[1].name;
    }
    if (!code)
        code = read_indexes(call, schema, "LocalSecondaryIndexes", true);
    if (!code)
        code = read_indexes(call, schema, "GlobalSecondaryIndexes", false);
    if (!code)
        code = ddb_schema_types(call, schema, shape_get(in, "AttributeDefinitions"), true);
    if (!code)
        code = ddb_schema_stream(call, shape_get(in, "StreamSpecification"), schema, now);
    if (!code)
        code = ddb_schema_tags(call, shape_get(in, "Tags"), &schema->meta);
    schema->meta.table_class = aws_param_text(in, "TableClass");
    schema->meta.is_protected = aws_param_true(in, "DeletionProtectionEnabled");
    schema->meta.on_demand = ddb_schema_json(call, shape_get(in, "OnDemandThroughput"));
    schema->meta.warm = ddb_schema_json(call, shape_get(in, "WarmThroughput"));
    ddb_schema_sse(call, shape_get(in, "SSESpecification"), &schema->meta);
    return code;
}

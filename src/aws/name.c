/* Tables, keys and items as requests name them, with AWS's sentences for what does not fit. */
#include "aws/ddb.h"

#include "gateway/records.h"
#include "store/key.h"
#include "tick/job.h"
#include "watch/dashboard.h"
#include "watch/alarm.h"

#define NAME_BYTES_MAX 65535 /* of an attribute that is no key */

const char *ddb_type_tag(enum attr_type type)
{
    static const char *const tag[] = {"NULL", "BOOL", "N", "S", "B", "L", "M", "SS", "NS", "BS"};
    return tag[type];
}

/* ---- tables ---- */

void ddb_arn(struct aws_call *call, struct text table, struct buf *out)
{
    buf_add_format(out, "arn:aws:dynamodb:%.*s:%.*s:table/%.*s", TEXT_FMT(call->config->region), TEXT_FMT(call->config->account), TEXT_FMT(table));
}

/* arn:aws:dynamodb:REGION:ACCOUNT:table/NAME; any region, as for signatures. */
static bool arn_take_apart(struct text arn, struct text *name)
{
    size_t at = 0;
    for (int colon = 0; colon < 5; colon++) {
        ptrdiff_t next = text_find(arn, ':', at);
        if (next < 0)
            return false;
        if (colon == 2 && !text_is(text_make(arn.data + at, (size_t)next - at), "dynamodb"))
            return false;
        at = (size_t)next + 1;
    }
    struct text rest = text_make(arn.data + at, arn.len - at);
    if (!text_starts(rest, TEXT("table/")))
        return false;
    *name = text_make(rest.data + 6, rest.len - 6);
    return name->len >= 3 && name->len <= 255 && text_find(*name, '/', 0) < 0;
}

int ddb_name(struct aws_call *call, const struct json *json, struct text *name)
{
    *name = json ? json->text : TEXT_NONE;
    if (!text_starts(*name, TEXT("arn:")))
        return 0;
    if (!arn_take_apart(*name, name))
        return aws_fail(call, AWS_VALIDATION, "Invalid TableArn: Invalid ResourceArn provided as input %.*s", TEXT_FMT(json->text));
    return 0;
}

bool ddb_is_hidden(struct text name)
{
    return gw_records_is_table(name) || text_is(name, DASHBOARD_TABLE) || watch_alarm_is_table(name) || text_starts(name, TEXT(JOB_SCRATCH));
}

const struct store_table *ddb_find(const struct aws_call *call, struct text name)
{
    return ddb_is_hidden(name) ? NULL : store_table_find(call->store, name);
}

int ddb_table(struct aws_call *call, const struct json *json, const struct store_table **table)
{
    struct text name;
    int code = ddb_name(call, json, &name);
    if (code)
        return code;
    *table = ddb_find(call, name);
    if (*table && store_table_filling(*table))
        *table = NULL; /* its items are on their way: nobody sees half of a table */
    return *table ? 0 : aws_fail(call, DDB_NOT_FOUND, "Requested resource not found");
}

int ddb_table_control(struct aws_call *call, struct text name, const struct store_table **table)
{
    *table = ddb_find(call, name);
    return *table ? 0 : aws_fail(call, DDB_NOT_FOUND, "Requested resource not found: Table: %.*s not found", TEXT_FMT(name));
}

int ddb_writable(struct aws_call *call, const struct store_table *table)
{
    if (!store_table_decl(table)->volatile_rows)
        return 0;
    return aws_fail(call, AWS_VALIDATION, "Table %.*s mirrors live connections: only the gateway writes it", TEXT_FMT(store_table_name(table)));
}

/* ---- items ---- */

static int wire_fail(struct aws_call *call, int code, const struct err *err)
{
    if (code == ERR_MEMORY)
        return aws_no_memory(call);
    return aws_fail(call, code == ERR_TYPE ? AWS_SERIALIZATION : AWS_VALIDATION, "%s", err->text);
}

int ddb_item(struct aws_call *call, const struct json *json, struct attr **item)
{
    struct err err = {0};
    int code = item_from_wire(call->arena, json, item, &err);
    return code ? wire_fail(call, code, &err) : ddb_item_check(call, *item);
}

int ddb_item_check(struct aws_call *call, const struct attr *item)
{
    struct err err = {0};
    for (const struct attr *at = item->first; at; at = at->next)
        if (at->name.len > NAME_BYTES_MAX)
            return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Attribute name is too large, must be less than 65536 bytes");
    int code = item_check(item, &err);
    return code ? wire_fail(call, code == ERR_TYPE ? ERR_INVALID : code, &err) : 0; /* the wire's types are right, the values are not */
}

size_t ddb_key_names(const struct store_table *table, struct text names[2])
{
    const struct store_table_decl *decl = store_table_decl(table);
    names[0] = decl->hash;
    names[1] = decl->range;
    return decl->range.len ? 2 : 1;
}

struct attr *ddb_key_of(struct arena *arena, const struct store_table *table, const struct attr *item)
{
    struct text names[2];
    size_t n = ddb_key_names(table, names);
    struct attr *key = item_create(arena);
    for (size_t i = 0; key && i < n; i++) {
        const struct attr *found = item_get(item, names[i]);
        struct attr *own = arena_alloc(arena, sizeof(*own));
        if (!own || !found)
            return NULL;
        *own = *found;
        own->next = NULL;
        if (key->last)
            key->last->next = own;
        else
            key->first = own;
        key->last = own;
        key->count++;
    }
    return key;
}

/* The bytes of a key's hash attributes, or of its range attributes. */
static int check_size(struct aws_call *call, size_t bytes, bool is_hash)
{
    if (is_hash && bytes > ITEM_HASH_KEY_MAX)
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Size of hashkey has exceeded the maximum size limit of2048 bytes");
    if (!is_hash && bytes > ITEM_RANGE_KEY_MAX)
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Aggregated size of all range keys has exceeded the size limit of 1024 bytes");
    return 0;
}

/* A key attribute's value, whatever the request calls it. */
static int check_value(struct aws_call *call, struct text name, const struct attr *value, bool is_hash)
{
    if (value->type == ATTR_NUMBER)
        return 0;
    if (!value->text.len)
        return aws_fail(call, AWS_VALIDATION,
            "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty %s value. Key: %.*s",
            value->type == ATTR_STRING ? "string" : "binary", TEXT_FMT(name));
    return check_size(call, value->text.len, is_hash);
}

int ddb_key_check(struct aws_call *call, const struct store_table *table, const struct attr *key)
{
    const struct store_table_decl *decl = store_table_decl(table);
    const struct attr *hash = item_get(key, decl->hash), *range = decl->range.len ? item_get(key, decl->range) : NULL;
    if (key->count != (decl->range.len ? 2u : 1u) || !hash || hash->type != decl->hash_type || (decl->range.len && (!range || range->type != decl->range_type)))
        return aws_fail(call, AWS_VALIDATION, "The provided key element does not match the schema");
    int code = check_value(call, decl->hash, hash, true);
    return code || !range ? code : check_value(call, decl->range, range, false);
}

int ddb_key(struct aws_call *call, const struct store_table *table, const struct json *json, struct attr **key)
{
    int code = ddb_item(call, json, key);
    return code ? code : ddb_key_check(call, table, *key);
}

static int check_member(struct aws_call *call, const struct attr *item, struct text name, enum attr_type type, bool is_hash)
{
    const struct attr *value = item_get(item, name);
    if (!value)
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Missing the key %.*s in the item", TEXT_FMT(name));
    if (value->type != type)
        return aws_fail(call, AWS_VALIDATION, "One or more parameter values were invalid: Type mismatch for key %.*s expected: %s actual: %s", TEXT_FMT(name),
            ddb_type_tag(type), ddb_type_tag(value->type));
    return check_value(call, name, value, is_hash);
}

/* `used`: bytes of the index's key attributes of this kind before it, itself included. */
static int check_index_member(struct aws_call *call, const struct attr *value, const struct store_index_decl *index, size_t part, size_t used, bool updated)
{
    struct text name = index->key.part[part].name;
    enum attr_type type = index->key.part[part].type;
    bool is_hash = part < index->key.hashes;
    if (updated && value->type != type)
        return aws_fail(call, AWS_VALIDATION, "The update expression attempted to update the secondary index key to unsupported type");
    if (updated && used > (is_hash ? ITEM_HASH_KEY_MAX : ITEM_RANGE_KEY_MAX))
        return aws_fail(call, AWS_VALIDATION, "The update expression attempted to update the secondary index key beyond allowed size limits");
    if (value->type != type)
        return aws_fail(call, AWS_VALIDATION,
            "One or more parameter values were invalid: Type mismatch for Index Key %.*s Expected: %s Actual: %s IndexName: %.*s", TEXT_FMT(name),
            ddb_type_tag(type), ddb_type_tag(value->type), TEXT_FMT(index->name));
    if (type != ATTR_NUMBER && !value->text.len)
        return aws_fail(call, AWS_VALIDATION,
            "One or more parameter values are not valid. %s is not supported. The AttributeValue for a key attribute "
            "cannot contain an empty %s value. IndexName: %.*s, IndexKey: %.*s",
            updated ? "The update expression attempted to update a secondary index key to a value that"
                    : "A value specified for a secondary index key",
            type == ATTR_STRING ? "string" : "binary", TEXT_FMT(index->name), TEXT_FMT(name));
    return check_size(call, used, is_hash);
}

static int check_index(struct aws_call *call, const struct attr *item, const struct store_index_decl *index, bool updated)
{
    size_t used[2] = {0, 0};
    for (size_t i = 0; i < store_key_parts(&index->key); i++) {
        const struct attr *value = item_get(item, index->key.part[i].name);
        size_t *bytes = &used[i >= index->key.hashes];
        if (!value)
            continue;
        *bytes += value->type == ATTR_STRING || value->type == ATTR_BINARY ? value->text.len : 0;
        int code = check_index_member(call, value, index, i, *bytes, updated);
        if (code)
            return code;
    }
    return 0;
}

static int check_keys(struct aws_call *call, const struct store_table *table, const struct attr *item, bool updated)
{
    const struct store_table_decl *decl = store_table_decl(table);
    int code = check_member(call, item, decl->hash, decl->hash_type, true);
    if (!code && decl->range.len)
        code = check_member(call, item, decl->range, decl->range_type, false);
    for (size_t i = 0; i < decl->indexes && !code; i++)
        code = check_index(call, item, &decl->index[i], updated);
    return code;
}

int ddb_item_keys(struct aws_call *call, const struct store_table *table, const struct attr *item)
{
    return check_keys(call, table, item, false);
}

int ddb_updated_keys(struct aws_call *call, const struct store_table *table, const struct attr *item)
{
    return check_keys(call, table, item, true);
}

struct text ddb_key_bytes(struct arena *arena, const struct store_table *table, const struct attr *key)
{
    const struct store_table_decl *decl = store_table_decl(table);
    struct buf row;
    buf_init(&row, KEY_BYTES_MAX);
    buf_add_be32(&row, store_table_id(table));
    key_add_component(&row, decl->hash_type, item_get(key, decl->hash), decl->hash, ITEM_HASH_KEY_MAX, NULL);
    if (decl->range.len)
        key_add_component(&row, decl->range_type, item_get(key, decl->range), decl->range, ITEM_RANGE_KEY_MAX, NULL);
    struct text out = row.failed ? TEXT_NONE : arena_copy(arena, buf_text(&row));
    buf_fini(&row);
    return out;
}

int ddb_projection_check(struct aws_call *call, struct expr_env *env, const struct store_table *table, const struct expr_projection *projection)
{
    struct text names[2];
    size_t n = ddb_key_names(table, names);
    if (projection && expr_projection_check_paths(env, projection, names, n))
        return aws_env_fail(call, env);
    return 0;
}

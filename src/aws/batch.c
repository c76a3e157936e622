/*
 * BatchGetItem and BatchWriteItem. A batch of writes is one call of the tick: here it commits as a whole, which is more than AWS promises and costs less. What goes
 * beyond the bytes that one call may stage, or one answer may carry, comes back as unprocessed, as on AWS.
 */
#include "aws/keyset.h"
#include "aws/write.h"

#define BATCH_GET_KEYS 100
#define BATCH_WRITE_ITEMS 25
#define BATCH_GET_BYTES (16u << 20)
#define BATCH_IO_BYTES (128u << 10) /* read on the io thread; more moves to a worker */
#define BATCH_STAGE_BYTES (6u << 20) /* staged by one batch: below the tick's bound, which would refuse it all */

/* ---- BatchGetItem ---- */

struct get_table {
    const struct json *request;
    const struct store_table *table;
    const struct expr_projection *projection;
    bool consistent;
    const struct attr **key;
    size_t keys;
    double reads;
};
struct batch_get {
    struct get_table *table;
    size_t tables;
};

static int read_projection(struct aws_call *call, struct get_table *get, struct expr_env *env)
{
    static const char *const expressions[] = {"ProjectionExpression", NULL};
    static const char *const legacy[] = {"AttributesToGet", NULL};
    const struct json *expression = shape_get(get->request, "ProjectionExpression");
    int code = expr_env_open(env, call->arena, get->request, expressions, legacy);
    if (!code)
        code = expression ? expr_projection_parse(env, expression->text, &get->projection)
                          : expr_legacy_attributes(env, shape_get(get->request, "AttributesToGet"), &get->projection);
    if (!code)
        code = expr_env_close(env);
    return code ? aws_env_fail(call, env) : 0;
}

static int read_keys(struct aws_call *call, struct get_table *get, struct ddb_keyset *seen)
{
    const struct json *keys = shape_get(get->request, "Keys");
    get->key = arena_array(call->arena, keys->count, sizeof(*get->key));
    if (!get->key)
        return aws_no_memory(call);
    for (const struct json *at = keys->first; at; at = at->next) {
        struct attr *key = NULL;
        int code = ddb_key(call, get->table, at, &key);
        if (code)
            return code;
        code = ddb_keyset_add(seen, call->arena, get->table, key);
        if (code == ERR_DUPLICATE)
            return aws_fail(call, AWS_VALIDATION, "Provided list of item keys contains duplicates");
        if (code)
            return aws_no_memory(call);
        get->key[get->keys++] = key;
    }
    return 0;
}

int ddb_batch_get_prepare(struct aws_call *call)
{
    const struct json *items = shape_get(call->in, "RequestItems");
    struct batch_get *batch = arena_zalloc(call->arena, sizeof(*batch));
    struct ddb_keyset *seen = arena_zalloc(call->arena, sizeof(*seen));
    size_t keys = 0;
    if (!batch || !seen)
        return aws_no_memory(call);
    call->state = batch;
    for (const struct json *at = items->first; at; at = at->next)
        keys += at->type == JSON_OBJECT ? shape_get(at, "Keys")->count : 0;
    if (keys > BATCH_GET_KEYS)
        return aws_fail(call, AWS_VALIDATION, "Too many items requested for the BatchGetItem call");
    batch->table = arena_zalloc(call->arena, items->count * sizeof(*batch->table));
    if (!batch->table)
        return aws_no_memory(call);
    for (const struct json *at = items->first; at; at = at->next) {
        struct get_table *get = &batch->table[batch->tables];
        struct json name = {.type = JSON_STRING, .text = at->name};
        struct expr_env env;
        if (at->type != JSON_OBJECT)
            continue;
        get->request = at;
        get->consistent = aws_param_true(at, "ConsistentRead");
        int code = read_projection(call, get, &env);
        if (!code)
            code = ddb_table(call, &name, &get->table);
        if (!code)
            code = read_keys(call, get, seen);
        if (!code)
            code = ddb_projection_check(call, &env, get->table, get->projection);
        if (code)
            return code;
        batch->tables++;
    }
    return 0;
}

/* The item of one key into the answer. */
static int get_one(struct aws_call *call, struct store_view *view, struct get_table *get, const struct attr *key, size_t *bytes)
{
    const struct attr *item, *shown;
    struct arena_mark mark = arena_mark(call->arena);
    int code = store_get(view, get->table, key, call->arena, &item);
    if (code && code != ERR_NOT_FOUND)
        return aws_store_fail(call, code, NULL);
    size_t size = code ? 0 : item_size(item);
    *bytes += size;
    get->reads += ddb_read_units(size, get->consistent);
    aws_used(call, get->table, ddb_read_units(size, get->consistent), 0);
    if (!code) {
        if (expr_projection_apply(get->projection, item, call->arena, &shown))
            return aws_no_memory(call);
        item_to_wire(&call->w, shown);
    }
    arena_rewind(call->arena, mark);
    return 0;
}

/* Text can grow sixfold on its way into JSON. */
static bool is_full(const struct aws_call *call, size_t bytes)
{
    return bytes >= BATCH_GET_BYTES || call->body.len >= BATCH_GET_BYTES;
}

static void write_unprocessed_table(struct aws_call *call, const struct get_table *get, size_t from)
{
    struct json_writer *w = &call->w;
    size_t n = 0;
    json_name_text(w, get->request->name);
    json_begin_object(w);
    for (const struct json *at = get->request->first; at; at = at->next) {
        if (text_is(at->name, "Keys"))
            continue;
        json_name_text(w, at->name);
        json_value(w, at);
    }
    json_name(w, "Keys");
    json_begin_array(w);
    for (const struct json *key = shape_get(get->request, "Keys")->first; key; key = key->next, n++)
        if (n >= from)
            json_value(w, key);
    json_end_array(w);
    json_end_object(w);
}

static void write_get_capacity(struct aws_call *call, const struct batch_get *batch)
{
    bool local[STORE_INDEXES_MAX] = {false};
    if (!ddb_return_capacity(call))
        return;
    json_name(&call->w, "ConsumedCapacity");
    json_begin_array(&call->w);
    for (size_t i = 0; i < batch->tables; i++) {
        struct ddb_capacity capacity = {.table = batch->table[i].table, .reads = batch->table[i].reads};
        ddb_capacity_json(call, &capacity, ddb_return_capacity(call) == DDB_CAPACITY_INDEXES, false, local);
    }
    json_end_array(&call->w);
}

int ddb_batch_get_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    struct batch_get *batch = call->state;
    struct json_writer *w = &call->w;
    size_t bytes = 0, table = 0, key = 0;
    json_begin_object(w);
    json_name(w, "Responses");
    json_begin_object(w);
    for (; table < batch->tables && !is_full(call, bytes); table += !is_full(call, bytes)) {
        struct get_table *get = &batch->table[table];
        get->reads = 0;
        json_name_text(w, get->request->name);
        json_begin_array(w);
        for (key = 0; key < get->keys && !is_full(call, bytes); key++) {
            int code = view->cache_only && bytes > BATCH_IO_BYTES ? ERR_COLD : get_one(call, view, get, get->key[key], &bytes);
            if (code)
                return code;
        }
        json_end_array(w);
    }
    json_end_object(w);
    json_name(w, "UnprocessedKeys");
    json_begin_object(w);
    for (size_t i = table; i < batch->tables; i++)
        if (i > table || key < batch->table[i].keys)
            write_unprocessed_table(call, &batch->table[i], i == table ? key : 0);
    json_end_object(w);
    write_get_capacity(call, batch);
    json_end_object(w);
    return 0;
}

/* ---- BatchWriteItem ---- */

struct batch_write {
    struct ddb_write write[BATCH_WRITE_ITEMS];
    const struct json *request[BATCH_WRITE_ITEMS];
    struct text name[BATCH_WRITE_ITEMS]; /* the table as the request names it */
    bool local[BATCH_WRITE_ITEMS][STORE_INDEXES_MAX];
    size_t count, done;
    bool metrics;
    enum ddb_return_capacity capacity;
};

static int read_write(struct aws_call *call, struct batch_write *batch, const struct json *request, const struct store_table *table, struct ddb_keyset *seen)
{
    struct ddb_write *write = &batch->write[batch->count];
    const struct json *put = shape_get(request, "PutRequest"), *del = shape_get(request, "DeleteRequest");
    struct attr *given = NULL;
    write->kind = put ? DDB_PUT : DDB_DELETE;
    write->table = table;
    write->want_before = batch->capacity != DDB_CAPACITY_NONE;
    int code = ddb_item(call, put ? shape_get(put, "Item") : shape_get(del, "Key"), &given);
    if (!code)
        code = put ? ddb_item_keys(call, table, given) : ddb_key_check(call, table, given);
    if (code)
        return code;
    write->item = put ? given : NULL;
    write->key = put ? ddb_key_of(call->arena, table, given) : given;
    code = write->key ? ddb_keyset_add(seen, call->arena, table, write->key) : ERR_MEMORY;
    if (code == ERR_DUPLICATE)
        return aws_fail(call, AWS_VALIDATION, "Provided list of item keys contains duplicates");
    if (code)
        return aws_no_memory(call);
    batch->count++;
    return 0;
}

static int check_requests(struct aws_call *call, const struct json *items)
{
    size_t n = 0;
    for (const struct json *at = items->first; at; at = at->next) {
        n += at->count;
        for (const struct json *one = at->first; one; one = one->next)
            if (!shape_get(one, "PutRequest") == !shape_get(one, "DeleteRequest"))
                return aws_fail(call, AWS_VALIDATION,
                    shape_get(one, "PutRequest") ? "Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes"
                                                 : "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes");
    }
    return n <= BATCH_WRITE_ITEMS ? 0 : aws_fail(call, AWS_VALIDATION, "Too many items requested for the BatchWriteItem call");
}

int ddb_batch_write_prepare(struct aws_call *call)
{
    const struct json *items = shape_get(call->in, "RequestItems");
    struct batch_write *batch = arena_zalloc(call->arena, sizeof(*batch));
    struct ddb_keyset *seen = arena_zalloc(call->arena, sizeof(*seen));
    if (!batch || !seen)
        return aws_no_memory(call);
    call->state = batch;
    batch->capacity = ddb_return_capacity(call);
    batch->metrics = aws_param_is(call->in, "ReturnItemCollectionMetrics", "SIZE");
    int code = check_requests(call, items);
    for (const struct json *at = items->first; at && !code; at = at->next) {
        const struct store_table *table = NULL;
        struct json name = {.type = JSON_STRING, .text = at->name};
        code = ddb_table(call, &name, &table);
        if (!code)
            code = ddb_writable(call, table);
        for (const struct json *one = at->first; one && !code; one = one->next) {
            batch->request[batch->count] = one;
            batch->name[batch->count] = at->name;
            code = read_write(call, batch, one, table, seen);
        }
    }
    return code;
}

int ddb_batch_write_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct batch_write *batch = call->state;
    size_t begun = store_stage_bytes(tick_stage(tick));
    int code = 0;
    for (batch->done = 0; batch->done < batch->count && !code; batch->done++) {
        struct ddb_write *write = &batch->write[batch->done];
        size_t now = store_stage_bytes(tick_stage(tick));
        if (now > begun && now - begun > BATCH_STAGE_BYTES)
            break;
        if (batch->capacity == DDB_CAPACITY_INDEXES || batch->metrics) {
            code = ddb_locals(view, call->arena, write->table, batch->local[batch->done]);
            code = code ? aws_store_fail(call, code, NULL) : 0;
        }
        if (!code)
            code = ddb_write_run(call, view, write);
    }
    return code;
}

static void write_unprocessed(struct aws_call *call, const struct batch_write *batch)
{
    struct json_writer *w = &call->w;
    json_name(w, "UnprocessedItems");
    json_begin_object(w);
    for (size_t i = batch->done; i < batch->count; i++) {
        bool first = i == batch->done || !text_equal(batch->name[i], batch->name[i - 1]);
        if (first) {
            json_name_text(w, batch->name[i]);
            json_begin_array(w);
        }
        json_value(w, batch->request[i]);
        if (i + 1 == batch->count || !text_equal(batch->name[i], batch->name[i + 1]))
            json_end_array(w);
    }
    json_end_object(w);
}

static void write_metrics(struct aws_call *call, const struct batch_write *batch)
{
    struct json_writer *w = &call->w;
    json_name(w, "ItemCollectionMetrics");
    json_begin_object(w);
    for (size_t i = 0; i < batch->done; i++) {
        bool has_local = memchr(batch->local[i], 1, STORE_INDEXES_MAX) != NULL;
        if (!has_local)
            continue;
        if (i == 0 || !text_equal(batch->name[i], batch->name[i - 1])) {
            json_name_text(w, batch->name[i]);
            json_begin_array(w);
        }
        ddb_collection_json(call, batch->write[i].table, batch->write[i].key);
        if (i + 1 == batch->done || !text_equal(batch->name[i], batch->name[i + 1]))
            json_end_array(w);
    }
    json_end_object(w);
}

static void write_capacity(struct aws_call *call, const struct batch_write *batch)
{
    json_name(&call->w, "ConsumedCapacity");
    json_begin_array(&call->w);
    for (size_t i = 0; i < batch->done;) {
        const struct store_table *table = batch->write[i].table;
        struct ddb_capacity capacity = {.table = table};
        const bool *local = batch->local[i];
        for (; i < batch->done && batch->write[i].table == table; i++)
            ddb_capacity_write(&capacity, batch->write[i].before, batch->write[i].after, 1);
        ddb_capacity_json(call, &capacity, batch->capacity == DDB_CAPACITY_INDEXES, false, local);
    }
    json_end_array(&call->w);
}

void ddb_batch_write_answer(struct aws_call *call)
{
    const struct batch_write *batch = call->state;
    for (size_t i = 0; i < batch->done; i++)
        ddb_write_used(call, &batch->write[i], 1);
    json_begin_object(&call->w);
    write_unprocessed(call, batch);
    if (batch->metrics)
        write_metrics(call, batch);
    if (batch->capacity)
        write_capacity(call, batch);
    json_end_object(&call->w);
}

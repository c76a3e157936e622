/* GetItem, PutItem, DeleteItem, UpdateItem. */
#include "aws/write.h"

enum returned { RETURN_NONE, RETURN_ALL_OLD, RETURN_UPDATED_OLD, RETURN_ALL_NEW, RETURN_UPDATED_NEW };

struct single {
    struct ddb_write write;
    enum returned returned;
    enum ddb_return_capacity capacity;
    bool metrics;                     /* ReturnItemCollectionMetrics */
    bool local[STORE_INDEXES_MAX];    /* filled in the tick when it is needed */
};

static enum returned returned_of(const struct aws_call *call)
{
    static const char *const names[] = {"NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"};
    struct text given = aws_param_text(call->in, "ReturnValues");
    for (int i = 1; i < 5; i++)
        if (text_is(given, names[i]))
            return (enum returned)i;
    return RETURN_NONE;
}

static int prepare(struct aws_call *call, enum ddb_write_kind kind)
{
    struct single *single = arena_zalloc(call->arena, sizeof(*single));
    if (!single)
        return aws_no_memory(call);
    call->state = single;
    single->returned = returned_of(call);
    single->capacity = ddb_return_capacity(call);
    single->metrics = aws_param_is(call->in, "ReturnItemCollectionMetrics", "SIZE");
    if (kind != DDB_UPDATE && single->returned > RETURN_ALL_OLD)
        return aws_fail(call, AWS_VALIDATION, "ReturnValues can only be ALL_OLD or NONE");
    single->write.want_before = single->returned != RETURN_NONE || single->capacity != DDB_CAPACITY_NONE;
    return ddb_write_read(call, call->in, kind, true, &single->write);
}

int ddb_put_prepare(struct aws_call *call)
{
    return prepare(call, DDB_PUT);
}

int ddb_delete_prepare(struct aws_call *call)
{
    return prepare(call, DDB_DELETE);
}

int ddb_update_prepare(struct aws_call *call)
{
    return prepare(call, DDB_UPDATE);
}

static int perform(struct aws_call *call, struct store_view *view)
{
    struct single *single = call->state;
    int code = 0;
    if (single->capacity == DDB_CAPACITY_INDEXES || single->metrics)
        code = ddb_locals(view, call->arena, single->write.table, single->local);
    if (code)
        return aws_store_fail(call, code, NULL);
    code = ddb_write_run(call, view, &single->write);
    if (code != ERR_CONDITION)
        return code;
    aws_fail(call, DDB_CONDITION, "The conditional request failed");
    if (single->write.item_on_failure)
        call->fault_item = single->write.before;
    return code;
}

int ddb_put_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return perform(call, view);
}

int ddb_delete_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return perform(call, view);
}

int ddb_update_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    return perform(call, view);
}

/* ---- the answer ---- */

static const struct attr *attributes(struct aws_call *call, const struct single *single)
{
    const struct ddb_write *write = &single->write;
    const struct attr *out = NULL;
    int code = 0;
    switch (single->returned) {
    case RETURN_ALL_OLD:
        return write->before;
    case RETURN_ALL_NEW:
        return write->after;
    case RETURN_UPDATED_OLD:
        if (write->update && write->before)
            code = expr_update_touched(write->update, write->before, call->arena, &out);
        break;
    case RETURN_UPDATED_NEW:
        if (write->update && write->after)
            code = expr_update_touched(write->update, write->after, call->arena, &out);
        break;
    default:
        break;
    }
    if (code)
        aws_no_memory(call);
    return out;
}

static void write_metrics(struct aws_call *call, const struct single *single)
{
    const struct ddb_write *write = &single->write;
    bool has_local = false;
    for (size_t i = 0; i < store_table_decl(write->table)->indexes; i++)
        has_local = has_local || single->local[i];
    if (!has_local)
        return;
    json_name(&call->w, "ItemCollectionMetrics");
    ddb_collection_json(call, write->table, write->kind == DDB_PUT ? write->item : write->key);
}

void ddb_write_answer(struct aws_call *call)
{
    const struct single *single = call->state;
    const struct attr *out = attributes(call, single);
    ddb_write_used(call, &single->write, 1);
    json_begin_object(&call->w);
    if (out) {
        json_name(&call->w, "Attributes");
        item_to_wire(&call->w, out);
    }
    if (single->capacity) {
        struct ddb_capacity capacity = {.table = single->write.table};
        ddb_capacity_write(&capacity, single->write.before, single->write.after, 1);
        json_name(&call->w, "ConsumedCapacity");
        ddb_capacity_json(call, &capacity, single->capacity == DDB_CAPACITY_INDEXES, false, single->local);
    }
    if (single->metrics)
        write_metrics(call, single);
    json_end_object(&call->w);
}

/* ---- GetItem ---- */

struct getting {
    const struct store_table *table;
    const struct attr *key;
    const struct expr_projection *projection;
    bool consistent;
};

int ddb_get_prepare(struct aws_call *call)
{
    static const char *const expressions[] = {"ProjectionExpression", NULL};
    static const char *const legacy[] = {"AttributesToGet", NULL};
    struct getting *get = arena_zalloc(call->arena, sizeof(*get));
    const struct json *expression = shape_get(call->in, "ProjectionExpression");
    struct expr_env env;
    struct attr *key = NULL;
    if (!get)
        return aws_no_memory(call);
    call->state = get;
    get->consistent = aws_param_true(call->in, "ConsistentRead");
    int code = ddb_item(call, shape_get(call->in, "Key"), &key);
    if (code)
        return code;
    get->key = key;
    code = expr_env_open(&env, call->arena, call->in, expressions, legacy);
    if (!code)
        code = expression ? expr_projection_parse(&env, expression->text, &get->projection)
                          : expr_legacy_attributes(&env, shape_get(call->in, "AttributesToGet"), &get->projection);
    if (!code)
        code = expr_env_close(&env);
    if (code)
        return aws_env_fail(call, &env);
    code = ddb_table(call, shape_get(call->in, "TableName"), &get->table);
    if (!code)
        code = ddb_key_check(call, get->table, get->key);
    return code ? code : ddb_projection_check(call, &env, get->table, get->projection);
}

int ddb_get_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    struct getting *get = call->state;
    struct json_writer *w = &call->w;
    const struct attr *item = NULL, *shown = NULL;
    int code = store_get(view, get->table, get->key, call->arena, &item);
    if (code && code != ERR_NOT_FOUND)
        return aws_store_fail(call, code, NULL);
    if (!code && expr_projection_apply(get->projection, item, call->arena, &shown))
        return aws_no_memory(call);
    aws_used(call, get->table, ddb_read_units(code ? 0 : item_size(item), get->consistent), 0);
    json_begin_object(w);
    if (!code) {
        json_name(w, "Item");
        item_to_wire(w, shown);
    }
    if (ddb_return_capacity(call)) {
        struct ddb_capacity capacity = {.table = get->table, .reads = ddb_read_units(code ? 0 : item_size(item), get->consistent)};
        json_name(w, "ConsumedCapacity");
        ddb_capacity_json(call, &capacity, ddb_return_capacity(call) == DDB_CAPACITY_INDEXES, false, (bool[STORE_INDEXES_MAX]){false});
    }
    json_end_object(w);
    return 0;
}

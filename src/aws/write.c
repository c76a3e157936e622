/*
 * One write of an item. A put without a condition is a single visit to the store; a condition or an update reads the item first, from the same view, so what it
 * judged is what it replaces: calls of a tick run one after the other.
 */
#include "aws/write.h"

static const char *const put_expressions[] = {"ConditionExpression", NULL};
static const char *const put_legacy[] = {"Expected", "ConditionalOperator", NULL};
static const char *const update_expressions[] = {"UpdateExpression", "ConditionExpression", NULL};
static const char *const update_legacy[] = {"AttributeUpdates", "Expected", "ConditionalOperator", NULL};

static int read_condition(struct expr_env *env, const struct json *object, bool legacy, const struct expr_condition **out)
{
    const struct json *expression = shape_get(object, "ConditionExpression");
    if (expression)
        return expr_condition_parse(env, EXPR_CONDITION, expression->text, out);
    return legacy ? expr_legacy_condition(env, "Expected", shape_get(object, "Expected"), aws_param_text(object, "ConditionalOperator"), out) : 0;
}

static int read_update(struct expr_env *env, const struct json *object, bool legacy, const struct expr_update **out)
{
    const struct json *expression = shape_get(object, "UpdateExpression");
    if (expression)
        return expr_update_parse(env, expression->text, out);
    return legacy ? expr_legacy_updates(env, shape_get(object, "AttributeUpdates"), out) : 0;
}

static int read_expressions(struct aws_call *call, const struct json *object, bool legacy, struct ddb_write *write, struct expr_env *env)
{
    bool updates = write->kind == DDB_UPDATE;
    int code = expr_env_open(env, call->arena, object, updates ? update_expressions : put_expressions, !legacy ? NULL : updates ? update_legacy : put_legacy);
    if (!code && updates)
        code = read_update(env, object, legacy, &write->update);
    if (!code)
        code = read_condition(env, object, legacy, &write->condition);
    if (!code)
        code = expr_env_close(env);
    return code ? aws_env_fail(call, env) : 0;
}

static int check_keys(struct aws_call *call, struct ddb_write *write, struct expr_env *env)
{
    struct text names[2];
    size_t n = ddb_key_names(write->table, names);
    int code = write->kind == DDB_PUT ? ddb_item_keys(call, write->table, write->item) : ddb_key_check(call, write->table, write->key);
    if (code)
        return code;
    if (write->update)
        code = expr_update_check_keys(env, write->update, names, n);
    if (!code && write->condition)
        code = expr_condition_check_paths(env, write->condition, names, n);
    return code ? aws_env_fail(call, env) : 0;
}

int ddb_write_read(struct aws_call *call, const struct json *object, enum ddb_write_kind kind, bool legacy, struct ddb_write *write)
{
    struct attr *given = NULL;
    struct expr_env env;
    write->kind = kind;
    write->by_expression = kind == DDB_UPDATE && shape_get(object, "UpdateExpression");
    write->item_on_failure = aws_param_is(object, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    int code = ddb_item(call, shape_get(object, kind == DDB_PUT ? "Item" : "Key"), &given);
    if (code)
        return code;
    if (kind == DDB_PUT)
        write->item = given;
    else
        write->key = given;
    code = read_expressions(call, object, legacy, write, &env);
    if (!code)
        code = ddb_table(call, shape_get(object, "TableName"), &write->table);
    if (!code)
        code = check_keys(call, write, &env);
    return code ? code : ddb_writable(call, write->table);
}

void ddb_write_used(struct aws_call *call, const struct ddb_write *write, double factor)
{
    size_t old = write->before ? item_size(write->before) : 0, new = write->after ? item_size(write->after) : 0;
    aws_used(call, write->table, 0, factor * ddb_write_units(old > new ? old : new));
}

/* ---- in the tick ---- */

static int read_before(struct aws_call *call, struct store_view *view, struct ddb_write *write)
{
    const struct attr *key = write->kind == DDB_PUT ? write->item : write->key;
    int code = store_get_seen(view, write->table, key, call->arena, &write->before, &write->seen);
    if (code == ERR_NOT_FOUND)
        write->before = NULL;
    return code && code != ERR_NOT_FOUND ? aws_store_fail(call, code, NULL) : 0;
}

static int run_put(struct aws_call *call, struct store_view *view, struct ddb_write *write, const struct attr *item)
{
    struct err err = {0};
    const struct attr *old = NULL;
    bool known = write->condition || write->kind == DDB_UPDATE;
    write->after = item;
    bool want_old = !known && (write->want_before || (write->only_new && write->item_on_failure));
    int code = store_put_seen(view, write->table, item, write->only_new ? STORE_IF_ABSENT : 0, call->arena, &write->seen, want_old ? &old : NULL, &err);
    if (!known)
        write->before = old;
    return code == ERR_EXISTS ? code : code ? aws_store_fail(call, code, &err) : 0;
}

static int run_delete(struct aws_call *call, struct store_view *view, struct ddb_write *write)
{
    struct err err = {0};
    const struct attr *old = NULL;
    int code = store_delete_seen(view, write->table, write->key, 0, call->arena, &write->seen, write->want_before ? &old : NULL, &err);
    if (!write->condition)
        write->before = old;
    return code ? aws_store_fail(call, code, &err) : 0;
}

static int run_update(struct aws_call *call, struct store_view *view, struct ddb_write *write)
{
    struct err err = {0};
    const struct attr *item = NULL;
    int code = expr_update_apply(write->update, write->before, write->key, call->arena, &item, &err);
    if (code)
        return code == ERR_MEMORY ? aws_no_memory(call) : aws_fail(call, AWS_VALIDATION, "%s", err.text);
    if (!item)
        return 0;
    code = write->by_expression ? ddb_updated_keys(call, write->table, item) : ddb_item_keys(call, write->table, item);
    return code ? code : run_put(call, view, write, item);
}

int ddb_write_run(struct aws_call *call, struct store_view *view, struct ddb_write *write)
{
    int code = 0;
    write->before = write->after = NULL;
    write->seen = (struct store_seen){.stage = NULL};
    if (write->condition || write->kind == DDB_UPDATE)
        code = read_before(call, view, write);
    if (code)
        return code;
    if (write->condition && !expr_condition_eval(write->condition, write->before))
        return ERR_CONDITION;
    switch (write->kind) {
    case DDB_PUT:
        return run_put(call, view, write, write->item);
    case DDB_DELETE:
        return run_delete(call, view, write);
    case DDB_UPDATE:
        return run_update(call, view, write);
    default:
        write->after = write->before;
        return 0;
    }
}

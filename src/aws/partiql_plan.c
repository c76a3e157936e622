/*
 * From a statement to what the wire's other operations are made of: the request, the read of one item, writes. SELECT over many is in partiql_select.c.
 *
 * A write names its whole key by equalities that must hold (they stand in no OR). Its condition is the WHERE itself: the key's equality in it is false when
 * there is no item, which is what UPDATE needs.
 */
#include "aws/partiql.h"

#define NAME_MAX_BYTES 1024 /* of a table's name or ARN, and of an index's name */
#define KEY_MISSING "Where clause does not contain a mandatory equality on all key attributes"

/* ---- the request ---- */

static int read_parameters(struct aws_call *call, struct expr_env *env, const struct json *list, const struct attr ***out, size_t *count)
{
    const struct attr **parameter = arena_array(call->arena, (list ? list->count : 0) + 1, sizeof(*parameter));
    if (!parameter)
        return aws_no_memory(call);
    *out = parameter;
    *count = 0;
    for (const struct json *at = list ? list->first : NULL; at; at = at->next) {
        struct attr *value;
        if (expr_form_value(env, at, &value))
            return aws_env_fail(call, env);
        parameter[(*count)++] = value;
    }
    return 0;
}

static const char *action_of(enum partiql_kind kind)
{
    return kind == PARTIQL_PUT ? "PartiQLInsert" : kind == PARTIQL_CHANGE ? "PartiQLUpdate" : kind == PARTIQL_ERASE ? "PartiQLDelete" : "PartiQLSelect";
}

int partiql_read_request(struct aws_call *call, const struct json *object, struct partiql_request *request)
{
    const struct attr **parameter = NULL;
    size_t parameters = 0;
    struct partiql_statement *s = &request->statement;
    *request = (struct partiql_request){.table = NULL};
    expr_env_init(&request->env, call->arena);
    request->on_failure = aws_param_is(object, "ReturnValuesOnConditionCheckFailure", "ALL_OLD");
    request->consistent = aws_param_true(object, "ConsistentRead");
    int code = read_parameters(call, &request->env, shape_get(object, "Parameters"), &parameter, &parameters);
    if (code)
        return code;
    if (partiql_parse(&request->env, aws_param_text(object, "Statement"), parameter, parameters, s))
        return aws_env_fail(call, &request->env);
    struct json name = {.type = JSON_STRING, .text = s->table};
    if (s->table.len > NAME_MAX_BYTES) /* no table has such a name, and nobody is told whether he might have read it */
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found");
    if (s->index.len > NAME_MAX_BYTES)
        return aws_fail(call, AWS_VALIDATION, "The table does not have the specified index: %.*s", TEXT_FMT(s->index));
    code = aws_may_on(call, action_of(s->kind), "table", s->table, s->index);
    return code ? code : ddb_table(call, &name, &request->table);
}

bool partiql_is_read(const struct partiql_request *request)
{
    return request->statement.kind == PARTIQL_READ;
}

/* ---- conditions on keys ---- */

bool partiql_is_name(const struct expr_form *form, struct text name)
{
    return form->op == FORM_PATH && form->count == 1 && text_equal(form->step[0].name, name);
}

/* The value that `form` says the attribute is equal to; NULL when it is no such equality. */
const struct attr *partiql_equal_to(const struct expr_form *form, struct text name)
{
    if (form->op != FORM_EQ)
        return NULL;
    if (partiql_is_name(form->first, name) && form->last->op == FORM_VALUE)
        return form->last->value;
    return partiql_is_name(form->last, name) && form->first->op == FORM_VALUE ? form->first->value : NULL;
}

/* The same among all terms that must hold together. */
const struct attr *partiql_find_equal(const struct expr_form *form, struct text name)
{
    const struct attr *value = NULL;
    if (!form || form->op != FORM_AND)
        return form ? partiql_equal_to(form, name) : NULL;
    for (const struct expr_form *at = form->first; at && !value; at = at->next)
        value = partiql_find_equal(at, name);
    return value;
}

/* The whole key of an item, when the statement names it; NULL when it does not, or without memory (then call->fault says so). */
static struct attr *whole_key(struct aws_call *call, const struct partiql_request *request)
{
    const struct store_key *schema = store_key_of(request->table, NULL);
    struct attr *key = item_create(call->arena);
    for (size_t i = 0; key && i < store_key_parts(schema); i++) {
        const struct attr *value = partiql_find_equal(request->statement.where, schema->part[i].name);
        if (!value)
            return NULL;
        if (!item_set_copy(call->arena, key, schema->part[i].name, value))
            key = NULL;
    }
    if (!key)
        aws_no_memory(call);
    return key;
}

/* Does the WHERE say anything but what the key is? */
static bool only_names_key(const struct expr_form *form, const struct store_key *schema)
{
    if (form->op == FORM_AND) {
        for (const struct expr_form *at = form->first; at; at = at->next)
            if (!only_names_key(at, schema))
                return false;
        return true;
    }
    for (size_t i = 0; i < store_key_parts(schema); i++)
        if (partiql_equal_to(form, schema->part[i].name))
            return true;
    return false;
}

static int check_condition(struct aws_call *call, struct partiql_request *request, const struct expr_condition *condition)
{
    struct text names[2];
    size_t n = ddb_key_names(request->table, names);
    return expr_condition_check_paths(&request->env, condition, names, n) ? aws_env_fail(call, &request->env) : 0;
}

int partiql_plan_filter(struct aws_call *call, struct partiql_request *request, enum expr_kind kind, const struct expr_form *where, const struct expr_condition **out)
{
    *out = NULL;
    if (!where)
        return 0;
    if (expr_form_condition(&request->env, kind, where, out))
        return aws_env_fail(call, &request->env);
    return check_condition(call, request, *out);
}

int partiql_plan_columns(struct aws_call *call, struct partiql_request *request, const struct expr_projection **out)
{
    const struct partiql_statement *s = &request->statement;
    *out = NULL;
    if (!s->columns)
        return 0;
    if (expr_form_columns(&request->env, (const struct expr_form *const *)s->column, s->label, s->columns, out))
        return aws_env_fail(call, &request->env);
    return ddb_projection_check(call, &request->env, request->table, *out);
}

/* ---- SELECT of one item ---- */

int partiql_plan_get(struct aws_call *call, struct partiql_request *request, const char *operation, struct partiql_get *get)
{
    const struct partiql_statement *s = &request->statement;
    *get = (struct partiql_get){.table = request->table};
    get->key = s->index.len ? NULL : whole_key(call, request);
    if (!get->key)
        return aws_fail(call, AWS_VALIDATION, "Select statements within %s must specify the primary key in the where clause.", operation);
    int code = partiql_plan_filter(call, request, EXPR_FILTER, s->where, &get->filter);
    if (!code)
        code = partiql_plan_columns(call, request, &get->projection);
    return code ? code : ddb_key_check(call, get->table, get->key);
}

/* ---- writes ---- */

static int plan_insert(struct aws_call *call, const struct partiql_request *request, struct ddb_write *write)
{
    write->item = request->statement.item;
    write->only_new = true;
    int code = ddb_item_check(call, write->item);
    return code ? code : ddb_item_keys(call, write->table, write->item);
}

static int plan_update(struct aws_call *call, struct partiql_request *request, struct ddb_write *write)
{
    struct text names[2];
    size_t n = ddb_key_names(write->table, names);
    int code = expr_form_update(&request->env, request->statement.action, request->statement.actions, &write->update);
    if (!code)
        code = expr_update_check_keys(&request->env, write->update, names, n);
    return code ? aws_env_fail(call, &request->env) : 0;
}

/* What DELETE asks is asked of an item that is there: without one it deletes nothing, and succeeds. */
static int plan_delete_condition(struct aws_call *call, struct partiql_request *request, struct ddb_write *write)
{
    const struct store_key *schema = store_key_of(write->table, NULL);
    const struct expr_form *where = request->statement.where;
    struct expr_form_step *step = arena_zalloc(call->arena, sizeof(*step));
    struct expr_form *node = arena_zalloc(call->arena, 4 * sizeof(*node));
    if (only_names_key(where, schema))
        return 0;
    if (!step || !node)
        return aws_no_memory(call);
    step->name = schema->part[0].name;
    node[0].op = FORM_OR;
    node[1].op = FORM_MISSING;
    node[2] = (struct expr_form){.op = FORM_PATH, .count = 1, .step = step};
    node[3] = *where;
    expr_form_add(&node[1], &node[2]);
    expr_form_add(&node[0], &node[1]);
    expr_form_add(&node[0], &node[3]);
    return partiql_plan_filter(call, request, EXPR_CONDITION, &node[0], &write->condition);
}

int partiql_plan_write(struct aws_call *call, struct partiql_request *request, struct ddb_write *write)
{
    static const enum ddb_write_kind kind[] = {[PARTIQL_PUT] = DDB_PUT, [PARTIQL_CHANGE] = DDB_UPDATE, [PARTIQL_ERASE] = DDB_DELETE, [PARTIQL_CHECK] = DDB_CHECK};
    const struct partiql_statement *s = &request->statement;
    *write = (struct ddb_write){.kind = kind[s->kind], .table = request->table, .item_on_failure = request->on_failure,
        .want_before = s->returning != PARTIQL_RETURN_NONE || ddb_return_capacity(call) != DDB_CAPACITY_NONE};
    int code = 0;
    if (s->kind == PARTIQL_PUT) {
        code = plan_insert(call, request, write);
        return code ? code : ddb_writable(call, write->table);
    }
    write->key = s->index.len ? NULL : whole_key(call, request);
    if (!write->key)
        return aws_fail(call, AWS_VALIDATION, KEY_MISSING);
    if (s->kind == PARTIQL_CHANGE)
        code = plan_update(call, request, write);
    if (!code)
        code = s->kind == PARTIQL_ERASE ? plan_delete_condition(call, request, write) : partiql_plan_filter(call, request, EXPR_CONDITION, s->where, &write->condition);
    if (!code)
        code = ddb_key_check(call, write->table, write->key);
    return code ? code : ddb_writable(call, write->table);
}

const struct attr *partiql_returned(struct aws_call *call, const struct partiql_request *request, const struct ddb_write *write)
{
    const struct attr *out = NULL;
    switch (request->statement.returning) {
    case PARTIQL_RETURN_ALL_OLD:
        return write->before;
    case PARTIQL_RETURN_ALL_NEW:
        return write->after;
    case PARTIQL_RETURN_MODIFIED_OLD:
    case PARTIQL_RETURN_MODIFIED_NEW:
        if (expr_update_touched(write->update, request->statement.returning == PARTIQL_RETURN_MODIFIED_OLD ? write->before : write->after, call->arena, &out))
            aws_no_memory(call);
        return out;
    default:
        return NULL;
    }
}

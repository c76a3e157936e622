/* ExecuteStatement: a page of a SELECT, or one write. */
#include "aws/partiql.h"

struct execute {
    struct partiql_request request;
    struct ddb_page page;
    struct ddb_write write;
    bool local[STORE_INDEXES_MAX];
};

/* ---- SELECT ---- */

/* NextToken, and the key it stands for. */
static int write_more(struct aws_call *call, const struct ddb_page *page, const struct attr *last)
{
    struct attr *key = partiql_page_key(call->arena, page, last);
    struct text token = key ? partiql_token_make(call, key) : TEXT_NONE;
    if (!token.data)
        return aws_no_memory(call);
    json_name(&call->w, "NextToken");
    json_text(&call->w, token);
    json_name(&call->w, "LastEvaluatedKey");
    item_to_wire(&call->w, key);
    return 0;
}

static int prepare_read(struct aws_call *call, struct execute *execute)
{
    const struct json *limit = shape_get(call->in, "Limit");
    struct text token = aws_param_text(call->in, "NextToken");
    int code = partiql_plan_page(call, &execute->request, &execute->page);
    if (code)
        return code;
    execute->page.more = write_more;
    if (limit)
        json_to_i64(limit, &execute->page.limit);
    call->way = execute->page.is_query ? AWS_READ : AWS_SCAN;
    return token.data ? partiql_token_read(call, token, &execute->page) : 0;
}

/* ---- writes ---- */

static int prepare_write(struct aws_call *call, struct execute *execute)
{
    call->way = AWS_WRITE;
    return partiql_plan_write(call, &execute->request, &execute->write);
}

static int perform_write(struct aws_call *call, struct store_view *view, struct execute *execute)
{
    int code = ddb_return_capacity(call) == DDB_CAPACITY_INDEXES ? ddb_locals(view, call->arena, execute->write.table, execute->local) : 0;
    if (code)
        return aws_store_fail(call, code, NULL);
    code = ddb_write_run(call, view, &execute->write);
    if (code != ERR_CONDITION && code != ERR_EXISTS)
        return code;
    if (code == ERR_EXISTS)
        aws_fail(call, DDB_DUPLICATE, "Duplicate primary key exists in table");
    else
        aws_fail(call, DDB_CONDITION, "The conditional request failed");
    if (execute->write.item_on_failure)
        call->fault_item = execute->write.before;
    return code;
}

static void answer_write(struct aws_call *call, const struct execute *execute)
{
    const struct attr *returned = partiql_returned(call, &execute->request, &execute->write);
    struct json_writer *w = &call->w;
    ddb_write_used(call, &execute->write, 1);
    json_begin_object(w);
    json_name(w, "Items");
    json_begin_array(w);
    if (returned)
        item_to_wire(w, returned);
    json_end_array(w);
    if (ddb_return_capacity(call)) {
        struct ddb_capacity capacity = {.table = execute->write.table};
        ddb_capacity_write(&capacity, execute->write.before, execute->write.after, 1);
        json_name(w, "ConsumedCapacity");
        ddb_capacity_json(call, &capacity, ddb_return_capacity(call) == DDB_CAPACITY_INDEXES, false, execute->local);
    }
    json_end_object(w);
}

/* ---- the operation ---- */

int ddb_execute_statement_prepare(struct aws_call *call)
{
    struct execute *execute = arena_zalloc(call->arena, sizeof(*execute));
    if (!execute)
        return aws_no_memory(call);
    call->state = execute;
    int code = partiql_read_request(call, call->in, &execute->request);
    if (code)
        return code;
    if (execute->request.statement.kind == PARTIQL_CHECK)
        return aws_fail(call, AWS_VALIDATION, "EXISTS is supported in ExecuteTransaction only");
    return partiql_is_read(&execute->request) ? prepare_read(call, execute) : prepare_write(call, execute);
}

int ddb_execute_statement_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    (void)tick;
    struct execute *execute = call->state;
    return partiql_is_read(&execute->request) ? ddb_page_run(call, view, &execute->page) : perform_write(call, view, execute);
}

void ddb_execute_statement_answer(struct aws_call *call)
{
    const struct execute *execute = call->state;
    if (!partiql_is_read(&execute->request))
        answer_write(call, execute);
}

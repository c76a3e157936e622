/*
 * ExecuteTransaction: all statements or none. Writes (and EXISTS beside them) become the same transaction that TransactWriteItems runs; reads see one view.
 */
#include "aws/partiql.h"
#include "aws/transact.h"

struct reading {
    struct partiql_get *get;
    size_t count;
};

/* ---- prepare ---- */

static int add_write(struct aws_call *call, struct ddb_transaction *t, struct partiql_request *request)
{
    if (request->statement.returning)
        return aws_fail(call, AWS_VALIDATION, "RETURNING is not supported in ExecuteTransaction");
    int code = partiql_plan_write(call, request, &t->write[t->count]);
    return code ? code : ddb_transaction_add(call, t);
}

static int add_read(struct aws_call *call, struct reading *reading, struct partiql_request *request, struct ddb_keyset *seen)
{
    struct partiql_get *get = &reading->get[reading->count];
    int code = partiql_plan_get(call, request, "ExecuteTransaction", get);
    if (code)
        return code;
    reading->count++;
    code = ddb_keyset_add(seen, call->arena, get->table, get->key);
    if (code == ERR_DUPLICATE)
        return aws_fail(call, AWS_VALIDATION, "Transaction request cannot include multiple operations on one item");
    return code ? aws_no_memory(call) : 0;
}

static int read_statements(struct aws_call *call, const struct json *list, struct partiql_request *request, size_t *reads)
{
    *reads = 0;
    for (const struct json *at = list->first; at; at = at->next, request++) {
        int code = partiql_read_request(call, at, request);
        if (code)
            return code;
        *reads += partiql_is_read(request);
    }
    if (*reads && *reads < list->count)
        return aws_fail(call, AWS_VALIDATION, "A transaction must consist of either read statements or write statements");
    return 0;
}

static int prepare_writes(struct aws_call *call, const struct json *list, struct partiql_request *request)
{
    struct ddb_transaction *t = NULL;
    int code = ddb_transaction_create(call, list, &t);
    for (size_t i = 0; i < list->count && !code; i++)
        code = add_write(call, t, &request[i]);
    if (t)
        t->responses = true;
    call->way = AWS_WRITE;
    return code;
}

static int prepare_reads(struct aws_call *call, const struct json *list, struct partiql_request *request)
{
    struct reading *reading = arena_zalloc(call->arena, sizeof(*reading));
    struct ddb_keyset *seen = arena_zalloc(call->arena, sizeof(*seen));
    if (!reading || !seen)
        return aws_no_memory(call);
    call->state = reading;
    reading->get = arena_zalloc(call->arena, list->count * sizeof(*reading->get));
    int code = reading->get ? 0 : aws_no_memory(call);
    for (size_t i = 0; i < list->count && !code; i++)
        code = add_read(call, reading, &request[i], seen);
    return code;
}

int ddb_execute_transaction_prepare(struct aws_call *call)
{
    const struct json *list = shape_get(call->in, "TransactStatements");
    struct partiql_request *request = arena_zalloc(call->arena, list->count * sizeof(*request));
    size_t reads;
    if (!request)
        return aws_no_memory(call);
    int code = read_statements(call, list, request, &reads);
    if (code)
        return code;
    return reads ? prepare_reads(call, list, request) : prepare_writes(call, list, request);
}

/* ---- reads ---- */

static void write_capacity(struct aws_call *call, const struct reading *reading)
{
    bool local[STORE_INDEXES_MAX] = {false};
    enum ddb_return_capacity wanted = ddb_return_capacity(call);
    if (!wanted)
        return;
    json_name(&call->w, "ConsumedCapacity");
    json_begin_array(&call->w);
    for (size_t i = 0; i < reading->count; i++) {
        struct ddb_capacity capacity = {.table = reading->get[i].table, .reads = 2 * ddb_read_units(reading->get[i].bytes, true)};
        ddb_capacity_json(call, &capacity, wanted == DDB_CAPACITY_INDEXES, true, local);
    }
    json_end_array(&call->w);
}

static int perform_reads(struct aws_call *call, struct store_view *view, struct reading *reading)
{
    size_t bytes = 0;
    json_begin_object(&call->w);
    json_name(&call->w, "Responses");
    json_begin_array(&call->w);
    for (size_t i = 0; i < reading->count; i++) {
        json_begin_object(&call->w);
        int code = view->cache_only && bytes > DDB_TRANSACT_IO_BYTES ? ERR_COLD : partiql_get_run(call, view, &reading->get[i]);
        if (code)
            return code;
        aws_used(call, reading->get[i].table, 2 * ddb_read_units(reading->get[i].bytes, true), 0);
        json_end_object(&call->w);
        bytes += reading->get[i].bytes;
        if (bytes > DDB_TRANSACT_BYTES)
            return aws_fail(call, AWS_VALIDATION, "Collection size of items in a transaction cannot exceed 4MB");
    }
    json_end_array(&call->w);
    write_capacity(call, reading);
    json_end_object(&call->w);
    return 0;
}

/* ---- the operation ---- */

int ddb_execute_transaction_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    return call->way == AWS_WRITE ? ddb_transact_write_perform(call, view, tick) : perform_reads(call, view, call->state);
}

void ddb_execute_transaction_answer(struct aws_call *call)
{
    if (call->way == AWS_WRITE)
        ddb_transact_write_answer(call);
}

/*
 * BatchExecuteStatement: up to 25 statements, each with its own result or error. Writes run in one call of the tick, each between two save points: those that
 * succeed commit together. What goes beyond the bytes that one call may stage, or one answer may carry, is answered as throttled, so that a client sends it again.
 */
#include "aws/partiql.h"

#define BATCH_READ_BYTES (16u << 20)
#define BATCH_IO_BYTES (128u << 10)  /* read on the io thread; more moves to a worker */
#define BATCH_STAGE_BYTES (6u << 20) /* staged by one batch: below the tick's bound, which would refuse it all */

struct failure {
    const char *code; /* NULL: none */
    struct text message;
    const struct attr *item;
};
struct entry {
    struct partiql_request request;
    struct partiql_get get;
    struct ddb_write write;
    struct failure refused; /* by prepare */
    struct failure failed;  /* by the last run */
    bool local[STORE_INDEXES_MAX];
};
struct batch {
    struct entry *entry;
    size_t count;
    bool reads;
};

/* What is no fault of the statement ends the batch: then the code is passed on. */
static int take_failure(struct aws_call *call, const struct ddb_write *write, int code, struct failure *failure)
{
    const struct attr *item = write && write->item_on_failure ? write->before : NULL;
    *failure = (struct failure){.code = NULL};
    if (!code)
        return 0;
    if (code == ERR_CONDITION)
        *failure = (struct failure){"ConditionalCheckFailed", TEXT("The conditional request failed"), item};
    else if (code == ERR_EXISTS)
        *failure = (struct failure){"DuplicateItem", TEXT("Duplicate primary key exists in table"), item};
    else if (call->fault == AWS_VALIDATION || call->fault == AWS_SERIALIZATION)
        *failure = (struct failure){"ValidationError", call->message, NULL};
    else if (call->fault == DDB_NOT_FOUND)
        *failure = (struct failure){"ResourceNotFound", call->message, NULL};
    else if (call->fault == AWS_DENIED)
        *failure = (struct failure){"AccessDenied", call->message, NULL};
    else
        return code;
    call->fault = AWS_FINE;
    call->message = TEXT_NONE;
    return 0;
}

/* ---- prepare ---- */

static int plan(struct aws_call *call, struct entry *entry)
{
    enum partiql_kind kind = entry->request.statement.kind;
    if (kind == PARTIQL_CHECK)
        return aws_fail(call, AWS_VALIDATION, "EXISTS is supported in ExecuteTransaction only");
    return kind == PARTIQL_READ ? partiql_plan_get(call, &entry->request, "BatchExecuteStatement", &entry->get)
                                : partiql_plan_write(call, &entry->request, &entry->write);
}

static int read_entry(struct aws_call *call, const struct json *object, struct entry *entry)
{
    int code = partiql_read_request(call, object, &entry->request);
    if (!code)
        code = plan(call, entry);
    return take_failure(call, NULL, code, &entry->refused);
}

/* Only statements that could be read have a kind. */
static int check_mixing(struct aws_call *call, struct batch *batch)
{
    size_t reads = 0, writes = 0;
    for (size_t i = 0; i < batch->count; i++) {
        const struct partiql_request *request = &batch->entry[i].request;
        reads += request->table && partiql_is_read(request);
        writes += request->table && !partiql_is_read(request);
    }
    batch->reads = !writes;
    return reads && writes ? aws_fail(call, AWS_VALIDATION, "A batch must consist of either read statements or write statements") : 0;
}

int ddb_batch_execute_prepare(struct aws_call *call)
{
    const struct json *statements = shape_get(call->in, "Statements");
    struct batch *batch = arena_zalloc(call->arena, sizeof(*batch));
    if (!batch)
        return aws_no_memory(call);
    call->state = batch;
    batch->entry = arena_zalloc(call->arena, statements->count * sizeof(*batch->entry));
    if (!batch->entry)
        return aws_no_memory(call);
    for (const struct json *at = statements->first; at; at = at->next) {
        int code = read_entry(call, at, &batch->entry[batch->count++]);
        if (code)
            return code;
    }
    int code = check_mixing(call, batch);
    call->way = batch->reads ? AWS_READ : AWS_WRITE;
    return code;
}

/* ---- the answer ---- */

static void begin_response(struct aws_call *call, const struct entry *entry)
{
    json_begin_object(&call->w);
    if (entry->request.table) {
        json_name(&call->w, "TableName");
        json_text(&call->w, store_table_name(entry->request.table));
    }
}

static void write_failure(struct json_writer *w, const struct failure *failure)
{
    json_name(w, "Error");
    json_begin_object(w);
    json_name(w, "Code");
    json_str(w, failure->code);
    json_name(w, "Message");
    json_text(w, failure->message);
    if (failure->item) {
        json_name(w, "Item");
        item_to_wire(w, failure->item);
    }
    json_end_object(w);
}

static void count_used(struct aws_call *call, const struct batch *batch)
{
    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entry[i];
        if (entry->refused.code || entry->failed.code)
            continue;
        if (batch->reads)
            aws_used(call, entry->request.table, ddb_read_units(entry->get.bytes, entry->request.consistent), 0);
        else
            ddb_write_used(call, &entry->write, 1);
    }
}

static void write_capacity(struct aws_call *call, const struct batch *batch)
{
    enum ddb_return_capacity wanted = ddb_return_capacity(call);
    count_used(call, batch);
    if (!wanted)
        return;
    json_name(&call->w, "ConsumedCapacity");
    json_begin_array(&call->w);
    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entry[i];
        struct ddb_capacity capacity = {.table = entry->request.table};
        if (entry->refused.code || entry->failed.code)
            continue;
        if (batch->reads)
            capacity.reads = ddb_read_units(entry->get.bytes, entry->request.consistent);
        else
            ddb_capacity_write(&capacity, entry->write.before, entry->write.after, 1);
        ddb_capacity_json(call, &capacity, wanted == DDB_CAPACITY_INDEXES, false, entry->local);
    }
    json_end_array(&call->w);
}

/* ---- reads ---- */

static int read_one(struct aws_call *call, struct store_view *view, struct entry *entry, size_t *bytes)
{
    static const struct failure full = {"ThrottlingError", {"The answer is full; send the statement again", 44}, NULL};
    entry->failed = (struct failure){.code = NULL};
    entry->get.bytes = 0;
    if (!entry->refused.code && (*bytes >= BATCH_READ_BYTES || call->body.len >= BATCH_READ_BYTES))
        entry->failed = full;
    begin_response(call, entry);
    int code = 0;
    if (entry->refused.code || entry->failed.code)
        write_failure(&call->w, entry->refused.code ? &entry->refused : &entry->failed);
    else
        code = partiql_get_run(call, view, &entry->get);
    json_end_object(&call->w);
    *bytes += entry->get.bytes;
    return code;
}

static int perform_reads(struct aws_call *call, struct store_view *view, struct batch *batch)
{
    size_t bytes = 0;
    json_begin_object(&call->w);
    json_name(&call->w, "Responses");
    json_begin_array(&call->w);
    for (size_t i = 0; i < batch->count; i++) {
        int code = view->cache_only && bytes > BATCH_IO_BYTES ? ERR_COLD : read_one(call, view, &batch->entry[i], &bytes);
        if (code)
            return code;
    }
    json_end_array(&call->w);
    write_capacity(call, batch);
    json_end_object(&call->w);
    return 0;
}

/* ---- writes ---- */

static int write_one(struct aws_call *call, struct store_view *view, struct entry *entry, struct store_stage *stage)
{
    struct store_save save = store_stage_save(stage);
    int code = ddb_return_capacity(call) == DDB_CAPACITY_INDEXES ? ddb_locals(view, call->arena, entry->write.table, entry->local) : 0;
    if (code)
        return aws_store_fail(call, code, NULL);
    code = ddb_write_run(call, view, &entry->write);
    if (code)
        store_stage_rollback(stage, save);
    return take_failure(call, &entry->write, code, &entry->failed);
}

static int perform_writes(struct aws_call *call, struct store_view *view, struct batch *batch, struct store_stage *stage)
{
    size_t begun = store_stage_bytes(stage);
    int code = 0;
    for (size_t i = 0; i < batch->count && !code; i++) {
        struct entry *entry = &batch->entry[i];
        size_t now = store_stage_bytes(stage);
        if (entry->refused.code)
            continue;
        if (now > begun && now - begun > BATCH_STAGE_BYTES)
            entry->failed = (struct failure){"ThrottlingError", TEXT("The batch is full; send the statement again"), NULL};
        else
            code = write_one(call, view, entry, stage);
    }
    return code;
}

int ddb_batch_execute_perform(struct aws_call *call, struct store_view *view, struct tick *tick)
{
    struct batch *batch = call->state;
    return batch->reads ? perform_reads(call, view, batch) : perform_writes(call, view, batch, tick_stage(tick));
}

void ddb_batch_execute_answer(struct aws_call *call)
{
    const struct batch *batch = call->state;
    if (batch->reads)
        return;
    json_begin_object(&call->w);
    json_name(&call->w, "Responses");
    json_begin_array(&call->w);
    for (size_t i = 0; i < batch->count; i++) {
        const struct entry *entry = &batch->entry[i];
        const struct failure *failure = entry->refused.code ? &entry->refused : &entry->failed;
        const struct attr *returned = failure->code ? NULL : partiql_returned(call, &entry->request, &entry->write);
        begin_response(call, entry);
        if (failure->code)
            write_failure(&call->w, failure);
        if (returned) {
            json_name(&call->w, "Item");
            item_to_wire(&call->w, returned);
        }
        json_end_object(&call->w);
    }
    json_end_array(&call->w);
    write_capacity(call, batch);
    json_end_object(&call->w);
}

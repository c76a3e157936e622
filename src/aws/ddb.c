/*
 * The life of a DynamoDB call, and the table of operations. To add an operation: a shape in shapes.c, its steps in a file of its kind, a row here.
 *
 * The body is parsed once, from a padded copy in the call's arena, and everything made from it borrows that copy; so a call can move to the tick or to a worker and back.
 * Small reads are answered inside the request's own callback, from the block cache.
 */
#include "aws/ddb.h"

#include "base/assert.h"
#include "base/log.h"
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 8192 /* bytes of an error's sentence */
#define OFFLOAD_TRIES 64

#define ROW(name, shape, way, prepare, perform, answer) {name, &ddb_shape_##shape, way, false, prepare, perform, answer},
#define CONTROL(name, shape, way, prepare, perform) {name, &ddb_shape_##shape, way, true, prepare, perform, NULL},
const struct ddb_operation ddb_operations[] = {
    /* what is called most stands first */
    ROW("PutItem", put_item, DDB_WRITE, ddb_put_prepare, ddb_put_perform, ddb_write_answer)
    ROW("GetItem", get_item, DDB_READ, ddb_get_prepare, ddb_get_perform, NULL)
    ROW("UpdateItem", update_item, DDB_WRITE, ddb_update_prepare, ddb_update_perform, ddb_write_answer)
    ROW("DeleteItem", delete_item, DDB_WRITE, ddb_delete_prepare, ddb_delete_perform, ddb_write_answer)
    ROW("Query", query, DDB_READ, ddb_query_prepare, ddb_page_perform, NULL)
    ROW("Scan", scan, DDB_SCAN, ddb_scan_prepare, ddb_page_perform, NULL)
    ROW("BatchGetItem", batch_get, DDB_READ, ddb_batch_get_prepare, ddb_batch_get_perform, NULL)
    ROW("BatchWriteItem", batch_write, DDB_WRITE, ddb_batch_write_prepare, ddb_batch_write_perform, ddb_batch_write_answer)
    ROW("TransactGetItems", transact_get, DDB_READ, ddb_transact_get_prepare, ddb_transact_get_perform, NULL)
    ROW("TransactWriteItems", transact_write, DDB_WRITE, ddb_transact_write_prepare, ddb_transact_write_perform, ddb_transact_write_answer)
    CONTROL("CreateTable", create_table, DDB_WRITE, ddb_create_table_prepare, ddb_create_table_perform)
    CONTROL("DescribeTable", describe_table, DDB_READ, ddb_describe_table_prepare, ddb_describe_table_perform)
    ROW("ListTables", list_tables, DDB_READ, ddb_list_tables_prepare, NULL, NULL)
    CONTROL("DeleteTable", delete_table, DDB_WRITE, ddb_delete_table_prepare, ddb_delete_table_perform)
    CONTROL("UpdateTable", update_table, DDB_WRITE, ddb_update_table_prepare, ddb_update_table_perform)
    ROW("DescribeLimits", nothing, DDB_READ, ddb_limits_prepare, NULL, NULL)
    ROW("DescribeEndpoints", nothing, DDB_READ, ddb_endpoints_prepare, NULL, NULL)
    ROW("TagResource", tag_resource, DDB_WRITE, ddb_tag_prepare, ddb_tag_perform, NULL)
    ROW("UntagResource", untag_resource, DDB_WRITE, ddb_untag_prepare, ddb_untag_perform, NULL)
    ROW("ListTagsOfResource", list_tags, DDB_READ, ddb_list_tags_prepare, ddb_list_tags_perform, NULL)
    ROW("UpdateTimeToLive", update_ttl, DDB_WRITE, ddb_update_ttl_prepare, ddb_update_ttl_perform, NULL)
    ROW("DescribeTimeToLive", table_alone, DDB_READ, ddb_describe_ttl_prepare, NULL, NULL)
    ROW("DescribeContinuousBackups", table_alone, DDB_READ, ddb_describe_backups_prepare, NULL, NULL)
    ROW("UpdateContinuousBackups", update_backups, DDB_READ, ddb_update_backups_prepare, NULL, NULL)
    {0}
};

/* ---- faults ---- */

static const struct {
    const char *type;
    int status;
} faults[] = {
    {"", 200},
#define X(name, status, type) {type, status},
    DDB_FAULTS(X)
#undef X
};

const char *ddb_fault_type(enum ddb_fault fault)
{
    return faults[fault].type;
}

int ddb_fault_status(enum ddb_fault fault)
{
    return faults[fault].status;
}

int ddb_fail_text(struct ddb_call *call, enum ddb_fault fault, struct text message)
{
    if (call->fault)
        return ERR_INVALID;
    call->fault = fault;
    call->message = arena_copy(call->arena, message);
    if (!call->message.data)
        call->message = TEXT("");
    return ERR_INVALID;
}

int ddb_fail(struct ddb_call *call, enum ddb_fault fault, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return ddb_fail_text(call, fault, text_make(message, len < (int)sizeof(message) ? (size_t)len : sizeof(message) - 1));
}

int ddb_no_memory(struct ddb_call *call)
{
    ddb_fail_text(call, DDB_INTERNAL, TEXT("The request needs more memory than one request may use."));
    return ERR_MEMORY;
}

int ddb_env_fail(struct ddb_call *call, const struct expr_env *env)
{
    if (env->code == ERR_MEMORY)
        return ddb_no_memory(call);
    return ddb_fail_text(call, env->code == ERR_TYPE ? DDB_SERIALIZATION : DDB_VALIDATION, env->message);
}

int ddb_store_fail(struct ddb_call *call, int code, const struct err *err)
{
    switch (code) {
    case ERR_COLD:
        return code;
    case ERR_MEMORY:
        return ddb_no_memory(call);
    case ERR_NOT_FOUND:
        return ddb_fail(call, DDB_NOT_FOUND, "Requested resource not found");
    case ERR_DISK_FULL:
        ddb_fail(call, DDB_INTERNAL, "%s", err_text(code));
        return code;
    default:
        break;
    }
    if (err_class_of(code) == ERR_CLASS_INPUT || err_class_of(code) == ERR_CLASS_LIMIT)
        return ddb_fail(call, DDB_VALIDATION, "%s", err && err->text[0] ? err->text : err_text(code));
    log_error("aws", "%s: %s", call->op->name, err && err->text[0] ? err->text : err_text(code));
    ddb_fail(call, DDB_INTERNAL, "%s", err_text(code));
    return code;
}

/* ---- answers ---- */

void ddb_body_begin(struct ddb_call *call)
{
    buf_clear(&call->body);
    json_writer_init(&call->w, &call->body);
}

static void write_fault(struct ddb_call *call)
{
    ddb_body_begin(call);
    struct json_writer *w = &call->w;
    json_begin_object(w);
    json_name(w, "__type");
    json_str(w, ddb_fault_type(call->fault));
    json_name(w, call->fault == DDB_CANCELED || call->fault == DDB_SERIALIZATION ? "Message" : "message");
    json_text(w, call->message);
    if (call->fault_reasons.len) {
        json_name(w, "CancellationReasons");
        json_raw(w, call->fault_reasons);
    }
    if (call->fault_item) {
        json_name(w, "Item");
        item_to_wire(w, call->fault_item);
    }
    json_end_object(w);
}

static void answer(struct ddb_call *call, struct net_conn *conn, int code)
{
    if (code < 0 && !call->fault) {
        struct err none = {0};
        ddb_store_fail(call, code == ERR_COLD ? ERR_INTERNAL : code, &none);
    }
    if (!conn)
        return;
    if (!call->fault && call->op->answer)
        call->op->answer(call);
    if (!call->fault && call->body.failed)
        ddb_fail_text(call, DDB_INTERNAL, TEXT("The answer needs more memory than one answer may use."));
    if (call->fault)
        write_fault(call);
    struct aws_reply reply = {.status = ddb_fault_status(call->fault), .body = buf_text(&call->body), .gzip = call->gzip, .cors = call->cors,
        .json11 = call->json11, .sealed = call->fault ? NULL : &call->sealed};
    aws_respond(conn, &reply);
}

/* ---- the ways ---- */

static void reset(struct ddb_call *call)
{
    call->fault = DDB_FINE;
    call->message = TEXT_NONE;
    call->fault_item = NULL;
    call->fault_reasons = TEXT_NONE;
    ddb_body_begin(call);
}

static void on_done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct ddb_call *call = work->user;
    answer(call, conn, code);
    buf_fini(&call->sealed.packed);
    buf_fini(&call->body);
}

static int run_in_tick(struct gw_work *work, struct tick *tick)
{
    struct ddb_call *call = work->user;
    reset(call); /* the tick has rewound the arena */
    return call->op->perform(call, tick_view(tick), tick);
}

static int run_on_worker(struct gw_work *work, struct store_view *view)
{
    struct ddb_call *call = work->user;
    arena_rewind(call->arena, call->mark);
    reset(call);
    int code = call->op->perform(call, view, NULL);
    if (!code && !call->body.failed)
        aws_seal(&call->sealed, buf_text(&call->body), call->gzip);
    return code;
}

/* The workers' queue is never waited for: when its lock is busy (for less than a microsecond) it says so. */
static void offload(struct ddb_call *call)
{
    int code = ERR_AGAIN;
    for (int i = 0; i < OFFLOAD_TRIES && code == ERR_AGAIN; i++) {
        code = gw_work_offload(call->work, run_on_worker);
        if (code == ERR_AGAIN)
            sched_yield();
    }
    if (code == 0)
        return;
    ddb_fail_text(call, DDB_THROTTLING, TEXT("Too many scans are waiting; try again."));
    gw_work_finish(call->work, ERR_FULL);
}

static void go(struct gw_io *io, struct ddb_call *call)
{
    struct store_view view;
    call->mark = arena_mark(call->arena);
    if (!call->op->perform) {
        gw_work_finish(call->work, 0);
        return;
    }
    if (call->way == DDB_WRITE) {
        call->work->run = run_in_tick;
        gw_work_submit(call->work);
        return;
    }
    if (call->way == DDB_SCAN) {
        offload(call);
        return;
    }
    gw_view_begin(io, &view);
    reset(call);
    int code = call->op->perform(call, &view, NULL);
    gw_view_end(io);
    if (code == ERR_COLD)
        offload(call);
    else
        gw_work_finish(call->work, code);
}

/* ---- beginning ---- */

static int parse(struct ddb_call *call, struct text body)
{
    struct err err = {0};
    char *copy = arena_alloc(call->arena, body.len + JSON_PADDING);
    if (!copy)
        return ddb_no_memory(call);
    if (body.len)
        memcpy(copy, body.data, body.len);
    memset(copy + body.len, 0, JSON_PADDING);
    int code = json_parse(call->arena, text_make(copy, body.len), JSON_PADDED, &call->in, &err);
    if (code == ERR_MEMORY)
        return ddb_no_memory(call);
    if (code || call->in->type != JSON_OBJECT)
        return ddb_fail(call, DDB_SERIALIZATION, "%s", code == ERR_TOO_DEEP ? err.text : "Unexpected token received from parser");
    code = shape_check_types(call->op->input, call->in, &err);
    return code ? ddb_fail(call, DDB_SERIALIZATION, "%s", err.text) : 0;
}

static int constrain_name(struct ddb_call *call)
{
    const struct json *name = shape_get(call->in, "TableName");
    if (!name)
        return ddb_fail(call, DDB_VALIDATION, "The parameter 'TableName' is required but was not present in the request");
    if (!text_starts(name->text, TEXT("arn:")) && (name->text.len < 3 || name->text.len > 255))
        return ddb_fail(call, DDB_VALIDATION, "TableName must be at least 3 characters long and at most 255 characters long");
    return 0;
}

static int constrain(struct ddb_call *call)
{
    struct buf sentence;
    if (call->op->names_table && constrain_name(call))
        return ERR_INVALID;
    buf_init(&sentence, MESSAGE_MAX);
    int code = shape_check_constraints(call->op->input, call->in, &sentence);
    if (code)
        code = ddb_fail_text(call, DDB_VALIDATION, buf_text(&sentence));
    buf_fini(&sentence);
    return code;
}

int ddb_prepare(struct ddb_call *call, struct text body)
{
    int code = parse(call, body);
    if (!code)
        code = constrain(call);
    return !code && call->op->prepare ? call->op->prepare(call) : code;
}

/* The errors of signatures have the same form, status 400 on this wire. */
static void refuse(struct net_conn *conn, const struct http_request *request, const char *type, const char *message)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, MESSAGE_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "__type");
    char full[128];
    snprintf(full, sizeof(full), "com.amazon.coral.service#%s", type);
    json_str(&w, full);
    if (message) {
        json_name(&w, "message");
        json_str(&w, message);
    }
    json_end_object(&w);
    struct aws_reply reply = {.status = 400, .body = buf_text(&body), .cors = http_header_get(request, "origin").data != NULL};
    aws_respond(conn, &reply);
    buf_fini(&body);
}

static const char *signature_message(const char *type, const struct err *err)
{
    if (strcmp(type, "MissingAuthenticationTokenException") == 0)
        return "Request is missing Authentication Token";
    if (strcmp(type, "UnrecognizedClientException") == 0)
        return "The security token included in the request is invalid.";
    return err->text;
}

static const struct ddb_operation *operation_find(struct text name)
{
    for (const struct ddb_operation *op = ddb_operations; op->name; op++)
        if (text_is(name, op->name))
            return op;
    return NULL;
}

void ddb_begin(struct gw_io *io, struct net_conn *conn, const struct gateway_config *config, const struct http_request *request, struct text operation,
    struct text body)
{
    const struct ddb_operation *op = operation_find(operation);
    const struct gw_key *key = NULL;
    const char *type = NULL;
    struct err err = {0};
    if (!op) {
        refuse(conn, request, "UnknownOperationException", NULL);
        return;
    }
    if (gw_work_authorise(io, request, body, "dynamodb", &key, &type, &err)) {
        refuse(conn, request, type, signature_message(type, &err));
        return;
    }
    struct gw_work *work = gw_work_take(io, conn);
    if (!work)
        return;
    struct ddb_call *call = arena_zalloc(work->arena, sizeof(*call));
    ASSERT(call); /* the first chunk of an empty arena */
    *call = (struct ddb_call){.work = work, .config = config, .store = gw_io_store(io), .arena = work->arena, .op = op, .way = op->way,
        .gzip = request->accept_gzip, .cors = http_header_get(request, "origin").data != NULL};
    struct text content_type = http_header_get(request, "content-type");
    call->json11 = text_starts(content_type, TEXT("application/x-amz-json-1.1"));
    call->host = arena_copy(call->arena, request->host);
    work->user = call;
    work->key = key;
    work->done = on_done;
    buf_init(&call->body, DDB_BODY_MAX);
    ddb_body_begin(call);
    int code = ddb_prepare(call, body);
    if (code)
        gw_work_finish(work, code);
    else
        go(io, call);
}

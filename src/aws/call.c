/*
 * The life of a call, from the request's bytes to the answer's.
 *
 * The body is parsed once, from a padded copy in the call's arena, and everything made from it borrows that copy; so a call can move to the tick or to a worker and back.
 * Small reads are answered inside the request's own callback, from the block cache.
 */
#include "aws/call.h"

#include "aws/form.h"
#include "base/assert.h"
#include "base/log.h"
#include <stdarg.h>
#include <stdio.h>

#define MESSAGE_MAX 8192 /* bytes of an error's sentence */
#define LOOKED_AT_MAX (64u << 10) /* bytes of an unsigned body that is parsed */

/* ---- faults ---- */

static const struct {
    const char *type;
    int status;
} faults[] = {
    {"", 200},
#define X(name, status, type) {type, status},
    AWS_FAULTS(X)
#undef X
};

const char *aws_fault_type(enum aws_fault fault)
{
    return faults[fault].type;
}

static const char *type_of(const struct aws_service *service, const char *type)
{
    const char *name = strchr(type, '#');
    return service && service->short_types && name ? name + 1 : type;
}

int aws_fault_status(enum aws_fault fault)
{
    return faults[fault].status;
}

int aws_fail_text(struct aws_call *call, enum aws_fault fault, struct text message)
{
    if (call->fault)
        return ERR_INVALID;
    call->fault = fault;
    if (!message.data)
        return ERR_INVALID;
    call->message = arena_copy(call->arena, message);
    if (!call->message.data)
        call->message = TEXT("");
    return ERR_INVALID;
}

int aws_fail(struct aws_call *call, enum aws_fault fault, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    return aws_fail_text(call, fault, text_make(message, len < (int)sizeof(message) ? (size_t)len : sizeof(message) - 1));
}

int aws_no_memory(struct aws_call *call)
{
    aws_fail_text(call, AWS_INTERNAL, TEXT("The request needs more memory than one request may use."));
    return ERR_MEMORY;
}

int aws_env_fail(struct aws_call *call, const struct expr_env *env)
{
    if (env->code == ERR_MEMORY)
        return aws_no_memory(call);
    return aws_fail_text(call, env->code == ERR_TYPE ? AWS_SERIALIZATION : AWS_VALIDATION, env->message);
}

int aws_store_fail(struct aws_call *call, int code, const struct err *err)
{
    switch (code) {
    case ERR_COLD:
        return code;
    case ERR_MEMORY:
        return aws_no_memory(call);
    case ERR_NOT_FOUND:
        return aws_fail(call, DDB_NOT_FOUND, "Requested resource not found");
    case ERR_DISK_FULL:
        aws_fail(call, AWS_INTERNAL, "%s", err_text(code));
        return code;
    default:
        break;
    }
    if (err_class_of(code) == ERR_CLASS_INPUT || err_class_of(code) == ERR_CLASS_LIMIT)
        return aws_fail(call, AWS_VALIDATION, "%s", err && err->text[0] ? err->text : err_text(code));
    log_error("aws", "%s: %s", call->op->name, err && err->text[0] ? err->text : err_text(code));
    aws_fail(call, AWS_INTERNAL, "%s", err_text(code));
    return code;
}

/* ---- answers ---- */

void aws_body_begin(struct aws_call *call)
{
    buf_clear(&call->body);
    call->dressed = false;
    json_writer_init(&call->w, &call->body);
}

/* What the fault is called in the query protocol. */
static const char *query_code(const struct aws_service *service, enum aws_fault fault)
{
    const struct aws_query_code *at = service->query->codes;
    while (at->fault && at->fault != fault)
        at++;
    return at->fault ? at->code : "InternalFailure";
}

static void write_fault(struct aws_call *call)
{
    aws_body_begin(call);
    if (call->protocol == AWS_PROTOCOL_QUERY) {
        aws_xml_fault(call->service, query_code(call->service, call->fault), aws_fault_status(call->fault) >= 500, call->message, call->id, &call->body);
        call->dressed = true;
        return;
    }
    struct json_writer *w = &call->w;
    json_begin_object(w);
    json_name(w, "__type");
    json_str(w, type_of(call->service, aws_fault_type(call->fault)));
    if (call->message.data) { /* a body that is no JSON is told its fault and no more */
        json_name(w, call->fault == DDB_CANCELED || call->fault == AWS_SERIALIZATION ? "Message" : "message");
        json_text(w, call->message);
    }
    if (call->fault_reasons.len) {
        json_name(w, "CancellationReasons");
        json_raw(w, call->fault_reasons);
    }
    if (call->fault_location.len) {
        json_name(w, "queryCompileError");
        json_raw(w, call->fault_location);
    }
    if (call->fault_item) {
        json_name(w, "Item");
        item_to_wire(w, call->fault_item);
    }
    json_end_object(w);
}

/* For a client that speaks CBOR or XML the finished JSON becomes that. */
static void dress(struct aws_call *call)
{
    struct buf out;
    bool xml = call->protocol == AWS_PROTOCOL_QUERY;
    if (!(call->cbor || xml) || call->dressed || call->body.failed)
        return;
    buf_init(&out, AWS_BODY_MAX);
    if (xml ? aws_dress_xml(buf_text(&call->body), call->service, call->op->name, call->id, &out)
            : aws_dress(buf_text(&call->body), call->service->cbor, &out)) {
        buf_fini(&out);
        call->body.failed = true;
        return;
    }
    buf_fini(&call->body);
    call->body = out;
    call->dressed = true;
}

static void answer(struct aws_call *call, struct net_conn *conn, int code)
{
    if (code < 0 && !call->fault) {
        struct err none = {0};
        aws_store_fail(call, code == ERR_COLD ? ERR_INTERNAL : code, &none);
    }
    if (!conn)
        return;
    if (!call->fault && (call->op->flags & AWS_POURS)) {
        call->conn = conn;
        call->op->answer(call);
        if (!call->fault)
            return;
    } else if (!call->fault && call->op->answer) {
        call->op->answer(call);
    }
    if (!call->fault)
        dress(call);
    if (!call->fault && call->body.failed)
        aws_fail_text(call, AWS_INTERNAL, TEXT("The answer needs more memory than one answer may use."));
    if (call->fault) {
        write_fault(call);
        dress(call);
    }
    char query_error[64];
    struct aws_reply reply = {.status = aws_fault_status(call->fault), .body = buf_text(&call->body), .gzip = call->gzip, .cors = call->cors,
        .json11 = call->json11, .json = call->json, .cbor = call->cbor, .no_sum = call->service->no_sum, .protocol = call->protocol, .id = call->id[0] ? call->id : NULL,
        .sealed = call->fault ? NULL : &call->sealed};
    if (call->fault && call->query_mode) {
        snprintf(query_error, sizeof(query_error), "%s;%s", query_code(call->service, call->fault), reply.status >= 500 ? "Receiver" : "Sender");
        reply.query_error = query_error;
    }
    aws_respond(conn, &reply);
}

/* ---- the ways ---- */

static void reset(struct aws_call *call)
{
    call->fault = AWS_FINE;
    call->message = TEXT_NONE;
    call->fault_item = NULL;
    call->fault_reasons = TEXT_NONE;
    call->fault_location = TEXT_NONE;
    call->used_count = 0;
    call->returned = -1;
    aws_body_begin(call);
}

static void on_done(struct gw_work *work, struct net_conn *conn, int code)
{
    struct aws_call *call = work->user;
    answer(call, conn, code);
    aws_count(call);
    buf_fini(&call->sealed.packed);
    buf_fini(&call->body);
}

static int run_in_tick(struct gw_work *work, struct tick *tick)
{
    struct aws_call *call = work->user;
    reset(call); /* the tick has rewound the arena */
    return call->op->perform(call, tick_view(tick), tick);
}

static int run_on_worker(struct gw_work *work, struct store_view *view)
{
    struct aws_call *call = work->user;
    arena_rewind(call->arena, call->mark);
    reset(call);
    int code = call->op->perform(call, view, NULL);
    if (!code)
        dress(call);
    if (!code && !call->body.failed)
        aws_seal(&call->sealed, buf_text(&call->body), call->gzip);
    return code;
}

static void offload(struct aws_call *call)
{
    if (gw_work_offload(call->work, run_on_worker) == 0)
        return;
    aws_fail_text(call, AWS_THROTTLING, TEXT("Too many requests wait for the disk; try again."));
    gw_work_finish(call->work, ERR_FULL);
}

static void go(struct gw_io *io, struct aws_call *call)
{
    struct store_view view;
    call->mark = arena_mark(call->arena);
    if (!call->op->perform) {
        gw_work_finish(call->work, 0);
        return;
    }
    if (call->way == AWS_WRITE) {
        call->work->run = run_in_tick;
        gw_work_submit(call->work);
        return;
    }
    if (call->way == AWS_SCAN) {
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

static int parse_form(struct aws_call *call, struct text body)
{
    struct err err = {0};
    struct text copy = arena_copy(call->arena, body);
    int code = copy.data ? form_parse(call->arena, copy, call->op->input, &call->in, &err) : ERR_MEMORY;
    if (code == ERR_MEMORY)
        return aws_no_memory(call);
    return code ? aws_fail(call, AWS_SERIALIZATION, "%s", err.text) : 0;
}

static int parse(struct aws_call *call, struct text body)
{
    struct err err = {0};
    if (call->protocol == AWS_PROTOCOL_QUERY)
        return parse_form(call, body);
    char *copy = arena_alloc(call->arena, body.len + JSON_PADDING);
    if (!copy)
        return aws_no_memory(call);
    if (body.len)
        memcpy(copy, body.data, body.len);
    memset(copy + body.len, 0, JSON_PADDING);
    int code = call->cbor ? cbor_parse(call->arena, text_make(copy, body.len), &call->in, &err)
                          : json_parse(call->arena, text_make(copy, body.len), JSON_PADDED, &call->in, &err);
    if (code == ERR_MEMORY)
        return aws_no_memory(call);
    if (code)
        return code == ERR_TOO_DEEP ? aws_fail(call, AWS_SERIALIZATION, "%s", err.text) : aws_fail_text(call, AWS_SERIALIZATION, TEXT_NONE);
    if (call->in->type != JSON_OBJECT)
        return aws_fail(call, AWS_SERIALIZATION, "Unexpected token received from parser");
    code = shape_check_types(call->op->input, call->in, &err);
    return code ? aws_fail(call, AWS_SERIALIZATION, "%s", err.text) : 0;
}

static int constrain_name(struct aws_call *call)
{
    const struct json *name = shape_get(call->in, "TableName");
    if (!name)
        return aws_fail(call, AWS_VALIDATION, "The parameter 'TableName' is required but was not present in the request");
    if (!text_starts(name->text, TEXT("arn:")) && (name->text.len < 3 || name->text.len > 255))
        return aws_fail(call, AWS_VALIDATION, "TableName must be at least 3 characters long and at most 255 characters long");
    return 0;
}

static int constrain(struct aws_call *call)
{
    struct buf sentence;
    if ((call->op->flags & AWS_NAMES_TABLE) && constrain_name(call))
        return ERR_INVALID;
    buf_init(&sentence, MESSAGE_MAX);
    int code = shape_check_constraints(call->op->input, call->in, &sentence);
    if (code)
        code = aws_fail_text(call, call->service->invalid ? (enum aws_fault)call->service->invalid : AWS_VALIDATION, buf_text(&sentence));
    buf_fini(&sentence);
    return code;
}

/* A request that is refused may also hold a wrong type inside an attribute value, which would have come first. */
static int prefer_types(struct aws_call *call, int code)
{
    struct err err = {0};
    if (!code || call->fault == AWS_SERIALIZATION || call->fault == AWS_INTERNAL || !shape_check_values(call->op->input, call->in, &err))
        return code;
    call->fault = AWS_FINE;
    return aws_fail(call, AWS_SERIALIZATION, "%s", err.text);
}

int aws_prepare(struct aws_call *call, struct text body)
{
    call->bytes = body.len;
    int code = parse(call, body);
    if (code)
        return code;
    code = constrain(call);
    if (!code)
        code = aws_access_check(call);
    if (!code && call->op->prepare)
        code = call->op->prepare(call);
    return prefer_types(call, code);
}

/* The query protocol has other names for a bad signature, and other statuses. */
static void refuse_form(struct net_conn *conn, const struct aws_service *service, const char *type, const char *message)
{
    static const char *const names[][2] = {{"MissingAuthenticationTokenException", "MissingAuthenticationToken"}, {"UnrecognizedClientException", "InvalidClientTokenId"},
        {"InvalidSignatureException", "SignatureDoesNotMatch"}, {"IncompleteSignatureException", "IncompleteSignature"}, {"UnknownOperationException", "InvalidAction"}};
    char id[37];
    struct buf body;
    const char *code = type;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(type, names[i][0]) == 0)
            code = names[i][1];
    aws_uuid(id);
    buf_init(&body, MESSAGE_MAX);
    bool is_action = strcmp(code, "InvalidAction") == 0;
    aws_xml_fault(service, code, false, text_of(message ? message : is_action ? "There is no such operation in this version of the API." : type), id, &body);
    struct aws_reply reply = {.status = is_action ? 400 : 403, .body = buf_text(&body), .no_sum = true, .protocol = AWS_PROTOCOL_QUERY, .id = id};
    aws_respond(conn, &reply);
    buf_fini(&body);
}

/* The errors of signatures have the same form, status 400 on this wire. */
static void refuse(struct net_conn *conn, const struct aws_service *service, const struct http_request *request, const char *type, const char *message)
{
    struct buf body, dressed;
    struct json_writer w;
    if (aws_protocol_of(service, request) == AWS_PROTOCOL_QUERY) {
        refuse_form(conn, service, type, message);
        return;
    }
    buf_init(&body, MESSAGE_MAX);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "__type");
    char full[128];
    snprintf(full, sizeof(full), "com.amazon.coral.service#%s", type);
    json_str(&w, type_of(service, full));
    if (message) {
        json_name(&w, "message");
        json_str(&w, message);
    }
    json_end_object(&w);
    struct aws_reply reply = {.status = 400, .body = buf_text(&body), .cors = http_header_get(request, "origin").data != NULL,
        .json11 = service->json11 || aws_content_is(request, "application/x-amz-json-1.1"), .json = !service->json11 && aws_content_is(request, "application/json"),
        .no_sum = service->no_sum, .cbor = aws_speaks_cbor(service, request), .protocol = aws_protocol_of(service, request)};
    buf_init(&dressed, MESSAGE_MAX);
    if (reply.cbor && !aws_dress(buf_text(&body), service->cbor, &dressed))
        reply.body = buf_text(&dressed);
    aws_respond(conn, &reply);
    buf_fini(&dressed);
    buf_fini(&body);
}

/* Parsed for nothing but to tell which fault comes first; a body that is longer than a hand writes is taken as good. */
static bool is_json_body(const struct aws_service *service, const struct http_request *request, struct text body)
{
    struct arena arena;
    const struct json *root;
    if (body.len > LOOKED_AT_MAX || aws_protocol_of(service, request) != AWS_PROTOCOL_JSON || aws_speaks_cbor(service, request))
        return true;
    arena_init(&arena, 4096, LOOKED_AT_MAX * 64);
    int code = json_parse(&arena, body, JSON_COPY, &root, NULL);
    arena_fini(&arena);
    return code != ERR_SYNTAX;
}

static void refuse_signature(struct net_conn *conn, const struct aws_service *service, const struct http_request *request, struct text body, const char *type,
    const struct err *err)
{
    struct buf sentence;
    if (!is_json_body(service, request, body)) {
        refuse(conn, service, request, "SerializationException", NULL);
        return;
    }
    buf_init(&sentence, MESSAGE_MAX);
    type = aws_signature_refusal(request, type, err, &sentence);
    if (!buf_add_char(&sentence, 0))
        refuse(conn, service, request, type, sentence.data);
    else
        refuse(conn, service, request, type, err->text);
    buf_fini(&sentence);
}

const struct aws_operation *aws_operation_find(const struct aws_service *service, struct text name)
{
    for (const struct aws_operation *op = service->operations; op->name; op++)
        if (text_is(name, op->name))
            return op;
    return NULL;
}

void aws_begin(struct gw_io *io, struct net_conn *conn, const struct gateway_config *config, const struct aws_service *service,
    const struct http_request *request, struct text operation, struct text body)
{
    const struct aws_operation *op = aws_operation_find(service, operation);
    const struct gw_key *key = NULL;
    const char *type = NULL;
    struct err err = {0};
    if (!op) {
        refuse(conn, service, request, "UnknownOperationException", NULL);
        return;
    }
    if (gw_work_authorise(io, request, body, service->signing, &key, &type, &err)) {
        if (config->admin_open && strcmp(type, "UnrecognizedClientException") == 0)
            log_warn("aws", "a request was signed with a key that is not known here; a server without keys of its own answers the pair test / test");
        refuse_signature(conn, service, request, body, type, &err);
        return;
    }
    struct gw_work *work = gw_work_take(io, conn);
    if (!work)
        return;
    struct aws_call *call = arena_zalloc(work->arena, sizeof(*call));
    ASSERT(call); /* the first chunk of an empty arena */
    *call = (struct aws_call){.work = work, .config = config, .store = gw_io_store(io), .arena = work->arena, .service = service, .op = op, .way = op->way, .began_ns = clock_mono_ns(), .returned = -1,
        .gzip = request->accept_gzip, .cors = http_header_get(request, "origin").data != NULL};
    struct text content_type = http_header_get(request, "content-type");
    call->json11 = service->json11 || text_starts(content_type, TEXT("application/x-amz-json-1.1"));
    call->json = !service->json11 && aws_content_is(request, "application/json");
    call->cbor = aws_speaks_cbor(service, request);
    call->protocol = aws_protocol_of(service, request);
    call->query_mode = service->query && call->protocol != AWS_PROTOCOL_QUERY && text_equal_nocase(http_header_get(request, "x-amzn-query-mode"), TEXT("true"));
    if (service->query)
        aws_uuid(call->id);
    call->host = arena_copy(call->arena, request->host);
    work->user = call;
    work->key = key;
    work->done = on_done;
    buf_init(&call->body, AWS_BODY_MAX);
    aws_body_begin(call);
    int code = aws_prepare(call, body);
    if (code)
        gw_work_finish(work, code);
    else
        go(io, call);
}

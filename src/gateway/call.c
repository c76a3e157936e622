/*
 * A call's failure, its answers, and who and where it is.
 *
 * The first failure stands: what follows it in the handler does nothing, so that a handler needs no check after each line. Two failures are alike
 * for the handler and different for the client: a refused input is told by name, while a cold block (ERR_COLD) is told to nobody, because the call
 * runs again once the block is warm.
 *
 * Answers wait in the call. Those that come from the tick leave when the tick is durable; an error replaces all of them.
 */
#include "gateway/call.h"

#include "base/codec.h"

#include <stdarg.h>

#define QUERY_PARAMS_MAX 256

/* ---- texts ---- */

struct weir_text weir_text_of(const char *terminated)
{
    return text_out(text_of(terminated));
}

bool weir_text_is(struct weir_text text, const char *terminated)
{
    return text_is(text_in(text), terminated);
}

bool weir_text_starts(struct weir_text text, const char *terminated)
{
    return text_starts(text_in(text), text_of(terminated));
}

struct text gw_call_copy(struct weir_call *call, struct text text)
{
    struct text copy = arena_copy(&call->arena, text);
    if (!copy.data)
        gw_call_no_memory(call);
    return copy;
}

/* ---- failing ---- */

static void copy_cut(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from ? from : "");
}

static void fail(struct weir_call *call, int code, const char *name, const char *field, const char *format, va_list args)
{
    if (call->client_error || call->failed == ERR_COLD)
        return;
    if (!call->failed)
        call->failed = code;
    call->client_error = true;
    copy_cut(call->err_code, sizeof(call->err_code), name);
    copy_cut(call->err_field, sizeof(call->err_field), field);
    vsnprintf(call->err_text, sizeof(call->err_text), format, args);
}

void gw_call_fail(struct weir_call *call, int code, const char *name, const char *field, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fail(call, code, name, field, format, args);
    va_end(args);
}

void *gw_call_no_memory(struct weir_call *call)
{
    gw_call_fail(call, ERR_MEMORY, "MEMORY", NULL, "the call needs more memory than it may have");
    return NULL;
}

bool gw_call_kept(struct weir_call *call, int code, const struct err *err)
{
    if (code == 0)
        return true;
    if (code != ERR_COLD)
        gw_call_fail(call, code, err_name(code), NULL, "%s", err && err->code ? err->text : err_text(code));
    else if (!call->failed)
        call->failed = ERR_COLD;
    return false;
}

bool gw_call_in_tick(struct weir_call *call, const char *function)
{
    if (call->failed)
        return false;
    if (!call->tick)
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "%s is for routes of the class WEIR_TICK", function);
    return call->tick != NULL;
}

/* The base's code of that name; what an application invents is a refusal of the input. */
static int code_of(const char *name)
{
    static const struct {
        const char *name;
        int code;
    } known[] = {
#define X(word, number, class, text) {#word, -(number)},
        ERR_TABLE(X)
#undef X
    };
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, name) == 0 && known[i].code != ERR_COLD)
            return known[i].code;
    return ERR_INVALID;
}

bool weir_failed(struct weir_call *call)
{
    return call->failed != 0;
}

void weir_fail(struct weir_call *call, const char *code, const char *field, const char *format, ...)
{
    va_list args;
    if (call->failed)
        return;
    va_start(args, format);
    fail(call, code_of(code), code, field, format, args);
    va_end(args);
}

void weir_refuse(struct weir_call *call, int status, const char *code, const char *format, ...)
{
    va_list args;
    if (call->failed)
        return;
    call->status = status;
    va_start(args, format);
    fail(call, status == 401 ? ERR_UNAUTHENTICATED : status == 403 ? ERR_FORBIDDEN : code_of(code), code, NULL, format, args);
    va_end(args);
}

/* ---- what a failure was about ---- */

#define CONTEXT_MAX 8
#define CONTEXT_TEXT_MAX 512 /* bytes */

static struct gw_context *context_add(struct weir_call *call, const char *name)
{
    struct gw_context *context = call->context_count < CONTEXT_MAX ? arena_zalloc(&call->arena, sizeof(*context)) : NULL;
    if (!context)
        return NULL; /* the failure itself is worth telling without it */
    context->name = name;
    context->next = call->context;
    call->context = context;
    call->context_count++;
    return context;
}

void weir_context(struct weir_call *call, const char *name, struct weir_text value)
{
    struct text copy = value.len <= CONTEXT_TEXT_MAX && gw_text_clean(text_in(value)) ? arena_copy(&call->arena, text_in(value)) : TEXT_NONE;
    struct gw_context *context = copy.data ? context_add(call, name) : NULL;
    if (context)
        context->text = copy;
}

void weir_context_integer(struct weir_call *call, const char *name, int64_t value)
{
    struct gw_context *context = context_add(call, name);
    if (context)
        context->number = value;
}

static void write_context(struct weir_json *json, const struct gw_context *context)
{
    if (!context)
        return;
    write_context(json, context->next); /* in the order in which they were said; CONTEXT_MAX deep */
    if (context->text.data)
        weir_member(json, context->name, text_out(context->text));
    else
        weir_member_integer(json, context->name, context->number);
}

/* ---- the error as an answer ---- */

static int status_of(int code)
{
    switch (code) {
    case ERR_UNAUTHENTICATED:
    case ERR_MISSING_TOKEN:
    case ERR_TOKEN_EXPIRED:
    case ERR_INVALID_TOKEN:
        return 401;
    case ERR_FORBIDDEN:
        return 403;
    case ERR_NOT_FOUND:
        return 404;
    case ERR_EXISTS:
    case ERR_CONDITION:
        return 409;
    case ERR_TOO_LARGE:
        return 413;
    case ERR_RATE_LIMITED:
        return 429;
    case ERR_DISK_FULL:
    case ERR_MEMORY:
    case ERR_AGAIN:
        return 503;
    case ERR_TIMEOUT:
        return 504;
    case ERR_FULL: /* a handler beyond its budget is the application's fault */
        return 500;
    default:
        return err_class_of(code) == ERR_CLASS_INPUT || err_class_of(code) == ERR_CLASS_LIMIT ? 400 : 500;
    }
}

int gw_call_status_of(int code)
{
    return status_of(code);
}

void gw_call_error_members(struct weir_call *call, struct weir_json *json)
{
    struct text correlation = call->kind == GW_CALL_MESSAGE ? gw_correlation_given(call) : TEXT_NONE;
    weir_member(json, "error", weir_text_of(call->err_code));
    if (call->err_field[0])
        weir_member(json, "field", weir_text_of(call->err_field));
    weir_member(json, "message", weir_text_of(call->err_text));
    weir_member_request(json);
    if (correlation.len)
        weir_member(json, "correlationId", text_out(correlation));
    if (call->retry_after_ms)
        weir_member_integer(json, "retryAfter", call->retry_after_ms);
    if (call->token_exp_s) {
        weir_member_integer(json, "exp", call->token_exp_s);
        weir_member_integer(json, "now", call->token_now_s);
    }
    write_context(json, call->context);
}

static void write_rest_error(struct weir_call *call, struct weir_json *json)
{
    weir_object(json);
    weir_member(json, "message", weir_text_of(call->err_text));
    weir_member(json, "error", weir_text_of(call->err_code));
    if (call->err_field[0])
        weir_member(json, "field", weir_text_of(call->err_field));
    write_context(json, call->context);
    weir_end(json);
}

static void write_error(struct weir_call *call, struct weir_json *json)
{
    bool envelope = call->api->config->envelope_events;
    weir_object(json);
    if (envelope) {
        weir_member(json, "event", WEIR_STR("error"));
        weir_name(json, "data");
        weir_object(json);
    } else {
        weir_member(json, "type", WEIR_STR("error"));
    }
    gw_call_error_members(call, json);
    if (envelope) {
        weir_end(json);
        weir_member(json, "timestamp", weir_now_iso(call));
    }
    weir_end(json);
}

void gw_call_error_reply(struct weir_call *call)
{
    call->reply = (struct gw_reply){0};
    call->reply_last = NULL;
    if (!call->client_error)
        gw_call_fail(call, call->failed, err_name(call->failed), NULL, "%s", err_text(call->failed));
    gw_line_failure(call);
    if (call->kind == GW_CALL_REST || call->kind == GW_CALL_CONNECT)
        call->status = call->status >= 300 ? call->status : status_of(call->failed);
    if (call->kind != GW_CALL_REST && call->kind != GW_CALL_MESSAGE)
        return; /* nobody is there to be told; a refused handshake is answered by connect.c */
    counter_add(COUNTER_gw_errors, 1);
    struct weir_json *json = weir_json(call);
    if (call->kind == GW_CALL_REST)
        write_rest_error(call, json);
    else
        write_error(call, json);
    gw_call_reply(call, text_in(weir_json_text(json)), false);
    gw_call_docs_give(call);
}

/* ---- answers ---- */

static bool lies_in(struct text inner, struct text outer)
{
    return inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len;
}

void gw_call_reply(struct weir_call *call, struct text bytes, bool binary)
{
    struct gw_reply *reply = &call->reply;
    if (!bytes.len)
        bytes = TEXT("");
    else if (!lies_in(bytes, call->body))
        bytes = gw_call_copy(call, bytes);
    if (!bytes.data)
        return;
    if (call->reply.text.data) {
        reply = arena_alloc(&call->arena, sizeof(*reply));
        if (!reply) {
            gw_call_no_memory(call);
            return;
        }
        if (call->reply_last)
            call->reply_last->next = reply;
        else
            call->reply.next = reply;
        call->reply_last = reply;
    }
    *reply = (struct gw_reply){NULL, bytes, binary};
}

/* ---- the query string ---- */

static int decode(struct weir_call *call, struct buf *scratch, struct text encoded, struct text *out)
{
    buf_clear(scratch);
    if (percent_decode(scratch, encoded, true) || !utf8_valid(buf_text(scratch)))
        return ERR_SYNTAX;
    *out = arena_copy(&call->arena, buf_text(scratch));
    return out->data ? 0 : ERR_MEMORY;
}

static int keep_pair(struct weir_call *call, struct buf *scratch, struct text pair)
{
    struct gw_header *slot = &call->query[call->query_count];
    ptrdiff_t equals = text_find(pair, '=', 0);
    size_t name = equals < 0 ? pair.len : (size_t)equals;
    int code = decode(call, scratch, text_make(pair.data, name), &slot->name);
    if (!code)
        code = decode(call, scratch, equals < 0 ? TEXT("") : text_make(pair.data + name + 1, pair.len - name - 1), &slot->value);
    if (!code)
        call->query_count++;
    return code;
}

int gw_call_keep_query(struct weir_call *call, struct text query)
{
    struct buf scratch;
    size_t pairs = 1;
    int code = 0;
    call->query_count = 0;
    if (!query.len)
        return 0;
    for (size_t i = 0; i < query.len; i++)
        pairs += query.data[i] == '&';
    if (pairs > QUERY_PARAMS_MAX)
        return ERR_SYNTAX;
    call->query = arena_array(&call->arena, pairs, sizeof(*call->query));
    if (!call->query)
        return ERR_MEMORY;
    buf_init(&scratch, query.len + 1);
    for (size_t from = 0; from <= query.len && !code;) {
        ptrdiff_t end = text_find(query, '&', from);
        size_t to = end < 0 ? query.len : (size_t)end;
        if (to > from)
            code = keep_pair(call, &scratch, text_make(query.data + from, to - from));
        from = to + 1;
    }
    buf_fini(&scratch);
    return code;
}

/* ---- where ---- */

struct weir_text weir_connection_id(struct weir_call *call)
{
    char id[NET_ID_TEXT + 1];
    if (!call->has_conn)
        return WEIR_STR("");
    net_id_format(&call->conn_id, id);
    return text_out(gw_call_copy(call, text_of(id)));
}

struct weir_text weir_request_id(struct weir_call *call)
{
    return text_out(gw_call_request_id(call));
}

struct weir_text weir_route_key(struct weir_call *call)
{
    return text_out(call->route ? call->route->key : TEXT_NONE);
}

struct weir_text weir_stage(struct weir_call *call)
{
    return text_out(call->api->config->stages[call->stage]);
}

struct weir_text weir_environment(struct weir_call *call)
{
    return text_out(call->gateway->config.environment);
}

struct weir_text weir_region(struct weir_call *call)
{
    return text_out(call->gateway->config.region);
}

struct weir_text weir_account(struct weir_call *call)
{
    return text_out(call->gateway->config.account);
}

struct weir_text weir_source_ip(struct weir_call *call)
{
    if (!call->address.data && !call->tick && call->conn && call->conn->net)
        call->address = net_conn_address(call->conn->net, call->address_text);
    return text_out(call->address);
}

static struct text pair_get(const struct gw_header *pairs, size_t count, const char *name, bool any_case)
{
    struct text wanted = text_of(name);
    for (size_t i = 0; i < count; i++)
        if (any_case ? text_equal_nocase(pairs[i].name, wanted) : text_equal(pairs[i].name, wanted))
            return pairs[i].value;
    return TEXT_NONE;
}

struct weir_text weir_header(struct weir_call *call, const char *name)
{
    return text_out(pair_get(call->headers, call->header_count, name, true));
}

struct weir_text weir_query_param(struct weir_call *call, const char *name)
{
    return text_out(pair_get(call->query, call->query_count, name, false));
}

struct weir_text weir_path_param(struct weir_call *call, const char *name)
{
    return text_out(pair_get(call->params, call->param_count, name, false));
}

struct weir_text weir_user_agent(struct weir_call *call)
{
    return call->about ? text_out(call->about->user_agent) : weir_header(call, "user-agent");
}

int64_t weir_connected_at(struct weir_call *call)
{
    return call->connected_ms;
}

int weir_disconnect_code(struct weir_call *call)
{
    return call->close_code;
}

struct weir_text weir_disconnect_reason(struct weir_call *call)
{
    return text_out(call->close_reason);
}

/* ---- who ---- */

bool weir_proven(struct weir_call *call)
{
    return call->identity && call->identity->proven;
}

bool weir_identified(struct weir_call *call)
{
    return call->identity != NULL;
}

struct weir_text weir_user_id(struct weir_call *call)
{
    return text_out(call->identity ? call->identity->user_id : TEXT_NONE);
}

struct weir_text weir_user_name(struct weir_call *call)
{
    return text_out(call->identity ? call->identity->name : TEXT_NONE);
}

struct weir_text weir_user_email(struct weir_call *call)
{
    return text_out(call->identity ? call->identity->email : TEXT_NONE);
}

struct weir_text weir_user_role(struct weir_call *call)
{
    return text_out(call->identity ? call->identity->role : TEXT_NONE);
}

bool weir_in_group(struct weir_call *call, const char *group)
{
    for (size_t i = 0; call->identity && i < call->identity->group_count; i++)
        if (text_is(call->identity->groups[i], group))
            return true;
    return false;
}

struct weir_text weir_acting_user(struct weir_call *call, const char *field)
{
    struct text known = call->identity ? call->identity->user_id : TEXT_NONE;
    const struct json *given = call->failed ? NULL : gw_call_field(call, text_of(field));
    bool named = given && given->type != JSON_NULL;
    if (call->failed)
        return WEIR_STR("");
    if (weir_proven(call)) {
        if (!named || (given->type == JSON_STRING && text_equal(given->text, known)))
            return text_out(known);
        counter_add(COUNTER_gw_identity_mismatches, 1);
        gw_meter_call_abuse(call, "IdentityMismatch");
        gw_call_fail(call, ERR_FORBIDDEN, "FORBIDDEN", field, "%s names another user than the one who is signed in", field);
        return WEIR_STR("");
    }
    if (!named && known.len)
        return text_out(known);
    return weir_in_text(call, field, 1, 256);
}

/* ---- when ---- */

int64_t weir_now(struct weir_call *call)
{
    if (!call->now_ms)
        call->now_ms = clock_wall_ms();
    return call->now_ms;
}

struct weir_text weir_iso(struct weir_call *call, int64_t epoch_ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(epoch_ms, iso);
    return text_out(gw_call_copy(call, text_of(iso)));
}

struct weir_text weir_now_iso(struct weir_call *call)
{
    return weir_iso(call, weir_now(call));
}

struct weir_text weir_id(struct weir_call *call)
{
    char id[TICK_ID_TEXT + 1];
    if (!gw_call_in_tick(call, "weir_id"))
        return WEIR_STR("");
    tick_id(call->tick, id);
    return text_out(gw_call_copy(call, text_of(id)));
}

uint64_t weir_sequence(struct weir_call *call)
{
    return gw_call_in_tick(call, "weir_sequence") ? tick_sequence(call->tick) : 0;
}

uint32_t weir_call_number(struct weir_call *call)
{
    return gw_call_in_tick(call, "weir_call_number") ? tick_call_number(call->tick) : 0;
}

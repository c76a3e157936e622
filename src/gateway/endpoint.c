/*
 * Routes whose target is an HTTP endpoint: a team's own backend in any language, on day one.
 *
 * The event goes out as JSON, in the shape that API Gateway's Lambda handlers know, by POST. The answer decides: for $connect its status accepts or
 * refuses; for a message it goes back when the route has a response (a Lambda-shaped {"statusCode","body"} is understood, anything else is the text);
 * for REST it is the answer. An endpoint that fails or is late costs its own lane only: "Internal server error" or "Endpoint request timed out" as API
 * Gateway says it, and the socket stays. After five failures in a row the circuit of its origin opens for ten seconds and calls fail at once.
 *
 * Nothing here is durable: what must survive belongs into a table or into weir_fetch (service.c).
 */
#include "gateway/internal.h"
#include "base/codec.h"
#include "net/fetch_breaker.h"

#include <stdlib.h>

#define BREAKER_FAILURES 5
#define BREAKER_OPEN_MS 10000
#define BREAKERS_MAX 1024 /* origins remembered per thread */

/* ---- the event, in the shapes that API Gateway was recorded to send ---- */

static void add_pairs(struct json_writer *w, const char *name, const char *multi, const struct gw_header *pair, size_t count)
{
    json_name(w, name);
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        bool repeated = false; /* the last value stands, as API Gateway has it */
        for (size_t k = i + 1; k < count && !repeated; k++)
            repeated = text_equal_nocase(pair[i].name, pair[k].name);
        if (repeated)
            continue;
        json_name_text(w, pair[i].name);
        json_text(w, pair[i].value);
    }
    json_end_object(w);
    json_name(w, multi);
    json_begin_object(w);
    for (size_t i = 0; i < count; i++) {
        bool earlier = false;
        for (size_t k = 0; k < i && !earlier; k++)
            earlier = text_equal_nocase(pair[i].name, pair[k].name);
        if (earlier)
            continue;
        json_name_text(w, pair[i].name);
        json_begin_array(w);
        for (size_t k = i; k < count; k++)
            if (text_equal_nocase(pair[i].name, pair[k].name))
                json_text(w, pair[k].value);
        json_end_array(w);
    }
    json_end_object(w);
}

static const char *event_type(const struct weir_call *call)
{
    return call->kind == GW_CALL_CONNECT ? "CONNECT" : call->kind == GW_CALL_DISCONNECT ? "DISCONNECT" : "MESSAGE";
}

static void add_identity(struct json_writer *w, struct weir_call *call)
{
    json_name(w, "identity");
    json_begin_object(w);
    if (call->about && call->about->user_agent.len) {
        json_name(w, "userAgent");
        json_text(w, call->about->user_agent);
    }
    json_name(w, "sourceIp");
    json_text(w, weir_source_ip(call).data ? text_make(weir_source_ip(call).data, weir_source_ip(call).len) : TEXT(""));
    json_end_object(w);
}

static void add_authorizer(struct json_writer *w, const struct gw_identity *identity)
{
    if (!identity)
        return;
    json_name(w, "authorizer");
    json_begin_object(w);
    json_name(w, "principalId");
    json_text(w, identity->user_id);
    json_name(w, "userId");
    json_text(w, identity->user_id);
    json_name(w, "userName");
    json_text(w, identity->name);
    json_name(w, "userEmail");
    json_text(w, identity->email);
    json_name(w, "userRole");
    json_text(w, identity->role);
    json_name(w, "groups");
    json_begin_array(w);
    for (size_t i = 0; i < identity->group_count; i++)
        json_text(w, identity->groups[i]);
    json_end_array(w);
    json_name(w, "proven");
    json_bool(w, identity->proven);
    json_end_object(w);
}

static void add_context(struct json_writer *w, struct weir_call *call)
{
    char id[NET_ID_TEXT + 1], clf[32];
    int64_t now_ms = clock_wall_ms();
    net_id_format(&call->conn_id, id);
    clock_format_clf(now_ms, clf);
    json_name(w, "requestContext");
    json_begin_object(w);
    json_name(w, "routeKey");
    json_text(w, call->route->key);
    if (call->kind == GW_CALL_MESSAGE) {
        json_name(w, "messageId");
        json_text(w, gw_call_request_id(call));
    }
    if (call->kind == GW_CALL_DISCONNECT) {
        json_name(w, "disconnectStatusCode");
        json_i64(w, call->close_code);
        json_name(w, "disconnectReason");
        json_text(w, call->close_reason);
    }
    json_name(w, "eventType");
    json_str(w, event_type(call));
    json_name(w, "extendedRequestId");
    json_text(w, gw_call_request_id(call));
    json_name(w, "requestTime");
    json_str(w, clf);
    json_name(w, "messageDirection");
    json_str(w, "IN");
    json_name(w, "stage");
    json_text(w, call->api->config->stages[call->stage]);
    json_name(w, "connectedAt");
    json_i64(w, call->connected_ms ? call->connected_ms : now_ms);
    json_name(w, "requestTimeEpoch");
    json_i64(w, now_ms);
    add_identity(w, call);
    add_authorizer(w, call->identity);
    json_name(w, "requestId");
    json_text(w, gw_call_request_id(call));
    json_name(w, "domainName");
    json_text(w, call->about ? call->about->domain : TEXT(""));
    json_name(w, "connectionId");
    json_str(w, id);
    json_name(w, "apiId");
    json_text(w, call->api->id);
    json_end_object(w);
}

/* REST: the payload of an HTTP API, version 2.0, with what handlers read of it. */
static void rest_event(struct json_writer *w, struct weir_call *call)
{
    json_name(w, "version");
    json_str(w, "2.0");
    json_name(w, "routeKey");
    json_text(w, call->route->key);
    json_name(w, "rawPath");
    json_text(w, call->path);
    add_pairs(w, "headers", "multiValueHeaders", call->headers, call->header_count);
    add_pairs(w, "queryStringParameters", "multiValueQueryStringParameters", call->query, call->query_count);
    json_name(w, "pathParameters");
    json_begin_object(w);
    for (size_t i = 0; i < call->param_count; i++) {
        json_name_text(w, call->params[i].name);
        json_text(w, call->params[i].value);
    }
    json_end_object(w);
    json_name(w, "requestContext");
    json_begin_object(w);
    json_name(w, "http");
    json_begin_object(w);
    json_name(w, "method");
    json_text(w, call->method);
    json_name(w, "path");
    json_text(w, call->path);
    json_name(w, "sourceIp");
    json_text(w, call->address);
    json_end_object(w);
    add_authorizer(w, call->identity);
    json_name(w, "stage");
    json_text(w, call->api->config->stages[call->stage]);
    json_name(w, "requestId");
    json_text(w, gw_call_request_id(call));
    json_name(w, "apiId");
    json_text(w, call->api->id);
    json_name(w, "timeEpoch");
    json_i64(w, clock_wall_ms());
    json_end_object(w);
}

static void add_body(struct json_writer *w, struct weir_call *call)
{
    bool encode = call->binary || !utf8_valid(call->body);
    json_name(w, "body");
    if (encode) {
        struct buf encoded;
        buf_init(&encoded, call->body.len * 2 + 16);
        base64_encode(&encoded, call->body);
        json_text(w, buf_text(&encoded));
        buf_fini(&encoded);
    } else {
        json_text(w, call->body);
    }
    json_name(w, "isBase64Encoded");
    json_bool(w, encode);
}

void gw_event_json(struct weir_call *call, struct buf *out)
{
    struct json_writer w;
    json_writer_init(&w, out);
    json_begin_object(&w);
    if (call->kind == GW_CALL_REST) {
        rest_event(&w, call);
        add_body(&w, call);
        json_end_object(&w);
        return;
    }
    if (call->kind == GW_CALL_CONNECT) {
        add_pairs(&w, "headers", "multiValueHeaders", call->headers, call->header_count);
        if (call->query_count)
            add_pairs(&w, "queryStringParameters", "multiValueQueryStringParameters", call->query, call->query_count);
    }
    if (call->kind == GW_CALL_DISCONNECT) {
        struct gw_header kept[] = {{TEXT("Host"), call->about->domain}, {TEXT("x-api-key"), TEXT("")}, {TEXT("X-Forwarded-For"), TEXT("")}, {TEXT("x-restapi"), TEXT("")}};
        add_pairs(&w, "headers", "multiValueHeaders", kept, 4);
    }
    add_context(&w, call);
    if (call->kind == GW_CALL_MESSAGE) {
        add_body(&w, call);
    } else {
        json_name(&w, "isBase64Encoded");
        json_bool(&w, false);
    }
    json_end_object(&w);
}

/* ---- circuits, one per origin and thread ---- */

struct gw_circuit {
    struct breaker breaker;
    struct text key;
    char bytes[];
};

struct gw_circuit *gw_circuit_of(struct gw_io *io, struct text url)
{
    struct text origin = fetch_origin(url);
    struct gw_circuit *circuit = map_get(&io->circuits, origin);
    if (circuit || io->circuits.count >= BREAKERS_MAX)
        return circuit;
    circuit = calloc(1, sizeof(*circuit) + origin.len);
    if (!circuit)
        return NULL;
    if (origin.len)
        memcpy(circuit->bytes, origin.data, origin.len);
    circuit->key = text_make(circuit->bytes, origin.len);
    breaker_init(&circuit->breaker, BREAKER_FAILURES, BREAKER_OPEN_MS);
    if (map_put(&io->circuits, circuit->key, circuit, NULL)) {
        free(circuit);
        return NULL;
    }
    return circuit;
}

bool gw_circuit_allow(struct gw_io *io, struct text url)
{
    struct gw_circuit *circuit = gw_circuit_of(io, url);
    return !circuit || breaker_allow(&circuit->breaker, clock_mono_ms());
}

void gw_circuit_note(struct gw_io *io, struct text url, bool ok)
{
    struct gw_circuit *circuit = gw_circuit_of(io, url);
    if (circuit && ok)
        breaker_success(&circuit->breaker);
    else if (circuit)
        breaker_failure(&circuit->breaker, clock_mono_ms());
}

/* ---- sending ---- */

/* One request on its way; read by the fetch thread, given back to the io thread with the answer. */
struct endpoint {
    struct weir_call *call;
    struct gateway *gateway;
    unsigned origin;       /* io thread */
    unsigned attempts;     /* left */
    uint32_t timeout_ms;
    struct buf event;
    struct text correlation;
    struct gw_effect *answer; /* made before the request leaves: an answer must not fail for want of memory */
};

static int endpoint_start(struct endpoint *endpoint);

static struct gw_answer *answer_copy(const struct fetch_response *response)
{
    struct gw_answer *answer = calloc(1, sizeof(*answer) + response->body.len);
    if (!answer)
        return NULL;
    answer->error = response->error;
    answer->status = response->status;
    if (response->body.len)
        memcpy(answer->bytes, response->body.data, response->body.len);
    answer->body = text_make(answer->bytes, response->body.len);
    return answer;
}

/* Fetch thread. A failed attempt is repeated at once while attempts are left; the deadline of each is the route's. */
static void on_fetched(void *context, const struct fetch_response *response)
{
    struct endpoint *endpoint = context;
    bool failed = response->error || response->status >= 500;
    if (failed && endpoint->attempts > 0 && response->error != ERR_CLOSED && endpoint_start(endpoint) == 0)
        return;
    struct gw_answer *answer = answer_copy(response);
    struct weir_call *call = endpoint->call;
    struct gateway *gateway = endpoint->gateway;
    unsigned origin = endpoint->origin;
    struct gw_effect *effect = endpoint->answer;
    buf_fini(&endpoint->event);
    free(endpoint);
    gw_answer_send(gateway, origin, call, answer, effect);
}

static int endpoint_start(struct endpoint *endpoint)
{
    const struct gw_route *route = endpoint->call->route;
    struct fetch_header headers[] = {{TEXT("Content-Type"), TEXT("application/json")}, {TEXT("X-Weir-Route"), route->key}, {TEXT("x-correlation-id"), endpoint->correlation}};
    struct fetch_request request = {
        .method = TEXT("POST"),
        .url = endpoint->call->asked,
        .headers = headers,
        .header_count = 3,
        .body = buf_text(&endpoint->event),
        .timeout_ms = endpoint->timeout_ms,
    };
    endpoint->attempts--;
    return fetch_start(endpoint->gateway->fetch, &request, on_fetched, endpoint);
}

int gw_endpoint_send(struct gw_io *io, struct weir_call *call)
{
    const struct gw_target *target = gw_target_of(io, call->route);
    if (!gw_circuit_allow(io, target->url))
        return ERR_AGAIN;
    call->asked = arena_copy(&call->arena, target->url); /* a reload may send the next one elsewhere */
    struct endpoint *endpoint = call->asked.data ? calloc(1, sizeof(*endpoint)) : NULL;
    if (!endpoint)
        return ERR_MEMORY;
    endpoint->answer = gw_effect_create(GW_EFFECT_ANSWER, NULL, TEXT_NONE, NULL);
    if (!endpoint->answer) {
        free(endpoint);
        return ERR_MEMORY;
    }
    buf_init(&endpoint->event, GW_CALL_ARENA_LIMIT);
    endpoint->call = call;
    endpoint->gateway = io->gateway;
    endpoint->origin = io->index;
    endpoint->attempts = target->attempts;
    endpoint->timeout_ms = (uint32_t)target->timeout_ms;
    endpoint->correlation = gw_correlation(call);
    gw_event_json(call, &endpoint->event);
    call->handler_ns = -clock_mono_ns();
    int code = endpoint->event.failed ? ERR_TOO_LARGE : endpoint_start(endpoint);
    if (code) {
        gw_effect_unref(endpoint->answer);
        buf_fini(&endpoint->event);
        free(endpoint);
    }
    return code;
}

/* ---- the answer, on the io thread ---- */

/* {"statusCode":200,"body":"..."} as Lambda handlers answer; else the body as it is. */
static void unwrap(struct weir_call *call, struct gw_answer *answer, int *status, struct text *body, struct text *protocol)
{
    const struct json *root = NULL;
    *status = answer->status;
    *body = answer->body;
    if (json_parse(&call->arena, answer->body, JSON_COPY, &root, NULL) || !json_is(root, JSON_OBJECT))
        return;
    int64_t code;
    const struct json *given = json_get_str(root, "statusCode");
    if (!given || json_to_i64(given, &code) || code < 100 || code > 599)
        return;
    *status = answer->status / 100 != 2 ? answer->status : code >= 200 ? (int)code : 502; /* 1xx is not an answer */
    const struct json *inner = json_get_str(root, "body"), *headers = json_get_str(root, "headers");
    *body = !inner ? TEXT("") : inner->type == JSON_STRING ? inner->text : inner->raw;
    const struct json *named = json_get_str(headers, "Sec-WebSocket-Protocol");
    if (json_is(named, JSON_STRING))
        *protocol = named->text;
}

/* ---- the endpoint of $connect as authorizer ---- */

#define PRINCIPAL_MAX 256 /* bytes of each text, as for claims of a token */
#define PRINCIPAL_GROUPS_MAX 64

/* A text of the answer; an absent one is empty. Control characters are refused, since these texts become keys, room names and header values. */
static bool principal_text(const struct json *json, struct text *out)
{
    *out = TEXT("");
    if (!json || json->type == JSON_NULL)
        return true;
    if (json->type != JSON_STRING || json->text.len > PRINCIPAL_MAX)
        return false;
    for (size_t i = 0; i < json->text.len; i++)
        if ((unsigned char)json->text.data[i] < 0x20 || json->text.data[i] == 0x7f)
            return false;
    *out = json->text;
    return true;
}

static bool principal_groups(const struct json *json, struct text groups[PRINCIPAL_GROUPS_MAX], size_t *count)
{
    *count = 0;
    if (!json || json->type == JSON_NULL)
        return true;
    if (json->type != JSON_ARRAY || json->count > PRINCIPAL_GROUPS_MAX)
        return false;
    for (const struct json *at = json->first; at; at = at->next)
        if (!principal_text(at, &groups[(*count)++]) || !groups[*count - 1].len)
            return false;
    return true;
}

/* {"principalId":"ada","context":{"userName":..,"userEmail":..,"userRole":..,"groups":[..]}}, as a Lambda authorizer answers: who the connection is from now on. Where tokens or signatures prove
   it, they say so and nobody else. 0, or the status to refuse with: half an identity would be worse than none. */
static int name_principal(struct weir_call *call, const struct gw_answer *answer)
{
    const struct json *root = NULL, *context;
    struct text user, name, email, role, groups[PRINCIPAL_GROUPS_MAX];
    size_t count;
    enum weir_auth auth = call->api->config->auth;
    if ((auth != WEIR_NONE && auth != WEIR_CLAIMED) || json_parse(&call->arena, answer->body, JSON_COPY, &root, NULL) || !json_is(root, JSON_OBJECT) ||
        !json_get_str(root, "principalId"))
        return 0;
    context = json_get_str(root, "context"); /* of NULL there are no members */
    bool whole = principal_text(json_get_str(root, "principalId"), &user) && user.len && (!context || context->type == JSON_OBJECT);
    whole = whole && principal_text(json_get_str(context, "userName"), &name) && principal_text(json_get_str(context, "userEmail"), &email) &&
        principal_text(json_get_str(context, "userRole"), &role) && principal_groups(json_get_str(context, "groups"), groups, &count);
    struct gw_identity *identity = whole ? gw_identity_create(user, name, email, role.len ? role : TEXT("user"), groups, count) : NULL;
    if (!identity)
        return whole ? 500 : 502;
    identity->proven = true;
    gw_identity_unref(call->conn->identity);
    gw_identity_unref(call->identity);
    call->conn->identity = identity;
    call->identity = gw_identity_ref(identity);
    return 0;
}

static void connect_answered(struct gw_io *io, struct weir_call *call, const struct gw_answer *answer, int status, struct text body, struct text protocol)
{
    int refused = status / 100 == 2 && answer ? name_principal(call, answer) : 0;
    if (refused) {
        status = refused;
        body = TEXT("the endpoint of $connect named a user that cannot be one");
    }
    call->conn->outstanding--;
    call->status = status;
    call->subprotocol = protocol;
    if (status / 100 == 2 && call->api->has_registry) {
        call->subprotocol_offered = protocol.data ? protocol : call->subprotocol_offered;
        call->route = NULL; /* the row alone is left to do */
        gw_submit(io, call);
        return;
    }
    if (status / 100 != 2)
        gw_call_fail(call, ERR_FORBIDDEN, status == 401 ? "UNAUTHORIZED" : "REFUSED", NULL, "%.*s",
            body.len ? (int)(body.len < 200 ? body.len : 200) : 200, body.len ? body.data : "the endpoint of $connect said no");
    if (status / 100 != 2)
        gw_line_failure(call);
    gw_connect_done(io, call);
}

static void failed_line(struct weir_call *call, const struct gw_answer *answer, int status)
{
    int code = answer && answer->error ? answer->error : ERR_INTERNAL;
    if (answer && !answer->error)
        gw_call_fail(call, code, "ENDPOINT_FAILED", NULL, "the endpoint answered with status %d", status);
    else
        gw_call_fail(call, code, "ENDPOINT_FAILED", NULL, "the endpoint did not answer: %s", err_text(code));
    gw_line_failure(call);
}

static void message_answered(struct gw_io *io, struct weir_call *call, const struct gw_answer *answer, int status, struct text body)
{
    struct gw_conn *conn = call->conn;
    conn->outstanding--;
    conn->blocked = false;
    if (!answer || answer->error || status >= 500)
        failed_line(call, answer, status);
    if (conn->net && conn->state == GW_OPEN) {
        if (!answer || answer->error || status >= 500)
            gw_aws_error_frame(conn, answer && answer->error == ERR_TIMEOUT ? "Endpoint request timed out" : "Internal server error", gw_call_request_id(call).data);
        else if (call->route->has_response && body.len)
            net_ws_send(conn->net, utf8_valid(body) ? WS_TEXT : WS_BINARY, body.data, body.len);
    }
    gw_call_give(call);
    gw_conn_continue(io, conn);
    gw_conn_release(conn);
}

void gw_endpoint_done(struct gw_io *io, struct weir_call *call, struct gw_answer *answer)
{
    int status = 502;
    struct text body = TEXT(""), protocol = TEXT_NONE;
    bool ok = answer && !answer->error;
    if (ok)
        unwrap(call, answer, &status, &body, &protocol);
    else if (answer && answer->error == ERR_TIMEOUT)
        status = 504;
    gw_circuit_note(io, call->asked, ok && answer->status < 500);
    struct net_conn *rest;
    int64_t took = clock_mono_ns() + call->handler_ns;
    call->handler_ns = took > 0 ? took : 1;
    call->handler_code = !ok ? (status == 504 ? ERR_TIMEOUT : ERR_IO) : status >= 500 ? ERR_INTERNAL : status >= 400 ? ERR_INVALID : 0;
    gw_meter_call(io, call);
    if (call->kind == GW_CALL_REST)
        gw_meter_rest(io, call->api, status, call->arrived_ns);
    if (call->kind != GW_CALL_CONNECT && status >= 500) /* what the client hears is said below */
        gw_call_fail(call, status == 504 ? ERR_TIMEOUT : ERR_IO, status == 504 ? "TIMEOUT" : "BAD_GATEWAY", NULL, "the endpoint has not answered well");
    switch (call->kind) {
    case GW_CALL_CONNECT:
        connect_answered(io, call, ok ? answer : NULL, status, body, protocol);
        break;
    case GW_CALL_MESSAGE:
        message_answered(io, call, answer, status, body);
        break;
    case GW_CALL_REST:
        rest = net_io_find(io->net, &call->conn_id);
        if (rest && ok)
            gw_http_json(rest, status, body);
        else if (rest)
            gw_http_error(rest, status, status == 504 ? "TIMEOUT" : "BAD_GATEWAY", "the endpoint did not answer");
        if (!ok || status >= 500)
            failed_line(call, answer, status);
        gw_call_give(call);
        break;
    default: { /* $disconnect: best effort */
        struct gw_conn *conn = call->conn;
        conn->outstanding--;
        conn->blocked = false;
        gw_call_give(call);
        gw_conn_continue(io, conn);
        gw_conn_release(conn);
    }
    }
    free(answer);
}

/*
 * The addresses of the one listener, for everything that is not a socket: health, counters, REST routes of the APIs, and the management API below each.
 *
 *   /healthz                      is it alive, may it write
 *   /metrics                      counters in Prometheus' text format
 *   / (to a browser), /@page/...  the page: page.c
 *   /@dashboards, /@widgets       what the page shows: console_http.c
 *   /@cost?from=&to=&period=      what it would have cost on AWS: cost.c
 *   /@dashboards, /@widgets       what the page shows: console_http.c
 *   /@clock?advance_ms=N          tests only (--driven-clock)
 *   /<api>[/<stage>]/@connections, @rooms, @users, @broadcast     manage.c
 *   /@connections/{id}            the same without a prefix: ids are unique over all APIs
 *   /<api>[/<stage>]/...          the API's REST routes
 */
#include "gateway/cost.h"
#include "gateway/internal.h"
#include "base/codec.h"

#include <stdarg.h>

void gw_http_json(struct net_conn *conn, int status, struct text body)
{
    net_http_respond(conn, status, TEXT("Content-Type: application/json\r\n"), body, 0);
}

void gw_http_limited(struct net_conn *conn, const char *message, int64_t retry_ms)
{
    char headers[96], body[256];
    snprintf(headers, sizeof(headers), "Content-Type: application/json\r\nRetry-After: %lld\r\n", (long long)((retry_ms + 999) / 1000));
    snprintf(body, sizeof(body), "{\"message\":\"%s\",\"error\":\"RATE_LIMITED\",\"retryAfter\":%lld}", message, (long long)retry_ms);
    net_http_respond(conn, 429, text_of(headers), text_of(body), 0);
}

void gw_http_refuse(struct net_conn *conn, int status, const char *error, const char *message, int64_t exp_s, int64_t now_s)
{
    struct buf body;
    struct json_writer w;
    buf_init(&body, 8192);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "message");
    json_str(&w, message);
    json_name(&w, "error");
    json_str(&w, error);
    if (exp_s) {
        json_name(&w, "exp");
        json_i64(&w, exp_s);
        json_name(&w, "now");
        json_i64(&w, now_s);
    }
    json_end_object(&w);
    gw_http_json(conn, status, buf_text(&body));
    buf_fini(&body);
}

void gw_http_error(struct net_conn *conn, int status, const char *error, const char *format, ...)
{
    char message[512];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    gw_http_refuse(conn, status, error, message, 0, 0);
}

/* ---- paths ---- */

/* The first segment of a path that begins with '/', and what follows it. */
static struct text segment(struct text path, struct text *rest)
{
    if (path.len == 0 || path.data[0] != '/') {
        *rest = path;
        return TEXT_NONE;
    }
    ptrdiff_t end = text_find(path, '/', 1);
    size_t len = end < 0 ? path.len : (size_t)end;
    *rest = text_make(path.data + len, path.len - len);
    return text_make(path.data + 1, len - 1);
}

static bool stage_of(const struct gw_api *api, struct text path, uint8_t *stage, struct text *rest)
{
    struct text after, name = segment(path, &after);
    for (size_t i = 0; name.len && i < api->config->stage_count; i++) {
        if (!text_equal(name, api->config->stages[i]))
            continue;
        *stage = (uint8_t)i;
        *rest = after;
        return true;
    }
    return false;
}

struct gw_api *gw_path_api(struct gateway *gateway, struct text path, uint8_t *stage, struct text *rest)
{
    struct gw_api *api = map_get(&gateway->by_name, segment(path, rest));
    if (!api)
        return NULL;
    *stage = 0;
    stage_of(api, *rest, stage, rest);
    return api;
}

/* Without its port, in lower case. */
struct gw_api *gw_host_api(struct gateway *gateway, struct text host)
{
    char name[GW_HOST_NAME_MAX];
    size_t len = host.len;
    for (size_t i = host.len; i > 0 && host.data[i - 1] != ']'; i--)
        if (host.data[i - 1] == ':')
            len = i - 1;
    if (!len || len > sizeof(name))
        return NULL;
    for (size_t i = 0; i < len; i++)
        name[i] = host.data[i] >= 'A' && host.data[i] <= 'Z' ? (char)(host.data[i] + 32) : host.data[i];
    return map_get(&gateway->by_host, text_make(name, len));
}

struct gw_api *gw_request_api(struct gateway *gateway, const struct http_request *request, bool alone, uint8_t *stage, struct text *rest)
{
    struct gw_api *own = gw_host_api(gateway, request->host);
    if (own && stage_of(own, request->path, stage, rest))
        return own;
    struct gw_api *api = gw_path_api(gateway, request->path, stage, rest);
    if (api || !alone || !own)
        return api;
    *stage = 0;
    *rest = request->path;
    return own;
}

/* ---- health, counters, time ---- */

static void healthz(struct gw_io *io, struct net_conn *conn)
{
    struct gateway *gateway = io->gateway;
    struct buf body;
    struct json_writer w;
    int writable = tick_writable(gateway->tick);
    buf_init(&body, 4096);
    json_writer_init(&w, &body);
    json_begin_object(&w);
    json_name(&w, "status");
    json_str(&w, writable ? "read-only" : "ok");
    if (writable) {
        json_name(&w, "reason");
        json_str(&w, err_text(writable));
    }
    json_name(&w, "version");
    json_str(&w, WEIR_VERSION);
    json_name(&w, "connections");
    json_i64(&w, counter_read(COUNTER_ws_connections));
    json_name(&w, "sequence");
    json_u64(&w, tick_durable(gateway->tick));
    json_end_object(&w);
    gw_http_json(conn, writable ? 503 : 200, buf_text(&body));
    buf_fini(&body);
}

static void wake_all(struct gateway *gateway)
{
    for (unsigned i = 0; i <= gateway->io_count; i++)
        loop_wake(gateway->io[i].loop);
    tick_wake(gateway->tick);
    fetch_wakeup(gateway->fetch);
}

static void driven_clock(struct gw_io *io, struct net_conn *conn, const struct http_request *request)
{
    struct text given = http_query_get(request->query, "advance_ms");
    uint64_t ms = 0;
    if (http_header_get(request, "origin").data) {
        gw_http_error(conn, 403, "ORIGIN_REFUSED", "A web page does not move the clock.");
        return;
    }
    if (!text_is(request->method, "POST") || text_to_u64(given, (uint64_t)(4000 * DAY_MS), &ms)) {
        gw_http_error(conn, 400, "INVALID", "POST /@clock?advance_ms=<milliseconds>");
        return;
    }
    clock_advance((int64_t)ms);
    char answer[64];
    snprintf(answer, sizeof(answer), "{\"now\":%lld}", (long long)clock_wall_ms());
    wake_all(io->gateway);
    gw_http_json(conn, 200, text_of(answer));
}

/* ---- REST routes ---- */

/* Does "/tournaments/{id}/start" take this path? The parameters are counted, and written when there is room for them. */
static bool path_matches(struct text pattern, struct text path, struct gw_header *params, size_t *count)
{
    *count = 0;
    while (pattern.len && path.len) {
        struct text want = segment(pattern, &pattern), have = segment(path, &path);
        if (want.len >= 2 && want.data[0] == '{' && want.data[want.len - 1] == '}') {
            if (!have.len || *count == GW_PATH_PARAMS_MAX)
                return false;
            params[(*count)++] = (struct gw_header){text_make(want.data + 1, want.len - 2), have};
        } else if (!text_equal(want, have)) {
            return false;
        }
    }
    return pattern.len == 0 && (path.len == 0 || text_is(path, "/"));
}

static const struct gw_route *rest_route(struct gw_api *api, struct text method, struct text path, struct gw_header *params, size_t *count, bool *path_known)
{
    *path_known = false;
    for (size_t i = 0; i < api->route_count; i++) {
        const struct gw_route *route = &api->routes[i];
        if (!route->rest_path.len || !path_matches(route->rest_path, path, params, count))
            continue;
        *path_known = true;
        if (text_equal(route->rest_method, method) || text_is(route->rest_method, "ANY"))
            return route;
    }
    return NULL;
}

static int keep_params(struct weir_call *call, const struct gw_header *params, size_t count)
{
    call->params = arena_array(&call->arena, count + 1, sizeof(*params));
    if (!call->params)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        struct buf decoded;
        buf_init(&decoded, HTTP_TARGET_MAX);
        int code = percent_decode(&decoded, params[i].value, false);
        call->params[i].name = params[i].name;
        call->params[i].value = code ? TEXT_NONE : arena_copy(&call->arena, buf_text(&decoded));
        buf_fini(&decoded);
        if (code || !utf8_valid(call->params[i].value))
            return ERR_SYNTAX;
    }
    call->param_count = count;
    return 0;
}

static struct text pair_get(const struct gw_header *pair, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (text_is(pair[i].name, name))
            return pair[i].value;
    return TEXT_NONE;
}

/* Who asks: the same ways as for a socket, without the subprotocol. */
static bool rest_identify(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text path, const struct http_request *request, struct text body, struct weir_call *call)
{
    struct err err = {0};
    int64_t exp_s, now_s;
    if (api->config->auth == WEIR_CLAIMED) {
        struct text user = pair_get(call->query, call->query_count, "userId");
        if (user.len > 256) {
            gw_http_error(conn, 400, "INVALID", "userId has at most 256 bytes");
            return false;
        }
        call->identity = user.len ? gw_identity_create(user, TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0) : NULL;
    }
    if (api->config->auth == WEIR_JWT) {
        struct text given = http_header_get(request, "authorization");
        struct text token = given.len > 7 && text_equal_nocase(text_make(given.data, 7), TEXT("Bearer ")) ? text_trim(text_make(given.data + 7, given.len - 7)) : TEXT_NONE;
        if (!token.len)
            token = pair_get(call->query, call->query_count, "token");
        int code = gw_identity_from_token(api, io, token, &call->identity, &exp_s, &now_s, &err);
        if (code)
            gw_http_error(conn, code == ERR_AGAIN ? 503 : 401, err_name(code), "%s", err.text);
        return code == 0;
    }
    if (api->config->auth == WEIR_IAM) {
        const char *type;
        const struct gw_key *key = NULL;
        int status = gw_authorise(io, api, api->config->stages[call->stage], "Invoke", request, path, body, &key, &type, &err);
        if (status) {
            gw_http_error(conn, status, type, "%s", err.text);
            return false;
        }
        call->identity = gw_identity_create(key->id, TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0);
        if (call->identity)
            call->identity->proven = true;
    }
    return true;
}

static int rest_copy(struct weir_call *call, struct net_conn *conn, const struct http_request *request, struct text body, const struct gw_header *params, size_t count)
{
    call->kind = GW_CALL_REST;
    call->conn_id = *net_conn_id(conn);
    call->method = arena_copy(&call->arena, request->method);
    call->path = arena_copy(&call->arena, request->path);
    call->body = arena_copy(&call->arena, body);
    call->address = net_conn_address(conn, call->address_text);
    call->headers = arena_array(&call->arena, request->headers + 1, sizeof(*call->headers));
    if (!call->headers || (body.len && !call->body.data))
        return ERR_MEMORY;
    for (size_t i = 0; i < request->headers; i++)
        call->headers[i] = (struct gw_header){arena_copy(&call->arena, request->header[i].name), arena_copy(&call->arena, request->header[i].value)};
    call->header_count = request->headers;
    int code = keep_params(call, params, count);
    return code ? code : gw_call_keep_query(call, request->query);
}

static void rest(struct gw_io *io, struct net_conn *conn, struct gw_api *api, uint8_t stage, struct text path, const struct http_request *request, struct text body)
{
    struct gw_header params[GW_PATH_PARAMS_MAX];
    size_t count = 0;
    bool known = false;
    const struct gw_route *route = rest_route(api, request->method, path.len ? path : TEXT("/"), params, &count, &known);
    if (!route) {
        gw_meter_rest(io, api, known ? 405 : 403, 0);
        gw_http_error(conn, known ? 405 : 403, known ? "METHOD_NOT_ALLOWED" : "FORBIDDEN", known ? "This path does not take %.*s." : "There is no REST route %.*s here.",
            TEXT_FMT(known ? request->method : request->path));
        return;
    }
    struct weir_call *call = gw_call_take(io, api);
    if (!call) {
        gw_http_error(conn, 503, "MEMORY", "out of memory");
        return;
    }
    int64_t arrived_ns = clock_mono_ns();
    call->route = route;
    call->stage = stage;
    int code = rest_copy(call, conn, request, body, params, count);
    if (code) {
        gw_http_error(conn, code == ERR_SYNTAX ? 400 : 503, err_name(code), "%s", err_text(code));
        gw_call_give(call);
        return;
    }
    if (!rest_identify(io, conn, api, path, request, body, call)) {
        gw_meter_rest(io, api, 401, 0);
        gw_call_give(call);
        return;
    }
    call->arrived_ns = arrived_ns; /* a request that nobody may make is not the route's */
    if (route->url.len) {
        if (gw_endpoint_send(io, call)) {
            gw_meter_throttled(io, route);
            gw_meter_rest(io, api, 503, 0);
            gw_http_error(conn, 503, "UNAVAILABLE", "the endpoint cannot be called now");
            gw_call_fail(call, ERR_AGAIN, "UNAVAILABLE", NULL, "the endpoint cannot be called now");
            gw_call_give(call);
        }
        return;
    }
    if (route->route_class == WEIR_PURE) {
        if (gw_call_handle(call))
            gw_call_error_reply(call);
        gw_rest_answer(io, call);
        gw_call_give(call);
        return;
    }
    gw_submit(io, call);
}

void gw_rest_answer(struct gw_io *io, struct weir_call *call)
{
    struct net_conn *conn = net_io_find(io->net, &call->conn_id);
    if (!conn)
        return;
    int status = call->status ? call->status : call->failed ? 500 : 200;
    gw_meter_rest(io, call->api, status, call->arrived_ns);
    struct text type = call->reply.binary ? TEXT("Content-Type: application/octet-stream\r\n") : TEXT("Content-Type: application/json\r\n");
    if (call->reply.text.data)
        net_http_respond(conn, status, type, call->reply.text, 0);
    else
        net_http_respond(conn, call->status ? status : 204, TEXT(""), TEXT(""), 0);
}

/* ---- the front door ---- */

/* On loopback a web page must not drive weir through the browser: its Host would be the page's, its Origin not ours. */
static bool host_is_local(struct text host)
{
    static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        size_t len = strlen(names[i]);
        if (host.len >= len && text_equal_nocase(text_make(host.data, len), text_of(names[i])) && (host.len == len || host.data[len] == ':'))
            return true;
    }
    return false;
}

bool gw_host_allowed(struct gw_io *io, struct net_conn *conn, const struct http_request *request)
{
    bool allowed = !io->policy->admin_open || !request->host.len || host_is_local(request->host) || gw_host_api(io->gateway, request->host);
    if (!allowed)
        gw_http_error(conn, 403, "HOST_REFUSED", "With development keys only localhost is answered; set keys to use another name.");
    return allowed;
}

void gw_on_request(struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body)
{
    struct text rest_path;
    uint8_t stage = 0;
    char address[46];
    if (text_is(request->path, "/healthz")) {
        healthz(io, conn);
        return;
    }
    if (!gw_host_allowed(io, conn, request))
        return;
    if (text_is(request->path, "/metrics")) {
        gw_metrics(io, conn);
        return;
    }
    if (io->gateway->config.driven_clock && text_is(request->path, "/@clock")) {
        driven_clock(io, conn, request);
        return;
    }
    if (gw_page(conn, request) || gw_cost(io, conn, request, body))
        return;
    if (gw_console_http(io, conn, request, body))
        return;
    const struct gateway_config *config = &io->gateway->config;
    struct gw_api *api = gw_request_api(io->gateway, request, false, &stage, &rest_path);
    if (!api && config->wire && config->wire(config->wire_context, io, conn, request, body))
        return;
    if (!api)
        api = gw_request_api(io->gateway, request, true, &stage, &rest_path);
    if (!api && gw_manage(io, conn, NULL, request->path, request, body))
        return;
    if (!api) {
        gw_http_error(conn, 403, "FORBIDDEN", "No API is mounted at %.*s.", TEXT_FMT(request->path));
        return;
    }
    int64_t retry_ms = 0;
    if (gw_limit_address(io, api, net_conn_address(conn, address), false, &retry_ms) != GW_ALLOW) {
        gw_meter_rest(io, api, 429, 0);
        gw_http_limited(conn, "Too many requests from this address.", retry_ms);
        return;
    }
    if (gw_manage(io, conn, api, rest_path, request, body))
        return;
    if (!gw_origin_allowed(io, api, http_header_get(request, "origin"))) { /* no other page's script drives these routes through a user's browser */
        counter_add(COUNTER_gw_origin_refused, 1);
        gw_meter_abuse(io, api, "RefusedOrigin");
        gw_meter_rest(io, api, 403, 0);
        gw_http_error(conn, 403, "ORIGIN_REFUSED", "This page's origin is not in the API's allow-list.");
        return;
    }
    rest(io, conn, api, stage, rest_path, request, body);
}

/*
 * The life of a connection: its handshake, its registry row, its end.
 *
 * A handshake passes, in this order: origin, connect rate, identity, then $connect (a handler, an endpoint, or nothing) and the
 * registry row in one call of the tick. Only when that has committed does the 101 leave, so whoever is connected is in the table. Any other
 * outcome refuses the handshake with its status and a JSON body that says why.
 *
 * The end comes once, from the network core. The connection leaves rooms and lists at once; its $disconnect call follows behind whatever of its lane is under way,
 * and the last call to finish frees it.
 */
#include "gateway/internal.h"
#include "base/codec.h"

#include <stdlib.h>

/* ---- identity ---- */

struct handshake {
    struct gw_identity *identity;
    struct text subprotocol; /* to be answered */
    int status;              /* 0: go on */
    const char *error;
    int64_t exp_s, now_s;
    struct err err;
};

/* A browser cannot set headers on a WebSocket: a token may stand in the subprotocols as "bearer, <token>" (any marker before it). The marker is answered. */
static struct text token_in_subprotocols(struct text offered, struct text *marker)
{
    struct text previous = TEXT_NONE;
    size_t from = 0;
    while (from < offered.len) {
        ptrdiff_t comma = text_find(offered, ',', from);
        size_t to = comma < 0 ? offered.len : (size_t)comma;
        struct text item = text_trim(text_make(offered.data + from, to - from));
        ptrdiff_t dot = text_find(item, '.', 0);
        if (dot > 0 && text_find(item, '.', (size_t)dot + 1) > 0) {
            *marker = previous;
            return item;
        }
        previous = item;
        from = to + 1;
    }
    return TEXT_NONE;
}

static struct text query_decoded(const struct http_request *request, const char *name, struct buf *out)
{
    struct text raw = http_query_get(request->query, name);
    if (!raw.data)
        return TEXT_NONE;
    buf_clear(out);
    if (percent_decode(out, raw, true))
        return TEXT_NONE;
    return buf_text(out).data ? buf_text(out) : TEXT("");
}

static struct text first_subprotocol(struct text offered)
{
    ptrdiff_t comma = text_find(offered, ',', 0);
    return text_trim(text_make(offered.data, comma < 0 ? offered.len : (size_t)comma));
}

static void identify_by_token(struct gw_io *io, struct gw_api *api, const struct http_request *request, struct handshake *h)
{
    struct buf decoded;
    buf_init(&decoded, JWT_TOKEN_MAX * 3);
    struct text offered = http_header_get(request, "sec-websocket-protocol");
    struct text token = query_decoded(request, "token", &decoded);
    struct text authorization = http_header_get(request, "authorization");
    if (!token.len && authorization.len > 7 && text_equal_nocase(text_make(authorization.data, 7), TEXT("Bearer ")))
        token = text_trim(text_make(authorization.data + 7, authorization.len - 7));
    if (!token.len && offered.len)
        token = token_in_subprotocols(offered, &h->subprotocol);
    else if (offered.len)
        h->subprotocol = first_subprotocol(offered);
    if (!token.len && api->config->auth_in_band) {
        buf_fini(&decoded);
        return;
    }
    int code = gw_identity_from_token(api, io, token, &h->identity, &h->exp_s, &h->now_s, &h->err);
    if (code) {
        h->status = code == ERR_AGAIN ? 503 : 401;
        h->error = code == ERR_AGAIN ? "ISSUER_UNAVAILABLE" : err_name(code);
        if (code != ERR_TOKEN_EXPIRED)
            h->exp_s = 0;
    }
    buf_fini(&decoded);
}

static void identify_by_claim(const struct http_request *request, struct handshake *h)
{
    struct buf decoded;
    buf_init(&decoded, 4096);
    struct text user = query_decoded(request, "userId", &decoded);
    if (user.len > 256 || (user.len && !utf8_valid(user))) {
        h->status = 400;
        h->error = "INVALID";
        err_set(&h->err, ERR_INVALID, "userId must be UTF-8 of at most 256 bytes");
    } else if (user.len && !(h->identity = gw_identity_create(user, TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0))) {
        h->status = 503;
        h->error = "MEMORY";
        err_set(&h->err, ERR_MEMORY, "out of memory");
    }
    buf_fini(&decoded);
}

static void identify(struct gw_io *io, struct gw_api *api, uint8_t stage, const struct http_request *request, struct handshake *h)
{
    struct text offered = http_header_get(request, "sec-websocket-protocol");
    if (api->config->auth == WEIR_JWT) {
        identify_by_token(io, api, request, h);
        return;
    }
    if (offered.len)
        h->subprotocol = first_subprotocol(offered);
    if (api->config->auth == WEIR_CLAIMED)
        identify_by_claim(request, h);
    if (api->config->auth == WEIR_IAM) {
        const struct gw_key *key = NULL;
        h->status = gw_authorise(io, api, api->config->stages[stage], "Invoke", request, TEXT("$connect"), TEXT(""), &key, &h->error, &h->err);
        if (!h->status && !(h->identity = gw_identity_create(key->id, TEXT_NONE, TEXT_NONE, TEXT("user"), NULL, 0))) {
            h->status = 503;
            h->error = "MEMORY";
            err_set(&h->err, ERR_MEMORY, "out of memory");
        } else if (!h->status) {
            h->identity->proven = true;
        }
    }
}

/* ---- the connection ---- */

static struct gw_about *about_get(struct gw_io *io, struct text user_agent, struct text domain)
{
    char key[512 + 1 + 256];
    if (user_agent.len > 512)
        user_agent.len = 512;
    if (domain.len > 256)
        domain.len = 256;
    if (user_agent.len)
        memcpy(key, user_agent.data, user_agent.len);
    key[user_agent.len] = 0;
    if (domain.len)
        memcpy(key + user_agent.len + 1, domain.data, domain.len);
    struct text whole = text_make(key, user_agent.len + 1 + domain.len);
    struct gw_about *about = map_get(&io->abouts, whole);
    if (about) {
        about->refs++;
        return about;
    }
    about = malloc(sizeof(*about) + whole.len);
    if (!about)
        return NULL;
    memcpy(about->bytes, whole.data, whole.len);
    about->refs = 1;
    about->key = text_make(about->bytes, whole.len);
    about->user_agent = text_make(about->bytes, user_agent.len);
    about->domain = text_make(about->bytes + user_agent.len + 1, domain.len);
    if (map_put(&io->abouts, about->key, about, NULL)) {
        free(about);
        return NULL;
    }
    return about;
}

static void about_put(struct gw_io *io, struct gw_about *about)
{
    if (--about->refs)
        return;
    map_delete(&io->abouts, about->key);
    free(about);
}

/* What the client wants to be found by; one that is not clean, or finds no memory, is as none. */
static char *correlation_of(const struct http_request *request)
{
    struct buf decoded;
    char *kept = NULL;
    struct text given = http_header_get(request, "x-correlation-id");
    buf_init(&decoded, GW_CORRELATION_MAX * 3 + 1);
    if (!given.len && request->query.len)
        given = query_decoded(request, "correlationId", &decoded);
    if (given.len && gw_correlation_clean(given) && (kept = malloc(given.len + 1))) {
        memcpy(kept, given.data, given.len);
        kept[given.len] = 0;
    }
    buf_fini(&decoded);
    return kept;
}

static struct gw_conn *conn_create(struct gw_io *io, struct net_conn *net, struct gw_api *api, uint8_t stage, const struct http_request *request)
{
    struct gw_conn *conn = calloc(1, sizeof(*conn));
    if (!conn)
        return NULL;
    struct text domain = io->gateway->config.public_url.len ? io->gateway->config.public_url : request->host;
    conn->about = about_get(io, http_header_get(request, "user-agent"), domain);
    if (!conn->about) {
        free(conn);
        return NULL;
    }
    conn->net = net;
    conn->api = api;
    conn->io = io;
    conn->stage = stage;
    conn->state = GW_CONNECTING;
    conn->member_at = conn->user_at = UINT32_MAX;
    conn->correlation = correlation_of(request);
    net_conn_set_user(net, conn);
    return conn;
}

void gw_conn_release(struct gw_conn *conn)
{
    if (conn->net || conn->outstanding || conn->held_first)
        return;
    gw_expiry_destroy(conn);
    gw_identity_unref(conn->identity);
    gw_buckets_destroy(conn->buckets);
    about_put(conn->io, conn->about);
    free(conn->correlation);
    free(conn);
}

static int keep_pairs(struct weir_call *call, const struct http_request *request)
{
    call->headers = arena_array(&call->arena, request->headers + 1, sizeof(*call->headers));
    if (!call->headers)
        return ERR_MEMORY;
    for (size_t i = 0; i < request->headers; i++) {
        call->headers[i].name = arena_copy(&call->arena, request->header[i].name);
        call->headers[i].value = arena_copy(&call->arena, request->header[i].value);
        if (!call->headers[i].value.data && request->header[i].value.len)
            return ERR_MEMORY;
    }
    call->header_count = request->headers;
    return gw_call_keep_query(call, request->query);
}

/* 0 with the call, ERR_MEMORY, or ERR_SYNTAX for a query that cannot be decoded. */
static int connect_call(struct gw_io *io, struct gw_conn *conn, const struct http_request *request, struct text subprotocol, struct weir_call **out)
{
    struct weir_call *call = gw_call_take(io, conn->api);
    if (!call)
        return ERR_MEMORY;
    call->kind = GW_CALL_CONNECT;
    call->has_conn = true;
    call->conn = conn;
    call->conn_id = *net_conn_id(conn->net);
    call->about = conn->about;
    call->connected_ms = net_conn_connected_ms(conn->net);
    call->stage = conn->stage;
    call->identity = gw_identity_ref(conn->identity);
    call->route = conn->api->on_connect;
    call->address = net_conn_address(conn->net, call->address_text);
    call->correlation = text_of(conn->correlation);
    call->arrived_ns = clock_mono_ns();
    call->subprotocol_offered = subprotocol.len ? arena_copy(&call->arena, subprotocol) : TEXT_NONE;
    int code = keep_pairs(call, request);
    if (code) {
        call->arrived_ns = 0; /* $connect never began */
        gw_call_give(call);
    } else {
        *out = call;
    }
    return code;
}

static void accept_now(struct gw_io *io, struct gw_conn *conn, struct text subprotocol)
{
    if (net_ws_accept(conn->net, &conn->api->ws, subprotocol, TEXT("")))
        return; /* the peer left: on_gone follows */
    conn->state = GW_OPEN;
    gw_meter_connected(io, conn->api, conn->stage);
    struct gw_identity *identity = conn->identity;
    conn->identity = NULL;
    int code = gw_conn_enlist(io, conn);
    if (gw_conn_set_identity(io, conn, identity) || code)
        net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_TRY_LATER, TEXT("out of memory"));
    else if (identity && conn->api->config->auth == WEIR_JWT && gw_identity_revoked(io, conn->api, identity)) /* while $connect ran */
        net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_UNAUTHENTICATED, TEXT("REVOKED"));
}

/* Runs $connect by its class. The row, when there is one, needs the tick. */
static void connect_run(struct gw_io *io, struct gw_conn *conn, struct weir_call *call)
{
    const struct gw_route *route = call->route;
    if (route && route->url.len) {
        conn->outstanding++;
        if (gw_endpoint_send(io, call)) {
            conn->outstanding--;
            gw_http_refuse(conn->net, 502, "BAD_GATEWAY", "the endpoint of $connect cannot be called now", 0, 0);
            gw_call_give(call);
        }
        return;
    }
    if (conn->api->has_registry || (route && route->route_class == WEIR_TICK)) {
        gw_submit(io, call);
        return;
    }
    if (route && gw_call_handle(call))
        gw_call_error_reply(call);
    gw_connect_done(io, call);
}

void gw_on_upgrade(struct gw_io *io, struct net_conn *net, struct gw_api *api, uint8_t stage, const struct http_request *request)
{
    char address[46];
    struct handshake h = {0};
    if (api->is_console && !gw_console_admit(io, net, request))
        return;
    if (!api->is_console && !gw_origin_allowed(io, api, http_header_get(request, "origin"))) {
        counter_add(COUNTER_gw_origin_refused, 1);
        gw_meter_abuse(io, api, "RefusedOrigin");
        gw_meter_refused(io, api, stage, NULL, true);
        gw_http_refuse(net, 403, "ORIGIN_REFUSED", "This page's origin is not in the API's allow-list.", 0, 0);
        return;
    }
    int64_t retry_ms = 0;
    if (gw_limit_address(io, api, net_conn_address(net, address), true, &retry_ms) != GW_ALLOW) {
        gw_meter_refused(io, api, stage, NULL, true);
        gw_http_limited(net, "Too many connects from this address.", retry_ms);
        return;
    }
    identify(io, api, stage, request, &h);
    if (h.status) {
        gw_meter_refused(io, api, stage, NULL, true);
        gw_line_refused(io, net, api, stage, h.error, h.err.text);
        gw_http_refuse(net, h.status, h.error, h.err.text, h.exp_s, h.now_s);
        return;
    }
    struct gw_conn *conn = conn_create(io, net, api, stage, request);
    if (conn)
        conn->identity = h.identity;
    else
        gw_identity_unref(h.identity);
    if (conn && !api->has_registry && !api->on_connect) {
        accept_now(io, conn, h.subprotocol);
        if (conn->state == GW_OPEN)
            gw_line_connected(io, conn, TEXT_NONE, http_header_get(request, "origin"));
        return;
    }
    struct weir_call *call = NULL;
    int code = conn ? connect_call(io, conn, request, h.subprotocol, &call) : ERR_MEMORY;
    if (code) {
        gw_http_refuse(net, code == ERR_MEMORY ? 503 : 400, err_name(code), code == ERR_MEMORY ? "out of memory" : "the query string is not well formed", 0, 0);
        return;
    }
    connect_run(io, conn, call);
}

/* The registry row of a socket that is gone, or of a handshake that came to nothing. */
static void disconnect_call(struct gw_io *io, struct gw_conn *conn, const struct net_id *id, enum net_end how, int code, struct text reason, bool route)
{
    struct weir_call *call = gw_call_take(io, conn->api);
    if (!call) {
        log_error("gateway", "no memory for $disconnect");
        return;
    }
    call->kind = GW_CALL_DISCONNECT;
    call->has_conn = true;
    call->conn = conn;
    call->conn_id = *id;
    call->about = conn->about;
    call->connected_ms = conn->net ? net_conn_connected_ms(conn->net) : 0;
    call->stage = conn->stage;
    call->identity = gw_identity_ref(conn->identity);
    call->route = route ? conn->api->on_disconnect : NULL;
    call->correlation = text_of(conn->correlation);
    call->arrived_ns = clock_mono_ns();
    call->close_code = code;
    call->close_how = how;
    call->close_reason = code == WS_CLOSE_NO_STATUS && !reason.len ? TEXT("Client-side close frame status not set") : arena_copy(&call->arena, reason);
    call->address = conn->net ? net_conn_address(conn->net, call->address_text) : TEXT_NONE;
    if (call->route && call->route->url.len) {
        gw_conn_hold(conn, call); /* behind an endpoint call that is under way: $disconnect is the last of its lane */
        if (conn->registered)
            disconnect_call(io, conn, id, how, code, reason, false);
        return;
    }
    if (!conn->api->has_registry && call->route && call->route->route_class != WEIR_TICK && conn->outstanding == 0) {
        if (gw_call_handle(call))
            log_warn("gateway", "%.*s: $disconnect failed: %s", TEXT_FMT(conn->api->config->name), call->err_text);
        gw_call_give(call);
        return;
    }
    gw_submit(io, call);
}

/* $connect said yes, and the peer was gone by then: what it wrote is taken back by $disconnect, and the row goes. */
static void undo_connect(struct gw_io *io, struct gw_conn *conn, const struct weir_call *call)
{
    conn->registered = conn->api->has_registry;
    if (conn->registered || (conn->api->on_connect && conn->api->on_disconnect))
        disconnect_call(io, conn, &call->conn_id, NET_END_LOST, WS_CLOSE_ABNORMAL, TEXT(""), conn->api->on_connect != NULL);
    conn->registered = false;
    gw_conn_continue(io, conn);
}

void gw_connect_done(struct gw_io *io, struct weir_call *call)
{
    struct gw_conn *conn = call->conn;
    bool accepted = !call->failed && (call->status == 0 || call->status / 100 == 2);
    if (!conn->net) {
        /* The peer left during the handshake: the row that was just written goes again. */
        if (accepted)
            undo_connect(io, conn, call);
        gw_call_give(call);
        gw_conn_release(conn);
        return;
    }
    if (accepted) {
        conn->registered = conn->api->has_registry;
        conn->renew_at_ms = clock_wall_ms() + conn->api->config->registry.lifetime / 2;
        accept_now(io, conn, call->subprotocol.data ? call->subprotocol : call->subprotocol_offered);
        if (conn->state == GW_OPEN)
            gw_line_connected(io, conn, gw_call_request_id(call), text_make(weir_header(call, "origin").data, weir_header(call, "origin").len));
        if (conn->state != GW_OPEN) /* the peer left in this very turn: on_gone follows, and has nothing left to undo */
            undo_connect(io, conn, call);
    } else {
        gw_meter_api(io, GW_FIGURE_CONNECTION_ERRORS, conn->api, 1, 1);
        int status = call->status >= 300 ? call->status : call->failed == ERR_UNAUTHENTICATED ? 401 : call->failed == ERR_FORBIDDEN ? 403 : call->failed == ERR_DISK_FULL ? 503 : 500;
        gw_http_refuse(conn->net, status, call->client_error ? call->err_code : err_name(call->failed), call->client_error ? call->err_text : "the handshake was refused", 0, 0);
    }
    gw_call_give(call);
}

void gw_on_close(struct gw_io *io, struct gw_conn *conn, enum net_end how, int code, struct text reason)
{
    struct net_id id = *net_conn_id(conn->net);
    gw_meter_closed(io, conn->api, how);
    conn->state = GW_CLOSING;
    gw_room_leave_all(io, conn);
    gw_live_leave_all(io, conn);
    gw_conn_delist(io, conn);
    gw_expiry_destroy(conn);
    gw_conn_drop_held(conn);
    gw_line_disconnected(io, conn, code, reason);
    if (conn->registered || conn->api->on_disconnect)
        disconnect_call(io, conn, &id, how, code, reason, true);
    net_conn_set_user(conn->net, NULL);
    conn->net = NULL;
    gw_conn_continue(io, conn);
    gw_conn_release(conn);
}

/* ---- in band ---- */

void gw_auth_in_band(struct gw_io *io, struct gw_conn *conn, struct weir_call *call, struct text token)
{
    struct gw_identity *identity = NULL;
    struct err err = {0};
    int64_t exp_s = 0, now_s = 0;
    int code = gw_identity_from_token(conn->api, io, token, &identity, &exp_s, &now_s, &err);
    if (!code && conn->identity && conn->identity->user_id.len && !text_equal(conn->identity->user_id, identity->user_id)) {
        code = err_set(&err, ERR_FORBIDDEN, "the socket belongs to another user; open a new one");
        gw_identity_unref(identity);
    }
    if (code) {
        call->token_exp_s = code == ERR_TOKEN_EXPIRED ? exp_s : 0;
        call->token_now_s = now_s;
        gw_call_fail(call, code, err_name(code), "token", "%s", err.text);
        weir_context(call, "errorType", weir_text_of(call->err_code));
        gw_call_error_reply(call);
    } else {
        bool known = conn->identity != NULL;
        if (gw_conn_set_identity(io, conn, identity)) /* an identity whose end nobody watches must not stand */
            net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_TRY_LATER, TEXT("out of memory"));
        else if (!known && conn->registered)
            gw_registry_rewrite(io, conn); /* its row tells the user from now on */
        weir_ack(call);
    }
    gw_call_answer(io, conn, call);
}

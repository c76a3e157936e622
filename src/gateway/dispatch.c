/*
 * A message's way to its handler.
 *
 * A connection is a lane: its messages run and are answered in order of arrival. A pure route runs here and now when nothing of its
 * connection is under way; a read route too, on the published snapshot; everything else, and what follows it, goes through the tick, whose rings
 * and sinks keep the order. A route to an HTTP endpoint blocks its own lane alone: later messages are held (bounded, then the socket is not read).
 */
#include "gateway/internal.h"
#include "gateway/monitor.h"

#include <stdlib.h>

/* ---- route selection ---- */

static void selector_add(struct buf *key, const struct json *value)
{
    if (!value)
        return; /* missing: empty */
    if (value->type == JSON_STRING)
        buf_add_text(key, value->text);
    else
        buf_add_text(key, value->raw);
}

static struct text route_key_of(struct gw_api *api, const struct json *root, struct arena *arena)
{
    if (api->selectors == 1 && api->selector[0].path.len) {
        const struct json *value = json_path(root, api->selector[0].path);
        if (!value)
            return TEXT("");
        return value->type == JSON_STRING ? value->text : value->raw;
    }
    struct buf key;
    buf_init(&key, 1024);
    for (size_t i = 0; i < api->selectors; i++) {
        const struct gw_selector_part *part = &api->selector[i];
        if (part->path.len)
            selector_add(&key, json_path(root, part->path));
        else
            buf_add_text(&key, part->literal);
    }
    struct text copy = key.failed ? TEXT("") : arena_copy(arena, buf_text(&key));
    buf_fini(&key);
    return copy;
}

/* $connect, $disconnect and @names are not for clients to choose. */
static const struct gw_route *route_named(struct gw_api *api, struct text key)
{
    return key.len && key.data[0] != '$' && key.data[0] != '@' ? map_get(&api->by_key, key) : NULL;
}

const struct gw_route *gw_route_select(struct gw_api *api, const struct json *root, struct arena *arena, struct text *key)
{
    const struct gw_route *route = NULL;
    *key = TEXT("");
    if (root) {
        *key = route_key_of(api, root, arena);
        route = route_named(api, *key);
        if (!route && !key->len && api->config->type_routes) {
            const struct json *type = json_get_str(root, "type");
            *key = json_is(type, JSON_STRING) ? type->text : *key;
            route = route_named(api, *key);
        }
    }
    return route ? route : api->on_default;
}

/* ---- errors as API Gateway sends them ---- */

#define AWS_ERROR "{\"message\": \"%s\", \"connectionId\":\"%s\", \"requestId\":\"%s\"}" /* its spaces too */

void gw_request_id_make(char out[17])
{
    static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint64_t a = random_u64(), b = random_u64();
    for (int i = 0; i < 15; i++) {
        uint64_t *source = i < 10 ? &a : &b;
        out[i] = alphabet[*source & 63];
        *source >>= 6;
    }
    /* 11 bytes of base64url end in a character whose last two bits are zero. */
    out[14] = alphabet[(b & 15) << 2];
    out[15] = '=';
    out[16] = 0;
}

/* The same text in the call's arena, for an answer that keeps its place in the lane. */
static struct text aws_error(struct weir_call *call, const char *message)
{
    char id[NET_ID_TEXT + 1];
    net_id_format(&call->conn_id, id);
    return arena_format(&call->arena, AWS_ERROR, message, id, gw_call_request_id(call).data);
}

void gw_aws_error_frame(struct gw_conn *conn, const char *message, const char *request_id)
{
    char id[NET_ID_TEXT + 1], made[17], frame[256];
    net_id_format(net_conn_id(conn->net), id);
    if (!request_id || !*request_id) {
        gw_request_id_make(made);
        request_id = made;
    }
    int len = snprintf(frame, sizeof(frame), AWS_ERROR, message, id, request_id);
    counter_add(COUNTER_gw_errors, 1);
    net_ws_send(conn->net, WS_TEXT, frame, (size_t)len);
}

/* ---- running ---- */

static void call_reset_result(struct weir_call *call)
{
    call->failed = 0;
    call->client_error = false;
    call->status = 0;
    call->reply = (struct gw_reply){0};
    call->reply_last = NULL;
    call->wrote = false;
    call->touched_items = call->touched_bytes = 0;
    call->context = NULL;
    call->context_count = 0;
    gw_monitor_reset(call);
    call->used_count = 0;
    call->lines = 0;
    call->measured = NULL;
    call->subprotocol = TEXT_NONE;
    if (call->parsed_late) { /* the tree lay in the part of the arena that was rewound */
        call->root = NULL;
        call->parsed_late = false;
    }
    call->parsed = call->root != NULL;
    gw_call_drop_effects(call);
}

static int handle(struct weir_call *call)
{
    call->route->handler(call);
    while (call->cursors)
        store_cursor_close(call->cursor[--call->cursors]);
    if (call->docs)
        gw_call_docs_give(call);
    if (call->sent_first && call->failed)
        gw_call_drop_effects(call);
    else if (call->sent_first)
        gw_call_flush_effects(call);
    if (call->measured)
        gw_call_flush_measured(call);
    return call->failed;
}

/* With the handler's own time, for the figures (meter_call.c). */
int gw_call_handle(struct weir_call *call)
{
    int64_t before = clock_mono_ns();
    int code = handle(call);
    int64_t took = clock_mono_ns() - before;
    call->handler_ns = took > 0 ? took : 1;
    return code;
}

int gw_tick_run(struct tick *tick, struct tick_call *base)
{
    struct weir_call *call = (struct weir_call *)base;
    if (call->ready)
        return 0;
    if (call->kind == GW_CALL_WORK)
        return call->work.run(&call->work, tick);
    call_reset_result(call);
    call->tick = tick;
    call->view = tick_view(tick);
    call->now_ms = tick_now_ms(tick);
    int code = 0;
    if (call->kind == GW_CALL_RENEW)
        code = gw_registry_renew(call);
    if (call->kind == GW_CALL_STREAM)
        code = gw_stream_run(call);
    if (call->kind == GW_CALL_RETAIN)
        code = gw_history_publish(call);
    if (call->kind == GW_CALL_RETAIN && !code && call->api->config->retain_rooms)
        code = gw_room_retain(call, call->ask->name, call->body);
    if (call->kind == GW_CALL_REVOKE)
        code = gw_revoke_store(call);
    if (!code && call->route && call->route->handler)
        code = gw_call_handle(call);
    if (call->kind == GW_CALL_STREAM && !code)
        code = gw_stream_over(call);
    if (call->kind == GW_CALL_CONNECT && !code && (call->status == 0 || call->status / 100 == 2) && call->api->has_registry)
        code = gw_registry_put(call);
    if (call->kind == GW_CALL_DISCONNECT && !code && call->api->has_registry)
        code = gw_registry_delete(call); /* when $disconnect failed, all of it is undone; the row then goes with a call of its own (gw_on_done) */
    call->tick = NULL;
    call->view = NULL;
    if (code && !call->failed)
        call->failed = code;
    return code;
}

void gw_tick_undone(struct tick *tick, struct tick_call *base, int code)
{
    (void)tick;
    struct weir_call *call = (struct weir_call *)base;
    if (call->kind == GW_CALL_WORK)
        return; /* its done() hears the code */
    if (!call->client_error)
        gw_call_fail(call, code, err_name(code), NULL, "%s", err_text(code));
    call->tick = tick; /* its line is an effect */
    gw_call_error_reply(call);
    call->tick = NULL;
}

static void run_here(struct gw_io *io, struct gw_conn *conn, struct weir_call *call)
{
    if (gw_call_handle(call))
        gw_call_error_reply(call);
    (void)io;
    if (call->reply.text.data && conn->net)
        gw_call_send_replies(call, conn->net);
    gw_call_give(call);
}

/* On the durable snapshot, from the cache. A cold block sends the call to the tick, which knows how to wait for the disk. */
static bool run_read(struct gw_io *io, struct gw_conn *conn, struct weir_call *call)
{
    struct store *store = io->gateway->config.store;
    struct store_view view = {
        .store = store,
        .snapshot = store_snapshot_acquire(store, io->index),
        .now_s = clock_wall_ms() / 1000,
        .cache_only = true,
    };
    struct arena_mark mark = arena_mark(&call->arena);
    call->view = &view;
    int code = gw_call_handle(call);
    call->view = NULL;
    store_snapshot_release(store, io->index);
    if (code == ERR_COLD) {
        arena_rewind(&call->arena, mark);
        call_reset_result(call);
        return false;
    }
    if (code)
        gw_call_error_reply(call);
    if (call->reply.text.data && conn->net)
        gw_call_send_replies(call, conn->net);
    gw_call_give(call);
    return true;
}

/* ---- into the tick and back ---- */

static int submit_now(struct gw_io *io, struct weir_call *call)
{
    int code = tick_submit(io->gateway->tick, &call->base);
    if (code)
        return code;
    if (!io->kick_tick) {
        io->kick_tick = true;
        loop_finish_ask(io->loop, &io->finish);
    }
    return 0;
}

void gw_submit(struct gw_io *io, struct weir_call *call)
{
    call->base.arena = &call->arena;
    call->base.source = (uint16_t)io->index;
    call->base.run = gw_tick_run;
    call->base.on_undone = gw_tick_undone;
    if (call->kind == GW_CALL_DEFERRED)
        gw_answer_prepare(call);
    if (call->conn) {
        call->base.lane = &call->conn->lane;
        call->conn->outstanding++;
        if (!call->address.data && call->conn->net) /* in the tick the connection is out of reach */
            call->address = net_conn_address(call->conn->net, call->address_text);
    }
    if (!io->waiting_first && submit_now(io, call) == 0)
        return;
    /* No credit: it waits here, its socket is not read until credit returns. */
    call->next = NULL;
    if (io->waiting_last)
        io->waiting_last->next = call;
    else
        io->waiting_first = call;
    io->waiting_last = call;
    io->credit_lacking = true;
    counter_add(COUNTER_gw_credit_waits, 1);
}

static void conn_resume(struct gw_conn *conn)
{
    if (!conn->paused || !conn->net)
        return;
    conn->paused = false;
    net_conn_resume(conn->net);
}

/* Remembers a socket that is not read because credit lacks, also when nothing of its own is under way any more by the time credit is back. */
static bool starve(struct gw_io *io, struct gw_conn *conn)
{
    if (conn->starved)
        return true;
    if (io->starved_count == io->starved_cap) {
        uint32_t cap = io->starved_cap ? io->starved_cap * 2 : 64; /* at most one entry per open connection */
        struct net_id *grown = realloc(io->starved, cap * sizeof(*grown));
        if (!grown)
            return false;
        io->starved = grown;
        io->starved_cap = cap;
    }
    io->starved[io->starved_count++] = *net_conn_id(conn->net);
    conn->starved = true;
    return true;
}

static void feed_starved(struct gw_io *io)
{
    for (uint32_t i = 0; i < io->starved_count; i++) {
        struct net_conn *net = net_io_find(io->net, &io->starved[i]);
        struct gw_conn *conn = net ? net_conn_user(net) : NULL;
        if (!conn)
            continue;
        conn->starved = false;
        if (conn->outstanding <= GW_OUTSTANDING_MAX / 2 && !conn->held_first)
            conn_resume(conn); /* read later in this turn, not inside this walk */
    }
    io->starved_count = 0;
}

/* Credit counts as back when a quarter of it is free: else the sockets would be stopped and started for each call. */
static void submit_waiting(struct gw_io *io)
{
    while (io->waiting_first) {
        struct weir_call *call = io->waiting_first;
        struct weir_call *next = call->next;
        if (submit_now(io, call))
            return;
        io->waiting_first = next;
        if (!next)
            io->waiting_last = NULL;
    }
    if (tick_credit(io->gateway->tick, io->index) < io->credit_max / 4)
        return;
    io->credit_lacking = false;
    feed_starved(io);
}

/* The tick has ended: what still waits for it is given back. After the threads. */
void gw_waiting_abandon(struct gw_io *io)
{
    while (io->waiting_first) {
        struct weir_call *call = io->waiting_first;
        io->waiting_first = call->next;
        gw_call_abandon(call);
    }
    io->waiting_last = NULL;
    free(io->starved);
    io->starved = NULL;
    io->starved_count = io->starved_cap = 0;
}

void gw_call_abandon(struct weir_call *call)
{
    struct gw_conn *conn = call->conn;
    if (call->ask)
        gw_ask_destroy(call->ask, call->gateway->io_count);
    if (call->kind == GW_CALL_WORK)
        call->work.done(&call->work, NULL, ERR_CLOSED); /* nobody is there to be answered; the wire gives back what it holds */
    gw_call_give(call);
    if (!conn)
        return;
    conn->outstanding--;
    if (!conn->net)
        gw_conn_drop_held(conn);
    gw_conn_release(conn);
}

static void hold(struct gw_conn *conn, struct weir_call *call)
{
    call->next = NULL;
    if (conn->held_last)
        conn->held_last->next = call;
    else
        conn->held_first = call;
    conn->held_last = call;
    conn->held++;
}

/* Starts a call, or answers false when its lane is blocked by an endpoint call. */
static bool start(struct gw_io *io, struct gw_conn *conn, struct weir_call *call)
{
    const struct gw_route *route = call->route;
    if (conn->blocked)
        return false;
    if (call->ready && conn->outstanding == 0) {
        gw_call_send_replies(call, conn->net);
        gw_call_give(call);
        return true;
    }
    if (call->ready) {
        gw_submit(io, call); /* through the tick, behind what is there */
        return true;
    }
    if (route->url.len) {
        if (conn->outstanding)
            return false; /* behind what is in the tick */
        int code = gw_endpoint_send(io, call);
        if (code) {
            gw_meter_throttled(io, route);
            if (conn->net)
                gw_aws_error_frame(conn, "Internal server error", gw_call_request_id(call).data);
            gw_call_fail(call, code, err_name(code), NULL, "the endpoint cannot be called now");
            gw_call_give(call);
            return true;
        }
        conn->blocked = true;
        conn->outstanding++;
        return true;
    }
    if (conn->outstanding == 0 && route->route_class == WEIR_PURE) {
        run_here(io, conn, call);
        return true;
    }
    if (conn->outstanding == 0 && route->route_class == WEIR_READ && run_read(io, conn, call))
        return true;
    gw_submit(io, call);
    return true;
}

void gw_conn_continue(struct gw_io *io, struct gw_conn *conn)
{
    while (conn->held_first) {
        struct weir_call *call = conn->held_first;
        struct weir_call *next = call->next;
        if (!start(io, conn, call))
            return;
        conn->held_first = next;
        conn->held--;
        if (!conn->held_first)
            conn->held_last = NULL;
    }
    if (conn->outstanding <= GW_OUTSTANDING_MAX / 2 && !conn->starved)
        conn_resume(conn);
}

void gw_conn_drop_held(struct gw_conn *conn)
{
    while (conn->held_first) {
        struct weir_call *call = conn->held_first;
        conn->held_first = call->next;
        call->arrived_ns = 0; /* it never began */
        gw_call_give(call);
    }
    conn->held_last = NULL;
    conn->held = 0;
}

void gw_conn_hold(struct gw_conn *conn, struct weir_call *call)
{
    hold(conn, call);
}

void gw_call_answer(struct gw_io *io, struct gw_conn *conn, struct weir_call *call)
{
    call->ready = true;
    if (conn->held_first || !start(io, conn, call))
        hold(conn, call);
}

/* $disconnect failed, or the disk is full: its writes are undone and the failure is logged. The socket is gone all the same, and so must be its row. */
static bool disconnect_again(struct gw_io *io, struct weir_call *call)
{
    if (call->kind != GW_CALL_DISCONNECT || call->base.code >= 0)
        return false;
    log_warn("gateway", "%.*s: $disconnect failed: %s", TEXT_FMT(call->api->config->name), call->client_error ? call->err_text : err_text(call->base.code));
    if (!call->route || !call->api->has_registry)
        return false;
    gw_monitor_cleanup(io, call);
    call->route = NULL;
    call->conn->outstanding--;
    gw_submit(io, call);
    return true;
}

void gw_on_done(void *context, struct tick_call *base)
{
    struct gw_io *io = context;
    struct weir_call *call = (struct weir_call *)base;
    struct gw_conn *conn = call->conn;
    if (io->gateway->ended) {
        gw_call_abandon(call);
        return;
    }
    if (io->credit_lacking)
        submit_waiting(io);
    if (disconnect_again(io, call))
        return;
    switch (call->kind) {
    case GW_CALL_CONNECT:
        conn->outstanding--;
        gw_connect_done(io, call); /* gives the call back */
        return;
    case GW_CALL_DEFERRED:
        gw_answer_settled(io, call);
        return;
    case GW_CALL_WORK:
        gw_work_done(io, call);
        return;
    case GW_CALL_STREAM:
        gw_stream_done(io, call); /* gives the call back */
        return;
    case GW_CALL_RETAIN:
    case GW_CALL_REVOKE:
        gw_retain_done(io, call);
        gw_call_give(call);
        return;
    case GW_CALL_REST:
        gw_rest_answer(io, call);
        gw_call_give(call);
        return;
    default:
        break;
    }
    if (conn) {
        conn->outstanding--;
        if (call->kind == GW_CALL_MESSAGE && conn->net && call->reply.text.data)
            gw_call_send_replies(call, conn->net);
    }
    gw_call_give(call);
    if (!conn)
        return;
    gw_conn_continue(io, conn);
    gw_conn_release(conn);
}

/* ---- the message ---- */

static bool looks_like_object(const char *data, size_t len)
{
    for (size_t i = 0; i < len && i < 16; i++) {
        if (data[i] == '{')
            return true;
        if (data[i] != ' ' && data[i] != '\n' && data[i] != '\r' && data[i] != '\t')
            return false;
    }
    return false;
}

#define REFUSED_WORD_MAX 64 /* bytes of a client's word that a refusal repeats */

/* The token of an in-band authentication, or no text. */
static struct text in_band_token(const struct gw_api *api, const struct json *root)
{
    if (api->config->auth != WEIR_JWT || !root)
        return TEXT_NONE;
    const struct json *type = json_get_str(root, "type"), *action = json_get_str(root, "action");
    if (!(json_is(type, JSON_STRING) && text_is(type->text, "auth")) && !(json_is(action, JSON_STRING) && text_is(action->text, "auth")))
        return TEXT_NONE;
    const struct json *token = json_get_str(root, "token");
    if (!token && json_get_str(root, "data"))
        token = json_get_str(json_get_str(root, "data"), "token");
    return json_is(token, JSON_STRING) ? token->text : TEXT("");
}

/* What the message was, for a client that sent several before it showed a token. */
static void refused_context(struct weir_call *call, const char *member, const char *name)
{
    const struct json *value = call->root ? json_get_str(call->root, member) : NULL;
    if (json_is(value, JSON_STRING) && value->text.len && value->text.len <= REFUSED_WORD_MAX)
        weir_context(call, name, (struct weir_text){value->text.data, value->text.len});
}

static void refuse(struct gw_io *io, struct gw_conn *conn, struct weir_call *call, int code)
{
    const char *name = code == ERR_UNAUTHENTICATED ? "UNAUTHENTICATED_CONNECTION" : err_name(code);
    if (code == ERR_UNAUTHENTICATED) {
        refused_context(call, "type", "messageType");
        refused_context(call, "action", "action");
    }
    gw_meter_refused(io, conn->api, conn->stage, call->route, false);
    gw_call_fail(call, code, name, NULL, "%s", err_text(code));
    gw_call_error_reply(call);
    gw_call_answer(io, conn, call);
}

static bool limited(struct gw_io *io, struct gw_conn *conn, struct weir_call *call, struct text action)
{
    enum gw_verdict verdict = gw_limit_message(io, conn, action, &call->retry_after_ms);
    if (verdict == GW_ALLOW)
        return false;
    gw_meter_throttled(io, call->route);
    if (verdict == GW_REFUSE) {
        refuse(io, conn, call, ERR_RATE_LIMITED);
        return true;
    }
    call->arrived_ns = 0; /* abuse is not the route's */
    gw_call_give(call);
    net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_POLICY, verdict == GW_BAN ? TEXT("banned for repeated abuse") : TEXT("too many refused messages"));
    return true;
}

static void call_about(struct weir_call *call, struct gw_conn *conn)
{
    call->kind = GW_CALL_MESSAGE;
    call->has_conn = true;
    call->conn = conn;
    call->conn_id = *net_conn_id(conn->net);
    call->about = conn->about;
    call->connected_ms = net_conn_connected_ms(conn->net);
    call->stage = conn->stage;
    call->correlation = text_of(conn->correlation);
    call->arrived_ns = clock_mono_ns();
    if (conn->identity)
        call->identity = gw_identity_ref(conn->identity);
}

static void message(struct gw_io *io, struct gw_conn *conn, bool binary, char *data, size_t len)
{
    struct gw_api *api = conn->api;
    struct weir_call *call = gw_call_take(io, api);
    if (!call) {
        net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_TRY_LATER, TEXT("out of memory"));
        return;
    }
    call_about(call, conn);
    call->binary = binary;
    call->body = text_make(data, len);
    unsigned flags = JSON_PADDED;
    if (api->copies || conn->outstanding) {
        char *copy = arena_alloc(&call->arena, len + JSON_PADDING);
        if (!copy) {
            gw_call_give(call);
            net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_TRY_LATER, TEXT("out of memory"));
            return;
        }
        memcpy(copy, data, len);
        memset(copy + len, 0, JSON_PADDING);
        call->body.data = copy;
    }
    const struct gw_policy_api *policy = gw_policy_of(io, api);
    if ((api->needs_json || policy->limits.actions) && !binary && looks_like_object(data, len)) {
        if (json_parse(&call->arena, call->body, flags, &call->root, NULL))
            call->root = NULL;
        call->parsed = true;
    }
    struct text key;
    call->route = gw_route_select(api, call->root, &call->arena, &key);
    if (policy->limited && limited(io, conn, call, key))
        return;
    if (api->config->auth == WEIR_JWT) {
        struct text token = in_band_token(api, call->root);
        if (token.data && !(call->route && text_is(call->route->key, "auth"))) {
            gw_auth_in_band(io, conn, call, token);
            return;
        }
        if (!conn->identity) {
            refuse(io, conn, call, ERR_UNAUTHENTICATED);
            return;
        }
    }
    if (!call->route) {
        counter_add(COUNTER_gw_routes_missed, 1);
        gw_meter_refused(io, api, conn->stage, NULL, false);
        gw_line_unrouted(io, call, key);
        counter_add(COUNTER_gw_errors, 1);
        gw_call_reply(call, aws_error(call, "Forbidden"), false);
        gw_call_answer(io, conn, call);
        return;
    }
    if (conn->held_first || !start(io, conn, call))
        hold(conn, call);
}

/* ---- the short way ---- */

/* What an echo is made of: nothing of the lane is under way, nothing selects a route, no rate is counted, and $default is pure. Then the thread's
   resident call serves: no pool, no references, no lists. It is half of the gateway's work on a small message. */
static bool is_short(struct gw_io *io, const struct gw_conn *conn, bool binary, const char *data, size_t len)
{
    const struct gw_api *api = conn->api;
    if (!api->short_default || conn->outstanding || conn->held_first || (!binary && looks_like_object(data, len)))
        return false;
    const struct gw_policy_api *policy = gw_policy_of(io, conn->api);
    return !policy->limited && !policy->limits.actions;
}

static void run_short(struct gw_io *io, struct gw_conn *conn, bool binary, char *data, size_t len)
{
    struct weir_call *call = io->resident;
    memset(&call->gateway, 0, offsetof(struct weir_call, cold) - offsetof(struct weir_call, gateway));
    call->request_id[0] = 0;
    call->gateway = io->gateway;
    call->api = conn->api;
    call->io = io;
    call->route = conn->api->on_default;
    call->has_conn = true;
    call->binary = binary;
    call->stage = conn->stage;
    call->conn = conn;
    call->conn_id = *net_conn_id(conn->net);
    call->identity = conn->identity; /* borrowed: the connection outlives the handler */
    call->about = conn->about;
    call->connected_ms = net_conn_connected_ms(conn->net);
    call->correlation = text_of(conn->correlation);
    call->body = text_make(data, len);
    bool timed = gw_meter_quick(io, call->route, call->stage);
    bool watched = timed || gw_monitor_wants_all(call->route) || !io->call_meters;
    int64_t before = watched ? clock_mono_ns() : 0;
    int code = handle(call);
    if (code)
        gw_call_error_reply(call);
    if (call->reply.text.data)
        gw_call_send_replies(call, conn->net);
    uint32_t alike = timed ? gw_meter_quick_timed(io, call->route, call->stage, clock_mono_ns() - before) : 1;
    if (watched || code || call->monitors) { /* of the others one in many stands for all: two thirds of an echo would be its own monitor */
        call->arrived_ns = watched ? before : clock_mono_ns();
        gw_monitor_end_many(io, call, gw_monitor_wants_all(call->route) || code ? 1 : alike);
    }
    call->identity = NULL;
    if (call->arena.used)
        arena_reset(&call->arena);
    call->arena.high = 0;
}

enum ws_verdict gw_on_message(struct gw_io *io, struct gw_conn *conn, bool binary, char *data, size_t len)
{
    struct net_ws_totals *totals = &conn->api->totals[io->index];
    net_ws_count(&totals->messages_in, 1);
    net_ws_count(&totals->bytes_in, len);
    if (is_short(io, conn, binary, data, len)) {
        run_short(io, conn, binary, data, len);
        return WS_GO_ON;
    }
    message(io, conn, binary, data, len);
    bool starving = io->credit_lacking && conn->outstanding && starve(io, conn);
    if (!starving && conn->outstanding < GW_OUTSTANDING_MAX && conn->held < GW_OUTSTANDING_MAX)
        return WS_GO_ON;
    conn->paused = true;
    return WS_PAUSE;
}

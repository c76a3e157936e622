/*
 * The management API: @connections as the AWS SDK calls it, and what AWS lacks: rooms, users, everybody, listings, presence, revocation.
 *
 * A connection may live on another io thread than the HTTP request that asks for it. So a request becomes a question (struct gw_ask) that is
 * put to one io thread or to all; each fills in its part, and the last one sends the question home, where it is answered. The HTTP connection may be gone by then.
 *
 * Requests are signed (SigV4, service execute-api). With the development keys on loopback the addresses that AWS lacks, and a plain GET, answer unsigned too.
 */
#include "gateway/internal.h"
#include "gateway/monitor.h"
#include "base/codec.h"

#include <stdlib.h>

#define MANAGE_BODY_AWS 131072 /* bytes of a post under the aws limits: 413 above */
#define MANAGE_LIST_MAX 10000  /* rows of one listing */

/* ---- questions ---- */

static struct gw_ask *ask_create(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text name)
{
    struct gw_ask *ask = calloc(1, sizeof(*ask));
    if (!ask)
        return NULL;
    ask->part = calloc(io->gateway->io_count, sizeof(*ask->part));
    if (!ask->part) {
        free(ask);
        return NULL;
    }
    for (unsigned i = 0; i < io->gateway->io_count; i++)
        buf_init(&ask->part[i], 16 << 20);
    arena_init(&ask->arena, 256, 1 << 20);
    ask->origin = io->index;
    ask->http = *net_conn_id(conn);
    ask->api = api;
    ask->name = name.len ? arena_copy(&ask->arena, name) : TEXT_NONE;
    return ask;
}

void gw_ask_destroy(struct gw_ask *ask, unsigned parts)
{
    for (unsigned i = 0; i < parts; i++)
        buf_fini(&ask->part[i]);
    free(ask->part);
    if (ask->frame)
        net_frame_unref(ask->frame);
    arena_fini(&ask->arena);
    free(ask);
}

/* A question is never dropped: an effect that finds its ring full waits in io->stuck (io.c). */
static void ask_send(struct gw_io *io, unsigned target, struct gw_ask *ask)
{
    unsigned first = target == TICK_ALL_SINKS ? 0 : target, last = target == TICK_ALL_SINKS ? io->gateway->io_count - 1 : target;
    struct gw_effect *made = NULL;
    for (unsigned i = first; i <= last; i++) { /* one effect each: the last to answer sends its own home, which needs no memory */
        struct gw_effect *effect = gw_effect_create(GW_EFFECT_ASK, ask->api, TEXT_NONE, NULL);
        if (!effect)
            break;
        effect->ask = ask;
        effect->to = last - (i - first);
        effect->next = made;
        made = effect;
        ask->waiting++;
    }
    bool whole = ask->waiting == last - first + 1;
    struct net_conn *conn = whole ? NULL : net_io_find(io->net, &ask->http);
    if (conn)
        gw_http_error(conn, 503, "MEMORY", "out of memory");
    while (made) {
        struct gw_effect *effect = made;
        made = effect->next;
        effect->next = NULL;
        if (whole)
            gw_io_send(io, effect->to, effect);
        else
            gw_effect_unref(effect);
    }
    if (!whole)
        gw_ask_destroy(ask, io->gateway->io_count);
}

static void ask_finish(struct gw_io *io, struct gw_ask *ask)
{
    ask->answer(ask, io);
    gw_ask_destroy(ask, io->gateway->io_count);
}

void gw_ask_apply(struct gw_io *io, struct gw_effect *effect)
{
    struct gw_ask *ask = effect->ask;
    if (ask->home) {
        ask_finish(io, ask);
        return;
    }
    ask->fill(ask, io);
    if (__atomic_sub_fetch(&ask->waiting, 1, __ATOMIC_ACQ_REL))
        return;
    if (io->index == ask->origin) {
        ask_finish(io, ask);
        return;
    }
    __atomic_add_fetch(&effect->refs, 1, __ATOMIC_RELAXED);
    ask->home = true;
    gw_io_send(io, ask->origin, effect);
}

static struct net_conn *asker(struct gw_ask *ask, struct gw_io *io)
{
    return net_io_find(io->net, &ask->http);
}

static struct gw_conn *target_conn(struct gw_ask *ask, struct gw_io *io)
{
    struct net_conn *net = net_io_find(io->net, &ask->target);
    struct gw_conn *conn = net && net_conn_is_ws(net) ? net_conn_user(net) : NULL;
    return conn && conn->state == GW_OPEN && (!ask->api || conn->api == ask->api) ? conn : NULL;
}

/* ---- one connection ---- */

static void write_identity(struct json_writer *w, struct gw_conn *conn)
{
    char address[46];
    json_name(w, "identity");
    json_begin_object(w);
    json_name(w, "sourceIp");
    json_text(w, net_conn_address(conn->net, address));
    json_name(w, "userAgent");
    json_text(w, conn->about->user_agent);
    json_end_object(w);
}

static void write_time(struct json_writer *w, const char *name, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE];
    clock_format_iso(ms, iso);
    json_name(w, name);
    json_str(w, iso);
}

static void fill_get(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_conn *conn = target_conn(ask, io);
    struct json_writer w;
    ask->status = conn ? 200 : 410;
    if (!conn)
        return;
    json_writer_init(&w, &ask->part[io->index]);
    json_begin_object(&w);
    write_time(&w, "connectedAt", net_conn_connected_ms(conn->net));
    write_identity(&w, conn);
    write_time(&w, "lastActiveAt", net_conn_active_ms(conn->net));
    json_end_object(&w);
}

/* Bytes of a message that may be sent to the API's connections. */
static size_t post_max(const struct gw_api *api)
{
    const struct ws_limits *limits = &api->config->ws.limits;
    return limits->refuse_binary ? MANAGE_BODY_AWS : limits->message_max;
}

static void fill_post(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_conn *conn = target_conn(ask, io);
    if (!conn) {
        ask->status = 410;
        counter_add(COUNTER_gw_posts_gone, 1);
        gw_meter_api(io, GW_FIGURE_STALE, ask->api, 1, 1);
        return;
    }
    if (ask->frame->len > post_max(conn->api) + WS_SERVER_HEADER_MAX) {
        ask->status = 413;
        return;
    }
    for (struct gw_membership *m = conn->rooms; m; m = m->next)
        gw_room_flush(io, m->room);
    int code = net_ws_send_frame(conn->net, ask->frame, ask->key);
    ask->status = code == 0 ? 200 : code == ERR_GONE ? 410 : 429;
}

static void fill_delete(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_conn *conn = target_conn(ask, io);
    ask->status = conn ? 204 : 410;
    if (conn)
        net_ws_close(conn->net, NET_END_SERVER, WS_CLOSE_NORMAL, TEXT("Connection Closed Normally"));
}

static void too_large(struct net_conn *conn)
{
    net_http_respond(conn, 413, TEXT("Content-Type: application/json\r\nx-amzn-ErrorType: PayloadTooLargeException\r\n"), TEXT("{\"message\":\"Payload too large\"}"), 0);
}

static void answer_single(struct gw_ask *ask, struct gw_io *io)
{
    struct net_conn *conn = asker(ask, io);
    if (!conn)
        return;
    struct text type = TEXT("Content-Type: application/json\r\n");
    switch (ask->status) {
    case 410:
        net_http_respond(conn, 410, TEXT("x-amzn-ErrorType: GoneException\r\n"), TEXT(""), 0);
        break;
    case 429:
        net_http_respond(conn, 429, TEXT("Content-Type: application/json\r\nx-amzn-ErrorType: LimitExceededException\r\n"),
            TEXT("{\"message\":\"The WebSocket client side buffer is full\"}"), 0);
        break;
    case 413:
        too_large(conn);
        break;
    case 204:
        net_http_respond(conn, 204, TEXT(""), TEXT(""), 0);
        break;
    default: {
        struct text body = TEXT("");
        for (unsigned i = 0; i < io->gateway->io_count; i++)
            if (ask->part[i].len)
                body = buf_text(&ask->part[i]);
        net_http_respond(conn, ask->status, type, body, 0);
    }
    }
}

/* ---- fan-out ---- */

static void sum_up(struct gw_ask *ask, const struct gw_sums *sums)
{
    __atomic_add_fetch(&ask->delivered, sums->delivered, __ATOMIC_RELAXED);
    __atomic_add_fetch(&ask->dropped, sums->dropped, __ATOMIC_RELAXED);
    __atomic_add_fetch(&ask->gone, sums->gone, __ATOMIC_RELAXED);
}

static void fill_room(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_room *room = gw_room_find(io, ask->api, ask->name);
    struct gw_sums sums = {0};
    if (!room)
        return;
    gw_room_flush(io, room);
    gw_members_send(&room->members, NULL, ask->frame, ask->key, &sums);
    sum_up(ask, &sums);
}

static void fill_user(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_sums sums = {0};
    gw_user_send(io, ask->api, ask->name, NULL, ask->frame, ask->key, &sums);
    sum_up(ask, &sums);
}

static void fill_broadcast(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_sums sums = {0};
    gw_broadcast_send(io, ask->api, ask->frame, ask->key, &sums);
    sum_up(ask, &sums);
}

static void answer_fan_out(struct gw_ask *ask, struct gw_io *io)
{
    struct net_conn *conn = asker(ask, io);
    char body[128];
    counter_add(COUNTER_gw_broadcasts, 1);
    if (!conn)
        return;
    snprintf(body, sizeof(body), "{\"delivered\":%lld,\"dropped\":%lld,\"gone\":%lld}", (long long)ask->delivered, (long long)ask->dropped, (long long)ask->gone);
    gw_http_json(conn, 200, text_of(body));
}

/* ---- listings and presence ---- */

static void write_row(struct json_writer *w, struct gw_conn *conn)
{
    char id[NET_ID_TEXT + 1];
    net_id_format(net_conn_id(conn->net), id);
    json_begin_object(w);
    json_name(w, "connectionId");
    json_str(w, id);
    write_time(w, "connectedAt", net_conn_connected_ms(conn->net));
    write_time(w, "lastActiveAt", net_conn_active_ms(conn->net));
    write_identity(w, conn);
    if (conn->identity) {
        json_name(w, "userId");
        json_text(w, conn->identity->user_id);
        json_name(w, "userRole");
        json_text(w, conn->identity->role);
        json_name(w, "proven");
        json_bool(w, conn->identity->proven);
    }
    json_name(w, "rooms");
    json_begin_array(w);
    for (struct gw_membership *m = conn->rooms; m; m = m->next)
        json_text(w, m->room->name);
    json_end_array(w);
    json_name(w, "queuedBytes");
    json_u64(w, net_conn_queued(conn->net));
    json_end_object(w);
}

static void write_members(struct gw_ask *ask, struct gw_io *io, struct gw_members *members)
{
    struct buf *out = &ask->part[io->index];
    for (uint32_t i = 0; i < members->count; i++) {
        struct gw_conn *conn = members->conn[i];
        struct json_writer w;
        if (!conn || (ask->key && !(conn->identity && text_equal(conn->identity->user_id, ask->name))))
            continue;
        __atomic_add_fetch(&ask->delivered, 1, __ATOMIC_RELAXED);
        if (__atomic_fetch_add(&ask->rows, 1, __ATOMIC_RELAXED) >= ask->number)
            continue; /* counted, not listed */
        if (out->len)
            buf_add_char(out, ',');
        json_writer_init(&w, out);
        write_row(&w, conn);
    }
}

/* `key` set: name filters by user. */
static void fill_list(struct gw_ask *ask, struct gw_io *io)
{
    write_members(ask, io, &io->members[ask->api->index]);
}

static void fill_presence(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_room *room = gw_room_find(io, ask->api, ask->name);
    if (room)
        write_members(ask, io, &room->members);
}

static void answer_list(struct gw_ask *ask, struct gw_io *io)
{
    struct net_conn *conn = asker(ask, io);
    struct buf body;
    if (!conn)
        return;
    buf_init(&body, 64 << 20);
    buf_add_format(&body, "{\"count\":%lld,\"%s\":[", (long long)ask->delivered, ask->fill == fill_list ? "connections" : "members");
    bool any = false;
    for (unsigned i = 0; i < io->gateway->io_count; i++) {
        if (!ask->part[i].len)
            continue;
        if (any)
            buf_add_char(&body, ',');
        buf_add_text(&body, buf_text(&ask->part[i]));
        any = true;
    }
    buf_add_text(&body, TEXT("]}"));
    gw_http_json(conn, body.failed ? 500 : 200, buf_text(&body));
    buf_fini(&body);
}

static void fill_revoke(struct gw_ask *ask, struct gw_io *io)
{
    struct gw_effect *effect = gw_effect_create(GW_EFFECT_REVOKE, ask->api, ask->name, NULL);
    struct gw_members *all = &io->members[ask->api->index];
    int64_t count = 0;
    for (uint32_t i = 0; i < all->count; i++)
        count += all->conn[i] && all->conn[i]->identity && text_equal(all->conn[i]->identity->user_id, ask->name);
    __atomic_add_fetch(&ask->delivered, count, __ATOMIC_RELAXED);
    if (!effect)
        return;
    effect->until_ms = ask->number;
    gw_effect_apply(io, effect);
    gw_effect_unref(effect);
}

static void answer_revoke(struct gw_ask *ask, struct gw_io *io)
{
    struct net_conn *conn = asker(ask, io);
    char body[96], iso[CLOCK_ISO_SIZE];
    if (!conn)
        return;
    clock_format_iso(ask->number, iso);
    snprintf(body, sizeof(body), "{\"closed\":%lld,\"revokedUntil\":\"%s\"}", (long long)ask->delivered, iso);
    gw_http_json(conn, 200, text_of(body));
}

/* ---- requests ---- */

/* ?event=NAME wraps the body in the API's envelope; without it the body goes out verbatim. */
static struct net_frame *frame_of(struct gw_api *api, const struct http_request *request, struct text body, struct err *err)
{
    struct text raw_event = http_query_get(request->query, "event");
    bool binary = text_is(http_query_get(request->query, "binary"), "true") || text_is(http_header_get(request, "content-type"), "application/vnd.weir.binary");
    if (!raw_event.data) {
        if (!binary && !utf8_valid(body)) {
            err_set(err, ERR_INVALID, "the body is not UTF-8; add ?binary=true to send bytes");
            return NULL;
        }
        return net_frame_create(binary ? WS_BINARY : WS_TEXT, body.data, body.len);
    }
    struct arena arena;
    struct buf event, out;
    struct json_writer w;
    const struct json *data = NULL;
    char iso[CLOCK_ISO_SIZE];
    struct net_frame *frame = NULL;
    arena_init(&arena, 4096, GW_CALL_ARENA_LIMIT);
    buf_init(&event, 1024);
    buf_init(&out, GW_CALL_ARENA_LIMIT);
    clock_format_iso(clock_wall_ms(), iso);
    if (percent_decode(&event, raw_event, true) || !utf8_valid(buf_text(&event))) {
        err_set(err, ERR_SYNTAX, "?event= is not well formed");
    } else if (json_parse(&arena, body.len ? body : TEXT("null"), 0, &data, err) == 0) {
        bool workflow = api->config->workflow_envelope;
        json_writer_init(&w, &out);
        json_begin_object(&w);
        json_name(&w, workflow ? "type" : "event");
        json_text(&w, buf_text(&event));
        if (workflow && json_get_str(data, "tournamentId")) {
            json_name(&w, "tournamentId");
            json_value(&w, json_get_str(data, "tournamentId"));
        }
        json_name(&w, "data");
        json_value(&w, data);
        json_name(&w, "timestamp");
        json_str(&w, iso);
        json_end_object(&w);
        frame = out.failed ? NULL : net_frame_create(WS_TEXT, out.data, out.len);
    }
    buf_fini(&event);
    buf_fini(&out);
    arena_fini(&arena);
    return frame;
}

/* A page in a browser, or a proxy in front: then loopback says nothing about who asks. */
static bool comes_from_elsewhere(const struct http_request *request)
{
    struct text site = http_header_get(request, "sec-fetch-site");
    bool page = (http_header_get(request, "origin").data && !gw_origin_is_own(request)) || (site.data && !text_is(site, "none") && !text_is(site, "same-origin"));
    return page || http_header_get(request, "x-forwarded-for").data || http_header_get(request, "forwarded").data;
}

/* Signed, or open to the developer on loopback. @connections/{id} always wants a signature when one is offered, so that a wrong one is seen. */
static bool allowed(struct gw_io *io, struct net_conn *conn, struct gw_api *api, const char *action, struct text path, const struct http_request *request, struct text body)
{
    struct err err = {0};
    const char *type = NULL;
    const struct gw_key *key = NULL;
    bool is_signed = http_header_get(request, "authorization").data || http_query_get(request->query, "X-Amz-Signature").data;
    if (io->policy->admin_open && !is_signed && !comes_from_elsewhere(request))
        return true;
    int status = gw_authorise(io, api, TEXT_NONE, action, request, path, body, &key, &type, &err);
    if (!status)
        return true;
    char headers[160];
    snprintf(headers, sizeof(headers), "Content-Type: application/json\r\nx-amzn-ErrorType: %s\r\n", type);
    struct buf out;
    buf_init(&out, 4096);
    buf_add_text(&out, TEXT("{\"message\":"));
    json_escape(&out, text_of(err.text));
    buf_add_char(&out, '}');
    net_http_respond(conn, status, text_of(headers), buf_text(&out), 0);
    buf_fini(&out);
    return false;
}

bool gw_admin_allowed(struct gw_io *io, struct net_conn *conn, const char *action, const struct http_request *request, struct text body)
{
    return allowed(io, conn, NULL, action, request->path, request, body);
}

static void method_refused(struct net_conn *conn)
{
    gw_http_error(conn, 405, "METHOD_NOT_ALLOWED", "This address does not take this method.");
}

static uint64_t supersede_key(const struct http_request *request)
{
    struct text key = http_query_get(request->query, "key");
    uint64_t hash = key.len ? hash_bytes(key) : 0;
    return key.len && hash == 0 ? 1 : hash;
}

static void single(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text id_text, const struct http_request *request, struct text body)
{
    struct net_id id;
    struct err err = {0};
    if (net_id_parse(id_text, &id)) {
        struct buf out;
        buf_init(&out, HTTP_TARGET_MAX * 8);
        buf_add_text(&out, TEXT("{\"message\":"));
        struct buf message;
        buf_init(&message, HTTP_TARGET_MAX * 2);
        buf_add_format(&message, "Invalid connectionId: %.*s", TEXT_FMT(id_text));
        json_escape(&out, buf_text(&message));
        buf_add_char(&out, '}');
        net_http_respond(conn, 400, TEXT("Content-Type: application/json\r\nx-amzn-ErrorType: BadRequestException\r\n"), buf_text(&out), 0);
        buf_fini(&message);
        buf_fini(&out);
        return;
    }
    bool post = text_is(request->method, "POST"), get = text_is(request->method, "GET"), del = text_is(request->method, "DELETE");
    if (!post && !get && !del) {
        method_refused(conn);
        return;
    }
    if (post && !api && http_query_get(request->query, "event").data) {
        gw_http_error(conn, 400, "INVALID", "?event= wraps in an API's envelope: use the API's own path, /<api>/@connections/{id}.");
        return;
    }
    if (net_id_io(&id) >= io->gateway->io_count) {
        net_http_respond(conn, 410, TEXT("x-amzn-ErrorType: GoneException\r\n"), TEXT(""), 0);
        return;
    }
    struct net_frame *frame = post ? frame_of(api ? api : &io->gateway->apis[0], request, body, &err) : NULL;
    struct gw_ask *ask = post && !frame ? NULL : ask_create(io, conn, api, TEXT_NONE);
    if (!ask) {
        if (frame)
            net_frame_unref(frame);
        gw_http_error(conn, err.code ? 400 : 503, err.code ? "INVALID" : "MEMORY", "%s", err.code ? err.text : "out of memory");
        return;
    }
    ask->target = id;
    ask->frame = frame;
    ask->key = supersede_key(request);
    ask->fill = post ? fill_post : get ? fill_get : fill_delete;
    ask->answer = answer_single;
    ask_send(io, net_id_io(&id), ask);
}

static void to_all(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text name, const struct http_request *request, struct text body,
    void (*fill)(struct gw_ask *, struct gw_io *), void (*answer)(struct gw_ask *, struct gw_io *), bool with_frame, int64_t number, uint64_t key)
{
    struct err err = {0};
    if (with_frame && body.len > post_max(api)) {
        too_large(conn);
        return;
    }
    struct net_frame *frame = with_frame ? frame_of(api, request, body, &err) : NULL;
    struct gw_ask *ask = with_frame && !frame ? NULL : ask_create(io, conn, api, name);
    if (!ask) {
        if (frame)
            net_frame_unref(frame);
        gw_http_error(conn, err.code ? 400 : 503, err.code ? "INVALID" : "MEMORY", "%s", err.code ? err.text : "out of memory");
        return;
    }
    ask->frame = frame;
    ask->fill = fill;
    ask->answer = answer;
    ask->number = number;
    ask->key = key;
    ask_send(io, TICK_ALL_SINKS, ask);
}

static void list(struct gw_io *io, struct net_conn *conn, struct gw_api *api, const struct http_request *request)
{
    uint64_t limit = 1000;
    struct text given = http_query_get(request->query, "limit"), user = http_query_get(request->query, "userId");
    struct buf decoded;
    if (!text_is(request->method, "GET")) {
        method_refused(conn);
        return;
    }
    if (given.data && text_to_u64(given, MANAGE_LIST_MAX, &limit)) {
        gw_http_error(conn, 400, "INVALID", "limit is a number up to %d", MANAGE_LIST_MAX);
        return;
    }
    buf_init(&decoded, 4096);
    if (user.data && percent_decode(&decoded, user, true))
        buf_clear(&decoded);
    to_all(io, conn, api, buf_text(&decoded), request, TEXT_NONE, fill_list, answer_list, false, (int64_t)limit, user.data ? 1 : 0);
    buf_fini(&decoded);
}

/* A room whose newest message is kept goes through the tick first, so that the message and its sequence are durable before anyone sees it. */
static void retain_and_publish(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text room, const struct http_request *request, struct text body)
{
    struct err err = {0};
    struct net_frame *frame = frame_of(api, request, body, &err);
    struct gw_ask *ask = frame ? ask_create(io, conn, api, room) : NULL;
    struct weir_call *call = ask ? gw_call_take(io, api) : NULL;
    if (!call) {
        if (ask)
            gw_ask_destroy(ask, io->gateway->io_count);
        if (frame)
            net_frame_unref(frame);
        gw_http_error(conn, err.code ? 400 : 503, err.code ? "INVALID" : "MEMORY", "%s", err.code ? err.text : "out of memory");
        return;
    }
    struct ws_header header;
    int head = ws_header_parse(frame->data, frame->len, false, &header);
    ask->frame = frame;
    ask->fill = fill_room;
    ask->answer = answer_fan_out;
    ask->key = supersede_key(request);
    call->kind = GW_CALL_RETAIN;
    call->ask = ask;
    call->conn_id = ask->http;
    call->body = arena_copy(&call->arena, text_make(frame->data + head, frame->len - (size_t)head));
    gw_submit(io, call);
}

void gw_retain_done(struct gw_io *io, struct weir_call *call)
{
    if (!call->failed) {
        ask_send(io, TICK_ALL_SINKS, call->ask);
        return;
    }
    struct net_conn *conn = net_io_find(io->net, &call->conn_id);
    if (conn)
        gw_http_error(conn, call->failed == ERR_DISK_FULL ? 503 : 500, err_name(call->failed), "%s", err_text(call->failed));
    gw_ask_destroy(call->ask, io->gateway->io_count);
}

static void rooms(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text room, const struct http_request *request, struct text body)
{
    if (text_is(request->method, "GET"))
        to_all(io, conn, api, room, request, TEXT_NONE, fill_presence, answer_list, false, 1000, 0);
    else if (text_is(request->method, "POST") && (api->config->retain_rooms || gw_has_history(api)))
        retain_and_publish(io, conn, api, room, request, body);
    else if (text_is(request->method, "POST"))
        to_all(io, conn, api, room, request, body, fill_room, answer_fan_out, true, 0, supersede_key(request));
    else
        method_refused(conn);
}

/* Durable first: whoever is told that a user is out stays out after a restart. */
static void revoke_user(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text user, int64_t until)
{
    if (io->revoked.count >= GW_REVOKED_MAX) {
        gw_http_error(conn, 429, "TOO_MANY", "there are %d revocations already; let tokens live shorter", GW_REVOKED_MAX);
        return;
    }
    struct gw_ask *ask = ask_create(io, conn, api, user);
    struct weir_call *call = ask ? gw_call_take(io, api) : NULL;
    if (!call) {
        if (ask)
            gw_ask_destroy(ask, io->gateway->io_count);
        gw_http_error(conn, 503, "MEMORY", "out of memory");
        return;
    }
    ask->fill = fill_revoke;
    ask->answer = answer_revoke;
    ask->number = until;
    call->kind = GW_CALL_REVOKE;
    call->ask = ask;
    call->conn_id = ask->http;
    gw_submit(io, call);
}

static void users(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text user, const struct http_request *request, struct text body)
{
    if (text_is(request->method, "POST")) {
        to_all(io, conn, api, user, request, body, fill_user, answer_fan_out, true, 0, supersede_key(request));
    } else if (text_is(request->method, "DELETE")) {
        int64_t until = clock_wall_ms() + 1000; /* tokens issued in this second too: `iat` has whole seconds */
        struct text given = http_query_get(request->query, "until");
        if (given.data && clock_parse_iso(given.data, given.len, &until)) {
            gw_http_error(conn, 400, "INVALID", "until is a time as 2026-01-17T10:30:00Z");
            return;
        }
        revoke_user(io, conn, api, user, until);
    } else if (text_is(request->method, "GET")) {
        to_all(io, conn, api, user, request, TEXT_NONE, fill_list, answer_list, false, 1000, 1);
    } else {
        method_refused(conn);
    }
}

/* Handlers build https://{domainName}/{stage}/@connections/{id}, with whatever stage or base path they know: ids are unique over all APIs, so any
   prefix will do. */
static struct text connections_part(struct text path)
{
    static const struct text mark = {"/@connections/", 14};
    for (size_t at = 0; at + mark.len <= path.len; at++)
        if (memcmp(path.data + at, mark.data, mark.len) == 0)
            return text_make(path.data + at, path.len - at);
    return path;
}

bool gw_manage(struct gw_io *io, struct net_conn *conn, struct gw_api *api, struct text rest, const struct http_request *request, struct text body)
{
    struct buf path;
    buf_init(&path, HTTP_TARGET_MAX);
    if (percent_decode(&path, rest, false)) {
        buf_fini(&path);
        return false;
    }
    struct text whole = api ? buf_text(&path) : connections_part(buf_text(&path));
    if (whole.len < 2 || whole.data[1] != '@') {
        buf_fini(&path);
        return false;
    }
    ptrdiff_t slash = text_find(whole, '/', 1);
    struct text what = text_make(whole.data + 1, (slash < 0 ? whole.len : (size_t)slash) - 1);
    struct text name = slash < 0 ? TEXT_NONE : text_make(whole.data + slash + 1, whole.len - (size_t)slash - 1);
    bool known = text_is(what, "@connections") || (api && (text_is(what, "@rooms") || text_is(what, "@users") || text_is(what, "@broadcast") || text_is(what, "@streams") || text_is(what, "@performance")));
    if (!known) {
        buf_fini(&path);
        return false;
    }
    if (!allowed(io, conn, api, "ManageConnections", whole, request, body)) {
        buf_fini(&path);
        return true;
    }
    if (text_is(what, "@connections") && name.len)
        single(io, conn, api, name, request, body);
    else if (text_is(what, "@connections") && api)
        list(io, conn, api, request);
    else if (text_is(what, "@broadcast") && text_is(request->method, "POST"))
        to_all(io, conn, api, TEXT_NONE, request, body, fill_broadcast, answer_fan_out, true, 0, supersede_key(request));
    else if (text_is(what, "@streams") && api)
        gw_streams_http(io, conn, api, name, request);
    else if (text_is(what, "@performance") && api)
        gw_performance_http(io, conn, api, request);
    else if (text_is(what, "@rooms") && name.len && name.len <= GW_ROOM_NAME_MAX)
        rooms(io, conn, api, name, request, body);
    else if (text_is(what, "@users") && name.len)
        users(io, conn, api, name, request, body);
    else
        gw_http_error(conn, 403, "FORBIDDEN", "There is no such address.");
    buf_fini(&path);
    return true;
}

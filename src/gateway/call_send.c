/*
 * What a call sends: answers, messages to others, membership, deferred work.
 *
 * In the tick an effect is emitted at once: the tick keeps it until the commit, and drops it with an undone call. Outside the tick nothing would take it
 * back, so the call keeps its effects in a list and gw_call_handle sends them when the handler has succeeded.
 *
 * Effects precede the answers of the same call. Only weir_disconnect must not: it turns the answers so far into messages to the connection, so that they
 * leave before the close.
 *
 * $connect answers by its status alone and $disconnect to nobody: what they reply is dropped.
 */
#include "gateway/call.h"
#include "store/key.h"

#define CLOSE_REASON_MAX 123    /* bytes: RFC 6455 5.5 */
#define LATER_ATTEMPTS 8        /* with the backoff below: over about two minutes */
#define LATER_BACKOFF_MS 1000

/* ---- effects ---- */

static size_t effect_bytes(const struct gw_effect *effect)
{
    return sizeof(*effect) + effect->text.len + (effect->frame ? effect->frame->len : 0);
}

static int emit_to_all(struct weir_call *call, struct gw_effect *effect)
{
    unsigned count = call->gateway->io_count;
    size_t bytes = effect_bytes(effect);
    effect->refs = count;
    for (unsigned i = 0; i < count; i++) {
        int code = tick_emit(call->tick, i, effect, bytes);
        if (!code)
            continue;
        for (; i < count; i++) /* those emitted are dropped with the call */
            gw_effect_unref(effect);
        return code;
    }
    return 0;
}

static int emit(struct weir_call *call, unsigned target, struct gw_effect *effect)
{
    if (target == TICK_ALL_SINKS)
        return emit_to_all(call, effect);
    int code = tick_emit(call->tick, target, effect, effect_bytes(effect));
    if (code)
        gw_effect_unref(effect);
    return code;
}

static void keep_back(struct weir_call *call, unsigned target, struct gw_effect *effect)
{
    effect->to = target;
    effect->next = NULL;
    if (call->sent_last)
        call->sent_last->next = effect;
    else
        call->sent_first = effect;
    call->sent_last = effect;
}

int gw_call_effect(struct weir_call *call, unsigned target, struct gw_effect *effect)
{
    if (!effect) {
        gw_call_no_memory(call);
        return ERR_MEMORY;
    }
    if (!call->tick) {
        keep_back(call, target, effect);
        return 0;
    }
    int code = emit(call, target, effect);
    gw_call_kept(call, code, NULL);
    return code;
}

void gw_call_flush_effects(struct weir_call *call)
{
    struct gw_effect *effect = call->sent_first;
    call->sent_first = call->sent_last = NULL;
    while (effect) {
        struct gw_effect *next = effect->next;
        effect->next = NULL; /* once sent it is shared, and not ours */
        if (call->io)
            gw_io_send(call->io, effect->to, effect);
        else
            gw_effect_unref(effect);
        effect = next;
    }
}

void gw_call_drop_effects(struct weir_call *call)
{
    while (call->sent_first) {
        struct gw_effect *effect = call->sent_first;
        call->sent_first = effect->next;
        gw_effect_unref(effect);
    }
    call->sent_last = NULL;
}

/* A message as a frame, in an effect. NULL without memory. */
static struct gw_effect *message(struct weir_call *call, enum gw_effect_kind kind, struct text name, struct text body, bool binary)
{
    struct net_frame *frame = net_frame_create(binary ? WS_BINARY : WS_TEXT, body.data, body.len);
    return frame ? gw_effect_create(kind, call->api, name, frame) : NULL;
}

/* ---- answers ---- */

static bool answers(const struct weir_call *call)
{
    return !call->failed && (call->kind == GW_CALL_MESSAGE || call->kind == GW_CALL_REST);
}

void weir_reply_status(struct weir_call *call, int status, struct weir_json *json)
{
    struct text body;
    if (!answers(call) || !gw_call_json_text(call, json, &body))
        return;
    if (call->kind == GW_CALL_REST)
        call->status = status;
    gw_call_reply(call, body, false);
}

void weir_reply(struct weir_call *call, struct weir_json *json)
{
    weir_reply_status(call, call->status ? call->status : 200, json);
}

void weir_reply_bytes(struct weir_call *call, struct weir_text bytes, bool binary)
{
    if (answers(call))
        gw_call_reply(call, text_in(bytes), binary);
}

static void write_ack(struct weir_call *call, struct weir_json *json)
{
    struct weir_text action = weir_action(call);
    if (action.len && gw_text_clean(text_in(action)))
        weir_member(json, "action", action);
    weir_member_request(json);
    if (call->wrote && call->tick)
        weir_member_integer(json, "seq", (int64_t)tick_sequence(call->tick));
}

void weir_ack(struct weir_call *call)
{
    if (!answers(call))
        return;
    bool envelope = call->api->config->envelope_events;
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, envelope ? "event" : "type", WEIR_STR("ack"));
    if (envelope) {
        weir_name(json, "data");
        weir_object(json);
    }
    write_ack(call, json);
    if (envelope) {
        weir_end(json);
        weir_member(json, "timestamp", weir_now_iso(call));
    }
    weir_end(json);
    weir_reply(call, json);
}

/* ---- to others ---- */

void weir_post(struct weir_call *call, struct weir_text connection_id, struct weir_json *json)
{
    struct text body;
    struct net_id id;
    if (call->failed || !gw_call_json_text(call, json, &body))
        return;
    if (net_id_parse(text_in(connection_id), &id) || net_id_io(&id) >= call->gateway->io_count) {
        counter_add(COUNTER_gw_posts_gone, 1);
        gw_meter_call_stale(call);
        return;
    }
    struct gw_effect *effect = message(call, GW_EFFECT_POST, TEXT_NONE, body, false);
    if (effect)
        effect->target = id;
    gw_call_effect(call, net_id_io(&id), effect);
}

static void to_all(struct weir_call *call, enum gw_effect_kind kind, struct text name, struct text body)
{
    counter_add(COUNTER_gw_broadcasts, 1);
    gw_call_effect(call, TICK_ALL_SINKS, message(call, kind, name, body, false));
}

void weir_send_user(struct weir_call *call, struct weir_text user_id, struct weir_json *json)
{
    struct text body;
    if (!call->failed && user_id.len && gw_call_json_text(call, json, &body))
        to_all(call, GW_EFFECT_USER, text_in(user_id), body);
}

void weir_send_others(struct weir_call *call, struct weir_text user_id, struct weir_json *json)
{
    struct text body;
    if (call->failed || !user_id.len || !gw_call_json_text(call, json, &body))
        return;
    struct gw_effect *effect = message(call, GW_EFFECT_USER, text_in(user_id), body, false);
    if (effect && call->has_conn) {
        effect->target = call->conn_id;
        effect->but_target = true;
    }
    counter_add(COUNTER_gw_broadcasts, 1);
    gw_call_effect(call, TICK_ALL_SINKS, effect);
}

void weir_broadcast(struct weir_call *call, struct weir_json *json)
{
    struct text body;
    if (!call->failed && gw_call_json_text(call, json, &body))
        to_all(call, GW_EFFECT_BROADCAST, TEXT_NONE, body);
}

/* ---- rooms ---- */

static bool room_named(struct weir_call *call, struct weir_text room)
{
    if (call->failed)
        return false;
    if (room.len == 0 || room.len > GW_ROOM_NAME_MAX)
        gw_call_fail(call, ERR_INVALID, "INVALID", "room", "a room's name has 1 to %d bytes", GW_ROOM_NAME_MAX);
    return !call->failed;
}

/* API name, NUL, room: the API's number may change with the configuration. NULs are in neither. */
static struct text room_key(struct weir_call *call, struct text room)
{
    struct text api = call->api->config->name;
    char *key = arena_alloc(&call->arena, api.len + 1 + room.len);
    if (!key)
        return TEXT_NONE;
    memcpy(key, api.data, api.len);
    key[api.len] = 0;
    memcpy(key + api.len + 1, room.data, room.len);
    return text_make(key, api.len + 1 + room.len);
}

int gw_room_retain(struct weir_call *call, struct text room, struct text json)
{
    struct text key = room_key(call, room);
    struct buf value;
    if (!key.data)
        return ERR_MEMORY;
    buf_init(&value, json.len + 8);
    buf_add_be64(&value, tick_sequence(call->tick));
    buf_add_text(&value, json);
    int code = value.failed ? ERR_MEMORY : store_raw_put(tick_stage(call->tick), STORE_SPACE_HISTORY, key, buf_text(&value));
    buf_fini(&value);
    if (!code)
        call->wrote = true;
    return code;
}

void weir_publish(struct weir_call *call, struct weir_text room, struct weir_json *json)
{
    struct text body;
    if (!room_named(call, room) || !gw_call_json_text(call, json, &body))
        return;
    if (call->tick && !gw_call_kept(call, gw_history_add(call, text_in(room), &body), NULL))
        return;
    if (call->tick && call->api->config->retain_rooms && !gw_call_kept(call, gw_room_retain(call, text_in(room), body), NULL))
        return;
    to_all(call, GW_EFFECT_PUBLISH, text_in(room), body);
}

struct weir_text weir_room_last(struct weir_call *call, struct weir_text room, uint64_t *sequence)
{
    struct text value = TEXT_NONE;
    if (sequence)
        *sequence = 0;
    if (!room_named(call, room))
        return WEIR_STR("");
    if (!call->view || !call->api->config->retain_rooms) {
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "weir_room_last needs retain_rooms and a route of the class WEIR_TICK or WEIR_READ");
        return WEIR_STR("");
    }
    struct text key = room_key(call, text_in(room));
    int code = key.data ? store_raw_get(call->view, STORE_SPACE_HISTORY, key, &call->arena, &value) : ERR_MEMORY;
    if (code == ERR_NOT_FOUND || !gw_call_kept(call, code, NULL) || value.len < 8)
        return WEIR_STR("");
    uint64_t number = 0;
    for (int i = 0; i < 8; i++)
        number = number << 8 | (unsigned char)value.data[i];
    if (sequence)
        *sequence = number;
    return text_out(text_make(value.data + 8, value.len - 8));
}

bool weir_may_join(struct weir_call *call, struct weir_text room)
{
    const struct weir_app *app = call->api->config->app;
    if (call->failed || room.len == 0 || room.len > GW_ROOM_NAME_MAX)
        return false;
    return !app || !app->room_rule || app->room_rule(call, room);
}

/* An effect on this call's own connection. */
static void to_self(struct weir_call *call, struct gw_effect *effect)
{
    if (effect)
        effect->target = call->conn_id;
    gw_call_effect(call, net_id_io(&call->conn_id), effect);
}

static bool has_socket(struct weir_call *call, const char *function)
{
    if (call->failed)
        return false;
    if (call->kind != GW_CALL_MESSAGE)
        gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "%s needs an open socket: it is for messages", function);
    return !call->failed;
}

static void membership(struct weir_call *call, struct weir_text room, bool join)
{
    if (!has_socket(call, join ? "weir_join" : "weir_leave") || !room_named(call, room))
        return;
    if (call->tick && call->api->has_registry && call->api->config->registry.identity &&
        !gw_call_kept(call, gw_registry_room(call, text_in(room), join), NULL))
        return;
    to_self(call, gw_effect_create(join ? GW_EFFECT_JOIN : GW_EFFECT_LEAVE, call->api, text_in(room), NULL));
}

void weir_join(struct weir_call *call, struct weir_text room)
{
    membership(call, room, true);
}

void weir_leave(struct weir_call *call, struct weir_text room)
{
    membership(call, room, false);
}

void weir_disconnect(struct weir_call *call, int code, const char *reason)
{
    struct text why = text_of(reason);
    if (!has_socket(call, "weir_disconnect"))
        return;
    for (struct gw_reply *reply = &call->reply; reply && reply->text.data && !call->failed; reply = reply->next)
        to_self(call, message(call, GW_EFFECT_POST, TEXT_NONE, reply->text, reply->binary));
    call->reply = (struct gw_reply){0};
    call->reply_last = NULL;
    if (why.len > CLOSE_REASON_MAX)
        why.len = CLOSE_REASON_MAX;
    struct gw_effect *effect = gw_effect_create(GW_EFFECT_CLOSE, call->api, why, NULL);
    if (effect)
        effect->code = code;
    to_self(call, effect);
}

/* ---- later, elsewhere ---- */

static bool is_deferred_route(struct weir_call *call, const char *route)
{
    if (route && route[0] == '@' && map_get(&call->api->by_key, text_of(route)))
        return true;
    gw_call_fail(call, ERR_INTERNAL, "INTERNAL", NULL, "there is no route %s of the form @name", route ? route : "");
    return false;
}

void weir_later(struct weir_call *call, int64_t delay_ms, const char *route, struct weir_json *payload)
{
    struct text body = TEXT("null");
    if (!gw_call_in_tick(call, "weir_later") || !is_deferred_route(call, route) || (payload && !gw_call_json_text(call, payload, &body)))
        return;
    struct text name = arena_format(&call->arena, "%.*s%c%s", TEXT_FMT(call->api->config->name), GW_DEFERRED_SEPARATOR, route);
    body = gw_correlation_wrap(&call->arena, gw_correlation(call), body);
    int code = name.data && body.data ? tick_later(call->tick, delay_ms, name, body, LATER_ATTEMPTS, LATER_BACKOFF_MS, NULL) : ERR_MEMORY;
    if (gw_call_kept(call, code, NULL))
        call->wrote = true;
}

void weir_fetch(struct weir_call *call, const struct weir_fetch *fetch)
{
    if (!gw_call_in_tick(call, "weir_fetch") || (fetch->then && !is_deferred_route(call, fetch->then)))
        return;
    if (gw_call_kept(call, gw_fetch_stage(call, fetch), NULL))
        call->wrote = true;
}

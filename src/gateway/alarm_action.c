/*
 * What an alarm does when it changes. The transition's call carries an action out as far as that is a matter of this process (a room, a deferred call), or writes the durable request
 * of a webhook; so all of it commits with the transition. A webhook's answer becomes an event of the alarm's history in the call that ends the request.
 */
#include "gateway/alarms.h"
#include "gateway/call.h"
#include "net/sigv4_canonical.h"

#define WEBHOOK_ATTEMPTS 10
#define WEBHOOK_TIMEOUT_MS 10000
#define WEBHOOK_ANSWER_MAX (64u << 10)
#define ROUTE_ATTEMPTS 8
#define ROUTE_BACKOFF_MS 1000
#define URL_MAX 1024

/* ---- what an action's text means ---- */

/* "api/rest" in two; false when one of them is empty. */
static bool split(struct text text, struct text *api, struct text *rest)
{
    ptrdiff_t slash = text_find(text, '/', 0);
    *api = slash < 0 ? text : text_make(text.data, (size_t)slash);
    *rest = slash < 0 ? TEXT_NONE : text_make(text.data + slash + 1, text.len - (size_t)slash - 1);
    return api->len && rest->len;
}

static struct text behind(struct text text, size_t len)
{
    return text_make(text.data + len, text.len - len);
}

static int parse_short(struct text rest, struct gw_alarm_target *target)
{
    bool whole;
    if (text_starts(rest, TEXT("room:"))) {
        target->kind = GW_ALARM_ROOM;
        whole = split(behind(rest, 5), &target->api, &target->name);
    } else if (text_starts(rest, TEXT("route:"))) {
        target->kind = GW_ALARM_ROUTE;
        whole = split(behind(rest, 6), &target->api, &target->name) && target->name.data[0] == '@' && target->name.len > 1;
    } else if (text_starts(rest, TEXT("broadcast:"))) {
        target->kind = GW_ALARM_BROADCAST;
        target->api = behind(rest, 10);
        whole = target->api.len && text_find(target->api, '/', 0) < 0;
    } else {
        return ERR_SYNTAX;
    }
    return whole ? 0 : ERR_SYNTAX;
}

/* arn:aws:execute-api:REGION:ACCOUNT:API/STAGE/@.. Whose region and account it names decides nothing here. */
static int parse_arn(struct text arn, struct gw_alarm_target *target)
{
    size_t at = 0;
    struct text stage, rest;
    target->kind = GW_ALARM_ELSEWHERE;
    for (int colon = 0; colon < 5; colon++) {
        ptrdiff_t next = text_find(arn, ':', at);
        if (next < 0)
            return ERR_SYNTAX;
        if (colon == 2 && !text_equal(text_make(arn.data + at, (size_t)next - at), TEXT("execute-api")))
            return 0;
        at = (size_t)next + 1;
    }
    if (!split(behind(arn, at), &target->api, &rest) || !split(rest, &stage, &rest) || rest.data[0] != '@')
        return 0;
    if (text_is(rest, "@broadcast")) {
        target->kind = GW_ALARM_BROADCAST;
    } else if (text_starts(rest, TEXT("@rooms/")) && rest.len > 7) {
        target->kind = GW_ALARM_ROOM;
        target->name = behind(rest, 7);
    } else if (!text_starts(rest, TEXT("@rooms"))) {
        target->kind = GW_ALARM_ROUTE;
        target->name = rest;
    }
    return 0;
}

int gw_alarm_target_parse(struct text action, struct gw_alarm_target *target)
{
    *target = (struct gw_alarm_target){.kind = GW_ALARM_WEBHOOK};
    for (size_t i = 0; i < action.len; i++)
        if ((unsigned char)action.data[i] <= 0x20 || action.data[i] == 0x7f)
            return ERR_SYNTAX;
    if (text_starts(action, TEXT("http://")) || text_starts(action, TEXT("https://")))
        return action.len <= URL_MAX ? 0 : ERR_SYNTAX;
    if (text_starts(action, TEXT("weir:")))
        return parse_short(behind(action, 5), target);
    return text_starts(action, TEXT("arn:")) ? parse_arn(action, target) : ERR_SYNTAX;
}

/* ---- carrying it out; state thread ---- */

static struct weir_json *message_of(struct weir_call *call, struct text payload)
{
    const struct gw_api_config *api = call->api->config;
    struct weir_json *json = weir_json(call);
    if (!api->envelope_events && !api->workflow_envelope) {
        weir_raw(json, text_out(payload));
        return json;
    }
    weir_object(json);
    weir_member(json, api->workflow_envelope ? "type" : "event", WEIR_STR(GW_ALARM_EVENT));
    weir_name(json, "data");
    weir_raw(json, text_out(payload));
    weir_member(json, "timestamp", weir_now_iso(call));
    weir_end(json);
    return json;
}

static void call_route(struct weir_call *call, const struct gw_alarm_target *target, struct watch_alarm_act *act)
{
    const struct gw_route *route = map_get(&call->api->by_key, target->name);
    if (!route || !route->handler) {
        snprintf(act->why, sizeof(act->why), "the API has no handler %.*s", (int)(target->name.len < 100 ? target->name.len : 100), target->name.data);
        return;
    }
    struct text name = arena_format(&call->arena, "%.*s%c%.*s", TEXT_FMT(target->api), GW_DEFERRED_SEPARATOR, TEXT_FMT(target->name));
    int code = name.data ? tick_later(call->tick, 0, name, act->payload, ROUTE_ATTEMPTS, ROUTE_BACKOFF_MS, NULL) : ERR_MEMORY;
    if (gw_call_kept(call, code, NULL))
        act->outcome = WATCH_ALARM_DONE;
}

static void post(struct weir_call *call, struct watch_alarm_act *act)
{
    struct buf context;
    struct json_writer w;
    buf_init(&context, 8192);
    json_writer_init(&w, &context);
    json_begin_object(&w);
    json_name(&w, "alarm");
    json_text(&w, act->alarm);
    json_name(&w, "composite");
    json_bool(&w, act->composite);
    json_name(&w, "action");
    json_text(&w, act->action);
    json_end_object(&w);
    struct weir_fetch fetch = {.url = text_out(act->action), .body = text_out(act->payload), .timeout_ms = WEBHOOK_TIMEOUT_MS, .attempts = WEBHOOK_ATTEMPTS, .then = GW_ALARM_THEN,
        .context = text_out(buf_text(&context)), .answer_max = WEBHOOK_ANSWER_MAX};
    int code = context.failed ? ERR_MEMORY : gw_fetch_stage(call, &fetch);
    buf_fini(&context);
    if (code == ERR_AGAIN)
        snprintf(act->why, sizeof(act->why), "too many requests wait for their answers");
    else if (gw_call_kept(call, code, NULL))
        act->outcome = WATCH_ALARM_SENT;
}

static void carry_out(struct weir_call *call, const struct gw_alarm_target *target, struct watch_alarm_act *act)
{
    switch (target->kind) {
    case GW_ALARM_WEBHOOK:
        post(call, act);
        return;
    case GW_ALARM_ROOM:
        weir_publish(call, text_out(target->name), message_of(call, act->payload));
        break;
    case GW_ALARM_BROADCAST:
        weir_broadcast(call, message_of(call, act->payload));
        break;
    case GW_ALARM_ROUTE:
        call_route(call, target, act);
        return;
    case GW_ALARM_ELSEWHERE:
        return;
    }
    if (!call->failed)
        act->outcome = WATCH_ALARM_DONE;
}

/* The state thread's own call: no deferred call is under way, since alarms change in calls of their own. */
static struct weir_call *borrow(struct gateway *gateway, struct tick *tick, struct gw_api *api)
{
    struct weir_call *call = gateway->deferred;
    memset(call, 0, offsetof(struct weir_call, tail));
    call->request_id[0] = 0;
    arena_init(&call->arena, GW_CALL_ARENA_FIRST, GW_CALL_ARENA_LIMIT);
    call->gateway = gateway;
    call->api = api;
    call->tick = tick;
    call->view = tick_view(tick);
    call->now_ms = tick_now_ms(tick);
    call->kind = GW_CALL_DEFERRED;
    return call;
}

int gw_alarm_act(void *context, struct tick *tick, struct arena *arena, struct watch_alarm_act *act)
{
    struct gateway *gateway = context;
    struct gw_alarm_target target;
    struct gw_api *api = NULL;
    (void)arena;
    act->outcome = WATCH_ALARM_FAILED;
    if (gw_alarm_target_parse(act->action, &target) || target.kind == GW_ALARM_ELSEWHERE) {
        snprintf(act->why, sizeof(act->why), "not executed: weir carries out addresses, rooms, broadcasts and routes; this names a service that it does not have");
        return 0;
    }
    if (target.kind == GW_ALARM_WEBHOOK)
        api = gateway->api_count ? &gateway->apis[0] : NULL;
    else
        api = map_get(&gateway->by_name, target.api);
    if (!api && target.kind != GW_ALARM_WEBHOOK) {
        snprintf(act->why, sizeof(act->why), "no API is mounted at %.*s", (int)(target.api.len < 100 ? target.api.len : 100), target.api.data);
        return 0;
    }
    struct weir_call *call = borrow(gateway, tick, api);
    carry_out(call, &target, act);
    int code = call->failed;
    if (code && err_class_of(code) == ERR_CLASS_INPUT) { /* it would fail the next time, too */
        snprintf(act->why, sizeof(act->why), "%.190s", call->client_error ? call->err_text : err_text(code));
        act->outcome = WATCH_ALARM_FAILED;
        code = 0;
    }
    gw_call_docs_give(call);
    arena_fini(&call->arena);
    call->tick = NULL;
    return code;
}

/* ---- webhooks ---- */

bool gw_alarm_sign(struct text secret, struct text body, char out[GW_ALARM_SIGNATURE_MAX])
{
    struct sigv4_hash *hash = secret.len ? sigv4_hash_create() : NULL;
    unsigned char sum[SIGV4_HASH_SIZE];
    char hex[SIGV4_HEX_SIZE];
    struct buf text;
    long long now_s = (long long)(clock_wall_ms() / SECOND_MS);
    if (!hash)
        return false;
    buf_init(&text, body.len + 32);
    buf_add_format(&text, "%lld.", now_s);
    buf_add_text(&text, body);
    bool made = !text.failed && sigv4_hmac(hash, secret, buf_text(&text), sum);
    if (made) {
        sigv4_hex(sum, hex);
        snprintf(out, GW_ALARM_SIGNATURE_MAX, "t=%lld,v1=%.*s", now_s, SIGV4_HEX_SIZE, hex);
    }
    buf_fini(&text);
    sigv4_hash_destroy(hash);
    return made;
}

int gw_alarm_answered(struct weir_call *call, struct tick *tick)
{
    const struct json *root, *context, *error, *status;
    int64_t number = 0;
    if (json_parse(&call->arena, call->body, 0, &root, NULL))
        return 0;
    context = json_get_str(root, "context");
    error = json_get_str(root, "error");
    status = json_get_str(root, "status");
    if (!json_is(json_get_str(context, "alarm"), JSON_STRING) || !json_is(json_get_str(context, "action"), JSON_STRING))
        return 0;
    struct watch_alarm_act act = {.alarm = json_get_str(context, "alarm")->text, .action = json_get_str(context, "action")->text,
        .composite = json_is(json_get_str(context, "composite"), JSON_TRUE), .outcome = WATCH_ALARM_DONE};
    if (error) {
        act.outcome = WATCH_ALARM_FAILED;
        snprintf(act.why, sizeof(act.why), "no answer: %.*s", TEXT_FMT(error->text));
    } else if (!status || json_to_i64(status, &number) || number < 200 || number >= 300) {
        act.outcome = WATCH_ALARM_FAILED;
        snprintf(act.why, sizeof(act.why), "answered with status %lld", (long long)number);
    }
    if (act.outcome == WATCH_ALARM_FAILED)
        counter_add(COUNTER_alarm_actions_failed, 1);
    return watch_alarm_acted(tick, &call->arena, &act);
}

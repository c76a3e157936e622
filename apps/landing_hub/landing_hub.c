/*
 * LandingHub's socket (seed document 003): users with a token, rooms, and the envelope {event, data, timestamp} in both directions of the server.
 *
 * The backend of the document sends with sendToUser, sendToRoom and broadcast; here it posts to @users/{id}, @rooms/{room} and @broadcast with ?event=NAME, which
 * wraps the body in this envelope. A room keeps its newest message, so a dashboard that comes late asks for it with dashboard:refresh instead of waiting for
 * the next one.
 *
 * Who may be where:
 *   dashboard_admin, admin_*       administrators
 *   dashboard_<userId>, user_<userId>   that user alone
 *   chat_*                         everybody with a token
 *   anything else                  nobody
 *
 * Demands: GW-15, AU-1, AU-4, AU-13, FO-5 … FO-11, TB-7, CH-5, SE-10
 */
#include <weir/weir.h>

#include <string.h>

#define ROOM_MAX 256 /* bytes */

static struct weir_table connections = {
    .name = "landinghub-websocket-connections-{stage}",
    .hash = "connectionId",
    .hash_type = WEIR_S,
    .index = {{.name = "UserIdIndex", .hash = "userId", .hash_type = WEIR_S}},
    .ttl = "ttl",
};

/* ---- rooms ---- */

static bool is_admin(struct weir_call *call)
{
    return weir_proven(call) && weir_text_is(weir_user_role(call), "admin");
}

/* Is the room `prefix` and the caller's own id? */
static bool is_own(struct weir_call *call, struct weir_text room, const char *prefix)
{
    size_t len = strlen(prefix);
    struct weir_text user = weir_user_id(call);
    return weir_proven(call) && user.len && weir_text_starts(room, prefix) && room.len == len + user.len && memcmp(room.data + len, user.data, user.len) == 0;
}

static bool may_enter(struct weir_call *call, struct weir_text room)
{
    if (weir_text_is(room, "dashboard_admin") || weir_text_starts(room, "admin_"))
        return is_admin(call);
    if (weir_text_starts(room, "chat_"))
        return weir_proven(call) && room.len > strlen("chat_");
    return is_own(call, room, "dashboard_") || is_own(call, room, "user_");
}

/* The dashboard that a caller means without naming one. */
static struct weir_text own_dashboard(struct weir_call *call, char *buffer, size_t size)
{
    struct weir_text user = weir_user_id(call);
    size_t len = strlen("dashboard_");
    if (is_admin(call))
        return WEIR_STR("dashboard_admin");
    if (len + user.len > size) {
        weir_fail(call, "TOO_LARGE", "room", "no room is named after a user id of more than %zu bytes", size - len);
        return WEIR_STR("");
    }
    memcpy(buffer, "dashboard_", len);
    memcpy(buffer + len, user.data, user.len);
    return (struct weir_text){buffer, len + user.len};
}

/* Names the room of a dashboard action and checks that the caller may be there. */
static struct weir_text dashboard_room(struct weir_call *call, char *buffer, size_t size)
{
    struct weir_text room = weir_in_text_or(call, "room", ROOM_MAX, WEIR_STR(""));
    if (!weir_failed(call) && !room.len)
        room = own_dashboard(call, buffer, size);
    if (!weir_failed(call) && !weir_may_join(call, room))
        weir_fail(call, "FORBIDDEN", "room", "you may not enter the room %.*s", WEIR_TEXT(room));
    return room;
}

static struct weir_text chat_room(struct weir_call *call)
{
    struct weir_text room = weir_in_text(call, "room", 1, ROOM_MAX);
    if (weir_failed(call))
        return room;
    if (!weir_text_starts(room, "chat_"))
        weir_fail(call, "INVALID", "room", "a chat room's name begins with chat_");
    else if (!weir_may_join(call, room))
        weir_fail(call, "FORBIDDEN", "room", "you may not enter the room %.*s", WEIR_TEXT(room));
    return room;
}

/* ---- answers: {event, data, timestamp} ---- */

static struct weir_json *event_begin(struct weir_call *call, const char *event)
{
    struct weir_json *json = weir_json(call);
    weir_object(json);
    weir_member(json, "event", weir_text_of(event));
    weir_name(json, "data");
    weir_object(json);
    return json;
}

static void event_send(struct weir_call *call, struct weir_json *json)
{
    weir_member_request(json);
    weir_end(json);
    weir_member(json, "timestamp", weir_now_iso(call));
    weir_end(json);
    weir_reply(call, json);
}

static void tell(struct weir_call *call, const char *event, struct weir_text room)
{
    if (weir_failed(call))
        return;
    struct weir_json *json = event_begin(call, event);
    weir_member(json, "room", room);
    event_send(call, json);
}

/* ---- actions ---- */

static void dashboard_join(struct weir_call *call)
{
    char buffer[ROOM_MAX];
    struct weir_text room = dashboard_room(call, buffer, sizeof(buffer));
    weir_join(call, room);
    tell(call, "dashboard:joined", room);
}

static void dashboard_leave(struct weir_call *call)
{
    char buffer[ROOM_MAX];
    struct weir_text room = dashboard_room(call, buffer, sizeof(buffer));
    weir_leave(call, room);
    tell(call, "dashboard:left", room);
}

/* The room's newest message as it was sent, with the sequence of its commit; null when nothing was sent yet. */
static void dashboard_refresh(struct weir_call *call)
{
    char buffer[ROOM_MAX];
    uint64_t sequence = 0;
    struct weir_text room = dashboard_room(call, buffer, sizeof(buffer));
    struct weir_text last = weir_room_last(call, room, &sequence);
    if (weir_failed(call))
        return;
    struct weir_json *json = event_begin(call, "dashboard:refreshed");
    weir_member(json, "room", room);
    weir_member_integer(json, "sequence", (int64_t)sequence);
    weir_name(json, "message");
    weir_raw(json, last);
    event_send(call, json);
}

static void chat_join(struct weir_call *call)
{
    struct weir_text room = chat_room(call);
    weir_join(call, room);
    tell(call, "chat:joined", room);
}

static void chat_leave(struct weir_call *call)
{
    struct weir_text room = chat_room(call);
    weir_leave(call, room);
    tell(call, "chat:left", room);
}

static void ping(struct weir_call *call)
{
    event_send(call, event_begin(call, "pong"));
}

static void unknown(struct weir_call *call)
{
    weir_fail(call, "UNKNOWN_ACTION", "action", "there is no such action; known are dashboard:join, dashboard:leave, dashboard:refresh, "
        "chat:join_room, chat:leave_room and ping");
}

const struct weir_app weir_app_landing_hub = {
    .name = "landing_hub",
    .description = "dashboards and chat rooms for users with a token",
    .auth = WEIR_JWT,
    .route_key = "$request.body.action",
    .type_routes = true,
    .envelope_events = true,
    .retain_rooms = true,
    .room_rule = may_enter,
    .registry = {.table = &connections, .lifetime = 24 * WEIR_HOUR, .identity = true},
    .routes = (const struct weir_route[]){
        {"dashboard:join", dashboard_join, WEIR_TICK},
        {"dashboard:leave", dashboard_leave, WEIR_TICK},
        {"dashboard:refresh", dashboard_refresh, WEIR_READ},
        {"chat:join_room", chat_join, WEIR_TICK},
        {"chat:leave_room", chat_leave, WEIR_TICK},
        {"ping", ping, WEIR_PURE},
        {"$default", unknown, WEIR_PURE},
        {0},
    },
    .functions = (const struct weir_function[]){
        {"landinghub-backend-{stage}-websocketConnect", (const char *const[]){"$connect", NULL}},
        {"landinghub-backend-{stage}-websocketDisconnect", (const char *const[]){"$disconnect", NULL}},
        {"landinghub-backend-{stage}-websocketDefault", NULL},
        {0},
    },
};

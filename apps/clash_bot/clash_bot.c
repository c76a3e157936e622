/*
 * ClashBot's event socket (seed document 004): public, with a registry that expires after an hour, and two answers: a ping gets its pong, and whatever
 * else a client says, JSON or not, is acknowledged. Events of tournaments are pushed to everybody through @broadcast in the envelope
 * {type, tournamentId, data, timestamp}; the workflow that causes them is not part of this file.
 */
#include <weir/weir.h>

static struct weir_table connections = {
    .name = "ClashWebSocketConnections",
    .hash = "connectionId",
    .hash_type = WEIR_S,
    .ttl = "ttl",
};

static void ping(struct weir_call *call)
{
    struct weir_json *pong = weir_json(call);
    weir_object(pong);
    weir_member(pong, "type", WEIR_STR("pong"));
    weir_member(pong, "timestamp", weir_now_iso(call));
    weir_member_request(pong);
    weir_end(pong);
    weir_reply(call, pong);
}

static void other(struct weir_call *call)
{
    struct weir_json *ack = weir_json(call);
    weir_object(ack);
    weir_member(ack, "type", WEIR_STR("ack"));
    weir_member(ack, "message", WEIR_STR("Message received"));
    weir_member_request(ack);
    weir_end(ack);
    weir_reply(call, ack);
}

const struct weir_app weir_app_clash_bot = {
    .name = "clash_bot",
    .description = "tournament events for everybody who listens",
    .auth = WEIR_NONE,
    .route_key = "$request.body.type",
    .workflow_envelope = true,
    .registry = {.table = &connections, .lifetime = 1 * WEIR_HOUR},
    .routes = (const struct weir_route[]){
        {"ping", ping, WEIR_PURE},
        {"$default", other, WEIR_PURE},
        {0},
    },
};

/*
 * ClashBot (seed document 004): tournaments over REST, their assignment workflow, and a public socket that hears of each of its steps.
 *
 * The socket has a registry that expires after an hour, and two answers: a ping gets its pong, and whatever else a client says, JSON or not, is
 * acknowledged. Events reach everybody in the envelope {type, tournamentId, data, timestamp}: those of the workflow with their sequence, others through @broadcast.
 *
 * Demands: GW-15, GW-16, FO-3, TB-8, AU-11, WF-4, X-12
 */
#include "clash_bot.h"

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
    .description = "tournaments, their workflow, and its events for everybody who listens",
    .auth = WEIR_NONE,
    .route_key = "$request.body.type",
    .workflow_envelope = true,
    .registry = {.table = &connections, .lifetime = 1 * WEIR_HOUR},
    .tables = (struct weir_table *const[]){&cb_tournaments, &cb_players, &cb_executions, NULL},
    .routes = (const struct weir_route[]){
        {"ping", ping, WEIR_PURE},
        {"$default", other, WEIR_PURE},
        {"POST /tournaments", cb_tournament_create, WEIR_TICK},
        {"GET /tournaments/{id}", cb_tournament_read, WEIR_READ},
        {"POST /tournaments/{id}/players", cb_players_register, WEIR_TICK},
        {"POST /tournaments/{id}/start", cb_workflow_start, WEIR_TICK},
        {"GET /executions/{id}", cb_workflow_read, WEIR_READ},
        {"@register", cb_workflow_register, WEIR_TICK},
        {"@assign", cb_workflow_assign, WEIR_TICK},
        {"@lock", cb_workflow_lock, WEIR_TICK},
        {"@watch", cb_workflow_watch, WEIR_TICK},
        {0},
    },
    .functions = (const struct weir_function[]){
        {"WebSocketHandlerFn-{env}", (const char *const[]){"$connect", "$disconnect", "$default", "ping", NULL}},
        {"BroadcastEventFn-{env}", (const char *const[]){"@register", "@assign", "@lock", "@watch", NULL}},
        {0},
    },
};

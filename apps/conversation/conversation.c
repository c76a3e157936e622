/*
 * The conversation (seed document 002): a user with a token, a bot, and sessions that both write into.
 *
 * The document's messages are {type, action, token, message, sessionId}: `type` says what a message is, and `action`, beside it, is the application's own word that
 * the monitor only records. So the route is selected by `type`; a client that sends an `action` alone is understood too ($default).
 *
 * `auth` is the gateway's (authInBand): a socket may open without a token, and what it sends before it has shown one is UNAUTHENTICATED_CONNECTION.
 *
 * $connect and $disconnect do nothing of their own; watch.c says what is watched around all of them.
 *
 * The rest is in: session.c (a message and its outcome), bot.c (who answers), circuit.c (when nobody is asked), history.c (reading back).
 *
 * Demands: CH-1 … CH-4, CH-6, AU-5, AU-6, AU-14, TB-9, GW-7, GW-15
 */
#include "conversation.h"

static struct weir_table connections = {
    .name = "conversation-connections-{env}",
    .hash = "connectionId",
    .hash_type = WEIR_S,
    .index = {{.name = "UserIdIndex", .hash = "userId", .hash_type = WEIR_S}},
    .ttl = "ttl",
};

const struct weir_setting cv_settings[] = {
    {"bot", WEIR_SETTING_WORD, "the built-in bot, which says what it is told (default echo)", "echo", (const char *const[]){"echo", NULL}, 0, 0},
    {"bot.webhook", WEIR_SETTING_URL, "or an endpoint: a POST with the message, answered by {\"message\":..}", NULL, NULL, 0, 0},
    {"bot.openai", WEIR_SETTING_URL, "or an OpenAI-compatible service: its base address, or that of its chat/completions", NULL, NULL, 0, 0},
    {"bot.model", WEIR_SETTING_TEXT, "with openai: the model", NULL, NULL, 1, 256},
    {"bot.keyEnv", WEIR_SETTING_ENV, "with openai or webhook: the environment variable with the key, sent as a bearer token", NULL, NULL, 0, 0},
    {"bot.system", WEIR_SETTING_TEXT, "with openai: what the model is told first", NULL, NULL, 1, 8192},
    {"bot.timeout", WEIR_SETTING_DURATION, "how long an answer may take (default 20s)", "20000", NULL, 100, 5 * WEIR_MINUTE},
    {"keep", WEIR_SETTING_DURATION, "sessions and messages expire so long after the last change; 0: never (default 0)", "0", NULL, 0, 3650 * WEIR_DAY},
    {0},
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

static const struct {
    const char *name;
    void (*handler)(struct weir_call *call);
} actions[] = {{"message", cv_message}, {"history", cv_history}, {"sessions", cv_sessions_list}, {"ping", ping}};

/* The registry's row is the gateway's. The routes are here to be watched: $connect and $disconnect of the document's connection handler. */
static void connection(struct weir_call *call)
{
    weir_monitor_text(weir_monitor(call), "requestId", weir_request_id(call));
}

/* Neither a type of ours nor none: perhaps the action is one. */
static void other(struct weir_call *call)
{
    struct weir_text action = weir_action(call);
    for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
        if (weir_text_is(action, actions[i].name)) {
            actions[i].handler(call);
            return;
        }
    weir_context(call, "connectionId", weir_connection_id(call));
    weir_fail(call, "UNKNOWN_ACTION", "type", "there is no such message; known are auth, message, history, sessions and ping");
}

const struct weir_app weir_app_conversation = {
    .name = "conversation",
    .description = "sessions between users and a bot",
    .auth = WEIR_JWT,
    .auth_in_band = true,
    .route_key = "$request.body.type",
    .registry = {.table = &connections, .lifetime = 2 * WEIR_HOUR, .metadata = true, .identity = true},
    .tables = (struct weir_table *const[]){&cv_sessions, &cv_messages, &cv_circuits, NULL},
    .operations = cv_operations,
    .alarms = cv_alarms,
    .dashboards = cv_dashboards,
    .settings = cv_settings,
    .settings_rule = cv_settings_rule,
    .functions = (const struct weir_function[]){
        {"websocket_connection-{env}", (const char *const[]){"$connect", "$disconnect", NULL}},
        {"websocket_conversation-{env}", NULL},
        {0},
    },
    .routes = (const struct weir_route[]){
        {"$connect", connection, WEIR_TICK},
        {"$disconnect", connection, WEIR_TICK},
        {"message", cv_message, WEIR_TICK},
        {"history", cv_history, WEIR_READ},
        {"sessions", cv_sessions_list, WEIR_READ},
        {"ping", ping, WEIR_PURE},
        {"$default", other, WEIR_TICK},
        {"GET /sessions", cv_sessions_rest, WEIR_READ},
        {"GET /sessions/{id}/messages", cv_history_rest, WEIR_READ},
        {"@ask", cv_ask_waiting, WEIR_TICK},
        {"@echo", cv_echo, WEIR_TICK},
        {"@answered", cv_answered, WEIR_TICK},
        {"@unavailable", cv_unavailable, WEIR_TICK},
        {0},
    },
};

/*
 * What is watched: the document's operations with their thresholds, what they capture, its business metrics, alarms and dashboard.
 *
 * websocket_conversation stands around the message routes and websocket_connection around $connect and $disconnect, so no handler says anything about them; also a message
 * that the gateway answers by itself (auth, and what comes before a token) completes the one that it would have been. authentication_jwt_verification is the gateway's own. Only
 * chat_message_processing is spoken of in handlers (session.c), because it begins in one call and ends in another.
 *
 * The alarms are written as the document's CDK code means them: a CDK alarm without a comparison operator compares by "greater than or equal". One more is ours: it tells when the
 * processing of messages takes longer than its threshold.
 *
 * Demands: PM-2 … PM-11, AL-4 … AL-7, DB-3
 */
#include "conversation.h"

#define MIB ((size_t)1 << 20)
#define SPACE "WebSocket/Performance"
#define CONVERSATION "websocket_conversation"
#define CONNECTION "websocket_connection"

/* ---- operations ---- */

static const struct weir_capture captured[] = {
    {"messageType", "type", WEIR_CAPTURE_TEXT, "action"},
    {"action", "action", WEIR_CAPTURE_TEXT, NULL},
    {"hasToken", "token", WEIR_CAPTURE_PRESENT, NULL},
    {"messageLength", "message", WEIR_CAPTURE_LENGTH, NULL},
    {"sessionId", "sessionId", WEIR_CAPTURE_TEXT, NULL},
    {0},
};

static const struct weir_capture captured_of_processing[] = {
    {"messageLength", "message", WEIR_CAPTURE_LENGTH, NULL},
    {"hasSessionId", "sessionId", WEIR_CAPTURE_PRESENT, NULL},
    {"sessionId", "sessionId", WEIR_CAPTURE_TEXT, NULL},
    {0},
};

static const char *const types[] = {"auth", "message", "ping", NULL};
static const char *const reasons[] = {"normal", "error", "timeout", NULL};

static const struct weir_figure of_conversation[] = {
    {.name = "messagesPerMinute", .kind = WEIR_FIGURE_COUNT},
    {.name = "averageMessageLength", .kind = WEIR_FIGURE_FIELD, .field = "messageLength"},
    {.name = "authenticationSuccessRate", .kind = WEIR_FIGURE_SUCCESS, .when = "messageType", .is = "auth"},
    {.name = "messageTypes", .kind = WEIR_FIGURE_COUNT, .dimension = "Type", .by = "messageType", .values = types},
    {0},
};
static const struct weir_figure of_connection[] = {
    {.name = "connectionsPerMinute", .kind = WEIR_FIGURE_COUNT, .when = "eventType", .is = "connect"},
    {.name = "averageConnectionDuration", .kind = WEIR_FIGURE_FIELD, .field = "connectionDuration", .unit = "Milliseconds"},
    {.name = "disconnectReasons", .kind = WEIR_FIGURE_COUNT, .dimension = "Reason", .by = "disconnectReason", .values = reasons},
    {0},
};
static const struct weir_figure of_processing[] = {
    {.name = "messagesProcessedPerMinute", .kind = WEIR_FIGURE_COUNT},
    {.name = "averageProcessingTime", .kind = WEIR_FIGURE_DURATION},
    {.name = "databaseOperationsPerMessage", .kind = WEIR_FIGURE_FIELD, .field = "databaseOperations", .unit = "Count"},
    {0},
};

const struct weir_operation cv_operations[] = {
    {
        .name = CONVERSATION,
        .routes = (const char *const[]){"message", "history", "sessions", "ping", "$default", NULL},
        .duration_max_ms = 5000,
        .memory_max = 100 * MIB,
        .error_rate_max = 0.05,
        .captures = captured,
        .figures = of_conversation,
    },
    {
        .name = CONNECTION,
        .routes = (const char *const[]){"$connect", "$disconnect", NULL},
        .duration_max_ms = 2000,
        .memory_max = 50 * MIB,
        .error_rate_max = 0.02,
        .figures = of_connection,
    },
    {
        .name = CV_PROCESSING,
        .duration_max_ms = 1000,
        .memory_max = 30 * MIB,
        .error_rate_max = 0.05,
        .captures = captured_of_processing,
        .figures = of_processing,
    },
    {0},
};

/* ---- alarms ---- */

#define HANDLER {"Handler", CONVERSATION}, {"Environment", "{env}"}

const struct weir_alarm cv_alarms[] = {
    {
        .name = "WebSocketDurationAlarm",
        .description = "WebSocket handler taking too long to respond",
        .metric_namespace = SPACE,
        .metric = "HandlerDuration",
        .dimension = {HANDLER},
        .statistic = "Average",
        .period = WEIR_MINUTE,
        .evaluation_periods = 2,
        .threshold = 5000,
        .comparison = WEIR_GREATER_OR_EQUAL,
    },
    {
        .name = "WebSocketMemoryAlarm",
        .description = "WebSocket handler using too much memory",
        .metric_namespace = SPACE,
        .metric = "MemoryUsage",
        .dimension = {HANDLER},
        .statistic = "Average",
        .period = WEIR_MINUTE,
        .evaluation_periods = 2,
        .threshold = 100 * 1024 * 1024,
        .comparison = WEIR_GREATER_OR_EQUAL,
    },
    {
        .name = "WebSocketErrorRateAlarm",
        .description = "WebSocket handler error rate too high",
        .metric_namespace = SPACE,
        .metric = "ErrorRate",
        .dimension = {HANDLER},
        .statistic = "Average",
        .period = 5 * WEIR_MINUTE,
        .evaluation_periods = 2,
        .threshold = 5,
        .comparison = WEIR_GREATER_OR_EQUAL,
    },
    {
        .name = "ChatProcessingBreachAlarm",
        .description = "Chat messages take longer than their threshold",
        .metric_namespace = SPACE,
        .metric = "ThresholdBreaches",
        .dimension = {{"Handler", CV_PROCESSING}, {"Environment", "{env}"}, {"Figure", "HandlerDuration"}},
        .statistic = "Sum",
        .period = WEIR_MINUTE,
        .evaluation_periods = 1,
        .threshold = 1,
        .comparison = WEIR_GREATER_OR_EQUAL,
        .missing = WEIR_MISSING_NOT_BREACHING,
    },
    {0},
};

/* ---- the dashboard ---- */

#define METRIC(name, handler) "[\"" SPACE "\",\"" name "\",\"Handler\",\"" handler "\",{\"stat\":\"Average\"}]"
#define GRAPH(y, title, metrics) \
    "{\"type\":\"metric\",\"x\":0,\"y\":" y ",\"width\":12,\"height\":6,\"properties\":{\"view\":\"timeSeries\",\"title\":\"" title "\",\"region\":\"{region}\",\"metrics\":[" metrics "]}}"

const struct weir_dashboard cv_dashboards[] = {
    {
        .name = "WebSocket-Performance",
        .body = "{\"widgets\":["
            GRAPH("0", "Handler Duration", METRIC("HandlerDuration", CONVERSATION) "," METRIC("HandlerDuration", CONNECTION)) ","
            GRAPH("6", "Memory Usage", METRIC("MemoryUsage", CONVERSATION)) ","
            GRAPH("12", "Error Rate", METRIC("ErrorRate", CONVERSATION)) "]}",
    },
    {0},
};

/*
 * The document's alarms: handler errors above 10, handler duration above 5000 ms, throttled tables. It gives neither periods nor statistics (X-8 of the traps): errors and throttles are
 * summed over five minutes, durations averaged over one, and one period is enough. What reports only when something happens is fine while it is silent.
 */
#include "riddle_rush.h"

#define ERRORS(function)                                                                                                                                                   \
    {.name = "riddle-rush-" function "-errors-{env}", .description = "The handler riddle-rush-" function "-{env} has failed more than 10 times in 5 minutes",              \
        .metric_namespace = "AWS/Lambda", .metric = "Errors", .dimension = {{"FunctionName", "riddle-rush-" function "-{env}"}}, .statistic = "Sum", .period = 5 * WEIR_MINUTE,    \
        .threshold = 10, .comparison = WEIR_GREATER, .missing = WEIR_MISSING_NOT_BREACHING}
#define DURATION(function)                                                                                                                                                 \
    {.name = "riddle-rush-" function "-duration-{env}", .description = "The handler riddle-rush-" function "-{env} takes longer than 5000 ms on average",                   \
        .metric_namespace = "AWS/Lambda", .metric = "Duration", .dimension = {{"FunctionName", "riddle-rush-" function "-{env}"}}, .statistic = "Average", .period = WEIR_MINUTE,  \
        .threshold = 5000, .comparison = WEIR_GREATER, .missing = WEIR_MISSING_NOT_BREACHING}
#define THROTTLES(table)                                                                                                                                                   \
    {.name = table "-throttles-{env}", .description = "Requests of the table " table "-{env} were throttled", .metric_namespace = "AWS/DynamoDB", .metric = "ThrottledRequests",      \
        .dimension = {{"TableName", table "-{env}"}}, .statistic = "Sum", .period = 5 * WEIR_MINUTE, .threshold = 0, .comparison = WEIR_GREATER, .missing = WEIR_MISSING_NOT_BREACHING}

const struct weir_alarm rr_alarms[] = {
    ERRORS("ws-message"), ERRORS("ws-connect"), ERRORS("ws-disconnect"),
    DURATION("ws-message"), DURATION("ws-connect"), DURATION("ws-disconnect"),
    THROTTLES("riddle-rush-users"), THROTTLES("riddle-rush-leaderboard"), THROTTLES("riddle-rush-performance"), THROTTLES("riddle-rush-ws-connections"),
    {0},
};

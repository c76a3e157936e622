/* The alarms of the server itself, for each API that is mounted. They are alarms like any other: actions can be set for them over the wire, and stay. */
#include "gateway/alarms.h"

const struct weir_alarm gw_own_alarms[] = {
    {.name = "weir-abuse-{api}", .description = "Repeated abuse: rejected tokens, malformed frames, limits hit, more than 100 times in 5 minutes", .metric_namespace = "Weir",
        .metric = "Abuse", .dimension = {{"ApiId", "{api}"}}, .statistic = "Sum", .period = 5 * WEIR_MINUTE, .evaluation_periods = 1, .threshold = 100, .comparison = WEIR_GREATER,
        .missing = WEIR_MISSING_NOT_BREACHING},
    {0},
};

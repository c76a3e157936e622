/* CloudWatch's table of operations. To add an operation: a shape in cloudwatch_shapes.c, its steps in a file of its kind, a row here. */
#include "aws/cloudwatch.h"

#define ROW(name, step, way) {name, &cw_shape_##step, way, 0, cw_##step##_prepare, cw_##step##_perform, NULL},
static const struct aws_operation operations[] = {
    /* what is called most stands first */
    ROW("PutMetricData", put_metric_data, AWS_WRITE)
    ROW("GetMetricData", get_metric_data, AWS_SCAN)
    ROW("GetMetricStatistics", get_metric_statistics, AWS_SCAN)
    ROW("ListMetrics", list_metrics, AWS_SCAN)
    {0}
};

static const char *const times[] = {"Timestamp", "Timestamps", NULL};
static const char *const maps[] = {"ExtendedStatistics", NULL};
static const struct cbor_hints cbor = {.times = times};

static const struct aws_query_code codes[] = {{CW_INVALID, "InvalidParameterValue"}, {CW_MISSING, "MissingParameter"}, {CW_COMBINATION, "InvalidParameterCombination"},
    {CW_LIMIT, "LimitExceeded"}, {CW_TOKEN, "InvalidNextToken"}, {AWS_VALIDATION, "ValidationError"}, {AWS_SERIALIZATION, "MalformedInput"},
    {AWS_UNKNOWN_OPERATION, "InvalidAction"}, {AWS_THROTTLING, "Throttling"}, {AWS_DENIED, "AccessDenied"}, {AWS_INTERNAL, "InternalServiceError"}, {AWS_FINE, NULL}};
static const struct aws_query query = {.version = "2010-08-01", .xmlns = "http://monitoring.amazonaws.com/doc/2010-08-01/", .maps = maps, .codes = codes};

const struct aws_service cloudwatch_service = {.target = "GraniteServiceVersion20100801.", .signing = "monitoring", .actions = "cloudwatch",
    .rpc = "GraniteServiceVersion20100801", .operations = operations, .no_sum = true, .cbor = &cbor, .query = &query};

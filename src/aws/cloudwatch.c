/* CloudWatch's table of operations. To add an operation: a shape in cloudwatch_shapes.c, its steps in a file of its kind, a row here. */
#include "aws/cloudwatch.h"
#include "aws/cloudwatch_alarm.h"

#define ROW(name, step, way) {name, &cw_shape_##step, way, 0, cw_##step##_prepare, cw_##step##_perform, NULL},
#define RULE(name, step, way) {name, &cw_shape_##step, way, AWS_OWN_ACCESS, cw_##step##_prepare, cw_##step##_perform, NULL},
#define ALARM(name, step, way, flags) {name, &cwa_shape_##step, way, flags, cwa_##step##_prepare, cwa_##step##_perform, NULL},
static const struct aws_operation operations[] = {
    /* what is called most stands first */
    ROW("PutMetricData", put_metric_data, AWS_WRITE)
    ROW("GetMetricData", get_metric_data, AWS_SCAN)
    ROW("GetMetricStatistics", get_metric_statistics, AWS_SCAN)
    ROW("ListMetrics", list_metrics, AWS_SCAN)
    ROW("GetDashboard", get_dashboard, AWS_SCAN)
    ROW("ListDashboards", list_dashboards, AWS_SCAN)
    ROW("PutDashboard", put_dashboard, AWS_WRITE)
    ROW("DeleteDashboards", delete_dashboards, AWS_WRITE)
    ROW("PutAnomalyDetector", put_anomaly_detector, AWS_WRITE)
    ROW("DescribeAnomalyDetectors", describe_anomaly_detectors, AWS_SCAN)
    ROW("DeleteAnomalyDetector", delete_anomaly_detector, AWS_WRITE)
    RULE("PutInsightRule", put_insight_rule, AWS_WRITE)
    ROW("DescribeInsightRules", describe_insight_rules, AWS_SCAN)
    RULE("GetInsightRuleReport", get_insight_rule_report, AWS_SCAN)
    RULE("EnableInsightRules", enable_insight_rules, AWS_WRITE)
    RULE("DisableInsightRules", disable_insight_rules, AWS_WRITE)
    RULE("DeleteInsightRules", delete_insight_rules, AWS_WRITE)
    ALARM("DescribeAlarms", describe_alarms, AWS_SCAN, 0)
    ALARM("DescribeAlarmsForMetric", describe_alarms_for_metric, AWS_SCAN, 0)
    ALARM("DescribeAlarmHistory", describe_alarm_history, AWS_SCAN, 0)
    ALARM("DescribeAlarmContributors", describe_alarm_contributors, AWS_SCAN, AWS_OWN_ACCESS)
    ALARM("PutMetricAlarm", put_metric_alarm, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("PutCompositeAlarm", put_composite_alarm, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("SetAlarmState", set_alarm_state, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("EnableAlarmActions", enable_alarm_actions, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("DisableAlarmActions", disable_alarm_actions, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("DeleteAlarms", delete_alarms, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("TagResource", tag_resource, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("UntagResource", untag_resource, AWS_WRITE, AWS_OWN_ACCESS)
    ALARM("ListTagsForResource", list_tags_for_resource, AWS_READ, AWS_OWN_ACCESS)
    {0}
};

static const char *const times[] = {"Timestamp", "Timestamps", "LastModified", "AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp",
    "StateTransitionedTimestamp", "StartTime", "EndTime", "StartDate", "ExpireDate", "LastUpdatedTimestamp", NULL};
static const char *const maps[] = {"ExtendedStatistics", "ContributorAttributes", NULL};
static const struct cbor_hints cbor = {.times = times};

static const struct aws_query_code codes[] = {{CW_INVALID, "InvalidParameterValue"}, {CW_MISSING, "MissingParameter"}, {CW_COMBINATION, "InvalidParameterCombination"},
    {CW_LIMIT, "LimitExceeded"}, {CW_LIMIT_EXCEPTION, "LimitExceededException"}, {CW_DASHBOARD_INVALID, "InvalidParameterInput"}, {CW_DASHBOARD_NOT_FOUND, "ResourceNotFound"}, {CW_TOKEN, "InvalidNextToken"}, {CW_NOT_FOUND, "ResourceNotFound"},
    {CW_RESOURCE_NOT_FOUND, "ResourceNotFoundException"}, {CW_FORMAT, "InvalidFormat"}, {AWS_VALIDATION, "ValidationError"}, {AWS_SERIALIZATION, "MalformedInput"},
    {AWS_UNKNOWN_OPERATION, "InvalidAction"}, {AWS_THROTTLING, "Throttling"}, {AWS_DENIED, "AccessDenied"}, {AWS_INTERNAL, "InternalServiceError"}, {AWS_FINE, NULL}};
static const char *const results[] = {"DeleteDashboards", "PutAnomalyDetector", "DeleteAnomalyDetector", "PutInsightRule", NULL};
static const struct aws_query query = {.results = results, .version = "2010-08-01", .xmlns = "http://monitoring.amazonaws.com/doc/2010-08-01/", .maps = maps, .codes = codes};

const struct aws_service cloudwatch_service = {.target = "GraniteServiceVersion20100801.", .signing = "monitoring", .actions = "cloudwatch",
    .rpc = "GraniteServiceVersion20100801", .operations = operations, .no_sum = true, .cbor = &cbor, .query = &query};

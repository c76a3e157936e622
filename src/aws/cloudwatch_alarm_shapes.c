/* What the requests about alarms hold, with the constraints of AWS's model. What is required is said by the operations. */
#include "aws/cloudwatch_alarm.h"

#define MEMBERS(shape_name, ...)                                                                                                          \
    static const struct shape_member shape_name##_members[] = {__VA_ARGS__, {0}};                                                         \
    static const struct shape shape_name = {.type = SHAPE_STRUCT, .member = shape_name##_members, .java = "java.util.Map"}
#define LIST(shape_name, element, most) static const struct shape shape_name = {.type = SHAPE_LIST, .of = &element, .max = most, .java = "java.util.ArrayList"}
#define REQUEST(name, ...)                                                                                                                \
    static const struct shape_member name##_members[] = {__VA_ARGS__, {0}};                                                               \
    const struct shape cwa_shape_##name = {.type = SHAPE_STRUCT, .member = name##_members}

static const struct shape string = {.type = SHAPE_STRING}, number = {.type = SHAPE_DOUBLE}, integer = {.type = SHAPE_INTEGER}, time = {.type = SHAPE_TIME},
                          boolean = {.type = SHAPE_BOOLEAN}, positive = {.type = SHAPE_INTEGER, .min = 1, .max = INT32_MAX},
                          alarm_name = {.type = SHAPE_STRING, .min = 1, .max = WATCH_ALARM_NAME_MAX}, description = {.type = SHAPE_STRING, .min = 0, .max = 1024},
                          rule = {.type = SHAPE_STRING, .min = 1, .max = WATCH_RULE_TEXT_MAX}, arn = {.type = SHAPE_STRING, .min = 1, .max = 1600},
                          action = {.type = SHAPE_STRING, .min = 1, .max = WATCH_ALARM_ACTION_MAX}, resource = {.type = SHAPE_STRING, .min = 1, .max = 1024},
                          reason = {.type = SHAPE_STRING, .min = 0, .max = WATCH_ALARM_REASON_MAX}, reason_data = {.type = SHAPE_STRING, .min = 0, .max = WATCH_ALARM_REASON_DATA_MAX},
                          records = {.type = SHAPE_INTEGER, .min = 1, .max = CWA_PAGE_MAX}, tag_key = {.type = SHAPE_STRING, .min = 1, .max = 128},
                          tag_value = {.type = SHAPE_STRING, .min = 0, .max = 256};
static const struct shape state = {.type = SHAPE_STRING, .values = "INSUFFICIENT_DATA, ALARM, OK"};
static const struct shape statistic = {.type = SHAPE_STRING, .values = "SampleCount, Average, Sum, Minimum, Maximum"};
static const struct shape comparison = {.type = SHAPE_STRING,
    .values = "LessThanThreshold, LessThanLowerThreshold, GreaterThanUpperThreshold, LessThanOrEqualToThreshold, GreaterThanThreshold, LessThanLowerOrGreaterThanUpperThreshold, "
              "GreaterThanOrEqualToThreshold"};
static const struct shape alarm_type = {.type = SHAPE_STRING, .values = "CompositeAlarm, LogAlarm, MetricAlarm"};
static const struct shape history_type = {.type = SHAPE_STRING, .values = "Action, AlarmContributorAction, AlarmContributorStateUpdate, StateUpdate, ConfigurationUpdate"};
static const struct shape scan_by = {.type = SHAPE_STRING, .values = "TimestampDescending, TimestampAscending"};
LIST(actions, action, WATCH_ALARM_ACTIONS_MAX);
LIST(alarm_names, alarm_name, CWA_NAMES_MAX);
LIST(alarm_types, alarm_type, 0);
LIST(tag_keys, tag_key, 0);
MEMBERS(tag, {"Key", &tag_key, false}, {"Value", &tag_value, false});
LIST(tags, tag, 0);
MEMBERS(dimension, {"Name", &string, false}, {"Value", &string, false});
LIST(dimensions, dimension, 0);
MEMBERS(metric, {"Namespace", &string, false}, {"MetricName", &string, false}, {"Dimensions", &dimensions, false});
MEMBERS(metric_stat, {"Metric", &metric, false}, {"Period", &integer, false}, {"Stat", &string, false}, {"Unit", &string, false});
MEMBERS(data_query, {"Id", &string, false}, {"MetricStat", &metric_stat, false}, {"Expression", &string, false}, {"Label", &string, false}, {"ReturnData", &boolean, false},
    {"Period", &integer, false}, {"AccountId", &string, false});
LIST(data_queries, data_query, 0);

REQUEST(put_metric_alarm, {"AlarmName", &alarm_name, false}, {"AlarmDescription", &description, false}, {"ActionsEnabled", &boolean, false}, {"OKActions", &actions, false},
    {"AlarmActions", &actions, false}, {"InsufficientDataActions", &actions, false}, {"MetricName", &string, false}, {"Namespace", &string, false}, {"Statistic", &statistic, false},
    {"ExtendedStatistic", &string, false}, {"Dimensions", &dimensions, false}, {"Period", &integer, false}, {"Unit", &string, false}, {"EvaluationPeriods", &positive, false},
    {"DatapointsToAlarm", &positive, false}, {"Threshold", &number, false}, {"ComparisonOperator", &comparison, false}, {"TreatMissingData", &string, false},
    {"EvaluateLowSampleCountPercentile", &string, false}, {"Metrics", &data_queries, false}, {"Tags", &tags, false}, {"ThresholdMetricId", &string, false});
REQUEST(put_composite_alarm, {"AlarmName", &alarm_name, false}, {"AlarmDescription", &description, false}, {"ActionsEnabled", &boolean, false}, {"OKActions", &actions, false},
    {"AlarmActions", &actions, false}, {"InsufficientDataActions", &actions, false}, {"AlarmRule", &rule, false}, {"Tags", &tags, false}, {"ActionsSuppressor", &arn, false},
    {"ActionsSuppressorWaitPeriod", &integer, false}, {"ActionsSuppressorExtensionPeriod", &integer, false});
REQUEST(describe_alarms, {"AlarmNames", &alarm_names, false}, {"AlarmNamePrefix", &alarm_name, false}, {"AlarmTypes", &alarm_types, false}, {"ChildrenOfAlarmName", &alarm_name, false},
    {"ParentsOfAlarmName", &alarm_name, false}, {"StateValue", &state, false}, {"ActionPrefix", &action, false}, {"MaxRecords", &records, false}, {"NextToken", &string, false});
REQUEST(describe_alarms_for_metric, {"MetricName", &string, false}, {"Namespace", &string, false}, {"Statistic", &statistic, false}, {"ExtendedStatistic", &string, false},
    {"Dimensions", &dimensions, false}, {"Period", &integer, false}, {"Unit", &string, false});
REQUEST(describe_alarm_history, {"AlarmName", &alarm_name, false}, {"AlarmTypes", &alarm_types, false}, {"HistoryItemType", &history_type, false}, {"StartDate", &time, false},
    {"EndDate", &time, false}, {"MaxRecords", &records, false}, {"NextToken", &string, false}, {"ScanBy", &scan_by, false}, {"AlarmContributorId", &string, false});
REQUEST(set_alarm_state, {"AlarmName", &alarm_name, false}, {"StateValue", &state, false}, {"StateReason", &reason, false}, {"StateReasonData", &reason_data, false});
REQUEST(enable_alarm_actions, {"AlarmNames", &alarm_names, false});
REQUEST(disable_alarm_actions, {"AlarmNames", &alarm_names, false});
REQUEST(delete_alarms, {"AlarmNames", &alarm_names, false});
REQUEST(tag_resource, {"ResourceARN", &resource, false}, {"Tags", &tags, false});
REQUEST(untag_resource, {"ResourceARN", &resource, false}, {"TagKeys", &tag_keys, false});
REQUEST(list_tags_for_resource, {"ResourceARN", &resource, false});
REQUEST(describe_alarm_contributors, {"AlarmName", &alarm_name, false}, {"NextToken", &string, false});

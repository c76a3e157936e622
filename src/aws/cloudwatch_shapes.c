/*
 * What CloudWatch's requests hold. Only types are checked here: what is missing or out of range CloudWatch says in words of its own (cloudwatch_param.c), which name the
 * parameter as a form would.
 */
#include "aws/cloudwatch.h"

#define MEMBERS(shape_name, ...)                                                                                                          \
    static const struct shape_member shape_name##_members[] = {__VA_ARGS__, {0}};                                                         \
    static const struct shape shape_name = {.type = SHAPE_STRUCT, .member = shape_name##_members, .java = "java.util.Map"}
#define LIST(shape_name, element) static const struct shape shape_name = {.type = SHAPE_LIST, .of = &element, .java = "java.util.ArrayList"}
#define REQUEST(name, ...)                                                                                                                \
    static const struct shape_member name##_members[] = {__VA_ARGS__, {0}};                                                               \
    const struct shape cw_shape_##name = {.type = SHAPE_STRUCT, .member = name##_members}

static const struct shape string = {.type = SHAPE_STRING}, number = {.type = SHAPE_DOUBLE}, integer = {.type = SHAPE_INTEGER}, time = {.type = SHAPE_TIME},
                          boolean = {.type = SHAPE_BOOLEAN};
LIST(strings, string);
LIST(numbers, number);
MEMBERS(dimension, {"Name", &string, false}, {"Value", &string, false});
LIST(dimensions, dimension);
MEMBERS(statistic_set, {"SampleCount", &number, false}, {"Sum", &number, false}, {"Minimum", &number, false}, {"Maximum", &number, false});
MEMBERS(datum, {"MetricName", &string, false}, {"Dimensions", &dimensions, false}, {"Timestamp", &time, false}, {"Value", &number, false},
    {"StatisticValues", &statistic_set, false}, {"Values", &numbers, false}, {"Counts", &numbers, false}, {"Unit", &string, false}, {"StorageResolution", &integer, false});
LIST(data, datum);
static const struct shape words = {.type = SHAPE_MAP, .of = &string};
MEMBERS(entity, {"KeyAttributes", &words, false}, {"Attributes", &words, false});
MEMBERS(entity_datum, {"Entity", &entity, false}, {"MetricData", &data, false});
LIST(entity_data, entity_datum);
MEMBERS(metric, {"Namespace", &string, false}, {"MetricName", &string, false}, {"Dimensions", &dimensions, false});
MEMBERS(metric_stat, {"Metric", &metric, false}, {"Period", &integer, false}, {"Stat", &string, false}, {"Unit", &string, false});
MEMBERS(data_query, {"Id", &string, false}, {"MetricStat", &metric_stat, false}, {"Expression", &string, false}, {"Label", &string, false},
    {"ReturnData", &boolean, false}, {"Period", &integer, false}, {"AccountId", &string, false});
LIST(data_queries, data_query);
MEMBERS(label_options, {"Timezone", &string, false});

REQUEST(put_metric_data, {"Namespace", &string, false}, {"MetricData", &data, false}, {"EntityMetricData", &entity_data, false},
    {"StrictEntityValidation", &boolean, false});
REQUEST(get_metric_statistics, {"Namespace", &string, false}, {"MetricName", &string, false}, {"Dimensions", &dimensions, false}, {"StartTime", &time, false},
    {"EndTime", &time, false}, {"Period", &integer, false}, {"Statistics", &strings, false}, {"ExtendedStatistics", &strings, false}, {"Unit", &string, false});
REQUEST(get_metric_data, {"MetricDataQueries", &data_queries, false}, {"StartTime", &time, false}, {"EndTime", &time, false}, {"NextToken", &string, false},
    {"ScanBy", &string, false}, {"MaxDatapoints", &integer, false}, {"LabelOptions", &label_options, false});
REQUEST(list_metrics, {"Namespace", &string, false}, {"MetricName", &string, false}, {"Dimensions", &dimensions, false}, {"NextToken", &string, false},
    {"RecentlyActive", &string, false}, {"IncludeLinkedAccounts", &boolean, false}, {"OwningAccount", &string, false});
REQUEST(put_dashboard, {"DashboardName", &string, false}, {"DashboardBody", &string, false});
REQUEST(get_dashboard, {"DashboardName", &string, false});
REQUEST(list_dashboards, {"DashboardNamePrefix", &string, false}, {"NextToken", &string, false});
REQUEST(delete_dashboards, {"DashboardNames", &strings, false});

static const struct shape detector_types = {.type = SHAPE_LIST, .max = 2, .of = &(const struct shape){.type = SHAPE_STRING, .values = "METRIC_MATH, SINGLE_METRIC"}, .java = "java.util.ArrayList"};
static const struct shape positive = {.type = SHAPE_INTEGER, .min = 1, .max = INT32_MAX};
MEMBERS(time_range, {"StartTime", &time, true}, {"EndTime", &time, true});
LIST(time_ranges, time_range);
MEMBERS(detector_settings, {"ExcludedTimeRanges", &time_ranges, false}, {"MetricTimezone", &string, false});
MEMBERS(characteristics, {"PeriodicSpikes", &boolean, false});
MEMBERS(single_detector, {"AccountId", &string, false}, {"Namespace", &string, false}, {"MetricName", &string, false}, {"Dimensions", &dimensions, false}, {"Stat", &string, false});
MEMBERS(math_detector, {"MetricDataQueries", &data_queries, false});
const struct shape cw_shape_detector_settings = {.type = SHAPE_STRUCT, .member = detector_settings_members};
const struct shape cw_shape_characteristics = {.type = SHAPE_STRUCT, .member = characteristics_members};
const struct shape cw_shape_single_detector = {.type = SHAPE_STRUCT, .member = single_detector_members};
const struct shape cw_shape_math_detector = {.type = SHAPE_STRUCT, .member = math_detector_members};
REQUEST(put_anomaly_detector, {"Namespace", &string, false}, {"MetricName", &string, false}, {"Dimensions", &dimensions, false}, {"Stat", &string, false},
    {"Configuration", &detector_settings, false}, {"MetricCharacteristics", &characteristics, false}, {"SingleMetricAnomalyDetector", &single_detector, false},
    {"MetricMathAnomalyDetector", &math_detector, false});
REQUEST(delete_anomaly_detector, {"Namespace", &string, false}, {"MetricName", &string, false}, {"Dimensions", &dimensions, false}, {"Stat", &string, false},
    {"SingleMetricAnomalyDetector", &single_detector, false}, {"MetricMathAnomalyDetector", &math_detector, false});
REQUEST(describe_anomaly_detectors, {"NextToken", &string, false}, {"MaxResults", &positive, false}, {"Namespace", &string, false}, {"MetricName", &string, false},
    {"Dimensions", &dimensions, false}, {"AnomalyDetectorTypes", &detector_types, false});

static const struct shape rule_name = {.type = SHAPE_STRING, .min = 1, .max = 128}, rule_state = {.type = SHAPE_STRING, .min = 1, .max = 32},
                          rule_text = {.type = SHAPE_STRING, .min = 1, .max = 8192}, rule_page = {.type = SHAPE_INTEGER, .min = 1, .max = 500},
                          tag_key = {.type = SHAPE_STRING, .min = 1, .max = 128}, tag_value = {.type = SHAPE_STRING, .min = 0, .max = 256},
                          metric_word = {.type = SHAPE_STRING, .min = 1, .max = 32};
LIST(rule_names, rule_name);
LIST(metric_words, metric_word);
MEMBERS(tag, {"Key", &tag_key, true}, {"Value", &tag_value, true});
LIST(tags, tag);
REQUEST(put_insight_rule, {"RuleName", &rule_name, false}, {"RuleState", &rule_state, false}, {"RuleDefinition", &rule_text, false}, {"Tags", &tags, false},
    {"ApplyOnTransformedLogs", &boolean, false});
REQUEST(describe_insight_rules, {"NextToken", &string, false}, {"MaxResults", &rule_page, false});
REQUEST(delete_insight_rules, {"RuleNames", &rule_names, false});
REQUEST(enable_insight_rules, {"RuleNames", &rule_names, false});
REQUEST(disable_insight_rules, {"RuleNames", &rule_names, false});
REQUEST(get_insight_rule_report, {"RuleName", &rule_name, false}, {"StartTime", &time, false}, {"EndTime", &time, false}, {"Period", &positive, false},
    {"MaxContributorCount", &integer, false}, {"Metrics", &metric_words, false}, {"OrderBy", &metric_word, false});

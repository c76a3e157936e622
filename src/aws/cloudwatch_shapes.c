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

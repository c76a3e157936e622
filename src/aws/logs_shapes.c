/* The shapes of the Logs wire's requests, after its service model. Names' characters are judged by the operations: their patterns are not a table's. */
#include "aws/logs.h"

#define END {NULL, NULL, false}

static const struct shape any_string = {.type = SHAPE_STRING};
static const struct shape boolean = {.type = SHAPE_BOOLEAN};
static const struct shape any_integer = {.type = SHAPE_INTEGER, .min = INT32_MIN, .max = INT32_MAX};
static const struct shape timestamp = {.type = SHAPE_LONG};
static const struct shape name = {.type = SHAPE_STRING, .min = 1, .max = WATCH_LOG_NAME_MAX};
static const struct shape name_pattern = {.type = SHAPE_STRING, .max = WATCH_LOG_NAME_MAX};
static const struct shape identifier = {.type = SHAPE_STRING, .min = 1, .max = 2048};
static const struct shape arn = {.type = SHAPE_STRING, .min = 1, .max = 1011};
static const struct shape token = {.type = SHAPE_STRING, .min = 1};
static const struct shape describe_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 50};
static const struct shape events_limit = {.type = SHAPE_INTEGER, .min = 1, .max = WATCH_LOG_BATCH_MAX};
static const struct shape log_class = {.type = SHAPE_STRING, .values = "STANDARD, INFREQUENT_ACCESS, DELIVERY"};
static const struct shape kms_key = {.type = SHAPE_STRING, .max = 256};
static const struct shape tag_key = {.type = SHAPE_STRING, .min = 1, .max = 128};
static const struct shape tag_value = {.type = SHAPE_STRING, .max = 256};
static const struct shape tags = {.type = SHAPE_MAP, .min = 1, .max = WATCH_LOG_TAGS_MAX, .of = &tag_value, .java = "java.util.Map<java.lang.String, java.lang.String>"};
static const struct shape tag_list = {.type = SHAPE_LIST, .min = 1, .of = &tag_key};
static const struct shape tag_keys = {.type = SHAPE_LIST, .max = 50, .of = &tag_key};
static const struct shape pattern = {.type = SHAPE_STRING, .max = WATCH_PATTERN_MAX};

#define INPUT(what, ...)                                                                                                                  \
    static const struct shape_member what##_input[] = {__VA_ARGS__, END};                                                                 \
    const struct shape logs_shape_##what = {.type = SHAPE_STRUCT, .member = what##_input, .java = "java.util.Map"}
#define GROUP {"logGroupName", &name, true}
#define EITHER {"logGroupName", &name, false}, {"logGroupIdentifier", &identifier, false}

INPUT(create_group, GROUP, {"kmsKeyId", &kms_key, false}, {"tags", &tags, false}, {"logGroupClass", &log_class, false}, {"deletionProtectionEnabled", &boolean, false});
INPUT(group_alone, GROUP);
static const struct shape identifiers = {.type = SHAPE_LIST, .min = 1, .max = 50, .of = &identifier};
static const struct shape accounts = {.type = SHAPE_LIST, .max = 20, .of = &any_string};
INPUT(describe_groups, {"accountIdentifiers", &accounts, false}, {"logGroupNamePrefix", &name, false}, {"logGroupNamePattern", &name_pattern, false}, {"nextToken", &token, false},
    {"limit", &describe_limit, false}, {"includeLinkedAccounts", &boolean, false}, {"logGroupClass", &log_class, false}, {"logGroupIdentifiers", &identifiers, false});
INPUT(put_retention, GROUP, {"retentionInDays", &any_integer, true});
INPUT(stream_alone, GROUP, {"logStreamName", &name, true});
static const struct shape order_by = {.type = SHAPE_STRING, .values = "LogStreamName, LastEventTime"};
INPUT(describe_streams, EITHER, {"logStreamNamePrefix", &name, false}, {"orderBy", &order_by, false}, {"descending", &boolean, false}, {"nextToken", &token, false},
    {"limit", &describe_limit, false});

static const struct shape message = {.type = SHAPE_STRING, .min = 1};
static const struct shape_member event_members[] = {{"timestamp", &timestamp, true}, {"message", &message, true}, END};
static const struct shape event = {.type = SHAPE_STRUCT, .member = event_members};
static const struct shape events = {.type = SHAPE_LIST, .min = 1, .max = WATCH_LOG_BATCH_MAX, .of = &event};
INPUT(put, GROUP, {"logStreamName", &name, true}, {"logEvents", &events, true}, {"sequenceToken", &token, false});
INPUT(get, EITHER, {"logStreamName", &name, true}, {"startTime", &timestamp, false}, {"endTime", &timestamp, false}, {"nextToken", &token, false}, {"limit", &events_limit, false},
    {"startFromHead", &boolean, false}, {"unmask", &boolean, false});
static const struct shape names = {.type = SHAPE_LIST, .min = 1, .max = 100, .of = &name};
INPUT(filter, EITHER, {"logStreamNames", &names, false}, {"logStreamNamePrefix", &name, false}, {"startTime", &timestamp, false}, {"endTime", &timestamp, false},
    {"filterPattern", &pattern, false}, {"nextToken", &token, false}, {"limit", &events_limit, false}, {"interleaved", &boolean, false}, {"unmask", &boolean, false});

INPUT(tag_group, GROUP, {"tags", &tags, true});
INPUT(untag_group, GROUP, {"tags", &tag_list, true});
INPUT(tag, {"resourceArn", &arn, true}, {"tags", &tags, true});
INPUT(untag, {"resourceArn", &arn, true}, {"tagKeys", &tag_keys, true});
INPUT(list_tags, {"resourceArn", &arn, true});

static const struct shape metric_name = {.type = SHAPE_STRING, .max = 255};
static const struct shape metric_value = {.type = SHAPE_STRING, .max = 100};
static const struct shape number = {.type = SHAPE_TIME}; /* any number */
static const struct shape dimension = {.type = SHAPE_STRING, .max = 255};
static const struct shape dimensions = {.type = SHAPE_MAP, .of = &dimension, .java = "java.util.Map<java.lang.String, java.lang.String>"};
static const struct shape unit = {.type = SHAPE_STRING,
    .values = "Seconds, Microseconds, Milliseconds, Bytes, Kilobytes, Megabytes, Gigabytes, Terabytes, Bits, Kilobits, Megabits, Gigabits, Terabits, Percent, Count, "
              "Bytes/Second, Kilobytes/Second, Megabytes/Second, Gigabytes/Second, Terabytes/Second, Bits/Second, Kilobits/Second, Megabits/Second, Gigabits/Second, "
              "Terabits/Second, Count/Second, None"};
static const struct shape_member transformation_members[] = {{"metricName", &metric_name, true}, {"metricNamespace", &metric_name, true}, {"metricValue", &metric_value, true},
    {"defaultValue", &number, false}, {"dimensions", &dimensions, false}, {"unit", &unit, false}, END};
static const struct shape transformation = {.type = SHAPE_STRUCT, .member = transformation_members};
static const struct shape transformations = {.type = SHAPE_LIST, .min = 1, .max = 1, .of = &transformation};
INPUT(put_filter, GROUP, {"filterName", &name, true}, {"filterPattern", &pattern, true}, {"metricTransformations", &transformations, true},
    {"applyOnTransformedLogs", &boolean, false});
INPUT(describe_filters, {"logGroupName", &name, false}, {"filterNamePrefix", &name, false}, {"nextToken", &token, false}, {"limit", &describe_limit, false},
    {"metricName", &metric_name, false}, {"metricNamespace", &metric_name, false});
INPUT(delete_filter, GROUP, {"filterName", &name, true});
static const struct shape group_names = {.type = SHAPE_LIST, .max = 50, .of = &name};
static const struct shape query_text = {.type = SHAPE_STRING, .max = 10000};
static const struct shape moment = {.type = SHAPE_LONG};
static const struct shape query_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 10000};
static const struct shape query_id = {.type = SHAPE_STRING, .max = 256};
static const struct shape query_status = {.type = SHAPE_STRING, .values = "Scheduled, Running, Complete, Failed, Cancelled, Timeout, Unknown"};
static const struct shape query_language = {.type = SHAPE_STRING, .values = "CWLI, SQL, PPL"};
static const struct shape queries_max = {.type = SHAPE_INTEGER, .min = 1, .max = 1000};
INPUT(start_query, {"queryLanguage", &query_language, false}, {"logGroupName", &name, false}, {"logGroupNames", &group_names, false},
    {"logGroupIdentifiers", &identifiers, false}, {"startTime", &moment, true}, {"endTime", &moment, true}, {"queryString", &query_text, true}, {"limit", &query_limit, false});
INPUT(query_id, {"queryId", &query_id, true});
INPUT(describe_queries, {"logGroupName", &name, false}, {"status", &query_status, false}, {"maxResults", &queries_max, false}, {"nextToken", &token, false},
    {"queryLanguage", &query_language, false});
INPUT(log_record, {"logRecordPointer", &any_string, true}, {"unmask", &boolean, false});
INPUT(group_fields, EITHER, {"time", &moment, false});
static const struct shape messages = {.type = SHAPE_LIST, .min = 1, .max = 50, .of = &message};
INPUT(test_filter, {"filterPattern", &pattern, true}, {"logEventMessages", &messages, true});

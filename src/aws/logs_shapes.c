/* The shapes of the Logs wire's requests, after its service model. */
#include "aws/logs.h"

#define END {NULL, NULL, false}

/* ---- patterns ---- */

static bool has_any(struct text text, const char *characters)
{
    for (; *characters; characters++)
        if (text_find(text, *characters, 0) >= 0)
            return true;
    return false;
}

/* Letters and digits of ASCII, and these. */
static bool is_made_of(struct text text, const char *others)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.data[i];
        bool alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!alphanumeric && (!c || !strchr(others, c)))
            return false;
    }
    return true;
}

static bool is_group_name(struct text text)
{
    return text.len && is_made_of(text, ".-_/#");
}

static bool is_group_part(struct text text)
{
    return is_made_of(text, ".-_/#");
}

/* Identifiers may end on ":*", which the model leaves out and clients send. */
static bool is_identifier(struct text text)
{
    return is_made_of(text, "_#+=/:,.@-*");
}

static bool is_stream_name(struct text text)
{
    return !has_any(text, ":*");
}

static bool is_metric_name(struct text text)
{
    return !has_any(text, ":*$");
}

/* ---- what requests are made of ---- */

static const struct shape any_string = {.type = SHAPE_STRING};
static const struct shape boolean = {.type = SHAPE_BOOLEAN};
static const struct shape any_integer = {.type = SHAPE_INTEGER, .min = INT32_MIN, .max = INT32_MAX};
static const struct shape timestamp = {.type = SHAPE_LONG};
static const struct shape group_name = {.type = SHAPE_STRING, .min = 1, .max = WATCH_LOG_NAME_MAX, .pattern = "[\\.\\-_/#A-Za-z0-9]+", .holds = is_group_name};
static const struct shape stream_name = {.type = SHAPE_STRING, .min = 1, .max = WATCH_LOG_NAME_MAX, .pattern = "[^:*]*", .holds = is_stream_name};
static const struct shape name_pattern = {.type = SHAPE_STRING, .max = WATCH_LOG_NAME_MAX, .pattern = "[\\.\\-_/#A-Za-z0-9]*", .holds = is_group_part};
static const struct shape identifier = {.type = SHAPE_STRING, .min = 1, .max = 2048, .pattern = "[\\w#+=/:,.@-]*", .holds = is_identifier};
static const struct shape arn = {.type = SHAPE_STRING, .min = 1, .max = 1011, .pattern = "[\\w+=/:,.@-]*", .holds = is_identifier};
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
#define GROUP {"logGroupName", &group_name, true}
#define EITHER {"logGroupName", &group_name, false}, {"logGroupIdentifier", &identifier, false}

INPUT(create_group, GROUP, {"kmsKeyId", &kms_key, false}, {"tags", &tags, false}, {"logGroupClass", &log_class, false}, {"deletionProtectionEnabled", &boolean, false});
INPUT(group_alone, GROUP);
static const struct shape identifiers = {.type = SHAPE_LIST, .min = 1, .max = 50, .of = &identifier};
static const struct shape accounts = {.type = SHAPE_LIST, .max = 20, .of = &any_string};
INPUT(describe_groups, {"accountIdentifiers", &accounts, false}, {"logGroupNamePrefix", &group_name, false}, {"logGroupNamePattern", &name_pattern, false}, {"nextToken", &token, false},
    {"limit", &describe_limit, false}, {"includeLinkedAccounts", &boolean, false}, {"logGroupClass", &log_class, false}, {"logGroupIdentifiers", &identifiers, false});
INPUT(put_retention, GROUP, {"retentionInDays", &any_integer, true});
INPUT(stream_alone, GROUP, {"logStreamName", &stream_name, true});
static const struct shape order_by = {.type = SHAPE_STRING, .values = "LogStreamName, LastEventTime"};
INPUT(describe_streams, EITHER, {"logStreamNamePrefix", &stream_name, false}, {"orderBy", &order_by, false}, {"descending", &boolean, false}, {"nextToken", &token, false},
    {"limit", &describe_limit, false});

static const struct shape message = {.type = SHAPE_STRING, .min = 1};
static const struct shape_member event_members[] = {{"timestamp", &timestamp, true}, {"message", &message, true}, END};
static const struct shape event = {.type = SHAPE_STRUCT, .member = event_members};
static const struct shape events = {.type = SHAPE_LIST, .min = 1, .max = WATCH_LOG_BATCH_MAX, .of = &event};
static const struct shape entity = {.type = SHAPE_STRUCT};
INPUT(put, GROUP, {"logStreamName", &stream_name, true}, {"logEvents", &events, true}, {"sequenceToken", &token, false}, {"entity", &entity, false});
INPUT(get, EITHER, {"logStreamName", &stream_name, true}, {"startTime", &timestamp, false}, {"endTime", &timestamp, false}, {"nextToken", &token, false}, {"limit", &events_limit, false},
    {"startFromHead", &boolean, false}, {"unmask", &boolean, false});
static const struct shape names = {.type = SHAPE_LIST, .min = 1, .max = 100, .of = &stream_name};
INPUT(filter, EITHER, {"logStreamNames", &names, false}, {"logStreamNamePrefix", &stream_name, false}, {"startTime", &timestamp, false}, {"endTime", &timestamp, false},
    {"filterPattern", &pattern, false}, {"nextToken", &token, false}, {"limit", &events_limit, false}, {"interleaved", &boolean, false}, {"unmask", &boolean, false});

INPUT(tag_group, GROUP, {"tags", &tags, true});
INPUT(untag_group, GROUP, {"tags", &tag_list, true});
INPUT(tag, {"resourceArn", &arn, true}, {"tags", &tags, true});
INPUT(untag, {"resourceArn", &arn, true}, {"tagKeys", &tag_keys, true});
INPUT(list_tags, {"resourceArn", &arn, true});

static const struct shape metric_name = {.type = SHAPE_STRING, .max = 255, .pattern = "[^:*$]*", .holds = is_metric_name};
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
INPUT(put_filter, GROUP, {"filterName", &stream_name, true}, {"filterPattern", &pattern, true}, {"metricTransformations", &transformations, true},
    {"applyOnTransformedLogs", &boolean, false});
INPUT(describe_filters, {"logGroupName", &group_name, false}, {"filterNamePrefix", &stream_name, false}, {"nextToken", &token, false}, {"limit", &describe_limit, false},
    {"metricName", &metric_name, false}, {"metricNamespace", &metric_name, false});
INPUT(delete_filter, GROUP, {"filterName", &stream_name, true});
static const struct shape group_names = {.type = SHAPE_LIST, .max = 50, .of = &group_name};
static const struct shape query_text = {.type = SHAPE_STRING, .max = 10000};
static const struct shape moment = {.type = SHAPE_LONG};
static const struct shape query_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 10000};
static const struct shape query_id = {.type = SHAPE_STRING, .min = 1, .max = 256};
static const struct shape query_status = {.type = SHAPE_STRING, .values = "Scheduled, Running, Complete, Failed, Cancelled, Timeout, Unknown"};
static const struct shape query_language = {.type = SHAPE_STRING, .values = "CWLI, SQL, PPL"};
static const struct shape queries_max = {.type = SHAPE_INTEGER, .min = 1, .max = 1000};
INPUT(start_query, {"queryLanguage", &query_language, false}, {"logGroupName", &group_name, false}, {"logGroupNames", &group_names, false},
    {"logGroupIdentifiers", &identifiers, false}, {"startTime", &moment, true}, {"endTime", &moment, true}, {"queryString", &query_text, true}, {"limit", &query_limit, false});
INPUT(query_id, {"queryId", &query_id, true});
static const struct shape page_token = {.type = SHAPE_STRING, .max = 1024};
static const struct shape page_items = {.type = SHAPE_INTEGER, .max = 10000};
INPUT(query_results, {"queryId", &query_id, true}, {"nextToken", &page_token, false}, {"maxItems", &page_items, false});
INPUT(describe_queries, {"logGroupName", &group_name, false}, {"status", &query_status, false}, {"maxResults", &queries_max, false}, {"nextToken", &token, false},
    {"queryLanguage", &query_language, false});
INPUT(log_record, {"logRecordPointer", &any_string, true}, {"unmask", &boolean, false});
INPUT(group_fields, EITHER, {"time", &moment, false});
static const struct shape messages = {.type = SHAPE_LIST, .min = 1, .max = 50, .of = &message};
INPUT(test_filter, {"filterPattern", &pattern, true}, {"logEventMessages", &messages, true});

/* ---- subscriptions, destinations, saved queries, policies, keys ---- */

static const struct shape some_string = {.type = SHAPE_STRING, .min = 1};
static const struct shape list_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 1000};
static const struct shape distribution = {.type = SHAPE_STRING, .values = "Random, ByLogStream"};
INPUT(put_subscription, GROUP, {"filterName", &stream_name, true}, {"filterPattern", &pattern, true}, {"destinationArn", &some_string, true}, {"roleArn", &some_string, false},
    {"distribution", &distribution, false}, {"applyOnTransformedLogs", &boolean, false});
INPUT(describe_subscriptions, GROUP, {"filterNamePrefix", &stream_name, false}, {"nextToken", &token, false}, {"limit", &describe_limit, false});
INPUT(put_destination, {"destinationName", &stream_name, true}, {"targetArn", &some_string, true}, {"roleArn", &some_string, true}, {"tags", &tags, false});
INPUT(destination_policy, {"destinationName", &stream_name, true}, {"accessPolicy", &some_string, true}, {"forceUpdate", &boolean, false});
INPUT(describe_destinations, {"DestinationNamePrefix", &stream_name, false}, {"nextToken", &token, false}, {"limit", &describe_limit, false});
INPUT(delete_destination, {"destinationName", &stream_name, true});
static const struct shape query_name = {.type = SHAPE_STRING, .min = 1, .max = 255};
static const struct shape saved_text = {.type = SHAPE_STRING, .min = 1, .max = 10000};
static const struct shape client_token = {.type = SHAPE_STRING, .min = 36, .max = 128};
INPUT(put_query, {"queryLanguage", &query_language, false}, {"name", &query_name, true}, {"queryDefinitionId", &query_id, false}, {"logGroupNames", &group_names, false},
    {"queryString", &saved_text, true}, {"clientToken", &client_token, false});
INPUT(describe_saved, {"queryLanguage", &query_language, false}, {"queryDefinitionNamePrefix", &query_name, false}, {"maxResults", &list_limit, false}, {"nextToken", &token, false});
INPUT(delete_query, {"queryDefinitionId", &query_id, true});
static const struct shape policy_document = {.type = SHAPE_STRING, .min = 1, .max = 51200};
static const struct shape policy_scope = {.type = SHAPE_STRING, .values = "ACCOUNT, RESOURCE"};
INPUT(put_policy, {"policyName", &any_string, false}, {"policyDocument", &policy_document, false}, {"resourceArn", &any_string, false}, {"expectedRevisionId", &some_string, false});
INPUT(describe_policies, {"nextToken", &token, false}, {"limit", &describe_limit, false}, {"resourceArn", &any_string, false}, {"policyScope", &policy_scope, false});
INPUT(delete_policy, {"policyName", &any_string, false}, {"resourceArn", &any_string, false}, {"expectedRevisionId", &some_string, false});
static const struct shape kms_resource = {.type = SHAPE_STRING, .min = 1, .max = 2048, .pattern = "[\\w+=/:,.@\\-\\*]*", .holds = is_identifier};
INPUT(associate_key, {"logGroupName", &group_name, false}, {"kmsKeyId", &kms_key, true}, {"resourceIdentifier", &kms_resource, false});
INPUT(disassociate_key, {"logGroupName", &group_name, false}, {"resourceIdentifier", &kms_resource, false});
INPUT(put_guard, {"logGroupIdentifier", &identifier, true}, {"deletionProtectionEnabled", &boolean, true});
static const struct shape list_pattern = {.type = SHAPE_STRING, .min = 3, .max = 129};
static const struct shape tag_pattern = {.type = SHAPE_STRING, .max = 259};
static const struct shape tag_patterns = {.type = SHAPE_LIST, .max = 5, .of = &tag_pattern};
static const struct shape_member tag_filter_members[] = {{"key", &tag_key, true}, {"values", &tag_patterns, false}, END};
static const struct shape tag_filter = {.type = SHAPE_STRUCT, .member = tag_filter_members};
static const struct shape tag_filters = {.type = SHAPE_LIST, .min = 1, .max = 5, .of = &tag_filter};
static const struct shape field_indexes = {.type = SHAPE_LIST, .min = 1, .max = 20, .of = &group_name};
static const struct shape data_source = {.type = SHAPE_STRUCT};
static const struct shape data_sources = {.type = SHAPE_LIST, .min = 1, .max = 5, .of = &data_source};
INPUT(list_groups, {"logGroupNamePattern", &list_pattern, false}, {"logGroupClass", &log_class, false}, {"includeLinkedAccounts", &boolean, false},
    {"accountIdentifiers", &accounts, false}, {"nextToken", &token, false}, {"limit", &list_limit, false}, {"dataSources", &data_sources, false},
    {"fieldIndexNames", &field_indexes, false}, {"logGroupTags", &tag_filters, false});
static const struct shape query_groups_max = {.type = SHAPE_INTEGER, .min = 50, .max = 500};
INPUT(query_groups, {"queryId", &query_id, true}, {"nextToken", &token, false}, {"maxResults", &query_groups_max, false});
static const struct shape tailed = {.type = SHAPE_LIST, .min = 1, .max = 10, .of = &identifier};
INPUT(tail, {"logGroupIdentifiers", &tailed, true}, {"logStreamNames", &names, false}, {"logStreamNamePrefixes", &names, false}, {"logEventFilterPattern", &pattern, false});
static const struct shape task_text = {.type = SHAPE_STRING, .min = 1, .max = 512};
static const struct shape task_status = {.type = SHAPE_STRING, .values = "CANCELLED, COMPLETED, FAILED, PENDING, PENDING_CANCEL, RUNNING"};
INPUT(create_export, {"taskName", &task_text, false}, GROUP, {"logStreamNamePrefix", &stream_name, false}, {"from", &timestamp, true}, {"to", &timestamp, true},
    {"destination", &task_text, true}, {"destinationPrefix", &any_string, false});
INPUT(cancel_export, {"taskId", &task_text, true});
INPUT(describe_exports, {"taskId", &task_text, false}, {"statusCode", &task_status, false}, {"nextToken", &token, false}, {"limit", &describe_limit, false});

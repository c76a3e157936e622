/* The Logs wire's table of operations. To add an operation: a shape in logs_shapes.c, its steps in a file of its kind, a row here. */
#include "aws/logs.h"

#define ROW(name, shape, way, flags, prepare, perform, answer) {name, &logs_shape_##shape, way, flags, prepare, perform, answer},
#define GROUP(name, shape, way, perform) ROW(name, shape, way, AWS_OWN_ACCESS, logs_group_prepare, perform, NULL)
#define RESOURCE(name, shape, way, perform) ROW(name, shape, way, AWS_OWN_ACCESS, logs_resource_prepare, perform, NULL)
static const struct aws_operation operations[] = {
    /* what is called most stands first */
    ROW("PutLogEvents", put, AWS_WRITE, AWS_OWN_ACCESS, logs_put_prepare, logs_put_perform, logs_put_answer)
    ROW("FilterLogEvents", filter, AWS_SCAN, AWS_OWN_ACCESS, logs_filter_prepare, logs_filter_perform, NULL)
    ROW("GetLogEvents", get, AWS_SCAN, AWS_OWN_ACCESS, logs_get_prepare, logs_get_perform, NULL)
    ROW("CreateLogGroup", create_group, AWS_WRITE, AWS_OWN_ACCESS, logs_create_group_prepare, logs_create_group_perform, NULL)
    GROUP("DeleteLogGroup", group_alone, AWS_WRITE, logs_delete_group_perform)
    ROW("DescribeLogGroups", describe_groups, AWS_SCAN, AWS_OWN_ACCESS, logs_describe_groups_prepare, logs_describe_groups_perform, NULL)
    ROW("PutRetentionPolicy", put_retention, AWS_WRITE, AWS_OWN_ACCESS, logs_retention_prepare, logs_put_retention_perform, NULL)
    GROUP("DeleteRetentionPolicy", group_alone, AWS_WRITE, logs_delete_retention_perform)
    GROUP("CreateLogStream", stream_alone, AWS_WRITE, logs_create_stream_perform)
    GROUP("DeleteLogStream", stream_alone, AWS_WRITE, logs_delete_stream_perform)
    ROW("DescribeLogStreams", describe_streams, AWS_SCAN, AWS_OWN_ACCESS, logs_describe_streams_prepare, logs_describe_streams_perform, NULL)
    GROUP("TagLogGroup", tag_group, AWS_WRITE, logs_tag_perform)
    GROUP("UntagLogGroup", untag_group, AWS_WRITE, logs_untag_group_perform)
    GROUP("ListTagsLogGroup", group_alone, AWS_SCAN, logs_list_tags_perform)
    RESOURCE("TagResource", tag, AWS_WRITE, logs_tag_perform)
    RESOURCE("UntagResource", untag, AWS_WRITE, logs_untag_perform)
    RESOURCE("ListTagsForResource", list_tags, AWS_SCAN, logs_list_tags_perform)
    ROW("PutMetricFilter", put_filter, AWS_WRITE, AWS_OWN_ACCESS, logs_put_filter_prepare, logs_put_filter_perform, NULL)
    ROW("DescribeMetricFilters", describe_filters, AWS_SCAN, AWS_OWN_ACCESS, logs_describe_filters_prepare, logs_describe_filters_perform, NULL)
    GROUP("DeleteMetricFilter", delete_filter, AWS_WRITE, logs_delete_filter_perform)
    ROW("StartQuery", start_query, AWS_SCAN, AWS_OWN_ACCESS, logs_start_query_prepare, logs_start_query_perform, NULL)
    ROW("GetQueryResults", query_id, AWS_SCAN, 0, NULL, logs_query_results_perform, NULL)
    ROW("StopQuery", query_id, AWS_READ, 0, NULL, logs_stop_query_perform, NULL)
    ROW("DescribeQueries", describe_queries, AWS_SCAN, 0, logs_describe_queries_prepare, logs_describe_queries_perform, NULL)
    ROW("GetLogRecord", log_record, AWS_SCAN, 0, logs_record_prepare, logs_record_perform, NULL)
    ROW("GetLogGroupFields", group_fields, AWS_SCAN, AWS_OWN_ACCESS, logs_group_fields_prepare, logs_group_fields_perform, NULL)
    ROW("TestMetricFilter", test_filter, AWS_READ, 0, logs_test_filter_prepare, NULL, NULL)
    {0}
};

const struct aws_service logs_service = {
    .target = "Logs_20140328.", .signing = "logs", .operations = operations, .json11 = true, .short_types = true, .no_sum = true, .invalid = LOGS_INVALID};

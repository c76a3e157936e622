/* DynamoDB Streams: the shapes of its requests, after the service model (dynamodbstreams 2012-08-10), and its operations. */
#include "aws/streams.h"

#define END {NULL, NULL, false}

static const struct shape table_name = {.type = SHAPE_STRING, .min = 3, .max = 255, .pattern = "[a-zA-Z0-9_.-]+"};
static const struct shape stream_arn = {.type = SHAPE_STRING, .min = 37, .max = 1024};
static const struct shape shard_id = {.type = SHAPE_STRING, .min = 28, .max = 65};
static const struct shape hundred = {.type = SHAPE_INTEGER, .min = 1, .max = 100};
static const struct shape any_limit = {.type = SHAPE_INTEGER, .min = 1}; /* too large is a fault of its own */
static const struct shape iterator = {.type = SHAPE_STRING, .min = 1, .max = 2048};
static const struct shape sequence = {.type = SHAPE_STRING, .min = 21, .max = 40};
static const struct shape iterator_type = {.type = SHAPE_STRING, .values = "AFTER_SEQUENCE_NUMBER, LATEST, AT_SEQUENCE_NUMBER, TRIM_HORIZON"};
static const struct shape filter_type = {.type = SHAPE_STRING, .values = "CHILD_SHARDS"};
static const struct shape_member filter_members[] = {{"Type", &filter_type, false}, {"ShardId", &shard_id, false}, END};
static const struct shape filter = {.type = SHAPE_STRUCT, .member = filter_members, .java = "class com.amazonaws.dynamodb.v20120810.ShardFilter"};

#define INPUT(name, ...)                                                                                                                  \
    static const struct shape_member name##_members[] = {__VA_ARGS__, END};                                                               \
    static const struct shape name##_input = {.type = SHAPE_STRUCT, .member = name##_members, .java = "java.util.Map"}
INPUT(list, {"TableName", &table_name, false}, {"Limit", &hundred, false}, {"ExclusiveStartStreamArn", &stream_arn, false});
INPUT(describe, {"StreamArn", &stream_arn, true}, {"Limit", &hundred, false}, {"ExclusiveStartShardId", &shard_id, false}, {"ShardFilter", &filter, false});
INPUT(iterator, {"StreamArn", &stream_arn, true}, {"ShardId", &shard_id, true}, {"ShardIteratorType", &iterator_type, true},
    {"SequenceNumber", &sequence, false});
INPUT(records, {"ShardIterator", &iterator, true}, {"Limit", &any_limit, false});

static const struct aws_operation operations[] = {
    {"GetRecords", &records_input, AWS_READ, AWS_OWN_ACCESS, streams_records_prepare, streams_records_perform, NULL},
    {"GetShardIterator", &iterator_input, AWS_READ, 0, streams_iterator_prepare, streams_iterator_perform, NULL},
    {"DescribeStream", &describe_input, AWS_READ, 0, streams_describe_prepare, streams_describe_perform, NULL},
    {"ListStreams", &list_input, AWS_READ, 0, streams_list_prepare, streams_list_perform, NULL},
    {0},
};

const struct aws_service streams_service = {.target = "DynamoDBStreams_20120810.", .signing = "dynamodb", .operations = operations};

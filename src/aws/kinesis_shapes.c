/* The shapes of Kinesis' requests, after its service model. */
#include "aws/kinesis.h"

#define END {NULL, NULL, false}
#define CLASS(name) "com.amazonaws.kinesis.v20131202." name

static const struct shape any_string = {.type = SHAPE_STRING};
static const struct shape boolean = {.type = SHAPE_BOOLEAN};
static const struct shape any_integer = {.type = SHAPE_INTEGER, .min = INT32_MIN, .max = INT32_MAX};
static const struct shape positive = {.type = SHAPE_INTEGER, .min = 1, .max = 1000000};
static const struct shape timestamp = {.type = SHAPE_TIME};
static const struct shape stream_name = {.type = SHAPE_STRING, .min = 1, .max = GW_STREAM_NAME_MAX, .pattern = "[a-zA-Z0-9_.-]+"};
static const struct shape arn = {.type = SHAPE_STRING, .min = 1, .max = 2048, .pattern = "arn:aws.*:kinesis:.*:\\d{12}:stream/.+", .holds = kinesis_is_stream_arn};
static const struct shape resource_arn = {.type = SHAPE_STRING, .min = 1, .max = 2048, .pattern = "arn:aws.*:kinesis:.*:\\d{12}:.*stream/.+", .holds = kinesis_is_resource_arn};
static const struct shape consumer_arn = {.type = SHAPE_STRING, .min = 1, .max = 2048,
    .pattern = "^(arn):aws.*:kinesis:.*:\\d{12}:.*stream\\/[a-zA-Z0-9_.-]+\\/consumer\\/[a-zA-Z0-9_.-]+:[0-9]+", .holds = kinesis_is_consumer_arn};
static const struct shape sequence = {.type = SHAPE_STRING, .pattern = "0|([1-9]\\d{0,128})", .holds = kinesis_is_sequence};
static const struct shape hash_key = {.type = SHAPE_STRING, .pattern = "0|([1-9]\\d{0,38})", .holds = kinesis_is_hash_key};
static const struct shape partition_key = {.type = SHAPE_STRING, .min = 1}; /* at most 256 characters, which are not bytes: kinesis_put.c */
static const struct shape shard_id = {.type = SHAPE_STRING, .min = 1, .max = 128, .pattern = "[a-zA-Z0-9_.-]+"};
static const struct shape token = {.type = SHAPE_STRING, .min = 1, .max = 1048576};
static const struct shape stream_mode = {.type = SHAPE_STRING, .values = "PROVISIONED, ON_DEMAND"};
static const struct shape_member mode_members[] = {{"StreamMode", &stream_mode, true}, END};
static const struct shape mode_details = {.type = SHAPE_STRUCT, .member = mode_members, .java = CLASS("StreamModeDetails")};
static const struct shape tag_key = {.type = SHAPE_STRING, .min = 1, .max = 128};
static const struct shape tag_value = {.type = SHAPE_STRING, .max = 256};
static const struct shape tag_map = {.type = SHAPE_MAP, .min = 1, .max = 200, .of = &tag_value, .java = "java.util.Map<java.lang.String, java.lang.String>"};
static const struct shape new_tags = {.type = SHAPE_MAP, .max = 200, .of = &tag_value, .java = "java.util.Map<java.lang.String, java.lang.String>"};
static const struct shape tag_keys = {.type = SHAPE_LIST, .min = 1, .max = 50, .of = &tag_key};

#define INPUT(name, ...)                                                                                                                  \
    static const struct shape_member name##_input[] = {__VA_ARGS__, END};                                                                 \
    const struct shape kinesis_shape_##name = {.type = SHAPE_STRUCT, .member = name##_input, .java = "java.util.Map"}
#define NAMES {"StreamName", &stream_name, false}, {"StreamARN", &arn, false}

const struct shape kinesis_shape_nothing = {.type = SHAPE_STRUCT};
static const struct shape record_kib = {.type = SHAPE_INTEGER, .min = 1024, .max = 10240};
INPUT(create, {"StreamName", &stream_name, true}, {"ShardCount", &positive, false}, {"StreamModeDetails", &mode_details, false}, {"Tags", &new_tags, false},
    {"MaxRecordSizeInKiB", &record_kib, false});
INPUT(delete, NAMES, {"EnforceConsumerDeletion", &boolean, false});
static const struct shape list_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 10000};
INPUT(list, {"Limit", &list_limit, false}, {"ExclusiveStartStreamName", &stream_name, false}, {"NextToken", &token, false});
INPUT(stream_alone, NAMES);
INPUT(describe, NAMES, {"Limit", &list_limit, false}, {"ExclusiveStartShardId", &shard_id, false});
static const struct shape filter_type = {
    .type = SHAPE_STRING, .values = "AFTER_SHARD_ID, AT_TRIM_HORIZON, FROM_TRIM_HORIZON, AT_LATEST, AT_TIMESTAMP, FROM_TIMESTAMP"};
static const struct shape_member filter_members[] = {{"Type", &filter_type, true}, {"ShardId", &shard_id, false}, {"Timestamp", &timestamp, false}, END};
static const struct shape shard_filter = {.type = SHAPE_STRUCT, .member = filter_members, .java = CLASS("ShardFilter")};
INPUT(list_shards, NAMES, {"NextToken", &token, false}, {"ExclusiveStartShardId", &shard_id, false}, {"MaxResults", &list_limit, false},
    {"StreamCreationTimestamp", &timestamp, false}, {"ShardFilter", &shard_filter, false});

INPUT(put_record, NAMES, {"Data", &any_string, true}, {"PartitionKey", &partition_key, true}, {"ExplicitHashKey", &hash_key, false},
    {"SequenceNumberForOrdering", &sequence, false}, {"DryRun", &boolean, false});
static const struct shape_member entry_members[] = {{"Data", &any_string, true}, {"ExplicitHashKey", &hash_key, false}, {"PartitionKey", &partition_key, true}, END};
static const struct shape entry = {.type = SHAPE_STRUCT, .member = entry_members, .java = CLASS("PutRecordsRequestEntry")};
static const struct shape entries = {.type = SHAPE_LIST, .min = 1, .max = GW_RECORDS_BATCH_MAX, .of = &entry};
INPUT(put_records, {"Records", &entries, true}, NAMES, {"DryRun", &boolean, false});

static const struct shape iterator_type = {
    .type = SHAPE_STRING, .values = "AFTER_SEQUENCE_NUMBER, LATEST, AT_TIMESTAMP, AT_SEQUENCE_NUMBER, TRIM_HORIZON"};
INPUT(get_iterator, NAMES, {"ShardId", &shard_id, true}, {"ShardIteratorType", &iterator_type, true}, {"StartingSequenceNumber", &sequence, false},
    {"Timestamp", &timestamp, false});
static const struct shape iterator = {.type = SHAPE_STRING, .min = 1, .max = GW_RECORDS_TOKEN_MAX};
static const struct shape get_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 10000};
INPUT(get_records, {"ShardIterator", &iterator, true}, {"Limit", &get_limit, false}, {"StreamARN", &arn, false});

INPUT(split, NAMES, {"ShardToSplit", &shard_id, true}, {"NewStartingHashKey", &hash_key, true});
INPUT(merge, NAMES, {"ShardToMerge", &shard_id, true}, {"AdjacentShardToMerge", &shard_id, true});
static const struct shape scaling = {.type = SHAPE_STRING, .values = "UNIFORM_SCALING"};
INPUT(scale, NAMES, {"TargetShardCount", &positive, true}, {"ScalingType", &scaling, true});
INPUT(retention, NAMES, {"RetentionPeriodHours", &any_integer, true});

INPUT(add_tags, NAMES, {"Tags", &tag_map, true});
INPUT(remove_tags, NAMES, {"TagKeys", &tag_keys, true});
static const struct shape tags_limit = {.type = SHAPE_INTEGER, .min = 1, .max = 50};
INPUT(list_stream_tags, NAMES, {"ExclusiveStartTagKey", &tag_key, false}, {"Limit", &tags_limit, false});
INPUT(tag, {"Tags", &tag_map, true}, {"ResourceARN", &resource_arn, true});
INPUT(untag, {"TagKeys", &tag_keys, true}, {"ResourceARN", &resource_arn, true});
INPUT(list_tags, {"ResourceARN", &resource_arn, true});
INPUT(mode, {"StreamARN", &arn, true}, {"StreamModeDetails", &mode_details, true});
static const struct shape metric = {.type = SHAPE_STRING, .values = KINESIS_METRICS};
static const struct shape metric_list = {.type = SHAPE_LIST, .min = 1, .max = 7, .of = &metric};
INPUT(metrics, NAMES, {"ShardLevelMetrics", &metric_list, true});

static const struct shape consumer_name = {.type = SHAPE_STRING, .min = 1, .max = 128, .pattern = "[a-zA-Z0-9_.-]+"};
INPUT(register, {"StreamARN", &arn, true}, {"ConsumerName", &consumer_name, true}, {"Tags", &new_tags, false});
INPUT(consumer, {"StreamARN", &arn, false}, {"ConsumerName", &consumer_name, false}, {"ConsumerARN", &consumer_arn, false});
INPUT(list_consumers, {"StreamARN", &arn, true}, {"NextToken", &token, false}, {"MaxResults", &list_limit, false}, {"StreamCreationTimestamp", &timestamp, false});
static const struct shape_member start_members[] = {{"Type", &iterator_type, true}, {"SequenceNumber", &sequence, false}, {"Timestamp", &timestamp, false}, END};
static const struct shape start = {.type = SHAPE_STRUCT, .member = start_members, .java = CLASS("StartingPosition")};
INPUT(subscribe, {"ConsumerARN", &consumer_arn, true}, {"ShardId", &shard_id, true}, {"StartingPosition", &start, true}, {"DryRun", &boolean, false});

static const struct shape encryption_type = {.type = SHAPE_STRING, .values = "NONE, KMS"};
static const struct shape key_id = {.type = SHAPE_STRING, .min = 1, .max = GW_STREAM_KEY_MAX};
INPUT(encryption, NAMES, {"EncryptionType", &encryption_type, true}, {"KeyId", &key_id, true});
INPUT(record_size, NAMES, {"MaxRecordSizeInKiB", &record_kib, true});

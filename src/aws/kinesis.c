/* Kinesis' table of operations. To add an operation: a shape in kinesis_shapes.c, its steps in a file of its kind, a row here. */
#include "aws/kinesis.h"

#define ROW(name, shape, way, flags, prepare, perform, answer) {name, &kinesis_shape_##shape, way, flags, prepare, perform, answer},
#define STREAM(name, shape, way, perform) ROW(name, shape, way, 0, kinesis_stream_prepare, perform, NULL)
static const struct aws_operation operations[] = {
    /* what is called most stands first */
    ROW("PutRecord", put_record, AWS_WRITE, 0, kinesis_put_record_prepare, kinesis_put_perform, kinesis_put_record_answer)
    ROW("PutRecords", put_records, AWS_WRITE, 0, kinesis_put_records_prepare, kinesis_put_perform, kinesis_put_records_answer)
    ROW("GetRecords", get_records, AWS_READ, AWS_OWN_ACCESS, kinesis_get_records_prepare, kinesis_get_records_perform, kinesis_get_records_answer)
    STREAM("GetShardIterator", get_iterator, AWS_READ, kinesis_get_iterator_perform)
    ROW("ListShards", list_shards, AWS_SCAN, AWS_OWN_ACCESS, kinesis_list_shards_prepare, kinesis_list_shards_perform, NULL)
    STREAM("DescribeStreamSummary", stream_alone, AWS_READ, kinesis_summary_perform)
    STREAM("DescribeStream", describe, AWS_SCAN, kinesis_describe_perform)
    ROW("ListStreams", list, AWS_SCAN, 0, NULL, kinesis_list_perform, NULL)
    ROW("CreateStream", create, AWS_WRITE, 0, kinesis_create_prepare, kinesis_create_perform, NULL)
    STREAM("DeleteStream", delete, AWS_WRITE, kinesis_delete_perform)
    STREAM("SplitShard", split, AWS_WRITE, kinesis_split_perform)
    STREAM("MergeShards", merge, AWS_WRITE, kinesis_merge_perform)
    STREAM("UpdateShardCount", scale, AWS_WRITE, kinesis_scale_perform)
    STREAM("IncreaseStreamRetentionPeriod", retention, AWS_WRITE, kinesis_lengthen_perform)
    STREAM("DecreaseStreamRetentionPeriod", retention, AWS_WRITE, kinesis_shorten_perform)
    STREAM("AddTagsToStream", add_tags, AWS_WRITE, kinesis_add_tags_perform)
    STREAM("RemoveTagsFromStream", remove_tags, AWS_WRITE, kinesis_remove_tags_perform)
    STREAM("ListTagsForStream", list_stream_tags, AWS_READ, kinesis_list_stream_tags_perform)
    ROW("TagResource", tag, AWS_WRITE, 0, kinesis_resource_prepare, kinesis_tag_perform, NULL)
    ROW("UntagResource", untag, AWS_WRITE, 0, kinesis_resource_prepare, kinesis_untag_perform, NULL)
    ROW("ListTagsForResource", list_tags, AWS_READ, 0, kinesis_resource_prepare, kinesis_list_tags_perform, NULL)
    ROW("UpdateStreamMode", mode, AWS_WRITE, 0, kinesis_mode_prepare, kinesis_mode_perform, NULL)
    STREAM("EnableEnhancedMonitoring", metrics, AWS_WRITE, kinesis_enable_perform)
    STREAM("DisableEnhancedMonitoring", metrics, AWS_WRITE, kinesis_disable_perform)
    ROW("DescribeLimits", nothing, AWS_SCAN, 0, NULL, kinesis_limits_perform, NULL)
    ROW("SubscribeToShard", subscribe, AWS_WRITE, AWS_OWN_ACCESS | AWS_POURS, kinesis_subscribe_prepare, kinesis_subscribe_perform, kinesis_subscribe_answer)
    ROW("RegisterStreamConsumer", register, AWS_WRITE, 0, kinesis_register_prepare, kinesis_register_perform, NULL)
    ROW("DeregisterStreamConsumer", consumer, AWS_WRITE, AWS_OWN_ACCESS, kinesis_consumer_prepare, kinesis_deregister_perform, NULL)
    ROW("DescribeStreamConsumer", consumer, AWS_READ, AWS_OWN_ACCESS, kinesis_consumer_prepare, kinesis_describe_consumer_perform, NULL)
    ROW("ListStreamConsumers", list_consumers, AWS_READ, 0, kinesis_register_prepare, kinesis_list_consumers_perform, NULL)
    STREAM("StartStreamEncryption", encryption, AWS_WRITE, kinesis_encrypt_perform)
    STREAM("StopStreamEncryption", encryption, AWS_WRITE, kinesis_decrypt_perform)
    ROW("UpdateMaxRecordSize", record_size, AWS_WRITE, 0, kinesis_record_size_prepare, kinesis_record_size_perform, NULL)
    {0}
};

static const char *const blobs[] = {"Data", NULL};
static const char *const times[] = {"ApproximateArrivalTimestamp", "ConsumerCreationTimestamp", "StreamCreationTimestamp", NULL};
static const struct cbor_hints cbor = {.blobs = blobs, .times = times, .times_in_ms = true};

const struct aws_service kinesis_service = {
    .target = "Kinesis_20131202.", .signing = "kinesis", .operations = operations, .json11 = true, .short_types = true, .no_sum = true, .cbor = &cbor};

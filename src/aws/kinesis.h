/*
 * What the files of the Kinesis wire share: translation over gateway/records.h. Nothing outside src/aws includes it.
 *
 * kinesis.c the table of operations · kinesis_shapes.c the shapes of their requests · kinesis_name.c streams, ARNs, shards, faults · kinesis_stream.c streams made,
 * listed, described · kinesis_shards.c shards listed, split, merged · kinesis_settings.c retention, tags, mode, metrics, encryption, limits · kinesis_put.c ·
 * kinesis_get.c · kinesis_consumer.c registered consumers · kinesis_subscribe.c what is pushed to them
 */
#ifndef WEIR_AWS_KINESIS_H
#define WEIR_AWS_KINESIS_H

#include "aws/call.h"
#include "base/clock.h"
#include "gateway/records.h"

extern const struct aws_service kinesis_service;

/* ---- kinesis_name.c ---- */
/* Reads StreamName or StreamARN into call->state, a struct text. For operations that need no more. */
int kinesis_stream_prepare(struct aws_call *call);
int kinesis_name(struct aws_call *call, struct text *name); /* neither is a fault */
int kinesis_arn_name(struct aws_call *call, const char *member, struct text *name);
/* What stands behind "stream/" in an ARN of Kinesis. */
bool kinesis_arn_rest(struct text arn, struct text *rest);
bool kinesis_is_stream_arn(struct text arn);   /* AWS's pattern */
bool kinesis_is_resource_arn(struct text arn); /* a stream's or a consumer's */
bool kinesis_is_sequence(struct text text);
bool kinesis_is_hash_key(struct text text);
/* StreamCreationTimestamp, when it is given, is that of this stream: else a fault, as if there were none. */
int kinesis_check_created(struct aws_call *call, const struct gw_stream *stream);
/* DryRun would have to do nothing: it is refused. */
int kinesis_no_dry_run(struct aws_call *call);
/* The stream of call->state. 0, ERR_COLD, or negative with the fault noted. */
int kinesis_stream(struct aws_call *call, struct store_view *view, struct gw_stream *stream);
int kinesis_stream_named(struct aws_call *call, struct store_view *view, struct text name, struct gw_stream *stream);
/* The shard that a member names. */
int kinesis_shard(struct aws_call *call, struct store_view *view, const struct gw_stream *stream, const char *member, struct gw_shard *shard);
int kinesis_not_found(struct aws_call *call, struct text stream);
/* A failure of records.h: what is not one of ours is passed to aws_store_fail. */
int kinesis_fail(struct aws_call *call, struct text stream, int code, const struct err *err);
/* ERR_FULL, with what there is: `more` open shards would have come. */
int kinesis_full(struct aws_call *call, struct store_view *view, int64_t more);
/* One violation, in the words of a shape's. */
int kinesis_constraint(struct aws_call *call, const char *value, const char *at, const char *constraint);
struct text kinesis_arn(struct aws_call *call, struct text stream);
/* A time of the request in ms: JSON says seconds, CBOR milliseconds. */
int kinesis_time(struct aws_call *call, const struct json *json, int64_t *ms);
int64_t kinesis_integer(const struct aws_call *call, const char *member, int64_t otherwise);
/* "StreamName" and "StreamARN" of the answer's object. */
void kinesis_write_names(struct aws_call *call, struct text stream);
void kinesis_write_mode(struct aws_call *call, const struct gw_stream *stream);
void kinesis_write_shard(struct json_writer *w, const struct gw_shard *shard);
void kinesis_write_metrics(struct json_writer *w, const char *name, uint32_t metrics);

#define KINESIS_METRICS                                                                                                                   \
    "IncomingBytes, IncomingRecords, OutgoingBytes, OutgoingRecords, WriteProvisionedThroughputExceeded, ReadProvisionedThroughputExceeded, " \
    "IteratorAgeMilliseconds, ALL"
#define KINESIS_METRIC_COUNT 7
extern const char *const kinesis_metric_names[KINESIS_METRIC_COUNT];

/* ---- kinesis_get.c ---- */
/* Places of iterators and subscriptions. `given`: the member, or NULL. `now`: what lies above it does not exist yet. */
int kinesis_iterator_sequence(struct aws_call *call, const struct gw_stream *stream, const struct gw_shard *shard, struct text type, const struct json *given,
    struct gw_position now, struct gw_records_from *from);
int kinesis_iterator_time(struct aws_call *call, const struct json *given, int64_t *ms);
int kinesis_record_write(void *writer, const struct gw_record *record);
/* "ChildShards" of a shard that has been read to its end. */
int kinesis_children_write(struct json_writer *w, struct store_view *view, struct arena *arena, const struct gw_stream *stream, const struct gw_shard *shard);

/* ---- kinesis_consumer.c ---- */
struct kinesis_consumer_name {
    struct text stream, name;
    int64_t created_s; /* -1: any */
};
bool kinesis_consumer_arn_parse(struct text arn, struct kinesis_consumer_name *out);
bool kinesis_is_consumer_arn(struct text arn);
struct text kinesis_consumer_arn(struct aws_call *call, struct text stream, const struct gw_stream_consumer *consumer);
/* Also the stream. 0, ERR_COLD, or negative with the fault noted. */
int kinesis_consumer_find(struct aws_call *call, struct store_view *view, const struct kinesis_consumer_name *name, struct gw_stream *stream,
    struct gw_stream_consumer *consumer);
#define KINESIS_SUBSCRIPTIONS_MAX 1000 /* of an io thread */

/* ---- kinesis_settings.c ---- */
/* Adds the members of a map of tags to the stream, in the call's arena. */
int kinesis_tags_add(struct aws_call *call, struct gw_stream *stream, const struct json *map);

/* Shapes and steps, named by the table of operations. */
#define KINESIS_SHAPES(X)                                                                                                                 \
    X(create) X(delete) X(list) X(describe) X(stream_alone) X(list_shards) X(put_record) X(put_records) X(get_iterator) X(get_records)     \
    X(split) X(merge) X(scale) X(retention) X(add_tags) X(remove_tags) X(list_stream_tags) X(tag) X(untag) X(list_tags) X(mode)            \
    X(metrics) X(nothing) X(register) X(consumer) X(list_consumers) X(subscribe) X(encryption) X(record_size)
#define X(name) extern const struct shape kinesis_shape_##name;
KINESIS_SHAPES(X)
#undef X
#define KINESIS_PREPARES(X) X(create) X(list_shards) X(put_record) X(put_records) X(get_records) X(resource) X(mode) X(register) X(consumer) \
    X(subscribe) X(record_size)
#define X(name) int kinesis_##name##_prepare(struct aws_call *call);
KINESIS_PREPARES(X)
#undef X
#define KINESIS_PERFORMS(X)                                                                                                               \
    X(create) X(delete) X(list) X(describe) X(summary) X(list_shards) X(put) X(get_iterator) X(get_records) X(split) X(merge) X(scale)     \
    X(lengthen) X(shorten) X(add_tags) X(remove_tags) X(list_stream_tags) X(list_tags) X(mode) X(enable) X(disable) X(limits)              \
    X(register) X(deregister) X(describe_consumer) X(list_consumers) X(subscribe) X(encrypt) X(decrypt) X(record_size) X(tag) X(untag)
#define X(name) int kinesis_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
KINESIS_PERFORMS(X)
#undef X
void kinesis_put_record_answer(struct aws_call *call);
void kinesis_put_records_answer(struct aws_call *call);
void kinesis_get_records_answer(struct aws_call *call);
void kinesis_subscribe_answer(struct aws_call *call);

#endif

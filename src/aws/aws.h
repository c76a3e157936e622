/*
 * The wires of AWS's APIs over weir's own modules: translation only. main hands aws_wire to the gateway, which asks it about every HTTP request that is not
 * below an API's mount.
 *
 * Built: DynamoDB (JSON 1.0, X-Amz-Target DynamoDB_20120810.*), docs/dynamodb.md lists operations and limits; DynamoDB Streams (DynamoDBStreams_20120810.*),
 * docs/streams.md; Kinesis (JSON 1.1 and CBOR 1.1, Kinesis_20131202.*), docs/kinesis.md; CloudWatch's metrics (forms and XML,
 * JSON 1.0 GraniteServiceVersion20100801.*, rpc-v2-cbor), docs/metrics.md; CloudWatch Logs (JSON 1.1, Logs_20140328.*), docs/logs.md.
 */
#ifndef WEIR_AWS_AWS_H
#define WEIR_AWS_AWS_H

#include "gateway/host.h"

/* A gw_wire_fn. `context` is the const struct gateway_config that the gateway was made with. io thread. */
bool aws_wire(void *context, struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);

/* Before tick_start, when all tables are defined: what the wires keep beside them (the streams of tables that were not made by this program's API). */
int aws_define(const struct gateway_config *config, struct tick *tick, struct err *err);

/* For gateway_config.stream_names. */
extern const struct gw_stream_names aws_stream_names;

#endif

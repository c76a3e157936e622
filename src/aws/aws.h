/*
 * The wires of AWS's APIs over weir's own modules: translation only. main hands aws_wire to the gateway, which asks it about every HTTP request that is not
 * below an API's mount.
 *
 * Built: DynamoDB (JSON 1.0, X-Amz-Target DynamoDB_20120810.*); docs/dynamodb.md lists operations and limits.
 */
#ifndef WEIR_AWS_AWS_H
#define WEIR_AWS_AWS_H

#include "gateway/host.h"

/* A gw_wire_fn. `context` is the const struct gateway_config that the gateway was made with. io thread. */
bool aws_wire(void *context, struct gw_io *io, struct net_conn *conn, const struct http_request *request, struct text body);

#endif

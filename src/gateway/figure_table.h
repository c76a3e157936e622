/*
 * Weir's own figures, declared once: their names and dimensions are those of the services it stands in for, so that a dashboard or an alarm made for those finds them here. From
 * this table come the series (meter.c), the kind that an export gives them (otlp_metric.c) and docs/figures.md, which a test holds against it. To add one: a row here, a line there.
 */
#ifndef WEIR_GATEWAY_FIGURE_TABLE_H
#define WEIR_GATEWAY_FIGURE_TABLE_H

/* Sets of the first so many dimensions of a row: each is a series of its own. */
#define GW_BY_NONE 1
#define GW_BY_1 2
#define GW_BY_2 4
#define GW_BY_3 8
#define GW_BY_ROUTE (GW_BY_1 | GW_BY_2 | GW_BY_3)

/*
 * X(id, namespace, name, unit, kind, seconds, dimensions, sets, meaning)
 *   kind     COUNT: things that happened, the sum is what they were. GAUGE: how it stands. VALUE: how long, how old, how many per request
 *   seconds  1: kept by the second for three hours, then by the minute; 0: by the minute
 */
#define GW_FIGURE_TABLE(X) \
    X(CONNECT_COUNT, "AWS/ApiGateway", "ConnectCount", "Count", COUNT, 0, "ApiId,Stage,Route", GW_BY_ROUTE, "handshakes accepted") \
    X(MESSAGE_COUNT, "AWS/ApiGateway", "MessageCount", "Count", COUNT, 1, "ApiId,Stage,Route", GW_BY_ROUTE, "messages from clients that reached a route") \
    X(INTEGRATION_ERROR, "AWS/ApiGateway", "IntegrationError", "Count", COUNT, 0, "ApiId,Stage,Route", GW_BY_ROUTE, "calls that a handler or an endpoint answered with an error") \
    X(CLIENT_ERROR, "AWS/ApiGateway", "ClientError", "Count", COUNT, 0, "ApiId,Stage,Route", GW_BY_ROUTE, "handshakes and messages refused before a handler saw them") \
    X(EXECUTION_ERROR, "AWS/ApiGateway", "ExecutionError", "Count", COUNT, 0, "ApiId,Stage,Route", GW_BY_ROUTE, \
        "calls that could not be carried out: time, memory, disk, an endpoint out of reach") \
    X(INTEGRATION_LATENCY, "AWS/ApiGateway", "IntegrationLatency", "Milliseconds", VALUE, 0, "ApiId,Stage,Route", GW_BY_ROUTE, \
        "from a call's arrival until its answer leaves, the wait for the disk included") \
    X(REST_COUNT, "AWS/ApiGateway", "Count", "Count", COUNT, 0, "ApiId", GW_BY_1, "requests of REST routes") \
    X(REST_LATENCY, "AWS/ApiGateway", "Latency", "Milliseconds", VALUE, 0, "ApiId", GW_BY_1, "from such a request until its answer leaves") \
    X(REST_4XX, "AWS/ApiGateway", "4XXError", "Count", VALUE, 0, "ApiId", GW_BY_1, "1 for such a request answered with 4xx, 0 for any other: the average is the rate") \
    X(REST_5XX, "AWS/ApiGateway", "5XXError", "Count", VALUE, 0, "ApiId", GW_BY_1, "likewise with 5xx") \
    X(INVOCATIONS, "AWS/Lambda", "Invocations", "Count", COUNT, 0, "FunctionName", GW_BY_1, "times a handler or an endpoint was run") \
    X(ERRORS, "AWS/Lambda", "Errors", "Count", COUNT, 0, "FunctionName", GW_BY_1, "runs that failed by other than the caller's fault") \
    X(THROTTLES, "AWS/Lambda", "Throttles", "Count", COUNT, 0, "FunctionName", GW_BY_1, "messages refused by a rate, calls refused by an endpoint's open circuit or full queue") \
    X(DURATION, "AWS/Lambda", "Duration", "Milliseconds", VALUE, 0, "FunctionName", GW_BY_1, "how long the handler or the endpoint itself ran") \
    X(ITERATOR_AGE, "AWS/Lambda", "IteratorAge", "Milliseconds", VALUE, 0, "FunctionName", GW_BY_1, "age of the oldest record of a batch when its stream consumer was done with it") \
    X(READ_UNITS, "AWS/DynamoDB", "ConsumedReadCapacityUnits", "Count", VALUE, 0, "TableName", GW_BY_1, \
        "a unit is 4 KB read, half a unit when eventually consistent; reads of handlers too") \
    X(WRITE_UNITS, "AWS/DynamoDB", "ConsumedWriteCapacityUnits", "Count", VALUE, 0, "TableName", GW_BY_1, "a unit is 1 KB written; writes of handlers too") \
    X(THROTTLED, "AWS/DynamoDB", "ThrottledRequests", "Count", COUNT, 0, "TableName", GW_BY_NONE | GW_BY_1, "requests refused because too many waited for the disk") \
    X(USER_ERRORS, "AWS/DynamoDB", "UserErrors", "Count", COUNT, 0, "TableName", GW_BY_NONE | GW_BY_1, \
        "requests answered with 400 for other reasons than a condition or throttling") \
    X(SYSTEM_ERRORS, "AWS/DynamoDB", "SystemErrors", "Count", COUNT, 0, "TableName", GW_BY_NONE | GW_BY_1, "requests answered with 500") \
    X(CONDITION_FAILED, "AWS/DynamoDB", "ConditionalCheckFailedRequests", "Count", COUNT, 0, "TableName", GW_BY_1, "writes whose condition did not hold") \
    X(TTL_DELETED, "AWS/DynamoDB", "TimeToLiveDeletedItemCount", "Count", COUNT, 0, "TableName", GW_BY_1, "items deleted by expiry") \
    X(REQUEST_LATENCY, "AWS/DynamoDB", "SuccessfulRequestLatency", "Milliseconds", VALUE, 0, "TableName,Operation", GW_BY_2, "requests that succeeded, from arrival to answer") \
    X(RETURNED_ITEMS, "AWS/DynamoDB", "ReturnedItemCount", "Count", VALUE, 0, "TableName,Operation", GW_BY_2, "items that a Query or a Scan returned") \
    X(ITEM_COUNT, "AWS/DynamoDB", "ItemCount", "Count", GAUGE, 0, "TableName", GW_BY_1, "items of the table; of a table of connections, the open ones") \
    X(TABLE_BYTES, "AWS/DynamoDB", "TableSizeBytes", "Bytes", GAUGE, 0, "TableName", GW_BY_1, "bytes of the table on disk, an estimate") \
    X(RECORDS_IN, "AWS/Kinesis", "IncomingRecords", "Count", VALUE, 0, "StreamName", GW_BY_1, "records put, by request") \
    X(RECORD_BYTES_IN, "AWS/Kinesis", "IncomingBytes", "Bytes", VALUE, 0, "StreamName", GW_BY_1, "their data and keys, by request") \
    X(RECORDS_AGE, "AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Milliseconds", VALUE, 0, "StreamName", GW_BY_1, "how far behind the newest record a GetRecords ended") \
    X(LOG_EVENTS_IN, "AWS/Logs", "IncomingLogEvents", "Count", VALUE, 0, "LogGroupName", GW_BY_1, "log events put: by PutLogEvents, and lines of applications") \
    X(LOG_BYTES_IN, "AWS/Logs", "IncomingBytes", "Bytes", VALUE, 0, "LogGroupName", GW_BY_1, "their messages, and 26 bytes for each") \
    X(ACTIVE, "Weir", "ActiveConnections", "Count", GAUGE, 1, "ApiId", GW_BY_1, "open WebSocket connections") \
    X(CONNECTION_MINUTES, "Weir", "ConnectionMinutes", "Count", VALUE, 0, "ApiId", GW_BY_1, "minutes that connections were open, all of them together") \
    X(MESSAGES_OUT, "Weir", "MessagesOut", "Count", COUNT, 1, "ApiId", GW_BY_1, "messages queued to sockets") \
    X(BYTES_IN, "Weir", "BytesIn", "Bytes", VALUE, 0, "ApiId", GW_BY_1, "messages from clients, by second and thread") \
    X(BYTES_OUT, "Weir", "BytesOut", "Bytes", VALUE, 0, "ApiId", GW_BY_1, "frames queued to sockets, by second and thread") \
    X(BROADCAST_SUCCESS, "Weir", "BroadcastSuccessRate", "Percent", VALUE, 0, "ApiId", GW_BY_1, \
        "100 for each receiver that a broadcast, room or user message was queued to, 0 for each other: the average is the rate") \
    X(STALE, "Weir", "StaleConnections", "Count", COUNT, 0, "ApiId", GW_BY_1, "messages to connections that were gone (410)") \
    X(CONNECTION_ERRORS, "Weir", "ConnectionErrors", "Count", COUNT, 0, "ApiId", GW_BY_1, "handshakes refused, and connections lost or ended for an error") \
    X(AUTH_FAILURES, "Weir", "AuthFailures", "Count", COUNT, 0, "ApiId", GW_BY_1, "tokens and identities refused") \
    X(RATE_LIMITED, "Weir", "RateLimited", "Count", COUNT, 0, "ApiId", GW_BY_1, "handshakes, requests and messages refused by a rate") \
    X(PROTOCOL_ERRORS, "Weir", "ProtocolErrors", "Count", COUNT, 0, "ApiId", GW_BY_1, "connections closed for malformed frames, too large messages or refused types") \
    X(ABUSE, "Weir", "Abuse", "Count", COUNT, 0, "ApiId,Kind", GW_BY_1 | GW_BY_2, \
        "Kind: RejectedToken, MalformedFrame, LimitHit, IdentityMismatch, RefusedOrigin or Ban") \
    X(TICK_DURATION, "Weir", "TickDuration", "Milliseconds", VALUE, 0, "", GW_BY_NONE, "from a tick's first call until its effects are released") \
    X(FSYNC_DURATION, "Weir", "FsyncDuration", "Milliseconds", VALUE, 0, "", GW_BY_NONE, "syncing the journal") \
    X(QUEUE_DEPTH, "Weir", "QueueDepth", "Count", GAUGE, 1, "Queue", GW_BY_1, \
        "Queue: Tick (calls admitted and not released), Output (bytes for sockets), Fetch (outgoing requests), Jobs (backups and the like)") \
    X(MEMORY, "Weir", "MemoryBytes", "Bytes", GAUGE, 0, "", GW_BY_NONE, "resident memory of the process") \
    X(DISK_FREE, "Weir", "DiskFreeBytes", "Bytes", GAUGE, 0, "", GW_BY_NONE, "free space where the data folder is") \
    X(JOURNAL_BYTES, "Weir", "JournalBytes", "Bytes", GAUGE, 0, "", GW_BY_NONE, "the journal on disk")

enum gw_figure_kind { GW_KIND_COUNT, GW_KIND_GAUGE, GW_KIND_VALUE };
enum gw_figure {
#define X(id, space, name, unit, kind, seconds, dims, sets, help) GW_FIGURE_##id,
    GW_FIGURE_TABLE(X)
#undef X
    GW_FIGURES
};

#endif

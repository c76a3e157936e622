/*
 * What the files of the Logs wire share: translation over watch/log.h and watch/pattern.h. Nothing outside src/aws includes it.
 *
 * logs.c the table of operations · logs_shapes.c the shapes of their requests · logs_name.c groups, streams, ARNs, tokens, faults · logs_group.c groups and retention ·
 * logs_stream.c streams · logs_put.c · logs_get.c GetLogEvents, FilterLogEvents · logs_tags.c · logs_filter.c metric filters
 */
#ifndef WEIR_AWS_LOGS_H
#define WEIR_AWS_LOGS_H

#include "aws/call.h"
#include "base/clock.h"
#include "watch/log.h"
#include "watch/pattern.h"

extern const struct aws_service logs_service;

#define LOGS_TOKEN_MAX 2048 /* bytes of a nextToken */

/* ---- logs_name.c ---- */
/* The group that the request names, by logGroupName or logGroupIdentifier, into call->state, a struct text. Asks what the key may do. */
int logs_group_prepare(struct aws_call *call);
/* The same for a resource's ARN in `member`. */
int logs_resource_prepare(struct aws_call *call);
int logs_group_name(struct aws_call *call, struct text *name);
/* The group of call->state. 0, ERR_COLD, or negative with the fault noted. */
int logs_group(struct aws_call *call, struct store_view *view, struct watch_log_group *group);
int logs_stream(struct aws_call *call, struct store_view *view, const struct watch_log_group *group, struct text name, struct watch_log_stream *stream);
/* A failure of watch/log.h. */
int logs_fail(struct aws_call *call, int code);
struct text logs_arn(struct aws_call *call, struct text group);
int64_t logs_integer(const struct aws_call *call, const char *member, int64_t otherwise);
int logs_may_group(struct aws_call *call, struct text name);
void logs_write_text(struct json_writer *w, const char *name, struct text text);
void logs_write_i64(struct json_writer *w, const char *name, int64_t value);
/* Tokens of listings: a kind and what comes next, opaque, proving nothing. */
void logs_write_token(struct aws_call *call, char kind, struct text rest);
int logs_token(struct aws_call *call, char kind, struct text *rest); /* rest.data NULL when there is none */

/* ---- logs_tags.c ---- */
/* Adds a map of tags to the group. */
int logs_tags_add(struct aws_call *call, struct watch_log_group *group, const struct json *map);

#define X(name) extern const struct shape logs_shape_##name;
X(create_group) X(group_alone) X(describe_groups) X(put_retention) X(stream_alone) X(describe_streams) X(put) X(get) X(filter) X(tag_group) X(untag_group) X(tag) X(untag)
X(list_tags) X(put_filter) X(describe_filters) X(delete_filter) X(test_filter)
#undef X

#define X(name) int logs_##name##_prepare(struct aws_call *call);
X(create_group) X(describe_groups) X(retention) X(describe_streams) X(put) X(get) X(filter) X(put_filter) X(describe_filters) X(test_filter)
#undef X
#define X(name) int logs_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
X(create_group) X(delete_group) X(describe_groups) X(put_retention) X(delete_retention) X(create_stream) X(delete_stream) X(describe_streams) X(put) X(get) X(filter) X(tag)
X(untag_group) X(untag) X(list_tags) X(put_filter) X(describe_filters) X(delete_filter)
#undef X
void logs_put_answer(struct aws_call *call);

/* logs_query.c, logs_query_record.c: Insights */
#define X(name) extern const struct shape logs_shape_##name;
X(start_query) X(query_id) X(describe_queries) X(log_record) X(group_fields)
#undef X
#define X(name) int logs_##name##_prepare(struct aws_call *call);
X(start_query) X(describe_queries) X(record) X(group_fields)
#undef X
#define X(name) int logs_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
X(start_query) X(query_results) X(stop_query) X(describe_queries) X(record) X(group_fields)
#undef X

#endif

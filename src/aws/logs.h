/*
 * What the files of the Logs wire share: translation over watch/log.h and watch/pattern.h. Nothing outside src/aws includes it.
 *
 * logs.c the table of operations · logs_shapes.c the shapes of their requests · logs_name.c groups, streams, ARNs, tokens, faults · logs_group.c groups and retention ·
 * logs_stream.c streams · logs_put.c · logs_get.c GetLogEvents, FilterLogEvents · logs_tags.c · logs_filter.c metric filters · logs_subscription.c · logs_destination.c ·
 * logs_saved.c query definitions · logs_policy.c resource policies · logs_list.c ListLogGroups, and how settings are listed ·
 * logs_export.c export tasks · logs_tail.c StartLiveTail · logs_query.c, logs_query_record.c Insights
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
/* The same as logs_resource_prepare for another member. */
int logs_arn_prepare(struct aws_call *call, const char *member);
/* The group's name in an identifier: a name, or an ARN. */
bool logs_name_of(struct text identifier, struct text *name);
int logs_fail_guarded(struct aws_call *call, const struct watch_log_group *group);
/* What the group's class does not allow. */
int logs_fail_class(struct aws_call *call, const struct watch_log_group *group);
const char *logs_class_name(enum watch_log_class log_class);
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
/* A group's, or a destination's by its ARN, into call->state. */
int logs_tagged_prepare(struct aws_call *call);
/* ---- logs_destination.c: a destination's tags in a struct that has no more than them and a name ---- */
int logs_destination_tags_get(struct aws_call *call, struct store_view *view, struct text name, struct watch_log_group *holder);
int logs_destination_tags_put(struct aws_call *call, struct store_view *view, struct tick *tick, const struct watch_log_group *holder);

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

/* ---- logs_list.c ---- */
/* A page of settings: {"<array>": [...], "nextToken"}. */
struct logs_page {
    struct aws_call *call;
    struct store_view *view;
    enum watch_log_setting kind;
    const char *array;
    struct text prefix, from; /* from: what logs_token found */
    int64_t limit;
    char token;
    /* Writes one row's JSON: 1 when it is shown, 0 when it is passed over, or negative. */
    int (*show)(struct aws_call *call, struct text name, const struct json *row);
    int64_t count; /* private, as is the rest */
    struct text next;
};
int logs_page_write(struct logs_page *page);
/* A row of a setting as JSON. 0, ERR_NOT_FOUND, or negative with the fault noted. */
int logs_setting(struct aws_call *call, struct store_view *view, enum watch_log_setting kind, struct text name, const struct json **row);
/* Keeps what a writer has written into `out`, which is freed. */
int logs_setting_keep(struct aws_call *call, struct tick *tick, enum watch_log_setting kind, struct text name, struct buf *out);
/* How many there are of a kind, counted to `max` at most. */
int logs_settings_count(struct aws_call *call, struct store_view *view, enum watch_log_setting kind, int64_t max, int64_t *count);
/* A policy is a JSON object with a Statement. `member` names it. */
int logs_check_policy(struct aws_call *call, const char *member);
#define LOGS_ROW_MAX ((size_t)256 << 10) /* bytes of a setting */

/* logs_subscription.c, logs_destination.c, logs_saved.c, logs_policy.c, logs_group.c */
#define X(name) extern const struct shape logs_shape_##name;
X(put_subscription) X(describe_subscriptions) X(put_destination) X(destination_policy) X(describe_destinations) X(delete_destination) X(put_query) X(describe_saved) X(delete_query)
X(put_policy) X(describe_policies) X(delete_policy) X(associate_key) X(disassociate_key) X(put_guard) X(list_groups) X(query_groups)
#undef X
#define X(name) int logs_##name##_prepare(struct aws_call *call);
X(put_subscription) X(describe_subscriptions) X(destination) X(describe_destinations) X(put_query) X(describe_saved) X(put_policy) X(describe_policies)
X(delete_policy) X(key) X(list_groups) X(query_groups)
#undef X
#define X(name) int logs_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
X(put_subscription) X(describe_subscriptions) X(delete_subscription) X(put_destination) X(destination_policy) X(describe_destinations) X(delete_destination) X(put_query)
X(describe_saved) X(delete_query) X(put_policy) X(describe_policies) X(delete_policy) X(associate_key) X(disassociate_key) X(put_guard) X(list_groups) X(query_groups)
#undef X

/* logs_export.c: export tasks */
extern const struct shape logs_shape_create_export, logs_shape_cancel_export, logs_shape_describe_exports;
int logs_create_export_prepare(struct aws_call *call);
int logs_create_export_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
int logs_cancel_export_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
int logs_describe_exports_prepare(struct aws_call *call);
int logs_describe_exports_perform(struct aws_call *call, struct store_view *view, struct tick *tick);

/* logs_tail.c: StartLiveTail */
extern const struct shape logs_shape_tail;
int logs_tail_prepare(struct aws_call *call);
int logs_tail_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
void logs_tail_answer(struct aws_call *call);

/* logs_query.c, logs_query_record.c: Insights */
#define X(name) extern const struct shape logs_shape_##name;
X(start_query) X(query_id) X(query_results) X(describe_queries) X(log_record) X(group_fields)
#undef X
#define X(name) int logs_##name##_prepare(struct aws_call *call);
X(start_query) X(query_results) X(describe_queries) X(record) X(group_fields)
#undef X
#define X(name) int logs_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
X(start_query) X(query_results) X(stop_query) X(describe_queries) X(record) X(group_fields)
#undef X

#endif

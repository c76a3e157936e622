/*
 * What the files of CloudWatch's alarms share: translation over watch/alarm.h. cloudwatch_alarm_shapes.c shapes · cloudwatch_alarm_put.c PutMetricAlarm, PutCompositeAlarm ·
 * cloudwatch_alarm_set.c states, actions on and off, deletion, tags · cloudwatch_alarm_describe.c DescribeAlarms, DescribeAlarmsForMetric · cloudwatch_alarm_history.c ·
 * cloudwatch_alarm_contributors.c DescribeAlarmContributors.
 *
 * What one parameter alone may be (lengths, enumerations) is in the shapes, as AWS's model has it, and told as AWS tells it ("1 validation error detected: ..."); what is missing,
 * and what does not go together, as the other operations of this wire say it.
 */
#ifndef WEIR_AWS_CLOUDWATCH_ALARM_H
#define WEIR_AWS_CLOUDWATCH_ALARM_H

#include "aws/cloudwatch.h"
#include "gateway/alarms.h"

#define CWA_NAMES_MAX 100
#define CWA_PAGE_MAX 100
#define CWA_PAGE 50

#define CWA_OPERATIONS(X)                                                                                                                                                  \
    X(put_metric_alarm) X(put_composite_alarm) X(describe_alarms) X(describe_alarms_for_metric) X(describe_alarm_history) X(set_alarm_state) X(enable_alarm_actions)         \
    X(disable_alarm_actions) X(delete_alarms) X(tag_resource) X(untag_resource) X(list_tags_for_resource) X(describe_alarm_contributors)
#define X(name)                                                                                                                                                            \
    extern const struct shape cwa_shape_##name;                                                                                                                            \
    int cwa_##name##_prepare(struct aws_call *call);                                                                                                                       \
    int cwa_##name##_perform(struct aws_call *call, struct store_view *view, struct tick *tick);
CWA_OPERATIONS(X)
#undef X

const struct watch_alarm_house *cwa_house(const struct aws_call *call);
/* May the key do this to the alarm? As aws_may. */
int cwa_may(struct aws_call *call, struct text alarm);
/* A failure of watch/alarm.h. */
int cwa_fail(struct aws_call *call, int code, const struct err *err);
/* A copy that holds what the shape knows, in its order, and no null: NULL without memory. */
struct json *cwa_keep(struct arena *arena, const struct shape *shape, const struct json *json);
/* Tags of a list, checked and noted, as a map of an item; NULL: none. */
const struct attr *cwa_tags(struct cw_check *check, const struct json *list);
/* Page size, and the token: a text in base64. */
int64_t cwa_max_records(struct cw_check *check, int64_t otherwise);
struct text cwa_token(struct cw_check *check);
void cwa_write_token(struct aws_call *call, struct text after);
/* cloudwatch_insight.c: the tags of a rule, and other ones. ERR_NOT_FOUND. */
int cw_insight_tags(struct aws_call *call, struct store_view *view, struct text name, const struct attr **tags);
int cw_insight_tag(struct aws_call *call, struct tick *tick, struct text name, const struct attr *tags);
/* The operation answers with nothing. */
int cwa_done(struct aws_call *call);

#endif

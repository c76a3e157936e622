/*
 * What an action says: the event that CloudWatch gives to a Lambda function, member for member, so that a handler that was written for one reads the other.
 */
#include "watch/alarm.h"

#include "base/clock.h"
#include <stdio.h>

static void write_time(struct json_writer *w, const char *name, int64_t ms)
{
    char iso[CLOCK_ISO_SIZE], text[40];
    clock_format_iso(ms, iso);
    snprintf(text, sizeof(text), "%.23s+0000", iso);
    json_name(w, name);
    json_str(w, text);
}

static void write_member(struct json_writer *w, const char *name, struct text value)
{
    if (!value.len)
        return;
    json_name(w, name);
    json_text(w, value);
}

static void write_state(struct json_writer *w, const char *name, const struct watch_alarm *alarm)
{
    json_name(w, name);
    json_begin_object(w);
    json_name(w, "value");
    json_str(w, watch_alarm_state_names[alarm->state]);
    json_name(w, "reason");
    json_text(w, alarm->reason);
    write_member(w, "reasonData", alarm->reason_data);
    write_time(w, "timestamp", alarm->updated_ms);
    if (alarm->composite)
        write_member(w, "actionsSuppressedBy", alarm->suppressed);
    json_end_object(w);
}

static struct text member(const struct attr *map, const char *name)
{
    const struct attr *attr = map ? item_get_str(map, name) : NULL;
    return attr && attr->type == ATTR_STRING ? attr->text : TEXT_NONE;
}

static void write_number(struct json_writer *w, const char *name, const struct attr *map, const char *from)
{
    const struct attr *attr = map ? item_get_str(map, from) : NULL;
    if (!attr || attr->type != ATTR_NUMBER)
        return;
    json_name(w, name);
    json_number_text(w, attr->text);
}

static void write_metric(struct json_writer *w, const struct attr *map)
{
    const struct attr *list = map ? item_get_str(map, "Dimensions") : NULL;
    json_name(w, "metric");
    json_begin_object(w);
    write_member(w, "namespace", member(map, "Namespace"));
    write_member(w, "name", member(map, "MetricName"));
    json_name(w, "dimensions");
    json_begin_object(w);
    for (const struct attr *at = list ? list->first : NULL; at; at = at->next) {
        json_name_text(w, member(at, "Name"));
        json_text(w, member(at, "Value"));
    }
    json_end_object(w);
    json_end_object(w);
}

static void write_query(struct json_writer *w, struct text id, const struct attr *metric, const struct attr *stat, const char *statistic, struct text expression,
    const struct attr *query)
{
    const struct attr *returned = query ? item_get_str(query, "ReturnData") : NULL;
    json_begin_object(w);
    json_name(w, "id");
    json_text(w, id);
    if (stat) {
        json_name(w, "metricStat");
        json_begin_object(w);
        write_metric(w, metric);
        write_number(w, "period", stat, "Period");
        write_member(w, "stat", member(stat, statistic));
        write_member(w, "unit", member(stat, "Unit"));
        json_end_object(w);
    }
    write_member(w, "expression", expression);
    write_member(w, "label", member(query, "Label"));
    json_name(w, "returnData");
    json_bool(w, !returned || returned->type != ATTR_BOOL || returned->boolean);
    json_end_object(w);
}

static void write_metrics(struct json_writer *w, const struct watch_alarm *alarm)
{
    const struct attr *metrics = item_get_str(alarm->config, "Metrics");
    json_name(w, "metrics");
    json_begin_array(w);
    for (const struct attr *at = metrics ? metrics->first : NULL; at; at = at->next) {
        const struct attr *stat = item_get_str(at, "MetricStat");
        write_query(w, member(at, "Id"), stat ? item_get_str(stat, "Metric") : NULL, stat, "Stat", member(at, "Expression"), at);
    }
    if (!metrics)
        write_query(w, TEXT("m1"), alarm->config, alarm->config, item_get_str(alarm->config, "Statistic") ? "Statistic" : "ExtendedStatistic", TEXT_NONE, NULL);
    json_end_array(w);
}

static void write_configuration(struct json_writer *w, const struct watch_alarm *alarm)
{
    json_name(w, "configuration");
    json_begin_object(w);
    write_member(w, "description", watch_alarm_text(alarm, "AlarmDescription"));
    if (!alarm->composite) {
        write_metrics(w, alarm);
    } else {
        write_member(w, "alarmRule", watch_alarm_text(alarm, "AlarmRule"));
        write_member(w, "actionsSuppressor", watch_alarm_text(alarm, "ActionsSuppressor"));
        write_number(w, "actionsSuppressorWaitPeriod", alarm->config, "ActionsSuppressorWaitPeriod");
        write_number(w, "actionsSuppressorExtensionPeriod", alarm->config, "ActionsSuppressorExtensionPeriod");
    }
    json_end_object(w);
}

void watch_alarm_payload(struct buf *out, const struct watch_alarm_house *house, const struct watch_alarm *alarm, const struct watch_alarm *before)
{
    struct json_writer w;
    struct buf arn;
    buf_init(&arn, 2048);
    watch_alarm_arn(&arn, house, alarm->name);
    json_writer_init(&w, out);
    json_begin_object(&w);
    json_name(&w, "source");
    json_str(&w, "aws.cloudwatch");
    json_name(&w, "alarmArn");
    json_text(&w, buf_text(&arn));
    json_name(&w, "accountId");
    json_text(&w, house->account);
    write_time(&w, "time", alarm->updated_ms);
    json_name(&w, "region");
    json_text(&w, house->region);
    json_name(&w, "alarmData");
    json_begin_object(&w);
    json_name(&w, "alarmName");
    json_text(&w, alarm->name);
    write_state(&w, "state", alarm);
    write_state(&w, "previousState", before);
    write_configuration(&w, alarm);
    json_end_object(&w);
    json_end_object(&w);
    buf_fini(&arn);
}
